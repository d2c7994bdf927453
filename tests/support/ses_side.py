"""How Amazon SES reads a message and words its answers: one call each, no keys."""

from collections.abc import Mapping, Sequence

from tests.support.http_server import Item, Provider, Reply, Request, Row


def error(
    status: int, name: str, message: str = "", headers: Mapping[str, str] | None = None
) -> Reply:
    value = {"message": message or f"This is {name}."}
    return Reply(status, value, {"x-amzn-ErrorType": name, **(headers or {})})


class SesSide(Provider):
    """https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html."""

    def __init__(self, access_key_id: str = "access_key_id-0123456789") -> None:
        self.access_key_id = access_key_id

    def knows(self, request: Request) -> bool:
        return f"Credential={self.access_key_id}/" in request.headers.get("authorization", "")

    def items(self, request: Request) -> Sequence[Item]:
        return [Item(address) for address in request.json()["Destination"]["ToAddresses"]]

    def answer(self, rows: Sequence[Row]) -> Reply:
        if any(row.id is None for row in rows):
            return error(400, "BadRequestException", "Illegal address")
        return Reply(200, {"MessageId": rows[-1].id} if rows else {})

    def locked_out(self) -> Reply:
        return error(403, "UnrecognizedClientException", "The security token is invalid.")

    def too_fast(self, headers: Mapping[str, str]) -> Reply:
        text = "Maximum sending rate exceeded."
        return error(429, "TooManyRequestsException", text, headers)

    def broken(self, status: int) -> Reply:
        return error(status, "InternalServiceErrorException")
