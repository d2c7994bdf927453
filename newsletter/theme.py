"""A theme in memory: its templates, style sheets and words. Reads one folder.

A theme's folder holds::

    mail.mjml.j2          the mail, MJML + Jinja2; partials/ its pieces
    mail.txt.j2           the text part, Jinja2
    css/inline.css        rules for what Markdown makes; inlined into elements
    css/head.css          media queries; stay in <head>
    css/dark.css          prefers-color-scheme: dark; a block of its own
    css/outlook-dark.css  [data-ogsc] rules of Outlook.com; a block of its own
    words/en.toml         the set phrases of a language, one file each

Rendering gets the whole theme as a value and touches no disk.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from newsletter.errors import TemplateError, Where

_KINDS = (".j2", ".css")
_REQUIRED = ("mail.mjml.j2", "mail.txt.j2", "css/inline.css", "css/head.css", "css/dark.css")


@dataclass(frozen=True, slots=True)
class ShownWidths:
    """How wide the mail shows pictures, in CSS pixels."""

    lead: int = 640
    story: int = 560


@dataclass(frozen=True, slots=True)
class Theme:
    """A theme's files by their path within it (with ``/``), and words by language."""

    folder: Path
    files: Mapping[str, str]
    words: Mapping[str, Mapping[str, str]]
    shown: ShownWidths = ShownWidths()

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
            next=f"Copy words/en.toml to words/{language}.toml and translate it.",
        )


def load_theme(folder: Path) -> Theme:
    """Read a theme's folder.

    Raises:
        TemplateError: the folder or one of its needed files is missing or unreadable.
    """
    if not folder.is_dir():
        raise TemplateError(
            "There is no theme here.",
            where=Where(folder),
            next="Set folder under [theme] in newsletter.toml, or run “newsletter init”.",
        )
    files: dict[str, str] = {}
    words: dict[str, Mapping[str, str]] = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.suffix in _KINDS:
            files[name] = _read(path)
        elif path.suffix == ".toml" and path.parent.name == "words":
            words[path.stem] = _read_words(path)
    for name in _REQUIRED:
        if name not in files:
            raise TemplateError("The theme lacks a file it needs.", where=Where(folder / name))
    return Theme(folder, files, words)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise TemplateError(f"The file cannot be read: {error}.", where=Where(path)) from None


def _read_words(path: Path) -> Mapping[str, str]:
    try:
        data = tomllib.loads(_read(path))
    except tomllib.TOMLDecodeError as error:
        raise TemplateError(
            f"The words cannot be read: {error}.", where=Where(path), next='Write: key = "phrase".'
        ) from None
    wrong = [key for key, value in data.items() if not isinstance(value, str)]
    if wrong:
        raise TemplateError(
            f"“{wrong[0]}” is no phrase.", where=Where(path), next='Write: key = "phrase".'
        )
    return data
