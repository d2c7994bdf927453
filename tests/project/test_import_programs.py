"""Exports of other programs, made after their header rows: each reader ends as they should."""

import multiprocessing
import os
import signal
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from newsletter.errors import RosterError
from newsletter.project import Project
from newsletter.project.imports import ImportOptions, decide, import_ledger, imports_of, stage
from newsletter.reader_states import ReaderState

from tests.project.moves import Files, everybody, moved, people, written, zipped
from tests.support.project import Project as Folder


def without_list(folder: Path) -> Project:
    made = Folder(folder)
    (made.folder / "subscribers.csv").unlink()
    return Project(made.folder)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return without_list(tmp_path / "project")


@dataclass(frozen=True)
class Export:
    """Files, who is who in them, and what they must be recognised as."""

    program: str
    files: Files
    truth: dict[str, str]
    missing: bool = False
    options: ImportOptions = field(default_factory=ImportOptions)


def at(name: str) -> str:
    return f"{name}@readers.example"


def csv(header: str, *rows: str, delimiter: str = ",") -> str:
    return "\r\n".join([header, *rows, ""]).replace("~", delimiter)


MC = (
    "Email Address,First Name,Last Name,Ort,MEMBER_RATING,OPTIN_TIME,CONFIRM_TIME,{},LEID,EUID,TAGS"
)
MAILCHIMP = {
    "subscribed_members_export_1.csv": csv(
        MC.format("LAST_CHANGED"),
        f'{at("anna")},Anna,A,Bonn,2,2019-01-01 10:00:00,2019-01-01 10:05:00,x,1,a,"""x"",""y"""',
        f"{at('ben')},Ben,B,Bonn,2,,2023-01-01 10:05:00,x,2,b,",
    ),
    "unsubscribed_members_export_1.csv": csv(
        MC.format("UNSUB_TIME,UNSUB_CAMPAIGN_TITLE,UNSUB_REASON"),
        f"{at('cy')},Cy,C,Bonn,2,,,2020-05-01 00:00:00,March,NORMAL,3,c,",
        f"{at('dora')},Dora,D,Bonn,2,,,2020-05-01 00:00:00,March,Spammy content (abuse),4,d,",
        f"{at('ben')},Ben,B,Bonn,2,,,2022-05-01 00:00:00,March,NORMAL,2,b,",
    ),
    "cleaned_members_export_1.csv": csv(
        MC.format("CLEAN_TIME,CLEAN_CAMPAIGN_TITLE,CLEAN_CAMPAIGN_ID"),
        f"{at('eve')},Eve,E,Bonn,2,,,2021-01-01 00:00:00,March,ab12,5,e,",
    ),
    "nonsubscribed_members_export_1.csv": csv(
        MC.format("LAST_CHANGED"), f"{at('fay')},Fay,F,Bonn,2,,,x,6,f,"
    ),
}
EXPORTS = [
    Export(
        "Mailchimp",
        {"audience.zip": zipped({f"a/{name}": text for name, text in MAILCHIMP.items()})},
        {"anna": "in", "ben": "in", "cy": "left", "dora": "spam", "eve": "dead", "fay": "wait"},
    ),
    Export(
        "Brevo",
        {"contacts.csv": csv(
            "EMAIL;NOM;PRENOM;SMS;EMAIL_BLACKLISTED;SMS_BLACKLISTED;ADDED_TIME;MODIFIED_TIME",
            f"{at('anna')};A;Anna;;no;yes;01-02-2021 10:00;01-02-2021 10:00",
            f"{at('ben')};B;Ben;;yes;no;01-02-2021 10:00;01-02-2021 10:00",
            f"{at('cy')};C;Cy;;TRUE;no;01-02-2021 10:00;01-02-2021 10:00",
        )},
        {"anna": "in", "ben": "left", "cy": "left"},
        missing=True,
    ),
    Export(
        "Constant Contact",
        {"contact_export.csv": csv(
            "Email address,First name,Last name,Company,Email status,Email permission status,"
            "Confirmed Opt-Out Date,Confirmed Opt-Out Reason,Created At",
            f"{at('anna')},Anna,A,,Active,Express,,,2020-01-01 10:00:00 UTC",
            f"{at('ben')},Ben,B,,Unsubscribed,Implied,2021-01-02,Too many,2020-01-01",
            f"{at('cy')},Cy,C,,Active,Pending Confirmation,,,2020-01-01",
            f"{at('dan')},Dan,D,,Removed,Implied,,,2020-01-01",
        )},
        {"anna": "in", "ben": "left", "cy": "wait", "dan": "left"},
    ),
    Export(
        "Substack",
        {"email_list.csv": csv(
            "email,active_subscription,expiry,email_disabled,prefer_digests,created_at",
            f"{at('anna')},false,,false,false,2022-01-01T00:00:00.000Z",
            f"{at('ben')},true,,true,false,2022-01-01T00:00:00.000Z",
        )},
        {"anna": "in", "ben": "left"},
    ),
    Export(
        "Ghost",
        {"members.csv": csv(
            "id,email,name,note,subscribed_to_emails,complimentary_plan,stripe_customer_id,"
            "created_at,deleted_at,labels,tiers",
            f"1,{at('anna')},Anna,,true,false,,2022-01-01T00:00:00.000Z,,,",
            f"2,{at('ben')},Ben,,false,false,,2022-01-01T00:00:00.000Z,,,",
            f"3,{at('cy')},Cy,,true,false,,2022-01-01T00:00:00.000Z,2023-01-01T00:00:00.000Z,,",
        )},
        {"anna": "in", "ben": "left", "cy": "never"},
    ),
    Export(
        "Buttondown",
        {"subscribers.csv": csv(
            "id,secondary_id,email,notes,subscriber_type,referrer_url,creation_date,"
            "subscription_date,unsubscription_date,tags,metadata",
            f"1,1,{at('anna')},,premium,,2022-01-01,2022-01-01,,a;b,{{'name': 'x'}}",
            f"2,2,{at('ben')},,unsubscribed,,2022-01-01,2022-01-01,2023-01-01,,{{}}",
            f"3,3,{at('cy')},,unactivated,,2022-01-01,,,,{{}}",
            f"4,4,{at('dan')},,complained,,2022-01-01,2022-01-01,,,{{}}",
        )},
        {"anna": "in", "ben": "left", "cy": "wait", "dan": "spam"},
    ),
    Export(
        "beehiiv",
        {"subs.csv": csv(
            "email,First Name,Last Name,status,tier,created_at,stripe_customer_id,Free Tier,"
            "Gold Tier,unsubscribed_at",
            f"{at('anna')},Anna,A,active,free,2023-01-01 10:00:00,,true,false,",
            f"{at('ben')},Ben,B,inactive,free,2023-01-01 10:00:00,,true,false,2024-01-01 10:00:00",
            f"{at('cy')},Cy,C,validating,free,2023-01-01 10:00:00,,true,false,",
            f"{at('dan')},Dan,D,invalid,free,2023-01-01 10:00:00,,true,false,",
        )},
        {"anna": "in", "ben": "left", "cy": "wait", "dan": "dead"},
    ),
    Export(
        "listmonk",
        {"subscribers.csv": csv(
            "uuid,email,name,attributes,status,created_at,updated_at",
            f'u1,{at("anna")},Anna,"{{""city"": ""Bonn""}}",enabled,2023-01-01,2023-01-01',
            f"u2,{at('ben')},Ben,{{}},disabled,2023-01-01,2023-01-01",
            f"u3,{at('cy')},Cy,{{}},blocklisted,2023-01-01,2023-01-01",
            f"u4,{at('dan')},Dan,{{}},enabled,2023-01-01,2023-01-01",
         ), "unsubscribed.csv": csv("email", at("dan"))},
        {"anna": "in", "ben": "never", "cy": "left", "dan": "left"},
    ),
    Export(
        "phpList",
        {"export.csv": csv(
            "id~Email~Is this subscriber confirmed~Is this subscriber blacklisted~Did this "
            "subscriber manually confirm~Number of bounces~Entered~Last Modified~Unique ID~Send "
            "this subscriber HTML emails~RSS Frequency~Is this account disabled?~Additional data~"
            "Foreign Key~name~List Membership",
            f"1~{at('anna')}~1~0~0~0~2015-01-01~2015-01-01~{'a' * 32}~1~~0~~~Anna~News",
            f"2~{at('ben')}~1~1~0~0~2015-01-01~2015-01-01~{'b' * 32}~1~~0~~~Ben~News",
            f"3~{at('cy')}~0~0~0~0~2015-01-01~2015-01-01~{'c' * 32}~1~~0~~~Cy~News",
            f"4~{at('dan')}~1~0~0~0~2015-01-01~2015-01-01~{'d' * 32}~1~~1~~~Dan~News",
            delimiter="\t",
        )},
        {"anna": "in", "ben": "left", "cy": "wait", "dan": "never"},
    ),
    Export(
        "phpList",  # by a user who has it in French
        {"export.csv": csv(
            "id~Email~Abonné confirmé~Abonné sur liste noire~Confirmé à la main~Rebonds~Inscrit~"
            "Modifié~Identifiant~HTML~RSS~Compte désactivé~Données~Clé~nom",
            f"1~{at('anna')}~1~0~0~0~2015-01-01~2015-01-01~{'a' * 32}~1~~0~~~Anna",
            f"2~{at('ben')}~1~1~0~0~2015-01-01~2015-01-01~{'b' * 32}~1~~0~~~Ben",
            f"3~{at('cy')}~0~0~0~0~2015-01-01~2015-01-01~{'c' * 32}~1~~0~~~Cy",
            delimiter="\t",
        )},
        {"anna": "in", "ben": "left", "cy": "wait"},
    ),
    Export(
        "Sympa",
        {"member.dump": f"email {at('anna')}\ngecos Anna A\ndate 1500000000\nreception mail\n\n"
                        f"date 1500000000\nemail {at('ben')}\nreception nomail\n",
         "bounces.txt": csv("# Email~Name~Bounce score~Bounce count~First bounce~Last bounce",
                            f"{at('cy')}~Cy~90~9~2020-01-01~2021-01-01", delimiter="\t")},
        {"anna": "in", "ben": "never", "cy": "dead"},
    ),
    Export(
        "a member list",
        {"members.txt": f"Anna A <{at('anna')}>\n{at('ben')}\n",
         "members-bybounce.txt": f"{at('ben')}\n", "members-byuser.txt": f"{at('cy')}\n"},
        {"anna": "in", "ben": "dead", "cy": "never"},
    ),
    Export(
        "CiviCRM",
        {"contacts.csv": csv(
            "Contact ID,First Name,Last Name,Email,Do Not Email,No Bulk Emails (User Opt Out),"
            "Preferred Language,On Hold,Deceased",
            f"1,Anna,A,{at('anna')},0,0,French,0,No",
            f"2,Ben,B,{at('ben')},0,1,French,0,No",
            f"3,Cy,C,{at('cy')},1,0,French,0,No",
            f"4,Dan,D,{at('dan')},0,0,French,1,No",
            f"5,Eve,E,{at('eve')},0,0,French,2,No",
            f"6,Fay,F,{at('fay')},0,0,French,0,Yes",
        )},
        {"anna": "in", "ben": "left", "cy": "never", "dan": "dead", "eve": "left", "fay": "never"},
    ),
    Export(
        "Google Contacts",
        {"contacts.csv": "\ufeff" + csv(
            "First Name,Middle Name,Last Name,Nickname,Notes,Labels,E-mail 1 - Label,"
            "E-mail 1 - Value,E-mail 2 - Label,E-mail 2 - Value",
            f"Anna,,A,,,* myContacts ::: Rotary,* Work,{at('anna')} ::: {at('anna2')},,",
            ",,Nobody,,,,,,,",
        )},
        {"anna": "in", "anna2": "unknown"},
        missing=True,
    ),
    Export(
        "Outlook",
        {"contacts.csv": csv(
            "First Name,Middle Name,Last Name,Title,Notes,E-mail Address,E-mail 2 Address,"
            "E-mail 3 Address,Categories",
            f"Anna,,A,,,{at('anna')},,,News",
        ).encode("cp1252")},
        {"anna": "in"},
        missing=True,
    ),
    Export(
        "HubSpot",
        {"hubspot.csv": csv(
            "Record ID,First Name,Last Name,Email,Unsubscribed from all email,"
            "Marketing contact status,Marketing email confirmation",
            f"1,Anna,A,{at('anna')},,Marketing contact,confirmed",
            f"2,Ben,B,{at('ben')},TRUE,Marketing contact,",
            f"3,Cy,C,{at('cy')},,Non-marketing contact,",
            f"4,Dan,D,{at('dan')},,Marketing contact,double_opt_in_pending",
        ), "hubspot-unsubscribes-and-bounces.csv": csv(
            "Email,Portal Bounce,Portal Unsubscribe,Portal Spam Report,Global Bounce",
            f"{at('anna')},,,,TRUE", f"{at('eve')},,,TRUE,",
        )},
        {"anna": "dead", "ben": "left", "cy": "never", "dan": "wait", "eve": "spam"},
    ),
    Export(
        "Salesforce",
        {"report.csv": csv(
            "Id,FirstName,LastName,Email,HasOptedOutOfEmail,IsEmailBounced,EmailBouncedReason",
            f"1,Anna,A,{at('anna')},false,false,",
            f"2,Ben,B,{at('ben')},true,false,",
            f"3,Cy,C,{at('cy')},false,true,550 no such user",
            "", "Confidential Information - Do Not Distribute", "Generated By: Somebody",
        )},
        {"anna": "in", "ben": "left", "cy": "dead"},
    ),
    Export(
        "Kit",
        {"kit.csv": csv(
            "first_name,email,created_at,status",
            f"Anna,{at('anna')},2023-01-01,active", f"Ben,{at('ben')},2023-01-01,cancelled",
            f"Cy,{at('cy')},2023-01-01,inactive", f"Dan,{at('dan')},2023-01-01,bounced",
        )},
        {"anna": "in", "ben": "left", "cy": "wait", "dan": "dead"},
    ),
    Export(
        "Amazon SES",
        {"ses.csv": csv(
            "EmailAddress,Reason,LastUpdateTime",
            f"{at('anna')},BOUNCE,2023-01-01T00:00:00Z",
            f"{at('ben')},COMPLAINT,2023-01-01T00:00:00Z",
        )},
        {"anna": "dead", "ben": "spam"},
    ),
    Export(
        "LinkedIn",
        {"Connections.csv": csv(
            "Notes:", '"When exporting your connection data, you may notice some are missing"', "",
            "First Name,Last Name,URL,Email Address,Company,Position,Connected On",
            f"Anna,A,https://l.example/a,{at('anna')},Org,Boss,01 Jan 2024",
        )},
        {"anna": "in"},
        missing=True,
    ),
]  # fmt: skip
NAMED = [f"{number}-{export.program}" for number, export in enumerate(EXPORTS)]


