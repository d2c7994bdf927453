"""Each check: silent on a clean letter, loud on the fault that was put into it."""

from dataclasses import replace
from pathlib import Path

import pytest
from newsletter.checks.finding import Severity
from newsletter.checks.run import CHECKS
from newsletter.config import load_settings
from newsletter.render.slots import Slot

from tests.checks.letters import HTML, ISSUE, LEAVE, LEAVE_TEXT, SETTINGS, SLOTS, Letter
from tests.checks.test_pictures import SEEDED as seeded_in_pictures  # noqa: N811 - SEEDED is here
from tests.support.tools import ROOT

E, W, N = Severity.ERROR, Severity.WARNING, Severity.NOTE
PREHEADER = "Fear in Veracruz, a year of safety, and a guard at the door"
SUBJECT = "A mock retrial, and two more stories"
REPORT = '<a href="https://rsf.example/veracruz">Read the report on Veracruz</a>'
WEB_PAGE = "https://pictures.example/2017-03.en.html"
VIEWPORT = "<meta name='viewport' content='width=device-width, "
HIDDEN = f'<a style="display: none" href="{LEAVE}">'
LONG_ALT = "A harbour at dusk, " * 7

SEEDED = [
    ("html-size", W, "html", "</body>", f"<!--{'x' * 86 * 1024}--></body>", 8),
    ("html-size", E, "html", "</body>", f"<!--{'x' * 100 * 1024}--></body>", 8),
    ("style-size", W, "html", ".a{color:red}", ".a{color:red}" * 700, None),
    ("style-size", E, "html", ".a{color:red}", ".a{color:red}" * 1300, None),
    ("contrast", E, "html", "<p>Mexico</p>", '<p style="color:#999">Mexico</p>', None),
    (
        "contrast-forced-dark", W, "html", "<p>Mexico</p>",
        '<p style="background:#ffc93c;color:#171b45">Mexico</p>', None,
    ),
    ("control-characters", E, "html", "asks.", "asks\x92.", None),
    ("control-characters", E, "subject", "mock", "mock\x92", None),
    ("subject-long", W, "subject", SUBJECT, "m" * 51, 4),
    ("subject-shouts", W, "subject", SUBJECT, "READ THIS NOW", 4),
    ("subject-shouts", W, "subject", SUBJECT, "Read this now!!", 4),
    ("subject-reply", W, "subject", "A mock", "Re: A mock", 4),
    ("subject-reply", W, "subject", "A mock", "FWD: A mock", 4),
    ("preheader-missing", W, "preheader", PREHEADER, "", 5),
    ("preheader-missing", E, "html", PREHEADER, "Something else", 5),
    ("preheader-repeats", E, "everywhere", PREHEADER, SUBJECT, 5),
    ("preheader-length", W, "everywhere", PREHEADER, "Fear in Veracruz", 5),
    ("preheader-length", W, "everywhere", PREHEADER, "Fear in Veracruz. " * 7, 5),
    ("title-missing", E, "html", "Defenders · March 2017", " ", None),
    ("first-words", W, "html", "March 2017</h1>", f"March 2017</h1><p>{'so ' * 60}</p>", 4),
    ("first-words", W, "html", "<p>Dear", f'<a href="{WEB_PAGE}">Web</a><p>Dear', None),
    ("language", E, "html", '<html lang="en"', '<html lang="und"', None),
    ("language", E, "html", '<html lang="en"', "<html", None),
    ("language", E, "html", '<html lang="en"', '<html lang="fr"', None),
    ("direction", E, "html", 'lang="en" dir="ltr"><head', 'lang="en" dir="auto"><head', None),
    ("language-in-body", E, "html", 'role="article" lang="en" dir="ltr"', "", None),
    ("language-in-body", E, "html", 'none" lang="en" dir="ltr"', 'none" lang="en"', None),
    ("table-role", E, "html", REPORT, f"<table><tr><td>{REPORT}</td></tr></table>", None),
    ("duplicate-id", E, "html", REPORT, f'<i id="a"></i><i id="a"></i>{REPORT}', None),
    ("zoom-disabled", E, "html", "<title>", f"{VIEWPORT}user-scalable=no'><title>", None),
    ("zoom-disabled", E, "html", "<title>", f"{VIEWPORT}maximum-scale=1.0'><title>", None),
    ("aria-valid", E, "html", 'role="article"', 'role="letter"', None),
    ("aria-valid", E, "html", 'role="article"', 'role="article" aria-lable="x"', None),
    ("aria-valid", E, "html", 'role="article"', 'role="article" aria-hidden="no"', None),
    ("aria-valid", E, "html", 'role="article"', 'role="article" aria-labelledby="gone"', None),
    (
        "link-colour-only", W, "html", '<a href="https://rsf.example/mx">',
        '<a style="text-decoration:none" href="https://rsf.example/mx">', 11,
    ),
    ("organisation-language", W, "issue", "language: en", "language: fr", None),
    ("heading-one", W, "html", "<h2>Fear in Veracruz</h2>", "<h1>Fear in Veracruz</h1>", None),
    ("heading-order", W, "html", "<h2>Fear in Veracruz</h2>", "<h4>Fear in Veracruz</h4>", 9),
    ("heading-empty", E, "html", "<h1>March 2017</h1>", "<h1>March 2017</h1><h2> </h2>", None),
    ("alt-missing", E, "html", 'alt="A harbour at dusk"', "", 14),
    ("alt-missing", E, "html", 'alt="A harbour at dusk"', 'alt=""', 14),
    ("alt-file-name", W, "everywhere", "A harbour at dusk", "IMG_2041.jpeg", 15),
    ("alt-long", W, "everywhere", "A harbour at dusk", LONG_ALT.strip(), 15),
    ("alt-repeats", W, "everywhere", "A harbour at dusk", "Fear in Veracruz!", 15),
    ("image-address", E, "html", "https://pictures.example/images/", "", 14),
    ("image-address", W, "html", "https://pictures.", "http://pictures.", 14),
    ("link-empty", E, "html", REPORT, REPORT + '<a href="#">Up</a>', None),
    ("link-empty", E, "html", REPORT, REPORT + '<a href="">Up</a>', None),
    ("link-empty", E, "html", REPORT, REPORT + '<a href="#nowhere">Up</a>', None),
    ("link-script", E, "html", REPORT, REPORT + '<a href="JavaScript:x()">Run</a>', None),
    ("link-relative", E, "html", REPORT, REPORT + '<a href="www.rsf.example">Site</a>', None),
    ("link-relative", E, "html", REPORT, REPORT + '<a href="/about">About</a>', None),
    ("link-http", W, "everywhere", "https://rsf.example/mx", "http://rsf.example/mx", 11),
    ("link-host", E, "html", ">defenders.example<", ">amnesty.example<", None),
    ("link-host", E, "html", ">RSF<", ">https://rsf.org/mx<", 11),
    ("link-text", N, "everywhere", "Read the report on Veracruz", "Read more", 19),
    ("link-words", E, "html", ">Write to us<", "><", None),
    ("unsubscribe-html", E, "html", f'<a href="{LEAVE}">Unsubscribe</a>', "", None),
    ("unsubscribe-html", E, "html", f'<a href="{LEAVE}">', HIDDEN, None),
    ("unsubscribe-text", E, "text", LEAVE_TEXT, "", None),
    ("postal-address", E, "html", "1 Example Street", "", None),
    ("postal-address", E, "text", "1 Example Street", "", None),
    ("placeholder-field", E, "everywhere", "welcomed a writer", "welcomed %%FNAME%%", 23),
    ("placeholder-field", E, "everywhere", "welcomed a writer", "welcomed *|FNAME|*", 23),
    ("placeholder-field", E, "everywhere", "welcomed a writer", "welcomed [[name]]", 23),
    ("placeholder-field", E, "html", "welcomed a writer", "welcomed {{ name }}", None),
    ("placeholder-field", E, "html", "welcomed a writer", "welcomed {% if x %}", None),
    ("placeholder-field", E, "html", "mailto:hello@", "mailto:{{ who }}@", None),
    ("placeholder-text", E, "everywhere", "welcomed a writer", "welcomed lorem ipsum", 23),
    ("placeholder-text", W, "everywhere", "welcomed a writer", "welcomed TODO: who?", 23),
    ("placeholder-text", W, "everywhere", "welcomed a writer", "Replace this by the story", 23),
    ("value-missing", E, "html", "<p>Reporters", "<p>Source: None</p><p>Reporters", None),
    ("value-missing", E, "text", "MARCH 2017", "Dear nan,", None),
    ("slot-unknown", E, "text", "MARCH 2017", "Zq0000abcdx0099qZ", None),
    ("markdown-raw", W, "everywhere", "welcomed a writer", "welcomed a<br />writer", 23),
    ("markdown-raw", W, "everywhere", "welcomed a writer", "welcomed H~2~O", 23),
    ("markdown-raw", W, "everywhere", "welcomed a writer", "welcomed [^1]", 23),
    ("markdown-raw", W, "everywhere", "Fear in Veracruz\"", "**Fear** in Veracruz\"", 9),
    ("footnote", E, "issue", "Hamburg welcomed a writer.", "Hamburg[^1]\\n\\n[^1]:", 23),
    ("footnote", E, "issue", "Hamburg welcomed a writer.", "Hamburg\\n\\n[^1]: Where?", 23),
    ("parity-words", E, "text", "A YEAR OF SAFETY", "", 22),
    ("parity-words", E, "html", "sleep", "rest", 25),
    ("parity-words", E, "text", "Nur Nobi Dulal", "", 26),
    ("parity-words", E, "text", "Ana López", "", 16),
    ("parity-words", E, "text", "Seventeen journalists", "", 12),
    ("parity-words", E, "html", "Reporters Without Borders", "", 20),
    ("parity-words", E, "text", "The programme in detail", "", 28),
    ("parity-words", E, "text", "The programme as PDF", "", 32),
    ("parity-links", E, "text", "https://rsf.example/veracruz", "", 19),
    ("parity-links", E, "text", "https://rsf.example/mx", "", 11),
    ("parity-links", E, "html", 'href="https://defenders.example/hamburg.pdf"', "", 33),
    ("parity-links", E, "text", "https://defenders.example/hamburg\n", "\n", 30),
    ("parity-links", E, "text", "https://www.defenders.example/", "", None),
    ("parity-links", E, "text", "MARCH 2017", "https://only.text.example/", None),
    ("weekday", W, "everywhere", "Thursday, 30 March", "Friday, 30 March", 11),
    ("weekday", W, "everywhere", "Thursday, 30 March", "Friday March 30th, 2017", 11),
]  # fmt: skip


