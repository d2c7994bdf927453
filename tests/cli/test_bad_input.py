"""Bad input: one clear message, the right exit code, nothing sent, nothing lost."""

import os
import re
import zipfile
from pathlib import Path

import pytest

from tests.cli.support import files, mails, outbox, part, stopped, went_well
from tests.support.project import SETTINGS, SHORT_ISSUE, Project, smtp_delivery

PICTURE_WITHOUT_ALT = "    image:\n      file: p.jpg\n      credit: Somebody\n    blurb: It"


def test_an_issue_that_is_no_yaml(project: Project) -> None:
    project.issue(SHORT_ISSUE.replace("title: April 2017", 'title: "April'))
    stopped(
        project.run("send", "2017-04", "--yes"), 2, "issues/2017-04.yaml:6:12", "quotation mark"
    )
    assert not outbox(project)


def test_all_that_is_wrong_with_an_issue_is_told_at_once(project: Project) -> None:
    issue = SHORT_ISSUE.replace("2017-04-28", "28 April").replace("preheader:", "preheadr:")
    project.issue(issue.replace("    blurb: It", PICTURE_WITHOUT_ALT))
    done = project.run("send", "2017-04", "--yes")
    stopped(done, 2, "4 problems", "issues/2017-04.yaml:2:7: ", "Did you mean “preheader”?",
            "story “The only story of the month”", "Write alt:")  # fmt: skip
    assert not outbox(project)


def spreadsheet(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")


@pytest.mark.parametrize(
    ("write", "said"),
    [
        pytest.param(
            lambda path: path.write_text("email,name,language\n"), "no readers", id="only a header"
        ),
        pytest.param(lambda path: path.unlink(), "There is no such list.", id="missing"),
        pytest.param(spreadsheet, "spreadsheet file, not CSV", id="xlsx"),
    ],
)
def test_a_list_that_cannot_be_used(project: Project, write, said: str) -> None:  # type: ignore[no-untyped-def] # one of the lambdas above
    write(project.folder / "subscribers.csv")
    stopped(project.run("send", "2017-04", "--yes"), 2, said, "subscribers.csv", "Next:")
    assert not outbox(project)


def test_a_list_from_excel_is_taken_as_it_is(project: Project) -> None:
    path = project.folder / "subscribers.csv"
    path.write_bytes("E-mail;Name\r\nrene@readers.example;René Lefèvre\r\n".encode("cp1252"))
    done = project.run("subscribers", "check")
    went_well(done, "1 row, 1 person to mail", "Windows-1252", "René")
    path.write_bytes(b"\xef\xbb\xbf" + "E-mail;Name\r\nrene@readers.example;René\r\n".encode())
    went_well(project.run("send", "2017-04", "--yes"), "1 planned = 1 accepted")
    (mail,) = mails(project)
    assert "René" == mail["To"].addresses[0].display_name
    assert "Dear René," in part(mail, "plain")


def test_rows_that_cannot_be_used_are_named_and_the_others_mailed(project: Project) -> None:
    path = project.folder / "subscribers.csv"
    path.write_text("email,name\nanna@readers.example,Anna\nanna at home,Anna\n"
                    "anna@readers.example,Anna\n")  # fmt: skip
    done = project.run("subscribers", "check")
    assert (2, "") == (done.returncode, done.stderr)
    for word in ("row 3", "row 4", "3 rows, 1 person to mail", "Rows that cannot be used"):
        assert word in done.stdout
    sent = project.run("send", "2017-04", "--yes")
    went_well(sent, "Will not     1 row holds no usable address", "1 row repeats an address",
              "1 planned = 1 accepted")  # fmt: skip


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        pytest.param(
            "partials/lead.mjml.j2", "", "{{ stroy.headline }}",
            ["templates/default/partials/lead.mjml.j2:1", "stroy"], id="a name mistyped",
        ),
        pytest.param(
            "mail.mjml.j2", "<mj-body", "<mj-boddy",
            ["templates/default/mail.mjml.j2:", "mj-boddy"], id="a tag mistyped",
        ),
        pytest.param(
            "partials/footer.mjml.j2", "slot_url('unsubscribe_url')", "'https://a.example/'",
            ["Readers find no link to unsubscribe."], id="no unsubscribe link",
        ),
    ],
)  # fmt: skip
def test_a_theme_with_a_mistake(
    project: Project, file: str, old: str, new: str, said: list[str]
) -> None:
    path = project.folder / "templates" / "default" / file
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1) if old else new + text)
    stopped(project.run("send", "2017-04", "--yes"), 2, *said)
    assert not outbox(project)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        pytest.param(None, ["There is no newsletter.toml here.", "newsletter init"], id="missing"),
        pytest.param(
            SETTINGS.replace('"en"', "en"), ["newsletter.toml", "line 2"], id="malformed"
        ),
        pytest.param(
            SETTINGS.replace("language", "langage"),
            ["• newsletter.toml:2, langage: is no setting. Did you mean “language”?"],
            id="unknown key",
        ),
        pytest.param(
            SETTINGS + "rate_per_secnd = 2",
            ["[delivery] rate_per_secnd: is no setting. Did you mean “rate_per_second”?"],
            id="unknown key of a table",
        ),
        pytest.param(
            SETTINGS + "transport = 'smpt'",
            ["or ses. Did you mean “smtp”?"],
            id="unknown transport",
        ),
        pytest.param(
            SETTINGS + "transport = 'smtp'\n[smtp]\nhost = 'a.example'\n[[smtp.more]]\n"
            "host = 'b.example'\n[[smtp.more]]\nhost = 'c.example'\nprot = 25",
            ["[smtp.more.1] prot: is no setting. Did you mean “port”?"],
            id="unknown key of a relay",
        ),
        pytest.param(
            SETTINGS + 'transport = "smtp"', ['transport = "smtp" needs a table [smtp]'],
            id="no relay",
        ),
    ],
)  # fmt: skip
def test_settings_that_cannot_be_used(
    project: Project, settings: str | None, said: list[str]
) -> None:
    path = project.folder / "newsletter.toml"
    path.unlink()
    if settings is not None:
        path.write_text(settings)
    stopped(project.run("send", "2017-04", "--yes"), 2, *said)
    assert not outbox(project)


