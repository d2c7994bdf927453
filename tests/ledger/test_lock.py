import fcntl
import subprocess
import sys
from pathlib import Path

import pytest
from newsletter.errors import LedgerRefused
from newsletter.ledger.lock import sender_lock

from tests.support.tools import ROOT

HOLDS_IT = """
import sys
from pathlib import Path
from newsletter.ledger.lock import sender_lock
with sender_lock(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_second_send_is_refused_while_one_runs_and_taken_after_its_death(
    tmp_path: Path,
) -> None:
    path = tmp_path / "newsletter.lock"
    with subprocess.Popen(
        [sys.executable, "-c", HOLDS_IT, str(path)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as holder:
        assert holder.stdout is not None
        assert b"held\n" == holder.stdout.readline()
        with pytest.raises(LedgerRefused, match="Another send"), sender_lock(path):
            pass
        holder.kill()
    with sender_lock(path):
        pass


def test_a_lock_file_that_was_left_behind_locks_nobody_out(tmp_path: Path) -> None:
    path = tmp_path / "newsletter.lock"
    for _ in range(2):
        with sender_lock(path):
            assert path.exists()


def test_a_child_process_does_not_keep_the_lock(tmp_path: Path) -> None:
    path = tmp_path / "newsletter.lock"
    with sender_lock(path):
        child = subprocess.Popen(
            [sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE
        )
    try:
        with sender_lock(path):
            pass
    finally:
        child.communicate(timeout=10)


def test_a_disk_that_cannot_lock_is_not_taken_for_another_send(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_locks(_handle: int, _operation: int) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    with (
        pytest.raises(LedgerRefused, match="No locks available"),
        sender_lock(tmp_path / "newsletter.lock"),
    ):
        pass


def test_a_lock_that_cannot_be_written_is_explained(tmp_path: Path) -> None:
    with pytest.raises(LedgerRefused, match="cannot be written"), sender_lock(tmp_path):
        pass
