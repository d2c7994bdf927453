"""What is fuzzed: each parser, and what must hold of whatever it makes of its food.

A target takes bytes and returns nothing. It lets the errors pass that its parser is
documented to raise, and asserts bounds; anything else that comes out is a finding.
"""

import atexit
import io
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from tempfile import mkdtemp

from newsletter.addresses import Address, AddressError
from newsletter.audience.reader import read_roster
from newsletter.audience.shape import MAX_CELL
from newsletter.bounded_json import JSONRefused, read_json
from newsletter.clock import EARLIEST, LATEST
from newsletter.config import SIGNATURE_HEADERS, Audience, load_settings
from newsletter.errors import NewsletterError
from newsletter.feedback.bounce_mailbox import Mail
from newsletter.feedback.bounces import read_bounce
from newsletter.feedback.event import DeliveryEvent
from newsletter.feedback.json_items import UnreadableItem
from newsletter.feedback.mail_news import read_mail
from newsletter.feedback.provider_events import read_events
from newsletter.feedback.webhooks import Trust, Webhook, verify_webhook
from newsletter.issues.authors import authors_in
from newsletter.issues.credit_metadata import read_iim, read_xmp
from newsletter.issues.files import Unusable
from newsletter.issues.image_prepare import prepare
from newsletter.issues.loader import load_issue
from newsletter.message.keys import KeyRing
from newsletter.message.tokens import Purpose, Token, Verifier, sign, verify
from newsletter.render.markdown import parse, to_html, to_page, to_text
from newsletter.render.plaintext import TextLayout
from newsletter.transports.smtp_reply import ReplyError, Stage, read_reply, refusal

Target = Callable[[bytes], None]

_NOW = datetime(2017, 4, 1, 9, 0, tzinfo=UTC)
_FOLDER = Path(mkdtemp(prefix="newsletter-fuzz-"))
atexit.register(shutil.rmtree, _FOLDER, ignore_errors=True)
_KEYS = KeyRing(b"p" * 32, {1: b"k" * 32})
_TOKEN = Token(Purpose.PAGE, b"a" * 12, b"c" * 8, 0)
SIGNED = sign(_TOKEN, keys=_KEYS, list_id="news")


def _file(name: str, data: bytes) -> Path:
    path = _FOLDER / name
    path.write_bytes(data)
    return path


def _check_event(event: DeliveryEvent) -> None:
    assert EARLIEST <= event.at <= LATEST
    assert len(event.detail) <= 500
    assert event.detail.isprintable()
    assert event.tags
    event.at.astimezone().isoformat()


def smtp_replies(data: bytes) -> None:
    """Replies of a relay, and what follows from each."""
    lines = io.BytesIO(data)
    while lines.tell() < len(data):
        try:
            reply = read_reply(lines)
        except ReplyError:
            return
        if reply.negative:
            for stage in Stage:
                str(refusal(reply, stage)).encode()
        str(reply).encode()


def bounces(data: bytes) -> None:
    """Bounce mails."""
    for event in read_bounce(data):
        _check_event(event)
    news = read_mail(Mail(b"id", "here", data), now=_NOW, leaves_of=lambda mailed: ())
    assert news.place.isprintable()
    assert len(news.place) < 200


def events(data: bytes) -> None:
    """Providers' events."""
    number = 0
    for item in read_events(io.BytesIO(data)):
        if isinstance(item, UnreadableItem):
            assert item.number > number
            number = item.number
            item.why.encode()
        else:
            for event in item:
                _check_event(event)


def webhooks(data: bytes) -> None:
    """Webhooks: the first line names the provider and fills its headers, the rest is the body."""
    line, _, body = data.partition(b"\n")
    provider, _, value = line.decode("latin-1").partition(" ")
    headers = dict.fromkeys(SIGNATURE_HEADERS.get(provider, ()), value)
    found = verify_webhook(Webhook(provider, headers, body), "key", lambda _: body)
    assert found.trust is not Trust.PROVED, "nobody hits a signature by chance"
    assert found.content in {b"", body}


def json_values(data: bytes) -> None:
    """JSON, as any provider's answer is read."""
    try:
        value = read_json(data)
    except JSONRefused as error:
        str(error).encode()
    else:
        repr(value).encode()


def lists(data: bytes) -> None:
    """Subscriber lists."""
    try:
        roster = read_roster(_file("list.csv", data), Audience(fields=["organisation"]))
    except NewsletterError as error:
        str(error).encode()
        return
    found = (roster.subscribers, roster.refused, roster.repeated, roster.left)
    assert roster.rows == sum(map(len, found))
    for problem in (*roster.refused, *roster.repeated, *roster.warnings):
        str(problem).encode()
    for subscriber in roster.subscribers:
        texts = (subscriber.name, *subscriber.fields.values())
        assert max(map(len, texts)) <= MAX_CELL
        "\n".join(texts).encode()
        assert subscriber.address == Address.parse(str(subscriber.address))


def addresses(data: bytes) -> None:
    """Addresses; what is one stays the same when it is read again."""
    try:
        address = Address.parse(data.decode("utf-8", "surrogateescape"))
    except AddressError as error:
        str(error).encode()
        return
    assert address == Address.parse(str(address))
    assert address.domain.isascii()
    str(address).encode()
    assert not set("\r\n\0 <>") & set(address.domain)
    assert not set("\r\n\0") & set(address.local)


def issues(data: bytes) -> None:
    """Issue files."""
    try:
        loaded = load_issue(_file("2017-03.yaml", data))
    except NewsletterError as error:
        str(error).encode()
    else:
        assert loaded.issue.stories


def pictures(data: bytes) -> None:
    """Pictures: the pixels and what their metadata says."""
    try:
        picture = prepare(_file("picture.jpg", data), shown=64, caption="Ana")
    except Unusable as error:
        str(error).encode()
        return
    assert picture.width <= 128
    assert picture.content.startswith((b"\xff\xd8", b"\x89PNG"))
    "".join((*picture.credit, *picture.withheld)).encode()


def metadata(data: bytes) -> None:
    """Metadata of pictures, without a picture around it."""
    for credit in (read_xmp(data), read_iim(data)):
        assert len(credit.creators) <= 10
        "".join(credit.texts).encode()
        assert credit.told_by("Ana López").texts is not None


def authors(data: bytes) -> None:
    """Authors of PDF and office documents."""
    for content in (data, b"%PDF-1.4\n" + data):
        for name in authors_in(content):
            assert 0 < len(name) <= 100
            assert name.isprintable()


def tokens(data: bytes) -> None:
    """Tokens of links: nobody's is ours."""
    text = data.decode("latin-1")
    found = verify(text, Verifier.of(_KEYS, "news"))
    assert found is None or text == SIGNED


def settings(data: bytes) -> None:
    """newsletter.toml."""
    try:
        load_settings(_file("newsletter.toml", data))
    except NewsletterError as error:
        str(error).encode()


def markdown(data: bytes) -> None:
    """Markdown, as stories hold it."""
    text = data.decode("utf-8", "replace")
    for language in ("en", "fr"):
        parsed = parse(text, language=language)
        to_html(parsed)
        to_page(parsed, heading=2)
        to_text(parsed, TextLayout())


TARGETS: dict[str, Target] = {
    target.__name__: target
    for target in (smtp_replies, bounces, events, webhooks, json_values, lists, addresses,
                   issues, pictures, metadata, authors, tokens, settings, markdown)
}  # fmt: skip
"""By name, which is its corpus's folder as well."""
