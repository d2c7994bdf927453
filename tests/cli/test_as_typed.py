"""What an editor typed reaches the reader, or the program says what is lost and where."""

import json
from pathlib import Path

import pytest
from babel import Locale
from babel.localedata import locale_identifiers
from newsletter.model import direction
from newsletter.web_addresses import find_addresses

from tests.cli.support import mails, outbox, part, went_well
from tests.support.browser import chromium
from tests.support.project import Project

HEAD = """\
title: November 2026
date: 2026-11-29
language: en
subject: News from defenders
preheader: A year of safety in Hamburg, and what Veracruz fears most of all
stories:
  - id: first
    headline: A headline
"""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path / "project", readers=1)


def written(project: Project, story: str, *, after: str = "") -> None:
    (project.folder / "issues" / "2026-11.yaml").write_text(f"{HEAD}{story}{after}", "utf-8")


def blurb(project: Project, text: str) -> None:
    body = "\n".join(f"      {line}" if line else "" for line in text.split("\n"))
    written(project, f"    blurb: |-\n{body}\n")


def parts(project: Project) -> tuple[str, str]:
    """The HTML and the text that are sent."""
    done = project.run("send", "2026-11", "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    (message,) = mails(project)
    return part(message, "html"), part(message, "plain")


def findings(project: Project) -> list[str]:
    done = project.run("check", "2026-11", "--format", "json")
    return [each["id"] for each in json.loads(done.stdout)["findings"]]


@pytest.mark.parametrize(
    "typed",
    ["(c)", "(C)", "(r)", "(R)", "(tm)", "+-5", "(p)", "????", "!!!!", ",,", "a .. b", "--all"],
)
def test_only_quotation_marks_dashes_and_ellipses_are_set(project: Project, typed: str) -> None:
    blurb(project, f"Three ways: {typed} of the Covenant.")
    for text in parts(project):
        assert typed in text


def test_dashes_and_ellipses_are_set(project: Project) -> None:
    blurb(project, "One -- two--three---four, and so on...")
    for text in parts(project):
        assert "One – two–three—four, and so on…" in text


@pytest.mark.parametrize(
    ("text", "lost", "place"),
    [
        ("    blurb: Text.\n    highlight: We are #1 in the court\n", "#1 in the court", "10:23"),
        ("    blurb: Text.\n    kicker: #StandWithAna\n", "#StandWithAna", "10:13"),
        ("    blurb: We marched\n      #NiUnaMenos\n", "#NiUnaMenos", "10:7"),
        ("    blurb: We marched #Ni\n      home\n", "#Ni", "9:23"),
        ("    blurb: >-  #Tag\n      Text.\n", "#Tag", "9:16"),
        ("    blurb: T\n    links: [{label: No #2, url: 'https://a.example'}]\n", "#2", "10:24"),
        ("    blurb: T\n    links:\n      - label: Report #2\n        url: https://a.example\n",
         "#2", "11:23"),
        ("    blurb: متن #افغانستان\n", "#افغانستان", "9:16"),
        ("    blurb: Our # 1 priority\n", "# 1 priority", "9:16"),
        ("    blurb: Written in C #\n", "#", "9:25"),
        ("    blurb: What is a #?\n", "#?", "9:22"),
        ('    blurb: We say #"enough"\n', '#"enough"', "9:19"),
        ("    blurb: We say #(enough)\n", "#(enough)", "9:19"),
        ("    blurb: Text. #!now\n", "#!now", "9:18"),
        ("    blurb: Of grade #-1\n", "#-1", "9:21"),
        ("    blurb: &Partners win in court\n", "&Partners", "9:12"),
    ],
)  # fmt: skip
def test_words_that_yaml_takes_for_a_comment_are_told(
    project: Project, text: str, lost: str, place: str
) -> None:
    written(project, text)
    done = project.run("check", "2026-11")
    assert done.returncode == 2
    assert f"2026-11.yaml:{place}" in done.stderr
    assert f"“{lost}" in done.stderr


@pytest.mark.parametrize(
    "text",
    [
        "    # a comment\n    blurb: Text. # a comment\n",
        "    blurb: Text.\n    #kicker: Word\n",
        "    blurb: |- # a comment\n      Text #tag\n\n      #tag\n    #tag\n",
        '    blurb: "Text." #todo\n',
        "    blurb: a#b\n",
        "    blurb: Text. #--- end\n",
        "    blurb: Text. ## end\n",
        "    blurb: Text.\n    links:\n      - label: x\n        url: https://a.example/ #todo\n",
    ],
)
def test_real_comments_are_none_of_the_programs_business(project: Project, text: str) -> None:
    written(project, text)
    done = project.run("check", "2026-11")
    assert "is lost" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    "char", ["\u00a0", "\u200b", "\ufeff", "\u00ad", "\u202e", "\u2003", "\u2060", "\u3164"]
)
@pytest.mark.parametrize(
    ("line", "column"),
    [("{}kicker: Word", 5), ("kic{}ker: Word", 8), ("kicker{}: Word", 11), ("kicker:{}Word", 12)],
)
def test_invisible_characters_in_keys_are_named(
    project: Project, char: str, line: str, column: int
) -> None:
    written(project, f"    blurb: Text.\n    {line.format(char)}\n")
    done = project.run("check", "2026-11")
    assert f"2026-11.yaml:10:{column}" in done.stderr
    assert f"U+{ord(char):04X} (" in done.stderr


