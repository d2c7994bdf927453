"""Mistakes of a theme are told with the file and the line where a person wrote them."""

from __future__ import annotations

from pathlib import Path

import pytest
from newsletter.errors import TemplateError
from newsletter.render.css_lint import lint_css
from newsletter.theme_files import REQUIRED, load_theme

from tests.render.samples import THEME, compiled, theme_with
from tests.render.test_themes import own_theme

STORY = "partials/story.mjml.j2"


def places(**files: str) -> list[tuple[str, int | None, str]]:
    """File, line and sentence of each mistake in the fixture theme with other files."""
    with pytest.raises(TemplateError) as caught:
        compiled(theme=theme_with(**files))
    told = caught.value.problems or [caught.value]
    return [
        (Path(str(p.where.file)).relative_to(THEME.folder).as_posix(), p.where.line, p.what)
        for p in told
    ]


def test_the_same_words_in_two_files_are_told_apart() -> None:
    # The first file that holds the words is not the one that is wrong.
    good = "{# <mj-text colour='red'> #}\n" + THEME.files["mail.mjml.j2"]
    bad = THEME.files[STORY].replace("<mj-text>", "<mj-text colour='red'>")
    found = places(mail_mjml=good, **{STORY: bad})
    line = bad.split("\n").index("    <mj-text colour='red'>") + 1
    assert {(STORY, line, "<mj-text> has no attribute colour.")} == set(found)


def test_a_tag_that_holds_values_is_told_by_its_line() -> None:
    bad = THEME.files[STORY].replace("<mj-section>", '<mj-section>\n\n<mj-x a="{{ story.id }}">')
    assert (STORY, 4, "<mj-x> is no element of MJML.") in places(**{STORY: bad})


def test_lines_are_right_behind_blocks_loops_and_comments() -> None:
    story = "{# two\n #}\n{% if true -%}\n\n  {% for a in 'x' %}\n\n<mj-o />{% endfor %}{% endif %}"
    assert (STORY, 7, "<mj-o> is no element of MJML.") in places(**{STORY: story})


def test_what_a_macro_prints_is_told_where_the_macro_is() -> None:
    story = "{% macro odd() %}\n<mj-o />\n{% endmacro %}\n\n{{ odd() }}"
    assert (STORY, 2, "<mj-o> is no element of MJML.") in places(**{STORY: story})


@pytest.mark.parametrize("file", ["css/inline.css", "css/head.css", "css/dark.css"])
def test_broken_css_is_told_with_file_and_line(file: str) -> None:
    css = "p { margin: 0 }\n\n.a { color: {{ theme.colours.ink }};\n  padding 1px }\n.b { top: 0"
    assert [
        (file, 4, "“padding 1px” is no declaration."),
        (file, 5, "“.b” is never closed."),
    ] == places(**{file: css})


def test_a_rule_that_cannot_be_inlined_is_told_by_its_line() -> None:
    ((file, line, what),) = places(inline_css="p { margin: 0 }\n\n* * * * * { color: red }")
    assert ("css/inline.css", 3) == (file, line)
    assert "more than 4 steps" in what


@pytest.mark.parametrize(
    ("css", "what", "at"),
    [
        ("a { color: red", "“a” is never closed.", 0),
        ("a { color: red }}", "“}” closes what is not open.", 16),
        ("a { color }", "“color” is no declaration.", 4),
        ("a { color: }", "“color:” is no declaration.", 4),
        ("a { 1px: 2 }", "“1px: 2” is no declaration.", 4),
        ("a { color: red top: 0 }", "“color: red top: 0” holds two declarations.", 15),
        ("{ color: red }", "A rule has no selector.", 0),
        ("a { b { color: red } }", "A rule begins before “a” has ended.", 4),
        ("color: red;", "Something stands outside a rule.", 0),
        ("a { top: 0 } b", "A rule has no “{”.", 13),
        ("a { top: 0 } /* b", "A comment is never closed.", 13),
        ("a { content: 'b }", "A text in quotation marks is never closed.", 13),
        ("@media print { a { top } }", "“top” is no declaration.", 19),
    ],
)
def test_each_way_to_break_a_style_sheet_is_named(css: str, what: str, at: int) -> None:
    first, *_ = lint_css(css)
    assert (what, at) == (first.what, first.offset)
    assert first.next.endswith(".")


@pytest.mark.parametrize(
    "css",
    [
        "",
        "/* only a { comment */",
        "a > b, a:hover::after, [data-x='}'] { content: '{;}' ; top: 0 }",
        "@import 'a.css'; @media (max-width: 5px) { a { top: 0; } b { left: 0 } }",
        "@font-face { font-family: 'x y'; src: url(data:a;b) }",
        "a { filter: progid:DXImageTransform.Microsoft.gradient(a='b'); -ms-x: 1; *zoom: 1 }",
        "a { background: url(https://a.example/b:c) no-repeat }",
        "@page { margin: 1cm }",
    ],
)
def test_what_is_right_passes(css: str) -> None:
    assert [] == list(lint_css(css))


def test_css_that_never_ends_is_read_soon() -> None:
    for piece in ("{", "a{", "/*", "'", "a{b:(", "}", "a:b;"):
        assert list(lint_css(piece * 20_000))


def test_all_files_that_a_theme_lacks_are_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(TemplateError, match="lacks 5 files") as caught:
        load_theme(own_theme(tmp_path / "ours", 'name = "Ours"'))
    assert [tmp_path / "ours" / n for n in REQUIRED] == [
        p.where.file for p in caught.value.problems
    ]
    (tmp_path / "empty").mkdir()
    with pytest.raises(TemplateError) as nothing:
        load_theme(tmp_path / "empty")
    told = [nothing.value.where.file, *(p.where.file for p in nothing.value.problems)]
    assert [tmp_path / "empty" / n for n in ("theme.toml", *REQUIRED)] == told
