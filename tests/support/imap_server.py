"""An IMAP server that can misbehave: what Dovecot never does."""

import base64
import re
import socket
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from types import TracebackType
from typing import Self

Answer = Callable[["Line", str, str], bool]
"""Takes a command's tag and words; whether it answered, else the server does as it should."""


class Line:
    """One client's connection."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._file = sock.makefile("rb")

    def read(self) -> str:
        return self._file.readline().decode()

    def write(self, *lines: bytes | str) -> None:
        for line in lines:
            self._sock.sendall((line.encode() if isinstance(line, str) else line) + b"\r\n")

    def drip(self, octets: bytes, pause: threading.Event) -> None:
        """Send an octet now and then, for as long as somebody listens."""
        for number in range(100_000):
            self._sock.sendall(octets[number % len(octets) :][:1])
            if pause.wait(0.05):
                return

    def cut(self) -> None:
        self._sock.shutdown(socket.SHUT_RDWR)


class ImapServer:
    """Serves ``mails`` by UID, in the order of their UIDs, and ``answer`` first.

    It keeps the commands that it was given, without their tags.
    """

    def __init__(
        self, mails: Mapping[int, bytes], answer: Answer | None = None, *, capability: str = ""
    ) -> None:
        self.mails = dict(sorted(mails.items()))
        self.answer = answer
        self.capability = f"IMAP4rev1 {capability}".strip()
        self.commands: list[str] = []
        self.logins = 0
        self.ended = threading.Event()
        self._listening = socket.create_server(("127.0.0.1", 0))
        # Else a second line waits until the first is acknowledged: 40 ms.
        self._listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.port: int = self._listening.getsockname()[1]
        self._thread = threading.Thread(target=self._accept)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.ended.set()
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._thread.join(timeout=20)
        assert not self._thread.is_alive()

    def _accept(self) -> None:
        while not self.ended.is_set():
            with suppress(OSError):
                sock, _ = self._listening.accept()
                with sock:
                    self._serve(Line(sock))

    def _serve(self, line: Line) -> None:
        line.write(f"* OK [CAPABILITY {self.capability}] ready")
        while command := line.read():
            tag, _, words = command.strip().partition(" ")
            self.commands.append(words)
            if self.answer is None or not self.answer(line, tag, words):
                self.behave(line, tag, words)

    def behave(self, line: Line, tag: str, words: str) -> None:
        """Answer as a server should."""
        match words.partition(" ")[0].upper():
            case "CAPABILITY":
                line.write(f"* CAPABILITY {self.capability}")
            case "LOGIN":
                self.logins += 1
            case "SELECT" | "EXAMINE":
                line.write(f"* {len(self.mails)} EXISTS", "* OK [UIDVALIDITY 7] valid")
            case "AUTHENTICATE":
                self.logins += 1
                line.write("+ ")
                line.read()
            case "FETCH":
                uids = list(self.mails)
                line.write(
                    *(
                        f"* {number} FETCH (UID {uids[number - 1]} "
                        f"RFC822.SIZE {len(self.mails[uids[number - 1]])})"
                        for number in map(int, words.split()[1].split(","))
                        if number <= len(uids)
                    )
                )
            case "UID":
                most = re.search(r"<0\.(\d+)>", words)
                assert most
                for uid in asked(words):
                    data = self.mails.get(uid, b"")[: int(most[1])]
                    number = list(self.mails).index(uid) + 1
                    line.write(f"* {number} FETCH (UID {uid} BODY[]<0> {{{len(data)}}}")
                    line.write(data + b")")
            case "LOGOUT":
                line.write("* BYE")
        line.write(f"{tag} OK done")


def asked(words: str) -> list[int]:
    """The UIDs in a UID FETCH; none in another command."""
    if not words.startswith("UID FETCH"):
        return []
    return [int(uid) for uid in words.split()[2].split(",")]


def decoded(response: str) -> str:
    return base64.b64decode(response).decode()
