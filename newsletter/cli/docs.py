"""``newsletter docs``: the pages of the documentation, as they came with the program."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from newsletter.errors import InputError
from newsletter.phrases import nearest

_PACKAGE = Path(__file__).parents[1]


def docs(
    topic: Annotated[str, typer.Argument(metavar="TOPIC", help="Page to show.")] = "",
) -> None:
    """Show a page of the documentation. Without a topic, list the pages.

    Example: newsletter docs issue-file
    """
    # Inside an installed package, else in the repository.
    folder = next(filter(Path.is_dir, (_PACKAGE / "_docs", _PACKAGE.parent / "docs")), _PACKAGE)
    found = sorted(folder.glob("*.md"), key=lambda page: page.stem)
    pages = {page.stem: page.read_text(encoding="utf-8") for page in found}
    contents = pages.pop("README", "")
    if not contents:
        raise InputError(
            "The documentation is missing from this installation.", next="Install the tool again."
        )
    if topic and topic not in pages:
        near = nearest(topic, pages)
        raise InputError(
            f"There is no page “{topic}” in the documentation.",
            next=f"{f'Did you mean “{near}”? ' if near else ''}“newsletter docs” lists the pages.",
        )
    if topic:
        typer.echo(pages[topic], nl=False)
        return
    width = max(map(len, pages))
    for name, text in pages.items():
        title = text.partition("\n")[0].removeprefix("# ")
        typer.echo(f"{name:{width}}  {title}")
