"""AWS Signature Version 4, as far as one POST with a body needs it. No I/O.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import urlsplit

_ALGORITHM = "AWS4-HMAC-SHA256"


@dataclass(frozen=True, slots=True)
class Signer:
    """Signs requests of one access key to one service in one region.

    A signature holds for five minutes around the moment it was made at.
    """

    access_key_id: str
    secret_access_key: str = field(repr=False)
    region: str
    service: str

    def headers(
        self, url: str, body: bytes, headers: Mapping[str, str], *, at: datetime
    ) -> dict[str, str]:
        """``headers``, and those that prove who sends them and the body to ``url``.

        ``url`` has no query, and nothing in its path needs quoting.
        """
        address = urlsplit(url)
        moment = at.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
        dated = {**headers, "X-Amz-Date": moment}
        signed = {name.lower(): value for name, value in dated.items()} | {"host": address.netloc}
        names = ";".join(sorted(signed))
        canonical = "\n".join(
            [
                "POST",
                address.path or "/",
                "",
                *(f"{name}:{signed[name]}" for name in sorted(signed)),
                "",
                names,
                hashlib.sha256(body).hexdigest(),
            ]
        )
        scope = f"{moment[:8]}/{self.region}/{self.service}/aws4_request"
        digest = hashlib.sha256(canonical.encode()).hexdigest()
        signature = hmac.digest(
            self._key(moment[:8]), f"{_ALGORITHM}\n{moment}\n{scope}\n{digest}".encode(), "sha256"
        ).hex()
        credential = f"Credential={self.access_key_id}/{scope}"
        proof = f"{_ALGORITHM} {credential}, SignedHeaders={names}, Signature={signature}"
        return {**dated, "Authorization": proof}

    def _key(self, day: str) -> bytes:
        key = f"AWS4{self.secret_access_key}".encode()
        for part in (day, self.region, self.service, "aws4_request"):
            key = hmac.digest(key, part.encode(), "sha256")
        return key
