"""Random lives of a list that is moved in: nobody who left is mailed, and nobody else missed.

The model knows what was imported, withdrawn, said and written, and when; it knows nothing of
tables. What it is held against is the program: its ledger, its send record, and the mails that a
relay took.
"""

import tempfile
from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from newsletter.addresses import Address
from newsletter.ledger.ledger import Ledger
from newsletter.ledger.sign_ups import SignUp
from newsletter.ledger.suppressions import Reason, Return
from newsletter.project.imports import revert
from newsletter.project.rights import keep_promises
from newsletter.project.suppress import into_record, suppress
from newsletter.testing import FrozenClock

from tests.project.moves import moved, written
from tests.project.public_world import START, Laptop, compiled_once
from tests.support.project import SETTINGS, smtp_delivery
from tests.support.tools import PROVE
from tests.web.relay import relay_running

NAMES = ("anna", "ben", "cy")
WORDS = {
    "in": "regular", "wait": "unactivated", "never": "spammy", "dead": "undeliverable",
    "left": "unsubscribed", "spam": "complained",
}  # fmt: skip
STRENGTH = tuple(WORDS)
SUPPRESS = ("dead", "left", "spam")
SOMEBODY = "somebody@else.example"
people = st.sampled_from(NAMES)
said = st.dictionaries(people, st.sampled_from(STRENGTH), min_size=1)
numbers = st.integers(0, 50)


@dataclass
class Left:
    """That somebody left, by whatever said so."""

    name: str
    at: float
    void: bool = False


@dataclass
class Made:
    """An import: what its files say of whom, the strongest of it, and the leaves that it made."""

    id: int
    rows: dict[str, str]
    leaves: list[Left]
    stands: bool = True
    erased: set[str] = field(default_factory=set)


