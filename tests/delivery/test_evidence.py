"""Whose fault refusals are: many of them together tell."""

from datetime import UTC, datetime
from itertools import count

import pytest
from newsletter.addresses import Address
from newsletter.delivery.evidence import AT_FIRST, IN_A_ROW, IN_A_ROW_PERHAPS, Evidence
from newsletter.delivery.policy import Brake
from newsletter.ledger.deliveries import Claim
from newsletter.message.model import Recipient
from newsletter.transports.protocol import Accepted, Deferred, Outcome, Rejected, Scope

US = Rejected("550 Nachricht nicht angenommen")
PERHAPS = Rejected("550 5.1.1 Rejected")
THEIRS = Rejected("550 5.1.1 user unknown")
TAKEN = Accepted("250 ok")


class Run:
    """Attempts one after the other, each at another domain unless said otherwise."""

    def __init__(self) -> None:
        self.evidence = Evidence()
        self.now = 1000.0
        self.numbers = count(1)

    def hears(self, outcome: Outcome, *, domain: str = "", took: float = 0.5) -> list[int]:
        """Who is put back when the next reader's attempt ends so."""
        self.now += 1
        number = next(self.numbers)
        claim = claim_of(number, domain or f"d{number}.example")
        found = self.evidence.record(
            claim, outcome, call=number, began_at=self.now - took, now=self.now
        )
        return put_back(found)


def put_back(found: tuple[object, list[Claim]] | None) -> list[int]:
    return [claim.id for claim in found[1]] if found else []


def claim_of(number: int, domain: str) -> Claim:
    recipient = Recipient(Address("r", domain), "", "en", {})
    return Claim(number, recipient, 1, datetime(2026, 11, 1, tzinfo=UTC), None, 1)


@pytest.fixture
def run() -> Run:
    return Run()


def test_the_same_refusal_for_all_is_about_us_at_once_while_nobody_was_accepted(run: Run) -> None:
    assert not any(run.hears(US) for _ in range(AT_FIRST - 1))
    assert list(range(1, AT_FIRST + 1)) == run.hears(US)


def test_words_without_a_code_are_judged_alike(run: Run) -> None:
    said = Rejected("Message not accepted")
    assert [[]] * (AT_FIRST - 1) == [run.hears(said) for _ in range(AT_FIRST - 1)]
    claim = claim_of(AT_FIRST, "d.example")
    found = run.evidence.record(claim, said, call=99, began_at=run.now, now=run.now)
    assert found
    assert "were refused in the same words" in found[0].why


def test_it_takes_readers_of_three_domains_however_many_were_refused_before(run: Run) -> None:
    domains = ["a.example", "b.example"] * IN_A_ROW
    assert not any(run.hears(US, domain=domain) for domain in domains)
    assert list(range(1, 2 * IN_A_ROW + 2)) == run.hears(US, domain="c.example")


def test_three_domains_are_enough(run: Run) -> None:
    for domain in ("a.example", "b.example", "c.example", "a.example"):
        assert not run.hears(US, domain=domain)
    assert [1, 2, 3, 4, 5] == run.hears(US, domain="a.example")


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
        assert run.evidence.record(claim, outcome, call=1, began_at=7, now=9) is None


def hears_in_call(run: Run, number: int, call: int, outcome: Outcome) -> list[int]:
    claim = claim_of(number, f"d{number}.example")
    return put_back(run.evidence.record(claim, outcome, call=call, began_at=7, now=9))


def test_those_refused_before_others_of_their_call_were_accepted_are_not_counted(run: Run) -> None:
    for number in range(1, AT_FIRST):
        assert not hears_in_call(run, number, 1, US)
    assert not hears_in_call(run, 20, 1, TAKEN)
    for number in range(21, 21 + IN_A_ROW - 1):
        assert not hears_in_call(run, number, number, US)
    assert list(range(21, 21 + IN_A_ROW)) == hears_in_call(run, 20 + IN_A_ROW, 99, US)


def test_those_refused_after_another_of_their_call_was_accepted_are_not_counted(run: Run) -> None:
    assert not hears_in_call(run, 1, 1, TAKEN)
    assert not any(hears_in_call(run, number, 1, US) for number in range(2, 300))


def test_an_acceptance_of_an_earlier_call_leaves_refusals_of_later_ones(run: Run) -> None:
    for number in range(2, 1 + IN_A_ROW):
        assert not hears_in_call(run, number, number, US) or number > AT_FIRST
    assert not hears_in_call(run, 1, 1, TAKEN)
    assert list(range(2, 2 + IN_A_ROW)) == hears_in_call(run, 1 + IN_A_ROW, 99, US)


