"""What the words of a refusal name: the reader's mailbox, or us. No I/O.

Servers write in many languages, leave enhanced status codes out (RFC 3463) or send
wrong ones, so words are read before codes. What the words name is a hint, not a
proof: delivery/evidence.py looks at many answers together.
"""

from __future__ import annotations

import re
from enum import Enum

_LONGEST = 400
"""Characters of a reply that are read: what names somebody stands at its beginning."""

_SENDER = re.compile(
    r"\bsender|\bmail ?from\b|\breturn.path|envelope.from|\bsubmission|\byour? (ip|host|account|ser"
    r"ver|network|message)|\bclient host|sending (ip|host|server|domain)|\bspam|\bblock(ed|list)|"
    r"\bblacklist|\bspamhaus|\brbl\b|reputation|\bauthenticat|\brelay|\bpolicy|"
    r"remitente|absender|exp[ée]diteur|mittente|remetente|afzender|nadawc|отправител|"
    r"المرسل|gönder|avsändar|afsender|αποστολ",
    re.IGNORECASE,
)

_PERSON = (
    r"(?:user|mail ?box|recipient|account|address(?:ee)?|inbox|alias|person|customer|"
    r"usuario|buz[óo]n|destinatario|casilla|cuenta|direcci[óo]n|"
    r"benutzer|empf[äa]nger(?:adresse)?|postfach|konto|adresse|"
    r"utilisateur|destinataire|bo[îi]te(?: aux lettres)?|compte|"
    r"utente|casella|indirizzo|"
    r"usu[áa]rio|utilizador|caixa(?: postal| de correio)?|destinat[áa]rio|conta|endere[çc]o|"
    r"gebruiker|ontvanger|postvak|mailbox|adres|"
    r"u[żz]ytkownik\w*|odbiorc\w*|skrzynk\w*|konto|"
    r"пользовател\w*|получател\w*|ящик\w*|адрес\w*|kullanıcı|alıcı|användare|mottagare|modtager)"
)
_GONE = (
    r"(?:unknown|not (?:be )?found|no longer|(?:does|do|did)(?: not|n't) exist|doesn.?t exist|"
    r"not exist|non-?existent|invalid|not (?:a )?(?:valid|known|listed|active)|no such|unrouteable|"
    r"unavailable|disabled|inactive|suspended|closed|deactivated|expired|moved|full|over ?quota|"
    r"exceeded (?:its|their|the) (?:storage|mailbox)|quota exceeded|out of storage|"
    r"desconocid\w|inexistente|no existe|no v[áa]lid\w|llen\w|deshabilitad\w|"
    r"unbekannt\w*|existiert nicht|nicht gefunden|nicht vorhanden|ung[üu]ltig\w*|voll|gesperrt|"
    r"deaktiviert|inconnu\w*|n.existe pas|introuvable|invalide|plein\w*|d[ée]sactiv[ée]\w*|"
    r"sconosciut\w|non esiste|inesistente|non valid\w|pien\w|disattivat\w|"
    r"desconhecid\w|n[ãa]o existe|n[ãa]o encontrad\w|inv[áa]lid\w|cheia|desativad\w|"
    r"onbekend\w*|bestaat niet|niet gevonden|ongeldig\w*|vol|"
    r"nieznan\w|nie istnieje|nie znalezion\w|przepełnion\w|"
    r"не найден\w*|не существует|неизвест\w*|переполнен\w*|отключ[её]н\w*|заблокирован\w*|"
    r"bulunamadı|yok|okänd\w*|finns inte|ukendt\w*)"
)
_MAILBOX = re.compile(
    rf"\b{_PERSON}\b.{{0,60}}?\b{_GONE}\b|\b{_GONE}\b.{{0,40}}?\b{_PERSON}\b"
    r"|\b(?:no|nie ma|нет|kein|keine|pas de|no hay|nessun\w?|sin)"
    rf" (?:such |tak\w+ |так\w+ |solche\w* |tal )?{_PERSON}\b"
    r"|no mailbox (?:here )?by that name|\bthis (?:user|mailbox|account|address)\b"
    r"|\b(?:user|mailbox|recipient)\b.{0,40}\bis receiving mail"
    r"|is (?:over|out of) (?:quota|storage)",
    re.IGNORECASE,
)
_ENHANCED = re.compile(r"(?<![\d.])[245]\.(\d{1,3})\.(\d{1,3})(?![\d.]*\d)")
_BAD_ADDRESS = frozenset({"1.1", "1.2", "1.3", "1.6", "1.10", "2.1"})
"""RFC 3463: the mailbox or its domain does not exist, has moved, takes no mail or is disabled."""
_ADDRESS = re.compile(r"<[^>]*>|\S+@\S+")
_NAMED = re.compile(r"\b(?:recipient|rcpt|mailbox|addressee)\b", re.IGNORECASE)
_PERSONAL = re.compile(r"<[^>]*>|\S*@\S*|\S*\d{3}\S*|\S*\d+\.\d+\.\d+\.\d+\S*|\b\S{24,}")


class Names(Enum):
    """Whom a refusal's words name."""

    MAILBOX = "the reader's own mailbox, in words"
    PERHAPS_MAILBOX = "a recipient, or a status code says so"
    NOBODY = "nobody, or us"


def names(reply: str) -> Names:
    """Whom a refusal is about, as far as its words and its enhanced code tell."""
    text = reply[:_LONGEST]
    bare = _ADDRESS.sub("", text)
    if _SENDER.search(bare):
        return Names.NOBODY
    if _MAILBOX.search(bare):
        return Names.MAILBOX
    if is_bad_address(text) or _NAMED.search(text):
        return Names.PERHAPS_MAILBOX
    return Names.NOBODY


def is_bad_address(reply: str) -> bool:
    """Whether the enhanced code of a refusal says that the mailbox is no good (RFC 3463)."""
    found = _ENHANCED.search(reply)
    return found is not None and f"{found[1]}.{found[2]}" in _BAD_ADDRESS


def is_policy(reply: str) -> bool:
    """Whether a reply is about what the server allows, not about the mailbox (RFC 3463: X.7.X)."""
    found = _ENHANCED.search(reply)
    return found is not None and found[1] == "7"


def same_words(reply: str, own: str = "") -> str:
    """A reply without what differs from reader to reader: addresses, numbers, ids.

    Args:
        reply: the server's words.
        own: the reader's domain, which a reply may repeat.
    """
    text = reply[:_LONGEST].lower()
    if own:
        text = text.replace(own.lower(), "…")
    return " ".join(_PERSONAL.sub("…", text).split())