class Moves(RuleBasedStateMachine):
    """The program, beside a model of events."""

    @initialize()
    def nothing_yet(self) -> None:
        self.open = ExitStack()
        room = Path(self.open.enter_context(tempfile.TemporaryDirectory()))
        self.relay = self.open.enter_context(relay_running())
        self.open.enter_context(compiled_once())
        self.clock = FrozenClock(START)
        delivery = smtp_delivery(
            self.relay.port, connections=1, more=f'state_folder = "{room}/state"'
        )
        self.laptop = Laptop(room / "project", self.clock, SETTINGS + delivery)
        self.room = room
        self.imports: list[Made] = []
        self.leaves: list[Left] = []
        self.returns: list[tuple[str, float]] = []
        self.sign_ups: list[tuple[str, float]] = []
        self.forgot: set[str] = set()
        self.csv: set[str] = set()
        self.backups: list[Path] = []
        self.issue = 0
        self.restored = False
        self.overwritten(set())

    def teardown(self) -> None:
        if hasattr(self, "open"):
            self.open.close()

    @property
    def now(self) -> float:
        return self.clock.now().timestamp()

    def step(self) -> None:
        self.clock.advance(3600)

    @staticmethod
    def address(name: str) -> Address:
        return Address.parse(f"{name}@readers.example")

    def in_ledger(self, change: Callable[[Ledger, bytes], Any], name: str) -> None:
        """Let readers say something, as a sync would bring it."""
        with self.laptop.here() as project, closing(project.sound_ledger(create=True)) as ledger:
            with ledger.transaction():
                change(ledger, project.keys.address_tag(self.address(name)))
            assert into_record(project, ledger, {}) is None

    # The officer

    @rule(first=said, second=st.just({}) | said)
    def imported(self, first: dict[str, str], second: dict[str, str]) -> None:
        files = {}
        for file, rows in (("a.csv", first), ("b.csv", second)):
            if rows:
                lines = [f"1,{name}@readers.example,{WORDS[rows[name]]}" for name in sorted(rows)]
                files[file] = "\n".join(["id,email,subscriber_type", *lines, ""])
        with self.laptop.here() as project:
            _, done = moved(project, written(self.room / "files", files))
        if done.id:
            both = {name: max((rows[name] for rows in (first, second) if name in rows),
                              key=STRENGTH.index) for name in {**first, **second}}  # fmt: skip
            if len(files) == 2:
                both = self.without_what_was_known(files, both, done.id)
            leaves = [Left(n, self.now) for n, state in both.items() if state in SUPPRESS]
            self.leaves += leaves
            self.imports.append(Made(done.id, both, leaves))
        self.step()

    def without_what_was_known(
        self, files: dict[str, str], both: dict[str, str], id_: int
    ) -> dict[str, str]:
        """Of two files, one may be an import that stands: then only the other is new."""
        with self.laptop.here() as project, closing(project.ledger(create=False)) as ledger:
            new = {file["name"] for file in ledger.imports.all()[-1].files}
        states = {word: state for state, word in WORDS.items()}
        kept: dict[str, str] = {}
        for name in new & files.keys():
            for line in files[name].splitlines()[1:]:
                _, address, word = line.split(",")
                who = address.partition("@")[0]
                kept[who] = max(kept.get(who, "in"), states[word], key=STRENGTH.index)
        assert kept.keys() <= both.keys()
        assert id_
        return kept

    @precondition(lambda self: any(each.stands for each in self.imports))
    @rule(number=numbers)
    def reverted(self, number: int) -> None:
        standing = [each for each in self.imports if each.stands]
        chosen = standing[number % len(standing)]
        with self.laptop.here() as project:
            revert(project, chosen.id)
        chosen.stands = False
        for leave in chosen.leaves:
            # Nobody can tell any more whose leave it was of somebody forgotten.
            leave.void |= leave.name not in chosen.erased
        self.step()

    @rule(names=st.sets(people))
    def overwritten(self, names: set[str]) -> None:
        rows = "".join(f"{name}@readers.example\n" for name in sorted(names))
        (self.laptop.folder / "subscribers.csv").write_text(f"email\n{SOMEBODY}\n{rows}")
        self.csv = names

    @rule(name=people)
    def forgotten(self, name: str) -> None:
        self.laptop.forget(str(self.address(name)))
        self.leaves.append(Left(name, self.now))
        self.sign_ups = [each for each in self.sign_ups if each[0] != name]
        self.forgot.add(name)
        for each in self.imports:
            each.erased |= {name} & each.rows.keys()
        self.step()

    @rule()
    def purged(self) -> None:
        with self.laptop.here() as project, closing(project.sound_ledger(create=True)) as ledger:
            keep_promises(project, ledger)

    @rule()
    def backed_up(self) -> None:
        file = self.room / f"backup-{len(self.backups)}"
        self.laptop.back_up(file)
        self.backups.append(file)

    @precondition(lambda self: self.backups)
    @rule(number=numbers)
    def put_back(self, number: int) -> None:
        """What was imported since is gone, and an import may stand again; who left has left."""
        self.laptop.restore(self.backups[number % len(self.backups)])
        with self.laptop.here() as project, closing(project.ledger(create=False)) as ledger:
            there = {(e.id, e.at): e.reverted_at is None for e in ledger.imports.all()}
        ids = {id_ for id_, _ in there}
        for each in self.imports:
            each.stands = each.id in ids and each.stands
        self.restored = True
        self.step()

    @rule(leaver=st.none() | people, after=st.integers(0, 2), by_import=st.booleans())
    def sent(self, leaver: str | None, after: int, by_import: bool) -> None:
        """An issue; somebody may leave in its middle, by an import or by a command."""
        self.issue += 1
        self.laptop.write_issue(f"issue-{self.issue}")
        may = {name for name in NAMES if self.may_be_mailed(name)}
        gone = {name for name in NAMES if self.has_left(name)}
        taken: list[str] = []

        def meanwhile(recipient: str) -> None:
            taken.append(recipient.partition("@")[0])
            if leaver is None or len(taken) != after + 1:
                return
            if by_import:
                self.imported({leaver: "left"}, {})
            else:
                self.left(leaver)
            if leaver not in taken:
                gone.add(leaver)

        before = len(self.relay.mails)
        self.relay.meanwhile = meanwhile
        self.laptop.send(f"issue-{self.issue}")
        self.relay.meanwhile = None
        mails = [mail.recipient.partition("@")[0] for mail in self.relay.mails[before:]]
        assert len(set(mails)) == len(mails)
        assert set() == gone & {*mails}
        assert self.restored or may - gone == {*mails} - {"somebody"} - ({leaver} & gone)

    # Readers

    @rule(name=people)
    def left(self, name: str) -> None:
        with self.laptop.here() as project:
            suppress(project, [self.address(name)], Reason.UNSUBSCRIBED)
        self.leaves.append(Left(name, self.now))
        self.step()

    @rule(name=people)
    def signed_up(self, name: str) -> None:
        at = self.clock.now()
        id_ = f"{name}{self.now}".encode()[:16].ljust(16)
        sign_up = SignUp(id_, self.address(name), "", "en", (), {}, at, at)
        self.in_ledger(lambda ledger, tag: ledger.sign_ups.add(sign_up, tag), name)
        self.sign_ups.append((name, self.now))
        self.step()

    @precondition(lambda self: self.sign_ups)
    @rule(number=numbers)
    def returned(self, number: int) -> None:
        """The second confirmation of a sign-up; it may come late."""
        name, form_at = self.sign_ups[number % len(self.sign_ups)]
        at = datetime.fromtimestamp(form_at, UTC)
        self.in_ledger(
            lambda ledger, tag: ledger.suppressions.add(Return(tag, "confirmation", at)), name
        )
        self.returns.append((name, form_at))
        self.step()

    # What must hold

    @invariant()
    def whoever_is_mailed_may_be(self) -> None:
        if not hasattr(self, "imports"):
            return
        with self.laptop.here() as project, closing(project.ledger(create=True)) as ledger:
            gone = ledger.suppressions.tags()
            roster = {each.address.local for each in project.roster().subscribers}
            tags = {name: project.keys.address_tag(self.address(name)) for name in NAMES}
        mailed = {name for name in NAMES if name in roster and tags[name] not in gone}
        assert set() == {name for name in mailed if self.has_left(name)}
        assert self.restored or mailed == {name for name in NAMES if self.may_be_mailed(name)}

    def has_left(self, name: str) -> bool:
        back = max((at for who, at in self.returns if who == name), default=0.0)
        return any(
            leave.at >= back for leave in self.leaves if leave.name == name and not leave.void
        )

    def may_be_mailed(self, name: str) -> bool:
        if self.has_left(name):
            return False
        states = {
            each.rows[name]
            for each in self.imports
            if each.stands and name in each.rows and name not in each.erased
        }
        came_back = any(who == name for who, _ in self.returns)
        if any(who == name for who, _ in self.sign_ups):
            return "never" not in states or came_back
        if states & {"wait", "never"}:
            return False
        return name in self.csv or ("in" in states and name not in self.forgot)


