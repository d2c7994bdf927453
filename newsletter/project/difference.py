"""What differs between two versions, for a person who decides on a correction. Pure.

Editions hold open slots instead of readers' data, so nobody's appears here.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterator
from typing import Any, Literal

from newsletter.render.edition import Edition

_WORDS_AROUND = 4
_MOST_WORDS = 30
"""Of one change; whoever wants more looks at the preview."""


def differing(old: Edition, new: Edition) -> list[str]:
    """The parts that differ, by their names for a reader: ``subject``, ``text``, ``HTML``."""
    parts = {
        "subject": _plain(old, old.subject) != _plain(new, new.subject),
        "preheader": _plain(old, old.preheader) != _plain(new, new.preheader),
        "text": _plain(old, old.text) != _plain(new, new.text),
        "HTML": _plain(old, old.html) != _plain(new, new.html),
        "pictures and documents": old.enclosures != new.enclosures,
    }
    return [name for name, differs in parts.items() if differs]


def word_changes(old: Edition, new: Edition, *, part: Literal["subject", "text"]) -> Iterator[str]:
    """Where the words of a part differ: ``… the only [-story-] [+report+] of the month …``."""
    before, after = _words(old, getattr(old, part)), _words(new, getattr(new, part))
    matcher = difflib.SequenceMatcher(a=before, b=after, autojunk=False)
    for kind, i, j, k, m in matcher.get_opcodes():
        if kind != "equal":
            old_words, new_words = _short(before[i:j]), _short(after[k:m])
            shown = (
                *before[max(0, i - _WORDS_AROUND) : i],
                old_words and f"[-{old_words}-]",
                new_words and f"[+{new_words}+]",
                *before[j : j + _WORDS_AROUND],
            )
            yield f"… {' '.join(filter(None, shown))} …"


def _plain(edition: Edition, text: str) -> str:
    """``text`` with the names of its slots: their tokens change with every other word."""
    names = {slot.token: f"‹{slot.field}›" for slot in edition.slots}
    if not names:
        return text
    return re.sub("|".join(map(re.escape, names)), lambda found: names[found.group()], text)


def _words(edition: Edition, text: str) -> list[str]:
    """The words of a text, without what only rules it off or marks a list."""
    words = _plain(edition, text).split()
    return [word for word in words if any(map(str.isalnum, word))]


def _short(words: list[str]) -> str:
    shown = " ".join(words[:_MOST_WORDS])
    return f"{shown} …" if len(words) > _MOST_WORDS else shown


def settings_changes(before: str, after: str) -> list[str]:
    """What differs between two letterheads: ``[sender] address: a@a.example, now b@b.example``."""
    old, new = json.loads(before), json.loads(after)
    return [
        f"{_setting(table, key)}: {_told(was)}, now {_told(now)}"
        for table in sorted(old.keys() | new.keys())
        for key, was, now in _pairs(old.get(table), new.get(table))
        if was != now
    ]


def _pairs(old: Any, new: Any) -> list[tuple[str, Any, Any]]:
    """The settings of a table, old and new; one without a table is its own."""
    if not isinstance(old, dict) and not isinstance(new, dict):
        return [("", old, new)]
    was, now = old or {}, new or {}
    return [(key, was.get(key), now.get(key)) for key in sorted(was.keys() | now.keys())]


def _setting(table: str, key: str) -> str:
    return f"[{table}] {key}".rstrip()


def _told(value: Any) -> str:
    return "nothing" if value is None else f"“{value}”"
