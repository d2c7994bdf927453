"""A list with its public side as it really is: a server, a relay, and two laptops with its keys.

The server is the ASGI application over its own log, asked without a socket; mail goes to a
relay that we did not write; each laptop has a project's folder and a state folder. One
clock runs for all of them, and stands still unless somebody moves it.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import shutil
import sqlite3
import threading
import time
import urllib.parse
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest import mock

from newsletter.config import Settings
from newsletter.ledger.campaigns import Campaign
from newsletter.ledger.tally import Tally
from newsletter.message.keys import KeyRing
from newsletter.project import Project, plan
from newsletter.project import project as project_module
from newsletter.project.backup import back_up, restore
from newsletter.project.compile import CompiledIssue, compile_issue
from newsletter.project.log_reader import SyncResult
from newsletter.project.plan import SendOptions, examine, freeze, prepare_to_freeze
from newsletter.project.resume import ready
from newsletter.project.rights import forget
from newsletter.project.send import run_campaign
from newsletter.project.sign_ups import Asked, ask_returning
from newsletter.project.sync import read_before_send, sync
from newsletter.project.transport import open_transport
from newsletter.testing import FrozenClock
from newsletter.theme_files import load_theme
from newsletter.transports.protocol import Transport
from newsletter.web.app import create_app
from newsletter.web.bundle import Bundle
from newsletter.web.confirmations import Confirmations
from newsletter.web.log import PublicLog

from tests.support.project import SETTINGS, SHORT_ISSUE, smtp_delivery
from tests.support.public_side import public_settings
from tests.support.tools import ROOT
from tests.web.relay import FROM, Relay, Taken, confirmations_to

URL = "https://news.defenders.example"
START = datetime(2027, 3, 1, 9, tzinfo=UTC)
_WITHIN_S = 30
_READ_EVERY_S = 0.01
_FRENCH = """\
title: Avril 2017
date: 2017-04-28
language: fr
subject: Un récit en avril
preheader: Une lettre courte pour essayer tout le chemin
greeting: "Bonjour {{ name | à toutes et à tous }},"
stories:
  - id: only
    headline: Le seul récit du mois
    blurb: Il est court, et cela suffit à ce qu’on veut en faire ici.
    links:
      - label: Le récit en entier
        url: https://defenders.example/only
"""
_FORM = re.compile(r"<form\b.*?</form>", re.DOTALL)
_HIDDEN = re.compile(r'<input type="hidden" name="(\w+)" value="([^"]*)"')


@dataclass(frozen=True)
class Answer:
    """What the server answered."""

    status: int
    text: str

    def form(self, do: str) -> dict[str, str]:
        """The hidden fields of the form whose button does this; none if there is no such form."""
        forms = [dict(_HIDDEN.findall(form)) for form in _FORM.findall(self.text)]
        return next((fields for fields in forms if fields.get("do") == do), {})


@dataclass(frozen=True)
class Letter:
    """One reader's copy of an issue, with the paths of its links."""

    reader: str
    language: str
    header: str
    page: str
    preferences: str
    at: float

    @classmethod
    def of(cls, taken: Taken, at: float) -> Letter:
        mail = taken.mail
        text = mail.get_body(("plain",))
        assert text is not None
        told = f"{mail['List-Unsubscribe']}\n{text.get_content()}"
        links = re.findall(rf"{URL}(/[^\s>]+)", told)
        header, page, preferences = (
            next((link for link in links if link.startswith(start)), "")
            for start in ("/1/", "/leave/", "/preferences/")
        )
        language = mail["Content-Language"]
        return cls(taken.recipient, language, header, page, preferences, at)


class ServerClock:
    """The clock of the server, which may be wrong."""

    def __init__(self, clock: FrozenClock) -> None:
        self._clock = clock
        self.wrong_by_s = 0.0

    def now(self) -> datetime:
        return self._clock.now() + timedelta(seconds=self.wrong_by_s)

    def monotonic(self) -> float:
        return self._clock.monotonic()

    def sleep(self, seconds: float) -> None:
        self._clock.sleep(seconds)


