"""A YAML file as plain values, with the place of each key and value. No I/O.

YAML 1.1 turns ``no`` into false, ``12:30`` into 750 and ``2017`` into a number;
an editor who writes these means text. So every scalar stays the text it is,
except that nothing, ``~`` and ``null`` mean “not given”: such a key counts as
absent. Dates are read later, where the model asks for one.

What would make a reader run away with the machine is bounded: the size of the
text, the depth of nesting and the number of values after aliases are expanded.
"""

from __future__ import annotations

import bisect
import functools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import yaml

from newsletter.errors import Problem, Where
from newsletter.invisible import invisible_in, visible, without_invisible
from newsletter.issues.hints import shorten, yaml_sentence
from newsletter.source import Path_, Source

MAX_CHARACTERS = 500_000
MAX_DEPTH = 20
MAX_VALUES = 20_000

_ABSENT = frozenset({"", "~", "null"})
_PLAIN_TAGS = frozenset(f"tag:yaml.org,2002:{kind}" for kind in ("str", "seq", "map"))
# Control characters, separators of lines, overrides of the reading order, halves
# of a surrogate pair and what is no character: YAML's escapes can write them, and
# some mail, page or database cannot carry them or shows something else.
_UNPRINTABLE = re.compile(
    r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\u202d\u202e\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]"
)
_HASHTAG = re.compile(r"#(?:\w|[^\x00-\x7f\s])")
"""What no comment starts with, after a value: a word right behind the sign."""
_CUT = re.compile(r"#(?:[^\s#=*~+-]|[+-]\w| +[0-9]|[ \t\r]*\Z)")
"""The same on the value's own line: also “#?” or “#"us"”, a number, as in “our # 1”, or nothing."""
_COMMENTED_KEY = re.compile(r"#(?:- ?)?[a-z_]+:(?: |$)")
_WITHOUT_SPACES = frozenset({"corrected", "date", "fallback", "id", "language", "lead", "section",
                             "url", "web_url"})  # fmt: skip
"""Keys whose values hold no space, so that what follows one was never meant as part of it."""
_LINE_BREAK = re.compile(r"\r\n|[\n\r\x85\u2028\u2029]")


class Unreadable(Exception):
    """The text is no YAML of the kind an issue is written in; holds the one problem."""

    def __init__(self, what: str, where: Where, advice: str = "") -> None:
        self.problem = Problem(what, where, advice)
        super().__init__(str(self.problem))


@dataclass(frozen=True, slots=True)
class YamlDocument:
    """What a YAML file says, and where.

    ``keys`` tells where the key of each value stands, even of one left out as
    absent; ``spans`` where the text of a scalar begins and ends in ``text``.
    ``problems`` are faults that left something to go on with.
    """

    text: str
    source: Source
    data: Mapping[str, object]
    keys: Mapping[Path_, tuple[int, int]]
    spans: Mapping[Path_, tuple[int, int]]
    problems: tuple[Problem, ...] = ()

    def scalars(self) -> Iterator[tuple[Path_, str]]:
        """Every text in the file with the way to it."""
        yield from _scalars((), self.data)

    def where(self, path: Path_) -> Where:
        """The place of a value, or of what is nearest around it."""
        return self.source.where(*path, item=self.item(path))

    def where_key(self, path: Path_) -> Where:
        """The place of the key that introduces a value."""
        if path not in self.keys:
            return self.where(path)
        line, column = self.keys[path]
        return Where(self.source.file, line, column, item=self.item(path))

    def where_text(self, path: Path_, snippet: str, *, after: int = 0) -> Where:
        """The place of ``snippet`` inside a text, the one after ``after`` others.

        Falls back to the text's own place if folding or escapes hide it.
        """
        start, end = self.spans.get(path, (0, 0))
        for _ in range(after + 1):
            found = self.text.find(snippet, start, end)
            if found < 0:
                return self.where(path)
            start = found + len(snippet)
        line, column = position(self.text, found)
        return Where(self.source.file, line, column, item=self.item(path))

    def item(self, path: Path_) -> str | None:
        """Which story a value belongs to: by headline, else id, else number."""
        match path:
            case ("stories", int(index), *_):
                pass
            case _:
                return None
        stories = self.data.get("stories")
        story = stories[index] if isinstance(stories, list) and index < len(stories) else None
        names = (story.get("headline"), story.get("id")) if isinstance(story, dict) else ()
        name = next((name for name in names if isinstance(name, str) and name.strip()), None)
        return f"story “{shorten(name)}”" if name else f"story number {index + 1}"


