"""Spreadsheet files: their readers come out as from CSV, and no file eats the memory."""

import base64
import io
import zipfile
import zlib
from pathlib import Path

import pytest
from newsletter.audience import sheet_probe
from newsletter.errors import RosterError
from newsletter.project import Project

from tests.project.moves import moved, people, written, zipped
from tests.project.sheets import WORKBOOK, ods, ods_rows, sheet, xlsx
from tests.support.project import Project as Folder

ROWS: list[list[str | int | float]] = [
    ["Email", "First name", "Unsubscribed", "Ref"],
    ["anna@readers.example", "Anna", "", 7],
    ["ben@readers.example", "Ben", "yes", 8.5],
    ["=1+1", "Eve", "", 9],
]


@pytest.fixture
def project(tmp_path: Path) -> Project:
    folder = Folder(tmp_path / "project")
    (folder.folder / "subscribers.csv").unlink()
    return Project(folder.folder)


EMPTY_END = (
    '<table:table-row table:number-rows-repeated="1048000">'
    '<table:table-cell table:number-columns-repeated="16384"/></table:table-row>'
)


@pytest.mark.parametrize(
    "content",
    [xlsx({"Sheet1": sheet(ROWS)}), ods(ods_rows(ROWS)), ods(ods_rows(ROWS) + EMPTY_END)],
    ids=["xlsx", "ods", "ods with an empty end"],
)
def test_a_sheet_holds_what_a_csv_would(project: Project, tmp_path: Path, content: bytes) -> None:
    staged, _ = moved(project, written(tmp_path, {"list.xlsx": content}))
    assert {"anna": "in", "ben": "left"} == people(project, "anna", "ben")
    assert [4] == [each.row for each in staged.rejected]
    (anna,) = project.roster().subscribers
    assert "Anna" == anna.name


def test_each_sheet_says_by_its_name_who_is_in_it(project: Project, tmp_path: Path) -> None:
    only: list[list[str | int | float]] = [["email"], ["cy@readers.example"]]
    made = xlsx(
        {
            "Readers": sheet(ROWS),
            "Unsubscribed": sheet(only),
            "Notes": sheet([["Who keeps this list?"]]),
            "Old": sheet([["email"], ["dan@readers.example"]]),
        },
        hidden="Old",
    )
    staged, _ = moved(project, written(tmp_path, {"list.xlsx": made}))
    truth = {"anna": "in", "ben": "left", "cy": "left", "dan": "unknown"}
    assert truth == people(project, *truth)
    said = " ".join(note.what for file in staged.files for note in file.notes)
    assert "Hidden sheets, not read: 1" in said
    assert "“Notes” holds no address" in said


@pytest.mark.parametrize(
    ("name", "state"), [("Removed", "left"), ("Spam 2024", "spam"), ("Pending", "wait")]
)
@pytest.mark.parametrize("hidden", [True, False])
def test_a_sheet_is_told_by_one_word_as_a_file_is_and_hidden_as_well(
    project: Project, tmp_path: Path, name: str, state: str, hidden: bool
) -> None:
    both: list[list[str | int | float]] = [
        ["email"],
        ["anna@readers.example"],
        ["ben@readers.example"],
    ]
    made = xlsx({"Readers": sheet(both), name: sheet(both[:2])}, hidden=name if hidden else "")
    moved(project, written(tmp_path, {"list.xlsx": made}))
    assert {"anna": state, "ben": "in"} == people(project, "anna", "ben")


def corners() -> bytes:
    cells = ('<c r="A1"><v>1</v></c>', '<c r="XFD1048576" t="str"><v>a@a.example</v></c>')
    rows = f'<row r="1">{cells[0]}</row><row r="1048576">{cells[1]}</row>'
    return xlsx({"S": f"<worksheet {WORKBOOK}><sheetData>{rows}</sheetData></worksheet>"})


