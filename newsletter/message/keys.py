"""The key file: what signs unsubscribe links and hides addresses. Reads and writes that one file.

``newsletter.key`` is a small TOML file with mode 0600::

    pepper = "64 hexadecimal digits"   # never changes
    former = ["64 hexadecimal digits"] # only where a list came from another key file
    bearer = "64 hexadecimal digits"   # only with a public server: what may read its log
    [keys]                             # only in older files: verify links of version 1
    1 = "64 hexadecimal digits"
    [secrets]                          # the last one signs, all of them verify
    1 = "64 hexadecimal digits"

The pepper turns addresses into tags, so that unsubscribe links and the list of
who left name nobody. Of a secret, a key is derived for each list and purpose
(HKDF, RFC 5869), so that a server that knows some of them cannot make the others.
docs/keys.md says what loss and rotation mean.
"""

from __future__ import annotations

import hmac
import os
import secrets
import tomllib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from newsletter.addresses import Address
from newsletter.errors import ConfigError, Where
from newsletter.keyed_hash import keyed_hash
from newsletter.regular_file import open_regular
from newsletter.system import shared, sync_file, sync_folder

FILE_NAME = "newsletter.key"
ADDRESS_TAG_BYTES = 12
CAMPAIGN_TAG_BYTES = 8
WEBHOOK_KEY_BYTES = 16

_SECRET_BYTES = 32
_MOST_SECRETS = 0xFFFF
_MOST_BYTES = 10_000_000
_HEAD = """\
# Signs the unsubscribe links of your newsletter and keeps the list of who left.
# Keep it secret and keep a copy in a safe place; "newsletter docs keys" says more.
"""


