"""What templates can use, and what is said when they go wrong."""

import datetime as dt
import re
import threading
from pathlib import Path

import pytest
from newsletter.errors import TemplateError
from newsletter.render.edition import CompileInput
from newsletter.render.locales import long_date
from newsletter.render.mail_vocabulary import MailVocabulary
from newsletter.render.pipeline import compile_edition
from newsletter.render.slots import SlotContext, SlotRegistry

from tests.render.samples import (
    ARABIC,
    ISSUE,
    SETTINGS,
    SOURCE,
    THEME,
    compiled,
    material_of,
    theme_changed,
    theme_with,
    with_blurb,
)

ROOT = Path(__file__).parents[2]
MAIL = THEME.folder / "mail.mjml.j2"
MARK = "{{ slot('unsubscribe_url') }}"


def text_with(template: str) -> str:
    """What the text template prints for ``template``."""
    theme = theme_changed(MARK, f"{MARK}\n<<{template}>>", file="mail.txt.j2")
    return compiled(theme=theme).text.partition("<<")[2].partition(">>")[0]


def html_with(template: str) -> str:
    theme = theme_changed("{{ w.sent_to }}", f"<i>{template}</i>")
    return compiled(theme=theme).html.partition("<i>")[2].partition("</i>")[0]


@pytest.mark.parametrize(
    ("template", "what", "advice"),
    [
        ("{{ isue.title }}", "'isue' is undefined", "Did you mean “issue”?"),
        ("{{ issue.titel }}", "has no attribute 'titel'", "newsletter docs theme"),
        ("{{ issue.title | markdwn }}", "No filter named 'markdwn'", "Did you mean “markdown”?"),
        ("{{ issue.title | md_text }}", "No filter named 'md_text'", "newsletter docs theme"),
        ("{% if %}", "Expected an expression", "may not be closed"),
        ("{{ 1 / 0 }}", "division by zero", "newsletter docs theme"),
        ("{{ 1 + 'a' }}", "unsupported operand", "newsletter docs theme"),
        ("{% include 'partials/no.j2' %}", "has no file “partials/no.j2”", "newsletter docs theme"),
        ("{{ issue.__class__ }}", "__class__", "newsletter docs theme"),
        ("{{ ''.__class__.__mro__ }}", "__class__", "newsletter docs theme"),
        ("{{ issue.stories | random }}", "No filter named 'random'", "newsletter docs theme"),
        ("{{ lipsum() }}", "'lipsum' is undefined", "newsletter docs theme"),
        ("{{ range(10000000) | list }}", "Range too big", "newsletter docs theme"),
        ("{{ story_index(issue) }}", "not in tuple", "newsletter docs theme"),
    ],
)
def test_a_mistake_names_file_line_and_remedy(template: str, what: str, advice: str) -> None:
    written = THEME.files["mail.mjml.j2"].replace("<mj-body", f"{template}\n<mj-body")
    with pytest.raises(TemplateError) as caught:
        compiled(theme=theme_with(mail_mjml=written))
    error = caught.value
    assert what in error.what
    assert advice in error.next
    assert str(MAIL) == str(error.where.file)
    assert written[: written.index(template)].count("\n") + 1 == error.where.line


def test_a_block_that_is_never_closed_is_found_at_the_end_of_the_file() -> None:
    with pytest.raises(TemplateError, match="Unexpected end of template") as caught:
        compiled(theme=theme_changed("<mj-body", "{% for a in 'b' %}<mj-body"))
    assert "a block may not be closed" in caught.value.next
    assert str(MAIL) == str(caught.value.where.file)


def test_a_mistake_in_a_partial_names_the_partial() -> None:
    file = "partials/story.mjml.j2"
    with pytest.raises(TemplateError) as caught:
        compiled(theme=theme_changed("story.headline", "story.headlin", file=file))
    assert (str(THEME.folder / file), 8) == (
        str(caught.value.where.file),
        caught.value.where.line,
    )


def test_a_partial_that_includes_itself_ends() -> None:
    file = "partials/story.mjml.j2"
    with pytest.raises(TemplateError, match="includes itself without end"):
        compiled(theme=theme_with(**{file: "{% include 'partials/story.mjml.j2' %}"}))


def test_a_missing_phrase_names_the_words_file_and_where_it_is_used() -> None:
    with pytest.raises(TemplateError, match="no phrase “sentto”") as caught:
        compiled(theme=theme_changed("w.sent_to", "w.sentto"))
    error = caught.value
    assert (str(THEME.folder / "words" / "en.toml"), "sentto") == (
        error.where.file,
        error.where.item,
    )
    assert f"It is used in {MAIL}:37" in error.what
    assert 'Add a line: sentto = "…".' == error.next


def test_a_language_the_theme_does_not_speak_is_an_error() -> None:
    with pytest.raises(TemplateError, match="no words for the language “sw”"):
        compiled(ISSUE.model_copy(update={"language": "sw"}))


def test_a_regional_language_uses_the_words_of_its_base() -> None:
    assert "Se désabonner" in compiled(ISSUE.model_copy(update={"language": "fr-CA"})).text


def test_what_an_author_writes_is_escaped_in_html_and_left_alone_in_text() -> None:
    edition = compiled()
    assert "mocked justice &lt;again&gt; &amp; again" in edition.html
    assert "mocked justice <again> & again" in edition.text


