"""The mailbox: files every mail in a folder and sends nothing. The default.

It is a real SMTP conversation with a server of our own on this machine, so the
whole path of a real send is used: the same session, the same ledger, the
same final dot. The server answers 250 only when the mail is safely in the
Maildir (``tmp`` then ``new``, after fsync), as a mail server must.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import re
import secrets
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from newsletter.clock import Clock
from newsletter.config import RelayAccess, Smtp
from newsletter.errors import TransportStopped, Where
from newsletter.message.model import Message
from newsletter.system import sync_file, sync_folder
from newsletter.transports.protocol import Allowance
from newsletter.transports.smtp import SmtpSession, SmtpTransport

if TYPE_CHECKING:
    from aiosmtpd.smtp import SMTP, Envelope, Session

_UNSAFE = re.compile(r"[^A-Za-z0-9@._+-]")


class MailboxTransport:
    """An SMTP server on this machine, and the way to it.

    Args:
        folder: the Maildir; created if missing.
        clock: dates the file names.

    Raises:
        TransportStopped: the folder cannot be created or the server cannot start.
    """

    name = "mailbox"
    batch_size = SmtpTransport.batch_size
    allowance = Allowance()
    place = "mailbox"
    notices = ()

    def __init__(self, folder: Path, *, clock: Clock) -> None:
        try:
            for part in ("tmp", "new", "cur"):
                (folder / part).mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise TransportStopped(
                f"The mailbox folder cannot be created: {error.strerror}.",
                where=Where(folder),
                next=(
                    "If there is a file of that name, move it away; otherwise check the folder's "
                    "permissions."
                ),
            ) from None
        self._server = _Server(_Maildir(folder, clock))
        self.relay = RelayAccess(host="127.0.0.1", port=self._server.port, security="none")
        """The server, for mails beside the newsletter."""
        settings = Smtp(**self.relay.model_dump(), final_timeout_s=60)
        self._smtp = SmtpTransport(
            settings, credentials=[None], client_name="localhost", clock=clock
        )

    def examine(self, message: Message) -> None:
        """Any message can go."""

    def status_lookup(self) -> None:
        """Nobody can be asked; the folder can be looked at."""

    def open(self) -> SmtpSession:
        """Start a session over real SMTP."""
        return self._smtp.open()

    def close(self) -> None:
        """Stop the server. Never raises."""
        self._server.stop()


class _Maildir:
    """The handler of the server: one file a mail, complete or not there at all."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        self._folder = folder
        self._clock = clock
        self._numbers = itertools.count(1)

    async def handle_DATA(  # noqa: N802 - aiosmtpd looks for this name
        self,
        server: SMTP,  # noqa: ARG002 - aiosmtpd passes it
        session: Session,  # noqa: ARG002 - aiosmtpd passes it
        envelope: Envelope,
    ) -> str:
        content = envelope.content
        assert isinstance(content, bytes)
        try:
            self._file(content, envelope.rcpt_tos[0])
        except OSError as error:
            return f"452 4.3.1 the mail cannot be filed: {error.strerror}"
        return "250 2.0.0 filed"

    def _file(self, content: bytes, recipient: str) -> None:
        stamp = self._clock.now().strftime("%Y%m%dT%H%M%S.%f")
        # As Maildir asks, a name that nobody else makes, whatever their clock says: a rename
        # would replace the mail that has it.
        unique = f"{stamp}.{next(self._numbers)}.{secrets.token_hex(4)}"
        name = f"{unique}.{_UNSAFE.sub('_', recipient)[:80]}.eml"
        unfinished = self._folder / "tmp" / name
        handle = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                sync_file(file.fileno())
            unfinished.rename(self._folder / "new" / name)
        except OSError:
            # On a full disk, half a mail would take the room of others.
            with contextlib.suppress(OSError):
                unfinished.unlink()
            raise
        sync_folder(self._folder / "new")


class _Server:
    """aiosmtpd on a free port of the loopback interface, in a thread of its own."""

    def __init__(self, handler: _Maildir) -> None:
        from aiosmtpd.smtp import SMTP

        def conversation() -> SMTP:
            return SMTP(
                handler,
                hostname="mailbox.localhost",
                ident="newsletter mailbox",
                enable_SMTPUTF8=True,
                loop=self._loop,
            )

        self._loop = asyncio.new_event_loop()
        # Before the thread starts: a stop that came while it was being set up would kill it.
        self._server = self._loop.run_until_complete(
            self._loop.create_server(conversation, "127.0.0.1", 0)
        )
        self.port: int = self._server.sockets[0].getsockname()[1]
        self._thread = threading.Thread(target=self._serve, name="mailbox", daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        self._loop.run_forever()
        self._server.close()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.close()

    def stop(self) -> None:
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(timeout=10)
