import pytest
from lxml import etree
from newsletter.errors import IssueError
from newsletter.render.markdown import parse, to_html, to_text
from newsletter.render.plaintext import TextLayout

from tests.render.samples import ISSUE, compiled, with_blurb


def html(text: str, language: str = "en", heading: int = 4) -> str:
    return to_html(parse(text, language=language), heading=heading)


def text_of(text: str, language: str = "en", *, width: int = 72, rtl: bool = False) -> str:
    return to_text(parse(text, language=language), TextLayout(width=width, rtl=rtl))


@pytest.mark.parametrize(
    ("language", "quoted"),
    [
        ("en", "“a ‘b’ c”, it’s"),
        ("en-GB", "“a ‘b’ c”, it’s"),
        ("fr", "«\u00a0a ‹\u00a0b\u00a0› c\u00a0», it’s"),
        ("es", "«a “b” c», it’s"),
        ("de", "„a ‚b‘ c“, it’s"),
        ("ru", "«a „b“ c», it’s"),
        ("ar", "\"a 'b' c\", it's"),
        ("ja", "\"a 'b' c\", it's"),
    ],
)
def test_quotation_marks_follow_the_language(language: str, quoted: str) -> None:
    assert quoted == text_of("\"a 'b' c\", it's", language)


def test_raw_html_is_shown_as_text() -> None:
    assert "<p>&lt;script&gt;alert(1)&lt;/script&gt;</p>" == html("<script>alert(1)</script>")
    assert "<p>a &lt;b&gt;c &lt;p&gt;</p>" == html("a <b>c <p>")


@pytest.mark.parametrize(
    "text",
    [
        "1 < 2, <3, a & b, &nbsp; &copy;",
        "a  \nb\n\n---\n\n![x](https://a.example/i.png)",
        "- a\n- b\n\n  c\n\n1. d\n\n> e\n\n| f | g |\n|---|---|\n| h | ~~i~~ |",
        "<BR> <Img> <p> <li> unclosed",
        "`<code>` and\n\n    <pre>\n\n```html\n<x\n```",
        "<https://a.example/?a=1&b=2> <mail@a.example>",
        "<!-- a -- b --> <![CDATA[x]]> <?xml?> <!DOCTYPE html>",
    ],
)
def test_html_is_well_formed(text: str) -> None:
    etree.fromstring(f"<x>{html(text)}</x>")


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "JaVaScRiPt:alert(1)",
        "data:text/html,x",
        "vbscript:x",
        "file:///etc/passwd",
        "//a.example",
        "/relative",
        "#top",
    ],
)
def test_a_link_leads_to_the_web_or_a_mailbox_or_nowhere(url: str) -> None:
    assert "<a" not in html(f"[x]({url})")
    with pytest.raises(IssueError, match="leads nowhere") as caught:
        compiled(with_blurb(f"See [x]({url})."))
    assert ("issues/2017-03.yaml", 32) == (
        str(caught.value.problems[0].where.file),
        caught.value.problems[0].where.line,
    )


def test_web_and_mail_links_are_kept() -> None:
    for url in ("https://a.example/", "http://a.example/", "mailto:a@a.example"):
        assert f'<a href="{url}">x</a>' in html(f"[x]({url})")


def test_a_host_in_another_script_becomes_ascii() -> None:
    assert 'href="https://xn--mnchen-3ya.example/%C3%BC"' in html("[x](https://münchen.example/ü)")


def test_headings_start_below_the_headline_and_keep_their_order() -> None:
    assert "<h4>a</h4>\n<h5>b</h5>\n<h4>c</h4>" == html("# a\n## b\n# c")
    assert "<h4>a</h4>" == html("### a")
    assert "<h3>a</h3>\n<h6>b</h6>" == html("## a\n###### b", heading=3)


def test_header_cells_of_tables_say_what_they_head() -> None:
    assert 2 == html("| a | b |\n|---|---|\n| 1 | 2 |").count('<th scope="col">')


