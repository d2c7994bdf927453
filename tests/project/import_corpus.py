"""Files that people really have, with the truth of each: who is in them, and what each row is.

Every file is made here, so nothing of anybody is in it. What one of them must become stands
beside it: rows = accepted + merged + suppressed + rejected, and of each reader the state, the name
and the language; or the refusal, word by word.
"""

import codecs
import io
import json
import random
import struct
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from newsletter.project.imports import ImportOptions
from newsletter.reader_states import ReaderState

from tests.project.moves import zipped
from tests.project.sheets import sheet, xlsx

Content = str | bytes | Callable[[], bytes]
Person = tuple[str, str, str]
"""State, name, language."""


@dataclass(frozen=True)
class Sound:
    """Files that can be imported.

    Attributes:
        files: by name.
        people: by address, or the part of it before ``@readers.example``.
        rows: of each file, “accepted merged suppressed rejected”.
        noted: words of what must be told.
        options: what the officer says about the files.
    """

    files: Mapping[str, Content]
    people: Mapping[str, Person]
    rows: tuple[str, ...]
    noted: tuple[str, ...] = ()
    options: ImportOptions = field(default_factory=ImportOptions)


@dataclass(frozen=True)
class Refused:
    """A file that cannot be imported, and the sentence that says so."""

    content: Content
    says: str
    name: str = "list.csv"


def on_list(name: str = "", language: str = "") -> Person:
    """A reader who may be mailed."""
    return ("in", name, language)


LEFT, SPAM, DEAD, WAIT, NEVER = (
    (state, "", "") for state in ("left", "spam", "dead", "wait", "never")
)
ANNA, BEN = "anna@readers.example", "ben@readers.example"
LIST = f"email,name\r\n{ANNA},Anna\r\n{BEN},Ben\r\n"
ROWS = f"{ANNA},Anna\r\n{BEN},Ben\r\n"
BOTH: dict[str, Person] = {"anna": on_list("Anna"), "ben": on_list("Ben")}
NAMELESS: dict[str, Person] = {"anna": on_list(), "ben": on_list()}


def one(
    content: Content,
    people: Mapping[str, Person] = BOTH,
    rows: str = "2 0 0 0",
    *noted: str,
    name: str = "list.csv",
    options: ImportOptions | None = None,
) -> Sound:
    """A single file."""
    return Sound({name: content}, people, (rows,), noted, options or ImportOptions())


def cell(address: str, people: Mapping[str, Person] | None = None, *noted: str) -> Sound:
    """An address as somebody wrote it, and Ben in the row below."""
    text = address.replace('"', '""')
    found = {"anna": on_list("Anna"), **BEN_ALONE} if people is None else people
    usable = "2 0 0 0" if len(found) == 2 else "1 0 0 1"
    return one(f'email,name\n"{text}",Anna\n{BEN},Ben\n', found, usable, *noted)


BEN_ALONE: dict[str, Person] = {"ben": on_list("Ben")}


def no_address(address: str) -> Sound:
    """A cell that holds no usable address: its row is rejected, and Ben's is not."""
    return cell(address, BEN_ALONE)


def in_encoding(encoding: str, names: str, *noted: str, mark: bytes = b"") -> Sound:
    """Readers of these names, in an encoding."""
    written = names.split("|")
    rows = [f"r{n}@readers.example,{name}\n" for n, name in enumerate(written)]
    people = {f"r{n}": on_list(name) for n, name in enumerate(written)}
    raw = mark + "".join(["email,name\n", *rows]).encode(encoding)
    return one(raw, people, f"{len(written)} 0 0 0", *noted)


