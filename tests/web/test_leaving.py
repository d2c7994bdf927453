"""Leaving: one POST of a mail program, or a person on a page; and nothing else."""

from __future__ import annotations

import base64
import datetime as dt
import hmac
import re
import struct
import urllib.parse
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import newsletter.web.log as log_module
import pytest
import requests
from newsletter.config.identity import ListIdentity
from newsletter.message.tokens import Purpose
from newsletter.testing import FrozenClock

from tests.web.served import LIST, READER, Running, bundle, key_ring, running, token

WITHIN_S = 30
ROTATED = replace(key_ring(), secrets={1: b"s" * 32, 2: b"t" * 32})


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("public")) as started:
        yield started


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[tuple[Running, FrozenClock]]:
    """A server of its own, whose clock a test moves."""
    clock = FrozenClock(dt.datetime.now(dt.UTC))
    with running(tmp_path, clock=clock) as started:
        yield started, clock


def old_token(campaign: bytes = b"12345678") -> str:
    """A token of version 1, as it stands in mail of years ago."""
    claim = struct.pack(">BH12s8s", 1, 1, key_ring().address_tag(READER), campaign)
    mac = hmac.digest(key_ring().keys[1], claim + LIST.encode(), "sha256")[:16]
    return base64.urlsafe_b64encode(claim + mac).decode()


def fields(page: str, do: str) -> dict[str, str]:
    """What the form for ``do`` sends if its button is pressed and nothing else is done."""
    for form in re.findall(r"<form.*?</form>", page, re.DOTALL):
        found = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', form))
        if found.get("do") == do:
            return found
    raise AssertionError(f"the page has no form “{do}”")


def new(server: Running, before: int) -> list[dict[str, object]]:
    return server.events()[before:]


BODIES: dict[str, dict[str, Any]] = {
    "urlencoded": {"data": {"List-Unsubscribe": "One-Click"}},
    "multipart": {"files": {"List-Unsubscribe": (None, "One-Click")}},
    "empty": {},
    "json": {"json": {"List-Unsubscribe": "One-Click"}},
    "unknown type": {"data": b"\x00\xff", "headers": {"Content-Type": "x/y"}},
    "no type": {"data": b"List-Unsubscribe=One-Click"},
    "a form like ours": {"data": {"do": "undo", "nonce": "x"}},
    "fields of ours": {"data": {"do": "leave", "nonce": f"{'0' * 32}.{'A' * 32}", "sure": "yes"}},
    "a megabyte": {"data": b"x" * 1_000_000},
}


@pytest.mark.parametrize(
    ("road", "body"),
    [(road, body) for road in ("1", "u") for body in BODIES],
)
def test_any_post_to_the_header_address_leaves(server: Running, road: str, body: str) -> None:
    before = len(server.events())
    sent = token(Purpose.HEADER, minutes_ago=hash((road, body)) % 100_000)
    answer = server.post(f"/{road}/{sent}", **BODIES[body])
    assert (200, None) == (answer.status_code, answer.headers.get("Set-Cookie"))
    (event,) = new(server, before)
    tag = key_ring().address_tag(READER).hex()
    assert ("leave", tag, "header") == (event["kind"], event["tag"], event["road"])


def test_the_same_click_again_is_answered_alike_and_adds_nothing(server: Running) -> None:
    before = len(server.events())
    sent = token(Purpose.HEADER, minutes_ago=1_007)
    answers = [server.post(f"/1/{sent}") for _ in range(20)]
    assert 1 == len(new(server, before))
    assert 1 == len({(answer.status_code, answer.text) for answer in answers})


