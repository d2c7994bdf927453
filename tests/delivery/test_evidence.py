"""Whose fault refusals are: many of them together tell."""

from datetime import UTC, datetime, timedelta
from itertools import count

import pytest
from newsletter.addresses import Address
from newsletter.delivery.evidence import (
    AT_FIRST,
    AT_ONE_DOMAIN,
    AT_THE_END,
    AT_THE_END_OF_ONE_DOMAIN,
    IN_A_ROW,
    IN_A_ROW_PERHAPS,
    MANY,
    Attempt,
    Evidence,
    SharedCause,
)
from newsletter.delivery.policy import Brake
from newsletter.ledger.deliveries import Claim
from newsletter.message.model import Recipient
from newsletter.transports.protocol import Accepted, Deferred, Outcome, Rejected, Scope

US = Rejected("550 Nachricht nicht angenommen")
PERHAPS = Rejected("550 5.1.1 Rejected")
THEIRS = Rejected("550 5.1.1 user unknown")
TAKEN = Accepted("250 ok")
SECOND = timedelta(seconds=1)


class Run:
    """Attempts one after the other, each at another domain unless said otherwise."""

    def __init__(self) -> None:
        self.evidence = Evidence()
        self.now = at(1000)
        self.numbers = count(1)

    def found(
        self,
        outcome: Outcome,
        *,
        domain: str = "",
        took: float = 0.5,
        attempt: int = 1,
        others: int = 0,
    ) -> SharedCause | None:
        """What is found when the next reader's attempt ends so, with ``others`` in progress."""
        self.now += SECOND
        number = next(self.numbers)
        claim = claim_of(number, domain or f"d{number}.example", attempt)
        return self.evidence.judge(
            Attempt(claim, self.now - took * SECOND, number),
            outcome,
            now=self.now,
            in_progress=lambda: others,
        )

    def hears(self, outcome: Outcome, *, domain: str = "", took: float = 0.5) -> list[int]:
        """Who is put back when the next reader's attempt ends so."""
        return put_back(self.found(outcome, domain=domain, took=took))

    def at_the_end(self) -> list[list[int]]:
        return [put_back(found) for found in self.evidence.at_the_end(self.now)]


def put_back(found: SharedCause | None) -> list[int]:
    return [claim.id for claim in found.claims] if found else []


def at(second: float) -> datetime:
    return datetime(2026, 11, 1, tzinfo=UTC) + second * SECOND


def claim_of(number: int, domain: str, attempt: int = 1) -> Claim:
    recipient = Recipient(Address("r", domain), "", "en", {})
    return Claim(number, recipient, attempt, datetime(2026, 11, 1, tzinfo=UTC), None, 1)


@pytest.fixture
def run() -> Run:
    return Run()


def test_the_same_refusal_for_all_is_about_us_at_once_while_nobody_was_accepted(run: Run) -> None:
    assert not any(run.hears(US) for _ in range(AT_FIRST - 1))
    assert list(range(1, AT_FIRST + 1)) == run.hears(US)


def test_later_it_takes_more_and_those_before_the_acceptance_are_not_put_back(run: Run) -> None:
    first: list[Outcome] = [US, US, TAKEN, *[US] * (IN_A_ROW - 1)]
    assert not any(run.hears(each) for each in first)
    assert list(range(4, 4 + IN_A_ROW)) == run.hears(US)


def test_an_acceptance_that_began_before_the_trouble_speaks_against_nothing(run: Run) -> None:
    run.hears(TAKEN)
    assert not any(run.hears(US) for _ in range(IN_A_ROW - 1))
    assert not run.hears(TAKEN, took=60)
    assert list(range(2, 2 + IN_A_ROW - 1)) == run.hears(US)[: IN_A_ROW - 1]


def test_others_of_the_same_call_that_were_accepted_speak_against_it(run: Run) -> None:
    """A call of a provider carries hundreds of messages; a fifth may have bad addresses."""
    for number in range(1, 300):
        outcome = TAKEN if number % 5 else US
        claim = claim_of(number, f"d{number}.example")
        assert run.evidence.judge(Attempt(claim, at(7), 1), outcome, now=at(9)) is None


