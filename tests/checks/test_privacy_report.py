"""What `newsletter check` says of hosts and readers: true to the mail, and to what it forbids."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from newsletter.checks.privacy_report import Opening, OpenPlace, in_words, privacy_report

from tests.checks.letters import NAME, Letter
from tests.cli.support import outbox, stopped, went_well
from tests.support.march import LANGUAGES, march
from tests.support.project import SETTINGS, SHORT_ISSUE, Project
from tests.support.spying import SEEN_BY_BROWSERS, SEEN_BY_OUTLOOK, spying_march

PICTURE = "https://pictures.example/images/veracruz-0123abcd.jpg"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path / "project")


def test_the_report_names_each_host_and_each_open_place(folder: Path) -> None:
    report = privacy_report(Letter().check_input(folder))
    assert (Opening("pictures.example", pictures=1, others=0),) == report.opening
    assert {
        "defenders.example": 2,
        "news.defenders.example": 1,  # the unsubscribe link
        "rsf.example": 3,
        "www.defenders.example": 1,
    } == report.links
    assert (
        OpenPlace("name", ("html", "text"), ("greeting",)),
        OpenPlace("unsubscribe_url", ("html", "text"), ()),
    ) == report.differs


def test_what_is_loaded_twice_is_fetched_once_and_other_things_are_counted_apart(
    folder: Path,
) -> None:
    more = (
        f'<img src="{PICTURE}" alt=""><p style="background:url({PICTURE})">'
        '<img src="https://pictures.example:8443/images/b.png" alt="">'
        "<style>@import 'https://fonts.example/f.css';</style>"
    )
    letter = Letter().seeded("html", "<h1>", f"{more}<h1>")
    assert (
        Opening("fonts.example", pictures=0, others=1),
        Opening("pictures.example", pictures=1, others=0),
        Opening("pictures.example:8443", pictures=1, others=0),
    ) == privacy_report(letter.check_input(folder)).opening


def test_a_field_in_the_subject_is_told(folder: Path) -> None:
    letter = Letter(subject=f"News for {NAME}").seeded(
        "issue", '"A mock', '"{{ name | friend }}: A mock'
    )
    (name, _) = privacy_report(letter.check_input(folder)).differs
    assert OpenPlace("name", ("subject", "html", "text"), ("subject", "greeting")) == name


def test_the_report_in_words(folder: Path) -> None:
    report = privacy_report(Letter().check_input(folder))
    assert [
        "Opening the mail contacts pictures.example (1 picture), and nobody else.",
        "A click on a link leads to one of 4 sites: defenders.example, "
        "news.defenders.example, rsf.example, www.defenders.example.",
        "Apart from its address lines, the mail differs from reader to reader only in "
        "the name (in the greeting) and the unsubscribe link.",
    ] == in_words([report])
    bare = replace(report, opening=(), links={"a.example": 1}, differs=())
    assert [
        "Opening the mail contacts nobody.",
        "A click on a link leads to one site: a.example.",
        "Apart from its address lines, the mail is the same for all readers.",
    ] == in_words([bare])
    worse = replace(
        report,
        opening=(Opening("a.example", 2, 1), Opening("b.example", 0, 2)),
        links={},
        differs=(OpenPlace("city", ("html",), ("greeting", "introduction")),),
    )
    assert [
        "Opening the mail contacts a.example (2 pictures and 1 other thing) and b.example "
        "(2 other things), and nobody else.",
        "No link leads to a site.",
        "Apart from its address lines, the mail differs from reader to reader only in "
        "“city” of the list (in the greeting and introduction).",
    ] == in_words([worse])


def test_pictures_inside_the_mail_contact_nobody(folder: Path) -> None:
    letter = Letter().seeded("html", PICTURE, "cid:veracruz@news.defenders.example")
    report = privacy_report(letter.check_input(folder))
    assert ((), 1) == (report.opening, report.inside)
    assert "Opening the mail contacts nobody; its pictures travel inside it." in in_words([report])


def test_languages_are_named_only_where_they_differ(folder: Path) -> None:
    english = privacy_report(Letter().check_input(folder))
    french = replace(english, language="fr", links={"rsf.example": 1})
    arabic = replace(english, language="ar", links={"rsf.example": 2})
    said = in_words([english, french, arabic])
    assert 4 == len(said)
    assert said[1].startswith("en: A click on a link leads to one of 4 sites")
    assert "fr, ar: A click on a link leads to one site: rsf.example." == said[2]


@pytest.mark.parametrize("language", LANGUAGES)
def test_march_contacts_the_host_of_its_pictures_and_differs_in_name_and_way_out(
    language: str,
) -> None:
    report = privacy_report(march(language).check_input())
    shown = {story.image.file for story in march(language).loaded.issue.stories if story.image}
    assert (Opening("news.defenders.example", len(shown), 0),) == report.opening
    fields = [place.field for place in report.differs]
    assert ["name", "unsubscribe_url", "preferences_url"] == fields


@pytest.mark.parametrize("language", ["en", "ar"])
def test_a_theme_with_spies_is_caught_for_each_of_them(language: str) -> None:
    spying = spying_march(language)
    findings = spying.findings()
    caught = {f.what.partition(" for ")[0] for f in findings if f.id == "privacy-contact"}
    spies = SEEN_BY_BROWSERS | SEEN_BY_OUTLOOK
    assert {f"Opening the mail contacts {host}" for host in spies} == caught
    assert "privacy-pixel" in {f.id for f in findings}
    opening = {each.host for each in privacy_report(spying.check_input()).opening}
    assert spies | {"news.defenders.example"} == opening


# Through the program


def test_check_says_what_the_mail_tells_and_to_whom(project: Project) -> None:
    project.use_march()
    went_well(
        project.run("check", "2017-03"),
        "Opening the mail contacts news.defenders.example (7 pictures), and nobody else.",
        "A click on a link leads to one of ",
        "differs from reader to reader only in the name (in the greeting) and the unsubscribe",
    )
    done = project.run("check", "2017-03", "--format", "json")
    (report,) = json.loads(done.stdout)["privacy"]
    assert [{"host": "news.defenders.example", "pictures": 7, "others": 0}] == report["opening"]
    assert ["name", "unsubscribe_url"] == [each["field"] for each in report["differs"]]


def test_with_pictures_inside_the_mail_check_says_that_nobody_is_contacted(
    project: Project,
) -> None:
    project.use_march()
    inline = SETTINGS.replace("[delivery]", '[mail]\npictures = "inline"\n[delivery]')
    (project.folder / "newsletter.toml").write_text(inline)
    went_well(project.run("check", "2017-03"), "contacts nobody; its pictures travel inside it.")


def test_a_link_with_a_tracking_mark_stops_the_send_and_shows_what_to_write(
    project: Project,
) -> None:
    project.issue(SHORT_ISSUE.replace("/only", "/only?utm_source=newsletter&id=7"))
    done = project.run("check", "2017-04")
    assert 3 == done.returncode
    assert "has the tracking parameter “utm_source”" in done.stdout
    assert "issues/2017-04.yaml:13:" in done.stdout
    assert "Write https://defenders.example/only?id=7 and check" in done.stdout
    stopped(project.run("send", "2017-04", "--yes"), 3)
    assert not outbox(project)


@pytest.mark.parametrize("command", [("check",), ("render", "--out", "build"), ("send", "--yes")])
@pytest.mark.parametrize(
    ("partial", "slot", "template"),
    [
        ("footer.mjml.j2", "{{ slot_url('unsubscribe_url') }}", "mail.mjml.j2"),
        ("footer.txt.j2", "slot_url('unsubscribe_url')", "mail.txt.j2"),
    ],
)
def test_a_template_that_drops_the_unsubscribe_slot_is_refused_and_named(
    project: Project, partial: str, slot: str, template: str, command: tuple[str, ...]
) -> None:
    path = project.folder / "templates" / "default" / "partials" / partial
    text = path.read_text(encoding="utf-8")
    assert slot in text
    path.write_text(text.replace(slot, "''" if "txt" in partial else ""), encoding="utf-8")
    name, *options = command
    done = project.run(name, "2017-04", *options)
    stopped(done, 2, "Readers find no link to unsubscribe.", f"templates/default/{template}")
    assert "unsubscribe_url" in done.stderr
    assert not outbox(project)
