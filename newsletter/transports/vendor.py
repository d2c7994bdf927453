"""What a provider's file tells of it; all the rest is shared (:mod:`newsletter.transports.api`).

No I/O: a vendor turns letters into a request and an answer into a verdict.
"""

from __future__ import annotations

import base64
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from email.headerregistry import Address as Named
from functools import lru_cache
from typing import Protocol

from newsletter.errors import ConfigError, Where
from newsletter.message.model import Content, Message
from newsletter.transports.answers import Ambiguous, Verdict
from newsletter.transports.http import Answer, Request
from newsletter.transports.protocol import Accepted, Allowance
from newsletter.transports.template_words import literal

_LONGEST_ID = 256
_NAMESPACE = uuid.UUID("9d0cfb3e-5f0c-5a55-9f0e-6f6b1c7c2f11")


@dataclass(frozen=True, slots=True)
class Letter:
    """A message and, taken apart once, what is sent of it.

    ``vendor`` names the provider it goes to: no word of that provider's template
    language is left in ``content``.
    """

    message: Message
    vendor: str = ""
    content: Content = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "content", literal(self.message.as_content(), self.vendor))

    @property
    def key(self) -> str:
        """An idempotency key of its own, for providers that know one for each mail."""
        return call_key([self.message])


class Vendor(Protocol):
    """One provider, for one account.

    ``request`` and ``search`` are pure but for the clock that a signature needs,
    and the same letters give the same body: what is repeated must not differ.
    """

    @property
    def name(self) -> str:
        """The word in newsletter.toml."""

    @property
    def title(self) -> str:
        """As the provider writes itself."""

    @property
    def base_url(self) -> str:
        """What the paths of requests are put behind."""

    @property
    def batch_size(self) -> int:
        """Most messages a request; 1 where the provider takes them one by one."""

    @property
    def key_lifetime_s(self) -> float:
        """How long it remembers an idempotency key, in seconds; 0: it knows none."""

    @property
    def allowance(self) -> Allowance:
        """What it lets an account do by default."""

    @property
    def takes_smtputf8(self) -> bool:
        """Whether it takes addresses with non-ASCII letters before the @ (RFC 6531)."""

    @property
    def can_search(self) -> bool:
        """Whether it can be asked for a message by our reference."""

    def request(self, letters: Sequence[Letter], key: str) -> Request:
        """The request that hands ``letters`` over, ``key`` being a UUID.

        Raises:
            ConfigError: the letters hold what it cannot take.
        """

    def read(self, answer: Answer, letters: Sequence[Letter]) -> Verdict:
        """What an answer to :meth:`request` means."""

    def search(self, letter: Letter) -> Request:
        """The request that asks for one letter; called only if ``can_search``."""

    def found(self, answer: Answer, letter: Letter) -> Accepted | None:
        """What an answer to :meth:`search` proves: an acceptance, or nothing."""


class Unsearchable:
    """For vendors whose provider cannot be asked for a single letter: nobody ever does."""

    can_search = False

    def search(self, letter: Letter) -> Request:
        """Never called, since ``can_search`` is False; a call is a fault of this program."""
        raise NotImplementedError

    def found(self, answer: Answer, letter: Letter) -> Accepted | None:
        """Never called, as :meth:`search`."""
        raise NotImplementedError


def call_key(messages: Sequence[Message]) -> str:
    """The key of a call, a UUID: the same messages in the same order, the same key.

    It changes when a person has one of them mailed again, else the provider
    would answer what it answered before, and mail nobody; and with a corrected
    version, else it would take it for another content under the same key.
    """
    names = "\n".join(
        f"{message.message_id} {message.resends} {message.version}" for message in messages
    )
    return str(uuid.uuid5(_NAMESPACE, names))


@lru_cache(maxsize=64)
def base64_of(file: bytes) -> str:
    """A picture or document as JSON carries it; encoded once for all letters that hold it."""
    return base64.b64encode(file).decode()


def pairs(
    headers: Mapping[str, str], *, name: str = "name", value: str = "value"
) -> list[dict[str, str]]:
    """Headers as a list, for providers that want no mapping."""
    return [{name: key, value: text} for key, text in headers.items()]


def without(headers: Mapping[str, str], *names: str) -> dict[str, str]:
    """Headers but for those that a provider sets itself or refuses."""
    left_out = {name.lower() for name in names}
    return {name: text for name, text in headers.items() if name.lower() not in left_out}


def named(name: str, address: str) -> str:
    """``"Lind, Anna" <anna@a.example>``, quoted where RFC 5322 asks for it."""
    local, _, domain = address.rpartition("@")
    return str(Named(display_name=name, username=local, domain=domain))


def person(name: str, address: str) -> dict[str, str]:
    """An address as most providers write it in JSON; the name only where there is one."""
    return {"email": address, "name": name} if name else {"email": address}


def check_secret(secret: str, *, what: str, vendor: Vendor) -> str:
    """The secret, if it can stand in a header.

    Raises:
        ConfigError: it is empty, or holds characters that no key has.
    """
    if not secret or not secret.isascii() or not secret.isprintable() or " " in secret:
        raise ConfigError(
            f"The {what} for {vendor.title} is empty, or holds characters that no key has.",
            where=Where("newsletter.toml", item=f"[{vendor.name}]"),
            next="Copy it again, without spaces or line breaks around it.",
        )
    return secret


def known_id(value: object) -> str | None:
    """An id that a provider gave, if it can be one."""
    fits = isinstance(value, str) and 0 < len(value) <= _LONGEST_ID and value.isprintable()
    return str(value) if fits else None


def no_files(letter: Letter, *, title: str) -> None:
    """Refuse a letter with pictures or documents in it.

    Raises:
        ConfigError: it holds some, and the provider would leave them out.
    """
    if letter.content.enclosures:
        raise ConfigError(
            f"{title} takes no files of this kind, and these letters hold pictures or documents.",
            where=Where("newsletter.toml", item="[delivery] transport"),
            next="Send them by the way they were made for, such as a relay (smtp). For the next "
            "issue write pictures = “hosted” and downloads = “link” under [mail].",
        )


def no_sandbox(title: str, instead: str) -> ConfigError:
    """The error for a provider that cannot check letters without delivering them."""
    return ConfigError(
        f"{title} has no sandbox.",
        where=Where(item="--sandbox"),
        next=f"Leave the option out. {instead}",
    )


def of_the_way(answer: Answer, title: str) -> Ambiguous:
    """What an answer means that is no answer of the provider: it says nothing of the mail."""
    if 400 <= answer.status < 500 and answer.status != 408:
        return Ambiguous(f"Something on the way answered with HTTP status {answer.status}.")
    if 200 <= answer.status < 300:
        return Ambiguous(f"Something on the way answered with HTTP status {answer.status}.")
    return Ambiguous(f"{title} answered with HTTP status {answer.status}.")
