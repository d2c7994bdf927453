"""Asks the DNS whether the domains of a list take mail (RFC 5321, section 5.1).

The name of a domain is all that leaves this machine, and each is asked about once. What is not
answered in time says nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from newsletter.errors import InputError

if TYPE_CHECKING:
    from dns.resolver import Resolver

    from newsletter.clock import Clock

QUESTION_S = 4.0
"""Seconds for a question, with all that the resolver tries."""
MOST_S = 60.0
"""Seconds for all of them; no domain is begun later."""
MOST_DOMAINS = 100_000
"""Domains that are asked about, those of most readers first among the first so many."""
_THREADS = 8


@dataclass(frozen=True, slots=True)
class MailDomains:
    """What the DNS said of the domains of a list.

    Attributes:
        without_mail: domains that take no mail, and how many addresses each has; most first.
        unanswered: how many domains nobody answered for in time.
        with_mail: how many domains take mail.
    """

    without_mail: dict[str, int]
    unanswered: int
    with_mail: int


def ask_about(addresses: Iterable[str], clock: Clock) -> MailDomains:
    """Ask about the domain of each address, each domain once.

    Raises:
        InputError: this machine has no DNS resolver.
    """
    from dns.resolver import NoResolverConfiguration, get_default_resolver

    counts: Counter[str] = Counter()
    for address in addresses:
        domain = address.rpartition("@")[2]
        if domain in counts or len(counts) < MOST_DOMAINS:
            counts[domain] += 1
    try:
        resolver = get_default_resolver()
    except NoResolverConfiguration:
        raise InputError(
            "Domains cannot be asked about: this machine names no DNS server.",
            next="Leave --online out, or connect to a network.",
        ) from None
    until = clock.monotonic() + MOST_S

    def takes_mail(domain: str) -> bool | None:
        return _takes_mail(resolver, domain) if clock.monotonic() < until else None

    named = [domain for domain, _ in counts.most_common()]
    with ThreadPoolExecutor(_THREADS) as threads:
        answers = dict(zip(named, threads.map(takes_mail, named), strict=True))
    without = {domain: counts[domain] for domain in named if answers[domain] is False}
    said = Counter(answers.values())
    return MailDomains(without, said[None], said[True])


def _takes_mail(resolver: Resolver, domain: str) -> bool | None:
    """Whether a domain names a server for mail, or has an address of its own; None: not known."""
    from dns.exception import DNSException
    from dns.rdatatype import AAAA, MX, A
    from dns.resolver import NXDOMAIN, NoAnswer

    for kind in (MX, A, AAAA):
        try:
            # The dot at its end keeps the suffixes of this network from being tried.
            found = resolver.resolve(f"{domain}.", kind, lifetime=QUESTION_S)
        except NXDOMAIN:
            return False
        except NoAnswer:
            continue
        except (DNSException, OSError, ValueError):
            return None
        # A single “.” says that the domain takes no mail (RFC 7505).
        return kind is not MX or any(str(each.exchange) != "." for each in found)
    return False
