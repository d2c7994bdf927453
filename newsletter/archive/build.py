"""Builds the archive: everything is rendered first, then PDFs are made, then files are written."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from newsletter.archive.pdf import NoPdf, print_page
from newsletter.archive.plan import Files, pages_and_pdfs, plan_files
from newsletter.archive.write import Written, write_files
from newsletter.config import Settings
from newsletter.render.web import InLanguages
from newsletter.theme import Theme


@dataclass(frozen=True, slots=True)
class Built:
    """What a build did.

    Attributes:
        written: what became of the files.
        pages: how many pages there are.
        pdfs: how many of them have a PDF.
        no_pdf: why some have none although a browser is there; empty if all have one.
    """

    written: Written
    pages: int
    pdfs: int
    no_pdf: str


def build_archive(
    issues: Sequence[InLanguages],
    theme: Theme,
    settings: Settings,
    *,
    folder: Path,
    browser: Path | None,
    scratch: Path,
    on_pdf: Callable[[str], None] = lambda _: None,
) -> Built:
    """Write the archive.

    Args:
        issues: at least one.
        theme: templates and words.
        settings: with a table [archive]; pages also use the list, the organisation and
            the language.
        folder: where it is written.
        browser: what prints PDFs; None for none.
        scratch: an existing folder to work in for a while. A browser that is a
            snap sees only what lies below the home folder.
        on_pdf: told each PDF's place before it is made.

    Raises:
        TemplateError: something in the theme is wrong; nothing was written.
        InputError: something cannot be written.
    """
    pdfs = {web.pdf: web.issue.date for issue in issues for web in issue.values()}
    files = plan_files(issues, theme, settings, pdfs=pdfs if browser else ())
    made: dict[str, bytes] = {}
    reason = ""
    if browser:
        pages = pages_and_pdfs(issues)
        wanted = {
            page: pdf for page, pdf in pages.items() if not _is_current(folder, page, pdf, files)
        }
        with tempfile.TemporaryDirectory(prefix="newsletter-pdf-", dir=scratch) as desk:
            write_files(Path(desk), files if wanted else {})
            try:
                for page, pdf in wanted.items():
                    on_pdf(pdf)
                    made[pdf] = print_page(browser, Path(desk) / page, date=pdfs[pdf])
            except NoPdf as error:
                # The next page would not fare better, and could take as long.
                reason = str(error)
        pdfs = {pdf: pdfs[pdf] for page, pdf in pages.items() if page not in wanted or pdf in made}
        if reason:
            files = plan_files(issues, theme, settings, pdfs=pdfs)
    # PDFs first: no page links to one that is not there yet.
    written = write_files(folder, {**made, **files})
    return Built(written, sum(map(len, issues)), len(pdfs) if browser else 0, reason)


def _is_current(folder: Path, page: str, pdf: str, files: Files) -> bool:
    """Whether a PDF was made from this very page; what it loads has digests in its names."""
    path = folder / page
    return (folder / pdf).is_file() and path.is_file() and path.read_bytes() == files[page]
