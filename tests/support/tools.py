"""Tools that tests need and a machine may lack.

Outside CI a test that needs a missing tool is skipped and says so; in CI
(``CI=true``) it fails, so that a green run has skipped nothing.
"""

import os
import shutil
from pathlib import Path
from typing import NoReturn

import pytest

ROOT = Path(__file__).parents[2]
SPECS = ROOT.parent / "shared" / "specs"
PROVE = os.environ.get("PROVE") == "1"
"""Whether tests whose size is a choice take their full one: ``make prove``."""


def examples(count: int) -> int:
    """How many examples a property test takes: all of them, or a quarter in the suite."""
    return count if PROVE else count // 4


def missing(what: str) -> NoReturn:
    if os.environ.get("CI") == "true":
        pytest.fail(f"{what} is missing, and CI must skip nothing")
    pytest.skip(f"{what} is missing")


def program(name: str) -> str:
    """The path of a program, e.g. smtp-sink, which Debian keeps in /usr/sbin."""
    found = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin")
    return found or missing(name)


def npm_program(name: str) -> str:
    """The path of a program that ``npm install`` put into node_modules/."""
    path = ROOT / "node_modules" / ".bin" / name
    return str(path) if path.exists() else missing(f"{name} (npm install)")


def spec(name: str) -> Path:
    """A vendor's OpenAPI file."""
    path = SPECS / name
    if not path.exists():
        pytest.skip(f"the vendor's file {name} is not beside this checkout")
    return path
