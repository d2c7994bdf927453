"""Which line of which template made a piece of what was rendered. No I/O.

Only an error asks, so a template is rendered a second time for it, with marks in front of
whatever it prints. Marks are characters of private use, which are taken out again.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass

from jinja2 import nodes
from jinja2.visitor import NodeTransformer

_MARK = re.compile("\ue000([0-9]+)(=?)\ue001([^\ue002]*)\ue002")


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a piece was written.

    Attributes:
        file: the template's path within the theme.
        line: counts from 1.
        printed: whether it is the value of ``{{ … }}``, not the template's own text.
    """

    file: str
    line: int
    printed: bool


class Origins:
    """A rendered text without its marks, and where each place of it was written."""

    def __init__(self, marked: str) -> None:
        self._starts: list[int] = []
        self._origins: list[Origin] = []
        pieces: list[str] = []
        length = end = 0
        for mark in _MARK.finditer(marked):
            pieces.append(marked[end : mark.start()])
            length += len(pieces[-1])
            self._starts.append(length)
            self._origins.append(Origin(mark[3], int(mark[1]), bool(mark[2])))
            end = mark.end()
        self.text = "".join([*pieces, marked[end:]])

    def at(self, offset: int) -> Origin | None:
        """Where the character at ``offset`` of the text was written; None before all marks."""
        number = bisect_right(self._starts, offset) - 1
        if number < 0:
            return None
        found = self._origins[number]
        if found.printed:
            return found
        lines = self.text.count("\n", self._starts[number], offset)
        return Origin(found.file, found.line + lines, found.printed)


def marked(tree: nodes.Template, file: str) -> nodes.Template:
    """``tree`` with a mark in front of all that it prints."""
    marking: nodes.Template = _Marking(file).visit(tree)
    return marking


class _Marking(NodeTransformer):
    def __init__(self, file: str) -> None:
        self._file = file.replace("\ue002", "")

    def visit_Output(self, node: nodes.Output) -> nodes.Output:  # noqa: N802 - jinja2's name
        inner: list[nodes.Expr] = []
        for each in node.nodes:
            # White space alone would make something of what is nothing.
            if not isinstance(each, nodes.TemplateData) or each.data.strip():
                printed = "" if isinstance(each, nodes.TemplateData) else "="
                mark = f"\ue000{each.lineno}{printed}\ue001{self._file}\ue002"
                inner.append(nodes.TemplateData(mark, lineno=each.lineno))
            inner.append(each)
        node.nodes = inner
        return node
