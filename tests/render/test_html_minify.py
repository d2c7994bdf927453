"""Slimming changes nothing that anybody sees: judged by a browser, by lxml and by hostile HTML."""

from __future__ import annotations

import functools
import io
import re
from collections.abc import Iterator
from itertools import product

import pytest
from newsletter.config import load_settings
from newsletter.issues.languages import load_languages
from newsletter.issues.material import load_material
from newsletter.material import Material
from newsletter.render.edition import CompileInput, Stages
from newsletter.render.html_finish import mended
from newsletter.render.html_minify import minify
from newsletter.render.pipeline import compile_stages
from newsletter.render.slots import TOKEN, bind
from newsletter.theme_files import load_theme
from PIL import Image, ImageChops
from playwright.sync_api import Browser, Route

from tests.render.samples import page_of
from tests.support.browser import chromium, tab
from tests.support.tools import PROVE, ROOT

SETTINGS = load_settings(ROOT / "newsletter.toml")
LANGUAGES = ("en", "fr", "es", "ar")
READER = {
    "name": "Zoë",
    "email": "zoe@reader.example",
    "unsubscribe_url": "https://news.defenders.example/leave/" + "m" * 60,
    "preferences_url": "https://news.defenders.example/preferences/" + "m" * 60,
}

COMPUTED = """() => {
  const names = [...getComputedStyle(document.body)];
  const rows = [...document.querySelectorAll("*")].map((element) => {
    const style = getComputedStyle(element);
    return [element.tagName, ...names.map((name) => style.getPropertyValue(name))].join("\\t");
  });
  return [["tag", ...names].join("\\t"), ...rows].join("\\n");
}"""
"""A table: the names of all properties, then each element's tag and what it computes."""


@functools.cache
def march(language: str) -> tuple[Stages, Material]:
    fields = SETTINGS.audience.fields
    loaded = load_languages(ROOT / "issues" / "2017-03.yaml", fields=fields)[language]
    theme = load_theme(ROOT / "templates" / "default")
    material = load_material(loaded, ROOT / "issues", shown=theme.shown)
    return compile_stages(
        CompileInput(loaded.issue, loaded.source, theme, SETTINGS, material)
    ), material


def before_and_after(language: str) -> tuple[str, str]:
    """The mail before and after slimming, with a reader's values in it."""
    stages, _ = march(language)
    slots = {slot.token: slot for slot in stages.slots}
    return bind(mended(stages.inlined_html), slots, READER), bind(stages.html, slots, READER)


# In a browser


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as opened:
        yield opened


def where_pixels_differ(one: bytes, other: bytes) -> tuple[int, ...] | None:
    """The box around all pixels that differ between two PNG files; None if none does."""
    if one == other:
        return None
    first, second = (Image.open(io.BytesIO(png)).convert("RGB") for png in (one, other))
    return first.size + second.size + (ImageChops.difference(first, second).getbbox() or ())


def unlike(table: str, other: str) -> list[tuple[str, str, str]]:
    """Where two tables of computed styles differ: tag and property, before, after."""
    rows, others = ([row.split("\t") for row in each.split("\n")] for each in (table, other))
    assert rows[0] == others[0]
    return [
        (f"{before[0]} {name}", value, other_value)
        for before, after in zip(rows, others, strict=True)
        if before != after
        for name, value, other_value in zip(rows[0], before, after, strict=True)
        if value != other_value
    ]


@pytest.mark.needs_chromium
@pytest.mark.parametrize(
    ("width", "scheme", "language"),
    [
        (width, scheme, language)
        for width, scheme in [*product((320, 375, 640), ("light", "dark")), (640, "on paper")]
        for language in LANGUAGES
        if PROVE
        or (language, width, scheme)
        in {
            ("en", 320, "light"),
            ("fr", 640, "dark"),
            ("es", 375, "light"),
            ("ar", 320, "dark"),
            ("ar", 640, "on paper"),
        }
    ],
)
def test_the_mail_looks_the_same_pixel_by_pixel_and_computes_the_same_styles(
    browser: Browser, language: str, scheme: str, width: int
) -> None:
    _, material = march(language)
    pictures = {picture.name: picture for picture in material.pictures.values()}

    def serve(route: Route) -> None:
        picture = pictures[route.request.url.rpartition("/")[2]]
        route.fulfill(body=picture.content, content_type=picture.media_type)

    with tab(browser, width=width, height=800) as page:
        page.emulate_media(
            media="print" if scheme == "on paper" else "screen",
            color_scheme="dark" if scheme == "dark" else "light",
        )
        page.route("**/*", serve)
        shots = []
        for html in before_and_after(language):
            page.set_content(html, wait_until="load")
            shots.append(page.screenshot(full_page=True))
            # What is set on the window outlives set_content; each table has millions of characters.
            page.evaluate(
                f"() => {{ window.before = window.after; window.after = ({COMPUTED})() }}"
            )
            assert page.evaluate("after.length") > 100_000
        same = page.evaluate("before === after")
        differences = [] if same else unlike(*page.evaluate("[before, after]"))
    assert None is where_pixels_differ(*shots)
    assert (True, []) == (same, differences)


