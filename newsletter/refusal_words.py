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
    r"\bsender|\bmail ?from\b|\breturn.path|envelope.from|\bsubmission|\bauthenticat|\brelay"
    r"|\byour? (?:(?:e-?mail|ip) )?(?:ip|host|account|server|network|message|domain|mail ?box"
    r"|address)"
    # Guesses at addresses, and a server that cannot look anybody up.
    r"|\bharvest|\bdictionary|too many|zu viele|demasiad|\btrop de\b|\btropp[io]\b|слишком"
    r"|\bzbyt\b|\bmuitos\b|太多|look-?ups? (?:fail|err|dis|un|tim)|\bdirectory\b|\bldap\b"
    r"|database|server busy"
    r"|\bclient host|\bsending\b|\bto send\b(?! to)|\bsend (?:limit|quota|mail)|\blogin\b"
    r"|\bsmtp (?:user|account|login)|(?:\bfrom|return|envelope|bounce) address\b"
    r"|\bip[ -]?addres|\badresse ip|-адрес\b|\b(?:direcci[óo]n|indirizzo|endere[çc]o|adres\w*) ip\b"
    r"|reverse dns|\br?dns lookup|\bptr\b|\b(?:helo|ehlo)\b"
    r"|\btrial\b|\bsubscription\b|\blicen[cs]e|\brenew|recipient limit"
    r"|\b(?:ihr|dein)\w* (?:konto|postfach|ip|server|adresse|e-?mail)|\bversand|\bversend"
    r"|\b(?:votre|ton) (?:compte|bo[îi]te|ip|serveur|adresse)|d.envoi|d.envoyer"
    r"|\b(?:su|tu) (?:cuenta|buz[óo]n|ip|servidor|direcci[óo]n)\b|\benv[íi]os?\b|\benviar\b"
    r"|\b(?:tuo|suo|vostro|tua|sua) (?:account|indirizzo|casella|ip|server|conta|caixa)\b"
    r"|\binvi(?:o|are)\b"
    r"|\bseu (?:endere[çc]o|ip|servidor)\b|\benvio\b|\btwoj\w* |\btwój "
    r"|\bваш\w* (?:аккаунт|уч|ip|адрес|сервер|почт|ящик)|отправк"
    r"|发件人|寄件人|您的(?:帐|账|ip|服务器)|发送|差出人|送信|보낸|발신"
    r"|\bspam|\bblock(?:ed|list)|\bblacklist|\bspamhaus|\brbl\b"
    r"|reputation|\bpolicy"
    r"|remitente|absender|exp[ée]diteur|mittente|remetente|afzender|nadawc|отправител"
    r"|المرسل|gönder|avsändar|afsender|αποστολ",
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
    r"пользовател\w*|получател\w*|ящик\w*|адрес\w*|користувач\w*|одержувач\w*|скриньк\w*|"
    r"kullanıcı|alıcı|användare|mottagare|modtager|bruger\w*|bruker\w*|vastaanottaja|käyttäjä\w*|"
    r"u[žz]ivatel\w*|p[řr][íi]jemce|korisnik\w*|felhasznál\w*|címzett|postafiók|"
    r"utilizator\w*|destinatar\w*|c[ăa]su[țt][ăa]|παραλήπτης|χρήστης|المستخدم|المستلم|صندوق البريد)"
)
_GONE = (
    r"(?:unknown|not (?:be )?found|no longer|(?:does|do|did)(?: not|n't) exist|doesn.?t exist|"
    r"not exist|non-?existent|invalid|not (?:a )?(?:valid|known|listed|active)|no such|unrouteable|"
    r"unavailable|not available|bad|isn.?t here|disabled|inactive|suspended|closed|deactivated|"
    r"expired|moved|full|over ?quota|"
    r"exceeded (?:its|their|the) (?:storage|mailbox)|quota exceeded|out of storage|"
    r"desconocid\w|inexistente|no existe|no v[áa]lid\w|llen\w|deshabilitad\w|"
    r"unbekannt\w*|existiert nicht|nicht gefunden|nicht vorhanden|ung[üu]ltig\w*|voll|gesperrt|"
    r"deaktiviert|inconnu\w*|n.existe pas|introuvable|invalide|plein\w*|d[ée]sactiv[ée]\w*|"
    r"sconosciut\w|non esiste|inesistente|non valid\w|pien\w|disattivat\w|"
    r"desconhecid\w|n[ãa]o existe|n[ãa]o encontrad\w|inv[áa]lid\w|cheia|desativad\w|"
    r"onbekend\w*|bestaat niet|niet gevonden|ongeldig\w*|vol|"
    r"nieznan\w|nie istnieje|nie znalezion\w|przepełnion\w|"
    r"не найден\w*|не существует|неизвест\w*|переполнен\w*|отключ[её]н\w*|заблокирован\w*|"
    r"inactiv[ao]|nicht bekannt|nicht verf[üu]gbar|gibt es nicht|inexistante?|n.est plus active|"
    r"non trovat\w|не знайдено|не існує|невідом\w*|нет|"
    r"bulunamadı|yok|okänd\w*|finns inte|ukendt\w*|ukjent\w*|findes ikke|tuntematon|ei löydy|"
    r"neexistuje|neznám\w*|ne postoji|nepoznat\w*|nem létezik|ismeretlen|necunoscut\w*|nu există|"
    r"άγνωστος|δεν υπάρχει|غير موجود|ممتلئ)"
)
_MAILBOX = re.compile(
    rf"\b{_PERSON}\b.{{0,60}}?\b{_GONE}\b|\b{_GONE}\b.{{0,40}}?\b{_PERSON}\b"
    r"|\b(?:no|nie ma|нет|kein|keine|pas de|no hay|nessun\w?|sin|brak|nema|aucune?|bad)"
    rf" (?:such |tak\w+ |так\w+ |solche\w* |tal |destination )?{_PERSON}\b"
    r"|no mailbox (?:here )?by that name|\bthis (?:user|mailbox|account|address)\b"
    r"|\b(?:user|mailbox|recipient)\b.{0,40}\bis receiving mail"
    r"|is (?:over|out of) (?:quota|storage)"
    # Where words stand without spaces between them.
    r"|(?:用户|用戶|收件人|邮箱|郵箱|帐号|账号).{0,8}(?:不存在|未找到|已满|已滿|无效|停用)|[无無]此(?:用户|用戶|使用者|人)|查[无無]此|宛先不明"
    r"|(?:ユーザ|メールボックス|宛先|アドレス).{0,12}(?:存在し|見つかり|いっぱい|いません|不明)"
    r"|(?:사용자|수신자|메일함|사서함).{0,12}(?:찾을 수|존재하지|없습|초과|가득)"
    r"|존재하지 않는 (?:사용자|메일|계정)",
    re.IGNORECASE,
)
_ACCOUNT_STOPPED = re.compile(
    r"\b(?:account|user|konto|benutzer|compte|utilisateur|cuenta|usuario|conta|аккаунт)\b.{0,40}"
    r"\b(?:disabled|suspended|inactive|expired|closed|deactivated|locked|blocked|gesperrt|deaktiviert|"
    r"suspendu|d[ée]sactiv|suspendid|deshabilitad|bloquead|desativad|zablokowan|заблокирован)",
    re.IGNORECASE,
)
"""Said of a reader's account as of ours, unless the words below stand beside it."""
_READERS_OWN = re.compile(
    r"recipient|user you|mail ?box|e-?mail account|tried to reach|empf[äa]nger|destinat|получател"
    r"|\b2\.1\b",
    re.IGNORECASE,
)
_MAY_NOT_SEND = re.compile(
    r"(?:not (?:allowed|permitted|authori[sz]ed)|(?:no|lacks?) permission) to "
    r"(?:send|mail|write|post|relay|deliver)",
    re.IGNORECASE,
)
"""Said of who sends, whatever mailbox is named beside it."""
_ENHANCED = re.compile(r"(?<![\d.])[245]\.(\d{1,3})\.(\d{1,3})(?![\d.]*\d)")
_ENHANCED_SENDER = re.compile(r"(?<![\d.])5\.1\.[78](?![\d.]*\d)")
"""RFC 3463: the sender's address or domain is no good."""
_BAD_ADDRESS = frozenset({"1.1", "1.2", "1.3", "1.6", "1.10", "2.1"})
"""RFC 3463: the mailbox or its domain does not exist, has moved, takes no mail or is disabled."""
_ADDRESS = re.compile(r"<[^>]*>|(?<!\S)\S+@\S+")
_NAMED = re.compile(r"\b(?:recipient|rcpt|mailbox|addressee)\b", re.IGNORECASE)
_PERSONAL = re.compile(r"<[^>]*>|\S*@\S*|\S*\d{3}\S*|\S*\d+\.\d+\.\d+\.\d+\S*|\b\S{24,}")


