"""The half of newsletter/system.py that Linux does not run, with doubles for what Windows has."""

import os
import runpy
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import filelock  # noqa: F401 - as this system's, before the platform has another name
import pytest
from newsletter import system


@pytest.fixture
def windows() -> Iterator[Callable[[str], Any]]:
    """What newsletter/system.py defines when Windows loads it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "platform", "win32")
        patch.setattr(signal, "SIGBREAK", 21, raising=False)
        patch.setattr(os, "O_BINARY", 0, raising=False)
        patch.setattr(os, "O_NOINHERIT", 0, raising=False)
        for name in ("geteuid", "killpg", "O_NONBLOCK", "O_NOCTTY", "O_CLOEXEC"):
            patch.delattr(os, name)
        patch.delattr(signal, "SIGHUP")
        patch.setitem(sys.modules, "fcntl", None)
        yield runpy.run_path(str(system.__file__)).__getitem__


def test_on_windows_one_at_a_time_holds_a_file_since_a_folder_cannot_be_opened(
    tmp_path: Path, windows: Callable[[str], Any]
) -> None:
    with (
        windows("one_at_a_time")(tmp_path),
        (tmp_path / "newsletter.opening").open() as other,
        pytest.raises(BlockingIOError),
    ):
        windows("take_lock")(other.fileno())


def test_on_windows_permission_bits_and_owners_say_nothing(windows: Callable[[str], Any]) -> None:
    assert not windows("shared")(0o666)
    assert windows("user_number")() is None
    windows("limit_memory")(1)
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
