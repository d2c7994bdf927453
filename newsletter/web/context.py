"""What every page of a public server works with."""

from __future__ import annotations

from dataclasses import dataclass

from newsletter.clock import Clock
from newsletter.render.public_pages import PublicPages
from newsletter.web.answers import Answers
from newsletter.web.bundle import Bundle
from newsletter.web.confirm_links import ConfirmLinks
from newsletter.web.events import PublicEvents
from newsletter.web.forms import Nonces
from newsletter.web.limits import RateLimit
from newsletter.web.log import PublicLog
from newsletter.web.sign_up_limits import FormBreaker
from newsletter.web.tokens import TokenReader

_UNKNOWN_EACH, _UNKNOWN_IN_ALL = 60, 600
"""Tokens of an unknown secret that a network, and all together, may bring in a minute."""


@dataclass(frozen=True, slots=True)
class Context:
    """What every page of a public server works with.

    Attributes:
        bundle: what the server may know.
        clock: tells the time.
        answers: makes the pages.
        events: the way into the log.
        tokens: reads the tokens of links.
        nonces: tie a form to its page.
        links: makes and reads the links of sign-ups.
        breaker: closes the sign-up form when it is misused.
    """

    bundle: Bundle
    clock: Clock
    answers: Answers
    events: PublicEvents
    tokens: TokenReader
    nonces: Nonces
    links: ConfirmLinks
    breaker: FormBreaker

    @classmethod
    def of(cls, bundle: Bundle, pages: PublicPages, log: PublicLog, clock: Clock) -> Context:
        """That of one server, which serves one log.

        Raises:
            LedgerRefused: the log cannot be read.
        """
        limit = RateLimit(each=_UNKNOWN_EACH, total=_UNKNOWN_IN_ALL, clock=clock)
        return cls(
            bundle,
            clock,
            Answers(pages),
            PublicEvents(log, bundle, clock),
            TokenReader(bundle.verifier, limit),
            Nonces(log.form_key, clock),
            ConfirmLinks(bundle.verifier, clock),
            FormBreaker(clock),
        )