@pytest.mark.parametrize("export", EXPORTS, ids=NAMED)
def test_each_reader_of_an_export_ends_as_they_should(
    project: Project, tmp_path: Path, export: Export
) -> None:
    paths = written(tmp_path / "move", export.files)
    staged, _ = moved(project, paths, export.options)
    assert export.program in {file.what for file in staged.files}
    assert export.missing is bool(staged.missing)
    assert export.truth == people(project, *export.truth)


@pytest.mark.parametrize("export", EXPORTS, ids=NAMED)
def test_a_second_import_of_the_same_files_changes_nothing(
    project: Project, tmp_path: Path, export: Export
) -> None:
    paths = written(tmp_path / "move", export.files)
    moved(project, paths, export.options)
    staged, done = moved(project, reversed(paths), export.options)
    assert (True, 0) == (staged.is_known, done.id)
    assert export.truth == people(project, *export.truth)


@pytest.mark.parametrize("first", range(4))
def test_files_of_a_move_may_come_one_after_the_other(
    project: Project, tmp_path: Path, first: int
) -> None:
    paths = written(tmp_path / "move", MAILCHIMP)
    moved(project, [paths[first]])
    moved(project, paths)
    # Only files that are side by side tell a confirmation from a leave before it: doubt means left.
    alone = {**EXPORTS[0].truth, "ben": "left" if first in {0, 1} else "in"}
    assert alone == people(project, *EXPORTS[0].truth)


