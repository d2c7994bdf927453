"""Several files of the list, or none: every command that knows the list follows."""

import json
import os

from tests.cli.support import mails, stopped, went_well
from tests.support.project import Project

MEMBERS = "email,name,country\nanna@a.example,Anna,BE\nben@a.example,Ben,FR\n"
PRESS = "Exported on Monday\nContact,Name\nben@a.example,Benny\nEva@a.example,Eva\n"
TWO = """
[audience]
file = ["members.csv", "lists/press.csv"]
fields = ["country"]

[audience.layout."lists/press.csv"]
header_row = 2
address_column = "Contact"
"""


def with_two(project: Project, more: str = "") -> Project:
    (project.folder / "lists").mkdir()
    (project.folder / "members.csv").write_text(MEMBERS)
    (project.folder / "lists" / "press.csv").write_text(PRESS)
    (project.folder / "subscribers.csv").unlink()
    project.settings(TWO + more)
    return project


def test_all_files_are_one_list_for_every_command(project: Project) -> None:
    with_two(project)
    done = project.run("subscribers", "check")
    went_well(done, "members.csv and lists/press.csv: 4 rows, 3 people to mail",
              "lists/press.csv, row 3", "in row 3 of members.csv already")  # fmt: skip
    listed = project.run("subscribers", "list", "--json").stdout.splitlines()
    assert [("anna@a.example", "BE"), ("ben@a.example", "FR"), ("Eva@a.example", "")] == [
        (each["address"], each["fields"]["country"]) for each in map(json.loads, listed)
    ]
    went_well(project.run("subscribers", "show", "eva@a.example"), "row 4 of lists/press.csv")
    went_well(project.run("send", "2017-04", "--yes"), "members.csv and lists/press.csv, 4 rows",
              "3 planned = 3 accepted")  # fmt: skip
    assert {"anna@a.example", "ben@a.example", "Eva@a.example"} == {
        mail["To"].addresses[0].addr_spec for mail in mails(project)
    }
    went_well(project.run("subscribers", "set", "eva@a.example", "--language", "fr"), "Noted")


def test_another_order_of_files_with_other_spellings_mails_nobody_twice(project: Project) -> None:
    (project.folder / "a.csv").write_text("email\nAnna@a.example\n")
    (project.folder / "b.csv").write_text("email\nanna@a.example\nben@a.example\n")
    project.settings('[audience]\nfile = ["a.csv", "b.csv"]\n')
    went_well(project.run("send", "2017-04", "--yes"), "2 planned = 2 accepted")
    project.settings('[audience]\nfile = ["b.csv", "a.csv"]\n')
    went_well(project.run("send", "2017-04", "--yes"), "Nobody is left to mail")


def test_a_person_is_shown_and_forgotten_in_each_file(project: Project) -> None:
    with_two(project)
    went_well(project.run("send", "2017-04", "--yes"))
    held = json.loads(project.run("subscribers", "access", "ben@a.example", "--json").stdout)
    assert [("members.csv", 3), ("lists/press.csv", 3)] == [
        (each["file"], each["row"]) for each in held["list"]["rows"]
    ]
    done = project.run("subscribers", "forget", "ben@a.example", "--yes")
    assert "members.csv still names them in row 3" in done.stdout
    assert "press.csv still names them in row 3" in done.stdout


def test_no_output_and_no_suppression_takes_one_of_the_files(project: Project) -> None:
    with_two(project)
    for file in ("members.csv", "lists/press.csv"):
        stopped(project.run("suppress", "add", file, "--yes"), 2, "newsletter's own list")
        stopped(project.run("subscribers", "export", file), 2, "own files are there")


def test_a_backup_holds_all_files_and_puts_each_back_where_it_was(project: Project) -> None:
    with_two(project)
    went_well(project.run("send", "2017-04", "--yes"))
    went_well(project.run("backup", "all.backup"))
    for name in ("members.csv", "lists/press.csv", "newsletter.db", "newsletter.key"):
        (project.folder / name).unlink()
    went_well(project.run("restore", "all.backup", "--yes"))
    assert MEMBERS == (project.folder / "members.csv").read_text()
    assert PRESS == (project.folder / "lists" / "press.csv").read_text()
    went_well(project.run("send", "2017-04", "--yes"), "Nobody is left to mail")


def test_a_missing_file_and_one_named_twice_are_refused(project: Project) -> None:
    with_two(project)
    (project.folder / "members.csv").rename(project.folder / "away.csv")
    stopped(project.run("send", "2017-04", "--yes"), 2, "members.csv", "no such list")
    os.link(project.folder / "lists" / "press.csv", project.folder / "members.csv")
    stopped(project.run("send", "2017-04", "--yes"), 2, "lists/press.csv",
            "the same file as members.csv")  # fmt: skip
    project.settings('[audience]\nfile = ["a.csv", "./a.csv"]\n')
    stopped(project.run("subscribers", "check"), 2, "[audience] file", "“a.csv” twice")
    project.settings('[audience]\nfile = "a.csv"\nlayout."b.csv".header_row = 2\n')
    stopped(project.run("subscribers", "check"), 2, "“b.csv”, which is not in", "Did you mean")
    project.settings("[audience]\nfile = [1]\n")
    stopped(project.run("subscribers", "check"), 2, "must be the name of a file")


def test_the_layout_that_a_message_asks_for_is_that_of_the_file(project: Project) -> None:
    with_two(project)
    project.settings('[audience]\nfile = ["members.csv", "lists/press.csv"]\n')
    stopped(project.run("subscribers", "check"), 2, "header_row = 2",
            '[audience.layout."lists/press.csv"]')  # fmt: skip


def test_without_a_file_the_list_is_who_was_imported(project: Project) -> None:
    (project.folder / "subscribers.csv").rename(project.folder / "old.csv")
    project.settings("[audience]\nfile = []\n")
    stopped(project.run("send", "2017-04", "--yes"), 2, "Nobody is on the list",
            "subscribers import")  # fmt: skip
    went_well(project.run("check", "2017-04"), "There is no list yet: nobody was imported")
    went_well(project.run("subscribers", "import", "old.csv", "--yes"), "Imported as 1")
    went_well(project.run("subscribers", "check"), "imported and signed up: 3 rows")
    went_well(project.run("backup", "none.backup"))
    (project.folder / "old.csv").rename(project.folder / "subscribers.csv")
    went_well(project.run("send", "2017-04", "--yes"), "subscribers.csv: This file is not read",
              "3 people who were imported",
              "3 planned = 3 accepted")  # fmt: skip
