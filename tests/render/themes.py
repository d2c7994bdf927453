"""The themes of this repository, and an issue that uses each of their parts."""

from __future__ import annotations

import datetime as dt
import functools
from dataclasses import replace
from pathlib import Path

from lxml import html as lxml_html
from lxml.html import HtmlElement
from newsletter.config import load_settings
from newsletter.issues.languages import load_languages
from newsletter.issues.loader import LoadedIssue
from newsletter.material import Material, PreparedPicture
from newsletter.model import (
    Background,
    BodyPart,
    Download,
    Fact,
    Issue,
    Link,
    Picture,
    Post,
    Quote,
    Section,
    Story,
)
from newsletter.render.edition import CompileInput, Edition, Stages
from newsletter.render.pipeline import compile_edition, compile_stages
from newsletter.render.slots import bind
from newsletter.source import Source
from newsletter.theme import Logo, Theme
from newsletter.theme_files import load_theme

from tests.render.samples import material_of
from tests.support.tools import ROOT

SETTINGS = load_settings(ROOT / "newsletter.toml")
THEMES = {name: load_theme(ROOT / "templates" / name) for name in ("default", "letter")}
LANGUAGES = ("ar", "en", "es", "fr", "ru")
MARCH_LANGUAGES = ("ar", "en", "es", "fr")
READER = {
    "name": "Zoë",
    "email": "zoe@reader.example",
    "unsubscribe_url": "https://news.defenders.example/leave/" + "m" * 60,
    "preferences_url": "https://news.defenders.example/preferences/" + "m" * 60,
}
SOURCE = Source(Path("x.yaml"))

FULL_STORY = Story(
    id="full",
    headline="A story with every part",
    section="first",
    kicker="Somewhere",
    blurb="Plain, *stressed* and [linked](https://a.example/in-text).\n\n"
    "- one\n\n1. two\n\n# Below\n\n## Lower\n\n### Lowest\n\n#### Last\n\n"
    "> said by others\n\n| Place | Count |\n|---|---|\n| Here | 7 |",
    highlight="3,064 times it was counted.",
    quote=Quote(text="We stay.\n\nWe work.", by="Somebody, defender"),
    image=Picture(file="tbilisi.jpg", alt="Drawing of a hill", credit="A Painter"),
    background=Background(title="Background of it", text="Long.", url="https://a.example/back"),
    links=(
        Link(label="Read more", url="https://a.example/more"),
        Link(label="Отчёт (RU)", url="https://a.example/ru", language="ru"),
    ),
    download=Download(label="The paper (PDF)", url="https://a.example/paper.pdf", language="fr"),
    source="An agency",
)


LISTED = (
    BodyPart(text="Listed."),
    BodyPart(
        facts=(
            Fact(term="When", when="2020-02-06 13:00/14:30 Europe/Brussels"),
            Fact(term="Until", deadline="2020-02-03"),
            Fact(term="People", value="*84*"),
        )
    ),
    BodyPart(
        image=Picture(
            file="small.png", alt="A face", credit="Us", size="small", url="https://a.example/face"
        )
    ),
    BodyPart(
        links=(
            Link(
                label="All of the paper",
                url="https://a.example/listed",
                by="An author",
                note="It is long.",
            ),
        )
    ),
)
"""Parts in an order of their own."""


def other_way(language: str) -> str:
    """A language that runs the other way."""
    return "en" if language == "ar" else "ar"


