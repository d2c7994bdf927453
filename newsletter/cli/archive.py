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
    no_args_is_help=True, help="Past issues as web pages, with an index, feeds and PDFs."
)


@archive.callback()
def _group() -> None:
    """Keep ``build`` a command of its own."""


@archive.command()
def build(
    issues: Annotated[
        list[str] | None,
        typer.Argument(metavar="ISSUE", help="Issues to include before they are sent."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER", help="Where to write. Default: the one that newsletter.toml names."
        ),
    ] = None,
    pdf: Annotated[
        bool | None,
        typer.Option(
            "--pdf/--no-pdf", help="Make PDFs with Chromium. Default: if it is installed."
        ),
    ] = None,
) -> None:
    """Write the issues that were sent as web pages, with an index and feeds.

    Name an issue to include it before it is sent; later builds keep it. Nothing
    is deleted. If an issue has an error, nothing is written.

    Example: newsletter archive build 2017-04
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
    for name in published.left_out:
        say(f"Left out, since it was not sent: {name}. "
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
