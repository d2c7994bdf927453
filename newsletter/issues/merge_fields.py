"""Merge fields where they may stand, and nowhere else. No I/O."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import islice

from newsletter.errors import Problem
from newsletter.issues.document import YamlDocument
from newsletter.issues.hints import shorten
from newsletter.model import MergeField, split_merge_fields
from newsletter.phrases import did_you_mean
from newsletter.source import Path_

ALLOWED_IN = ("subject", "preheader", "greeting", "introduction")
BUILT_IN = ("name", "email")
_MOST_IN_A_TEXT = 20
"""Problems told of one text: each is looked for from the text's beginning."""
_EXAMPLE = "{{ name | friend }}"
# What looks like a merge field: whole, or as much of it as shows what is meant.
_NEARLY = re.compile(r"\{\{[^{}\n]{0,60}\}\}|\{\{.{0,20}|\}\}")


def merge_field_problems(document: YamlDocument, fields: Sequence[str]) -> Iterator[Problem]:
    """Merge fields that are misspelt, unknown, without a fallback or in a wrong place.

    Args:
        document: the issue file.
        fields: further columns of the list that may be used (audience.fields).
    """
    known = (*BUILT_IN, *fields)
    for path, text in document.scalars():
        if len(path) == 1 and path[0] in ALLOWED_IN:
            yield from islice(_problems_in(document, path, text, known), _MOST_IN_A_TEXT)
        elif "{{" in text:
            yield Problem(
                "Merge fields are not possible here.",
                document.where_text(path, "{{"),
                f"They may stand in {', '.join(ALLOWED_IN[:-1])} and {ALLOWED_IN[-1]}.",
            )


def _problems_in(
    document: YamlDocument, path: Path_, text: str, known: Sequence[str]
) -> Iterator[Problem]:
    opened = 0
    for piece in split_merge_fields(text):
        if isinstance(piece, MergeField):
            what, advice = _field_problem(piece, known)
            if what:
                yield Problem(what, document.where_text(path, "{{", after=opened), advice)
            opened += 1
            continue
        nearly = _NEARLY.search(piece)
        if nearly:
            # Closing braces alone are looked for among the closing braces before them.
            braces = nearly.group()[:2]
            after = opened if braces == "{{" else text[: text.index(piece)].count("}}")
            yield Problem(
                f"“{shorten(nearly.group())}” is no merge field.",
                document.where_text(path, braces, after=after),
                f"Write it like {_EXAMPLE}.",
            )
        opened += piece.count("{{")


def _field_problem(piece: MergeField, known: Sequence[str]) -> tuple[str, str]:
    if piece.field not in known:
        return f"The list has no field “{shorten(piece.field)}”.", (
            f"{did_you_mean(piece.field, known)} "
            "Further columns are named in newsletter.toml under audience.fields."
        )
    # Every reader has an address; any other field may be empty.
    if not piece.fallback and piece.field != "email":
        return f"The merge field “{piece.field}” has no fallback.", (
            f"Write the text for readers without one: {{{{ {piece.field} | friend }}}}."
        )
    return "", ""
