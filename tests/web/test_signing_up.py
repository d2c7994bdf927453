"""Signing up: the form, the mail that asks, and the page that confirms."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import html
import json
import re
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import requests
from newsletter.message.keys import KeyRing
from newsletter.message.tokens import PUBLIC, Purpose, Verifier
from newsletter.render.public_pages import words_digest
from newsletter.testing import FrozenClock
from newsletter.web.confirm_links import LENGTH, ConfirmLinks, message_name
from newsletter.web.seal import FORM_BYTES, seal, unseal

from tests.web.process import wait_for
from tests.web.relay import FROM, CountedConfirmations, Relay, confirmations_to, relay_running
from tests.web.served import LIST, Running, bundle, key_ring, pages, running, token

TOPICS = {"eu": {"en": "European Union", "fr": "Union européenne"}, "safety": {"en": "Safety"}}
ANNA = "anna@readers.example"


@dataclass
class Side:
    """A server with a sign-up form, its relay, and the clock that a test moves."""

    server: Running
    relay: Relay
    sender: CountedConfirmations
    clock: FrozenClock

    def page(self, language: str = "en") -> str:
        return self.server.get(f"/subscribe?lang={language}").text

    def typed(self, address: str = ANNA, **more: Any) -> dict[str, Any]:
        """What a person's browser sends, who took three seconds."""
        nonce = hidden(self.page())["nonce"]
        self.clock.sleep(3)
        fields = {"do": "join", "nonce": nonce, "page": "subscribe", "address": address}
        return {**fields, "language": "en", "consent": "yes", "website": "", **more}

    def ask(self, address: str = ANNA, **more: Any) -> requests.Response:
        return self.server.post("/subscribe?lang=en", self.typed(address, **more))

    def path(self, number: int = 1) -> str:
        """The path of the link in the latest mail."""
        link = self.relay.wait_for(number)[-1].link
        assert link.startswith("https://news.defenders.example/confirm/")
        return link.removeprefix("https://news.defenders.example")

    def confirm(self, path: str, *, after_s: float = 3) -> requests.Response:
        page = self.server.get(path).text
        self.clock.sleep(after_s)
        return self.server.post(path, hidden(page))


def hidden(page: str) -> dict[str, str]:
    return dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', page))


@pytest.fixture
def side(tmp_path: Path) -> Iterator[Side]:
    clock = FrozenClock(dt.datetime.now(dt.UTC))
    known = bundle(topics=TOPICS, confirm_from=FROM)
    with (
        relay_running() as relay,
        confirmations_to(relay) as sender,
        running(tmp_path, known=known, clock=clock, confirmations=sender) as server,
    ):
        yield Side(server, relay, sender, clock)


def opened(event: dict[str, Any]) -> dict[str, Any]:
    """What the form was given, as the officer's machine reads it."""
    form = unseal(base64.b64decode(event["box"]), key_ring().box_keys(LIST))
    assert form is not None
    return form


# The whole way


def test_a_person_signs_up(side: Side) -> None:
    form_at = side.clock.now().timestamp() + 3
    answer = side.ask(name="Anna  Łukasz", language="fr", topic=["eu", "nonsense"])
    assert 200 == answer.status_code
    assert "Now look into your mailbox" in answer.text
    path = side.path()
    assert [] == side.server.events()  # nothing is stored before the confirmation
    assert "Voulez-vous recevoir" in side.server.get(path).text
    confirmed = side.confirm(path)
    assert (200, True) == (confirmed.status_code, "vous êtes inscrit" in confirmed.text)
    assert "Si vous aviez quitté la liste auparavant" in confirmed.text
    (event,) = side.server.events()
    assert {"id", "v", "at", "kind", "box"} == set(event)
    assert "signup" == event["kind"]
    form = opened(event)
    consent = pages().consent("fr")
    assert {
        "v": 1,
        "kind": "signup",
        "address": ANNA,
        "name": "Anna Łukasz",
        "language": "fr",
        "topics": ["eu"],
        "page": "subscribe",
        "form_at": pytest.approx(form_at, abs=0.01),
        "wording": words_digest(consent),
        "mail": pages().notice("confirm", "fr").digest,
    } == form
    assert "par le lien" in consent


