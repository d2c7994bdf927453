"""How rightly refusals are judged: real runs against a simulated relay, with trouble.

Each send has its own list, with a share of bad addresses whose refusals do or do not
name the mailbox, several connections, and at most one trouble, which begins at a random
moment and lasts. Run, queue, ledger and judgement are the real ones; only the relay is
simulated. When a run has ended, it is counted who was refused for good and should not
have been.

Run: ``python -m benchmarks.judgement [--sends 2] [--readers 600] [--seed 1]``
"""

import argparse
import random
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path

from newsletter.addresses import Address
from newsletter.config import Delivery
from newsletter.delivery.queue import Queue
from newsletter.delivery.run import Run
from newsletter.errors import TransportStopped
from newsletter.ledger.ledger import Ledger
from newsletter.ledger.plan import Plan, Planned
from newsletter.ledger.states import State
from newsletter.ledger.versions import Approved
from newsletter.message.keys import KeyRing
from newsletter.message.model import Message, Recipient
from newsletter.render.edition import Edition
from newsletter.testing import FakeMessage
from newsletter.transports.protocol import (
    Accepted,
    Allowance,
    Deferred,
    Journal,
    Rejected,
    Scope,
)
from newsletter.transports.smtp_reply import Reply, Stage, refusal

_EDITION = Edition("2026-11", "en", "News", "", "<p>News</p>", "News\n", ())
_CONNECTIONS = 8
_LONGEST_S = 0.003
"""What an answer to the dot takes on average; the ledger's writes take about as long."""
_BIG = "big.example"


@dataclass(frozen=True)
class Trouble:
    """What a relay says once the trouble has begun, to ``share`` of the messages.

    ``only`` is the domain whose readers hear it; empty: all do.
    """

    name: str
    stage: Stage
    reply: str
    only: str = ""


TROUBLES = (
    Trouble("sender refused at RCPT", Stage.RCPT,
            "553 5.7.1 <news@a.example>: Sender address rejected: not owned by user x"),
    Trouble("sender refused in Spanish", Stage.RCPT, "550 Remitente no autorizado"),
    Trouble("sender refused in German, wrong code", Stage.DOT, "550 5.1.1 Absender gesperrt"),
    Trouble("bad outbound sender", Stage.DOT, "550 5.1.8 Access denied, bad outbound sender"),
    Trouble("submission quota", Stage.DOT,
            "554 5.2.0 SubmissionQuotaExceededException; the sender's submission quota"),
    Trouble("quota in other words", Stage.RCPT, "550 You have sent enough for today"),
    Trouble("session limit", Stage.DOT, "451 Mails per session limit exceeded."),
    Trouble("address block-listed", Stage.RCPT,
            "554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using zen.example"),
    Trouble("address block-listed, for now", Stage.RCPT,
            "450 4.7.1 Client host rejected: cannot find your hostname, [192.0.2.1]"),
    Trouble("login expired", Stage.RCPT, "530 5.7.1 Authentication required"),
    Trouble("relaying denied, in other words", Stage.RCPT, "550 5.7.1 Not local, no relay"),
    Trouble("disk full", Stage.DOT, "452 4.3.1 Insufficient system storage"),
    Trouble("disk full, in other words", Stage.DOT, "451 Could not write the queue file"),
    Trouble("content refused", Stage.DOT, "554 5.7.1 Message rejected as spam by Content Filter"),
    Trouble("content refused without words", Stage.DOT, "554 Transaction failed"),
    Trouble("DMARC", Stage.DOT, "550 5.7.1 not accepted due to the domain's DMARC policy"),
    Trouble("rate", Stage.RCPT, "451 4.7.1 too fast, slow down"),
    Trouble("one big domain refuses us", Stage.RCPT, "554 5.7.1 we had enough of you", _BIG),
    Trouble("one big domain defers us", Stage.RCPT, "421-4.7.0 [TSS04] Messages deferred", _BIG),
    Trouble("recipient refused without words", Stage.RCPT, "550 5.1.1 Rejected"),
    Trouble("lookup fails", Stage.RCPT, "451 4.3.5 Server configuration problem"),
    Trouble("timeouts", Stage.DOT, "450 4.4.2 timeout while waiting for the filter"),
)  # fmt: skip
BAD = (
    "550 5.1.1 <{0}>: Recipient address rejected: User unknown",
    "550 no",
    "550 5.4.1 Recipient address rejected: Access denied",
)
"""How the relay refuses a bad address: it names the mailbox, says nothing, or nearly."""


