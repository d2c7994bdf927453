import csv
import io
import os
import threading
import unicodedata
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from newsletter.audience.model import Roster
from newsletter.audience.reader import read_roster
from newsletter.config import Audience
from newsletter.errors import Problem, RosterError

ROOT = Path(__file__).parents[2]


def roster(tmp_path: Path, content: str | bytes, *, fields: tuple[str, ...] = ()) -> Roster:
    path = tmp_path / "list.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_roster(path, Audience(fields=list(fields)))


def refusal(tmp_path: Path, content: str | bytes, *, fields: tuple[str, ...] = ()) -> RosterError:
    with pytest.raises(RosterError) as caught:
        roster(tmp_path, content, fields=fields)
    assert caught.value.next
    return caught.value


def addresses(found: Roster) -> list[str]:
    return [str(subscriber.address) for subscriber in found.subscribers]


def rows(problems: tuple[Problem, ...]) -> list[int | None]:
    return [problem.where.row for problem in problems]


def test_the_example_list_is_read_without_a_complaint() -> None:
    found = read_roster(ROOT / "subscribers.example.csv", Audience(fields=["organisation"]))
    assert (13, (), (), ()) == (found.rows, found.refused, found.repeated, found.warnings)
    by_row = {subscriber.row: subscriber for subscriber in found.subscribers}
    assert "info@xn--menschenrechte-mnchen-oic.example" == str(by_row[8].address)
    assert ("", "en") == (by_row[5].name, by_row[5].language)
    assert ("نور الحسن", "ar") == (by_row[11].name, by_row[11].language)
    assert {"organisation": "El Periódico, redacción"} == by_row[10].fields
    assert all(s.address.domain.endswith(".example") for s in found.subscribers)


@pytest.mark.parametrize(
    "header",
    [
        "email,name,language",
        "E-Mail,NAME,Lang",
        "Adresse e-mail,Prénom,Langue",
        "correo electrónico,Nombre,Idioma",
        "E-Mail-Adresse,Vorname,Sprache",
        "Электронная почта,Имя,Язык",
        "البريد الإلكتروني,الاسم,اللغة",
        '" Email_Address ","First  name",locale',
        "address,name,language",
    ],
)
def test_columns_are_known_by_many_names(tmp_path: Path, header: str) -> None:
    (subscriber,) = roster(tmp_path, f"{header}\nanna@a.example,Anna,fr\n").subscribers
    found = (str(subscriber.address), subscriber.name, subscriber.language)
    assert ("anna@a.example", "Anna", "fr") == found


def test_a_postal_address_beside_the_email_is_not_taken_for_it(tmp_path: Path) -> None:
    found = roster(tmp_path, "Address,Email\n1 Example Street,anna@a.example\n")
    assert ["anna@a.example"] == addresses(found)
    assert "“Address”" in found.warnings[0].what


def test_the_first_name_wins_over_the_name(tmp_path: Path) -> None:
    found = roster(tmp_path, "Nom,Prénom,Courriel\nLefèvre,Renée,r@a.example\n")
    assert "Renée" == found.subscribers[0].name


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
def test_every_dialect_of_a_spreadsheet_gives_the_same_list(
    tmp_path: Path, delimiter: str, newline: str, encoding: str
) -> None:
    lines = [
        ["email", "name", "organisation"],
        ["anna@a.example", "Zoë", f"One{delimiter} two"],
        ["bob@a.example", "Bob\nBobson", ""],
    ]
    out = io.StringIO(newline="")
    csv.writer(out, delimiter=delimiter, lineterminator=newline, quoting=csv.QUOTE_ALL).writerows(
        lines
    )
    found = roster(tmp_path, out.getvalue().encode(encoding), fields=("organisation",))
    assert ["Zoë", "Bob Bobson"] == [s.name for s in found.subscribers]
    assert f"One{delimiter} two".replace("\t", "") == found.subscribers[0].fields["organisation"]
    assert [2, 3] == [s.row for s in found.subscribers]


def test_an_address_that_our_export_keeps_from_being_a_formula_is_the_same(tmp_path: Path) -> None:
    found = roster(tmp_path, "email\n'=x@a.example\n'o.neill@a.example\n")
    assert ["=x@a.example", "'o.neill@a.example"] == addresses(found)


