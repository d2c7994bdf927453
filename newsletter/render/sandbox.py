"""The environment in which templates run: plain data in, bounded work, text out. No I/O.

Jinja's own sandbox forbids what is known to be dangerous. Here it is the other
way round: a template can do what is listed here and in template_values.py, and
all that it does is counted (template_limits.py), constant expressions too, for
nothing is worked out while a template is compiled.
"""

from __future__ import annotations

import functools
import string
from collections.abc import Mapping
from types import CodeType
from typing import Any

from jinja2 import (
    BaseLoader,
    BytecodeCache,
    StrictUndefined,
    TemplateSyntaxError,
    Undefined,
    nodes,
    pass_context,
)
from jinja2.environment import TemplateModule
from jinja2.parser import Parser
from jinja2.runtime import BlockReference, LoopContext, Macro
from jinja2.runtime import Context as JinjaContext
from jinja2.sandbox import SandboxedEnvironment
from jinja2.utils import Namespace
from markupsafe import Markup, escape

from newsletter.render.filters import Filter, metered_filters, metered_tests
from newsletter.render.template_limits import MOST_ITEMS, NAMED, OURS, PAY, WEIGH, Budget, metered
from newsletter.render.template_lines import marked
from newsletter.render.template_values import (
    ATOMS,
    METHODS,
    Function,
    NotAllowed,
    OpenSlot,
    View,
    for_template,
    token_of,
)
from newsletter.theme import Words

_UNREADY = (Undefined, OpenSlot)
_TOOLS = (Namespace, LoopContext, Macro, BlockReference, TemplateModule, Words, Function)
"""What a template can hand on to its macros, and not print, compare or filter."""
_OF_TOOLS: Mapping[type, frozenset[str]] = {
    LoopContext: frozenset({
        "changed", "cycle", "depth", "depth0", "first", "index", "index0", "last", "length",
        "nextitem", "previtem", "revindex", "revindex0",
    }),
    BlockReference: frozenset({"super"}),
}  # fmt: skip
_LIST = "“newsletter docs theme-names” lists what templates can use."
_LONGEST_POWER = 1000
_MOST_NAMES = 10
"""Files that an include may choose from."""
_LONGEST_NAME = 1000
_FILE_STEPS = 20
_FUNCTION_STEPS = 20
"""What one of our functions costs, and what it costs to look for a file."""
_MISSING = object()


