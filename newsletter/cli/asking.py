"""Questions to the person at the keyboard."""

from __future__ import annotations

import sys

import typer

from newsletter.cli.output import harmless, say
from newsletter.errors import InputError


def confirmed(question: str) -> bool:
    """Whether somebody says yes. Ctrl-C and the end of input are a no.

    Raises:
        InputError: there is nobody to ask.
    """
    try:
        return _asked(question)
    except typer.Abort:
        say("")
        return False


def decided(question: str) -> bool:
    """Whether somebody says yes, where a no decides something as well.

    Raises:
        InputError: there is nobody to ask, or Ctrl-C or the end of input decided nothing.
    """
    try:
        return _asked(question)
    except typer.Abort:
        raise _unanswered() from None


def chosen(question: str, most: int) -> int:
    """Which number from 1 to ``most`` somebody at a terminal says.

    Raises:
        InputError: Ctrl-C or the end of input decided nothing.
    """
    asked = f"{harmless(question)} [1-{most}]"
    try:
        while not 1 <= (number := typer.prompt(asked, type=int)) <= most:
            say(f"There is no {number:,} here.")
    except typer.Abort:
        raise _unanswered() from None
    return int(number)


def _unanswered() -> InputError:
    say("")
    return InputError(
        "The question was not answered, so nothing was changed.", next="Run the command again."
    )


def _asked(question: str) -> bool:
    if not sys.stdin.isatty():
        raise InputError(
            "Nobody can answer here (no terminal), so nothing was sent or changed.",
            next="Read the text above; then run the command again with --yes.",
        )
    say("")
    return typer.confirm(harmless(question))
