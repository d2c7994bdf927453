"""What the checks say of pictures as files, and of what travels with the mail."""

import base64
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from newsletter.checks import enclosures, pictures
from newsletter.checks.finding import Finding, Severity
from newsletter.material import Document, Material
from newsletter.render.edition import Enclosure

from tests.checks.letters import MATERIAL, SETTINGS, Letter

E, W, N = Severity.ERROR, Severity.WARNING, Severity.NOTE
((SHOWN, HARBOUR),) = MATERIAL.pictures.items()
KB = 1024
INLINE = SETTINGS.model_copy(
    update={"mail": SETTINGS.mail.model_copy(update={"pictures": "inline", "downloads": "attach"})}
)
FILE, CREDIT = 14, 16
"""Lines of the letter's issue."""


def with_picture(**changes: Any) -> Letter:
    return replace(Letter(), material=Material({SHOWN: replace(HARBOUR, **changes)}))


def only(letter: Letter, folder: Path) -> Finding:
    (finding,) = letter.findings(folder)
    return finding


FAULTS: list[tuple[dict[str, Any], str, Severity, int]] = [
    ({"content": bytes(201 * KB)}, "picture-heavy", W, FILE),
    ({"content": bytes(1024 * KB)}, "picture-heavy", W, FILE),
    ({"width": 839}, "picture-blurred", W, FILE),
    ({"moves": True}, "picture-moves", W, FILE),
    ({"withheld": ("Bo Ek",)}, "credit-differs", W, CREDIT),
    ({"withheld": ("Bo Ek",), "credit": ("Ana López",)}, "credit-differs", N, CREDIT),
]
SEEDED = {row[1] for row in FAULTS} | {"pictures-heavy", "message-heavy", "document-author"}


@pytest.mark.parametrize(("changes", "check_id", "severity", "line"), FAULTS)
def test_a_fault_of_a_picture_is_found_with_its_place(
    folder: Path, changes: dict[str, Any], check_id: str, severity: Severity, line: int
) -> None:
    found = only(with_picture(**changes), folder)

    assert (check_id, severity, line) == (found.id, found.severity, found.where.line)
    assert ("Fear in Veracruz", "veracruz") == (found.story, found.story_id)


@pytest.mark.parametrize(
    "changes",
    [{"content": bytes(200 * KB)}, {"width": 840}, {"credit": ("Ana López",)}],
)
def test_what_is_just_good_enough_is_no_finding(folder: Path, changes: dict[str, Any]) -> None:
    assert () == with_picture(**changes).findings(folder)


def test_a_picture_of_more_than_a_megabyte_is_an_error(folder: Path) -> None:
    found = with_picture(content=bytes(1025 * KB)).findings(folder)

    assert [("picture-heavy", E), ("pictures-heavy", W)] == [(f.id, f.severity) for f in found]


def test_the_remedy_fits_the_kind_of_picture(folder: Path) -> None:
    heavy = bytes(300 * KB)
    for kind, word in (("image/png", "transparency"), ("image/jpeg", "Crop")):
        assert word in only(with_picture(content=heavy, media_type=kind), folder).mend


def test_pictures_are_also_weighed_together_and_the_theme_s_own_with_them(folder: Path) -> None:
    names = [HARBOUR.name, *(f"p{number}.jpg" for number in range(5))]
    shares = [replace(HARBOUR, name=name, content=bytes(171 * KB)) for name in names]
    assert len(shares) * 171 > pictures.ALL_HEAVY_KB
    material = Material(
        {SHOWN: shares[0]} | {(*SHOWN, n): share for n, share in enumerate(shares[1:5])},
        {},
        shares[5],
    )
    found = only(replace(Letter(), material=material), folder)

    assert ("pictures-heavy", W) == (found.id, found.severity)
    assert "The 6 pictures weigh 1.0 MB together" in found.what
    assert () == replace(Letter(), material=replace(material, logo=None)).findings(folder)


def test_a_fault_of_the_theme_s_own_picture_is_the_theme_s(folder: Path) -> None:
    logo = replace(HARBOUR, name="logo.png", width=600)
    found = only(replace(Letter(), material=replace(MATERIAL, logo=logo)), folder)

    assert ("picture-blurred", None) == (found.id, found.story)
    assert "templates" in str(found.where.file)


