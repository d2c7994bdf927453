"""Custody: whether this ledger is the one that may send here, held against its witness.

Each run begins a new epoch in the ledger and lets the witness write it down
before anything leaves, then again at every beat: the ledger first, so that a
crash between the two never makes a good ledger look old. A witness that knows
a later epoch than the ledger proves that the ledger is an older copy.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from newsletter.delivery.ledger import Ledger
from newsletter.delivery.ledger.campaigns import Campaign
from newsletter.delivery.states import State
from newsletter.delivery.witness import Testimony, Witness
from newsletter.errors import LedgerRefused, Where

_ADOPTED = "Waited in a ledger that was taken over from a backup or another machine."
_ADOPT = "“newsletter adopt” explains what it would do, and asks."


@dataclass(frozen=True, slots=True)
class Adopted:
    """What an adoption would do, or did.

    Attributes:
        doubts: by campaign id, how many wait there and become in doubt.
        unknown: issues of which the witness knows a campaign and the ledger does not.
    """

    doubts: Mapping[str, int]
    unknown: tuple[str, ...]


class Custody:
    """Keeps a ledger and its witness in step.

    Args:
        ledger: open.
        witness: of that ledger.
        machine: this machine's name, see :func:`newsletter.delivery.witness.machine_name`.
    """

    def __init__(self, ledger: Ledger, witness: Witness, *, machine: str) -> None:
        self._ledger = ledger
        # Asked once: a beat testifies on another thread than the ledger's.
        self._identity = ledger.identity
        self._witness = witness
        self._machine = machine
        self._campaigns: dict[str, str] = {}

    def check(self) -> None:
        """Make sure that this ledger is the latest and belongs here.

        Raises:
            LedgerRefused: another ledger or a later state of this one sent from
                here, or it comes from another machine.
        """
        ledger, here, home = self._ledger, self._witness.in_folder(), self._witness.at_home()
        if here is not None and here.ledger != self._identity:
            raise self._refusal(
                "Another ledger than this one has sent from this folder. This one knows of "
                "none of its readers and would mail them again.",
                "Put back the newsletter.db that was here, together with its -wal file if it "
                f"has one. Only if it is lost: {_ADOPT}",
            )
        if any(told.epoch > ledger.epoch for told in (here, home) if told is not None):
            raise self._refusal(
                "This ledger is older than what was sent from here: it does not know who was "
                "mailed since. Was a backup restored?",
                f"Put back the latest newsletter.db, if you still have it. If not: {_ADOPT}",
            )
        if home is None and ledger.machine not in {None, self._machine}:
            raise self._refusal(
                "This ledger comes from another machine, which may have sent since, or may be "
                "sending now.",
                f"Make sure that nothing is sent from there any more. Then {_ADOPT}",
            )

    def refuse_lost(self, issue: str) -> None:
        """Refuse an issue of which a campaign was begun that the ledger does not hold.

        Raises:
            LedgerRefused: there is one.
        """
        if issue in self._lost():
            raise LedgerRefused(
                "This issue was sent from here before, but the ledger knows nothing of that send: "
                "it was restored or begun anew. Whoever got it then would get it again.",
                where=Where(item=f"issue {issue}"),
                next="Ask the relay's or provider's log who got it. To mail the list all the "
                f"same: newsletter send {issue} --again",
            )

    @property
    def lost(self) -> frozenset[str]:
        """Ids of campaigns that were begun and that this ledger does not hold."""
        return frozenset(self._told().keys() - self._held().keys())

    def begin(self, campaign: Campaign) -> None:
        """Begin a new epoch before anything of ``campaign`` leaves.

        Raises:
            LedgerRefused: it cannot be written down, or another copy sends.
        """
        self._campaigns = {**self._told(), **self._held(), campaign.id: campaign.issue}
        if self._ledger.machine != self._machine:
            self._ledger.machine = self._machine
        self._renew()

    def end(self) -> None:
        """Write down how far a run came. Never raises: the next beginning does it again."""
        with suppress(LedgerRefused):
            self._renew()

    def _renew(self) -> None:
        with self._ledger.transaction():
            epoch = self._ledger.advance_epoch()
        self.testify(epoch)

    def testify(self, epoch: int) -> None:
        """Let the witness write down an epoch that the ledger has begun.

        Does not touch the ledger, so it may be called beside whoever uses that.

        Raises:
            LedgerRefused: it cannot be written, or another copy of this ledger
                has come as far: two send at once.
        """
        home = self._witness.at_home()
        if home is not None and home.epoch >= epoch:
            raise self._refusal(
                "Another copy of this ledger is sending from this machine.",
                "Let only one of them go on; the other must be adopted before it sends again.",
            )
        self._witness.testify(Testimony(self._identity, epoch, self._campaigns))

    def survey(self) -> Adopted:
        """What :meth:`adopt` would do. Changes nothing."""
        doubts = {}
        for campaign in self._ledger.campaigns.all():
            tally = self._ledger.campaigns.tally(campaign)
            if waiting := tally.open + tally[State.ATTEMPTING]:
                doubts[campaign.id] = waiting
        return Adopted(doubts, self._lost())

    def adopt(self, *, now: datetime) -> Adopted:
        """Take the ledger on here, whatever the witness says.

        Whoever waits in it becomes in doubt: they may have been mailed from
        elsewhere, or after the backup was made. May be repeated after a crash.

        Raises:
            LedgerRefused: it cannot be written.
        """
        expected, at = self.survey(), now.timestamp()
        highest = max((told.epoch for told in self._testimonies()), default=0)
        with self._ledger.transaction():
            doubts = {
                campaign: self._ledger.deliveries.adopt(campaign, now=at, note=_ADOPTED)
                for campaign in expected.doubts
            }
            epoch = self._ledger.advance_epoch(beyond=highest)
            self._ledger.note_adoption(at)
        self._ledger.machine = self._machine
        campaigns = {**self._told(), **self._held()}
        self._witness.testify(Testimony(self._identity, epoch, campaigns))
        return Adopted(doubts, expected.unknown)

    def _lost(self) -> tuple[str, ...]:
        held = self._held()
        return tuple(sorted({issue for id_, issue in self._told().items() if id_ not in held}))

    def _held(self) -> dict[str, str]:
        return {campaign.id: campaign.issue for campaign in self._ledger.campaigns.all()}

    def _told(self) -> dict[str, str]:
        return {id_: issue for told in self._testimonies() for id_, issue in told.campaigns.items()}

    def _testimonies(self) -> list[Testimony]:
        """What both files tell; a damaged one tells nothing, which :meth:`check` refuses."""
        told = []
        for read in (self._witness.in_folder, self._witness.at_home):
            try:
                told.append(read())
            except LedgerRefused:
                continue
        return [each for each in told if each is not None]

    def _refusal(self, what: str, following: str) -> LedgerRefused:
        return LedgerRefused(what, where=Where(self._ledger.path), next=following)
