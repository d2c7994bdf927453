"""Signed letters, judged by two verifiers that we did not write."""

import hashlib
import itertools
import re
import subprocess
import sys
import threading
from base64 import b64decode
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import dkim
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
)
from hypothesis import given
from hypothesis import strategies as st
from newsletter.config import ListIdentity, Smtp
from newsletter.errors import ConfigError
from newsletter.message.compose import Composer
from newsletter.message.dkim import SEALED, DkimSigner
from newsletter.message.mime import stuffed
from newsletter.message.model import Message, Recipient
from newsletter.message.shared_headers import Letterhead
from newsletter.render.edition import Edition
from newsletter.testing import FrozenClock, RecordingJournal
from newsletter.transports.smtp import SmtpTransport

from tests.message.samples import (
    ARCHIVE,
    CAMPAIGN,
    DATE,
    EDITION,
    KEYS,
    LIST,
    PLAIN_SUBJECT,
    SENDER,
    letter,
    reader,
)
from tests.message.test_slow_road import readers
from tests.support.dkim import (
    DOMAIN,
    SECOND,
    SELECTOR,
    ed25519_key,
    mailauth,
    passes_dkimpy,
    pem,
    results,
    rsa_key,
)
from tests.support.smtp_server import SmtpServer

NAMES = (
    "",
    "Anna Müller",
    'Smith, "Jo" (Ms.)',
    "back\\slash",
    "👩\u200d👩\u200d👧\u200d👦 Family 🎉",
    "ليلى بنت محمد",
    "\u202eevil\u202c שלום",
    "=?utf-8?q?not_encoded?=",
    "=?utf-8?B?",
    "two  spaces \t and a tab ",
    "a:b;c=d<e>@f",
    "word " * 60,
    "x" * 300,
    "Ж" * 200,
)
SUBJECTS = (
    EDITION.subject,
    "News: a, b; c = d",
    "  spaces   within  ",
    "Défenseurs 🕊 – مدافعون",
    "=?utf-8?q?as_if?=",
    "very long " * 40,
)
CITIES = ("", " ", "Tbilisi", "end in spaces   ", "\ttab\t", ".", "–" * 90, "= =3D =", "y" * 5000)


def signer(*, second: bool = True) -> DkimSigner:
    return DkimSigner(
        DOMAIN,
        selector=SELECTOR,
        private_key=pem(rsa_key()),
        ed25519=(SECOND, pem(ed25519_key())) if second else None,
    )


SIGNER, RSA_ALONE = signer(), signer(second=False)


def composer(
    edition: Edition = EDITION,
    *,
    reply_to: str | None = SENDER.reply_to,
    list_identity: ListIdentity = LIST,
) -> Composer:
    return Composer(
        edition,
        Letterhead(SENDER.model_copy(update={"reply_to": reply_to}), list_identity, ARCHIVE),
        campaign_id=CAMPAIGN,
        keys=KEYS,
        signer=SIGNER,
    )


def signed(recipient: Recipient | None = None, edition: Edition = EDITION) -> Message:
    return composer(edition).compose(recipient or reader(), date=DATE)


def fields_of(mail: bytes) -> list[bytes]:
    """The header fields, each with its folds."""
    return re.split(rb"\r\n(?! )", mail.partition(b"\r\n\r\n")[0])


def tags(signature: bytes) -> dict[str, str]:
    text = "".join(signature.decode().partition(":")[2].split())
    return dict(tag.split("=", 1) for tag in text.split(";"))


def hostile() -> list[bytes]:
    """200 letters in whose headers and values everything odd meets everything else."""
    composers = [composer(replace(EDITION, subject=subject)) for subject in SUBJECTS]
    letters = itertools.islice(
        zip(itertools.cycle(composers), itertools.cycle(NAMES), itertools.cycle(CITIES)), 200
    )
    return [
        sheet.compose(
            reader(name, f"r{number}@reader.example.org", {"city": city}),
            date=DATE + timedelta(seconds=number),
        ).as_bytes()
        for number, (sheet, name, city) in enumerate(letters)
    ]


def test_200_letters_with_hostile_headers_pass_both_verifiers() -> None:
    mails = hostile()
    assert 200 == len(set(mails))
    assert [["pass", "pass"]] * 200 == results(mails)
    assert [] == [mail for mail in mails if not passes_dkimpy(mail)]


@given(readers)
def test_any_reader_gets_a_letter_that_passes(recipient: Recipient) -> None:
    assert passes_dkimpy(signed(recipient).as_bytes())


@given(readers)
def test_any_reader_gets_a_letter_in_base64_that_passes(recipient: Recipient) -> None:
    arabic = replace(EDITION, text=EDITION.text + "سلام " * 99, html=EDITION.html + "سلام " * 99)
    mail = signed(recipient, arabic).as_bytes()
    assert 2 == mail.count(b"Content-Transfer-Encoding: base64")
    assert passes_dkimpy(mail)