def read_document(text: str, file: Path) -> YamlDocument:
    """Read YAML text, already decoded and without a byte order mark.

    Raises:
        Unreadable: it is no YAML, not a mapping at the top, or too large.
    """
    if len(text) > MAX_CHARACTERS:
        raise Unreadable(
            "The file is too large for an issue.",
            Where(file),
            f"Keep it below {MAX_CHARACTERS:,} characters; pictures belong in images/.",
        )
    walk = _Walk(file, text)
    data = walk.mapping(_top(text, file), ())
    document = YamlDocument(text, Source(file, walk.values), data, walk.keys, walk.spans)
    # Only now, with all headlines read, can a problem name its story.
    problems = (
        replace(problem, where=replace(problem.where, item=document.item(path)))
        for path, problem in walk.problems
    )
    return replace(document, problems=tuple(problems))


def position(text: str, index: int) -> tuple[int, int]:
    """Line and column, from 1, of the character at ``index``; lines as YAML breaks them."""
    starts = _line_starts(text)
    line = bisect.bisect_right(starts, index)
    return line, index - starts[line - 1] + 1


@functools.lru_cache(maxsize=4)
def _line_starts(text: str) -> tuple[int, ...]:
    """Where each line begins; kept, since a file may have many problems to be placed."""
    return (0, *(found.end() for found in _LINE_BREAK.finditer(text)))


class _Composer(yaml.SafeLoader):
    """Makes nodes with their marks; constructs nothing and resolves no tags."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 - PyYAML's own class attribute
    depth = 0
    nodes = 0

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.named: dict[str | None, tuple[int, int]] = {}
        """Texts that begin with a word that YAML takes for a name, which nothing refers to."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        self.nodes += 1
        event = self.peek_event()  # type: ignore[no-untyped-call] # the stubs lack it
        if isinstance(event, yaml.AliasEvent):
            self.named.pop(event.anchor, None)
        elif isinstance(event, yaml.ScalarEvent) and event.anchor and not event.style:
            mark = event.start_mark
            self.named[event.anchor] = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        if self.nodes > 2 * MAX_VALUES:  # keys are nodes, too
            raise yaml.MarkedYAMLError(
                problem="too many values", problem_mark=parent.start_mark if parent else None
            )
        if self.depth >= MAX_DEPTH:
            raise yaml.MarkedYAMLError(
                problem="nested too deeply", problem_mark=parent.start_mark if parent else None
            )
        self.depth += 1
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node


def _top(text: str, file: Path) -> yaml.MappingNode:
    root = _compose(text, file)
    if root is None or (isinstance(root, yaml.ScalarNode) and not root.value):
        raise Unreadable(
            "The file is empty.", Where(file), "“newsletter new” writes an issue to start from."
        )
    if isinstance(root, yaml.MappingNode):
        return root
    what = "a list" if isinstance(root, yaml.SequenceNode) else "a single text"
    raise Unreadable(
        f"The file holds {what} where an issue starts with keys.",
        _where(file, root.start_mark),
        "Start with keys such as title:, date: and stories:.",
    )


def _compose(text: str, file: Path) -> yaml.Node | None:
    try:
        composer = _Composer(text)
        node = composer.get_single_node()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        for problem in _behind(text, file, error):
            raise Unreadable(problem.what, problem.where, problem.next) from None
        lines = text.splitlines()[mark.line : mark.line + 1] if mark else []
        what, advice = yaml_sentence(error, "".join(lines))
        raise Unreadable(what, _where(file, mark) if mark else Where(file), advice) from None
    except yaml.reader.ReaderError as error:
        line, column = position(text, error.position)
        raise Unreadable(
            f"There is an invisible control character here: U+{ord(text[error.position]):04X}.",
            Where(file, line, column),
            "Delete it.",
        ) from None
    except (ValueError, OverflowError):
        # PyYAML hands the number in "\UFFFFFFFF" to chr() unchecked.
        raise Unreadable(
            "A text in double quotes has an escape for a character that does not exist.",
            Where(file),
            "Search for \\U and write the character itself.",
        ) from None
    for name, place in composer.named.items():
        raise Unreadable(
            f"“&{shorten(name or '')}” is lost: a word that starts with & is a name in YAML.",
            Where(file, place[0], place[1]),
            "Put the whole text in double quotes.",
        )
    return node


