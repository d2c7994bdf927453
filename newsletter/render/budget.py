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
MOST_DEEP = 12
"""Lists in lists: to compare two takes as many rounds over all that they hold."""
_MOST_PRODUCT = 20_000_000
_PRODUCT_A_STEP = 1000
_KEY_BITS = 53
"""Of a number that is a key: below it no two share a hash, by which a dict finds its keys."""
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

    def weigh(self, *values: object, tools: bool = False, times: int = 1) -> None:
        """Count all that values hold, however often they hold it.

        Args:
            values: plain data.
            tools: whether a value may be a tool.
            times: how often what they hold is gone through.

        Raises:
            Misuse: one is too large, or holds what is no plain data.
        """
        for value in values:
            if type(value) is str and len(value) <= MOST_CHARACTERS:
                self.spend(times, len(value))
            elif isinstance(value, self._unready) or (tools and isinstance(value, self._tools)):
                self.spend(times)
            else:
                items, characters = self._size(value)
                self.spend(items * times, characters)

    def _size(self, value: object) -> tuple[int, int]:
        items = characters = 0
        level = [value]
        for _ in range(MOST_DEEP):
            below: list[object] = []
            items += len(level)
            for each in level:
                if isinstance(each, str):
                    characters += len(each)
                elif isinstance(each, tuple | list):
                    _bounded(items + len(below) + len(each), characters)
                    below.extend(each)
                elif isinstance(each, dict):
                    _bounded(items + len(below) + 2 * len(each), characters)
                    _sound_keys(each)
                    below.extend(each)
                    below.extend(each.values())
                elif isinstance(each, range):
                    items += len(each)
                else:
                    self._sound(each)
            _bounded(items, characters)
            if not below:
                return items, characters
            level = below
        raise Misuse(f"A value holds lists in lists, more than {MOST_DEEP} deep.", ADVICE)

    def _sound(self, value: object) -> None:
        """Refuse what is no plain data, and large numbers."""
        if isinstance(value, int):
            if value.bit_length() > MOST_BITS:
                raise Misuse("A number is too large.", ADVICE)
        elif type(value) not in ATOMS and type(value) is not View:
            if isinstance(value, self._unready):
                str(value)  # raises what it has to say
            raise Misuse(
                f"A {type(value).__name__} is no plain data.",
                "“newsletter docs theme” lists what templates can use.",
            )

    def weigh_product(self, values: Iterable[object]) -> None:
        """Count, or refuse, what could grow large: arguments multiplied with one another.

        Raises:
            Misuse: the two largest are too large together.
        """
        *_, second, first = sorted([1, 1, *map(_extent, values)])
        if first * second > _MOST_PRODUCT:
            raise Misuse("What it makes would be too large.", ADVICE)
        self.spend(first * second // _PRODUCT_A_STEP)


def _bounded(items: int, characters: int) -> None:
    if items > MOST_ITEMS:
        raise Misuse(f"A value holds more than {MOST_ITEMS:,} things.", ADVICE)
    if characters > MOST_CHARACTERS:
        raise Misuse(f"A value holds more than {MOST_CHARACTERS:,} characters.", ADVICE)


def _sound_keys(value: dict[object, object]) -> None:
    """Refuse keys whose hashes a stranger can choose; many that share one take for ever."""
    for key in value:
        if not (isinstance(key, str) or (isinstance(key, int) and key.bit_length() <= _KEY_BITS)):
            raise Misuse("A key of a dict is no text and no small number.", ADVICE)


def _extent(value: object) -> int:
    if isinstance(value, int):
        return abs(value)
    return len(value) if isinstance(value, str | tuple | list | dict | range) else 1
