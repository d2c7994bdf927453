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

from newsletter.clock import Clock
from newsletter.message.tokens import Purpose, claimed_address_tag, claims_purpose
from newsletter.web.answers import Answers
from newsletter.web.confirm_links import ConfirmLinks
from newsletter.web.events import PublicEvents, RecentEvents
from newsletter.web.forms import Nonces, read_form
from newsletter.web.limits import RateLimit
from newsletter.web.sign_up_limits import FormBreaker
from newsletter.web.tokens import TokenReader

_PURPOSE = "confirm"
_RETURNS_EACH, _RETURNS_IN_ALL = 20, 200
"""Returns, which anybody can invent, that a network and all together may send in a minute."""


class Confirming:
    """The page, and what its button does.

    Args:
        answers: makes the pages.
        events: where a confirmation is written.
        links: reads a sign-up's link.
        breaker: hears of each that was confirmed.
        nonces: tie a form to its page.
        clock: tells the time.
        on_return: told the address tag in the link by which somebody came back.
    """

    def __init__(
        self,
        answers: Answers,
        events: PublicEvents,
        *,
        on_return: Callable[[bytes], None],
        links: ConfirmLinks,
        breaker: FormBreaker,
        nonces: Nonces,
        clock: Clock,
    ) -> None:
        self._answers = answers
        self._links = links
        self._breaker = breaker
        self._nonces = nonces
        self._clock = clock
        self._on_return = on_return
        self._recent = RecentEvents(events, clock)
        self._returns = RateLimit(each=_RETURNS_EACH, total=_RETURNS_IN_ALL, clock=clock)

    async def page(self, request: Request) -> Response:
        """The link's page, and what its button does."""
        text = TokenReader.text_of(request)
        event = self._event(text)
        if isinstance(event, str):
            return self._answers.page(request, event, status=410 if event == "expired" else 404)
        if request.method != "POST":
            return self._show(request, text)
        fields = await read_form(request)
        nonce = fields.get("nonce", [""])[0]
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
        again = self._nonces.again(nonce, _PURPOSE, text)
        return self._answers.page(request, "confirm", nonce=again)

    async def _confirm(self, request: Request, text: str, event: dict[str, Any]) -> Response:
        if self._recent.find(text) is None:
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
