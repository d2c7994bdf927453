"""[dkim] in newsletter.toml: what is refused, where keys come from, what is frozen and sent."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from newsletter.config import Dkim, PrivateKey, load_settings
from newsletter.credentials import read_private_key
from newsletter.errors import ConfigError
from newsletter.ledger.versions import fingerprint
from newsletter.message.dkim import DkimSigner
from newsletter.project import Project as Wired
from newsletter.project.compose import letterhead, signing_composer

from tests.message.samples import DATE, EDITION, reader
from tests.support.dkim import (
    DOMAIN,
    SECOND,
    SELECTOR,
    ed25519_key,
    mailauth,
    passes_dkimpy,
    pem,
    results,
    rsa_key,
)
from tests.support.project import Project
from tests.support.tools import ROOT, program

TABLE = f"""
[dkim]
domain = "{DOMAIN}"
selector = "{SELECTOR}"
private_key = {{ file = "dkim.pem" }}
"""
BOTH = f"""{TABLE}
ed25519_selector = "{SECOND}"
ed25519_private_key = {{ env = "NEWSLETTER_TEST_DKIM" }}
"""
NAME = "NEWSLETTER_TEST_DKIM"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    project = Project(tmp_path / "project", delivery=BOTH)
    key = project.folder / "dkim.pem"
    key.write_bytes(pem(rsa_key()))
    key.chmod(0o600)
    return project


def test_a_send_signs_every_mail_with_both_keys(project: Project) -> None:
    environment = project.environment(**{NAME: pem(ed25519_key()).decode()})
    done = project.run("send", "2017-04", "--yes", env=environment)
    assert 0 == done.returncode, done.stderr
    stored = [path.read_bytes() for path in (project.folder / "outbox" / "new").iterdir()]
    mails = [mail[mail.index(b"DKIM-Signature:") :] for mail in stored]
    assert [["pass", "pass"]] * 3 == results(mails)
    assert all(map(passes_dkimpy, mails))


def test_a_send_without_its_key_says_so_and_sends_nothing(project: Project) -> None:
    (project.folder / "dkim.pem").chmod(0o644)
    environment = project.environment(**{NAME: pem(ed25519_key()).decode()})
    done = project.run("send", "2017-04", "--yes", env=environment)
    assert 2 == done.returncode
    assert "chmod 600 dkim.pem" in done.stderr
    assert not (project.folder / "outbox").exists()
    (project.folder / "dkim.pem").chmod(0o600)
    assert 0 == project.run("send", "2017-04", "--yes", env=environment).returncode
    assert 3 == len(list((project.folder / "outbox" / "new").iterdir()))


def test_who_signs_is_frozen_with_a_campaign_and_the_keys_are_not(project: Project) -> None:
    signed = letterhead(Wired(project.folder).settings)
    expected = {"domain": DOMAIN, "selector": SELECTOR, "ed25519_selector": SECOND}
    assert expected == json.loads(signed)["dkim"]
    project.settings(TABLE)
    alone = letterhead(Wired(project.folder).settings)
    project.settings("")
    unsigned = letterhead(Wired(project.folder).settings)
    assert "dkim" not in json.loads(unsigned)
    assert 3 == len({fingerprint({}, head) for head in (signed, alone, unsigned)})


def test_what_was_frozen_is_signed_as_it_was_or_not_at_all(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(NAME, pem(ed25519_key()).decode())
    signed = letterhead(Wired(project.folder).settings)
    project.settings(TABLE)
    alone = letterhead(Wired(project.folder).settings)
    project.settings("")
    unsigned = letterhead(Wired(project.folder).settings)
    for now, frozen, signatures in (
        (BOTH, signed, 2), (BOTH, alone, None), (BOTH, unsigned, 0),
        (TABLE, alone, 1), (TABLE, signed, None),
        ("", unsigned, 0), ("", alone, None),
    ):  # fmt: skip
        project.settings(now)
        wired = Wired(project.folder)
        if signatures is None:
            with pytest.raises(ConfigError, match="began with DKIM signatures of another"):
                signing_composer(wired, EDITION, letterhead=frozen, campaign="c")
            continue
        composer = signing_composer(wired, EDITION, letterhead=frozen, campaign="c")
        mail = composer.compose(reader(), date=DATE).as_bytes()
        assert signatures == mail.count(b"DKIM-Signature:")


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ('domain = "other.example"', "does not belong to the address"),
        ('domain = "example"', "[dkim] domain"),
        ('domain = "notdefenders.example"', "does not belong"),
        ('domain = "Défenders.example"', "[dkim] domain"),
        ('selector = "news 2026"', "[dkim] selector"),
        ('selector = "news; l=0"', "[dkim] selector"),
        ('private_key = { file = "a.pem", env = "A" }', "give one of"),
        ("private_key = {}", "give one of"),
        ('ed25519_selector = "e"', "need each other"),
        (f'ed25519_selector = "{SELECTOR}"\ned25519_private_key = {{ env = "A" }}', "must differ"),
        ("expires = 7", "is no setting"),
    ],
)
def test_settings_that_would_not_hold_are_refused(project: Project, line: str, why: str) -> None:
    name = line.partition(" ")[0]
    kept = [other for other in TABLE.splitlines() if not other.startswith(f"{name} ")]
    project.settings("\n".join([*kept, line]))
    with pytest.raises(ConfigError) as refusal:
        load_settings(project.folder / "newsletter.toml")
    told = [str(refusal.value), *map(str, refusal.value.problems)]
    assert [line for line in told if why in line]


@pytest.mark.parametrize(
    ("domain", "sender", "aligned"),
    [
        ("example.org", "news@example.org", True),
        ("example.org", "news@mail.example.org", True),
        ("mail.example.org", "news@example.org", True),
        ("example.org", "news@badexample.org", False),
        ("a.example.org", "news@b.example.org", False),
        ("example.org", "example.org@example.net", False),
    ],
)
def test_a_domain_vouches_for_itself_and_what_is_above_or_below(
    domain: str, sender: str, aligned: bool
) -> None:
    dkim = Dkim(domain=domain, selector="s", private_key=PrivateKey(env="A"))
    assert aligned == dkim.is_aligned_with(sender)


def test_keys_made_and_published_as_the_documentation_says_are_good(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "dkim.md").read_text(encoding="utf-8")
    make, *publish = re.findall(r"^```sh\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    program("openssl")

    def typed(block: str) -> str:
        return subprocess.run(
            ["bash", "-euo", "pipefail", "-c", block],
            cwd=tmp_path,
            check=True,
            timeout=60,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        ).stdout.strip()

    typed(make)
    first, second = map(typed, publish)
    rsa, ed25519 = (
        read_private_key(PrivateKey(file=Path(name)), folder=tmp_path, what="DKIM key")
        for name in ("dkim.pem", "dkim-ed25519.pem")
    )
    signer = DkimSigner(DOMAIN, selector="a", private_key=rsa, ed25519=("b", ed25519))
    head = f"From: news@{DOMAIN}\r\n"
    body = "\r\nHello\r\n"
    signatures = signer.for_body((body.encode(),)).signatures(head, (), date=DATE)
    published = {
        f"a._domainkey.{DOMAIN}": f"v=DKIM1; k=rsa; p={first}",
        f"b._domainkey.{DOMAIN}": f"v=DKIM1; k=ed25519; p={second}",
    }
    (told,) = mailauth([f"{signatures}{head}{body}".encode()], published=published)
    assert ["pass", "pass"] == [verdict.result for verdict in told]


def test_a_key_comes_from_a_file_the_environment_or_a_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = pem(rsa_key())
    (tmp_path / "key.pem").write_bytes(key)
    (tmp_path / "key.pem").chmod(0o400)
    monkeypatch.setenv(NAME, key.decode())
    show = [sys.executable, "-c", f"import os; print(os.environ['{NAME}'], end='')"]
    for source in (
        PrivateKey(file=Path("key.pem")),
        PrivateKey(env=NAME),
        PrivateKey(command=show),
    ):
        assert key == read_private_key(source, folder=tmp_path, what="DKIM key")


def test_a_key_that_is_not_to_be_had_is_told_with_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(NAME, raising=False)
    for source, why in (
        (PrivateKey(file=Path("none.pem")), "none.pem"),
        (PrivateKey(env=NAME), NAME),
        (PrivateKey(command=[]), "command"),
        (PrivateKey(command=["false"]), "exit status 1"),
    ):
        with pytest.raises(ConfigError) as refusal:
            read_private_key(source, folder=tmp_path, what="DKIM key")
        assert why in f"{refusal.value} {refusal.value.where}"
