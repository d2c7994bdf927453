"""What the inbox shows before the mail is opened: subject, preheader, title."""

from __future__ import annotations

import re
from collections.abc import Iterator

from newsletter.checks.check_input import CheckInput
from newsletter.checks.finding import Flaw, Severity, check
from newsletter.checks.page import words
from newsletter.render.slots import TOKEN

SUBJECT_LONG = 50
"""What a desktop inbox shows for certain, in characters."""
PREHEADER_SHORT = 30
"""Below this the inbox fills the line with the first words of the mail."""
PREHEADER_LONG = 110
"""What no inbox shows any more."""
_REPLY = re.compile(r"\s*(?:re|fwd?|aw|wg|tr|rv)\s*:", re.IGNORECASE)
_NAME = "m" * 8
"""Stands for a reader's value where lengths are counted."""


def _shown(text: str) -> str:
    return TOKEN.sub(_NAME, text).strip()


def _in_subject(given: CheckInput, severity: Severity, what: str, mend: str) -> Flaw:
    return Flaw(severity, what, mend, given.at("subject"))


def _in_preheader(given: CheckInput, severity: Severity, what: str, mend: str) -> Flaw:
    return Flaw(severity, what, mend, given.at("preheader"))


@check("subject-long", why="Inboxes cut a long subject off, phones after 33 to 48 characters.")
def subject_long(given: CheckInput) -> Iterator[Flaw]:
    """More than 50 characters."""
    length = len(_shown(given.edition.subject))
    if length > SUBJECT_LONG:
        yield _in_subject(
            given,
            Severity.WARNING,
            f"The subject has {length} characters; {SUBJECT_LONG} are shown.",
            "Put the most important words first, and the rest in the preheader.",
        )


@check("subject-shouts", why="Spam filters count capitals and repeated exclamation marks.")
def subject_shouts(given: CheckInput) -> Iterator[Flaw]:
    """All in capitals, or with exclamation marks in a row."""
    subject = TOKEN.sub("", given.edition.subject)
    letters = [char for char in subject if char.isalpha()]
    if len(letters) > 5 and all(char.isupper() for char in letters):
        yield _in_subject(
            given,
            Severity.WARNING,
            "The subject is written in capitals.",
            "Write it as a sentence.",
        )
    if re.search(r"[!?！？]{2,}", subject):
        yield _in_subject(
            given,
            Severity.WARNING,
            "The subject has several exclamation or question marks in a row.",
            "One is enough.",
        )


@check("subject-reply", why="A newsletter that looks like a reply is treated as spam.")
def subject_reply(given: CheckInput) -> Iterator[Flaw]:
    """A subject that starts with Re: or Fwd:."""
    found = _REPLY.match(given.edition.subject)
    if found:
        yield _in_subject(
            given,
            Severity.WARNING,
            f"The subject starts with “{found.group().strip()}”.",
            "Take it out.",
        )


@check(
    "preheader-missing",
    why="The inbox then shows whatever the mail starts with, often “View in browser”.",
)
def preheader_missing(given: CheckInput) -> Iterator[Flaw]:
    """No preheader, or one that the HTML does not carry."""
    preheader = _shown(given.edition.preheader)
    if preheader and words(preheader) in words(_shown(" ".join(given.page.itertext()))):
        return
    yield _in_preheader(
        given,
        Severity.ERROR if preheader else Severity.WARNING,
        "The mail does not contain its preheader." if preheader else "There is no preheader.",
        "Write under “preheader” one line that continues the subject; the theme must show "
        "it in <mj-preview>.",
    )


@check(
    "preheader-repeats", why="Inboxes show it beside the subject, so the same words appear twice."
)
def preheader_repeats(given: CheckInput) -> Iterator[Flaw]:
    """A preheader equal to the subject."""
    edition = given.edition
    if words(edition.preheader).strip() and words(edition.preheader) == words(edition.subject):
        yield _in_preheader(
            given,
            Severity.ERROR,
            "The preheader repeats the subject.",
            "Say what else is in the issue.",
        )


@check(
    "preheader-length",
    why="Inboxes show 40 to 100 characters and fill a shorter one with the start of the mail.",
)
def preheader_length(given: CheckInput) -> Iterator[Flaw]:
    """Fewer than 30 or more than 110 characters."""
    length = len(_shown(given.edition.preheader))
    if 0 < length < PREHEADER_SHORT or length > PREHEADER_LONG:
        yield _in_preheader(
            given,
            Severity.WARNING,
            f"The preheader has {length} characters; {PREHEADER_SHORT} to {PREHEADER_LONG} fit.",
            "Say in one line what else is in the issue, the most important first.",
        )


@check("title-missing", why="Screen readers and browser tabs name the mail by its title.")
def title_missing(given: CheckInput) -> Iterator[Flaw]:
    """An empty ``<title>``."""
    if not (given.page.findtext(".//title") or "").strip():
        yield Flaw(
            Severity.ERROR,
            "The mail has no title.",
            "Put <mj-title>{{ issue.title }}</mj-title> in the theme's mail.mjml.j2.",
            given.theme_place,
        )
