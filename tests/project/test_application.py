"""The application called as a web server would call it: values in, values out, nothing printed."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from itertools import product
from pathlib import Path

import pytest
from newsletter.errors import ExitCode, LedgerRefused
from newsletter.ledger.states import State, Step
from newsletter.ledger.tally import Tally
from newsletter.project import Project
from newsletter.project.account import accounts, status, watch, worst
from newsletter.project.compile import ErrorsFound, compile_issue
from newsletter.project.correct import correct, propose_correction
from newsletter.project.doubts import in_doubt, settle
from newsletter.project.plan import Prepared, SendOptions, freeze, prepare, prepare_to_freeze
from newsletter.project.resume import begin_at, lift_holds, pause, ready, see_runs_end
from newsletter.project.send import RunResult, run_campaign
from newsletter.project.transport import open_transport
from newsletter.transports.protocol import Outcome

from tests.support.project import SHORT_ISSUE
from tests.support.project import Project as Folder


@pytest.fixture
def folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Folder]:
    """Three readers, one short issue and the mailbox; nothing may be printed."""
    yield Folder(tmp_path / "project")
    assert ("", "") == capsys.readouterr()


@pytest.fixture
def project(folder: Folder) -> Project:
    return Project(folder.folder)


class Observed:
    """Remembers what a run told."""

    def __init__(self) -> None:
        self.planned = 0
        self.outcomes: list[Outcome] = []

    @contextmanager
    def running(self, tally: Tally, *, stop: Callable[[], None]) -> Iterator[None]:
        del stop
        self.planned = tally.planned
        yield

    def on_outcome(self, outcome: Outcome) -> None:
        self.outcomes.append(outcome)

    def on_wait(self, words: str | None, until: datetime | None) -> None: ...


def frozen(project: Project, options: SendOptions | None = None) -> Prepared:
    with project.lock():
        prepared = prepare_to_freeze(project, "2017-04", options or SendOptions())
        freeze(project, prepared)
    return prepared


def gone_on(project: Project, observed: Observed) -> list[RunResult]:
    with project.lock() as check_lock, closing(open_transport(project)) as transport:
        waiting = ready(project, "2017-04", as_frozen=False, late=False)
        lift_holds(project, waiting)
        return [
            run_campaign(project, each.campaign, transport, observed, check_lock=check_lock)
            for each in waiting
        ]


def test_a_plan_changes_nothing_and_a_send_accounts_for_everybody(project: Project) -> None:
    planned = prepare(project, "2017-04", SendOptions(limit=2))
    assert 2 == len(planned.plan.recipients)
    assert not project.has_ledger
    sent = frozen(project, SendOptions(limit=2))
    assert [each.recipient for each in planned.plan.recipients] == [
        each.recipient for each in sent.plan.recipients
    ]

    observed = Observed()
    (result,) = gone_on(project, observed)
    assert (2, 2) == (observed.planned, len(observed.outcomes))
    assert result.failure is None
    assert result.account is not None
    assert ExitCode.DONE == result.account.tally.exit_code
    assert [result.account.tally] == [each.tally for each in accounts(project, "2017-04")]
    assert 2 == len(list(project.mails.iterdir()))


def test_a_pause_holds_until_it_is_lifted(project: Project) -> None:
    frozen(project)
    (paused,) = pause(project, "2017-04")
    assert (3, None) == (paused.waiting, see_runs_end(project, [paused]))
    with project.lock():
        (held,) = ready(project, "2017-04", as_frozen=False, late=False)
    assert held.paused
    (found,) = status(project)
    assert found.status is not None
    assert "Paused by a person." == found.status.control.held
    gone_on(project, Observed())
    assert [] == pause(project, "2017-04")
    assert [] == list(watch(project, "2017-04"))


def test_a_time_can_be_set_and_is_told_as_a_time(project: Project) -> None:
    frozen(project)
    at = project.clock.now().replace(year=2099, microsecond=0)
    with project.lock():
        begin_at(project, "2017-04", at)
        (waiting,) = ready(project, "2017-04", as_frozen=False, late=False)
    assert at == waiting.begins_at


def test_an_issue_that_changed_goes_on_as_frozen_or_corrected(
    project: Project, folder: Folder
) -> None:
    frozen(project)
    with project.lock():
        same = propose_correction(project, "2017-04")
    assert same is not None
    assert same.changes_nothing

    folder.issue(SHORT_ISSUE.replace("The only story", "The one story"))
    with project.lock():
        with pytest.raises(LedgerRefused, match="changed since this send began"):
            ready(project, "2017-04", as_frozen=False, late=False)
        assert ready(project, "2017-04", as_frozen=True, late=False)
        change = propose_correction(project, "2017-04")
        assert change is not None
        assert (3, 0) == (change.untried, change.attempted)
        (edition,) = change.editions
        assert ("en", ("text", "HTML")) == (edition.language, edition.parts)
        assert any("one" in each.partition("[+")[2].partition("+]")[0] for each in edition.text)
        assert 2 == correct(project, change)
    gone_on(project, Observed())
    with project.lock():
        assert propose_correction(project, "2017-04") is None


def test_a_doubt_is_settled_by_a_persons_word(project: Project) -> None:
    frozen(project)
    with closing(project.ledger(create=False)) as ledger, ledger.transaction():
        (campaign,) = ledger.campaigns.all()
        now = project.clock.now()
        claims = ledger.deliveries.claim(campaign.id, run="r", count=1, now=now)
        ledger.deliveries.write_ahead(claims, run="r", now=now)
    # Whom a run that died was handing over is in doubt.
    (doubt,) = in_doubt(project, "2017-04")
    assert [doubt.address] == settle(project, [doubt], Step.ASSUME)
    assert [] == settle(project, [doubt], Step.RESEND)
    (found,) = accounts(project, "2017-04")
    assert (1, 2) == (found.tally[State.ACCEPTED], found.tally[State.PENDING])


def test_errors_of_the_checks_come_as_findings(project: Project, folder: Folder) -> None:
    folder.issue(SHORT_ISSUE.replace("It is short", "Lorem ipsum"))
    with pytest.raises(ErrorsFound) as refused:
        prepare(project, "2017-04", SendOptions())
    assert ["placeholder-text"] == [finding.id for finding in refused.value.findings]
    assert not project.has_ledger


def test_readers_whose_language_has_no_edition_get_the_settings_or_the_first(
    project: Project, folder: Folder
) -> None:
    french = SHORT_ISSUE.replace("language: en", "language: fr")
    folder.issue(french, "2017-05")
    assert "fr" == compile_issue(project, "2017-05").default_language
    english = SHORT_ISSUE
    for word in ("One story", "A short issue", "Dear", "The only story", "It is short"):
        english = english.replace(word, f"{word}, in English")
    folder.issue(english, "2017-05.en")
    both = compile_issue(project, "2017-05")
    assert (["fr", "en"], "en") == (list(both.languages), both.default_language)


def test_of_several_exit_codes_the_gravest_counts() -> None:
    order = [
        ExitCode.LEDGER_REFUSES, ExitCode.TRANSPORT_STOPPED, ExitCode.IN_DOUBT, ExitCode.DONE,
    ]  # fmt: skip
    assert ExitCode.DONE == worst([])
    for one, other in product(order, repeat=2):
        assert min(one, other, key=order.index) == worst([one, other])
