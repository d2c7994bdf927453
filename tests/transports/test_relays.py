"""Whose turn it is: rests that grow, and relays in trouble together."""

from newsletter.config import Relay
from newsletter.errors import TransportStopped
from newsletter.testing import FrozenClock
from newsletter.transports.protocol import Deferred, Scope
from newsletter.transports.relays import Relays, RelayState
from newsletter.transports.smtp_connection import RelayFailure

DOWN = RelayFailure(TransportStopped("It is down."))


def relays(clock: FrozenClock, *weights: int) -> Relays:
    made = [
        Relay(host=f"{name}.example", weight=weight)
        for name, weight in zip("abc", weights, strict=False)
    ]
    return Relays([(relay, None) for relay in made], clock=clock, opening_wait_s=0.1)


def take(some: Relays) -> str:
    """Open a connection and end it; the name of the relay."""
    state = some.choose([])
    assert state is not None
    some.opened(state)
    some.closed(state)
    return state.relay.host[0]


def fail(some: Relays, failure: RelayFailure = DOWN) -> RelayState:
    state = some.choose([])
    assert state is not None
    some.failed(state, failure)
    return state


def rest_s(some: Relays, clock: FrozenClock) -> float:
    """How long until a relay that stands before all others is chosen again."""
    passed = 0
    while "a" != take(some):
        clock.advance(1)
        passed += 1
    return passed


def test_turns_are_mixed_and_not_taken_in_a_row() -> None:
    some = relays(FrozenClock(), 3, 1, 1)
    assert "abaca" * 2 == "".join(take(some) for _ in range(10))


def test_a_rest_grows_with_each_failure_up_to_a_quarter_of_an_hour() -> None:
    clock = FrozenClock()
    some = relays(clock, 1, 0)
    rests = []
    for _ in range(7):
        assert "a" == fail(some).relay.host[0]
        rests.append(rest_s(some, clock))
    assert [30, 60, 120, 240, 480, 900, 900] == rests


def test_who_takes_a_mail_after_its_rest_begins_anew() -> None:
    clock = FrozenClock()
    some = relays(clock, 1, 0)
    for _ in range(2):
        state = fail(some)
        clock.advance(rest_s(some, clock))
    some.succeeded(state)
    fail(some)
    assert 30 == rest_s(some, clock)


def test_what_many_connections_meet_at_once_is_one_trouble() -> None:
    clock = FrozenClock()
    some = relays(clock, 1, 0)
    state = fail(some)
    for _ in range(5):
        some.back_off(state, DOWN)
    assert 30 == rest_s(some, clock)


def test_a_mail_that_another_connection_gets_through_does_not_end_the_rest() -> None:
    clock = FrozenClock()
    some = relays(clock, 1, 0)
    some.succeeded(fail(some))
    assert 30 == rest_s(some, clock)


def test_who_asks_for_a_longer_rest_gets_it() -> None:
    clock = FrozenClock()
    some = relays(clock, 1, 0)
    stopped = TransportStopped("Later.")
    fail(some, RelayFailure(stopped, Deferred("421 wait 200 s", Scope.ACCOUNT, retry_after_s=200)))
    assert 200 == rest_s(some, clock)


def test_when_all_rest_the_first_to_be_rested_is_asked() -> None:
    clock = FrozenClock()
    some = relays(clock, 1, 1)
    assert "a" == fail(some).relay.host[0]
    clock.advance(5)
    assert "b" == fail(some).relay.host[0]
    assert "a" == take(some)


def test_who_has_lasting_trouble_is_not_asked_again_even_if_nobody_else_is_left() -> None:
    clock = FrozenClock()
    some = relays(clock, 1)
    fail(some, RelayFailure(TransportStopped("The password is wrong."), permanent=True))
    clock.advance(10_000)
    assert some.choose([]) is None


def test_who_failed_just_now_is_not_asked_again_at_once() -> None:
    some = relays(FrozenClock(), 1)
    state = fail(some)
    assert some.choose([state]) is None
