"""Web pages: an issue in one language, the index, style sheet, script, icon. No I/O, no clock.

The same issue, theme and settings give the same bytes.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from newsletter.archive_layout import asset_path, page_path
from newsletter.config import Archive, Settings
from newsletter.render.template import render_template
from newsletter.render.template_values import IndexEntry
from newsletter.render.web_urls import WebIssue, WebUrls
from newsletter.render.web_vocabulary import IndexVocabulary, PageVocabulary, SheetVocabulary
from newsletter.theme import Theme

PAGE = "web/page.html.j2"
INDEX_PAGE = "web/index.html.j2"
ASSETS = {
    "web.css": "web/web.css",
    "print.js": "web/print.js.j2",
    "icon.svg": "web/icon.svg.j2",
}
"""Style sheet, script and icon: their names, and those of their templates."""

InLanguages = Mapping[str, WebIssue]
"""An issue in each of its languages, its first language first."""


@dataclass(frozen=True)
class Site:
    """What all pages share.

    Attributes:
        theme: its templates below ``web/``, and words.
        settings: of which pages use the list, the organisation and the language.
        archive: where the pages will be.
        feeds: the languages that have a feed.
    """

    theme: Theme
    settings: Settings
    archive: Archive
    feeds: Sequence[str]

    @cached_property
    def assets(self) -> Mapping[str, tuple[str, bytes]]:
        """Style sheet, script and icon: name → place in the archive, content.

        Raises:
            TemplateError: something in the theme is wrong.
        """
        made = {}
        for name, template in ASSETS.items():
            content = render_template(
                template, SheetVocabulary(self.theme), context="text"
            ).encode()
            made[name] = (asset_path(name, content), content)
        return made

    def page(self, web: WebIssue, *, languages: Sequence[str], has_pdf: bool) -> bytes:
        """The page of an issue in one language.

        Args:
            web: the issue.
            languages: all that it has.
            has_pdf: whether to link to its PDF.

        Raises:
            TemplateError: something in the theme is wrong.
        """
        vocabulary = PageVocabulary(
            self.theme, self.settings, self.archive, web.issue.language, self._asset_paths,
            self.feeds, web, languages, has_pdf,
        )  # fmt: skip
        return render_template(PAGE, vocabulary, context="html").encode()

    @property
    def languages(self) -> Sequence[str]:
        """The languages that have an index, that of newsletter.toml first."""
        home = self.settings.language
        return [home, *(language for language in self.feeds if language != home)]

    def index(
        self, issues: Sequence[InLanguages], *, language: str, pdfs: Collection[str]
    ) -> bytes:
        """The list of all issues in one language.

        Args:
            issues: in the order in which they are listed; each is listed in that language
                if it has it, else in its first one.
            language: the index's own.
            pdfs: the places of the PDFs that there are.

        Raises:
            TemplateError: something in the theme is wrong.
        """
        vocabulary = IndexVocabulary(
            self.theme, self.settings, self.archive, language, self._asset_paths, self.feeds,
            self.languages, [self._entry(issue, language, pdfs) for issue in issues],
        )  # fmt: skip
        return render_template(INDEX_PAGE, vocabulary, context="html").encode()

    @property
    def _asset_paths(self) -> dict[str, str]:
        return {name: path for name, (path, _) in self.assets.items()}

    def _entry(self, issue: InLanguages, language: str, pdfs: Collection[str]) -> IndexEntry:
        shown = issue.get(language) or next(iter(issue.values()))
        return IndexEntry(
            shown.issue,
            [(tag, page_path(one.issue.id, tag)) for tag, one in issue.items()],
            [(tag, one.pdf) for tag, one in issue.items() if one.pdf in pdfs],
            WebUrls(shown, self.archive).first_picture(),
        )
