"""Makes one list of several files, by the rules that hold within a file. No I/O."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

from newsletter.audience.model import Roster, Subscriber
from newsletter.audience.reader import MAX_ROWS
from newsletter.errors import Problem, RosterError, Where


def one_roster(parts: Sequence[Roster], *, may_be_empty: bool) -> Roster:
    """All readers of several files, in the order of the files and of their rows.

    The first row of a reader counts. Whom one file says not to mail is not mailed for another.

    Args:
        parts: each file as read.
        may_be_empty: whether it is right that nobody on any of them can be mailed.

    Raises:
        RosterError: together they have too many rows, no file has a column that newsletter.toml
            names, or nobody can be mailed.
    """
    _refuse_unusable(parts)
    left_by: dict[str, Roster] = {}
    for part in reversed(parts):
        left_by.update(dict.fromkeys(part.left_keys, part))
    first: dict[str, Subscriber] = {}
    left, repeated = [], []
    for subscriber in chain.from_iterable(part.subscribers for part in parts):
        key = subscriber.address.suppression_key
        where = Where(subscriber.file, row=subscriber.row)
        if key in left_by:
            what = f"Not mailed: {left_by[key].named} says so of the same reader."
            left.append(Problem(what, where))
        elif key in first:
            known = first[key]
            what = f"The address is in row {known.row} of {known.file} already; that row counts."
            repeated.append(Problem(what, where))
        else:
            first[key] = subscriber
    rows = sum(part.rows for part in parts)
    files = tuple(chain.from_iterable(part.files for part in parts))
    if not first and not may_be_empty:
        refused = [problem for part in parts for problem in (*part.refused, *part.left)]
        raise RosterError(
            f"None of the {rows} rows of {', '.join(map(str, files))} can be mailed."
            if rows
            else f"There are no readers in {', '.join(map(str, files))}.",
            problems=[*refused, *left],
            next="“newsletter docs subscribers” shows what a list looks like.",
        )
    return Roster(
        files=files,
        subscribers=tuple(first.values()),
        refused=tuple(chain.from_iterable(part.refused for part in parts)),
        repeated=(*chain.from_iterable(part.repeated for part in parts), *repeated),
        left=(*chain.from_iterable(part.left for part in parts), *left),
        left_keys=frozenset(left_by),
        warnings=(
            *(_nobody(part) for part in parts if not part.rows),
            *chain.from_iterable(part.warnings for part in parts),
        ),
        rows=rows,
    )


def _refuse_unusable(parts: Sequence[Roster]) -> None:
    if sum(part.rows for part in parts) > MAX_ROWS:
        raise RosterError(
            f"The files of the list have more than {MAX_ROWS:,} rows together.",
            next="Send the issue to each file separately, with --subscribers FILE.",
        )
    nowhere = set.intersection(*({*part.lacking} for part in parts)) if parts else set()
    if nowhere:
        raise RosterError(
            f"No file of the list has the column “{min(nowhere)}”; newsletter.toml names it.",
            next="Add it to a file, or remove it from “fields” under [audience].",
        )


def _nobody(part: Roster) -> Problem:
    what = "The file has a header but no readers."
    return Problem(what, Where(part.files[0]), "Export it again if it should have some.")
