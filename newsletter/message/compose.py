"""Composing: an edition and a recipient become a message. No I/O, no clock.

What is the same for every reader is encoded when the composer is made; a
message costs its values, their encoding and one join. The same recipient and
date always give the same bytes, so an attempt can be repeated byte for byte.

Headers follow RFC 5322, RFC 2919 (List-ID), RFC 2369 (List-Archive), RFC 8058
(one-click unsubscribe) and, for addresses that need it, RFC 6532.
"""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from newsletter.errors import IssueError
from newsletter.message.composed_message import ComposedMessage, EditionTemplate
from newsletter.message.headers import is_unfit
from newsletter.message.keys import KeyRing
from newsletter.message.links import Links
from newsletter.message.model import Message, Recipient
from newsletter.message.shared_headers import Letterhead, shared_headers
from newsletter.render.edition import Edition
from newsletter.render.slots import Slot

if TYPE_CHECKING:
    from newsletter.message.dkim import DkimSigner

_CAMPAIGN = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*", re.ASCII)
_NAME = Slot(token="", field="name", context="header")


class Uncomposable(ValueError):
    """No message can be made for this one recipient; the text says why, without naming them.

    Others may be fine: dispatch records it as this recipient's rejection.
    """


class Composer:
    """Makes the messages of one campaign in one language. Threads may share it.

    Merge fields see ``name``, ``email``, ``unsubscribe_url``, ``preferences_url``
    and the recipient's own fields; those four names cannot be taken by a column.

    Args:
        edition: what is sent.
        letterhead: who it is from, the list it goes to, and where its links lead.
        campaign_id: letters, digits, ``_``, ``-`` and single dots; part of Message-IDs and
            X-Campaign.
        keys: sign the reader's links.
        version: of the edition within the campaign, from 1; a correction adds one.
        signer: signs the messages themselves (DKIM), as far as they leave whole.
        proof: whether the links are to do nothing.

    Raises:
        ConfigError: a setting cannot stand in a header.
        IssueError: the subject cannot.
    """

    def __init__(
        self,
        edition: Edition,
        letterhead: Letterhead,
        *,
        campaign_id: str,
        keys: KeyRing,
        version: int = 1,
        signer: DkimSigner | None = None,
        proof: bool = False,
    ) -> None:
        if not _CAMPAIGN.fullmatch(campaign_id):
            raise ValueError(f"the campaign id {campaign_id!r} cannot stand in a Message-ID")
        if any(map(is_unfit, (edition.subject, edition.language, edition.issue_id))):
            raise IssueError(
                "The subject, language or name of the issue holds a line break, control or "
                "damaged character.",
                next="Delete it; a subject is one line.",
            )
        if any(is_unfit(each.name) for each in edition.enclosures):
            raise IssueError(
                "The name of a picture or document holds a line break, control or damaged "
                "character.",
                next="Rename the file.",
            )
        letterhead = replace(letterhead, sender=letterhead.sender_in(edition.language))
        self._subject = edition.subject
        self._keys = keys
        self._campaign_id = campaign_id
        self._links = Links(
            letterhead,
            keys=keys,
            campaign_id=campaign_id,
            language=edition.language,
            proof=proof,
        )
        self._shared_headers = shared_headers(letterhead)
        self._template = EditionTemplate(
            edition,
            letterhead.sender,
            self._shared_headers,
            campaign_id=campaign_id,
            version=version,
            signer=signer,
        )

    def compose(self, recipient: Recipient, *, date: datetime) -> Message:
        """The message for one recipient; ``date`` becomes its Date and must be aware.

        Raises:
            Uncomposable: a merge field asks for what the recipient has no
                field for, or their row holds what no mail can.
        """
        if date.tzinfo is None:
            raise ValueError("the date of a message must be aware")
        address = str(recipient.address)
        if is_unfit(address):
            raise Uncomposable("The reader's address holds a control or damaged character.")
        links = self._links.to(recipient.address, date=date)
        values = {
            **recipient.fields,
            "name": recipient.name,
            "email": address,
            "unsubscribe_url": links.page,
            "preferences_url": links.preferences,
        }
        try:
            encoded = self._template.encoded(values)
            name = _NAME.bind(values)
            subject = self._template.fill_in(self._subject, values).strip()
            f"{name}{subject}".encode()
        except KeyError as error:
            raise Uncomposable(
                f"The list has no column “{error.args[0]}” for this reader, but the issue needs it."
            ) from None
        except UnicodeEncodeError:
            raise Uncomposable("The reader's row holds a damaged character.") from None
        tag = self._keys.message_tag(self._campaign_id, recipient.address)
        return ComposedMessage(
            envelope_from=self._shared_headers.envelope_from(tag),
            envelope_to=recipient.address,
            message_id=f"<{self._campaign_id}.{tag}@{self._shared_headers.domain}>",
            date=date,
            tag=tag,
            name=name,
            subject=subject,
            unsubscribe=links.header,
            values=values,
            encoded=encoded,
            template=self._template,
            resends=recipient.resends,
        )
