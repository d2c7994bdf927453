"""One letter, put together on demand from what all share and what is its own. No I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import lru_cache
from typing import TYPE_CHECKING

from newsletter.addresses import Address
from newsletter.config import Sender
from newsletter.message.headers import field, mailbox, unstructured
from newsletter.message.letterhead import Letterhead
from newsletter.message.mime import content, fill, stuffed
from newsletter.message.model import Content
from newsletter.render.edition import Edition
from newsletter.render.slots import bind

if TYPE_CHECKING:
    from newsletter.message.dkim import BodySigner, Signer


class Stationery:
    """What all letters of one edition share, encoded once.

    Attributes:
        blanks: the slots of the body; a letter brings them filled in and
            encoded, in this order.
        signer: signs letters with this body, if they are signed.
    """

    def __init__(
        self,
        edition: Edition,
        sender: Sender,
        letterhead: Letterhead,
        *,
        campaign_id: str,
        version: int,
        signer: Signer | None,
    ) -> None:
        self.version = version
        self.blanks = tuple(slot for slot in edition.slots if slot.context != "header")
        self.edition = edition
        self.sender = sender
        self._slots = {slot.token: slot for slot in edition.slots}
        self.headers = dict(letterhead.list_headers)
        if letterhead.stream is not None:
            feedback = f"{edition.issue_id}:{edition.language}:{letterhead.stream}"
            self.headers["Feedback-ID"] = feedback
        self.headers |= {"X-Campaign": campaign_id, "Content-Language": edition.language}
        self.top = letterhead.top
        place = {slot.token: number for number, slot in enumerate(self.blanks)}
        whole = content(edition, place=place)
        self.bottom = (
            "".join(field(name, *value.split(" ")) for name, value in self.headers.items())
            + field("MIME-Version", "1.0")
            + whole.fields
        )
        self.body = whole.body
        self.wire = tuple(
            piece if isinstance(piece, int) else stuffed(piece) for piece in self.body
        )
        self.signer: BodySigner | None = signer.for_body(self.body) if signer else None

    def fill_in(self, text: str, values: Mapping[str, str]) -> str:
        """One of the edition's texts with the values in its slots, the plain way."""
        return bind(text, self._slots, values)


@dataclass(frozen=True, slots=True, eq=False)
class Letter:
    """A :class:`newsletter.message.model.Message` that holds its values, not yet its bytes.

    ``tag`` stands for campaign and reader, ``values`` are those of the merge
    fields, ``encoded`` the stationery's blanks filled in.
    """

    envelope_from: str
    envelope_to: Address
    message_id: str
    date: datetime
    tag: str
    name: str
    subject: str
    values: Mapping[str, str]
    encoded: Sequence[bytes]
    stationery: Stationery
    resends: int

    @property
    def version(self) -> int:
        """Of the edition it was made from."""
        return self.stationery.version

    def as_bytes(self) -> bytes:
        """The whole message in CRLF lines, not dot-stuffed."""
        return b"".join([self._head(), *fill(self.stationery.body, self.encoded)])

    def as_wire(self) -> list[bytes]:
        """The same dot-stuffed, in pieces. No line of the head starts with a dot."""
        values = [stuffed(value) for value in self.encoded]
        return [self._head(), *fill(self.stationery.wire, values)]

    def _head(self) -> bytes:
        head = (
            _date_field(self.date)
            + self.stationery.top
            + field("To", *mailbox(self.name, str(self.envelope_to)))
            + _subject_field(self.subject)
            + "".join(f"{name}: {value}\r\n" for name, value in self._own_headers().items())
            + self.stationery.bottom
        )
        signer = self.stationery.signer
        if signer is None:
            return head.encode()
        return (signer.signatures(head, self.encoded, date=self.date) + head).encode()

    def as_content(self) -> Content:
        """The message taken apart; header values are unfolded and in ASCII."""
        stationery = self.stationery
        return Content(
            from_name=stationery.sender.name,
            from_address=stationery.sender.address,
            reply_to=stationery.sender.reply_to,
            to_name=self.name,
            to_address=str(self.envelope_to),
            subject=self.subject,
            html=stationery.fill_in(stationery.edition.html, self.values),
            text=stationery.fill_in(stationery.edition.text, self.values),
            headers={**self._own_headers(), **stationery.headers},
            reference=self.message_id[1:].partition("@")[0],
            enclosures=stationery.edition.enclosures,
        )

    def _own_headers(self) -> dict[str, str]:
        """What no other letter has; none of it is ever folded."""
        return {
            "Message-ID": self.message_id,
            "X-Recipient": self.tag,
            "List-Unsubscribe": f"<{self.values['unsubscribe_url']}>",
        }


# Most letters of a batch share their date and subject, and both are slow to write.
@lru_cache(maxsize=128)
def _date_field(date: datetime) -> str:
    return field("Date", format_datetime(date.astimezone(UTC)))


@lru_cache(maxsize=128)
def _subject_field(subject: str) -> str:
    return field("Subject", *unstructured(subject))
