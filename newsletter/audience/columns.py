"""Which column of a list means what, told from its header. No I/O."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from newsletter.errors import Problem, RosterError, Where
from newsletter.invisible import visible, without_invisible

NO_NAME = "(no name)"
"""What a column without a name is called."""
MAX_COLUMNS = 1_000
_LONGEST_NAME = 200
"""Characters of a column's name that can be one of those below."""
_SIGNS = re.compile(r"[\W_]+")


def fold(name: str) -> str:
    """A header as it is compared: without case, accents, spaces and punctuation."""
    if name.isascii():
        return _SIGNS.sub("", name.lower())
    letters = unicodedata.normalize("NFKD", without_invisible(name)).casefold()
    return _SIGNS.sub("", "".join(c for c in letters if not unicodedata.combining(c)))


def _spellings(words: str) -> frozenset[str]:
    return frozenset(fold(word) for word in words.split(","))


_EMAIL = _spellings(
    "email,e-mail,mail,email address,e-mail address,mail address,subscriber email,"
    "adresse email,adresse e-mail,adresse mail,adresse électronique,courriel,mél,"
    "correo,correo electrónico,dirección de correo,email-adresse,e-mail-adresse,"
    "mailadresse,posta elettronica,indirizzo email,e-mailadres,endereço de email,"
    "почта,эл. почта,электронная почта,адрес электронной почты,имейл,"
    "البريد,البريد الإلكتروني,بريد إلكتروني"
)
# These may as well head a postal address, so they count only where none above stands.
_MAYBE_EMAIL = _spellings("address,adresse,dirección,indirizzo,adres,endereço,адрес,العنوان")
_FIRST_NAME = _spellings(
    "first name,firstname,given name,forename,prénom,nombre,vorname,voornaam,nome,"
    "primeiro nome,имя,الاسم الأول"
)
_NAME = _spellings(
    "name,full name,display name,your name,nom,nom complet,nombre completo,"
    "nombre y apellidos,nome completo,naam,полное имя,фио,الاسم,الاسم الكامل"
)
_LANGUAGE = _spellings(
    "language,lang,locale,preferred language,language code,langue,idioma,lengua,sprache,"
    "lingua,taal,língua,язык,اللغة,لغة"
)


@dataclass(frozen=True, slots=True)
class Columns:
    """Where in a record each thing stands, counted from 0; ``width`` is the header's."""

    email: int
    name: int | None
    language: int | None
    fields: dict[str, int]
    ignored: tuple[str, ...]
    width: int

    @property
    def used(self) -> tuple[int, ...]:
        """Where everything stands that is read."""
        found = (self.email, self.name, self.language, *self.fields.values())
        return tuple(index for index in found if index is not None)


def has_email(header: Sequence[str]) -> bool:
    """Whether a header names a column of addresses."""
    folded = {fold(cell) for cell in header if len(cell) <= _LONGEST_NAME}
    return not folded.isdisjoint(_EMAIL | _MAYBE_EMAIL)


def find_columns(
    header: Sequence[str],
    *,
    fields: Sequence[str],
    address_column: str | None,
    where: Where,
    table: str = "[audience]",
) -> Columns:
    """Read a header.

    Args:
        header: its cells.
        fields: further columns to keep, as newsletter.toml names them.
        address_column: the column of addresses, if newsletter.toml names it.
        where: where the header stands.
        table: of newsletter.toml, which can name the column of addresses.

    Raises:
        RosterError: there are too many columns, no column holds addresses, several could, or one of
            ``fields`` is not there; it shows what was found.
    """
    names = list(header)
    while names and not names[-1].strip():
        names.pop()  # a spreadsheet writes the empty columns at its right as well
    if len(names) > MAX_COLUMNS:
        raise RosterError(
            f"The list's header names {len(names):,} columns; {MAX_COLUMNS:,} are the most.",
            where=where,
            next="Save only the columns that the newsletter needs as a list.",
        )
    folded = [fold(name) for name in names]
    problems: list[Problem] = []

    def find(*spellings: frozenset[str], advice: str = "Rename all but one.") -> int | None:
        for among in spellings:
            found = [index for index, name in enumerate(folded) if name in among]
            if len(found) > 1:
                named = ", ".join(f"“{names[index].strip()}”" for index in found)
                problems.append(Problem(f"Several columns could be meant: {named}.", next=advice))
            if found:
                return found[0]
        return None

    if address_column is None:
        email = find(_EMAIL, _MAYBE_EMAIL, advice="Rename all but one, or name one as "
                     f"address_column under {table} in newsletter.toml.")  # fmt: skip
    else:
        email = find(frozenset({fold(address_column)}))
    if email is None:
        raise RosterError(
            f"No column of the list is called “{visible(address_column or 'email')}”; its columns "
            f"are: {listed(names)}.",
            where=where,
            next=f"Name the column of addresses as address_column under {table} in "
            "newsletter.toml.",
        )
    name, language = find(_FIRST_NAME, _NAME), find(_LANGUAGE)
    kept: dict[str, int] = {}
    for field in fields:
        index = find(frozenset({fold(field)}))
        if index is None:
            problems.append(
                Problem(
                    f"The column “{field}” is missing; newsletter.toml names it.",
                    next="Add it to the list, or remove it from “fields” under [audience].",
                )
            )
        else:
            kept[field] = index
    if problems:
        raise RosterError(
            "The list's header cannot be used.",
            where=where,
            problems=problems,
            next=f"Its columns are: {listed(names)}.",
        )
    used = {email, name, language, *kept.values()}
    ignored = tuple(
        text.strip() or NO_NAME for index, text in enumerate(names) if index not in used
    )
    return Columns(email, name, language, kept, ignored, len(names))


def listed(names: Sequence[str]) -> str:
    """Columns as a message shows them."""
    shown = [f"“{visible(name.strip()[:60])}”" for name in names[:12]]
    return ", ".join(shown) + (" …" if len(names) > len(shown) else "")


def ignored_warning(columns: Columns, heard: Collection[str], path: Path) -> list[Problem]:
    """Says which columns nobody reads, if there are any; ``heard`` tell who may be mailed."""
    ignored = [name for name in columns.ignored if name not in heard]
    if not ignored:
        return []
    return [
        Problem(
            f"Unused columns: {listed(ignored)}.",
            Where(path),
            "To use one in the mail, name it in “fields” under [audience] in newsletter.toml.",
        )
    ]
