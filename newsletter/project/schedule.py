"""Times that a person writes, and the lines that let a scheduler keep them. Pure.

A time names a moment only together with a zone. Twice a year a clock on the
wall shows an hour twice or leaves one out (PEP 495 calls them fold and gap);
such a time is refused with both of its readings, since to guess could mail a
list an hour early.
"""

from __future__ import annotations

import difflib
import re
import shlex
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo, available_timezones

from newsletter.errors import InputError, Where

_TIME = re.compile(
    r"(?P<day>\d{4}-\d{2}-\d{2})[ T](?P<time>\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?)"
    r"(?: ?(?P<offset>[Zz]|[+-]\d{2}:?\d{2})| (?P<zone>[A-Za-z][\w+/-]*))?"
)
_FURTHEST = timedelta(days=2 * 365)
_WRITE = "Write it as 2027-04-01 09:00, 2027-04-01T09:00+02:00 or 2027-04-01 09:00 Europe/Brussels."


@dataclass(frozen=True, slots=True)
class Appointment:
    """A moment, and the zone in which it was written.

    Attributes:
        at: the moment, in that zone.
        zone: what the zone is called: ``Europe/Brussels``, ``UTC+02:00``, or
            “this machine's time zone”.
    """

    at: datetime
    zone: str

    def __str__(self) -> str:
        """``Thu 2027-04-01 09:00 UTC+02:00 (Europe/Brussels)``."""
        offset = _offset_words(self.at.utcoffset() or timedelta())
        place = "" if self.zone == offset else f" ({self.zone})"
        return f"{self.at:%a %Y-%m-%d} {_wall(self.at)} {offset}{place}"


def read_time(text: str, *, now: datetime) -> Appointment:
    """Understand a time of the future.

    Args:
        text: such as ``2027-04-01 09:00``, with an offset or a zone's name
            behind it; else it is meant in the machine's own zone.
        now: the current time.

    Raises:
        InputError: it is no time, is past or years ahead, comes twice or never on that day,
            or names no zone that this machine knows.
    """
    found = _TIME.fullmatch(text.strip())
    try:
        wall = _clock_time(found["day"], found["time"]) if found else None
    except (ValueError, OverflowError):
        wall = None
    if found is None or wall is None:
        raise InputError(f"“{text}” is not a date and time.", where=Where(item="--at"), next=_WRITE)
    zone = _zone(found["offset"], found["zone"])
    # Looked at before it is reckoned with: time begins and ends at the years 1 and 9999.
    if wall.year > now.year + 3:
        raise _too_far(text)
    if wall.year < now.year - 1:
        raise _past(text, now)
    at = _moment(text, wall, zone)
    if at <= now:
        raise _past(text, now.astimezone(at.tzinfo))
    if at > now + _FURTHEST:
        raise _too_far(text)
    return Appointment(at, _zone_words(zone, at))


def _past(text: str, there: datetime) -> InputError:
    return InputError(
        f"“{text}” is past: it is {there:%Y-%m-%d %H:%M} there now.",
        where=Where(item="--at"),
        next="Choose a later time, or leave --at out to send now.",
    )


def _too_far(text: str) -> InputError:
    return InputError(
        f"“{text}” is more than {_FURTHEST.days // 365} years ahead.",
        where=Where(item="--at"),
        next="Check the year; what is frozen now would be old news by then.",
    )


def _clock_time(day: str, time: str) -> datetime:
    """``9:00`` as ``09:00``; a fraction of a second is rounded up, so that nothing begins early."""
    whole, _, fraction = time.partition(".")
    found = datetime.fromisoformat(f"{day} {whole.rjust(5 if whole.count(':') == 1 else 8, '0')}")
    return found + timedelta(seconds=1) if fraction.strip("0") else found


def _zone(offset: str | None, name: str | None) -> tzinfo | None:
    """The zone that was written; None for the machine's own."""
    if offset is not None:
        if offset in {"Z", "z"}:
            return UTC
        hours, minutes = int(offset[1:3]), int(offset[-2:])
        if hours > 14 or minutes > 59:  # no clock on earth is further from UTC
            raise InputError(
                f"“{offset}” is not an offset from UTC.", where=Where(item="--at"), next=_WRITE
            )
        size = timedelta(hours=hours, minutes=minutes)
        return timezone(-size if offset[0] == "-" else size)
    return None if name is None else _named(name)


