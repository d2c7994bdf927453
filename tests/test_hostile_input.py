"""A megabyte of hostile input for each parser of what others wrote, and no minutes go by.

Nothing here measures speed: the alarm counts this process's own time, and goes off only
where that grows with the square of the size. Whether a parser reads the input or refuses
it is its own tests' matter.
"""

import io
import json
import zipfile
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from newsletter.addresses import Address, AddressError
from newsletter.audience.cells import read_address, read_line
from newsletter.audience.languages import read_language
from newsletter.audience.reader import read_roster
from newsletter.bounded_json import JSONRefused, read_json
from newsletter.checks import dates, links, page, placeholders, privacy, tracking
from newsletter.checks.contacts import addresses_in_css, host_of
from newsletter.checks.styles import rules
from newsletter.config import SIGNATURE_HEADERS, load_settings
from newsletter.errors import NewsletterError
from newsletter.feedback.bounce_mailbox import Mail
from newsletter.feedback.bounces import read_bounce
from newsletter.feedback.mail_news import read_mail
from newsletter.feedback.provider_events import read_events
from newsletter.feedback.webhooks import Trust, Webhook, verify_webhook
from newsletter.issues.authors import authors_in
from newsletter.issues.credit import Credit
from newsletter.issues.credit_metadata import read_iim, read_xmp
from newsletter.issues.document import MAX_CHARACTERS
from newsletter.issues.loader import parse_issue
from newsletter.message.keys import KeyRing
from newsletter.message.tokens import Verifier, verify
from newsletter.model import split_merge_fields
from newsletter.refusal_words import (
    is_bad_address,
    is_greylisting,
    is_policy,
    may_be_gone,
    names,
    proves_gone,
    same_words,
)
from newsletter.render import css_minify, html_finish, html_minify, markdown_faults, markup, mjml
from newsletter.render.markdown import parse, to_html, to_text
from newsletter.render.plaintext import TextLayout
from newsletter.render.wrap import wrap
from newsletter.report.reasons import reason_of, redacted
from newsletter.transports.smtp_reply import Reply, Stage, refusal

from tests.feedback.test_bounces import report, status
from tests.support.alarm import alarm
from tests.support.tools import PROVE

SIZE, LIMIT_S = (1_000_000, 60) if PROVE else (60_000, 4)
"""What grows with the square shows at a sixteenth of a megabyte as well."""
NOW = datetime(2017, 4, 1, 9, 0, tzinfo=UTC)
KEYS = KeyRing(b"p" * 32, {1: b"k" * 32})


def markdown(text: str) -> None:
    tokens = parse(text[:MAX_CHARACTERS], language="en")
    to_html(tokens)
    to_text(tokens, TextLayout())


def subscribers(text: str, folder: Path) -> None:
    path = folder / "list.csv"
    path.write_text(f"email,name\n{text}\na@a.example,A\n")
    read_roster(path)


def webhooks(text: str) -> None:
    """As the body, in each header, and as each text that Amazon signs."""
    told = {"Type": "Notification", "TopicArn": "a", "SignatureVersion": "2", "Message": text,
            "SigningCertURL": text, "Signature": text, "signature": {"token": text}}  # fmt: skip
    for body in (text.encode(), json.dumps(told).encode()):
        for provider in ("mailgun", "ses", *SIGNATURE_HEADERS):
            headers = dict.fromkeys(SIGNATURE_HEADERS.get(provider, ()), text[:2000])
            webhook = Webhook(provider, headers, body)
            assert verify_webhook(webhook, "a", lambda _: b"").trust is Trust.REFUSED


def settings(text: str, folder: Path) -> None:
    path = folder / "newsletter.toml"
    path.write_text(text[:100_000])
    load_settings(path)


def issue(text: str, folder: Path) -> None:
    parse_issue(f"greeting: |\n {text}"[:MAX_CHARACTERS], folder / "2017-03.yaml")


def bounce(text: str) -> None:
    data = text.encode()
    read_bounce(data)
    for field in (b"", b"Subject: ", b"From: "):
        read_mail(Mail(b"id", "here", field + data), now=NOW, leaves_of=lambda mailed: ())
    for place in (b"To: ", b"Date: ", b'boundary="b"', b"Final-Recipient: ", b"Message-ID: "):
        read_bounce(report(status("failed", "5.1.1")).replace(place, place + data, 1))