LINES = st.lists(
    st.text(" \t.=ab", max_size=9).map(lambda line: line.encode() + b"\r\n"), max_size=5
).map(b"".join)


@given(st.lists(LINES, min_size=3, max_size=3), st.lists(LINES, min_size=2, max_size=2))
def test_the_prepared_hash_is_that_of_the_whole_body(
    static: Sequence[bytes], values: Sequence[bytes]
) -> None:
    body = (b"\r\n" + static[0], 0, static[1], 1, 0, static[2] + b"--end--\r\n")
    head = "From: a@defenders.example\r\n"
    field = RSA_ALONE.for_body(body).signatures(head, values, date=DATE).encode()
    whole = b"".join((static[0], values[0], static[1], values[1], values[0], static[2], b"--end--"))
    policy = dkim.CanonicalizationPolicy.from_c_value(b"relaxed/relaxed")
    expected = hashlib.sha256(policy.canonicalize_body(whole + b"\r\n")).digest()
    assert expected == b64decode(tags(field)["bh"])


def test_letters_say_what_rfc_6376_wants_of_them() -> None:
    mail = signed().as_bytes()
    first, second = fields_of(mail)[:2]
    expected = {
        "v": "1",
        "a": "rsa-sha256",
        "c": "relaxed/relaxed",
        "d": DOMAIN,
        "s": SELECTOR,
        "t": str(int(DATE.timestamp())),
    }
    assert expected.items() <= tags(first).items()
    assert {*expected, "h", "bh", "b"} == tags(first).keys()
    assert {**expected, "a": "ed25519-sha256", "s": SECOND}.items() <= tags(second).items()
    assert tags(first)["h"] == tags(second)["h"]
    assert 2 == sum(field.lower().startswith(b"dkim-signature:") for field in fields_of(mail))


def test_what_matters_is_signed_and_what_is_single_is_sealed() -> None:
    mail = signed().as_bytes()
    signature, *rest = fields_of(mail)
    present = {field.partition(b":")[0].decode().lower() for field in rest}
    named = Counter(tags(signature)["h"].split(":"))
    assert {"list-unsubscribe", "list-unsubscribe-post"} < named.keys()
    assert set(SEALED) == {name for name, times in named.items() if times == 2}
    unsigned = {"dkim-signature", "precedence", "content-language", "x-campaign", "x-recipient"}
    assert unsigned == present - named.keys()
    for verdict in mailauth([mail])[0]:
        assert named.keys() == set(verdict.fields.lower().replace(" ", "").split(":"))


@pytest.mark.parametrize("edition", [EDITION, PLAIN_SUBJECT])
def test_signing_leaves_the_letter_as_it_was_and_puts_the_signatures_first(
    edition: Edition,
) -> None:
    plain, with_signature = letter(edition=edition), signed(edition=edition)
    added = with_signature.as_bytes().removesuffix(plain.as_bytes())
    assert len(added) + len(plain.as_bytes()) == len(with_signature.as_bytes())
    assert 2 == len(re.findall(rb"(?m)^DKIM-Signature: ", added))
    assert stuffed(with_signature.as_bytes()) == b"".join(with_signature.as_wire())
    assert plain.as_content() == with_signature.as_content()


def test_feedback_id_is_signed_since_gmail_counts_no_other() -> None:
    known = LIST.model_copy(update={"feedback_id": "defenders17"})
    mail = composer(list_identity=known).compose(reader(), date=DATE).as_bytes()
    forged = mail.replace(b":defenders17\r\n", b":someone-else\r\n")
    assert "feedback-id" in tags(fields_of(mail)[0])["h"].split(":")
    assert [["pass", "pass"], ["fail", "fail"]] == results([mail, forged])
    assert (True, False) == (passes_dkimpy(mail), passes_dkimpy(forged))


def test_signatures_are_folded_within_78_characters() -> None:
    for field in fields_of(signed().as_bytes())[:2]:
        assert 78 >= max(map(len, field.split(b"\r\n")))


def test_the_same_letter_gets_the_same_signature() -> None:
    alone = [signed(reader(f"Reader {n}")).as_bytes() for n in range(20)]
    together: list[list[bytes]] = []
    compose = composer().compose

    def work() -> None:
        together.append([compose(reader(f"Reader {n}"), date=DATE).as_bytes() for n in range(20)])

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert [alone] * 4 == together


def test_a_letter_without_reply_to_cannot_be_given_one() -> None:
    mail = composer(reply_to=None).compose(reader(), date=DATE).as_bytes()
    forged = mail.replace(b"\r\nTo: ", b"\r\nReply-To: thief@example.com\r\nTo: ", 1)
    assert [["pass", "pass"], ["fail", "fail"]] == results([mail, forged])
    assert passes_dkimpy(mail)
    assert not passes_dkimpy(forged)


