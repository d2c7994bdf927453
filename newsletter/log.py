"""The log of ``newsletter --log FILE``: one JSON object a line, about campaigns and never readers.

What can be written is fixed by :func:`note`: ids, counts and codes. No message
of an error is written, since it could quote an address or a server's reply.
"""

from __future__ import annotations

import errno
import json
import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal, TextIO

from newsletter.clock import moment_at
from newsletter.errors import InputError, Where
from newsletter.regular_file import read_start

_START = b'{"time": '
"""How each line begins; a file that begins otherwise is somebody's, perhaps the ledger."""
_LOG = logging.getLogger("newsletter")
_LOG.addHandler(logging.NullHandler())  # else Python prints warnings that nobody asked for

Event = Literal[
    "command began", "command ended",
    "campaign frozen", "campaign held", "campaign released", "campaign corrected",
    "run began", "run ended",
]  # fmt: skip


def note(
    event: Event,
    *,
    campaign: str | None = None,
    counts: Mapping[str, int] | None = None,
    command: str | None = None,
    exit_code: int | None = None,
) -> None:
    """Write a line, if there is a log. Never raises.

    Args:
        event: what happened.
        campaign: the id of the campaign that it happened to.
        counts: recipients by state.
        command: the name of the command, without its arguments.
        exit_code: how the command ended; the level follows from it.
    """
    facts = {"campaign": campaign, "counts": counts, "command": command, "exit_code": exit_code}
    level = logging.ERROR if exit_code else logging.INFO
    _LOG.log(level, event, extra={"facts": {k: v for k, v in facts.items() if v is not None}})


def is_on() -> bool:
    """Whether somebody reads what :func:`note` is given; to count for it may take a while."""
    return _LOG.isEnabledFor(logging.INFO)


@contextmanager
def writing_to(file: Path, *, command: str) -> Iterator[None]:
    """Append to ``file`` what happens in the block, a command, and how it ends.

    Raises:
        InputError: the file cannot be written, or holds something else than a log.
    """
    try:
        stream = _appending(file)
    except OSError as error:
        raise InputError(
            f"The log cannot be written: {error.strerror}.",
            where=Where(file),
            next="Name a file in a folder that exists and that you may write to.",
        ) from None
    handler = _JsonLines(stream)
    before = _LOG.level
    _LOG.addHandler(handler)
    _LOG.setLevel(logging.INFO)
    try:
        note("command began", command=command)
        yield
        note("command ended", command=command, exit_code=0)
    except BaseException as error:
        code = getattr(error, "exit_code", 1)
        note("command ended", command=command, exit_code=int(code))
        raise
    finally:
        _LOG.setLevel(before)
        _LOG.removeHandler(handler)
        with suppress(OSError):
            stream.close()


def _appending(file: Path) -> TextIO:
    if file.exists() and not _START.startswith(read_start(file, max_bytes=len(_START))):
        raise OSError(errno.EEXIST, "the file is no log of this program")
    # For its owner alone: how many readers a list has is nobody else's business.
    return os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "a")


class _JsonLines(logging.StreamHandler[TextIO]):
    """Writes each record as a JSON object on a line of its own."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end."""
        line = {
            "time": moment_at(record.created).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "event": record.msg,
            **getattr(record, "facts", {}),
        }
        return json.dumps(line)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        """Go on: a full disk under the log is no reason to stop a send."""
