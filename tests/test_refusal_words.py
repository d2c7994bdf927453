"""Whom a refusal names: read from its words, in whatever language, before its codes."""

import pytest
from newsletter.refusal_words import (
    Names,
    is_bad_address,
    is_policy,
    may_be_gone,
    names,
    same_words,
)


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
    "550 La cuenta está inactiva",
    "550 Diese E-Mail-Adresse gibt es nicht",
    "550 Der Empfänger ist hier nicht bekannt",
    "550 Aucun utilisateur de ce nom",
    "550 Compte inexistant",
    "550 Casella non trovata",
    "550 Brak takiego użytkownika",
    "550 Такого пользователя нет",
    "550 Користувача не знайдено",
    "550 Uživatel neexistuje",
    "550 A felhasználó nem létezik",
    "550 Utilizator necunoscut",
    "550 Nema takvog korisnika",
    "550 Tuntematon vastaanottaja",
    "550 Άγνωστος παραλήπτης",
    "550 المستخدم غير موجود",
    "550 用户不存在",
    "550 收件人邮箱不存在",
    "550 無此用户",
    "550 ユーザーが存在しません",
    "550 宛先不明",
    "550 メールボックスがいっぱいです",
    "550 사용자를 찾을 수 없습니다",
    "550 5.2.1 Account is inactive",
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
    "554 Ihr Konto wurde gesperrt",
    "550 5.7.1 Ihr Postfach wurde für den Versand gesperrt",
    "554 Ihre IP-Adresse ist gesperrt",
    "550 L'adresse d'envoi est invalide",
    "553 Votre compte est désactivé",
    "550 Su cuenta está deshabilitada",
    "550 Il tuo account è stato disattivato",
    "550 Sua conta está desativada",
    "550 Twoje konto nie istnieje",
    "550 Ваш адрес заблокирован",
    "550 Ваш IP-адрес заблокирован",
    "550 发件人邮箱不存在",
    "550 差出人アドレスが存在しません",
    "550 5.1.1 Your mailbox is disabled for sending",
    "550 This account is not allowed to send mail",
    "550 IP address not found in DNS",
    "550 Reverse DNS lookup failed for your address: not found",
    "550 From address not valid",
    "550 Unrouteable return address",
    "550 Envelope address not found",
    "550 Trial expired; account disabled",
    "550 SMTP user disabled",
    "550 Invalid HELO: address not found",
    "550 5.1.8 address not valid",
    "550 5.1.1 Directory harvest attack detected; user unknown",
    "550 5.1.1 Too many unknown users from your IP",
    "550 Zu viele ungültige Empfänger",
    "550 Trop de destinataires invalides",
    "550 Слишком много неизвестных получателей",
    "550 Server busy, user lookups disabled",
    "550 Recipient verify failed: directory unavailable",
    "550 Address rejected: your domain is not found",
    "550 You are not allowed to send to this address",
    "550 No permission to write to this account",
]
PERHAPS = [
    "550 5.1.1 Rejected",
    "550 5.4.1 Recipient address rejected: Access denied",
    "550 RCPT refused",
    "550 Account disabled by administrator",
    "554 5.7.1 Account suspended, contact abuse@host.example",
    "554 Das Konto ist gesperrt",
    "550 Cuenta deshabilitada",
    "550 User suspended",
    "550 The user is disabled",
    "550 5.1.1 You are not authorized to mail this user",
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


@pytest.mark.parametrize(
    ("said", "may_be"),
    [
        ("Bounce: AutoResponder", False),
        ("Bounce: AddressChange", False),
        ("Bounce: ChallengeVerification", False),
        ("failed 5.1.1 552 Postfach voll", False),
        ("failed 5.1.1 550 rejected", True),
    ],
)
def test_an_answer_or_a_full_mailbox_is_no_sign_of_one_that_is_gone(
    said: str, *, may_be: bool
) -> None:
    assert may_be == may_be_gone(said)
