"""Fuzzing by hand: ``python -m tests.fuzz bounces events --seconds 600``.

Each target runs in a process of its own, whose memory is limited. With atheris
installed (``pip install atheris``) coverage guides the search; else food is made by
chance out of the corpus. Findings are kept in build/fuzz/TARGET/.
"""

import argparse
import random
import resource
import subprocess
import sys
import time
import traceback

from tests.fuzz.engine import CORPUS, FOUND, Finding, hunt
from tests.fuzz.targets import TARGETS

_MEMORY = 3_000_000_000


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(TARGETS))
    parser.add_argument("--seconds", type=float, default=60, help="for each target")
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000))
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if unknown := set(arguments.targets) - TARGETS.keys():
        parser.error(f"no such target: {', '.join(sorted(unknown))}")
    if arguments.here:
        return _here(arguments.targets[0], arguments.seconds, arguments.seed)
    failed = [
        name
        for name in arguments.targets or TARGETS
        if subprocess.run(
            [sys.executable, "-m", "tests.fuzz", name, "--here",
             "--seconds", str(arguments.seconds), "--seed", str(arguments.seed)],
            check=False,
        ).returncode
    ]  # fmt: skip
    print(f"Findings: {', '.join(failed)}; see {FOUND}." if failed else "No findings.")
    return bool(failed)


def _here(name: str, seconds: float, seed: int) -> int:
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    try:
        import atheris
    except ImportError:
        return _by_chance(name, seconds, seed)
    found = FOUND / name
    found.mkdir(parents=True, exist_ok=True)
    options = [f"-max_total_time={seconds:.0f}", f"-seed={seed}", "-max_len=65536", "-timeout=60",
               f"-artifact_prefix={found}/", "-verbosity=0", "-print_final_stats=1"]  # fmt: skip
    learned = found / "learned"
    learned.mkdir(exist_ok=True)
    atheris.instrument_all()
    atheris.Setup(["fuzz", *options, str(learned), str(CORPUS / name)], TARGETS[name])
    atheris.Fuzz()
    return 0


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
