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
import re
from collections.abc import Callable, ItemsView, Iterable, KeysView, Mapping, Sequence, ValuesView
from dataclasses import dataclass
from types import BuiltinMethodType, FunctionType, MethodType
from typing import Any, NoReturn

from markupsafe import Markup
from pydantic import BaseModel

from newsletter import model, theme
from newsletter.config.identity import Link, Organisation, Sender
from newsletter.render.slots import SlotContext, SlotRegistry


class NotAllowed(Exception):
    """A template did what cannot be done; ``advice`` is what to do instead."""

    def __init__(self, what: str, advice: str) -> None:
        super().__init__(what)
        self.advice = advice


class OpenSlot:
    """What ``slot('name')`` gives a template: it can be printed, and nothing else.

    What a template would do with a reader's value (compare, shorten, put in
    capitals) it would do with the token instead, once, for all readers. So
    everything but printing fails, and says what to do instead.
    """

    __slots__ = ("_context", "_fallback", "_field", "_registry")

    def __init__(
        self, registry: SlotRegistry, field: str, *, context: SlotContext, fallback: str
    ) -> None:
        self._registry = registry
        self._field = field
        self._context: SlotContext = context
        self._fallback = fallback

    def _token(self) -> str:
        return self._registry.open(self._field, context=self._context, fallback=self._fallback)

    def _misused(self, *_: object) -> NoReturn:
        raise NotAllowed(
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


def token_of(slot: OpenSlot) -> str:
    """What printing a slot prints."""
    return slot._token()  # noqa: SLF001 - this is its door


@dataclass(frozen=True, slots=True)
class Fonts:
    """What a theme sets words in; the stacks as they stand in CSS, quotes and all."""

    body: Markup
    display: Markup
    size: int


@dataclass(frozen=True, slots=True)
class ThemeValues:
    """The values of theme.toml, as templates and style sheets see them."""

    name: str
    colours: theme.Colours
    type: Fonts
    logo: MailPicture | None


@dataclass(frozen=True, slots=True)
class MailPicture:
    """A picture as a template shows it; ``width`` and ``height`` in CSS pixels."""

    src: str
    alt: str
    credit: str
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class WebPicture:
    """A picture as a page shows it; ``width`` and ``height`` are those of the file, in pixels."""

    src: str
    alt: str
    credit: str
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class IndexEntry:
    """An issue as the index lists it.

    Attributes:
        issue: in the index's language, or in its own first one.
        languages: all of its languages and their pages.
        pdfs: those that have a PDF, and where.
        picture: what stands for it.
    """

    issue: model.Issue
    languages: Sequence[tuple[str, str]]
    pdfs: Sequence[tuple[str, str]]
    picture: WebPicture | None


@dataclass(frozen=True, slots=True)
class RunningHead:
    """The style that puts a line at the head of printed pages, and its hash for the policy."""

    style: Markup
    digest: str


ATOMS = (str, Markup, int, float, bool, type(None), dt.date)
"""Types that hold nothing else; compared exactly, since a subclass may do more."""

VALUES: tuple[type, ...] = (
    model.Issue, *model.Issue.inner().values(), Link, Organisation, Sender,
    theme.ThemeSettings, theme.Colours, theme.Palette, theme.Typography, theme.Logo, theme.Pictures,
    ThemeValues, Fonts, MailPicture, WebPicture, IndexEntry, RunningHead,
)  # fmt: skip
"""Our own types that templates see: of each, its fields."""

_DERIVED: Mapping[type, tuple[str, ...]] = {
    model.Issue: (
        "direction",
        "language_of",
        "lead_story",
        "grouped",
        "reading_order",
        "kicker_of",
        "look_of",
        "closing_words",
        "posted",
    ),
    model.Section: ("introduction",),
    model.Story: ("content", "opening", "rest", "button"),
    model.BodyPart: ("kind", "figured"),
    model.Fact: ("date",),
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
        words = re.sub(r"\B(?=[A-Z])", " ", type(self._value).__name__)
        return f"“{words.lower()}”"

    def names(self) -> frozenset[str]:
        """What it offers."""
        kind: Any = type(self._value)
        return names_of(kind)

    def named(self, name: str) -> object:
        """One of :meth:`names`."""
        return for_template(getattr(self._value, name))

    # A template may ask whether two are the same, and nothing more.
    def __eq__(self, other: object) -> bool:
        return isinstance(other, View) and self._value is other._value

    def __hash__(self) -> int:
        return id(self._value)

    def __repr__(self) -> str:
        return self.called

    def __str__(self) -> str:
        raise NotAllowed(
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
        """What it returns, as templates see it."""
        if self.of is None:
            args, kwargs = map(_ours, args), {key: _ours(kwargs[key]) for key in kwargs}
        return for_template(self._function(*args, **kwargs))

    def __repr__(self) -> str:
        return "The function"

    def __str__(self) -> str:
        raise NotAllowed("A function is no text.", "Call it: write parentheses behind its name.")


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
    derived = (name for base in kind.__mro__ for name in _DERIVED.get(base, ()))
    return frozenset({*fields, *derived} - {*_HIDDEN.get(kind, ())})


def for_template(value: object) -> object:
    """A value of ours as templates see it.

    Raises:
        TypeError: it is of a type that no template may see.
    """
    kind = type(value)
    if kind in ATOMS or kind in (View, Function, OpenSlot, theme.Words, range):
        return value
    if kind in (tuple, list):
        return kind(map(for_template, value))  # type: ignore[call-overload] # one of the two
    if isinstance(value, KeysView | ValuesView | ItemsView):
        return [for_template(each) for each in value]
    if isinstance(value, Mapping):
        return {key: for_template(each) for key, each in value.items()}
    if kind in VALUES:
        return View(value)
    if kind in (FunctionType, MethodType, BuiltinMethodType, functools.partial):
        return Function(value)  # type: ignore[arg-type] # callable, all of them
    raise TypeError(f"a {kind.__name__} is nothing for templates")
