"""Importing: what counts, what is withdrawn, what a person is asked, and what no file can do."""

import csv
import io
import itertools
import json
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from newsletter.addresses import Address
from newsletter.audience.import_reader import ImportedRow, read_import_files
from newsletter.audience.source_file import Source
from newsletter.audience.sources import sources_of
from newsletter.errors import InputError, RosterError
from newsletter.formulas import defused, undefused
from newsletter.ledger.sign_ups import SignUp
from newsletter.ledger.suppressions import Leave, Reason, Return
from newsletter.project import Project
from newsletter.project.import_files import rejected_csv, report_text
from newsletter.project.imports import (
    ImportOptions,
    UnclearValues,
    decide,
    import_ledger,
    imports_of,
    revert,
    stage,
    write,
)
from newsletter.project.listing import Listed, as_csv
from newsletter.project.rights import access, forget, keep_promises
from newsletter.reader_states import ReaderState

from tests.project.moves import moved, people, written
from tests.support.project import Project as Folder

ANNA = "anna@readers.example"
LONG_AGO = datetime(2021, 1, 1, tzinfo=UTC)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    folder = Folder(tmp_path / "project")
    (folder.folder / "subscribers.csv").unlink()
    return Project(folder.folder)


@pytest.fixture
def move(tmp_path: Path) -> Path:
    return tmp_path / "move"


def readers(project: Project) -> dict[str, str]:
    """Address → name of all on the list, suppressed or not."""
    return {str(each.address): each.name for each in project.roster().subscribers}


def signed_up(project: Project, at: datetime, address: str = ANNA) -> None:
    sign_up = SignUp(address.encode()[:16], Address.parse(address), "Anna", "fr", (), {}, at, at)
    with closing(project.ledger(create=True)) as ledger, ledger.transaction():
        ledger.sign_ups.add(sign_up, project.keys.address_tag(sign_up.address))


def suppressed(project: Project, address: str = ANNA) -> bool:
    with closing(project.ledger(create=False)) as ledger:
        return ledger.suppressions.is_suppressed(project.keys.address_tag(Address.parse(address)))


# What counts


@pytest.mark.parametrize(
    ("weaker", "stronger"), list(itertools.combinations(ReaderState, 2)), ids=str
)
def test_no_weaker_state_lifts_a_stronger_one_in_any_order(
    project: Project, move: Path, weaker: ReaderState, stronger: ReaderState
) -> None:
    paths = written(move, {f"{n}.csv": f"email\n{ANNA}\n" for n in ("a", "b")})
    says = ImportOptions(state={"a.csv": stronger, "b.csv": weaker})
    moved(project, paths, says)
    assert {ANNA: stronger} == people(project, ANNA)
    paths = written(move, {"c.csv": f"email\n{ANNA}\n# later\n"})
    moved(project, paths, ImportOptions(state={"c.csv": weaker}))
    assert {ANNA: stronger} == people(project, ANNA)


def test_a_leave_before_the_readers_own_sign_up_changes_nothing(
    project: Project, move: Path
) -> None:
    signed_up(project, LONG_AGO)
    said = f"email,unsubscribed_at\n{ANNA},2020-12-01 10:00:00\nben@a.example,2020-12-01\n"
    staged, _ = moved(project, written(move, {"a.csv": said}))
    assert 1 == staged.changes.confirmed_since
    assert not suppressed(project)
    assert suppressed(project, "ben@a.example")
    assert {ANNA: "Anna"} == readers(project)


def test_a_confirmation_that_is_still_to_come_lifts_no_leave(project: Project, move: Path) -> None:
    """Such as 2042 for 2024, or by a clock that is ahead."""
    head = "Email Address,First Name,MEMBER_RATING,OPTIN_TIME,CONFIRM_TIME,UNSUB_TIME,LEID,EUID\n"
    rows = [f"{{}}@a.example,A,2,,{year}-01-01 10:00:00,,1,x\n" for year in (2042, 2025)]
    left = [f"{name}@a.example,A,2,,,2024-05-01 10:00:00,1,x\n" for name in ("anna", "ben")]
    files = {
        "subscribed_x.csv": head + rows[0].format("anna") + rows[1].format("ben"),
        "unsubscribed_x.csv": head + "".join(left),
    }
    moved(project, written(move, files))
    assert (True, False) == (
        suppressed(project, "anna@a.example"),
        suppressed(project, "ben@a.example"),
    )


