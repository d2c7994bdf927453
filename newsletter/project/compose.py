"""From an edition and a recipient to their message."""

from __future__ import annotations

import json
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING

from newsletter.audience.model import Subscriber
from newsletter.config import FILE_NAME, ListIdentity, Public, Sender, Settings
from newsletter.errors import ConfigError, InputError, Where
from newsletter.message.compose import Composer, Uncomposable
from newsletter.message.keys import KeyRing
from newsletter.message.model import Message, Recipient
from newsletter.message.shared_headers import Letterhead
from newsletter.project.project import Project
from newsletter.render.edition import Edition

if TYPE_CHECKING:
    from newsletter.delivery.worker import Compose
    from newsletter.ledger.campaigns import Campaign
    from newsletter.ledger.ledger import Ledger
    from newsletter.message.dkim import DkimSigner
    from newsletter.project.compile import CompiledIssue


def letterhead(settings: Settings) -> str:
    """What besides the edition goes into every message, as canonical JSON."""
    head = {
        "sender": settings.sender.model_dump(mode="json"),
        "list": settings.list.model_dump(mode="json"),
        "archive": settings.archive_url,
        "language": settings.language,
    }
    if settings.public is not None:
        head["public"] = settings.public.model_dump(mode="json", include={"url", "mailto"})
    if settings.dkim is not None:
        head["dkim"] = settings.dkim.names()
    return json.dumps(head, ensure_ascii=False, sort_keys=True)


def unsigned_composer(
    edition: Edition, settings: Settings, *, keys: KeyRing, campaign: str
) -> Composer:
    """What makes messages to look at from ``edition``; to sign them may run a command.

    Their links do nothing.
    """
    return _composer(edition, letterhead(settings), campaign=campaign, keys=keys, proof=True)


def signing_composer(
    project: Project,
    edition: Edition,
    *,
    letterhead: str,
    campaign: str,
    version: int = 1,
    proof: bool = False,
) -> Composer:
    """What makes messages to send from ``edition`` under a frozen letterhead.

    In a proof, the reader's links do nothing.

    Raises:
        ConfigError: a DKIM key cannot be used, or the settings name others now.
    """
    signer = _signer_as(project, json.loads(letterhead).get("dkim"))
    return _composer(
        edition,
        letterhead,
        campaign=campaign,
        keys=project.keys,
        version=version,
        signer=signer,
        proof=proof,
    )


def compose_frozen(project: Project, ledger: Ledger, campaign: Campaign) -> Compose:
    """What makes the message for a recipient, from the version that is theirs.

    Raises:
        LedgerRefused: what the ledger holds is not what was approved.
        ConfigError: at the first message of a version, if it was approved with
            settings that cannot be had any more.
    """
    approved = ledger.campaigns.approved(campaign)

    # Made when first needed: nobody may be left whose version is an earlier one.
    @cache
    def composer(version: int, language: str) -> Composer:
        return signing_composer(
            project,
            approved[version].editions[language],
            letterhead=approved[version].letterhead,
            campaign=campaign.id,
            version=version,
        )

    return lambda recipient, date, version: composer(version, recipient.language).compose(
        recipient, date=date
    )


def compose_one(composer: Composer, recipient: Recipient, *, date: datetime) -> Message:
    """The message for one person.

    Raises:
        InputError: their row holds what no mail can.
    """
    try:
        return composer.compose(recipient, date=date)
    except Uncomposable as error:
        raise InputError(
            f"No mail can be made for {recipient.address}: {error}",
            next="Correct their row of the list.",
        ) from None


def as_recipient(subscriber: Subscriber, compiled: CompiledIssue) -> Recipient:
    """A row of the list as somebody who gets the edition that is theirs."""
    language = compiled.edition_of(subscriber.language)
    return Recipient(subscriber.address, subscriber.name, language, subscriber.fields)


def _composer(
    edition: Edition,
    letterhead: str,
    *,
    campaign: str,
    keys: KeyRing,
    version: int = 1,
    signer: DkimSigner | None = None,
    proof: bool = False,
) -> Composer:
    head = json.loads(letterhead)
    return Composer(
        edition,
        Letterhead(
            Sender(**head["sender"]),
            ListIdentity(**head["list"]),
            archive_url=head["archive"],
            public=Public(**head["public"]) if "public" in head else None,
            language=head.get("language", ""),
        ),
        campaign_id=campaign,
        keys=keys,
        version=version,
        signer=signer,
        proof=proof,
    )


def _signer_as(project: Project, frozen: object) -> DkimSigner | None:
    """The signer under the names that a letterhead holds; None if it holds none.

    Raises:
        ConfigError: the settings name others now.
    """
    if frozen is None:
        return None
    dkim = project.settings.dkim
    if dkim is None or frozen != dkim.names():
        raise ConfigError(
            "This send began with DKIM signatures of another domain or selector.",
            where=Where(project.folder / FILE_NAME, item="[dkim]"),
            next="Restore the table and its keys until this send is finished.",
        )
    return project.signer