def test_the_mail_is_plain_and_says_what_to_do(side: Side) -> None:
    side.ask(language="ar")
    (taken,) = side.relay.wait_for(1)
    mail = taken.mail
    assert (FROM, ANNA) == (taken.sender, taken.recipient)
    assert f"Defenders’ Newsletter <{FROM}>" == mail["From"]
    assert ANNA == mail["To"]
    assert "auto-generated" == mail["Auto-Submitted"]
    assert "ar" == mail["Content-Language"]
    assert not [name for name in mail if name.lower().startswith(("list-", "x-", "precedence"))]
    assert "multipart/alternative" == mail.get_content_type()
    words = mail["Subject"] + taken.body("plain") + taken.body("html")
    assert "إن لم تكن أنت فلا تفعل شيئاً" in words
    page = taken.body("html")
    assert 'dir="rtl"' in page
    assert [taken.link] == [html.unescape(url) for url in re.findall(r'href="([^"]*)"', page)]
    assert not re.search(r"<img|<style|src=|url\(", page)
    box = base64.urlsafe_b64decode(taken.link.rpartition("/")[2].partition("?")[0])[6:-17]
    assert f"<{message_name(box)}@defenders.example>" == mail["Message-ID"]


def test_the_digest_is_of_the_mail_with_its_link_left_open(side: Side) -> None:
    side.ask()
    (taken,) = side.relay.wait_for(1)
    closed = pages().notice("confirm", "en")
    text = taken.body("plain").replace(taken.link, "\ue000link\ue001")
    page = taken.body("html").replace(html.escape(taken.link), "\ue000link\ue001")
    assert (closed.text, closed.html) == (text, page)
    assert words_digest("\0".join((taken.mail["Subject"], text, page))) == closed.digest


def test_the_server_cannot_open_what_it_confirms(side: Side, tmp_path: Path) -> None:
    side.ask("somebody.in.danger@readers.example", name="Somebody In Danger")
    path = side.path()
    side.confirm(path)
    side.server.log.append(b"x" * 10)  # a commit behind it, so that all of it is on disk
    data = b"".join(each.read_bytes() for each in tmp_path.iterdir() if each.is_file())
    link = base64.urlsafe_b64decode(path.rpartition("/")[2].partition("?")[0])
    for secret in (b"danger", b"Danger"):
        assert secret not in data + link
    others = KeyRing(b"q" * 32, secrets={1: b"t" * 32}).box_keys(LIST)
    assert unseal(link[6:-17], others) is None


# What is wrong is named, and what was typed is kept


@pytest.mark.parametrize(
    ("changes", "marked"),
    [
        ({"address": "anna at home"}, ["address"]),
        ({"consent": None}, ["consent"]),
        ({"address": "", "consent": None}, ["address", "consent"]),
        ({"address": "anna@readers.example\r\nBcc: victim@evil.example"}, ["address"]),
        ({"address": "anna@readers.example, bob@readers.example"}, ["address"]),
        ({"address": "Anna <anna@readers.example>"}, ["address"]),
        ({"address": "a" * 250 + "@readers.example"}, ["address"]),
        ({"address": "anna@" + "b" * 64 + ".example"}, ["address"]),
        ({"address": "x" * 1500 + "@readers.example"}, ["address"]),
        ({"address": "anna\x00@readers.example"}, ["address"]),
        ({"address": "anna@[127.0.0.1]"}, ["address"]),
        ({"address": "anna@localhost"}, ["address"]),
    ],
)
def test_an_error_stands_at_its_field(
    side: Side, changes: dict[str, Any], marked: list[str]
) -> None:
    answer = side.server.post(
        "/subscribe?lang=en", side.typed(name='A "quoted" <b>', topic="safety", **changes)
    )
    assert 422 == answer.status_code
    page = answer.text
    assert marked == re.findall(r'aria-describedby="(\w+)-wrong"', page)
    assert len(marked) == page.count('aria-invalid="true"')
    assert 1 == page.count("autofocus")
    shown = re.findall(r'id="(\w+)-wrong" >', page)
    assert marked == shown
    assert 'value="A &quot;quoted&quot; &lt;b&gt;"' in page
    assert re.search(r'value="safety" checked', page)
    ticked = "checked" in page.partition('name="consent"')[2].partition("</label>")[0]
    assert ticked is ("consent" not in changes)
    assert [] == side.sender.added


