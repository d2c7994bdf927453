"""Times that people write: one moment each, or a refusal that shows the readings."""

import shlex
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from newsletter.errors import InputError
from newsletter.project.schedule import read_time, scheduler_lines

from tests.support.tools import ROOT

NOW = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("written", "moment"),
    [
        ("2026-11-27 09:00 Europe/Brussels", "2026-11-27T08:00:00+00:00"),
        ("2026-07-27 9:00 Europe/Brussels", "2026-07-27T07:00:00+00:00"),
        ("2026-11-27T09:00+01:00", "2026-11-27T08:00:00+00:00"),
        ("2026-11-27 09:00:30 -0330", "2026-11-27T12:30:30+00:00"),
        ("2026-11-27 09:00Z", "2026-11-27T09:00:00+00:00"),
        ("2026-11-27 09:00 UTC", "2026-11-27T09:00:00+00:00"),
        # The last moment before the clocks change, and the first one after it.
        ("2026-10-25 01:59 Europe/Brussels", "2026-10-24T23:59:00+00:00"),
        ("2026-10-25 03:00 Europe/Brussels", "2026-10-25T02:00:00+00:00"),
        ("2026-03-29 03:00 Europe/Brussels", "2026-03-29T01:00:00+00:00"),
    ],
)
def test_a_time_with_a_zone_is_one_moment(written: str, moment: str) -> None:
    assert datetime.fromisoformat(moment) == read_time(written, now=NOW).at


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("tomorrow", ["is not a date and time", "2027-04-01 09:00 Europe/Brussels"]),
        ("2026-11-27", ["is not a date and time"]),
        ("2026-02-30 09:00", ["is not a date and time"]),
        ("2026-11-27 25:00", ["is not a date and time"]),
        ("2026-11-27 09:00 +15:00", ["is not an offset"]),
        ("2026-11-27 09:00 Brussels", ["no time zone “Brussels”", "Did you mean Europe/Brussels?"]),
        ("2026-11-27 09:00 Europe", ["no time zone “Europe”"]),
        ("2026-02-28 09:00 UTC", ["is past", "2026-03-01 00:00"]),
        ("2026-03-01 00:00 UTC", ["is past"]),
    ],
)
def test_what_is_no_time_of_the_future_is_refused(written: str, words: list[str]) -> None:
    with pytest.raises(InputError) as refused:
        read_time(written, now=NOW)
    for word in words:
        assert word in str(refused.value)


@pytest.mark.parametrize(
    ("written", "readings"),
    [
        ("2026-03-29 02:30 Europe/Brussels", ["01:30+01:00", "03:30+02:00"]),
        ("2026-10-25 02:30 Europe/Brussels", ["02:30+02:00", "02:30+01:00"]),
        # Half an hour, and the southern spring.
        ("2026-10-04 02:15 Australia/Lord_Howe", ["01:45+10:30", "02:45+11:00"]),
    ],
)
def test_an_hour_that_comes_twice_or_never_is_refused_with_both_readings(
    written: str, readings: list[str]
) -> None:
    with pytest.raises(InputError) as refused:
        read_time(written, now=NOW)
    day = written.split(maxsplit=1)[0]
    found = [read_time(f"{day} {reading}", now=NOW).at for reading in readings]
    assert found[0] < found[1] <= found[0] + timedelta(hours=1)
    assert f"Say {day} {readings[0]}" in refused.value.next
    assert readings[1] in refused.value.next


def test_without_a_zone_it_is_the_machines_and_its_clock_changes_are_known() -> None:
    program = (
        "from datetime import datetime, UTC\n"
        "from newsletter.project.schedule import read_time\n"
        "from newsletter.errors import InputError\n"
        "now = datetime(2026, 3, 1, tzinfo=UTC)\n"
        "print(read_time('2026-11-27 09:00', now=now))\n"
        "for written in ('2026-03-29 02:30', '2026-10-25 02:30'):\n"
        "    try:\n"
        "        print(read_time(written, now=now))\n"
        "    except InputError as error:\n"
        "        print(error.next)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={"TZ": "Europe/Brussels", "PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    here, gap, fold = done.stdout.splitlines()
    assert "Fri 2026-11-27 09:00 UTC+01:00 (this machine's time zone)" == here
    assert "Say 2026-03-29 01:30+01:00 or 03:30+02:00." == gap
    assert "02:30+02:00 for the first" in fold
    assert "02:30+01:00 for the second" in fold


def test_without_a_list_of_zones_an_offset_is_asked_for() -> None:
    program = (
        "import zoneinfo; zoneinfo.reset_tzpath(to=())\n"
        "import sys; sys.modules['tzdata'] = None\n"
        "from datetime import datetime, UTC\n"
        "from newsletter.project.schedule import read_time\n"
        "from newsletter.errors import InputError\n"
        "now = datetime(2026, 3, 1, tzinfo=UTC)\n"
        "print(read_time('2026-11-27 09:00+01:00', now=now))\n"
        "try:\n"
        "    read_time('2026-11-27 09:00 Europe/Brussels', now=now)\n"
        "except InputError as error:\n"
        "    print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert "09:00 UTC+01:00" in done.stdout
    assert "no list of time zones" in done.stdout
    assert "tzdata" in done.stdout


def test_a_scheduler_is_given_the_folder_and_the_command_whatever_their_names(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "it's 100% ours"
    folder.mkdir()
    command = (sys.executable, "-c", "import os; print(os.getcwd())")
    at = datetime(2026, 11, 27, 8, 5, tzinfo=UTC)
    lines = {each.scheduler: each.line for each in scheduler_lines(command, folder=folder, at=at)}

    echo, _, when = lines["at"].rpartition(" | at -t ")
    assert f"{at.astimezone():%Y%m%d%H%M}" == when
    job = subprocess.run(["sh", "-c", echo], capture_output=True, text=True, check=True).stdout
    cron = lines["crontab -e"]
    time, cron_job = cron.split(" ", 5)[:5], cron.split(" ", 5)[5]
    local = at.astimezone()
    assert [str(local.minute), str(local.hour), str(local.day), str(local.month), "*"] == time
    # crontab(5): an unescaped % would end the command.
    assert cron_job.replace("\\%", "").count("%") == 0
    for shell_line in (job, cron_job.replace("\\%", "%")):
        ran = subprocess.run(["sh", "-c", shell_line], capture_output=True, text=True, check=True)
        assert str(folder) == ran.stdout.strip()

    words = shlex.split(lines["systemd-run"])
    assert "--on-calendar=2026-11-27 08:05:00 UTC" in words
    assert f"--working-directory={folder}" in words
    assert list(command) == words[-3:]
