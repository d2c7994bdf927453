"""What a template may touch: plain data, declared names of our values, named methods. No I/O.

A theme may come from a stranger. So a value of ours reaches a template as a
:class:`View`, which knows the names that are declared here and no other, and
a function as a :class:`Function`. What is not declared here is refused,
whatever methods a library gives its classes.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import functools
from collections.abc import Callable, ItemsView, Iterable, KeysView, Mapping, ValuesView
from types import BuiltinMethodType, FunctionType, MethodType
from typing import Any

from markupsafe import Markup
from pydantic import BaseModel

from newsletter import look, model
from newsletter.config import Organisation, Sender
from newsletter.render.context import Fonts, ThemeValues
from newsletter.render.misuse import Misuse
from newsletter.render.places import ShownPicture
from newsletter.render.sentinel import Sentinel
from newsletter.render.web_places import WebPicture
from newsletter.render.web_vocabulary import Entry, RunningHead
from newsletter.render.words import Words

ATOMS = (str, Markup, int, float, bool, type(None), dt.date)
"""Types that hold nothing else; compared exactly, since a subclass may do more."""

VALUES: tuple[type, ...] = (
    model.Issue, *model.Issue.inner().values(), Organisation, Sender,
    look.Look, look.Colours, look.Palette, look.Type, look.Logo, look.Pictures,
    ThemeValues, Fonts, ShownPicture, WebPicture, Entry, RunningHead,
)  # fmt: skip
"""Our own types that templates see: of each, its fields."""

_DERIVED: Mapping[type, tuple[str, ...]] = {
    model.Issue: ("direction", "language_of", "lead_story", "grouped", "reading_order"),
}
"""What a type offers besides its fields."""
_HIDDEN: Mapping[type, tuple[str, ...]] = {Organisation: ("translations",)}

METHODS: Mapping[type, frozenset[str]] = {
    str: frozenset({
        "capitalize", "casefold", "center", "count", "endswith", "find", "format", "isalnum",
        "isalpha", "isascii", "isdecimal", "isdigit", "islower", "isnumeric", "isspace", "isupper",
        "join", "ljust", "lower", "lstrip", "partition", "removeprefix", "removesuffix", "replace",
        "rfind", "rjust", "rpartition", "rsplit", "rstrip", "split", "splitlines", "startswith",
        "strip", "title", "upper",
    }),
    dict: frozenset({"get", "items", "keys", "values"}),
    list: frozenset({"count", "index"}),
    tuple: frozenset({"count", "index"}),
    dt.date: frozenset({"day", "isoformat", "month", "weekday", "year"}),
}  # fmt: skip
"""What plain data offers."""


class View:
    """A value of ours as a template sees it: its declared names, no more."""

    __slots__ = ("_value",)

    def __init__(self, value: object) -> None:
        self._value = value

    @property
    def called(self) -> str:
        """What messages call it."""
        return f"“{type(self._value).__name__.lower()}”"

    def names(self) -> frozenset[str]:
        """What it offers."""
        kind: Any = type(self._value)
        return names_of(kind)

    def named(self, name: str) -> object:
        """One of :meth:`names`."""
        return plain(getattr(self._value, name))

    # A template may ask whether two are the same, and nothing more.
    def __eq__(self, other: object) -> bool:
        return isinstance(other, View) and self._value is other._value

    def __hash__(self) -> int:
        return id(self._value)

    def __repr__(self) -> str:
        return self.called

    def __str__(self) -> str:
        raise Misuse(
            f"{self.called} is no text.",
            f"Use one of its values: {', '.join(sorted(self.names()))}.",
        )


class Function:
    """A function that a template may call.

    Args:
        function: ours, or a method of plain data.
        of: the plain data.
    """

    __slots__ = ("_function", "of")

    def __init__(self, function: Callable[..., Any], of: object = None) -> None:
        self._function = function
        self.of = of

    def called_with(self, args: Iterable[object], kwargs: Mapping[str, object]) -> object:
        """What it returns, plain."""
        if self.of is None:
            args, kwargs = map(_ours, args), {key: _ours(kwargs[key]) for key in kwargs}
        return plain(self._function(*args, **kwargs))

    def __repr__(self) -> str:
        return "The function"

    def __str__(self) -> str:
        raise Misuse("A function is no text.", "Call it: write parentheses behind its name.")


def _ours(value: object) -> object:
    return value._value if isinstance(value, View) else value  # noqa: SLF001 - the one way back


@functools.cache
def names_of(kind: Any) -> frozenset[str]:
    """The names of one of :data:`VALUES` that templates see."""
    fields: Iterable[str]
    if issubclass(kind, BaseModel):
        fields = kind.model_fields
    else:
        fields = (each.name for each in dataclasses.fields(kind))
    return frozenset({*fields, *_DERIVED.get(kind, ())} - {*_HIDDEN.get(kind, ())})


def plain(value: object) -> object:
    """A value of ours as templates see it.

    Raises:
        TypeError: it is of a type that no template may see.
    """
    kind = type(value)
    if kind in ATOMS or kind in (View, Function, Sentinel, Words, range):
        return value
    if kind in (tuple, list):
        return kind(map(plain, value))  # type: ignore[call-overload] # one of the two
    if isinstance(value, KeysView | ValuesView | ItemsView):
        return [plain(each) for each in value]
    if isinstance(value, Mapping):
        return {key: plain(each) for key, each in value.items()}
    if kind in VALUES:
        return View(value)
    if kind in (FunctionType, MethodType, BuiltinMethodType, functools.partial):
        return Function(value)  # type: ignore[arg-type] # callable, all of them
    raise TypeError(f"a {kind.__name__} is nothing for templates")
