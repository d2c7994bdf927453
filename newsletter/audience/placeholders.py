"""Values of a list that say nothing: NULL, template tags, entities, damaged letters. No I/O.

Programs write them where they had nothing to say, or read a file in a wrong encoding. A mail
would greet the reader with them. People are called Null, Nan or Na: written so, a name stays.
"""

from __future__ import annotations

import codecs
import html
import re
import unicodedata
from email.header import decode_header, make_header
from functools import cache, lru_cache
from urllib.parse import unquote

# Words that nobody is called, however they are written; brackets around them do not matter.
_LISTED = (
    "undefined|not available|not applicable|not specified|not provided|not set|not given|missing|"
    "empty|blank|(blank)|no name|noname|no first name|unknown|name unknown|unnamed|object object|"
    "n/a|n.a.|null|nul|nil|nan|none|na|void|no value|no data|error|\\n|xx|xxx|xxxx|xxxxx|"
    "sans nom|inconnu|inconnue|non renseigné|non renseignée|non communiqué|vide|aucun|aucune|"
    "sin nombre|desconocido|desconocida|no disponible|no especificado|vacío|ninguno|s/n|"
    "senza nome|sconosciuto|sconosciuta|non disponibile|non specificato|vuoto|nessuno|n/d|n.d.|"
    "sem nome|desconhecido|desconhecida|não informado|vazio|nenhum|"
    "kein name|ohne namen|unbekannt|keine angabe|keine angaben|nicht angegeben|leer|k.a.|k. a.|"
    "onbekend|geen naam|niet opgegeven|leeg|n.v.t.|brak|brak danych|nieznany|nieznane|puste|"
    "неизвестно|неизвестный|не указано|не указан|нет|нет данных|нет имени|без имени|пусто|"
    "غير معروف|غير محدد|لا يوجد|بدون اسم|فارغ|未知|不明|名前なし|なし|"
    "tbd|tbc|tba|nat|inf|infinity|false|true|deleted|deleted user|redacted|anonymous|anonymized|"
    "anonym|anonyme|anónimo|anonimo|first name|firstname|first_name|fname|lname|full name|vorname|"
    "nachname|prénom|prenom|nombre|apellidos|firstname lastname|keine|unbek.|n.n.|sans objet|néant|"
    "nc|nd|sin datos|sin especificar|no aplica|no consta|s/d|geen|yok|bilinmiyor|н/д|б/н|"
    "لا شيء|غير متوفر|غير متاح|无|暂无|没有|該当なし|無し|없음|미상"
)
_WORDS = frozenset(_LISTED.split("|"))
_PARTS = frozenset(part for words in _WORDS for part in words.split(" "))
# Those that are names as well, if written with one capital and without brackets.
_NAMES_TOO = frozenset(
    (
        "true",
        "nat",
        "inf",
        "nc",
        "nd",
        "tba",
        "null",
        "nul",
        "nil",
        "nan",
        "none",
        "na",
        "void",
        "blank",
        "brak",
        "leer",
        "vide",
        "xx",
    )
)
_BRACKETS = "()[]<>{}«»“”'\""
_ERRORS = re.compile(
    r"#[¡¿]?[^\W\d_]{1,15}(?:/[^\W_]{1,2})?[!?]|#(?:N/[ADV]|Н/Д|NV|NB|NULL)[!?]?", re.IGNORECASE
)
"""A spreadsheet's, in the language of whoever wrote it: #REF!, #¡REF!, #ССЫЛКА!, #WAARDE!"""
_NO_LETTER = re.compile(r"[\W\d_]*|-inf|[\d.,]+E[+-]?\d+", re.IGNORECASE)
_FORMULA = re.compile(r"=\s*[\w'\"(+-].*|[+@-]\s*\w+[(|!].*")
_BESIDE = frozenset(("null", "NULL", "undefined", "nan", "NaN", "\\N", "#N/A", "(null)"))
"""What a program joins to a name when the other half is missing."""

