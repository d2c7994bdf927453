import os
import sqlite3
import stat
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from newsletter.errors import LedgerRefused
from newsletter.ledger.ledger import Ledger
from newsletter.ledger.plan import Exclusion
from newsletter.ledger.states import Disposition, State, Step
from newsletter.ledger.suppressions import Leave, Reason
from newsletter.ledger.versions import Approved
from newsletter.message.keys import KeyRing

from tests.ledger.conftest import EDITION, KEYS, NOW, Freeze, T, after, plan_of
from tests.support.tools import ROOT

RUN = "run-1"


def freeze_plan(ledger: Ledger, count: int, *, first: int = 1, again: bool = False) -> str:
    with ledger.transaction():
        return ledger.campaigns.freeze(
            plan_of(count, first=first),
            Approved({"en": EDITION}, "{}"),
            now=NOW,
            again=again,
        ).id


def test_freezing_writes_audience_and_editions_and_the_numbers_add_up(
    ledger: Ledger, freeze: Freeze
) -> None:
    campaign = freeze(12)
    tally = ledger.campaigns.tally(campaign)
    assert (12, {State.PENDING: 12}, True) == (tally.planned, tally.counts, tally.adds_up)
    assert {1: Approved({"en": EDITION}, "{}")} == ledger.campaigns.approved(campaign)


def test_a_second_campaign_with_somebody_of_the_first_is_refused_and_leaves_nothing(
    ledger: Ledger,
) -> None:
    freeze_plan(ledger, 3)
    with pytest.raises(LedgerRefused, match="already in another campaign"):
        freeze_plan(ledger, 3, first=3)
    assert 1 == len(ledger.campaigns.all())
    assert 3 == len(ledger.campaigns.has_it("2017-03"))


def test_a_second_campaign_for_late_sign_ups_is_taken(ledger: Ledger) -> None:
    assert freeze_plan(ledger, 3).startswith("2017-03.1-")
    assert freeze_plan(ledger, 2, first=4).startswith("2017-03.2-")


def test_two_copies_of_a_ledger_give_no_two_campaigns_one_id(tmp_path: Path) -> None:
    ids = set()
    for number in range(8):
        ledger = Ledger(tmp_path / f"{number}.db", KEYS)
        ids.add(freeze_plan(ledger, 3, first=1 + number))
        ledger.close()
    assert 8 == len(ids)


def test_a_person_may_ask_to_send_again(ledger: Ledger) -> None:
    freeze_plan(ledger, 3)
    freeze_plan(ledger, 3, again=True)
    assert [1, 2] == [campaign.round for campaign in ledger.campaigns.all()]


def test_who_was_refused_may_be_in_a_later_campaign(ledger: Ledger, freeze: Freeze) -> None:
    campaign = freeze(1)
    with ledger.transaction():
        (claim,) = ledger.deliveries.claim(campaign.id, run=RUN, count=1, now=T)
        ledger.deliveries.record(claim, Disposition(Step.REJECT, "550 no"), run=RUN, now=T)
    assert frozenset() == ledger.campaigns.has_it("2017-03")
    assert freeze_plan(ledger, 1).startswith("2017-03.2-")


def test_a_claim_takes_each_delivery_once_and_keeps_its_date(
    ledger: Ledger, freeze: Freeze
) -> None:
    campaign = freeze(3)
    with ledger.transaction():
        first = ledger.deliveries.claim(campaign.id, run=RUN, count=2, now=T)
        second = ledger.deliveries.claim(campaign.id, run="run-2", count=9, now=T)
    assert [1, 2, 3] == [claim.id for claim in (*first, *second)]
    with ledger.transaction():
        ledger.deliveries.release(first, run=RUN, now=after(5))
        again = ledger.deliveries.claim(campaign.id, run=RUN, count=9, now=after(600))
    assert [(claim.id, claim.date) for claim in first] == [(c.id, c.date) for c in again]


