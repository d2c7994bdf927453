"""Bad issues and strange ones: an error that says where, or a right mail, never a wrong one.

A translation that lacks a story is in test_languages.py, bad pictures are in tests/issues/.
"""

from __future__ import annotations

from email.message import EmailMessage

import pytest
from lxml import html as lxml_html
from lxml.html import HtmlElement

from tests.cli.support import mails, outbox, part, stopped, went_well
from tests.support.project import SHORT_ISSUE, Project

HEADING, HEADLINE = SHORT_ISSUE.partition("stories:")[0], "The only story of the month"
WOMAN, LAWYER, AGENCY = "محمد رضا، (1987)", "שירה כהן", "وكالة 24"
WALES = "🏴\U000e0067\U000e0062\U000e0077\U000e006c\U000e0073\U000e007f"
EMOJI = f"👩\u200d👩\u200d👧\u200d👦 🏳️\u200d🌈 👍🏽 🇧🇪 {WALES}"
JOINED = "نمی\u200cخواهم e\u0301 क्\u200dष 10\u00a0000"


def stories(number: int, words: str) -> str:
    return "stories:\n" + "".join(
        f"  - id: story-{each}\n    headline: Story number {each}\n    blurb: {words}\n"
        for each in range(1, number + 1)
    )


def page_of(mail: EmailMessage) -> HtmlElement:
    return lxml_html.document_fromstring(part(mail, "html"))


def texts(page: HtmlElement, selector: str) -> list[str]:
    return [str(each.text_content()) for each in page.cssselect(selector)]


@pytest.mark.parametrize(
    ("written", "where", "said"),
    [
        pytest.param('"Bell \\x07 rings"', "9:15", "U+0007", id="a bell"),
        pytest.param('"Next \\x85 line"', "9:15", "U+0085", id="C1"),
        pytest.param("Bell \x07 rings", "9:20", "U+0007", id="a bell, raw"),
        pytest.param('"A\\r\\nBcc: x@evil.example"', "9:15", "one line", id="a header"),
        pytest.param('"A\\u2028B"', "9:15", "U+2028", id="a separator of lines"),
        pytest.param('"A\\u202Egpj.exe"', "9:15", "U+202E", id="letters in reverse"),
        pytest.param('"A\\uFFFEB"', "9:15", "U+FFFE", id="no character"),
        pytest.param('"A\\uD800B"', "9:15", "U+D800", id="half a character"),
    ],
)
def test_a_headline_with_invisible_characters(
    project: Project, written: str, where: str, said: str
) -> None:
    project.issue(SHORT_ISSUE.replace(HEADLINE, written))
    done = project.run("send", "2017-04", "--yes")
    stopped(done, 2, f"issues/2017-04.yaml:{where}", said)
    assert not outbox(project)


@pytest.mark.parametrize(
    ("issue", "said"),
    [
        pytest.param("", "issues/2017-04.yaml: The file is empty.", id="no byte"),
        pytest.param("# later\n", "issues/2017-04.yaml: The file is empty.", id="a comment"),
        pytest.param(HEADING + "stories: []\n", "7:10: “stories” is empty.", id="no story"),
        pytest.param(HEADING + "stories:\n", "7:1: The issue has no story.", id="nothing below"),
    ],
)
def test_an_empty_issue(project: Project, issue: str, said: str) -> None:
    project.issue(issue)
    stopped(project.run("send", "2017-04", "--yes"), 2, said)
    assert not outbox(project)


@pytest.mark.parametrize(
    ("file", "part_"),
    [("partials/footer.mjml.j2", "mail.mjml.j2"), ("partials/footer.txt.j2", "mail.txt.j2")],
)
def test_a_template_that_drops_the_way_out_of_one_part(
    project: Project, file: str, part_: str
) -> None:
    path = project.folder / "templates" / "default" / file
    text = path.read_text()
    assert 1 == text.count("{{ slot_url('unsubscribe_url') }}")
    path.write_text(text.replace("{{ slot_url('unsubscribe_url') }}", "https://a.example/"))
    done = project.run("send", "2017-04", "--yes")
    stopped(done, 2, f"templates/default/{part_}: Readers find no link to unsubscribe.")
    assert not outbox(project)


def test_sixty_short_stories_all_arrive_in_their_order(project: Project) -> None:
    project.issue(HEADING + stories(60, "It is short."))
    went_well(project.run("send", "2017-04", "--yes"), "3 planned = 3 accepted")
    headlines = [f"Story number {each}" for each in range(1, 61)]
    for mail in mails(project):
        shown = texts(page_of(mail), ".lead, .head")
        lines = part(mail, "plain").splitlines()
        told = [lines[number - 1] for number, line in enumerate(lines) if line.startswith("-----")]
        assert headlines == shown
        assert headlines == [line for line in told if line.startswith("Story")]


def test_sixty_long_stories_are_not_sent_since_gmail_would_hide_the_last(project: Project) -> None:
    project.issue(HEADING + stories(60, "It is long. " * 100))
    done = project.run("send", "2017-04", "--yes")
    stopped(done, 3, "html-size", "cuts the mail off after story", "so nothing was sent")
    assert not outbox(project)


def test_names_from_right_to_left_and_joined_emoji_arrive_character_by_character(
    project: Project,
) -> None:
    strange = f"{WOMAN} & {LAWYER} {EMOJI} {JOINED}"
    project.issue(
        SHORT_ISSUE.replace(HEADLINE, f'"{strange}"')
        .replace("One story in April", f'"{strange}"')
        .replace("    links:", f"    quote: {{text: {JOINED}, by: {LAWYER}}}\n    links:")
        .replace("    links:", f"    source: {AGENCY}\n    links:")
    )
    (project.folder / "subscribers.csv").write_text(
        f"email,name,language\nr@readers.example,{WOMAN.replace('،', '')},en\n", encoding="utf-8"
    )
    went_well(project.run("send", "2017-04", "--yes"), "1 planned = 1 accepted")
    (mail,) = mails(project)
    page, text = page_of(mail), part(mail, "plain")
    assert strange == mail["Subject"]
    assert [strange] == texts(page, ".lead")
    assert strange in " ".join(text.splitlines())
    for told in (*texts(page, "body"), text):
        assert f"Dear {WOMAN.replace('،', '')}," in told
        assert f"— {LAWYER}" in told
        assert f"Source: {AGENCY}" in told
    assert WOMAN.replace("،", "") == mail["To"].addresses[0].display_name
