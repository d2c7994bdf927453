"""The past issues on the web: which are published, and where they are written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from newsletter.archive.build import Built, build_archive
from newsletter.archive.pdf import find_browser
from newsletter.checks.finding import Severity
from newsletter.checks.placeholders import placeholder_field, placeholder_text
from newsletter.config import FILE_NAME, Archive
from newsletter.errors import ConfigError, InputError, Where
from newsletter.project.compile import CompiledIssue, compile_issue
from newsletter.project.project import Project
from newsletter.project.writing import refuse_own
from newsletter.render.web import InLanguages
from newsletter.render.web_urls import WebIssue


@dataclass(frozen=True, slots=True)
class Published:
    """What a build of the archive did.

    Attributes:
        built: what became of its files.
        folder: where they are.
        url: where they are to be published.
        issues: how many issues are in it.
        left_out: issues that were neither sent nor named.
        no_browser: whether there was no browser to make PDFs with.
    """

    built: Built
    folder: Path
    url: str
    issues: int
    left_out: tuple[str, ...]
    no_browser: bool


def build(
    project: Project,
    issues: Sequence[str] = (),
    *,
    folder: Path | None = None,
    pdf: bool | None = None,
    on_pdf: Callable[[str], None] = lambda _: None,
) -> Published:
    """Write every issue that was sent as a web page in each language, indexes and feeds.

    Args:
        project: whose issues.
        issues: further ones. What was published once stays, without being named again.
        folder: where to write; None: newsletter.toml's.
        pdf: whether to make PDFs; None: if there is a browser for it.
        on_pdf: told each PDF's place before it is made.

    Raises:
        ConfigError: newsletter.toml names no place for the archive.
        InputError, IssueError, TemplateError: something in an issue is wrong, there is
            none, or the folder must not be written to. Nothing was written.
    """
    place = _archive(project)
    folder = folder or project.folder / place.folder
    _refuse_the_project(project, folder)
    chosen, left_out = _choose(project, issues, folder)
    browser = None if pdf is False else find_browser()
    built = build_archive(
        chosen,
        project.theme,
        project.settings,
        folder=folder,
        browser=browser,
        scratch=project.folder,
        on_pdf=on_pdf,
    )
    return Published(built, folder, place.url, len(chosen), left_out, no_browser=browser is None)


def _archive(project: Project) -> Archive:
    place = project.settings.archive
    if place is None:
        raise ConfigError(
            "The archive has no address yet.",
            where=Where(project.folder / FILE_NAME),
            next='Add a table [archive] with url = "https://…/": the address where you will '
            "publish it.",
        )
    return place


def _refuse_the_project(project: Project, folder: Path) -> None:
    """What is published must not hold the list, the ledger and the key, nor lie among the issues.

    Raises:
        InputError: it would.
    """
    refuse_own(project, folder)
    own, wanted = project.folder.resolve(), folder.resolve()
    if own.is_relative_to(wanted):
        raise InputError(
            "That folder holds the project with its list and key, so it must not be published.",
            where=Where(folder),
            next="Name a separate folder, such as archive.",
        )


def _choose(
    project: Project, named: Sequence[str], folder: Path
) -> tuple[list[InLanguages], tuple[str, ...]]:
    """What to publish, and the issues that are left out.

    Raises:
        InputError: an issue is wrong, unfinished or not there, or nothing is left to publish.
    """
    wanted = {project.issue_id(name) for name in named}
    names = sorted(wanted | set(project.issue_names()))
    sent = _sent(project)
    # Somebody named it once; whoever has its address must find it in the index, too.
    public = {name for name in names if any(folder.glob(f"{name}.*.html"))}
    chosen = [name for name in names if name in wanted | sent | public]
    left_out = tuple(name for name in names if name not in chosen)
    if not chosen:
        raise InputError(
            "There is no issue to publish: none has been sent yet."
            if left_out
            else "There is no issue to publish.",
            where=Where(project.issues_folder),
            next=f"To publish one before you send it: newsletter archive build {left_out[0]}"
            if left_out
            else "Start one with “newsletter new ID”.",
        )
    return [_on_web(project, name, was_sent=name in sent) for name in chosen], left_out


def _sent(project: Project) -> frozenset[str]:
    """The issues that left for readers; trials reach nobody."""
    if not project.has_ledger:
        return frozenset()
    with closing(project.ledger(create=False, follow=False)) as ledger:
        left = set(ledger.runs.campaigns_that_left())
        return frozenset(each.issue for each in ledger.campaigns.all() if each.id in left)


def _on_web(project: Project, name: str, *, was_sent: bool) -> dict[str, WebIssue]:
    """The issue in all its languages as its pages show it; its mail must compile, too.

    Raises:
        InputError: something is wrong in it, or it was not sent and holds placeholders.
    """
    compiled = compile_issue(project, name)
    if not was_sent:
        _refuse_placeholders(compiled)
    return {
        language: WebIssue(one.loaded.issue, one.given.material)
        for language, one in compiled.languages.items()
    }


def _refuse_placeholders(compiled: CompiledIssue) -> None:
    """The send refuses them, too, but by then the page would be public."""
    for given, check in product(compiled.check_inputs, (placeholder_field, placeholder_text)):
        for found in check.findings(given):
            if found.severity is Severity.ERROR:
                raise InputError(
                    f"The issue is not finished, so nothing was published: {found.what}",
                    where=found.where,
                    next=found.mend,
                )
