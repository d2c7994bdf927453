"""Login with an access token: which mechanism, how a refused token is renewed, what is shown."""

import base64
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from newsletter.config import Smtp
from newsletter.errors import ConfigError, TransportStopped
from newsletter.testing import RecordingJournal, fake_messages
from newsletter.transports.protocol import Accepted, Deferred, Scope
from newsletter.transports.smtp_oauth import AccessToken
from pydantic import ValidationError

from tests.support.smtp_server import SmtpServer, always
from tests.transports.contract import ANNA, BOB
from tests.transports.smtp_harness import FIVE, SmtpHarness, deliver, encrypted, fault, good

LONG = "eyJ0eXAi." + "aB3-_~+/" * 300 + "=="
SHORT = "ya29.short-token"


class Source:
    """Hands out tokens, one after the other, and the last one for ever; counts."""

    def __init__(self, *tokens: str | ConfigError) -> None:
        self.tokens = list(tokens)
        self.asked = 0

    def __call__(self) -> str:
        found = self.tokens[min(self.asked, len(self.tokens) - 1)]
        self.asked += 1
        if isinstance(found, ConfigError):
            raise found
        return found


class Relay(SmtpHarness):
    """A server that asks for TLS and a token, and the way to it."""

    def __init__(self, server: SmtpServer, ca_file: Path) -> None:
        super().__init__(server)
        self.ca_file = ca_file

    def accepts(self, *tokens: str, by: str = "XOAUTH2") -> None:
        self.server.tokens = set(tokens)
        self.server.mechanisms = tuple(by.split())

    def deliver(
        self, source: Callable[[], str], *to: str, **changes: object
    ) -> tuple[RecordingJournal, TransportStopped | None]:
        self.token = AccessToken(source)
        settings = {"security": "starttls", "ca_file": self.ca_file, **changes}
        return deliver(self, fake_messages(*to), **settings)

    def logins(self) -> list[str]:
        return [line.partition(" ")[2] for line in self.server.seen if line.startswith("AUTH")]


@pytest.fixture
def relay(tmp_path: Path) -> Iterator[Relay]:
    server, ca_file = encrypted(good, tmp_path, implicit=False)
    with server:
        yield Relay(server, ca_file)


def forms(token: str) -> list[str]:
    """Parts of a token, as it is and in Base64, that nobody may see."""
    encoded = base64.b64encode(token.encode()).decode()
    return [token[:12], token[-12:], encoded[4:16], encoded[-16:-4]]


def hidden(token: str, stopped: TransportStopped) -> bool:
    return not [form for form in forms(token) if form in str(stopped)]


@pytest.mark.parametrize("mechanism", ["XOAUTH2", "OAUTHBEARER"])
@pytest.mark.parametrize("token", [SHORT, LONG], ids=["short", "long"])
def test_a_token_logs_in_as_the_mechanism_has_it(relay: Relay, mechanism: str, token: str) -> None:
    # The server compares each octet with RFC 7628 3.1 and with Google's page.
    relay.accepts(token, by=mechanism)
    _, stopped = relay.deliver(Source(token), ANNA, BOB)
    assert stopped is None
    assert Counter([ANNA, BOB]) == relay.taken()
    (login,) = relay.logins()
    assert (login == mechanism) is (token == LONG), "RFC 4954 4: no longer than a command may be"


def test_a_token_logs_in_over_tls_from_the_first_octet_on(tmp_path: Path) -> None:
    server, ca_file = encrypted(good, tmp_path, implicit=True)
    with server:
        relay = Relay(server, ca_file)
        relay.accepts(SHORT)
        _, stopped = relay.deliver(Source(SHORT), ANNA, security="tls")
    assert stopped is None
    assert Counter([ANNA]) == relay.taken()


def test_a_name_is_escaped_as_the_standard_has_it(relay: Relay) -> None:
    relay.accepts(SHORT, by="OAUTHBEARER")
    relay.deliver(Source(SHORT), ANNA, username="a=b,ä@example.org")
    said = base64.b64decode(relay.logins()[0].split()[1]).decode()
    assert said.startswith("n,a=a=3Db=2Cä@example.org,\1host=127.0.0.1\1port=")


@pytest.mark.parametrize(
    ("offered", "with_a_token", "with_a_password"),
    [
        ("PLAIN XOAUTH2", "XOAUTH2", "PLAIN"),
        ("LOGIN XOAUTH2 PLAIN OAUTHBEARER", "OAUTHBEARER", "PLAIN"),
    ],
)
def test_what_the_settings_give_decides_which_login_is_used(
    relay: Relay, offered: str, with_a_token: str, with_a_password: str
) -> None:
    relay.accepts(SHORT, by=offered)
    _, stopped = relay.deliver(Source(SHORT), ANNA)
    assert stopped is None
    assert [with_a_token] == [login.split()[0] for login in relay.logins()]
    relay.server.seen.clear()
    relay.token = None
    _, stopped = deliver(relay, fake_messages(BOB), security="starttls", ca_file=relay.ca_file)
    assert stopped is None
    assert [with_a_password] == [login.split()[0] for login in relay.logins()]


