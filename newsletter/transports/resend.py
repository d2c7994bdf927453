"""The provider Resend: batches over HTTP, each with an idempotency key.

Resend remembers a key and its answer for 24 hours, so that the same bytes with
the same key can be sent again after an ambiguous failure without mailing
anybody twice. The key follows from the messages' Message-IDs alone: whoever
sends the same batch again, after a crash too, sends the same key.

One POST takes a batch whole or not at all (``x-batch-validation: strict``).
"""

from __future__ import annotations

import hashlib
import re
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from email.headerregistry import Address as Named
from urllib.parse import urlsplit

from newsletter.clock import Clock
from newsletter.config import Resend
from newsletter.errors import ConfigError, TransportStopped, Where
from newsletter.message.model import Message
from newsletter.transports.http import HttpClient, NeverLeft, NoAnswer, canonical_json
from newsletter.transports.protocol import (
    Accepted,
    Deferred,
    InDoubt,
    Journal,
    Outcome,
    Rejected,
    Scope,
)
from newsletter.transports.resend_answer import (
    Ambiguous,
    Later,
    Refused,
    Stop,
    Taken,
    Verdict,
    read_answer,
)

_WAITS_S = (1.0, 3.0, 9.0, 27.0)
"""Before each time that the same bytes are sent again."""
_LONGEST_WAIT_S = 30.0
"""Who asks for a longer pause gets the batch later, in another call."""
_REQUESTS_PER_SECOND = 2.0
"""Resend's default for a team; its answers may tell of another."""
_ALIKE = 3
"""So many refusals and nothing accepted: it is the letter, not its readers."""


class ResendTransport:
    """The account.

    Args:
        settings: where the API is, and how long to wait for it.
        api_key: the key; never shown, never logged.
        clock: paces the requests of all sessions and waits between repeats.

    Raises:
        ConfigError: the key or the address cannot be used.
    """

    name = "resend"
    batch_size = 100

    def __init__(self, settings: Resend, api_key: str, clock: Clock) -> None:
        where = Where("newsletter.toml", item="[resend]")
        if not api_key or not api_key.isascii() or not api_key.isprintable() or " " in api_key:
            raise ConfigError(
                "The API key for Resend is empty, or holds characters that no key has.",
                where=where,
                next="Copy it again, without spaces or line breaks around it.",
            )
        address = urlsplit(settings.base_url)
        if address.scheme != "https" and address.hostname not in {"127.0.0.1", "::1", "localhost"}:
            raise ConfigError(
                "base_url must start with https://, or the API key would travel in the open.",
                where=where,
                next="Take base_url out; the default is right.",
            )
        self._settings = settings
        self._api_key = api_key
        self._clock = clock
        self._turns = Turns(_REQUESTS_PER_SECOND, clock)

    def open(self) -> ResendSession:
        """Start a session; it connects at its first batch."""
        client = HttpClient(
            self._settings.base_url,
            headers={
                "Authorization": f"Bearer {self._api_key}",
                "User-Agent": "newsletter/0.1",
                "Accept": "application/json",
            },
            timeout_s=self._settings.timeout_s,
            clock=self._clock,
        )
        return ResendSession(client, self._turns, self._clock)

    def close(self) -> None:
        """Sessions share nothing that must be released."""


class Turns:
    """Spaces the starts of requests, over all sessions of an account."""

    def __init__(self, per_second: float, clock: Clock) -> None:
        self._interval = 1 / per_second
        self._clock = clock
        self._lock = threading.Lock()
        self._next = clock.monotonic()

    def take(self) -> None:
        """Wait for the next turn."""
        with self._lock:
            now = self._clock.monotonic()
            start = max(now, self._next)
            self._next = start + self._interval
        if start > now:
            self._clock.sleep(start - now)

    def learn(self, per_second: int) -> None:
        """Take the limit that an answer tells of, if it makes sense."""
        if 1 <= per_second <= 100:
            with self._lock:
                self._interval = 1 / per_second


