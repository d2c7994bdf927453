"""Who of the list is in a segment, and why the others are not. No I/O.

A segment is compiled once and asked for each reader.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import lru_cache

from newsletter.audience.languages import edition_for, read_language
from newsletter.audience.model import Roster, Subscriber
from newsletter.config.segments import Condition
from newsletter.phrases import joined

Rule = Callable[[Subscriber], str | None]
"""Says why a reader does not fit; None: they do."""

_BETWEEN = str.maketrans(";|\n", ",,,")
"""What stands between several values in a cell, as exports write tags."""
_UNKNOWN = "it is not known since when they are on the list"


@dataclass(frozen=True, slots=True)
class Segment:
    """One segment, compiled."""

    name: str
    rules: Sequence[Rule]

    @classmethod
    def of(cls, name: str, condition: Condition, *, language: str) -> Segment:
        """Compile a segment of newsletter.toml.

        Args:
            name: its own.
            condition: what must hold.
            language: the newsletter's, which readers get who named none.
        """
        return cls(name, tuple(_rules(condition, language)))

    def why_not(self, reader: Subscriber) -> str | None:
        """Why a reader is outside, by the first rule that they do not fit; None: they are in."""
        return _why_not(self.rules, reader)


@dataclass(frozen=True, slots=True)
class Membership:
    """How a list divides into a segment and the rest.

    Attributes:
        segment: its name.
        condition: as newsletter.toml has it.
        inside: how many are in it.
        outside: how many are not, by why.
    """

    segment: str
    condition: Condition
    inside: int
    outside: Mapping[str, int]


def narrowed(
    roster: Roster, name: str, condition: Condition, *, language: str
) -> tuple[Roster, Membership]:
    """The list with those readers alone who are in a segment.

    Args:
        roster: the list, with what readers chose.
        name: of the segment.
        condition: what must hold.
        language: the newsletter's.
    """
    segment = Segment.of(name, condition, language=language)
    inside, outside = [], Counter[str]()
    for reader in roster.subscribers:
        if (why := segment.why_not(reader)) is None:
            inside.append(reader)
        else:
            outside[why] += 1
    kept = replace(roster, subscribers=tuple(inside), outside=outside.total())
    return kept, Membership(name, condition, len(inside), dict(outside.most_common()))


def _why_not(rules: Sequence[Rule], reader: Subscriber) -> str | None:
    for rule in rules:
        if (why := rule(reader)) is not None:
            return why
    return None


def _rules(condition: Condition, language: str) -> Iterator[Rule]:
    if condition.languages is not None:
        yield _languages(condition.languages, language)
    if condition.topics is not None:
        yield _topics(condition.topics)
    for field, values in (condition.fields or {}).items():
        yield _field(field, values)
    if condition.joined_since is not None:
        yield _since(condition.joined_since)
    if condition.joined_before is not None:
        yield _before(condition.joined_before)
    if condition.any is not None:
        yield _any([tuple(_rules(each, language)) for each in condition.any])
    for each in condition.all or ():
        yield from _rules(each, language)
    if condition.not_ is not None:
        yield _not(tuple(_rules(condition.not_, language)))


def _languages(wanted: Sequence[str], default: str) -> Rule:
    tags = tuple(read_language(each) or each for each in wanted)
    why = f"they do not read {joined(wanted, last='or')}"

    def rule(reader: Subscriber) -> str | None:
        return None if edition_for(reader.language or default, tags, "") else why

    return rule


def _topics(wanted: Sequence[str]) -> Rule:
    why = f"they do not want {joined(wanted, last='or')}"

    def rule(reader: Subscriber) -> str | None:
        return None if any(reader.topics.get(topic, True) for topic in wanted) else why

    return rule


def _field(name: str, values: Sequence[str]) -> Rule:
    wanted = frozenset(map(_folded, values))
    shown = joined([f"“{value}”" if value else "empty" for value in values], last="or")
    why = f"{name} is not {shown}"

    def rule(reader: Subscriber) -> str | None:
        return why if wanted.isdisjoint(_values(reader.fields.get(name, ""))) else None

    return rule


def _since(day: date) -> Rule:
    why = f"they are on the list since before {day}"

    def rule(reader: Subscriber) -> str | None:
        if reader.joined is None:
            return _UNKNOWN
        return None if reader.joined >= day else why

    return rule


def _before(day: date) -> Rule:
    why = f"they are on the list since {day} or later"

    def rule(reader: Subscriber) -> str | None:
        if reader.joined is None:
            return _UNKNOWN
        return None if reader.joined < day else why

    return rule


def _any(alternatives: Sequence[Sequence[Rule]]) -> Rule:
    def rule(reader: Subscriber) -> str | None:
        fits = any(_why_not(rules, reader) is None for rules in alternatives)
        return None if fits else "none of the conditions under “any” holds"

    return rule


def _not(rules: Sequence[Rule]) -> Rule:
    def rule(reader: Subscriber) -> str | None:
        return "what stands under “not” holds" if _why_not(rules, reader) is None else None

    return rule


@lru_cache(maxsize=4096)
def _values(cell: str) -> frozenset[str]:
    """The values of a cell as they are compared: all of it, and each of several."""
    several = cell.translate(_BETWEEN)
    parts = several.split(",") if "," in several else ()
    return frozenset((_folded(cell), *filter(None, (_folded(part.strip(' "')) for part in parts))))


def _folded(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text).casefold().split())
