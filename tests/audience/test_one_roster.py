"""Several files as one list, against what each row says on its own."""

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from newsletter.audience import one_roster as module
from newsletter.audience.model import Roster
from newsletter.audience.one_roster import one_roster
from newsletter.audience.reader import read_roster
from newsletter.config import Audience
from newsletter.errors import RosterError

Row = tuple[str, str, str]


def written(folder: Path, files: list[list[Row]]) -> list[Path]:
    paths = []
    for number, rows in enumerate(files):
        path = folder / f"part{number}.csv"
        lines = [",".join(row) for row in rows]
        path.write_text("\n".join(["email,name,unsubscribed", *lines]) + "\n", encoding="utf-8")
        paths.append(path)
    return paths


def read(paths: list[Path], audience: Audience, *, may_be_empty: bool = False) -> Roster:
    parts = [read_roster(path, audience, may_be_empty=True, part=path.name) for path in paths]
    return one_roster(parts, may_be_empty=may_be_empty)


people = st.sampled_from(["anna@a.example", "Anna@a.example", "ben@a.example", "eva@b.example"])
rows = st.tuples(people, st.sampled_from(["", "One", "Two"]), st.sampled_from(["", "yes"]))


@given(st.lists(st.lists(rows, max_size=5), min_size=1, max_size=4))
@settings(max_examples=30, deadline=None)
def test_several_files_are_read_as_their_rows_in_one_file_would_be(files: list[list[Row]]) -> None:
    with TemporaryDirectory() as name:
        folder = Path(name)
        found = read(written(folder, files), Audience(mail=["unsubscribed="]), may_be_empty=True)
        together = folder / "together"
        together.mkdir()
        (whole,) = written(together, [[row for part in files for row in part]])
        naive = read_roster(whole, Audience(mail=["unsubscribed="]), may_be_empty=True)
    assert [(str(s.address), s.name) for s in naive.subscribers] == [
        (str(s.address), s.name) for s in found.subscribers
    ]
    assert (naive.left_keys, naive.rows) == (found.left_keys, found.rows)
    assert found.rows == len(found.subscribers) + len(found.repeated) + len(found.left)


def test_a_problem_between_files_names_the_file_and_row_of_both(tmp_path: Path) -> None:
    first = [("anna@a.example", "Anna", ""), ("ben@a.example", "Ben", "")]
    second = [("ben@a.example", "Benny", ""), ("anna@a.example", "A", "yes")]
    paths = written(tmp_path, [first, second])
    found = read(paths, Audience(mail=["unsubscribed="]))
    assert ["Ben"] == [each.name for each in found.subscribers]
    (again,) = found.repeated
    assert (paths[1], 2) == (again.where.file, again.where.row)
    assert f"in row 3 of {paths[0]} already" in again.what
    here, there = sorted(found.left, key=lambda each: str(each.where.file))
    assert (paths[0], 2, paths[1], 3) == (
        *(here.where.file, here.where.row),
        *(there.where.file, there.where.row),
    )
    assert f"{paths[1]} says so of the same reader" in here.what


def test_a_column_that_one_file_lacks_is_empty_there_and_told(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("email,country\nanna@a.example,BE\n")
    (tmp_path / "b.csv").write_text("email\nben@a.example\n")
    audience = Audience(fields=["country"])
    found = read([tmp_path / "a.csv", tmp_path / "b.csv"], audience)
    assert ["BE", ""] == [each.fields["country"] for each in found.subscribers]
    (warning,) = found.warnings
    assert "no column “country”" in warning.what
    assert tmp_path / "b.csv" == warning.where.file
    with pytest.raises(RosterError, match=r"No file of the list has the column “country”"):
        read([tmp_path / "b.csv"], audience)


def test_an_empty_file_beside_others_is_told_and_files_without_anybody_are_refused(
    tmp_path: Path,
) -> None:
    paths = written(tmp_path, [[], [("anna@a.example", "", "")]])
    found = read(paths, Audience(mail=["unsubscribed="]))
    assert "header but no readers" in found.warnings[0].what
    with pytest.raises(RosterError, match=r"There are no readers in .*part0.csv"):
        read(paths[:1], Audience())
    (tmp_path / "zero.csv").write_text("")
    with pytest.raises(RosterError) as caught:
        read([tmp_path / "zero.csv", paths[1]], Audience())
    assert str(tmp_path / "zero.csv") == str(caught.value.where.file)


def test_too_many_rows_together_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = written(tmp_path, [[("anna@a.example", "", "")], [("ben@a.example", "", "")]])
    monkeypatch.setattr(module, "MAX_ROWS", 1)
    with pytest.raises(RosterError, match="more than 1 rows together"):
        read(paths, Audience(mail=["unsubscribed="]))
