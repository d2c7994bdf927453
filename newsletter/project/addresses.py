"""Addresses that a person typed."""

from __future__ import annotations

from collections.abc import Iterable

from newsletter.addresses import Address, AddressError
from newsletter.errors import InputError, Problem


def parse_addresses(texts: Iterable[str]) -> list[Address]:
    """Addresses that a person typed.

    Raises:
        InputError: some are none; each is named.
    """
    parsed, problems = [], []
    for text in texts:
        try:
            parsed.append(Address.parse(text))
        except AddressError as error:
            problems.append(Problem(f"“{text}” is not an email address. {error}"))
    if problems:
        raise InputError("Nothing was done, since some of these are not email addresses.",
                         problems=problems, next="Mind the spelling: name@example.org")  # fmt: skip
    return parsed
