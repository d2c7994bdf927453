"""What travels inside the mail or is offered with it: its weight, and what documents tell."""

from __future__ import annotations

from collections.abc import Iterator

from newsletter.checks.check_input import CheckInput
from newsletter.checks.finding import Flaw, Location, Severity, check

MB = 1024 * 1024
MESSAGE_HEAVY_MB = 1.0
MESSAGE_TOO_HEAVY_MB = 9.5
"""Postfix takes 10,240,000 bytes (9.8 MB) unless told otherwise, and each relay adds lines."""
_NAMED = 3


@check(
    "message-heavy",
    why="Mail servers refuse large mails, and each reader has to download the whole mail.",
)
def message_heavy(given: CheckInput) -> Iterator[Flaw]:
    """A mail above 1 MB with what travels inside it; above 9.5 MB it is an error."""
    enclosures = given.edition.enclosures
    texts = len(given.edition.html.encode()) + len(given.edition.text.encode())
    size = (texts + sum(_travelling(len(each.content)) for each in enclosures)) / MB
    if enclosures and size > MESSAGE_HEAVY_MB:
        heaviest = sorted(enclosures, key=lambda each: len(each.content), reverse=True)[:_NAMED]
        named = ", ".join(f"“{each.name}” {len(each.content) / MB:.1f} MB" for each in heaviest)
        yield Flaw(
            Severity.ERROR if size > MESSAGE_TOO_HEAVY_MB else Severity.WARNING,
            f"Each mail weighs about {size:.1f} MB: {named}, a third more when encoded.",
            'Set downloads = "link" or pictures = "hosted" under [mail] in newsletter.toml, or '
            "save what is heaviest smaller.",
            _place(given, heaviest[0].name),
        )


def _travelling(size: int) -> int:
    """Bytes that a file of ``size`` has in base64 with line ends (RFC 2045 6.8)."""
    encoded = -(-size // 3) * 4
    return encoded + -(-encoded // 76) * 2


def _place(given: CheckInput, name: str) -> Location:
    """Where the issue names the file that readers know by this name."""
    places = [path for path, _, made in given.pictures if made.name == name]
    places += [
        path
        for path, file in given.issue.files()
        if (document := given.material.documents.get(file)) and document.name == name
    ]
    return given.at(*places[0], "file") if places else given.theme_place


@check(
    "document-author",
    why="A document is sent as it is, with the names that office programs write into it.",
)
def document_author(given: CheckInput) -> Iterator[Flaw]:
    """A document that names its author or last editor, other than the organisation."""
    organisation = given.settings.organisation.name.casefold()
    for path, file in given.issue.files():
        document = given.material.documents.get(file)
        authors = [
            f"“{name}”"
            for name in (document.authors if document else ())
            if name.casefold() != organisation
        ]
        if document is not None and authors:
            yield Flaw(
                Severity.NOTE,
                f"“{document.name}” says that it was written by {' and '.join(authors)}.",
                "If readers should not see the name, remove it from the document's properties "
                "and export the document again.",
                given.at(*path, "file"),
            )
