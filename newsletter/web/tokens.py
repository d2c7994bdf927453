"""Tokens as they come in a request: cleaned of what mail programs stick to links, and verified."""

from __future__ import annotations

import re

from starlette.requests import Request

from newsletter.message.tokens import Purpose, Token, Verifier, claimed, verify
from newsletter.web.limits import RateLimit

_STUCK = " \t.,;:!?)]}>»”’\"'/"
_FOLLOWING = re.compile(r"[&?#]")
"""What a query begins with that a program stuck to the token instead of the address."""
_LONGEST = 1000


class TooMany(Exception):
    """Too many tokens of secrets that this server lacks came within a minute."""


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
        return _FOLLOWING.split(text[:_LONGEST].strip(_STUCK))[0].rstrip(_STUCK)

    def read(self, text: str, *purposes: Purpose) -> Token | None:
        """What a token says; None if it is not one of ours, or for none of ``purposes``.

        It is not verified if it looks signed after this server's keys were written. Only the
        officer's machine can tell, so that is told the token as it is.
        """
        token = verify(text, self._verifier) or claimed(text, self._verifier)
        if token is None or not any(map(token.is_for, purposes)):
            return None
        return token

    def count(self, request: Request) -> None:
        """Count a token that is not verified, before something is written for it.

        Raises:
            TooMany: no more are taken in this minute.
        """
        if not self._limit.allows(request.client.host if request.client else None):
            raise TooMany
