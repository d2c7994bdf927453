"""What a mail tells whom, as facts: hosts, links and what differs from reader to reader. No I/O."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from newsletter.checks.check_input import PREFERENCES, UNSUBSCRIBE, CheckInput
from newsletter.checks.contacts import link_host
from newsletter.model import MergeField, split_merge_fields

_WRITTEN_IN = ("subject", "preheader", "greeting", "introduction")
"""Where an issue may hold merge fields."""
_NAMES = {
    "name": "the name",
    "email": "the address",
    UNSUBSCRIBE: "the unsubscribe link",
    PREFERENCES: "the link to preferences",
}


@dataclass(frozen=True, slots=True)
class Opening:
    """A host that is contacted when the mail is opened, and how many things it is asked for."""

    host: str
    pictures: int
    others: int


@dataclass(frozen=True, slots=True)
class OpenPlace:
    """A field that differs from reader to reader.

    Attributes:
        field: its name, such as ``name``.
        parts: where readers meet it: ``subject``, ``html``, ``text``.
        written_in: where the issue holds it, such as ``greeting``; empty if only the theme does.
    """

    field: str
    parts: tuple[str, ...]
    written_in: tuple[str, ...]


@dataclass(frozen=True)
class PrivacyReport:
    """What one edition tells whom.

    Attributes:
        language: of the edition.
        opening: hosts that are contacted on opening; none if all pictures travel inside.
        inside: how many pictures travel inside the mail.
        links: sites that are contacted on a click, with the number of links to each.
        differs: what is not the same for all readers; everything else is.
    """

    language: str
    opening: tuple[Opening, ...]
    inside: int
    links: Mapping[str, int]
    differs: tuple[OpenPlace, ...]

    def as_data(self) -> dict[str, Any]:
        """The report as plain values, for JSON."""
        return {
            "language": self.language,
            "opening": [
                {"host": each.host, "pictures": each.pictures, "others": each.others}
                for each in self.opening
            ],
            "pictures_inside": self.inside,
            "links": [{"host": host, "links": number} for host, number in self.links.items()],
            "differs": [
                {
                    "field": each.field,
                    "parts": list(each.parts),
                    "written_in": list(each.written_in),
                }
                for each in self.differs
            ],
        }


def privacy_report(given: CheckInput) -> PrivacyReport:
    """What the edition tells whom."""
    links = given.own_links
    own = {slot.token: links[slot.field] for slot in given.edition.slots if slot.field in links}
    hosts = (link_host(own.get(url.strip(), url)) for url in given.contacts.links)
    counted = Counter(host for host in hosts if host)
    sources = {e.get("src") or "" for e in given.contacts.elements if e.tag == "img"}
    return PrivacyReport(
        language=given.edition.language,
        opening=_opening(given),
        inside=sum(source.startswith("cid:") for source in sources),
        links=dict(sorted(counted.items())),
        differs=_differs(given),
    )


def _opening(given: CheckInput) -> tuple[Opening, ...]:
    """Each host once; an address that is loaded in two ways is fetched once."""
    pictures: dict[tuple[str, str], bool] = {}
    for load in given.contacts.loads:
        key = (load.host, load.address)
        pictures[key] = pictures.get(key, False) or load.is_picture
    counted: dict[str, Counter[bool]] = {}
    for (host, _), is_picture in pictures.items():
        counted.setdefault(host, Counter())[is_picture] += 1
    return tuple(Opening(host, each[True], each[False]) for host, each in sorted(counted.items()))


def _differs(given: CheckInput) -> tuple[OpenPlace, ...]:
    edition, issue = given.edition, given.issue
    parts = {"subject": edition.subject, "html": edition.html, "text": edition.text}
    written = {key: getattr(issue, key) or "" for key in _WRITTEN_IN}
    found = []
    for field in dict.fromkeys(slot.field for slot in edition.slots):
        tokens = [slot.token for slot in edition.slots if slot.field == field]
        there = [name for name, text in parts.items() if any(token in text for token in tokens)]
        keys = [key for key, text in written.items() if field in _fields_in(text)]
        found.append(OpenPlace(field, tuple(there), tuple(keys)))
    return tuple(found)


def _fields_in(text: str) -> set[str]:
    return {piece.field for piece in split_merge_fields(text) if isinstance(piece, MergeField)}


def in_words(reports: Sequence[PrivacyReport]) -> list[str]:
    """The reports as sentences; where languages differ, each sentence names its own."""
    lines = []
    for say in (_opening_in_words, _links_in_words, _differs_in_words):
        said: dict[str, list[str]] = {}
        for report in reports:
            said.setdefault(say(report), []).append(report.language)
        for sentence, languages in said.items():
            lines.append(sentence if len(said) == 1 else f"{', '.join(languages)}: {sentence}")
    return lines


def _opening_in_words(report: PrivacyReport) -> str:
    if report.opening:
        hosts = _joined([f"{each.host} ({_things(each)})" for each in report.opening])
        return f"Opening the mail contacts {hosts}, and nobody else."
    why = "; its pictures travel inside it" if report.inside else ""
    return f"Opening the mail contacts nobody{why}."


def _things(opening: Opening) -> str:
    kinds = ((opening.pictures, "picture"), (opening.others, "other thing"))
    return _joined([f"{number} {name}{'s' * (number > 1)}" for number, name in kinds if number])


def _links_in_words(report: PrivacyReport) -> str:
    if not report.links:
        return "No link leads to a site."
    number = len(report.links)
    sites = "one site" if number == 1 else f"one of {number} sites"
    return f"A click on a link leads to {sites}: {', '.join(report.links)}."


def _differs_in_words(report: PrivacyReport) -> str:
    if not report.differs:
        return "Apart from its address lines, the mail is the same for all readers."
    names = [
        _NAMES.get(each.field, f"“{each.field}” of the list")
        + (f" (in the {_joined(each.written_in)})" if each.written_in else "")
        for each in report.differs
    ]
    return (
        "Apart from its address lines, the mail differs from reader to reader only in "
        f"{_joined(names)}."
    )


def _joined(words: Sequence[str]) -> str:
    return " and ".join(part for part in (", ".join(words[:-1]), *words[-1:]) if part)
