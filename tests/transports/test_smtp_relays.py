"""Several relays: how connections are spread, and that a message moves only before its dot."""

import ssl
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import trustme
from newsletter.config import Smtp
from newsletter.errors import TransportStopped
from newsletter.testing import FakeMessage, FrozenClock, RecordingJournal, fake_messages
from newsletter.transports.protocol import Accepted, Deferred, InDoubt, Outcome, Scope
from newsletter.transports.smtp import SmtpTransport
from pydantic import ValidationError

from tests.support.smtp_server import CUT, SILENCE, Behaviour, SmtpServer, always, once
from tests.transports.contract import ANNA, judge
from tests.transports.smtp_harness import FIVE, PLAIN, fault


class Cluster:
    """Some servers behind one transport; together they are the judge."""

    def __init__(self, servers: list[SmtpServer]) -> None:
        self.servers = servers
        self.clock = FrozenClock()

    def transport(
        self, *weights: int, credentials: list[str | None] | None = None, **changes: object
    ) -> SmtpTransport:
        weights = weights or (1,) * len(self.servers)
        first, *more = (
            {"host": "127.0.0.1", "port": server.port, "security": "none", "weight": weight}
            | ({"username": "user", "password": {"env": "UNUSED"}} if server.login else {})
            for server, weight in zip(self.servers, weights, strict=True)
        )
        settings = {"timeout_s": 5, "final_timeout_s": 5, **first, "more": more, **changes}
        return SmtpTransport(
            Smtp.model_validate(settings),
            credentials=credentials or [None] * len(self.servers),
            client_name="news.example",
            clock=self.clock,
        )

    def taken(self) -> Counter[str]:
        return sum((server.copies() for server in self.servers), Counter())

    def shares(self) -> list[int]:
        return [sum(server.copies().values()) for server in self.servers]

    def deliver(
        self, messages: list[FakeMessage], transport: SmtpTransport | None = None
    ) -> list[Outcome | None]:
        journal = RecordingJournal()
        session = (transport or self.transport()).open()
        try:
            session.deliver(messages, journal)
        finally:
            session.close()
        judge(self, messages, journal)
        return [journal.outcome(message) for message in messages]


