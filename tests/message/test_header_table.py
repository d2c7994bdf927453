"""What each header field owes the standards, read back by the standard library's parser.

One test a field: RFC 5322, 2045, 2369, 2919 and 8058, and Google's page on Feedback-ID.
"""

from datetime import timedelta
from email.headerregistry import Address as Named
from email.headerregistry import AddressHeader, DateHeader
from email.message import EmailMessage

import pytest
from newsletter.config import ListIdentity
from newsletter.message.model import Message
from newsletter.message.tokens import Purpose
from pydantic import ValidationError

from tests.message.samples import (
    ARCHIVE,
    CAMPAIGN,
    DATE,
    KEYS,
    LIST,
    SENDER,
    composer,
    letter,
    reader,
    url_for,
)
from tests.message.slow_road import parsed, raw_header

MAIL = parsed(letter().as_bytes())
FEEDBACK = LIST.model_copy(update={"feedback_id": "defenders17"})


def addresses(name: str, mail: EmailMessage = MAIL) -> tuple[Named, ...]:
    (found,) = mail.get_all(name, [])
    assert isinstance(found, AddressHeader)
    return found.addresses


def test_from_is_one_address_with_its_name_in_any_script() -> None:
    assert (Named(SENDER.name, addr_spec=SENDER.address),) == addresses("From")
    sender = SENDER.model_copy(update={"name": "Новости «Щит», № 3"})
    mail = parsed(composer(sender=sender).compose(reader(), date=DATE).as_bytes())
    assert (Named(sender.name, addr_spec=sender.address),) == addresses("From", mail)


def test_to_is_the_one_reader_and_nobody_else_is_named() -> None:
    assert (Named("Anna Müller", addr_spec="anna@reader.example.org"),) == addresses("To")
    assert [None, None] == [MAIL["Cc"], MAIL["Bcc"]]


def test_sender_is_left_out_since_it_would_repeat_from() -> None:
    assert MAIL["Sender"] is None


def test_reply_to_is_one_address_or_left_out() -> None:
    assert (Named(addr_spec="editors@defenders.example"),) == addresses("Reply-To")
    silent = SENDER.model_copy(update={"reply_to": None})
    assert (
        parsed(composer(sender=silent).compose(reader(), date=DATE).as_bytes())["Reply-To"] is None
    )


def test_subject_is_encoded_where_it_has_to_be_and_means_the_same() -> None:
    assert "News for Anna Müller, from 15 places" == str(MAIL["Subject"])
    assert raw_header(letter(), "Subject").isascii()


def test_date_is_that_of_the_first_attempt() -> None:
    assert isinstance(MAIL["Date"], DateHeader)
    assert DATE == MAIL["Date"].datetime


def test_message_id_tells_letters_apart_and_attempts_together() -> None:
    assert letter().message_id == str(MAIL["Message-ID"]) == raw_header(letter(), "Message-ID")
    later = composer().compose(reader(), date=DATE + timedelta(hours=1))
    assert letter().message_id == later.message_id
    upper = letter(reader(address="Anna@reader.example.org"))
    other = composer(campaign_id="2017-03.2").compose(reader(), date=DATE)
    assert 3 == len({letter().message_id, upper.message_id, other.message_id})
    assert letter().message_id.endswith("@defenders.example>")
    assert "anna" not in letter().message_id


def test_list_unsubscribe_is_one_https_address_on_one_line() -> None:
    line = f"List-Unsubscribe: <{url_for(reader(), Purpose.HEADER)}>".encode()
    assert line in letter().as_bytes().split(b"\r\n")
    assert 76 < len(line)
    assert [f"<{url_for(reader(), Purpose.HEADER)}>"] == MAIL.get_all("List-Unsubscribe")


def test_list_unsubscribe_post_says_one_click_literally() -> None:
    assert ["List-Unsubscribe=One-Click"] == MAIL.get_all("List-Unsubscribe-Post")


def test_list_id_is_a_phrase_and_the_label() -> None:
    assert f"{LIST.name} <{LIST.id}>" == str(MAIL["List-ID"])
    assert raw_header(letter(), "List-ID").endswith(f" <{LIST.id}>")


def test_list_help_leads_to_where_answers_are_read() -> None:
    assert "<mailto:editors@defenders.example>" == str(MAIL["List-Help"])
    odd = SENDER.model_copy(update={"reply_to": "who?what&why=50%@defenders.example"})
    message = composer(sender=odd).compose(reader(), date=DATE)
    escaped = "<mailto:who%3Fwhat%26why%3D50%25@defenders.example>"
    assert escaped == raw_header(message, "List-Help")


def test_without_reply_to_nobody_is_promised_help() -> None:
    silent = SENDER.model_copy(update={"reply_to": None})
    assert b"List-Help" not in composer(sender=silent).compose(reader(), date=DATE).as_bytes()


def test_list_archive_leads_to_past_issues_or_is_left_out() -> None:
    assert f"<{ARCHIVE}>" == str(MAIL["List-Archive"])
    assert b"List-Archive" not in composer(archive_url=None).compose(reader(), date=DATE).as_bytes()


def test_precedence_keeps_holiday_replies_silent_and_nothing_calls_it_automatic() -> None:
    assert "bulk" == str(MAIL["Precedence"])
    assert MAIL["Auto-Submitted"] is None


def with_feedback(address: str = "anna@reader.example.org") -> Message:
    return composer(list_identity=FEEDBACK).compose(reader(address=address), date=DATE)


def test_feedback_id_names_issue_language_list_and_sender_and_no_reader() -> None:
    expected = "2017-03:en:news.defenders.example:defenders17"
    message = with_feedback()
    assert [expected] == parsed(message.as_bytes()).get_all("Feedback-ID")
    assert expected == raw_header(message, "Feedback-ID")
    assert expected == message.as_content().headers["Feedback-ID"]
    assert expected == raw_header(with_feedback("ben@else.example"), "Feedback-ID")


def test_feedback_id_is_left_out_unless_it_is_wanted() -> None:
    assert MAIL["Feedback-ID"] is None
    assert "Feedback-ID" not in letter().as_content().headers


@pytest.mark.parametrize("sender_id", ["four", "sixteen-letters-", "with space", "a:b:c", "größe"])
def test_a_sender_id_that_gmail_would_not_count_is_refused(sender_id: str) -> None:
    with pytest.raises(ValidationError, match="feedback_id"):
        ListIdentity.model_validate({**LIST.model_dump(), "feedback_id": sender_id})


def test_mime_version_is_1_0() -> None:
    assert ["1.0"] == MAIL.get_all("MIME-Version")


def test_campaign_and_reader_are_known_by_ids_that_only_we_can_read() -> None:
    """Where a provider puts a Message-ID of its own, a returned letter still has these."""
    tag = KEYS.message_tag(CAMPAIGN, reader().address)
    assert (CAMPAIGN, tag) == (str(MAIL["X-Campaign"]), str(MAIL["X-Recipient"]))
    assert f"<{CAMPAIGN}.{tag}@defenders.example>" == letter().message_id
    content = letter().as_content().headers
    assert (CAMPAIGN, tag) == (content["X-Campaign"], content["X-Recipient"])


def test_return_path_is_left_to_the_server_that_delivers() -> None:
    assert MAIL["Return-Path"] is None


def test_content_language_is_the_editions() -> None:
    assert "en" == str(MAIL["Content-Language"])


def test_every_field_stands_there_once() -> None:
    names = [name.lower() for name in parsed(with_feedback().as_bytes())]
    assert sorted(set(names)) == sorted(names)
