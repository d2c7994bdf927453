"""Bounces without a report of RFC 3464, as older servers write them. No I/O.

flufl.bounce knows their forms. What it finds counts as a message that came back, never
as proof that a mailbox is gone, and only if the mail names one of our messages by its
tag; whether it names that message's reader is asked where it is applied.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace
from email import message_from_bytes
from itertools import islice

from flufl.bounce import all_failures

from newsletter.clock import EARLIEST
from newsletter.feedback.bounces import date_of, head_of, tags_in_prose
from newsletter.feedback.event import DeliveryEvent, Kind

_SOURCE = "bounce without a report"
_MOST_BYTES = 30_000
"""What is searched: these mails begin with their explanation."""
_LONGEST_LINE = 300
"""Octets of a line: some expressions take time by the square of it."""
_MOST_WORDS = 400
_MOST_READERS = 20

# Else it prints tracebacks of its own.
_LOG = logging.getLogger("flufl.bounce")
_LOG.addHandler(logging.NullHandler())
_LOG.propagate = False


def read_odd_bounce(data: bytes) -> tuple[DeliveryEvent, ...]:
    """The news in a mail that is no report; none if it is no bounce, or of nothing of ours.

    Args:
        data: the mail as it arrived, or its beginning.
    """
    tags = tags_in_prose(data)
    if not tags:
        return ()
    text = b"\n".join(line[:_LONGEST_LINE] for line in data[:_MOST_BYTES].splitlines())
    try:
        temporary, permanent = all_failures(message_from_bytes(text))
    except Exception:  # noqa: BLE001 - a form meets what it does not expect: it is not this one
        return ()
    at = date_of(head_of(data))
    return tuple(
        replace(event, tags=tags, at=at)
        for kind, found in ((Kind.RETURNED, permanent), (Kind.DELAYED, temporary))
        for event in _events(kind, found, text)
    )


def _events(kind: Kind, addresses: frozenset[bytes], text: bytes) -> Iterator[DeliveryEvent]:
    for address in islice(sorted(addresses), _MOST_READERS):
        # What follows the address says why: words about a full mailbox or a policy must not
        # add up to one that is gone.
        _, named, words = text.partition(b"\n\n")[2].partition(address)
        said = (named + words)[:_MOST_WORDS].decode("utf-8", "replace")
        yield DeliveryEvent(
            frozenset(), kind, EARLIEST, _SOURCE, said, address.decode("utf-8", "replace")
        )
