"""From an issue's files to its editions, and what the checks say of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from newsletter.archive_layout import page_path
from newsletter.audience.languages import edition_for
from newsletter.checks.check_input import CheckInput
from newsletter.checks.finding import Finding, Severity
from newsletter.checks.run import run_checks
from newsletter.config import Settings
from newsletter.errors import ChecksFailed
from newsletter.issues.languages import load_languages
from newsletter.issues.loader import LoadedIssue
from newsletter.issues.material import load_material
from newsletter.phrases import count
from newsletter.project.project import Project
from newsletter.render.edition import CompileInput, Edition
from newsletter.render.pipeline import compile_edition
from newsletter.render.urls import ascii_url
from newsletter.theme import Theme


class ErrorsFound(ChecksFailed):
    """The checks found errors in an issue.

    Attributes:
        findings: those errors.
    """

    def __init__(self, issue: str, findings: tuple[Finding, ...]) -> None:
        super().__init__(
            f"The checks found {count(len(findings), 'error')}, so nothing was sent.",
            next=f"Correct what is listed above; “newsletter check {issue}” shows it again.",
        )
        self.findings = findings


@dataclass(frozen=True, slots=True)
class Compiled:
    """An issue in one language, as written and as it will be sent."""

    loaded: LoadedIssue
    given: CompileInput
    edition: Edition


@dataclass(frozen=True)
class CompiledIssue:
    """An issue in all its languages, by their codes; its first language first."""

    settings: Settings
    theme: Theme
    languages: Mapping[str, Compiled]

    @property
    def original(self) -> Compiled:
        """The issue in its first language."""
        return next(iter(self.languages.values()))

    @property
    def id(self) -> str:
        """The issue's id, such as ``2017-03``."""
        return self.original.loaded.issue.id

    @property
    def editions(self) -> dict[str, Edition]:
        """The editions alone."""
        return {language: one.edition for language, one in self.languages.items()}

    @property
    def default_language(self) -> str:
        """The language of readers whose own has no edition."""
        wanted = self.settings.language
        return wanted if wanted in self.languages else next(iter(self.languages))

    def edition_of(self, language: str | None) -> str:
        """The language of the edition for readers of a language; None: theirs is not known."""
        return edition_for(language, self.languages, self.default_language)

    @cached_property
    def check_inputs(self) -> tuple[CheckInput, ...]:
        """What the checks look at, in every language."""
        return tuple(
            CheckInput.of(one.given, one.edition, one.loaded.original)
            for one in self.languages.values()
        )

    @cached_property
    def findings_by_language(self) -> Mapping[str, tuple[Finding, ...]]:
        """What the checks find in each language."""
        found = map(run_checks, self.check_inputs)
        return dict(zip(self.languages, found, strict=True))

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What the checks find; of a story that several languages show, once."""
        found = self.findings_by_language.values()
        return tuple(dict.fromkeys(finding for each in found for finding in each))

    def refuse_errors(self) -> None:
        """Make sure that the checks find no error.

        Raises:
            ErrorsFound: they do.
        """
        errors = tuple(each for each in self.findings if each.severity is Severity.ERROR)
        if errors:
            raise ErrorsFound(self.id, errors)

    @property
    def from_archive(self) -> tuple[str, ...]:
        """What the mails load from the archive or lead to in it, in words.

        It must be published before the issue is sent.
        """
        if self.settings.archive is None:
            return ()
        base = ascii_url(self.settings.archive.url)
        pages = {page_path(self.id, language) for language in self.languages}
        below = {
            "pictures": {"images/"},
            "documents": {"files/"},
            "the page in the browser": pages,
        }
        html = [edition.html for edition in self.editions.values()]
        return tuple(
            words
            for words, paths in below.items()
            if any(base + path in page for page in html for path in paths)
        )


def compile_issue(project: Project, name: str) -> CompiledIssue:
    """Load and compile an issue and its translations.

    Args:
        project: whose issue.
        name: its id, or the path of its file.

    Raises:
        InputError: there is no such issue.
        IssueError, TemplateError: something in it is wrong.
    """
    file = project.issue_file(project.issue_id(name))
    loaded = load_languages(file, fields=project.settings.audience.fields)
    compiled = {}
    for language, one in loaded.items():
        material = load_material(one, project.issues_folder, shown=project.theme.shown)
        given = CompileInput(one.issue, one.source, project.theme, project.settings, material)
        compiled[language] = Compiled(one, given, compile_edition(given))
    return CompiledIssue(project.settings, project.theme, compiled)
