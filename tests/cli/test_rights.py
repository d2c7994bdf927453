"""What is held of one person, being forgotten, and what is kept no longer."""

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.cli.support import mails, stopped, went_well
from tests.cli.test_preferences import change
from tests.support.project import Project, smtp_delivery
from tests.support.public_side import public_settings, public_side
from tests.support.smtp_server import SmtpServer, always

ANNA, OTHER = "reader0@readers.example", "reader1@readers.example"


def sent(project: Project, more: str = "") -> None:
    """An issue went out, Anna chose French, and another reader left."""
    rows = ["email,name,language", f"{ANNA},Anna Doe,en", f"{OTHER},Ben,en", "x,y,en"]
    (project.folder / "subscribers.csv").write_text("\n".join(rows))
    project.settings(public_settings() + more)
    with public_side(project.folder) as side:
        change(side, 0, language="fr", topics={"alerts": False})
        side.leave(OTHER)
        went_well(project.run("send", "2017-04", "--yes"), "1 planned = 1 accepted")


def held(project: Project, address: str = ANNA) -> Any:
    said = project.run("subscribers", "access", address, "--json")
    assert (0, "") == (said.returncode, said.stderr)
    return json.loads(said.stdout)


def traces(project: Project, *words: str) -> list[str]:
    """Which of the ledger's and the record's files hold one of the words."""
    files = [*project.folder.glob("newsletter.db*"), *Path(project.home).rglob("*.db*")]
    return [
        str(file) for file in files if any(word.encode() in file.read_bytes() for word in words)
    ]


# access


def test_access_shows_all_that_is_held(project: Project) -> None:
    sent(project)
    found = held(project, "READER0@readers.example")
    assert [2] == [row["row"] for row in found["list"]["rows"]]
    assert {"language", "topics"} == set(found["preferences"])  # and no pause
    assert "fr" == found["preferences"]["language"]
    (delivery,) = found["deliveries"]
    assert ("2017-04", "accepted", "Anna Doe") == (
        *(delivery["issue"], delivery["state"]),
        delivery["name"],
    )
    assert ["accept"] == [each["outcome"] for each in delivery["attempts"]]
    assert found["mailed"]
    assert OTHER not in json.dumps(found)


def test_access_shows_why_somebody_is_not_mailed(project: Project) -> None:
    sent(project)
    found = held(project, OTHER)
    assert not found["mailed"]
    (leave,) = found["suppressions"]
    assert ("leave", "unsubscribed", "one-click") == (
        *(leave["kind"], leave["reason"]),
        leave["source"],
    )


def test_access_of_a_stranger_and_before_anything_was_sent(project: Project) -> None:
    found = held(project, "nobody@elsewhere.example")
    assert ([], []) == (found["deliveries"], found["suppressions"])
    assert not (project.folder / "newsletter.db").exists()
    stopped(project.run("subscribers", "access", "nobody"), 2, "nobody")
    stranger = project.run("subscribers", "access", "nobody@readers.example")
    mailed = "mailed if the list, an import or a sign-up names them"
    went_well(stranger, mailed, "rows: none names them")


def test_access_does_not_mistake_one_address_for_another(project: Project) -> None:
    (project.folder / "subscribers.csv").write_text(
        "email,name,note\nanna@a.example,A,\nxanna@a.example,B,\nanna@a.example.org,C,\n"
        'ben@a.example,D,"see Anna <anna@a.example>"\n'
    )
    rows = held(project, "anna@a.example")["list"]["rows"]
    assert [2, 5] == [row["row"] for row in rows]


def test_access_as_text_and_as_a_page(project: Project, tmp_path: Path) -> None:
    sent(project)
    (project.folder / "subscribers.csv").write_text(
        f"email,name\n{ANNA},<script>alert(1)</script>\n"
    )
    said = project.run("subscribers", "access", ANNA)
    went_well(said, "What was mailed to them", "issue: 2017-04", "outbox/new")
    page = tmp_path / "anna.html"
    went_well(project.run("subscribers", "access", ANNA, "--out", str(page)), "Only you can read")
    html = page.read_text(encoding="utf-8")
    assert "&lt;script&gt;" in html
    assert "<script" not in html
    assert 0o600 == page.stat().st_mode & 0o777
    out = tmp_path / "anna.json"
    project.run("subscribers", "access", ANNA, "--out", str(out))
    assert "2017-04" == json.loads(out.read_text())["deliveries"][0]["issue"]


def test_a_list_that_cannot_be_read_is_said(project: Project) -> None:
    (project.folder / "subscribers.csv").write_text('email,name\n"open,x\n')
    assert "unreadable" in held(project)["list"]


# forget


