"""Whether a webhook is a provider's own: each by the algorithm that its provider publishes.

A webhook may be read days after it arrived, so no timestamp in it is compared with
the clock. The same event twice is one, however it comes (feedback/apply.py). No I/O.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import load_der_public_key

from newsletter.bounded_json import JSONRefused, read_json

_CERTIFICATE_PATH = r"/SimpleNotificationService-[A-Za-z0-9_-]{1,100}\.pem"
_SUBSCRIBE_PATH = r"/\?Action=ConfirmSubscription&[!-~]{1,2000}"
_SIGNED = {
    "Notification": ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    "SubscriptionConfirmation": (
        *("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
    ),
}
_HASHES = {"1": hashes.SHA1, "2": hashes.SHA256}


class Trust(Enum):
    """What a webhook's content is worth."""

    PROVED = "proved"
    """The provider signed it."""
    HINT = "hint"
    """Anybody who knows the address can have written it."""
    REFUSED = "refused"
    """The signature is missing or wrong."""


@dataclass(frozen=True, slots=True)
class Webhook:
    """A webhook as it arrived.

    Attributes:
        provider: by its name in newsletter.toml.
        headers: those of :data:`newsletter.config.SIGNATURE_HEADERS`, in small letters.
        body: the request's, unchanged.
    """

    provider: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Verified:
    """What a verification came to.

    Attributes:
        trust: what the content is worth.
        content: JSON, what the signature covers and nothing else; empty if it is refused.
        subscribe_url: of Amazon SNS, where a subscription is confirmed; else empty.
    """

    trust: Trust
    content: bytes = b""
    subscribe_url: str = ""


_REFUSED = Verified(Trust.REFUSED)


def verify_webhook(webhook: Webhook, key: str, certificate: Callable[[str], bytes]) -> Verified:
    """Verify a webhook. Raises what ``certificate`` raises, and nothing else.

    Args:
        webhook: as it arrived, from whomever.
        key: the secret or public key; of Amazon SES the topic's ARN; empty for those that
            sign nothing.
        certificate: gets the PEM from an address of Amazon SNS.
    """
    if webhook.provider == "ses":
        return _sns(webhook.body, key, certificate)
    if webhook.provider == "mailgun":
        # It signs a timestamp and a token, and nothing of the event.
        return Verified(Trust.HINT, webhook.body) if _mailgun(webhook.body, key) else _REFUSED
    check = _CHECKS.get(webhook.provider)
    if check is None:
        return Verified(Trust.HINT, webhook.body)
    try:
        holds = bool(key) and check(webhook, key)
    except (KeyError, ValueError, InvalidSignature, UnsupportedAlgorithm):
        holds = False
    return Verified(Trust.PROVED, webhook.body) if holds else _REFUSED


def _resend(webhook: Webhook, key: str) -> bool:
    """Svix: https://docs.svix.com/receiving/verifying-payloads/how-manual."""
    secret = base64.b64decode(key.removeprefix("whsec_"), validate=True)
    named = f"{webhook.headers['svix-id']}.{webhook.headers['svix-timestamp']}."
    made = base64.b64encode(_mac(secret, named.encode() + webhook.body)).decode()
    given = webhook.headers["svix-signature"].split(" ")
    return any(_same(each, f"v1,{made}") for each in given[:20])


def _sendgrid(webhook: Webhook, key: str) -> bool:
    """ECDSA: https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/."""
    public = load_der_public_key(base64.b64decode(key, validate=True))
    if not isinstance(public, ec.EllipticCurvePublicKey):
        return False
    begins = "x-twilio-email-event-webhook"
    signature, at = webhook.headers[f"{begins}-signature"], webhook.headers[f"{begins}-timestamp"]
    signed = at.encode() + webhook.body
    public.verify(base64.b64decode(signature, validate=True), signed, ec.ECDSA(hashes.SHA256()))
    return True


def _lettermint(webhook: Webhook, key: str) -> bool:
    """``t=…,v1=…``, as lettermint-python 3.2.0 verifies it."""
    parts = webhook.headers["x-lettermint-signature"].split(",")[:10]
    told = dict(part.split("=", 1) for part in parts if "=" in part)
    made = _mac(key.encode(), f"{told['t']}.".encode() + webhook.body).hex()
    return _same(told["v1"], made) & _same(webhook.headers["x-lettermint-delivery"], told["t"])


