"""``subscribers list``, ``export`` and ``set``: who is on the list, and what they want."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from newsletter.cli.arguments import Segment
from newsletter.cli.output import say, show_line
from newsletter.errors import InputError
from newsletter.phrases import people
from newsletter.project import Project


def list_(
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, one reader a line.")] = False,
    segment: Segment = "",
) -> None:
    """Show who is on the list: from its files, from imports, and by signing up.

    Example: newsletter subscribers list
    """
    from newsletter.project.listing import readers_of

    number = 0
    for each in readers_of(Project.here(), segment):
        number += 1
        if as_json:
            show_line(json.dumps(asdict(each), ensure_ascii=False))
            continue
        told = (each.name, each.language, each.source, "" if each.mailed else "not mailed")
        show_line(", ".join(filter(None, (each.address, *told))))
    if not as_json:
        say(f"{people(number)} {f'in “{segment}”' if segment else 'on the list'}.", style="bold")


def export(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="Where to: .csv, or .json for one reader a line.")
    ],
) -> None:
    """Write the list to a file that you alone can read, to be taken elsewhere.

    Example: newsletter subscribers export build/readers.csv
    """
    from newsletter.project.listing import as_csv, readers_of
    from newsletter.project.writing import write_private

    project = Project.here()
    readers = readers_of(project)
    if file.suffix == ".json":
        lines = (json.dumps(asdict(each), ensure_ascii=False) + "\n" for each in readers)
        write_private(project, file, (line.encode(errors="replace") for line in lines))
    else:
        write_private(project, file, as_csv(readers, project.settings.audience.fields))
    say(f"The list: {file}. Who must not be mailed is not in it unless it was on the list.")


def set_(
    address: Annotated[str, typer.Argument(metavar="ADDRESS", help="Whose.")],
    language: Annotated[
        str, typer.Option(metavar="CODE", help="Of the edition they want, such as fr.")
    ] = "",
    topic: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="A topic they want. Repeatable.")
    ] = None,
    no_topic: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="One they do not want. Repeatable.")
    ] = None,
) -> None:
    """Note the language and topics that a reader asked you for.

    What they choose on their own page later counts more.

    Example: newsletter subscribers set anna@example.org --language fr
    """
    from newsletter.project.listing import note_wish

    if both := {*(topic or ())} & {*(no_topic or ())}:
        raise InputError(
            f"“{min(both)}” stands under --topic and under --no-topic.",
            next="Leave one of them out.",
        )
    topics = {**dict.fromkeys(topic or (), True), **dict.fromkeys(no_topic or (), False)}
    if not language and not topics:
        raise InputError("Nothing to note.", next="Give --language, --topic or --no-topic.")
    note_wish(Project.here(), address, language=language, topics=topics)
    say(f"Noted for {address}. It counts from the next plan on.")
