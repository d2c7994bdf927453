"""Which issue a command means by what was typed."""

from pathlib import Path

import pytest

from tests.cli.support import outbox, stopped, went_well
from tests.support.project import SHORT_ISSUE, Project

COMMANDS = (
    ("send", "{}", "--yes"), ("check", "{}"), ("render", "{}", "--out", "build"),
    ("test", "{}", "--to", "me@example.org"), ("archive", "build", "{}", "--no-pdf"),
    ("status", "{}"), ("pause", "{}"), ("correct", "{}"), ("resume", "{}"), ("resolve", "{}"),
    ("reconcile", "{}"), ("report", "{}"), ("preview", "{}", "--no-browser"),
)  # fmt: skip


@pytest.mark.fault("Input", "the path of a draft that is named like an issue",
                   state="refused; the issue is not taken for it")  # fmt: skip
def test_a_file_elsewhere_is_never_taken_for_the_issue_of_its_name(project: Project) -> None:
    for place in ("drafts/2017-04.yaml", "2017-04.yaml", "issues/2017-04.yml"):
        path = project.folder / place
        path.parent.mkdir(exist_ok=True)
        path.write_text(SHORT_ISSUE)
    said = "This file is not one of the project's issues"
    typed = ["drafts/2017-04.yaml", "2017-04.yaml", "issues/2017-04.yml", "gone/2017-04.yaml"]
    for place in (*typed, str(project.folder / typed[0])):
        stopped(project.run("send", place, "--yes"), 2, said, "move it there")
    went_well(project.run("suppress", "add", "gone@readers.example"))
    for command in COMMANDS:
        words = [word.format("drafts/2017-04.yaml") for word in command]
        stopped(project.run(*words), 2, said)
    assert [] == outbox(project)


def test_an_issue_may_be_named_by_its_file(project: Project) -> None:
    issues = project.folder / "issues"
    for typed in ("issues/2017-04.yaml", "2017-04.yaml", "./issues/../issues/2017-04.yaml",
                  str(issues / "2017-04.yaml"), "2017-04"):  # fmt: skip
        went_well(project.run("check", typed))
    elsewhere: Path = project.folder.with_name("shared.yaml")
    (issues / "2017-04.yaml").rename(elsewhere)
    (issues / "2017-04.yaml").symlink_to(elsewhere)
    went_well(project.run("check", "issues/2017-04.yaml"))
