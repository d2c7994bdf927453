"""Providers whose webhooks the public server takes: [webhooks]. No I/O."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field

from newsletter.config.secret import Secret
from newsletter.config.table import Table

_TOPIC = r"^arn:aws[a-z-]*:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_.-]{1,256}$"

SIGNATURE_HEADERS: Mapping[str, tuple[str, ...]] = {
    "lettermint": ("x-lettermint-signature", "x-lettermint-delivery"),
    "mailersend": ("signature",),
    "mailtrap": ("mailtrap-signature",),
    "resend": ("svix-id", "svix-timestamp", "svix-signature"),
    "sendgrid": (
        "x-twilio-email-event-webhook-signature",
        "x-twilio-email-event-webhook-timestamp",
    ),
}
"""The headers that a provider's signature needs; of others it is in the body, or there is none."""


class Webhooks(Table):
    """Each provider whose webhooks are taken, and what proves that one is the provider's."""

    brevo: Literal[True] | None = Field(default=None, description="Brevo signs nothing.")
    lettermint: Secret | None = Field(
        default=None, description="Where the webhook's secret comes from."
    )
    mailersend: Secret | None = Field(
        default=None, description="Where the webhook's signing secret comes from."
    )
    mailgun: Secret | None = Field(
        default=None, description="Where the HTTP webhook signing key comes from."
    )
    mailjet: Literal[True] | None = Field(default=None, description="Mailjet signs nothing.")
    mailtrap: Secret | None = Field(
        default=None, description="Where the webhook's signature key comes from."
    )
    postmark: Literal[True] | None = Field(default=None, description="Postmark signs nothing.")
    resend: Secret | None = Field(
        default=None, description="Where the webhook's signing secret comes from."
    )
    scaleway: Literal[True] | None = Field(
        default=None, description="Scaleway's signature is not verified yet."
    )
    sendgrid: Annotated[str, Field(pattern=r"^[A-Za-z0-9+/]{80,400}={0,2}$")] | None = Field(
        default=None, description="The verification key: public, so it stands here."
    )
    ses: Annotated[str, Field(pattern=_TOPIC)] | None = Field(
        default=None, description="ARN of the Amazon SNS topic that the events go to."
    )

    @property
    def providers(self) -> tuple[str, ...]:
        """Those that are set, in alphabetical order."""
        return tuple(name for name, value in self if value is not None)
