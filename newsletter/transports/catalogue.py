"""From a provider's name to its vendor; each file is loaded only when it is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module

from newsletter.clock import Clock
from newsletter.config import Provider
from newsletter.transports.vendor import Vendor

_VENDORS = {
    "ses": "SesVendor",
    "postmark": "PostmarkVendor",
    "mailgun": "MailgunVendor",
    "resend": "ResendVendor",
    "brevo": "BrevoVendor",
    "mailjet": "MailjetVendor",
    "lettermint": "LettermintVendor",
    "sendgrid": "SendGridVendor",
    "mailersend": "MailerSendVendor",
    "scaleway": "ScalewayVendor",
    "mailtrap": "MailtrapVendor",
}


def vendor(
    name: str, settings: Provider, secrets: Mapping[str, str], *, clock: Clock, sandbox: bool
) -> Vendor:
    """The vendor called ``name`` for one account.

    Args:
        name: the word in newsletter.toml.
        settings: its table.
        secrets: the values of the table's secrets, by the name of the setting.
        clock: dates what must be signed.
        sandbox: the provider is to check the letters and deliver none.

    Raises:
        ConfigError: a secret holds what none can, or there is no sandbox.
    """
    module = import_module(f"newsletter.transports.providers.{name}")
    made: Vendor = getattr(module, _VENDORS[name])(settings, secrets, clock=clock, sandbox=sandbox)
    return made
