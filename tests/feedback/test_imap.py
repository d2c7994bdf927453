"""A mailbox on an IMAP server that cuts, lies, drips and floods: each mail is read or told."""

import re
import threading
import time
import tracemalloc
from contextlib import closing

import newsletter.feedback.imap as imap
import pytest
from newsletter.clock import SystemClock
from newsletter.config import Bounces
from newsletter.errors import ConfigError, MailboxUnreachable
from newsletter.feedback.bounce_mailbox import Mail, UnreadableMail
from newsletter.feedback.bounces import MAX_BYTES
from newsletter.feedback.imap import ImapMailbox

from tests.support.imap_server import Answer, ImapServer, Line, asked, decoded
from tests.support.tools import PROVE

SMALL = {uid: f"Subject: {uid}\r\n\r\nHello\r\n".encode() for uid in range(11, 21)}


def mailbox(server: ImapServer, *, timeout_s: float = 5, **more: object) -> ImapMailbox:
    settings = Bounces.model_validate(
        {"host": "127.0.0.1", "port": server.port, "security": "none", "username": "me",
         "password": {"env": "X"}, "timeout_s": timeout_s, **more}
    )  # fmt: skip
    return ImapMailbox(settings, lambda: "secret", clock=SystemClock())


def read(server: ImapServer, **settings: float) -> tuple[list[bytes], list[str]]:
    """The mails that were read, and where those lie that could not be."""
    with closing(mailbox(server, **settings)) as opened:
        found = list(opened.mails(lambda id_: False))
    mails = [each for each in found if isinstance(each, Mail)]
    assert len(mails) == len({mail.id for mail in mails})
    return [mail.data for mail in mails], [each.place for each in found
                                           if isinstance(each, UnreadableMail)]  # fmt: skip


def refused(server: ImapServer, **settings: float) -> MailboxUnreachable:
    began = time.monotonic()
    with pytest.raises(MailboxUnreachable) as error:
        read(server, **settings)
    assert time.monotonic() - began < 10
    return error.value


def at(command: str, do: Answer) -> Answer:
    """``do`` in the place of the answer to one command."""
    return lambda line, tag, words: words.startswith(command) and do(line, tag, words)


def test_mails_are_read_whole_without_marking_them_and_only_those_that_are_new() -> None:
    with ImapServer(SMALL) as server:
        assert (list(SMALL.values()), []) == read(server)
        assert not [each for each in server.commands if each.startswith("SELECT")]
        assert not [each for each in server.commands if "BODY[" in each]
        with closing(mailbox(server)) as opened:
            known = {mail.id for mail in opened.mails(lambda id_: False) if isinstance(mail, Mail)}
            assert len(SMALL) == len(known)
            server.mails[99] = b"Subject: new\r\n\r\n"
        with closing(mailbox(server)) as opened:
            (new,) = opened.mails(known.__contains__)
        assert "127.0.0.1, INBOX, UID 99" == new.place


def test_of_a_large_mail_the_beginning_is_fetched_and_mails_come_in_portions_by_size() -> None:
    mails = {uid: bytes([65 + uid]) * 900_000 for uid in range(1, 6)} | {6: b"z" * 5_000_000}
    with ImapServer(mails) as server:
        found, unreadable = read(server)
        assert [900_000] * 5 + [MAX_BYTES] == [len(data) for data in found]
        assert [] == unreadable
        fetched = [asked(words) for words in server.commands if asked(words)]
        assert [[1, 2], [3, 4], [5, 6]] == fetched


@pytest.mark.fault(
    "Input", "an IMAP server that cuts the connection at one mail",
    state="the mail is told and tried again next time; the others are read over a new connection",
)  # fmt: skip
def test_a_mail_at_which_the_server_hangs_up_does_not_cost_the_others() -> None:
    def cut(line: Line, tag: str, words: str) -> bool:
        if 13 not in asked(words):
            return False
        line.write("* 3 FETCH (UID 13 BODY[]<0> {100}", "half of")
        line.cut()
        return True

    with ImapServer(SMALL, cut) as server:
        found, unreadable = read(server)
        assert 9 == len(found)
        assert ["127.0.0.1, INBOX, UID 13"] == unreadable


