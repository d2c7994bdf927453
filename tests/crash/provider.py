"""A provider's HTTP API, as far as a sender needs it; a process of its own.

``python -m tests.crash.provider RECORD MANNER SEED`` prints its port, and
writes the recipient of each mail it took to RECORD, through to the disk, before
it answers. It takes its time before and after it takes a call, so that kills
fall into both.

Manners: ``resend`` takes batches and knows idempotency keys; ``postmark`` takes
batches and knows none; ``mailgun`` takes one mail a call and knows none.
"""

import hashlib
import json
import os
import random
import sys
import threading
import time
from collections.abc import Callable, Mapping
from email.parser import BytesParser
from email.policy import default
from email.utils import parseaddr
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

_SLOW_S = 0.04

Answer = tuple[int, Any]


class Books:
    """What was taken, on disk, and the keys under which."""

    def __init__(self, record: str, seed: int) -> None:
        self._file = os.open(record, os.O_WRONLY | os.O_APPEND)
        self._keys: dict[str, tuple[str, Answer]] = {}
        self._one_at_a_time = threading.Lock()
        self._chance = random.Random(seed)

    def take(self, recipients: list[str], answer: Any) -> Answer:
        """Write them down and give the answer."""
        time.sleep(self._chance.uniform(0, _SLOW_S))
        os.write(self._file, "".join(f"{each}\n" for each in recipients).encode())
        os.fsync(self._file)
        time.sleep(self._chance.uniform(0, _SLOW_S))
        return 200, answer

    def once(self, key: str, body: bytes, take: Callable[[], Answer]) -> Answer:
        """Take what comes under a key once, and answer alike from then on."""
        digest = hashlib.sha256(body).hexdigest()
        with self._one_at_a_time:
            if key not in self._keys:
                self._keys[key] = (digest, take())
            seen, answer = self._keys[key]
        if seen != digest:
            return 409, {"statusCode": 409, "name": "invalid_idempotent_request", "message": "no"}
        return answer


def resend(books: Books, headers: Mapping[str, str], body: bytes) -> Answer:
    mails = json.loads(body)
    answer = {"data": [{"id": f"id-{number}"} for number in range(len(mails))]}
    to = [_address(mail["to"][0]) for mail in mails]
    return books.once(headers["idempotency-key"], body, lambda: books.take(to, answer))


def postmark(books: Books, _headers: Mapping[str, str], body: bytes) -> Answer:
    mails = json.loads(body)
    return books.take(
        [_address(mail["To"]) for mail in mails],
        [
            {"ErrorCode": 0, "Message": "OK", "MessageID": f"id-{number}", "To": mail["To"],
             "SubmittedAt": "2017-04-28T10:00:00Z"}
            for number, mail in enumerate(mails)
        ],
    )  # fmt: skip


def mailgun(books: Books, headers: Mapping[str, str], body: bytes) -> Answer:
    form = BytesParser(policy=default).parsebytes(
        f"Content-Type: {headers['content-type']}\r\n\r\n".encode() + body
    )
    fields = {
        part.get_param("name", header="content-disposition"): part for part in form.iter_parts()
    }
    to = _address(str(fields["to"].get_content()).strip())
    return books.take([to], {"id": "<id@mailgun.example>", "message": "Queued. Thank you."})


MANNERS = {"resend": resend, "postmark": postmark, "mailgun": mailgun}


def _address(mailbox: str) -> str:
    return parseaddr(mailbox)[1]


def main() -> None:
    record, manner, seed = sys.argv[1:]
    books, take = Books(record, int(seed)), MANNERS[manner]

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            length = int(headers["content-length"])
            body = self.rfile.read(length)
            if len(body) == length:  # else the sender died in the middle: no request
                self._answer(*take(books, headers, body))

        def do_GET(self) -> None:
            """A search that finds nothing yet: records lag behind."""
            self._answer(200, {"TotalCount": 0, "Messages": [], "items": []})

        def _answer(self, status: int, value: Any) -> None:
            content = json.dumps(value).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
            """Say nothing."""

    class Listener(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: Any, client_address: Any) -> None:
            """Senders that die are what this is for."""

    with Listener(("127.0.0.1", 0), Handler) as server:
        print(server.server_address[1], flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main()