_TAG = re.compile(
    r"\*\|[^|]*\|\*|\{[^{}]*\}|<%[^<%]*%>|<<[^<>]*>>|«[^«»]*»|\[\[[^\[\]]*\]\]|\[%[^\[%]*%\]"
    r"|%%[^%]*%%|##[^#]+##|@@[^@]+@@|%[A-Za-z][\w.:| -]*%|#[A-Za-z][\w.:-]*#|\$[A-Za-z]\w*\$"
    r"|!?\*[A-Za-z]\w*\*!?|\|[*A-Z_]+\||~~\w+~~|__\w+__|%\(\w+\)s|%(?:\d+\$)?[sd]\b"
    r"|</?[A-Za-z!][^<>]*>|\[object \w+\]"
)
# What real names have around them, too: there it must be the name of a field.
_MARKED = re.compile(r"[\[<(~:@$%#-]{1,3}([^\[\]<>()]{1,60}?)[\]>)~:@$%#-]{0,3}")
_FIELD = re.compile(
    r"(?:contact|subscriber|recipient|customer|user|person|member|lead|merge|data|var|your|my|the|"
    r"insert|firstname|lastname)*?(?:first|last|full|given|middle|sur|family|nick|user|display|f|l|"
    r"to)?name(?:s|here|(?:fallback|default)\w*)?|mm?erge\d+|prenom|nom|nombre|apellidos?|vorname|"
    r"nachname|anrede|nome|cognome|voornaam|achternaam|имя|фамилия|salutation|greeting|"
    r"(?:custom)?field\d*|variable|placeholder"
)
_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9A-Fa-f]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
_ESCAPE = re.compile(r"\\u([0-9A-Fa-f]{4})|\\x([0-9A-Fa-f]{2})")
_PERCENT = re.compile(r"%[0-9A-Fa-f]{2}")
_ENCODED_WORD = re.compile(r"=\?[\w-]{1,40}\?[BbQq]\?[^?]*\?=")
_ADDRESS = re.compile(r"[^@]+@[^@.]+\.[^@]+")
_LOST = re.compile("\ufffd|[\x80-\x9f]|[^\\W\\d_]\\?+[^\\W\\d_]|[a-z]Ã(?![^\\W\\d_])")
_ENCODINGS = ("cp1252", "cp1250", "cp1251", "mac_roman", "cp437", "cp850")
_WORD = re.compile(r"[^\W\d_]{2}[^\W_]*(?:['’.-]{1,2}[^\W_]+)*")
"""A word of most names; words with one space between are plain."""
_PLAIN = re.compile(r"[^\W\d_]{2}[^\W_]*(?:[ '’.-]{1,2}[^\W_]+)*\.?")


def what_is_wrong(name: str) -> str:
    """Why a mail cannot greet anybody with a name, as the end of a sentence; "" if it can.

    A name in a wrong encoding comes with what it seems to have been.
    """
    return diagnose(name)[0]


def diagnose(name: str) -> tuple[str, str]:
    """As :func:`what_is_wrong`, and what a damaged name seems to have been; "" if none can tell."""
    if is_usual(name):
        return "", ""
    words = name.split()
    usual = _BESIDE.isdisjoint(words) and words[1:] != words[:1]
    plain = usual and _PLAIN.fullmatch(name) and name.casefold() not in _WORDS
    plain = plain and name[:4].casefold() != "www."
    if not name or (plain and (name.isascii() or all(map(_is_sound, words)))):
        return "", ""
    if not plain:
        found, meant = _not_text(name)
        if found:
            return found, meant
        if _means_nothing(name, words):
            return "means nothing", ""
    if not usual and words[1:] != words[:1] and not (name.islower() or name.isupper()):
        return "holds a word that programs write for an empty value", ""
    if meant := reread(name):
        return f"seems to be “{meant}”, read in a wrong encoding", meant
    return "holds letters that were lost" if _LOST.search(name) else "", ""


def is_usual(name: str) -> bool:
    """Whether a name is as most are: words in the right encoding that are no placeholder."""
    words = name.split(" ")
    return all(map(_is_usual, words)) and (len(words) != 2 or words[0] != words[1])


@lru_cache(maxsize=65_536)
def _is_usual(word: str) -> bool:
    """The same of one word; the words of names come again and again."""
    if not _WORD.fullmatch(word) or word in _BESIDE:
        return False
    folded = word.casefold()
    return folded not in _PARTS and not folded.startswith("www.") and _is_sound(word)


def reread(text: str) -> str:
    """What a text was before it was read in a wrong encoding; "" if it was not."""
    meant = text if text.isascii() else _reread(text)
    return meant if meant != text else ""


def _is_sound(word: str) -> bool:
    """Whether a word is in the right encoding."""
    return word.isascii() or (_reread(word) == word and not _LOST.search(word))


def says_nothing(value: str) -> bool:
    """Whether a value of any column is what a program writes for nothing."""
    if value in {"", "NULL", "null", "\\N", "NaN", "nan", "undefined", "None", "N/A", "n/a"}:
        return True
    if value[0] in "#-_.–—*{%[":
        return bool(
            _ERRORS.fullmatch(value)
            or re.fullmatch(r"[-_.–—]+", value)
            or re.fullmatch(r"\*\|[^|]*\|\*|\{\{[^{}]*\}\}|%%[^%]*%%|\[object \w+\]", value)
        )
    return False