def test_a_leave_after_it_counts_and_one_that_may_be_either_counts_as_later(
    project: Project, move: Path
) -> None:
    signed_up(project, LONG_AGO)
    # The second of January or the first of February of 2021: doubt means left.
    moved(project, written(move, {"a.csv": f"email,unsubscribed_at\n{ANNA},01/02/2021\n"}))
    assert suppressed(project)


@pytest.mark.parametrize("left", [True, False])
def test_a_leave_without_a_date_is_asked_about(project: Project, move: Path, left: bool) -> None:
    signed_up(project, LONG_AGO)
    paths = written(move, {"unsubscribed.csv": f"email\n{ANNA}\nben@a.example\n"})
    with import_ledger(project, dry_run=False) as into:
        staged = stage(project, into, paths, ImportOptions())
        assert 1 == staged.disputed
        decide(staged, undated_leaves_count=left)
        write(project, into, staged)
    assert left is suppressed(project)
    assert suppressed(project, "ben@a.example")


def test_a_fresh_confirmation_brings_back_who_left_by_an_import(
    project: Project, move: Path
) -> None:
    moved(project, written(move, {"a.csv": f"email,unsubscribed_at\n{ANNA},2020-12-01\n"}))
    assert suppressed(project)
    with closing(project.ledger(create=False)) as ledger, ledger.transaction():
        tag = project.keys.address_tag(Address.parse(ANNA))
        ledger.suppressions.add(Return(tag, "confirmation", LONG_AGO))
    assert not suppressed(project)


def test_spellings_of_one_address_are_one_reader(project: Project, move: Path) -> None:
    rows = "email,name\nAnna@Bücher.example,Anna\nanna@xn--bcher-kva.example,Other\n"
    staged, _ = moved(project, written(move, {"a.csv": rows}))
    (file,) = staged.files
    assert (1, 1) == (file.counts.accepted, file.counts.merged)
    assert {"Anna@xn--bcher-kva.example": "Anna"} == readers(project)


def test_a_later_import_keeps_the_spelling_and_what_it_does_not_know(
    project: Project, move: Path
) -> None:
    moved(project, written(move, {"a.csv": f"email,name,language\n{ANNA.title()},Anna,fr\n"}))
    staged, _ = moved(project, written(move, {"b.csv": f"email,name\n{ANNA},Anna B\n"}))
    assert (0, 1, 0) == (
        staged.changes.new,
        staged.changes.changed,
        staged.changes.unchanged,
    )
    (reader,) = project.roster().subscribers
    assert (str(Address.parse(ANNA.title())), "Anna B", "fr") == (
        str(reader.address),
        reader.name,
        reader.language,
    )


# The list


def test_who_never_confirmed_or_is_excluded_is_not_mailed_by_the_csv_either(
    project: Project, move: Path
) -> None:
    (project.folder / "subscribers.csv").write_text(
        "email\na@a.example\nb@a.example\nc@a.example\n"
    )
    paths = written(move, {"a.csv": "email\na@a.example\n", "b.csv": "email\nb@a.example\n"})
    says = {"a.csv": ReaderState.WAIT, "b.csv": ReaderState.NEVER}
    moved(project, paths, ImportOptions(state=says))
    assert {"c@a.example"} == readers(project).keys()
    roster = project.roster()
    held_back = (*roster.unconfirmed, *roster.excluded)
    assert [2, 3] == [problem.where.row for problem in held_back]
    assert roster.rows == len(roster.subscribers) + len(held_back)
    assert not suppressed(project, "a@a.example")
    # Their own sign-up ends the waiting, and no exclusion.
    for address in ("a@a.example", "b@a.example"):
        signed_up(project, datetime.now(UTC), address)
    assert {"a@a.example", "c@a.example"} == readers(project).keys()


def test_the_csv_wins_for_a_name_and_the_readers_own_word_over_both(
    project: Project, move: Path
) -> None:
    (project.folder / "subscribers.csv").write_text(f"email,name\n{ANNA},From CSV\n")
    rows = f"email,name\n{ANNA},Imported\nben@a.example,Ben\n"
    moved(project, written(move, {"a.csv": rows}))
    assert {ANNA: "From CSV", "ben@a.example": "Ben"} == readers(project)
    assert 1 == project.roster().imported
    signed_up(project, datetime.now(UTC))
    assert {ANNA: "Anna", "ben@a.example": "Ben"} == readers(project)


