"""The report through the program: its figures add up, and it names nobody unless asked."""

import csv
import json
import re
import stat
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any, Literal

import pytest
from newsletter.ledger.states import State

from tests.report.course import address, lived
from tests.support.browser import chromium
from tests.support.project import Project
from tests.support.tools import PROVE, npm_program

READERS = 200
LOOKS: tuple[tuple[int, Literal["light", "dark"]], ...] = (
    ((1200, "light"), (375, "dark"), (375, "light"), (1200, "dark"))
    if PROVE
    else ((1200, "light"), (375, "dark"))
)
"""Width and colour scheme: every width and every scheme; all pairs on demand."""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    folder = tmp_path_factory.mktemp("report")
    made = Project(folder / "project")
    with lived(made.folder, READERS) as (ledger, campaign, _):
        # One doubt is settled, one reader got the corrected version, one complained.
        (doubt, *_) = ledger.deliveries.of(campaign.id, State.IN_DOUBT)
        with ledger.transaction():
            assert ledger.deliveries.evidence(doubt.id, "250 ok", None, doubt.changed_at)
        with ledger.transaction():
            ledger.events.add(
                doubt.id, "complained", "bounce report", doubt.changed_at, "abuse", "m"
            )
    return made


@pytest.fixture(scope="module")
def files(project: Project) -> Path:
    done = project.run(
        "report", "2017-03", "--html", "r.html", "--csv", "r.csv", "--json", "r.json"
    )
    assert 4 == done.returncode, done.stderr  # some still wait
    return project.folder


def figures(files: Path) -> Any:
    (campaign,) = json.loads((files / "r.json").read_text())["campaigns"]
    return campaign


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_the_identity_holds_in_every_form(project: Project, files: Path) -> None:
    states = figures(files)["states"]
    assert READERS == sum(states.values()) == figures(files)["planned"]
    assert states == Counter(row["state"] for row in rows(files / "r.csv"))
    terms = {"accepted": "accepted", "deferred": "deferred", "rejected": "refused",
             "in_doubt": "in doubt"}  # fmt: skip
    words = " + ".join(f"{states[state]} {term}" for state, term in terms.items())
    assert f"{READERS} planned = {words}" in project.run("report", "2017-03").stdout
    assert f"{READERS} planned = {words}" in (files / "r.html").read_text()


def test_progress_ends_where_the_states_do(files: Path) -> None:
    found = figures(files)
    accepted = [point["accepted"] for point in found["progress"]]
    assert sorted(accepted) == accepted
    # The settled doubt was accepted by no attempt's answer.
    assert found["states"]["accepted"] - 1 == accepted[-1]
    assert found["states"]["rejected"] == found["progress"][-1]["refused"]


def test_refusals_are_told_by_reason_and_by_domain(files: Path) -> None:
    found = figures(files)
    for key in ("refused_by_reason", "refused_by_domain"):
        assert found["states"]["rejected"] == sum(share["count"] for share in found[key])
    labels = [share["label"] for share in found["refused_by_reason"]]
    assert "There is no such mailbox (5.1.1)" in labels
    assert "A policy of the server (5.7.1)" in labels


def test_a_domain_with_few_readers_is_not_named(files: Path) -> None:
    labels = {share["label"] for share in figures(files)["refused_by_domain"]}
    assert {"europa.example", "other domains"} == labels
    for name in ("r.html", "r.json"):
        assert "tiny" not in (files / name).read_text()


@pytest.mark.parametrize("name", ["r.html", "r.csv", "r.json"])
def test_no_address_is_in_it(files: Path, name: str) -> None:
    text = (files / name).read_text()
    assert not re.search(r"[\w.+-]+@[\w-]+\.", text)
    assert not re.search(r"reader[0-9]", text, re.IGNORECASE)