def _mailersend(webhook: Webhook, key: str) -> bool:
    """https://developers.mailersend.com/api/v1/webhooks.html."""
    return _same(webhook.headers["signature"], _mac(key.encode(), webhook.body).hex())


def _mailtrap(webhook: Webhook, key: str) -> bool:
    """https://docs.mailtrap.io/email-api-smtp/advanced/webhooks."""
    return _same(webhook.headers["mailtrap-signature"], _mac(key.encode(), webhook.body).hex())


_CHECKS: Mapping[str, Callable[[Webhook, str], bool]] = {
    "lettermint": _lettermint,
    "mailersend": _mailersend,
    "mailtrap": _mailtrap,
    "resend": _resend,
    "sendgrid": _sendgrid,
}


def _mailgun(body: bytes, key: str) -> bool:
    """https://documentation.mailgun.com/docs/mailgun/user-manual/webhooks/securing-webhooks."""
    told = _object(_object(body).get("signature"))
    at, token, given = (str(told.get(name, "")) for name in ("timestamp", "token", "signature"))
    return bool(key and token) and _same(given, _mac(key.encode(), f"{at}{token}".encode()).hex())


def _sns(body: bytes, topic: str, certificate: Callable[[str], bytes]) -> Verified:
    """https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html."""
    told = _object(body)
    names = _SIGNED.get(str(told.get("Type")))
    url = str(told.get("SigningCertURL"))
    if (
        names is None
        or not topic
        or told.get("TopicArn") != topic
        or not _is_of_region(url, topic, _CERTIFICATE_PATH)
    ):
        return _REFUSED
    values = {name: told[name] for name in names if told.get(name) is not None}
    hashed = _HASHES.get(str(told.get("SignatureVersion")))
    if hashed is None or not all(isinstance(value, str) for value in values.values()):
        return _REFUSED
    signed = "".join(f"{name}\n{value}\n" for name, value in values.items()).encode()
    pem = certificate(url)
    try:
        public = x509.load_pem_x509_certificate(pem).public_key()
        if not isinstance(public, rsa.RSAPublicKey):
            return _REFUSED
        given = base64.b64decode(str(told.get("Signature")), validate=True)
        public.verify(given, signed, padding.PKCS1v15(), hashed())
    except (ValueError, InvalidSignature, UnsupportedAlgorithm):
        return _REFUSED
    if told["Type"] == "Notification":
        return Verified(Trust.PROVED, values.get("Message", "").encode())
    address = values.get("SubscribeURL", "")
    confirms = _is_of_region(address, topic, _SUBSCRIBE_PATH)
    return Verified(Trust.PROVED, subscribe_url=address if confirms else "")


def _is_of_region(url: str, topic: str, path: str) -> bool:
    """Whether an address is Amazon SNS's own, in the topic's region: nobody else's is like it.

    In ``sns.ANYTHING.amazonaws.com`` a bucket of somebody's could answer: ``sns.s3.…``.
    """
    parts = topic.split(":")  # arn:aws:sns:REGION:ACCOUNT:NAME
    if len(parts) < 6:
        return False
    host = rf"https://sns\.{re.escape(parts[3])}\.amazonaws\.(?:com|com\.cn|eu)"
    return re.fullmatch(host + path, url) is not None


def is_certificate(pem: bytes) -> bool:
    """Whether this is one certificate as Amazon SNS signs with, PEM."""
    try:
        return isinstance(x509.load_pem_x509_certificate(pem).public_key(), rsa.RSAPublicKey)
    except (ValueError, UnsupportedAlgorithm):
        return False


def _object(value: Any) -> dict[str, Any]:
    """The object that bytes of JSON hold, or that a value is; else an empty one."""
    if isinstance(value, bytes):
        try:
            value = read_json(value)
        except JSONRefused:
            return {}
    return value if isinstance(value, dict) else {}


def _mac(key: bytes, message: bytes) -> bytes:
    return hmac.digest(key, message, hashlib.sha256)


def _same(given: str, made: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "replace"), made.encode())