def test_a_click_whose_answer_failed_once_it_was_on_disk_adds_nothing_again(
    server: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = len(server.events())
    sent = token(Purpose.HEADER, minutes_ago=2_008)
    looks = iter([True, False])  # before the commit, and behind it
    with monkeypatch.context() as patch:
        patch.setattr(log_module._File, "is_in_place", lambda _: next(looks, True))
        assert 503 == server.post(f"/1/{sent}").status_code
    assert [200, 200] == [server.post(f"/1/{sent}").status_code for _ in range(2)]
    assert 1 == len(new(server, before))


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("purpose", [Purpose.HEADER, Purpose.PAGE])
def test_looking_never_leaves(server: Running, purpose: Purpose, method: str) -> None:
    before = len(server.events())
    for road in ("1", "leave", "u"):
        for extra in ({}, {"Purpose": "prefetch", "Sec-Purpose": "prefetch;prerender"}):
            url = f"{server.url}/{road}/{token(purpose, minutes_ago=0)}"
            answer = requests.request(method, url, headers=extra, timeout=WITHIN_S)
            assert 200 == answer.status_code
            assert "Set-Cookie" not in answer.headers
    assert [] == new(server, before)


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND"])
def test_no_other_method_does_anything(server: Running, method: str) -> None:
    before = len(server.events())
    url = f"{server.url}/1/{token(Purpose.HEADER)}"
    assert 405 == requests.request(method, url, timeout=WITHIN_S).status_code
    assert [] == new(server, before)


def forged() -> dict[str, str]:
    good = token(Purpose.HEADER)
    other = key_ring()
    return {
        "nothing of ours": "x" * 60,
        "cut off": good[:-1],
        "one letter other": good[:-1] + ("A" if good[-1] != "A" else "B"),
        "of another list": token(Purpose.HEADER, list_id="other.example"),
        "signed by somebody": token(Purpose.HEADER, keys=replace(other, secrets={1: b"x" * 32})),
        "the tag of somebody else": good[:5] + ("A" if good[5] != "A" else "B") + good[6:],
        "for the page": token(Purpose.PAGE),
        "for preferences": token(Purpose.PREFERENCES),
        "for coming back": token(Purpose.RETURN),
        "huge": "A" * 60_000,
        "percent": "%00%ff%2e%2e",
    }


@pytest.mark.parametrize("what", forged())
def test_what_is_no_header_token_leaves_nobody(server: Running, what: str) -> None:
    before = len(server.events())
    for road in ("1", "u"):
        assert server.post(f"/{road}/{forged()[what]}").status_code in {200, 400, 404, 431}
    assert [] == new(server, before)


def test_a_token_of_a_key_that_the_server_does_not_have_yet_is_kept_for_who_has_it(
    server: Running,
) -> None:
    before = len(server.events())
    sent = token(Purpose.HEADER, keys=ROTATED)
    for _ in range(3):
        assert 200 == server.post(f"/1/{sent}").status_code
    (event,) = new(server, before)
    assert ("token", sent) == (event["kind"], event["token"])


@pytest.mark.parametrize("purpose", [Purpose.PAGE, Purpose.HEADER, Purpose.PREFERENCES])
@pytest.mark.parametrize("road", ["leave", "u"])
def test_a_page_takes_such_a_token_as_well_and_always_asks_twice(
    fresh: tuple[Running, FrozenClock], purpose: Purpose, road: str
) -> None:
    server, clock = fresh
    sent = token(purpose, keys=ROTATED, minutes_ago=10_000)
    path = f"/{road}/{sent}"
    asked = fields(server.get(path).text, "leave")
    clock.sleep(3)
    sure = fields(server.post(path, asked).text, "sure")
    assert [] == server.kinds()
    clock.sleep(3)
    left = server.post(path, {**sure, "sure": "yes"})
    (event,) = server.events()
    kept = (event["kind"], event["token"], event["road"])
    assert (200, ("token", sent, "page")) == (left.status_code, kept)
    # Again adds nothing, and the undo names it.
    clock.sleep(3)
    assert "You have left" in server.get(path).text
    server.post(path, fields(left.text, "undo"))
    assert (event["id"], "undo") == (server.events()[-1]["leave"], server.kinds()[-1])
    assert 2 == len(server.events())


def test_such_a_token_for_the_page_does_not_leave_by_the_header(server: Running) -> None:
    before = len(server.events())
    for purpose in (Purpose.PAGE, Purpose.PREFERENCES, Purpose.RETURN):
        sent = token(purpose, keys=ROTATED)
        assert 400 == server.post(f"/1/{sent}").status_code
        assert server.post(f"/u/{sent}").status_code in {200, 400}
    sent = token(Purpose.HEADER, keys=ROTATED, nobody=True)
    assert "proof" in server.post(f"/1/{sent}").text
    assert [] == new(server, before)


def test_a_token_of_years_ago_leaves_by_both_roads_and_its_page_asks_twice(
    fresh: tuple[Running, FrozenClock],
) -> None:
    server, clock = fresh
    assert 200 == server.post(f"/u/{old_token()}").status_code
    assert ["leave"] == server.kinds()
    path = f"/leave/{old_token(b'other___')}"
    sent = fields(server.get(path).text, "leave")
    clock.sleep(3)
    sure = server.post(path, sent).text
    assert ["leave"] == server.kinds()
    clock.sleep(3)
    server.post(path, {**fields(sure, "sure"), "sure": "yes"})
    assert ["leave", "leave"] == server.kinds()


# An hour, and up to one more where the laptop's clock is that much behind the server's.
@pytest.mark.parametrize("minutes_ago", [-60, 0, 59, 119])
def test_while_a_mail_is_fresh_the_page_asks_twice(
    fresh: tuple[Running, FrozenClock], minutes_ago: int
) -> None:
    server, clock = fresh
    path = f"/leave/{token(Purpose.PAGE, minutes_ago=minutes_ago)}"
    first = fields(server.get(path).text, "leave")
    clock.sleep(3)
    second = server.post(path, first)
    assert [] == server.events()
    # Who presses buttons without reading does not tick the box.
    clock.sleep(3)
    again = server.post(path, fields(second.text, "sure"))
    assert [] == server.events()
    clock.sleep(3)
    answer = server.post(path, {**fields(again.text, "sure"), "sure": "yes"})
    assert "You have left" in answer.text
    assert ["leave"] == server.kinds()


def test_later_the_page_asks_once(fresh: tuple[Running, FrozenClock]) -> None:
    server, clock = fresh
    path = f"/leave/{token(Purpose.PAGE, minutes_ago=121)}"
    sent = fields(server.get(path).text, "leave")
    clock.sleep(3)
    assert "You have left" in server.post(path, sent).text
    (event,) = server.events()
    assert ("leave", "page") == (event["kind"], event["road"])


@pytest.mark.parametrize(
    ("wait_s", "changed"),
    [
        (86_400 + 10, {}),
        (3, {"nonce": ""}),
        (3, {"nonce": "A" * 32}),
        (3, {"do": "sure", "sure": "yes"}),
        (3, {"do": "drop tables"}),
        (3, {"do": ""}),
    ],
)
def test_a_form_that_no_person_sends_asks_again(
    fresh: tuple[Running, FrozenClock], wait_s: int, changed: dict[str, str]
) -> None:
    server, clock = fresh
    path = f"/leave/{token(Purpose.PAGE)}"
    sent = {**fields(server.get(path).text, "leave"), **changed}
    clock.sleep(wait_s)
    answer = server.post(path, sent)
    assert 200 == answer.status_code
    assert fields(answer.text, "leave")["nonce"] != sent["nonce"]
    assert [] == server.events()


def test_a_button_pressed_too_soon_works_at_the_next_press(
    fresh: tuple[Running, FrozenClock],
) -> None:
    server, clock = fresh
    path = f"/leave/{token(Purpose.PAGE, minutes_ago=0)}"
    sent = fields(server.get(path).text, "leave")
    clock.sleep(1)
    early = server.post(f"{path}?lang=fr", sent)
    assert 200 == early.status_code
    assert re.search(r'role="alert"\s*>Rien n’a encore changé', early.text)
    assert 'role="alert" hidden>' in server.get(path).text
    clock.sleep(1.1)
    sent = {**fields(server.post(path, fields(early.text, "leave")).text, "sure"), "sure": "yes"}
    clock.sleep(1)
    early = server.post(path, sent)
    assert [] == server.events()
    clock.sleep(1.1)
    again = server.post(path, {**fields(early.text, "sure"), "sure": "yes"})
    assert "You have left" in again.text
    assert ["leave"] == server.kinds()


def test_a_nonce_is_good_for_its_own_token_alone(fresh: tuple[Running, FrozenClock]) -> None:
    server, clock = fresh
    mine = fields(server.get(f"/leave/{token(Purpose.PAGE)}").text, "leave")
    clock.sleep(3)
    server.post(f"/leave/{token(Purpose.PAGE, minutes_ago=500)}", mine)
    assert [] == server.events()


def test_undo_names_one_leave_for_a_day_and_leaving_again_counts(
    fresh: tuple[Running, FrozenClock],
) -> None:
    server, clock = fresh
    path = f"/leave/{token(Purpose.PAGE)}"
    leave = fields(server.get(path).text, "leave")
    clock.sleep(3)
    left = server.post(path, leave).text
    # Looking again shows where things stand, so that the language can be changed.
    assert "Vous avez quitté" in server.get(f"{path}?lang=fr").text
    undo = fields(left, "undo")
    assert "Your leaving was undone" in server.post(path, undo).text
    first, second = server.events()
    assert ("undo", first["id"]) == (second["kind"], second["leave"])
    leave = fields(server.get(path).text, "leave")
    clock.sleep(3)
    left = server.post(path, leave).text
    assert ["leave", "undo", "leave"] == server.kinds()
    clock.sleep(86_400 + 5)
    assert "too late" in server.post(path, fields(left, "undo")).text
    assert ["leave", "undo", "leave"] == server.kinds()


def test_a_program_that_opens_the_link_afterwards_finds_no_undo_while_the_mail_is_fresh(
    fresh: tuple[Running, FrozenClock],
) -> None:
    server, clock = fresh
    path = f"/leave/{token(Purpose.PAGE, minutes_ago=0)}"
    page = server.get(path).text
    for do in ("leave", "sure"):
        clock.sleep(3)
        page = server.post(path, {**fields(page, do), "sure": "yes"}).text
    undo = fields(page, "undo")
    again = server.get(path).text
    assert "You have left" in again
    assert '"undo"' not in again
    clock.sleep(7200)
    assert fields(server.get(path).text, "undo").keys() == undo.keys()
    # The reader, who has the page still, can undo it all along.
    assert "Your leaving was undone" in server.post(path, undo).text
    assert ["leave", "undo"] == server.kinds()


@pytest.mark.parametrize("after_h", [0.5, 2, 23, 25])
def test_a_program_that_presses_every_button_once_after_the_leave_undoes_nothing(
    fresh: tuple[Running, FrozenClock], after_h: float
) -> None:
    server, clock = fresh
    link = token(Purpose.PAGE, minutes_ago=0)
    path, kept = f"/leave/{link}", server.get(f"/leave/{link}").text  # opened before
    clock.sleep(3)
    sure = fields(server.post(path, fields(kept, "leave")).text, "sure")
    clock.sleep(3)
    server.post(path, {**sure, "sure": "yes"})
    header = token(Purpose.HEADER, minutes_ago=0)
    server.post(f"/1/{header}")
    theirs = {event["id"] for event in server.events()}
    assert 2 == len(theirs)
    clock.sleep(after_h * 3600)
    for way in (path, f"/1/{header}", f"/u/{link}", f"/u/{header}"):
        place, page = way, server.get(way).text
        seen: set[str] = set()
        # Every button once, also of the pages that these lead to; no box is ticked.
        todo = _forms(place, page) + (_forms(path, kept) if way == path else [])
        while todo:
            to, sent = todo.pop()
            if sent["do"] in seen:
                continue
            seen.add(sent["do"])
            clock.sleep(3)
            todo += _forms(to, server.post(to, sent).text)
        assert seen
    undone = {event["leave"] for event in server.events() if event["kind"] == "undo"}
    assert not theirs & undone


def test_a_person_undoes_on_the_page_opened_again_by_ticking_its_box(
    fresh: tuple[Running, FrozenClock],
) -> None:
    server, clock = fresh
    for road in ("1", "u"):
        header = token(Purpose.HEADER)
        server.post(f"/{road}/{header}")
        left = server.events()[-1]["id"]
        clock.sleep(20 * 3600)
        ((to, sent), *_) = _forms(f"/{road}/{header}", server.get(f"/{road}/{header}").text)
        assert "Your leaving was undone" not in server.post(to, sent).text
        assert "Your leaving was undone" in server.post(to, {**sent, "sure": "yes"}).text
        assert ("undo", left) == (server.kinds()[-1], server.events()[-1]["leave"])
        clock.sleep(86_400)


def _forms(place: str, page: str) -> list[tuple[str, dict[str, str]]]:
    """Where each form of a page leads, as a browser finds it, and what its button sends."""
    return [
        (
            _followed(place, re.findall(r'action="([^"]*)"', form)[0]),
            dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', form)),
        )
        for form in re.findall(r"<form.*?</form>", page, re.DOTALL)
    ]


def _followed(place: str, link: str) -> str:
    """Where a relative link leads, as in browsers, which keep empty segments (WHATWG URL 4.4)."""
    path = place.partition("?")[0]
    if link.startswith("?"):
        return path + link
    folders = path.split("/")[1:-1]
    while link.startswith("../"):
        folders, link = folders[:-1], link[3:]
    return "/" + "/".join([*folders, link])


def test_a_forged_undo_undoes_nothing(fresh: tuple[Running, FrozenClock]) -> None:
    server, _ = fresh
    server.post(f"/1/{token(Purpose.HEADER)}")
    (event,) = server.events()
    for nonce in ("", event["id"], f"{event['id']}.{'A' * 32}", f"{event['id']}.", "é"):
        server.post(f"/leave/{token(Purpose.PAGE)}", {"do": "undo", "nonce": nonce})
    assert ["leave"] == server.kinds()


def test_a_reason_is_kept_apart_from_whoever_gave_it(fresh: tuple[Running, FrozenClock]) -> None:
    server, clock = fresh
    path = f"/leave/{token(Purpose.PAGE)}"
    leave = fields(server.get(path).text, "leave")
    clock.sleep(3)
    reason = fields(server.post(path, leave).text, "reason")
    server.post(path, {**reason, "reason": "unsafe", "words": "They read my mail. " * 100})
    _, event = server.events()
    assert {"id", "v", "at", "kind", "campaign", "reason", "words"} == event.keys()
    assert "unsafe" == event["reason"]
    assert 500 == len(event["words"])


@pytest.mark.parametrize("words", ["\u0646" * 500, "\U0001f600" * 500, "\x01" * 500, '"' * 500])
def test_a_reason_in_any_script_fits_into_a_box(
    fresh: tuple[Running, FrozenClock], words: str
) -> None:
    server, clock = fresh
    path, left = _left(server, clock)
    reason = fields(left, "reason")
    body = f"do=reason&nonce={reason['nonce']}&reason=other&words={words}"
    assert 200 == server.post(path, body.encode()).status_code
    written = server.events()[-1]["words"]
    assert words.startswith(written)
    assert len(written) >= 130


def test_one_link_fills_no_disk_with_undos_and_reasons(
    fresh: tuple[Running, FrozenClock],
) -> None:
    server, clock = fresh
    path, left = _left(server, clock)
    for _ in range(3):
        server.post(path, {**fields(left, "reason"), "reason": "other"})
        assert "Your leaving was undone" in server.post(path, fields(left, "undo")).text
    assert ["leave", "reason", "undo"] == server.kinds()
    header = token(Purpose.HEADER)
    for _ in range(12):
        server.post(f"/1/{header}")
        again = fields(server.get(f"/1/{header}").text, "undo")
        server.post(f"/leave/{header}", {**again, "sure": "yes"})
    assert 10 + 1 == server.kinds().count("undo")
    # Who leaves in the end has left: an undo that is not taken undoes nothing.
    last = [event["id"] for event in server.events() if event["kind"] == "leave"][-1]
    assert last not in {event.get("leave") for event in server.events()}


def test_an_old_undo_says_that_a_newer_leave_stands(fresh: tuple[Running, FrozenClock]) -> None:
    server, clock = fresh
    path, left = _left(server, clock)
    server.post(path, fields(left, "undo"))
    leave = fields(server.get(path).text, "leave")
    clock.sleep(3)
    server.post(path, leave)
    assert "Your leaving was undone" not in server.post(path, fields(left, "undo")).text
    assert ["leave", "undo", "leave"] == server.kinds()


def test_who_came_back_leaves_again_by_the_same_link(fresh: tuple[Running, FrozenClock]) -> None:
    server, clock = fresh
    mine = f"/1/{token(Purpose.HEADER)}"
    server.post(mine)
    path = f"/confirm/{token(Purpose.RETURN)}"
    back = fields(server.get(path).text, "confirm")
    clock.sleep(3)
    server.post(path, back)
    for _ in range(2):
        server.post(mine)
    assert ["leave", "return", "leave"] == server.kinds()


def _left(server: Running, clock: FrozenClock) -> tuple[str, str]:
    """The page's path, and the page after leaving there."""
    path = f"/leave/{token(Purpose.PAGE)}"
    leave = fields(server.get(path).text, "leave")
    clock.sleep(3)
    return path, server.post(path, leave).text


def test_the_link_of_a_proof_takes_nobody_off(server: Running) -> None:
    before = len(server.events())
    page = server.get(f"/leave/{token(Purpose.PAGE, nobody=True)}").text
    assert "This link belongs to a proof" in page
    assert "Nobody has left" in server.post(f"/1/{token(Purpose.HEADER, nobody=True)}").text
    assert [] == new(server, before)


def test_what_mail_programs_stick_to_a_link_is_taken_off(server: Running) -> None:
    before = len(server.events())
    sent = token(Purpose.HEADER, minutes_ago=3_009)
    stuck = (
        ").",
        "%3E",
        "%20",
        "?utm_source=x",
        "%E2%80%9D",
        ".",
        "/",
        "//",
        "%2F",
        "/.",
        "/?fbclid=x",
    )
    for each in (*stuck, "&utm_source=x", "%3Futm_source=x", "?utm_source=x&y=z"):
        for road in ("1", "u"):
            assert 200 == server.post(f"/{road}/{sent}{each}").status_code, each
    for escaped in (sent[:-1] + f"%{ord(sent[-1]):02X}", sent[:-1] + f"%{ord(sent[-1]):02x}"):
        assert 200 == server.post(f"//1///{escaped}").status_code
    assert 1 == len(new(server, before))


@pytest.mark.parametrize("prefix", ["", "/news/letter"])
def test_a_page_leads_on_from_however_its_link_was_spelled(tmp_path: Path, prefix: str) -> None:
    clock = FrozenClock(dt.datetime.now(dt.UTC))
    known = bundle(f"https://x.example{prefix}")
    spelled = (
        "/1/{}",
        "/1/{}/",
        "//1//{}",
        "/1/{}//?utm_source=x",
        "/1/{}%2F",
        "/u/{}/",
        "/leave/{}/",
    )
    with running(tmp_path, known=known, clock=clock) as server:
        for number, path in enumerate(spelled):
            place = prefix + path.format(token(Purpose.HEADER, minutes_ago=130 + number))
            page = server.get(place, allow_redirects=False).text
            (privacy,) = re.findall(r'href="([^"]*privacy[^"]*)"', page)
            assert 200 == server.get(_followed(place, privacy)).status_code
            ((to, sent),) = _forms(place, page)
            clock.sleep(3)
            assert "You have left" in server.post(to, sent).text, path
        assert ["leave"] * len(spelled) == server.kinds()


@pytest.mark.parametrize("stays", [True, False])
def test_a_proxy_may_change_host_scheme_and_path(tmp_path: Path, *, stays: bool) -> None:
    known = bundle("https://www.defenders.example/news/letter")
    with running(tmp_path, known=known) as server:
        prefix = "/news/letter" if stays else ""
        strange = {"Host": "evil.example", "X-Forwarded-Proto": "gopher"}
        page = server.get(f"{prefix}/leave/{token(Purpose.PAGE)}", headers=strange)
        assert 200 == page.status_code
        assert "evil" not in page.text
        assert {"?lang=en"} == set(re.findall(r'action="([^"]*)"', page.text))
        assert 200 == server.post(f"{prefix}/1/{token(Purpose.HEADER)}").status_code
        assert ["leave"] == server.kinds()


def test_many_clicks_from_one_address_are_all_taken_and_unknown_tokens_have_a_limit(
    fresh: tuple[Running, FrozenClock],
) -> None:
    server, clock = fresh
    right = [server.post(f"/1/{token(Purpose.HEADER, minutes_ago=m)}") for m in range(100)]
    assert {200} == {answer.status_code for answer in right}
    rotated = replace(key_ring(), secrets={9: b"t" * 32})
    unknown = [token(Purpose.HEADER, minutes_ago=m, keys=rotated) for m in range(70)]
    taken = [server.post(f"/1/{each}").status_code for each in unknown]
    assert [200] * 60 + [503] * 10 == taken
    assert 200 == server.post(f"/1/{unknown[0]}").status_code
    assert 200 == server.post(f"/1/{token(Purpose.HEADER, minutes_ago=200)}").status_code
    clock.sleep(61)
    assert 200 == server.post(f"/1/{unknown[-1]}").status_code


def test_no_header_or_page_is_without_its_guards(server: Running) -> None:
    for answer in (
        server.get(f"/leave/{token(Purpose.PAGE)}"),
        server.get("/nowhere"),
        server.post(f"/1/{token(Purpose.HEADER)}"),
    ):
        policy = answer.headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'; style-src 'sha256-")
        assert ("no-referrer", "nosniff", "no-store") == tuple(
            answer.headers[name]
            for name in ("Referrer-Policy", "X-Content-Type-Options", "Cache-Control")
        )
        assert "Strict-Transport-Security" not in answer.headers
        assert "server" not in answer.headers


@pytest.mark.parametrize(
    ("query", "header", "language"),
    [
        ("?lang=fr", "es", "fr"),
        ("", "es-MX,en;q=0.1", "es"),
        ("", "de, ar;q=0.9, en;q=0.8", "ar"),
        ("?lang=tlh", "xx", "en"),
        ("", "q=;;,,;q=x,\u00e9" * 400, "en"),
    ],
)
def test_a_page_speaks_the_readers_language(
    server: Running, query: str, header: str, language: str
) -> None:
    page = server.get(
        f"/leave/{token(Purpose.PAGE)}{query}", headers={"Accept-Language": header.encode("utf-8")}
    )
    assert f'<html lang="{language}" dir="{"rtl" if language == "ar" else "ltr"}">' in page.text
    assert language == page.headers["Content-Language"]


# [list] unsubscribe_url, as mail of before has it


@pytest.mark.parametrize(
    ("url", "template", "path"),
    [
        ("https://news.defenders.example", "https://www.example/u/{token}", "/u/{}"),
        ("https://news.defenders.example", "https://www.example/u/{token}.html?x=1", "/u/{}.html"),
        ("https://www.example/news", "https://www.example/news/u/{token}", "/news/u/{}"),
        ("https://www.example/news", "https://www.example/newsletter/{token}", "/newsletter/{}"),
        ("https://news.defenders.example", "https://www.example/d%C3%A9part/{token}",
         "/d%C3%A9part/{}"),
        ("https://news.defenders.example", "https://www.example/off?t={token}", "/off?t={}"),
        ("https://news.defenders.example", "https://www.example/off.php?a=1&token={token}&b=2",
         "/off.php?a=1&token={}&b=2"),
        ("https://www.example/news", "https://www.example/news/off?t={token}", "/news/off?t={}"),
        ("https://news.defenders.example", "https://www.example?t={token}", "/?t={}"),
        ("https://news.defenders.example", "https://www.example/x?do=off,{token}!",
         "/x?do=off,{}!"),
    ],
)  # fmt: skip
def test_links_of_earlier_mail_lead_where_they_always_did(
    tmp_path: Path, url: str, template: str, path: str
) -> None:
    assert template == ListIdentity(id=LIST, name="News", unsubscribe_url=template).unsubscribe_url
    clock = FrozenClock(dt.datetime.now(dt.UTC))
    with running(tmp_path, known=bundle(url, unsubscribe_url=template), clock=clock) as server:
        assert 200 == server.post(path.format(old_token())).status_code
        assert ["leave"] == server.kinds()
        by_page = old_token(b"another_")
        page = server.get(path.format(by_page))
        place = urllib.parse.urlsplit(page.url).path
        for tail in ("/", "&utm_source=x" if "?" in path else "?utm_source=x"):
            assert 200 == server.get(path.format(by_page) + tail).status_code, tail
        clock.sleep(3)
        sure = server.post(place, fields(page.text, "leave")).text
        clock.sleep(3)
        server.post(place, {**fields(sure, "sure"), "sure": "yes"})
        assert ["leave", "leave"] == server.kinds()
        # A proof's, and what is no token, lead to pages that say so.
        assert "proof" in server.get(path.format(token(Purpose.PAGE, nobody=True))).text
        assert 404 == server.get(path.format("..%2f..%2fevil")).status_code
        assert 404 == server.get("/off").status_code


@pytest.mark.parametrize(
    "template",
    [
        "https://{token}.example/",
        "https://www.example/u#{token}",
        "https://www.example/{list}/{token}",
        "https://www.example/{token",
        "https://www.example/{token}?{token}",
    ],
)
def test_a_link_that_no_server_could_read_is_no_setting(template: str) -> None:
    with pytest.raises(ValueError, match="unsubscribe_url must"):
        ListIdentity(id=LIST, name="News", unsubscribe_url=template)


def test_the_top_says_whose_server_it_is(tmp_path: Path) -> None:
    for prefix in ("", "/news"):
        with running(tmp_path, known=bundle(f"https://x.example{prefix}")) as server:
            page = server.get(f"{prefix}/?lang=fr", allow_redirects=False)
            assert (200, "fr") == (page.status_code, page.headers["Content-Language"])
            assert "contact@defenders.example" in page.text
