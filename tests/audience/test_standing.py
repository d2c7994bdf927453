"""The list's own words: who left, bounced or never confirmed is not mailed."""

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
    ("Tags", "press;donors", "press;unsubscribed,Opt-out | press"),
    ("Se dio de baja de todos los correos electrónicos", "", "TRUE"),  # HubSpot, as all three
    ("Cancelou inscrição em todos os e-mails", "", "TRUE"),
    ("すべてのEメールの登録解除済み", "", "TRUE"),
    ("Do not allow Bulk Emails", "No", "Yes,1"),  # Dynamics
    ("Massen-E-Mails nicht zulassen", "nein", "ja"),
    ("Email Marketing Consent", "SUBSCRIBED", "UNSUBSCRIBED,NEVER_SUBSCRIBED,FALSE"),  # Klaviyo
    ("Désabonné", "non", "oui"),
    ("Opt-in", "sí", "no"),
    ("Newsletter", "x", "Unsubscribed"),  # of a name that may mean more
    *(
        (column, yes, no)
        for column, yes, no in (
            ("Newsletter", "weekly", "no,0,nein,N"),
            ("Receive newsletter", "yes", "no,FALSE"),
            ("Wants newsletter", "y", "n"),
            ("Newsletter erwünscht", "ja", "nein"),
            ("Newsletter-Empfänger", "ja", "nein"),
            ("Einverständnis", "ja", "nein"),
            ("E-Mail erlaubt", "ja", "nein"),
            ("Werbung erlaubt", "ja", "nein"),
            ("Recevoir la newsletter", "oui", "non"),
            ("Infolettre", "oui", "non"),
            ("Abonnement newsletter", "oui", "non"),
            ("Desea recibir boletín", "sí", "no"),
            ("Acepta recibir correos", "sí", "no"),
            ("Boletín", "sí", "no"),
            ("Consenso newsletter", "sì", "no"),
            ("Recebe newsletter", "sim", "não"),
            ("Nieuwsbrief", "ja", "nee"),
            ("Рассылка", "да", "нет"),
            ("Подписка", "да", "нет"),
            ("Согласие на рассылку", "да", "нет"),
            ("receives_email", "true", "false"),
            ("mailable", "TRUE", "FALSE"),
            ("can_email", "1", "0"),
            ("deliverable", "true", "false"),
            ("Email valid", "1", "0"),
            ("Email verified", "true", "false"),
        )
    ),
    ("Newsletter", "NULL", "Abgemeldet,abbestellt,stop,kein Interesse"),
    ("Newsletter", "\\N", "Abgemeldet"),
    ("Quarantined", "No", "Yes"),
    ("Archived", "false", "true"),
    ("Email Marketing Consent", "SUBSCRIBED", "NOT_SUBSCRIBED,UNSUBSCRIBED"),
    ("Status", "Aktiv", "Ausgetreten,Kein Interesse,abbestellt,Storniert,nicht mehr aktiv"),
    ("Status", "active", "DNC,STOP,quarantined,deactivated,revoked,refused,withdrew consent"),
    ("Statut", "actif", "NPAI,opposition,ne souhaite plus,ne plus contacter,n'habite plus"),
    ("Estado", "Oaxaca", "Anulado,No desea recibir,Correo inválido,Rechazado,Devuelto"),
    ("Stato", "Svizzera", "Rimosso,Disattivo,Revocato,Non valido,Sospeso"),
    ("Status", "aktywny", "zrezygnował,nieprawidłowy"),
    ("Статус", "активен", "недоступен,спам,жалоба,ошибка доставки,неверный адрес"),
    ("Durum", "aktif", "abonelikten çıktı,pasif,iptal"),
    ("状态", "已订阅", "黑名单,无效,退信"),
    ("ステータス", "購読中", "解除,無効,退会,エラー"),
    ("상태", "구독", "비활성,해지,구독취소"),
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
    "Undeliverable|Removed|Resigned|IsExcludedFromCampaigns|Removed at|Cancelled on|Last bounce|"
    "Banned|Exclude|Invalid email|Newsletter abbestellt|Abbestellt am|Abo beendet|Inaktiv seit|"
    "Sperrvermerk|Bloqueado|Non contattare|Não contactar|Data de cancelamento|"
    "Niet meer mailen|Отказ от рассылки|Не писать|Left the list|Gone away|Returned mail|"
    "Stop mailing|Remove"
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
     ("Event status", "cancelled"), ("Order status", "Cancelled"), ("Payment", "pending"),
     ("Ticket", "invalid"), ("Topic", "Spam"), ("Team", "Complaints"),
     ("Spendenstatus", "storniert"), ("Paiement", "annulé"), ("Pedido", "cancelado"),
     ("Zahlung", "ausstehend"),
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
        *(("Estado", state) for state in ("Baja California Sur", "Ciudad de México", "SP")),
        ("Stato", "Italia"),
        ("État", "Québec"),
        ("State", "DE"),
        ("Bundesland", "Bayern"),
        ("Estado civil", "Casado"),
        ("Newsletter", "monthly"),
        ("Newsletter", "n/a"),
        ("Verified", "no"),
    ],
)
def test_who_stays_is_mailed(tmp_path: Path, column: str, value: str) -> None:
    assert "a" == mailed(read(tmp_path, f"email,{column}\na@a.example,{value}\n"))


