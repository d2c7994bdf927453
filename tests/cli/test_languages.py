"""The March 2017 issue in all its languages, sent: everyone gets theirs, and nothing of another."""

import json
from email.message import EmailMessage
from pathlib import Path

import pytest
from lxml import html as lxml_html

from tests.cli.support import files, mails, outbox, part, stopped, went_well
from tests.support.march import LANGUAGES, SETTINGS, march
from tests.support.project import Project, newsletter_of_this_repository
from tests.support.tongues import (
    WORDS,
    flat,
    leaks,
    of_issue,
    of_organisation,
    of_story,
    phrases,
    read_html,
    read_text,
    stands,
)

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


def shown(mail: EmailMessage, kind: str) -> str:
    """What a reader of one part sees, subject included."""
    read = read_html if kind == "html" else read_text
    return f"{mail['Subject']} {read(part(mail, kind))}"


@pytest.mark.parametrize(("address", "language"), READERS.items())
def test_a_reader_gets_the_edition_of_their_language(
    sent: dict[str, EmailMessage], address: str, language: str
) -> None:
    mail, issue = sent[address], march(language).loaded.issue
    assert language == mail["Content-Language"]
    assert issue.subject == mail["Subject"]
    for kind in ("html", "plain"):
        text = shown(mail, kind)
        for story in issue.stories:
            assert flat(story.name) in text
        assert flat(issue.posts[0].text) in text


PAIRS = [(language, other) for language in LANGUAGES for other in WORDS if other != language]


@pytest.mark.parametrize("kind", ["html", "plain"])
@pytest.mark.parametrize(("language", "other"), PAIRS)
def test_no_phrase_of_one_language_leaks_into_another(
    sent: dict[str, EmailMessage], language: str, other: str, kind: str
) -> None:
    for address in (address for address, spoken in READERS.items() if spoken == language):
        assert [] == leaks(language, shown(sent[address], kind), [other])


@pytest.mark.parametrize("kind", ["html", "plain"])
@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_looked_for_in_other_editions_stands_in_its_own(
    sent: dict[str, EmailMessage], language: str, kind: str
) -> None:
    address = next(address for address, spoken in READERS.items() if spoken == language)
    mail, issue = sent[address], march(language).loaded.issue
    organisation, _ = SETTINGS.organisation_in(language)
    looked_for = {
        flat(phrase) for phrase in (*of_issue(issue), *of_organisation(organisation))
    } & phrases(language)
    # Plain text has no line that inboxes show after the subject.
    hidden = {issue.preheader} if kind == "plain" else set()
    assert len(looked_for) > 150
    text = shown(mail, kind)
    assert hidden == {each for each in looked_for if not stands(each, text)}


@pytest.mark.parametrize(("language", "other"), PAIRS)
def test_each_phrase_that_leaks_is_found(language: str, other: str) -> None:
    foreign = phrases(other) - phrases(language)
    text = read_text(march(language).edition.text)
    assert len(foreign) >= 50
    assert sorted(foreign) == leaks(language, f"{text} {' | '.join(foreign)}", [other])


def rendered(project: Project, language: str) -> dict[str, str]:
    """Both parts that the first reader of a language would get."""
    address = next(address for address, spoken in READERS.items() if spoken == language)
    went_well(project.run("render", "2017-03", "--out", "build", "--to", address))
    built = project.folder / "build" / f"2017-03.{language}"
    return {kind: built.with_suffix(f".{language}.{kind}").read_text() for kind in ("html", "txt")}