ENCODINGS = {
    "UTF-8": in_encoding("utf-8", "Łukasz"),
    "UTF-8 with mark": in_encoding("utf-8-sig", "Жанна"),
    "UTF-16 LE with mark": in_encoding("utf-16-le", "Жанна", mark=codecs.BOM_UTF16_LE),
    "UTF-16 BE with mark": in_encoding("utf-16-be", "Жанна", mark=codecs.BOM_UTF16_BE),
    "UTF-16 LE": in_encoding("utf-16-le", "Anna Müller"),
    "UTF-16 BE": in_encoding("utf-16-be", "Anna Müller"),
    "UTF-32": in_encoding("utf-32", "Жанна"),
    "cp1252": in_encoding("cp1252", "Renée Müller", "read as Windows-1252, e.g. “Renée”"),
    "cp1252 of Word": in_encoding("cp1252", "Zoë O’Brien", "Windows-1252"),
    "Latin-1": in_encoding("latin-1", "José Peña|François Lefèvre", "e.g. “José”"),
    "ISO 8859-15": in_encoding("iso8859_15", "Œdipe Žižek", "read as ISO 8859-15"),
    "cp1250": in_encoding("cp1250", "Łukasz Żółć", "read as Windows-1250"),
    "cp1251": in_encoding("cp1251", "Екатерина Смирнова", "read as Windows-1251"),
    "KOI8-R": in_encoding("koi8_r", "Екатерина Смирнова", "read as KOI8-R"),
    "cp1253": in_encoding(
        "cp1253", "Γιώργος Παπαδόπουλος|Ελένη Δημητρίου|Κώστας Νικολάου", "read as Windows-1253"
    ),
    "cp1255": in_encoding("cp1255", "דוד לוי|שרה כהן|משה מזרחי|רחל פרץ", "read as Windows-1255"),
    "cp1256": in_encoding("cp1256", "فاطمة الزهراء", "read as Windows-1256"),
    "Mac Roman": in_encoding("mac_roman", "Renée Müller", "read as MAC-ROMAN"),
    "Shift-JIS": in_encoding("shift_jis", "山田太郎", "read as SHIFT-JIS"),
    "GB 18030": in_encoding("gb18030", "王小明|李雷|张伟", "read as GB18030"),
    "EUC-KR": in_encoding("euc_kr", "김영희|박철수", "read as EUC-KR"),
    "UTF-8 with one byte of another": one(
        LIST.encode()
        + b"cy@readers.example,Ren\xe9e\n"
        + "dana@readers.example,Žofia Králová\n".encode(),
        {**BOTH, "dana": on_list("Žofia Králová")},
        "3 0 0 1",
    ),
    "Latin-1 with a row of UTF-8": one(
        "".join(f"r{n}@readers.example,Renée\n" for n in range(4))
        .join(("email,name\n", ""))
        .encode("latin-1")
        + "r4@readers.example,Zoë\n".encode(),
        {**{f"r{n}": on_list("Renée") for n in range(4)}, "r4": on_list()},
        "5 0 0 0",
        "not UTF-8",
        "Names that look damaged, left out: 1",
    ),
    "letters lost long ago": one(
        LIST + "cy@readers.example,Ren\ufffde\ndan@readers.example,M?ller\n",
        {**BOTH, "cy": on_list(), "dan": on_list()},
        "4 0 0 0",
        "left out: 2",
    ),
    "NUL in a row": one(LIST + "cy@readers.example,C\0y\n", BOTH, "2 0 0 1"),
}