@pytest.mark.parametrize("added", [
    "rate_per_secnd = 2",
    "transport = 'smtp'\n[smtp]\nhost = 'a.example'\n[[smtp.more]]\nhost = 'b.example'\n"
    "[[smtp.more]]\nhost = 'c.example'\nprot = 25",
    "transport = 'smtp'\n[smtp]\nhost = 'a.example'\nport = 'x'",
])  # fmt: skip
def test_a_setting_that_cannot_be_used_is_named_with_its_line(project: Project, added: str) -> None:
    text = SETTINGS + added
    (project.folder / "newsletter.toml").write_text(text)
    line = len(text.splitlines())
    stopped(project.run("send", "2017-04", "--yes"), 2, f"• newsletter.toml:{line}, ")


def test_settings_that_are_a_pipe(project: Project) -> None:
    path = project.folder / "newsletter.toml"
    path.unlink()
    os.mkfifo(path)
    stopped(project.run("check", "2017-04"), 2, "pipe or device", "Next:  Put a text file there")


def test_a_slip_in_a_name_is_answered_with_what_was_meant(project: Project) -> None:
    stopped(project.run("check", "2017-4"), 2, "“2017-4”", "Did you mean “2017-04”?")
    stopped(project.run("docs", "setings"), 2, "“setings”", "Did you mean “settings”?")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["2018-01", "--language", "english"], "• “language” is no language code."),
        (["2018-01", "--title", "Two\nlines"], "“title”"),
        (["Bad_ID"], "“Bad_ID” cannot be the id of an issue."),
        (["2017-04.french"], "“2017-04.french” cannot be the id of an issue."),
        (["../2018-01"], "“../2018-01” cannot be the id of an issue."),
    ],
)
def test_an_issue_that_cannot_be_started_is_told_without_a_file_that_is_not_there(
    project: Project, arguments: list[str], said: str
) -> None:
    before = files(project)
    done = project.run("new", *arguments)
    stopped(done, 2, said, "Next:")
    assert "issues/" not in done.stderr
    assert before == files(project)


def test_a_check_says_that_the_list_is_missing(project: Project) -> None:
    went_well(project.run("check", "2017-04"))
    (project.folder / "subscribers.csv").unlink()
    went_well(project.run("check", "2017-04"), "There is no list yet: subscribers.csv.")


def test_a_trial_is_said_once(project: Project) -> None:
    done = project.run("send", "2017-04", "--yes")
    went_well(done, "A trial: it reached nobody.")
    assert 1 == done.stdout.partition("Campaign ")[2].count("reached")


