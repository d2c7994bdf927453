"""Jinja's filters and tests that templates keep, and ours, each counting its work. No I/O."""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

from jinja2 import Environment, pass_context, pass_environment
from jinja2.filters import FILTERS, do_default, ignore_case, make_attrgetter
from jinja2.runtime import Context as JinjaContext
from jinja2.tests import TESTS
from jinja2.utils import _PassArg

from newsletter.render.template_limits import ADVICE, MOST_ITEMS, Budget
from newsletter.render.template_values import NotAllowed, OpenSlot, View

JINJA_FILTERS = (
    "abs", "batch", "capitalize", "center", "count", "d", "default", "dictsort", "e", "escape",
    "first", "float", "forceescape", "groupby", "indent", "int", "items", "join", "last", "length",
    "list", "lower", "map", "max", "min", "reject", "rejectattr", "replace", "reverse", "round",
    "safe", "select", "selectattr", "slice", "sort", "string", "title", "trim", "truncate",
    "unique", "upper", "urlencode", "wordcount",
)  # fmt: skip
"""What is taken over from Jinja; their work is in proportion to what they get and make."""
_LARGEST = {"round": 20, "slice": MOST_ITEMS, "batch": MOST_ITEMS}
"""“round” works out 10 to the power of its number; the others make so many lists."""
_BY_THINGS = {
    "batch", "first", "groupby", "join", "last", "list", "map", "max", "min", "reject",
    "rejectattr", "select", "selectattr", "slice", "sort", "unique",
}  # fmt: skip
"""To these, a text is a list of its characters."""
_SORTING = {"dictsort", "groupby", "sort"}
_ROUNDS = 16
"""How often sorting goes through what it sorts, about: the logarithm of MOST_ITEMS."""
_LONGEST_INDENT = 100
_CALL_STEPS = 20
"""What a filter of ours costs at least."""
_CALENDAR_STEPS = 300
"""The same, where a language is looked up on the disk."""
_TESTS = tuple(name for name in TESTS if name not in ("callable", "escaped", "filter", "test"))

Filter = Callable[..., Any]
_Cost = Callable[[list[str]], tuple[int, int, int]]
"""Steps, characters and characters of Markdown that a filter costs for the texts it gets."""


def metered_filters(ours: Mapping[str, Filter], budget: Budget) -> dict[str, Any]:
    """Jinja's filters and ours, by name."""
    jinjas = {name: FILTERS[name] for name in JINJA_FILTERS}
    jinjas["default"] = jinjas["d"] = _default
    jinjas["unique"] = _unique
    return {
        **{
            name: _metered(
                function,
                _of_things if name in _BY_THINGS else _of_jinja,
                budget,
                largest=_LARGEST.get(name),
                times=_ROUNDS if name in _SORTING else 1,
            )
            for name, function in jinjas.items()
        },
        **{
            name: _metered(function, _COSTS.get(name, _of_ours), budget)
            for name, function in ours.items()
        },
    }


def metered_tests(budget: Budget) -> dict[str, Any]:
    """What may stand behind ``is``."""
    return {name: _tested(TESTS[name], budget) for name in _TESTS}


def _metered(
    function: Filter, cost: _Cost, budget: Budget, *, largest: int | None = None, times: int = 1
) -> Filter:
    """A filter that counts what it gets and makes."""

    @pass_context
    def filtered(context: JinjaContext, *args: Any, **kwargs: Any) -> Any:
        given = [*args, *kwargs.values()]
        budget.weigh(*given, times=times)
        budget.weigh_product(given)
        budget.spend(*cost([each for each in given if isinstance(each, str)]))
        if largest is not None and any(isinstance(n, int) and abs(n) > largest for n in given[1:]):
            raise NotAllowed(f"The largest number for this filter is {largest:,}.", ADVICE)
        result = _passing(function, context)(*args, **kwargs)
        if isinstance(result, Iterator):
            result = list(islice(result, MOST_ITEMS + 1))
        budget.weigh(result)
        return result

    return filtered


def _tested(function: Any, budget: Budget) -> Filter:
    @pass_context
    def tested(context: JinjaContext, *args: Any) -> Any:
        budget.weigh(*args, tools=True)
        return _passing(function, context)(*args)

    return tested


def _of_jinja(texts: list[str]) -> tuple[int, int, int]:
    return sum(map(len, texts)) // 10, 0, 0


def _of_things(texts: list[str]) -> tuple[int, int, int]:
    return sum(map(len, texts)), 0, 0


def _of_ours(texts: list[str]) -> tuple[int, int, int]:
    return _CALL_STEPS + sum(map(len, texts)), 0, 0


def _of_calendar(texts: list[str]) -> tuple[int, int, int]:
    return _CALENDAR_STEPS + sum(map(len, texts)), 0, 0


def _of_wrap(texts: list[str]) -> tuple[int, int, int]:
    if max(map(len, texts[1:]), default=0) > _LONGEST_INDENT:  # measured anew for each line
        raise NotAllowed(f"An indent has more than {_LONGEST_INDENT} characters.", ADVICE)
    return _of_ours(texts)


def _of_markdown(texts: list[str]) -> tuple[int, int, int]:
    # The time that quotation marks take grows with the square of their number.
    quotes = sum(text.count('"') + text.count("'") for text in texts)
    length = sum(map(len, texts))
    # A table's rows get as many cells as its head has.
    cells = sum(
        max(line.count("|") for line in text.split("\n")) * text.count("\n") for text in texts
    )
    return _CALL_STEPS + length, 0, length + quotes**2 // 10_000 + cells


_COSTS: Mapping[str, _Cost] = {
    "date": _of_calendar,
    "language_name": _of_calendar,
    "markdown": _of_markdown,
    "md_text": _of_markdown,
    "wrap": _of_wrap,
}


def _passing(function: Filter, context: JinjaContext) -> Filter:
    passed = _PassArg.from_obj(function)
    if passed is _PassArg.context:
        return functools.partial(function, context)
    if passed is _PassArg.eval_context:
        return functools.partial(function, context.eval_ctx)
    if passed is _PassArg.environment:
        return functools.partial(function, context.environment)
    return function


def _default(value: object, default_value: object = "", boolean: bool = False) -> object:
    """Jinja's ``default``, which would pass a slot through without its default."""
    return bool(value) if isinstance(value, OpenSlot) else do_default(value, default_value, boolean)


@pass_environment
def _unique(
    environment: Environment,
    value: Iterable[object],
    case_sensitive: bool = False,
    attribute: str | int | None = None,
) -> Iterator[object]:
    """Jinja's ``unique`` by keys whose hashes no stranger can choose."""
    own = None if case_sensitive else ignore_case
    key_of = make_attrgetter(environment, attribute, postprocess=own)
    seen = set()
    for each in value:
        key = _key(key_of(each))
        if key not in seen:
            seen.add(key)
            yield each


def _key(value: object) -> object:
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # 1.0 is 1
    if isinstance(value, int | float):
        return "number", str(+value)
    if value is None or isinstance(value, str | dt.date | View):
        return value
    raise NotAllowed("“unique” compares texts, numbers and dates, and no lists.", ADVICE)