STRUCTURES = {
    "commas": one(LIST),
    "semicolons": one(LIST.replace(",", ";")),
    "tabs": one(LIST.replace(",", "\t"), name="list.tsv"),
    "bars": one(LIST.replace(",", "|")),
    "sep line": one("sep=;\r\n" + LIST.replace(",", ";")),
    "semicolons, commas in names": one(
        f"email;name\n{ANNA};Müller, Anna\n{BEN};Doe, Ben, Jr\n",
        {"anna": on_list("Müller, Anna"), "ben": on_list("Doe, Ben, Jr")},
    ),
    "doubled quotation marks": one(
        f'email,name\n{ANNA},"Anna ""Ann"" A"\n{BEN},"Ben"\n',
        {**BOTH, "anna": on_list('Anna "Ann" A')},
    ),
    "quotation marks behind a backslash": one(
        f'email,name\n{ANNA},"Anna \\"Ann\\" A"\n{BEN},Ben\n', BEN_ALONE, "1 0 0 1"
    ),
    "typographic quotation marks": one(
        f"email,name\n{ANNA},“Anna”\n{BEN},Ben\n", {**BOTH, "anna": on_list("“Anna”")}
    ),
    "all quoted": one(
        "".join(f'"{line.replace(",", chr(34) + "," + chr(34))}"\r\n' for line in LIST.splitlines())
    ),
    "newline in a cell": one(LIST.replace("Ben", '"Ben\nB"'), {**BOTH, "ben": on_list("Ben B")}),
    "CR only": one(LIST.replace("\r\n", "\r")),
    "CRLF and LF": one(LIST.replace("\r\n", "\n", 1)),
    "no last newline": one(LIST.rstrip()),
    "no last newline, quoted": one(LIST.rstrip().replace("Ben", '"Ben"')),
    "empty rows": one(LIST.replace("\r\n", "\r\n\r\n,\r\n")),
    "short rows": one("email,name,city,country\r\n" + ROWS),
    "long rows": one("email,name\r\n" + ROWS + "cy@readers.example,Smith, Cy\n", BOTH, "2 0 0 1"),
    "empty columns": one(LIST.replace("\r\n", ",,,\r\n")),
    "unquoted comma before the address": one(
        f"name,email\nAnna,{ANNA}\nBen,{BEN}\nSmith, Cy,cy@readers.example\n", BOTH, "2 0 0 1"
    ),
    "preamble": one("Export of 2024\r\n\r\n" + LIST),
    "preamble of many columns": one('Report,"by Anna, Ben",2024,,\n\n' + LIST),
    "total": one(LIST + "Total: 2,\r\n", BOTH, "2 0 0 1"),
    "footer": one(
        LIST + '\r\n"Confidential - do not distribute"\r\nCopyright (c) 2024 acme\r\n',
        BOTH,
        "2 0 0 2",
    ),
    "concatenated": one(LIST + LIST, BOTH, "2 2 0 1"),
    "words of the header in rows without an address": one(
        f"email,name,prefers\n,Cy,Email\n{ANNA},Anna,Email\nn/a,Cy,Email\n{BEN},Ben,Prefers\n",
        BOTH,
        "2 0 0 2",
    ),
    "header twice, in other letters": one(
        LIST + LIST.replace("email,name", "E-Mail,NAME"), BOTH, "2 2 0 1"
    ),
    "a header alone": one("email,name\r\n", {}, "0 0 0 0"),
    "no header": one(ROWS),
    "one column": one(f"email\r\n{ANNA}\r\n{BEN}\r\n", NAMELESS),
    "addresses alone": one(f"{ANNA}\r\n{BEN}\r\n", NAMELESS),
    "addresses alone, one blank": one(f"\n{ANNA}\n\n \n{BEN}", NAMELESS, name="list.txt"),
    "name and address": one(f"Anna <{ANNA}>\nBen <{BEN}>,\n", name="members.txt"),
    "Mailman 3's word for nobody": one(
        "news.lists.example has no members\n", {}, "0 0 0 0", name="members-bybounce.txt"
    ),
    "surname first": one(
        f'"Doe, Anna" <{ANNA}>\nDoe, Ben <{BEN}>;\n',
        {"anna": on_list("Doe, Anna"), "ben": on_list("Doe, Ben")},
        name="members.txt",
    ),
    "pasted from a mail, in one line": one(
        f'Anna <{ANNA}>, "Doe, Ben" <{BEN}>; cy@readers.example',
        {**BOTH, "ben": on_list("Doe, Ben"), "cy": on_list()},
        "3 0 0 0",
        name="pasted.txt",
    ),
    "a further column twice": one(f"email,note,name,note\n{ANNA},x,Anna,y\n{BEN},,Ben,z\n"),
    "column of addresses by another name": one(
        f"Kontakt,Who\n{ANNA},Anna\n{BEN},Ben\n", NAMELESS, options=ImportOptions(column="Kontakt")
    ),
    "a cell of 10 MB": one(
        lambda: f"email,name\n{ANNA},".encode() + b"a" * 10_000_000 + f"\n{BEN},Ben\n".encode(),
        BEN_ALONE,
        "1 0 0 1",
    ),
    "ZIP with folders": one(
        zipped({"a/b/list.csv": LIST, "a/x.md": "x", "__MACOSX/._x.csv": ""}), name="all.zip"
    ),
    "ZIP, stored": one(zipped({"list.tsv": LIST.replace(",", "\t")}), name="all.zip"),
    "ZIP named .csv": one(zipped({"list.csv": LIST})),
    "XLSX": one(
        xlsx({"Readers": sheet([["Email", "Name"], [ANNA, "Anna"], [BEN, "Ben"]])}),
        name="list.xlsx",
    ),
    "XLSX named .csv": one(xlsx({"A": sheet([["Email", "Name"], [ANNA, "Anna"], [BEN, "Ben"]])})),
    "CSV named .xls": one(LIST, name="list.xls"),
}

