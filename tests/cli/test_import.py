"""Moving readers in through the program: what it asks, what it refuses, who is mailed then."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.cli.support import CTRL_C, at_a_terminal, mails, stopped, went_well
from tests.project.moves import written
from tests.support.project import Project, smtp_delivery
from tests.support.smtp_server import SmtpServer

IMPORT = ("subscribers", "import")
LISTMONK = (
    "uuid,email,name,attributes,status,created_at,updated_at\n"
    "u1,anna@a.example,Anna,{},enabled,2023-01-01,2023-01-01\n"
    "u2,ben@a.example,Ben,{},enabled,2023-01-01,2023-01-01\n"
)


def without_list(project: Project) -> Project:
    (project.folder / "subscribers.csv").unlink()
    return project


def test_who_was_imported_is_mailed_and_who_left_there_is_not(project: Project) -> None:
    without_list(project)
    written(project.folder, {"subs.csv": LISTMONK, "left.csv": "email\nben@a.example\n"})
    done = project.run(*IMPORT, "subs.csv", "left.csv", "--yes", "--report", "report.txt")
    went_well(done, "subs.csv: listmonk", "1  new on the list", "1  not mailed: left",
              "--revert 1")  # fmt: skip
    assert "a.example" not in (project.folder / "report.txt").read_text()
    assert 0o600 == (project.folder / "report.txt").stat().st_mode & 0o777
    went_well(project.run("send", "2017-04", "--yes"), "1 planned = 1 accepted")
    assert ["anna@a.example"] == [mail["To"].addresses[0].addr_spec for mail in mails(project)]
    went_well(project.run("subscribers", "check"), "1 person to mail", "Imported: 1 person")
    went_well(project.run("suppress", "show", "ben@a.example"), "source: import 1", "not mailed")
    went_well(project.run(*IMPORT, "--list"), "1: ", "subs.csv (listmonk)")
    went_well(project.run(*IMPORT, "--revert", "1", "--yes"), "1 leave voided")
    went_well(project.run("suppress", "show", "ben@a.example"), "withdrawn (revert of import 1)")
    stopped(project.run("send", "2017-04", "--yes", "--again"), 2, "no such list")


def test_an_export_without_its_leavers_is_not_imported_until_somebody_says_that_they_are_there(
    project: Project,
) -> None:
    written(project.folder, {"subs.csv": LISTMONK})
    stopped(project.run(*IMPORT, "subs.csv", "--yes"), 2, "may be missing", "listmonk",
            "--leaves-included")  # fmt: skip
    went_well(project.run(*IMPORT, "--list"), "Nothing was imported")
    went_well(project.run(*IMPORT, "subs.csv", "--dry-run"), "2  new", "Nothing was changed")
    went_well(project.run(*IMPORT, "subs.csv", "--yes", "--leaves-included"), "Imported as 1")
    went_well(project.run(*IMPORT, "subs.csv", "--yes", "--leaves-included"), "imported before")


def test_nothing_is_imported_without_a_yes(project: Project) -> None:
    written(project.folder, {"a.csv": "email\nanna@a.example\n"})
    stopped(project.run(*IMPORT, "a.csv"), 2, "no terminal")
    went_well(project.run(*IMPORT, "--list"), "Nothing was imported")


def test_options_that_make_no_sense_are_refused(project: Project) -> None:
    written(project.folder, {"a.csv": "email,status\nanna@a.example,Gold\n"})
    stopped(project.run(*IMPORT), 2, "A file is missing")
    stopped(project.run(*IMPORT, "a.csv", "--list"), 2, "take no files")
    stopped(project.run(*IMPORT, "a.csv", "--state", "a.csv=gone"), 2, "not understood")
    stopped(project.run(*IMPORT, "a.csv", "--mail", "Gold"), 2, "names no value")
    stopped(project.run(*IMPORT, "a.csv", "--yes"), 2, "status=Gold", "--no-mail")
    written(project.folder, {"left.csv": "email\nben@a.example\n"})
    slip = project.run(*IMPORT, "left.csv", "--state", "lef.csv=spam", "--yes")
    stopped(slip, 2, "No file of this move is called “lef.csv”", "Did you mean “left.csv”?")
    slip = project.run(*IMPORT, "left.csv", "--no-mail", "Interest=no", "--yes")
    stopped(slip, 2, "No file has a column “Interest”", "Write one of: ")
    stopped(project.run(*IMPORT, "none.csv", "--yes"), 2, "cannot be opened")
    stopped(project.run(*IMPORT, "--revert", "7"), 2, "no import 7")
    stopped(project.run(*IMPORT, "--list", "--revert", "7"), 2, "Leave one of them out")
    went_well(project.run(*IMPORT, "a.csv", "--mail", "status=Gold", "--yes"), "Imported as 1")


def test_rejected_rows_are_written_for_a_spreadsheet(project: Project) -> None:
    written(project.folder, {"a.csv": "email,name\nanna@a.example,A\n=1+1,B\n"})
    done = project.run(*IMPORT, "a.csv", "--yes", "--rejected", "rejected.csv")
    went_well(done, "a.csv, row 3", "1 row that cannot be used")
    text = (project.folder / "rejected.csv").read_text(encoding="utf-8-sig")
    assert text.splitlines()[1].startswith("a.csv,3,")
    assert "'=1+1" in text
    again = project.run(*IMPORT, "a.csv", "--dry-run", "--rejected", "rejected.csv")
    assert "There is a file of another kind" not in again.stdout + again.stderr
    stopped(project.run(*IMPORT, "a.csv", "--yes", "--rejected", "subscribers.csv"), 2)


def test_leaves_of_an_import_outlive_the_folder(tmp_path: Path) -> None:
    with SmtpServer() as server:
        project = Project(tmp_path / "here", delivery=smtp_delivery(server.port))
        written(project.folder, {"unsubscribed.csv": "email\nreader0@readers.example\n"})
        went_well(project.run(*IMPORT, "unsubscribed.csv", "--yes"), "Imported as 1")
        lose_the_ledger(project)
        went_well(project.run("send", "2017-04", "--yes"), "2 planned = 2 accepted")
        assert not [each for each in server.accepted if "reader0@" in str(each)]


def test_an_import_that_was_killed_before_it_was_remembered_is_when_it_is_repeated(
    tmp_path: Path,
) -> None:
    with SmtpServer() as server:
        project = Project(tmp_path / "here", delivery=smtp_delivery(server.port))
        written(project.folder, {"unsubscribed.csv": "email\nreader0@readers.example\n"})
        went_well(project.run(*IMPORT, "unsubscribed.csv", "--yes"), "Imported as 1")
        for file in project.state().glob("sent.db*"):
            file.unlink()
        went_well(project.run(*IMPORT, "unsubscribed.csv", "--yes"), "imported before")
        lose_the_ledger(project)
        went_well(project.run("send", "2017-04", "--yes"), "2 planned = 2 accepted")
        assert not [each for each in server.accepted if "reader0@" in str(each)]


def lose_the_ledger(project: Project) -> None:
    for file in project.folder.glob("newsletter.db*"):
        file.unlink()
    (project.folder / "newsletter.key").unlink()


@pytest.mark.parametrize("state", ["wait", "never"])
def test_who_never_confirmed_or_is_excluded_is_not_mailed_after_the_folder_is_lost(
    tmp_path: Path, state: str
) -> None:
    reader = "reader0@readers.example"
    with SmtpServer() as server:
        project = Project(tmp_path / "here", delivery=smtp_delivery(server.port), readers=2)
        written(project.folder, {"a.csv": f"email\n{reader}\nreader1@readers.example\n"})
        imported = (*IMPORT, "a.csv", "--state", f"a.csv={state}", "--yes")
        went_well(project.run(*imported), "Imported as 1")
        went_well(project.run(*IMPORT, "--revert", "1", "--yes"), "0 leaves voided")
        written(project.folder, {"a.csv": f"email\n{reader}\n"})
        went_well(project.run(*imported), "Imported as 2")
        lose_the_ledger(project)
        went_well(project.run("send", "2017-04", "--yes"), "1 planned = 1 accepted")
        assert ["reader1@readers.example"] == [each.recipient for each in server.accepted]
        kept_off = json.loads(project.run("subscribers", "show", reader, "--json").stdout)
        assert (state, False) == (kept_off["kept_off"], kept_off["suppressed"])
        went_well(project.run("suppress", "show", reader), "import 2", "not mailed")
        lifted = project.run("suppress", "lift", reader, "--reason", "she wrote to us")
        went_well(lifted, "can be mailed again")
        went_well(project.run("send", "2017-04", "--yes"), "1 planned = 1 accepted")


def test_access_shows_what_an_import_said(project: Project) -> None:
    written(project.folder, {"a.csv": "email,OPTIN_TIME\nanna@a.example,2020-01-01\n"})
    went_well(project.run(*IMPORT, "a.csv", "--yes"))
    held = json.loads(project.run("subscribers", "access", "anna@a.example", "--json").stdout)
    assert {"OPTIN_TIME": "2020-01-01"} == held["imports"][0]["consent"]
    went_well(project.run("subscribers", "forget", "anna@a.example", "--yes"), "1 imported row")
    with closing(sqlite3.connect(project.folder / "newsletter.db")) as ledger:
        assert [(None, "")] == ledger.execute("SELECT tag, address FROM imported").fetchall()


def test_the_list_is_shown_exported_and_imported_again(project: Project) -> None:
    written(project.folder, {"a.csv": "email,name\n=x@a.example,Anna\nben@a.example,=1+1\n"})
    went_well(project.run(*IMPORT, "a.csv", "--yes"))
    went_well(project.run("suppress", "add", "reader1@readers.example"))
    shown = project.run("subscribers", "list")
    went_well(shown, "reader0@readers.example, Reader 0, en, file", "=x@a.example, Anna, import",
              "en, file, not mailed", "5 people on the list")  # fmt: skip
    lines = project.run("subscribers", "list", "--json").stdout.splitlines()
    assert ["file"] * 3 + ["import"] * 2 == [json.loads(line)["source"] for line in lines]
    went_well(project.run("subscribers", "export", "out.csv"), "out.csv")
    assert 0o600 == (project.folder / "out.csv").stat().st_mode & 0o777
    rows = (project.folder / "out.csv").read_text(encoding="utf-8-sig").splitlines()
    today = json.loads(lines[-1])["joined"]
    assert f"'=x@a.example,Anna,,{today},import,active" in rows
    assert "reader1@readers.example,Reader 1,en,,file,suppressed" in rows
    went_well(project.run("subscribers", "export", "out.json"))
    assert 5 == len((project.folder / "out.json").read_text().splitlines())
    told = json.loads(project.run("subscribers", "export", "told.csv", "--json").stdout)
    assert {"file": "told.csv", "readers": 5} == told
    assert (project.folder / "told.csv").read_text() == (project.folder / "out.json").read_text()
    went_well(project.run("subscribers", "export", "out.csv"), "5 people")
    again = project.run(*IMPORT, "out.csv", "--dry-run")
    went_well(again, "in 4, left 1", "2  new on the list", "2  on the list as they were")
    assert "Cannot be used" not in again.stdout


def test_show_tells_what_imports_said(project: Project) -> None:
    written(project.folder, {"a.csv": "email,name,OPTIN_TIME\nanna@a.example,Anna,2020-01-01\n"})
    went_well(project.run(*IMPORT, "a.csv", "--yes"))
    show = ("subscribers", "show", "anna@a.example")
    went_well(project.run(*show), "Import 1 says: may be mailed.", "OPTIN_TIME", "2020-01-01")
    told = json.loads(project.run(*show, "--json").stdout)
    assert (0, ["in"], False) == (
        *(told["row"], [each["state"] for each in told["imports"]]),
        told["suppressed"],
    )


def test_a_language_that_a_reader_asked_for_counts_in_the_next_plan(project: Project) -> None:
    reader = "reader0@readers.example"
    went_well(project.run("subscribers", "set", reader, "--language", "fr"), "Noted")
    went_well(project.run("subscribers", "list"), f"{reader}, Reader 0, fr, file")
    told = json.loads(
        project.run("subscribers", "set", reader, "--language", "en", "--json").stdout
    )
    assert {"address": reader, "language": "en", "topics": {}, "mailed": True} == told
    stopped(project.run("subscribers", "set", reader), 2, "Nothing to note")
    for wrong in ("x!", "zz"):
        stopped(project.run("subscribers", "set", reader, "--language", wrong), 2, f"“{wrong}”")
    stopped(project.run("subscribers", "set", reader, "--topic", "alerts"), 2, "no topic")
    both = ("--topic", "alerts", "--no-topic", "alerts")
    stopped(project.run("subscribers", "set", reader, *both), 2, "under --topic and under")
    stopped(project.run("subscribers", "set", "no@a.example", "--language", "fr"), 2, "not on the")


def test_check_says_what_an_import_of_several_files_would_do(project: Project) -> None:
    written(project.folder, {"a.csv": LISTMONK, "left.csv": "email\nben@a.example\n"})
    before = sorted(project.folder.rglob("*"))
    went_well(project.run("subscribers", "check", "a.csv", "left.csv"), "a.csv: listmonk",
              "1  new on the list", "1  not mailed: left")  # fmt: skip
    assert before == sorted(project.folder.rglob("*"))
    for files in (["a.csv"], ["left.csv"], ["subscribers.csv"], ["a.csv", "left.csv"]):
        said = project.run("subscribers", "check", *files).stdout
        assert "Nothing was changed." in said
        assert said == project.run(*IMPORT, *files, "--dry-run").stdout
    assert before == sorted(project.folder.rglob("*"))
    written(project.folder, {"c.csv": "email,status\nanna@a.example,Gold\n"})
    asked = project.run("subscribers", "check", "c.csv")
    stopped(asked, 2, "--mail status=Gold")
    assert asked.stderr == project.run(*IMPORT, "c.csv", "--dry-run").stderr
    written(project.folder, {"b.csv": "email\nnobody\n"})
    done = project.run("subscribers", "check", "a.csv", "left.csv", "b.csv")
    assert 2 == done.returncode
    assert "b.csv, row 2" in done.stdout


def test_damaged_letters_are_shown_and_mended_only_by_a_persons_yes(project: Project) -> None:
    without_list(project)
    written(project.folder, {"a.csv": "email,name\nanna@a.example,MÃ¼ller\n"})
    done = project.run(*IMPORT, "a.csv", "--yes", "--report", "report.txt")
    went_well(done, "MÃ¼ller  Müller", "not changed unasked", "look damaged, left out: 1.")
    assert "ller" not in (project.folder / "report.txt").read_text()
    went_well(project.run("subscribers", "show", "anna@a.example"))
    code, shown = at_a_terminal(project, *IMPORT, "a.csv", answer=b"y\ny\n")
    assert (0, True) == (code, "taken for what they seem to have been" in shown), shown
    assert "Müller" in project.run("subscribers", "access", "anna@a.example", "--json").stdout


def test_a_leaver_whose_address_cannot_be_read_is_said_to_be_kept_off_by_nothing(
    project: Project,
) -> None:
    written(project.folder, {"unsubscribed.csv": 'email\n"""reader0""@readers.example"\nben\n'})
    done = project.run(*IMPORT, "unsubscribed.csv", "--yes")
    went_well(done, "1  not mailed: left", "row 3", "added or kept off the list by these",
              "its reader left", "suppress add")  # fmt: skip
    went_well(project.run("suppress", "show", "reader0@readers.example"), "not mailed")


