"""The edition: an issue compiled in one language, with its slots still open. No I/O.

An edition is what a person approves, what the ledger freezes and what every
message is composed from. Its fingerprint covers all of it.
"""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from newsletter.render.slots import Slot

if TYPE_CHECKING:
    from newsletter.config import Settings
    from newsletter.material import Material
    from newsletter.model import Issue
    from newsletter.source import Source
    from newsletter.theme import Theme


@dataclass(frozen=True)
class CompileInput:
    """All that an edition is made from.

    Attributes:
        issue: what the editor wrote, in one language.
        source: where each value of it stands in its file.
        theme: templates, style sheets and words.
        settings: of which rendering uses the list, the sender, the organisation,
            the archive, where pictures and downloads go, and the readers' fields.
        material: the issue's pictures and documents.
    """

    issue: Issue
    source: Source
    theme: Theme
    settings: Settings
    material: Material


@dataclass(frozen=True, slots=True)
class Enclosure:
    """A file that travels inside each mail: a picture shown in it, or an attached document.

    Attributes:
        name: its file name.
        media_type: such as ``image/jpeg``.
        content: the file itself.
        content_id: what ``cid:`` names it by, without brackets; None if it is attached.
    """

    name: str
    media_type: str
    content: bytes
    content_id: str | None


@dataclass(frozen=True, slots=True)
class Edition:
    """One issue in one language, ready to be bound to recipients.

    ``subject``, ``preheader``, ``html`` and ``text`` hold slot tokens; ``slots``
    lists every token that occurs in them, and no other.
    """

    issue_id: str
    language: str
    subject: str
    preheader: str
    html: str
    text: str
    slots: tuple[Slot, ...]
    enclosures: tuple[Enclosure, ...] = ()

    @property
    def fingerprint(self) -> str:
        """SHA-256 over all of the edition, in hex: the same bytes, the same print."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()

    def to_json(self) -> str:
        """The edition as canonical JSON: what the ledger keeps."""
        data = asdict(self)
        for enclosure in data["enclosures"]:
            enclosure["content"] = base64.b64encode(enclosure["content"]).decode()
        if not self.enclosures:
            del data["enclosures"]  # so that an edition without any keeps its fingerprint
        return json.dumps(data, ensure_ascii=False, sort_keys=True, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Edition:
        """Read back what :meth:`to_json` wrote."""
        data = json.loads(text)
        data["slots"] = tuple(Slot(**slot) for slot in data["slots"])
        data["enclosures"] = tuple(
            Enclosure(**{**each, "content": base64.b64decode(each["content"])})
            for each in data.get("enclosures", ())
        )
        return cls(**data)


@dataclass(frozen=True, slots=True)
class Stages:
    """What each step of rendering made of an issue, slots open: for golden files and tests."""

    subject: str
    preheader: str
    mjml: str
    raw_html: str
    """What the MJML engine made."""
    inlined_html: str
    """What premailer made of it."""
    html: str
    """What is sent."""
    text: str
    slots: tuple[Slot, ...]