def test_columns_for_the_mail_and_the_consent_are_taken_over(
    folder_fields: Project, move: Path
) -> None:
    rows = f"email,Organisation,CONFIRM_TIME,Secret\n{ANNA},Acme,2020-01-01 10:00:00,x\n"
    moved(folder_fields, written(move, {"a.csv": rows}))
    (reader,) = folder_fields.roster().subscribers
    assert {"organisation": "Acme"} == reader.fields
    held = access(folder_fields, ANNA)["imports"]
    assert [{"CONFIRM_TIME": "2020-01-01 10:00:00"}] == [each["consent"] for each in held]
    assert "Secret" not in json.dumps(held)


@pytest.fixture
def folder_fields(tmp_path: Path) -> Project:
    folder = Folder(tmp_path / "project", delivery='[audience]\nfields = ["organisation"]\n')
    (folder.folder / "subscribers.csv").unlink()
    return Project(folder.folder)


# Reverting, forgetting


def test_a_revert_withdraws_what_the_import_said_and_only_that(
    project: Project, move: Path
) -> None:
    moved(project, written(move, {"a.csv": f"email\n{ANNA}\nben@a.example\n"}))
    both = f"email\n{ANNA}\ncy@a.example\ndan@a.example\n"
    moved(project, written(move, {"unsubscribed.csv": both}))
    moved(project, written(move, {"unsubscribed2.csv": "email\ndan@a.example\n"}))
    with closing(project.ledger(create=False)) as ledger, ledger.transaction():
        tag = project.keys.address_tag(Address.parse("cy@a.example"))
        ledger.suppressions.add(Leave(tag, Reason.UNSUBSCRIBED, "one-click", datetime.now(UTC)))
    assert 3 == revert(project, 2).leaves
    names = (ANNA, "ben@a.example", "cy@a.example", "dan@a.example")
    assert dict(zip(names, ("in", "in", "left", "left"), strict=True)) == people(project, *names)
    revert(project, 1)
    assert {ANNA: "unknown", "dan@a.example": "left"} == people(project, ANNA, "dan@a.example")
    with pytest.raises(InputError, match="was reverted"):
        revert(project, 1)
    with pytest.raises(InputError, match="no import 9"):
        revert(project, 9)
    assert [True, True, False] == [bool(each.reverted_at) for each in imports_of(project)]


def test_who_left_by_a_file_of_two_moves_has_left_when_one_is_reverted(
    project: Project, move: Path
) -> None:
    left, first, second = written(
        move,
        {"unsubscribed.csv": "email\nben@a.example\n", "a.csv": f"email\n{ANNA}\n",
         "b.csv": f"email\n{ANNA}\nben@a.example\n"},
    )  # fmt: skip
    moved(project, [left, first])
    moved(project, [second, left])
    revert(project, 1)
    assert {ANNA: "in", "ben@a.example": "left"} == people(project, ANNA, "ben@a.example")


def test_a_file_that_changes_while_it_is_read_is_not_imported(move: Path) -> None:
    (path,) = written(move, {"a.csv": f"email\n{ANNA}\n"})
    found = sources_of(path)
    next(found)
    path.write_text("email\n")
    with pytest.raises(RosterError, match="changed while it was read"):
        next(found)


def test_a_date_of_bouncing_is_none_of_leaving(project: Project, move: Path) -> None:
    signed_up(project, LONG_AGO)
    said = f"email,status,bounced_at\n{ANNA},Unsubscribed,2019-05-01 10:00:00\n"
    moved(project, written(move, {"a.csv": said}))
    assert suppressed(project)


def test_what_was_reverted_can_be_imported_again(project: Project, move: Path) -> None:
    paths = written(move, {"unsubscribed.csv": f"email\n{ANNA}\n"})
    for id_ in (1, 2):
        moved(project, paths)
        assert suppressed(project)
        revert(project, id_)
        assert not suppressed(project)


def test_an_import_of_old_leaves_can_be_reverted_after_the_next_purge(
    project: Project, move: Path
) -> None:
    moved(project, written(move, {"a.csv": f"email,name\n{ANNA},Anna\n"}))
    moved(project, written(move, {"b.csv": f"email,unsubscribed_at\n{ANNA},2015-01-01\n"}))
    with closing(project.ledger(create=False)) as ledger:
        keep_promises(project, ledger)
    revert(project, 2)
    assert {ANNA: "Anna"} == readers(project)


