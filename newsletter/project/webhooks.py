"""Webhooks that the public log brought: opened, verified and applied, and each accounted for.

A webhook is removed in the last transaction of what it led to, and the same event twice is
one, so that a program that dies in between counts nothing twice and misses nothing.
"""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Collection, Mapping
from contextlib import closing
from datetime import timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

from newsletter.config import Secret
from newsletter.credentials import read_secret
from newsletter.errors import ConfigError
from newsletter.feedback.apply import Applied, hint_of, is_known
from newsletter.feedback.event import DeliveryEvent
from newsletter.feedback.json_items import UnreadableItem
from newsletter.feedback.provider_events import read_events
from newsletter.feedback.webhooks import (
    Trust,
    Verified,
    Webhook,
    is_certificate,
    verify_webhook,
)
from newsletter.ledger.webhooks import WaitingWebhook
from newsletter.project.event_account import EventAccount, Fate, conclude, event_applier
from newsletter.transports.http import HttpClient, NoResponse, NotSent
from newsletter.transports.http_values import Request
from newsletter.web.seal import unseal

if TYPE_CHECKING:
    from newsletter.ledger.ledger import Ledger
    from newsletter.project.project import Project

T = TypeVar("T", str, bytes | None)

_HINT_FOR = timedelta(days=7)
_WAIT_FOR = timedelta(days=30)
_TIMEOUT_S = 10.0
_LONGEST_S = 20.0
"""For all that Amazon SNS is asked at a time: anybody can name certificates that it lacks."""
_MOST_ITEMS = 10_000
"""Of one webhook; the largest, of 768 KB, has about half as many events."""
_MOST_AT_ONCE = 500
"""Events in one transaction: a send that runs waits for it."""
_LARGEST_CERTIFICATE = 20_000


class NotYet(Exception):
    """A webhook cannot be verified now: no key, or no certificate."""


def apply_webhooks(project: Project, account: EventAccount, *, within_s: float = math.inf) -> None:
    """Apply the webhooks that wait in the ledger. May run during a send.

    Args:
        project: the project.
        account: takes what became of each, and how many were not read for lack of time.
        within_s: no further webhook is begun after so many seconds. The rest stays for the
            next time.

    Raises:
        LedgerRefused: the ledger cannot be used. What was applied stays.
    """
    if not project.has_ledger:
        return
    with closing(project.ledger(create=False)) as ledger:
        waiting = ledger.webhooks.all()
        if not waiting:
            return
        applying = _Applying(project, ledger, account)
        until = project.clock.monotonic() + within_s
        for number, each in enumerate(waiting):
            if project.clock.monotonic() > until:
                account.events[Fate.WAITING] += len(waiting) - number
                account.unread = sum(not each.is_read for each in waiting[number:])
                break
            applying.apply(each)
        settled, account.folder_only = conclude(project, ledger)
        account.settled += settled


