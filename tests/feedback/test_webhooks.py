"""Webhooks by each provider's published algorithm: whole they pass, with one byte changed none."""

import base64
import functools
import hashlib
import hmac
import importlib
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509.oid import NameOID
from newsletter.config import SIGNATURE_HEADERS
from newsletter.feedback.webhooks import Trust, Verified, Webhook, verify_webhook

from tests.transports.providers.anymail import configure_django

TOPIC = "arn:aws:sns:eu-central-1:123456789012:newsletter"
CERTIFICATE_URL = (
    "https://sns.eu-central-1.amazonaws.com/SimpleNotificationService-0123456789abcdef.pem"
)
BODY = b'{"event": "bounce", "reference": "2017-03.0123456789abcdef01234567"}'
SVIX = "whsec_plJ3nmyCDGBKInavdOK15jsl"
SECRET = "a secret that a provider gave"


def mac(key: bytes, message: bytes) -> bytes:
    return hmac.new(key, message, hashlib.sha256).digest()


@functools.cache
def ecdsa_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


@functools.cache
def sns_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@functools.cache
def certificate() -> bytes:
    """A certificate over :func:`sns_key`, PEM."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.amazonaws.com")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(sns_key().public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(sns_key(), hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.PEM)


def sns(message: str = BODY.decode(), *, version: str = "2", **changes: Any) -> bytes:
    """A message of Amazon SNS, signed; ``changes`` are made before it is."""
    told: dict[str, Any] = {
        "Type": "Notification",
        "MessageId": "165545c9-2a5c-472c-8df2-7ff2be2b3b1b",
        "TopicArn": TOPIC,
        "Subject": "Amazon SES Email Event Notification",
        "Message": message,
        "Timestamp": "2026-11-30T12:00:00.000Z",
        "SignatureVersion": version,
        "SigningCertURL": CERTIFICATE_URL,
        **changes,
    }
    names = sorted({*told} - {"SignatureVersion", "SigningCertURL"})
    signed = "".join(f"{name}\n{told[name]}\n" for name in names if told[name] is not None)
    hashed = hashes.SHA256() if version == "2" else hashes.SHA1()
    signature = sns_key().sign(signed.encode(), padding.PKCS1v15(), hashed)
    return json.dumps({**told, "Signature": base64.b64encode(signature).decode()}).encode()


def signed(provider: str, body: bytes = BODY) -> tuple[Webhook, str]:
    """A webhook as its provider would sign it, and what verifies it."""
    values: tuple[str, ...] = ()
    key = SECRET
    match provider:
        case "resend":
            key = SVIX
            secret = base64.b64decode(SVIX.removeprefix("whsec_"))
            made = base64.b64encode(mac(secret, b"msg_1.1731705121." + body)).decode()
            values = ("msg_1", "1731705121", f"v1,{'A' * 43}= v1,{made}")
        case "sendgrid":
            public = ecdsa_key().public_key()
            encoding, form = serialization.Encoding.DER, serialization.PublicFormat
            key = base64.b64encode(
                public.public_bytes(encoding, form.SubjectPublicKeyInfo)
            ).decode()
            made_by = ecdsa_key().sign(b"1731705121" + body, ec.ECDSA(hashes.SHA256()))
            values = (base64.b64encode(made_by).decode(), "1731705121")
        case "lettermint":
            told = mac(key.encode(), b"1731705121." + body).hex()
            values = (f"t=1731705121,v1={told}", "1731705121")
        case "mailersend" | "mailtrap":
            values = (mac(key.encode(), body).hex(),)
        case "ses":
            key, body = TOPIC, sns(body.decode())
    headers = dict(zip(SIGNATURE_HEADERS.get(provider, ()), values, strict=True))
    return Webhook(provider, headers, body), key


def certified(url: str) -> bytes:
    assert url == CERTIFICATE_URL
    return certificate()


def judged(webhook: Webhook, key: str) -> Verified:
    return verify_webhook(webhook, key, certified)


SIGNING = ["lettermint", "mailersend", "mailtrap", "resend", "sendgrid", "ses"]


@pytest.mark.parametrize("provider", SIGNING)
def test_what_another_vendor_signed_is_refused_even_under_the_same_secret(provider: str) -> None:
    _, key = signed(provider)
    for other in SIGNING:
        webhook, _ = signed(other)
        # With the headers as the other vendor names them, and under this one's own names.
        values = [*webhook.headers.values(), *["x"] * 3]
        names = SIGNATURE_HEADERS.get(provider, ())
        same = other == provider or {other, provider} == {"mailersend", "mailtrap"}
        for headers in (webhook.headers, dict(zip(names, values, strict=False))):
            if not same:
                shown = Webhook(provider, headers, webhook.body)
                assert Trust.REFUSED is judged(shown, key).trust


@pytest.mark.parametrize("provider", SIGNING)
def test_what_a_provider_signed_is_proved_and_nothing_with_a_byte_changed(provider: str) -> None:
    webhook, key = signed(provider)
    assert Verified(Trust.PROVED, BODY) == judged(webhook, key)
    at = webhook.body.index(b"bounce") + 2
    body = webhook.body[:at] + b"X" + webhook.body[at + 1 :]
    assert Verified(Trust.REFUSED) == judged(replace(webhook, body=body), key)
    for name, value in webhook.headers.items():
        for place in (len(value) - 5, len(value) // 2):
            changed = value[:place] + ("0" if value[place] != "0" else "1") + value[place + 1 :]
            headers = {**webhook.headers, name: changed}
            assert Trust.REFUSED is judged(replace(webhook, headers=headers), key).trust, name
        headers = {other: text for other, text in webhook.headers.items() if other != name}
        assert Trust.REFUSED is judged(replace(webhook, headers=headers), key).trust, name
    other = {"resend": "whsec_AAAA", "sendgrid": key[:60] + "AAAA" + key[64:]}
    assert Trust.REFUSED is judged(webhook, other.get(provider, f"{key}x")).trust
    assert Trust.REFUSED is judged(webhook, "").trust


VECTORS = {
    # https://docs.svix.com/receiving/verifying-payloads/how-manual
    "resend": (
        SVIX,
        ("msg_loFOjxBNrRLzqYUf", "1731705121", "v1,rAvfW3dJ/X/qxhsaXPOyyCGmRKsaKWcsNccKXlIktD0="),
        b'{"event_type":"ping","data":{"success":true}}',
    ),
    # The fixture that Mailtrap's own six libraries share.
    "mailtrap": (
        "8d9a3c0e7f5b2d4a6c1e9f8b3a7d5c2e",
        ("6d262e2611cd09be1f948382b5c611d63b0e585c4c9c5e40139d6ac3876d5433",),
        b'{"event":"delivery","sending_stream":"transactional","category":"welcome",'
        b'"message_id":"a8b1d8f6-1f8d-4a3c-9b2e-1a2b3c4d5e6f","email":"recipient@example.com",'
        b'"event_id":"f1e2d3c4-b5a6-7890-1234-567890abcdef","timestamp":1716070000}',
    ),
}


@pytest.mark.parametrize("provider", VECTORS)
def test_what_the_vendor_published_passes(provider: str) -> None:
    key, values, body = VECTORS[provider]
    headers = dict(zip(SIGNATURE_HEADERS[provider], values, strict=True))
    assert Verified(Trust.PROVED, body) == judged(Webhook(provider, headers, body), key)


ANYMAIL = {
    "mailersend": ("MailerSendTrackingWebhookView", "signing_secret"),
    "mailtrap": ("MailtrapTrackingWebhookView", "tracking_secret"),
    "sendgrid": ("SendGridTrackingWebhookView", "tracking_webhook_verification_key"),
}


@pytest.mark.filterwarnings("ignore:django-anymail has dropped official support for SendGrid")
@pytest.mark.parametrize("provider", ANYMAIL)
def test_others_who_wrote_a_verifier_agree(provider: str) -> None:
    """django-anymail, about a webhook whole and with a byte more."""
    webhook, key = signed(provider)
    for body, passes in ((webhook.body, True), (webhook.body + b" ", False)):
        changed = replace(webhook, body=body)
        assert passes == anymail_accepts(changed, key)
        assert passes == (judged(changed, key).trust is Trust.PROVED)


def anymail_accepts(webhook: Webhook, key: str) -> bool:
    configure_django()
    from anymail.exceptions import AnymailWebhookValidationFailure
    from django.test import RequestFactory

    name, setting = ANYMAIL[webhook.provider]
    view = getattr(importlib.import_module(f"anymail.webhooks.{webhook.provider}"), name)
    if not hasattr(view, setting):
        setattr(view, setting, None)
    headers = {f"HTTP_{n.upper().replace('-', '_')}": v for n, v in webhook.headers.items()}
    request = RequestFactory().post("/", webhook.body, "application/json", **headers)
    try:
        view(**{setting: key}).validate_request(request)
    except AnymailWebhookValidationFailure:
        return False
    return True


@pytest.mark.parametrize("provider", ["brevo", "mailjet", "postmark", "scaleway"])
def test_what_nobody_signs_is_a_hint(provider: str) -> None:
    assert Verified(Trust.HINT, BODY) == judged(Webhook(provider, {}, BODY), "")


def mailgun(**changes: str) -> Webhook:
    told = {"timestamp": "1770920772", "token": "e0b5477167110d68991efc6b9f89f0a1"}
    made = mac(SECRET.encode(), "".join(told.values()).encode()).hex()
    body = {"signature": {**told, "signature": made, **changes}, "event-data": {"event": "failed"}}
    return Webhook("mailgun", {}, json.dumps(body).encode())


def test_mailgun_signs_no_event_so_a_right_signature_makes_a_hint() -> None:
    assert Trust.HINT is judged(mailgun(), SECRET).trust
    assert Trust.REFUSED is judged(mailgun(), SECRET + "x").trust
    assert Trust.REFUSED is judged(mailgun(), "").trust
    for changes in ({"token": "another"}, {"timestamp": "1770920773"}, {"signature": "0" * 64}):
        assert Verified(Trust.REFUSED) == judged(mailgun(**changes), SECRET)
    for body in (b"", b"[]", b'"text"', b'{"signature": "text"}', b'{"signature": 1}', b"\xff"):
        assert Verified(Trust.REFUSED) == judged(Webhook("mailgun", {}, body), SECRET)


@pytest.mark.parametrize("version", ["1", "2"])
def test_amazon_sns_by_both_of_its_hashes_and_without_a_subject(version: str) -> None:
    for body in (sns("{}", version=version), sns("{}", version=version, Subject=None)):
        assert Verified(Trust.PROVED, b"{}") == judged(Webhook("ses", {}, body), TOPIC)


@pytest.mark.parametrize(
    "changes",
    [
        {"TopicArn": f"{TOPIC}-of-a-stranger"},
        {"SigningCertURL": CERTIFICATE_URL.replace("amazonaws.com", "amazonaws.com.evil.example")},
        {"SigningCertURL": CERTIFICATE_URL.replace("https", "http")},
        {"SigningCertURL": CERTIFICATE_URL.replace("sns.", "bucket.s3.")},
        # A bucket by the name “sns” may be anybody's.
        {"SigningCertURL": CERTIFICATE_URL.replace("eu-central-1", "s3")},
        {"SigningCertURL": CERTIFICATE_URL.replace("eu-central-1", "s3-us-west-2")},
        {"SigningCertURL": CERTIFICATE_URL.replace("eu-central-1", "eu-west-1")},
        {"SigningCertURL": CERTIFICATE_URL.replace(".com/", ".com:8443/")},
        {"SigningCertURL": CERTIFICATE_URL.replace("//", "//user@")},
        {"SigningCertURL": CERTIFICATE_URL.replace("sns.", "ｓns.")},
        {"SigningCertURL": CERTIFICATE_URL + "\n"},
        {"SigningCertURL": [CERTIFICATE_URL]},
        {"SigningCertURL": f"{CERTIFICATE_URL}?x=.pem"},
        {"SigningCertURL": "https://sns.eu-central-1.amazonaws.com@evil.example/a.pem"},
        {"Type": "UnsubscribeConfirmation"},
        {"version": "3"},
    ],
)
def test_of_amazon_sns_only_the_topic_and_a_certificate_of_its_own_count(
    changes: dict[str, str],
) -> None:
    assert Verified(Trust.REFUSED) == judged(Webhook("ses", {}, sns("{}", **changes)), TOPIC)


def test_nothing_beside_what_amazon_signed_is_read() -> None:
    """Of a message that was overheard, a stranger can make one with more in it."""
    told = {**json.loads(sns("{}")), "event-data": {"event": "complained"}}
    found = judged(Webhook("ses", {}, json.dumps(told).encode()), TOPIC)
    assert Verified(Trust.PROVED, b"{}") == found


def test_a_subscription_is_confirmed_at_amazons_own_address_alone() -> None:
    for host, confirms in (
        ("sns.eu-central-1.amazonaws.com", True),
        ("sns.s3.amazonaws.com", False),
        ("evil.example", False),
    ):
        url = f"https://{host}/?Action=ConfirmSubscription&TopicArn={TOPIC}&Token=2336412f37"
        told = {"Type": "SubscriptionConfirmation", "SubscribeURL": url, "Token": "2336412f37"}
        found = judged(Webhook("ses", {}, sns("You may.", Subject=None, **told)), TOPIC)
        assert Verified(Trust.PROVED, subscribe_url=url if confirms else "") == found


@pytest.mark.parametrize("pem", [b"", b"no certificate", b"-----BEGIN CERTIFICATE-----\nAAAA\n"])
def test_what_is_no_certificate_verifies_nothing(pem: bytes) -> None:
    webhook, key = signed("ses")
    assert Verified(Trust.REFUSED) == verify_webhook(webhook, key, lambda _: pem)


@pytest.mark.parametrize("provider", SIGNING)
def test_garbage_is_refused_and_raises_nothing(provider: str) -> None:
    _, key = signed(provider)
    for text in ("", "ü", "v1,", "t=,v1=", "t", "\0", "=" * 2000):
        headers = dict.fromkeys(SIGNATURE_HEADERS.get(provider, ()), text)
        for body in (b"", b"\xff\xfe", b"[1]", b"{" * 5000, b'{"Type": {}}'):
            assert Verified(Trust.REFUSED) == judged(Webhook(provider, headers, body), key)
