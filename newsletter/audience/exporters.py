"""Programs whose exports are known, by a set of columns that only theirs have. No I/O.

The order of columns and what else stands between them vary, so a header is recognised by its
telltale columns. What each says of a reader that :mod:`.standing` cannot tell by itself is in the
rules: who never confirmed, whom the officer excluded, whose mailbox is gone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from newsletter.audience.cells import trim
from newsletter.audience.columns import fold
from newsletter.audience.standing import Kind, may_mail
from newsletter.reader_states import ReaderState

_IN, _WAIT, _NEVER = ReaderState.IN, ReaderState.WAIT, ReaderState.NEVER
_DEAD, _LEFT, _SPAM = ReaderState.DEAD, ReaderState.LEFT, ReaderState.SPAM


@dataclass(frozen=True, slots=True)
class Rule:
    """What one column says.

    Attributes:
        column: its name, folded.
        state: of a row whose cell says yes, or no where ``kind`` is JOINED.
        kind: LEFT: a flag; LEFT_IF_FILLED: any value; JOINED: a flag that says who may be mailed.
        values: of a column of words: what each means, folded; empty: the column is a flag.
    """

    column: str
    state: ReaderState = _LEFT
    kind: Kind = Kind.LEFT
    values: Mapping[str, ReaderState] = field(default_factory=dict)

    def says(self, cell: str) -> ReaderState | None:
        """The state that a cell says; None: nobody can tell."""
        if self.values:
            return self.values.get(fold(cell), None if trim(cell) else self.values.get(""))
        allowed = may_mail(self.kind, cell)
        if allowed is None:
            return None
        return _IN if allowed else self.state


@dataclass(frozen=True, slots=True)
class Exporter:
    """A program's export.

    Attributes:
        program: its name.
        columns: the telltale columns, folded; all must be there.
        rules: what its columns say.
        address: the column of addresses, if its name is not a usual one.
        only: whether the header has these columns and no others.
        state_in_name: whether only the file's name says what its readers are.
    """

    program: str
    columns: frozenset[str]
    rules: tuple[Rule, ...] = ()
    address: str | None = None
    only: bool = False
    state_in_name: bool = False

    def knows(self, header: frozenset[str]) -> bool:
        """Whether a header, folded, is of such an export."""
        return self.columns == header if self.only else self.columns <= header


def _of(program: str, columns: str, *rules: Rule, **more: Any) -> Exporter:
    return Exporter(program, frozenset(columns.split()), rules, **more)


def _words(column: str, **states: str) -> Rule:
    """A column of words: ``left="unsubscribed removed"``; “_” is an empty cell."""
    values = {
        "" if word == "_" else word: ReaderState(state)
        for state, words in states.items()
        for word in words.split()
    }
    return Rule(column, values=values)


_STATUS = {
    "in_": "active subscribed enabled confirmed",
    "left": "unsubscribed inactive cancelled removed",
    "wait": "unconfirmed pending validating unactivated",
    "dead": "bounced invalid undeliverable cleaned",
    "spam": "complained junk spam complaint",
}


def _status(column: str = "status", **more: str) -> Rule:
    merged = {state.rstrip("_"): words for state, words in _STATUS.items()}
    for state, words in more.items():
        taken = set(words.split())
        merged = {s: " ".join(w for w in ws.split() if w not in taken) for s, ws in merged.items()}
        key = state.rstrip("_")
        merged[key] = f"{merged.get(key, '')} {words}"
    return _words(column, **merged)


_UNSUB_REASON = re.compile(r"abuse|spam|complain|junk", re.IGNORECASE)
_MAILCHIMP = "leid euid"
EXPORTERS = (
    _of("Mailchimp", f"{_MAILCHIMP} unsubtime", Rule("unsubtime", kind=Kind.LEFT_IF_FILLED)),
    _of("Mailchimp", f"{_MAILCHIMP} cleantime",
        Rule("cleantime", _DEAD, Kind.LEFT_IF_FILLED),
        Rule("cleancampaigntitle", _DEAD, Kind.LEFT_IF_FILLED),
        Rule("cleancampaignid", _DEAD, Kind.LEFT_IF_FILLED)),
    _of("Mailchimp", _MAILCHIMP, state_in_name=True),
    _of("Brevo", "emailblacklisted", Rule("emailblacklisted")),
    _of("Constant Contact", "emailstatus emailpermissionstatus",
        _status("emailstatus", in_="active", left="unsubscribed removed optedout"),
        _words("emailpermissionstatus", **{"in": "express implied explicit _ notset unknown",
               "wait": "pending pendingconfirmation awaitingconfirmation unconfirmed",
               "left": "optedout unsubscribed removed nopermission"})),
    _of("Substack", "emaildisabled", Rule("emaildisabled")),
    _of("Ghost", "subscribedtoemails", Rule("subscribedtoemails", _LEFT, Kind.JOINED),
        Rule("deletedat", _NEVER, Kind.LEFT_IF_FILLED)),
    _of("Buttondown", "subscribertype",
        _words("subscribertype", **{
            "in": "regular premium gifted trialed churning churned pastdue paid free",
            "wait": "unactivated upcoming", "left": "unsubscribed removed blocked",
            "never": "spammy", "dead": "undeliverable bounced", "spam": "complained"})),
    _of("beehiiv", "status tier createdat", _status(left="inactive unsubscribed")),
    _of("beehiiv", "status freetier", _status(left="inactive unsubscribed")),
    _of("listmonk", "uuid status attributes",
        _status(never="disabled", left="blocklisted blacklisted unsubscribed")),
    _of("listmonk", "uuid status attribs",
        _status(never="disabled", left="blocklisted blacklisted unsubscribed")),
    _of("phpList", "isthissubscriberconfirmed isthissubscriberblacklisted",
        Rule("isthissubscriberblacklisted"),
        Rule("isthissubscriberconfirmed", _WAIT, Kind.JOINED),
        Rule("isthisaccountdisabled", _NEVER),
        Rule("didthissubscribermanuallyconfirm", _IN)),
    _of("Sympa", "bouncescore bouncecount"),
    _of("Sympa", "email date reception visibility", _words("reception", never="nomail", **{
        "in": "_ mail html txt notice urlize digest digestplain summary notme"})),
    _of("CiviCRM", "contactid nobulkemailsuseroptout",
        Rule("nobulkemailsuseroptout"), Rule("donotemail", _NEVER), Rule("deceased", _NEVER),
        Rule("isdeceased", _NEVER), _words("onhold", **{
            "in": "_ 0 no none", "dead": "1 yes onholdbounce onholdbouncing",
            "left": "2 onholdoptout optout"})),
    _of("Google Contacts", "email1value", address="E-mail 1 - Value"),
    _of("Outlook", "emailaddress email2address", address="E-mail Address"),
    _of("HubSpot", "portalbounce portalunsubscribe", Rule("portalunsubscribe"),
        Rule("portalbounce", _DEAD), Rule("globalbounce", _DEAD), Rule("portalspamreport", _SPAM)),
    _of("HubSpot", "recordid unsubscribedfromallemail", Rule("unsubscribedfromallemail"),
        _words("marketingcontactstatus", **{
            "in": "marketing marketingcontact _ true yes", "never": "nonmarketing "
            "nonmarketingcontact nonmarketable notmarketing false no"}),
        _words("marketingemailconfirmation", **{
            "in": "_ confirmed doubleoptinconfirmed", "wait": "doubleoptinpending pending "
            "unconfirmed"})),
    _of("Salesforce", "hasoptedoutofemail", Rule("hasoptedoutofemail"),
        Rule("isemailbounced", _DEAD), Rule("emailbouncedreason", _DEAD, Kind.LEFT_IF_FILLED)),
    _of("Salesforce", "emailoptout", Rule("emailoptout")),
    _of("Kit", "firstname email createdat status", _status(wait="inactive"), only=True),
    _of("ActiveCampaign", "email firstname lastname phone tags datecreated ip status",
        _status(), only=True),
    _of("systeme.io", "email surname tags dateregistered"),
    _of("Curated", "subscribedat utmsource utmcampaign"),
    _of("Amazon SES", "reason lastupdatetime", _words("reason", dead="bounce", spam="complaint")),
    _of("SendGrid", "email created reason status",
        Rule("reason", _DEAD, Kind.LEFT_IF_FILLED), Rule("status", _DEAD, Kind.LEFT_IF_FILLED)),
    _of("coss", "address scope reason emailid"),
    _of("LinkedIn", "connectedon url"),
    _of("MailerLite", "optedinat status", _status()),
    _of("MailerLite", "subscribedat status", _status()),
    _of("Campaign Monitor", "emailaddress name date state",
        _status("state", left="unsubscribed deleted")),
)  # fmt: skip

SPAM_REASONS = frozenset(("unsubreason", "unsubreasonother"))
"""Columns, folded, with words that tell a complaint from a leave."""

_PHPLIST_MOST_NAMED = 13
_HEX_ID = re.compile(r"[0-9a-f]{32}")


def recognise(header: Sequence[str]) -> Exporter | None:
    """The export that a header is of; None if it is none of those known."""
    folded = frozenset(fold(cell) for cell in header) - {""}
    return next((each for each in EXPORTERS if each.knows(folded)), None)


def phplist_in_translation(header: Sequence[str], row: Sequence[str]) -> list[str] | None:
    """PhpList names its columns in the language of its user: told by what stands where.

    Returns:
        The header with its own English names; None if it is no such export.
    """
    if len(header) < _PHPLIST_MOST_NAMED or len(row) < _PHPLIST_MOST_NAMED or "@" not in row[1]:
        return None
    flags = all(trim(row[place]) in {"0", "1"} for place in (2, 3, 4, 9))
    if not flags or not row[0].isdecimal() or not _HEX_ID.fullmatch(trim(row[8])):
        return None
    return [*_PHPLIST, *header[len(_PHPLIST) :]]


_PHPLIST = (
    *("id", "Email", "Is this subscriber confirmed", "Is this subscriber blacklisted"),
    *("Did this subscriber manually confirm", "Number of bounces", "Entered", "Last Modified"),
    *("Unique ID", "Send this subscriber HTML emails", "RSS Frequency"),
    "Is this account disabled?",
)


def is_complaint(cell: str) -> bool:
    """Whether a reason for leaving says that the mail was called spam."""
    return bool(_UNSUB_REASON.search(cell))
