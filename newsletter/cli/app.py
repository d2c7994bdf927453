"""The program: its commands, and how an error reaches the person at the keyboard."""

from __future__ import annotations

import importlib
import io
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
import typer.core
import typer.main

from newsletter import __version__
from newsletter.errors import ChecksFailed, NewsletterError, Where

# Panel of `newsletter --help` → name → `module:name` of the function or group in this package,
# and the first paragraph of its help.
_PANELS: dict[str, dict[str, tuple[str, str]]] = {
    "Write and look": {
        "init": ("starting:init", "Start a newsletter project in a folder. Overwrites nothing."),
        "new": (
            "starting:new",
            "Start an issue, or with 2017-04.fr the translation of one. Overwrites nothing.",
        ),
        "preview": (
            "looking:preview",
            "Look at an issue in the browser, exactly as it will be sent, while you write it.",
        ),
        "check": (
            "looking:check",
            "Check an issue: what is wrong, where, why it matters, how to mend it. "
            "Exit 3 on errors.",
        ),
        "render": (
            "looking:render",
            "Write the exact html, txt and eml that one recipient would get.",
        ),
        "archive": ("archive:archive", "The past issues on the web: pages, an index, feeds, PDFs."),
    },
    "Send and account": {
        "test": (
            "proof:test",
            "Send a proof to yourself: the real mail, its subject marked [Proof]. "
            "No ledger involved.",
        ),
        "send": (
            "sending:send",
            "Send an issue: checks it, shows the plan, asks, sends, and accounts for everyone.",
        ),
        "status": (
            "status:status",
            "Show where everybody's mail is, and whether the numbers add up. Changes nothing.",
        ),
        "pause": (
            "resuming:pause",
            "Let nothing more of an issue go out, from another terminal or before its time.",
        ),
        "correct": (
            "correcting:correct",
            "Give a changed issue to all who were not attempted yet. Mails nobody again.",
        ),
        "resume": (
            "resuming:resume",
            "Go on with a send that was stopped: recipients not attempted yet, and deferred ones.",
        ),
        "adopt": (
            "backup:adopt",
            "Let a ledger go on that is refused: restored, copied, or in a folder "
            "that was cleaned.",
        ),
        "resolve": (
            "resolving:resolve",
            "Settle doubts by your own word: they have it, or they get it again.",
        ),
        "reconcile": (
            "resolving:reconcile",
            "Settle doubts by asking who knows: the provider, bounce reports, a provider's events.",
        ),
        "report": (
            "report:report",
            "Show what became of a send: progress, refusals by reason and domain, doubt, time.",
        ),
    },
    "List and keys": {
        "sync": (
            "syncing:sync",
            "Read from the public log who left, so that nobody of them is mailed.",
        ),
        "bounces": (
            "bounces:bounces",
            "Read bounces, complaints and unsubscribe mails from a mailbox, and apply them.",
        ),
        "backup": (
            "backup:backup",
            "Write ledger, keys, settings, list and what this machine remembers into one file.",
        ),
        "restore": (
            "backup:restore",
            "Put a backup back into this folder, and say what it cannot know.",
        ),
        "subscribers": ("audience:subscribers", "The list of subscribers."),
        "suppress": ("audience:suppress", "Who must not be mailed, and why."),
        "docs": ("docs:docs", "Show a page of the documentation; without a topic, list the pages."),
        "serve": (
            "serving:serve",
            "Answer readers: leaving, signing up, choosing, past issues. Ctrl-C ends it.",
        ),
        "keys": ("keys:keys", "The key file, which signs unsubscribe links."),
    },
}


class Listed(typer.core.TyperCommand):
    """A command as ``newsletter --help`` lists it. Its module is imported when it is called."""

    def __init__(self, name: str, place: str, **options: Any) -> None:
        super().__init__(name, **options)
        self._place = place

    def load(self) -> Any:
        """The command itself, with its options."""
        module, _, attribute = self._place.partition(":")
        found = getattr(importlib.import_module(f"newsletter.cli.{module}"), attribute)
        if isinstance(found, typer.Typer):
            return typer.main.get_group(found)
        alone = typer.Typer(add_completion=False)
        alone.command(self.name)(found)
        return typer.main.get_command(alone)

    def make_context(self, *arguments: Any, **options: Any) -> Any:
        """Read the words of a call; from here on the command itself runs."""
        return self.load().make_context(*arguments, **options)


class Commands(typer.core.TyperGroup):
    """The commands of the program, none of them imported yet."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.commands = {
            name: Listed(name, place, help=summary, rich_help_panel=panel)
            for panel, commands in _PANELS.items()
            for name, (place, summary) in commands.items()
        }


app = typer.Typer(
    cls=Commands,
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
    context: typer.Context,
    version: Annotated[  # noqa: ARG001 - its callback answers
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
    log: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Append what happens, as JSON lines, without any address."
        ),
    ] = None,
) -> None:
    """Options of the program itself."""
    if log is not None:
        from newsletter.log import writing_to

        context.with_resource(writing_to(log, command=str(context.invoked_subcommand)))


def main() -> None:
    """Run the program; errors become sentences, never tracebacks."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A terminal that knows no curly quotes shows question marks instead of failing.
            stream.reconfigure(errors="replace")
    try:
        app()
    except Exception as error:  # noqa: BLE001 - the last resort: whoever sends newsletters reads no traceback
        from newsletter.cli.output import say_error

        if not isinstance(error, NewsletterError):
            say_error(_fault(error))
            sys.exit(1)
        _tell(error)
        sys.exit(error.exit_code)


def _tell(error: NewsletterError) -> None:
    from newsletter.cli.output import err, say_error, show_findings

    if isinstance(error, ChecksFailed):
        from newsletter.project.compile import ErrorsFound  # costs nothing: it was raised there

        if isinstance(error, ErrorsFound):
            show_findings(error.findings, to=err)
    say_error(error)


def _fault(fault: Exception) -> NewsletterError:
    """What to say when the program itself is wrong: enough to report it."""
    import traceback

    frame = traceback.extract_tb(fault.__traceback__)[-1]
    return NewsletterError(
        f"This is a fault of the program: {type(fault).__name__}: {fault}",
        where=Where(frame.filename, frame.lineno),
        next="Please report this. What was recorded stays recorded; “newsletter status” shows it.",
    )
