"""A newsletter project: its folder, settings, theme, list, keys, locks and ledger."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from newsletter.clock import SystemClock
from newsletter.config import FILE_NAME, PrivateKey, Settings, load_settings
from newsletter.errors import ConfigError, InputError, LedgerRefused, NewsletterError, Where
from newsletter.phrases import nearest
from newsletter.reader_states import ReaderState

if TYPE_CHECKING:
    from newsletter.addresses import Address
    from newsletter.audience.model import Roster
    from newsletter.ledger.copy_guard import CopyGuard, Installation
    from newsletter.ledger.ledger import Ledger
    from newsletter.ledger.sign_ups import SignUp
    from newsletter.message.dkim import DkimSigner
    from newsletter.message.keys import KeyRing
    from newsletter.state_folder import ListState
    from newsletter.theme import Theme

_LOCK_LOOK_S = 1.0
"""How often a lock is tried that another send holds, in seconds."""


class Project:
    """A newsletter project: the folder that holds newsletter.toml."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = SystemClock()

    @classmethod
    def here(cls) -> Project:
        """The project of the current folder, or of the nearest one above it.

        Raises:
            ConfigError: there is none, or it is another user's.
        """
        from newsletter.credentials import refuse_strangers

        current = Path.cwd()
        for folder in (current, *current.parents):
            if (folder / FILE_NAME).is_file():
                refuse_strangers(_short(folder, current) / FILE_NAME)
                return cls(_short(folder, current))
        load_settings(Path(FILE_NAME))  # says that there is none, and what to do
        raise AssertionError("unreachable: load_settings raised")

    @cached_property
    def settings(self) -> Settings:
        """newsletter.toml."""
        return load_settings(self.folder / FILE_NAME)

    @cached_property
    def theme(self) -> Theme:
        """The theme's folder, read."""
        from newsletter.theme_files import load_theme

        return load_theme(self.folder / self.settings.theme.folder)

    @property
    def trial(self) -> bool:
        """Whether what is sent from here reaches nobody; then it is remembered nowhere else."""
        return self.settings.trial

    @cached_property
    def state(self) -> ListState:
        """The list's folder in the state folder.

        Raises:
            ConfigError: it would be within the project's folder.
            LedgerRefused: there is no place for one.
        """
        from newsletter.state_folder import ListState, state_folder

        folder = state_folder(self.settings.delivery.state_folder).absolute()
        if folder.is_relative_to(self.folder.absolute()):
            raise ConfigError(
                "The state folder is inside the project's folder, so it would be "
                "lost or copied with it.",
                where=Where(self.folder / FILE_NAME, item="[delivery] state_folder"),
                next="Name a folder elsewhere, or leave the setting out.",
            )
        return ListState(folder / self.settings.list.id)

    @cached_property
    def installation(self) -> Installation:
        """Where the list is sent from, for the copy guard."""
        from newsletter.ledger.copy_guard import Installation

        return Installation.of(self.folder, self.ledger_file, self.state)

    @contextmanager
    def lock(self, *, on_wait: Callable[[], None] | None = None) -> Iterator[Callable[[], None]]:
        """Hold the locks of the list and of this folder while the block runs.

        Args:
            on_wait: called once if another send is running, whose end is then waited
                for. None: another send is an error.

        Yields:
            What makes sure that they still lock others out; raises LedgerRefused if not.

        Raises:
            SenderAtWork: another send is running.
            LedgerRefused: there can be no lock, or the state folder cannot be used.
        """
        from newsletter.ledger.lock import SenderAtWork

        waited = False
        while True:
            with ExitStack() as held:
                try:
                    check = self._take_locks(held)
                except SenderAtWork:
                    if on_wait is None:
                        raise
                    if not waited:
                        on_wait()
                else:
                    yield check
                    return
            waited = True
            self.clock.sleep(_LOCK_LOOK_S)

    def _take_locks(self, held: ExitStack) -> Callable[[], None]:
        from newsletter.ledger.lock import sender_lock

        checks = []
        if not self.trial:
            self.state.prepare()
            checks.append(held.enter_context(sender_lock(self.state.lock)))
        checks.append(held.enter_context(sender_lock(self.lock_file)))

        def check_all() -> None:
            for check in checks:
                check()

        return check_all

    @property
    def key_file(self) -> Path:
        """What signs unsubscribe links."""
        return self.folder / "newsletter.key"

    @cached_property
    def keys(self) -> KeyRing:
        """The key file's content; the file is created on first use, as the list's if it has one.

        Raises:
            ConfigError: it cannot be used, or is missing although there is a
                ledger: under a new key nobody who left would be recognised.
        """
        from newsletter.message.keys import KeyRing

        kept = None
        if not self.key_file.exists():
            kept = self._kept_keys()
            if kept is None and self.has_ledger:
                return KeyRing.load(self.key_file)  # says that it is missing, and what to do
        return KeyRing.load_or_create(self.key_file, known=kept)

    def rotate_keys(self) -> KeyRing:
        """Sign new mail with a new key; links signed with former keys go on working.

        Raises:
            SenderAtWork: a send is running.
            ConfigError: the key file cannot be used.
        """
        from newsletter.message.keys import KeyRing

        with self.lock():
            return KeyRing.rotate(self.key_file)

    def _kept_keys(self) -> KeyRing | None:
        """The list's keys as its state folder keeps them; None if it keeps none."""
        from newsletter.message.keys import KeyRing

        try:
            return KeyRing.load(self.state.key) if self.state.key.exists() else None
        except (NewsletterError, OSError):
            return None

    def keys_with_bearer(self) -> KeyRing:
        """The keys, with what the public server asks for before it shows its log.

        Raises:
            ConfigError: the key file cannot be used.
        """
        from newsletter.message.keys import KeyRing

        if self.keys.bearer is None:
            self.keys = KeyRing.with_bearer(self.key_file)
        return self.keys

    @property
    def languages(self) -> tuple[str, ...]:
        """Of the issues, as far as the theme has words for them; the list's own first."""
        files = self.issues_folder.glob("*.*.yaml")
        named = {
            *self.settings.organisation.translations,
            *(path.stem.partition(".")[2] for path in files),
        }
        words = self.theme.words
        known = (name for name in sorted(named) if {name, name.partition("-")[0]} & {*words})
        return tuple(dict.fromkeys((self.settings.language, *known)))

    @property
    def issues_folder(self) -> Path:
        """Where the issues are."""
        return self.folder / "issues"

    @property
    def lock_file(self) -> Path:
        """What a sender holds."""
        return self.folder / "newsletter.lock"

    @property
    def ledger_file(self) -> Path:
        """The ledger."""
        return self.folder / "newsletter.db"

    @property
    def has_ledger(self) -> bool:
        """Whether anything was ever written down here."""
        return self.ledger_file.exists()

    @property
    def outbox(self) -> Path:
        """The Maildir of the mailbox transport."""
        return self.folder / "outbox"

    @property
    def mails(self) -> Path:
        """Where its mails are."""
        return self.outbox / "new"

    def issue_id(self, name: str) -> str:
        """``2017-03`` from what a person typed: the id, a translation, or a path to a file.

        A translation is never an issue of its own: people would get both.

        Raises:
            InputError: it is the path of a file that is no issue's.
        """
        path, home = Path(name), self.issues_folder.resolve()
        if path.suffix not in {".yaml", ".yml"}:
            return name.partition(".")[0] or name
        # Meant from the current folder or, where nothing is there, from the project's.
        places = {(base / path.parent).resolve() for base in (Path.cwd(), self.folder)}
        elsewhere = path.exists() and path.parent.resolve() != home
        if elsewhere or path.suffix == ".yml" or (path.parent != Path() and home not in places):
            raise InputError(
                "This file is not one of the project's issues.",
                where=Where(path),
                next=f"Issues are the .yaml files in {self.issues_folder}: move it there, or name "
                "one by its id.",
            )
        return path.name.partition(".")[0] or name

    def issue_names(self) -> list[str]:
        """The ids of all issues."""
        return sorted(p.stem for p in self.issues_folder.glob("*.yaml") if "." not in p.stem)

    def issue_file(self, issue: str) -> Path:
        """The file of an issue in its first language.

        Raises:
            InputError: there is none; names those there are.
        """
        path = self.issues_folder / f"{issue}.yaml"
        if path.parent != self.issues_folder or not path.is_file():
            there = self.issue_names()
            if path.parent == self.issues_folder and path.exists():
                raise InputError(
                    "This is a folder, pipe or device, not a file.",
                    where=Where(path),
                    next="Replace it by the issue's file.",
                )
            near = nearest(issue, there)
            meant = f"Did you mean “{near}”?" if near else ""
            raise InputError(
                f"There is no issue “{issue}” here.",
                where=Where(self.issues_folder),
                next=" ".join((meant, f"There are: {', '.join(there)}.")).lstrip()
                if there
                else "Start one with “newsletter new ID”.",
            )
        return path

    @property
    def list_files(self) -> tuple[Path, ...]:
        """The files of the list that newsletter.toml names; there may be none."""
        return tuple(self.folder / file for file in self.settings.audience.files)

    def roster(self, file: Path | None = None) -> Roster:
        """The list: newsletter.toml's, who was imported and who signed up; or ``file`` alone.

        Whom an import keeps off the list is kept off ``file``, too. Where somebody was imported or
        signed up, newsletter.toml's only file may be missing or nobody be on its files.

        Raises:
            RosterError: it cannot be used.
            LedgerRefused: the ledger cannot be read.
        """
        from newsletter.project.roster import read_files, with_sign_ups

        if not self.has_ledger:
            return read_files(self, file, may_be_empty=False)
        with closing(self.ledger(create=False, follow=False)) as ledger:
            sign_ups = ledger.sign_ups.all()
            roster = self.roster_without_sign_ups(ledger, sign_ups, file)
            if file is not None:
                return roster
            return with_sign_ups(
                roster,
                sign_ups,
                fields=self.settings.audience.fields,
                topics=self.settings.public.topics if self.settings.public else {},
                is_back=lambda address: ledger.suppressions.returned(
                    self.keys.address_tag(address)
                ),
            )

    def roster_without_sign_ups(
        self, ledger: Ledger, sign_ups: Sequence[SignUp], file: Path | None = None
    ) -> Roster:
        """The files of the list with who was imported; or ``file`` alone, as :meth:`roster`.

        Args:
            ledger: open.
            sign_ups: who signed up beside it. That ends the waiting for a confirmation; who is
                excluded comes back as who left does.
            file: to be read in place of newsletter.toml's.

        Raises:
            RosterError: it cannot be used.
            LedgerRefused: the ledger cannot be read.
        """
        from newsletter.project.roster import read_files, with_imported

        kept_off = ledger.imports.kept_off()
        imported = [] if file else list(ledger.imports.readers())
        if not kept_off and not imported and (file or not sign_ups):
            return read_files(self, file, may_be_empty=False)
        confirmed = {each.address.suppression_key for each in sign_ups}

        def why_kept_off(address: Address) -> ReaderState | None:
            if not kept_off:
                return None
            tags = self.keys.tags(address)
            state = next((kept_off[tag] for tag in tags if tag in kept_off), None)
            if state is None or address.suppression_key not in confirmed:
                return state
            back = state is ReaderState.WAIT or any(map(ledger.suppressions.returned, tags))
            return None if back else state

        return with_imported(
            read_files(self, file, may_be_empty=True),
            imported,
            why_kept_off,
            sign_ups=sign_ups,
            fields=self.settings.audience.fields,
            imported_on={each.id: each.at.date() for each in ledger.imports.all()},
        )

    def ledger(self, *, create: bool, follow: bool = True) -> Ledger:
        """The ledger.

        Args:
            create: whether a missing one is begun.
            follow: whether the list's send record follows it; False where nothing is written.

        Raises:
            InputError: there is none (without ``create``).
            LedgerRefused: it cannot be used.
        """
        from newsletter.ledger.ledger import Ledger

        if not create and not self.has_ledger:
            # Asked before the key: looking at a new project must not make one.
            raise InputError(
                "Nothing has been sent from here yet.",
                next="“newsletter send ISSUE” sends an issue.",
            )
        ledger = Ledger(self.ledger_file, self.keys, create=create)
        try:
            if follow and (guard := self.copy_guard(ledger)):
                guard.follow()
        except BaseException:
            ledger.close()
            raise
        return ledger

    def sound_ledger(self, *, create: bool = False) -> Ledger:
        """The ledger, read whole before a command changes what it holds.

        Four seconds for a million deliveries.

        Raises:
            InputError, LedgerRefused: as :meth:`ledger`; also if the file is damaged.
        """
        ledger = self.ledger(create=create)
        try:
            ledger.check()
        except LedgerRefused:
            ledger.close()
            raise
        return ledger

    def copy_guard(self, ledger: Ledger) -> CopyGuard | None:
        """What tells whether ``ledger`` is the one that may send to the list from here.

        None for a trial: any copy may send to nobody.
        """
        if self.trial:
            return None
        from newsletter.ledger.copy_guard import CopyGuard

        return CopyGuard(self.installation, ledger, self.keys)

    def refuse_old(self, ledger: Ledger, issue: str = "", *, again: bool = False) -> None:
        """Make sure that the ledger knows of every send to the list, of ``issue`` above all.

        Raises:
            LedgerRefused: it does not.
        """
        guard = self.copy_guard(ledger)
        if guard is None:
            return
        guard.check()
        if issue and not again:
            guard.refuse_lost(issue)

    def refuse_without_ledger(self) -> None:
        """Refuse to begin a ledger for a list that was sent to before.

        Raises:
            LedgerRefused: it was.
        """
        if self.trial or self.has_ledger:
            return
        from newsletter.ledger.copy_guard import refuse_without_ledger
        from newsletter.ledger.record import Remembered

        refuse_without_ledger(self.installation, Remembered.at(self.state.record))

    @property
    def is_new_here(self) -> bool:
        """Whether this machine remembers no send to the list, and would if there had been one."""
        from newsletter.ledger.record import Remembered

        return not self.trial and not Remembered.at(self.state.record).ledger

    @cached_property
    def signer(self) -> DkimSigner | None:
        """What signs messages, if newsletter.toml says so.

        Raises:
            ConfigError: a key is not to be had or cannot be used.
        """
        if (dkim := self.settings.dkim) is None:
            return None
        # Imported late: it loads cryptography.
        from newsletter.credentials import read_private_key
        from newsletter.message.dkim import DkimSigner

        def key(source: PrivateKey) -> bytes:
            return read_private_key(source, folder=self.folder, what="DKIM key")

        second = None
        if dkim.ed25519_selector and dkim.ed25519_private_key:
            second = (dkim.ed25519_selector, key(dkim.ed25519_private_key))
        return DkimSigner(
            dkim.domain, selector=dkim.selector, private_key=key(dkim.private_key), ed25519=second
        )


def _short(folder: Path, current: Path) -> Path:
    """``folder`` as a person would write it, so that messages stay readable."""
    return Path() if folder == current else folder
