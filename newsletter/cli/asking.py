"""Questions to the person at the keyboard."""

from __future__ import annotations

import sys

import typer

from newsletter.cli.output import say
from newsletter.errors import InputError


def confirmed(question: str) -> bool:
    """Whether somebody says yes. Ctrl-C and the end of input are a no.

    Raises:
        InputError: there is nobody to ask.
    """
    if not sys.stdin.isatty():
        raise InputError(
            "Nobody can answer here (no terminal), so nothing was sent or changed.",
            next="Read the text above; then run the command again with --yes.",
        )
    say("")
    try:
        return typer.confirm(question)
    except typer.Abort:
        say("")
        return False
