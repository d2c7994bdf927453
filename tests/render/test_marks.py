"""Footnotes, emphasis beside wide letters, tables, key figures, portraits, posts: what real
newsletters hold, in the HTML and in the text."""

from dataclasses import replace
from pathlib import Path

import pytest
from lxml import html as lxml_html
from newsletter.material import Material, PreparedPicture
from newsletter.model import BodyPart, Issue, Picture, Post, Story
from newsletter.render import markdown
from newsletter.render.edition import CompileInput
from newsletter.render.mail_urls import MailUrls
from newsletter.render.plaintext import TextLayout
from newsletter.source import Source
from pydantic import ValidationError

from tests.render.themes import SETTINGS, THEMES

HEAD = {"id": "x", "title": "T", "date": "2017-03-31", "language": "en", "subject": "S",
        "preheader": "P"}  # fmt: skip


def parsed(text: str) -> markdown.Parsed:
    return markdown.parse(text, language="en")


def test_footnotes_stand_below_in_the_order_of_their_references() -> None:
    tokens = parsed("One[^b], two[^a].\n\n[^a]: *Second*\nline\n[^b]: https://a.example/\n\nLast.")
    page = lxml_html.fragment_fromstring(markdown.to_html(tokens), create_parent=True)
    assert ["One1, two2.", "Last.", "1 https://a.example/", "2 Second\nline"] == [
        each.text_content() for each in page
    ]
    assert 4 == len(page.cssselect("sup"))
    text = markdown.to_text(tokens, TextLayout())
    assert "One¹, two².\n\nLast.\n\n¹ https://a.example/\n\n² Second line" == text


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("x[^1]\n\n[^1]:", "The footnote [^1] has no text."),
        ("x\n\n[^1]: A note", "Nothing refers to the footnote [^1]."),
        ("x[^1]\n\n[^1]: A note", ""),
    ],
)
def test_a_footnote_without_text_or_reference_is_told(text: str, told: str) -> None:
    assert [told] * bool(told) == [what for what, _ in markdown.faults_of_notes(parsed(text))]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("他说**“你好”**。", "他说<strong>“你好”</strong>。"),
        ("**「重要」**です", "<strong>「重要」</strong>です"),
        ("你好*（世界）*你好", "你好<em>（世界）</em>你好"),
        ("2 * 3 * 4 and a**“b”**c", "2 * 3 * 4 and a**“b”**c"),
    ],
)
def test_emphasis_beside_wide_letters_needs_no_space(text: str, shown: str) -> None:
    assert f"<p>{shown}</p>" == markdown.to_html(parsed(text))


@pytest.mark.parametrize(
    ("text", "raw"),
    [
        ("a<br />b <b>c</b>", ["<br />", "<b>", "</b>"]),
        ("<details><summary>x", ["<details>", "<summary>"]),
        ("H~2~O, x^2^, ==new==", ["~2~", "^2^", "==new=="]),
        ("- [x] done\n- [ ] open", ["[x]", "[ ]"]),
        ("Term\n: Definition", [": Definition"]),
        ("[^1] and [one][two]", ["[^1]", "[one][two]"]),
        ("| a | b |\n| c | d |", ["| a | b |", "| c | d |"]),
        ("\\<br\\> `<br>` H\\~2\\~O \\[^1\\]", []),
        ("1 < 2 > 0, **bold**, [link](https://a.example/), a_b_c, 10:30:15, {x}", []),
    ],
)
def test_what_readers_would_see_as_it_was_typed_is_found(text: str, raw: list[str]) -> None:
    assert raw == list(markdown.raw_in(parsed(text)))


@pytest.mark.parametrize(("columns", "focus"), [(3, None), (12, "0")])
def test_a_table_has_a_frame_to_scroll_in(columns: int, focus: str | None) -> None:
    row = "|" + " a |" * columns
    text = f"{row}\n|{'--:|' * columns}\n{row}"
    for made in (markdown.to_html(parsed(text)), markdown.to_page(parsed(text), heading=4)):
        frame = lxml_html.fragment_fromstring(made)
        assert ("div", "wide", focus) == (frame.tag, frame.get("class"), frame.get("tabindex"))
        assert columns == len(frame.cssselect("td"))


@pytest.mark.parametrize(
    ("highlight", "figure"),
    [
        ("30 018 défenseurs", "30 018"),
        ("3,064 times since 2010", "3,064"),
        ("99 journalists murdered from 2000 to 2016", "99"),
        ("15% more", "15%"),
        ("٣٠٠ شخص", "٣٠٠"),
        ("26 July to 1 August", ""),
        ("1 août", ""),
        ("1 in 3 journalists", ""),
        ("3 out of 4", ""),
        ("2017年3月2日", ""),
        ("Eight of 84", ""),
    ],
)
def test_the_figure_of_a_highlight_is_found_or_none(highlight: str, figure: str) -> None:
    assert figure == BodyPart(highlight=highlight).figured[0]


def test_the_author_names_the_figure() -> None:
    named = BodyPart(highlight="1 in 3 journalists", figure="1 in 3")
    assert ("1 in 3", "journalists") == named.figured
    assert "" == BodyPart(highlight="99 balloons", figure="none").figured[0]
    story = Story(id="a", blurb="x", highlight="1 in 3 are", figure="1 in 3")
    assert ("1 in 3", "are") == story.content[-1].figured
    for wrong in ({"highlight": "Two", "figure": "2"}, {"figure": "2", "text": "x"}):
        with pytest.raises(ValidationError, match="figure"):
            BodyPart.model_validate(wrong)


def test_a_portrait_is_no_higher_than_a_screen() -> None:
    picture = Picture(file="a.jpg", alt="A", credit="B")
    made = PreparedPicture("a.jpg", "image/jpeg", 1120, 1680, 560, b"")
    story = Story(id="a", blurb="x", image=picture)
    issue = Issue.model_validate({**HEAD, "stories": [story]})
    path = next(path for path, _ in issue.pictures())
    given = CompileInput(
        issue, Source(Path("x.yaml"), {}), THEMES["default"], SETTINGS, Material({path: made})
    )
    shown = MailUrls(given).picture(picture)
    assert shown is not None
    assert (400, 600) == (shown.width, shown.height)
    wide = replace(made, height=1120)
    beside = MailUrls(replace(given, material=Material({path: wide}))).picture(picture)
    assert beside is not None
    assert (560, 560) == (beside.width, beside.height)


def test_posts_stay_in_the_order_of_the_file() -> None:
    posts = tuple(Post(text=f"{number}", url="https://a.example/", network=network)
                  for number, network in enumerate(("B", "B", "A", "B")))  # fmt: skip
    issue = Issue.model_validate({**HEAD, "stories": [{"id": "a", "blurb": "x"}], "posts": posts})
    assert [("B", ["0", "1"]), ("A", ["2"]), ("B", ["3"])] == [
        (network, [post.text for post in group]) for network, group in issue.posted
    ]


@pytest.mark.parametrize("theme", THEMES)
def test_a_logo_that_is_seen_through_keeps_its_light_paper_in_the_dark(theme: str) -> None:
    assert ".picture" not in THEMES[theme].files["css/dark-rules.css"]
    assert "img.picture { background-color: {{ c.tint }}" in THEMES[theme].files["css/inline.css"]