DOUBTED: dict[str, Person] = {"anna@gmial.com": on_list("Anna"), **BEN_ALONE}
VALUES = {
    "spaces": cell(f"  {ANNA} "),
    "no-break spaces": cell(f"\u00a0{ANNA}\u202f"),
    "zero-width spaces": cell(f"\u200b{ANNA}\u200b"),
    "mark inside": cell(f"\ufeff{ANNA}"),
    "direction marks": cell(f"\u202a{ANNA}\u202c"),
    "soft hyphen at the end": cell(f"{ANNA}\u00ad"),
    "soft hyphen inside": no_address("an\u00adna@readers.example"),
    "zero-width space inside": no_address("anna@\u200breaders.example"),
    "direction inside": no_address("anna@readers\u202e.example"),
    "full-width at": no_address("anna＠readers.example"),
    "mailto": cell(f"mailto:{ANNA}"),
    "angle brackets": cell(f"<{ANNA}>"),
    "name in the cell": one(
        f'email\n"Anna A <{ANNA}>"\n{BEN}\n', {"anna": on_list("Anna A"), "ben": on_list()}
    ),
    "trailing comma": cell(f"{ANNA},"),
    "trailing semicolon": cell(f"{ANNA};"),
    "trailing dot": no_address(f"{ANNA}."),
    "two by semicolon": no_address(f"{ANNA}; cy@readers.example"),
    "two by slash": no_address(f"{ANNA} / cy@readers.example"),
    "two by word": no_address(f"{ANNA} or cy@readers.example"),
    "two by line": no_address(f"{ANNA}\ncy@readers.example"),
    "two as Google writes them": cell(f"{ANNA} ::: cy@readers.example"),
    "(at)": no_address("anna(at)readers.example"),
    "space inside": no_address("an na@readers.example"),
    "no domain": no_address("anna@"),
    "no local part": no_address("@readers.example"),
    "one label": no_address("anna@localhost"),
    "two at signs": no_address("anna@@readers.example"),
    "20,000 letters": no_address("a" * 20_000),
    "NULL": no_address("NULL"),
    "#REF!": no_address("#REF!"),
    "#N/A": no_address("#N/A"),
    "a bent date": no_address("1-Mar"),
    "a long number": no_address("1.2E+11"),
    "a formula": no_address("=HYPERLINK(1)"),
    "a formula with a command": no_address("=cmd|' /C calc'!A0"),
    "upper case": cell(ANNA.upper()),
    "quoted local part": cell('"anna b"@readers.example', BEN_ALONE),
    "IDN": cell("anna@bücher.example", {"anna@bücher.example": on_list("Anna"), **BEN_ALONE}),
    "IDN twice": one(
        f"email,name\nanna@bücher.example,Anna\nanna@xn--bcher-kva.example,Other\n{BEN},Ben\n",
        {"anna@bücher.example": on_list("Anna"), **BEN_ALONE},
        "2 1 0 0",
    ),
    "SMTPUTF8": cell(
        "józef@readers.example", {"józef@readers.example": on_list("Anna"), **BEN_ALONE}
    ),
    "homoglyph": one(  # a Cyrillic а: another mailbox, and another reader
        f"email,name\n{ANNA},Anna\n\u0430nna@readers.example,Eve\n{BEN},Ben\n",
        {**BOTH, "\u0430nna@readers.example": on_list("Eve")},
        "3 0 0 0",
    ),
    "mistyped domains": one(
        "email\na@gmial.com\nb@gmial.com\nc@gmail.con\nd@hotmial.fr\ne@yaho.de\n",
        {
            each: on_list()
            for each in ("a@gmial.com", "b@gmial.com", "c@gmail.con", "d@hotmial.fr", "e@yaho.de")
        },
        "5 0 0 0",
        "gmial.com (2; gmail.com?)",
        "gmail.con (1; gmail.com?)",
        "hotmial.fr (1; hotmail.fr?)",
        "yaho.de (1; yahoo.de?)",
    ),
    "an office": cell(
        "info@readers.example", {"info": on_list("Anna"), **BEN_ALONE}, "1 of an office"
    ),
    "names that are none": one(
        f"email,name\n{ANNA},*|FNAME|*\n{BEN},#N/A\n",
        NAMELESS,
        "2 0 0 0",
        "that mean nothing, left out: 2",
    ),
    "a name that is a formula": one(
        f"email,name\n{ANNA},=cmd|' /C calc'!A0\n{BEN},Ben\n", {**BOTH, "anna": on_list()}
    ),
    "damaged once": one(
        f"email,name\n{ANNA},Anna MÃ¼ller\n{BEN},Ben\n",
        {**BOTH, "anna": on_list()},
        "2 0 0 0",
        "damaged",
    ),
    "damaged twice": one(
        "email,name\n"
        + f"{ANNA},Ren"
        + "é".encode().decode("cp1252").encode().decode("cp1252")
        + f"e\n{BEN},Ben\n",
        {**BOTH, "anna": on_list()},
        "2 0 0 0",
        "damaged",
    ),
    "languages": one(
        f"email,name,language\n{ANNA},Anna,fra\n{BEN},Ben,fr\ncy@readers.example,Cy,pt_BR\n"
        "dan@readers.example,Dan,?\n",
        {
            "anna": on_list("Anna", "fr"),
            "ben": on_list("Ben", "fr"),
            "cy": on_list("Cy", "pt-BR"),
            "dan": on_list("Dan"),
        },
        "4 0 0 0",
        "Languages that are not known, left out: 1",
    ),
    "flags in ten languages": one(
        "email,unsubscribed\n"
        + "".join(
            f"r{n}@readers.example,{word}\n"
            for n, word in enumerate(
                [
                    "yes",
                    "oui",
                    "sí",
                    "ja",
                    "نعم",
                    "TRUE",
                    "1",
                    "x",
                    "tak",
                    "да",
                    "no",
                    "non",
                    "nein",
                    "لا",
                    "FALSE",
                    "0",
                    "",
                    "nie",
                    "нет",
                ]
            )
        ),
        {**{f"r{n}": LEFT for n in range(10)}, **{f"r{n}": on_list() for n in range(10, 19)}},
        "9 0 10 0",
    ),
}


