"""Which edition a reader gets. No I/O."""

from __future__ import annotations

from collections.abc import Collection


def edition_for(wanted: str | None, languages: Collection[str], default: str) -> str:
    """The language of a reader's edition: theirs, its base (``pt`` of ``pt-BR``), or the default.

    Args:
        wanted: what the list says; None where it says nothing.
        languages: of the editions there are.
        default: the edition for everybody else.
    """
    base = (wanted or "").split("-", maxsplit=1)[0]
    return next((name for name in (wanted, base) if name and name in languages), default)
