"""From what the model refuses to sentences an editor can act on. No I/O."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from newsletter.errors import Problem
from newsletter.issues.document import YamlDocument
from newsletter.issues.hints import shorten
from newsletter.model import BodyPart, Issue, Part, Story
from newsletter.phrases import did_you_mean, nearest
from newsletter.source import Path_

DATES = ("date", "corrected")
"""The keys of an issue whose values are days."""
DATE_ADVICE = "Write year, month and day as in 2017-03-31."

# The key that holds a part → the part, and what it is called in a sentence.
PARTS: dict[str, tuple[type[Part], str]] = {
    key: (part, "The part" if part is BodyPart else f"The {part.__name__.lower()}")
    for key, part in Issue.inner().items()
}

_MISSING = {
    ("image", "alt"): (
        "The picture has no alt text.",
        "Write alt: and what the picture shows, for readers who do not see it.",
    ),
    ("image", "credit"): ("The picture has no credit.", "Write credit: and who made it."),
    ("links", "label"): (
        "The link has no label.",
        "Write label: and what the reader will find there, e.g. “Report (PDF)”.",
    ),
    ("download", "label"): (
        "The download has no label.",
        "Write label: and what the document is, e.g. “Statement (PDF)”.",
    ),
    ("quote", "by"): ("The quote has no name.", "Write by: and who said it, with their role."),
}


def part_at(path: Path_) -> tuple[type[Part], str]:
    """The part of the model at a place of the file, and what to call it."""
    names = [name for name in path if isinstance(name, str)]
    return PARTS[names[-1]] if names else (Issue, "The issue")


def model_problems(error: ValidationError, document: YamlDocument) -> list[Problem]:
    """What the model refuses, as sentences with their places.

    What only follows from something else is left out: a key that is missing
    because it is misspelt, and too few stories where some cannot be read.
    Errors without a place are cross-references, which
    :mod:`newsletter.issues.references` tells with their line.
    """
    errors = error.errors()
    # That every story falls back is told with its line, as a cross-reference.
    absent = {"missing", "too_short"} if document.data.get("fallback") else set()
    misspelt = {_meant(each["loc"]) for each in errors if each["type"] == "extra_forbidden"}
    return [
        _problem(each, document)
        for each in errors
        if each["loc"]
        and not (each["type"] == "missing" and each["loc"] in misspelt)
        and not (each["type"] == "too_short" and document.data.get("stories"))
        and not (each["loc"] == ("stories",) and each["type"] in absent)
    ]


def _meant(path: Path_) -> tuple[str | int | None, ...]:
    """The place that a key would have if it were spelt right."""
    part, _ = part_at(path[:-1])
    return (*path[:-1], nearest(str(path[-1]), part.model_fields))


def _problem(error: ErrorDetails, document: YamlDocument) -> Problem:
    path: Path_ = error["loc"]
    if error["type"] == "missing":
        return _missing(path, document)
    if error["type"] == "extra_forbidden":
        return _unknown_key(path, document)
    if path[0] in DATES and error["type"] != "value_error":
        return _no_date(document, path)
    what, advice = _sentence(error, path)
    return Problem(what, document.where(path), advice)


def _missing(path: Path_, document: YamlDocument) -> Problem:
    *_, key = path
    # An empty key stands where the editor will want to type; else point at its part.
    where = document.where_key(path) if path in document.keys else document.where(path[:-1])
    part, noun = part_at(path[:-1])
    special = _special(path)
    if special:
        return Problem(special[0], where, special[1])
    if path == ("date",):
        return Problem("The issue has no date.", where, DATE_ADVICE)
    if path == ("stories",):
        return Problem("The issue has no story.", where, "Write stories: and the first below it.")
    description = part.model_fields[str(key)].description
    return Problem(f"{noun} has no “{key}”.", where, f"Write “{key}: …”. {description}")


def _special(path: Path_) -> tuple[str, str] | None:
    """The sentence for something whose lack has a reason worth telling."""
    holder = next((name for name in reversed(path[:-1]) if isinstance(name, str)), "")
    return _MISSING.get((holder, str(path[-1]))) if path else None


def _unknown_key(path: Path_, document: YamlDocument) -> Problem:
    part, noun = part_at(path[:-1])
    known = [name for name in part.model_fields if (part, name) != (Issue, "id")]
    return Problem(
        f"{noun} has no key “{shorten(str(path[-1]))}”.",
        document.where_key(path),
        did_you_mean(str(path[-1]), known),
    )


def _no_date(document: YamlDocument, path: Path_) -> Problem:
    written = document.data.get(str(path[0]))
    what = f"“{shorten(written)}” is no date." if isinstance(written, str) else "This is no date."
    return Problem(what, document.where(path), DATE_ADVICE)


def _sentence(error: ErrorDetails, path: Path_) -> tuple[str, str]:
    """What is wrong with a value, and what to write instead."""
    key = next((name for name in reversed(path) if isinstance(name, str)), "file")
    in_list = bool(path) and isinstance(path[-1], int)
    match error["type"]:
        case "string_type":
            return f"“{key}” must be a text.", (
                "Write it on the key's line, or below it after >-. "
                "A text that starts with { or [ must stand in double quotes."
            )
        case "string_too_short":
            return _special(path) or (f"“{key}” is empty.", "Write something.")
        case "string_pattern_mismatch":
            return _no_id(key, error["input"])
        case "literal_error":
            meant = error.get("ctx", {}).get("expected", "").replace("'", "")
            return f"“{shorten(str(error['input']))}” cannot be the value of “{key}”.", (
                f"Write {meant}, or leave the key out."
            )
        case "bool_parsing" | "bool_type":
            return f"“{key}” is neither true nor false.", "Write one of the two."
        case "tuple_type":
            return f"“{key}” must be a list.", "Start each item on its own line with a hyphen."
        case "too_short":
            return f"“{key}” is empty.", "Write at least one."
        case "model_type" | "model_attributes_type" if in_list or key in PARTS:
            part, noun = part_at(path)
            needed = [name for name, field in part.model_fields.items() if field.is_required()]
            needed += ["blurb"] if part is Story else []
            advice = f"It needs {_join(needed)}." if needed else _one_of(part.model_fields)
            return f"{noun} must have keys of its own.", advice
        case "value_error" if key == "download":
            return _no_place(error["input"])
        case "value_error" if in_list:
            what, _, advice = error["msg"].removeprefix("Value error, ").partition("; ")
            return f"{part_at(path)[1]} {what}.", _capital(advice)
        case _:
            what, _, advice = error["msg"].removeprefix("Value error, ").partition("; ")
            return f"“{key}” {what}.", _capital(advice)


def _no_place(download: object) -> tuple[str, str]:
    if isinstance(download, dict) and "url" in download:
        return "The download has both “url” and “file”.", "Keep one of them."
    return (
        "The download has no place.",
        "Write file: and its name below issues/files/, or url: and its address.",
    )


def _no_id(key: str, written: object) -> tuple[str, str]:
    text = str(written)
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    slug = re.sub(r"[^a-z0-9]+", "-", plain.lower()[:60]).strip("-") or "a-few-words"
    return (
        f"“{shorten(text)}” cannot be the {'id' if key == 'id' else f'value of “{key}”'}.",
        f"Use lower-case letters, digits and hyphens, e.g. {slug}.",
    )


def _one_of(names: Iterable[str]) -> str:
    return f"Possible here: {', '.join(names)}."


def _join(names: list[str]) -> str:
    keys = [f"{name}:" for name in names]
    return " and ".join([", ".join(keys[:-1]), keys[-1]]) if len(keys) > 1 else keys[0]


def _capital(advice: str) -> str:
    return f"{advice[0].upper()}{advice[1:]}." if advice else ""
