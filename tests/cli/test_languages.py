"""The March 2017 issue in all its languages, sent: everyone gets theirs, and nothing of another."""

import functools
import json
import re
import tomllib
from email.message import EmailMessage
from pathlib import Path

import pytest
from lxml import html as lxml_html
from newsletter.issues.languages import load_languages
from newsletter.model import Issue

from tests.cli.support import mails, outbox, part, stopped
from tests.support.project import newsletter_of_this_repository
from tests.support.tools import ROOT

READERS = {
    "anna.lindqvist@parliament.example": "en",
    "desk@pressagency.example": "en",
    "renee.lefevre@courrier.example": "fr",
    "amadou@radio.example": "fr",
    "lucia@defensoras.example": "es",
    "mateo+noticias@periodico.example": "es",
    "nour@observatory.example": "ar",
    "salma@lawyers.example": "ar",
    # There is no Russian edition, so these get the language of newsletter.toml.
    "olga@memory.example": "en",
    "ivan.petrov@legal-aid.example": "en",
}
WORDS = ("en", "fr", "es", "ar", "ru")


@pytest.fixture(scope="module")
def sent(tmp_path_factory: pytest.TempPathFactory) -> dict[str, EmailMessage]:
    """The mail that each address of the example list got."""
    project = newsletter_of_this_repository(tmp_path_factory.mktemp("languages") / "project")
    done = project.run("send", "2017-03", "--yes")
    assert 0 == done.returncode, done.stdout + done.stderr
    found = mails(project)
    by_address = {mail["To"].addresses[0].addr_spec: mail for mail in found}
    assert 13 == len(found) == len(by_address)
    return by_address


@functools.cache
def issues() -> dict[str, Issue]:
    loaded = load_languages(ROOT / "issues" / "2017-03.yaml", fields=("organisation",))
    return {language: one.issue for language, one in loaded.items()}


@functools.cache
def phrases(language: str) -> frozenset[str]:
    """What the theme says in a language, cut where something is put in."""
    words = tomllib.loads(words_file(language).read_text(encoding="utf-8"))
    pieces = (piece for text in words.values() for piece in re.split(r"\{\w+\}", text))
    return frozenset(flat(piece) for piece in pieces if len(re.findall(r"\w", piece)) > 1)


def words_file(language: str) -> Path:
    return ROOT / "templates" / "default" / "words" / f"{language}.toml"


def flat(text: str) -> str:
    # French no-break spaces are part of its phrases, line breaks of the text part are not.
    return re.sub(r"[ \t\r\n]+", " ", text).strip()


def shown(mail: EmailMessage, kind: str) -> str:
    """What a reader of one part sees, on one line."""
    content = part(mail, kind)
    if kind == "plain":
        return flat(content)
    page = lxml_html.document_fromstring(content)
    for element in page.iter("style", "script"):
        element.text = ""
    return flat(" ".join(map(str, page.itertext())))


@pytest.mark.parametrize(("address", "language"), READERS.items())
def test_a_reader_gets_the_edition_of_their_language(
    sent: dict[str, EmailMessage], address: str, language: str
) -> None:
    mail, issue = sent[address], issues()[language]
    assert language == mail["Content-Language"]
    assert issue.subject == mail["Subject"]
    for kind in ("html", "plain"):
        text = shown(mail, kind)
        for story in issue.stories:
            assert flat(story.headline) in text
        assert flat(issue.posts[0].text) in text


@pytest.mark.parametrize("kind", ["html", "plain"])
@pytest.mark.parametrize(("address", "language"), READERS.items())
def test_nothing_of_another_language_stands_in_it(
    sent: dict[str, EmailMessage], address: str, language: str, kind: str
) -> None:
    text = shown(sent[address], kind)
    own = phrases(language) | said(language)
    assert len([phrase for phrase in own if stands(phrase, text)]) > len(own) // 2
    foreign = {p for other in WORDS if other != language for p in phrases(other) | said(other)}
    assert [] == [phrase for phrase in sorted(foreign - own) if stands(phrase, text)]


def said(language: str) -> frozenset[str]:
    """What an issue says in one language and in no other."""
    issue = issues().get(language)
    if issue is None:
        return frozenset()
    parts = [issue.title, issue.subject, *(section.title for section in issue.sections)]
    for story in issue.stories:
        parts += [story.headline, story.highlight or "", *story.blurb.split("\n\n")]
        parts += [story.image.alt, story.image.credit] if story.image else []
        parts += [story.quote.text] if story.quote else []
    return frozenset(flat(part) for part in parts if part)


def stands(phrase: str, text: str) -> bool:
    """Whether a phrase stands there as whole words: no “Contact” in “Contacto”."""
    return bool(re.search(rf"(?<!\w){re.escape(phrase)}(?!\w)", text))


@pytest.mark.parametrize(("address", "language"), READERS.items())
def test_language_and_direction_are_named_on_the_page_and_inside_it(
    sent: dict[str, EmailMessage], address: str, language: str
) -> None:
    direction = "rtl" if language == "ar" else "ltr"
    page = lxml_html.document_fromstring(part(sent[address], "html"))
    assert (language, direction) == (page.get("lang"), page.get("dir"))
    body = page.find("body")
    assert body is not None
    named = {(e.get("lang"), e.get("dir")) for e in body.iter("*") if e.get("lang")}
    assert {(language, direction)} == named
    wrong = "ltr" if direction == "rtl" else "rtl"
    assert [] == [e for e in body.iter("table", "td", "div")
                  if f"direction:{wrong}" in (e.get("style") or "")]  # fmt: skip


def test_a_finding_names_the_file_of_its_language(tmp_path: Path) -> None:
    project = newsletter_of_this_repository(tmp_path / "project")
    file = project.folder / "issues" / "2017-03.fr.yaml"
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace("une porte gardée", "un lorem ipsum"), encoding="utf-8")
    done = project.run("check", "2017-03", "--format", "json")
    found = {(each["file"], each["story_id"]) for each in json.loads(done.stdout)["findings"]}
    assert ({("issues/2017-03.fr.yaml", "avenir-jeunes")}, 3) == (found, done.returncode)


def test_a_translation_that_lacks_a_story_is_not_sent(tmp_path: Path) -> None:
    project = newsletter_of_this_repository(tmp_path / "project")
    file = project.folder / "issues" / "2017-03.ar.yaml"
    before, _, after = file.read_text(encoding="utf-8").partition("  - id: kampala\n")
    file.write_text(before + after[after.index("posts:") :], encoding="utf-8")
    stopped(project.run("send", "2017-03", "--yes"), 2, "issues/2017-03.ar.yaml:", "“kampala”")
    assert [] == outbox(project)
