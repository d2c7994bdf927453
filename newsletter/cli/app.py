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
            "Start an issue, or a translation of one (2017-04.fr). Overwrites nothing.",
        ),
        "preview": (
            "looking:preview",
            "Show an issue in the browser as it will be sent, and follow your changes.",
        ),
        "check": (
            "looking:check",
            "Find what is wrong in an issue, where, and how to correct it. Exit code 3 on errors.",
        ),
        "render": (
            "looking:render",
            "Write the exact HTML, text and eml files that one recipient would get.",
        ),
        "theme": ("theming:theme", "How mails look: check a theme."),
        "archive": ("archive:archive", "Past issues as web pages, with an index, feeds and PDFs."),
    },
    "Send and account": {
        "test": ("proof:test", "Send yourself a proof: the real mail, its subject marked [Proof]."),
        "send": (
            "sending:send",
            "Send an issue: check it, show the plan, ask, send, and account for everyone.",
        ),
        "status": (
            "status:status",
            "Show the state of each recipient, and whether the numbers add up.",
        ),
        "pause": ("resuming:pause", "Stop a running or scheduled send, from another terminal."),
        "correct": (
            "correcting:correct",
            "Replace the frozen issue for recipients not attempted yet.",
        ),
        "resume": (
            "resuming:resume",
            "Continue a send: recipients not attempted yet, and deferred ones.",
        ),
        "adopt": (
            "backup:adopt",
            "Accept a ledger that is refused: restored, copied, or in a cleaned folder.",
        ),
        "resolve": (
            "resolving:resolve",
            "Settle doubts by your decision: they have it, or they get it again.",
        ),
        "reconcile": (
            "resolving:reconcile",
            "Settle doubts by proof: from the provider, bounce reports or events.",
        ),
        "report": (
            "report:report",
            "Show the result of a send: states, refusals, doubts, and how long it took.",
        ),
    },
    "List and keys": {
        "sync": (
            "syncing:sync",
            "Read the public log: who left, who signed up, and what readers chose.",
        ),
        "bounces": (
            "bounces:bounces",
            "Hear what comes back: bounces, complaints and unsubscribes, from mails and providers.",
        ),
        "backup": (
            "backup:backup",
            "Write ledger, send record, keys, settings and list into one file.",
        ),
        "restore": ("backup:restore", "Restore a backup into this folder, and adopt its ledger."),
        "subscribers": (
            "audience:subscribers",
            "The list: check it, and act on one reader's data.",
        ),
        "suppress": ("audience:suppress", "Addresses that must not be mailed, and why."),
        "docs": ("docs:docs", "Show a page of the documentation. Without a topic, list the pages."),
        "serve": (
            "serving:serve",
            "Run the public server: leaving, signing up, preferences, past issues.",
        ),
        "keys": ("keys:keys", "The key file: it signs unsubscribe links."),
    },
}


def _as_written(argument: typer.core.TyperArgument) -> str:
    name = f"{argument.metavar}{'…' if argument.nargs != 1 else ''}"
    return name if argument.required else f"[{name}]"


# Beside a name, help shows what stands for its value (FILE) and nothing else: “<bool>”, a range
# and braces tell a person who sends newsletters nothing.
for _class, _attribute, _shown in (
    (typer.core.TyperOption, "display_type_rich", lambda option, ctx: option.metavar),  # noqa: ARG005
    (typer.core.TyperOption, "_get_number_range_help_str", lambda option: None),  # noqa: ARG005
    (typer.core.TyperArgument, "display_type_rich", lambda argument, ctx: None),  # noqa: ARG005
    (typer.core.TyperArgument, "_usage_display_name", _as_written),
):
    setattr(_class, _attribute, _shown)


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
            metavar="FILE", help="Append a log to this file: JSON lines, without addresses."
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
