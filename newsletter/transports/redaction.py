"""What the server says, before anybody sees or stores it. No I/O.

Relays and providers sometimes repeat what they were sent, the password or key
with it; some send pages where a line was meant, or bytes that steer a
terminal. Each of their words passes :meth:`Secrets.said`, and only then
reaches an outcome, an error, the ledger or a screen.
"""

from __future__ import annotations

import base64
import html
import json
import re
import string
from collections.abc import Iterable, Iterator
from urllib.parse import quote, quote_plus

LONGEST = 1000
"""Characters of a reply that are kept; the longest that are known of have some 500."""
_LOOKED_AT = 4 * LONGEST
_SHORTEST = 4
"""A shorter secret is none, and without its letters no reply could be read."""
_ENOUGH = 8
"""So many characters of a secret in a row are hidden, be the rest cut off."""
_HIDDEN = "[secret]"
# Where a reply of several lines was joined: its next line may begin with its code again.
_SEAM = re.compile(r"\s+(?:[245]\.[0-9]{1,3}\.[0-9]{1,3}\s+)?")
_LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)


class Redactor:
    """Passwords and keys of ours that no word of the server may bring back.

    Found are they as they are, in Base64 (in whatever company they were encoded,
    as in AUTH PLAIN and HTTP's Basic), in hexadecimal, and escaped for an address,
    for JSON or for HTML; in any case of letters, across line breaks, and cut off.

    Args:
        values: the secrets.
    """

    def __init__(self, values: Iterable[str] = ()) -> None:
        forms = {form for value in values if len(value) >= _SHORTEST for form in _forms(value)}
        forms = {form for form in forms if len(form) >= _SHORTEST}
        self._windows = {
            size: {form[at : at + size] for form in forms for at in range(len(form) - size + 1)}
            for size in {min(len(form), _ENOUGH) for form in forms}
        }
        # A run of so many windows' characters covers a whole block of half of them.
        self._block = (min(self._windows, default=0) + 1) // 2
        self._blocks = {
            form[at : at + self._block]
            for form in forms
            for at in range(len(form) - self._block + 1)
        }

    def redact(self, words: str) -> str:
        """One line that can be shown: short, printable, and without secrets."""
        cut = words[:_LOOKED_AT]
        # Unprintable characters within a secret would keep it from being seen, and then go.
        shown = "".join(char if char.isprintable() or char.isspace() else "" for char in cut)
        tidy = printable(" ".join(self.mask(shown).split()))
        return tidy if len(tidy) <= LONGEST else f"{tidy[: LONGEST - 1]}…"

    def mask(self, words: str) -> str:
        """``words`` with “[secret]” in the place of each secret."""
        if not self._may_hold(words):
            return words
        places = list(_places(words))
        compact = "".join([words[place] for place in places]).translate(_LOWER)
        hidden: list[tuple[int, int]] = []
        for at in range(len(compact)):
            for size, windows in self._windows.items():
                if compact[at : at + size] in windows:
                    first, last = places[at], places[at + size - 1]
                    if hidden and first <= hidden[-1][1] + 1:
                        first, last = hidden[-1][0], max(last, hidden.pop()[1])
                    hidden.append((first, last))
        shown, end = [], 0
        for first, last in hidden:
            shown += [words[end:first], _HIDDEN]
            end = last + 1
        return "".join([*shown, words[end:]])

    def _may_hold(self, words: str) -> bool:
        """Whether it is worth a closer look: asked for each reply of each message."""
        if not self._blocks:
            return False
        compact, size = _SEAM.sub("", words).translate(_LOWER), self._block
        return any(compact[at : at + size] in self._blocks for at in range(0, len(compact), size))


def printable(text: str) -> str:
    """The text without what could steer a terminal: people read these words there."""
    return text if text.isprintable() else "".join(filter(str.isprintable, text))


def _places(words: str) -> Iterator[int]:
    """Where the characters of ``words`` are that are no seam."""
    end = 0
    for seam in _SEAM.finditer(words):
        yield from range(end, seam.start())
        end = seam.end()
    yield from range(end, len(words))


def _forms(secret: str) -> Iterator[str]:
    """How a secret may come back, without spaces and in lower case."""
    raw = secret.encode("utf-8", "surrogatepass")
    plain = [secret, raw.hex(), quote(secret, safe=""), quote_plus(secret), html.escape(secret)]
    escaped = json.dumps(secret)[1:-1]
    for form in (*plain, escaped, escaped.replace("/", "\\/"), *_in_base64(raw)):
        yield "".join(form.split()).translate(_LOWER)


def _in_base64(raw: bytes) -> Iterator[str]:
    """Base64 of ``raw`` behind any number of octets; what its neighbours shape is left out."""
    for ahead in range(3):
        encoded = base64.b64encode(bytes(ahead) + raw).decode().rstrip("=")
        whole = encoded[-(-8 * ahead // 6) : (ahead + len(raw)) * 8 // 6]
        yield whole
        yield whole.translate(str.maketrans("+/", "-_"))