def test_deferred_comes_back_when_it_is_due_and_not_before(ledger: Ledger, freeze: Freeze) -> None:
    campaign = freeze(1)
    with ledger.transaction():
        (claim,) = ledger.deliveries.claim(campaign.id, run=RUN, count=1, now=T)
        ledger.deliveries.record(
            claim, Disposition(Step.DEFER, "451 later", next_attempt_at=after(300)), run=RUN, now=T
        )
        assert [] == ledger.deliveries.claim(campaign.id, run=RUN, count=1, now=after(299))
        assert after(300) == ledger.deliveries.next_due(campaign.id)
        (back,) = ledger.deliveries.claim(campaign.id, run=RUN, count=1, now=after(300))
    assert 2 == back.number


def test_a_transaction_inside_of_another_is_refused(ledger: Ledger) -> None:
    with (
        ledger.transaction(),
        pytest.raises(RuntimeError, match="inside of another"),
        ledger.transaction(),
    ):
        pass


def test_suppression_is_asked_for_again_in_the_write_ahead(ledger: Ledger, freeze: Freeze) -> None:
    campaign = freeze(2)
    with ledger.transaction():
        claims = ledger.deliveries.claim(campaign.id, run=RUN, count=2, now=T)
    with ledger.transaction():
        ledger.suppressions.add(Leave(b"tag2", Reason.UNSUBSCRIBED, "test", NOW))
    with ledger.transaction():
        assert not ledger.deliveries.write_ahead(claims, run=RUN, now=T)
    tally = ledger.campaigns.tally(campaign)
    assert {State.CLAIMED: 1, State.SUPPRESSED: 1} == tally.counts
    with ledger.transaction():
        assert ledger.deliveries.write_ahead(claims[:1], run=RUN, now=T)


def test_a_write_ahead_for_several_is_all_or_nothing(
    ledger: Ledger, ledger_path: Path, freeze: Freeze
) -> None:
    campaign = freeze(2)
    with ledger.transaction():
        claims = ledger.deliveries.claim(campaign.id, run=RUN, count=2, now=T)
        ledger.deliveries.release(claims[1:], run=RUN, now=T)
        assert not ledger.deliveries.write_ahead(claims, run=RUN, now=T)
    assert {State.CLAIMED: 1, State.PENDING: 1} == ledger.campaigns.tally(campaign).counts
    connection = sqlite3.connect(ledger_path)
    assert (0,) == connection.execute("SELECT COUNT(*) FROM attempt").fetchone()
    connection.close()


def test_suppressions_cannot_be_deleted_or_changed(ledger: Ledger, ledger_path: Path) -> None:
    suppression = Leave(b"t", Reason.UNSUBSCRIBED, "test", NOW)
    with ledger.transaction():
        assert ledger.suppressions.add(suppression)
        assert not ledger.suppressions.add(replace(suppression, source="import"))
    connection = sqlite3.connect(ledger_path)
    for statement in ("DELETE FROM suppression", "UPDATE suppression SET reason = 'manual'"):
        with pytest.raises(sqlite3.IntegrityError):
            connection.execute(statement)
    connection.close()
    assert {"unsubscribed": 1} == ledger.suppressions.counts()


def test_the_attempts_of_a_delivery_are_kept_one_row_each(
    ledger: Ledger, ledger_path: Path, freeze: Freeze
) -> None:
    campaign = freeze(1)
    for now, step in ((T, Step.DEFER), (after(10), Step.ACCEPT)):
        with ledger.transaction():
            (claim,) = ledger.deliveries.claim(campaign.id, run=RUN, count=1, now=now)
            assert ledger.deliveries.write_ahead([claim], run=RUN, now=now)
            ledger.deliveries.record(
                claim,
                Disposition(step, str(step)),
                run=RUN,
                now=now + timedelta(seconds=1),
                started_at=now,
            )
    connection = sqlite3.connect(ledger_path)
    rows = connection.execute(
        "SELECT number, started_at, ended_at, outcome FROM attempt ORDER BY number"
    ).fetchall()
    connection.close()
    start = T.timestamp()
    expected = [(1, start, start + 1, "defer"), (2, start + 10, start + 11, "accept")]
    assert expected == rows