def test_who_never_confirmed_or_is_excluded_is_named_by_plan_record_and_show(
    project: Project,
) -> None:
    """Also if another import names them as readers, and whichever list is sent to."""
    people = [f"{name}@a.example" for name in ("wait", "never", "both", "in")]
    written(project.folder, {
        "all.csv": "email\n" + "\n".join(people) + "\n",
        "w.csv": "email\nreader0@readers.example\nwait@a.example\nboth@a.example\n",
        "n.csv": "email\nreader1@readers.example\nnever@a.example\nboth@a.example\n",
    })  # fmt: skip
    went_well(project.run(*IMPORT, "all.csv", "--yes"))
    states = ("--state", "w.csv=wait", "--state", "n.csv=never")
    went_well(project.run(*IMPORT, "w.csv", "n.csv", *states, "--yes"))
    why = ("2 people who never confirmed, by an import", "3 people whom an import excludes")
    went_well(project.run("send", "2017-04", "--dry-run"), "Will get it  2 people", *why)
    went_well(project.run("send", "2017-04", "--yes"), "2 planned = 2 accepted", *why)
    went_well(project.run("status", "2017-04"), "Not in the plan", *why)
    went_well(project.run("subscribers", "check"), "2 people to mail", "since an import says so")
    only = project.run("send", "2017-04", "--again", "--dry-run", "--subscribers",
                       "subscribers.csv")  # fmt: skip
    went_well(only, "Will get it  1 person", "1 person who never confirmed", "1 person whom")
    for address, said in (
        ("reader0@readers.example", "never confirmed"),
        ("wait@a.example", "never confirmed"),
        ("both@a.example", "are excluded"),
        ("reader1@readers.example", "are excluded"),
    ):
        shown = project.run("subscribers", "show", address)
        went_well(shown, "They are not mailed: an import says that they", said)
    told = project.run("subscribers", "show", "both@a.example", "--json").stdout
    assert "never" == json.loads(told)["kept_off"]
    shown = project.run("subscribers", "show", "in@a.example")
    assert "not mailed" not in shown.stdout
    went_well(project.run(*IMPORT, "--revert", "2", "--yes"))
    went_well(project.run("send", "2017-04", "--dry-run"), "Will get it  5 people")


