"""The preview in a browser, as an editor uses it."""

import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Error, FrameLocator, Page, Request, expect

from tests.preview.served import Served
from tests.support.browser import chromium

pytestmark = pytest.mark.needs_chromium

# A saved file means an edition compiled anew; the default of 5 s is little on a busy machine.
expect.set_options(timeout=20_000)


@dataclass
class Seen:
    """What the browser did besides showing the page."""

    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as opened:
        yield opened


@pytest.fixture
def seen() -> Seen:
    return Seen()


@pytest.fixture(scope="module")
def window(browser: Browser) -> Page:
    """One for all tests, as a new one takes longer than what most of them do in it."""
    return browser.new_page(locale="en-GB")


@pytest.fixture
def page(window: Page, served: Served, seen: Seen) -> Iterator[Page]:
    """The preview, opened and showing the mail."""
    with opened(window, served, seen) as page:
        yield page


@pytest.fixture
def draft_page(window: Page, draft: Served, seen: Seen) -> Iterator[Page]:
    """The same of files that the test may change."""
    with opened(window, draft, seen) as page:
        yield page


@contextlib.contextmanager
def opened(page: Page, served: Served, seen: Seen) -> Iterator[Page]:
    def asked(request: Request) -> None:
        seen.requests.append(request.url)

    def told(message: ConsoleMessage) -> None:
        seen.complaints.append(message.text)

    def failed(error: Error) -> None:
        seen.complaints.append(str(error))

    page.set_viewport_size({"width": 1400, "height": 900})
    page.on("request", asked)
    page.on("console", told)
    page.on("pageerror", failed)
    page.goto(served.url)
    for mail in (desktop(page), phone(page)):
        expect(mail.locator("h1")).to_be_visible()
    # While a mail is still arriving it is too short to be scrolled far.
    page.wait_for_function(
        "() => [...document.querySelectorAll('iframe')]"
        ".every(frame => frame.contentDocument.readyState === 'complete')"
    )
    yield page
    page.remove_listener("request", asked)
    page.remove_listener("console", told)
    page.remove_listener("pageerror", failed)
    page.goto("about:blank")


def desktop(page: Page) -> FrameLocator:
    return page.frame_locator("#frame-desktop")


def phone(page: Page) -> FrameLocator:
    return page.frame_locator("#frame-phone")


def choose(page: Page, name: str, value: str) -> None:
    page.locator(f"label:has(input[name={name}][value={value}])").click()


def scroll_of(mail: FrameLocator) -> float:
    return float(mail.locator("html").evaluate("html => html.scrollTop"))


def test_the_mail_is_shown_at_two_widths_and_nothing_is_fetched_from_elsewhere(
    page: Page, served: Served, seen: Seen
) -> None:
    expect(page.get_by_role("heading", name="March 2017", exact=True)).to_be_visible()
    assert 640 == desktop(page).locator("html").evaluate("html => html.clientWidth")
    assert 375 == phone(page).locator("html").evaluate("html => html.clientWidth")
    assert 375 >= phone(page).locator("html").evaluate("html => html.scrollWidth")
    loaded = (
        desktop(page)
        .locator("img")
        .first.evaluate(
            "async (img) => { img.loading = 'eager'; await img.decode(); return img.naturalWidth }"
        )
    )
    assert loaded > 0
    foreign = [url for url in seen.requests if not url.startswith((served.url, "data:"))]
    assert [] == foreign
    assert [] == seen.complaints


def test_one_width_can_be_shown_alone(page: Page) -> None:
    choose(page, "width", "phone")
    expect(page.locator("#frame-desktop")).to_be_hidden()
    expect(page.locator("#frame-phone")).to_be_visible()
    choose(page, "width", "desktop")
    expect(page.locator("#frame-desktop")).to_be_visible()
    expect(page.locator("#frame-phone")).to_be_hidden()


def test_dark_shows_the_mail_as_a_dark_mail_program_does(page: Page) -> None:
    white = "rgb(255, 255, 255)"
    expect(desktop(page).locator(".paper").first).to_have_css("background-color", white)
    choose(page, "scheme", "dark")
    for mail in (desktop(page), phone(page)):
        expect(mail.locator(".paper").first).not_to_have_css("background-color", white)
    choose(page, "scheme", "light")
    for mail in (desktop(page), phone(page)):
        expect(mail.locator(".paper").first).to_have_css("background-color", white)