def corners_of_many_sheets() -> bytes:
    """Three sheets, each of which is small enough alone."""
    cells = "<c r='A1'><v>1</v></c><c r='J1000000' t='str'><v>a@a.example</v></c>"
    content = f"<worksheet {WORKBOOK}><sheetData><row>{cells}</row></sheetData></worksheet>"
    return xlsx(dict.fromkeys("STU", content))


def cells_without_place() -> bytes:
    cell = '<c t="str"><v>a@a.example</v></c>'
    rows = f'<row r="1">{cell * 1_000}</row><row r="1048576">{cell}</row>'
    return xlsx({"S": f"<worksheet {WORKBOOK}><sheetData>{rows}</sheetData></worksheet>"})


def one_text_in_many_cells() -> bytes:
    """A file of a few kilobytes whose cells take 6 GB, since each has the same long text."""
    cells = "".join(f'<row r="{n}"><c r="A{n}" t="s"><v>0</v></c></row>' for n in range(1, 2001))
    content = f"<worksheet {WORKBOOK}><sheetData>{cells}</sheetData></worksheet>"
    return xlsx({"S": content}, texts=["x" * 3_000_000 + "@a.example"])


def lists_many(name: str) -> bytes:
    """A ZIP whose directory lists a file 10,001 times."""
    entry = b"PK\x01\x02" + bytes(24) + len(name).to_bytes(2, "little") + bytes(16)
    directory = (entry + name.encode()) * 10_001
    size = len(directory).to_bytes(4, "little")
    end = b"PK\x05\x06" + bytes(4) + b"\xff\xff" * 2 + size + b"\x04\0\0\0" + bytes(2)
    return b"PK\x03\x04" + directory + end


def repeated(rows: int | str, columns: int) -> bytes:
    cell = (
        f'<table:table-cell table:number-columns-repeated="{columns}" office:value-type="string">'
        "<text:p>a@a.example</text:p></table:table-cell>"
    )
    return ods(f'<table:table-row table:number-rows-repeated="{rows}">{cell}</table:table-row>')


def far_cell() -> bytes:
    """One cell, behind as many empty ones as a file likes to say."""
    cell = '<table:table-cell office:value-type="string"><text:p>a@a.example</text:p>'
    gap = "<table:table-cell table:formula='of:=1>0' table:number-columns-repeated='900000000'/>"
    return ods(f"<table:table-row>{gap}{cell}</table:table-cell></table:table-row>")


# Three cells, one in row and column 65,536 (by xlwt, the column patched); zlib, base64.
FAR_XLS = zlib.decompress(
    base64.b64decode(
        "eNrtWE1oE0EU/mabND+2aVJToRVCKFi1FkG8eGm3CtqTpepBEUG37R5K07QED+pBqzVHQfCkeCn04qXqxR8qojcP"
        "QkUPgiAkevQkKHhos775sktT7aEBLVXmW+bNy5v3Zt7mvXnLzJvFVGn2YUcZv6APDah4MTTWyJS0WPAjCRn3PM0G"
        "fVSaZ/BPIRaVQDaGsdD8OqJjqONdhoUHoZdCgU/SzmAKg5N5N7uBOEQfHKV96BWqcFckCbTTq1bSEdKtpPep+Yy0"
        "n5IbpL2iW1KnsWgPdh/ws/iU1cmxBPS8j2nzgZJ9aMMrncVXbqqqbhgHC2NObnMOZEJNmIPEbcDNuwUnV0JaAjiH"
        "714W+Bbs1BdZI99YuYLIf6yWR9aQ37JCwDS8c0zwohTX5w3VAJ9YQoYZqVsYcCecsdwWwOl39roXnImpnBvX1Zi7"
        "N7lq9zYzq5uEjqKFfIqzJKU+L937+vbo8JB9lpJpVuxqXd+hXYGHq9pCjBM1NV+TblrsIb3GWbeT7yBNi4/Sdw21"
        "+cyRGepc52iXrLOfeGfvrOF3CV/8cuxJpvjZ3i38/ED5Unr+vT2LTvkrRsVePzPoUT3qzm2Np3bQK78GfCRt/60e"
        "RK2k77/nv0gLlhEnmyLVGmoNDUUN5Wvwy6ZWNC5bcX7jUliQcPRZrXikl5Oas4I4DAwMDAwMDAwMDDYnlH/G0OeO"
        "UPWswVNExL/XWZZWMdck/y2OY1Ke83IwPYy89AVcrCt/tiGsgrnUOm2C+0KNk7J6AeMYph/jdeevnAJV7fus2zD5"
        "57ZQvetX6vHzL6//E4pMxp4="
    )
)


