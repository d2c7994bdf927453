"""Replies as servers word them, and whom each is about; docs/replies.md shows them.

The values are in replies.txt: under the name of a server and where it tells of its words, a
line a reply: what it answers (MAIL, RCPT, DATA, or the End), the judgement, the reply.
Addresses, hosts and ids are replaced by examples.

Run: ``python -m tests.transports.replies`` to write the page anew.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from newsletter.refusal_words import Names, names
from newsletter.transports.protocol import Deferred, Scope
from newsletter.transports.smtp_reply import Reply, Stage, is_session_limit, refusal

from tests.support.tools import ROOT

_VALUES = Path(__file__).with_suffix(".txt")
PAGE = ROOT / "docs" / "replies.md"
JUDGEMENTS = {
    "C": "the connection: a new one is opened",
    "A": "our account or the server: the run stops",
    "M": "the message or its sender: the run stops",
    "W": "our pace: everybody waits",
    "R": "the recipient, whose mailbox it names",
    "E": "the recipient, unless many hear the same",
}
_STAGES = {"M": Stage.MAIL, "R": Stage.RCPT, "D": Stage.DATA, "E": Stage.DOT}


@dataclass(frozen=True)
class Row:
    """One reply of a server, what it answers, and whom it is about."""

    server: str
    source: str
    stage: Stage
    reply: str
    judgement: str


def rows() -> Iterator[Row]:
    """All of them, by server."""
    server = source = ""
    for line in _VALUES.read_text(encoding="utf-8").splitlines():
        if line[1:2] == " " and line[3:4] == " ":
            yield Row(server, source, _STAGES[line[0]], line[4:], line[2])
        else:
            server, _, source = line.partition("|")


def judged(reply: str, stage: Stage) -> str:
    """Whom the real classifier says that a reply is about."""
    outcome = refusal(Reply(int(reply[:3]), reply[4:]), stage)
    if outcome.scope is Scope.CAMPAIGN:
        return "M"
    if outcome.scope is Scope.ACCOUNT:
        if is_session_limit(outcome):
            return "C"
        return "W" if isinstance(outcome, Deferred) else "A"
    return "R" if names(reply) is Names.MAILBOX else "E"


def page() -> str:
    """docs/replies.md."""
    lines = [
        "# What servers say, and whom it is about",
        "",
        f"{sum(1 for _ in rows())} replies as these servers word them, some shortened, "
        "and how each is judged on its own; "
        "addresses and ids are replaced.",
        "What many of them together say is judged by [delivery](delivery.md#brakes), "
        "the rules are in [SMTP](smtp.md#what-each-reply-leads-to).",
        "Written by `python -m tests.transports.replies`.",
    ]
    for server, group in groupby(rows(), key=lambda row: (row.server, row.source)):
        lines += [
            "",
            f"## {server[0]}",
            "",
            f"See: {server[1]}.",
            "",
            "| to | reply | it is about |",
        ]
        lines.append("| --- | --- | --- |")
        lines += [f"| {row.stage} | `{row.reply}` | {JUDGEMENTS[row.judgement]} |" for row in group]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
