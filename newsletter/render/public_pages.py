"""The public pages in every language of the theme: leaving, signing up, choosing. No I/O, no clock.

A page is compiled once. What differs from visit to visit stays open as a slot,
which :meth:`PublicPages.page` fills in, escaped for HTML. So a public server
needs neither the theme nor the settings, only what is compiled here.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from html import escape
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from newsletter.config import Settings
from newsletter.model import direction
from newsletter.render.edition import SlotContext
from newsletter.render.filters import Filter
from newsletter.render.locales import language_name
from newsletter.render.template import render_template
from newsletter.render.urls import ascii_url
from newsletter.render.web_vocabulary import SheetVocabulary
from newsletter.theme import Theme, Words

if TYPE_CHECKING:
    from newsletter.render.template_values import Value

PAGE = "web/public.html.j2"
SHEET = "web/public.css"
PAGES = (
    "leave", "sure", "left", "undone", "too_late", "thanks", "proof", "broken", "unavailable",
)  # fmt: skip
"""The pages by name; their heading is the phrase ``page_`` and the name."""
# Private use: no text of a theme or of settings that a person reads holds them.
_OPEN, _CLOSE = "\ue000", "\ue001"
_SLOT = re.compile(f"{_OPEN}([a-z_]+){_CLOSE}")


@dataclass(frozen=True)
class PublicPages:
    """All pages, compiled.

    Attributes:
        style: the style sheet that stands in each of them.
        pages: language → name of the page → HTML with open slots.
    """

    style: str
    pages: Mapping[str, Mapping[str, str]]

    @property
    def languages(self) -> tuple[str, ...]:
        """The languages of the pages; the first is taken where a reader's own is not known."""
        return tuple(self.pages)

    @cached_property
    def style_hash(self) -> str:
        """What a Content-Security-Policy allows the style sheet by (CSP 3, 8.3)."""
        digest = hashlib.sha256(self.style.encode()).digest()
        return f"sha256-{base64.b64encode(digest).decode()}"

    def page(self, name: str, language: str, values: Mapping[str, str]) -> str:
        """A page with its slots filled in; a slot without a value becomes empty."""
        return _SLOT.sub(lambda slot: escape(values.get(slot[1], "")), self.pages[language][name])

    def to_json(self) -> str:
        """All of it as text, for the bundle of a public server."""
        return json.dumps({"style": self.style, "pages": self.pages}, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> PublicPages:
        """What :meth:`to_json` wrote.

        Raises:
            ValueError: it is something else.
        """
        data = json.loads(text)
        match data:
            case {"style": str(style), "pages": dict(pages)} if pages and all(
                set(PAGES) <= set(each) for each in pages.values()
            ):
                return cls(style, pages)
        raise ValueError("these are no public pages")


def compile_pages(theme: Theme, settings: Settings) -> PublicPages:
    """Compile the public pages in each language that the theme speaks, the settings' first.

    Raises:
        TemplateError: something in the theme is wrong.
    """
    own = [tag for tag in theme.words if tag == settings.language]
    tags = own + sorted(tag for tag in theme.words if tag != settings.language)
    names = [(tag, language_name(tag, tag)) for tag in tags]
    style = _without_end(render_template(SHEET, SheetVocabulary(theme), context="text"))
    return PublicPages(
        style,
        {
            tag: {
                page: render_template(
                    PAGE, _Vocabulary(theme, settings, tag, page, style, names), context="html"
                )
                for page in PAGES
            }
            for tag in tags
        },
    )


def _without_end(style: str) -> str:
    """A style sheet that cannot end its element."""
    return style.replace("</", "<\\/")


@dataclass(frozen=True)
class _Vocabulary:
    """What the template of the public pages can use."""

    theme: Theme
    settings: Settings
    language: str
    page: str
    style: str
    languages: Sequence[tuple[str, str]]

    @cached_property
    def words(self) -> Words:
        return self.theme.words_for(self.language)

    def names(self, context: SlotContext) -> Mapping[str, object]:
        """Values and functions."""
        del context
        organisation, home_lang = self.settings.organisation_in(self.language)
        return {
            "page": self.page,
            "organisation": organisation,
            "home_lang": home_lang,
            "list_name": self.settings.list.name,
            "w": self.words,
            "lang": self.language,
            "dir": direction(self.language),
            "languages": self.languages,
            "style": Markup(self.style),  # noqa: S704 - it cannot end its element
            "slot": lambda name: f"{_OPEN}{name}{_CLOSE}",
        }

    def filters(self, context: SlotContext) -> Mapping[str, Filter]:
        """Filters, besides Jinja's own."""
        del context
        return {"url": lambda address: ascii_url(str(address)), "direction": direction}