CARDS = (
    f"BEGIN:VCARD\r\nVERSION:3.0\r\nFN:Anna Mü\r\n ller\r\nN:Müller;Anna;;;\r\n"
    f"item1.EMAIL;type=INTERNET;type=HOME:anna2@readers.example\r\n"
    f"EMAIL;TYPE=INTERNET,PREF:{ANNA}\r\nPHOTO;ENCODING=b:{'QUJD' * 5000}\r\n"
    "CATEGORIES:Press,Brussels\r\nEND:VCARD\r\n"
    f"BEGIN:VCARD\r\nVERSION:4.0\r\nN:Doe;Ben;;;\r\nLANG;PREF=2:en\r\nLANG;PREF=1:fr\r\n"
    f'EMAIL;PREF=2:b@readers.example\r\nEMAIL;PREF=1;X="a:b":{BEN}\r\nEND:VCARD\r\n'
    "BEGIN:VCARD\r\nVERSION:2.1\r\nN;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:Kr=C3=A1lov=C3=A1=\r\n"
    ";C;;\r\nAGENT:\r\nBEGIN:VCARD\r\nEMAIL:agent@readers.example\r\nEND:VCARD\r\n"
    "EMAIL;INTERNET:cy@readers.example\r\nEND:VCARD\r\n"
    "BEGIN:VCARD\r\nFN:Nobody\\, with no mail\r\nEND:VCARD\r\n"
)
CONTACTS: dict[str, Sound] = {
    "vCards of three versions": one(
        CARDS,
        {
            "anna": on_list("Anna Müller"),
            "ben": on_list("Ben Doe", "fr"),
            "cy": on_list("C Králová"),
        },
        "3 0 0 1",
        name="contacts.vcf",
    ),
    "a vCard cut off": one(CARDS[: CARDS.index("CATEGORIES")], {}, "0 0 0 1", name="contacts.vcf"),
    "vCards in a ZIP": one(
        zipped({"a/contacts.vcf": CARDS.replace("\r\n", "\n")}),
        {
            "anna": on_list("Anna Müller"),
            "ben": on_list("Ben Doe", "fr"),
            "cy": on_list("C Králová"),
        },
        "3 0 0 1",
        name="contacts.zip",
    ),
    "damaged, and a person who said yes": one(
        f"email,name,city\n{ANNA},Anna MÃ¼ller,MÃ¼nchen\n{BEN},Ben,\n",
        {"anna": on_list("Anna Müller"), **BEN_ALONE},
        "2 0 0 0",
        "Damaged names and values, taken for what they seem to have been: 1",
        options=ImportOptions(mend=True),
    ),
}


