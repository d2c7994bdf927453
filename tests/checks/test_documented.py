"""docs/checks.md and the checks say the same."""

import json
import re
from pathlib import Path

from newsletter.checks import enclosures, images, pictures, size, subject
from newsletter.checks.privacy_report import privacy_report
from newsletter.checks.run import CHECKS, to_json
from newsletter.checks.size import CLIP_KB, KB, mail_sizes

from tests.checks.letters import Letter
from tests.support.tools import ROOT

PAGE = (ROOT / "docs" / "checks.md").read_text(encoding="utf-8")


def _row(check_id: str) -> str:
    (row,) = (line for line in PAGE.splitlines() if line.startswith(f"| `{check_id}` |"))
    return row


def test_every_check_is_documented_and_nothing_else() -> None:
    assert [check.id for check in CHECKS] == re.findall(r"^\| `([a-z-]+)` \|", PAGE, re.MULTILINE)


def test_the_thresholds_in_the_page_are_those_of_the_checks() -> None:
    assert f"{size.WARN_KB} KB" in _row("html-size")
    assert f"{size.ERROR_KB} KB" in _row("html-size")
    assert f"{CLIP_KB} KB" in _row("html-size")
    assert f"{size.STYLE_WARN_KB} KB" in _row("style-size")
    assert f"{size.STYLE_ERROR_KB} KB" in _row("style-size")
    assert f"{subject.SUBJECT_LONG} characters" in _row("subject-long")
    assert f"{subject.PREHEADER_SHORT} or" in _row("preheader-length")
    assert f"{subject.PREHEADER_LONG} characters" in _row("preheader-length")
    assert f"{images.ALT_LONG} characters" in _row("alt-long")
    assert f"{pictures.HEAVY_KB} KB" in _row("picture-heavy")
    assert f"{pictures.TOO_HEAVY_KB} KB" in _row("picture-heavy")
    assert f"{pictures.ALL_HEAVY_KB} KB" in _row("pictures-heavy")
    assert f"{pictures.SHARP} pixels" in _row("picture-blurred")
    assert f"{enclosures.MESSAGE_HEAVY_MB:g} MB" in _row("message-heavy")
    assert f"{enclosures.MESSAGE_TOO_HEAVY_MB:g} MB" in _row("message-heavy")


def test_the_example_has_the_keys_that_scripts_get(folder: Path) -> None:
    (example,) = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
    letter = Letter().seeded("subject", "A mock", "Re: A mock")
    made = letter.check_input(folder)
    reports, weights = [privacy_report(made)], [mail_sizes(made)]
    printed = json.loads(to_json(letter.findings(folder), reports, weights))
    documented = json.loads(example)
    assert documented.keys() == printed.keys()
    assert documented["findings"][0].keys() == printed["findings"][0].keys()
    assert documented["privacy"][0].keys() == printed["privacy"][0].keys()
    for key in ("opening", "links", "differs"):
        assert documented["privacy"][0][key][0].keys() == printed["privacy"][0][key][0].keys()
    size = documented["sizes"][0]
    assert size.keys() == printed["sizes"][0].keys()
    assert size["stories"][0].keys() == printed["sizes"][0]["stories"][0].keys()
    assert CLIP_KB * KB == size["gmail_limit"]
    assert {"error": 0, "warning": 1, "note": 0} == printed["counts"]


def test_json_keeps_letters_of_all_languages_as_they_are(folder: Path) -> None:
    findings = Letter().seeded("text", "Ana López", "").findings(folder)
    assert "Ana López" in to_json(findings, [], [])