@pytest.mark.parametrize("line", ["kic{}ker = 1", "{}kicker = 1", "kicker ={}1", '"a{}b" = 1'])
def test_invisible_characters_in_settings_are_named(project: Project, line: str) -> None:
    settings = project.folder / "newsletter.toml"
    old = settings.read_text("utf-8").split("\n")
    settings.write_text("\n".join([line.format("\u00a0"), *old]), "utf-8")
    blurb(project, "Text.")
    done = project.run("check", "2026-11")
    assert "newsletter.toml:1:" in done.stderr
    assert "U+00A0 (no-break space)" in done.stderr


@pytest.mark.parametrize("file", ["theme.toml", "words/en.toml"])
@pytest.mark.parametrize(
    "line", ["x{}y = 'z'", "{}x = 'z'", "x ={}'z'", "'x{}' = 'z'"], ids=["in", "at", "=", "quoted"]
)
@pytest.mark.parametrize("char", ["\u00a0", "\u200b"])
def test_invisible_characters_in_keys_of_a_theme_are_named(
    project: Project, file: str, line: str, char: str
) -> None:
    path = project.folder / "templates" / "default" / file
    path.write_text(f"{line.format(char)}\n{path.read_text('utf-8')}", "utf-8")
    blurb(project, "Text.")
    done = project.run("check", "2026-11")
    assert f"{file}:1:" in done.stderr
    assert f"U+{ord(char):04X} (" in done.stderr


@pytest.mark.parametrize(
    ("typed", "shown"),
    [
        ("https://example.org/a`code`", "https://example.org/a code"),
        ("`code`https://example.org/a", "code https://example.org/a"),
        ("<https://example.org/a>`code`", "https://example.org/a code"),
        ("info@example.org`code`.", "info@example.org code."),
        ("www.example.org`x`", "www.example.org x"),
        ("[a](https://example.org/x)`code`", "a\u00a0[1] code"),
        ("un[believable](https://example.org/x)ly", "unbelievable\u00a0[1]ly"),
    ],
)
def test_code_or_a_word_right_beside_a_link_is_no_part_of_it(
    project: Project, typed: str, shown: str
) -> None:
    blurb(project, f"Words {typed}")
    assert findings(project) == []
    assert f"Words {shown}" in parts(project)[1]


