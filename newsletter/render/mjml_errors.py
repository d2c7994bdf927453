"""Where a mistake in rendered MJML was written: in the theme or in the issue. No I/O."""

from __future__ import annotations

import re
from dataclasses import dataclass

from newsletter.errors import Problem, TemplateError, Where
from newsletter.render.edition import CompileInput
from newsletter.render.lint import MjmlProblem, lint_mjml
from newsletter.render.markup import line_and_column, pieces
from newsletter.render.mjml import EngineError
from newsletter.render.template_lines import Origins
from newsletter.source import Path_
from newsletter.theme import MAIL

_MARKER = re.compile(r"<!-- src:([\w.]*) -->")


@dataclass(frozen=True, slots=True)
class MjmlErrors:
    """Finds the person's line behind a place in the MJML.

    Attributes:
        given: what the mail was made from.
        origins: where each place of the MJML was written; None if that cannot be told.
    """

    given: CompileInput
    origins: Origins | None

    def of_problems(self, problems: tuple[MjmlProblem, ...], mjml: str) -> TemplateError:
        """The error that reports what lint found."""
        if self.origins is not None:
            # A second rendering may differ in white space: what it holds is looked at anew.
            again = lint_mjml(self.origins.text)
            if [each.what for each in again] != [each.what for each in problems]:
                return MjmlErrors(self.given, None).of_problems(problems, mjml)
            problems, mjml = again, self.origins.text
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

    def of_engine(self, error: EngineError, prepared: str) -> TemplateError:
        """The error for MJML that lint let pass and the engine refused.

        Args:
            error: what the engine said, with a place in ``prepared``.
            prepared: the MJML as the engine got it, tag by tag the same as the templates made it.
        """
        where = Where(self.given.theme.path(MAIL))
        if error.offset is not None:
            text = self.origins.text if self.origins else prepared
            tags = sum(piece.start <= error.offset for piece in pieces(prepared))
            starts = [piece.start for piece in pieces(text)][:tags]
            where = self.where(starts[-1] if starts else 0, text, snippet="")
        return TemplateError(
            f"MJML cannot be made into HTML: {error}.",
            where=where,
            next="Look at the template for a tag that is not closed.",
        )

    def where(self, offset: int, mjml: str, *, snippet: str) -> Where:
        """The line of the template that wrote it, else the part of the issue that it shows."""
        path = _path_before(offset, mjml)
        item = self.given.issue.item(path)
        origin = self.origins.at(offset) if self.origins else None
        if origin is not None and not origin.printed:
            line = self.given.theme.files[origin.file].split("\n")[origin.line - 1]
            column = line.find(snippet.partition("\n")[0]) + 1 if snippet else 0
            file = self.given.theme.path(origin.file)
            return Where(file, origin.line, column or None, item=item)
        if path:
            return self.given.source.where(*path, item=item)
        line_made, column_made = line_and_column(mjml, offset)
        return Where(
            self.given.theme.path(origin.file if origin else MAIL),
            origin.line if origin else None,
            item=f"line {line_made}, column {column_made} of the MJML it makes",
        )


def _path_before(offset: int, mjml: str) -> Path_:
    """The path that the last marker before a place names."""
    markers = _MARKER.findall(mjml, 0, offset)
    if not markers or not markers[-1]:
        return ()
    return tuple(int(part) if part.isdigit() else part for part in markers[-1].split("."))