@dataclass(frozen=True, slots=True)
class _Letter:
    """A message and what is sent of it, made before the attempt: a fault then harms nobody."""

    message: Message
    payload: dict[str, object]


class ResendSession:
    """One connection's work."""

    def __init__(self, client: HttpClient, turns: Turns, clock: Clock) -> None:
        self._client = client
        self._turns = turns
        self._clock = clock

    def deliver(self, messages: Sequence[Message], journal: Journal) -> None:
        """Hand over ``messages`` in one request, or in parts if some of them are refused.

        Raises:
            TransportStopped: Resend cannot be reached, does not answer, or takes
                nothing more from this account.
            ConfigError: the letters hold pictures or documents, which a batch
                would lose (https://resend.com/docs/api-reference/emails/send-batch-emails).
        """
        takeable = []
        for message in messages:
            if message.envelope_to.needs_smtputf8:
                journal.record(
                    message, Rejected("Resend takes no addresses with non-ASCII letters.")
                )
            else:
                takeable.append(_Letter(message, _payload(message)))
        if not takeable:
            return
        self._turns.take()
        if journal.attempt([letter.message for letter in takeable]).wait():
            _Batch(self._exchange, journal).hand_over(takeable)

    def close(self) -> None:
        """End the connection. Never raises."""
        self._client.close()

    def _exchange(self, letters: Sequence[_Letter]) -> Verdict:
        """Send one group, and again with the same bytes and key while nobody knows.

        Once an answer was missed, only an acceptance is believed: a later
        refusal says nothing about the request before it.
        """
        body = canonical_json([letter.payload for letter in letters])
        key = idempotency_key([letter.message for letter in letters])
        missed: Ambiguous | None = None
        for wait_s in (*_WAITS_S, None):
            verdict = self._ask(body, key)
            if isinstance(verdict, Taken):
                return verdict
            if isinstance(verdict, Ambiguous):
                missed = missed or verdict
                if verdict.final:
                    return verdict
            elif missed is None and not isinstance(verdict, Later):
                return verdict
            pause_s = wait_s
            if isinstance(verdict, Later) and pause_s is not None:
                pause_s = verdict.retry_after_s or pause_s
            if pause_s is None or pause_s > _LONGEST_WAIT_S:
                break
            self._clock.sleep(pause_s)
            self._turns.take()
        return missed or verdict

    def _ask(self, body: bytes, key: str) -> Verdict:
        try:
            answer = self._client.post(
                "/emails/batch",
                body,
                headers={"Idempotency-Key": key, "x-batch-validation": "strict"},
            )
        except NeverLeft as error:
            return Stop(
                f"Resend cannot be reached: {error}.",
                "Check this machine's connection, then run “newsletter resume ISSUE”.",
            )
        except NoAnswer as error:
            return Ambiguous(f"No answer came: {error}.")
        limit = answer.headers.get("ratelimit-limit", "")
        if re.fullmatch("[0-9]{1,3}", limit):
            self._turns.learn(int(limit))
        return read_answer(answer, now=self._clock.now())


_Exchange = Callable[[Sequence[_Letter]], Verdict]


