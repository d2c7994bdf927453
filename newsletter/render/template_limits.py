"""How much a template may do: steps, characters, and the size of one value. No I/O, no clock.

Rendering is pure, so nothing is measured in time: the same template is refused
everywhere or nowhere. The March 2017 issue in each theme is what the limits
are held against (tests/render/test_sandbox.py): it takes less than a fiftieth.

A parsed template is rewritten so that what it does is counted. Each body (a
template, a loop, a macro, a block, a call) pays for all its parts when it is
entered, for none of them runs more than once in it. Values that an operator
reads or a literal builds are weighed. The rest (filters, functions, arithmetic,
printing) goes through the environment anyway; see sandbox.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from jinja2 import TemplateSyntaxError, nodes
from jinja2.visitor import NodeTransformer

from newsletter.render.template_values import ATOMS, NotAllowed, View

MOST_STEPS = 3_000_000
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


PAY = "(pay)"
WEIGH = "(weigh)"
NAMED = "(named)"
OURS = (PAY, WEIGH, NAMED)
"""Names of filters that no template can write; see Sandbox.call_filter for texts."""

_MOST_PARTS = 5_000
_DEEPEST = 50
_DEEPEST_BLOCKS = 15
_MOST_LOCALS = 20_000
"""Names in a file times the places that hand all of them on: the code of each lists them."""
_SHORT = 100
_FILES = (nodes.Include, nodes.Import, nodes.FromImport, nodes.Extends)
_BODIES = (nodes.Template, nodes.For, nodes.Macro, nodes.CallBlock, nodes.Block)
_REFUSED: dict[type[nodes.Node], str] = {
    nodes.ScopedEvalContextModifier: "“autoescape” cannot be changed in a template",
    nodes.EvalContextModifier: "“autoescape” cannot be changed in a template",
}


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
            NotAllowed: it is too much.
        """
        self.steps += steps
        self.text += characters
        self.markdown += markdown
        if self.steps > MOST_STEPS:
            raise NotAllowed(f"The template takes more than {MOST_STEPS:,} steps.", ADVICE)
        if self.text > MOST_TEXT:
            raise NotAllowed(f"The template makes more than {MOST_TEXT:,} characters.", ADVICE)
        if self.markdown > MOST_MARKDOWN:
            raise NotAllowed(
                f"The template reads more than {MOST_MARKDOWN:,} characters of Markdown.", ADVICE
            )

    def weigh(self, *values: object, tools: bool = False, times: int = 1) -> None:
        """Count all that values hold, however often they hold it.

        Args:
            values: plain data.
            tools: whether a value may be a tool.
            times: how often what they hold is gone through.

        Raises:
            NotAllowed: one is too large, or holds what is no plain data.
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
        raise NotAllowed(f"A value holds lists in lists, more than {MOST_DEEP} deep.", ADVICE)

    def _sound(self, value: object) -> None:
        """Refuse what is no plain data, and large numbers."""
        if isinstance(value, int):
            if value.bit_length() > MOST_BITS:
                raise NotAllowed("A number is too large.", ADVICE)
        elif type(value) not in ATOMS and type(value) is not View:
            if isinstance(value, self._unready):
                str(value)  # raises what it has to say
            raise NotAllowed(
                f"A {type(value).__name__} is no plain data.",
                "“newsletter docs theme-names” lists what templates can use.",
            )

    def weigh_product(self, values: Iterable[object]) -> None:
        """Count, or refuse, what could grow large: arguments multiplied with one another.

        Raises:
            NotAllowed: the two largest are too large together.
        """
        *_, second, first = sorted([1, 1, *map(_extent, values)])
        if first * second > _MOST_PRODUCT:
            raise NotAllowed("What it makes would be too large.", ADVICE)
        self.spend(first * second // _PRODUCT_A_STEP)


def _bounded(items: int, characters: int) -> None:
    if items > MOST_ITEMS:
        raise NotAllowed(f"A value holds more than {MOST_ITEMS:,} things.", ADVICE)
    if characters > MOST_CHARACTERS:
        raise NotAllowed(f"A value holds more than {MOST_CHARACTERS:,} characters.", ADVICE)


def _sound_keys(value: dict[object, object]) -> None:
    """Refuse keys whose hashes a stranger can choose; many that share one take for ever."""
    for key in value:
        if not (isinstance(key, str) or (isinstance(key, int) and key.bit_length() <= _KEY_BITS)):
            raise NotAllowed("A key of a dict is no text and no small number.", ADVICE)


def _extent(value: object) -> int:
    if isinstance(value, int):
        return abs(value)
    return len(value) if isinstance(value, str | tuple | list | dict | range) else 1


def metered(tree: nodes.Template, name: str | None, filename: str | None) -> nodes.Template:
    """``tree`` with what counts in it.

    Raises:
        TemplateSyntaxError: it is too large, nested too deeply, or holds what is refused.
    """
    for parts, (node, depth, blocks) in enumerate(_walk(tree), 1):
        for refused, why in _REFUSED.items():
            if isinstance(node, refused):
                raise TemplateSyntaxError(why, node.lineno, name, filename)
        number = node.value if isinstance(node, nodes.Const) else None
        if isinstance(number, int) and number.bit_length() > MOST_BITS:
            raise TemplateSyntaxError("A number is too large", node.lineno, name, filename)
        if isinstance(node, nodes.For) and node.recursive:
            raise TemplateSyntaxError("A loop cannot call itself", node.lineno, name, filename)
        if depth > _DEEPEST or blocks > _DEEPEST_BLOCKS:
            raise TemplateSyntaxError("It is nested too deeply", node.lineno, name, filename)
        if parts > _MOST_PARTS:
            raise TemplateSyntaxError(
                f"The file has more than {_MOST_PARTS:,} parts", node.lineno, name, filename
            )
    names = {n.name for n in tree.find_all(nodes.Name) if n.ctx != "load"}
    places = list(tree.find_all((*_FILES, nodes.Block)))
    if len(names) * len(places) > _MOST_LOCALS:
        message = "It has too many names and includes"
        raise TemplateSyntaxError(message, places[0].lineno, name, filename)
    counted: nodes.Template = _Meter().visit(tree)
    return counted


def _walk(tree: nodes.Node) -> Iterator[tuple[nodes.Node, int, int]]:
    """Every node with how deep it stands, and in how many blocks; without recursion."""
    waiting = [(tree, 0, 0)]
    while waiting:
        node, depth, blocks = waiting.pop()
        yield node, depth, blocks
        inner = blocks + isinstance(node, nodes.Stmt)
        waiting += [(child, depth + 1, inner) for child in node.iter_child_nodes()]


class _Meter(NodeTransformer):
    def generic_visit(self, node: nodes.Node, *args: Any, **kwargs: Any) -> nodes.Node:
        due = _due(node) if isinstance(node, _BODIES) else None
        node = super().generic_visit(node, *args, **kwargs)
        if due is not None:
            body: list[nodes.Node] = node.body  # type: ignore[attr-defined] # all of _BODIES have it
            body.insert(0, nodes.ExprStmt(_filter(due, PAY), lineno=node.lineno))
        if isinstance(node, _FILES):
            node.template = _filter(node.template, NAMED)
        elif isinstance(node, nodes.For):
            node.iter = _filter(node.iter, WEIGH)
            if node.test is not None:
                test = nodes.Const((len(list(_walk(node.test))), 0, False), lineno=node.lineno)
                node.test = nodes.And(_filter(test, PAY), node.test, lineno=node.lineno)
        elif isinstance(node, nodes.Compare):
            node.expr = _weighed(node.expr)
            for operand in node.ops:
                operand.expr = _weighed(operand.expr)
        elif isinstance(node, nodes.Concat):
            node.nodes = [_weighed(each) for each in node.nodes]
        elif isinstance(node, nodes.Getitem) and isinstance(node.arg, nodes.Slice):
            node.node = _weighed(node.node)
        elif isinstance(node, nodes.Pair):
            node.key = _weighed(node.key)
        elif isinstance(node, nodes.List | nodes.Dict) or (
            isinstance(node, nodes.Tuple) and node.ctx == "load"
        ):
            return _weighed(node)
        return node


def _due(body: nodes.Node) -> nodes.Const:
    """Parts and characters of a body, inner ones included; whether it gets names of its own."""
    inside = [node for node, _, _ in _walk(body)]
    text = sum(len(node.data) for node in inside if isinstance(node, nodes.TemplateData))
    own = isinstance(body, nodes.Template | nodes.Block)
    return nodes.Const((len(inside), text, own), lineno=body.lineno)


def _weighed(node: nodes.Expr) -> nodes.Expr:
    if isinstance(node, nodes.Const) and len(str(node.value)) <= _SHORT:
        return node
    return _filter(node, WEIGH)


def _filter(node: nodes.Node, name: str) -> nodes.Filter:
    return nodes.Filter(node, name, [], [], None, None, lineno=node.lineno)
