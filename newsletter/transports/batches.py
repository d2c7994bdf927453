"""Delivers a group of messages, in parts if the provider refuses it as a whole."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Never

from newsletter.errors import TransportStopped, Where
from newsletter.message.model import Message
from newsletter.transports.api_client import ApiClient, acceptances
from newsletter.transports.api_result import Ambiguous, ApiResult, Each, Later, Refused, Stop, Taken
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
"""After so many refusals and no acceptance the message is at fault, not the recipients."""
_NOT_AGAIN = Deferred("It was refused with others and not tried on its own.", retry_after_s=0)


class Refusals:
    """The refusals of one delivery, and whether they concern the message or its recipients.

    They are counted over all calls of a delivery. With one message a call, a message
    that is refused for everybody would otherwise count against each recipient.

    Args:
        journal: records them.
        of_recipients: it is known already that the message itself is accepted.
        singly: each call carries one message. Then no outcome is held back: a program
            killed meanwhile would leave more than one call in doubt. Recipients who
            may not be at fault are deferred.
    """

    def __init__(
        self, journal: Journal, *, of_recipients: bool = False, singly: bool = False
    ) -> None:
        self._journal = journal
        self._kept: list[tuple[Message, str]] = []
        self._singly = singly
        self._count = 0
        self.of_recipients = of_recipients

    def add(self, message: Message, reply: str, *, of_recipient: bool) -> None:
        """One was refused; ``of_reader`` says that it is the address, not the message."""
        if of_recipient:
            self.blame_recipients()
        self._count += 1
        if not self._singly:
            self._kept.append((message, reply))
        elif self.of_recipients:
            self._journal.record(message, Rejected(reply))
        elif self.of_the_message:
            self._journal.record(message, Rejected(reply, Scope.CAMPAIGN))
        else:
            self._journal.record(message, Deferred(reply))

    def blame_recipients(self) -> None:
        """One was accepted, or refused for its address: the message is not at fault."""
        self.of_recipients = True
        self.close()

    @property
    def of_the_message(self) -> bool:
        """Whether the message is at fault, so that everybody would be refused."""
        return not self.of_recipients and self._count >= _ALIKE

    def close(self) -> None:
        """Record all that were held back."""
        scope = Scope.CAMPAIGN if self.of_the_message else Scope.RECIPIENT
        for message, reply in self._kept:
            self._journal.record(message, Rejected(reply, scope))
        self._kept.clear()


class Batch:
    """Delivers one group, in parts if the provider refuses it as a whole."""

    def __init__(self, client: ApiClient, journal: Journal, refusals: Refusals) -> None:
        self._client = client
        self._journal = journal
        self._refusals = refusals
        self._waiting: deque[Sequence[ApiMessage]] = deque()
        self._begun = False
        self._go_on = True

    def hand_over(self, messages: Sequence[ApiMessage]) -> bool:
        """Send, and record an outcome for each.

        Returns:
            Whether the session may go on with others.

        Raises:
            TransportStopped: as the session's ``deliver``.
        """
        self._waiting.append(messages)
        while self._waiting:
            group = self._waiting.popleft()
            if not self._go_on:
                self._leave_out(group)
            elif (request := self._may_go(group)) is not None:
                result = self._client.exchange(request, group, self._journal.acquire_permit)
                self._settle(group, result)
        return self._go_on and not self._refusals.of_the_message

    def _may_go(self, group: Sequence[ApiMessage]) -> Request | None:
        """The request, once it is permitted and the record is on disk.

        Built after the permit, which may take long: a signature is valid for minutes.
        """
        if self._journal.acquire_permit():
            request, call = self._client.prepare(group)
            messages = [message.message for message in group]
            if self._journal.attempt(messages, call=call).wait():
                self._begun = True
                return request
        self._go_on = False
        self._leave_out(group)
        return None

    def _leave_out(self, group: Sequence[ApiMessage]) -> None:
        """Record parts of a group that was refused as a whole: they were not accepted.

        Messages that were never attempted return to the queue without a record.
        """
        if self._begun:
            for message in group:
                self._journal.record(message.message, _NOT_AGAIN)

    def _settle(self, group: Sequence[ApiMessage], result: ApiResult) -> None:
        title = self._client.provider.title
        match result:
            case Taken():
                self._record_each(group, acceptances(result, len(group)))
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
                for message in group:
                    self._journal.record(message.message, InDoubt(result.reason))
                self._stop_in_doubt(result.reason)

    def _stop_in_doubt(self, reason: str) -> Never:
        """After a call whose end is unknown no other is made."""
        provider = self._client.provider
        self._end((), Deferred(f"{provider.title} stopped answering.", Scope.ACCOUNT))
        if provider.key_lifetime_s or provider.can_search:
            way = f"“newsletter reconcile ISSUE” asks {provider.title} about them"
        else:
            way = "you can decide on each with “newsletter resolve”"
        raise TransportStopped(
            f"{provider.title} did not say what became of a call: {reason}",
            where=Where(item=provider.title),
            next=f"Its recipients are in doubt; {way}. For all others: newsletter resume ISSUE",
        )

    def _refuse(self, group: Sequence[ApiMessage], result: Refused) -> None:
        """Nothing of it was accepted, so its parts may be sent on their own."""
        alone = len(group) == 1 or self._refusals.of_the_message
        blamed = [each for n, each in enumerate(group) if alone or n in result.positions]
        rest = [each for n, each in enumerate(group) if not (alone or n in result.positions)]
        for each in blamed:
            self._refusals.add(each.message, result.reply, of_recipient=result.of_recipient)
        if blamed:
            if rest:
                self._waiting.appendleft(rest)
            return
        half = len(group) // 2
        self._waiting.extendleft([group[half:], group[:half]])

    def _record_each(self, group: Sequence[ApiMessage], results: Sequence[Outcome]) -> None:
        doubts: list[InDoubt] = []
        for message, outcome in zip(group, results, strict=True):
            if isinstance(outcome, InDoubt):
                doubts.append(outcome)
            if isinstance(outcome, Accepted):
                self._refusals.blame_recipients()
            if isinstance(outcome, Deferred | Rejected) and outcome.scope is not Scope.RECIPIENT:
                self._go_on = False
            self._journal.record(message.message, outcome)
        if doubts:
            self._stop_in_doubt(doubts[0].reason)

    def _end(self, group: Sequence[ApiMessage], outcome: Deferred) -> None:
        """Nothing more is sent: this group and all waiting parts were not accepted."""
        self._go_on = False
        self._waiting.appendleft(group)
        for each in self._waiting:
            for message in each:
                self._journal.record(message.message, outcome)
        self._waiting.clear()
