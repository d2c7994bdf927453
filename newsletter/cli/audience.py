"""``suppress`` and ``subscribers``: who must not be mailed, and the list's doctor."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from newsletter.cli import importing, listing, rights
from newsletter.cli.arguments import Online, Yes
from newsletter.cli.asking import confirmed
from newsletter.cli.output import say, say_problems, show_counts, show_facts, show_line, tell
from newsletter.errors import ExitCode
from newsletter.ledger.suppressions import Event, Leave, Lift, Reason, Return, Void
from newsletter.phrases import count, moment, people
from newsletter.project import Project
from newsletter.reader_states import WORDS, ReaderState

_REASONS = {
    Reason.UNSUBSCRIBED: "left the list",
    Reason.COMPLAINED: "called it spam",
    Reason.BOUNCED: "cannot be reached",
    Reason.MANUAL: "taken off by hand",
}

_KEPT_OFF = {
    "file": "a file of the list says so; “newsletter subscribers check” names the row",
    ReaderState.WAIT: "an import says that they never confirmed; their own sign-up ends that",
    ReaderState.NEVER: "an import says that they are excluded; “newsletter subscribers import "
    "--revert” withdraws an import",
}
_FACTS = {
    "source": "Source",
    "said": "It said",
    "status": "Status",
    "words": "Words",
    "provider_id": "Provider's id",
    "place": "Read from",
    "at": "Time",
    "letter": "Letter",
}

suppress = typer.Typer(help="Addresses that must not be mailed, and why.", no_args_is_help=True)
subscribers = typer.Typer(
    help="The list: check it, and act on one reader's data.", no_args_is_help=True
)
for right in (rights.access, rights.forget, rights.purge):
    subscribers.command()(right)
subscribers.command("import")(importing.import_)
subscribers.command("list")(listing.list_)
subscribers.command("export")(listing.export)
subscribers.command("set")(listing.set_)


@suppress.command("add")
def add(
    addresses: Annotated[
        list[str],
        typer.Argument(
            metavar="ADDRESS",
            help="Addresses, or CSV files of addresses.",
        ),
    ],
    reason: Annotated[
        Reason,
        typer.Option(metavar="REASON", help="Why: unsubscribed, complained, bounced or manual."),
    ] = Reason.MANUAL,
    yes: Yes = False,
) -> None:
    """Never mail these addresses again. Takes effect during a send, too.

    Example: newsletter suppress add anna@example.org --reason unsubscribed
    """
    from newsletter.project.suppress import read_suppressible
    from newsletter.project.suppress import suppress as note

    project = Project.here()
    read, from_file = read_suppressible(project, addresses)
    if read.refused:
        say("Without a usable address, left out:", style="yellow")
        say_problems(read.refused)
    if read.active:
        say(f"{count(read.active, 'row')} left out, which say that their readers may be mailed.")
    if from_file and not yes:
        say(f"{people(len(read.addresses))} would never be mailed again.")
        if not confirmed("Suppress them?"):
            say("Nobody was added.")
            return
    done = note(project, read.addresses, reason)
    if done.folder_only:
        say(f"They are noted in this folder's ledger only: {done.folder_only.what}", style="yellow")
        say(done.folder_only.next)
    already = f", {people(done.known)} already there" if done.known else ""
    say(f"{people(done.new)} added{already}. They get no more mail.")


@suppress.command("list")
def list_() -> None:
    """Show how many addresses are suppressed, by reason, and why readers left.

    It cannot show which. What readers wrote is shown once there are five reasons.

    Example: newsletter suppress list
    """
    from newsletter.cli.news import show_reasons
    from newsletter.project.suppress import reasons_given, suppressed

    project = Project.here()
    if counts := suppressed(project):
        show_counts([(number, _REASONS[reason], "") for reason, number in counts.items()])
    else:
        say("Nobody has left yet.")
    show_reasons(reasons_given(project))


@suppress.command("token")
def token(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="An mbox, a Maildir, a mail or a text file.")
    ],
) -> None:
    """Suppress people who mailed their unsubscribe token, by its subject line.

    A text file has a token or an unsubscribe link on each line. What holds no
    valid token is counted.

    Example: newsletter suppress token unsubscribe.mbox
    """
    from newsletter.project.suppress import suppress_mailed

    done = suppress_mailed(Project.here(), file)
    if done.folder_only:
        say(f"They are noted in this folder's ledger only: {done.folder_only.what}", style="yellow")
        say(done.folder_only.next)
    say(f"{people(done.new)} left, {people(done.known)} had left already. "
        f"Without a token of ours: {count(done.others, 'item')}.")  # fmt: skip


@suppress.command("show")
def show(
    address: Annotated[str, typer.Argument(metavar="ADDRESS", help="Address of the reader.")],
) -> None:
    """Show why an address is or was suppressed: each event and its evidence.

    Example: newsletter suppress show anna@example.org
    """
    from newsletter.project.suppress import history

    events, is_suppressed = history(Project.here(), address)
    if not events:
        say(f"{address} never left; mailed if a list contains the address.")
        return
    for event in events:
        _show(event)
    now = "not mailed" if is_suppressed else "mailed again if a list contains the address"
    say(f"{address} is {now}.", style="bold")


def _show(event: Event) -> None:
    match event:
        case Leave(reason=reason, source=source, at=at, evidence=evidence):
            say(f"{moment(at)}: {_REASONS[reason]} (source: {source}).")
            for piece in evidence:
                show_facts([(_FACTS.get(name, name), value) for name, value in piece.items()])
        case Void(source=source, at=at) if source.startswith("revert of "):
            say(f"{moment(at)}: withdrawn ({source}).")
        case Void(source=source, at=at):
            say(f"{moment(at)}: the reader undid a leave (source: {source}).")
        case Lift(reason=reason, at=at):
            say(f"{moment(at)}: lifted by a person: {reason}")
        case Return(source=source, form_at=at):
            say(f"{moment(at)}: the reader signed up again (source: {source}).")


@suppress.command("lift")
def lift(
    address: Annotated[str, typer.Argument(metavar="ADDRESS", help="Address to mail again.")],
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why the suppression was wrong.")],
) -> None:
    """Undo a wrong bounce or a manual suppression. The record stays, with your reason.

    Refused for readers who left or complained: only their own fresh confirmation
    ends that.

    Example: newsletter suppress lift anna@example.org --reason "her provider mended it"
    """
    from newsletter.project.suppress import lift as undo

    undo(Project.here(), address, reason)
    say(f"{address} can be mailed again, if a list contains the address.")


@subscribers.command("show")
def show_subscriber(
    address: Annotated[str, typer.Argument(metavar="ADDRESS", help="Address of the reader.")],
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Show how a reader came onto the list, with the record of their consent.

    Example: newsletter subscribers show anna@example.org
    """
    from newsletter.project.sign_ups import known_of

    known = known_of(Project.here(), address)
    if as_json:
        show_line(json.dumps(known.as_json(), ensure_ascii=False))
        return
    if known.row:
        say(f"{address} stands in row {known.row} of {known.file}.")
    elif not known.consents and not known.imports and not known.kept_off:
        say(f"{address} is not on the list.")
    for row in known.imports:
        reverted = ", reverted" if row["reverted"] else ""
        say(f"Import {row['import']}{reverted} says: {WORDS[ReaderState(row['state'])]}.")
        facts = [
            ("Name", row["name"]),
            ("Language", row["language"]),
            *row["fields"].items(),
            *row["consent"].items(),
            ("Imported", moment(datetime.fromisoformat(row["at"]))),
        ]
        show_facts([(label, fact) for label, fact in facts if fact])
    for consent in known.consents:
        sign_up, wording = consent.sign_up, consent.wording
        said = (
            f"“{wording.words}” (version {wording.version}, {wording.language})"
            if wording
            else "words unknown on this machine; see the digest"
        )
        say("Signed up:")
        show_facts(
            [
                ("Agreed to", said),
                ("Digest of the words", sign_up.consent["wording"]),
                ("Language", sign_up.language),
                ("Topics", ", ".join(sign_up.topics) or "everything"),
                ("Page", sign_up.consent["page"]),
                ("Form sent", moment(sign_up.form_at)),
                ("Confirmed", moment(sign_up.at)),
                ("Message-ID of the mail", sign_up.consent["message_id"]),
                ("Digest of the mail", sign_up.consent["mail"]),
            ]
        )
    if known.kept_off:
        say(f"They are not mailed: {_KEPT_OFF[known.kept_off]}.", style="bold")
    if known.is_suppressed:
        say(f"They are not mailed: see “newsletter suppress show {address}”.", style="bold")


