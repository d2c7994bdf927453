"""The live view of a send that goes on, in a terminal or as lines in a pipe."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from rich.live import Live
from rich.table import Table

from newsletter.cli.output import out, say
from newsletter.cli.waiting import countdown
from newsletter.ledger.states import State
from newsletter.phrases import count, moment

if TYPE_CHECKING:
    from newsletter.project.account import RunSnapshot

_LINE_S = 5.0
"""How often a line is written where there is no terminal."""
_RATE_OVER = 30
"""Looks over which the rate is taken: half a minute evens out batches."""


def follow(snapshots: Iterable[RunSnapshot]) -> None:
    """Show snapshots of a run until it is over. Ctrl-C ends the view and nothing else."""
    seen: deque[RunSnapshot] = deque(maxlen=_RATE_OVER)
    try:
        if out.is_terminal:
            with Live(console=out, auto_refresh=False, transient=True) as live:
                for snapshot in snapshots:
                    seen.append(snapshot)
                    live.update(_table(facts(snapshot, rate(seen))), refresh=True)
        else:
            _follow_in_lines(snapshots, seen)
    except KeyboardInterrupt:
        say("Stopped watching; the send continues.")
        return
    _tell_end(seen)


def facts(snapshot: RunSnapshot, per_second: float | None) -> list[tuple[str, str]]:
    """What a snapshot shows: labels and words."""
    tally = snapshot.tally
    share = f" ({snapshot.done / tally.planned:.0%})" if tally.planned else ""
    refused = tally[State.REJECTED] + tally[State.EXPIRED]
    run_for = countdown((snapshot.at - snapshot.run.started_at).total_seconds())
    found = [
        ("Campaign", snapshot.campaign.id),
        ("Done", f"{snapshot.done:,} of {tally.planned:,}{share}"),
        ("Accepted", f"{tally[State.ACCEPTED]:,}"),
    ]
    if refused:
        found.append(("Refused", f"{refused:,}"))
    if tally[State.SUPPRESSED]:
        found.append(("Left", f"{tally[State.SUPPRESSED]:,}"))
    if tally[State.DEFERRED]:
        found.append(("Deferred", f"{tally[State.DEFERRED]:,}"))
    if tally[State.IN_DOUBT]:
        found.append(("In doubt", f"{tally[State.IN_DOUBT]:,}"))
    if snapshot.due is not None and snapshot.due > snapshot.at:
        found.append(("Waits", f"until {moment(snapshot.due)}"))
    elif per_second is not None:
        found.append(("Rate", f"{per_second:.1f} a second"))
    found.append(("Run", f"at work for {run_for}"))
    return found


def rate(snapshots: Sequence[RunSnapshot]) -> float | None:
    """How many a second got an end lately; None while that cannot be told."""
    if len(snapshots) < 2:
        return None
    seconds = (snapshots[-1].at - snapshots[0].at).total_seconds()
    return (snapshots[-1].done - snapshots[0].done) / seconds if seconds > 0 else None


def _follow_in_lines(snapshots: Iterable[RunSnapshot], seen: deque[RunSnapshot]) -> None:
    written: datetime | None = None
    for snapshot in snapshots:
        seen.append(snapshot)
        late = written is None or (snapshot.at - written).total_seconds() >= _LINE_S
        if late and not snapshot.over:
            said = ", ".join(
                f"{label.lower()} {fact}" for label, fact in facts(snapshot, rate(seen))
            )
            say(f"{snapshot.at.astimezone():%H:%M:%S} {said}")
            written = snapshot.at


def _tell_end(seen: Sequence[RunSnapshot]) -> None:
    if not seen:
        say("No run is at work.")
    elif seen[-1].run.ended_at is None:
        silent = count(round((seen[-1].at - seen[-1].run.seen_at).total_seconds()), "second")
        say(f"The run ended unexpectedly: no sign of it for more than {silent}.")
    else:
        say("The run is over.")


def _table(found: Sequence[tuple[str, str]]) -> Table:
    table = Table.grid(padding=(0, 2))
    for label, fact in found:
        table.add_row(label, fact)
    return table
