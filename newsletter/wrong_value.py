"""What is wrong with a value of newsletter.toml or theme.toml, as the end of a sentence. No I/O."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from newsletter.phrases import did_you_mean, joined, nearest

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

_TEXT = "is no text; put it in double quotes."
_WHOLE = "is no whole number; write digits, without quotes."
_NUMBER = "is no number; write digits, without quotes."
_SWITCH = "is neither true nor false; write one of the two, without quotes."
_LIST = "is no list; write its values in square brackets."
_DATE = "is no date; write it as 2025-01-31, without quotes."
_TABLE = "is no table; write its name in brackets on a line of its own."

# Pydantic's name of an error → the words; see docs.pydantic.dev, “Validation Errors”.
_WORDS = {
    "missing": "is missing.",
    "string_type": _TEXT,
    "path_type": _TEXT,
    "string_too_short": "is empty.",
    "too_short": "is empty.",
    "date_type": _DATE,
    "date_parsing": _DATE,
    "date_from_datetime_parsing": _DATE,
    "date_from_datetime_inexact": _DATE,
    "int_type": _WHOLE,
    "int_parsing": _WHOLE,
    "int_from_float": _WHOLE,
    "float_type": _NUMBER,
    "float_parsing": _NUMBER,
    "bool_type": _SWITCH,
    "bool_parsing": _SWITCH,
    "list_type": _LIST,
    "tuple_type": _LIST,
    "dict_type": _TABLE,
    "model_type": _TABLE,
    "greater_than": "must be more than {gt}.",
    "greater_than_equal": "is less than {ge}.",
    "less_than": "must be less than {lt}.",
    "less_than_equal": "is more than {le}.",
    "string_pattern_mismatch": "cannot be used.",
}


def wrong_value(error: ErrorDetails, *, noun: str, known: Iterable[str] = ()) -> str:
    """What to say after the value's name.

    Args:
        error: as pydantic tells it.
        noun: what every name in the file is one of: “setting”.
        known: the names that there are in its place.
    """
    kind = error["type"]
    if kind == "extra_forbidden":
        meant = did_you_mean(str(error["loc"][-1]), known)
        return f"is no {noun}. {meant}" if meant else f"is no {noun}; mind the spelling."
    if kind == "literal_error":
        possible = re.findall("'([^']*)'", error["ctx"]["expected"])
        near = nearest(str(error["input"]), possible)
        meant = f" Did you mean “{near}”?" if near else ""
        return f"must be one of {joined(possible, last='or')}.{meant}"
    if kind in _WORDS:
        return _WORDS[kind].format(**error.get("ctx", {}))
    said = error["msg"].removeprefix("Value error, ")
    return said if said.endswith("?") else said.rstrip(".") + "."
