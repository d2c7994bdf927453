"""The live view of a send that goes on, in a terminal or as lines in a pipe."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from rich.live import Live
from rich.table import Table

from newsletter.cli.output import count, moment, out, say
from newsletter.cli.standing import is_alive, last_run
from newsletter.cli.waiting import countdown
from newsletter.ledger.states import State

if TYPE_CHECKING:
    from newsletter.clock import Clock
    from newsletter.ledger import Ledger
    from newsletter.ledger.campaigns import Campaign
    from newsletter.ledger.runs import RunRecord
    from newsletter.ledger.tally import Tally

_LOOK_S = 1.0
_LINE_S = 5.0
"""How often a line is written where there is no terminal."""
_RATE_OVER = 30
"""Looks over which the rate is taken: half a minute evens out batches."""


@dataclass(frozen=True, slots=True)
class Look:
    """What one look at a campaign showed."""

    at: datetime
    campaign: Campaign
    run: RunRecord
    tally: Tally
    due: datetime | None

    @property
    def done(self) -> int:
        """How many have an end, be it a doubt."""
        return self.tally.settled + self.tally[State.IN_DOUBT]


def follow(ledger: Ledger, campaigns: Sequence[Campaign], *, clock: Clock) -> None:
    """Show runs at work until they are over. Ctrl-C ends the view and nothing else."""
    looks: deque[Look] = deque(maxlen=_RATE_OVER)
    try:
        if out.is_terminal:
            with Live(console=out, auto_refresh=False, transient=True) as live:
                while look := _look(ledger, campaigns, clock):
                    looks.append(look)
                    live.update(_table(facts(look, rate(looks))), refresh=True)
                    clock.sleep(_LOOK_S)
        else:
            _lines(ledger, campaigns, clock, looks)
    except KeyboardInterrupt:
        say("Not watching any more; the send goes on.")
        return
    _tell_end(ledger, looks)


def facts(look: Look, per_second: float | None) -> list[tuple[str, str]]:
    """What a look showed, in words below labels."""
    tally = look.tally
    share = f" ({look.done / tally.planned:.0%})" if tally.planned else ""
    refused = tally[State.REJECTED] + tally[State.EXPIRED]
    run_for = countdown((look.at - look.run.started_at).total_seconds())
    found = [
        ("Campaign", look.campaign.id),
        ("Done", f"{look.done:,} of {tally.planned:,}{share}"),
        ("Accepted", f"{tally[State.ACCEPTED]:,}"),
    ]
    if refused:
        found.append(("Refused", f"{refused:,}"))
    if tally[State.SUPPRESSED]:
        found.append(("Left", f"{tally[State.SUPPRESSED]:,}"))
    if tally[State.DEFERRED]:
        found.append(("Put off", f"{tally[State.DEFERRED]:,}"))
    if tally[State.IN_DOUBT]:
        found.append(("In doubt", f"{tally[State.IN_DOUBT]:,}"))
    if look.due is not None and look.due > look.at:
        found.append(("Waits", f"until {moment(look.due)}"))
    elif per_second is not None:
        found.append(("Rate", f"{per_second:.1f} a second"))
    found.append(("Run", f"at work for {run_for}"))
    return found


def rate(looks: Sequence[Look]) -> float | None:
    """How many a second got an end lately; None while that cannot be told."""
    if len(looks) < 2:
        return None
    seconds = (looks[-1].at - looks[0].at).total_seconds()
    return (looks[-1].done - looks[0].done) / seconds if seconds > 0 else None


def _lines(ledger: Ledger, campaigns: Sequence[Campaign], clock: Clock, looks: deque[Look]) -> None:
    written: datetime | None = None
    while look := _look(ledger, campaigns, clock):
        looks.append(look)
        if written is None or (look.at - written).total_seconds() >= _LINE_S:
            said = ", ".join(f"{label.lower()} {fact}" for label, fact in facts(look, rate(looks)))
            say(f"{look.at.astimezone():%H:%M:%S} {said}")
            written = look.at
        clock.sleep(_LOOK_S)


def _look(ledger: Ledger, campaigns: Sequence[Campaign], clock: Clock) -> Look | None:
    """Look at the campaign that a run is at work on; None: there is none."""
    now = clock.now()
    for campaign in campaigns:
        run = last_run(ledger, campaign)
        if run is not None and is_alive(run, now=now):
            tally = ledger.campaigns.tally(campaign)
            queued = tally[State.CLAIMED] or tally[State.ATTEMPTING]
            due = None if queued else ledger.deliveries.next_due(campaign.id)
            return Look(now, campaign, run, tally, due)
    return None


def _tell_end(ledger: Ledger, looks: Sequence[Look]) -> None:
    if not looks:
        say("No run is at work.")
        return
    run = last_run(ledger, looks[-1].campaign)
    if run is not None and run.ended_at is None:
        silent = count(round((looks[-1].at - run.seen_at).total_seconds()), "second")
        say(f"The run is gone: it was not seen for more than {silent}, and did not say why.")
    else:
        say("The run is over.")


def _table(found: Sequence[tuple[str, str]]) -> Table:
    table = Table.grid(padding=(0, 2))
    for label, fact in found:
        table.add_row(label, fact)
    return table
