"""Outlook for Windows: widths add up, and nothing hangs on what Word passes over."""

from __future__ import annotations

import functools
from dataclasses import replace

import pytest
from lxml.html import HtmlElement
from newsletter.checks.outlook import hanging, misfits, outlook_page
from newsletter.render.mjml import prepare_mjml, to_html

from tests.render.samples import material_of
from tests.render.test_mjml import mjml
from tests.render.themes import (
    LOGO,
    MARCH_LANGUAGES,
    THEMES,
    bound_html,
    compiled_with,
    everything,
    march_of,
    with_logo,
)


@functools.cache
def outlook_mails(theme: str) -> dict[str, HtmlElement]:
    """Mails as Outlook takes them: the March issue, and one with each part and a logo."""
    pages = {f"march {of}": bound_html(march_of(theme, of)[2]) for of in MARCH_LANGUAGES}
    for of in ("ar", "en"):
        issue = everything(of)
        # Its stories share one picture.
        width, material = THEMES[theme].settings.pictures.story, material_of(issue)
        pictures = {
            path: each if each.shown < width else replace(each, shown=width)
            for path, each in material.pictures.items()
        }
        material = replace(material, pictures=pictures, logo=LOGO)
        pages[f"everything {of}"] = compiled_with(with_logo(THEMES[theme]), issue, material).html
    return {of: outlook_page(html) for of, html in pages.items()}


@pytest.mark.parametrize("theme", THEMES)
def test_no_table_is_wider_than_what_it_stands_in(theme: str) -> None:
    found = {of: misfits(page) for of, page in outlook_mails(theme).items()}
    assert {of: [] for of in found} == found


@pytest.mark.parametrize("padding", ["0 40px", "0px 40px", "10px 40px 0", "0 40px 5px 40px"])
def test_a_zero_without_unit_takes_nothing_from_a_padding(padding: str) -> None:
    # The engine took it for no padding at all: 600 px stood in 520.
    source = mjml("<mj-image src='https://a.example/a.jpg' padding='0' />")
    source = source.replace("<mj-section>", f'<mj-section padding="{padding}">')
    page = outlook_page(to_html(prepare_mjml(source)))
    assert [] == misfits(page, 600)
    assert ["520"] == [each.get("width") for each in page.iter("img")]


def test_a_table_that_is_too_wide_is_seen() -> None:
    source = mjml("<mj-text>x</mj-text>").replace("<mj-section>", '<mj-section padding="0 40px">')
    assert ["cells of 600 px in 520 px"] == misfits(outlook_page(to_html(source)), 600)


@pytest.mark.parametrize("theme", THEMES)
def test_nothing_hangs_on_what_word_passes_over(theme: str) -> None:
    found = {of: hanging(page) for of, page in outlook_mails(theme).items()}
    assert {of: [] for of in found} == found


def test_what_hangs_is_seen() -> None:
    page = outlook_page(
        "<style>p.a { mso-margin-top-alt: 9px }</style>"
        "<table role='presentation' style='margin:9px 0'><tr><td>"
        "<p class='b' style='padding:1px'><a style='padding:9px 0'>x</a>"
        "<span style='display:block'>x</span></p><p class='a'><a style='padding:9px 0'>x</a></p>"
        "</td></tr></table>"
    )
    assert [
        "<table class=None> keeps its distance by a margin",
        "<p class=b> is padded",
        "<a class=None> is padded",
        "<span class=None> is shown as block",
    ] == hanging(page)
