"""Which files the archive consists of. No I/O, no clock.

The same issues give the same bytes.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from urllib.parse import unquote

from newsletter.archive_layout import (
    document_path,
    feed_path,
    index_path,
    page_path,
    pdf_path,
    picture_path,
)
from newsletter.config import Settings
from newsletter.render.feed import render_feed
from newsletter.render.web import InLanguages, Site
from newsletter.theme import Theme

Files = Mapping[str, bytes]
"""Content by path in the archive, in the order of writing: what is linked to comes first."""


def plan_files(
    issues: Sequence[InLanguages],
    theme: Theme,
    settings: Settings,
    *,
    pdfs: Collection[str],
) -> Files:
    """Everything but the PDFs.

    Args:
        issues: at least one, each with its languages, its first one first.
        theme: templates and words.
        settings: with a table [archive], where the files will be; pages also use the list,
            the organisation and the language.
        pdfs: the places of the PDFs that pages may link to.

    Raises:
        TemplateError: something in the theme is wrong.
    """
    ordered = sorted(issues, key=_newest_first, reverse=True)
    languages = sorted({language for issue in issues for language in issue})
    assert settings.archive is not None  # else nothing is to be published
    site = Site(theme, settings, settings.archive, languages)
    files: dict[str, bytes] = dict(site.assets.values())
    for issue in ordered:
        for web in issue.values():
            files |= {picture_path(each): each.content for each in web.material.shown}
            # A path on disk is no address: there nothing is percent-encoded.
            files |= {
                unquote(document_path(each)): each.content
                for each in web.material.documents.values()
            }
    for issue in ordered:
        for language, web in issue.items():
            files[page_path(web.issue.id, language)] = site.page(
                web, languages=list(issue), has_pdf=web.pdf in pdfs
            )
    for language in languages:
        listed = [issue[language] for issue in ordered if language in issue]
        files[feed_path(language)] = render_feed(site, listed, language=language)
    for language in reversed(site.languages):
        path = index_path(language, settings.language)
        files[path] = site.index(ordered, language=language, pdfs=pdfs)
    return files


def pages_and_pdfs(issues: Sequence[InLanguages]) -> dict[str, str]:
    """The place of each page, and that of its PDF."""
    return {
        page_path(web.issue.id, language): pdf_path(web.issue.id, language)
        for issue in issues
        for language, web in issue.items()
    }


def _newest_first(issue: InLanguages) -> tuple[str, str]:
    first = next(iter(issue.values())).issue
    return first.date.isoformat(), first.id
