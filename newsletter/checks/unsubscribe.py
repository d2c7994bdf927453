"""The way out, and who stands behind the mail."""

from __future__ import annotations

from collections.abc import Iterator

from newsletter.checks.check_input import UNSUBSCRIBE, CheckInput
from newsletter.checks.finding import Flaw, Location, Severity, check
from newsletter.checks.page import anchors, words
from newsletter.config import FILE_NAME
from newsletter.errors import Where
from newsletter.phrases import joined

_WHY = "Readers who cannot unsubscribe mark the mail as spam, and the law requires a link."


def _tokens(given: CheckInput) -> frozenset[str]:
    return frozenset(slot.token for slot in given.edition.slots if slot.field == UNSUBSCRIBE)


@check("unsubscribe-html", why=_WHY)
def unsubscribe_html(given: CheckInput) -> Iterator[Flaw]:
    """A visible link with words to the reader's own unsubscribe page."""
    tokens = _tokens(given)
    if any(a.href in tokens and a.text and not a.hidden for a in anchors(given.page)):
        return
    yield Flaw(
        Severity.ERROR,
        "The mail has no visible unsubscribe link.",
        "Put a link to {{ unsubscribe_url }} in the theme's footer.",
        given.theme_place,
    )


@check("unsubscribe-text", why=_WHY)
def unsubscribe_text(given: CheckInput) -> Iterator[Flaw]:
    """The reader's own unsubscribe address stands in the text part."""
    if any(token in given.edition.text for token in _tokens(given)):
        return
    yield Flaw(
        Severity.ERROR,
        "The text part has no unsubscribe address.",
        "Put {{ unsubscribe_url }} in the theme's mail.txt.j2.",
        given.theme_place,
    )


@check(
    "postal-address",
    why="The law of many countries requires the sender's postal address in the mail.",
)
def postal_address(given: CheckInput) -> Iterator[Flaw]:
    """The organisation's postal address stands in the HTML and in the text part."""
    organisation, _ = given.settings.organisation_in(given.issue.language)
    address = words(organisation.postal_address)
    parts = {"HTML": given.visible, "text part": given.edition.text}
    for part, text in parts.items():
        if address not in words(text):
            yield Flaw(
                Severity.ERROR,
                f"The {part} lacks the organisation's postal address.",
                "Put {{ organisation.postal_address }} in the theme's footer.",
                given.theme_place,
            )


@check(
    "notice-incomplete",
    why=(
        "Whoever gives you their data must be told why, on what basis, who else gets it and "
        "where to complain (GDPR article 13). The public pages link to the notice."
    ),
)
def privacy_notice(given: CheckInput) -> Iterator[Flaw]:
    """The settings say all that the public side's privacy notice needs."""
    missing = given.settings.privacy.missing
    if given.settings.public is not None and missing:
        yield Flaw(
            Severity.NOTE,
            f"The privacy notice of the public side says nothing of {joined(missing)}.",
            "Set them under [privacy] in newsletter.toml; “newsletter docs rights” tells what "
            "belongs there.",
            Location(Where(FILE_NAME, item="[privacy]")),
        )


@check(
    "sender-no-reply",
    why="Readers reply to newsletters; replies to an address that nobody reads are lost.",
)
def sender_no_reply(given: CheckInput) -> Iterator[Flaw]:
    """Answers do not go to noreply@."""
    sender = given.settings.sender
    address = sender.reply_to or sender.address
    local = address.partition("@")[0].lower()
    if local.replace("-", "").replace("_", "").replace(".", "") in {"noreply", "donotreply"}:
        yield Flaw(
            Severity.WARNING,
            f"Replies go to {address}.",
            "Set reply_to under [sender] in newsletter.toml to an address that somebody reads.",
            Location(Where(FILE_NAME, item="[sender] reply_to")),
        )