Moves.TestCase.settings = settings(
    max_examples=150 if PROVE else 4, stateful_step_count=30 if PROVE else 10, deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)  # fmt: skip
TestMoves = pytest.mark.timeout(3600 if PROVE else 180)(Moves.TestCase)


Life = Callable[[Moves], None]


def waits_or_is_excluded_and_stands_in_the_csv(m: Moves) -> None:
    m.overwritten({"anna", "ben", "cy"})
    m.imported({"anna": "wait", "ben": "never"}, {"cy": "in"})
    m.whoever_is_mailed_may_be()
    m.signed_up("anna")
    m.signed_up("ben")


def left_in_one_of_two_files(m: Moves) -> None:
    m.overwritten({"anna"})
    m.imported({"anna": "in", "ben": "dead", "cy": "spam"}, {"anna": "left", "ben": "in"})
    m.whoever_is_mailed_may_be()
    m.reverted(0)


def left_by_two_imports_of_which_one_is_withdrawn(m: Moves) -> None:
    m.imported({"anna": "left", "ben": "in"}, {})
    m.imported({"anna": "left", "cy": "in"}, {})
    m.imported({"anna": "in", "ben": "in"}, {})
    m.reverted(0)


def left_by_an_import_that_takes_the_number_of_a_withdrawn_one(m: Moves) -> None:
    m.overwritten({"anna"})
    m.imported({"ben": "in"}, {})
    m.backed_up()
    m.imported({"anna": "left"}, {})
    m.reverted(1)
    m.put_back(0)
    m.imported({"anna": "left"}, {})


def left_by_an_import_that_a_backup_does_not_know(m: Moves) -> None:
    m.overwritten({"anna", "ben", "cy"})
    m.imported({"cy": "in"}, {})
    m.backed_up()
    m.imported({"anna": "left"}, {})
    m.put_back(0)
    m.whoever_is_mailed_may_be()
    m.left("ben")


def left_in_the_middle_of_a_send_by_an_import(m: Moves) -> None:
    m.overwritten({"anna", "ben", "cy"})
    m.sent("cy", 0, by_import=True)
    m.sent("ben", 1, by_import=False)


def came_back_from_a_leave_that_an_import_said_and_a_revert_changes_nothing(m: Moves) -> None:
    m.imported({"anna": "left"}, {})
    m.signed_up("anna")
    m.whoever_is_mailed_may_be()
    m.returned(0)
    m.whoever_is_mailed_may_be()
    m.imported({"anna": "in", "ben": "in"}, {})
    m.reverted(0)
    m.left("anna")


def forgotten_and_imported_again_from_the_same_file(m: Moves) -> None:
    m.imported({"anna": "in", "ben": "left"}, {})
    m.backed_up()
    m.forgotten("anna")
    m.forgotten("ben")
    m.reverted(0)
    m.imported({"anna": "in", "ben": "in"}, {})
    m.whoever_is_mailed_may_be()
    m.put_back(0)
    m.purged()


LIVES: tuple[Life, ...] = (
    waits_or_is_excluded_and_stands_in_the_csv,
    left_in_one_of_two_files,
    left_by_two_imports_of_which_one_is_withdrawn,
    left_by_an_import_that_takes_the_number_of_a_withdrawn_one,
    left_by_an_import_that_a_backup_does_not_know,
    left_in_the_middle_of_a_send_by_an_import,
    came_back_from_a_leave_that_an_import_said_and_a_revert_changes_nothing,
    forgotten_and_imported_again_from_the_same_file,
)
"""Such as chance finds seldom."""


@pytest.mark.parametrize("life", LIVES, ids=lambda life: life.__name__)
def test_after_a_certain_life_who_left_is_not_mailed_and_all_others_are(life: Life) -> None:
    machine = Moves()
    machine.nothing_yet()
    try:
        life(machine)
        machine.whoever_is_mailed_may_be()
        machine.sent(None, 0, by_import=False)
    finally:
        machine.teardown()
