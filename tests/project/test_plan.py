"""What a send would do, and the freeze: who has an issue, who left, and in which round."""

import shutil
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from newsletter.errors import ConfigError, InputError, LedgerRefused
from newsletter.ledger.plan import Exclusion
from newsletter.ledger.suppressions import Leave, Reason
from newsletter.message.model import Message
from newsletter.project import Project
from newsletter.project.imports import ImportOptions, revert
from newsletter.project.plan import (
    Prepared,
    SendOptions,
    examine,
    freeze,
    prepare,
    prepare_to_freeze,
)
from newsletter.project.schedule import Appointment
from newsletter.reader_states import ReaderState
from newsletter.testing import ScriptedTransport

from tests.project.moves import moved, written
from tests.support.project import SHORT_ISSUE, smtp_delivery
from tests.support.project import Project as Folder

ISSUE = "2017-04"


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path / "project")


@pytest.fixture
def project(folder: Folder) -> Project:
    return Project(folder.folder)


def frozen(project: Project, options: SendOptions | None = None) -> Prepared:
    with project.lock():
        prepared = prepare_to_freeze(project, ISSUE, options or SendOptions())
        campaign = freeze(project, prepared)
    assert (ISSUE, len(prepared.plan.recipients)) == (campaign.issue, campaign.planned)
    return prepared


def everybody_accepted(project: Project) -> None:
    with closing(project.ledger(create=False)) as ledger, ledger.transaction():
        ledger._database.execute("UPDATE delivery SET state = 'accepted'")


def who(prepared: Prepared) -> list[str]:
    return [each.recipient.address.local for each in prepared.plan.recipients]


def remembered(folder: Folder, tmp_path: Path) -> Project:
    """One whose sends are remembered in a state folder."""
    folder.settings(smtp_delivery(1, more=f'state_folder = "{tmp_path / "state"}"'))
    return Project(folder.folder)


def begun(project: Project) -> None:
    """As if its latest campaign had begun to leave."""
    with closing(project.ledger(create=False)) as ledger:
        guard = project.copy_guard(ledger)
        assert guard
        guard.begin(ledger.campaigns.all()[-1])


def test_who_left_is_known_by_the_list_keys(project: Project) -> None:
    frozen(project, SendOptions(limit=1))
    everybody_accepted(project)
    leaver = project.roster(None).subscribers[1].address
    with closing(project.ledger(create=False)) as ledger:
        tag = project.keys.address_tag(leaver)
        left = Leave(tag, Reason.UNSUBSCRIBED, "page", datetime(2017, 4, 1, tzinfo=UTC))
        with ledger.transaction():
            ledger.suppressions.add(left)
    planned = prepare(project, ISSUE, SendOptions())
    assert ["reader2"] == who(planned)
    assert {Exclusion.HAS_IT: 1, Exclusion.SUPPRESSED: 1} == planned.plan.excluded
    assert [project.keys.address_tag(each.recipient.address) for each in planned.plan.recipients] \
        == [each.tag for each in planned.plan.recipients]  # fmt: skip


def test_a_send_again_goes_on_with_its_round_before_it_begins_the_next(project: Project) -> None:
    again = SendOptions(again=True)
    first = frozen(project, SendOptions(limit=2))
    assert (1, False) == (first.round, first.new_round)
    everybody_accepted(project)
    second = frozen(project, SendOptions(again=True, limit=2))
    assert (1, True, ["reader0", "reader1"]) == (second.round, second.new_round, who(second))
    everybody_accepted(project)
    third = frozen(project, again)
    assert (2, False, ["reader2"]) == (third.round, third.new_round, who(third))
    everybody_accepted(project)
    fourth = prepare(project, ISSUE, again)
    assert (2, True, 3) == (fourth.round, fourth.new_round, len(fourth.plan.recipients))
    assert [] == who(prepare(project, ISSUE, SendOptions()))


