"""Settings: newsletter.toml as typed values. Reads that one file and nothing else.

No secret stands in the file. A password or key is named by where it comes
from: an environment variable or a command (see :mod:`newsletter.credentials`).
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from newsletter.addresses import Address, AddressError
from newsletter.errors import ConfigError, Problem, Where
from newsletter.model import Language, Line, Link, WebAddress

FILE_NAME = "newsletter.toml"


def _mailbox(text: str) -> str:
    try:
        return str(Address.parse(text))
    except AddressError as error:
        raise ValueError(str(error)) from None


Mailbox = Annotated[str, AfterValidator(_mailbox)]
"""An email address, checked and with an ASCII domain."""


class _Table(BaseModel):
    """The base of all tables: unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Secret(_Table):
    """Where a password or key comes from; exactly one of the two."""

    env: str | None = Field(default=None, description="Name of an environment variable.")
    command: list[str] | None = Field(
        default=None, description="A program and its arguments that print the secret."
    )

    @model_validator(mode="after")
    def _one(self) -> Secret:
        if (self.env is None) == (self.command is None):
            raise ValueError('give either env = "NAME" or command = ["program", "argument"]')
        return self


class PrivateKey(_Table):
    """Where a private key in PEM comes from; exactly one of the three."""

    file: Path | None = Field(
        default=None, description="A file that only its owner can read (mode 0600)."
    )
    env: str | None = Field(default=None, description="Name of an environment variable.")
    command: list[str] | None = Field(
        default=None, description="A program and its arguments that print the key."
    )

    @model_validator(mode="after")
    def _one(self) -> PrivateKey:
        if [self.file, self.env, self.command].count(None) != 2:
            raise ValueError(
                'give one of file = "key.pem", env = "NAME" and command = ["program", "argument"]'
            )
        return self


BOUNCE_SLOT = "{token}"
"""In an envelope sender: what differs from letter to letter."""
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


class Sender(_Table):
    """Who the mail is from."""

    name: Line = Field(description="Display name in From.")
    address: Mailbox = Field(description="Address in From.")
    reply_to: Mailbox | None = Field(default=None, description="Where answers go.")
    bounces: Annotated[Mailbox, AfterValidator(_bounce_address)] | None = Field(
        default=None,
        description="Envelope sender; where bounce reports go. {token} in it becomes the "
        "letter's own. Default: address.",
    )


class ListIdentity(_Table):
    """The list, as mail programs know it."""

    id: Annotated[str, Field(pattern=r"^[a-z0-9-]+(\.[a-z0-9-]+)+$")] = Field(
        description="List-ID (RFC 2919), e.g. news.example.org. Never change it."
    )
    name: Line = Field(description="Name of the newsletter.")
    unsubscribe_url: str = Field(
        description="Address of one-click unsubscribe; {token} stands for the reader's token."
    )

    feedback_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{5,15}$")] | None = Field(
        default=None,
        description="Your SenderId in Gmail's feedback loop; adds the header Feedback-ID.",
    )

    @model_validator(mode="after")
    def _https(self) -> ListIdentity:
        if not self.unsubscribe_url.startswith("https://") or (
            self.unsubscribe_url.count("{token}") != 1
        ):
            raise ValueError(
                "unsubscribe_url must start with https:// and hold {token} once (RFC 8058 3.1)"
            )
        return self


class Translation(_Table):
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


class Organisation(_Table):
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

    def translated(self, language: str) -> Organisation:
        """The organisation in the words of one of its translations."""
        words = self.translations[language]
        own = {key: value for key in Translation.model_fields if (value := getattr(words, key))}
        return self.model_copy(update={**own, "translations": {}})


class Audience(_Table):
    """The list of subscribers."""

    file: Path = Field(default=Path("subscribers.csv"), description="The list, CSV.")
    fields: list[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]] = Field(
        default=[], description="Further columns that merge fields may use."
    )


class Delivery(_Table):
    """How mail leaves, and how fast."""

    transport: Literal["mailbox", "smtp", "resend"] = Field(
        default="mailbox", description="mailbox files mail in outbox/ and sends nothing."
    )
    connections: int = Field(default=4, ge=1, le=50, description="Connections at the same time.")
    batch: int = Field(
        default=50, ge=1, le=100, description="Recipients that one connection takes at a time."
    )
    rate_per_second: float = Field(
        default=0, ge=0, description="Most messages a second; 0 is as fast as it goes."
    )
    retry_for_hours: float = Field(
        default=24, gt=0, le=120, description="How long to retry who says “later”."
    )


