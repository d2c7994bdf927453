"""How Postmark reads a batch and words its answers: each message for itself, no keys."""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.support.http_server import Item, Mail, Provider, Reply, Request, Row, address_in, listed

INACTIVE = (
    "You tried to send to a recipient that has been marked as inactive. Found inactive "
    "addresses: {address}. Inactive recipients are ones that have generated a hard bounce."
)


def row(code: int, message: str) -> dict[str, Any]:
    return {"ErrorCode": code, "Message": message}


def error(status: int, code: int, headers: Mapping[str, str] | None = None) -> Reply:
    return Reply(status, row(code, f"This is {code}."), headers or {})


class PostmarkSide(Provider):
    """https://postmarkapp.com/developer/api/email-api#send-batch-emails."""

    whole = False

    def __init__(self, token: str = "server_token-0123456789") -> None:
        self.token = token

    def knows(self, request: Request) -> bool:
        return request.headers.get("x-postmark-server-token") == self.token

    def items(self, request: Request) -> Sequence[Item]:
        return [Item(address_in(mail["To"])) for mail in request.json()]

    def answer(self, rows: Sequence[Row]) -> Reply:
        return Reply(200, [self._row(each) for each in rows])

    @staticmethod
    def _row(told: Row) -> dict[str, Any]:
        if told.id is None:
            return row(406, INACTIVE.format(address=told.address))
        return {**row(0, "OK"), "MessageID": told.id, "To": told.address}

    def locked_out(self) -> Reply:
        return error(401, 10)

    def too_fast(self, headers: Mapping[str, str]) -> Reply:
        return error(429, 429, headers)

    def broken(self, status: int) -> Reply:
        return error(status, 500)

    def search(self, request: Request, mails: Sequence[Mail]) -> Reply:
        query = parse_qs(urlsplit(request.path).query)
        if "fromdate" in query:
            return Reply(200, {"Bounces": listed(self.happened, query)})
        (asked,) = query["metadata_reference"]
        found = [
            {"MessageID": mail.id, "Status": "Sent", "Metadata": sent["Metadata"]}
            for mail in mails
            for sent in mail.request.json()
            if address_in(sent["To"]) == mail.address and sent["Metadata"]["reference"] == asked
        ]
        return Reply(200, {"TotalCount": len(found), "Messages": found})
