"""Whose fault refusals are, judged by many of them together. No I/O.

One refusal may be taken at its word. The same words for readers of several domains,
while nobody is accepted, are about us: our sender, our account, our address, our
message. Then those refused are put back, and the run stops. Words that name the
reader's own mailbox stay theirs, however often they come: an old list behind a relay
that verifies its recipients is full of them.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from newsletter.delivery.policy import Brake, Trip
from newsletter.ledger.deliveries import Claim
from newsletter.refusal_words import Names, names, same_words
from newsletter.transports.protocol import Accepted, Outcome, Rejected, Scope

DOMAINS = 3
"""Readers of so many domains must have been refused; fewer, and it may be their server's word."""
IN_A_ROW = 8
AT_FIRST = 5
"""Enough while nobody at all was accepted in the run."""
IN_A_ROW_PERHAPS = 20
"""Where a code or a word may mean the reader, or the words differ."""
_ANY = "whatever the words"


_CALLS = 64
"""So many calls are remembered in which somebody was accepted: more than are on the way at once."""


@dataclass(frozen=True, slots=True)
class _Refusal:
    """One reader's, the call that carried it, and when it came, in seconds since the epoch."""

    claim: Claim
    call: int | None
    came_at: float


@dataclass(slots=True)
class _Row:
    """Refusals in the same words that no acceptance speaks against."""

    reply: str
    refusals: list[_Refusal] = field(default_factory=list)

    @property
    def domains(self) -> int:
        """How many domains the readers are at."""
        return len({each.claim.recipient.address.domain for each in self.refusals})


class Evidence:
    """Takes note of a run's outcomes and tells when refusals turn out to be about us.

    Used by one thread, in the order in which outcomes are written down.
    """

    def __init__(self) -> None:
        self._rows: dict[str, _Row] = {}
        self._accepted = deque[int | None](maxlen=_CALLS)
        self._about_us: str | None = None

    def is_about_us(self, outcome: Outcome, domain: str) -> bool:
        """Whether a refusal says what was already found to be about us."""
        return isinstance(outcome, Rejected) and self._about_us in _keys(outcome, domain)

    def record(
        self, claim: Claim, outcome: Outcome, *, call: int | None, began_at: float, now: float
    ) -> tuple[Trip, list[Claim]] | None:
        """Take note of an outcome.

        Args:
            claim: whose.
            outcome: what the attempt told.
            call: the number of the call that carried it; None: it was refused before.
            began_at: when it began, in seconds since the epoch.
            now: the time, in seconds since the epoch.

        Returns:
            Why the run must stop, and who was refused in these words; None: it goes on.
        """
        if isinstance(outcome, Accepted):
            self._accepted.append(call)
            self._refute(call, began_at)
            return None
        if not isinstance(outcome, Rejected) or call in self._accepted:
            return None  # others in the same call were accepted
        refusal = _Refusal(claim, call, now)
        for key in _keys(outcome, claim.recipient.address.domain):
            row = self._rows.setdefault(key, _Row(outcome.reply))
            row.refusals.append(refusal)
            if len(row.refusals) >= self._enough(key, row) and row.domains >= DOMAINS:
                return self._trip(key, row)
        return None

    def at_the_end(self) -> tuple[Trip, list[Claim]] | None:
        """At the end of a run: whether nobody was accepted, and several heard the same refusal."""
        if self._accepted:
            return None
        for key, row in self._rows.items():
            if key is not _ANY and row.domains > 1 and not _may_mean_the_reader(row.reply):
                return self._trip(key, row)
        return None

    def _enough(self, key: str, row: _Row) -> int:
        if key is _ANY or _may_mean_the_reader(row.reply):
            return IN_A_ROW_PERHAPS
        return IN_A_ROW if self._accepted else AT_FIRST

    def _refute(self, call: int | None, began_at: float) -> None:
        """Drop what an acceptance speaks against: refusals before it began, or of the same call.

        One that began before a refusal came may have been on its way when the trouble began.
        """
        for key, row in list(self._rows.items()):
            row.refusals = [
                each for each in row.refusals if each.came_at >= began_at and each.call != call
            ]
            if not row.refusals:
                del self._rows[key]

    def _trip(self, key: str, row: _Row) -> tuple[Trip, list[Claim]]:
        self._about_us = key
        words = "one after the other" if key is _ANY else "in the same words"
        why = (
            f"{len(row.refusals)} readers at {row.domains} domains were refused {words}, and "
            f"nobody was accepted meanwhile. The server said: {row.reply}"
        )
        following = (
            "This is about us, not about them: nobody counts as refused for it. Look at the "
            "sender's address, the account and its limits, or ask who runs the server; then run "
            "“newsletter resume”."
        )
        return Trip(Brake.STOP, why, next=following), [each.claim for each in row.refusals]


def _keys(outcome: Rejected, domain: str) -> tuple[str, ...]:
    """The rows that a refusal belongs to; none where its words name the reader's mailbox."""
    if outcome.scope is not Scope.RECIPIENT or names(outcome.reply) is Names.MAILBOX:
        return ()
    return same_words(outcome.reply, domain), _ANY


def _may_mean_the_reader(reply: str) -> bool:
    return names(reply) is not Names.NOBODY