class Server:
    """The public server; a restart forgets what it has in memory alone."""

    def __init__(
        self, folder: Path, bundle: Bundle, confirmations: Confirmations, clock: FrozenClock
    ) -> None:
        self._bundle = bundle
        self._confirmations = confirmations
        self.clock = ServerClock(clock)
        self.log_file = folder / "public.db"
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self._start()

    def _start(self) -> None:
        self.log = PublicLog(self.log_file, clock=self.clock)
        self._app = create_app(
            self._bundle,
            self._bundle.pages(),
            self.log,
            confirmations=self._confirmations,
            clock=self.clock,
        )

    def restart(self) -> None:
        self.log.close()
        self._start()

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self.log.close()

    def get(self, path: str) -> Answer:
        return self._ask("GET", path, b"")

    def post(self, path: str, fields: dict[str, str] | None = None) -> Answer:
        return self._ask("POST", path, urllib.parse.urlencode(fields or {}).encode())

    def _ask(self, method: str, path: str, body: bytes) -> Answer:
        asked = asyncio.run_coroutine_threadsafe(self._answer(method, path, body), self._loop)
        return asked.result(_WITHIN_S)

    async def _answer(self, method: str, path: str, body: bytes) -> Answer:
        parts = urllib.parse.urlsplit(path)
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "https",
            "path": urllib.parse.unquote(parts.path),
            "raw_path": parts.path.encode(),
            "query_string": parts.query.encode(),
            "root_path": "",
            "headers": [(b"host", b"news.defenders.example")],
            "client": ("192.0.2.1", 4711),
            "server": ("127.0.0.1", 443),
        }
        sent: list[Any] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Any) -> None:
            sent.append(message)

        await self._app(scope, receive, send)
        content = b"".join(message.get("body", b"") for message in sent)
        return Answer(sent[0]["status"], content.decode())


class _Observer:
    """Watches a run without a word, and can stop it."""

    def __init__(self) -> None:
        self.stop: Callable[[], None] = lambda: None

    @contextlib.contextmanager
    def running(self, tally: Tally, *, stop: Callable[[], None]) -> Iterator[None]:
        del tally
        self.stop = stop
        yield

    def on_outcome(self, outcome: object) -> None:
        pass

    def on_wait(self, words: str | None, until: datetime | None) -> None:
        pass


class Laptop:
    """A project's folder with its state folder, on a machine of its own."""

    def __init__(self, folder: Path, clock: FrozenClock, settings: str) -> None:
        self.name = folder.name
        self.folder = folder
        self._clock = clock
        self._observer = _Observer()
        (folder / "issues").mkdir(parents=True)
        (folder / "templates").symlink_to(ROOT / "templates")
        (folder / "newsletter.toml").write_text(settings)

    def list_of(self, readers: list[str]) -> None:
        rows = "".join(f"{reader},en\n" for reader in readers)
        (self.folder / "subscribers.csv").write_text(f"email,language\n{rows}")

    def write_issue(self, name: str) -> None:
        issues = self.folder / "issues"
        (issues / f"{name}.yaml").write_text(SHORT_ISSUE)
        (issues / f"{name}.fr.yaml").write_text(_FRENCH)

    @contextlib.contextmanager
    def here(self) -> Iterator[Project]:
        """Work on this machine, in the project's folder."""
        with (
            mock.patch("newsletter.ledger.copy_guard.machine_name", return_value=self.name),
            mock.patch.object(project_module, "SystemClock", return_value=self._clock),
            contextlib.chdir(self.folder),
        ):
            project = Project(self.folder)
            project.settings, project.theme = _hasty(project.settings), _THEME
            yield project

    def sync(self, *, again: bool = False) -> SyncResult:
        with self.here() as project:
            return sync(project, again=again)

    def ask_returning(self) -> Asked:
        with self.here() as project:
            return ask_returning(project)

    def forget(self, reader: str) -> None:
        with self.here() as project:
            forget(project, reader)

    def back_up(self, file: Path) -> None:
        with self.here() as project:
            back_up(project, file)

    def restore(self, file: Path) -> None:
        with self.here():
            assert restore(file, agree=lambda _, __: True, on_placed=lambda _: None)

    def send(self, issue: str) -> None:
        """As “newsletter send” does; to those who do not have the issue yet."""
        with self.here() as project, project.lock() as check_lock:
            prepared = prepare_to_freeze(project, issue, SendOptions())
            if not prepared.plan.recipients:
                return
            with closing(open_transport(project)) as transport:
                examine(project, prepared, transport)
                self._run(project, freeze(project, prepared), transport, check_lock)

    def stop(self) -> None:
        """As Ctrl-C does in a send."""
        self._observer.stop()

    def resume(self, issue: str) -> None:
        """As “newsletter resume” does."""
        with self.here() as project, project.lock() as check_lock:
            waiting = ready(project, issue, as_frozen=True, late=False)
            read_before_send(project, required=True)
            with closing(open_transport(project)) as transport:
                for each in waiting:
                    self._run(project, each.campaign, transport, check_lock)

    def _run(
        self,
        project: Project,
        campaign: Campaign,
        transport: Transport,
        check_lock: Callable[[], None],
    ) -> None:
        done = run_campaign(project, campaign, transport, self._observer, check_lock=check_lock)
        assert done.failure is None
        assert done.log_account == ""

    def addresses(self) -> set[str]:
        """All that the ledger names."""
        with closing(sqlite3.connect(self.folder / "newsletter.db")) as db:
            rows = db.execute("SELECT address FROM sign_up UNION SELECT address FROM delivery")
            return {address for (address,) in rows}

    def has_read_up_to(self, seq: int) -> bool:
        """Whether the ledger holds all of the log up to there; asked beside a run."""
        with closing(sqlite3.connect(self.folder / "newsletter.db")) as db:
            row = db.execute("SELECT value FROM meta WHERE key = 'log_seq'").fetchone()
        return row is not None and int(row[0]) >= seq