# A whole move: the export, the files of those who left, and whatever goes wrong on the way

SUPPRESSIONS = {
    "opted-out.csv": csv("email,reason", f"{at('anna').upper()},", f"{at('gil')},too many"),
    "bounces.csv": csv("Email", at("ben"), at("hal"), at("ida")),
    "spam-complaints.csv": csv("address;when", f"{at('ida')};2024-01-01", delimiter=","),
}
SAID = {"anna": "left", "gil": "left", "ben": "dead", "hal": "dead", "ida": "spam"}
MOVES = {
    export.program: Export(
        export.program,
        {**(MAILCHIMP if export.program == "Mailchimp" else export.files), **SUPPRESSIONS},
        {
            name: max(
                [states[name] for states in (export.truth, SAID) if name in states],
                key=lambda state: -1 if state == "unknown" else ReaderState(state).rank,
            )
            for name in {**export.truth, **SAID}
        },
    )
    for export in EXPORTS
}
# The files of permutations tell enough by themselves, and each example is a whole move.
ORDERS = settings(max_examples=2, deadline=None, phases=[Phase.generate])


@pytest.mark.parametrize("move", MOVES.values(), ids=MOVES)
@ORDERS
@given(data=st.data())
def test_a_move_ends_person_by_person_right_whatever_happens_on_the_way(
    move: Export, data: st.DataObject
) -> None:
    with tempfile.TemporaryDirectory() as room:
        project = without_list(Path(room) / "project")
        paths = data.draw(st.permutations(written(Path(room) / "move", move.files)))
        with pytest.raises(RosterError):
            moved(project, [paths[0], Path(room) / "none.csv", *paths[1:]])
        assert {} == everybody(project)
        assert [] == imports_of(project)
        moved(project, paths)
        assert move.truth == people(project, *move.truth)
        known, _ = moved(project, data.draw(st.permutations(paths)))
        assert known.is_known
        # A list of somebody who knows nothing of leaves lifts none.
        everyone = csv("email", *(at(name) for name, state in move.truth.items() if state != "in"))
        moved(project, written(Path(room), {"readers.csv": everyone}))
        after = {name: "in" if was == "unknown" else was for name, was in move.truth.items()}
        assert after == people(project, *move.truth)


