"""``subscribers access``, ``forget``, ``purge``: a person's rights, and how long data is kept."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from newsletter.cli.arguments import Yes
from newsletter.cli.asking import confirmed
from newsletter.cli.output import say, show_line, tell
from newsletter.phrases import count, joined
from newsletter.project import Project

_TITLES = {
    "list": "On the list",
    "sign_ups": "Their sign-ups, with the record of the consent",
    "return_questions": "When they were asked by mail whether they are back",
    "imports": "What imported files said of them",
    "preferences": "What they chose",
    "preference_changes": "When they chose it",
    "suppressions": "Why they are not mailed, or were not",
    "deliveries": "What was mailed to them",
    "elsewhere": "Where else they may be named; nothing here can look there",
}


def access(
    address: Annotated[str, typer.Argument(metavar="ADDRESS", help="Address of the person.")],
    as_json: Annotated[bool, typer.Option("--json", help="Show JSON.")] = False,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", metavar="FILE", help="Write to a file: .html for a page, .json for JSON."
        ),
    ] = None,
) -> None:
    """Show all data held of one person (GDPR articles 15 and 20).

    Example: newsletter subscribers access anna@example.org --out anna.html
    """
    from newsletter.project.rights import access as held_of
    from newsletter.project.writing import write_private

    project = Project.here()
    held = held_of(project, address)
    if as_json or (out is not None and out.suffix == ".json"):
        text = json.dumps(held, ensure_ascii=False, indent=2) + "\n"
    elif out is not None and out.suffix == ".html":
        text = _page(held)
    else:
        text = "\n".join(_lines(held)) + "\n"
    if out is None:
        for line in text.splitlines():
            show_line(line)
        return
    write_private(project, out, [text.encode()], replaces_any=True)
    say(f"All that is held of {held['address']} is in {out}. Only you can read the file.")


def forget(
    address: Annotated[str, typer.Argument(metavar="ADDRESS", help="Address of the reader.")],
    yes: Yes = False,
) -> None:
    """Erase a reader's data and never mail them again. Cannot be undone.

    If a backup or the public log brings data back, it is erased again.

    Example: newsletter subscribers forget anna@example.org
    """
    from newsletter.project.addresses import parse_addresses
    from newsletter.project.rights import forget as erase
    from newsletter.project.rights import knows

    project = Project.here()
    parse_addresses([address])
    if not knows(project, address):
        say(f"Nothing is held of {address} here: check the spelling.", style="yellow")
    say(
        f"Name, address, fields and servers' replies of {address} are erased from the "
        "ledger, with their sign-ups and preferences. A keyed hash stays, so that "
        "they are never mailed again. The numbers stay, too: that an issue was "
        "mailed, when, and with which result."
    )
    if not yes and not confirmed("Erase it? It cannot be taken back."):
        say("Nothing was changed.")
        return
    done = erase(project, address)
    say(
        f"Erased: {done.erased.words or 'nothing, since nothing was there'}. They get no more mail."
    )
    if done.waiting:
        say(
            f"{count(done.waiting, 'delivery', 'deliveries')} still waiting or in doubt: erased by "
            "“newsletter sync” or “newsletter subscribers purge” once they are over.",
            style="yellow",
        )
    for name, numbers in done.rows.items():
        rows = joined([str(number) for number in numbers])
        say(f"{name} still names them in row {rows}: delete that by hand.", style="yellow")
    if done.folder_only:
        say(f"It is noted in this folder's ledger only: {done.folder_only.what}", style="yellow")
        say(done.folder_only.next)
    say("Not erased by this command; erase there by hand:")
    for place in done.unreachable:
        tell(place, lead="  • ")


def purge(
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what is due; change nothing.")
    ] = False,
    yes: Yes = False,
) -> None:
    """Erase data older than the privacy profile in newsletter.toml allows.

    “newsletter sync” does the same, without asking.

    Example: newsletter subscribers purge --dry-run
    """
    from newsletter.project.rights import purge as erase

    project = Project.here()
    due = erase(project, count_only=True).words
    if not due:
        say("Nothing is due.")
        return
    say(f"By the profile “{project.settings.privacy.profile}” this is erased: {due}.")
    if dry_run:
        return
    if not yes and not confirmed("Erase it? It cannot be taken back."):
        say("Nothing was changed.")
        return
    say(f"Erased: {erase(project, count_only=False).words}.")


def _lines(held: dict[str, Any]) -> list[str]:
    lines = [
        f"What {held['newsletter']} holds of {held['address']} ({held['asked']})",
        f"They are {_mailed(held)}.",
    ]
    for key, title in _TITLES.items():
        lines += ["", title]
        lines += _indented(_told(held, key), 1) or ["  nothing"]
    return lines


def _mailed(held: dict[str, Any]) -> str:
    if held["mailed"]:
        return "mailed if the list, an import or a sign-up names them"
    return "not mailed"


def _told(held: dict[str, Any], key: str) -> Any:
    """What is held, in words where a list without a row of theirs would leave only its name."""
    value = held[key]
    return (
        {**value, "rows": "none names them"} if key == "list" and value.get("rows") == [] else value
    )


def _indented(value: Any, depth: int) -> list[str]:
    """A value of JSON as lines; what is empty is left out."""
    space, lines = "  " * depth, []
    pairs = value.items() if isinstance(value, dict) else [("-", each) for each in value]
    for key, each in pairs:
        label = key if key == "-" else f"{key.replace('_', ' ')}:"
        if isinstance(each, dict | list):
            inner = _indented(each, depth + 1)
            lines += [f"{space}{label}", *inner] if inner else []
        elif each not in {"", None}:
            lines.append(f"{space}{label} {each}")
    return lines


def _page(held: dict[str, Any]) -> str:
    """The same as a page that can be printed and handed on."""
    from html import escape

    def part(value: Any) -> str:
        if isinstance(value, dict):
            rows = "".join(
                f"<dt>{escape(key.replace('_', ' '))}</dt><dd>{part(each)}</dd>"
                for key, each in value.items()
                if each not in ("", None, [], {})
            )
            return f"<dl>{rows}</dl>" if rows else "<p>nothing</p>"
        if isinstance(value, list):
            items = "".join(f"<li>{part(each)}</li>" for each in value)
            return f"<ul>{items}</ul>" if items else "<p>nothing</p>"
        return escape(str(value))

    title = f"What {held['newsletter']} holds of {held['address']}"
    sections = "".join(
        f"<h2>{escape(words)}</h2>{part(_told(held, key))}" for key, words in _TITLES.items()
    )
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title>"
        "<style>body { max-width: 45rem; margin: 2rem auto; "
        "padding: 0 1rem; font: 1rem/1.5 sans-serif; overflow-wrap: anywhere } "
        "dt { font-weight: bold } dd { margin: 0 0 .25rem 1rem }</style></head><body><main>"
        f"<h1>{escape(title)}</h1><p>{escape(held['asked'])}. "
        f"They are {_mailed(held)}.</p>{sections}"
        "</main></body></html>\n"
    )
