"""Pictures shown in the mail and documents attached to it, read back by strangers."""

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from email.message import MIMEPart

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from newsletter.config import Smtp
from newsletter.errors import IssueError
from newsletter.message.compose import Composer
from newsletter.message.headers import field, parameter
from newsletter.message.model import Message, Recipient
from newsletter.render.edition import Edition, Enclosure
from newsletter.testing import FrozenClock, RecordingJournal
from newsletter.transports.smtp import SmtpTransport

from tests.message.receiver import receiver
from tests.message.samples import DATE, EDITION, letter, reader
from tests.message.slow_road import parsed
from tests.message.test_dkim import composer as signing
from tests.message.test_slow_road import readers
from tests.support.dkim import passes_dkimpy, results
from tests.support.tools import examples

# Every octet, and what a careless encoder or relay would change.
CONTENT = bytes(range(256)) * 3 + b"\r\n.\r\n--=_\r\nFrom \n\r \0"
MAP = Enclosure("map-3f9a01c7.png", "image/png", CONTENT, "map-3f9a01c7.png@news.example")
FACE = Enclosure("face-01c73f9a.jpg", "image/jpeg", CONTENT[::-1], "face-01c73f9a.jpg@news.example")
REPORT = Enclosure("Bericht für März.pdf", "application/pdf", CONTENT * 40, None)
LETTERS = ((), (MAP,), (MAP, FACE), (REPORT,), (MAP, REPORT), (MAP, FACE, REPORT))
NAMES = (
    "report.pdf",
    "a b; c=d, (e).pdf",
    'the "final" \\ report.pdf',
    "Bericht für März.pdf",
    "Отчёт о положении правозащитников за март 2017 года (исправленный).docx",
    "تقرير مارس.pdf",
    "=?utf-8?q?x?=.pdf",
    "two  spaces .pdf",
    "%41'b'c.pdf",
    "👩\u200d👩\u200d👧.png",
    "x" * 250 + ".pdf",
    "no ending",
    ".hidden",
)


# The standard library's get_filename() trims what it found, and takes <> off (email.utils.unquote).
names = st.one_of(
    st.sampled_from(NAMES),
    st.text(st.characters(exclude_categories=["Cs", "Cc"])).map(str.strip).filter(bool),
).filter(lambda name: not (name.startswith("<") and name.endswith(">")))


def with_files(*enclosures: Enclosure, edition: Edition = EDITION) -> Edition:
    images = "".join(f'<img src="cid:{each.content_id}">\n' for each in enclosures)
    return replace(edition, html=edition.html + images, enclosures=enclosures)


def compose(*enclosures: Enclosure, recipient: Recipient | None = None) -> Message:
    return letter(recipient, with_files(*enclosures))


def leaves(mail: MIMEPart) -> list[MIMEPart]:
    return [part for part in mail.walk() if not part.is_multipart()]


def files(mail: MIMEPart) -> list[Enclosure]:
    """What the standard library finds besides the two texts."""
    found = []
    for part in leaves(mail)[2:]:
        content = part.get_payload(decode=True)
        assert isinstance(content, bytes)
        name, known_as = part.get_filename(), part["Content-ID"]
        assert name is not None
        assert part.get_content_disposition() == ("attachment" if known_as is None else "inline")
        content_id = None if known_as is None else str(known_as)[1:-1]
        found.append(Enclosure(name, part.get_content_type(), content, content_id))
    return found


def shape(mail: MIMEPart) -> object:
    if not mail.is_multipart():
        return mail.get_content_type()
    return mail.get_content_subtype(), [shape(part) for part in mail.iter_parts()]


@pytest.mark.parametrize("enclosures", LETTERS, ids=len)
def test_every_file_arrives_as_it_was(enclosures: Sequence[Enclosure]) -> None:
    mail = parsed(compose(*enclosures).as_bytes())
    assert list(enclosures) == files(mail)
    assert [] == [defect for part in mail.walk() for defect in part.defects]


@pytest.mark.parametrize("enclosures", LETTERS, ids=len)
def test_the_texts_are_the_same_as_without_files(enclosures: Sequence[Enclosure]) -> None:
    edition = with_files(*enclosures)
    bare = letter(edition=replace(edition, enclosures=()))
    texts = [part.get_content() for part in leaves(parsed(letter(edition=edition).as_bytes()))[:2]]
    assert [part.get_content() for part in leaves(parsed(bare.as_bytes()))] == texts