class Sandbox(SandboxedEnvironment):
    """An environment for one render.

    Args:
        loader: the theme's templates.
        cache: of compiled templates, shared by environments with equal names of filters.
        autoescape: whether what is printed is escaped.
        names: values and functions for templates, besides ``range`` and ``namespace``.
        filters: besides :data:`JINJA_FILTERS`.
        marks: whether what is printed tells its line (template_lines.py).
    """

    intercepted_binops = frozenset(SandboxedEnvironment.default_binop_table)

    def __init__(
        self,
        loader: BaseLoader,
        cache: BytecodeCache,
        *,
        autoescape: bool,
        names: Mapping[str, object],
        filters: Mapping[str, Filter],
        marks: bool = False,
    ) -> None:
        super().__init__(
            loader=loader,
            autoescape=autoescape,
            undefined=StrictUndefined,
            finalize=_printed,
            trim_blocks=True,
            lstrip_blocks=True,
            bytecode_cache=cache,
            optimized=False,
        )
        self._marks = marks
        self.budget = Budget(tools=_TOOLS, unready=_UNREADY)
        self.globals = {name: for_template(value) for name, value in names.items()}
        self.globals["range"] = Function(_range)
        self.globals["namespace"] = Function(Namespace)
        self.filters = {**metered_filters(filters, self.budget), PAY: _pay, WEIGH: _weigh,
                        NAMED: _file_named}  # fmt: skip
        self.tests = metered_tests(self.budget)

    # Compiling

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        line = 1
        try:
            parser = Parser(self, source, name, filename)
            try:
                tree = parser.parse()
                return metered(marked(tree, name or "") if self._marks else tree, name, filename)
            finally:
                line = parser.stream.current.lineno
        except (RecursionError, MemoryError, ValueError, OverflowError) as error:
            raise _unreadable(error, line, name, filename) from None

    def _compile(self, source: str, filename: str) -> CodeType:
        try:
            return super()._compile(source, filename)
        except (SyntaxError, RecursionError, MemoryError, ValueError, OverflowError) as error:
            raise _unreadable(error, 1, None, filename) from None

    # Looking into values

    def getattr(self, obj: Any, attribute: str) -> Any:
        """``obj.attribute``: a declared name or method, else a key."""
        found = self._named(obj, attribute)
        if found is _MISSING:
            found = _item(obj, attribute)
        return self._unknown(obj, attribute) if found is _MISSING else found

    def getitem(self, obj: Any, argument: Any) -> Any:
        """``obj[argument]``: a key or an index, else a declared name or method."""
        # Filters come here, too, for each part of an attribute of each thing.
        self.budget.spend(1, len(argument) if isinstance(argument, str) else 0)
        found = _item(obj, argument)
        if isinstance(found, str):
            self.budget.spend(0, len(found))
        if found is _MISSING and isinstance(argument, str):
            found = self._named(obj, argument)
        return self._unknown(obj, argument) if found is _MISSING else found

    def _named(self, obj: Any, name: str) -> Any:
        if isinstance(obj, View):
            if name not in obj.names():
                return _MISSING
            found = obj.named(name)
            if isinstance(found, tuple | list | dict):  # made anew each time
                self.budget.weigh(found)
            return found
        if isinstance(obj, OpenSlot):
            str(obj)  # says what a slot is for
        if isinstance(obj, Undefined):
            obj._fail_with_undefined_error()  # noqa: SLF001 - as any look into it does
        if name.startswith("_"):
            return _MISSING
        if isinstance(obj, Words):
            return obj[name]
        if isinstance(obj, Namespace):
            return getattr(obj, name, _MISSING)
        if isinstance(obj, TemplateModule):
            return vars(obj).get(name, _MISSING)
        return self._of_kind(obj, name)

    def _of_kind(self, obj: Any, name: str) -> Any:
        if name == "format" and isinstance(obj, str):
            return Function(functools.partial(self._filled, obj), obj)
        if isinstance(obj, tuple) and name in getattr(obj, "_fields", ()):
            return getattr(obj, name)
        for kinds in (METHODS, _OF_TOOLS):
            for kind, names in kinds.items():
                if isinstance(obj, kind) and name in names:
                    value = getattr(obj, name)
                    tool = isinstance(value, BlockReference)
                    return Function(value, obj) if callable(value) and not tool else value
        return _MISSING

    def _unknown(self, obj: Any, name: Any) -> Undefined:
        if isinstance(obj, View | Function | Words):
            called = "“w”" if isinstance(obj, Words) else repr(obj)
            return self.undefined(f"{called} has no attribute {str(name)[:80]!r}")
        return self.undefined(obj=obj, name=name)

    # Doing

    def call_filter(self, name: str, *args: Any, **kwargs: Any) -> Any:
        """Call a filter that a text names, as ``map`` does."""
        if name in OURS:
            raise NotAllowed(f"No filter named {name!r}.", _LIST)
        return super().call_filter(name, *args, **kwargs)

    def call(self, context: JinjaContext, obj: Any, /, *args: Any, **kwargs: Any) -> Any:
        """Call what may be called: our functions, named methods, macros and blocks."""
        given = [*args, *(v for k, v in kwargs.items() if k not in ("_loop_vars", "_block_vars"))]
        lent = isinstance(obj, Macro | BlockReference) or obj is self.globals["namespace"]
        self.budget.weigh(*given, tools=lent)
        if isinstance(obj, Function):
            kwargs.pop("_loop_vars", None)
            kwargs.pop("_block_vars", None)
            if obj.of is not None:
                self.budget.weigh(obj.of, tools=True)
                self.budget.weigh_product([obj.of, *given])
            if obj is self.globals["namespace"]:
                if args:
                    raise NotAllowed("A namespace takes names and values.", "Write namespace(a=1).")
                return Namespace(**kwargs)
            self.budget.spend(_FUNCTION_STEPS if obj.of is None else 0)
            result = obj.called_with(args, kwargs)
            self.budget.weigh(result, tools=True)
            return result
        if isinstance(obj, Macro | BlockReference):
            return context.call(obj, *args, **kwargs)
        if isinstance(obj, OpenSlot):
            str(obj)
        if isinstance(obj, Undefined):
            obj._fail_with_undefined_error()  # noqa: SLF001 - as calling it does
        raise NotAllowed("What stands before the parentheses is no function.", _LIST)

    def call_binop(self, context: JinjaContext, operator: str, left: Any, right: Any) -> Any:
        """Work out ``left operator right``."""
        self.budget.weigh(left, right)
        for slot in (left, right):
            if isinstance(slot, OpenSlot):
                str(slot)
        if operator == "%" and isinstance(left, str):
            raise NotAllowed("“%” does not fill in texts.", "Use “~”, or the text's format(…).")
        if operator == "*" and not (isinstance(left, int) and isinstance(right, int)):
            self.budget.weigh_product([left, right])
        if operator == "**" and isinstance(right, int) and abs(right) > _LONGEST_POWER:
            raise NotAllowed("A number is too large.", _LIST)
        result = super().call_binop(context, operator, left, right)
        self.budget.weigh(result)
        return result

    def _filled(self, text: str, *args: object, **kwargs: object) -> str:
        """``text.format(…)`` with plain names and numbers in its braces, and nothing else."""
        pieces: list[str] = []
        count = 0
        for literal, field, spec, conversion in string.Formatter().parse(text):
            pieces.append(literal)
            if field is None:
                continue
            if spec or conversion or not (field.isidentifier() or field.isdecimal() or not field):
                raise NotAllowed(
                    f"“{{{field[:80]}}}” cannot be filled in.",
                    "Write a name or a number between braces, and no more.",
                )
            key = field or str(count)
            count += 1
            value = args[int(key)] if key.isdecimal() else kwargs[key]
            self.budget.weigh(value)
            piece = str(escape(value)) if isinstance(text, Markup) else str(value)
            self.budget.spend(1, len(piece))
            pieces.append(piece)
        return type(text)("".join(pieces))


