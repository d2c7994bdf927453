"""Runs pytest over the marked tests, or only collects them, and hands back their rows."""

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.support.tools import ROOT

_MARKED = re.compile(r"\bfault\(")


def marked_files() -> list[str]:
    """The test files that may hold marks; to collect the others takes long."""
    return sorted(
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "tests").rglob("test_*.py")
        if _MARKED.search(path.read_text(encoding="utf-8"))
    )


def rows(*arguments: str) -> tuple[list[dict[str, Any]], int]:
    """The rows of all marked tests, and pytest's exit code.

    Args:
        arguments: further ones for pytest; ``--collect-only`` runs nothing.
    """
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "rows.json"
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-p", "tests.faults.plugin", "--faults-to", str(file),
             "-m", "fault", *arguments, *marked_files()],
            cwd=ROOT,
            check=False,
            stdout=subprocess.DEVNULL if "--collect-only" in arguments else None,
        )  # fmt: skip
        return json.loads(file.read_text(encoding="utf-8")), done.returncode
