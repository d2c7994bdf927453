"""Signing up: the form, and the mail that asks to confirm what it was given.

Whoever asks gets one and the same answer. What they typed is sealed to the officer's
key at once and travels in the mail's link; nothing of it is written down here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from newsletter.addresses import Address, AddressError
from newsletter.display_names import shortened
from newsletter.message.notice import Notice
from newsletter.render.public_pages import words_digest
from newsletter.web.confirm_links import message_name
from newsletter.web.confirmations import Confirmations
from newsletter.web.context import Context
from newsletter.web.forms import first, read_form
from newsletter.web.limits import RateLimit
from newsletter.web.seal import FORM_BYTES, seal
from newsletter.web.sign_up_limits import Cooldown

_PURPOSE, _ABOUT = "join", "form"
_EACH, _IN_ALL = 6, 60
"""Sign-ups that a network, and all together, may ask for in a minute."""
_LONGEST_NAME = 100
_PAGE = re.compile(r"[A-Za-z0-9./_-]{1,60}", re.ASCII)
_OWN_PAGE = "subscribe"
_UNSEEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class _Typed:
    """What somebody typed."""

    address: str
    name: str
    language: str
    topics: tuple[str, ...]
    page: str
    agrees: bool

    @property
    def parsed(self) -> Address | None:
        """The address; None if it is none."""
        try:
            return Address.parse(self.address)
        except AddressError:
            return None


class SigningUp:
    """The form.

    Args:
        context: of the server.
        confirmations: sends the mails that ask to confirm.
    """

    def __init__(self, context: Context, confirmations: Confirmations) -> None:
        self._answers, self._pages = context.answers, context.answers.pages
        self._events, self._nonces = context.events, context.nonces
        self._links, self._breaker = context.links, context.breaker
        self._bundle, self._clock = context.bundle, context.clock
        self._confirmations = confirmations
        self._cooldown = Cooldown(context.clock)
        self._limit = RateLimit(each=_EACH, total=_IN_ALL, clock=context.clock)

    async def form(self, request: Request) -> Response:
        """The page with the form, and what its button does."""
        if self._breaker.is_closed:
            return self._answers.page(request, "closed", status=503)
        language = self._answers.language_of(request)
        if request.method != "POST":
            return self._show(request, _Typed("", "", language, (), _OWN_PAGE, agrees=False))
        fields = await read_form(request)
        typed = self._typed(fields, language)
        if first(fields, "website"):
            return self._answers.page(request, "asked")
        nonce = first(fields, "nonce")
        if not self._nonces.holds(nonce, _PURPOSE, _ABOUT):
            # From another site's form, too quick or too old: nobody ticked our words yet.
            return self._show(request, typed, nonce)
        address = typed.parsed
        if address is None or not typed.agrees:
            return self._show(request, typed, nonce, wrong=True)
        if not self._limit.allows(request.client.host if request.client else None):
            return self._answers.page(request, "unavailable", status=429)
        return await self._ask(request, typed, address)

    async def _ask(self, request: Request, typed: _Typed, address: Address) -> Response:
        box = self._sealed(typed, address)
        if not self._cooldown.allows(address):
            return self._answers.page(request, "asked")
        if not self._confirmations.add(self._mail(box, typed.language, address)):
            self._cooldown.take_back(address)
            return self._answers.page(request, "unavailable", status=503)
        if (misused := self._breaker.asked()) is not None:
            asked, confirmed = misused
            await self._events.add({"kind": "breaker", "asked": asked, "confirmed": confirmed})
        return self._answers.page(request, "asked")

    def _sealed(self, typed: _Typed, address: Address) -> bytes:
        """What the officer's machine learns of it; a name that does not fit is cut.

        With the longest addresses that there are, so many topics may not fit either: then
        they get everything, until they choose again.
        """
        content: dict[str, Any] = {
            "v": 1,
            "kind": "signup",
            "address": str(address),
            "language": typed.language,
            "topics": typed.topics,
            "page": typed.page,
            "form_at": round(self._clock.now().timestamp(), 3),
            "wording": words_digest(self._pages.consent(typed.language)),
            "mail": self._pages.notice("confirm", typed.language).digest,
        }
        shorter: list[dict[str, Any]] = [{"name": name} for name in _ever_shorter(typed.name)]
        for less in (*shorter, {"name": "", "topics": ()}):
            try:
                known = self._bundle
                return seal({**content, **less}, known.box, known.box_number, size=FORM_BYTES)
            except ValueError:
                continue
        raise AssertionError("an address of 254 octets, and what goes with it, fits")

    def _mail(self, box: bytes, language: str, address: Address) -> Notice:
        url = f"{self._bundle.url}/confirm/{self._links.make(box)}?lang={language}"
        words = self._pages.notice("confirm", language).with_link(url)
        sender = self._confirmations
        return Notice(
            sender_name=self._pages.list_name_in(language),
            envelope_from=sender.sender,
            envelope_to=address,
            subject=words.subject,
            text=words.text,
            html=words.html,
            language=language,
            message_id=f"<{message_name(box)}@{sender.domain}>",
            date=self._clock.now(),
        )

    def _typed(self, fields: dict[str, list[str]], language: str) -> _Typed:
        def line(key: str, longest: int) -> str:
            return " ".join(_UNSEEN.sub(" ", first(fields, key)[: 4 * longest]).split())

        chosen, page = first(fields, "language"), first(fields, "page")
        return _Typed(
            # Never cut: what is left could be somebody else's.
            address=first(fields, "address").strip(),
            name=shortened(line("name", _LONGEST_NAME), _LONGEST_NAME),
            language=chosen if chosen in self._pages.languages else language,
            topics=tuple(t for t in self._pages.topics if t in fields.get("topic", [])),
            page=page if _PAGE.fullmatch(page) else _OWN_PAGE,
            agrees=fields.get("consent") == ["yes"],
        )

    def _show(
        self, request: Request, typed: _Typed, nonce: str = "", *, wrong: bool = False
    ) -> Response:
        """The form with what was typed; ``wrong``: and with what is amiss in it."""
        no_address = wrong and typed.parsed is None
        not_agreed = wrong and not typed.agrees
        too_soon = not wrong and self._nonces.age(nonce, _PURPOSE, _ABOUT) is not None
        chosen = [f"topic-{topic}" for topic in typed.topics]
        return self._answers.page(
            request,
            "join",
            status=422 if wrong else 200,
            again=too_soon,
            nonce=self._nonces.again(nonce, _PURPOSE, _ABOUT),
            page=typed.page,
            address=typed.address,
            name=typed.name,
            right="" if wrong else "hidden",
            consent="checked" if typed.agrees else "",
            **{f"language-{typed.language.lower()}": "selected"},
            **dict.fromkeys(chosen, "checked"),
            **_marks("address", wrong=no_address, first=True),
            **_marks("consent", wrong=not_agreed, first=not no_address),
        )


def _marks(field: str, *, wrong: bool, first: bool) -> dict[str, str]:
    """What ties a field to the sentence about it, if there is something to say."""
    return {
        f"{field}_right": "" if wrong else "hidden",
        f"{field}_invalid": "true" if wrong else "false",
        f"{field}_described": f"{field}-wrong" if wrong else "",
        f"{field}_focus": "autofocus" if wrong and first else "",
    }


def _ever_shorter(name: str) -> Iterable[str]:
    length = len(name)
    while length:
        yield shortened(name, length)
        length = length * 3 // 4
    yield ""