def test_what_was_typed_and_marked_is_kept_for_the_next_try(side: Side) -> None:
    wrong = side.ask("anna@", name="Anna", language="es", page="defenders.example/footer")
    fields = hidden(wrong.text)
    assert "defenders.example/footer" == fields["page"]
    assert re.search(r'value="es" lang="es" dir="auto" selected', wrong.text)
    side.clock.sleep(3)
    right = {**fields, "address": ANNA, "name": "Anna", "language": "es", "consent": "yes"}
    assert 200 == side.server.post("/subscribe?lang=en", right).status_code
    side.confirm(side.path())
    form = opened(side.server.events()[0])
    assert ("es", "defenders.example/footer") == (form["language"], form["page"])


@pytest.mark.parametrize(
    ("address", "sent"),
    [
        ("anna@bücher.example", "anna@xn--bcher-kva.example"),
        ("  Anna@Readers.EXAMPLE ", "Anna@readers.example"),
        ("renée@readers.example", "renée@readers.example"),
        ("o'neil+news@readers.example", "o'neil+news@readers.example"),
        ("a" * 64 + "@" + ".".join(["b" * 61] * 3) + ".eu", None),
    ],
)
def test_addresses_of_every_kind_are_asked(side: Side, address: str, sent: str | None) -> None:
    answer = side.ask(address, name="ن" * 90)
    assert 200 == answer.status_code, answer.text
    (taken,) = side.relay.wait_for(1)
    assert (sent or address) == taken.recipient
    side.confirm(side.path())
    form = opened(side.server.events()[0])
    assert (sent or address) == form["address"]
    assert set(form["name"]) <= {"ن"}


def test_a_name_starts_no_header_and_is_in_no_mail(side: Side) -> None:
    side.ask(name="Buy now\r\nBcc: victim@evil.example https://evil.example")
    (taken,) = side.relay.wait_for(1)
    assert b"evil" not in taken.content
    assert b"Buy" not in taken.content
    side.confirm(side.path())
    name = opened(side.server.events()[0])["name"]
    assert "Buy now Bcc: victim@evil.example https://evil.example" == name


# One and the same answer


def test_everybody_gets_the_same_answer(side: Side) -> None:
    side.relay.answers = {"nobody@readers.example": "550 5.1.1 no such user"}
    answers = [side.ask("nobody@readers.example"), side.ask(ANNA), side.ask(ANNA)]
    side.confirm(side.path())
    side.clock.sleep(90)
    answers += [side.ask(ANNA), side.ask(website="https://spam.example")]
    assert 1 == len({(each.status_code, each.text) for each in answers})
    assert 1 == len(side.relay.mails)
    assert "ok\n" == side.server.get("/health").text


def test_an_address_is_asked_once_an_hour_and_three_times_a_week(side: Side) -> None:
    asked = 0
    for hours, more in ((0, 1), (0.5, 0), (1, 1), (0.2, 0), (20, 1), (30, 0), (24 * 7, 1)):
        side.clock.sleep(hours * 3600)
        # Other spellings of one mailbox count as the same.
        answer = side.ask(f"anna+{asked}@readers.example" if asked else "ANNA@readers.example")
        assert 200 == answer.status_code
        asked += more
        side.relay.wait_for(asked)
    assert 4 == len(side.sender.added) == len(side.relay.mails)


def test_a_network_has_its_limit_and_others_theirs(side: Side) -> None:
    side.clock.sleep(61 - side.clock.now().timestamp() % 60)  # a minute begins
    sent = [side.typed(f"r{number}@readers.example") for number in range(8)]
    codes = [side.server.post("/subscribe", fields).status_code for fields in sent]
    assert [200] * 6 + [429] * 2 == codes
    # What is refused to one network is not taken from the others.
    again = [side.server.post("/subscribe", sent[-1]).status_code for _ in range(60)]
    assert [429] * 60 == again
    headers = {"X-Forwarded-For": "192.0.2.7"}  # as a proxy on this machine says it
    assert 200 == side.server.post("/subscribe", sent[-1], headers=headers).status_code


