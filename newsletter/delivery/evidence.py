"""Whose fault refusals are, judged by many of them together. No I/O.

One refusal may be taken at its word. The same words for readers of several domains,
while nobody is accepted, are about us: our sender, our account, our address, our
message. Then those who heard them are put back; refused for good, the run stops;
deferred, everybody waits. The same words at one domain alone are that domain's, and
those there wait. Words that name the reader's own mailbox stay theirs, however often
they come: an old list behind a relay that verifies its recipients is full of them. A
provider's API verifies none, so there even they count if nobody is accepted meanwhile.

Greylisting (RFC 6647) says “later” to each reader once, and takes the second attempt.
So a first attempt counts for nothing where the server calls it greylisting, or where
the last one accepted had been deferred before.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeGuard

from newsletter.delivery.policy import DOMAIN_PAUSE_S, Brake, Trip, next_attempt_at
from newsletter.ledger.reading import Claim
from newsletter.refusal_words import Names, is_bad_address, is_greylisting, names, same_words
from newsletter.transports.protocol import Accepted, Deferred, Outcome, Rejected, Scope

DOMAINS = 3
"""Readers of so many domains must have been refused; fewer, and it may be their server's word."""
IN_A_ROW = 8
AT_FIRST = 5
"""Enough while nobody at all was accepted in the run."""
IN_A_ROW_PERHAPS = 20
"""Where a code or a word may mean the reader, or the words differ."""
AT_THE_END = 3
"""Enough when the run is over, of words that were not heard before."""
MANY = 50
"""So many were accepted without these words that chance hardly brings them to two in a row."""
AT_ONE_DOMAIN = 21
AT_THE_END_OF_ONE_DOMAIN = 5
_CHANCE = 1e-9
"""A row that chance makes as often from the refusals heard before tells nothing."""
_JUDGED_FIRST = 25
"""Added to the answers heard before: of a few, chance tells more than the list."""
_CALLS = 64
"""So many calls are remembered in which somebody was accepted: more than are on the way at once."""
_ANY = "whatever the words"
_EVERYWHERE = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """Refusals turned out to be about us: whoever heard them waits again.

    Attributes:
        claims: who was blamed for it so far.
        until: when they may be tried again, in seconds since the epoch.
        domain: the domain that waits; empty: everybody does.
        begins: the wait begins with it.
        trip: what a person should know; None: nothing new.
    """

    claims: Sequence[Claim]
    until: float
    domain: str = _EVERYWHERE
    begins: bool = True
    trip: Trip | None = None


@dataclass(frozen=True, slots=True)
class _Words:
    """What was said: whether for good, and in which words."""

    for_good: bool
    words: str


@dataclass(frozen=True, slots=True)
class _Refusal:
    """One reader's, the call that carried it, and when it came, in seconds since the epoch."""

    claim: Claim
    call: int | None
    came_at: float


@dataclass(slots=True)
class _Row:
    """Refusals in the same words that no acceptance speaks against.

    ``aside`` came in calls in which others were accepted. They prove nothing, but the
    trouble may have begun within the call.
    """

    reply: str
    refusals: list[_Refusal] = field(default_factory=list)
    aside: list[_Refusal] = field(default_factory=list)

    @property
    def domains(self) -> int:
        """How many domains the readers are at."""
        return len({each.claim.recipient.address.domain for each in self.refusals})

    def claims(self, *, aside: bool) -> list[Claim]:
        """Whose refusals they are, with those set aside if asked for."""
        return [each.claim for each in (*self.refusals, *(self.aside if aside else ()))]


@dataclass(slots=True)
class _Pause:
    """Words found to be about us; how often they came again after a wait, and until when it is."""

    for_good: bool
    domain: str
    since: float
    until: float = 0.0
    rounds: int = 0

    def begin(self, now: float, outcome: Deferred | Rejected) -> None:
        """Wait, once more."""
        self.rounds += 1
        if isinstance(outcome, Deferred):
            asked_s = outcome.retry_after_s
            self.until = next_attempt_at(now=now, attempt=self.rounds, asked_s=asked_s)
        elif self.domain:
            self.until = now + DOMAIN_PAUSE_S


