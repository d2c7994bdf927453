"""``archive build``: the past issues as web pages."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from newsletter.cli.output import say
from newsletter.phrases import count, joined
from newsletter.project import Project

if TYPE_CHECKING:
    from newsletter.project.archive import Published

archive = typer.Typer(
    no_args_is_help=True, help="The past issues on the web: pages, an index, feeds, PDFs."
)


@archive.callback()
def _group() -> None:
    """Keep ``build`` a command of its own."""


@archive.command()
def build(
    issues: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[ISSUE]...", help="Issues dated later than today that shall be in it, too."
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Where to write. Default: newsletter.toml's."),
    ] = None,
    pdf: Annotated[
        bool | None,
        typer.Option("--pdf/--no-pdf", help="PDFs by Chromium. Default: if it is installed."),
    ] = None,
) -> None:
    """Write every issue up to today as a web page in each language, an index and feeds.

    An issue dated later is left out unless you name it. Nothing is deleted, and
    nothing is written if an issue has an error.

    Example: newsletter archive build
    """
    from newsletter.project.archive import build

    published = build(
        Project.here(),
        issues or (),
        folder=out,
        pdf=pdf,
        on_pdf=lambda name: say(f"Printing {name}."),
    )
    _tell(published)
    for name, day in published.later.items():
        say(f"Left out, since it is dated {day}: {name}. "
            f"To publish it: newsletter archive build {name}")  # fmt: skip
    if pdf and published.no_browser:
        say("No PDF was made, since neither Chromium nor Chrome is installed.", style="yellow")
    say(f"Next: copy the folder {published.folder} to {published.url}", style="bold")


def _tell(published: Published) -> None:
    built, folder = published.built, published.folder
    written = built.written
    changes = [
        f"{number:,} {word}"
        for number, word in (
            (len(written.new), "new"),
            (len(written.changed), "changed"),
            (len(written.unchanged), "unchanged"),
        )
        if number
    ]
    parts = [count(published.issues, "issue"), count(built.pages, "page")]
    if built.pdfs:
        parts.append(count(built.pdfs, "PDF"))
    say(f"{folder} holds {joined(parts)}; files: {joined(changes)}.")
    if built.no_pdf:
        say(f"Some pages have no PDF: {built.no_pdf}.", style="yellow")
