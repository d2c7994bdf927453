"""Reading the public log: twice, late, from two machines, and from whoever holds the server."""

import base64
import contextlib
import hashlib
import json
import shutil
import sqlite3
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import newsletter.project.sync as module
import pytest
import trustme
from hypothesis import given, settings
from hypothesis import strategies as st
from newsletter.addresses import Address
from newsletter.clock import moment_at
from newsletter.errors import InputError, LogUnreachable
from newsletter.ledger.log_entries import Cursor
from newsletter.message.keys import KeyRing
from newsletter.message.tokens import Purpose, Token, sign
from newsletter.project import Project
from newsletter.project.log_events import event_of
from newsletter.project.log_reader import SyncResult
from newsletter.project.rights import forget
from newsletter.project.sync import sync
from newsletter.testing import FrozenClock
from newsletter.web.log import LARGEST_SEQ, PublicLog

from tests.support.project import Project as Folder
from tests.support.project import smtp_delivery
from tests.support.public_side import (
    LIST_ID,
    PublicSide,
    log_app,
    public_settings,
    public_side,
    served,
)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    made = Folder(tmp_path / "project")
    made.settings(public_settings())
    return made


@pytest.fixture
def project(folder: Folder) -> Project:
    return Project(folder.folder)


@pytest.fixture
def side(folder: Folder) -> Iterator[PublicSide]:
    with public_side(folder.folder) as opened:
        yield opened


def left(project: Project, side: PublicSide, *names: str) -> set[str]:
    """Who of ``names`` must not be mailed."""
    with closing(project.ledger(create=True, follow=False)) as ledger:
        tags = ledger.suppressions.tags()
    return {name for name in names if side.tag(f"{name}@readers.example") in tags}


def numbers(result: SyncResult) -> dict[str, int]:
    return dict(result.new)


# What was done


def test_who_left_is_known_after_it_and_reading_again_changes_nothing(
    project: Project, side: PublicSide
) -> None:
    side.leave("anna@readers.example")
    side.leave("bela@readers.example", road="page")
    first = sync(project)
    assert ({"leave": 2}, [], {}) == (numbers(first), first.warnings, dict(first.waiting))
    assert {"anna", "bela"} == left(project, side, "anna", "bela", "carl")
    for again in (False, True):
        assert SyncResult() == sync(project, again=again)
    side.leave("carl@readers.example")
    assert {"leave": 1} == numbers(sync(project))


def test_leave_return_and_leave_again_end_in_left(project: Project, side: PublicSide) -> None:
    now = time.time()
    side.leave("anna@readers.example", at=now - 900)
    side.come_back("anna@readers.example", form_at=now - 600)
    assert {"leave": 1, "return": 1} == numbers(sync(project))
    assert set() == left(project, side, "anna")
    side.leave("anna@readers.example", at=now)
    sync(project)
    assert {"anna"} == left(project, side, "anna")
    side.come_back("anna@readers.example", form_at=now - 300)
    sync(project)
    assert {"anna"} == left(project, side, "anna")


@pytest.mark.fault(
    "Public",
    "a clock that was set back between a return and a leave",
    state="who left has left",
)
@pytest.mark.parametrize("in_two_readings", [False, True])
def test_a_leave_counts_although_the_servers_clock_was_set_back(
    project: Project, side: PublicSide, in_two_readings: bool
) -> None:
    """What stands behind a sign-up in the log was done after it, whatever its time."""
    now = time.time()
    side.leave("anna@readers.example", at=now - 900)
    side.sign_up("anna@readers.example", form_at=now - 600, at=now - 500)
    side.come_back("anna@readers.example", form_at=now - 600)
    if in_two_readings:
        sync(project)
        assert set() == left(project, side, "anna")
    side.leave("anna@readers.example", at=now - 700)
    for again in (False, True):
        sync(project, again=again)
        assert {"anna"} == left(project, side, "anna")


def test_an_entry_from_a_far_future_keeps_nobody_from_coming_back(
    project: Project, side: PublicSide
) -> None:
    now = time.time()
    side.add(kind="reason", words="", at=now + 10**6)
    side.leave("anna@readers.example", at=now - 900)
    side.come_back("anna@readers.example", form_at=now - 600)
    sync(project)
    assert set() == left(project, side, "anna")


@pytest.mark.fault(
    "Public",
    "a server whose clock is far ahead",
    state="who left has left, and can come back",
)
@pytest.mark.parametrize("ahead_s", [600, 3600 * 24 * 400])
def test_a_leave_from_the_future_can_be_ended_by_a_return(
    project: Project, side: PublicSide, monkeypatch: pytest.MonkeyPatch, ahead_s: float
) -> None:
    now = time.time()
    clock = FrozenClock(moment_at(now))
    monkeypatch.setattr(project, "clock", clock)
    side.leave("anna@readers.example", at=now + ahead_s)
    side.come_back("anna@readers.example", form_at=now - 600)
    assert {"leave": 1, "return": 1} == numbers(sync(project))
    assert {"anna"} == left(project, side, "anna")
    clock.sleep(3600)
    side.come_back("anna@readers.example", form_at=now + 1800)
    for again in (False, True):
        sync(project, again=again)
        assert set() == left(project, side, "anna")
    clock.sleep(3600)
    side.leave("anna@readers.example", at=now + 7200 + ahead_s)
    for again in (False, True):
        sync(project, again=again)
        assert {"anna"} == left(project, side, "anna")


