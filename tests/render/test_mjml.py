"""Traps of mjml-python: what it does to attributes, and how it breaks down."""

import re

import pytest
from newsletter.errors import TemplateError
from newsletter.render.edition import CompileInput
from newsletter.render.mjml import EngineError, prepare_mjml, to_html
from newsletter.render.pipeline import compile_stages
from newsletter.render.urls import ascii_url

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
)

AWKWARD = [
    "Bonjour\u00a0!",
    "\u202f?",
    "می\u200cروم",
    "हिन्दी",
    "e\u0301",
    "\U0001f468\u200d\U0001f469",
    "a\\b",
    'd"q',
    "d'q",
    "d\"q'r",
    "a; b;  c",
    "<!-- x -->",
    "a & b &amp; <c>",
    "日本語",
    "مرحبا",
    "\u200f\u061c",
]


def mjml(body: str, *, head: str = "") -> str:
    return (
        f'<mjml lang="en" dir="ltr"><mj-head>{head}</mj-head><mj-body><mj-section><mj-column>'
        f"{body}</mj-column></mj-section></mj-body></mjml>"
    )


@pytest.mark.parametrize("value", AWKWARD)
def test_attribute_and_title_arrive_as_they_were_written(value: str) -> None:
    image = STORIES[0].image
    assert image is not None
    story = STORIES[0].model_copy(
        update={"image": image.model_copy(update={"alt": value, "credit": f"by {value}"})}
    )
    edition = compiled(ISSUE.model_copy(update={"stories": (story,), "title": value}))
    page = page_of(edition.html)
    (picture,) = page.iter("img")
    assert (value, f"by {value}") == (picture.get("alt"), picture.get("title"))
    assert value == page.findtext(".//title")
    assert [value] == [div.get("aria-label") for div in page.iter("div") if div.get("aria-label")]


@pytest.mark.parametrize("written", ["a\nb", "a\r\n\tb", "a\tb"])
def test_a_line_break_in_an_attribute_becomes_a_space(written: str) -> None:
    prepared = prepare_mjml(
        mjml(f'<mj-text><p style="{written}" title="{written}">x</p></mj-text>')
    )
    assert '<p style="a b" title="a b">' in to_html(prepared)


def test_declarations_on_several_lines_stay_declarations() -> None:
    prepared = prepare_mjml(mjml('<mj-text><p style="\n color:red;\n\tmargin:0">x</p></mj-text>'))
    assert 'style=" color:red; margin:0"' in to_html(prepared)


def test_preparing_keeps_what_is_no_attribute() -> None:
    source = mjml(
        "<mj-text>“é\u00a0” \\ '</mj-text>",
        head="<mj-style>.a > .b { content: '\\201C' }</mj-style><mj-title>T</mj-title>",
    )
    assert source == prepare_mjml(source)


def test_preparing_twice_changes_nothing() -> None:
    once = prepare_mjml(mjml("".join(f"<mj-text css-class='{'é'}'>x</mj-text>" for _ in "ab")))
    assert once == prepare_mjml(once)
    assert 'css-class="&#233;"' in once


@pytest.mark.parametrize(
    ("url", "ascii_form"),
    [
        ("https://x.example/हि", "https://x.example/%E0%A4%B9%E0%A4%BF"),
        ("https://münchen.example/?ü#ß", "https://xn--mnchen-3ya.example/?%C3%BC#%C3%9F"),
        ("https://me@ü.example:8080", "https://me@xn--tda.example:8080"),
        ("https://a.example/?a=1&b=[2]%20", "https://a.example/?a=1&b=[2]%20"),
        ("mailto:zoë@a.example", "mailto:zo%C3%AB@a.example"),
        ("https://" + "ü" * 70 + ".example/", "https://" + "%C3%BC" * 70 + ".example/"),
    ],
)
def test_addresses_become_ascii_before_the_engine_can_break_them(url: str, ascii_form: str) -> None:
    assert ascii_form == ascii_url(url)
    source = mjml(f'<mj-text><a href="{url.replace("&", "&amp;")}">x</a></mj-text>')
    assert ascii_form.replace("&", "&amp;") in to_html(prepare_mjml(source))


