"""Sending through a provider's HTTP API: what all providers have in common.

One call after the other, each durable in the ledger before it is made, and
none ever repeated unless the provider knows it by its idempotency key. What is
a provider's own (request, answers, limits) comes from its
:class:`newsletter.transports.provider.Provider`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any
from urllib.parse import urlsplit

from newsletter.clock import Clock
from newsletter.errors import ConfigError, Where
from newsletter.message.model import Message
from newsletter.transports.batches import Batch, Refusals
from newsletter.transports.calls import Calls
from newsletter.transports.http import HttpClient
from newsletter.transports.inquiry import ApiInquiry
from newsletter.transports.protocol import Allowance, Journal, Rejected
from newsletter.transports.provider import ApiMessage, Provider, call_key

_SINGLES_AT_A_TIME = 20
"""How many messages are claimed together where each is a call of its own."""


class ApiTransport:
    """An account at a provider.

    Args:
        provider: what is the provider's own.
        timeout_s: how long to wait for an answer, as a whole, in seconds.
        clock: waits between repeats.
        secrets: the account's keys, which no word of the provider may bring back.

    Raises:
        ConfigError: the API's address would let the key travel in the open.
    """

    notices = ()

    def __init__(
        self, provider: Provider[Any], *, timeout_s: float, clock: Clock, secrets: Collection[str]
    ) -> None:
        address = urlsplit(provider.base_url)
        if address.scheme != "https" and address.hostname not in {"127.0.0.1", "::1", "localhost"}:
            raise ConfigError(
                "base_url must start with https://, or the API key would travel in the open.",
                where=Where("newsletter.toml", item=f"[{provider.name}]"),
                next="Take base_url out; the default is right.",
            )
        self._provider = provider
        self._timeout_s = timeout_s
        self._clock = clock
        self._secrets = tuple(secrets)

    @property
    def name(self) -> str:
        """The word in newsletter.toml."""
        return self._provider.name

    @property
    def place(self) -> str:
        """Provider and endpoint."""
        return f"{self._provider.name} {urlsplit(self._provider.base_url).netloc}"

    @property
    def batch_size(self) -> int:
        """How many messages one call of ``deliver`` takes at the most."""
        return max(self._provider.batch_size, _SINGLES_AT_A_TIME)

    @property
    def allowance(self) -> Allowance:
        """What the provider documents."""
        return self._provider.allowance

    def open(self) -> ApiSession:
        """Start a session; it connects at its first call."""
        return ApiSession(self._calls())

    def examine(self, message: Message) -> None:
        """Make the request that would carry it, and none of it leaves.

        Raises:
            ConfigError: the letter holds what the provider cannot take.
        """
        self._provider.request([self._provider.message(message)], call_key([message]))

    def inquire(self) -> ApiInquiry | None:
        """Start an inquiry; None where the provider can be asked nothing."""
        if not self._provider.key_lifetime_s and not self._provider.can_search:
            return None
        return ApiInquiry(self._calls())

    def close(self) -> None:
        """Sessions share nothing that must be released."""

    def _calls(self) -> Calls:
        client = HttpClient(self._provider.base_url, timeout_s=self._timeout_s, clock=self._clock)
        return Calls(self._provider, client, self._clock, secrets=self._secrets)


class ApiSession:
    """One connection's work."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self._provider = calls.provider
        self._letter_is_taken = False

    def deliver(self, messages: Sequence[Message], journal: Journal) -> None:
        """Hand over ``messages``, as many a call as the provider takes.

        Raises:
            TransportStopped: the provider cannot be reached, does not answer, or
                takes nothing more from this account.
            ConfigError: the letters hold what it cannot take.
        """
        letters = []
        for message in messages:
            if message.envelope_to.needs_smtputf8 and not self._provider.takes_smtputf8:
                journal.record(
                    message,
                    Rejected(f"{self._provider.title} takes no addresses with non-ASCII letters."),
                )
            else:
                letters.append(self._provider.message(message))
        refusals = Refusals(
            journal, of_readers=self._letter_is_taken, singly=self._provider.batch_size == 1
        )
        try:
            for group in _chunks(letters, self._provider.batch_size):
                if not Batch(self._calls, journal, refusals).hand_over(group):
                    return
        finally:
            refusals.close()
            self._letter_is_taken = refusals.of_readers

    def close(self) -> None:
        """End the connection. Never raises."""
        self._calls.close()


def _chunks(letters: Sequence[ApiMessage], size: int) -> Iterator[Sequence[ApiMessage]]:
    for start in range(0, len(letters), size):
        yield letters[start : start + size]