def test_who_is_forgotten_leaves_the_imports_and_no_import_brings_them_back(
    project: Project, move: Path
) -> None:
    paths = written(move, {"a.csv": f"email,name\n{ANNA},Anna Doe\nben@a.example,Ben\n"})
    moved(project, paths)
    assert 1 == forget(project, ANNA).erased.imports
    paths[0].write_text(f"email,name\n{ANNA},Anna Doe\nben@a.example,Benno\n")
    staged, _ = moved(project, paths)
    assert 1 == staged.files[0].counts.suppressed
    assert {"ben@a.example": "Benno"} == readers(project)
    for file in project.folder.glob("newsletter.db*"):
        assert b"Anna Doe" not in file.read_bytes()


def test_who_must_not_be_mailed_is_not_named_in_the_ledger(project: Project, move: Path) -> None:
    rows = "email,name,status\nanna@a.example,Anna Doe,unsubscribed\nb@a.example,Bea Doe,pending\n"
    moved(project, written(move, {"a.csv": rows}))
    held = b"".join(file.read_bytes() for file in project.folder.glob("newsletter.db*"))
    assert b"Doe" not in held
    assert b"a.example" not in held


# Before anything counts


def test_looking_changes_nothing_and_needs_no_ledger(project: Project, move: Path) -> None:
    paths = written(move, {"a.csv": f"email\n{ANNA}\n"})
    before = sorted(project.folder.rglob("*"))
    with import_ledger(project, dry_run=True) as into:
        staged = stage(project, into, paths, ImportOptions())
        decide(staged)
        assert 1 == staged.changes.new
    assert before == sorted(project.folder.rglob("*"))


def test_one_bad_file_stops_the_whole_move(project: Project, move: Path) -> None:
    paths = written(move, {"a.csv": f"email\n{ANNA}\n", "b.csv": "<!DOCTYPE html><html>502"})
    with pytest.raises(RosterError, match="web page"):
        moved(project, paths)
    assert [] == imports_of(project)


def test_a_value_that_may_mean_either_is_asked_about(project: Project, move: Path) -> None:
    paths = written(move, {"a.csv": f"email,status\n{ANNA},Gold\nben@a.example,Lead\n"})
    with pytest.raises(UnclearValues) as found:
        moved(project, paths)
    assert {"status=Gold": (2,), "status=Lead": (3,)} == found.value.values
    moved(project, paths, ImportOptions(mail=["Status=gold"], no_mail=["status=Lead"]))
    assert {ANNA: "in", "ben@a.example": "left"} == people(project, ANNA, "ben@a.example")


def test_a_column_of_as_many_words_as_readers_is_refused_before_all_are_kept(
    project: Project, move: Path
) -> None:
    rows = "".join(f"reader{n}@a.example,Word{n}\n" for n in range(3_000))
    with pytest.raises(UnclearValues) as found:
        moved(project, written(move, {"a.csv": f"email,status\n{rows}"}))
    assert len(found.value.values) < 1_100