def test_of_our_own_export_alone_a_defused_name_is_had_back(tmp_path: Path) -> None:
    own = "email,name,language,joined,source,status\na@a.example,'-Jo,en,,file,active\n"
    assert "-Jo" == roster(tmp_path, own).subscribers[0].name
    assert "'-Jo" == roster(tmp_path, own.replace("source", "origin")).subscribers[0].name


def test_excels_sep_line_names_the_separator_and_is_no_row(tmp_path: Path) -> None:
    found = roster(tmp_path, "sep=|\r\nemail|name\r\nanna@a.example|Anna; Bob, too\r\n")
    assert ("Anna; Bob, too", 2) == (found.subscribers[0].name, found.subscribers[0].row)


@pytest.mark.parametrize(
    ("name", "encoding", "said"),
    [
        ("Renée", "cp1252", "Windows-1252"),
        ("Екатерина Смирнова", "cp1251", "Windows-1251"),
        ("فاطمة الزهراء", "cp1256", "Windows-1256"),
        ("Łukasz Żółć", "cp1250", "Windows-1250"),
    ],
)
def test_what_excel_writes_on_any_windows_is_read_and_said(
    tmp_path: Path, name: str, encoding: str, said: str
) -> None:
    found = roster(tmp_path, f"email;name\r\nr@a.example;{name}\r\n".encode(encoding))
    assert name == found.subscribers[0].name
    assert said in found.warnings[0].what
    assert name.split(maxsplit=1)[0] in found.warnings[0].what


@pytest.mark.fault(
    "Input",
    "a row of a list that is not UTF-8 like the others, holds NUL or ends amid a quoted cell",
    state="refused by its row's number; all other rows are read",
)
@pytest.mark.parametrize(
    ("row", "why"),
    [
        (b"b@a.example,Ren\xe9", "not UTF-8"),
        (b"b@a.example,B\0", "NUL"),
        ("b@a.example,B".encode("utf-16-le"), "NUL"),
        (b'b@a.example,"B" x', "quotation mark inside a cell"),
        (b"b@a.example," + b"x" * 140_000, "more than 10,000"),
        (b"b@a.example," + b"x" * 10_000_000, "more than 1,000,000"),
        (b"b@a.example" + b"," * 100_000, ""),
        (b"b@a.example" + b",x" * 100_000, "100001 cells"),
        (b"<" * 9_000 + b">,B", "longer than mail servers accept"),
        (b"b" + b" " * 130_000 + b">,B", "more than 10,000"),
    ],
)
def test_a_bad_row_stops_no_other(tmp_path: Path, row: bytes, why: str) -> None:
    found = roster(tmp_path, "email,name\na@a.example,Zoë\n".encode() + row + b"\nc@a.example,C\n")
    if why:
        assert ["a@a.example", "c@a.example"] == addresses(found)
        assert [3] == rows(found.refused)
        assert why in found.refused[0].what
    else:
        assert 3 == len(found.subscribers)


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ('b@a.example,"B\nc@a.example,"C" x', "row 3: There is a quotation mark inside a cell"),
        ('b@a.example,"B\nc@a.example,C', "row 3: A quotation mark opens"),
    ],
)
def test_where_one_row_may_have_swallowed_others_nobody_is_read(
    tmp_path: Path, row: str, says: str
) -> None:
    error = refusal(tmp_path, f"email,name\na@a.example,Zoë\n{row}\nd@a.example,D\n")
    assert says in str(error)


@pytest.mark.parametrize(
    ("header", "says"),
    [
        ("email," + ",".join(map(str, range(100_000))), "100,001 columns"),
        ("email,n\0me", "header cannot be read. The row holds NUL"),
        ("email," + "n" * 10_000_000, "more than 1,000,000 characters"),
    ],
)
def test_a_header_beyond_all_bounds_is_refused(tmp_path: Path, header: str, says: str) -> None:
    assert says in str(refusal(tmp_path, f"{header}\na@a.example,A\n"))


@pytest.mark.fault(
    "Input",
    "a list that is a pipe, a device or a link to itself",
    state="refused with a sentence; nothing waits for it",
)
def test_a_list_that_is_no_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "circle").symlink_to("circle")
    for path in (tmp_path / "pipe", tmp_path / "circle", Path("/dev/zero")):
        with pytest.raises(RosterError, match="cannot be opened"):
            read_roster(path)


