"""Sending through a provider's HTTP API: what all providers have in common.

One call after the other, each durable in the ledger before it is made, and
none ever repeated unless the provider knows it by its idempotency key. What is
a provider's own (request, answers, limits) comes from its
:class:`newsletter.transports.vendor.Vendor`.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from urllib.parse import urlsplit

from newsletter.clock import Clock
from newsletter.errors import ConfigError, TransportStopped, Where
from newsletter.message.model import Message
from newsletter.transports.answers import Ambiguous, Each, Later, Refused, Stop, Taken, Verdict
from newsletter.transports.http import HttpClient, NeverLeft, NoAnswer, Request
from newsletter.transports.protocol import (
    Accepted,
    Allowance,
    Call,
    Deferred,
    InDoubt,
    Journal,
    Outcome,
    Rejected,
    Scope,
)
from newsletter.transports.vendor import Letter, Vendor, call_key

_WAITS_S = (1.0, 3.0, 9.0, 27.0)
"""Before each time that the same bytes are sent again, under a key."""
_ALIKE = 3
"""So many refusals and nothing accepted: it is the letter, not its readers."""
_SINGLES_AT_A_TIME = 20
"""How many messages are claimed together where each is a call of its own."""
_LONGEST_S = 60.0
"""A longer pause asked for, before the same bytes may go again, is not waited for."""
_NOT_AGAIN = Deferred("It was refused with others and not tried on its own.", retry_after_s=0)


class ApiTransport:
    """An account at a provider.

    Args:
        vendor: what is the provider's own.
        timeout_s: how long to wait for each piece of an answer, in seconds.
        clock: waits between repeats.

    Raises:
        ConfigError: the API's address would let the key travel in the open.
    """

    def __init__(self, vendor: Vendor, *, timeout_s: float, clock: Clock) -> None:
        address = urlsplit(vendor.base_url)
        if address.scheme != "https" and address.hostname not in {"127.0.0.1", "::1", "localhost"}:
            raise ConfigError(
                "base_url must start with https://, or the API key would travel in the open.",
                where=Where("newsletter.toml", item=f"[{vendor.name}]"),
                next="Take base_url out; the default is right.",
            )
        self._vendor = vendor
        self._timeout_s = timeout_s
        self._clock = clock

    @property
    def name(self) -> str:
        """The word in newsletter.toml."""
        return self._vendor.name

    @property
    def place(self) -> str:
        """Provider and endpoint."""
        return f"{self._vendor.name} {urlsplit(self._vendor.base_url).netloc}"

    @property
    def batch_size(self) -> int:
        """How many messages one call of ``deliver`` takes at the most."""
        return max(self._vendor.batch_size, _SINGLES_AT_A_TIME)

    @property
    def allowance(self) -> Allowance:
        """What the provider documents."""
        return self._vendor.allowance

    def open(self) -> ApiSession:
        """Start a session; it connects at its first call."""
        return ApiSession(self._vendor, self._client(), self._clock)

    def inquire(self) -> ApiInquiry | None:
        """Start an inquiry; None where the provider can be asked nothing."""
        if not self._vendor.key_lifetime_s and not self._vendor.can_search:
            return None
        return ApiInquiry(self._vendor, self._client())

    def close(self) -> None:
        """Sessions share nothing that must be released."""

    def _client(self) -> HttpClient:
        return HttpClient(self._vendor.base_url, timeout_s=self._timeout_s, clock=self._clock)


class ApiSession:
    """One connection's work."""

    def __init__(self, vendor: Vendor, client: HttpClient, clock: Clock) -> None:
        self._vendor = vendor
        self._client = client
        self._clock = clock

    def deliver(self, messages: Sequence[Message], journal: Journal) -> None:
        """Hand over ``messages``, as many a call as the provider takes.

        Raises:
            TransportStopped: the provider cannot be reached, does not answer, or
                takes nothing more from this account.
            ConfigError: the letters hold what it cannot take.
        """
        letters = []
        for message in messages:
            if message.envelope_to.needs_smtputf8 and not self._vendor.takes_smtputf8:
                journal.record(
                    message,
                    Rejected(f"{self._vendor.title} takes no addresses with non-ASCII letters."),
                )
            else:
                letters.append(Letter(message, self._vendor.name))
        refusals = _Refusals(journal)
        try:
            for group in _chunks(letters, self._vendor.batch_size):
                if not _Batch(self, journal, refusals).hand_over(group):
                    return
        finally:
            refusals.close()

    def close(self) -> None:
        """End the connection. Never raises."""
        self._client.close()

    @property
    def title(self) -> str:
        """The provider's name, for sentences."""
        return self._vendor.title

    def prepare(self, letters: Sequence[Letter]) -> tuple[Request, Call]:
        """The request for a group, and how it is known."""
        key = call_key([letter.message for letter in letters])
        request = self._vendor.request(letters, key)
        return request, Call(key, digest(request))

    def exchange(self, request: Request, letters: Sequence[Letter], journal: Journal) -> Verdict:
        """Make a call, and again with the same bytes and key while nobody knows.

        Once an answer was missed, only an acceptance is believed: a later
        refusal says nothing about the call before it.
        """
        missed: Ambiguous | None = None
        for wait_s in (*_WAITS_S, None):
            verdict = ask(self._client, self._vendor, request, letters)
            match verdict:
                case Taken():
                    return verdict
                case Each():
                    if missed is None:
                        return verdict
                    reason = missed.reason
                    return Each([_if_accepted(each, reason) for each in verdict.results])
                case Ambiguous():
                    missed = missed or verdict
                    if verdict.final or not self._vendor.key_lifetime_s:
                        return verdict
                case _ if missed is None:
                    return verdict
            pause_s = _pause_s(verdict, wait_s)
            if pause_s is None:
                break
            self._clock.sleep(pause_s)
            if not journal.leave():
                break
        assert missed is not None  # else the loop has returned
        return missed