def test_a_missing_secret_is_told_before_anything_is_frozen(project: Project) -> None:
    project.settings(smtp_delivery(1) + 'username = "us"\npassword = { env = "NO_SUCH_THING" }\n')
    stopped(project.run("send", "2017-04", "--yes"), 2, "NO_SUCH_THING")
    stopped(project.run("status", "2017-04"), 2, "“2017-04” has not been sent from here")


def test_an_issue_that_does_not_exist_is_answered_with_those_that_do(project: Project) -> None:
    project.issue(SHORT_ISSUE, "2017-05")
    done = project.run("render", "2017-06", "--out", "build")
    stopped(done, 2, "There is no issue “2017-06” here.", "2017-04, 2017-05")
    # Nor is a file outside issues/ one of them.
    (project.folder / "stray.yaml").write_text(SHORT_ISSUE)
    stopped(project.run("send", "../stray", "--yes"), 2, "There is no issue “../stray” here.")


def test_checks_that_find_errors_stop_a_send(project: Project) -> None:
    project.issue(SHORT_ISSUE.replace("It is short", "Lorem ipsum, it is short"))
    done = project.run("send", "2017-04", "--yes")
    stopped(done, 3, "error: ", "Lorem ipsum", "The checks found 1 error, so nothing was sent.")
    assert not outbox(project)
    check = project.run("check", "2017-04")
    assert (3, "") == (check.returncode, check.stderr)
    assert "2017-04: 1 error" in check.stdout


def test_a_ledger_that_is_none_is_left_as_it_is(project: Project) -> None:
    went_well(project.run("send", "2017-04", "--yes"))
    ledger = project.folder / "newsletter.db"
    good = ledger.read_bytes()
    ledger.write_bytes(b"This was a database once. " * 400)
    garbage = ledger.read_bytes()
    stopped(
        project.run("send", "2017-04", "--yes"), 5, "This file is not a ledger.", "newsletter.db"
    )
    assert garbage == ledger.read_bytes()
    # The header is right, what follows is not.
    ledger.write_bytes(good[:4096] + b"\xa5" * (len(good) - 4096))
    stopped(project.run("send", "2017-04", "--yes"), 5, "The ledger is damaged.", "backup")
    ledger.unlink()
    ledger.mkdir()
    stopped(project.run("send", "2017-04", "--yes"), 5, "The ledger cannot be opened.")
    assert 3 == len(outbox(project))


def test_a_lost_key_file_is_asked_for_and_never_replaced(project: Project) -> None:
    went_well(project.run("send", "2017-04", "--yes", "--limit", "1"))
    key = project.folder / "newsletter.key"
    content = key.read_bytes()
    key.unlink()
    stopped(project.run("send", "2017-04", "--yes"), 2, "The key file is missing.", "your copy")
    assert not key.exists()
    # Nor is another one taken.
    key.write_bytes(re.sub(rb'(pepper = ")[0-9a-f]{8}', rb"\g<1>00000000", content))
    key.chmod(0o600)
    stopped(project.run("send", "2017-04", "--yes"), 5, "not the one this ledger was written with")
    key.write_bytes(content)
    went_well(project.run("send", "2017-04", "--yes"), "2 planned = 2 accepted")


def test_new_starts_an_issue_and_never_writes_over_one(project: Project) -> None:
    went_well(project.run("new", "2017-05", "--title", "May 2017"), "issues/2017-05.yaml")
    went_well(project.run("new", "2017-05.fr"), "issues/2017-05.fr.yaml")
    before = files(project)
    stopped(project.run("new", "2017-05"), 2, "issues/2017-05.yaml: exists already.")
    for bad in ("../2017-06", "May 2017"):
        stopped(project.run("new", bad), 2, "such as 2017-0")
    assert before == files(project)


def test_a_command_mistyped_is_explained_without_a_traceback(project: Project) -> None:
    for words, said in (
        (["sned", "2017-04"], "send"),
        (["send", "2017-04", "--limit", "0"], "--limit"),
        (["resolve", "2017-04", "--accepted", "--resend"], "either --accepted or --resend"),
    ):
        done = project.run(*words)
        assert (2, "", True) == (done.returncode, done.stdout, said in done.stderr), done


def test_a_day_that_is_none_is_told_in_words(project: Project) -> None:
    said = project.run("new", "2017-05", "--date", "2017-13-01")
    assert 2 == said.returncode
    assert "“2017-13-01” is not a date" in said.stderr