def test_a_changed_byte_in_a_signed_field_or_the_body_is_noticed() -> None:
    mail = signed().as_bytes()
    body = mail.index(b"\r\n\r\n") + 4
    places = [at for at in range(body, len(mail), 29) if mail[at] not in b" \t\r\n"]
    for name in (*SEALED, "mime-version", "content-type", "list-help", "list-archive"):
        found = re.search(rb"(?mi)^%s: (?:=\?utf-8\?.\?)?" % name.encode(), mail)
        assert found
        places.append(found.end())
    forged = [
        mail[:at] + (b"y" if mail[at] == ord("x") else b"x") + mail[at + 1 :] for at in places
    ]
    assert 60 < len(forged)
    assert {"fail", "neutral"} >= {result for told in results(forged) for result in told}
    assert [] == [mail for mail in forged if passes_dkimpy(mail)]


def test_another_one_of_a_sealed_field_is_noticed_wherever_it_stands() -> None:
    mail = signed().as_bytes()
    head, _, rest = mail.partition(b"\r\n\r\n")
    forged = {}
    for name in map(str.title, SEALED):
        extra = f"{name}: <https://evil.example/>\r\n".encode()
        forged[name, "above"] = extra + mail
        forged[name, "below"] = head + b"\r\n" + extra + b"\r\n" + rest
    told = dict(zip(forged, results([*forged.values()]), strict=True))
    assert {where: ["fail", "fail"] for where in forged} == told
    assert [] == [where for where, mail in forged.items() if passes_dkimpy(mail)]


def test_a_relay_that_refolds_and_trims_does_no_harm() -> None:
    mail = signed().as_bytes()
    head, _, body = mail.partition(b"\r\n\r\n")
    unfolded = head.replace(b"\r\n ", b"\r\n\t  ").replace(b"Message-ID: ", b"Message-Id:\t")
    relayed = b"Received: from a by b\r\n" + unfolded + b"\r\n\r\n" + body + b"\r\n\r\n"
    assert [["pass", "pass"]] == results([relayed])
    assert passes_dkimpy(relayed)


def test_what_arrives_by_smtp_is_still_good() -> None:
    people = [
        reader(name, f"r{n}@reader.example.org", {"city": "."}) for n, name in enumerate(NAMES)
    ]
    people.append(reader("Zoë", "zoë@reader.example.org"))
    with SmtpServer() as server:
        settings = Smtp(host="127.0.0.1", port=server.port, security="none", timeout_s=5)
        session = SmtpTransport(
            settings, credentials=[None], client_name="news.example", clock=FrozenClock()
        ).open()
        session.deliver([signed(person) for person in people], RecordingJournal())
        session.close()
    mails = [mail.content for mail in server.accepted]
    assert any(b"\r\n." in mail for mail in mails)
    assert [["pass", "pass"]] * len(people) == results(mails)
    assert all(map(passes_dkimpy, mails))


def test_without_a_second_key_there_is_one_signature() -> None:
    written = RSA_ALONE.for_body((b"\r\nHello\r\n",)).signatures(
        "From: a@defenders.example\r\n", (), date=DATE
    )
    mail = f"{written}From: a@defenders.example\r\n\r\nHello\r\n".encode()
    assert [["pass"]] == results([mail])
    assert passes_dkimpy(mail)


def small_rsa() -> bytes:
    return pem(rsa.generate_private_key(public_exponent=65537, key_size=1024))


def locked() -> bytes:
    secret = BestAvailableEncryption(b"secret")
    return rsa_key().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, secret)


@pytest.mark.parametrize(
    ("private_key", "second", "why"),
    [
        (b"", None, "no private key in PEM"),
        (b"-----BEGIN PRIVATE KEY-----\nhunter2\n-----END PRIVATE KEY-----\n", None, "in PEM"),
        (small_rsa(), None, "has 1024 bits"),
        (locked(), None, "has a passphrase"),
        (pem(ed25519_key()), None, "no RSA key"),
        (pem(ec.generate_private_key(ec.SECP256R1())), None, "no RSA key"),
        (pem(rsa_key()), pem(rsa_key()), "no Ed25519 key"),
    ],
)
def test_a_key_that_is_of_no_use_is_refused_and_not_shown(
    private_key: bytes, second: bytes | None, why: str
) -> None:
    with pytest.raises(ConfigError, match=why) as refusal:
        DkimSigner(
            DOMAIN,
            selector=SELECTOR,
            private_key=private_key,
            ed25519=None if second is None else (SECOND, second),
        )
    assert refusal.value.__cause__ is None
    assert "hunter2" not in str(refusal.value)
    assert "newsletter docs dkim" in refusal.value.next


def test_who_does_not_sign_does_not_load_cryptography() -> None:
    script = (
        "import sys; from tests.message.samples import letter; letter().as_wire();"
        "import newsletter.project.compose, newsletter.transports.smtp;"
        "print([name for name in sys.modules if name.startswith('cryptography')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True
    )
    assert "[]" == done.stdout.strip()
