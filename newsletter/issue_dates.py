"""Dates as an editor types them in ``when`` and ``deadline``: a day or days, hours, a zone. No I/O.

``2017-03-02`` · ``Thursday 2017-03-02`` · ``2017-03-02/2017-03-04`` · ``2017-03-02 13:00`` ·
``2017-03-02 13:00/14:30 Europe/Zurich`` · ``2017-03-02 09:00/2017-03-04 17:00 UTC``.
"""

from __future__ import annotations

import datetime as dt
import re
import zoneinfo
from dataclasses import dataclass

EXAMPLE = "2017-03-02, or 2017-03-02 13:00/14:30 Europe/Zurich"
_LONGEST = 120
_DAY, _HOUR = r"[0-9]{4}-[0-9]{2}-[0-9]{2}", r"[0-9]{1,2}:[0-9]{2}"
_WRITTEN = re.compile(
    rf"(?:(?P<weekday>[^\W\d_][^\d,/]{{0,30}}?),? +)?(?P<day>{_DAY})(?: (?P<hour>{_HOUR}))?"
    rf"(?:/(?:(?P<last>{_DAY})(?: (?P<until>{_HOUR}))?|(?P<later>{_HOUR})))?"
    r"(?: +(?P<zone>[A-Za-z][A-Za-z0-9_+/-]*))?"
)


@dataclass(frozen=True, slots=True)
class IssueDate:
    """A date as it was typed.

    Attributes:
        weekday: the name of a day, if one stands before the date.
        first: the first day.
        last: the last day, which may be the same.
        begins: the hour on the first day.
        ends: the hour on the last day.
        zone: the zone of the hours, as the IANA names it; "": that of the place.
    """

    weekday: str
    first: dt.date
    last: dt.date
    begins: dt.time | None
    ends: dt.time | None
    zone: str

    @property
    def with_zone(self) -> dt.datetime | None:
        """The first moment; None without an hour or a zone."""
        if self.begins is None or not self.zone:
            return None
        return dt.datetime.combine(self.first, self.begins, zoneinfo.ZoneInfo(self.zone))


def read_issue_date(text: str) -> IssueDate:
    """Read what an editor typed.

    Raises:
        ValueError: it is no such date; says why and, after a semicolon, what to write.
    """
    text = " ".join(text.split())
    found = _WRITTEN.fullmatch(text) if len(text) <= _LONGEST else None
    if found is None:
        raise ValueError(f"is no date that can be read; write {EXAMPLE}")
    first = _day(found["day"])
    last = _day(found["last"]) if found["last"] else first
    begins, ends = _hour(found["hour"]), _hour(found["until"] or found["later"])
    zone = found["zone"] or ""
    if begins is None and (ends or zone):
        raise ValueError("lacks the hour at which it begins; write it behind the first day")
    if (last, ends or dt.time.max) < (first, begins or dt.time.min):
        raise ValueError("ends before it begins; write the earlier one first")
    _check_zone(zone)
    for day, hour in ((first, begins), (last, ends)):
        if hour and zone:
            _check_hour(dt.datetime.combine(day, hour), zone)
    return IssueDate(found["weekday"] or "", first, last, begins, ends, zone)


def _day(text: str) -> dt.date:
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        raise ValueError(f"names {text}, a day that does not exist; correct it") from None


def _hour(text: str | None) -> dt.time | None:
    if text is None:
        return None
    hour, minute = map(int, text.split(":"))
    try:
        return dt.time(hour, minute)
    except ValueError:
        raise ValueError(
            f"names {text}, an hour that does not exist; write 00:00 to 23:59"
        ) from None


def _check_zone(zone: str) -> None:
    """Whether a zone is one that means the same on every machine (IANA: Area/City, or UTC)."""
    if zone in {"", "UTC"}:
        return
    try:
        if "/" in zone:
            zoneinfo.ZoneInfo(zone)
            return
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        pass
    if not zoneinfo.available_timezones():
        raise ValueError(
            "names a time zone, and this machine has no list of them; "
            "install the system's package “tzdata”"
        )
    raise ValueError(
        f"names the time zone “{zone}”, which does not exist; "
        "write a region and a city such as Europe/Brussels, or UTC"
    )


def _check_hour(wall: dt.datetime, zone: str) -> None:
    early = wall.replace(tzinfo=zoneinfo.ZoneInfo(zone))
    late = early.replace(fold=1)
    if early.utcoffset() == late.utcoffset():
        return
    back = early.astimezone(dt.UTC).astimezone(early.tzinfo).replace(tzinfo=None)
    told = f"names {wall:%H:%M on %Y-%m-%d}, an hour that"
    if back != wall:
        raise ValueError(f"{told} does not exist in {zone}, since clocks go forward; correct it")
    raise ValueError(f"{told} comes twice in {zone}, since clocks go back; write it in UTC")
