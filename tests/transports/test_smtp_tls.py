"""Encryption and login: what the relay must prove before it gets a letter, and what we must."""

import datetime as dt
from collections import Counter
from pathlib import Path

import pytest
import trustme
from newsletter.errors import TransportStopped
from newsletter.testing import RecordingJournal, fake_messages
from newsletter.transports.protocol import Deferred, Scope

from tests.support.smtp_server import CUT, always
from tests.transports.contract import ANNA, BOB
from tests.transports.smtp_harness import (
    Issue,
    SmtpHarness,
    deliver,
    encrypted,
    fault,
    good,
    outcomes,
)

HOST = "127.0.0.1"
NOTHING = "pending; the run stops, nothing was said"


def another_name() -> tuple[trustme.CA, trustme.LeafCert]:
    authority = trustme.CA()
    return authority, authority.issue_cert("other.example")


def unknown_authority() -> tuple[trustme.CA, trustme.LeafCert]:
    return trustme.CA(), trustme.CA().issue_cert(HOST)


def expired() -> tuple[trustme.CA, trustme.LeafCert]:
    authority = trustme.CA()
    past = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
    return authority, authority.issue_cert(HOST, not_after=past)


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_verified_connection_carries_the_mail(tmp_path: Path, security: str) -> None:
    server, ca_file = encrypted(good, tmp_path, implicit=security == "tls")
    with server:
        harness = SmtpHarness(server)
        _, stopped = deliver(harness, fake_messages(ANNA, BOB), security=security, ca_file=ca_file)
    assert stopped is None
    assert Counter([ANNA, BOB]) == harness.taken()


@pytest.mark.parametrize("security", ["starttls", "tls"])
@pytest.mark.parametrize(
    "issue",
    [
        pytest.param(another_name, marks=fault("certificate of another name", NOTHING)),
        pytest.param(unknown_authority, marks=fault("certificate of an unknown issuer", NOTHING)),
        pytest.param(expired, marks=fault("certificate that has expired", NOTHING)),
    ],
)
def test_an_untrusted_certificate_stops_before_anything_is_said(
    tmp_path: Path, security: str, issue: Issue
) -> None:
    server, ca_file = encrypted(issue, tmp_path, implicit=security == "tls")
    with server:
        _, stopped = deliver(
            SmtpHarness(server), fake_messages(ANNA), security=security, ca_file=ca_file
        )
        seen = list(server.seen)
    assert stopped is not None
    assert "certificate" in stopped.what
    assert not [line for line in seen if line.startswith(("AUTH", "MAIL"))]


@fault("STARTTLS missing or stripped", NOTHING)
def test_a_relay_without_starttls_gets_nothing(relay: SmtpHarness) -> None:
    _, stopped = deliver(relay, fake_messages(ANNA), security="starttls")
    assert stopped is not None
    assert "STARTTLS" in stopped.what
    assert not [line for line in relay.server.seen if line.startswith("MAIL")]


@pytest.mark.parametrize(
    ("reply", "told"),
    [
        pytest.param(
            b"501 5.5.4 no", "501 5.5.4 no", marks=fault("STARTTLS offered and refused", NOTHING)
        ),
        pytest.param(CUT, "hung up", marks=fault("dropped at STARTTLS", NOTHING)),
    ],
)
def test_a_refused_starttls_is_never_gone_round(tmp_path: Path, reply: bytes, told: str) -> None:
    server, ca_file = encrypted(good, tmp_path, implicit=False)
    with server:
        server.behaviours["STARTTLS"] = always(reply)
        _, stopped = deliver(
            SmtpHarness(server), fake_messages(ANNA), security="starttls", ca_file=ca_file
        )
        seen = list(server.seen)
    assert stopped is not None
    assert told in stopped.what
    assert not [line for line in seen if line.startswith(("AUTH", "MAIL"))]


def test_a_starttls_that_is_put_off_makes_everybody_wait(tmp_path: Path) -> None:
    server, ca_file = encrypted(good, tmp_path, implicit=False)
    with server:
        found, stopped = outcomes(
            SmtpHarness(server),
            "STARTTLS",
            always(b"454 4.7.0 TLS not available, retry in 60 seconds"),
            security="starttls",
            ca_file=ca_file,
        )
    assert stopped is None
    text = "454 4.7.0 TLS not available, retry in 60 seconds"
    assert Deferred(text, Scope.ACCOUNT, 60) == found[0]
    assert [None] * 4 == found[1:]


