"""A changed issue for all who were not attempted yet."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass

from newsletter.ledger.campaigns import Campaign
from newsletter.ledger.versions import Approved, fingerprint
from newsletter.log import note
from newsletter.project.account import campaigns_of, unfinished
from newsletter.project.compile import CompiledIssue, compile_issue
from newsletter.project.compose import letterhead
from newsletter.project.difference import differing, settings_changes, word_changes
from newsletter.project.project import Project


@dataclass(frozen=True, slots=True)
class EditionChange:
    """What differs in one language.

    Attributes:
        language: of the edition.
        parts: that differ, by their names for a reader.
        subject: the words of the subject that differ.
        text: likewise of the text part.
        looks_alone: whether the HTML part differs and the text part does not.
    """

    language: str
    parts: tuple[str, ...]
    subject: tuple[str, ...]
    text: tuple[str, ...]
    looks_alone: bool


@dataclass(frozen=True, slots=True)
class Correction:
    """A new version of a campaign, not written down yet.

    Attributes:
        campaign: which.
        compiled: the issue as it is now.
        approved: the new version made of it.
        before: the latest version in force.
        untried: how many would get the new one.
        attempted: how many have an attempt behind them, and keep theirs.
    """

    campaign: Campaign
    compiled: CompiledIssue
    approved: Approved
    before: Approved
    untried: int
    attempted: int

    @property
    def changes_nothing(self) -> bool:
        """Whether the new version is the same as the one in force."""
        new, old = self.approved, self.before
        return fingerprint(new.editions, new.letterhead) == fingerprint(
            old.editions, old.letterhead
        )

    @property
    def settings(self) -> tuple[str, ...]:
        """What differs in the sender's settings."""
        return tuple(settings_changes(self.before.letterhead, self.approved.letterhead))

    @property
    def editions(self) -> tuple[EditionChange, ...]:
        """What differs in the editions that a reader would see."""
        return tuple(self._edition_changes())

    def _edition_changes(self) -> Iterator[EditionChange]:
        for language in sorted(self.before.editions.keys() & self.approved.editions.keys()):
            old, new = self.before.editions[language], self.approved.editions[language]
            if parts := differing(old, new):
                yield EditionChange(
                    language,
                    tuple(parts),
                    subject=tuple(word_changes(old, new, part="subject"))
                    if old.subject != new.subject
                    else (),
                    text=tuple(word_changes(old, new, part="text")) if old.text != new.text else (),
                    looks_alone=old.text == new.text and old.html != new.html,
                )


def propose_correction(project: Project, issue: str) -> Correction | None:
    """Compile and check the issue as it is now, for the latest campaign that it can still reach.

    The caller holds the lock. Changes nothing.

    Returns:
        None if everybody was attempted already.

    Raises:
        ErrorsFound: the checks found errors.
        InputError: the issue cannot be used, or was never sent.
        LedgerRefused: the ledger is not the one that may send from here.
    """
    with closing(project.sound_ledger()) as ledger:
        project.refuse_old(ledger)
        for campaign in reversed(campaigns_of(project, ledger, issue)):
            untried = ledger.deliveries.untried(campaign.id)
            if untried and unfinished(ledger, campaign):
                break
        else:
            return None
        compiled = compile_issue(project, campaign.issue)
        compiled.refuse_errors()
        frozen = ledger.campaigns.approved(campaign)
        return Correction(
            campaign,
            compiled,
            approved=Approved(compiled.editions, letterhead(project.settings)),
            before=frozen[max(frozen)],
            untried=untried,
            attempted=sum(each.attempted for each in ledger.controls.versions(campaign.id)),
        )


def correct(project: Project, correction: Correction) -> int:
    """Give the new version to all who were not attempted yet. The caller holds the lock.

    Returns:
        The version's number.

    Raises:
        LedgerRefused: a language is missing or new. Nothing was changed.
    """
    with closing(project.ledger(create=False)) as ledger, ledger.transaction():
        number = ledger.controls.correct(
            correction.campaign, correction.approved, project.clock.now()
        )
    note("campaign corrected", campaign=correction.campaign.id)
    return number
