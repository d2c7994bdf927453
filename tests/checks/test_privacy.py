"""Privacy: each way a mail can spy is found, whatever it is hidden in."""

from dataclasses import replace
from pathlib import Path

import pytest
from newsletter.checks.contacts import addresses_in_css, host_of
from newsletter.checks.finding import Severity
from newsletter.checks.privacy import privacy_contact
from newsletter.checks.run import CHECKS
from newsletter.checks.tracking import marks_in, without_marks
from newsletter.material import PreparedPicture
from newsletter.render.slots import Slot

from tests.checks.letters import LEAVE, LEAVE_TEXT, NAME, SETTINGS, SLOTS, Letter

E, W = Severity.ERROR, Severity.WARNING
PICTURES = "https://pictures.example/images/"
LISTED = f"{PICTURES}veracruz-0123abcd.jpg"
REPORT = "https://rsf.example/veracruz"


def with_html(markup: str) -> Letter:
    """The clean letter with a piece of HTML in front of its heading."""
    return Letter().seeded("html", "<h1>", f"{markup}<h1>")


def with_css(css: str) -> Letter:
    return Letter().seeded("html", ".a{color:red}", css)


def with_link(url: str) -> Letter:
    """The clean letter with another address behind one link, wherever that stands."""
    return Letter().seeded("everywhere", REPORT, url)


def found(letter: Letter, folder: Path) -> set[tuple[str, Severity]]:
    return {(f.id, f.severity) for f in letter.findings(folder) if f.id.startswith("privacy-")}


# What opening the mail loads


OUTLOOK = "<!--[if mso | IE]></td><td>{}</td><td><![endif]-->"

LOADS = [
    '<img src="https://spy.example/logo.png" alt="">',
    '<img src="http://spy.example/logo.png" alt="">',
    '<img src="//spy.example/logo.png" alt="">',
    '<img src="\\\\spy.example\\logo.png" alt="">',
    '<img src="file://spy.example/logo.png" alt="">',
    '<img src="https:spy.example/logo.png" alt="">',
    '<img src=" https:/&#9;/spy.example/logo.png" alt="">',
    '<img src="https://editor@spy.example/logo.png" alt="">',
    f'<img src="https://spy.example/?of={LISTED}" alt="">',
    f'<img src="{LISTED}" srcset="https://spy.example/2x.png 2x" alt="">',
    f'<img src="{LISTED}" srcset="{LISTED} 1x, //spy.example/2x.png 2x" alt="">',
    f'<img src="{LISTED}" lowsrc="https://spy.example/a.png" alt="">',
    f'<img src="{LISTED}" attributionsrc="https://spy.example/" alt="">',
    '<image src="https://spy.example/a.png">',
    '<table background="https://spy.example/a.png"></table>',
    '<link rel="stylesheet" href="https://spy.example/a.css">',
    '<link rel="icon" href="https://spy.example/a.ico">',
    '<link rel="preload" as="image" href="https://spy.example/a.png">',
    '<link rel="dns-prefetch" href="//spy.example">',
    '<video poster="https://spy.example/a.png"></video>',
    '<video><source src="https://spy.example/a.mp4"></video>',
    '<audio src="https://spy.example/a.mp3"></audio>',
    '<input type="image" src="https://spy.example/a.png">',
    '<button formaction="https://spy.example/">Yes</button>',
    '<a href="https://rsf.example/mx" ping="https://spy.example/">RSF</a>',
    '<svg><image xlink:href="https://spy.example/a.png"/></svg>',
    '<svg><use href="https://spy.example/a.svg#x"/></svg>',
    '<svg><rect fill="url(https://spy.example/a.svg#x)"/></svg>',
    '<noscript><img src="https://spy.example/a.png" alt=""></noscript>',
    '<p style="background:url(https://spy.example/a.png)">',
    '<p style="background:URL( &quot;https://spy.example/a.png&quot; )">',
    '<p style="background:u\\72l(//spy.example/a.png)">',
    '<p style="background:url(/*);color:red;background:url(https://spy.example/*/a.png)">',
    "<p style=\"list-style-image:image-set('https://spy.example/a.png' 1x)\">",
    '<p style="behavior:url(https://spy.example/a.htc)">',
    OUTLOOK.format('<v:fill type="frame" src="https://spy.example/a.png" />'),
    OUTLOOK.format('<v:image src="https://spy.example/a.png" />'),
    OUTLOOK.format('<v:rect><v:imagedata src="https://spy.example/a.png" /></v:rect>'),
    OUTLOOK.format('<img src="https://spy.example/a.png" alt="" />'),
    OUTLOOK.format("<style>@import 'https://spy.example/a.css';</style>"),
]
STYLES = [
    '@import "https://spy.example/a.css";',
    "@import url(https://spy.example/a.css);",
    "@import url(//spy.example/a.css) screen;",
    "@font-face{font-family:Spy;src:url(https://spy.example/a.woff2) format('woff2')}",
    ".a{background-image:url('https://spy.example/a.png')}",
    ".a:hover{cursor:url(https://spy.example/a.cur),auto}",
    "@media print{.a{content:url(https://spy.example/printed.png)}}",
    ".a{filter:progid:DXImageTransform.Microsoft.AlphaImageLoader(src='//spy.example/a.png')}",
]


