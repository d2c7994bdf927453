"""What comes back: the bounce mailbox and providers' events, each mail and event accounted for.

A mail is remembered as read in the transaction of what it led to, so that a program
that dies in between counts nothing twice and misses nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from newsletter.config import FILE_NAME, Bounces
from newsletter.config.bounces import CHECK_EVERY_S
from newsletter.credentials import read_secret, read_token
from newsletter.errors import InputError, MailboxUnreachable, NewsletterError, Where
from newsletter.feedback.apply import Applied
from newsletter.feedback.bounce_mailbox import FileMailbox, Mail, UnreadableMail
from newsletter.feedback.event import one_line
from newsletter.feedback.mail_news import MailNews, Told, read_mail
from newsletter.feedback.unsubscribe_mails import Mailed
from newsletter.ledger.lock import SenderAtWork
from newsletter.ledger.states import State
from newsletter.project.doubts import recover
from newsletter.project.event_account import EventAccount, conclude, event_applier
from newsletter.project.events import hear_providers
from newsletter.project.project import Project
from newsletter.project.suppress import leave_verifier, leaves_of

if TYPE_CHECKING:
    from newsletter.feedback.imap import ImapMailbox
    from newsletter.ledger.ledger import Ledger
    from newsletter.ledger.suppressions import Leave

_PORTION = 100
"""Mails whose news is written in one transaction."""
_MOST_EVENTS = 1000
"""The same for events: one report can tell of many readers."""
_MOST_A_RUN = 250_000
_MOST_NAMED = 20
_GATHER_S = 5.0


@dataclass(slots=True)
class BounceAccount:
    """What became of the mails that were read.

    Attributes:
        mails: how many, by what they are; the sum is all that were read.
        people: how many are not mailed any more, by what told it.
        settled: doubts.
        known: pieces of news that were known already.
        kept: where those lie that were not understood, the first of them.
        unreadable: how many cannot be read now, and are tried again.
        unreadable_named: where the first of them lie, and why.
        moved: how many were moved, as ``move_to`` says.
        has_more: whether so many lie there that another run has to read on.
        folder_only: why the list's send record does not know who left; None if it does.
        failure: why the mailbox could not be read to its end; None if it was.
        provider_events: what became of providers' events; None if nothing tells any.
        has_mailbox: whether there is a mailbox to read.
    """

    mails: Counter[Told] = field(default_factory=Counter)
    people: Counter[Told] = field(default_factory=Counter)
    settled: int = 0
    known: int = 0
    kept: list[str] = field(default_factory=list)
    unreadable: int = 0
    unreadable_named: list[str] = field(default_factory=list)
    moved: int = 0
    has_more: bool = False
    folder_only: NewsletterError | None = None
    failure: MailboxUnreachable | None = None
    provider_events: EventAccount | None = None
    has_mailbox: bool = True


def read_bounces(project: Project, *, again: bool = False) -> BounceAccount:
    """Hear what comes back: providers' events, and the bounce mailbox. May run during a send.

    Args:
        project: the project.
        again: read all that lies in the mailbox, whatever was read before.

    Raises:
        InputError: there is neither a table [bounces] nor a provider that tells events, or the
            mailbox cannot be opened.
        LedgerRefused: the ledger cannot be used. What was applied stays.
    """
    project.refuse_without_ledger()
    account = BounceAccount(provider_events=hear_providers(project))
    if project.settings.bounces is None and account.provider_events is not None:
        account.has_mailbox = False
    else:
        _read_mailbox(project, account, again=again)
    return account


def _read_mailbox(project: Project, account: BounceAccount, *, again: bool) -> None:
    with (
        closing(_mailbox(project)) as mailbox,
        closing(project.sound_ledger(create=True)) as ledger,
    ):
        _recover(project, ledger)
        understood = ledger.read_mails.understood
        try:
            mails = mailbox.mails(lambda id_: not again and understood(id_) is not None)
            for portion in _portions(_news(project, mails, account)):
                _apply(project, ledger, portion, account)
            account.moved = mailbox.move(lambda id_: understood(id_) is True)
        except MailboxUnreachable as error:
            account.failure = error
        settled, account.folder_only = conclude(project, ledger)
        account.settled += settled


def watch_bounces(
    project: Project, on_read: Callable[[BounceAccount], None], *, again: bool = False
) -> None:
    """Read the bounce mailbox again and again, until the caller is interrupted.

    Each time as soon as the server tells of new mail, at the latest after the seconds of
    [bounces] check_every_s. A server that cannot be reached is asked again then.

    Args:
        project: the project.
        on_read: is told what each reading came to.
        again: the first time read all that lies there.

    Raises:
        InputError, LedgerRefused: as :func:`read_bounces`.
    """
    clock, settings = project.clock, project.settings.bounces
    every_s = settings.check_every_s if settings else CHECK_EVERY_S
    while True:
        began = clock.monotonic()
        # Before it is read, so that no mail comes unheard in between.
        with _listening(project) as mail_comes:
            on_read(read_bounces(project, again=again))
            took_s = clock.monotonic() - began
            comes = mail_comes(every_s)
        again = False
        # Mails that come together are read together, and a flood of them one time in five.
        rest_s = max(_GATHER_S, 4 * took_s) if comes else began + every_s - clock.monotonic()
        clock.sleep(min(max(rest_s, 0), every_s))


@contextmanager
def _listening(project: Project) -> Iterator[Callable[[float], bool]]:
    """What waits so many seconds for mail that comes from now on, and says whether it came."""
    mailbox = _mailbox(project) if project.settings.bounces else None
    if mailbox is None or isinstance(mailbox, FileMailbox):
        yield lambda _: False
        return
    with closing(mailbox):
        with suppress(NewsletterError):  # whoever reads it tells why
            mailbox.listen()
        yield mailbox.mail_comes


def _mailbox(project: Project) -> FileMailbox | ImapMailbox:
    settings = project.settings.bounces
    if settings is None:
        raise InputError(
            "It is not set where bounces are read.",
            where=Where(project.folder / FILE_NAME, item="[bounces]"),
            next="“newsletter docs bounces” tells how to set up the mailbox.",
        )
    if settings.path is not None:
        return FileMailbox(project.folder / settings.path)
    # Imported late: files need no IMAP.
    from newsletter.feedback.imap import ImapMailbox

    return ImapMailbox(settings, partial(_credential, settings), clock=project.clock)


def _credential(settings: Bounces) -> str:
    if settings.token is not None:
        return read_token(settings.token, what="access token of the bounce mailbox")
    assert settings.password is not None  # Bounces checks it
    return read_secret(settings.password, what="password of the bounce mailbox")


def _recover(project: Project, ledger: Ledger) -> None:
    """Put in doubt whom a run that died was handing over, so that a bounce settles it."""
    campaigns = ledger.campaigns.all()
    if any(ledger.deliveries.of(each.id, State.ATTEMPTING) for each in campaigns):
        # Whom a run at work hands over is its own.
        with suppress(SenderAtWork), project.lock():
            recover(project, ledger, campaigns)


def _news(
    project: Project, mails: Iterable[Mail | UnreadableMail], account: BounceAccount
) -> Iterator[MailNews]:
    """What each mail tells; those that cannot be read are counted."""
    verifier = leave_verifier(project)

    def leaves(mailed: Mailed) -> Sequence[Leave]:
        return tuple(leaves_of(mailed, verifier).values())

    for number, mail in enumerate(mails):
        if number == _MOST_A_RUN:
            account.has_more = True
            return
        if isinstance(mail, UnreadableMail):
            account.unreadable += 1
            _name(account.unreadable_named, f"{mail.place}: {mail.why}")
        else:
            yield read_mail(mail, now=project.clock.now(), leaves_of=leaves)


def _portions(news: Iterable[MailNews]) -> Iterator[list[MailNews]]:
    """News in portions; what came before a failure is a portion, too."""
    portion: list[MailNews] = []
    events = 0
    try:
        for each in news:
            portion.append(each)
            events += len(each.events)
            if len(portion) >= _PORTION or events >= _MOST_EVENTS:
                yield portion
                portion, events = [], 0
    except NewsletterError:
        yield portion
        raise
    yield portion


def _apply(
    project: Project, ledger: Ledger, portion: Sequence[MailNews], account: BounceAccount
) -> None:
    """Apply a portion and remember its mails, all or nothing."""
    apply = event_applier(project, ledger)
    outcomes = []
    with ledger.transaction():
        for news in portion:
            applied = sum(map(apply, news.events), Applied())
            left = sum(_leave(leave, ledger) for leave in news.leaves)
            is_of_others = bool(news.events) and applied.strangers == len(news.events)
            told = Told.UNCLEAR if is_of_others else news.told
            ledger.read_mails.add(news.mail, understood=told is not Told.UNCLEAR)
            outcomes.append((news, told, applied, left))
    for news, told, applied, left in outcomes:
        account.mails[told] += 1
        account.people[told] += applied.suppressed + left
        account.settled += applied.settled
        account.known += applied.known
        if told is Told.UNCLEAR:
            why = " (a report about mail that this ledger does not know)" if news.events else ""
            _name(account.kept, f"{news.place}{why}")


def _leave(leave: Leave, ledger: Ledger) -> bool:
    """Whether the reader left by this."""
    before = ledger.suppressions.is_suppressed(leave.tag)
    ledger.suppressions.add(leave)
    return ledger.suppressions.is_suppressed(leave.tag) > before


def _name(named: list[str], words: str) -> None:
    if len(named) < _MOST_NAMED:
        named.append(one_line(words))  # a file's name can steer a terminal