@subscribers.command("check")
def check(
    files: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[FILES]...",
            help="All files of a move. Default: the list of newsletter.toml.",
        ),
    ] = None,
    online: Online = False,
) -> None:
    """Check the list: each row that cannot be used, and why. Exit code 2 if any.

    Of files it says what “subscribers import” would say of them, and changes nothing. Its
    options, such as --state, go with “subscribers import --dry-run”.

    Example: newsletter subscribers check audience.zip bounces.csv
    """
    from newsletter.project.suppress import gone_from

    project = Project.here()
    if files:
        if importing.look(project, files, online=online):
            raise typer.Exit(ExitCode.BAD_INPUT)
        return
    roster = project.roster()
    gone = gone_from(project, roster)
    mailable = people(len(roster.subscribers) - gone)
    say(f"{roster.named}: {count(roster.rows, 'row')}, {mailable} to mail.")
    if roster.signed_up:
        say(f"Signed up on the public side: {people(roster.signed_up)}.")
    if roster.imported:
        say(f"Imported: {people(roster.imported)}.")
    if gone:
        say(f"Left, complained or cannot be reached, and will not be mailed: {people(gone)}.")
    for title, problems in (
        ("Rows that cannot be used:", roster.refused),
        ("Repeated; mailed once:", roster.repeated),
        ("Not mailed, since the list says so:", roster.left),
        ("Not mailed, since an import says so:", (*roster.unconfirmed, *roster.excluded)),
        ("Worth a look:", roster.warnings),
    ):
        if problems:
            say(title)
            say_problems(problems)
    if online:
        addresses = (str(each.address) for each in roster.subscribers)
        for note in importing.domain_notes(project, addresses):
            tell(note, lead="Note: ", lead_style="cyan")
    if roster.refused:
        raise typer.Exit(ExitCode.BAD_INPUT)
