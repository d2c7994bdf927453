"""What a public server may know of a project, written to a folder for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from newsletter.clock import SystemClock
from newsletter.config import FILE_NAME, RelayAccess
from newsletter.credentials import read_secret, read_token, refuse_strangers
from newsletter.errors import ConfigError, InputError, Where
from newsletter.project.log_source import LOG_NAME
from newsletter.project.project import Project
from newsletter.project.writing import refuse_own
from newsletter.web.bundle import FILE_NAME as PUBLIC_FILE
from newsletter.web.bundle import Bundle
from newsletter.web.confirmations import Confirmations


@dataclass(frozen=True, slots=True)
class Served:
    """What a server answers from.

    Attributes:
        bundle: what it may know.
        log: the file of its public log.
        project: whose folder it runs in; None with a bundle alone.
    """

    bundle: Bundle
    log: Path
    project: Project | None

    @contextmanager
    def confirmations(self) -> Iterator[Confirmations | None]:
        """What sends the mails of those who sign up; None: nobody can, since there is no relay.

        In the folder of a project whose mail goes into the mailbox, they go there.

        Raises:
            ConfigError: the relay's password is not to be had.
        """
        clock = SystemClock()
        with self._relay(clock) as relay:
            if relay is None:
                yield None
                return
            sender = Confirmations(
                relay,
                sender=self.bundle.confirm_from,
                credential=_credential(relay),
                clock=clock,
            )
            with closing(sender):
                yield sender

    @contextmanager
    def _relay(self, clock: SystemClock) -> Iterator[RelayAccess | None]:
        mailbox = self.project and self.project.settings.delivery.transport == "mailbox"
        if self.bundle.relay is not None or not mailbox:
            yield self.bundle.relay
            return
        from newsletter.transports.mailbox import MailboxTransport

        assert self.project is not None
        with closing(MailboxTransport(self.project.outbox, clock=clock)) as transport:
            yield transport.relay


def served_from(folder: Path | None) -> Served:
    """What a server in the project's folder answers from, or one with a bundle alone.

    Args:
        folder: the bundle's; None takes the project of the current folder.

    Raises:
        ConfigError: there is neither, or it cannot be used.
    """
    if folder is not None or Path(PUBLIC_FILE).is_file():
        folder = folder or Path()
        bundle = Bundle.load(folder)
        refuse_strangers(folder / PUBLIC_FILE)  # it may name a command
        return Served(bundle, folder / LOG_NAME, None)
    project = Project.here()
    return Served(Bundle.of(project), project.folder / LOG_NAME, project)


def _credential(relay: RelayAccess) -> Callable[[], str] | None:
    """What gets a relay's password, read once, or its access token, which does not last.

    Raises:
        ConfigError: it is not to be had.
    """
    if relay.token is not None:
        read = partial(read_token, relay.token, what=f"access token of the relay {relay.name}")
        read()
        return read
    if relay.password is not None:
        password = read_secret(relay.password, what=f"password of the relay {relay.name}")
        return lambda: password
    return None


def write_bundle(project: Project, folder: Path) -> Bundle:
    """Write what a public server needs to ``folder``; an earlier bundle there is replaced.

    Raises:
        ConfigError: there is no public server in the settings, or the key file cannot be used.
        TemplateError: the theme cannot be used.
        InputError: the folder holds other things, or cannot be written.
    """
    if project.settings.public is None:
        raise ConfigError(
            "newsletter.toml has no public server.",
            where=Where(project.folder / FILE_NAME),
            next='Add a table [public] with url = "https://news.example.org".',
        )
    refuse_own(project, folder, instead="public")
    inside = project.folder.resolve().is_relative_to(folder.resolve())
    try:
        strange = folder.exists() and any(folder.iterdir()) and not (folder / PUBLIC_FILE).exists()
    except OSError:
        strange = True
    if inside or strange:
        raise InputError(
            "That folder holds other files, so nothing was written there.",
            where=Where(folder),
            next="Name a new folder with --out, such as public.",
        )
    project.keys_with_bearer()
    bundle = Bundle.of(project)
    bundle.pages().check()  # here a person can mend the theme; on the server readers would wait
    try:
        bundle.write(folder)
    except OSError as error:
        raise InputError(
            f"The files cannot be written: {error.strerror}.",
            where=Where(folder),
            next="Name another folder with --out.",
        ) from None
    return bundle
