from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
from newsletter.addresses import Address
from newsletter.errors import ConfigError
from newsletter.render.edition import Enclosure
from newsletter.testing import FakeMessage, RecordingJournal, fake_messages
from newsletter.transports.api_result import Each, Refused, Stop
from newsletter.transports.http_values import Response, canonical_json
from newsletter.transports.protocol import Accepted, Deferred, InDoubt, Rejected, Scope
from newsletter.transports.provider import ApiMessage

from tests.message.samples import DATE, EDITION, composer, reader
from tests.support import http_server as misbehaviours
from tests.support.http_server import Item, Mail, Provider, Reply, Request, Row, says
from tests.transports.contract import ANNA, BOB, CLAIRE
from tests.transports.providers.contract import ProviderContract
from tests.transports.providers.harness import (
    ProviderHarness,
    crowd,
    deliver,
    provider_harness,
    provider_of,
)

TOKEN = "lm_0123456789abcdef"


def error(status: int, code: str, details: Any = None, **headers: str) -> Reply:
    inner = {"code": code, "message": f"This is {code}."} | (
        {"details": details} if details is not None else {}
    )
    return Reply(status, {"error": inner}, headers)


def invalid(**fields: str) -> Reply:
    errors = {name.replace("_", "."): [words] for name, words in fields.items()}
    return Reply(422, {"message": "The given data was invalid.", "errors": errors})


class LettermintSide(Provider):
    """Each letter has a key of its own; a batch is checked as a whole before it is begun."""

    def knows(self, request: Request) -> bool:
        return request.headers.get("x-lettermint-token") == TOKEN

    def items(self, request: Request) -> Sequence[Item]:
        return [
            Item(mail["to"][0].rpartition("<")[2].rstrip(">"), mail["idempotency_key"])
            for mail in request.json()
        ]

    def key(self, request: Request) -> str:
        return request.headers["idempotency-key"]

    def answer(self, rows: Sequence[Row]) -> Reply:
        refused = [place for place, row in enumerate(rows) if row.id is None]
        if refused:
            return invalid(**{f"{place}_to_0": "The address is invalid." for place in refused})
        return Reply(202, [{"message_id": row.id, "status": "pending"} for row in rows])

    def other_body(self) -> Reply:
        return error(409, "IDEMPOTENCY_MISMATCH")

    def locked_out(self) -> Reply:
        return Reply(401, {"message": "Unauthenticated."})

    def too_fast(self, headers: Mapping[str, str]) -> Reply:
        return error(429, "RATE_LIMITED", **headers)

    def broken(self, status: int) -> Reply:
        return error(status, "INTERNAL")


@pytest.fixture
def harness() -> Iterator[ProviderHarness]:
    secrets = {"api_token": TOKEN}
    with provider_harness("lettermint", LettermintSide(), secrets=secrets) as harness:
        yield harness


class TestLettermint(ProviderContract):
    """Passes the contract with the fixture above."""


def test_the_whole_letter_travels(harness: ProviderHarness) -> None:
    message = FakeMessage(Address.parse("anna@münchen.example"), to_name='Lind, "Annä"')
    harness.settings = {"route": "newsletters"}
    deliver(harness, [message])
    (request,) = harness.server.requests
    (mail,) = request.json()
    assert {
        "from": "News <newsletter@news.example>",
        "to": ['"Lind, \\"Annä\\"" <anna@xn--mnchen-3ya.example>'],
        "reply_to": ["editors@news.example"],
        "subject": "The news",
        "html": "<p>Good morning.\n</p>",
        "text": "Good morning.\n",
        "headers": {
            "List-ID": "News <list.news.example>",
            "List-Unsubscribe": "<https://news.example/u/token>",
            "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
            "Message-ID": message.message_id,
            "X-LM-Preserve-Message-ID": "true",
        },
        "metadata": {"reference": message.as_content().reference},
        "settings": {"track_opens": False, "track_clicks": False},
        "idempotency_key": ApiMessage(message).key,
        "route": "newsletters",
    } == mail
    assert "/v1/send/batch" == request.path