def test_parts_stand_where_mail_programs_look_for_them() -> None:
    texts = ["text/plain", "text/html"]
    html = ("related", ["text/html", "image/png", "image/jpeg"])
    assert ("alternative", texts) == shape(parsed(compose().as_bytes()))
    inline = ("alternative", ["text/plain", html])
    assert inline == shape(parsed(compose(MAP, FACE).as_bytes()))
    attached = ("mixed", [("alternative", texts), "application/pdf"])
    assert attached == shape(parsed(compose(REPORT).as_bytes()))
    assert ("mixed", [inline, "application/pdf"]) == shape(
        parsed(compose(REPORT, MAP, FACE).as_bytes())
    )


def test_mail_programs_find_the_body_and_the_attachments() -> None:
    mail = parsed(compose(MAP, REPORT).as_bytes())
    html, text = mail.get_body(("html",)), mail.get_body(("plain",))
    assert html is not None
    assert text is not None
    assert "Dear Anna Müller" in html.get_content()
    assert "Dear Anna Müller" in text.get_content()
    assert ["Bericht für März.pdf"] == [part.get_filename() for part in mail.iter_attachments()]
    (related,) = [part for part in mail.walk() if part.get_content_subtype() == "related"]
    # RFC 2387 3.1: type names the root's.
    assert "text/html" == related["Content-Type"].params["type"]


def test_html_shows_each_picture_by_its_content_id() -> None:
    mail = parsed(compose(MAP, FACE).as_bytes())
    shown = re.findall(r'src="cid:([^"]+)"', leaves(mail)[1].get_content())
    assert [each.content_id for each in files(mail)] == shown


def test_an_edition_without_files_is_written_as_if_there_were_none() -> None:
    assert "enclosures" not in json.loads(EDITION.to_json())
    assert EDITION == Edition.from_json(EDITION.to_json())


def test_files_are_frozen_and_approved_with_the_edition() -> None:
    edition = with_files(MAP, REPORT)
    assert edition == Edition.from_json(edition.to_json())
    other = replace(MAP, content=MAP.content[:-1] + b"x")
    assert edition.fingerprint != with_files(other, REPORT).fingerprint


@pytest.mark.parametrize("name", NAMES)
def test_a_file_keeps_its_name(name: str) -> None:
    picture = replace(MAP, name=name)
    mail = parsed(compose(picture, replace(REPORT, name=name)).as_bytes())
    assert [name, name] == [each.name for each in files(mail)]


@given(names)
def test_any_name_parses_back_from_short_ascii_lines(name: str) -> None:
    written = field("Content-Disposition", "attachment;", *parameter("filename", name))
    assert written.isascii()
    assert 78 >= max(map(len, written.split("\r\n")))
    assert name == parsed(f"{written}\r\n".encode()).get_filename()


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("report.pdf", "report.pdf"),
        ("Bericht für März.pdf", "Bericht fur Marz.pdf"),
        ("Отчёт.docx", "_____.docx"),
        ('a"b\\c?.pdf', "a_b_c_.pdf"),
        ("x" * 250 + ".pdf", "x" * 40 + ".pdf"),
    ],
)
def test_old_programs_get_a_plain_name_with_its_ending(name: str, plain: str) -> None:
    mail = parsed(compose(replace(REPORT, name=name)).as_bytes())
    assert plain == leaves(mail)[2]["Content-Type"].params["name"]


@pytest.mark.parametrize("media_type", ["message/rfc822", "multipart/mixed", "x", "a/b\r\nX: y"])
def test_what_base64_cannot_carry_by_its_own_name_is_a_plain_file(media_type: str) -> None:
    """RFC 2046 5.2.1 and 5.1 allow no base64 for messages and for parts of parts."""
    mail = parsed(compose(replace(REPORT, media_type=media_type)).as_bytes())
    assert [replace(REPORT, media_type="application/octet-stream")] == files(mail)


def test_a_name_that_would_start_a_header_is_refused() -> None:
    with pytest.raises(IssueError, match="Rename the file"):
        compose(replace(REPORT, name="x\r\nBcc: victim@evil.example"))


@pytest.mark.parametrize("content_id", ["", "map.png", "a b@x", "map>@x", "é@x", "map@x\r\nA: b"])
def test_a_content_id_that_fits_no_letter_is_a_fault_of_the_edition(content_id: str) -> None:
    with pytest.raises(ValueError, match="content id"):
        compose(replace(MAP, content_id=content_id))


