"""Whether both parts of a mail say what the issue says, and nothing besides."""

from __future__ import annotations

import functools
import tomllib
from collections import Counter
from collections.abc import Iterator

from newsletter.model import Issue, Story

from tests.render.generated import Made
from tests.render.generated_texts import END, Prose
from tests.render.read_parts import Phrases, read_html, read_text
from tests.render.reading import NUMBERED, Reading, Told, address, core, flat, told
from tests.support.tools import ROOT


def differences(made: Made, html: str, text: str, *, around: Counter[str]) -> list[str]:
    """What a part lacks or says too often: a sentence each.

    Args:
        made: the issue, and what its texts say.
        html: the HTML part, with the reader's values in it.
        text: the text part, likewise.
        around: addresses that each mail leads to besides, whatever the issue.
    """
    phrases = _phrases()
    wanted = {part: _expected(made, part, around) for part in ("HTML", "text")}
    return [
        *_compared("HTML", made, wanted["HTML"], read_html(html, phrases)),
        *_compared("text", made, wanted["text"], read_text(text, phrases)),
    ]


@functools.cache
def _phrases() -> Phrases:
    folder = ROOT / "templates" / "default" / "words"
    files = [tomllib.loads(path.read_text(encoding="utf-8")) for path in folder.iterdir()]
    return {key: tuple(words[key] for words in files) for key in files[0]}


def _compared(part: str, made: Made, wanted: Reading, found: Reading) -> Iterator[str]:
    for name, value in vars(wanted).items():
        there = getattr(found, name)
        if isinstance(value, Counter):
            yield from (f"{part} lacks of {name}: {each}" for each in (value - there).elements())
            yield from (f"{part} adds to {name}: {each}" for each in (there - value).elements())
        elif name != "whole" and value != there:
            yield f"{part} says another {name}: {there}, not {value}"
    for mark, number in set(NUMBERED.findall(found.whole)):
        word = flat(made.words[number])
        if found.whole.count(word) != found.whole.count(f"{mark}{number}{END}"):
            yield f"{part} changes the word {word!r}"


def _above(story: Story, issue: Issue) -> str:
    """The kicker; the lead that has none stands below the title of its section."""
    titles = {section.id: section.title for section in issue.sections}
    leads = story is issue.lead_story and story.section
    return story.kicker or (titles[story.section or ""] if leads else "")


def _expected(made: Made, part: str, around: Counter[str]) -> Reading:
    issue = made.issue
    links = Counter(
        (core(label), address(url))
        for story in issue.stories
        for label, url in (
            *((each.label, each.url) for each in story.links),
            *((each.label, each.url) for each in (story.download,) if each),
            *((each.title, each.url) for each in (story.background,) if each),
        )
    )
    posts = Counter(
        (core(post.network), core(post.text), address(post.url)) for post in issue.posts
    )
    others = [story for story in issue.stories if story is not issue.lead_story]
    # The HTML has its list below the lead story, and only where there is much to list.
    listed = others if len(issue.stories) > 4 else []
    contents = listed if part == "HTML" else issue.stories
    told_sections = {story.section for story in others}
    proses = [made.introduction, *made.blurbs.values(), *made.quotes.values()]
    return Reading(
        opening=_opening(made),
        contents=Counter(flat(each.name) for each in contents),
        sections=Counter(flat(each.title) for each in issue.sections if each.id in told_sections),
        titles=Counter(flat(_above(each, issue) + each.name) for each in issue.stories),
        blurbs=Counter(_told_by(made.blurbs[each.id]) for each in issue.stories),
        highlights=Counter(flat(each.highlight) for each in issue.stories if each.highlight),
        quotes=Counter(
            (_told_by(made.quotes[each.id]), flat(each.quote.by))
            for each in issue.stories
            if each.quote
        ),
        pictures=Counter(
            (flat(each.image.alt), flat(each.image.credit)) for each in issue.stories if each.image
        ),
        sources=Counter(core(each.source) for each in issue.stories if each.source),
        links=links,
        addresses=around
        + Counter(
            f"{page}#{each.id}"
            for page in around
            if page.endswith(f"/{issue.id}.{issue.language}.html") and part == "HTML"
            for each in listed
        )
        + Counter(url for _, url in links.elements())
        + Counter(url for *_, url in posts.elements())
        + Counter(address(url) for prose in proses for url in _leads_to(prose, part)),
        posts=posts,
    )


def _opening(made: Made) -> Told:
    greeting, heads = told(made.greeting)
    return (*greeting, *made.introduction.numbers), heads | made.introduction.heads


def _told_by(prose: Prose) -> Told:
    return prose.numbers, prose.heads


def _leads_to(prose: Prose, part: str) -> tuple[str, ...]:
    # The text part lists an address that several words lead to once, below the first.
    linked = prose.linked if part == "HTML" else tuple(dict.fromkeys(prose.linked))
    return linked + prose.bare
