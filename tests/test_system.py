"""The half of newsletter/system.py that Linux does not run, with doubles for what Windows has."""

import errno
import os
import runpy
import signal
import socket
import sys
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from newsletter import system
from newsletter.ledger import lock
from newsletter.ledger.lock import SenderAtWork, sender_lock

NOT_WAITING, WAITING = 2, 1


class Msvcrt(types.ModuleType):
    """msvcrt as its documentation describes it: what ``locking`` meets is scripted."""

    LK_LOCK, LK_NBLCK = WAITING, NOT_WAITING

    def __init__(self) -> None:
        super().__init__("msvcrt")
        self.met: list[int] = []
        self.asked: list[int] = []

    def locking(self, _handle: int, mode: int, _octets: int) -> None:
        self.asked.append(mode)
        if self.met:
            raise OSError(self.met[0], os.strerror(self.met.pop(0)))


@pytest.fixture
def msvcrt() -> Msvcrt:
    return Msvcrt()


@pytest.fixture
def windows(msvcrt: Msvcrt) -> Iterator[Callable[[str], Any]]:
    """What newsletter/system.py defines when Windows loads it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "platform", "win32")
        patch.setitem(sys.modules, "msvcrt", msvcrt)
        patch.setattr(signal, "SIGBREAK", 21, raising=False)
        patch.setattr(os, "O_BINARY", 0, raising=False)
        patch.setattr(os, "O_NOINHERIT", 0, raising=False)
        for name in ("geteuid", "killpg", "O_NONBLOCK", "O_NOCTTY", "O_CLOEXEC"):
            patch.delattr(os, name)
        patch.delattr(signal, "SIGHUP")
        patch.setitem(sys.modules, "fcntl", None)
        yield runpy.run_path(str(system.__file__)).__getitem__


def test_on_windows_a_second_send_is_refused(
    tmp_path: Path,
    windows: Callable[[str], Any],
    msvcrt: Msvcrt,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lock, "take_lock", windows("take_lock"))
    with sender_lock(tmp_path / "lock"):
        pass
    msvcrt.met = [errno.EACCES]
    with pytest.raises(SenderAtWork), sender_lock(tmp_path / "lock"):
        pass
    assert [NOT_WAITING, NOT_WAITING] == msvcrt.asked


def test_on_windows_who_waits_for_a_lock_asks_until_it_is_free(
    tmp_path: Path, windows: Callable[[str], Any], msvcrt: Msvcrt
) -> None:
    msvcrt.met = [errno.EDEADLK, errno.EDEADLK]
    with windows("one_at_a_time")(tmp_path):
        assert [WAITING, WAITING, WAITING] == msvcrt.asked


def test_on_windows_a_disk_that_cannot_lock_is_told_apart(
    windows: Callable[[str], Any], msvcrt: Msvcrt
) -> None:
    msvcrt.met = [errno.EINVAL]
    with pytest.raises(OSError, match="Invalid argument"):
        windows("take_lock")(0)


def test_on_windows_permission_bits_and_owners_say_nothing(windows: Callable[[str], Any]) -> None:
    assert not windows("shared")(0o666)
    assert windows("user_number")() is None
    assert [21] == [each for each in windows("STOP_SIGNALS") if each not in system.STOP_SIGNALS]


def test_on_windows_files_are_read_and_pieces_are_sent(
    tmp_path: Path, windows: Callable[[str], Any]
) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"one\r\n")
    handle = os.open(file, windows("READ_FLAGS"))
    assert b"one\r\n" == os.read(handle, 9)
    os.close(handle)
    windows("sync_folder")(tmp_path)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        readable = windows("readiness")(theirs)
        assert not readable()
        assert 4 == windows("send_pieces")(ours, [b"ab", b"cd"])
        assert readable()
        assert b"abcd" == theirs.recv(9)
