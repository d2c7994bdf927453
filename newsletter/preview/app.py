"""The preview's web pages: the page itself, the mail in a frame, pictures and events.

Answers requests; reads the page's own files. Everything is
read-only: there is no route but GET. What the mail holds cannot act: its frame
runs no scripts, and its Content-Security-Policy loads nothing from elsewhere.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import (
    FileResponse,
    HTMLResponse,
    JSONResponse,
    PlainTextResponse,
    Response,
    StreamingResponse,
)
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from newsletter.errors import NewsletterError
from newsletter.preview.state import PreviewState, as_state

POLL_S = 0.2
"""How often the files are looked at, in seconds."""
_BEAT = 75
"""After so many polls without news, a line that shows a closed connection as closed: 15 s."""

_PAGE = Path(__file__).parent / "page"
_PAGE_FILES = {"/": "index.html", "/preview.css": "preview.css", "/preview.js": "preview.js"}

_PREFERS = re.compile(r"\(\s*prefers-color-scheme\s*:\s*(dark|light)\s*\)", re.IGNORECASE)

_PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; frame-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
_MAIL_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'self'"
)
_HEADERS = {
    "Cache-Control": "no-store",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class _OnlyHere:
    """Refuses requests under a foreign name, so that no web page can reach in by DNS rebinding."""

    def __init__(self, app: ASGIApp, hosts: frozenset[str]) -> None:
        self._app = app
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            hosts = [value for name, value in scope["headers"] if name == b"host"]
            if len(hosts) != 1 or hosts[0].decode("latin-1").lower() not in self._hosts:
                refusal = PlainTextResponse("This preview is for this machine only.", 403)
                await refusal(scope, receive, send)
                return
        await self._app(scope, receive, send)


def create_app(
    state: PreviewState, *, hosts: frozenset[str], closing: Callable[[], bool]
) -> Starlette:
    """The application.

    Args:
        state: what is shown.
        hosts: ``name:port`` under which browsers may ask.
        closing: whether the server is about to stop, so that event streams end.
    """
    pages = _Pages(state, closing)
    page_files = [Route(path, pages.page_file, methods=["GET"]) for path in _PAGE_FILES]
    return Starlette(
        routes=[
            *page_files,
            Route("/state", pages.state, methods=["GET"]),
            Route("/mail", pages.mail, methods=["GET"]),
            Route("/assets/{name:path}", pages.asset, methods=["GET"]),
            Route("/events", pages.events, methods=["GET"]),
        ],
        middleware=[Middleware(_OnlyHere, hosts=hosts)],
        exception_handlers={NewsletterError: _no_mail},
        lifespan=pages.watching,
    )


async def _no_mail(request: Request, error: Exception) -> Response:
    del request
    return PlainTextResponse(str(error), 422, headers=_HEADERS)


class _Pages:
    def __init__(self, state: PreviewState, closing: Callable[[], bool]) -> None:
        self._state = state
        self._closing = closing

    @asynccontextmanager
    async def watching(self, app: Starlette) -> AsyncIterator[None]:
        """Look for changed files as long as the server runs."""
        del app
        watch = asyncio.create_task(self._watch())
        yield
        watch.cancel()

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(POLL_S)
            await run_in_threadpool(self._state.refresh)

    async def page_file(self, request: Request) -> Response:
        """The page, its style sheet or its script."""
        name = _PAGE_FILES[request.url.path]
        return FileResponse(
            _PAGE / name, headers={**_HEADERS, "Content-Security-Policy": _PAGE_POLICY}
        )

    async def state(self, request: Request) -> Response:
        """All that the page shows besides the mail itself."""
        reader = request.query_params.get("reader", "")
        data = await run_in_threadpool(as_state, self._state.shown, reader)
        return JSONResponse(data, headers=_HEADERS)

    async def mail(self, request: Request) -> Response:
        """The mail to one reader: its own HTML, with local pictures and links that open aside."""
        preview = self._state.shown.preview
        if preview is None:
            return PlainTextResponse("There is no mail yet.", 404, headers=_HEADERS)
        mail = await run_in_threadpool(preview.mail, request.query_params.get("reader", ""))
        images = "" if request.query_params.get("images") == "off" else "; img-src 'self' data:"
        page = local(mail.html, preview.pictures)
        page = in_scheme(page, request.query_params.get("scheme", "light"))
        return HTMLResponse(
            page, headers={**_HEADERS, "Content-Security-Policy": _MAIL_POLICY + images}
        )

    async def asset(self, request: Request) -> Response:
        """One picture of the issue, as readers get it."""
        preview = self._state.shown.preview
        picture = preview.pictures.get(request.path_params["name"]) if preview else None
        if picture is None:
            return PlainTextResponse("There is no such picture.", 404, headers=_HEADERS)
        return Response(
            picture.content,
            media_type=picture.media_type,
            headers={**_HEADERS, "Content-Security-Policy": "default-src 'none'"},
        )

    async def events(self, request: Request) -> Response:
        """The version of what is shown, at once and whenever it changes (text/event-stream)."""
        del request
        return StreamingResponse(self._versions(), media_type="text/event-stream", headers=_HEADERS)

    async def _versions(self) -> AsyncIterator[str]:
        told, quiet = 0, 0
        while not self._closing():
            version = self._state.shown.version
            if version != told:
                yield f"data: {version}\n\n"
                told, quiet = version, 0
            elif quiet >= _BEAT:
                yield ": still here\n\n"
                quiet = 0
            quiet += 1
            await asyncio.sleep(POLL_S / 2)


def local(html: str, pictures: Iterable[str]) -> str:
    """The mail as the preview's frame shows it: pictures from this machine, links in new tabs."""
    names = "|".join(map(re.escape, pictures))
    if names:
        html = re.sub(rf'(\ssrc=")[^"]*({names})[^"]*"', r'\1/assets/\2"', html)
    return re.sub(r"<head\b[^>]*>", r'\g<0><base target="_blank">', html, count=1)


def in_scheme(html: str, scheme: str) -> str:
    """The mail as a program that prefers ``light`` or ``dark`` shows it.

    The conditions are decided here, since browsers differ in whether a frame
    can have another preference than the page around it.
    """
    return _PREFERS.sub(
        lambda found: "(min-width:0)" if found[1].lower() == scheme else "(max-width:0)", html
    )
