"""Doubts brought to the provider: repeated calls where that is safe, and questions.

Only acceptances are ever learned here; whoever the provider says nothing of
stays in doubt.

A call is repeated only if the provider knows it by its key, if at most half of
the key's life has passed, and if all it carried are still in doubt and wanted:
a member whom a person has settled, who has left, or whom a later call carried
might get a second message, or one too many. Nor is one repeated that was made
before the ledger was adopted: a later call may stand in the ledger that is lost.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from newsletter.clock import Clock
from newsletter.delivery.worker import Compose
from newsletter.ledger.campaigns import Campaign
from newsletter.ledger.reading import Claim
from newsletter.ledger.runs import CallRecord
from newsletter.message.compose import Uncomposable
from newsletter.message.model import Message, Recipient
from newsletter.transports.protocol import Accepted, Call, StatusLookup, Transport

if TYPE_CHECKING:
    from newsletter.ledger.ledger import Ledger


@dataclass(frozen=True, slots=True)
class ReconcileResult:
    """How many of a campaign were in doubt, and how many of them the provider says it took."""

    campaign: Campaign
    in_doubt: int
    by_repeating: int
    by_asking: int


class Reconciler:
    """Settles the doubts of one campaign.

    Args:
        ledger: open; no run may be at work on the campaign.
        campaign: whose doubts.
        compose: makes the very same messages again.
        transport: under whose name and place calls were recorded.
        inquiry: asks the provider.
        has_left: whether a recipient must not be mailed any more.
        clock: tells how old a call is.
    """

    def __init__(
        self,
        ledger: Ledger,
        campaign: Campaign,
        *,
        compose: Compose,
        transport: Transport,
        inquiry: StatusLookup,
        has_left: Callable[[Recipient], bool],
        clock: Clock,
    ) -> None:
        self._ledger = ledger
        self._campaign = campaign
        self._compose = compose
        self._inquiry = inquiry
        self._way = (transport.name, transport.place)
        self._has_left = has_left
        self._clock = clock
        self._doubts: dict[int, Claim] = {}

    def settle(self) -> ReconcileResult:
        """Ask about everybody who is in doubt.

        Raises:
            TransportStopped: the provider cannot be reached or refuses the account.
            LedgerRefused: it cannot be written. What was settled stays.
        """
        doubts = self._ledger.deliveries.in_doubt_claims(self._campaign.id)
        self._doubts = {doubt.id: doubt for doubt in doubts}
        by_repeating = sum(map(self._repeat, self._repeatable()))
        by_asking = self._ask() if self._inquiry.can_search else 0
        return ReconcileResult(self._campaign, len(doubts), by_repeating, by_asking)

    def _repeatable(self) -> list[CallRecord]:
        """The calls that may be made again."""
        if not self._inquiry.replay_for_s:
            return []
        now = self._clock.now()
        replay_for = timedelta(seconds=self._inquiry.replay_for_s)
        oldest = max(now - replay_for, self._ledger.adopted_at)
        calls = self._ledger.runs.calls(self._campaign.id)
        carried: dict[int, list[CallRecord]] = defaultdict(list)
        for call in calls:
            for member in call.members:
                carried[member].append(call)
        return [
            call
            for call in calls
            if (call.transport, call.place) == self._way
            and oldest < call.first_at <= now
            and all(self._is_wanted(member) for member in call.members)
            and not any(
                _follows(other, call) for member in call.members for other in carried[member]
            )
        ]

    def _is_wanted(self, member: int) -> bool:
        doubt = self._doubts.get(member)
        return doubt is not None and not self._has_left(doubt.recipient)

    def _repeat(self, call: CallRecord) -> int:
        members = [self._doubts[member] for member in call.members]
        messages = self._composed(members)
        if len(messages) != len(members):
            return 0
        return self._record(self._inquiry.replay(list(messages), Call(call.key, call.digest)),
                            messages)  # fmt: skip

    def _ask(self) -> int:
        """Ask about one after the other, and keep each answer at once: there may be many."""
        messages = self._composed(list(self._doubts.values()))
        return sum(
            self._record(self._inquiry.search([message]), {message: doubt})
            for message, doubt in messages.items()
        )

    def _composed(self, doubts: Sequence[Claim]) -> dict[Message, Claim]:
        messages = {}
        for doubt in doubts:
            try:
                message = self._compose(doubt.recipient, doubt.date, doubt.version)
            except Uncomposable:
                continue
            messages[message] = doubt
        return messages

    def _record(self, known: Mapping[str, Accepted], messages: Mapping[Message, Claim]) -> int:
        settled = 0
        for message, doubt in messages.items():
            accepted = known.get(message.message_id)
            if accepted is None:
                continue
            with self._ledger.transaction():
                was_in_doubt = self._ledger.deliveries.evidence(
                    doubt.id, accepted.reply, accepted.provider_id, self._clock.now()
                )
            if was_in_doubt:
                self._doubts.pop(doubt.id)
                settled += 1
        return settled


def _follows(other: CallRecord, call: CallRecord) -> bool:
    """Whether ``other``, which carried one of the same people, was not made before ``call``."""
    return other.key != call.key and other.first_at >= call.first_at
