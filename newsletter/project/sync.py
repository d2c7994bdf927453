"""What happened on the public side, read from its log into the ledger.

Events have ids and only add up, so that reading the log twice, late, from two
machines or after a restored backup changes nothing. Whoever has the server can
invent or swallow events; they cannot make this machine believe a log that was
rolled back without a warning.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from newsletter.clock import moment_at
from newsletter.config.public import KEEP_LOG_DAYS
from newsletter.errors import ConfigError, InputError, LogUnreachable, Where
from newsletter.ledger.leave_reasons import LeaveReason
from newsletter.ledger.log_entries import MOST_KEPT, Cursor
from newsletter.ledger.preferences import LONGEST_PAUSE, PreferenceChange
from newsletter.ledger.sign_ups import SignUp
from newsletter.ledger.suppressions import Leave, Reason, Return, Void
from newsletter.message.keys import ADDRESS_TAG_BYTES
from newsletter.message.tokens import Purpose, Token, Verifier, verify
from newsletter.phrases import count
from newsletter.project.log_source import LogSource, has_public_log, log_source
from newsletter.project.project import Project
from newsletter.project.rights import Erased, keep_promises
from newsletter.project.sign_ups import note_wordings, sign_up_of
from newsletter.web.log import ID_BYTES, Entry, Page, first_head, next_head
from newsletter.web.seal import unseal

if TYPE_CHECKING:
    from newsletter.ledger import Ledger

_LONGEST_S = 600.0
"""A server that invents entries without an end is left after so many seconds."""
_OLD_KEYS = "The server does not have the newest key, so it cannot verify the links of new mail."
_GIVE_KEYS = (
    "Run “newsletter keys public” and copy the folder to the server, or, where it runs in this "
    "folder, end “newsletter serve” and start it anew."
)
_KIND = re.compile(r"[a-z][a-z0-9_-]{0,30}", re.ASCII)
_ROADS = {"header": "one-click", "page": "unsubscribe page", "mail": "unsubscribe mail"}


@dataclass(frozen=True, slots=True)
class Misuse:
    """The sign-up form closed itself: how many were asked within a day, how many confirmed."""

    asked: int
    confirmed: int

    @property
    def told(self) -> str:
        """What a person should know."""
        return (
            f"The sign-up form closed itself for a time: {self.asked:,} mails asked to confirm "
            f"within a day, and {self.confirmed:,} did. Somebody may be using it to send mail to "
            "strangers; “newsletter docs public” says more."
        )


_Event = Leave | Void | Return | LeaveReason | PreferenceChange | SignUp | Misuse


@dataclass(slots=True)
class SyncResult:
    """What came of reading the public log.

    Attributes:
        new: how many events were new, by their kind: ``leave``, ``void``, ``return``,
            ``preferences``, ``signup``.
        waiting: how many entries are kept, by the kind that this version does not know;
            under the empty kind, those that no key opens or that make no sense.
        warnings: what a person should look into.
        erased: what was erased, since its time was over or its reader had asked for it.
        lacks_newest_key: whether the server does not have the keys that new mail is signed with.
    """

    new: Counter[str] = field(default_factory=Counter)
    waiting: Counter[str] = field(default_factory=Counter)
    warnings: list[str] = field(default_factory=list)
    erased: Erased = field(default_factory=Erased)
    lacks_newest_key: bool = False


@dataclass(frozen=True, slots=True)
class Batch:
    """Some entries of the log, verified and opened, and where it is then read to."""

    events: Sequence[tuple[Entry, Mapping[str, Any] | None]]
    cursor: Cursor
    warnings: Sequence[str]
    is_last: bool


class LogReader:
    """Reads a public log, page by page.

    Args:
        source: the log.
        project: whose keys open the boxes.
        cursor: how far it was read; None: not at all.
    """

    def __init__(self, source: LogSource, project: Project, cursor: Cursor | None) -> None:
        self._source = source
        self._cursor = cursor
        self._project = project
        self._domain = project.settings.confirm_from.rpartition("@")[2]
        self._topics = tuple(project.settings.public.topics if project.settings.public else ())
        self._list_id = project.settings.list.id
        self._box_keys = project.keys.box_keys(self._list_id)
        self._verifier = Verifier.of(project.keys, self._list_id)
        self._newest_secret = project.keys.signing_key_id
        self._issues: dict[str, str] | None = None
        self.result = SyncResult()

    def fetch(self) -> Batch:
        """The next entries. Asks the log, and touches no ledger.

        Raises:
            LogUnreachable: it cannot be read.
        """
        known = self._cursor
        page = self._source.page(known.seq if known else 0)
        warnings = []
        if known is not None and (why := _mismatch(page, known)):
            warnings.append(f"{why} Everything in it is read again; nothing is counted twice.")
            known = None
            page = self._source.page(0)
        if 0 < page.secret < self._newest_secret:
            self.result.lacks_newest_key = True
            warnings.append(f"{_OLD_KEYS} {_GIVE_KEYS}")
        after, head = (known.seq, known.head) if known else (0, first_head(page.log_id))
        if page.first_kept > after + 1:
            warnings.append(
                f"{count(page.first_kept - after - 1, 'entry', 'entries')} left the log before "
                "this machine read it. Did another machine of yours? If not, look for them in the "
                "server's backups."
            )
            after, head = page.first_kept - 1, b""
        cursor, holds = _follow(page, Cursor(page.log_id, after, head))
        if not holds:
            warnings.append(
                "The log's chain does not hold: entries were changed, or left out, after they "
                "were written. What is in it was applied all the same."
            )
        events = [(entry, unseal(entry.box, self._box_keys)) for entry in page.entries]
        return Batch(
            events, cursor, warnings, is_last=cursor.seq >= page.last or cursor.seq <= after
        )

    def write(self, batch: Batch, ledger: Ledger, *, now: datetime) -> None:
        """Apply what was fetched ``now``; inside the caller's transaction."""
        for entry, content in batch.events:
            if self._apply(entry.id, content, ledger) is None:
                continue
            if not ledger.log_entries.keep(entry.id, entry.box, opens=content is not None):
                self._warn(
                    f"Up to {MOST_KEPT:,} entries wait already, so further ones were not kept. "
                    "“newsletter sync --again” reads them once more."
                )
        for warning in batch.warnings:
            self._warn(warning)
        ledger.log_entries.move(batch.cursor, now=now)
        self._cursor = batch.cursor

    def try_kept(self, ledger: Ledger) -> None:
        """Try again what could not be applied before, and count what waits still.

        Inside the caller's transaction.
        """
        for id_, box in ledger.log_entries.kept():
            why = self._apply(id_, unseal(box, self._box_keys), ledger)
            if why is None:
                ledger.log_entries.applied(id_)
            else:
                self.result.waiting[why] += 1

    def _apply(self, id_: bytes, content: Mapping[str, Any] | None, ledger: Ledger) -> str | None:
        """Bring one event to the ledger.

        Returns:
            None: it is applied. Else its kind, which this version does not know; empty: the
            box does not open, or what it holds makes no sense.
        """
        if content is None:
            return ""
        try:
            event = self._event(id_, content)
        except (AttributeError, KeyError, TypeError, ValueError):
            return ""
        if event is None:
            kind = str(content.get("kind"))
            return kind if _KIND.fullmatch(kind) else ""
        match event:
            case SignUp():
                self._sign_up(event, ledger)
            case PreferenceChange():
                self.result.new["preferences"] += ledger.preferences.add(event)
            case Return():
                added = [ledger.suppressions.add(each) for each in self._returns(event, ledger)]
                self.result.new["return"] += any(added)
            case LeaveReason():
                issue = self._issue_of(content, ledger)
                ledger.leave_reasons.add(id_, replace(event, issue=issue))
            case Misuse():
                self._warn(event.told)
            case _ if ledger.suppressions.add(event):
                self.result.new[type(event).__name__.lower()] += 1
        return None

    def _event(self, id_: bytes, content: Mapping[str, Any]) -> _Event | None:
        if content.get("v") == 1 and content.get("kind") == "signup":
            return sign_up_of(
                content, self._box_keys, domain=self._domain, now=self._project.clock.now()
            )
        event = _event(id_, content, self._verifier)
        return self._within_time(event) if isinstance(event, PreferenceChange) else event

    def _within_time(self, change: PreferenceChange) -> PreferenceChange:
        """A change not from the future, and no pause for ever: whatever clock or server told it.

        Else no later change of the reader would count.
        """
        now = self._project.clock.now()
        pause = change.pause and min(change.pause, now.date() + LONGEST_PAUSE)
        return replace(change, at=min(change.at, now), pause=pause)

    def _sign_up(self, sign_up: SignUp, ledger: Ledger) -> None:
        """On the list; what they chose counts from the form on, as if chosen later."""
        tag = self._project.keys.address_tag(sign_up.address)
        if not ledger.sign_ups.add(sign_up, tag):
            return
        self.result.new["signup"] += 1
        chosen = (
            {topic: topic in sign_up.topics for topic in self._topics} if sign_up.topics else {}
        )
        ledger.preferences.add(
            PreferenceChange(tag, sign_up.form_at, sign_up.language, chosen, None, sign_up.id)
        )

    def _returns(self, event: Return, ledger: Ledger) -> Iterator[Return]:
        """A return under each tag that the reader may have left by, with the form's own time."""
        sign_up = ledger.sign_ups.beginning(bytes.fromhex(event.evidence[0]["sign_up"]))
        if sign_up is None:
            yield event
            return
        keys = self._project.keys
        yield replace(event, form_at=sign_up.form_at)
        for tag in keys.former_tags(sign_up.address):
            yield replace(event, tag=tag, form_at=sign_up.form_at, id=b"")

    def _issue_of(self, content: Mapping[str, Any], ledger: Ledger) -> str:
        """The issue whose campaign an entry names; empty: none that is known here."""
        if self._issues is None:
            tag = self._project.keys.campaign_tag
            self._issues = {tag(each.id).hex(): each.issue for each in ledger.campaigns.all()}
        return self._issues.get(str(content.get("campaign")), "")

    def _warn(self, words: str) -> None:
        if words not in self.result.warnings:
            self.result.warnings.append(words)