def test_a_clean_letter_has_no_finding(folder: Path) -> None:
    assert () == Letter().findings(folder)


@pytest.mark.parametrize(
    ("check_id", "severity", "part", "old", "new", "line"),
    SEEDED,
    ids=[f"{row[0]}-{number}" for number, row in enumerate(SEEDED)],
)
def test_a_seeded_fault_is_found_with_its_place(
    folder: Path, check_id: str, severity: Severity, part: str, old: str, new: str, line: int | None
) -> None:
    findings = Letter().seeded(part, old, new).findings(folder)
    found = [finding for finding in findings if finding.id == check_id]
    assert (severity, line) in {(finding.severity, finding.where.line) for finding in found}
    for finding in found:
        assert finding.what.strip()
        assert finding.where.file is not None
        assert finding.why.endswith(".")
        assert finding.mend.endswith(".")


def test_every_check_has_a_seeded_fault() -> None:
    elsewhere = seeded_in_pictures | {
        "date-over",  # tests/issues/test_parts.py
        "look-unknown",
        "notice-incomplete",
        "sender-no-reply",
        "translation-fallback",
        "translation-same",
    }
    ids = {check.id for check in CHECKS if not check.id.startswith("privacy-")}
    assert ids == {row[0] for row in SEEDED} | elsewhere


