"""Files that break: each ends in its readers, or in a sentence with nothing imported."""

import codecs
import io
import json
import random
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from newsletter.errors import RosterError
from newsletter.project import Project
from newsletter.project.imports import ImportOptions, import_ledger, imports_of, stage

from tests.project.moves import moved, people, written, zipped
from tests.support.project import Project as Folder

ANNA = "anna@readers.example"
LIST = f"email,name\r\n{ANNA},Anna\r\nben@readers.example,Ben\r\n"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    folder = Folder(tmp_path / "project")
    (folder.folder / "subscribers.csv").unlink()
    return Project(folder.folder)


def names(project: Project) -> dict[str, str]:
    return {each.address.local: each.name for each in project.roster().subscribers}


# Encodings

WORDS = {
    "utf-8": "Łukasz Жанна محمد", "utf-8-sig": "Łukasz Жанна", "utf-16": "Жанна", "utf-32": "Жанна",
    "utf-16-le": "Anna Müller", "utf-16-be": "Anna Müller", "cp1252": "Renée Müller",
    "cp1250": "Łukasz Żółć", "cp1251": "Екатерина Смирнова", "koi8_r": "Екатерина Смирнова",
    "cp1256": "فاطمة الزهراء", "mac_roman": "Renée Müller", "shift_jis": "山田太郎",
    "iso8859_15": "Œdipe Žižek",
}  # fmt: skip


@pytest.mark.parametrize(("encoding", "word"), WORDS.items())
def test_letters_come_out_as_they_were_written(
    project: Project, tmp_path: Path, encoding: str, word: str
) -> None:
    text = "email,name\n" + "".join(f"r{n}@a.example,{word}\n" for n in range(8))
    marks = {"utf-16-le": b"", "utf-16-be": b""}
    staged, _ = moved(
        project, written(tmp_path, {"a.csv": marks.get(encoding, b"") + text.encode(encoding)})
    )
    assert {word} == set(names(project).values())
    said = [note.what for note in staged.files[0].notes]
    assert bool(said) is not encoding.startswith("utf")


def test_a_byte_that_is_wrong_spoils_its_row_alone(project: Project, tmp_path: Path) -> None:
    text = "email,name\na@a.example,Žofia\nb@a.example,\xff\nc@a.example,Łukasz\n"
    raw = text.encode().replace("\xff".encode(), b"\xff")
    staged, _ = moved(project, written(tmp_path, {"a.csv": raw}))
    assert {"a": "Žofia", "c": "Łukasz"} == names(project)
    assert [3] == [each.row for each in staged.rejected]


# Structure: all of these hold Anna and Ben

SOUND = {
    "semicolons": LIST.replace(",", ";"),
    "tabs": LIST.replace(",", "\t"),
    "bars": LIST.replace(",", "|"),
    "sep line": "sep=;\r\n" + LIST.replace(",", ";"),
    "CR only": LIST.replace("\r\n", "\r"),
    "LF, mixed": LIST.replace("\r\n", "\n", 1),
    "no last newline": LIST.rstrip(),
    "empty rows": LIST.replace("\r\n", "\r\n\r\n,\r\n"),
    "short rows": "email,name,city\r\n" + LIST.split("\r\n", 1)[1],
    "empty columns": LIST.replace("\r\n", ",,,\r\n"),
    "quoted": "".join(f'"{line.replace(",", chr(34) + "," + chr(34))}"\r\n'
                      for line in LIST.splitlines()),
    "newline in a cell": LIST.replace("Ben", '"Ben\nB"'),
    "preamble": "Export of 2024\r\n\r\nemail,name\r\n" + LIST.split("\r\n", 1)[1],
    "footer": LIST + "Total: 2,\r\n",
    "header twice": LIST + LIST,
    "no header": LIST.split("\r\n", 1)[1],
    "one column": f"email\r\n{ANNA}\r\nben@readers.example\r\n",
    "addresses": f"{ANNA}\r\nben@readers.example\r\n",
    "name and address": f"Anna <{ANNA}>\nDoe, Ben <ben@readers.example>,\n",
    "spaces": LIST.replace(ANNA, f" \u00a0{ANNA}\u200b "),
    "mailto": LIST.replace(ANNA, f"mailto:{ANNA}"),
    "trailing comma": LIST.replace(f"{ANNA},", f'"{ANNA};",'),
    "BOM inside": LIST.replace(ANNA, f"\ufeff{ANNA}"),
    "capitals": LIST.replace(ANNA, ANNA.upper()) + LIST.split("\r\n", 1)[1],
    "zip with folders": zipped({"a/b/list.csv": LIST, "a/x.md": "x", "__MACOSX/._x.csv": ""}),
    "zip stored": zipped({"list.tsv": LIST.replace(",", "\t")}),
}  # fmt: skip