def sync(project: Project, *, again: bool = False) -> SyncResult:
    """Read what is new in the public log. May run during a send.

    Args:
        project: the project.
        again: read all of it, whatever was read before.

    Raises:
        InputError: there is no public side.
        LogUnreachable: the log cannot be read.
        LedgerRefused: the ledger cannot be written.
    """
    if not has_public_log(project):
        raise InputError(
            "This newsletter has no public side, so there is no log to read.",
            where=Where(project.folder / "newsletter.toml", item="[public]"),
            next="“newsletter docs public” tells how to set one up.",
        )
    with (
        closing(log_source(project)) as source,
        closing(project.ledger(create=True)) as ledger,
    ):
        reader = LogReader(source, project, None if again else ledger.log_entries.cursor)
        until = project.clock.monotonic() + _LONGEST_S
        while not (batch := _read_on(project, reader, ledger)).is_last:
            if project.clock.monotonic() > until:
                raise LogUnreachable(
                    "The public log does not come to an end.",
                    next="What was read so far counts. Run “newsletter sync” again; if that does "
                    "not end either, somebody may be flooding the log.",
                )
        with ledger.transaction():
            reader.try_kept(ledger)
            ledger.leave_reasons.show_groups()
            note_wordings(project, ledger)
        if guard := project.copy_guard(ledger):
            guard.follow()  # so that the send record knows as well
        reader.result.erased = keep_promises(project, ledger)
        public = project.settings.public
        keep_days = public.keep_log_days if public else KEEP_LOG_DAYS
        try:
            source.synced(batch.cursor.seq, keep_days=keep_days)
        except LogUnreachable as error:
            reader.result.warnings.append(f"Old entries stay on the server: {error.what}")
    return reader.result


