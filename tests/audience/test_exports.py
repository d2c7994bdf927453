"""Files of those who left, exports without them, and headers that are not where they should be."""

from pathlib import Path

import pytest
from newsletter.audience.exports import leavers_in, missing_leavers
from newsletter.audience.reader import read_leavers, read_roster
from newsletter.config import Audience
from newsletter.errors import RosterError

from tests.cli.support import stopped, went_well
from tests.support.project import Project

PLAIN = ["Email Address", "First Name", "Last Name"]


def write(folder: Path, text: str, name: str = "list.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("unsubscribed_members_export_1a2b.csv", "unsubscribed"),
        ("unsubscribed_segment_export_1a2b.csv", "unsubscribed"),
        ("cleaned_members_export_1a2b.csv", "bounced"),
        ("cleaned.csv", "bounced"),
        ("nonsubscribed_members_export_1a2b.csv", ""),
        ("suppression-list.csv", "manual"),
        ("suppressions (2).csv", "manual"),
        ("suppression_unsubscribes.csv", "unsubscribed"),
        ("suppression_bounces.csv", "bounced"),
        ("bounces.csv", "bounced"),
        ("HardBounces.csv", "bounced"),
        ("2024-03 bounced contacts.csv", "bounced"),
        ("opt_out.csv", "unsubscribed"),
        ("OptOutList.csv", "unsubscribed"),
        ("opted-out-contacts.csv", "unsubscribed"),
        ("unsubscribes.CSV", "unsubscribed"),
        ("global_unsubscribes.csv", "unsubscribed"),
        ("spam_reports.csv", "complained"),
        ("complaints.csv", "complained"),
        ("blacklist.csv", "manual"),
        ("blocklisted.csv", "manual"),
        ("do-not-mail.csv", "manual"),
        ("DoNotContact.csv", "manual"),
        ("unconfirmed.csv", ""),
        ("désabonnés.csv", "unsubscribed"),
        ("désinscrits-2024.csv", "unsubscribed"),
        ("liste_noire.csv", "manual"),
        ("bajas.csv", "unsubscribed"),
        ("lista negra.csv", "manual"),
        ("abgemeldete_empfaenger.csv", "unsubscribed"),
        ("Abmeldungen.csv", "unsubscribed"),
        ("Sperrliste.csv", "manual"),
        ("disiscritti.csv", "unsubscribed"),
        ("uitgeschreven.csv", "unsubscribed"),
        ("отписавшиеся.csv", "unsubscribed"),
        ("Removed (readers.xlsx)", "unsubscribed"),
        ("Sheet1 (bounces.xlsx)", "bounced"),
        ("spam_2024-01.csv", "complained"),
        ("unsubscribed_cleaned.csv", "unsubscribed"),
        ("Abbestellungen 2024.csv", "unsubscribed"),
        ("Cancelados.csv", "unsubscribed"),
        ("Kündigungen.csv", "unsubscribed"),
        ("退订.csv", "unsubscribed"),
        ("ausstehend.csv", ""),
        ("Readers (list.xlsx)", None),
        ("subscribers.csv", None),
        ("subscribed_members_export_1a2b.csv", None),
        ("list_without_bounces.csv", None),
        ("bounces_removed.csv", None),
        ("no-unsubscribes.csv", None),
        ("list_cleaned.csv", None),
        ("baja-california.csv", None),
        ("spam-researchers.csv", None),
        ("Left Party.csv", None),
        ("trampoline-bouncers.csv", None),
    ],
)
def test_a_file_of_leavers_is_known_by_its_name(name: str, reason: str | None) -> None:
    found = leavers_in(name, PLAIN)
    assert reason == (found and found.reason)
    assert found is None or name in found.told_by


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ("email,created", "unsubscribed"),  # SendGrid
        ("reason,status,email,created", "bounced"),
        ("EmailAddress,Reason,LastUpdateTime", "manual"),  # Amazon SES
        ("address,code,error,created_at", "bounced"),  # Mailgun
        ("address,tags,created_at", "unsubscribed"),
        ("EmailAddress,SuppressionReason,Origin,CreatedAt", "manual"),  # Postmark
        ("# Email,Name,Bounce score,Bounce count,First bounce,Last bounce", "bounced"),  # Sympa
        ("address,scope,reason,created_at,email_id,id", "manual"),
        ("email,name,language", None),
        ("email,created,name", None),
        ("email,reason", None),
    ],
)
def test_a_file_of_leavers_is_known_by_its_columns(header: str, reason: str | None) -> None:
    found = leavers_in("export.csv", header.split(","))
    assert reason == (found and found.reason)