_OTHER_CAUSE = re.compile(
    r"too old|\bexpired?\b"
    r"|\brate\b|ratelimit|throttl|too (?:many|much|fast)|temporar|transient|try (?:again|later)"
    r"|time[ds]? ?-?out|gr[ae]y.?list|\bdns\b|connection"
    r"|polic(?:y|ies)|spam|block|black.?list|reputation|\bcontent\b|virus|malware|phish"
    r"|\bdmarc\b|\bdkim\b|\bspf\b|suppress|authenticat|\bsender\b|mail ?from"
    r"|quota|\bfull\b|storage|too (?:large|big)|message size"
    r"|relay(?:ing)? (?:access )?denied|unable to relay|access denied"
    r"|not (?:allowed|permitted)|permission"
    # Trouble of the server's own, and a mailbox that may come back.
    r"|look-?up (?:fail|err)|database|\bldap\b|directory (?:server|service|lookup)|misconfig"
    r"|maintenance|migrat|vacation|out of (?:the )?office|suspend|\block(?:ed)?\b|payment|unpaid"
    r"|auto ?-?(?:respon|repl)|challenge|address ?change|harvest|dictionary"
    r"|try (?:next|back)|for now"
    # The same in other languages: full, limits, spam, policy, a list, later, the sender, access.
    r"|\bllen[oa]|\bvoll\b|überfüllt|\bplein|\bpien[oa]|\bchei[oa]|переполн|przepełn|pełn|\bvol\b"
    r"|\bdolu|\bfuld|megtelt|\bplin[ăae]?\b|\bpln[áéý]|γεμάτ|ممتلئ|已满|已滿|いっぱい|가득|초과"
    r"|\bl[ií]mit|cuota|kontingent|лимит|квот|ліміт|上限|超过|超過|超出"
    r"|(?:no|non) (?:desead|solicitad|richiest)|unerw[üu]nscht|ind[ée]sirabl|indesiderat|indesejad"
    r"|нежелательн|\bспам|рассылк|niechcian|ongewenst|垃圾|迷惑|스팸"
    r"|richtlinie|pol[ií]ti[ckq]|beleid|zasad|политик|策略"
    r"|list[ae] (?:negra|nera|noire)|(?:sperr|zwarte )lijst|sperrliste|schwarze|czarn|черн\w* спис"
    r"|\bbloqu|\bblocc|gesperrt|geblok|zablokow|заблок|黑名单|ブラックリスト|차단"
    r"|tempor|vor[üu]bergehend|derzeit|zeitweil|zurzeit|moment|временн|тимчасов|tymczasow|tijdelijk"
    r"|geçici|暂时|暫時|一時|일시"
    r"|demasiad|zu (?:viele|schnell)|\btrop\b|tropp[io]|слишком|zbyt|muit[oa]s"
    r"|remitente|absender|exp[ée]diteur|mittente|remetente|afzender|nadawc|отправител|відправник"
    r"|发件人|寄件人|差出人|送信者|보낸"
    r"|\b(?:su|tu) (?:cuenta|direcci)|\btu buz|\bvotre (?:compte|adresse)|\bваш"
    r"|\b(?:ihr|dein)e? (?:konto|postfach|ip|server|\S*adresse)"
    r"|\b(?:tu[oa]|vostr[oa]) (?:account|indirizzo|casella)"
    r"|acceso|zugriff|\bacc[èe]s\b|\baccesso|\bacesso|доступ|toegang|dostęp|拒绝访问"
    r"|nicht (?:erlaubt|berechtigt|zugelassen)|(?:no|n[ãa]o) (?:permitid|autorizad)"
    r"|non (?:permess|autorizzat|autoris)|не разреш|запрещ"
    r"|(?<![\d.])(?:5\.7\.\d|4\.\d{1,3}\.\d)|^(?:smtp; ?)?4\d\d(?:[ -]|$)",
    re.IGNORECASE | re.MULTILINE,
)
_SOFT = re.compile(r"\bsoft|\b4\d\d\b", re.IGNORECASE)
_LABEL = re.compile(
    r"\b(?:no_?email|mailbox[_ ]not[_ ]found|bademailaddress|bad[_ ]?(?:email|mailbox)"
    r"|invalid[_ ](?:address|email|mailbox|recipient|domain)"
    r"|unknown[_ ](?:user|recipient|mailbox|domain)"
    r"|recip(?:ient)?notfound"
    r"|(?:domain|host).{0,30}(?:not found|not exist|unknown)|nx ?domain|null mx"
    r"|no (?:mail ?host|mx))",
    re.IGNORECASE,
)
"""Providers' own words for it, and those for a domain that is gone."""


