"""Jinja's filters and tests that templates keep, and ours, each counting its work. No I/O."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Any

from jinja2 import pass_context
from jinja2.filters import FILTERS, do_default
from jinja2.runtime import Context as JinjaContext
from jinja2.tests import TESTS
from jinja2.utils import _PassArg

from newsletter.render.budget import ADVICE, MOST_ITEMS, Budget
from newsletter.render.misuse import Misuse
from newsletter.render.sentinel import Sentinel

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
_TESTS = tuple(name for name in TESTS if name not in ("callable", "escaped", "filter", "test"))

Filter = Callable[..., Any]
_Cost = Callable[[list[str]], tuple[int, int, int]]
"""Steps, characters and characters of Markdown that a filter costs for the texts it gets."""


def metered_filters(ours: Mapping[str, Filter], budget: Budget) -> dict[str, Any]:
    """Jinja's filters and ours, by name."""
    jinjas = {name: FILTERS[name] for name in JINJA_FILTERS}
    jinjas["default"] = jinjas["d"] = _default
    return {
        **{
            name: _metered(function, _of_jinja, budget, largest=_LARGEST.get(name))
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
    function: Filter, cost: _Cost, budget: Budget, *, largest: int | None = None
) -> Filter:
    """A filter that counts what it gets and makes."""

    @pass_context
    def filtered(context: JinjaContext, *args: Any, **kwargs: Any) -> Any:
        given = [*args, *kwargs.values()]
        budget.weigh(*given)
        budget.weigh_product(given)
        budget.spend(*cost([each for each in given if isinstance(each, str)]))
        if largest is not None and any(isinstance(n, int) and n > largest for n in given[1:]):
            raise Misuse(f"The largest number for this filter is {largest:,}.", ADVICE)
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


def _of_ours(texts: list[str]) -> tuple[int, int, int]:
    return sum(map(len, texts)), 0, 0


def _of_markdown(texts: list[str]) -> tuple[int, int, int]:
    # The time that quotation marks take grows with the square of their number.
    quotes = sum(text.count('"') + text.count("'") for text in texts)
    length = sum(map(len, texts))
    # A table's rows get as many cells as its head has.
    cells = sum(
        max(line.count("|") for line in text.split("\n")) * text.count("\n") for text in texts
    )
    return length, 0, length + quotes**2 // 10_000 + cells


_COSTS: Mapping[str, _Cost] = {"markdown": _of_markdown, "md_text": _of_markdown}


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
    return bool(value) if isinstance(value, Sentinel) else do_default(value, default_value, boolean)
