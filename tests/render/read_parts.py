"""Reads the two parts of a mail, each by itself.

It knows how the two themes set a credit or a quote, as readers do, and
nothing of how the mail was made: it shares no code with the renderer or the
checks.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping
from itertools import zip_longest

from lxml import html as lxml_html
from lxml.html import HtmlElement

from tests.render.reading import NUMBERED, Reading, Told, address, core, flat, told

Phrases = Mapping[str, tuple[str, ...]]
"""The theme's set phrases, each in all languages: a story may be in another than its issue."""

_ADDRESS = re.compile(r"(?:https?://|mailto:)\S+")
_UNDERLINED = re.compile(r"((?:[^\n]+\n)+?)-+(?:\n\([^\n]+\))?\Z")
"""A title, the line below it, and maybe the language of the story."""
_BY = "    — "
_HIGHLIGHT = "  | "


# HTML

_ALONE = 'a[style*="inline-block"]:not(.post)'
"""Links that stand alone are blocks, to be hit with a thumb; those within a text are not."""
_OTHERS = "[class]:not(.wide)"
_OPENING = ".intro > div > *, .opening > div > *"
_IN_LANGUAGE = ".lead + p.credit, .head + p.credit"
"""Below a headline stands in which language its story is."""


def read_html(html: str, phrases: Phrases) -> Reading:
    """Read the HTML part."""
    (body,) = _all(lxml_html.document_fromstring(html), "body")
    for aside in _all(body, f"[style*='display:none'], [aria-hidden='true'], {_IN_LANGUAGE}"):
        aside.drop_tree()
    headlines = _all(body, "h2.lead, .head")
    return Reading(
        opening=told(" ".join(_words(each) for each in _all(body, _OPENING))),
        contents=_texts(body, "ul.item li"),
        sections=_texts(body, "td.section h2"),
        titles=Counter(map(_title, headlines)),
        blurbs=Counter(map(_below, headlines)),
        highlights=_texts(body, ".highlight"),
        quotes=Counter(map(_said, _all(body, "blockquote.said"))),
        pictures=Counter(
            zip_longest(
                (flat(each.get("alt", "")) for each in body.iter("img")),
                (flat(_words(each)) for each in _all(body, "p.credit")),
                fillvalue="",
            )
        ),
        sources=Counter(
            core(_without(_words(each), _starts(phrases, "source")))
            for each in _all(body, "p.source")
        ),
        links=Counter(
            (core(_words(each).lstrip("↓\u00a0 \n")), address(each.get("href")))
            for each in _all(body, _ALONE)
            if NUMBERED.search(_words(each))
        ),
        addresses=Counter(address(each.get("href")) for each in _all(body, "a[href]")),
        posts=Counter(
            (
                core(_without(_heading_of(each), _starts(phrases, "posted_on"))),
                core(_words(each)),
                address(each.get("href")),
            )
            for each in _all(body, "a.post")
        ),
        whole=flat(" ".join((_words(body), *(each.get("alt", "") for each in body.iter("img"))))),
    )


def _all(element: HtmlElement, selector: str) -> list[HtmlElement]:
    return list(element.cssselect(selector))


def _words(element: HtmlElement) -> str:
    return str(element.text_content())


def _texts(body: HtmlElement, selector: str) -> Counter[str]:
    return Counter(flat(_words(each)) for each in _all(body, selector))


def _title(headline: HtmlElement) -> str:
    before = headline.getprevious()
    kicker = _words(before) if before is not None and before.get("class") == "over" else ""
    return flat(kicker + _words(headline))


def _below(headline: HtmlElement) -> Told:
    """A story's text: what follows its headline up to a part with a form of its own."""
    found = []
    for each in headline.itersiblings():
        if _all(each, "img"):
            continue  # a small picture that the text runs round
        # What Markdown makes has no class, but for the frame of a table.
        if each.get("class", "wide") != "wide" or _all(each, _OTHERS) or _all(each, _ALONE):
            break
        found.append(_words(each))
    return told(" ".join(found))


def _said(quote: HtmlElement) -> tuple[Told, str]:
    by = _all(quote, "p.by")
    words = " ".join(_words(each) for each in quote if each not in by)
    return told(words), "".join(flat(_words(each).removeprefix("—")) for each in by)


def _heading_of(post: HtmlElement) -> str:
    return str(post.xpath("preceding::h2[1]")[0].text_content())


def _starts(phrases: Phrases, *keys: str) -> tuple[str, ...]:
    """What phrases say before the place to fill in."""
    return tuple(phrase.partition("{")[0] for key in keys for phrase in phrases[key])


def _without(text: str, starts: tuple[str, ...]) -> str:
    """``text`` without the longest of ``starts`` that it begins with."""
    text = text.strip()
    fitting = [start for start in starts if text.startswith(start)]
    return text.removeprefix(max(fitting, key=len, default=""))


# Text


