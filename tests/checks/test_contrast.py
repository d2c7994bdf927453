"""Who changes a colour is told which words can no longer be read, and what to write."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest
from newsletter.checks.check_input import CheckInput
from newsletter.checks.contrast import contrast_of_text
from newsletter.checks.finding import Finding, Severity
from newsletter.checks.run import run_checks
from newsletter.checks.styles import contrast
from newsletter.theme import Theme
from newsletter.theme_files import load_theme

from tests.checks.letters import HTML, Letter
from tests.render.samples import material_of
from tests.render.themes import SETTINGS, SOURCE, compiled_with, everything, march_of
from tests.support.march import march
from tests.support.tools import ROOT


def theme_with(folder: Path, values: str) -> Theme:
    """A theme that takes the default one and changes some values."""
    base = ROOT / "templates" / "default"
    (folder / "theme.toml").write_text(f'base = "{base}"\n{values}', encoding="utf-8")
    return load_theme(folder)


def findings(theme: Theme) -> list[Finding]:
    issue = everything("en")
    edition = compiled_with(theme, issue)
    found = run_checks(CheckInput(issue, SOURCE, theme, SETTINGS, material_of(issue), edition))
    return [each for each in found if each.id == "contrast"]


BAD_PAIRS = {
    '[colours]\nmuted = "#8b90a5"': (
        "In the light colours “",
        ": “muted” (#8b90a5) on “paper” (#ffffff) is 3.1 : 1; 4.5 : 1 is needed.",
        (3, "[colours] muted"),
    ),
    '[colours]\npaper = "#8b90a5"': (
        "In the light colours “",
        ": “text” (#30344d) on “paper” (#8b90a5) is 3.8 : 1; 4.5 : 1 is needed.",
        (None, "[colours] text"),
    ),
    '[colours]\nbutton = "#ffc93c"': (
        "In the light colours “Read more →” and 1 more can",
        ": “on_button” (#ffffff) on “bright” or “button” (#ffc93c) is 1.5 : 1; 4.5 : 1 is needed.",
        (None, "[colours] on_button"),
    ),
    '[colours.dark]\naccent = "#a8123e"': (
        "In the dark colours “",
        ": “accent” (#a8123e) on “paper” (#14172b) is 2.3 : 1; 4.5 : 1 is needed.",
        (3, "[colours.dark] accent"),
    ),
}


@pytest.mark.parametrize("values", BAD_PAIRS)
def test_a_bad_pair_is_told_with_its_parts_its_mode_and_its_line(
    tmp_path: Path, values: str
) -> None:
    beginning, end, place = BAD_PAIRS[values]
    found = findings(theme_with(tmp_path, values))
    assert {Severity.ERROR} == {each.severity for each in found}
    (pair,) = (each for each in found if each.what.endswith(end))
    assert pair.what.startswith(beginning)
    assert tmp_path / "theme.toml" == pair.where.file
    assert place == (pair.where.line, pair.where.item)


def test_what_is_advised_helps(tmp_path: Path) -> None:
    for _ in range(3):  # a colour stands on several grounds, and each advises for itself
        if not (found := findings(theme_with(tmp_path, '[colours]\nmuted = "#b0b4c4"'))):
            break
    advised = [re.search(r'muted = "(#\w{6})" under \[colours\]', each.mend) for each in found]
    darkest = min(each[1] for each in advised if each)
    assert [] == findings(theme_with(tmp_path, f'[colours]\nmuted = "{darkest}"'))


def test_a_colour_of_the_base_is_changed_in_ones_own_theme(tmp_path: Path) -> None:
    found = findings(theme_with(tmp_path, '[colours]\npaper = "#8b90a5"'))
    assert {tmp_path / "theme.toml"} == {each.where.file for each in found}
    assert all(f"in {tmp_path / 'theme.toml'}" in each.mend for each in found)


@pytest.mark.parametrize(
    ("style", "is_found"),
    [
        ("color:#8a8a8a", True),  # 3.5 : 1 on white
        ("color:#8a8a8a;font-size:24px", False),
        ("color:#8a8a8a;font-size:23px", True),
        ("color:#8a8a8a;font-size:19px;font-weight:700", False),
        ("color:#8a8a8a;font-size:18px;font-weight:700", True),
        ("color:#8a8a8a;font-size:14pt;font-weight:bold", False),
        ("color:#aaa;font-size:40px", True),
        ("color:#fff;background:url(https://a.example/x.png)", False),
        ("color:#fff;background-color:#222", False),
        ("color:#fff;display:none", False),
        ("color:white", True),
        ("color:rgb(1 2 3)", False),  # cannot be told
    ],
)
def test_large_text_may_be_paler_and_text_over_pictures_is_not_measured(
    folder: Path, style: str, is_found: bool
) -> None:
    html = HTML.replace("<p>Mexico</p>", f'<p style="{style}">Mexico</p>')
    found = contrast_of_text.findings(Letter(html=html).check_input(folder))
    assert is_found is ("Mexico" in "".join(each.what for each in found))


@pytest.mark.parametrize(
    ("css", "is_found"),
    [
        ("body{background:#222 !important}p{color:#333 !important}", True),
        ("body{background:#222 !important}*{color:#eee !important}", False),
        # Without !important the colour that is written into the element wins.
        ("body{background:#222 !important}*{color:#eee !important}.own{color:#333}", False),
        (
            "body{background:#222 !important}*{color:#eee !important}.own{color:#333 !important}",
            True,
        ),
    ],
)
def test_dark_is_what_the_style_sheets_make_of_light(
    folder: Path, css: str, is_found: bool
) -> None:
    html = HTML.replace(".a{color:red}", f"@media screen and (prefers-color-scheme: dark){{{css}}}")
    html = html.replace("<p>Mexico</p>", '<p class="own" style="color:#000">Mexico</p>')
    found = contrast_of_text.findings(Letter(html=html).check_input(folder))
    assert is_found is ("In the dark colours" in "".join(each.what for each in found))


def test_the_ratio_is_that_of_the_standard() -> None:
    assert 21 == contrast("#000000", "#ffffff")
    assert 1 == contrast("#123456", "#123456")
    assert (4.54, 4.48) == (
        round(contrast("#767676", "#ffffff"), 2),
        round(contrast("#777777", "#ffffff"), 2),
    )


def test_it_takes_no_longer_than_somebody_who_types_notices() -> None:
    _, _, edition = march_of("default")
    assert len(edition.html) > 60_000
    made = march().check_input()
    list(contrast_of_text.findings(made))
    begun = time.process_time()
    list(contrast_of_text.findings(made))
    assert time.process_time() - begun < 0.2
