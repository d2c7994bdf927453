"""Why readers left: read from the public log, and shown apart from who they are."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest
from newsletter import project as application
from newsletter.ledger.leave_reasons import LeaveReason
from newsletter.project.sync import sync

from tests.cli.support import went_well
from tests.support.project import Project
from tests.support.public_side import PublicSide, public_settings, public_side

HOSTILE = "\x1b[2J\u202eSee\u2029bob@example.org\n [bold]now[/bold]"


@pytest.fixture
def side(project: Project) -> Iterator[PublicSide]:
    project.settings(public_settings())
    with public_side(project.folder) as opened:
        yield opened


def issue_sent(project: Project) -> str:
    """The tag of the campaign of an issue that was sent."""
    went_well(project.run("send", "2017-04", "--yes"))
    opened = application.Project(project.folder)
    with closing(opened.ledger(create=False, follow=False)) as ledger:
        (campaign,) = ledger.campaigns.all()
    return opened.keys.campaign_tag(campaign.id).hex()


def give(side: PublicSide, campaign: str, *words: str, reason: str = "unsafe") -> None:
    for each in words:
        side.add(kind="reason", campaign=campaign, reason=reason, words=each)


def shown(project: Project) -> str:
    sync(application.Project(project.folder))
    said = project.run("suppress", "list")
    went_well(said)
    return said.stdout


def test_reasons_appear_with_their_issue_once_there_are_five(
    project: Project, side: PublicSide
) -> None:
    campaign = issue_sent(project)
    give(side, campaign, "d", "c", "b", "a")
    assert "“" not in shown(project)
    give(side, campaign, "")
    told = shown(project)
    assert "Why readers of 2017-04 left:" in told
    assert "5 it is not safe for them" in " ".join(told.split())
    assert told.index("“a”") < told.index("“b”") < told.index("“c”") < told.index("“d”")
    report = project.run("report", "2017-04").stdout
    assert report.endswith(told[told.index("Why readers") :])
    # The next ones wait again, so that nobody can be told by the day.
    give(side, campaign, "e")
    assert told == shown(project)
    assert told == shown(project)


def test_few_reasons_of_several_issues_appear_together_without_their_issue(
    project: Project, side: PublicSide
) -> None:
    campaign = issue_sent(project)
    give(side, campaign, "one", "two")
    give(side, "ab" * 8, "three", "four", reason="of a newer server")
    assert "“" not in shown(project)
    give(side, campaign, "five", reason="often")
    told = shown(project)
    assert "Why readers of several issues left:" in told
    assert "2017-04" not in told
    for word in ("one", "two", "three", "four", "five"):
        assert f"“{word}”" in told
    assert "another reason: “three”" in told


def test_the_ledger_keeps_neither_who_gave_a_reason_nor_when(
    project: Project, side: PublicSide
) -> None:
    campaign = issue_sent(project)
    give(side, campaign, *"abcde")
    shown(project)
    opened = application.Project(project.folder)
    with closing(opened.ledger(create=False, follow=False)) as ledger:
        columns = [row[1] for row in ledger._database.rows("PRAGMA table_info(leave_reason)")]
        assert [] == ledger.log_entries.kept()
    assert ["id", "issue", "reason", "words", "shown"] == columns


def test_what_strangers_write_moves_no_cursor_and_fills_no_ledger(
    project: Project, side: PublicSide, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("newsletter.ledger.leave_reasons._MOST_KEPT", 6)
    give(side, "x", HOSTILE, "y" * 600, *"abcdefgh")
    side.add(kind="reason", reason="often", words=["no", "words"])
    side.add(kind="reason", words="of no kind")
    told = shown(project)
    assert "“[2JSee … [bold]now[/bold]”" in told
    assert "?" == LeaveReason.of({"reason": "other", "words": "\ud800"}).words
    assert f"“{'y' * 500}”" in told
    assert 6 == told.count("“")
    assert not {"\x1b", "\u202e", "\u2029"} & {*told}
    result = sync(application.Project(project.folder))
    assert {"": 2} == dict(result.waiting)