def third_unsubscribed() -> Sound:
    rows, people = [], {}
    for number in range(90):
        left = number % 3 == 1
        rows.append(
            f"r{number}@readers.example,R{number} Reader,{'Abonné' if not left else 'Désabonné'}"
        )
        people[f"r{number}"] = LEFT if left else on_list(f"R{number} Reader")
    return one(
        "Adresse e-mail;Nom;Statut\n".replace(";", ",") + "\n".join(rows), people, "60 0 30 0"
    )


PEOPLE = {
    "a third of the list unsubscribed": third_unsubscribed(),
    "letters of another size": one(
        f"email,name\n{ANNA.title()},Anna\n{ANNA},Other\n{BEN},Ben\n", BOTH, "2 1 0 0"
    ),
    "the first name counts": one(
        f"email,name,language\n{ANNA},,\n{ANNA},Anna,fr\n{ANNA},Ann,en\n{BEN},Ben,\n",
        {"anna": on_list("Anna", "fr"), "ben": on_list("Ben")},
        "2 2 0 0",
    ),
    "left in one row": one(
        f"email,name,unsubscribed\n{ANNA},Anna,\n{ANNA},Anna,yes\n{BEN},Ben,\n",
        {"anna": LEFT, **BEN_ALONE},
        "1 1 1 0",
    ),
    "left in one file": Sound(
        {"a.csv": LIST, "unsubscribed.csv": f"email\n{ANNA.upper()}\ncy@readers.example\n"},
        {"anna": LEFT, **BEN_ALONE, "cy": LEFT},
        ("1 0 1 0", "0 1 1 0"),
    ),
    "opposite states, the other order": Sound(
        {"unsubscribed.csv": f"email\n{ANNA}\n", "a.csv": LIST},
        {"anna": LEFT, **BEN_ALONE},
        ("0 0 1 0", "1 1 0 0"),
    ),
    "all six states of one address book": one(
        "email,name,status\na@readers.example,A A,active\nb@readers.example,B B,unsubscribed\n"
        "c@readers.example,C C,bounced\nd@readers.example,D D,spam complaint\n"
        "e@readers.example,E E,pending\n",
        {"a": on_list("A A"), "b": LEFT, "c": DEAD, "d": SPAM, "e": WAIT},
        "1 0 4 0",
    ),
    "one of each, in files that the officer names": Sound(
        {"1.csv": f"email\n{ANNA}\n", "2.csv": f"email\n{BEN}\n", "3.csv": f"email\n{ANNA}\n"},
        {"anna": SPAM, "ben": NEVER},
        ("0 0 1 0", "0 0 1 0", "0 1 0 0"),
        options=ImportOptions(state={"1.csv": ReaderState.SPAM, "2.csv": ReaderState.NEVER}),
    ),
    "who left by a row of a wrong shape": Sound(
        {
            "a.csv": f"email,name,status\n{BEN},Lind, Ben,Unsubscribed\n{ANNA},Anna,Active\n",
            "b.csv": LIST,
        },
        {"anna": on_list("Anna"), "ben": LEFT},
        ("1 0 1 0", "0 2 0 0"),
    ),
    "who left by addresses written oddly": Sound(
        {
            "unsubscribed.csv": f"email\nmailto:{ANNA}?subject=leave\nben(at)readers.example.\n",
            "b.csv": LIST,
        },
        {"anna": LEFT, "ben": LEFT},
        ("0 0 2 0", "0 2 0 0"),
    ),
    "several who left in a cell": Sound(
        {"unsubscribed.csv": f"email\n{ANNA}; {BEN}\n", "b.csv": LIST},
        {"anna": LEFT, "ben": LEFT},
        ("0 0 2 0", "0 2 0 0"),
    ),
    "several who left in a cell of Google": Sound(
        {"unsubscribed.csv": f"email\n{ANNA} ::: {BEN}\n", "b.csv": LIST},
        {"anna": LEFT, "ben": LEFT},
        ("0 0 2 0", "0 2 0 0"),
    ),
    "the same file twice": Sound({"a.csv": LIST, "b.csv": LIST}, BOTH, ("2 0 0 0", "0 2 0 0")),
    "in a file of those who left, whatever else it says": one(
        "Email Address,First Name,CONFIRM_TIME,UNSUB_TIME,LEID,EUID\n"
        f"{ANNA},Anna,2020-01-01 10:00:00,2019-01-01 10:00:00,1,a\n"
        f"{BEN},Ben,2019-01-01 10:00:00,,2,b\n",
        {"anna": LEFT, "ben": LEFT},
        "0 0 2 0",
        name="unsubscribed_x.csv",
    ),
}


