"""Reads the files of a theme's folder, which may be a stranger's: all is bounded. Reads files."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from newsletter.errors import TemplateError, Where
from newsletter.look import Path_
from newsletter.regular_file import read_start

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


def files_in(folder: Path) -> dict[str, Path]:
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
                found[path.relative_to(folder).as_posix()] = inside(path, folder)
    return dict(sorted(found.items()))


def inside(path: Path, folder: Path) -> Path:
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


def read_toml(path: Path) -> dict[str, Any]:
    """What theme.toml says.

    Raises:
        TemplateError: it is not there, too large, nested too deeply, or no TOML.
    """
    if not path.is_file():
        raise TemplateError(
            "The theme lacks a file it needs.",
            where=Where(path),
            next="“newsletter docs theme” tells how to write it.",
        )
    return _parsed(path, "Mend that line; texts and colours stand in double quotes.")


def _parsed(path: Path, advice: str) -> dict[str, Any]:
    try:
        data = tomllib.loads(read_text(path))
    except (ValueError, RecursionError) as error:
        deep = isinstance(error, RecursionError)
        raise TemplateError(
            f"The file cannot be read: {'it is nested too deeply' if deep else error}.",
            where=Where(path),
            next=advice,
        ) from None
    _refuse_deep(data, path)
    return data


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


def lines_of(path: Path) -> dict[Path_, Where]:
    """The line of each value, as far as it stands on a line of its own."""
    places: dict[Path_, Where] = {}
    tables: Path_ = ()
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        if table := _TABLE_LINE.match(line):
            tables = tuple(table[1].split("."))
        elif key := _KEY_LINE.match(line):
            places[(*tables, *key[1].split("."))] = Where(path, number)
    return places


def read_text(path: Path) -> str:
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


def words_in(folder: Path) -> list[Path]:
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
    return [inside(path, folder) for path in found]


def read_words(path: Path) -> Mapping[str, str]:
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
