import errno
import os
import re
import smtplib
import stat
from collections import Counter
from pathlib import Path

import pytest
from newsletter.addresses import Address
from newsletter.errors import TransportStopped
from newsletter.testing import FakeMessage, FrozenClock, RecordingJournal, fake_messages
from newsletter.transports.mailbox import MailboxTransport
from newsletter.transports.protocol import Accepted, Deferred, Scope

from tests.transports.contract import ANNA, BOB, CLAIRE, TransportContract, deliver, judge


class MailboxHarness:
    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def transport(self) -> MailboxTransport:
        return MailboxTransport(self.folder, clock=FrozenClock())

    def filed(self) -> list[Path]:
        return sorted((self.folder / "new").glob("*"))

    def taken(self) -> Counter[str]:
        # The standard library's parser takes no raw UTF-8 in an address.
        mails = [path.read_bytes().decode() for path in self.filed()]
        return Counter(mail.split("\r\nTo: ")[1].split("\r\n")[0] for mail in mails)


@pytest.fixture
def harness(tmp_path: Path) -> MailboxHarness:
    return MailboxHarness(tmp_path / "outbox")


class TestMailbox(TransportContract):
    pass


def send(harness: MailboxHarness, *messages: FakeMessage) -> RecordingJournal:
    journal = RecordingJournal()
    assert deliver(harness, messages, journal) is None
    judge(harness, messages, journal)
    return journal


def test_a_mail_is_filed_as_it_was_written(harness: MailboxHarness) -> None:
    (message,) = fake_messages(ANNA, text=".\n..\n.hidden\n\nä\nend\n.\n")
    send(harness, message)
    (path,) = harness.filed()
    assert message.as_bytes() == path.read_bytes()


def test_mails_are_for_their_owners_eyes_alone(harness: MailboxHarness) -> None:
    before = os.umask(0)
    try:
        send(harness, *fake_messages(ANNA))
    finally:
        os.umask(before)
    (path,) = harness.filed()
    assert 0o600 == stat.S_IMODE(path.stat().st_mode)
    for part in ("tmp", "new", "cur"):
        assert 0o700 == stat.S_IMODE((harness.folder / part).stat().st_mode)


@pytest.mark.parametrize(
    "address",
    [
        Address("../../../etc/passwd", "a.example"),
        Address("-rf*$HOME`|&", "a.example"),
        Address("x" * 64, "b" * 60 + ".example"),
        Address("анна", "a.example"),
    ],
)
def test_no_address_leads_out_of_the_folder_or_to_an_odd_name(
    harness: MailboxHarness, address: Address
) -> None:
    send(harness, FakeMessage(address))
    (path,) = harness.filed()
    assert re.fullmatch(r"2017[A-Za-z0-9@._+-]{1,150}\.eml", path.name, re.ASCII)
    assert [] == list((harness.folder / "tmp").iterdir())


def test_a_mail_appears_only_when_it_is_complete_and_on_disk(
    harness: MailboxHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[tuple[str, int]] = []
    fsync = os.fsync

    def watched(handle: int) -> None:
        synced.append((Path(f"/proc/self/fd/{handle}").readlink().parent.name, len(new())))
        fsync(handle)

    def new() -> list[Path]:
        return harness.filed()

    monkeypatch.setattr(os, "fsync", watched)
    send(harness, *fake_messages(ANNA))
    # The content while it lies in tmp/ and new/ is empty; then the names in new/.
    assert [("tmp", 0), ("outbox", 1)] == synced


@pytest.mark.parametrize("fault", [errno.ENOSPC, errno.EIO, errno.EDQUOT])
def test_a_full_disk_puts_off_and_leaves_no_half_mail(
    harness: MailboxHarness, monkeypatch: pytest.MonkeyPatch, fault: int
) -> None:
    fsync, calls = os.fsync, []

    def full_once(handle: int) -> None:
        calls.append(handle)
        if len(calls) == 1:
            raise OSError(fault, os.strerror(fault))
        fsync(handle)

    monkeypatch.setattr(os, "fsync", full_once)
    anna, bob = fake_messages(ANNA, BOB)
    journal = send(harness, anna, bob)
    full = f"452 4.3.1 the mail cannot be filed: {os.strerror(fault)}"
    assert Deferred(full, Scope.ACCOUNT) == journal.outcome(anna)
    assert journal.outcome(bob) is None
    assert [] == harness.filed()
    assert [] == list((harness.folder / "tmp").iterdir())
    send(harness, bob)
    assert Counter([BOB]) == harness.taken()


@pytest.mark.parametrize("part", ["tmp", "new"])
def test_a_folder_that_cannot_be_written_puts_everybody_off_and_loses_nobody(
    harness: MailboxHarness, part: str
) -> None:
    transport, journal, messages = harness.transport(), RecordingJournal(), fake_messages(ANNA, BOB)
    (harness.folder / part).rmdir()
    (harness.folder / part).write_text("a file in its place")
    session = transport.open()
    session.deliver(messages, journal)
    session.close()
    transport.close()
    assert [] == journal.breaches
    anna, bob = map(journal.outcome, messages)
    assert isinstance(anna, Deferred)
    assert Scope.ACCOUNT is anna.scope
    assert "452 4.3.1" in anna.reply
    assert bob is None


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "outbox").write_text("a file in its place")
    with pytest.raises(TransportStopped, match="cannot be created") as caught:
        MailboxTransport(tmp_path / "outbox", clock=FrozenClock())
    assert str(tmp_path / "outbox") in str(caught.value)
    assert caught.value.next


def test_what_was_filed_before_stays(harness: MailboxHarness) -> None:
    send(harness, *fake_messages(ANNA))
    (first,) = harness.filed()
    before = first.read_bytes()
    send(harness, *fake_messages(BOB, CLAIRE))
    assert before == first.read_bytes()
    assert 3 == len(harness.filed())


def test_a_second_mail_to_the_same_reader_at_the_same_moment_replaces_nothing(
    harness: MailboxHarness,
) -> None:
    # The clock stands still, and each transport counts from 1.
    for _ in range(2):
        transport, journal = harness.transport(), RecordingJournal()
        session = transport.open()
        session.deliver(fake_messages(ANNA), journal)
        session.close()
        transport.close()
        assert isinstance(journal.outcome(fake_messages(ANNA)[0]), Accepted)
    assert 2 == len(harness.filed())


def test_the_server_listens_on_this_machine_alone_and_ends_with_the_transport(
    harness: MailboxHarness, caplog: pytest.LogCaptureFixture
) -> None:
    transport = harness.transport()
    session = transport.open()
    session.deliver(fake_messages(ANNA), RecordingJournal())
    port = transport._server.port
    assert ("127.0.0.1", port) == transport._server._server.sockets[0].getsockname()
    # With a conversation still open: neither a hang nor a traceback.
    transport.close()
    session.close()
    with pytest.raises(OSError, match="refused"):
        smtplib.SMTP("127.0.0.1", port, timeout=5)
    assert [] == [record for record in caplog.records if record.levelname != "INFO"]
