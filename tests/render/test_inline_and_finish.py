"""Traps of premailer, and what the last pass mends."""

import logging
import re

import pytest
from newsletter.errors import TemplateError
from newsletter.render.edition import CompileInput, Stages
from newsletter.render.html_finish import finish, losses
from newsletter.render.inline import InlineError, inline_css
from newsletter.render.pipeline import compile_stages

from tests.render.samples import (
    ISSUE,
    SETTINGS,
    SOURCE,
    STORIES,
    THEME,
    compiled,
    material_of,
    page_of,
    theme_changed,
    theme_with,
)


@pytest.fixture(scope="module")
def stages() -> Stages:
    return compile_stages(CompileInput(ISSUE, SOURCE, THEME, SETTINGS, material_of(ISSUE)))


def page(body: str, head: str = "") -> str:
    return f"<!doctype html><html><head>{head}</head><body>{body}</body></html>"


# premailer


def test_the_doctype_survives(stages: Stages) -> None:
    assert stages.html.startswith("<!DOCTYPE html>")


def test_important_and_media_queries_survive(stages: Stages) -> None:
    for what in ("@media", "!important"):
        assert 0 < stages.raw_html.count(what) <= stages.html.count(what)
    assert re.search(r"h1\{font-size:24px !important\}", stages.html)
    assert "@media (prefers-color-scheme: dark){" in stages.html


def test_widths_of_pictures_stay_numbers(stages: Stages) -> None:
    widths = [image.get("width") for image in page_of(stages.html).iter("img")]
    assert ["550"] == widths


def test_conditional_comments_survive_byte_for_byte() -> None:
    comments = (
        "<!--[if mso]>\n<xml>\n<o:X/>\n</xml>\n<![endif]-->",
        "<!--[if lte mso 11]><style>.a { width:100% !important; }</style><![endif]-->",
        "<!--[if !mso]><!--><p>x</p><!--<![endif]-->",
        '<!--[if mso | IE]><v:rect style="width:1px"><![endif]-->',
    )
    inlined = inline_css(page("".join(comments)), "b { color: red }")
    for comment in comments:
        assert comment in inlined


def test_only_the_inline_style_sheet_is_inlined() -> None:
    head = "<style>p { color: red !important }</style><style media='print'>p { top: 0 }</style>"
    inlined = inline_css(page("<p class='a'>x</p>", head), "p { margin: 0 }")
    assert '<p class="a" style="margin:0">' in inlined
    assert "<style>p { color: red !important }</style>" in inlined
    assert '<style media="print">p { top: 0 }</style>' in inlined
    assert "data-premailer" not in inlined


def test_rules_that_match_nothing_yet_stay_in_their_own_block() -> None:
    head = "<style>[data-ogsc] .x { color: red } u + .body .y { top: 0 } @supports (x:y) {}</style>"
    assert head in inline_css(page("<p>x</p>", head), "p { margin: 0 }")


def test_inlining_adds_no_white_space_and_fetches_nothing() -> None:
    body = '<p><a href="x">a</a><b>b</b></p>'
    head = '<link rel="stylesheet" href="http://127.0.0.1:9/never.css">'
    inlined = inline_css(page(body, head), "i { top: 0 }")
    assert body in inlined
    assert head in inlined


def test_tokens_and_relative_addresses_are_not_joined_to_anything() -> None:
    assert '<a href="Zq0123abcdx0001qZ">' in inline_css(
        page('<a href="Zq0123abcdx0001qZ">x</a>'), ""
    )