def replace(file: Path, old: str, new: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")


def test_leaks_through_the_issue_the_theme_and_the_settings_are_found(tmp_path: Path) -> None:
    project = newsletter_of_this_repository(tmp_path / "project")
    french = project.folder / "issues" / "2017-03.fr.yaml"
    words = project.folder / "templates" / "default" / "words" / "fr.toml"
    replace(french, "Lire le récit complet d’Elena", "Read Elena’s whole account")
    replace(french, "Plaidoyer et rapports", "Advocacy and reports")
    replace(words, "Nous suivre", "Follow us")
    replace(project.folder / "newsletter.toml", "translations.fr]", "translations.de]")
    overlooked = {"Read Elena’s whole account", "Advocacy and reports", "Follow us"}
    wanted = sorted(overlooked | set(of_organisation(SETTINGS.organisation)) - phrases("fr"))
    parts = rendered(project, "fr")
    assert wanted == leaks("fr", read_html(parts["html"]))
    assert wanted == leaks("fr", read_text(parts["txt"]))


@pytest.mark.parametrize(("language", "told"), [("fr", "En anglais"), ("ar", "باللغة الإنجليزية")])
def test_a_story_that_falls_back_is_the_only_foreign_one_and_says_so(
    tmp_path: Path, language: str, told: str
) -> None:
    project = newsletter_of_this_repository(tmp_path / "project")
    file = project.folder / "issues" / f"2017-03.{language}.yaml"
    before, _, after = file.read_text(encoding="utf-8").partition("  - id: kampala\n")
    fallback = before.replace("\nlead:", "\nfallback: [kampala]\nlead:")
    file.write_text(fallback + after[after.index("posts:") :], encoding="utf-8")
    checked = project.run("check", "2017-03")
    assert (0, 1) == (checked.returncode, checked.stdout.count("translation-fallback"))
    story = march("en").loaded.issue.stories[-1]
    own = flat(" | ".join(of_story(story)))

    parts = rendered(project, language)
    page = lxml_html.document_fromstring(parts["html"])
    (foreign,) = page.cssselect('div[lang="en"][dir="ltr"]')
    assert told in [flat(str(each)) for each in foreign.itertext()]
    found = leaks(language, read_html(parts["html"]))
    assert story.headline in found
    assert [] == [phrase for phrase in found if not stands(phrase, own)]
    for element in page.cssselect('[lang="en"]'):
        element.text = ""
        element[:] = []
    assert [] == leaks(language, read_html(lxml_html.tostring(page, encoding="unicode")))

    before, headline, after = parts["txt"].rpartition(f"{story.kicker}\n{story.headline}\n-")
    block, line, rest = after.partition("=" * 24)
    assert f"({told})" in block
    assert story.headline in leaks(language, read_text(headline + block))
    others = before.replace(f"  * {story.headline}\n", "") + line + rest
    assert [] == leaks(language, read_text(others))


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
    # A label in the script of the page that it leads to is spoken in that page's language.
    labels = {each for each in named if each[1] == "auto"}
    assert {(language, direction)} == named - labels
    assert {tag for tag, _ in labels} <= {"en", "es", "fr", "ru"} - {language}
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


def test_a_proof_says_which_language_was_accepted(tmp_path: Path) -> None:
    project = newsletter_of_this_repository(tmp_path / "project")
    done = project.run("test", "2017-03", "--to", "me@example.org")
    went_well(done, *(f"me@example.org, in {name}: accepted" for name in ("English", "Arabic")))
    assert 4 == len(mails(project)) == done.stdout.count(": accepted")


def test_a_translation_that_lacks_a_story_is_not_sent(tmp_path: Path) -> None:
    project = newsletter_of_this_repository(tmp_path / "project")
    file = project.folder / "issues" / "2017-03.ar.yaml"
    before, _, after = file.read_text(encoding="utf-8").partition("  - id: kampala\n")
    file.write_text(before + after[after.index("posts:") :], encoding="utf-8")
    stopped(project.run("send", "2017-03", "--yes"), 2, "issues/2017-03.ar.yaml:", "“kampala”")
    assert [] == outbox(project)


def test_a_translation_begins_as_a_copy_that_check_goes_through(tmp_path: Path) -> None:
    project = Project(tmp_path / "project")
    went_well(
        project.run("new", "2017-04.fr", "--title", "Avril 2017"),
        "issues/2017-04.fr.yaml is ready, as a copy of issues/2017-04.yaml.",
        "newsletter check 2017-04",
        "2017-04.fr.yaml.draft",
    )
    stopped(
        project.run("check", "2017-04"),
        2,
        "“subject”, “preheader” and “greeting” are not translated. Translate them.",
        "story “The only story of the month”: “headline” and “blurb” are not translated.",
    )
    french = project.folder / "issues" / "2017-04.fr.yaml"
    assert 'title: "Avril 2017"' in french.read_text(encoding="utf-8")
    french.rename(french.with_name("2017-04.fr.yaml.draft"))
    went_well(project.run("check", "2017-04"))


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("2017-04.en",), "The issue is in “en” already."),
        (("2017-05.fr",), "There is no issue “2017-05” to translate."),
        (("2017-04.fr", "--date", "2017-04-28"), "Leave --date and --language out."),
        (("2017-04.fr", "--language", "es"), "Leave --date and --language out."),
        (("2017-04.fr", "--skeleton", "essay"), "Leave --skeleton out."),
    ],
)
def test_a_translation_that_makes_no_sense_is_not_begun(
    tmp_path: Path, arguments: tuple[str, ...], told: str
) -> None:
    project = Project(tmp_path / "project")
    before = files(project)
    stopped(project.run("new", *arguments), 2, told)
    assert before == files(project)
