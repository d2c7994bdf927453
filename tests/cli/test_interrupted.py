"""Sends that are stopped, by a person, a relay or a disk: nobody is lost, nobody mailed twice."""

import os
import signal
import subprocess
from collections import Counter

import pytest

from tests.cli.support import Gate, ended, prepared, running_program, stopped, went_well
from tests.support.project import SHORT_ISSUE, Project, smtp_delivery
from tests.support.smtp_server import CUT, SmtpServer, always, refusing_port
from tests.support.tools import ROOT

PASSWORD = "correct horse battery staple"


def everyone_once(readers: int) -> Counter[str]:
    return Counter(f"reader{number}@readers.example" for number in range(readers))


def through(project: Project, server: SmtpServer, *, more: str = "") -> None:
    """Let the project send through ``server``, one message at a time."""
    project.settings(smtp_delivery(server.port, connections=1, more="wait_minutes = 0") + more)


@pytest.mark.fault("Process", "Ctrl-C", state="what is on its way is finished; the others pending")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_send_that_is_told_to_stop_finishes_what_is_on_its_way(
    project: Project, number: signal.Signals
) -> None:
    gate = Gate(at=1)
    with SmtpServer(behaviours={"dot": gate}) as server:
        through(project, server)
        with running_program(project, "send", "2017-04", "--yes") as process:
            gate.wait()
            process.send_signal(number)
            assert process.stderr is not None
            first = process.stderr.readline()  # it has heard
            assert first.startswith("Stopping: messages in progress are finished.")
            gate.opened.set()
            done = ended(process)
        assert (4, "") == (done.returncode, done.stderr)
        assert "3 planned = 2 accepted + 1 waiting" in done.stdout
        assert "To go on: newsletter resume 2017-04" in done.stdout
        assert 2 == server.copies().total()
        went_well(project.run("resume", "2017-04"), "3 planned = 3 accepted", "Complete.")
        assert everyone_once(3) == server.copies()


@pytest.mark.parametrize("loading", ["newsletter.cli.app", "newsletter.project.plan"])
def test_ctrl_c_while_the_program_is_being_loaded_ends_it_with_a_sentence(
    project: Project, loading: str
) -> None:
    (project.folder / "sitecustomize.py").write_text(
        "import sys\n"
        "class Interrupting:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        if name == {loading!r}:\n"
        "            raise KeyboardInterrupt\n"
        "sys.meta_path.insert(0, Interrupting())\n"
    )
    seen_first = project.environment(PYTHONPATH=f"{project.folder}{os.pathsep}{ROOT}")
    with running_program(project, "send", "2017-04", "--yes", env=seen_first) as process:
        done = ended(process)
    assert (130, "") == (done.returncode, done.stdout)
    assert "Stopped by Ctrl-C. “newsletter status” shows what was sent." == done.stderr.strip()


@pytest.mark.fault(
    "Process", "second process started on the same campaign", state="refused, exit 5"
)
def test_a_second_send_is_refused_while_one_runs_and_who_leaves_meanwhile_gets_nothing(
    project: Project,
) -> None:
    gate = Gate()
    with SmtpServer(behaviours={"dot": gate}) as server:
        through(project, server)
        with running_program(project, "send", "2017-04", "--yes") as process:
            gate.wait()
            second = project.run("send", "2017-04", "--yes")
            stopped(second, 5, "Another send is running here", "newsletter status")
            status = project.run("status", "2017-04")
            assert (4, True) == (status.returncode, "It is being sent now" in status.stdout)
            left = project.run("suppress", "add", "READER2@readers.example")
            went_well(left, "1 person added. They get no more mail.")
            gate.opened.set()
            done = ended(process)
        went_well(done, "3 planned = 2 accepted + 1 left", "Complete.")
        assert everyone_once(2) == server.copies()
    went_well(project.run("suppress", "list"), "1  taken off by hand")
    plan = project.run("send", "2017-04", "--dry-run", "--again")
    went_well(plan, "2 people", "1 person who left, complained or cannot be reached")


def test_a_relay_that_is_down_loses_nobody_and_a_changed_issue_is_noticed(
    project: Project,
) -> None:
    with refusing_port() as port:
        project.settings(smtp_delivery(port))
        down = project.run("send", "2017-04", "--yes")
        stopped(down, 4, "The relay cannot be reached", f"relay 127.0.0.1:{port}", "resume")
        assert "3 planned = 3 waiting" in down.stdout
        unfinished = project.run("send", "2017-04", "--yes")
        stopped(unfinished, 5, "not finished: 3 people waiting", "newsletter resume 2017-04")

        project.issue(SHORT_ISSUE.replace("One story", "Another story"))
        changed = project.run("resume", "2017-04")
        stopped(
            changed, 5, "changed since this send began", "newsletter resume 2017-04 --as-frozen"
        )
        project.issue(SHORT_ISSUE)
        stopped(project.run("resume", "2017-04"), 4, "The relay cannot be reached")

    project.issue(SHORT_ISSUE.replace("One story", "Another story"))
    with SmtpServer() as server:  # it is up again
        project.settings(smtp_delivery(server.port))
        went_well(project.run("resume", "2017-04", "--as-frozen"), "3 planned = 3 accepted")
        assert everyone_once(3) == server.copies()
        assert all(b"Subject: One story in April" in mail.content for mail in server.accepted)


