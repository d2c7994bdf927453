"""Tries a theme out with sample issues, and says where it breaks what docs/theme.md promises."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property
from html import escape
from pathlib import Path

from newsletter.checks.check_input import CheckInput
from newsletter.checks.finding import Finding, Severity
from newsletter.checks.promises import PROMISES
from newsletter.checks.run import CHECKS
from newsletter.errors import InputError, Where
from newsletter.phrases import count
from newsletter.project.theme_samples import material_for, samples, settings_for
from newsletter.render.edition import CompileInput
from newsletter.render.pipeline import compile_edition, origins
from newsletter.render.template_lines import Origins
from newsletter.source import Source
from newsletter.theme import MAIL, TEXT, Theme
from newsletter.theme_files import load_theme

_OF_THE_ISSUE = re.compile(
    r"first-words|subject|preheader|title|translation|organisation|picture|pictures|credit|message|document"
    r"|alt-|image-address|link-http|link-host|sender|privacy-notice|weekday|date|look-"
)
"""Checks of what an editor writes, which is right in the samples."""
_SIZES = ("html-size", "style-size")
_QUOTED = re.compile(r"“([^”]+?)…?”|(https?://[^\s,;”]+[\w/])|class=(\w+)")


def check_theme(folder: Path) -> tuple[tuple[str, ...], tuple[Finding, ...]]:
    """Make mails with a theme and look at them.

    Args:
        folder: the theme's folder; nothing outside it and the folders of its bases is read.

    Returns:
        What it was tried with, and what was found: each fault once, with the file and line of
        the theme that made it.

    Raises:
        InputError: there is no such folder.
        TemplateError: a mail cannot be made with it; names file and line.
    """
    if not folder.is_dir():
        raise InputError(
            "This is no folder with a theme.",
            where=Where(folder),
            next="Unpack it if it is an archive, and name the folder that holds theme.toml.",
        )
    theme = load_theme(folder)
    if not theme.words:
        raise InputError(
            "The theme speaks no language.",
            where=Where(folder / "words"),
            next="Write words/en.toml, or name a base in theme.toml.",
        )
    tried = samples(theme)
    found = {(each.id, each.where): each for each in _missing_phrases(theme)}
    lacking = {str(where.item) for _, where in found}
    said: set[tuple[str, str]] = set()
    for name, issue in tried.items():
        if issue.language in lacking:
            continue
        material, settings = material_for(issue, theme), settings_for(issue)
        given = CompileInput(issue, Source(Path(f"sample: {name}")), theme, settings, material)
        looked_at = CheckInput.of(given, compile_edition(given), None)
        places = _Places(given)
        for finding in _findings(looked_at, with_size=len(issue.stories) > 1):
            if (finding.id, finding.what) in said:
                continue
            said.add((finding.id, finding.what))
            place = places.of(finding)
            # A base is named from the theme's folder: templates/ours/../default.
            place = replace(place, file=os.path.normpath(str(place.file)), item=None)
            where = replace(place, item=f"sample “{name}”")
            found.setdefault((finding.id, place), replace(finding, where=where))
    return tuple(tried), tuple(found.values())


def _missing_phrases(theme: Theme) -> Iterator[Finding]:
    """Phrases that one language has and another lacks."""
    every = {key for words in theme.words.values() for key in words}
    for language, words in theme.words.items():
        missing = sorted(every - words.keys())
        if missing:
            yield Finding(
                id="theme-words",
                severity=Severity.ERROR,
                what=f"“{language}” lacks {count(len(missing), 'phrase')} that another language "
                f"has: {', '.join(missing[:10])}{' …' if len(missing) > 10 else ''}.",
                where=Where(theme.path(f"words/{language}.toml"), item=language),
                why="An issue in that language cannot be made where the phrase is needed.",
                mend="Add a line for each.",
            )


def _findings(given: CheckInput, *, with_size: bool) -> Iterator[Finding]:
    for check in (*CHECKS, *PROMISES):
        if not _OF_THE_ISSUE.match(check.id) and (with_size or check.id not in _SIZES):
            yield from check.findings(given)


class _Places:
    """Finds the line of the theme that made what a finding quotes."""

    def __init__(self, given: CompileInput) -> None:
        self._given = given

    @cached_property
    def _html(self) -> Origins | None:
        return origins(MAIL, self._given)

    @cached_property
    def _text(self) -> Origins | None:
        return origins(TEXT, self._given)

    def of(self, finding: Finding) -> Where:
        theme = self._given.theme
        if finding.where.line is not None and _within(finding.where, theme):
            return finding.where
        in_text = "text part" in finding.what
        made = self._text if in_text else self._html
        for quoted in _QUOTED.finditer(f"{finding.what} {finding.mend}"):
            words = next(filter(None, quoted.groups())).strip()
            words = f'class="{words}' if quoted[3] else words
            for written in (words, escape(words, quote=False)):
                offset = made.text.find(written) if made else -1
                origin = made.at(offset) if made and offset >= 0 else None
                if origin is not None:
                    return Where(theme.path(origin.file), origin.line)
        return Where(theme.path(TEXT if in_text else MAIL))


def _within(where: Where, theme: Theme) -> bool:
    return str(where.file).startswith(str(theme.folder))
