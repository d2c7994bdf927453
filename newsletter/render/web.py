"""Web pages: an issue in one language, the index, their style sheet and script. No I/O, no clock.

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
ASSETS = {"web.css": "web/web.css", "print.js": "web/print.js.j2"}
"""The style sheet and the script: their names, and those of their templates."""

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
        """The style sheet and the script: name → place in the archive, content.

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

    def index(self, issues: Sequence[InLanguages], *, pdfs: Collection[str]) -> bytes:
        """The list of all issues, in the language of newsletter.toml.

        Args:
            issues: in the order in which they are listed.
            pdfs: the places of the PDFs that there are.

        Raises:
            TemplateError: something in the theme is wrong.
        """
        vocabulary = IndexVocabulary(
            self.theme, self.settings, self.archive, self.settings.language, self._asset_paths,
            self.feeds, [self._entry(issue, pdfs) for issue in issues],
        )  # fmt: skip
        return render_template(INDEX_PAGE, vocabulary, context="html").encode()

    @property
    def _asset_paths(self) -> dict[str, str]:
        return {name: path for name, (path, _) in self.assets.items()}

    def _entry(self, issue: InLanguages, pdfs: Collection[str]) -> IndexEntry:
        shown = issue.get(self.settings.language) or next(iter(issue.values()))
        return IndexEntry(
            shown.issue,
            [(tag, page_path(one.issue.id, tag)) for tag, one in issue.items()],
            [(tag, one.pdf) for tag, one in issue.items() if one.pdf in pdfs],
            WebUrls(shown, self.archive).first_picture(),
        )