def test_a_wrong_password_stops_the_send_and_is_never_shown(project: Project) -> None:
    account = 'username = "editors"\npassword = { env = "NEWSLETTER_PASSWORD" }\n'
    with SmtpServer(login=("editors", PASSWORD)) as server:
        through(project, server, more=account)
        # Without any, it stops before anything is frozen.
        stopped(project.run("send", "2017-04", "--yes"), 2, "NEWSLETTER_PASSWORD")
        wrong = project.environment(NEWSLETTER_PASSWORD="wrong-and-secret")
        done = project.run("send", "2017-04", "--yes", env=wrong)
        stopped(done, 4, "does not accept the user name and password", "resume")
        assert "wrong-and-secret" not in done.stdout + done.stderr
        assert not server.accepted

        right = project.environment(NEWSLETTER_PASSWORD=PASSWORD)
        went_well(project.run("resume", "2017-04", env=right), "3 planned = 3 accepted")
        assert everyone_once(3) == server.copies()
    kept = b"".join(path.read_bytes() for path in project.folder.glob("newsletter.db*"))
    assert PASSWORD.encode() not in kept


@pytest.mark.fault(
    "Process", "disk full", state="the run stops, exit 5; with room again it goes on"
)
def test_a_full_disk_stops_the_send_and_with_room_again_it_goes_on(project: Project) -> None:
    project.list_of(60)
    with SmtpServer() as server:
        through(project, server)
        # No file of the program may grow beyond this; the ledger's log soon would.
        full = prepared(
            "resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, 500_000))",
            project.command("send", "2017-04", "--yes"),
        )
        process = subprocess.run(
            full, cwd=project.folder, env=project.environment(), capture_output=True, text=True,
            timeout=60, stdin=subprocess.DEVNULL, check=False,
        )  # fmt: skip
        assert "Traceback" not in process.stderr
        stopped(process, 5, "disk", "newsletter resume")
        assert 0 < server.copies().total() < 60

        done = project.run("resume", "2017-04")
        assert (True, "") == (done.returncode in {0, 6}, done.stderr)
        copies = server.copies()
        assert 1 == max(copies.values())
        missing = everyone_once(60).keys() - copies.keys()
        assert len(missing) <= 1  # in doubt, one at most for a connection, and named
        assert all(address in done.stdout for address in missing)


def test_who_is_in_doubt_is_named_and_mailed_again_only_at_a_persons_word(
    project: Project,
) -> None:
    cut_twice = {0: CUT, 1: CUT}
    with SmtpServer(behaviours={"dot": cut_twice.get}) as server:
        through(project, server)
        done = project.run("send", "2017-04", "--yes")
        assert (6, "") == (done.returncode, done.stderr)
        assert "3 planned = 1 accepted + 2 in doubt" in done.stdout
        for words in ("  • reader0@readers.example: ", "  • reader1@readers.example: ",
                      "newsletter resolve 2017-04 ADDRESS --accepted"):  # fmt: skip
            assert words in done.stdout
        for command in (("send", "--yes"), ("resume",)):
            again = project.run(command[0], "2017-04", *command[1:])
            assert (6, True) == (again.returncode, "nothing was sent" in again.stdout)
        assert everyone_once(3) == server.copies()

        both = ("reader0@readers.example", "reader2@readers.example")
        stranger = project.run("resolve", "2017-04", *both, "--accepted")
        stopped(stranger, 2, "not in doubt: reader2@readers.example", "Nobody was settled")
        went_well(project.run("resolve", "2017-04", both[0], "--accepted"), f"accepted: {both[0]}")
        went_well(project.run("resolve", "2017-04", "reader1@readers.example", "--resend"))
        went_well(project.run("resume", "2017-04"), "3 planned = 3 accepted", "Complete.")
        # They had it, as it turns out; the second copy is the one a person asked for.
        assert everyone_once(3) + Counter({"reader1@readers.example": 1}) == server.copies()


def test_who_is_put_off_waits_and_the_account_tells_until_when(project: Project) -> None:
    later = {"reader1@readers.example": b"450 4.7.1 greylisted, try again later"}
    with SmtpServer(recipients=later) as server:
        through(project, server)
        for command in (("send", "--yes"), ("resume",)):
            done = project.run(command[0], "2017-04", *command[1:])
            assert (4, "") == (done.returncode, done.stderr)
            assert "3 planned = 2 accepted + 1 deferred" in done.stdout
            assert "To go on, from 20" in done.stdout
            assert "on: newsletter resume 2017-04" in done.stdout
        # They are not asked again before their time.
        assert 1 == sum("RCPT TO:<reader1@" in line for line in server.seen)
        assert 2 == server.copies().total()


def test_a_refusal_is_told_with_the_relays_words_and_is_a_definite_end(project: Project) -> None:
    gone = {"reader1@readers.example": b"550 5.1.1 no such mailbox here"}
    with SmtpServer(recipients=gone) as server:
        through(project, server)
        done = project.run("send", "2017-04", "--yes")
        went_well(done, "3 planned = 2 accepted + 1 refused", "Complete.",
                  "  • reader1@readers.example: 550 5.1.1 no such mailbox here")  # fmt: skip
        assert 2 == server.copies().total()


def test_a_relay_that_shuts_us_out_in_the_middle_is_waited_for(project: Project) -> None:
    def second_only(earlier: int) -> bytes | None:
        return b"421 4.7.0 too much from you" if earlier == 1 else None

    with SmtpServer(behaviours={"MAIL": second_only}) as server:
        through(project, server)
        went_well(project.run("send", "2017-04", "--yes"), "3 planned = 3 accepted", "Complete.")
        assert {1} == set(server.copies().values())


def test_a_relay_that_refuses_our_letters_stops_the_run(project: Project) -> None:
    with SmtpServer(behaviours={"MAIL": always(b"550 5.7.1 sender not allowed")}) as server:
        through(project, server)
        done = project.run("send", "2017-04", "--yes")
        stopped(done, 4, "sender not allowed", "newsletter resume")
        assert not server.accepted
        server.behaviours.clear()
        went_well(project.run("resume", "2017-04"), "3 planned = 3 accepted")
        assert everyone_once(3) == server.copies()