def _means_nothing(name: str, words: list[str]) -> bool:
    if _NO_LETTER.fullmatch(name) or _ERRORS.fullmatch(name):
        return True
    bare = name.strip(_BRACKETS + " !?;:-–—").casefold()
    if bare in _WORDS:
        return not (bare in _NAMES_TOO and name.isalpha() and name.istitle())
    each = {word.casefold() for word in words}
    written = [word for word in words if word != word.capitalize() or word == "None"]
    return len(words) > 1 and each <= _WORDS and len(written) == len(words)


def _not_text(name: str) -> tuple[str, str]:
    """What a program wrote instead of a name, or in a form of its own; and what it meant."""
    if any(map(_ADDRESS.fullmatch, name.split())):
        return "is an address", ""
    if "://" in name or name.casefold().startswith("www."):
        return "is a web address", ""
    if _FORMULA.fullmatch(name):
        return "is a formula", ""
    if _ENCODED_WORD.search(name):
        return _seems(name, _decoded(name), "is an encoded header")
    if _ENTITY.search(name) and (meant := html.unescape(html.unescape(name))) != name:
        return _seems(name, meant, "holds HTML entities")
    if _PERCENT.search(name) and (meant := _unquoted(name)):
        return _seems(name, meant, "is encoded for a URL")
    marked = _MARKED.fullmatch(name)
    if _TAG.search(name) or (marked and _FIELD.fullmatch(_folded(marked[1]))):
        return "is a field of a template", ""
    if _ESCAPE.search(name):
        meant = _ESCAPE.sub(lambda found: chr(int(found[1] or found[2], 16)), name)
        return _seems(name, meant, "holds escapes")
    return "", ""


def _folded(text: str) -> str:
    letters = unicodedata.normalize("NFKD", re.split("[,|]", text, maxsplit=1)[0]).casefold()
    return re.sub(r"[\W\d_]+", "", letters) or text


def _unquoted(name: str) -> str:
    try:
        return unquote(name, errors="strict")
    except UnicodeDecodeError:
        return ""


def _decoded(name: str) -> str:
    try:
        return str(make_header(decode_header(name)))
    except (ValueError, LookupError):
        return name


def _seems(name: str, meant: str, what: str) -> tuple[str, str]:
    if meant.isprintable() and meant != name and not what_is_wrong(meant):
        return f"{what}; it seems to be “{meant}”", meant
    return what, ""


@cache
def _table(encoding: str) -> tuple[dict[str, int], re.Pattern[str]]:
    """The byte of each character, and what UTF-8 looks like, in a wrong encoding."""
    numbers: dict[str, int] = {chr(byte): byte for byte in range(0x80, 0xA0)}
    for byte in range(0x80, 0x100):
        numbers[codecs.decode(bytes([byte]), encoding, "replace")] = byte
    numbers.pop("\ufffd", None)

    def among(low: int, high: int) -> str:
        return (
            "[" + "".join(re.escape(c) for c, byte in numbers.items() if low <= byte < high) + "]"
        )

    follows = among(0x80, 0xC0)
    two, three, four = among(0xC2, 0xE0), among(0xE0, 0xF0), among(0xF0, 0xF5)
    return numbers, re.compile(f"(?:{two}{follows}|{three}{follows}{{2}}|{four}{follows}{{3}})+")


def _reread(name: str, rounds: int = 3) -> str:
    """What a name was before it was read in a wrong encoding; itself if it was not."""
    for encoding in _ENCODINGS:
        numbers, pattern = _table(encoding)
        if not pattern.search(name):
            continue
        meant = pattern.sub(lambda found: _utf8(found.group(), numbers), name)  # noqa: B023 - used at once
        if meant != name and _plausible(name, meant):
            return _reread(meant, rounds - 1) if rounds else meant
    return name


def _utf8(text: str, numbers: dict[str, int]) -> str:
    try:
        return bytes(map(numbers.__getitem__, text)).decode()
    except UnicodeDecodeError:
        return text


def _plausible(name: str, meant: str) -> bool:
    """Whether a name may have been meant: letters of one script, as people write them."""
    new = [char for char in meant if not char.isascii()]
    letters = [char for char in new if char.isalpha()]
    capitals = name.isupper() and re.search("[A-Z]", name)
    if capitals and letters and not meant.isupper():
        return False
    if any(unicodedata.category(char) not in {"Lu", "Ll", "Lo", "Mn", "Mc", "Zs", "Pf", "Pi", "Pd"}
           for char in new):  # fmt: skip
        # One more round of the same fault leaves other marks between.
        return any(_table("cp1252")[1].finditer(meant))
    scripts = {unicodedata.name(char, "?").split()[0] for char in meant if char.isalpha()}
    scripts -= {"CJK", "HIRAGANA", "KATAKANA", "HANGUL"}
    if len(scripts) > 1:
        return False
    latin = scripts <= {"LATIN"} and all(
        ord(char) < 0x250 or ord(char) >= 0x1E00 for char in letters
    )
    return latin or len(letters) > 1
