"""The report for programs: CSV with a line a recipient, JSON with the figures. No I/O.

Who a line is about is told by their address only if that was asked for; else
by the tag that also stands in their Message-ID, so that two exports of one
campaign can be joined and the relay's log searched.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from newsletter.formulas import defused
from newsletter.ledger.reading import DeliveryRow
from newsletter.report.figures import Figures, Share
from newsletter.report.reasons import redacted

COLUMNS = (
    "campaign", "recipient", "language", "wave", "version", "state", "attempts",
    "first_attempt_at", "changed_at", "provider_id", "reply",
)  # fmt: skip
_WAVES = {0: "seed", 1: "canary", 2: "rest"}


def csv_lines(rows: Iterable[DeliveryRow], *, addresses: bool) -> Iterator[str]:
    """The file, line by line.

    Args:
        rows: one for each recipient.
        addresses: whether it tells addresses, in replies too.
    """
    yield _row(COLUMNS)
    for row in rows:
        yield _row(
            (
                row.campaign,
                row.address if addresses else row.message_tag,
                row.language,
                _WAVES[row.wave],
                "" if row.version is None else row.version,
                row.state,
                row.attempts,
                row.first_attempt_at.isoformat() if row.first_attempt_at else "",
                row.changed_at.isoformat(),
                row.provider_id,
                row.reply if addresses else redacted(row.reply),
            )
        )


def _row(cells: Sequence[object]) -> str:
    written = io.StringIO()
    csv.writer(written, lineterminator="\r\n").writerow([defused(str(cell)) for cell in cells])
    return written.getvalue()


def as_json(figures: Sequence[Figures], *, issue: str) -> str:
    """The figures of all campaigns of an issue."""
    value = {"issue": issue, "campaigns": [_campaign(each) for each in figures]}
    return json.dumps(value, ensure_ascii=False, indent=2) + "\n"


def _campaign(figures: Figures) -> Mapping[str, Any]:
    tally = figures.tally
    return {
        "campaign": figures.campaign.id,
        "trial": figures.trial,
        "frozen_at": figures.campaign.frozen_at.isoformat(),
        "planned": tally.planned,
        "states": {str(state): number for state, number in tally.counts.items()},
        "adds_up": tally.adds_up,
        "complete": tally.complete,
        "excluded": dict(figures.campaign.excluded),
        "progress": [
            {"at": p.at.isoformat(), "accepted": p.accepted, "refused": p.refused}
            for p in figures.points
        ],
        "refused_by_reason": _shares(figures.reasons),
        "refused_by_domain": _shares(figures.domains),
        "put_off_by_reason": _shares(figures.waiting),
        "in_doubt_by_reason": _shares(figures.doubts),
        "settled_doubts": figures.settled_doubts,
        "accepted_by_attempts": {str(n): count for n, count in figures.attempts.items()},
        "attempted_by_version": {str(n): count for n, count in figures.versions.items()},
        "learned_later": dict(figures.events),
        "runs": [
            {
                "began": run.started_at.isoformat(),
                "ended": run.ended_at.isoformat() if run.ended_at else None,
                "through": run.place,
                "ending": run.ending,
            }
            for run in figures.runs
        ],
    }


def _shares(shares: Sequence[Share]) -> list[dict[str, object]]:
    return [{"label": each.label, "count": each.count, "of": each.of} for each in shares]
