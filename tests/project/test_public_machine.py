"""Random lives of a list with its public side: nobody who left is mailed, and nobody else missed.

The model is a few dictionaries of what readers did and when, in the words of docs/unsubscribe.md
and docs/public.md; everything that it is held against is the program.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from tests.project.public_world import Letter, world_in
from tests.support.tools import PROVE
from tests.web.relay import relay_running

LISTED = [f"{name}@readers.example" for name in ("anna", "bela", "carl")]
STRANGERS = [f"{name}@readers.example" for name in ("dora", "emil")]
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
    has: set[str] = field(default_factory=set)

    @property
    def on_list(self) -> bool:
        return self.listed or bool(self.forms)

    @property
    def must_not_be_mailed(self) -> bool:
        return not self.on_list or any(
            not leave.undone and not any(form > leave.at for form in self.returns)
            for leave in self.leaves
        )

    @property
    def must_be_mailed(self) -> bool:
        return self.on_list and all(
            leave.undone or any(form > leave.latest for form in self.returns)
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


class PublicMachine(RuleBasedStateMachine):
    """Readers who leave and come, an officer with two laptops, and one server."""

    @initialize()
    def first_issue(self) -> None:
        self.open = contextlib.ExitStack()
        folder = Path(self.open.enter_context(tempfile.TemporaryDirectory()))
        self.world = self.open.enter_context(
            world_in(folder, self.open.enter_context(relay_running()))
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
        leave, since = self.used.get(token, (None, 0.0))
        if leave is None or leave.undone or self.now() - since > DAY:
            leave = Leave(self.now(), self.now())
            self.readers[reader].leaves.append(leave)
            self.used[token] = (leave, self.now())
        leave.latest = self.now()
        return leave

    def leave_by_header_of(self, letter: Letter) -> None:
        answer = self.server.post(letter.header, {"List-Unsubscribe": "One-Click"})
        assert (200, True) == (answer.status, answer.text.startswith("You have left."))
        self.left_by(letter.reader, token_of(letter.header))

    def letter(self, number: int) -> Letter:
        """One of the mails, the latest ones more likely."""
        return self.letters[-1 - number % min(len(self.letters), 8)]

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
        assert undo
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
        if "You are still on" in answer.text:
            page.leave.undone = True
        else:
            assert later or self.now() - page.shown > DAY
        if self.now() - page.shown > DAY:
            assert page.leave.undone is False or "You are still on" not in answer.text

    @rule(reader=readers)
    def sign_up(self, reader: str) -> None:
        before, form = len(self.world.relay.mails), self.server.get("/subscribe?lang=en")
        self.step()
        asked = [at for at in self.asked.get(reader, []) if self.now() - at < 7 * DAY]
        answer = self.server.post(
            "/subscribe?lang=en",
            {**form.form("join"), "address": reader, "language": "en", "consent": "yes"},
        )
        assert (200, True) == (answer.status, "look into your mailbox" in answer.text)
        if len(asked) < 3 and (not asked or self.now() - asked[-1] >= HOUR):
            path = self.world.wait_for_mail(reader, before)
            self.links.append(Link(reader, path, self.now()))
            self.asked[reader] = [*asked, self.now()]

    @precondition(lambda self: self.links)
    @rule(number=numbers)
    def confirm(self, number: int) -> None:
        link = self.links[-1 - number % len(self.links)]
        if self.press(link):
            self.readers[link.reader].forms.append(link.typed)

    @precondition(lambda self: self.questions)
    @rule(number=numbers)
    def come_back(self, number: int) -> None:
        link = self.questions[-1 - number % len(self.questions)]
        assert self.press(link)
        self.readers[link.reader].returns.append(link.typed)

    def press(self, link: Link) -> bool:
        """Open a link and press the button there; whether that counts."""
        page = self.server.get(link.path)
        if self.now() - link.typed > 7 * DAY and page.status == 410:
            return False
        self.step()
        answer = self.server.post(link.path, page.form("confirm"))
        assert 200 == answer.status
        assert "You get" in answer.text
        return True

    # Officer and server

    @rule(number=st.integers(0, 1), again=st.sampled_from([False, False, True]))
    def sync(self, number: int, again: bool) -> None:
        self.step()
        laptop, before = self.world.laptops[number], len(self.world.relay.mails)
        assert [] == laptop.sync(again=again).warnings
        laptop.ask_returning()
        for taken in self.world.relay.mails[before:]:
            reader = self.readers[taken.recipient]
            assert not reader.must_be_mailed
            path = taken.link.partition("news.defenders.example")[2]
            self.questions.append(Link(taken.recipient, path, max(reader.forms)))

    @rule(
        new=st.booleans(),
        leaver=st.none() | st.sampled_from(LISTED),
        after=st.integers(0, 2),
    )
    def send(self, new: bool, leaver: str | None, after: int) -> None:
        """An issue, or the latest one again; a reader may leave in the middle of it."""
        self.step()
        if new:
            self.issue += 1
            for laptop in self.world.laptops:
                laptop.write_issue(f"issue-{self.issue}")
        issue = f"issue-{self.issue}"
        expected = {a for a, r in self.readers.items() if r.must_be_mailed and issue not in r.has}
        allowed = {
            a for a, r in self.readers.items() if not r.must_not_be_mailed and issue not in r.has
        }
        taken: list[str] = []
        mail = next((each for each in reversed(self.letters) if each.reader == leaver), None)

        def leave_meanwhile(recipient: str) -> None:
            taken.append(recipient)
            if mail is not None and len(taken) == after + 1:
                self.leave_by_header_of(mail)
                self.world.wait_until_read(self.home)
                if mail.reader not in taken:
                    expected.discard(mail.reader)
                    allowed.discard(mail.reader)

        self.world.relay.meanwhile = leave_meanwhile
        self.home.send(issue)
        self.world.relay.meanwhile = None
        letters = self.world.letters()
        mailed = Counter(letter.reader for letter in letters)
        assert expected <= mailed.keys() <= allowed
        assert set(mailed.values()) <= {1}
        for letter in letters:
            self.readers[letter.reader].has.add(issue)
        self.letters += letters

    @rule(seconds=st.sampled_from([60.0, HOUR, 20 * HOUR, 3 * DAY]))
    def wait(self, seconds: float) -> None:
        self.world.clock.advance(seconds)

    @rule()
    def restart_server(self) -> None:
        self.server.restart()
        self.used.clear()
        self.asked.clear()


def token_of(path: str) -> str:
    return path.partition("?")[0].rpartition("/")[2]


PublicMachine.TestCase.settings = settings(
    max_examples=200 if PROVE else 10,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
TestPublicMachine = pytest.mark.timeout(3600 if PROVE else 180)(PublicMachine.TestCase)