def test_words_that_name_the_mailbox_stay_the_readers_however_often_they_come(run: Run) -> None:
    assert not any(run.hears(THEIRS) for _ in range(500))
    assert [] == run.at_the_end()


def test_what_may_mean_the_reader_takes_more(run: Run) -> None:
    assert not any(run.hears(PERHAPS) for _ in range(IN_A_ROW_PERHAPS - 1))
    assert IN_A_ROW_PERHAPS == len(run.hears(PERHAPS))


def test_one_domains_refusals_are_not_about_us(run: Run) -> None:
    found = [run.found(US, domain="one.example") for _ in range(500)]
    assert {"one.example"} == {each.domain for each in found if each}
    assert {None} == {each.trip for each in found if each}


def test_refusals_in_ever_other_words_are_about_us_too(run: Run) -> None:
    said = [Rejected(f"550 not taken {chr(97 + n) * 3}") for n in range(IN_A_ROW_PERHAPS)]
    assert [[]] * (IN_A_ROW_PERHAPS - 1) == [run.hears(each) for each in said[:-1]]
    assert IN_A_ROW_PERHAPS == len(run.hears(said[-1]))


def test_what_comes_in_once_the_run_has_stopped_is_about_us_too(run: Run) -> None:
    assert run.found(US) is None
    while not run.hears(US):
        pass
    assert run.found(US)
    assert run.found(THEIRS) is None
    assert run.found(TAKEN) is None


def test_a_list_of_three_is_judged_at_the_end(run: Run) -> None:
    assert not any(run.hears(US) for _ in range(3))
    assert [[1, 2, 3]] == run.at_the_end()


def test_at_the_end_of_a_run_that_went_well_a_few_refusals_are_taken_at_their_word(
    run: Run,
) -> None:
    for outcome in (TAKEN, US, US):
        run.hears(outcome)
    assert [] == run.at_the_end()


def test_what_the_last_ones_heard_for_the_first_time_is_about_us(run: Run) -> None:
    said: list[Outcome] = [TAKEN, *[US] * AT_THE_END]
    for outcome in said:
        run.hears(outcome)
    assert [[2, 3, 4]] == run.at_the_end()


@pytest.mark.parametrize(("said", "enough"), [(US, 2), (PERHAPS, 3)])
def test_after_many_acceptances_fewer_are_enough_at_the_end(
    run: Run, said: Outcome, enough: int
) -> None:
    for outcome in [TAKEN] * MANY + [said] * (enough - 1):
        run.hears(outcome)
    assert [] == run.at_the_end()
    run.hears(said)
    assert [enough] == [len(row) for row in run.at_the_end()]


def test_before_many_acceptances_what_may_mean_the_reader_is_taken_at_its_word(run: Run) -> None:
    for outcome in [TAKEN] * (MANY - 1) + [PERHAPS] * (AT_FIRST + 1):
        run.hears(outcome)
    assert [] == run.at_the_end()


def test_a_providers_word_about_the_mailbox_is_taken_at_the_end(run: Run) -> None:
    for outcome in [TAKEN] * MANY + [Rejected("422 invalid recipient")] * AT_FIRST:
        run.hears(outcome)
    assert [] == run.at_the_end()


def test_what_was_heard_before_an_acceptance_is_nothing_new_at_the_end(run: Run) -> None:
    said: list[Outcome] = [US, TAKEN, *[US] * AT_THE_END]
    for outcome in said:
        run.hears(outcome)
    assert [] == run.at_the_end()


def test_the_server_itself_is_judged_by_its_rule(run: Run) -> None:
    for outcome in (Deferred("450 later", Scope.ACCOUNT), Rejected("535 no", Scope.ACCOUNT)):
        assert not any(run.hears(outcome) for _ in range(50))


def test_who_is_on_the_way_may_be_accepted_yet(run: Run) -> None:
    run.hears(TAKEN)
    assert not any(run.found(US, others=4) for _ in range(IN_A_ROW + 3))
    assert run.found(US, others=4)


