"""The program: its commands, and how an error reaches the person at the keyboard."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from newsletter import __version__
from newsletter.cli import audience, looking, project, sending
from newsletter.cli.output import say_error
from newsletter.errors import ExitCode, NewsletterError

app = typer.Typer(
    name="newsletter",
    help="Write a newsletter, look at it, send it once to everyone, and prove it.",
    epilog="Exit codes: 0 done and the numbers add up · 2 bad input · 3 checks failed · "
    "4 transport stopped the run · 5 ledger refuses · 6 finished, but some are in doubt.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"newsletter {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Options of the program itself."""


app.command()(project.init)
app.command()(project.new)
app.command()(looking.preview)
app.command()(looking.check)
app.command()(looking.render)
app.command()(sending.test)
app.command()(sending.send)
app.command()(sending.status)
app.command()(sending.resume)
app.command()(sending.resolve)
app.add_typer(audience.suppress, name="suppress")
app.add_typer(audience.subscribers, name="subscribers")


def main() -> None:
    """Run the program; errors become sentences, never tracebacks."""
    try:
        app()
    except NewsletterError as error:
        say_error(error)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        # The reader of our output, such as `head`, has had enough.
        sys.stderr.close()
        sys.exit(ExitCode.DONE)
