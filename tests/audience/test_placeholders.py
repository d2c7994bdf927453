"""Cells that say nothing: the name counts as empty, and the list's owner is told where."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from newsletter.audience.model import Roster
from newsletter.audience.placeholders import what_is_wrong
from newsletter.audience.reader import read_roster
from newsletter.config import Audience

from tests.cli.support import mails, went_well
from tests.support.project import Project

NOTHING = r"""
NULL null \N #N/A #n/v nan NaN NAN NA na N/A n/a N.A. none NONE undefined Undefined (blank) (null)
<null> [null] (none) (vide) (leer) (пусто) ---- - . ? ... ___ – * 0 12345 xxx #REF! #NAME? #VALUE!
#DIV/0! #NV #N/D [object|Object] NULL|NULL null|null None|None Unknown unbekannt Inconnu
keine|Angabe sin|nombre sans|nom no|name неизвестно لا|يوجد 未知 Anna|null Anna|NULL
undefined|Smith Li|#N/A
"""
TEMPLATES = r"""
*|FNAME|* *|FNAME:Friend|* Dear*|FNAME|* {{|first_name|}} {{contact.FIRSTNAME}} {{{name}}}
{{|subscriber.first_name|default:'friend'|}} {first_name} {$name} {0} {!Contact.FirstName} {%|if|%}
%%name%% %%First|Name%% %name% %FIRSTNAME% %recipient.first_name% %s %1$s %(name)s [firstname]
[FIRST|NAME] [firstname,fallback=friend] [[data:firstname]] [[name]] [Vorname] [PRENOM] [%name%]
<%=|name|%> ${name} #{name} $name$ $first_name #name# ##NAME## <<First|Name>> «Prénom» -name- ~name~
@@name@@ :name @name <first_name> (First|Name) *%FNAME%* !*NAME*! |FNAME| __NAME__
[Insert|Name|Here]
"""
# What stands in the list, and what is proposed.
DAMAGED = [
    ("M&uuml;ller", "Müller"),
    ("Ren&eacute;e", "Renée"),
    ("O&#39;Brien", "O'Brien"),
    ("Tom &amp; Anna", "Tom & Anna"),
    ("&#1040;&#1085;&#1085;&#1072;", "Анна"),
    ("&amp;Eacute;lise", "Élise"),
    ("MÃ¼ller", "Müller"),
    ("RenÃ©e", "Renée"),
    ("RenÃƒÂ©e", "Renée"),
    ("JOSÃ‰", "JOSÉ"),
    ("ZoÃ« Ã…ström", "Zoë Åström"),
    ("Oâ€™Brien", "O’Brien"),
    ("Ren√©e", "Renée"),
    ("Ren├⌐e", "Renée"),
    ("MĂĽller", "Müller"),
    ("РђРЅРЅР°", "Анна"),
    ("Ð˜Ð²Ð°Ð½", "Иван"),
    ("Ù†ÙˆØ±", "نور"),
    ("æž—", "林"),
    ("Å\x81ukasz", "Łukasz"),
    ("Ren%C3%A9e", "Renée"),
    (r"Ren\u00e9e", "Renée"),
    ("=?UTF-8?Q?Ren=C3=A9e?=", "Renée"),
    ("Ren\ufffde", ""),
    ("Ren?e", ""),
    ("&nbsp;", ""),
    ("<b>Anna</b>", ""),
    ("bob@example.net", ""),
]
NAMES = """
Null Nan Na Nil None Jennifer|Null Wei|Na Na|Na Brak Blank Anna A J. X A.B. Zoë Renée Иван Ніна Лі
Ві Сё Рё Єї نور 娜 나 未来 RENÉ’S Ó’Brien RÓŻA São TĂŞNAD Ðà Ðức Großmann Fußäbner O'Neil O’Neil
D'Arcy Jean-Pierre Bob|(Robert) Anna|"Nan"|Smith Tom|&|Anna Dr.|Anna Ñuñoa Çağla Łukasz Žižek
Ağaoğlu Şükrü Đặng|Văn|Bình ΑΝΝΑ Άννα ÅSA Þór Ægir ʻOkina Mª|José Søren Anna|2 Henry|VIII
Name Nome Dylan|[Dyl] @nna Ke$ha Йо Ґалаґан Ѓорѓи Ђорђе|Ђурић Љубомир Џон 김 नमस्ते ทดสอบ Віра|Вій Яна
ÉLODIE ÂNGELA ÃNGELA
"""


def cells(text: str) -> list[str]:
    """Words; “|” between letters and blanks is a space."""
    words = text.split()
    as_is = ("*|", "Dear*", "|FNAME")
    return [word if word.startswith(as_is) else word.replace("|", " ") for word in words]


@pytest.mark.parametrize("name", [*cells(NOTHING), *cells(TEMPLATES), "N/a ", "{{ first_name }}"])
def test_what_says_nothing_is_no_name(name: str) -> None:
    assert what_is_wrong(name.strip())


@pytest.mark.parametrize(
    "name",
    ["#¡REF!", "#¿NOMBRE?", "#ССЫЛКА!", "#Н/Д", "#WAARDE!", "#NAAM?", "#VERW!", "#ÜBERLAUF!", "#NB",
     "TBD", "FALSE", "[deleted]", "REDACTED", "Anonymous", "anonyme", "Anónimo", "Vorname",
     "Prénom", "first_name", "FNAME", "keine", "sin datos", "No consta", "S/D", "néant", "n.n.",
     "н/д", "-нет-", "无", "該当なし", "없음", "غير متوفر",
     "1.23E+11", "=A1", "=CONCATENATE(A1)", "NaT", "-inf",
     "http://x.example", "www.x.example"],
)  # fmt: skip
def test_a_spreadsheet_s_or_a_form_s_word_for_nothing_is_no_name(name: str) -> None:
    assert what_is_wrong(name)


@pytest.mark.parametrize(("name", "meant"), DAMAGED)
def test_a_damaged_name_is_no_name_and_what_it_was_is_proposed(name: str, meant: str) -> None:
    found = what_is_wrong(name)
    assert found
    assert f"“{meant}”" in found if meant else "“" not in found


@pytest.mark.parametrize("name", cells(NAMES))
def test_whoever_is_called_so_keeps_the_name(name: str) -> None:
    assert what_is_wrong(name) == ""


LETTERS = st.text(st.characters(min_codepoint=0xC0, max_codepoint=0x17F, categories=["Lu", "Ll"]),
                  min_size=1, max_size=8)  # fmt: skip


@given(LETTERS.map(lambda text: f"An{text.lower()}a"))
def test_whatever_utf_8_was_read_as_windows_1252_is_found(name: str) -> None:
    try:
        misread = name.encode().decode("cp1252")
    except UnicodeDecodeError:
        return
    assert name == name.encode().decode("utf-8")
    assert what_is_wrong(misread)


@given(st.text(max_size=60))
def test_any_text_is_judged_without_an_error(name: str) -> None:
    assert "\n" not in what_is_wrong(" ".join(name.split()))


def read(tmp_path: Path, text: str, *fields: str) -> Roster:
    path = tmp_path / "list.csv"
    path.write_text(text, encoding="utf-8")
    return read_roster(path, Audience(fields=list(fields)))


def test_a_warning_names_row_and_column_and_no_address(tmp_path: Path) -> None:
    text = "email,Full name\na@a.example,NULL\nb@a.example,c@secret.example\nd@a.example,Null\n"
    found = read(tmp_path, text)
    assert ["", "", "Null"] == [each.name for each in found.subscribers]
    said = [str(problem) for problem in found.warnings]
    assert ["row 2, column “Full name”: “NULL”", "row 3, column “Full name”: The value"] == [
        line.split(", ", 1)[1][: len(f"row 2, column “Full name”: {start}")]
        for line, start in zip(said, ("“NULL”", "The value"), strict=True)
    ]
    assert "secret" not in "".join(said)


def test_other_fields_lose_what_programs_write_for_nothing_alone(tmp_path: Path) -> None:
    text = "email,city,year\na@a.example,#N/A,2024\nb@a.example,Baja,-\nc@a.example,NA,*|YEAR|*\n"
    found = read(tmp_path, text, "city", "year")
    assert [
        {"city": "", "year": "2024"}, {"city": "Baja", "year": ""}, {"city": "NA", "year": ""}
    ] == [each.fields for each in found.subscribers]  # fmt: skip
    assert 3 == len(found.warnings)


@pytest.mark.parametrize(("rows", "names"), [(1, ["None", "Bob"]), (2, ["", "Bob", ""])])
def test_none_is_a_name_once_and_nothing_if_it_comes_again(
    tmp_path: Path, rows: int, names: list[str]
) -> None:
    text = "email,name\na@a.example,None\nb@a.example,Bob\n" + "c@a.example,None\n" * (rows - 1)
    found = read(tmp_path, text)
    assert names == [each.name for each in found.subscribers]
    assert rows == len(found.warnings)


def test_the_name_before_an_address_is_judged_too(tmp_path: Path) -> None:
    found = read(tmp_path, "email\nNULL <a@a.example>\nAnna <b@a.example>\n")
    assert ["", "Anna"] == [each.name for each in found.subscribers]


def test_nobody_is_greeted_with_a_cell_that_means_nothing(project: Project) -> None:
    rows = [r"NULL", r"\N", "#N/A", "nan", "----"]
    text = "".join(f"{name}@example.net,{cell}\n" for name, cell in zip("abcde", rows, strict=True))
    (project.folder / "subscribers.csv").write_text(f"email,name\n{text}f@example.net,Nan\n")
    checked = project.run("subscribers", "check")
    went_well(checked, "6 people to mail", *(f"row {n}, column “name”" for n in range(2, 7)))
    assert "example.net" not in checked.stdout
    sent = project.run("send", "2017-04", "--yes")
    went_well(sent, "5 things worth a look", "“NULL” means nothing")
    bodies = [mail.get_body(("plain",)) for mail in mails(project)]
    greetings = [re.findall(r"Dear \w+,", body.get_content())[0] for body in bodies if body]
    assert ["Dear Nan,", *["Dear friend,"] * 5] == sorted(greetings)


@pytest.mark.parametrize("name", ["\u3164", "\u2800\u2800", "\u115f", " \u200b\u3164 ", "\ufe0f"])
def test_a_name_that_nobody_sees_is_none(tmp_path: Path, name: str) -> None:
    path = tmp_path / "list.csv"
    path.write_text(f"email,name\na@a.example,{name}\n", "utf-8")
    assert [""] == [each.name for each in read_roster(path).subscribers]
