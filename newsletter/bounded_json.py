"""JSON (RFC 8259) that somebody else wrote, read within bounds. No I/O.

Python's own reader takes any size and any depth, numbers that no float holds,
``NaN``, which is no JSON, and keys given twice, of which another reader would
believe the other one. Here each of these is refused, so that whoever uses the
value need not think of them.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any, NoReturn

MAX_BYTES = 10_000_000
MAX_DEPTH = 50
MAX_DIGITS = 40
"""Of a whole number: more than any identifier has, and few enough for a float."""

# A text that is never closed counts as one to the end, or each quotation mark
# in it would be tried as a beginning.
_BRACKET = re.compile(r'"(?:[^"\\]|\\.)*+"?|[\[{]|[\]}]', re.DOTALL)
_HALF = re.compile(r"[\ud800-\udfff]")


class JSONRefused(ValueError):
    """It is no JSON, or beyond the bounds; the message says which, without what it holds."""


def read_json(data: bytes | str, *, max_bytes: int = MAX_BYTES, max_depth: int = MAX_DEPTH) -> Any:
    """The value that ``data`` holds.

    Halves of surrogate pairs, which no database and no terminal takes, become U+FFFD.

    Args:
        data: UTF-8 bytes, or text.
        max_bytes: how long it may be; characters, if it is text.
        max_depth: how deeply lists and objects may be nested.

    Raises:
        JSONRefused: it is too long or nested too deeply, is not UTF-8 or no JSON,
            holds a number of more than :data:`MAX_DIGITS` digits or beyond a
            float, or an object with the same key twice.
    """
    if len(data) > max_bytes:
        raise JSONRefused(f"it is longer than {max_bytes:,} bytes")
    try:
        text = data if isinstance(data, str) else data.decode()
    except UnicodeDecodeError:
        raise JSONRefused("it is not UTF-8") from None
    _check_depth(text, max_depth)
    try:
        value = json.loads(
            text.removeprefix("\ufeff"),
            parse_int=_whole_number,
            parse_float=_number,
            parse_constant=_no_number,
            object_pairs_hook=_object,
        )
    except json.JSONDecodeError as error:
        raise JSONRefused(f"it is no JSON (line {error.lineno}: {error.msg})") from None
    return _mended(value) if "\\u" in text else value


def _check_depth(text: str, most: int) -> None:
    if text.count("[") + text.count("{") <= most:
        return  # so few, in texts or not, that it cannot be deeper
    depth = 0
    for found in _BRACKET.finditer(text):
        match found.group()[0]:
            case "[" | "{":
                depth += 1
                if depth > most:
                    raise JSONRefused(f"it is nested more than {most} deep")
            case "]" | "}":
                depth -= 1


def _whole_number(digits: str) -> int:
    if len(digits.removeprefix("-")) > MAX_DIGITS:
        raise JSONRefused(f"it holds a number of more than {MAX_DIGITS} digits")
    return int(digits)


def _number(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise JSONRefused("it holds a number that is too large")
    return number


def _no_number(word: str) -> NoReturn:
    raise JSONRefused(f"{word} is no JSON")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise JSONRefused("an object holds the same key twice")
    return found


def _mended(value: Any) -> Any:
    if isinstance(value, str):
        return _HALF.sub("\ufffd", value)
    if isinstance(value, list):
        return [_mended(each) for each in value]
    if isinstance(value, dict):
        return {_mended(name): _mended(each) for name, each in value.items()}
    return value
