"""HTML and text say the same, and all of it, for whatever issue somebody may write."""

from __future__ import annotations

import functools
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from lxml import html as lxml_html
from lxml.html import HtmlElement
from newsletter.config import Settings
from newsletter.material import Material, PreparedPicture
from newsletter.render.edition import CompileInput, Edition
from newsletter.render.pipeline import compile_edition
from newsletter.render.slots import bind
from newsletter.render.wrap import display_width
from newsletter.source import Source
from newsletter.theme import Theme
from newsletter.theme_files import load_theme

from tests.render.generated import Made, made_issues
from tests.render.generated_texts import LANGUAGES, NUMBER
from tests.render.parity_judge import differences
from tests.render.reading import address
from tests.support.tools import PROVE, ROOT

EXAMPLES = {"default": 100, "letter": 25} if PROVE else {"default": 10, "letter": 3}
"""Issues made up for each theme in each of four languages: 500, or a tenth of them."""
SETTINGS = Settings.model_validate(
    {
        "list": {
            "id": "news.example.org",
            "name": "News",
            "unsubscribe_url": "https://out.example/{token}",
        },
        "sender": {"name": "News", "address": "news@example.org"},
        "organisation": {"name": "Defenders", "postal_address": "1 Example Street, Brussels"},
        "archive": {"url": "https://archive.example/"},
    }
)
PICTURE = PreparedPicture("p-01234567.jpg", "image/jpeg", 1280, 800, 640, b"")
ADDRESS_ALONE = re.compile(r"\W*([0-9]+\W+)?(https?://|mailto:)\S+(\s?\W)?")
"""An address and the marks around it: a number, a quotation mark."""
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def made_up(examples: int) -> settings:
    """The same issues on every run; not made smaller, which takes minutes, when one fails."""
    return settings(
        max_examples=examples,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )


@functools.cache
def theme(name: str) -> Theme:
    return load_theme(ROOT / "templates" / name)


def compiled(made: Made, look: str = "default") -> Edition:
    issue = made.issue
    material = Material({path: PICTURE for path, _ in issue.pictures()})
    return compile_edition(
        CompileInput(made.issue, Source(Path("x.yaml")), theme(look), SETTINGS, material)
    )


def parts(edition: Edition, reader: dict[str, str]) -> tuple[str, str]:
    """HTML and text with a reader's values in them."""
    slots = {slot.token: slot for slot in edition.slots}
    return bind(edition.html, slots, reader), bind(edition.text, slots, reader)


def around(made: Made) -> Counter[str]:
    """Where each mail leads, whatever its stories: the way out, its page, the archive."""
    page = made.issue.web_url or f"https://archive.example/2026-01.{made.issue.language}.html"
    return Counter(map(address, (made.reader["unsubscribe_url"], page, "https://archive.example/")))


@pytest.mark.parametrize("look", EXAMPLES)
@pytest.mark.parametrize("language", LANGUAGES)
def test_both_parts_say_all_that_an_issue_says_and_nothing_twice(language: str, look: str) -> None:
    @seed(LANGUAGES.index(language) + EXAMPLES[look])
    @made_up(EXAMPLES[look])
    @given(made_issues(language))
    def holds(made: Made) -> None:
        edition = compiled(made, look)
        html, text = parts(edition, made.reader)
        assert [] == differences(made, html, text, around=around(made))
        assert None is CONTROL.search(html + text)
        # A line is measured with what stands there for who has no name.
        nameless = parts(edition, {**made.reader, "name": ""})[1].split("\n")
        wide = [line for line in nameless if display_width(line) > 72]
        assert [] == [line for line in wide if not ADDRESS_ALONE.fullmatch(line)]

    holds()


# The judge itself


@functools.cache
def full_issue() -> tuple[Made, str, str]:
    """An issue whose stories have every part, one of them in English; its HTML and its text."""
    found: list[Made] = []

    @seed(1)
    @made_up(10)
    @given(made_issues("en", full=True))
    def keep(made: Made) -> None:
        found.append(made)

    keep()
    for made in found:
        html, text = parts(compiled(made), made.reader)
        # A story may be in another language, and then has that language's words.
        if all(
            words in text for words in ("\nCredit: ", "\nSource: ", "\n\nDownload: ", "\n    “")
        ):
            return made, html, text
    raise AssertionError("no issue with a story in English was made up")