def test_who_got_an_issue_in_any_round_has_it_and_a_round_counts_its_own(project: Project) -> None:
    first = prepare(project, ISSUE, SendOptions(again=True))
    assert (1, True, 3) == (first.round, first.new_round, len(first.plan.recipients))
    frozen(project, SendOptions(limit=2))
    everybody_accepted(project)
    frozen(project, SendOptions(again=True, limit=1))
    everybody_accepted(project)
    assert ["reader2"] == who(prepare(project, ISSUE, SendOptions()))
    assert ["reader1", "reader2"] == who(prepare(project, ISSUE, SendOptions(again=True)))


def test_nothing_is_frozen_while_an_earlier_send_waits(project: Project) -> None:
    frozen(project, SendOptions(limit=1))
    with project.lock(), pytest.raises(LedgerRefused, match="1 person waiting") as refused:
        prepare_to_freeze(project, ISSUE, SendOptions())
    assert f"campaign {ISSUE}.1" in str(refused.value.where)
    assert f"newsletter resume {ISSUE}" in (refused.value.next or "")


def test_an_issue_that_is_not_there_makes_no_ledger(project: Project) -> None:
    with project.lock(), pytest.raises(InputError):
        prepare_to_freeze(project, "2017-09", SendOptions())
    assert not project.has_ledger


def test_a_frozen_send_keeps_its_time(project: Project) -> None:
    at = datetime(2030, 1, 2, 9, tzinfo=UTC)
    frozen(project, SendOptions(appointment=Appointment(at, "UTC")))
    with closing(project.ledger(create=False)) as ledger:
        (campaign,) = ledger.campaigns.all()
        control = ledger.controls.of(campaign.id)
    late = project.settings.delivery.late_after_hours * 3600
    assert (at, late) == (control.not_before, (control.not_after - at).total_seconds())


def test_another_list_may_be_named(project: Project, tmp_path: Path) -> None:
    other = tmp_path / "other.csv"
    other.write_text("email,name,language\nboss@readers.example,Boss,en\n")
    planned = prepare(project, ISSUE, SendOptions(subscribers=other))
    assert ["boss"] == who(planned)
    assert (other,) == planned.roster.files


def test_a_segment_that_changed_after_the_plan_was_shown_is_not_frozen(
    project: Project, folder: Folder
) -> None:
    segment = '[audience]\nfields = ["name"]\n[segments.some]\nfields.name = ["Reader 1"]\n'
    folder.settings(segment)
    with project.lock():
        prepared = prepare_to_freeze(project, ISSUE, SendOptions(segment="some"))
        assert ["reader1"] == who(prepared)
        folder.settings(segment.replace("Reader 1", "Reader 2"))
        with pytest.raises(InputError, match="“some” was changed after the plan was shown"):
            freeze(project, prepared)
        folder.settings("")
        with pytest.raises(InputError, match="was changed"):
            freeze(project, prepared)
        folder.settings(segment + "# a note changes nothing\n")
        assert 1 == freeze(project, prepared).planned


def test_a_plan_from_before_an_import_or_its_revert_is_not_frozen(
    project: Project, tmp_path: Path
) -> None:
    paths = written(tmp_path / "move", {"a.csv": "email\nreader1@readers.example\n"})
    with project.lock():
        prepared = prepare_to_freeze(project, ISSUE, SendOptions())
        moved(project, paths, ImportOptions(state={"a.csv": ReaderState.NEVER}))
        with pytest.raises(InputError, match="imported"):
            freeze(project, prepared)
        prepared = prepare_to_freeze(project, ISSUE, SendOptions())
        assert ["reader0", "reader2"] == who(prepared)
        revert(project, 1)
        with pytest.raises(InputError, match="reverted"):
            freeze(project, prepared)
        assert 3 == freeze(project, prepare_to_freeze(project, ISSUE, SendOptions())).planned


