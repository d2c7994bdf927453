"""DKIM signatures: what a message says, vouched for by its domain. No I/O.

RFC 6376, with the keys and algorithms of RFC 8301 (rsa-sha256) and RFC 8463
(ed25519-sha256), relaxed/relaxed. Both algorithms are deterministic and ``t=``
is the message's own date, so the same message gets the same signature again.

There is no ``l=``, which would let others add to the body, and no ``x=``: a
mail that a queue held back for days is as genuine as on its first.
"""

from __future__ import annotations

import hashlib
import re
from base64 import b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from newsletter.config import FILE_NAME
from newsletter.errors import ConfigError, Where
from newsletter.message.headers import field
from newsletter.message.mime import Pieces, fill

SEALED = (
    "from", "to", "subject", "date", "reply-to", "message-id",
    "list-unsubscribe", "list-unsubscribe-post", "list-id",
)  # fmt: skip
"""Named in ``h=`` once more than they occur: one more of them breaks the signature."""
SIGNED = (
    *SEALED, "mime-version", "content-type", "content-transfer-encoding", "list-help",
    "list-archive", "feedback-id",
)  # fmt: skip
"""Signed where they occur."""

# RFC 8301 3.2: signers should use 2048 bits, and not all verify more than 4096.
_RSA_BITS = range(2048, 4097)
_LINE = 72
_BLANKS = re.compile(r"[ \t]+")
_BODY_BLANKS = re.compile(rb"[ \t]+")


@dataclass(frozen=True, slots=True)
class _Key:
    algorithm: str
    selector: str
    sign: Callable[[bytes], bytes]


class DkimSigner:
    """Signs for a domain with an RSA key and, if there is one, an Ed25519 key beside it.

    Never with Ed25519 alone, which many receivers do not know. Threads may share it.

    Args:
        domain: who signs, in A-labels (``d=``).
        selector: under which the RSA key is published (``s=``).
        private_key: the RSA key, PEM without a passphrase.
        ed25519: selector and key of the second signature.

    Raises:
        ConfigError: a key cannot be used.
    """

    def __init__(
        self,
        domain: str,
        *,
        selector: str,
        private_key: bytes,
        ed25519: tuple[str, bytes] | None = None,
    ) -> None:
        self._domain = domain
        self._keys = [_Key("rsa-sha256", selector, _rsa(private_key))]
        if ed25519 is not None:
            self._keys.append(_Key("ed25519-sha256", ed25519[0], _ed25519(ed25519[1])))

    def for_body(self, body: Pieces) -> DkimBodySigner:
        """What signs messages with this body, whatever the values in it."""
        return DkimBodySigner(self, body)

    def signatures(self, head: str, *, body_hash: bytes, date: datetime) -> str:
        """The DKIM-Signature fields for a message.

        Args:
            head: its fields, each with its CRLF, no name twice.
            body_hash: SHA-256 of its body, canonicalised.
            date: its date.
        """
        fields = _relaxed_fields(head)
        covered = [name for name in SIGNED if name in fields]
        data = "".join(fields[name] for name in covered)
        what = (
            f"t={int(date.timestamp())};",
            *f"h={': '.join([*covered, *SEALED])};".split(" "),
            f"bh={b64encode(body_hash).decode()};",
        )
        written = ""
        for key in self._keys:
            who = ("c=relaxed/relaxed;", f"d={self._domain};", f"s={key.selector};")
            tags = ("v=1;", f"a={key.algorithm};", *who, *what)
            # RFC 6376 3.7: after the fields the signature's own, with nothing in b=.
            signed = key.sign(f"{data}dkim-signature:{' '.join(tags)} b=".encode())
            value = f"b={b64encode(signed).decode()}"
            lines = [value[at : at + _LINE] for at in range(0, len(value), _LINE)]
            written += field("DKIM-Signature", *tags, *lines)
        return written


class DkimBodySigner:
    """Signs messages that share a body but for the values in it.

    The body is canonicalised once, and hashed once up to its first value; a
    message costs the hash of the rest and the signature.

    Args:
        signer: has the keys.
        body: pieces of whole lines, each with its CRLF; the first line is the
            empty one that ends the head, the last one is not empty.
    """

    def __init__(self, signer: DkimSigner, body: Pieces) -> None:
        self._signer = signer
        pieces = [piece if isinstance(piece, int) else _relaxed(piece) for piece in body]
        first = next((n for n, piece in enumerate(pieces) if isinstance(piece, int)), len(pieces))
        start = b"".join(fill(tuple(pieces[:first]), ()))
        self._start = hashlib.sha256(start.removeprefix(b"\r\n"))
        self._rest = tuple(pieces[first:])

    def signatures(self, head: str, values: Sequence[bytes], *, date: datetime) -> str:
        """The DKIM-Signature fields for a message with these fields and encoded values."""
        state = self._start.copy()
        state.update(b"".join(fill(self._rest, [_relaxed(value) for value in values])))
        return self._signer.signatures(head, body_hash=state.digest(), date=date)


def _relaxed(lines: bytes) -> bytes:
    """Whole lines of a body, canonicalised (RFC 6376 3.4.4)."""
    if b" " not in lines and b"\t" not in lines:
        return lines  # as in base64, which need not be searched for each message
    return _BODY_BLANKS.sub(b" ", lines).replace(b" \r\n", b"\r\n")


def _relaxed_fields(head: str) -> dict[str, str]:
    """The fields by their names in small letters, canonicalised (RFC 6376 3.4.2)."""
    fields = {}
    for line in head.replace("\r\n ", " ").removesuffix("\r\n").split("\r\n"):
        name, _, value = line.partition(":")
        name = name.lower()
        fields[name] = f"{name}:{_BLANKS.sub(' ', value).strip(' ')}\r\n"
    return fields


def _rsa(pem: bytes) -> Callable[[bytes], bytes]:
    key = _load(pem, "private_key")
    if not isinstance(key, RSAPrivateKey):
        raise _refused("is no RSA key", "private_key")
    if key.key_size not in _RSA_BITS:
        raise _refused(
            f"has {key.key_size} bits; only keys of 2048 to 4096 bits are accepted everywhere",
            "private_key",
        )
    padding, algorithm = PKCS1v15(), SHA256()
    return lambda data: key.sign(data, padding, algorithm)


def _ed25519(pem: bytes) -> Callable[[bytes], bytes]:
    key = _load(pem, "ed25519_private_key")
    if not isinstance(key, Ed25519PrivateKey):
        raise _refused("is no Ed25519 key", "ed25519_private_key")
    # RFC 8463 section 3: what is signed is the hash.
    return lambda data: key.sign(hashlib.sha256(data).digest())


def _load(pem: bytes, setting: str) -> PrivateKeyTypes:
    try:
        return load_pem_private_key(pem, password=None)
    except TypeError:
        raise _refused("has a passphrase; make one without", setting) from None
    except (ValueError, UnsupportedAlgorithm):
        # The cause is left out: it could quote the key.
        raise _refused("is no private key in PEM", setting) from None


def _refused(why: str, setting: str) -> ConfigError:
    return ConfigError(
        f"The key for DKIM signatures {why}.",
        where=Where(FILE_NAME, item=f"[dkim] {setting}"),
        next="“newsletter docs dkim” says how to make one.",
    )
