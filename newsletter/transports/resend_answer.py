"""What an answer of Resend's API means. No I/O.

An error is believed only in the shape that Resend documents, JSON with a
``name`` and a ``message``: a gateway on the way says nothing about the mail.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from newsletter.transports.http import Answer, retry_after_s

_CHECK_ACCOUNT = "Look at your account at Resend, then run “newsletter resume ISSUE”."
_QUOTAS = frozenset({"daily_quota_exceeded", "monthly_quota_exceeded"})


@dataclass(frozen=True, slots=True)
class Taken:
    """All of the batch was accepted; ``ids`` in its order, None where they were lost."""

    reply: str
    ids: tuple[str | None, ...] | None


@dataclass(frozen=True, slots=True)
class Refused:
    """Nothing of the batch was accepted, for something in it."""

    reply: str


@dataclass(frozen=True, slots=True)
class Later:
    """Nothing of the batch was accepted; ask again after ``retry_after_s`` seconds."""

    reply: str
    retry_after_s: float | None


@dataclass(frozen=True, slots=True)
class Stop:
    """Nothing of the batch was accepted, and nothing else will be."""

    reply: str
    next: str


@dataclass(frozen=True, slots=True)
class Ambiguous:
    """Nobody knows; ``final`` where asking again cannot tell either."""

    reason: str
    final: bool = False


Verdict = Taken | Refused | Later | Stop | Ambiguous


def read_answer(answer: Answer, *, now: datetime) -> Verdict:
    """Classify an answer to a batch."""
    if 200 <= answer.status < 300:
        return _success(answer)
    if answer.status == 408 or not 400 <= answer.status < 500:
        return Ambiguous(f"Resend answered with HTTP status {answer.status}.")
    error = answer.json()
    if not _is_error(error):
        return Ambiguous(f"Something on the way answered with HTTP status {answer.status}.")
    name: str = error["name"]
    reply = f"{answer.status} {name}: {error['message']}"
    match answer.status:
        case 400 | 413 | 422 if name not in {"invalid_access", "invalid_idempotency_key"}:
            return Refused(reply)
        case 409 if name == "concurrent_idempotent_requests":
            return Ambiguous(reply)
        case 409:
            return Ambiguous(reply, final=True)
        case 429 if name not in _QUOTAS:
            return Later(reply, retry_after_s(answer.headers, now=now))
        case _:
            # The key, the domain, the quota, the address of the API: nobody's mail
            # will be taken, and no reader is to blame.
            return Stop(reply, _CHECK_ACCOUNT)


def _success(answer: Answer) -> Verdict:
    if not answer.is_json:
        return Ambiguous(f"Something on the way answered with HTTP status {answer.status}.")
    reply = f"{answer.status} accepted"
    value = answer.json()
    if value is None:
        # Resend says this only of the batch as a whole; just the ids are lost.
        return Taken(reply, None)
    rows = value.get("data") if isinstance(value, dict) else None
    if not isinstance(rows, list):
        return Ambiguous(f"Resend answered with HTTP status {answer.status}, but without ids.")
    return Taken(reply, tuple(_id(row) for row in rows))


def _is_error(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and isinstance(value.get("name"), str)
        and isinstance(value.get("message"), str)
    )


def _id(row: Any) -> str | None:
    found = row.get("id") if isinstance(row, dict) else None
    return found if isinstance(found, str) else None