def event(text: str) -> None:
    """One event with as many recipients as fit, and as many other fields."""
    start = '{"event": "bounced", "tag": "0123456789abcdef01234567", '
    for many in (
        '"bouncedRecipients": [{}%s], "x": [1%s]}',
        '"rcpt": {"recipients": [{}%s]}, "x": [1%s]}',
    ):
        filled = many % (",{}" * (len(text) // 6), ",1" * (len(text) // 4))
        list(read_events(io.BytesIO(f"{start}{filled}".encode())))


def refused(text: str) -> None:
    """A server's words in every place that they are read in."""
    said = f"user {text}"
    names(said)
    proves_gone(said, "5.1.1")
    may_be_gone(said)
    is_bad_address(said)
    is_policy(said)
    is_greylisting(said)
    same_words(said, "example.org")
    refusal(Reply(550, said), Stage.RCPT)


def office(text: str) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("docProps/core.xml", text)
    authors_in(packed.getvalue())


def checks(text: str) -> None:
    for expression in (placeholders._FIELD, placeholders._TODO, placeholders._MISSING,
                       privacy._HIDDEN, privacy._TINY, privacy._FAR_OFF, privacy._IN_TEXT,
                       tracking._LOOKS_LIKE_COUNTER, tracking._EXITS,
                       markdown_faults._DEAD_LINK):  # fmt: skip
        expression.findall(text)
    links._LOOKS_LIKE_HOST.match(text)
    list(page.addresses_in(text))
    page.words(text)
    host_of(text)
    calendar = dates._Calendar.of("en")
    assert calendar
    list(calendar.dates(text, near=date(2017, 3, 31)))


def styles(text: str) -> None:
    list(rules(text))
    list(addresses_in_css(text))
    css_minify.minified_sheet(text)
    html_finish._CSS_COMMENT.sub("", text)
    html_finish._IMG_WITHOUT_ALT.findall(text)
    html_minify._LINE_BREAKS.sub(" ", text)
    html_minify._ATTRIBUTE.findall(text)
    mjml._SPACE.sub(" ", text)


def alone(read: Callable[[str], object]) -> Callable[[str, Path], object]:
    return lambda text, folder: read(text)


_COMMON = (
    "a",
    " ",
    "\n",
    '"',
    "'\"",
    "(",
    "[",
    "{",
    "<",
    "\\",
    "&#",
    "@",
    "a@",
    "a ",
    "//",
    "\t \n",
)
COMMON = _COMMON if PROVE else _COMMON[::4]
"""What is bad for many; each parser's own worst is always served."""
MENUS: dict[str, tuple[Callable[[str, Path], object], tuple[str, ...]]] = {
    "a subscriber's cells": (
        alone(lambda text: (read_line(text), read_language(text), read_address(text))),
        (*COMMON, "<>", "Anna <", "a-"),
    ),
    "an address": (alone(Address.parse), (*COMMON, "a.", "a@a.", "xn--")),
    "a list": (subscribers, (*COMMON, ",", ";", "a@a.example,A\n", '"a"', '",\n', "\0")),
    "JSON": (alone(read_json), (*COMMON, '"\\"', '{"a":', "[],", "1", "-", "1e9,")),
    "events": (
        alone(lambda text: list(read_events(io.BytesIO(text.encode())))),
        (*COMMON, "{}\n", '{"a":\n', "[{", "}]", '{"a": "b"},'),
    ),
    "an event for many": (alone(event), ("a",)),
    "a webhook": (alone(webhooks), ("a", "=", "t=,v1=", "v1,", "https://sns.a")),
    "a refusal": (alone(refused), (*COMMON, "1.", "5.1.1 ", "user ", "no ", "limit ", "per a ")),
    "a bounce": (alone(bounce), (*COMMON, "--b\n", "a: b\n", " a\n", "=?utf-8?q?a?= ", ";a=")),
    "a PDF": (
        alone(lambda text: authors_in(b"%PDF-" + text.encode())),
        (*COMMON, "/Author(", "/Author<", "/Author (a)", "/Type/ObjStm stream\n", "<dc:creator>"),
    ),
    "an office document": (
        alone(office),
        (*COMMON, "<dc:creator>", "<dc:creator ", "<dc:creator><a "),
    ),
    "a picture's credit": (
        alone(
            lambda text: (
                read_xmp(text.encode()),
                read_iim(text.encode()),
                Credit.of([text], text, text).told_by(text[:1000]),
            )
        ),
        (*COMMON, "<a>", "<dc:creator>", "\x1c\x02\x50\x00\x01a"),
    ),
    # These two take their time over each letter; what has once been slow, and no more.
    "an issue": (issue, ('"', "{{ a |  ", "{{ a }}", "- a\n", "&a *a ", "[")),
    "settings": (settings, (*COMMON, "a.", "[[a]]\n", "a=[", 'a="""', "a={", "a.a=1\n")),
    "Markdown": (alone(markdown), ("'\"", "![", "> ", "- a\n", "**a ", "`", "|a|b\n")),
    "wrapping": (alone(wrap), (*COMMON, "日", "日https://a ")),
    "a token": (alone(lambda text: verify(text, Verifier.of(KEYS, "a"))), COMMON),
    "a merge field": (alone(split_merge_fields), (*COMMON, "{{", "{{ a ", "{{ a |  ", "}}")),
    "what checks look for": (
        alone(checks),
        (*COMMON, "{{", "{%", "%%a", "*|a", "[[a", "TODO ", "None ", "monday  ", "http://", "[a]("),
    ),
    "style sheets and HTML": (
        alone(styles),
        (*COMMON, "/*", "@media", "@media{", "a{", "a{}", "url(", "url( ", "<img ", '<img "', "\r"),
    ),
    "a theme's tags": (
        alone(lambda text: [piece.attributes for piece in markup.pieces(text)]),
        (
            *COMMON,
            "<!--",
            "<!-- >",
            "<!-- ->",
            "<!",
            "<!>",
            "<?",
            "<? >",
            "</",
            "</a ",
            "<a/",
            "<a ",
            '<a "',
            "<a \"'",
            "<style>",
            "</style>",
            "<a b=",
            "<a b ",
        ),
    ),
    "a reply that a report shows": (
        alone(lambda text: (reason_of(text), redacted(text))),
        COMMON,
    ),
}


@pytest.mark.fault(
    "Input",
    "a megabyte of whatever makes a parser slow",
    state="read or refused; the time grows with the size, never with its square",
)
@pytest.mark.parametrize(
    ("read", "piece"),
    [
        pytest.param(read, piece, id=f"{name}: {piece!r}")
        for name, (read, menu) in MENUS.items()
        for piece in menu
    ],
)
def test_a_megabyte_of_hostile_input_takes_no_minutes(
    read: Callable[[str, Path], object], piece: str, tmp_path: Path
) -> None:
    text = piece * (SIZE // len(piece))
    with alarm(LIMIT_S), suppress(NewsletterError, AddressError, JSONRefused):
        read(f"a{text}!", tmp_path)
