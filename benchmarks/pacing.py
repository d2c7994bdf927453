"""How much of a limit is used, and at what price: a simulated provider with a token bucket.

Ten simulated minutes each: steady, or with a limit that halves or doubles in
the middle; with and without knowing the limit beforehand; with three ways of
saying “later”. A call takes no time, so this is about the pace alone.

Run: ``python -m benchmarks.pacing [--rates 2 14 50 200]``
"""

import argparse
from itertools import product
from typing import get_args

from tests.support.throttle import Throttle, Words, race

_CHANGES = {1.0: "steady", 0.5: "halves", 2.0: "doubles"}


def main() -> None:
    """Print a line for each case, and the worst."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rates", type=float, nargs="+", default=[2, 14, 50, 200])
    arguments = parser.parse_args()
    missed = cases = 0
    for rate, factor, known in product(arguments.rates, _CHANGES, (True, False)):
        for burst, words in product(sorted({1.0, max(1.0, rate / 4), rate}), get_args(Words)):
            throttle = Throttle(rate, burst, factor)
            race(throttle, words, known=known)
            used = throttle.taken / throttle.allowed(600)
            refused = throttle.refused / (throttle.taken + throttle.refused)
            short = used < 0.95 or refused > 0.01
            missed += short
            cases += 1
            print(
                f"{rate:g}/s, burst {burst:g}, {_CHANGES[factor]}, "
                f"{'known' if known else 'unknown'}, says {words}: "
                f"used {used:.1%}, refused {refused:.2%}{'  <-- short' if short else ''}",
                flush=True,
            )
    print(f"{cases - missed} of {cases} cases use 95 % and are refused 1 % or less")


if __name__ == "__main__":
    main()
