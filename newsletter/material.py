"""What goes with an issue besides words: its pictures and documents, as readers get them. No I/O.

Names are public: they hold a digest of the file and of how it was prepared, so
that a name never comes to mean another picture than the one that was approved.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from newsletter.source import Path_


@dataclass(frozen=True, slots=True)
class PreparedPicture:
    """A picture, resized and free of what its camera wrote into it.

    Attributes:
        name: public file name, such as ``3f9a01c7b2d85e46.jpg``: a digest alone.
        media_type: ``image/jpeg`` or ``image/png``.
        width: of ``content``, in pixels.
        height: likewise.
        shown: the width at which the mail shows it, in CSS pixels.
        content: the file itself.
        credit: what it says itself of who made it: names and rights that stand in
            the issue's credit, too.
        withheld: what the original says beyond that, which ``content`` leaves out.
        moves: the original is an animation, of which this is the first picture.
    """

    name: str
    media_type: str
    width: int
    height: int
    shown: int
    content: bytes
    credit: tuple[str, ...] = ()
    withheld: tuple[str, ...] = ()
    moves: bool = False

    @property
    def shown_height(self) -> int:
        """The height at which the mail shows it, in CSS pixels."""
        return max(1, round(self.height * self.shown / self.width))


@dataclass(frozen=True, slots=True)
class Document:
    """A file that a story offers for download.

    Attributes:
        name: its file name, as readers see it.
        digest: eight hex digits that stand for its content in its address.
        media_type: such as ``application/pdf``.
        content: the file itself.
        authors: whom it names as author or last editor, as far as that can be found.
    """

    name: str
    digest: str
    media_type: str
    content: bytes
    authors: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Material:
    """The pictures and documents of an issue.

    Attributes:
        pictures: each by its place in the issue.
        documents: by the file names that the issue has.
        logo: the theme's picture in the head of the mail.
    """

    pictures: Mapping[Path_, PreparedPicture] = field(default_factory=dict)
    documents: Mapping[str, Document] = field(default_factory=dict)
    logo: PreparedPicture | None = None

    @property
    def shown(self) -> tuple[PreparedPicture, ...]:
        """Every picture that the mail shows, each once."""
        found = [self.logo] if self.logo else []
        return tuple({each.name: each for each in (*found, *self.pictures.values())}.values())
