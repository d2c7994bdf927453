"""Choosing what one gets: only what a reader changed is written, and only with a page's form."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from newsletter.ledger.preferences import PreferenceChange
from newsletter.message.tokens import Purpose
from newsletter.testing import FrozenClock

from tests.web.served import READER, Running, bundle, key_ring, running, token
from tests.web.test_leaving import old_token

TOPICS = {"alerts": {"en": "Urgent appeals", "fr": "Appels urgents"}, "reports": {"en": "Reports"}}


class Choosing:
    """A server with topics, whose clock a test moves."""

    def __init__(self, server: Running, clock: FrozenClock) -> None:
        self.server = server
        self.clock = clock

    def day(self, days: int) -> str:
        return (self.clock.now().date() + dt.timedelta(days=days)).isoformat()

    def form(self, link: str, query: str = "") -> dict[str, str]:
        """What the form sends if nothing is touched; two seconds later it counts."""
        page = self.server.get(f"/preferences/{link}{query}").text
        self.clock.sleep(3)
        hidden = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', page))
        topics = re.findall(r'<input type="radio" name="([\w-]+)" value="" checked>', page)
        return {**hidden, **dict.fromkeys(topics, ""), "language": "", "pause": ""}

    def save(self, link: str, **changes: str) -> tuple[int, str]:
        answer = self.server.post(f"/preferences/{link}", {**self.form(link), **changes})
        assert "Set-Cookie" not in answer.headers
        heading = re.search(r"<h1>(.*?)</h1>", answer.text)
        assert heading is not None
        return answer.status_code, heading[1]


@pytest.fixture
def choosing(tmp_path: Path) -> Iterator[Choosing]:
    clock = FrozenClock(dt.datetime.now(dt.UTC))
    known = bundle(topics=TOPICS)
    with running(tmp_path, known=known, clock=clock) as server:
        yield Choosing(server, clock)


def link(purpose: Purpose = Purpose.PREFERENCES, **options: Any) -> str:
    return token(purpose, **options)


def test_every_control_starts_at_as_it_is(choosing: Choosing) -> None:
    page = choosing.server.get(f"/preferences/{link()}").text
    assert '<option value="">As it is</option>' in page
    assert 2 == page.count('value="" checked>')
    assert 2 == page.count("checked")
    assert "selected" not in page
    assert 'name="pause" type="date"' in page
    assert 'value=""' in page
    assert "Urgent appeals" in page


def test_topics_are_called_in_the_readers_language(choosing: Choosing) -> None:
    page = choosing.server.get(f"/preferences/{link()}?lang=fr").text
    assert "Appels urgents" in page
    assert '<legend dir="auto">Reports</legend>' in page


def test_without_topics_none_are_shown(tmp_path: Path) -> None:
    with running(tmp_path) as server:
        assert '<input type="radio"' not in server.get(f"/preferences/{link()}").text


CHANGES: list[tuple[dict[str, str], dict[str, object]]] = [
    ({"language": "fr"}, {"language": "fr"}),
    (
        {"topic-alerts": "yes", "topic-reports": "no"},
        {"topics": {"alerts": True, "reports": False}},
    ),
    ({"topic-reports": "no"}, {"topics": {"reports": False}}),
    ({"resume": "yes"}, {"pause": ""}),
]


@pytest.mark.parametrize(("sent", "written"), CHANGES)
def test_only_what_was_changed_is_written(
    choosing: Choosing, sent: dict[str, str], written: dict[str, object]
) -> None:
    assert (200, "Saved") == choosing.save(link(), **sent)
    (event,) = choosing.server.events()
    tag = key_ring().address_tag(READER).hex()
    assert ("preferences", tag, written) == (event["kind"], event["tag"], event["changes"])
    # The officer's machine reads what the server writes.
    at = dt.datetime.fromtimestamp(event["at"], dt.UTC)
    change = PreferenceChange.of(bytes.fromhex(tag), at, written, bytes.fromhex(event["id"]))
    assert written == change.as_changes()


def test_a_pause_ends_on_its_day(choosing: Choosing) -> None:
    day = choosing.day(40)
    assert (200, "Saved") == choosing.save(link(), pause=day)
    assert {"pause": day} == choosing.server.events()[0]["changes"]


def test_a_new_pause_counts_more_than_the_box_that_ends_one(choosing: Choosing) -> None:
    choosing.save(link(), pause=choosing.day(1), resume="yes")
    assert {"pause": choosing.day(1)} == choosing.server.events()[0]["changes"]


@pytest.mark.parametrize(
    "day",
    ["9999999-01-01", "9999-12-31", "2001-01-01", "0000-00-00", "tomorrow", "2027-02-30", "<b>"],
)
def test_a_day_that_is_none_is_asked_for_again_with_what_was_chosen(
    choosing: Choosing, day: str
) -> None:
    mine = link()
    sent = {**choosing.form(mine), "pause": day, "language": "fr", "topic-alerts": "no"}
    answer = choosing.server.post(f"/preferences/{mine}", {**sent, "resume": "yes"})
    assert 400 == answer.status_code
    assert "Please choose a day" in answer.text
    assert "<b>" not in answer.text.split("<main>")[1]
    assert '<option value="fr" lang="fr" selected>' in answer.text
    assert 'name="topic-alerts" value="no" checked>' in answer.text
    assert 'name="resume" value="yes" checked>' in answer.text
    assert [] == choosing.server.events()


def test_today_is_no_day_to_pause_until(choosing: Choosing) -> None:
    assert 400 == choosing.save(link(), pause=choosing.day(0))[0]
    assert 400 == choosing.save(link(), pause=choosing.day(800))[0]
    assert [] == choosing.server.events()


def test_nothing_changed_writes_nothing(choosing: Choosing) -> None:
    assert (200, "Nothing was changed") == choosing.save(link())
    assert [] == choosing.server.events()


@pytest.mark.parametrize(
    "forged",
    [
        {"language": "de"},
        {"language": "../../etc"},
        {"topic-secret": "yes"},
        {"topic-": "yes"},
        {"topic-alerts": "perhaps"},
    ],
)
def test_a_form_that_is_not_ours_changes_nothing(
    choosing: Choosing, forged: dict[str, str]
) -> None:
    assert 400 == choosing.save(link(), **forged)[0]
    assert [] == choosing.server.events()


def test_a_form_without_a_nonce_of_this_page_changes_nothing(choosing: Choosing) -> None:
    mine, other = link(), link(minutes_ago=99)
    elsewhere = choosing.form(other)["nonce"]
    leaving = re.search(r'name="nonce" value="([^"]+)"', choosing.server.get(f"/leave/{mine}").text)
    assert leaving is not None
    choosing.clock.sleep(3)
    for nonce in ("", "x", elsewhere, leaving[1]):
        answer = choosing.server.post(f"/preferences/{mine}", {"language": "fr", "nonce": nonce})
        assert "What do you want to get?" in answer.text
    assert [] == choosing.server.events()


def test_a_form_that_is_sent_at_once_changes_nothing(choosing: Choosing) -> None:
    mine = link()
    fields = choosing.form(mine)
    choosing.clock.sleep(-3)
    answer = choosing.server.post(f"/preferences/{mine}", {**fields, "language": "fr"})
    assert "What do you want to get?" in answer.text
    assert [] == choosing.server.events()


def test_a_link_changes_things_for_a_month_and_leaves_for_ever(choosing: Choosing) -> None:
    month = 30 * 24 * 60
    young, old = link(minutes_ago=month - 5), link(minutes_ago=month + 5)
    assert (200, "Saved") == choosing.save(young, language="fr")
    page = choosing.server.get(f"/preferences/{old}?lang=en").text
    assert "can no longer change" in page
    assert "<form" not in page
    (leave,) = re.findall(r'href="\.\./leave/([^"]+)"', page)
    assert "Leave the list" in choosing.server.get(f"/leave/{leave}").text
    answer = choosing.server.post(f"/preferences/{old}", {"language": "fr"})
    assert 403 == answer.status_code
    assert 1 == len(choosing.server.events())


def test_a_form_that_was_open_past_the_month_changes_nothing(choosing: Choosing) -> None:
    mine = link(minutes_ago=30 * 24 * 60 - 1)
    fields = choosing.form(mine)
    choosing.clock.sleep(120)
    answer = choosing.server.post(f"/preferences/{mine}", {**fields, "language": "fr"})
    assert 403 == answer.status_code
    assert [] == choosing.server.events()


@pytest.mark.parametrize("made", ["page", "header", "version 1"])
def test_links_to_leave_change_nothing(choosing: Choosing, made: str) -> None:
    links = {"page": Purpose.PAGE, "header": Purpose.HEADER}
    other = token(links[made]) if made in links else old_token()
    assert "can no longer change" in choosing.server.get(f"/preferences/{other}").text
    assert 403 == choosing.server.post(f"/preferences/{other}", {"language": "fr"}).status_code
    assert [] == choosing.server.events()


@pytest.mark.parametrize(
    "made",
    [link()[:-1], "x" * 60, link(Purpose.RETURN), "A" * 5000],
    ids=["cut", "forged", "return", "long"],
)
def test_what_is_no_link_of_ours_is_said_to_be_broken(choosing: Choosing, made: str) -> None:
    for answer in (
        choosing.server.get(f"/preferences/{made}"),
        choosing.server.post(f"/preferences/{made}", {"language": "fr"}),
    ):
        assert 404 == answer.status_code
    assert [] == choosing.server.events()


def test_a_proof_changes_nothing(choosing: Choosing) -> None:
    proof = link(nobody=True)
    assert "belongs to a proof" in choosing.server.get(f"/preferences/{proof}").text
    choosing.server.post(f"/preferences/{proof}", {"language": "fr"})
    assert [] == choosing.server.events()


def test_looking_changes_nothing(choosing: Choosing) -> None:
    mine = link()
    for query in ("", "?language=fr", "?do=save&language=fr&pause=2030-01-01"):
        choosing.server.get(f"/preferences/{mine}{query}")
    assert [] == choosing.server.events()


def test_a_huge_form_is_refused(choosing: Choosing) -> None:
    for body in (b"x" * 5000, b"a=b&" * 900, b"\xff\xfe", b""):
        answer = choosing.server.post(f"/preferences/{link()}", body)
        assert answer.status_code in {200, 413}
    assert [] == choosing.server.events()


def test_the_same_change_again_adds_nothing_and_a_program_does_not_fill_the_log(
    choosing: Choosing,
) -> None:
    mine = link()
    fields = {**choosing.form(mine), "language": "fr"}
    for _ in range(5):
        assert 200 == choosing.server.post(f"/preferences/{mine}", fields).status_code
    assert 1 == len(choosing.server.events())
    statuses = [
        choosing.server.post(f"/preferences/{mine}", {**fields, "language": each}).status_code
        for each in ("en", "fr") * 40
    ]
    assert 429 == statuses[-1]
    assert 30 == len(choosing.server.events())
    choosing.clock.sleep(86_401)
    assert (200, "Saved") == choosing.save(mine, language="ar")


def test_a_change_back_by_an_older_mails_link_counts(choosing: Choosing) -> None:
    older, newer = link(minutes_ago=500), link()
    for mine, language in ((older, "fr"), (newer, "en"), (older, "fr")):
        assert (200, "Saved") == choosing.save(mine, language=language)
    assert ["fr", "en", "fr"] == [
        event["changes"]["language"] for event in choosing.server.events()
    ]


def test_all_that_can_be_chosen_fits_into_an_entry(tmp_path: Path) -> None:
    names = [f"{'a' * 13}-{number:02}" for number in range(12)]
    clock = FrozenClock(dt.datetime.now(dt.UTC))
    known = bundle(topics={name: {"en": "A topic"} for name in names})
    with running(tmp_path, known=known, clock=clock) as server:
        everything = {f"topic-{name}": "no" for name in names}
        one = Choosing(server, clock)
        assert (200, "Saved") == one.save(link(), **everything, language="fr", pause=one.day(9))
        assert 12 == len(server.events()[0]["changes"]["topics"])


def test_a_link_of_a_key_that_the_server_does_not_have_yet_is_told_as_it_is(
    choosing: Choosing,
) -> None:
    rotated = replace(key_ring(), secrets={1: b"s" * 32, 2: b"t" * 32})
    sent = link(keys=rotated)
    assert 200 == choosing.save(sent, language="fr")[0]
    (event,) = choosing.server.events()
    assert (sent, {"language": "fr"}) == (event["token"], event["changes"])
    assert "tag" not in event
    many = [link(keys=rotated, minutes_ago=n) for n in range(1, 71)]
    forms = [{**choosing.form(each), "language": "es"} for each in many]
    told = [
        choosing.server.post(f"/preferences/{each}", form).status_code
        for each, form in zip(many, forms, strict=True)
    ]
    assert [200] * 60 + [503] * 10 == told