def _hasty(settings: Settings) -> Settings:
    """With a log that is read far more often in a send than a person may say."""
    if settings.public is None:
        return settings
    public = settings.public.model_copy(update={"read_every_s": _READ_EVERY_S})
    return settings.model_copy(update={"public": public})


class World:
    """Everything there is, in a folder."""

    def __init__(self, folder: Path, relay: Relay, confirmations: Confirmations) -> None:
        self.clock = FrozenClock(START)
        self.relay = relay
        more = f'log = "{folder}/server/public.db"\nconfirm_from = "{FROM}"'
        self.laptops = [
            Laptop(
                folder / name,
                self.clock,
                SETTINGS
                + smtp_delivery(
                    relay.port, connections=1, more=f'state_folder = "{folder}/{name}-state"'
                )
                + public_settings(URL, more),
            )
            for name in ("first", "second")
        ]
        first, second = (laptop.folder for laptop in self.laptops)
        KeyRing.load_or_create(first / "newsletter.key")
        shutil.copy(first / "newsletter.key", second)
        for laptop in self.laptops:
            laptop.write_issue("issue-1")
        (folder / "server").mkdir()
        self.server = Server(
            folder / "server", Bundle.of(Project(first)), confirmations, self.clock
        )
        self._read = len(relay.mails)

    def close(self) -> None:
        self.server.close()

    def letters(self) -> list[Letter]:
        """The copies of issues that came since the last time this was asked."""
        new, self._read = self.relay.mails[self._read :], len(self.relay.mails)
        at = self.clock.now().timestamp()
        return [Letter.of(taken, at) for taken in new if taken.sender != FROM]

    def wait_for_mail(self, reader: str, after: int) -> str:
        """The path of the link in the one mail that comes after so many others."""
        (taken,) = self.relay.wait_for(after + 1)[after:]
        assert (FROM, reader) == (taken.sender, taken.recipient)
        return taken.link.removeprefix(URL)

    def wait_until_read(self, laptop: Laptop) -> None:
        """Until a send has read the log, which it does every so often."""
        last = self.server.log.page(0, 0).last
        until = time.monotonic() + _WITHIN_S
        while not laptop.has_read_up_to(last) and time.monotonic() < until:
            time.sleep(0.002)


@contextlib.contextmanager
def world_in(folder: Path, relay: Relay) -> Iterator[World]:
    """A world, while the block runs."""
    with confirmations_to(relay) as confirmations, compiled_once():
        world = World(folder, relay, confirmations)
        with contextlib.closing(world):
            yield world


_THEME = load_theme(ROOT / "templates" / "default")
_COMPILED: dict[Any, Any] = {}


@contextlib.contextmanager
def compiled_once() -> Iterator[None]:
    """Compile pages and issues for the first world alone: in all of them they are the same."""
    pages_of = Bundle.pages

    def once(key: Any, compiled: Callable[[], Any]) -> Any:
        if key not in _COMPILED:
            _COMPILED[key] = compiled()
        return _COMPILED[key]

    def pages(bundle: Bundle) -> Any:
        return once(bundle.languages, lambda: pages_of(bundle))

    def issue(project: Project, name: str) -> CompiledIssue:
        # Mail links to a public side only where there is one.
        has_public_side = project.settings.public is not None
        compiled = once((name, has_public_side), lambda: compile_issue(project, name))
        assert isinstance(compiled, CompiledIssue)
        return compiled

    with (
        mock.patch.object(Bundle, "pages", pages),
        mock.patch.object(plan, "compile_issue", issue),
    ):
        yield
