"""Where the public log is read from: a file on this machine, or a server over HTTPS."""

from __future__ import annotations

import base64
import binascii
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from newsletter.clock import Clock
from newsletter.errors import LedgerRefused, LogUnreachable, Where
from newsletter.transports.http import HttpClient, NoResponse, NotSent
from newsletter.transports.http_values import Request, Response, canonical_json
from newsletter.web.log import MOST_ENTRIES, Entry, Page, PublicLog, forget_synced
from newsletter.web.seal import WEBHOOK_BYTES, sealed_length

if TYPE_CHECKING:
    from newsletter.project.project import Project

LOG_NAME = "public.db"
_TIMEOUT_S = 10.0
"""For a whole answer."""
_LONGEST_BOX = sealed_length(WEBHOOK_BYTES[-1])
_LARGEST_SEQ = 2**62


class LogSource(Protocol):
    """A public log that can be read."""

    def page(self, after: int) -> Page:
        """The entries behind a place, as many as it likes to give.

        Raises:
            LogUnreachable: it cannot be read.
        """

    def synced(self, seq: int, *, keep_days: int) -> None:
        """Tell how far it was read, so that entries older than ``keep_days`` may leave.

        Raises:
            LogUnreachable: it does not take that.
        """

    def close(self) -> None:
        """Let go of it. Never raises."""


def has_public_log(project: Project) -> bool:
    """Whether a project has a public side, by its settings or since it was served from here."""
    return project.settings.public is not None or (project.folder / LOG_NAME).exists()


def log_source(project: Project) -> LogSource:
    """Where a project's public log is, by its settings and keys.

    Raises:
        LogUnreachable: there is none yet, or it cannot be opened.
    """
    public, bearer = project.settings.public, project.keys.bearer
    named = public.log if public else None
    if public is not None and named is None and bearer is not None:
        return _ServerLog(public.url, bearer.hex(), project.clock)
    file = project.folder / (named or LOG_NAME)
    if not file.exists():
        raise LogUnreachable(
            "There is no public log yet, so nobody could leave.",
            where=Where(file),
            next="Start “newsletter serve” here, or set up a server: “newsletter docs public”.",
        )
    return _FileLog(file, project.clock)


class _FileLog:
    """The log of a server on this machine."""

    def __init__(self, path: Path, clock: Clock) -> None:
        try:
            self._log = PublicLog(path, create=False)
        except LedgerRefused as error:
            raise _unreachable(error) from None
        self._clock = clock

    def page(self, after: int) -> Page:
        try:
            return self._log.page(after)
        except LedgerRefused as error:
            raise _unreachable(error) from None

    def synced(self, seq: int, *, keep_days: int) -> None:
        try:
            forget_synced(self._log, seq, keep_days, self._clock)
        except LedgerRefused as error:
            raise _unreachable(error) from None

    def close(self) -> None:
        self._log.close()


class _ServerLog:
    """The log of a server elsewhere, which may answer whatever it likes."""

    def __init__(self, url: str, bearer: str, clock: Clock) -> None:
        self._url = url
        self._headers = {"Authorization": f"Bearer {bearer}"}
        self._client = HttpClient(url, timeout_s=_TIMEOUT_S, clock=clock)

    def page(self, after: int) -> Page:
        path = f"/log?after={after}&most={MOST_ENTRIES}"
        response = self._ask(Request(path, headers=self._headers, method="GET"))
        page = None if response.status != 200 else _page(response.json())
        if page is None:
            raise self._unreachable(_why(response))
        return page

    def synced(self, seq: int, *, keep_days: int) -> None:
        body = canonical_json({"seq": seq, "keep_days": keep_days})
        response = self._ask(Request("/log/synced", body, self._headers))
        if response.status != 204:
            raise self._unreachable(_why(response))

    def close(self) -> None:
        self._client.close()

    def _ask(self, request: Request) -> Response:
        try:
            return self._client.send(request)
        except (NotSent, NoResponse) as error:
            raise self._unreachable(str(error)) from None

    def _unreachable(self, why: str) -> LogUnreachable:
        return LogUnreachable(
            f"The public log cannot be read: {why}.",
            where=Where(self._url),
            next="Check that the server is running and that [public] url is its address; "
            "“newsletter docs public” says more.",
        )


def _unreachable(error: LedgerRefused) -> LogUnreachable:
    return LogUnreachable(error.what, where=error.where, next=error.next)


def _why(response: Response) -> str:
    """What a server's answer means that is no page of the log."""
    match response.status:
        case 401 | 403:
            return (
                "the server refuses this machine's bearer secret; give it the bundle that "
                "“newsletter keys public” writes"
            )
        case 404:
            return "there is none at this address"
        case 200 | 204:
            return "the server there is not a public log"
        case status if 300 <= status < 400:
            return "the address redirects to another one, which is not followed"
    return f"the server answered {response.status}"


def _page(told: Any) -> Page | None:
    """A page from its JSON; None if it is none."""
    try:
        head = told["head"]
        entries = tuple(
            Entry(
                _seq(each["seq"]),
                _exactly(16, bytes.fromhex(each["id"])),
                _box(each["box"]),
                _exactly(32, bytes.fromhex(each["head"])),
            )
            for each in told["entries"]
        )
        return Page(
            _exactly(16, bytes.fromhex(told["log_id"])).hex(),
            entries,
            _seq(told["first"]),
            _seq(told["last"]),
            None if head is None else _exactly(32, bytes.fromhex(head)),
            _seq(told.get("secret", 0)),
        )
    except (KeyError, TypeError, ValueError, binascii.Error):
        return None


def _seq(value: object) -> int:
    if type(value) is not int or not 0 <= value <= _LARGEST_SEQ:
        raise ValueError
    return value


def _box(text: str) -> bytes:
    box = base64.b64decode(text, validate=True)
    if len(box) > _LONGEST_BOX:
        raise ValueError
    return box


def _exactly(length: int, value: bytes) -> bytes:
    if len(value) != length:
        raise ValueError
    return value
