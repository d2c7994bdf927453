"""Webhooks of providers: sealed as they came, and nothing else kept.

``POST /hooks/PROVIDER/KEY``. The server cannot verify a signature, since it knows no
secret of a provider; the officer's machine does. What it checks is the key in the
address, so that a stranger writes nothing, and how much was written, so that one who
learned the key cannot fill the disk.
"""

from __future__ import annotations

import base64
import hmac

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from newsletter.clock import Clock
from newsletter.config import SIGNATURE_HEADERS
from newsletter.web.bundle import Bundle
from newsletter.web.events import PublicEvents
from newsletter.web.forms import read_body
from newsletter.web.log import PublicLog
from newsletter.web.seal import ENTRY_BYTES, sealed_length, webhook_size

MOST_BODY = 1_000_000
"""Bytes of a webhook; SendGrid's, the largest, have 768 KB."""
MOST_A_DAY, MOST_IN_ALL = 500_000_000, 2_000_000_000
"""Bytes of boxes that are written in a day, and that the log holds together."""
_LOOK_AGAIN_S = 600.0
_LONGEST_HEADER = 2_000
_SECONDS_A_DAY = 86_400
_HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


def webhook_routes(
    log: PublicLog, bundle: Bundle, events: PublicEvents, clock: Clock
) -> list[Route]:
    """The routes, for an application that answers readers as well; none if it takes no webhooks.

    Args:
        log: the public log.
        bundle: names the providers, and holds the key in their address.
        events: the way into the log.
        clock: tells the day.
    """
    if bundle.webhook_key is None or not bundle.webhooks:
        return []
    key, providers, room = bundle.webhook_key.hex(), frozenset(bundle.webhooks), _Room(log, clock)

    async def take(request: Request) -> Response:
        provider = request.path_params["provider"]
        given = request.path_params["key"]
        same = hmac.compare_digest(given.encode(), key.encode())
        if not same or provider not in providers:
            raise HTTPException(404)
        content = {
            "kind": "webhook",
            "provider": provider,
            "headers": {
                name: request.headers[name][:_LONGEST_HEADER]
                for name in SIGNATURE_HEADERS.get(provider, ())
                if name in request.headers
            },
            "body": base64.b64encode(await read_body(request, MOST_BODY)).decode(),
        }
        # The time and version that are added take less than this.
        size = webhook_size({**content, "room": "0" * 40})
        if not await room.takes(sealed_length(size)):
            return Response(status_code=503, headers={**_HEADERS, "Retry-After": "3600"})
        await events.add(content, size=size)
        return Response(status_code=200, headers=_HEADERS)

    return [Route("/hooks/{provider}/{key}", take, methods=["POST"])]


class _Room:
    """How much of the log webhooks may still fill. Counted by the process, and in the log."""

    def __init__(self, log: PublicLog, clock: Clock) -> None:
        self._log = log
        self._clock = clock
        self._by_day: dict[int, int] | None = None
        self._looked_at = 0.0

    async def takes(self, length: int) -> bool:
        """Count a box of ``length`` bytes, and say whether there is room for it.

        Raises:
            LogUnwritable: the log cannot be read.
        """
        day = int(self._clock.now().timestamp() // _SECONDS_A_DAY)
        if self._by_day is None or not self._fits(day, length):
            await self._look()
        assert self._by_day is not None
        if not self._fits(day, length):
            return False
        self._by_day[day] = self._by_day.get(day, 0) + length
        return True

    def _fits(self, day: int, length: int) -> bool:
        known = self._by_day or {}
        return (
            known.get(day, 0) + length <= MOST_A_DAY and sum(known.values()) + length <= MOST_IN_ALL
        )

    async def _look(self) -> None:
        """Count anew, since entries leave the log; not again and again while it is full."""
        now = self._clock.monotonic()
        if self._by_day is not None and now - self._looked_at < _LOOK_AGAIN_S:
            return
        self._looked_at = now
        self._by_day = await run_in_threadpool(
            self._log.bytes_by_day, longer_than=sealed_length(ENTRY_BYTES)
        )
