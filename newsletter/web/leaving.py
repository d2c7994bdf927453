"""Leaving: the address in the header, and the pages behind the link in a mail's text.

The header's address takes a POST as it comes (RFC 8058 section 3.1). A link in a
text is opened, and its buttons pressed, by programs that look for malware; so the
page asks, and asks twice while a mail is fresh (docs/unsubscribe.md).
"""

from __future__ import annotations

import json

from starlette.requests import Request
from starlette.responses import Response

from newsletter.message.tokens import Purpose, Token
from newsletter.web.context import Context
from newsletter.web.events import Changed, OfToday, RecentEvents
from newsletter.web.forms import TooLarge, first, read_form

_FRESH_MINUTES = 120
"""So long after it was composed a mail's page asks twice: an hour, and one in which the server's
clock may be ahead of the laptop's."""
_REASONS = frozenset({"often", "useless", "unasked", "unsafe", "other"})
_MOST_WORDS, _MOST_WORD_BYTES = 500, 900
"""Of a reason, in characters and as JSON: with the rest it fits into an entry's box."""
_MOST_UNDOS = 10
"""By one link within a day; a program that leaves and undoes could fill the disk."""
_LEFT = "You have left. You get no more mail from this list.\n"
_OF_PAGES = (Purpose.HEADER, Purpose.PAGE, Purpose.PREFERENCES)
"""The tokens with which a page may be asked to leave."""
_FORMS = ("leave", "sure", "undo", "undo_ticked", "reason")
"""What our pages issue nonces for."""
_MOST_UNREAD = 65_536