@pytest.mark.parametrize("markup", LOADS)
def test_whatever_loads_from_elsewhere_is_found_with_its_host(folder: Path, markup: str) -> None:
    letter = with_html(markup)
    assert ("privacy-contact", E) in found(letter, folder)
    (finding, *_) = (f for f in letter.findings(folder) if f.id == "privacy-contact")
    assert "contacts spy.example for " in finding.what


@pytest.mark.parametrize("css", STYLES)
def test_a_style_sheet_that_loads_anything_is_found(folder: Path, css: str) -> None:
    letter = with_css(css)
    assert {("privacy-contact", E)} == found(letter, folder)
    (finding,) = (f for f in letter.findings(folder) if f.id == "privacy-contact")
    assert "contacts spy.example for " in finding.what
    assert "(a style sheet)" in finding.what


@pytest.mark.parametrize(
    "address",
    [
        f"{PICTURES}open.png",
        f"{PICTURES}open.php",
        f"{LISTED}?issue=2017-03",
        f"{LISTED}#x",
        f"{LISTED}/../open.php",
        LISTED.replace("https", "http"),
        LISTED.replace("pictures.example", "pictures.example:8443"),
        "https://pictures.example/open.png",
    ],
)
def test_the_host_of_the_pictures_is_asked_for_what_is_listed_alone(
    folder: Path, address: str
) -> None:
    letter = with_html(f'<img src="{address}" alt="">')
    assert {("privacy-contact", E)} == found(letter, folder)


@pytest.mark.parametrize(
    "markup",
    [
        f'<img src="{LISTED}" alt="" width="120">',
        f'<table background="{LISTED}"></table>',
        f'<p style="background:#fff url({LISTED})">',
        OUTLOOK.format(f'<v:fill type="tile" src="{LISTED}" />'),
        '<img src="cid:logo@news.defenders.example" alt="">',
        '<svg xmlns="http://www.w3.org/2000/svg"></svg>',
        '<meta name="color-scheme" content="light dark">',
        '<p title="See https://rsf.example/mx">',
        "<!-- https://spy.example/ is in a comment that nobody reads -->",
        OUTLOOK.format('<v:roundrect href="https://rsf.example/mx" arcsize="5%"></v:roundrect>'),
    ],
)
def test_what_contacts_nobody_else_is_fine(folder: Path, markup: str) -> None:
    assert set() == found(with_html(markup), folder)