@fault("TLS where plain words are expected", NOTHING)
def test_plain_words_to_a_tls_port_are_explained(tmp_path: Path) -> None:
    server, _ = encrypted(good, tmp_path, implicit=True)
    with server:
        _, stopped = deliver(SmtpHarness(server), fake_messages(ANNA), timeout_s=0.5)
    assert stopped is not None
    assert "did not answer" in stopped.what


@fault("plain words where TLS is expected", NOTHING)
def test_tls_to_a_plain_port_is_explained(relay: SmtpHarness) -> None:
    _, stopped = deliver(relay, fake_messages(ANNA), security="tls", timeout_s=5)
    assert stopped is not None
    assert "does not use TLS" in stopped.what
    assert "465" in stopped.next


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_an_authority_that_cannot_be_read_is_named(
    relay: SmtpHarness, tmp_path: Path, content: str | None
) -> None:
    ca_file = tmp_path / "ca.pem"
    if content is not None:
        ca_file.write_text(content)
    relay.server.extensions = (*relay.server.extensions, b"STARTTLS")
    _, stopped = deliver(relay, fake_messages(ANNA), security="starttls", ca_file=ca_file)
    assert stopped is not None
    assert "ca.pem" in stopped.what
    assert "ca_file" in stopped.next


# Login


@fault("AUTH 535", "pending; the run stops")
def test_a_wrong_password_is_named_and_not_shown(relay: SmtpHarness) -> None:
    relay.server.login = ("user", "right")
    relay.password = "my-secret-guess"
    _, stopped = deliver(relay, fake_messages(ANNA))
    assert stopped is not None
    assert "user name and password" in stopped.what
    assert "my-secret-guess" not in str(stopped)


@fault("AUTH 454", "deferred; the others pending, the run waits")
def test_a_login_that_is_put_off_is_no_wrong_password(relay: SmtpHarness) -> None:
    relay.server.login = ("user", "right")
    found, stopped = outcomes(relay, "AUTH", always(b"454 4.7.0 try later"))
    assert stopped is None
    assert Deferred("454 4.7.0 try later", Scope.ACCOUNT) == found[0]
    assert [None] * 4 == found[1:]


@pytest.mark.parametrize("reply", [b"534 5.7.9 too weak", b"550 5.7.1 disabled"])
def test_a_login_that_is_refused_otherwise_is_told_in_the_relays_words(
    relay: SmtpHarness, reply: bytes
) -> None:
    relay.server.login = ("user", "right")
    _, stopped = outcomes(relay, "AUTH", always(reply))
    assert stopped is not None
    assert reply.decode() in stopped.what


def test_a_relay_that_offers_no_login_gets_neither_password_nor_mail(relay: SmtpHarness) -> None:
    session = relay.transport(username="user", password={"env": "UNUSED"}).open()
    with pytest.raises(TransportStopped, match="offers no login"):
        session.deliver(fake_messages(ANNA), RecordingJournal())
    session.close()
    assert ["ehlo news.example"] == relay.server.seen


def test_a_relay_that_offers_only_other_logins_is_told_by_their_names(relay: SmtpHarness) -> None:
    relay.server.extensions = (b"PIPELINING", b"AUTH XOAUTH2 GSSAPI")
    session = relay.transport(username="user", password={"env": "UNUSED"}).open()
    with pytest.raises(TransportStopped, match=r"\(it offers XOAUTH2, GSSAPI\)"):
        session.deliver(fake_messages(ANNA), RecordingJournal())
    session.close()


def test_a_password_that_no_login_carries_is_named_and_not_shown(relay: SmtpHarness) -> None:
    relay.server.login = ("user", "right")
    relay.password = "geheimnisvoll-ß"
    _, stopped = deliver(relay, fake_messages(ANNA))
    assert stopped is not None
    assert "ASCII" in stopped.what
    assert not [part for part in ("geheim", "ß", "xdf", "position") if part in str(stopped)]
