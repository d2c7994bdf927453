"""Who sends: [sender], [list] and [organisation]. No I/O."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, field_validator, model_validator

from newsletter.addresses import Address, AddressError
from newsletter.config.table import Table
from newsletter.model import Language, Line, WebAddress
from newsletter.web_addresses import ascii_host, with_ascii_host


def _mailbox(text: str) -> str:
    try:
        return str(Address.parse(text))
    except AddressError as error:
        raise ValueError(str(error)) from None


Mailbox = Annotated[str, AfterValidator(_mailbox)]
"""An email address, checked and with an ASCII domain."""

BOUNCE_SLOT = "{token}"
"""In an envelope sender: what differs from message to message."""
_TAG_LENGTH = 24
_LONGEST_LOCAL_PART = 64
"""Octets before the @ (RFC 5321 4.5.3.1.1)."""


def _bounce_address(text: str) -> str:
    local = text.rpartition("@")[0]
    rest = local.replace(BOUNCE_SLOT, "", 1)
    if "{" in rest or "}" in rest:
        raise ValueError("may hold {token} once, and no other braces")
    length = len(rest.encode()) + (_TAG_LENGTH if rest != local else 0)
    if length > _LONGEST_LOCAL_PART:
        raise ValueError(
            f"has {length} octets before the @ when {{token}} is filled in, and mail servers "
            f"take {_LONGEST_LOCAL_PART} (RFC 5321); shorten it"
        )
    return text


class Link(Table):
    """A labelled link of the footer, with the language of what it leads to."""

    label: Line = Field(description="What the reader will find there, e.g. “Report (PDF)”.")
    url: WebAddress = Field(description="Where it leads.")
    language: Language | None = Field(
        default=None, description="Language of the target, when it differs from the issue's."
    )


class Sender(Table):
    """Who the mail is from."""

    name: Line = Field(description="Display name in From.")
    address: Mailbox = Field(description="Address in From.")
    reply_to: Mailbox | None = Field(default=None, description="Where answers go.")
    bounces: Annotated[Mailbox, AfterValidator(_bounce_address)] | None = Field(
        default=None,
        description="Envelope sender; where bounce reports go. {token} in it becomes the "
        "message's own. Default: address.",
    )


def spoken(language: str, *, own: str, translations: Collection[str]) -> str:
    """The language of the words that a text in ``language`` takes.

    That of the text, pt for pt-BR, if there is such a translation; else ``own``.
    """
    for name in (language, language.partition("-")[0]):
        if name == own or name in translations:
            return name
    return own


class ListTranslation(Table):
    """The list's words in another language."""

    name: Line = Field(description="Name of the newsletter in that language.")


class ListIdentity(Table):
    """The list, as mail programs know it."""

    id: str = Field(description="List-ID (RFC 2919), e.g. news.example.org. Never change it.")
    name: Line = Field(description="Name of the newsletter.")
    unsubscribe_url: str | None = Field(
        default=None,
        description="Address of one-click unsubscribe, where there is no [public] url; {token} "
        "stands for the reader's token.",
    )

    feedback_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{5,15}$")] | None = Field(
        default=None,
        description="Your SenderId in Gmail's feedback loop; adds the header Feedback-ID.",
    )
    translations: dict[Language, ListTranslation] = Field(
        default={}, description="The name in other languages, for issues that are in them."
    )

    def name_in(self, language: str, *, own: str) -> tuple[str, str]:
        """The name in a text in ``language``, and the name's own language."""
        tongue = spoken(language, own=own, translations=self.translations)
        translation = self.translations.get(tongue)
        return translation.name if translation else self.name, tongue

    def sender_in(self, sender: Sender, language: str, *, own: str) -> Sender:
        """Who mails in ``language`` are from: a sender with the list's name has its translation."""
        if sender.name != self.name:
            return sender
        return sender.model_copy(update={"name": self.name_in(language, own=own)[0]})

    @field_validator("id")
    @classmethod
    def _domain(cls, value: str) -> str:
        if not value.isascii():
            value = ascii_host(value)
        if not re.fullmatch(r"[a-z0-9-]+(\.[a-z0-9-]+)+", value):
            raise ValueError(
                "must be small letters, digits and hyphens with dots between them, as in "
                "news.example.org (RFC 2919)"
            )
        return value

    @property
    def is_example(self) -> bool:
        """Whether its id is on a domain that is nobody's (RFC 2606): shared by all who try."""
        labels = self.id.split(".")
        return labels[-1] in {"example", "invalid"} or (
            labels[-2] == "example" and labels[-1] in {"com", "net", "org"}
        )

    @field_validator("unsubscribe_url")
    @classmethod
    def _a_labels(cls, value: str | None) -> str | None:
        return None if value is None else with_ascii_host(value)

    @model_validator(mode="after")
    def _https(self) -> ListIdentity:
        url = self.unsubscribe_url
        if url is None:
            return self
        if not url.startswith("https://") or url.count("{token}") != 1:
            raise ValueError(
                "unsubscribe_url must start with https:// and hold {token} once (RFC 8058 3.1)"
            )
        place = urlsplit(url)
        # What stands behind “#” reaches no server.
        rest = (place.path + place.query).replace("{token}", "", 1)
        if "{token}" in place.netloc + place.fragment or re.search("[{}]", rest):
            raise ValueError(
                "unsubscribe_url must hold {token} in its path or behind its ?, and no other braces"
            )
        return self


