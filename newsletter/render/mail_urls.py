"""Where an issue's pictures, documents and pages are: what the templates link to. No I/O."""

from __future__ import annotations

from dataclasses import dataclass

from newsletter.archive_layout import background_anchor, document_path, page_path, picture_path
from newsletter.errors import IssueError
from newsletter.material import PreparedPicture
from newsletter.model import Background, Download, Part, Picture, Story
from newsletter.render.edition import CompileInput, Enclosure
from newsletter.render.template_values import MailPicture
from newsletter.render.urls import ascii_url
from newsletter.source import Path_

_HIGHEST = 600
"""Of a picture, in CSS pixels: a portrait as wide as the mail would fill a screen and a half."""


@dataclass(frozen=True)
class MailUrls:
    """The places as a mail names them: whole addresses, or parts of the mail itself."""

    given: CompileInput

    @property
    def page(self) -> str | None:
        """The issue's page on the web."""
        if self.given.issue.web_url is not None:
            return self.given.issue.web_url
        return self._in_archive(page_path(self.given.issue.id, self.given.issue.language))

    def picture(self, image: Picture | None) -> MailPicture | None:
        """A picture of the issue."""
        if image is None:
            return None
        prepared = self.given.material.pictures[self.given.issue.place_of(image)]
        return self._shown(prepared, alt=image.alt, credit=image.credit)

    def logo(self, *, alt: str) -> MailPicture | None:
        """The theme's picture in the head of the mail, described by ``alt``."""
        if self.given.material.logo is None:
            return None
        return self._shown(self.given.material.logo, alt=alt, credit="")

    def _shown(self, prepared: PreparedPicture, *, alt: str, credit: str) -> MailPicture:
        if self.given.settings.mail.pictures == "inline":
            src = f"cid:{self._content_id(prepared)}"
        else:
            src = self._in_archive(picture_path(prepared)) or ""
        width, height = prepared.shown, prepared.shown_height
        if height > _HIGHEST:
            width, height = max(1, round(width * _HIGHEST / height)), _HIGHEST
        return MailPicture(src, alt, credit, width, height)

    def story(self, story: Story) -> str | None:
        """A story on the issue's page in the archive; None if the issue has its page elsewhere."""
        if self.given.issue.web_url is not None or self.page is None:
            return None
        return f"{self.page}#{story.id}"

    def background(self, story: Story) -> str | None:
        """The page that carries a story's background.

        Raises:
            IssueError: there is none.
        """
        background = next((part.background for part in story.content if part.background), None)
        if background is None or background.url is not None:
            return background.url if background else None
        if self.page is None:
            raise self._nowhere(background, "The background has no page on the web.")
        return f"{self.page}#{background_anchor(story.id)}"

    def download(self, download: Download | None) -> str | None:
        """Where a document is; None where it is attached, or there is none.

        Raises:
            IssueError: it is nowhere.
        """
        if download is None or download.file is None:
            return download.url if download else None
        if self.given.settings.mail.downloads == "attach":
            return None
        place = self._in_archive(document_path(self.given.material.documents[download.file]))
        if place is None:
            raise self._nowhere(download, "The document has no place on the web.")
        return place

    def address(self, path: Path_, part: Part) -> str | None:
        """Where the link leads that a part of the issue is; None if it leads nowhere.

        Args:
            path: the place of the part in the issue.
            part: the link.

        Raises:
            IssueError: it should, and has no address.
        """
        story = self.given.issue.story_at(path)
        match part:
            case Background() if story:
                return self.background(story)
            case Download():
                return self.download(part)
        address: str | None = getattr(part, "url", None)
        return address

    def enclosures(self) -> tuple[Enclosure, ...]:
        """What travels inside the mail, in reading order, each file once."""
        given = self.given
        found: dict[str, Enclosure] = {}
        shown = [given.material.logo] if given.material.logo else []
        shown += [
            given.material.pictures[path]
            for path, _ in sorted(given.issue.pictures(), key=self._rank)
        ]
        for picture in shown if given.settings.mail.pictures == "inline" else ():
            found[picture.name] = Enclosure(
                picture.name, picture.media_type, picture.content, self._content_id(picture)
            )
        for _, name in sorted(given.issue.files(), key=self._rank):
            document = given.material.documents.get(name)
            if document is not None and given.settings.mail.downloads == "attach":
                found[f"{document.digest}/{document.name}"] = Enclosure(
                    document.name, document.media_type, document.content, None
                )
        return tuple(found.values())

    def _rank(self, placed: tuple[Path_, object]) -> int:
        """The place in reading order of the story that holds something; all else comes last."""
        order, story = self.given.issue.reading_order, self.given.issue.story_at(placed[0])
        return order.index(story) if story else len(order)

    def _in_archive(self, path: str) -> str | None:
        base = self.given.settings.archive_url
        return None if base is None else ascii_url(base) + path

    def _content_id(self, picture: PreparedPicture) -> str:
        return f"{picture.name}@{self.given.settings.list.id}"

    def _nowhere(self, part: Part, what: str) -> IssueError:
        issue = self.given.issue
        path = issue.place_of(part)
        return IssueError(
            what,
            where=self.given.source.where(*path, item=issue.item(path)),
            next="Write its address as “url”, or set [archive] url in newsletter.toml.",
        )
