"""Which language a reader wants, and which edition they get. No I/O but Babel's data.

A list says it as a code of two or three letters (ISO 639), as a tag (BCP 47), or as a name in
English, in the language itself or in one that lists are often kept in (Unicode CLDR).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from functools import cache, lru_cache

from pydantic import TypeAdapter, ValidationError

from newsletter.audience.cells import trim
from newsletter.audience.columns import fold
from newsletter.model import Language

_LONGEST_CELL = 100
_TAG = TypeAdapter[str](Language)
_LOCALE_ENDING = re.compile(r"(?:\.[\w-]+)?(?:@\w+)?")
_NOTHING = frozenset(("na", "nan", "nil", "und", "mul", "zxx", "mis"))
"""Codes that lists hold where no language is meant: NA, NaN, ISO 639's for none or several."""
_KEPT_IN = (
    "en",
    "fr",
    "es",
    "ru",
    "ar",
    "de",
    "it",
    "pt",
    "nl",
    "pl",
    "uk",
    "tr",
    "sv",
    "da",
    "nb",
)
"""Languages in which lists are kept, so that others are named in them; English wins."""
_MORE_NAMES = {
    "farsi": "fa", "دری": "fa-AF", "mandarin": "zh", "castellano": "es", "castilian": "es",
    "flemish": "nl", "vlaams": "nl", "brazilian": "pt-BR", "brasileiro": "pt-BR",
    "norwegian": "no", "kurmanji": "ku", "sorani": "ckb", "moldovan": "ro", "gaelic": "gd",
    "panjabi": "pa", "burmese": "my", "esp": "es", "рус": "ru", "укр": "uk", "عربي": "ar",
    "کوردی": "ckb", "简体中文": "zh-Hans", "繁體中文": "zh-Hant", "русскийязык": "ru",
    "engl": "en", "franz": "fr",
}  # fmt: skip
# The variety that people speak, and the language that they are written to in (ISO 639-3).
_ARABIC = "aeb acm acw acx afb ajp apc apd arq ars ary arz ayl ayn ayp shu"
_CHINESE = "cmn gan hak hsn nan wuu yue"
_WRITTEN = {
    "nb": "no", "nn": "no", "fa-AF": "fa", "prs": "fa", "gsw": "de", "vls": "nl", "fil": "tl",
    **dict.fromkeys(_ARABIC.split(), "ar"), **dict.fromkeys(_CHINESE.split(), "zh"),
}  # fmt: skip


@lru_cache(maxsize=4096)
def read_language(cell: str) -> str | None:
    """A cell's language as the shortest BCP 47 tag (RFC 5646 4.5), or None if it names none."""
    text = trim(cell)
    if len(text) > _LONGEST_CELL:
        return None
    return _by_tag(text) or _by_name(text)


def _by_tag(text: str) -> str | None:
    """The tag that a code, a tag or a POSIX locale such as ``fr_FR.UTF-8`` is."""
    code = re.match(r"[A-Za-z0-9_-]*", text)
    written = code.group() if code else ""
    if not _LOCALE_ENDING.fullmatch(text[len(written) :]):
        return None
    primary, *subtags = written.replace("_", "-").split("-")
    if subtags and re.fullmatch("[A-Za-z]{3}", subtags[0]):  # ar-arz is arz (RFC 5646 2.2.2)
        primary, *subtags = subtags
    if primary.lower() in _NOTHING or not _is_language(primary.lower()):
        return None
    replaced = _aliases().get(primary.lower(), primary.lower()).split("_")
    tag = "-".join((*(replaced[:1] if subtags else replaced), *map(_capitals, subtags)))
    try:
        return _TAG.validate_python(tag)
    except ValidationError:
        return None


def _capitals(subtag: str) -> str:
    """RFC 5646 2.1.1: regions in capitals, scripts with one, all else small."""
    if len(subtag) == 2:
        return subtag.upper()
    return subtag.title() if len(subtag) == 4 else subtag.lower()


def _aliases() -> Mapping[str, str]:
    from babel.core import get_global

    return get_global("language_aliases")


def _is_language(code: str) -> bool:
    from babel.core import get_global

    return code in get_global("likely_subtags") or code in _aliases()


def _by_name(text: str) -> str | None:
    """The tag of a name: ``French``, ``français``, ``Portuguese (Brazil)``, ``English - UK``."""
    name = fold(text)
    if not name:
        return None
    if found := _names().get(name) or _own_names().get(name):
        return found
    base, _, rest = re.sub(r"\s+[-–—]\s+|\s*[(（\[,]\s*", "\0", text, count=1).partition("\0")
    language = rest and (_names().get(fold(base)) or _own_names().get(fold(base)) or _by_tag(base))
    if not language or "-" in language:
        return language or None
    return "-".join(filter(None, (language, _place(fold(rest), language))))


