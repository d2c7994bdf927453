"""Makes food out of a corpus, feeds it to a target, and keeps what it chokes on."""

import hashlib
import random
import resource
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.fuzz.targets import TARGETS
from tests.fuzz.words import WORDS
from tests.support.alarm import TooLong, alarm
from tests.support.tools import ROOT

CORPUS = Path(__file__).with_name("corpus")
FOUND = ROOT / "build" / "fuzz"
"""Where findings are kept, each as a file to be fed again."""
_MEMORY = 3_000_000_000
_LONGEST = 100_000
_LIMIT_S = 20
"""The processor's time for one piece; the slowest sound one takes a second."""


@dataclass(frozen=True)
class Finding:
    """What came out of a target that must not, and over what."""

    target: str
    food: bytes
    error: BaseException

    def keep(self) -> Path:
        """Write the food down."""
        path = FOUND / self.target / hashlib.sha256(self.food).hexdigest()[:16]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(self.food)
        return path


def limit_memory() -> None:
    """Let no piece of food take more memory than a small machine has."""
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))


def corpus(name: str) -> list[bytes]:
    """What a target is known to eat."""
    return [path.read_bytes() for path in sorted((CORPUS / name).iterdir())]


def feed(name: str, food: bytes) -> Finding | None:
    """Feed a target once."""
    try:
        with alarm(_LIMIT_S):
            TARGETS[name](food)
    except (Exception, TooLong) as error:  # noqa: BLE001 - whatever comes out is a finding
        return Finding(name, food, error)
    return None


def hunt(
    name: str, *, seed: int, pieces: int | None = None, seconds: float = 0
) -> tuple[int, list[Finding]]:
    """Feed a target so many pieces, or so long; how many it had, and the first of each finding."""
    until = time.monotonic() + seconds
    found: dict[str, Finding] = {}
    number = 0
    for food in _meals(name, random.Random(seed)):
        if number == pieces or (pieces is None and time.monotonic() > until):
            break
        number += 1
        finding = feed(name, food)
        if finding is not None:
            found.setdefault(_kind(finding.error), finding)
    return number, list(found.values())


def _kind(error: BaseException) -> str:
    """The same for the same fault: its type, and the line that raised it."""
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    line = f"{place.tb_frame.f_code.co_filename}:{place.tb_lineno}" if place else ""
    return f"{type(error).__name__} {line}"


def _meals(name: str, chance: random.Random) -> Iterator[bytes]:
    """The corpus as it is, and then changed without end."""
    known = corpus(name)
    yield from known
    while True:
        food = chance.choice(known)
        for _ in range(chance.choice((1, 1, 2, 3, 8))):
            food = _changed(food, known, WORDS[name], chance)
        yield food[:_LONGEST]


def _changed(
    food: bytes, known: list[bytes], words: tuple[bytes, ...], chance: random.Random
) -> bytes:
    start = chance.randrange(len(food) + 1)
    end = min(len(food), start + chance.choice((0, 1, 2, 8, 50, 1000)))
    before, piece, after = food[:start], food[start:end], food[end:]
    match chance.randrange(8):
        case 0:
            return before + after
        case 1:
            return before + chance.randbytes(len(piece)) + after
        case 2:
            return before + chance.choice(words) + after
        case 3:
            return before + chance.choice(words) * chance.choice((2, 30, 2000)) + after
        case 4:
            return before + piece * chance.choice((2, 30, 2000)) + after
        case 5:
            other = chance.choice(known)
            cut = chance.randrange(len(other) + 1)
            return before + other[cut:]
        case 6:
            return before + bytes(byte ^ 1 << chance.randrange(8) for byte in piece) + after
        case _:
            return before + piece[::-1] + after
