"""Where a mistake in rendered MJML was written: in the theme or in the issue. No I/O."""

from __future__ import annotations

import re
from dataclasses import dataclass

from newsletter.errors import Problem, TemplateError, Where
from newsletter.render.edition import CompileInput
from newsletter.render.lint import MjmlProblem
from newsletter.render.markup import line_and_column
from newsletter.render.mjml import EngineError
from newsletter.source import Path_
from newsletter.theme import MAIL

_MARKER = re.compile(r"<!-- src:([\w.]*) -->")


@dataclass(frozen=True, slots=True)
class MjmlErrors:
    """Finds the person's line behind a place in the MJML."""

    given: CompileInput

    def of_problems(self, problems: tuple[MjmlProblem, ...], mjml: str) -> TemplateError:
        """The error that reports what lint found."""
        count = "one mistake" if len(problems) == 1 else f"{len(problems)} mistakes"
        listed = [
            Problem(p.what, self.where(p.offset, mjml, snippet=p.snippet), p.next) for p in problems
        ]
        return TemplateError(
            f"The MJML has {count}.",
            where=listed[0].where,
            next="Mend the template; “newsletter docs rendering” tells what MJML may hold.",
            problems=listed,
        )

    def of_engine(self, error: EngineError, mjml: str) -> TemplateError:
        """The error for MJML that lint let pass and the engine refused."""
        where = Where(self.given.theme.path(MAIL))
        if error.offset is not None:
            where = self.where(
                error.offset, mjml, snippet=mjml[error.offset :][:40].split("\n", maxsplit=1)[0]
            )
        return TemplateError(
            f"MJML cannot be made into HTML: {error}.",
            where=where,
            next="Look at the template for a tag that is not closed.",
        )

    def where(self, offset: int, mjml: str, *, snippet: str) -> Where:
        """The place in the theme that holds ``snippet``, else the part of the issue rendered."""
        path = _path_before(offset, mjml)
        item = self.given.issue.item(path)
        written = self._in_theme(snippet) if snippet.strip() else None
        if written:
            return Where(written.file, written.line, written.column, item=item)
        if path:
            return self.given.source.where(*path, item=item)
        line, column = line_and_column(mjml, offset)
        return Where(
            self.given.theme.path(MAIL), item=f"line {line}, column {column} of the MJML it makes"
        )

    def _in_theme(self, snippet: str) -> Where | None:
        for name, text in self.given.theme.files.items():
            if name.endswith(".mjml.j2") and snippet in text:
                line, column = line_and_column(text, text.index(snippet))
                return Where(self.given.theme.path(name), line, column)
        return None


def _path_before(offset: int, mjml: str) -> Path_:
    """The path that the last marker before a place names."""
    markers = _MARKER.findall(mjml, 0, offset)
    if not markers or not markers[-1]:
        return ()
    return tuple(int(part) if part.isdigit() else part for part in markers[-1].split("."))