class _Applying:
    """Applies one webhook after the other, each whole or not at all."""

    def __init__(self, project: Project, ledger: Ledger, account: EventAccount) -> None:
        self._project = project
        self._ledger = ledger
        self._account = account
        self._now = project.clock.now()
        self._box_keys = project.keys.box_keys(project.settings.list.id)
        self._campaigns = {campaign.id for campaign in ledger.campaigns.all()}
        self._apply_event = event_applier(project, ledger)
        self._keys: dict[str, str | NotYet] = {}
        self._had: dict[str, bytes | NotYet | None] = {}
        self._until = project.clock.monotonic() + _LONGEST_S

    def apply(self, waiting: WaitingWebhook) -> None:
        """Apply it as far as possible now."""
        find = self._ledger.deliveries.by_message_tag
        if waiting.waits_for and not any(map(find, waiting.waits_for)):
            self._wait(waiting, Fate.NOT_OURS, len(waiting.waits_for))
            return
        if waiting.hints:
            self._weigh(waiting, waiting.hints)
            return
        content = unseal(self._ledger.webhooks.box(waiting.id), self._box_keys)
        try:
            webhook = _webhook(content or {})
        except (KeyError, TypeError, ValueError):
            self._end(waiting, Fate.REFUSED)
            return
        try:
            verified = verify_webhook(webhook, self._key(webhook.provider), self._certificate)
            confirms = not verified.subscribe_url or self._get(verified.subscribe_url) is not None
        except NotYet as error:
            self._account.tell(str(error))
            self._wait(waiting, Fate.REFUSED)
            return
        if verified.trust is Trust.REFUSED:
            self._account.tell(f"A webhook for {webhook.provider} has no right signature.")
            self._end(waiting, Fate.REFUSED)
        elif not confirms:
            self._account.tell(
                "Amazon SNS did not take the confirmation of a subscription: maybe it was older "
                "than three days. Ask for a new one there (Request confirmation)."
            )
            self._end(waiting, Fate.REFUSED)
        elif verified.subscribe_url or not verified.content:
            self._end(waiting, Fate.APPLIED)
        else:
            self._read(waiting, verified)

    def _read(self, waiting: WaitingWebhook, verified: Verified) -> None:
        """Apply what a verified webhook tells, or weigh what one that nobody signed says."""
        events: list[DeliveryEvent] = []
        items = read_events(io.BytesIO(verified.content))
        for item in islice(items, _MOST_ITEMS):
            if isinstance(item, UnreadableItem) or not item:
                self._account.events[Fate.NOT_OURS] += 1
            else:
                events += item
        if verified.trust is Trust.HINT:
            hints = [hint_of(event, self._ledger, self._campaigns) for event in events]
            self._account.events[Fate.NOT_OURS] += hints.count(None)
            self._weigh(waiting, set(filter(None, hints)))
            return
        total, early = Applied(), set[str]()
        expired = self._now - waiting.at > _WAIT_FOR
        starts = range(0, max(1, len(events)), _MOST_AT_ONCE)
        for start in starts:
            with self._ledger.transaction():
                for event in events[start : start + _MOST_AT_ONCE]:
                    applied = self._apply_event(event)
                    total += applied
                    if applied.strangers:
                        early |= event.tags
                if start == starts[-1] and early and not expired:
                    self._ledger.webhooks.wait_for(waiting.id, early)
                elif start == starts[-1]:
                    self._ledger.webhooks.done(waiting.id)
        self._account.add(total)
        self._account.events[Fate.NOT_OURS if expired else Fate.WAITING] += total.strangers

    def _weigh(self, waiting: WaitingWebhook, hints: Collection[tuple[str, str]]) -> None:
        """Compare hints with what is known; what is not known stays a hint for a time."""
        unknown = [hint for hint in hints if not is_known(*hint, self._ledger)]
        self._account.events[Fate.KNOWN] += len(hints) - len(unknown)
        self._account.events[Fate.HINT] += len(unknown)
        with self._ledger.transaction():
            if not unknown or self._now - waiting.at > _HINT_FOR:
                self._ledger.webhooks.done(waiting.id)
            elif len(unknown) != len(waiting.hints):
                self._ledger.webhooks.keep_hints(waiting.id, unknown)

    def _wait(self, waiting: WaitingWebhook, at_last: Fate, number: int = 1) -> None:
        """Leave it for the next time, if that is not too late."""
        if self._now - waiting.at > _WAIT_FOR:
            self._end(waiting, at_last)
        else:
            self._account.events[Fate.WAITING] += number

    def _end(self, waiting: WaitingWebhook, fate: Fate) -> None:
        with self._ledger.transaction():
            self._ledger.webhooks.done(waiting.id)
        self._account.events[fate] += 1

    def _key(self, provider: str) -> str:
        """What proves a provider's webhooks, asked for once; empty for one that signs nothing.

        Raises:
            NotYet: it is not to be had.
        """
        if provider not in self._project.settings.webhooks.providers:
            known = provider in type(self._project.settings.webhooks).model_fields
            name = provider if known else "an unknown provider"  # whoever has the server named it
            raise NotYet(f"Webhooks for {name} wait, since it is not under [webhooks] here.")
        if provider not in self._keys:
            try:
                self._keys[provider] = self._read_key(provider)
            except NotYet as error:
                self._keys[provider] = error
        return _or_raise(self._keys[provider])

    def _read_key(self, provider: str) -> str:
        setting = getattr(self._project.settings.webhooks, provider)
        if isinstance(setting, Secret):
            try:
                return read_secret(setting, what=f"secret of the webhooks of {provider}")
            except ConfigError as error:
                raise NotYet(f"Webhooks for {provider} wait: {error.what}") from None
        return setting if isinstance(setting, str) else ""

    def _certificate(self, url: str) -> bytes:
        """A certificate of Amazon SNS: the one that is known, else from its address, or nothing.

        Raises:
            NotYet: it cannot be had now.
        """
        known = self._ledger.webhooks.certificate(url)
        if known is not None:
            return known
        body = self._get(url)
        if body is None:
            return b""
        if not body.isascii() or not is_certificate(body):
            raise NotYet("Webhooks for ses wait: there is no certificate at its address.")
        with self._ledger.transaction():
            self._ledger.webhooks.note_certificate(url, body)
        return body

    def _get(self, url: str) -> bytes | None:
        """What an address of Amazon SNS holds, asked for once; None: nothing.

        Raises:
            NotYet: it cannot be had now.
        """
        if url not in self._had:
            if self._project.clock.monotonic() > self._until:
                raise NotYet("Webhooks for ses wait: there was no time to ask Amazon SNS for all.")
            try:
                self._had[url] = fetch(url, self._project)
            except NotYet as error:
                self._had[url] = error
        return _or_raise(self._had[url])


def fetch(url: str, project: Project) -> bytes | None:
    """What Amazon SNS answers at an address of its own; None: that there is nothing (4xx).

    Raises:
        NotYet: it does not answer.
    """
    with closing(HttpClient("", timeout_s=_TIMEOUT_S, clock=project.clock)) as client:
        try:
            response = client.send(Request(url, method="GET"))
        except (NotSent, NoResponse) as error:
            raise NotYet(f"Webhooks for ses wait: Amazon SNS does not answer, {error}.") from None
    if 400 <= response.status < 500 and response.status not in {408, 429}:
        return None
    if response.status != 200 or response.body is None or len(response.body) > _LARGEST_CERTIFICATE:
        raise NotYet(f"Webhooks for ses wait: Amazon SNS answered {response.status}.")
    return response.body


def _or_raise(found: T | NotYet) -> T:
    if isinstance(found, NotYet):
        raise found
    return found


def _webhook(content: Mapping[str, Any]) -> Webhook:
    """A webhook as the server sealed it.

    Raises:
        KeyError, TypeError, ValueError: it makes no sense.
    """
    headers = content["headers"]
    if not isinstance(headers, dict):
        raise TypeError("headers")
    return Webhook(
        str(content["provider"]),
        {str(name): str(value) for name, value in headers.items()},
        base64.b64decode(content["body"], validate=True),
    )
