"""Slots: the places of an edition that differ from reader to reader. No I/O.

While an edition is compiled, each slot is a token of letters and digits, such
as ``Zq3f9a01c7x0002qZ``. Nothing that MJML, lxml or premailer does to text or
attributes changes such a token, and its nonce, taken from a digest of the
sources, cannot occur in what the editor wrote. Binding replaces tokens by
values, escaped for the place they stand in.
"""

from __future__ import annotations

import hashlib
import re
import urllib.parse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from newsletter.errors import TemplateError
from newsletter.web_addresses import with_ascii_host

SlotContext = Literal["html", "url", "text", "header"]
"""Where a slot stands: HTML text or attribute, an HTML attribute holding a
whole URL, the text part, or a header."""

TOKEN = re.compile(r"Zq[0-9a-f]{8}x[0-9]{4}qZ")
# Controls, line breaks and the two characters that XML cannot hold.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ufffe\uffff]+")
_WEB_ADDRESS = re.compile(r"(?:https?://|mailto:)[^\s]", re.IGNORECASE)
# The characters that lxml escapes in text and in attributes, which it always
# puts in double quotes: so a value looks the same spliced in as rendered.
_HTML = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;"})


@dataclass(frozen=True, slots=True)
class Slot:
    """One open place: which field goes there, escaped for which context."""

    token: str
    field: str
    context: SlotContext
    fallback: str = ""

    def bind(self, values: Mapping[str, str]) -> str:
        """The text that replaces the token for one recipient.

        Control characters and line breaks never get through, so a value can
        neither start a header nor a line of its own. Where a whole URL belongs,
        a value that is none (``javascript:…``) gives the fallback instead.

        Raises:
            KeyError: ``values`` has no such field at all.
        """
        value = _CONTROL.sub(" ", values[self.field]).strip() or self.fallback
        if self.context == "html":
            return value.translate(_HTML)
        if self.context == "url":
            value = value if _WEB_ADDRESS.match(value) else self.fallback
            value = with_ascii_host(value)
            return urllib.parse.quote(value, safe=":/?&=#%+@,;~!$'()*[]").translate(_HTML)
        return value


def bind(text: str, slots: Mapping[str, Slot], values: Mapping[str, str]) -> str:
    """Replace every token in ``text``; the plain way that splicing must agree with."""
    return TOKEN.sub(lambda found: slots[found.group()].bind(values), text)


def nonce_for(sources: Sequence[str]) -> str:
    """Eight hex digits that depend on all sources and occur in none of them."""
    digest = hashlib.sha256()
    lowered = [text.lower() for text in sources]
    for text in sources:
        digest.update(f"{len(text)}:".encode() + text.encode())
    counter = 0
    while True:
        attempt = digest.copy()
        attempt.update(str(counter).encode())
        nonce = attempt.hexdigest()[:8]
        if not any(nonce in text for text in lowered):
            return nonce
        counter += 1


MOST_SLOTS = 1000
"""Places of one edition; each is looked for in every mail."""


_LONGEST_FALLBACK = 1000
"""Characters; a fallback is measured wherever its place stands in a line."""


def _bounded(fallback: str) -> None:
    if len(fallback) > _LONGEST_FALLBACK:
        raise TemplateError(
            f"A fallback has more than {_LONGEST_FALLBACK:,} characters.",
            next="Let the place of a reader's value have a shorter one.",
        )


class SlotRegistry:
    """Hands out one token per field, context and fallback while an edition is compiled."""

    def __init__(self, nonce: str) -> None:
        self._nonce = nonce
        self._slots: dict[tuple[str, SlotContext, str], Slot] = {}
        self._drafts: dict[str, tuple[str, str]] = {}
        self._fallbacks: dict[str, str] = {}

    @property
    def slots(self) -> tuple[Slot, ...]:
        """Every slot opened so far, in the order of opening."""
        return tuple(self._slots.values())

    def open(self, field: str, *, context: SlotContext, fallback: str = "") -> str:
        """The token that stands for a field in a context."""
        key = (field, context, fallback)
        if key not in self._slots:
            _bounded(fallback)
            self._slots[key] = slot = Slot(self._token(len(self._slots)), *key)
            self._fallbacks[slot.token] = fallback
        return self._slots[key].token

    def draft(self, field: str, *, fallback: str = "") -> str:
        """A token for a text whose context is not known yet; :meth:`settle` replaces it."""
        for token, known in self._drafts.items():
            if known == (field, fallback):
                return token
        _bounded(fallback)
        token = self._token(9999 - len(self._drafts))
        self._drafts[token] = (field, fallback)
        self._fallbacks[token] = fallback
        return token

    def settle(self, text: str, *, context: SlotContext) -> str:
        """Replace every draft in ``text`` by the token for its context."""

        def settled(found: re.Match[str]) -> str:
            if found.group() not in self._drafts:
                return found.group()
            field, fallback = self._drafts[found.group()]
            return self.open(field, context=context, fallback=fallback)

        return TOKEN.sub(settled, text)

    def as_fallbacks(self, text: str) -> str:
        """``text`` as a reader without values sees it, to measure it by."""
        if self._nonce not in text:
            return text
        return TOKEN.sub(lambda found: self._fallbacks.get(found.group(), found.group()), text)

    def faults(self, text: str) -> tuple[str, ...]:
        """What is left of tokens in ``text`` that a filter or the like has broken."""
        tokens = {slot.token for slot in self._slots.values()}
        rest = TOKEN.sub(lambda found: " " if found.group() in tokens else found.group(), text)
        if self._nonce not in rest.lower() and not TOKEN.search(rest):
            return ()
        broken = rf"(?<!\w)\w*{self._nonce}\w*|{TOKEN.pattern}"
        return tuple(dict.fromkeys(re.findall(broken, rest, re.IGNORECASE)))

    def _token(self, number: int) -> str:
        if len(self._slots) + len(self._drafts) >= MOST_SLOTS:
            raise TemplateError(
                f"More than {MOST_SLOTS:,} places differ from reader to reader.",
                next="Let merge fields have fewer fallbacks.",
            )
        return f"Zq{self._nonce}x{number:04d}qZ"
