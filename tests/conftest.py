"""What all tests share: how many examples a property test takes that does not say it itself, how
seldom Python looks for garbage, which worker compiles which test, and what begins first."""

import contextlib
import gc
import importlib

import pytest
from hypothesis import settings

from tests.support.tools import ROOT, examples

# No deadline: it measures the machine, and pytest-timeout ends what hangs.
settings.register_profile("newsletter", max_examples=examples(100), deadline=None)
settings.load_profile("newsletter")

# While ten thousand tests are collected nothing becomes garbage; looking all the same takes a third
# of the time, and looking at what was collected a tenth of each test's.
gc.disable()

LONGEST = ("cli/test_laptop_and_server.py", "web/test_seizure.py")
"""Begun last, they are what one worker runs for half a minute while the others have nothing."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the longest tests begin first."""
    items.sort(key=lambda item: not item.path.as_posix().endswith(LONGEST))


def pytest_collection_finish() -> None:
    """Look again from here on, but for what the tests make, and less often."""
    gc.freeze()
    gc.set_threshold(20_000, 10, 10)
    gc.enable()


def pytest_sessionstart(session: pytest.Session) -> None:
    """Each worker of a fresh clone compiles a share of the tests; else each compiles all of them.

    What it wrote the others read when they collect; what fails to import is told there.
    """
    worker = getattr(session.config, "workerinput", None)
    if worker is None or {*session.config.args} != {"tests"}:
        return
    files = sorted((ROOT / "tests").rglob("test_*.py"))
    for file in files[int(worker["workerid"][2:]) :: worker["workercount"]]:
        with contextlib.suppress(Exception):
            importlib.import_module(".".join(file.relative_to(ROOT).with_suffix("").parts))
