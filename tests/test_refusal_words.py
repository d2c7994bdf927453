"""Whom a refusal names: read from its words, in whatever language, before its codes."""

import pytest
from newsletter.refusal_words import Names, is_bad_address, is_policy, names, same_words


@pytest.mark.parametrize(
    ("reply", "bad_address", "policy"),
    [
        ("550 5.1.1 no such user", True, False),
        ("550-5.1.10 null MX", True, False),
        ("554 5.7.1 we do not want you", False, True),
        ("550 5.7.26 unauthenticated", False, True),
        ("552 5.2.2 mailbox full", False, False),
        ("550 no", False, False),
        ("550 see https://10.5.1.1.example", False, False),
    ],
)
def test_a_bad_address_is_told_from_a_policy(
    reply: str, *, bad_address: bool, policy: bool
) -> None:
    assert (bad_address, policy) == (is_bad_address(reply), is_policy(reply))


MAILBOX = [
    "550 5.1.1 <r1@d1.example>: Recipient address rejected: User unknown in virtual mailbox table",
    "550 5.1.1 The email account that you tried to reach does not exist. Please try",
    "550-5.2.1 The email account that you tried to reach is inactive.",
    "550 5.2.1 The user you are trying to contact is receiving mail at a rate that",
    "552 5.2.2 The email account that you tried to reach is over quota",
    "550 No such user here",
    "550 no mailbox by that name is currently available",
    "554 delivery error: dd This user doesn't have a yahoo.com account (r1@yahoo.com) [0]",
    "550 Requested action not taken: mailbox unavailable",
    "511 sorry, no mailbox here by that name (#5.1.1 - chkuser)",
    "550 El usuario no existe",
    "550 Buzón desconocido",
    "550 5.1.1 Dirección de destinatario desconocida",
    "550 Benutzer unbekannt",
    "550 Empfängeradresse existiert nicht",
    "550 Das Postfach ist voll",
    "550 Kein solcher Benutzer",
    "550 Utilisateur inconnu",
    "550 La boîte aux lettres est pleine",
    "550 Casella inesistente",
    "550 Usuário não encontrado",
    "550 Gebruiker onbekend",
    "550 Nie ma takiego użytkownika",
    "550 Пользователь не найден",
    "550 Message was not accepted -- invalid mailbox. Local mailbox r@mail.ru is unavailable",
]  # fmt: skip
NOBODY = [
    "553 5.7.1 <news@example.org>: Sender address rejected: not owned by user news@example.org",
    "550 5.1.8 Access denied, bad outbound sender AS(42003)",
    "554 5.2.0 STOREDRV.Submission.Exception:SubmissionQuotaExceededException; the sender's quota",
    "550 5.1.1 Sender address rejected: undeliverable address: user unknown",
    "550 5.1.1 Remitente no autorizado",
    "550 5.1.1 Absender abgelehnt",
    "550 Die Absenderadresse existiert nicht",
    "553 Expéditeur refusé",
    "554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using zen.spamhaus.org",
    "550 Mensaje rechazado",
    "550 Nachricht nicht angenommen",
    "554 Transaction failed",
    "550 5.7.1 Message rejected as spam",
    "554 5.7.9 Message not accepted for policy reasons",
]
PERHAPS = [
    "550 5.1.1 Rejected",
    "550 5.4.1 Recipient address rejected: Access denied",
    "550 RCPT refused",
]


@pytest.mark.parametrize(
    ("reply", "whom"),
    [
        *((reply, Names.MAILBOX) for reply in MAILBOX),
        *((reply, Names.NOBODY) for reply in NOBODY),
        *((reply, Names.PERHAPS_MAILBOX) for reply in PERHAPS),
    ],
)
def test_whom_a_refusal_names(reply: str, whom: Names) -> None:
    assert whom is names(reply)


def test_a_readers_address_does_not_count_as_words() -> None:
    for address in ("sender@d1.example", "spam@d1.example", "policy@d1.example"):
        assert Names.MAILBOX is names(f"550 5.1.1 <{address}>: user unknown")
        assert Names.MAILBOX is names(f"550 {address} user unknown")


def test_replies_that_differ_in_address_domain_number_or_id_alone_say_the_same() -> None:
    told = {
        same_words(f"550 {one}@{domain} refused by {domain}, id {number}: 4f3a{number}", domain)
        for one, domain, number in (("ann", "d1.example", 12345), ("bob", "d2.example", 67890))
    }
    assert 1 == len(told)
    assert same_words("550 no") != same_words("550 never")


def test_a_long_reply_is_read_in_no_time() -> None:
    for piece in ("user ", "a@", "<", "no such ", "unknown ", "5.1.", "sender", "é "):
        assert names(f"550 {piece * 100_000}") in Names
        assert len(same_words(f"550 {piece * 100_000}")) <= 400
