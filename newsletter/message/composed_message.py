"""A message, put together on demand from its edition's template and its own values. No I/O."""

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
from newsletter.message.mime import content, fill, stuffed
from newsletter.message.model import Content
from newsletter.message.shared_headers import SharedHeaders
from newsletter.render.edition import Edition
from newsletter.render.slots import bind

if TYPE_CHECKING:
    from newsletter.message.dkim import DkimBodySigner, DkimSigner


class EditionTemplate:
    """What all messages of one edition share, encoded once.

    Attributes:
        open_slots: the slots of the body, in the order of their numbers in it.
        signer: signs messages with this body, if they are signed.
    """

    def __init__(
        self,
        edition: Edition,
        sender: Sender,
        shared_headers: SharedHeaders,
        *,
        campaign_id: str,
        version: int,
        signer: DkimSigner | None,
    ) -> None:
        self.version = version
        self.open_slots = tuple(slot for slot in edition.slots if slot.context != "header")
        self.edition = edition
        self.sender = sender
        self._slots = {slot.token: slot for slot in edition.slots}
        self.headers = dict(shared_headers.list_headers)
        if shared_headers.stream is not None:
            feedback = f"{edition.issue_id}:{edition.language}:{shared_headers.stream}"
            self.headers["Feedback-ID"] = feedback
        self.headers |= {"X-Campaign": campaign_id, "Content-Language": edition.language}
        self.top = shared_headers.top
        place = {slot.token: number for number, slot in enumerate(self.open_slots)}
        whole = content(edition, place=place)
        self.bottom = (
            "".join(field(name, *value.split(" ")) for name, value in self.headers.items())
            + field("MIME-Version", "1.0")
            + whole.fields
        )
        self.body = whole.body
        self._whole = whole
        self.wire = tuple(
            piece if isinstance(piece, int) else stuffed(piece) for piece in self.body
        )
        self.signer: DkimBodySigner | None = signer.for_body(self.body) if signer else None

    def encoded(self, values: Mapping[str, str]) -> list[bytes]:
        """What fills the body for a recipient with these values.

        Raises:
            KeyError: an open slot needs a field that is not among them.
            UnicodeEncodeError: a value holds half of a surrogate pair.
        """
        return self._whole.encoded([slot.bind(values) for slot in self.open_slots])

    def fill_in(self, text: str, values: Mapping[str, str]) -> str:
        """One of the edition's texts with the values in its slots, not encoded."""
        return bind(text, self._slots, values)


@dataclass(frozen=True, slots=True, eq=False)
class ComposedMessage:
    """A :class:`newsletter.message.model.Message` that holds its values, not yet its bytes.

    ``tag`` identifies campaign and recipient, ``unsubscribe`` is the value of
    List-Unsubscribe, ``values`` are those of the merge fields, ``encoded`` fills
    the template's body.
    """

    envelope_from: str
    envelope_to: Address
    message_id: str
    date: datetime
    tag: str
    name: str
    subject: str
    unsubscribe: str
    values: Mapping[str, str]
    encoded: Sequence[bytes]
    template: EditionTemplate
    resends: int

    @property
    def version(self) -> int:
        """Of the edition it was made from."""
        return self.template.version

    def as_bytes(self) -> bytes:
        """The whole message in CRLF lines, not dot-stuffed."""
        return b"".join([self._head(), *fill(self.template.body, self.encoded)])

    def as_wire(self) -> list[bytes]:
        """The same dot-stuffed, in pieces. No line of the head starts with a dot."""
        # What follows on the slots' values is base64, without dots and too long to be searched.
        slots = len(self.template.open_slots)
        values = [*map(stuffed, self.encoded[:slots]), *self.encoded[slots:]]
        return [self._head(), *fill(self.template.wire, values)]

    def _head(self) -> bytes:
        head = (
            _date_field(self.date)
            + self.template.top
            + field("To", *mailbox(self.name, str(self.envelope_to)))
            + _subject_field(self.subject)
            + "".join(field(name, *value.split(" ")) for name, value in self._own_headers().items())
            + self.template.bottom
        )
        signer = self.template.signer
        if signer is None:
            return head.encode()
        return (signer.signatures(head, self.encoded, date=self.date) + head).encode()

    def as_content(self) -> Content:
        """The message taken apart; header values are unfolded and in ASCII."""
        template = self.template
        return Content(
            from_name=template.sender.name,
            from_address=template.sender.address,
            reply_to=template.sender.reply_to,
            to_name=self.name,
            to_address=str(self.envelope_to),
            subject=self.subject,
            html=template.fill_in(template.edition.html, self.values),
            text=template.fill_in(template.edition.text, self.values),
            headers={**self._own_headers(), **template.headers},
            reference=self.message_id[1:].partition("@")[0],
            enclosures=template.edition.enclosures,
        )

    def _own_headers(self) -> dict[str, str]:
        """The headers of this message alone; each is folded between its tokens only."""
        return {
            "Message-ID": self.message_id,
            "X-Recipient": self.tag,
            "List-Unsubscribe": self.unsubscribe,
        }


# Most messages of a batch share their date and subject, and both are slow to encode.
@lru_cache(maxsize=128)
def _date_field(date: datetime) -> str:
    return field("Date", format_datetime(date.astimezone(UTC)))


@lru_cache(maxsize=128)
def _subject_field(subject: str) -> str:
    return field("Subject", *unstructured(subject))
