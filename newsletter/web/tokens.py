"""Tokens as they come in a request: cleaned of what mail programs stick to links, and verified."""

from __future__ import annotations

from starlette.requests import Request

from newsletter.message.tokens import Purpose, Token, Verifier, is_of_unknown_key, verify
from newsletter.web.limits import RateLimit

_STUCK = " \t.,;:!?)]}>»”’\"'"
_LONGEST = 1000


class TokenReader:
    """Reads tokens, and limits those of a secret that this server lacks, which anybody can make.

    Args:
        verifier: the keys.
        limit: how many of those may come in a minute. Others are never counted: mail
            providers post many readers' leaves from few addresses.
    """

    def __init__(self, verifier: Verifier, limit: RateLimit) -> None:
        self._verifier = verifier
        self._limit = limit

    @staticmethod
    def text_of(request: Request) -> str:
        """The token in the address, without what a mail program stuck to it."""
        text: str = request.path_params.get("token") or request.query_params.get("token", "")
        return text[:_LONGEST].strip(_STUCK)

    def read(self, text: str, *purposes: Purpose) -> Token | None:
        """What a token says; None if it is not one of ours, or for none of ``purposes``."""
        token = verify(text, self._verifier)
        if token is None or not any(map(token.is_for, purposes)):
            return None
        return token

    def is_of_unknown_key(self, text: str) -> bool:
        """Whether it looks like a token that was signed with a secret that this server lacks."""
        return is_of_unknown_key(text, self._verifier)

    def allows(self, request: Request) -> bool:
        """Count such a token, and say whether one more is taken."""
        return self._limit.allows(request.client.host if request.client else None)