def test_of_very_many_rejected_rows_the_first_are_kept_and_all_are_counted(
    project: Project, move: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = written(move, {"a.csv": "email,name\n" + f"none,{'x' * 400}\n" * 50})
    monkeypatch.setattr("newsletter.project.imports.MOST_REJECTED", 2_700)
    staged, _ = moved(project, paths)
    assert (50, 50) == (staged.rejected_rows, staged.files[0].rejected)
    assert [2, 3, 4] == [each.row for each in staged.rejected]


@pytest.mark.parametrize("others", [("bounces.csv",), ("bounces.csv", "complaints.csv")])
def test_who_left_is_asked_for_beside_a_file_of_bounces_or_complaints(
    project: Project, move: Path, others: tuple[str, ...]
) -> None:
    files = {"a.csv": f"uuid,email,name,attributes,status\nu1,{ANNA},Anna,{{}},enabled\n"}
    files |= dict.fromkeys(others, "email\nben@a.example\n")
    staged, _ = moved(project, written(move, files))
    assert ["a.csv"] == [file.name for file in staged.missing]
    staged, _ = moved(project, written(move, {**files, "unsubscribed.csv": "email\n"}))
    assert [] == staged.missing


def test_who_left_by_one_program_is_asked_for_beside_the_leavers_of_another(
    project: Project, move: Path
) -> None:
    listmonk = f"uuid,email,name,attributes,status\nu1,{ANNA},Anna,{{}},enabled\n"
    left = "Email Address,First Name,LEID,EUID,UNSUB_TIME\nben@a.example,Ben,1,2,2020-01-01\n"
    files = {"a.csv": listmonk, "unsubscribed_email_audience.csv": left}
    staged, _ = moved(project, written(move, files))
    assert ["a.csv"] == [file.name for file in staged.missing]


def test_an_unknown_file_shows_its_columns(project: Project, move: Path) -> None:
    paths = written(move, {"a.csv": f"Who,Where\nAnna,{ANNA}\n"})
    with pytest.raises(RosterError, match="“Who”, “Where”"):
        moved(project, paths)
    moved(project, paths, ImportOptions(column="where"))
    assert {ANNA: "in"} == people(project, ANNA)
    paths = written(move, {"b.csv": "1,Ben,ben@a.example\n2,Cy,cy@a.example\n"})
    with pytest.raises(RosterError, match="column 3"):
        moved(project, paths)
    moved(project, paths, ImportOptions(column="3"))
    assert {"ben@a.example": "in"} == people(project, "ben@a.example")


def test_a_renamed_file_of_mailchimp_is_asked_about(project: Project, move: Path) -> None:
    paths = written(move, {"list.csv": f"Email Address,LEID,EUID\n{ANNA},1,a\n"})
    with pytest.raises(RosterError, match="another name"):
        moved(project, paths)
    moved(project, paths, ImportOptions(state={"list.csv": ReaderState.WAIT}))
    assert {ANNA: "wait"} == people(project, ANNA)


# What a person reads


def test_the_report_names_nobody_and_rejected_rows_run_nothing(
    project: Project, move: Path
) -> None:
    rows = (
        "email,name\nanna@gmial.com,Anna Doe\ninfo@mailinator.com,Desk\n"
        "=cmd|' /C calc'!A0,Eve\n@SUM(1),-1\n"
    )
    staged, _ = moved(project, written(move, {"bob@a.example.csv": rows}))
    report = b"".join(report_text(project, staged, (), id_=None)).decode()
    assert "@" not in report
    assert "4 = 2 + 0 + 0 + 2" in report
    lines = b"".join(rejected_csv(staged)).decode("utf-8-sig").splitlines()
    assert 3 == len(lines)
    cells = [cell for line in lines for cell in line.split(",")]
    assert not [cell for cell in cells if cell.strip('"').startswith(("=", "@", "-", "+"))]
    assert {("gmial.com", "gmail.com"): 1} == staged.addresses.slips
    assert (1, 1) == (staged.addresses.roles, staged.addresses.throw_away)


@pytest.mark.parametrize("cell", ["=1", "+1", "-1", "@x", "\t=1", "\r=1", " =1", "\u00a0=1"])
def test_cells_that_begin_as_formulas_are_defused(cell: str) -> None:
    assert f"'{cell}" == defused(cell)
    assert "1-Mar" == defused("1-Mar")


@given(st.text("'= \t\r\n+-@x\uff1d", max_size=6))
def test_a_defused_cell_is_had_back_as_it_was(cell: str) -> None:
    assert cell == undefused(defused(cell))
    assert not defused(cell).lstrip(" \u00a0").startswith(tuple("=+-@\t\r\n\uff1d"))


def imported_rows(content: bytes) -> list[ImportedRow]:
    source = Source("out.csv", "out.csv", lambda: io.BytesIO(content), len(content))
    (table,) = read_import_files(source, ImportOptions(fields=("organisation",)))
    return [row for row in table.rows() if isinstance(row, ImportedRow)]


@settings(max_examples=100, deadline=None)
@given(
    st.sampled_from(["", *"=+-@\t\r'", "'=", "'+", "'-", "'@", "''-", " -", "\uff1d"]),
    st.sampled_from(["Jo", "Jo Ann", "-Jo", "'t Hart", "2 + 2", "SUM(A1)", 'a "b", c']),
    st.sampled_from(["x", "=x", "+x", "-x", "'x", "'=x", "'-x", "''+x"]),
)
@example("'", "-Jo", "'=x")
def test_our_own_export_comes_back_equal(first: str, text: str, local: str) -> None:
    strange = io.StringIO()
    cells = ["a@a.example", first + text, first + text]
    csv.writer(strange).writerows([["email", "name", "organisation"], cells])
    (known,) = imported_rows(strange.getvalue().encode())
    assert (first + text).strip() == known.fields["organisation"]  # an apostrophe is the reader's
    address = str(Address.parse(f"{local}@a.example"))
    listed = Listed(
        address, known.name, "fr", {}, known.fields, "2020-01-01", "import", mailed=True
    )
    (again,) = imported_rows(b"".join(as_csv(iter([listed]), ["organisation"])))
    assert (address, known.name, "fr", known.fields) == (
        *(str(again.address), again.name, again.language, again.fields),
    )


def test_imported_leaves_are_dated_as_the_export_dates_them(project: Project, move: Path) -> None:
    later = datetime.now(UTC) + timedelta(days=900)
    rows = f"email,unsubscribed_at\n{ANNA},2020-12-01 10:00:00\nben@a.example,{later:%Y-%m-%d}\n"
    moved(project, written(move, {"a.csv": rows}))
    with closing(project.ledger(create=False)) as ledger:
        (old,) = ledger.suppressions.in_force(project.keys.address_tag(Address.parse(ANNA)))
        (new,) = ledger.suppressions.in_force(
            project.keys.address_tag(Address.parse("ben@a.example"))
        )
    assert datetime(2020, 12, 1, 10, tzinfo=UTC) == old.at
    assert new.at <= datetime.now(UTC)
    assert "import 1" == old.source


@pytest.mark.parametrize(
    ("said", "disputed"),
    [
        ("01/02/2021", 1),
        ("2021-01-15", 1),
        ("13/12/2020", 0),
        ("12/13/2020", 0),
        ("16 Feb 2021", 0),
    ],
)
def test_a_leave_that_may_be_before_or_after_a_sign_up_is_asked_about(
    project: Project, move: Path, said: str, disputed: int
) -> None:
    signed_up(project, datetime(2021, 1, 15, tzinfo=UTC))
    paths = written(move, {"a.csv": f"email,unsubscribed_at\n{ANNA},{said}\n"})
    with import_ledger(project, dry_run=True) as into:
        assert disputed == stage(project, into, paths, ImportOptions()).disputed


def test_damaged_letters_are_proposed_and_taken_by_a_yes_alone(
    project: Project, move: Path
) -> None:
    paths = written(move, {"a.csv": f"email,name\n{ANNA},MÃ¼ller\nben@a.example,Zoë\n"})
    for options in (ImportOptions(), ImportOptions(mend=True)):
        staged, _ = moved(project, paths, options)
        assert {"MÃ¼ller": "Müller"} == staged.damaged
        assert {ANNA: "Müller" if options.mend else "", "ben@a.example": "Zoë"} == readers(project)


@pytest.mark.parametrize(
    ("header", "said", "state"),
    [
        ("EMAIL,EMAIL_BLACKLISTED,SMS", "true,", "left"),
        ("email,unsubscribed", "yes", "left"),
        ("email,status", "pending", "wait"),
        ("email,do not email,contact id,NO BULK EMAILS (User Opt Out)", "yes,7,", "never"),
    ],
)
@pytest.mark.parametrize("written_as", ["anna(at)readers.example", f"{ANNA} ben@x.example"])
def test_a_row_keeps_its_reader_off_however_it_writes_the_address(
    project: Project, move: Path, written_as: str, header: str, said: str, state: str
) -> None:
    export = f"{header}\n{written_as},{said}\n"
    moved(project, written(move, {"export.csv": export, "old.csv": f"email\n{ANNA}\n"}))
    assert {ANNA: state} == people(project, ANNA)


def test_a_row_of_an_odd_address_is_asked_about_as_others_are(project: Project, move: Path) -> None:
    export = "email,notes\nanna(at)readers.example,no longer wants mail\nnone,not interested\n"
    paths = written(move, {"export.csv": export, "old.csv": f"email\n{ANNA}\n"})
    with pytest.raises(UnclearValues) as asked:
        moved(project, paths)
    assert {"notes=no longer wants": (2,)} == asked.value.values
    moved(project, paths, ImportOptions(no_mail=[*asked.value.values]))
    assert {ANNA: "left"} == people(project, ANNA)


def test_a_leave_in_a_row_of_an_odd_address_keeps_its_date(project: Project, move: Path) -> None:
    header = "Email Address,LEID,EUID,CONFIRM_TIME,UNSUB_TIME\n"
    export = f"{header}anna(at)readers.example,1,a,,2021-01-01 10:00:00\n"
    since = f"{header}{ANNA},2,b,2023-01-01 10:00:00,\n"
    moved(project, written(move, {"a.csv": export, "b.csv": since}))
    assert {ANNA: "in"} == people(project, ANNA)
