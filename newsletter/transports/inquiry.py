"""Asking a provider what became of letters that are in doubt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from newsletter.errors import TransportStopped, Where
from newsletter.message.model import Message
from newsletter.transports.answers import Each, Stop, Taken
from newsletter.transports.calls import Calls, digest, spread
from newsletter.transports.protocol import Accepted, Call, Outcome
from newsletter.transports.provider import call_key


class ApiInquiry:
    """Asks the provider about what is in doubt."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self._provider = calls.provider
        self._too_fast = False

    @property
    def replay_for_s(self) -> float:
        """Half of the key's life: their clock and ours may differ."""
        return self._provider.key_lifetime_s / 2

    def replay(self, messages: Sequence[Message], call: Call) -> Mapping[str, Accepted]:
        """See :class:`newsletter.transports.protocol.Inquiry`."""
        letters = [self._provider.message(message) for message in messages]
        request = self._provider.request(letters, call.key)
        # The key tells also who was mailed again since, which the body need not.
        if call_key(messages) != call.key or digest(request) != call.digest:
            return {}
        result = self._calls.once(request, letters)
        if isinstance(result, Stop):
            raise TransportStopped(
                result.reply, where=Where(item=self._provider.title), next=result.next
            )
        results: Sequence[Outcome] = ()
        if isinstance(result, Taken):
            results = spread(result, len(letters))
        elif isinstance(result, Each):
            results = result.results
        return {
            message.message_id: outcome
            for message, outcome in zip(messages, results, strict=False)
            if isinstance(outcome, Accepted)
        }

    @property
    def can_search(self) -> bool:
        """Whether the provider can be asked for a single message."""
        return self._provider.can_search

    def search(self, messages: Sequence[Message]) -> Mapping[str, Accepted]:
        """See :class:`newsletter.transports.protocol.Inquiry`."""
        known: dict[str, Accepted] = {}
        for message in messages:
            if self._too_fast:
                break  # of those that are left nothing is known, as before
            letter = self._provider.message(message)
            answer = self._calls.search(letter)
            if answer.status in {401, 403}:
                raise TransportStopped(
                    f"{self._provider.title} does not let this key search "
                    f"(HTTP status {answer.status}).",
                    where=Where(item=self._provider.title),
                    next="Give the key the right to read, or decide with “newsletter resolve”.",
                )
            self._too_fast = answer.status == 429
            if (accepted := self._calls.found(answer, letter)) is not None:
                known[message.message_id] = accepted
        return known

    def close(self) -> None:
        """End the connection. Never raises."""
        self._calls.close()