def test_the_themes_logo_is_listed_as_well(folder: Path) -> None:
    it = with_html(f'<img src="{PICTURES}logo-4567cdef.png" alt="Defenders">').check_input(folder)
    assert ["privacy-contact"] == [f.id for f in privacy_contact.findings(it)]
    logo = PreparedPicture("logo-4567cdef.png", "image/png", 240, 80, shown=120, content=b"logo")
    with_logo = replace(it, material=replace(it.material, logo=logo))
    assert [] == list(privacy_contact.findings(with_logo))


def test_where_pictures_travel_inside_the_mail_none_may_be_loaded(folder: Path) -> None:
    inline = SETTINGS.model_copy(
        update={"mail": SETTINGS.mail.model_copy(update={"pictures": "inline"})}
    )
    letter = Letter(settings=inline)
    assert {("privacy-contact", E)} == found(letter, folder)
    (finding,) = (f for f in letter.findings(folder) if f.id == "privacy-contact")
    assert LISTED in finding.what


@pytest.mark.parametrize(
    ("address", "host"),
    [
        ("https://Spy.Example:8443/x", "spy.example:8443"),
        ("HTTP:\\\\spy.example\\x", "spy.example"),
        ("https://user:secret@spy.example/x", "spy.example"),
        ("///spy.example/x", "spy.example"),
        ("cid:a@b", ""),
        ("data:image/png;base64,//8=", ""),
        ("picture.png", ""),
        ("mailto:a@spy.example", ""),
        ("", ""),
    ],
)
def test_the_host_of_an_address_is_the_one_a_browser_asks(address: str, host: str) -> None:
    assert host == host_of(address)


@pytest.mark.parametrize(
    "css",
    [
        "a{b:url(\\68 ttps:\\/\\/spy.example/a)}",
        "a{b:url('ht\\\ntps://spy.example/a')}",
        "@im\\port 'HTTPS://spy.example/a';",
        "a{b:url(/*)}c{d:url(https://spy.example/a)}/**/",
    ],
)
def test_no_escape_and_no_comment_hides_an_address_in_a_style(css: str) -> None:
    assert ["https://spy.example/a"] == [each.lower() for each in addresses_in_css(css)]


# What acts by itself


@pytest.mark.parametrize(
    "markup",
    [
        "<script>1</script>",
        "<iframe srcdoc='x'></iframe>",
        "<form><input></form>",
        '<object data="a.swf"></object>',
        '<embed src="a.swf">',
        '<base href="https://pictures.example/images/a.png">',
        '<meta http-equiv="Refresh" content="0;url=https://spy.example/">',
        OUTLOOK.format("<object></object>"),
    ],
)
def test_what_acts_without_a_click_is_an_error(folder: Path, markup: str) -> None:
    assert ("privacy-active", E) in found(with_html(markup), folder)


# Pixels


@pytest.mark.parametrize(
    "markup",
    [
        '<img src="{}" width="1" height="1" alt="">',
        '<img src="{}" width="0" alt="">',
        '<img src="{}" height="1px" alt="">',
        '<img src="{}" style="width: 1px; height: 1px" alt="">',
        '<img src="{}" style="max-height:0!important" alt="">',
        '<img src="{}" style="width:.5px" alt="">',
        '<img src="{}" style="display: none" alt="">',
        '<img src="{}" style="Visibility:Hidden" alt="">',
        '<img src="{}" style="opacity:0" alt="">',
        '<img src="{}" style="opacity:0.01" alt="">',
        '<img src="{}" style="position:absolute;left:-9999px" alt="">',
        '<img src="{}" hidden alt="">',
        '<div style="display:none"><p><img src="{}" alt=""></p></div>',
        '<div style="max-height:0px;overflow:hidden"><img src="{}" alt=""></div>',
        OUTLOOK.format('<img src="{}" width="1" alt="">'),
    ],
)
def test_a_picture_that_nobody_sees_is_an_error(folder: Path, markup: str) -> None:
    letter = with_html(markup.replace("{}", LISTED))
    assert {("privacy-pixel", E)} == found(letter, folder)


