"""What goes with an issue, read as a whole: each fault with its place."""

from pathlib import Path

import pytest
from newsletter.errors import IssueError
from newsletter.issues.loader import load_issue
from newsletter.issues.material import load_material
from newsletter.theme import LogoFile, ShownWidths

from tests.issues.documents import pdf
from tests.issues.originals import chart, full_jpeg, jpeg, photograph, png, write
from tests.issues.support import told

ISSUE = """\
title: March 2017
date: 2017-03-31
language: en
subject: News from defenders
preheader: A year of safety in Hamburg
lead: second
stories:
  - id: first
    headline: The first
    blurb: One.
    image:
      file: march/one.jpg
      alt: A harbour
      credit: Ana López
    download:
      label: The guide (PDF)
      file: guide.pdf
  - id: second
    headline: The second
    blurb: Two.
    image:
      file: two.png
      alt: A chart
      credit: Us
    download:
      label: Elsewhere
      url: https://defenders.example/x.pdf
  - id: third
    headline: The third
    blurb: Three.
"""
SHOWN = ShownWidths(lead=200, story=100)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path, "images/march/one.jpg", full_jpeg(photograph(600, 400)))
    write(tmp_path, "images/two.png", png(chart()))
    write(tmp_path, "files/guide.pdf", pdf(b"/Author (Bo Ek)"))
    write(tmp_path, "2017-03.yaml", ISSUE.encode())
    return tmp_path


def test_each_story_gets_its_picture_at_its_width_and_its_document(folder: Path) -> None:
    material = load_material(load_issue(folder / "2017-03.yaml"), folder, shown=SHOWN)
    paths = [("stories", 0, "image"), ("stories", 1, "image")]
    first, second = (material.pictures[path] for path in paths)

    assert set(paths) == material.pictures.keys()
    assert ((100, 200), (200, 400)) == ((first.shown, first.width), (second.shown, second.width))
    assert ("Ana López", "© 2017 Ana López, all rights reserved") == first.credit
    assert ("Front Line",) == first.withheld
    assert {"guide.pdf"} == material.documents.keys()
    guide = material.documents["guide.pdf"]
    assert ("guide.pdf", "application/pdf", ("Bo Ek",)) == (
        guide.name, guide.media_type, guide.authors
    )  # fmt: skip
    assert (folder / "files" / "guide.pdf").read_bytes() == guide.content


def test_whatever_is_wrong_is_told_at_once_with_line_and_story(folder: Path) -> None:
    loaded = load_issue(folder / "2017-03.yaml")
    write(folder, "images/march/one.jpg", jpeg(photograph())[:3000])
    (folder / "images" / "two.png").unlink()
    (folder / "files" / "guide.pdf").unlink()
    with pytest.raises(IssueError) as caught:
        load_material(loaded, folder, shown=SHOWN)

    assert "Some pictures or documents cannot be used." == caught.value.what
    assert [
        "12:13, story “The first”: “one.jpg” is damaged: it cannot be read to its end. Copy it "
        "again from its source, or open it in an image editor and save it again.",
        "17:13, story “The first”: “guide.pdf” cannot be opened: No such file or directory. "
        "Check its name and rights.",
        "22:13, story “The second”: “two.png” cannot be opened: No such file or directory. "
        "Check its name and rights.",
    ] == [told(problem) for problem in caught.value.problems]


def test_the_theme_s_logo_is_developed_like_any_picture(folder: Path) -> None:
    loaded = load_issue(folder / "2017-03.yaml")
    logo = write(folder, "theme/logo.jpg", full_jpeg(photograph(600, 400)))
    shown = ShownWidths(lead=200, story=100, logo=LogoFile(logo, 60))
    made = load_material(loaded, folder, shown=shown).logo

    assert made is not None
    assert (60, 120, ()) == (made.shown, made.width, made.credit)
    logo.write_bytes(b"%PDF-1.7")
    with pytest.raises(IssueError) as caught:
        load_material(loaded, folder, shown=shown)
    assert [f"{logo}, logo: “logo.jpg” is a PDF, no PNG, JPEG or GIF."] == [
        str(problem).partition(" Save")[0] for problem in caught.value.problems
    ]
