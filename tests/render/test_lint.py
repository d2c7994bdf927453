import pytest
from newsletter.render.edition import CompileInput
from newsletter.render.lint import lint_mjml
from newsletter.render.mjml import prepare_mjml, to_html
from newsletter.render.pipeline import compile_stages

from tests.render.samples import ARABIC, ISSUE, SETTINGS, SOURCE, THEME, material_of
from tests.render.test_mjml import mjml

HEAD = "<mj-title>x</mj-title>"


def said(source: str) -> list[str]:
    return [problem.what for problem in lint_mjml(source)]


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ("<mj-text>1 < 2</mj-text>", "A “<” stands alone"),
        ("<mj-text>I <3 you</mj-text>", "A “<” stands alone"),
        ("<mj-text>{{ a < b }}</mj-text>", "A “<” stands alone"),
        ("<mj-text><p>x</mj-text>", "<p> is not closed before </mj-text>."),
        ("<mj-text><ul><li>x</ul></mj-text>", "<li> is not closed before </ul>."),
        ("<mj-text><b><i>x</b></mj-text>", "<i> is not closed before </b>."),
        ("<mj-raw><!--[if mso]><table><![endif]--></mj-raw>", "A comment for Outlook opens a tag"),
        ("<mj-raw><!--[if mso]></td><![endif]--></mj-raw>", "A comment for Outlook opens a tag"),
        ("<mj-text>x</p></mj-text>", "</p> closes what is not open."),
        ("<mj-text>x</br></mj-text>", "</br> has nothing to close."),
        ("<mj-text>x<BR></mj-text>", "<BR> stands in capitals."),
        ("<mj-text>x<Img src='a' /></mj-text>", "<Img> stands in capitals."),
        ("<mj-text align=left>x</mj-text>", "The value of align in <mj-text> has no quotation"),
        ("<mj-text><p class=a>x</p></mj-text>", "The value of class in <p> has no quotation"),
        ("<mj-text>x<!-- a -- b --></mj-text>", "A comment holds “--”."),
        ("<mj-text><![CDATA[x]]></mj-text>", "MJML takes no <!…> or <?…>."),
        ("<?xml version='1.0'?>", "MJML takes no <!…> or <?…>."),
        ("<!DOCTYPE html>", "MJML takes no <!…> or <?…>."),
        ("<mj-text>a\0b</mj-text>", "There is the invisible character U+0000."),
        ("<mj-text>a\ufffeb</mj-text>", "There is the invisible character U+FFFE."),
        ("<mj-text><script>1 < 2</script></mj-text>", "<script> cannot be used here."),
        ("<mj-text><link rel='x' /></mj-text>", "<link> cannot be used here."),
        ("<mj-texd>x</mj-texd>", "<mj-texd> is no element of MJML."),
        ("<mj-text colour='red'>x</mj-text>", "<mj-text> has no attribute colour."),
        ("<mj-text color='a' color='b'>x</mj-text>", "The attribute color stands twice"),
        ("<mj-text><p id='a' id='b'>x</p></mj-text>", "The attribute id stands twice in <p>."),
        ("<mj-section></mj-section>", "<mj-section> cannot stand inside <mj-column>."),
        ("<mj-text><mj-image /></mj-text>", "<mj-image> cannot stand inside <mj-text>."),
        ("<mj-image sizes='1' />", "The engine ignores sizes in <mj-image>."),
        ("<mj-include path='a' />", "<mj-include> cannot be used here."),
        ("<mj-raw position='file-start'></mj-raw>", "<mj-raw> cannot stand before the document."),
        ("<p>x</p>", "<p> cannot stand directly inside <mj-column>."),
        ("stray", "Text cannot stand directly inside <mj-column>."),
        ("<mj-text><p style='{{ x }}'>x</p></mj-text>", "A style attribute holds { or }."),
        ("<mj-carousel></mj-carousel>", "<mj-carousel> cannot be used here."),
        ("<mj-text padding='10 20px'>x</mj-text>", "The engine cannot reckon with padding=“10"),
        ("<mj-text padding='5%'>x</mj-text>", "The engine cannot reckon with padding=“5%”"),
        ("<mj-text padding='1px, 2px'>x</mj-text>", "The engine cannot reckon with padding=“1px, "),
        ("<mj-text padding-left='2.5px'>x</mj-text>", "The engine cannot reckon with padding-left"),
        ("<mj-button inner-padding='1em'>x</mj-button>", "The engine cannot reckon with inner-pad"),
        ("<mj-image src='a' width='100' />", "The engine ignores the width “100”."),
        ("<mj-navbar></mj-navbar>" * 2, "There are two <mj-navbar>"),
        ("<mj-accordion></mj-accordion>" * 2, "There are two <mj-accordion>"),
    ],
)  # fmt: skip
def test_a_mistake_in_the_body_is_named(body: str, sentence: str) -> None:
    (found,) = said(mjml(body, head=HEAD))
    assert found.startswith(sentence)


@pytest.mark.parametrize(
    ("head", "sentence"),
    [
        ("<mj-style inline='inline'>a{}</mj-style>", "The engine does not inline <mj-style>."),
        ("<mj-html-attributes></mj-html-attributes>", "<mj-html-attributes> cannot be used here."),
        ("<mj-font name='X' href='https://f.example/' />", "<mj-font> cannot be used here."),
        (
            "<mj-attributes><mj-class name='a'><mj-text /></mj-class></mj-attributes>",
            "<mj-text> cannot stand inside <mj-class>.",
        ),
        ("<mj-attributes><mj-txt color='red' /></mj-attributes>", "<mj-txt> is no element"),
        ("<mj-attributes><mj-text colr='red' /></mj-attributes>", "<mj-text> has no attribute"),
        ("<mj-section></mj-section>", "<mj-section> cannot stand inside <mj-head>."),
        ("stray", "Text cannot stand directly inside <mj-head>."),
    ],
)
def test_a_mistake_in_the_head_is_named(head: str, sentence: str) -> None:
    (found,) = said(mjml("<mj-text>x</mj-text>", head=head))
    assert found.startswith(sentence)