def _read_on(project: Project, reader: LogReader, ledger: Ledger) -> Batch:
    batch = reader.fetch()
    with ledger.transaction():
        reader.write(batch, ledger, now=project.clock.now())
    return batch


def read_before_send(project: Project, *, required: bool) -> SyncResult | None:
    """Read the public log, so that whoever left is not mailed.

    Args:
        project: the project.
        required: whether the send must not begin without it. A trial may: it reaches nobody.

    Returns:
        What was new; None if there is no public side.

    Raises:
        LogUnreachable: it cannot be read, and is required.
        ConfigError: its server lacks the newest key, and the log is required.
    """
    if not has_public_log(project):
        return None
    project.refuse_without_ledger()
    try:
        result = sync(project)
    except LogUnreachable as error:
        if required and not project.trial:
            raise LogUnreachable(
                f"{error.what} Nothing was sent: who left would get it.",
                where=error.where,
                next=f"{error.next} To send all the same: --without-log",
            ) from None
        return SyncResult(warnings=[error.what])
    if result.lacks_newest_key and required and not project.trial:
        raise ConfigError(
            f"{_OLD_KEYS} Nothing was sent.",
            where=Where(project.key_file),
            next=f"{_GIVE_KEYS} To send all the same: --without-log",
        )
    return result