def test_ids_are_unique_and_in_kebab_case() -> None:
    ids = [check.id for check in CHECKS]
    assert len(ids) == len(set(ids))
    assert all(set(each) <= set("abcdefghijklmnopqrstuvwxyz-") for each in ids)


def test_answers_to_noreply_are_a_warning(folder: Path) -> None:
    sender = SETTINGS.sender.model_copy(update={"reply_to": "no-reply@defenders.example"})
    letter = replace(Letter(), settings=SETTINGS.model_copy(update={"sender": sender}))
    assert [("sender-no-reply", W)] == [(f.id, f.severity) for f in letter.findings(folder)]


@pytest.mark.parametrize("lacks", [("basis", "transfers"), ("authority",)])
def test_what_the_privacy_notice_lacks_is_named(folder: Path, lacks: tuple[str, ...]) -> None:
    ours = load_settings(ROOT / "newsletter.toml")
    privacy = ours.privacy.model_copy(update=dict.fromkeys(lacks))
    changed = {"public": ours.public, "privacy": privacy}
    letter = replace(Letter(), settings=SETTINGS.model_copy(update=changed))
    (finding,) = letter.findings(folder)
    assert ("notice-incomplete", Severity.NOTE) == (finding.id, finding.severity)
    assert finding.what.endswith(f"says nothing of {' and '.join(lacks)}.")
    # Without a public side there is no notice.
    alone = letter.settings.model_copy(update={"public": None})
    assert () == replace(letter, settings=alone).findings(folder)


