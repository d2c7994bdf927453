"""Whole issues as Hypothesis makes them up, with what a reader must find in each."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence
from dataclasses import dataclass

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn
from newsletter.model import (
    Background,
    Download,
    Issue,
    Link,
    Picture,
    Post,
    Quote,
    Section,
    Story,
)

from tests.render.generated_texts import LANGUAGES, Maker, Prose


@dataclass
class Made:
    """An issue, what each of its texts says, and a reader to send it to."""

    issue: Issue
    words: dict[str, str]
    blurbs: dict[str, Prose]
    quotes: dict[str, Prose]
    introduction: Prose
    greeting: str
    reader: dict[str, str]


@st.composite
def made_issues(draw: DrawFn, language: str, *, full: bool = False) -> Made:
    """An issue of 1 to 25 stories; ``full`` makes it five stories with every part."""
    make = Maker(draw, language)
    sections = [Section(id=f"section-{number}", title=make.line()) for number in make.some(0, 3)]
    blurbs: dict[str, Prose] = {}
    quotes: dict[str, Prose] = {}
    stories = []
    for place in range(5 if full else draw(_STORIES)):
        story = f"story-{place}"
        blurbs[story] = make.prose()
        if full or make.chance():
            quotes[story] = make.prose(most=2)
        stories.append(_story(make, story, sections, blurbs[story], quotes.get(story), whole=full))
    introduction = make.prose(fields=True, most=2) if full or make.chance() else Prose("")
    networks = [make.line(2) for _ in make.some(1, 2)]
    name, number = make.word()
    name = draw(st.sampled_from((name, "")))
    fallback = make.word(without="{}|")[0]
    greeted = full or make.chance()
    issue = Issue(
        id="2026-01",
        title=make.line(),
        date=dt.date(2026, 1, 31),
        language=language,
        subject=f"{make.line()} {{{{ name | {fallback} }}}}",
        preheader=f"{{{{ name }}}} {make.line()}",
        greeting=f"{make.line()} {{{{ name | {fallback} }}}}," if greeted else None,
        introduction=introduction.markdown or None,
        web_url=make.url() if make.chance() else None,
        lead=f"story-{len(stories) - 1}" if make.chance() else None,
        sections=tuple(sections),
        stories=tuple(stories),
        posts=tuple(
            Post(text=make.line(), url=make.url(), network=draw(st.sampled_from(networks)))
            for _ in make.some(1 if full else 0, 4)
        ),
    )
    told = name or fallback
    return Made(
        issue,
        make.words,
        blurbs,
        quotes,
        _bound(introduction, number if name else None),
        re.sub(r"\{\{.*?\}\}", lambda _: told, issue.greeting or ""),
        {"name": name, "email": "r@readers.example", "unsubscribe_url": "https://out.example/u"},
    )


_STORIES = st.sampled_from((1, 1, 2, 2, 3, 3, 4, 4, 5, 6, 7, 9, 12, 25))


def _story(
    make: Maker,
    name: str,
    sections: Sequence[Section],
    blurb: Prose,
    quote: Prose | None,
    *,
    whole: bool,
) -> Story:
    def has(one_in: int = 2) -> bool:
        return whole or make.chance(one_in)

    return Story(
        id=name,
        headline=make.line(8),
        section=make.draw(st.sampled_from((None, *(each.id for each in sections)))),
        kicker=make.line() if has() else None,
        blurb=blurb.markdown,
        highlight=("9" if make.chance() else "") + make.line() if has() else None,
        quote=Quote(text=quote.markdown, by=make.line()) if quote else None,
        image=Picture(file="p.jpg", alt=make.line(), credit=make.line()) if has(3) else None,
        background=Background(title=make.line(), text="Long.", url=make.url()) if has(3) else None,
        links=tuple(
            Link(
                label=make.line(6),
                url=make.url(),
                language=make.draw(st.sampled_from((None, "ru", "ar", "pt-BR"))),
            )
            for _ in make.some(2 if whole else 0, 3)
        ),
        download=Download(label=make.line(), url=make.url()) if has(3) else None,
        source=make.line() if has() else None,
        language=make.draw(st.sampled_from((None, None, None, None, *LANGUAGES, "ru", "de"))),
    )


def _bound(prose: Prose, name: str | None) -> Prose:
    """``prose`` for one reader: each merge field tells their name or its own fallback."""
    numbers = tuple(
        (name or number.removeprefix("name or ")) if number.startswith("name or ") else number
        for number in prose.numbers
    )
    return Prose(prose.markdown, numbers, prose.heads, prose.linked, prose.bare)
