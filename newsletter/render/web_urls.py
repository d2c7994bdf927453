"""Where things are in the archive, as its pages link to them: relative to one another. No I/O."""

from __future__ import annotations

from dataclasses import dataclass

from newsletter.archive_layout import (
    background_anchor,
    document_path,
    page_path,
    pdf_path,
    picture_path,
)
from newsletter.config import Archive
from newsletter.material import Material, PreparedPicture
from newsletter.model import Background, Download, Issue, Part, Picture
from newsletter.render.template_values import WebPicture
from newsletter.render.urls import ascii_url
from newsletter.source import Path_


@dataclass(frozen=True, slots=True)
class WebIssue:
    """An issue in one language, with all that its page shows."""

    issue: Issue
    material: Material

    @property
    def pdf(self) -> str:
        """Where the page's PDF is, if one was made."""
        return pdf_path(self.issue.id, self.issue.language)


@dataclass(frozen=True, slots=True)
class WebUrls:
    """The places that a page links to."""

    web: WebIssue
    archive: Archive

    def picture(self, image: Picture | None) -> WebPicture | None:
        """A picture of the issue."""
        if image is None:
            return None
        prepared = self.web.material.pictures[self.web.issue.place_of(image)]
        return _shown(prepared, alt=image.alt, credit=image.credit)

    def logo(self, *, alt: str) -> WebPicture | None:
        """The theme's own picture."""
        logo = self.web.material.logo
        return None if logo is None else _shown(logo, alt=alt, credit="")

    def download(self, download: Download | None) -> str | None:
        """Where a document is, in the archive or elsewhere."""
        if download is None or download.file is None:
            return download.url if download else None
        return document_path(self.web.material.documents[download.file])

    def address(self, path: Path_, part: Part) -> str | None:
        """The whole address of where the link at a place of the issue leads, if anywhere."""
        story = self.web.issue.story_at(path)
        match part:
            case Background() if story:
                page = page_path(self.web.issue.id, self.web.issue.language)
                return self.absolute(f"{page}#{background_anchor(story.id)}")
            case Download(file=str(file)):
                return self.absolute(document_path(self.web.material.documents[file]))
        address: str | None = getattr(part, "url", None)
        return address and ascii_url(address)

    def first_picture(self) -> WebPicture | None:
        """The first picture that a reader meets: what stands for the issue elsewhere."""
        pictures = (self.picture(story.opening) for story in self.web.issue.reading_order)
        return next(filter(None, pictures), None)

    def absolute(self, path: str) -> str:
        """The whole address of a place in the archive."""
        return ascii_url(self.archive.url) + path


def _shown(prepared: PreparedPicture, *, alt: str, credit: str) -> WebPicture:
    return WebPicture(picture_path(prepared), alt, credit, prepared.width, prepared.height)
