"""Scaleway Transactional Email: one full message a call.

https://www.scaleway.com/en/developers/api/transactional-email
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar, Literal

from pydantic import Field

from newsletter.config import ProviderSettings, Secret
from newsletter.transports.api_result import (
    ACCOUNT,
    MESSAGE,
    RATE,
    ApiError,
    ApiResult,
    Each,
    account,
)
from newsletter.transports.http_values import (
    Request,
    Response,
    objects_at,
    pairs,
    person,
    text_at,
    valid_id,
)
from newsletter.transports.protocol import Accepted, InDoubt, Outcome, Rejected
from newsletter.transports.provider import ApiMessage, FileFields, Provider
from newsletter.transports.verification import recipients_in

_TAKEN = frozenset({"new", "sending", "sent"})
_NOT_SENT = frozenset({"failed", "canceled"})
_EVENTS = {
    "mailbox_not_found": "email_mailbox_not_found",
    "hard_bounce": "email_dropped",
    "spam": "email_spam",
    "blocklisted": "email_blocklisted",
    "mailbox_full": "mailbox_full",
    "soft_bounce": "email_deferred",
}
"""Flags of a mail, the worst first, each with the event that its webhooks would tell."""


class ScalewaySettings(ProviderSettings):
    """Scaleway Transactional Email."""

    title: ClassVar[str] = "Scaleway"
    takes_pictures: ClassVar[bool] = False

    secret_key: Secret = Field(description="Where the API key's secret comes from.")
    project_id: str = Field(description="The project's id.")
    region: Literal["fr-par", "nl-ams"] = Field(default="fr-par", description="Paris or Amsterdam.")


class Scaleway(Provider[ScalewaySettings]):
    """A project at Scaleway, in one region."""

    name = "scaleway"
    table = ScalewaySettings
    endpoint = "https://api.scaleway.com"
    file_fields = FileFields(name="name", media_type="type")
    no_sandbox = "Send the proof to an address of your own."
    listed = "emails"
    events_listed = "emails"
    events_of = tuple(_EVENTS)
    events_page = 100
    # It lists by when a mail was handed over, and complaints come weeks later.
    events_overlap = timedelta(days=30)
    # By an error's type, after the kinds of error in Scaleway's own clients.
    errors: ClassVar = {
        "invalid_arguments": MESSAGE,
        "denied_authentication": ACCOUNT,
        "permissions_denied": ACCOUNT,
        "not_found": ACCOUNT,  # project, region or domain
        "precondition_failed": account(
            "Look whether the domain of [sender] address is verified at Scaleway, then run "
            "“newsletter resume ISSUE”."
        ),
        "quotas_exceeded": account(
            "The month's mails are used up. Ask Scaleway's support for a higher quota, then run "
            "“newsletter resume ISSUE”."
        ),
        "out_of_stock": ACCOUNT,
        "resource_locked": ACCOUNT,
        "resource_expired": ACCOUNT,
        "transient_state": RATE,
        "too_many_requests": RATE,
        # Where no known type comes with a status:
        400: MESSAGE,
        413: MESSAGE,
        422: MESSAGE,
    }

    @property
    def path(self) -> str:
        """The region's."""
        return f"/transactional-email/v1alpha1/regions/{self.settings.region}/emails"

    def auth(self) -> dict[str, str]:
        """The API key's secret."""
        return {"X-Auth-Token": self.secrets["secret_key"]}

    def fields(self, message: ApiMessage) -> dict[str, object]:
        """One message."""
        content = message.content
        headers = dict(content.headers)
        if content.reply_to:
            headers["Reply-To"] = content.reply_to
        return {
            "project_id": self.settings.project_id,
            "from": person(content.from_name, content.from_address),
            "to": [person(content.to_name, content.to_address)],
            "subject": content.subject,
            "html": content.html,
            "text": content.text,
            "additional_headers": pairs(headers, name="key"),
            "attachments": self.files(content),
        }

    def read(self, response: Response, messages: Sequence[ApiMessage]) -> ApiResult:
        """Of an acceptance the one row that names the reader counts."""
        result = super().read(response, messages)
        if not isinstance(result, Each):
            return result
        reader = messages[0].message.envelope_to.suppression_key
        rows = zip(result.results, result.named, strict=True)
        found = [outcome for outcome, named in rows if reader in named]
        if len(found) != 1:
            return self.lacking(response, "a result for this reader")
        return Each(found)

    def success(self, response: Response) -> ApiResult:
        """An acceptance names each recipient with a status."""
        rows = objects_at(response.json(), "emails")
        return Each([_outcome(response, row) for row in rows], [recipients_in(row) for row in rows])

    def error(self, response: Response) -> ApiError | None:
        """Type and message, and what it says of each argument."""
        value = response.json()
        if (text := text_at(value, "message")) is None:
            return None
        kind, details = str(value.get("type")), objects_at(value, "details")
        told = "; ".join([text, *map(_detail, details)])
        names = [str(each.get("argument_name")) for each in details]
        return ApiError(
            f"{response.status} {kind}: {told}",
            self.fault(kind, response.status),
            of_recipient=bool(names) and all(map(_is_of_reader, names)),
        )

    def search(self, message: ApiMessage) -> Request:
        """Mails to the reader since the message was written."""
        query = {
            "project_id": self.settings.project_id,
            "mail_rcpt": message.content.to_address,
            "since": message.message.date.isoformat(),
            "page_size": 100,
        }
        return self.get(self.path, query)

    def proof(self, row: Mapping[str, Any], message: ApiMessage) -> Accepted | None:
        """A mail with our Message-ID that did not fail."""
        status, wanted = str(row.get("status")), message.message.message_id.strip("<>")
        if status not in _TAKEN or str(row.get("message_id")).strip("<>") != wanted:
            return None
        return Accepted(f"Found at Scaleway: {status}", valid_id(row.get("id")))

    def events(self, since: datetime, kind: str, page: int) -> Request:
        """Mails with one flag, by when they were handed over."""
        asked = {
            "project_id": self.settings.project_id,
            "since": since.isoformat(),
            "flags": kind,
            "page": page + 1,
            "page_size": self.events_page,
            "order_by": "created_at_asc",
        }
        return self.get(self.path, asked)

    def event(self, row: Mapping[str, Any]) -> Mapping[str, Any]:
        """Its worst flag is the event, the last try says why, and of when nothing is told."""
        flags = row.get("flags")
        flags = flags if isinstance(flags, list) else ()
        event = next((told for flag, told in _EVENTS.items() if flag in flags), None)
        if event == "email_deferred" and row.get("status") == "failed":
            event = "soft_bounce"  # it is tried no more
        tries = objects_at(row, "last_tries")
        return {
            "event": event,
            "reference": row.get("message_id"),
            "messageId": row.get("id"),
            "email": row.get("mail_rcpt"),
            "reason": " ".join(str(each.get("message", "")) for each in tries[-1:]),
            "details": row.get("status_details"),
        }


def _outcome(response: Response, row: Mapping[str, Any]) -> Outcome:
    status = str(row.get("status"))
    if status in _TAKEN:
        known = valid_id(row.get("id"))
        if known is None:
            return InDoubt("Scaleway gave no id for the mail.")
        return Accepted(f"{response.status} {status}", known)
    if status in _NOT_SENT:
        return Rejected(f"{response.status} {status}: {row.get('status_details')}")
    return InDoubt(f"Scaleway gave the mail the status {status}.")


def _is_of_reader(argument: str) -> bool:
    return argument == "to" or argument.startswith(("to.", "to["))


def _detail(each: Mapping[str, Any]) -> str:
    about = each.get("argument_name") or each.get("resource")
    return f"{about}: {each.get('help_message') or each.get('reason')}"


PROVIDER = Scaleway
