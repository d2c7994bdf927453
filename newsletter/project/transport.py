"""The transport that newsletter.toml names, with its credentials."""

from __future__ import annotations

from functools import partial

from newsletter.config import FILE_NAME, ProviderSettings, Relay, Secret, Smtp
from newsletter.credentials import read_secret, read_token
from newsletter.errors import ConfigError, Where
from newsletter.project.project import Project
from newsletter.transports.protocol import Transport


def open_transport(project: Project, *, sandbox: bool = False) -> Transport:
    """The way out that newsletter.toml names.

    Args:
        project: whose settings.
        sandbox: a provider is to check the letters and deliver none.

    Raises:
        ConfigError: a password, token or key is not to be had, or there is no sandbox.
    """
    settings = project.settings
    if settings.list.is_example and not project.trial:
        raise ConfigError(
            f"The list's id, {settings.list.id}, is on an example domain, so it can "
            "only be tried out.",
            where=Where(project.folder / FILE_NAME, item="[list] id"),
            next="Give the list an id on your domain. Until then use the mailbox, or a "
            "relay with trial = true under [smtp].",
        )
    _ = project.signer  # a key that is not to be had is told here, before anything is frozen
    if sandbox and settings.provider is None:
        raise ConfigError(
            f"There is no sandbox for the transport “{settings.delivery.transport}”.",
            where=Where(item="--sandbox"),
            next="Leave --sandbox out, or use a provider that has one.",
        )
    if settings.delivery.transport == "smtp":
        assert settings.smtp is not None  # Settings checks it
        return _relays(project, settings.smtp)
    if (provider := settings.provider) is not None:
        return _account(project, settings.delivery.transport, provider, sandbox=sandbox)
    from newsletter.transports.mailbox import MailboxTransport

    return MailboxTransport(project.outbox, clock=project.clock)


def _relays(project: Project, smtp: Smtp) -> Transport:
    from newsletter.transports.smtp import SmtpTransport
    from newsletter.transports.smtp_oauth import AccessToken

    def credential(relay: Relay) -> str | AccessToken | None:
        if relay.token is not None:
            what = f"access token of the relay {relay.name}"
            return AccessToken(partial(read_token, relay.token, what=what))
        if relay.password is not None:
            return read_secret(relay.password, what=f"password of the relay {relay.name}")
        return None

    return SmtpTransport(
        smtp,
        credentials=[credential(relay) for relay in smtp.relays],
        client_name=project.settings.sender.address.rpartition("@")[2],
        clock=project.clock,
    )


def _account(
    project: Project, name: str, provider: ProviderSettings, *, sandbox: bool
) -> Transport:
    from newsletter.transports.api import ApiTransport
    from newsletter.transports.provider import provider_class

    secrets = {
        key: read_secret(
            value, what=f"{key.replace('_', ' ').replace('api', 'API')} of {provider.title}"
        )
        for key, value in provider
        # What is for trying alone need not be there when it is for earnest.
        if isinstance(value, Secret) and (sandbox or not key.startswith("sandbox_"))
    }
    return ApiTransport(
        provider_class(name)(provider, secrets, clock=project.clock, sandbox=sandbox),
        timeout_s=provider.timeout_s,
        clock=project.clock,
        secrets=secrets.values(),
    )
