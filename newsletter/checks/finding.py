"""What a check is and what it finds. No I/O."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from newsletter.errors import Where
from newsletter.model import Story

if TYPE_CHECKING:
    from newsletter.checks.check_input import CheckInput


class Severity(StrEnum):
    """How bad a finding is, worst first."""

    ERROR = "error"
    """Readers would be harmed or misled; the issue should not go out."""
    WARNING = "warning"
    """Some readers lose something; look at it."""
    NOTE = "note"
    """Could be better."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One fault: what it is, where it stands, why it matters and how to mend it.

    ``where`` names the place in the file that the editor would change;
    ``story`` is the headline of the story concerned and ``story_id`` its id,
    both None where it concerns none.
    """

    id: str
    severity: Severity
    what: str
    where: Where
    why: str
    mend: str
    story: str | None = None
    story_id: str | None = None


@dataclass(frozen=True, slots=True)
class Location:
    """Where something of the mail was written, and by which story if by one."""

    where: Where
    story: Story | None = None


@dataclass(frozen=True, slots=True)
class Flaw:
    """What one check saw; with the check's id and reason it becomes a :class:`Finding`."""

    severity: Severity
    what: str
    mend: str
    place: Location


CheckFunction = Callable[["CheckInput"], Iterator[Flaw]]


@dataclass(frozen=True, slots=True)
class Check:
    """One check: its id, why it matters in a sentence, and the function that looks."""

    id: str
    why: str
    function: CheckFunction

    def findings(self, given: CheckInput) -> Iterator[Finding]:
        """What this check finds."""
        for flaw in self.function(given):
            story = flaw.place.story
            yield Finding(
                id=self.id,
                severity=flaw.severity,
                what=flaw.what,
                where=flaw.place.where,
                why=self.why,
                mend=flaw.mend,
                story=story.headline if story else None,
                story_id=story.id if story else None,
            )


def check(check_id: str, *, why: str) -> Callable[[CheckFunction], Check]:
    """Make a function that looks for one kind of fault into a check."""
    return lambda look: Check(check_id, why, look)
