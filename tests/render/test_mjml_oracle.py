"""What mrml makes of each component, beside npm's mjml: in Outlook's branch the same widths."""

from __future__ import annotations

import functools
import json
import re
import subprocess
from pathlib import Path

import pytest
from newsletter.checks.outlook import outlook_page
from newsletter.render.lint import lint_mjml
from newsletter.render.mjml import prepare_mjml, to_html
from newsletter.render.mjml_schema import CHILDREN

from tests.support.tools import npm_program, program

TEXT = "<mj-text>Words</mj-text>"
COLUMN = f"<mj-column>{TEXT}</mj-column>"
PICTURE = 'src="https://a.example/a.png" alt="A"'
BODIES = {
    "column": f"<mj-section>{COLUMN}</mj-section>",
    "padded": f'<mj-section padding="10px 22px">{COLUMN}</mj-section>',
    "zero": f'<mj-section padding="0 40px">{COLUMN}{COLUMN}</mj-section>',
    "shares": '<mj-section><mj-column width="30%"><mj-spacer height="20px" /></mj-column>'
    f'<mj-column width="70%">{TEXT}</mj-column></mj-section>',
    "pixels": f'<mj-section padding="0px 40px"><mj-column width="200px">{TEXT}</mj-column>'
    f'<mj-column width="360px">{TEXT}</mj-column></mj-section>',
    "bordered": f'<mj-section border="8px solid #123456" padding="20px">{COLUMN}</mj-section>',
    "frame": '<mj-section><mj-column border="2px solid #123456" padding="4px">'
    f'<mj-image {PICTURE} /><mj-divider border-width="1px" width="50%" /></mj-column></mj-section>',
    "group": f"<mj-section><mj-group>{COLUMN}{COLUMN}</mj-group></mj-section>",
    "wrapper": f'<mj-wrapper padding="10px 20px"><mj-section>{COLUMN}{COLUMN}</mj-section>'
    "</mj-wrapper>",
    "full": f'<mj-section full-width="full-width" background-color="#123456">{COLUMN}</mj-section>',
    "linked": f'<mj-section><mj-column><mj-image width="300px" {PICTURE} '
    'href="https://a.example/" /><mj-button href="https://a.example/b" width="200px">Go'
    "</mj-button></mj-column></mj-section>",
    "table": "<mj-section><mj-column><mj-table><tr><td>A</td></tr></mj-table></mj-column>"
    "</mj-section>",
    "social": '<mj-section><mj-column><mj-social><mj-social-element name="github" '
    'href="https://a.example/">G</mj-social-element></mj-social></mj-column></mj-section>',
    "navbar": '<mj-section><mj-column><mj-navbar><mj-navbar-link href="https://a.example/">N'
    "</mj-navbar-link></mj-navbar></mj-column></mj-section>",
    "raw": f"<mj-section><mj-column><mj-raw><p>Raw</p></mj-raw>{TEXT}</mj-column></mj-section>",
    "hero": '<mj-hero mode="fixed-height" height="200px" background-height="200px" '
    'background-width="600px" background-url="https://a.example/a.png">'
    f"{TEXT}</mj-hero>",
    "accordion": "<mj-section><mj-column><mj-accordion><mj-accordion-element>"
    "<mj-accordion-title>T</mj-accordion-title><mj-accordion-text>X</mj-accordion-text>"
    "</mj-accordion-element></mj-accordion></mj-column></mj-section>",
}
WIDTH = re.compile(r"(?<![-\w])width:\s*([\d.]+px)")


def document(body: str) -> str:
    return f'<mjml lang="en" dir="ltr"><mj-body width="640px">{body}</mj-body></mjml>'


@functools.cache
def by_npm() -> dict[str, str]:
    npm_program("mjml")
    done = subprocess.run(
        [program("node"), str(Path(__file__).with_name("npm_mjml.mjs"))],
        input=json.dumps([document(body) for body in BODIES.values()]),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return dict(zip(BODIES, json.loads(done.stdout), strict=True))


def seen(html: str) -> tuple[list[tuple[str, str, str]], str, list[str | None]]:
    """The widths in Outlook's branch, in order; the words; where links and pictures lead."""
    body = outlook_page(html).find("body")
    widths = []
    for each in body.iter("table", "td", "img"):
        styled = WIDTH.search(each.get("style") or "")
        said = (styled[1] if styled else "", (each.get("width") or "").removesuffix("px"))
        widths += [(str(each.tag), *said)] if any(said) else []
    places = [each.get("href") or each.get("src") for each in body.iter("a", "img")]
    return widths, "".join(body.text_content().split()), places


def test_each_component_that_the_lint_allows_is_tried() -> None:
    allowed, found = {"mj-carousel", "mj-carousel-image", "mj-body"}, {"mj-body"}
    # All that can stand in a body; a carousel is refused.
    while new := {child for each in found for child in CHILDREN.get(each, ())} - found:
        found |= new
    used = set(re.findall(r"<(mj-[a-z-]+)", "".join(BODIES.values())))
    assert found - allowed == used


@pytest.mark.parametrize("name", BODIES)
def test_mrml_gives_outlook_the_widths_of_npm_mjml(name: str) -> None:
    mjml = document(BODIES[name])
    assert () == lint_mjml(mjml)
    assert seen(by_npm()[name]) == seen(to_html(prepare_mjml(mjml)))
