"""What django-anymail would send: a second opinion on our payloads, written by others.

It builds the same letter with anymail's backend for a provider, without network,
and brings both payloads into a form that can be compared: addresses taken
apart, header names in small letters, attachments decoded, what is empty left
out. It knows all of our providers but Lettermint. SES takes whole messages: they
are taken apart as a mail program does it.

::

    theirs = anymail_payload("postmark", message, server_token="t", metadata={"a": "b"})
    ours = normalised(json.loads(provider.request([ApiMessage(message)], KEY).body)[0])
    assert theirs | {"TrackOpens": False, "TrackLinks": "None"} == ours
"""

import base64
import functools
import importlib
import io
import json
import warnings
from collections.abc import Mapping
from email import message_from_bytes
from email.mime.base import MIMEBase
from email.policy import default
from email.utils import getaddresses
from typing import Any

import requests
from newsletter.message.model import Content, Message
from newsletter.transports.http_values import name_addr

_MODULES = {
    "postmark": "postmark",
    "mailgun": "mailgun",
    "resend": "resend",
    "brevo": "brevo",
    "mailjet": "mailjet",
    "sendgrid": "sendgrid",
    "mailersend": "mailersend",
    "scaleway": "scaleway",
    "mailtrap": "mailtrap",
}
_ADDRESSES = {"from", "to", "reply_to", "replyto", "sender", "reply_to_list"}
_HEADERS = {"headers", "additional_headers"}
_FILES = {"content", "base64content", "contentbytes"}


@functools.cache
def configure_django() -> None:
    from django.conf import settings

    settings.configure(ANYMAIL={}, USE_TZ=True, EMAIL_USE_LOCALTIME=False)


def anymail_payload(
    provider: str, message: Message, *, metadata: Mapping[str, str] | None = None, **settings: Any
) -> Any:
    """The payload that anymail's backend makes of ``message``, normalised.

    Args:
        provider: the word in newsletter.toml.
        message: is taken apart, and put together again for Django.
        metadata: what the provider is to keep with the mail, in anymail's words.
        settings: what the backend's constructor takes, such as ``api_key``.

    Returns:
        JSON as values; of a form, its fields by name, each with its values, and under
        ``files`` what was enclosed.
    """
    parameters = _parameters(provider, message.as_content(), metadata or {}, settings)
    if parameters["files"] or not isinstance(parameters["data"], str | bytes):
        return _form(parameters)
    return normalised(json.loads(parameters["data"]))


def anymail_request(provider: str, message: Message, **settings: Any) -> requests.PreparedRequest:
    """The whole request as it would leave: address, headers and body."""
    parameters = _parameters(provider, message.as_content(), {}, settings)
    return requests.Request(
        parameters["method"],
        parameters["url"],
        params=parameters["params"],
        data=parameters["data"],
        headers=parameters["headers"],
        files=parameters["files"],
        auth=parameters["auth"],
    ).prepare()


def anymail_ses_payload(message: Message, *, tag: str, region: str, **settings: Any) -> Any:
    """The payload that anymail's backend for Amazon SES makes of ``message``, normalised.

    boto3 puts the request together and signs it. Nothing leaves: what would be
    sent is answered in the place of SES.

    Args:
        message: is taken apart, and put together again for Django.
        tag: what SES is to keep with the mail, under the name “reference”.
        region: of Amazon's.
        settings: what the backend's constructor takes.
    """
    import botocore.session
    from botocore.awsrequest import AWSResponse
    from urllib3 import HTTPResponse

    configure_django()
    bodies: list[bytes] = []

    def answer(request: Any, **_: Any) -> Any:
        bodies.append(request.body)
        taken = HTTPResponse(io.BytesIO(b'{"MessageId": "id-0"}'), preload_content=False)
        return AWSResponse(request.url, 200, {}, taken)

    session = botocore.session.Session()
    session.register("before-send", answer)
    login = {"aws_access_key_id": "a", "aws_secret_access_key": "b"}
    backend = importlib.import_module("anymail.backends.amazon_ses").EmailBackend(
        session_params={"botocore_session": session, "region_name": region, **login},
        message_tag_name="reference",
        **settings,
    )
    mail = _django(message.as_content(), {})
    mail.envelope_sender, mail.tags = message.envelope_from, [tag]  # anymail's own additions
    backend.send_messages([mail])
    (body,) = bodies
    return normalised(json.loads(body))


