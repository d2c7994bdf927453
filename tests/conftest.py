"""What all tests share: how many examples a property test takes that does not say it itself, and
how seldom Python looks for garbage."""

import gc

from hypothesis import settings

from tests.support.tools import examples

# No deadline: it measures the machine, and pytest-timeout ends what hangs.
settings.register_profile("newsletter", max_examples=examples(100), deadline=None)
settings.load_profile("newsletter")

# While ten thousand tests are collected nothing becomes garbage; looking all the same takes a third
# of the time, and looking at what was collected a tenth of each test's.
gc.disable()


def pytest_collection_finish() -> None:
    """Look again from here on, but for what the tests make, and less often."""
    gc.freeze()
    gc.set_threshold(20_000, 10, 10)
    gc.enable()
