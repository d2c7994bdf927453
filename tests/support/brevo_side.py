"""How Brevo reads a batch and words its answers: whole or not at all, and a key only once."""

import json
import threading
from collections.abc import Mapping, Sequence
from urllib.parse import parse_qs, urlsplit

from tests.support.http_server import Item, Mail, Provider, Reply, Request, Row, listed


def error(
    status: int, code: str, message: str = "", headers: Mapping[str, str] | None = None
) -> Reply:
    return Reply(status, {"code": code, "message": message or f"This is {code}."}, headers or {})


class BrevoSide(Provider):
    """https://developers.brevo.com/reference/sendtransacemail.

    A request whose key was taken before is refused as a duplicate, not answered again.
    """

    accepted_status = 201

    def __init__(self, api_key: str = "api_key-0123456789") -> None:
        self.api_key = api_key
        self._taken: set[str] = set()
        self._asked = threading.local()

    def knows(self, request: Request) -> bool:
        return request.headers.get("api-key") == self.api_key

    def items(self, request: Request) -> Sequence[Item]:
        return [Item(version["to"][0]["email"]) for version in request.json()["messageVersions"]]

    def key(self, request: Request) -> str:
        self._asked.key = request.headers.get("idempotencykey", "")
        return str(self._asked.key)

    def answer(self, rows: Sequence[Row]) -> Reply:
        if self._asked.key in self._taken:
            return error(400, "duplicate_parameter", "idempotencyKey is used already")
        if any(row.id is None for row in rows):
            return error(400, "invalid_parameter", "email is not valid in to")
        self._taken.add(self._asked.key)
        return Reply(201, {"messageIds": [row.id for row in rows]})

    def locked_out(self) -> Reply:
        return error(401, "unauthorized", "Key not found")

    def too_fast(self, headers: Mapping[str, str]) -> Reply:
        return error(429, "too_many_requests", headers=headers)

    def broken(self, status: int) -> Reply:
        return error(status, "internal_error")

    def search(self, request: Request, mails: Sequence[Mail]) -> Reply:
        asked = parse_qs(urlsplit(request.path).query)
        if "startDate" in asked:
            return Reply(200, {"events": listed(self.happened, asked, of="event")})
        (tag,) = json.loads(asked["tags"][0])
        events = [
            {"email": mail.address, "event": "requests", "messageId": mail.id, "tag": tag}
            for mail in mails
            if mail.address == asked["email"][0] and tag in mail.request.json()["tags"]
        ]
        return Reply(200, {"events": events})