class _Refusals:
    """Who was refused in one delivery, kept until it is plain whom that is to be blamed on.

    Over all calls of a delivery: where each carries one letter, a letter that
    is refused for all would else be blamed on each reader in turn.
    """

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._kept: list[tuple[Message, str]] = []
        self._of_readers = False

    def add(self, message: Message, reply: str, *, of_reader: bool) -> None:
        """One was refused; ``of_reader`` says that it is the address, not the letter."""
        self._kept.append((message, reply))
        if of_reader:
            self.blame_readers()

    def blame_readers(self) -> None:
        """Somebody was accepted, or refused for the address: it is not the letter."""
        self._of_readers = True
        self.close()

    @property
    def of_the_letter(self) -> bool:
        """Whether all would be refused alike, for what they have in common."""
        return not self._of_readers and len(self._kept) >= _ALIKE

    def close(self) -> None:
        """Record all that are kept."""
        scope = Scope.CAMPAIGN if self.of_the_letter else Scope.RECIPIENT
        for message, reply in self._kept:
            self._journal.record(message, Rejected(reply, scope))
        self._kept.clear()


class _Batch:
    """Brings one group to an end, in parts where the provider refuses it whole."""

    def __init__(self, session: ApiSession, journal: Journal, refusals: _Refusals) -> None:
        self._session = session
        self._journal = journal
        self._refusals = refusals
        self._waiting: deque[Sequence[Letter]] = deque()
        self._begun = False
        self._go_on = True

    def hand_over(self, letters: Sequence[Letter]) -> bool:
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
                verdict = self._session.exchange(request, group, self._journal)
                self._settle(group, verdict)
        return self._go_on and not self._refusals.of_the_letter

    def _may_go(self, group: Sequence[Letter]) -> Request | None:
        """The request, once there is leave to make it and the record is on disk.

        Made after leave came, which may take long: a signature holds for minutes.
        """
        if self._journal.leave():
            request, call = self._session.prepare(group)
            messages = [letter.message for letter in group]
            if self._journal.attempt(messages, call=call).wait():
                self._begun = True
                return request
        self._go_on = False
        self._leave_out(group)
        return None

    def _leave_out(self, group: Sequence[Letter]) -> None:
        """What was attempted as a part of what was refused whole is definitely not taken.

        What was never attempted goes back to the queue on its own.
        """
        if self._begun:
            for letter in group:
                self._journal.record(letter.message, _NOT_AGAIN)

    def _settle(self, group: Sequence[Letter], verdict: Verdict) -> None:
        title = self._session.title
        match verdict:
            case Taken():
                self._record_each(group, _spread(verdict, len(group)))
            case Each():
                self._record_each(group, verdict.results)
            case Refused():
                self._refuse(group, verdict)
            case Later():
                self._end(group, Deferred(verdict.reply, Scope.ACCOUNT, verdict.retry_after_s))
            case Stop():
                self._end(group, Deferred(verdict.reply, Scope.ACCOUNT))
                raise TransportStopped(verdict.reply, where=Where(item=title), next=verdict.next)
            case Ambiguous():
                for letter in group:
                    self._journal.record(letter.message, InDoubt(verdict.reason))
                self._end((), Deferred(f"{title} stopped answering.", Scope.ACCOUNT))
                raise TransportStopped(
                    f"{title} did not say what became of {len(group)} messages: {verdict.reason}",
                    where=Where(item=title),
                    next="They are kept as in doubt; “newsletter reconcile ISSUE” asks about them. "
                    "For all others: newsletter resume ISSUE",
                )

    def _refuse(self, group: Sequence[Letter], verdict: Refused) -> None:
        """Nothing of it was accepted, so its parts may go on their own."""
        blamed = [letter for n, letter in enumerate(group) if n in verdict.to_blame]
        if len(group) == 1 or self._refusals.of_the_letter:
            blamed = list(group)
        for each in blamed:
            self._refusals.add(each.message, verdict.reply, of_reader=verdict.of_reader)
        rest = [letter for letter in group if letter not in blamed]
        if blamed:
            if rest:
                self._waiting.appendleft(rest)
            return
        half = len(group) // 2
        self._waiting.extendleft([group[half:], group[:half]])

    def _record_each(self, group: Sequence[Letter], results: Sequence[Outcome]) -> None:
        if len(results) > len(group):
            results = ()
        missing = InDoubt(
            f"{self._session.title} did not answer for this one of {len(group)} messages."
        )
        for number, letter in enumerate(group):
            outcome = results[number] if number < len(results) else missing
            if isinstance(outcome, Accepted):
                self._refusals.blame_readers()
            if isinstance(outcome, Deferred | Rejected) and outcome.scope is not Scope.RECIPIENT:
                self._go_on = False
            self._journal.record(letter.message, outcome)

    def _end(self, group: Sequence[Letter], outcome: Deferred) -> None:
        """Nothing more will be sent: this group and all parts that wait were not taken."""
        self._go_on = False
        self._waiting.appendleft(group)
        for each in self._waiting:
            for letter in each:
                self._journal.record(letter.message, outcome)
        self._waiting.clear()


