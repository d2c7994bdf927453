"""How Resend reads a batch and words its answers: whole or not at all, with keys."""

from collections.abc import Mapping, Sequence

from tests.support.http_server import Item, Provider, Reply, Request, Row, address_in

API_KEY = "re_test_0123456789"


def error(
    status: int, name: str, message: str = "", headers: Mapping[str, str] | None = None
) -> Reply:
    value = {"statusCode": status, "name": name, "message": message or f"This is {name}."}
    return Reply(status, value, headers or {})


class ResendSide(Provider):
    """https://resend.com/docs/api-reference/emails/send-batch-emails."""

    def __init__(self, api_key: str = API_KEY) -> None:
        self.api_key = api_key
        self.refusal = "Invalid `to` field."

    def knows(self, request: Request) -> bool:
        return request.headers.get("authorization") == f"Bearer {self.api_key}"

    def items(self, request: Request) -> Sequence[Item]:
        return [Item(address_in(mail["to"][0])) for mail in request.json()]

    def key(self, request: Request) -> str:
        return request.headers.get("idempotency-key", "")

    def answer(self, rows: Sequence[Row]) -> Reply:
        if len(rows) > 101 or any(row.id is None for row in rows):
            return error(422, "validation_error", self.refusal)
        return Reply(200, {"data": [{"id": row.id} for row in rows]})

    def other_body(self) -> Reply:
        return error(409, "invalid_idempotent_request", "The payload differs.")

    def locked_out(self) -> Reply:
        return error(403, "invalid_api_key", "API key is invalid.")

    def too_fast(self, headers: Mapping[str, str]) -> Reply:
        return error(429, "rate_limit_exceeded", headers=headers)

    def broken(self, status: int) -> Reply:
        return error(status, "application_error")
