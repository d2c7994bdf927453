"""The public log over HTTP, for the officer's machine alone.

``GET /log?after=SEQ&most=N`` gives entries, ``POST /log/synced`` tells how far they
were read, after which old ones leave. Both ask for ``Authorization: Bearer …`` (RFC
6750): a secret in hexadecimal, of which the server knows the SHA-256 alone.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from newsletter.bounded_json import JSONRefused, read_json
from newsletter.clock import Clock
from newsletter.errors import LedgerRefused
from newsletter.web.log import LARGEST_SEQ, MOST_ENTRIES, Page, PublicLog, forget_synced

_MOST_BODY = 1_000
"""Octets of a request."""
_MOST_DIGITS = len(str(LARGEST_SEQ))
_MOST_DAYS = 36_500
_HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


def sync_routes(log: PublicLog, bearer_hash: str, clock: Clock, *, secret: int = 0) -> list[Route]:
    """The routes, for an application that answers readers as well.

    Args:
        log: the public log.
        bearer_hash: SHA-256 of the bearer secret, hexadecimal; empty: nobody may read it.
        clock: tells the day, by which old entries leave.
        secret: the number of the newest secret whose keys the server has. Told to whoever is
            refused, since each mail's links show it: so they know which side is old.
    """

    def guarded(
        answer: Callable[[Request], Awaitable[Response]],
    ) -> Callable[[Request], Awaitable[Response]]:
        async def guarded_answer(request: Request) -> Response:
            if not _may_read(request, bearer_hash):
                headers = {"WWW-Authenticate": "Bearer"}
                words = "The bearer secret is missing or wrong."
                return _refusal(401, words, headers, secret=secret)
            try:
                return await answer(request)
            except LedgerRefused as error:
                return _refusal(503, error.what)

        return guarded_answer

    async def read(request: Request) -> Response:
        after = _number(request.query_params.get("after", "0"))
        most = _number(request.query_params.get("most", str(MOST_ENTRIES)))
        if after is None or most is None:
            return _refusal(400, "after and most must be whole numbers.")
        page = await run_in_threadpool(log.page, after, most)
        return JSONResponse(page_to_json(page), headers=_HEADERS)

    async def synced(request: Request) -> Response:
        asked = await _body(request)
        if asked is None:
            return _refusal(400, "The body must be JSON, as “newsletter sync” writes it.")
        seq, keep_days = asked
        await run_in_threadpool(forget_synced, log, seq, keep_days, clock)
        return Response(status_code=204, headers=_HEADERS)

    return [
        Route("/log", guarded(read), methods=["GET"]),
        Route("/log/synced", guarded(synced), methods=["POST"]),
    ]


def page_to_json(page: Page) -> dict[str, Any]:
    """A page as it travels."""
    return {
        "log_id": page.log_id,
        "first": page.first_kept,
        "last": page.last,
        "head": None if page.head is None else page.head.hex(),
        "secret": page.secret,
        "entries": [
            {
                "seq": entry.seq,
                "id": entry.id.hex(),
                "box": base64.b64encode(entry.box).decode(),
                "head": entry.head.hex(),
            }
            for entry in page.entries
        ],
    }


def _may_read(request: Request, bearer_hash: str) -> bool:
    scheme, _, secret = request.headers.get("authorization", "").partition(" ")
    try:
        given = hashlib.sha256(bytes.fromhex(secret)).hexdigest()
    except ValueError:
        return False
    # Not the secrets are compared but their hashes, and those in constant time.
    same = hmac.compare_digest(given, bearer_hash)
    return same and scheme.lower() == "bearer"


def _number(text: str) -> int | None:
    """A whole number from 0 on; None if it is none."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS else None


async def _body(request: Request) -> tuple[int, int] | None:
    """How far the log was read, and for how many days entries stay; None if it does not say so."""
    received = bytearray()
    async for chunk in request.stream():
        received += chunk
        if len(received) > _MOST_BODY:
            return None
    try:
        told = read_json(bytes(received))
    except JSONRefused:
        return None
    if not isinstance(told, dict):
        return None
    seq, days = told.get("seq"), told.get("keep_days")
    if type(seq) is not int or type(days) is not int:
        return None
    return max(0, min(seq, LARGEST_SEQ)), max(1, min(days, _MOST_DAYS))


def _refusal(
    status: int, words: str, headers: dict[str, str] | None = None, **more: int
) -> Response:
    return JSONResponse({"error": words, **more}, status, headers={**_HEADERS, **(headers or {})})
