"""A trial stays a trial, and a send a send."""

from datetime import UTC, datetime, timedelta

from tests.cli.support import outbox, stopped, went_well
from tests.support.project import Project, smtp_delivery
from tests.support.smtp_server import SmtpServer, after


def cut_short(project: Project, server: SmtpServer, settings: str) -> None:
    """One of three readers counts as accepted, two wait."""
    project.settings(settings)
    server.behaviours["MAIL"] = after(1, b"550 5.7.1 sender not allowed")
    assert 4 == project.run("send", "2017-04", "--yes").returncode
    server.behaviours.clear()
    assert 1 == server.copies().total()


def test_a_trial_is_not_gone_on_with_for_real(project: Project) -> None:
    with SmtpServer() as server:
        real = smtp_delivery(server.port, connections=1) + "messages_per_connection = 1\n"
        cut_short(project, server, f"{real}trial = true\n")
        project.settings(real)
        done = project.run("resume", "2017-04", "--yes")
        stopped(done, 5, "has been a trial so far", "newsletter send 2017-04 --again")
        assert 1 == server.copies().total()
        # The advice, to its end.
        project.settings(f"{real}trial = true\n")
        went_well(project.run("resume", "2017-04", "--yes"), "3 planned = 3 accepted")
        project.settings(real)
        went_well(project.run("send", "2017-04", "--again", "--yes"), "3 planned = 3 accepted")
        assert {2} == set(server.copies().values())  # the trial's and the real one


def test_a_send_is_not_gone_on_with_as_a_trial(project: Project) -> None:
    with SmtpServer() as server:
        real = smtp_delivery(server.port, connections=1) + "messages_per_connection = 1\n"
        cut_short(project, server, real)
        project.settings('transport = "mailbox"\n')
        stopped(
            project.run("resume", "2017-04", "--yes"), 5, "Some mails of this send reached readers"
        )
        assert [] == outbox(project)
        project.settings(real)
        went_well(project.run("resume", "2017-04", "--yes"), "3 planned = 3 accepted")
        assert {1} == set(server.copies().values())


def test_a_trial_in_which_nobody_was_accepted_is_no_send_either(project: Project) -> None:
    with SmtpServer() as server:
        real = smtp_delivery(server.port)
        project.settings(f"{real}trial = true\n")
        server.behaviours["MAIL"] = after(0, b"550 5.7.1 sender not allowed")
        assert 4 == project.run("send", "2017-04", "--yes").returncode
        server.behaviours.clear()
        project.settings(real)
        stopped(project.run("resume", "2017-04", "--yes"), 5, "has been a trial so far")
        assert {} == server.copies()


def test_what_a_scheduler_starts_finds_the_same_state_folder(project: Project) -> None:
    elsewhere = project.folder.with_name("state elsewhere")
    with SmtpServer() as server:
        project.settings(smtp_delivery(server.port))
        shell = project.environment(XDG_STATE_HOME=str(elsewhere))
        time = (datetime.now(UTC) + timedelta(days=30)).isoformat(timespec="minutes")
        at = ("--at", time, "--scheduler")
        done = project.run("send", "2017-04", "--yes", *at, env=shell)
        assert done.returncode == 4, done.stderr
        assert done.stdout.count(f"env 'XDG_STATE_HOME={elsewhere}'") >= 2
        usual = Project(project.folder.with_name("usual"))
        usual.settings(smtp_delivery(server.port))
        assert "XDG_STATE_HOME" not in usual.run("send", "2017-04", "--yes", *at).stdout
