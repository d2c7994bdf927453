"""The names of languages, in a language (Unicode CLDR). No I/O."""

from __future__ import annotations

import unicodedata
from collections import Counter


def script_of(text: str) -> str:
    """The script of most letters of a text, as Unicode names it: ``LATIN``, ``ARABIC``.

    A text without letters has none, and gives ``""``.
    """
    names = (unicodedata.name(char, "") for char in text if char.isalpha())
    counted = Counter(name.split(" ", maxsplit=1)[0] for name in names)
    return counted.most_common(1)[0][0] if counted else ""


def language_name(tag: str, language: str) -> str:
    """What ``language`` calls the language ``tag``: ``Russian``, ``russe``, ``русский``.

    Args:
        tag: a BCP 47 tag, e.g. ru or pt-BR.
        language: the language to say it in; one that CLDR does not know says it
            as that language calls itself. A tag that CLDR does not know stays as it is.
    """
    from babel import Locale, UnknownLocaleError

    try:
        named = Locale.parse(tag, sep="-")
    except (UnknownLocaleError, ValueError):
        return tag
    for name in (language, language.split("-", maxsplit=1)[0]):
        try:
            return named.get_display_name(Locale.parse(name, sep="-")) or tag
        except (UnknownLocaleError, ValueError):
            continue
    return named.get_display_name() or tag
