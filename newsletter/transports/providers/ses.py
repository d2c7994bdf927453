"""Amazon SES, API v2: one finished message a call, for one reader.

https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html,
https://docs.aws.amazon.com/ses/latest/dg/manage-sending-quotas-errors.html
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from enum import Enum, auto

from newsletter.clock import Clock
from newsletter.config import Ses
from newsletter.transports.answers import Ambiguous, Later, Refused, Stop, Taken, Verdict
from newsletter.transports.http import Answer, Request, canonical_json, retry_after_s
from newsletter.transports.protocol import Allowance
from newsletter.transports.providers.references import reference
from newsletter.transports.providers.sigv4 import Signer
from newsletter.transports.vendor import (
    Letter,
    Unsearchable,
    check_secret,
    known_id,
    no_sandbox,
    of_the_way,
)

_PATH = "/v2/email/outbound-emails"
_CHECK_ACCOUNT = (
    "Look at the account and its verified identities at Amazon SES in this region, and at this "
    "machine's clock, then run “newsletter resume ISSUE”."
)
_SIGNATURES = re.compile(rb"(?im)^DKIM-Signature:.*\r\n(?:[ \t].*\r\n)*")
_ABOUT_READER = re.compile(r"\b(?:address|domain)\b")


class _Meaning(Enum):
    LATER = auto()
    STOP = auto()
    REFUSED = auto()


ERRORS: Mapping[str, _Meaning] = {
    "TooManyRequestsException": _Meaning.LATER,
    "ThrottlingException": _Meaning.LATER,
    "LimitExceededException": _Meaning.STOP,
    "AccountSuspendedException": _Meaning.STOP,
    "SendingPausedException": _Meaning.STOP,
    "MailFromDomainNotVerifiedException": _Meaning.STOP,
    "NotFoundException": _Meaning.STOP,
    "MessageRejected": _Meaning.REFUSED,
    "BadRequestException": _Meaning.REFUSED,
}
"""What the exceptions of SendEmail mean (API reference); any other with 4xx is the account's."""

WORDS: Sequence[tuple[str, _Meaning]] = (
    ("daily message quota exceeded", _Meaning.STOP),
    ("maximum sending rate exceeded", _Meaning.LATER),
    ("address is not verified", _Meaning.STOP),
)
"""What an error's text says more exactly than its name."""


class SesVendor(Unsearchable):
    """An account at Amazon SES in one region."""

    name = "ses"
    title = Ses.title
    batch_size = 1
    key_lifetime_s = 0.0
    # The rate of accounts out of SES's sandbox; what is too fast is refused before it is taken.
    allowance = Allowance(calls_per_second=14)
    takes_smtputf8 = False

    def __init__(
        self, settings: Ses, secrets: Mapping[str, str], *, clock: Clock, sandbox: bool
    ) -> None:
        if sandbox:
            raise no_sandbox(
                self.title,
                "Proofs to success@simulator.amazonses.com are checked and delivered to nobody.",
            )
        self.base_url = settings.base_url or endpoint(settings.region)
        self._configuration_set = settings.configuration_set
        self._signer = Signer(
            check_secret(secrets["access_key_id"], what="access key's id", vendor=self),
            check_secret(secrets["secret_access_key"], what="access key's secret", vendor=self),
            settings.region,
            "ses",
        )
        self._clock = clock

    def request(self, letters: Sequence[Letter], key: str) -> Request:  # noqa: ARG002 - SES knows none
        """One message."""
        (letter,) = letters
        body = canonical_json(self._payload(letter))
        url = self.base_url.rstrip("/") + _PATH
        headers = self._signer.headers(
            url, body, {"Content-Type": "application/json"}, at=self._clock.now()
        )
        proof = headers["Authorization"].rpartition("Signature=")[2]
        return Request(_PATH, body, headers, proof=proof)

    def _payload(self, letter: Letter) -> dict[str, object]:
        """The message as it is, but for our own DKIM signatures.

        They cover Date and Message-ID, which SES replaces: they would arrive
        broken. SES signs in the name of the verified domain itself.
        https://docs.aws.amazon.com/ses/latest/dg/send-email-authentication-dkim-manual.html
        """
        message = letter.message
        head, separator, body = message.as_bytes().partition(b"\r\n\r\n")
        raw = _SIGNATURES.sub(b"", head + b"\r\n") + separator[2:] + body
        payload: dict[str, object] = {
            "Content": {"Raw": {"Data": base64.b64encode(raw).decode()}},
            "Destination": {"ToAddresses": [str(message.envelope_to)]},
            "FeedbackForwardingEmailAddress": message.envelope_from,
            # A tag's value has letters, digits, “_” and “-” only.
            "EmailTags": [{"Name": "reference", "Value": reference(letter).replace(".", "_")}],
            "ConfigurationOverrides": {
                "Tracking": {
                    "OpenTrackingEnabled": "DISABLED",
                    "ClickTrackingEnabled": "DISABLED",
                }
            },
        }
        if self._configuration_set:
            payload["ConfigurationSetName"] = self._configuration_set
        return payload

    def read(self, answer: Answer, letters: Sequence[Letter]) -> Verdict:  # noqa: ARG002 - the protocol's
        """By the exception's name, and by its text where that says more."""
        if 200 <= answer.status < 300:
            return _success(answer)
        name, text = _error(answer)
        if answer.status == 408 or not 400 <= answer.status < 500 or not name:
            return of_the_way(answer, self.title)
        reply = f"{answer.status} {name}: {text}"
        lowered = text.lower()
        said = next((meaning for words, meaning in WORDS if words in lowered), None)
        match said or ERRORS.get(name, _Meaning.STOP):
            case _Meaning.LATER:
                return Later(reply, retry_after_s(answer.headers, now=self._clock.now()))
            case _Meaning.REFUSED:
                return Refused(reply, of_reader=_ABOUT_READER.search(lowered) is not None)
            case _:
                return Stop(reply, _CHECK_ACCOUNT)


def endpoint(region: str) -> str:
    """Where the API of a region is; the European Sovereign Cloud has a domain of its own."""
    domain = "amazonaws.eu" if region.startswith("eusc-") else "amazonaws.com"
    return f"https://email.{region}.{domain}"


def _success(answer: Answer) -> Verdict:
    if not answer.is_json:
        return of_the_way(answer, SesVendor.title)
    reply = f"{answer.status} accepted"
    value = answer.json()
    known = known_id(value.get("MessageId")) if isinstance(value, dict) else None
    if known is None:
        return Ambiguous(
            f"Amazon SES answered with HTTP status {answer.status}, but without an id."
        )
    return Taken(reply, (known,))


def _error(answer: Answer) -> tuple[str, str]:
    """The exception's name and text; no name where it is no answer of AWS.

    The name is in the header, with what follows a colon left out, or in the
    body (https://smithy.io/2.0/aws/protocols/aws-restjson1-protocol.html).
    """
    value = answer.json()
    if not isinstance(value, dict):
        return "", ""
    given = answer.headers.get("x-amzn-errortype") or value.get("__type") or value.get("code")
    text = value.get("message") or value.get("Message")
    if not isinstance(given, str):
        return "", ""
    return given.partition(":")[0].rpartition("#")[2], text if isinstance(text, str) else ""
