"""The links of a mail that are its reader's own: to leave, and to change what they get. No I/O."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote

from newsletter.addresses import Address
from newsletter.config import LinkTemplates
from newsletter.message.keys import KeyRing
from newsletter.message.shared_headers import Letterhead
from newsletter.message.tokens import NOBODY, Purpose, Token, sign


@dataclass(frozen=True, slots=True)
class ReaderLinks:
    """The links in one reader's mail.

    Attributes:
        header: the value of List-Unsubscribe (RFC 2369, RFC 8058): https first.
        page: where the page is that asks whether to leave.
        preferences: where they change what they get; empty without such a page.
    """

    header: str
    page: str
    preferences: str


class Links:
    """Makes the links of one campaign's mails in one language.

    Args:
        letterhead: whose list they are of, and the public server.
        keys: sign them.
        campaign_id: the campaign.
        language: of the edition, and so of the pages.
        proof: whether they are to do nothing, as in a proof or preview.
    """

    def __init__(
        self,
        letterhead: Letterhead,
        *,
        keys: KeyRing,
        campaign_id: str,
        language: str,
        proof: bool = False,
    ) -> None:
        list_identity, public = letterhead.list_identity, letterhead.public
        self._list_id = list_identity.id
        self._keys = keys
        self._campaign_tag = keys.campaign_tag(campaign_id)
        self._proof = proof
        self._mailto = public.mailto if public else None
        self._templates = LinkTemplates.of(list_identity, public, language)

    def to(self, address: Address, *, date: datetime) -> ReaderLinks:
        """The links in the mail to ``address`` that is dated ``date``."""
        tag = NOBODY if self._proof else self._keys.address_tag(address)
        minute = int(date.timestamp() // 60)

        def token(purpose: Purpose) -> str:
            return sign(
                Token(purpose, tag, self._campaign_tag, minute),
                keys=self._keys,
                list_id=self._list_id,
            )

        templates, header = self._templates, token(Purpose.HEADER)
        ways = [f"<{templates.header.replace('{token}', header)}>"]
        if self._mailto is not None:
            ways.append(f"<mailto:{quote(self._mailto, safe='@')}?subject={header}>")
        return ReaderLinks(
            header=", ".join(ways),
            page=templates.page.replace("{token}", token(Purpose.PAGE)),
            preferences=templates.preferences.replace("{token}", token(Purpose.PREFERENCES)),
        )