def _parameters(
    provider: str, content: Content, metadata: Mapping[str, str], settings: Mapping[str, Any]
) -> dict[str, Any]:
    configure_django()
    module = importlib.import_module(f"anymail.backends.{_MODULES[provider]}")
    with warnings.catch_warnings():
        # SendGrid's backend says that nobody there tries it with an account any more.
        warnings.simplefilter("ignore")
        backend = module.EmailBackend(**settings)
    payload = backend.build_message_payload(_django(content, metadata), {})
    parameters: dict[str, Any] = payload.get_request_params(backend.api_url)
    return parameters


def _django(content: Content, metadata: Mapping[str, str]) -> Any:
    from django.core.mail import EmailMultiAlternatives

    message = EmailMultiAlternatives(
        subject=content.subject,
        body=content.text,
        from_email=name_addr(content.from_name, content.from_address),
        to=[name_addr(content.to_name, content.to_address)],
        reply_to=[content.reply_to] if content.reply_to else None,
        headers=dict(content.headers),
    )
    message.attach_alternative(content.html, "text/html")
    for enclosure in content.enclosures:
        part = MIMEBase(*enclosure.media_type.split("/"))
        part.set_payload(base64.b64encode(enclosure.content).decode())
        part["Content-Transfer-Encoding"] = "base64"
        kind = "inline" if enclosure.content_id else "attachment"
        part.add_header("Content-Disposition", kind, filename=enclosure.name)
        if enclosure.content_id:
            part["Content-ID"] = f"<{enclosure.content_id}>"
        message.attach(part)
    if metadata:
        message.metadata = dict(metadata)  # anymail's own addition
    return message


def _form(parameters: Mapping[str, Any]) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    data = parameters["data"]
    for name, value in data.items() if isinstance(data, Mapping) else data:
        key = name.lower() if name.startswith("h:") else name
        fields.setdefault(key, []).extend(value if isinstance(value, list) else [value])
    if parameters["files"]:
        fields["files"] = [(name, *file) for name, file in parameters["files"]]
    return fields


def normalised(value: Any, name: str = "") -> Any:
    """A payload without the differences that mean nothing."""
    kind = name.lower()
    if kind in _HEADERS:
        return _headers(value)
    if kind in _ADDRESSES and isinstance(value, str):
        return getaddresses([value])
    if kind in _FILES and isinstance(value, str) and _is_base64(value):
        return base64.b64decode(value)
    if kind == "data" and isinstance(value, str):
        return _taken_apart(base64.b64decode(value))
    if isinstance(value, dict):
        inner = {key: normalised(each, key) for key, each in value.items()}
        return {key: each for key, each in inner.items() if each not in ({}, [], None, "")}
    if isinstance(value, list):
        items = [normalised(each, name) for each in value]
        if kind in _ADDRESSES and items and all(isinstance(each, list) for each in items):
            return [address for each in items for address in each]
        return items
    return value


def _taken_apart(raw: bytes) -> dict[str, Any]:
    """A whole message as a mail program reads it: not how it is encoded, folded or nested."""
    mail = message_from_bytes(raw, policy=default)
    bodies = [mail.get_body((kind,)) for kind in ("html", "plain")]
    html, text = (body and body.get_content().replace("\r\n", "\n") for body in bodies)
    names = {name.lower() for name in mail} - {"content-type", "content-transfer-encoding"}
    return {
        "headers": {name: [str(each).strip() for each in mail.get_all(name, [])] for name in names},
        "defects": [defect for part in mail.walk() for defect in part.defects],
        "html": html,
        "text": text,
        "files": [
            {
                "type": part.get_content_type(),
                "name": part.get_filename(),
                "disposition": part.get_content_disposition(),
                "content_id": part["Content-ID"],
                "content": part.get_payload(decode=True),
            }
            for part in mail.walk()
            if not part.is_multipart() and part not in bodies
        ],
    }


def _headers(value: Any) -> dict[str, str]:
    """Headers by their names in small letters, from a mapping or from a list of pairs."""
    if isinstance(value, list):
        pairs = [{key.lower(): each for key, each in pair.items()} for pair in value]
        value = {pair.get("name", pair.get("key")): pair["value"] for pair in pairs}
    return {name.lower(): text for name, text in value.items()}


def _is_base64(text: str) -> bool:
    try:
        base64.b64decode(text, validate=True)
    except ValueError:
        return False
    return True
