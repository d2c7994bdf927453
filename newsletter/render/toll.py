"""Rewrites a parsed template so that what it does is counted. No I/O.

Each body (a template, a loop, a macro, a block, a call) pays for all its parts
when it is entered, for none of them runs more than once in it. Values that an
operator reads or a literal builds are weighed. The rest (filters, functions,
arithmetic, printing) goes through the environment anyway; see sandbox.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from jinja2 import TemplateSyntaxError, nodes
from jinja2.visitor import NodeTransformer

from newsletter.render.budget import MOST_BITS

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