class Evidence:
    """Takes note of a run's outcomes and tells when refusals turn out to be about us.

    Used by one thread, in the order in which outcomes are written down.
    """

    def __init__(self) -> None:
        self._rows: defaultdict[str, dict[_Words, _Row]] = defaultdict(dict)
        self._pauses: dict[tuple[str, _Words], _Pause] = {}
        self._calls = deque[int | None](maxlen=_CALLS)
        self._accepted = 0
        self._refuted = Counter[tuple[str, _Words]]()
        self._greylists: dict[str, bool] = {}
        self._waits_until: dict[str, float] = {}

    def judge(
        self,
        claim: Claim,
        outcome: Outcome,
        *,
        call: int | None,
        began_at: float,
        now: float,
        on_the_way: Callable[[], int] = lambda: 0,
    ) -> Finding | None:
        """Take note of an outcome.

        Args:
            claim: whose.
            outcome: what the attempt told.
            call: the number of the call that carried it; None: it was refused before.
            began_at: when it began, in seconds since the epoch.
            now: the time, in seconds since the epoch.
            on_the_way: how many calls have begun and not ended.

        Returns:
            That it is about us, and who else was blamed for it; None: it may be taken
            at its word.
        """
        domain = claim.recipient.address.domain
        if isinstance(outcome, Accepted):
            self._accept(claim, call, began_at)
            return None
        if not _names_nobody(outcome):
            return None
        # What may be about everybody is looked at first.
        said = [
            (where, key) for where in (_EVERYWHERE, domain) for key in _keys(outcome, where, domain)
        ]
        for each in said:
            if (pause := self._pauses.get(each)) is not None:
                return _again(pause, outcome, began_at, now)
        until = self._waits_until.get(domain, 0.0)
        if now < until and isinstance(outcome, Rejected) and _keys(outcome, domain, domain):
            return Finding((), until, domain, begins=False)  # it was on the way already
        refusal = _Refusal(claim, call, now)
        for where, key in said:
            if not self._counts(where, claim, outcome):
                continue
            row = self._rows[where].setdefault(key, _Row(outcome.reply))
            if call is not None and call in self._calls:
                row.aside.append(refusal)
                continue
            row.refusals.append(refusal)
            if self._enough(where, key, row, on_the_way):
                return self._find(where, key, outcome, now)
        return None

    def wait_at(self, domain: str, *, until: float) -> Finding:
        """A domain that refuses us waits: whom it refused since it last accepted anybody wait too.

        Args:
            domain: which.
            until: in seconds since the epoch.
        """
        self._waits_until[domain] = until
        rows = self._rows[domain]
        refused = [rows.pop(key) for key in list(rows) if key.for_good]
        claims = [claim for row in refused for claim in row.claims(aside=True)]
        return Finding(claims, until, domain)

    def at_the_end(self, now: float) -> Iterator[Finding]:
        """At the end of a run: what the last ones heard, where nobody was accepted after them."""
        for where in list(self._rows):
            for key, row in list(self._rows[where].items()):
                if self._new_at_the_end(where, key, row):
                    said = Rejected(row.reply) if key.for_good else Deferred(row.reply)
                    yield replace(self._find(where, key, said, now), trip=_trip(where, key, row))

    def _new_at_the_end(self, where: str, key: _Words, row: _Row) -> bool:
        if key.words is _ANY or self._refuted[where, key]:
            return False
        named = names(row.reply)
        if where:  # at a domain that took mail before
            least, domains = AT_THE_END_OF_ONE_DOMAIN, 1
            if named is not Names.NOBODY or where not in self._greylists:
                return False
        elif not self._accepted:
            least, domains = (2, 2) if named is Names.NOBODY else (AT_FIRST, DOMAINS)
        elif named is Names.NOBODY:
            least, domains = (2 if self._accepted >= MANY else AT_THE_END), 2
        elif named is Names.PERHAPS_MAILBOX and self._accepted >= MANY:
            least, domains = AT_THE_END, DOMAINS
        else:
            return False
        return len(row.refusals) >= least and row.domains >= domains

    def _counts(self, where: str, claim: Claim, outcome: Deferred | Rejected) -> bool:
        """Whether a refusal may be evidence; a first “later” may be greylisting."""
        if isinstance(outcome, Rejected):
            return True
        if is_greylisting(outcome.reply):
            return claim.number > 2
        return claim.number > 1 or not self._greylists.get(where, False)

    def _enough(self, where: str, key: _Words, row: _Row, on_the_way: Callable[[], int]) -> bool:
        if where:
            return len(row.refusals) >= AT_ONE_DOMAIN
        if key.words is _ANY or _may_mean_the_reader(row.reply):
            least = IN_A_ROW_PERHAPS
        else:
            least = IN_A_ROW if self._accepted else AT_FIRST
        if len(row.refusals) < least or row.domains < DOMAINS:
            return False
        # Those on the way began before: they may be accepted yet, and refusals come sooner.
        return len(row.refusals) >= max(least, self._by_chance(key)) + on_the_way()

    def _by_chance(self, key: _Words) -> int:
        """How long a row is that refusals as common as these before hardly ever make."""
        before = self._refuted[_EVERYWHERE, key]
        if not before:
            return 0
        share = before / (before + self._accepted + _JUDGED_FIRST)
        return math.ceil(math.log(_CHANCE) / math.log(share))

    def _accept(self, claim: Claim, call: int | None, began_at: float) -> None:
        """Drop what an acceptance speaks against: refusals before it began, or of the same call.

        One that began before a refusal came may have been on its way when the trouble began.
        """
        self._accepted += 1
        self._calls.append(call)
        for where in (_EVERYWHERE, claim.recipient.address.domain):
            self._greylists[where] = claim.number > 1
            rows = self._rows.get(where, {})
            for key, row in list(rows.items()):
                before = len(row.refusals) + len(row.aside)
                row.refusals = [e for e in row.refusals if e.came_at > began_at and e.call != call]
                row.aside = [e for e in row.aside if e.came_at > began_at and e.call != call]
                left = len(row.refusals) + len(row.aside)
                self._refuted[where, key] += before - left
                if not left:
                    del rows[key]
            for each in [
                e for e, p in self._pauses.items() if e[0] == where and began_at > p.since
            ]:
                del self._pauses[each]

    def _find(self, where: str, key: _Words, outcome: Deferred | Rejected, now: float) -> Finding:
        row = self._rows[where].pop(key)
        pause = self._pauses[where, key] = _Pause(key.for_good, where, since=now)
        pause.begin(now, outcome)
        claims = row.claims(aside=key.words is not _ANY)
        # The domain's own brake tells of refusals (policy.DomainBreaker).
        trip = None if where and key.for_good else _trip(where, key, row)
        return Finding(claims, pause.until, where, trip=trip)


