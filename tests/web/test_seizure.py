"""Whoever takes the server, and one reader's letter, learns of nobody who left or signed up."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import re
import secrets
import shutil
import sqlite3
import time
import urllib.parse
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import requests
from newsletter.addresses import Address
from newsletter.clock import SystemClock
from newsletter.config import RelayAccess
from newsletter.message.tokens import PUBLIC, Purpose, Token, Verifier, sign, verify
from newsletter.web.bundle import Bundle
from newsletter.web.confirm_links import ConfirmLinks
from newsletter.web.seal import sealed_length, unseal
from requests.adapters import HTTPAdapter

from tests.web.process import ServerProcess, entries
from tests.web.relay import FROM, USER, Relay, relay_running
from tests.web.served import LIST, bundle, key_ring
from tests.web.test_deploy import PROXIES, free_port, proxied

CANDIDATES = [Address.parse(f"reader{number}@readers.example") for number in range(10_000)]
LETTER_OF = CANDIDATES[5]
BY_HEADER, BY_PAGE, CHOSE = CANDIDATES[10:200:7], CANDIDATES[300:304], CANDIDATES[400:403]
SIGNED_UP, UNCONFIRMED = CANDIDATES[500:505], CANDIDATES[600:603]
BOUNCED = CANDIDATES[700:712]
WEBHOOK_KEY = b"w" * 16
WORDS = "They read my mail."
FASTEST_S = 2.1
"""No form counts that is sent sooner than two seconds after its page."""


def token_of(reader: Address, purpose: Purpose) -> str:
    keys = key_ring()
    minute = int(time.time() / 60) - 300
    made = Token(purpose, keys.address_tag(reader), keys.campaign_tag("2017-03"), minute)
    return sign(made, keys=keys, list_id=LIST)


class _From(HTTPAdapter):
    """Connects from an address of this machine, so that each visitor has one of their own."""

    def __init__(self, number: int) -> None:
        self._source = (f"127.0.1.{number % 250 + 1}", 0)
        super().__init__()

    def init_poolmanager(self, *args: Any, **more: Any) -> None:
        super().init_poolmanager(*args, source_address=self._source, **more)


@dataclass
class Public:
    """A server with its proxies, as readers reach it: each by the next of the proxies."""

    ways: list[tuple[str, str | bool]]
    _visitors: dict[Address, tuple[requests.Session, str]] = field(default_factory=dict)

    def ask(self, reader: Address, method: str, path: str, data: Any = None) -> str:
        if reader not in self._visitors:
            number = len(self._visitors)
            url, ca = self.ways[number % len(self.ways)]
            session = requests.Session()
            session.verify, session.trust_env = ca, False
            session.mount(f"{url}/", _From(number))
            self._visitors[reader] = session, url
        session, url = self._visitors[reader]
        answer = session.request(method, f"{url}{path}", data=data, timeout=30)
        assert 200 == answer.status_code, answer.text
        return answer.text

    def hidden(self, reader: Address, path: str, do: str = "") -> dict[str, str]:
        """What a page's form sends if nothing is chosen: the one for ``do``, or its only one."""
        return hidden_in(self.ask(reader, "GET", path), do)


def hidden_in(page: str, do: str = "") -> dict[str, str]:
    for form in re.findall(r"<form.*?</form>", page, re.DOTALL):
        found = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', form))
        if found.get("do", "") == do or not do:
            return found
    raise AssertionError(page)


