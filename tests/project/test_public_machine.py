"""Random lives of a list with its public side: nobody who left is mailed, and nobody else missed.

The model is a few dictionaries of what readers did and when, in the words of docs/unsubscribe.md
and docs/public.md; everything that it is held against is the program.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from tests.project.public_world import Laptop, Letter, world_in
from tests.support.tools import PROVE
from tests.web.relay import relay_running

ANNA, BELA, DORA = (f"{name}@readers.example" for name in ("anna", "bela", "dora"))
LISTED, STRANGERS = [ANNA, BELA], [DORA]
HOUR, DAY = 3600.0, 86_400.0
A_STEP_S = 15.0
"""Between any two acts, so that no form is too quick and no limit of a minute is met."""

readers = st.sampled_from([*LISTED, *STRANGERS])
numbers = st.integers(0, 99)


@dataclass
class Leave:
    """That a reader left, at ``at`` or, asking again with the same link, until ``latest``."""

    at: float
    latest: float
    undone: bool = False


@dataclass
class Reader:
    """What somebody did, as the rules of leaving and coming back count it."""

    listed: bool
    leaves: list[Leave] = field(default_factory=list)
    forms: list[float] = field(default_factory=list)
    """When those sign-ups were typed that were confirmed."""
    returns: list[float] = field(default_factory=list)
    """When those were typed that were confirmed a second time."""
    languages: dict[float, str] = field(default_factory=dict)
    """What language they chose, by when."""
    pauses: dict[float, date] = field(default_factory=dict)
    """Until when they wanted nothing, by when they said so."""
    forgotten: float = 0.0
    has: set[str] = field(default_factory=set)
    blurred: bool = False
    """Whether so long ago that what they gave was erased, as the privacy notice says."""

    def forget(self, at: float, doubt_s: float) -> None:
        """All that they gave until now is gone, and they have left."""
        self.leaves.append(Leave(at - doubt_s, at))
        self.forgotten = at
        self.forms = []
        self.languages, self.pauses = {}, {}

    def mail(self, day: date, doubt_s: float) -> tuple[bool, bool]:
        """Whether they may be mailed on a day, and whether they must be."""
        may, must = not self.must_not_be_mailed, self.must_be_mailed(doubt_s)
        paused = bool(self.pauses) and day < self.pauses[max(self.pauses)]
        if self.blurred:
            return may, must and self.listed and not paused
        if doubt_s:
            return may, must and not self.pauses
        return may and not paused, must and not paused

    @property
    def language(self) -> str:
        return self.languages[max(self.languages)] if self.languages else "en"

    @property
    def on_list(self) -> bool:
        return self.listed or bool(self.forms)

    @property
    def must_not_be_mailed(self) -> bool:
        return not self.on_list or bool(self.in_force)

    @property
    def in_force(self) -> list[Leave]:
        """The leaves that neither an undo nor a return has ended."""
        return [
            leave
            for leave in self.leaves
            if not leave.undone and not any(form > leave.at for form in self.returns)
        ]

    def must_be_mailed(self, doubt_s: float) -> bool:
        return self.on_list and all(
            leave.undone or any(form > leave.latest + doubt_s for form in self.returns)
            for leave in self.leaves
        )


@dataclass
class Left:
    """The page that told somebody that they left, which they keep open."""

    reader: str
    path: str
    undo: dict[str, str]
    leave: Leave
    shown: float


@dataclass
class Link:
    """The link of a mail that asks a reader to confirm what they typed at ``typed``."""

    reader: str
    path: str
    typed: float
    language: str = ""


class PublicMachine(RuleBasedStateMachine):
    """Readers who leave and come, an officer with two laptops, and one server."""

    @initialize()
    def first_issue(self) -> None:
        self.open = contextlib.ExitStack()
        self.folder = Path(self.open.enter_context(tempfile.TemporaryDirectory()))
        self.world = self.open.enter_context(
            world_in(self.folder, self.open.enter_context(relay_running()))
        )
        self.server, self.home = self.world.server, self.world.laptops[0]
        for laptop in self.world.laptops:
            laptop.list_of(LISTED)
        self.readers = {
            address: Reader(listed=address in LISTED) for address in (*LISTED, *STRANGERS)
        }
        self.issue = 0
        self.letters: list[Letter] = []
        self.links: list[Link] = []
        self.questions: list[Link] = []
        self.pages: list[Left] = []
        self.backups: list[Path] = []
        self.doubt_s = 0.0
        """How far times may be wrong."""
        self.clock_set = 0.0
        self.asked_back: dict[str, float] = {}
        """When a laptop asked whether somebody is back."""
        self.used: dict[str, tuple[Leave, float]] = {}
        """The leave by each link that the server knows of, and since when: for a day."""
        self.asked: dict[str, list[float]] = {}
        """When the server mailed a confirmation, by address."""
        self.send(new=True, leaver=None, after=0)

    def teardown(self) -> None:
        if hasattr(self, "open"):
            self.open.close()

    def now(self) -> float:
        return self.world.clock.now().timestamp()

    def step(self) -> None:
        self.world.clock.advance(A_STEP_S)

    # Readers

    def left_by(self, reader: str, token: str) -> Leave:
        """Note that somebody left with a link; what they do again within a day is the same."""
        who, (leave, since) = self.readers[reader], self.used.get(token, (None, 0.0))
        came_back = leave and any(form > leave.latest for form in who.returns)
        if leave is None or leave.undone or came_back or self.now() - since > DAY + self.doubt_s:
            leave = Leave(self.now(), self.now())
            who.leaves.append(leave)
            self.used[token] = (leave, self.now())
        leave.latest = self.now()
        return leave

    def leave_by_header_of(self, letter: Letter) -> None:
        answer = self.server.post(letter.header, {"List-Unsubscribe": "One-Click"})
        assert (200, True) == (answer.status, answer.text.startswith("You have left."))
        self.left_by(letter.reader, token_of(letter.header))

    def letter(self, number: int) -> Letter:
        """One of the mails, the latest ones more likely."""
        return self.letters[-1 - number % min(len(self.letters), 4)]

    @precondition(lambda self: self.letters)
    @rule(number=numbers)
    def leave_by_header(self, number: int) -> None:
        self.step()
        self.leave_by_header_of(self.letter(number))

    @precondition(lambda self: self.letters)
    @rule(number=numbers, by_preferences=st.booleans())
    def leave_by_page(self, number: int, by_preferences: bool) -> None:
        letter = self.letter(number)
        link = letter.preferences if by_preferences else letter.page
        path = f"/leave/{token_of(link)}?lang=en"
        page = self.server.get(path)
        for do in ("leave", "sure"):
            self.step()
            if fields := page.form(do):
                more = {"sure": "yes"} if do == "sure" else {}
                page = self.server.post(path, {**fields, **more})
        undo = page.form("undo")
        if not undo:  # they had left by it before, while the mail is fresh
            assert token_of(link) in self.used
            return
        leave = self.left_by(letter.reader, token_of(link))
        self.pages.append(Left(letter.reader, path, undo, leave, self.now()))

    @precondition(lambda self: self.pages)
    @rule(number=numbers)
    def undo(self, number: int) -> None:
        self.step()
        page = self.pages[-1 - number % len(self.pages)]
        answer = self.server.post(page.path, page.undo)
        assert 200 == answer.status
        later = self.used.get(token_of(page.path), (page.leave, 0.0))[0] is not page.leave
        age = self.now() - page.shown
        if "Your leaving was undone" in answer.text:
            assert page.leave.undone or age <= DAY + self.doubt_s
            page.leave.undone = True
        else:
            assert later or age > DAY or page.shown < self.clock_set

    @precondition(lambda self: self.letters)
    @rule(
        number=numbers,
        language=st.sampled_from(["", "en", "fr"]),
        days=st.sampled_from([None, None, 0, 1, 5]),
    )
    def choose(self, number: int, language: str, days: int | None) -> None:
        """A language, and a pause of some days; none: the pause ends."""
        letter = self.letter(number)
        page = self.server.get(letter.preferences)
        self.step()
        today = self.world.clock.now().date()
        until = today + timedelta(days=days or 0)
        pause = {"pause": until.isoformat()} if days else {"resume": "yes"} if days == 0 else {}
        answer = self.server.post(
            letter.preferences, {**page.form("save"), "language": language, **pause}
        )
        if answer.status == 403:
            assert self.now() - letter.at > 29 * DAY - self.doubt_s
            return
        assert 200 == answer.status
        reader = self.readers[letter.reader]
        if language:
            reader.languages[self.now()] = language
        if pause:
            reader.pauses[self.now()] = until

    @rule(reader=readers, language=st.sampled_from(["en", "fr"]))
    def sign_up(self, reader: str, language: str) -> None:
        before, form = len(self.world.relay.mails), self.server.get("/subscribe?lang=en")
        self.step()
        now = self.server.clock.now().timestamp()
        asked = [at for at in self.asked.get(reader, []) if now - at < 7 * DAY]
        answer = self.server.post(
            "/subscribe?lang=en",
            {**form.form("join"), "address": reader, "language": language, "consent": "yes"},
        )
        assert (200, True) == (answer.status, "look into your mailbox" in answer.text)
        if len(asked) < 3 and (not asked or now - asked[-1] >= HOUR):
            path = self.world.wait_for_mail(reader, before)
            self.links.append(Link(reader, path, self.now(), language))
            self.asked[reader] = [*asked, now]

    @precondition(lambda self: self.links)
    @rule(number=numbers)
    def confirm(self, number: int) -> None:
        link = self.links[-1 - number % len(self.links)]
        reader = self.readers[link.reader]
        if self.press(link) and link.typed > reader.forgotten:
            reader.forms.append(link.typed)
            reader.languages[link.typed] = link.language
            reader.blurred = False

    @rule(reader=readers, language=st.sampled_from(["en", "fr"]), number=st.integers(0, 1))
    def sign_up_whole(self, reader: str, language: str, number: int) -> None:
        """All that whoever left does to come back, without a pause."""
        before = len(self.questions)
        self.sign_up(reader, language)
        if self.links and self.links[-1].reader == reader:
            self.confirm(0)
            self.sync(number, again=False)
            if [link.reader for link in self.questions[before:]] == [reader]:
                self.come_back(0)

    @precondition(lambda self: self.letters)
    @rule(number=numbers, new=readers)
    def change_address(self, number: int, new: str) -> None:
        """Sign up anew, then leave (docs/preferences.md)."""
        self.sign_up_whole(new, "en", 0)
        self.leave_by_page(number, by_preferences=True)

    @precondition(lambda self: self.questions)
    @rule(number=numbers)
    def come_back(self, number: int) -> None:
        link = self.questions[-1 - number % len(self.questions)]
        assert self.press(link)
        self.readers[link.reader].returns.append(link.typed)

    def press(self, link: Link) -> bool:
        """Open a link and press the button there; whether that counts."""
        path = link.path.partition("?")[0] + "?lang=en"
        page = self.server.get(path)
        if self.now() - link.typed > 7 * DAY - self.doubt_s and page.status == 410:
            return False
        self.step()
        answer = self.server.post(path, page.form("confirm"))
        assert 200 == answer.status
        assert "you get" in answer.text.lower()
        return True

    # Officer and server

    @rule(number=st.integers(0, 1), again=st.sampled_from([False, False, True]))
    def sync(self, number: int, again: bool) -> None:
        self.step()
        laptop, before = self.world.laptops[number], len(self.world.relay.mails)
        self.blur()
        assert [] == laptop.sync(again=again).warnings
        self.check_forgotten(laptop)
        due = {a for a, r in self.readers.items() if self.is_to_be_asked(a, r)}
        laptop.ask_returning()
        for taken in self.world.relay.mails[before:]:
            reader = self.readers[taken.recipient]
            if laptop is self.home and not self.doubt_s and not reader.blurred:
                assert max(reader.forms) > max(leave.at for leave in reader.in_force)
            due.discard(taken.recipient)
            self.asked_back[taken.recipient] = self.now()
            path = taken.link.partition("news.defenders.example")[2]
            # The other laptop does not know who asked this one to be forgotten.
            typed = max(reader.forms, default=0.0)
            self.questions.append(Link(taken.recipient, path, typed))
        assert laptop is not self.home or not due

    def is_to_be_asked(self, address: str, reader: Reader) -> bool:
        """Whether they left, signed up later, and were not asked within a week whether it was them.

        Where that is in no doubt.
        """
        if self.doubt_s or reader.blurred or not reader.forms or not reader.in_force:
            return False
        asked_before = self.now() - self.asked_back.get(address, 0.0) < 8 * DAY
        return max(reader.forms) > max(leave.latest for leave in reader.leaves) and not asked_before

    def blur(self) -> None:
        """What readers gave who left a month ago is about to be erased."""
        for reader in self.readers.values():
            if reader.leaves and reader.must_not_be_mailed:
                latest = max(leave.latest for leave in reader.leaves)
                reader.blurred |= self.now() - latest > 29 * DAY

    def check_forgotten(self, laptop: Laptop) -> None:
        """Nothing that a reader gave before they were forgotten is held; where it is known."""
        if laptop is self.home and not self.doubt_s:
            gone = {a for a, r in self.readers.items() if r.forgotten}
            there = {a for a in gone if self.readers[a].forms}
            assert gone - there - laptop.addresses() == gone - there

    @rule(reader=readers)
    def forget(self, reader: str) -> None:
        self.step()
        self.home.forget(reader)
        self.readers[reader].forget(self.now(), self.doubt_s)

    @rule()
    def back_up(self) -> None:
        self.step()
        file = self.folder / f"backup-{len(self.backups)}"
        self.home.back_up(file)
        self.backups.append(file)

    @precondition(lambda self: self.backups)
    @rule(number=numbers)
    def restore(self, number: int) -> None:
        self.step()
        self.home.restore(self.backups[-1 - number % len(self.backups)])

    @rule()
    def move_to_the_other_laptop(self) -> None:
        """As docs/control.md says: back up here, restore there, and send from there."""
        self.back_up()
        (self.home,) = (each for each in self.world.laptops if each is not self.home)
        self.restore(0)

    @rule(
        new=st.booleans(),
        leaver=st.none() | st.sampled_from(LISTED),
        after=st.integers(0, 2),
        stops=st.booleans(),
    )
    def send(self, new: bool, leaver: str | None, after: int, stops: bool = False) -> None:
        """An issue, or the latest one again; a reader may leave in the middle of it.

        Or it is stopped in its middle, they leave then, and it is resumed.
        """
        self.step()
        if new:
            self.issue += 1
            for laptop in self.world.laptops:
                laptop.write_issue(f"issue-{self.issue}")
        issue = f"issue-{self.issue}"
        may, must = self.audience(issue)
        taken: list[str] = []
        mail = next((each for each in reversed(self.letters) if each.reader == leaver), None)

        def meanwhile(recipient: str) -> None:
            taken.append(recipient)
            if len(taken) == after + 1:
                if stops:
                    self.home.stop()
                else:
                    leave()
                    self.world.wait_until_read(self.home)

        def leave() -> None:
            if mail is not None:
                self.leave_by_header_of(mail)
                if mail.reader not in taken:
                    may.discard(mail.reader)
                    must.discard(mail.reader)

        self.world.relay.meanwhile = meanwhile
        self.home.send(issue)
        self.world.relay.meanwhile = None
        if len(taken) > after and stops:
            self.step()
            leave()
            self.home.resume(issue)
        letters = self.world.letters()
        mailed = Counter(letter.reader for letter in letters)
        assert must <= mailed.keys() <= may
        assert set(mailed.values()) <= {1}
        self.take(issue, letters)

    def audience(self, issue: str) -> tuple[set[str], set[str]]:
        """Who may be mailed an issue now, and who must be."""
        self.blur()
        day = self.world.clock.now().date()
        waiting = {a: r.mail(day, self.doubt_s) for a, r in self.readers.items()
                   if issue not in r.has}  # fmt: skip
        return {a for a, (may, _) in waiting.items() if may}, {
            a for a, (_, must) in waiting.items() if must
        }

    def take(self, issue: str, letters: list[Letter]) -> None:
        for letter in letters:
            reader = self.readers[letter.reader]
            reader.has.add(issue)
            assert reader.blurred or self.doubt_s or letter.language == reader.language
        self.letters += letters
        self.check_forgotten(self.home)

    @rule(seconds=st.sampled_from([60.0, HOUR, 20 * HOUR, 3 * DAY]))
    def wait(self, seconds: float) -> None:
        self.world.clock.advance(seconds)

    @rule(hours=st.sampled_from([-1, 0, 1]))
    def set_the_servers_clock(self, hours: int) -> None:
        """It may be an hour off; then much may be in doubt, but not that somebody left."""
        self.step()
        self.server.clock.wrong_by_s = hours * HOUR
        self.doubt_s, self.clock_set = 2 * HOUR + 60, self.now()

    @rule()
    def restart_server(self) -> None:
        self.server.restart()
        self.used.clear()
        self.asked.clear()


def token_of(path: str) -> str:
    return path.partition("?")[0].rpartition("/")[2]


PublicMachine.TestCase.settings = settings(
    max_examples=150 if PROVE else 6,
    stateful_step_count=40 if PROVE else 25,
    suppress_health_check=list(HealthCheck),
)
TestPublicMachine = pytest.mark.timeout(3600 if PROVE else 180)(PublicMachine.TestCase)


Life = Callable[[PublicMachine], None]


def comes_back_and_leaves_by_the_same_link(m: PublicMachine) -> None:
    m.leave_by_header(0)
    m.sign_up_whole(BELA, "en", 0)
    m.send(new=True, leaver=None, after=0)
    m.leave_by_header(2)
    m.leave_by_page(2, by_preferences=False)


def comes_back_and_leaves_once_more(m: PublicMachine) -> None:
    m.leave_by_header(0)
    m.sign_up_whole(BELA, "en", 0)
    m.leave_by_header(0)


def leaves_between_the_form_and_the_second_confirmation(m: PublicMachine) -> None:
    m.send(new=True, leaver=None, after=0)
    m.leave_by_header(0)
    m.sign_up(BELA, "fr")
    m.confirm(0)
    m.sync(1, again=False)
    m.leave_by_header(2)
    m.come_back(0)


def leaves_between_the_form_and_its_confirmation(m: PublicMachine) -> None:
    m.send(new=True, leaver=None, after=0)
    m.leave_by_header(0)
    m.sign_up(BELA, "fr")
    m.leave_by_header(2)
    m.confirm(0)
    m.sync(0, again=False)


def leaves_twice_and_undoes_one(m: PublicMachine) -> None:
    m.leave_by_header(0)
    m.leave_by_page(0, by_preferences=False)
    m.undo(0)


def leaves_and_undoes(m: PublicMachine) -> None:
    m.leave_by_page(0, by_preferences=True)
    m.sync(0, again=False)
    m.undo(0)
    m.restart_server()
    m.leave_by_page(1, by_preferences=False)


def leaves_in_the_middle_of_a_send(m: PublicMachine) -> None:
    m.send(new=True, leaver=BELA, after=0)


def leaves_while_a_send_is_stopped(m: PublicMachine) -> None:
    m.send(new=True, leaver=BELA, after=0, stops=True)
    m.sign_up_whole(DORA, "en", 0)
    m.send(new=True, leaver=None, after=0, stops=True)


def is_forgotten_and_a_backup_restored(m: PublicMachine) -> None:
    m.sign_up_whole(DORA, "fr", 0)
    m.send(new=True, leaver=None, after=0)
    m.back_up()
    m.forget(DORA)
    m.forget(BELA)
    m.restore(0)
    m.sync(0, again=False)


def leaves_and_the_list_moves(m: PublicMachine) -> None:
    m.sign_up_whole(DORA, "en", 1)
    m.leave_by_header(0)
    m.move_to_the_other_laptop()
    m.send(new=False, leaver=None, after=0)
    m.forget(ANNA)
    m.restore(0)
    m.send(new=True, leaver=None, after=0)
    m.move_to_the_other_laptop()


def changes_back_by_an_older_mails_link(m: PublicMachine) -> None:
    m.send(new=True, leaver=None, after=0)
    for number, language in ((0, "fr"), (2, "en"), (0, "fr")):
        m.choose(number, language, None)


def leaves_when_the_servers_clock_was_set_back(m: PublicMachine) -> None:
    m.leave_by_header(0)
    m.wait(60.0)
    m.sign_up_whole(BELA, "en", 1)
    m.set_the_servers_clock(-1)
    m.leave_by_header(0)
    m.wait(2 * HOUR)


def signs_up_by_a_fast_clock_and_leaves_by_the_right_one(m: PublicMachine) -> None:
    m.leave_by_header(0)
    m.set_the_servers_clock(1)
    m.sign_up_whole(BELA, "en", 1)
    m.set_the_servers_clock(0)
    m.leave_by_header(0)
    m.wait(2 * HOUR)


def signs_up_by_a_fast_clock_and_is_read_at_once(m: PublicMachine) -> None:
    m.leave_by_header(0)
    m.set_the_servers_clock(1)
    m.sign_up_whole(BELA, "en", 0)
    m.sync(0, again=False)
    m.set_the_servers_clock(0)
    m.leave_by_header(0)


def pauses_and_is_mailed_behind_the_pause(m: PublicMachine) -> None:
    m.choose(0, "fr", 5)
    m.send(new=True, leaver=None, after=0)
    for _ in range(2):
        m.wait(3 * DAY)


LIVES: tuple[Life, ...] = (
    comes_back_and_leaves_by_the_same_link,
    comes_back_and_leaves_once_more,
    leaves_between_the_form_and_the_second_confirmation,
    leaves_between_the_form_and_its_confirmation,
    leaves_twice_and_undoes_one,
    leaves_and_undoes,
    leaves_in_the_middle_of_a_send,
    leaves_while_a_send_is_stopped,
    is_forgotten_and_a_backup_restored,
    leaves_and_the_list_moves,
    changes_back_by_an_older_mails_link,
    leaves_when_the_servers_clock_was_set_back,
    signs_up_by_a_fast_clock_and_leaves_by_the_right_one,
    signs_up_by_a_fast_clock_and_is_read_at_once,
    pauses_and_is_mailed_behind_the_pause,
)
"""Such as chance finds seldom."""


@pytest.mark.parametrize("life", LIVES, ids=lambda life: life.__name__)
def test_after_a_certain_life_who_left_is_not_mailed_and_all_others_are(life: Life) -> None:
    machine = PublicMachine()
    machine.first_issue()
    try:
        life(machine)
        machine.send(new=True, leaver=None, after=0)
        machine.send(new=False, leaver=None, after=0)
    finally:
        machine.teardown()
