"""Fuzzing by hand: ``python -m tests.fuzz bounces events --seconds 600``.

Each target runs in a process of its own, whose memory is limited. With atheris
3.0 installed (``pip install atheris``) coverage guides the search; else food is made by
chance out of the corpus. Findings are kept in build/fuzz/TARGET/.
"""

import argparse
import importlib.util
import random
import subprocess
import sys
import time
import traceback

from tests.fuzz.engine import FOUND, Finding, hunt, limit_memory
from tests.fuzz.targets import TARGETS


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(TARGETS))
    parser.add_argument("--seconds", type=float, default=60, help="for each target")
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000))
    parser.add_argument("--by-chance", action="store_true", help="in this process, without atheris")
    arguments = parser.parse_args()
    if unknown := set(arguments.targets) - TARGETS.keys():
        parser.error(f"no such target: {', '.join(sorted(unknown))}")
    names = arguments.targets or list(TARGETS)
    if arguments.by_chance:
        limit_memory()
        return max(_by_chance(name, arguments.seconds, arguments.seed) for name in names)
    failed = [name for name in names if _run(name, arguments.seconds, arguments.seed)]
    print(f"Findings: {', '.join(failed)}; see {FOUND}." if failed else "No findings.")
    return bool(failed)


def _run(name: str, seconds: float, seed: int) -> int:
    """One target in a process of its own."""
    if importlib.util.find_spec("atheris"):
        command = ["tests.fuzz.guided", name, str(seconds), str(seed)]
    else:
        command = [
            "tests.fuzz",
            name,
            "--by-chance",
            "--seconds",
            str(seconds),
            "--seed",
            str(seed),
        ]
    return subprocess.run([sys.executable, "-m", *command], check=False).returncode


def _by_chance(name: str, seconds: float, seed: int) -> int:
    begun = time.monotonic()
    pieces, findings = hunt(name, seed=seed, seconds=seconds)
    print(f"{name}: {pieces:,} pieces in {time.monotonic() - begun:,.0f} s, seed {seed}: "
          f"{len(findings)} findings", flush=True)  # fmt: skip
    for finding in findings:
        _tell(finding)
    return bool(findings)


def _tell(finding: Finding) -> None:
    print(f"{finding.keep()}:")
    traceback.print_exception(finding.error, limit=-4)


if __name__ == "__main__":
    sys.exit(main())
