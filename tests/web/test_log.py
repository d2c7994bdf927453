"""The public log: what append returned for is there, whatever happens; and nothing tells tales."""

import os
import secrets
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import newsletter.web.log as module
import pytest
from nacl.public import PrivateKey
from newsletter.errors import LedgerRefused
from newsletter.testing import FrozenClock
from newsletter.web.log import LogUnwritable, Page, PublicLog, first_head, next_head
from newsletter.web.seal import seal

from tests.support.tools import ROOT, program

BOX = b"b" * 1074
NOON = datetime(2027, 3, 1, 12, tzinfo=UTC)
TODAY = int(NOON.timestamp() // 86_400)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "public.db"


@pytest.fixture
def log(path: Path) -> Iterator[PublicLog]:
    with closing(PublicLog(path, clock=FrozenClock(NOON))) as opened:
        yield opened


def ids(page: Page) -> list[bytes]:
    return [entry.id for entry in page.entries]


def verify(page: Page, head: bytes | None = None) -> bytes:
    """Follow the chain; the head behind the page."""
    end = head or page.head
    assert end is not None
    for entry in page.entries:
        end = next_head(end, entry.id, entry.box)
        assert end == entry.head
    return end


def run(script: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", script, *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


# Append and read


def test_entries_come_back_in_order_and_chained(log: PublicLog, path: Path) -> None:
    written = [log.append(BOX + bytes([n])) for n in range(5)]
    page = log.page(0)
    assert written == ids(page)
    assert [1, 2, 3, 4, 5] == [entry.seq for entry in page.entries]
    assert (1, 5, first_head(page.log_id)) == (page.first_kept, page.last, page.head)
    verify(page)
    assert written[2:4] == ids(log.page(2, 2))
    verify(log.page(2, 2))
    assert ([], page.entries[-1].head) == (ids(log.page(5)), log.page(5).head)
    assert (None, 5) == (log.page(6).head, log.page(6).last)
    with closing(PublicLog(path, create=False)) as again:
        assert page == again.page(0)


def test_an_empty_log_has_a_beginning(log: PublicLog) -> None:
    page = log.page(0)
    assert Page(page.log_id, (), 1, 0, first_head(page.log_id)) == page
    assert 32 == len(page.log_id)


def test_an_id_that_is_there_adds_nothing(log: PublicLog) -> None:
    assert b"i" * 16 == log.append(BOX, b"i" * 16)
    assert b"i" * 16 == log.append(BOX + b"other", b"i" * 16)
    both = [log.submit(BOX, b"k" * 16) for _ in range(2)]
    assert {b"k" * 16} == {each.result() for each in both}
    assert [b"i" * 16, b"k" * 16] == ids(log.page(0))


def test_a_page_is_bounded_whatever_is_asked(
    log: PublicLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_ENTRIES", 3)
    for each in [log.submit(BOX) for _ in range(7)]:
        each.result()
    assert 3 == len(log.page(0, 10**9).entries)
    assert 0 == len(log.page(0, -1).entries)
    assert 7 == len(log.page(-5, 0).entries) + log.page(-5, 0).last


def test_many_threads_share_commits(log: PublicLog, monkeypatch: pytest.MonkeyPatch) -> None:
    commits = []
    transaction = module._transaction

    def counted(connection: sqlite3.Connection, begin: str = "BEGIN IMMEDIATE") -> object:
        commits.append(begin)
        return transaction(connection, begin)

    monkeypatch.setattr(module, "_transaction", counted)
    with ThreadPoolExecutor(32) as pool:
        written = list(pool.map(lambda _: log.append(BOX), range(600)))
    assert 600 == len(set(written))
    assert len(commits) < 400
    assert sorted(written) == sorted(ids(log.page(0)))
    verify(log.page(0))


WRITES_AND_TELLS = """
import sys, threading
from pathlib import Path
from newsletter.web.log import PublicLog
log = PublicLog(Path(sys.argv[1]))
def write():
    for _ in range(int(sys.argv[2])):
        sys.stdout.write(log.append(b"b" * 1074).hex() + "\\n")
        sys.stdout.flush()
threads = [threading.Thread(target=write) for _ in range(int(sys.argv[3]))]
for each in threads: each.start()
for each in threads: each.join()
log.close()
"""


def writer(path: Path, number: int, *before: str, threads: int = 4) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [*before, sys.executable, "-c", WRITES_AND_TELLS, str(path), str(number), str(threads)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


def test_two_servers_append_to_one_new_file(path: Path) -> None:
    servers = [writer(path, 40), writer(path, 40)]
    told = [server.communicate(timeout=60)[0].split() for server in servers]
    assert [160, 160] == [len(each) for each in told]
    with closing(PublicLog(path)) as log:
        page = log.page(0)
    assert sorted(told[0] + told[1]) == sorted(each.hex() for each in ids(page))
    verify(page)


def test_servers_of_one_log_share_a_key_for_forms(log: PublicLog, path: Path) -> None:
    with closing(PublicLog(path)) as other:
        assert log.form_key == other.form_key
        assert 32 == len(log.form_key)


# Durable


@pytest.mark.parametrize("at", range(4, 44, 4))
def test_what_was_told_is_there_after_a_kill_at_a_sync(path: Path, at: int) -> None:
    with closing(PublicLog(path)) as log:
        log.append(BOX)  # so that the kills hit appends and not the file's beginning
    strace = program("strace")
    inject = f"inject=fsync,fdatasync:signal=SIGKILL:when={at}"
    killed = writer(path, 100, strace, "-f", "-qq", "-o", os.devnull, "-e", inject)
    told = [each for each in killed.communicate(timeout=60)[0].split("\n")[:-1] if len(each) == 32]
    assert killed.returncode != 0
    with closing(PublicLog(path)) as log:
        page = log.page(0)
        assert set(told) <= {each.hex() for each in ids(page)}
        verify(page)
        assert log.append(BOX) in ids(log.page(0))


def test_an_append_returns_behind_a_sync(path: Path, tmp_path: Path) -> None:
    with closing(PublicLog(path)) as log:
        log.append(BOX)
    calls = tmp_path / "calls"
    options = ("-f", "-qq", "-y", "-o", str(calls), "-e", "trace=fsync,fdatasync,write")
    done = writer(path, 5, program("strace"), *options, threads=1)
    told = done.communicate(timeout=60)[0].split()
    course = [
        "sync" if "sync(" in line else "told"
        for line in calls.read_text().splitlines()
        if ("sync(" in line and "public.db-wal" in line) or any(f'"{id_}' in line for id_ in told)
    ]
    assert 5 == course.count("told")
    for place, each in enumerate(course):
        assert each == "sync" or course[place - 1] == "sync"


def test_the_file_is_its_owners_alone(log: PublicLog, path: Path) -> None:
    log.append(BOX)
    for file in path.parent.iterdir():
        assert 0o600 == file.stat().st_mode & 0o777, file


# Refused


def test_a_log_that_another_program_keeps_locked_is_waited_for_a_while(
    log: PublicLog, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_WAIT_S", 0.5)
    with closing(PublicLog(path)) as patient, closing(sqlite3.connect(path)) as other:
        other.execute("BEGIN IMMEDIATE")
        began = time.monotonic()
        waiting = [patient.submit(BOX) for _ in range(20)]
        for each in waiting:
            with pytest.raises(LogUnwritable, match="locked"):
                each.result(timeout=10)
        assert time.monotonic() - began < 5
        assert [] == ids(log.page(0))
        other.execute("ROLLBACK")
        assert [patient.append(BOX)] == ids(log.page(0))


def test_an_append_waits_for_a_short_lock(log: PublicLog, path: Path) -> None:
    with closing(sqlite3.connect(path, check_same_thread=False)) as other:
        other.execute("BEGIN IMMEDIATE")
        release = threading.Timer(0.3, lambda: other.execute("ROLLBACK"))
        release.start()
        assert [log.append(BOX)] == ids(log.page(0))
        release.join()


FILLS = """
import resource, signal, sys
from pathlib import Path
from newsletter.web.log import PublicLog, LogUnwritable
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
log = PublicLog(Path(sys.argv[1]))
told = [log.append(b"b" * 1074) for _ in range(3)]
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, resource.RLIM_INFINITY))
refused = []
for _ in range(99):
    try:
        told.append(log.append(b"b" * 1074))
    except LogUnwritable as error:
        refused.append(str(error))
assert refused and len(told) > 3, (len(refused), len(told))
print(refused[0])
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
told.append(log.append(b"b" * 1074))
assert set(told) <= {entry.id for entry in log.page(0).entries}
log.close()
print(len(told))
"""


def test_a_full_disk_refuses_and_room_on_it_lets_it_go_on(path: Path) -> None:
    done = run(FILLS, path)
    assert 0 == done.returncode, done.stderr
    assert "public log" in done.stdout
    with closing(PublicLog(path)) as log:
        page = log.page(0)
    verify(page)
    assert int(done.stdout.split()[-1]) <= len(page.entries)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can mount a small disk")
def test_a_small_disk_that_fills_up(tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(small)],
        capture_output=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip("no disk can be mounted here")
    try:
        with closing(PublicLog(small / "public.db")) as log:
            told: list[bytes] = []
            with pytest.raises(LogUnwritable, match="disk"):
                told.extend(log.append(BOX) for _ in range(1_000))
            assert len(told) > 5
            with pytest.raises(LogUnwritable):
                log.append(BOX)
        with closing(PublicLog(small / "public.db")) as log:
            assert told == ids(log.page(0))
            verify(log.page(0))
    finally:
        subprocess.run(["umount", str(small)], check=True)


READS_AS_SOMEBODY_ELSE = """
import os, sys
import filelock  # which somebody else may not be able to read
from pathlib import Path
from newsletter.web.log import PublicLog
os.setgid(65534); os.setuid(65534)
try:
    print(PublicLog(Path(sys.argv[1])).append(b"b"))
except Exception as error:
    print(type(error).__name__, error)
"""


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody who may not write")
@pytest.mark.parametrize("mode", [0o600, 0o644, 0o666], ids=["unreadable", "file", "folder"])
def test_a_read_only_file_or_folder_is_refused(mode: int) -> None:
    # Not under pytest's own folder, which nobody else may enter.
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        path = Path(folder) / "public.db"
        with closing(PublicLog(path)) as log:
            written = log.append(BOX)
        path.chmod(mode)
        done = run(READS_AS_SOMEBODY_ELSE, path)
        assert "LogUnwritable" in done.stdout or "LedgerRefused" in done.stdout, done
        assert "public log" in done.stdout
        with closing(PublicLog(path)) as log:
            assert [written] == ids(log.page(0))


def test_a_file_that_was_removed_takes_no_entry_and_a_new_one_is_begun(
    log: PublicLog, path: Path
) -> None:
    log.append(BOX)
    first = log.page(0).log_id
    for file in list(path.parent.iterdir()):
        file.unlink()
    with pytest.raises(LogUnwritable, match="removed"):
        log.append(BOX)
    again = log.append(BOX)
    assert [again] == ids(log.page(0))
    assert log.page(0).log_id != first


@pytest.mark.fault(
    "Public",
    "a log or its journal that is cut, or removed, under a running server",
    state="503 once, then 200 again, or 503 and “damaged”; nobody who was told is lost",
)
@pytest.mark.parametrize(("suffix", "size"), [("", 0), ("-wal", 0), ("-wal", 5_000)])
def test_a_file_that_was_cut_tells_nobody_that_an_entry_is_written(
    log: PublicLog, path: Path, suffix: str, size: int
) -> None:
    for _ in range(200):
        log.append(BOX)
    os.truncate(f"{path}{suffix}", size)
    told = []
    for _ in range(5):
        with suppress(LogUnwritable):
            told.append(log.append(BOX))
    # As another process finds it once this one is killed.
    copy = path.with_name("copy.db")
    ends = "['', '-wal']"
    run(
        f"import shutil, sys; [shutil.copy(*[a + e for a in sys.argv[1:]]) for e in {ends}]",
        path,
        copy,
    )
    found: set[bytes] = set()
    with suppress(LedgerRefused), closing(PublicLog(copy, create=False)) as again:
        found = set(ids(again.page(0)))
    assert len(told) < 5
    assert set(told) <= found


def test_a_log_without_its_journal_is_written_again(log: PublicLog, path: Path) -> None:
    written = [log.append(BOX) for _ in range(20)]
    Path(f"{path}-wal").unlink()
    with pytest.raises(LogUnwritable, match="removed"):
        log.append(BOX)
    written.append(log.append(BOX))
    assert set(written) <= set(ids(log.page(0)))


def test_a_checkpoint_that_empties_the_journal_refuses_nobody(log: PublicLog, path: Path) -> None:
    with closing(sqlite3.connect(path)) as other:
        for number in range(6):
            log.append(BOX)
            other.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            if number % 2:
                with other:
                    other.execute("INSERT OR REPLACE INTO meta VALUES ('synced', ?)", (number,))
    assert 6 == len(log.page(0).entries)


def test_a_missing_log_is_not_made_by_whoever_only_reads(path: Path) -> None:
    with pytest.raises(LedgerRefused, match="there is none"):
        PublicLog(path, create=False)
    assert not path.exists()
    with pytest.raises(LedgerRefused, match="cannot be opened"):
        PublicLog(path / "in" / "no" / "folder.db")


def test_another_kind_of_file_is_left_alone(path: Path) -> None:
    path.write_text("Dear readers, " * 1000)
    with pytest.raises(LedgerRefused, match="is not a public log"):
        PublicLog(path)
    path.unlink()
    with closing(sqlite3.connect(path)) as ledger:
        ledger.execute("CREATE TABLE meta (key, value)")
    with pytest.raises(LedgerRefused, match="is not a public log"):
        PublicLog(path)


def test_a_closed_log_refuses(log: PublicLog) -> None:
    waiting = [log.submit(BOX) for _ in range(50)]
    log.close()
    log.close()
    for each in waiting:
        assert each.result(timeout=1)
    with pytest.raises(LogUnwritable):
        log.append(BOX)


def test_too_many_who_wait_are_refused_at_once(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_WAITING", 5)
    with closing(PublicLog(path)) as log, closing(sqlite3.connect(path)) as other:
        other.execute("BEGIN IMMEDIATE")
        waiting = [log.submit(BOX) for _ in range(30)]
        refused = [each for each in waiting if each.done()]
        assert len(refused) >= 20
        with pytest.raises(LogUnwritable, match="no more"):
            refused[0].result()
        other.execute("ROLLBACK")
        told = [each.result(timeout=10) for each in waiting if each not in refused]
        assert told == ids(log.page(0))


def test_a_fault_in_the_writer_is_told_and_the_next_one_is_written(
    log: PublicLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "next_head", lambda *_: 1 / 0)
    with pytest.raises(LogUnwritable, match="fault"):
        log.append(BOX)
    monkeypatch.undo()
    assert [log.append(BOX)] == ids(log.page(0))


# Damage


def test_a_log_that_was_cut_in_half_says_so(log: PublicLog, path: Path) -> None:
    for each in [log.submit(BOX) for _ in range(100)]:
        each.result()
    log.close()
    os.truncate(path, path.stat().st_size // 2)
    with pytest.raises(LedgerRefused, match="damaged"):
        PublicLog(path)


def test_a_log_without_the_end_of_its_journal_is_shorter_and_chained(
    log: PublicLog, path: Path, tmp_path: Path
) -> None:
    told = [log.append(BOX) for _ in range(10)]
    copy = tmp_path / "copy" / "public.db"
    copy.parent.mkdir()
    script = (
        "import shutil, sys; [shutil.copy(a, b) for a, b in zip(sys.argv[1::2], sys.argv[2::2])]"
    )
    wal, wal_copy = Path(f"{path}-wal"), Path(f"{copy}-wal")
    assert 0 == run(script, path, copy, wal, wal_copy).returncode
    os.truncate(wal_copy, wal_copy.stat().st_size // 2)
    with closing(PublicLog(copy)) as cut:
        page = cut.page(0)
        assert told[: len(page.entries)] == ids(page)
        assert 0 < len(page.entries) < 10
        verify(page)
        assert cut.page(10).head is None


# Old entries leave


def test_old_entries_leave_when_they_were_read(path: Path) -> None:
    clock = FrozenClock(NOON)
    with closing(PublicLog(path, clock=clock)) as log:
        for _ in range(4):
            log.append(BOX)
            clock.sleep(86_400)
        whole = log.page(0)
        assert 0 == log.drop_synced(TODAY + 99)
        log.note_synced(3)
        log.note_synced(1)
        log.note_synced(-7)
        assert 2 == log.drop_synced(TODAY + 2)
        page = log.page(0)
        assert (3, 4, None) == (page.first_kept, page.last, page.head)
        verify(page, whole.entries[1].head)
        assert whole.entries[1].head == log.page(2).head
        assert 1 == log.drop_synced(TODAY + 99)
        assert [4] == [entry.seq for entry in log.page(0).entries]
        log.note_synced(10**30)
        assert 1 == log.drop_synced(TODAY + 99)
        assert 0 == log.drop_synced(TODAY + 99)
        empty = log.page(4)
        assert ((), 5, 4) == (empty.entries, empty.first_kept, empty.last)
        assert whole.entries[3].head == empty.head
        log.append(BOX)
        verify(log.page(4))
        assert [5] == [entry.seq for entry in log.page(0).entries]


def test_others_write_and_read_while_many_leave(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MOST_DROPPED", 2)
    firsts: list[int] = []

    class Pausing(FrozenClock):
        def sleep(self, seconds: float) -> None:
            opened.append(BOX)
            firsts.append(opened.page(0).first_kept)

    with closing(PublicLog(path, clock=Pausing(NOON))) as opened:
        for _ in range(5):
            opened.append(BOX)
        whole = opened.page(0)
        opened.note_synced(5)
        assert 5 == opened.drop_synced(TODAY + 1)
        assert [3, 5] == firsts
        verify(opened.page(5), whole.entries[4].head)
        assert [6, 7] == [entry.seq for entry in opened.page(0).entries]


def test_a_clock_that_was_set_back_keeps_the_order(path: Path) -> None:
    clock = FrozenClock(NOON + timedelta(days=9))
    with closing(PublicLog(path, clock=clock)) as log:
        log.append(BOX)
        clock.sleep(-9 * 86_400)
        log.append(BOX)
        log.note_synced(2)
        assert 0 == log.drop_synced(TODAY + 5)
        assert 2 == log.drop_synced(TODAY + 10)


# What the files tell

SHOWS = "import sys; print(''.join(open(f, 'rb').read().hex() for f in sys.argv[1:]))"


def test_the_files_hold_neither_words_nor_times(path: Path) -> None:
    public = bytes(PrivateKey(b"p" * 32).public_key)
    tag = secrets.token_bytes(12)
    now = time.time()
    content = {"v": 1, "kind": "leave", "tag": tag.hex(), "road": "header", "at": now}
    with closing(PublicLog(path, clock=FrozenClock(NOON))) as log:
        for _ in range(20):
            log.append(seal(content, public, 1))
        # Read by another program: closing a file drops the locks of this one.
        found = run(SHOWS, *path.parent.iterdir()).stdout
    files = bytes.fromhex(found)
    assert len(files) > 20_000
    for word in (tag, tag.hex().encode(), b"leave", b"header", b"kind", public, PRIVATE_KEY):
        assert word not in files
    seconds = int(NOON.timestamp())
    for time_ in (seconds, int(now)):
        assert str(time_ // 10).encode() not in files
        assert time_.to_bytes(4, "big") not in files
        assert (time_ * 1000).to_bytes(6, "big") not in files
    with closing(sqlite3.connect(path)) as file:
        (columns,) = file.execute(
            "SELECT group_concat(name) FROM pragma_table_info('entry')"
        ).fetchone()
        assert "seq,id,box,head,day" == columns
        assert {(TODAY,)} == set(file.execute("SELECT day FROM entry").fetchall())


PRIVATE_KEY = b"p" * 32


def test_what_left_is_overwritten(path: Path) -> None:
    boxes = [secrets.token_bytes(1074) for _ in range(50)]
    with closing(PublicLog(path, clock=FrozenClock(NOON))) as log:
        told = [log.append(box) for box in boxes]
        log.note_synced(40)
        assert 40 == log.drop_synced(TODAY + 1)
        found = run(SHOWS, *path.parent.iterdir()).stdout
    for box, id_ in zip(boxes[:40], told[:40], strict=True):
        assert box[:64].hex() not in found
        assert box[-64:].hex() not in found
        assert id_.hex() not in found
    assert boxes[45][:64].hex() in found
