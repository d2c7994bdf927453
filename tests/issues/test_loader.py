import datetime as dt
from pathlib import Path

import pytest
from newsletter.errors import ExitCode, IssueError
from newsletter.issues.loader import load_issue

from tests.issues.support import GOOD, load, problems, refusal, write

STORY = "story “A year of safety”"


def test_a_good_issue_is_loaded_whole(tmp_path: Path) -> None:
    issue = load(tmp_path, GOOD).issue

    assert issue.id == "2017-03"
    assert issue.date == dt.date(2017, 3, 31)
    assert issue.stories[0].image is not None
    assert issue.stories[0].image.alt == "A harbour"
    assert issue.stories[0].links[0].url == "https://defenders.example/hamburg"


def test_the_place_of_every_value_is_known(tmp_path: Path) -> None:
    source = load(tmp_path, GOOD).source

    where = source.where("stories", 0, "image", "alt")
    assert (where.file, where.line, where.column) == (tmp_path / "2017-03.yaml", 13, 12)
    link = source.where("stories", 0, "links", 0)
    assert (link.line, link.column) == (16, 9)


@pytest.mark.parametrize("word", ["No", "yes", "off", "ON", "true", "1e3", "0x1F", "12:30", "2017"])
def test_a_plain_word_stays_the_text_it_is(tmp_path: Path, word: str) -> None:
    issue = load(tmp_path, GOOD.replace("A year of safety\n", f"{word}\n", 1)).issue

    assert issue.preheader == "A year of safety in Hamburg"
    assert issue.stories[0].headline == word


def test_norwegian_is_a_language_and_not_false(tmp_path: Path) -> None:
    issue = load(tmp_path, GOOD.replace("language: en", "language: no")).issue

    assert issue.language == "no"


@pytest.mark.parametrize("nothing", ["", "~", "null"])
def test_a_key_with_nothing_behind_it_counts_as_left_out(tmp_path: Path, nothing: str) -> None:
    issue = load(tmp_path, GOOD + f"    kicker: {nothing}\nposts: {nothing}\n").issue

    assert issue.stories[0].kicker is None
    assert issue.posts == ()


@pytest.mark.parametrize("written", ["2017-03-31", '"2017-03-31"', "'2017-03-31'"])
def test_a_date_may_stand_in_quotes(tmp_path: Path, written: str) -> None:
    issue = load(tmp_path, GOOD.replace("2017-03-31", written)).issue

    assert issue.date == dt.date(2017, 3, 31)


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbf" + GOOD.encode(),
        GOOD.replace("\n", "\r\n").encode(),
        GOOD.rstrip("\n").encode(),
        GOOD.replace("A harbour", "&a A harbour").replace("The editors", "*a").encode(),
    ],
    ids=["byte order mark", "CRLF", "no last line break", "alias"],
)
def test_what_editors_and_systems_do_to_a_file_does_no_harm(tmp_path: Path, content: bytes) -> None:
    loaded = load(tmp_path, content)

    assert loaded.issue.stories[0].blurb == "Nur Nobi Dulal has arrived."
    assert loaded.source.where("title").line == 2


def test_a_translation_is_the_same_issue_in_its_language(tmp_path: Path) -> None:
    french = GOOD.replace("language: en", "language: fr")

    assert load(tmp_path, french, "2017-03.fr.yaml").issue.id == "2017-03"
    assert load(tmp_path, french, "2017-03.yml").issue.id == "2017-03"


def test_a_translation_that_says_another_language_is_refused(tmp_path: Path) -> None:
    assert problems(tmp_path, GOOD, "2017-03.fr.yaml") == [
        "4:11: The file's name says “fr”, its language is “en”. "
        "Correct this line or rename the file."
    ]


@pytest.mark.parametrize("name", ["March 2017.yaml", "2017-03", "2017-03.xyzw.yaml", ".yaml"])
def test_a_name_no_issue_can_have_is_refused(tmp_path: Path, name: str) -> None:
    [problem] = refusal(tmp_path, GOOD, name).problems

    assert problem.what == f"“{name}” is not a valid name for an issue."


def test_a_missing_issue_says_how_to_start_one(tmp_path: Path) -> None:
    with pytest.raises(IssueError) as caught:
        load_issue(tmp_path / "2017-04.yaml")

    assert caught.value.problems[0].what == "There is no such issue."
    assert caught.value.problems[0].next == "“newsletter new 2017-04” starts one."
    assert caught.value.exit_code == ExitCode.BAD_INPUT