@pytest.mark.parametrize(("column", "value"), [("Status", "Gold"), ("Status", "1"),
                                               ("Status", ""), ("Opt-in", "maybe"),
                                               ("Newsletter", "nein danke"),
                                               ("Newsletter", "No thanks!")])  # fmt: skip
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


TICKED = (
    "Newsletter|Subscribed|Mailing list|Receive newsletter|Rundbrief|Infolettre|Boletín|Рассылка|"
    "Opt-in|Newsletter consent|mailable|Angemeldet|Inscrit|Status"
)


@pytest.mark.parametrize("column", TICKED.split("|"))
@pytest.mark.parametrize("answer", ["x", "yes", "✓", "2024-05-01", "subscribed", "no"])
def test_a_blank_beside_answers_is_asked_about(tmp_path: Path, column: str, answer: str) -> None:
    if column == "Status":
        answer = "active"
    text = f"email,{column}\na@a.example,{answer}\nb@b.example,\nc@c.example,\n"
    with pytest.raises(RosterError) as caught:
        read(tmp_path, text)
    assert f"“{column}=” stands in 2 rows" in caught.value.problems[0].what
    ticked = "" if answer == "no" else "a"
    assert f"{ticked}bc" == mailed(read(tmp_path, text, mail=(f"{column}=",)))
    if ticked:
        assert "a" == mailed(read(tmp_path, text, no_mail=(f"{column}=",)))


@pytest.mark.parametrize("column", TICKED.split("|"))
@pytest.mark.parametrize("cells", [("", ""), ("yes", "yes"), (" ", "\u00a0")])
def test_a_column_blank_or_filled_everywhere_asks_nothing(
    tmp_path: Path, column: str, cells: tuple[str, str]
) -> None:
    one, other = ("active", "active") if column == "Status" and cells[0] == "yes" else cells
    text = f"email,{column}\na@a.example,{one}\nb@b.example,{other}\n"
    assert "ab" == mailed(read(tmp_path, text))


def test_an_answer_in_a_row_that_is_not_mailed_counts(tmp_path: Path) -> None:
    text = "email,Newsletter,Left\na@a.example,x,yes\nb@b.example,,\n"
    with pytest.raises(RosterError):
        read(tmp_path, text)


@pytest.mark.parametrize("mark", ["-", "NULL", "n/a"])
def test_a_dash_beside_ticks_is_asked_about_too(tmp_path: Path, mark: str) -> None:
    with pytest.raises(RosterError):
        read(tmp_path, f"email,Newsletter\na@a.example,x\nb@b.example,{mark}\n")


def test_who_left_by_one_row_is_not_mailed_for_another(tmp_path: Path) -> None:
    text = "email,status\nA@a.example,active\nb@a.example,active\na@a.example,unsubscribed\n"
    found = read(tmp_path, text)
    assert ("b", 2, 3) == (mailed(found), len(found.left), found.rows)


