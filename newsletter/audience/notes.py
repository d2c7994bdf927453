"""Words of leaving in a column of notes, such as “please unsubscribe” or “left 2019”. No I/O.

A note is written for people: “left a message” is no leave, and “unsubscribed by mistake, wants it
back” is none either. So whoever is named by such words is neither mailed nor left out unasked.
"""

from __future__ import annotations

import re
import unicodedata

_LONGEST = 10_000
_LONGEST_SHOWN = 60
_HEADER = re.compile(
    r"(?:notes?|comments?|remarks?|memo|annotations?|description|feedback|"
    r"remarques?|commentaires?|observations?|notas?|comentarios?|observacion(?:es)?|observac(?:ao|oes)|"
    r"anotac(?:ion|iones|ao|oes)|commenti?o?|annotazion[ei]|osservazion[ei]|appunti|"
    r"notiz(?:en)?|bemerkung(?:en)?|anmerkung(?:en)?|kommentare?|vermerke?|hinweise?|"
    r"opmerking(?:en)?|notities?|aantekening(?:en)?|uwag[ai]|notatk[ai]|komentarze?|"
    r"примечани[ея]|комментари[ия]|заметк[аи]|ملاحظات|ملاحظه|ملاحظة|تعليق|تعليقات)"
    r"(?:internal|internes?|interne|interno|field|text|\d{0,2})$"
)

