"""A send through a relay that asks for an access token, as a person sees it."""

import base64
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from newsletter import credentials

from tests.cli.support import went_well
from tests.support.project import Project, smtp_delivery
from tests.support.smtp_server import SmtpServer
from tests.transports.smtp_harness import encrypted, good

SECRET = "s3same-0pen.2017~token"  # begins every token


@dataclass
class Relay:
    """A server that asks for a token, and the project that sends through it."""

    project: Project
    server: SmtpServer

    def accept(self, number: int) -> None:
        self.server.tokens = {f"{SECRET}-{number}"}

    def command(self, code: str) -> None:
        """What the token's command does; it is run once more each time it is asked."""
        (self.project.folder / "get_token.py").write_text(
            "import pathlib, sys, time\n"
            "calls = pathlib.Path('calls')\n"
            "n = int(calls.read_text()) + 1 if calls.exists() else 1\n"
            f"calls.write_text(str(n))\ntoken = '{SECRET}-' + str(n)\n{code}\n"
        )

    def calls(self) -> int:
        calls = self.project.folder / "calls"
        return int(calls.read_text()) if calls.exists() else 0


@pytest.fixture
def relay(project: Project, tmp_path: Path) -> Iterator[Relay]:
    server, ca_file = encrypted(good, tmp_path, implicit=False)
    server.mechanisms = ("PLAIN", "XOAUTH2")
    with server:
        where = smtp_delivery(server.port, connections=1).replace('"none"', '"starttls"')
        project.settings(
            f'{where}messages_per_connection = 1\nca_file = "{ca_file}"\nusername = "user"\n'
            f'token = {{ command = ["{sys.executable}", "get_token.py"] }}\n'
        )
        yield Relay(project, server)


def stands_nowhere(project: Project, *shown: str) -> None:
    files = [path for path in project.folder.iterdir() if path.is_file()]
    assert {"newsletter.db", "log.jsonl"} <= {path.name for path in files}
    state = [path for path in project.home.rglob("*") if path.is_file()]
    texts = [*shown]
    texts += [
        path.read_bytes().decode("latin-1")
        for path in (*files, *state)
        if path.name != "get_token.py"
    ]
    for text in texts:
        joined = "".join(text.split())
        for form in (SECRET, SECRET.encode().hex()):
            assert form not in joined
        for ahead in range(3):
            assert base64.b64encode(bytes(ahead) + SECRET.encode()).decode()[4:-4] not in joined


@pytest.mark.fault(
    "SMTP", "access token expires during a run", state="accepted; the token's command is run again"
)
def test_a_token_that_expires_during_a_send_is_renewed_and_stands_nowhere(relay: Relay) -> None:
    relay.command("print(token)")
    relay.accept(1)

    def expire(earlier: int) -> None:
        relay.accept(1 + (earlier >= 0))

    relay.server.behaviours["dot"] = expire
    done = relay.project.run("--log", "log.jsonl", "send", "2017-04", "--yes")
    went_well(done, "3 planned = 3 accepted", "Complete.")
    assert {1} == set(relay.server.copies().values())
    assert 2 == relay.calls()
    stands_nowhere(relay.project, done.stdout, done.stderr)


@pytest.mark.fault(
    "SMTP", "access token refused, and the next one too", state="pending; the run stops"
)
def test_a_token_that_is_refused_twice_stops_the_send_and_resume_goes_on(relay: Relay) -> None:
    relay.command("print(token)")
    relay.accept(3)
    relay.server.challenge = f'{{"status":"401","token":"{SECRET}-1"}}'
    done = relay.project.run("--log", "log.jsonl", "send", "2017-04", "--yes")
    assert 4 == done.returncode, done.stdout + done.stderr
    said = " ".join((done.stdout + done.stderr).split())
    assert f"relay 127.0.0.1:{relay.server.port}" in said
    assert "The relay does not accept the access token for user: 535 5.7.8 wrong" in said
    assert "Its command was run again without success." in said
    assert "newsletter resume" in said
    assert 2 == relay.calls()
    stands_nowhere(relay.project, done.stdout, done.stderr)
    went_well(relay.project.run("resume", "2017-04"), "3 planned = 3 accepted", "Complete.")
    assert {1} == set(relay.server.copies().values())


