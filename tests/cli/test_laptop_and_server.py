"""Laptop and server as docs/public.md tells it: from nothing to a leave that is honoured.

Its commands run as they stand, with two homes and real SMTP: in two folders over loopback,
and on a laptop and a server with networks of their own, where a third machine is the reader's.
"""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from urllib.parse import urlencode

import pytest
import trustme

from tests.cli.support import WITHIN_S
from tests.support.namespaces import Machine
from tests.support.project import Project, smtp_delivery
from tests.support.smtp_server import SmtpServer
from tests.support.tools import ROOT, program
from tests.web.process import free_port
from tests.web.test_leaving import fields

BLOCK = re.compile(
    r"<!-- (?P<mark>[\w ]+) -->\n```\w+\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL
)
READERS = [f"reader{number}@readers.example" for number in range(3)]
URL, PORT = "https://news.example.org", "8025"
"""As the page has them."""


@dataclass(frozen=True)
class Machines:
    """Laptop, server and reader: what a command begins with to run there; the laptop's relay."""

    relay: SmtpServer
    url: str = URL
    port: str = PORT
    laptop: tuple[str, ...] = ()
    server: tuple[str, ...] = ()
    reader: tuple[str, ...] = ()

    def ask(self, *curl: str) -> tuple[int, str]:
        """What the reader's machine gets, and how curl ended."""
        command = [*self.reader, "curl", "--silent", "--show-error", "--fail", *curl]
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=WITHIN_S, check=False
        )
        return done.returncode, done.stdout


@contextmanager
def two_folders(_: Path) -> Iterator[Machines]:
    """All on this machine, without TLS."""
    port = str(free_port())
    with SmtpServer() as relay:
        yield Machines(relay, f"http://127.0.0.1:{port}", port)


@contextmanager
def two_networks(folder: Path) -> Iterator[Machines]:
    """Three machines; the server, behind Caddy as in the docs, has a cable to each other one."""
    to_server = {"laptop": "192.0.2.1", "reader": "198.51.100.1"}
    for name, address in to_server.items():
        (folder / f"hosts-{name}").write_text(f"{address} news.example.org\n")
    authority = trustme.CA()
    ca = folder / "ca.pem"
    authority.cert_pem.write_to_path(ca)
    trusting = ("env", f"SSL_CERT_FILE={ca}", f"CURL_CA_BUNDLE={ca}")
    with ExitStack() as made:
        laptop, reader = (made.enter_context(Machine(folder / f"hosts-{n}")) for n in to_server)
        server = made.enter_context(Machine(Path("/etc/hosts")))
        laptop.cable("192.0.2.2/24", server, "192.0.2.1/24")
        reader.cable("198.51.100.2/24", server, "198.51.100.1/24")
        with laptop.network():
            relay = made.enter_context(SmtpServer())
        made.enter_context(caddy(folder, authority, server))
        the_laptop_reaches_the_server_alone(laptop, server, reader, relay.port)
        yield Machines(
            relay,
            laptop=(*laptop.prefix, *trusting),
            server=server.prefix,
            reader=(*reader.prefix, *trusting),
        )


@contextmanager
def caddy(folder: Path, authority: trustme.CA, server: Machine) -> Iterator[None]:
    """The proxy of docs/deploy on the server, with a certificate that was not asked for."""
    certificate = authority.issue_cert("news.example.org").private_key_and_cert_chain_pem
    certificate.write_to_path(folder / "server.pem")
    site = "news.example.org {\n"
    before, name, after = (ROOT / "docs" / "deploy" / "Caddyfile").read_text().partition(site)
    assert name
    tls = f"\ttls {folder}/server.pem {folder}/server.pem\n"
    (folder / "Caddyfile").write_text(f"{before}{site}{tls}{after}")
    run = (program("caddy"), "run", "--adapter", "caddyfile", "--config", f"{folder}/Caddyfile")
    with (folder / "caddy.said").open("wb") as said:
        process = subprocess.Popen(
            [*server.prefix, *run], stderr=said, env={**os.environ, "HOME": str(folder)}
        )
    try:
        yield
    finally:
        process.terminate()
        process.wait(WITHIN_S)


def the_laptop_reaches_the_server_alone(
    laptop: Machine, server: Machine, reader: Machine, relay: int
) -> None:
    """Nor does anybody reach the laptop: it listens for itself alone."""
    assert ["192.0.2.0/24"] == [line.split()[0] for line in laptop.run("ip", "route").splitlines()]
    assert {f"0100007F:{relay:04X}"} == laptop.listening()
    assert "0" == server.run("cat", "/proc/sys/net/ipv4/ip_forward").strip()
    for machine, other in (
        (laptop, "198.51.100.2"),
        (reader, "192.0.2.2"),
        (server, f"192.0.2.2:{relay}"),
    ):
        refused = machine.run("sh", "-c", f"curl --silent --max-time 9 {other} || echo $?")
        assert "7" == refused.strip()  # no connection, curl(1)


