"""An SMTP sink that misbehaves at random; a process of its own.

``python -m tests.crash.rogue_sink RECORD MANNER SEED`` prints its port, and
writes the recipient of each message it took to RECORD, through to the disk,
before it answers. It took a message unless it answers its dot with 4yz or 5yz:
whoever hears nothing, or nonsense, cannot know.

Manners: ``drops`` hangs up, most often after the dot; ``late`` answers late,
now and then later than the sender waits; ``garbage`` answers what is no SMTP;
``half-open`` accepts connections and never speaks; ``refuses`` says 4yz, 421
and 5yz at all phases; ``odd`` is all of them.
"""

import asyncio
import os
import random
import sys
from collections.abc import Callable
from dataclasses import dataclass

CUT = b"cut"
SILENCE = b"silence"
_HELD_S = 60
_GARBAGE = (b"\xff\xfe\x00?\r\n", b"999 what\r\n", b"25\r\n", b"2", b"-" * 5000 + b"\r\n", b"\r\n")
_LATER = (b"450 4.2.0 later\r\n", b"451 4.7.1 greylisted\r\n", b"452 4.3.1 no room\r\n")


@dataclass(frozen=True)
class Deed:
    """What happens instead of the proper reply, or before it."""

    reply: bytes | None = None
    delay_s: float = 0.0


Manner = Callable[[random.Random, str], Deed]
"""From chance and phase (banner, EHLO, MAIL, RCPT, DATA, body, dot) to a deed."""


def drops(chance: random.Random, phase: str) -> Deed:
    often = {"dot": 0.02, "body": 0.004, "RCPT": 0.004, "banner": 0.02}.get(phase, 0.001)
    return Deed(CUT) if chance.random() < often else Deed()


def late(chance: random.Random, phase: str) -> Deed:
    found = chance.random()
    if phase == "dot" and found < 0.003:
        return Deed(delay_s=3)
    return Deed(delay_s=chance.uniform(0, 0.1)) if found < 0.05 else Deed()


def garbage(chance: random.Random, phase: str) -> Deed:
    often = 0.02 if phase == "dot" else 0.002
    return Deed(chance.choice(_GARBAGE)) if chance.random() < often else Deed()


def half_open(chance: random.Random, phase: str) -> Deed:
    often = {"banner": 0.15, "dot": 0.003}.get(phase, 0.0005)
    return Deed(SILENCE) if chance.random() < often else Deed()


def refuses(chance: random.Random, phase: str) -> Deed:
    found = chance.random()
    if found < 0.002:
        return Deed(b"421 4.3.2 closing\r\n")
    if phase in {"RCPT", "dot"} and found < 0.03:
        return Deed(chance.choice(_LATER))
    if phase == "RCPT" and found < 0.035:
        return Deed(b"550 5.1.1 unknown\r\n")
    return Deed()


def odd(chance: random.Random, phase: str) -> Deed:
    for manner in (drops, late, garbage, half_open, refuses):
        deed = manner(chance, phase)
        if deed != Deed():
            return deed
    return Deed()


MANNERS: dict[str, Manner] = {
    "drops": drops,
    "late": late,
    "garbage": garbage,
    "half-open": half_open,
    "refuses": refuses,
    "odd": odd,
}


class Cut(Exception):
    pass


class Conversation:
    """One connection."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        behave: Callable[[str], Deed],
        note: Callable[[str], None],
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._behave = behave
        self._note = note
        self._recipient: str | None = None
        self._mail = False

    async def hold(self) -> None:
        await self._say("banner", b"220 rogue.example ESMTP\r\n")
        while line := await self._reader.readline():
            verb = line[:4].upper().strip().decode("ascii", "replace")
            if verb == "QUIT":
                return await self._send(b"221 2.0.0 bye\r\n")
            await self._obey(verb, line)
        return None

    async def _obey(self, verb: str, line: bytes) -> None:
        if verb == "EHLO":
            words = b"250-rogue.example\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SMTPUTF8\r\n"
            await self._say(verb, words)
        elif verb == "MAIL":
            self._recipient = None
            self._mail = await self._say(verb, b"250 2.1.0 ok\r\n")
        elif verb == "RCPT" and self._mail:
            if await self._say(verb, b"250 2.1.5 ok\r\n"):
                self._recipient = line.split(b"<", 1)[1].split(b">", 1)[0].decode()
        elif verb == "DATA" and self._recipient is not None:
            if await self._say(verb, b"354 go on\r\n"):
                await self._body(self._recipient)
        elif verb in {"RSET", "NOOP"}:
            self._recipient = None
            await self._send(b"250 2.0.0 ok\r\n")
        else:
            await self._send(b"503 5.5.1 not now\r\n")

    async def _body(self, recipient: str) -> None:
        self._mail, self._recipient = False, None
        if self._behave("body").reply == CUT:
            await self._reader.readline()
            raise Cut
        await self._reader.readuntil(b"\r\n.\r\n")
        deed = self._behave("dot")
        if deed.reply is None or not deed.reply.startswith((b"4", b"5")):
            self._note(recipient)
        await self._do(deed, b"250 2.0.0 taken\r\n")

    async def _say(self, phase: str, reply: bytes) -> bool:
        """Do what the manner has in mind; whether the reply was the proper one."""
        deed = self._behave(phase)
        await self._do(deed, reply)
        return deed.reply is None

    async def _do(self, deed: Deed, proper: bytes) -> None:
        if deed.reply == CUT:
            raise Cut
        if deed.reply == SILENCE:
            await asyncio.sleep(_HELD_S)
            raise Cut
        await asyncio.sleep(deed.delay_s)
        await self._send(deed.reply or proper)
        if deed.reply and (deed.reply.startswith(b"421") or not deed.reply.endswith(b"\n")):
            raise Cut

    async def _send(self, reply: bytes) -> None:
        self._writer.write(reply)
        await self._writer.drain()


async def _serve(record: str, manner: Manner, chance: random.Random) -> None:
    file = os.open(record, os.O_WRONLY | os.O_APPEND)

    def note(recipient: str) -> None:
        os.write(file, recipient.encode() + b"\n")
        os.fsync(file)

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        conversation = Conversation(reader, writer, lambda phase: manner(chance, phase), note)
        try:
            await conversation.hold()
        except (Cut, OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0, limit=10_000_000)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def main() -> None:
    record, manner, seed = sys.argv[1:]
    asyncio.run(_serve(record, MANNERS[manner], random.Random(seed)))


if __name__ == "__main__":
    main()