@dataclass(frozen=True, slots=True, repr=False)
class KeyRing:
    """The secrets of one newsletter, in memory. Its repr shows none of them.

    Attributes:
        pepper: 32 bytes; never changes in the life of the list.
        secrets: 32 bytes each by their number (1 to 65535), to derive keys from.
        keys: what signed links of version 1, 32 bytes each by their number.
        former: peppers under which some of those who left were noted.
        bearer: 32 bytes that the public server asks for before it shows its log.
    """

    pepper: bytes
    secrets: Mapping[int, bytes]
    keys: Mapping[int, bytes] = field(default_factory=dict)
    former: tuple[bytes, ...] = ()
    bearer: bytes | None = None

    @classmethod
    def load(cls, path: Path) -> KeyRing:
        """Read the key file.

        Raises:
            ConfigError: it is missing, readable by others, or damaged.
        """
        try:
            with open_regular(path) as file:
                mode = os.fstat(file.fileno()).st_mode
                content = file.read(_MOST_BYTES + 1)
        except FileNotFoundError:
            raise ConfigError(
                "The key file is missing.",
                where=Where(path),
                next="Put back your copy of it; see “newsletter docs keys” if you have none.",
            ) from None
        except OSError as error:
            raise ConfigError(
                f"The key file cannot be opened: {error.strerror}.", where=Where(path)
            ) from None
        if shared(mode):
            raise ConfigError(
                "The key file can be read by other users of this machine.",
                where=Where(path),
                next=f"Run: chmod 600 {path.name}",
            )
        try:
            return _parse(content)
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
            # The cause is left out: it could quote a key.
            raise ConfigError(
                "The key file is damaged.",
                where=Where(path),
                next="Put back your copy of it; see “newsletter docs keys” if you have none.",
            ) from None

    @classmethod
    def load_or_create(cls, path: Path, *, known: KeyRing | None = None) -> KeyRing:
        """Read the key file; make one where there is none, and give an older one its secret.

        Args:
            path: the key file.
            known: the list's key ring, if it is known from elsewhere; else a new one is made.

        Raises:
            ConfigError: it cannot be read, written, or is damaged.
        """
        if path.exists():
            return cls._load_upgraded(path)
        ring = known or cls(
            secrets.token_bytes(_SECRET_BYTES), {1: secrets.token_bytes(_SECRET_BYTES)}
        )
        # A link appears whole or not at all, and not where a file is already.
        draft = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
        try:
            _write_new(draft, ring)
            try:
                os.link(draft, path)
            except FileExistsError:
                return cls.load(path)
            finally:
                draft.unlink()
            sync_folder(path.parent)
        except OSError as error:
            raise _unwritable(path, error) from None
        return ring

    def save(self, path: Path) -> None:
        """Write the key file, whole or not at all, over one that is there.

        Raises:
            ConfigError: it cannot be written.
        """
        draft = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
        try:
            _write_new(draft, self)
            draft.replace(path)
            sync_folder(path.parent)
        except OSError as error:
            draft.unlink(missing_ok=True)
            raise _unwritable(path, error) from None

    def joined(self, other: KeyRing) -> KeyRing:
        """This ring with all that ``other`` knows; its own pepper, and its own key of a number."""
        former = dict.fromkeys((*self.former, other.pepper, *other.former))
        former.pop(self.pepper, None)
        ring = replace(self, former=tuple(former))
        if other.pepper != self.pepper:
            return ring
        return replace(
            ring,
            secrets={**other.secrets, **self.secrets},
            keys={**other.keys, **self.keys},
            bearer=self.bearer or other.bearer,
        )

    @classmethod
    def rotate(cls, path: Path) -> KeyRing:
        """Add a secret and sign with its keys from now on; those of the old ones still verify.

        Raises:
            ConfigError: the file cannot be read or written, or is being changed.
        """
        with _changing(path) as write:
            ring = cls.load(path)
            number = ring.signing_key_id + 1
            if number > _MOST_SECRETS:
                raise ConfigError("The key file holds as many keys as it can.", where=Where(path))
            return write(
                replace(ring, secrets={**ring.secrets, number: secrets.token_bytes(_SECRET_BYTES)})
            )

    @classmethod
    def with_bearer(cls, path: Path) -> KeyRing:
        """The ring with what the public server asks for, which is added if there is none yet.

        Raises:
            ConfigError: the file cannot be read or written, or is being changed.
        """
        ring = cls.load(path)
        if ring.bearer is not None:
            return ring
        with _changing(path) as write:
            ring = cls.load(path)
            return write(replace(ring, bearer=ring.bearer or secrets.token_bytes(_SECRET_BYTES)))

    @classmethod
    def _load_upgraded(cls, path: Path) -> KeyRing:
        """The ring; a file of before there were secrets gets the first one.

        Where it cannot be written now, the same secret is derived again next time.
        """
        ring = cls.load(path)
        if "secrets" not in tomllib.loads(path.read_text(encoding="utf-8")):
            with suppress(ConfigError), _changing(path) as write:
                return write(cls.load(path))
        return ring

    @property
    def signing_key_id(self) -> int:
        """The number of the secret whose keys sign: the newest."""
        return max(self.secrets)

    def box_keys(self, list_id: str) -> dict[int, bytes]:
        """The X25519 private keys that open what the public server sealed, newest first.

        Of 32 bytes each (RFC 7748), by the number of their secret. They never leave
        the machine that the list is on.
        """
        numbers = sorted(self.secrets, reverse=True)
        return {n: derived(self.secrets[n], list_id, "box") for n in numbers}

    def box_public(self, list_id: str) -> tuple[int, bytes]:
        """The number of the newest secret, and the X25519 public key of its box: 32 bytes."""
        from nacl.public import PrivateKey

        number = self.signing_key_id
        return number, bytes(PrivateKey(self.box_keys(list_id)[number]).public_key)

    def webhook_key(self, list_id: str) -> bytes | None:
        """16 bytes that stand in the address of a list's webhooks; None without a bearer secret.

        They say nothing of the bearer secret, and change with it.
        """
        if self.bearer is None:
            return None
        return derived(self.bearer, list_id, "webhooks")[:WEBHOOK_KEY_BYTES]

    @property
    def pepper_id(self) -> str:
        """Tells peppers apart without giving them away; 16 hexadecimal digits.

        What stores address tags should store this beside them: with another
        pepper the same person has another tag, and who left is not known any more.
        """
        return self._hash(b"pepper\0")[:8].hex()

    @property
    def seal_key(self) -> bytes:
        """32 bytes with which the ledger seals what is frozen."""
        return self._hash(b"seal\0")

    def address_tag(self, address: Address) -> bytes:
        """12 bytes that stand for an address without giving it away.

        The same for all spellings that share a
        :attr:`~newsletter.addresses.Address.suppression_key`.
        """
        # Without a call of _hash: a list of a million asks for as many.
        return keyed_hash(self.pepper, address.suppression_key.encode())[:ADDRESS_TAG_BYTES]

    def former_tags(self, address: Address) -> tuple[bytes, ...]:
        """What :meth:`address_tag` was under each of the former peppers."""
        if not self.former:
            return ()
        return tuple(replace(self, pepper=p).address_tag(address) for p in self.former)

    def tags(self, address: Address) -> tuple[bytes, ...]:
        """All tags by which a reader may be known: today's first, then the former ones."""
        return (self.address_tag(address), *self.former_tags(address))

    def campaign_tag(self, campaign_id: str) -> bytes:
        """8 bytes that stand for a campaign."""
        return self._hash(b"campaign\0" + campaign_id.encode())[:CAMPAIGN_TAG_BYTES]

    def message_tag(self, campaign_id: str, address: Address) -> str:
        """24 hexadecimal digits for one campaign's message to one address.

        Unlike :meth:`address_tag` it tells ``Anna@`` from ``anna@``: where both
        are on the list, each gets a message, and no two messages share a Message-ID.
        """
        letter = f"message\0{campaign_id}\0{address.key}"
        return self._hash(letter.encode())[:12].hex()

    def _hash(self, message: bytes) -> bytes:
        # No address holds a NUL, so the uses above never hash the same bytes.
        return keyed_hash(self.pepper, message)

    def __repr__(self) -> str:
        return f"KeyRing(key ids {', '.join(map(str, self.secrets))})"


