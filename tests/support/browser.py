"""Debian's Chromium, without network: one for all tests of a process, as a start costs seconds."""

import asyncio
import atexit
import contextlib
import functools
import weakref
from collections.abc import Iterator

from playwright.sync_api import Browser, Page, sync_playwright

from tests.support.tools import program

_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
_NOBODY = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """A browser that reaches this machine alone; what was opened in it is closed afterwards."""
    before = asyncio._get_running_loop()
    browser, loop = _started(program("chromium"))
    asyncio._set_running_loop(loop)
    outer = list(browser.contexts)
    try:
        yield browser
    finally:
        for context in browser.contexts:
            if context not in outer:
                context.close()
        _spare[browser] = [page for page in _spare.get(browser, []) if not page.is_closed()]
        # Playwright leaves its loop running in this thread, in which nobody else could run one.
        asyncio._set_running_loop(before)


@contextlib.contextmanager
def tab(browser: Browser, *, width: int = 1280, height: int = 720) -> Iterator[Page]:
    """A page like a new one in light colours, but cheaper: an empty one is used again.

    Whoever listens to its events stops doing so before giving it back.
    """
    spare = _spare.setdefault(browser, [])
    page = spare.pop() if spare else browser.new_page()
    page.set_viewport_size({"width": width, "height": height})
    yield page
    page.unroute_all()
    page.goto("about:blank")
    page.emulate_media(media="null", color_scheme="light")
    spare.append(page)


_spare: weakref.WeakKeyDictionary[Browser, list[Page]] = weakref.WeakKeyDictionary()


@functools.cache
def _started(executable: str) -> tuple[Browser, asyncio.AbstractEventLoop]:
    before = asyncio._get_running_loop()
    playwright = sync_playwright().start()
    loop = asyncio.get_running_loop()
    browser = playwright.chromium.launch(executable_path=executable, args=[*_FLAGS, _NOBODY])
    asyncio._set_running_loop(before)

    def end() -> None:
        asyncio._set_running_loop(loop)
        browser.close()
        playwright.stop()

    atexit.register(end)
    return browser, loop
