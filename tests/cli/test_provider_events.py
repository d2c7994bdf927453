"""Events that the provider is asked for, by itself after a send and by “newsletter bounces”."""

import contextlib
import json
import re
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import newsletter.transports.api as api
import pytest

from tests.support.brevo_side import BrevoSide
from tests.support.http_server import Cut, HttpServer, Mail, Provider, Reply, Request
from tests.support.mailjet_side import MailjetSide
from tests.support.postmark_side import PostmarkSide
from tests.support.project import Project
from tests.support.public_side import public_settings, public_side
from tests.transports.providers.test_mailgun import DOMAIN, MailgunSide
from tests.transports.providers.test_scaleway import PROJECT, ScalewaySide

GONE = "550 5.1.1 no such user here"
NOW = datetime.now(UTC).isoformat()
KEY = {"api_key": "api_key-0123456789"}
Told = Callable[[str, str, str], Mapping[str, Any]]
"""What a provider lists of a bounce: by its id of the message, our reference, the address."""

WAYS: dict[str, tuple[type[Provider], dict[str, str], str, Told]] = {
    "postmark": (
        PostmarkSide,
        {"server_token": "server_token-0123456789"},
        "",
        lambda known, _, address: {
            "ID": 692560173, "Type": "HardBounce", "TypeCode": 1, "MessageID": known,
            "Description": "The server was unable to deliver your message (ex: unknown user).",
            "Details": GONE, "Email": address, "BouncedAt": NOW,
        },
    ),
    "brevo": (
        BrevoSide,
        KEY,
        "",
        lambda known, _, address: {
            "event": "hardBounces", "messageId": known, "email": address, "reason": GONE,
            "date": NOW, "tag": "2017-04",
        },
    ),
    "mailjet": (
        MailjetSide,
        {**KEY, "secret_key": "secret_key-0123456789"},
        "",
        lambda _, reference, __: {
            "ID": 1, "Status": "hardbounced", "StateID": 1, "CustomID": reference,
            "ArrivedAt": NOW, "_kind": "10",
        },
    ),
    "mailgun": (
        MailgunSide,
        KEY,
        f'domain = "{DOMAIN}"',
        lambda _, reference, address: {
            "event": "failed", "severity": "permanent", "recipient": address,
            "timestamp": time.time() // 1, "user-variables": {"reference": reference},
            "delivery-status": {"code": 550, "message": GONE},
        },
    ),
    "scaleway": (
        ScalewaySide,
        {"secret_key": "secret_key-0123456789"},
        f'project_id = "{PROJECT}"',
        lambda known, reference, address: {
            "id": known, "message_id": f"{reference}@defenders.example", "mail_rcpt": address,
            "status": "failed", "flags": ["hard_bounce", "mailbox_not_found"],
            "created_at": NOW, "last_tries": [{"code": 550, "message": GONE}],
        },
    ),
}  # fmt: skip


class Account:
    """A project that sends through a provider, which runs."""

    def __init__(self, project: Project, name: str, server: HttpServer, more: str = "") -> None:
        _, secrets, extra, self._told = WAYS[name]
        self.project, self.server, self.name = project, server, name
        keys = "\n".join(f'{key} = {{ env = "{key.upper()}" }}' for key in secrets)
        self.environment = project.environment(
            **{key.upper(): text for key, text in secrets.items()}
        )
        project.settings(
            f'transport = "{name}"\nconnections = 1\n[{name}]\n{keys}\n'
            f'base_url = "{server.url}"\n{extra}\n{more}'
        )

    def run(self, *arguments: str) -> str:
        done = self.project.run(*arguments, env=self.environment)
        assert 0 == done.returncode, done.stdout + done.stderr
        return done.stdout

    def heard(self) -> dict[str, int]:
        events = json.loads(self.run("bounces", "--json"))["provider_events"]["events"]
        return {fate: number for fate, number in events.items() if number}

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        with contextlib.closing(sqlite3.connect(self.project.folder / "newsletter.db")) as db:
            return db.execute(sql).fetchall()

    @property
    def gone(self) -> int:
        return int(self.rows("SELECT COUNT(*) FROM suppression")[0][0])

    def bounces(self) -> list[Mapping[str, Any]]:
        """What the provider lists if each message comes back."""
        return [
            self._told(known or "", f"{campaign}.{tag.hex()}", address)
            for known, campaign, tag, address in self.rows(
                "SELECT provider_id, campaign, message_tag, address FROM delivery ORDER BY id"
            )
        ]