def test_no_line_is_long_or_odd() -> None:
    raw = compose(MAP, FACE, REPORT).as_bytes()
    assert raw.isascii()
    lines = raw.split(b"\r\n")
    assert [] == [line for line in lines if b"\r" in line or b"\n" in line]
    assert 76 >= max(len(line) for line in lines if not line.startswith(b"List-Unsubscribe:"))


def test_no_boundary_is_the_start_of_another_or_stands_in_a_part() -> None:
    """RFC 2046 5.1.1 and 5.1.2: what starts a line like a boundary is taken for one."""
    raw = compose(MAP, REPORT).as_bytes()
    marks = re.findall(rb'boundary="([^"]+)"', raw)
    assert 3 == len(set(marks))
    # Alternative and related have two parts and an end each, and so has mixed.
    assert [3, 3, 3] == [raw.count(b"\r\n--" + mark) for mark in marks]


def test_the_same_edition_gives_the_same_bytes() -> None:
    assert compose(MAP, REPORT).as_bytes() == compose(MAP, REPORT).as_bytes()


def test_files_are_encoded_once_for_all_letters() -> None:
    edition = with_files(MAP, REPORT)
    composer = signing(edition)
    wires = [
        composer.compose(reader(name), date=DATE).as_wire() for name in ("Anna", "Ben", "Claire")
    ]
    last = [wire[-1] for wire in wires]
    assert len(last[0]) > len(REPORT.content)
    assert last[0] is last[1] is last[2]


def test_providers_get_the_files_as_they_are() -> None:
    content = compose(MAP, REPORT).as_content()
    assert (MAP, REPORT) == content.enclosures
    assert () == letter().as_content().enclosures


def signed(*enclosures: Enclosure, recipient: Recipient | None = None) -> bytes:
    composer: Composer = signing(with_files(*enclosures))
    return composer.compose(recipient or reader(), date=DATE).as_bytes()


def test_signatures_cover_the_files() -> None:
    mails = [signed(*enclosures) for enclosures in LETTERS]
    assert [["pass", "pass"]] * len(LETTERS) == results(mails)
    assert all(map(passes_dkimpy, mails))
    whole = mails[-1]
    at = whole.index(b"base64") + 500
    forged = whole[:at] + (b"A" if whole[at : at + 1] != b"A" else b"B") + whole[at + 1 :]
    assert [["neutral", "neutral"]] == results([forged])
    assert not passes_dkimpy(forged)


def test_what_arrives_by_smtp_is_the_same_octet_for_octet() -> None:
    composer = signing(with_files(MAP, FACE, REPORT))
    messages = [
        composer.compose(reader(name, f"r{n}@reader.example.org", {"city": "."}), date=DATE)
        for n, name in enumerate(("Anna", "Зоя", ".", ""))
    ]
    with receiver() as (port, received):
        relay = Smtp(host="127.0.0.1", port=port, security="none", timeout_s=5)
        session = SmtpTransport(
            relay, credentials=[None], client_name="news.example", clock=FrozenClock()
        ).open()
        session.deliver(messages, RecordingJournal())
        session.close()
    contents = [content for _, _, content in received]
    assert [message.as_bytes() for message in messages] == contents
    assert all(map(passes_dkimpy, contents))


kinds = st.sampled_from(["image/jpeg", "image/png", "application/pdf", "text/csv", "audio/ogg"])
content = st.one_of(st.binary(max_size=400), st.just(CONTENT))
pictures = st.lists(st.builds(Enclosure, names, kinds, content, st.none()), max_size=3).map(
    lambda made: [
        replace(each, content_id=f"{n}.{len(each.content)}@news.example")
        for n, each in enumerate(made)
    ]
)
documents = st.lists(st.builds(Enclosure, names, kinds, content, st.none()), max_size=2)


@settings(max_examples=examples(200))
@given(readers, pictures, documents)
def test_any_letter_gives_back_its_files_and_passes(
    recipient: Recipient, shown: list[Enclosure], attached: list[Enclosure]
) -> None:
    raw = signed(*shown, *attached, recipient=recipient)
    mail = parsed(raw)
    assert [*shown, *attached] == files(mail)
    assert [] == [defect for part in mail.walk() for defect in part.defects]
    assert passes_dkimpy(raw)
