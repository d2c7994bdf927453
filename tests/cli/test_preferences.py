"""What readers chose on their page, as a send follows it."""

import shutil
import time
from datetime import UTC, datetime, timedelta

from tests.cli.support import mails, went_well
from tests.support.project import Project
from tests.support.public_side import PublicSide, public_settings, public_side
from tests.support.tools import ROOT


def day(days: int) -> str:
    return (datetime.now(UTC).date() + timedelta(days=days)).isoformat()


def change(side: PublicSide, reader: int, seconds: float = 0, **changes: object) -> bytes:
    tag = side.tag(f"reader{reader}@readers.example").hex()
    return side.add(kind="preferences", tag=tag, changes=changes, at=time.time() + seconds)


def test_who_paused_is_not_in_the_plan_and_counted_as_that(project: Project) -> None:
    project.settings(public_settings())
    with public_side(project.folder) as side:
        change(side, 0, pause=day(30))
        change(side, 1, pause=day(30), seconds=-9)
        change(side, 1, pause="")
        change(side, 2, pause=day(0))
        said = project.run("send", "2017-04", "--yes")
    went_well(said, "From the public log: 4 changes of what readers get.", "2 planned = 2 accepted")
    assert "1 person who paused the newsletter" in said.stdout
    assert 2 == len(mails(project))
    said = project.run("status", "2017-04")
    assert "1 person who paused the newsletter" in said.stdout


def test_an_appointment_asks_about_its_own_day(project: Project) -> None:
    project.settings(public_settings())
    with public_side(project.folder) as side:
        change(side, 0, pause=day(30))
        project.run("sync")
        at = f"{day(31)}T12:00+00:00"
        early = project.run("send", "2017-04", "--dry-run", "--at", f"{day(1)}T12:00+00:00")
        late = project.run("send", "2017-04", "--dry-run", "--at", at)
    assert "who paused" in early.stdout
    assert "who paused" not in late.stdout


def test_the_language_they_chose_decides_the_edition(project: Project) -> None:
    project.use_march()
    for each in ("fr", "ar"):
        shutil.copy(ROOT / "issues" / f"2017-03.{each}.yaml", project.folder / "issues")
    project.settings(public_settings())
    with public_side(project.folder) as side:
        change(side, 0, language="fr")
        change(side, 1, language="ar", topics={"alerts": True})
        change(side, 2, language="tlh")  # an issue in it does not exist: the default
        project.run("sync")
        project.run("sync", "--again")
    said = project.run("send", "2017-03", "--yes", "--without-log")
    assert "3 planned = 3 accepted" in said.stdout
    languages = sorted(str(mail["Content-Language"]) for mail in mails(project))
    assert ["ar", "en", "fr"] == languages


def test_nonsense_from_the_server_is_kept_and_changes_nothing(project: Project) -> None:
    project.settings(public_settings())
    with public_side(project.folder) as side:
        change(side, 0, pause="9999999-01-01")
        change(side, 0, language="../../x")
        side.add(kind="preferences", tag="00", changes={})
        side.add(kind="preferences", tag="00" * 12, changes=[])
        side.add(kind="preferences")
        said = project.run("send", "2017-04", "--yes")
    went_well(said, "5 entries cannot be read", "3 planned = 3 accepted")


def test_no_server_pauses_a_reader_for_ever(project: Project) -> None:
    project.settings(public_settings())
    with public_side(project.folder) as side:
        change(side, 0, seconds=1e9, pause="9999-12-31")
        change(side, 1, seconds=1e9, pause="9999-12-31")
        went_well(project.run("sync"))
        later = f"{day(732)}T12:00+00:00"
        assert "who paused" not in project.run("send", "2017-04", "--dry-run", "--at", later).stdout
        change(side, 0, pause="")
        went_well(project.run("sync"))
        said = project.run("send", "2017-04", "--dry-run")
    assert "1 person who paused the newsletter" in said.stdout