def test_show_says_that_a_file_of_the_list_says_not_to_mail(project: Project) -> None:
    (project.folder / "subscribers.csv").write_text(
        "email,status\nanna@a.example,unsubscribed\nben@a.example,active\n"
    )
    went_well(project.run("subscribers", "show", "anna@a.example"), "a file of the list says so")


def test_a_report_says_whether_the_import_was_done(project: Project) -> None:
    written(project.folder, {"a.csv": "email\nanna@a.example\n"})
    report = project.folder / "report.txt"
    went_well(project.run(*IMPORT, "a.csv", "--dry-run", "--report", "report.txt"))
    assert "nothing is imported yet" in report.read_text()
    stopped(project.run(*IMPORT, "a.csv", "--report", "report.txt"), 2, "no terminal")
    assert "nothing is imported yet" in report.read_text()
    went_well(project.run(*IMPORT, "a.csv", "--yes", "--report", "report.txt"))
    assert "Import 1, " in report.read_text()


def test_set_says_that_who_left_is_not_mailed(project: Project) -> None:
    reader = "reader0@readers.example"
    went_well(project.run("suppress", "add", reader))
    went_well(project.run("subscribers", "set", reader, "--language", "fr"), "They are not mailed")


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("Kontakt,Empfänger\nAnna,anna@a.example\nBen,ben@a.example\n", b"2"),
        ("1,x,y,anna@a.example\n2,x,y,ben@a.example\n", b"4"),
    ],
    ids=["by name", "without a header"],
)
def test_a_person_is_asked_which_column_holds_the_addresses(
    project: Project, text: str, number: bytes
) -> None:
    without_list(project)
    written(project.folder, {"a.csv": text})
    stopped(project.run(*IMPORT, "a.csv", "--yes"), 2, "--column NAME")
    code, shown = at_a_terminal(project, *IMPORT, "a.csv", answer=b"9\n" + number + b"\ny\n")
    assert (0, True) == (code, "There is no 9 here." in shown), shown
    there = project.run("subscribers", "list", "--json").stdout.splitlines()
    assert ["anna@a.example", "ben@a.example"] == [json.loads(line)["address"] for line in there]


def test_ctrl_c_decides_about_no_value(project: Project) -> None:
    written(project.folder, {"a.csv": "email,status\nanna@a.example,Gold\nben@a.example,active\n"})
    code, shown = at_a_terminal(project, *IMPORT, "a.csv", answer=CTRL_C)
    assert (2, True, False) == (code, "was not answered" in shown, "Import them?" in shown), shown


def test_nothing_in_a_file_steers_the_terminal(project: Project) -> None:
    steers = "\x1b]0;x\x07\x9b\u202e"
    name = f"a{steers}.csv"
    written(project.folder, {name: f"email,Status\na@a.example,Go{steers}ld\n"})
    refused = project.run(*IMPORT, name, "--dry-run")
    stopped(refused, 2, "⟨U+001B⟩", "Status=Go⟨")
    done = project.run(*IMPORT, name, "--yes", "--mail", "Status=*", "--report", "report.txt")
    went_well(done, "1  new", "a⟨U+001B⟩")
    listed = project.run(*IMPORT, "--list")
    went_well(listed, "⟨U+202E⟩.csv")
    said = (project.folder / "report.txt").read_text() + listed.stdout + done.stdout
    assert not {*steers[:1], *steers[-3:]} & {*said, *refused.stdout, *refused.stderr}
