"""How rightly refusals are judged: simulated lists and relays, with trouble at a random moment.

Each send has its own list, with a share of bad addresses whose refusals do or do not
name the mailbox, several connections, and at most one trouble, which begins at a random
moment and lasts. The ledger, the queue's judgement and the policy are the real ones; the
relay and the time are simulated. When a run has stopped, or everybody waits, it is
counted who was refused for good and should not have been.

Run: ``python -m benchmarks.judgement [--sends 2] [--readers 600] [--seed 1]``
"""

import argparse
import heapq
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import product

from newsletter.addresses import Address
from newsletter.delivery.evidence import Evidence
from newsletter.delivery.policy import rule_for
from newsletter.ledger.deliveries import Claim
from newsletter.ledger.states import State, Step
from newsletter.message.model import Recipient
from newsletter.transports.protocol import Accepted, Outcome
from newsletter.transports.smtp_reply import Reply, Stage, refusal

_START = datetime(2026, 11, 1, tzinfo=UTC)
_CONNECTIONS = 8
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


@dataclass
class Result:
    """What one send came to.

    ``blamed`` are good addresses refused for good or given up, ``kept`` bad ones put back,
    ``stopped`` tells whether the run stopped or waited; ``heard`` how often trouble was heard.
    """

    stopped: bool = False
    blamed: int = 0
    kept: int = 0
    heard: int = 0


class Send:
    """One send over several connections, in simulated time."""

    def __init__(
        self, chance: random.Random, *, readers: int, bad: float, said: str, trouble: Trouble | None
    ) -> None:
        self._chance = chance
        self._said = said
        self._trouble = trouble
        self._evidence = Evidence()
        self._bad = {n for n in range(readers) if chance.random() < bad}
        self._begins_at = chance.uniform(0, readers * 0.2 / _CONNECTIONS)
        self._waiting = list(range(readers - 1, -1, -1))
        self._domains = {
            n: _BIG if chance.random() < 0.3 else f"d{chance.randrange(readers)}.example"
            for n in range(readers)
        }
        self._state: dict[int, State] = {}
        self._order = 0

    def run(self) -> Result:
        """Send until nobody waits, or the run stops or waits."""
        result, now, ends = Result(), 0.0, False
        flying: list[tuple[float, int, int, float | None, Outcome]] = []
        while flying or (self._waiting and not ends):
            while self._waiting and not ends and len(flying) < _CONNECTIONS:
                heapq.heappush(flying, self._attempt(self._waiting.pop(), now))
            now, number, reader, began, outcome = heapq.heappop(flying)
            ends |= self._note(number, reader, began, outcome, now, flying, result)
        for found in self._evidence.at_the_end(now):
            result.stopped = True
            self._put_back(found.claims)
        for reader, state in self._state.items():
            result.blamed += state is State.REJECTED and reader not in self._bad
        result.kept = sum(self._state.get(n) is State.PENDING for n in self._bad)
        return result

    def _attempt(self, reader: int, now: float) -> tuple[float, int, int, float | None, Outcome]:
        """When it ends, its number, whose it is, since when it may be accepted, and its outcome."""
        self._order += 1
        rcpt = now + self._chance.uniform(0.01, 0.06)
        dot = rcpt + self._chance.expovariate(1 / 0.15)
        if reader in self._bad:
            return (
                rcpt,
                self._order,
                reader,
                None,
                _outcome(self._address(reader, self._said), Stage.RCPT),
            )
        trouble = self._trouble
        if trouble and trouble.only in {"", self._domains[reader]}:
            at = rcpt if trouble.stage is Stage.RCPT else dot
            if at >= self._begins_at:
                began = None if trouble.stage is Stage.RCPT else rcpt
                return at, self._order, reader, began, _outcome(trouble.reply, trouble.stage)
        return dot, self._order, reader, rcpt, Accepted("250 ok")

    def _address(self, reader: int, said: str) -> str:
        return said.format(f"r{reader}@{self._domains[reader]}")

    def _note(
        self,
        number: int,
        reader: int,
        began: float | None,
        outcome: Outcome,
        now: float,
        flying: list[tuple[float, int, int, float | None, Outcome]],
        result: Result,
    ) -> bool:
        """Write an outcome down as the queue does; whether nothing more begins."""
        result.heard += not isinstance(outcome, Accepted) and reader not in self._bad
        found = self._evidence.judge(
            _claim(reader, self._domains[reader]),
            outcome,
            call=None if began is None else number,
            began_at=now if began is None else began,
            now=now,
            on_the_way=lambda: sum(each[3] is not None and each[3] <= now for each in flying),
        )
        step = Step.RETURN if found else rule_for(outcome).step
        self._state[reader] = {
            Step.ACCEPT: State.ACCEPTED,
            Step.REJECT: State.REJECTED,
            Step.RETURN: State.PENDING,
            Step.DEFER: State.DEFERRED,
        }[step]
        if found is None:
            ends = step is Step.RETURN
            result.stopped |= ends
            return ends
        self._put_back(found.claims)
        if found.domain:
            self._waiting = [n for n in self._waiting if self._domains[n] != found.domain]
            return False
        result.stopped = True
        return True

    def _put_back(self, claims: Sequence[Claim]) -> None:
        for claim in claims:
            if self._state.get(claim.id) in {State.REJECTED, State.DEFERRED}:
                self._state[claim.id] = State.PENDING


def _outcome(text: str, stage: Stage) -> Outcome:
    return refusal(Reply(int(text[:3]), text[4:]), stage)


def _claim(reader: int, domain: str) -> Claim:
    recipient = Recipient(Address(f"r{reader}", domain), "", "en", {})
    return Claim(reader, recipient, 1, _START, None, 1)


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
            send = Send(chance, readers=arguments.readers, bad=bad, said=said, trouble=trouble)
            result = send.run()
            here += Counter(
                sends=1, stopped=result.stopped, blamed=result.blamed, kept=result.kept,
                with_blamed=result.blamed > 0,
            )  # fmt: skip
        kind = "trouble" if trouble else "sound"
        sums.update({f"{kind} {key}": count for key, count in here.items()})
        print(
            f"{trouble.name if trouble else 'no trouble'}: {here['sends']} sends, "
            f"{here['stopped']} stopped or waited, {here['blamed']} good addresses wrongly "
            f"refused in {here['with_blamed']} sends, {here['kept']} bad ones put back",
            flush=True,
        )
    print(
        f"wrongly refused: {sums['trouble blamed'] + sums['sound blamed']}; "
        f"sound sends stopped: {sums['sound stopped']} of {sums['sound sends']}; "
        f"bad addresses put back: {sums['trouble kept'] + sums['sound kept']}"
    )


if __name__ == "__main__":
    main()