def test_a_folder_in_place_of_an_issue_is_refused(tmp_path: Path) -> None:
    (tmp_path / "2017-03.yaml").mkdir()

    with pytest.raises(IssueError, match="cannot be opened: Is a directory"):
        load_issue(tmp_path / "2017-03.yaml")


CHANGES = {
    "missing alt": (
        "      alt: A harbour\n",
        "",
        f"12:7, {STORY}: The picture has no alt text. "
        "Write alt: and what the picture shows, for readers who do not see it.",
    ),
    "empty alt": (
        "alt: A harbour",
        'alt: ""',
        f"13:12, {STORY}: The picture has no alt text. "
        "Write alt: and what the picture shows, for readers who do not see it.",
    ),
    "alt without a value": (
        "alt: A harbour",
        "alt:",
        f"13:7, {STORY}: The picture has no alt text. "
        "Write alt: and what the picture shows, for readers who do not see it.",
    ),
    "missing credit": (
        "      credit: The editors\n",
        "",
        f"12:7, {STORY}: The picture has no credit. Write credit: and who made it.",
    ),
    "link without label": (
        "label: Read more\n        ",
        "",
        f"16:9, {STORY}: The link has no label. "
        "Write label: and what the reader will find there, e.g. “Report (PDF)”.",
    ),
    "quote without a name": (
        "    links:",
        "    quote:\n      text: Words\n    links:",
        f"16:7, {STORY}: The quote has no name. Write by: and who said it, with their role.",
    ),
    "date as in speech": (
        "2017-03-31",
        "31.03.2017",
        "3:7: “31.03.2017” is no date. Write year, month and day as in 2017-03-31.",
    ),
    "date that never was": (
        "2017-03-31",
        "2017-02-30",
        "3:7: “2017-02-30” is no date. Write year, month and day as in 2017-03-31.",
    ),
    "date as seconds": (
        "2017-03-31",
        "1490918400",
        "3:7: “1490918400” is no date. Write year, month and day as in 2017-03-31.",
    ),
    "date with a time": (
        "2017-03-31",
        "2017-03-31T00:00:00",
        "3:7: “2017-03-31T00:00:00” is no date. Write year, month and day as in 2017-03-31.",
    ),
    "date as a list": (
        "2017-03-31",
        "[2017]",
        "3:7: This is no date. Write year, month and day as in 2017-03-31.",
    ),
    "no date": (
        "date: 2017-03-31\n",
        "",
        "2:1: The issue has no date. Write year, month and day as in 2017-03-31.",
    ),
    "no subject": (
        "subject: News from defenders\n",
        "",
        "2:1: The issue has no “subject”. "
        "Write “subject: …”. Subject of the mail. May hold merge fields.",
    ),
    "misspelt key": (
        "headline:",
        "hedline:",
        "9:5, story “hamburg”: The story has no key “hedline”. Did you mean “headline”?",
    ),
    "key in capitals": (
        "    links:",
        "    Source: RSF\n    links:",
        f"15:5, {STORY}: The story has no key “Source”. Did you mean “source”?",
    ),
    "key from elsewhere": (
        "credit: The editors",
        "credit: The editors\n      zzz: 3",
        f"15:7, {STORY}: The picture has no key “zzz”. "
        "Possible here: file, alt, credit, url, size.",
    ),
    "id in the file": (
        "title: March 2017",
        "title: March 2017\nid: march",
        "3:1: The issue's id is taken from the file's name. Delete this line.",
    ),
    "key given twice": (
        "    links:",
        "    headline: Another\n    links:",
        f"15:5, {STORY}: “headline” stands here a second time. Keep this one or the one on line 9.",
    ),
    "text in brackets": (
        "headline: A year of safety",
        "headline: [a, b]",
        "9:15, story “hamburg”: “headline” must be a text. Write it on the key's line, or below "
        "it after >-. A text that starts with { or [ must stand in double quotes.",
    ),
    "text for a picture": (
        "    links:",
        "    quote: Words\n    links:",
        f"15:12, {STORY}: The quote must have keys of its own. It needs text: and by:.",
    ),
    "text for a list": (
        "stories:",
        "posts: none\nstories:",
        "7:8: “posts” must be a list. Start each item on its own line with a hyphen.",
    ),
    "item with nothing in it": (
        "      - label",
        "      -\n      - label",
        f"16:8, {STORY}: The link must have keys of its own. It needs label: and url:.",
    ),
    "address without https": (
        "https://defenders.example/hamburg",
        "www.defenders.example",
        f"17:14, {STORY}: “url” is no full web address. Write it with https:// in front.",
    ),
    "language in words": (
        "language: en",
        "language: English",
        "4:11: “language” is no language code. Write one such as en, fr, ar or pt-BR.",
    ),
    "id with capitals": (
        "id: hamburg",
        "id: Über Hamburg!",
        f"8:9, {STORY}: “Über Hamburg!” cannot be the id. "
        "Use lower-case letters, digits and hyphens, e.g. uber-hamburg.",
    ),
    "headline on two lines": (
        "headline: A year of safety",
        'headline: "A year\\nof safety"',
        "9:15, story “A year of safety”: “headline” must stand on one line.",
    ),
    "empty headline": (
        "headline: A year of safety",
        'headline: " "',
        "9:15, story “hamburg”: “headline” is empty. Write something.",
    ),
    "escaped NUL": (
        "alt: A harbour",
        'alt: "A \\0harbour"',
        f"13:12, {STORY}: This text holds the invisible control character U+0000. Delete it.",
    ),
    "a separator of lines": (
        "alt: A harbour",
        'alt: "A \\u2028harbour"',
        f"13:12, {STORY}: This text holds the invisible control character U+2028. Delete it.",
    ),
    "letters in reverse": (
        "alt: A harbour",
        'alt: "A \\u202eharbour"',
        f"13:12, {STORY}: This text holds the invisible control character U+202E. Delete it.",
    ),
    "no character": (
        "alt: A harbour",
        'alt: "A \\ufffeharbour"',
        f"13:12, {STORY}: This text holds the invisible control character U+FFFE. Delete it.",
    ),
    "half a surrogate pair": (
        "alt: A harbour",
        'alt: "A \\ud800harbour"',
        f"13:12, {STORY}: This text holds the invisible control character U+D800. Delete it.",
    ),
    "tag": (
        "alt: A harbour",
        "alt: !harbour A",
        f"13:12, {STORY}: The tag !harbour means nothing here. "
        "Delete it, or put a text that starts with ! in double quotes.",
    ),
    "unknown section": (
        "    links:",
        "    section: new\n    links:",
        f"15:14, {STORY}: There is no section “new”. List it under sections:, with id: and title:.",
    ),
    "unknown lead": (
        "stories:",
        "lead: hamberg\nstories:",
        "7:7: The lead story “hamberg” is none of the stories. Did you mean “hamburg”?",
    ),
    "id taken": (
        "    links:",
        "  - id: hamburg\n    headline: Again\n    blurb: Words\n    links:",
        "15:9, story “Again”: The id “hamburg” is taken by the story on line 8. "
        "Give this one another id.",
    ),
}


