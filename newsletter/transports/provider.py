"""What a provider's file tells of it; all the rest is shared (:mod:`newsletter.transports.api`).

A provider is a table of facts and errors, the fields of one message, and where
its answers keep what it says. No I/O.
"""

from __future__ import annotations

import base64
import hashlib
import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import lru_cache
from importlib import import_module
from typing import Any, ClassVar, Generic, TypeVar
from urllib.parse import urlencode

from newsletter.clock import Clock
from newsletter.config import ProviderSettings
from newsletter.display_names import LONGEST_NAME, shortened
from newsletter.errors import ConfigError, Where
from newsletter.message.model import Content, Message
from newsletter.render.edition import Enclosure
from newsletter.transports.api_result import (
    ACCOUNT,
    RATE,
    Ambiguous,
    ApiError,
    ApiResult,
    Fault,
    FaultKind,
    Later,
    Refused,
    Stop,
)
from newsletter.transports.http_values import (
    Request,
    Response,
    canonical_json,
    objects_at,
    retry_after_s,
    without_empty,
)
from newsletter.transports.protocol import Accepted, Allowance
from newsletter.transports.template_syntax import escaped

_NAMESPACE = uuid.UUID("9d0cfb3e-5f0c-5a55-9f0e-6f6b1c7c2f11")
_UNFIT = re.compile(r"[^A-Za-z0-9_-]")


@dataclass(frozen=True, slots=True)
class ApiMessage:
    """A message and, taken apart once, what is sent of it.

    No word of the provider's template language, which ``words`` find, is left in
    ``content``.
    """

    message: Message
    words: tuple[re.Pattern[str], ...] = ()
    content: Content = field(init=False)

    def __post_init__(self) -> None:
        content = self.message.as_content()
        content = replace(content, to_name=shortened(content.to_name, LONGEST_NAME))
        object.__setattr__(self, "content", escaped(content, self.words))

    @property
    def key(self) -> str:
        """An idempotency key of its own, for providers that know one for each mail."""
        return call_key([self.message])

    @property
    def reference(self) -> str:
        """Our name for this message; another one each time a person has it mailed again.

        Else what a provider tells of the first would be taken for news of the second.
        """
        again = self.message.resends
        return f"{self.content.reference}-{again}" if again else self.content.reference

    @property
    def campaign(self) -> str:
        """A name for the campaign: letters, digits, hyphens and underscores, at most 128.

        No other list or sender that uses the same account has the same.
        """
        content = self.content
        name = content.reference.rpartition(".")[0] or content.reference
        whose = "\n".join([name, content.from_address, content.headers.get("List-ID", "")])
        digest = hashlib.sha256(whose.encode()).hexdigest()[:16]
        return f"{_UNFIT.sub('-', name)[:100]}_{digest}"


@dataclass(frozen=True, slots=True)
class FileFields:
    """What a provider calls the parts of a picture or document; "" for what it does not take.

    ``disposition`` gives its words for a document and for a picture shown inside.
    """

    name: str = "filename"
    content: str = "content"
    media_type: str = ""
    content_id: str = ""
    disposition: tuple[str, str] = ("", "")

    def of(self, file: Enclosure) -> dict[str, str]:
        """One file in these fields."""
        found = {
            self.name: file.name,
            self.content: _base64(file.content),
            self.media_type: file.media_type,
            self.content_id: file.content_id or "",
            "disposition": self.disposition[file.content_id is not None],
        }
        return {name: value for name, value in found.items() if name and value}


S = TypeVar("S", bound=ProviderSettings)


