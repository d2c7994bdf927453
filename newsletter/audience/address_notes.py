"""What is odd about addresses that can be used: likely slips, roles, throw-away mailboxes. No I/O.

They are counted and shown. None is changed, and none is left out.
"""

from __future__ import annotations

from collections import Counter
from functools import lru_cache

from newsletter.addresses import Address

_KNOWN_WORDS = (
    "gmail.com googlemail.com outlook.com outlook.fr outlook.es outlook.de hotmail.com "
    "hotmail.fr hotmail.es hotmail.it hotmail.de hotmail.co.uk live.com live.fr live.nl "
    "msn.com yahoo.com yahoo.fr yahoo.es yahoo.it yahoo.de yahoo.co.uk yahoo.com.br ymail.com "
    "aol.com icloud.com me.com mac.com gmx.de gmx.net gmx.at gmx.ch web.de t-online.de "
    "freenet.de posteo.de mailbox.org orange.fr wanadoo.fr free.fr sfr.fr laposte.net "
    "bluewin.ch libero.it tiscali.it alice.it virgilio.it telefonica.net terra.es mail.ru "
    "yandex.ru rambler.ru bk.ru inbox.ru proton.me protonmail.com riseup.net wp.pl o2.pl "
    "onet.pl interia.pl skynet.be telenet.be ziggo.nl kpnmail.nl xs4all.nl btinternet.com "
    "comcast.net ec.europa.eu europarl.europa.eu"
)
_KNOWN = tuple(_KNOWN_WORDS.split())
_MAY_BE_WORDS = "mail.com email.com gmx.com ymail.com live.de gmx.fr mail.de"
_MAY_BE = frozenset(_MAY_BE_WORDS.split())
"""Real domains one letter from another."""
_SHORTEST = 6
_ENDINGS = {"con": "com", "cmo": "com", "vom": "com", "comm": "com", "ogr": "org", "nte": "net"}
_ROLE_WORDS = (
    "info contact office admin administrator postmaster webmaster hostmaster abuse support "
    "help sales marketing press presse prensa media news newsletter team hello hallo bonjour "
    "kontakt contacto contatto secretariat sekretariat secretaria segreteria noreply no-reply "
    "service mail post billing accounts jobs hr"
)
_ROLES = frozenset(_ROLE_WORDS.split())
_THROW_AWAY_WORDS = (
    "mailinator.com guerrillamail.com guerrillamail.info 10minutemail.com yopmail.com "
    "yopmail.fr trashmail.com trash-mail.com tempmail.com temp-mail.org throwawaymail.com "
    "sharklasers.com getnada.com dispostable.com maildrop.cc mailnesia.com mintemail.com "
    "fakeinbox.com spamgourmet.com wegwerfemail.de discard.email mohmal.com emailondeck.com "
    "grr.la"
)
_THROW_AWAY = frozenset(_THROW_AWAY_WORDS.split())


_MOST_SLIPS = 10_000


class AddressNotes:
    """Counts what is odd about the addresses of a move."""

    def __init__(self) -> None:
        self.slips: Counter[tuple[str, str]] = Counter()
        """Domains that look mistyped, each with what is meant."""
        self.roles = 0
        """Addresses of an office rather than a person."""
        self.throw_away = 0
        """Addresses at services for mailboxes of a few minutes."""

    def take(self, address: Address) -> None:
        """Look at one address."""
        domain = address.domain
        meant = meant_domain(domain)
        if meant and (len(self.slips) < _MOST_SLIPS or (domain, meant) in self.slips):
            self.slips[domain, meant] += 1
        if address.local.casefold() in _ROLES:
            self.roles += 1
        if domain in _THROW_AWAY:
            self.throw_away += 1


@lru_cache(maxsize=65_536)
def meant_domain(domain: str) -> str:
    """The well-known domain that one is a likely slip for; "" if it looks right."""
    if domain in _KNOWN or domain in _MAY_BE or len(domain) < _SHORTEST:
        return ""
    candidates = {known for part in _without_one(domain) for known in _NEARLY.get(part, ())}
    if near := next((known for known in sorted(candidates) if _is_near(domain, known)), ""):
        return near
    name, _, ending = domain.rpartition(".")
    return f"{name}.{_ENDINGS[ending]}" if ending in _ENDINGS else ""


def _without_one(domain: str) -> set[str]:
    """A domain, and what is left of it without any one letter."""
    return {domain, *(domain[:place] + domain[place + 1 :] for place in range(len(domain)))}


_NEARLY: dict[str, list[str]] = {}
for _known in _KNOWN:
    for _part in _without_one(_known):
        _NEARLY.setdefault(_part, []).append(_known)


def _is_near(one: str, other: str) -> bool:
    """Whether one letter is missing, added, another one, or two neighbours are swapped."""
    if len(other) < _SHORTEST or abs(len(one) - len(other)) > 1:
        return False
    start = next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), None)
    if start is None:
        return len(one) != len(other)
    a, b = one[start:], other[start:]
    swapped = a[1:2] + a[:1] + a[2:] == b
    return a[1:] == b[1:] or a[1:] == b or a == b[1:] or swapped
