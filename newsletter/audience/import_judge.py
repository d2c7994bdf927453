"""What a row of an export says of its reader: the strongest state, since when, and the consent.

No I/O. The rules of a known program come first (:mod:`.exporters`); every other column is read
as in a list (:mod:`.standing`). Whatever must not be mailed and says no more has left.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache, partial

from newsletter.audience.cells import trim
from newsletter.audience.columns import Columns, fold
from newsletter.audience.dates import Span, is_moment, read_date
from newsletter.audience.exporters import SPAM_REASONS, Exporter, Rule, is_complaint
from newsletter.audience.exports import Leavers, leavers_in
from newsletter.audience.standing import (
    Kept,
    Kind,
    Standing,
    Unclear,
    is_without_letters,
    judge_cell,
    keys_of,
)
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


_Judged = tuple[ReaderState, tuple[Unclear, ...]]
"""The state that a cell says, and what to ask about. None, as most cells: its row may be mailed."""


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
        mail, no_mail = keys_of(options.mail), keys_of(options.no_mail)
        decided = {fold(each.partition("=")[0]) for each in (*options.mail, *options.no_mail)}
        rules = [
            (folded.index(rule.column), header[folded.index(rule.column)].strip(), rule)
            for rule in (exporter.rules if exporter else ())
            if rule.column in folded and rule.column not in decided
        ]
        ruled = {index for index, _, _ in rules}
        heard = Standing.of(header, columns.used, (), ()).columns
        self._said = [
            *((index, Kept(partial(self._by_words, name, kind, mail, no_mail)))
              for index, name, kind in heard if index not in ruled),
            *((index, Kept(partial(_by_rule, name, rule))) for index, name, rule in rules),
        ]  # fmt: skip
        self._dates = [index for index, _, kind in heard if kind in _OF_LEAVING]
        self._reasons = [index for index, name in enumerate(folded) if name in SPAM_REASONS]
        self._since = [index for index, name in enumerate(folded) if name in _SUPPRESSED_AT]
        self._confirmed = [index for index, name in enumerate(folded) if name in _CONFIRMED]
        self._consent = [
            (index, header[index].strip()) for index, name in enumerate(folded) if name in _CONSENT
        ][:_MOST_CONSENT]

    def row(self, cells: Sequence[str]) -> tuple[ReaderState, Span | None, tuple[Unclear, ...]]:
        """The strongest state that a row says, since when, and the values to ask about."""
        found = ReaderState.IN
        unclear: tuple[Unclear, ...] = ()
        by: list[tuple[int, ReaderState]] = []
        for index, said in self._said:
            if judged := said[cells[index]]:
                state, asked = judged
                by.append((index, state))
                unclear += asked
                if state.rank > found.rank:
                    found = state
        if found is ReaderState.IN:
            return found, None, unclear
        # A date of bouncing is none of leaving.
        dates = [index for index, state in by if state is found and index in self._dates]
        if found is ReaderState.LEFT:
            for index in self._reasons:
                if is_complaint(cells[index]):
                    found = ReaderState.SPAM
        return found, self._latest(cells, dates), unclear

    def since(self, cells: Sequence[str]) -> Span | None:
        """Since when a row is in a file of those who left."""
        return self._latest(cells, self._dates) or self._latest(cells, self._since)

    def confirmed(self, cells: Sequence[str]) -> Span | None:
        """When a reader confirmed."""
        return self._latest(cells, self._confirmed)

    def consent(self, cells: Sequence[str]) -> dict[str, str]:
        """All that is told of a reader's consent."""
        return {
            name: text[:_LONGEST_WORDS]
            for index, name in self._consent
            if (text := trim(cells[index]))
        }

    def _by_words(
        self, column: str, kind: Kind, mail: frozenset[str], no_mail: frozenset[str], cell: str
    ) -> _Judged | None:
        if not mail and not no_mail:  # most cells that differ from row to row are such
            if kind is Kind.OTHER and is_without_letters(cell):
                return None
            if kind is Kind.LEFT_IF_FILLED and is_moment(cell):
                return _at_any_moment(column)
        why, unclear, answers = judge_cell(column, kind, mail, no_mail, cell)
        if answers:
            self.answered.add(answers)
        if why:
            return _state_of(why), unclear
        return (ReaderState.IN, unclear) if unclear else None

    @staticmethod
    def _latest(cells: Sequence[str], among: Sequence[int]) -> Span | None:
        latest = None
        for index in among:
            span = read_date(cells[index])
            if span and (latest is None or span[1] > latest[1]):
                latest = span
        return latest


@lru_cache(maxsize=64)
def _at_any_moment(column: str) -> _Judged:
    why, _, _ = judge_cell(
        column, Kind.LEFT_IF_FILLED, frozenset(), frozenset(), "2021-03-04 10:11:12"
    )
    return _state_of(why), ()


def _by_rule(column: str, rule: Rule, cell: str) -> _Judged | None:
    said = rule.says(cell)
    if said is None:
        return ReaderState.IN, (Unclear(f"{column}={trim(cell)[:60]}", ""),)
    return None if said is ReaderState.IN else (said, ())


def _state_of(said: str) -> ReaderState:
    """The state of a row that must not be mailed, by its “Column=value”; doubt means left."""
    column, _, value = said.partition("=")
    for words in (value, column):
        if not is_without_letters(words) and (found := _reason(words)):
            return OF_FILE[found.reason]
    return ReaderState.LEFT


@lru_cache(maxsize=1024)
def _reason(words: str) -> Leavers | None:
    return leavers_in(words, ())
