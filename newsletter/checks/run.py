"""Runs every check over an edition, and writes down what they found. No I/O."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

from newsletter.checks import (
    accessibility,
    characters,
    contrast,
    dates,
    enclosures,
    first_words,
    forced_dark,
    headings,
    images,
    language,
    links,
    looks,
    parity,
    pictures,
    placeholders,
    privacy,
    raw_markdown,
    size,
    subject,
    tracking,
    translation,
    unsubscribe,
)
from newsletter.checks.check_input import CheckInput
from newsletter.checks.finding import Check, Finding, Severity
from newsletter.checks.privacy_report import PrivacyReport
from newsletter.checks.size import MailSizes

CHECKS: tuple[Check, ...] = (
    size.html_size,
    size.style_size,
    characters.control_characters,
    subject.subject_long,
    subject.subject_shouts,
    subject.subject_reply,
    subject.preheader_missing,
    subject.preheader_repeats,
    subject.preheader_length,
    subject.title_missing,
    first_words.first_words,
    language.language,
    language.direction,
    language.language_in_body,
    translation.translation_fallback,
    translation.translation_same,
    language.organisation_language,
    headings.heading_one,
    headings.heading_order,
    headings.heading_empty,
    accessibility.table_role,
    accessibility.duplicate_id,
    accessibility.zoom_disabled,
    accessibility.aria_valid,
    contrast.contrast_of_text,
    forced_dark.contrast_forced_dark,
    images.alt_missing,
    images.alt_file_name,
    images.alt_long,
    images.alt_repeats,
    images.image_address,
    pictures.picture_heavy,
    pictures.pictures_heavy,
    pictures.picture_blurred,
    pictures.picture_moves,
    pictures.credit_differs,
    enclosures.message_heavy,
    enclosures.document_author,
    links.link_empty,
    links.link_script,
    links.link_relative,
    links.link_http,
    links.link_host,
    links.link_text,
    links.link_words,
    accessibility.link_colour_only,
    privacy.privacy_contact,
    privacy.privacy_active,
    privacy.privacy_pixel,
    privacy.privacy_personal,
    tracking.privacy_tracking,
    tracking.privacy_detour,
    unsubscribe.unsubscribe_html,
    unsubscribe.unsubscribe_text,
    unsubscribe.postal_address,
    unsubscribe.sender_no_reply,
    unsubscribe.privacy_notice,
    placeholders.placeholder_field,
    placeholders.placeholder_text,
    placeholders.value_missing,
    placeholders.slot_unknown,
    raw_markdown.markdown_raw,
    raw_markdown.footnote,
    parity.parity_words,
    parity.parity_links,
    dates.weekday,
    dates.date_over,
    looks.look_unknown,
)
"""Every check, in the order of docs/checks.md."""

_RANK = {severity: rank for rank, severity in enumerate(Severity)}


def run_checks(given: CheckInput) -> tuple[Finding, ...]:
    """Look for every fault that can be seen without a network.

    Returns:
        What was found: errors first, then by place.
    """
    found = {finding: None for check in CHECKS for finding in check.findings(given)}
    return tuple(sorted(found, key=_order))


def _order(finding: Finding) -> tuple[int, str, int, int, str]:
    where = finding.where
    place = (str(where.file or ""), where.line or 0, where.column or 0)
    return (_RANK[finding.severity], *place, finding.id)


def count_by_severity(findings: Sequence[Finding]) -> dict[Severity, int]:
    """How many findings there are of each severity; each severity is there."""
    counted = Counter(finding.severity for finding in findings)
    return {severity: counted[severity] for severity in Severity}


def as_data(finding: Finding) -> dict[str, Any]:
    """A finding as plain values, for JSON."""
    where = finding.where
    return {
        "id": finding.id,
        "severity": finding.severity.value,
        "what": finding.what,
        "file": None if where.file is None else str(where.file),
        "line": where.line,
        "column": where.column,
        "item": where.item,
        "story": finding.story,
        "story_id": finding.story_id,
        "why": finding.why,
        "mend": finding.mend,
    }


def to_json(
    findings: Sequence[Finding], privacy: Sequence[PrivacyReport], sizes: Sequence[MailSizes]
) -> str:
    """All findings, their counts, what the mail tells whom and how large it is, for scripts.

    The keys are a contract with scripts; docs/checks.md lists them.
    """
    counts = {severity.value: number for severity, number in count_by_severity(findings).items()}
    data = {
        "counts": counts,
        "findings": [as_data(finding) for finding in findings],
        "privacy": [report.as_data() for report in privacy],
        "sizes": [each.as_data() for each in sizes],
    }
    return json.dumps(data, ensure_ascii=False, indent=2)
