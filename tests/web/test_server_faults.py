"""What befalls ``newsletter serve``: a full disk, a rival, a damaged log, a wrong clock."""

from __future__ import annotations

import os
import socket
import sqlite3
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests
from newsletter.message.tokens import Purpose
from newsletter.testing import FrozenClock
from newsletter.web.log import PublicLog

from tests.web.process import ServerProcess, leave_token, wait_for, write_bundle
from tests.web.served import bundle, running, token
from tests.web.test_leaving import fields


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of a megabyte."""
    if os.getuid() != 0:
        pytest.skip("only root can mount a small disk")
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("no disk can be mounted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def post(server: ServerProcess, token: str) -> int:
    return server.ask("POST", f"/1/{token}", b"List-Unsubscribe=One-Click")[0]


@pytest.mark.fault(
    "Public",
    "a full disk under the log",
    state="503 until there is room, then 200 again; nobody who was told is lost",
)
def test_a_full_disk_and_room_again(small_disk: Path) -> None:
    server = ServerProcess(write_bundle(small_disk / "public"))
    told: list[tuple[str, str]] = []
    with server.running():
        filler = small_disk / "filler"
        filler.write_bytes(b"")
        with filler.open("ab", buffering=0) as file:
            try:
                while file.write(b"x" * 4096) == 4096:
                    pass
            except OSError:
                pass
        refused: list[tuple[str, str]] = []
        for _ in range(600):
            token, campaign = leave_token()
            status = post(server, token)
            assert status in {200, 503}
            (told if status == 200 else refused).append((token, campaign))
            if len(refused) == 5:
                break
        assert 5 == len(refused)
        assert 503 == server.ask("GET", "/health")[0]
        filler.unlink()
        for token, campaign in refused:
            assert 200 == post(server, token)
            told.append((token, campaign))
        assert 200 == server.ask("GET", "/health")[0]
    kept = [event["campaign"] for event in server.events()]
    assert sorted(campaign for _, campaign in told) == sorted(kept)


@pytest.mark.fault(
    "Public", "a second server on one log", state="refused with a sentence; the first goes on"
)
def test_a_second_server_on_one_log_is_refused(tmp_path: Path) -> None:
    server = ServerProcess(write_bundle(tmp_path / "public"))
    with server.running():
        second = ServerProcess(server.folder)
        process = second.start()
        try:
            assert process.wait(timeout=60) not in {0, None}
        finally:
            process.kill()
        assert "Another server uses this log." in second.said()
        assert "Traceback" not in second.said()
        assert 200 == post(server, leave_token()[0])


@pytest.mark.fault(
    "Public", "a log that was cut in half", state="the server does not start, and says what to do"
)
def test_a_log_that_was_cut_in_half(tmp_path: Path) -> None:
    server = ServerProcess(write_bundle(tmp_path / "public"))
    with server.running():
        for _ in range(30):
            assert 200 == post(server, leave_token()[0])
    assert 30 == len(server.events())  # closing it empties the -wal
    os.truncate(server.log, server.log.stat().st_size // 2)
    process = server.start()
    try:
        assert process.wait(timeout=60) not in {0, None}
    finally:
        process.kill()
    assert "damaged" in server.said()
    assert "Traceback" not in server.said()
    for file in server.folder.glob("public.db*"):
        file.rename(tmp_path / file.name)
    with server.running():
        assert 200 == post(server, leave_token()[0])


@pytest.mark.fault(
    "Public",
    "a log that was replaced while it is served",
    state="503, then the entry is written again; nobody is told 200 for what the new log lacks",
)
def test_a_log_that_was_replaced_while_it_is_served(tmp_path: Path) -> None:
    with running(tmp_path) as server:
        token, campaign = leave_token()
        path = f"/leave/{token}"
        assert 200 == server.post(f"/1/{token}").status_code
        replace_log(tmp_path)
        # Looking says that they left: so that is made true as well.
        assert [503, 200] == [server.get(path).status_code for _ in range(2)]
        assert [campaign] == [event["campaign"] for event in server.events()]
        assert 200 == server.post(f"/1/{token}").status_code
        assert ["leave"] == server.kinds()


def replace_log(folder: Path) -> None:
    """Put an empty log where one is served."""
    PublicLog(folder / "other.db").close()
    for each in folder.glob("public.db-*"):
        each.unlink()
    (folder / "other.db").replace(folder / "public.db")


def test_what_a_reader_undid_or_chose_is_written_into_a_new_log_as_well(tmp_path: Path) -> None:
    clock = FrozenClock(datetime.now(UTC))
    with running(tmp_path, clock=clock) as server:
        leave, choose = (
            (f"/{road}/{token(purpose)}", do)
            for road, purpose, do in (
                ("leave", Purpose.PAGE, "leave"),
                ("preferences", Purpose.PREFERENCES, "save"),
            )
        )
        forms = {path: fields(server.get(path).text, do) for path, do in (leave, choose)}
        clock.sleep(5)
        left = server.post(leave[0], forms[leave[0]]).text
        asked = {leave[0]: fields(left, "undo"), choose[0]: {**forms[choose[0]], "language": "fr"}}
        for path, form in asked.items():
            assert 200 == server.post(path, form).status_code
        assert ["leave", "undo", "preferences"] == server.kinds()
        replace_log(tmp_path)
        for path, form in asked.items():
            for _ in range(3):
                last = server.post(path, form).status_code
            assert 200 == last
        assert ["undo", "preferences"] == server.kinds()


@pytest.mark.fault(
    "Public", "a clock an hour off, or set while a page is open", state="readers leave all the same"
)
@pytest.mark.parametrize("off_s", [-3600, 3600])
@pytest.mark.parametrize("when", ["before", "between"])
def test_a_clock_an_hour_off(tmp_path: Path, off_s: int, when: str) -> None:
    clock = FrozenClock(datetime.now(UTC) + timedelta(seconds=off_s if when == "before" else 0))
    with running(tmp_path, clock=clock) as server:
        assert 200 == server.post(f"/1/{leave_token(minutes_ago=0)[0]}").status_code
        path = f"/leave/{leave_token(Purpose.PAGE, minutes_ago=0)[0]}"
        page, do = server.get(path).text, "leave"
        if when == "between":
            clock.sleep(off_s)
        for _ in range(3):
            clock.sleep(3)
            page = server.post(path, {**fields(page, do), "sure": "yes"}).text
            if "You have left" in page:
                break
            do = "sure"
        assert ["leave", "leave"] == server.kinds()


@pytest.mark.fault(
    "Public",
    "a proxy that changes Host, scheme and path",
    state="pages, forms and leaves work; no answer names the Host",
)
@pytest.mark.parametrize("path", ["", "/news/list", "//news/list/"])
def test_a_proxy_that_changes_host_scheme_and_path(tmp_path: Path, path: str) -> None:
    changed = {"Host": "evil.example", "X-Forwarded-Proto": "http", "X-Forwarded-Host": "e.example"}
    known = bundle("https://defenders.example/news/list")
    with running(tmp_path, known=known) as server:
        token, _ = leave_token(Purpose.PAGE)
        page = server.get(f"{path}/leave/{token}", headers=changed)
        assert 200 == page.status_code
        assert "evil.example" not in page.text + str(page.headers)
        assert 200 == server.post(f"{path}/1/{leave_token()[0]}", headers=changed).status_code
        assert ["leave"] == server.kinds()


def test_a_reader_of_the_log_holds_nobody_up(tmp_path: Path) -> None:
    with (
        running(tmp_path) as started,
        ThreadPoolExecutor() as at_once,
        closing(sqlite3.connect(tmp_path / "public.db")) as other,
    ):
        other.execute("BEGIN IMMEDIATE")
        noting = at_once.submit(started.log.note_synced, 0)
        wait_for(started.log._reading.locked)
        with socket.create_connection(("127.0.0.1", urlsplit(started.url).port)) as health:
            health.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
            assert 200 == requests.get(f"{started.url}/privacy", timeout=2).status_code
            assert not noting.done()
            other.execute("ROLLBACK")
            health.settimeout(10)
            assert health.recv(1000).startswith(b"HTTP/1.1 200 OK")