_KEY_PART = re.compile(r"[^\S\n]*(?:-[^\S\n]?)*[^:\n\"']{0,60}:?.?")


def _behind(text: str, file: Path, error: yaml.MarkedYAMLError) -> Iterator[Problem]:
    """What nobody sees in the lines where YAML stumbled: a character in a key, a sign in a text."""
    lines = text.split("\n")
    marks = [mark.line for mark in (error.problem_mark, error.context_mark) if mark]
    for number in dict.fromkeys(near for line in marks for near in (line, line - 1)):
        if not 0 <= number < len(lines):
            continue
        line = lines[number]
        key = _KEY_PART.match(line)
        if key and (found := invisible_in(key.group())):
            place, name = found
            yield Problem(
                f"An invisible character stands here: {name}.",
                Where(file, number + 1, place + 1),
                "Delete it and type an ordinary space if there should be one.",
            )
    for number in dict.fromkeys(near for line in marks for near in (line - 1, line)):
        line = lines[number] if 0 <= number < len(lines) else ""
        sign = re.search(r"(?:^|(?<=\s))#(?:\w|[^\x00-\x7f\s])", line)
        if (
            sign
            and not _COMMENTED_KEY.match(line.strip())
            and line.count('"', 0, sign.start()) % 2 == 0
        ):
            yield Problem(
                f"“{shorten(line[sign.start() :])}” is lost: after a space, # starts a comment, "
                "and the continuation of the text cannot be read.",
                Where(file, number + 1, sign.start() + 1),
                "Put the whole text in double quotes, or below its key after >-.",
            )


def _where(file: Path, mark: yaml.Mark) -> Where:
    return Where(file, mark.line + 1, mark.column + 1)


