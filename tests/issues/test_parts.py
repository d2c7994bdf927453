"""Stories, introductions and closings as lists of parts: read, translated, shown, checked."""

import re
from pathlib import Path

import pytest
from lxml import etree
from newsletter.checks.check_input import CheckInput
from newsletter.checks.finding import Finding, Severity
from newsletter.checks.run import run_checks
from newsletter.errors import IssueError
from newsletter.issues.languages import load_languages
from newsletter.issues.loader import LoadedIssue, load_issue
from newsletter.issues.material import load_material
from newsletter.material import Material
from newsletter.model import SHORTHAND, Issue, Story
from newsletter.render.edition import CompileInput, Edition
from newsletter.render.feed import render_feed
from newsletter.render.locales import date_in_words
from newsletter.render.pipeline import compile_edition
from newsletter.render.web import Site
from newsletter.render.web_urls import WebIssue

from tests.archive.built import html_of
from tests.issues.originals import jpeg, photograph
from tests.issues.support import problems, write
from tests.render.themes import FULL_STORY, SETTINGS, THEMES

HEAD = """\
title: February 2017
date: 2017-02-20
language: en
subject: All parts
preheader: What stands in this issue, in an order of its own
"""
ISSUE = f"""{HEAD}strapline: News for members
lead: none
contents: false
sections:
  - id: dates
    title: Dates of the month
    body:
      - text: All of them are **free**.
stories:
  - id: geneva
    headline: Two rapporteurs speak
    section: dates
    look: event
    body:
      - text: They tell what they saw.
      - facts:
          - {{term: When, when: "Thursday 2017-03-02 13:00/14:30 Europe/Zurich"}}
          - {{term: Where, value: "Palais des Nations, [Room XXI](https://room.example/)"}}
          - {{term: Registration, deadline: 2017-02-24}}
      - quote: {{text: We listen., by: A rapporteur}}
      - links:
          - label: Register in Geneva now
            url: "https://events.example/geneva"
            by: The office
            note: Bring a passport
      - text: And after the links, more.
  - id: notice
    section: dates
    blurb: The office is closed on Monday.
closing:
  - text: Written by two people.
  - links: [{{label: Take part in our survey, url: "https://a.example/survey"}}]
"""
FRENCH = (
    ISSUE.replace("language: en", "language: fr")
    .replace("All parts", "Tout")
    .replace("What stands in this issue, in an order of its own", "Ce numéro, dans son ordre")
    .replace("News for members", "Pour les membres")
    .replace("All of them are **free**", "Toutes sont **libres**")
    .replace("Two rapporteurs speak", "Deux rapporteurs parlent")
    .replace("They tell what they saw", "Ils racontent")
    .replace("We listen", "Nous écoutons")
    .replace("Bring a passport", "Avec un passeport")
    .replace("And after the links, more", "Et encore ceci")
    .replace("The office is closed on Monday", "Le bureau est fermé")
    .replace("Written by two people", "Écrit à deux")
)


def loaded(folder: Path, text: str = ISSUE) -> LoadedIssue:
    return load_issue(write(folder, text))


def compiled(one: LoadedIssue, theme: str = "default", material: Material | None = None) -> Edition:
    given = CompileInput(one.issue, one.source, THEMES[theme], SETTINGS, material or Material())
    return compile_edition(given)


def findings(one: LoadedIssue, material: Material | None = None) -> list[Finding]:
    given = CompileInput(one.issue, one.source, THEMES["default"], SETTINGS, material or Material())
    return list(run_checks(CheckInput.of(given, compile_edition(given), one.original)))


def page_of(one: LoadedIssue, material: Material | None = None) -> str:
    assert SETTINGS.archive is not None
    site = Site(THEMES["default"], SETTINGS, SETTINGS.archive, ("en",))
    web = WebIssue(one.issue, material or Material())
    return site.page(web, languages=["en"], has_pdf=False).decode()


def feed_of(one: LoadedIssue) -> str:
    assert SETTINGS.archive is not None
    site = Site(THEMES["default"], SETTINGS, SETTINGS.archive, ("en",))
    feed = etree.fromstring(render_feed(site, [WebIssue(one.issue, Material())], language="en"))
    content = feed.findtext(".//{http://www.w3.org/2005/Atom}content")
    return str(html_of(str(content)).text_content())