FORMS = [
    ("time.sleep(60)", "did not print the access token of the relay 127.0.0.1:"),
    ("", "is empty"),
    ("print('x' * 5_000_000)", "printed more than 100,000 bytes"),
    ("print(token); print(token)", "holds several lines"),
    ("print(token); sys.exit(3)", "failed with exit status 3"),
    ("print({'access_token': token})", "holds spaces, quotation marks"),
]


@pytest.mark.parametrize(("code", "told"), FORMS)
def test_a_command_that_gives_no_token_is_named_and_nothing_is_frozen(
    relay: Relay, code: str, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(credentials, "_TIMEOUT_S", 2)
    relay.command(code)
    done = relay.project.run("send", "2017-04", "--yes")
    assert 2 == done.returncode, done.stdout + done.stderr
    said = " ".join(done.stderr.split())
    assert told in said
    assert f"access token of the relay 127.0.0.1:{relay.server.port}" in said
    assert f"Run the command {sys.executable} by hand" in said
    assert SECRET not in said
    assert [] == relay.server.seen
    assert "2017-04" not in relay.project.run("status").stdout


@pytest.mark.parametrize(("code", "told"), FORMS)
def test_a_command_that_gives_no_token_later_stops_the_send_and_loses_nobody(
    relay: Relay, code: str, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(credentials, "_TIMEOUT_S", 2)
    relay.command(f"if n == 1:\n    print(token)\nelse:\n    {code or 'pass'}")
    done = relay.project.run("send", "2017-04", "--yes")
    assert 4 == done.returncode, done.stdout + done.stderr
    said = " ".join((done.stdout + done.stderr).split())
    assert told in said
    assert f"access token of the relay 127.0.0.1:{relay.server.port}" in said
    assert SECRET not in said
    relay.command("print(token)")
    relay.accept(3)
    went_well(relay.project.run("resume", "2017-04"), "3 planned = 3 accepted", "Complete.")
    assert {1} == set(relay.server.copies().values())


def test_looking_runs_no_command(relay: Relay) -> None:
    relay.command("print(token)")
    for command in (["check", "2017-04"], ["send", "2017-04", "--dry-run"], ["status"]):
        relay.project.run(*command)
    assert 0 == relay.calls()


def test_a_token_from_the_environment_logs_in(relay: Relay) -> None:
    settings = relay.project.folder / "newsletter.toml"
    head, _, _ = settings.read_text().partition("token = ")
    settings.write_text(head + 'token = { env = "RELAY_TOKEN" }\n')
    relay.accept(1)
    old = relay.project.environment(RELAY_TOKEN=f"{SECRET}-0")
    done = relay.project.run("send", "2017-04", "--yes", env=old)
    assert 4 == done.returncode
    assert "Set RELAY_TOKEN to another token" in " ".join((done.stdout + done.stderr).split())
    new = relay.project.environment(RELAY_TOKEN=f"{SECRET}-1")
    went_well(relay.project.run("resume", "2017-04", env=new), "3 planned = 3 accepted")


@pytest.mark.parametrize("offered", [b"XOAUTH2", b"GSSAPI NTLM"])
def test_a_password_where_no_password_is_asked_for_names_the_logins_offered(
    project: Project, offered: bytes
) -> None:
    with SmtpServer(extensions=(b"PIPELINING", b"AUTH " + offered)) as server:
        project.settings(
            smtp_delivery(server.port) + 'username = "user"\npassword = { env = "PASSWORD" }\n'
        )
        env = project.environment(PASSWORD="right-one")
        done = project.run("send", "2017-04", "--yes", env=env)
    assert 4 == done.returncode, done.stdout + done.stderr
    said = " ".join((done.stdout + done.stderr).split())
    names = offered.decode().replace(" ", ", ")
    assert f"no login with a password that this program knows (it offers {names})" in said
    assert "name a token instead of the password" in said
    assert not [line for line in server.seen if line.startswith(("AUTH", "MAIL"))]