@dataclass(frozen=True)
class Result:
    """What one send came to.

    ``stopped`` tells whether the run stopped or everybody waited; ``blamed`` are good
    addresses refused for good, ``kept`` bad ones put back, ``held`` good ones that wait
    for their domain.
    """

    stopped: bool
    blamed: int
    kept: int
    held: int


class Clock:
    """The machine's clock, but whoever waits goes on at once, and the time is that much later."""

    def __init__(self) -> None:
        self._skipped_s = 0.0

    def now(self) -> datetime:
        """The time, with what was skipped."""
        return datetime.now(UTC) + timedelta(seconds=self._skipped_s)

    def monotonic(self) -> float:
        """Seconds, with those skipped."""
        return time.monotonic() + self._skipped_s

    def sleep(self, seconds: float) -> None:
        """Skip ``seconds``. Of two threads that skip at a time, one may count alone."""
        self._skipped_s += seconds


class Relay:
    """A simulated relay, as a transport: it refuses bad addresses, and has its trouble.

    Args:
        chance: what is random.
        bad: the addresses that it does not know.
        said: how it refuses them.
        trouble: what it says once the trouble has begun; None: it has none.
        begins: how many answers it gives before that.
    """

    name = place = "simulated"
    batch_size = 1
    allowance = Allowance()
    notices = ()

    def __init__(
        self,
        chance: random.Random,
        *,
        bad: frozenset[Address],
        said: str,
        trouble: Trouble | None,
        begins: float,
    ) -> None:
        self._chance = chance
        self._bad = bad
        self._said = said
        self._trouble = trouble
        self._left = begins
        self._lock = threading.Lock()

    def open(self) -> "_Session":
        """Start a session."""
        return _Session(self)

    def examine(self, message: Message) -> None:
        """Any message can go."""

    def status_lookup(self) -> None:
        """Nobody can be asked."""

    def close(self) -> None:
        """Nothing is shared."""

    def answer(self, address: Address, stage: Stage) -> Deferred | Rejected | None:
        """What it answers to RCPT or the dot after a while; None: it goes on, or is taken."""
        with self._lock:
            while_s = (
                self._chance.uniform(0.1, 0.4) * _LONGEST_S
                if stage is Stage.RCPT
                else self._chance.expovariate(1 / _LONGEST_S)
            )
        time.sleep(while_s)
        with self._lock:
            self._left -= 1
            begun = self._left < 0
        if address in self._bad:
            return _refusal(self._said.format(address), stage)
        trouble = self._trouble
        if trouble and begun and stage is trouble.stage and trouble.only in {"", address.domain}:
            return _refusal(trouble.reply, stage)
        return None


class _Session:
    def __init__(self, relay: Relay) -> None:
        self._relay = relay

    def deliver(self, messages: Sequence[Message], journal: Journal) -> None:
        """Hand over ``messages``: RCPT, the durable record, the dot."""
        for message in messages:
            address = message.envelope_to
            said = self._relay.answer(address, Stage.RCPT)
            if said is None:
                if not journal.attempt([message]).wait():
                    return
                said = self._relay.answer(address, Stage.DOT)
            journal.record(message, said or Accepted("250 ok"))
            if said is not None and said.scope is not Scope.RECIPIENT:
                return

    def close(self) -> None:
        """Nothing to close."""