@pytest.mark.parametrize("content", SOUND.values(), ids=SOUND)
def test_a_file_of_another_shape_holds_the_same_readers(
    project: Project, tmp_path: Path, content: str | bytes
) -> None:
    moved(project, written(tmp_path, {"list.csv": content}))
    assert {"anna", "ben"} == {name.lower() for name in names(project)}


# Values


@pytest.mark.parametrize(
    "cell",
    [
        "anna(at)a.example", "anna@a.example / b@a.example", "anna@a.example or b@a.example",
        "an na@a.example", "anna@\u200ba.example", "@a.example", "anna@", "anna@@a.example",
        "#REF!", "#N/A", "NULL", "1.2E+11", "1-Mar", "anna@a\u202e.example", "a" * 20_000,
        "anna@localhost", "anna@a.example\nb@a.example", "=HYPERLINK(1)",
    ],
)  # fmt: skip
def test_what_is_no_address_is_rejected_with_its_row(
    project: Project, tmp_path: Path, cell: str
) -> None:
    rows = f'email,name\n"{cell}",X\nben@a.example,Ben\n'
    staged, _ = moved(project, written(tmp_path, {"a.csv": rows}))
    assert [2] == [each.row for each in staged.rejected]
    assert {"ben": "Ben"} == names(project)


@pytest.mark.parametrize(
    "said",
    [
        "yes",
        "oui",
        "sí",
        "ja",
        "نعم",
        "TRUE",
        "1",
        "x",
        "tak",
        "sim",
        "да",
        "✓",
        "2021-03-04",
        "01/02/2021",
    ],
)
def test_a_flag_of_leaving_is_understood_in_many_languages(
    project: Project, tmp_path: Path, said: str
) -> None:
    moved(project, written(tmp_path, {"a.csv": f"email,unsubscribed\n{ANNA},{said}\n"}))
    assert {ANNA: "left"} == people(project, ANNA)


def test_damaged_names_are_left_out_and_counted(project: Project, tmp_path: Path) -> None:
    rows = "email,name\na@a.example,MÃ¼ller\nb@a.example,*|FNAME|*\nc@a.example,Cy\n"
    staged, _ = moved(project, written(tmp_path, {"a.csv": rows}))
    assert {"a": "", "b": "", "c": "Cy"} == names(project)
    assert 2 == sum(staged.odd.values())


# What is no list, or no safe one


def bomb() -> bytes:
    return zipped({"bomb.csv": "a" * 50_000_000})


def encrypted() -> bytes:
    raw = bytearray(zipped({"secret.csv": LIST}))
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        raw[raw.index(mark) + offset] |= 1
    return bytes(raw)


def many() -> bytes:
    return zipped({f"{n}.csv": "" for n in range(1_001)})


def huge_by_its_own_word() -> bytes:
    raw = bytearray(zipped({"list.csv": LIST}))
    place = raw.index(b"PK\x01\x02")
    raw[place + 24 : place + 28] = struct.pack("<I", 3_000_000_000)
    return bytes(raw)


def wrong_checksum() -> bytes:
    raw = bytearray(zipped({"list.csv": LIST}))
    place = raw.index(b"PK\x01\x02")
    raw[place + 16 : place + 20] = b"\0\1\2\3"
    return bytes(raw)


def by_another_method() -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_BZIP2) as archive:
        archive.writestr("list.csv", LIST)
    return packed.getvalue()


