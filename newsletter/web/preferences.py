"""The page on which a reader changes what they get: language, topics, a pause.

The server knows no reader, so every control starts at “as it is”, and only what was
changed is written. Changing ends some weeks after the mail went out, since a mail may
be forwarded; leaving never does (docs/preferences.md).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from newsletter.message.tokens import Purpose, Token
from newsletter.web.context import Context
from newsletter.web.events import Changed, OfToday
from newsletter.web.forms import read_form

_CHANGE_DAYS = 30
"""How long after its mail was composed a link may change something."""
_LONGEST_PAUSE_DAYS = 731
_MOST_A_DAY = 30
"""Changes by a reader's links; a reader needs a few, a program that repeats forms any number."""
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_ANSWERS = {"": None, "yes": True, "no": False}


class _WrongForm(Exception):
    """The form holds what ours cannot."""


class _WrongDay(Exception):
    """The pause's day is no day that a pause may end on."""


class PreferencePage:
    """The page, and what its form does."""

    def __init__(self, context: Context) -> None:
        self._answers, self._events = context.answers, context.events
        self._tokens, self._nonces = context.tokens, context.nonces
        self._clock = context.clock
        self._recent = OfToday[Changed](context.clock)

    async def page(self, request: Request) -> Response:
        """The link in a mail's text."""
        text = self._tokens.text_of(request)
        # Links that may only leave are answered as well: they lead to where that is done.
        token = self._tokens.read(text, Purpose.PREFERENCES, Purpose.PAGE, Purpose.HEADER)
        if token is None:
            return self._answers.page(request, "broken", status=404)
        if token.inert:
            return self._answers.page(request, "proof")
        if not self._may_change(token):
            status = 403 if request.method == "POST" else 200
            return self._answers.page(
                request, "stale", status=status, leave=self._leave(request, text)
            )
        if request.method != "POST":
            return self._ask(request, text, {})
        return await self._save(request, text, token)

    def _may_change(self, token: Token) -> bool:
        age = self._clock.now().timestamp() / 60 - token.minute
        return token.purpose is Purpose.PREFERENCES and age <= _CHANGE_DAYS * 24 * 60

    def _leave(self, request: Request, text: str) -> str:
        return f"../leave/{text}?lang={self._answers.language_of(request)}"

    def _ask(
        self, request: Request, text: str, chosen: Mapping[str, str], *, wrong: bool = False
    ) -> Response:
        """The form with what was chosen; ``wrong``: the day is not one."""
        nonce = chosen.get("nonce", "")
        today = self._clock.now().date()
        marks = {
            f"{name}-{value}".lower(): "selected" if name == "language" else "checked"
            for name, value in chosen.items()
            if name.startswith(("topic-", "language", "resume"))
        }
        return self._answers.page(
            request,
            "choose_wrong" if wrong else "choose",
            status=400 if wrong else 200,
            again=not wrong and self._nonces.age(nonce, "choose", text) is not None,
            nonce=self._nonces.again(nonce, "choose", text),
            leave=self._leave(request, text),
            first=(today + timedelta(days=1)).isoformat(),
            last=(today + timedelta(days=_LONGEST_PAUSE_DAYS)).isoformat(),
            pause=chosen.get("pause", "")[:20],
            **marks,
        )

    async def _save(self, request: Request, text: str, token: Token) -> Response:
        fields = {name: values[-1] for name, values in (await read_form(request)).items()}
        nonce = fields.get("nonce", "")
        if not self._nonces.holds(nonce, "choose", text):
            # A form that is too old, too quick or not ours: the question stands again.
            return self._ask(request, text, fields)
        try:
            changes = self._changes(fields)
        except _WrongForm:
            return self._answers.page(request, "broken", status=400)
        except _WrongDay:
            return self._ask(request, text, fields, wrong=True)
        if not changes:
            return self._answers.page(request, "unchanged")
        return await self._write(request, text, token, changes)

    async def _write(
        self, request: Request, text: str, token: Token, changes: Mapping[str, Any]
    ) -> Response:
        # A reader's, whose links are many; of one that is not verified anybody could be meant.
        reader = token.address_tag.hex() if token.verified else text
        recent = self._recent.find(reader) or self._recent.note(reader, Changed())
        told = json.dumps(changes, sort_keys=True)
        whose = {"tag" if token.verified else "token": reader}
        content = {"kind": "preferences", **whose, "changes": changes}
        if told == recent.last:
            await self._events.add(content, recent.id)  # the log may have been replaced since
            return self._answers.page(request, "saved")
        if recent.number >= _MOST_A_DAY:
            return self._answers.page(request, "unavailable", status=429)
        if not token.verified:
            self._tokens.count(request)
        # Counted before it is on disk, so that many at once are counted as well.
        recent.number, recent.last = recent.number + 1, ""
        recent.id, recent.last = await self._events.add(content), told
        return self._answers.page(request, "saved")

    def _changes(self, fields: Mapping[str, str]) -> dict[str, Any]:
        """What of the form was changed.

        Raises:
            _WrongForm: it holds what our page does not offer.
            _WrongDay: a pause cannot end on that day.
        """
        changes: dict[str, Any] = {}
        language = fields.get("language", "")
        if language:
            if language not in self._answers.pages.languages:
                raise _WrongForm
            changes["language"] = language
        topics = {
            name.removeprefix("topic-"): value
            for name, value in fields.items()
            if name.startswith("topic-")
        }
        if not {*topics} <= {*self._answers.pages.topics} or not {*topics.values()} <= {*_ANSWERS}:
            raise _WrongForm
        if wanted := {name: _ANSWERS[value] for name, value in topics.items() if value}:
            changes["topics"] = wanted
        if fields.get("pause", "").strip():
            changes["pause"] = self._day(fields["pause"].strip()).isoformat()
        elif fields.get("resume"):
            changes["pause"] = ""
        return changes

    def _day(self, text: str) -> date:
        try:
            day = date.fromisoformat(text) if _DAY.fullmatch(text) else date.min
        except ValueError:
            day = date.min
        if not 0 < (day - self._clock.now().date()).days <= _LONGEST_PAUSE_DAYS:
            raise _WrongDay
        return day