@dataclass(slots=True)
class _Walk:
    """Turns nodes into values and notes where each stands."""

    file: Path
    text: str
    values: dict[Path_, tuple[int, int]] = field(default_factory=dict)
    keys: dict[Path_, tuple[int, int]] = field(default_factory=dict)
    spans: dict[Path_, tuple[int, int]] = field(default_factory=dict)
    problems: list[tuple[Path_, Problem]] = field(default_factory=list)
    count: int = 0
    characters: int = 0

    def mapping(self, node: yaml.MappingNode, path: Path_) -> dict[str, object]:
        self._note(node, path)
        result: dict[str, object] = {}
        seen: dict[str, int] = {}
        for key_node, value_node in node.value:
            key = self._key(key_node, path)
            if key is None:
                continue
            if key in seen:
                self._problem(
                    key_node,
                    path,
                    f"“{shorten(key)}” stands here a second time.",
                    f"Keep this one or the one on line {seen[key]}.",
                )
                continue
            mark = key_node.start_mark
            seen[key] = mark.line + 1
            self.keys[(*path, key)] = (mark.line + 1, mark.column + 1)
            value = self._value(value_node, (*path, key))
            if value is not None:
                result[key] = value
        return result

    def _key(self, node: yaml.Node, path: Path_) -> str | None:
        if isinstance(node, yaml.ScalarNode):
            if found := invisible_in(node.value):
                self._invisible(node, path, *found)
                return without_invisible(node.value)
            return self._printable(node, path)
        self._problem(
            node,
            path,
            "A key must be a word, not something in brackets.",
            "Put a text that starts with { or [ in double quotes.",
        )
        return None

    def _invisible(self, node: yaml.ScalarNode, path: Path_, place: int, name: str) -> None:
        mark = node.start_mark
        column = mark.column + 1 + place + (node.style is not None)
        what = f"The key “{shorten(visible(node.value))}” holds an invisible character: {name}."
        where = Where(self.file, mark.line + 1, column)
        self.problems.append((path, Problem(what, where, "Delete it.")))

    def _value(self, node: yaml.Node, path: Path_) -> object:
        if node.tag not in _PLAIN_TAGS:
            self._problem(
                node,
                path,
                f"The tag {shorten(node.tag)} means nothing here.",
                "Delete it, or put a text that starts with ! in double quotes.",
            )
        if isinstance(node, yaml.MappingNode):
            return self.mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            self._note(node, path)
            return [self._value(child, (*path, index)) for index, child in enumerate(node.value)]
        assert isinstance(node, yaml.ScalarNode)
        self._note(node, path)
        self._hashtag(node, path)
        if node.style is None and node.value in _ABSENT:
            return None
        self.spans[path] = (node.start_mark.index, node.end_mark.index)
        return self._printable(node, path)

    def _hashtag(self, node: yaml.ScalarNode, path: Path_) -> None:
        """Tell of words behind `` #`` that YAML takes for a comment and that were meant as text."""
        key = next((part for part in reversed(path) if isinstance(part, str)), "")
        if node.style in ("'", '"') or key in _WITHOUT_SPACES:
            return
        found = cut_off(self.text, node)
        if found is None:
            return
        start, lost = found
        line, column = position(self.text, start)
        self.problems.append(
            (
                path,
                Problem(
                    f"“{shorten(lost)}” is lost: after a space, # starts a comment.",
                    Where(self.file, line, column),
                    "Put the whole text in double quotes. If it is a comment, give it a line of "
                    "its own, or write a space and a word behind #.",
                ),
            )
        )

    def _note(self, node: yaml.Node, path: Path_) -> None:
        self.count += 1
        if isinstance(node, yaml.ScalarNode):
            self.characters += len(node.value)
        # Aliases can make a small file huge, and one that names itself endless.
        if self.count > MAX_VALUES or len(path) > MAX_DEPTH or self.characters > MAX_CHARACTERS:
            raise Unreadable(
                "The file holds too many values, or aliases that multiply them.",
                _where(self.file, node.start_mark),
                "Write the values out instead of using & and *.",
            )
        self.values[path] = (node.start_mark.line + 1, node.start_mark.column + 1)

    def _printable(self, node: yaml.ScalarNode, path: Path_) -> str:
        found = _UNPRINTABLE.search(node.value)
        if found is None:
            return str(node.value)
        self._problem(
            node,
            path,
            f"This text holds the invisible control character U+{ord(found.group()):04X}.",
            "Delete it.",
        )
        return _UNPRINTABLE.sub("", node.value)

    def _problem(self, node: yaml.Node, path: Path_, what: str, advice: str) -> None:
        where = _where(self.file, node.start_mark)
        self.problems.append((path, Problem(what, where, advice)))


def cut_off(text: str, node: yaml.ScalarNode) -> tuple[int, str] | None:
    """Where text that was meant for a plain value or a block begins, and what YAML left out.

    On the value's own line a sign before a word; on the next lines, while they are indented
    deeper than the line that the value starts on, unless they comment a key out.
    """
    begin = text.rfind("\n", 0, node.start_mark.index) + 1
    first = text[begin : node.start_mark.index]
    depth = len(first) - len(first.lstrip(" -"))
    place = node.start_mark.index if node.style else node.end_mark.index
    if not node.style and not node.value:  # an empty value's mark may stand on a later line
        place = node.start_mark.index
    end = _line_end(text, place)
    sign = re.compile(r"(?<=[\s:|>+\d-])#").search(text, place, end)
    if sign and _CUT.match(text, sign.start(), end):
        return sign.start(), text[sign.start() : end].rstrip()
    place = max(node.end_mark.index - 1, end) if node.style else end
    if node.style:
        place = text.rfind("\n", 0, node.end_mark.index)
    while 0 <= place < len(text):
        begin, end = place + 1, _line_end(text, place + 1)
        line = text[begin:end]
        indent = len(line) - len(line.lstrip(" "))
        if line.strip() and (indent <= depth or not line.lstrip().startswith("#")):
            return None
        sign_at = begin + indent
        if _HASHTAG.match(text, sign_at, end) and not _COMMENTED_KEY.match(text, sign_at, end):
            return sign_at, line.strip()
        place = end
    return None


def _line_end(text: str, place: int) -> int:
    found = text.find("\n", place)
    return len(text) if found < 0 else found


def _scalars(path: Path_, value: object) -> Iterator[tuple[Path_, str]]:
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for key, child in value.items():
            yield from _scalars((*path, key), child)
    elif isinstance(value, list):
        for index, child in enumerate(value):
            yield from _scalars((*path, index), child)
