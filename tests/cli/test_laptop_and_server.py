"""Laptop and server as docs/public.md tells it: from nothing to a leave that is honoured.

Its commands run as they stand, in two folders with two homes, over loopback and real SMTP.
"""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

import requests

from tests.cli.support import WITHIN_S
from tests.support.project import Project, smtp_delivery
from tests.support.smtp_server import SmtpServer
from tests.support.tools import ROOT, program
from tests.web.test_leaving import fields

BLOCK = re.compile(
    r"<!-- (?P<mark>[\w ]+) -->\n```\w+\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL
)
READERS = [f"reader{number}@readers.example" for number in range(3)]


class Walk:
    """The steps of the page, with this machine's places in the place of those it names."""

    def __init__(self, folder: Path, relay: SmtpServer) -> None:
        program("rsync")
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = str(free.getsockname()[1])
        self.url = f"http://127.0.0.1:{self.port}"
        self.server = folder / "server"
        self.bundle = self.server / "bundle"
        self.laptop = Project(folder / "laptop")
        for home in (self.server, self.laptop.home):
            home.mkdir()
        text = (ROOT / "docs" / "public.md").read_text(encoding="utf-8")
        steps = text.partition("## Laptop and server")[2].partition("\n## ")[0]
        self.places = {
            "https://news.example.org": self.url,
            "root@news.example.org:/var/lib/newsletter/": f"{self.bundle}/",
            " --owner --group --chown newsletter:newsletter": "",
            "/var/lib/newsletter": str(self.bundle),
            "8025": self.port,
        }
        self.blocks = [(each["mark"], self.here(each["body"])) for each in BLOCK.finditer(steps)]
        (settings,) = self.of("laptop toml")
        self.laptop.settings(smtp_delivery(relay.port) + settings)

    def of(self, mark: str) -> list[str]:
        return [body for each, body in self.blocks if each == mark]

    def here(self, text: str) -> str:
        for there, here in self.places.items():
            text = text.replace(there, here)
        # Nobody is here to say yes.
        return re.sub(r"(?m)^(newsletter send .*)$", r"\1 --yes", text)

    def environment(self, home: Path) -> dict[str, str]:
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        return {
            **os.environ,
            "PATH": path,
            "HOME": str(home),
            "XDG_STATE_HOME": "",
            "PYTHONPATH": str(ROOT),
            "COLUMNS": "200",
        }

    def on_laptop(self, script: str) -> str:
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=self.laptop.folder,
            env=self.environment(self.laptop.home),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=WITHIN_S,
            check=False,
        )
        assert 0 == done.returncode, f"{script}{done.stdout}"
        return done.stdout

    @contextmanager
    def serving(self) -> Iterator[None]:
        """The server's own step, until the block ends."""
        (script,) = self.of("server")
        process = subprocess.Popen(
            ["bash", "-c", f"exec {script}"],
            cwd=self.server,
            env=self.environment(self.server),
        )
        try:
            deadline = time.monotonic() + WITHIN_S
            while time.monotonic() < deadline:
                try:
                    requests.get(f"{self.url}/health", timeout=WITHIN_S)
                    break
                except requests.ConnectionError:
                    time.sleep(0.1)
            yield
        finally:
            process.send_signal(signal.SIGTERM)
            assert 0 == process.wait(WITHIN_S)


def click(relay: SmtpServer, reader: str) -> None:
    """A person who follows the link in the text of their mail, and its two buttons."""
    (content,) = (mail.content for mail in relay.accepted if mail.recipient == reader)
    mail = message_from_bytes(content, policy=policy.default)
    assert isinstance(mail, EmailMessage)
    body = mail.get_body(("plain",))
    assert body is not None
    link = re.search(r"http://127\.0\.0\.1:\d+/leave/\S+", body.get_content())
    assert link
    page = requests.get(link[0], timeout=WITHIN_S).text
    for step, more in (("leave", {}), ("sure", {"sure": "yes"})):
        time.sleep(2.1)  # nobody reads a page faster
        form = {**fields(page, step), **more}
        answer = requests.post(link[0], form, timeout=WITHIN_S)
        assert 200 == answer.status_code
        page = answer.text
    assert '"do" value="undo"' in page


def test_from_nothing_to_a_leave_that_is_honoured(tmp_path: Path) -> None:
    with SmtpServer() as relay:
        walk = Walk(tmp_path, relay)
        keys, copy, look, send = walk.of("laptop")
        walk.on_laptop(keys)
        walk.on_laptop(copy)
        assert 0o700 == walk.bundle.stat().st_mode & 0o777
        with walk.serving():
            said = walk.on_laptop(look)
            walk.on_laptop(send)
            assert set(READERS) == set(relay.copies())
            click(relay, READERS[1])
            (after,) = walk.of("laptop after the click")
            said += walk.on_laptop(after)
        shown = "".join(walk.of("shown")).splitlines()
        assert 4 == len(shown)
        assert [] == [line for line in shown if line not in said], said
        assert {READERS[0]: 2, READERS[1]: 1, READERS[2]: 2} == relay.copies()
        walk.on_laptop(copy)  # the log stays when the bundle is copied anew
        assert (walk.bundle / "public.db").exists()
    known = b"".join(path.read_bytes() for path in walk.server.rglob("*") if path.is_file())
    assert [] == [reader for reader in READERS if reader.encode() in known]


def test_a_new_key_and_a_new_secret_after_a_theft(tmp_path: Path) -> None:
    """The page's own commands; the server knows neither until it has the new bundle."""
    text = (ROOT / "docs" / "public.md").read_text(encoding="utf-8")
    theft = text.partition("## If the server is seized")[2].partition("\n## ")[0]
    assert "delete the line `bearer = …`" in theft
    found = re.search(r"```sh\n(.*?)```", theft, re.DOTALL)
    assert found
    with SmtpServer() as relay:
        walk = Walk(tmp_path, relay)
        keys, copy, look, send = walk.of("laptop")
        walk.on_laptop(keys + copy)
        with walk.serving():
            walk.on_laptop(send)
        key_file = walk.laptop.folder / "newsletter.key"
        before = key_file.read_text()
        key_file.write_text(re.sub(r"(?m)^bearer = .*\n", "", before))
        walk.on_laptop(found[1])
        with walk.serving():
            refused = walk.laptop.run("sync")
            assert (4, True) == (refused.returncode, "bearer secret" in refused.stderr)
        walk.on_laptop(copy)
        with walk.serving():
            assert "ok" in walk.on_laptop(look)
            click(relay, READERS[0])
            assert "1 person left" in walk.laptop.run("sync").stdout
