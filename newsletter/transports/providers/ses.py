"""Amazon SES, API v2: one finished message a call, for one reader.

https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html,
https://docs.aws.amazon.com/ses/latest/dg/manage-sending-quotas-errors.html
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import ClassVar
from urllib.parse import urlsplit

from pydantic import Field

from newsletter.config import ProviderSettings, Secret
from newsletter.transports.api_result import (
    ACCOUNT,
    MESSAGE,
    RATE,
    ApiError,
    ApiResult,
    Fault,
    Taken,
)
from newsletter.transports.http_values import (
    Request,
    Response,
    at,
    canonical_json,
    text_at,
    valid_id,
)
from newsletter.transports.protocol import Allowance
from newsletter.transports.provider import ApiMessage, Provider

_ALGORITHM = "AWS4-HMAC-SHA256"
_SIGNATURES = re.compile(rb"(?im)^DKIM-Signature:.*\r\n(?:[ \t].*\r\n)*")
_ABOUT_READER = re.compile(r"\b(?:address|domain)\b")
_WORDS: Mapping[str, Fault] = {
    "daily message quota exceeded": ACCOUNT,
    "maximum sending rate exceeded": RATE,
    "address is not verified": ACCOUNT,
}
"""What an error's text says more exactly than its name."""


class SesSettings(ProviderSettings):
    """Amazon SES, API v2, raw messages."""

    title: ClassVar[str] = "Amazon SES"

    region: str = Field(
        pattern=r"^[a-z]{2,4}(-[a-z]+)+-[0-9]$", description="Such as eu-central-1 (Frankfurt)."
    )
    access_key_id: Secret = Field(description="Where the access key's id comes from.")
    secret_access_key: Secret = Field(description="Where the access key's secret comes from.")
    configuration_set: str | None = Field(
        default=None, description="Name of a configuration set, for bounce events."
    )


class Ses(Provider[SesSettings]):
    """An account at Amazon SES in one region."""

    name = "ses"
    table = SesSettings
    path = "/v2/email/outbound-emails"
    # The rate of accounts out of SES's sandbox; what is too fast is refused before it is taken.
    allowance = Allowance(calls_per_second=14)
    no_sandbox = "Proofs to success@simulator.amazonses.com are checked and delivered to nobody."
    next = (
        "Look at the account and its verified identities at Amazon SES in this region, and at this "
        "machine's clock, then run “newsletter resume ISSUE”."
    )
    errors: ClassVar = {
        "TooManyRequestsException": RATE,
        "ThrottlingException": RATE,
        "LimitExceededException": ACCOUNT,
        "AccountSuspendedException": ACCOUNT,
        "SendingPausedException": ACCOUNT,
        "MailFromDomainNotVerifiedException": ACCOUNT,
        "NotFoundException": ACCOUNT,
        "MessageRejected": MESSAGE,
        "BadRequestException": MESSAGE,
    }

    @property
    def endpoint(self) -> str:
        """The region's; the European Sovereign Cloud has a domain of its own."""
        region = self.settings.region
        return f"https://email.{region}.amazonaws.{'eu' if region.startswith('eusc-') else 'com'}"

    def request(self, messages: Sequence[ApiMessage], key: str) -> Request:
        """One message, and the signature of its request."""
        body = canonical_json(self.payload(messages, key))
        headers = sign_request(
            self.base_url.rstrip("/") + self.path,
            body,
            {"Content-Type": "application/json"},
            secrets=self.secrets,
            region=self.settings.region,
            at=self.clock.now(),
        )
        proof = headers["Authorization"].rpartition("Signature=")[2]
        return Request(self.path, body, headers, proof=proof)

    def fields(self, message: ApiMessage) -> dict[str, object]:
        """The message as it is, but for our own DKIM signatures.

        They cover Date and Message-ID, which SES replaces: they would arrive
        broken. SES signs in the name of the verified domain itself.
        https://docs.aws.amazon.com/ses/latest/dg/send-email-authentication-dkim-manual.html
        """
        whole = message.message
        head, separator, body = whole.as_bytes().partition(b"\r\n\r\n")
        raw = _SIGNATURES.sub(b"", head + b"\r\n") + separator[2:] + body
        return {
            "Content": {"Raw": {"Data": base64.b64encode(raw).decode()}},
            "Destination": {"ToAddresses": [str(whole.envelope_to)]},
            "FeedbackForwardingEmailAddress": whole.envelope_from,
            # A tag's value has letters, digits, “_” and “-” only.
            "EmailTags": [{"Name": "reference", "Value": message.reference.replace(".", "_")}],
            "ConfigurationOverrides": {
                "Tracking": {
                    "OpenTrackingEnabled": "DISABLED",
                    "ClickTrackingEnabled": "DISABLED",
                }
            },
            "ConfigurationSetName": self.settings.configuration_set or None,
        }

    def success(self, response: Response) -> ApiResult:
        """The id of the only message."""
        known = valid_id(at(response.json(), "MessageId"))
        if known is None:
            return self.lacking(response, "an id")
        return Taken(f"{response.status} accepted", (known,))

    def error(self, response: Response) -> ApiError | None:
        """The exception's name and text; no answer of AWS has none.

        The name is in the header, with what follows a colon left out, or in the
        body (https://smithy.io/2.0/aws/protocols/aws-restjson1-protocol.html).
        """
        value = response.json()
        if not isinstance(value, dict):
            return None
        told = response.headers.get("x-amzn-errortype") or value.get("__type") or value.get("code")
        name = told.partition(":")[0].rpartition("#")[2] if isinstance(told, str) else ""
        if not name:
            return None
        text = text_at(value, "message") or text_at(value, "Message") or ""
        lowered = text.lower()
        said = next((fault for words, fault in _WORDS.items() if words in lowered), None)
        return ApiError(
            f"{response.status} {name}: {text}",
            said or self.fault(name) or ACCOUNT,
            of_recipient=_ABOUT_READER.search(lowered) is not None,
        )


def sign_request(
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    *,
    secrets: Mapping[str, str],
    region: str,
    at: datetime,
) -> dict[str, str]:
    """``headers`` with AWS Signature Version 4 for a POST to SES.

    The signature is valid for five minutes around ``at``.
    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html

    Args:
        url: has no query, and nothing in its path needs quoting.
        body: of the request.
        headers: of the request.
        secrets: ``access_key_id`` and ``secret_access_key``.
        region: of the endpoint.
        at: when the request is signed.
    """
    address = urlsplit(url)
    moment = at.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
    dated = {**headers, "X-Amz-Date": moment}
    signed = {name.lower(): value for name, value in dated.items()} | {"host": address.netloc}
    names = ";".join(sorted(signed))
    canonical = "\n".join(
        [
            "POST",
            address.path or "/",
            "",
            *(f"{name}:{signed[name]}" for name in sorted(signed)),
            "",
            names,
            hashlib.sha256(body).hexdigest(),
        ]
    )
    scope = [moment[:8], region, "ses", "aws4_request"]
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    to_sign = "\n".join([_ALGORITHM, moment, "/".join(scope), digest])
    key = f"AWS4{secrets['secret_access_key']}".encode()
    for part in (*scope, to_sign):
        key = hmac.digest(key, part.encode(), "sha256")
    credential = "/".join([secrets["access_key_id"], *scope])
    proof = f"{_ALGORITHM} Credential={credential}, SignedHeaders={names}, Signature={key.hex()}"
    return {**dated, "Authorization": proof}


PROVIDER = Ses
