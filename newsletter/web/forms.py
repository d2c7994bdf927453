"""Forms of the public pages: their bounded bodies, and the nonces that tie them to a page."""

from __future__ import annotations

import base64
import hmac
import struct
import urllib.parse
from collections.abc import Mapping, Sequence

from starlette.requests import Request

from newsletter.clock import Clock

MOST_BYTES = 4096
"""Of a form's body."""
_MOST_FIELDS = 40
_TIME = struct.Struct(">d")
_MAC_BYTES = 16
_FASTEST_S, _A_DAY_S = 2, 86_400
_SET_BACK_S = 3700


class TooLarge(Exception):
    """The body has more bytes than it may."""


async def read_body(request: Request, most: int) -> bytes:
    """A request's body of at most ``most`` bytes.

    Raises:
        TooLarge: it has more; what comes behind them is not read.
    """
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > most:
            raise TooLarge
    return bytes(body)


async def read_form(request: Request) -> dict[str, list[str]]:
    """The fields of a form of ours (``application/x-www-form-urlencoded``); of other bodies, none.

    Raises:
        TooLarge: it has more than :data:`MOST_BYTES` bytes.
    """
    body = await read_body(request, MOST_BYTES)
    try:
        return urllib.parse.parse_qs(
            body.decode("utf-8"), keep_blank_values=True, max_num_fields=_MOST_FIELDS
        )
    except ValueError:
        return {}


def first(fields: Mapping[str, Sequence[str]], name: str) -> str:
    """A field's first value; empty if the form lacks it."""
    return fields.get(name, [""])[0]


class Nonces:
    """Marks that a form was issued by a page of ours, for one purpose and one matter, and when.

    They need no memory: a nonce is its time and a MAC. So a form that was open
    while the server was started anew still counts.

    Args:
        key: 32 random bytes, the same for all who serve one log.
        clock: tells when a nonce is issued and used.
    """

    def __init__(self, key: bytes, clock: Clock) -> None:
        self._key = key
        self._clock = clock

    def issue(self, purpose: str, about: str) -> str:
        """A nonce for a form: 32 characters of URL-safe base64."""
        at = _TIME.pack(self._clock.now().timestamp())
        return base64.urlsafe_b64encode(at + self._mac(at, purpose, about)).decode()

    def again(self, nonce: str, purpose: str, about: str) -> str:
        """``nonce`` while it holds, else a new one, for a form that is shown once more.

        Whoever pressed the button too soon need not wait from the beginning.
        """
        if self.holds(nonce, purpose, about, youngest_s=0):
            return nonce
        return self.issue(purpose, about)

    def holds(
        self, nonce: str, purpose: str, about: str, *, youngest_s: float = _FASTEST_S
    ) -> bool:
        """Whether we issued ``nonce`` for this, within a day, and ``youngest_s`` seconds ago.

        By default as a person fills in a form: no sooner than two seconds after its page was
        loaded.
        """
        age = self.age(nonce, purpose, about)
        if age is None:
            return False
        # A clock that was set back makes a form look as if it came from the future.
        return youngest_s <= age <= _A_DAY_S or -_SET_BACK_S <= age < 0

    def age(self, nonce: str, purpose: str, about: str) -> float | None:
        """How many seconds ago we issued ``nonce`` for this; None: we did not."""
        try:
            data = base64.b64decode(nonce.encode("ascii"), altchars=b"-_", validate=True)
        except ValueError:
            return None
        at, mac = data[: _TIME.size], data[_TIME.size :]
        if len(at) != _TIME.size or not hmac.compare_digest(mac, self._mac(at, purpose, about)):
            return None
        (issued,) = _TIME.unpack(at)
        return self._clock.now().timestamp() - float(issued)

    def _mac(self, at: bytes, purpose: str, about: str) -> bytes:
        message = at + purpose.encode() + b"\0" + about.encode()
        return hmac.digest(self._key, message, "sha256")[:_MAC_BYTES]
