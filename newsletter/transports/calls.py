"""Calls to a provider: one after the other, repeated only where a key makes that safe."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from newsletter.clock import Clock
from newsletter.errors import TransportStopped, Where
from newsletter.transports.answers import Ambiguous, ApiResult, Each, Later, Stop, Taken
from newsletter.transports.belief import believed, worded
from newsletter.transports.http import HttpClient, NeverLeft, NoAnswer
from newsletter.transports.http_values import Answer, Request, retry_after_s
from newsletter.transports.protocol import Accepted, Call, InDoubt, Outcome
from newsletter.transports.provider import ApiMessage, Provider, call_key
from newsletter.transports.words import Secrets

_WAITS_S = (1.0, 3.0, 9.0, 27.0)
"""Before each time that the same bytes are sent again, under a key."""
_LONGEST_S = 60.0
"""A longer pause asked for, before the same bytes may go again, is not waited for."""
_PATIENCE = 5
"""How often one letter is asked for, where the answer is that it was too fast."""
_PAUSE_S = 10.0
"""The pause then, if the answer names none."""
_NAMES = ("x-request-id", "x-amzn-requestid", "x-mj-request-guid", "cf-ray")
"""Headers by which a provider's support finds a call again."""


class Calls:
    """What one connection to a provider is asked.

    Args:
        provider: how it is asked, and what its answers mean.
        client: the connection.
        clock: waits between repeats.
        secrets: what no word of the provider may bring back.
    """

    def __init__(
        self, provider: Provider[Any], client: HttpClient, clock: Clock, *, secrets: Sequence[str]
    ) -> None:
        self.provider = provider
        self._client = client
        self._clock = clock
        self._keys = tuple(secrets)
        self._secrets = Secrets(secrets)

    def prepare(self, letters: Sequence[ApiMessage]) -> tuple[Request, Call]:
        """The request for a group, and how it is known."""
        key = call_key([letter.message for letter in letters])
        request = self.provider.request(letters, key)
        return request, Call(key, digest(request))

    def once(self, request: Request, letters: Sequence[ApiMessage]) -> ApiResult:
        """Make one call and say what came of it, as far as it can be believed."""
        # A signature proves who asks, too, and is another one each time.
        secrets = Secrets([*self._keys, request.proof]) if request.proof else self._secrets
        return worded(self._once(request, letters), secrets.said)

    def _once(self, request: Request, letters: Sequence[ApiMessage]) -> ApiResult:
        try:
            answer = self._client.send(request)
        except NeverLeft as error:
            stopped = self.unreachable(error)
            return Stop(stopped.what, stopped.next)
        except NoAnswer as error:
            return Ambiguous(f"No answer came: {error}.")
        result = believed(self.provider.read(answer, letters), letters, title=self.provider.title)
        if isinstance(result, Later) and result.retry_after_s is None:
            asked = retry_after_s(answer.headers, now=self._clock.now(), value=answer.json())
            return replace(result, retry_after_s=asked)
        if isinstance(result, Ambiguous) and (name := _their_name(answer)):
            return replace(result, reason=f"{result.reason} Their name for the call: {name}.")
        return result

    def search(self, letter: ApiMessage) -> Answer:
        """Ask for one letter, and again after a pause where that was too fast.

        Raises:
            TransportStopped: no answer comes.
        """
        request = self.provider.search(letter)
        for _ in range(_PATIENCE):
            try:
                answer = self._client.send(request)
            except (NeverLeft, NoAnswer) as error:
                raise self.unreachable(error) from None
            if answer.status != 429:
                break
            asked = retry_after_s(answer.headers, now=self._clock.now(), value=answer.json())
            self._clock.sleep(min(asked or _PAUSE_S, _LONGEST_S))
        return answer

    def found(self, answer: Answer, letter: ApiMessage) -> Accepted | None:
        """What an answer to :meth:`search` proves."""
        found = self.provider.found(answer, letter)
        if found is None:
            return None
        known = found.provider_id and self._secrets.said(found.provider_id)
        return Accepted(self._secrets.said(found.reply), known)

    def exchange(
        self, request: Request, letters: Sequence[ApiMessage], leave: Callable[[], bool]
    ) -> ApiResult:
        """Make a call, and again with the same bytes and key while nobody knows.

        Once an answer was missed, only an acceptance is believed: a later
        refusal says nothing about the call before it. None is made after half
        of the key's life: timeouts and pauses can take long, and a key that is
        forgotten would have everybody mailed twice.
        """
        missed: Ambiguous | None = None
        until = self._clock.monotonic() + self.provider.key_lifetime_s / 2
        for wait_s in (*_WAITS_S, None):
            result = self.once(request, letters)
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
            if not leave() or self._clock.monotonic() > until:
                break
        assert missed is not None  # else the loop has returned
        return missed

    def unreachable(self, error: Exception) -> TransportStopped:
        """The error for a provider that does not answer."""
        return TransportStopped(
            f"{self.provider.title} cannot be reached: {self._secrets.said(str(error))}.",
            where=Where(item=self.provider.title),
            next="Check this machine's connection, then run “newsletter resume ISSUE”.",
        )

    def close(self) -> None:
        """End the connection. Never raises."""
        self._client.close()


def _their_name(answer: Answer) -> str | None:
    names = (answer.headers.get(name, "") for name in _NAMES)
    return next((name for name in names if re.fullmatch(r"[\w:.=+/-]{4,80}", name, re.ASCII)), None)


def digest(request: Request) -> str:
    """What tells whether two requests carry the same."""
    return hashlib.sha256(request.body).hexdigest()


def spread(taken: Taken, count: int) -> Sequence[Outcome]:
    """One acceptance each."""
    if taken.ids is None:
        return [Accepted(taken.reply)] * count
    return [Accepted(taken.reply, known) for known in taken.ids]


def _pause_s(result: ApiResult, wait_s: float | None) -> float | None:
    """How long to wait before the same bytes go again; None: not at all."""
    if wait_s is None or not isinstance(result, Later) or result.retry_after_s is None:
        return wait_s
    return result.retry_after_s if result.retry_after_s <= _LONGEST_S else None


def _if_accepted(outcome: Outcome, missed: str) -> Outcome:
    return outcome if isinstance(outcome, Accepted) else InDoubt(missed)