class ApiInquiry:
    """Asks the provider about what is in doubt."""

    def __init__(self, vendor: Vendor, client: HttpClient) -> None:
        self._vendor = vendor
        self._client = client

    @property
    def replay_for_s(self) -> float:
        """Half of the key's life: their clock and ours may differ."""
        return self._vendor.key_lifetime_s / 2

    def replay(self, messages: Sequence[Message], call: Call) -> Mapping[str, Accepted]:
        """See :class:`newsletter.transports.protocol.Inquiry`."""
        letters = [Letter(message, self._vendor.name) for message in messages]
        request = self._vendor.request(letters, call.key)
        if digest(request) != call.digest:
            return {}
        verdict = ask(self._client, self._vendor, request, letters)
        _raise_stop(verdict, self._vendor.title)
        results: Sequence[Outcome] = ()
        if isinstance(verdict, Taken):
            results = _spread(verdict, len(letters))
        elif isinstance(verdict, Each) and len(verdict.results) <= len(letters):
            results = verdict.results
        return {
            message.message_id: outcome
            for message, outcome in zip(messages, results, strict=False)
            if isinstance(outcome, Accepted)
        }

    @property
    def can_search(self) -> bool:
        """Whether the provider can be asked for a single message."""
        return self._vendor.can_search

    def search(self, messages: Sequence[Message]) -> Mapping[str, Accepted]:
        """See :class:`newsletter.transports.protocol.Inquiry`."""
        known: dict[str, Accepted] = {}
        for message in messages:
            letter = Letter(message, self._vendor.name)
            try:
                answer = self._client.send(self._vendor.search(letter))
            except (NeverLeft, NoAnswer) as error:
                raise _unreachable(self._vendor.title, error) from None
            if answer.status in {401, 403}:
                raise TransportStopped(
                    f"{self._vendor.title} does not let this key search "
                    f"(HTTP status {answer.status}).",
                    where=Where(item=self._vendor.title),
                    next="Give the key the right to read, or decide with “newsletter resolve”.",
                )
            if (accepted := self._vendor.found(answer, letter)) is not None:
                known[message.message_id] = accepted
        return known

    def close(self) -> None:
        """End the connection. Never raises."""
        self._client.close()


def ask(client: HttpClient, vendor: Vendor, request: Request, letters: Sequence[Letter]) -> Verdict:
    """Make one call and say what came of it."""
    try:
        return vendor.read(client.send(request), letters)
    except NeverLeft as error:
        stopped = _unreachable(vendor.title, error)
        return Stop(stopped.what, stopped.next)
    except NoAnswer as error:
        return Ambiguous(f"No answer came: {error}.")


def digest(request: Request) -> str:
    """What tells whether two requests carry the same."""
    return hashlib.sha256(request.body).hexdigest()


def _unreachable(title: str, error: Exception) -> TransportStopped:
    return TransportStopped(
        f"{title} cannot be reached: {error}.",
        where=Where(item=title),
        next="Check this machine's connection, then run “newsletter resume ISSUE”.",
    )


def _raise_stop(verdict: Verdict, title: str) -> None:
    if isinstance(verdict, Stop):
        raise TransportStopped(verdict.reply, where=Where(item=title), next=verdict.next)


def _pause_s(verdict: Verdict, wait_s: float | None) -> float | None:
    """How long to wait before the same bytes go again; None: not at all."""
    if wait_s is None or not isinstance(verdict, Later) or verdict.retry_after_s is None:
        return wait_s
    return verdict.retry_after_s if verdict.retry_after_s <= _LONGEST_S else None


def _if_accepted(outcome: Outcome, missed: str) -> Outcome:
    return outcome if isinstance(outcome, Accepted) else InDoubt(missed)


def _spread(taken: Taken, count: int) -> Sequence[Outcome]:
    """One acceptance each; whoever has no id although others have, is missing."""
    if taken.ids is None or len(taken.ids) > count:
        return [Accepted(taken.reply)] * count
    return [Accepted(taken.reply, known) for known in taken.ids]


def _chunks(letters: Sequence[Letter], size: int) -> Iterator[Sequence[Letter]]:
    for start in range(0, len(letters), size):
        yield letters[start : start + size]
