"""A damaged, read-only or full ledger: a sentence that helps, and nothing lost."""

import os
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path

import pytest
from newsletter.errors import LedgerRefused
from newsletter.ledger.ledger import Ledger
from newsletter.ledger.states import Disposition, State, Step
from newsletter.ledger.versions import Approved

from tests.ledger.conftest import EDITION, KEYS, NOW, T, plan_of
from tests.support.tools import ROOT

READERS = 2000


@pytest.fixture
def closed(ledger_path: Path) -> Path:
    """The file of a frozen campaign, with nothing left in its -wal."""
    freeze_into(ledger_path)
    assert not ledger_path.with_name("newsletter.db-wal").exists()
    return ledger_path


def freeze_into(path: Path) -> None:
    with closing(Ledger(path, KEYS)) as ledger, ledger.transaction():
        ledger.campaigns.freeze(plan_of(READERS), Approved({"en": EDITION}, "{}"), now=NOW)


def page_of_deliveries(path: Path) -> tuple[int, int]:
    """Where a page that holds rows of the table begins, and how long it is."""
    with closing(sqlite3.connect(path)) as connection:
        (size,) = connection.execute("PRAGMA page_size").fetchone()
    data = path.read_bytes()
    at = data.index(b"reader1000@example.orgexample.orgtag1000")
    return at // size * size, size


def overwrite(path: Path, at: int, length: int) -> bytes:
    with path.open("r+b") as file:
        file.seek(at)
        file.write(b"\xa5" * length)
    return path.read_bytes()


@pytest.mark.fault(
    "Ledger", "overwritten header", state="refused, exit 5; the file is left as it is"
)
def test_an_overwritten_header_is_noticed_when_it_is_opened(closed: Path) -> None:
    before = overwrite(closed, 0, 100)
    with pytest.raises(LedgerRefused, match="not a ledger") as refused:
        Ledger(closed, KEYS)
    assert "Move it away if it is not needed" in refused.value.next
    assert before == closed.read_bytes()


@pytest.mark.fault("Ledger", "overwritten page", state="refused, exit 5; the file is left as it is")
def test_an_overwritten_page_of_deliveries_is_noticed_before_a_run_begins(closed: Path) -> None:
    before = overwrite(closed, *page_of_deliveries(closed))
    with closing(Ledger(closed, KEYS)) as ledger:
        with pytest.raises(LedgerRefused, match="damaged") as refused:
            ledger.check()
        assert "restore the latest backup beside it" in refused.value.next
    assert before == closed.read_bytes()


@pytest.mark.fault("Ledger", "file cut off", state="refused, exit 5; the file is left as it is")
def test_a_file_that_was_cut_off_is_noticed(closed: Path) -> None:
    os.truncate(closed, closed.stat().st_size // 2)
    before = closed.read_bytes()
    with (
        pytest.raises(LedgerRefused, match="damaged"),
        closing(Ledger(closed, KEYS)) as it,
    ):
        it.check()
    assert before == closed.read_bytes()


def test_a_sound_ledger_passes(closed: Path) -> None:
    with closing(Ledger(closed, KEYS)) as ledger:
        ledger.check()


@pytest.mark.fault(
    "Ledger", "overwritten page in mid-run", state="the run stops, exit 5; what was recorded stays"
)
def test_damage_that_shows_in_the_middle_of_a_transaction_takes_nothing_back(closed: Path) -> None:
    with closing(Ledger(closed, KEYS)) as ledger, ledger.transaction():
        first = ledger.deliveries.claim(ledger.campaigns.all()[0].id, run="run-1", count=3, now=T)
        assert ledger.deliveries.write_ahead(first, run="run-1", now=T)
    overwrite(closed, *page_of_deliveries(closed))
    with closing(Ledger(closed, KEYS)) as ledger:
        with pytest.raises(LedgerRefused, match="damaged"), ledger.transaction():
            ledger.deliveries.claim(ledger.campaigns.all()[0].id, run="run-2", count=READERS, now=T)
        (campaign,) = ledger.campaigns.all()
        tally = ledger.campaigns.tally(campaign)
        assert {State.ATTEMPTING: 3, State.PENDING: READERS - 3} == tally.counts


def refuse_all(ledger: Ledger) -> None:
    """Needs a megabyte or two."""
    with ledger.transaction():
        for claim in ledger.deliveries.claim(
            ledger.campaigns.all()[0].id, run="run-1", count=READERS, now=T
        ):
            ledger.deliveries.record(claim, Disposition(Step.REJECT, "5" * 900), run="run-1", now=T)


@pytest.mark.fault("Ledger", "full disk", state="the run stops, exit 5; what was recorded stays")
def test_a_full_disk_stops_the_transaction_and_keeps_what_was_recorded(closed: Path) -> None:
    with closing(Ledger(closed, KEYS)) as ledger:
        with ledger.transaction():
            first = ledger.deliveries.claim(
                ledger.campaigns.all()[0].id, run="run-1", count=3, now=T
            )
            assert ledger.deliveries.write_ahead(first, run="run-1", now=T)
        (pages,) = ledger._database.execute("PRAGMA page_count").fetchone()
        # SQLite's own limit gives the same error as the disk, at a size of our choice.
        ledger._database.execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(LedgerRefused, match="disk is full") as refused:
            refuse_all(ledger)
        assert "newsletter resume" in refused.value.next
        (campaign,) = ledger.campaigns.all()
        tally = ledger.campaigns.tally(campaign)
        assert {State.ATTEMPTING: 3, State.PENDING: READERS - 3} == tally.counts


READS_AS_SOMEBODY_ELSE = """
import os, sys
import filelock  # which somebody else may not be able to read
from pathlib import Path
from newsletter.clock import LATEST
from newsletter.ledger.ledger import Ledger
from newsletter.message.keys import KeyRing
from newsletter.errors import LedgerRefused
os.setgid(65534); os.setuid(65534)
try:
    ledger = Ledger(Path(sys.argv[1]), KeyRing(bytes(32), {1: bytes(32)}))
    with ledger.transaction():
        (campaign,) = ledger.campaigns.all()
        print(len(ledger.deliveries.claim(campaign.id, run="r", count=3, now=LATEST)))
except LedgerRefused as error:
    print(error)
"""


@pytest.mark.fault("Ledger", "read-only file or folder", state="refused, exit 5; nothing is sent")
@pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody who may not write")
@pytest.mark.parametrize("mode", [0o644, 0o666], ids=["file", "folder"])
def test_a_read_only_file_or_folder_is_explained(mode: int) -> None:
    # Not under pytest's own folder, which nobody else may enter.
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        path = Path(folder) / "newsletter.db"
        freeze_into(path)
        path.chmod(mode)
        said = subprocess.run(
            [sys.executable, "-c", READS_AS_SOMEBODY_ELSE, str(path)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        assert "is read-only" in said
        assert "permission" in said
        with closing(Ledger(path, KEYS)) as ledger:
            (campaign,) = ledger.campaigns.all()
            assert {State.PENDING: READERS} == ledger.campaigns.tally(campaign).counts
