"""The names of languages."""

from __future__ import annotations

import pytest
from newsletter.render.languages import language_name


@pytest.mark.parametrize(
    ("tag", "language", "name"),
    [
        ("ru", "en", "Russian"),
        ("ru", "fr", "russe"),
        ("en", "ar", "الإنجليزية"),
        ("pt-BR", "en", "Portuguese (Brazil)"),
        ("fr", "en-ZZ", "French"),
    ],
)
def test_a_language_is_named_in_the_language_of_the_issue(
    tag: str, language: str, name: str
) -> None:
    assert name == language_name(tag, language)


def test_a_tag_that_nobody_knows_stays_as_it_is() -> None:
    assert "zzz" == language_name("zzz", "en")


def test_in_a_language_that_nobody_knows_a_language_names_itself() -> None:
    assert "русский" == language_name("ru", "zzz")
