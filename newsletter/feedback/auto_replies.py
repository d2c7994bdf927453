"""Automatic replies: out of office, receipts, answers of help desks. No I/O.

RFC 3834 has one field for them, and programs older than it have many. They are
counted and nothing follows from them.
"""

from __future__ import annotations

import re

from newsletter.feedback.bounces import Fields, first

_FIELDS = frozenset(
    {
        *("x-autoreply", "x-autorespond", "x-autoresponse", "x-autoresponder", "x-auto-reply"),
        *("x-autoreply-from", "x-mail-autoreply", "x-vacation", "autoresponder", "auto-reply"),
    }
)
_SUBJECT = re.compile(
    r"\s*(?:auto(?:matic|mated)?[ -]?(?:re(?:ply|sponse))|auto:|out of (?:the )?office|on vacation"
    r"|automatische antwort|abwesen|r[ée]ponse automatique|absence du bureau"
    r"|respuesta autom[áa]tica|fuera de (?:la )?oficina|risposta automatica|fuori sede"
    r"|resposta autom[áa]tica|automatisch antwoord|afwezig|odpowied[źz] automatyczna"
    r"|automatyczna odpowied[źz]|автоответ|автоматический ответ|رد تلقائي|otomatik yan[ıi]t"
    r"|automatiskt? svar|autosvar)",
    re.IGNORECASE,
)
_MACHINES = re.compile(r"\b(?:mailer-daemon|postmaster)@|<>", re.IGNORECASE)


def is_auto_reply(head: Fields, subject: str) -> bool:
    """Whether a mail that is no bounce was written by a program in reply to ours.

    Args:
        head: its fields.
        subject: decoded.
    """
    if "report-type=" in first(head, "content-type").lower().replace('"', ""):
        # A receipt (RFC 8098) is one; a bounce or complaint about other mail is none.
        return "disposition-notification" in first(head, "content-type").lower()
    if "x-failed-recipients" in head or _MACHINES.search(first(head, "from")[:500]):
        return False  # a bounce, in whatever form: a person looks at it
    submitted = first(head, "auto-submitted").lower()
    return (
        submitted.startswith("auto-")
        or first(head, "precedence").lower().replace("-", "_") == "auto_reply"
        or not _FIELDS.isdisjoint(head)
        or _SUBJECT.match(subject) is not None
    )


def says_it_replies(head: Fields) -> bool:
    """Whether RFC 3834's own field calls a mail a reply of a program."""
    return first(head, "auto-submitted").lower().startswith("auto-replied")