def test_cssutils_says_nothing(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        inline_css(page("<p>x</p>"), "p { mso-line-height-rule: exactly; nonsense: 1 }")
    assert [] == caplog.records


def test_every_style_sheet_writes_its_own_rules() -> None:
    for colour in ("red", "blue", "red"):
        assert f'<p style="color:{colour}">' in inline_css(
            page("<p>x</p>"), f"p {{color: {colour}}}"
        )


def test_a_style_sheet_premailer_cannot_read_names_the_file(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: object, **__: object) -> str:
        raise TypeError("'CSSSelector' object is not iterable")

    monkeypatch.setattr("premailer.Premailer.transform", fail)
    with pytest.raises(TemplateError, match="cannot be inlined") as caught:
        compiled()
    assert THEME.folder / "css/inline.css" == caught.value.where.file


def test_a_document_without_a_doctype_is_not_let_through() -> None:
    with pytest.raises(InlineError, match="doctype"):
        inline_css("<html><body><p>x</p></body></html>", "p { top: 0 }")


# The last pass


def test_neighbouring_outlook_comments_become_one_and_others_are_left() -> None:
    one = "<!--[if mso | IE]><td><![endif]-->"
    two = "<!--[if mso | IE]></td><![endif]-->"
    other = "<!--[if mso]>x<![endif]-->"
    shown = "<!--[if !mso]><!--><p>x</p><!--<![endif]-->"
    assert "<!--[if mso | IE]><td></td><![endif]-->" == finish(one + "\n  " + two)
    assert other + one == finish(other + one)
    assert shown + one == finish(shown + " " + one)
    assert f"{one}<p>x</p>{two}" == finish(f"{one} <p>x</p> {two}")


@pytest.mark.parametrize(
    ("tag", "mended"),
    [
        ('<img src="a">', '<img alt="" src="a">'),
        ('<img src="a" alt="">', '<img src="a" alt="">'),
        ("<img alt>", "<img alt>"),
        ('<img title="no alt= here">', '<img alt="" title="no alt= here">'),
        ('<img data-alt="x">', '<img alt="" data-alt="x">'),
        ('<td vertical-align="middle" style="a:b;  c:d">', '<td style="a:b;c:d">'),
        ('<p title="a;  b">', '<p title="a;  b">'),
        ("<p style='a:\"b\"' title='\"c\"'>", '<p style="a:\'b\'" title="&quot;c&quot;">'),
        ('<p title="<!-- x -->">', '<p title="&lt;!-- x --&gt;">'),
    ],
)
def test_tags_are_mended(tag: str, mended: str) -> None:
    assert mended == finish(tag)


def test_the_preheader_has_the_colour_of_text(stages: Stages) -> None:
    assert "font-size:1px;color:#ffffff" in stages.raw_html
    assert "font-size:1px;color:#222;" in stages.html
    assert None is re.search("color:#fff(fff)?;line-height:1px", stages.html)


def test_c1_controls_do_not_reach_gmail() -> None:
    assert "<p>ab</p>" == finish("<p>a\x92b</p>")


def test_the_last_pass_run_twice_changes_nothing(stages: Stages) -> None:
    assert stages.html == finish(stages.html)


def test_the_mail_says_after_all_passes_what_it_said_before(stages: Stages) -> None:
    def words(html: str) -> list[str]:
        return " ".join(page_of(html).xpath("//body//text()")).split()

    assert words(stages.raw_html) == words(stages.html)


@pytest.mark.parametrize(
    ("after", "sentence"),
    [
        ("<!--[if mso]>@media !important Zq0123abcdx0001qZ", "Conditional comments"),
        ("!important Zq0123abcdx0001qZ", "Media queries"),
        ("@media Zq0123abcdx0001qZ", "“!important”"),
        ("@media !important", "Slots"),
    ],
)
def test_a_loss_is_named(after: str, sentence: str) -> None:
    (found,) = losses("@media !important Zq0123abcdx0001qZ", after)
    assert found.startswith(sentence)


def test_a_loss_stops_the_compiling(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "newsletter.render.pipeline.finish", lambda html: html.replace("@media", "")
    )
    with pytest.raises(TemplateError, match="Media queries were lost"):
        compiled()


def test_hover_rules_are_kept_in_the_head(stages: Stages) -> None:
    assert "a:hover{text-decoration:none !important}" in stages.html


def test_pictures_without_alt_get_an_empty_one() -> None:
    image = STORIES[0].image
    assert image is not None
    theme = theme_changed(' alt="{{ story.image.alt }}"', "", file="partials/story.mjml.j2")
    (picture,) = page_of(compiled(theme=theme).html).iter("img")
    assert "" == picture.get("alt")


def test_an_empty_style_sheet_is_fine() -> None:
    assert compiled(theme=theme_with(inline_css="")).html.startswith("<!DOCTYPE html>")
