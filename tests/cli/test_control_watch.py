"""``status --watch``: a send seen from another terminal, to its end, whatever that is."""

import re
import signal
import sqlite3
from contextlib import closing

from tests.cli.support import WITHIN_S, Gate, ended, running, went_well
from tests.support.project import Project, smtp_delivery
from tests.support.smtp_server import SmtpServer


def test_a_send_is_watched_to_its_end_and_the_exit_code_is_that_of_status(
    project: Project,
) -> None:
    gate = Gate(at=1)
    with SmtpServer(behaviours={"dot": gate}) as server:
        project.settings(smtp_delivery(server.port, connections=1))
        with running(project, "send", "2017-04", "--yes") as send:
            gate.wait()
            with running(project, "status", "2017-04", "--watch") as watch:
                line = watch.stdout.readline()
                assert re.match(
                    r"\d\d:\d\d:\d\d campaign 2017-04\.1-\w{5}, done 1 of 3 \(33%\), ", line
                )
                assert "accepted 1" in line
                assert "run at work for" in line
                gate.opened.set()
                seen = ended(watch)
            ended(send)
        went_well(seen, "The run is over.", "3 planned = 3 accepted", "Complete.")
        assert "Last run: ended" in seen.stdout


def test_ctrl_c_leaves_the_send_alone(project: Project) -> None:
    gate = Gate(at=1)
    with SmtpServer(behaviours={"dot": gate}) as server:
        project.settings(smtp_delivery(server.port, connections=1))
        with running(project, "send", "2017-04", "--yes") as send:
            gate.wait()
            with running(project, "status", "2017-04", "--watch") as watch:
                watch.stdout.readline()
                watch.send_signal(signal.SIGINT)
                seen = ended(watch)
            assert (4, "") == (seen.returncode, seen.stderr)
            assert "Stopped watching; the send continues." in seen.stdout
            assert "It is being sent now" in seen.stdout
            gate.opened.set()
            went_well(ended(send), "3 planned = 3 accepted")


def ten_seconds_pass(project: Project) -> None:
    """In the ledger: since the run was last seen."""
    with closing(sqlite3.connect(project.folder / "newsletter.db")) as ledger, ledger:
        ledger.execute("UPDATE run SET seen_at = seen_at - 10")


def test_a_run_that_was_killed_is_said_to_be_gone(project: Project) -> None:
    gate = Gate(at=1)
    with SmtpServer(behaviours={"dot": gate}) as server:
        project.settings(smtp_delivery(server.port, connections=1))
        with running(project, "send", "2017-04", "--yes") as send:
            gate.wait()
            with running(project, "status", "2017-04", "--watch") as watch:
                watch.stdout.readline()
                send.kill()
                send.wait(WITHIN_S)
                ten_seconds_pass(project)
                seen = ended(watch)
        gate.opened.set()
        assert (4, "") == (seen.returncode, seen.stderr)
        assert "The run ended unexpectedly" in seen.stdout
        assert "Last run: gone without a word" in seen.stdout
        assert "To go on: newsletter resume 2017-04" in seen.stdout
        # Whom it may have mailed is named before anything is changed.
        before = (project.folder / "newsletter.db").read_bytes()
        told = project.run("status", "2017-04").stdout
        assert "In progress when the program ended" in told
        assert 1 == told.count("• reader1@readers.example (since ")
        assert before == (project.folder / "newsletter.db").read_bytes()
        settled = project.run("resolve", "2017-04")
        assert (6, True) == (settled.returncode, "reader1@readers.example" in settled.stdout)


def test_without_a_run_there_is_nothing_to_watch(project: Project) -> None:
    went_well(project.run("send", "2017-04", "--yes"))
    went_well(project.run("status", "--watch"), "No run is at work.", "Complete.")
