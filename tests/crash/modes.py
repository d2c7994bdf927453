"""The modes of the harness: which other side, which settings, which way to die."""

import random
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Protocol

from tests.crash import kills
from tests.crash.kills import Kill
from tests.crash.senders import Naive, Newsletter, Sender
from tests.crash.sides import RecordedArrivals, SinkArrivals, own_side, postfix_sink
from tests.crash.warm import Warm
from tests.support.project import Project, smtp_delivery

CONNECTIONS = 5
HTTP_WORKERS = 3
HTTP_BATCH = 10

Side = SinkArrivals | RecordedArrivals


class HasWarm(Protocol):
    """The warm processes that a job keeps."""

    @property
    def first(self) -> Warm: ...
    @property
    def second(self) -> Warm: ...


@dataclass(frozen=True)
class Mode:
    """One way to try the promise."""

    tells: str
    side: Callable[[Path, int], AbstractContextManager[Side]]
    delivery: Callable[[int], str]
    """newsletter.toml's [delivery] and what follows, from the side's port."""
    kill: Callable[[random.Random, HasWarm], Kill]
    readers: int
    bound: int
    """How many may be in doubt by one kill."""
    behaves: bool = True
    """Whether the side does; else it makes doubts of its own."""
    cold: bool = False
    """Whether each command is a fresh interpreter."""
    reconciles: bool = False
    """Whether ``newsletter reconcile`` settles every doubt in the end."""
    control: str = ""
    """The naive sender's manner, if it is the one."""
    env: Mapping[str, str] = field(default_factory=dict)

    def sender(self, folder: Path, port: int, warm: HasWarm, *, readers: int) -> Sender:
        """Lay out a project and whoever sends it."""
        project = Project(folder, delivery=self.delivery(port), readers=readers)
        if self.control:
            return Naive(project, port, self.control)
        return Newsletter(project, None if self.cold else warm.first, env=self.env)


def _own_sink(manner: str) -> Callable[[Path, int], AbstractContextManager[Side]]:
    return lambda folder, seed: own_side("rogue_sink", folder, manner, seed)


def _provider(manner: str) -> Callable[[Path, int], AbstractContextManager[Side]]:
    return lambda folder, seed: own_side("provider", folder, manner, seed)


def _sink(folder: Path, _seed: int) -> AbstractContextManager[Side]:
    return postfix_sink(folder)


def _smtp(port: int, *, more: str = "", timeouts: str = "") -> str:
    return smtp_delivery(port, connections=CONNECTIONS, more=f"batch = 20\n{more}") + timeouts


_IMPATIENT = partial(
    _smtp, more="retry_for_hours = 120", timeouts="timeout_s = 1\nfinal_timeout_s = 1\n"
)


def _http(name: str, table: str) -> Callable[[int], str]:
    return lambda port: (
        f'transport = "{name}"\nconnections = {HTTP_WORKERS}\nbatch = {HTTP_BATCH}\n'
        f'[{name}]\nbase_url = "http://127.0.0.1:{port}"\n{table}\n'
    )


def _random(within_s: float) -> Callable[[random.Random, HasWarm], Kill]:
    return lambda chance, _warm: kills.at_random(chance, within_s=within_s)


def _calls(calls: str, most: int) -> Callable[[random.Random, HasWarm], Kill]:
    return lambda chance, _warm: kills.at_calls(chance, calls, most=most)


def _smtp_mode(
    tells: str, kill: Callable[[random.Random, HasWarm], Kill], *, readers: int, cold: bool = False
) -> Mode:
    return Mode(tells, _sink, _smtp, kill, readers=readers, bound=CONNECTIONS, cold=cold)


def _rogue_mode(tells: str, manner: str) -> Mode:
    return Mode(
        tells,
        _own_sink(manner),
        _IMPATIENT,
        _random(0.25),
        readers=400,
        bound=CONNECTIONS,
        behaves=False,
    )


def _http_mode(tells: str, name: str, table: str, *, batch: int, reconciles: bool = False) -> Mode:
    return Mode(
        tells,
        _provider(name),
        _http(name, table),
        _random(0.15),
        readers=40 * batch,
        bound=HTTP_WORKERS * batch,
        reconciles=reconciles,
        env={"CRASH_KEY": "re_crash_0123456789"},
    )


def _control(manner: str) -> Mode:
    return Mode(
        f"The control: a naive sender whose checkpoint moves when a batch is {manner}",
        _sink,
        _smtp,
        _random(0.15),
        readers=800,
        bound=0,
        control=manner,
    )


MODES: dict[str, Mode] = {
    "smtp": _smtp_mode("SIGKILL at random moments", _random(0.15), readers=1000),
    "cold": _smtp_mode("likewise, each start a fresh interpreter", _random(0.3),
                       readers=1000, cold=True),
    "sync": _smtp_mode("SIGKILL at each disk sync", _calls(kills.SYNCS, 30), readers=400),
    "commit": _smtp_mode("SIGKILL at each disk write, so between reply and commit",
                         _calls(kills.DISK_WRITES, 120), readers=400),
    "write": _smtp_mode("SIGKILL at each socket write", _calls(kills.SOCKET_WRITES, 24),
                        readers=1000),
    "read": _smtp_mode("SIGKILL at each socket read, so between dot and reply",
                       _calls(kills.SOCKET_READS, 24), readers=1000),
    "drops": _rogue_mode("The sink hangs up, mostly after the dot", "drops"),
    "late": _rogue_mode("The sink answers late, or later than we wait", "late"),
    "garbage": _rogue_mode("The sink answers what is no SMTP", "garbage"),
    "half-open": _rogue_mode("The sink takes connections and never speaks", "half-open"),
    "refuses": _rogue_mode("The sink answers 4yz, 421 and 5yz at random", "refuses"),
    "odd": _rogue_mode("The sink does all of that", "odd"),
    "disk-full": _smtp_mode("The disk is full from some write on",
                            lambda chance, _: kills.on_a_full_disk(
                                chance, kills.at_random(chance, within_s=0.15)),
                            readers=800),
    "clock": _smtp_mode(
        "The clock is set back before and during each run",
        lambda chance, _: kills.with_the_clock_moved(
            chance, kills.at_random(chance, within_s=0.15)),
        readers=800),
    "rival": _smtp_mode(
        "A second process is started on the same campaign",
        lambda chance, warm: kills.with_a_rival(chance, warm.second, within_s=0.15),
        readers=800),
    "resend": _http_mode("A provider with idempotency keys", "resend",
                         'api_key = { env = "CRASH_KEY" }', batch=HTTP_BATCH, reconciles=True),
    "postmark": _http_mode("A provider that takes batches and knows no keys", "postmark",
                           'server_token = { env = "CRASH_KEY" }', batch=HTTP_BATCH),
    "mailgun": _http_mode(
        "A provider that takes one mail a call and knows no keys", "mailgun",
        'api_key = { env = "CRASH_KEY" }\ndomain = "news.defenders.example"', batch=1),
    "control-fetched": _control("fetched"),
    "control-sent": _control("sent"),
}  # fmt: skip

SMTP = tuple(name for name, mode in MODES.items() if mode.bound == CONNECTIONS)
HTTP = ("resend", "postmark", "mailgun")
CONTROL = ("control-fetched", "control-sent")