def test_pictures_can_be_turned_off_and_their_descriptions_stay(page: Page) -> None:
    picture = desktop(page).get_by_alt_text(re.compile("Tbilisi")).first
    width = "img => img.complete ? img.naturalWidth : -1"
    expect(picture).to_be_visible()
    choose(page, "images", "off")
    page.wait_for_url("**images=off**")
    expect(page.locator("#frame-desktop")).to_have_attribute("src", re.compile("images=off"))
    expect(desktop(page).locator("h1")).to_be_visible()
    assert 0 == picture.evaluate(width)


def test_the_reader_can_be_chosen(page: Page) -> None:
    expect(desktop(page).get_by_text("Dear Anna Lindqvist")).to_be_visible()
    page.get_by_label("Shown to").select_option(label="Empty name")
    expect(desktop(page).get_by_text("Dear friend")).to_be_visible()
    page.get_by_role("tab", name="Plain text").click()
    expect(page.locator("#text")).to_contain_text("Dear friend")


def test_choices_survive_a_reload_of_the_page(page: Page) -> None:
    page.get_by_label("Shown to").select_option(label="Empty name")
    choose(page, "width", "phone")
    choose(page, "scheme", "dark")
    page.reload()
    expect(phone(page).get_by_text("Dear friend")).to_be_visible()
    expect(page.locator("#frame-desktop")).to_be_hidden()
    expect(page.locator("input[name=scheme][value=dark]")).to_be_checked()


def test_text_inbox_line_and_headers_have_their_tabs(page: Page) -> None:
    page.get_by_role("tab", name="Plain text").click()
    expect(page.get_by_role("tabpanel", name="Plain text")).to_contain_text("Unsubscribe")
    page.get_by_role("tab", name="Inbox line").click()
    expect(page.locator(".row.wide .subject")).to_contain_text("Tbilisi")
    page.get_by_role("tab", name="Headers").click()
    expect(page.get_by_role("row", name="List-ID")).to_contain_text("news.defenders.example")
    expect(page.locator("#panel-mail")).to_be_hidden()


def test_the_tabs_obey_the_arrow_keys(page: Page) -> None:
    page.get_by_role("tab", name="Mail").focus()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("tab", name="Plain text")).to_be_focused()
    expect(page.get_by_role("tab", name="Plain text")).to_have_attribute("aria-selected", "true")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    expect(page.get_by_role("tab", name="Headers")).to_be_focused()


def test_everything_can_be_reached_by_keyboard(page: Page) -> None:
    page.get_by_role("heading", name="March 2017", exact=True).click()
    reached = set()
    for _ in range(8):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("() => document.activeElement.id || document.activeElement.name"))
    assert {"reader", "badge", "tab-mail", "width", "scheme", "images"} <= reached


def test_saving_the_issue_shows_it_at_once_and_keeps_the_place(
    draft_page: Page, draft: Served
) -> None:
    desktop(draft_page).locator("html").evaluate("html => html.scrollTop = 1500")
    expect(phone(draft_page).locator("h1")).not_to_be_in_viewport()
    draft.edit("A year of safety in Hamburg", "Twelve months of safety in Hamburg")
    heading = desktop(draft_page).get_by_role("heading", name="Twelve months of safety in Hamburg")
    expect(heading).to_be_attached()
    assert 1500 == pytest.approx(scroll_of(desktop(draft_page)), abs=80)


def test_both_widths_follow_each_other_to_the_same_story(page: Page) -> None:
    name = "Veracruz, where the press lives in fear"
    desktop(page).get_by_role("heading", name=name).evaluate(
        "heading => heading.scrollIntoView({ block: 'start' })"
    )
    expect(phone(page).get_by_role("heading", name=name)).to_be_in_viewport()


def test_taking_the_pictures_away_keeps_the_story(page: Page) -> None:
    name = "Veracruz, where the press lives in fear"
    heading = desktop(page).get_by_role("heading", name=name)
    heading.evaluate("heading => heading.scrollIntoView({ block: 'center' })")
    expect(phone(page).get_by_role("heading", name=name)).to_be_in_viewport()
    choose(page, "images", "off")
    expect(page.locator("#frame-phone")).to_have_attribute("src", re.compile("images=off"))
    expect(heading).to_be_in_viewport()