@pytest.fixture
def account(project: Project, request: pytest.FixtureRequest) -> Iterator[Account]:
    name = getattr(request, "param", "postmark")
    project.list_of(3)
    with HttpServer(WAYS[name][0]()) as server:
        yield Account(project, name, server)


@pytest.mark.parametrize("account", WAYS, indirect=True)
def test_what_a_provider_lists_is_applied_once(account: Account) -> None:
    account.run("send", "2017-04", "--yes")
    bounces = account.bounces()
    account.server.provider.happened = [bounces[0], *bounces[:2], {}, {"event": 5, "Type": []}]
    first = account.heard()
    assert 2 == first["applied"]
    assert 2 == account.gone
    assert {"known already"} >= set(account.heard())
    account.server.provider.happened = bounces
    assert 1 == account.heard()["applied"]
    assert 3 == account.gone


def test_a_send_asks_by_itself_and_no_trouble_makes_it_fail(account: Account) -> None:
    account.run("send", "2017-04", "--yes")
    account.server.provider.happened = account.bounces()[:1]
    told = account.run("send", "2017-04", "--yes", "--again")
    assert "1 event of providers; 1 person not mailed any more." in told
    assert 1 == account.gone

    class Locked(PostmarkSide):
        def search(self, *_: object) -> Any:
            return self.locked_out()

    account.server.provider = Locked()
    told = account.run("send", "2017-04", "--yes", "--again")
    assert "Postmark cannot be asked for events: it answered 401." in told
    assert "Postmark cannot be asked for events" in account.run("bounces")


def test_a_missing_key_keeps_no_mailbox_from_being_read(project: Project) -> None:
    project.list_of(1)
    with HttpServer(WAYS["postmark"][0]()) as server:
        account = Account(project, "postmark", server, '[bounces]\npath = "bounces.mbox"\n')
        account.run("send", "2017-04", "--yes")
        mails = b"From x Mon Apr 24 10:00:00 2017\nSubject: lunch\n\nToday?\n"
        (project.folder / "bounces.mbox").write_bytes(mails)
        account.environment = project.environment()
        told = json.loads(account.run("bounces", "--json"))
    assert "SERVER_TOKEN" in told["provider_events"]["reasons"][0]
    assert 1 == sum(told["mails"].values())


def test_an_answer_without_a_list_and_a_clock_that_was_ahead_skip_no_event(
    account: Account,
) -> None:
    account.run("send", "2017-04", "--yes")

    class Confused(PostmarkSide):
        def search(self, *_: object) -> Any:
            return Reply(200, {"Message": "Something went wrong."})

    known, account.server.provider = account.server.provider, Confused()
    asked = "SELECT value FROM meta WHERE key = 'events of postmark'"
    before = account.rows(asked)
    assert "listed none, and said something else" in account.run("bounces")
    assert before == account.rows(asked)
    account.server.provider = known
    known.happened = account.bounces()[:1]
    with contextlib.closing(sqlite3.connect(account.project.folder / "newsletter.db")) as db, db:
        ahead = time.time() + 400 * 86_400
        db.execute("UPDATE meta SET value = ? WHERE key = 'events of postmark'", (repr(ahead),))
    requests = len(account.server.requests)
    assert 1 == account.heard()["applied"]
    dates = [re.search(r"fromdate=(\S{10})", each.path) for each in account.server.requests]
    assert all(found and found[1] < NOW for found in dates[requests:])
    assert abs(float(account.rows(asked)[0][0]) - time.time()) < 60


GARBAGE = [5, True, 1e300, "x", [], [5], {}, {"x": 1}]


@pytest.mark.parametrize("account", WAYS, indirect=True)
def test_rows_of_garbage_are_about_other_mail_and_stop_nothing(account: Account) -> None:
    account.run("send", "2017-04", "--yes")
    bounce = account.bounces()[0]
    account.server.provider.happened = [
        *(dict.fromkeys(bounce, each) for each in GARBAGE),
        *({**bounce, name: each} for name in bounce for each in GARBAGE),
        bounce,
    ]
    assert account.heard()["applied"] > 0
    assert [(1,)] == account.rows("SELECT COUNT(DISTINCT tag) FROM suppression")


