import os
import sys
import time
from pathlib import Path

import pytest
from newsletter import credentials
from newsletter.config import PrivateKey, Secret
from newsletter.credentials import read_private_key, read_secret, read_token
from newsletter.errors import ConfigError

NAME = "NEWSLETTER_TEST_SECRET"
HIDDEN = "hunter2-hunter2"


def python(code: str, *arguments: str) -> Secret:
    return Secret(command=[sys.executable, "-c", code, *arguments])


def test_a_secret_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(NAME, HIDDEN)
    assert HIDDEN == read_secret(Secret(env=NAME), what="SMTP password")


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_a_secret_comes_from_a_command_without_its_final_line_break(end: str) -> None:
    code = f"import sys; sys.stdout.write({HIDDEN!r} + ' é ' + {end!r})"
    assert f"{HIDDEN} é " == read_secret(python(code), what="SMTP password")


def test_a_key_file_is_read_only_where_it_is_one(tmp_path: Path) -> None:
    file = tmp_path / "dkim.pem"
    os.mkfifo(file, 0o600)
    with pytest.raises(ConfigError, match=r"DKIM key cannot be opened: it is a pipe or device"):
        read_private_key(PrivateKey(file=Path("dkim.pem")), what="DKIM key", folder=tmp_path)
    file.unlink()
    file.touch(mode=0o600)
    os.truncate(file, 100_001)
    with pytest.raises(ConfigError, match="more than 100,000 bytes"):
        read_private_key(PrivateKey(file=Path("dkim.pem")), what="DKIM key", folder=tmp_path)


def test_arguments_reach_the_command_as_written() -> None:
    code = "import sys; print(sys.argv[1])"
    assert "$HOME; `id` *" == read_secret(python(code, "$HOME; `id` *"), what="API key")


def test_a_missing_variable_is_named_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(NAME, raising=False)
    with pytest.raises(ConfigError, match=f"SMTP password.*{NAME}.*export {NAME}="):
        read_secret(Secret(env=NAME), what="SMTP password")
    monkeypatch.setenv(NAME, "")
    with pytest.raises(ConfigError, match="not set, or empty"):
        read_secret(Secret(env=NAME), what="SMTP password")


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (f"print({HIDDEN!r}); raise SystemExit(3)", "exit status 3"),
        (f"import sys; print({HIDDEN!r}, file=sys.stderr); raise SystemExit(1)", "exit status 1"),
        ("", "is empty"),
        ("print()", "is empty"),
        (f"print({HIDDEN!r}); print('user: me')", "several lines"),
        (f"print({HIDDEN!r} + chr(27))", "cannot be typed"),
        (f"import sys; sys.stdout.buffer.write({HIDDEN!r}.encode() + b'\\xff')", "cannot be typed"),
    ],
)
def test_a_command_that_fails_is_told_and_the_secret_is_not(
    code: str, message: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ConfigError, match=message) as refusal:
        read_secret(python(code), what="SMTP password")
    assert f"Run the command {sys.executable} by hand" in refusal.value.next
    assert HIDDEN not in str(refusal.value)
    assert ("", "") == capfd.readouterr()


@pytest.mark.parametrize(
    "code",
    [
        "print('x' * 100_001)",
        "import sys\nwhile True: sys.stdout.write('x' * 1_000_000)",
        "import sys, time; sys.stdout.write('x' * 1_000_000); sys.stdout.flush(); time.sleep(60)",
    ],
    ids=["a little more", "without end", "and then hangs"],
)
def test_a_command_that_prints_too_much_is_ended(code: str) -> None:
    start = time.monotonic()
    with pytest.raises(ConfigError, match=r"printed more than 100,000 bytes for the API key"):
        read_secret(python(code), what="API key")
    assert 10 > time.monotonic() - start


def test_as_much_as_may_be_is_read_whole() -> None:
    assert 99_999 == len(read_secret(python("print('x' * 99_999)"), what="API key"))


@pytest.mark.parametrize("token", ["ya29.a0-_~+/", "eyJ0.eyJ1.c2ln", "EwBAAl3BAAUFFpUA+/=="])
def test_a_token_is_read_as_it_is(token: str) -> None:
    assert token == read_token(python(f"print({token!r})"), what="access token")


@pytest.mark.parametrize(
    "printed",
    ['{"access_token": "hunter2-hunter2"}', "Bearer hunter2-hunter2", '"hunter2"', "tö=a"],
)
def test_what_no_token_is_is_refused_before_it_is_sent(
    printed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ConfigError, match=r"access token holds spaces, quotation") as refusal:
        read_token(python(f"print({printed!r})"), what="access token")
    assert f"Run the command {sys.executable} by hand" in refusal.value.next
    assert "must be taken out of it" in refusal.value.next
    assert "hunter2" not in str(refusal.value)
    monkeypatch.setenv(NAME, printed)
    with pytest.raises(ConfigError, match=f"Set {NAME} to the access token"):
        read_token(Secret(env=NAME), what="access token")


@pytest.mark.parametrize("bad", [f"{HIDDEN}\nmore", f"{HIDDEN}\x1b", f"{HIDDEN}\udcff"])
def test_a_variable_that_no_server_takes_is_refused(
    bad: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(NAME, bad)
    with pytest.raises(ConfigError, match="cannot be typed") as refusal:
        read_secret(Secret(env=NAME), what="API key")
    assert HIDDEN not in str(refusal.value)


def test_a_command_that_ends_its_output_and_then_hangs_is_ended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(credentials, "_TIMEOUT_S", 0.5)
    with pytest.raises(ConfigError, match=r"within 0\.5 seconds"):
        read_secret(python("import os, time; os.close(1); time.sleep(60)"), what="API key")


@pytest.mark.parametrize("command", [["/nowhere/at-all"], ["a\0b"], ["/"]])
def test_a_command_that_cannot_run_is_told(command: list[str]) -> None:
    with pytest.raises(ConfigError, match="cannot be run"):
        read_secret(Secret(command=command), what="API key")


def test_a_command_without_a_program_is_told() -> None:
    with pytest.raises(ConfigError, match="empty"):
        read_secret(Secret(command=[]), what="API key")


def test_a_command_that_hangs_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(credentials, "_TIMEOUT_S", 0.3)
    start = time.monotonic()
    # The grandchild keeps the pipe open; nobody waits for it.
    code = (
        "import subprocess, sys, time;"
        "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(4)']); time.sleep(60)"
    )
    with pytest.raises(ConfigError, match=r"within 0\.3 seconds"):
        read_secret(python(code), what="API key")
    assert 3 > time.monotonic() - start