def test_forget_erases_who_it_was_and_keeps_the_numbers(project: Project) -> None:
    sent(project)
    assert traces(project, ANNA, "Anna Doe")
    said = project.run("subscribers", "forget", ANNA, "--yes")
    went_well(
        said,
        "Erased: 1 delivery and 1 change of preferences. They get no more mail.",
        "still names them in row 2",
        "the public log, whose entries newsletter.key opens",
        "older than 90 days",
        "backups",
        "outbox/new",
    )
    assert [] == traces(project, ANNA, "Anna Doe")
    found = held(project)
    assert {} == found["preferences"]
    (delivery,) = found["deliveries"]
    assert ("", {}, "accepted") == (delivery["name"], delivery["fields"], delivery["state"])
    assert not found["mailed"]
    went_well(project.run("status", "2017-04"), "1 planned = 1 accepted")


def test_whoever_was_forgotten_is_not_mailed_although_the_list_has_them(project: Project) -> None:
    sent(project)
    project.run("subscribers", "forget", ANNA, "--yes")
    project.issue((project.folder / "issues" / "2017-04.yaml").read_text(), "2017-05")
    said = project.run("send", "2017-05", "--yes")
    assert "Nobody" in said.stdout + said.stderr
    assert 1 == len(mails(project))
    with pytest.raises(AssertionError):
        went_well(project.run("suppress", "lift", ANNA, "--reason", "x"))


def test_reading_the_whole_log_again_brings_nothing_back(project: Project) -> None:
    sent(project)
    project.run("subscribers", "forget", ANNA, "--yes")
    with public_side(project.folder) as side:
        went_well(project.run("sync", "--again"))
        assert {} == held(project)["preferences"]
        went_well(project.run("subscribers", "forget", ANNA, "--yes"), "nothing was there")
        change(side, 0, seconds=60, language="ar")  # they came back and chose anew
        project.run("sync")
    assert "ar" == held(project)["preferences"]["language"]


def test_forget_before_anything_was_sent(project: Project) -> None:
    said = project.run("subscribers", "forget", ANNA, "--yes")
    went_well(said, "nothing was there", "row 2")
    said = project.run("send", "2017-04", "--yes")
    went_well(said, "2 planned = 2 accepted")


def test_forget_asks_first(project: Project) -> None:
    sent(project)
    said = project.run("subscribers", "forget", ANNA)
    stopped(said, 2, "--yes")
    assert "check the spelling" not in said.stdout
    assert held(project)["mailed"]


def test_forget_warns_of_an_address_that_nothing_here_names(project: Project) -> None:
    sent(project)
    said = project.run("subscribers", "forget", "anan@readers.example")
    stopped(said, 2, "--yes")
    assert "Nothing is held of anan@readers.example here: check the spelling." in said.stdout


def test_forget_promises_nothing_of_what_is_no_address(project: Project) -> None:
    said = project.run("subscribers", "forget", "anna@@x", "--yes")
    stopped(said, 2, "“anna@@x” is not an email address")
    assert "are erased from the ledger" not in said.stdout


def test_a_restored_ledger_is_erased_again(project: Project) -> None:
    """The send record remembers who asked, so an old copy of the ledger loses them, too."""
    with SmtpServer() as relay:
        project.settings(smtp_delivery(relay.port) + public_settings())
        with public_side(project.folder) as side:
            went_well(project.run("send", "2017-04", "--yes"), "3 planned = 3 accepted")
            change(side, 0, language="fr")
            project.run("sync")
            copy = project.folder.with_name("newsletter.db.old")
            with (
                closing(sqlite3.connect(project.folder / "newsletter.db")) as there,
                closing(sqlite3.connect(copy)) as here,
            ):
                there.backup(here)
            project.run("subscribers", "forget", ANNA, "--yes")
            for file in project.folder.glob("newsletter.db*"):
                file.unlink()
            shutil.copy(copy, project.folder / "newsletter.db")
            assert traces(project, ANNA)
            went_well(project.run("sync"), "Erased, as [privacy] says: 1 delivery")
    assert [] == traces(project, ANNA)
    assert not held(project)["mailed"]


def test_a_delivery_in_waiting_keeps_its_address_until_it_is_over(project: Project) -> None:
    with SmtpServer() as relay:
        relay.behaviours["RCPT"] = always(b"451 4.7.1 later")
        project.settings(smtp_delivery(relay.port, connections=1, more="wait_minutes = 0"))
        project.run("send", "2017-04", "--yes")
        said = project.run("subscribers", "forget", ANNA, "--yes")
        went_well(said, "1 delivery still waiting or in doubt")
        relay.behaviours.clear()
        project.run("resume", "2017-04", "--yes")
        went_well(project.run("subscribers", "purge", "--yes"), "Erased: 1 delivery")
    assert [] == traces(project, ANNA)


# how long it is kept