def test_the_form_closes_itself_when_nobody_confirms(side: Side) -> None:
    for number in range(101):
        if number % 4 == 0:
            side.clock.sleep(60)
        fields = side.typed(f"victim{number}@readers.example")
        assert 200 == side.server.post("/subscribe", fields).status_code
    assert 503 == side.server.post("/subscribe", fields).status_code
    page = side.server.get("/subscribe")
    assert (503, True) == (page.status_code, "closed for the moment" in page.text)
    assert "ok\nThe sign-up form has closed itself" in side.server.get("/health").text
    (event,) = side.server.events()
    assert ("breaker", 101, 0) == (event["kind"], event["asked"], event["confirmed"])
    # Who was asked before can confirm, and it opens again.
    assert 200 == side.confirm(side.path(101)).status_code
    side.clock.sleep(12 * 3600 + 1)
    assert "ok\n" == side.server.get("/health").text
    assert 200 == side.ask("late@readers.example").status_code
    side.relay.wait_for(102)


# Programs


@pytest.mark.parametrize("after_s", [0, 1.5])
def test_a_form_that_is_sent_at_once_is_shown_again(side: Side, after_s: float) -> None:
    fields = hidden(side.page())
    side.clock.sleep(after_s)
    fields |= {"address": ANNA, "consent": "yes", "name": "Anna"}
    answer = side.server.post("/subscribe", fields)
    assert (200, True) == (answer.status_code, f'value="{ANNA}"' in answer.text)
    assert 'value="Anna"' in answer.text
    assert [] == side.relay.mails


def test_a_form_of_another_site_leads_to_ours_with_what_was_typed(side: Side) -> None:
    sent = {"address": ANNA, "language": "fr", "page": "partner.example/footer"}
    answer = side.server.post("/subscribe?lang=fr", sent)
    assert 200 == answer.status_code
    assert f'value="{ANNA}"' in answer.text
    assert "partner.example/footer" == hidden(answer.text)["page"]
    assert 'aria-invalid="true"' not in answer.text


def test_looking_at_the_link_confirms_nothing(side: Side) -> None:
    side.ask()
    path = side.path()
    for method in ("GET", "HEAD", "GET"):
        for extra in ({}, {"Sec-Purpose": "prefetch;prerender"}):
            answer = requests.request(method, f"{side.server.url}{path}", headers=extra, timeout=30)
            assert 200 == answer.status_code
    # A program that presses the button at once.
    assert "Do you want to get" in side.confirm(path, after_s=0.5).text
    assert "Do you want to get" in side.server.post(path, {"do": "confirm", "nonce": "x"}).text
    assert [] == side.server.events()


def test_whoever_was_too_quick_or_forgot_the_tick_can_go_on_at_once(side: Side) -> None:
    wrong = side.ask(consent="")
    assert 422 == wrong.status_code
    sent = {**side.typed(), "nonce": hidden(wrong.text)["nonce"]}
    side.clock.sleep(-3)  # ``typed`` took three seconds; this person ticks the box at once
    assert "Now look into your mailbox" in side.server.post("/subscribe?lang=en", sent).text
    path = side.path()
    early = side.confirm(path, after_s=1)
    assert [] == side.server.events()
    side.clock.sleep(1.1)
    assert "you have signed up" in side.server.post(path, hidden(early.text)).text


def test_a_confirmation_counts_once_whoever_repeats_it(side: Side) -> None:
    side.ask()
    path = side.path()
    answers = [side.confirm(path) for _ in range(5)]
    assert 1 == len({(each.status_code, each.text) for each in answers})
    assert ["signup"] == side.server.kinds()