def test_the_ledger_is_readable_by_its_owner_alone_and_writes_through_to_the_disk(
    ledger: Ledger, ledger_path: Path
) -> None:
    assert 0o600 == stat.S_IMODE(ledger_path.stat().st_mode)
    (level,) = ledger._database.execute("PRAGMA synchronous").fetchone()
    assert 2 == level
    for through_the_drive in ("fullfsync", "checkpoint_fullfsync"):  # heeded on macOS
        assert (1,) == ledger._database.execute(f"PRAGMA {through_the_drive}").fetchone()


@pytest.mark.fault("Ledger", "key file of another ledger", state="refused; nothing is sent")
def test_another_key_file_is_refused_since_nobody_who_left_would_be_recognised(
    ledger: Ledger, ledger_path: Path
) -> None:
    with pytest.raises(LedgerRefused, match="key file"):
        Ledger(ledger_path, KeyRing(b"another".ljust(32), KEYS.keys))


@pytest.mark.fault(
    "Ledger", "file that is no ledger", state="refused, exit 5; the file is left as it is"
)
def test_a_file_that_is_no_ledger_is_refused_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "newsletter.db"
    path.write_text("these are notes, not a database " * 40)
    before = path.read_bytes()
    with pytest.raises(LedgerRefused, match="not a ledger"):
        Ledger(path, KEYS)
    assert before == path.read_bytes()


