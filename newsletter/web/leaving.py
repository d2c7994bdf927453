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
from newsletter.web.events import Changed, RecentChanges, RecentEvents
from newsletter.web.forms import TooLarge, read_form

_FRESH_MINUTES = 60
"""So long after it was composed a mail's page asks twice."""
_REASONS = frozenset({"often", "useless", "unasked", "unsafe", "other"})
_MOST_WORDS, _MOST_WORD_BYTES = 500, 900
"""Of a reason, in characters and as JSON: with the rest it fits into an entry's box."""
_MOST_UNDOS = 10
"""By one link within a day; a program that leaves and undoes could fill the disk."""
_LEFT = "You have left. You get no more mail from this list.\n"
_OF_PAGES = (Purpose.HEADER, Purpose.PAGE, Purpose.PREFERENCES)
"""The tokens with which a page may be asked to leave."""
_MOST_UNREAD = 65_536


class Leaving:
    """The two ways to leave, undo and reason."""

    def __init__(self, context: Context) -> None:
        self._answers, self._events = context.answers, context.events
        self._tokens, self._nonces = context.tokens, context.nonces
        self._clock = context.clock
        self._recent = RecentEvents(context.events, context.clock)
        self._undone = RecentChanges(context.clock)
        self._returned = RecentChanges(context.clock)

    async def header(self, request: Request) -> Response:
        """The address of the header List-Unsubscribe: any POST leaves, GET shows the page."""
        text = self._tokens.text_of(request)
        if request.method != "POST":
            return await self._show(request, text, action=f"../leave/{text}")
        await _drain(request)
        return await self._leave_at_once(request, text)

    async def page(self, request: Request) -> Response:
        """The link in a mail's text: a page that asks."""
        text = self._tokens.text_of(request)
        if request.method != "POST":
            return await self._show(request, text)
        return await self._step(request, text, await read_form(request))

    async def single(self, request: Request) -> Response:
        """One address for both, as [list] unsubscribe_url has it: the token tells which it is."""
        text = self._tokens.text_of(request)
        if request.method != "POST":
            return await self._show(request, text)
        try:
            fields = await read_form(request)
        except TooLarge:
            await _drain(request)
            fields = {}
        if "do" not in fields and self._tokens.read(text, Purpose.HEADER) is not None:
            return await self._leave_at_once(request, text)
        return await self._step(request, text, fields)

    def came_back(self, address_tag: bytes) -> None:
        """A reader confirmed that they are back: from now on a link of theirs leaves anew."""
        reader = address_tag.hex()
        known = self._returned.find(reader)
        self._returned.note(reader, Changed(known.since, known.number + 1, ""))

    def _left_by(self, text: str, token: Token) -> str:
        """What names a reader's leave by a link, from one return of theirs to the next."""
        return f"{text} {self._returned.find(token.address_tag.hex()).number}"

    async def _show(
        self, request: Request, text: str, action: str | None = None, nonce: str = ""
    ) -> Response:
        token = self._tokens.read(text, *_OF_PAGES)
        if token is None:
            return self._answers.page(request, "broken", status=404)
        if token.inert:
            return self._answers.page(request, "proof")
        if (left := self._recent.find(self._left_by(text, token))) is not None:
            # A program that opens links while the mail is fresh must not find a button to undo.
            page = "left_before" if self._asks_twice(token) else "left"
            return self._say_left(request, text, await left, page)
        again = self._nonces.again(nonce, "leave", text)
        return self._answers.page(request, "leave", action=action, nonce=again)

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
        do, nonce = fields.get("do", [""])[0], fields.get("nonce", [""])[0]
        if do == "undo":
            return await self._undo(request, text, token, nonce)
        if do == "reason":
            return await self._reason(request, text, token, fields)
        fits = self._nonces.holds(nonce, do, text)
        if do == "sure" and fields.get("sure") == ["yes"] and fits:
            return self._say_left(request, text, await self._leave(request, text, token, "page"))
        if do == "leave" and fits:
            if not self._asks_twice(token):
                id_ = await self._leave(request, text, token, "page")
                return self._say_left(request, text, id_)
            return self._answers.page(request, "sure", nonce=self._nonces.issue("sure", text))
        if do == "sure" and self._nonces.holds(nonce, "sure", text, youngest_s=0):
            return self._answers.page(request, "sure", nonce=nonce)
        # A form that is too old, too quick or not ours: the question stands again.
        return await self._show(request, text, nonce=nonce if do == "leave" else "")

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
            if self._recent.find(key) is None:
                self._tokens.count(request)
            return await self._recent.once(key, {"kind": "token", "token": text, "road": road})
        content = {
            "kind": "leave",
            "tag": token.address_tag.hex(),
            "campaign": token.campaign_tag.hex(),
            "road": road,
        }
        return await self._recent.once(key, content)

    def _say_left(self, request: Request, text: str, id_: str, page: str = "left") -> Response:
        undo = f"{id_}.{self._nonces.issue('undo', f'{text} {id_}')}"
        return self._answers.page(
            request, page, nonce=self._nonces.issue("reason", text), undo=undo
        )

    async def _undo(self, request: Request, text: str, token: Token, nonce: str) -> Response:
        id_, _, mark = nonce.partition(".")
        about = f"{text} {id_}"
        if self._nonces.holds(mark, "undo", about, youngest_s=0):
            key = self._left_by(text, token)
            if (left := self._recent.find(key)) is not None and await left != id_:
                return self._say_left(request, text, await left)  # they left again since
            changed = self._undone.find(text)
            if changed.last != id_:
                if changed.number >= _MOST_UNDOS:
                    return self._answers.page(request, "unavailable", status=429)
                # Counted before it is on disk, so that many at once are counted as well.
                self._undone.note(text, Changed(changed.since, changed.number + 1, ""))
                await self._events.add({"kind": "undo", "leave": id_})
                self._undone.find(text).last = id_
            self._recent.forget(key)
            return self._answers.page(request, "undone")
        if self._nonces.holds(mark, "undo", about, youngest_s=0, oldest_s=float("inf")):
            return self._answers.page(request, "too_late")
        return await self._show(request, text)

    async def _reason(
        self, request: Request, text: str, token: Token, fields: dict[str, list[str]]
    ) -> Response:
        nonce = fields.get("nonce", [""])[0]
        if not self._nonces.holds(nonce, "reason", text, youngest_s=0):
            return await self._show(request, text)
        reason = fields.get("reason", [""])[0]
        words = _fitting(fields.get("words", [""])[0].strip()[:_MOST_WORDS])
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