def _item(obj: Any, argument: Any) -> Any:
    if isinstance(obj, str | tuple | list | range) and isinstance(argument, int):
        return obj[argument] if -len(obj) <= argument < len(obj) else _MISSING
    if isinstance(obj, dict) and isinstance(argument, ATOMS):
        return obj.get(argument, _MISSING)
    return _MISSING


def _unreadable(
    error: BaseException, line: int, name: str | None, filename: str | None
) -> TemplateSyntaxError:
    deep = isinstance(error, RecursionError | MemoryError | SyntaxError)
    message = "It is nested too deeply" if deep else f"It is no template: {error}"
    return TemplateSyntaxError(message, line, name, filename)


def _budget(context: JinjaContext) -> Budget:
    environment = context.environment
    assert isinstance(environment, Sandbox)
    return environment.budget


# With the context as their argument they are never worked out while compiling.


@pass_context
def _pay(context: JinjaContext, due: tuple[int, int, bool]) -> bool:
    steps, characters, own = due
    if own:  # it got a copy of all names
        steps += len(context.parent) + len(context.vars)
    _budget(context).spend(steps, characters)
    return True


@pass_context
def _weigh(context: JinjaContext, value: object) -> object:
    _budget(context).weigh(value)
    return value


@pass_context
def _file_named(context: JinjaContext, name: object) -> object:
    """What an include names: a file, or some of which it takes the first that is there."""
    budget = _budget(context)
    budget.weigh(name)
    names = name if isinstance(name, list | tuple) else [name]
    budget.spend(len(names) * _FILE_STEPS)
    if len(names) > _MOST_NAMES or any(
        isinstance(each, str) and len(each) > _LONGEST_NAME for each in names
    ):
        raise NotAllowed(
            "That is no name of a file.",
            f"Name a file of the theme, or up to {_MOST_NAMES} to choose from.",
        )
    return name


@pass_context
def _printed(context: JinjaContext, value: object) -> object:
    """What ``{{ … }}`` prints: text, a number, a date; a slot's token."""
    if isinstance(value, str):
        _budget(context).spend(1, len(value))
        return value
    if isinstance(value, OpenSlot):
        return Markup(token_of(value))  # noqa: S704 - letters and digits
    if not isinstance(value, (*ATOMS, Undefined)):
        raise NotAllowed(
            f"{value!r} is no text." if isinstance(value, View | Function)
            else f"A {type(value).__name__.lower()} is no text.",
            "Print one of its values.",
        )  # fmt: skip
    return value


def _range(*limits: int) -> range:
    found = range(*limits)
    if len(found) > MOST_ITEMS:
        raise NotAllowed(f"Range too big: it has more than {MOST_ITEMS:,} numbers.", _LIST)
    return found
