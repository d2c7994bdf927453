"""Every error this tool raises on purpose, in one tree.

::

    NewsletterError                  catch this to catch them all
    ├── InputError            exit 2   what a person wrote cannot be used
    │   ├── ConfigError                newsletter.toml, the key file or a credential
    │   ├── IssueError                 an issue file
    │   ├── TemplateError              a theme: MJML, text, CSS or words
    │   └── RosterError                a subscriber list
    ├── ChecksFailed          exit 3   checks found errors in the edition
    ├── TransportStopped      exit 4   the relay or provider stopped the run
    ├── LogUnreachable        exit 4   the public log cannot be read
    ├── MailboxUnreachable    exit 4   the bounce mailbox cannot be read
    └── LedgerRefused         exit 5   the ledger will not allow it

What concerns one recipient is never an exception but a value: an
:data:`newsletter.transports.protocol.Outcome`.

Each error says what happened, where, and what to do next; the command line
prints exactly these three. None carries a secret.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path


class ExitCode(IntEnum):
    """What a command's exit status means (docs/commands.md)."""

    DONE = 0
    """Done, and the numbers add up."""
    BAD_INPUT = 2
    """Something a person wrote cannot be used."""
    CHECKS_FAILED = 3
    """The checks found errors."""
    TRANSPORT_STOPPED = 4
    """The relay or provider stopped the run, or recipients still wait for a retry."""
    LEDGER_REFUSES = 5
    """The ledger will not allow it."""
    IN_DOUBT = 6
    """Finished, but for some recipients nobody knows whether the mail was accepted."""


@dataclass(frozen=True, slots=True)
class Where:
    """A place in something that a person wrote.

    ``line`` and ``column`` count from 1; ``row`` is the row of a list as a
    spreadsheet numbers it, the header being row 1. ``item`` names the story,
    setting or column meant.
    """

    file: Path | str | None = None
    line: int | None = None
    column: int | None = None
    row: int | None = None
    item: str | None = None

    def __str__(self) -> str:
        """``issues/2017-03.yaml:12:5, story “Nur Nobi Dulal”``."""
        place = "" if self.file is None else str(self.file)
        if self.line is not None:
            place += f":{self.line}"
            if self.column is not None:
                place += f":{self.column}"
        parts = [place] if place else []
        if self.row is not None:
            parts.append(f"row {self.row}")
        if self.item:
            parts.append(self.item)
        return ", ".join(parts)


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong: what, where, and how to mend it."""

    what: str
    where: Where = Where()
    next: str = ""

    def __str__(self) -> str:
        """One line: place, sentence, advice."""
        place = str(self.where)
        text = f"{place}: {self.what}" if place else self.what
        return f"{text} {self.next}".rstrip()


class NewsletterError(Exception):
    """The base of all errors raised on purpose.

    Args:
        what: what happened, as a sentence for a person who does not program.
        where: the place in what the person wrote, if there is one.
        next: what to do next, as a sentence.
        problems: when several things are wrong at once, each of them; ``what``
            then sums them up.
    """

    exit_code: ExitCode = ExitCode.BAD_INPUT

    def __init__(
        self,
        what: str,
        *,
        where: Where | None = None,
        next: str = "",  # noqa: A002 - the word that the reader of an error is looking for
        problems: Sequence[Problem] = (),
    ) -> None:
        super().__init__(what)
        self.what = what
        self.where = where or Where()
        self.next = next
        self.problems = tuple(problems)

    def __str__(self) -> str:
        """What, where and what next on one line, the single problems below."""
        lines = [str(Problem(self.what, self.where, self.next))]
        lines.extend(f"  {problem}" for problem in self.problems)
        return "\n".join(lines)


class InputError(NewsletterError):
    """What a person wrote cannot be used."""


class ConfigError(InputError):
    """newsletter.toml, the key file or a credential cannot be used."""


class IssueError(InputError):
    """An issue file cannot be used."""


class TemplateError(InputError):
    """A theme's template, style sheet or words cannot be used."""


class RosterError(InputError):
    """A subscriber list cannot be used."""


class ChecksFailed(NewsletterError):
    """The checks found errors in what would be sent."""

    exit_code = ExitCode.CHECKS_FAILED


class TransportStopped(NewsletterError):
    """The relay or provider stopped the run; nobody was lost, resume later."""

    exit_code = ExitCode.TRANSPORT_STOPPED


class LogUnreachable(NewsletterError):
    """The public log cannot be read, so it is not known who left."""

    exit_code = ExitCode.TRANSPORT_STOPPED


class MailboxUnreachable(NewsletterError):
    """The bounce mailbox cannot be read now; what was read before is applied."""

    exit_code = ExitCode.TRANSPORT_STOPPED


class LedgerRefused(NewsletterError):
    """The ledger will not allow it: it would mail somebody twice, or tell untruths."""

    exit_code = ExitCode.LEDGER_REFUSES
