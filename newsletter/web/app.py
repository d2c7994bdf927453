"""The public side as an ASGI application: its routes, and what holds for all of them.

Nothing it answers depends on Host, scheme or the path's beginning: every link
and form leads to a relative address, so a proxy may change all three.
"""

from __future__ import annotations

import re
import urllib.parse
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Match, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send

from newsletter.clock import Clock, SystemClock
from newsletter.errors import LedgerRefused
from newsletter.render.public_pages import PublicPages
from newsletter.web.answers import Answers
from newsletter.web.bundle import Bundle
from newsletter.web.confirmations import Confirmations
from newsletter.web.confirming import Confirming
from newsletter.web.context import Context
from newsletter.web.forms import TooLarge
from newsletter.web.leaving import Leaving
from newsletter.web.log import LogUnwritable, PublicLog
from newsletter.web.preferences import PreferencePage
from newsletter.web.signing_up import SigningUp
from newsletter.web.sync_api import sync_routes
from newsletter.web.tokens import TooMany
from newsletter.web.webhooks import webhook_routes

_ARCHIVE_HEADERS = {
    # The pages bring a policy of their own; this one only adds to it.
    "Content-Security-Policy": "frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "cross-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
_METHODS = ["GET", "HEAD", "POST"]
_Page = Callable[[Request], Awaitable[Response]]


class _Paths:
    """Makes the path of a request what our routes expect.

    Takes off the public address's own path, which some proxies leave on, the origin of
    a request in absolute form (RFC 9112 3.2.2), and slashes too many. ``top`` in the scope
    leads from the address as the visitor has it to the public address.
    """

    def __init__(self, app: ASGIApp, prefix: str) -> None:
        self._app = app
        self._prefix = urllib.parse.unquote(prefix)
        self._seen_prefix = re.compile("^" + re.escape(prefix).replace("/", "/+") + "(?=/)")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            path = _SLASHES.sub("/", _ORIGIN.sub("", scope["path"]))
            if path.startswith(f"{self._prefix}/"):
                path = path.removeprefix(self._prefix)
            seen = _ORIGIN.sub("", scope.get("raw_path", b"").decode("latin-1"))
            depth = self._seen_prefix.sub("", seen, count=1).count("/") - 1
            scope = {**scope, "path": path, "top": "../" * depth}
        await self._app(scope, receive, send)


_ORIGIN = re.compile(r"https?://[^/]*", re.IGNORECASE)
_SLASHES = re.compile(r"/{2,}")


def create_app(
    bundle: Bundle,
    pages: PublicPages,
    log: PublicLog,
    *,
    confirmations: Confirmations | None = None,
    clock: Clock | None = None,
) -> Starlette:
    """The application, for uvicorn or any other ASGI server. One process serves a log.

    Args:
        bundle: what the server may know.
        pages: the bundle's, compiled.
        log: the public log; the caller closes it.
        confirmations: sends the mails of those who sign up; None: nobody can. The caller
            closes it.
        clock: tells the time.
    """
    clock = clock or SystemClock()
    with suppress(LogUnwritable):  # told by /health; the server answers all the same
        log.note_secret(bundle.box_number)
    context = Context.of(bundle, pages, log, clock)
    app = Starlette(
        routes=[
            *_readers_routes(context, confirmations),
            Route("/health", _health(context, log, confirmations), methods=["GET"]),
            *sync_routes(log, bundle.bearer_hash, clock, secret=bundle.box_number),
            *webhook_routes(log, bundle, context.events, clock),
        ],
        middleware=[Middleware(_Paths, prefix=bundle.path)],
        exception_handlers=_on_errors(context.answers),
    )
    # It would lead to the Host that was asked for, which a proxy may have changed.
    app.router.redirect_slashes = False
    return app


def _readers_routes(context: Context, confirmations: Confirmations | None) -> Sequence[BaseRoute]:
    """What readers and their mail programs ask for."""
    leaving, preferences = Leaving(context), PreferencePage(context)
    confirming = Confirming(context, on_return=leaving.came_back)
    signing_up = confirmations and SigningUp(context, confirmations)

    async def privacy(request: Request) -> Response:
        return context.answers.page(request, "privacy")

    return [
        *_token_routes("/1/{token}", leaving.header),
        *_token_routes("/leave/{token}", leaving.page),
        *_token_routes("/preferences/{token}", preferences.page),
        *([Route("/subscribe", signing_up.form, methods=_METHODS)] if signing_up else []),
        *_token_routes("/confirm/{token}", confirming.page),
        Route("/privacy", privacy, methods=["GET"]),
        *_single_route(context.bundle, leaving),
        *_archive(context.bundle),
        # Where no archive is: the form, or whose server it is.
        Route("/", signing_up.form if signing_up else privacy, methods=_METHODS),
    ]


def _token_routes(path: str, page: _Page) -> Sequence[Route]:
    """A link's address, also with the slash at its end that some programs add."""
    return [Route(path, page, methods=_METHODS), Route(f"{path}/", page, methods=_METHODS)]


def _health(context: Context, log: PublicLog, confirmations: Confirmations | None) -> _Page:
    """What a monitor asks for: whether the log can be read and took the latest entry."""
    answers = context.answers

    async def health(request: Request) -> Response:
        del request
        try:
            # It may have to wait while old entries leave, and nobody else must.
            await run_in_threadpool(log.page, 0, 0)
        except LedgerRefused:
            return answers.text("The log cannot be read.\n", status=503)
        if not context.events.writable:
            return answers.text("The log cannot be written.\n", status=503)
        # Leaving works all the same, so this is no reason to take the server out of service.
        said = ["ok"]
        if context.breaker.is_closed:
            said.append("The sign-up form has closed itself, since it was misused.")
        if confirmations and confirmations.trouble:
            said.append(f"Confirmations do not go out: {confirmations.trouble}")
        return answers.text("".join(f"{line}\n" for line in said))

    return health


def _on_errors(
    answers: Answers,
) -> Mapping[Any, Callable[[Request, Exception], Awaitable[Response]]]:
    """What is answered instead of an exception."""

    async def on_unwritable(request: Request, error: Exception) -> Response:
        del error
        return answers.page(request, "unavailable", status=503)

    async def on_too_large(request: Request, error: Exception) -> Response:
        del request, error
        answer = answers.text("That is too much for this form.\n", status=413)
        answer.headers["Connection"] = "close"  # else all the rest of it would be received
        return answer

    async def on_http_error(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        if error.status_code == 404:
            return answers.page(request, "broken", status=404)
        return answers.text(f"{error.detail}.\n", status=error.status_code)

    return {
        LogUnwritable: on_unwritable,
        TooMany: on_unwritable,
        TooLarge: on_too_large,
        HTTPException: on_http_error,
    }


def _single_route(bundle: Bundle, leaving: Leaving) -> Sequence[BaseRoute]:
    """The path of [list] unsubscribe_url, if it is set: the token stands in the path or query."""
    if bundle.unsubscribe_url is None:
        return []
    parts = urllib.parse.urlsplit(bundle.unsubscribe_url)
    path, prefix = (urllib.parse.unquote(each) for each in (parts.path, bundle.path))
    if path.startswith(f"{prefix}/"):
        path = path.removeprefix(prefix)
    if "{token}" in path:
        return _token_routes(path, leaving.single)
    fields = urllib.parse.parse_qsl(parts.query)
    return [_QueryRoute(path or "/", field, leaving) for field in fields if "{token}" in field[1]]


class _QueryRoute(Route):
    """An address whose query holds the token: a POST leaves, GET leads to the page that asks.

    Without the token it is no address of ours.
    """

    def __init__(self, path: str, field: tuple[str, str], leaving: Leaving) -> None:
        name, (before, _, behind) = field[0], field[1].partition("{token}")

        async def answer(request: Request) -> Response:
            text = request.query_params[name].removeprefix(before).removesuffix(behind)
            if request.method == "POST":
                request.scope["path_params"] = {"token": text}
                return await leaving.header(request)
            place = f"{request.scope['top']}leave/{urllib.parse.quote(text, safe='')}"
            return RedirectResponse(place, 302)

        self._name = name
        super().__init__(path.rstrip("/") or "/", answer, methods=_METHODS)

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Also whether the query holds the token."""
        if self._name in urllib.parse.parse_qs(scope.get("query_string", b"").decode("latin-1")):
            return super().matches({**scope, "path": scope["path"].rstrip("/") or "/"})
        return Match.NONE, {}


def _archive(bundle: Bundle) -> Sequence[BaseRoute]:
    """The archive and its feeds, if the bundle holds them."""
    if bundle.archive is None:
        return []
    path = bundle.archive_path.rstrip("/")
    files = Mount(bundle.archive_path, _Archive(bundle.archive, noindex=bundle.noindex))
    return [Route(path, _to_folder), files] if path else [files]


async def _to_folder(request: Request) -> Response:
    return RedirectResponse(f"{Path(request.url.path).name}/")


class _Archive(StaticFiles):
    """Past issues, as they were built. Mails in webmail show pictures from here."""

    def __init__(self, folder: Path, *, noindex: bool) -> None:
        super().__init__(directory=folder, html=True)
        # Pages say it themselves; pictures, PDFs and documents cannot.
        robots = {"X-Robots-Tag": "noindex"} if noindex else {}
        self._headers = {**_ARCHIVE_HEADERS, **robots}

    async def get_response(self, path: str, scope: Scope) -> Response:
        """A file; no hidden one, and no folder's contents."""
        if any(part.startswith(".") and part != "." for part in Path(path).parts):
            raise HTTPException(404)
        response = await super().get_response(path, scope)
        response.headers.update(self._headers)
        if path.endswith(".atom"):
            response.headers["Content-Type"] = "application/atom+xml; charset=utf-8"
        if isinstance(response, RedirectResponse):
            response.headers["Location"] = f"{Path(path).name}/"
        return response
