"""The harness by hand: ``python -m tests.crash --modes smtp-all --kills 2000 --jobs 2``."""

import argparse
import json
import random
import sys
import time
from pathlib import Path

from tests.crash.jobs import Order, work
from tests.crash.modes import CONTROL, HTTP, MODES, SMTP
from tests.crash.score import append, as_line, total

_GROUPS = {"smtp-all": SMTP, "http-all": HTTP, "control": CONTROL}


def main() -> int:
    arguments = _arguments()
    if arguments.sum:
        lines = [json.loads(line) for line in arguments.sum.read_text().splitlines()]
        print(total(line for line in lines if "result" not in line))
        return 0
    return _run(arguments)


def _run(arguments: argparse.Namespace) -> int:
    seed = arguments.seed if arguments.seed is not None else random.randrange(1_000_000)
    until = time.monotonic() + (arguments.minutes * 60 if arguments.minutes else float("inf"))
    orders = [
        Order(
            modes=_turned(arguments.modes, job),
            seed=f"{seed}/{job}",
            kills=-(-arguments.kills // arguments.jobs),
            until=until,
        )
        for job in range(arguments.jobs)
    ]
    started = time.monotonic()
    score, failure = work(orders, arguments.record)
    seconds = round(time.monotonic() - started)
    result = {"result": "held" if failure is None else "broken", "seed": seed, "took_s": seconds}
    if arguments.record:
        append(arguments.record, as_line(score, **result))
    print(f"seed {seed}, {seconds} s: {score}")
    if set(arguments.modes) <= set(CONTROL):
        caught = bool(score.lost + score.doubled)
        print("The control was caught." if caught else "The control was not caught.")
        return 0 if caught else 1
    print("Nobody was lost and nobody doubled." if failure is None else failure)
    return 0 if failure is None else 1


def _turned(modes: tuple[str, ...], job: int) -> tuple[str, ...]:
    """The same modes, but another one first in each job."""
    return modes[job % len(modes) :] + modes[: job % len(modes)]


def _modes(text: str) -> tuple[str, ...]:
    names = tuple(name for each in text.split(",") for name in _GROUPS.get(each, (each,)))
    unknown = sorted(set(names) - set(MODES))
    if unknown:
        raise argparse.ArgumentTypeError(f"no such mode: {', '.join(unknown)}")
    return names


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.crash",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="modes:\n" + "\n".join(f"  {name:16} {mode.tells}" for name, mode in MODES.items()),
    )
    parser.add_argument(
        "--modes",
        type=_modes,
        default="smtp",
        help=f"names with commas between them, or {', '.join(_GROUPS)}",
    )
    parser.add_argument("--kills", type=int, default=0, help="how many, over all jobs")
    parser.add_argument("--minutes", type=float, default=0, help="how long, instead")
    parser.add_argument("--seed", type=int, help="default: drawn, and told")
    parser.add_argument("--jobs", type=int, default=1, help="how many campaigns side by side")
    parser.add_argument("--record", type=Path, help="append a line of JSON for each campaign")
    parser.add_argument("--sum", type=Path, help="add up a record, and do nothing else")
    arguments = parser.parse_args()
    if not (arguments.sum or arguments.kills or arguments.minutes):
        parser.error("say --kills or --minutes")
    return arguments


if __name__ == "__main__":
    sys.exit(main())
