"""Backup and restore: what cannot be had from elsewhere, and an honest word on the rest."""

import io
import shutil
import tarfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.support import Gate, running, stopped, went_well
from tests.support.project import SHORT_ISSUE, Project, smtp_delivery
from tests.support.smtp_server import SmtpServer, after


@pytest.fixture
def server() -> Iterator[SmtpServer]:
    with SmtpServer() as server:
        yield server


@pytest.fixture
def project(tmp_path: Path, server: SmtpServer) -> Project:
    delivery = smtp_delivery(server.port, connections=1) + "messages_per_connection = 1\n"
    return Project(tmp_path / "here", delivery=delivery)


def one_of_three(project: Project, server: SmtpServer) -> None:
    server.behaviours["MAIL"] = after(1, b"550 5.7.1 sender not allowed")
    assert 4 == project.run("send", "2017-04", "--yes").returncode
    server.behaviours.clear()


def empty_folder(project: Project, name: str) -> Project:
    """A folder with issues and templates, as version control has them, and nothing else."""
    other = Project.__new__(Project)
    other.folder = project.folder.with_name(name)
    other.folder.mkdir()
    for part in ("issues", "templates"):
        shutil.copytree(project.folder / part, other.folder / part)
    other.home_folder = project.home
    return other


def members(file: Path) -> set[str]:
    with tarfile.open(file) as archive:
        return set(archive.getnames())


def test_a_backup_restored_on_the_same_machine_misses_nobody_and_doubles_nobody(
    project: Project, server: SmtpServer, tmp_path: Path
) -> None:
    file = tmp_path / "a.backup"
    one_of_three(project, server)
    went_well(project.run("backup", str(file)), "it names every reader")
    assert 0 == file.stat().st_mode & 0o077
    assert members(file) == {
        "backup.json", "newsletter.db", "sent.db", "newsletter.key", "newsletter.toml", "list",
    }  # fmt: skip
    server.behaviours["MAIL"] = after(3, b"550 5.7.1 sender not allowed")
    assert 4 == project.run("resume", "2017-04").returncode  # the second reader
    server.behaviours.clear()
    went_well(project.run("suppress", "add", "reader2@readers.example"))
    other = empty_folder(project, "again")
    shutil.rmtree(project.folder)
    stopped(other.run("restore", str(file)), 2, "with --yes")
    assert not (other.folder / "newsletter.toml").exists()
    went_well(other.run("restore", str(file), "--yes"),
              "Brought up to date", "is known from its state folder")  # fmt: skip
    went_well(other.run("resume", "2017-04"), "3 planned = 2 accepted + 1 left")
    assert Counter({"reader0@readers.example": 1, "reader1@readers.example": 1}) == server.copies()


def test_a_backup_restored_on_another_machine_says_what_it_cannot_know(
    project: Project, server: SmtpServer, tmp_path: Path
) -> None:
    file = tmp_path / "a.backup"
    one_of_three(project, server)
    went_well(project.run("suppress", "add", "reader2@readers.example"))
    went_well(project.run("backup", str(file)))
    other = empty_folder(project, "there")
    other.home_folder = tmp_path / "home there"
    went_well(other.run("restore", str(file), "--yes"), "2 people newly in doubt", "is not known")
    assert 6 == other.run("resume", "2017-04").returncode
    went_well(other.run("resolve", "2017-04", "--all", "--resend"))
    went_well(other.run("resume", "2017-04"), "3 planned = 2 accepted + 1 left")
    assert Counter({"reader0@readers.example": 1, "reader1@readers.example": 1}) == server.copies()