def judged(html: str, text: str) -> str:
    made = full_issue()[0]
    return "\n".join(differences(made, html, text, around=around(made)))


def dropped(element: HtmlElement) -> None:
    element.drop_tree()


def doubled(element: HtmlElement) -> None:
    element.addnext(lxml_html.fromstring(lxml_html.tostring(element, encoding="unicode")))


def led_astray(element: HtmlElement) -> None:
    element.set("href", "https://elsewhere.example/")


@pytest.mark.parametrize(
    ("selector", "spoil", "told"),
    [
        (".head", dropped, "lacks of titles"),
        (".head ~ p:not([class])", dropped, "lacks of blurbs"),
        (".head ~ p:not([class])", doubled, "adds to blurbs"),
        ("ul.item li", dropped, "lacks of contents"),
        (".intro p", dropped, "says another opening"),
        ("td.highlight", doubled, "adds to highlights"),
        ("blockquote.said", doubled, "adds to quotes"),
        ("blockquote.said", dropped, "lacks of quotes"),
        ("p.by *", dropped, "lacks of quotes"),
        ("p.credit", dropped, "lacks of pictures"),
        ("p.source", dropped, "lacks of sources"),
        ("p.source", doubled, "adds to sources"),
        (".paper a[style*='inline-block']", dropped, "lacks of links"),
        (".paper a[style*='inline-block']", doubled, "adds to links"),
        ("a[href]", led_astray, "lacks of addresses"),
        ("a.post", dropped, "lacks of posts"),
    ],
)
def test_the_judge_sees_what_the_html_lacks_or_doubles(
    selector: str, spoil: Callable[[HtmlElement], None], told: str
) -> None:
    _, html, text = full_issue()
    assert "" == judged(html, text)
    page = lxml_html.document_fromstring(html)
    spoil(page.cssselect(selector)[0])
    assert f"HTML {told}" in judged(lxml_html.tostring(page, encoding="unicode"), text)


@pytest.mark.parametrize(
    ("found", "instead", "told"),
    [
        (r"\n  \* [^\n]+", "", "lacks of contents"),
        (r"(\n  \| [^\n]+)+", "", "lacks of highlights"),
        (r"\n    “(?s:.*?)    — [^\n]+(\n      [^\n]+)*", r"\g<0>\n\g<0>", "adds to quotes"),
        (r"\n    — [^\n]+", r"\g<0>junior", "lacks of quotes"),
        (r"\nCredit: [^\n]+(\n[^\n]+)*", "", "lacks of pictures"),
        (r"\nSource: [^\n]+(\n[^\n]+)*", "", "lacks of sources"),
        (r"\n\nSource: [^\n]+(\n[^\n]+)*", r"\g<0>\g<0>", "adds to sources"),
        (r"\n\n(?!View)[^\n]+:\nhttps:[^\n]+(?=\n)", "", "lacks of links"),
        (r"\n\nDownload: [^\n]+(\n[^\n]+)+", r"\g<0>\g<0>", "adds to links"),
        (r"https:\S+", "https://elsewhere.example/", "lacks of addresses"),
        (r"(Posted on .*\n=+\n\n)[^\n]+\n", r"\1Nothing\n", "lacks of posts"),
    ],
)
def test_the_judge_sees_what_the_text_lacks_or_doubles(found: str, instead: str, told: str) -> None:
    _, html, text = full_issue()
    spoilt, times = re.subn(found, instead, text, count=1)
    assert 1 == times
    assert f"text {told}" in judged(html, spoilt)


@pytest.mark.parametrize("part", ["html", "text"])
def test_the_judge_sees_a_character_that_changed(part: str) -> None:
    made, html, text = full_issue()
    end = f"{NUMBER}{made.blurbs['story-0'].numbers[0]}"
    spoilt = {"html": html, "text": text}
    assert end in spoilt[part]
    spoilt[part] = spoilt[part].replace(end, f"\u200b{end}")
    assert "changes the word" in judged(**spoilt)