def test_a_row_that_chance_makes_of_common_refusals_tells_nothing(run: Run) -> None:
    """A fifth of the list is dead, and the relay's words do not say so."""
    for number in range(1, 102):
        outcome = TAKEN if number % 5 else US
        assert run.found(outcome) is None
    assert [[]] * 11 == [run.hears(US) for _ in range(11)]
    assert run.hears(US)


LATER = Deferred("450 4.7.1 Client host rejected: cannot find your hostname")


def test_the_same_deferral_for_all_makes_everybody_wait_and_is_nobodys_attempt(run: Run) -> None:
    assert not any(run.found(LATER) for _ in range(AT_FIRST - 1))
    found = run.found(LATER)
    assert found
    assert list(range(1, AT_FIRST + 1)) == put_back(found)
    assert found.trip
    assert (Brake.WAIT, "") == (found.trip.brake, found.domain)
    assert 300 * SECOND <= found.until - run.now <= 330 * SECOND
    # Those on the way meanwhile hear the same, and change nothing.
    again = run.found(LATER)
    assert again
    assert ([], None, found.until, False) == (
        list(again.claims), again.trip, again.until, again.begins,
    )  # fmt: skip


def test_each_wait_for_the_server_is_longer_than_the_last_until_somebody_is_accepted(
    run: Run,
) -> None:
    waits = []
    for _ in range(5):
        while not ((found := run.found(LATER)) and found.begins):
            pass
        waits.append(round((found.until - run.now) / (330 * SECOND), 1))
        run.now = found.until + SECOND
    assert [0.9, 1.8, 3.6, 7.3, 12.1] == pytest.approx(waits, rel=0.1)
    assert run.found(TAKEN) is None
    assert run.found(LATER) is None


def test_greylisting_is_not_disturbed(run: Run) -> None:
    greylisted = Deferred("450 4.2.0 <r@d.example>: Recipient address rejected: Greylisted")
    assert not any(run.found(greylisted) for _ in range(500))
    assert not any(run.found(TAKEN, attempt=2) for _ in range(500))


def test_greylisting_without_the_word_makes_the_run_wait_once(run: Run) -> None:
    later = Deferred("451 4.7.1 Please try again later")
    while not (found := run.found(later)):
        pass
    run.now = found.until
    assert run.found(TAKEN, attempt=2) is None
    for _ in range(500):
        assert run.found(later) is None


def test_greylisting_that_never_ends_is_about_us(run: Run) -> None:
    greylisted = Deferred("450 greylisted")
    assert not any(run.found(greylisted, attempt=2) for _ in range(500))
    assert any(run.found(greylisted, attempt=3) for _ in range(AT_FIRST))


def test_what_names_the_readers_mailbox_is_no_wait_for_others(run: Run) -> None:
    full = Deferred("452 4.2.2 The recipient's mailbox is full")
    assert not any(run.found(full) for _ in range(500))


def test_one_domains_deferrals_make_that_domain_wait_and_nobody_else(run: Run) -> None:
    found = [run.found(LATER, domain="one.example") for _ in range(AT_ONE_DOMAIN)]
    assert {None} == set(found[:-1])
    last = found[-1]
    assert last
    assert ("one.example", AT_ONE_DOMAIN) == (last.domain, len(last.claims))
    assert 300 * SECOND <= last.until - run.now <= 330 * SECOND
    assert last.trip
    assert "one.example deferred 21 recipients in the same words" in last.trip.why
    assert run.found(TAKEN) is None
    assert run.found(LATER) is None
    assert run.found(LATER, domain="one.example")


def test_one_domains_refusals_make_it_wait_for_an_hour_and_blame_nobody(run: Run) -> None:
    found = [run.found(US, domain="one.example") for _ in range(AT_ONE_DOMAIN)]
    last = found[-1]
    assert last
    assert (AT_ONE_DOMAIN, run.now + 3600 * SECOND) == (len(last.claims), last.until)
    assert run.found(TAKEN, domain="one.example", took=0) is None
    assert run.found(US, domain="one.example") is None


