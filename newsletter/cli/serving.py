"""``serve``: the public side, which answers readers."""

from __future__ import annotations

from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from newsletter.cli.output import say, show_line
from newsletter.errors import InputError, NewsletterError
from newsletter.phrases import joined

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from newsletter.project.public import Served

_HERE = "127.0.0.1"
_PORT = 8025
_READ_EVERY_S = 1.0


def serve(
    host: Annotated[
        str, typer.Option(metavar="ADDRESS", help="Address of this machine to listen on.")
    ] = _HERE,
    port: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=65535,
            metavar="NUMBER",
            help="Port. 0: a free one. Default: 8025; with --demo a free one.",
        ),
    ] = None,
    bundle: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Folder that “newsletter keys public” wrote. Default: this folder.",
        ),
    ] = None,
    demo: Annotated[
        bool,
        typer.Option(
            "--demo",
            help="Try it with made-up readers. Mails reach nobody; all is removed at the end.",
        ),
    ] = False,
) -> None:
    """Run the public server: leaving, signing up, preferences, past issues.

    Ctrl-C ends it. Put a proxy with HTTPS before it; “newsletter docs public” has
    examples.

    Example: newsletter serve --port 8025
    """
    if demo:
        if bundle is not None or host != _HERE:
            raise InputError(
                "--demo uses its own newsletter, on this machine only.",
                next="Leave --bundle and --host out.",
            )
        _demo(port or 0)
        return
    from newsletter.project.public import served_from
    from newsletter.web.server import alone, listen

    served = served_from(bundle)
    _warn(served)
    # Closed here as well: what is amiss in the bundle is found before serving begins.
    with alone(served.log), listen(host, _PORT if port is None else port) as listening:
        place = f"http://{host}:{listening.getsockname()[1]}"
        _answer(
            served,
            listening,
            url=place,
            on_ready=lambda: say(f"Answering readers of {served.bundle.list_name} at {place}/"),
        )
    say("The server has ended. What readers asked for is in the log.")


def _warn(served: Served) -> None:
    """Say what keeps the server from protecting readers as it could."""
    if served.project is not None:
        say(
            "The list is on the same machine as this server: whoever takes the "
            "machine has both. “newsletter docs public” says how to separate them.",
            style="yellow",
        )
    if missing := served.bundle.privacy.missing:
        say(
            f"The privacy notice lacks {joined(missing)}: set them under [privacy] in "
            "newsletter.toml, where the list is. “newsletter docs rights” says more.",
            style="yellow",
        )
    if served.bundle.shares_account:
        say(
            "Confirmations are sent through the newsletter's own account: somebody "
            "who takes this server could mail your readers in its name. Use a "
            "separate account.",
            style="yellow",
        )


def _answer(
    served: Served, listening: socket.socket, *, url: str, on_ready: Callable[[], None]
) -> None:
    """Serve until told to stop. ``url``: the server's address if the settings name none."""
    import threading
    from contextlib import closing
    from dataclasses import replace

    from newsletter.web.app import create_app
    from newsletter.web.log import PublicLog
    from newsletter.web.server import serve as run

    bundle = served.bundle if served.bundle.url else replace(served.bundle, url=url)
    with closing(PublicLog(served.log)) as log, served.confirmations() as confirmations:
        pages = bundle.pages()
        pages.check()
        app = create_app(bundle, pages, log, confirmations=confirmations)
        run(app, listening, on_ready=on_ready, stop=threading.Event())


def _demo(port: int) -> None:
    import threading

    from newsletter.cli.news import show_news
    from newsletter.cli.progress import Watch
    from newsletter.project.demo import demo
    from newsletter.project.log_source import LOG_NAME
    from newsletter.project.public import Served
    from newsletter.project.sync import sync
    from newsletter.web.bundle import Bundle
    from newsletter.web.server import listen

    with ExitStack() as opened:
        listening = opened.enter_context(listen(_HERE, port))
        url = f"http://{_HERE}:{listening.getsockname()[1]}"
        made = opened.enter_context(demo(url, Watch()))
        project, ended = made.project, threading.Event()

        def introduce() -> None:
            say(f"A newsletter was sent to made-up readers; their mails are in {project.mails}.")
            say(f"Leave as {made.reader}: open the link in the text of the mail,")
            show_line(made.page)
            say("or do what a mail program's button does:")
            show_line(f"curl -d List-Unsubscribe=One-Click {made.header}")
            say("Sign up; the mail to confirm is put with the others:")
            show_line(f"{url}/subscribe")
            say("Who leaves or signs up is shown here. Ctrl-C ends it and removes all of it.")
            reading.start()

        def read() -> None:
            while not ended.wait(_READ_EVERY_S):
                with suppress(NewsletterError):  # tried again
                    show_news(sync(project))

        reading = threading.Thread(target=read, name="demo")
        served = Served(Bundle.of(project), project.folder / LOG_NAME, project)
        try:
            _answer(served, listening, url=url, on_ready=introduce)
        finally:
            ended.set()
            if reading.ident is not None:
                reading.join()
    say("The demo has ended, and its folder is gone.")
