"""The header fields that all messages of a campaign share. No I/O.

Refuses settings that no header can carry, naming each.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote

from newsletter.config import BOUNCE_SLOT, FILE_NAME, ListIdentity, Public, Sender
from newsletter.errors import ConfigError, Problem, Where
from newsletter.message.headers import field, is_unfit, mailbox

# It fits a line with its token; “<”, “>” would end it early (RFC 2369 section 2).
_UNSUBSCRIBE_URL = re.compile(r"https://[!#-;=?-~]{1,800}", re.ASCII)
# The domain in ASCII; the rest is quoted.
_ARCHIVE_URL = re.compile(r"mailto:|https?://[!-.0->@-~]+(?=[/?#]|\Z)", re.ASCII)
_URL_CHARACTERS = "%:/?#[]@!$&'()*+,;=~"


@dataclass(frozen=True, slots=True)
class Letterhead:
    """What the settings say of every message of a campaign.

    Attributes:
        sender: who it is from.
        list_identity: the list it goes to.
        archive_url: web address of past issues, for List-Archive.
        public: the public server that the reader's links lead to; None:
            ``unsubscribe_url`` of the list.
        language: of the names of sender and list, apart from translations.
    """

    sender: Sender
    list_identity: ListIdentity
    archive_url: str | None = None
    public: Public | None = None
    language: str = ""

    def sender_in(self, language: str) -> Sender:
        """Who mails in ``language`` are from."""
        return self.list_identity.sender_in(self.sender, language, own=self.language)


@dataclass(frozen=True, slots=True)
class SharedHeaders:
    """What every message of a campaign says of its sender and list.

    Attributes:
        domain: right-hand side of Message-IDs.
        top: the fields From and Reply-To.
        list_headers: name and value, unfolded, of the fields about the list.
        stream: list and SenderId, the end of Feedback-ID; None without that field.
        bounces: where bounce reports go, with ``{token}`` if each message has its own address.
    """

    domain: str
    top: str
    list_headers: Mapping[str, str]
    stream: str | None
    bounces: str

    def envelope_from(self, tag: str) -> str:
        """Where the bounce reports of one message go (VERP).

        ``tag`` is the message's :meth:`~newsletter.message.keys.KeyRing.message_tag`: with
        the keys, a bounce address identifies the recipient.
        """
        return self.bounces.replace(BOUNCE_SLOT, tag)


def shared_headers(letterhead: Letterhead) -> SharedHeaders:
    """Make it from the settings.

    Raises:
        ConfigError: some of them cannot stand in a header.
    """
    sender, list_identity = letterhead.sender, letterhead.list_identity
    archive_url = letterhead.archive_url
    problems = [
        *_address_problems(sender),
        *_line_problems(sender, list_identity),
        *_url_problems(list_identity, archive_url),
    ]
    if problems:
        raise ConfigError(
            "Some settings cannot stand in a mail's headers.",
            where=Where(FILE_NAME),
            problems=problems,
        )
    top = field("From", *mailbox(sender.name, sender.address))
    if sender.reply_to is not None:
        top += field("Reply-To", sender.reply_to)
    list_headers = {"List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}
    list_headers["List-ID"] = " ".join(mailbox(list_identity.name, list_identity.id))
    if sender.reply_to is not None:
        list_headers["List-Help"] = f"<mailto:{quote(sender.reply_to, safe='@')}>"
    if archive_url is not None:
        list_headers["List-Archive"] = f"<{quote(archive_url, safe=_URL_CHARACTERS)}>"
    list_headers["Precedence"] = "bulk"
    sender_id = list_identity.feedback_id
    return SharedHeaders(
        domain=sender.address.rpartition("@")[2],
        top=top,
        list_headers=list_headers,
        stream=f"{list_identity.id}:{sender_id}" if sender_id else None,
        bounces=sender.bounces or sender.address,
    )


def _address_problems(sender: Sender) -> list[Problem]:
    return [
        Problem(
            "has letters that most mail servers do not accept yet.",
            Where(item=f"[sender] {name}"),
            "Write an address in plain letters.",
        )
        for name in ("address", "reply_to", "bounces")
        if not (getattr(sender, name) or "").isascii()
    ]


def _line_problems(sender: Sender, list_identity: ListIdentity) -> list[Problem]:
    lines = {
        "[sender] name": sender.name,
        "[sender] address": sender.address,
        "[sender] reply_to": sender.reply_to or "",
        "[sender] bounces": sender.bounces or "",
        "[list] id": list_identity.id,
        "[list] name": list_identity.name,
        "[list] feedback_id": list_identity.feedback_id or "",
    }
    return [
        Problem("holds a line break, control or damaged character; delete it.", Where(item=item))
        for item, text in lines.items()
        if is_unfit(text)
    ]


def _url_problems(list_identity: ListIdentity, archive_url: str | None) -> list[Problem]:
    problems = []
    unsubscribe_url = list_identity.unsubscribe_url
    if unsubscribe_url is not None and not _UNSUBSCRIBE_URL.fullmatch(unsubscribe_url):
        problems.append(
            Problem(
                "is no address that mail programs can use.",
                Where(item="[list] unsubscribe_url"),
                "Write plain letters without spaces, a domain with accents in its xn-- form, "
                "and no more than 800 of them.",
            )
        )
    if archive_url is not None and not _ARCHIVE_URL.match(archive_url):
        problems.append(
            Problem(
                "has a domain with accents.",
                Where(item="[archive] url"),
                "Write the domain in its xn-- form.",
            )
        )
    return problems