def test_refusals_since_a_domain_last_accepted_are_not_blamed_on_its_readers_once_it_waits(
    run: Run,
) -> None:
    for outcome in (US, TAKEN, US, Rejected("554 5.7.1 no"), PERHAPS, LATER):
        run.hears(outcome, domain="one.example")
    run.hears(US, domain="two.example")
    found = run.evidence.wait_at("one.example", until=run.now + 100 * SECOND)
    assert [3, 4] == put_back(found)
    assert ("one.example", run.now + 100 * SECOND) == (found.domain, found.until)


def test_refusals_on_the_way_when_a_domain_begins_to_wait_count_for_nothing(run: Run) -> None:
    run.evidence.wait_at("one.example", until=run.now + 100 * SECOND)
    last = run.found(US, domain="one.example")
    assert last
    assert ([], "one.example", False) == (put_back(last), last.domain, last.begins)
    assert run.found(PERHAPS, domain="one.example") is None
    assert run.found(US, domain="two.example") is None
    run.now += 100 * SECOND
    assert run.found(US, domain="one.example") is None


def test_what_the_last_ones_of_a_domain_that_took_mail_heard_is_about_us(run: Run) -> None:
    run.hears(TAKEN, domain="one.example")
    for _ in range(AT_THE_END_OF_ONE_DOMAIN):
        run.hears(US, domain="one.example")
        run.hears(TAKEN)
        run.hears(US, domain="dead.example")
        run.hears(TAKEN)
    (found,) = run.evidence.at_the_end(run.now)
    assert ("one.example", AT_THE_END_OF_ONE_DOMAIN) == (found.domain, len(found.claims))


def test_bad_addresses_at_one_domain_are_not_put_back(run: Run) -> None:
    assert not any(run.found(PERHAPS, domain="one.example") for _ in range(IN_A_ROW_PERHAPS * 9))


def test_trouble_that_begins_within_a_call_is_known_by_the_calls_behind_it(run: Run) -> None:
    def heard(number: int, outcome: Outcome, call: int) -> SharedCause | None:
        claim = claim_of(number, f"d{number}.example")
        return run.evidence.judge(Attempt(claim, at(call), call), outcome, now=at(call + 0.5))

    assert not any(heard(n, TAKEN if n < 4 else US, 1) for n in range(1, 10))
    found = [heard(n, US, 2) for n in range(10, 10 + IN_A_ROW)]
    assert found[-1]
    assert set(range(4, 10 + IN_A_ROW)) == set(put_back(found[-1]))


def test_the_words_say_what_happened_and_what_to_do(run: Run) -> None:
    for _ in range(AT_FIRST - 1):
        run.hears(US)
    claim = claim_of(9, "d9.example")
    found = run.evidence.judge(Attempt(claim, at(5000), 9), US, now=at(5001))
    assert found
    assert (trip := found.trip)
    assert Brake.STOP is trip.brake
    assert (
        "5 readers at 5 domains were refused in the same words, and nobody was accepted meanwhile."
        " The server said: 550 Nachricht nicht angenommen"
    ) == trip.why
    assert "newsletter resume" in trip.next


def test_five_thousand_refusals_at_four_thousand_domains_blame_nobody(run: Run) -> None:
    blamed = set[int]()
    for number in range(1, 5001):
        found = run.found(US, domain=f"d{number % 4000}.example", others=3)
        if found is None:
            blamed.add(number)
        else:
            blamed -= set(put_back(found))
    assert not blamed


def test_a_fifth_of_dead_addresses_behind_a_relay_that_verifies_them_stops_nothing(
    run: Run,
) -> None:
    for number in range(2000):
        assert run.found(THEIRS if number % 5 == 0 or number > 1950 else TAKEN, others=3) is None
    assert [] == run.at_the_end()