def send(
    chance: random.Random,
    *,
    readers: int,
    bad: float,
    said: str,
    trouble: Trouble | None,
    begins: float | None = None,
) -> Result:
    """Send once to a random list.

    Args:
        chance: what is random, but for the order in which threads run.
        readers: how many.
        bad: the share of bad addresses.
        said: how the relay refuses them.
        trouble: what it has; None: nothing.
        begins: after how much of the send; None: at random.
    """
    people = [_planned(chance, number, readers) for number in range(readers)]
    addresses = [each.recipient.address for each in people]
    unknown = frozenset(each for each in addresses if chance.random() < bad)
    begins = chance.random() if begins is None else begins
    answers = begins * (2 * readers - len(unknown))
    relay = Relay(chance, bad=unknown, said=said, trouble=trouble, begins=answers)
    with tempfile.TemporaryDirectory() as folder:
        ledger = Ledger(Path(folder) / "newsletter.db", KeyRing(bytes(32), {1: bytes(32)}))
        clock = Clock()
        with ledger.transaction():
            campaign = ledger.campaigns.freeze(
                Plan("2026-11", listed=readers, recipients=tuple(people), excluded={}),
                Approved({"en": _EDITION}, "{}"),
                now=clock.now(),
            )
        settings = Delivery(connections=_CONNECTIONS, wait_minutes=0, stop_above=1)
        queue = Queue(
            ledger, campaign, transport=relay, settings=settings, clock=clock, run_id="simulated"
        )
        try:
            Run(queue, _compose).execute()
            stopped = queue.pacer.blocked_s() > 0
        except TransportStopped:
            stopped = True
        rows = list(ledger.deliveries.all_of(campaign.id))
        ledger.close()
    good, others = Counter[State](), Counter[State]()
    for row in rows:
        if Address.parse(row.address) not in unknown:
            good[row.state] += 1
        elif row.reply:
            others[row.state] += 1
    waits = good[State.PENDING] + good[State.DEFERRED]
    return Result(stopped, good[State.REJECTED], others[State.PENDING], 0 if stopped else waits)


def _planned(chance: random.Random, number: int, readers: int) -> Planned:
    domain = _BIG if chance.random() < 0.3 else f"d{chance.randrange(readers)}.example"
    recipient = Recipient(Address(f"r{number}", domain), "", "en", {})
    return Planned(recipient, tag=f"tag{number}".encode())


def _compose(recipient: Recipient, date: datetime, version: int) -> FakeMessage:
    return FakeMessage(recipient.address, date=date, version=version)


def _refusal(text: str, stage: Stage) -> Deferred | Rejected:
    return refusal(Reply(int(text[:3]), text[4:]), stage)


def main() -> None:
    """Print a line for each trouble, one for the sound lists, and the sums."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--sends", type=int, default=2, help="sends of each kind")
    parser.add_argument("--readers", type=int, default=600)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    sums = Counter[str]()
    for trouble in (None, *TROUBLES):
        here = Counter[str]()
        for bad, said, number in product((0.0, 0.05, 0.1, 0.2), BAD, range(arguments.sends)):
            name = trouble.name if trouble else "sound"
            chance = random.Random(f"{arguments.seed} {name} {bad} {said} {number}")
            result = send(chance, readers=arguments.readers, bad=bad, said=said, trouble=trouble)
            here += Counter(
                sends=1, stopped=result.stopped, blamed=result.blamed, kept=result.kept,
                with_blamed=result.blamed > 0, held=result.held,
            )  # fmt: skip
        kind = "trouble" if trouble else "sound"
        sums.update({f"{kind} {key}": count for key, count in here.items()})
        print(
            f"{trouble.name if trouble else 'no trouble'}: {here['sends']} sends, "
            f"{here['stopped']} stopped or waited, {here['blamed']} good addresses wrongly "
            f"refused in {here['with_blamed']} sends, {here['held']} waiting for their domain, "
            f"{here['kept']} bad ones put back",
            flush=True,
        )
    print(
        f"wrongly refused: {sums['trouble blamed'] + sums['sound blamed']}; "
        f"sound sends stopped: {sums['sound stopped']} of {sums['sound sends']}; "
        f"bad addresses put back: {sums['trouble kept'] + sums['sound kept']}"
    )


if __name__ == "__main__":
    main()