@lru_cache(maxsize=256)
def derived(secret: bytes, list_id: str, purpose: str) -> bytes:
    """A key of 32 bytes for one list and purpose: HKDF-SHA256 (RFC 5869) without salt.

    Its ``info`` is the list's id, a NUL and the purpose; neither holds a NUL.
    """
    return _hkdf(secret, f"{list_id}\0{purpose}".encode())


def _hkdf(secret: bytes, info: bytes) -> bytes:
    # By hand, since it is two lines and cryptography takes longer to load than a mail to make.
    extracted = hmac.digest(bytes(_SECRET_BYTES), secret, "sha256")
    return hmac.digest(extracted, info + b"\x01", "sha256")


@contextmanager
def _changing(path: Path) -> Iterator[Callable[[KeyRing], KeyRing]]:
    """Change the key file; of two changes at once the second stops, so it drops no key.

    Yields:
        What writes a ring over the file, whole or not at all, and gives it back.

    Raises:
        ConfigError: it cannot be written, or another change has not ended.
    """
    draft = path.with_name(f"{path.name}.new")
    try:
        # Made before the old file is read.
        draft.touch(mode=0o600, exist_ok=False)
    except FileExistsError:
        raise ConfigError(
            "Another rotation is running, or was interrupted.",
            where=Where(draft),
            next="If none is running, delete this file; no link was signed with it.",
        ) from None
    except OSError as error:
        raise _unwritable(path, error) from None

    def write(ring: KeyRing) -> KeyRing:
        draft.unlink()
        _write_new(draft, ring)
        draft.replace(path)
        sync_folder(path.parent)
        return ring

    try:
        yield write
    except OSError as error:
        raise _unwritable(path, error) from None
    finally:
        draft.unlink(missing_ok=True)


def _parse(content: bytes) -> KeyRing:
    if len(content) > _MOST_BYTES:  # whatever is cut off could be the list's only key
        raise ValueError
    data: dict[str, Any] = tomllib.loads(content.decode())
    pepper = _secret(data.pop("pepper"))
    former = tuple(_secret(value) for value in data.pop("former", []))
    bearer = _secret(data.pop("bearer")) if "bearer" in data else None
    keys = _numbered(data.pop("keys", {}))
    secrets_ = _numbered(data.pop("secrets", {})) or _first_secret(pepper, keys)
    if data:
        raise ValueError
    return KeyRing(pepper, secrets_, keys, former, bearer)


def _numbered(table: Mapping[str, str]) -> dict[int, bytes]:
    found = {int(number): _secret(value) for number, value in table.items()}
    if found and (min(found) < 1 or max(found) > _MOST_SECRETS):
        raise ValueError
    return found


def _first_secret(pepper: bytes, keys: Mapping[int, bytes]) -> dict[int, bytes]:
    """The secret of a file of before there were secrets.

    Derived, not drawn: two laptops, a restored backup and two programs at once
    all get the same one, so what one of them signs or seals, all of them know.
    Of the pepper, which no server has, and the newest key, which nobody has who
    held a copy of before the last rotation.
    """
    return {1: _hkdf(pepper + keys[max(keys)], b"first secret")}


def _secret(value: str) -> bytes:
    secret = bytes.fromhex(value)
    if len(secret) != _SECRET_BYTES:
        raise ValueError
    return secret


def _write_new(path: Path, ring: KeyRing) -> None:
    lines = [f'pepper = "{ring.pepper.hex()}"']
    if ring.former:
        lines.append(f"former = {[pepper.hex() for pepper in ring.former]}".replace("'", '"'))
    if ring.bearer is not None:
        lines.append(f'bearer = "{ring.bearer.hex()}"')
    for table, values in (("keys", ring.keys), ("secrets", ring.secrets)):
        if values:
            lines += ["", f"[{table}]"]
            lines += [f'{number} = "{value.hex()}"' for number, value in sorted(values.items())]
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(_HEAD + "\n".join(lines) + "\n")
        file.flush()
        sync_file(file.fileno())


def _unwritable(path: Path, error: OSError) -> ConfigError:
    return ConfigError(
        f"The key file cannot be written: {error.strerror}.",
        where=Where(path),
        next="Check the folder's permissions and the free space on the disk.",
    )
