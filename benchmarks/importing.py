"""Importing a list beside Python's csv module over the same file: processor time and memory.

Each line of the table is one command, run as a user runs it, in a process of its own: the
processor time of all its threads, its ratio to a process that only passes the same file through
``csv.reader``, and the most memory it held. What all processes need to start is taken off.

The list has five columns: address, name, language, status and when the reader confirmed, to the
second. One address in three is at one of a few large domains, one name in four is not ASCII.

Run: ``python -m benchmarks.importing [--rows 1000000] [--leavers 100000]``
"""

import argparse
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from tests.support.project import SETTINGS
from tests.support.tools import ROOT

_CSV = """
import csv, sys
with open(sys.argv[1], encoding="utf-8", newline="") as file:
    for cells in csv.reader(file):
        pass
"""
_LARGE = ("gmail.com", "outlook.com", "yahoo.fr", "gmx.de", "ec.europa.eu")
_FIRST = ("Anna", "Ben", "Zoë", "Renée", "Ahmed", "Jean-Pierre", "María", "Li", "Bob", "Jürgen",
          "Tom", "Ivana", "Claire", "Ольга", "Peter", "نور")  # fmt: skip
_LAST = ("Lind", "Oka", "No", "Mo", "Schmi", "Ros", "Pe", "Had")
_ENDS = ("qvist", "for", "vak", "reau", "dt", "si", "trov", "dad", "ński", "müller")
_START = datetime(2016, 1, 1)  # noqa: DTZ001 - exports write times without a zone


@dataclass(frozen=True)
class Cost:
    """What a process took: seconds of processor time, and bytes of memory at the most."""

    seconds: float
    peak: int


def cost(command: Sequence[str], folder: Path) -> Cost:
    """Run Python with these arguments in a folder, and wait for it."""
    process = subprocess.Popen(
        [sys.executable, *command],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": str(ROOT), "XDG_STATE_HOME": str(folder / "state")},
    )
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} failed")
    return Cost(used.ru_utime + used.ru_stime, used.ru_maxrss * 1024)


def write_list(path: Path, rows: int) -> None:
    """A list of so many readers, each there once."""
    chance = random.Random(1)
    with path.open("w", encoding="utf-8") as file:
        file.write("email,name,language,status,confirmed at\n")
        for number in range(rows):
            first = chance.choice(_FIRST)
            last = chance.choice(_LAST) + "".join(chance.choices(_ENDS, k=3))
            local = f"{first[0].lower()}.reader{number}" if first.isascii() else f"r{number}"
            at = chance.randrange(7000)
            domain = chance.choice(_LARGE) if number % 3 == 0 else f"d{at}.example.net"
            confirmed = _START + timedelta(seconds=number * 250)
            language = chance.choice(("en", "fr", "es", "de", ""))
            file.write(f"{local}@{domain},{first} {last},{language},active,{confirmed}\n")


def write_leavers(path: Path, number: int) -> None:
    """A file of so many who left, with when."""
    with path.open("w", encoding="utf-8") as file:
        file.write("email,unsubscribed at\n")
        for each in range(number):
            file.write(f"left.{each}@d{each % 7000}.example.net,{_START + timedelta(hours=each)}\n")


def main() -> None:
    """Measure, and print one table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--leavers", type=int, default=100_000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.joinpath("newsletter.toml").write_text(SETTINGS, encoding="utf-8")
        write_list(folder / "list.csv", arguments.rows)
        write_leavers(folder / "unsubscribed.csv", arguments.leavers)
        write_leavers(folder / "other.csv", arguments.leavers)
        start = cost(["-m", "newsletter", "subscribers", "import", "--help"], folder).seconds
        bare = cost(["-c", "pass"], folder).seconds

        def line(what: str, rows: int, file: str, *words: str) -> None:
            csv = cost(["-c", _CSV, file], folder).seconds - bare
            ours = cost(["-m", "newsletter", *words], folder)
            seconds = ours.seconds - start
            print(
                f"{what:32}{rows:>10,} rows {seconds:6.1f} s {seconds / rows * 1e6:6.1f} µs a row"
                f" {seconds / csv:5.1f} × csv {ours.peak / 1e6:5.0f} MB",
                flush=True,
            )

        move = ("subscribers", "import", "list.csv")
        line("check and diff", arguments.rows, "list.csv", *move, "--dry-run")
        line("import", arguments.rows, "list.csv", *move, "--yes")
        line("leavers: import", arguments.leavers, "unsubscribed.csv",
             "subscribers", "import", "unsubscribed.csv", "--yes")  # fmt: skip
        line("leavers: suppress add", arguments.leavers, "other.csv",
             "suppress", "add", "other.csv", "--reason", "bounced", "--yes")  # fmt: skip


if __name__ == "__main__":
    main()
