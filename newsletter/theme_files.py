"""Reads a theme's folder, which may be a stranger's: all is bounded. Reads files."""

from __future__ import annotations

import functools
import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from newsletter.errors import Problem, TemplateError, Where
from newsletter.invisible import hidden_in_key, invisible_in
from newsletter.phrases import count
from newsletter.regular_file import read_start
from newsletter.theme import (
    INLINE_CSS,
    MAIL,
    TEXT,
    THEME_FILE,
    KeyPath,
    Theme,
    ThemeSettings,
    setting_name,
)
from newsletter.wrong_value import wrong_value

_MOST_BASES = 10
_MOST_BYTES_IN_ALL = 1_000_000
"""Of all templates and style sheets that a theme uses."""
REQUIRED = (MAIL, TEXT, INLINE_CSS, "css/head.css", "css/dark.css")
"""Files that a theme or its base must have, besides theme.toml and the words of a language."""
_KINDS = (".j2", ".css")
_MOST_ENTRIES = 2000
"""Files and folders in a theme's folder, whatever they are."""
_MOST_LANGUAGES = 50
_DEEPEST = 10
"""Tables within one another."""
_MOST_BYTES = 100_000
"""Of one file."""
_TABLE_LINE = re.compile(r"\s*\[([\w.]+)\]")
_KEY_LINE = re.compile(r"\s*([\w.]+)\s*=")


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
    written: dict[KeyPath, Where] = {}
    for each in reversed(_folders(folder)):
        paths |= _template_files(each)
        for path in _word_files(each):
            words[path.stem] = {**words.get(path.stem, {}), **_read_words(path)}
            places[f"words/{path.name}"] = path
        own = _read_toml(each / THEME_FILE)
        data = _laid_over(data, own)
        written |= _lines_of(each / THEME_FILE)
        if isinstance(logo := own.get("logo"), dict) and isinstance(file := logo.get("file"), str):
            places[file] = _inside(each / file, each)
    data.pop("base", None)
    _refuse_lacking(folder, [name for name in REQUIRED if name not in paths])
    files = {name: _read_text(path) for name, path in paths.items()}
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
        settings=_settings(data, written, Where(folder / THEME_FILE)),
        lent={name: path for name, path in (paths | places).items() if path != folder / name},
        written=written,
    )


