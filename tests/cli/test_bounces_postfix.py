"""Real reports: Postfix fails to deliver a real issue in many ways, and its reports are read."""

import socket
import time

import pytest

from tests.cli.support import went_well
from tests.cli.test_bounces import maildir, rows
from tests.support.postfix import postfix
from tests.support.project import Project, smtp_delivery
from tests.support.smtp_server import SmtpServer

REPLIES = {
    "gone@a.example": b"550 5.1.1 <gone@a.example>: no such user",
    "disabled@b.example": b"550 5.2.1 The account of this user is disabled",
    "moved@c.example": b"550 5.1.6 The recipient's mailbox has moved and no longer exists",
    "nullmx@d.example": b"556 5.1.10 Recipient address has null MX",
    "full@e.example": b"552 5.2.2 The mailbox is full",
    "large@f.example": b"552 5.3.4 Message too big for this mailbox",
    "policy@g.example": b"550 5.7.1 Rejected by local policy",
    "later@h.example": b"450 4.2.0 Greylisted, try again later",
    "plain@i.example": b"550 not here",
    "dead@elsewhere.example": b"550 5.1.1 <dead@elsewhere.example>: no such user",
}
EXPECTED = {
    **dict.fromkeys(("gone@a.example", "disabled@b.example", "moved@c.example",
                     "nullmx@d.example"), "bounced"),
    # What Postfix's own local delivery says of a name that it does not know.
    "stranger@local.example": "bounced",
    **dict.fromkeys(
        ("full@e.example", "large@f.example", "policy@g.example", "later@h.example",
         "plain@i.example", "unreachable@closed.example"), "returned"),
    # Behind an alias somebody else is gone.
    "alias@local.example": "taken",
}  # fmt: skip
WITHIN_S = 60


@pytest.fixture
def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


def test_reports_of_a_real_postfix_are_read_rightly(project: Project, closed_port: int) -> None:
    readers = [*EXPECTED, "well@j.example"]
    listed = "\n".join(["email,name,language", *(f"{each},,en" for each in readers)])
    (project.folder / "subscribers.csv").write_text(listed)
    with SmtpServer(recipients=REPLIES) as server:
        ways = {"closed.example": f"smtp:[127.0.0.1]:{closed_port}", "local.example": "local:",
                "*": f"smtp:[127.0.0.1]:{server.port}"}  # fmt: skip
        with postfix(ways, {"alias": "dead@elsewhere.example"}) as port:
            project.settings(smtp_delivery(port) + "trial = true\n")
            went_well(project.run("send", "2017-04", "--yes"), "Complete.")
            reports = returned(server, len(readers) - 1)
    maildir(project, *reports)
    project.settings(smtp_delivery(port) + 'trial = true\n[bounces]\npath = "bounces"\n')
    went_well(project.run("bounces"), f"Read {len(reports)} mails.", "12  bounces: 5 people")
    sql = "SELECT address, kind FROM event JOIN delivery ON delivery.id = event.delivery"
    told = {address: kind for address, kind in rows(project, sql)}  # noqa: C416 - two columns
    assert EXPECTED == told
    assert [(5,)] == rows(project, "SELECT COUNT(DISTINCT tag) FROM suppression")


def returned(server: SmtpServer, number: int) -> list[bytes]:
    """The reports that came back to the newsletter's own address."""
    until = time.monotonic() + WITHIN_S
    while True:
        found = [mail.content for mail in server.accepted
                 if mail.recipient == "newsletter@defenders.example"]  # fmt: skip
        if len(found) == number:
            return found
        assert time.monotonic() < until, f"{len(found)} of {number} reports came back"
        time.sleep(0.1)
