"""What a move leaves to look at: the rows that cannot be used, and a report for the board."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence

from newsletter.formulas import defused
from newsletter.invisible import visible
from newsletter.phrases import moment
from newsletter.project.imports import StagedImport
from newsletter.project.project import Project
from newsletter.reader_states import WORDS
from newsletter.refusal_words import without_addresses


def rejected_csv(staged: StagedImport) -> Iterator[bytes]:
    """The rows that cannot be used, as CSV that a spreadsheet opens and does not run."""
    yield csv_head(("file", "row", "why", "cells"))
    for each in staged.rejected:
        yield csv_line((each.file, str(each.row), each.why, *each.cells))


def csv_head(names: Sequence[str]) -> bytes:
    """The beginning of a CSV: its byte order mark and header, by which an earlier one is known."""
    return "\ufeff".encode() + csv_line(names)


def csv_line(cells: Sequence[str]) -> bytes:
    """A row of a CSV that a spreadsheet opens and does not run."""
    line = io.StringIO()
    csv.writer(line, lineterminator="\r\n").writerow(map(defused, cells))
    return line.getvalue().encode(errors="replace")


def report_text(
    project: Project, staged: StagedImport, notes: Sequence[str], *, id_: int | None
) -> Iterator[bytes]:
    """What a move brings, in numbers; no address stands in it.

    Args:
        project: the project.
        staged: all files.
        notes: what is odd about them.
        id_: the import's; None: nothing was imported yet.
    """
    at = moment(project.clock.now())
    lines = [
        f"Readers moved to {project.settings.list.name}",
        f"As of {at}: nothing is imported yet" if id_ is None else f"Import {id_}, {at}",
        "",
        "Files: rows = accepted + merged + suppressed + rejected",
    ]
    for file in staged.files:
        counts = file.counts
        states = ", ".join(f"{state} {number:,}" for state, number in counts.states.items())
        lines.append(
            f"  {visible(without_addresses(file.name))} ({file.what}): "
            f"{file.rows:,} = {counts.accepted:,} + {counts.merged:,} + {counts.suppressed:,}"
            f" + {file.rejected:,}; {states or 'known'}"
        )
    changes = staged.changes
    lines += [
        "",
        "Readers",
        f"  new on the list: {changes.new:,}",
        f"  changed: {changes.changed:,}",
        f"  as they were: {changes.unchanged:,}",
        *(f"  not mailed, {words}: {number:,}"
          for state, words in WORDS.items() if (number := changes.kept_off.get(state))),
        f"  said to have left, and confirmed since: {changes.confirmed_since:,}",
        *(("", "Notes", *(f"  {note}" for note in notes)) if notes else ()),
        "",
        "States: in, may be mailed; wait, never confirmed; never, excluded; dead, cannot be "
        "reached; left; spam, called the mail spam. The strongest counts for each reader.",
    ]  # fmt: skip
    yield "\n".join([*lines, ""]).encode()
