"""The language of the mail: what screen readers and browsers are told, and what stays foreign."""

from __future__ import annotations

from collections.abc import Iterator

from newsletter.checks.check_input import CheckInput
from newsletter.checks.finding import Flaw, Location, Severity, check
from newsletter.config import FILE_NAME
from newsletter.errors import Where


@check(
    "language",
    why="Screen readers choose the voice by the language of the mail.",
)
def language(given: CheckInput) -> Iterator[Flaw]:
    """The html element names the issue's language, not none and not “und”."""
    expected, found = given.issue.language, given.page.get("lang")
    if found == expected:
        return
    said = "names no language" if found in {None, "", "und"} else f"says the language is “{found}”"
    yield Flaw(
        Severity.ERROR,
        f"The mail {said}, and the issue is in “{expected}”.",
        f'Set lang="{expected}" on <mjml> in the theme\'s mail.mjml.j2 from the issue.',
        given.theme_place,
    )


@check("direction", why="Arabic, Hebrew, Persian and Urdu run from right to left; the rest do not.")
def direction(given: CheckInput) -> Iterator[Flaw]:
    """The html element says which way the issue's language runs."""
    expected, found = given.issue.direction, given.page.get("dir")
    if found == expected:
        return
    yield Flaw(
        Severity.ERROR,
        f"The mail's direction is “{found or 'not given'}”, and “{given.issue.language}” "
        f"runs {expected}.",
        f'Set dir="{expected}" on <mjml> in the theme\'s mail.mjml.j2 from the issue.',
        given.theme_place,
    )


@check(
    "language-in-body",
    why="Web mail removes the html element and its language and direction.",
)
def language_in_body(given: CheckInput) -> Iterator[Flaw]:
    """Each element directly inside the body names language and direction as well."""
    issue = given.issue
    body = given.page.find("body")
    inside = [e for e in body if isinstance(e.tag, str)] if body is not None else []
    lacking = sum(
        e.get("lang") != issue.language or e.get("dir") != issue.direction for e in inside
    )
    if inside and not lacking:
        return
    yield Flaw(
        Severity.ERROR,
        f"{lacking} of the {len(inside)} elements directly inside the mail's body do not name the "
        "language and the direction.",
        f'Put lang="{issue.language}" dir="{issue.direction}" on each of them.',
        given.theme_place,
    )


@check(
    "organisation-language",
    why="A mail that ends in another language looks careless, and not all readers understand it.",
)
def organisation_language(given: CheckInput) -> Iterator[Flaw]:
    """An edition in a language in which the organisation says nothing about itself."""
    language = given.issue.language
    _, spoken = given.settings.organisation_in(language)
    if spoken.partition("-")[0] != language.partition("-")[0]:
        yield Flaw(
            Severity.WARNING,
            f"The edition is in “{language}”, the organisation's words in it are in “{spoken}”.",
            f"Add [organisation.translations.{language}] to newsletter.toml.",
            Location(Where(FILE_NAME, item="[organisation]")),
        )
