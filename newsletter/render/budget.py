"""How much a template may do: steps, characters, and the size of one value. No I/O, no clock.

Rendering is pure, so nothing is measured in time: the same template is refused
everywhere or nowhere. The March 2017 issue in both themes is what the limits
are held against (tests/render/test_sandbox.py): it takes less than a fiftieth.
"""

from __future__ import annotations

from collections.abc import Iterable

from newsletter.render.misuse import Misuse
from newsletter.render.plain import ATOMS, View

MOST_STEPS = 2_000_000
"""Parts of a template that are worked out, and things in lists that are gone through."""
MOST_TEXT = 8_000_000
"""Characters that are read or made."""
MOST_MARKDOWN = 300_000
"""Characters of Markdown that are parsed: dear, since hostile ones take long."""
MOST_ITEMS = 100_000
"""Things in one value, those within others included; also the largest ``range``."""
MOST_CHARACTERS = 1_000_000
"""Characters of one value."""
MOST_BITS = 256
"""Of a whole number."""
_MOST_PRODUCT = 20_000_000
ADVICE = "“newsletter docs theme” tells how much a template may do."
"""What to do about all of these."""


class Budget:
    """What one render has used.

    Args:
        tools: types that a template may hand on, but not look into.
        unready: types whose values say themselves why they cannot be used.
    """

    def __init__(self, *, tools: tuple[type, ...], unready: tuple[type, ...]) -> None:
        self._tools = tools
        self._unready = unready
        self.steps = self.text = self.markdown = 0

    def spend(self, steps: int, characters: int = 0, markdown: int = 0) -> None:
        """Count.

        Raises:
            Misuse: it is too much.
        """
        self.steps += steps
        self.text += characters
        self.markdown += markdown
        if self.steps > MOST_STEPS:
            raise Misuse(f"The template takes more than {MOST_STEPS:,} steps.", ADVICE)
        if self.text > MOST_TEXT:
            raise Misuse(f"The template makes more than {MOST_TEXT:,} characters.", ADVICE)
        if self.markdown > MOST_MARKDOWN:
            raise Misuse(
                f"The template reads more than {MOST_MARKDOWN:,} characters of Markdown.", ADVICE
            )

    def weigh(self, *values: object, tools: bool = False) -> None:
        """Count all that values hold, however often they hold it.

        Args:
            values: plain data.
            tools: whether a value may be a tool.

        Raises:
            Misuse: one is too large, or holds what is no plain data.
        """
        for value in values:
            if type(value) is str and len(value) <= MOST_CHARACTERS:
                self.spend(1, len(value))
            elif isinstance(value, self._unready) or (tools and isinstance(value, self._tools)):
                self.spend(1)
            else:
                self.spend(*self._size(value))

    def _size(self, value: object) -> tuple[int, int]:
        items = characters = 0
        waiting = [value]
        while waiting:
            each = waiting.pop()
            kind = type(each)
            items += 1
            if isinstance(each, str):
                characters += len(each)
            elif isinstance(each, int):
                if each.bit_length() > MOST_BITS:
                    raise Misuse("A number is too large.", ADVICE)
            elif isinstance(each, tuple | list):
                items += len(each) + len(waiting)
                _bounded(items, characters)
                items -= len(each) + len(waiting)
                waiting.extend(each)
            elif isinstance(each, dict):
                _bounded(items + 2 * len(each) + len(waiting), characters)
                waiting.extend(each)
                waiting.extend(each.values())
            elif isinstance(each, range):
                items += len(each)
            elif kind not in ATOMS and kind is not View:
                if isinstance(each, self._unready):
                    str(each)  # raises what it has to say
                raise Misuse(
                    f"A {kind.__name__} is no plain data.",
                    "“newsletter docs theme” lists what templates can use.",
                )
            _bounded(items, characters)
        return items, characters

    def weigh_product(self, values: Iterable[object]) -> None:
        """Refuse what could grow too large: arguments that are multiplied with one another.

        Raises:
            Misuse: the two largest are too large together.
        """
        *_, second, first = sorted([1, 1, *map(_extent, values)])
        if first * second > _MOST_PRODUCT:
            raise Misuse("What it makes would be too large.", ADVICE)


def _bounded(items: int, characters: int) -> None:
    if items > MOST_ITEMS:
        raise Misuse(f"A value holds more than {MOST_ITEMS:,} things.", ADVICE)
    if characters > MOST_CHARACTERS:
        raise Misuse(f"A value holds more than {MOST_CHARACTERS:,} characters.", ADVICE)


def _extent(value: object) -> int:
    if isinstance(value, int):
        return abs(value)
    return len(value) if isinstance(value, str | tuple | list | dict | range) else 1