def test_a_server_that_always_hangs_up_is_left_and_what_came_before_is_read() -> None:
    def cut(line: Line, tag: str, words: str) -> bool:
        if not set(asked(words)) - {11}:
            return False
        line.cut()
        return True

    found: list[Mail | UnreadableMail] = []
    with ImapServer(SMALL, cut) as server:
        with closing(mailbox(server)) as opened, pytest.raises(MailboxUnreachable):
            found.extend(opened.mails(lambda id_: False))
        assert [SMALL[11]] == [each.data for each in found if isinstance(each, Mail)]
        assert server.logins <= 5


def huge(line: Line, tag: str, words: str) -> bool:
    line.write("* 1 FETCH (UID 11 BODY[]<0> {4000000000}", b"x" * 1000)
    return True


def flood(line: Line, tag: str, words: str) -> bool:
    while True:
        line.write(*["* OK still here " + "x" * 1000] * 100)


def endless(line: Line, tag: str, words: str) -> bool:
    while True:
        line.write(b"x" * 100_000)


def deep(line: Line, tag: str, words: str) -> bool:
    line.write("* 1 FETCH (UID 11 BODY[]<0> " + "(" * 20_000, f"{tag} OK done")
    return True


def odd(line: Line, tag: str, words: str) -> bool:
    line.write(
        "* 1 FETCH (UID eleven BODY[]<0> NIL)", f"* {'9' * 5000} FETCH (UID)", f"{tag} OK done"
    )
    return True


@pytest.mark.fault(
    "Input", "an IMAP server that announces gigabytes, floods, nests or talks nonsense",
    state="it is left in its time and within its octets; no memory is taken",
)  # fmt: skip
@pytest.mark.parametrize("misbehave", [huge, flood, endless, deep, odd])
@pytest.mark.parametrize("command", ["UID FETCH", "FETCH", "EXAMINE"])
def test_an_answer_that_is_too_much_or_none_ends_it(command: str, misbehave: Answer) -> None:
    tracemalloc.start()
    found: list[Mail | UnreadableMail] = []
    told = ""
    with ImapServer(SMALL, at(command, misbehave)) as server, closing(mailbox(server)) as opened:
        try:
            found.extend(opened.mails(lambda id_: False))
        except (ConfigError, MailboxUnreachable) as error:
            told = str(error)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert not [each for each in found if isinstance(each, Mail)]
    # In the answer to EXAMINE nonsense of another command says that the folder is empty.
    assert bool(found) or told or command == "EXAMINE"
    assert len(told) < 600
    assert peak < 40_000_000


@pytest.mark.parametrize("command", ["LOGIN", "EXAMINE", "FETCH", "UID FETCH"])
def test_an_answer_that_drips_is_given_up_in_its_time(command: str) -> None:
    def drip(line: Line, tag: str, words: str) -> bool:
        line.drip(b"* OK still here\r\n", server.ended)
        return True

    with ImapServer({11: b"x"}, at(command, drip)) as server:
        if command == "UID FETCH":
            assert ([], ["127.0.0.1, INBOX, UID 11"]) == read(server, timeout_s=0.4)
        else:
            assert "within 0.4 seconds" in refused(server, timeout_s=0.4).what


