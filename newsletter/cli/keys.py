"""``keys``: the key file that signs unsubscribe links, and what of it a server may know."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from newsletter.cli.output import say, tell
from newsletter.project import Project

keys = typer.Typer(help="The key file: it signs unsubscribe links.", no_args_is_help=True)


@keys.command("rotate")
def rotate() -> None:
    """Sign new mail with a new key. Unsubscribe links in old mail still work.

    Do this when a person who had the key file leaves the team. Refused while a
    send is running.

    Example: newsletter keys rotate
    """
    project = Project.here()
    ring = project.rotate_keys()
    say(f"New mail is signed with key {ring.signing_key_id}; links in old mail still work.")
    say(f"Make a new copy of {project.key_file} now, and keep it where you keep passwords.")
    if project.settings.public is not None:
        say("Your public server does not know the new key yet. Before you send, run")
        say("“newsletter keys public”, and copy the folder to the server.")


@keys.command("public")
def public(
    out: Annotated[
        Path,
        typer.Option(metavar="FOLDER", help="Where to write. An earlier bundle there is replaced."),
    ] = Path("public"),
) -> None:
    """Write the folder that a separate public server needs.

    It holds keys that verify links and seal what readers send, words, look and
    archive. It names no reader and opens nothing. Copy it to the server over an
    encrypted connection and run “newsletter serve” there. Write it again after
    “keys rotate”, and when theme or archive changed.

    Example: newsletter keys public --out public
    """
    from newsletter.project.public import write_bundle

    bundle = write_bundle(Project.here(), out)
    say(f"{out}/ holds what the server at {bundle.url} may know. Copy it there.")
    for provider, url in bundle.webhook_urls().items():
        tell(url, lead=f"Webhooks of {provider} go to: ")
    say("With it, somebody could unsubscribe readers: keep it from others. Make a new")
    say("copy of newsletter.key, too: it now holds the secret of “newsletter sync”.")