def read_text(text: str, phrases: Phrases) -> Reading:
    """Read the text part."""
    reading = Reading(
        addresses=Counter(map(address, _ADDRESS.findall(text))),
        # Words of scripts without spaces go on in the next line, behind its mark.
        whole=flat(re.sub(r"^ *(?:[|>] )+", "", text, flags=re.MULTILINE)),
    )
    _, opening, *rest = _chunks(text)
    chunks = (chunk for chunk in rest if NUMBERED.search("".join(chunk)))
    _read_opening(opening, reading, phrases)
    posted = _starts(phrases, "posted_on")
    network = ""
    for chunk in chunks:
        first = chunk[0]
        if _UNDERLINED.match(first):
            _read_story(chunk, reading, phrases)
        elif len(chunk) == 1 and first.startswith(posted):
            network = core(_without(first, posted))
        elif _is_link(first, ""):
            for label, url in map(_link, chunk):
                reading.posts[network, label, url] += 1
        else:
            reading.sections[flat("\n".join(chunk))] += 1
    return reading


def _chunks(text: str) -> list[list[str]]:
    """The text's paragraphs, apart where a line runs across."""
    lines = text.rstrip("\n").split("\n")
    chunks: list[list[str]] = [[]]
    for before, line in zip(["", *lines], lines, strict=False):
        if line == "=" * 24 or (line == "---" and not before):
            chunks.append([])
        else:
            chunks[-1].append(line)
    paragraphs = ("\n".join(chunk).strip("\n") for chunk in chunks)
    return [each.split("\n\n") for each in paragraphs if each]


def _is_link(paragraph: str, after: str) -> bool:
    """Whether a paragraph is a label, which ends in ``after``, above an address."""
    *label, last = paragraph.split("\n")
    return bool(label) and label[-1].endswith(after) and _ADDRESS.fullmatch(last) is not None


def _link(paragraph: str) -> tuple[str, str]:
    label, _, url = paragraph.rpartition("\n")
    return core(label), address(url)


def _read_opening(paragraphs: list[str], reading: Reading, phrases: Phrases) -> None:
    """“View in browser”, greeting, introduction, then the list of contents."""
    headings = tuple(f"{phrase}\n--" for phrase in phrases["in_this_issue"])
    place = next(i for i, each in enumerate(paragraphs) if each.startswith(headings))
    reading.opening = told("\n".join(paragraphs[:place]))
    items = re.split(r"^  \* ", "\n".join(paragraphs[place + 1 :]), flags=re.MULTILINE)
    # Below an item's last line the title of a section may stand, without indent.
    reading.contents = Counter(flat(re.split(r"\n(?! )", item)[0]) for item in items[1:])


def _read_story(paragraphs: list[str], reading: Reading, phrases: Phrases) -> None:
    title, *rest = paragraphs
    reading.titles[flat(_UNDERLINED.sub(r"\1", title))] += 1
    tail = next((i for i, each in enumerate(rest) if _ends_text(each, phrases)), len(rest))
    reading.blurbs[told("\n".join(rest[:tail]))] += 1
    lines = "\n\n".join(rest[tail:]).split("\n")
    while lines:
        _read_item(lines, reading, phrases)


def _ends_text(paragraph: str, phrases: Phrases) -> bool:
    """Whether a paragraph is no longer the story's text but a part with a form of its own."""
    starts = (_HIGHLIGHT, *_quote_starts(phrases), *_starts(phrases, "in_depth"))
    starts += _starts(phrases, "picture", "source")
    return paragraph.startswith(starts) or _is_link(paragraph, ":")


def _quote_starts(phrases: Phrases) -> tuple[str, ...]:
    return tuple(f"    {mark}" for mark in phrases["quote_open"])


def _read_item(lines: list[str], reading: Reading, phrases: Phrases) -> None:
    """Take the next item off the front of ``lines``."""
    if not lines[0]:
        lines.pop(0)
    elif lines[0].startswith(_HIGHLIGHT):
        marked = _taken(lines, lambda line: line.startswith(_HIGHLIGHT))
        reading.highlights[flat("".join(line.removeprefix(_HIGHLIGHT) for line in marked))] += 1
    elif lines[0].startswith(_quote_starts(phrases)):
        words = _taken(lines, lambda line: not line.startswith(_BY))
        by = "".join(_taken(lines, lambda line: line.startswith("      ")))
        reading.quotes[told("\n".join(words)), flat(by.removeprefix(_BY))] += 1
    elif lines[0].startswith(shown := _starts(phrases, "picture")):
        credited = _starts(phrases, "credit")
        alt = _taken(lines, lambda line: bool(line) and not line.startswith(credited))
        by = "\n".join(_taken(lines, bool))
        picture = flat(_without("\n".join(alt), shown)), flat(_without(by, credited))
        reading.pictures[picture] += 1
    else:
        paragraph = "\n".join(_taken(lines, bool))
        if _is_link(paragraph, ":"):
            label = _without(paragraph, _starts(phrases, "in_depth"))
            reading.links[_link(_without(label, _starts(phrases, "download")))] += 1
        else:
            reading.sources[core(_without(paragraph, _starts(phrases, "source")))] += 1


def _taken(lines: list[str], fits: Callable[[str], bool]) -> list[str]:
    """The first of ``lines`` and those after it that fit, taken off."""
    number = next((i for i, line in enumerate(lines) if i and not fits(line)), len(lines))
    taken, lines[:] = lines[:number], lines[number:]
    return taken
