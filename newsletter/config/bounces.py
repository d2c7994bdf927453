"""The mailbox that bounces come to: [bounces]. No I/O."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from newsletter.config.secret import Secret
from newsletter.config.table import Table

CHECK_EVERY_S = 300.0


class Bounces(Table):
    """Where bounces, complaints and unsubscribe mails are read: files, or a mailbox by IMAP."""

    path: Path | None = Field(default=None, description="A Maildir, a folder of mails or an mbox.")
    host: str | None = Field(default=None, description="Name of the IMAP server.")
    port: int = Field(default=993, ge=1, le=65535, description="993 TLS, 143 STARTTLS.")
    security: Literal["tls", "starttls", "none"] = Field(
        default="tls",
        description="tls and starttls verify the certificate; none only for a server on this host.",
    )
    username: str | None = Field(default=None, description="User name at the server.")
    password: Secret | None = Field(default=None, description="Where the password comes from.")
    token: Secret | None = Field(
        default=None, description="Where an OAuth 2.0 access token comes from, not a password."
    )
    ca_file: Path | None = Field(default=None, description="Own certificate authority, PEM.")
    folder: str = Field(default="INBOX", min_length=1, description="The folder that is read.")
    move_to: str | None = Field(
        default=None, min_length=1, description="Folder that mails go to once they are understood."
    )
    timeout_s: float = Field(default=60, gt=0, le=600, description="For each answer, in seconds.")
    check_every_s: float = Field(
        default=CHECK_EVERY_S, ge=1, le=86400, description="How often --watch looks, in seconds."
    )

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if (self.path is None) == (self.host is None):
            raise ValueError('give either path = "bounces" (files) or host = "imap.example.org"')
        if self.path is not None and (self.move_to is not None or self.username is not None):
            raise ValueError("username and move_to are for a mailbox at a host, not for files")
        return self

    @model_validator(mode="after")
    def _safe(self) -> Self:
        if self.host is None:
            return self
        if self.username is None or (self.password is None) == (self.token is None):
            raise ValueError(
                'host needs username and password = { env = "NAME" } beside it, or token = { … } '
                "where the server asks for OAuth 2.0"
            )
        if self.security == "none" and self.host not in {"localhost", "127.0.0.1", "::1"}:
            raise ValueError('security = "none" is only for a server on this machine')
        if self.token is not None and self.security == "none":
            raise ValueError('token needs security = "tls" or "starttls" (RFC 7628)')
        if self.move_to == self.folder:
            raise ValueError("move_to must be another folder than folder")
        return self
