"""Where things lie in the archive: paths relative to its address and to its folder. No I/O.

The mail links to these places and ``newsletter archive build`` writes them, so
both ask here.
"""

from __future__ import annotations

import hashlib
from urllib.parse import quote

from newsletter.material import Document, PreparedPicture


def index_path(language: str, home: str) -> str:
    """The index in one language: ``fr.html``, or ``index.html`` in that of newsletter.toml.

    No page of an issue is called so, since its name has another full stop.
    """
    return "index.html" if language == home else f"{language}.html"


def page_path(issue_id: str, language: str) -> str:
    """The page of an issue in one language: ``2017-03.en.html``."""
    return f"{issue_id}.{language}.html"


def background_anchor(story_id: str) -> str:
    """The id of a story's background on that page, as after ``#``."""
    return f"{story_id}-background"


def picture_path(picture: PreparedPicture) -> str:
    """A picture: ``images/3f9a01c7b2d85e46.jpg``."""
    return f"images/{picture.name}"


def document_path(document: Document) -> str:
    """A document under its own name: ``files/3f9a01c7/guide.pdf``, percent-encoded."""
    return f"files/{document.digest}/{quote(document.name)}"


def feed_path(language: str) -> str:
    """The Atom feed of one language: ``feed.en.atom``."""
    return f"feed.{language}.atom"


def pdf_path(issue_id: str, language: str) -> str:
    """The page as a PDF: ``2017-03.en.pdf``."""
    return f"{issue_id}.{language}.pdf"


def asset_path(name: str, content: bytes) -> str:
    """A style sheet or script: ``web-3f9a01c7.css``.

    The digest lets pages made before a change keep what they were made with.
    """
    stem, _, kind = name.rpartition(".")
    return f"{stem}-{hashlib.sha256(content).hexdigest()[:8]}.{kind}"