def use(public: Public, relay: Relay) -> list[str]:
    """Let readers leave, choose, sign up and confirm; gives the links that nobody opened."""
    for reader in BY_HEADER:
        # One token for both: one of the next minute would be another link, and so another leave.
        path = f"/1/{token_of(reader, Purpose.HEADER)}"
        for _ in range(2):
            public.ask(reader, "POST", path)
    pages = {each: f"/leave/{token_of(each, Purpose.PAGE)}?lang=fr" for each in BY_PAGE}
    choose = {each: f"/preferences/{token_of(each, Purpose.PREFERENCES)}" for each in CHOSE}
    leaving = {each: public.hidden(each, path, "leave") for each, path in pages.items()}
    choosing = {each: public.hidden(each, path) for each, path in choose.items()}
    joining = {each: public.hidden(each, "/subscribe") for each in (*SIGNED_UP, *UNCONFIRMED)}
    time.sleep(FASTEST_S)
    left = {each: public.ask(each, "POST", path, leaving[each]) for each, path in pages.items()}
    public.ask(BY_PAGE[0], "POST", pages[BY_PAGE[0]], hidden_in(left[BY_PAGE[0]], "undo"))
    for reader in BY_PAGE[1:3]:
        reason = {**hidden_in(left[reader], "reason"), "reason": "unsafe", "words": WORDS}
        public.ask(reader, "POST", pages[reader], reason)
    for reader, path in choose.items():
        chosen = {**choosing[reader], "language": "fr", "pause": ""}
        public.ask(reader, "POST", path, chosen)
    for number, (reader, form) in enumerate(joining.items(), 1):
        typed = {**form, "address": str(reader), "name": "Anna", "consent": "yes"}
        for _ in range(2):  # the second time it is too soon, and no mail goes out
            public.ask(reader, "POST", "/subscribe", typed)
        relay.wait_for(number)
    links = {each.recipient: urllib.parse.urlsplit(each.link).path for each in relay.mails}
    confirming = {each: public.hidden(each, links[str(each)]) for each in SIGNED_UP}
    time.sleep(FASTEST_S)
    for reader, form in confirming.items():
        public.ask(reader, "POST", links[str(reader)], form)
    for reader in BOUNCED:
        told = json.dumps({"event": "hard_bounce", "email": str(reader)}).encode()
        public.ask(reader, "POST", f"/hooks/resend/{WEBHOOK_KEY.hex()}", told)
    return [links[str(each)].removeprefix("/confirm/") for each in UNCONFIRMED]


def taken(server: ServerProcess, pid: int, proxies: list[Path]) -> dict[str, bytes]:
    """All files of server and proxies, also those that are open, with command line and environment.

    Not what the process holds in memory.
    """
    files = [path for folder in (server.folder, *proxies) for path in folder.rglob("*")]
    files += [Path(f"/proc/{pid}/{name}") for name in ("cmdline", "environ")]
    opened = Path(f"/proc/{pid}/fd").iterdir()
    files += [each for each in opened if each.resolve().is_file()]
    files.append(server.folder.with_name(f"{server.folder.name}.said"))
    return {str(path): path.read_bytes() for path in files if path.is_file()}


def keys_in(files: dict[str, bytes], log: Path) -> set[bytes]:
    """Whatever could be a key: 32 bytes, written out or in the log's table, and their hashes."""
    found = {
        bytes.fromhex(text.decode())
        for content in files.values()
        for text in re.findall(rb"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])", content)
    }
    with closing(sqlite3.connect(log)) as database:
        for (value,) in database.execute("SELECT value FROM meta"):
            found |= {str(value).encode().ljust(32, b"\0")[:32]}
            if re.fullmatch(r"[0-9a-f]{64}", str(value)):
                found.add(bytes.fromhex(value))
    return found | {hashlib.sha256(key).digest() for key in found}


# What an address could be told by