class Translation(Table):
    """The organisation's words in another language."""

    name: Line | None = Field(default=None, description="Its name, where it has another.")
    about: str | None = Field(default=None, description="One sentence: who you are.")
    postal_address: Line | None = Field(
        default=None, description="Its postal address, where it is written otherwise."
    )
    website: WebAddress | None = Field(default=None, description="The home page in the language.")
    follow: list[Link] = Field(default=[], description="“Follow us”, the same links in order.")
    direct_access: list[Link] = Field(
        default=[], description="“Direct access”, the same links in order."
    )
    news_feed: WebAddress | None = Field(default=None, description="The feed in the language.")
    subscribe: WebAddress | None = Field(default=None, description="The sign-up page in it.")


class Organisation(Table):
    """The footer: the same in every issue."""

    name: Line = Field(description="Name of the organisation.")
    about: str | None = Field(default=None, description="One sentence: who you are.")
    postal_address: Line = Field(description="Postal address; the law of many countries asks it.")
    phone: Line | None = Field(default=None, description="Phone number.")
    contact: Mailbox | None = Field(default=None, description="Address for questions.")
    website: WebAddress | None = Field(default=None, description="Home page.")
    follow: list[Link] = Field(default=[], description="“Follow us”: social networks.")
    direct_access: list[Link] = Field(default=[], description="“Direct access”: useful pages.")
    news_feed: WebAddress | None = Field(default=None, description="The news feed.")
    subscribe: WebAddress | None = Field(default=None, description="The sign-up page.")
    translations: dict[Language, Translation] = Field(
        default={}, description="All of this in other languages, for issues that are in them."
    )

    @model_validator(mode="after")
    def _translated_as_a_whole(self) -> Organisation:
        lacking = [
            f"[organisation.translations.{language}] lacks {', '.join(lacks)}"
            for language, words in self.translations.items()
            if (lacks := list(self._lacking(words)))
        ]
        if lacking:
            raise ValueError(
                f"{'; '.join(lacking)}; translate what [organisation] says, so that no mail is "
                "in two languages"
            )
        return self

    def _lacking(self, words: Translation) -> Iterator[str]:
        if self.about and not words.about:
            yield "about"
        for key in ("follow", "direct_access"):
            needed, there = len(getattr(self, key)), len(getattr(words, key))
            if there != needed:
                yield f"{key} ({there} of {needed} links)"

    def in_language(self, language: str, *, own: str) -> tuple[Organisation, str]:
        """The organisation as a text in ``language`` names it, and the language of its words.

        These are those of the text's language, pt for pt-BR; else its own.
        """
        tongue = spoken(language, own=own, translations=self.translations)
        return self.translated(tongue) if tongue in self.translations else self, tongue

    def translated(self, language: str) -> Organisation:
        """The organisation in the words of one of its translations."""
        words = self.translations[language]
        own = {key: value for key in Translation.model_fields if (value := getattr(words, key))}
        return self.model_copy(update={**own, "translations": {}})