def test_no_font_is_fetched_from_anywhere() -> None:
    raw = to_html(mjml("<mj-text>x</mj-text>"))
    assert "Ubuntu" in raw
    assert not re.search(r"googleapis|@import|<link", raw)


def test_comments_of_authors_do_not_reach_readers_and_those_for_outlook_do() -> None:
    stages = compile_stages(CompileInput(ISSUE, SOURCE, THEME, SETTINGS, material_of(ISSUE)))
    assert "whoever edits this theme" in stages.mjml
    assert "src:stories.1" in stages.mjml
    for html in (stages.raw_html, stages.html):
        assert "whoever edits" not in html
        assert "src:" not in html
        assert "<!--[if mso" in html


def test_language_and_direction_are_told_to_every_program() -> None:
    html = compiled().html
    assert '<html lang="en" dir="ltr"' in html
    # The document, the hidden preheader and the body's own element.
    assert 3 == html.count('lang="en" dir="ltr"')


def test_the_engine_s_complaint_comes_with_its_place() -> None:
    with pytest.raises(EngineError) as caught:
        to_html("<mjml><mj-body>ééé<mj-section></mj-body></mjml>")
    assert caught.value.offset is None or 0 < caught.value.offset < 50


def test_a_breakdown_of_the_engine_is_an_error_like_others(monkeypatch: pytest.MonkeyPatch) -> None:
    class PanicException(BaseException):
        pass

    def panic(*_: object, **__: object) -> str:
        raise PanicException("explicit panic")

    monkeypatch.setattr("mjml.mjml2html", panic)
    with pytest.raises(TemplateError, match="the engine broke down over it"):
        compiled()


def test_an_interrupt_is_not_taken_for_a_breakdown(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object, **__: object) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr("mjml.mjml2html", interrupt)
    with pytest.raises(KeyboardInterrupt):
        compiled()


def test_what_only_the_engine_refuses_is_reported_with_the_story(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stages = compile_stages(CompileInput(ISSUE, SOURCE, THEME, SETTINGS, material_of(ISSUE)))
    prepared = prepare_mjml(stages.mjml)
    place = len(prepared[: prepared.index("Short.")].encode())

    def refuse(*_: object, **__: object) -> str:
        raise ValueError(f"unexpected token at position {place}:{place + 3}")

    monkeypatch.setattr("mjml.mjml2html", refuse)
    with pytest.raises(TemplateError, match="unexpected token") as caught:
        compiled()
    where = caught.value.where
    assert ("issues/2017-03.yaml", 30) == (str(where.file), where.line)
    assert where.item == "story “Inside the prisons of Mexico”"


def test_bad_mjml_names_the_line_of_the_template() -> None:
    theme = theme_changed("<mj-image ", "<mj-picture ", file="partials/story.mjml.j2")
    with pytest.raises(TemplateError, match="<mj-picture> is no element") as caught:
        compiled(theme=theme)
    where = caught.value.problems[0].where
    assert (THEME.folder / "partials/story.mjml.j2", 5) == (where.file, where.line)
    assert "story “A retrial" in (where.item or "")


def test_bad_mjml_that_no_template_holds_as_such_names_the_line_of_the_issue() -> None:
    theme = theme_changed("<mj-text>\n", "<mj-{{ 'texd' }}>\n", file="partials/story.mjml.j2")
    theme = theme_changed(
        "{{ story.headline }}", "{{ story.headline|safe }}", file="partials/story.mjml.j2"
    )
    with pytest.raises(TemplateError, match=r"<again> is never closed|not closed") as caught:
        compiled(theme=theme)
    where = caught.value.problems[0].where
    assert ("issues/2017-03.yaml", 13) == (str(where.file), where.line)


def test_no_marker_stands_for_what_no_story_made() -> None:
    theme = theme_changed("{{ w.sent_to }}", "{{ ('<' ~ 'x>')|safe }}")
    with pytest.raises(TemplateError, match=r"line [0-9]+, column [0-9]+ of the MJML it makes"):
        compiled(theme=theme)
