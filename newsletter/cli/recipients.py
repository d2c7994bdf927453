"""Single people whom a command names: for a proof or to look at their mail."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING

from newsletter.addresses import Address, AddressError
from newsletter.cli.wiring import Project
from newsletter.errors import InputError, Problem, RosterError
from newsletter.message.model import Recipient

if TYPE_CHECKING:
    from newsletter.audience.model import Subscriber
    from newsletter.message.compose import Composer
    from newsletter.message.model import Message


def parse_addresses(texts: Iterable[str]) -> list[Address]:
    """Addresses that were typed.

    Raises:
        InputError: some are none; each is named.
    """
    parsed, problems = [], []
    for text in texts:
        try:
            parsed.append(Address.parse(text))
        except AddressError as error:
            problems.append(Problem(f"“{text}” is no address. {error}"))
    if problems:
        raise InputError("Nothing was done, since not all of these are addresses.",
                         problems=problems, next="Mind the spelling: name@example.org")  # fmt: skip
    return parsed


def reader(project: Project, address: Address) -> Recipient:
    """Somebody as their row of the list has them, else with empty values."""
    try:
        subscribers = project.roster().subscribers
    except RosterError:
        subscribers = ()  # a proof can be looked at before there is a list
    for subscriber in subscribers:
        if subscriber.address.suppression_key == address.suppression_key:
            return as_recipient(subscriber, language=project.settings.language)
    nothing = dict.fromkeys(project.settings.audience.fields, "")
    return Recipient(address, "", project.settings.language, nothing)


def as_recipient(subscriber: Subscriber, *, language: str) -> Recipient:
    """A row of the list as somebody who gets the edition in ``language``."""
    return Recipient(subscriber.address, subscriber.name, language, subscriber.fields)


def compose_one(composer: Composer, recipient: Recipient, *, date: datetime) -> Message:
    """The message for one person.

    Raises:
        InputError: their row holds what no mail can.
    """
    from newsletter.message.compose import Uncomposable

    try:
        return composer.compose(recipient, date=date)
    except Uncomposable as error:
        raise InputError(
            f"No mail can be made for {recipient.address}: {error}",
            next="Mend their row of the list.",
        ) from None