def in_order(text: str, *words: str) -> bool:
    places = [text.find(word) for word in words]
    return -1 not in places and places == sorted(places)


SAID = (
    "All of them are", "Event", "Two rapporteurs speak", "They tell what they saw", "When",
    "Thursday, 2 March 2017, 13:00–14:30 (Central European Standard Time)", "Where", "Room XXI",
    "Friday, 24 February 2017", "We listen.", "A rapporteur", "Register in Geneva now",
    "And after the links, more.", "The office is closed on Monday.", "Written by two people.",
    "Take part in our survey",
)  # fmt: skip


@pytest.mark.parametrize("theme", THEMES)
def test_each_part_is_shown_where_it_stands(tmp_path: Path, theme: str) -> None:
    edition = compiled(loaded(tmp_path), theme)
    for part in (html_of(edition.html).text_content(), edition.text):
        assert in_order(" ".join(part.split()), *SAID)
        assert "Bring a passport" in part
        assert "News for members" in part
    assert "In this issue" not in edition.html
    assert '<td class="' in edition.html


def test_page_and_feed_show_each_part(tmp_path: Path) -> None:
    one = loaded(tmp_path)
    page = html_of(page_of(one))
    assert in_order(" ".join(page.text_content().split()), *SAID)
    assert ["When", "Where", "Registration"] == page.xpath("//dl/div/dt/text()")
    assert ["story look event"] == page.xpath("//article[@id='geneva']/@class")
    assert in_order(" ".join(feed_of(one).split()), *(word for word in SAID if word != "Event"))


def test_nothing_is_found_in_a_good_one(tmp_path: Path) -> None:
    assert [] == [f"{each.id}: {each.what}" for each in findings(loaded(tmp_path))]


def test_the_usual_keys_are_short_for_parts() -> None:
    kinds = [part.kind for part in FULL_STORY.content]
    assert list(SHORTHAND.values()) == kinds
    assert FULL_STORY.opening is FULL_STORY.image
    assert kinds[1:] == [part.kind for part in FULL_STORY.rest]
    long = Story(id="full", headline=FULL_STORY.headline, body=FULL_STORY.content)
    assert FULL_STORY.content == long.content


@pytest.mark.parametrize("theme", THEMES)
def test_written_out_or_short_a_story_is_the_same_mail(tmp_path: Path, theme: str) -> None:
    one = loaded(tmp_path)
    mails = []
    for story in (
        FULL_STORY.model_copy(update={"image": None, "section": "dates"}),
        Story(
            id="full", headline=FULL_STORY.headline, section="dates", kicker=FULL_STORY.kicker,
            body=FULL_STORY.content[1:],
        ),
    ):  # fmt: skip
        issue = one.issue.model_copy(update={"stories": (story,)})
        edition = compiled(LoadedIssue(issue, one.source), theme)
        mails.append([re.sub(r"Zq[0-9a-f]{8}x", "", each) for each in (edition.html, edition.text)])
    assert mails[0] == mails[1]


BAD = {
    "no such day": (
        "deadline: 2017-02-24",
        "deadline: 2017-02-30",
        "24:44",
        "“deadline” names 2017-02-30, a day that does not exist.",
    ),
    "no such zone": (
        "Europe/Zurich",
        "Europe/Zurick",
        "22:32",
        "“when” names the time zone “Europe/Zurick”, which does not exist.",
    ),
    "an hour skipped": (
        "Thursday 2017-03-02 13:00/14:30",
        "2017-03-26 02:30",
        "22:32",
        "“when” names 02:30 on 2017-03-26, an hour that does not exist",
    ),
    "an hour twice": (
        "Thursday 2017-03-02 13:00/14:30",
        "2017-10-29 02:30",
        "22:32",
        "“when” names 02:30 on 2017-10-29, an hour that comes twice",
    ),
    "no date": (
        "deadline: 2017-02-24",
        "deadline: soon",
        "24:44",
        "“deadline” is no date that can be read.",
    ),
    "two values": (
        "deadline: 2017-02-24",
        "deadline: 2017-02-24, value: x",
        "24:13",
        "The fact must have either “value”, “when” or “deadline”.",
    ),
    "two keys": (
        "      - quote: {text",
        "      - highlight: x\n        quote: {text",
        "25:9",
        "The part must have one key.",
    ),
    "an unknown key": (
        "      - quote: {text",
        "      - qoute: {text",
        "25:9",
        "The part has no key “qoute”.",
    ),
    "no list": ("  - text: Written", "  - Written", "36:5", "The part must have keys of its own."),
    "both forms": (
        "    look: event",
        "    look: event\n    blurb: Both",
        "15:5",
        "The story has “blurb” beside “body”.",
    ),
    "a background in a closing": (
        "  - text: Written",
        "  - background: {title: x, text: y}\n  - text: Written",
        "36:3",
        "“closing” has a background, which only a story can have.",
    ),
    "a story called none": (
        "  - id: notice",
        "  - id: none",
        "32:9",
        "“none” cannot be the id of a story.",
    ),
    "a size that is none": (
        "      - quote: {text",
        "      - image: {file: port.png, alt: x, credit: y, size: big}\n      - quote: {text",
        "25:58",
        "“big” cannot be the value of “size”. Write small, or leave the key out.",
    ),
    "contents that are neither": (
        "contents: false",
        "contents: maybe",
        "8:11",
        "“contents” is neither true nor false.",
    ),
    "no lead": ("lead: none", "lead: non", "7:7", "The lead story “non” is none of the stories."),
    "nothing said": (
        "    blurb: The office is closed on Monday.\n",
        "",
        "32:5",
        "The story has no “blurb”.",
    ),
}


