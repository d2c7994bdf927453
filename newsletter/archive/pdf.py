"""PDFs of the archive's pages, printed by a Chromium that is installed. Starts a program.

Chromium gets a page from the disk, no network and no profile of the person
who runs it. PDFs are tagged, so that screen readers can use them.
"""

from __future__ import annotations

import datetime as dt
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from newsletter.system import end_group, user_number

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
WITHIN_S = 60.0
"""How long one page may take."""

_FLAGS = (
    "--headless",
    "--disable-gpu",
    "--disable-extensions",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-default-apps",
    "--no-first-run",
    "--no-default-browser-check",
    "--no-pings",
    # No name means any machine, and no proxy is asked either.
    "--host-resolver-rules=MAP * ~NOTFOUND",
    "--no-proxy-server",
    # Pictures must not wait until somebody scrolls to them.
    "--blink-settings=lazyLoadEnabled=false",
    "--no-pdf-header-footer",
    "--generate-pdf-document-outline",
)
_DATE = re.compile(rb"\(D:\d{14}[^)]*\)")
_MADE_WITH = re.compile(rb"/(?:Creator|Producer) \((?:[^\\()]|\\.)*\)", re.DOTALL)
"""What made the PDF, in its information dictionary (ISO 32000-1, 14.3.3): browser and system."""


class NoPdf(Exception):
    """Chromium did not print a page; the text tells why."""


def find_browser() -> Path | None:
    """A browser that prints, if one is installed."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    return Path(found) if found else None


def print_page(browser: Path, page: Path, *, date: dt.date, within_s: float = WITHIN_S) -> bytes:
    """The PDF of a page.

    Args:
        browser: what :func:`find_browser` found.
        page: the page, with its style sheet and pictures where it links to them.
        date: what the PDF tells as its date, in place of the moment it was made. What
            browser and system made it, it does not tell.
        within_s: how long it may take, in seconds.

    Raises:
        NoPdf: none was made in time.
    """
    page = page.resolve()
    with tempfile.TemporaryDirectory(dir=page.parent) as scratch:
        target = Path(scratch) / "page.pdf"
        command = [
            str(browser),
            *_FLAGS,
            # Chromium refuses to start in its sandbox as root; the page is our own.
            *(["--no-sandbox"] if user_number() == 0 else []),
            f"--user-data-dir={scratch}/profile",
            f"--print-to-pdf={target}",
            page.as_uri(),
        ]
        _run(command, within_s)
        try:
            printed = target.read_bytes()
        except OSError:
            raise NoPdf(f"{browser.name} made no file") from None
    return _published(printed, date)


def _run(command: list[str], within_s: float) -> None:
    """Run the browser to its end, and no longer than it may take."""
    try:
        process = subprocess.Popen(  # noqa: S603 - a browser found by name, a page of ours
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError as error:
        raise NoPdf(f"it cannot be started: {error.strerror}") from None
    try:
        code = process.wait(within_s)
    except subprocess.TimeoutExpired:
        raise NoPdf(f"it took longer than {within_s:g} seconds") from None
    finally:
        # A browser is several processes; none outlives the page.
        end_group(process.pid)
        process.wait()
    if code != 0:
        raise NoPdf(f"it ended with code {code}")


def _published(pdf: bytes, date: dt.date) -> bytes:
    """The PDF without what it tells of this machine: its moments become ``date``.

    A PDF counts its bytes, so everything stays as long as it was.
    """

    def fixed(found: re.Match[bytes]) -> bytes:
        moment = f"(D:{date:%Y%m%d}000000".encode()
        # A zone that is left is UTC.
        return moment + re.sub(rb"\d", b"0", found.group()[len(moment) : -1]) + b")"

    without_maker = _MADE_WITH.sub(lambda found: b" " * len(found.group()), pdf)
    return _DATE.sub(fixed, without_maker)