@pytest.mark.parametrize(
    ("name", "header", "look_for"),
    [
        ("a.csv", "Email Address,First Name,LEID,EUID,NOTES,TAGS", "unsubscribed_….csv"),
        ("a.csv", "uuid,email,name,attributes,status,created_at,updated_at", "unsubscribed"),
        ("a.csv", "EMAIL,LASTNAME,EMAIL_BLACKLISTED,ADDED_TIME", "unsubscribed from that list"),
        ("a.csv", "EMAIL,FIRST_NAME,ALTERNATE_EMAILS,CREATED_AT,CONTACT_ID", "Suppressions"),
        (
            "a.csv",
            "First Name,Last Name,E-mail Address,E-mail 2 Address,E-mail 3 Address",
            "unsubscribed readers",
        ),
        ("a.csv", "First Name,Last Name,Labels,E-mail 1 - Value", "unsubscribed readers"),
        ("subscribed_members_export_1.csv", "Email,Name", "unsubscribed_….csv"),
        ("active_subscribers.csv", "Email,Name", "unsubscribed_….csv"),
        ("subscribers.csv", "email,name,language", ""),
        ("a.csv", "Email Address,UNSUB_TIME,LEID,EUID", ""),
    ],
)
def test_an_export_without_leavers_says_what_to_look_for(
    name: str, header: str, look_for: str
) -> None:
    found = missing_leavers(name, header.split(","))
    assert bool(look_for) == bool(found)
    assert found is None or look_for in found[1]


def test_whoever_left_by_another_file_is_suppressed_and_never_mailed(project: Project) -> None:
    rows = "Email Address,First Name\nreader0@readers.example,R\nREADER1@readers.example,R\n"
    file = write(project.folder, rows, "unsubscribed_members_export_1.csv")
    says = ("readers who unsubscribed", "suppress add", "--reason")
    stopped(project.run("send", "2017-04", "--yes", "--subscribers", file.name), 2, *says)
    project.settings(f'\n[audience]\nfile = "{file.name}"\n')
    stopped(project.run("subscribers", "check"), 2, *says)
    project.settings("")
    ask = project.run("suppress", "add", file.name, "--reason", "unsubscribed")
    stopped(ask, 2, "Nobody can answer here")
    went_well(
        project.run("suppress", "add", file.name, "--reason", "unsubscribed", "--yes"),
        "2 people added",
    )
    went_well(project.run("send", "2017-04", "--yes"), "1 planned = 1 accepted")


def test_the_newsletters_own_list_is_never_suppressed(project: Project) -> None:
    done = project.run("suppress", "add", "subscribers.csv", "--yes")
    stopped(done, 2, "own list")
    went_well(project.run("suppress", "list"), "Nobody has left yet.")


@pytest.mark.parametrize(
    ("text", "addresses", "active", "refused"),
    [
        ("email,created\na@a.example,1\nnonsense,1\n", ["a@a.example"], 0, 1),
        ("a@a.example\nb@b.example\na@A.example\n", ["a@a.example", "b@b.example"], 0, 0),
        ("Anna <a@a.example>\n", ["a@a.example"], 0, 0),
        ("Email,Status\na@a.example,unsubscribed\nb@b.example,active\n", ["a@a.example"], 1, 0),
        ("Email,UNSUB_TIME,LEID\na@a.example,2024-01-01,7\n", ["a@a.example"], 0, 0),
    ],
)
def test_a_file_to_suppress_is_read(
    tmp_path: Path, text: str, addresses: list[str], active: int, refused: int
) -> None:
    found = read_leavers(write(tmp_path, text))
    assert addresses == [str(each) for each in found.addresses]
    assert (active, refused) == (found.active, len(found.refused))


