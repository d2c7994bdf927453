"""The copy guard: whether this ledger is the one that may send to the list from here.

A ledger cannot know that it is an old copy of itself, and an empty folder
knows of no ledger at all. The send record in the list's state folder does: it
holds the identity of the list's ledger, and an epoch that grows with each
transaction in both. Whoever comes with another ledger, with a smaller epoch,
with another key or from another machine is refused, until a person adopts it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from newsletter.addresses import Address
from newsletter.errors import ConfigError, LedgerRefused, Where
from newsletter.ledger.campaigns import Campaign
from newsletter.ledger.database import query
from newsletter.ledger.old_epoch import old_epoch_files, read_old_epochs
from newsletter.ledger.record import Remembered, SendRecord
from newsletter.ledger.suppressions import Leave
from newsletter.message.keys import KeyRing
from newsletter.state_folder import ListState, boot_name, machine_name

if TYPE_CHECKING:
    from newsletter.ledger.ledger import Ledger

_ADOPT = "“newsletter adopt” explains what it would do, and asks."


@dataclass(frozen=True, slots=True)
class Installation:
    """Where a list is sent from.

    Attributes:
        folder: the project's.
        ledger: its ledger's file.
        state: the list's state folder.
        home: the home folder; None if there is none.
        machine: this machine's name.
    """

    folder: Path
    ledger: Path
    state: ListState
    home: Path | None
    machine: str

    @classmethod
    def of(cls, folder: Path, ledger: Path, state: ListState) -> Installation:
        """That of a project, on this machine and for this user."""
        return cls(folder, ledger, state, home_folder(), machine_name())


class CopyGuard:
    """Keeps a ledger and the list's send record in step.

    Args:
        installation: where the list is sent from.
        ledger: open.
        keys: the project's key ring.
    """

    def __init__(self, installation: Installation, ledger: Ledger, keys: KeyRing) -> None:
        self._installation = installation
        self._ledger = ledger
        self._keys = keys

    def follow(self) -> None:
        """Open the record, if there is one, and let it follow the ledger if it is this ledger's.

        Who left is joined whosever ledger it is. Refuses nothing: whoever only
        looks, or notes that somebody left, may do so.

        Raises:
            LedgerRefused: the record cannot be used.
        """
        if not self._installation.state.record.is_file():
            return
        record = self._ledger.open_record(self._installation.state.record)
        known = record.remembered()
        if known.key_check == self._keys.pepper_id:
            with self._ledger.transaction():
                record.join_suppressions()
        is_latest = known.epoch <= self._ledger.epoch
        is_the_lists = known.ledger == self._ledger.identity and follows(self._ledger, known)
        if is_the_lists and is_latest and self._original(known) is None:
            record.follow()
            if known.folder not in {"", folder := str(self._installation.folder.absolute())}:
                with self._ledger.transaction():
                    record.note_folder(folder)

    def note_suppressions(self, leaves: Mapping[Address, Leave]) -> None:
        """Let the record know what the ledger knows of suppressions, whosever ledger it follows.

        Args:
            leaves: what was just added to the ledger. Under the list's own key, if this folder's
                is another, somebody is known by their address alone.

        Raises:
            LedgerRefused: it cannot be written, or this folder's key file is not the list's
                and there are no addresses.
        """
        self._installation.state.prepare()
        record = self._ledger.open_record(self._installation.state.record)
        if not (known := record.remembered()).key_check:
            with self._ledger.transaction():
                record.belong_to("", epoch=0, key_check=self._keys.pepper_id)
            keep_key(self._installation.state, self._keys)
        elif known.key_check != self._keys.pepper_id:
            if not leaves:
                refuse_other_key(self._installation, known, self._keys)
            keys = KeyRing.load(self._installation.state.key)
            with self._ledger.transaction():
                for address, leave in leaves.items():
                    record.suppress(replace(leave, tag=keys.address_tag(address), id=b""))
        self.follow()

    def check(self) -> None:
        """Make sure that this ledger is the list's, is the latest and belongs here.

        Raises:
            LedgerRefused: it is not, with what to do about it.
        """
        record = self._ledger.record
        if record is None:
            self._refuse_other_record()
            self._refuse_by_old_epochs()
            return
        known = record.remembered()
        refuse_other_key(self._installation, known, self._keys)
        if not known.ledger:
            # Made for those who left, before the first send; or a kill between the two commits
            # of the first send left its name in the ledger alone, before anything was handed over.
            if self._ledger.record_id != known.id:
                self._refuse_other_record()
            self._refuse_by_old_epochs()
            return
        if known.ledger != self._ledger.identity:
            raise _refusal(
                self._installation,
                "This list was sent from another folder, or with another ledger. This ledger "
                "does not record who was mailed from there, and would mail them again.",
                known,
            )
        if not follows(self._ledger, known):
            raise _refusal(
                self._installation,
                "This ledger was used elsewhere: by another user, on another machine or with "
                "another state folder. It does not know what was sent from here meanwhile.",
                known,
            )
        if known.epoch > self._ledger.epoch:
            raise _refusal(
                self._installation,
                "This ledger is older than what was sent to the list: it lacks those who were "
                "mailed since. Was a backup restored, or is this a copy?",
                known,
            )
        if (original := self._original(known)) is not None:
            raise _refusal(
                self._installation,
                f"This folder is a copy of {original}, and both could send to the list.",
                known,
            )
        if known.machine not in {"", self._installation.machine}:
            raise _refusal(
                self._installation,
                "The state folder comes from another machine, which may have sent since, or may "
                "be sending now.",
                known,
            )

    def _original(self, known: Remembered) -> Path | None:
        """The folder that this one is a copy of, if it holds the list's ledger still."""
        folder = Path(known.folder)
        file = folder / self._installation.ledger.name
        if not known.folder or folder == self._installation.folder.absolute():
            return None
        try:
            if file.samefile(self._installation.ledger):  # the same folder by another path
                return None
            identity = query(file, "SELECT value FROM meta WHERE key = 'identity'")
        except (OSError, LedgerRefused):  # it was moved here, or is somebody else's now
            return None
        return folder if identity == [(self._ledger.identity,)] else None

    def prepare(self) -> None:
        """Make sure, before anything is frozen, that what is sent can be remembered.

        Raises:
            LedgerRefused: it cannot.
        """
        self._installation.state.prepare()
        keep_key(self._installation.state, self._keys)

    def _refuse_other_record(self) -> None:
        if self._ledger.record_id:
            raise LedgerRefused(
                "What was sent from this ledger is remembered in another state folder: that of "
                "another machine, of another user, or one that was removed. There may have been "
                "sends since that this ledger does not know.",
                where=Where(self._installation.state.folder),
                next="Send from that machine, as that user and with the same XDG_STATE_HOME, or "
                f"set state_folder under [delivery] to that folder. If it is lost: {_ADOPT}",
            )

    def _refuse_by_old_epochs(self) -> None:
        ledger, epoch, _ = read_old_epochs(self._old_files())
        if ledger and ledger != self._ledger.identity:
            raise LedgerRefused(
                "Another ledger than this one has sent from this folder. This one has no record "
                "of its readers and would mail them again.",
                where=Where(self._installation.ledger),
                next="Put back the newsletter.db that was here, together with its -wal file if "
                f"it has one. Only if it is lost: {_ADOPT}",
            )
        if epoch > self._ledger.epoch:
            raise LedgerRefused(
                "This ledger is older than what was sent to the list: it lacks those who were "
                "mailed since. Was a backup restored?",
                where=Where(self._installation.ledger),
                next=f"Put back the latest newsletter.db, if you still have it. If not: {_ADOPT}",
            )

    def _old_files(self) -> list[Path]:
        return old_epoch_files(
            self._installation.folder, identity=self._ledger.identity, home=self._installation.home
        )

    def remove_old_epochs(self) -> None:
        """Remove the epoch files of version 0.1; the send record holds all that they told."""
        for file in self._old_files():
            with suppress(OSError):
                file.unlink()

    def lost_by_old_epochs(self, *, damaged_too: bool = False) -> dict[str, str]:
        """The issues of campaigns that the epoch files of version 0.1 know and the ledger does not.

        Args:
            damaged_too: a damaged file tells nothing, instead of stopping.

        Raises:
            LedgerRefused: one is damaged.
        """
        held = {campaign.id for campaign in self._ledger.campaigns.all()}
        try:
            *_, told = read_old_epochs(self._old_files())
        except LedgerRefused:
            if not damaged_too:
                raise
            return {}
        return {id_: issue for id_, issue in told.items() if id_ not in held}

    def refuse_lost(self, issue: str) -> None:
        """Refuse an issue of which a campaign was begun, and nobody knows who was in it.

        Raises:
            LedgerRefused: there is one.
        """
        record = self._ledger.record
        if record is not None:
            unknown = record.unknown()
        else:
            unknown = frozenset(self.lost_by_old_epochs().values())
        if issue in unknown:
            raise LedgerRefused(
                "This issue was sent from here before, but the ledger has no record of that "
                "send: it was restored or replaced. Those who got it then would get it again.",
                where=Where(item=f"issue {issue}"),
                next=(
                    "Ask the relay's or provider's log who got it. To mail the list anyway: "
                    f"newsletter send {issue} --again"
                ),
            )

    def may_have(self, issue: str) -> frozenset[bytes]:
        """Those who have the issue, or may have it, by the record; see :func:`reader_tag`."""
        record = self._ledger.record
        return frozenset() if record is None else record.may_have(issue)

    def in_round(self, issue: str, number: int) -> frozenset[bytes]:
        """Those who were in a round of the issue, by the record; see :func:`reader_tag`."""
        record = self._ledger.record
        return frozenset() if record is None else record.in_round(issue, number)

    def latest_round(self, issue: str) -> int:
        """The issue's latest round that ledger or record knows of."""
        latest, record = self._ledger.campaigns.latest_round(issue), self._ledger.record
        return latest if record is None else max(latest, record.latest_round(issue))

    def begin(self, campaign: Campaign) -> None:
        """Let the record follow, before anything of ``campaign`` leaves.

        Raises:
            LedgerRefused: it cannot be written, or another copy sends.
        """
        self.prepare()
        record = self.claim_record()
        with self._ledger.transaction():
            record.begin(
                campaign.id,
                machine=self._installation.machine,
                folder=str(self._installation.folder.absolute()),
                boot=boot_name() or "unknown",
            )
        record.sync()

    def claim_record(self) -> SendRecord:
        """The record, made this ledger's if it is nobody's yet, and following.

        Raises:
            LedgerRefused: it cannot be written.
        """
        record = self._ledger.open_record(self._installation.state.record)
        if not record.follows and not record.remembered().ledger:
            with self._ledger.transaction():
                for campaign in self._ledger.runs.campaigns_that_left():
                    record.include(campaign)
            self.take_over(record, lost=tuple(self.lost_by_old_epochs().items()))
            self.remove_old_epochs()
        return record

    def take_over(self, record: SendRecord, *, lost: Sequence[tuple[str, str]] = ()) -> None:
        """Make the record this ledger's, whose rows it holds already, and let it follow.

        Args:
            record: opened with the ledger.
            lost: campaigns, by id and issue, of which nobody knows who was in them.

        Raises:
            LedgerRefused: it cannot be written.
        """
        known = record.remembered()
        epoch = max(known.epoch, self._ledger.epoch) + 1
        with self._ledger.transaction():
            record.note_lost(lost)
            record.belong_to(self._ledger.identity, epoch=epoch, key_check=self._keys.pepper_id)
            self._ledger.note_record(known.id, epoch=epoch)
            self._settle(record, known)
            record.join_suppressions()
        record.follow()

    def settle(self, record: SendRecord) -> None:
        """Note that the list is sent from this folder and machine from now on.

        Raises:
            LedgerRefused: it cannot be written.
        """
        with self._ledger.transaction():
            self._settle(record, record.remembered())

    def _settle(self, record: SendRecord, known: Remembered) -> None:
        if known.machine not in {"", self._installation.machine}:
            # A copy: the original goes on under its name, and neither knows of the other.
            self._ledger.note_record(record.renamed(), epoch=self._ledger.epoch)
        record.settle(
            machine=self._installation.machine, folder=str(self._installation.folder.absolute())
        )

    def end(self) -> None:
        """Note that the run has ended.

        Raises:
            LedgerRefused: it cannot be written.
        """
        if (record := self._ledger.record) is not None:
            with self._ledger.transaction():
                record.end()
            record.sync()


