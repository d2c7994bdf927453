"""docs/fault-matrix.md, made from the marks of tests."""

from collections.abc import Iterable, Mapping
from typing import Any

from tests.faults.rows import FAMILIES, NOT_YET
from tests.support.tools import ROOT

PAGE = ROOT / "docs" / "fault-matrix.md"

_HEAD = """\
# Fault matrix

What goes wrong, what the tool does then, and the test that shows it.
This page is written by `make faults` from the tests that pass; nobody edits it.

For every row: nobody is mailed twice without a person's word.
Each recipient ends in exactly one recorded state, and nobody is missing.
The states are those of [the ledger](ledger.md).
Where a state says that the run stops or waits, recipients that were not attempted stay `pending`.
`newsletter resume` mails them.
"""
_TELLS = {
    "SMTP": "What a mail relay may do.",
    "HTTP": "What any provider's API, or something on the way to it, may do.",
    "Provider": "The sender is killed while a provider has its call.",
    "Process": "What happens to the sender itself. "
    "See [the crash harness](crash-harness.md), which runs these for as long as you like.",
    "Ledger": "What happens to the ledger's file.",
    "Input": "What the list or the issue may hold. "
    "Issues, lists and settings that cannot be used are refused before anything is frozen.",
    "Public": "Faults of [the public server](public.md), and hostile requests.",
}

Row = Mapping[str, Any]


def page(rows: Iterable[Row]) -> str:
    """The whole page.

    Args:
        rows: marks with their tests, all of which passed.
    """
    by_fault: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        by_fault.setdefault((row["family"], row["name"]), []).append(row)
    parts = [_HEAD]
    for family in FAMILIES:
        lines = [_line(name, by_fault[kind, name]) for kind, name in by_fault if kind == family]
        parts.append(f"## {family}\n\n{_TELLS[family]}\n\n{_table(sorted(lines, key=str.lower))}")
    parts.append("## Not yet applicable\n\nDemanded, and not shown.\n\n" + _not_yet())
    return "\n".join(parts)


def _table(lines: Iterable[str]) -> str:
    return "| fault | what the tool does | test |\n|---|---|---|\n" + "".join(lines)


def _line(name: str, rows: Iterable[Row]) -> str:
    # In the ledger's own word, however a mark spells it.
    states = dict.fromkeys(row["state"].replace("in doubt", "in_doubt") for row in rows)
    tests = sorted({_test(row["test"]) for row in rows})
    return f"| {name} | {'; or '.join(states)} | {'<br>'.join(tests)} |\n"


def _test(nodeid: str) -> str:
    file, _, name = nodeid.rpartition("::")
    return f"`{name}` in `{file.removeprefix('tests/').partition('::')[0]}`"


def _not_yet() -> str:
    lines = [f"| {fault} | {why} |\n" for fault, why in NOT_YET]
    return "| fault | why |\n|---|---|\n" + "".join(lines)