def test_more_than_a_page_is_read_and_the_next_time_begins_where_this_ended(
    account: Account,
) -> None:
    account.run("send", "2017-04", "--yes")
    other = {"Type": "SoftBounce", "MessageID": "of another list", "Details": "x"}
    account.server.provider.happened = [other] * 1200 + list(account.bounces()[:1])
    assert {"applied": 1, "not ours": 1200} == account.heard()
    (asked,) = account.rows("SELECT value FROM meta WHERE key = 'events of postmark'")[0]
    assert abs(float(asked) - time.time()) < 60
    asked_for = [r.path for r in account.server.requests if "fromdate" in r.path]
    assert 3 == len({path for path in asked_for if "offset" in path})


def endless(request: Request) -> None:
    request.raw(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n[")
    with contextlib.suppress(OSError):
        for _ in range(10_000):
            request.raw(b" " * 1_000_000)
    raise Cut


@pytest.mark.parametrize("account", ["mailgun"], indirect=True)
def test_a_provider_that_answers_without_end_or_sends_us_elsewhere_gets_no_more(
    account: Account,
) -> None:
    account.run("send", "2017-04", "--yes")
    account.server.provider.happened = account.bounces()[:1]
    with HttpServer(MailgunSide()) as elsewhere:

        class Leads(MailgunSide):
            """To another host, by a redirect and by the link to the next page."""

            happened = account.bounces()[:1]
            redirects = True

            def search(self, request: Request, mails: Sequence[Mail]) -> Reply:
                if self.redirects:
                    return Reply(302, {}, {"Location": f"{elsewhere.url}/v3/{DOMAIN}/events"})
                events = [{**row, "timestamp": 9e18, "x": {"y": []}} for row in self.happened]
                link = {"next": f"{elsewhere.url}/v3/{DOMAIN}/events/next"}
                return Reply(200, {"items": events, "paging": link})

        account.server.provider = leads = Leads()
        assert "Mailgun cannot be asked for events: it answered 302." in account.run("bounces")
        leads.redirects = False
        assert {"applied": 1} == account.heard()
        assert [] == elsewhere.requests
    ((at,),) = account.rows("SELECT at FROM event")
    assert abs(at - time.time()) < 120, "nothing happens in the far future"
    account.server.always = endless
    assert "Mailgun cannot be asked for events" in account.run("bounces")


@pytest.mark.parametrize("account", ["mailjet"], indirect=True)
def test_a_list_without_end_of_one_kind_does_not_keep_the_others_from_being_read(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    account.run("send", "2017-04", "--yes")
    monkeypatch.setattr(api, "_MOST_PAGES", 3)
    (bounce, *_) = account.bounces()

    class Repeats(MailjetSide):
        """The same full page of the first kind, whichever is asked for."""

        def search(self, request: Request, mails: Sequence[Mail]) -> Reply:
            (kind,) = parse_qs(urlsplit(request.path).query)["MessageStatus"]
            rows = {"5": [{"Status": "sent"}] * 1000, bounce["_kind"]: [bounce]}
            return Reply(200, {"Data": rows.get(kind, [])})

    account.server.provider = Repeats()
    told = account.run("bounces")
    assert "Mailjet cannot be asked for events: it lists more than 3 pages of a kind." in told
    assert 1 == account.gone


def test_a_hint_is_one_no_more_once_the_provider_itself_tells_of_it(project: Project) -> None:
    project.list_of(3)
    with HttpServer(PostmarkSide()) as server:
        account = Account(project, "postmark", server)
        account.run("send", "2017-04", "--yes")
        bounce, other = account.bounces()[:2]
        Account(project, "postmark", server, f"{public_settings()}\n[webhooks]\npostmark = true\n")
        references = account.rows("SELECT campaign, message_tag FROM delivery ORDER BY id")
        with public_side(project.folder) as side:
            for told, (campaign, tag) in zip((bounce, other), references, strict=False):
                reference = {"reference": f"{campaign}.{tag.hex()}"}
                body = {"RecordType": "Bounce", **told, "Metadata": reference}
                side.webhook("postmark", json.dumps(body).encode())
            assert {"hint": 2} == account.heard()
            assert 0 == account.gone
            server.provider.happened = [bounce]
            assert {"applied": 1, "known already": 1, "hint": 1} == account.heard()
            assert 1 == account.gone
