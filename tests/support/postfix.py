"""A real Postfix of its own, which fails to deliver in many ways and writes reports of it."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.support.tools import missing, program

_WITHIN_S = 20
_MAIN = """
compatibility_level = 3.6
config_directory = {folder}/etc
queue_directory = {folder}/spool
data_directory = {folder}/data
daemon_directory = {daemons}
mail_owner = postfix
setgid_group = postdrop
myhostname = relay.example
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
mydestination = local.example
smtpd_relay_restrictions = permit_mynetworks, reject
local_recipient_maps =
alias_maps = inline:{{ {aliases} }}
transport_maps = inline:{{ {transports} }}
disable_dns_lookups = yes
smtp_tls_security_level = none
maximal_queue_lifetime = 0
bounce_queue_lifetime = 1h
minimal_backoff_time = 300s
message_size_limit = 5000000
"""
_MASTER = """
127.0.0.1:{port} inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
local unix - n n - - local
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
"""
_QUEUES = (
    *("active", "bounce", "corrupt", "defer", "deferred", "flush", "hold", "incoming", "private"),
    *("public", "maildrop", "saved", "trace", "pid"),
)


@contextlib.contextmanager
def postfix(transports: Mapping[str, str], aliases: Mapping[str, str]) -> Iterator[int]:
    """Run it, and yield its port.

    Args:
        transports: where mail to a domain goes, as in transport(5).
        aliases: where mail to a name at local.example goes.
    """
    program("postconf")
    if os.geteuid() != 0:
        missing("the right to start Postfix (root)")
    folder = Path(tempfile.mkdtemp(prefix="newsletter-postfix-", dir="/tmp"))
    folder.chmod(0o755)
    for name in ("etc", "data", "spool"):
        (folder / name).mkdir()
    shutil.chown(folder / "data", "postfix")
    for name in _QUEUES:
        (folder / "spool" / name).mkdir()
        if name != "pid":
            shutil.chown(folder / "spool" / name, "postfix")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    daemons = Path(_setting("daemon_directory"))
    main = _MAIN.format(
        folder=folder, daemons=daemons, aliases=_pairs(aliases), transports=_pairs(transports)
    )
    (folder / "etc" / "main.cf").write_text(main)
    (folder / "etc" / "master.cf").write_text(_MASTER.format(port=port))
    process = subprocess.Popen(
        [daemons / "master", "-d", "-c", folder / "etc"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        _wait_for(port, process)
        yield port
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        process.wait(timeout=_WITHIN_S)
        shutil.rmtree(folder, ignore_errors=True)


def _setting(name: str) -> str:
    command = [program("postconf"), "-d", "-h", name]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def _pairs(table: Mapping[str, str]) -> str:
    return ", ".join(f"{{ {key} = {value} }}" for key, value in table.items())


def _wait_for(port: int, process: "subprocess.Popen[bytes]") -> None:
    until = time.monotonic() + _WITHIN_S
    while time.monotonic() < until and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 2) as sock:
            if sock.recv(3) == b"220":
                return
        time.sleep(0.05)
    raise AssertionError("Postfix did not start")
