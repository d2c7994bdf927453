"""Sentences for mistakes in YAML. No I/O."""

from __future__ import annotations

import re

import yaml

_QUOTE_IT = "Put the whole text in double quotes."
# The first pattern that occurs in PyYAML's own words decides.
_YAML_SENTENCES = (
    (
        "mapping values are not allowed",
        "A colon followed by a space stands inside a text.",
        f"{_QUOTE_IT} If it is meant to be a key, check the indentation.",
    ),
    (
        "could not find expected ':'",
        "A key without a colon stands here, or a text that is not indented.",
        "Write key: value, and indent the lines of a longer text below its key.",
    ),
    (
        "found undefined alias",
        "A text that starts with * must stand in quotes.",
        _QUOTE_IT,
    ),
    (
        "expected alphabetic or numeric character",
        "A text that starts with *, & or ! must stand in quotes.",
        _QUOTE_IT,
    ),
    (
        "while scanning a quoted scalar",
        "The text in quotes that starts before this line is never closed.",
        "Close it with the same quotation mark.",
    ),
    (
        "expected a single document",
        "A second document starts here.",
        "Keep one issue in one file and delete the line ---.",
    ),
    (
        "nested too deeply",
        "The file is nested too deeply here.",
        "Check the brackets; an issue needs five levels.",
    ),
    (
        "too many values",
        "The file holds too many values.",
        "Split the issue; a long one has a few hundred.",
    ),
    (
        "escape",
        "A backslash in a text in double quotes stands for something else.",
        "Write it twice, or put the text in single quotes.",
    ),
    (
        "cannot start any token",
        "A text that starts with @, %, ` or another special character must stand in quotes.",
        _QUOTE_IT,
    ),
    (
        "expected <block end>",
        "The file cannot be read from here on.",
        "Check that this line is indented like its neighbours. A text that starts with a "
        "quotation mark, { or [ must be wholly in quotes.",
    ),
)


def yaml_sentence(error: yaml.MarkedYAMLError, line: str) -> tuple[str, str]:
    """What PyYAML found in a line, in an editor's words, and what to do about it."""
    said = f"{error.context or ''} {error.problem or ''}"
    if re.match(r"[ ]*\t", line):
        return "This line is indented with a tab.", "Indent with spaces; YAML refuses tabs."
    if re.search(r"(: |- )\{\{", line):
        return (
            "A text that starts with {{ must stand in quotes.",
            'Put the whole text in double quotes, e.g. "{{ name | friend }}, good news".',
        )
    for pattern, what, advice in _YAML_SENTENCES:
        if pattern in said:
            return what, advice
    return (
        f"The YAML cannot be read here: {error.problem or 'it breaks off'}.",
        "Check indentation, colons and quotation marks of this line and the one before.",
    )


def shorten(text: str) -> str:
    """A text short enough to stand inside a sentence."""
    flat = " ".join(text.split())
    return flat if len(flat) <= 60 else flat[:59].rstrip() + "…"
