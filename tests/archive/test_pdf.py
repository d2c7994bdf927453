"""PDFs: what is in them, that Chromium contacts nobody, and what happens when it fails."""

import datetime as dt
import http.server
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from newsletter.archive.pdf import NoPdf, find_browser, print_page
from PIL import Image

from tests.archive.built import Archive, build, contents, example, html_of
from tests.cli.support import went_well
from tests.support.inside import run_inside
from tests.support.project import Project
from tests.support.tools import ROOT, program

LANGUAGES = ["ar", "en", "es", "fr"]
DAY = dt.date(2017, 3, 31)


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    """The archive of the March issue, with PDFs; nobody may change it."""
    program("chromium")
    project = example(tmp_path_factory.mktemp("printed") / "project", older=False)
    went_well(build(project), "4 pages and 4 PDFs")
    return Archive(project, project.folder / "archive")


def told(*command: str) -> str:
    return subprocess.run(
        [program(command[0]), *command[1:]], capture_output=True, text=True, timeout=60, check=True
    ).stdout


def information(pdf: Path) -> dict[str, str]:
    lines = [line.partition(":") for line in told("pdfinfo", str(pdf)).splitlines()]
    return {name: value.strip() for name, _, value in lines}


@dataclass(frozen=True)
class Word:
    """A word on a sheet: from left to right in points, from top to bottom in sheets."""

    text: str
    left: float
    right: float
    top: float
    bottom: float


def words_of(pdf: Path) -> list[list[Word]]:
    """The words of each sheet, without the issue's name at its head and the number at its foot."""
    pages = html_of(told("pdftotext", "-bbox", str(pdf), "-")).xpath("//page")
    return [[word for word in _words(page) if 0.07 < word.top < 0.94] for page in pages]


def _words(page: Any) -> Iterator[Word]:
    height = float(page.get("height"))
    for word in page:
        left, right, top, bottom = (
            float(word.get(edge)) for edge in ("xmin", "xmax", "ymin", "ymax")
        )
        yield Word(word.text, left, right, top / height, bottom / height)


def letters(text: str) -> list[str]:
    return [char for char in text if char.isalpha()]


def browser() -> Path:
    program("chromium")
    found = find_browser()
    assert found
    return found


# What is in them


@pytest.mark.needs_chromium
@pytest.mark.parametrize("language", LANGUAGES)
def test_a_pdf_holds_every_headline_and_the_background_in_full(
    printed: Archive, language: str
) -> None:
    name = "2017-03.yaml" if language == "en" else f"2017-03.{language}.yaml"
    issue = yaml.safe_load((ROOT / "issues" / name).read_text(encoding="utf-8"))
    text = told("pdftotext", str(printed.folder / f"2017-03.{language}.pdf"), "-")

    if language == "ar":  # pdftotext gives joined letters an order of its own, but drops none
        written = sum(len(letters(story["blurb"])) for story in issue["stories"])
        assert written < len(letters(text))
        return
    joined = "".join(text.split())
    for story in issue["stories"]:
        assert "".join(story["headline"].split()) in joined, story["id"]
    (background,) = (each["background"] for each in issue["stories"] if "background" in each)
    last = background["text"].split("\n\n")[-1]
    assert "".join(last.split())[-60:].replace("-", "") in joined.replace("-", "")


@pytest.mark.needs_chromium
@pytest.mark.parametrize("language", LANGUAGES)
def test_a_pdf_is_tagged_on_a4_and_tells_the_issues_day(printed: Archive, language: str) -> None:
    told_by = information(printed.folder / f"2017-03.{language}.pdf")
    assert "yes" == told_by["Tagged"]
    assert "A4" in told_by["Page size"]
    assert "2017" in told_by["Title"]
    assert "Fri Mar 31 00:00:00 2017" in told_by["CreationDate"]
    assert told_by["CreationDate"] == told_by["ModDate"]


@pytest.mark.needs_chromium
@pytest.mark.parametrize("language", LANGUAGES)
def test_a_pdf_does_not_tell_what_browser_and_system_made_it(
    printed: Archive, language: str
) -> None:
    pdf = printed.folder / f"2017-03.{language}.pdf"
    assert not {"Creator", "Producer"} & set(information(pdf))
    for trace in (b"Mozilla", b"Chrom", b"Linux", b"Skia", b"file:", str(printed.folder).encode()):
        assert trace not in pdf.read_bytes(), trace