def _named(name: str) -> tzinfo:
    if name.upper() in {"UTC", "GMT"}:
        return UTC
    known = available_timezones()
    if name in known:
        return ZoneInfo(name)
    if not known:
        raise InputError(
            "This machine has no list of time zones, so their names cannot be understood.",
            where=Where(item="--at"),
            next="Write the offset instead, such as 2027-04-01 09:00+02:00, or install the "
            "system's package “tzdata”.",
        )
    wanted = name.casefold()
    cities = sorted(zone for zone in known if zone.casefold().rpartition("/")[2] == wanted)
    near = cities or difflib.get_close_matches(name, sorted(known), n=3)
    raise InputError(
        f"There is no time zone “{name}”.",
        where=Where(item="--at"),
        next=f"Did you mean {' or '.join(near[:3])}?" if near else _WRITE,
    )


def _moment(text: str, wall: datetime, zone: tzinfo | None) -> datetime:
    """The one moment at which a clock there shows ``wall``."""
    before, after = (_reading(wall.replace(fold=fold), zone) for fold in (0, 1))
    early, late = before.utcoffset() or timedelta(), after.utcoffset() or timedelta()
    if early == late:
        return before
    if early < late:
        # No clock shows it: each of the two readings is another time on the wall.
        readings = sorted(_shown(moment, zone) for moment in (before, after))
        raise InputError(
            f"No clock there shows “{text}”: the clocks are put forward in that hour.",
            where=Where(item="--at"),
            next=f"Say {readings[0]:%Y-%m-%d} {_with_offset(readings[0])} "
            f"or {_with_offset(readings[1])}.",
        )
    raise InputError(
        f"“{text}” comes twice: the clocks are put back in that hour.",
        where=Where(item="--at"),
        next=f"Say {before:%Y-%m-%d} {_with_offset(before)} for the first of them, "
        f"or {_with_offset(after)} for the second.",
    )


def _reading(wall: datetime, zone: tzinfo | None) -> datetime:
    """``wall`` under the offset that its fold stands for, be it in a gap."""
    seconds = wall.replace(tzinfo=zone).timestamp()  # without a zone: the machine's
    offset = wall.replace(tzinfo=UTC).timestamp() - seconds
    return datetime.fromtimestamp(seconds, timezone(timedelta(seconds=offset)))


def _shown(moment: datetime, zone: tzinfo | None) -> datetime:
    """What the clock there shows at that moment."""
    shown = moment.astimezone(zone)
    return shown.astimezone(timezone(shown.utcoffset() or timedelta()))


def _with_offset(at: datetime) -> str:
    return f"{_wall(at)}{at.isoformat()[-6:]}"


def _wall(at: datetime) -> str:
    return f"{at:%H:%M:%S}" if at.second else f"{at:%H:%M}"


def _zone_words(zone: tzinfo | None, at: datetime) -> str:
    if zone is None:
        return "this machine's time zone"
    return zone.key if isinstance(zone, ZoneInfo) else _offset_words(at.utcoffset() or timedelta())


def _offset_words(offset: timedelta) -> str:
    minutes = round(offset.total_seconds() / 60)
    hours, rest = divmod(abs(minutes), 60)
    return f"UTC{'-' if minutes < 0 else '+'}{hours:02}:{rest:02}" if minutes else "UTC"


@dataclass(frozen=True, slots=True)
class SchedulerLine:
    """What makes one scheduler start a command once: its name, the line, what to know."""

    scheduler: str
    line: str
    note: str


def scheduler_lines(
    command: tuple[str, ...], *, folder: Path, at: datetime
) -> tuple[SchedulerLine, ...]:
    """The lines for at(1), crontab(5) and systemd-run(1) that start ``command`` in ``folder``.

    A line that fires early, as at(1) and cron may when the clocks change, does
    no harm: the command itself waits for the moment that the ledger holds.

    Args:
        command: the program and its arguments.
        folder: where to run it, absolute.
        at: when, aware.
    """
    local, utc = at.astimezone(), at.astimezone(UTC)
    words = shlex.join(command)
    job = f"cd {shlex.quote(str(folder))} && {words}"
    # In a crontab a bare % ends the line (crontab(5)).
    cron_job = job.replace("%", "\\%")
    return (
        SchedulerLine(
            "at",
            f"echo {shlex.quote(job)} | at -t {local:%Y%m%d%H%M}",
            "needs the service atd",
        ),
        SchedulerLine(
            "crontab -e",
            f"{local.minute} {local.hour} {local.day} {local.month} * {cron_job}",
            "remove the line afterwards",
        ),
        SchedulerLine(
            "systemd-run",
            f"systemd-run --user --on-calendar='{utc:%Y-%m-%d %H:%M:%S} UTC' "
            f"--working-directory={shlex.quote(str(folder))} {words}",
            "lost when the machine restarts; “loginctl enable-linger” keeps it when you log out",
        ),
    )