@pytest.mark.fault(
    "Ledger", "file of a newer version", state="refused, exit 5; the file is left as it is"
)
def test_a_newer_ledger_is_refused(ledger: Ledger, ledger_path: Path) -> None:
    connection = sqlite3.connect(ledger_path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(LedgerRefused, match="newer version"):
        Ledger(ledger_path, KEYS)


def test_a_ledger_that_is_not_there_is_not_made_up(tmp_path: Path) -> None:
    with pytest.raises(LedgerRefused, match="no ledger"):
        Ledger(tmp_path / "newsletter.db", KEYS, create=False)
    assert [] == list(tmp_path.iterdir())


OPENS_IT = """
import sys
from pathlib import Path
from newsletter.ledger.ledger import Ledger
from newsletter.message.keys import KeyRing
print("ready", flush=True)
sys.stdin.readline()
Ledger(Path(sys.argv[1]), KeyRing(bytes(32), {1: bytes(32)})).close()
"""


def test_several_programs_may_open_a_new_ledger_at_once(tmp_path: Path) -> None:
    programs = [
        subprocess.Popen(
            [sys.executable, "-c", OPENS_IT, str(tmp_path / "newsletter.db")],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    for one in programs:
        assert one.stdout is not None
        assert "ready\n" == one.stdout.readline()
    for one in programs:
        assert one.stdin is not None
        one.stdin.write("\n")
        one.stdin.flush()
    said = [one.communicate(timeout=30)[1] for one in programs]
    assert [""] * 4 == said
    Ledger(tmp_path / "newsletter.db", KEYS, create=False).close()


def test_a_folder_without_permission_is_explained(tmp_path: Path) -> None:
    with pytest.raises(LedgerRefused, match="cannot be"):
        Ledger(tmp_path / "missing" / "newsletter.db", KEYS)


def test_the_plan_accounts_for_every_row_of_the_list() -> None:
    plan = replace(plan_of(3), listed=5, excluded={Exclusion.SUPPRESSED: 2})
    assert plan.listed == len(plan.recipients) + sum(plan.excluded.values())


def test_a_damaged_ledger_is_named_as_such(ledger_path: Path) -> None:
    ledger = Ledger(ledger_path, KEYS)
    campaign = freeze_plan(ledger, 2000)
    ledger.close()
    size = ledger_path.stat().st_size
    with ledger_path.open("r+b") as file:
        file.seek(size // 2)
        file.write(os.urandom(size // 2))
    damaged = Ledger(ledger_path, KEYS)
    with pytest.raises(LedgerRefused, match="damaged"), damaged.transaction():
        damaged.deliveries.claim(campaign, run=RUN, count=500, now=T)
    damaged.close()


def test_who_was_resent_has_the_whole_time_for_retries_again(
    ledger: Ledger, freeze: Freeze
) -> None:
    campaign, later = freeze(1), after(5 * 86400)
    with ledger.transaction():
        (claim,) = ledger.deliveries.claim(campaign.id, run=RUN, count=1, now=T)
        assert ledger.deliveries.write_ahead([claim], run=RUN, now=T)
        ledger.deliveries.record(claim, Disposition(Step.DOUBT, "cut"), run=RUN, now=T)
    with ledger.transaction():
        assert ledger.deliveries.decide(claim.id, Step.RESEND, note="again", now=later)
    with ledger.transaction():
        (claim,) = ledger.deliveries.claim(campaign.id, run=RUN, count=1, now=later)
        assert ledger.deliveries.write_ahead([claim], run=RUN, now=later)
        ledger.deliveries.record(
            claim, Disposition(Step.DEFER, "450 greylisted"), run=RUN, now=later
        )
        assert 0 == ledger.deliveries.expire(
            campaign.id, retry_for_s=86400, now=later + timedelta(minutes=10)
        )
        (claim,) = ledger.deliveries.claim(
            campaign.id, run=RUN, count=1, now=later + timedelta(minutes=10)
        )
    assert 3 == claim.number


def test_whose_claim_is_returned_is_due_at_once_also_when_the_clock_is_set_back(
    ledger: Ledger, freeze: Freeze
) -> None:
    campaign = freeze(2)
    with ledger.transaction():
        for claim in ledger.deliveries.claim(campaign.id, run=RUN, count=2, now=T):
            ledger.deliveries.record(
                claim, Disposition(Step.DEFER, "450", next_attempt_at=after(300)), run=RUN, now=T
            )
        released, _orphan = ledger.deliveries.claim(campaign.id, run=RUN, count=2, now=after(300))
        ledger.deliveries.release([released], run=RUN, now=after(300))
        ledger.deliveries.recover(campaign.id, alive=(), now=after(300))
    assert {State.PENDING: 2} == ledger.campaigns.tally(campaign).counts
    with ledger.transaction():
        one, two = ledger.deliveries.claim(campaign.id, run=RUN, count=2, now=after(-3600))
        assert ledger.deliveries.write_ahead([one, two], run=RUN, now=after(-3600))


def test_what_a_run_that_is_alive_holds_is_left_alone(ledger: Ledger, freeze: Freeze) -> None:
    campaign = freeze(4)
    with ledger.transaction():
        for run in ("dead", "alive"):
            claims = ledger.deliveries.claim(campaign.id, run=run, count=2, now=T)
            assert ledger.deliveries.write_ahead(claims[:1], run=run, now=T)
        assert 1 == ledger.deliveries.recover(campaign.id, alive=("alive",), now=T)
    expected = {State.PENDING: 1, State.IN_DOUBT: 1, State.CLAIMED: 1, State.ATTEMPTING: 1}
    assert expected == ledger.campaigns.tally(campaign).counts
    with ledger.transaction():
        assert 1 == ledger.deliveries.recover(campaign.id, alive=(), now=T)
    expected = {State.PENDING: 2, State.IN_DOUBT: 2}
    assert expected == ledger.campaigns.tally(campaign).counts


def test_who_was_resent_is_due_at_once_also_when_the_clock_is_set_back(
    ledger: Ledger, freeze: Freeze
) -> None:
    campaign = freeze(1)
    with ledger.transaction():
        (claim,) = ledger.deliveries.claim(campaign.id, run=RUN, count=1, now=T)
        ledger.deliveries.record(
            claim, Disposition(Step.DEFER, "450", next_attempt_at=after(300)), run=RUN, now=T
        )
        claims = ledger.deliveries.claim(campaign.id, run=RUN, count=1, now=after(300))
        assert ledger.deliveries.write_ahead(claims, run=RUN, now=after(300))
        assert 1 == ledger.deliveries.recover(campaign.id, alive=(), now=after(300))
    with ledger.transaction():
        assert ledger.deliveries.decide(claim.id, Step.RESEND, note="again", now=T)
    with ledger.transaction():
        assert 1 == len(ledger.deliveries.claim(campaign.id, run=RUN, count=1, now=T))


@pytest.mark.parametrize(
    ("step", "has_it"),
    [(Step.ACCEPT, True), (Step.DOUBT, True), (Step.DEFER, True), (Step.REJECT, False)],
)
def test_who_has_the_issue_or_may_have_it_or_will_get_it_is_in_no_later_plan(
    ledger: Ledger, freeze: Freeze, step: Step, *, has_it: bool
) -> None:
    campaign = freeze(1)
    assert {"reader1@example.org"} == ledger.campaigns.has_it("2017-03")
    with ledger.transaction():
        (claim,) = ledger.deliveries.claim(campaign.id, run=RUN, count=1, now=T)
    assert {"reader1@example.org"} == ledger.campaigns.has_it("2017-03")
    with ledger.transaction():
        assert ledger.deliveries.write_ahead([claim], run=RUN, now=T)
    assert {"reader1@example.org"} == ledger.campaigns.has_it("2017-03")
    with ledger.transaction():
        assert ledger.deliveries.record(claim, Disposition(step, "said"), run=RUN, now=T)
    assert has_it == bool(ledger.campaigns.has_it("2017-03"))
    assert frozenset() == ledger.campaigns.has_it("2017-04")


def test_a_write_ahead_that_is_taken_back_begins_no_time_for_retries(
    ledger: Ledger, freeze: Freeze
) -> None:
    campaign = freeze(2)
    with ledger.transaction():
        claims = ledger.deliveries.claim(campaign.id, run=RUN, count=2, now=T)
    with ledger.transaction():
        ledger.suppressions.add(Leave(b"tag2", Reason.UNSUBSCRIBED, "test", NOW))
    with ledger.transaction():
        assert not ledger.deliveries.write_ahead(claims, run=RUN, now=T)
        ledger.deliveries.release(claims, run=RUN, now=T)
        (again,) = ledger.deliveries.claim(campaign.id, run=RUN, count=2, now=after(60))
    assert (1, None) == (again.number, again.first_attempt_at)


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("550 \ud800 half a letter", "550 � half a letter"),
        ("550 \x1b[2J\r\nnothing to see", "550 �[2J��nothing to see"),
        ("550 " + "x" * 500_000, "550 " + "x" * 996),
    ],
)
def test_what_the_other_side_says_is_kept_as_far_as_it_can_be_shown(
    ledger: Ledger, freeze: Freeze, said: str, kept: str
) -> None:
    campaign = freeze(1)
    with ledger.transaction():
        (claim,) = ledger.deliveries.claim(campaign.id, run=RUN, count=1, now=T)
        assert ledger.deliveries.record(claim, Disposition(Step.REJECT, said), run=RUN, now=T)
    (held,) = ledger.deliveries.of(campaign.id, State.REJECTED)
    assert kept == held.reply


def test_a_provider_may_answer_with_any_id_at_all(ledger: Ledger, freeze: Freeze) -> None:
    campaign = freeze(1)
    with ledger.transaction():
        claims = ledger.deliveries.claim(campaign.id, run=RUN, count=1, now=T)
        assert ledger.deliveries.write_ahead(claims, run=RUN, now=T)
        assert ledger.deliveries.record(
            claims[0], Disposition(Step.ACCEPT, "200", provider_id="re_\ud800"), run=RUN, now=T
        )
    assert {State.ACCEPTED: 1} == ledger.campaigns.tally(campaign).counts


def test_who_was_refused_in_a_round_was_in_it(ledger: Ledger, freeze: Freeze) -> None:
    campaign = freeze(2)
    with ledger.transaction():
        (claim,) = ledger.deliveries.claim(campaign.id, run=RUN, count=1, now=T)
        assert ledger.deliveries.write_ahead([claim], run=RUN, now=T)
        ledger.deliveries.record(claim, Disposition(Step.REJECT, "550 5.1.1 no"), run=RUN, now=T)
    assert 1 == ledger.campaigns.latest_round("2017-03")
    both = frozenset({"reader1@example.org", "reader2@example.org"})
    assert both == ledger.campaigns.in_round("2017-03", 1)
    assert frozenset() == ledger.campaigns.in_round("2017-03", 2)
