"""Trials beside sends: they reach nobody, and nothing outside the folder remembers them."""

from tests.cli.copies.support import (
    OLDER,
    cleaned,
    copied,
    everyone_once,
    one_a_connection,
    one_of_three,
)
from tests.cli.support import stopped, went_well
from tests.support.project import SHORT_ISSUE, Project, smtp_delivery
from tests.support.smtp_server import SmtpServer


def test_a_trial_is_remembered_nowhere_else(project: Project, server: SmtpServer) -> None:
    project.settings(smtp_delivery(server.port) + "trial = true\n")
    went_well(project.run("send", "2017-04", "--yes"), "trial", "3 planned = 3 accepted")
    assert not project.home.exists()
    cleaned(project)
    went_well(project.run("send", "2017-04", "--yes"), "3 planned = 3 accepted")
    went_well(project.run("adopt", "--yes"), "nothing to adopt")
    project.settings(one_a_connection(server))
    cleaned(project)
    went_well(project.run("send", "2017-04", "--yes"), "3 planned = 3 accepted")


def test_a_trial_in_a_copy_does_not_make_it_the_latest(
    project: Project, server: SmtpServer
) -> None:
    one_of_three(project, server)
    copy = copied(project)
    went_well(project.run("resume", "2017-04"))
    copy.settings(one_a_connection(server) + "trial = true\n")
    with SmtpServer() as trial:
        copy.settings(smtp_delivery(trial.port) + "trial = true\n")
        stopped(copy.run("resume", "2017-04"), 5, "of this send reached readers")
        copy.issue(SHORT_ISSUE, "2017-05")
        went_well(copy.run("send", "2017-05", "--yes"), "3 planned = 3 accepted")
    copy.settings(one_a_connection(server))
    stopped(copy.run("send", "2017-04", "--yes"), 5, OLDER)
    went_well(project.run("send", "2017-04", "--yes"), "Nobody is left")
    assert everyone_once() == server.copies()


def test_a_list_on_an_example_domain_reaches_nobody_but_in_a_trial(
    project: Project, server: SmtpServer
) -> None:
    for example in ("news.defenders.example", "news.example.org", "news.example.com"):
        project.settings(smtp_delivery(server.port))
        settings = project.folder / "newsletter.toml"
        settings.write_text(settings.read_text().replace("news.defenders.test", example))
        for command in (("send", "2017-04", "--yes"), ("test", "2017-04", "--to", "a@b.example")):
            stopped(project.run(*command), 2, example, "trial = true")
    assert not server.copies()


def test_the_first_send_from_a_machine_says_what_it_cannot_see(project: Project) -> None:
    went_well(project.run("send", "2017-04", "--yes", "--limit", "1"),
              "this machine remembers no send to this list")  # fmt: skip
    done = project.run("send", "2017-04", "--yes")
    went_well(done)
    assert "New here" not in done.stdout