def test_a_server_that_lies_about_uids_and_numbers_is_not_believed() -> None:
    def lie(line: Line, tag: str, words: str) -> bool:
        if words.startswith("EXAMINE"):
            line.write("* 4000000000 EXISTS", "* OK [UIDVALIDITY 7] valid", f"{tag} OK done")
        elif words.startswith("FETCH 1,"):
            line.write("* 1 FETCH (UID 11 RFC822.SIZE 4000000000)", "* 2 FETCH (UID 0)",
                       "* 3 FETCH (UID 99999999999)", "* 4 FETCH (UID 11 RFC822.SIZE 3)",
                       "* 5 FETCH (UID 12 RFC822.SIZE NIL)", "* 9999 FETCH (UID 13)",
                       f"{tag} OK done")  # fmt: skip
        elif words.startswith("FETCH"):
            line.write(f"{tag} OK done")
        elif asked(words):
            line.write("* 7 FETCH (UID 77 BODY[]<0> {2}", b"no)",
                       "* 1 FETCH (UID 11 BODY[]<0> {3}", b"yes)", f"{tag} OK done")  # fmt: skip
        else:
            return False
        return True

    with ImapServer(SMALL, lie) as server:
        assert ([b"yes"], ["127.0.0.1, INBOX, UID 12"]) == read(server)


def test_a_server_that_lists_the_same_mail_for_ever_is_left() -> None:
    def repeat(line: Line, tag: str, words: str) -> bool:
        if words.startswith("EXAMINE"):
            line.write("* 4294967295 EXISTS", "* OK [UIDVALIDITY 7] valid", f"{tag} OK done")
        elif words.startswith("FETCH"):
            begin = int(re.split("[ ,]", words)[1])
            line.write(f"* {begin} FETCH (UID 4294967295 RFC822.SIZE 3)", f"{tag} OK done")
        else:
            return False
        return True

    with ImapServer({4294967295: b"abc"}, repeat) as server:
        assert ([b"abc"], []) == read(server)
        assert 2 == sum(words.startswith("FETCH") for words in server.commands)


def test_of_a_folder_without_end_only_so_many_mails_are_read_and_it_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(imap, "_WINDOW", 2)
    monkeypatch.setattr(imap, "_MOST_LISTED", 4)
    with ImapServer(SMALL) as server, closing(mailbox(server)) as opened:
        mails = opened.mails(lambda id_: False)
        assert 4 == sum(isinstance(next(mails), Mail) for _ in range(4))
        with pytest.raises(MailboxUnreachable, match="more than 4 mails"):
            next(mails)


def test_a_folder_replaced_while_it_is_read_ends_the_run() -> None:
    def replace(line: Line, tag: str, words: str) -> bool:
        if asked(words):
            line.cut()
        elif words.startswith("EXAMINE") and server.logins > 1:
            line.write("* 1 EXISTS", "* OK [UIDVALIDITY 8] valid", f"{tag} OK done")
        else:
            return False
        return True

    with ImapServer(SMALL, replace) as server:
        assert "replaced" in refused(server).what


@pytest.mark.parametrize("offered", ["AUTH=XOAUTH2", "AUTH=OAUTHBEARER AUTH=XOAUTH2"])
def test_an_access_token_is_offered_as_the_server_knows_it(offered: str) -> None:
    given: list[str] = []

    def log_in(line: Line, tag: str, words: str) -> bool:
        line.write("+ ")
        given.append(line.read())
        line.write(f"{tag} OK done")
        return True

    with ImapServer(SMALL, at("AUTHENTICATE", log_in), capability=offered) as server:
        settings = Bounces.model_validate(
            {"host": "localhost", "port": server.port, "username": "me", "token": {"env": "X"}}
        )
        # Never without encryption; that is the settings' matter, and the form is this test's.
        bare = settings.model_copy(update={"security": "none"})
        with closing(ImapMailbox(bare, lambda: "ya29.token", clock=SystemClock())) as opened:
            assert 10 == len(list(opened.mails(lambda id_: False)))
        bearer = "auth=Bearer ya29.token\1\1"
        expected = "n,a=me,\1" if "OAUTHBEARER" in offered else "user=me\1"
        assert [expected + bearer] == [decoded(each) for each in given]


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ("NO [AUTHENTICATIONFAILED] no user me with secret", ConfigError),
        ("NO your password is secret", ConfigError),
        ("NO [UNAVAILABLE] the directory is down", MailboxUnreachable),
        ("BAD secret", ConfigError),
    ],
)
def test_a_refused_login_is_told_without_the_password(words: str, error: type[Exception]) -> None:
    def refuse(line: Line, tag: str, _: str) -> bool:
        line.write(f"{tag} {words}")
        return True

    with ImapServer(SMALL, at("LOGIN", refuse)) as server, pytest.raises(error) as raised:
        read(server)
    assert "secret" not in str(raised.value)


