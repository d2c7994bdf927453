import base64
import contextlib
import json
import socket
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from email import message_from_bytes
from email.policy import default
from typing import IO, Any

import botocore.session
import pytest
import requests
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.validate import ParamValidator
from hypothesis import given
from hypothesis import strategies as st
from newsletter.addresses import Address
from newsletter.config import PROVIDERS, Secret
from newsletter.delivery.pacing import Pacer
from newsletter.errors import ConfigError
from newsletter.message.dkim import DkimSigner
from newsletter.message.model import Message
from newsletter.render.edition import Enclosure
from newsletter.testing import FakeMessage, FrozenClock, RecordingJournal, fake_messages
from newsletter.transports.api import ApiTransport
from newsletter.transports.api_result import Ambiguous
from newsletter.transports.http_values import Response
from newsletter.transports.protocol import Accepted, Deferred, InDoubt, Rejected, Scope
from newsletter.transports.provider import ApiMessage, Provider
from newsletter.transports.providers.ses import Ses, SesSettings, sign_request

from tests.message.samples import DATE, EDITION, composer, reader
from tests.support.dkim import DOMAIN, SECOND, SELECTOR, ed25519_key, pem, rsa_key
from tests.support.http_server import Reply, says, well
from tests.support.ses_side import SesSide, error
from tests.support.tools import npm_program
from tests.transports.contract import ANNA, BOB, CLAIRE
from tests.transports.providers.anymail import anymail_ses_payload, normalised
from tests.transports.providers.contract import ProviderContract
from tests.transports.providers.harness import (
    ProviderHarness,
    crowd,
    deliver,
    provider_harness,
    provider_of,
)

SECRETS = {"access_key_id": "AKIDEXAMPLE", "secret_access_key": "wJalrXUtnFEMI/K7MDENG"}


@pytest.fixture
def harness() -> Iterator[ProviderHarness]:
    with provider_harness("ses", SesSide(), region="eu-central-1") as harness:
        yield harness


class TestSes(ProviderContract):
    """Passes the contract with the fixture above."""


def provider(
    url: str = "https://email.eu-central-1.amazonaws.com", configuration_set: str | None = None
) -> Provider[Any]:
    return provider_of(
        "ses",
        url=url,
        secrets=SECRETS,
        region="eu-central-1",
        configuration_set=configuration_set,
    )


def sent(message: Message, configuration_set: str | None = None) -> dict[str, Any]:
    request = provider(configuration_set=configuration_set).request([ApiMessage(message)], "k")
    payload: dict[str, Any] = json.loads(request.body)
    return payload


def raw(message: Message) -> bytes:
    return base64.b64decode(sent(message)["Content"]["Raw"]["Data"])


def test_the_message_travels_as_it_is_to_the_one_reader() -> None:
    message = composer(EDITION).compose(reader(), date=DATE)
    payload = sent(message, configuration_set="newsletters")
    assert message.as_bytes() == raw(message)
    assert {
        "Content": payload["Content"],
        "Destination": {"ToAddresses": ["anna@reader.example.org"]},
        "FeedbackForwardingEmailAddress": message.envelope_from,
        "EmailTags": [
            {"Name": "reference", "Value": message.message_id[1:].split("@")[0].replace(".", "_")}
        ],
        "ConfigurationSetName": "newsletters",
        "ConfigurationOverrides": {
            "Tracking": {"OpenTrackingEnabled": "DISABLED", "ClickTrackingEnabled": "DISABLED"}
        },
    } == payload


def test_a_letter_mailed_again_has_another_tag() -> None:
    message = fake_messages(ANNA)[0]
    assert sent(message)["EmailTags"] != sent(replace(message, resends=1))["EmailTags"]


@pytest.mark.parametrize("second", [None, (SECOND, pem(ed25519_key()))])
def test_our_own_signatures_stay_away_since_ses_replaces_what_they_cover(
    second: tuple[str, bytes] | None,
) -> None:
    signer = DkimSigner(DOMAIN, selector=SELECTOR, private_key=pem(rsa_key()), ed25519=second)
    plain = composer(EDITION).compose(reader(), date=DATE)
    message = composer(EDITION, signer=signer).compose(reader(), date=DATE)
    assert message.as_bytes().count(b"DKIM-Signature:") == (2 if second else 1)
    assert plain.as_bytes() == raw(message)