@pytest.mark.parametrize(("old", "new", "place", "what"), BAD.values(), ids=BAD)
def test_a_mistake_is_told_with_line_and_remedy(
    tmp_path: Path, old: str, new: str, place: str, what: str
) -> None:
    assert old in ISSUE
    (told,) = problems(tmp_path, ISSUE.replace(old, new, 1))
    assert told.startswith(f"{place}"), told
    assert what in told


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        (
            "      - quote: {text: Nous écoutons., by: A rapporteur}\n",
            "",
            "Here stands the part “links”, in the original “quote”.",
        ),
        ("      - text: Et encore ceci.\n", "", "The part “text” is missing."),
        (
            "  - text: Écrit à deux.\n",
            "  - text: Written by two people.\n",
            "“0.text” is not translated.",
        ),
        ("Toutes sont **libres**", "All of them are **free**", "“0.text” is not translated."),
        ("2017-02-24", "2017-02-25", "“deadline” is 2017-02-25, in the original 2017-02-24."),
        ("look: event", "look: call", "“look” is call, in the original event."),
        (
            "https://a.example/survey",
            "https://a.example/other",
            "The link to https://a.example/survey is missing.",
        ),
        (
            "lead: none",
            "lead: geneva",
            "The translation leads with “geneva”, the original with “none”.",
        ),
        ("contents: false\n", "", "The original says contents: false."),
        ("strapline: Pour les membres\n", "", "“strapline” is missing."),
        (
            "          - {term: Registration, deadline: 2017-02-24}\n",
            "",
            "“facts.2.term” is missing.",
        ),
    ],
)
def test_a_translation_has_the_same_parts(tmp_path: Path, old: str, new: str, what: str) -> None:
    original = write(tmp_path, ISSUE)
    write(tmp_path, FRENCH, "2017-03.fr.yaml")
    assert {"en", "fr"} == set(load_languages(original))
    assert old in FRENCH
    write(tmp_path, FRENCH.replace(old, new), "2017-03.fr.yaml")
    with pytest.raises(IssueError) as caught:
        load_languages(original)
    assert what in " ".join(problem.what for problem in caught.value.problems)


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("look", ["event", "call", "statement", "highlights", "sponsor"])
def test_each_look_has_a_form_of_its_own_and_no_fault(
    tmp_path: Path, look: str, theme: str
) -> None:
    plain, own = (
        loaded(tmp_path, ISSUE.replace("    look: event\n", line))
        for line in ("", f"    look: {look}\n")
    )
    shapes = []
    for one in (plain, own):
        given = CompileInput(one.issue, one.source, THEMES[theme], SETTINGS, Material())
        edition = compile_edition(given)
        found = run_checks(CheckInput.of(given, edition, None))
        assert [] == [each.what for each in found if each.severity is Severity.ERROR]
        shapes.append((edition, page_of(one)))
    (before, page_before), (after, page) = shapes
    label = THEMES[theme].words["en"][f"look_{look}"]
    assert f"[ {label} ]" in after.text
    assert label in html_of(after.html).text_content()
    assert f'class="story look {look}"' in page
    assert f"[ {label} ]" not in before.text
    assert f"look {look}" not in page_before


