"""Adoption: a person lets a ledger go on that the copy guard refuses.

What the send record knows is put into the ledger: who has each issue, who may
have it, who left. Where the record cannot know everything, whoever waits
becomes in doubt. May be repeated after a crash at any point.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from newsletter.errors import ConfigError, LedgerRefused, Where
from newsletter.ledger.copy_guard import (
    CopyGuard,
    Installation,
    follows,
    keep_key,
    refuse_without_ledger,
)
from newsletter.ledger.database import move_aside
from newsletter.ledger.ledger import Ledger
from newsletter.ledger.record import Remembered, SendRecord
from newsletter.ledger.states import State
from newsletter.message.keys import KeyRing
from newsletter.message.model import Recipient
from newsletter.state_folder import boot_name

_ADOPTED = "Waited in a ledger that was adopted: may have been mailed from elsewhere."


@dataclass(frozen=True, slots=True)
class Survey:
    """What an adoption would do.

    Attributes:
        reason: why the copy guard refuses the ledger; None if it does not.
        exact: whether the record tells where everybody's mail is.
        waiting: by campaign id, how many wait in the ledger as it is.
        missing: issues that were sent and that the ledger does not hold.
        unknown: those of them of which nobody knows who was in them.
        aside: whether the ledger here is put aside, and one made from the record.
    """

    reason: LedgerRefused | None
    exact: bool
    waiting: Mapping[str, int]
    missing: tuple[str, ...]
    unknown: tuple[str, ...]
    aside: bool


@dataclass(frozen=True, slots=True)
class Adopted:
    """What an adoption did.

    Attributes:
        doubts: by campaign id, how many are newly in doubt.
        updated: how many deliveries got a newer state from the record.
        rebuilt: by campaign id, how many were put into the ledger, and how many the
            record knows; the others are not on the list.
        waiting: by campaign id, how many wait to be mailed.
    """

    doubts: Mapping[str, int]
    updated: int
    rebuilt: Mapping[str, tuple[int, int]]
    waiting: Mapping[str, int]


class Adoption:
    """The adoption of one project's ledger. The caller holds the lock.

    Args:
        installation: where the list is sent from.
        key_file: the project's.
        keys: what it holds.
        old_copy: whether a person knows that everything here, the record too, is an old copy.
    """

    def __init__(
        self, installation: Installation, key_file: Path, keys: KeyRing, *, old_copy: bool = False
    ) -> None:
        self._installation = installation
        self._key_file = key_file
        self._keys = keys
        self._old_copy = old_copy
        self._known = Remembered.at(installation.state.record)

    def survey(self) -> Survey:
        """What :meth:`adopt` would do. Changes nothing.

        Raises:
            LedgerRefused: it cannot be done; says why.
        """
        if not self._installation.ledger.exists():
            refusal = _no_ledger(self._installation, self._known)
            return Survey(refusal, self._is_exact(None), {}, (), (), aside=False)
        with closing(Ledger(self._installation.ledger, self._keys)) as ledger:
            aside = self._goes_aside(ledger)
            guard = CopyGuard(self._installation, ledger, self._keys)
            if self._installation.state.record.is_file():
                record: SendRecord | None = ledger.open_record(self._installation.state.record)
            else:
                record = None
            told = {} if record else guard.lost_by_old_epochs(damaged_too=True)
            return Survey(
                reason=_reason(guard),
                exact=self._is_exact(None if aside else ledger),
                waiting=_waiting(ledger),
                missing=tuple(sorted(set(record.missing().values() if record else told.values()))),
                unknown=tuple(sorted(record.unknown() if record else set(told.values()))),
                aside=aside,
            )

    def adopt(self, readers: Sequence[Recipient], *, now: datetime) -> Adopted:
        """Let the ledger go on here.

        Args:
            readers: the list; which edition is theirs the send record knows.
            now: the time, for the record.

        Raises:
            LedgerRefused: it cannot be done, or not be written.
        """
        self._installation.state.prepare()
        keys = self._take_key()
        self._put_aside(keys)
        with closing(Ledger(self._installation.ledger, keys)) as ledger:
            ledger.check()
            record = ledger.open_record(self._installation.state.record)
            guard = CopyGuard(self._installation, ledger, keys)
            guard.follow()
            before = _counts(ledger, State.IN_DOUBT)
            updated, rebuilt = self._bring_in(ledger, record, readers, now=now)
            _translate_leaves(ledger, keys, readers)
            keep_key(self._installation.state, keys)
            # Last: whoever is stopped before this is refused, and adopts again.
            if record.follows:
                guard.settle(record)
            else:
                lost = guard.lost_by_old_epochs(damaged_too=True)
                guard.take_over(record, lost=tuple(lost.items()))
            guard.remove_old_epochs()
            after = _counts(ledger, State.IN_DOUBT)
            return Adopted(
                {name: new for name in after if (new := after[name] - before.get(name, 0)) > 0},
                updated,
                rebuilt,
                _waiting(ledger),
            )

    def _bring_in(
        self, ledger: Ledger, record: SendRecord, readers: Sequence[Recipient], *, now: datetime
    ) -> tuple[int, dict[str, tuple[int, int]]]:
        exact, updated = self._is_exact(ledger), 0
        recovery = ledger.recovery(record)
        with ledger.transaction():
            joins = not record.follows
            if joins:
                recovery.let_go()
                cut_short = self._known.boot not in {"", boot_name()}
                recovery.doubt(all_open=cut_short or not exact)
                updated = recovery.bring_up_to_date() if exact else recovery.join()
            rebuilt = recovery.rebuild(readers, joined=not exact)
            if not exact:
                for campaign in ledger.campaigns.all():
                    ledger.deliveries.adopt(campaign.id, now=now, note=_ADOPTED)
                ledger.note_adoption(now)
            if joins:
                recovery.take_rows()
        return updated, rebuilt

    def _is_exact(self, ledger: Ledger | None) -> bool:
        """Whether the record tells where everybody's mail is, as far as this machine sent it.

        Not so where ``ledger`` was used with another record: it knows what this one does not.
        """
        known = self._known
        if self._old_copy or not known.ledger:
            return False
        if ledger is not None and not follows(ledger, known):
            return False
        return known.machine in {"", self._installation.machine}

    def _goes_aside(self, ledger: Ledger) -> bool:
        """Whether the ledger here is another than the list's, so that it must make room.

        Raises:
            LedgerRefused: it has mailed readers itself; two histories cannot be joined.
        """
        if not self._known.ledger:
            return False
        if ledger.identity == self._known.ledger:
            # A trial, made in an old copy, of what was meanwhile sent for real.
            return self._is_exact(ledger) and ledger.recovery(self._record(ledger)).collides()
        if ledger.runs.campaigns_that_left() and not self._absorbed(ledger):
            raise LedgerRefused(
                "The ledger in this folder has mailed readers, and so has another one for the "
                "same list. The two cannot be joined.",
                where=Where(self._installation.ledger),
                next=f"Go on in {self._known.folder or 'the folder that sent last'}. If this is "
                "another list, give it an id of its own under [list].",
            )
        return bool(ledger.campaigns.all()) or self._known.key_check != self._keys.pepper_id

    def _record(self, ledger: Ledger) -> SendRecord:
        return ledger.open_record(self._installation.state.record)

    def _absorbed(self, ledger: Ledger) -> bool:
        """Whether the list's ledger knows all of it, and it was not used elsewhere since."""
        if not follows(ledger, self._known):
            return False
        return ledger.open_record(self._installation.state.record).absorbed(ledger.identity)

    def refuse_unrelated(self, file: Path, keys: KeyRing) -> None:
        """Refuse a ledger that is to be put here, if it could not be adopted.

        Raises:
            LedgerRefused: see :meth:`adopt`.
        """
        with closing(Ledger(file, keys, create=False)) as ledger:
            self._goes_aside(ledger)

    def _put_aside(self, keys: KeyRing) -> None:
        """Let the ledger here make room, once its leaves are in the record.

        A ledger is made under the key file beside it, so without one the key is the list's.
        """
        if not self._installation.ledger.exists():
            if keys.pepper != self._keys.pepper:
                keys.save(self._key_file)
            return
        with closing(Ledger(self._installation.ledger, self._keys)) as ledger:
            if not self._goes_aside(ledger):
                return
            record = ledger.open_record(self._installation.state.record)
            with ledger.transaction():
                record.join_suppressions()
        aside = move_aside(self._installation.ledger)
        if keys.pepper != self._keys.pepper:
            if aside is not None:
                with suppress(OSError):
                    os.link(self._key_file, aside.with_name(f"{aside.name}.key"))
            keys.save(self._key_file)

    def _take_key(self) -> KeyRing:
        """The list's key ring: that of the ledger that sent to it.

        Raises:
            LedgerRefused: it is nowhere to be found.
        """
        try:
            kept = (
                KeyRing.load(self._installation.state.key)
                if self._installation.state.key.exists()
                else None
            )
        except ConfigError:
            kept = None
        if self._keys.pepper_id == self._known.key_check or not self._known.ledger:
            ring = self._keys if kept is None else self._keys.joined(kept)
        elif kept is not None and kept.pepper_id == self._known.key_check:
            ring = kept.joined(self._keys)
        else:
            raise LedgerRefused(
                "This folder's key file is not the list's, and the copy in the state folder is "
                "gone or damaged. Without it unsubscribed readers would not be recognised.",
                where=Where(self._installation.state.key),
                next="Put back newsletter.key from your backup; “newsletter docs keys” says more.",
            )
        if ring.pepper == self._keys.pepper and ring != self._keys:
            ring.save(self._key_file)
        return ring