def test_a_list_of_more_bytes_than_any_list_has_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    with path.open("wb") as file:
        file.truncate(10_000_000_000)  # a hole: no room on the disk
    with pytest.raises(RosterError, match="holds more than 200 MB"):
        read_roster(path)


def test_a_list_of_more_rows_than_any_list_has_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("newsletter.audience.reader.MAX_ROWS", 2)
    assert "more than 2 rows" in str(refusal(tmp_path, "email\na@a.example\nx\nb@a.example\n"))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "empty"),
        (b"\xef\xbb\xbf", "empty"),
        (b"\r\n , ,\r\n", "empty"),
        (b"email,name\r\n", "no readers"),
        (b"PK\x03\x04rest", "spreadsheet file"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1rest", "spreadsheet file"),
        (b"email\na@\x00a.example\n", "NUL"),
        (b"\xff\xfee", "not valid UTF-16"),
        (b"\xef\xbb\xbfemail\n\xe9@a.example", "None of the list's 1 rows"),
        (b"email,name\na@a.example,\x81\x8d\n", "not UTF-8 text"),
        (b"anna@a.example,Anna\nbob@a.example,Bob\n", "no header; its first row is: “anna@"),
        (b"who,what\nanna@a.example,Anna\n", "its first row is: “who”, “what”"),
        (b"email,e-mail\na@a.example,b@a.example\n", "“email”, “e-mail”"),
        (b"email,name,name\na@a.example,A,B\n", "Several columns"),
        (b'email,name\na@a.example,"Anna\nb@a.example,Bob\n', "row 2: A quotation mark opens"),
        (b"email,name\na@a.example," + b"x" * 140_000 + b"\n", "row 2: A cell holds more than"),
        (b"email,name\nnonsense,Anna\n,Bob\n", "None of the list's 2 rows"),
    ],
)
def test_a_list_that_cannot_be_used_says_what_and_where(
    tmp_path: Path, content: bytes, says: str
) -> None:
    assert says in str(refusal(tmp_path, content))


def test_when_no_row_can_be_used_each_reason_is_told(tmp_path: Path) -> None:
    assert [2, 3] == rows(refusal(tmp_path, "email,name\nnonsense,Anna\n,Bob\n").problems)


def test_a_field_that_the_list_lacks_is_an_error(tmp_path: Path) -> None:
    error = refusal(tmp_path, "email,name\na@a.example,A\n", fields=("organisation", "city"))
    missing = [problem.what.split("“")[1].split("”")[0] for problem in error.problems]
    assert ["organisation", "city"] == missing
    assert "“email”, “name”" in str(error)


def test_a_missing_file_a_folder_and_a_locked_file_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(RosterError, match="no such list"):
        read_roster(tmp_path / "none.csv")
    with pytest.raises(RosterError, match="folder"):
        read_roster(tmp_path)


def test_a_file_one_may_not_read_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def locked(path: Path, *, max_bytes: int) -> bytes:
        raise PermissionError(13, "Permission denied")  # root may read everything

    monkeypatch.setattr("newsletter.audience.list_file.read_regular", locked)
    with pytest.raises(RosterError, match="Permission denied"):
        read_roster(tmp_path / "list.csv")


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("", ""),
        (",Anna,en", "no address"),
        ("nonsense,Anna,en", "@"),
        ("anna@localhost,Anna,en", "period"),
        ("anna@ a.example,Anna,en", "space"),
        ("an\u200bna@a.example,Anna,en", "U+200B, zero width space"),
        ("anna@a\u00a0.example,Anna,en", "U+00A0"),
        ("an\u00adna@a.example,Anna,en", "soft hyphen"),
        ('"anna@a.\nexample",Anna,en', "line break"),
        ('"a@a.example, b@a.example",Anna,en', "several addresses"),
        ("a@a.example / b@a.example,Anna,en", "several addresses"),
        ('"A <a@a.example>; B <b@a.example>",Anna,en', "several addresses"),
        ("anna@a.example,Lindqvist, Anna,en", "4 cells where the header has 3"),
        ("anna@a.example;Anna;en", "1 cells"),
        ('anna@a.example,"Anna,en\nbob@a.example,Bob,en\neve@a.example,Eve",en', "3 lines"),
    ],
)
def test_a_row_that_cannot_be_used_is_refused_with_its_reason(
    tmp_path: Path, row: str, reason: str
) -> None:
    found = roster(tmp_path, f"email,name,language\n\n{row}\nzoe@a.example,Zoe,en\n")
    assert ["zoe@a.example"] == addresses(found)
    assert [3] * bool(row) == rows(found.refused)
    assert all(reason in problem.what for problem in found.refused)


