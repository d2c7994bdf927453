"""``keys``: the key file that signs unsubscribe links."""

from __future__ import annotations

import typer

from newsletter.cli.output import say
from newsletter.project import Project

keys = typer.Typer(help="The key file, which signs unsubscribe links.", no_args_is_help=True)


@keys.command("rotate")
def rotate() -> None:
    """Sign new mail with a new key. Unsubscribe links in old mail go on working.

    Do it when somebody who had the key file leaves the team. A send that is
    under way must end first.

    Example: newsletter keys rotate
    """
    project = Project.here()
    ring = project.rotate_keys()
    say(f"New mail is signed with key {ring.signing_key_id}; links in old mail go on working.")
    say(f"Make a new copy of {project.key_file} now, and keep it where you keep passwords.")