class _Batch:
    """Brings one attempted batch to an end, in parts where Resend refuses it whole."""

    def __init__(self, exchange: _Exchange, journal: Journal) -> None:
        self._exchange = exchange
        self._journal = journal
        self._waiting: deque[Sequence[_Letter]] = deque()
        self._refused: list[tuple[Message, str]] = []
        self._accepted = False

    def hand_over(self, letters: Sequence[_Letter]) -> None:
        """Send, and record an outcome for each.

        Raises:
            TransportStopped: as the session's ``deliver``.
        """
        self._waiting.append(letters)
        try:
            while self._waiting:
                group = self._waiting.popleft()
                self._settle(group, self._exchange(group))
        finally:
            scope = Scope.CAMPAIGN if self._is_the_letter() else Scope.RECIPIENT
            for message, reply in self._refused:
                self._journal.record(message, Rejected(reply, scope))

    def _settle(self, group: Sequence[_Letter], verdict: Verdict) -> None:
        match verdict:
            case Taken():
                self._accepted = True
                self._record_taken(group, verdict)
            case Refused() if len(group) > 1 and not self._is_the_letter():
                # Nothing of it was accepted, so its halves may go on their own.
                half = len(group) // 2
                self._waiting.extendleft([group[half:], group[:half]])
            case Refused():
                self._refused += [(letter.message, verdict.reply) for letter in group]
            case Later():
                self._end(group, Deferred(verdict.reply, Scope.ACCOUNT, verdict.retry_after_s))
            case Stop():
                self._end(group, Deferred(verdict.reply, Scope.ACCOUNT))
                raise TransportStopped(verdict.reply, where=Where(item="Resend"), next=verdict.next)
            case Ambiguous():
                for letter in group:
                    self._journal.record(letter.message, InDoubt(verdict.reason))
                self._end((), Deferred("Resend stopped answering.", Scope.ACCOUNT))
                raise TransportStopped(
                    f"Resend did not say what became of {len(group)} messages: {verdict.reason}",
                    where=Where(item="Resend"),
                    next="They are kept as in doubt. Wait a while, then run "
                    "“newsletter resume ISSUE” for all others.",
                )

    def _record_taken(self, group: Sequence[_Letter], taken: Taken) -> None:
        ids = taken.ids
        if ids is not None and len(ids) > len(group):
            ids = None  # whose is whose cannot be told
        for index, letter in enumerate(group):
            if ids is None:
                outcome: Outcome = Accepted(taken.reply)
            elif index < len(ids):
                outcome = Accepted(taken.reply, ids[index])
            else:
                outcome = InDoubt(f"Resend answered for {len(ids)} of {len(group)} messages.")
            self._journal.record(letter.message, outcome)

    def _end(self, group: Sequence[_Letter], outcome: Deferred) -> None:
        """Nothing more will be sent: this group and all that wait were not taken."""
        self._waiting.appendleft(group)
        for each in self._waiting:
            for letter in each:
                self._journal.record(letter.message, outcome)
        self._waiting.clear()

    def _is_the_letter(self) -> bool:
        """Whether all would be refused alike, for what they have in common."""
        return (
            not self._accepted
            and len(self._refused) >= _ALIKE
            and not any("`to`" in reply for _, reply in self._refused)
        )


def idempotency_key(messages: Sequence[Message]) -> str:
    """The key of a batch: the same messages in the same order, the same key."""
    ids = "\n".join(message.message_id for message in messages)
    return f"newsletter-{hashlib.sha256(ids.encode()).hexdigest()}"


def _payload(message: Message) -> dict[str, object]:
    content = message.as_content()
    if content.enclosures:
        raise ConfigError(
            "Resend takes no files with a batch of mails, and these hold pictures or documents.",
            where=Where("newsletter.toml", item="[delivery] transport"),
            next="Send them by the way they were made for, such as a relay (smtp). For the next "
            "issue write pictures = “hosted” and downloads = “link” under [mail].",
        )
    payload: dict[str, object] = {
        "from": _mailbox(content.from_name, content.from_address),
        "to": [_mailbox(content.to_name, content.to_address)],
        "subject": content.subject,
        "html": content.html,
        "text": content.text,
        "headers": dict(content.headers),
    }
    if content.reply_to:
        payload["reply_to"] = [content.reply_to]
    return payload


def _mailbox(name: str, address: str) -> str:
    """``"Lind, Anna" <anna@a.example>``, quoted where RFC 5322 asks for it."""
    local, _, domain = address.rpartition("@")
    return str(Named(display_name=name, username=local, domain=domain))
