"""What the page is told, as plain values for JSON. No I/O besides the clock of the Date header."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from newsletter.checks.finding import Finding
from newsletter.checks.run import as_data, count_by_severity
from newsletter.checks.size import ERROR_KB, WARN_KB, size_kb
from newsletter.checks.weight import CLIP_KB
from newsletter.errors import NewsletterError
from newsletter.model import direction
from newsletter.preview.build import Preview
from newsletter.preview.studio import Shown


def as_state(shown: Shown, reader_id: str) -> dict[str, Any]:
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
    findings = preview.findings[mail.language]
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
        "findings": [{**as_data(finding), "place": _place(finding)} for finding in findings],
    }


def _place(finding: Finding) -> str:
    """File and line; the story stands beside it already."""
    where = finding.where
    return str(replace(where, item=None if finding.story else where.item))


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