def decoded(content: bytes) -> Iterator[bytes]:
    """The bytes, and what hexadecimal, base64, percent signs and UTF-16 in them stand for.

    Of base64 each of the four places where it could begin, so that what is encoded inside of
    something longer comes out as well.
    """
    yield content
    yield urllib.parse.unquote_to_bytes(content)
    yield content.replace(b"\0", b"")
    for run in set(re.findall(rb"[0-9A-Fa-f]{16,}", content)):
        for start in (0, 1):
            digits = run[start:]
            yield bytes.fromhex(digits[: len(digits) // 2 * 2].decode())
    for run in set(re.findall(rb"[A-Za-z0-9+/_-]{16,}", content)):
        for start in range(4):
            digits = run[start:]
            plain = digits[: len(digits) // 4 * 4].replace(b"-", b"+").replace(b"_", b"/")
            yield base64.b64decode(plain)


_BEGINNING = 8
"""Bytes of a hash that are looked for; by chance one is found in a hundred million runs."""
_HASHES = ("md5", "sha1", "sha256", "sha512", "blake2b", "sha3_256")


def hashes_of(reader: Address, keys: set[bytes]) -> Iterator[bytes]:
    """Whatever somebody with these keys could compute of an address, its beginning."""
    text = reader.suppression_key.encode()
    for name in _HASHES:
        yield hashlib.new(name, text).digest()[:_BEGINNING]
    for key in keys:
        yield hmac.digest(key, text, "sha256")[:_BEGINNING]  # as an address's tag is made
        yield hashlib.sha256(key + text).digest()[:_BEGINNING]
        yield hashlib.sha256(text + key).digest()[:_BEGINNING]


@dataclass(frozen=True)
class Guesses:
    """What the candidates could be told by, to look for in anything."""

    hashes: frozenset[bytes]

    def found_in(self, content: bytes) -> set[bytes]:
        found = set()
        for each in decoded(content):
            windows = {each[n : n + _BEGINNING] for n in range(len(each) - _BEGINNING + 1)}
            found |= windows & self.hashes
            found |= set(re.findall(rb"(?i)reader\d+|readers\.example", each))
        return found


@pytest.mark.fault(
    "Public",
    "the server is taken, with one reader's letter",
    state="no address is confirmed or recovered; the officer's key opens all",
)
@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")
def test_a_server_that_was_taken_names_nobody(tmp_path: Path) -> None:
    folder = tmp_path / "public"
    places = f"{os.environ['PATH']}:/usr/sbin"
    installed = [name for name in PROXIES if shutil.which(name, path=places)]
    password = secrets.token_hex(10)
    (tmp_path / "credential").write_text(password)
    (tmp_path / "credential").chmod(0o600)
    with ExitStack() as opened:
        relay = opened.enter_context(relay_running(password=password))
        access = RelayAccess.model_validate(
            {
                "host": "127.0.0.1",
                "port": relay.port,
                "security": "none",
                "username": USER,
                "password": {"command": ["cat", str(tmp_path / "credential")]},
            }
        )
        bearer = hashlib.sha256(b"b" * 32).hexdigest()
        bundle(
            bearer_hash=bearer,
            confirm_from=FROM,
            relay=access,
            webhooks=("resend",),
            webhook_key=WEBHOOK_KEY,
        ).write(folder)
        server = ServerProcess(folder)
        process = opened.enter_context(server.running())
        upstream = f"http://127.0.0.1:{server.port}"
        proxies = [
            opened.enter_context(
                proxied(name, "", tmp_path / name, port=free_port(), upstream=upstream)
            )
            for name in installed
        ]
        ways: list[tuple[str, str | bool]] = [(each.url, each.ca) for each in proxies]
        in_flight = use(Public(ways or [(upstream, True)]), relay)
        files = taken(server, process.pid, [each.folder for each in proxies])
        process.kill()
        process.wait(timeout=20)
    assert {"public.db", "public.db-wal", "public.db-shm"} <= {Path(f).name for f in files}
    files |= {"credential": password.encode(), "links": "\n".join(in_flight).encode()}
    mine, known = key_ring(), Bundle.load(server.folder)
    keys = keys_in(files, server.log) | {WEBHOOK_KEY}
    assert known.webhook_key == WEBHOOK_KEY
    assert len(keys) >= 2 * len(PUBLIC)
    assert not {mine.pepper, *mine.secrets.values(), *mine.box_keys(LIST).values()} & keys

    # Nothing by which a candidate could be told stands anywhere: neither their address nor
    # their tag, nor any hash that can be computed with what was taken. So no token of theirs
    # can be made either, but from a link of their own.
    tags = {mine.address_tag(reader)[:_BEGINNING] for reader in CANDIDATES}
    hashes = frozenset(each for reader in CANDIDATES for each in hashes_of(reader, keys))
    guesses = Guesses(hashes | tags)
    assert len(hashes) > len(CANDIDATES) * len(keys)
    assert set() == guesses.found_in(b"\n".join(set(files.values())))
    # It would have been found.
    reader, key = CANDIDATES[9_999], min(keys)
    tag = hmac.digest(key, str(reader).encode(), "sha256")[:12]
    for planted in (
        str(reader).encode(),
        urllib.parse.quote(str(reader)).encode(),
        f"..{hashlib.md5(str(reader).encode()).hexdigest()}".encode(),
        base64.urlsafe_b64encode(b"x" + mine.address_tag(reader)),
        base64.b64encode(b"\xff" * 3 + tag),
        b"\0" + tag + b"\0",
        token_of(reader, Purpose.HEADER).encode(),
    ):
        assert guesses.found_in(b"a line\n" + planted + b"\nanother"), planted

    # The letter's tokens verify with what was taken, and hold one tag: its own reader's. No key
    # that was taken makes that tag of any address.
    purposes = (Purpose.HEADER, Purpose.PAGE, Purpose.PREFERENCES)
    read = [verify(token_of(LETTER_OF, each), known.verifier) for each in purposes]
    tag = mine.address_tag(LETTER_OF)
    assert {tag} == {each.address_tag for each in read if each}
    assert tag[:_BEGINNING] not in hashes

    # No key that was taken opens a box: not in the log, nor in a link that nobody opened.
    written = entries(server.log)
    links = [ConfirmLinks(known.verifier, SystemClock()).read(each) for each in in_flight]
    boxes = [link.box for link in links if link]
    assert len(UNCONFIRMED) == len(boxes)
    for box in (*boxes, *(entry.box for entry in written)):
        assert unseal(box, dict(enumerate(keys))) is None
    # Two events of one reader, or of one kind, are no more alike than others.
    assert {1074, sealed_length(2048)} == {len(entry.box) for entry in written}
    pieces = [entry.box[n : n + 16] for entry in written for n in range(2, 1074 - 16, 16)]
    assert len(pieces) == len({*pieces})
    assert len(written) == len({entry.id for entry in written})

    # Of when something was done the log has the day.
    with closing(sqlite3.connect(server.log)) as database:
        columns = [row[1] for row in database.execute("PRAGMA table_info(entry)")]
        days = {day for (day,) in database.execute("SELECT day FROM entry")}
    assert ["seq", "id", "box", "head", "day"] == columns
    assert max(days) - min(days) <= 1

    # With the officer's key each event opens, and names whoever left and signed up.
    events = server.events()
    tags_by_kind: dict[str, list[str]] = {}
    for event in events:
        tags_by_kind.setdefault(event["kind"], []).append(event.get("tag", ""))
    wanted = [mine.address_tag(reader).hex() for reader in (*BY_HEADER, *BY_PAGE)]
    assert wanted == tags_by_kind["leave"]
    assert [mine.address_tag(reader).hex() for reader in CHOSE] == tags_by_kind["preferences"]
    assert (1, 2) == (len(tags_by_kind["undo"]), len(tags_by_kind["reason"]))
    hooks_told = [base64.b64decode(e["body"]) for e in events if e["kind"] == "webhook"]
    assert list(map(str, BOUNCED)) == [json.loads(body)["email"] for body in hooks_told]
    confirmed = [base64.b64decode(event["box"]) for event in events if event["kind"] == "signup"]
    assert list(map(str, SIGNED_UP)) == [address_in(box) for box in confirmed]
    assert list(map(str, UNCONFIRMED)) == [address_in(box) for box in boxes]

    # The bundle makes tokens for leaving, if a tag is known; none to bring anybody back.
    assert Purpose.RETURN not in {purpose for _, purpose in known.verifier.keys}
    back = token_of(LETTER_OF, Purpose.RETURN)
    assert verify(back, known.verifier) is None
    assert verify(back, Verifier.of(mine, LIST)) is not None


def address_in(box: bytes) -> str:
    form = unseal(box, key_ring().box_keys(LIST))
    assert form is not None
    address: str = form["address"]
    return address
