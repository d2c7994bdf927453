"""The mails of an issue in all its languages, as a reader of each gets them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from newsletter.material import Material
from newsletter.project import Project
from newsletter.project.compile import compile_issue
from newsletter.render.edition import Edition
from newsletter.render.slots import bind

UNSUBSCRIBE = "https://news.example.org/u/AQAB5JXpoMzEItv6Ssbn4Mr-mpLd28VhwAmmr1R-phW5rjxNOak-"


@dataclass(frozen=True)
class Mail:
    """The HTML part in one language, and the pictures that it shows, by their names."""

    language: str
    html: str
    pictures: Mapping[str, bytes]


def mails(project: Project, issue: str) -> list[Mail]:
    """The mail in each language, for the list's first reader of that language."""
    names: dict[str, str] = {}
    for reader in project.roster().subscribers:
        names.setdefault(reader.language or project.settings.language, reader.name)
    return [
        mail_of(one.edition, one.given.material, name=names.get(language, ""))
        for language, one in compile_issue(project, issue).languages.items()
    ]


def mail_of(edition: Edition, material: Material, *, name: str) -> Mail:
    """The mail that a reader of that name gets; their other fields are empty."""
    slots = {slot.token: slot for slot in edition.slots}
    values = dict.fromkeys((slot.field for slot in edition.slots), "")
    html = bind(edition.html, slots, {**values, "name": name, "unsubscribe_url": UNSUBSCRIBE})
    # No browser knows what travels inside a mail.
    html = re.sub(r'"cid:([^"@]+)@[^"]*"', r'"https://inside.example/\1"', html)
    return Mail(edition.language, html, {each.name: each.content for each in material.shown})
