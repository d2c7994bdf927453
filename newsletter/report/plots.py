"""Plots as SVG for the report's page: drawn to be read by people, in print and in the dark. No I/O.

Colours are the page's CSS classes. Each plot has a title and a description for
those who do not see it, and its numbers stand in the page's tables as well.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from html import escape
from math import ceil, log10

from newsletter.report.figures import Point

_WIDTH, _HEIGHT = 720, 260
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 20, 24, 36
_TICKS = 4
_TIME_STEPS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600,
                 43200, 86400, 2 * 86400, 7 * 86400)  # fmt: skip
_MOST_TIMES = 6


def progress(points: Sequence[Point], planned: int, *, name: str) -> str:
    """How many were accepted, over time, below the line of all who were planned.

    ``name`` tells it from other plots on the page.
    """
    axes = _Axes(points[0].at, points[-1].at, planned)
    steps = [f"H{axes.x(point.at):.1f}V{axes.y(point.accepted):.1f}" for point in points]
    line = f"M{axes.x(points[0].at):.1f},{axes.y(0):.1f}{''.join(steps)}"
    area = f"{line}V{axes.y(0):.1f}H{axes.x(points[0].at):.1f}Z"
    last = points[-1]
    return _svg(
        f"progress-{name}",
        "Accepted over time",
        f"{last.accepted:,} of {planned:,} accepted between {_clock(points[0].at, 0)} and "
        f"{_clock(last.at, 0)}.",
        [
            *axes.drawn(),
            f'<path class="area" d="{area}"/>',
            f'<path class="line" d="{line}"/>',
            _across("goal", axes.y(planned)),
            _text(_WIDTH - _RIGHT, axes.y(planned) - 6, f"{planned:,} planned", "end"),
        ],
    )


def tempo(points: Sequence[Point], span_s: float, *, name: str) -> str:
    """How many were accepted in each span; ``name`` as above."""
    most = max((point.in_span for point in points), default=0)
    axes = _Axes(points[0].at, points[-1].at, max(most, 1))
    width = max(axes.x(points[0].at + timedelta(seconds=span_s)) - axes.x(points[0].at) - 1, 1)
    columns = [
        f'<rect class="column" x="{axes.x(point.at - timedelta(seconds=span_s)):.1f}"'
        f' y="{axes.y(point.in_span):.1f}" width="{width:.1f}"'
        f' height="{axes.y(0) - axes.y(point.in_span):.1f}"/>'
        for point in points
        if point.in_span
    ]
    return _svg(
        f"tempo-{name}",
        "Tempo",
        f"At the most {most:,} were accepted within {words_for(span_s)}.",
        [*axes.drawn(), *columns],
    )


def words_for(span_s: float) -> str:
    """``5 seconds``, ``a minute``, ``an hour``."""
    for unit_s, one, several in (
        (86400, "a day", "days"),
        (3600, "an hour", "hours"),
        (60, "a minute", "minutes"),
        (1, "a second", "seconds"),
    ):
        if span_s >= unit_s:
            number = round(span_s / unit_s)
            return one if number == 1 else f"{number} {several}"
    return "a second"


class _Axes:
    """Where times and numbers are, and the lines and words that say so."""

    def __init__(self, first: datetime, last: datetime, highest: int) -> None:
        self._first = first
        self._seconds = max((last - first).total_seconds(), 1.0)
        self._step = _nice_step(highest)
        self._top = self._step * ceil(highest / self._step)

    def x(self, at: datetime) -> float:
        share = (at - self._first).total_seconds() / self._seconds
        return _LEFT + share * (_WIDTH - _LEFT - _RIGHT)

    def y(self, number: float) -> float:
        return _HEIGHT - _BOTTOM - number / self._top * (_HEIGHT - _TOP - _BOTTOM)

    def drawn(self) -> Iterator[str]:
        for number in range(0, self._top + 1, self._step):
            y = self.y(number)
            yield _across("grid", y)
            yield _text(_LEFT - 8, y + 4, f"{number:,}", "end")
        step = next(
            (each for each in _TIME_STEPS_S if self._seconds / each <= _MOST_TIMES),
            _TIME_STEPS_S[-1],
        )
        for at in _times(self._first, self._seconds, step):
            yield _text(self.x(at), _HEIGHT - _BOTTOM + 20, _clock(at, step), "middle")


def _times(first: datetime, seconds: float, step: int) -> Iterator[datetime]:
    """Round times within the plot, as the machine's zone counts them."""
    local = first.astimezone()
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
    passed = (local - midnight).total_seconds()
    at = midnight + timedelta(seconds=ceil(passed / step) * step)
    end = local + timedelta(seconds=seconds)
    while at <= end:
        yield at
        at += timedelta(seconds=step)


def _clock(at: datetime, step_s: int) -> str:
    local = at.astimezone()
    if step_s >= 86400:
        return f"{local:%d} {local:%b}"
    return f"{local:%H:%M:%S}" if step_s < 60 else f"{local:%H:%M}"


def _nice_step(highest: int) -> int:
    """1, 2 or 5 times a power of ten, so that about four lines are drawn."""
    rough = max(highest / _TICKS, 1)
    power = int(10 ** int(log10(rough)))
    return next(step for step in (power, 2 * power, 5 * power, 10 * power) if step >= rough)


def _across(kind: str, y: float) -> str:
    return f'<line class="{kind}" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'


def _text(x: float, y: float, words: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(words)}</text>'


def _svg(name: str, title: str, description: str, parts: Sequence[str]) -> str:
    name = escape(name)
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-labelledby="{name}-t {name}-d">'
        f'<title id="{name}-t">{escape(title)}</title><desc id="{name}-d">{escape(description)}'
        f"</desc>{''.join(parts)}</svg>"
    )
