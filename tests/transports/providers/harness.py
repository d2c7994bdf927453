"""A provider in front of a server that stands in for the provider."""

import contextlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from newsletter.config import PROVIDERS, ProviderSettings, Secret
from newsletter.errors import TransportStopped
from newsletter.message.model import Message
from newsletter.testing import FakeMessage, FrozenClock, RecordingJournal, fake_messages
from newsletter.transports.api import ApiTransport
from newsletter.transports.protocol import Outcome
from newsletter.transports.provider import ApiMessage, Provider, provider_class

from tests.support import http_server as misbehaviours
from tests.support.http_server import HttpServer
from tests.support.http_server import Provider as Side
from tests.support.smtp_server import refusing_port
from tests.transports.contract import deliver as through
from tests.transports.contract import judge


def settings_of(name: str, url: str, *, timeout_s: float = 0.5, **more: Any) -> ProviderSettings:
    """The provider's table with its secrets named, and its API at ``url``."""
    kind = PROVIDERS[name]
    secrets = {key: Secret(env=key.upper()) for key in secret_names(name)}
    return kind(**{**secrets, "base_url": url, "timeout_s": timeout_s, **more})


def secret_names(name: str) -> list[str]:
    fields = PROVIDERS[name].model_fields.items()
    return [key for key, field in fields if field.annotation is Secret]


def provider_of(
    name: str,
    *,
    url: str = "https://api.provider.example",
    secrets: Mapping[str, str] | None = None,
    sandbox: bool = False,
    clock: FrozenClock | None = None,
    **settings: Any,
) -> Provider[Any]:
    """The provider called ``name``; without ``secrets`` each is a word of its own."""
    given = secrets or {key: f"{key}-0123456789" for key in secret_names(name)}
    return provider_class(name)(
        settings_of(name, url, **settings),
        given,
        clock=clock or FrozenClock(),
        sandbox=sandbox,
    )


def api_message(message: Message, name: str) -> ApiMessage:
    """``message`` as the provider called ``name`` is given it."""
    return ApiMessage(message, provider_class(name).template_syntax)


class ProviderHarness:
    """The harness of :class:`tests.transports.contract.RemoteContract` for any provider.

    Attributes:
        server: stands in for the provider.
        side: how that words its answers.
        name: the word in newsletter.toml.
        secrets: what is sent to prove who we are, and must appear nowhere else.
        timeout_s: how long an answer may take before it counts as missed, in seconds.
    """

    def __init__(
        self,
        name: str,
        side: Side,
        server: HttpServer,
        nobody: int,
        *,
        secrets: Mapping[str, str],
        settings: Mapping[str, Any],
    ) -> None:
        self.name = name
        self.side = side
        self.server = server
        self.clock = FrozenClock()
        self.timeout_s = 0.5
        self.secrets = secrets
        self.settings = settings
        self._nobody = nobody
        self._url = server.url

    def provider(self) -> Provider[Any]:
        return provider_of(
            self.name, url=self._url, secrets=self.secrets, clock=self.clock, **self.settings
        )

    def transport(self) -> ApiTransport:
        return ApiTransport(
            self.provider(),
            timeout_s=self.timeout_s,
            clock=self.clock,
            secrets=self.secrets.values(),
        )

    def taken(self) -> Counter[str]:
        return self.server.taken()

    def cut_after_taking(self) -> None:
        self.server.script.append(misbehaviours.cut_after_taking)

    def cut_before_taking(self) -> None:
        self.server.script.append(misbehaviours.cut_before_taking)

    def refuse(self, address: str) -> None:
        self.server.refused.add(address)

    def refuse_login(self) -> None:
        self.server.locked = True

    def vanish(self) -> None:
        self._url = f"http://127.0.0.1:{self._nobody}"


@contextlib.contextmanager
def provider_harness(
    name: str, side: Side, *, secrets: Mapping[str, str] | None = None, **settings: Any
) -> Iterator[ProviderHarness]:
    """A running server, and the way to it through the provider called ``name``.

    Args:
        name: the word in newsletter.toml.
        side: how the provider reads requests and words answers.
        secrets: by the name of the setting; those left out are words of their own.
        settings: further keys of the provider's table.
    """
    given = {key: f"{key}-0123456789" for key in secret_names(name)} | dict(secrets or {})
    with HttpServer(side) as server, refusing_port() as nobody:
        yield ProviderHarness(name, side, server, nobody, secrets=given, settings=settings)


def crowd(count: int) -> list[FakeMessage]:
    return fake_messages(*(f"reader{number}@a.example" for number in range(count)))


def deliver(
    harness: ProviderHarness, messages: Sequence[FakeMessage]
) -> tuple[list[Outcome | None], TransportStopped | None]:
    """What became of each message, held against the server's count."""
    journal = RecordingJournal()
    stopped = through(harness, messages, journal)
    judge(harness, messages, journal)
    return [journal.outcome(message) for message in messages], stopped
