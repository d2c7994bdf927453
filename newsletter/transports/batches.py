"""One group of letters brought to an end, in parts where a provider refuses it whole."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Never

from newsletter.errors import TransportStopped, Where
from newsletter.message.model import Message
from newsletter.transports.answers import Ambiguous, ApiResult, Each, Later, Refused, Stop, Taken
from newsletter.transports.calls import Calls, spread
from newsletter.transports.http_values import Request
from newsletter.transports.protocol import (
    Accepted,
    Deferred,
    InDoubt,
    Journal,
    Outcome,
    Rejected,
    Scope,
)
from newsletter.transports.provider import ApiMessage

_ALIKE = 3
"""So many refusals and nothing accepted: it is the letter, not its readers."""
_NOT_AGAIN = Deferred("It was refused with others and not tried on its own.", retry_after_s=0)


class Refusals:
    """Who was refused in one delivery, and whom that is to be blamed on.

    Over all calls of a delivery: where each carries one letter, a letter that
    is refused for all would else be blamed on each reader in turn.

    Args:
        journal: where they are recorded.
        of_readers: it is known already that the letter itself is taken.
        singly: each call carries one letter. Then nobody's outcome is held back
            until more is known, or a program killed meanwhile would leave more
            than one call in doubt; whoever may not be to blame is deferred.
    """

    def __init__(self, journal: Journal, *, of_readers: bool = False, singly: bool = False) -> None:
        self._journal = journal
        self._kept: list[tuple[Message, str]] = []
        self._singly = singly
        self._count = 0
        self.of_readers = of_readers

    def add(self, message: Message, reply: str, *, of_reader: bool) -> None:
        """One was refused; ``of_reader`` says that it is the address, not the letter."""
        if of_reader:
            self.blame_readers()
        self._count += 1
        if not self._singly:
            self._kept.append((message, reply))
        elif self.of_readers:
            self._journal.record(message, Rejected(reply))
        elif self.of_the_letter:
            self._journal.record(message, Rejected(reply, Scope.CAMPAIGN))
        else:
            self._journal.record(message, Deferred(reply))

    def blame_readers(self) -> None:
        """Somebody was accepted, or refused for the address: it is not the letter."""
        self.of_readers = True
        self.close()

    @property
    def of_the_letter(self) -> bool:
        """Whether all would be refused alike, for what they have in common."""
        return not self.of_readers and self._count >= _ALIKE

    def close(self) -> None:
        """Record all that are kept."""
        scope = Scope.CAMPAIGN if self.of_the_letter else Scope.RECIPIENT
        for message, reply in self._kept:
            self._journal.record(message, Rejected(reply, scope))
        self._kept.clear()


class Batch:
    """Brings one group to an end, in parts where the provider refuses it whole."""

    def __init__(self, calls: Calls, journal: Journal, refusals: Refusals) -> None:
        self._calls = calls
        self._journal = journal
        self._refusals = refusals
        self._waiting: deque[Sequence[ApiMessage]] = deque()
        self._begun = False
        self._go_on = True

    def hand_over(self, letters: Sequence[ApiMessage]) -> bool:
        """Send, and record an outcome for each.

        Returns:
            Whether the session may go on with others.

        Raises:
            TransportStopped: as the session's ``deliver``.
        """
        self._waiting.append(letters)
        while self._waiting:
            group = self._waiting.popleft()
            if not self._go_on:
                self._leave_out(group)
            elif (request := self._may_go(group)) is not None:
                result = self._calls.exchange(request, group, self._journal.acquire_permit)
                self._settle(group, result)
        return self._go_on and not self._refusals.of_the_letter

    def _may_go(self, group: Sequence[ApiMessage]) -> Request | None:
        """The request, once it is permitted and the record is on disk.

        Made after the permit, which may take long: a signature holds for minutes.
        """
        if self._journal.acquire_permit():
            request, call = self._calls.prepare(group)
            messages = [letter.message for letter in group]
            if self._journal.attempt(messages, call=call).wait():
                self._begun = True
                return request
        self._go_on = False
        self._leave_out(group)
        return None

    def _leave_out(self, group: Sequence[ApiMessage]) -> None:
        """What was attempted as a part of what was refused whole is definitely not taken.

        What was never attempted goes back to the queue on its own.
        """
        if self._begun:
            for letter in group:
                self._journal.record(letter.message, _NOT_AGAIN)

    def _settle(self, group: Sequence[ApiMessage], result: ApiResult) -> None:
        title = self._calls.provider.title
        match result:
            case Taken():
                self._record_each(group, spread(result, len(group)))
            case Each():
                self._record_each(group, result.results)
            case Refused():
                self._refuse(group, result)
            case Later():
                self._end(group, Deferred(result.reply, Scope.ACCOUNT, result.retry_after_s))
            case Stop():
                self._end(group, Deferred(result.reply, Scope.ACCOUNT))
                raise TransportStopped(result.reply, where=Where(item=title), next=result.next)
            case Ambiguous():
                for letter in group:
                    self._journal.record(letter.message, InDoubt(result.reason))
                self._stop_in_doubt(result.reason)

    def _stop_in_doubt(self, reason: str) -> Never:
        """After one call that leaves a doubt no other is made."""
        provider = self._calls.provider
        self._end((), Deferred(f"{provider.title} stopped answering.", Scope.ACCOUNT))
        if provider.key_lifetime_s or provider.can_search:
            way = f"“newsletter reconcile ISSUE” asks {provider.title} about them"
        else:
            way = "you can decide on each with “newsletter resolve”"
        raise TransportStopped(
            f"{provider.title} did not say what became of a call: {reason}",
            where=Where(item=provider.title),
            next=f"Whom it carried is in doubt; {way}. For all others: newsletter resume ISSUE",
        )

    def _refuse(self, group: Sequence[ApiMessage], result: Refused) -> None:
        """Nothing of it was accepted, so its parts may go on their own."""
        alone = len(group) == 1 or self._refusals.of_the_letter
        blamed = [each for n, each in enumerate(group) if alone or n in result.to_blame]
        rest = [each for n, each in enumerate(group) if not (alone or n in result.to_blame)]
        for each in blamed:
            self._refusals.add(each.message, result.reply, of_reader=result.of_reader)
        if blamed:
            if rest:
                self._waiting.appendleft(rest)
            return
        half = len(group) // 2
        self._waiting.extendleft([group[half:], group[:half]])

    def _record_each(self, group: Sequence[ApiMessage], results: Sequence[Outcome]) -> None:
        doubts: list[InDoubt] = []
        for letter, outcome in zip(group, results, strict=True):
            if isinstance(outcome, InDoubt):
                doubts.append(outcome)
            if isinstance(outcome, Accepted):
                self._refusals.blame_readers()
            if isinstance(outcome, Deferred | Rejected) and outcome.scope is not Scope.RECIPIENT:
                self._go_on = False
            self._journal.record(letter.message, outcome)
        if doubts:
            self._stop_in_doubt(doubts[0].reason)

    def _end(self, group: Sequence[ApiMessage], outcome: Deferred) -> None:
        """Nothing more will be sent: this group and all parts that wait were not taken."""
        self._go_on = False
        self._waiting.appendleft(group)
        for each in self._waiting:
            for letter in each:
                self._journal.record(letter.message, outcome)
        self._waiting.clear()
