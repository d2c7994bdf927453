"""What the mail weighs, which part is whose, and where Gmail cuts it off."""

from __future__ import annotations

import base64
import functools
import re
from dataclasses import replace
from html import unescape
from itertools import pairwise
from pathlib import Path

import pytest
import yaml
from newsletter.checks.finding import Severity
from newsletter.checks.size import (
    CLIP_KB,
    HEADS,
    KB,
    Gmail,
    MailSizes,
    cut_in_words,
    encoded_size,
    in_words,
    mail_sizes,
    rows,
)
from newsletter.issues.loader import parse_issue
from newsletter.issues.material import load_material
from newsletter.message.mime import encode
from newsletter.render.edition import CompileInput
from newsletter.render.pipeline import compile_edition

from tests.checks.letters import Letter
from tests.support.march import LANGUAGES, SETTINGS, THEME, March, march
from tests.support.tools import ROOT

LIMIT = CLIP_KB * KB


def parts(weight: MailSizes, html: str) -> dict[str, str]:
    """Each story's part of the HTML, by its headline."""
    page = html.encode()
    return {each.story.name: page[each.start : each.end].decode() for each in weight.stories}


def padded(folder: Path, *sizes: int) -> MailSizes:
    """The weight of the letter of two stories with so many bytes put after each heading."""
    headings = ("<h1>March 2017</h1>", "<h2>Fear in Veracruz</h2>", "<h2>A year of safety</h2>")
    letter = Letter()
    for heading, size in zip(headings, sizes, strict=False):
        letter = letter.seeded("html", heading, heading + "x" * size)
    return mail_sizes(letter.check_input(folder))


# Sizes


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a",
        "a" * 75,
        "a" * 76,
        "a" * 77,
        "=" * 40,
        "é" * 100,
        "a \nb\t\n",
        "x\n\n" * 9,
        "ب" * 26,
    ],
)
def test_encoded_bytes_are_those_of_the_message_but_for_a_last_soft_break(text: str) -> None:
    assert len(encode(text)) - encoded_size(text) in {0, 3, 6}


@pytest.mark.parametrize("language", LANGUAGES)
def test_both_parts_of_an_edition_weigh_what_the_message_carries(language: str) -> None:
    made = march(language).check_input()
    weight = mail_sizes(made)
    quoted = language != "ar"
    for text, size in (
        (made.largest_html, weight.html_encoded),
        (made.largest_text, weight.text_encoded),
    ):
        if quoted:
            assert len(encode(text)) - size in {0, 3, 6}
        else:
            octets = text.replace("\n", "\r\n").encode()
            assert len(base64.encodebytes(octets).replace(b"\n", b"\r\n")) == size
    assert len(made.largest_html.encode()) == weight.html
    assert len(made.largest_text.encode()) == weight.text


@pytest.mark.parametrize("language", LANGUAGES)
def test_fifteen_stories_stay_below_85_kb_for_the_reader_with_the_longest_name(
    language: str,
) -> None:
    weight = mail_sizes(march(language).check_input())
    assert 15 == len(weight.stories)
    assert weight.html < 85_000
    assert "" == cut_in_words(weight)


# Whose part is which


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_story_of_an_issue_has_its_own_part_with_all_it_shows(language: str) -> None:
    made = march(language).check_input()
    order = made.issue.reading_order
    weight = mail_sizes(made)
    assert list(enumerate(order, 1)) == [(w.number, w.story) for w in weight.stories]
    assert all(one.end <= other.start for one, other in pairwise(weight.stories))
    for headline, part in parts(weight, made.largest_html).items():
        assert [headline] == [
            story.headline
            for story in order
            if re.search(rf"<h\d[^>]*>{re.escape(story.name.replace('&', '&amp;'))}<", part)
        ]
    for story in order:
        part = parts(weight, made.largest_html)[story.name]
        assert all(link.url.replace("&", "&amp;") in part for link in story.links)
        if story.image and story is not made.issue.lead_story:
            assert f'alt="{story.image.alt}' in part


