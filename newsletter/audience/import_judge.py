"""What a row of an export says of its reader: the strongest state, since when, and the consent.

No I/O. The rules of a known program come first (:mod:`.exporters`); every other column is read
as in a list (:mod:`.standing`). Whatever must not be mailed and says no more has left.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from newsletter.audience.cells import trim
from newsletter.audience.columns import Columns, fold
from newsletter.audience.dates import Span, read_date
from newsletter.audience.exporters import SPAM_REASONS, Exporter, is_complaint
from newsletter.audience.exports import leavers_in
from newsletter.audience.standing import Kind, Standing, Unclear
from newsletter.reader_states import ReaderState

OF_FILE = {
    "unsubscribed": ReaderState.LEFT,
    "bounced": ReaderState.DEAD,
    "complained": ReaderState.SPAM,
    "manual": ReaderState.LEFT,
    "": ReaderState.WAIT,
}
"""What :class:`.exports.Leavers` calls a reason, as a state."""
_CONFIRMED_WORDS = (
    "confirmtime optedinat confirmedat confirmationdate optinconfirmedat doubleoptindate"
)
_CONFIRMED = frozenset(_CONFIRMED_WORDS.split())
_CONSENT_WORDS = (
    "optintime subscribedat createdat dateadded addedtime dateregistered entered creationdate "
    "subscriptiondate joined joindate datecreated emailpermissionstatus doubleoptin optin consent "
    "didthissubscribermanuallyconfirm acquisitionsource source"
)
_CONSENT = _CONFIRMED | frozenset(_CONSENT_WORDS.split())
_SUPPRESSED_AT = frozenset(("created", "createdat", "lastupdatetime", "date"))
"""In a file of those who left, since when they are in it."""
_OF_LEAVING = frozenset((Kind.LEFT, Kind.LEFT_IF_FILLED))
_LONGEST_WORDS = 80
_MOST_CONSENT = 6


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """What a person said about the files.

    Attributes:
        column: the name of the column of addresses, or its number in a file without a header.
        state: what all rows of a file of that name say, where they say nothing stronger.
        mail: values that let a row be mailed, each “Column=value”.
        no_mail: values that stop it.
        fields: further columns to keep for merge fields.
        mend: whether damaged letters are taken for what they seem to have been.
    """

    column: str | None = None
    state: Mapping[str, ReaderState] = field(default_factory=dict)
    mail: Sequence[str] = ()
    no_mail: Sequence[str] = ()
    fields: Sequence[str] = ()
    mend: bool = False


class Judge:
    """What the cells of a row say of its reader."""

    def __init__(
        self,
        header: Sequence[str],
        columns: Columns,
        exporter: Exporter | None,
        options: ImportOptions,
    ) -> None:
        self.answered: set[str] = set()
        """Columns that any row fills in: a blank beside it is doubtful."""
        folded = [fold(name) for name in header]
        rules = exporter.rules if exporter else ()
        self._rules = [
            (folded.index(rule.column), header[folded.index(rule.column)].strip(), rule)
            for rule in rules
            if rule.column in folded
        ]
        ruled = {index for index, _, _ in self._rules}
        decided = Standing.of(header, columns.used, options.mail, options.no_mail)
        self._decided = {fold(each.partition("=")[0]) for each in (*options.mail, *options.no_mail)}
        self._columns = [
            Standing((each,), decided.mail, decided.no_mail)
            for each in decided.columns
            if each[0] not in ruled or fold(each[1]) in self._decided
        ]
        self._dates = [
            index
            for index, _, kind in decided.columns
            if kind in _OF_LEAVING
        ]  # fmt: skip
        self._reasons = [index for index, name in enumerate(folded) if name in SPAM_REASONS]
        self._since = [index for index, name in enumerate(folded) if name in _SUPPRESSED_AT]
        self._confirmed = [index for index, name in enumerate(folded) if name in _CONFIRMED]
        self._consent = [
            (index, header[index].strip()) for index, name in enumerate(folded) if name in _CONSENT
        ]

    def row(self, cells: Sequence[str]) -> tuple[ReaderState, Span | None, list[Unclear]]:
        """The strongest state that a row says, since when, and the values to ask about."""
        found = ReaderState.IN
        unclear: list[Unclear] = []
        for standing in self._columns:
            self.answered.update(standing.answered(cells))
            why, asked = standing.judge(cells)
            unclear += asked
            if why:
                found = max(found, _state_of(why), key=lambda each: each.rank)
        for index, name, rule in self._rules:
            if fold(name) in self._decided:
                continue
            said = rule.says(cells[index])
            if said is None:
                unclear.append(Unclear(f"{name}={trim(cells[index])[:60]}", ""))
            else:
                found = max(found, said, key=lambda each: each.rank)
        if found is ReaderState.LEFT and any(is_complaint(cells[n]) for n in self._reasons):
            found = ReaderState.SPAM
        return found, None if found is ReaderState.IN else self._latest(cells, self._dates), unclear

    def since(self, cells: Sequence[str]) -> Span | None:
        """Since when a row is in a file of those who left."""
        return self._latest(cells, self._dates) or self._latest(cells, self._since)

    def consent(self, cells: Sequence[str]) -> tuple[Span | None, dict[str, str]]:
        """When a reader confirmed, and all that is told of their consent."""
        told = {
            name: trim(cells[index])[:_LONGEST_WORDS]
            for index, name in self._consent[:_MOST_CONSENT]
            if trim(cells[index])
        }
        return self._latest(cells, self._confirmed), told

    @staticmethod
    def _latest(cells: Sequence[str], among: Sequence[int]) -> Span | None:
        spans = [span for index in among if (span := read_date(cells[index]))]
        return max(spans, key=lambda span: span[1], default=None)


def _state_of(said: str) -> ReaderState:
    """The state of a row that must not be mailed, by its “Column=value”; doubt means left."""
    column, _, value = said.partition("=")
    for words in (value, column):
        if found := leavers_in(words, ()):
            return OF_FILE[found.reason]
    return ReaderState.LEFT
