"""Where an issue's pictures, documents and pages are: what the templates link to. No I/O."""

from __future__ import annotations

from dataclasses import dataclass

from newsletter.archive_layout import background_anchor, document_path, page_path, picture_path
from newsletter.errors import IssueError
from newsletter.material import PreparedPicture
from newsletter.model import Background, Download, Part, Story
from newsletter.render.edition import CompileInput, Enclosure
from newsletter.render.template_values import MailPicture
from newsletter.render.urls import ascii_url


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

    def picture(self, story: Story) -> MailPicture | None:
        """The picture of a story."""
        if story.image is None:
            return None
        return self._shown(
            self.given.material.pictures[story.id], alt=story.image.alt, credit=story.image.credit
        )

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
        return MailPicture(src, alt, credit, prepared.shown, prepared.shown_height)

    def background(self, story: Story) -> str | None:
        """The page that carries a story's background.

        Raises:
            IssueError: there is none.
        """
        if story.background is None:
            return None
        if story.background.url is not None:
            return story.background.url
        if self.page is None:
            raise self._nowhere(story, "background", "The background has no page on the web.")
        return f"{self.page}#{background_anchor(story.id)}"

    def download(self, story: Story) -> str | None:
        """Where a story's document is; None where it is attached, or there is none.

        Raises:
            IssueError: it is nowhere.
        """
        if story.download is None or story.download.url is not None:
            return story.download.url if story.download else None
        if self.given.settings.mail.downloads == "attach":
            return None
        place = self._in_archive(document_path(self.given.material.documents[story.id]))
        if place is None:
            raise self._nowhere(story, "download", "The document has no place on the web.")
        return place

    def address(self, story: Story, part: Part) -> str | None:
        """Where the link leads that a part of the story is; None if it leads nowhere.

        Raises:
            IssueError: it should, and has no address.
        """
        match part:
            case Background():
                return self.background(story)
            case Download():
                return self.download(story)
        address: str | None = getattr(part, "url", None)
        return address

    def enclosures(self) -> tuple[Enclosure, ...]:
        """What travels inside the mail, in reading order, each file once."""
        given = self.given
        found: dict[str, Enclosure] = {}
        shown = [given.material.logo] if given.material.logo else []
        shown += [
            given.material.pictures[story.id] for story in given.issue.reading_order if story.image
        ]
        for picture in shown if given.settings.mail.pictures == "inline" else ():
            found[picture.name] = Enclosure(
                picture.name, picture.media_type, picture.content, self._content_id(picture)
            )
        for story in given.issue.reading_order:
            document = given.material.documents.get(story.id)
            if document is not None and given.settings.mail.downloads == "attach":
                found[f"{document.digest}/{document.name}"] = Enclosure(
                    document.name, document.media_type, document.content, None
                )
        return tuple(found.values())

    def _in_archive(self, path: str) -> str | None:
        base = self.given.settings.archive_url
        return None if base is None else ascii_url(base) + path

    def _content_id(self, picture: PreparedPicture) -> str:
        return f"{picture.name}@{self.given.settings.list.id}"

    def _nowhere(self, story: Story, key: str, what: str) -> IssueError:
        path = ("stories", self.given.issue.stories.index(story), key)
        return IssueError(
            what,
            where=self.given.source.where(*path, item=f"story “{story.headline}”"),
            next="Write its address as “url”, or set [archive] url in newsletter.toml.",
        )
