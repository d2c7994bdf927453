"""Characters that nobody sees and that do harm."""

from __future__ import annotations

import re
from collections.abc import Iterator

from newsletter.checks.check_input import CheckInput
from newsletter.checks.finding import Flaw, Severity, check

_C1 = re.compile(r"[\x80-\x9f]")


@check(
    "control-characters",
    why="Gmail cuts a mail off at such a character, however short the mail is.",
)
def control_characters(given: CheckInput) -> Iterator[Flaw]:
    """No U+0080 to U+009F, the trace of a text read in the wrong encoding."""
    edition = given.edition
    for part, text in (
        ("subject", edition.subject),
        ("preheader", edition.preheader),
        ("HTML", edition.html),
        ("text part", edition.text),
    ):
        found = _C1.search(text)
        if found is None:
            continue
        place = given.place_of(found.group())
        around = _C1.sub("?", text[max(found.start() - 20, 0) : found.end() + 20])
        yield Flaw(
            Severity.ERROR,
            f"The {part} holds the invisible character U+{ord(found.group()):04X} "
            f"near “{' '.join(around.split())}”.",
            "Delete the character and type what belongs there, often a quotation mark.",
            place,
        )
