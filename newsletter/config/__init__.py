"""Settings: newsletter.toml as typed values. Reads that one file and nothing else.

No secret stands in the file. A password or key is named by where it comes
from: an environment variable or a command (see :mod:`newsletter.credentials`).
"""

from __future__ import annotations

import re
import tomllib
import typing
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, Field, ValidationError, model_validator
from pydantic.fields import FieldInfo

from newsletter.config.bounces import Bounces
from newsletter.config.content import Archive, Audience, Mail, ThemeLocation
from newsletter.config.identity import (
    BOUNCE_SLOT,
    ListIdentity,
    Mailbox,
    Organisation,
    Sender,
    Translation,
)
from newsletter.config.privacy import Privacy
from newsletter.config.providers import PROVIDERS, ProviderSettings, ProviderTables
from newsletter.config.public import LinkTemplates, Public
from newsletter.config.secret import Secret
from newsletter.config.segments import MOST_NESTED, Condition, unknown_names
from newsletter.config.ways_out import Delivery, Dkim, PrivateKey, Relay, RelayAccess, Smtp
from newsletter.config.webhooks import SIGNATURE_HEADERS, Webhooks
from newsletter.errors import ConfigError, Problem, Where
from newsletter.invisible import hidden_in_key
from newsletter.model import Language
from newsletter.regular_file import read_regular
from newsletter.wrong_value import wrong_value

__all__ = [
    "BOUNCE_SLOT",
    "FILE_NAME",
    "PROVIDERS",
    "SIGNATURE_HEADERS",
    "Archive",
    "Audience",
    "Bounces",
    "Condition",
    "Delivery",
    "Dkim",
    "LinkTemplates",
    "ListIdentity",
    "Mail",
    "Mailbox",
    "Organisation",
    "Privacy",
    "PrivateKey",
    "ProviderSettings",
    "Public",
    "Relay",
    "RelayAccess",
    "Secret",
    "Sender",
    "Settings",
    "Smtp",
    "ThemeLocation",
    "Translation",
    "Webhooks",
    "load_settings",
]

FILE_NAME = "newsletter.toml"
MAX_BYTES = 100_000
_LINE = re.compile(r"\s*(?:(?P<bracket>\[\[?)(?P<table>[^\]]+)\]|(?P<key>[^=#]+?)\s*=)")


SegmentName = Annotated[str, Field(min_length=1, max_length=60)]


