"""However somebody who left is written, their mailbox is found, and no other one."""

from pathlib import Path

import pytest
from newsletter.audience.cells import addresses_of_leavers
from newsletter.audience.reader import read_leavers, read_roster
from newsletter.errors import RosterError

ANNA = "anna@readers.example"
SPELLED = (
    f"{ANNA}.", f"'{ANNA}'", f"“{ANNA}”", f"„{ANNA}“", f"<{ANNA}", f"{ANNA};", f"{ANNA}\\",
    '"anna"@readers.example', r'"an\na"@readers.example', f"mailto:{ANNA}",
    f"MAILTO:{ANNA}?subject=unsubscribe", "mailto:%61nna%40readers.example", f"smtp:{ANNA}",
    f"rfc822;{ANNA}", f"http://{ANNA}/", f"{ANNA} (Anna)", f"[{ANNA}](mailto:{ANNA})",
    "anna(at)readers.example", "anna [AT] readers.example", "anna%40readers.example",
    "anna=40readers.example", "anna&#64;readers.example", f"&lt;{ANNA}&gt;",
    "anna＠readers.example", "ＡＮＮＡ＠ＲＥＡＤＥＲＳ．ＥＸＡＭＰＬＥ", "anna @readers.example",
    "anna@ readers.example", "anna\xa0@\u3000readers.example", "an\u200bna@readers.example",
    "anna\xad@readers.example", "anna@readers.exa\u2060mple", "an\x07na@readers.example",
    f"{ANNA}:25", f"{ANNA}|{ANNA}", f"Anna {ANNA} {ANNA.upper()}",
)  # fmt: skip
OTHERS = (
    "anna", "@readers.example", "anna@", "anna@readers,example", "anna@readers..example",
    "anna@[192.0.2.1]", '"an na"@readers.example', r'"an\@na"@readers.example', "anna @ ",
    f"@{ANNA}", "x@y@readers.example", "\x00", "@" * 300, "anna@readers.example.\u202e.x",
)  # fmt: skip


@pytest.mark.parametrize("text", SPELLED)
def test_each_spelling_of_a_mailbox_is_that_mailbox(text: str) -> None:
    assert {ANNA} == {each.suppression_key for each in addresses_of_leavers(["x", text], 1)}
    assert {ANNA} == {each.suppression_key for each in addresses_of_leavers([text], 7)}


@pytest.mark.parametrize("text", OTHERS)
def test_what_is_no_mailbox_is_nobody(text: str) -> None:
    assert [] == addresses_of_leavers([text], 0)


@pytest.mark.parametrize(
    ("text", "whose"),
    [
        ("a.nna+x@readers.example,", "a.nna+x@readers.example"),
        ("'o''neil@readers.example", "o''neil@readers.example"),
        ("anna@faß.example;", "anna@xn--fa-hia.example"),
        ("anna@BÜCHER.example;", "anna@xn--bcher-kva.example"),
        ("İlkay@readers.example;", "i̇lkay@readers.example"),
        ("ılkay@readers.example;", "ılkay@readers.example"),
    ],
)
def test_a_mailbox_that_looks_like_another_stays_itself(text: str, whose: str) -> None:
    assert [whose] == [each.suppression_key for each in addresses_of_leavers([text], 0)]


def test_a_file_of_leavers_finds_each_and_names_the_rows_that_hold_none(tmp_path: Path) -> None:
    path = tmp_path / "unsubscribed.csv"
    rows = [f"{n}{text}" if text[0].isalpha() else text for n, text in enumerate(OTHERS[:3])]
    quoted = [text.replace('"', '""') for text in (*SPELLED, *rows)]
    path.write_text("email\n" + "".join(f'"{text}"\n' for text in quoted), encoding="utf-8")
    read = read_leavers(path)
    assert [ANNA] == [each.suppression_key for each in read.addresses]
    assert 3 == len(read.refused)


def test_a_row_of_a_list_stops_its_reader_however_it_writes_the_address(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_text(
        f"email,unsubscribed\n{ANNA},no\nben@readers.example,no\n"
        "anna(at)readers.example,yes\nben(at)readers.example,no\n"
    )
    read = read_roster(path)
    assert ["ben@readers.example"] == [str(each.address) for each in read.subscribers]
    assert [2] == [each.where.row for each in read.left]
    assert [4, 5] == [each.where.row for each in read.refused]
    assert {ANNA} == read.left_keys
    path.write_text(f"email,status\n{ANNA},active\nanna(at)readers.example,Gold\n")
    with pytest.raises(RosterError, match="status=Gold"):
        read_roster(path)