def test_a_reason_never_repeats_the_address(tmp_path: Path) -> None:
    found = roster(
        tmp_path, "email\nsecret..person@a.example\nsecret person@a.example\nz@a.example"
    )
    assert 2 == len(found.refused)
    assert not any("person" in problem.what for problem in found.refused)


@pytest.mark.parametrize(
    ("cell", "address", "name"),
    [
        ("\u00a0anna@a.example\u200b", "anna@a.example", ""),
        ("\ufeff\u200eanna@a.example\t", "anna@a.example", ""),
        ("Anna Lind <anna@a.example>", "anna@a.example", "Anna Lind"),
        ('"""Lind, Anna"" <anna@a.example>"', "anna@a.example", "Lind, Anna"),
        ("<anna@a.example>", "anna@a.example", ""),
        ("ren@münchen.example", "ren@xn--mnchen-3ya.example", ""),
        ("почта@пример.example", "почта@xn--e1afmkfd.example", ""),
        ("Anna@A.EXAMPLE", "Anna@a.example", ""),
    ],
)
def test_an_address_is_found_in_its_cell(
    tmp_path: Path, cell: str, address: str, name: str
) -> None:
    (subscriber,) = roster(tmp_path, f"email,name\n{cell},\n").subscribers
    assert (address, name) == (str(subscriber.address), subscriber.name)


def test_empty_cells_at_the_right_are_no_reason_to_refuse(tmp_path: Path) -> None:
    found = roster(tmp_path, "email,name,,\nanna@a.example,Anna,,\nbob@a.example,Bob,,,,\n")
    assert ["anna@a.example", "bob@a.example"] == addresses(found)
    assert () == found.warnings


def test_empty_rows_are_skipped_but_counted_as_the_spreadsheet_does(tmp_path: Path) -> None:
    found = roster(tmp_path, "\n,,\nemail,name\n\nanna@a.example,Anna\n,\n\nbob@a.example,Bob\n")
    assert ([5, 8], 2) == ([s.row for s in found.subscribers], found.rows)


def test_the_first_of_two_alike_wins_and_the_other_names_it(tmp_path: Path) -> None:
    found = roster(tmp_path, "email,name\na@a.example,One\nb@a.example,B\na@A.example,Two\n")
    assert ["One", "B"] == [s.name for s in found.subscribers]
    assert [4] == rows(found.repeated)
    assert "row 2" in found.repeated[0].what


def test_addresses_that_differ_only_in_case_are_one_reader(tmp_path: Path) -> None:
    found = roster(tmp_path, "email\nanna@a.example\nAnna@a.example\n")
    assert ["anna@a.example"] == addresses(found)
    assert [3] == rows(found.repeated)
    assert "row 2" in found.repeated[0].what


def test_cells_missing_at_a_rows_end_are_empty(tmp_path: Path) -> None:
    text = "email,name,language\na@a.example,Anna\nb@a.example\nc@a.example,C,en\n"
    found = roster(tmp_path, text)
    assert [("Anna", None), ("", None), ("C", "en")] == [
        (each.name, each.language) for each in found.subscribers
    ]


@pytest.mark.parametrize(
    ("cell", "language"),
    [("FR", "fr"), ("pt_br", "pt-BR"), ("zh-hant-tw", "zh-Hant-TW"), (" en ", "en"), ("", None)],
)
def test_a_language_is_written_as_bcp_47_writes_it(
    tmp_path: Path, cell: str, language: str | None
) -> None:
    found = roster(tmp_path, f"email,language\na@a.example,{cell}\n")
    assert (language, ()) == (found.subscribers[0].language, found.warnings)


@pytest.mark.parametrize(
    "cell", ["Frensh", "e", "und", "en-", "рузский", "cz", "xx", "nan", "NULL"]
)
def test_a_language_that_is_none_is_said_and_left_out(tmp_path: Path, cell: str) -> None:
    found = roster(tmp_path, f"email,language\na@a.example,{cell}\n")
    assert None is found.subscribers[0].language
    assert [2] == rows(found.warnings)
    assert f"“{cell}”" in found.warnings[0].what


