"""The set phrases of a language, as templates see them: ``w.read_more``. No I/O."""

from __future__ import annotations

from collections.abc import Mapping

from newsletter.errors import TemplateError, Where
from newsletter.theme import Theme


class Words:
    """Phrases by key; a missing one is an error that names the file and the key."""

    def __init__(self, phrases: Mapping[str, str], file: str) -> None:
        self._phrases = phrases
        self._file = file

    def __getitem__(self, key: str) -> str:
        if key in self._phrases:
            return self._phrases[key]
        raise TemplateError(
            f"The theme has no phrase “{key}” in this language.",
            where=Where(self._file, item=key),
            next=f'Add a line: {key} = "…".',
        )

    def __getattr__(self, key: str) -> str:
        if key.startswith("_"):
            raise AttributeError(key)
        return self[key]


def words_for(theme: Theme, language: str, *, otherwise: str) -> Words:
    """The phrases of a story's own language, where the theme speaks it.

    Args:
        theme: has the phrases.
        language: the story's.
        otherwise: the issue's.
    """
    try:
        return words_of(theme, language)
    except TemplateError:
        return words_of(theme, otherwise)


def words_of(theme: Theme, language: str) -> Words:
    """The phrases of a language.

    Raises:
        TemplateError: the theme does not speak it.
    """
    phrases = theme.words_for(language)
    name = next(name for name, known in theme.words.items() if known is phrases)
    return Words(phrases, str(theme.path(f"words/{name}.toml")))