@pytest.mark.parametrize(("old", "new", "expected"), CHANGES.values(), ids=CHANGES.keys())
def test_a_mistake_is_told_at_its_place_with_what_to_write(
    tmp_path: Path, old: str, new: str, expected: str
) -> None:
    assert old in GOOD

    assert problems(tmp_path, GOOD.replace(old, new, 1)) == [expected]


def test_all_mistakes_are_told_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    spoilt = (
        GOOD.replace("2017-03-31", "yesterday")
        .replace("alt: A harbour", "alt:")
        .replace("port.png", "ship.png")
        .replace("label:", "lable:")
    )

    error = refusal(tmp_path, spoilt)

    assert error.what == "The issue cannot be used: 4 problems."
    assert [problem.where.line for problem in error.problems] == [3, 12, 13, 16]


def test_an_issue_without_stories_is_told_so_once(tmp_path: Path) -> None:
    heading = GOOD[: GOOD.index("stories:")]

    assert problems(tmp_path, heading) == [
        "2:1: The issue has no story. Write stories: and the first below it."
    ]
    assert problems(tmp_path, heading + "stories: []\n") == [
        "7:10: “stories” is empty. Write at least one."
    ]
    assert problems(tmp_path, heading + "stories:\n  - text\n") == [
        "8:5, story number 1: The story must have keys of its own. It needs id: and blurb:."
    ]


def test_a_folder_of_pictures_is_not_needed_without_pictures(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD[: GOOD.index("    image:")])
    (tmp_path / "images" / "port.png").unlink()
    (tmp_path / "images").rmdir()

    assert load_issue(path).issue.stories[0].image is None
