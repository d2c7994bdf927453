"""Start-up of ``newsletter --help`` beside that of a bare typer program with as many commands.

The two run alternately, so that both meet the same machine. What counts is the
ratio of the medians, the first round left out; the bare program imports typer and nothing else.

Run: ``python -m benchmarks.startup [--rounds 15]``
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import typer.main
from newsletter.cli.app import app
from typer.core import TyperGroup


def bare_program(commands: int) -> str:
    """Source of a typer program with so many commands of one argument and one option each."""
    lines = ["import typer", "app = typer.Typer(add_completion=False)"]
    for number in range(commands):
        lines += [
            "@app.command()",
            f"def command{number}(issue: str, yes: bool = False) -> None:",
            f'    """What command {number} does, in one sentence."""',
        ]
    return "\n".join([*lines, "app()", ""])


def seconds(command: Sequence[str]) -> float:
    """Processor time of a program, which depends less than the wall's on what else runs."""
    before = os.times()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    after = os.times()
    user = after.children_user - before.children_user
    return user + after.children_system - before.children_system


def main() -> None:
    """Measure, and print one line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    group = typer.main.get_command(app)
    assert isinstance(group, TyperGroup)
    with tempfile.TemporaryDirectory() as folder:
        bare = Path(folder, "bare.py")
        bare.write_text(bare_program(len(group.commands)), encoding="utf-8")
        programs = (["-m", "newsletter", "--help"], [str(bare), "--help"])
        times = [[seconds([sys.executable, *words]) for words in programs] for _ in range(rounds)]
    ours, theirs = (statistics.median(each) for each in zip(*times[1:], strict=True))
    print(f"newsletter --help takes {ours / theirs:.2f} × a bare typer program ({rounds} rounds)")


if __name__ == "__main__":
    main()
