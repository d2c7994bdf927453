"""What the checks look at: an edition, what it was made from, and both read once. No I/O."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from newsletter.checks.contacts import Contacts
from newsletter.checks.finding import Location
from newsletter.config import FILE_NAME
from newsletter.errors import Where
from newsletter.material import PreparedPicture
from newsletter.model import Issue, Picture
from newsletter.render.edition import CompileInput, Edition
from newsletter.render.mail_urls import MailUrls
from newsletter.render.slots import TOKEN, Slot, bind
from newsletter.source import Path_

if TYPE_CHECKING:
    from lxml.html import HtmlElement

UNSUBSCRIBE = "unsubscribe_url"
"""The field of the slot that holds a reader's own unsubscribe link."""
PREFERENCES = "preferences_url"
"""The field of the slot that holds a reader's own link to change what they get."""
_LONG_VALUE = "m" * 60
"""Stands for a reader's value: longer than nearly all names."""
_LONG_TOKEN = "m" * 64
"""Stands for the token of an unsubscribe link, which has 60 letters."""


@dataclass(frozen=True)
class CheckInput(CompileInput):
    """All that a check may look at: an edition, and what it was made from.

    Attributes:
        edition: what was made.
        original: what the issue is a translation of.
    """

    edition: Edition
    original: Issue | None = None

    @classmethod
    def of(cls, given: CompileInput, edition: Edition, original: Issue | None) -> CheckInput:
        """For an edition that was made from ``given``."""
        return cls(
            given.issue,
            given.source,
            given.theme,
            given.settings,
            given.material,
            edition,
            original,
        )

    @cached_property
    def places(self) -> MailUrls:
        """Where pictures, documents and pages are."""
        return MailUrls(self)

    @cached_property
    def pictures(self) -> Sequence[tuple[Path_, Picture, PreparedPicture]]:
        """Each picture of the issue: its place, what the issue says of it, and as it is shown."""
        return [
            (path, picture, made)
            for path, picture in self.issue.pictures()
            if (made := self.material.pictures.get(path))
        ]

    @cached_property
    def page(self) -> HtmlElement:
        """The edition's HTML, slots open, as lxml reads it."""
        from lxml import html

        # lxml refuses an empty document; an empty page has every fault instead.
        return html.document_fromstring(self.edition.html.strip() or "<html></html>")

    @cached_property
    def visible(self) -> str:
        """What a reader sees of the HTML, one line a block."""
        from newsletter.checks.page import visible_text

        return visible_text(self.page)

    @cached_property
    def contacts(self) -> Contacts:
        """The addresses of the HTML, by what a mail program does with them."""
        return Contacts(self.page)

    @cached_property
    def largest_html(self) -> str:
        """The HTML with values in its slots as long as the longest readers' may be."""
        return self._filled(self.edition.html)

    @cached_property
    def largest_text(self) -> str:
        """The text part with such values."""
        return self._filled(self.edition.text)

    def _filled(self, part: str) -> str:
        links = {f: url.replace("{token}", _LONG_TOKEN) for f, url in self.own_links.items()}
        values = {slot.field: _LONG_VALUE for slot in self.edition.slots} | links
        slots = {slot.token: slot for slot in self.edition.slots}
        stray = {token: Slot(token, "", "text") for token in TOKEN.findall(part)}
        return bind(part, stray | slots, values | {"": ""})

    @cached_property
    def own_links(self) -> dict[str, str]:
        """The fields that hold links of the reader's own, and where these lead."""
        links = self.settings.links(self.edition.language)
        return {UNSUBSCRIBE: links.page, PREFERENCES: links.preferences}

    @cached_property
    def _values(self) -> tuple[tuple[str, Path_], ...]:
        return tuple(_strings(self.issue.model_dump(mode="json"), ()))

    @cached_property
    def written(self) -> str:
        """All that the editor wrote, one value a line."""
        return "\n".join(value for value, _ in self._values)

    def at(self, *path: str | int) -> Location:
        """The place of a value of the issue."""
        item = self.issue.item(path) or str(path[0])
        return Location(self.source.where(*path, item=item), self.issue.story_at(path))

    def place_of(self, text: str) -> Location:
        """Where ``text`` was written: in the issue, else in the settings, else in the theme."""
        for same in (str.__eq__, str.__contains__):
            for value, path in self._values:
                if text and same(value, text):
                    return self.at(*path)
        for value, _ in _strings(self.settings.model_dump(mode="json"), ()):
            if text and text in value:
                return Location(Where(FILE_NAME))
        return self.theme_place

    @property
    def theme_place(self) -> Location:
        """The theme, for what no editor wrote."""
        return Location(Where(Path(self.settings.theme.folder)))


def _strings(data: object, path: Path_) -> Iterator[tuple[str, Path_]]:
    if isinstance(data, str):
        yield data, path
    elif isinstance(data, dict):
        for key, value in data.items():
            yield from _strings(value, (*path, key))
    elif isinstance(data, list):
        for index, value in enumerate(data):
            yield from _strings(value, (*path, index))