def test_a_link_is_good_for_a_week(side: Side) -> None:
    side.ask()
    path = side.path()
    side.clock.sleep(7 * 86_400 - 60)
    page = side.server.get(path)
    assert 200 == page.status_code
    side.clock.sleep(120)
    late = side.server.post(path, hidden(page.text))
    assert (410, True) == (late.status_code, "too old" in late.text)
    assert [] == side.server.events()


def altered(path: str) -> dict[str, str]:
    text = path.removeprefix("/confirm/").partition("?")[0]
    data = bytearray(base64.urlsafe_b64decode(text))
    found = {"cut": text[:-1], "longer": text + "A", "empty": "x", "nothing": "A" * LENGTH}
    for name, at in {"key": 0, "expiry": 3, "box": 40, "mac": len(data) - 1}.items():
        changed = bytearray(data)
        changed[at] ^= 1
        found[name] = base64.urlsafe_b64encode(changed).decode()
    strange = KeyRing(b"p" * 32, secrets={1: b"x" * 32})
    links = ConfirmLinks(Verifier.of(strange, LIST, PUBLIC), FrozenClock(dt.datetime.now(dt.UTC)))
    found["another list's key"] = links.make(bytes(data[6:-17]))
    found["a mail's token"] = token(Purpose.PAGE)
    return found


def test_an_altered_link_is_none(side: Side) -> None:
    side.ask()
    path = side.path()
    for name, text in altered(path).items():
        for answer in (side.server.get(f"/confirm/{text}"), side.server.post(f"/confirm/{text}")):
            assert 404 == answer.status_code, name
    assert [] == side.server.events()


def test_what_mail_programs_stick_to_the_link_is_taken_off(side: Side) -> None:
    side.ask()
    path = side.path().partition("?")[0]
    for stuck in (").", "%3E", "?utm_source=x", "."):
        assert 200 == side.server.get(f"{path}{stuck}").status_code


# Bad input


@pytest.mark.parametrize(
    "body",
    [
        b"x" * 5000,
        b"&".join(b"a=1" for _ in range(1000)),
        b"\xff\xfe\x00" * 100,
        b"address=%ff%fe&consent=yes",
        b'{"address": "anna@readers.example"}',
        b"--x\r\nContent-Disposition: form-data; name=address\r\n\r\nanna@readers.example\r\n--x--",
        b"address[]=a&address=b&address=c&language=xx&topic=" + b"y" * 500,
        b"",
    ],
)
def test_what_is_no_form_of_ours_sends_nothing(side: Side, body: bytes) -> None:
    answer = side.server.post("/subscribe", body)
    assert answer.status_code in {200, 413}
    assert [] == side.sender.added + side.server.events()


def test_a_form_of_two_gigabytes_is_not_read(side: Side) -> None:
    host, port = side.server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=30) as client:
        head = f"POST /subscribe HTTP/1.1\r\nHost: {host}\r\nContent-Length: {2 << 30}\r\n\r\n"
        client.sendall(head.encode())
        sent = 0
        try:
            while sent < 64_000_000:
                sent += client.send(b"x" * 65_536)
        except OSError:
            pass
        assert sent < 64_000_000
    assert "ok\n" == side.server.get("/health").text


def test_the_form_is_at_the_top_as_well_where_no_archive_is(side: Side) -> None:
    typed = {**hidden(side.server.get("/").text), "address": ANNA, "consent": "yes"}
    side.clock.sleep(3)
    assert "Now look into your mailbox" in side.server.post("/", typed).text
    side.relay.wait_for(1)


def test_without_a_relay_there_is_no_form(tmp_path: Path) -> None:
    with running(tmp_path) as server:
        assert 404 == server.get("/subscribe").status_code
        assert 404 == server.post("/subscribe", {"address": ANNA}).status_code


def test_a_log_that_cannot_be_written_confirms_nothing(
    side: Side, monkeypatch: pytest.MonkeyPatch
) -> None:
    from newsletter.web.log import LogUnwritable, PublicLog

    side.ask()
    path = side.path()

    def full(*_: object) -> None:
        raise LogUnwritable("The disk is full.")

    with monkeypatch.context() as broken:
        broken.setattr(PublicLog, "_write", full)
        assert 503 == side.confirm(path).status_code
    assert 200 == side.confirm(path).status_code
    assert ["signup"] == side.server.kinds()