LEAVING_NOTES = """
Please unsubscribe
no longer wants mail
Left 2019
left in March 2019
has left the company
Do not email!
quit
passed away in 2020
Asked to be taken off: please remove from list
Ne souhaite plus recevoir la lettre
n’est plus intéressée
a demandé sa désinscription
décédé
pidió la baja
Ya no quiere recibir correos
no enviar más
falleció en 2021
non vuole più ricevere la newsletter
disiscritta a voce
não quer mais receber
pediu para descadastrar
Möchte keine Newsletter mehr
bitte aus dem Verteiler nehmen
verstorben
kein Interesse
Wil geen mails meer
overleden 2018
nie chce otrzymywać
rezygnuje z newslettera
Больше не хочет получать
просит удалить из рассылки
no newsletter please
mail bounces
complained about our mails
on the blacklist since 2019
deletion request 2020
pas de newsletter svp
sur liste noire
no le enviéis más
è nella lista nera
Mail kam als unzustellbar zurück
طلب إلغاء الاشتراك
لا يرغب في الرسائل
""".strip().splitlines()
OTHER_NOTES = """
Left a message
left-handed
VIP
no mailbox at the gate
Met in Vienna 2015
prefers French
never met
speaks no German
no more than two mails a month
bringt Gäste mit
kommt aus Wien
préfère le samedi
llega en tren
parla italiano
говорит по-русски
يتحدث العربية
12 Example Street, 2nd left turn
""".strip().splitlines()


@pytest.mark.parametrize("column", ["Notes", "Member note", "Bemerkungen", "Комментарий"])
def test_a_note_with_words_of_leaving_is_asked_about(tmp_path: Path, column: str) -> None:
    rows = [f'r{n}@a.example,"{note}"\n' for n, note in enumerate(LEAVING_NOTES)]
    header = f"email,{column}\nzoe@a.example,\n"
    with pytest.raises(RosterError) as caught:
        read(tmp_path, header + "".join(rows) + rows[0].replace("r0", "x"))
    assert f"“{column}=unsubscribe” stands in 2 rows, first in row 3" in str(caught.value)
    decided = (f"{column}=unsubscribe",)
    found = read(tmp_path, header + rows[0], no_mail=decided)
    assert ("zoe", 1) == (mailed(found), len(found.left))
    assert "zoer0" == mailed(read(tmp_path, header + rows[0], mail=decided))


def test_nobody_is_mailed_unasked_whose_note_says_that_they_left(tmp_path: Path) -> None:
    asked = 0
    for note in LEAVING_NOTES:
        try:
            found = read(tmp_path, f'email,Notes\nzoe@a.example,\na@a.example,"{note}"\n')
        except RosterError:
            asked += 1
        else:  # a note of one word says it as a status does
            assert ("zoe", 1) == (mailed(found), len(found.left)), note
    assert 25 < asked


def test_a_note_without_words_of_leaving_says_nothing(tmp_path: Path) -> None:
    rows = "".join(f'r{n}@a.example,"{note}"\n' for n, note in enumerate(OTHER_NOTES))
    assert len(OTHER_NOTES) == len(read(tmp_path, "email,Notes\n" + rows).subscribers)


def test_a_note_that_the_mail_shows_is_asked_about_as_well(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_text("email,notes\na@a.example,please unsubscribe\nb@a.example,\n")
    with pytest.raises(RosterError, match="notes=unsubscribe"):
        read_roster(path, Audience(fields=["notes"]))


def test_the_program_says_how_many_left_and_why(tmp_path: Path) -> None:
    told = (ROOT / "newsletter.toml").read_text("utf-8")
    named = told.replace('file = "subscribers.example.csv"', 'file = "list.csv"')
    assert told != named
    (tmp_path / "newsletter.toml").write_text(named, "utf-8")
    rows = "".join(
        f"r{n}@a.example,{'Unsubscribed' if n % 3 == 0 else 'Active'},Org\n" for n in range(30)
    )
    (tmp_path / "list.csv").write_text(f"Email,Status,organisation\n{rows}", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "newsletter", "subscribers", "check"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)},
    )  # fmt: skip
    assert "20 people to mail" in done.stdout, done
    assert "Status=Unsubscribed" in done.stdout


def test_a_column_that_tells_who_may_be_mailed_is_not_called_unused(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_text("email,Abo-Status,Shoe size\na@a.example,aktiv,40\nb@b.example,abgemeldet,41\n")
    (warning,) = read_roster(path).warnings
    assert "Unused columns: “Shoe size”." in warning.what


def test_a_word_of_leaving_counts_in_a_column_without_a_name(tmp_path: Path) -> None:
    rows = "a@a.example,Unsubscribed,Anna\nb@a.example,bounced,Ben\nc@a.example,to ask,Clara\n"
    found = read(tmp_path, f"email,,name\n{rows}")
    assert "c" == mailed(found)
    assert "Not mailed: the list says “(no name)=Unsubscribed”." == found.left[0].what
    assert "abc" == mailed(read(tmp_path, f"email,,name\n{rows}", mail=("(no name)=*",)))