FILES = (
    Enclosure("map.png", "image/png", b"png\xff", "map.png@news.example"),
    Enclosure("Bericht März.pdf", "application/pdf", b"%PDF\r\n", None),
)


def test_anymail_would_send_the_same() -> None:
    signer = DkimSigner(DOMAIN, selector=SELECTOR, private_key=pem(rsa_key()))
    edition = replace(EDITION, enclosures=FILES)
    message = composer(edition, signer=signer).compose(reader(), date=DATE)
    tag = message.as_content().reference.replace(".", "_")
    theirs = anymail_ses_payload(
        message, tag=tag, region="eu-central-1", configuration_set_name="newsletters"
    )
    headers = theirs["Content"]["Raw"]["Data"]["headers"]
    # anymail writes its tag into the letter as well, and Django the time of sending.
    # Both keep our Message-ID, which SES replaces; neither has a signature of ours.
    assert [tag] == headers.pop("x-tag")
    headers["date"] = ["Wed, 01 Mar 2017 09:30:00 +0000"]
    # Nor does anymail switch tracking off: that is left to the configuration set.
    off = {"OpenTrackingEnabled": "DISABLED", "ClickTrackingEnabled": "DISABLED"}
    overrides = {"ConfigurationOverrides": {"Tracking": off}}
    assert theirs | overrides == normalised(sent(message, configuration_set="newsletters"))


def test_amazons_own_model_takes_our_parameters() -> None:
    payload = sent(composer(EDITION).compose(reader(), date=DATE), configuration_set="newsletters")
    operation = (
        botocore.session.get_session().get_service_model("sesv2").operation_model("SendEmail")
    )
    shape = operation.input_shape
    report = ParamValidator().validate(payload, shape)
    assert "" == report.generate_report()
    assert set(payload) <= set(shape.members)
    assert set(payload["ConfigurationOverrides"]["Tracking"].values()) <= set(
        shape.members["ConfigurationOverrides"]
        .members["Tracking"]
        .members["OpenTrackingEnabled"]
        .enum
    )
    assert "/v2/email/outbound-emails" == operation.http["requestUri"]
    # The judge is awake.
    assert ParamValidator().validate({**payload, "Destination": "anna"}, shape).has_errors()


@given(
    body=st.binary(max_size=200),
    path=st.sampled_from(["/", "/v2/email/outbound-emails"]),
    region=st.sampled_from(["eu-central-1", "eu-west-3", "us-east-1"]),
    at=st.datetimes(datetime(2017, 1, 1), datetime(2037, 1, 1)),  # noqa: DTZ001 - read as UTC
    extra=st.dictionaries(st.sampled_from(["Accept", "X-Custom"]), st.sampled_from(["a", "b c"])),
)
def test_amazons_own_signer_signs_alike(
    body: bytes, path: str, region: str, at: datetime, extra: dict[str, str]
) -> None:
    url = f"https://email.{region}.amazonaws.com{path}"
    headers = {"Content-Type": "application/json", **extra}
    stamped = at.replace(tzinfo=DATE.tzinfo, microsecond=0)
    result = sign_request(url, body, headers, secrets=SECRETS, region=region, at=stamped)
    theirs = AWSRequest("POST", url, headers=dict(headers), data=body)
    signer = SigV4Auth(Credentials(*SECRETS.values()), "ses", region)
    theirs.context["timestamp"] = result["X-Amz-Date"]
    theirs.headers["X-Amz-Date"] = result["X-Amz-Date"]
    canonical = signer.canonical_request(theirs)
    signature = signer.signature(signer.string_to_sign(theirs, canonical), theirs)
    assert f"Signature={signature}" in result["Authorization"]
    assert (
        f"SignedHeaders={signer.signed_headers(signer.headers_to_sign(theirs))}"
        in (result["Authorization"])
    )
    assert f"{stamped:%Y%m%dT%H%M%SZ}" == result["X-Amz-Date"]


@pytest.mark.parametrize("region", ["eu-central-1", "eu-west-1", "eu-north-1", "eusc-de-east-1"])
def test_each_region_is_where_amazon_says_it_is(region: str) -> None:
    client = botocore.session.get_session().create_client(
        "sesv2", region_name=region, aws_access_key_id="a", aws_secret_access_key="b"
    )
    settings = SesSettings(
        region=region, access_key_id=Secret(env="A"), secret_access_key=Secret(env="B")
    )
    made = Ses(settings, SECRETS, clock=FrozenClock(), sandbox=False)
    assert client.meta.endpoint_url == made.endpoint
    assert made.endpoint == made.base_url