class Smtp(_Table):
    """A mail relay."""

    host: str = Field(description="Name of the relay.")
    port: int = Field(default=587, ge=1, le=65535, description="587 STARTTLS, 465 TLS, 25 relay.")
    security: Literal["starttls", "tls", "none"] = Field(
        default="starttls",
        description="starttls and tls verify the certificate; none only for a relay on this host.",
    )
    username: str | None = Field(default=None, description="User name, if the relay asks for one.")
    password: Secret | None = Field(default=None, description="Where the password comes from.")
    ca_file: Path | None = Field(default=None, description="Own certificate authority, PEM.")
    messages_per_connection: int = Field(
        default=100, ge=1, le=10000, description="Then a connection is renewed."
    )
    timeout_s: float = Field(default=60, gt=0, le=600, description="For each answer, in seconds.")
    final_timeout_s: float = Field(
        default=600,
        gt=0,
        le=3600,
        description="For the answer to the final dot, in seconds (RFC 5321 4.5.3.2.6: 10 min).",
    )

    @model_validator(mode="after")
    def _safe(self) -> Smtp:
        if self.username is not None and self.password is None:
            raise ValueError('username needs password = { env = "NAME" } beside it')
        if self.security == "none" and self.host not in {"localhost", "127.0.0.1", "::1"}:
            raise ValueError('security = "none" is only for a relay on this machine')
        return self


class Resend(_Table):
    """The HTTP provider Resend."""

    api_key: Secret = Field(description="Where the API key comes from.")
    base_url: str = Field(default="https://api.resend.com", description="The API's address.")
    timeout_s: float = Field(default=30, gt=0, le=600, description="For each answer, in seconds.")


# Half of what a name in the DNS may have each, so that selector._domainkey.domain is one.
DomainName = Annotated[str, Field(max_length=120, pattern=r"^([a-z0-9-]{1,63}\.)+[a-z0-9-]{2,63}$")]
Selector = Annotated[str, Field(max_length=120, pattern=r"^[a-z0-9-]{1,63}(\.[a-z0-9-]{1,63})*$")]


class Dkim(_Table):
    """DKIM signatures (RFC 6376), for transports that hand over whole messages."""

    domain: DomainName = Field(description="The domain that signs, e.g. example.org (d=).")
    selector: Selector = Field(description="Name of the RSA key in the domain's DNS (s=).")
    private_key: PrivateKey = Field(description="Where the RSA key comes from; 2048 to 4096 bits.")
    ed25519_selector: Selector | None = Field(
        default=None, description="Name of an Ed25519 key (RFC 8463), for a second signature."
    )
    ed25519_private_key: PrivateKey | None = Field(
        default=None, description="Where the Ed25519 key comes from."
    )

    @model_validator(mode="after")
    def _second_key(self) -> Dkim:
        if (self.ed25519_selector is None) != (self.ed25519_private_key is None):
            raise ValueError("ed25519_selector and ed25519_private_key need each other")
        if self.ed25519_selector == self.selector:
            raise ValueError("ed25519_selector must differ from selector: one name, one key")
        return self

    def names(self) -> dict[str, str | None]:
        """Who signs, without the keys: what must stay the same for a whole campaign."""
        return {
            "domain": self.domain,
            "selector": self.selector,
            "ed25519_selector": self.ed25519_selector,
        }

    def is_aligned_with(self, sender: str) -> bool:
        """Whether the domain vouches for an address in From (RFC 9989, relaxed alignment).

        It does if both are the same or one lies below the other.
        """
        signing, own = f".{self.domain}", f".{sender.rpartition('@')[2]}"
        return signing.endswith(own) or own.endswith(signing)


class Theme(_Table):
    """How the mail looks."""

    folder: Path = Field(default=Path("templates/default"), description="The theme's folder.")


