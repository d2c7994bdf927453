"""Files that break: each ends in its readers, or in a sentence with nothing imported."""

import os
import random
from collections.abc import Mapping
from pathlib import Path

import pytest
from newsletter.addresses import Address
from newsletter.errors import RosterError
from newsletter.project import Project
from newsletter.project.imports import (
    ImportOptions,
    StagedImport,
    import_ledger,
    imports_of,
    stage,
)

from tests.project.import_corpus import (
    ANNA,
    LIST,
    REFUSED,
    SOUND,
    STRUCTURES,
    Content,
    Refused,
    Sound,
)
from tests.project.moves import everybody, moved, people, written
from tests.support.project import Project as Folder


@pytest.fixture
def project(tmp_path: Path) -> Project:
    folder = Folder(tmp_path / "project")
    (folder.folder / "subscribers.csv").unlink()
    return Project(folder.folder)


def names(project: Project) -> dict[str, str]:
    return {each.address.local: each.name for each in project.roster().subscribers}


def tag(project: Project, name: str) -> bytes:
    address = name if "@" in name else f"{name}@readers.example"
    return project.keys.address_tag(Address.parse(address))


def told(staged: StagedImport) -> str:
    """All that is odd, in words."""
    slips = staged.addresses.slips.items()
    lines = [f"{words}: {number}" for words, number in staged.odd.items()]
    lines += [f"{wrong} ({number}; {meant}?)" for (wrong, meant), number in slips]
    lines += [f"{staged.addresses.roles} of an office"] if staged.addresses.roles else []
    return "\n".join([*lines, *(note.what for file in staged.files for note in file.notes)])


# The corpus


@pytest.mark.parametrize("case", SOUND.values(), ids=SOUND)
def test_each_row_and_each_reader_of_a_file_is_what_they_are(
    project: Project, tmp_path: Path, case: Sound
) -> None:
    paths = written(tmp_path / "move", made(case.files))
    staged, _ = moved(project, paths, case.options)
    assert list(case.rows) == [
        f"{each.accepted} {each.merged} {each.suppressed} {file.rejected}"
        for file in staged.files
        for each in (file.counts,)
    ]
    truth = {tag(project, name): who for name, who in case.people.items()}
    assert truth == everybody(project)
    assert len(truth) == len(case.people)
    said = told(staged)
    assert [] == [words for words in case.noted if words not in said]
    assert "@" not in said


@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED)
def test_what_is_no_safe_list_is_refused_by_name_and_nothing_beside_it_is_imported(
    project: Project, tmp_path: Path, case: Refused
) -> None:
    (content,) = made({case.name: case.content}).values()
    paths = written(tmp_path / "move", {"good.csv": LIST, case.name: content})
    with pytest.raises(RosterError) as found:
        moved(project, paths)
    assert found.value.what.startswith(case.says)
    assert case.name in str(found.value.where)
    assert found.value.next
    assert [] == imports_of(project)


def made(files: Mapping[str, Content]) -> dict[str, str | bytes]:
    return {name: content() if callable(content) else content for name, content in files.items()}


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


def test_a_folder_and_a_pipe_are_no_files(project: Project, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.csv")
    for path in (tmp_path, tmp_path / "pipe.csv", tmp_path / "none.csv"):
        with pytest.raises(RosterError, match="cannot be opened"):
            moved(project, [path])


def test_a_sheet_that_excel_may_have_cut_is_said(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("newsletter.audience.import_reader.SHEET_ROWS", 3)
    staged, _ = moved(project, written(tmp_path, {"a.csv": LIST}))
    assert ["cut off"] == [note.what[-8:-1] for note in staged.files[0].notes]


def test_any_bytes_end_in_a_value_or_a_sentence(project: Project, tmp_path: Path) -> None:
    source = random.Random(20170331)
    sound = [
        content if isinstance(content, bytes) else content.encode()
        for case in STRUCTURES.values()
        for content in case.files.values()
        if not callable(content)
    ]
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
