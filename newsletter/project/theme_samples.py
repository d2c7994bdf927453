"""Issues that try out a theme: with every part, with nothing but a story, with sixty parts."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from newsletter.config import Mail, Organisation, Settings
from newsletter.material import Document, Material, PreparedPicture
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
    direction,
)
from newsletter.theme import Theme

SETTINGS = Settings.model_validate(
    {
        "list": {
            "id": "news.defenders.example",
            "name": "Defenders’ News",
            "unsubscribe_url": "https://news.defenders.example/leave/{token}",
        },
        "sender": {"name": "Defenders’ News", "address": "news@defenders.example"},
        "organisation": {
            "name": "The Defenders",
            "postal_address": "1 Example Street, Brussels",
            "about": "Who we are, in a sentence.",
            "phone": "+32 2 555 01 00",
            "contact": "contact@defenders.example",
            "website": "https://defenders.example/",
            "follow": [{"label": "Mastodon", "url": "https://social.example/@defenders"}],
            "direct_access": [{"label": "Apply for help", "url": "https://defenders.example/help"}],
            "news_feed": "https://defenders.example/news.atom",
            "subscribe": "https://news.defenders.example/subscribe",
        },
        "archive": {"url": "https://news.defenders.example/archive/"},
    }
)
_BARE = SETTINGS.model_copy(
    update={
        "organisation": Organisation(name="The Defenders", postal_address="1 Example Street"),
        "archive": None,
        "mail": Mail(pictures="inline", downloads="attach"),
    }
)
"""As little as there can be: no links in the footer, no archive."""
_SITE = "https://defenders.example/"
_LONG_WORD = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft"
_MARKDOWN = (
    "Plain, *stressed* and [linked](https://defenders.example/in-text).\n\n- one\n- two\n\n"
    "1. first\n\n# Below\n\n> said by others\n\n| Place | Count |\n|---|---|\n| Here | 7 |"
)
_HILL = Picture(file="hill.jpg", alt="Drawing of a hill above a town", credit="A Painter")
_STORY = Story(
    id="every",
    headline="A story with every part",
    section="first",
    kicker="Tbilisi",
    blurb=_MARKDOWN,
    highlight="3,064 times it was counted.",
    quote=Quote(text="We stay.\n\nWe work.", by="Somebody, defender"),
    image=_HILL.model_copy(),
    background=Background(title="How it began", text="Long.", url=f"{_SITE}background"),
    links=(
        Link(label="Read the story", url=f"{_SITE}story"),
        Link(label="Отчёт", url=f"{_SITE}ru", language="ru", by="An author", note="It is long."),
    ),
    download=Download(label="The paper (PDF)", url=f"{_SITE}paper.pdf", language="fr"),
    source="An agency",
)
_LISTED = (
    BodyPart(text="Come and listen."),
    BodyPart(
        facts=(
            Fact(term="When", when="2020-02-06 13:00/14:30 Europe/Brussels"),
            Fact(term="Answer by", deadline="2020-02-03"),
            Fact(term="People", value="*84*"),
        )
    ),
    BodyPart(
        image=Picture(
            file="face.jpg", alt="A face", credit="A Friend", size="small", url=f"{_SITE}face"
        )
    ),
    BodyPart(links=(Link(label="All of the programme", url=f"{_SITE}programme"),)),
)


def settings_for(issue: Issue) -> Settings:
    """With what the issue is sent: the bare one with as little as there can be."""
    return SETTINGS if issue.web_url else _BARE


def samples(theme: Theme) -> Mapping[str, Issue]:
    """What to try a theme with, by what it is; each language that it speaks is in one."""
    languages = sorted(theme.words, key=lambda each: (each != "en", each))
    first = languages[0]
    full = {direction(each): each for each in reversed(languages)}
    return {
        **{f"every part, {language}": every_part(language) for language in full.values()},
        **{
            f"one story, {language}": Issue(**_frame(language), stories=(_bare("one"),))
            for language in languages
            if language not in full.values()
        },
        "one story and nothing else": Issue(
            **{**_frame(first), "web_url": None, "greeting": None}, stories=(_bare("one"),)
        ),
        "sixty parts and long words": Issue(**_frame(first), stories=(_sixty(),)),
        "no lead": Issue(
            **_frame(first), lead="none", stories=tuple(map(_bare, ("one", "two", "three")))
        ),
    }


def every_part(language: str) -> Issue:
    """An issue with each part in each place, and a story that runs the other way."""
    other = "ar" if direction(language) == "ltr" else "en"
    stories = (
        _STORY.model_copy(update={"id": "lead", "headline": "The lead", "image": _HILL}),
        _STORY,
        _STORY.model_copy(update={"id": "loose", "headline": "Without section", "section": None}),
        _STORY.model_copy(
            update={
                "id": "borrowed",
                "headline": "A story from elsewhere",
                "language": other,
                "download": Download(label="The guide", file="guide.pdf"),
            }
        ),
        *(
            Story(id=look, headline=f"What has the look {look}", look=look, section="looks",
                  body=_LISTED)
            for look in ("event", "call", "statement", "highlights", "sponsor")
        ),
        Story(id="nameless", section="looks", body=_LISTED),
    )  # fmt: skip
    return Issue(
        **_frame(language),
        strapline="For all who read",
        introduction="Hello {{ name | friend }}, this is new.\n\n    A line of code",
        sections=(
            Section(id="first", title="The first section"),
            Section(id="looks", title="Looks", body=(BodyPart(text="How they look."),)),
        ),
        stories=stories,
        posts=(Post(text="What we posted", url=f"{_SITE}post", network="Mastodon"),),
        closing=(BodyPart(text="Written by two."),),
    )


def _frame(language: str) -> dict[str, Any]:
    """What every issue has."""
    return {
        "id": "2020-01",
        "title": "January 2020",
        "date": dt.date(2020, 1, 31),
        "language": language,
        "subject": "What is new this month",
        "preheader": "A line that goes on from the subject and says more of what is new",
        "greeting": "Dear {{ name | friend }},",
        "web_url": f"{_SITE}2020-01",
    }


def _bare(name: str) -> Story:
    return Story(id=name, headline=f"Nothing but {name}", blurb="A sentence.")


def _sixty() -> Story:
    word = _LONG_WORD
    body = [
        part
        for number in range(10)
        for part in (
            BodyPart(text=f"{word}, less & more, and so on. `{word}`"),
            BodyPart(highlight=word),
            BodyPart(quote=Quote(text=word, by=word)),
            BodyPart(facts=(Fact(term=word, value=word),)),
            BodyPart(links=(Link(label=word, url=f"{_SITE}{number}/{'a-long-way' * 12}"),)),
            BodyPart(image=_HILL.model_copy(update={"credit": word})),
        )
    ]
    return Story(id="sixty", headline=word, body=tuple(body))


def material_for(issue: Issue, theme: Theme) -> Material:
    """Pictures and documents for an issue, as wide as the theme shows them; all made up."""
    shown, lead = theme.shown, issue.lead_story
    pictures = {}
    for path, picture in issue.pictures():
        width = shown.lead if lead and lead.opening is picture else shown.story
        pictures[path] = _picture(picture.file, shown.small if picture.size else width)
    documents = {
        name: Document(name, "0123abcd", "application/pdf", b"%PDF-1.7")
        for _, name in issue.files()
    }
    logo = _picture("logo.jpg", shown.logo.width) if shown.logo else None
    return Material(pictures, documents, logo)


def _picture(file: str, shown: int) -> PreparedPicture:
    name = f"{Path(file).stem}-0123abcd.jpg"
    return PreparedPicture(name, "image/jpeg", 2 * shown, shown, shown=shown, content=b"picture")
