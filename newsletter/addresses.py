"""Email addresses: parsed once, then carried as a type that cannot be wrong.

No I/O. RFC 5321 (mailboxes), RFC 6531 (non-ASCII local parts), IDNA 2008 with
UTS-46 preprocessing for domains (never the standard library's codec, which is
IDNA 2003).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

LONGEST_ADDRESS = 1000
"""Characters of a text that may be an address: RFC 5321 4.5.3.1 has at most 254 octets, and
what is written for them, in letters that take more, is not four times as long."""

# The plain addresses that make up nearly all of a list, which email-validator
# takes as they are, only many times more slowly. Stricter than the standards:
# what does not match is not wrong, it goes the long way.
_PLAIN_LOCAL = re.compile(r"(?!\.)[\w!#$%&'*+/=?^`{|}~.-]+(?<!\.)", re.ASCII)
_PLAIN_DOMAIN = re.compile(
    r"(?:[a-z0-9](?:-?[a-z0-9]){0,30}\.){1,8}"
    r"(?!(?:arpa|invalid|local|localhost|onion|test)\Z)[a-z]{2,63}"
)
_LONGEST_PLAIN, _LONGEST_PLAIN_LOCAL = 254, 64


class AddressError(ValueError):
    """The text is no email address; the message says why, without repeating it."""


@dataclass(frozen=True, slots=True)
class Address:
    """One mailbox.

    ``local`` is kept exactly as written (RFC 5321 2.3.11: only the receiving
    host may interpret it). ``domain`` is lower-case ASCII, in A-labels.
    Make one with :meth:`parse`; there is no other door.
    """

    local: str
    domain: str

    @classmethod
    def parse(cls, text: str) -> Address:
        """Read one address.

        Raises:
            AddressError: it is none; the message is a sentence that fits after
                “row 7:”.
        """
        if plain := cls.plain(text):
            return plain
        # Imported late: email-validator loads dnspython.
        from email_validator import EmailNotValidError, validate_email

        stripped = text.strip()
        if len(stripped) > LONGEST_ADDRESS:
            raise AddressError("The address is longer than mail servers accept.")
        if any(ord(char) < 32 or ord(char) == 127 for char in stripped):
            raise AddressError("The address contains a control character.")
        try:
            found = validate_email(
                stripped, check_deliverability=False, test_environment=True, allow_smtputf8=True
            )
        except EmailNotValidError as error:
            raise AddressError(str(error)) from None
        if not found.ascii_domain:
            raise AddressError("The address has no domain that mail can be sent to.")
        return cls(local=found.local_part, domain=found.ascii_domain.lower())

    @classmethod
    def plain(cls, text: str) -> Address | None:
        """The same at once for an address as most are; None: :meth:`parse` tells."""
        local, _, domain = text.partition("@")
        if len(text) > _LONGEST_PLAIN or len(local) > _LONGEST_PLAIN_LOCAL or ".." in local:
            return None
        # email-validator lower-cases role names such as Postmaster (RFC 2142).
        if not _PLAIN_LOCAL.fullmatch(local) or not (local.islower() or not local.isalpha()):
            return None
        plain = _plain_domain(domain)
        return cls(local, plain) if plain else None

    def __str__(self) -> str:
        """The address as it stands in an SMTP envelope: ``local@a-label.domain``."""
        return f"{self.local}@{self.domain}"

    @property
    def needs_smtputf8(self) -> bool:
        """Whether the local part has non-ASCII letters, so only RFC 6531 servers take it."""
        return not self.local.isascii()

    @property
    def key(self) -> str:
        """The identity of the mailbox for “nobody twice”.

        The local part is compared exactly: dots, plus signs and case are the
        receiving host's business, and guessing would silence a real reader.
        """
        return f"{self.local}@{self.domain}"

    @property
    def suppression_key(self) -> str:
        """The identity for “nobody who left”: case is folded here as well.

        Who unsubscribes as ``Anna@`` must not be mailed as ``anna@``; erring
        towards silence is right for those who left, and only for them.
        """
        return f"{self.local.casefold()}@{self.domain}"

    @property
    def masked(self) -> str:
        """A form for logs and messages that does not give the person away: ``a…@e….org``."""
        name, _, top = self.domain.rpartition(".")
        return f"{self.local[:1]}…@{name[:1]}….{top}" if name else f"{self.local[:1]}…@…"


@lru_cache(maxsize=16_384)
def _plain_domain(text: str) -> str:
    """A plain domain in lower case; "" if it is none. A list has few, so they are kept."""
    domain = text.lower()
    return domain if text.isascii() and _PLAIN_DOMAIN.fullmatch(domain) else ""