def test_a_leave_from_the_future_stays_where_its_first_reading_put_it(
    project: Project, side: PublicSide, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also once its own time is no longer in the future."""
    now = time.time()
    clock = FrozenClock(moment_at(now))
    monkeypatch.setattr(project, "clock", clock)
    side.leave("anna@readers.example", at=now + 3600)
    sync(project)
    clock.sleep(600)
    side.come_back("anna@readers.example", form_at=now + 600)
    sync(project)
    clock.sleep(7200)
    for again in (False, True):
        sync(project, again=again)
        assert set() == left(project, side, "anna")


@pytest.mark.fault(
    "Public",
    "a laptop's clock that was set back between a return and a leave",
    state="who left has left",
)
def test_a_leave_counts_although_the_clock_here_was_set_back(
    project: Project, side: PublicSide, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.time()
    clock = FrozenClock(moment_at(now))
    monkeypatch.setattr(project, "clock", clock)
    side.sign_up("anna@readers.example", form_at=now - 600, at=now - 500)
    side.come_back("anna@readers.example", form_at=now - 600)
    sync(project)
    clock.sleep(-400 * 86_400)
    side.leave("anna@readers.example", at=now + 60)
    sync(project)
    assert {"anna"} == left(project, side, "anna")


def test_a_reader_who_leaves_in_two_ways_is_told_as_one(project: Project, side: PublicSide) -> None:
    for road in ("page", "header"):
        side.leave("anna@readers.example", road=road)
    assert {"leave": 1} == numbers(sync(project))
    side.leave("anna@readers.example")
    assert SyncResult() == sync(project)


def test_an_undo_voids_one_leave(project: Project, side: PublicSide) -> None:
    leave = side.leave("anna@readers.example")
    side.undo(leave)
    assert {"leave": 1, "void": 1} == numbers(sync(project))
    assert set() == left(project, side, "anna")
    side.leave("anna@readers.example")
    sync(project)
    assert {"anna"} == left(project, side, "anna")


def test_how_somebody_left_is_kept(project: Project, side: PublicSide) -> None:
    id_ = side.leave("anna@readers.example", road="page", campaign="ab" * 8, key=7)
    sync(project)
    with closing(project.ledger(create=False)) as ledger:
        (leave,) = ledger.suppressions.in_force(side.tag("anna@readers.example"))
    assert (id_, "unsubscribe page") == (leave.id, leave.source)
    assert [{"campaign": "ab" * 8, "key": "7"}] == list(leave.evidence)


def test_many_pages_are_read(
    project: Project, side: PublicSide, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("newsletter.web.log.MOST_ENTRIES", 7)
    for number in range(30):
        side.leave(f"reader{number}@readers.example")
    assert {"leave": 30} == numbers(sync(project))


Act = tuple[str, int]
acts = st.lists(st.tuples(st.sampled_from(["leave", "undo", "return"]), st.integers(0, 5)))


@given(acts, st.randoms(use_true_random=False))
@settings(max_examples=10)
def test_the_order_and_the_number_of_readings_change_nothing(
    tmp_path_factory: pytest.TempPathFactory, told: list[Act], chance: Any
) -> None:
    base = tmp_path_factory.mktemp("orders")
    boxes: list[tuple[bytes, bytes]] = []
    leaves: list[bytes] = []
    outcomes = []
    for number in range(2):
        made = Folder(base / f"project{number}")
        made.settings(public_settings())
        if number:
            shutil.copy(base / "project0" / "newsletter.key", made.folder)
        with public_side(made.folder) as side:
            if not number:
                for at, (kind, who) in enumerate(told):
                    tag = side.tag(f"r{who}@readers.example").hex()
                    id_ = bytes([at]) * 16
                    if kind == "leave":
                        leaves.append(id_)
                        content = {"kind": kind, "tag": tag, "road": "header", "at": at * 60.0}
                    elif kind == "undo" and leaves:
                        content = {"kind": kind, "leave": leaves[who % len(leaves)].hex()}
                    else:
                        continue
                    boxes.append((id_, side.box(**content)))
            order = [*boxes]
            if number:
                order += boxes[::2]
                chance.shuffle(order)
            project = Project(made.folder)
            for id_, box in order:
                side.log.append(box, id_)
                if number and chance.random() < 0.3:
                    sync(project, again=chance.random() < 0.5)
            sync(project)
            names = [f"r{who}" for who in range(6)]
            outcomes.append(left(project, side, *names))
    assert outcomes[0] == outcomes[1]


# Two machines, and backups


def test_two_laptops_read_the_same_log(folder: Folder, side: PublicSide, tmp_path: Path) -> None:
    other = Folder(tmp_path / "other")
    shutil.copy(folder.folder / "newsletter.key", other.folder)
    other.settings(public_settings(more=f'log = "{folder.folder}/public.db"'))
    side.leave("anna@readers.example")
    laptops = Project(folder.folder), Project(other.folder)
    assert [{"leave": 1}] * 2 == [numbers(sync(each)) for each in laptops]
    side.leave("bela@readers.example")
    assert [{"leave": 1}] * 2 == [numbers(sync(each)) for each in laptops]
    for each in laptops:
        assert {"anna", "bela"} == left(each, side, "anna", "bela")


def test_a_restored_ledger_reads_on_from_where_it_was(
    folder: Folder, project: Project, side: PublicSide
) -> None:
    side.leave("anna@readers.example")
    sync(project)
    backup = folder.folder / "backup.db"
    with closing(sqlite3.connect(folder.folder / "newsletter.db")) as db:
        db.execute("VACUUM INTO ?", (str(backup),))
    side.leave("bela@readers.example")
    sync(project)
    backup.replace(folder.folder / "newsletter.db")
    result = sync(project)
    assert ({"leave": 1}, []) == (numbers(result), result.warnings)
    assert {"anna", "bela"} == left(project, side, "anna", "bela")


def test_entries_that_left_before_they_were_read_are_missed_aloud(
    project: Project, side: PublicSide
) -> None:
    for name in ("anna", "bela", "carl"):
        side.leave(f"{name}@readers.example")
    side.log.note_synced(2)
    side.log.drop_synced(10**6)
    result = sync(project)
    assert {"leave": 1} == numbers(result)
    assert ["2 entries left the log before this machine read it"] == [
        each.partition(".")[0] for each in result.warnings
    ]
    # Told until a person says that they are lost, and counted once.
    again = sync(project)
    assert (result.warnings, result.obstacles) == (again.warnings, again.obstacles)
    assert 1 == len(again.obstacles)
    assert SyncResult() == sync(project, again=True)
    assert SyncResult() == sync(project)


def test_all_that_was_read_may_leave_without_a_word(project: Project, side: PublicSide) -> None:
    side.leave("anna@readers.example")
    sync(project)
    assert 1 == side.log.drop_synced(10**6)
    side.leave("bela@readers.example")
    result = sync(project)
    assert ({"leave": 1}, []) == (numbers(result), result.warnings)
    assert SyncResult() == sync(project, again=True)


# A log that is not what it was


def copy_of(path: Path, to: Path) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute("VACUUM INTO ?", (str(to),))


def put_back(path: Path, copy: Path) -> None:
    for file in path.parent.glob(f"{path.name}-*"):
        file.unlink()
    copy.replace(path)


@pytest.mark.parametrize("goes_on", [0, 1, 2, 5], ids=["shorter", "less", "as long", "longer"])
def test_a_log_that_was_rolled_back_is_noticed_and_read_again(
    folder: Folder, project: Project, goes_on: int, tmp_path: Path
) -> None:
    path, copy = folder.folder / "public.db", tmp_path / "earlier.db"
    with public_side(folder.folder) as side:
        side.leave("anna@readers.example")
    copy_of(path, copy)
    with public_side(folder.folder) as side:
        side.leave("bela@readers.example")
        side.leave("carl@readers.example")
        sync(project)
    put_back(path, copy)
    with public_side(folder.folder) as side:
        names = [f"new{number}" for number in range(goes_on)]
        for name in names:
            side.leave(f"{name}@readers.example")
        result = sync(project)
        assert goes_on == result.new["leave"]
        (warning,) = result.warnings
        assert "rolled back" in warning
        assert "read again" in warning
        everybody = {"anna", "bela", "carl", *names}
        assert everybody == left(project, side, *everybody)
        assert [] == sync(project).warnings


def test_another_log_is_read_whole_with_a_warning(folder: Folder, project: Project) -> None:
    with public_side(folder.folder) as side:
        side.leave("anna@readers.example")
        sync(project)
    for file in folder.folder.glob("public.db*"):
        file.unlink()
    with public_side(folder.folder) as side:
        side.leave("bela@readers.example")
        result = sync(project)
        assert {"leave": 1} == numbers(result)
        (warning,) = result.warnings
        assert "another log" in warning
        assert {"anna", "bela"} == left(project, side, "anna", "bela")


def test_a_changed_chain_is_told_and_what_is_in_it_counts(
    project: Project, side: PublicSide
) -> None:
    for name in ("anna", "bela", "carl"):
        side.leave(f"{name}@readers.example")
    with closing(sqlite3.connect(side.log.path)) as db:
        db.execute("DELETE FROM entry WHERE seq = 2")
        db.commit()
    result = sync(project)
    assert {"leave": 2} == numbers(result)
    assert ["The log's chain does not hold"] == [w.partition(":")[0] for w in result.warnings]


def test_a_log_that_cannot_be_read_is_said(folder: Folder, project: Project) -> None:
    with pytest.raises(LogUnreachable, match="no public log yet"):
        sync(project)
    (folder.folder / "public.db").write_bytes(b"no database" * 1_000)
    with pytest.raises(LogUnreachable, match="not a public log"):
        sync(project)
    (folder.folder / "public.db").unlink()
    folder.settings("")
    with pytest.raises(InputError, match="no public side"):
        sync(Project(folder.folder))


def test_a_log_of_a_server_in_this_folder_counts_without_settings(
    folder: Folder, side: PublicSide
) -> None:
    """It answers the links of [list] unsubscribe_url."""
    folder.settings("")
    side.leave("anna@readers.example")
    project = Project(folder.folder)
    assert {"leave": 1} == numbers(sync(project))
    assert {"anna"} == left(project, side, "anna")


# What cannot be applied


def test_kinds_of_a_later_version_are_kept_told_and_stop_nobody(
    project: Project, side: PublicSide, monkeypatch: pytest.MonkeyPatch
) -> None:
    side.add(kind="hologram", tag=side.tag("dora@readers.example").hex(), road="x")
    side.leave("anna@readers.example")
    side.leave("bela@readers.example", v=2)
    for _ in range(2):
        result = sync(project)
        assert {"hologram": 1, "leave": 1} == dict(result.waiting)
    assert {"anna"} == left(project, side, "anna", "bela", "dora")
    known = event_of

    def later(id_: bytes, content: Any, verifier: Any) -> Any:
        return known(id_, {**content, "kind": "leave", "v": 1}, verifier)

    monkeypatch.setattr("newsletter.project.log_reader.event_of", later)
    result = sync(project)
    assert ({"leave": 2}, {}) == (numbers(result), dict(result.waiting))
    assert {"anna", "bela", "dora"} == left(project, side, "anna", "bela", "dora")


@pytest.mark.parametrize(
    "content",
    [
        {"kind": "leave"},
        {"kind": "leave", "tag": "no hex", "road": "header"},
        {"kind": "leave", "tag": "00" * 11, "road": "header"},
        {"kind": "leave", "tag": 7, "road": "header"},
        {"kind": "leave", "tag": "00" * 12, "road": [], "at": 1},
        {"kind": "leave", "tag": "00" * 12, "road": "header", "at": "soon"},
        {"kind": "undo", "leave": "00"},
        {"kind": "undo", "leave": None},
        {"kind": "return", "token": "A" * 60},
        {"kind": "return", "token": None},
        {"kind": ["leave"]},
        {"kind": "\x1b[31mleave"},
        {"kind": "x" * 500},
        {},
    ],
)
def test_what_makes_no_sense_is_counted_and_stops_nobody(
    project: Project, side: PublicSide, content: dict[str, Any]
) -> None:
    side.add(**content)
    side.leave("anna@readers.example")
    result = sync(project)
    assert ({"leave": 1}, {"": 1}) == (numbers(result), dict(result.waiting))


@pytest.mark.parametrize("at", [-1e300, 1e300, 0, 10**30])
def test_times_beyond_all_clocks_still_leave(project: Project, side: PublicSide, at: float) -> None:
    side.leave("anna@readers.example", at=at)
    sync(project)
    assert {"anna"} == left(project, side, "anna")


def test_boxes_of_another_key_wait_until_it_is_there(folder: Folder, side: PublicSide) -> None:
    key_file = folder.folder / "newsletter.key"
    old = key_file.read_bytes()
    rotated = KeyRing.rotate(key_file)
    PublicSide(side.log, rotated).leave("anna@readers.example")
    side.log.append(b"junk")
    key_file.write_bytes(old)
    result = sync(Project(folder.folder))
    assert {"": 2} == dict(result.waiting)
    rotated.save(key_file)
    project = Project(folder.folder)
    result = sync(project)
    assert ({"leave": 1}, {"": 1}) == (numbers(result), dict(result.waiting))
    assert {"anna"} == left(project, side, "anna")


def test_a_flood_of_junk_is_kept_within_bounds(
    project: Project, side: PublicSide, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("newsletter.ledger.log_entries.MOST_KEPT", 3)
    for number in range(9):
        side.log.append(bytes([number]) * 1074)
    side.leave("anna@readers.example")
    result = sync(project)
    assert ({"leave": 1}, {"": 3}) == (numbers(result), dict(result.waiting))
    (warning,) = result.warnings
    assert "no more were kept" in warning


def test_a_server_that_invents_misuse_is_told_of_once(project: Project, side: PublicSide) -> None:
    for number in range(30):
        side.add(kind="breaker", asked=150 + number, confirmed=2)
    (warning,) = sync(project).warnings
    assert "150 mails" in warning


def test_junk_that_anybody_can_send_leaves_room_for_a_key_that_comes_later(
    folder: Folder, side: PublicSide, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("newsletter.ledger.log_entries.MOST_KEPT", 4)
    key_file = folder.folder / "newsletter.key"
    old = key_file.read_bytes()
    for number in range(9):
        side.add(kind="return", token=f"junk {number}")
    rotated = KeyRing.rotate(key_file)
    PublicSide(side.log, rotated).leave("anna@readers.example")
    key_file.write_bytes(old)
    assert {"": 3} == dict(sync(Project(folder.folder)).waiting)
    rotated.save(key_file)
    project = Project(folder.folder)
    assert {"leave": 1} == numbers(sync(project))
    assert {"anna"} == left(project, side, "anna")


def test_a_token_for_leaving_brings_nobody_back(project: Project, side: PublicSide) -> None:
    from newsletter.message.tokens import Purpose, Token, sign

    side.leave("anna@readers.example", at=0.0)
    for purpose in (Purpose.HEADER, Purpose.PAGE, Purpose.PREFERENCES):
        token = Token(purpose, side.tag("anna@readers.example"), bytes(8), 10**6)
        side.add(kind="return", token=sign(token, keys=side.keys, list_id="news.defenders.test"))
    result = sync(project)
    assert {"": 3} == dict(result.waiting)
    assert {"anna"} == left(project, side, "anna")


def test_a_token_that_the_server_could_not_read_leaves(project: Project, side: PublicSide) -> None:
    """Its mail was signed with a key that was newer than the server's."""
    from newsletter.message.tokens import NOBODY, Purpose, Token, sign

    def add(purpose: Purpose, tag: bytes) -> None:
        text = sign(Token(purpose, tag, bytes(8), 10**6), keys=side.keys, list_id=LIST_ID)
        side.add(kind="token", token=text, road="header")

    add(Purpose.HEADER, side.tag("anna@readers.example"))
    add(Purpose.PAGE, side.tag("bela@readers.example"))
    add(Purpose.HEADER, NOBODY)
    side.add(kind="token", token="junk", road="header")
    result = sync(project)
    assert ({"leave": 1}, {"": 3}) == (numbers(result), dict(result.waiting))
    assert {"anna"} == left(project, side, "anna", "bela")


@pytest.mark.parametrize("elsewhere", [False, True], ids=["file", "server"])
def test_a_server_without_the_newest_key_is_told_of(
    folder: Folder, tmp_path: Path, elsewhere: bool
) -> None:
    path = tmp_path / "elsewhere.db" if elsewhere else folder.folder / "public.db"
    with server_of(folder, path) as (side, port):
        url = f"http://127.0.0.1:{port}"
        folder.settings(public_settings(url, "" if elsewhere else f'log = "{path}"'))
        side.log.note_secret(side.keys.signing_key_id)
        assert SyncResult() == sync(Project(folder.folder))
        Project(folder.folder).rotate_keys()
        result = sync(Project(folder.folder))
        (warning,) = result.warnings
        (obstacle,) = result.obstacles
        assert "does not have the newest key" in obstacle.what
        assert f"{obstacle.what} {obstacle.next}" == warning
        side.log.note_secret(side.keys.signing_key_id + 1)
        assert SyncResult() == sync(Project(folder.folder))
        # Rotated on another machine, whose key file was not copied here.
        side.log.note_secret(side.keys.signing_key_id + 2)
        (obstacle,) = sync(Project(folder.folder)).obstacles
        assert "a newer key than this machine" in obstacle.what


# Over HTTP


@contextlib.contextmanager
def server_of(folder: Folder, path: Path) -> Iterator[tuple[PublicSide, int]]:
    """A server elsewhere, which the project's settings name."""
    KeyRing.load_or_create(folder.folder / "newsletter.key")
    keys = KeyRing.with_bearer(folder.folder / "newsletter.key")
    with closing(PublicLog(path)) as log, served(log_app(log, keys)) as port:
        folder.settings(public_settings(f"http://127.0.0.1:{port}"))
        yield PublicSide(log, keys), port


def test_a_server_elsewhere_is_read_over_http(folder: Folder, tmp_path: Path) -> None:
    with server_of(folder, tmp_path / "elsewhere.db") as (side, _):
        side.leave("anna@readers.example")
        project = Project(folder.folder)
        result = sync(project)
        assert ({"leave": 1}, []) == (numbers(result), result.warnings)
        assert SyncResult() == sync(project)
        assert {"anna"} == left(project, side, "anna")
        assert 1 == side.log.drop_synced(10**6)  # the server was told how far it was read


@pytest.mark.parametrize(
    ("newer", "what", "following"),
    [
        ("neither", "from another newsletter.key", "If newsletter.key here is the newest"),
        ("here", "its bundle is older", "run “newsletter keys public” here"),
        ("there", "newsletter.key here is older", "Copy the newest newsletter.key"),
    ],
)
def test_another_secret_is_refused_and_the_older_side_named(
    folder: Folder, tmp_path: Path, newer: str, what: str, following: str
) -> None:
    key_file = folder.folder / "newsletter.key"
    KeyRing.load_or_create(key_file)
    old = key_file.read_text()
    if newer == "there":
        KeyRing.rotate(key_file)
    with server_of(folder, tmp_path / "elsewhere.db"):
        bearer = KeyRing.load(key_file).bearer
        assert bearer is not None
        other = key_file.read_text().replace(bearer.hex(), "0" * 64)
        key_file.write_text(f'bearer = "{"0" * 64}"\n{old}' if newer == "there" else other)
        if newer == "here":
            KeyRing.rotate(key_file)
        with pytest.raises(LogUnreachable, match="bearer secret") as refused:
            sync(Project(folder.folder))
    assert what in refused.value.what
    assert following in refused.value.next


@pytest.mark.parametrize("was_read", [False, True])
def test_who_left_in_the_folder_before_there_was_a_server_has_left(
    folder: Folder, tmp_path: Path, side: PublicSide, was_read: bool
) -> None:
    if was_read:
        side.leave("carl@readers.example")
        sync(Project(folder.folder))
    side.leave("anna@readers.example")
    with server_of(folder, tmp_path / "elsewhere.db") as (there, _):
        there.leave("bela@readers.example")
        project = Project(folder.folder)
        result = sync(project)
        assert ({"leave": 2}, [], []) == (numbers(result), result.warnings, result.obstacles)
        assert {"anna", "bela"} == left(project, side, "anna", "bela")
        assert SyncResult() == sync(project)
        # A server that still runs in the folder answers readers with 200.
        side.leave("dora@readers.example")
        assert {"leave": 1} == numbers(sync(project))
        assert SyncResult() == sync(project)
    # Nor does it hang on whether the new server answers.
    side.leave("emil@readers.example")
    with pytest.raises(LogUnreachable):
        sync(project)
    assert {"dora", "emil"} == left(project, side, "dora", "emil")


def test_the_log_from_before_the_server_is_read_again_for_a_restored_ledger(
    folder: Folder, tmp_path: Path, side: PublicSide
) -> None:
    ledger = folder.folder / "newsletter.db"
    with server_of(folder, tmp_path / "elsewhere.db"):
        sync(Project(folder.folder))
        earlier = ledger.read_bytes()
        side.leave("anna@readers.example")
        side.sign_up("zoe@readers.example")
        for again in (False, True):
            assert {"leave": 1, "signup": 1} == numbers(sync(Project(folder.folder), again=again))
            assert {"anna"} == left(Project(folder.folder), side, "anna")
            for file in folder.folder.glob("newsletter.db*"):
                file.unlink()
            ledger.write_bytes(earlier)


def test_a_server_in_the_folder_that_is_read_over_http_is_one_log(folder: Folder) -> None:
    with server_of(folder, folder.folder / "public.db") as (side, _):
        for name in ("anna", "bela"):
            side.leave(f"{name}@readers.example")
            assert {"leave": 1} == numbers(sync(Project(folder.folder)))
        assert 2 == side.log.drop_synced(10**6)
        assert SyncResult() == sync(Project(folder.folder))


def test_a_place_that_somebody_invented_keeps_nobody_from_the_log(
    folder: Folder, tmp_path: Path
) -> None:
    with server_of(folder, tmp_path / "elsewhere.db") as (side, _):
        side.leave("anna@readers.example")
        project = Project(folder.folder)
        with closing(project.ledger(create=True)) as ledger, ledger.transaction():
            cursor = Cursor(side.log.page(0).log_id, LARGEST_SEQ, bytes(32))
            ledger.log_entries.move(cursor, now=project.clock.now())
        result = sync(project)
        assert {"leave": 1} == numbers(result)
        assert "rolled back" in result.warnings[0]


def test_a_restored_ledger_reads_on_in_the_log_from_before_there_was_a_server(
    folder: Folder, tmp_path: Path, side: PublicSide
) -> None:
    project = Project(folder.folder)
    side.leave("anna@readers.example")
    side.leave("bela@readers.example")
    sync(project)
    side.log.drop_synced(10**6)  # so that a reading from the beginning would miss them
    with server_of(folder, tmp_path / "elsewhere.db"):
        project = Project(folder.folder)
        sync(project)
        backup = folder.folder / "backup.db"
        with closing(sqlite3.connect(folder.folder / "newsletter.db")) as db:
            db.execute("VACUUM INTO ?", (str(backup),))
        side.leave("carl@readers.example")
        sync(project)
        backup.replace(folder.folder / "newsletter.db")
        result = sync(project)
        assert ({"leave": 1}, [], []) == (numbers(result), result.warnings, result.obstacles)
        assert {"anna", "bela", "carl"} == left(project, side, "anna", "bela", "carl", "dora")
        assert SyncResult() == sync(project, again=True)


def test_old_entries_leave_the_log_from_before_there_was_a_server(
    folder: Folder, tmp_path: Path, side: PublicSide, monkeypatch: pytest.MonkeyPatch
) -> None:
    side.leave("anna@readers.example")
    with server_of(folder, tmp_path / "elsewhere.db"):
        project = Project(folder.folder)
        sync(project)
        monkeypatch.setattr(project, "clock", FrozenClock(datetime.now(UTC) + timedelta(days=91)))
        assert SyncResult() == sync(project)
    assert () == side.log.page(0).entries


class Handler(BaseHTTPRequestHandler):
    answer: Callable[["Handler"], None]

    def do_GET(self) -> None:
        with contextlib.suppress(OSError):
            type(self).answer(self)

    do_POST = do_GET  # noqa: N815 - http.server's name

    def log_message(self, *_: object) -> None:
        pass

    def send(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@contextlib.contextmanager
def stranger(answer: Callable[[Handler], None]) -> Iterator[ThreadingHTTPServer]:
    kind = type("Stranger", (Handler,), {"answer": staticmethod(answer)})
    server = ThreadingHTTPServer(("127.0.0.1", 0), kind)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def page(**changed: Any) -> bytes:
    whole = {"log_id": "00" * 16, "first": 1, "last": 0, "head": None, "entries": []}
    return json.dumps({**whole, **changed}).encode()


def entry(**changed: Any) -> dict[str, Any]:
    return {"seq": 1, "id": "00" * 16, "box": "", "head": "00" * 32, **changed}


def endless(handler: Handler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Type", "application/json")
    handler.end_headers()
    for _ in range(200):
        handler.wfile.write(b" " * 100_000)


ANSWERS: dict[str, tuple[Callable[[Handler], None], str]] = {
    "a page for people": (
        lambda h: h.send(200, b"<html>", **{"Content-Type": "text/html"}),
        "not a public log",
    ),
    "no json": (lambda h: h.send(200, b"{"), "not a public log"),
    "deep json": (lambda h: h.send(200, b"[" * 100_000), "not a public log"),
    "another object": (lambda h: h.send(200, b"{}"), "not a public log"),
    "a list": (lambda h: h.send(200, b"[1]"), "not a public log"),
    "a short id": (lambda h: h.send(200, page(log_id="00")), "not a public log"),
    "a wrong number": (lambda h: h.send(200, page(last=-1)), "not a public log"),
    "a number beyond all": (
        lambda h: h.send(200, page(last=LARGEST_SEQ + 1)),
        "not a public log",
    ),
    "a true number": (lambda h: h.send(200, page(last=True)), "not a public log"),
    "a short head": (lambda h: h.send(200, page(head="00")), "not a public log"),
    "no entries": (lambda h: h.send(200, page(entries=3)), "not a public log"),
    "no base64": (lambda h: h.send(200, page(entries=[entry(box="*")])), "not a public log"),
    "a huge box": (
        lambda h: h.send(200, page(entries=[entry(box="A" * 2_900_000)])),
        "not a public log",
    ),
    "a huge answer": (lambda h: h.send(200, b" " * 5_000_000 + page()), "not a public log"),
    "an endless answer": (endless, "not a public log"),
    "elsewhere": (
        lambda h: h.send(302, Location="http://127.0.0.1:1/log"),
        "redirects to another one",
    ),
    "nothing there": (lambda h: h.send(404), "none at this address"),
    "out of order": (lambda h: h.send(503), "answered 503"),
    "a hang-up": (lambda h: h.connection.close(), "cannot be read"),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_whatever_a_server_answers_is_said_and_changes_nothing(folder: Folder, name: str) -> None:
    answer, words = ANSWERS[name]
    KeyRing.load_or_create(folder.folder / "newsletter.key")
    KeyRing.with_bearer(folder.folder / "newsletter.key")
    with stranger(answer) as server:
        folder.settings(public_settings(f"http://127.0.0.1:{server.server_port}"))
        project = Project(folder.folder)
        with pytest.raises(LogUnreachable, match=words):
            sync(project)
        with closing(project.ledger(create=False)) as ledger:
            assert ledger.log_entries.cursor is None


def test_a_server_that_makes_ever_more_entries_missed_is_told_of_within_bounds(
    folder: Folder,
) -> None:
    KeyRing.load_or_create(folder.folder / "newsletter.key")
    KeyRing.with_bearer(folder.folder / "newsletter.key")

    def with_gaps(handler: Handler) -> None:
        seq = int(handler.path.partition("after=")[2].partition("&")[0] or 0) + 10
        new = entry(seq=seq, id=seq.to_bytes(16, "big").hex(), box="AAAA")
        handler.send(200, page(first=seq, last=300, entries=[new]))

    with stranger(with_gaps) as server:
        folder.settings(public_settings(f"http://127.0.0.1:{server.server_port}"))
        result = sync(Project(folder.folder))
    assert 30 == result.waiting[""]
    told = [each for each in result.warnings if "left the log before this machine" in each]
    assert 1 < len(told) <= 20


def test_a_log_without_an_end_is_left_after_a_while(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def more(handler: Handler) -> None:
        seq = int(handler.path.partition("after=")[2].partition("&")[0]) + 1
        new = entry(seq=seq, id=seq.to_bytes(16, "big").hex(), box="AAAA")
        handler.send(200, page(first=1, last=10**9, entries=[new]))

    monkeypatch.setattr(module, "_LONGEST_S", 0.3)
    KeyRing.load_or_create(folder.folder / "newsletter.key")
    KeyRing.with_bearer(folder.folder / "newsletter.key")
    with stranger(more) as server:
        folder.settings(public_settings(f"http://127.0.0.1:{server.server_port}"))
        with pytest.raises(LogUnreachable, match="does not come to an end"):
            sync(Project(folder.folder))


def test_a_certificate_that_nobody_vouches_for_is_refused(folder: Folder) -> None:
    KeyRing.load_or_create(folder.folder / "newsletter.key")
    KeyRing.with_bearer(folder.folder / "newsletter.key")
    certificate = trustme.CA().issue_cert("127.0.0.1", "localhost")
    with stranger(lambda h: h.send(200, page())) as server:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        certificate.configure_cert(context)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        folder.settings(public_settings(f"https://127.0.0.1:{server.server_port}"))
        with pytest.raises(LogUnreachable, match=r"(?i)certificate"):
            sync(Project(folder.folder))


def test_the_list_of_a_real_send_is_remembered_elsewhere_too(
    folder: Folder, side: PublicSide, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    folder.settings(smtp_delivery(25) + public_settings())
    side.leave("anna@readers.example")
    assert {"leave": 1} == numbers(sync(Project(folder.folder)))


@pytest.mark.fault(
    "Public",
    "a key rotated between mail and click",
    state="the leave is kept, and counts where the key is",
)
def test_a_leave_by_a_token_that_the_server_could_not_verify_counts(
    folder: Folder, side: PublicSide
) -> None:
    rotated = KeyRing.rotate(folder.folder / "newsletter.key")
    tokens = [
        sign(Token(purpose, side.tag(name), bytes(8), 1), keys=rotated, list_id=LIST_ID)
        for purpose, name in (
            (Purpose.HEADER, "anna@readers.example"),
            (Purpose.PREFERENCES, "bela@readers.example"),
        )
    ]
    forged = tokens[0][:-4] + ("AAAA" if tokens[0][-4:] != "AAAA" else "BBBB")
    for token in (*tokens, forged, "", None, 7):
        side.add(kind="token", token=token, road="header")
    project = Project(folder.folder)
    result = sync(project)
    assert ({"leave": 1}, {"": 5}) == (numbers(result), dict(result.waiting))
    assert {"anna"} == left(project, side, "anna", "bela")
    # The page takes all that may leave.
    side.add(kind="token", token=tokens[1], road="page")
    assert {"leave": 1} == numbers(sync(project))
    assert {"anna", "bela"} == left(project, side, "anna", "bela")


def test_a_choice_by_a_token_that_the_server_could_not_verify_counts(
    folder: Folder, side: PublicSide
) -> None:
    rotated = KeyRing.rotate(folder.folder / "newsletter.key")
    purposes = (Purpose.PREFERENCES, Purpose.PAGE, Purpose.HEADER)
    for purpose in purposes:
        made = Token(purpose, side.tag("anna@readers.example"), bytes(8), 1)
        text = sign(made, keys=rotated, list_id=LIST_ID)
        side.add(kind="preferences", token=text, changes={"language": "fr"})
    project = Project(folder.folder)
    result = sync(project)
    assert ({"preferences": 1}, {"": 2}) == (numbers(result), dict(result.waiting))
    with closing(project.ledger(create=False)) as ledger:
        assert {side.tag("anna@readers.example")} == ledger.preferences.current().keys()


@pytest.mark.parametrize("profile", ["proof", "eu-institution", "minimal"])
def test_who_left_long_ago_can_sign_up_again_and_is_erased_without_an_answer(
    tmp_path: Path, profile: str
) -> None:
    made = Folder(tmp_path / "project")
    made.settings(f'{public_settings()}[privacy]\nprofile = "{profile}"\n')
    project, anna, day = Project(made.folder), "anna@readers.example", 86_400
    now = project.clock.now()
    with public_side(made.folder) as side:
        typed = now.timestamp() - 500 * day
        side.sign_up(anna, form_at=typed, at=typed)
        side.leave(anna, at=now.timestamp() - 400 * day)
        sync(project)
        side.sign_up(anna, form_at=now.timestamp() - 32 * day)
        sync(project)  # erases what is older than the leave, and not what waits for an answer
        with closing(project.ledger(create=False)) as ledger:
            assert [anna] == [str(each.address) for each in ledger.sign_ups.all()]
            with ledger.transaction():
                ledger.sign_ups.note_asked(side.tag(anna), now=now - timedelta(days=31))
        assert 1 <= sync(project).erased.sign_ups
        with closing(project.ledger(create=False)) as ledger:
            assert [] == ledger.sign_ups.all()


def test_a_sign_up_from_before_its_reader_was_forgotten_is_not_taken_in(
    project: Project, side: PublicSide, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, anna = time.time(), "anna@readers.example"
    clock = FrozenClock(moment_at(now))
    monkeypatch.setattr(project, "clock", clock)
    forget(project, anna)
    side.sign_up(anna, form_at=now - 600, at=now - 500)
    result = sync(project)
    assert ({}, 0) == (numbers(result), result.erased.sign_ups)
    clock.sleep(3600)
    side.sign_up(anna, form_at=now + 600, at=now + 700)
    assert {"signup": 1} == numbers(sync(project))


@pytest.mark.parametrize("first", ["change", "sign-up"])
def test_a_change_that_has_a_sign_ups_id_keeps_nobody_off_the_list(
    project: Project, side: PublicSide, first: str
) -> None:
    """Whoever has the server can give an entry the id that a sign-up's own change will have."""
    box = side.form("anna@readers.example", language="fr")
    change = side.box(
        kind="preferences", tag=side.tag("bela@readers.example").hex(), changes={"language": "es"}
    )

    def collide() -> None:
        side.log.append(change, hashlib.sha256(box).digest()[:16])

    if first == "change":
        collide()
    side.add(kind="signup", box=base64.b64encode(box).decode())
    if first == "sign-up":
        collide()
    for again in (False, True):
        assert [] == sync(project, again=again).warnings
        listed = {str(each.address): each.language for each in project.roster().subscribers}
        assert "fr" == listed["anna@readers.example"]


@pytest.mark.parametrize("profile", ["proof", "eu-institution", "minimal"])
def test_who_left_under_a_former_pepper_has_left_whatever_is_erased(
    folder: Folder, profile: str
) -> None:
    folder.settings(f'{public_settings()}[privacy]\nprofile = "{profile}"\n')
    key_file, anna = folder.folder / "newsletter.key", Address("anna", "readers.example")
    former = KeyRing.load_or_create(key_file)
    ring = replace(former, pepper=bytes(32)).joined(former)
    ring.save(key_file)
    with public_side(folder.folder) as side:
        side.leave(str(anna), at=time.time() - 400 * 86_400)
        side.add(
            kind="leave",
            tag=former.address_tag(anna).hex(),
            road="header",
            at=time.time() - 3000 * 86_400,
        )
        project = Project(folder.folder)
        for again in (False, True):
            sync(project, again=again)
            with closing(project.ledger(create=False)) as ledger:
                assert {*project.keys.tags(anna)} == ledger.suppressions.tags()