class Settings(ProviderTables):
    """All of newsletter.toml."""

    language: Language = Field(default="en", description="Language of readers who named none.")
    list: ListIdentity
    sender: Sender
    organisation: Organisation
    public: Public | None = None
    privacy: Privacy = Privacy()
    theme: ThemeLocation = ThemeLocation()
    mail: Mail = Mail()
    archive: Archive | None = None
    audience: Audience = Audience()
    segments: dict[SegmentName, Condition] = Field(default={})
    delivery: Delivery = Delivery()
    smtp: Smtp | None = None
    dkim: Dkim | None = None
    bounces: Bounces | None = None
    webhooks: Webhooks = Webhooks()

    @model_validator(mode="after")
    def _transport_has_settings(self) -> Settings:
        name = self.delivery.transport
        if name != "mailbox" and getattr(self, name) is None:
            raise ValueError(f'transport = "{name}" needs a table [{name}]')
        return self

    @model_validator(mode="after")
    def _readers_can_leave(self) -> Settings:
        if self.public is None and self.list.unsubscribe_url is None:
            raise ValueError(
                "readers need a way to leave: a table [public] with url = "
                '"https://news.example.org" for “newsletter serve”, or '
                "unsubscribe_url under [list] for a page of your own"
            )
        return self

    @model_validator(mode="after")
    def _webhooks_have_a_server(self) -> Settings:
        if self.webhooks.providers and self.public is None:
            raise ValueError(
                "webhooks are taken by the public server: [webhooks] needs a table [public] with "
                'url = "https://news.example.org"'
            )
        return self

    @model_validator(mode="after")
    def _confirmations_are_told_apart(self) -> Settings:
        if self.public is not None and self.public.confirm_from == self.sender.address:
            raise ValueError(
                "confirm_from under [public] must differ from [sender] address, so "
                "that spam complaints about confirmations do not harm the newsletter"
            )
        return self

    @model_validator(mode="after")
    def _pictures_have_a_place(self) -> Settings:
        if self.mail.pictures == "hosted" and self.archive is None:
            raise ValueError(
                'pictures need a table [archive] with url = "https://…/", from which '
                'mails load them, or [mail] pictures = "inline", which puts them '
                "into each mail"
            )
        return self

    @model_validator(mode="after")
    def _nothing_is_lost_on_the_way(self) -> Settings:
        provider = self.provider
        if provider is None:
            return self
        if self.mail.pictures == "inline" and not provider.takes_pictures:
            raise ValueError(
                f"{provider.title} takes no pictures inside a mail and would leave them out; write "
                'pictures = "hosted" under [mail], or send through a relay (transport = "smtp")'
            )
        if self.mail.downloads == "attach" and not provider.takes_documents:
            raise ValueError(
                f"{provider.title} takes no documents with a mail and would leave them out; write "
                'downloads = "link" under [mail], or send through a relay (transport = "smtp")'
            )
        return self

    @model_validator(mode="after")
    def _said_once_a_language(self) -> Settings:
        translated: dict[str, Collection[str]] = {
            "organisation": self.organisation.translations,
            "list": self.list.translations,
        }
        for name, translations in translated.items():
            if self.language in translations:
                raise ValueError(
                    f"[{name}] is in “{self.language}” as language at the top says; take "
                    f"[{name}.translations.{self.language}] out, or correct the language"
                )
        return self

    @property
    def trial(self) -> bool:
        """Whether mail reaches nobody: it goes into the mailbox, or to relays marked so."""
        match self.delivery.transport:
            case "mailbox":
                return True
            case "smtp":
                return self.smtp is not None and self.smtp.trial
        return False

    @property
    def provider(self) -> ProviderSettings | None:
        """The table of the HTTP provider that mail leaves through; None for a relay or mailbox."""
        if self.delivery.transport not in PROVIDERS:
            return None
        provider: ProviderSettings | None = getattr(self, self.delivery.transport)
        return provider

    def organisation_in(self, language: str) -> tuple[Organisation, str]:
        """The organisation as an edition names it, and the language of its words.

        These are those of the edition's language, pt for pt-BR; else its own.
        """
        return self.organisation.in_language(language, own=self.language)

    def list_name_in(self, language: str) -> tuple[str, str]:
        """The list's name as an edition shows it, and the name's own language."""
        return self.list.name_in(language, own=self.language)

    def sender_in(self, language: str) -> Sender:
        """Who an edition is from."""
        return self.list.sender_in(self.sender, language, own=self.language)

    def links(self, language: str) -> LinkTemplates:
        """Where the reader's own links lead in mails in ``language``."""
        return LinkTemplates.of(self.list, self.public, language)

    @property
    def confirm_from(self) -> str:
        """The address in From of mails that ask to confirm a sign-up."""
        domain = self.sender.address.rpartition("@")[2]
        return (self.public and self.public.confirm_from) or f"confirm@{domain}"

    @property
    def archive_url(self) -> str | None:
        """Address of the past issues."""
        return self.archive.url if self.archive else None

    @model_validator(mode="after")
    def _signed_by_the_sender(self) -> Settings:
        if self.dkim is not None and not self.dkim.is_aligned_with(self.sender.address):
            raise ValueError(
                f'[dkim] domain = "{self.dkim.domain}" does not belong to the address of [sender], '
                f"{self.sender.address}; a signature of another domain proves nothing of yours"
            )
        return self


def load_settings(path: Path) -> Settings:
    """Read newsletter.toml.

    Raises:
        ConfigError: the file is missing, is no TOML, or a setting is wrong;
            it names each setting and what to write.
    """
    text, data = _read(path)
    _refuse_deep_segments(path, data)
    try:
        settings = Settings.model_validate(data)
    except ValidationError as error:
        raise _unusable(path, _problems(error, text, path)) from None
    topics = settings.public.topics if settings.public else {}
    unknown = unknown_names(settings.segments, fields=settings.audience.fields, topics=topics)
    if problems := [_problem(loc, words, text, path) for loc, words in unknown]:
        raise _unusable(path, problems)
    return settings


def _unusable(path: Path, problems: Sequence[Problem]) -> ConfigError:
    return ConfigError(
        "Some settings cannot be used.",
        where=Where(path),
        problems=problems,
        next="“newsletter docs settings” lists every setting.",
    )


