"""Words and Markdown texts as Hypothesis makes them up, each known from its making.

A text is made piece by piece, so what it says is known and nothing here parses
Markdown. Each word ends in a number of its own, such as ``ǫ17ɋ``, by which it
is found again wherever it comes out; what stands before the number is whatever
Unicode allows.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

LANGUAGES = ("ar", "en", "es", "fr")
NUMBER, HEAD, END = "ǫ", "ɦ", "ɋ"
"""What stands around a word's number; words of a table's head have a sign of their own."""

_HOSTILE = (
    "محمد", "שלום", "می‌خواهم", "ﷺ", "\u200fرلم\u200f", "\u2067عزل\u2069", "٢٠١٧", "שלום\u200e(2)",
    "👩‍👩‍👧‍👦", "🏳️‍🌈", "👍🏽", "🇧🇪", "e\u0301", "a\u0323\u0308", "क्षि", "ก็", "한국어", "日本語、",
    "（中文）", "ﬁ", "ß", "İ", "𝔘", "10\u00a0000", "re\u00adport", "a\u2011b", "c\u2060d",
    "x\u3000y",
    "&", "&amp;", "&#60;", "AT&T;", "<b>", "</td>", "<!--", "-->", "]]>", "<![endif]", "<script>",
    '"', "'", "‘’", "don't", "\\", "\\n", "`", "``", "{a}", "}", "%}", "{#", "$HOME", "%s", "%20",
    "*", "**a", "_", "__init__", "~~", "#", "1.", "-", "+", "--", "...", "(c)", ">", "|", "=", "!",
    "[", "]", "(", "![x]", "[1]", ":", "—", "@", "http:", "www.a.example",
)  # fmt: skip
_PLAIN = {
    "ar": ("في", "الحرية،", "المدافعون"),
    "en": ("the", "freedom,", "defenders"),
    "es": ("la", "libertad,", "defensoras"),
    "fr": ("la", "liberté,", "défenseurs"),
}
# What the model refuses, spaces, and braces, which would make fields.
_REFUSED = "\u202d\u202e\ufffe\uffff" + "".join(map(chr, range(0xFDD0, 0xFDF0)))
_ANY = st.text(
    st.characters(
        exclude_categories=("Cc", "Cs", "Zs", "Zl", "Zp"),
        exclude_characters=NUMBER + HEAD + END + "{}“«" + _REFUSED,
    ),
    max_size=8,
)
_PATHS = (
    "", "a", "a?x=1&y=2", "größe", "a(b)c", "%C3%A9", "a'b", 'a"b', "#part", "محمد", "a;b=c", "[1]",
    "👩‍👩‍👧", "a_b_c", "*x*", "~u", "a,b.c", "a|b", "`", "a<b>c", "a\\b", "-" * 90, "{x}",
)  # fmt: skip
_HOSTS = ("defenders.example", "münchen.example", "defenders.example:8080")
_SAFE_PATHS = ("", "a", "a?x=1&y=2", "a(b)c", "#part", "a_b_c", "*x*", "a;b=c,d", "-" * 90)
_ASCII_MARKS = re.compile(r"([!-/:-@\[-`{-~])")


@dataclass(frozen=True)
class Prose:
    """A Markdown text and what it says.

    Attributes:
        markdown: the text as an editor writes it.
        numbers: of its words, in reading order; those of table heads apart.
        heads: of the words in heads of tables.
        linked: addresses behind words, in order.
        bare: addresses that stand in the text as they are.
    """

    markdown: str
    numbers: tuple[str, ...] = ()
    heads: frozenset[str] = frozenset()
    linked: tuple[str, ...] = ()
    bare: tuple[str, ...] = ()


@dataclass
class _Taken:
    """What a Markdown text has said so far."""

    numbers: list[str] = field(default_factory=list)
    heads: list[str] = field(default_factory=list)
    linked: list[str] = field(default_factory=list)
    bare: list[str] = field(default_factory=list)


class Maker:
    """Makes the parts of one issue; ``words`` has each word it made, by its number."""

    def __init__(self, draw: DrawFn, language: str) -> None:
        self.draw = draw
        self.words: dict[str, str] = {}
        self._numbers = map(str, itertools.count(1))
        self._payloads = (*_HOSTILE, *_PLAIN[language] * 8, *[None] * 16)
        self._lines: list[str] = []
        self._urls: list[str] = []

    def chance(self, one_in: int = 2) -> bool:
        return self.draw(st.integers(1, one_in)) == one_in

    def some(self, least: int, most: int) -> range:
        return range(self.draw(st.integers(least, most)))

    def word(self, *, mark: str = NUMBER, without: str = "") -> tuple[str, str]:
        """A word and its number."""
        number = next(self._numbers)
        known = self.draw(st.sampled_from(self._payloads))
        payload = self.draw(_ANY) if known is None else known
        # The model trims what counts as white space at the ends of a text.
        payload = "".join(char for char in payload if char not in without).lstrip()
        payload = re.sub("//|mailto:", "", payload)  # or there would be one more address
        self.words[number] = word = f"{payload}{mark}{number}{END}"
        return word, number

    def line(self, most: int = 4) -> str:
        """A text on one line; now and then one that stands elsewhere already."""
        if self._lines and self.chance(8):
            return self.draw(st.sampled_from(self._lines))
        self._lines.append(" ".join(self.word()[0] for _ in self.some(1, most)))
        return self._lines[-1]

    def url(self) -> str:
        """An address; now and then one that stands elsewhere already."""
        if self._urls and self.chance(6):
            return self.draw(st.sampled_from(self._urls))
        if self.chance(12):
            url = "mailto:desk@defenders.example?subject=a&body=b"
        else:
            host, path = self.draw(st.sampled_from(_HOSTS)), self.draw(st.sampled_from(_PATHS))
            url = f"https://{host}/{path}"
        self._urls.append(url)
        return url

    def prose(self, *, fields: bool = False, most: int = 3) -> Prose:
        """A Markdown text; ``fields`` puts merge fields into its first paragraph."""
        taken = _Taken()
        opening = [self._paragraph(taken, fields=fields)] if fields else []
        kinds: Sequence[Callable[[_Taken], str]] = (
            self._paragraph, self._paragraph, self._paragraph, self._heading, self._bullets,
            self._numbered, self._quoted, self._code, self._table, self._reference, self._rule,
        )  # fmt: skip
        blocks = [self.draw(st.sampled_from(kinds))(taken) for _ in self.some(1, most)]
        return Prose(
            "\n\n".join(opening + blocks),
            tuple(taken.numbers),
            frozenset(taken.heads),
            tuple(taken.linked),
            tuple(taken.bare),
        )

    # Within a line of Markdown

    def _words(self, taken: _Taken, most: int = 3) -> str:
        return " ".join(_escaped(self._taken(taken)) for _ in self.some(1, most))

    def _taken(self, taken: _Taken, *, head: bool = False, without: str = "") -> str:
        word, number = self.word(mark=HEAD if head else NUMBER, without=without)
        (taken.heads if head else taken.numbers).append(number)
        return word

    def _strong(self, taken: _Taken) -> str:
        return f"**{self._words(taken)}**"

    def _stressed(self, taken: _Taken) -> str:
        return f"*{self._words(taken)}*"

    def _struck(self, taken: _Taken) -> str:
        return f"~~{self._words(taken)}~~"

    def _said(self, taken: _Taken) -> str:
        return f'"{self._words(taken)}"'

    def _code_span(self, taken: _Taken) -> str:
        return f"``` {self._taken(taken, without='`')} ```"

    def _link(self, taken: _Taken) -> str:
        label, url = self._words(taken), self.url()
        taken.linked.append(url)
        return f"[{label}](<{_in_brackets(url)}>)"

    def _bare(self, taken: _Taken) -> str:
        url = f"https://defenders.example/{self.draw(st.sampled_from(_SAFE_PATHS))}"
        taken.bare.append(url)
        return f"<{url}>"

    def _field(self, taken: _Taken) -> str:
        """A merge field; which of its two words is told depends on the reader."""
        fallback, number = self.word(without="{}|")
        taken.numbers.append(f"name or {number}")
        return f"{{{{ name | {fallback} }}}}"

    def _inline(self, taken: _Taken, *, gaps: Sequence[str] = (" ",), most: int = 4) -> str:
        kinds = (
            self._words, self._words, self._words, self._strong, self._stressed, self._struck,
            self._said, self._code_span, self._link, self._bare,
        )  # fmt: skip
        # Words last, so that no closing quotation mark touches an address.
        pieces = [self.draw(st.sampled_from(kinds))(taken) for _ in self.some(0, most)]
        pieces.append(self._words(taken))
        made = pieces[0]
        for piece in pieces[1:]:
            made += self.draw(st.sampled_from(gaps)) + piece
        return made

    # Blocks of Markdown

    def _paragraph(self, taken: _Taken, *, fields: bool = False) -> str:
        start = self._field(taken) + " " if fields else ""
        return start + self._inline(taken, gaps=(" ", " ", "\n", "  \n", "\\\n"))

    def _heading(self, taken: _Taken) -> str:
        return "#" * self.draw(st.integers(1, 4)) + " " + self._inline(taken, most=1)

    def _bullets(self, taken: _Taken) -> str:
        gap = "\n\n" if self.chance(3) else "\n"
        items = []
        for _ in self.some(1, 3):
            items.append("- " + self._inline(taken, most=1))
            if self.chance(4):
                items.append("  1. " + self._inline(taken, most=1))
        return gap.join(items)

    def _numbered(self, taken: _Taken) -> str:
        start = self.draw(st.sampled_from((1, 1, 9, 98)))
        return "\n".join(
            f"{start + place}. {self._inline(taken, most=1)}" for place in self.some(1, 3)
        )

    def _quoted(self, taken: _Taken) -> str:
        return "> " + self._inline(taken, gaps=(" ", "\n> "))

    def _code(self, taken: _Taken) -> str:
        lines = [self._taken(taken) for _ in self.some(1, 2)]
        return "\n".join(("~~~~~~", *lines, "~~~~~~"))

    def _table(self, taken: _Taken) -> str:
        columns, rows = self.some(1, 3), self.some(1, 2)
        head = [_escaped(self._taken(taken, head=True)) for _ in columns]
        body = [[self._cell(taken) for _ in columns] for _ in rows]
        lines = (head, ["---"] * len(columns), *body)
        return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)

    def _cell(self, taken: _Taken) -> str:
        kinds = (self._words, self._words, self._strong, self._stressed)
        return self.draw(st.sampled_from(kinds))(taken)

    def _reference(self, taken: _Taken) -> str:
        """A link whose address stands below the paragraph, as on the last line of a text."""
        label, number = self._words(taken), next(self._numbers)
        url = f"https://defenders.example/{self.draw(st.sampled_from(_SAFE_PATHS))}"
        taken.linked.append(url)
        return f"[{label}][to {number}] {self._words(taken)}\n\n[to {number}]: {url}"

    def _rule(self, taken: _Taken) -> str:
        return f"***\n\n{self._words(taken)}"


def _escaped(word: str) -> str:
    return _ASCII_MARKS.sub(r"\\\1", word)


def _in_brackets(url: str) -> str:
    return re.sub(r"([\\<>])", r"\\\1", url)
