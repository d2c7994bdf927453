"""``python -m tests.spam``: what SpamAssassin says of the four mails of the March 2017 issue."""

from __future__ import annotations

import tempfile
from pathlib import Path

from tests.spam.judge import verdicts
from tests.spam.letters import letters

if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        mails = letters(Path(folder) / "project")
    for language, verdict in zip(mails, verdicts(list(mails.values())), strict=True):
        rules = ", ".join(f"{rule} {points:+g}" for rule, points in sorted(verdict.rules.items()))
        print(f"{language}  {verdict.score:+.1f}  {rules}")
