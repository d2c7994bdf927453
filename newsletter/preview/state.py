"""What the preview shows now: the last good build, the error since, and both as JSON.

Reads the project through :mod:`newsletter.preview.build`; starts nothing and
waits for nothing. The server asks it whether a file changed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from newsletter.checks.finding import Finding
from newsletter.checks.run import as_data, count_by_severity
from newsletter.checks.size import CLIP_KB, ERROR_KB, WARN_KB, size_kb
from newsletter.errors import NewsletterError
from newsletter.model import direction

if TYPE_CHECKING:
    from newsletter.preview.build import Preview


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One state of the page.

    ``preview`` is the last good build, None if there never was one; ``error`` is
    why the files as they are now give none.
    """

    version: int
    preview: Preview | None
    error: NewsletterError | None


class PreviewState:
    """Builds when a file changed, and keeps the last good build when that fails.

    Args:
        build: makes the preview from the files.
        state: what the files are like; when it differs from the last time,
            something changed.
    """

    def __init__(self, build: Callable[[], Preview], state: Callable[[], object]) -> None:
        self._build = build
        self._state = state
        self._seen: object = None
        self.shown: Snapshot = Snapshot(0, None, None)
        self.refresh()

    def refresh(self) -> bool:
        """Build again if a file changed; returns whether one did."""
        state = self._state()
        if self.shown.version and state == self._seen:
            return False
        # Noted before building: what changes meanwhile is seen the next time.
        self._seen = state
        version = self.shown.version + 1
        try:
            self.shown = Snapshot(version, self._build(), None)
        except NewsletterError as error:
            self.shown = Snapshot(version, self.shown.preview, error)
        except Exception as error:  # noqa: BLE001 - else a fault of ours would end the watching
            self.shown = Snapshot(version, self.shown.preview, _own_fault(error))
        return True


def _own_fault(error: Exception) -> NewsletterError:
    return NewsletterError(
        f"The newsletter tool itself failed: {type(error).__name__}: {error}.",
        next="Undo your last change, and report this with the file as it was.",
    )


def as_state(shown: Snapshot, reader_id: str) -> dict[str, Any]:
    """All that the page shows besides the mail, for one reader.

    ``issue`` is None where no build was ever good; ``error`` is None where the
    last one was.
    """
    error = shown.error
    issue = None
    if shown.preview is not None:
        try:
            issue = _issue(shown.preview, reader_id)
        except NewsletterError as problem:
            error = error or problem
    return {
        "version": shown.version,
        "error": _error(error) if error else None,
        "issue": issue,
    }


def _issue(preview: Preview, reader_id: str) -> dict[str, Any]:
    mail = preview.mail(reader_id)
    issue = preview.compiled.languages[mail.language].loaded.issue
    findings, here = preview.compiled.findings, set(preview.findings[mail.language])
    return {
        "title": issue.title,
        "list": preview.compiled.settings.list.name,
        "date": issue.date.isoformat(),
        "language": issue.language,
        "direction": direction(issue.language),
        "notice": preview.notice,
        "readers": [{"id": reader.id, "label": reader.label} for reader in preview.readers],
        "reader": mail.reader.id,
        "sender": mail.sender,
        "subject": mail.subject,
        "preheader": mail.preheader,
        "text": mail.text,
        "headers": mail.headers,
        "size": {
            "kb": round(size_kb(mail.html), 1),
            "clip": CLIP_KB,
            "warn": WARN_KB,
            "error": ERROR_KB,
        },
        "counts": {str(s): n for s, n in count_by_severity(findings).items()},
        "findings": [_finding(finding, here=finding in here) for finding in findings],
    }


def _finding(finding: Finding, *, here: bool) -> dict[str, Any]:
    """A finding; ``here``: in the language that is shown, so that its story can be gone to."""
    told, where = as_data(finding), finding.where
    if here and finding.story:
        # The story stands beside it already.
        return {**told, "place": str(replace(where, item=None))}
    return {**told, "story": None, "place": str(where)}


def _error(error: NewsletterError) -> dict[str, Any]:
    return {
        "what": error.what,
        "place": str(error.where),
        "next": error.next,
        "problems": [
            {"what": problem.what, "place": str(problem.where), "next": problem.next}
            for problem in error.problems
        ],
    }
