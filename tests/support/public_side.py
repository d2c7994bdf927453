"""The public side of a project under test: its log, what is sealed into it, and a real server."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import uvicorn
from nacl.public import PrivateKey
from newsletter.addresses import Address
from newsletter.clock import SystemClock
from newsletter.message.keys import KeyRing
from newsletter.message.tokens import Purpose, Token, sign
from newsletter.web.log import PublicLog
from newsletter.web.seal import ENTRY_BYTES, FORM_BYTES, seal, webhook_size
from newsletter.web.sync_api import sync_routes
from starlette.applications import Starlette
from starlette.types import ASGIApp

LIST_ID = "news.defenders.test"


def public_settings(url: str = "https://news.defenders.example", more: str = "") -> str:
    """A [public] table, to stand behind the last other one."""
    return f'\n[public]\nurl = "{url}"\nread_every_s = 1\n{more}\n'


class PublicSide:
    """What a server would write into a project's log.

    Args:
        log: open.
        keys: the project's key ring, of which a server knows the public half.
    """

    def __init__(self, log: PublicLog, keys: KeyRing) -> None:
        self.log = log
        self.keys = keys

    def tag(self, address: str) -> bytes:
        local, _, domain = address.partition("@")
        return self.keys.address_tag(Address(local, domain))

    def box(self, size: int = ENTRY_BYTES, /, **content: Any) -> bytes:
        number, private = next(iter(self.keys.box_keys(LIST_ID).items()))
        public = bytes(PrivateKey(private).public_key)
        return seal({"v": 1, "at": time.time(), **content}, public, number, size=size)

    def add(self, **content: Any) -> bytes:
        return self.log.append(self.box(**content))

    def webhook(
        self, provider: str, body: bytes, headers: Mapping[str, str] | None = None, /, **more: Any
    ) -> bytes:
        """A webhook, as the server seals it."""
        content = {
            "kind": "webhook",
            "provider": provider,
            "headers": dict(headers or {}),
            "body": base64.b64encode(body).decode(),
            **more,
        }
        room = {"room": "0" * 40}
        return self.log.append(self.box(webhook_size({**content, **room}), **content))

    def leave(self, address: str, **more: Any) -> bytes:
        leave = {"kind": "leave", "road": "header", "campaign": "00" * 8, "key": 1}
        return self.add(**{**leave, "tag": self.tag(address).hex(), **more})

    def undo(self, leave: bytes) -> bytes:
        return self.add(kind="undo", leave=leave.hex())

    def form(self, address: str, **more: Any) -> bytes:
        """What the sign-up form seals."""
        number, private = next(iter(self.keys.box_keys(LIST_ID).items()))
        form = {
            "v": 1,
            "kind": "signup",
            "address": address,
            "name": "",
            "language": "en",
            "topics": [],
            "page": "subscribe",
            "form_at": time.time() - 60,
            "wording": "0" * 32,
            "mail": "1" * 32,
        }
        public = bytes(PrivateKey(private).public_key)
        return seal({**form, **more}, public, number, size=FORM_BYTES)

    def sign_up(self, address: str, *, at: float | None = None, **more: Any) -> bytes:
        """A sign-up that was confirmed, now or at another time."""
        box = base64.b64encode(self.form(address, **more)).decode()
        return self.add(kind="signup", box=box, at=time.time() if at is None else at)

    def come_back(self, address: str, *, form_at: float) -> bytes:
        minute = int(form_at // 60)
        token = Token(Purpose.RETURN, self.tag(address), bytes(8), minute)
        return self.add(kind="return", token=sign(token, keys=self.keys, list_id=LIST_ID))


@contextlib.contextmanager
def public_side(folder: Path, name: str = "public.db") -> Iterator[PublicSide]:
    """The log in a project's folder, where “newsletter serve” keeps it."""
    keys = KeyRing.load_or_create(folder / "newsletter.key")
    with contextlib.closing(PublicLog(folder / name)) as log:
        yield PublicSide(log, keys)


def log_app(log: PublicLog, keys: KeyRing) -> Starlette:
    """The server's routes for a project whose key file has a bearer secret."""
    assert keys.bearer is not None
    bearer_hash = hashlib.sha256(keys.bearer).hexdigest()
    secret = keys.signing_key_id
    return Starlette(routes=sync_routes(log, bearer_hash, SystemClock(), secret=secret))


@contextlib.contextmanager
def served(app: ASGIApp, port: int = 0, **options: Any) -> Iterator[int]:
    """An application behind uvicorn on a port of this machine; gives the port."""
    with socket.create_server(("127.0.0.1", port)) as listening:
        config = uvicorn.Config(app, log_config=None, log_level="critical", ws="none", **options)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            while not server.started:
                time.sleep(0.01)
            yield listening.getsockname()[1]
        finally:
            server.should_exit = True
            thread.join()
