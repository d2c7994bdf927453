"""The March 2017 newsletter with the default theme: fit to send."""

from dataclasses import replace

import pytest
from newsletter.checks.finding import Severity
from newsletter.checks.run import run_checks
from newsletter.config import load_settings
from newsletter.issues.languages import load_languages
from newsletter.issues.loader import LoadedIssue, load_issue
from newsletter.render.edition import Edition
from newsletter.render.pipeline import compile_edition
from newsletter.theme import load_theme

from tests.support.tools import ROOT

SETTINGS = load_settings(ROOT / "newsletter.toml")


@pytest.fixture(scope="module")
def march() -> LoadedIssue:
    return load_issue(ROOT / "issues" / "2017-03.yaml")


@pytest.fixture(scope="module")
def edition(march: LoadedIssue) -> Edition:
    return compile_edition(march.issue, march.source, load_theme(ROOT / "templates"), SETTINGS)


def test_the_checks_find_no_error_in_it(march: LoadedIssue, edition: Edition) -> None:
    findings = run_checks(march.issue, march.source, edition, SETTINGS)
    assert [] == [finding for finding in findings if finding.severity is Severity.ERROR]


@pytest.mark.parametrize("language", ["en", "fr", "es", "ar"])
def test_each_language_is_faultless_and_small(language: str) -> None:
    fields = SETTINGS.audience.fields
    loaded = load_languages(ROOT / "issues" / "2017-03.yaml", fields=fields)[language]
    theme = load_theme(ROOT / "templates")
    edition = compile_edition(loaded.issue, loaded.source, theme, SETTINGS)
    assert () == run_checks(loaded.issue, loaded.source, edition, SETTINGS)
    assert len(edition.html.encode()) < 85_000
    assert len(edition.subject) <= 50
    assert 40 <= len(edition.preheader) <= 100


@pytest.mark.parametrize("part", ["html", "text"])
def test_no_link_of_a_story_can_go_missing_unseen(
    march: LoadedIssue, edition: Edition, part: str
) -> None:
    seeded = []
    for story in march.issue.stories:
        for link in story.links:
            without = getattr(edition, part).replace(link.url, "https://elsewhere.example/")
            cut = replace(edition, **{part: without})
            findings = run_checks(march.issue, march.source, cut, SETTINGS)
            missed = {f.story for f in findings if f.id == "parity-links" and link.url in f.what}
            seeded.append((story.headline, missed))
    assert len(seeded) >= 15
    assert all(headline in missed for headline, missed in seeded)


def test_no_words_of_a_story_can_go_missing_unseen(march: LoadedIssue, edition: Edition) -> None:
    for story in march.issue.stories:
        word = max(story.blurb.split(), key=len).strip(".,;:“”()*")
        cut = replace(edition, text=edition.text.replace(word, ""))
        findings = run_checks(march.issue, march.source, cut, SETTINGS)
        assert story.headline in {f.story for f in findings if f.id == "parity-words"}
