"""A theme in memory: its templates, style sheets, words and values. Reads folders of themes.

A theme's folder holds::

    theme.toml            colours, type, logo, widths of pictures; the theme it is based on
    mail.mjml.j2          the mail, MJML + Jinja2; partials/ its pieces
    mail.txt.j2           the text part, Jinja2
    css/inline.css        rules for what Markdown makes; inlined into elements
    css/head.css          media queries; stay in <head>
    css/dark.css          prefers-color-scheme: dark; a block of its own
    words/en.toml         the set phrases of a language, one file each

What it does not hold comes from its base: file by file, phrase by phrase and
value by value, so that a theme can be a theme.toml alone. Rendering gets the whole theme as a
value and touches no disk.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from newsletter.errors import TemplateError, Where
from newsletter.look import THEME_FILE, Look, Path_, read_look
from newsletter.theme_files import (
    files_in,
    inside,
    lines_of,
    read_text,
    read_toml,
    read_words,
    words_in,
)

_MOST_BASES = 10
_MOST_BYTES_IN_ALL = 1_000_000
"""Of all templates and style sheets that a theme uses."""
_REQUIRED = ("mail.mjml.j2", "mail.txt.j2", "css/inline.css", "css/head.css", "css/dark.css")


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
    logo: LogoFile | None = None


@dataclass(frozen=True, slots=True)
class Theme:
    """A theme's files by their path within it (with ``/``), words by language, and values.

    Attributes:
        folder: the theme's own folder.
        files: templates and style sheets.
        words: the set phrases of each language.
        look: the values of theme.toml.
        lent: which of the files a base lends, the logo's among them, and where they are.
        written: where each value of theme.toml stands, by its tables and key.
    """

    folder: Path
    files: Mapping[str, str]
    words: Mapping[str, Mapping[str, str]]
    look: Look
    lent: Mapping[str, Path] = field(default_factory=dict)
    written: Mapping[Path_, Where] = field(default_factory=dict)

    @property
    def shown(self) -> ShownWidths:
        """How wide the mail shows pictures, and the logo if there is one."""
        widths, logo = self.look.pictures, self.look.logo
        if logo is None:
            return ShownWidths(widths.lead, widths.story)
        file = self.path(logo.file)
        return ShownWidths(widths.lead, widths.story, LogoFile(file, logo.width))

    def path(self, name: str) -> Path:
        """Where a file of the theme is: in its folder, or in that of a base that lends it."""
        return self.lent.get(name, self.folder / name)

    def words_for(self, language: str) -> Mapping[str, str]:
        """The set phrases of ``language``: its own file, else its base language's.

        Raises:
            TemplateError: the theme does not speak the language.
        """
        for name in (language, language.split("-", maxsplit=1)[0]):
            if name in self.words:
                return self.words[name]
        raise TemplateError(
            f"The theme has no words for the language “{language}”.",
            where=Where(self.folder / "words"),
            next=f"Translate words/en.toml and save it there as {language}.toml.",
        )


def load_theme(folder: Path) -> Theme:
    """Read a theme's folder, and those of the themes it is based on.

    Raises:
        TemplateError: a folder or a needed file is missing or unreadable, or a
            value of theme.toml cannot be used.
    """
    paths: dict[str, Path] = {}
    places: dict[str, Path] = {}
    words: dict[str, Mapping[str, str]] = {}
    data: dict[str, Any] = {}
    written: dict[Path_, Where] = {}
    for each in reversed(_folders(folder)):
        paths |= files_in(each)
        for path in words_in(each):
            words[path.stem] = {**words.get(path.stem, {}), **read_words(path)}
            places[f"words/{path.name}"] = path
        own = read_toml(each / THEME_FILE)
        data = _laid_over(data, own)
        written |= lines_of(each / THEME_FILE)
        if isinstance(logo := own.get("logo"), dict) and isinstance(file := logo.get("file"), str):
            places[file] = inside(each / file, each)
    data.pop("base", None)
    for name in _REQUIRED:
        if name not in paths:
            raise TemplateError(
                "The theme lacks a file it needs.",
                where=Where(folder / name),
                next='Write it, or take it from another theme: base = "../default" in theme.toml.',
            )
    files = {name: read_text(path) for name, path in paths.items()}
    if sum(map(len, files.values())) > _MOST_BYTES_IN_ALL:
        raise TemplateError(
            f"The theme's files have more than {_MOST_BYTES_IN_ALL:,} bytes together.",
            where=Where(folder),
            next="Take out what the mail and the pages do not need.",
        )
    return Theme(
        folder,
        files=files,
        words=words,
        look=read_look(data, written, Where(folder / THEME_FILE)),
        lent={name: path for name, path in (paths | places).items() if path != folder / name},
        written=written,
    )


def theme_folders(folder: Path) -> tuple[Path, ...]:
    """A theme's folder and those it is based on, as far as they can be read."""
    try:
        return tuple(_folders(folder))
    except TemplateError:
        return (folder,)


def _folders(folder: Path) -> list[Path]:
    """The theme's folder, its base's, and so on."""
    found: list[Path] = []
    following: Path | None = folder
    while following is not None:
        here = following
        if any(here.samefile(each) for each in found if here.is_dir()):
            raise TemplateError(
                "The theme is based on itself.",
                where=_base_place(found[-1]),
                next="Take “base” out of one of the themes, or name another.",
            )
        if len(found) == _MOST_BASES:
            raise TemplateError(
                f"The theme has more than {_MOST_BASES} bases below one another.",
                where=_base_place(found[-1]),
                next="Name a base that is closer to the ground.",
            )
        if not here.is_dir():
            raise TemplateError(
                "There is no theme here.",
                where=Where(here),
                next=f"It is the base in {_base_place(found[-1])}; name one that is there."
                if found
                else "Set folder under [theme] in newsletter.toml. “newsletter init DIR” writes a "
                "project with all themes; copy templates/ from it.",
            )
        found.append(here)
        inside(here / THEME_FILE, here)
        base = read_toml(here / THEME_FILE).get("base")
        if base is not None and not isinstance(base, str):
            raise TemplateError(
                "The base is no folder.",
                where=_base_place(here),
                next='Write: base = "../default".',
            )
        following = None if base is None else here / base
    return found


def _base_place(folder: Path) -> Where:
    return lines_of(folder / THEME_FILE).get(("base",), Where(folder / THEME_FILE))


def _laid_over(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """``above``, and what only ``below`` says; table by table."""
    laid = dict(below)
    for key, value in above.items():
        if isinstance(value, dict) and isinstance(under := below.get(key), dict):
            laid[key] = _laid_over(under, value)
        else:
            laid[key] = value
    return laid