def test_files_travel_and_pictures_are_shown_where_they_belong() -> None:
    files = (
        Enclosure("map.png", "image/png", b"png", "map.png@news.example"),
        Enclosure("report.bin", "application/octet-stream", b"bin", None),
    )
    letter = composer(replace(EDITION, enclosures=files)).compose(reader(), date=DATE)
    provider = provider_of("lettermint")
    assert (
        b'"attachments":[{"content":"cG5n","content_id":"map.png@news.example",'
        b'"content_type":"image/png","filename":"map.png"},'
        b'{"content":"Ymlu","filename":"report.bin"}]'
    ) in provider.request([ApiMessage(letter)], "k").body


def test_a_letter_keeps_its_key_in_whatever_batch_it_stands(harness: ProviderHarness) -> None:
    deliver(harness, fake_messages(ANNA, BOB))
    again, _ = deliver(harness, fake_messages(BOB, CLAIRE))
    assert Accepted("202 accepted", "id-1") == again[0]
    assert 3 == sum(harness.taken().values())


@pytest.mark.parametrize("place", [0, 37, 99])
def test_the_one_whom_it_names_is_refused_and_the_others_go_at_once(
    harness: ProviderHarness, place: int
) -> None:
    messages = crowd(100)
    harness.refuse(str(messages[place].envelope_to))
    outcomes, stopped = deliver(harness, messages)
    assert None is stopped
    assert Rejected("422 The given data was invalid.") == outcomes[place]
    assert 99 == sum(isinstance(outcome, Accepted) for outcome in outcomes)
    assert 2 == len(harness.server.requests)


@pytest.mark.parametrize(
    ("reply", "whose", "of_recipient"),
    [
        (invalid(**{"1_to_0": "Invalid."}), {1}, True),
        (invalid(messages_1_to_0="Invalid."), {1}, True),
        (invalid(**{"1_to_0": "Invalid.", "2_html": "Too short."}), {1, 2}, False),
        (invalid(**{"0_html": "", "1_html": "", "2_html": ""}), set(), False),
        (invalid(**{"1_to_0": "Invalid.", "route": "There is none."}), set(), False),
        (invalid(**{"99_to_0": "Invalid."}), set(), True),
        (error(422, "DOMAIN_NOT_VERIFIED"), set(), False),
        (error(400, "BAD"), set(), False),
        (error(413, "TOO_LARGE"), set(), False),
    ],
)
def test_a_refusal_is_read_for_whom_it_names(
    reply: Reply, whose: set[int], of_recipient: bool
) -> None:
    answer = Response(
        reply.status, {"content-type": "application/json"}, canonical_json(reply.value)
    )
    verdict = provider_of("lettermint").read(answer, [ApiMessage(each) for each in crowd(3)])
    assert isinstance(verdict, Refused)
    assert (frozenset(whose), of_recipient) == (verdict.positions, verdict.of_recipient)


BROKEN_OFF = {"accepted": [{"index": 0, "message_id": "id-0"}]}


def one_taken(reply: Reply) -> Any:
    """A batch that breaks off behind its first letter, as the documentation tells."""

    def answer(request: Request) -> None:
        request.read()
        items = request.server.provider.items(request)
        request.server.mails.append(Mail(items[0].address, "id-0", request))
        request.say(reply)

    return answer


def test_a_batch_that_breaks_off_keeps_whom_it_took_and_blames_one(
    harness: ProviderHarness,
) -> None:
    harness.server.script.append(one_taken(error(422, "INVALID_RECIPIENT", BROKEN_OFF)))
    outcomes, stopped = deliver(harness, fake_messages(ANNA, BOB, CLAIRE))
    assert [
        Accepted("202 accepted", "id-0"),
        Rejected("422 INVALID_RECIPIENT: This is INVALID_RECIPIENT."),
        Deferred("It came after a message that was refused.", retry_after_s=0),
    ] == outcomes
    assert None is stopped


def test_a_batch_that_is_throttled_halfway_keeps_whom_it_took(harness: ProviderHarness) -> None:
    reply = error(429, "RATE_LIMITED", BROKEN_OFF, **{"Retry-After": "30"})
    harness.server.script.append(one_taken(reply))
    outcomes, _ = deliver(harness, fake_messages(ANNA, BOB, CLAIRE))
    later = Deferred("429 RATE_LIMITED: This is RATE_LIMITED.", Scope.ACCOUNT, 30)
    assert [Accepted("202 accepted", "id-0"), later, later] == outcomes


