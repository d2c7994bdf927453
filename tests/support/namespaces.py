"""Machines made of namespaces: each with a network and an /etc/hosts of its own (Linux, root)."""

import contextlib
import ctypes
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import pytest

from tests.support.tools import program

_NEW_NETWORK = 0x40000000  # CLONE_NEWNET, sched.h
_libc = ctypes.CDLL(None, use_errno=True)


class Machine:
    """A machine that reaches itself alone, until a cable joins it with another.

    A process that waits for the end of its input holds the namespaces. It ends with the block,
    and also if whoever runs the tests is killed; the kernel then removes network and cables.

    Args:
        hosts: its /etc/hosts.
    """

    def __init__(self, hosts: Path) -> None:
        program("ip")
        holding = 'mount --bind "$1" /etc/hosts && ip link set lo up && echo made && exec cat'
        self._holder = subprocess.Popen(
            [program("unshare"), "--net", "--mount", "sh", "-c", holding, "sh", hosts],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert self._holder.stdout
        if self._holder.stdout.readline() != b"made\n":
            _, why = self._holder.communicate()
            # No tool is missing: who runs the tests may not do this.
            pytest.skip(f"no namespaces can be made here: {why.decode().strip()}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._holder.communicate()

    @property
    def prefix(self) -> tuple[str, ...]:
        """Put before a command, it runs there, in the folder where it would run here."""
        pid = str(self._holder.pid)
        return (program("nsenter"), "--target", pid, "--net", "--mount", "--wd=.")

    def cable(self, address: str, other: Self, other_address: str) -> None:
        """Join it with another; each address is given with the length of its network."""
        ends = [(self, address), (other, other_address)]
        here, there = (machine._holder.pid for machine, _ in ends)
        self.run(
            "ip", "link", "add", f"to{there}", "type", "veth",
            "peer", "name", f"to{here}", "netns", str(there),
        )  # fmt: skip
        for (machine, own), far in zip(ends, (there, here), strict=True):
            machine.run("ip", "address", "add", own, "dev", f"to{far}")
            machine.run("ip", "link", "set", f"to{far}", "up")

    def run(self, *command: str) -> str:
        """What a command prints that ends well there."""
        return subprocess.run(
            [*self.prefix, *command], check=True, stdout=subprocess.PIPE, text=True
        ).stdout

    def listening(self) -> set[str]:
        """Where somebody there waits for connections: address and port, hexadecimal."""
        tables = self.run("cat", "/proc/net/tcp", "/proc/net/tcp6").splitlines()
        rows = [line.split() for line in tables if "local_address" not in line]
        return {row[1] for row in rows if row[3] == "0A"}

    @contextmanager
    def network(self) -> Iterator[None]:
        """Sockets that this thread opens, and threads that it starts, are there."""
        with contextlib.ExitStack() as opened:
            home = opened.enter_context(Path("/proc/thread-self/ns/net").open("rb"))
            there = opened.enter_context(Path(f"/proc/{self._holder.pid}/ns/net").open("rb"))
            _enter(there.fileno())
            try:
                yield
            finally:
                _enter(home.fileno())


def _enter(namespace: int) -> None:
    if _libc.setns(namespace, _NEW_NETWORK):
        raise OSError(ctypes.get_errno(), "setns")
