"""Issues, a theme and settings to render, small and with every element."""

import datetime as dt
from dataclasses import replace
from pathlib import Path

from lxml import html as lxml_html
from newsletter.config import Settings
from newsletter.material import Document, Material, PreparedPicture
from newsletter.model import Issue, Link, Picture, Quote, Story
from newsletter.render.edition import CompileInput, Edition
from newsletter.render.pipeline import compile_edition
from newsletter.source import Source
from newsletter.theme import Theme
from newsletter.theme_files import load_theme

THEME = load_theme(Path(__file__).parent / "theme")

SETTINGS = Settings.model_validate(
    {
        "list": {
            "id": "news.example.org",
            "name": "Defenders’ News",
            "unsubscribe_url": "https://news.example.org/u/{token}",
        },
        "sender": {"name": "Defenders’ News", "address": "news@example.org"},
        "organisation": {"name": "Defenders", "postal_address": "1 Example Street, Brussels"},
        "archive": {"url": "https://news.example.org/"},
        "audience": {"fields": ["city"]},
    }
)

VALUES = {
    "name": "Zoë & 7",
    "email": "zoe@example.org",
    "city": "Ghent",
    "unsubscribe_url": "https://news.example.org/u/aB-_9",
}

SOURCE = Source(
    Path("issues/2017-03.yaml"),
    {
        (): (1, 1),
        ("introduction",): (9, 15),
        ("stories", 0): (13, 5),
        ("stories", 0, "blurb"): (15, 12),
        ("stories", 1): (30, 5),
        ("stories", 1, "blurb"): (32, 12),
    },
)

BLURB = """\
She said "no", *twice*, and **meant** it. The [report (PDF)](https://defenders.example/r?a=1&b=2)
lists what followed; ~~ten~~ eleven people signed. See also <https://defenders.example/all>.

### What happened

- A first point that is long enough to be wrapped at seventy-two columns, as a list item must
  - with a point below it
- A second point

1. One
2. Two

> A voice from the courtroom.

| Country | Cases |
| ------- | ----: |
| Mexico  |    12 |
| 日本     |     3 |

    code < stays & is
"""

STORIES = (
    Story(
        id="courtroom",
        headline="A retrial that mocked justice <again> & again",
        blurb=BLURB,
        image=Picture(
            file="two scales.jpg", alt="Drawing of “scales”, 5\u00a0cm high", credit="The editors"
        ),
        quote=Quote(text="I will *never* be silent.", by="A. Defender, lawyer"),
        links=(
            Link(label="Read more", url="https://defenders.example/a?x=1&y=2"),
            Link(label="Auf Deutsch", url="https://münchen.example/größe?q=ü"),
        ),
    ),
    Story(id="prisons", headline="Inside the prisons of Mexico", blurb="Short."),
)

ISSUE = Issue(
    id="2017-03",
    title="March 2017",
    date=dt.date(2017, 3, 31),
    language="en",
    subject="News for {{ name | you }}",
    preheader="Two stories, {{ name | friend }}",
    greeting="Dear {{ name | friend }},",
    introduction='This month *two* stories, {{ name | dear reader }}. "Yes".',
    stories=STORIES,
)

ARABIC = ISSUE.model_copy(
    update={
        "title": "آذار ٢٠١٧",
        "language": "ar",
        "greeting": "عزيزنا {{ name | القارئ }}،",
        "introduction": 'قصة واحدة في هذا الشهر. "نعم".',
        "stories": (
            Story(
                id="one",
                headline="حكاية من تبليسي",
                blurb="نص قصير فيه [رابط](https://a.example/ar).\n\n- واحد\n- اثنان",
            ),
        ),
    }
)


def theme_with(**files: str) -> Theme:
    """The fixture theme with other files: ``mail_mjml`` or ``mail_txt`` for the two mails."""
    names = {"mail_mjml": "mail.mjml.j2", "mail_txt": "mail.txt.j2", "inline_css": "css/inline.css"}
    changed = {names.get(name, name): text for name, text in files.items()}
    return replace(THEME, files={**THEME.files, **changed})


def theme_changed(old: str, new: str, *, file: str = "mail.mjml.j2") -> Theme:
    """The fixture theme with one piece of a file replaced."""
    assert old in THEME.files[file]
    return theme_with(**{file: THEME.files[file].replace(old, new)})


def material_of(issue: Issue) -> Material:
    """Pictures and documents as the issue names them, with made-up contents."""
    return Material(
        {
            path: PreparedPicture(
                f"{Path(picture.file).stem.replace(' ', '-')}-0123abcd.jpg",
                "image/jpeg",
                width=1120,
                height=560,
                shown=160 if picture.size else 560,
                content=b"a picture",
            )
            for path, picture in issue.pictures()
        },
        {
            name: Document(name, "0123abcd", "application/pdf", b"%PDF-1.7")
            for _, name in issue.files()
        },
    )


def compiled(issue: Issue = ISSUE, *, theme: Theme = THEME) -> Edition:
    return compile_edition(CompileInput(issue, SOURCE, theme, SETTINGS, material_of(issue)))


def with_blurb(blurb: str, *, language: str = "en") -> Issue:
    story = STORIES[1].model_copy(update={"blurb": blurb})
    return ISSUE.model_copy(update={"stories": (STORIES[0], story), "language": language})


def page_of(html: str) -> lxml_html.HtmlElement:
    return lxml_html.document_fromstring(html)