def idle(line: Line, tag: str, words: str) -> bool:
    line.write("+ idling", "* OK still here", "* 1 EXPUNGE", "* 11 EXISTS")
    assert "DONE" == line.read().strip()
    line.write(f"{tag} OK done")
    return True


def idle_again(line: Line, tag: str, words: str) -> bool:
    """Nothing comes in the time after which a server may hang up, and then in the next."""
    line.write("+ idling")
    assert "DONE" == line.read().strip()
    line.write(f"{tag} OK done")
    tag, _, words = line.read().strip().partition(" ")
    return words == "IDLE" and idle(line, tag, words)


def idle_flood(line: Line, tag: str, words: str) -> bool:
    line.write("+ idling")
    return flood(line, tag, words)


def idle_news_without_end(line: Line, tag: str, words: str) -> bool:
    line.write("+ idling")
    while True:
        line.write(*["* 11 EXISTS"] * 10_000)


def idle_deaf(line: Line, tag: str, words: str) -> bool:
    """DONE is never answered."""
    line.write("+ idling", "* 11 EXISTS")
    line.drip(b"* 11 EXISTS\r\n", threading.Event())
    return True


def idle_drip(line: Line, tag: str, words: str) -> bool:
    line.write("+ idling")
    line.drip(b"* OK still here\r\n", threading.Event())
    return True


def hang_up(line: Line, tag: str, words: str) -> bool:
    line.cut()
    return True


@pytest.mark.parametrize(
    ("answer", "capability", "comes"),
    [(idle, "IDLE", True), (idle_again, "IDLE", True), (idle, "", False),
     (idle_flood, "IDLE", False), (idle_drip, "IDLE", False), (hang_up, "IDLE", False),
     (huge, "IDLE", False), (idle_news_without_end, "IDLE", True), (idle_deaf, "IDLE", True)],
)  # fmt: skip
def test_a_server_tells_of_new_mail_if_it_can_and_whatever_it_does_the_wait_ends(
    answer: Answer, capability: str, comes: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imap, "_GOODBYE_S", 0.2)
    monkeypatch.setattr(imap, "_LONGEST_IDLE_S", 0.3)
    began = time.monotonic()
    with (
        ImapServer(SMALL, at("IDLE", answer), capability=capability) as server,
        closing(mailbox(server, timeout_s=0.5)) as opened,
    ):
        opened.listen()
        assert comes is opened.mail_comes(0.6)
    assert time.monotonic() - began < 10


@pytest.mark.timeout(900)
def test_a_hundred_thousand_mails_take_no_memory() -> None:
    number = 100_000 if PROVE else 2_000
    mails = dict.fromkeys(range(1, number + 1), b"Subject: x\r\n\r\n" + b"y" * 1000)

    def many(line: Line, tag: str, words: str) -> bool:
        if not asked(words):
            return False
        line.write(*(b"* %d FETCH (UID %d BODY[]<0> {%d}\r\n%s)" % (uid, uid, 1014, mails[uid])
                     for uid in asked(words)), f"{tag} OK done")  # fmt: skip
        return True

    with ImapServer(mails, many) as server, closing(mailbox(server)) as opened:
        tracemalloc.start()
        read_ = sum(isinstance(each, Mail) for each in opened.mails(lambda id_: False))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert number == read_
    assert peak < 20_000_000
