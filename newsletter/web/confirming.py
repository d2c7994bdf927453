"""The link in a mail that asks to confirm: a page with one button, since programs open links.

A link is either a sign-up's, which this server made and checks, or one by which who
had left comes back, which only the officer's machine makes and checks.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from newsletter.message.tokens import Purpose, claimed_address_tag, claims_purpose
from newsletter.web.context import Context
from newsletter.web.events import RecentEvents
from newsletter.web.forms import first, read_form
from newsletter.web.limits import RateLimit
from newsletter.web.tokens import TokenReader

_PURPOSE = "confirm"
_RETURNS_EACH, _RETURNS_IN_ALL = 20, 200
"""Returns, which anybody can invent, that a network and all together may send in a minute."""


class Confirming:
    """The page, and what its button does.

    Args:
        context: of the server.
        on_return: told the address tag in the link by which somebody came back.
    """

    def __init__(self, context: Context, *, on_return: Callable[[bytes], None]) -> None:
        self._answers, self._nonces = context.answers, context.nonces
        self._links, self._breaker = context.links, context.breaker
        self._on_return = on_return
        self._recent = RecentEvents(context.events, context.clock)
        self._returns = RateLimit(each=_RETURNS_EACH, total=_RETURNS_IN_ALL, clock=context.clock)

    async def page(self, request: Request) -> Response:
        """The link's page, and what its button does."""
        text = TokenReader.text_of(request)
        event = self._event(text)
        if isinstance(event, str):
            return self._answers.page(request, event, status=410 if event == "expired" else 404)
        if request.method != "POST":
            return self._show(request, text)
        fields = await read_form(request)
        nonce = first(fields, "nonce")
        if not self._nonces.holds(nonce, _PURPOSE, text):
            return self._show(request, text, nonce)
        return await self._confirm(request, text, event)

    def _event(self, text: str) -> dict[str, Any] | str:
        """What a confirmation writes down; else the name of the page that says why not."""
        if claims_purpose(text, Purpose.RETURN):
            return {"kind": "return", "token": text}
        link = self._links.read(text)
        if link is None:
            return "broken"
        if link.expired:
            return "expired"
        return {"kind": "signup", "box": base64.b64encode(link.box).decode()}

    def _show(self, request: Request, text: str, nonce: str = "") -> Response:
        again = self._nonces.age(nonce, _PURPOSE, text) is not None
        nonce = self._nonces.again(nonce, _PURPOSE, text)
        return self._answers.page(request, "confirm", nonce=nonce, again=again)

    async def _confirm(self, request: Request, text: str, event: dict[str, Any]) -> Response:
        if not self._recent.holds(text):
            host = request.client.host if request.client else None
            if event["kind"] != "return":
                self._breaker.confirmed()
            elif not self._returns.allows(host):
                return self._answers.page(request, "unavailable", status=429)
        await self._recent.once(text, event)
        if event["kind"] == "return":
            self._on_return(claimed_address_tag(text))
            # Whether their sign-up is still there, the officer's machine alone knows.
            return self._answers.page(request, "returned")
        return self._answers.page(request, "confirmed")