def test_both_names_are_told_and_what_becomes_of_them(folder: Path) -> None:
    found = only(with_picture(withheld=("Bo Ek", "© Bo Ek")), folder)

    assert (
        "The credit is “Drawing by Ana López”, the file of the picture says “Bo Ek” and “© Bo Ek”."
        == found.what
    )
    assert "removed from the picture" in found.mend


# What travels with the mail


def carrying(*files: tuple[str, int, str | None]) -> Letter:
    """A letter with files of these names, sizes in KB and content ids inside."""
    found = tuple(Enclosure(n, "application/x", bytes(size * KB), cid) for n, size, cid in files)
    document = Document("guide.pdf", "0123abcd", "application/pdf", b"%PDF")
    material = replace(MATERIAL, documents={document.name: document})
    issue = Letter().issue.replace("url: https://defenders.example/hamburg.pdf", "file: guide.pdf")
    link = '<p><a href="https://defenders.example/hamburg.pdf">The programme as PDF</a></p>'
    return replace(
        Letter(issue=issue, settings=INLINE, material=material, enclosures=found),
        html=Letter()
        .html.replace(link, "<p>The programme as PDF</p>")
        .replace("https://pictures.example/images/", "cid:"),
        text=Letter().text.replace(": https://defenders.example/hamburg.pdf.", ""),
    )


@pytest.fixture
def folder_with_guide(folder: Path) -> Path:
    (folder / "files").mkdir(exist_ok=True)
    (folder / "files" / "guide.pdf").write_bytes(b"%PDF-1.7")
    return folder


@pytest.mark.parametrize(
    ("files", "severity", "line"),
    [
        ([("guide.pdf", 740, None)], None, None),
        ([("guide.pdf", 760, None)], W, 33),
        ([(HARBOUR.name, 760, "x@y")], W, FILE),
        ([(HARBOUR.name, 400, "x@y"), ("guide.pdf", 401, None)], W, 33),
        ([("guide.pdf", 7000, None)], W, 33),
        ([("guide.pdf", 7300, None)], E, 33),
    ],
)
def test_a_mail_is_weighed_with_what_travels_inside_it(
    folder_with_guide: Path,
    files: list[tuple[str, int, str | None]],
    severity: Severity | None,
    line: int | None,
) -> None:
    found = carrying(*files).findings(folder_with_guide)

    wanted = [] if severity is None else [("message-heavy", severity, line)]
    assert wanted == [(f.id, f.severity, f.where.line) for f in found]


def test_the_heaviest_three_are_named(folder_with_guide: Path) -> None:
    files = [(f"{n}.pdf", 1024 * n, None) for n in (1, 2, 3, 1)]
    (found,) = carrying(*files).findings(folder_with_guide)

    assert "“3.pdf” 3.0 MB, “2.pdf” 2.0 MB, “1.pdf” 1.0 MB, a third more" in found.what


def test_a_file_is_counted_as_it_travels() -> None:
    """Judged by the standard library's base64, with CRLF."""
    for size in (1, 56, 57, 58, 1000, 99_999):
        lines = base64.encodebytes(bytes(size)).count(b"\n")
        wanted = len(base64.b64encode(bytes(size))) + 2 * lines
        assert wanted == enclosures._travelling(size)


def test_whom_a_document_names_is_told_but_for_the_organisation(folder_with_guide: Path) -> None:
    letter = carrying()
    named = Document("guide.pdf", "0", "application/pdf", b"", authors=("DEFENDERS", "Bo Ek"))
    letter = replace(letter, material=replace(MATERIAL, documents={named.name: named}))
    found = only(letter, folder_with_guide)

    assert ("document-author", N, 33) == (found.id, found.severity, found.where.line)
    assert "“guide.pdf” says that it was written by “Bo Ek”." == found.what
    alone = replace(named, authors=("Defenders",))
    quiet = replace(letter, material=replace(MATERIAL, documents={alone.name: alone}))
    assert () == quiet.findings(folder_with_guide)
