"""Tokens that readers mailed, or that stand on lines of their own. Reads those files alone.

Anybody can write to the address that unsubscribe mails go to, so only the beginning
of each head is read, and in it the subject, the date and our own server's stamp.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.errors import HeaderParseError
from email.header import decode_header
from email.parser import BytesHeaderParser
from email.utils import parsedate_to_datetime
from pathlib import Path

from newsletter.feedback.bounce_mailbox import Mail, file_mails
from newsletter.regular_file import open_regular, read_start

_MOST_BYTES = 64_000
"""Of a head, and of a line."""
_LONGEST_SUBJECT = 2000
_MOST_TOKENS = 5
_TOKEN = re.compile(r"(?<![\w-])[A-Za-z0-9_-]{40,200}(?![\w-])", re.ASCII)
_ALONE = re.compile(r"(?:\S*[/=])?([A-Za-z0-9_-]{40,200})", re.ASCII)
_FIELD = re.compile(rb"[!-9;-~]+:")


@dataclass(frozen=True, slots=True)
class Mailed:
    """What one mail or line holds: what may be ``tokens``, since when, and where it stands."""

    tokens: tuple[str, ...]
    at: datetime
    place: str
    subject: str = ""


def read_mailed(path: Path, *, now: datetime) -> Iterator[Mailed]:
    """Each mail of an mbox, a Maildir or an eml file, or each line of a file of tokens.

    Args:
        path: the file or folder.
        now: the time of what tells none, and the latest that is believed.

    Raises:
        OSError: it cannot be read. Of a folder, a file that cannot is left out.
    """
    if path.is_dir() or _begins_a_mail(read_start(path, max_bytes=_MOST_BYTES)):
        for mail in file_mails(path):
            if isinstance(mail, Mail):
                yield tokens_in(mail.data, mail.place, now)
    else:
        yield from _lines(path, now)


def _begins_a_mail(start: bytes) -> bool:
    first = start.partition(b"\n")[0]
    return first.startswith(b"From ") or (bool(_FIELD.match(first)) and b"://" not in first)


def _lines(path: Path, now: datetime) -> Iterator[Mailed]:
    with open_regular(path) as file:
        number = 0
        while line := file.readline(_MOST_BYTES):
            number += 1
            if text := line.decode("utf-8", "replace").strip():
                found = _ALONE.fullmatch(text)
                yield Mailed((found[1],) if found else (), now, f"{path}, line {number}")


def tokens_in(mail: bytes, place: str, now: datetime) -> Mailed:
    """What may be a token in a mail's subject.

    Args:
        mail: its head, or more of it.
        place: where it stands.
        now: the time of a mail that tells none, and the latest that is believed.
    """
    fields = BytesHeaderParser().parsebytes(mail[:_MOST_BYTES])
    subject = _decoded(str(fields.get("subject", "")))
    stamps = [str(fields.get("date", "")), str(fields.get("received", "")).rpartition(";")[2]]
    times = [at for stamp in stamps if (at := _time(stamp)) is not None and at <= now]
    return Mailed(
        tuple(_TOKEN.findall(subject)[:_MOST_TOKENS]), max(times, default=now), place, subject
    )


def _decoded(subject: str) -> str:
    """The subject's words, whatever way they were encoded (RFC 2047)."""
    try:
        parts = decode_header(subject[:_LONGEST_SUBJECT])
    except (HeaderParseError, ValueError):
        return ""
    return "".join(
        part if isinstance(part, str) else _text(part, charset or "ascii")
        for part, charset in parts
    )


def _text(part: bytes, charset: str) -> str:
    try:
        return part.decode(charset, "replace")
    except (LookupError, ValueError):
        return part.decode("ascii", "replace")


def _time(stamp: str) -> datetime | None:
    try:
        at = parsedate_to_datetime(stamp[:200].strip())
        return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
    except (TypeError, ValueError, OverflowError, IndexError):
        return None