def test_headings_within_a_text_belong_to_its_story_and_sections_to_none(folder: Path) -> None:
    letter = Letter().seeded("html", "<p>Seventeen", "<h3>In short</h3><p>Seventeen")
    letter = letter.seeded("html", "<h2>A year of safety</h2>", "<h3>A year of safety</h3>")
    letter = letter.seeded("html", "<h3>A year", "<h2>Shelter</h2><h3>A year")
    made = letter.check_input(folder)
    fear, year = parts(mail_sizes(made), made.largest_html).values()
    assert fear.startswith("<h2>Fear in Veracruz</h2>")
    assert "In short" in fear
    assert fear.rstrip().endswith("<p>Reporters Without Borders</p>")
    assert year.startswith("<h3>A year of safety</h3>")


def test_a_story_begins_with_the_block_around_its_heading(folder: Path) -> None:
    boxes = '<table><tr><td><img src="https://a.example/p.png" alt="A boat"></td></tr><tr><td>'
    letter = Letter().seeded("html", "<h2>A year", f"{boxes}<h2>A year")
    made = letter.seeded("html", "of safety</h2>", "of safety</h2></table>").check_input(folder)
    fear, year = parts(mail_sizes(made), made.largest_html).values()
    assert "A boat" not in fear
    assert year.startswith(boxes)


def test_two_stories_of_one_headline_are_told_apart_by_their_order(folder: Path) -> None:
    letter = Letter().seeded("everywhere", "A year of safety", "Fear in Veracruz")
    one, other = mail_sizes(letter.check_input(folder)).stories
    assert one.end == other.start
    assert ["veracruz", "hamburg"] == [one.story.id, other.story.id]


@pytest.mark.parametrize(
    "html",
    [
        "",
        "<p>no heading",
        "<h2>Fear in Veracruz",
        "</h2><h2><h3>Fear in Veracruz</h2></h3>",
        "<h2>",
    ],
)
def test_pages_without_the_headings_are_weighed_all_the_same(folder: Path, html: str) -> None:
    weight = mail_sizes(replace(Letter(), html=html).check_input(folder))
    assert len(html.encode()) == weight.html
    assert len(weight.stories) <= 1


# Gmail


def test_a_mail_that_fits_is_cut_nowhere(folder: Path) -> None:
    around = padded(folder).html
    fits = padded(folder, 0, 0, LIMIT - around)
    assert LIMIT == fits.html
    assert ("", [Gmail.SHOWN] * 2) == (cut_in_words(fits), [each.gmail for each in fits.stories])


@pytest.mark.parametrize(
    ("sizes", "shown", "sentence"),
    [
        (
            (0, 0, LIMIT),
            [Gmail.SHOWN, Gmail.CUT],
            "after story 1, “Fear in Veracruz”; readers there would not see: "
            "the end of “A year of safety”.",
        ),
        (
            (0, LIMIT, 0),
            [Gmail.CUT, Gmail.HIDDEN],
            "before the end of the first story; readers there would not see: "
            "the end of “Fear in Veracruz” and “A year of safety”.",
        ),
        (
            (LIMIT,),
            [Gmail.HIDDEN, Gmail.HIDDEN],
            "before the end of the first story; readers there would not see: "
            "“Fear in Veracruz” and “A year of safety”.",
        ),
    ],
)
def test_the_cut_is_named_with_what_lies_behind_it(
    folder: Path, sizes: tuple[int, ...], shown: list[Gmail], sentence: str
) -> None:
    weight = padded(folder, *sizes)
    assert shown == [each.gmail for each in weight.stories]
    assert f"Gmail cuts the mail off {sentence}" == cut_in_words(weight)


def test_a_cut_behind_the_last_story_is_told_too(folder: Path) -> None:
    footer = "<h2>Footer</h2>" + "x" * LIMIT + "<p>1 Example Street"
    weight = mail_sizes(Letter().seeded("html", "<p>1 Example Street", footer).check_input(folder))
    assert (
        "Gmail cuts the mail off after story 2, “A year of safety”; readers there would not "
        "see what follows."
    ) == cut_in_words(weight)