# In fragments

STAYS = [
    "<pre>a\n  b\n\n\nc</pre>",
    "<pre> <p>x</p> <p>y</p> </pre>",
    "<textarea>a  \n  b</textarea>",
    "<p><b>a</b> <i>b</i></p>",
    "<p><a>a</a>\n<a>b</a></p>",
    "<p>a  b\u00a0 c</p>",
    "<p>x</p>y <p>z</p>",
    "<b>a</b><!-- x --> <!-- y --><i>b</i>",
    "<b>a</b> <!-- x --> <i>b</i>",
    '<div style="display:inline-block">a</div> <div style="display:inline-block">b</div>',
    '<div style="white-space:pre-line">a\n   b<p>c</p> \n <p>d</p></div>',
    "<style>.a{white-space:pre}</style><div>a\n   b<p>c</p> \n <p>d</p></div>",
    "<style>p{display:inline}</style><p>a</p> <p>b</p>",
    '<p title="a;  b &quot;c&quot; class=&quot;d&quot;">x</p>',
    "<p title='a  style=\"b: c; \"'>x</p>",
    '<p title="Zq0123abcdx0001qZ  &amp; more">Zq0123abcdx0002qZ  Zq0123abcdx0003qZ</p>',
    '<a href="Zq0123abcdx0001qZ">x</a>',
    '<p style="font-family:&quot;A; B&quot; , C ; color : #ffffff">x</p>',
    "<p style=\"font-family:'A,  B;  0px #ffffff'\">x</p>",
    '<p style="width:calc(0px + 50%)">x</p>',
    '<p style="padding:10px;margin:1.0px">x</p>',
    '<p style="flex:1 1 0px;line-height:0px">x</p>',
    '<p style="background:red;background:linear-gradient(red,blue)">x</p>',
    '<p style="background:red;background-color:blue">x</p>',
    '<p style="background:url(a;b.png) #ffffff">x</p>',
    '<table background="a.png" style="background:red;background-color:red"></table>',
    "<style>p{background-image:linear-gradient(red,blue)}</style>"
    '<p style="background:red;background-color:red">x</p>',
    '<table border="1"><tr><td>x</td></tr></table>',
    '<a href="x"><img alt="" border="0" src="y"></a>',
    '<td bgcolor="#ffffff" width="0px" align="left" valign="top">x</td>',
    '<table cellpadding="0" cellspacing="0" role="presentation" width="100%"></table>',
    '<table><tbody class="MsoNormal"><tr><td>x</td></tr></tbody></table>',
    "<table><tbody><!-- x --><tr><td>x</td></tr></tbody></table>",
    "<table><thead><tr><th>a</th></tr></thead><tbody><tr><td>x</td></tr></tbody></table>",
    "<table><tbody><tr><td>x</td></tr></tbody><tbody><tr><td>y</td></tr></tbody></table>",
    '<p class="MsoNormal notranslate gmail_quote">x</p>',
    '<style>[class*="b"]{color:red}</style><p class="abc">x</p>',
    '<style>.a\\:b{color:red}</style><p class="a:b">x</p>',
    "<!--[if lte mso 11]><style>.fix { width:100% !important; }</style><![endif]-->"
    '<div class="fix">x</div>',
    '<!--[if mso]>  <table  style="margin: 0px;" class="x"><tr><td> <![endif]-->',
    '<p lang="en" dir="auto" aria-hidden="true" aria-label=" a  b ">x</p>',
    '<div dir="rtl"><p style="direction:ltr">x</p></div>',
    '<div dir="ltr"><bdi><p style="direction:ltr">x</p></bdi></div>',
    '<div dir="ltr"><p dir="auto" style="direction:ltr">x</p></div>',
    '<div dir="ltr" style="direction:rtl"><p style="direction:ltr">x</p></div>',
    '<p style="direction:ltr">x</p>',
    '<style>p{direction:rtl}</style><div dir="ltr"><p style="direction:ltr">x</p></div>',
    '<style>a::before{content:"; }  , /* */ "}</style>',
    "<style>a :hover{top:0}a:hover{top:0}</style>",
    "<style>@media only screen and (min-width: 480px), print{a{top:0}}</style>",
    "<style>[data-ogsc] .a{color:red !important}u + .body .b{top:0}</style>",
    "a < b > c & d",
    "</p></div><p>x",
    "",
]
"""HTML that has nothing to spare, though it may look so."""

