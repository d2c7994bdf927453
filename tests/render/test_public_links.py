"""The mail with a public server: links to leave and to choose, and words that are true."""

import pytest
from newsletter.checks.check_input import CheckInput
from newsletter.checks.finding import Severity
from newsletter.checks.run import run_checks
from newsletter.config import Public, Settings
from newsletter.render.edition import CompileInput, Edition
from newsletter.render.pipeline import compile_edition

from tests.render.samples import page_of
from tests.support.march import SETTINGS, THEME, march

WITHOUT = SETTINGS.model_copy(
    update={
        "public": None,
        "list": SETTINGS.list.model_copy(
            update={"unsubscribe_url": "https://news.defenders.example/u/{token}"}
        ),
    }
)
PUBLIC = SETTINGS.model_copy(update={"public": Public(url="https://leave.defenders.example")})
LANGUAGES = ["en", "fr", "es", "ar"]


def given(language: str, settings: Settings = PUBLIC) -> CompileInput:
    of = march(language)
    return CompileInput(of.loaded.issue, of.loaded.source, THEME, settings, of.material)


def tokens(edition: Edition, field: str, context: str) -> list[str]:
    return [s.token for s in edition.slots if (s.field, s.context) == (field, context)]


@pytest.mark.parametrize("language", LANGUAGES)
def test_html_and_text_lead_to_preferences_in_the_readers_language(language: str) -> None:
    edition = compile_edition(given(language))
    words = THEME.words_for(language)
    (url,) = tokens(edition, "preferences_url", "url")
    (link,) = [a for a in page_of(edition.html).iter("a") if a.get("href") == url]
    assert words["preferences"] == link.text_content().strip()
    (text,) = tokens(edition, "preferences_url", "text")
    assert f"\n{text}\n" in edition.text
    assert words["preferences"] in edition.text
    assert words["why"].format(list=SETTINGS.list.name) not in page_of(edition.html).text_content()
    assert words["no_tracking"] not in page_of(edition.html).text_content()


@pytest.mark.parametrize("language", LANGUAGES)
def test_without_a_public_server_nothing_of_it_is_there(language: str) -> None:
    edition = compile_edition(given(language, WITHOUT))
    assert "preferences_url" not in {slot.field for slot in edition.slots}
    assert THEME.words_for(language)["preferences"] not in edition.html + edition.text


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_check_minds_the_links(language: str) -> None:
    made = given(language)
    findings = run_checks(CheckInput.of(made, compile_edition(made), None))
    assert [] == [each for each in findings if each.severity is Severity.ERROR]
