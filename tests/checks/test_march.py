"""The March 2017 newsletter with the default theme: fit to send."""

from dataclasses import replace

import pytest
from newsletter.checks.finding import Severity
from newsletter.checks.parity import parity_links, parity_words
from newsletter.checks.run import CHECKS

from tests.support.march import LANGUAGES, march


def test_the_checks_find_no_error_in_it() -> None:
    assert [] == [each for each in march().findings() if each.severity is Severity.ERROR]


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_language_is_faultless_and_small(language: str) -> None:
    edition = march(language).edition
    assert () == march(language).findings()
    assert len(edition.html.encode()) < 85_000
    assert len(edition.subject) <= 50
    assert 40 <= len(edition.preheader) <= 100


@pytest.mark.parametrize("part", ["html", "text"])
def test_no_link_of_a_story_can_go_missing_unseen(part: str) -> None:
    assert parity_links in CHECKS
    edition, seeded = march().edition, []
    for story in march().loaded.issue.stories:
        for link in story.links:
            without = getattr(march().edition, part).replace(link.url, "https://elsewhere.example/")
            cut = replace(edition, **{part: without})
            findings = parity_links.findings(march().check_input(cut))
            missed = {f.story for f in findings if link.url in f.what}
            seeded.append((story.headline, missed))
    assert len(seeded) >= 15
    assert all(headline in missed for headline, missed in seeded)


def test_no_words_of_a_story_can_go_missing_unseen() -> None:
    assert parity_words in CHECKS
    edition = march().edition
    for story in march().loaded.issue.stories:
        word = max((story.blurb or "").split(), key=len).strip(".,;:“”()*")
        cut = replace(edition, text=edition.text.replace(word, ""))
        findings = parity_words.findings(march().check_input(cut))
        assert story.headline in {f.story for f in findings}
