"""Documents that an issue offers: where they may lie, of what kind, and whom they name."""

import subprocess
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from newsletter.issues.authors import _unpack, authors_in
from newsletter.issues.downloads import KINDS, load_document
from newsletter.issues.loader import load_issue

from tests.issues.documents import office, packed_object, pdf
from tests.issues.originals import write
from tests.issues.support import problems
from tests.issues.support import write as write_issue
from tests.support.tools import program

ISSUE = """\
title: March 2017
date: 2017-03-31
language: en
subject: News from defenders
preheader: A year of safety in Hamburg
stories:
  - id: hamburg
    headline: A year of safety
    blurb: Nur Nobi Dulal has arrived.
    download:
      label: The guide (PDF)
      file: guide.pdf
"""
PLACE = "12:13, story “A year of safety”: "
STARTS = {".epub": b"PK\3\4", ".pdf": b"%PDF-1.7", ".rtf": b"{\\rtf1", ".ics": b"BEGIN:VCALENDAR"}


def told(folder: Path, name: str, content: bytes | None = b"%PDF-1.7") -> str:
    if content is not None:
        write(folder, f"files/{name}", content)
    [problem] = problems(folder, ISSUE.replace("file: guide.pdf", f"file: '{name}'"))
    assert problem.startswith(PLACE)
    return problem.removeprefix(PLACE)


@pytest.mark.parametrize("ending", KINDS)
def test_documents_that_people_read_are_taken(tmp_path: Path, ending: str) -> None:
    start = STARTS.get(ending, b"PK\3\4" if ending not in {".csv", ".txt"} else b"any")
    for name in (f"guide{ending}", f"2017/Guide é {ending.upper()}"):
        write(tmp_path, f"files/{name}", start + b" and more")
        path = write_issue(tmp_path, ISSUE.replace("guide.pdf", name))
        assert load_issue(path).issue.stories[0].download is not None
        document = load_document(tmp_path / "files" / name)
        assert name.rpartition("/")[2] == document.name
        assert 8 == len(document.digest)
        assert document.media_type.count("/") == 1


@pytest.mark.parametrize(
    "name",
    [
        "setup.exe",
        "run.js",
        "page.html",
        "page.svg",
        "report.docm",
        "all.zip",
        "guide",
        "x.pdf.scr",
    ],
)
def test_what_mail_filters_block_is_refused(tmp_path: Path, name: str) -> None:
    sentence = told(tmp_path, name)

    assert sentence.startswith(f"“{name}” is of a kind that mail filters may block. Offer a PDF;")
    assert sentence.endswith("Link anything else by its url.")


@pytest.mark.parametrize(
    ("name", "content", "what"),
    [
        ("guide.pdf", b"MZ\x90\0", "“guide.pdf” is not what its name says."),
        ("guide.docx", b"%PDF-1.7", "“guide.docx” is not what its name says."),
        ("guide.pdf", b"", "“guide.pdf” is empty."),
        ("notes.txt", b"", "“notes.txt” is empty."),
    ],
)
def test_a_document_must_be_what_its_name_says(
    tmp_path: Path, name: str, content: bytes, what: str
) -> None:
    assert f"{what} Open it; if that works, save it again under this name." == told(
        tmp_path, name, content
    )


@pytest.mark.parametrize("name", ["a?.pdf", "a<b>.pdf", "x" * 120 + ".pdf", "gu\u00adide.pdf"])
def test_a_name_that_some_system_cannot_store_is_refused(tmp_path: Path, name: str) -> None:
    assert "is not a file name that all systems can store" in told(tmp_path, name)


def test_a_document_that_is_missing_or_elsewhere_is_told(tmp_path: Path) -> None:
    write(tmp_path, "files/guide.pdf", b"%PDF")
    write(tmp_path, "secret.pdf", b"%PDF")
    (tmp_path / "files" / "link.pdf").symlink_to(tmp_path / "secret.pdf")

    missing = told(tmp_path, "giude.pdf", None)
    assert missing.startswith("There is no document “giude.pdf” in ")
    assert missing.endswith("Did you mean “guide.pdf”?")
    assert "is a link to outside" in told(tmp_path, "link.pdf", None)
    for name in ("../secret.pdf", "/etc/passwd", "a/../../secret.pdf", "C:x.pdf"):
        assert "is not named by its place below" in told(tmp_path, name, None)


