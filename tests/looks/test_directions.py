"""Names that run from right to left in a mail from left to right, and the reverse, as drawn."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import pytest
from newsletter.material import Material
from newsletter.model import Download, Issue, Link, Post, Quote, Story
from newsletter.render.edition import CompileInput
from newsletter.render.pipeline import compile_edition
from newsletter.source import Source
from playwright.sync_api import Browser, Page

from tests.looks.browser import View, opened
from tests.looks.mails import mail_of
from tests.support.browser import chromium
from tests.support.march import SETTINGS, THEME

pytestmark = pytest.mark.needs_chromium

# What the browser drew of an element that takes one line, from left to right.
DRAWN = """element => {
  const drawn = [];
  const texts = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
  for (let text; (text = texts.nextNode());) {
    for (let place = 0; place < text.length; place++) {
      const range = document.createRange();
      range.setStart(text, place);
      range.setEnd(text, place + 1);
      const box = range.getBoundingClientRect();
      if (box.width) drawn.push([box.left, text.data[place]]);
    }
  }
  drawn.sort((one, other) => one[0] - other[0]);
  return drawn.map((each) => each[1]).join("");
}"""
WOMAN, AGENCY = "شهد", "وكالة"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


def issue(language: str, name: str, source: str) -> Issue:
    story = Story(
        id="one",
        headline="Headline",
        blurb="Text.",
        quote=Quote(text="Words.", by=name),
        links=(
            Link(label="More", url="https://a.example/"),
            Link(label=f"{source} 24", url="https://a.example/1", language="ar"),
        ),
        download=Download(label=f"{source} 24", url="https://a.example/2"),
        source=f"{source} 24",
    )
    return Issue(
        id="2017-03",
        title="2017",
        date=dt.date(2017, 3, 31),
        language=language,
        subject="2017",
        preheader="2017",
        greeting="{{ name }}, 3",
        introduction="For {{ name }}: 15 stories.",
        stories=(story,),
        posts=(Post(text=f"{source} 24", url="https://a.example/3", network=source),),
    )


def drawn(page: Page, selector: str) -> str:
    told = page.eval_on_selector(selector, DRAWN)
    return " ".join(str(told).replace("\u00a0", " ").split())


def backwards(text: str) -> str:
    return text[::-1]


def test_a_name_from_right_to_left_moves_nothing_in_a_mail_from_left_to_right(
    browser: Browser,
) -> None:
    made = issue("en", WOMAN, AGENCY)
    edition = compile_edition(
        CompileInput(made, Source(Path("x.yaml")), THEME, SETTINGS, Material())
    )
    with opened(browser, mail_of(edition, Material(), name=WOMAN), View(640)) as page:
        woman, agency = backwards(WOMAN), f"24 {backwards(AGENCY)}"
        assert f"{woman}, 3" == drawn(page, ".intro p")
        assert f"For {woman}: 15 stories." == drawn(page, ".intro p + p")
        assert f"— {woman}" == drawn(page, "p.by")
        assert f"Source: {agency}" == drawn(page, "p.source")
        assert f"{agency} →" == drawn(page, "a.post")
        assert f"{agency} Arabic →" == drawn(page, "a[href='https://a.example/1']")
        assert f"↓ {agency}" == drawn(page, "a[href='https://a.example/2']")


def test_a_name_from_left_to_right_moves_nothing_in_a_mail_from_right_to_left(
    browser: Browser,
) -> None:
    made = issue("ar", "Ann", "OMCT")
    edition = compile_edition(
        CompileInput(made, Source(Path("x.yaml")), THEME, SETTINGS, Material())
    )
    with opened(browser, mail_of(edition, Material(), name="Ann"), View(640)) as page:
        assert "3 ,Ann" == drawn(page, ".intro p")
        assert "Ann —" == drawn(page, "p.by")
        assert f"OMCT 24 {backwards('المصدر:')}" == drawn(page, "p.source")
        assert "← OMCT 24" == drawn(page, "a.post")
        assert f"← {backwards('العربية')} OMCT 24" == drawn(page, "a[href='https://a.example/1']")
        assert "OMCT 24 ↓" == drawn(page, "a[href='https://a.example/2']")
