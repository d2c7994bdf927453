"""The list of who left, and the key file."""

from tests.cli.support import files, mails, outbox, stopped, went_well
from tests.support.project import Project


def test_who_left_is_not_mailed_and_named_nowhere(project: Project) -> None:
    before = files(project)
    went_well(project.run("suppress", "list"), "Nobody has left yet.")
    assert before == files(project)
    typo = project.run("suppress", "add", "reader0@readers.example", "reader1 at home")
    stopped(typo, 2, "“reader1 at home” is no address.")
    added = project.run("suppress", "add", "reader0@readers.example", "Reader1@READERS.example",
                        "--reason", "unsubscribed")  # fmt: skip
    went_well(added, "2 people added. They get no more mail.")
    again = project.run("suppress", "add", "reader0@readers.example", "--reason", "unsubscribed")
    went_well(again, "0 people added, 1 person already there.")
    went_well(project.run("suppress", "list"), "2  left the list")
    went_well(project.run("status"), "Nothing has been sent from here yet.")
    sent = project.run("send", "2017-04", "--yes")
    went_well(sent, "2 people who left, complained or cannot be reached", "1 planned = 1 accepted")
    (mail,) = mails(project)
    assert "reader2@readers.example" == mail["To"].addresses[0].addr_spec
    kept = b"".join(path.read_bytes() for path in project.folder.glob("newsletter.db*"))
    assert b"reader0@" not in kept


def test_a_look_at_the_list_takes_off_who_left(project: Project) -> None:
    went_well(project.run("subscribers", "check"), "3 rows, 3 people to mail.")
    project.run("suppress", "add", "reader0@readers.example", "nobody@elsewhere.example")
    done = project.run("subscribers", "check")
    went_well(done, "3 rows, 2 people to mail.", "will not be mailed: 1 person")


def test_a_rotation_keeps_the_old_key_and_signs_with_the_new_one(project: Project) -> None:
    stopped(project.run("keys", "rotate"), 2, "The key file is missing.")
    went_well(project.run("send", "2017-04", "--yes", "--limit", "1"))
    key = project.folder / "newsletter.key"
    before = key.read_text()
    went_well(project.run("keys", "rotate"), "signed with key 2", "Make a new copy")
    assert key.read_text().startswith(before)
    assert "\n2 = " in key.read_text()
    assert 0o600 == key.stat().st_mode & 0o777
    # The ledger still knows its key file.
    went_well(project.run("send", "2017-04", "--yes"), "2 planned = 2 accepted")
    assert 3 == len(outbox(project))
