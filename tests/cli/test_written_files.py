"""Files that commands write: for their owner alone, whole, and never over the project's own."""

import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from newsletter.errors import LedgerRefused
from newsletter.project import Project as Wired
from newsletter.project.writing import write_private

from tests.cli.support import files, stopped, went_well
from tests.support.project import Project

OWN = (
    "newsletter.db", "newsletter.db-wal", "newsletter.key", "newsletter.toml", "newsletter.epoch",
    "subscribers.csv", "issues/2017-04.yaml", "issues/new.html", "templates/mail.txt.j2",
    "outbox/report.html",
)  # fmt: skip


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def sent(project: Project) -> Project:
    went_well(project.run("send", "2017-04", "--yes"))
    return project


@pytest.mark.fault("Input", "an output path that is one of the project's own files",
                   state="refused; nothing is written")  # fmt: skip
def test_a_report_is_never_written_over_the_projects_own_files(sent: Project) -> None:
    (sent.folder / "link").symlink_to("newsletter.db")
    before = files(sent)
    ways = [("--json", name) for name in (*OWN, "link")]
    for option, name in (*ways, ("--csv", OWN[0]), ("--html", OWN[0])):
        stopped(sent.run("report", "2017-04", option, name), 2, "project's own files")
    assert before == files(sent)


def test_nor_are_a_mail_or_the_archive_written_among_them(project: Project) -> None:
    before = files(project)
    for command in (("render", "2017-04"), ("archive", "build", "--no-pdf")):
        for folder in ("issues", "templates", "outbox"):
            stopped(project.run(*command, "--out", folder), 2, "project's own files")
    left = files(project)
    left.pop("newsletter.key", None)  # made to sign the mail's link
    assert before == left


def test_what_is_written_is_for_its_owner_alone_also_where_an_open_file_was(
    sent: Project,
) -> None:
    names = {"--json": "r.json", "--csv": "r.csv", "--html": "r.html"}
    options = [word for pair in names.items() for word in pair]
    went_well(sent.run("report", "2017-04", *options))
    for name in names.values():
        (sent.folder / name).chmod(0o644)
    went_well(sent.run("report", "2017-04", *options))
    assert {0o600} == {mode(sent.folder / name) for name in names.values()}


def test_a_mail_is_for_its_owner_alone(project: Project) -> None:
    for _ in range(2):
        went_well(project.run("render", "2017-04", "--out", "build"))
        written = sorted((project.folder / "build").iterdir())
        assert ["2017-04.en.eml", "2017-04.en.html", "2017-04.en.txt"] == [
            path.name for path in written
        ]
        assert {0o600} == {mode(path) for path in written}
        written[0].chmod(0o644)


def test_a_file_of_another_kind_is_not_written_over(sent: Project) -> None:
    other = sent.folder / "board.csv"
    other.write_text("name,telephone\nAnna,123\n")
    stopped(sent.run("report", "2017-04", "--csv", "board.csv"), 2, "a file of another kind")
    assert "name,telephone\nAnna,123\n" == other.read_text()


def test_what_breaks_off_leaves_the_former_file_and_nothing_beside_it(project: Project) -> None:
    def breaks_off() -> Iterator[bytes]:
        yield b"campaign,recipient"
        raise LedgerRefused("A row is not what was frozen.")

    wired, path = Wired(project.folder), project.folder / "r.csv"
    path.write_bytes(b"campaign,recipient as before")
    there = set(project.folder.iterdir())
    with pytest.raises(LedgerRefused):
        write_private(wired, path, breaks_off())
    assert b"campaign,recipient as before" == path.read_bytes()
    assert there == set(project.folder.iterdir())


def test_a_report_can_go_into_a_pipe(sent: Project) -> None:
    done = sent.run_program("report", "2017-04", "--json", "/dev/stdout")
    went_well(done, '"issue": "2017-04"')
