"""The transport that newsletter.toml names, and a few mails handed over to it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from functools import partial

from newsletter.config import FILE_NAME, ProviderSettings, Relay, Secret, Smtp
from newsletter.credentials import read_secret, read_token
from newsletter.errors import ConfigError, Where
from newsletter.message.model import Message
from newsletter.project.project import Project
from newsletter.transports.protocol import Call, Outcome, Transport


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


class _Journal:
    """A journal, and each of its tickets, for mail that may go twice: it keeps what came back."""

    def __init__(self) -> None:
        self.outcomes: dict[str, Outcome] = {}

    def acquire_permit(self) -> bool:
        return True

    def attempt(
        self,
        messages: Sequence[Message],  # noqa: ARG002 - the protocol's
        *,
        call: Call | None = None,  # noqa: ARG002 - the protocol's
    ) -> _Journal:
        return self

    def wait(self) -> bool:
        return True

    def record(self, message: Message, outcome: Outcome) -> None:
        self.outcomes[message.message_id] = outcome


def hand_over(
    transport: Transport, messages: Sequence[Message]
) -> list[tuple[str, Outcome | None]]:
    """Hand ``messages`` over.

    Returns:
        For each, its address and what came back; None: it was never handed over.

    Raises:
        TransportStopped: the server or account takes nothing.
    """
    journal = _Journal()
    with closing(transport.open()) as session:
        for start in range(0, len(messages), transport.batch_size):
            session.deliver(messages[start : start + transport.batch_size], journal)
    return [
        (str(message.envelope_to), journal.outcomes.get(message.message_id)) for message in messages
    ]


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