@pytest.mark.parametrize(
    "style",
    [
        "width:100%;max-width:560px;height:auto",
        "width:10px;border-width:1px",
        "opacity:0.9",
        "opacity:1",
        "line-height:0;font-size:0",
        "margin-left:-12px",
    ],
)
def test_a_picture_that_is_seen_is_fine(folder: Path, style: str) -> None:
    markup = f'<img src="{LISTED}" style="{style}" width="12" height="100" alt="">'
    assert set() == found(with_html(markup), folder)


# Addresses of one's own


@pytest.mark.parametrize(
    "markup",
    [
        f'<a href="https://rsf.example/mx?reader={NAME}">RSF</a>',
        f'<a href="mailto:hello@defenders.example?subject={NAME}">Write</a>',
        f'<a href="{LEAVE}?from=top">Leave</a>',
        f'<img src="{LEAVE}" alt="">',
        f'<img src="{PICTURES}{NAME}.png" alt="">',
        f'<table background="{NAME}"></table>',
        f'<p style="background:url({NAME})">',
        f"<style>.b{{background:url({NAME})}}</style>",
        OUTLOOK.format(f'<v:fill src="{LEAVE}" />'),
    ],
)
def test_an_address_of_ones_own_is_an_error(folder: Path, markup: str) -> None:
    assert ("privacy-personal", E) in found(with_html(markup), folder)


@pytest.mark.parametrize(
    "line",
    [
        f"https://rsf.example/mx?reader={NAME}",
        f"(www.rsf.example/{NAME})",
        f"mailto:hello@defenders.example?body={NAME}",
    ],
)
def test_in_the_text_part_as_well(folder: Path, line: str) -> None:
    letter = Letter().seeded("text", "MARCH 2017", line)
    assert ("privacy-personal", E) in found(letter, folder)


def test_a_column_of_the_list_makes_no_link_of_ones_own(folder: Path) -> None:
    token = "Zq0000abcdx0004qZ"
    page = Letter(slots=(*SLOTS, Slot(token, "page", "url"))).seeded(
        "html", "<h1>", f'<a href="{token}">Your page</a><h1>'
    )
    (finding,) = (f for f in page.findings(folder) if f.id == "privacy-personal")
    assert "“page” stands in href of <a>" in finding.what


def test_names_in_words_and_the_unsubscribe_link_are_what_slots_are_for(folder: Path) -> None:
    words = f'<p title="For {NAME}">{NAME}</p><a href="{LEAVE}">Leave</a>'
    letter = with_html(words).seeded("text", "MARCH 2017", f"({LEAVE_TEXT}), {NAME}")
    assert set() == found(letter, folder)


# Marks and detours


@pytest.mark.parametrize(
    ("marked", "mended", "marks"),
    [
        ("?utm_source=news&utm_medium=email", "", ("utm_source", "utm_medium")),
        ("?id=7&fbclid=abc#top", "?id=7#top", ("fbclid",)),
        ("?mc_cid=1&page=2&mc_eid=3", "?page=2", ("mc_cid", "mc_eid")),
        ("?UTM_Source=x&b=%C3%A9&a=1+2", "?b=%C3%A9&a=1+2", ("UTM_Source",)),
        ("#utm_source=x", "", ("utm_source",)),
        ("?a=1#xtor=EPR-1", "?a=1", ("xtor",)),
        ("?_hsenc", "", ("_hsenc",)),
        ("?akid=12.3.x&t=1", "?t=1", ("akid",)),
    ],
)
def test_a_tracking_mark_is_an_error_that_shows_the_address_without_it(
    folder: Path, marked: str, mended: str, marks: tuple[str, ...]
) -> None:
    assert marks == marks_in(REPORT + marked)
    assert REPORT + mended == without_marks(REPORT + marked)
    letter = with_link(REPORT + marked)
    letter = letter.seeded("html", marked, marked.replace("&", "&amp;"))
    assert {("privacy-tracking", E)} == found(letter, folder)
    (finding,) = (f for f in letter.findings(folder) if f.id == "privacy-tracking")
    assert f"Write {REPORT}{mended} and " in finding.mend
    assert (19, "Fear in Veracruz") == (finding.where.line, finding.story)


