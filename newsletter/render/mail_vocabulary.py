"""What templates can use: values, functions and filters. No I/O.

docs/theme.md describes each of them for theme authors; a test holds the two
lists together.
"""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from functools import cached_property

from markupsafe import Markup

from newsletter.model import MergeField, Part, Story, direction, split_merge_fields
from newsletter.render import markdown
from newsletter.render.edition import CompileInput
from newsletter.render.filters import Filter
from newsletter.render.locales import date_in_words, language_name, long_date, script_of
from newsletter.render.mail_urls import MailUrls
from newsletter.render.plaintext import TextLayout
from newsletter.render.slots import TOKEN, SlotContext, SlotRegistry
from newsletter.render.template_values import Fonts, NotAllowed, OpenSlot, ThemeValues
from newsletter.render.urls import ascii_url
from newsletter.render.wrap import WIDTH, display_width, wrap
from newsletter.theme import Theme, Words

BUILT_IN_FIELDS = ("name", "email", "unsubscribe_url", "preferences_url")
"""The reader's fields that every list has."""


_BARE, _ISOLATED = Markup("{}"), Markup('<span dir="auto">{}</span>')
"""Text in the direction that its first letter has, without effect on what stands around it."""
_LONGEST_RULE = 24
_TAG_OR_TOKEN = re.compile(rf"<[^>]*>|{TOKEN.pattern}")