def _again(pause: _Pause, outcome: Deferred | Rejected, began_at: float, now: float) -> Finding:
    """The same was said again: by a server that was asked once more, or on the way meanwhile."""
    begins = pause.until <= began_at
    if begins:
        pause.begin(now, outcome)
    return Finding((), pause.until, pause.domain, begins)


def _names_nobody(outcome: Outcome) -> TypeGuard[Deferred | Rejected]:
    """Whether it is a refusal that names neither the reader's mailbox nor, by a rule, us.

    A “later” without a code is a transport's own word, not the server's.
    """
    return (
        isinstance(outcome, Deferred | Rejected)
        and outcome.scope is Scope.RECIPIENT
        and (isinstance(outcome, Rejected) or outcome.reply[:3].isdecimal())
        and (_is_api(outcome) or names(outcome.reply) is not Names.MAILBOX)
    )


def _is_api(outcome: Deferred | Rejected) -> bool:
    """Whether a provider's API refused for good: with an HTTP status, where SMTP has 5yz.

    It has asked nobody's server yet. So it knows an address or two that it does not
    take, but not that nobody's mailbox exists.
    """
    return isinstance(outcome, Rejected) and outcome.reply.startswith(("2", "4"))


def _keys(outcome: Deferred | Rejected, where: str, domain: str) -> tuple[_Words, ...]:
    """The rows that a refusal belongs to."""
    for_good = isinstance(outcome, Rejected)
    same = _Words(for_good, same_words(outcome.reply, domain))
    if names(outcome.reply) is Names.MAILBOX:
        return () if where else (same,)
    if where:
        return () if is_bad_address(outcome.reply) else (same,)
    return (same, _Words(for_good, _ANY)) if for_good else (same,)


def _trip(where: str, key: _Words, row: _Row) -> Trip:
    """What a person should know."""
    words = "one after the other" if key.words is _ANY else "in the same words"
    what = "refused" if key.for_good else "deferred"
    count = len(row.refusals)
    if where:
        return Trip(
            Brake.WAIT,
            f"{where} {what} {count:,} recipients {words}: {row.reply} All there wait.",
        )
    why = (
        f"{count:,} readers at {row.domains:,} domains were {what} {words}, and "
        f"nobody was accepted meanwhile. The server said: {row.reply}"
    )
    if not key.for_good:
        return Trip(Brake.WAIT, f"{why} Everybody waits, and nobody is given up for it.")
    following = (
        "This is about us, not about them: nobody counts as refused for it. Look at the "
        "sender's address, the account and its limits, or ask who runs the server; then run "
        "“newsletter resume”."
    )
    return Trip(Brake.STOP, why, next=following)


def _may_mean_the_reader(reply: str) -> bool:
    return names(reply) is not Names.NOBODY