def test_the_transport_examines_a_message_of_each_language(
    project: Project, folder: Folder
) -> None:
    french = SHORT_ISSUE.replace("language: en", "language: fr")
    for word in (
        "One story",
        "A short issue",
        "Dear",
        "The only story",
        "It is short",
        "The story",
    ):
        french = french.replace(word, f"{word}, en français")
    folder.issue(french, f"{ISSUE}.fr")
    people = [f"r{number}@readers.example,R,{'fr' if number > 1 else 'en'}" for number in range(4)]
    (folder.folder / "subscribers.csv").write_text("\n".join(["email,name,language", *people]))
    seen: list[str] = []

    class Strict(ScriptedTransport):
        def examine(self, message: Message) -> None:
            seen.append(message.envelope_to.local)
            if message.envelope_to.local == "r2":
                raise ConfigError("No accents here.")

    with pytest.raises(ConfigError, match="No accents"):
        examine(project, prepare(project, ISSUE, SendOptions()), Strict())
    assert {"r0", "r2"} >= set(seen)


def test_whom_trials_reached_is_said_where_they_count_as_having_it(
    project: Project, folder: Folder, tmp_path: Path
) -> None:
    assert not prepare(project, ISSUE, SendOptions()).new_here
    frozen(project, SendOptions(limit=2))
    everybody_accepted(project)
    assert () == prepare(project, ISSUE, SendOptions()).trials
    real = remembered(folder, tmp_path)
    planned = prepare(real, ISSUE, SendOptions())
    with closing(real.ledger(create=False)) as ledger:
        assert tuple(each.id for each in ledger.campaigns.all()) == planned.trials
    assert planned.new_here
    assert () == prepare(real, ISSUE, SendOptions(again=True)).trials


def test_what_is_needed_to_recognise_the_list_is_kept_before_anything_is_frozen(
    folder: Folder, tmp_path: Path
) -> None:
    project = remembered(folder, tmp_path)
    with project.lock():
        prepare_to_freeze(project, ISSUE, SendOptions())
    assert project.key_file.read_bytes() == project.state.key.read_bytes()


def test_nothing_is_planned_with_an_old_ledger_or_without_one(
    folder: Folder, tmp_path: Path
) -> None:
    project = remembered(folder, tmp_path)
    frozen(project, SendOptions(limit=1))
    old = shutil.copy(project.ledger_file, tmp_path)
    begun(project)
    for options in (SendOptions(), SendOptions(again=True)):
        project.ledger_file.unlink()
        with pytest.raises(LedgerRefused, match="no ledger of it"):
            prepare(project, ISSUE, options)
        with project.lock(), pytest.raises(LedgerRefused, match="no ledger of it"):
            prepare_to_freeze(project, ISSUE, options)
        assert not project.has_ledger
        shutil.copy(old, project.ledger_file)
        with pytest.raises(LedgerRefused, match="older than what was sent"):
            prepare(project, ISSUE, options)
        with project.lock(), pytest.raises(LedgerRefused, match="older than what was sent"):
            prepare_to_freeze(project, ISSUE, options)


def test_an_issue_whose_readers_nobody_knows_is_sent_only_again(
    folder: Folder, tmp_path: Path
) -> None:
    project = remembered(folder, tmp_path)
    frozen(project, SendOptions(limit=1))
    begun(project)
    everybody_accepted(project)
    with closing(project.ledger(create=False)) as ledger, ledger.transaction():
        assert ledger.record
        ledger.record.note_lost([("lost", ISSUE)])
    with pytest.raises(LedgerRefused, match="no record of that send"):
        prepare(project, ISSUE, SendOptions())
    with project.lock(), pytest.raises(LedgerRefused, match="no record of that send"):
        prepare_to_freeze(project, ISSUE, SendOptions())
    again = SendOptions(again=True)
    assert 3 == len(prepare(project, ISSUE, again).plan.recipients)
    assert 3 == len(frozen(project, again).plan.recipients)