@pytest.mark.parametrize(
    ("template", "printed"),
    [
        ("{{ 'abcdef ghi' | wrap(6) }}", "abcdef\nghi"),
        ("{{ 'a b' | wrap(3, first='- ', rest='  ') }}", "- a\n  b"),
        ("{{ '日本' | width }}", "4"),
        ("{{ '日本' | underline('=') }}", "日本\n===="),
        ("{{ issue.date | date }}", "31 March 2017"),
        ("{{ issue.date | date('MMMM y') }}", "March 2017"),
        ("{{ 'https://ü.example/ü' | url }}", "https://xn--tda.example/%C3%BC"),
        ("{{ picture(issue.lead_story).src[-15:] }}", "scales-0123abcd.jpg"[-15:]),
        ("{{ story_index(issue.stories[1]) }}", "1"),
        ("{{ lang }} {{ dir }} {{ start }} {{ end }}", "en ltr left right"),
        ("{{ list_name }} {{ sender.address }}", "Defenders’ News news@example.org"),
        ("{{ w['sent_to'] }}", "Sent to"),
        ("{{ 'ru' | language_name }}", "Russian"),
        ("{{ 'a' | default('b') }}{{ nothing | default('c') }}", "ac"),
    ],
)
def test_templates_can_use(template: str, printed: str) -> None:
    assert printed == text_with(template)


def test_a_slot_in_wrapped_text_counts_as_its_fallback() -> None:
    said = text_with("{% filter wrap(9) %}Dear {{ slot('name', 'me') }}, you{% endfilter %}")
    assert ["Dear", "you"] == [said.split()[0], said.split("\n")[1]]


def test_macros_imported_from_other_files_see_everything() -> None:
    foot = "{{ issue.title }}, {{ w.sent_to }}, {{ issue.date | date }}"
    macros = "{% macro foot() %}" + foot + "{% endmacro %}"
    theme = theme_with(
        **{
            "partials/macros.j2": macros,
            "mail.txt.j2": "{% from 'partials/macros.j2' import foot %}{{ foot() }}\n" + MARK,
        }
    )
    assert compiled(theme=theme).text.startswith("March 2017, Sent to, 31 March 2017\n")


def test_arabic_is_laid_out_from_right_to_left() -> None:
    html = compiled(ARABIC).html
    assert '<html lang="ar" dir="rtl"' in html
    assert "direction:ltr" not in html
    assert 'align="right"' in html
    assert 'align="left"' not in html


def test_text_has_no_idle_lines_and_ends_with_one_line_break() -> None:
    theme = theme_with(mail_txt="\n\n\na  \n\n\n\n \t\nb\u00a0\n" + MARK + "\n\n\n")
    assert compiled(theme=theme).text.startswith("a\n\nb\u00a0\nZq")
    assert compiled(theme=theme).text.endswith("qZ\n")
    for issue in (ISSUE, ARABIC):
        text = compiled(issue).text
        assert "\n\n\n" not in text
        assert "\r" not in text
        assert all(line == line.rstrip(" \t") for line in text.split("\n"))


def test_filters_follow_the_issue_not_the_one_compiled_before() -> None:
    theme = theme_changed(MARK, MARK + "\n{{ '\"x\"' | md_text }}", file="mail.txt.j2")
    assert compiled(theme=theme).text.endswith("“x”\n")
    french = ISSUE.model_copy(update={"language": "fr"})
    assert compiled(french, theme=theme).text.endswith("«\u00a0x\u00a0»\n")


def test_issues_compiled_at_the_same_time_do_not_mix() -> None:
    issues = [
        with_blurb(f"Number {number}.", language=language)
        for number, language in enumerate(["en", "fr", "en", "fr"])
    ]
    expected = [compiled(issue) for issue in issues]
    found: dict[int, object] = {}

    def compile_(number: int) -> None:
        found[number] = compile_edition(
            CompileInput(issues[number], SOURCE, THEME, SETTINGS, material_of(issues[number]))
        )

    threads = [threading.Thread(target=compile_, args=(number,)) for number in range(len(issues))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert dict(enumerate(expected)) == found


@pytest.mark.parametrize(
    ("language", "written"),
    [
        ("en", "31 March 2017"),
        ("en-US", "March 31, 2017"),
        ("fr", "31 mars 2017"),
        ("es", "31 de marzo de 2017"),
        ("de", "31. März 2017"),
        ("ru", "31 марта 2017\u202fг."),
        ("pt-BR", "31 de março de 2017"),
        ("fr-XX", "31 mars 2017"),
        ("qqq", "2017-03-31"),
    ],
)
def test_dates_are_written_as_the_language_does(language: str, written: str) -> None:
    assert written.replace("\u202f", " ") == long_date(dt.date(2017, 3, 31), language).replace(
        "\u202f", " "
    ).replace("\u00a0", " ")


@pytest.mark.parametrize("context", ["html", "text"])
def test_the_documentation_tells_all_that_templates_can_use(context: SlotContext) -> None:
    documented = (ROOT / "docs" / "theme-names.md").read_text(encoding="utf-8")
    vocabulary = MailVocabulary(
        CompileInput(ISSUE, SOURCE, THEME, SETTINGS, material_of(ISSUE)), SlotRegistry("0123abcd")
    )
    for name in (*vocabulary.names(context), *vocabulary.filters(context)):
        assert re.search(rf"`{name}\b", documented), name