def proves_gone(words: str, status: str = "") -> bool:
    """Whether words and status agree that this very mailbox is gone.

    A status alone does, if nobody said anything in words.

    Args:
        words: what the server or the provider said.
        status: an enhanced status code (RFC 3463), or nothing.
    """
    text = words[:_LONGEST]
    bare = _ADDRESS.sub("", text)
    if _OTHER_CAUSE.search(bare):
        return False
    if status and not is_bad_address(status) and not status.endswith(".0.0"):
        return False  # 5.0.0 says nothing (RFC 3463); Exim writes it to every report
    said = re.sub(r"[\d.\-#;:\s]|\bsmtp\b", "", bare)
    if not said:
        return is_bad_address(f"{status} {text}")
    return _MAILBOX.search(bare) is not None or _LABEL.search(bare) is not None


def may_be_gone(said: str) -> bool:
    """Whether a letter came back for good, and nobody named a cause but the mailbox.

    A sign, no proof: see :func:`proves_gone`. What the provider calls soft has to name it.
    """
    text = said[:_LONGEST]
    bare = _ADDRESS.sub("", text)
    if _OTHER_CAUSE.search(bare):
        return False
    return _MAILBOX.search(bare) is not None or not _SOFT.search(bare)


class Names(Enum):
    """Whom a refusal's words name."""

    MAILBOX = "the reader's own mailbox, in words"
    PERHAPS_MAILBOX = "a recipient, or a status code says so"
    NOBODY = "nobody, or us"