def sheet_beyond_the_limit() -> bytes:
    """A few bytes that span more than Excel's last row: its cells are in far corners."""
    far = '<row r="1048576"><c r="Z1048576"><v>1</v></c></row></sheetData>'
    rows = sheet([["Email"], [ANNA]]).replace("</sheetData>", far)
    return xlsx({"Readers": rows})


def changed(raw: bytes, mark: bytes, offset: int, new: bytes) -> bytes:
    place = raw.index(mark) + offset
    return raw[:place] + new + raw[place + len(new) :]


def encrypted() -> bytes:
    raw = zipped({"secret.csv": LIST})
    return changed(changed(raw, b"PK\3\4", 6, b"\1"), b"PK\1\2", 8, b"\1")


def by_another_method() -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_BZIP2) as archive:
        archive.writestr("list.csv", LIST)
    return packed.getvalue()


def nested() -> bytes:
    """A bomb of the old kind: each layer holds the next one ten times."""
    layer = zipped({"0.csv": "a" * 900_000})
    for _ in range(3):
        layer = zipped({f"{n}.zip": layer for n in range(10)})
    return layer


NOT_A_LIST = (
    "This is a web page or data for programs (JSON, XML), not a list: maybe an error that was "
    "saved in place of the export."
)
REFUSED = {
    "web page": Refused("<!DOCTYPE html><html><body>502 Bad Gateway</body></html>", NOT_A_LIST),
    "web page, late": Refused("\r\n\r\n  <HTML lang=en>", NOT_A_LIST),
    "table of a web page named .xls": Refused(
        f"<table><tr><td>Email</td></tr><tr><td>{ANNA}</td></tr></table>", NOT_A_LIST, "list.xls"
    ),
    "JSON error": Refused(json.dumps({"error": "rate limited"}), NOT_A_LIST),
    "JSON list": Refused(json.dumps([{"email": ANNA}]), NOT_A_LIST),
    "XML": Refused('<?xml version="1.0"?><Error/>', NOT_A_LIST),
    "empty": Refused("", "The file is empty."),
    "white space": Refused(" \r\n\t\r\n", "The file is empty."),
    "name of spaces": Refused(f"a{' ' * 18_000}b <c", "Nobody can tell which column"),
    "one word of 20,000 letters": Refused("a" * 20_000, "Nobody can tell which column"),
    "NULs alone": Refused(b"\0" * 5000, "The file is empty."),
    "joined, columns moved": Refused(
        LIST + "name,email\r\nCy,cy@readers.example\r\n",
        "Row 4 names other columns than the header: “name”, “email”.",
    ),
    "joined, with a status": Refused(
        LIST + "email,name,status\r\ncy@readers.example,Cy,unsubscribed\r\n",
        "Row 4 names other columns than the header: “email”, “name”, “status”.",
    ),
    "a picture": Refused(
        b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 20, "Nobody can tell which column"
    ),
    "a PDF": Refused(
        b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n<< /Type /Catalog >>\n", "Nobody can tell"
    ),
    "random": Refused(lambda: random.Random(7).randbytes(5000), ""),
    "UTF-16, cut": Refused(codecs.BOM_UTF16_LE + b"\x00", "Nobody can tell"),
    "open quotation mark": Refused(
        f'email,name\n"{ANNA},Anna\n{BEN},B\n',
        "A quotation mark opens a cell here and is never closed.",
    ),
    "no address": Refused(
        "who,what\nAnna,x\n",
        "Nobody can tell which column holds the addresses; the first row is: “who”, “what”.",
    ),
    "two columns of addresses": Refused(
        f"Email,E-mail\n{ANNA},{BEN}\n", "The list's header cannot be used."
    ),
    "three columns without a header": Refused(
        f"1,{ANNA},Anna\n2,{BEN},Ben\n", "Nobody can tell which column holds the addresses"
    ),
    "too many columns": Refused(
        "email," * 1_500 + "x\na@a.example\n",
        "The list's header names 1,501 columns; 1,000 are the most.",
    ),
    "a note that says no": Refused(
        f"email,Notes\n{ANNA},Called in May: please unsubscribe\n{BEN},\n",
        "The file may say that some rows must not be mailed, so it was not imported.",
    ),
    "a card whose second note says no": Refused(
        f"BEGIN:VCARD\r\nVERSION:3.0\r\nFN:Anna\r\nEMAIL:{ANNA}\r\nNOTE:Met in Vienna\r\n"
        "NOTE:Please unsub\r\n scribe\r\nEND:VCARD\r\n",
        "The file may say that some rows must not be mailed, so it was not imported.",
    ),
    "a status that may be either": Refused(
        f"email,status\n{ANNA},Gold\n",
        "The file may say that some rows must not be mailed, so it was not imported.",
    ),
    "bomb": Refused(
        lambda: zipped({"bomb.csv": "a" * 20_000_000}),
        "The ZIP was not unpacked: “bomb.csv” unpacks to 20,000,000 bytes",
        "all.zip",
    ),
    "a ZIP with a ZIP": Refused(
        lambda: zipped({"list.csv": LIST, "more.zip": zipped({"a.csv": LIST})}),
        "“more.zip” in the ZIP cannot be read there",
        "all.zip",
    ),
    "leavers that are no list in a ZIP": Refused(
        lambda: zipped({"list.csv": LIST, "unsubscribed.html": BEN}),
        "“unsubscribed.html” in the ZIP cannot be read there",
        "all.zip",
    ),
    "a title above the columns": Refused(
        f"Unsubscribed members\n\n{LIST}", "Above the columns stands “Unsubscribed members”"
    ),
    "a title between the rows": Refused(
        f"email,name\n{ANNA},Anna\n,Unsubscribed\n{BEN},Ben\n", "Row 3 is a title, “Unsubscribed”"
    ),
    "a title in a pasted list": Refused(
        f"Anna <{ANNA}>\n# Unsubscribed\nBen <{BEN}>\n", "Row 2 is a title", "list.txt"
    ),
    "rows above the columns": Refused(
        f"{ANNA},Anna\nemail,name\n{BEN},Ben\n", "An address stands above the row"
    ),
    "nested bomb": Refused(nested, "The ZIP holds no list.", "all.zip"),
    "encrypted": Refused(encrypted, "“secret.csv” in the ZIP is encrypted.", "all.zip"),
    "many files": Refused(
        lambda: zipped({f"{n}.csv": "" for n in range(1_001)}),
        "The ZIP was not unpacked: it holds 1,001 files",
        "all.zip",
    ),
    "huge by its own word": Refused(
        changed(zipped({"list.csv": LIST}), b"PK\1\2", 24, struct.pack("<I", 3_000_000_000)),
        "The ZIP was not unpacked: it unpacks to more than 1 GB.",
        "all.zip",
    ),
    "wrong checksum": Refused(
        changed(zipped({"list.csv": LIST}), b"PK\1\2", 16, b"\0\1\2\3"),
        "“list.csv” in the ZIP is damaged: ",
        "all.zip",
    ),
    "by another method": Refused(
        by_another_method,
        "The ZIP was not unpacked: “list.csv” is packed by a method other than deflate.",
        "all.zip",
    ),
    "cut ZIP": Refused(zipped({"list.csv": LIST})[:60], "The ZIP cannot be read: ", "all.zip"),
    "ZIP without a list": Refused(zipped({"photo.jpg": "x"}), "The ZIP holds no list.", "all.zip"),
    "ZIP of a Numbers document": Refused(
        zipped({"Index/Document.iwa": "x", "preview.jpg": "x"}),
        "The file is a Numbers document, which only Numbers can read.",
        "list.numbers",
    ),
    "a sheet of a million rows": Refused(
        sheet_beyond_the_limit,
        "The spreadsheet file cannot be read: a sheet spans 1,048,576 rows and 26 columns.",
        "list.xlsx",
    ),
    "XLSX without an address": Refused(
        xlsx({"A": sheet([["Email"], ["nobody"]])}),
        "The spreadsheet file cannot be read: no sheet of it holds an address.",
        "list.xlsx",
    ),
    "old Excel, damaged": Refused(
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600,
        "The spreadsheet file cannot be read: ",
        "list.xls",
    ),
}

SOUND = {**ENCODINGS, **STRUCTURES, **VALUES, **CONTACTS, **PEOPLE}