SLIMS = [
    ('<p style="">x</p>', "<p>x</p>"),
    ('<p style=" color : red ; ; ">x</p>', '<p style="color:red">x</p>'),
    (
        "<p style=\"font-family:Georgia, 'Noto  Serif' , serif;color:#FFAA00;\">x</p>",
        "<p style=\"font-family:Georgia,'Noto  Serif',serif;color:#FA0\">x</p>",
    ),
    (
        '<p style="margin:0px auto;padding:10px 0px;font-size:0px">x</p>',
        '<p style="margin:0 auto;padding:10px 0;font-size:0">x</p>',
    ),
    (
        '<p style="background:#ffffff;background-color:#ffffff">x</p>',
        '<p style="background-color:#fff">x</p>',
    ),
    (
        '<p class="used no">x</p><style>.used{top:0}</style>',
        '<p class="used">x</p><style>.used{top:0}</style>',
    ),
    ('<p class="no">x</p>', "<p>x</p>"),
    ('<table border="0"><tr><td>x</td></tr></table>', "<table><tr><td>x</td></tr></table>"),
    (
        "<table>\n<tbody>\n<tr>\n<td>x</td> </tr>\n</tbody>\n</table>",
        "<table><tr><td>x</td></tr></table>",
    ),
    (
        "<table><tbody><tr><td><table><tbody><tr><td>x</td></tr></tbody></table></td></tr></tbody></table>",
        "<table><tr><td><table><tr><td>x</td></tr></table></td></tr></table>",
    ),
    ("<p>a</p> <!-- x -->\n<p>b</p>", "<p>a</p><!-- x --><p>b</p>"),
    ("<p>a  \n   b <b>c</b>\n   d</p>", "<p>a\nb <b>c</b>\nd</p>"),
    (
        '<div dir="ltr"><p style="direction:ltr;color:red">x</p></div>',
        '<div dir="ltr"><p style="color:red">x</p></div>',
    ),
    (
        "<!--[if mso | IE]><td><![endif]--> <!--[if mso | IE]></td><![endif]-->",
        "<!--[if mso | IE]><td></td><![endif]-->",
    ),
    (
        "<style>\n/* a */ .a > .b,\n.c { color : red;\n top: 0; }\n"
        "@media (a)  and (b), print { p { x: y ; } } </style>",
        "<style>.a > .b,.c{color:red;top:0}@media (a) and (b), print{p{x:y}}</style>",
    ),
    (
        "<style>a{margin:0/**/auto}b/**/.c{top:0}</style>",
        "<style>a{margin:0 auto}b.c{top:0}</style>",
    ),
]
"""HTML, and all that is left of it."""


@pytest.mark.parametrize("html", STAYS)
def test_what_shows_or_may_be_used_stays(html: str) -> None:
    assert html == minify(html)


@pytest.mark.parametrize(("html", "slimmed"), SLIMS)
def test_what_nobody_sees_goes(html: str, slimmed: str) -> None:
    assert slimmed == minify(html)
    assert slimmed == minify(slimmed)


@pytest.mark.needs_chromium
def test_a_browser_sees_no_difference_in_any_fragment(browser: Browser) -> None:
    slimmed = [(html, minify(html)) for html in [*STAYS, *(before for before, _ in SLIMS)]]
    different = []
    with tab(browser, width=375, height=300) as page:
        for html, after in slimmed:
            if html == after:
                continue  # nothing to see
            looks = []
            for each in (html, after):
                page.set_content(f"<!DOCTYPE html><html><body>{each}</body></html>")
                looks.append((page.screenshot(), page.evaluate(COMPUTED)))
            if looks[0] != looks[1]:
                different.append(html)
    assert [] == different


# In the whole mail


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_mail_keeps_its_words_and_all_that_gives_them_meaning(language: str) -> None:
    kept = (
        *("role", "lang", "dir", "alt", "href", "src", "hreflang", "id", "title", "bgcolor"),
        *("width", "height", "align", "valign", "cellpadding", "cellspacing"),
    )

    def meaning(html: str) -> list[tuple[object, ...]]:
        return [
            (
                element.tag,
                " ".join((element.text or "").split()),
                " ".join((element.tail or "").split()),
                *(element.get(name) for name in kept),
                *(value for name, value in element.items() if name.startswith("aria-")),
            )
            for element in page_of(html).iter()
            if isinstance(element.tag, str) and element.tag not in ("tbody", "style")
        ]

    before, after = before_and_after(language)
    assert len(after.encode()) < len(before.encode())
    assert meaning(before) == meaning(after)


@pytest.mark.parametrize("language", LANGUAGES)
def test_outlook_and_style_sheets_get_what_they_got(language: str) -> None:
    def for_outlook(html: str) -> str:
        return "".join(re.findall(r"<!--\[if mso \| IE\]>(.*?)<!\[endif\]-->", html, re.DOTALL))

    before, after = before_and_after(language)
    assert for_outlook(before) == for_outlook(after)
    before = re.sub(r"/\*.*?\*/", "", before, flags=re.DOTALL)
    for what in ("<style", "</style>", "@media", "!important", "[data-ogsc]", "[data-ogsb]"):
        assert before.count(what) == after.count(what), what
    assert after.count("<!--[if") == after.count("<![endif]")
    others = [text for text in re.findall(r"<!--.*?-->", before, re.DOTALL) if "| IE" not in text]
    assert [] == [text for text in others if text not in after]


@pytest.mark.parametrize("language", LANGUAGES)
def test_slots_are_where_they_were_and_a_second_pass_finds_nothing(language: str) -> None:
    stages, _ = march(language)
    assert TOKEN.findall(stages.inlined_html) == TOKEN.findall(stages.html)
    assert stages.html == minify(stages.html)