def _refuse_lacking(folder: Path, names: list[str]) -> None:
    """Raises TemplateError if there are any names of files that the theme lacks."""
    if not names:
        return
    lacking = [Problem("This file is missing.", Where(folder / name)) for name in names]
    raise TemplateError(
        f"The theme lacks {count(len(names), 'file')} that it needs.",
        where=lacking[0].where,
        next='Write them, or take them from another theme: base = "../default" in theme.toml.',
        problems=lacking,
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
        _inside(here / THEME_FILE, here)
        base = _read_toml(here / THEME_FILE).get("base")
        if base is not None and not isinstance(base, str):
            raise TemplateError(
                "The base is no folder.",
                where=_base_place(here),
                next='Write: base = "../default".',
            )
        following = None if base is None else here / base
    return found


def _base_place(folder: Path) -> Where:
    return _lines_of(folder / THEME_FILE).get(("base",), Where(folder / THEME_FILE))


def _laid_over(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """``above``, and what only ``below`` says; table by table."""
    laid = dict(below)
    for key, value in above.items():
        if isinstance(value, dict) and isinstance(under := below.get(key), dict):
            laid[key] = _laid_over(under, value)
        else:
            laid[key] = value
    return laid


def _settings(data: dict[str, Any], places: dict[KeyPath, Where], file: Where) -> ThemeSettings:
    """Check the values of a theme.

    Args:
        data: theme.toml as it was read, laid over those of its bases.
        places: where each value was written.
        file: the theme's own theme.toml, for what is written nowhere.

    Raises:
        TemplateError: names each wrong value, its file and line, and what to write.
    """
    try:
        return ThemeSettings.model_validate(data)
    except ValidationError as error:
        problems = []
        for item in error.errors():
            path = tuple(map(str, item["loc"]))
            known = places.get(path, file)
            problems.append(
                Problem(
                    wrong_value(item, noun="value of a theme"),
                    Where(known.file, known.line, item=setting_name(path)),
                    _advice(path) if item["type"] == "string_pattern_mismatch" else "",
                )
            )
        raise TemplateError(
            "Some values of the theme cannot be used.",
            where=problems[0].where,
            next="“newsletter docs theme” tells every value of theme.toml.",
            problems=problems,
        ) from None


def _advice(path: KeyPath) -> str:
    if path[0] == "colours":
        return "Write a colour as # and six digits or small letters a to f, such as #14224a."
    return (
        "Write fonts with commas between them, names of several words in single quotes, and "
        "serif, sans-serif or monospace at the end."
    )


def _template_files(folder: Path) -> dict[str, Path]:
    """A folder's templates and style sheets by their path within it.

    Raises:
        TemplateError: it holds too much, or one of them leads out of it.
    """
    found = {}
    seen = 0
    for parent, folders, names in os.walk(folder):
        folders.sort()
        seen += len(folders) + len(names)
        if seen > _MOST_ENTRIES:
            raise TemplateError(
                f"The theme's folder holds more than {_MOST_ENTRIES:,} files and folders.",
                where=Where(folder),
                next="Name the folder of a theme, with nothing else in it.",
            )
        for name in sorted(names):
            path = Path(parent, name)
            if path.suffix in _KINDS:
                # The walk follows no link to a folder, so only a linked file can lead out of it.
                plain = path.is_file() and not path.is_symlink()
                name_within = path.relative_to(folder).as_posix()
                found[name_within] = path if plain else _inside(path, folder)
    return dict(sorted(found.items()))


def _inside(path: Path, folder: Path) -> Path:
    """``path`` again.

    Raises:
        TemplateError: it leads out of the folder, or is a pipe or the like.
    """
    try:
        # A pipe or a device would be read for ever.
        kind = path.is_file() or not path.exists()
        within = kind and path.resolve().is_relative_to(folder.resolve())
    except (OSError, RuntimeError, ValueError):
        within = False
    if not within:
        raise TemplateError(
            "This is no file in the theme's folder.",
            where=Where(path),
            next="Put a copy of it into the folder.",
        )
    return path


def _read_toml(path: Path) -> dict[str, Any]:
    """What theme.toml says.

    Raises:
        TemplateError: it is not there, too large, nested too deeply, or no TOML.
    """
    if not path.is_file():
        folder = path.parent
        raise TemplateError(
            "The theme lacks a file it needs.",
            where=Where(path),
            next="“newsletter docs theme” tells how to write it.",
            problems=[
                Problem("This file is missing, too, unless a base has it.", Where(folder / name))
                for name in REQUIRED
                if not (folder / name).exists()
            ],
        )
    return _parsed(path, "Mend that line; texts and colours stand in double quotes.")


def _parsed(path: Path, advice: str) -> dict[str, Any]:
    text = _read_text(path)
    hidden = hidden_in_key(text, path)
    try:
        data = _toml(text)
    except (ValueError, RecursionError) as error:
        if hidden:
            raise _hidden(*hidden) from None
        deep = isinstance(error, RecursionError)
        raise TemplateError(
            f"The file cannot be read: {'it is nested too deeply' if deep else error}.",
            where=Where(path),
            next=advice,
        ) from None
    _refuse_deep(data, path)
    if hidden and any(map(invisible_in, _keys(data))):
        raise _hidden(*hidden)
    return data


@functools.lru_cache(maxsize=2 * _MOST_LANGUAGES)
def _toml(text: str) -> dict[str, Any]:
    """What TOML says, which nobody may change: the languages' words are read several times."""
    return tomllib.loads(text)


def _hidden(what: str, where: Where) -> TemplateError:
    return TemplateError(
        f"A key holds an invisible character, {what}.", where=where, next="Delete it."
    )


def _keys(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, each in value.items():
            yield key
            yield from _keys(each)


def _refuse_deep(data: dict[str, Any], path: Path) -> None:
    waiting: list[tuple[Any, int]] = [(data, 0)]
    while waiting:
        value, depth = waiting.pop()
        if depth > _DEEPEST:
            raise TemplateError(
                "The file cannot be read: it is nested too deeply.",
                where=Where(path),
                next="“newsletter docs theme” tells every value of theme.toml.",
            )
        if isinstance(value, dict | list):
            inner = value.values() if isinstance(value, dict) else value
            waiting += [(each, depth + 1) for each in inner]


def _lines_of(path: Path) -> dict[KeyPath, Where]:
    """The line of each value, as far as it stands on a line of its own."""
    places: dict[KeyPath, Where] = {}
    tables: KeyPath = ()
    for number, line in enumerate(_read_text(path).split("\n"), start=1):
        if table := _TABLE_LINE.match(line):
            tables = tuple(table[1].split("."))
        elif key := _KEY_LINE.match(line):
            places[(*tables, *key[1].split("."))] = Where(path, number)
    return places


def _read_text(path: Path) -> str:
    """A file's text, of at most 100,000 bytes.

    Raises:
        TemplateError: it is larger, cannot be read, or is no UTF-8.
    """
    try:
        text = read_start(path, max_bytes=_MOST_BYTES + 1).decode("utf-8").replace("\r\n", "\n")
    except OSError as error:
        raise TemplateError(
            f"The file cannot be read: {error.strerror}.", where=Where(path)
        ) from None
    except ValueError:
        raise TemplateError(
            "The file is no UTF-8 text.",
            where=Where(path),
            next="Save it as UTF-8 in your editor.",
        ) from None
    if len(text.encode()) > _MOST_BYTES:
        raise TemplateError(
            f"The file has more than {_MOST_BYTES:,} bytes.",
            where=Where(path),
            next="Take out what the mail and the pages do not need.",
        )
    return text


def _word_files(folder: Path) -> list[Path]:
    """The words files of a theme.

    Raises:
        TemplateError: there are too many, or one leads out of the folder.
    """
    found = sorted((folder / "words").glob("*.toml"))
    if len(found) > _MOST_LANGUAGES:
        raise TemplateError(
            f"The theme has words for more than {_MOST_LANGUAGES} languages.",
            where=Where(folder / "words"),
            next="Keep those that you write in.",
        )
    return [_inside(path, folder) for path in found]


def _read_words(path: Path) -> Mapping[str, str]:
    """The phrases of a language.

    Raises:
        TemplateError: they cannot be read, or are no phrases.
    """
    data = _parsed(path, 'Write: key = "phrase".')
    wrong = [key for key, value in data.items() if not isinstance(value, str)]
    if wrong:
        raise TemplateError(
            f"“{wrong[0]}” is no phrase.", where=Where(path), next='Write: key = "phrase".'
        )
    return data
