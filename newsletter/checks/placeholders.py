"""What was meant to be replaced and was not."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from newsletter.checks.check_input import CheckInput
from newsletter.checks.finding import Flaw, Severity, check
from newsletter.render.slots import TOKEN

_FIELD = re.compile(
    r"\{\{(?:(?!\{\{).)*?\}\}|\{%(?:(?!\{%).)*?%\}"
    r"|%%\w[\w .:-]*%%|\*\|\w[\w .:|-]*\|\*|\[\[\w[\w .:-]*\]\]|\$\{\w+\}"
)
_LOREM = re.compile(r"\blorem ipsum\b", re.IGNORECASE)
_TODO = re.compile(
    r"\b(?:FIXME|XXX+|TBD|TODO:|TODO\b(?=\s*(?:$|[.,;)\]])))"
    # How the starter issue asks for words.
    r"|\bReplace this (?:line by|by|headline)\b"
)
_MISSING_WORDS = r"(None|nan|NaN|undefined|\[object Object\])"
_MISSING = re.compile(rf"(?:^|[\s:(“\"]){_MISSING_WORDS}(?=[\s,.!?;:)”\"]|$)")
_MISSING_WORD = re.compile(rf"(?<!\w){_MISSING_WORDS}(?!\w)")


def _parts(given: CheckInput) -> dict[str, str]:
    """What the reader sees, by the name of the part."""
    edition = given.edition
    return {
        "subject": edition.subject,
        "preheader": edition.preheader,
        "mail": given.visible,
        "text part": edition.text,
    }


def _found(pattern: re.Pattern[str], parts: Mapping[str, str]) -> dict[str, list[str]]:
    """What the pattern finds, each once, with the names of the parts it stands in."""
    found: dict[str, list[str]] = {}
    for part, text in parts.items():
        for each in dict.fromkeys(pattern.findall(text)):
            found.setdefault(each, []).append(part)
    return found


def _flaw(
    given: CheckInput, severity: Severity, found: str, parts: Sequence[str], mend: str
) -> Flaw:
    where = " and the ".join(parts)
    return Flaw(severity, f"“{found}” stands in the {where}.", mend, given.place_of(found))


@check("placeholder-field", why="Readers would see the placeholder instead of a value.")
def placeholder_field(given: CheckInput) -> Iterator[Flaw]:
    """A field of this tool or of another one: {{ x }}, {% x %}, %%x%%, *|x|*, [[x]], ${x}."""
    parts = {**_parts(given), "HTML": _attributes(given)}
    for found, names in _found(_FIELD, parts).items():
        yield _flaw(
            given,
            Severity.ERROR,
            found,
            names,
            "Write a merge field that this newsletter knows, e.g. {{ name | friend }}, "
            "where one is allowed, or plain words.",
        )


def _attributes(given: CheckInput) -> str:
    """Addresses and descriptions, where a left-over field hides from the eye."""
    names = ("href", "src", "alt", "title", "aria-label")
    values = (e.get(name) for e in given.page.iter() for name in names)
    return "\n".join(value for value in values if value)


@check("placeholder-text", why="Filler text must be replaced before the issue is sent.")
def placeholder_text(given: CheckInput) -> Iterator[Flaw]:
    """Lorem ipsum, FIXME, XXX, TBD, TODO, or the starter issue's own words."""
    for severity, pattern in ((Severity.ERROR, _LOREM), (Severity.WARNING, _TODO)):
        for found, names in _found(pattern, _parts(given)).items():
            yield _flaw(given, severity, found, names, "Write the text, or remove the placeholder.")


@check("value-missing", why="Programs print such a word when a value is missing.")
def value_missing(given: CheckInput) -> Iterator[Flaw]:
    """None, nan or undefined, unless the editor wrote that word."""
    written = set(_MISSING_WORD.findall(given.written))
    for part, text in _parts(given).items():
        for line in text.splitlines():
            for found in _MISSING.findall(line):
                if found not in written:
                    yield Flaw(
                        Severity.ERROR,
                        f"The {part} says “{found}”, near “{line.strip()[:60]}”.",
                        "Change the theme to leave the line out if the story has no such value.",
                        given.theme_place,
                    )


@check("slot-unknown", why="Readers would see meaningless characters, or get no mail.")
def slot_unknown(given: CheckInput) -> Iterator[Flaw]:
    """A token without its slot, or a slot for which no reader has a value."""
    edition = given.edition
    known = {slot.token for slot in edition.slots}
    everything = (edition.subject, edition.preheader, edition.html, edition.text)
    for token in sorted(set(TOKEN.findall("\n".join(everything))) - known):
        yield Flaw(
            Severity.ERROR,
            f"The mark {token} is in the mail and belongs to no field.",
            "Remove it from the text or the theme.",
            given.place_of(token),
        )
    columns = {"name", "email", *given.own_links, *given.settings.audience.fields}
    for field in sorted({slot.field for slot in edition.slots} - columns):
        yield Flaw(
            Severity.ERROR,
            f"The mail uses the field “{field}”, which readers do not have.",
            "Add it to fields under [audience] in newsletter.toml and to the list, or remove it.",
            given.place_of(field),
        )
