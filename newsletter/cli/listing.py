"""``subscribers list``, ``export`` and ``set``: who is on the list, and what they want."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from newsletter.cli.arguments import Segment
from newsletter.cli.output import say, show_line
from newsletter.errors import InputError
from newsletter.phrases import people
from newsletter.project import Project

if TYPE_CHECKING:
    from newsletter.project.listing import Listed


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
    segment: Segment = "",
    as_json: Annotated[
        bool, typer.Option("--json", help="JSON into the file, and the result as JSON.")
    ] = False,
) -> None:
    """Write the list to a file that you alone can read, to be taken elsewhere.

    Example: newsletter subscribers export build/readers.csv
    """
    from newsletter.project.listing import as_csv, readers_of
    from newsletter.project.writing import write_private

    project = Project.here()
    number = 0

    def counted() -> Iterator[Listed]:
        nonlocal number
        for each in readers_of(project, segment):
            number += 1
            yield each

    readers = counted()
    if as_json or file.suffix == ".json":
        lines = (json.dumps(asdict(each), ensure_ascii=False) + "\n" for each in readers)
        write_private(project, file, (line.encode(errors="replace") for line in lines))
    else:
        write_private(project, file, as_csv(readers, project.settings.audience.fields))
    if as_json:
        show_line(json.dumps({"file": str(file), "readers": number}, ensure_ascii=False))
        return
    say(
        f"{people(number)}: {file}. Those who must not be mailed are not in it unless they are on "
        "the list."
    )


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
    as_json: Annotated[bool, typer.Option("--json", help="What was noted, as JSON.")] = False,
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
    mailed = note_wish(Project.here(), address, language=language, topics=topics)
    if as_json:
        noted = {"address": address, "language": language, "topics": topics, "mailed": mailed}
        show_line(json.dumps(noted, ensure_ascii=False))
        return
    say(f"Noted for {address}. It counts from the next plan on.")
    if not mailed:
        say(f"They are not mailed: see “newsletter suppress show {address}”.", style="bold")