def test_an_account_closed_halfway_keeps_whom_it_took(harness: ProviderHarness) -> None:
    harness.server.script.append(one_taken(error(403, "SUSPENDED", BROKEN_OFF)))
    outcomes, _ = deliver(harness, fake_messages(ANNA, BOB))
    assert Accepted("202 accepted", "id-0") == outcomes[0]
    assert isinstance(outcomes[1], Deferred)
    assert Scope.ACCOUNT is outcomes[1].scope


@pytest.mark.parametrize("status", [401, 402, 403, 404, 405, 451])
def test_a_refused_account_stops_the_run_and_blames_no_reader(
    harness: ProviderHarness, status: int
) -> None:
    harness.server.always = says(error(status, "NO"))
    outcomes, stopped = deliver(harness, crowd(5))
    assert [Deferred(f"{status} NO: This is NO.", Scope.ACCOUNT)] * 5 == outcomes
    assert stopped is not None


def test_a_key_used_for_another_letter_is_in_doubt_at_once(harness: ProviderHarness) -> None:
    harness.server.always = says(Reply(409, {"message": "The key has another payload."}))
    outcomes, stopped = deliver(harness, fake_messages(ANNA))
    assert isinstance(outcomes[0], InDoubt)
    assert stopped is not None
    assert 1 == len(harness.server.requests)


def test_a_key_still_at_work_is_asked_for_again(harness: ProviderHarness) -> None:
    harness.server.script.append(says(error(409, "IDEMPOTENCY_IN_PROGRESS")))
    outcomes, _ = deliver(harness, fake_messages(ANNA))
    assert [Accepted("202 accepted", "id-0")] == outcomes


def test_a_suppressed_address_is_refused() -> None:
    answer = Response(
        202,
        {"content-type": "application/json"},
        b'[{"message_id":"a","status":"suppressed"},{"message_id":"b","status":"pending"},{}]',
    )
    verdict = provider_of("lettermint").read(answer, [ApiMessage(each) for each in crowd(3)])
    assert isinstance(verdict, Each)
    assert [Rejected, Accepted, InDoubt] == [type(each) for each in verdict.results]


def test_without_a_sandbox_project_there_is_no_sandbox() -> None:
    with pytest.raises(ConfigError, match=r"no sandbox.*sandbox_token"):
        provider_of("lettermint", sandbox=True)


@pytest.mark.parametrize(("flag", "kind"), [(True, Each), (None, Stop)])
def test_a_sandbox_has_a_token_of_its_own_and_must_say_that_it_is_one(
    flag: bool | None, kind: type
) -> None:
    secrets = {"api_token": "lm_live", "sandbox_token": "lm_sandbox"}
    provider = provider_of("lettermint", sandbox=True, secrets=secrets)
    letter = ApiMessage(fake_messages(ANNA)[0])
    assert "lm_sandbox" == provider.request([letter], "k").headers["x-lettermint-token"]
    row = {"message_id": "a", "status": "pending"} | ({"sandbox": flag} if flag else {})
    answer = Response(202, {"content-type": "application/json"}, canonical_json([row]))
    assert isinstance(provider.read(answer, [letter]), kind)


def test_a_batch_that_breaks_off_after_a_missed_answer_proves_no_refusal(
    harness: ProviderHarness,
) -> None:
    harness.server.script.append(misbehaviours.cut_after_taking)
    harness.server.script.append(says(error(422, "INVALID_RECIPIENT", BROKEN_OFF)))
    outcomes, _ = deliver(harness, fake_messages(ANNA, BOB, CLAIRE))
    assert [Accepted, InDoubt, InDoubt] == [type(outcome) for outcome in outcomes]


def test_there_is_nothing_to_search_but_a_repeat(harness: ProviderHarness) -> None:
    harness.server.script.append(says(error(422, "NOT_NOW")))
    journal = RecordingJournal()
    transport = harness.transport()
    messages = fake_messages(ANNA)
    session = transport.open()
    session.deliver(messages, journal)
    session.close()
    inquiry = transport.status_lookup()
    assert inquiry is not None
    assert not inquiry.can_search
    assert 12 * 3600 == inquiry.replay_for_s
    (call,) = journal.calls_recorded
    known = inquiry.replay(messages, call)
    inquiry.close()
    assert {messages[0].message_id: Accepted("202 accepted", "id-0")} == known
