"""Messages a second with full safety, beside Postfix's smtp-source into the same sink.

One run alternates the two, round by round, so that both meet the same machine.
Ours is the whole road of a send from the frozen audience on: claim, compose,
durable ``attempting``, body, dot, reply, durable outcome; the ledger is on disk
with ``synchronous=FULL``. smtp-source (``-d``: keep connections) sends one
prepared message of the same size again and again and records nothing: the
limit of the sink and the machine.

Run: ``python -m benchmarks.throughput [--messages 2000] [--rounds 5]``
"""

import argparse
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from newsletter.delivery.plan import make_plan
from newsletter.delivery.queue import Queue
from newsletter.delivery.run import Run
from newsletter.ledger.states import State
from newsletter.ledger.versions import Approved
from newsletter.project import Project as Wired
from newsletter.project.compile import compile_issue
from newsletter.project.compose import compose_frozen, letterhead
from newsletter.project.transport import open_transport
from tests.support.project import Project, smtp_delivery
from tests.support.smtp_sink import Sink, smtp_sink
from tests.support.tools import program

CONNECTIONS = 10


def ours(
    sink: Sink,
    messages: int,
    *,
    rate: float | None = None,
    on_begin: Callable[[], None] = lambda: None,
) -> tuple[float, float, int]:
    """Seconds of the send, seconds of processor time in it, and octets a message.

    Args:
        sink: where the mail goes.
        messages: how many.
        rate: how many a second at most; None: as fast as it goes.
        on_begin: called when all is ready and the first one is about to leave.
    """
    paced = "" if rate is None else f"rate_per_second = {rate:.1f}\n"
    with tempfile.TemporaryDirectory() as folder:
        project = Project(
            Path(folder) / "project",
            delivery=smtp_delivery(sink.port, connections=CONNECTIONS, more=f"batch = 50\n{paced}")
            + "messages_per_connection = 10000\n",
            readers=messages,
        )
        project.use_march()
        wired = Wired(project.folder)
        compiled = compile_issue(wired, "2017-03")
        plan = make_plan(
            wired.roster(),
            issue="2017-03",
            edition_of=compiled.edition_of,
            tags_of=lambda address: [wired.keys.address_tag(address)],
            excluded_by=lambda *_: None,
            settings=wired.settings.delivery.model_copy(update={"canary_share": 0.0}),
        )
        ledger = wired.ledger(create=True)
        with ledger.transaction():
            campaign = ledger.campaigns.freeze(
                plan,
                Approved(compiled.editions, letterhead(wired.settings)),
                now=wired.clock.now(),
            )
        compose = compose_frozen(wired, ledger, campaign)
        first = plan.recipients[0].recipient
        size = len(compose(first, wired.clock.now(), 1).as_bytes())
        queue = Queue(
            ledger,
            campaign,
            transport=open_transport(wired),
            settings=wired.settings.delivery,
            clock=wired.clock,
            run_id="benchmark",
        )
        run = Run(queue, compose)
        on_begin()
        started, processor = time.perf_counter(), time.process_time()
        run.execute()
        seconds, spent = time.perf_counter() - started, time.process_time() - processor
        tally = ledger.campaigns.tally(campaign)
        ledger.close()
        assert tally.complete
        assert messages == tally[State.ACCEPTED]
        return seconds, spent, size


def smtp_source(sink: Sink, messages: int, size: int) -> float:
    """Seconds that smtp-source needs for as many messages of the same size."""
    command = [
        program("smtp-source"), "-d", "-s", str(CONNECTIONS), "-m", str(messages),
        "-l", str(size), f"127.0.0.1:{sink.port}",
    ]  # fmt: skip
    started = time.perf_counter()
    subprocess.run(command, check=True, timeout=300)
    return time.perf_counter() - started


def main() -> None:
    """Alternate the two and print medians and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--messages", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    messages = arguments.messages
    mine, limit = [], []
    with smtp_sink() as sink:
        for number in range(1, arguments.rounds + 1):
            seconds, spent, size = ours(sink, messages)
            theirs = smtp_source(sink, messages, size)
            mine.append(messages / seconds)
            limit.append(messages / theirs)
            print(
                f"round {number}: newsletter {messages / seconds:,.0f}/s "
                f"({spent / messages * 1000:.2f} ms of processor time a message), "
                f"smtp-source {messages / theirs:,.0f}/s, {size:,} octets each"
            )
    ratio = statistics.median(mine) / statistics.median(limit)
    print(
        f"median of {arguments.rounds}: newsletter {statistics.median(mine):,.0f}/s, "
        f"smtp-source {statistics.median(limit):,.0f}/s, ratio {ratio:.2f} "
        f"({messages} messages, {CONNECTIONS} connections, every one recorded durably)"
    )


if __name__ == "__main__":
    main()