# What stands above or instead of a header, the settings that answer it, who is then mailed.
HEADERS = [
    ("Our members\n\nEmail,Name\na@a.example,Anna\n", "header_row = 3", {"header_row": 3}),
    (
        'Notes:,,\n"Exported, with care",,\n\nE-Mail;Name\na@a.example;Anna\n',
        "header_row = 4",
        {"header_row": 4},
    ),
    (
        "Questions,office@club.example\nEmail,Name\na@a.example,Anna\n",
        "header_row = 2",
        {"header_row": 2},
    ),
    ("sep=;\nMembers 2024;\nEmail;Name\na@a.example;Anna\n", "header_row = 2", {"header_row": 2}),
    ("Who,Name\na@a.example,Anna\n", 'address_column = "Who"', {"address_column": "Who"}),
    (
        "Name,E-mail 1 - Value\nAnna,a@a.example\n",
        'address_column = "E-mail 1 - Value"',
        {"address_column": "E-mail 1 - Value"},
    ),
    (
        "Club\nWho,Name\na@a.example,Anna\n",
        'header_row = 2 and address_column = "Who"',
        {"header_row": 2, "address_column": "who"},
    ),
    ("a@a.example\n", "header_row = 0", {"header_row": 0}),
    ("a@a.example,Anna\n", "header_row = 0", {"header_row": 0}),
    (
        "a@a.example,b@a.example\n",
        'header_row = 0 and address_column = "1"',
        {"header_row": 0, "address_column": "1"},
    ),
    (
        "Email,E-Mail\na@a.example,b@a.example\n",
        "address_column",
        None,
    ),
    (
        "Email,Mail\na@a.example,b@a.example\n",
        "address_column",
        {"address_column": "Email"},
    ),
]


@pytest.mark.parametrize(("text", "says", "answer"), HEADERS)
def test_a_header_that_is_not_found_is_asked_about_and_answered(
    tmp_path: Path, text: str, says: str, answer: dict[str, int | str] | None
) -> None:
    path = write(tmp_path, text)
    with pytest.raises(RosterError) as caught:
        read_roster(path)
    assert says in str(caught.value)
    assert "[audience] in newsletter.toml" in str(caught.value)
    if answer is not None:
        (found,) = read_roster(path, Audience.model_validate(answer)).subscribers
        assert ("a@a.example", "Anna" * ("Name" in text)) == (str(found.address), found.name)


@pytest.mark.parametrize(
    ("settings", "says"),
    [({"header_row": 2}, "Row 2 of the list"), ({"header_row": 9}, "Row 9 of the list"),
     ({"address_column": "Mobile"}, "“Email”, “Name”")],
)  # fmt: skip
def test_a_setting_that_does_not_fit_the_list_is_said(
    tmp_path: Path, settings: dict[str, int | str], says: str
) -> None:
    path = write(tmp_path, "Email,Name\n\na@a.example,Anna\n")
    with pytest.raises(RosterError, match=says):
        read_roster(path, Audience.model_validate(settings))


def test_the_program_shows_the_columns_and_follows_the_setting(project: Project) -> None:
    write(project.folder, "Members,,\n\nKontakt,Name,\na@a.example,Anna,\n", "subscribers.csv")
    stopped(
        project.run("subscribers", "check"), 2,
        "“Kontakt”, “Name”", 'header_row = 3 and address_column = "Kontakt"',
    )  # fmt: skip
    project.settings('\n[audience]\nheader_row = 3\naddress_column = "Kontakt"\n')
    went_well(project.run("subscribers", "check"), "1 row, 1 person to mail.")