def test_a_backup_made_in_mid_send_is_told_from_the_ledger(
    project: Project, server: SmtpServer, tmp_path: Path
) -> None:
    file, gate = tmp_path / "a.backup", Gate(at=1)
    server.behaviours["dot"] = gate
    with running(project, "send", "2017-04", "--yes") as process:
        gate.wait()
        went_well(project.run("backup", str(file)))
        process.kill()
        process.communicate()
    gate.opened.set()
    server.behaviours.clear()
    went_well(
        project.run("restore", str(file), "--yes"),
        "Already here, and kept under another name: newsletter.db and newsletter.key.",
        "are kept as newsletter.db.1",
    )
    assert 6 == project.run("resume", "2017-04").returncode  # whom the dead run was handing over
    copies = server.copies()
    assert 1 == max(copies.values())
    word = "--accepted" if copies["reader1@readers.example"] else "--resend"
    went_well(project.run("resolve", "2017-04", "--all", word))
    went_well(project.run("resume", "2017-04"))
    assert {1} == set(server.copies().values())
    assert 3 == len(server.copies())


def test_a_restore_learns_of_a_correction_and_a_pause(
    project: Project, server: SmtpServer, tmp_path: Path
) -> None:
    file = tmp_path / "a.backup"
    one_of_three(project, server)
    went_well(project.run("backup", str(file)))
    project.issue(SHORT_ISSUE.replace("One story in April", "A corrected story"))
    went_well(project.run("correct", "2017-04", "--yes"))
    server.behaviours["dot"] = after(0, b"450 4.2.1 later")
    assert 4 == project.run("resume", "2017-04", "--wait", "0").returncode
    server.behaviours.clear()
    went_well(project.run("pause", "2017-04"))
    went_well(project.run("restore", str(file), "--yes"))
    assert 4 == project.run("resume", "2017-04", "--scheduled").returncode
    assert {"reader0@readers.example"} == set(server.copies())


def test_a_restore_that_is_cut_off_is_refused_until_it_is_adopted(
    project: Project, server: SmtpServer, tmp_path: Path
) -> None:
    file = tmp_path / "a.backup"
    one_of_three(project, server)
    went_well(project.run("backup", str(file)))
    went_well(project.run("resume", "2017-04"), "3 planned = 3 accepted")
    shutil.rmtree(project.home)
    for path in project.folder.glob("newsletter.[dkl]*"):
        path.unlink()
    with tarfile.open(file) as archive:
        archive.extract("newsletter.db", project.folder, filter="data")
        archive.extract("newsletter.key", project.folder, filter="data")
    stopped(project.run("resume", "2017-04"), 5, "another state folder")
    went_well(project.run("restore", str(file), "--yes"), "2 people newly in doubt", "is not known")
    assert 6 == project.run("resume", "2017-04").returncode
    assert 1 == max(server.copies().values())


def test_a_backup_of_a_ledger_that_was_given_up_can_be_restored(
    project: Project, server: SmtpServer, tmp_path: Path
) -> None:
    file = tmp_path / "a.backup"
    one_of_three(project, server)
    went_well(project.run("backup", str(file)))
    for path in project.folder.glob("newsletter.[dkl]*"):
        path.unlink()
    went_well(project.run("adopt", "--yes"))
    went_well(project.run("restore", str(file), "--yes"))
    went_well(project.run("resume", "2017-04"), "3 planned = 3 accepted")
    assert {1} == set(server.copies().values())


def test_a_restore_does_not_read_what_another_ledger_left_behind(
    project: Project, tmp_path: Path
) -> None:
    file = tmp_path / "a.backup"
    went_well(project.run("send", "2017-04", "--yes"))
    went_well(project.run("backup", str(file)))
    (project.folder / "newsletter.db").unlink()
    (project.folder / "newsletter.db-wal").write_bytes(b"frames of another ledger")
    went_well(project.run("restore", str(file), "--yes"))
    assert (project.folder / "newsletter.db.1-wal").exists()
    went_well(project.run("status", "2017-04"), "3 planned = 3 accepted")


def test_a_restore_leaves_settings_and_list_that_are_here(project: Project, tmp_path: Path) -> None:
    file = tmp_path / "a.backup"
    went_well(project.run("send", "2017-04", "--yes"))
    went_well(project.run("backup", str(file)))
    project.list_of(5)
    went_well(project.run("restore", str(file), "--yes"))
    assert 6 == len((project.folder / "subscribers.csv").read_text().splitlines())
    went_well(project.run("send", "2017-04", "--yes"), "2 planned = 2 accepted")