def test_addresses_are_there_when_asked_for(project: Project) -> None:
    project.run("report", "2017-03", "--csv", "named.csv", "--addresses")
    found = [row["recipient"] for row in rows(project.folder / "named.csv")]
    assert [address(number) for number in range(READERS)] == found


def test_recipients_are_known_by_the_tag_of_their_message(project: Project, files: Path) -> None:
    from newsletter.addresses import Address
    from newsletter.message.keys import KeyRing

    keys = KeyRing.load(project.folder / "newsletter.key")
    tags = [row["recipient"] for row in rows(files / "r.csv")]
    assert [
        keys.message_tag(figures(files)["campaign"], Address.parse(address(number)))
        for number in range(READERS)
    ] == tags


def test_no_cell_is_a_formula(files: Path) -> None:
    replies = {row["reply"] for row in rows(files / "r.csv")}
    assert any("HYPERLINK" in reply for reply in replies)
    assert not [reply for reply in replies if reply.startswith("=")]


def test_the_files_are_for_their_owner_alone(files: Path) -> None:
    for name in ("r.html", "r.csv", "r.json"):
        assert 0o600 == stat.S_IMODE((files / name).stat().st_mode)


def test_settled_doubts_and_later_news_are_told(project: Project, files: Path) -> None:
    assert 1 == figures(files)["settled_doubts"]
    assert {"complained": 1} == figures(files)["learned_later"]
    said = project.run("report", "2017-03").stdout
    assert "1 doubt settled" in said
    assert "called spam by the reader" in said


def test_addresses_without_a_csv_are_refused(project: Project) -> None:
    done = project.run("report", "2017-03", "--addresses")
    assert 2 == done.returncode
    assert "Only the CSV can hold addresses" in done.stderr


def test_a_file_that_cannot_be_written_is_said(project: Project) -> None:
    done = project.run("report", "2017-03", "--html", "no/such/folder/r.html")
    assert 2 == done.returncode
    assert "The file cannot be written: No such file or directory" in done.stderr


def test_an_issue_that_was_never_sent_has_no_report(project: Project) -> None:
    done = project.run("report", "2017-04")
    assert 2 == done.returncode
    assert "has not been sent from here" in done.stderr


def test_a_validator_finds_no_error_in_the_page(files: Path, tmp_path: Path) -> None:
    settings = tmp_path / "htmlvalidate.json"
    rules = {"no-inline-style": "off", "valid-id": ["error", {"relaxed": True}]}
    settings.write_text(
        json.dumps({"root": True, "extends": ["html-validate:recommended"], "rules": rules})
    )
    done = subprocess.run(
        [npm_program("html-validate"), "--config", str(settings), "--formatter", "json", "r.html"],
        cwd=files, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert [] == json.loads(done.stdout), done.stdout + done.stderr


@pytest.mark.needs_chromium
def test_the_page_loads_nothing_and_everybody_can_read_it(files: Path) -> None:
    from tests.looks.axe import violations

    asked: list[str] = []
    with chromium() as browser:
        page = browser.new_page()
        page.on("request", lambda request: asked.append(request.url))
        page.goto((files / "r.html").as_uri())
        for width, colours in LOOKS:
            page.set_viewport_size({"width": width, "height": 900})
            page.emulate_media(color_scheme=colours)
            assert [] == violations(page)
            assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert {(files / "r.html").as_uri()} == set(asked)


def test_a_trial_is_told_as_one_in_every_form(tmp_path: Path, files: Path) -> None:
    assert figures(files)["trial"] is False
    assert "trial" not in (files / "r.html").read_text()
    tried = Project(tmp_path / "project")
    assert 0 == tried.run("send", "2017-04", "--yes").returncode
    done = tried.run("report", "2017-04", "--html", "r.html", "--json", "r.json")
    assert "A trial: it reached nobody." in done.stdout
    assert "A trial: it reached nobody." in (tried.folder / "r.html").read_text()
    assert figures(tried.folder)["trial"] is True