def test_a_process_killed_before_its_commit_leaves_nothing_and_the_move_is_made_again(
    project: Project, tmp_path: Path
) -> None:
    move = MOVES["Mailchimp"]
    paths = written(tmp_path / "move", move.files)

    def doomed() -> None:
        with import_ledger(project, dry_run=False) as into:
            staged = stage(project, into, paths, ImportOptions())
            decide(staged)
            with into.ledger.transaction():
                staged.staging.write([], now=project.clock.now())
                os.kill(os.getpid(), signal.SIGKILL)

    process = multiprocessing.get_context("fork").Process(target=doomed)
    process.start()
    process.join()
    assert -signal.SIGKILL == process.exitcode
    assert {} == everybody(project)
    assert [] == imports_of(project)
    moved(project, paths)
    assert move.truth == people(project, *move.truth)


@pytest.mark.parametrize("move", MOVES.values(), ids=MOVES)
@ORDERS
@given(data=st.data())
def test_a_move_file_by_file_ends_as_one_in_a_call(move: Export, data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as room:
        project = without_list(Path(room) / "project")
        for path in data.draw(st.permutations(written(Path(room) / "move", move.files))):
            moved(project, [path])
        # Only files that are side by side tell a confirmation from a leave before it.
        alone = {"ben": "left"} if move.program == "Mailchimp" else {}
        assert {**move.truth, **alone} == people(project, *move.truth)
