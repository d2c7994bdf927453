"""An open slot as a template sees it: it can be printed, and nothing else. No I/O.

What a template would do with a reader's value (compare, shorten, put in
capitals) it would do with the token instead, once, for all readers. So
everything but printing fails, and says what to do instead.
"""

from __future__ import annotations

from typing import NoReturn

from newsletter.render.misuse import Misuse
from newsletter.render.slots import Context, SlotRegistry


class Sentinel:
    """What ``slot('name')`` gives a template."""

    __slots__ = ("_context", "_fallback", "_field", "_registry")

    def __init__(
        self, registry: SlotRegistry, field: str, *, context: Context, fallback: str
    ) -> None:
        self._registry = registry
        self._field = field
        self._context: Context = context
        self._fallback = fallback

    def _token(self) -> str:
        return self._registry.open(self._field, context=self._context, fallback=self._fallback)

    def _misused(self, *_: object) -> NoReturn:
        raise Misuse(
            f"The slot “{self._field}” can only be printed: its value is not known "
            "before the mail goes to a reader.",
            f"Print it by itself: {{{{ slot('{self._field}') }}}}.",
        )

    # Whatever Jinja's filters, tests and operators may ask of a value.
    __str__ = __repr__ = __bool__ = __len__ = __iter__ = __getitem__ = __contains__ = __call__ = (
        _misused
    )
    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = _misused
    __add__ = __radd__ = __mul__ = __rmul__ = __mod__ = __rmod__ = _misused
    __int__ = __float__ = __index__ = __format__ = __html__ = _misused
    __hash__ = _misused

    def __getattr__(self, name: str) -> NoReturn:
        self._misused()


def token_of(slot: Sentinel) -> str:
    """What printing a slot prints."""
    return slot._token()  # noqa: SLF001 - this is its door
