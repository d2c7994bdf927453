"""How Mailjet reads a batch and words its answers: each for itself, and once a campaign."""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.support.http_server import Item, Mail, Provider, Reply, Request, Row, listed


def failure(code: str, related: Sequence[str] = (), message: str = "") -> dict[str, Any]:
    """A message's result that is none."""
    error = {
        "ErrorIdentifier": "f987008f-251a-4dff-8ffc-40f1583ad7bc",
        "ErrorCode": code,
        "StatusCode": 400,
        "ErrorMessage": message or f"This is {code}.",
        "ErrorRelatedTo": list(related),
    }
    return {"Status": "error", "Errors": [error]}


def error(status: int, code: str, headers: Mapping[str, str] | None = None) -> Reply:
    """The error of a whole request."""
    value = {"ErrorCode": code, "ErrorMessage": f"This is {code}.", "StatusCode": status}
    return Reply(status, value, headers or {})


class MailjetSide(Provider):
    """https://dev.mailjet.com/email/guides/send-api-v31/."""

    whole = False

    def __init__(
        self, api_key: str = "api_key-0123456789", secret_key: str = "secret_key-0123456789"
    ) -> None:
        known = base64.b64encode(f"{api_key}:{secret_key}".encode()).decode()
        self.authorization = f"Basic {known}"

    def knows(self, request: Request) -> bool:
        return request.headers.get("authorization") == self.authorization

    def items(self, request: Request) -> Sequence[Item]:
        return [_item(message) for message in request.json()["Messages"]]

    def key(self, request: Request) -> str:
        return hashlib.sha256(request.body).hexdigest()

    def answer(self, rows: Sequence[Row]) -> Reply:
        results = [_row(row) for row in rows]
        failed = any(result["Status"] == "error" for result in results)
        return Reply(400 if failed else 200, {"Messages": results})

    def locked_out(self) -> Reply:
        value = {"ErrorMessage": "API key authentication failure.", "StatusCode": 401}
        return Reply(401, value)

    def too_fast(self, headers: Mapping[str, str]) -> Reply:
        return error(429, "mj-0429", headers)

    def broken(self, status: int) -> Reply:
        return error(status, "mj-0500")

    def search(self, request: Request, mails: Sequence[Mail]) -> Reply:
        query = parse_qs(urlsplit(request.path).query)
        if "FromTS" in query:
            return Reply(200, {"Data": listed(self.happened, query, of="MessageStatus")})
        (asked,) = query["CustomID"]
        found = [
            {"ID": mail.id, "Status": "sent", "CustomID": asked}
            for mail in mails
            for message in mail.request.json()["Messages"]
            if message["CustomID"] == asked and message["To"][0]["Email"] == mail.address
        ]
        return Reply(200, {"Count": len(found), "Data": found})


def _item(message: Mapping[str, Any]) -> Item:
    address = message["To"][0]["Email"]
    once = message["DeduplicateCampaign"]
    return Item(address, f"{message['CustomCampaign']} {address}" if once else "")


def _row(row: Row) -> dict[str, Any]:
    if row.id is None:
        return failure("mj-0013", ["To[0].Email"])
    return {
        "Status": "success",
        "CustomID": "",
        "To": [{"Email": row.address, "MessageID": row.id}],
    }