@dataclass(frozen=True)
class MailVocabulary:
    """All that the templates of one issue can use.

    The HTML and the text template get the same names, as far as they make
    sense there, with the meaning that is right for their part.
    """

    given: CompileInput
    registry: SlotRegistry

    @property
    def theme(self) -> Theme:
        """Where the templates are."""
        return self.given.theme

    @cached_property
    def words(self) -> Words:
        """The phrases of the issue's language."""
        return self.theme.words_for(self.given.issue.language)

    @cached_property
    def places(self) -> MailUrls:
        """Where pictures, documents and pages are."""
        return MailUrls(self.given)

    @cached_property
    def theme_values(self) -> ThemeValues:
        """What theme.toml says."""
        look = self.given.theme.settings
        return ThemeValues(
            look.name,
            look.colours,
            Fonts(
                # Letters, digits, commas, hyphens and single quotes: newsletter.theme.FontStack.
                Markup(look.type.body),  # noqa: S704
                Markup(look.type.display),  # noqa: S704
                look.type.size,
            ),
            self.places.logo(alt=look.logo.alt) if look.logo else None,
        )

    def names(self, context: SlotContext) -> dict[str, object]:
        """The values and functions of the MJML (``html``) or the ``text`` template."""
        issue, settings = self.given.issue, self.given.settings
        rtl = issue.direction == "rtl"
        organisation, home_lang = settings.organisation_in(issue.language)
        list_name, list_lang = settings.list_name_in(issue.language)
        url_context: SlotContext = "url" if context == "html" else "text"
        return {
            "issue": issue,
            "organisation": organisation,
            "list_name": list_name,
            "list_lang": list_lang,
            "sender": settings.sender_in(issue.language),
            "theme": self.theme_values,
            "w": self.words,
            "words_for": lambda story: self.theme.words_for(
                issue.language_of(story), otherwise=issue.language
            ),
            "lang": issue.language,
            "dir": issue.direction,
            "home_lang": home_lang,
            "own_lang": settings.language,
            "start": "right" if rtl else "left",
            "end": "left" if rtl else "right",
            "archive_url": settings.archive_url,
            "has_preferences": settings.public is not None,
            "page_url": self.places.page,
            "picture": lambda story, image=None: self.places.picture(image or story.opening),
            "story_url": self.places.story,
            "background_url": self.places.background,
            "download_url": lambda story, download=None: self.places.download(
                download or story.download
            ),
            "story_index": self._story_index,
            "slot": lambda field, fallback="": self._slot(field, fallback, context),
            "slot_url": lambda field: self._slot(field, "", url_context),
            "merge": lambda text, isolate=False: self.merge(text, context, isolate=isolate),
            "src": self._src,
        }

    def filters(self, context: SlotContext) -> dict[str, Filter]:
        """The filters of the MJML (``html``) or the ``text`` template."""
        common: dict[str, Filter] = {
            "url": _ascii_url,
            "date": self._date,
            "date_in_words": self._date_in_words,
            "language_name": self._language_name,
            "direction": direction,
            "script": script_of,
        }
        if context == "html":
            own: dict[str, Filter] = {"markdown": self._markdown}
        else:
            own = {
                "md_text": self._md_text,
                "wrap": self._wrap,
                "width": self._width,
                "underline": self._underline,
            }
        return {**common, **own}

    def merge(self, text: str, context: SlotContext, *, isolate: bool = False) -> str:
        """``text`` with its merge fields as tokens and, in HTML, all else escaped.

        Args:
            text: what the editor wrote.
            context: where it stands.
            isolate: whether a value keeps its own direction within HTML. Without it a name
                from right to left would draw a number behind it to its left.
        """
        pieces = split_merge_fields(text)
        if context != "html":
            return "".join(
                self.registry.open(p.field, context=context, fallback=p.fallback)
                if isinstance(p, MergeField)
                else p
                for p in pieces
            )
        frame = _ISOLATED if isolate else _BARE
        return Markup("").join(
            frame.format(self.registry.open(p.field, context=context, fallback=p.fallback))
            if isinstance(p, MergeField)
            else p
            for p in pieces
        )

    def parse(self, text: str, language: str | None = None) -> markdown.Parsed:
        """The tokens of a Markdown text; parsed once for HTML and text.

        Args:
            text: what the editor wrote.
            language: what it is in, if not in the issue's language.
        """
        language = language or self.given.issue.language
        if (text, language) not in self._parsed:
            drafted = "".join(
                self.registry.draft(p.field, fallback=p.fallback)
                if isinstance(p, MergeField)
                else p
                for p in split_merge_fields(text)
            )
            self._parsed[text, language] = markdown.parse(drafted, language=language)
        return self._parsed[text, language]

    @cached_property
    def _parsed(self) -> dict[tuple[str, str], markdown.Parsed]:
        return {}

    def _slot(self, field: str, fallback: str, context: SlotContext) -> OpenSlot:
        known = (*BUILT_IN_FIELDS, *self.given.settings.audience.fields)
        if field not in known:
            raise NotAllowed(f"Readers have no field “{field}”.", f"They have: {', '.join(known)}.")
        if not isinstance(fallback, str):
            raise NotAllowed("A slot's fallback is no text.", "Write a text, in quotation marks.")
        return OpenSlot(self.registry, field, context=context, fallback=fallback)

    def _markdown(
        self, text: str, heading: int = markdown.FIRST_HEADING, language: str | None = None
    ) -> str:
        rendered = markdown.to_html(self.parse(text, language), heading=heading)
        rendered = _TAG_OR_TOKEN.sub(_isolated, rendered)
        return Markup(self.registry.settle(rendered, context="html"))  # noqa: S704 - raw HTML was escaped by the parser

    def _md_text(
        self,
        text: str,
        width: int = WIDTH,
        opening: str = "",
        closing: str = "",
        language: str | None = None,
    ) -> str:
        rtl = direction(language or self.given.issue.language) == "rtl"
        layout = TextLayout(width, self._width, rtl=rtl, opening=opening, closing=closing)
        tokens = self.parse(text, language)
        return self.registry.settle(markdown.to_text(tokens, layout), context="text")

    def _wrap(self, text: str, width: int = WIDTH, first: str = "", rest: str = "") -> str:
        return "\n".join(
            wrap(
                line,
                width=width,
                first=first if not number else rest,
                rest=rest,
                measure=self._width,
            )
            for number, line in enumerate(str(text).split("\n"))
        )

    def _width(self, text: str) -> int:
        return display_width(self.registry.as_fallbacks(text))

    def _underline(self, text: str, character: str = "-") -> str:
        widest = max(self._width(line) for line in text.split("\n"))
        # No longer than a phone is wide, where a longer rule would break into two.
        return f"{text}\n{character * min(widest, _LONGEST_RULE)}"

    def _date(self, date: dt.date, pattern: str = "long", language: str | None = None) -> str:
        return long_date(date, language or self.given.issue.language, pattern)

    def _date_in_words(self, typed: str, language: str | None = None) -> str:
        return date_in_words(typed, language or self.given.issue.language)

    def _language_name(self, tag: str, language: str | None = None) -> str:
        return language_name(tag, language or self.given.issue.language)

    def _story_index(self, story: Part) -> int:
        stories = self.given.issue.stories
        if isinstance(story, Story) and story not in stories:
            return -1  # an introduction or the closing
        return stories.index(story)  # else the error names the template

    def _src(self, *path: str | int) -> str:
        """A comment that tells errors which part of the issue made what follows."""
        if not all(isinstance(part, str | int) for part in path):
            raise NotAllowed(
                "A place in the issue is no text or number.", "Write src('stories', 0)."
            )
        return Markup("<!-- src:{} -->").format(".".join(map(str, path)))


def _isolated(found: re.Match[str]) -> str:
    """A tag as it is, a token of a slot in an element of its own."""
    return found.group() if found.group()[0] == "<" else _ISOLATED.format(found.group())


def _ascii_url(url: object) -> str:
    return ascii_url(str(url))
