"""Verifies a provider's response against the call, and removes secrets from it. No I/O.

The same rules hold for all providers. An acceptance counts only with the id that the
documentation promises, and an id stands for one message. A row that names a recipient
counts only for that recipient. If any row names somebody else, or there are too few
or too many rows, the rows that name nobody count for nobody.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from newsletter.addresses import Address, AddressError
from newsletter.transports.api_result import Ambiguous, ApiResult, Each, Taken
from newsletter.transports.protocol import Accepted, InDoubt, Outcome
from newsletter.transports.provider import ApiMessage

_FIELDS = frozenset({"to", "email", "recipient", "recipients", "mail_rcpt"})
_LONGEST_ADDRESS = 1000


def verified(result: ApiResult, messages: Sequence[ApiMessage], *, title: str) -> ApiResult:
    """``result``, with everything in doubt that the response does not prove.

    Args:
        result: what the provider's file read.
        messages: of the call.
        title: the provider's name.

    Returns:
        If an :class:`Each`, with one result for each message.
    """
    match result:
        case Taken(reply=reply, ids=ids) if ids is not None:
            known = {each for each in ids if each}
            if not len(known) == len(ids) == len(messages):
                return Ambiguous(
                    f"{title} answered {reply} for {len(messages)}, and gave {len(known)} ids."
                )
        case Each():
            return Each(_each(result, messages, title))
    return result


def _each(result: Each, messages: Sequence[ApiMessage], title: str) -> list[Outcome]:
    count = len(messages)
    nobody: frozenset[str] = frozenset()
    named = [*result.named, *[nobody] * count][:count]
    fits = [
        message.message.envelope_to.suppression_key in names
        for message, names in zip(messages, named, strict=True)
    ]
    in_order = len(result.results) == count and all(
        fit or not names for fit, names in zip(fits, named, strict=True)
    )
    seen = Counter(each.provider_id for each in result.results if isinstance(each, Accepted))
    doubt = InDoubt(f"{title} answered, but not for this one of {count}.")
    results: list[Outcome] = []
    for place, (fit, names) in enumerate(zip(fits, named, strict=True)):
        told = fit or (in_order and not names)
        outcome = result.results[place] if told and place < len(result.results) else doubt
        if isinstance(outcome, Accepted) and _is_id(outcome.provider_id):
            outcome = outcome if seen[outcome.provider_id] == 1 else doubt
        results.append(outcome)
    return results


def _is_id(known: str | None) -> bool:
    """Whether it identifies one message; a provider's sandbox gives zeros to all."""
    return known is not None and known.strip("0-") != ""


def recipients_in(row: Any) -> frozenset[str]:
    """The recipients that a row of a response names, as their suppression keys."""
    if not isinstance(row, dict):
        return frozenset()
    return frozenset(
        _key(text)
        for field, value in row.items()
        if field.lower() in _FIELDS
        for text in _texts(value)
        if "@" in text
    )


def _texts(value: Any) -> Iterator[str]:
    """The texts of a field: one, or those of a list, each as itself or as an object's email."""
    for each in value if isinstance(value, list) else [value]:
        if isinstance(each, dict):
            each = each.get("email") or each.get("Email")  # noqa: PLW2901 - what the object stands for
        if isinstance(each, str):
            yield each


def _key(text: str) -> str:
    """The suppression key of an address in any form: with a name, in capitals, in IDNA."""
    plain = text[-_LONGEST_ADDRESS:].rpartition("<")[2].partition(">")[0].strip()
    try:
        return Address.parse(plain).suppression_key
    except AddressError:
        return plain.casefold()


def redacted(result: ApiResult, redact: Callable[[str], str]) -> ApiResult:
    """``result`` with words that can be shown and stored.

    Args:
        result: with the provider's own words.
        redact: such as :meth:`newsletter.transports.redaction.Redactor.redact`.
    """
    match result:
        case Taken(reply=reply, ids=ids):
            hidden = ids and tuple(known and redact(known) for known in ids)
            return Taken(redact(reply), hidden)
        case Each():
            return replace(result, results=[_redacted(each, redact) for each in result.results])
        case Ambiguous():
            return replace(result, reason=redact(result.reason))
        case _:
            return replace(result, reply=redact(result.reply))


def _redacted(outcome: Outcome, redact: Callable[[str], str]) -> Outcome:
    match outcome:
        case Accepted(reply=reply, provider_id=known):
            return Accepted(redact(reply), known and redact(known))
        case InDoubt():
            return InDoubt(redact(outcome.reason))
        case _:
            return replace(outcome, reply=redact(outcome.reply))