class Walk:
    """The steps of the page, with this machine's places in the place of those it names."""

    def __init__(self, folder: Path, machines: Machines) -> None:
        for name in ("rsync", "curl"):
            program(name)
        self.machines = machines
        self.server = folder / "server"
        self.bundle = self.server / "bundle"
        self.laptop = Project(folder / "laptop")
        for home in (self.server, self.laptop.home):
            home.mkdir()
        text = (ROOT / "docs" / "public.md").read_text(encoding="utf-8")
        steps = text.partition("## Laptop and server")[2].partition("\n## ")[0]
        self.changed = {
            "root@news.example.org:/var/lib/newsletter/": f"{self.bundle}/",
            " --owner --group --chown newsletter:newsletter": "",
            "/var/lib/newsletter": str(self.bundle),
            URL: machines.url,
            PORT: machines.port,
        }
        self.blocks = [(each["mark"], self.here(each["body"])) for each in BLOCK.finditer(steps)]
        (settings,) = self.of("laptop toml")
        self.laptop.settings(smtp_delivery(machines.relay.port) + settings)

    def of(self, mark: str) -> list[str]:
        return [body for each, body in self.blocks if each == mark]

    def here(self, text: str) -> str:
        for there, here in self.changed.items():
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
            [*self.machines.laptop, "bash", "-euo", "pipefail", "-c", script],
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
            [*self.machines.server, "bash", "-c", f"exec {script}"],
            cwd=self.server,
            env=self.environment(self.server),
        )
        try:
            deadline = time.monotonic() + WITHIN_S
            while self.machines.ask(f"{self.machines.url}/health") != (0, "ok\n"):
                assert time.monotonic() < deadline
                time.sleep(0.1)
            yield
        finally:
            process.send_signal(signal.SIGTERM)
            assert 0 == process.wait(WITHIN_S)


def mail_of(machines: Machines, reader: str) -> EmailMessage:
    (content,) = (mail.content for mail in machines.relay.accepted if mail.recipient == reader)
    mail = message_from_bytes(content, policy=policy.default)
    assert isinstance(mail, EmailMessage)
    return mail


def click(machines: Machines, reader: str) -> None:
    """A person who follows the link in the text of their mail, and its two buttons."""
    body = mail_of(machines, reader).get_body(("plain",))
    assert body is not None
    link = re.search(rf"{machines.url}/leave/\S+", body.get_content())
    assert link
    _, page = machines.ask(link[0])
    for step, more in (("leave", {}), ("sure", {"sure": "yes"})):
        time.sleep(2.1)  # nobody reads a page faster
        form = urlencode({**fields(page, step), **more})
        _, page = machines.ask("--data", form, link[0])
    assert '"do" value="undo"' in page


def press(machines: Machines, reader: str) -> None:
    """A mail program's button: RFC 8058 one-click."""
    mail = mail_of(machines, reader)
    link = re.fullmatch(rf"<({machines.url}/1/\S+)>", mail["List-Unsubscribe"])
    assert link
    ended, page = machines.ask("--data", mail["List-Unsubscribe-Post"], link[1])
    assert (0, True) == (ended, "You have left." in page)


@pytest.mark.parametrize(
    ("places", "leave"),
    [(two_folders, click), (two_networks, press)],
    ids=["two folders", "two networks"],
)
def test_from_nothing_to_a_leave_that_is_honoured(
    tmp_path: Path,
    places: Callable[[Path], AbstractContextManager[Machines]],
    leave: Callable[[Machines, str], None],
) -> None:
    with places(tmp_path) as machines:
        walk = Walk(tmp_path, machines)
        keys, copy, look, send = walk.of("laptop")
        walk.on_laptop(keys)
        walk.on_laptop(copy)
        assert 0o700 == walk.bundle.stat().st_mode & 0o777
        with walk.serving():
            said = walk.on_laptop(look)
            walk.on_laptop(send)
            assert set(READERS) == set(machines.relay.copies())
            leave(machines, READERS[1])
            (after,) = walk.of("laptop after the click")
            said += walk.on_laptop(after)
        shown = "".join(walk.of("shown")).splitlines()
        assert 4 == len(shown)
        assert [] == [line for line in shown if line not in said], said
        assert {READERS[0]: 2, READERS[1]: 1, READERS[2]: 2} == machines.relay.copies()
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
    with two_folders(tmp_path) as machines:
        walk = Walk(tmp_path, machines)
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
            click(machines, READERS[0])
            assert "1 person left" in walk.laptop.run("sync").stdout
