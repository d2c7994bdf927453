"""The program: its commands, and how an error reaches the person at the keyboard."""

from __future__ import annotations

import io
import sys
import traceback
from typing import Annotated

import typer

from newsletter import __version__
from newsletter.cli import (
    archive,
    audience,
    backup,
    correcting,
    keys,
    looking,
    proof,
    report,
    resolving,
    resuming,
    sending,
    starting,
    status,
)
from newsletter.cli.output import err, say_error, show_findings
from newsletter.errors import ChecksFailed, NewsletterError, Where

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


_WRITE, _SEND, _KEEP = "Write and look", "Send and account", "List and keys"
for _panel, _commands in (
    (_WRITE, (starting.init, starting.new, looking.preview, looking.check, looking.render)),
    (
        _SEND,
        (
            proof.test,
            sending.send,
            status.status,
            resuming.pause,
            correcting.correct,
            resuming.resume,
            backup.adopt,
            resolving.resolve,
            resolving.reconcile,
            report.report,
        ),
    ),
):
    for _command in _commands:
        app.command(rich_help_panel=_panel)(_command)
app.command(rich_help_panel=_KEEP)(backup.backup)
app.command(rich_help_panel=_KEEP)(backup.restore)
app.add_typer(archive.archive, name="archive", rich_help_panel=_WRITE)
app.add_typer(audience.subscribers, name="subscribers", rich_help_panel=_KEEP)
app.add_typer(audience.suppress, name="suppress", rich_help_panel=_KEEP)
app.add_typer(keys.keys, name="keys", rich_help_panel=_KEEP)


def main() -> None:
    """Run the program; errors become sentences, never tracebacks."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A terminal that knows no curly quotes shows question marks instead of failing.
            stream.reconfigure(errors="replace")
    try:
        app()
    except NewsletterError as error:
        _tell(error)
        sys.exit(error.exit_code)
    except Exception as fault:  # noqa: BLE001 - the last resort: whoever sends newsletters reads no traceback
        say_error(_fault(fault))
        sys.exit(1)


def _tell(error: NewsletterError) -> None:
    if isinstance(error, ChecksFailed):
        from newsletter.project.compile import ErrorsFound  # costs nothing: it was raised there

        if isinstance(error, ErrorsFound):
            show_findings(error.findings, to=err)
    say_error(error)


def _fault(fault: Exception) -> NewsletterError:
    """What to say when the program itself is wrong: enough to report it."""
    frame = traceback.extract_tb(fault.__traceback__)[-1]
    return NewsletterError(
        f"This is a fault of the program: {type(fault).__name__}: {fault}",
        where=Where(frame.filename, frame.lineno),
        next="Please report this. What was recorded stays recorded; “newsletter status” shows it.",
    )
