"""The pages in a browser, opened from the disk: axe, widths, what they load, and printing."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Error, Page, Request

from tests.archive.built import MARCH, Archive
from tests.support.browser import chromium, tab
from tests.support.tools import PROVE, ROOT, missing

pytestmark = pytest.mark.needs_chromium

PAGES = [*MARCH, "2016-12.fr.html", "index.html", "ar.html"]
AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as opened:
        yield opened


def opened(browser: Browser, archive: Archive, name: str, **how: Any) -> Page:
    page = browser.new_page(**how)
    page.goto((archive.folder / name).as_uri())
    return page


LOOKS: tuple[tuple[int, Literal["light", "dark"]], ...] = (
    ((1280, "light"), (375, "dark"), (375, "light"), (1280, "dark"))
    if PROVE
    else ((1280, "light"), (375, "dark"))
)


@dataclass
class Looked:
    """A page of the archive in a wide window, and what happened when it was opened."""

    page: Page
    complaints: list[str]
    requests: list[str]


@pytest.fixture(scope="module", params=PAGES)
def looked(request: pytest.FixtureRequest, browser: Browser, archive: Archive) -> Iterator[Looked]:
    """Each page, opened once for all who only look at it."""
    complaints: list[str] = []
    requests: list[str] = []

    def told(message: ConsoleMessage) -> None:
        complaints.append(message.text)

    def failed(error: Error) -> None:
        complaints.append(str(error))

    def asked(sent: Request) -> None:
        requests.append(sent.url)

    with tab(browser, width=1280, height=800) as page:
        page.on("console", told)
        page.on("pageerror", failed)
        page.on("request", asked)
        page.goto((archive.folder / request.param).as_uri())
        page.evaluate("for (const picture of document.images) picture.loading = 'eager'")
        page.wait_for_load_state("networkidle")
        page.wait_for_function("[...document.images].every((picture) => picture.complete)")
        page.remove_listener("console", told)
        page.remove_listener("pageerror", failed)
        page.remove_listener("request", asked)
        yield Looked(page, complaints, requests)


def test_a_page_loads_its_own_files_and_the_browser_complains_of_nothing(
    looked: Looked, archive: Archive
) -> None:
    widths = looked.page.evaluate("[...document.images].map((picture) => picture.naturalWidth)")
    styled = looked.page.evaluate("getComputedStyle(document.body).margin")
    assert [] == looked.complaints
    assert all(width > 0 for width in widths)
    assert "0px" == styled
    assert len(looked.requests) >= 3
    assert {archive.folder.as_uri()} == {
        address[: len(archive.folder.as_uri())] for address in looked.requests
    }


def test_nothing_sticks_out_and_the_masthead_stands_above_its_column(looked: Looked) -> None:
    for width in (320, 375, 640, 1100, 1280):
        looked.page.set_viewport_size({"width": width, "height": 800})
        assert width == looked.page.evaluate("document.documentElement.scrollWidth")
        edges = looked.page.evaluate(
            """[".masthead .inner", "main", "footer .inner"].map((part) => {
              const box = document.querySelector(part).getBoundingClientRect();
              return [box.left, box.right];
            })"""
        )
        assert edges[0] == edges[1] == edges[2]


def test_a_wide_table_keeps_its_words_whole_on_a_phone(looked: Looked) -> None:
    looked.page.set_viewport_size({"width": 320, "height": 800})
    narrow = looked.page.evaluate(
        """[...document.querySelectorAll("th, td")].filter((cell) => {
          const words = document.createRange();
          words.selectNodeContents(cell);
          return words.getClientRects().length > 1;
        }).map((cell) => cell.textContent)"""
    )
    assert [] == narrow, "one word to a cell, one line to a word"


def test_axe_finds_no_violation(looked: Looked) -> None:
    if not AXE.exists():
        missing("axe-core (npm install)")
    page = looked.page
    page.evaluate(AXE.read_text(encoding="utf-8"))
    for width, colours in LOOKS:
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=colours)
        violations, passed = page.evaluate(
            """async (rules) => {
              const options = { runOnly: rules, resultTypes: ["violations"] };
              const { violations, passes } = await axe.run(document, options);
              return [violations, passes.map((each) => each.id)];
            }""",
            RULES,
        )
        assert [] == [
            (violation["id"], [node["html"] for node in violation["nodes"]])
            for violation in violations
        ]
        assert "color-contrast" in passed


def test_lines_are_neither_too_long_nor_too_short_to_read(
    browser: Browser, archive: Archive
) -> None:
    with tab(browser, width=1280, height=800) as page:
        page.goto((archive.folder / "2017-03.en.html").as_uri())
        characters = page.evaluate(
            """() => {
              const paragraph = document.querySelector(".text p");
              const range = document.createRange();
              range.selectNodeContents(paragraph);
              const lines = [...range.getClientRects()].map((each) => Math.round(each.top));
              return paragraph.textContent.length / new Set(lines).size;
            }"""
        )
    assert 55 <= characters <= 75


def test_the_policy_lets_nothing_in_from_elsewhere(browser: Browser, archive: Archive) -> None:
    with tab(browser) as page:
        page.goto((archive.folder / "2017-03.en.html").as_uri())
        refused = page.evaluate(
            """() => new Promise((done) => {
              const found = new Set();
              document.addEventListener("securitypolicyviolation", (event) => {
                found.add(event.effectiveDirective);
                if (found.size === 5) done([...found].sort());
              });
              const add = (tag, values) =>
                document.body.append(Object.assign(document.createElement(tag), values));
              add("img", { src: "https://elsewhere.example/pixel.gif" });
              add("script", { src: "https://elsewhere.example/count.js" });
              add("link", { rel: "stylesheet", href: "https://elsewhere.example/style.css" });
              add("iframe", { src: "https://elsewhere.example/" });
              fetch("https://elsewhere.example/").catch(() => {});
            })"""
        )
    assert ["connect-src", "frame-src", "img-src", "script-src-elem", "style-src-elem"] == refused


# Print


def test_the_button_prints_once_every_picture_is_loaded(browser: Browser, archive: Archive) -> None:
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.add_init_script(
        "window.printed = new Promise((done) => {"
        "window.print = () => done([...document.images].map((picture) => picture.complete)); })"
    )
    page.goto((archive.folder / "2017-03.en.html").as_uri())
    page.get_by_role("button", name="Print newsletter").click()
    printed = page.evaluate("window.printed")
    page.close()
    assert [True] * 7 == printed


def test_without_a_script_there_is_no_button_that_does_nothing(
    browser: Browser, archive: Archive
) -> None:
    page = opened(browser, archive, "2017-03.en.html", java_script_enabled=False)
    assert not page.locator("button").is_visible()
    assert page.locator("h1").is_visible()
    page.close()


def test_print_leaves_out_what_paper_cannot_do_and_adds_addresses(
    browser: Browser, archive: Archive
) -> None:
    with tab(browser) as page:
        page.goto((archive.folder / "2017-03.en.html").as_uri())
        page.emulate_media(media="print", color_scheme="dark")
        for gone in (".skip", ".strip", ".tools", ".columns section:not(.contact)"):
            assert not page.locator(gone).first.is_visible(), gone
        for there in ("h1", "#askarov-background", ".imprint", ".contents", ".contact"):
            assert page.locator(there).is_visible(), there
        behind = page.evaluate(
            "getComputedStyle(document.querySelector('.links a'), '::after').content"
        )
        grounds = page.evaluate(
            "[getComputedStyle(document.body), getComputedStyle(document.querySelector('.band'))]"
            ".map((style) => style.backgroundColor)"
        )
        assert "https://defenders.example/stories/elena-pershakova" in behind
        assert ["rgb(255, 255, 255)"] * 2 == grounds
        used = "[...document.querySelectorAll('*')].map((each) => getComputedStyle(each).color)"
        in_the_dark = page.evaluate(used)
        page.emulate_media(media="print", color_scheme="light")
        assert page.evaluate(used) == in_the_dark, "paper is white also for who reads in the dark"
