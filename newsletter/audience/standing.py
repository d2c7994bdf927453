"""Whether a row may be mailed by the list's own words: status, opt-out, bounced … No I/O.

Words are compared folded (:func:`.columns.fold`). Words of leaving are searched for anywhere in
a value, since a wrong guess costs one mail and shows in the plan; words of staying must be the
whole value, since a wrong guess would mail who left. Anything else is asked about.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Collection, Mapping, Sequence
from enum import Enum, auto
from functools import partial
from itertools import islice
from pathlib import Path
from typing import NamedTuple, TypeVar

from newsletter.audience.cells import trim
from newsletter.audience.columns import NO_NAME, fold
from newsletter.audience.notes import holds_notes, words_of_leaving
from newsletter.errors import Problem, Where
from newsletter.invisible import without_invisible

T = TypeVar("T")


class Kind(Enum):
    """What a column says of its rows."""

    STATUS = auto()
    """One word a row: active, unsubscribed …"""
    LEFT = auto()
    """Yes, or a date: must not be mailed."""
    LEFT_IF_FILLED = auto()
    """A date, reason or campaign of leaving: any value at all."""
    JOINED = auto()
    """No: must not be mailed."""
    WANTED = auto()
    """As joined, but of a name that may mean more: a clear no counts, and words of leaving; words
    after a no are doubtful, and a blank beside a yes or a no."""
    OTHER = auto()
    """Another column; a single word of leaving in it still counts."""
    NOTES = auto()
    """Free text: a single word of leaving in it counts; one among others is asked about."""
    OF_A_PERSON = auto()
    """A name, a place, an order, an event: a word of leaving counts if it can be nothing else."""


# Beginnings of words, folded. Languages: en fr es it pt de nl pl ru ar, last all others.
_LEFT = (
    "unsub|optout|optedout|opt out|blacklist|blocklist|blocked|bounce|hardbounce|softbounce|"
    "suppress|cleaned|onhold|donotmail|donotemail|donotcontact|donotsend|nobulk|nomail|noemail|"
    "emaildisabled|complain|abuse|spam|junk|removed|deleted|archived|inactive|disabled|invalid|"
    "undeliverable|deceased|cancel|excluded|gdprdelet|left|unreachable|"
    "desabonn|desinscri|listenoire|bloque|rejete|supprim|inactif|resilie|plainte|decede|invalide|"
    "baja|desuscri|listanegra|rebot|cancelad|bloquead|eliminad|inactiv|suprimid|"
    "disiscri|listanera|bloccat|rimbalz|annullat|cancellat|inattiv|eliminat|respint|"
    "descadastr|removid|devolvid|inativ|excluid|"
    "abgemeldet|ausgetragen|gesperrt|sperrliste|inaktiv|geloscht|unzustellbar|widerruf|gekundigt|"
    "verstorben|blockiert|"
    "afgemeld|uitgeschreven|zwartelijst|geblokkeerd|inactief|verwijderd|opgezegd|"
    "wypisan|czarnalista|zablokowan|odrzucon|nieaktywn|usuniet|rezygnac|"
    "отпис|черныисписок|черныйсписок|заблок|неактив|удален|недостав|отказ|"
    "الغاءالاشتراك|الغىالاشتراك|الغيالاشتراك|ملغ|محظور|غيرنشط|مرتد|محذوف|غيرمشترك|"
    "avregistrer|avanmald|avmeld|afmeldt|peruutet|odhlasen|leiratkoz|dezabon|odjavljen|baixa|"
    "anulad|nodesea|noquiere|nocontact|correoinval|rechazad|devuelt|disattiv|rimoss|revocat|"
    "nonvalid|sospes|"
    "відпис|скасован|διαγραφ|הוסר|退订|取消订阅|已退订|配信停止|수신거부|لغواشتراک"
)
# In a column of status alone: elsewhere they may mean something else.
_LEFT_STATUS = (
    "^stop$|^off$|^out$|^dn[cm]$|npai|quarantin|deactivat|revoke|withdr|refused|declined|denied|dead$|"
    "undeliver|redacted|noconsent|noemailplease|radiee?$|opposition|nesouhaiteplus|neplus|nhabiteplus|"
    "abbestell|ausgetreten|storniert|keininteresse|keine?(?:e?mails?|newsletter)|ungultig|nichtmehr|"
    "rejeitad|recusad|nietactief|ongeldig|geen(?:e?mail|nieuwsbrief)|zrezygn|nieprawidł|"
    "недоступ|спам|жалоб|ошибка|неверн|avslutad|uppsagd|studsa|neaktivn|zrusen|"
    "黑名单|黑名單|无效|無効|無效|退信|解除|退会|エラー|해지|비활성|취소|غيرصالح|"
    "pasif|engellen|iptal|cıktı|διαγραμ|ανενεργ|απεγγραφ"
)
_WAITS = (
    "pending|unconfirm|unactivated|unverified|notconfirmed|waiting|awaiting|optinpending|"
    "enattente|nonconfirm|pendiente|sinconfirmar|inattesa|nonconfermat|pendente|naoconfirmad|"
    "ausstehend|unbestatigt|nichtbestatigt|wartend|inafwachting|nietbevestigd|"
    "oczekuj|niepotwierdz|ожида|неподтвержд|неподтверж|معلق|قيدالانتظار|غيرموكد"
)
_LEFT = unicodedata.normalize("NFKD", _LEFT)  # as fold leaves Korean
_LEFT_WORD = re.compile(_LEFT)
_LEFT_STATUS_WORD = re.compile(unicodedata.normalize("NFKD", _LEFT_STATUS))
_WAIT_WORD = re.compile(_WAITS)
_ONE_WORD = re.compile(
    rf"(?!left|abuse)(?:dad[oa]s?de|en|de|sediode|pediu|was|has|hatsich|wurde|sest|est)?"
    rf"(?:{_LEFT}|{_WAITS}|nonsubscribed|notsubscribed)\w{{0,8}}"
)
"""In a column of another name, also with the small word that goes before it in some languages."""
_JOINED = (
    "active,subscribed,subscriber,enabled,confirmed,opt-in,opted in,opt in,optedin,single opt-in,"
    "double opt-in,express,implied,regular,premium,mail,allowed,granted,normal,valid,verified,ok,"
    "deliverable,member,marketing contact,"
    "abonné,abonnée,inscrit,inscrite,actif,active,confirmé,confirmée,"
    "activo,activa,suscrito,suscrita,inscrito,inscrita,confirmado,confirmada,alta,"
    "attivo,attiva,iscritto,iscritta,confermato,confermata,ativo,ativa,subscrito,"
    "aktiv,angemeldet,abonniert,eingetragen,bestätigt,"
    "actief,aangemeld,ingeschreven,bevestigd,geabonneerd,"
    "aktywny,aktywna,zapisany,zapisana,potwierdzony,subskrybent,"
    "aktif,abone,prenumerant,aktivní,ενεργός,εγγεγραμμένος,已订阅,正常,有效,購読中,有効,구독,활성,"
    "активен,активный,активна,подписан,подписана,подтвержден,подписчик,نشط,مشترك,موكد,فعال"
)
_YES = (
    "yes,y,true,t,x,1,on,oui,vrai,o,sí,s,verdadero,ja,wahr,j,sim,"
    "verdadeiro,vero,waar,tak,prawda,да,истина,نعم,✓,✔,☑,✅,√,●,•,*,+,evet,так,是,はい,예"
)
_NO = (
    "no,n,false,f,0,off,non,faux,falso,nein,falsch,não,nee,onwaar,"
    "nie,fałsz,нет,ложь,لا,none,never,null,\\N,n/a,-,✗,✘,☐"
)
_NOT = re.compile(r"^(?:not|non|no|never|nicht|kein|nie|niet|ne|pas|не|нет|غير|ليس)[\s_-]*")


def _words(text: str) -> frozenset[str]:
    return frozenset(fold(word) or word for word in text.split(","))


# Names of columns that say so in a sentence, as HubSpot and Dynamics do in each language.
_REFUSES = (
    "se dio de baja,dado de baja,cancelado la suscripción,canceló la suscripción,no participación "
    "en correo,sin correo masivo,no desea,no quiere,cancelou inscrição,cancelou a inscrição,não "
    "deseja,não quer,non desidera,non vuole,revoca consenso,consenso revocato,ne pas envoyer,ne "
    "pas contacter,ne pas solliciter,ne souhaite plus,ne veut plus,droit d'opposition,not allow "
    "email,not allow bulk email,off list,off the list,take off list,please remove,"
    "e-mails nicht zulassen,keine e-mails,keine massen,werbesperre,versandsperre,mailsperre,"
    "abo gekündigt,ausschluss,wil geen,zrezygnowan,nie chce,avprenumerer,avslutat pren,meldt av,"
    "afmeldt,peruuttanut,leiratkoz,iptal,відпис,не хочет,登録解除,配信停止,退会,退订,הוסר,"
    "hủy đăng ký,berhenti langganan"
)
_JOINED_WORDS, _YES_WORDS, _NO_WORDS = _words(_JOINED), _words(_YES), _words(_NO)
_FLAGS = _YES_WORDS | _NO_WORDS
_CLEAR_NO = _NO_WORDS - _words("none,null,\\N,n/a,-")

_NOT_OF_MAIL = re.compile(
    r"sms|whatsapp|phone|telefon|fax|postal|postmail|url|link|token|hash|rate$|(?<!ac)count|number|nombre|"
    r"score|anzahl|stripe|plan$|expir"
)
_OF_LEAVING = re.compile(r"time$|date|datum|fecha|data$|at$|on$|seit$|since$|type$|reason|"
                         r"grund|motif|motivo|title|campaign|source|дата|причина")  # fmt: skip
_LEFT_HEADER = re.compile(
    r"unsub|optout|optedout|blacklist|blocklist|listenoire|listanegra|listanera|zwartelijst|"
    r"czarnalista|черны|suppress|cleantime|cleancampaign|onhold|donot(?:e?mail|contact|send)|"
    r"nobulk|nomail|noemail|emaildisabled|bounced|bounce(?:date|reason|type|category)|lastbounce|"
    r"hardbounce|complain|quarantin|abbestell|sperrvermerk|invalidemail|emailinvalid|stopmail|"
    r"spam|desabonn|desinscri|desuscri|disiscri|descadastr|abgemeldet|abmeld|ausgetragen|gesperrt|"
    r"sperrliste|afgemeld|uitgeschreven|wypisan|отпис|"
    r"(?:portal|global)bounce|الغاءالاشتراك|محظور|"
    rf"{'|'.join(map(fold, _REFUSES.split(',')))}|^(?:stop|declined|died|rip)$|"
    r"^(?:isthissubscriber|isthisaccount|is|email|account|member)?"
    r"(?:blocked|disabled|deleted|deletedat|deceased|inactive|inaktiv|inactif|bounces?|baja|"
    r"fechadebaja|invalid|cleaned|removed|left|leftat|cancell?ed|verstorben|decede|archived|banned|deactivated|"
    r"suspended)(?:at|on|date|since|seit)?$"
)
# Names of columns, folded, alone or with a word for a date or a reason.
_LEAVING = (
    "bajas?|dadodebaja|cancelad[oa]|eliminad[oa]|cancellat[oa]|cancellazione|rimoss[oa]|removid[oa]|"
    "avregistrerad|avanmald|avmeldt|afmeldt|peruutettu|tilausperuttu|odhlasen[yao]?|leiratkozott|"
    "leiratkozas|dezabonat[a]?|aboneliktencıktı|aboneliktenayrıldı|διαγραφη|відписан[аи]?и?|відписка|"
    "הסרה|退订|已退订|取消订阅|配信停止|수신거부|donatdebaixa|baixa|odjavljen[ao]?|atsisake|"
    "atrakstijies|lahkunud|berhentiberlangganan|đahuyđangky|لغواشتراک|الغ[ىي]الاشتراك|"
    "gekundigt|kundigung|storniert|geloscht|austritt|ausgetreten|gesperrt|sperre|widerruf|"
    "widerspruch|werbewiderspruch|uitschrijving|afmelding|afmeld|opgezegd|rezygnacj[ai]|rezygnuje|"
    "bloquead[oa]|bloccat[oa]|anulad[oa]|annulat[oa]|exclude|remove|goneaway|returnedmail|"
    "leftthelist|noncontattare|naocontac?tar|nietmeermailen|отказотрассылки|отказ|неписать|"
    "abobeendet|inaktiv|inactif|inactiv[oa]|inattiv[oa]|cancelamento|cancellations?|radiee?|dn[cm]|"
    "left|leaving|exit|resigned|quit|resilie|resiliation|no(?:more)?(?:newsletter|mails?)|"
    "keine?(?:newsletter|e?mails?|werbung)|neplusenvoyer|nepascontacter|noenviar|nocontactar|"
    "noninviare|nao(?:enviar|contatar)|nietmailen|nichtanschreiben|niewysyłac|неслать|неотправлять|"
    "robinson|retour|retur|unzustellbar|rebotes?|rebotado|rejetee?|npai|undeliverable|undelivered|"
    "returned|plainte|queja|fallecid[oa]|decedut[oa]|overleden|falecid[oa]|isexcludedfromcampaigns|"
    "excluded|exclu"
)
_LEAVING_HEADER = re.compile(
    r"(?P<of>(?:fecha|data|date|datum|дата|motivo|motif|grund|reden|reason|raison)(?:d[eaio]?)?)?"
    rf"(?:{unicodedata.normalize('NFKD', _LEAVING)})"
    r"(?:le|am|el|il|on|op|em|dnia|date|datum|at|grund|seit|since)?"
)
# A surname or a town may be such a word, and an order cancelled: here only words count that can
# be nothing else.
_OF_A_PERSON = re.compile(
    r"name|naam|nome$|nom$|^nom|nombre|apellido|cognome|имя|фамилия|отчество|اسم|لقب|city|town|"
    r"ville$|ciudad|stadt$|wohnort|^ort$|citta|^stad$|cidade|miasto|город|مدينة|^place|lieu|lugar|"
    r"plaats|comune|region|provin|country|^pays$|^pais$|land$|paese|^kraj$|страна|street|strasse|"
    r"^rue$|calle|^via$|straat|ulica|улица|address|adres|direccion|indirizzo|district|municip|"
    r"^events?.|orders?(?!ed)|payment|invoice|ticket|donation|pledge|^topics?|interest|project|"
    r"depart|^dept|^team|zahlung|rechnung|bestell|spende|veranstalt|thema|themen|abteilung|commande|"
    r"paiement|facture|^dons?|evenement|sujet|pedido|^pagos?|factura|evento|donacion|donativ|^tema|"
    r"pagament|fattura|ordine|donazion|betaling|factuur|platnosc|zamowien|оплат|заказ|событ|^тема|"
    r"^org|compan|^firma?$|societ|empresa|azienda|employer|title|^job|beruf|canton|kanton"
)
_CLEAR_WORD = re.compile(
    r"(?:unsub|optout|optedout|blacklist|blocklist|hardbounce|softbounce|donotmail|donotemail|"
    r"nonsubscri|notsubscri|desabonn|desinscri|desuscri|disiscri|descadastr|abgemeldet|ausgetragen|"
    r"afgemeld|uitgeschreven|wypisan|отпис|відпис|الغاءالاشتراك|الغىالاشتراك)\w{0,8}"
)
_STATUS_HEADER = re.compile(
    r"^(?:e?mail|courriel|correo|subscri\w*|contact|kontakt|member\w*|newsletter|list|mailing|"
    r"marketing|consent|permission|user|account|optin|abo\w*|statusder|status|statut|subscription|"
    r"emailpermission|estadode\w*|etatde\w*|marketingcontact|marketingemail|emailmarketing)?"
    r"(?:status|statut|statuts|estatus|статус|stan|confirmation)(?:dabonnement|abonnement|"
    r"подписки|iscrizione|wysylki)?$|^(?:subscribertype|emailpermission|reception|الحالة|حالة|حاله|"
    r"emailstate|subscriptionstate|permission|situacao|situacion|zustand|durum|stav|tila|stare|"
    r"allapot|κατασταση|състояние|状态|狀態|ステータス|סטטוס|وضعيت|وضعیت)$|^"
    + unicodedata.normalize("NFKD", "상태")
    + "$"  # as fold leaves Korean
)
_JOINED_HEADER = re.compile(
    r"^(?:is|isthissubscriber|didthissubscribermanually|email|newsletter|marketing|mailing|gdpr)?"
    r"(?:subscribed|subscribedtoemails|optin|optedin|doubleoptin|active|enabled|confirmed|confirm|"
    r"consent|subscription|emailconsent|emailoptin|marketingoptin|acceptsmarketing|"
    r"acceptsemailmarketing|abonne|inscrit|actif|suscrito|activo|iscritto|attivo|inscrito|ativo|"
    r"aktiv|angemeldet|einwilligung|consentement|consentimiento|consenso|toestemming|actief|"
    r"aangemeld|aktywny|zgoda|подписан|активен|согласие|مشترك|نشط)$"
)

_NEWSLETTER = (
    r"newsletters?|mailings?|mailinglist|e?mails?|nieuwsbrie(?:f|ven)|boletin(?:es)?|infolettres?|"
    r"bulletins?|rundbriefe?|infobriefe?|рассылк[аиу]|подписк[аиу]|correos?|courriels?|notiziario|"
    r"biuletyn|werbung|kontakt|advertising|marketing|nyhetsbrev|nyhedsbrev|uutiskirje|hirlevel|bulten"
)
_WANTED_HEADER = re.compile(
    rf"^(?!(?:e?mails?|correos?|courriels?|kontakt)$)(?:is|gdpr|rgpd|dsgvo)?"
    r"(?:receives?|recevoir|recoit|recib[ei]r?|riceve|recebe|receber|wants?|gets?|erhalt|bezieht|"
    r"desea|quiere|acepta|accepts?|accepte|accetta|aceita|autori[sz]\w*|can|may|ok|send|"
    r"abonnement|inscription|iscrizione|suscripcion|consent|consenso|consentement|consentimi?ento|"
    r"einwilligung|einverstandnis|zustimmung|согласие|на|получать?|zgoda|zgodana|to|la|per|for|fur|"
    r"de|del|recibir)*"
    rf"(?:{_NEWSLETTER})"
    r"(?:erwunscht|gewunscht|erlaubt|empfanger|abonniert|abo|ok|allowed|permitted|wanted|consent|"
    r"subscriber|subscription|optin|valid|verified|deliverable|marketing)*$"
    r"|^(?:is|email)?(?:mailable|emailable|contactable|deliverable|reachable|valid|"
    r"zustellbar|erreichbar)$|^(?:is)?emailverified$|^(?:is)?validemail$|^(?:einverstandnis|zustimmung|consentimiento|"
    r"consentimento|infomails?)$"
)


_SILENT = frozenset((Kind.OTHER, Kind.OF_A_PERSON, Kind.WANTED, Kind.NOTES))
_ANSWERED = frozenset((Kind.STATUS, Kind.JOINED, Kind.WANTED))


def kind_of(header: str) -> Kind:
    """What a column of this name says of its rows."""
    name = fold(header)
    if _NOT_OF_MAIL.search(name):
        return Kind.OTHER
    if found := _LEAVING_HEADER.fullmatch(name):
        return Kind.LEFT_IF_FILLED if found["of"] else Kind.LEFT
    if _LEFT_HEADER.search(name):
        return Kind.LEFT_IF_FILLED if _OF_LEAVING.search(name) else Kind.LEFT
    if _STATUS_HEADER.search(name):
        return Kind.STATUS
    if _JOINED_HEADER.search(name):
        return Kind.JOINED
    if _WANTED_HEADER.search(name):
        return Kind.WANTED
    if _OF_A_PERSON.search(name):
        return Kind.OF_A_PERSON
    return Kind.NOTES if holds_notes(name) else Kind.OTHER


def may_mail(kind: Kind, cell: str) -> bool | None:
    """Whether a value lets its row be mailed; None if nobody can tell."""
    text = trim(cell)
    value = fold(text) or without_invisible(text)
    if kind is Kind.OF_A_PERSON:
        return not _CLEAR_WORD.fullmatch(value)
    if kind is Kind.WANTED:
        if value in _CLEAR_NO or text.casefold() == "n" or _LEFT_STATUS_WORD.search(value):
            return False
        first = text.split(maxsplit=1)[0] if text else ""
        if _is_blank(kind, value) or (len(first) > 1 and fold(first) in _CLEAR_NO):
            return None  # “no thanks”, or a newsletter of that name
    if kind is Kind.OTHER or kind is Kind.WANTED or kind is Kind.NOTES:
        denied = _NOT.sub("", text.casefold())
        stays = denied == text.casefold() or fold(denied) not in _JOINED_WORDS
        parts = _SEVERAL.split(text) if _SEVERAL.search(text) else ()
        named = any(_CLEAR_WORD.fullmatch(fold(part)) for part in parts)
        if not stays or named or _ONE_WORD.fullmatch(value):
            return False
        return None if kind is Kind.NOTES and words_of_leaving(text) else True
    if (kind is Kind.LEFT or kind is Kind.LEFT_IF_FILLED) and (
        not value.strip("0") or value in _NO_WORDS
    ):
        return True  # also a database's date of zeros
    if kind is Kind.LEFT_IF_FILLED:
        return False
    return _by_flag(kind, value) if value in _FLAGS else _by_word(kind, text, value)


_SEVERAL = re.compile("[,;|]")
"""Between several values in a cell, such as tags."""


def is_without_letters(cell: str) -> bool:
    """Whether a cell is plain, a number or a date, so that no word of leaving can be in it.

    Then :func:`may_mail` is true of a column of kind OTHER.
    """
    return cell.isascii() and cell.isprintable() and cell.upper() == cell.lower()


def _is_blank(kind: Kind, value: str) -> bool:
    """Whether a folded value says nothing by itself: then the others of its column tell."""
    if kind is Kind.WANTED:
        return not value or value in _NO_WORDS - _CLEAR_NO
    return not value and kind in {Kind.STATUS, Kind.JOINED}


def _answers(kind: Kind, cell: str) -> bool:
    """Whether a value answers what its column asks, so that a blank beside it may be a no."""
    text = trim(cell)
    value = fold(text) or without_invisible(text)
    if kind is Kind.WANTED:
        return may_mail(Kind.JOINED, text) is True or value in _CLEAR_NO
    return not _is_blank(kind, value)


def _by_flag(kind: Kind, value: str) -> bool | None:
    if kind is Kind.STATUS:
        return None  # “1” and “yes” of a status mean something else in each program
    return (value in _YES_WORDS) is (kind is Kind.JOINED)


def _by_word(kind: Kind, text: str, value: str) -> bool | None:
    if value in _JOINED_WORDS:
        return True
    if _LEFT_WORD.match(value) or _WAIT_WORD.search(value) or _LEFT_STATUS_WORD.search(value):
        return False
    denied = _NOT.sub("", text.casefold())
    if denied != text.casefold():
        if fold(denied) in _JOINED_WORDS:
            return False
        return True if _LEFT_WORD.match(fold(denied)) else None
    if _LEFT_WORD.search(value):
        return False
    if kind is Kind.LEFT and re.match(r"\d", value):
        return False  # a date, or CiviCRM's codes of “on hold”
    return True if kind is Kind.JOINED and re.match(r"\d{4,}", value) else None


def is_word_of_leaving(name: str) -> bool:
    """Whether a name is a single word that says of all below it that they must not be mailed."""
    value = fold(name)
    if len(name.split()) != 1 or not value:
        return False
    singular = re.sub("(?:en|es|e|s|n)$", "", value)
    said = (_ONE_WORD.fullmatch(value), *map(_LEAVING_HEADER.fullmatch, (value, singular)))
    return any(said)


def is_word_of_waiting(name: str) -> bool:
    """Whether a name is a single word that says of all below it that they never confirmed."""
    return is_word_of_leaving(name) and _WAIT_WORD.search(fold(name)) is not None


_MOST_ASKED = 20
MOST_UNCLEAR = 1_000
"""Values to ask about that are kept: a column with more of them is none of states."""


class Unclear(NamedTuple):
    """A value of which nobody can tell whether its row may be mailed.

    Attributes:
        said: ``Column=value``, as a person decides about it.
        beside: the column, if the value is blank: then it is doubtful only beside answers.
    """

    said: str
    beside: str


def questions(
    unclear: Mapping[Unclear, Sequence[int]], answered: Collection[str]
) -> dict[str, tuple[int, ...]]:
    """What to ask about, with the rows that have it.

    Args:
        unclear: values, and the rows that have them.
        answered: columns that any row fills in: one that is blank everywhere says nothing.
    """
    return {
        value.said: tuple(rows)
        for value, rows in unclear.items()
        if not value.beside or value.beside in answered
    }


def as_problems(asked: Mapping[str, Sequence[int]], place: Path | str) -> list[Problem]:
    """The first questions, as a message shows them."""
    return [
        Problem(
            f"“{said}” stands in {len(rows):,} {'row' if len(rows) == 1 else 'rows'}, "
            f"first in row {rows[0]}.",
            Where(place, row=rows[0]),
        )
        for said, rows in islice(asked.items(), _MOST_ASKED)
    ]


class Standing:
    """The columns of a list that tell whether a row may be mailed, and what was decided.

    Attributes:
        columns: of each its index, name and kind.
        answered: the columns of status or of joining that any row judged so far fills in with an
            answer: a blank beside it is doubtful.
    """

    def __init__(
        self,
        columns: Sequence[tuple[int, str, Kind]],
        mail: Collection[str] = (),
        no_mail: Collection[str] = (),
    ) -> None:
        self.columns = tuple(columns)
        self.answered: set[str] = set()
        self._said = [
            (index, Kept(partial(judge_cell, name, kind, keys_of(mail), keys_of(no_mail))))
            for index, name, kind in self.columns
        ]

    @classmethod
    def of(
        cls,
        header: Sequence[str],
        used: Collection[int],
        mail: Collection[str],
        no_mail: Collection[str],
    ) -> Standing:
        """Read a header; ``mail`` and ``no_mail`` are decisions, each “Column=value”."""
        width = max((index for index, name in enumerate(header, 1) if name.strip()), default=0)
        columns = tuple(
            (index, name.strip() or NO_NAME, kind)
            for index, name in enumerate(header[:width])
            if (kind := kind_of(name)) not in _SILENT - {Kind.NOTES} or index not in used
        )
        return cls(columns, mail, no_mail)

    @property
    def heard(self) -> frozenset[str]:
        """The names of the columns of status or of leaving."""
        return frozenset(name for _, name, kind in self.columns if kind not in _SILENT)

    def says_active(self, cells: Sequence[str]) -> bool:
        """Whether a column of status or of leaving says that a row may be mailed."""
        said = [
            may_mail(kind, cells[index]) for index, _, kind in self.columns if kind not in _SILENT
        ]
        return bool(said) and all(said)

    def judge(self, cells: Sequence[str]) -> tuple[str, tuple[Unclear, ...]]:
        """Why a row must not be mailed (empty: it may), and the values to ask about."""
        why = ""
        unclear: tuple[Unclear, ...] = ()
        for index, said in self._said:
            why_not, asked, answers = said[cells[index]]
            why = why or why_not
            unclear += asked
            if answers:
                self.answered.add(answers)
        return (why, ()) if why else ("", unclear)


class Kept(dict[str, T]):
    """What the cells of a column say. A column has few values, so those that came first are kept.

    Args:
        say: tells it of one cell.
    """

    def __init__(self, say: Callable[[str], T]) -> None:
        super().__init__()
        self._say = say

    def __missing__(self, cell: str) -> T:
        said = self._say(cell)
        if len(self) < _MOST_KEPT and len(cell) <= _LONGEST_KEPT:
            self[cell] = said
        return said


class Said(NamedTuple):
    """What a cell says.

    Attributes:
        why: why its row must not be mailed; empty: it may.
        unclear: what to ask about.
        answers: its column, if the cell answers what that asks, so that a blank may be a no.
    """

    why: str = ""
    unclear: tuple[Unclear, ...] = ()
    answers: str = ""


_NOTHING = Said()
_MOST_KEPT, _LONGEST_KEPT = 2_000, 60


def judge_cell(
    column: str, kind: Kind, mail: frozenset[str], no_mail: frozenset[str], cell: str
) -> Said:
    """What a cell says; ``mail`` and ``no_mail`` are decisions, see :func:`keys_of`."""
    # The whole value is judged; only its beginning is shown, and decided about.
    text = trim(cell)
    answers = column if kind in _ANSWERED and _answers(kind, cell[:_LONGEST_KEPT]) else ""
    allowed = _decided(column, text, mail, no_mail)
    if allowed is None:
        allowed = may_mail(kind, text)
        if allowed is None and kind is Kind.NOTES:
            # Notes differ from row to row: the words in them are asked about, and decided.
            text = words_of_leaving(text)
            allowed = _decided(column, text, mail, no_mail)
    if allowed:
        return Said(answers=answers) if answers else _NOTHING
    said = f"{column}={text[:60]}"
    if allowed is False:
        return Said(said, answers=answers)
    blank = _is_blank(kind, fold(text) or without_invisible(text))
    return Said("", (Unclear(said, column if blank else ""),), answers)


def _decided(column: str, text: str, mail: frozenset[str], no_mail: frozenset[str]) -> bool | None:
    """Whether a person decided that rows with a value may be mailed; None: nobody did."""
    if not mail and not no_mail:
        return None
    keys = {_key(f"{column}={text[:60]}"), _key(f"{column}=*")}
    if keys & no_mail:
        return False
    return True if keys & mail else None


def keys_of(decisions: Collection[str]) -> frozenset[str]:
    """Decisions, each “Column=value”, as they are compared."""
    return frozenset(map(_key, decisions))


def _key(decision: str) -> str:
    column, _, value = decision.partition("=")
    return f"{fold(column)}={trim(value).casefold()}"
