"""Webhooks on the officer's machine: verified, applied once, and each accounted for."""

import contextlib
import gzip
import http.server
import json
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import newsletter.project.events as hearing
import newsletter.project.log_reader as log_reader
import newsletter.project.webhooks as module
import pytest
from newsletter.project import Project
from newsletter.project.sync import sync
from newsletter.project.webhooks import fetch

from tests.feedback.test_webhooks import (
    SECRET,
    SVIX,
    TOPIC,
    certificate,
    mailgun,
    signed,
    sns,
)
from tests.support.project import Project as Folder
from tests.support.public_side import PublicSide, public_settings, public_side
from tests.support.returned_mail import Sent, sent

GONE = "550 5.1.1 no such user here"
HAPPENED = int(time.time()) - 60


def settings(**providers: str) -> str:
    lines = "".join(f"{name} = {value}\n" for name, value in providers.items())
    return public_settings() + f"\n[webhooks]\n{lines}"


def env(name: str) -> str:
    return f'{{ env = "{name}" }}'


ALL = settings(
    lettermint=env("LETTERMINT"),
    mailersend=env("MAILERSEND"),
    mailgun=env("MAILGUN"),
    mailtrap=env("MAILTRAP"),
    resend=env("RESEND"),
    sendgrid=f'"{signed("sendgrid")[1]}"',
    ses=f'"{TOPIC}"',
    brevo="true",
    mailjet="true",
    postmark="true",
    scaleway="true",
)
SECRETS = dict.fromkeys(("LETTERMINT", "MAILERSEND", "MAILGUN", "MAILTRAP"), SECRET) | {
    "RESEND": SVIX
}


@pytest.fixture
def letters(project: Folder) -> list[Sent]:
    project.list_of(6)
    return sent(project)


@pytest.fixture
def side(project: Folder, letters: list[Sent]) -> Iterator[PublicSide]:
    assert letters
    project.settings(ALL)
    with public_side(project.folder) as opened:
        yield opened


