"""Durable leaves a second through ``newsletter serve``, and how long a reader waits.

The load generator is a process of its own. It posts each leave at its own moment
whatever the server does, over a new connection, and counts the wait from that
moment: a server that falls behind is not spared. Each leave is a token of its own.
At the end the log is opened: it must hold each leave that was answered.

Beside it stands a send at half of its best rate, in the second half of the runs.
The limits, measured in the same run: how many syncs a second the same disk makes,
and what the same generator gets from a Starlette app that writes nothing.

Run: ``python -m benchmarks.public [--rates 200 500] [--seconds 15]``
"""

import argparse
import asyncio
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from tests.support.smtp_sink import smtp_sink
from tests.support.tools import ROOT
from tests.web.process import ServerProcess, free_port, leave_token, write_bundle

from benchmarks.throughput import ours

BARE = """
import sys, uvicorn
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
async def answer(request):
    await request.body()
    return PlainTextResponse("You have left.\\n")
app = Starlette(routes=[Route("/health", answer), Route("/1/{token}", answer, methods=["POST"])])
uvicorn.run(app, port=int(sys.argv[1]), log_level="critical", access_log=False, loop="asyncio",
            http="h11", ws="none", lifespan="off")
"""
_TIMEOUT_S = 30.0


async def _post(port: int, token: str, due: float, waits: list[tuple[float, int]]) -> None:
    late = time.perf_counter() - due
    status = 0
    with contextlib.suppress(OSError, ValueError, asyncio.TimeoutError):
        async with asyncio.timeout(_TIMEOUT_S):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(
                f"POST /1/{token} HTTP/1.1\r\nHost: news.defenders.example\r\n"
                "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 26\r\n"
                "Connection: close\r\n\r\nList-Unsubscribe=One-Click".encode()
            )
            status = int((await reader.read(-1)).split(b" ", 2)[1])
            writer.close()
    waits.append((time.perf_counter() - due, status if late < _TIMEOUT_S else 0))


async def _offer(port: int, tokens: list[str], rate: float) -> list[tuple[float, int]]:
    waits: list[tuple[float, int]] = []
    start = time.perf_counter() + 0.2
    async with asyncio.TaskGroup() as group:
        for number, token in enumerate(tokens):
            due = start + number / rate
            if (pause := due - time.perf_counter()) > 0:
                await asyncio.sleep(pause)
            group.create_task(_post(port, token, due, waits))
    return waits


def generate(port: int, rate: float, seconds: float) -> None:
    """Be the load generator: tell on stdout what was answered."""
    made = [leave_token() for _ in range(int(rate * seconds))]
    started = time.perf_counter()
    waits = asyncio.run(_offer(port, [token for token, _ in made], rate))
    took = time.perf_counter() - started
    print(json.dumps({"waits": waits, "took": took, "campaigns": [c for _, c in made]}))


def processor_s(pid: int) -> float:
    """Seconds of processor time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def offer(port: int, pid: int, rate: float, seconds: float, what: str) -> list[str]:
    """Offer a load, print what came of it, and hand back the campaigns' tags of its tokens."""
    spent = processor_s(pid)
    command = [sys.executable, "-m", "benchmarks.public", "--generate", str(port), str(rate),
               str(seconds)]  # fmt: skip
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=300)
    told = json.loads(done.stdout)
    waits = sorted(wait * 1000 for wait, _ in told["waits"])
    statuses = Counter(status for _, status in told["waits"])
    good = statuses[200]
    share = {p: waits[min(len(waits) - 1, int(len(waits) * p / 100))] for p in (50, 95, 99)}
    print(
        f"{what}: {rate:.0f}/s offered, {good / told['took']:.0f}/s answered 200 "
        f"({good} of {len(waits)}), ms p50 {share[50]:.1f}, p95 {share[95]:.1f}, "
        f"p99 {share[99]:.1f}, most {waits[-1]:.0f}; "
        f"{(processor_s(pid) - spent) / len(waits) * 1000:.2f} ms of processor time each; "
        f"load average {os.getloadavg()[0]:.1f}",
        flush=True,
    )
    if good < len(waits):
        print(f"  not answered 200: {dict(statuses)}", flush=True)
    return list(told["campaigns"]) if good == len(waits) else []