@pytest.mark.parametrize("mechanism", ["XOAUTH2", "OAUTHBEARER"])
@fault("access token expires during a run", "accepted; the token's command is run again")
def test_a_token_that_expires_is_replaced_and_everybody_gets_their_mail(
    relay: Relay, mechanism: str
) -> None:
    relay.accepts("token-one", by=mechanism)

    def expire(earlier: int) -> None:
        if earlier == 2:
            relay.accepts("token-two", by=mechanism)

    relay.server.behaviours["dot"] = expire
    source = Source("token-one", "token-two")
    journal, stopped = relay.deliver(source, *FIVE, messages_per_connection=1)
    assert stopped is None
    assert [[Accepted("250 2.0.0 queued as 1")]] * 5 == list(journal.outcomes.values())
    assert 2 == source.asked
    assert 6 == len(relay.logins())


@pytest.mark.parametrize("mechanism", ["XOAUTH2", "OAUTHBEARER"])
@fault("access token refused, and the next one too", "pending; the run stops")
def test_a_token_is_renewed_once_and_then_the_run_stops(relay: Relay, mechanism: str) -> None:
    relay.accepts("another", by=mechanism)
    source = Source("token-one", "token-two", "token-three")
    journal, stopped = relay.deliver(source, ANNA, BOB)
    assert {} == journal.outcomes
    assert stopped is not None
    told = 'access token for user: 535 5.7.8 wrong {"status":"invalid_token","scope":"smtp.send"}'
    assert f"The relay does not accept the {told}" == stopped.what
    assert f"relay 127.0.0.1:{relay.server.port}" in str(stopped.where)
    assert "Its command was run again without success" in stopped.next
    assert 2 == source.asked == len(relay.logins())
    assert not [line for line in relay.server.seen if line.startswith("MAIL")]


def test_a_refusal_without_a_reason_is_one_too(relay: Relay) -> None:
    # As Exchange Online has it.
    relay.server.behaviours["AUTH"] = always(b"535 5.7.3 Authentication unsuccessful")
    relay.accepts("another")
    source = Source("token-one", "token-two")
    _, stopped = relay.deliver(source, ANNA)
    assert stopped is not None
    assert stopped.what.endswith("token for user: 535 5.7.3 Authentication unsuccessful")
    assert 2 == source.asked == len(relay.logins())


def test_a_token_that_the_source_has_no_newer_one_of_is_not_offered_twice(relay: Relay) -> None:
    relay.accepts("another")
    _, stopped = relay.deliver(Source("token-one"), ANNA, token={"env": "RELAY_TOKEN"})
    assert stopped is not None
    assert "Set RELAY_TOKEN to another token" in stopped.next
    assert 1 == len(relay.logins())


