"""Reads a public log, page by page, and brings its events to the ledger.

Events have ids and only add up, so that reading the log twice, late, from two
machines or after a restored backup changes nothing. Whoever has the server can
invent or swallow events; they cannot make this machine believe a log that was
rolled back without a warning.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from newsletter.clock import moment_at
from newsletter.ledger.leave_reasons import LeaveReason
from newsletter.ledger.log_entries import MOST_KEPT, Cursor
from newsletter.ledger.preferences import LONGEST_PAUSE, PreferenceChange
from newsletter.ledger.sign_ups import SignUp
from newsletter.ledger.suppressions import Leave, Return
from newsletter.ledger.webhooks import MOST_WEBHOOKS
from newsletter.message.tokens import Verifier
from newsletter.phrases import count
from newsletter.project.log_events import LogEvent, Misuse, event_of, sign_up_of
from newsletter.project.log_source import LogSource
from newsletter.project.rights import Erased
from newsletter.web.log import Entry, Page, first_head, next_head
from newsletter.web.seal import unseal

if TYPE_CHECKING:
    from newsletter.ledger.ledger import Ledger
    from newsletter.project.project import Project

_A_DAY_S = 86_400
_KIND = re.compile(r"[a-z][a-z0-9_-]{0,30}", re.ASCII)
_MOST_WARNINGS = 20
"""Whoever has the server could invent any number of things to warn of."""


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Why a send should not begin although the log was read, and what to do."""

    what: str
    next: str


_SERVER_LACKS_KEY = Obstacle(
    "The server does not have the newest key, so it cannot verify the links of new mail.",
    "Run “newsletter keys public” and copy the folder to the server. If it runs in "
    "this folder, restart “newsletter serve”.",
)
_KEY_MISSING_HERE = Obstacle(
    "The server has a newer key than this machine, so not all entries can be read here.",
    "Copy the newest newsletter.key to this folder.",
)


@dataclass(slots=True)
class SyncResult:
    """What came of reading the public log.

    Attributes:
        new: how many events were new, by their kind: ``leave`` (of readers who had not left),
            ``void``, ``return``, ``preferences``, ``signup``; of ``webhook`` how many were read.
        waiting: how many entries are kept, by the kind that this version does not know;
            under the empty kind, those that no key opens or that make no sense.
        warnings: what a person should look into, the obstacles among it.
        obstacles: why a send should not begin.
        erased: what was erased, since its time was over or its reader had asked for it.
    """

    new: Counter[str] = field(default_factory=Counter)
    waiting: Counter[str] = field(default_factory=Counter)
    warnings: list[str] = field(default_factory=list)
    obstacles: list[Obstacle] = field(default_factory=list)
    erased: Erased = field(default_factory=Erased)


@dataclass(frozen=True, slots=True)
class OpenedEntries:
    """Some entries of the log, verified and opened.

    Attributes:
        events: the entries, each with what its box held; None: no key opens it.
        cursor: where the log is then read to.
        missed: how many left the log before these, and were never read here.
        warnings: what a person should look into.
        is_last: whether nothing more is in the log.
    """

    events: Sequence[tuple[Entry, Mapping[str, Any] | None]]
    cursor: Cursor
    missed: int
    warnings: Sequence[str]
    is_last: bool


