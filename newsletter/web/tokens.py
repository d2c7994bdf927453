"""Tokens as they come in a request: cleaned of what mail programs stick to links, and verified."""

from __future__ import annotations

from starlette.requests import Request

from newsletter.message.tokens import Token, Verifier, is_of_unknown_key, verify
from newsletter.web.limits import RateLimit

_STUCK = " \t.,;:!?)]}>»”’\"'"
_LONGEST = 200


class TokenReader:
    """Reads tokens, and counts those that do not verify.

    Args:
        verifier: the keys.
        limit: how many wrong tokens may come in a minute. Right ones are never counted:
            mail providers post many readers' leaves from few addresses.
    """

    def __init__(self, verifier: Verifier, limit: RateLimit) -> None:
        self._verifier = verifier
        self._limit = limit

    @staticmethod
    def text_of(request: Request) -> str:
        """The token in the address, without what a mail program stuck to it."""
        text: str = request.path_params.get("token") or request.query_params.get("token", "")
        return text[:_LONGEST].strip(_STUCK)

    def read(self, text: str) -> Token | None:
        """What a token says; None if it is not one of ours."""
        return verify(text, self._verifier)

    def of_another_key(self, text: str) -> str | None:
        """The token, if it looks like one that was signed with a key that this server lacks."""
        return text if is_of_unknown_key(text, self._verifier) else None

    def allows(self, request: Request) -> bool:
        """Count a wrong token, and say whether one more may be looked at."""
        return self._limit.allows(request.client.host if request.client else None)