def otherwise(was: str, now: str) -> bytes:
    """The sheet of two corners, written as another program might."""
    with zipfile.ZipFile(io.BytesIO(corners())) as archive:
        parts = {each: archive.read(each).decode() for each in archive.namelist()}
    return zipped({name.replace(was, now): text.replace(was, now) for name, text in parts.items()})


def many_rows() -> bytes:
    cell = (
        '<table:table-cell table:number-columns-repeated="9000" office:value-type="string">'
        "<text:p>a@a.example</text:p></table:table-cell>"
    )
    return ods(f"<table:table-row table:number-rows-repeated='9000'>{cell}</table:table-row>")


MERGED = '<mergeCells count="1"><mergeCell ref="C3:C4"/></mergeCells></worksheet>'
FAR = '<row r="1048576"><c t="str"><v>a@a.example</v></c></row>'


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (corners(), "spans 1,048,576 rows"),
        (otherwise('r="XFD1048576"', "r = 'xfd1048576'"), "spans 1,048,576 rows"),
        (otherwise("<c ", "<c\tx='>' "), "spans 1,048,576 rows"),
        (otherwise("worksheets/", "media/"), "spans 1,048,576 rows"),
        (otherwise("<sheetData>", f"<sheetData>{'<c/>' * 99}{FAR}"), "spans 1,048,576 rows"),
        (otherwise("<sheetData>", "<x count='2000000000'/><sheetData>"), "more than a list"),
        (zipped({"[Content_Types].xml": "", "xl/workbook.bin": "x"}), "XLSB"),
        (many_rows(), "repeats cells"),
        (
            xlsx({"S": sheet(ROWS).replace("</worksheet>", MERGED)}),
            "cells of rows 3 to 4 are merged",
        ),
        (
            xlsx({"S": sheet(ROWS).replace("</worksheet>", MERGED.replace("C4", "D4"))}),
            "cells of rows 3 to 4 are merged",
        ),
        (repeated(1_048_576, 16_384), "repeats cells"),
        (corners_of_many_sheets(), "sheets span"),
        (cells_without_place(), "spans 1,048,576 rows"),
        (repeated(10_000, 10_000), "repeats cells"),
        (far_cell(), "repeats cells"),
        (FAR_XLS, "take more memory"),
        (one_text_in_many_cells(), "take more memory"),
        (repeated("&#49;048576", 2), "how often it repeats"),
        (repeated('1" x:number-rows-repeated="9999999', 9), "repeats cells"),
        (lists_many("[Content_Types].xml"), "more than 10,000 files"),
        (lists_many("a.csv"), "more than 10,000 files"),
        (xlsx({"S": sheet([["a"], ["b"]])}), "no sheet of it holds an address"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(5000), "damaged"),
        (xlsx({"S": "<worksheet><sheetData><row><c"}), "cannot be read"),
        (zipped({"[Content_Types].xml": "<Types/>"}), "cannot be read"),
    ],
)
def test_a_sheet_that_cannot_be_read_safely_is_refused(
    project: Project,
    tmp_path: Path,
    content: bytes,
    words: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sheet_probe, "_MOST_MEMORY", 500_000_000)  # soon taken
    with pytest.raises(RosterError, match=words):
        moved(project, written(tmp_path, {"list.xlsx": content}))


def test_a_spreadsheet_that_is_called_csv_is_one(project: Project, tmp_path: Path) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("a/list.csv", xlsx({"S": sheet(ROWS)}))
    moved(project, written(tmp_path, {"move.zip": packed.getvalue()}))
    assert {"anna": "in", "ben": "left"} == people(project, "anna", "ben")
