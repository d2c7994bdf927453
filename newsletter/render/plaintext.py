"""The text part's Markdown: from markdown-it's tokens to wrapped plain text. No I/O.

Links become ``label [1]`` with the address on a line of its own under the
paragraph, where the reader needs it and no wrapping breaks it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from markdown_it.token import Token
from markdown_it.tree import SyntaxTreeNode

from newsletter.render.wrap import WIDTH, Measure, display_width, wrap

_CODE_INDENT = "    "
_COLUMN_GAP = "  "
_NARROWEST = 10
"""Columns left to a text however deeply it is nested."""


@dataclass(frozen=True, slots=True)
class TextLayout:
    """How text is laid out.

    Attributes:
        width: columns of a line.
        measure: how many columns a text takes.
        rtl: whether it runs from right to left.
        opening: what stands right before its first word, such as a quotation mark.
        closing: what stands right behind its last word.
    """

    width: int = WIDTH
    measure: Measure = display_width
    rtl: bool = False
    opening: str = ""
    closing: str = ""


class TextRenderer:
    """Renders one text; its links are numbered from 1."""

    def __init__(self, layout: TextLayout) -> None:
        self._layout = layout
        self._numbers: dict[str, int] = {}
        self._listed = 0
        self._blocks: dict[str, Callable[[SyntaxTreeNode, int], str]] = {
            "paragraph": self._paragraph,
            "footnote": self._footnote,
            "heading": self._heading,
            "bullet_list": self._list,
            "ordered_list": self._list,
            "blockquote": self._quote,
            "table": self._table,
            "fence": self._code,
            "code_block": self._code,
            "hr": self._rule,
        }

    def render(self, tokens: Sequence[Token]) -> str:
        """The whole text, blocks parted by a blank line."""
        parts: list[str] = []
        nodes = SyntaxTreeNode(tokens).children
        for place, node in enumerate(nodes, 1):
            before = self._layout.opening if place == 1 else ""
            after = self._layout.closing if place == len(nodes) else ""
            parts.append(self._enclosed(node, before, after))
            if new := self._new_references():
                parts.append(new)
        return "\n\n".join(part for part in parts if part)

    def _enclosed(self, node: SyntaxTreeNode, before: str, after: str) -> str:
        """A block of the text itself, with what stands before and behind it."""
        if node.type == "paragraph":
            return self._wrap(before + self._inline(node) + after, self._layout.width)
        room = self._layout.measure(before) + self._layout.measure(after)
        return before + self._block(node, self._layout.width - room) + after

    def _new_references(self) -> str:
        new = list(self._numbers.items())[self._listed :]
        self._listed = len(self._numbers)
        return "\n".join(f"[{number}] {url}" for url, number in new)

    def _block(self, node: SyntaxTreeNode, width: int) -> str:
        return self._blocks[node.type](node, max(width, _NARROWEST))

    def _blocks_of(self, nodes: Iterable[SyntaxTreeNode], width: int, gap: str) -> str:
        return gap.join(self._block(node, width) for node in nodes)

    def _wrap(self, text: str, width: int) -> str:
        """Wrap each line of ``text``; hard line breaks are kept."""
        measure = self._layout.measure
        return "\n".join(wrap(line, width=width, measure=measure) for line in text.split("\n"))

    def _paragraph(self, node: SyntaxTreeNode, width: int) -> str:
        return self._wrap(self._inline(node), width)

    def _footnote(self, node: SyntaxTreeNode, width: int) -> str:
        number = _raised(node.meta.get("number", ""))
        return self._wrap(f"{number} {self._inline(node)}".strip(), width)

    def _heading(self, node: SyntaxTreeNode, width: int) -> str:
        text = self._wrap(self._inline(node), width)
        widest = max(self._layout.measure(line) for line in text.split("\n"))
        return f"{text}\n{'-' * min(widest, width)}"

    def _list(self, node: SyntaxTreeNode, width: int) -> str:
        start = node.attrs.get("start", 1)
        items = []
        for number, item in enumerate(node.children):
            mark = f"{int(start) + number}. " if node.type == "ordered_list" else "- "
            items.append(self._item(item, mark, width))
        loose = any("\n\n" in item for item in items)
        return ("\n\n" if loose else "\n").join(items)

    def _item(self, item: SyntaxTreeNode, mark: str, width: int) -> str:
        # A tight item's paragraph is hidden and stands close to a list inside it.
        tight = all(child.hidden for child in item.children if child.type == "paragraph")
        body = self._blocks_of(item.children, width - len(mark), "\n" if tight else "\n\n")
        indent = " " * len(mark)
        return mark + _indent(body, indent).removeprefix(indent) if body else mark.rstrip()

    def _quote(self, node: SyntaxTreeNode, width: int) -> str:
        body = self._blocks_of(node.children, width - 2, "\n\n")
        return "\n".join(f"> {line}".rstrip(" ") for line in body.split("\n"))

    def _code(self, node: SyntaxTreeNode, width: int) -> str:
        lines = node.content.rstrip("\n").split("\n")
        room = max(width - len(_CODE_INDENT), _NARROWEST)
        return _indent("\n".join(self._code_line(line, room) for line in lines), _CODE_INDENT)

    def _code_line(self, line: str, width: int) -> str:
        """A line of code; one that is too long goes on below, two columns further in."""
        if self._layout.measure(line) <= width:
            return line
        code = line.lstrip(" \t")
        lead = line[: len(line) - len(code)] if len(line) - len(code) < width // 2 else ""
        return wrap(code, width=width, first=lead, rest=f"{lead}  ", measure=self._layout.measure)

    def _rule(self, node: SyntaxTreeNode, width: int) -> str:
        del node, width
        return "* * *"

    def _table(self, node: SyntaxTreeNode, width: int) -> str:
        rows = [
            [self._inline(cell) for cell in row.children]
            for part in node.children
            for row in part.children
        ]
        sizes = [max(map(self._layout.measure, column)) for column in zip(*rows, strict=True)]
        fits = sum(sizes) + len(_COLUMN_GAP) * (len(sizes) - 1) <= width
        # Padding cannot line up columns where the lines run from right to left.
        if fits and not self._layout.rtl:
            return self._columns(rows, sizes)
        return self._records(rows, width)

    def _columns(self, rows: list[list[str]], sizes: list[int]) -> str:
        lines = [
            _COLUMN_GAP.join(
                cell + " " * (size - self._layout.measure(cell))
                for cell, size in zip(row, sizes, strict=True)
            ).rstrip(" ")
            for row in rows
        ]
        lines.insert(1, _COLUMN_GAP.join("-" * size for size in sizes))
        return "\n".join(lines)

    def _records(self, rows: list[list[str]], width: int) -> str:
        header = rows[0]
        records = (
            "\n".join(
                self._wrap(f"{name}: {cell}" if name else cell, width)
                for name, cell in zip(header, row, strict=True)
                if cell
            )
            for row in rows[1:] or [header]
        )
        return "\n\n".join(records)

    def _inline(self, node: SyntaxTreeNode) -> str:
        text, before = "", None
        for child in node.children:
            piece = self._piece(child)
            if before is not None and {before.type, child.type} == {"link", "code_inline"}:
                text += " "  # code begins and ends unseen here; an address would go on in it
            text, before = text + piece, child if piece else before
        return text

    def _piece(self, node: SyntaxTreeNode) -> str:
        if node.type in ("text", "code_inline", "image"):
            return node.content
        if node.type == "footnote_reference":
            return _raised(node.content)
        if node.type == "softbreak":
            return " "
        if node.type == "hardbreak":
            return "\n"
        inside = self._inline(node)
        if node.type == "strong":
            return f"*{inside}*"
        if node.type == "s":
            return f"~{inside}~"
        return self._link(node, inside) if node.type == "link" else inside

    def _link(self, node: SyntaxTreeNode, label: str) -> str:
        url = str(node.attrs["href"])
        if node.info == "auto" or label in (url, url.removeprefix("mailto:")):
            return label
        return f"{label}\u00a0[{self._numbers.setdefault(url, len(self._numbers) + 1)}]"


def _raised(number: object) -> str:
    return str(number).translate(str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹"))


def _indent(text: str, by: str) -> str:
    return "\n".join(by + line if line else line for line in text.split("\n"))
