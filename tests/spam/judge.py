"""What SpamAssassin says of mails, by its own rules alone: offline, untrained."""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.support.tools import program

_SETTINGS = (
    "use_bayes 0",  # or what somebody's own filter has learned would be measured
    "clear_headers",
    "add_header all Verdict _SCORE_ _TESTSSCORES(,)_",
)
_VERDICT = re.compile(r"^X-Spam-Verdict: (\S+)((?:.|\n[ \t])*)", re.MULTILINE)
_RULE = re.compile(r"([A-Z][A-Z0-9_]*)=(-?[0-9.]+)")


@dataclass(frozen=True)
class Verdict:
    """The sum, and the points of each rule that fires."""

    score: float
    rules: Mapping[str, float]

    @property
    def against(self) -> float:
        """The points of those rules alone that speak against the mail."""
        return sum(points for points in self.rules.values() if points > 0)


def verdicts(mails: Sequence[bytes]) -> list[Verdict]:
    """What SpamAssassin says of each mail, as the reader's server gets it.

    Without a line of an own server above it, half of the rules for headers
    would not apply.
    """
    with tempfile.TemporaryDirectory() as folder:
        paths = []
        for number, mail in enumerate(mails):
            paths.append(Path(folder) / f"{number}.eml")
            paths[-1].write_bytes(_received(mail))
        done = subprocess.run(
            [
                program("spamassassin"),
                "--local",
                "--test-mode",
                "--nocreate-prefs",
                *(f"--cf={line}" for line in _SETTINGS),
                *map(str, paths),
            ],
            capture_output=True,
            timeout=120,
            check=True,
        )
    found = _VERDICT.findall(done.stdout.decode("utf-8", "replace"))
    assert len(mails) == len(found), done.stderr.decode()
    return [
        Verdict(float(score), {rule: float(points) for rule, points in _RULE.findall(rules)})
        for score, rules in found
    ]


def _received(mail: bytes) -> bytes:
    date = re.search(rb"^Date: (.*?)\r?$", mail, re.MULTILINE)
    assert date
    # An address of the web's, since those for examples are themselves a sign of spam.
    return (
        b"Return-Path: <newsletter@defenders.example>\r\n"
        b"Received: from mail.defenders.example (mail.defenders.example [93.184.215.14])\r\n"
        b" by mx.readers.example (Postfix) with ESMTPS id 4Zq1w82Kb\r\n"
        b" for <reader@readers.example>; " + date[1] + b"\r\n" + mail
    )
