"""Where the public log is read from: a file on this machine, or a server over HTTPS."""

from __future__ import annotations

import base64
import binascii
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from newsletter.clock import Clock
from newsletter.errors import LedgerRefused, LogUnreachable, Where
from newsletter.invisible import visible
from newsletter.message.keys import KeyRing
from newsletter.transports.http import HttpClient, NoResponse, NotSent
from newsletter.transports.http_values import Request, Response, canonical_json
from newsletter.web.log import (
    LARGEST_SEQ,
    MOST_ENTRIES,
    Entry,
    Page,
    PublicLog,
    forget_synced,
)
from newsletter.web.seal import WEBHOOK_BYTES, sealed_length

if TYPE_CHECKING:
    from newsletter.project.project import Project

LOG_NAME = "public.db"
_TIMEOUT_S = 10.0
"""For a whole answer."""
_LONGEST_BOX = sealed_length(WEBHOOK_BYTES[-1])


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
        return _ServerLog(public.url, project.keys, project.clock)
    file = project.folder / (named or LOG_NAME)
    if not file.exists():
        raise LogUnreachable(
            "There is no public log yet.",
            where=Where(file),
            next="Start “newsletter serve” here, or set up a server: “newsletter docs public”. If "
            "readers use a server already, copy the newest newsletter.key here: it holds the "
            "secret to read its log.",
        )
    return _FileLog(file, project.clock)


def former_log(project: Project) -> LogSource | None:
    """The log in the project's folder, if the one that counts now is elsewhere.

    Readers who left by it before there was a server have left.

    Raises:
        LogUnreachable: it cannot be opened.
    """
    public, file = project.settings.public, project.folder / LOG_NAME
    if public is None or not file.exists():
        return None
    elsewhere = public.log or project.keys.bearer is not None
    if not elsewhere or (public.log and (project.folder / public.log).resolve() == file.resolve()):
        return None
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

    def __init__(self, url: str, keys: KeyRing, clock: Clock) -> None:
        self._url = url
        self._newest_secret = keys.signing_key_id
        self._headers = {"Authorization": f"Bearer {(keys.bearer or b'').hex()}"}
        self._client = HttpClient(url, timeout_s=_TIMEOUT_S, clock=clock)

    def page(self, after: int) -> Page:
        path = f"/log?after={after}&most={MOST_ENTRIES}"
        response = self._ask(Request(path, headers=self._headers, method="GET"))
        page = None if response.status != 200 else _page(response.json())
        if page is None:
            raise self._refused(response)
        return page

    def synced(self, seq: int, *, keep_days: int) -> None:
        body = canonical_json({"seq": seq, "keep_days": keep_days})
        response = self._ask(Request("/log/synced", body, self._headers))
        if response.status != 204:
            raise self._refused(response)

    def close(self) -> None:
        self._client.close()

    def _ask(self, request: Request) -> Response:
        try:
            return self._client.send(request)
        except (NotSent, NoResponse) as error:
            raise self._unreachable(plain_reason(str(error))) from None

    def _refused(self, response: Response) -> LogUnreachable:
        if response.status not in {401, 403}:
            return self._unreachable(_why(response))
        what, following = _WHO_IS_OLD[self._compared(response)]
        return LogUnreachable(what, where=Where(self._url), next=following)

    def _compared(self, response: Response) -> int:
        """-1: the server's bundle is older than the key file here; 1: newer; 0: nobody knows."""
        told = response.json()
        number = told.get("secret") if isinstance(told, dict) else None
        if type(number) is not int or number < 1:
            return 0
        return (number > self._newest_secret) - (number < self._newest_secret)

    def _unreachable(self, why: str) -> LogUnreachable:
        return LogUnreachable(
            f"The public log cannot be read: {why}.",
            where=Where(self._url),
            next="Check that the server is running and that [public] url is its address; "
            "“newsletter docs public” says more.",
        )


def _unreachable(error: LedgerRefused) -> LogUnreachable:
    return LogUnreachable(error.what, where=error.where, next=error.next)


_NEW_BUNDLE = (
    "run “newsletter keys public” here, copy the folder to the server and restart "
    "“newsletter serve” there."
)
_WHO_IS_OLD = {
    -1: (
        "The server refuses this machine's bearer secret: its bundle is older than newsletter.key "
        "here.",
        f"To give the server the new one, {_NEW_BUNDLE}",
    ),
    1: (
        "The server refuses this machine's bearer secret: newsletter.key here is older than the "
        "server's bundle.",
        "Copy the newest newsletter.key to this folder.",
    ),
    0: (
        "The server refuses this machine's bearer secret: its bundle was written from another "
        "newsletter.key than the one here.",
        f"If newsletter.key here is the newest, {_NEW_BUNDLE} If not, copy the newest one to this "
        "folder.",
    ),
}
"""What a refused bearer secret means, by :meth:`_ServerLog._compared`, and what to do."""


_PLAIN = (
    ("Connection refused", "nothing answers at this address and port"),
    ("Failed to resolve", "no server of this name is known"),
    ("WRONG_VERSION_NUMBER", "the server there does not speak HTTPS"),
    ("timed out", "no answer came in time"),
)
"""What the system says of a connection, and the same in plain words."""
_LONGEST_REASON = 200


def plain_reason(reason: str) -> str:
    """Why no answer came; what a stranger's server wrote is shown on one line, cut."""
    for said, plain in _PLAIN:
        if said in reason:
            return f"{plain} ({said})"
    return visible(" ".join(reason.split()))[:_LONGEST_REASON].rstrip(" .")


def _why(response: Response) -> str:
    """What a server's answer means that is no page of the log."""
    match response.status:
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
    if type(value) is not int or not 0 <= value <= LARGEST_SEQ:
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