REFUSED: dict[str, tuple[str | bytes | Callable[[], bytes], str]] = {
    "web page": ("<!DOCTYPE html><html><body>502 Bad Gateway</body></html>", "web page"),
    "web page, late": ("\r\n\r\n  <HTML lang=en>", "web page"),
    "JSON": (json.dumps({"error": "rate limited"}), "web page or data"),
    "JSON list": (json.dumps([{"email": ANNA}]), "web page or data"),
    "XML": ('<?xml version="1.0"?><Error/>', "web page"),
    "empty": ("", "empty"),
    "NULs alone": (b"\0" * 5000, "empty"),
    "a picture": (b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 20, "column"),
    "random": (random.Random(7).randbytes(5000), "."),
    "open quotation mark": ('email,name\n"anna@a.example,Anna\nben@a.example,B\n', "never closed"),
    "no address": ("who,what\nAnna,x\n", "Nobody can tell"),
    "two columns of addresses": ("Email,E-mail\na@a.example,b@a.example\n", "Several columns"),
    "too many columns": ("email," * 1_500 + "x\na@a.example\n", "columns"),
    "bomb": (bomb, "not unpacked"),
    "encrypted": (encrypted, "encrypted"),
    "many files": (many, "1,001 files"),
    "huge by its own word": (huge_by_its_own_word, "not unpacked"),
    "wrong checksum": (wrong_checksum, "damaged"),
    "by another method": (by_another_method, "method"),
    "cut ZIP": (zipped({"list.csv": LIST})[:60], "cannot be read"),
    "ZIP without a list": (zipped({"photo.jpg": "x"}), "no list"),
    "ZIP in a ZIP": (zipped({"inner.csv": zipped({"list.csv": LIST})}), "."),
    "UTF-16 cut": (codecs.BOM_UTF16_LE + b"\x00", "."),
}  # fmt: skip


@pytest.mark.parametrize(("content", "words"), REFUSED.values(), ids=REFUSED)
def test_what_is_no_safe_list_is_refused_by_name(
    project: Project, tmp_path: Path, content: str | bytes | Callable[[], bytes], words: str
) -> None:
    made = content() if callable(content) else content
    paths = written(tmp_path, {"good.csv": LIST, "bad.csv": made})
    with pytest.raises(RosterError, match=words) as found:
        moved(project, paths)
    assert "bad.csv" in str(found.value.where)
    assert [] == imports_of(project)


def test_a_folder_and_a_pipe_are_no_files(project: Project, tmp_path: Path) -> None:
    import os

    os.mkfifo(tmp_path / "pipe.csv")
    for path in (tmp_path, tmp_path / "pipe.csv", tmp_path / "none.csv"):
        with pytest.raises(RosterError, match="cannot be opened"):
            moved(project, [path])


def test_a_cell_of_ten_megabytes_and_a_row_of_nul_cost_their_rows_alone(
    project: Project, tmp_path: Path
) -> None:
    rows = f"email,name\n{ANNA},{'a' * 10_000_000}\nb@a.example,\0\0\nben@a.example,Ben\n"
    staged, _ = moved(project, written(tmp_path, {"a.csv": rows}))
    assert [2, 3] == [each.row for each in staged.rejected]
    assert {"ben": "Ben"} == names(project)
    assert all(len(cell) < 1000 for each in staged.rejected for cell in each.cells)


def test_a_sheet_that_excel_may_have_cut_is_said(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("newsletter.audience.import_reader.SHEET_ROWS", 3)
    staged, _ = moved(project, written(tmp_path, {"a.csv": LIST}))
    assert ["cut off"] == [note.what[-8:-1] for note in staged.files[0].notes]


def test_any_bytes_end_in_a_value_or_a_sentence(project: Project, tmp_path: Path) -> None:
    source = random.Random(20170331)
    sound = [text if isinstance(text, bytes) else str(text).encode() for text in SOUND.values()]
    with import_ledger(project, dry_run=True) as into:
        for number in range(300):
            raw = bytearray(source.choice(sound))
            for _ in range(source.randint(1, 6)):
                place = source.randrange(len(raw))
                raw[place : place + source.randint(0, 4)] = source.randbytes(source.randint(0, 4))
            (path,) = written(tmp_path, {f"{number % 3}.csv": bytes(raw)})
            try:
                staged = stage(project, into, [path], ImportOptions())
            except RosterError:
                continue
            assert all(file.rows >= file.rejected for file in staged.files)