def test_control_characters_in_a_name_are_taken_out_and_said(tmp_path: Path) -> None:
    found = roster(tmp_path, "email,name\na@a.example,An\u202ena\x07\n")
    assert "Anna" == found.subscribers[0].name
    assert [2] == rows(found.warnings)


def test_joiners_inside_a_name_stay(tmp_path: Path) -> None:
    name = "نیم\u200cفاصله"
    found = roster(tmp_path, f"email,name\na@a.example,{name}\n")
    assert (name, ()) == (found.subscribers[0].name, found.warnings)


CELLS = st.one_of(
    st.sampled_from(
        ["", " ", "a@a.example", "A@a.example", "b@b.example", "x <c@c.example>", "no", "a@b@c"]
    ),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12),
)


@settings(max_examples=300, deadline=None)
@given(
    table=st.lists(st.lists(CELLS, max_size=4), max_size=12),
    delimiter=st.sampled_from(",;\t"),
    newline=st.sampled_from(["\n", "\r\n", "\r"]),
)
@example(table=[["a@a.example", "a", "en"]], delimiter=",", newline="\n")
@example(table=[["\U000e0000"], ["\ufff0"], ["\u3164", "x"]], delimiter=",", newline="\n")
def test_every_row_is_accounted_for(
    tmp_path_factory: pytest.TempPathFactory, table: list[list[str]], delimiter: str, newline: str
) -> None:
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=delimiter, lineterminator=newline, quoting=csv.QUOTE_ALL)
    writer.writerow(["email", "name", "language"])
    writer.writerows(table)
    path = tmp_path_factory.mktemp("lists") / "list.csv"
    path.write_bytes(out.getvalue().encode())
    again = csv.reader(io.StringIO(out.getvalue(), newline=""), delimiter=delimiter)
    filled = sum(any(not _blank(cell) for cell in cells) for cells in again) - 1
    try:
        found = read_roster(path)
    except RosterError as nobody:
        numbers = list(rows(nobody.problems))
    else:
        assert filled == found.rows
        numbers = [*(s.row for s in found.subscribers), *rows(found.refused + found.repeated)]
    assert filled == len(numbers) == len(set(numbers))


# Default_Ignorable_Code_Point (Unicode 16, DerivedCoreProperties.txt) without category Cf, and the
# blank of Braille: drawn as nothing, by letters, marks and what is not assigned yet.
DRAWN_AS_NOTHING = {
    0x034F, *range(0x115F, 0x1161), *range(0x17B4, 0x17B6), *range(0x180B, 0x1810), 0x2065, 0x2800,
    0x3164, *range(0xFE00, 0xFE10), 0xFFA0, *range(0xFFF0, 0xFFF9), *range(0xE0000, 0xE1000),
}  # fmt: skip


def _blank(cell: str) -> bool:
    """Nothing but what takes no ink."""
    return all(
        c.isspace() or unicodedata.category(c) in {"Cc", "Cf"} or ord(c) in DRAWN_AS_NOTHING
        for c in cell
    )


@settings(max_examples=300, deadline=None)
@given(content=st.binary(max_size=200))
@example(content=b"sep=\r\n")
@example(content=b"\xa0")
def test_any_bytes_at_all_give_a_list_or_one_clear_error(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = tmp_path_factory.mktemp("lists") / "list.csv"
    path.write_bytes(content)
    with pytest.raises(RosterError):
        read_roster(path)
    path.write_bytes(b"email\na@a.example\n" + content)
    try:
        found = addresses(read_roster(path))
    except RosterError:
        return
    assert "a@a.example" in found


def test_a_list_that_is_written_while_it_is_read_is_refused(tmp_path: Path) -> None:
    path, stop, begun = tmp_path / "list.csv", threading.Event(), threading.Event()
    path.write_bytes(b"email\n" + b"anna@a.example\n" * 1_000_000)

    def write() -> None:
        with path.open("ab", buffering=0) as end:
            while not stop.is_set():
                end.write(b"b")
                begun.set()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        assert begun.wait(10)
        with pytest.raises(RosterError, match="changed while it was read"):
            read_roster(path)
    finally:
        stop.set()
        writer.join()