@pytest.fixture(params=["pipelining", "one by one"])
def cluster(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    with ExitStack() as stack:
        servers = [stack.enter_context(SmtpServer()) for _ in range(3)]
        if request.param == "one by one":
            for server in servers:
                server.extensions = PLAIN
        yield Cluster(servers)


def connect(transport: SmtpTransport, times: int) -> None:
    for number in range(times):
        session = transport.open()
        session.deliver(fake_messages(f"r{number}@a.example"), RecordingJournal())
        session.close()


# Who gets how much


def test_connections_are_spread_by_weight(cluster: Cluster) -> None:
    connect(cluster.transport(3, 2, 1), 12)
    assert [6, 4, 2] == [server.connections for server in cluster.servers]


def test_who_stands_by_is_not_used_while_another_can_be_had(cluster: Cluster) -> None:
    connect(cluster.transport(0, 1, 0), 4)
    assert [0, 4, 0] == cluster.shares()


def test_who_stands_by_steps_in_and_steps_back(cluster: Cluster) -> None:
    main, spare = cluster.servers[:2]
    cluster.servers = [main, spare]
    main.behaviours["banner"] = once(CUT)
    transport = cluster.transport(1, 0)
    connect(transport, 2)
    assert [0, 2] == cluster.shares()
    cluster.clock.advance(30)
    connect(transport, 2)
    assert [2, 2] == cluster.shares()


def test_the_place_does_not_depend_on_the_order_of_the_relays(cluster: Cluster) -> None:
    place = cluster.transport().place
    cluster.servers.reverse()
    assert place == cluster.transport().place
    assert all(f"127.0.0.1:{server.port}" in place for server in cluster.servers)


@pytest.mark.parametrize(
    ("more", "complaint"),
    [
        ([{"host": "a.example"}], "host or port of its own"),
        ([{"host": "b.example", "username": "u"}], "needs password"),
        ([{"host": "b.example", "security": "none"}], "only for a relay on this machine"),
        ([{"host": "b.example", "timeout_s": 5}], "timeout_s"),
    ],
)
def test_settings_of_several_relays_that_make_no_sense_are_named(
    more: list[dict[str, object]], complaint: str
) -> None:
    with pytest.raises(ValidationError, match=complaint):
        Smtp.model_validate({"host": "a.example", "more": more})


def test_somebody_must_carry_weight() -> None:
    with pytest.raises(ValidationError, match="above 0"):
        Smtp.model_validate({"host": "a.example", "weight": 0})


# Failover: only when nothing can have been handed over


@pytest.mark.parametrize(
    ("phase", "behaviour"),
    [
        ("banner", always(CUT)),
        ("banner", always(b"421 4.3.2 busy")),
        ("banner", always(b"554 5.3.2 no")),
        ("EHLO", always(b"502 5.5.1 what")),
        ("MAIL", always(CUT)),
        ("MAIL", always(b"454 4.7.0 Throttling failure")),
        ("MAIL", always(b"530 5.7.0 log in")),
        ("RCPT", always(b"452 4.5.3 too many recipients")),
        ("DATA", always(CUT)),
        ("DATA", always(b"421 4.7.0 too many")),
    ],
)
@fault("one of several relays fails before the dot", "accepted through another")
def test_a_message_that_was_not_handed_over_goes_through_another_relay(
    cluster: Cluster, phase: str, behaviour: Behaviour
) -> None:
    cluster.servers[0].behaviours[phase] = behaviour
    found = cluster.deliver(fake_messages(*FIVE))
    assert all(isinstance(one, Accepted) for one in found)
    assert [0, 5] == [cluster.shares()[0], sum(cluster.shares())]


@pytest.mark.parametrize("answer", [CUT, SILENCE, b"hello", b"354 go on"])
@fault("one of several relays fails after the dot", "in doubt; never through another")
def test_once_the_dot_may_have_gone_no_other_relay_gets_the_message(
    cluster: Cluster, answer: bytes
) -> None:
    cluster.servers[0].behaviours["dot"] = always(answer)
    found = cluster.deliver(fake_messages(*FIVE), cluster.transport(final_timeout_s=0.3))
    assert isinstance(found[0], InDoubt)
    assert all(isinstance(one, Accepted) for one in found[1:])
    others = cluster.servers[1].accepted + cluster.servers[2].accepted
    assert ANNA not in [mail.recipient for mail in others]


def test_a_throttle_after_the_dot_puts_this_one_off_and_the_others_go_elsewhere(
    cluster: Cluster,
) -> None:
    cluster.servers[0].behaviours["dot"] = always(b"454 4.7.0 Throttling failure")
    found = cluster.deliver(fake_messages(*FIVE))
    assert Deferred("454 4.7.0 Throttling failure") == found[0]
    assert all(isinstance(one, Accepted) for one in found[1:])


def test_a_throttling_relay_rests_and_comes_back(cluster: Cluster) -> None:
    cluster.servers = cluster.servers[:2]
    throttling = cluster.servers[0]
    throttling.behaviours["MAIL"] = once(b"454 4.7.0 Throttling failure")
    transport = cluster.transport()
    connect(transport, 3)
    assert [0, 3] == cluster.shares()
    cluster.clock.advance(30)
    connect(transport, 4)
    assert [2, 5] == cluster.shares()
    assert [] == transport.notices


@fault("all relays throttle", "deferred; the others pending, the run waits")
def test_only_when_all_throttle_everybody_waits(cluster: Cluster) -> None:
    for server in cluster.servers:
        server.behaviours["MAIL"] = once(b"454 4.7.0 Throttling failure")
    transport = cluster.transport()
    found = cluster.deliver(fake_messages(*FIVE), transport)
    assert Deferred("454 4.7.0 Throttling failure", Scope.ACCOUNT) == found[0]
    assert [None] * 4 == found[1:]
    assert [1, 1, 1] == [server.connections for server in cluster.servers]
    # Policy has waited, if for less than a rest: it is asked for, so somebody is tried.
    assert all(
        isinstance(one, Accepted) for one in cluster.deliver(fake_messages(*FIVE), transport)
    )


@fault("no relay can be had", "pending; the run stops and names each")
def test_if_none_can_be_had_each_is_named(cluster: Cluster) -> None:
    for server in cluster.servers:
        server.stop()
    with pytest.raises(TransportStopped, match="None of the 3 relays") as caught:
        cluster.deliver(fake_messages(ANNA))
    for server in cluster.servers:
        assert f"127.0.0.1:{server.port}" in str(caught.value)


# Who is out for the run


@fault("one of several relays refuses the login", "accepted through another; told at the end")
def test_a_relay_that_refuses_the_login_is_asked_once_and_told_at_the_end(cluster: Cluster) -> None:
    refusing = cluster.servers[0]
    refusing.login = ("user", "another")
    transport = cluster.transport(credentials=["my-secret", None, None])
    connect(transport, 3)
    cluster.clock.advance(3600)
    connect(transport, 3)
    assert 1 == refusing.connections
    assert [0, 3, 3] == cluster.shares()
    (notice,) = transport.notices
    assert f"127.0.0.1:{refusing.port}" in notice
    assert "user name and password" in notice
    assert "my-secret" not in notice


def test_a_relay_with_a_wrong_certificate_is_asked_once_and_told_at_the_end(
    cluster: Cluster, tmp_path: Path
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority = trustme.CA()
    authority.issue_cert("other.example").configure_cert(context)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    cluster.servers[0].tls = context
    transport = cluster.transport(security="starttls", ca_file=tmp_path / "ca.pem")
    connect(transport, 3)
    cluster.clock.advance(3600)
    connect(transport, 1)
    assert 1 == cluster.servers[0].connections
    (notice,) = transport.notices
    assert "certificate" in notice


def test_each_relay_gets_its_own_password_and_no_other(cluster: Cluster) -> None:
    cluster.servers[0].login = ("user", "first")
    cluster.servers[2].login = ("user", "third")
    connect(cluster.transport(credentials=["first", None, "third"]), 3)
    assert [1, 1, 1] == cluster.shares()


def test_a_relay_that_is_down_all_the_time_is_told_and_one_that_came_back_is_not(
    cluster: Cluster,
) -> None:
    down, flaky, _ = cluster.servers
    flaky.behaviours["banner"] = once(CUT)
    down.stop()
    transport = cluster.transport()
    for _ in range(3):
        connect(transport, 2)
        cluster.clock.advance(3600)
    (notice,) = transport.notices
    assert f"127.0.0.1:{down.port}" in notice
    assert cluster.shares()[1] > 0
