"""Webhooks at a server that runs: sealed as they came, within limits, and from nobody without
the key."""

import base64
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import newsletter.web.webhooks as module
import pytest
from newsletter.web.seal import WEBHOOK_BYTES, sealed_length, unseal, webhook_size

from tests.web.served import LIST, Running, bundle, key_ring, running

KEY = "ab" * 16
TAKEN = ("postmark", "resend")
BODY = b'{"RecordType": "Bounce", "Email": "anna@readers.example"}\r\n'
SVIX = {"svix-id": "msg_1", "svix-timestamp": "1731705121", "svix-signature": "v1,abc="}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    known = bundle(webhooks=TAKEN, webhook_key=bytes.fromhex(KEY))
    with running(tmp_path_factory.mktemp("server"), known=known) as server:
        yield server


def sealed(server: Running, after: int) -> list[dict[str, Any]]:
    """What was written behind a place, opened with the officer's key."""
    opened = [
        unseal(entry.box, key_ring().box_keys(LIST)) for entry in server.log.page(after).entries
    ]
    return [event for event in opened if event is not None]


def test_a_webhook_is_sealed_as_it_came_with_its_signature_and_nothing_else(
    server: Running,
) -> None:
    before = server.log.page(0).last
    headers = {**SVIX, "User-Agent": "Svix-Webhooks/1", "Content-Type": "application/json"}
    answer = server.post(f"/hooks/resend/{KEY}", BODY, headers=headers)
    assert (200, b"") == (answer.status_code, answer.content)
    (event,) = sealed(server, before)
    assert isinstance(event.pop("at"), float)
    assert base64.b64encode(BODY).decode() == event.pop("body")
    assert {"v": 1, "kind": "webhook", "provider": "resend", "headers": SVIX} == event


@pytest.mark.parametrize(
    "path",
    [
        f"resend/{'cd' * 16}",
        f"resend/{KEY[:-1]}",
        f"resend/{KEY}0",
        f"resend/{KEY.upper()}",
        "resend/%00ü",
        f"resend/%ff%fe{KEY[6:]}",
        f"resend/%ed%a0%80{KEY}",
        f"resend/{KEY}%2f",
        f"resend/{KEY};x={KEY}",
        f"re%73end/{'%61' * 32}",
        f"resend/{'9' * 30_000}",
        f"brevo/{KEY}",
        f"stranger/{KEY}",
        KEY,
    ],
)
def test_who_has_not_the_whole_address_writes_nothing(server: Running, path: str) -> None:
    before = server.log.page(0).last
    assert 404 == server.post(f"/hooks/{path}", BODY).status_code
    assert before == server.log.page(0).last
    assert 405 == server.get(f"/hooks/resend/{KEY}").status_code


def test_a_body_of_any_bytes_up_to_the_limit_is_taken_and_no_longer_one(server: Running) -> None:
    for body in (b"", b"\xff\0\r\n", secrets.token_bytes(module.MOST_BODY)):
        before = server.log.page(0).last
        assert 200 == server.post(f"/hooks/postmark/{KEY}", body).status_code
        (event,) = sealed(server, before)
        assert base64.b64encode(body).decode() == event["body"]
    before = server.log.page(0).last
    answer = server.post(f"/hooks/postmark/{KEY}", b"x" * (module.MOST_BODY + 1))
    assert 413 == answer.status_code
    assert before == server.log.page(0).last


def test_boxes_have_few_lengths_and_each_is_opened_by_the_officers_key_alone() -> None:
    content = {"kind": "webhook", "body": "x" * 3000}
    size = webhook_size(content)
    assert 4096 == size
    assert 2048 == webhook_size({})
    with pytest.raises(ValueError, match="longer"):
        webhook_size({"body": "x" * WEBHOOK_BYTES[-1]})
    assert unseal(b"\0\1" + b"x" * (sealed_length(size) - 2), key_ring().box_keys(LIST)) is None


def test_a_page_of_large_entries_is_as_large_as_an_answer_may_be_and_none_is_lost(
    tmp_path: Path,
) -> None:
    with running(tmp_path) as server:
        boxes = [bytes([number]) * (600_000 if number % 3 else 2_100_000) for number in range(6)]
        for box in boxes:
            server.log.append(box)
        found: list[bytes] = []
        pages = 0
        while len(found) < len(boxes):
            page = server.log.page(len(found))
            found += [entry.box for entry in page.entries]
            pages += 1
            assert len(page.entries) == 1 or sum(map(len, found[-len(page.entries) :])) < 1_500_000
        assert boxes == found
        assert 4 == pages


def test_a_stranger_who_learned_the_address_cannot_fill_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = sealed_length(2048)
    known = bundle(webhooks=TAKEN, webhook_key=bytes.fromhex(KEY))
    monkeypatch.setattr(module, "MOST_A_DAY", 3 * room)
    with running(tmp_path, known=known) as server:
        codes = [server.post(f"/hooks/resend/{KEY}", BODY).status_code for _ in range(5)]
        assert [200, 200, 200, 503, 503] == codes
        refused = server.post(f"/hooks/resend/{KEY}", BODY)
        assert "3600" == refused.headers["Retry-After"], "the provider tries again later"
        assert 200 == server.get("/health").status_code
    # The log itself knows how full it is, so a restart makes no room.
    with running(tmp_path, known=known) as server:
        assert 503 == server.post(f"/hooks/resend/{KEY}", BODY).status_code
        assert 3 == server.log.page(0).last
    monkeypatch.setattr(module, "MOST_A_DAY", 1000 * room)
    monkeypatch.setattr(module, "MOST_IN_ALL", 4 * room)
    with running(tmp_path, known=known) as server:
        codes = [server.post(f"/hooks/resend/{KEY}", BODY).status_code for _ in range(2)]
        assert [200, 503] == codes


def test_without_webhooks_in_the_bundle_there_is_no_such_address(tmp_path: Path) -> None:
    with running(tmp_path) as server:
        assert 404 == server.post(f"/hooks/resend/{KEY}", BODY).status_code


def test_what_is_sealed_travels_as_json(server: Running) -> None:
    """Headers with letters beyond ASCII are no reason to lose a webhook."""
    headers = {"svix-id": "münchen".encode("latin-1"), "svix-signature": b"v1," + b"x" * 5000}
    before = server.log.page(0).last
    assert 200 == server.post(f"/hooks/resend/{KEY}", b"{}", headers=headers).status_code
    (event,) = sealed(server, before)
    assert ("münchen", 2000) == (
        event["headers"]["svix-id"],
        len(event["headers"]["svix-signature"]),
    )
