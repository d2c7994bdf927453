"""The pages on moving from a program: their commands, on the files that they say to export."""

import re
import shlex
from pathlib import Path

import pytest

from tests.cli.support import went_well
from tests.project.moves import Files, written
from tests.project.sheets import sheet, xlsx
from tests.project.test_import_programs import EXPORTS, at, csv
from tests.support.project import Project
from tests.support.tools import ROOT

PROGRAMS = {export.program: export for export in reversed(EXPORTS)}
WHEN = "2024-01-01 10:00:00+00"
PAGES: dict[str, tuple[Files, set[str]]] = {
    "mailchimp": (PROGRAMS["Mailchimp"].files, {"anna", "ben"}),
    "brevo": (
        {**PROGRAMS["Brevo"].files, "unsubscribed.csv": csv("EMAIL;NOM", f"{at('anna')};A")},
        set(),
    ),
    "listmonk": (
        {
            "listmonk.csv": csv(
                "uuid,email,name,attributes,status,created_at,updated_at",
                *(
                    f"u,{at(name)},{name},{{}},enabled,{WHEN},{WHEN}"
                    for name in ("anna", "ben", "cy", "dan", "eve")
                ),
            ),
            "unsubscribed.csv": csv("email,unsubscribed_at", f"{at('ben')},{WHEN}"),
            "unconfirmed.csv": csv("email", at("cy")),
            "bounces.csv": csv("email,created_at", f"{at('dan')},{WHEN}"),
            "complaints.csv": csv("email,created_at", f"{at('eve')},{WHEN}"),
        },
        {"anna"},
    ),
    "mailman": (
        {
            "members.txt": f"Anna A <{at('anna')}>\n{at('ben')}\n{at('cy')}\n{at('dan')}\n",
            "bybounce.txt": f"{at('ben')}\n",
            "byuser.txt": f"Cy <{at('cy')}>\n",
            "byadmin.txt": "news.lists.example.org has no members\n",
        },
        {"anna", "dan"},
    ),
    "a-spreadsheet": (
        {
            "readers.xlsx": xlsx(
                {
                    "Readers": sheet(
                        [
                            ["Email", "Name", "Status"],
                            [at("anna"), "Anna", "active"],
                            [at("ben"), "Ben", "active"],
                            [at("cy"), "Cy", "unsubscribed"],
                        ]
                    ),
                    "Unsubscribed": sheet([["Email"], [at("ben")]]),
                }
            )
        },
        {"anna"},
    ),
}


def test_each_page_has_files_here() -> None:
    there = {path.stem.removeprefix("moving-from-") for path in ROOT.glob("docs/moving-from-*.md")}
    assert PAGES.keys() == there


@pytest.mark.parametrize("name", PAGES)
def test_the_commands_of_a_page_mail_those_who_may_be_mailed_and_nobody_who_left(
    name: str, tmp_path: Path
) -> None:
    files, readers = PAGES[name]
    project = Project(tmp_path / "project")
    (project.folder / "subscribers.csv").write_text("email\nsomebody@else.example\n")
    written(project.folder, files)
    page = (ROOT / "docs" / f"moving-from-{name}.md").read_text(encoding="utf-8")
    look, take = re.findall(r"^newsletter (subscribers import .*)$", page, re.MULTILINE)
    assert look == f"{take} --dry-run"
    assert files.keys() == {*shlex.split(take)[2:]}
    went_well(project.run(*shlex.split(look)), "Nothing was changed")
    went_well(project.run(*shlex.split(take), "--yes"), "Imported as 1")
    listed = project.run("subscribers", "list", "--json").stdout
    assert {at(each) for each in readers} == {*re.findall(r"[\w.]+@readers\.example", listed)}
