"""The slow road to the same message: plain binding and the standard library's EmailMessage.

Slow, and right for everything but the folding of long tokens, so it judges
what :mod:`newsletter.message.compose` splices together.
"""

import email
import email.policy
from email.header import decode_header, make_header
from email.headerregistry import Address as Mailbox
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr

from newsletter.message.model import Message, Recipient
from newsletter.message.tokens import Purpose
from newsletter.render.edition import Edition
from newsletter.render.slots import Slot, bind

from tests.message.samples import ARCHIVE, CAMPAIGN, DATE, KEYS, LIST, SENDER, url_for

# The default of 78 would rewrite long List-Unsubscribe fields.
POLICY = email.policy.SMTP.clone(max_line_length=998)


def slowly(edition: Edition, recipient: Recipient, message: Message) -> EmailMessage:
    values = {
        **recipient.fields,
        "name": recipient.name,
        "email": str(recipient.address),
        "unsubscribe_url": url_for(recipient),
    }
    slots = {slot.token: slot for slot in edition.slots}
    name = Slot("", "name", "header").bind(values)
    slow = EmailMessage(policy=POLICY)
    slow["Date"] = format_datetime(DATE)
    slow["From"] = Mailbox(SENDER.name, addr_spec=SENDER.address)
    slow["Reply-To"] = SENDER.reply_to
    slow["To"] = Mailbox(name, addr_spec=str(recipient.address))
    slow["Subject"] = bind(edition.subject, slots, values).strip()
    slow["Message-ID"] = message.message_id
    slow["List-Unsubscribe"] = f"<{url_for(recipient, Purpose.HEADER)}>"
    slow["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    slow["List-ID"] = f"{LIST.name} <{LIST.id}>"
    slow["List-Help"] = f"<mailto:{SENDER.reply_to}>"
    slow["List-Archive"] = f"<{ARCHIVE}>"
    slow["Precedence"] = "bulk"
    slow["X-Campaign"] = CAMPAIGN
    slow["X-Recipient"] = KEYS.message_tag(CAMPAIGN, recipient.address)
    slow.set_content(bind(edition.text, slots, values), cte="quoted-printable")
    slow.add_alternative(bind(edition.html, slots, values), subtype="html", cte="quoted-printable")
    slow["Content-Language"] = edition.language
    return slow


def parsed(raw: bytes) -> EmailMessage:
    message = email.message_from_bytes(raw, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    return message


def raw_header(message: Message, name: str) -> str:
    """A header as it stands on the wire, unfolded."""
    head = message.as_bytes().decode().partition("\r\n\r\n")[0].replace("\r\n ", " ")
    (found,) = [line for line in head.split("\r\n") if line.startswith(f"{name}: ")]
    return found.removeprefix(f"{name}: ")


def headers(message: EmailMessage) -> dict[str, str]:
    """All decoded headers but the one that holds the boundary."""
    return {name: str(value) for name, value in message.items() if name != "Content-Type"}


def reader_of(raw: bytes) -> tuple[str, str]:
    """Name and address in To, by the older parser of the standard library.

    The newer one leaves the space between two encoded words (RFC 2047 6.2).
    """
    (to,) = email.message_from_bytes(raw, policy=email.policy.compat32).get_all("To", [])
    name, address = parseaddr("".join(to.splitlines()))
    return str(make_header(decode_header(name))), address


def bodies(message: EmailMessage) -> list[tuple[str, str]]:
    return [(part.get_content_type(), part.get_content()) for part in message.iter_parts()]
