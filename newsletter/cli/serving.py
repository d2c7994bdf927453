"""``serve``: the public side, which answers readers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from newsletter.cli.output import say
from newsletter.phrases import joined


def serve(
    host: Annotated[
        str, typer.Option(metavar="ADDRESS", help="Address of this machine to listen on.")
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65535, metavar="NUMBER", help="Port; 0 takes a free one.")
    ] = 8025,
    bundle: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="What “newsletter keys public” wrote. Default: the project of this folder.",
        ),
    ] = None,
) -> None:
    """Answer readers: leaving, signing up, choosing, past issues. Ctrl-C ends it.

    Put a proxy with HTTPS before it; “newsletter docs public” has examples.

    Example: newsletter serve --port 8025
    """
    import threading
    from contextlib import closing
    from dataclasses import replace

    from newsletter.project.public import served_from
    from newsletter.web.app import create_app
    from newsletter.web.log import PublicLog
    from newsletter.web.server import alone, listen
    from newsletter.web.server import serve as run

    served = served_from(bundle)
    if served.project is not None:
        say(
            "The list and this server share a machine: whoever takes it has both. "
            "“newsletter docs public” tells how to keep them apart.",
            style="yellow",
        )
    if missing := served.bundle.privacy.missing:
        say(
            f"The privacy notice says nothing of {joined(missing)}: set them under [privacy]. "
            "“newsletter docs privacy” tells what belongs there.",
            style="yellow",
        )
    if served.bundle.shares_account:
        say(
            "Confirmations leave through the newsletter's own account: whoever takes this "
            "server could mail your readers in its name. Use an account of its own.",
            style="yellow",
        )
    with (
        alone(served.log),
        closing(PublicLog(served.log)) as log,
        served.confirmations() as confirmations,
    ):
        listening = listen(host, port)
        place = f"http://{host}:{listening.getsockname()[1]}"
        known = served.bundle if served.bundle.url else replace(served.bundle, url=place)
        run(
            create_app(known, known.pages(), log, confirmations=confirmations),
            listening,
            on_ready=lambda: say(f"Answering readers of {known.list_name} at {place}/"),
            stop=threading.Event(),
        )
    say("The server has ended. What readers asked for is in the log.")