def _place(name: str, language: str) -> str:
    """The region or script of a name in English or in the language itself; "" if it is neither."""
    if len(name) == 2 and name.upper() in _display("en", "territories"):
        return name.upper()
    for spoken in ("en", language):
        for kind in ("territories", "scripts"):
            for code, called in _display(spoken, kind).items():
                if fold(called) == name:
                    return code
    return {"simplified": "Hans", "traditional": "Hant", "uk": "GB", "usa": "US"}.get(name, "")


def _display(language: str, kind: str) -> Mapping[str, str]:
    from babel import localedata

    if not localedata.exists(language):
        return {}
    found = localedata.load(language)[kind]
    return {code: called for code, called in found.items() if isinstance(called, str)}


@cache
def _names() -> Mapping[str, str]:
    """What languages are called in those that lists are kept in."""
    names = dict(_MORE_NAMES)
    for spoken in _KEPT_IN:
        for code, called in _display(spoken, "languages").items():
            for spelled in _spellings(called):
                names.setdefault(spelled, code.replace("_", "-"))
    return names


@cache
def _own_names() -> Mapping[str, str]:
    """What languages call themselves. Reads all of Babel's languages, so it is asked last."""
    import pickle
    from pathlib import Path

    from babel import localedata

    names: dict[str, str] = {}
    for code in sorted(localedata.locale_identifiers(), key=lambda each: (len(each), each)):
        if "_" not in code:
            # Not by localedata.load(): merged it takes ten times as long, and not merged it would
            # be kept, and then lack what others of this process ask of the language.
            file = Path(localedata.resolve_locale_filename(code))
            own = pickle.loads(file.read_bytes())["languages"]  # noqa: S301 - Babel's own data
            for spelled in _spellings(own.get(code, "")):
                names.setdefault(spelled, code)
    return names


def _spellings(called: str) -> Iterator[str]:
    """A name as it is compared; without a word for “language” behind or before it, too."""
    yield from {fold(called), fold(re.sub(r"\s*\(.*\)$", "", called))} - {""}
    bare = re.sub(r"\s+(?:dili|tili|теле|тілі|тыла|кель|language)$|^(?:Tiếng)\s+", "", called)
    if bare != called and fold(bare):
        yield fold(bare)


@lru_cache(maxsize=4096)
def _wanted(tag: str) -> tuple[str, ...]:
    """Tags that serve a reader of ``tag``, the best first: RFC 4647 3.4, then CLDR's likeliest."""
    from babel.core import get_global

    found = [tag]
    likely = get_global("likely_subtags")
    subtags = tag.split("-")
    while len(subtags) > 1:
        region_only = len(subtags) == 2 and len(subtags[1]) in {2, 3}
        full = likely.get("_".join(subtags)) if region_only else None
        if full:
            found.append("-".join(full.split("_")[:2]))
        subtags.pop()
        found.append("-".join(subtags))
    found += [_WRITTEN[one] for one in found if one in _WRITTEN]
    return tuple(dict.fromkeys(found))


def edition_for(wanted: str | None, languages: Collection[str], default: str) -> str:
    """The language of a reader's edition: theirs, the nearest that serves them, or the default.

    ``pt-BR`` is served by ``pt``, ``zh-TW`` by ``zh-Hant``, ``nb`` by ``no`` (lookup, RFC 4647
    3.4). If none is, another variety of the same language in the same script is nearer than
    another language: ``pt`` is served by ``pt-BR`` (filtering, RFC 4647 3.3.1).

    Args:
        wanted: what the list says; None where it says nothing.
        languages: of the editions there are.
        default: the edition for everybody else.
    """
    if wanted is None:
        return default
    return wanted if wanted in languages else _nearest(wanted, tuple(languages)) or default


@lru_cache(maxsize=4096)
def _nearest(wanted: str, languages: tuple[str, ...]) -> str:
    editions = {read_language(language) or language: language for language in languages}
    for tag in _wanted(wanted):
        if tag in editions:
            return editions[tag]
    found = next((editions[tag] for tag in editions if _WRITTEN.get(tag) == wanted), "")
    return found or _same_language(wanted, editions)


def _same_language(wanted: str, editions: Mapping[str, str]) -> str:
    """An edition in a variety of the language and script; the likeliest region's, or the first."""
    language, script, region = _full(wanted)
    found: dict[str, str] = {}
    for tag, edition in editions.items():
        each = _full(tag)
        if each[:2] == (language, script):
            found.setdefault(each[2], edition)
    return found.get(region) or next(iter(found.values()), "")


def _full(tag: str) -> tuple[str, str, str]:
    """Language, script and region, those that the tag leaves out by CLDR's likely subtags."""
    from babel.core import get_global

    primary, *subtags = tag.split("-")
    script = next((each for each in subtags if len(each) == 4), "")
    region = next((each for each in subtags if len(each) in {2, 3}), "")
    likely = get_global("likely_subtags")
    keys = ((primary, script, region), (primary, region), (primary, script), (primary,))
    known = (likely.get("_".join(filter(None, key)), "") for key in keys)
    full = next(filter(None, known), tag).split("_")
    guessed = dict(zip(("language", "script", "region"), full, strict=False))
    return primary, script or guessed.get("script", ""), region or guessed.get("region", "")
