"""DKIM keys for tests, and two verifiers that we did not write: dkimpy and npm's mailauth."""

import base64
import functools
import json
import logging
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import dkim
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from tests.support.tools import ROOT, missing, program

DOMAIN, SELECTOR, SECOND = "defenders.example", "news2026", "news2026e"


def pem(key: PrivateKeyTypes) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


@functools.cache
def rsa_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@functools.cache
def ed25519_key() -> ed25519.Ed25519PrivateKey:
    return ed25519.Ed25519PrivateKey.generate()


@functools.cache
def records() -> dict[str, str]:
    """What stands in the DNS, as docs/dkim.md says it must."""
    rsa_half = rsa_key().public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    ed25519_half = ed25519_key().public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    return {
        f"{selector}._domainkey.{DOMAIN}": f"v=DKIM1; k={kind}; p={base64.b64encode(half).decode()}"
        for selector, kind, half in (
            (SELECTOR, "rsa", rsa_half),
            (SECOND, "ed25519", ed25519_half),
        )
    }


def passes_dkimpy(mail: bytes) -> bool:
    """Whether dkimpy accepts the first signature; for the second, Ed25519, it lacks PyNaCl."""

    def look_up(name: bytes, timeout: int = 5) -> bytes:
        return records()[name.decode().removesuffix(".")].encode()

    silent = logging.getLogger("dkimpy")
    silent.setLevel(logging.CRITICAL)
    return bool(dkim.verify(mail, logger=silent, dnsfunc=look_up, minkey=2048))


@dataclass(frozen=True)
class Verdict:
    """What mailauth says of one signature; ``fields`` are those it covers, as ``h=`` has them."""

    result: str
    algorithm: str
    selector: str
    domain: str
    fields: str


def mailauth(
    mails: Sequence[bytes], *, published: Mapping[str, str] | None = None
) -> list[list[Verdict]]:
    """What mailauth says of each signature in each mail; without ``published``, by our records."""
    if not (ROOT / "node_modules" / "mailauth").is_dir():
        missing("mailauth (npm install)")
    done = subprocess.run(
        [program("node"), str(ROOT / "tests" / "support" / "dkim_verify.cjs")],
        input=json.dumps(
            {
                "records": records() if published is None else published,
                "mails": [base64.b64encode(mail).decode() for mail in mails],
            }
        ),
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return [[Verdict(**verdict) for verdict in told] for told in json.loads(done.stdout)]


def results(mails: Sequence[bytes]) -> list[list[str]]:
    """``pass`` or otherwise, for each signature in each mail, by mailauth."""
    return [[verdict.result for verdict in told] for told in mailauth(mails)]