def age(project: Project, days: float) -> None:
    """Let all that was written down lie back so many days."""
    with closing(sqlite3.connect(project.folder / "newsletter.db")) as database:
        triggers = database.execute(
            "SELECT name, sql FROM sqlite_master WHERE type = 'trigger'"
        ).fetchall()
        for name, _ in triggers:
            database.execute(f"DROP TRIGGER {name}")
        back = days * 86_400
        database.execute("UPDATE suppression SET at = at - ?", (back,))
        database.execute("UPDATE campaign SET frozen_at = frozen_at - ?", (back,))
        database.execute("UPDATE preference SET at = at - ?", (back,))
        database.execute("UPDATE sign_up SET at = at - ?1, form_at = form_at - ?1", (back,))
        for _, sql in triggers:
            database.execute(sql)
        database.commit()


@pytest.mark.parametrize(
    ("profile", "days", "erased"),
    [
        ("proof", 29, False),
        ("proof", 31, True),
        ("eu-institution", 0.5, False),
        ("eu-institution", 1.5, True),
        ("minimal", 1.5, True),
    ],
)
def test_who_left_is_erased_when_the_profile_says(
    project: Project, profile: str, days: float, erased: bool
) -> None:
    sent(project, f'[privacy]\nprofile = "{profile}"\n')
    with public_side(project.folder) as side:
        side.leave(ANNA)
        project.run("sync")
        age(project, days)
        due = project.run("subscribers", "purge", "--dry-run").stdout
        assert erased == ("1 delivery and 1 change of preferences" in due), due
        assert held(project)["preferences"]  # a dry run changes nothing
        project.run("sync")
    assert erased == (not traces(project, ANNA))
    went_well(project.run("subscribers", "purge"), "Nothing is due.")
    went_well(project.run("status", "2017-04"), "1 planned = 1 accepted")


def test_minimal_forgets_to_whom_old_issues_went_and_mails_none_twice(project: Project) -> None:
    sent(project, '[privacy]\nprofile = "minimal"\nkeep_deliveries_days = 30\n')
    age(project, 31)
    with public_side(project.folder):
        went_well(project.run("sync"), "Erased, as [privacy] says: 1 delivery.")
        assert [] == traces(project, ANNA)
        said = project.run("send", "2017-04", "--yes", "--dry-run")
    assert "1 person has this issue already" in said.stdout
    assert held(project)["mailed"]


def test_an_erased_delivery_is_still_sealed(project: Project) -> None:
    sent(project)
    project.run("subscribers", "forget", ANNA, "--yes")
    with (
        closing(sqlite3.connect(project.folder / "newsletter.db")) as database,
        pytest.raises(sqlite3.IntegrityError, match="frozen"),
    ):
        database.execute(f"UPDATE delivery SET address = '{ANNA}', domain = 'readers.example'")


# sign-ups

CARLA = "carla@readers.example"


def signed_up(project: Project, more: str = "") -> None:
    """Carla signed up and has the issue."""
    project.settings(public_settings() + more)
    with public_side(project.folder) as side:
        side.sign_up(CARLA, name="Carla Roe", language="fr")
        went_well(project.run("send", "2017-04", "--yes"), "4 planned = 4 accepted")


def test_access_shows_the_record_of_a_consent(project: Project) -> None:
    signed_up(project)
    (consent,) = held(project, CARLA)["sign_ups"]
    assert ("Carla Roe", "fr") == (consent["name"], consent["language"])
    assert consent["message_id"].startswith("<")
    assert consent["confirmed"]


def test_forget_voids_a_sign_up_and_the_log_does_not_bring_it_back(project: Project) -> None:
    signed_up(project)
    said = project.run("subscribers", "forget", CARLA, "--yes")
    went_well(said, "Erased: 1 delivery, 1 change of preferences and 1 sign-up.")
    assert [] == traces(project, CARLA, "Carla Roe")
    assert [] == held(project, CARLA)["sign_ups"]
    with public_side(project.folder):
        project.run("sync", "--again")
    assert [] == traces(project, CARLA, "Carla Roe")


@pytest.mark.parametrize("profile", ["proof", "eu-institution", "minimal"])
def test_after_leaving_the_proof_stays_as_the_profile_says(project: Project, profile: str) -> None:
    signed_up(project, f'[privacy]\nprofile = "{profile}"\nkeep_proof_years = 1\n')
    with public_side(project.folder) as side:
        side.leave(CARLA)
        project.run("sync")
        age(project, 40)
        project.run("sync")
        assert [] == traces(project, CARLA, "Carla Roe")
        proofs = held(project, CARLA)["sign_ups"]
        assert (profile == "proof") == bool(proofs)
        if proofs:
            assert ("", "") == (proofs[0]["address"], proofs[0]["name"])
            assert proofs[0]["message_id"].startswith("<")
        age(project, 2 * 366)
        project.run("sync")
    assert [] == held(project, CARLA)["sign_ups"]
