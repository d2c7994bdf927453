"""The composition root: a newsletter project's folder, put together into parts."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from newsletter.clock import SystemClock
from newsletter.config import (
    FILE_NAME,
    PrivateKey,
    ProviderSettings,
    Secret,
    Settings,
    load_settings,
)
from newsletter.errors import ConfigError, InputError, LedgerRefused, NewsletterError, Where

if TYPE_CHECKING:
    from newsletter.audience.model import Roster
    from newsletter.delivery.worker import Composes
    from newsletter.issues.loader import LoadedIssue
    from newsletter.ledger import Ledger
    from newsletter.ledger.campaigns import Campaign
    from newsletter.ledger.copy_guard import CopyGuard, Place
    from newsletter.message.compose import Composer
    from newsletter.message.dkim import Signer
    from newsletter.message.keys import KeyRing
    from newsletter.render.edition import CompileInput, Edition
    from newsletter.render.web_places import WebIssue
    from newsletter.state_folder import ListState
    from newsletter.theme import Theme
    from newsletter.transports.protocol import Transport


@dataclass(frozen=True, slots=True)
class Compiled:
    """An issue in one language, as written and as it will be sent."""

    loaded: LoadedIssue
    given: CompileInput
    edition: Edition


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
        from newsletter.theme import load_theme

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
                "The state folder is within the project's folder, and would be lost or copied "
                "with it.",
                where=Where(self.folder / FILE_NAME, item="[delivery] state_folder"),
                next="Name a folder elsewhere, or leave the setting out.",
            )
        return ListState(folder / self.settings.list.id)

    @cached_property
    def place(self) -> Place:
        """Where the list is sent from, for the copy guard."""
        from newsletter.ledger.copy_guard import Place

        return Place.of(self.folder, self.ledger_file, self.state)

    @contextmanager
    def lock(self) -> Iterator[Callable[[], None]]:
        """Hold the locks of the list and of this folder while the block runs.

        Yields:
            What makes sure that they still lock others out; raises LedgerRefused if not.

        Raises:
            SenderAtWork: another send is running.
            LedgerRefused: there can be no lock, or the state folder cannot be used.
        """
        from newsletter.ledger.lock import sender_lock

        with ExitStack() as held:
            locks = []
            if not self.trial:
                self.state.prepare()
                locks.append(held.enter_context(sender_lock(self.state.lock)))
            locks.append(held.enter_context(sender_lock(self.lock_file)))

            def check() -> None:
                for lock in locks:
                    lock.check()

            yield check

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

        if self.key_file.exists():
            return KeyRing.load(self.key_file)
        kept = self._kept_keys()
        if kept is None and self.has_ledger:
            return KeyRing.load(self.key_file)  # says that it is missing, and what to do
        return KeyRing.load_or_create(self.key_file, known=kept)

    def _kept_keys(self) -> KeyRing | None:
        """The list's keys as its state folder keeps them; None if it keeps none."""
        from newsletter.message.keys import KeyRing

        try:
            return KeyRing.load(self.state.key) if self.state.key.exists() else None
        except (NewsletterError, OSError):
            return None

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

    def compile(self, name: str) -> dict[str, Compiled]:
        """The issue in all its languages, compiled; its first language first.

        Raises:
            IssueError, TemplateError: something in it is wrong.
        """
        from newsletter.issues.languages import load_languages
        from newsletter.issues.material import load_material
        from newsletter.render.edition import CompileInput
        from newsletter.render.pipeline import compile_edition

        file = self.issue_file(self.issue_id(name))
        loaded = load_languages(file, fields=self.settings.audience.fields)
        compiled = {}
        for language, one in loaded.items():
            material = load_material(one, self.issues_folder, shown=self.theme.shown)
            given = CompileInput(one.issue, one.source, self.theme, self.settings, material)
            compiled[language] = Compiled(one, given, compile_edition(given))
        return compiled

    def issue_on_web(self, name: str) -> dict[str, WebIssue]:
        """The issue in all its languages, as its pages show it; its first language first.

        Raises:
            IssueError, TemplateError: something in it is wrong, be it in its mail.
        """
        from newsletter.render.web_places import WebIssue

        return {
            language: WebIssue(one.loaded.issue, one.given.material)
            for language, one in self.compile(name).items()
        }

    def issue_names(self) -> list[str]:
        """The ids of all issues."""
        return sorted(p.stem for p in self.issues_folder.glob("*.yaml") if "." not in p.stem)

    def default_language(self, compiled: dict[str, Compiled]) -> str:
        """The edition for readers whose language has none."""
        wanted = self.settings.language
        return wanted if wanted in compiled else next(iter(compiled))

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
                    "This is a folder, pipe or device and no file.",
                    where=Where(path),
                    next="Put the issue's file in its place.",
                )
            raise InputError(
                f"There is no issue “{issue}” here.",
                where=Where(self.issues_folder),
                next=f"There are: {', '.join(there)}."
                if there
                else "Start one with “newsletter new ID”.",
            )
        return path

    def roster(self, file: Path | None = None) -> Roster:
        """The list of subscribers.

        Raises:
            RosterError: it cannot be used.
        """
        from newsletter.audience.reader import read_roster

        path = file or self.folder / self.settings.audience.file
        return read_roster(path, fields=self.settings.audience.fields)

    def ledger(self, *, create: bool, follow: bool = True) -> Ledger:
        """The ledger.

        Args:
            create: whether a missing one is begun.
            follow: whether the list's send record follows it; False where nothing is written.

        Raises:
            InputError: there is none (without ``create``).
            LedgerRefused: it cannot be used.
        """
        from newsletter.ledger import open_ledger

        if not create and not self.has_ledger:
            # Asked before the key: looking at a new project must not make one.
            raise InputError(
                "Nothing was sent from here yet.", next="“newsletter send ISSUE” sends an issue."
            )
        ledger = open_ledger(self.ledger_file, self.keys, create=create)
        try:
            if follow and not self.trial:
                self.copy_guard(ledger).follow()
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

    def copy_guard(self, ledger: Ledger) -> CopyGuard:
        """What tells whether ``ledger`` is the one that may send to the list from here."""
        from newsletter.ledger.copy_guard import CopyGuard

        return CopyGuard(self.place, ledger, self.keys)

    def refuse_old(self, ledger: Ledger, issue: str = "", *, again: bool = False) -> None:
        """Make sure that the ledger knows of every send to the list, of ``issue`` above all.

        Raises:
            LedgerRefused: it does not.
        """
        if self.trial:
            return
        guard = self.copy_guard(ledger)
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

        refuse_without_ledger(self.place, Remembered.at(self.state.record))

    @property
    def is_new_here(self) -> bool:
        """Whether this machine remembers no send to the list, and would if there had been one."""
        from newsletter.ledger.record import Remembered

        return not self.trial and not Remembered.at(self.state.record).ledger

    def letterhead(self) -> str:
        """What besides the edition goes into every message, as canonical JSON."""
        settings = self.settings
        head = {
            "sender": settings.sender.model_dump(mode="json"),
            "list": settings.list.model_dump(mode="json"),
            "archive": settings.archive_url,
        }
        if settings.dkim is not None:
            head["dkim"] = settings.dkim.names()
        return json.dumps(head, ensure_ascii=False, sort_keys=True)

    @cached_property
    def signer(self) -> Signer | None:
        """What signs messages, if newsletter.toml says so.

        Raises:
            ConfigError: a key is not to be had or cannot be used.
        """
        if (dkim := self.settings.dkim) is None:
            return None
        # Imported late: it loads cryptography.
        from newsletter.credentials import read_private_key
        from newsletter.message.dkim import Signer

        def key(source: PrivateKey) -> bytes:
            return read_private_key(source, folder=self.folder, what="DKIM key")

        second = None
        if dkim.ed25519_selector and dkim.ed25519_private_key:
            second = (dkim.ed25519_selector, key(dkim.ed25519_private_key))
        return Signer(
            dkim.domain, selector=dkim.selector, private_key=key(dkim.private_key), ed25519=second
        )

    def _signer_as(self, frozen: object) -> Signer | None:
        """The signer under the names that a letterhead holds; None if it holds none.

        Raises:
            ConfigError: the settings name others now.
        """
        if frozen is None:
            return None
        dkim = self.settings.dkim
        if dkim is None or frozen != dkim.names():
            raise ConfigError(
                "This send began with DKIM signatures of another domain or selector.",
                where=Where(self.folder / FILE_NAME, item="[dkim]"),
                next="Put the table back as it was, with its keys, until this send is finished.",
            )
        return self.signer

    def composer(
        self,
        edition: Edition,
        *,
        letterhead: str,
        campaign: str,
        version: int = 1,
        signed: bool = True,
    ) -> Composer:
        """What makes messages from ``edition`` under a frozen letterhead.

        To sign them may run a command for the key, so what is only looked at is
        not ``signed``.
        """
        from newsletter.config import ListIdentity, Sender
        from newsletter.message.compose import Composer

        head = json.loads(letterhead)
        return Composer(
            edition,
            sender=Sender(**head["sender"]),
            list_identity=ListIdentity(**head["list"]),
            archive_url=head["archive"],
            campaign_id=campaign,
            keys=self.keys,
            version=version,
            signer=self._signer_as(head.get("dkim")) if signed else None,
        )

    def compose(self, ledger: Ledger, campaign: Campaign) -> Composes:
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
            return self.composer(
                approved[version].editions[language],
                letterhead=approved[version].letterhead,
                campaign=campaign.id,
                version=version,
            )

        return lambda recipient, *, date, version: composer(version, recipient.language).compose(
            recipient, date=date
        )

    def transport(self, *, sandbox: bool = False) -> Transport:
        """The way out that newsletter.toml names.

        Args:
            sandbox: a provider is to check the letters and deliver none.

        Raises:
            ConfigError: a password or key is not to be had, or there is no sandbox.
        """
        from newsletter.credentials import read_secret

        settings = self.settings
        if settings.list.is_example and not self.trial:
            raise ConfigError(
                f"The list's id, {settings.list.id}, is on an example domain, which is nobody's.",
                where=Where(self.folder / FILE_NAME, item="[list] id"),
                next="Give the list an id on a domain of yours. Until then mail goes into the "
                "mailbox, or to a relay with trial = true under [smtp].",
            )
        _ = self.signer  # a key that is not to be had is told here, before anything is frozen
        if sandbox and settings.provider is None:
            raise ConfigError(
                f"There is no sandbox for the transport “{settings.delivery.transport}”.",
                where=Where(item="--sandbox"),
                next="Leave the option out, or send the proof through a provider that has one.",
            )
        if settings.delivery.transport == "smtp":
            from newsletter.transports.smtp import SmtpTransport

            smtp = settings.smtp
            assert smtp is not None  # Settings checks it
            return SmtpTransport(
                smtp,
                passwords=[
                    read_secret(relay.password, what=f"password of the relay {relay.name}")
                    if relay.password
                    else None
                    for relay in smtp.relays
                ],
                client_name=settings.sender.address.rpartition("@")[2],
                clock=self.clock,
            )
        if (provider := settings.provider) is not None:
            return self._account(settings.delivery.transport, provider, sandbox=sandbox)
        from newsletter.transports.mailbox import MailboxTransport

        return MailboxTransport(self.outbox, clock=self.clock)

    def _account(self, name: str, provider: ProviderSettings, *, sandbox: bool) -> Transport:
        from newsletter.credentials import read_secret
        from newsletter.transports.api import ApiTransport
        from newsletter.transports.provider import provider_class

        secrets = {
            key: read_secret(
                value, what=f"{key.replace('_', ' ').replace('api', 'API')} of {provider.title}"
            )
            for key, value in provider
            # What is for trying alone need not be there when it is for earnest.
            if isinstance(value, Secret) and (sandbox or not key.startswith("sandbox_"))
        }
        return ApiTransport(
            provider_class(name)(provider, secrets, clock=self.clock, sandbox=sandbox),
            timeout_s=provider.timeout_s,
            clock=self.clock,
            secrets=secrets.values(),
        )


def _short(folder: Path, current: Path) -> Path:
    """``folder`` as a person would write it, so that messages stay readable."""
    return Path() if folder == current else folder
