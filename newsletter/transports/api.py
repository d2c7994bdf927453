"""Sending through a provider's HTTP API, and asking it about messages in doubt.

Calls are made one after the other. Each is durable in the ledger before it is made,
and repeated only under an idempotency key. The provider's own requests, responses
and limits come from its :class:`newsletter.transports.provider.Provider`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import closing
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from newsletter.clock import Clock
from newsletter.errors import ConfigError, TransportStopped, Where
from newsletter.message.model import Message
from newsletter.transports.api_client import ApiClient, acceptances, digest
from newsletter.transports.api_result import Each, Stop, Taken
from newsletter.transports.batches import Batch, Refusals
from newsletter.transports.http import HttpClient
from newsletter.transports.http_values import Request, objects_at
from newsletter.transports.protocol import Accepted, Allowance, Call, Journal, Outcome, Rejected
from newsletter.transports.provider import ApiMessage, Provider, call_key

_MOST_PAGES = 200
"""Of one kind of events that are read at a time."""
_SINGLES_AT_A_TIME = 20
"""How many messages a session takes together if each is a call of its own."""


class ApiTransport:
    """An account at a provider.

    Args:
        provider: what is the provider's own.
        timeout_s: for a whole response, in seconds.
        clock: waits between repeats.
        secrets: the account's keys, which are removed from the provider's words.

    Raises:
        ConfigError: the API's address would send the key unencrypted.
    """

    notices = ()

    def __init__(
        self, provider: Provider[Any], *, timeout_s: float, clock: Clock, secrets: Collection[str]
    ) -> None:
        address = urlsplit(provider.base_url)
        if address.scheme != "https" and address.hostname not in {"127.0.0.1", "::1", "localhost"}:
            raise ConfigError(
                "base_url must start with https://, or the API key would be sent unencrypted.",
                where=Where("newsletter.toml", item=f"[{provider.name}]"),
                next="Remove base_url; the default is right.",
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
        return ApiSession(self._connect())

    def examine(self, message: Message) -> None:
        """Build the request that would carry it, without sending it.

        Raises:
            ConfigError: the message contains something that the provider cannot take.
        """
        self._provider.request([self._provider.message(message)], call_key([message]))

    def status_lookup(self) -> ApiStatusLookup | None:
        """Start a status lookup; None if the provider offers none."""
        if not self._provider.key_lifetime_s and not self._provider.can_search:
            return None
        return ApiStatusLookup(self._connect())

    @property
    def lists_events(self) -> bool:
        """Whether it can be asked what happened since a time."""
        return bool(self._provider.events_listed)

    def events_since(self, since: datetime) -> Iterator[list[Mapping[str, Any]]]:
        """What the provider tells of since a time, page by page; some of it from before.

        Raises:
            TransportStopped: it does not answer, does not let this key ask, or does not come to
                an end.
        """
        provider = self._provider
        since -= provider.events_overlap
        is_endless = False
        with closing(self._connect()) as client:
            for kind in provider.events_of:
                request: Request | None = provider.events(since, kind, 0)
                for page in range(1, _MOST_PAGES + 1):
                    assert request is not None
                    response = client.ask(request, attempts=1)
                    rows = response.json()
                    if response.status != 200 or not isinstance(rows, dict):
                        raise self._no_events(f"answered {response.status}")
                    # An object without anything is how some tell that there are none.
                    if rows and not isinstance(rows.get(provider.events_listed), list):
                        raise self._no_events("listed none, and said something else")
                    listed = objects_at(rows, provider.events_listed)
                    yield [provider.event(row) for row in listed]
                    request = provider.more_events(since, kind, page, response)
                    if request is None:
                        break
                else:
                    is_endless = True  # the other kinds are read all the same
        if is_endless:
            raise self._no_events(f"lists more than {_MOST_PAGES} pages of a kind")

    def _no_events(self, why: str) -> TransportStopped:
        return TransportStopped(
            f"{self._provider.title} cannot be asked for events: it {why}.",
            where=Where(item=self._provider.title),
            next="Give the key the right to read events. An export of them can be read with "
            "“newsletter reconcile ISSUE --events FILE”.",
        )

    def close(self) -> None:
        """Sessions share nothing."""

    def _connect(self) -> ApiClient:
        client = HttpClient(self._provider.base_url, timeout_s=self._timeout_s, clock=self._clock)
        return ApiClient(self._provider, client, self._clock, secrets=self._secrets)


class ApiSession:
    """Hands over messages over one connection."""

    def __init__(self, client: ApiClient) -> None:
        self._client = client
        self._provider = client.provider
        self._message_is_accepted = False

    def deliver(self, messages: Sequence[Message], journal: Journal) -> None:
        """Hand over ``messages``, as many a call as the provider takes.

        Raises:
            TransportStopped: the provider cannot be reached, does not answer, or
                takes nothing more from this account.
            ConfigError: a message contains something that it cannot take.
        """
        sendable = []
        for message in messages:
            if message.envelope_to.needs_smtputf8 and not self._provider.takes_smtputf8:
                journal.record(
                    message,
                    Rejected(f"{self._provider.title} takes no addresses with non-ASCII letters."),
                )
            else:
                sendable.append(self._provider.message(message))
        refusals = Refusals(
            journal, of_recipients=self._message_is_accepted, singly=self._provider.batch_size == 1
        )
        try:
            for group in _chunks(sendable, self._provider.batch_size):
                if not Batch(self._client, journal, refusals).hand_over(group):
                    return
        finally:
            refusals.close()
            self._message_is_accepted = refusals.of_recipients

    def close(self) -> None:
        """End the connection. Never raises."""
        self._client.close()


def _chunks(messages: Sequence[ApiMessage], size: int) -> Iterator[Sequence[ApiMessage]]:
    for start in range(0, len(messages), size):
        yield messages[start : start + size]


class ApiStatusLookup:
    """Asks the provider about messages in doubt."""

    def __init__(self, client: ApiClient) -> None:
        self._client = client
        self._provider = client.provider
        self._too_fast = False

    @property
    def replay_for_s(self) -> float:
        """Half of the key's lifetime: the provider's clock and ours may differ."""
        return self._provider.key_lifetime_s / 2

    def replay(self, messages: Sequence[Message], call: Call) -> Mapping[str, Accepted]:
        """See :class:`newsletter.transports.protocol.StatusLookup`."""
        api_messages = [self._provider.message(message) for message in messages]
        request = self._provider.request(api_messages, call.key)
        # The key changes when a person mails somebody again; the body may not.
        if call_key(messages) != call.key or digest(request) != call.digest:
            return {}
        result = self._client.send_once(request, api_messages)
        if isinstance(result, Stop):
            raise TransportStopped(
                result.reply, where=Where(item=self._provider.title), next=result.next
            )
        results: Sequence[Outcome] = ()
        if isinstance(result, Taken):
            results = acceptances(result, len(api_messages))
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
        """See :class:`newsletter.transports.protocol.StatusLookup`."""
        known: dict[str, Accepted] = {}
        for message in messages:
            if self._too_fast:
                break  # the rest stay in doubt
            api_message = self._provider.message(message)
            response = self._client.search(api_message)
            if response.status in {401, 403}:
                raise TransportStopped(
                    f"{self._provider.title} does not let this key search "
                    f"(HTTP status {response.status}).",
                    where=Where(item=self._provider.title),
                    next="Give the key the right to read, or decide with “newsletter resolve”.",
                )
            self._too_fast = response.status == 429
            if (accepted := self._client.found(response, api_message)) is not None:
                known[message.message_id] = accepted
        return known

    def close(self) -> None:
        """End the connection. Never raises."""
        self._client.close()
