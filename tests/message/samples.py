"""A tiny edition with every kind of slot, and what it takes to compose it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from newsletter.addresses import Address
from newsletter.config import ListIdentity, Public, Sender
from newsletter.message.compose import Composer
from newsletter.message.keys import KeyRing
from newsletter.message.model import Message, Recipient
from newsletter.message.shared_headers import Letterhead
from newsletter.message.tokens import Purpose, Token, Verifier, sign
from newsletter.render.edition import Edition
from newsletter.render.slots import Slot

if TYPE_CHECKING:  # else every letter would load cryptography
    from newsletter.message.dkim import DkimSigner

KEYS = KeyRing(bytes(range(32)), {1: bytes(range(32, 64))})
DATE = datetime(2017, 3, 1, 9, 30, tzinfo=UTC)
CAMPAIGN = "2017-03.1"
ARCHIVE = "https://news.defenders.example/archive/"
SENDER = Sender(
    name="Defenders' Newsletter",
    address="newsletter@defenders.example",
    reply_to="editors@defenders.example",
    bounces="bounces@defenders.example",
)
LIST = ListIdentity(
    id="news.defenders.example",
    name="Nouvelles des défenseurs",
    unsubscribe_url="https://news.defenders.example/u/{token}",
)
VERIFIER = Verifier.of(KEYS, LIST.id)


def token(number: int) -> str:
    return f"Zq3f9a01c7x{number:04}qZ"


SLOTS = (
    Slot(token(0), "name", "html", "friend"),
    Slot(token(1), "unsubscribe_url", "url"),
    Slot(token(2), "name", "text", "friend"),
    Slot(token(3), "unsubscribe_url", "text"),
    Slot(token(4), "name", "header", "friend"),
    Slot(token(5), "city", "html", "your city"),
    Slot(token(6), "city", "text", "your city"),
)
ORDINARY = "Plain words, for which quoted-printable is the shorter one.\n" * 9
EDITION = Edition(
    issue_id="2017-03",
    language="en",
    subject=f"News for {token(4)}, from 15 places",
    preheader="",
    html=(
        '<!doctype html>\n<html lang="en">\n<title>March</title>\n'
        f'<p style="color:#1a2b3c">Dear {token(0)} of {token(5)},\t\n'
        f"{'naïve café = déjà vu; ' * 12}</p>\n"
        f'<p><a href="{token(1)}">Unsubscribe</a> {token(0)}</p>\n{ORDINARY}</html>\n'
    ),
    text=(
        f"Dear {token(2)} of {token(6)},  \n\n.\n.a line with a dot\nFrom the editors: – “ok” =3D\n"
        f"{'x' * 75}{token(6)}\n{'é' * 40}{token(2)}{token(6)}\n\nUnsubscribe:\n"
        f"{token(3)}\n{ORDINARY}"
    ),
    slots=SLOTS,
)
PLAIN_SUBJECT = Edition(
    issue_id="2017-03",
    language="en",
    subject="March 2017",
    preheader="",
    html="<p>Hello</p>\n",
    text="Hello\n",
    slots=(),
)


def reader(
    name: str = "Anna Müller",
    address: str = "anna@reader.example.org",
    fields: Mapping[str, str] | None = None,
) -> Recipient:
    fields = {"city": "Tbilisi"} if fields is None else fields
    return Recipient(Address.parse(address), name, "en", fields)


def composer(
    edition: Edition = EDITION,
    *,
    sender: Sender = SENDER,
    list_identity: ListIdentity = LIST,
    archive_url: str | None = ARCHIVE,
    campaign_id: str = CAMPAIGN,
    keys: KeyRing = KEYS,
    signer: DkimSigner | None = None,
    public: Public | None = None,
) -> Composer:
    return Composer(
        edition,
        Letterhead(sender, list_identity, archive_url, public),
        campaign_id=campaign_id,
        keys=keys,
        signer=signer,
    )


def letter(recipient: Recipient | None = None, edition: Edition = EDITION) -> Message:
    return composer(edition).compose(recipient or reader(), date=DATE)


def url_for(recipient: Recipient, purpose: Purpose = Purpose.PAGE) -> str:
    address, campaign = KEYS.address_tag(recipient.address), KEYS.campaign_tag(CAMPAIGN)
    token = Token(purpose, address, campaign, int(DATE.timestamp()) // 60)
    assert LIST.unsubscribe_url
    return LIST.unsubscribe_url.replace("{token}", sign(token, keys=KEYS, list_id=LIST.id))