@pytest.mark.parametrize(
    ("typed", "href"),
    [
        ("at https://example.org/report for", "https://example.org/report"),
        ("(see https://example.org/a_(b)).", "https://example.org/a_(b)"),
        ("https://example.org/_a_b/c, and", "https://example.org/_a_b/c"),
        (r"https://example.org/a\_b", "https://example.org/a_b"),
        ("www.example.org!", "https://www.example.org"),
        ("write to info@example.org.", "mailto:info@example.org"),
        ("write to info@münchen.example.", "mailto:info@xn--mnchen-3ya.example"),
        ("https://münchen.example/ü;", "https://xn--mnchen-3ya.example/%C3%BC"),
        ("看https://example.org/x。谢谢", "https://example.org/x"),
        ("**https://example.org/x**", "https://example.org/x"),
        ("<https://münchen.example/d>", "https://xn--mnchen-3ya.example/d"),
        ("[a](https://MÜNCHEN.example/)", "https://xn--mnchen-3ya.example/"),
        ("[a](https://münchen.example/)", "https://xn--mnchen-3ya.example/"),
        ("[münchen.example](https://münchen.example/)", "https://xn--mnchen-3ya.example/"),
        ("[xn--mnchen-3ya.example](https://MÜNCHEN.example/)", "https://xn--mnchen-3ya.example/"),
    ],
)
def test_addresses_lead_where_they_were_typed_to(project: Project, typed: str, href: str) -> None:
    blurb(project, f"Words {typed} more.")
    assert findings(project) == []
    assert f'href="{href}"' in parts(project)[0]


@pytest.mark.parametrize("text", ["`https://example.org/x`", "    https://example.org/x", "a@b"])
def test_an_address_in_code_is_no_link_and_no_fault(project: Project, text: str) -> None:
    blurb(project, f"Words.\n\n{text}")
    assert findings(project) == []


def test_an_address_in_a_line_is_no_link_and_no_fault(project: Project) -> None:
    written(
        project,
        "    blurb: Text.\n    highlight: See https://example.org/x or me@example.org\n"
        "    source: www.example.org\n",
    )
    assert findings(project) == []


def test_long_code_stays_within_the_mail(project: Project) -> None:
    word = "averylongname" * 9
    blurb(project, f"`{word}`\n\n```\nnewsletter test --to {word} {'--all ' * 20}\n```")
    html, text = parts(project)
    own = [line for line in text.splitlines() if word not in line and "://" not in line]
    assert max(map(len, own)) <= 72
    with chromium() as browser:
        page = browser.new_page()
        page.set_content(html)
        for width in (320, 375):
            page.set_viewport_size({"width": width, "height": 800})
            assert page.evaluate("document.documentElement.scrollWidth") == width


@pytest.mark.parametrize("tag", [
    "prs", "fa-AF", "ps", "ur", "ckb", "az-Arab", "pa-Arab", "pa-PK", "ks", "sd", "ug", "yi", "dv",
    "he", "iw", "uz-Arab", "ku-Arab", "arz", "apc", "ary", "pbu", "heb", "ff-Adlm", "nqo", "ar-arz",
])  # fmt: skip
def test_a_story_runs_as_its_script_does(project: Project, tag: str) -> None:
    story = f"  - id: second\n    language: {tag}\n    headline: نامه\n    blurb: متن کوتاه.\n"
    written(project, "    blurb: Text.\n", after=story)
    html, _ = parts(project)
    assert f'lang="{tag}" dir="rtl"' in html


@pytest.mark.parametrize("tag", ["ku", "uz", "ur-Latn", "pa", "az", "sd-Deva", "ks-Deva", "ha"])
def test_a_language_in_another_script_runs_the_other_way(tag: str) -> None:
    assert direction(tag) == "ltr"


def test_every_locale_runs_as_cldr_says() -> None:
    """Of the layout in CLDR, not of its likely scripts; Mongolian's runs downwards."""
    wrong = [
        name
        for name in locale_identifiers()
        if direction(name.replace("_", "-")) != Locale.parse(name).text_direction
    ]
    assert [name for name in wrong if not name.startswith("mn_Mong")] == []


