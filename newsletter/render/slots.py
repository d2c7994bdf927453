"""Slots: the places of an edition that differ from reader to reader. No I/O.

While an edition is compiled, each slot is a token of letters and digits, such
as ``Zq3f9a01c7x0002qZ``. Nothing that MJML, lxml or premailer does to text or
attributes changes such a token, and its nonce, taken from a digest of the
sources, cannot occur in what the editor wrote. Binding replaces tokens by
values, escaped for the place they stand in.
"""

from __future__ import annotations

import html
import re
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Context = Literal["html", "url", "text", "header"]
"""Where a slot stands: HTML text or attribute, an HTML attribute holding a
whole URL, the text part, or a header."""

TOKEN = re.compile(r"Zq[0-9a-f]{8}x[0-9]{4}qZ")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")


@dataclass(frozen=True, slots=True)
class Slot:
    """One open place: which field goes there, escaped for which context."""

    token: str
    field: str
    context: Context
    fallback: str = ""

    def bind(self, values: Mapping[str, str]) -> str:
        """The text that replaces the token for one recipient.

        Control characters and line breaks never get through, so a value can
        neither start a header nor a line of its own.

        Raises:
            KeyError: ``values`` has no such field at all.
        """
        value = _CONTROL.sub(" ", values[self.field]).strip() or self.fallback
        if self.context == "html":
            return html.escape(value, quote=True)
        if self.context == "url":
            return html.escape(urllib.parse.quote(value, safe=":/?&=#%+@,;~!$'()*[]"), quote=True)
        return value


def bind(text: str, slots: Mapping[str, Slot], values: Mapping[str, str]) -> str:
    """Replace every token in ``text``; the plain way that splicing must agree with."""
    return TOKEN.sub(lambda found: slots[found.group()].bind(values), text)
