"""Display names cut to what a provider takes, between two characters. No I/O."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable

LONGEST_NAME = 128
"""Characters of a reader's name as providers get it, where they document no smaller limit."""
_JOINER = "\u200d"


def shortened(name: str, longest: int, measure: Callable[[str], int] = len) -> str:
    """As much of a name's beginning as measures no more than ``longest``; maybe nothing.

    An accent, the parts of an emoji and the sign that joins them stay with their letter.
    """
    if measure(name) <= longest:
        return name
    low, high = 0, len(name)
    while low < high:  # the longest that fits; more characters never measure less
        middle = (low + high + 1) // 2
        low, high = (middle, high) if measure(name[:middle]) <= longest else (low, middle - 1)
    while low and _belongs_together(name[low - 1], name[low]):
        low -= 1
    return name[:low].rstrip(" ,;-(\u200d")


def _belongs_together(before: str, after: str) -> bool:
    combines = unicodedata.category(after) in ("Mn", "Mc", "Me", "Sk") or after == _JOINER
    return combines or before == _JOINER