class Amazon(http.server.ThreadingHTTPServer):
    """Amazon SNS: what it was asked for, and what it answers, its certificate to begin with."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _OfAmazon)
        self.asked: list[str] = []
        self.answer = answer(certificate())


class _OfAmazon(http.server.BaseHTTPRequestHandler):
    server: Amazon

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        self.wfile.write(self.server.answer)

    def log_message(self, *_: object) -> None:
        """Nothing."""


def answer(body: bytes, status: str = "200 OK", more: str = "") -> bytes:
    return f"HTTP/1.1 {status}\r\nConnection: close\r\n{more}\r\n".encode() + body


AMAZON = "https://sns.eu-central-1.amazonaws.com"


@pytest.fixture
def amazon(monkeypatch: pytest.MonkeyPatch) -> Iterator[Amazon]:
    """Amazon SNS on this machine; what is asked of its own host comes here."""
    with Amazon() as server:
        threading.Thread(target=server.serve_forever, args=(0.01,)).start()
        here = f"http://127.0.0.1:{server.server_port}"
        monkeypatch.setattr(
            module, "fetch", lambda url, project: fetch(url.replace(AMAZON, here, 1), project)
        )
        yield server
        server.shutdown()


def bounced(letter: Sent, **more: Any) -> bytes:
    """A hard bounce, as most providers tell it."""
    told = {"event": "hard_bounce", "email": letter.address, "reason": GONE,
            "reference": f"2017-04.{letter.tag}", "timestamp": HAPPENED}  # fmt: skip
    return json.dumps({**told, **more}).encode()


def add(side: PublicSide, provider: str, body: bytes, **more: Any) -> None:
    webhook, _ = signed(provider, body)
    side.webhook(provider, webhook.body, webhook.headers, **more)


def heard(project: Folder, **more: str) -> dict[str, int]:
    """What “newsletter bounces” says of events, without those of which there are none."""
    done = project.run("bounces", "--json", env=project.environment(**{**SECRETS, **more}))
    assert (0, "") == (done.returncode, done.stderr)
    events = json.loads(done.stdout)["provider_events"]["events"]
    return {fate: number for fate, number in events.items() if number}


def gone(project: Folder) -> int:
    with contextlib.closing(sqlite3.connect(project.folder / "newsletter.db")) as db:
        return int(db.execute("SELECT COUNT(DISTINCT tag) FROM suppression").fetchone()[0])


def waiting(project: Folder) -> int:
    with contextlib.closing(sqlite3.connect(project.folder / "newsletter.db")) as db:
        return int(db.execute("SELECT COUNT(*) FROM webhook").fetchone()[0])


UNSIGNED = ["brevo", "mailgun", "mailjet", "postmark", "scaleway"]
SIGNING = ["lettermint", "mailersend", "mailtrap", "resend", "sendgrid", "ses"]


@pytest.mark.usefixtures("amazon")
def test_what_providers_signed_suppresses_and_counts_once_however_often_it_comes(
    project: Folder, side: PublicSide, letters: list[Sent]
) -> None:
    for provider, letter in zip(SIGNING, letters, strict=True):
        add(side, provider, bounced(letter))
    assert {"applied": 6} == heard(project)
    assert 6 == gone(project)
    for provider, letter in zip(SIGNING, letters, strict=True):
        add(side, provider, bounced(letter))
    assert {"known already": 6} == heard(project)
    assert {} == heard(project)
    again = project.run("sync", "--again", env=project.environment(**SECRETS))
    assert "known already" in again.stdout
    assert (6, 0) == (gone(project), waiting(project))
    shown = project.run("bounces", env=project.environment(**SECRETS)).stdout
    assert "No new event of a provider." in shown


def test_sync_tells_what_came_of_them(
    project: Folder, side: PublicSide, letters: list[Sent]
) -> None:
    add(side, "resend", bounced(letters[0]))
    side.webhook("resend", bounced(letters[1]), {"svix-id": "1", "svix-signature": "v1,x"})
    done = project.run("sync", env=project.environment(**SECRETS))
    for words in ("2 webhooks of providers", "2 events of providers; 1 person not mailed any more",
                  "refused: no right signature"):  # fmt: skip
        assert words in done.stdout


@pytest.mark.usefixtures("amazon")
def test_webhooks_with_a_byte_changed_are_refused(
    project: Folder, side: PublicSide, letters: list[Sent]
) -> None:
    for provider in SIGNING:
        webhook, _ = signed(provider, bounced(letters[0]))
        side.webhook(provider, webhook.body.replace(b"hard_b", b"hard-b"), webhook.headers)
    assert {"refused": 6} == heard(project)
    assert (0, 0) == (gone(project), waiting(project))


def test_what_nobody_signed_suppresses_nobody_alone(
    project: Folder, side: PublicSide, letters: list[Sent]
) -> None:
    for provider, letter in zip(UNSIGNED, letters, strict=False):
        body = json.loads(bounced(letter))
        if provider == "mailgun":
            body = {**json.loads(mailgun().body), "event-data": body}
        side.webhook(provider, json.dumps(body).encode())
    for _ in range(2):
        assert {"hint": 5} == heard(project), "until the provider itself tells of it"
    assert 0 == gone(project)
    add(side, "resend", bounced(letters[0]))
    heard(project)
    heard(project)
    assert {"hint": 4} == heard(project), "what is known is no hint any more"
    assert (1, 4) == (gone(project), waiting(project))


def test_what_a_hint_says_is_remembered_so_that_it_is_read_once(
    project: Folder, side: PublicSide, letters: list[Sent], monkeypatch: pytest.MonkeyPatch
) -> None:
    told = [json.loads(bounced(letter)) for letter in letters[:3]]
    told += [told[0], {**told[0], "reference": "2017-04." + "f" * 24}]
    side.webhook("postmark", json.dumps(told).encode())
    assert {"hint": 3, "not ours": 1} == heard(project)
    with monkeypatch.context() as patch:
        patch.setattr(module, "unseal", lambda *_: pytest.fail("read again"))
        assert {"hint": 3} == heard(project)
    add(side, "resend", bounced(letters[0]))
    heard(project)
    assert {"hint": 2} == heard(project)
    assert (1, 1) == (gone(project), waiting(project))


def test_a_send_says_that_webhooks_could_not_be_read_in_time_and_none_is_lost(
    project: Folder, side: PublicSide, letters: list[Sent], monkeypatch: pytest.MonkeyPatch
) -> None:
    early = json.loads(bounced(letters[0]))
    add(side, "resend", json.dumps({**early, "reference": "2017-04." + "f" * 24}).encode())
    heard(project)
    for letter in letters[:3]:
        add(side, "resend", json.dumps({**json.loads(bounced(letter)), "event": "spam"}).encode())
    project.list_of(7)
    with monkeypatch.context() as patch:
        patch.setattr(hearing, "_AT_SEND_S", -1.0)
        told = project.run("send", "2017-04", "--yes", env=project.environment(**SECRETS))
    assert 0 == told.returncode, "no send fails because of it"
    assert "4  waiting" in told.stdout
    assert "Not read yet: 3 webhooks of providers could not be read in time" in told.stdout
    assert (0, 4) == (gone(project), waiting(project))
    assert {"applied": 3, "waiting": 1} == heard(project)
    assert 3 == gone(project)


def test_what_was_not_read_yet_is_read_before_what_waits(
    project: Folder, side: PublicSide, letters: list[Sent]
) -> None:
    side.webhook("postmark", bounced(letters[0]))
    unknown = {**json.loads(bounced(letters[1])), "reference": "2017-04." + "f" * 24}
    add(side, "resend", json.dumps(unknown).encode())
    heard(project)
    add(side, "resend", bounced(letters[2]))
    sync(Project(project.folder))
    with contextlib.closing(Project(project.folder).ledger(create=False)) as ledger:
        assert [False, True, True] == [each.is_read for each in ledger.webhooks.all()]


def test_a_hint_is_given_up_after_a_week(
    project: Folder, side: PublicSide, letters: list[Sent]
) -> None:
    side.webhook("postmark", bounced(letters[0]), at=time.time() - 8 * 86400)
    assert {"hint": 1} == heard(project)
    assert {} == heard(project)


def test_an_event_that_is_read_days_after_it_came_counts(
    project: Folder, side: PublicSide, letters: list[Sent]
) -> None:
    """Its signature is of 2024, which a server that verified at once would refuse."""
    add(side, "resend", bounced(letters[0]), at=time.time() - 20 * 86400)
    assert {"applied": 1} == heard(project)


def test_an_event_waits_for_its_message_and_is_given_up_after_a_month(
    project: Folder, side: PublicSide, letters: list[Sent]
) -> None:
    with contextlib.closing(sqlite3.connect(project.folder / "newsletter.db")) as db, db:
        (tag,) = db.execute("SELECT message_tag FROM delivery WHERE address = ?",
                            (letters[0].address,)).fetchone()  # fmt: skip
        db.execute("DROP TRIGGER delivery_is_frozen")
        db.execute("UPDATE delivery SET message_tag = ? WHERE message_tag = ?", (b"x" * 12, tag))
    both = json.dumps([json.loads(bounced(letters[0])), json.loads(bounced(letters[1]))])
    add(side, "resend", both.encode())
    add(side, "resend", bounced(letters[0], tag="f" * 24), at=time.time() - 31 * 86400)
    assert {"applied": 1, "waiting": 1, "not ours": 1} == heard(project)
    assert {"waiting": 1} == heard(project)
    with contextlib.closing(sqlite3.connect(project.folder / "newsletter.db")) as db, db:
        db.execute("UPDATE delivery SET message_tag = ? WHERE message_tag = ?", (tag, b"x" * 12))
    assert {"applied": 1, "known already": 1} == heard(project)
    assert (2, 0) == (gone(project), waiting(project))


def test_events_of_other_mail_are_counted_and_ignored(project: Folder, side: PublicSide) -> None:
    for body in (b'{"event": "hard_bounce", "email": "anna@shop.example"}', b"[]", b"no JSON",
                 b'[{"event": "spam"}, {"event": "open"}]', b"{}"):  # fmt: skip
        add(side, "resend", body)
    assert {"not ours": 5} == heard(project)
    assert 0 == gone(project)


def test_without_its_secret_a_webhook_waits_and_it_is_told(
    project: Folder, side: PublicSide, letters: list[Sent]
) -> None:
    add(side, "resend", bounced(letters[0]))
    side.webhook("stranger", bounced(letters[1]))
    bare = {name: value for name, value in project.environment().items() if name != "RESEND"}
    done = project.run("bounces", env=bare)
    assert "2  waiting" in done.stdout
    assert "Webhooks for resend wait" in done.stdout
    assert "for an unknown provider wait, since it is not under [webhooks] here" in done.stdout
    assert {"applied": 1, "waiting": 1} == heard(project)


def test_amazons_certificate_is_had_once_and_no_network_is_needed_later(
    project: Folder, side: PublicSide, letters: list[Sent], amazon: Amazon
) -> None:
    add(side, "ses", bounced(letters[0]))
    whole, amazon.answer = amazon.answer, b""
    assert {"waiting": 1} == heard(project)
    amazon.answer = whole
    assert {"applied": 1} == heard(project)
    amazon.answer = b""
    add(side, "ses", bounced(letters[1]))
    assert {"applied": 1} == heard(project)
    assert 2 == len(amazon.asked)


@pytest.mark.parametrize(
    "hostile",
    [
        answer(b"", "302 Found", "Location: https://evil.example/a.pem\r\n"),
        answer(b"", "500 Internal Server Error"),
        answer(b"<html>", more="Content-Type: text/html\r\n"),
        answer(certificate()[:400]),
        answer(certificate(), more="Content-Length: 99999\r\n"),
        answer(certificate() + b"x" * 5_000_000),
        answer(gzip.compress(bytes(5_000_000)), more="Content-Encoding: gzip\r\n"),
    ],
    ids=["redirect", "fault", "page", "cut", "unfinished", "huge", "bomb"],
)
def test_what_is_no_certificate_is_not_kept_and_the_webhook_waits_for_a_right_one(
    project: Folder, side: PublicSide, letters: list[Sent], amazon: Amazon, hostile: bytes
) -> None:
    add(side, "ses", bounced(letters[0]))
    whole, amazon.answer = amazon.answer, hostile
    assert {"waiting": 1} == heard(project)
    amazon.answer = whole
    assert {"applied": 1} == heard(project)


def test_a_certificate_that_amazon_lacks_is_refused_and_all_are_asked_for_in_a_short_time(
    project: Folder, side: PublicSide, letters: list[Sent], amazon: Amazon,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    for number in range(4):
        invented = f"{AMAZON}/SimpleNotificationService-{number}.pem"
        side.webhook("ses", sns(bounced(letters[0]).decode(), SigningCertURL=invented))
    amazon.answer = answer(b"", "404 Not Found")
    with monkeypatch.context() as patch:
        patch.setattr(module, "_LONGEST_S", -1.0)
        assert {"waiting": 4} == heard(project)
        assert [] == amazon.asked
    assert {"refused": 4} == heard(project)
    assert 4 == len(amazon.asked)


def test_a_subscription_of_the_topic_is_confirmed(
    project: Folder, side: PublicSide, amazon: Amazon
) -> None:
    url = f"{AMAZON}/?Action=ConfirmSubscription&TopicArn={TOPIC}"
    told = {"Type": "SubscriptionConfirmation", "SubscribeURL": url, "Token": "2336412f37"}
    side.webhook("ses", sns("You may.", Subject=None, **told))
    assert {"applied": 1} == heard(project)
    assert url == AMAZON + amazon.asked[-1]
    amazon.answer = answer(b"<Error>", "400 Bad Request")
    side.webhook("ses", sns("You may.", Subject=None, **told))
    assert {"refused": 1} == heard(project)


def test_what_makes_no_sense_is_refused_and_stops_no_other(
    project: Folder, side: PublicSide, letters: list[Sent]
) -> None:
    senseless: list[dict[str, Any]] = [
        {"headers": "x"},
        {"headers": {"a": {}}},
        {"body": "***"},
        {"body": None},
    ]
    for changes in senseless:
        side.webhook("resend", b"{}", **changes)
    side.add(kind="webhook")
    add(side, "resend", bounced(letters[0]))
    assert {"applied": 1, "refused": 5} == heard(project)


def test_a_webhook_of_many_events_is_applied_in_several_transactions(
    project: Folder, side: PublicSide, letters: list[Sent], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MOST_AT_ONCE", 2)
    monkeypatch.setattr(module, "_MOST_ITEMS", 5)
    told = [json.loads(bounced(letter)) for letter in letters]
    add(side, "resend", json.dumps(told).encode())
    assert {"applied": 5} == heard(project)
    assert (5, 0) == (gone(project), waiting(project))


def test_of_one_message_only_so_many_events_of_a_kind_are_news(
    project: Folder, side: PublicSide, letters: list[Sent]
) -> None:
    many = [json.loads(bounced(letters[0], timestamp=HAPPENED + n)) for n in range(25)]
    add(side, "resend", json.dumps([*many, json.loads(bounced(letters[1]))]).encode())
    assert {"applied": 21, "known already": 5} == heard(project)
    assert 2 == gone(project)


def test_of_a_provider_that_the_server_invents_nothing_is_shown_and_nothing_believed(
    project: Folder, side: PublicSide, letters: list[Sent]
) -> None:
    for name in ("\x1b[31mred", "x" * 100_000, "providers", "__class__"):
        side.webhook(name, bounced(letters[0]))
    done = project.run("bounces", env=project.environment(**SECRETS))
    assert "4  waiting" in done.stdout
    assert "\x1b" not in done.stdout
    assert len(done.stdout) < 1000


def test_a_webhook_that_was_kept_without_its_key_is_applied_once_that_is_here(
    project: Folder, side: PublicSide, letters: list[Sent], monkeypatch: pytest.MonkeyPatch
) -> None:
    add(side, "resend", bounced(letters[0]))
    with monkeypatch.context() as patch:
        patch.setattr(log_reader, "unseal", lambda *_: None)
        sync(Project(project.folder))
    assert 0 == waiting(project)
    for events in ({"applied": 1}, {}):
        assert events == heard(project)
    assert "kind" not in project.run("sync", env=project.environment(**SECRETS)).stdout
    assert 1 == gone(project)


def test_only_so_many_wait(
    project: Folder, side: PublicSide, monkeypatch: pytest.MonkeyPatch
) -> None:
    import newsletter.ledger.webhooks as ledger

    monkeypatch.setattr(ledger, "MOST_WEBHOOKS", 3)
    for _ in range(5):
        side.webhook("stranger", b"{}")
    done = project.run("sync", env=project.environment(**SECRETS))
    assert "so no more were kept" in done.stdout
    assert 3 == waiting(project)


KILLED = """
import os, signal, sys
from pathlib import Path
import newsletter.project.log_reader as log_reader
import newsletter.project.webhooks as module
from newsletter.ledger.webhooks import Webhooks
from newsletter.project import Project
from newsletter.project.event_account import EventAccount

left = int(sys.argv[2])
def done(self, id_, done=Webhooks.done):
    global left
    done(self, id_)
    left -= 1
    if left < 0:
        os.kill(os.getpid(), signal.SIGKILL)
Webhooks.done = done
module.apply_webhooks(Project(Path(sys.argv[1])), EventAccount())
"""


def test_a_program_that_is_killed_counts_nothing_twice_and_misses_nothing(
    project: Folder, side: PublicSide, letters: list[Sent]
) -> None:
    for letter in letters:
        add(side, "resend", bounced(letter))
    sync(Project(project.folder))
    for left in (0, 2):
        killed = subprocess.run(
            [sys.executable, "-c", KILLED, str(project.folder), str(left)],
            env={**project.environment(**SECRETS)}, cwd=project.folder, check=False,
        )  # fmt: skip
        assert -signal.SIGKILL == killed.returncode
    assert {"applied": 4} == heard(project)
    assert (6, 0) == (gone(project), waiting(project))
    with contextlib.closing(sqlite3.connect(project.folder / "newsletter.db")) as db:
        assert (6,) == db.execute("SELECT COUNT(*) FROM event").fetchone()