TOO_FAST = [
    (429, "TooManyRequestsException", "Too many requests."),
    (400, "ThrottlingException", "Maximum sending rate exceeded."),
    (429, "TooManyRequestsException", "Maximum sending rate exceeded."),
    (400, "LimitExceededException", "Maximum sending rate exceeded."),
]
OF_THE_ACCOUNT = [
    (400, "LimitExceededException", "There are too many instances."),
    (400, "AccountSuspendedException", "Permanently restricted."),
    (400, "SendingPausedException", "Currently paused."),
    (400, "MailFromDomainNotVerifiedException", "The domain isn't verified."),
    (404, "NotFoundException", "Configuration set does not exist."),
    (429, "TooManyRequestsException", "Daily message quota exceeded."),
    (400, "ThrottlingException", "Daily message quota exceeded."),
    (400, "MessageRejected", "Email address is not verified. The following failed: a@b."),
    (403, "AccessDeniedException", "User is not authorized to perform ses:SendEmail."),
    (403, "InvalidSignatureException", "Signature expired."),
    (403, "UnrecognizedClientException", "The security token is invalid."),
    (400, "SomethingNewException", "What is that?"),
]
OF_THE_MESSAGE = [
    (400, "MessageRejected", "Invalid content."),
    (400, "BadRequestException", "Illegal address"),
]


@pytest.mark.parametrize(("status", "name", "text"), TOO_FAST)
def test_too_fast_waits_and_stops_nothing(
    harness: ProviderHarness, status: int, name: str, text: str
) -> None:
    harness.server.always = says(error(status, name, text))
    outcomes, stopped = deliver(harness, fake_messages(ANNA))
    assert [Deferred(f"{status} {name}: {text}", Scope.ACCOUNT)] == outcomes
    assert None is stopped


@pytest.mark.parametrize(("status", "name", "text"), OF_THE_ACCOUNT)
def test_a_refused_account_stops_the_run_and_blames_no_reader(
    harness: ProviderHarness, status: int, name: str, text: str
) -> None:
    harness.server.always = says(error(status, name, text))
    outcomes, stopped = deliver(harness, crowd(3))
    assert [Deferred(f"{status} {name}: {text}", Scope.ACCOUNT), None, None] == outcomes
    assert stopped is not None
    assert "clock" in (stopped.next or "")
    assert 1 == len(harness.server.requests)


@pytest.mark.parametrize(("status", "name", "text"), OF_THE_MESSAGE)
def test_a_message_refused_at_first_is_put_off_and_the_others_go(
    harness: ProviderHarness, status: int, name: str, text: str
) -> None:
    refused = says(error(status, name, text))
    harness.server.script.extend([refused, well, refused])
    outcomes, stopped = deliver(harness, fake_messages(ANNA, BOB, CLAIRE))
    assert [
        # Unless it is about the address, it may be the letter.
        (Rejected if "address" in text else Deferred)(f"{status} {name}: {text}"),
        Accepted("200 accepted", "id-0"),
        Rejected(f"{status} {name}: {text}"),
    ] == outcomes
    assert None is stopped


def test_every_exception_of_the_table_and_of_amazons_own_model_is_tried_above() -> None:
    model = botocore.session.get_session().get_service_model("sesv2")
    declared = {shape.name for shape in model.operation_model("SendEmail").error_shapes}
    tried = {name for _, name, _ in TOO_FAST + OF_THE_ACCOUNT + OF_THE_MESSAGE}
    assert declared <= set(Ses.errors) <= tried


@pytest.mark.parametrize(
    ("headers", "value"),
    [
        ({"x-amzn-errortype": "MessageRejected:http://internal.amazon.com/coral/"}, {}),
        ({}, {"__type": "com.amazonaws.sesv2#MessageRejected"}),
        ({}, {"code": "MessageRejected"}),
    ],
)
def test_the_exceptions_name_is_found_where_amazon_may_put_it(
    harness: ProviderHarness, headers: dict[str, str], value: dict[str, str]
) -> None:
    harness.server.always = says(Reply(400, {**value, "message": "No."}, headers))
    outcomes, _ = deliver(harness, fake_messages(ANNA))
    assert [Deferred("400 MessageRejected: No.")] == outcomes


