"""A send through several relays, as a person sees it."""

import re

import pytest

from tests.cli.support import went_well
from tests.support.project import Project, smtp_delivery
from tests.support.smtp_server import SmtpServer, after, always

READERS = "email,name\n" + "".join(f"r{n}@d{n}.example.net,R {n}\n" for n in range(1, 13))


@pytest.mark.parametrize(
    ("phase", "taken", "reply"),
    [
        ("RCPT", 0, b"553 5.7.1 <news@a.example>: Sender address rejected: not owned by user x"),
        ("dot", 0, b"550 5.1.8 Access denied, bad outbound sender AS(42003)"),
        ("dot", 2, b"554 5.2.0 SubmissionQuotaExceededException; the sender's submission quota"),
        ("RCPT", 0, b"550 Remitente no autorizado"),
        ("dot", 0, b"550 5.1.1 Nachricht nicht angenommen: Absender gesperrt"),
        ("dot", 2, b"554 Transaction failed"),
        ("RCPT", 0, b"550 5.1.1 Rejected"),
        ("RCPT", 0, b"550 5.1.0 Mottagare ej till\xc3\xa5ten"),
        ("MAIL", 0, b"501 5.1.7 Bad sender address syntax"),
        ("DATA", 0, b"554 5.5.1 Compte suspendu, contactez votre h\xc3\xa9bergeur"),
        ("dot", 3, b"554 5.7.1 [P4] Message blocked due to spam content in the message."),
        ("dot", 1, b"571 Nadawca zablokowany"),
        ("RCPT", 2, b"550 5.4.300 L\xc3\xadmite de env\xc3\xados superado"),
        ("RCPT", 0, b"554 5.2.1 Your account is suspended. Contact support"),
        ("dot", 0, b"554 5.2.2 You have no credits left"),
        ("RCPT", 1, b"550 5.1.1 <info@a.example>: user unknown in sender table"),
    ],
)
def test_a_refusal_that_is_about_us_blames_nobody(
    project: Project, phase: str, taken: int, reply: bytes
) -> None:
    (project.folder / "subscribers.csv").write_text(READERS)
    with SmtpServer(behaviours={phase: after(taken, reply)}) as relay:
        project.settings(smtp_delivery(relay.port, connections=1))
        done = project.run("send", "2017-04", "--yes")
        assert 4 == done.returncode, done.stdout
        assert "Complete." not in done.stdout
        # The one that was under way when the relay named the sender or the account is deferred.
        numbers = done.stdout.partition("The numbers add up: ")[2].splitlines()[0]
        assert "refused" not in numbers
        left = [int(number) for number in re.findall(r"(\d+) (?:waiting|deferred)", numbers)]
        assert 12 - taken == sum(left), numbers
        relay.behaviours.clear()
        went_well(project.run("resume", "2017-04"), "12 planned = 12 accepted", "Complete.")
        assert {1} == set(relay.copies().values())


def test_a_send_in_which_every_mailbox_is_gone_is_not_complete(project: Project) -> None:
    (project.folder / "subscribers.csv").write_text(READERS)
    with SmtpServer(behaviours={"RCPT": always(b"550 5.1.1 user unknown")}) as relay:
        project.settings(smtp_delivery(relay.port, connections=1))
        done = project.run("send", "2017-04", "--yes")
        assert 4 == done.returncode, done.stdout
        assert "12 planned = 12 refused" in done.stdout, done.stdout
        assert "Nobody was accepted" in done.stdout
        assert "Complete." not in done.stdout


def test_a_relay_that_the_send_had_to_do_without_is_named_at_the_end(project: Project) -> None:
    with SmtpServer() as good, SmtpServer() as plain:
        project.settings(
            smtp_delivery(good.port, connections=1)
            + "messages_per_connection = 1\n"
            + f'[[smtp.more]]\nhost = "127.0.0.1"\nport = {plain.port}\nsecurity = "starttls"\n'
        )
        done = project.run("send", "2017-04", "--yes")
        went_well(
            done,
            f"smtp: through 127.0.0.1, port {good.port} and 127.0.0.1, port {plain.port}",
            f"The relay 127.0.0.1:{plain.port} was left out: The relay offers no encryption",
            "3 planned = 3 accepted",
            "Complete.",
        )
        assert 3 == good.copies().total()
        assert not plain.accepted
