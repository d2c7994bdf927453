"""The public server: [public]. No I/O."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from newsletter.config.identity import ListIdentity, Mailbox
from newsletter.config.table import Table
from newsletter.config.ways_out import RelayAccess
from newsletter.model import Language, Line
from newsletter.web_addresses import with_ascii_host

_LOOPBACK = {"localhost", "127.0.0.1", "::1"}
_LONGEST = 400
"""Characters; with a token and a second address it fits a header line (RFC 5322 2.1.1)."""


def _base_address(text: str) -> str:
    text = with_ascii_host(text.rstrip("/"))
    try:
        parts = urlsplit(text)
        _ = parts.port  # raises for what is no number
    except ValueError:
        raise ValueError("must be an address, as in https://news.example.org") from None
    if not parts.hostname or not (
        parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)
    ):
        raise ValueError(
            "must begin with https:// and name a host, as in https://news.example.org "
            "(http:// only for this machine)"
        )
    if parts.query or parts.fragment or "?" in text or "#" in text or parts.username is not None:
        raise ValueError("must hold no ?, no # and no user name; a path is allowed")
    if len(text) > _LONGEST or not all("!" <= c <= "~" and c not in '<>"{}' for c in text):
        raise ValueError(
            "must be of plain letters without spaces, quotes, braces and angle brackets, "
            f"{_LONGEST} of them at most"
        )
    return text


TopicId = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,15}$")]
TopicName = Annotated[Line, Field(max_length=80)]
MOST_TOPICS = 12
READ_EVERY_S = 5.0
KEEP_LOG_DAYS = 90


class Public(Table):
    """Where readers leave, change what they get, and sign up."""

    url: Annotated[str, AfterValidator(_base_address)] = Field(
        description="Web address of “newsletter serve”, e.g. https://news.example.org."
    )
    mailto: Mailbox | None = Field(
        default=None,
        description="Address that takes mails of those who leave by mail; "
        "adds mailto: to List-Unsubscribe.",
    )
    log: Path | None = Field(
        default=None,
        description="File of the public log, where the server is on this machine. Default: "
        "public.db in this folder; once “newsletter keys public” was run, the server at url.",
    )
    read_every_s: float = Field(
        default=READ_EVERY_S,
        ge=1,
        le=3600,
        description="How often a send reads the public log, in seconds.",
    )
    keep_log_days: int = Field(
        default=KEEP_LOG_DAYS,
        ge=1,
        le=3650,
        description="How long the server keeps entries that this machine has read, in days.",
    )
    topics: dict[TopicId, dict[Language, TopicName]] = Field(
        default={},
        max_length=MOST_TOPICS,
        description="What readers can choose among, each with its name in your languages.",
    )
    confirm_from: Mailbox | None = Field(
        default=None,
        description="Address in From of the mail that asks who signs up to confirm; "
        "not the newsletter's own.",
    )
    relay: RelayAccess | None = Field(
        default=None,
        description="The relay that those mails leave through: [public.relay]. "
        "Without it nobody can sign up.",
    )

    @model_validator(mode="after")
    def _confirmations_are_from_somebody(self) -> Public:
        if self.relay is not None and self.confirm_from is None:
            raise ValueError('[public.relay] needs confirm_from = "confirm@example.org" beside it')
        return self

    @model_validator(mode="after")
    def _topics_have_names(self) -> Public:
        nameless = [topic for topic, names in self.topics.items() if not names]
        if nameless:
            raise ValueError(
                f'the topic {nameless[0]} needs a name, as in {nameless[0]} = {{ en = "…" }}'
            )
        return self


@dataclass(frozen=True, slots=True)
class LinkTemplates:
    """Where a mail's links of its reader's own lead, with ``{token}`` for the reader's token.

    Attributes:
        header: takes the POST of List-Unsubscribe.
        page: asks whether to leave; in the mail's text.
        preferences: the page to change what one gets; empty without a public server.
    """

    header: str
    page: str
    preferences: str

    @classmethod
    def of(cls, list_identity: ListIdentity, public: Public | None, language: str) -> LinkTemplates:
        """Those of mails in ``language``: of the public server, else of the list's own page."""
        if public is None:
            url = list_identity.unsubscribe_url or ""
            return cls(url, url, "")
        lang = f"{{token}}?lang={language}"
        return cls(
            f"{public.url}/1/{{token}}",
            f"{public.url}/leave/{lang}",
            f"{public.url}/preferences/{lang}",
        )
