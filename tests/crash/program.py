"""The program itself, with a clock that the harness can move.

``python -m tests.crash.program ARGUMENTS`` is ``newsletter ARGUMENTS``. The
variable ``CRASH_CLOCK`` holds how many seconds the clock is ahead (negative:
behind), and after a comma, if it is to jump in mid-run: after how many seconds,
and by how many. ``CLOCK_FILE`` names a file that holds how far it is ahead, and is
read at each look. Nothing but ``newsletter/clock.py`` asks for the time, so to
move that one clock moves the program's whole notion of it.
"""

import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path


def main() -> None:
    from newsletter.cli import main as program

    if moved := os.environ.get("CRASH_CLOCK"):
        _move_the_clock(*(float(part) for part in moved.split(",")))
    if followed := os.environ.get("CLOCK_FILE"):
        _follow(Path(followed))
    program()


def _move_the_clock(ahead_s: float, jump_after_s: float = 0, jump_s: float = 0) -> None:
    from newsletter.clock import SystemClock

    started = time.monotonic()

    def now(self: SystemClock) -> datetime:
        jumped = jump_s if jump_s and time.monotonic() - started > jump_after_s else 0
        return datetime.now(UTC) + timedelta(seconds=ahead_s + jumped)

    setattr(SystemClock, "now", now)  # noqa: B010 - the one place that asks for the time


def _follow(file: Path) -> None:
    from newsletter.clock import SystemClock

    def now(self: SystemClock) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=float(file.read_text()))

    setattr(SystemClock, "now", now)  # noqa: B010 - as above


if __name__ == "__main__":
    main()
