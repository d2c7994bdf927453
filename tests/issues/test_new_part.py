"""A new kind of part is written once, in the model: all that goes by parts follows."""

import datetime as dt
from pathlib import Path
from typing import Annotated

import pytest
from lxml import etree
from newsletter.checks.check_input import CheckInput
from newsletter.checks.run import run_checks
from newsletter.issues.loader import LoadedIssue
from newsletter.issues.translations import translation_problems
from newsletter.material import Material
from newsletter.model import Issue, Line, Link, Says, Story, Translated
from newsletter.render import template_values
from newsletter.render.edition import CompileInput
from newsletter.render.feed import render_feed
from newsletter.render.pipeline import compile_edition
from newsletter.render.web import Site
from newsletter.render.web_urls import WebIssue
from newsletter.source import Source

from tests.archive.built import html_of
from tests.support.march import SETTINGS, THEME

SOURCE = Source(Path("issues/2017-05.yaml"))
PLACE = "Palais Wilson, Geneva"
ATOM = "{http://www.w3.org/2005/Atom}"


class Event(Link):
    """Where and when people meet."""

    place: Annotated[Line, Says(Translated.ANEW, "place of the event")]


class Announcement(Story):
    """A story that may announce an event."""

    event: Event | None = None


def issue(*, place: str | None = PLACE, language: str = "en") -> Issue:
    event = place and Event(label="Sign up", url="https://a.example/e", place=place)
    story = Announcement(id="one", headline=f"H {language}", blurb=f"B {language}", event=event)
    return Issue(
        id="2017-05",
        title="May 2017",
        date=dt.date(2017, 5, 31),
        language=language,
        subject=f"S {language}",
        preheader=f"P {language}",
        stories=(story,),
    )


def test_the_walk_meets_it_where_it_stands() -> None:
    found = {value.path: value.text for value in issue().parts()}
    assert PLACE == found["stories", 0, "event", "place"]
    assert "Sign up" == found["stories", 0, "event", "label"]
    assert Event is Announcement.inner()["event"]


def test_checks_miss_it_in_a_mail_that_does_not_show_it(monkeypatch: pytest.MonkeyPatch) -> None:
    # Templates see the parts of the real model, among which it would be.
    monkeypatch.setattr(template_values, "VALUES", (*template_values.VALUES, Announcement, Event))
    given = CompileInput(issue(), SOURCE, THEME, SETTINGS, Material())
    found = run_checks(CheckInput.of(given, compile_edition(given), None))
    told = " ".join(each.what for each in found)
    assert f"lacks the place of the event: “{PLACE}”" in told
    assert "lacks the link to https://a.example/e" in told


def test_a_translation_must_have_it_in_its_own_words() -> None:
    original = LoadedIssue(issue(), SOURCE)

    def problems(translation: Issue) -> list[str]:
        return [
            each.what for each in translation_problems(original, LoadedIssue(translation, SOURCE))
        ]

    assert "“event” is missing." in problems(issue(place=None, language="fr"))
    assert "“event.place” is not translated." in problems(issue(language="fr"))
    assert [] == problems(issue(place="Palais Wilson, Genève", language="fr"))


def test_the_feed_shows_it() -> None:
    assert SETTINGS.archive is not None
    site = Site(THEME, SETTINGS, SETTINGS.archive, ("en",))
    feed = etree.fromstring(render_feed(site, [WebIssue(issue(), Material())], language="en"))
    content = html_of(str(feed.findtext(f".//{ATOM}content")))
    assert PLACE in content.text_content()
    assert ["https://a.example/e"] == content.xpath("//a[text() = 'Sign up']/@href")