def test_readers_get_dates_in_their_language(tmp_path: Path) -> None:
    write(tmp_path, FRENCH, "2017-03.fr.yaml")
    french = load_languages(write(tmp_path, ISSUE))["fr"]
    shown = "jeudi 2 mars 2017, 13:00–14:30 (heure normale d’Europe centrale)"
    edition = compiled(french)
    assert shown in html_of(edition.html).text_content()
    assert shown in " ".join(edition.text.split())


@pytest.mark.parametrize(
    ("typed", "language", "shown"),
    [
        ("2017-03-02", "en", "Thursday, 2 March 2017"),
        ("2017-03-02 10:00", "de", "Donnerstag, 2. März 2017, 10:00"),
        ("2017-03-02/2017-03-04", "es", "jueves, 2 de marzo de 2017 – sábado, 4 de marzo de 2017"),
        ("2017-07-02 13:00 Europe/Paris", "zh", "2017年7月2日星期日 13:00 (中欧夏令时间)"),
        ("2017-03-02 13:00 UTC", "ar-EG", "الخميس، ٢ مارس ٢٠١٧، ١:٠٠ م (التوقيت العالمي المنسق)"),
        ("2017-03-02 13:00 UTC", "xx", "2017-03-02 13:00 (UTC)"),
        ("0001-01-01 00:30 Asia/Tokyo", "en", "Monday, 1 January 1, 00:30 (Japan Standard Time)"),
    ],
)
def test_a_date_is_written_as_its_language_does(typed: str, language: str, shown: str) -> None:
    assert shown == date_in_words(typed, language)


@pytest.mark.parametrize(
    ("old", "new", "id_", "line"),
    [
        ("Thursday 2017", "Friday 2017", "weekday", 22),
        ("2017-02-24", "2017-02-19", "date-over", 24),
        ("look: event", "look: evnet", "look-unknown", 18),
    ],
)
def test_what_may_be_wrong_is_found(
    tmp_path: Path, old: str, new: str, id_: str, line: int
) -> None:
    (found,) = findings(loaded(tmp_path, ISSUE.replace(old, new)))
    assert (id_, line) == (found.id, found.where.line)


@pytest.mark.parametrize("theme", THEMES)
def test_sixty_parts_of_each_kind_and_a_picture_used_twenty_times(
    tmp_path: Path, theme: str
) -> None:
    write(tmp_path, "").with_name("images").joinpath("one.jpg").write_bytes(
        jpeg(photograph(300, 200))
    )
    kinds = {
        "text": "text: Text {n}.",
        "highlight": "highlight: Highlight {n}",
        "quote": "quote: {{text: Quote {n}, by: Somebody {n}}}",
        "facts": "facts: [{{term: Term {n}, value: Value {n}}}]",
        "links": 'links: [{{label: Link number {n}, url: "https://a.example/{n}"}}]',
        "source": "source: Source {n}",
    }
    body = [f"      - {form.format(n=n)}" for form in kinds.values() for n in range(60)]
    body += [f"      - image: {{file: one.jpg, alt: Picture {n}, credit: Us}}" for n in range(20)]
    text = HEAD + "stories:\n  - id: one\n    headline: One\n    body:\n" + "\n".join(body) + "\n"
    one = loaded(tmp_path, text)
    material = load_material(one, tmp_path, shown=THEMES[theme].shown)
    edition = compiled(one, theme, material)
    assert 1 == len(material.shown)
    assert 20 == edition.html.count("<img")
    for said in ("Text 59", "Highlight 59", "Quote 59", "Value 59", "Link number 59", "Source 59"):
        assert said in edition.html
        assert said in edition.text
    assert {"html-size", "picture-blurred"} >= {
        each.id for each in findings(one, material) if each.severity.value == "error"
    }


def test_an_issue_may_have_neither_lead_nor_headlines(tmp_path: Path) -> None:
    one = loaded(tmp_path, ISSUE.replace("    headline: Two rapporteurs speak\n", ""))
    issue: Issue = one.issue
    assert None is issue.lead_story
    assert ["geneva", "notice"] == [story.id for story in issue.reading_order]
    assert [] == [each.what for each in findings(one) if each.severity.value == "error"]
    assert "headline_" not in page_of(one)
