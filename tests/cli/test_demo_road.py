"""The road of a demo: into the mailbox, to everyone once, and never twice."""

from pathlib import Path

from tests.cli.support import CTRL_C, at_a_terminal, files, mails, outbox, part, stopped, went_well
from tests.support.project import Project

FRENCH_ISSUE = """\
title: Avril 2017
date: 2017-04-28
language: fr
subject: Une histoire en avril
preheader: Un numéro court, pour essayer le chemin d'un bout à l'autre
greeting: "Bonjour {{ name | chers amis }},"
stories:
  - id: only
    headline: La seule histoire du mois
    blurb: Elle est courte, et c'est tout ce qu'on lui demande ici.
    links:
      - label: Toute l'histoire
        url: https://defenders.example/only
"""


def test_everyone_on_the_list_gets_one_mail_and_nobody_a_second(project: Project) -> None:
    project.use_march()
    project.list_of(5)
    first = project.run("send", "2017-03", "--yes")
    went_well(first, "Will get it  5 people", "The numbers add up: 5 planned = 5 accepted.",
              "Complete.", "outbox/new")  # fmt: skip
    found = mails(project)
    assert {f"reader{n}@readers.example" for n in range(5)} == {
        mail["To"].addresses[0].addr_spec for mail in found
    }
    assert 5 == len(found)
    for mail in found:
        assert mail["To"].addresses[0].display_name in part(mail, "html")
        assert "https://news.defenders.example/u/" in part(mail, "plain")

    again = project.run("send", "2017-03", "--yes")
    went_well(again, "5 people have this issue already, or may have it",
              "Nobody is left to mail, so nothing was sent.")  # fmt: skip
    assert 5 == len(outbox(project))

    before = files(project)
    status = project.run("status")
    went_well(status, "Campaign 2017-03.1", "The numbers add up: 5 planned = 5 accepted.")
    assert before == files(project)


def test_a_dry_run_changes_nothing_before_the_first_send_nor_after(project: Project) -> None:
    before = files(project)
    went_well(project.run("send", "2017-04", "--dry-run"), "3 people would get it")
    assert before == files(project)

    went_well(project.run("send", "2017-04", "--yes", "--limit", "1"))
    before = files(project)
    went_well(project.run("send", "2017-04", "--dry-run"), "2 people would get it")
    assert before == files(project)


def test_limit_leaves_the_rest_to_a_second_send_and_again_mails_everyone_again(
    project: Project,
) -> None:
    first = project.run("send", "2017-04", "--yes", "--limit", "2")
    went_well(first, "1 person kept for a later send (--limit)", "2 planned = 2 accepted")
    second = project.run("send", "2017-04", "--yes")
    went_well(second, "2 people have this issue already", "1 planned = 1 accepted")
    assert 3 == len(outbox(project))
    third = project.run("send", "2017-04", "--yes", "--again")
    went_well(third, "3 planned = 3 accepted")
    assert 6 == len(outbox(project))
    went_well(project.run("status", "2017-04"), "2017-04.1", "2017-04.2", "2017-04.3")


def test_the_plan_tells_the_languages_and_how_long_it_takes_at_the_given_rate(
    project: Project,
) -> None:
    project.settings("rate_per_second = 0.5")
    project.issue(FRENCH_ISSUE, "2017-04.fr")
    rows = [f"r{n}@readers.example,,{'fr' if n < 100 else 'en'}" for n in range(130)]
    (project.folder / "subscribers.csv").write_text("\n".join(["email,name,language", *rows]))
    # A translation names its issue: sent as one of its own, people would get both.
    done = project.run("send", "2017-04.fr", "--dry-run")
    went_well(done, "(2017-04)", "130 people: 100 in French and 30 in English",
              "about 4 minutes, at no more than 0.5 a second")  # fmt: skip


def test_without_a_terminal_a_send_needs_yes(project: Project) -> None:
    done = project.run("send", "2017-04")
    stopped(done, 2, "Nobody can answer here", "--yes")
    assert "Will get it  3 people" in done.stdout
    assert not outbox(project)


def test_at_a_terminal_no_sends_nothing_and_yes_sends(project: Project) -> None:
    for no in (b"n\n", CTRL_C):
        code, said = at_a_terminal(project, "send", "2017-04", answer=no)
        assert (0, True) == (code, "Nothing was sent." in said), said
    assert not outbox(project)

    code, said = at_a_terminal(project, "send", "2017-04", answer=b"y\n")
    assert (0, True) == (code, "Complete." in said), said
    assert 3 == len(outbox(project))


def test_a_project_started_by_init_works_as_it_is(tmp_path: Path) -> None:
    project = Project.__new__(Project)
    project.folder = tmp_path
    went_well(project.run("init", "."), "newsletter send ")
    (issue,) = (path.stem for path in (tmp_path / "issues").glob("*.yaml"))
    assert 0 == project.run("check", issue).returncode
    assert 0 == project.run("test", issue, "--to", "me@example.org").returncode
    sent = project.run("send", issue, "--yes")
    assert (0, True) == (sent.returncode, "13 planned = 13 accepted" in sent.stdout), sent.stderr
    assert 14 == len(outbox(project))

    before = files(project)
    stopped(project.run("init", "."), 2, "There is a newsletter project here already")
    assert before == files(project)
