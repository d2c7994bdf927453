"""The public pages in each language of the theme: leaving, signing up, choosing. No I/O, no clock.

A page is compiled once, when it is first asked for. What differs from visit to
visit stays open as a slot, which :meth:`PublicPages.page` fills in, escaped for HTML.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from html import escape

from markupsafe import Markup

from newsletter.config import Organisation, Privacy
from newsletter.config.identity import spoken
from newsletter.model import direction
from newsletter.render.filters import Filter
from newsletter.render.locales import duration, language_name, script_of
from newsletter.render.slots import SlotContext
from newsletter.render.template import render_template
from newsletter.render.urls import ascii_url
from newsletter.render.web_vocabulary import SheetVocabulary
from newsletter.render.wrap import wrap
from newsletter.theme import Theme, Words

PAGE = "web/public.html.j2"
SHEET = "web/public.css"
NOTICE_HTML, NOTICE_TEXT = "web/notice.html.j2", "web/notice.txt.j2"
PAGES = (
    "leave", "sure", "left", "left_before", "left_again", "undone", "too_late", "thanks", "proof",
    "broken", "unavailable",
    "join", "asked", "confirm", "confirmed", "returned", "expired", "closed",
    "choose", "choose_wrong", "saved", "unchanged", "stale", "privacy",
)  # fmt: skip
"""The pages by name; the heading of each is the phrase ``page_`` and its name, but for
``choose_wrong``, which is ``choose`` with an error, and for whoever comes back after leaving
``left_before``, which is ``left`` without undo, and ``left_again``, with a box to tick for it."""
# Private use: no text that a person reads holds them.
_OPEN, _CLOSE = "\ue000", "\ue001"
_SLOT = re.compile(f"{_OPEN}([a-z0-9_-]+){_CLOSE}")
_LINK = f"{_OPEN}link{_CLOSE}"


def words_digest(words: str) -> str:
    """Names words in the record of a consent: 32 hexadecimal digits of SHA-256."""
    return hashlib.sha256(words.encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class NoticeText:
    """What a mail beside the newsletter says, in one language, its link open.

    Attributes:
        subject: one line.
        text: the text part.
        html: the HTML part.
    """

    subject: str
    text: str
    html: str

    @property
    def digest(self) -> str:
        """What proves later which mail it was, see :func:`words_digest`."""
        return words_digest(f"{self.subject}\0{self.text}\0{self.html}")

    def with_link(self, url: str) -> NoticeText:
        """The same with its link filled in."""
        return NoticeText(
            self.subject, self.text.replace(_LINK, url), self.html.replace(_LINK, escape(url))
        )


class PublicPages:
    """The pages of one list.

    Args:
        theme: its template, style sheet and phrases.
        list_name: the newsletter's name.
        list_translations: the same in other languages.
        organisation: who sends.
        languages: those of the list, its own first; pages speak those that the theme speaks.
        topics: what readers can choose among: names by language, by id.
        privacy: what the privacy notice says.
    """

    def __init__(
        self,
        theme: Theme,
        *,
        list_name: str,
        organisation: Organisation,
        languages: Sequence[str],
        topics: Mapping[str, Mapping[str, str]] | None = None,
        privacy: Privacy | None = None,
        list_translations: Mapping[str, str] | None = None,
    ) -> None:
        self._theme = theme
        self._list_name = list_name
        self._list_translations = list_translations or {}
        self._organisation = organisation
        self._own = languages[0]
        self.topics = topics or {}
        self._privacy = privacy or Privacy()
        self.languages = tuple(tag for tag in languages if theme.speaks(tag)) or ("en",)
        self._names = [(tag, language_name(tag, tag)) for tag in self.languages]
        self._compiled = cache(self._compile)
        self.notice = cache(self._notice)

    def page(self, name: str, language: str, values: Mapping[str, str]) -> str:
        """A page with its slots filled in; a slot without a value becomes empty.

        Raises:
            TemplateError: something in the theme is wrong.
        """
        return _SLOT.sub(
            lambda slot: escape(values.get(slot[1], "")), self._compiled(name, language)
        )

    def check(self) -> None:
        """Compile each page in each language, so that what is wrong is known at the start.

        Raises:
            TemplateError: something in the theme is wrong.
        """
        for language in self.languages:
            for name in PAGES:
                self._compiled(name, language)
            for kind in ("confirm", "return"):
                self.notice(kind, language)

    def list_name_in(self, language: str) -> str:
        """The newsletter's name as the pages in a language show it."""
        return self._list_translations.get(self._list_lang(language), self._list_name)

    def _list_lang(self, language: str) -> str:
        return spoken(language, own=self._own, translations=self._list_translations)

    def consent(self, language: str) -> str:
        """The words beside the box that whoever signs up ticks."""
        return self._said(self._theme.words_for(language)["page_join_consent"], language)

    @cached_property
    def style_hash(self) -> str:
        """What a Content-Security-Policy allows the style sheet by (CSP 3, 8.3)."""
        digest = hashlib.sha256(self._style.encode()).digest()
        return f"sha256-{base64.b64encode(digest).decode()}"

    @cached_property
    def _style(self) -> str:
        style = render_template(SHEET, SheetVocabulary(self._theme), context="text")
        return style.replace("</", "<\\/")  # it cannot end its element

    def _notice(self, kind: str, language: str) -> NoticeText:
        """A mail beside the newsletter: ``confirm`` to whoever signs up, ``return`` who had left.

        Raises:
            TemplateError: something in the theme is wrong.
        """
        subject = self._theme.words_for(language)[f"notice_{kind}_subject"]
        vocabulary = self._vocabulary(kind, language)
        return NoticeText(
            " ".join(self._said(subject, language).split()),
            render_template(NOTICE_TEXT, vocabulary, context="text"),
            render_template(NOTICE_HTML, vocabulary, context="html"),
        )

    def _compile(self, name: str, language: str) -> str:
        return render_template(PAGE, self._vocabulary(name, language), context="html")

    def _said(self, phrase: str, language: str) -> str:
        return phrase.replace("{list}", self.list_name_in(language))

    def _vocabulary(self, name: str, language: str) -> _Vocabulary:
        organisation, home_lang = self._organisation.in_language(language, own=self._own)
        return _Vocabulary(
            self._theme,
            self._theme.words_for(language),
            {
                "page": name,
                "organisation": organisation,
                "home_lang": home_lang,
                "list_name": self.list_name_in(language),
                "list_lang": self._list_lang(language),
                "own_lang": self._own,
                "lang": language,
                "dir": direction(language),
                "languages": self._names,
                "topics": [(topic, self._name_of(topic, language)) for topic in self.topics],
                "privacy": self._privacy_notice(language) if name == "privacy" else None,
                "theme": self._theme.settings,
                "style": Markup(self._style),  # noqa: S704 - it cannot end its element
            },
        )

    def _privacy_notice(self, language: str) -> Mapping[str, object]:
        """What the privacy notice says of this list."""
        said = self._privacy
        return {
            "officer": said.officer,
            "basis": said.basis.replace("-", "_") if said.basis else "",
            "recipients": said.recipients,
            "transfers": said.transfers_in(language, own=self._own),
            "authority": said.authority or said.authority_url or "",
            "authority_url": said.authority_url or "",
            "profile": said.profile.replace("-", "_"),
            "years": duration(said.keep_proof_years, "year", language),
            "days": duration(said.keep_deliveries_days, "day", language),
        }

    def _name_of(self, topic: str, language: str) -> str:
        names = self.topics[topic]
        known = (language, language.partition("-")[0], self._own)
        return next((names[tag] for tag in known if tag in names), next(iter(names.values())))


@dataclass(frozen=True)
class _Vocabulary:
    """What the template of the public pages can use."""

    theme: Theme
    words: Words
    values: Mapping[str, object]

    def names(self, context: SlotContext) -> Mapping[str, object]:
        """Values and functions."""
        del context
        return {**self.values, "w": self.words, "slot": lambda name: f"{_OPEN}{name}{_CLOSE}"}

    def filters(self, context: SlotContext) -> Mapping[str, Filter]:
        """Filters, besides Jinja's own."""
        del context
        return {
            "url": lambda address: ascii_url(str(address)),
            "direction": direction,
            "script": script_of,
            "wrap": lambda text: wrap(str(text)),
        }
