"""A name never costs the mail: what each provider is handed is within what it takes."""

from email.header import decode_header, make_header

import pytest
from newsletter.addresses import Address
from newsletter.display_names import LONGEST_NAME, shortened
from newsletter.transports.providers import brevo, mailersend, postmark

ADDRESS = str(Address.parse("anna@a.example"))
NAMES = [
    "International Federation of Associations for the Defence of Human Rights Defenders",
    "Fédération des associations, section de Bruxelles (Belgique)",
    "Общество защиты прав человека и гражданина в городе Нижнем Новгороде",
    "人権擁護者のための国際連盟" * 9,
    "👩🏽‍⚖️" * 40,
    "e\u0301" * 200,
    'Lind, "Anna"; the <Great>' * 9,
    "x" * 5000,
    "",
]


@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
def test_brevo_takes_70_octets_as_they_are_encoded(name: str) -> None:
    handed = brevo._mailbox(name, ADDRESS).get("name", "")
    assert len(brevo._encoded(handed)) <= 70
    assert name.startswith(str(make_header(decode_header(handed)))) or not handed


@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
def test_postmark_takes_255_units_of_utf_16(name: str) -> None:
    assert len(postmark._mailbox(name, ADDRESS).encode("utf-16-le")) // 2 <= 255


@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
def test_mailersend_takes_neither_semicolon_nor_comma(name: str) -> None:
    assert not set(",;") & set(mailersend._name(name))


@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
def test_a_name_is_cut_between_two_characters(name: str) -> None:
    cut = shortened(name, LONGEST_NAME)
    assert name.startswith(cut)
    assert len(cut) <= LONGEST_NAME
    assert not name[len(cut) :].startswith(("\u0301", "\u200d", "🏽"))
