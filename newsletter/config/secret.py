"""Where a password or key comes from. No I/O; newsletter/credentials.py reads it."""

from __future__ import annotations

from pydantic import Field, model_validator

from newsletter.config.table import Table


class Secret(Table):
    """Where a password or key comes from; exactly one of the two."""

    env: str | None = Field(default=None, description="Name of an environment variable.")
    command: list[str] | None = Field(
        default=None, description="A program and its arguments that print the secret."
    )

    @model_validator(mode="after")
    def _one(self) -> Secret:
        if (self.env is None) == (self.command is None):
            raise ValueError('give either env = "NAME" or command = ["program", "argument"]')
        return self
