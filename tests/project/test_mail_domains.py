"""Asking the DNS about domains: a real server on loopback answers, and keeps what it was asked."""

import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.resolver
import dns.rrset
import pytest
from newsletter.clock import SystemClock
from newsletter.errors import InputError
from newsletter.project import mail_domains
from newsletter.project.mail_domains import ask_about

from tests.cli.support import stopped, went_well
from tests.support.project import Project

ZONE = {
    ("mx.example.", "MX"): "10 mail.mx.example.",
    ("null.example.", "MX"): "0 .",
    ("a.example.", "A"): "192.0.2.1",
    ("aaaa.example.", "AAAA"): "2001:db8::1",
    ("readers.example.", "MX"): "10 mail.readers.example.",
    ("txt.example.", "TXT"): '"v=spf1 -all"',
}
THERE = {name for name, _ in ZONE}


class Server:
    """A DNS server for ZONE: knows no other name, and keeps silent or fails where it is told to."""

    def __init__(self) -> None:
        self.asked: Counter[tuple[str, str]] = Counter()
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        return int(self._socket.getsockname()[1])

    def close(self) -> None:
        self._socket.sendto(b"", self._socket.getsockname())
        self._thread.join(10)
        self._socket.close()

    def _serve(self) -> None:
        while True:
            wire, peer = self._socket.recvfrom(4096)
            if not wire:
                return
            query = dns.message.from_wire(wire)
            (question,) = query.question
            name, kind = question.name.to_text(), dns.rdatatype.to_text(question.rdtype)
            self.asked[name, kind] += 1
            if name.endswith("silent.example."):
                continue
            reply = dns.message.make_response(query)
            reply.flags |= dns.flags.RA
            if name == "broken.example.":
                reply.set_rcode(dns.rcode.SERVFAIL)
            elif data := ZONE.get((name, kind)):
                reply.answer.append(dns.rrset.from_text(name, 60, "IN", kind, data))
            elif name not in THERE:
                reply.set_rcode(dns.rcode.NXDOMAIN)
            self._socket.sendto(reply.to_wire(), peer)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    found = Server()
    resolver = dns.resolver.Resolver(configure=False)
    resolver.nameservers, resolver.port = ["127.0.0.1"], found.port
    monkeypatch.setattr(dns.resolver, "default_resolver", resolver)
    yield found
    found.close()


def test_each_domain_is_asked_about_once_and_only_those_without_mail_are_told(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mail_domains, "QUESTION_S", 0.3)
    domains = [
        "mx",
        "null",
        "null",
        "null",
        "a",
        "aaaa",
        "txt",
        "nowhere",
        "nowhere",
        "silent",
        "broken",
        "mx",
        "a",
    ]
    addresses = [f"secret{n}@{domain}.example" for n, domain in enumerate(domains)]
    found = ask_about(addresses, SystemClock())
    told = {"null.example": 3, "nowhere.example": 2, "txt.example": 1}
    assert (told, ["null.example", "nowhere.example", "txt.example"], 2, 3) == (
        *(found.without_mail, [*found.without_mail], found.unanswered, found.with_mail),
    )
    assert {f"{domain}.example." for domain in domains} == {name for name, _ in server.asked}
    answered = {key: n for key, n in server.asked.items() if key[0][:6] not in {"silent", "broken"}}
    assert {1} == {*answered.values()}
    assert {"MX"} == {
        kind for name, kind in server.asked if name in {"mx.example.", "null.example."}
    }


@pytest.mark.fault(
    "Input",
    "with --online, a DNS server that does not answer",
    state="nothing is said of its domains; the command ends in time",
)
def test_when_the_time_is_over_no_more_is_asked(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mail_domains, "MOST_S", 0.0)
    found = ask_about((f"a@d{n}.example" for n in range(5_000)), SystemClock())
    assert ({}, 5_000) == (found.without_mail, found.unanswered)
    assert not server.asked
    monkeypatch.setattr(mail_domains, "MOST_S", 0.5)
    monkeypatch.setattr(mail_domains, "QUESTION_S", 0.2)
    began = time.monotonic()
    found = ask_about(
        ["a@silent.example", *(f"a@d{n}.silent.example" for n in range(9))], SystemClock()
    )
    assert ({}, 10) == (found.without_mail, found.unanswered)
    assert time.monotonic() - began < 5


def test_a_machine_without_a_dns_server_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_server() -> None:
        raise dns.resolver.NoResolverConfiguration

    monkeypatch.setattr(dns.resolver, "get_default_resolver", no_server)
    with pytest.raises(InputError, match="names no DNS server"):
        ask_about(["a@mx.example"], SystemClock())


def test_the_commands_ask_only_if_told_to_and_leave_nobody_out(
    tmp_path: Path, server: Server
) -> None:
    project = Project(tmp_path / "project")
    (project.folder / "new.csv").write_text(
        "email,status\na@nowhere.example,active\nb@mx.example,active\nc@nowhere.example,active\n"
        "d@left.example,unsubscribed\n"
    )
    went_well(project.run("subscribers", "check", "new.csv"), "new on the list")
    went_well(project.run("subscribers", "check"), "3 people to mail")
    assert not server.asked
    went_well(project.run("subscribers", "check", "--online"), "3 people to mail")
    assert {("readers.example.", "MX"): 1} == server.asked
    note = "Domains that take no mail, by the DNS: nowhere.example (2)."
    checked = project.run("subscribers", "check", "new.csv", "--online")
    went_well(checked, "3  new on the list", note)
    dry = project.run("subscribers", "import", "new.csv", "--dry-run", "--online")
    assert checked.stdout == dry.stdout
    done = project.run(
        "subscribers", "import", "new.csv", "--yes", "--online", "--report", "report.txt"
    )
    went_well(done, note, "Imported as 1")
    assert note in (project.folder / "report.txt").read_text()
    assert "left.example." not in {name for name, _ in server.asked}
    doubt = "Not one domain takes mail, by the DNS of this network."
    assert doubt not in checked.stdout
    (project.folder / "lost.csv").write_text("email\na@nowhere.example\nb@null.example\n")
    went_well(project.run("subscribers", "check", "lost.csv", "--online"), doubt)
    stopped(project.run("subscribers", "check", "none.csv", "--online"), 2, "cannot be opened")
