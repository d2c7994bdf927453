"""Arguments and options that several commands share."""

from __future__ import annotations

from typing import Annotated

import typer

IssueName = Annotated[
    str, typer.Argument(metavar="ISSUE", help="The issue: its id (2017-03) or its file.")
]

Segment = Annotated[
    str, typer.Option(metavar="NAME", help="Only readers in this segment of newsletter.toml.")
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
