"""What the templates of web pages can use: values, functions and filters. No I/O.

There are no slots here, so nothing that belongs to one reader can get onto a
page: a merge field shows its fallback. docs/theme.md describes each name.
"""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from markupsafe import Markup

from newsletter.archive_layout import background_anchor, feed_path, index_path, page_path
from newsletter.config import Archive, Settings
from newsletter.model import MergeField, direction, split_merge_fields
from newsletter.render import markdown
from newsletter.render.filters import Filter
from newsletter.render.locales import (
    date_in_words,
    language_name,
    long_date,
    open_graph_locale,
    script_of,
)
from newsletter.render.slots import SlotContext
from newsletter.render.template_values import IndexEntry, RunningHead
from newsletter.render.urls import ascii_url
from newsletter.render.web_urls import WebIssue, WebUrls
from newsletter.theme import Theme, Words

_MARKDOWN_MARK = re.compile(r"([!-/:-@\[-`{-~])")


@dataclass(frozen=True)
class SheetVocabulary:
    """What a style sheet or script can use: the theme's values."""

    theme: Theme

    def names(self, context: SlotContext) -> Mapping[str, object]:
        """The values of theme.toml."""
        del context
        return {"theme": self.theme.settings}

    def filters(self, context: SlotContext) -> Mapping[str, Filter]:
        """None."""
        del context
        return {}


@dataclass(frozen=True)
class WebVocabulary:
    """What every page can use.

    Attributes:
        language: the page's own.
        assets: where style sheet, script and icon are, by their names in the theme.
        feeds: the languages that have a feed.
    """

    theme: Theme
    settings: Settings
    archive: Archive
    language: str
    assets: Mapping[str, str]
    feeds: Sequence[str]

    @cached_property
    def words(self) -> Words:
        """The phrases of the page's language."""
        return self.theme.words_for(self.language)

    def names(self, context: SlotContext) -> Mapping[str, object]:
        """Values and functions."""
        del context
        organisation, home_lang = self.settings.organisation_in(self.language)
        list_name, list_lang = self.settings.list_name_in(self.language)
        return {
            "organisation": organisation,
            "list_name": list_name,
            "list_lang": list_lang,
            "home_lang": home_lang,
            "own_lang": self.settings.language,
            "theme": self.theme.settings,
            "w": self.words,
            "lang": self.language,
            "dir": direction(self.language),
            "assets": self.assets,
            "index": index_path(self.language, self.settings.language),
            "noindex": self.archive.noindex,
            "feeds": [(tag, feed_path(tag)) for tag in self.feeds],
            "absolute": lambda path: ascii_url(self.archive.url) + path,
            "page_of": lambda issue: page_path(issue.id, issue.language),
            "with_fallbacks": with_fallbacks,
            "locale": open_graph_locale,
        }

    def filters(self, context: SlotContext) -> Mapping[str, Filter]:
        """Filters, besides Jinja's own."""
        del context
        return {
            "url": lambda address: ascii_url(str(address)),
            "date": self._date,
            "date_in_words": self._date_in_words,
            "direction": direction,
            "script": script_of,
            "language_name": lambda tag, language="": language_name(tag, language or self.language),
        }

    def _date_in_words(self, typed: str, language: str = "") -> str:
        return date_in_words(typed, language or self.language)

    def _date(self, date: dt.date, pattern: str = "long", language: str = "") -> str:
        return long_date(date, language or self.language, pattern)


@dataclass(frozen=True)
class PageVocabulary(WebVocabulary):
    """What the page of an issue can use, besides."""

    web: WebIssue
    languages: Sequence[str]
    """All languages of the issue, this one among them."""
    has_pdf: bool

    def names(self, context: SlotContext) -> Mapping[str, object]:
        """Values and functions."""
        issue, places = self.web.issue, WebUrls(self.web, self.archive)
        look = self.theme.settings
        return {
            **super().names(context),
            "issue": issue,
            "languages": [(tag, page_path(issue.id, tag)) for tag in self.languages],
            "canonical": issue.web_url or places.absolute(page_path(issue.id, issue.language)),
            "pdf": self.web.pdf if self.has_pdf else None,
            "logo": places.logo(alt=look.logo.alt) if look.logo else None,
            "picture": lambda story, image=None: places.picture(image or story.opening),
            "first_picture": places.first_picture(),
            "download_url": lambda story, download=None: places.download(
                download or story.download
            ),
            "background_anchor": lambda story: background_anchor(story.id),
            "words_for": lambda story: self.theme.words_for(
                issue.language_of(story), otherwise=self.language
            ),
            "running_head": running_head(
                f"{self.settings.list_name_in(self.language)[0]} · {issue.title}"
            ),
        }

    def filters(self, context: SlotContext) -> Mapping[str, Filter]:
        """Filters, besides Jinja's own."""
        return {**super().filters(context), "markdown": self._markdown}

    def _markdown(self, text: str, heading: int = 4, language: str = "") -> str:
        """A text as HTML; ``language`` is its own, if it differs from the page's."""
        tokens = markdown.parse(with_fallbacks(text, escaped=True),
                                language=language or self.language)  # fmt: skip
        page = markdown.to_page(tokens, heading=heading)
        # Words stay whole on a phone; a reader without a mouse gets there by the Tab key.
        page = page.replace("<table>", '<div class="wide" tabindex="0"><table>')
        return Markup(page.replace("</table>", "</table></div>"))  # noqa: S704 - raw HTML was escaped by the parser


@dataclass(frozen=True)
class IndexVocabulary(WebVocabulary):
    """What the index can use, besides."""

    languages: Sequence[str]
    """All that have an index, this one among them."""
    entries: Sequence[IndexEntry]

    def names(self, context: SlotContext) -> Mapping[str, object]:
        """Values and functions."""
        home = self.settings.language
        return {
            **super().names(context),
            "languages": [(tag, index_path(tag, home)) for tag in self.languages],
            "entries": self.entries,
        }


def with_fallbacks(text: str, *, escaped: bool = False) -> str:
    """``text`` as somebody reads it of whom nothing is known.

    Args:
        text: what the editor wrote.
        escaped: whether the text is Markdown, in which a fallback must mean nothing.
    """
    return "".join(
        (_MARKDOWN_MARK.sub(r"\\\1", piece.fallback) if escaped else piece.fallback)
        if isinstance(piece, MergeField)
        else piece
        for piece in split_merge_fields(text)
    )


def running_head(line: str) -> RunningHead:
    """A page's own style sheet of one rule, allowed by its hash (CSP 3, 8.3)."""
    quoted = "".join(_css(char) for char in line)
    style = f'@page{{@top-center{{content:"{quoted}"}}}}@page :first{{@top-center{{content:""}}}}'
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return RunningHead(Markup(style), f"sha256-{digest}")  # noqa: S704 - each odd character is a CSS escape


def _css(char: str) -> str:
    """A character within a CSS string, so that it ends neither the string nor the element."""
    return f"\\{ord(char):x} " if char in '"\\<>&\n\r\f' or ord(char) < ord(" ") else char
