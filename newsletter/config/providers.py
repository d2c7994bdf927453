"""HTTP providers: a table each, and what each can carry. No I/O."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from newsletter.config.secret import Secret
from newsletter.config.table import Table

_TIMEOUT = Field(default=30, gt=0, le=600, description="For each answer, in seconds.")


class Provider(Table):
    """What all providers have in common.

    Fields of the type Secret are read when a transport is opened.
    """

    title: ClassVar[str]
    takes_pictures: ClassVar[bool]
    """Whether pictures inside a mail arrive, and are shown where they belong."""
    takes_documents: ClassVar[bool]
    """Whether attached documents arrive."""
    caveat: ClassVar[str] = ""
    """What whoever sends must know and do because of it, each time."""

    timeout_s: float = _TIMEOUT


class Ses(Provider):
    """Amazon SES, API v2, raw messages."""

    title: ClassVar[str] = "Amazon SES"
    takes_pictures: ClassVar[bool] = True
    takes_documents: ClassVar[bool] = True

    region: str = Field(
        pattern=r"^[a-z]{2,4}(-[a-z]+)+-[0-9]$", description="Such as eu-central-1 (Frankfurt)."
    )
    access_key_id: Secret = Field(description="Where the access key's id comes from.")
    secret_access_key: Secret = Field(description="Where the access key's secret comes from.")
    configuration_set: str | None = Field(
        default=None, description="Name of a configuration set, for bounce events."
    )
    base_url: str | None = Field(default=None, description="The API's address; the region's.")


class Postmark(Provider):
    """Postmark, through a broadcast stream."""

    title: ClassVar[str] = "Postmark"
    takes_pictures: ClassVar[bool] = True
    takes_documents: ClassVar[bool] = True

    server_token: Secret = Field(description="Where the server's token comes from.")
    stream: str = Field(default="broadcast", description="Id of a broadcast message stream.")
    base_url: str = Field(default="https://api.postmarkapp.com", description="The API's address.")


class Mailgun(Provider):
    """Mailgun."""

    title: ClassVar[str] = "Mailgun"
    takes_pictures: ClassVar[bool] = True
    takes_documents: ClassVar[bool] = True

    api_key: Secret = Field(description="Where the sending key comes from.")
    domain: str = Field(pattern=r"^[a-z0-9.-]+$", description="The sending domain at Mailgun.")
    region: Literal["eu", "us"] = Field(default="eu", description="Where the domain was set up.")
    base_url: str | None = Field(default=None, description="The API's address; the region's.")


class Resend(Provider):
    """Resend."""

    title: ClassVar[str] = "Resend"
    takes_pictures: ClassVar[bool] = False
    takes_documents: ClassVar[bool] = False

    api_key: Secret = Field(description="Where the API key comes from.")
    base_url: str = Field(default="https://api.resend.com", description="The API's address.")


class Brevo(Provider):
    """Brevo."""

    title: ClassVar[str] = "Brevo"
    takes_pictures: ClassVar[bool] = False
    takes_documents: ClassVar[bool] = True
    caveat: ClassVar[str] = (
        "Brevo adds an unsubscribe header of its own, and tracks unless your account there says "
        "otherwise. Who leaves at Brevo must be brought over: newsletter reconcile --events"
    )

    api_key: Secret = Field(description="Where the API key comes from.")
    base_url: str = Field(default="https://api.brevo.com", description="The API's address.")


class Mailjet(Provider):
    """Mailjet."""

    title: ClassVar[str] = "Mailjet"
    takes_pictures: ClassVar[bool] = True
    takes_documents: ClassVar[bool] = True
    caveat: ClassVar[str] = (
        "Mailjet puts its own unsubscribe header in place of yours. Who leaves by it leaves at "
        "Mailjet only; bring them over before the next issue: newsletter reconcile --events"
    )

    api_key: Secret = Field(description="Where the API key comes from.")
    secret_key: Secret = Field(description="Where the secret key comes from.")
    base_url: str = Field(default="https://api.mailjet.com", description="The API's address.")


class Lettermint(Provider):
    """Lettermint."""

    title: ClassVar[str] = "Lettermint"
    takes_pictures: ClassVar[bool] = True
    takes_documents: ClassVar[bool] = True

    api_token: Secret = Field(description="Where the project's API token comes from.")
    sandbox_token: Secret | None = Field(
        default=None, description="The token of a sandbox project, for “newsletter test --sandbox”."
    )
    route: str | None = Field(default=None, description="Name of a route for newsletters.")
    base_url: str = Field(default="https://api.lettermint.co", description="The API's address.")


class SendGrid(Provider):
    """Twilio SendGrid."""

    title: ClassVar[str] = "SendGrid"
    takes_pictures: ClassVar[bool] = True
    takes_documents: ClassVar[bool] = True

    api_key: Secret = Field(description="Where the API key comes from.")
    region: Literal["eu", "global"] = Field(
        default="global", description="eu only for a subuser that was set up in the EU."
    )
    base_url: str | None = Field(default=None, description="The API's address; the region's.")


class MailerSend(Provider):
    """MailerSend."""

    title: ClassVar[str] = "MailerSend"
    takes_pictures: ClassVar[bool] = True
    takes_documents: ClassVar[bool] = True

    api_token: Secret = Field(description="Where the API token comes from.")
    plan: Literal["professional", "enterprise"] = Field(
        default="professional", description="Only enterprise takes headers of one's own."
    )
    base_url: str = Field(default="https://api.mailersend.com", description="The API's address.")


class Scaleway(Provider):
    """Scaleway Transactional Email."""

    title: ClassVar[str] = "Scaleway"
    takes_pictures: ClassVar[bool] = False
    takes_documents: ClassVar[bool] = True

    secret_key: Secret = Field(description="Where the API key's secret comes from.")
    project_id: str = Field(description="The project's id.")
    region: Literal["fr-par", "nl-ams"] = Field(default="fr-par", description="Paris or Amsterdam.")
    base_url: str = Field(default="https://api.scaleway.com", description="The API's address.")


class Mailtrap(Provider):
    """Mailtrap, through its bulk stream."""

    title: ClassVar[str] = "Mailtrap"
    takes_pictures: ClassVar[bool] = True
    takes_documents: ClassVar[bool] = True

    api_token: Secret = Field(description="Where the API token comes from.")
    sandbox_inbox: int | None = Field(
        default=None, description="Number of a sandbox inbox, for “newsletter test --sandbox”."
    )
    base_url: str | None = Field(default=None, description="The API's address; the stream's.")


PROVIDERS: dict[str, type[Provider]] = {
    "ses": Ses,
    "postmark": Postmark,
    "mailgun": Mailgun,
    "resend": Resend,
    "brevo": Brevo,
    "mailjet": Mailjet,
    "lettermint": Lettermint,
    "sendgrid": SendGrid,
    "mailersend": MailerSend,
    "scaleway": Scaleway,
    "mailtrap": Mailtrap,
}
"""Each provider's table by its name in newsletter.toml."""
