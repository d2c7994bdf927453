"""A filter that we did not write takes the mails for what they are."""

from __future__ import annotations

import re

import pytest

from tests.spam.judge import Verdict, verdicts
from tests.spam.letters import letters
from tests.support.march import LANGUAGES
from tests.support.tools import ROOT

pytestmark = pytest.mark.needs_spamassassin

# What each filter takes for spam, so that filters can be tried.
GTUBE = b"XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X"


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Verdict]:
    """The verdict on the mail of each language, and on one with a line of spam in it."""
    mails = letters(tmp_path_factory.mktemp("spam") / "project")
    head, _, body = mails["en"].partition(b"\r\n\r\n")
    spam = head + b"\r\n\r\n" + body.replace(b"View in browser:", GTUBE, 1)
    return dict(zip([*mails, "spam"], verdicts([*mails.values(), spam]), strict=True))


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_mail_looks_like_spam(told: dict[str, Verdict], language: str) -> None:
    verdict = told[language]
    assert verdict.score < 1.0, verdict
    # Nor would it without the points that mailing lists are given.
    assert verdict.against < 1.0, verdict


def test_each_rule_that_fires_is_explained(told: dict[str, Verdict]) -> None:
    guide = (ROOT / "docs" / "looks.md").read_text(encoding="utf-8")
    explained = set(re.findall(r"^\| `([A-Z_0-9]+)`", guide, re.MULTILINE))
    assert {rule for language in LANGUAGES for rule in told[language].rules} == explained


def test_the_filter_sees_spam(told: dict[str, Verdict]) -> None:
    assert told["spam"].score > 100
