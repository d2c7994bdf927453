"""``subscribers import``: moving readers in from other programs, and withdrawing a move."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from newsletter.cli.arguments import Online, Yes
from newsletter.cli.asking import chosen, confirmed, decided
from newsletter.cli.output import say, say_problems, show_counts, show_table, tell
from newsletter.errors import InputError, Problem, Where
from newsletter.phrases import count, joined, moment, people
from newsletter.project import Project
from newsletter.reader_states import WORDS, ReaderState

if TYPE_CHECKING:
    from newsletter.project.imports import Done, ImportLedger, ImportOptions, StagedImport

_UNCHANGED = "Nothing was changed."
_MOST_SHOWN = 10
_MOST_QUESTIONS = 20
"""A column of more values than that is decided about as a whole, by an option."""


def import_(
    files: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[FILES]...", help="All files of the move: CSV, spreadsheets, ZIPs."
        ),
    ] = None,
    yes: Yes = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would change; change nothing.")
    ] = False,
    leaves_included: Annotated[
        bool,
        typer.Option(
            "--leaves-included", help="Nobody who left is missing from these files and the ledger."
        ),
    ] = False,
    column: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="The column of addresses; without a header its number."),
    ] = None,
    state: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FILE=STATE",
            help="What a file's rows are: in, wait, never, dead, left or spam. Repeatable.",
        ),
    ] = None,
    mail: Annotated[
        list[str] | None,
        typer.Option(metavar="COLUMN=VALUE", help="Rows with it may be mailed. Repeatable."),
    ] = None,
    no_mail: Annotated[
        list[str] | None,
        typer.Option(metavar="COLUMN=VALUE", help="Rows with it must not be. Repeatable."),
    ] = None,
    rejected: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write the rows that cannot be used, as CSV."),
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write what was imported, without any address."),
    ] = None,
    online: Online = False,
    list_: Annotated[bool, typer.Option("--list", help="Show all imports.")] = False,
    revert: Annotated[
        int | None,
        typer.Option(metavar="ID", help="Withdraw what an import says, and only that."),
    ] = None,
) -> None:
    """Move readers in from another program's exports, with all who left. Asks first.

    Name all files of a move at once. The strongest state counts for each reader, whatever the
    order: spam, left, dead, never, wait, in.

    Example: newsletter subscribers import audience.zip bounces.csv
    """
    project = Project.here()
    if list_ or revert is not None:
        if files:
            raise InputError("--list and --revert take no files.", next="Leave the files out.")
        if list_ and revert is not None:
            raise InputError("--list shows, --revert changes.", next="Leave one of them out.")
        _show_imports(project) if list_ else _revert(project, revert or 0, yes=yes)
        return
    if not files:
        raise InputError("A file is missing.", next="Name all files of the move.")
    from newsletter.project.imports import import_ledger, write

    options = _options(column, state or [], mail or [], no_mail or [])
    with import_ledger(project, dry_run=dry_run) as into:
        staged = _staged(project, into, files, options, yes=yes or dry_run)
        missing_included = leaves_included or _leaves_are_included(staged, yes=yes, look=dry_run)
        _decide(staged, yes=yes or dry_run)
        notes = _notes(staged, project, online=online)
        _show(staged, notes)
        _write_files(project, staged, notes, rejected, report)
        if not missing_included:
            raise _without_leavers(staged)
        if dry_run:
            say(_UNCHANGED)
        elif staged.is_known:
            say("All of it was imported before, so nothing was changed.")
            _tell_folder_only(write(project, into, staged))
        elif not yes and not confirmed("Import them?"):
            say(_UNCHANGED)
        else:
            done = write(project, into, staged)
            if report:
                _write_report(project, staged, notes, report, id_=done.id)
            say(f"Imported as {done.id}. To withdraw it: newsletter subscribers import "
                f"--revert {done.id}", style="bold")  # fmt: skip
            _tell_folder_only(done)


def look(project: Project, files: list[Path], *, online: bool) -> int:
    """Say what an import of files would do; changes nothing.

    Returns:
        How many rows cannot be used.
    """
    from newsletter.project.imports import import_ledger

    with import_ledger(project, dry_run=True) as into:
        staged = _staged(project, into, files, _options(None, [], [], []), yes=True)
        _leaves_are_included(staged, yes=True, look=True)
        _decide(staged, yes=True)
        _show(staged, _notes(staged, project, online=online))
        say(_UNCHANGED)
        return staged.rejected_rows


def _options(
    column: str | None, states: list[str], mail: list[str], no_mail: list[str]
) -> ImportOptions:
    from newsletter.project.imports import ImportOptions

    told: dict[str, ReaderState] = {}
    for each in states:
        name, _, state = each.rpartition("=")
        if state not in [*ReaderState] or not name:
            raise InputError(
                f"--state “{each}” is not understood.",
                next="Write the file's name, = and one of in, wait, never, dead, left, spam.",
            )
        told[Path(name).name] = ReaderState(state)
    for each in (*mail, *no_mail):
        if "=" not in each:
            raise InputError(f"“{each}” names no value.", next="Write it as Column=value.")
    return ImportOptions(column=column, state=told, mail=mail, no_mail=no_mail)


def _staged(
    project: Project,
    into: ImportLedger,
    files: list[Path],
    options: ImportOptions,
    *,
    yes: bool,
) -> StagedImport:
    """All files, read; a person at the keyboard is asked about what may mean either."""
    from newsletter.project.imports import UnclearColumn, UnclearValues, stage

    asks = not yes and sys.stdin.isatty()
    while True:
        try:
            staged = stage(project, into, files, options)
            if not staged.damaged or options.mend:
                return staged
            _show_damaged(staged.damaged, asks=asks)
            if not asks or not decided("Take all of them for what they seem to have been?"):
                return staged
            options = replace(options, mend=True)
        except UnclearColumn as unclear:
            # One answer holds for all files: asked again, it could not be given for both.
            if not asks or options.column or len(unclear.columns) > _MOST_QUESTIONS:
                raise
            say(f"{unclear.where}: nobody can tell which column holds the addresses.")
            columns = list(unclear.columns.items())
            show_table(("", "column"), [(f"{n}", known) for n, (_, known) in enumerate(columns, 1)])
            number = chosen("Which column holds the addresses?", len(columns))
            options = replace(options, column=columns[number - 1][0])
        except UnclearValues as unclear:
            if not asks or len(unclear.values) > _MOST_QUESTIONS:
                raise
            say(f"{unclear.where}: these values may mean that a row must not be mailed.")
            mail, no_mail = [*options.mail], [*options.no_mail]
            for said, rows in unclear.values.items():
                words = f"“{said}” ({count(len(rows), 'row')}): may they be mailed?"
                (mail if decided(words) else no_mail).append(said)
            options = replace(options, mail=mail, no_mail=no_mail)


def _show_damaged(damaged: Mapping[str, str], *, asks: bool) -> None:
    say("These were read in a wrong encoding by another program, and seem to have been:")
    shown = list(damaged.items())[:_MOST_SHOWN]
    show_table(("in the file", "seems to have been"), shown)
    if len(damaged) > len(shown):
        say(f"… and {len(damaged) - len(shown):,} more.")
    if not asks:
        say("They are not changed unasked; “subscribers import” without --yes asks.")


def _leaves_are_included(staged: StagedImport, *, yes: bool, look: bool) -> bool:
    """Whether somebody says that nobody who left is missing; asks if it must be known."""
    if not staged.missing:
        return True
    for file in staged.missing:
        tell(" ".join(file.missing or ()), lead=f"{file.place}: ", lead_style="yellow")
    if look:
        return True
    if yes or not sys.stdin.isatty():
        return False
    return confirmed("Are those who left in these files, or were they suppressed here before?")


def _without_leavers(staged: StagedImport) -> InputError:
    return InputError(
        "Those who left may be missing, and would be mailed. Nothing was imported.",
        problems=[
            Problem((file.missing or ("",))[0], Where(file.place), (file.missing or ("", ""))[1])
            for file in staged.missing
        ],
        next="Name the file of those who left as well; if they are in these files or suppressed "
        "here already, add --leaves-included.",
    )


def _decide(staged: StagedImport, *, yes: bool) -> None:
    """Count, after asking about leaves without a date."""
    from newsletter.project.imports import decide

    left = True
    if staged.disputed:
        say(
            f"{people(staged.disputed)} signed up here, and left by a file that does not say "
            "whether that was before or after.",
            style="yellow",
        )
        if not yes and sys.stdin.isatty():
            left = not decided("Did they sign up after that, so that they stay?")
        say("They count as left." if left else "They stay.")
    decide(staged, undated_leaves_count=left)


def _show(staged: StagedImport, notes: Sequence[str]) -> None:
    heads = ("rows", "accepted", "merged", "suppressed", "rejected", "file, recognised as, states")
    rows = [
        (
            *(f"{file.rows:,}", f"{file.counts.accepted:,}", f"{file.counts.merged:,}"),
            *(f"{file.counts.suppressed:,}", f"{file.rejected:,}"),
            f"{file.place}: {file.what}; "
            + (
                "the same file again"
                if file.repeated
                else f"imported before, as {file.imported_as}"
                if file.imported_as is not None
                else ", ".join(f"{state} {n:,}" for state, n in file.counts.states.items())
                or "nobody"
            ),
        )
        for file in staged.files
    ]
    show_table(heads, rows)
    changes = staged.changes
    counts = [
        (changes.new, "new on the list", ""),
        (changes.changed, "on the list, with another name, language or column", ""),
        (changes.unchanged, "on the list as they were", ""),
        *((changes.kept_off.get(state, 0), f"not mailed: {words}", "yellow")
          for state, words in WORDS.items()),
        (changes.confirmed_since, "said to have left, and confirmed since: they stay", ""),
    ]  # fmt: skip
    if told := [each for each in counts if each[0]]:
        say("Readers:")
        show_counts(told)
    if changes.known:
        say(f"{people(changes.known)} of them must not be mailed by what the ledger knows already.")
    for note in notes:
        tell(note, lead="Note: ", lead_style="cyan")
    say_problems([problem for file in staged.files for problem in file.notes], most=_MOST_SHOWN)
    if staged.rejected:
        say("Cannot be used; nobody is added or kept off the list by these:")
        first = staged.rejected[:_MOST_SHOWN]
        say_problems([Problem(each.why, Where(each.file, row=each.row)) for each in first])
        if more := staged.rejected_rows - len(first):
            tell(f"and {more:,} more.", lead="  • ")


def domain_notes(project: Project, addresses: Iterable[str]) -> list[str]:
    """Which domains take no mail by the DNS, with counts."""
    from newsletter.project.mail_domains import ask_about

    found = ask_about(addresses, project.clock)
    notes = []
    if without := found.without_mail:
        shown = [f"{domain} ({number:,})" for domain, number in [*without.items()][:_MOST_SHOWN]]
        if more := len(without) - len(shown):
            shown.append(f"{more:,} more")
        notes.append(f"Domains that take no mail, by the DNS: {joined(shown)}.")
    if len(found.without_mail) > 1 and not found.with_mail:
        notes.append(
            "Not one domain takes mail, by the DNS of this network. It may know no domains of the "
            "internet: ask again from another network before you believe it."
        )
    if found.unanswered:
        notes.append(
            f"Domains without an answer, of which that says nothing: {found.unanswered:,}."
        )
    return notes


def _notes(staged: StagedImport, project: Project, *, online: bool) -> list[str]:
    """What is odd, with counts; no address."""
    notes = [f"{words}: {number:,}." for words, number in staged.odd.items()]
    if slips := staged.addresses.slips.most_common(_MOST_SHOWN):
        told = joined([f"{wrong} ({n:,}; {meant}?)" for (wrong, meant), n in slips])
        notes.append(f"Domains that look mistyped, imported as they are: {told}.")
    if number := staged.addresses.roles:
        notes.append(f"{count(number, 'address', 'addresses')} of an office, such as info@.")
    if number := staged.addresses.throw_away:
        notes.append(f"{count(number, 'address', 'addresses')} of a service for throw-away mail.")
    if online:
        notes += domain_notes(project, staged.staging.addresses())
    return notes


def _write_files(
    project: Project,
    staged: StagedImport,
    notes: Sequence[str],
    rejected: Path | None,
    report: Path | None,
) -> None:
    from newsletter.project.import_files import rejected_csv
    from newsletter.project.writing import write_private

    if rejected:
        write_private(project, rejected, rejected_csv(staged))
        kept = len(staged.rejected)
        some = "" if kept == staged.rejected_rows else f", of {staged.rejected_rows:,} the first"
        say(f"{count(kept, 'row')} that cannot be used{some}: {rejected}")
    if report:
        _write_report(project, staged, notes, report, id_=None)
        say(f"The report, without any address: {report}")


def _write_report(
    project: Project, staged: StagedImport, notes: Sequence[str], report: Path, *, id_: int | None
) -> None:
    """Written before the question and again after the import, so that it never says too much."""
    from newsletter.project.import_files import report_text
    from newsletter.project.writing import write_private

    write_private(project, report, report_text(project, staged, notes, id_=id_))


def _show_imports(project: Project) -> None:
    from newsletter.project.imports import imports_of

    found = imports_of(project)
    if not found:
        say("Nothing was imported yet.")
    for each in found:
        names = joined([f"{file['name']} ({file['program']})" for file in each.files])
        end = f"; reverted {moment(each.reverted_at)}" if each.reverted_at else ""
        say(f"{each.id}: {moment(each.at)}, {names}{end}")


def _revert(project: Project, id_: int, *, yes: bool) -> None:
    from newsletter.project.imports import imports_of, revert, standing_import

    standing_import(imports_of(project), id_)
    say(
        f"What import {id_} says of its readers counts no more: its leaves are voided, and who is "
        "on the list by it alone is not on it. What other imports, readers and bounces said stays."
    )
    if not yes and not confirmed("Revert it?"):
        say(_UNCHANGED)
        return
    done = revert(project, id_)
    say(f"Import {id_} is reverted; {count(done.leaves, 'leave')} voided.")
    _tell_folder_only(done)


def _tell_folder_only(done: Done) -> None:
    if done.folder_only:
        say(f"Noted in this folder's ledger only: {done.folder_only.what}", style="yellow")
        say(done.folder_only.next)