def follows(ledger: Ledger, known: Remembered) -> bool:
    """Whether a ledger was used with this record and no other one, as far as it knows."""
    return ledger.record_id in {"", known.id}


def refuse_without_ledger(installation: Installation, known: Remembered) -> None:
    """Refuse a folder that has no ledger, although the list was sent to.

    Raises:
        LedgerRefused: it was.
    """
    if known.ledger:
        raise _refusal(
            installation,
            "This list was sent to before, but this folder has no ledger of it: it was cleaned "
            "or cloned, or is another one. Everybody would be mailed again.",
            known,
        )


def refuse_other_key(installation: Installation, known: Remembered, keys: KeyRing) -> None:
    """Refuse a key file under which nobody who left would be recognised.

    Raises:
        LedgerRefused: it is another list's.
    """
    if known.key_check and known.key_check != keys.pepper_id:
        raise _refusal(
            installation,
            "This folder's key file is not the list's, so unsubscribed readers would not be "
            "recognised.",
            known,
        )


def keep_key(state: ListState, keys: KeyRing) -> None:
    """Keep a copy of the key file beside the record; a damaged one is replaced.

    Raises:
        LedgerRefused: it cannot be written, or there is one of another list.
    """
    try:
        kept = KeyRing.load(state.key) if state.key.exists() else None
    except ConfigError:
        kept = None
    if kept is not None and kept.pepper not in {keys.pepper, *keys.former}:
        raise LedgerRefused(
            "The state folder keeps another key file than this folder's for the list, so readers "
            "who unsubscribed by that one would not be recognised.",
            where=Where(state.key),
            next=f"{_ADOPT} If this is another list, give it an id of its own under [list].",
        )
    ring = keys if kept is None else keys.joined(kept)
    if ring != kept:
        try:
            ring.save(state.key)
        except ConfigError as error:
            raise LedgerRefused(
                "The copy of the key file cannot be written. Without it unsubscribed readers "
                "would not be recognised from another folder.",
                where=error.where,
                next="Look at the disk's free space and the folder's permissions. Nothing was "
                "sent.",
            ) from None


def home_folder() -> Path | None:
    """The home folder of whoever runs the program, if they have one."""
    try:
        return Path.home()
    except RuntimeError:  # no HOME and no entry in the user database
        return None


def _refusal(installation: Installation, what: str, known: Remembered) -> LedgerRefused:
    there = Path(known.folder) if known.folder else None
    elsewhere = there is not None and there != installation.folder.absolute() and there.is_dir()
    send_there = f"Send from {there}, from where it was sent last. " if elsewhere else ""
    return LedgerRefused(
        what,
        where=Where(installation.folder.absolute()),
        next=f"{send_there}{'If that is not possible' if elsewhere else 'To go on here'}: {_ADOPT} "
        "If this is another list, give it an id of its own under [list].",
    )
