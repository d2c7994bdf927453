"""A real IMAP server: Dovecot with one mailbox, on a port of its own, while a block runs."""

import contextlib
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tests.support.tools import program

USER, PASSWORD = "bounces", "correct-horse"
_WITHIN_S = 20
_CONFIG = """
base_dir = {folder}/run
log_path = {folder}/log
protocols = imap
listen = 127.0.0.1
default_internal_user = {user}
default_internal_group = {group}
default_login_user = {user}
first_valid_uid = 1
mail_location = maildir:{folder}/mail
disable_plaintext_auth = no
{tls}
passdb {{
  driver = static
  args = password={password}
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={folder}/home
}}
service anvil {{
  chroot =
}}
service stats {{
  chroot =
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = {tls_port}
  }}
}}
"""
_TLS = """
ssl = yes
ssl_cert = <{folder}/cert.pem
ssl_key = <{folder}/key.pem
"""


class Dovecot:
    """The running server, and its one mailbox as the Maildir that it serves."""

    def __init__(self, folder: Path, port: int, tls_port: int, owner: pwd.struct_passwd) -> None:
        self.port = port
        self.tls_port = tls_port
        self._folder = folder
        self._mail = folder / "mail"
        self._owner = owner
        self._number = 0
        self._make()
        self._process = _started(folder, port)

    def deliver(self, *mails: bytes) -> None:
        """Put mails into the INBOX."""
        for mail in mails:
            self._number += 1
            name = f"{1490950000 + self._number}.M{self._number}.host"
            path = self._mail / "tmp" / name
            path.write_bytes(mail)
            self._give(path)
            path.rename(self._mail / "new" / name)

    def files(self, folder: str = "") -> dict[str, str]:
        """The mails in a folder: flags by name."""
        place = self._mail / f".{folder}" if folder else self._mail
        found = (path.name for part in ("new", "cur") for path in (place / part).glob("*"))
        return {name.partition(":")[0]: name.partition(":2,")[2] for name in found}

    def forget_uids(self) -> None:
        """Let each mail get a new UID, under another UIDVALIDITY."""
        uids = self._mail / "dovecot-uidlist"
        head = uids.read_text().partition("\n")[0]
        for path in self._mail.glob("dovecot*"):
            path.unlink()
        later = re.sub(r"V(\d+) N\d+", lambda found: f"V{int(found[1]) + 1} N1", head)
        uids.write_text(f"{later}\n")
        self._give(uids)

    def pause(self) -> None:
        """Stop answering: nobody listens on the port."""
        _stop(self._process)

    def go_on(self) -> None:
        """Answer again, on the same port."""
        self._process = _started(self._folder, self.port)

    def _give(self, path: Path) -> None:
        if os.geteuid() == 0:
            os.chown(path, self._owner.pw_uid, self._owner.pw_gid)

    def _make(self) -> None:
        for part in (".", "tmp", "new", "cur"):
            (self._mail / part).mkdir(exist_ok=True)
            self._give(self._mail / part)


@contextlib.contextmanager
def dovecot(certificate: tuple[bytes, bytes] | None = None) -> Iterator[Dovecot]:
    """Run it. ``certificate``: chain and key in PEM, for TLS and STARTTLS."""
    program("dovecot")  # or there is no such test
    # Whoever owns mail must not be root, and must reach the folder.
    owner = pwd.getpwnam("nobody") if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())
    folder = Path(tempfile.mkdtemp(prefix="newsletter-dovecot-", dir="/tmp"))
    folder.chmod(0o755)
    port, tls_port = _free_ports()
    tls = "ssl = no"
    if certificate:
        (folder / "cert.pem").write_bytes(certificate[0])
        (folder / "key.pem").write_bytes(certificate[1])
        tls = _TLS.format(folder=folder)
    user = pwd.getpwuid(os.geteuid()).pw_name
    config = folder / "dovecot.conf"
    config.write_text(
        _CONFIG.format(
            folder=folder,
            user="dovecot" if os.geteuid() == 0 else user,
            group="dovecot" if os.geteuid() == 0 else _group(),
            uid=owner.pw_uid,
            gid=owner.pw_gid,
            port=port,
            tls_port=tls_port if certificate else 0,
            tls=tls,
            password=PASSWORD,
        )
    )
    server = None
    try:
        server = Dovecot(folder, port, tls_port, owner)
        yield server
    finally:
        if server is not None:
            server.pause()
        shutil.rmtree(folder, ignore_errors=True)


def _started(folder: Path, port: int) -> "subprocess.Popen[bytes]":
    command = [program("dovecot"), "-F", "-c", str(folder / "dovecot.conf")]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        _wait_for(port, process, folder / "log")
    except BaseException:
        _stop(process)
        raise
    return process


def _stop(process: "subprocess.Popen[bytes]") -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    process.wait(timeout=_WITHIN_S)


def _group() -> str:
    import grp

    return grp.getgrgid(os.getegid()).gr_name


def _free_ports() -> list[int]:
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as b:
        return [one.getsockname()[1], b.getsockname()[1]]


def _wait_for(port: int, process: "subprocess.Popen[bytes]", log: Path) -> None:
    until = time.monotonic() + _WITHIN_S
    while time.monotonic() < until and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1) as sock:
            if sock.recv(4) == b"* OK":
                return
        time.sleep(0.05)
    raise AssertionError(log.read_text() if log.exists() else "Dovecot did not start")
