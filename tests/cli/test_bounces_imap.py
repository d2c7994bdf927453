"""The bounce mailbox on a real IMAP server, Dovecot, read through the program."""

import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import newsletter.project.bounces as bounces
import pytest
import trustme
from newsletter.project import Project as Newsletter

from tests.cli.support import ended, running_program, stopped, went_well
from tests.cli.test_bounces import EACH, counted, killed_at, one_of_each, rows, suppressed
from tests.support.dovecot import PASSWORD, USER, Dovecot, dovecot
from tests.support.project import Project
from tests.support.returned_mail import Sent, question, sent
from tests.support.tools import PROVE

NAME = "NEWSLETTER_BOUNCES_PASSWORD"


@pytest.fixture
def server() -> Iterator[Dovecot]:
    with dovecot() as running:
        yield running


@pytest.fixture
def project(project: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.setenv(NAME, PASSWORD)
    return project


def at(project: Project, server: Dovecot, more: str = 'security = "none"') -> None:
    """Let newsletter.toml name the server."""
    project.settings(
        f'\n[bounces]\nhost = "localhost"\nport = {server.port}\nusername = "{USER}"\n'
        f'password = {{ env = "{NAME}" }}\n{more}\n'
    )


def letters(project: Project, number: int = 8) -> list[Sent]:
    project.list_of(number)
    return sent(project)


@pytest.mark.timeout(900)
def test_hundreds_of_mails_are_accounted_for_and_none_is_touched(
    project: Project, server: Dovecot
) -> None:
    people = 1000 if PROVE else 60
    found = letters(project, people)
    for each in found:
        server.deliver(each.full(), each.absence(), each.delayed(), question())
    gone, spam, left = (found[begin::3] for begin in range(3))
    server.deliver(*(each.bounce() for each in gone), *(each.complaint() for each in spam),
                   *(each.leave() for each in left))  # fmt: skip
    before = server.files()
    assert 5 * people == len(before)
    at(project, server)
    expected = {"bounce": people + len(gone), "complaint": len(spam), "leave": len(left),
                "report": people, "auto-reply": people, "not understood": people}  # fmt: skip
    assert expected == counted(project)
    assert before == server.files(), "no mail is deleted, moved or marked as seen"
    assert [(people,)] == rows(project, "SELECT COUNT(DISTINCT tag) FROM suppression")
    by_reason = "SELECT reason, COUNT(DISTINCT tag) FROM suppression GROUP BY reason"
    assert {"bounced": len(gone), "complained": len(spam),
            "unsubscribed": len(left)} == dict(rows(project, by_reason))  # type: ignore[arg-type] # fmt: skip
    assert {} == counted(project)


@pytest.mark.skipif(not PROVE, reason="it takes minutes: make prove")
@pytest.mark.timeout(1800)
def test_a_hundred_thousand_mails_are_read_in_bounded_memory_and_then_in_seconds(
    project: Project, server: Dovecot
) -> None:
    found = letters(project, 50)
    number, kinds = 100_000, ("bounce", "full", "complaint", "leave", "absence", "delayed")
    for begin in range(0, number, 300):
        server.deliver(
            *(getattr(each, kind)() for each in found for kind in kinds)
            if begin + 300 <= number else (question() for _ in range(number - begin))
        )  # fmt: skip
    at(project, server)
    figures = []
    for _ in range(2):
        began = time.monotonic()
        with running_program(project, "bounces", "--json") as process:
            assert process.stdout is not None
            told = json.loads(process.stdout.read())
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        assert 0 == process.returncode
        figures.append((told["read"], time.monotonic() - began, usage))
    (read, seconds, usage), (read_again, seconds_again, usage_again) = figures
    print(f"{read:,} mails in {seconds:.0f} s, {read / seconds:,.0f} a second, "
          f"{usage.ru_utime + usage.ru_stime:.0f} s of processor time, "
          f"{usage.ru_maxrss / 1000:.0f} MB; again in {seconds_again:.1f} s, "
          f"{usage_again.ru_maxrss / 1000:.0f} MB")  # fmt: skip
    assert (number, 0) == (read, read_again)
    assert [(50,)] == rows(project, "SELECT COUNT(DISTINCT tag) FROM suppression")
    assert usage.ru_maxrss < 200_000
    assert usage_again.ru_utime < usage.ru_utime / 4


def test_after_a_new_uidvalidity_all_is_read_again_and_nothing_counts_twice(
    project: Project, server: Dovecot
) -> None:
    server.deliver(*one_of_each(letters(project)))
    at(project, server)
    assert EACH == counted(project)
    told = rows(project, "SELECT mark FROM event"), rows(project, "SELECT id FROM suppression")
    server.forget_uids()
    done = project.run("bounces")
    went_well(done, "Read 7 mails.", "Known already: 4 pieces of news.")
    assert "not mailed any more" not in done.stdout
    assert told == (
        rows(project, "SELECT mark FROM event"), rows(project, "SELECT id FROM suppression")
    )  # fmt: skip
    assert {} == counted(project)


def test_what_is_understood_moves_to_a_folder_and_the_rest_stays(
    project: Project, server: Dovecot
) -> None:
    server.deliver(*one_of_each(letters(project)))
    at(project, server, 'security = "none"\nmove_to = "Read bounces"')
    went_well(project.run("bounces"), "Moved, since understood: 6 mails.")
    assert (1, 6) == (len(server.files()), len(server.files("Read bounces")))
    went_well(project.run("bounces"), "Nothing new")
    assert (1, 6) == (len(server.files()), len(server.files("Read bounces")))


@pytest.mark.parametrize(
    ("method", "call"),
    [("newsletter.ledger.read_mails.ReadMails.add", 5), ("imapclient.IMAPClient.move", 1),
     ("imapclient.IMAPClient.fetch", 2)],
)  # fmt: skip
def test_a_kill_at_any_point_is_made_up_for_by_the_next_run(
    project: Project, server: Dovecot, method: str, call: int
) -> None:
    server.deliver(*one_of_each(letters(project)))
    at(project, server, 'security = "none"\nmove_to = "Read"')
    assert -signal.SIGKILL == killed_at(project, method, call)
    done = project.run("bounces")
    went_well(done, "Moved, since understood: 6 mails.")
    assert (1, 6) == (len(server.files()), len(server.files("Read")))
    assert [(4,)] == rows(project, "SELECT COUNT(*) FROM event")
    assert 3 == len(suppressed(project))
    assert [(3,)] == rows(project, "SELECT COUNT(*) FROM suppression")


def test_a_wrong_password_a_missing_folder_and_a_server_that_is_gone_are_told(
    project: Project, server: Dovecot, monkeypatch: pytest.MonkeyPatch
) -> None:
    letters(project, 1)
    at(project, server, 'security = "none"\nfolder = "Nowhere"')
    stopped(project.run("bounces"), 2, "no folder “Nowhere”")
    monkeypatch.setenv(NAME, "wrong-horse")
    refused = project.run("bounces")
    stopped(refused, 2, "does not accept the user name and password (AUTHENTICATIONFAILED)")
    assert "wrong-horse" not in refused.stdout + refused.stderr
    monkeypatch.delenv(NAME)
    stopped(project.run("bounces"), 2, f"{NAME} is not set")
    monkeypatch.setenv(NAME, PASSWORD)
    project.settings(
        f'\n[bounces]\nhost = "localhost"\nport = 9\nsecurity = "none"\nusername = "{USER}"\n'
        f'password = {{ env = "{NAME}" }}\n'
    )
    stopped(project.run("bounces"), 4, "cannot be reached")


@pytest.mark.parametrize("security", ["tls", "starttls"])
def test_encryption_is_verified(project: Project, tmp_path: Path, security: str) -> None:
    authority = trustme.CA()
    issued = authority.issue_cert("localhost")
    chain = b"".join(pem.bytes() for pem in issued.cert_chain_pems)
    ca_file = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(ca_file)
    with dovecot((chain, issued.private_key_pem.bytes())) as server:
        server.deliver(*one_of_each(letters(project)))
        if security == "tls":
            server.port = server.tls_port
        at(project, server, f'security = "{security}"')
        stopped(project.run("bounces"), 2, "certificate is not trusted")
        at(project, server, f'security = "{security}"\nca_file = "{ca_file}"')
        assert EACH == counted(project)


def test_a_server_without_starttls_gets_no_password(project: Project, server: Dovecot) -> None:
    letters(project, 1)
    at(project, server, 'security = "starttls"')
    stopped(project.run("bounces"), 2, "STARTTLS")


def test_watching_goes_on_when_the_server_comes_back(project: Project, server: Dovecot) -> None:
    one = letters(project, 1)[0]
    at(project, server, 'security = "none"\ncheck_every_s = 1')
    server.pause()
    with running_program(project, "bounces", "--watch") as process:
        assert process.stdout is not None
        assert "cannot be reached" in process.stdout.readline()
        server.deliver(one.bounce())
        server.go_on()
        lines = iter(process.stdout.readline, "")
        assert any("Read 1 mail." in line for line in lines)
        assert "1 person not mailed any more" in next(lines)
        process.send_signal(signal.SIGINT)
        done = ended(process)
    assert (0, "") == (done.returncode, done.stderr)


def test_watching_hears_of_new_mail_long_before_it_would_look_again(
    project: Project, server: Dovecot, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, another = letters(project, 2)
    at(project, server, 'security = "none"\ncheck_every_s = 600\nmove_to = "Read"')
    monkeypatch.setattr(bounces, "_GATHER_S", 0.1)
    read: list[int] = []

    def on_read(account: bounces.BounceAccount) -> None:
        assert account.failure is None
        read.append(account.mails.total())
        match len(read):
            case 1:  # after it was read, and before the server is asked to tell
                server.deliver(one.bounce())
            case 2:
                threading.Timer(0.3, server.deliver, [another.bounce()]).start()
            case _:
                raise KeyboardInterrupt

    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        bounces.watch_bounces(Newsletter(project.folder), on_read)
    assert [0, 1, 1] == read
    assert time.monotonic() - began < 60
