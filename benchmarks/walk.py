"""``python -m benchmarks.walk [FOLDER]``: the way of one recipient through a checkout's code.

A real ``newsletter send``, inside this process, mails one recipient into the
embedded mailbox, while every thread is profiled. The way is the union of the
call stacks, from the command on, that stand when

* the recipient is claimed (``Deliveries.claim``),
* their message is composed (``Composer.compose``),
* the write-ahead is made (``Deliveries.write_ahead``),
* the outcome is recorded (``Deliveries.record``): the row is accepted.

What compiles, plans and freezes the issue is over by then and is not on it. A
stack goes on across threads: below a thread's first call stands the stack that
started it, below a piece of the writer's work the stack that handed it over.

A module is on the way if a function of its own is. A climb is a call on the
way from a lower room up into a higher one, in the order cli, project,
delivery, then ledger, transports, message and render, then the base; counted
once for each pair of caller and called function.

Beside the way stand the same two figures for all that is called from the
run's beginning (``Run.execute``) to the accepted row, on every
thread: what is asked and returns, such as the pace, and the embedded server.
"""

import os
import shutil
import sys
import tempfile
import threading
from itertools import pairwise
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

STATIONS = {
    "Deliveries.claim": "claim",
    "Composer.compose": "message",
    "Deliveries.write_ahead": "write-ahead",
    "Deliveries.record": "outcome",
}
HANDED_OVER = {"Writer.submit", "Writer.note"}
HEIGHTS = ("base", "ledger transports message render audience issues checks", "delivery",
           "project preview", "cli")  # fmt: skip

Call = tuple[str, str]
"""A function by its module and qualified name."""


class Walk:
    """Notes the way; its :meth:`profile` is every thread's profile function."""

    def __init__(self) -> None:
        self.ways: dict[str, list[Call]] = {}
        self.called: set[tuple[Call, Call]] = set()
        self._running = False
        self._started: dict[int, list[Call]] = {}
        self._handed: dict[CodeType, list[Call]] = {}

    def profile(self, frame: FrameType, event: str, result: Any) -> None:
        """See :func:`sys.setprofile`."""
        name = frame.f_code.co_qualname
        if event == "call" and name == "Run.execute":
            self._running = True
        if self._running and event == "call" and ours(frame):
            self.called.add((called_by(frame), function(frame)))
        if event == "call" and name == "Thread.start":
            self._started[id(frame.f_locals["self"])] = self.stack(frame)
        elif event == "call" and name in HANDED_OVER:
            self._handed[frame.f_locals["work"].__code__] = self.stack(frame)
        elif event == "return" and name in STATIONS and result:
            station = STATIONS[name]
            # A message composed before the claim is the one that the transport looks at.
            if station not in self.ways and (self.ways or station == "claim"):
                self.ways[station] = self.stack(frame)
                self._running = station != "outcome"

    def stack(self, frame: FrameType | None) -> list[Call]:
        """Our functions from the command to ``frame``, across threads."""
        inner: list[Call] = []
        while frame is not None:
            if ours(frame):
                inner.insert(0, function(frame))
            if (before := self._before(frame)) is not None:
                return before + inner
            frame = frame.f_back
        return inner

    def _before(self, frame: FrameType) -> list[Call] | None:
        """The stack of another thread that led to this call."""
        if frame.f_code in self._handed:
            return self._handed[frame.f_code]
        if frame.f_code.co_qualname == "Thread._bootstrap":
            return self._started.get(id(frame.f_locals["self"]))
        return None


def main() -> None:
    """Send to one recipient; print the way, its modules and its climbs."""
    root = Path(sys.argv[1] if len(sys.argv) > 1 else ".").resolve()
    sys.path.insert(0, str(root))
    walk = Walk()
    with tempfile.TemporaryDirectory() as folder:
        send(root, Path(folder), walk)
    for station, way in walk.ways.items():
        print(f"{station}:")
        for (module, name), up in zip(way, [False, *map(climbing, pairwise(way))], strict=True):
            print(f"  {'↑' if up else ' '} {module.removeprefix('newsletter.')}: {name}")
    modules = {module for way in walk.ways.values() for module, _ in way}
    climbs = {step for way in walk.ways.values() for step in pairwise(way) if climbing(step)}
    print(f"functions in one way at most {max(map(len, walk.ways.values()))}")
    print(f"on the way: modules {len(modules)}, climbs {len(climbs)}")
    modules = {module for _, (module, _) in walk.called}
    climbs = set(filter(climbing, walk.called))
    print(f"called from the run's start to the accepted row: modules {len(modules)}, "
          f"climbs {len(climbs)}")  # fmt: skip
    print(f"  {', '.join(sorted(module.removeprefix('newsletter.') for module in modules))}")
    for (_, caller), (module, called) in sorted(climbs):
        print(f"  ↑ {caller} → {module.removeprefix('newsletter.')}: {called}")


def send(root: Path, folder: Path, walk: Walk) -> None:
    """Run the command in a project of its own with a list of one."""
    for name in ("templates", "issues"):
        shutil.copytree(root / name, folder / name)
    shutil.copy(root / "newsletter.toml", folder)
    listed = (root / "subscribers.example.csv").read_text(encoding="utf-8").splitlines()
    (folder / "subscribers.example.csv").write_text("\n".join(listed[:2]), encoding="utf-8")
    os.environ["XDG_STATE_HOME"] = str(folder / "state")
    os.chdir(folder)
    sys.argv = ["newsletter", "send", "2017-03", "--yes"]
    from newsletter.cli import main as newsletter

    threading.setprofile(walk.profile)
    sys.setprofile(walk.profile)
    try:
        newsletter()
    except SystemExit as done:
        if done.code:
            raise
    finally:
        sys.setprofile(None)


def ours(frame: FrameType) -> bool:
    """Whether it is a function of ours; what a module does when it is loaded is none."""
    module = str(frame.f_globals.get("__name__", ""))
    return module.startswith("newsletter") and frame.f_code.co_name != "<module>"


def function(frame: FrameType) -> Call:
    """The function of a frame."""
    return str(frame.f_globals["__name__"]), frame.f_code.co_qualname


def called_by(frame: FrameType) -> Call:
    """Our function that called a frame's, be it through a library; the frame's own if none did."""
    caller = frame.f_back
    while caller is not None:
        if ours(caller):
            return function(caller)
        caller = caller.f_back
    return function(frame)


def climbing(step: tuple[Call, Call]) -> bool:
    """Whether a call leads into a higher room."""
    (caller, _), (called, _) = step
    return height(called) > height(caller)


def height(module: str) -> int:
    """The floor of a module's room; in an earlier checkout the ledger was a part of delivery."""
    room = module.removeprefix("newsletter.").removeprefix("delivery.ledger").partition(".")[0]
    room = room or "ledger"
    return next((number for number, rooms in enumerate(HEIGHTS) if room in rooms.split()), 0)


if __name__ == "__main__":
    main()
