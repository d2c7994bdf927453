"""Web addresses in the one form that mail programs, browsers and lxml all take: ASCII. No I/O.

Host names become A-labels (see :mod:`newsletter.web_addresses`), everything else is
percent-encoded UTF-8 (RFC 3986). What is ASCII already stays as it is.
"""

from __future__ import annotations

import urllib.parse

from newsletter.web_addresses import with_ascii_host

_SAFE = "!#$%&'()*+,/:;=?@[]~"


def ascii_url(url: str) -> str:
    """``https://münchen.example/ü`` as ``https://xn--mnchen-3ya.example/%C3%BC``."""
    url = with_ascii_host(url)
    return url if url.isascii() else urllib.parse.quote(url, safe=_SAFE)
