"""Web and mail addresses within texts, and the one form of a host name. No I/O.

Host names become A-labels as browsers make them: UTS 46 without transitional
mapping, then IDNA 2008 (RFC 5891). Two spellings of a host are compared, and an
address is written into a mail, in that form alone.
"""

from __future__ import annotations

import functools
import re
import urllib.parse
from collections.abc import Iterator
from typing import NamedTuple

_HOST_END = re.compile(r"[/?#\\]")
_NO_PART = (
    r"\s<>\"“”„‟«»‹›‘`|—–。，、；：！？（）「」『』【】《》〈〉،؛؟۔…"
    r"\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff"
)
_NO_END = frozenset(".,:;!?'’*_~\u200c\u200d\u00ad")
_BRACKETS = {")": "(", "]": "[", "}": "{"}
_LONGEST = 2_000
_LONGEST_LABEL = 63
_URL = rf"(?:[^{_NO_PART},;]|[,;](?!https?://)){{1,{_LONGEST}}}+"
_LABEL = r"[^\W_](?:[\w-]{0,61}[^\W_])?"
_ADDRESS = re.compile(
    rf"(?P<web>(?<![A-Za-z0-9.+-])https?://{_URL}|(?<![\w.@/:-])www\.{_URL})"
    # Behind these signs, or an apostrophe within a word, only the end of an address would stand.
    r"|(?<![\w.+@/:#!$%&=?^{}~-])(?<!\w['’])(?P<mail>(?P<scheme>mailto:)?"
    r"(?:(?:o|\w{1,32}+[._+-][\w.+-]{0,32}+)')?"
    r"[^\W\u1100-\uffff](?:[\w.+-]{0,62}[\w+-])?"
    rf"@(?:{_LABEL}\.){{1,8}}(?:xn--[\w-]{{1,58}}+|[^\W\d_]{{2,63}}+)(?![\w@])"
    rf"(?(scheme)(?:\?{_URL})?))",
    re.IGNORECASE,
)


class Found(NamedTuple):
    """An address in a text.

    Attributes:
        start: where it begins.
        end: the place behind it.
        url: where it leads, with its scheme.
    """

    start: int
    end: int
    url: str


def find_addresses(text: str) -> Iterator[Found]:
    """Each web or mail address that stands in a text, without the punctuation behind it.

    ``https://…``, ``http://…``, ``www.…``, ``mailto:…`` and ``name@example.org``. A closing
    bracket belongs to an address that holds the opening one.
    """
    for found in _ADDRESS.finditer(text):
        if address := _address(found):
            yield address


def web_address_at(text: str) -> Found | None:
    """The address of :func:`find_addresses` that begins the text."""
    found = _ADDRESS.match(text)
    return _address(found) if found else None


def _address(found: re.Match[str]) -> Found | None:
    written = _trimmed(found.group())
    if found["mail"]:
        url = written if found["scheme"] else f"mailto:{written}"
    else:
        url = written if written[:4].lower() == "http" else f"https://{written}"
        if not re.search(r"\w", _parts(url)[2]):
            return None
    return Found(found.start(), found.start() + len(written), url)


def _trimmed(written: str) -> str:
    """An address without what ends the sentence or closes a bracket around it."""
    opened = []
    end = len(written)
    for place, char in enumerate(written):
        if char in _BRACKETS.values():
            opened.append(char)
        elif char in _BRACKETS and (not opened or opened.pop() != _BRACKETS[char]):
            end = place
            break
    while end and written[end - 1] in _NO_END:
        end -= 1
    return written[:end]


def ascii_host(host: str) -> str:
    """A host name in small letters and A-labels: ``xn--mnchen-3ya.example`` for MÜNCHEN.example.

    A name that no browser could look up is only written in small letters; a port stays.
    """
    name, colon, port = host.partition(":") if not host.startswith("[") else (host, "", "")
    if "%" in name:
        name = urllib.parse.unquote(name)
    if not name.isascii():
        name = _a_labels(name)
    return name.lower() + colon + port


@functools.lru_cache(maxsize=256)
def _a_labels(name: str) -> str:
    import idna

    try:
        mapped = idna.uts46_remap(name, std3_rules=False, transitional=False)
        return ".".join(_a_label(label) for label in mapped.split("."))
    except (idna.IDNAError, UnicodeError):
        return name


def _a_label(label: str) -> str:
    import idna

    if label.isascii():
        return label
    try:
        return idna.alabel(label).decode()
    except idna.IDNAError:
        # A symbol, such as a heart: IDNA 2008 has none, browsers look them up all the same.
        symbols = f"xn--{label.encode('punycode').decode()}"
        if len(symbols) > _LONGEST_LABEL:
            raise
        return symbols


def with_ascii_host(address: str) -> str:
    """A web or mail address with its host in A-labels; all else, and a plain host, as it is."""
    if address.isascii():
        return address
    if address[:7].lower() == "mailto:":
        mailboxes, mark, rest = address[7:].partition("?")
        return address[:7] + ",".join(map(_mailbox, mailboxes.split(","))) + mark + rest
    scheme, user, host, rest = _parts(address)
    return address if host.isascii() else scheme + user + ascii_host(host) + rest


def _mailbox(address: str) -> str:
    local, at, host = address.rpartition("@")
    return address if host.isascii() else local + at + ascii_host(host)


def _parts(url: str) -> tuple[str, str, str, str]:
    """``https://``, ``user@``, host with its port, and the rest."""
    scheme, separator, rest = url.partition("://")
    if not separator:
        return "", "", "", url
    found = _HOST_END.search(rest)
    end = found.start() if found else len(rest)
    user, at, host = rest[:end].rpartition("@")
    return scheme + separator, user + at, host, rest[end:]


def host_in(url: str) -> str:
    """The host of a web address in its one form, with the port if it names one; else ""."""
    return ascii_host(_parts(url)[2])


def canonical(url: str) -> str:
    """One form for the spellings of an address that lead to the same place.

    Paths are percent-encoded or not, hosts written in any letters; this form is
    for comparing alone.
    """
    url = with_ascii_host(url)
    if url[:7].lower() == "mailto:":
        mailboxes, mark, rest = url[7:].partition("?")
        lowered = (_lower_host(urllib.parse.unquote(each)) for each in mailboxes.split(","))
        return "mailto:" + ",".join(lowered) + mark + urllib.parse.unquote(rest)
    try:
        parts = urllib.parse.urlsplit(url)
        port = parts.port
    except ValueError:  # no host that a browser could look up; then spelling is all there is
        return url
    host = ascii_host(parts.hostname or "")
    if port and (parts.scheme.lower(), port) not in {("https", 443), ("http", 80)}:
        host = f"{host}:{port}"
    path = urllib.parse.unquote(parts.path) or ("/" if host else "")
    query, fragment = urllib.parse.unquote(parts.query), urllib.parse.unquote(parts.fragment)
    return urllib.parse.urlunsplit((parts.scheme.lower(), host, path, query, fragment))


def _lower_host(address: str) -> str:
    local, at, host = address.rpartition("@")
    return local + at + ascii_host(host)