def test_a_success_without_an_id_is_no_success(harness: ProviderHarness) -> None:
    harness.server.always = says(Reply(200, {"error": "something"}))
    outcomes, _ = deliver(harness, fake_messages(ANNA))
    assert isinstance(outcomes[0], InDoubt)


@pytest.mark.parametrize("body", [None, b"", b"okay", b"{}", b'{"MessageId": 7}'])
def test_a_success_whose_id_is_lost_is_doubt(body: bytes | None) -> None:
    answer = Response(200, {"content-type": "application/json"}, body)
    assert isinstance(provider().read(answer, [ApiMessage(fake_messages(ANNA)[0])]), Ambiguous)


def test_addresses_with_non_ascii_letters_are_refused_without_asking(
    harness: ProviderHarness,
) -> None:
    outcomes, _ = deliver(harness, fake_messages("почта@a.example"))
    assert [Rejected("Amazon SES takes no addresses with non-ASCII letters.")] == outcomes


def test_there_is_no_sandbox_and_it_says_what_there_is_instead() -> None:
    with pytest.raises(ConfigError, match=r"no sandbox.*simulator\.amazonses\.com"):
        provider_of("ses", sandbox=True, region="eu-central-1")


def test_pictures_and_documents_go_with_the_message() -> None:
    assert PROVIDERS["ses"].takes_pictures
    assert PROVIDERS["ses"].takes_documents


@contextlib.contextmanager
def local_ses() -> Iterator[str]:
    command = npm_program("aws-ses-v2-local")
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
    started = threading.Event()

    def read(lines: IO[bytes]) -> None:
        for line in lines:
            if b"running" in line:
                started.set()

    arguments = [command, "--host", "127.0.0.1", "--port", str(port)]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        assert process.stdout is not None
        listener = threading.Thread(target=read, args=(process.stdout,), daemon=True)
        listener.start()
        try:
            assert started.wait(timeout=60), "aws-ses-v2-local did not start"
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(timeout=20)
            listener.join(timeout=20)


def test_an_emulator_written_by_others_reads_what_was_meant() -> None:
    messages: list[Message] = [
        composer(EDITION).compose(reader(), date=DATE),
        FakeMessage(Address.parse("zoe@a.example"), "Good morning, Zoë.\n", to_name="Zoë, «Зоя»"),
    ]
    with local_ses() as url:
        journal = RecordingJournal()
        transport = ApiTransport(provider(url), timeout_s=30, clock=FrozenClock(), secrets=())
        session = transport.open()
        session.deliver(messages, journal)
        session.close()
        assert all(isinstance(journal.outcome(each), Accepted) for each in messages)
        stored = requests.get(f"{url}/store", timeout=30).json()["emails"]
        refused = requests.post(
            f"{url}/v2/email/outbound-emails",
            json={"Content": "x"},
            headers={"Authorization": "AWS4-HMAC-SHA256"},
            timeout=30,
        )
    assert 400 == refused.status_code
    for message, store in zip(messages, stored, strict=True):
        parsed = message_from_bytes(message.as_bytes(), policy=default)
        outcome = journal.outcome(message)
        assert isinstance(outcome, Accepted)
        assert outcome.provider_id == store["messageId"]
        assert parsed["Subject"] == store["subject"]
        assert str(message.envelope_to) in store["destination"]["to"][0]
        text = parsed.get_body(("plain",))
        assert text is not None
        assert _plain(text.get_content()) == _plain(store["body"]["text"])
    html = message_from_bytes(messages[0].as_bytes(), policy=default).get_body(("html",))
    assert html is not None
    assert _plain(html.get_content()) == _plain(stored[0]["body"]["html"])


def _plain(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.splitlines()).strip()


def test_it_begins_at_the_rate_that_accounts_have() -> None:
    clock, transport = (
        FrozenClock(),
        ApiTransport(provider(), timeout_s=1, clock=FrozenClock(), secrets=()),
    )
    pacer = Pacer(
        transport.place,
        allowance=transport.allowance,
        batch_size=transport.batch_size,
        per_second=0,
        kept={},
        clock=clock,
    )
    for _ in range(29):
        assert pacer.acquire_permit(stopped=lambda: False, patience_s=5) is not None
    assert clock.monotonic() < 3
