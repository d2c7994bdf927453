"""What all tests share: how many examples a property test takes that does not say it itself."""

from hypothesis import settings

from tests.support.tools import examples

# No deadline: it measures the machine, and pytest-timeout ends what hangs.
settings.register_profile("newsletter", max_examples=examples(100), deadline=None)
settings.load_profile("newsletter")
