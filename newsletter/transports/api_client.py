"""Calls to a provider: one after the other, repeated only under an idempotency key.

This is the one place where a transport repeats a request and waits in between: the
same bytes under the same key, for half of the key's lifetime at most, and searches
after HTTP status 429. Everything else is retried by the ledger's schedule.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from newsletter.clock import Clock
from newsletter.errors import TransportStopped, Where
from newsletter.transports.api_result import Ambiguous, ApiResult, Each, Later, Stop, Taken
from newsletter.transports.http import HttpClient, NoResponse, NotSent
from newsletter.transports.http_values import Request, Response, retry_after_s
from newsletter.transports.protocol import Accepted, Call, InDoubt, Outcome
from newsletter.transports.provider import ApiMessage, Provider, call_key
from newsletter.transports.redaction import Redactor
from newsletter.transports.verification import redacted, verified

_WAITS_S = (1.0, 3.0, 9.0, 27.0)
"""Pauses before the same bytes are sent again under a key, in seconds."""
_LONGEST_S = 60.0
"""If the provider asks for a longer pause, the call is not repeated; in seconds."""
_SEARCH_ATTEMPTS = 5
"""Search attempts after HTTP status 429."""
_SEARCH_PAUSE_S = 10.0
"""The pause between them, if the response names none, in seconds."""
_REQUEST_IDS = ("x-request-id", "x-amzn-requestid", "x-mj-request-guid", "cf-ray")
"""Headers by which a provider's support finds a call."""


class ApiClient:
    """One connection to a provider's API.

    Args:
        provider: makes the requests and reads the responses.
        client: the connection.
        clock: waits between repeats.
        secrets: are removed from the provider's words.
    """

    def __init__(
        self, provider: Provider[Any], client: HttpClient, clock: Clock, *, secrets: Sequence[str]
    ) -> None:
        self.provider = provider
        self._http = client
        self._clock = clock
        self._keys = tuple(secrets)
        self._secrets = Redactor(secrets)

    def prepare(self, messages: Sequence[ApiMessage]) -> tuple[Request, Call]:
        """The request for a group, and the record of it."""
        key = call_key([message.message for message in messages])
        request = self.provider.request(messages, key)
        return request, Call(key, digest(request))

    def send_once(self, request: Request, messages: Sequence[ApiMessage]) -> ApiResult:
        """Make one call; the result is verified against ``messages`` and without secrets."""
        # A signature is a secret, too, and differs each time.
        secrets = Redactor([*self._keys, request.proof]) if request.proof else self._secrets
        return redacted(self._send_once(request, messages), secrets.redact)

    def _send_once(self, request: Request, messages: Sequence[ApiMessage]) -> ApiResult:
        try:
            response = self._http.send(request)
        except NotSent as error:
            stopped = self.unreachable(error)
            return Stop(stopped.what, stopped.next)
        except NoResponse as error:
            return Ambiguous(f"No answer came: {error}.")
        result = verified(
            self.provider.read(response, messages), messages, title=self.provider.title
        )
        if isinstance(result, Later) and result.retry_after_s is None:
            asked = retry_after_s(response.headers, now=self._clock.now(), value=response.json())
            return replace(result, retry_after_s=asked)
        if isinstance(result, Ambiguous) and (name := _request_id(response)):
            return replace(result, reason=f"{result.reason} Their id of the call: {name}.")
        return result

    def search(self, message: ApiMessage) -> Response:
        """Ask for one message, as :meth:`ask`."""
        return self.ask(self.provider.search(message))

    def ask(self, request: Request, *, attempts: int = _SEARCH_ATTEMPTS) -> Response:
        """Ask for what is known, and again after a pause if that was too fast.

        Args:
            request: the question.
            attempts: how often it is asked at the most, 1 or more.

        Raises:
            TransportStopped: no answer comes.
        """
        for attempt in range(1, attempts + 1):
            try:
                response = self._http.send(request)
            except (NotSent, NoResponse) as error:
                raise self.unreachable(error) from None
            if response.status != 429 or attempt == attempts:
                break
            asked = retry_after_s(response.headers, now=self._clock.now(), value=response.json())
            self._clock.sleep(min(asked or _SEARCH_PAUSE_S, _LONGEST_S))
        return response

    def found(self, response: Response, message: ApiMessage) -> Accepted | None:
        """What a response to :meth:`search` proves."""
        found = self.provider.found(response, message)
        if found is None:
            return None
        known = found.provider_id and self._secrets.redact(found.provider_id)
        return Accepted(self._secrets.redact(found.reply), known)

    def exchange(
        self, request: Request, messages: Sequence[ApiMessage], permit: Callable[[], bool]
    ) -> ApiResult:
        """Make a call, and repeat the same bytes under the same key while its end is unknown.

        After a missed response only an acceptance counts: a later refusal says
        nothing about the call before it. No call is repeated after half of the key's
        lifetime: under a key that the provider forgot, everybody would be mailed twice.
        """
        missed: Ambiguous | None = None
        until = self._clock.monotonic() + self.provider.key_lifetime_s / 2
        for wait_s in (*_WAITS_S, None):
            result = self.send_once(request, messages)
            match result:
                case Taken():
                    return result
                case Each():
                    if missed is None:
                        return result
                    reason = missed.reason
                    return Each([_if_accepted(each, reason) for each in result.results])
                case Ambiguous():
                    missed = missed or result
                    if result.final or not self.provider.key_lifetime_s:
                        return result
                case _ if missed is None:
                    return result
            pause_s = _pause_s(result, wait_s)
            if pause_s is None:
                break
            self._clock.sleep(pause_s)
            if not permit() or self._clock.monotonic() > until:
                break
        assert missed is not None  # else the loop has returned
        return missed

    def unreachable(self, error: Exception) -> TransportStopped:
        """The error for a provider that does not answer."""
        return TransportStopped(
            f"{self.provider.title} cannot be reached: {self._secrets.redact(str(error))}.",
            where=Where(item=self.provider.title),
            next="Check this machine's connection, then run “newsletter resume ISSUE”.",
        )

    def close(self) -> None:
        """End the connection. Never raises."""
        self._http.close()


def _request_id(response: Response) -> str | None:
    names = (response.headers.get(name, "") for name in _REQUEST_IDS)
    return next((name for name in names if re.fullmatch(r"[\w:.=+/-]{4,80}", name, re.ASCII)), None)


def digest(request: Request) -> str:
    """SHA-256 of a request's body, in hex: the same for the same messages."""
    return hashlib.sha256(request.body).hexdigest()


def acceptances(taken: Taken, count: int) -> Sequence[Outcome]:
    """The outcome of each message of a call that was accepted as a whole."""
    if taken.ids is None:
        return [Accepted(taken.reply)] * count
    return [Accepted(taken.reply, known) for known in taken.ids]


def _pause_s(result: ApiResult, wait_s: float | None) -> float | None:
    """How long to wait before the call is repeated, in seconds; None: it is not."""
    if wait_s is None or not isinstance(result, Later) or result.retry_after_s is None:
        return wait_s
    return result.retry_after_s if result.retry_after_s <= _LONGEST_S else None


def _if_accepted(outcome: Outcome, missed: str) -> Outcome:
    return outcome if isinstance(outcome, Accepted) else InDoubt(missed)
