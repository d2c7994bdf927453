"""Starts a project and an issue from starter files. Writes files, never over another.

The starter files lie in ``starter/`` beside this module; the theme and the
example list come from the scaffold folder.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from string import Template

from newsletter.clock import Clock, SystemClock
from newsletter.config import FILE_NAME
from newsletter.errors import InputError, IssueError, Problem, Where
from newsletter.issues.document import read_document
from newsletter.issues.loader import (
    FILES_FOLDER,
    IMAGES_FOLDER,
    issue_name,
    load_issue,
    parse_issue,
)
from newsletter.issues.schema import FIRST_LINE, SCHEMA_FILE, schema_text

THEME_FOLDER = "templates"
EXAMPLE_LIST = "subscribers.example.csv"
OWN_LIST = "subscribers.csv"

_PACKAGE = Path(__file__).parents[1]
_STARTER = Path(__file__).parent / "starter"
MONTHLY = "monthly"
SKELETONS = (MONTHLY, "links", "essay", "events")
"""What an issue can start from: stories with all keys, a list of links, one text, dates."""
_SOON = dt.timedelta(days=14)
"""From the day of publication to the dates that a skeleton gives as examples."""
_TRANSLATION_NOTE = """\
#
# The translation of {original} into “{language}”, begun as a copy of it. Write over each
# text; ids, files, addresses and the order stay. “newsletter check {id}” lists what is left.
# A story that cannot be translated in time: delete it here and list its id above “stories:”,
# as in fallback: [first-story]; readers then get it in the original's language.
"""


def new_issue(
    path: Path,
    *,
    title: str,
    date: dt.date,
    language: str,
    web_url: str | None,
    skeleton: str = MONTHLY,
    stories: str = "",
) -> None:
    """Write an issue to start from: valid, with notes.

    Args:
        path: where, such as ``issues/2017-03.yaml``; its name gives the id.
        title: name of the issue and, to begin with, subject of the mail.
        date: day of publication.
        language: the language it will be written in, e.g. ``en``.
        web_url: the page of the issue on the web, if there will be one.
        skeleton: one of :data:`SKELETONS`.
        stories: the rest of the file, as YAML, instead of a skeleton's.

    Raises:
        InputError: there is no such skeleton, the file exists or cannot be written, or its
            name, the title, the language or the address cannot be used.
    """
    if skeleton not in SKELETONS:
        raise InputError(
            f"There is no skeleton “{skeleton}”.", next=f"Choose one of: {', '.join(SKELETONS)}."
        )
    text = _issue_text(
        path,
        title=title,
        date=date,
        language=language,
        web_url=web_url,
        skeleton=skeleton,
        stories=stories,
    )
    _write({path: text.encode()})


def new_translation(path: Path, *, title: str = "", fields: Sequence[str] = ()) -> Path:
    """Write a copy of an issue, comments and all, for a translator to write over.

    Args:
        path: where, such as ``issues/2017-03.fr.yaml``; its name gives the language,
            and the original, ``issues/2017-03.yaml``.
        title: name of the issue in that language; else the original's, like all other texts.
        fields: further columns of the list that merge fields may use.

    Returns:
        The original.

    Raises:
        InputError: there is no original, it is in that language already, or the
            file exists or cannot be written.
        IssueError: the original cannot be used, or the title.
    """
    issue_id, language = issue_name(path)
    original = path.with_name(f"{issue_id}.yaml")
    if not original.exists():
        raise InputError(
            f"There is no issue “{issue_id}” to translate.",
            where=Where(original),
            next=f"“newsletter new {issue_id}” starts it.",
        )
    loaded = load_issue(original, fields=fields)
    if loaded.issue.language == language:
        raise InputError(
            f"The issue is in “{language}” already.",
            where=loaded.source.where("language"),
            next="Name the language that it is to be translated into.",
        )
    text = _copy(
        original, {"language": str(language)} | ({"title": _quoted(title)} if title else {})
    )
    _refuse_wrong(text, path, fields=fields)
    _write({path: text.encode()})
    return original


def init_project(folder: Path, *, scaffold: Path, clock: Clock | None = None) -> list[Path]:
    """Write a new project: settings, a first issue for this month, a theme and lists.

    Args:
        folder: where; made if it does not exist, and may hold other files.
        scaffold: the folder that has ``templates/`` and the example list, see
            :func:`scaffold_folder`.
        clock: tells which month the first issue is for.

    Returns:
        What was written, in order.

    Raises:
        InputError: a file that would be written exists (each is named), or
            the folder cannot be written; then nothing was written over.
    """
    today = (clock or SystemClock()).now().date()
    issue = folder / "issues" / f"{today:%Y-%m}.yaml"
    example = _read(scaffold / EXAMPLE_LIST)
    files = {
        folder / FILE_NAME: _read(_STARTER / "newsletter.toml"),
        issue: _issue_text(
            issue, title=f"{today:%B %Y}", date=today, language="en", web_url=None
        ).encode(),
        issue.with_name(SCHEMA_FILE): schema_text().encode(),
        issue.parent / IMAGES_FOLDER / ".gitkeep": b"",
        issue.parent / FILES_FOLDER / ".gitkeep": b"",
        folder / EXAMPLE_LIST: example,
        # An empty list to paste one's own readers into, with the columns named.
        folder / OWN_LIST: example.splitlines(keepends=True)[0],
        folder / ".gitignore": _read(_STARTER / "gitignore"),
        **_theme_files(scaffold / THEME_FOLDER, folder / THEME_FOLDER),
    }
    _write(files)
    return list(files)


def scaffold_folder() -> Path:
    """The folder with ``templates/``: inside an installed package, else the repository.

    Raises:
        InputError: neither is there; the installation is incomplete.
    """
    for folder in (_PACKAGE / "_scaffold", _PACKAGE.parent):
        if (folder / THEME_FOLDER).is_dir() and (folder / EXAMPLE_LIST).is_file():
            return folder
    raise InputError(
        "This installation lacks the files of a new project.",
        where=Where(_PACKAGE),
        next="Install the tool again.",
    )


def _issue_text(
    path: Path,
    *,
    title: str,
    date: dt.date,
    language: str,
    web_url: str | None,
    skeleton: str = MONTHLY,
    stories: str = "",
) -> str:
    page = f"web_url: {_quoted(web_url)}" if web_url else "# web_url: https://news.example.org/"
    files = [_STARTER / "head.yaml", *([] if stories else [_STARTER / f"{skeleton}.yaml"])]
    starter = Template("".join(_read(file).decode() for file in files))
    text = starter.substitute(
        id=issue_name(path)[0],
        title=_quoted(title),
        date=date.isoformat(),
        soon=(date + _SOON).isoformat(),
        language=_quoted(language),
        web_url=f"# The page of this issue on the web, for “view in browser”.\n{page}",
    )
    text += stories
    _refuse_wrong(text, path)
    return text


def _refuse_wrong(text: str, path: Path, *, fields: Sequence[str] = ()) -> None:
    """Hold what was passed in to the rules of every issue.

    Raises:
        IssueError: it breaks one. It names no line, since there is no file yet.
    """
    try:
        parse_issue(text, path, fields=fields)
    except IssueError as error:
        raise IssueError(
            "The issue cannot be started; nothing was written.",
            problems=[Problem(problem.what, next=problem.next) for problem in error.problems],
            next="Correct the options, and run the command again.",
        ) from None


def _copy(original: Path, changes: Mapping[str, str]) -> str:
    """The text of an issue with some values changed, and a note to its translator."""
    text = _read(original).decode("utf-8-sig")
    spans = read_document(text, original).spans
    for start, end, value in sorted(
        ((*spans[key,], changes[key]) for key in changes), reverse=True
    ):
        kept = text[start:end].rstrip()
        text = text[:start] + value + text[start + len(kept) :]
    note = _TRANSLATION_NOTE.format(
        original=original.name, id=original.stem, language=changes["language"]
    )
    line_break = "\r\n" if "\r\n" in text else "\n"
    rest = text.removeprefix(FIRST_LINE).lstrip("\r\n")
    gap = "#\n" if re.match("# *[^# \r\n]", rest) else "" if rest.startswith("#") else "\n"
    return f"{FIRST_LINE}\n{note}{gap}".replace("\n", line_break) + rest


def _quoted(text: str) -> str:
    """A text as a double-quoted YAML scalar, of which JSON's are a subset."""
    return json.dumps(text, ensure_ascii=False)


def _theme_files(theme: Path, target: Path) -> Mapping[Path, bytes]:
    return {
        target / file.relative_to(theme): _read(file)
        for file in sorted(theme.rglob("*"))
        if file.is_file() and not file.name.startswith((".", "~")) and file.suffix != ".pyc"
    }


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise InputError(f"The file cannot be read: {error.strerror}.", where=Where(file)) from None


def _write(files: Mapping[Path, bytes]) -> None:
    """Write all files or, if one of them exists, none."""
    existing = [file for file in files if file.exists() or file.is_symlink()]
    if existing:
        raise InputError(
            "Nothing was written, since files would be overwritten.",
            problems=[Problem("exists already.", Where(file)) for file in existing],
            next="Choose another name or folder, or move these files away.",
        )
    for file, content in files.items():
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            # Exclusive, in case somebody else wrote it meanwhile.
            with file.open("xb") as stream:
                stream.write(content)
        except OSError as error:
            raise InputError(
                f"The file cannot be written: {error.strerror}.", where=Where(file)
            ) from None
