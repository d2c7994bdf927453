"""A mail beside the newsletter: one text to one address, such as the request to confirm. No I/O.

It carries nothing of a campaign: no list fields, no link of the reader's own but what
its text holds, no name but the sender's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import cached_property
from typing import TYPE_CHECKING

from newsletter.addresses import Address
from newsletter.message.headers import field, is_unfit, mailbox, unstructured
from newsletter.message.mime import Entity, fill, stuffed, two_ways
from newsletter.message.model import Content

if TYPE_CHECKING:
    from newsletter.message.dkim import DkimSigner

_OF_A_PROGRAM = {"Auto-Submitted": "auto-generated"}  # RFC 3834 section 5: nothing answers it


@dataclass(frozen=True)
class Notice:
    """A :class:`newsletter.message.model.Message` of its own.

    Attributes:
        sender_name: in From.
        envelope_from: in From and MAIL FROM.
        envelope_to: in To and RCPT TO.
        subject: one line.
        text: the text part.
        html: the HTML part.
        language: of both.
        message_id: with its angle brackets.
        date: of the mail, aware.
        signer: signs it, if mail is signed here.

    Raises:
        ValueError: a line break or other control character stands where it could begin a
            header of its own.
    """

    sender_name: str
    envelope_from: str
    envelope_to: Address
    subject: str
    text: str
    html: str
    language: str
    message_id: str
    date: datetime
    signer: DkimSigner | None = None
    version: int = 1
    resends: int = 0

    def __post_init__(self) -> None:
        """Refuse what would begin a header of its own."""
        lines = (
            self.sender_name,
            self.envelope_from,
            str(self.envelope_to),
            self.subject,
            self.language,
            self.message_id,
        )
        if any(map(is_unfit, lines)):
            raise ValueError("a header would hold a control character")

    def as_bytes(self) -> bytes:
        """The whole message in CRLF lines, not dot-stuffed."""
        return b"".join([self._head, *fill(self._content.body, ())])

    def as_wire(self) -> Sequence[bytes]:
        """The same, dot-stuffed."""
        return [self._head, *map(stuffed, fill(self._content.body, ()))]

    def as_content(self) -> Content:
        """The message taken apart."""
        return Content(
            from_name=self.sender_name,
            from_address=self.envelope_from,
            reply_to=None,
            to_name="",
            to_address=str(self.envelope_to),
            subject=self.subject,
            html=self.html,
            text=self.text,
            headers=self._own_headers,
            reference=self.message_id[1:].partition("@")[0],
        )

    @property
    def _own_headers(self) -> dict[str, str]:
        return {
            "Message-ID": self.message_id,
            **_OF_A_PROGRAM,
            "Content-Language": self.language,
        }

    @cached_property
    def _content(self) -> Entity:
        mark = self.message_id[1:].partition("@")[0]
        return two_ways(text=self.text, html=self.html, mark=mark)

    @cached_property
    def _head(self) -> bytes:
        head = (
            field("Date", format_datetime(self.date.astimezone(UTC)))
            + field("From", *mailbox(self.sender_name, self.envelope_from))
            + field("To", str(self.envelope_to))
            + field("Subject", *unstructured(self.subject))
            + "".join(field(name, value) for name, value in self._own_headers.items())
            + field("MIME-Version", "1.0")
            + self._content.fields
        )
        if self.signer is not None:
            signer = self.signer.for_body(self._content.body)
            head = signer.signatures(head, (), date=self.date) + head
        return head.encode()