@pytest.mark.parametrize(
    "said",
    [
        "550 Remitente no autorizado",
        "550 5.1.1 Absender gesperrt",
        "550 Expéditeur refusé",
        "550 Remetente não autorizado",
        "550 Отправитель отклонён",
        "550 Nadawca odrzucony",
        "554 Mensagem recusada",
        "550 Wiadomość odrzucona",
        "550 Письмо отклонено",
    ],
)
def test_the_sender_or_message_refused_in_any_language_is_about_us(run: Run, said: str) -> None:
    assert any(run.hears(Rejected(said)) for _ in range(AT_FIRST))


@pytest.mark.parametrize(
    "said",
    [
        "550 El usuario no existe",
        "550 Empfänger unbekannt",
        "550 5.7.1 Destinataire inconnu",
        "550 Usuário desconhecido",
        "550 5.0.0 Пользователь не найден",
        "550 Nie ma takiego użytkownika",
    ],
)
def test_a_mailbox_that_is_gone_in_any_language_is_the_readers(run: Run, said: str) -> None:
    assert not any(run.found(Rejected(said)) for _ in range(100))


def test_words_without_a_code_are_judged_alike(run: Run) -> None:
    said = Rejected("Message not accepted")
    assert [[]] * (AT_FIRST - 1) == [run.hears(said) for _ in range(AT_FIRST - 1)]
    found = run.found(said)
    assert found
    assert found.trip
    assert "were refused in the same words" in found.trip.why


def test_it_takes_readers_of_three_domains_however_many_were_refused_before(run: Run) -> None:
    domains = ["a.example", "b.example"] * IN_A_ROW
    assert not any(run.hears(US, domain=domain) for domain in domains)
    assert list(range(1, 2 * IN_A_ROW + 2)) == run.hears(US, domain="c.example")


def test_three_domains_are_enough(run: Run) -> None:
    for domain in ("a.example", "b.example", "c.example", "a.example"):
        assert not run.hears(US, domain=domain)
    assert [1, 2, 3, 4, 5] == run.hears(US, domain="a.example")


def hears_in_call(run: Run, number: int, call: int, outcome: Outcome) -> list[int]:
    claim = claim_of(number, f"d{number}.example")
    return put_back(run.evidence.judge(Attempt(claim, at(7), call), outcome, now=at(9)))


def test_those_refused_before_others_of_their_call_were_accepted_are_not_put_back(run: Run) -> None:
    for number in range(1, AT_FIRST):
        assert not hears_in_call(run, number, 1, US)
    assert not hears_in_call(run, 20, 1, TAKEN)
    found = [hears_in_call(run, number, number, US) for number in range(21, 41)]
    (row,) = filter(None, found)
    assert len(row) >= IN_A_ROW
    assert list(range(21, 21 + len(row))) == row


def test_those_refused_after_another_of_their_call_was_accepted_are_not_counted(run: Run) -> None:
    assert not hears_in_call(run, 1, 1, TAKEN)
    assert not any(hears_in_call(run, number, 1, US) for number in range(2, 300))


def test_an_acceptance_that_began_in_the_moment_of_a_refusal_leaves_it(run: Run) -> None:
    run.hears(TAKEN)
    for _ in range(IN_A_ROW - 1):
        run.hears(US)
    run.hears(TAKEN, took=IN_A_ROW - 1)
    assert 2 not in run.hears(US)
    rows = [run.hears(US) for _ in range(20)]
    (row,) = filter(None, rows)
    assert list(range(3, 1 + IN_A_ROW)) == row[: IN_A_ROW - 2]


def test_two_domains_are_enough_at_the_end_and_one_is_not(run: Run) -> None:
    run.hears(US, domain="a.example")
    run.hears(US, domain="a.example")
    assert [] == run.at_the_end()
    run.hears(US, domain="b.example")
    assert [[1, 2, 3]] == run.at_the_end()


@pytest.mark.parametrize("said", [[PERHAPS, PERHAPS], [US, Rejected("554 Mensaje no aceptado")]])
def test_at_the_end_words_that_differ_or_may_mean_the_reader_are_taken_at_their_word(
    run: Run, said: list[Outcome]
) -> None:
    for outcome in said:
        run.hears(outcome)
    assert [] == run.at_the_end()