@pytest.mark.parametrize(
    ("source", "sentences"),
    [
        ("", ["There is no <mjml>.", "There is no <mj-body>."]),
        ("<mjml lang='en' dir='ltr'></mjml>", ["There is no <mj-body>."]),
        (
            "<mjml><mj-body></mj-body></mjml>",
            [
                "<mjml> has no lang, and readers' programs would have to guess.",
                "<mjml> has no dir, and readers' programs would have to guess.",
            ],
        ),
        (
            "<mjml lang='en' dir='ltr'><mj-raw></mj-raw><mj-body></mj-body></mjml>",
            ["<mj-raw> cannot stand inside <mjml>."],
        ),
        (
            "<mj-body></mj-body>",
            ["<mj-body> cannot stand outside <mjml>.", "There is no <mjml>."],
        ),
        (
            "<mjml lang='en' dir='ltr'><mj-body>",
            ["<mjml> is never closed.", "<mj-body> is never closed."],
        ),
        (
            "x<mjml lang='en' dir='ltr'><mj-body></mj-body></mjml>",
            ["Text cannot stand outside <mjml>."],
        ),
    ],
)  # fmt: skip
def test_a_mistake_at_the_root_is_named(source: str, sentences: list[str]) -> None:
    assert sentences == said(source)


@pytest.mark.parametrize(
    "body",
    [
        "<mj-text>a & b &unknown; &nbsp; > c</mj-text>",
        "<mj-text>a<br>b<br/>c<img src='x' alt=\"a > b < c\"></mj-text>",
        "<mj-text><input disabled></mj-text>",
        "<mj-text css-class='a' mj-class='b'>x</mj-text>",
        "<mj-raw><!--[if mso]><table><tr><td>x<br></td></tr></table><![endif]--></mj-raw>",
        "<mj-raw><!--[if !mso]><!--><p>x</p><!--<![endif]--></mj-raw>",
        "<mj-text><mark data-x='1'>x</mark></mj-text>",
        "<mj-social><mj-social-element name='web'>x</mj-social-element></mj-social>",
        "<mj-table><tr><td>x</td></tr></mj-table>",
        "<mj-text padding='0 10px  0' padding-left='0'>x</mj-text>",
        "<mj-image src='a' width='50px' />",
        "<mj-divider width='50.5%' />",
    ],
)
def test_what_is_right_passes_and_the_engine_takes_it(body: str) -> None:
    source = mjml(body, head="<mj-style>.a > .b { color: red }</mj-style>")
    assert [] == said(source)
    assert "<!doctype html>" in to_html(prepare_mjml(source))


@pytest.mark.parametrize(
    ("attributes", "sentence"),
    [
        ("mode='fluid-height'", "The engine gives an <mj-hero> in the mode “fluid-height” a"),
        ("padding='40px 20px'", "The engine makes an <mj-hero> with padding at its sides too wide"),
        ("padding='1px'", "The engine makes an <mj-hero> with padding at its sides too wide"),
        ("padding-left='1px'", "The engine makes an <mj-hero> with padding at its sides too wide"),
        ("mode='fixed-height' padding='40px 0'", None),
    ],
)  # fmt: skip
def test_a_hero_that_the_engine_makes_wrong_is_refused(
    attributes: str, sentence: str | None
) -> None:
    hero = f"<mjml lang='en' dir='ltr'><mj-body><mj-hero {attributes}></mj-hero></mj-body></mjml>"
    assert ([] if sentence is None else [sentence]) == [
        each[: len(sentence or "")] for each in said(hero)
    ]


def test_of_two_classes_that_set_the_same_neither_wins_by_chance() -> None:
    # MJML lets the last class win, the engine the first.
    head = (
        "<mj-attributes><mj-class name='a' color='#ff0000' align='left' />"
        "<mj-class name='b' color='#00ff00' /><mj-class name='c' padding='0' /></mj-attributes>"
    )
    both = mjml("<mj-text mj-class='a b'>x</mj-text>", head=head)
    assert ["Two classes of <mj-text> set color, and the engine takes the first."] == said(both)
    assert [] == said(mjml("<mj-text mj-class='a c'>x</mj-text>", head=head))


def test_each_mistake_has_line_column_and_advice() -> None:
    source = mjml("\n  <mj-text>\n    <p>é 1 < 2</p>\n  </mj-text>\n  <mj-imag />\n", head=HEAD)
    assert [(3, 12), (5, 3)] == [(p.line, p.column) for p in lint_mjml(source)]
    assert ["Write &lt; for the character itself.", "Did you mean mj-image?"] == [
        p.next for p in lint_mjml(source)
    ]


def test_the_fixture_theme_has_no_mistake() -> None:
    for issue in (ISSUE, ARABIC):
        assert [] == said(
            compile_stages(CompileInput(issue, SOURCE, THEME, SETTINGS, material_of(issue))).mjml
        )


def test_lint_ends_soon_on_hostile_input() -> None:
    for piece in ("<", "<a ", "<a b='", "<!--", "<mj-style>", "<p x=\"'"):
        assert lint_mjml(piece * 5_000)