class Provider(Generic[S]):
    """One provider, for one account.

    A request is pure but for the clock that a signature needs, and the same
    messages give the same body: what is repeated must not differ.

    Args:
        settings: its table in newsletter.toml.
        secrets: the values of the table's secrets, by the name of the setting.
        clock: dates what must be signed.
        sandbox: the provider is to check the messages and deliver none.

    Raises:
        ConfigError: a secret holds what none can, or there is no sandbox.
    """

    name: ClassVar[str]
    """The word in newsletter.toml, and the name of the provider's file."""
    table: ClassVar[type[ProviderSettings]]
    """The settings of an account."""
    batch_size: ClassVar[int] = 1
    """Most messages a request; 1 where the provider takes them one by one."""
    key_lifetime_s: ClassVar[float] = 0.0
    """How long it remembers an idempotency key, in seconds; 0: it knows none."""
    allowance: ClassVar[Allowance] = Allowance()
    """What it lets an account do by default."""
    takes_smtputf8: ClassVar[bool] = False
    """Whether it takes addresses with non-ASCII letters before the @ (RFC 6531)."""
    template_syntax: ClassVar[tuple[re.Pattern[str], ...]] = ()
    """See :mod:`newsletter.transports.template_syntax`."""
    errors: ClassVar[Mapping[Any, Fault]] = {}
    """By code, status or word of an error; one that is not here is the account's."""
    file_fields: ClassVar[FileFields] = FileFields()
    no_sandbox: ClassVar[str] = ""
    """What to do instead, where no setting ``sandbox_…`` is there; "": it always has one."""
    listed: ClassVar[str] = ""
    """The list in answers to :meth:`search`; "": the provider cannot be asked for a message."""

    events_listed: ClassVar[str] = ""
    """The list in answers to :meth:`events`; "": it cannot be asked what happened since a time."""
    events_of: ClassVar[tuple[str, ...]] = ("",)
    """The kinds of events that are asked for, one after the other; ("",): all at once."""
    events_page: ClassVar[int] = 500
    """Rows of a page; a shorter page is the last."""
    events_overlap: ClassVar[timedelta] = timedelta(days=1)
    """How much is asked for once more: for events that are listed late, or by their mail's time."""

    def __init__(
        self, settings: S, secrets: Mapping[str, str], *, clock: Clock, sandbox: bool
    ) -> None:
        self.settings = settings
        self.sandbox = sandbox
        self.clock = clock
        named_ones = [key for key, value in settings if value is not None] + list(secrets)
        own_sandbox = any(key.startswith("sandbox_") for key in named_ones)
        if sandbox and self.no_sandbox and not own_sandbox:
            raise ConfigError(
                f"{self.title} has no sandbox.",
                where=Where(item="--sandbox"),
                next=f"Leave the option out. {self.no_sandbox}",
            )
        self.secrets = {key: self._checked(key, value) for key, value in secrets.items()}

    @property
    def title(self) -> str:
        """As the provider writes itself."""
        return self.table.title

    @property
    def next(self) -> str:
        """What to do when the account is refused."""
        return f"Look at your account at {self.title}, then run “newsletter resume ISSUE”."

    @property
    def base_url(self) -> str:
        """What the paths of requests are put behind."""
        return self.settings.base_url or self.endpoint

    @property
    def can_search(self) -> bool:
        """Whether it can be asked for a message by our reference."""
        return bool(self.listed)

    def message(self, message: Message) -> ApiMessage:
        """``message`` without words that this provider would interpret."""
        return ApiMessage(message, self.template_syntax)

    # What a provider's file fills in.

    @property
    def endpoint(self) -> str:
        """The API's address, where the settings name none."""
        return ""

    @property
    def path(self) -> str:
        """Of the call that takes messages, behind the base address."""
        raise NotImplementedError

    def auth(self) -> dict[str, str]:
        """The headers that prove who asks."""
        raise NotImplementedError

    def call_headers(self, key: str) -> dict[str, str]:  # noqa: ARG002 - for who takes a key
        """Further headers of a call, ``key`` being its UUID."""
        return {}

    def fields(self, message: ApiMessage) -> dict[str, object]:
        """One message as it stands in JSON; None and empty lists are left out.

        Raises:
            ConfigError: it holds what the provider cannot take.
        """
        raise NotImplementedError

    def payload(self, messages: Sequence[ApiMessage], key: str) -> object:  # noqa: ARG002 - as above
        """The call's JSON: a list of messages, or the only one."""
        found = [without_empty(self.fields(message)) for message in messages]
        return found if self.batch_size > 1 else found[0]

    def success(self, response: Response) -> ApiResult:
        """What an answer with a status of 2xx says. Never raises."""
        raise NotImplementedError

    def error(self, response: Response) -> ApiError | None:
        """What an answer with a status of 4xx says; None if it is no answer of the provider."""
        raise NotImplementedError

    def search(self, message: ApiMessage) -> Request:
        """The request that asks for one message; called only if ``can_search``."""
        raise NotImplementedError

    def proof(self, row: Mapping[str, Any], message: ApiMessage) -> Accepted | None:
        """What a row of :attr:`listed` proves: that the message was taken, or nothing."""
        raise NotImplementedError

    def events(self, since: datetime, kind: str, page: int) -> Request:
        """The request for a page, from 0, of what happened; called only if it can be asked."""
        raise NotImplementedError

    def more_events(
        self, since: datetime, kind: str, page: int, response: Response
    ) -> Request | None:
        """The request for a page that follows ``response``; None: that was the last."""
        rows = objects_at(response.json(), self.events_listed)
        return self.events(since, kind, page) if len(rows) >= self.events_page else None

    def event(self, row: Mapping[str, Any]) -> Mapping[str, Any]:
        """An event in words that all providers share, see :mod:`newsletter.feedback`."""
        return row

    # What follows from it.

    def request(self, messages: Sequence[ApiMessage], key: str) -> Request:
        """The request that hands ``messages`` over, ``key`` being a UUID.

        Raises:
            ConfigError: the messages hold what it cannot take.
        """
        headers = {
            **self.auth(),
            **self.call_headers(key),
            "Content-Type": "application/json",
            "Accept": "application/json",
        }
        return Request(self.path, canonical_json(self.payload(messages, key)), headers)

    def get(self, path: str, query: Mapping[str, object]) -> Request:
        """A request for what is known at ``path``."""
        headers = {**self.auth(), "Accept": "application/json"}
        return Request(f"{path}?{urlencode(query)}", headers=headers, method="GET")

    def files(self, content: Content, *, inline: bool | None = None) -> list[dict[str, str]]:
        """The pictures and documents; with ``inline`` only those shown inside, or only others.

        Raises:
            ConfigError: the provider would leave some out.
        """
        wanted = [
            each
            for each in content.enclosures
            if inline is None or (each.content_id is not None) is inline
        ]
        for each in wanted:
            taken = (
                self.table.takes_documents if each.content_id is None else self.table.takes_pictures
            )
            if not taken:
                raise ConfigError(
                    f"{self.title} takes no files of this kind, and these messages hold "
                    f"{'documents' if each.content_id is None else 'pictures'}.",
                    where=Where("newsletter.toml", item="[delivery] transport"),
                    next=(
                        "Send them through the transport they were made for, such as a relay "
                        "(smtp). For the next issue write pictures = “hosted” and downloads = "
                        "“link” under [mail]."
                    ),
                )
        return [self.file_fields.of(each) for each in wanted]

    def read(self, response: Response, messages: Sequence[ApiMessage]) -> ApiResult:
        """What an answer to :meth:`request` means for ``messages``.

        An error is believed only in its shape.
        """
        if 200 <= response.status < 300:
            return self.success(response)
        refused = 400 <= response.status < 500 and response.status != 408
        error = self.error(response) if refused else None
        if error is None:
            return self.gateway(response)
        return self.failure(response, error, len(messages))

    def failure(self, response: Response, error: ApiError, count: int) -> ApiResult:
        """What an error of a call for ``count`` messages means, by the table."""
        fault = error.fault or (RATE if response.status == 429 else ACCOUNT)
        match fault.kind:
            case FaultKind.RECIPIENT | FaultKind.MESSAGE:
                of_recipient = error.of_recipient or fault.kind is FaultKind.RECIPIENT
                some = error.positions < frozenset(range(count))
                positions = error.positions if some else frozenset()
                return Refused(error.reply, positions, of_recipient=of_recipient)
            case FaultKind.RATE:
                return Later(error.reply, retry_after_s(response.headers, now=self.clock.now()))
            case FaultKind.ACCOUNT:
                return Stop(error.reply, fault.next or self.next)
            case _:
                return Ambiguous(error.reply, final=fault.kind is FaultKind.KEY)

    def fault(self, *codes: str | int | None) -> Fault | None:
        """The table's row of the first code that stands there."""
        return next((self.errors[code] for code in codes if code in self.errors), None)

    def gateway(self, response: Response) -> Ambiguous:
        """An answer that is none of the provider's: it says nothing of the mail."""
        whose = "Something on the way" if _is_final(response.status) else self.title
        return Ambiguous(f"{whose} answered with HTTP status {response.status}.")

    def lacking(self, response: Response, what: str) -> Ambiguous:
        """A success without what the provider promises with it."""
        return Ambiguous(
            f"{self.title} answered with HTTP status {response.status}, but without {what}."
        )

    def found(self, response: Response, message: ApiMessage) -> Accepted | None:
        """What an answer to :meth:`search` proves: an acceptance, or nothing."""
        listed = objects_at(response.json(), self.listed) if response.status == 200 else []
        return next(filter(None, (self.proof(row, message) for row in listed)), None)

    def _checked(self, key: str, secret: str) -> str:
        """A secret, if it can stand in a header."""
        if not secret or not secret.isascii() or not secret.isprintable() or " " in secret:
            raise ConfigError(
                f"The secret {key} for {self.title} is empty, or holds characters that no key has.",
                where=Where("newsletter.toml", item=f"[{self.name}]"),
                next="Copy it again, without spaces or line breaks around it.",
            )
        return secret


def provider_class(name: str) -> type[Provider[Any]]:
    """The provider of the file ``providers/<name>.py``, which is loaded here."""
    found: type[Provider[Any]] = import_module(f"newsletter.transports.providers.{name}").PROVIDER
    return found


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
def _base64(file: bytes) -> str:
    """A picture or document as JSON carries it; encoded once for all messages that hold it."""
    return base64.b64encode(file).decode()


def _is_final(status: int) -> bool:
    return 200 <= status < 300 or (400 <= status < 500 and status != 408)
