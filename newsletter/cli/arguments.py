"""Arguments and options that several commands share."""

from __future__ import annotations

from typing import Annotated

import typer

from newsletter.errors import InputError

IssueName = Annotated[
    str, typer.Argument(metavar="ISSUE", help="The issue: its id (2017-03) or its file.")
]


def _named(context: typer.Context, option: typer.CallbackParam, value: str) -> str:
    """An empty name stands for no segment only if nobody gave it, as a script by a slip may."""
    source = context.get_parameter_source(option.name or "")
    if not value and source is not None and source.name == "COMMANDLINE":
        raise InputError(
            "--segment names none, and without a segment all of the list is meant.",
            next="Name a segment of newsletter.toml, or leave --segment out.",
        )
    return value


Segment = Annotated[
    str,
    typer.Option(
        callback=_named, metavar="NAME", help="Only readers in this segment of newsletter.toml."
    ),
]

Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask; for scripts.")]

WithoutLog = Annotated[
    bool,
    typer.Option(
        "--without-log",
        help="Begin although the public log cannot be read. Readers who left may be mailed.",
    ),
]

Online = Annotated[
    bool,
    typer.Option("--online", help="Ask the DNS whether each domain takes mail. No address leaves."),
]

WaitMinutes = Annotated[
    float | None,
    typer.Option(
        "--wait",
        min=0,
        max=1440,
        metavar="MINUTES",
        help="How long to wait for deferred recipients. Default: wait_minutes in newsletter.toml.",
    ),
]
