"""The list's own words: who left, bounced or never confirmed is not mailed."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from newsletter.audience.model import Roster
from newsletter.audience.reader import read_roster
from newsletter.config import Audience
from newsletter.errors import RosterError

from tests.support.tools import ROOT


def read(
    tmp_path: Path, text: str, mail: tuple[str, ...] = (), no_mail: tuple[str, ...] = ()
) -> Roster:
    path = tmp_path / "list.csv"
    path.write_text(text, encoding="utf-8")
    return read_roster(path, Audience(mail=list(mail), no_mail=list(no_mail)))


def mailed(roster: Roster) -> str:
    return "".join(each.address.local for each in roster.subscribers)


# Column, a value of who stays, and values of who must not be mailed.
LEFT = [
    ("Status", "Active", "Unsubscribed,Bounced,Cleaned,Pending,Unconfirmed,Removed,Inactive"),
    ("status", "enabled", "disabled,blocklisted"),  # listmonk
    ("status", "subscribed", "nonsubscribed,unsubscribed,cleaned,not subscribed"),
    ("Email status", "Active", "Unsubscribed,Hard bounced,Spam complaint,junk"),
    ("subscriber_type", "regular", "unactivated,unsubscribed,removed,spammy"),
    ("Email permission status", "Express", "Pending,Unsubscribed"),
    ("Statut", "Abonné", "Désabonné,Désinscrit,En attente,Rejeté,Non inscrit"),
    ("Estado", "Activo", "Baja,Cancelado,Rebotado,Pendiente,No suscrito"),
    ("Estado", "Jalisco", "Dado de baja,Dada de baja,De baja,Se dio de baja"),
    ("Estado", "Delta", "Was unsubscribed,Hat sich abgemeldet,En baja"),
    ("Situação", "Ativo", "Descadastrado,Cancelado"),
    ("Zustand", "aktiv", "abgemeldet,gesperrt"),
    ("Status", "Aktiv", "Abgemeldet,Inaktiv,Gesperrt,Ausstehend,Nicht bestätigt"),
    ("Stato", "Iscritto", "Disiscritto,In attesa,Cancellato"),
    ("Status", "Inscrito", "Descadastrado,Cancelado,Pendente"),
    ("Status", "Ingeschreven", "Uitgeschreven,Afgemeld,Geblokkeerd"),
    ("Status", "Aktywny", "Wypisany,Nieaktywny,Zablokowany"),
    ("Статус", "Подписан", "Отписан,Отписался,Заблокирован,Не подписан"),
    ("الحالة", "نشط", "ألغى الاشتراك,محظور,غير نشط"),
    ("EMAIL_BLACKLISTED", "no", "yes,TRUE,1"),
    ("email_disabled", "false", "true"),
    ("subscribed_to_emails", "true", "false"),
    ("Is this subscriber blacklisted", "0", "1"),
    ("Is this subscriber confirmed", "1", "0"),
    ("Is this account disabled?", "0", "1"),
    ("On Hold", "0", "1,2,Yes"),
    ("No Bulk Emails (User Opt Out)", "No", "Yes,1"),
    ("Do Not Email", "", "1"),
    ("Unsubscribed from all email", "", "TRUE"),
    ("Portal Bounce", "", "TRUE"),
    ("HasOptedOutOfEmail", "false", "true"),
    ("IsEmailBounced", "FALSE", "TRUE"),
    ("EmailBouncedReason", "", "550 no such user"),
    ("UNSUB_TIME", "", "2024-03-01 10:00:00"),
    ("CLEAN_TIME", "", "2024-03-01 10:00:00"),
    ("unsubscribed_at", "NULL", "2024-03-01"),
    ("Abgemeldet", "nein", "ja"),
    ("Désabonné", "non", "oui"),
    ("Opt-in", "sí", "no"),
    ("Newsletter", "x", "Unsubscribed"),  # a column that is not known
    ("State", "California", "Unsubscribed"),
]


@pytest.mark.parametrize(("column", "stays", "gone"), LEFT, ids=[f"{a}-{b}" for a, b, _ in LEFT])
def test_who_left_is_not_mailed(tmp_path: Path, column: str, stays: str, gone: str) -> None:
    words = gone.split(",")
    rows = "".join(f"x{n}@b.example,B,{word}\n" for n, word in enumerate(words))
    found = read(tmp_path, f"email,name,{column}\na@a.example,A,{stays}\n{rows}")
    assert "a" == mailed(found)
    assert len(words) == len(found.left)
    assert all(word in problem.what for word, problem in zip(words, found.left, strict=True))


LEAVING = (
    "Baja|Bajas|Fecha de baja|Fecha baja|Motivo de baja|Dado de baja|Desuscrito|Cancelado|"
    "Rebotado|Abgemeldet|Abgemeldet am|Datum Abmeldung|Ausgetragen|Ausgetreten|Austritt|"
    "Gekündigt|Gesperrt|Gelöscht|Storniert|Unzustellbar|Kein Newsletter|Keine Mails|"
    "Werbewiderspruch|Verstorben|Désabonné|Désabonnée le|Désinscrit|"
    "Date de désinscription|Résilié|Ne plus envoyer|NPAI|Décédé|Liste noire|Disiscritto|"
    "Cancellato|Data cancellazione|Non inviare|Descadastrado|Removido|Baixa|Afgemeld|"
    "Uitgeschreven|Datum uitschrijving|Niet mailen|Wypisany|Rezygnacja|Data rezygnacji|"
    "Отписан|Отписался|Дата отписки|Не отправлять|Відписаний|Відписка|إلغاء الاشتراك|"
    "ألغى الاشتراك|Avregistrerad|Avmeldt|Odhlášen|Leiratkozott|Dezabonat|Διαγραφή|退订|配信停止|"
    "수신거부|Left|Left on|Unsubscribed on|Unsub|Opted-out|Do not contact|No newsletter|"
    "Undeliverable|Removed|Resigned|IsExcludedFromCampaigns"
)


@pytest.mark.parametrize("column", LEAVING.split("|"))
def test_a_tick_or_a_date_in_a_column_of_leaving_stops_a_row(tmp_path: Path, column: str) -> None:
    ticks = [
        "x",
        "X",
        "1",
        "yes",
        "✓",
        "✔\ufe0f",
        "✅",
        "ja",
        "12.03.2024",
        "2024-03-12",
        "12/3/24",
    ]
    rows = "".join(f"x{n}@b.example,{tick}\n" for n, tick in enumerate(ticks))
    stays = "a@a.example,\nb@a.example,no\nc@a.example,0000-00-00\n"
    found = read(tmp_path, f"email,{column}\n{stays}{rows}")
    assert ("abc", len(ticks)) == (mailed(found), len(found.left))


@pytest.mark.parametrize(
    ("column", "value"),
    [("name", "Baja"), ("First name", "Cancel"), ("Last name", "Baja"), ("Surname", "Junk"),
     ("Apellidos", "Baja"), ("Nachname", "Spam"), ("Nom de famille", "Left"), ("City", "Baja"),
     ("Ciudad", "Baja"), ("Ort", "Baja"), ("Region", "Baja California"), ("Company", "Blocked"),
     ("Фамилия", "Отказ"), ("Last name", "Removed"), ("Town", "Left")],
)  # fmt: skip
def test_a_person_or_a_town_of_that_name_is_mailed(tmp_path: Path, column: str, value: str) -> None:
    text = f"email,{column},Middle name\na@a.example,{value},Baja\n"
    assert "a" == mailed(read(tmp_path, text))


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("SMS_BLACKLISTED", "yes"),
        ("active_subscription", "false"),
        ("Number of bounces", "3"),
        ("Unsubscribe URL", "https://a.example/u"),
        ("Country", "NO"),
        ("MEMBER_RATING", "2"),
        ("Bounced", "never"),
        ("Status", "Not unsubscribed"),
    ],
)
def test_who_stays_is_mailed(tmp_path: Path, column: str, value: str) -> None:
    assert "a" == mailed(read(tmp_path, f"email,{column}\na@a.example,{value}\n"))


@pytest.mark.parametrize(("column", "value"), [("Status", "Gold"), ("Status", "1"),
                                               ("Status", ""), ("Opt-in", "maybe")])  # fmt: skip
def test_a_value_not_understood_is_asked_about_and_answered(
    tmp_path: Path, column: str, value: str
) -> None:
    text = f"email,name,{column}\nsecret@a.example,A,{value}\nb@a.example,B,subscribed\n"
    with pytest.raises(RosterError) as caught:
        read(tmp_path, text)
    said = str(caught.value) + "".join(each.what for each in caught.value.problems)
    assert f"{column}={value}" in said
    assert "secret" not in said
    assert "secretb" == mailed(read(tmp_path, text, mail=(f"{column}={value}",)))
    assert "b" == mailed(read(tmp_path, text, no_mail=(f"{column}={value}",)))


def test_who_left_by_one_row_is_not_mailed_for_another(tmp_path: Path) -> None:
    text = "email,status\nA@a.example,active\nb@a.example,active\na@a.example,unsubscribed\n"
    found = read(tmp_path, text)
    assert ("b", 2, 3) == (mailed(found), len(found.left), found.rows)


def test_the_program_says_how_many_left_and_why(tmp_path: Path) -> None:
    shutil.copy(ROOT / "newsletter.toml", tmp_path)
    rows = "".join(
        f"r{n}@a.example,{'Unsubscribed' if n % 3 == 0 else 'Active'},Org\n" for n in range(30)
    )
    (tmp_path / "list.csv").write_text(f"Email,Status,organisation\n{rows}", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "newsletter", "subscribers", "check", "list.csv"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)},
    )  # fmt: skip
    assert "20 people to mail" in done.stdout, done
    assert "Status=Unsubscribed" in done.stdout