@pytest.mark.needs_chromium
def test_sheets_have_the_issues_name_at_the_head_and_a_number_at_the_foot(
    printed: Archive,
) -> None:
    pdf = printed.folder / "2017-03.en.pdf"
    sheets = told("pdftotext", "-layout", str(pdf), "-").rstrip("\f").split("\f")
    assert len(sheets) == int(information(pdf)["Pages"])
    for number, sheet in enumerate(sheets, start=1):
        lines = sheet.strip().splitlines()
        # pdftotext drops the spaces when both numbers have one digit.
        assert f"{number}/{len(sheets)}" == "".join(lines[-1].split())
        assert (number > 1) == lines[0].strip().endswith("· March 2017")


@pytest.mark.needs_chromium
@pytest.mark.parametrize("language", ["en", "es", "fr"])
def test_no_headline_or_picture_stands_alone_at_the_foot_of_a_sheet(
    printed: Archive, language: str
) -> None:
    pdf = printed.folder / f"2017-03.{language}.pdf"
    name = "2017-03.yaml" if language == "en" else f"2017-03.{language}.yaml"
    issue = yaml.safe_load((ROOT / "issues" / name).read_text(encoding="utf-8"))
    ends = ["".join(story["headline"].split()[-2:]) for story in issue["stories"]]
    ends += ["".join(section["title"].split()[-2:]) for section in issue["sections"]]
    made_by = [story["image"]["credit"] for story in issue["stories"] if "image" in story]
    ends += ["".join(credit.split()[-2:]) for credit in made_by]
    for sheet in told("pdftotext", "-layout", str(pdf), "-").rstrip("\f").split("\f"):
        last = "".join(sheet.strip().splitlines()[:-1][-1].split())
        assert not [end for end in ends if last.endswith(end)]
    pictures = told("pdfimages", "-list", str(pdf)).splitlines()[2:]
    assert 7 == len({line.split()[10] for line in pictures})


@pytest.mark.needs_chromium
@pytest.mark.parametrize("language", LANGUAGES)
def test_sheets_are_full_and_begin_with_no_lone_link(printed: Archive, language: str) -> None:
    sheets = words_of(printed.folder / f"2017-03.{language}.pdf")
    for sheet in sheets[:-1]:
        assert max(word.bottom for word in sheet) > 0.75
    for sheet in sheets:
        top = min(word.top for word in sheet)
        assert not [word for word in sheet if word.top < top + 0.01 and "https:" in word.text]


@pytest.mark.needs_chromium
def test_no_speck_is_left_below_the_words_of_a_sheet(printed: Archive, tmp_path: Path) -> None:
    """Where a highlight moved to the next one; Spanish has such a place."""
    pdf = printed.folder / "2017-03.es.pdf"
    number = next(
        number for number, sheet in enumerate(words_of(pdf), start=1) if sheet[0].text == "3064"
    )
    before = ("-f", str(number - 1), "-l", str(number - 1))
    told("pdftoppm", "-r", "36", "-gray", "-singlefile", *before, str(pdf), str(tmp_path / "sheet"))
    end = max(word.bottom for word in words_of(pdf)[number - 2])
    with Image.open(tmp_path / "sheet.pgm") as picture:
        below = (0, end * picture.height + 6, picture.width, 0.94 * picture.height)
        assert min(picture.crop(below).tobytes()) > 250


@pytest.mark.needs_chromium
def test_an_address_keeps_its_distance_from_words_that_run_from_right_to_left(
    printed: Archive,
) -> None:
    for sheet in words_of(printed.folder / "2017-03.ar.pdf"):
        for word in sheet:
            line = [each for each in sheet if abs(each.top - word.top) < 0.004]
            right = [each.left - word.right for each in line if each.left >= word.right - 1]
            if "https:" in word.text and right:
                assert min(right) > 2, "points"


@pytest.mark.needs_chromium
def test_addresses_stand_behind_links_and_buttons_are_left_out(printed: Archive) -> None:
    text = told("pdftotext", str(printed.folder / "2017-03.en.pdf"), "-")
    assert "<https://defenders.example/stories/elena-pershakova>" in "".join(text.split())
    for left_out in ("Print newsletter", "All issues", "Skip to content", "Follow us"):
        assert left_out not in text


# Building


@pytest.mark.needs_chromium
def test_pages_and_index_link_to_the_pdfs(printed: Archive) -> None:
    pdfs = [f"2017-03.{language}.pdf" for language in LANGUAGES]
    for language in LANGUAGES:
        page = printed.page(f"2017-03.{language}.html")
        assert [f"2017-03.{language}.pdf"] == page.xpath("//a[@type='application/pdf']/@href")
    listed = printed.page("index.html").xpath("//a[@type='application/pdf']/@href")
    assert pdfs == sorted(listed)


def again(archive: Archive, folder: Path) -> str:
    """Build a copy of a project once more; what it said."""
    done = run_inside(("archive", "build"), folder=folder, env=archive.project.environment())
    assert 0 == done.returncode, done.stderr
    return done.stdout


