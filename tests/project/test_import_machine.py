"""Imports, reverts, leaves, returns and erasures in any order: nobody who left is mailed."""

import tempfile
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from newsletter.addresses import Address
from newsletter.ledger.sign_ups import SignUp
from newsletter.ledger.suppressions import Leave, Reason, Return
from newsletter.project import Project
from newsletter.project.imports import revert
from newsletter.project.rights import forget, keep_promises
from newsletter.testing import FrozenClock

from tests.project.moves import moved, written
from tests.support.project import Project as Folder

NAMES = ("anna", "ben", "cy")
WORDS = {
    "in": "regular", "wait": "unactivated", "never": "spammy", "dead": "undeliverable",
    "left": "unsubscribed", "spam": "complained",
}  # fmt: skip
SUPPRESS = ("dead", "left", "spam")
START = datetime(2024, 1, 1, tzinfo=UTC).timestamp()
people = st.sampled_from(NAMES)


class Moves(RuleBasedStateMachine):
    """The program, beside a model that knows events and nothing of tables."""

    def __init__(self) -> None:
        super().__init__()
        self._room = tempfile.TemporaryDirectory()
        folder = Folder(Path(self._room.name) / "project")
        (folder.folder / "subscribers.csv").unlink()
        self.project = Project(folder.folder)
        self.time = START
        self.imports: list[dict[str, Any]] = []
        self.leaves: list[tuple[str, float]] = []
        self.returns: list[tuple[str, float]] = []
        self.sign_ups: list[tuple[str, float]] = []
        self.tick()

    def teardown(self) -> None:
        self._room.cleanup()

    def tick(self) -> float:
        self.time += 3600
        self.project.clock = FrozenClock(datetime.fromtimestamp(self.time, UTC))  # type: ignore[assignment]
        return self.time

    def tag(self, name: str) -> bytes:
        return self.project.keys.address_tag(self.address(name))

    @staticmethod
    def address(name: str) -> Address:
        return Address.parse(f"{name}@readers.example")

    @rule(rows=st.dictionaries(people, st.sampled_from(list(WORDS)), min_size=1))
    def imported(self, rows: dict[str, str]) -> None:
        text = "id,email,subscriber_type\n" + "".join(
            f"1,{name}@readers.example,{WORDS[state]}\n" for name, state in sorted(rows.items())
        )
        _, done = moved(self.project, written(Path(self._room.name), {"a.csv": text}))
        if done.id:
            made = {"id": done.id, "at": self.time, "rows": rows, "stands": True, "erased": set()}
            self.imports.append(made)
        self.tick()

    @precondition(lambda self: any(each["stands"] for each in self.imports))
    @rule(choice=st.integers(0, 50))
    def reverted(self, choice: int) -> None:
        standing = [each for each in self.imports if each["stands"]]
        chosen = standing[choice % len(standing)]
        revert(self.project, chosen["id"])
        chosen["stands"] = False
        self.tick()

    @rule(name=people)
    def left(self, name: str) -> None:
        at = datetime.fromtimestamp(self.time, UTC)
        with closing(self.project.ledger(create=True)) as ledger, ledger.transaction():
            ledger.suppressions.add(Leave(self.tag(name), Reason.UNSUBSCRIBED, "one-click", at))
        self.leaves.append((name, self.time))
        self.tick()

    @rule(name=people)
    def signed_up(self, name: str) -> None:
        at = datetime.fromtimestamp(self.time, UTC)
        id_ = f"{name}{self.time}".encode()[:16].ljust(16)
        sign_up = SignUp(id_, self.address(name), "", "en", (), {}, at, at)
        with closing(self.project.ledger(create=True)) as ledger, ledger.transaction():
            ledger.sign_ups.add(sign_up, self.tag(name))
        self.sign_ups.append((name, self.time))
        self.tick()

    @precondition(lambda self: self.sign_ups)
    @rule(choice=st.integers(0, 50))
    def returned(self, choice: int) -> None:
        """The second confirmation of a sign-up; it may come late."""
        name, form_at = self.sign_ups[choice % len(self.sign_ups)]
        at = datetime.fromtimestamp(form_at, UTC)
        with closing(self.project.ledger(create=True)) as ledger, ledger.transaction():
            ledger.suppressions.add(Return(self.tag(name), "confirmation", at))
        self.returns.append((name, form_at))
        self.tick()

    @rule(name=people)
    def forgotten(self, name: str) -> None:
        forget(self.project, str(self.address(name)))
        self.leaves.append((name, self.time))
        self.sign_ups = [each for each in self.sign_ups if each[0] != name]
        for each in self.imports:
            if name in each["rows"] and name not in each["erased"]:
                each["erased"].add(name)
                # Nobody can tell any more whose leave it was, so a revert leaves it in force.
                if each["stands"] and each["rows"][name] in SUPPRESS:
                    self.leaves.append((name, each["at"]))
        self.forgot = {*getattr(self, "forgot", ()), name}
        self.tick()

    @rule()
    def purged(self) -> None:
        if self.project.has_ledger:
            with closing(self.project.ledger(create=False)) as ledger:
                keep_promises(self.project, ledger)

    @invariant()
    def whoever_is_mailed_may_be(self) -> None:
        mailed = {name for name in NAMES if self.may_be_mailed(name)}
        roster = {each.address.local for each in self.roster()}
        with closing(self.project.ledger(create=True)) as ledger:
            gone = ledger.suppressions.tags()
        assert mailed == {name for name in roster if self.tag(name) not in gone}

    def roster(self) -> Any:
        # Without anybody there is no list, and a missing file is an error.
        (self.project.folder / "subscribers.csv").write_text("email\nsomebody@else.example\n")
        found = [each for each in self.project.roster().subscribers if each.address.local in NAMES]
        (self.project.folder / "subscribers.csv").unlink()
        return found

    def may_be_mailed(self, name: str) -> bool:
        said = [
            (each["rows"][name], each["at"])
            for each in self.imports
            if each["stands"] and name in each["rows"] and name not in each["erased"]
        ]
        leaves = [at for who, at in self.leaves if who == name]
        leaves += [at for state, at in said if state in SUPPRESS]
        back = max((at for who, at in self.returns if who == name), default=0.0)
        if any(at >= back for at in leaves):
            return False
        states = {state for state, _ in said}
        came_back = any(who == name for who, _ in self.returns)
        if any(who == name for who, _ in self.sign_ups):
            return "never" not in states or came_back
        forgot = name in getattr(self, "forgot", ())
        return "in" in states and not forgot and not states & {"wait", "never"}


Moves.TestCase.settings = settings(
    max_examples=12, stateful_step_count=14, deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)  # fmt: skip
TestMoves = Moves.TestCase