def test_a_field_that_no_reader_has_is_an_error(folder: Path) -> None:
    letter = replace(Letter(), slots=(*SLOTS, Slot("Zq0000abcdx0004qZ", "city", "text")))
    (finding,) = letter.findings(folder)
    assert ("slot-unknown", E) == (finding.id, finding.severity)
    assert "“city”" in finding.what


def test_a_column_named_in_the_settings_may_be_used(folder: Path) -> None:
    audience = SETTINGS.audience.model_copy(update={"fields": ["city"]})
    letter = replace(
        Letter(),
        slots=(*SLOTS, Slot("Zq0000abcdx0004qZ", "city", "text")),
        settings=SETTINGS.model_copy(update={"audience": audience}),
    )
    assert () == letter.findings(folder)


def test_the_stories_that_gmail_would_cut_off_are_named(folder: Path) -> None:
    big = f"<h2>Shelter</h2><!--{'x' * 103 * 1024}--><h2>A year of safety"
    (finding,) = Letter().seeded("html", "<h2>A year of safety", big).findings(folder)
    assert (
        "after story 1, “Fear in Veracruz”; readers there would not see: “A year of safety”."
    ) in finding.what
    assert ("hamburg", 21) == (finding.story_id, finding.where.line)


def test_a_list_of_contents_above_the_cut_does_not_hide_what_is_cut(folder: Path) -> None:
    letter = Letter().seeded("html", "<p>Dear", "<p>A year of safety</p><p>Dear")
    big = f"<!--{'x' * 103 * 1024}--><h2>A year of safety"
    (finding,) = letter.seeded("html", "<h2>A year of safety", big).findings(folder)
    assert "“A year of safety”" in finding.what


def test_size_counts_the_values_and_not_the_slots(folder: Path) -> None:
    room = 85 * 1024 - len(HTML.encode()) - len("<!---->") - 10
    assert len(HTML) + room < 85 * 1024
    letter = Letter().seeded("html", "</body>", f"<!--{'x' * room}--></body>")
    assert ["html-size"] == [finding.id for finding in letter.findings(folder)]


def test_a_picture_that_only_decorates_needs_no_description(folder: Path) -> None:
    line = '<img src="https://pictures.example/images/line.png" alt="">'
    findings = Letter().seeded("html", "<h1>", f"{line}<h1>").findings(folder)
    assert "alt-missing" not in {finding.id for finding in findings}


def test_none_is_silent_where_the_editor_wrote_it(folder: Path) -> None:
    letter = Letter().seeded("everywhere", "welcomed a writer", "freed how many? None")
    assert () == letter.findings(folder)


def test_todo_in_a_sentence_is_a_word_of_spanish(folder: Path) -> None:
    letter = Letter().seeded("everywhere", "welcomed a writer", "dio TODO por un escritor")
    assert () == letter.findings(folder)


def test_a_link_to_a_place_in_the_mail_that_exists_is_fine(folder: Path) -> None:
    letter = Letter().seeded("html", "<h2>A year", '<a href="#s">Next</a><h2 id="s">A year')
    assert () == letter.findings(folder)


def test_a_generic_link_with_a_spoken_label_is_fine(folder: Path) -> None:
    letter = Letter().seeded("everywhere", "Read the report on Veracruz", "Read more")
    spoken = 'href="https://rsf.example/veracruz" aria-label="Read more: Fear in Veracruz">Read'
    letter = letter.seeded("html", 'href="https://rsf.example/veracruz">Read', spoken)
    assert () == letter.findings(folder)


def test_a_link_used_twice_must_stand_twice_in_the_text(folder: Path) -> None:
    twice = "https://rsf.example/mx"
    letter = Letter().seeded("everywhere", "https://rsf.example/veracruz", twice)
    assert () == letter.findings(folder)
    once = letter.seeded("text", f"Veracruz: {twice}", "Veracruz")
    assert ["parity-links"] == [finding.id for finding in once.findings(folder)]


