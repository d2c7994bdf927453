import email.policy
import threading
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from email.message import EmailMessage

import pytest
from newsletter.addresses import Address
from newsletter.message.compose import Uncomposable
from newsletter.message.tokens import Purpose, verify
from newsletter.render.slots import Slot

from tests.message.samples import (
    CAMPAIGN,
    DATE,
    EDITION,
    KEYS,
    PLAIN_SUBJECT,
    SENDER,
    VERIFIER,
    composer,
    letter,
    reader,
    token,
    url_for,
)
from tests.message.slow_road import bodies, parsed, raw_header


def test_the_same_recipient_and_date_give_the_same_bytes() -> None:
    assert letter().as_bytes() == letter().as_bytes()
    compose = composer().compose
    first = compose(reader(), date=DATE)
    compose(reader("Somebody else", "else@example.org"), date=DATE).as_bytes()
    assert first.as_bytes() == compose(reader(), date=DATE).as_bytes()


def test_another_time_zone_makes_no_other_letter() -> None:
    elsewhere = DATE.astimezone(timezone(timedelta(hours=5, minutes=30)))
    assert letter().as_bytes() == composer().compose(reader(), date=elsewhere).as_bytes()
    assert "Wed, 01 Mar 2017 09:30:00 +0000" == raw_header(letter(), "Date")


def test_a_date_without_its_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="aware"):
        composer().compose(reader(), date=datetime(2017, 3, 1))  # noqa: DTZ001 - that is the point


def test_threads_share_a_composer() -> None:
    compose = composer().compose
    people = [reader(f"Reader {n}", f"r{n}@example.org") for n in range(200)]
    alone = [compose(person, date=DATE).as_bytes() for person in people]
    together: list[list[bytes]] = []

    def work() -> None:
        together.append([compose(person, date=DATE).as_bytes() for person in people])

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert [alone] * 4 == together


def test_the_default_policy_of_the_standard_library_would_break_it() -> None:
    naive = EmailMessage(policy=email.policy.SMTP)
    url = url_for(reader(), Purpose.HEADER)
    naive["List-Unsubscribe"] = f"<{url}>"
    assert url.encode() not in naive.as_bytes()
    assert url.encode() in letter().as_bytes()


def test_the_link_in_header_html_and_text_is_the_readers_own() -> None:
    message = letter(reader(address="Anna@Example.org"))
    signed = raw_header(message, "List-Unsubscribe").removesuffix(">").rpartition("/")[2]
    said = verify(signed, VERIFIER)
    assert said is not None
    assert Purpose.HEADER is said.purpose
    assert int(DATE.timestamp()) // 60 == said.minute
    assert KEYS.address_tag(Address.parse("anna@example.org")) == said.address_tag
    assert KEYS.campaign_tag(CAMPAIGN) == said.campaign_tag
    for _, content in bodies(parsed(message.as_bytes())):
        assert url_for(reader(address="Anna@Example.org")) in content
        assert signed not in content


def test_bounces_go_where_the_settings_say() -> None:
    assert "bounces@defenders.example" == letter().envelope_from
    plain = SENDER.model_copy(update={"bounces": None, "reply_to": None})
    message = composer(sender=plain).compose(reader(), date=DATE)
    assert "newsletter@defenders.example" == message.envelope_from
    assert parsed(message.as_bytes())["Reply-To"] is None
    assert message.as_content().reply_to is None


def test_a_reader_without_a_name_is_addressed_by_the_fallback() -> None:
    message = letter(reader(name=" \t"))
    assert "anna@reader.example.org" == raw_header(message, "To")
    assert "News for friend, from 15 places" == raw_header(message, "Subject")
    assert "" == message.as_content().to_name


def test_an_archive_path_with_accents_is_percent_encoded() -> None:
    archive = "https://news.defenders.example/numéros passés?q=<é>&p=%20"
    message = composer(archive_url=archive).compose(reader(), date=DATE)
    path = "num%C3%A9ros%20pass%C3%A9s?q=%3C%C3%A9%3E&p=%20"
    expected = f"<https://news.defenders.example/{path}>"
    assert expected == raw_header(message, "List-Archive")


def test_a_non_ascii_local_part_stands_in_utf_8_and_nothing_else_does() -> None:
    message = letter(reader("Zoë", "zoë@reader.example.org"))
    assert message.envelope_to.needs_smtputf8
    assert "=?utf-8?q?Zo=C3=AB?= <zoë@reader.example.org>" == raw_header(message, "To")
    lines = message.as_bytes().split(b"\r\n")
    assert [b"To"] == [line[:2] for line in lines if not line.isascii()]


def test_a_non_ascii_domain_stands_in_a_labels() -> None:
    message = letter(reader("", "leser@bücher.example"))
    assert "leser@xn--bcher-kva.example" == raw_header(message, "To")


def test_a_field_that_the_list_lacks_concerns_that_reader_alone() -> None:
    compose = composer().compose
    with pytest.raises(Uncomposable, match="“city”"):
        compose(reader(fields={}), date=DATE)
    assert compose(reader(fields={"city": ""}), date=DATE).as_bytes()


def test_a_field_that_only_the_subject_asks_for_is_missed_as_early() -> None:
    subject = replace(
        PLAIN_SUBJECT, subject=token(9), slots=(Slot(token(9), "city", "header", ""),)
    )
    with pytest.raises(Uncomposable, match="“city”"):
        composer(subject).compose(reader(fields={}), date=DATE)


@pytest.mark.parametrize("row", [{"name": "\ud800"}, {"fields": {"city": "\udc00"}}])
def test_half_a_surrogate_pair_concerns_that_reader_alone(row: dict[str, str]) -> None:
    with pytest.raises(Uncomposable, match="damaged"):
        letter(reader(**row))  # type: ignore[arg-type] # one of two fields, see above


def test_a_column_cannot_take_the_place_of_the_tools_own_fields() -> None:
    stolen = {"city": "Tbilisi", "unsubscribe_url": "https://evil.example/", "email": "x@y.example"}
    assert letter().as_bytes() == letter(reader(fields=stolen)).as_bytes()


def test_a_subject_without_merge_fields_stays_as_it_is() -> None:
    assert "March 2017" == raw_header(letter(edition=PLAIN_SUBJECT), "Subject")


def test_the_boundary_belongs_to_the_edition() -> None:
    first, second = letter(), letter(reader("Ben", "ben@example.org"))
    other = letter(edition=replace(EDITION, preheader="Another"))
    marks = [parsed(m.as_bytes()).get_boundary() for m in (first, second, other)]
    assert marks[0] == marks[1] != marks[2]
    assert marks[0] is not None
    assert marks[0].startswith("=_")
