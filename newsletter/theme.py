"""A theme in memory: its templates, style sheets, words and values. No I/O.

A theme's folder holds::

    theme.toml            colours, type, logo, widths of pictures; the theme it is based on
    mail.mjml.j2          the mail, MJML + Jinja2; partials/ its pieces
    mail.txt.j2           the text part, Jinja2
    css/inline.css        rules for what Markdown makes; inlined into elements
    css/head.css          media queries; stay in <head>
    css/dark.css          prefers-color-scheme: dark; a block of its own
    words/en.toml         the set phrases of a language, one file each

What it does not hold comes from its base: file by file, phrase by phrase and
value by value, so that a theme can be a theme.toml alone. theme_files.py reads all of it;
rendering gets the whole theme as a value. Colours are named by the part they play, so that a
theme changes one line and both style sheets, light and dark, follow.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from newsletter.errors import TemplateError, Where
from newsletter.model import Line

MAIL = "mail.mjml.j2"
TEXT = "mail.txt.j2"
INLINE_CSS = "css/inline.css"
THEME_FILE = "theme.toml"

_FAMILY = r"(?:'[A-Za-z0-9 -]+'|-?[A-Za-z][A-Za-z0-9-]*)"
Colour = Annotated[str, StringConstraints(pattern=r"^#[0-9a-f]{6}$")]
"""Six hex digits in small letters, as ``#14224a``."""
FontStack = Annotated[
    str, StringConstraints(pattern=rf"^(?:{_FAMILY}, ?)*(?:serif|sans-serif|monospace)$")
]
"""Fonts that readers' machines may have, best first; the last is one that each has."""

KeyPath = tuple[str, ...]
"""The tables and the key that lead to a value: ``("colours", "dark", "ink")``."""


class _Table(BaseModel):
    """The base of all tables: unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Palette(_Table):
    """A colour for each part."""

    page: Colour = Field(description="Around the mail.")
    paper: Colour = Field(description="Under the stories.")
    tint: Colour = Field(description="Under what stands apart: contents, cards, posts, pictures.")
    band: Colour = Field(description="Under the head and the foot.")
    on_band: Colour = Field(description="Text on the band.")
    bright: Colour = Field(description="Edges and bars.")
    ink: Colour = Field(description="Headlines, highlights, quotations.")
    text: Colour = Field(description="Text.")
    muted: Colour = Field(description="Credits, sources, the small print.")
    accent: Colour = Field(description="Kickers, figures, quotation marks.")
    rule: Colour = Field(description="Lines between things.")
    link: Colour = Field(description="Links.")
    button: Colour = Field(description="The ground of buttons.")
    on_button: Colour = Field(description="The words on buttons.")


class Colours(Palette):
    """The light colours, and the dark ones below them."""

    dark: Palette = Field(description="The colours for who reads in the dark.")


class Typography(_Table):
    """What the words are set in."""

    body: FontStack = Field(description="Fonts of the text.")
    display: FontStack = Field(description="Fonts of headlines, highlights and quotations.")
    size: int = Field(ge=14, le=22, description="Size of the text, in CSS pixels.")


class Logo(_Table):
    """A picture in the head of the mail."""

    file: Line = Field(description="A picture, JPEG or PNG, named from the theme's folder.")
    alt: Line = Field(description="What stands there for readers who do not see it.")
    width: int = Field(ge=16, le=560, description="How wide it is shown, in CSS pixels.")


class Pictures(_Table):
    """How wide the mail shows pictures, in CSS pixels."""

    lead: int = Field(ge=100, le=640, description="The picture of the lead story.")
    story: int = Field(ge=100, le=640, description="The pictures of other stories.")
    small: int = Field(
        default=160, ge=40, le=320, description="Pictures with “size: small”, such as portraits."
    )


class ThemeSettings(_Table):
    """All of theme.toml but ``base``."""

    name: Line = Field(description="What the theme is called.")
    colours: Colours
    type: Typography
    logo: Logo | None = None
    pictures: Pictures


class Words:
    """Phrases by key; a missing one is an error that names the file and the key."""

    def __init__(self, phrases: Mapping[str, str], file: str) -> None:
        self._phrases = phrases
        self._file = file

    def __getitem__(self, key: str) -> str:
        if key in self._phrases:
            return self._phrases[key]
        raise TemplateError(
            f"The theme has no phrase “{key}” in this language.",
            where=Where(self._file, item=key),
            next=f'Add a line: {key} = "…".',
        )

    def __getattr__(self, key: str) -> str:
        if key.startswith("_"):
            raise AttributeError(key)
        return self[key]


@dataclass(frozen=True, slots=True)
class LogoFile:
    """The picture in the head of the mail: its file, and how wide it is shown."""

    path: Path
    width: int


@dataclass(frozen=True, slots=True)
class ShownWidths:
    """How wide the mail shows pictures, in CSS pixels; and the one that the theme brings."""

    lead: int = 640
    story: int = 560
    small: int = 160
    logo: LogoFile | None = None


@dataclass(frozen=True, slots=True)
class Theme:
    """A theme's files by their path within it (with ``/``), words by language, and values.

    Attributes:
        folder: the theme's own folder.
        files: templates and style sheets.
        words: the set phrases of each language.
        settings: the values of theme.toml.
        lent: which of the files a base lends, the logo's among them, and where they are.
        written: where each value of theme.toml stands, by its tables and key.
    """

    folder: Path
    files: Mapping[str, str]
    words: Mapping[str, Mapping[str, str]]
    settings: ThemeSettings
    lent: Mapping[str, Path] = field(default_factory=dict)
    written: Mapping[KeyPath, Where] = field(default_factory=dict)

    @property
    def shown(self) -> ShownWidths:
        """How wide the mail shows pictures, and the logo if there is one."""
        widths, logo = self.settings.pictures, self.settings.logo
        file = LogoFile(self.path(logo.file), logo.width) if logo else None
        return ShownWidths(widths.lead, widths.story, widths.small, file)

    def path(self, name: str) -> Path:
        """Where a file of the theme is: in its folder, or in that of a base that lends it."""
        return self.lent.get(name, self.folder / name)

    def speaks(self, language: str) -> bool:
        """Whether there are phrases for a language, or for its base language."""
        return not self.words.keys().isdisjoint({language, language.partition("-")[0]})

    def words_for(self, language: str, *, otherwise: str = "") -> Words:
        """The set phrases of a language: of its own file, else of its base language's.

        Args:
            language: what is wanted.
            otherwise: the language to take if the theme does not speak that one.

        Raises:
            TemplateError: the theme speaks neither.
        """
        for tag in filter(None, (language, otherwise)):
            for name in (tag, tag.split("-", maxsplit=1)[0]):
                if name in self.words:
                    return Words(self.words[name], str(self.path(f"words/{name}.toml")))
        language = otherwise or language
        raise TemplateError(
            f"The theme has no words for the language “{language}”.",
            where=Where(self.folder / "words"),
            next=f"Translate words/en.toml and save it there as {language}.toml.",
        )


def setting_name(path: KeyPath) -> str:
    """``[colours.dark] ink``; a value above all tables stands alone."""
    *tables, key = path
    return f"[{'.'.join(tables)}] {key}" if tables else key