def test_an_error_shows_a_bar_with_file_and_line_above_the_last_good_mail(
    draft_page: Page, draft: Served
) -> None:
    draft.edit("title: March 2017", "titel: March 2017")
    bar = draft_page.locator("#alert")
    expect(bar).to_be_visible()
    expect(bar).to_contain_text(re.compile(r"2017-03\.yaml:\d+"))
    expect(bar).to_contain_text("titel")
    expect(bar).to_contain_text("last version that worked")
    expect(desktop(draft_page).locator("h1")).to_be_visible()
    red = bar.evaluate("bar => getComputedStyle(bar).backgroundColor")
    assert "rgb(143, 29, 22)" == red
    draft.edit("titel: March 2017", "title: March 2017")
    expect(bar).to_be_hidden()


def test_a_finding_leads_to_its_story(draft_page: Page, draft: Served) -> None:
    expect(draft_page.get_by_role("button", name="All checks pass")).to_be_visible()
    draft.edit("now behind a guarded door", "now behind lorem ipsum")
    expect(draft_page.get_by_role("button", name="1 error")).to_be_visible()
    panel = draft_page.get_by_role("complementary", name="What the checks found")
    expect(panel).to_contain_text("lorem ipsum")
    expect(panel).to_contain_text("Mend:")
    heading = re.compile("now behind lorem ipsum")
    # Both frames must have loaded the new mail: a click before that would scroll the old one.
    for frame in (desktop(draft_page), phone(draft_page)):
        expect(frame.get_by_role("heading", name=heading)).to_be_attached()
    expect(desktop(draft_page).get_by_role("heading", name=heading)).not_to_be_in_viewport()
    panel.get_by_role("button", name=re.compile("Show in the mail")).click()
    expect(desktop(draft_page).get_by_role("heading", name=heading)).to_be_in_viewport()
    expect(phone(draft_page).get_by_role("heading", name=heading)).to_be_in_viewport()
    text_stands_out_from_its_ground(draft_page)


def text_stands_out_from_its_ground(opened: Page) -> None:
    opened.emulate_media(color_scheme="light")
    light = opened.evaluate(GROUND)
    assert [] == opened.evaluate(CONTRAST)
    opened.emulate_media(color_scheme="dark")
    assert light != opened.evaluate(GROUND)
    assert [] == opened.evaluate(CONTRAST)
    opened.emulate_media(color_scheme="light")


def test_what_the_mail_holds_runs_no_script(draft_page: Page, draft: Served, seen: Seen) -> None:
    footer = draft.sources.folder / "templates" / "default" / "partials" / "footer.mjml.j2"
    script = "<mj-raw><div onclick=\"document.title='hacked'\">click</div></mj-raw>\n"
    text = footer.read_text(encoding="utf-8")
    footer.write_text(text.replace("</mj-column>", f"{script}</mj-column>", 1), encoding="utf-8")
    target = desktop(draft_page).get_by_text("click", exact=True)
    expect(target).to_be_attached()
    target.dispatch_event("click")
    assert "hacked" != desktop(draft_page).locator("html").evaluate("() => document.title")
    assert any("sandboxed" in complaint for complaint in seen.complaints)


def test_a_narrow_window_has_no_sideways_scroll(page: Page) -> None:
    page.set_viewport_size({"width": 800, "height": 900})
    expect(page.locator("#frame-phone")).to_be_visible()
    assert 800 >= page.locator("html").evaluate("html => html.scrollWidth")


def test_the_page_says_so_when_the_preview_was_stopped(draft_page: Page, draft: Served) -> None:
    draft.stop.set()
    expect(draft_page.get_by_text("The preview was stopped")).to_be_visible(timeout=15_000)


GROUND = "getComputedStyle(document.body).backgroundColor"


CONTRAST = """() => {
  const channels = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((c) => c / 255)
    .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const ground = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = channels(getComputedStyle(at).backgroundColor);
      if (colour.length === 3 || colour[3] === 1) return colour;
    }
    return [255, 255, 255];
  };
  const low = [];
  for (const element of document.querySelectorAll("body *")) {
    const own = [...element.childNodes].some((n) => n.nodeType === 3 && n.data.trim());
    if (!own || !element.checkVisibility()) continue;
    const [a, b] = [light(channels(getComputedStyle(element).color)), light(ground(element))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) low.push(`${element.className || element.tagName}: ${ratio.toFixed(2)}`);
  }
  return low;
}"""