def test_addresses_that_are_spelt_differently_are_the_same_link(folder: Path) -> None:
    letter = Letter().seeded("everywhere", "https://rsf.example/mx", "https://münchen.example/é")
    written = letter.seeded(
        "html", "https://münchen.example/é", "https://xn--mnchen-3ya.example/%C3%A9"
    )
    assert () == written.findings(folder)


def in_language(language: str) -> Letter:
    """The letter of an organisation that speaks another language, its HTML still in English."""
    settings = SETTINGS.model_copy(update={"language": language})
    return replace(
        Letter().seeded("issue", "language: en", f"language: {language}"), settings=settings
    )


@pytest.mark.parametrize(
    ("language", "right", "wrong"),
    [
        ("fr", "jeudi 30 mars 2017", "vendredi 30 mars 2017"),
        ("es", "jueves, 30 de marzo", "viernes, 30 de marzo"),
        ("de", "Donnerstag, den 30. März", "Freitag, den 30. März"),
        ("ru", "четверг, 30 марта", "пятница, 30 марта"),
    ],
)
def test_weekdays_are_read_in_the_language_of_the_issue(
    folder: Path, language: str, right: str, wrong: str
) -> None:
    letter = in_language(language)
    letter = letter.seeded("html", 'lang="en"', f'lang="{language}"')
    fine = letter.seeded("everywhere", "Thursday, 30 March", right)
    assert () == fine.findings(folder)
    seeded = letter.seeded("everywhere", "Thursday, 30 March", wrong)
    assert ["weekday"] == [finding.id for finding in seeded.findings(folder)]


def test_a_date_without_a_year_is_the_nearest_one(folder: Path) -> None:
    # 8 January was a Monday in 2018, the nearest one to the end of November 2017.
    letter = Letter().seeded("issue", "2017-03-31", "2017-11-30")
    letter = letter.seeded("everywhere", "Thursday, 30 March", "Monday, 8 January")
    assert () == letter.findings(folder)


def test_arabic_must_run_from_right_to_left(folder: Path) -> None:
    letter = in_language("ar")
    letter = letter.seeded("html", 'lang="en"', 'lang="ar"')
    assert {"direction", "language-in-body"} == {f.id for f in letter.findings(folder)}
    assert () == letter.seeded("html", 'dir="ltr"', 'dir="rtl"').findings(folder)


def test_the_name_of_a_file_is_no_address_of_a_site(folder: Path) -> None:
    letter = Letter().seeded("everywhere", "The programme as PDF", "programme.pdf")
    assert () == letter.findings(folder)


def test_bold_letters_inside_a_word_are_no_difference(folder: Path) -> None:
    letter = Letter().seeded("everywhere", "Hamburg welcomed a writer", "**H**amburg met a writer")
    letter = letter.seeded("html", "**H**amburg", "<strong>H</strong>amburg")
    letter = letter.seeded("text", "**H**amburg", "*H*amburg")
    assert () == letter.findings(folder)


def test_chinese_text_may_be_wrapped_anywhere(folder: Path) -> None:
    letter = Letter().seeded("everywhere", "Hamburg welcomed a writer", "汉堡欢迎一位作家")
    wrapped = letter.seeded("text", "汉堡欢迎一位作家", "汉堡欢迎\n一位作家")
    assert () == wrapped.findings(folder)


def test_an_empty_edition_is_full_of_errors_and_no_crash(folder: Path) -> None:
    letter = replace(Letter(), html="", text="", subject="", preheader="", slots=())
    found = {finding.id for finding in letter.findings(folder)}
    assert {"language", "title-missing", "unsubscribe-html", "parity-words"} <= found


def test_findings_come_worst_first_and_then_by_place(folder: Path) -> None:
    letter = Letter().seeded("everywhere", "Read the report on Veracruz", "Read more")
    letter = letter.seeded("text", "Nur Nobi Dulal", "").seeded("text", "Seventeen", "")
    letter = letter.seeded("subject", "A mock", "Re: A mock")
    found = [(f.severity, f.where.line) for f in letter.findings(folder)]
    assert [(E, 12), (E, 26), (W, 4), (N, 19)] == found


def test_the_hand_written_issue_is_what_the_letter_says() -> None:
    assert SUBJECT in ISSUE
    assert PREHEADER in ISSUE