# Too many stories


@functools.cache
def sixty_stories() -> March:
    """The March issue with each of its fifteen stories four times, read from YAML."""
    written = yaml.safe_load((ROOT / "issues" / "2017-03.yaml").read_text(encoding="utf-8"))
    fifteen = written["stories"]
    written["lead"] += "-1"
    written["stories"] = [
        story | {"id": f"{story['id']}-{time}", "headline": f"{story['headline']} ({time})"}
        for time in range(1, 5)
        for story in fifteen
    ]
    text = yaml.safe_dump(written, allow_unicode=True, sort_keys=False)
    loaded = parse_issue(text, ROOT / "issues" / "2017-04.yaml")
    material = load_material(loaded, ROOT / "issues", shown=THEME.shown)
    edition = compile_edition(CompileInput(loaded.issue, loaded.source, THEME, SETTINGS, material))
    return March(loaded, material, edition)


def headings(html: str) -> list[str]:
    """The headings in a piece of HTML, read without a parser."""
    found = re.findall(r"<h[1-4]\b[^>]*>(.*?)</h[1-4]>", html, re.DOTALL)
    return [unescape(re.sub("<[^>]*>", "", each)) for each in found]


def test_an_issue_of_sixty_stories_is_an_error_that_names_the_story_at_the_cut() -> None:
    made = sixty_stories().check_input()
    (finding,) = (each for each in sixty_stories().findings() if each.id == "html-size")
    before_the_cut = made.largest_html.encode()[:LIMIT].decode(errors="ignore")
    headlines = [story.headline for story in made.issue.reading_order]
    begun = [headline for headline in headings(before_the_cut) if headline in headlines]
    if "<img" in before_the_cut.rpartition("</h")[2]:
        begun.append(headlines[len(begun)] or "")  # its picture stands above its headline
    assert Severity.ERROR is finding.severity
    assert headlines[: len(begun)] == begun
    # The last story that has begun is cut, the one before it is the last to be read whole.
    whole, cut, *hidden = headlines[len(begun) - 2 :]
    assert (
        f"Gmail cuts the mail off after story {len(begun) - 1}, “{whole}”; readers there would not "
        f"see: the end of “{cut}”, “{hidden[0]}”, “{hidden[1]}”, “{hidden[2]}” and "
        f"{len(hidden) - 3} more."
    ) in finding.what
    assert cut == finding.story
    file, line = finding.where.file, finding.where.line
    assert (ROOT / "issues" / "2017-04.yaml", True) == (file, line is not None)


def test_the_table_of_sixty_stories_tells_where_gmail_stops() -> None:
    weight = mail_sizes(sixty_stories().check_input())
    *stories, around, html, text = rows(weight)
    assert {len(HEADS)} == {len(row) for row in (*stories, around, html, text)}
    assert [str(number) for number in range(1, 61)] == [row[0] for row in stories]
    seen = [row[4] for row in stories]
    shown = seen.index("cut off")
    assert ["shown"] * shown + ["cut off"] + ["hidden"] * (59 - shown) == seen
    assert "around the stories" == around[-1]
    assert html[1] in in_words(weight)
    assert text[1] in in_words(weight)
    assert [each["gmail"] for each in weight.as_data()["stories"]] == [
        {"shown": "shown", "cut off": "cut", "hidden": "hidden"}[each] for each in seen
    ]


def test_nothing_of_the_html_is_counted_twice_or_left_out() -> None:
    weight = mail_sizes(sixty_stories().check_input())
    (around,) = (row for row in rows(weight) if row[-1] == "around the stories")
    rest = weight.html - sum(each.size for each in weight.stories)
    assert f"{rest / KB:.1f} KB" == around[1]
    assert all(each.size < each.encoded < each.size * 1.3 for each in weight.stories)