def _refuse_deep_segments(path: Path, data: Mapping[str, Any]) -> None:
    """Refuse conditions within conditions that no person would follow, and no recursion bears.

    Raises:
        ConfigError: there are any.
    """
    inside: list[Any] = [data.get("segments")]
    # A segment is two levels down; a condition in a list takes two.
    for _ in range(2 + 2 * MOST_NESTED):
        inside = [
            value
            for each in inside
            if isinstance(each, dict | list)
            for value in (each.values() if isinstance(each, dict) else each)
        ]
    if inside:
        raise ConfigError(
            "A segment holds conditions within conditions, more than 20 deep.",
            where=Where(path, item="[segments]"),
            next="Write it with fewer brackets.",
        )


def _read(path: Path) -> tuple[str, dict[str, Any]]:
    """The text of a TOML file and what it says."""
    text = ""
    try:
        text = read_regular(path, max_bytes=MAX_BYTES).decode("utf-8-sig")
        return text, tomllib.loads(text)
    except FileNotFoundError:
        raise ConfigError(
            "There is no newsletter.toml here.",
            where=Where(path.parent),
            next="Run “newsletter init .” to start a project, or change to its folder.",
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        if hidden := hidden_in_key(text, path):
            raise ConfigError(
                f"The settings cannot be read: a key holds an invisible character, {hidden[0]}.",
                where=hidden[1],
                next="Delete it.",
            ) from None
        raise ConfigError(
            f"The settings cannot be read: {error}.",
            where=Where(path),
            next="Correct that line; put strings in double quotes.",
        ) from None
    except RecursionError:
        raise ConfigError(
            "The settings cannot be read: they are nested too deeply.",
            where=Where(path),
            next="Correct the brackets, or the name with hundreds of dots.",
        ) from None
    except OSError as error:
        raise ConfigError(
            f"The settings cannot be opened: {error.strerror}.",
            where=Where(path),
            next="Put a text file there that you can read.",
        ) from None


def _problems(error: ValidationError, text: str, path: Path) -> list[Problem]:
    """Each wrong setting, with its line; a key that holds an invisible character first."""
    problems = [
        _problem(
            item["loc"],
            wrong_value(item, noun="setting", known=_settings_beside(item["loc"])),
            text,
            path,
        )
        for item in error.errors()
    ]
    if hidden := hidden_in_key(text, path):
        what = f"A key holds an invisible character, {hidden[0]}."
        problems.insert(0, Problem(what, hidden[1], "Delete it."))
    return problems


def _problem(loc: tuple[int | str, ...], words: str, text: str, path: Path) -> Problem:
    return Problem(words, Where(path.name, _line_of(loc, text), item=_place(loc)))


def _place(loc: tuple[int | str, ...]) -> str | None:
    """``[smtp] port``; a setting above all tables stands alone."""
    *tables, setting = map(str, loc or ("",))
    return f"[{'.'.join(tables)}] {setting}" if tables else setting or None


def _line_of(loc: Sequence[int | str], text: str) -> int | None:
    """The line of a setting, or of the table or list that it is in or is missing from."""
    table: tuple[int | str, ...] = ()
    nth = Counter[tuple[int | str, ...]]()
    best, best_line = 0, None
    for number, line in enumerate(text.splitlines(), 1):
        if (found := _LINE.match(line)) is None:
            continue
        names = tuple(
            name.strip("\"' ")
            for name in re.findall(r'"[^"]*"|[^.]+', found["table"] or found["key"])
        )
        if found["table"]:
            table = (*names, nth[names]) if found["bracket"] == "[[" else names
            nth[names] += 1
            names = ()
        here = (*table, *names)
        if best < len(here) <= len(loc) and here == tuple(loc[: len(here)]):
            best, best_line = len(here), number
    return best_line


def _settings_beside(loc: Sequence[int | str]) -> list[str]:
    """The names that a setting can have in the table that ``loc`` is in."""
    models: list[type[BaseModel]] = [Settings]
    for key in loc[:-1]:
        inner = [found for model in models if (found := _setting(model, str(key)))]
        if inner:
            models = [model for field in inner for model in _models(field.annotation)]
    return [each.alias or name for model in models for name, each in model.model_fields.items()]


def _setting(model: type[BaseModel], key: str) -> FieldInfo | None:
    return next(
        (each for name, each in model.model_fields.items() if key == (each.alias or name)), None
    )


def _models(annotation: object) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in typing.get_args(annotation):
        yield from _models(inner)
