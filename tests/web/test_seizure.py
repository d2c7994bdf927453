"""Whoever takes the server, and one reader's letter, learns of nobody else who left."""

from __future__ import annotations

import hashlib
import re
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest
from newsletter.addresses import Address
from newsletter.message.keys import KeyRing
from newsletter.message.tokens import PUBLIC, Purpose, Token, Verifier, sign, verify
from newsletter.web.bundle import Bundle
from newsletter.web.seal import unseal

from tests.support.tools import PROVE
from tests.web.process import ServerProcess, entries, write_bundle
from tests.web.served import LIST, key_ring

MANY = 10_000 if PROVE else 1_000
CANDIDATES = [Address.parse(f"reader{number}@readers.example") for number in range(MANY)]
LEFT = CANDIDATES[10:200:7]
LETTER_OF = CANDIDATES[5]


def token_of(reader: Address, purpose: Purpose) -> str:
    keys = key_ring()
    minute = int(time.time() / 60) - 300
    made = Token(purpose, keys.address_tag(reader), keys.campaign_tag("2017-03"), minute)
    return sign(made, keys=keys, list_id=LIST)


def taken(server: ServerProcess, pid: int) -> dict[str, bytes]:
    """All files of a server, also those that are open, and its command line and environment."""
    files = [path for path in server.folder.rglob("*") if path.is_file()]
    files += [Path(f"/proc/{pid}/{name}") for name in ("cmdline", "environ")]
    opened = Path(f"/proc/{pid}/fd").iterdir()
    files += [each for each in opened if each.resolve().is_file()]
    files.append(server.folder.with_name(f"{server.folder.name}.said"))
    return {str(path): path.read_bytes() for path in files}


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


@pytest.mark.fault(
    "Public",
    "the server is taken, with one reader's letter",
    state="no address is confirmed or recovered; the officer's key opens all",
)
def test_a_server_that_was_taken_names_nobody(tmp_path: Path) -> None:
    server = ServerProcess(write_bundle(tmp_path / "public"))
    with server.running() as process:
        for reader in LEFT:
            assert 200 == server.ask("POST", f"/1/{token_of(reader, Purpose.HEADER)}")[0]
        for reader in LEFT[:3]:
            server.ask("GET", f"/leave/{token_of(reader, Purpose.PAGE)}?lang=fr")
        files = taken(server, process.pid)
        process.kill()
        process.wait(timeout=20)
        assert {"public.db", "public.db-wal", "public.db-shm"} <= {Path(f).name for f in files}
        everything = b"\n".join(files.values())

        # Neither an address, nor its tag, nor a token stands anywhere.
        mine = key_ring()
        for reader in CANDIDATES:
            tag = mine.address_tag(reader)
            assert str(reader).encode() not in everything
            assert tag not in everything
            assert tag.hex().encode() not in everything
        for reader in LEFT:
            assert token_of(reader, Purpose.HEADER)[:24].encode() not in everything

        # The letter's tokens verify with what was taken, and hold one tag: its own reader's.
        bundle = Bundle.load(server.folder)
        purposes = (Purpose.HEADER, Purpose.PAGE, Purpose.PREFERENCES)
        read = [verify(token_of(LETTER_OF, each), bundle.verifier) for each in purposes]
        assert {mine.address_tag(LETTER_OF)} == {each.address_tag for each in read if each}

        # No key that was taken makes a tag of the letter, or opens a box.
        keys = keys_in(files, server.log)
        assert len(keys) >= 2 * len(PUBLIC)
        assert not {mine.pepper, *mine.secrets.values(), *mine.box_keys(LIST).values()} & keys
        tag = mine.address_tag(LETTER_OF)
        for key in keys:
            guess = KeyRing(key, secrets={1: key})
            assert all(guess.address_tag(reader) != tag for reader in CANDIDATES)
        written = entries(server.log)
        assert len(LEFT) == len(written)
        assert 1 == len({len(entry.box) for entry in written})
        for entry in written:
            assert unseal(entry.box, dict(enumerate(keys))) is None

        # With the officer's key each event opens, and names whoever left.
        opened = [unseal(entry.box, mine.box_keys(LIST)) for entry in written]
        tags = [mine.address_tag(reader).hex() for reader in LEFT]
        assert tags == [event["tag"] for event in opened if event]

        # The bundle makes tokens for leaving, if a tag is known; none to bring anybody back.
        assert Purpose.RETURN not in {purpose for _, purpose in bundle.verifier.keys}
        back = token_of(LETTER_OF, Purpose.RETURN)
        assert verify(back, bundle.verifier) is None
        assert verify(back, Verifier.of(mine, LIST)) is not None
