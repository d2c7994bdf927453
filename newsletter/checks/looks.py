"""Looks: does the theme know them?"""

from __future__ import annotations

import re
from collections.abc import Iterator

from newsletter.checks.check_input import CheckInput
from newsletter.checks.finding import Flaw, Severity, check
from newsletter.phrases import did_you_mean

PLAIN = "plain"
"""What a story says that does not take its section's look."""
_LOOK = re.compile(r"partials/looks/(.+)\.mjml\.j2")


@check("look-unknown", why="Readers get the story in its plain form.")
def look_unknown(given: CheckInput) -> Iterator[Flaw]:
    """A look for which the theme has no partial."""
    known = [found[1] for name in given.theme.files if (found := _LOOK.fullmatch(name))]
    for value in given.issue.parts():
        if value.path[-1] == "look" and value.text not in [PLAIN, *known]:
            yield Flaw(
                Severity.NOTE,
                f"The theme “{given.theme.settings.name}” has no look “{value.text}”.",
                did_you_mean(value.text, known),
                given.at(*value.path),
            )