def _mismatch(page: Page, known: Cursor) -> str:
    """Why a log is not the one that was read, or not its continuation; empty if it is."""
    if page.log_id != known.log_id:
        return (
            "This is another log than the one read before: the server was set up anew, its file "
            "was lost, or the address leads to another server."
        )
    if page.last < known.seq:
        return (
            f"The log was rolled back: {known.seq:,} entries had been read, and it holds "
            f"{page.last:,}. Was a backup of the server restored?"
        )
    if known.head and page.first_kept <= known.seq + 1 and page.head != known.head:
        return "The log was rolled back and went on, or was changed."
    return ""


def _follow(page: Page, start: Cursor) -> tuple[Cursor, bool]:
    """The place behind a page, and whether the chain leads there.

    An empty head at the start is not known.
    """
    head = start.head or page.head or b""
    seq, holds = start.seq, page.head in {None, head}
    for entry in page.entries:
        right = next_head(head, entry.id, entry.box) if head else entry.head
        holds = holds and entry.seq == seq + 1 and entry.head == right
        seq, head = entry.seq, entry.head
    return Cursor(start.log_id, seq, head), holds


def _event(id_: bytes, content: Mapping[str, Any], verifier: Verifier) -> _Event | None:
    """What an entry means; None if this version does not know.

    Raises:
        KeyError, TypeError, ValueError: it makes no sense.
    """
    if content.get("v") != 1:
        return None
    match content.get("kind"):
        case "leave":
            at = moment_at(float(content["at"]))
            tag = _bytes(content["tag"], ADDRESS_TAG_BYTES)
            evidence = {
                name: str(content[name]) for name in ("campaign", "key") if content.get(name)
            }
            road = _ROADS.get(content["road"], "public log")
            return Leave(tag, Reason.UNSUBSCRIBED, road, at, (evidence,), id_)
        case "token":
            return _leave_of_token(id_, content, verifier)
        case "undo":
            at = moment_at(float(content["at"]))
            return Void(_bytes(content["leave"], ID_BYTES), "unsubscribe page", at, id_)
        case "preferences":
            at = moment_at(float(content["at"]))
            if "token" in content:
                tag = _verified(content["token"], verifier, Purpose.PREFERENCES).address_tag
            else:
                tag = _bytes(content["tag"], ADDRESS_TAG_BYTES)
            return PreferenceChange.of(tag, at, content["changes"], id_)
        case "return":
            # Only this machine can have made the token; its minute is that of the form.
            token = _verified(content["token"], verifier, Purpose.RETURN)
            form_at = moment_at(token.minute * 60.0)
            sign_up = {"sign_up": token.campaign_tag.hex()}
            return Return(token.address_tag, "confirmation", form_at, (sign_up,), id_)
        case "reason":
            return LeaveReason.of(content)
        case "breaker":
            return Misuse(int(content["asked"]), int(content["confirmed"]))
    return None


def _leave_of_token(id_: bytes, content: Mapping[str, Any], verifier: Verifier) -> Leave:
    """A leave whose token the server could not verify: it was signed with a newer secret.

    Raises:
        ValueError: this machine cannot verify it either; maybe another one has the secret.
    """
    by_page = content["road"] == "page"
    purposes = (Purpose.HEADER, *((Purpose.PAGE, Purpose.PREFERENCES) if by_page else ()))
    token = _verified(content["token"], verifier, *purposes)
    at = moment_at(float(content["at"]))
    evidence = {"campaign": token.campaign_tag.hex(), "key": str(token.key_id)}
    road = _ROADS["page" if by_page else "header"]
    return Leave(token.address_tag, Reason.UNSUBSCRIBED, road, at, (evidence,), id_)


def _verified(text: str, verifier: Verifier, *purposes: Purpose) -> Token:
    """A token that the server could not, or must not be able to, verify.

    Raises:
        ValueError: it is none of ours, of a proof, or for none of ``purposes``.
    """
    token = verify(text, verifier)
    if token is None or token.inert or not any(map(token.is_for, purposes)):
        raise ValueError("not a token for this")
    return token


def _bytes(text: str, length: int) -> bytes:
    value = bytes.fromhex(text)
    if len(value) != length:
        raise ValueError(f"not {length} bytes")
    return value
