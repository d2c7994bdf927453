"""Who made a picture, as its file says, held against the credit in the issue. No I/O.

What a file says goes out only as far as the credit says it, too. So the name of
a photographer who must not be known does not travel inside a picture whose
credit was written without it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice

_LONGEST = 200
"""Characters; what is longer is a contract and no credit."""
_MOST_READ = 2000
"""Characters of a text that are looked at."""
_MOST_NAMES = 10
_WORD = re.compile(r"[^\W_]+")
_YEAR = re.compile(r"(?:19|20)[0-9]{2}")
_EVERYDAY = """
    c copyright copr credit courtesy photo photos photograph photographs photographer photography
    picture pictures image images illustration illustrations drawing drawings graphic
    a all an and at by for from in of on or s the to via with rights reserved licence license
    licensed licensor licensors under inc ltd llc e v cc creative commons sa nc nd 1 2 3 4 0
    photographe photographie photographies crédit droits réservés tous dessin avec et l la le les
    d de des du par pour
    autor autora foto fotos fotografía imagen dibujo cortesía derechos reservados todos del el los
    las por y
"""
"""Words of English, French and Spanish credits that name nobody."""


@dataclass(frozen=True, slots=True)
class Credit:
    """What the IPTC Photo Metadata Standard calls Creator, Credit Line and Copyright Notice."""

    creators: tuple[str, ...] = ()
    line: str = ""
    rights: str = ""

    @classmethod
    def of(cls, creators: Iterable[str], line: str, rights: str) -> Credit:
        """A credit from texts of any origin: on one line, without invisible characters."""
        names = (_tidy(name) for name in islice(creators, _MOST_NAMES))
        found = tuple(dict.fromkeys(name for name in names if name))
        return cls(found, _tidy(line), _tidy(rights))

    def or_else(self, other: Credit) -> Credit:
        """This credit, and from ``other`` what it lacks."""
        return Credit(
            self.creators or other.creators, self.line or other.line, self.rights or other.rights
        )

    def told_by(self, caption: str) -> Credit:
        """The part that names nobody whom ``caption`` does not name."""
        return Credit(
            tuple(name for name in self.creators if _names(name, caption)),
            self.line if _names(self.line, caption) else "",
            self.rights if _names(self.rights, caption) else "",
        )

    @property
    def texts(self) -> tuple[str, ...]:
        """Everything it says, each text once."""
        found = (*self.creators, self.line, self.rights)
        return tuple(dict.fromkeys(text for text in found if text))

    @property
    def names(self) -> tuple[str, ...]:
        """Those of its texts that name somebody."""
        return tuple(text for text in self.texts if _naming(text))


def _tidy(text: str) -> str:
    printable = "".join(c if c.isprintable() else " " for c in text[:_MOST_READ])
    return " ".join(printable.split())


def _names(text: str, caption: str) -> bool:
    """Whether ``text`` names somebody, and nobody but whom ``caption`` names."""
    naming = _naming(text)
    return bool(naming) and naming <= set(_words(caption)) and len(text) <= _LONGEST


def _naming(text: str) -> set[str]:
    return {w for w in _words(text) if w not in _PLAIN_EVERYDAY and not _YEAR.fullmatch(w)}


def _words(text: str) -> list[str]:
    """Words without capitals and accents, so that LÓPEZ is Lopez."""
    decomposed = unicodedata.normalize("NFKD", text)
    plain = "".join(c for c in decomposed if not unicodedata.combining(c))
    return _WORD.findall(plain.casefold())


_PLAIN_EVERYDAY = frozenset(_words(_EVERYDAY))
