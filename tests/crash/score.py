"""What a run of the harness has shown so far, in figures, and its record on disk."""

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self


@dataclass
class Score:
    """Figures of one campaign, or of many together."""

    kills: int = 0
    campaigns: int = 0
    recipients: int = 0
    in_doubt: int = 0
    doubts_that_had_arrived: int = 0
    settled_by_reconcile: int = 0
    most_doubts_by_one_kill: int = 0
    lost: int = 0
    doubled: int = 0
    seconds: float = 0
    """Of all jobs together."""
    phases: Counter[str] = field(default_factory=Counter)
    modes: Counter[str] = field(default_factory=Counter)
    """Kills by mode."""
    endings: Counter[str] = field(default_factory=Counter)
    """Commands that ended by themselves, by exit code; and refused second ones."""

    def add(self, other: Self) -> None:
        """Take over another's figures."""
        for name in ("kills", "campaigns", "recipients", "in_doubt", "doubts_that_had_arrived",
                     "settled_by_reconcile", "lost", "doubled", "seconds"):  # fmt: skip
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.most_doubts_by_one_kill = max(
            self.most_doubts_by_one_kill, other.most_doubts_by_one_kill
        )
        self.phases += other.phases
        self.modes += other.modes
        self.endings += other.endings

    def __str__(self) -> str:
        return (
            f"{self.kills} kills in {self.campaigns} campaigns, {self.recipients} recipients: "
            f"{self.lost} lost, {self.doubled} doubled, {self.in_doubt} in doubt "
            f"({self.doubts_that_had_arrived} of them had arrived, "
            f"{self.settled_by_reconcile} settled by reconcile), at most "
            f"{self.most_doubts_by_one_kill} by one kill; kills by phase {dict(self.phases)}, "
            f"by mode {dict(self.modes)}; endings {dict(self.endings)}"
        )


def append(record: Path, line: dict[str, Any]) -> None:
    """Add a line to the record; in one write, so that several jobs may share the file."""
    with record.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")


def as_line(score: Score, **more: Any) -> dict[str, Any]:
    """A campaign's figures as the record keeps them."""
    figures = {**vars(score), "seconds": round(score.seconds, 1)}
    return {**more, **figures}


def total(lines: Iterable[dict[str, Any]]) -> Score:
    """The sum of a record's campaigns, whoever wrote them and however the run ended."""
    whole = Score()
    for line in lines:
        known = {name: line[name] for name in Score.__dataclass_fields__ if name in line}
        for name in ("phases", "modes", "endings"):
            known[name] = Counter(known.get(name, {}))
        whole.add(Score(**known))
    return whole
