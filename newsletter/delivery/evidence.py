"""Refusals with a shared cause, found by comparing many of them. No I/O.

One refusal is taken at its word. The same words for recipients at several domains,
while nobody is accepted, are about us: our sender, account, IP address or message.
Those recipients are put back into the queue. If they were rejected, the run stops; if
they were deferred, all mail waits. The same words at one domain alone are that domain's,
and mail to it waits. Words that name the recipient's mailbox never count, however often
they come: an old list behind a relay that verifies its recipients has many. A
provider's API verifies none, so there even they count if nobody is accepted meanwhile.

Greylisting (RFC 6647) defers each recipient once, and accepts the second attempt.
So a first attempt counts for nothing where the server calls it greylisting, or where
the last recipient accepted had been deferred before.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TypeGuard

from newsletter.clock import EARLIEST
from newsletter.delivery.policy import DOMAIN_PAUSE, Brake, Trip, next_attempt_at
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
class Attempt:
    """One attempt, from when it began.

    Attributes:
        claim: whose message it is.
        began_at: when.
        call: the number of the call that carries it; None: it was refused before any call.
    """

    claim: Claim
    began_at: datetime
    call: int | None


@dataclass(frozen=True, slots=True)
class SharedCause:
    """Refusals whose cause is not the recipients: they are put back into the queue.

    Attributes:
        claims: those refused for it so far.
        until: when they are due again.
        domain: the domain whose mail waits; empty: all mail does.
        begins: whether the wait begins now; otherwise it has begun already.
        trip: what to tell the user; None: nothing new.
    """

    claims: Sequence[Claim]
    until: datetime
    domain: str = _EVERYWHERE
    begins: bool = True
    trip: Trip | None = None


@dataclass(frozen=True, slots=True)
class _Words:
    """What was said: whether for good, and in which words."""

    for_good: bool
    words: str


@dataclass(slots=True)
class _Streak:
    """Attempts refused in the same words, and when, that no acceptance speaks against.

    ``aside`` were in calls in which others were accepted. They prove nothing, but the
    trouble may have begun within the call.
    """

    reply: str
    refused: list[tuple[Attempt, datetime]] = field(default_factory=list)
    aside: list[tuple[Attempt, datetime]] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.refused) + len(self.aside)

    @property
    def domains(self) -> int:
        """How many domains the recipients are at."""
        return len({attempt.claim.recipient.address.domain for attempt, _ in self.refused})

    def claims(self, *, aside: bool) -> list[Claim]:
        """Whose refusals they are, with those set aside if asked for."""
        return [attempt.claim for attempt, _ in self.refused + (self.aside if aside else [])]

    def refute(self, accepted: Attempt) -> None:
        """Drop refusals that came before an accepted attempt began, or in the same call."""
        self.refused, self.aside = (
            [
                (attempt, came_at)
                for attempt, came_at in each
                if came_at > accepted.began_at and attempt.call != accepted.call
            ]
            for each in (self.refused, self.aside)
        )


@dataclass(slots=True)
class _Pause:
    """The waits for one shared cause: how many there were, and until when the last one is."""

    domain: str
    since: datetime
    until: datetime = EARLIEST
    rounds: int = 0

    def begin(self, now: datetime, outcome: Deferred | Rejected) -> None:
        """Wait, once more."""
        self.rounds += 1
        if isinstance(outcome, Deferred):
            asked_s = outcome.retry_after_s
            self.until = next_attempt_at(now=now, attempt=self.rounds, asked_s=asked_s)
        elif self.domain:
            self.until = now + DOMAIN_PAUSE


class Evidence:
    """Compares a run's outcomes, and finds refusals with a shared cause.

    Used by one thread, in the order in which outcomes are recorded.
    """

    def __init__(self) -> None:
        self._streaks: defaultdict[str, dict[_Words, _Streak]] = defaultdict(dict)
        self._pauses: dict[tuple[str, _Words], _Pause] = {}
        self._calls = deque[int | None](maxlen=_CALLS)
        self._accepted = 0
        self._refuted = Counter[tuple[str, _Words]]()
        self._greylists: dict[str, bool] = {}
        self._waits_until: dict[str, datetime] = {}

    def judge(
        self,
        attempt: Attempt,
        outcome: Outcome,
        *,
        now: datetime,
        in_progress: Callable[[], int] = lambda: 0,
    ) -> SharedCause | None:
        """Note an attempt's outcome.

        Args:
            attempt: which.
            outcome: how it ended.
            now: the time.
            in_progress: how many calls have begun and not ended.

        Returns:
            The cause that it shares with others; None: it is taken at its word.
        """
        claim = attempt.claim
        domain = claim.recipient.address.domain
        if isinstance(outcome, Accepted):
            self._accept(attempt)
            return None
        if not _names_nobody(outcome):
            return None
        # What may be about everybody is looked at first.
        said = [
            (where, key) for where in (_EVERYWHERE, domain) for key in _keys(outcome, where, domain)
        ]
        for each in said:
            if (pause := self._pauses.get(each)) is not None:
                return _again(pause, outcome, attempt.began_at, now)
        until = self._waits_until.get(domain, EARLIEST)
        if now < until and isinstance(outcome, Rejected) and _keys(outcome, domain, domain):
            return SharedCause((), until, domain, begins=False)  # it was in progress already
        for where, key in said:
            if not self._counts(where, claim, outcome):
                continue
            streak = self._streaks[where].setdefault(key, _Streak(outcome.reply))
            if attempt.call is not None and attempt.call in self._calls:
                streak.aside.append((attempt, now))
                continue
            streak.refused.append((attempt, now))
            if self._enough(where, key, streak, in_progress):
                return self._find(where, key, outcome, now)
        return None

    def wait_at(self, domain: str, *, until: datetime) -> SharedCause:
        """Mail to a domain that refuses us waits, with those refused since its last acceptance."""
        self._waits_until[domain] = until
        streaks = self._streaks[domain]
        refused = [streaks.pop(key) for key in list(streaks) if key.for_good]
        claims = [claim for streak in refused for claim in streak.claims(aside=True)]
        return SharedCause(claims, until, domain)

    def at_the_end(self, now: datetime) -> Iterator[SharedCause]:
        """At the end of a run: shorter streaks that no acceptance ended."""
        for where in list(self._streaks):
            for key, streak in list(self._streaks[where].items()):
                if self._new_at_the_end(where, key, streak):
                    said = Rejected(streak.reply) if key.for_good else Deferred(streak.reply)
                    found = self._find(where, key, said, now)
                    yield replace(found, trip=_trip(where, key, streak))

    def _new_at_the_end(self, where: str, key: _Words, streak: _Streak) -> bool:
        if key.words is _ANY or self._refuted[where, key]:
            return False
        named = names(streak.reply)
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
        return len(streak.refused) >= least and streak.domains >= domains

    def _counts(self, where: str, claim: Claim, outcome: Deferred | Rejected) -> bool:
        """Whether a refusal may be evidence; a first “later” may be greylisting."""
        if isinstance(outcome, Rejected):
            return True
        if is_greylisting(outcome.reply):
            return claim.number > 2
        return claim.number > 1 or not self._greylists.get(where, False)

    def _enough(
        self, where: str, key: _Words, streak: _Streak, in_progress: Callable[[], int]
    ) -> bool:
        if where:
            return len(streak.refused) >= AT_ONE_DOMAIN
        if key.words is _ANY or _may_mean_the_reader(streak.reply):
            least = IN_A_ROW_PERHAPS
        else:
            least = IN_A_ROW if self._accepted else AT_FIRST
        if len(streak.refused) < least or streak.domains < DOMAINS:
            return False
        # Those in progress began before: they may be accepted yet, and refusals come sooner.
        return len(streak.refused) >= max(least, self._by_chance(key)) + in_progress()

    def _by_chance(self, key: _Words) -> int:
        """How long a row is that refusals as common as these before hardly ever make."""
        before = self._refuted[_EVERYWHERE, key]
        if not before:
            return 0
        share = before / (before + self._accepted + _JUDGED_FIRST)
        return math.ceil(math.log(_CHANCE) / math.log(share))

    def _accept(self, accepted: Attempt) -> None:
        """Drop what an acceptance speaks against.

        An attempt that began before a refusal came may have been in progress when the trouble
        began.
        """
        self._accepted += 1
        self._calls.append(accepted.call)
        for where in (_EVERYWHERE, accepted.claim.recipient.address.domain):
            self._greylists[where] = accepted.claim.number > 1
            streaks = self._streaks.get(where, {})
            for key, streak in list(streaks.items()):
                before = len(streak)
                streak.refute(accepted)
                self._refuted[where, key] += before - len(streak)
                if not len(streak):
                    del streaks[key]
            for each, pause in list(self._pauses.items()):
                if pause.domain == where and accepted.began_at > pause.since:
                    del self._pauses[each]

    def _find(
        self, where: str, key: _Words, outcome: Deferred | Rejected, now: datetime
    ) -> SharedCause:
        streak = self._streaks[where].pop(key)
        pause = self._pauses[where, key] = _Pause(where, since=now)
        pause.begin(now, outcome)
        claims = streak.claims(aside=key.words is not _ANY)
        # The domain's own brake reports rejections (policy.DomainBreaker).
        trip = None if where and key.for_good else _trip(where, key, streak)
        return SharedCause(claims, pause.until, where, trip=trip)


def _again(
    pause: _Pause, outcome: Deferred | Rejected, began_at: datetime, now: datetime
) -> SharedCause:
    """The same words again: to an attempt after the wait, or to one in progress when it began."""
    begins = pause.until <= began_at
    if begins:
        pause.begin(now, outcome)
    return SharedCause((), pause.until, pause.domain, begins)


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


def _trip(where: str, key: _Words, streak: _Streak) -> Trip:
    """What a person should know."""
    words = "one after the other" if key.words is _ANY else "in the same words"
    what = "refused" if key.for_good else "deferred"
    count = len(streak.refused)
    if where:
        return Trip(
            Brake.WAIT,
            f"{where} {what} {count:,} recipients {words}: {streak.reply} All there wait.",
        )
    why = (
        f"{count:,} readers at {streak.domains:,} domains were {what} {words}, and "
        f"nobody was accepted meanwhile. The server said: {streak.reply}"
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
