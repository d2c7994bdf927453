"""Waiting in the foreground for the moment at which a frozen send begins."""

from __future__ import annotations

from datetime import datetime

import typer

from newsletter.cli.output import err, say
from newsletter.clock import Clock
from newsletter.errors import ExitCode
from newsletter.phrases import count, moment

_LOOK_S = 1.0
"""How often the clock is read: a machine that slept, or was set, is noticed that soon."""
_MINUTE_S, _HOUR_S, _DAY_S = 60, 3600, 86400


def wait_until(at: datetime, *, issue: str, clock: Clock) -> None:
    """Wait, with a countdown on a terminal.

    Raises:
        typer.Exit: Ctrl-C; what was frozen stays frozen.
    """
    try:
        say(
            f"Waiting until {moment(at)}; everything is frozen. Leave this window "
            "open and the machine on. Ctrl-C stops the waiting; “newsletter resume "
            f"{issue}” continues it."
        )
        if err.is_terminal:
            with err.status("") as line:
                while (left := _left(at, clock)) > 0:
                    line.update(f"It begins in {countdown(left)}")
                    clock.sleep(min(left, _LOOK_S))
        else:
            while (left := _left(at, clock)) > 0:
                clock.sleep(min(left, _LOOK_S))
    except KeyboardInterrupt:
        say(f"Stopped waiting; nothing was sent. To wait again: newsletter resume {issue}")
        raise typer.Exit(ExitCode.TRANSPORT_STOPPED) from None


def countdown(seconds: float) -> str:
    """``2 days 3 hours``, ``2 hours 5 minutes``, ``4 minutes 3 seconds``, ``3 seconds``."""
    whole = max(1, round(seconds))
    days, rest = divmod(whole, _DAY_S)
    hours, rest = divmod(rest, _HOUR_S)
    minutes, rest = divmod(rest, _MINUTE_S)
    parts = [(days, "day"), (hours, "hour"), (minutes, "minute"), (rest, "second")]
    first = next(index for index, (number, _) in enumerate(parts) if number)
    return " ".join(count(number, unit) for number, unit in parts[first : first + 2] if number)


def _left(at: datetime, clock: Clock) -> float:
    return (at - clock.now()).total_seconds()