@pytest.mark.needs_chromium
def test_a_pdf_is_made_anew_only_when_its_page_changes(printed: Archive, tmp_path: Path) -> None:
    folder = tmp_path / "project"
    shutil.copytree(printed.project.folder, folder)
    before = contents(folder / "archive")
    assert "Printing" not in again(printed, folder)
    french = folder / "issues" / "2017-03.fr.yaml"
    french.write_text(
        french.read_text(encoding="utf-8").replace("title: ", "title: Notre ", 1), encoding="utf-8"
    )
    # What is printed once more must come out as before, byte for byte.
    (folder / "archive" / "2017-03.en.pdf").unlink()
    said = again(printed, folder)
    assert ["2017-03.en.pdf", "2017-03.fr.pdf"] == sorted(
        line.split()[1].rstrip(".") for line in said.splitlines() if "Printing" in line
    )
    after = contents(folder / "archive")
    assert before["2017-03.en.pdf"] == after["2017-03.en.pdf"]
    assert before["2017-03.fr.pdf"] != after["2017-03.fr.pdf"]


def without_browser(project: Project, tmp_path: Path) -> dict[str, str]:
    """An environment whose PATH knows no browser."""
    empty = tmp_path / "bin"
    empty.mkdir()
    return {**project.environment(), "PATH": str(empty)}


def test_without_chromium_pages_are_built_without_pdfs_and_pdf_says_so(tmp_path: Path) -> None:
    project = Project(tmp_path / "project")
    environment = without_browser(project, tmp_path)
    quiet = project.run("archive", "build", "2017-04", env=environment)
    went_well(quiet, "1 issue and 1 page;")
    assert "PDF" not in quiet.stdout
    asked = project.run("archive", "build", "2017-04", "--pdf", env=environment)
    went_well(asked, "No PDF was made, since neither Chromium nor Chrome is installed.")
    assert ".pdf" not in (project.folder / "archive" / "2017-04.en.html").read_text()


@pytest.mark.parametrize(
    ("script", "reason"),
    [("exit 3", "it ended with code 3"), ("exit 0", "chromium made no file")],
)
def test_a_browser_that_fails_costs_the_pdfs_but_no_page(
    tmp_path: Path, script: str, reason: str
) -> None:
    project = Project(tmp_path / "project")
    environment = without_browser(project, tmp_path)
    fake = tmp_path / "bin" / "chromium"
    fake.write_text(f"#!/bin/sh\n{script}\n")
    fake.chmod(0o755)
    done = project.run("archive", "build", "2017-04", env=environment)
    went_well(done, f"Some pages have no PDF: {reason}.")
    page = (project.folder / "archive" / "2017-04.en.html").read_text()
    assert "<article" in page
    assert ".pdf" not in page
    assert not [each for each in project.folder.iterdir() if each.name.startswith("newsletter-pdf")]


def test_a_browser_that_hangs_is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text("<p>A page")
    fake = tmp_path / "chromium"
    fake.write_text(f"#!/bin/sh\nsleep 300 & echo $! > {tmp_path}/child\nwait\n")
    fake.chmod(0o755)
    with pytest.raises(NoPdf, match="longer than 1 seconds"):
        print_page(fake, page, date=DAY, within_s=1)
    child = Path("/proc") / (tmp_path / "child").read_text().strip() / "stat"
    deadline = time.monotonic() + 10
    while runs(child):  # what was killed takes a moment to end
        assert time.monotonic() < deadline


def runs(stat: Path) -> bool:
    """Whether a process is there, and has not ended."""
    try:
        return stat.read_text().split()[2] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


# Nobody is contacted


@pytest.fixture
def server() -> Iterator[tuple[int, list[str]]]:
    """A web server on this machine, and what it was asked for."""
    asked: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
            """Say nothing."""

    listening = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield int(listening.server_address[1]), asked
    listening.shutdown()
    thread.join()
    listening.server_close()


@pytest.mark.needs_chromium
def test_chromium_reaches_no_machine_whatever_a_page_asks_for(
    tmp_path: Path, server: tuple[int, list[str]]
) -> None:
    port, asked = server
    page = tmp_path / "page.html"
    loads = (
        f"<img src='http://{host}:{port}/pixel.gif'>"
        f"<link rel=stylesheet href='http://{host}:{port}/style.css'>"
        for host in ("127.0.0.1", "localhost")
    )
    page.write_text(f"<title>A page</title>{''.join(loads)}<p>Words")
    assert print_page(browser(), page, date=DAY).startswith(b"%PDF-")
    assert [] == asked
