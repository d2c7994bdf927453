"""Whose an answer is: rows that name somebody are compared, and nobody is judged by place alone."""

import itertools
from collections.abc import Sequence

import pytest
from newsletter.addresses import Address
from newsletter.testing import FakeMessage, fake_messages
from newsletter.transports.api_result import Ambiguous, Each, Taken
from newsletter.transports.http_values import Response, canonical_json
from newsletter.transports.protocol import Accepted, InDoubt, Outcome, Rejected
from newsletter.transports.provider import ApiMessage
from newsletter.transports.verification import recipients_in, verified

from tests.support.mailjet_side import failure
from tests.support.postmark_side import INACTIVE, row
from tests.transports.contract import ANNA, BOB, CLAIRE
from tests.transports.providers.harness import api_message, provider_of

THREE = (ANNA, BOB, CLAIRE)


def read(name: str, value: object, addresses: Sequence[str] = THREE) -> Sequence[Outcome]:
    provider = provider_of(name)
    group = [api_message(message, name) for message in fake_messages(*addresses)]
    answer = Response(200, {"content-type": "application/json"}, canonical_json(value))
    verdict = verified(provider.read(answer, group), group, title=provider.title)
    assert isinstance(verdict, Each)
    return verdict.results


def postmark(address: str) -> dict[str, object]:
    if address == BOB:
        return row(406, INACTIVE.format(address=BOB))
    return {**row(0, "OK"), "MessageID": f"id {address}", "To": address}


def mailjet(address: str) -> dict[str, object]:
    (message,) = fake_messages(address)
    ours = {"CustomID": message.as_content().reference}
    if address == BOB:
        return failure("mj-0013", ["To"]) | ours
    to = {"Email": address, "MessageID": 1 + THREE.index(address)}
    return {"Status": "success", "To": [to], **ours}


def answered(name: str, addresses: Sequence[str]) -> object:
    if name == "postmark":
        return [postmark(address) for address in addresses]
    return {"Messages": [mailjet(address) for address in addresses]}


KINDS = {ANNA: Accepted, BOB: Rejected, CLAIRE: Accepted}


@pytest.mark.fault("HTTP", "results in another order", state="in_doubt for whom they do not name")
@pytest.mark.parametrize("name", ["postmark", "mailjet"])
@pytest.mark.parametrize("order", list(itertools.permutations(THREE)))
def test_in_whatever_order_nobody_is_judged_by_anothers_row(
    name: str, order: Sequence[str]
) -> None:
    found = read(name, answered(name, order))
    for asked, told, outcome in zip(THREE, order, found, strict=True):
        assert isinstance(outcome, KINDS[asked] if asked == told else InDoubt)


@pytest.mark.fault(
    "HTTP", "results too few, too many or doubled", state="in_doubt, but for whom they name"
)
@pytest.mark.parametrize("name", ["postmark", "mailjet"])
@pytest.mark.parametrize("count", range(6))
def test_too_few_too_many_and_doubled_rows_prove_what_they_name(name: str, count: int) -> None:
    for order in itertools.product(THREE, repeat=count):
        found = read(name, answered(name, order))
        assert 3 == len(found)
        for asked, told, outcome in zip(THREE, [*order, "", "", ""], found, strict=False):
            assert isinstance(outcome, InDoubt | (KINDS[asked] if asked == told else InDoubt))


def test_a_row_that_names_nobody_is_not_believed_where_another_names_somebody_else() -> None:
    nobodys, annas, claires = row(300, "Invalid 'To' address."), postmark(ANNA), postmark(CLAIRE)
    found = read("postmark", [nobodys, annas, claires])
    assert [InDoubt, InDoubt, Accepted] == [type(each) for each in found]
    found = read("postmark", [annas, nobodys, claires])
    assert [Accepted, Rejected, Accepted] == [type(each) for each in found]


@pytest.mark.parametrize(
    "ids", [["a", "a", "b"], ["a", "b"], ["a", "b", "c", "d"], ["a", None, "c"], []]
)
def test_ids_that_do_not_tell_one_from_another_leave_all_in_doubt(ids: list[str | None]) -> None:
    group = [ApiMessage(message) for message in fake_messages(*THREE)]
    assert isinstance(verified(Taken("200", ids), group, title="X"), Ambiguous)
    accepted = Each([Accepted("200", known) for known in ["a", "a", "b"]])
    found = verified(accepted, group, title="X")
    assert isinstance(found, Each)
    assert [InDoubt, InDoubt, Accepted] == [type(each) for each in found.results]


def test_noughts_that_a_sandbox_gives_are_no_doubled_ids() -> None:
    group = [ApiMessage(message) for message in fake_messages(ANNA, BOB)]
    nought = Accepted("OK", "00000000-0000-0000-0000-000000000000")
    assert Each([nought, nought]) == verified(Each([nought, nought]), group, title="X")


@pytest.mark.parametrize(
    "text",
    [
        "Anna@München.example",
        "anna@xn--mnchen-3ya.example",
        "anna@MÜNCHEN.EXAMPLE",
        '"Lind, Anna" <anna@münchen.example>',
        "<anna@XN--MNCHEN-3YA.example>",
        " anna@münchen.example ",
    ],
)
@pytest.mark.parametrize("form", ["{}", "[{}]", "object"])
def test_addresses_are_compared_as_providers_may_write_them(text: str, form: str) -> None:
    value = {"{}": text, "[{}]": [text], "object": [{"Email": text}]}[form]
    reader = FakeMessage(Address.parse("anna@münchen.example"))
    assert frozenset({reader.envelope_to.suppression_key}) == recipients_in({"To": value})


@pytest.mark.parametrize("value", [None, 7, "nobody", [[]], [{"Email": 3}], {"a": "b"}])
def test_what_names_nobody_names_nobody(value: object) -> None:
    assert not recipients_in({"To": value})
    assert not recipients_in(value)
