"""How mail leaves: [delivery], [smtp] and [dkim]; providers have a file of their own. No I/O."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator
from pydantic_core import PydanticKnownError

from newsletter.config.providers import PROVIDERS
from newsletter.config.secret import Secret
from newsletter.config.table import Table


class PrivateKey(Table):
    """Where a private key in PEM comes from; exactly one of the three."""

    file: Path | None = Field(
        default=None, description="A file that only its owner can read (mode 0600)."
    )
    env: str | None = Field(default=None, description="Name of an environment variable.")
    command: list[str] | None = Field(
        default=None, description="A program and its arguments that print the key."
    )

    @model_validator(mode="after")
    def _one(self) -> PrivateKey:
        if [self.file, self.env, self.command].count(None) != 2:
            raise ValueError(
                'give one of file = "key.pem", env = "NAME" and command = ["program", "argument"]'
            )
        return self


def _absolute(path: Path) -> Path:
    found = path.expanduser()
    if not found.is_absolute():
        raise ValueError("must be an absolute path, or begin with ~/")
    return found


def _transport(name: str) -> str:
    known = ["mailbox", "smtp", *PROVIDERS]
    quoted = [f"'{each}'" for each in known]
    if name not in known:
        raise PydanticKnownError(
            "literal_error", {"expected": " or ".join([", ".join(quoted[:-1]), quoted[-1]])}
        )
    return name


class Delivery(Table):
    """How mail leaves, and how fast."""

    transport: Annotated[str, AfterValidator(_transport)] = Field(
        default="mailbox", description="mailbox files mail in outbox/ and sends nothing."
    )
    connections: int = Field(default=4, ge=1, le=50, description="Connections at the same time.")
    batch: int = Field(
        default=50, ge=1, le=100, description="Recipients that one connection takes at a time."
    )
    rate_per_second: float = Field(
        default=0, ge=0, description="Most messages a second; 0 is as fast as it goes."
    )
    retry_for_hours: float = Field(
        default=24, gt=0, le=120, description="How long to retry who says “later”."
    )
    suppress_after_returns: int = Field(
        default=3,
        ge=0,
        le=10,
        description="Messages in a row that came back as undeliverable; 0 turns it off.",
    )
    wait_minutes: float = Field(
        default=30,
        ge=0,
        le=1440,
        description="How long a run stays when all who are left are to be tried later.",
    )
    late_after_hours: float = Field(
        default=72, gt=0, description="So long after its beginning a send may go on unasked."
    )
    seeds: tuple[str, ...] = Field(
        default=(), description="Addresses on the list that get it first, to look at it."
    )
    canary_share: float = Field(
        default=0.01,
        ge=0,
        le=0.5,
        description="Share of a large list that is mailed before the rest; 0 turns it off.",
    )
    stop_above: float = Field(
        default=0.05, gt=0, le=1, description="Share of refusals above which a send stops."
    )
    domain_per_minute: dict[str, float] = Field(
        default={}, description="Most messages a minute to a domain, by its name."
    )
    state_folder: Annotated[Path, AfterValidator(_absolute)] | None = Field(
        default=None,
        description="Where it is remembered, outside this folder, what was sent to each list. "
        "Default: where the system keeps such things.",
    )


class RelayAccess(Table):
    """Where a mail relay is, and how to get in."""

    host: str = Field(description="Name of the relay.")
    port: int = Field(default=587, ge=1, le=65535, description="587 STARTTLS, 465 TLS, 25 relay.")
    security: Literal["starttls", "tls", "none"] = Field(
        default="starttls",
        description="starttls and tls verify the certificate; none only for a relay on this host.",
    )
    username: str | None = Field(default=None, description="User name, if the relay asks for one.")
    password: Secret | None = Field(default=None, description="Where the password comes from.")
    token: Secret | None = Field(
        default=None, description="Where an OAuth 2.0 access token comes from, not a password."
    )
    ca_file: Path | None = Field(default=None, description="Own certificate authority, PEM.")

    @model_validator(mode="after")
    def _safe(self) -> Self:
        if self.username is not None and self.password is None and self.token is None:
            raise ValueError(
                'username needs password = { env = "NAME" } beside it, or token = { … } where the '
                "relay asks for OAuth 2.0"
            )
        if self.token is not None and self.password is not None:
            raise ValueError("give either password or token, not both")
        if self.token is not None and self.username is None:
            raise ValueError("token needs username beside it: whose mailbox it is for")
        if self.token is not None and self.security == "none":
            raise ValueError('token needs security = "starttls" or "tls" (RFC 7628)')
        if self.security == "none" and self.host not in {"localhost", "127.0.0.1", "::1"}:
            raise ValueError('security = "none" is only for a relay on this machine')
        return self

    @property
    def name(self) -> str:
        """``smtp.example.org:587``."""
        return f"{self.host}:{self.port}"

    def is_account_of(self, other: RelayAccess) -> bool:
        """Whether both log in to the same machine as the same user."""
        return (self.host, self.username) == (other.host, other.username)


class Relay(RelayAccess):
    """One of the relays that the newsletter leaves through."""

    weight: int = Field(
        default=1, ge=0, le=100, description="Its share of connections; 0 stands by."
    )


class Smtp(Relay):
    """A mail relay, others beside it, and how long a connection to one of them is used."""

    messages_per_connection: int = Field(
        default=100, ge=1, le=10000, description="Then a connection is renewed."
    )
    connection_s: float = Field(
        default=300, gt=0, le=3600, description="Greatest age of a connection, in seconds."
    )
    timeout_s: float = Field(default=60, gt=0, le=600, description="For each answer, in seconds.")
    final_timeout_s: float = Field(
        default=600,
        gt=0,
        le=3600,
        description="For the answer to the final dot, in seconds (RFC 5321 4.5.3.2.6: 10 min).",
    )
    more: list[Relay] = Field(default=[], description="Other relays: [[smtp.more]].")
    trial: bool = Field(
        default=False,
        description="The relays deliver to nobody (Mailpit, smtp-sink): a send is only a trial.",
    )

    @property
    def relays(self) -> tuple[Relay, ...]:
        """All relays, the first one first."""
        return (self, *self.more)

    @model_validator(mode="after")
    def _several(self) -> Self:
        if not any(relay.weight for relay in self.relays):
            raise ValueError("a relay with a weight above 0 is needed; 0 stands by for others")
        if len({relay.name for relay in self.relays}) <= len(self.more):
            raise ValueError("each relay under [[smtp.more]] needs a host or port of its own")
        return self


# Half of what a name in the DNS may have each, so that selector._domainkey.domain is one.
DomainName = Annotated[str, Field(max_length=120, pattern=r"^([a-z0-9-]{1,63}\.)+[a-z0-9-]{2,63}$")]
Selector = Annotated[str, Field(max_length=120, pattern=r"^[a-z0-9-]{1,63}(\.[a-z0-9-]{1,63})*$")]


class Dkim(Table):
    """DKIM signatures (RFC 6376), for transports that hand over whole messages."""

    domain: DomainName = Field(description="The domain that signs, e.g. example.org (d=).")
    selector: Selector = Field(description="Name of the RSA key in the domain's DNS (s=).")
    private_key: PrivateKey = Field(description="Where the RSA key comes from; 2048 to 4096 bits.")
    ed25519_selector: Selector | None = Field(
        default=None, description="Name of an Ed25519 key (RFC 8463), for a second signature."
    )
    ed25519_private_key: PrivateKey | None = Field(
        default=None, description="Where the Ed25519 key comes from."
    )

    @model_validator(mode="after")
    def _second_key(self) -> Dkim:
        if (self.ed25519_selector is None) != (self.ed25519_private_key is None):
            raise ValueError("ed25519_selector and ed25519_private_key need each other")
        if self.ed25519_selector == self.selector:
            raise ValueError("ed25519_selector must differ from selector: one name, one key")
        return self

    def names(self) -> dict[str, str | None]:
        """Who signs, without the keys: what must stay the same for a whole campaign."""
        return {
            "domain": self.domain,
            "selector": self.selector,
            "ed25519_selector": self.ed25519_selector,
        }

    def is_aligned_with(self, sender: str) -> bool:
        """Whether the domain vouches for an address in From (RFC 9989, relaxed alignment).

        It does if both are the same or one lies below the other.
        """
        signing, own = f".{self.domain}", f".{sender.rpartition('@')[2]}"
        return signing.endswith(own) or own.endswith(signing)