class Mail(_Table):
    """What travels inside the mail, and what it leads to."""

    pictures: Literal["hosted", "inline"] = Field(
        default="hosted",
        description="hosted: loaded from the archive; inline: inside each mail (cid:).",
    )
    downloads: Literal["link", "attach"] = Field(
        default="link",
        description="link: documents lie in the archive; attach: they travel with each mail.",
    )


def _folder_address(url: str) -> str:
    if not re.fullmatch(r"https?://[^?#]+/", url):
        raise ValueError("must be an address with https:// in front and a slash at its end")
    return url


class Archive(_Table):
    """The past issues on the web, as “newsletter archive build” writes them."""

    url: Annotated[WebAddress, AfterValidator(_folder_address)] = Field(
        description="Public address of the archive, ending with a slash."
    )
    folder: Path = Field(
        default=Path("archive"), description="Where the archive is written, to be published."
    )


class Settings(_Table):
    """All of newsletter.toml."""

    language: Language = Field(default="en", description="Language of readers who named none.")
    list: ListIdentity
    sender: Sender
    organisation: Organisation
    theme: Theme = Theme()
    mail: Mail = Mail()
    archive: Archive | None = None
    audience: Audience = Audience()
    delivery: Delivery = Delivery()
    smtp: Smtp | None = None
    resend: Resend | None = None
    dkim: Dkim | None = None

    @model_validator(mode="after")
    def _transport_has_settings(self) -> Settings:
        name = self.delivery.transport
        if name != "mailbox" and getattr(self, name) is None:
            raise ValueError(f'transport = "{name}" needs a table [{name}]')
        return self

    @model_validator(mode="after")
    def _pictures_have_a_place(self) -> Settings:
        if self.mail.pictures == "hosted" and self.archive is None:
            raise ValueError(
                'pictures need a table [archive] with url = "https://…/", where they can be '
                'loaded from, or [mail] pictures = "inline", which puts them into each mail'
            )
        return self

    @model_validator(mode="after")
    def _nothing_is_lost_on_the_way(self) -> Settings:
        inside = self.mail.pictures == "inline" or self.mail.downloads == "attach"
        if inside and self.delivery.transport == "resend":
            raise ValueError(
                "Resend takes no files with a batch of mails and would leave them out; write "
                'pictures = "hosted" and downloads = "link" under [mail], or send through a relay '
                '(transport = "smtp")'
            )
        return self

    @model_validator(mode="after")
    def _said_once_a_language(self) -> Settings:
        if self.language in self.organisation.translations:
            raise ValueError(
                f"[organisation] is in “{self.language}” as language at the top says; take "
                f"[organisation.translations.{self.language}] out, or correct the language"
            )
        return self

    def organisation_in(self, language: str) -> tuple[Organisation, str]:
        """The organisation as an edition names it, and the language of its words.

        These are those of the edition's language, pt for pt-BR; else its own.
        """
        for name in (language, language.partition("-")[0]):
            if name == self.language:
                break
            if name in self.organisation.translations:
                return self.organisation.translated(name), name
        return self.organisation, self.language

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
    try:
        data: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(
            "There is no newsletter.toml here.",
            where=Where(path.parent),
            next="Run “newsletter init .” to start a project, or change to its folder.",
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"The settings cannot be read: {error}.",
            where=Where(path),
            next="Mend that line; strings stand in double quotes.",
        ) from None
    except OSError as error:
        raise ConfigError(
            f"The settings cannot be opened: {error.strerror}.", where=Where(path)
        ) from None
    try:
        return Settings.model_validate(data)
    except ValidationError as error:
        raise ConfigError(
            "Some settings cannot be used.",
            where=Where(path),
            problems=[
                Problem(
                    _sentence(item["msg"], item["type"]),
                    Where(item=_place(item["loc"])),
                )
                for item in error.errors()
            ],
            next="docs/settings.md lists every setting.",
        ) from None


def _place(loc: tuple[int | str, ...]) -> str | None:
    """``[smtp] port``; a setting above all tables stands alone."""
    *tables, setting = map(str, loc or ("",))
    return f"[{'.'.join(tables)}] {setting}" if tables else setting or None


def _sentence(message: str, kind: str) -> str:
    if kind == "missing":
        return "is missing."
    if kind == "extra_forbidden":
        return "is no setting; mind the spelling."
    return message.removeprefix("Value error, ").rstrip(".") + "."