@pytest.mark.parametrize("tail", ["", "?id=7", "?ref=1&source=b", "#part-2", "?q=utm_source"])
def test_what_an_address_needs_is_no_mark(folder: Path, tail: str) -> None:
    assert set() == found(with_link(REPORT + tail), folder)


def test_marks_are_found_in_running_text_in_the_text_part_and_on_pictures(folder: Path) -> None:
    in_blurb = Letter().seeded("everywhere", "rsf.example/mx", "rsf.example/mx?gclid=1")
    (finding,) = (f for f in in_blurb.findings(folder) if f.id == "privacy-tracking")
    assert 11 == finding.where.line
    in_text = Letter().seeded("text", "MARCH 2017", "https://rsf.example/?msclkid=1")
    assert ("privacy-tracking", E) in found(in_text, folder)
    picture = with_html(f'<img src="{PICTURES}a.png?utm_source=x" alt="">')
    assert ("privacy-tracking", E) in found(picture, folder)


def test_a_mark_is_named_once_and_with_its_line_however_the_address_is_spelt(folder: Path) -> None:
    letter = with_link("https://münchen.example/é?utm_source=x")
    letter = letter.seeded("html", "münchen.example/é", "xn--mnchen-3ya.example/%C3%A9")
    (finding,) = (f for f in letter.findings(folder) if f.id == "privacy-tracking")
    assert 19 == finding.where.line


@pytest.mark.parametrize(
    "url",
    [
        "https://bit.ly/3abc",
        "https://t.co/abc",
        "https://lnkd.in/abc",
        "https://tinyurl.com/abc",
        "https://us2.list-manage.com/track/click?u=1",
        "https://mailchi.mp/rsf/march",
        "https://u123.ct.sendgrid.net/ls/click?upn=1",
        "https://links.rsf.example/ls/click?upn=1",
        "https://click.everyaction.com/k/1/2",
        "https://org.cmail19.com/t/d-l-1/",
        "https://eur01.safelinks.protection.outlook.com/?url=https%3A%2F%2Frsf.example%2F",
        "https://l.facebook.com/l.php?u=https%3A%2F%2Frsf.example%2F",
        "https://www.google.com/url?q=https://rsf.example/",
    ],
)
def test_a_detour_is_a_warning(folder: Path, url: str) -> None:
    assert ("privacy-detour", W) in found(with_link(url), folder)


@pytest.mark.parametrize(
    "url",
    [
        "https://orbit.ly/",
        "https://www.google.com/maps",
        "https://facebook.com/l.phpx",
        "https://click.example/",
        "https://rsf.example/clicks/",
        "https://list.example/?u=https://rsf.example/",
    ],
)
def test_a_site_that_only_looks_like_a_detour_is_none(folder: Path, url: str) -> None:
    assert set() == found(with_link(url), folder)


def test_where_a_detour_says_its_end_the_mend_is_that_address_without_marks(folder: Path) -> None:
    end = "https%3A%2F%2Frsf.example%2Freport%3Futm_source%3Dx%26id%3D7"
    letter = with_link(
        f"https://eur01.safelinks.protection.outlook.com/?url={end}&data=anna%40ngo.example"
    )
    (finding,) = (f for f in letter.findings(folder) if f.id == "privacy-detour")
    assert "https://rsf.example/report?id=7 " in finding.mend
    assert "may name them" in finding.what
    assert 19 == finding.where.line


def test_every_privacy_check_has_a_test_here() -> None:
    ids = {check.id for check in CHECKS if check.id.startswith("privacy-")}
    here = Path(__file__).read_text(encoding="utf-8")
    assert {each for each in ids if here.count(f'"{each}"') > 0} == ids