def test_connections_that_meet_an_expired_token_renew_it_once(relay: Relay) -> None:
    relay.accepts("token-two")
    source = Source("token-one", "token-two", "token-three")
    relay.token = AccessToken(source)
    transport = relay.transport(security="starttls", ca_file=relay.ca_file)
    journals = [RecordingJournal() for _ in FIVE]
    together = threading.Barrier(len(FIVE))

    def work(address: str, journal: RecordingJournal) -> None:
        session = transport.open()
        together.wait(10)
        session.deliver(fake_messages(address), journal)
        session.close()

    threads = [
        threading.Thread(target=work, args=pair) for pair in zip(FIVE, journals, strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert Counter(FIVE) == relay.taken()
    assert 2 == source.asked


def test_a_source_that_fails_when_it_is_asked_again_is_told_with_its_relay(relay: Relay) -> None:
    relay.accepts("another")
    failed = ConfigError("The command get-token failed with exit status 1.", next="Run it by hand.")
    journal, stopped = relay.deliver(Source("token-one", failed), ANNA, BOB)
    assert {} == journal.outcomes
    assert stopped is not None
    assert "The command get-token failed with exit status 1." == stopped.what
    assert f"relay 127.0.0.1:{relay.server.port}" in str(stopped.where)
    assert stopped.next.startswith("Run it by hand. No recipient was lost. ")


def test_another_relay_takes_over_from_one_that_refuses_the_token(relay: Relay) -> None:
    relay.accepts("another")
    with SmtpServer() as second:
        more = [{"host": "127.0.0.1", "port": second.port, "security": "none"}]
        relay.token = AccessToken(Source("token-one", "token-two"))
        transport = relay.transport(security="starttls", ca_file=relay.ca_file, more=more)
        session = transport.open()
        session.deliver(fake_messages(ANNA, BOB), RecordingJournal())
        session.close()
        assert 2 == second.copies().total()
    (notice,) = transport.notices
    assert "was left out: The relay does not accept the access token" in notice


@pytest.mark.parametrize("mechanism", ["XOAUTH2", "OAUTHBEARER"])
def test_a_token_that_the_server_repeats_is_not_shown(relay: Relay, mechanism: str) -> None:
    token = LONG[:600]
    relay.accepts("another", by=mechanism)
    relay.server.challenge = f'{{"status":"400","token":"{token}","also":"{token.encode().hex()}"}}'
    _, stopped = relay.deliver(Source(token), ANNA)
    assert stopped is not None
    assert "535 5.7.8 wrong" in stopped.what
    assert hidden(token, stopped)
    assert len(stopped.what) < 1200


@pytest.mark.parametrize("reason", ["no Base64 \xff at all", "", "\x1b[2J" * 500, "{" * 3000])
def test_a_reason_that_cannot_be_read_is_a_refusal_all_the_same(relay: Relay, reason: str) -> None:
    relay.accepts("another")
    relay.server.challenge = reason
    _, stopped = relay.deliver(Source("token-one", "token-two"), ANNA)
    assert stopped is not None
    assert "does not accept the access token for user: 535 5.7.8 wrong" in stopped.what
    assert stopped.what.isprintable()
    assert len(stopped.what) < 1200


@pytest.mark.parametrize("mechanism", ["XOAUTH2", "OAUTHBEARER"])
def test_a_relay_that_says_why_and_hangs_up_refuses_the_token(relay: Relay, mechanism: str) -> None:
    relay.accepts("token-two", by=mechanism)
    relay.server.hangs_up_after_challenge = True
    source = Source("token-one", "token-two")
    journal, stopped = relay.deliver(source, ANNA)
    assert stopped is None
    assert Counter([ANNA]) == relay.taken()
    assert [[Accepted("250 2.0.0 queued as 1")]] == list(journal.outcomes.values())
    assert 2 == source.asked


def test_a_login_that_is_put_off_needs_no_other_token(relay: Relay) -> None:
    relay.server.behaviours["AUTH"] = always(b"454 4.7.0 try later")
    relay.accepts("token-one")
    source = Source("token-one", "token-two")
    journal, stopped = relay.deliver(source, ANNA, BOB)
    assert stopped is None
    assert [[Deferred("454 4.7.0 try later", Scope.ACCOUNT)]] == list(journal.outcomes.values())
    assert 1 == source.asked


@pytest.mark.parametrize("reply", [b"534 5.7.9 too weak", b"504 5.5.4 unknown mechanism"])
def test_a_login_that_is_refused_otherwise_is_told_in_the_relays_words(
    relay: Relay, reply: bytes
) -> None:
    relay.server.behaviours["AUTH"] = always(reply)
    relay.accepts("token-one")
    source = Source("token-one", "token-two")
    _, stopped = relay.deliver(source, ANNA)
    assert stopped is not None
    assert f"The relay refuses the login: {reply.decode()}" == stopped.what
    assert 1 == source.asked


# What is not sent


@fault("STARTTLS stripped, and a token", "pending; the run stops, no token was sent")
def test_without_encryption_no_token_is_sent(relay: Relay) -> None:
    relay.server.tls = None
    relay.accepts("token-one")
    _, stopped = relay.deliver(Source("token-one"), ANNA)
    assert stopped is not None
    assert "STARTTLS" in stopped.what
    assert ["ehlo news.example"] == relay.server.seen


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"security": "none"}, 'token needs security = "starttls" or "tls"'),
        ({"password": {"env": "X"}}, "either password or token, not both"),
        ({"username": None}, "token needs username"),
        ({"token": {"env": "X", "command": ["x"]}}, "give either env"),
        ({"token": None}, "username needs password"),
    ],
)
def test_settings_under_which_no_token_could_be_sent_safely_are_refused(
    wrong: dict[str, object], told: str
) -> None:
    sound = {"host": "127.0.0.1", "username": "user", "token": {"env": "X"}}
    Smtp.model_validate(sound)
    with pytest.raises(ValidationError, match=told):
        Smtp.model_validate({**sound, **wrong})


def test_a_relay_without_a_login_for_tokens_is_told_by_the_names_of_its_logins(
    relay: Relay,
) -> None:
    relay.accepts(SHORT, by="PLAIN LOGIN")
    _, stopped = relay.deliver(Source(SHORT), ANNA)
    assert stopped is not None
    assert "no login with an access token that this program knows (it offers PLAIN, LOGIN)" in (
        stopped.what
    )
    assert "password" in stopped.next
    assert [] == relay.logins()


def test_a_password_at_a_relay_that_takes_tokens_only_leads_to_the_token(relay: Relay) -> None:
    relay.accepts(SHORT, by="XOAUTH2")
    _, stopped = deliver(relay, fake_messages(ANNA), security="starttls", ca_file=relay.ca_file)
    assert stopped is not None
    assert "no login with a password that this program knows (it offers XOAUTH2)" in stopped.what
    assert "name a token" in stopped.next
    assert [] == relay.logins()


def test_a_token_is_in_no_representation(relay: Relay) -> None:
    relay.token = AccessToken(Source(LONG))
    transport = relay.transport(security="starttls", ca_file=relay.ca_file)
    states = transport._relays._states
    for shown in (relay.token, transport, states, vars(transport._relays)):
        assert not [form for form in forms(LONG) if form in f"{shown!r} {shown}"]
