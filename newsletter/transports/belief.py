"""What may be believed of a provider's answer: whose it is, and in which words. No I/O.

One rule for all providers. An acceptance is one that comes with the id that the
documentation promises; an id stands for one letter. A row that names a reader is
held against whom we asked for at its place; where any does not fit, or there are
too few or too many, rows that name nobody say nothing. Nobody is accepted or
rejected for the place of a row alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from newsletter.addresses import Address, AddressError
from newsletter.transports.answers import Ambiguous, ApiResult, Each, Taken
from newsletter.transports.protocol import Accepted, InDoubt, Outcome
from newsletter.transports.provider import ApiMessage

_FIELDS = frozenset({"to", "email", "recipient", "recipients", "mail_rcpt"})
_LONGEST_ADDRESS = 1000


def believed(result: ApiResult, letters: Sequence[ApiMessage], *, title: str) -> ApiResult:
    """``result``, with everything in doubt that cannot be told.

    Args:
        result: what the provider read.
        letters: whom the call carried.
        title: the provider, as it writes itself.

    Returns:
        If an :class:`Each`, with one result for each letter.
    """
    match result:
        case Taken(reply=reply, ids=ids) if ids is not None:
            known = {each for each in ids if each}
            if not len(known) == len(ids) == len(letters):
                return Ambiguous(
                    f"{title} answered {reply} for {len(letters)}, and gave {len(known)} ids."
                )
        case Each():
            return Each(_each(result, letters, title))
    return result


def _each(result: Each, letters: Sequence[ApiMessage], title: str) -> list[Outcome]:
    count = len(letters)
    nobody: frozenset[str] = frozenset()
    named = [*result.named, *[nobody] * count][:count]
    fits = [
        letter.message.envelope_to.suppression_key in names
        for letter, names in zip(letters, named, strict=True)
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
    """Whether it tells one letter from another; a provider's sandbox gives noughts to all."""
    return known is not None and known.strip("0-") != ""


def whom(row: Any) -> frozenset[str]:
    """Whom a row of an answer names, as :attr:`Address.suppression_key` writes them."""
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
    """The text of a field: itself, or those of a list, each on its own or as an object's email."""
    for each in value if isinstance(value, list) else [value]:
        if isinstance(each, dict):
            each = each.get("email") or each.get("Email")  # noqa: PLW2901 - what the object stands for
        if isinstance(each, str):
            yield each


def _key(text: str) -> str:
    """An address as providers give it back: with a name, in capitals, in letters of its country."""
    plain = text[-_LONGEST_ADDRESS:].rpartition("<")[2].partition(">")[0].strip()
    try:
        return Address.parse(plain).suppression_key
    except AddressError:
        return plain.casefold()


def worded(result: ApiResult, said: Callable[[str], str]) -> ApiResult:
    """``result`` in words that can be shown and stored.

    Args:
        result: with the provider's own words in it.
        said: makes them fit, see :meth:`newsletter.transports.words.Secrets.said`.
    """
    match result:
        case Taken(reply=reply, ids=ids):
            hidden = ids and tuple(known and said(known) for known in ids)
            return Taken(said(reply), hidden)
        case Each():
            return replace(result, results=[_worded(each, said) for each in result.results])
        case Ambiguous():
            return replace(result, reason=said(result.reason))
        case _:
            return replace(result, reply=said(result.reply))


def _worded(outcome: Outcome, said: Callable[[str], str]) -> Outcome:
    match outcome:
        case Accepted(reply=reply, provider_id=known):
            return Accepted(said(reply), known and said(known))
        case InDoubt():
            return InDoubt(said(outcome.reason))
        case _:
            return replace(outcome, reply=said(outcome.reply))
