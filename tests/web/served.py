"""The public side as it runs: uvicorn on a port of this machine, with a log in a folder."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import requests
from newsletter.addresses import Address
from newsletter.clock import Clock, SystemClock
from newsletter.config import load_settings
from newsletter.message.keys import KeyRing
from newsletter.message.tokens import NOBODY, PUBLIC, Purpose, Token, Verifier, sign
from newsletter.render.public_pages import PublicPages
from newsletter.web.app import create_app
from newsletter.web.bundle import Bundle
from newsletter.web.confirmations import Confirmations
from newsletter.web.log import PublicLog
from newsletter.web.seal import unseal
from newsletter.web.server import listen, serve

from tests.support.tools import ROOT

LIST = "news.defenders.test"
READER = Address.parse("anna@readers.example")
_WITHIN_S = 30


@cache
def key_ring() -> KeyRing:
    """The keys of all tests of the public side, with one secret and a key of version 1."""
    return KeyRing(b"p" * 32, secrets={1: b"s" * 32}, keys={1: b"k" * 32})


@cache
def pages() -> PublicPages:
    """The pages of the theme that ships."""
    return bundle().pages()


def pages_of(known: Bundle | None) -> PublicPages:
    """The pages of a bundle; those of the usual one are compiled once."""
    return pages() if known is None else known.pages()


def bundle(url: str = "https://news.defenders.example", **changes: Any) -> Bundle:
    """What the server knows, of the settings of this repository."""
    number, box = key_ring().box_public(LIST)
    settings = load_settings(ROOT / "newsletter.toml")
    known: dict[str, Any] = {
        "verifier": Verifier.of(key_ring(), LIST, PUBLIC),
        "box": box,
        "box_number": number,
        "list_id": LIST,
        "list_name": settings.list.name,
        "url": url,
        "unsubscribe_url": "https://news.defenders.example/u/{token}",
        "languages": ("en", "fr", "es", "ar"),
        "organisation": settings.organisation,
        "bearer_hash": "",
        "theme": ROOT / settings.theme.folder,
        "archive": None,
    }
    return Bundle(**{**known, **changes})


def token(purpose: Purpose, *, minutes_ago: int = 120, nobody: bool = False, **changes: Any) -> str:
    """A token in a mail to :data:`READER`."""
    keys = changes.get("keys", key_ring())
    tag = NOBODY if nobody else keys.address_tag(READER)
    minute = int(time.time() / 60) - minutes_ago
    made = Token(purpose, tag, keys.campaign_tag("2017-03"), minute)
    return sign(made, keys=keys, list_id=changes.get("list_id", LIST))


@dataclass(frozen=True)
class Running:
    """A server that runs.

    Attributes:
        url: its address, without a slash at the end.
        log: its log.
    """

    url: str
    log: PublicLog

    def events(self) -> list[dict[str, Any]]:
        """What was written, opened with the officer's key, each with its id."""
        keys = key_ring().box_keys(LIST)
        opened = []
        for entry in self.log.page(0).entries:
            content = unseal(entry.box, keys)
            assert content is not None
            opened.append({"id": entry.id.hex(), **content})
        return opened

    def kinds(self) -> list[str]:
        """The kinds of what was written, in order."""
        return [event["kind"] for event in self.events()]

    def get(self, path: str, **options: Any) -> requests.Response:
        return requests.get(f"{self.url}{path}", timeout=_WITHIN_S, **options)

    def post(self, path: str, data: Any = None, **options: Any) -> requests.Response:
        return requests.post(
            f"{self.url}{path}", data=data, timeout=_WITHIN_S, allow_redirects=False, **options
        )


@contextlib.contextmanager
def running(
    folder: Path,
    *,
    known: Bundle | None = None,
    clock: Clock | None = None,
    confirmations: Confirmations | None = None,
) -> Iterator[Running]:
    """Run a server with its log in ``folder`` while the block runs."""
    stop, ready = threading.Event(), threading.Event()
    with contextlib.closing(PublicLog(folder / "public.db")) as log:
        app = create_app(
            known or bundle(),
            pages_of(known),
            log,
            confirmations=confirmations,
            clock=clock or SystemClock(),
        )
        listening = listen("127.0.0.1", 0)
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        thread = threading.Thread(
            target=serve, args=(app, listening), kwargs={"on_ready": ready.set, "stop": stop}
        )
        thread.start()
        try:
            assert ready.wait(_WITHIN_S)
            yield Running(url, log)
        finally:
            stop.set()
            thread.join(_WITHIN_S)