# Plain words, as _plain leaves them; languages: en fr es it pt de nl pl ru ar.
_MAIL = r"(?:e ?)?mails?|newsletters?"
_WORDS = (
    r"unsub\w*|opt(?:ed|s|ing)? out\w*|bounc(?:e|es|ed|ing)|undeliver\w*|deceased|died|passed away|"
    r"complain\w*|(?:black|block) ?list\w*|suppression list|delet(?:e|ion) request\w*|"
    r"no (?:" + _MAIL + r")|"
    r"(?:no longer|not|never|doesn t|don t|didn t|nothing) (?:\w+ ){0,3}?"
    r"(?:want\w*|wish\w*|interested|receive|receiving|contact\w*|(?:e ?)?mail\w*|send|write)|"
    r"no (?:more(?! than\b)|further|longer)(?: (?:\w+ )?(?:" + _MAIL + r"|"
    r"member|interested|works?|working|here))?|"
    r"(?:stop|cancel\w*|end) (?:\w+ ){0,3}?(?:sending|mailing|emailing|subscription|membership|"
    + _MAIL + r")|"
    r"(?:remove|delete|erase|drop|strike) (?:\w+ ){0,3}?(?:from|off|list|data)|"
    r"take (?:\w+ ){0,2}?off|quit|please (?:remove|delete)|"
    r"remove (?:me|him|her|them)|removal request\w*|erasure|to be forgotten|"
    r"(?:withdr\w+|revok\w+) (?:\w+ ){0,3}?consent|(?:mark\w*|report\w*|as) (?:\w+ )?spam|"
    r"(?:has|have|had|who|he|she|they|already) left"
    r"(?! (?:an?|messages?|voicemails?|notes?|word)\b)|"
    r"left (?:(?:in|on|since|the|our) )?(?:\w{3,9} )?(?:\d{1,4}|list|organi[sz]ation|company|"
    r"team|office|group|newsletter|us\b)|"
    # fr
    r"desabonn\w*|desinscri\w*|desinscrip\w*|resili\w*|(?:ne |n )(?:\w+ ){0,3}?(?:plus|pas) "
    r"(?:\w+ ){0,2}?(?:recevoir|envoyer|contacter|ecrire|interess\w*|newsletter|lettre|"
    r"courriels?|mails?)|"
    r"ne (?:souhaite|veut|desire)(?:nt)? plus|pas de (?:newsletter|lettre|courriels?|mails?)|"
    r"liste noire|"
    r"ne plus (?:\w+ ){0,2}?(?:envoyer|contacter|ecrire|recevoir|solliciter)|plus interesse\w*|"
    r"(?:retir|enlev|supprim|ray)\w+ (?:\w+ ){0,3}?(?:liste|fichier)|a quitte|decede\w*|"
    # es
    r"desuscri\w*|(?:de|pide|pidio|solicita|solicito) (?:la )?baja|baja (?:en |desde |el )?\d+|"
    r"(?:ya )?no (?:quier\w+|dese\w+)|"
    r"no (?:\w+ )?(?:envi|contact|escrib|mand)\w+|lista negra|rebot\w+|"
    r"(?:borrar|quitar|eliminar|sacar)\w* (?:\w+ ){0,3}?lista|fallecid[oa]|fallecio|"
    r"cancel\w+ (?:\w+ ){0,2}?suscripcion|"
    # it
    r"disiscri\w*|cancell\w+ (?:\w+ ){0,2}?(?:iscrizione|lista|newsletter)|lista nera|"
    r"niente (?:" + _MAIL + r")|"
    r"non (?:vuole|vuol|desidera|vogliono|desiderano)|non (?:inviare|contattare|scrivere|mandare)|"
    r"(?:toglie\w*|rimuov\w*|tolt[oa]|rimoss[oa]) (?:\w+ ){0,3}?lista|decedut[oa]|"
    # pt
    r"descadastr\w*|cancel\w+ (?:\w+ ){0,2}?(?:inscricao|assinatura|subscricao)|"
    r"nao (?:quer\w*|desej\w+|pretende\w*)|nao (?:enviar|contatar|contactar|mandar)|"
    r"(?:remover|retirar|tirar|excluir) (?:\w+ ){0,3}?lista|falecid[oa]|faleceu|"
    # de
    r"abgemeldet|abmeld\w*|abbestell\w*|ausgetragen|austragen|ausgetreten|austritt|gesperrt|"
    r"sperrliste|unzustellbar|beschwer\w+|"
    r"gekundigt|kundigung|widerruf\w*|verstorben|gestorben|kein interesse|"
    r"keine? (?:weiteren? )?(?:mailings?|post|werbung|infos?|" + _MAIL + r")|"
    r"(?:mochte|will|wunscht|wollen|mochten|wollte) (?:\w+ ){0,3}?(?:keine?n?|nicht mehr)|"
    r"nicht (?:mehr )?(?:anschreiben|kontaktieren|senden|schicken|mailen|interessiert)|"
    r"(?:aus|vom) (?:\w+ ){0,3}?(?:verteiler|liste)|"
    # nl
    r"afgemeld|afmeld\w*|uitgeschreven|uitschrijv\w*|opgezegd|overleden|"
    r"(?:wil|wilt|wenst|willen|wensen) (?:\w+ ){0,3}?(?:geen|niet)|geen (?:interesse|nieuwsbrie\w+|"
    + _MAIL + r")|niet (?:meer )?(?:mailen|contacteren|sturen|benaderen|aanschrijven)|"
    # pl
    r"wypisan\w*|wypisac|wypisuje|rezygn\w*|zrezygn\w*|nie (?:\w+ )?(?:chce|chca|zyczy)|"
    r"nie (?:wysyłac|pisac|kontaktowac)|zmarł\w*|"
    # ru
    r"отпис\w*|(?:больше )?не (?:\w+ )?(?:хочет|хотят|желает|желают|присылать|"
    r"отправлять|писать|слать|беспокоить|рассылать)|"
    r"(?:удал|убр|исключ)\w+ (?:\w+ ){0,2}?(?:из|рассылк\w+)|отказал\w*|"
    r"отказ от|умер(?:ла)?|скончал\w*|"
    # ar
    r"(?:الغاء|الغ[ىي]) (?:الاشتراك|اشتراك\w*)|لا (?:يريد|تريد|يرغب|ترغب|يريدون|ترسل\w*)|"
    r"لم (?:يعد|تعد) (?:يرغب|ترغب|يريد|تريد|مهتم\w*)|متوف\w*|توف[يى]\w*"
)  # fmt: skip
_OF_LEAVING = re.compile(rf"\b(?:{_WORDS})\b")
_ALONE = re.compile(r"left|gone|baja")
_BETWEEN = re.compile(r"[\W_]+")


def holds_notes(name: str) -> bool:
    """Whether a column of this name, folded, holds what somebody noted about a reader."""
    return _HEADER.search(name) is not None


def words_of_leaving(note: str) -> str:
    """The words in a note that may say that its reader left; empty: there are none."""
    text = _plain(note[:_LONGEST])
    if _ALONE.fullmatch(text):
        return text
    found = _OF_LEAVING.search(text)
    return found.group().strip()[:_LONGEST_SHOWN] if found else ""


def _plain(text: str) -> str:
    """Small letters without accents, and one space between words."""
    if not text.isascii():
        letters = unicodedata.normalize("NFKD", text.casefold())
        text = "".join(char for char in letters if not unicodedata.combining(char))
    return _BETWEEN.sub(" ", text.lower()).strip()