def everything(language: str) -> Issue:
    """An issue that uses each part of a theme."""
    return Issue(
        id="2020-01",
        title="January 2020",
        date=dt.date(2020, 1, 31),
        language=language,
        subject="All of it",
        preheader="One line that goes on from the subject and says more",
        greeting="Dear {{ name | friend }},",
        introduction="Hello {{ name | friend }}, this is all.\n\n    A line of code",
        web_url="https://a.example/2020-01",
        strapline="For all who read",
        sections=(
            Section(id="first", title="The first section"),
            Section(id="looks", title="Looks", body=(BodyPart(text="How they look."),)),
        ),
        stories=(
            FULL_STORY.model_copy(update={"id": "lead", "headline": "The lead"}),
            FULL_STORY,
            FULL_STORY.model_copy(
                update={"id": "loose", "headline": "A loose one", "section": None}
            ),
            FULL_STORY.model_copy(
                update={
                    "id": "borrowed",
                    "headline": "A borrowed one",
                    "language": other_way(language),
                    "download": Download(label="The guide", file="guide.pdf"),
                }
            ),
            Story(
                id="bare", headline="A bare one", section="first", blurb="Text.", highlight="So."
            ),
            *(
                Story(id=look, look=look, section="looks", body=LISTED)
                for look in ("event", "call", "statement", "highlights", "sponsor")
            ),
        ),
        closing=(BodyPart(text="Written by two."),),
        posts=(Post(text="What we posted", url="https://a.example/post", network="Mastodon"),),
    )


@functools.cache
def edition_of(theme: str, language: str) -> Edition:
    """An edition of :func:`everything`."""
    issue = everything(language)
    return compile_edition(CompileInput(issue, SOURCE, THEMES[theme], SETTINGS, material_of(issue)))


LOGO = PreparedPicture("logo-0123abcd.png", "image/png", 320, 80, shown=160, content=b"a logo")


def with_logo(theme: Theme) -> Theme:
    """The theme with a logo, which :data:`LOGO` stands for."""
    logo = Logo(file="logo.png", alt="Two hands", width=160)
    return replace(theme, settings=theme.settings.model_copy(update={"logo": logo}))


@functools.cache
def stages_of(theme: str, language: str) -> Stages:
    """What each step makes of :func:`everything`, with a logo and an attached document."""
    issue = everything(language)
    mail = SETTINGS.mail.model_copy(update={"downloads": "attach"})
    return compile_stages(
        CompileInput(
            issue,
            SOURCE,
            with_logo(THEMES[theme]),
            SETTINGS.model_copy(update={"mail": mail}),
            replace(material_of(issue), logo=LOGO),
        )
    )


def compiled_with(theme: Theme, issue: Issue, material: Material | None = None) -> Edition:
    """An edition of an issue, with a theme of one's own."""
    return compile_edition(
        CompileInput(issue, SOURCE, theme, SETTINGS, material or material_of(issue))
    )


@functools.cache
def _loaded() -> dict[str, LoadedIssue]:
    return load_languages(ROOT / "issues" / "2017-03.yaml", fields=SETTINGS.audience.fields)


def sized(theme: str, issue: Issue, material: Material) -> Material:
    """The material with its pictures as wide as the theme shows them."""
    look, lead = THEMES[theme].settings.pictures, issue.lead_story
    pictures = dict(material.pictures)
    for path, picture in issue.pictures():
        if not picture.size:
            width = look.lead if lead and lead.opening is picture else look.story
            pictures[path] = replace(pictures[path], shown=width)
    return replace(material, pictures=pictures)


@functools.cache
def march_of(theme: str, language: str = "en") -> tuple[LoadedIssue, Material, Edition]:
    """The March 2017 issue of this repository, with made-up pictures as wide as the theme's."""
    loaded = _loaded()[language]
    material = sized(theme, loaded.issue, material_of(loaded.issue))
    edition = compile_edition(
        CompileInput(loaded.issue, loaded.source, THEMES[theme], SETTINGS, material)
    )
    return loaded, material, edition


def bound_html(edition: Edition) -> str:
    """The HTML that one reader gets."""
    return bind(edition.html, {slot.token: slot for slot in edition.slots}, READER)


def page_of(edition: Edition) -> HtmlElement:
    """That HTML, parsed."""
    return lxml_html.document_fromstring(bound_html(edition))