def syncs_a_second(folder: Path, seconds: float = 3.0) -> None:
    """Print how many syncs of one more page this disk makes."""
    times = []
    with (folder / "syncs").open("wb", buffering=0) as file:
        until = time.perf_counter() + seconds
        while (began := time.perf_counter()) < until:
            file.write(b"x" * 4096)
            os.fdatasync(file.fileno())
            times.append(time.perf_counter() - began)
    times.sort()
    print(
        f"disk: {len(times) / seconds:.0f} syncs/s of 4 KiB each, "
        f"p99 {times[int(len(times) * 0.99)] * 1000:.1f} ms",
        flush=True,
    )


@contextlib.contextmanager
def bare_app() -> Iterator[tuple[int, int]]:
    """A Starlette app that writes nothing, on its port and process."""
    port = free_port()
    process = subprocess.Popen([sys.executable, "-c", BARE, str(port)])
    probe = ServerProcess(Path(), None)
    probe.port = port
    try:
        probe.wait_until_up(process)
        yield port, process.pid
    finally:
        process.terminate()
        process.wait(timeout=20)


def send(messages: int, rate: float) -> None:
    """Be the send: tell its rate on stdout."""
    with smtp_sink() as sink:
        seconds, _, _ = ours(
            sink, messages, rate=rate or None, on_begin=lambda: print("sending", flush=True)
        )
    print(messages / seconds)


@contextlib.contextmanager
def sending(messages: int, rate: float) -> Iterator[None]:
    """Send in a process of its own while the block runs; tell how fast it went."""
    command = [sys.executable, "-m", "benchmarks.public", "--send", str(messages), str(rate)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout
        assert process.stdout.readline() == "sending\n"
        yield
        best = float(process.stdout.readline())
        print(f"the send beside it: {best:.0f} messages/s, each recorded durably", flush=True)
    finally:
        process.terminate()
        process.wait(timeout=60)


def best_rate(messages: int) -> float:
    """Messages a second of a send that nothing holds back."""
    command = [sys.executable, "-m", "benchmarks.public", "--send", str(messages), "0"]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=300)
    return float(done.stdout.split()[-1])


def main() -> None:
    """Measure, and print one line for each run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rates", type=float, nargs="+", default=[200, 500])
    parser.add_argument("--seconds", type=float, default=15)
    parser.add_argument("--messages", type=int, default=2000)
    parser.add_argument("--generate", type=float, nargs=3, help=argparse.SUPPRESS)
    parser.add_argument("--send", type=float, nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.generate:
        port, rate, seconds = arguments.generate
        generate(int(port), rate, seconds)
        return
    if arguments.send:
        send(int(arguments.send[0]), arguments.send[1])
        return
    rates, seconds = arguments.rates, arguments.seconds
    with tempfile.TemporaryDirectory() as name:
        server = ServerProcess(write_bundle(Path(name) / "bundle"))
        syncs_a_second(server.folder)
        with bare_app() as (port, pid):
            for rate in rates:
                offer(port, pid, rate, seconds, "bare app, nothing written")
        told: list[str] = []
        with server.running() as process:
            for rate in rates:
                told += offer(server.port, process.pid, rate, seconds, "serve")
            best = best_rate(arguments.messages)
            print(f"a send alone: {best:.0f} messages/s", flush=True)
            for rate in rates:
                with sending(int(best / 2 * (seconds + 8)), best / 2):
                    told += offer(server.port, process.pid, rate, seconds, "serve, beside a send")
        kept = {event["campaign"] for event in server.events()}
        assert kept >= set(told)
        print(f"{len(told)} leaves were answered, and all of them are in the log")


if __name__ == "__main__":
    main()
