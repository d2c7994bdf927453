"""Exports of other programs whose rows do not tell who left, known by name and header. No I/O.

In them each row looks like a reader. Either the file is one of those who left, bounced or never
joined, which stands in its name or its header; or it holds the active readers alone, and those
who left stand in another file.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from newsletter.audience.columns import fold
from newsletter.audience.standing import is_word_of_leaving, is_word_of_waiting

_UNSUBSCRIBED = (
    r"unsub\w*|opt(?:ed)? ?outs?|leavers?|desabonn\w*|desinscri\w*|desabonnements?|desuscri\w*|"
    r"bajas|disiscri\w*|cancellati|descadastr\w*|abgemeldete?[nr]?|abmeldung(?:en)?|"
    r"ausgetragene?n?|afgemeld\w*|afmelding(?:en)?|uitgeschreven\w*|wypisan\w*|avregistrerade|"
    r"abbestell\w*|kundigung(?:en)?|abgange|ausgetretene?n?|churned|"
    r"avmeldte|afmeldte|odhlasen\w*|leiratkozott\w*|dezabon\w*|отпис\w*|відпис\w*|الغاء الاشتراك"
)
_BOUNCED = (
    r"(?:hard|soft)? ?bounce[sd]?|(?:hard|soft)bounce[sd]?|undeliverable\w*|undelivered|"
    r"rebotes?|rebotados|rimbalz\w*|unzustellbar\w*|non distribu\w*|недостав\w*"
)
_COMPLAINED = (
    r"(?:spam|abuse) ?(?:reports?|complaints?)|complain\w*|plaintes|quejas|beschwerden|жалоб\w*"
)
_SUPPRESSED = (
    r"suppress\w*|suppression ?list|(?:black|block|deny|exclusion) ?list\w*|exclusions|"
    r"do ?not ?(?:e?mail|contact|send)|dnc|sperrliste|liste noire|lista negra|lista nera|"
    r"zwarte lijst|czarna lista|черныи список|robinson ?liste?"
)
_WAITING = (
    r"non ?subscri\w*|not subscribed|unconfirmed\w*|not confirmed|unactivated|non confirm\w*|"
    r"sin confirmar|unbestatigte?n?|nicht bestatigt\w*"
)
# A name that is one of these words alone; within a longer name they may mean something else.
_ALONE = (
    (r"cleaned(?: .*)?", "bounced"),
    (r"removed|deleted|left|gone|baja|inactive|cancelled", "unsubscribed"),
    (r"spam|junk|abuse", "complained"),
    (r"blocked|banned|excluded|rejected", "manual"),
    (r"pending|waiting", ""),
)
_KINDS = (
    (_WAITING, ""),
    (_COMPLAINED, "complained"),
    (_BOUNCED, "bounced"),
    (_UNSUBSCRIBED, "unsubscribed"),
    (_SUPPRESSED, "manual"),
)
_WITHOUT = (
    "without|minus|less|excl|excluding|except|no|not|non|ohne|sans|sin|sem|senza|zonder|bez|без"
)
_TAKEN_OUT = "removed|excluded|deleted|filtered|out|cleaned|free|entfernt|supprimes|eliminados"

_WORDS = {
    "unsubscribed": "readers who unsubscribed",
    "bounced": "addresses whose mail came back",
    "complained": "readers who called the mail spam",
    "manual": "addresses that must not be mailed",
    "": "people who never asked for the newsletter, or never confirmed",
}


@dataclass(frozen=True, slots=True)
class Leavers:
    """A file of people who must not be mailed.

    Attributes:
        told_by: what gives it away: ``its name, “bounces.csv”``.
        reason: of their suppression, as ``suppress add --reason`` takes it; "" if they may yet
            join, and so are not to be suppressed.
    """

    told_by: str
    reason: str

    @property
    def what(self) -> str:
        """Who is in it."""
        return _WORDS[self.reason]


_MOST_COLUMNS = 10
"""A list of readers with more may hold such a column as well, empty for most."""
# Columns, folded, that only such a file has; each with the reason. Mailgun, SES, SendGrid,
# Postmark, Sympa, coss. With “=” the header must be these columns and no others.
_HEADERS = (
    ({"code", "error"}, "bounced"),
    ({"reason", "lastupdatetime"}, "manual"),
    ({"reason", "status", "created"}, "bounced"),
    ({"suppressionreason"}, "manual"),
    ({"suppressiontype"}, "manual"),
    ({"bouncescore", "bouncecount"}, "bounced"),
    ({"bouncetype"}, "bounced"),
    ({"diagnosticcode"}, "bounced"),
    ({"complainttype"}, "complained"),
    ({"complaintfeedbacktype"}, "complained"),
    ({"scope", "reason"}, "manual"),
    ({"reason", "blockedat"}, "manual"),
    ({"=", "email", "created"}, "unsubscribed"),
    ({"=", "email", "ip", "created"}, "complained"),
    ({"=", "address", "createdat"}, "manual"),
    ({"=", "address", "tags", "createdat"}, "unsubscribed"),
)


def leavers_in(name: str, header: Sequence[str]) -> Leavers | None:
    """Whether a file of this name and header holds people who must not be mailed."""
    # A sheet is called “its name (its file)”, and either may tell.
    sheet = _OF_SHEET.fullmatch(name)
    reason = next(filter(_is_told, map(_by_name, sheet.groups() if sheet else (name,))), None)
    if reason is not None:
        return Leavers(f"its name, “{name}”", reason)
    folded = {fold(cell) for cell in header} - {""}
    for telltale, why in _HEADERS if len(folded) <= _MOST_COLUMNS else ():
        if folded == telltale - {"="} if "=" in telltale else telltale <= folded:
            columns = [cell.strip() for cell in header if fold(cell) in telltale]
            return Leavers(f"its columns, {', '.join(f'“{each}”' for each in columns)}", why)
    return None


_OF_SHEET = re.compile(r"(.+) \((.+\.\w{1,5})\)", re.DOTALL)


def _is_told(reason: str | None) -> bool:
    return reason is not None


def _by_name(name: str) -> str | None:
    stem = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", re.sub(r"\.\w{1,5}$", "", name))
    letters = unicodedata.normalize("NFKD", stem).casefold()
    plain = "".join(char for char in letters if not unicodedata.combining(char))
    words = re.sub(r"[\W\d_]+", " ", plain).strip()
    for pattern, reason in _ALONE:
        if re.fullmatch(pattern, words):
            return reason
    for pattern, reason in _KINDS:
        found = re.search(rf"\b(?:{pattern})\b", words)
        if not found:
            continue
        before, after = words[: found.start()].split(), words[found.end() :].split()
        if before and re.fullmatch(_WITHOUT, before[-1]):
            continue
        # “list, bounces removed” is free of them; “unsubscribed, cleaned” may be both.
        if after and re.fullmatch(_TAKEN_OUT, after[0]) and (before or after[0] != "cleaned"):
            continue
        return reason
    if is_word_of_waiting(words):
        return ""
    return "unsubscribed" if is_word_of_leaving(words) else None


_ADDRESS_BOOK = (
    "an address book does not say who unsubscribed",
    "the list of unsubscribed readers, in the program that sent the newsletter so far",
)
# Columns, folded; the program; why its leavers may be missing; the file to look for.
_ACTIVE = (
    (
        {"leid", "euid"},
        "Mailchimp",
        "unsubscribed and bounced addresses are in other files of the same ZIP",
        "unsubscribed_….csv and cleaned_….csv",
    ),
    (
        {"uuid", "attributes", "status"},
        "listmonk",
        "it does not mark readers who left a single list",
        "the subscribers whose subscription is “unsubscribed” "
        "(newsletter docs moving-from-listmonk)",
    ),
    (
        {"emailblacklisted"},
        "Brevo",
        "it does not mark readers who left a single list",
        "the export of the contacts who unsubscribed from that list",
    ),
    (
        {"alternateemails", "contactid"},
        "SendGrid",
        "unsubscribed and bounced addresses are in its suppressions",
        "the CSV files of Suppressions: global and group unsubscribes, bounces, spam reports",
    ),
    (
        {"subscribedat", "utmsource", "utmcampaign"},
        "Curated",
        "it holds only active subscribers",
        "the export of those who unsubscribed",
    ),
    ({"email1value"}, "Google Contacts", *_ADDRESS_BOOK),
    ({"email2address", "email3address"}, "Outlook", *_ADDRESS_BOOK),
    ({"connectedon", "url"}, "LinkedIn", *_ADDRESS_BOOK),
    ({"vcardversion", "categories"}, "an address book", *_ADDRESS_BOOK),
)
_TELLS = {"unsubtime", "cleantime"}
_ACTIVE_NAME = re.compile(
    r"(?:subscribed|active|confirmed)[_ -]|.*[_ -]?active[_ -](?:subscribers|contacts|members)",
    re.IGNORECASE,
)


def missing_leavers(name: str, header: Sequence[str]) -> tuple[str, str] | None:
    """What an export of active readers is, and what to look for; None if it is no such export."""
    folded = {fold(cell) for cell in header}
    if folded & _TELLS:
        return None
    for telltale, program, why, look_for in _ACTIVE:
        if telltale <= folded:
            return f"This looks like an export of {program}: {why}.", f"Look for {look_for}."
    if _ACTIVE_NAME.match(name):
        return (
            "By its name the list is an export of active readers: unsubscribed and bounced "
            "addresses are in other files.",
            "Look for unsubscribed_….csv, cleaned_….csv, suppressions or bounces.",
        )
    return None