def _no_ledger(installation: Installation, known: Remembered) -> LedgerRefused | None:
    try:
        refuse_without_ledger(installation, known)
    except LedgerRefused as refusal:
        return refusal
    return None


def _reason(guard: CopyGuard) -> LedgerRefused | None:
    try:
        guard.check()
    except LedgerRefused as refusal:
        return refusal
    return None


def _counts(ledger: Ledger, *states: State) -> dict[str, int]:
    counts = {}
    for campaign in ledger.campaigns.all():
        tally = ledger.campaigns.tally(campaign)
        counts[campaign.id] = sum(tally[state] for state in states)
    return counts


def _waiting(ledger: Ledger) -> dict[str, int]:
    states = (State.PENDING, State.CLAIMED, State.ATTEMPTING, State.DEFERRED)
    return {name: number for name, number in _counts(ledger, *states).items() if number}


def _translate_leaves(ledger: Ledger, keys: KeyRing, readers: Iterable[Recipient]) -> None:
    """Note under the key of today who on the list left under a former one, and why."""
    if not keys.former:
        return
    suppressions = ledger.suppressions
    with ledger.transaction():
        gone = suppressions.tags()
        for each in readers:
            tag = keys.address_tag(each.address)
            for former in gone.intersection(keys.former_tags(each.address)):
                for leave in suppressions.in_force(former):
                    id_ = suppressions.id_of(leave.id, tag)
                    suppressions.add(replace(leave, tag=tag, id=id_))