def test_an_acceptance_that_began_in_the_moment_of_a_refusal_leaves_it(run: Run) -> None:
    run.hears(TAKEN)
    for _ in range(IN_A_ROW - 1):
        run.hears(US)
    run.hears(TAKEN, took=IN_A_ROW - 1)
    assert list(range(2, 2 + IN_A_ROW - 1)) == run.hears(US)[: IN_A_ROW - 1]


def test_words_that_name_the_mailbox_stay_the_readers_however_often_they_come(run: Run) -> None:
    assert not any(run.hears(THEIRS) for _ in range(500))
    assert run.evidence.at_the_end() is None


def test_what_may_mean_the_reader_takes_more(run: Run) -> None:
    assert not any(run.hears(PERHAPS) for _ in range(IN_A_ROW_PERHAPS - 1))
    assert IN_A_ROW_PERHAPS == len(run.hears(PERHAPS))


def test_one_domains_refusals_are_not_about_us(run: Run) -> None:
    assert not any(run.hears(US, domain="one.example") for _ in range(500))


def test_refusals_in_ever_other_words_are_about_us_too(run: Run) -> None:
    said = [Rejected(f"550 not taken {chr(97 + n) * 3}") for n in range(IN_A_ROW_PERHAPS)]
    assert [[]] * (IN_A_ROW_PERHAPS - 1) == [run.hears(each) for each in said[:-1]]
    assert IN_A_ROW_PERHAPS == len(run.hears(said[-1]))


def test_the_words_for_other_words_quote_none_from_before_an_acceptance(run: Run) -> None:
    run.hears(Rejected("550 long ago"))
    run.hears(TAKEN)
    said = [Rejected(f"550 not taken {chr(97 + n) * 3}") for n in range(IN_A_ROW_PERHAPS)]
    for number, each in enumerate(said, start=1):
        claim = claim_of(number, f"d{number}.example")
        found = run.evidence.record(claim, each, call=9 + number, began_at=5000, now=5001)
    assert found
    assert "were refused one after the other" in found[0].why
    assert found[0].why.endswith("The server said: 550 not taken aaa")


def test_what_comes_in_once_the_run_has_stopped_is_about_us_too(run: Run) -> None:
    assert not run.evidence.is_about_us(US, "d1.example")
    while not run.hears(US):
        pass
    assert run.evidence.is_about_us(US, "d9.example")
    assert not run.evidence.is_about_us(THEIRS, "d9.example")
    assert not run.evidence.is_about_us(TAKEN, "d9.example")


@pytest.mark.parametrize("said", [US, Rejected("Message not accepted")])
def test_a_list_of_three_is_judged_at_the_end(run: Run, said: Outcome) -> None:
    assert not any(run.hears(said) for _ in range(3))
    assert [1, 2, 3] == put_back(run.evidence.at_the_end())


def test_two_domains_are_enough_at_the_end_and_one_is_not(run: Run) -> None:
    run.hears(US, domain="a.example")
    run.hears(US, domain="a.example")
    assert run.evidence.at_the_end() is None
    run.hears(US, domain="b.example")
    assert [1, 2, 3] == put_back(run.evidence.at_the_end())


@pytest.mark.parametrize("said", [[PERHAPS, PERHAPS], [US, Rejected("554 Mensaje no aceptado")]])
def test_at_the_end_words_that_differ_or_may_mean_the_reader_are_taken_at_their_word(
    run: Run, said: list[Outcome]
) -> None:
    for outcome in said:
        run.hears(outcome)
    assert run.evidence.at_the_end() is None


def test_at_the_end_of_a_run_that_went_well_a_few_refusals_are_taken_at_their_word(
    run: Run,
) -> None:
    for outcome in (TAKEN, US, US):
        run.hears(outcome)
    assert run.evidence.at_the_end() is None


def test_deferred_recipients_and_the_server_itself_are_no_refusals(run: Run) -> None:
    for outcome in (Deferred("450 later"), Rejected("535 no", Scope.ACCOUNT)):
        assert not any(run.hears(outcome) for _ in range(50))


def test_the_words_say_what_happened_and_what_to_do(run: Run) -> None:
    for _ in range(AT_FIRST - 1):
        run.hears(US)
    found = run.evidence.record(claim_of(9, "d9.example"), US, call=9, began_at=5000, now=5001)
    assert found
    trip, _ = found
    assert Brake.STOP is trip.brake
    assert (
        "5 readers at 5 domains were refused in the same words, and nobody was accepted meanwhile."
        " The server said: 550 Nachricht nicht angenommen"
    ) == trip.why
    assert "newsletter resume" in trip.next
