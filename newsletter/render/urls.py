"""Web addresses in the one form that mail programs, browsers and lxml all take: ASCII. No I/O.

Host names become A-labels (IDNA 2008, RFC 5891), everything else is
percent-encoded UTF-8 (RFC 3986). What is ASCII already stays as it is.
"""

from __future__ import annotations

import urllib.parse

_SAFE = "!#$%&'()*+,/:;=?@[]~"


def ascii_url(url: str) -> str:
    """``https://münchen.example/ü`` as ``https://xn--mnchen-3ya.example/%C3%BC``."""
    if url.isascii():
        return url
    scheme, separator, rest = url.partition("://")
    if not separator:
        return urllib.parse.quote(url, safe=_SAFE)
    end = next((place for place, char in enumerate(rest) if char in "/?#"), len(rest))
    user, at, host = rest[:end].rpartition("@")
    path = urllib.parse.quote(rest[end:], safe=_SAFE)
    return f"{scheme}://{urllib.parse.quote(user, safe=_SAFE)}{at}{_ascii_host(host)}{path}"


def _ascii_host(host: str) -> str:
    if host.isascii():
        return host
    import idna

    name, colon, port = host.partition(":")
    try:
        return idna.encode(name, uts46=True).decode() + colon + port
    except idna.IDNAError:
        return urllib.parse.quote(host, safe=_SAFE)
