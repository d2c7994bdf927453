"""A preview under test: its address, its files, and requests to it."""

from __future__ import annotations

import contextlib
import http.client
import json
import threading
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from newsletter.preview.build import Sources


@dataclass(frozen=True)
class Answer:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()


@dataclass(frozen=True)
class Served:
    url: str
    sources: Sources
    stop: threading.Event
    thread: threading.Thread

    def ask(self, path: str, *, method: str = "GET", host: str | None = None) -> Answer:
        """Send one request, with the path exactly as it is written."""
        connection = http.client.HTTPConnection(urllib.parse.urlsplit(self.url).netloc, timeout=20)
        with contextlib.closing(connection):
            connection.putrequest(method, path, skip_host=host is not None)
            if host is not None:
                connection.putheader("Host", host)
            connection.endheaders()
            answer = connection.getresponse()
            return Answer(answer.status, answer.headers, answer.read())

    def state(self, reader: str = "") -> dict[str, Any]:
        answer = self.ask("/state?" + urllib.parse.urlencode({"reader": reader}))
        assert answer.status == 200
        data: dict[str, Any] = json.loads(answer.body)
        return data

    def versions(self) -> Iterator[int]:
        """The versions that the event stream tells, as they come.

        The stream is silent but for a sign of life every 15 s; whoever waits
        for one has waited too long.
        """
        connection = http.client.HTTPConnection(urllib.parse.urlsplit(self.url).netloc, timeout=20)
        with contextlib.closing(connection):
            connection.request("GET", "/events")
            for line in connection.getresponse():
                assert not line.startswith(b":"), "nothing was told in 15 seconds"
                if line.startswith(b"data: "):
                    yield int(line[6:])

    def edit(self, old: str, new: str) -> None:
        """Change the issue's file as an editor program does: all at once."""
        text = self.sources.issue.read_text(encoding="utf-8")
        assert old in text
        draft = self.sources.issue.with_suffix(".draft")
        draft.write_text(text.replace(old, new), encoding="utf-8")
        draft.replace(self.sources.issue)