def test_a_picture_in_a_text_is_refused() -> None:
    with pytest.raises(IssueError, match=r"would load the picture https://spy\.example/1\.gif"):
        compiled(with_blurb("![](https://spy.example/1.gif)"))


def test_a_merge_field_in_an_address_is_refused() -> None:
    issue = ISSUE.model_copy(
        update={"introduction": "See [this](https://a.example/{{name|x}}) now."}
    )
    with pytest.raises(IssueError, match="merge field stands in the address") as caught:
        compiled(issue)
    assert 9 == caught.value.problems[0].where.line


def test_links_are_numbered_and_their_addresses_follow_the_paragraph() -> None:
    text = "See [a](https://a.example/) and [b](https://b.example/), again [a](https://a.example/)."
    assert (
        "See a\u00a0[1] and b\u00a0[2], again a\u00a0[1].\n\n"
        "[1] https://a.example/\n[2] https://b.example/\n\nNew c\u00a0[3].\n\n"
        "[3] https://c.example/"
    ) == text_of(f"{text}\n\nNew [c](https://c.example/).")


def test_an_address_that_is_its_own_label_is_not_repeated() -> None:
    assert "At https://a.example/ or me@a.example" == text_of(
        "At <https://a.example/> or <me@a.example>"
    )


def test_lists_hang_and_nest() -> None:
    written = """\
- one two three four five
  - deep deep deeper deep
- six

9. nine
10. ten ten ten ten ten"""
    laid_out = """\
- one two three four
  five
  - deep deep deeper
    deep
- six

9. nine
10. ten ten ten ten
    ten"""
    assert laid_out == text_of(written, width=20)


def test_loose_lists_keep_their_blank_lines() -> None:
    assert "- a\n\n  b\n\n- c" == text_of("- a\n\n  b\n\n- c")


def test_quotations_are_marked_on_each_line() -> None:
    assert "> a\n>\n> > b" == text_of("> a\n>\n> > b")


@pytest.mark.parametrize(
    ("text", "quoted"),
    [
        ("We stay.\n\nWe work.", "“We stay.\n\nWe work.”"),
        ("> said before", "“> said before”"),
        ("- one\n- two", "“- one\n- two”"),
        ("Read [it][1].\n\n[1]: https://a.example/b", "“Read it [1].”\n\n[1] https://a.example/b"),
    ],
)
def test_quotation_marks_enclose_the_words_and_nothing_else(text: str, quoted: str) -> None:
    layout = TextLayout(opening="“", closing="”")
    assert quoted == to_text(parse(text, language="en"), layout).replace("\u00a0", " ")


def test_headings_are_underlined_to_their_width() -> None:
    assert "日本\n----" == text_of("# 日本")


def test_the_line_below_a_heading_is_never_wider_than_a_line() -> None:
    url = "https://a.example/" + "a" * 80
    assert f"{url}\n{'-' * 72}" == text_of(f"# <{url}>")


def test_emphasis_strikethrough_code_and_breaks_can_be_read() -> None:
    assert "a *b* ~c~ d_e\nf\n\n    g <h>\n\n* * *" == text_of(
        "*a* **b** ~~c~~ `d_e`  \nf\n\n    g <h>\n\n---"
    )


TABLE = "| Land | 件 |\n|---|---|\n| Mexico | 12 |\n| 日本 | |"


def test_a_narrow_table_keeps_its_columns() -> None:
    assert "Land    件\n------  --\nMexico  12\n日本" == text_of(TABLE)


def test_a_wide_table_and_one_from_right_to_left_become_records() -> None:
    records = "Land: Mexico\n件: 12\n\nLand: 日本"
    assert records == text_of(TABLE, rtl=True)
    wide = TABLE.replace("Mexico", "M " * 40)
    assert text_of(wide).startswith("Land: M M")
    assert all(len(line) <= 72 for line in text_of(wide).split("\n"))