# The relay


def test_a_slow_relay_holds_nobody_up(side: Side) -> None:
    side.relay.held = threading.Event()
    before = time.monotonic()
    for number in range(4):
        assert 200 == side.ask(f"reader{number}@readers.example").status_code
    assert 200 == side.server.post(f"/1/{token(Purpose.HEADER)}").status_code
    assert time.monotonic() - before < 10
    side.relay.held.set()
    side.relay.wait_for(4)


def test_who_was_turned_away_by_a_full_queue_may_ask_again_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("newsletter.web.confirmations._MOST_WAITING", 1)
    clock = FrozenClock(dt.datetime.now(dt.UTC))
    with relay_running() as relay, confirmations_to(relay) as sender:
        relay.held = threading.Event()
        known = bundle(confirm_from=FROM)
        with running(tmp_path, known=known, clock=clock, confirmations=sender) as server:
            side = Side(server, relay, sender, clock)
            answers = [
                side.ask(f"reader{number}@readers.example").status_code for number in range(5)
            ]
            # Each thread has one in hand, and one waits.
            assert {200, 503} == {*answers}
            turned_away = f"reader{answers.index(503)}@readers.example"
            relay.held.set()
            relay.wait_for(answers.count(200))
            assert 200 == side.ask(turned_away).status_code
            relay.wait_for(answers.count(200) + 1)


def test_a_relay_that_takes_nothing_shows_in_health_alone(side: Side) -> None:
    side.relay.answers["*"] = "530 5.7.0 log in first"
    answer = side.ask()
    assert (200, True) == (answer.status_code, "look into your mailbox" in answer.text)
    wait_for(lambda: "do not go out" in side.server.get("/health").text)
    health = side.server.get("/health")
    assert (200, True) == (health.status_code, health.text.startswith("ok\n"))
    assert "anna" not in health.text
    side.relay.answers.clear()
    side.ask("bob@readers.example")
    side.relay.wait_for(1)
    wait_for(lambda: "ok\n" == side.server.get("/health").text)


# Coming back


def test_a_returns_token_is_sealed_unverified(side: Side) -> None:
    sent = token(Purpose.RETURN)
    assert "Do you want to get" in side.server.get(f"/confirm/{sent}").text
    forged = sent[:-4] + ("AAAA" if sent[-4:] != "AAAA" else "BBBB")
    answers = [side.confirm(f"/confirm/{text}") for text in (sent, forged, sent)]
    assert 1 == len({each.text for each in answers})
    assert "within the last 30 days" in answers[0].text
    assert [sent, forged] == [event["token"] for event in side.server.events()]


def test_invented_returns_have_a_limit(side: Side) -> None:
    start = token(Purpose.RETURN)[:56]
    paths = [f"/confirm/{start}{number:04d}" for number in range(25)]
    nonces = [hidden(side.server.get(path).text) for path in paths]
    side.clock.sleep(3)
    sent = zip(paths, nonces, strict=True)
    codes = [side.server.post(path, fields).status_code for path, fields in sent]
    assert [200] * 20 + [429] * 5 == codes


def test_a_link_of_before_a_rotation_is_good_and_the_newest_key_signs() -> None:
    clock = FrozenClock(dt.datetime.now(dt.UTC))
    rotated = replace(key_ring(), secrets={**key_ring().secrets, 2: b"z" * 32})
    before, after = (
        ConfirmLinks(Verifier.of(keys, LIST, PUBLIC), clock) for keys in (key_ring(), rotated)
    )
    number, public = key_ring().box_public(LIST)
    box = seal({"v": 1}, public, number, size=FORM_BYTES)
    read = after.read(before.make(box))
    assert (True, box) == (read is not None, read and read.box)
    assert before.read(after.make(box)) is None
    assert LENGTH == len(after.make(box)) == 780
    assert hashlib.sha256(b"confirmation\0" + box).hexdigest()[:24] == message_name(box)
    assert {"v": 1} == unseal(box, rotated.box_keys(LIST))
    assert json.dumps({"v": 1})