def test_a_download_needs_one_place(tmp_path: Path) -> None:
    both = ISSUE + "      url: https://defenders.example/guide.pdf\n"
    write(tmp_path, "files/guide.pdf", b"%PDF-1.7")
    neither = ISSUE.replace("      file: guide.pdf\n", "")

    assert [
        "11:7, story “A year of safety”: The download has both “url” and “file”. Keep one of them."
    ] == problems(tmp_path, both)
    assert [
        "11:7, story “A year of safety”: The download has no place. "
        "Write file: and its name below issues/files/, or url: and its address."
    ] == problems(tmp_path, neither)


# Whom documents name


AUTHORS = {
    "literal": (pdf(b"/Author (Ana L\\363pez)"), ("Ana López",)),
    "brackets": (pdf(rb"/Author (Ana \(L\) \\ L\363pez)"), (r"Ana (L) \ López",)),
    "UTF-16": (pdf(b"/Author <FEFF" + "Анна".encode("utf-16-be").hex().encode() + b">"), ("Анна",)),
    "UTF-8": (pdf(b"/Author (\xef\xbb\xbfAna L\xc3\xb3pez)"), ("Ana López",)),
    "odd": (pdf(b"/Author <416e6>"), ("An`",)),
    "packed": (pdf(more=packed_object(b"<</Author (Ana)/Title (x)>>")), ("Ana",)),
    "earlier": (pdf(b"/Author ()") + pdf(b"/Author (Ana)"), ("Ana",)),
    "XMP": (
        pdf(more=b"<dc:creator><rdf:Seq><rdf:li>Ana &amp; Bo</rdf:li></rdf:Seq></dc:creator>"),
        ("Ana & Bo",),
    ),
    "locked": (pdf(b"/Author (qx9 in cipher)", kind=b"/Encrypt 9 0 R"), ()),
    "none": (pdf(b"/Title (Guide)"), ()),
    "Word": (office("Ana López", "Bo Ek"), ("Ana López", "Bo Ek")),
    "Writer": (office("Ana López", "Ana López", kind="odt"), ("Ana López",)),
    "nobody": (office("", " "), ()),
    "broken": (office("Ana", "Bo")[:60], ()),
    "text": (b"dc:creator Ana", ()),
}  # fmt: skip


@pytest.mark.parametrize("kind", AUTHORS)
def test_the_author_is_found_where_programs_write_it(kind: str) -> None:
    content, wanted = AUTHORS[kind]

    assert wanted == authors_in(content)


@given(st.sampled_from([b"%PDF-1.4", b"PK\3\4"]), st.binary(max_size=300))
def test_a_damaged_document_names_nobody_and_breaks_nothing(start: bytes, rest: bytes) -> None:
    content = start + b"/Author (" + rest + b"/Type/ObjStm stream\n" + rest
    assert all(name.isprintable() for name in authors_in(content))


def test_a_document_that_unpacks_without_end_is_read_in_part() -> None:
    bomb = zlib.compress(b"\0" * 50_000_000)

    assert 1_000_000 == len(_unpack(bomb))
    assert b"" == _unpack(b"not packed")


@pytest.mark.parametrize(
    ("info", "change"), [(b"/Title (Guide)", "Ana López"), (b"/Author (Ana L\363pez)", "")]
)
def test_a_name_that_exiftool_wrote_is_found_and_one_that_it_only_struck_out(
    tmp_path: Path, info: bytes, change: str
) -> None:
    """Programs change a PDF by adding to its end: what was deleted is still in the file."""
    file = write(tmp_path, "guide.pdf", pdf(info))
    command = [program("exiftool"), "-q", "-overwrite_original", f"-PDF:Author={change}", str(file)]
    subprocess.run(command, check=True, capture_output=True)

    assert ("Ana López",) == authors_in(file.read_bytes())
