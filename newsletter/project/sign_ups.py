"""Who signed up on the public side: asked again if they had left before, and shown."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from newsletter.errors import RosterError
from newsletter.ledger.sign_ups import SignUp, Wording
from newsletter.message.notice import Notice
from newsletter.message.tokens import Purpose, Token, sign
from newsletter.project.addresses import parse_addresses
from newsletter.project.project import Project
from newsletter.project.transport import hand_over, open_transport
from newsletter.transports.protocol import Accepted
from newsletter.web.bundle import Bundle

if TYPE_CHECKING:
    from newsletter.ledger.ledger import Ledger

_ASKED_AGAIN_AFTER = timedelta(days=7)
_MOST_ASKED = 100


@dataclass(frozen=True, slots=True)
class Asked:
    """What came of asking those who had left and signed up again.

    Attributes:
        sent: how many were asked.
        failed: how many could not be; they are asked again in a week.
        waiting: how many are left for the next time.
    """

    sent: int = 0
    failed: int = 0
    waiting: int = 0


def ask_returning(project: Project) -> Asked:
    """Ask who had left and signed up again whether that was them: once a week each.

    The link in the mail can be made here alone, so that nobody who holds the public
    server can bring somebody back.

    Raises:
        ConfigError: a password or key is not to be had.
        TransportStopped: the relay or provider takes nothing.
        LedgerRefused: the ledger cannot be written.
    """
    if project.settings.public is None or not project.has_ledger:
        return Asked()
    now = project.clock.now()
    with closing(project.ledger(create=False)) as ledger:
        due = _due(project, ledger, now)
        chosen = due[:_MOST_ASKED]
        if not chosen:
            return Asked()
        messages = [_question(project, sign_up) for sign_up in chosen]
        with closing(open_transport(project)) as transport:
            # Noted first: rather not asked for a week than asked twice.
            with ledger.transaction():
                for sign_up in chosen:
                    ledger.sign_ups.note_asked(project.keys.address_tag(sign_up.address), now=now)
            outcomes = hand_over(transport, messages)
    sent = sum(isinstance(outcome, Accepted) for _, outcome in outcomes)
    return Asked(sent, len(chosen) - sent, len(due) - len(chosen))


def _due(project: Project, ledger: Ledger, now: datetime) -> list[SignUp]:
    """The latest sign-ups of those who left before, and were not asked within a week."""
    keys, asked = project.keys, ledger.sign_ups.asked_since(now - _ASKED_AGAIN_AFTER)
    sign_ups = ledger.sign_ups.all()
    if not sign_ups:
        return []
    suppressed = ledger.suppressions.tags()
    left_by_list = _left_by_list(project, ledger, sign_ups)
    latest = {sign_up.address.suppression_key: sign_up for sign_up in sign_ups}
    due = []
    for key, sign_up in latest.items():
        tags = keys.tags(sign_up.address)
        leaves = [
            leave
            for tag in suppressed.intersection(tags)
            for leave in ledger.suppressions.in_force(tag)
        ]
        stays_out = key in left_by_list and not ledger.suppressions.returned(tags[0])
        # Who left after the form has changed their mind since.
        newest = max((leave.at for leave in leaves), default=None)
        wants = newest is None or sign_up.form_at > newest
        if (leaves or stays_out) and wants and tags[0] not in asked:
            due.append(sign_up)
    return due


def _left_by_list(project: Project, ledger: Ledger, sign_ups: Sequence[SignUp]) -> frozenset[str]:
    """Whom the files of the list say not to mail."""
    try:
        return project.roster_without_sign_ups(ledger, sign_ups).left_keys
    except RosterError:
        return frozenset()


def _question(project: Project, sign_up: SignUp) -> Notice:
    settings, keys = project.settings, project.keys
    assert settings.public is not None
    minute = int(sign_up.form_at.timestamp() // 60)
    token = Token(Purpose.RETURN, keys.address_tag(sign_up.address), sign_up.id[:8], minute)
    text = sign(token, keys=keys, list_id=settings.list.id)
    pages = Bundle.of(project).pages()
    language = sign_up.language if sign_up.language in pages.languages else pages.languages[0]
    url = f"{settings.public.url}/confirm/{text}?lang={language}"
    words = pages.notice("return", language).with_link(url)
    name = hashlib.sha256(text.encode()).hexdigest()[:24]
    return Notice(
        sender_name=pages.list_name_in(language),
        envelope_from=settings.confirm_from,
        envelope_to=sign_up.address,
        subject=words.subject,
        text=words.text,
        html=words.html,
        language=language,
        message_id=f"<{name}@{settings.confirm_from.rpartition('@')[2]}>",
        date=project.clock.now(),
        signer=project.signer,
    )


@dataclass(frozen=True, slots=True)
class Consent:
    """One sign-up, and the words that were ticked; None if they were never noted here."""

    sign_up: SignUp
    wording: Wording | None


@dataclass(frozen=True, slots=True)
class Known:
    """How a reader came on the list.

    Attributes:
        file: the file of the list that names them; None: none does.
        row: their row in it; 0: none.
        consents: their sign-ups, the first one first.
        is_suppressed: whether they are not mailed all the same.
        imports: what imports say of them, as for JSON.
        kept_off: what keeps them off the list: ``file``, or ``wait`` or ``never`` of an import;
            empty: nothing does.
    """

    file: Path | None
    row: int
    consents: tuple[Consent, ...]
    is_suppressed: bool
    imports: tuple[Mapping[str, Any], ...] = ()
    kept_off: str = ""

    def as_json(self) -> dict[str, Any]:
        """As values for JSON."""
        return {
            "file": str(self.file) if self.row else "",
            "row": self.row,
            "imports": list(self.imports),
            "sign_ups": [
                {
                    "language": each.sign_up.language,
                    "topics": list(each.sign_up.topics),
                    "form_sent": each.sign_up.form_at.isoformat(),
                    "confirmed": each.sign_up.at.isoformat(),
                    "words": each.wording.words if each.wording else "",
                    **each.sign_up.consent,
                }
                for each in self.consents
            ],
            "kept_off": self.kept_off,
            "suppressed": self.is_suppressed,
        }


def known_of(project: Project, address: str) -> Known:
    """How a reader came on the list.

    Raises:
        InputError: it is no address.
        RosterError: the list cannot be used.
        LedgerRefused: the ledger cannot be read.
    """
    (parsed,) = parse_addresses([address])
    key, roster = parsed.suppression_key, project.roster()
    listed = [each for each in roster.subscribers if each.address.suppression_key == key]
    file, row = (listed[0].file, listed[0].row) if listed else (None, 0)
    kept_off = "file" if not listed and key in roster.left_keys else ""
    if not project.has_ledger:
        return Known(file, row, (), is_suppressed=False, kept_off=kept_off)
    keys = project.keys
    tags = keys.tags(parsed)
    with closing(project.ledger(create=False, follow=False)) as ledger:
        consents = tuple(
            Consent(sign_up, ledger.sign_ups.wording(sign_up.consent["wording"]))
            for sign_up in ledger.sign_ups.of(tags[0])
        )
        suppressed = any(map(ledger.suppressions.is_suppressed, tags))
        imports = tuple(each for tag in tags for each in ledger.imports.of(tag))
        states_by_tag = {} if listed else ledger.imports.kept_off()
    states = [str(states_by_tag[tag]) for tag in tags if tag in states_by_tag]
    return Known(file, row, consents, suppressed, imports, states[0] if states else kept_off)