def names(reply: str) -> Names:
    """Whom a refusal is about, as far as its words and its enhanced code tell."""
    text = reply[:_LONGEST]
    bare = _ADDRESS.sub("", text)
    if _SENDER.search(bare) or (_ENHANCED_SENDER.search(text) and not _NAMED.search(bare)):
        return Names.NOBODY
    if _MAILBOX.search(bare) and not _MAY_NOT_SEND.search(bare):
        ours = _ACCOUNT_STOPPED.search(bare) and not _READERS_OWN.search(bare)
        return Names.PERHAPS_MAILBOX if ours else Names.MAILBOX
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


def without_addresses(words: str, own: str = "") -> str:
    """A server's words without any address, and without the reader's name in them.

    Args:
        words: bounded by the caller.
        own: the reader's address.
    """
    text = _ADDRESS.sub("…", words)
    name = own.rpartition("@")[0]
    return re.sub(re.escape(name), "…", text, flags=re.IGNORECASE) if len(name) > 2 else text


_GREYLISTING = re.compile(r"gr[ae]y-?\s?list", re.IGNORECASE)


def is_greylisting(reply: str) -> bool:
    """Whether the server says that it greylists (RFC 6647)."""
    return _GREYLISTING.search(reply[:_LONGEST]) is not None


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