def test_a_project_that_sent_nothing_can_be_backed_up(project: Project, tmp_path: Path) -> None:
    file = tmp_path / "a.backup"
    project.settings('transport = "mailbox"\n')
    went_well(project.run("backup", str(file)))
    assert {"backup.json", "newsletter.toml", "list"} == members(file)
    other = empty_folder(project, "other")
    went_well(other.run("restore", str(file), "--yes"), "Sends from here are trials")
    went_well(other.run("send", "2017-04", "--yes"), "3 planned = 3 accepted")


def test_a_backup_overwrites_nothing(project: Project, tmp_path: Path) -> None:
    file = tmp_path / "there"
    file.write_text("precious")
    for path in (file, project.folder / "newsletter.toml"):
        before = path.read_bytes()
        stopped(project.run("backup", str(path)), 2, "already")
        assert before == path.read_bytes()
    stopped(project.run("backup", str(tmp_path / "no folder" / "a")), 2, "cannot be")


def test_a_backup_of_another_list_is_refused(project: Project, tmp_path: Path) -> None:
    file = tmp_path / "a.backup"
    went_well(project.run("send", "2017-04", "--yes"))
    went_well(project.run("backup", str(file)))
    settings = project.folder / "newsletter.toml"
    settings.write_text(settings.read_text().replace("defenders.test", "others.test"))
    before = (project.folder / "newsletter.db").read_bytes()
    stopped(project.run("restore", str(file), "--yes"), 2, "of another list")
    assert before == (project.folder / "newsletter.db").read_bytes()


def hostile(**entries: bytes | str) -> bytes:
    """A tar archive; a text is where a symbolic link leads."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in entries.items():
            entry = tarfile.TarInfo(name.replace("__", "/").replace("_dot_", "."))
            if isinstance(content, str):
                entry.type, entry.linkname = tarfile.SYMTYPE, content
                archive.addfile(entry)
            else:
                entry.size = len(content)
                archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no archive",
        hostile(backup_dot_json=b"{}"),
        hostile(backup_dot_json=b"[" * 100_000),
        hostile(backup_dot_json=b" " * 20_000),
        hostile(newsletter_dot_db=b"a ledger and no word about it"),
        hostile(__tmp__escaped=b"out of the folder"),
        hostile(backup_dot_json=b"{}", newsletter_dot_key="/etc/passwd"),
        hostile(backup_dot_json=b'{"made_at": "2017-03-31T09:00:00+00:00", "list_id": '
                                b'"news.defenders.test", "list_files": ["../escaped"]}'),
        hostile(backup_dot_json=b'{"made_at": "soon", "list_id": "news.defenders.test", '
                                b'"list_files": []}'),
    ],
)  # fmt: skip
def test_what_is_no_backup_changes_nothing(
    project: Project, tmp_path: Path, content: bytes
) -> None:
    file = tmp_path / "bad.backup"
    file.write_bytes(content)
    before = sorted(project.folder.iterdir())
    stopped(project.run("restore", str(file), "--yes"), 2, "not a backup")
    assert before == sorted(project.folder.iterdir())
    assert not (project.folder.parent / "escaped").exists()


def test_a_damaged_ledger_in_a_backup_is_refused_and_the_old_one_kept(
    project: Project, tmp_path: Path
) -> None:
    file = tmp_path / "a.backup"
    went_well(project.run("send", "2017-04", "--yes"))
    file.write_bytes(hostile(
        backup_dot_json=b'{"made_at": "2017-03-31T09:00:00+00:00", "list_id": '
        b'"news.defenders.test", "list_files": []}',
        newsletter_dot_db=b"no database at all" * 500,
        newsletter_dot_key=(project.folder / "newsletter.key").read_bytes(),
    ))  # fmt: skip
    stopped(project.run("restore", str(file), "--yes"), 5, "not a ledger")
    went_well(project.run("send", "2017-04", "--yes"), "Nobody is left to mail")
