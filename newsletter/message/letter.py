"""One letter, put together on demand from what all share and what is its own. No I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime

from newsletter.addresses import Address
from newsletter.config import Sender
from newsletter.message.headers import field, mailbox, unstructured
from newsletter.message.letterhead import Letterhead
from newsletter.message.mime import alternative, boundary, join
from newsletter.message.model import Content
from newsletter.render.edition import Edition
from newsletter.render.slots import TOKEN, Slot, bind


class Stationery:
    """What all letters of one edition share, encoded once.

    Attributes:
        blanks: the values that the body asks for, each once, without tokens;
            a letter brings them filled in and encoded, in this order.
    """

    def __init__(self, edition: Edition, sender: Sender, letterhead: Letterhead) -> None:
        mark = boundary(edition.fingerprint)
        # Slots that say the same, such as a link's in HTML and text, are encoded once.
        says = {slot.token: (slot.field, slot.context, slot.fallback) for slot in edition.slots}
        number = {what: index for index, what in enumerate(dict.fromkeys(says.values()))}
        self.blanks = tuple(Slot("", *what) for what in number)
        self.edition = edition
        self.sender = sender
        self.slots = {slot.token: slot for slot in edition.slots}
        self.list_headers = {**letterhead.list_headers, "Content-Language": edition.language}
        self.top = letterhead.top
        self.subject = (
            None if TOKEN.search(edition.subject) else _subject_field(edition.subject.strip())
        )
        self.bottom = (
            "".join(field(name, *value.split(" ")) for name, value in self.list_headers.items())
            + field("MIME-Version", "1.0")
            + field("Content-Type", "multipart/alternative;", f'boundary="{mark}"')
        )
        self.body = alternative(
            text=edition.text,
            html=edition.html,
            boundary=mark,
            place={token: number[what] for token, what in says.items()},
        )


@dataclass(frozen=True, slots=True, eq=False)
class Letter:
    """A :class:`newsletter.message.model.Message` that holds its values, not yet its bytes.

    ``values`` are those of the merge fields, ``encoded`` the stationery's
    blanks filled in.
    """

    envelope_from: str
    envelope_to: Address
    message_id: str
    date: datetime
    name: str
    values: Mapping[str, str]
    encoded: Sequence[bytes]
    stationery: Stationery

    def as_bytes(self) -> bytes:
        """The whole message in CRLF lines, not dot-stuffed."""
        head = (
            field("Date", format_datetime(self.date.astimezone(UTC)))
            + self.stationery.top
            + field("To", *mailbox(self.name, str(self.envelope_to)))
            + (self.stationery.subject or _subject_field(self._subject))
            + field("Message-ID", self.message_id)
            + field("List-Unsubscribe", self._unsubscribe)
            + self.stationery.bottom
        )
        return join(head.encode(), self.stationery.body, self.encoded)

    def as_content(self) -> Content:
        """The message taken apart; header values are unfolded and in ASCII."""
        edition, slots = self.stationery.edition, self.stationery.slots
        return Content(
            from_name=self.stationery.sender.name,
            from_address=self.stationery.sender.address,
            reply_to=self.stationery.sender.reply_to,
            to_name=self.name,
            to_address=str(self.envelope_to),
            subject=self._subject,
            html=bind(edition.html, slots, self.values),
            text=bind(edition.text, slots, self.values),
            headers={
                "Message-ID": self.message_id,
                "List-Unsubscribe": self._unsubscribe,
                **self.stationery.list_headers,
            },
        )

    @property
    def _subject(self) -> str:
        return bind(self.stationery.edition.subject, self.stationery.slots, self.values).strip()

    @property
    def _unsubscribe(self) -> str:
        return f"<{self.values['unsubscribe_url']}>"


def _subject_field(subject: str) -> str:
    return field("Subject", *unstructured(subject))