class LogReader:
    """Reads a public log, page by page.

    Args:
        source: the log.
        project: whose keys open the boxes.
        cursor: how far it was read; None: not at all.
        again: read all of it again.
        former: another log counts now: nothing hinges on the keys of this one's server, and the
            ledger has a place of its own for it.
    """

    def __init__(
        self,
        source: LogSource,
        project: Project,
        cursor: Cursor | None,
        *,
        again: bool = False,
        former: bool = False,
    ) -> None:
        self._source = source
        self._former = former
        self._known = cursor
        self._cursor = None if again else cursor
        self._project = project
        self._domain = project.settings.confirm_from.rpartition("@")[2]
        self._topics = tuple(project.settings.public.topics if project.settings.public else ())
        self._list_id = project.settings.list.id
        self._box_keys = project.keys.box_keys(self._list_id)
        self._verifier = Verifier.of(project.keys, self._list_id)
        self._newest_secret = project.keys.signing_key_id
        self._issues: dict[str, str] | None = None
        self._misuse: Misuse | None = None
        self.result = SyncResult()

    def fetch(self) -> OpenedEntries:
        """The next entries. Asks the log, and touches no ledger.

        Raises:
            LogUnreachable: it cannot be read.
        """
        known = self._cursor
        page = self._source.page(known.seq if known else 0)
        warnings = []
        if known is not None and (why := _mismatch(page, known)):
            warnings.append(f"{why} All of it is read again; nothing is counted twice.")
            known = None
            page = self._source.page(0)
        if 0 < page.secret != self._newest_secret and not self._former:
            older = page.secret < self._newest_secret
            self._obstruct(_SERVER_LACKS_KEY if older else _KEY_MISSING_HERE)
        after, head = (known.seq, known.head) if known else (0, first_head(page.log_id))
        missed = 0
        if page.first_kept > after + 1:
            missed = max(0, page.first_kept - 1 - max(after, self._read_of(page.log_id)))
            after, head = page.first_kept - 1, b""
        start = Cursor(page.log_id, after, head, known.latest if known else 0.0)
        cursor, holds = _follow(page, start)
        if not holds:
            warnings.append(
                "The log's chain does not hold: entries were changed or removed "
                "after they were written. The others were applied."
            )
        events = [(entry, unseal(entry.box, self._box_keys)) for entry in page.entries]
        is_last = cursor.seq >= page.last or cursor.seq <= after
        return OpenedEntries(events, cursor, missed, warnings, is_last)

    def _read_of(self, log_id: str) -> int:
        """How far a log was read before this reader began."""
        return self._known.seq if self._known and self._known.log_id == log_id else 0

    def write(self, batch: OpenedEntries, ledger: Ledger, *, now: datetime) -> None:
        """Apply what was fetched ``now``; inside the caller's transaction."""
        latest = batch.cursor.latest
        for entry, content in batch.events:
            latest = _later(latest, content, now)
            if content is not None and content.get("kind") == "webhook":
                self._keep_webhook(entry, content, ledger, now=now)
                continue
            if self._apply(entry.id, content, ledger, not_before=latest) is None:
                continue
            if not ledger.log_entries.keep(entry.id, entry.box, opens=content is not None):
                self._warn(
                    f"{MOST_KEPT:,} entries wait already, so no more were kept. "
                    "“newsletter sync --again” reads them again."
                )
        for warning in batch.warnings:
            self._warn(warning)
        if batch.missed:
            ledger.log_entries.note_missed(batch.missed)
            self.tell_missed(ledger)
        cursor = replace(batch.cursor, latest=latest)
        if self._former:
            ledger.log_entries.move_former(cursor)
        else:
            ledger.log_entries.move(cursor, now=now)
        self._cursor = cursor

    def _keep_webhook(
        self, entry: Entry, content: Mapping[str, Any], ledger: Ledger, *, now: datetime
    ) -> None:
        """Keep a provider's webhook until it is verified, which may need the network."""
        at = content.get("at")
        arrived = moment_at(float(at)) if isinstance(at, int | float) else now
        if ledger.webhooks.keep(entry.id, entry.box, at=min(arrived, now)):
            self.result.new["webhook"] += 1
        else:
            self._warn(
                f"{MOST_WEBHOOKS:,} webhooks wait already, so no more were kept. When “newsletter "
                "bounces” has applied them, “newsletter sync --again” reads the others again."
            )

    def tell_missed(self, ledger: Ledger) -> None:
        """Tell what left the log before it was read here, until a person gives it up."""
        if number := ledger.log_entries.missed:
            self._obstruct(
                Obstacle(
                    f"{count(number, 'entry', 'entries')} left the log before this machine read "
                    "it. Readers who left by them could be mailed.",
                    "If another of your machines read them, continue from its backup: “newsletter "
                    "docs control”. If not, look for them in the server's backups. If they "
                    "are lost, “newsletter sync --again” lets sends begin again.",
                )
            )

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

    def _apply(
        self,
        id_: bytes,
        content: Mapping[str, Any] | None,
        ledger: Ledger,
        *,
        not_before: float = 0.0,
    ) -> str | None:
        """Bring one event to the ledger.

        Args:
            id_: of the event.
            content: what its box held; None: no key opens it.
            ledger: where to.
            not_before: see :meth:`_leave`.

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
            case Leave():
                self._leave(event, ledger, not_before)
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
                self._misuse = self._misuse or event
                self._warn(self._misuse.told)
            case _ if ledger.suppressions.add(event):
                self.result.new[type(event).__name__.lower()] += 1
        return None

    def _event(self, id_: bytes, content: Mapping[str, Any]) -> LogEvent | None:
        if content.get("v") == 1 and content.get("kind") == "signup":
            return sign_up_of(
                content, self._box_keys, domain=self._domain, now=self._project.clock.now()
            )
        event = event_of(id_, content, self._verifier)
        return self._within_time(event) if isinstance(event, PreferenceChange) else event

    def _leave(self, leave: Leave, ledger: Ledger, not_before: float) -> None:
        """Note a leave, whatever clock dated it; told as news of who had not left.

        It counts from when it is first read at the latest, or no return could end it; but never
        as earlier than ``not_before``, or a return by an older form could end it, should the
        clock here have been set back.
        """
        if ledger.suppressions.knows(leave.id):
            return  # it has the time of the first reading
        at = max(min(leave.at, self._project.clock.now()), moment_at(not_before))
        had_left = ledger.suppressions.has_left(leave.tag)
        if ledger.suppressions.add(replace(leave, at=at)) and not had_left:
            self.result.new["leave"] += 1

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

    def _obstruct(self, obstacle: Obstacle) -> None:
        self._warn(f"{obstacle.what} {obstacle.next}")
        if obstacle not in self.result.obstacles:
            self.result.obstacles.append(obstacle)

    def _warn(self, words: str) -> None:
        warnings = self.result.warnings
        if len(warnings) < _MOST_WARNINGS and words not in warnings:
            warnings.append(words)


def _mismatch(page: Page, known: Cursor) -> str:
    """Why a log is not the one that was read, or not its continuation; empty if it is."""
    if page.log_id != known.log_id:
        return (
            "This is another log than the one read before: the server was set up "
            "again, lost its file, or the address leads to another server."
        )
    if page.last < known.seq:
        return (
            f"The log was rolled back: {known.seq:,} entries had been read, and it holds "
            f"{page.last:,}. Was a backup of the server restored?"
        )
    if known.head and page.first_kept <= known.seq + 1 and page.head != known.head:
        return "The log was rolled back and continued, or was changed."
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
    return replace(start, seq=seq, head=head), holds


def _later(latest: float, content: Mapping[str, Any] | None, now: datetime) -> float:
    """The latest time so far. One in the future is now, or nothing, if a day away or more."""
    at = content.get("at") if content else None
    if not isinstance(at, int | float) or not 0 < at < now.timestamp() + _A_DAY_S:
        return latest
    return max(latest, min(at, now.timestamp()))