@pytest.mark.parametrize(
    "text",
    [
        "From here on",
        "x\n\nFrom here",
        "x " * 34 + "From here on",
        "```\nFrom here\n```",
        "- a\n- From",
    ],
)
def test_no_line_of_the_mail_starts_with_from(project: Project, text: str) -> None:
    blurb(project, text + "\n\n" + "From mother to From child. " * 40)
    parts(project)
    (path,) = outbox(project)
    assert not [line for line in path.read_bytes().split(b"\n") if line.startswith(b"From ")]


def test_the_mail_of_a_reader_called_from(project: Project) -> None:
    blurb(project, "Text.")
    list_ = project.folder / "subscribers.csv"
    list_.write_text("email,name\na@readers.example,From Here\n", "utf-8")
    issue = project.folder / "issues" / "2026-11.yaml"
    issue.write_text(issue.read_text("utf-8").replace(
        "stories:", 'greeting: "{{ name | friend }}"\nstories:'
    ), "utf-8")  # fmt: skip
    went_well(project.run("send", "2026-11", "--yes"))
    (path,) = outbox(project)
    assert b"=46rom Here" in path.read_bytes()
    assert b"\nFrom Here" not in path.read_bytes()


@pytest.mark.parametrize("char", ["\u200b", "\u00ad", "\u2060", "\ufeff", "\u200e"])
@pytest.mark.parametrize(
    "text",
    [
        "    blurb: See https://exa{}mple.org/report now.\n",
        "    blurb: See https://example.org/re{}port now.\n",
        "    blurb: See <https://example.org/re{}port>.\n",
        "    blurb: See [this](https://example.org/re{}port).\n",
        "    blurb: T\n    links:\n      - label: R\n        url: https://example.org/re{}port\n",
    ],
)
def test_an_invisible_character_in_an_address_is_named(
    project: Project, text: str, char: str
) -> None:
    written(project, text.format(char))
    done = project.run("check", "2026-11")
    assert done.returncode == 2
    assert f"U+{ord(char):04X} (" in done.stderr


@pytest.mark.parametrize(
    "typed",
    [
        "https://fa.example/نامه\u200cای",
        "https://example.org/a\u200b",
        "https://example.org/a\u200bภาษา",
        "https://example.org/a\u2060, and more",
    ],
)
def test_a_joiner_or_a_break_beside_an_address_is_sound(project: Project, typed: str) -> None:
    blurb(project, f"Words {typed}")
    assert findings(project) == []


@pytest.mark.parametrize(
    "typed",
    [
        "xn--mnchen-3ya.example",
        "[xn--mnchen-3ya.example](https://münchen.example/)",
        "XN--MNCHEN-3YA.example",
    ],
)
def test_an_a_label_keeps_its_hyphens(project: Project, typed: str) -> None:
    blurb(project, f"See {typed} now")
    assert findings(project) == []
    for text in parts(project):
        assert "xn--mnchen-3ya.example" in text.lower()
        assert "xn–" not in text.lower()


@pytest.mark.parametrize(
    ("typed", "leads_to"),
    [
        ("anna.o'neil@example.org", ["mailto:anna.o'neil@example.org"]),
        ("O'Neil@example.org", ["mailto:O'Neil@example.org"]),
        ("d'anna@example.org", []),
        ("a&b@example.org", []),
        ("a=b@example.org", []),
        ("a!b@example.org", []),
        ("'anna@example.org'", ["mailto:anna@example.org"]),
        ("https://a.example/x,https://b.example/y", ["https://a.example/x", "https://b.example/y"]),
        ("https://a.example/x;http://b.example/y", ["https://a.example/x", "http://b.example/y"]),
        ("https://a.example/w/https://b.example/y", ["https://a.example/w/https://b.example/y"]),
    ],
)
def test_an_address_leads_to_all_of_what_was_typed_or_nowhere(
    typed: str, leads_to: list[str]
) -> None:
    assert leads_to == [found.url for found in find_addresses(f"Write {typed} now")]
