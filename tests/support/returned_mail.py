"""What comes back to a newsletter that was really sent: bounces, complaints, leaves, replies."""

import email
import email.policy
import re
from dataclasses import dataclass

from tests.support.project import Project

SOMETIME = "Fri, 31 Mar 2017 10:15:00 +0200"


@dataclass(frozen=True)
class Sent:
    """One message as it left: whose, and by what it is known."""

    address: str
    message_id: str
    token: str

    @property
    def tag(self) -> str:
        found = re.search(r"[0-9a-f]{24}", self.message_id)
        assert found
        return found.group()

    def bounce(
        self, code: str = "5.1.1", said: str = "550 5.1.1 no such user", action: str = "failed"
    ) -> bytes:
        """A report of RFC 3464."""
        return self._report(
            "delivery-status",
            "Reporting-MTA: dns; relay.example\n\n"
            f"Final-Recipient: rfc822; {self.address}\nAction: {action}\nStatus: {code}\n"
            f"Diagnostic-Code: smtp; {said}\n",
        )

    def full(self) -> bytes:
        return self.bounce("5.2.2", "552 5.2.2 mailbox full")

    def delayed(self) -> bytes:
        return self.bounce("4.4.1", "connection timed out", "delayed")

    def complaint(self) -> bytes:
        """An abuse report of RFC 5965."""
        return self._report("feedback-report", "Feedback-Type: abuse\nVersion: 1\n")

    def leave(self) -> bytes:
        """What the mailto: of List-Unsubscribe makes."""
        return mail(f"From: {self.address}", f"Subject: {self.token}")

    def absence(self) -> bytes:
        """An out-of-office reply that quotes the message."""
        return mail(
            f"From: {self.address}", "Subject: Automatic reply: April 2017",
            "Auto-Submitted: auto-replied", f"In-Reply-To: {self.message_id}",
            body="I am back on Monday.",
        )  # fmt: skip

    def _report(self, kind: str, block: str) -> bytes:
        return mail(
            "From: MAILER-DAEMON@relay.example", "Subject: Undelivered Mail Returned to Sender",
            "Auto-Submitted: auto-replied", "MIME-Version: 1.0",
            f'Content-Type: multipart/report; report-type={kind}; boundary="b"',
            body=f"--b\nContent-Type: text/plain\n\nIt did not work.\n\n--b\n"
            f"Content-Type: message/{kind}\n\n{block}\n--b\nContent-Type: text/rfc822-headers\n\n"
            f"Message-ID: {self.message_id}\nSubject: April 2017\n\n--b--\n",
        )  # fmt: skip


def mail(*fields: str, body: str = "") -> bytes:
    head = [*fields, f"Date: {SOMETIME}", "To: bounces@defenders.example"]
    return ("\n".join(head) + f"\n\n{body}\n").replace("\n", "\r\n").encode()


def question() -> bytes:
    """A mail that a person wrote."""
    return mail("From: anna@example.org", "Subject: Where do I find the report?", body="Hello!")


def sent(project: Project) -> list[Sent]:
    """Send the project's issue into the mailbox; what left, by address."""
    done = project.run("send", "2017-04", "--yes")
    assert 0 == done.returncode, done.stdout + done.stderr
    found = []
    for path in (project.folder / "outbox" / "new").iterdir():
        read = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
        token = re.search(r"/u/([\w-]+)>", str(read["List-Unsubscribe"]))
        address = re.search(r"[\w.]+@[\w.]+", str(read["To"]))
        assert token
        assert address
        found.append(Sent(address.group(), str(read["Message-ID"]), token[1]))
    return sorted(found, key=lambda each: each.address)