class Leaving:
    """The two ways to leave, undo and reason."""

    def __init__(self, context: Context) -> None:
        self._answers, self._events = context.answers, context.events
        self._tokens, self._nonces = context.tokens, context.nonces
        self._clock = context.clock
        self._recent = RecentEvents(context.events, context.clock)
        self._undone = OfToday[Changed](context.clock)
        self._returned = OfToday[int](context.clock)

    async def header(self, request: Request) -> Response:
        """The address of the header List-Unsubscribe: any POST leaves, GET shows the page."""
        text = self._tokens.text_of(request)
        if request.method != "POST":
            return await self._show(request, text, action=f"{request.scope['top']}leave/{text}")
        await _drain(request)
        return await self._leave_at_once(request, text)

    async def page(self, request: Request) -> Response:
        """The link in a mail's text: a page that asks."""
        text = self._tokens.text_of(request)
        if request.method != "POST":
            return await self._show(request, text)
        return await self._step(request, text, await read_form(request))

    async def single(self, request: Request) -> Response:
        """One address for both, as [list] unsubscribe_url has it.

        A POST leaves as at the header's address, unless it is the form of a page of ours, as its
        nonce proves: mail programs may send fields of any name.
        """
        text = self._tokens.text_of(request)
        if request.method != "POST":
            return await self._show(request, text)
        try:
            fields = await read_form(request)
        except TooLarge:
            await _drain(request)
            fields = {}
        if self._tokens.read(text, Purpose.HEADER) is None or self._is_ours(text, fields):
            return await self._step(request, text, fields)
        return await self._leave_at_once(request, text)

    def came_back(self, address_tag: bytes) -> None:
        """A reader confirmed that they are back: from now on a link of theirs leaves anew."""
        reader = address_tag.hex()
        self._returned.note(reader, 1 + (self._returned.find(reader) or 0))

    def _left_by(self, text: str, token: Token) -> str:
        """What names a reader's leave by a link, from one return of theirs to the next."""
        return f"{text} {self._returned.find(token.address_tag.hex()) or 0}"

    def _is_ours(self, text: str, fields: dict[str, list[str]]) -> bool:
        """Whether a page of ours issued this form, however long ago."""
        id_, _, mark = first(fields, "nonce").rpartition(".")
        about = f"{text} {id_}" if id_ else text
        return any(self._nonces.age(mark, purpose, about) is not None for purpose in _FORMS)

    async def _show(
        self,
        request: Request,
        text: str,
        *,
        action: str | None = None,
        nonce: str = "",
        again: bool = False,
    ) -> Response:
        token = self._tokens.read(text, *_OF_PAGES)
        if token is None:
            return self._answers.page(request, "broken", status=404)
        if token.inert:
            return self._answers.page(request, "proof")
        if self._recent.holds(self._left_by(text, token)):
            left = await self._leave(request, text, token, "page")
            # A program that opens links must not find a button to undo; so a box goes with it,
            # and while the mail is fresh there is none.
            page = "left_before" if self._asks_twice(token) else "left_again"
            return self._say_left(request, text, left, page, action)
        return self._answers.page(
            request,
            "leave",
            action=action,
            nonce=self._nonces.again(nonce, "leave", text),
            again=again,
        )

    async def _leave_at_once(self, request: Request, text: str) -> Response:
        token = self._tokens.read(text, Purpose.HEADER)
        if token is None:
            return self._answers.text("This link does not work.\n", status=400)
        if token.inert:
            return self._answers.text("This link belongs to a proof. Nobody has left.\n")
        await self._leave(request, text, token, "header")
        return self._answers.text(_LEFT)

    async def _step(self, request: Request, text: str, fields: dict[str, list[str]]) -> Response:
        token = self._tokens.read(text, *_OF_PAGES)
        if token is None:
            return self._answers.page(request, "broken", status=400)
        if token.inert:
            return self._answers.page(request, "proof")
        do, nonce = first(fields, "do"), first(fields, "nonce")
        if do == "undo":
            return await self._undo(request, text, token, fields)
        if do == "reason":
            return await self._reason(request, text, token, fields)
        fits = self._nonces.holds(nonce, do, text)
        if do == "sure" and fields.get("sure") == ["yes"] and fits:
            return await self._leave_by_page(request, text, token)
        if do == "leave" and fits:
            if not self._asks_twice(token):
                return await self._leave_by_page(request, text, token)
            return self._answers.page(request, "sure", nonce=self._nonces.issue("sure", text))
        if do == "sure" and self._nonces.holds(nonce, "sure", text, youngest_s=0):
            return self._answers.page(request, "sure", nonce=nonce, again=not fits)
        # A form that is too old, too quick or not ours: the question stands again.
        again = self._nonces.age(nonce, do, text) is not None
        return await self._show(request, text, nonce=nonce if do == "leave" else "", again=again)

    async def _leave_by_page(self, request: Request, text: str, token: Token) -> Response:
        # Whoever kept a form from before the leave must not get a button that undoes it.
        page = "left_again" if self._recent.holds(self._left_by(text, token)) else "left"
        id_ = await self._leave(request, text, token, "page")
        return self._say_left(request, text, id_, page)

    def _asks_twice(self, token: Token) -> bool:
        now = self._clock.now().timestamp() / 60
        return token.version == 1 or not token.verified or now - token.minute < _FRESH_MINUTES

    async def _leave(self, request: Request, text: str, token: Token, road: str) -> str:
        """Write a leave down; once a day for a token, unless its reader came back since.

        Returns:
            The event's id, hexadecimal, once it is on disk.

        Raises:
            LogUnwritable: it is not on disk.
            TooMany: it is not verified, and there were many.
        """
        key = self._left_by(text, token)
        if not token.verified:
            if not self._recent.holds(key):
                self._tokens.count(request)
            return await self._recent.once(key, {"kind": "token", "token": text, "road": road})
        content = {
            "kind": "leave",
            "tag": token.address_tag.hex(),
            "campaign": token.campaign_tag.hex(),
            "road": road,
        }
        return await self._recent.once(key, content)

    def _say_left(
        self,
        request: Request,
        text: str,
        id_: str,
        page: str = "left",
        action: str | None = None,
    ) -> Response:
        purpose = "undo" if page == "left" else "undo_ticked"
        undo = f"{id_}.{self._nonces.issue(purpose, f'{text} {id_}')}"
        return self._answers.page(
            request, page, action=action, nonce=self._nonces.issue("reason", text), undo=undo
        )

    async def _undo(
        self, request: Request, text: str, token: Token, fields: dict[str, list[str]]
    ) -> Response:
        id_, _, mark = first(fields, "nonce").partition(".")
        about = f"{text} {id_}"
        purpose = "undo_ticked" if fields.get("sure") == ["yes"] else "undo"
        if self._nonces.holds(mark, purpose, about, youngest_s=0):
            key = self._left_by(text, token)
            if self._recent.holds(key):
                left = await self._leave(request, text, token, "page")
                if left != id_:
                    # They left again since.
                    return self._say_left(request, text, left, "left_again")
            changed = self._undone.find(text) or self._undone.note(text, Changed())
            content = {"kind": "undo", "leave": id_}
            if changed.last == id_:
                await self._events.add(content, changed.id)  # the log may have been replaced since
            else:
                if changed.number >= _MOST_UNDOS:
                    return self._answers.page(request, "unavailable", status=429)
                # Counted before it is on disk, so that many at once are counted as well.
                changed.number, changed.last = changed.number + 1, ""
                changed.id, changed.last = await self._events.add(content), id_
            self._recent.forget(key)
            return self._answers.page(request, "undone")
        if self._nonces.age(mark, purpose, about) is not None:
            return self._answers.page(request, "too_late")
        return await self._show(request, text)

    async def _reason(
        self, request: Request, text: str, token: Token, fields: dict[str, list[str]]
    ) -> Response:
        if not self._nonces.holds(first(fields, "nonce"), "reason", text, youngest_s=0):
            return await self._show(request, text)
        reason = first(fields, "reason")
        words = _fitting(first(fields, "words").strip()[:_MOST_WORDS])
        if reason in _REASONS or words:
            # Neither the leave nor the person is named, so that the two stay apart.
            content = {
                "kind": "reason",
                "campaign": token.campaign_tag.hex(),
                "reason": reason if reason in _REASONS else "other",
                "words": words,
            }
            await self._recent.once(f"reason {text}", content)
        return self._answers.page(request, "thanks")


def _fitting(words: str) -> str:
    """As much of the beginning as an entry's box takes."""
    while len(json.dumps(words, ensure_ascii=False).encode()) > _MOST_WORD_BYTES:
        words = words[: len(words) * 9 // 10]
    return words


async def _drain(request: Request) -> None:
    """Read what a mail program sends, as far as it is worth the while."""
    read = 0
    async for chunk in request.stream():
        read += len(chunk)
        if read > _MOST_UNREAD:
            return
