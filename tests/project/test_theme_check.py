"""``newsletter theme check``: each promise that a theme can break is told with file and line."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from newsletter.checks.finding import Finding
from newsletter.checks.promises import PROMISES
from newsletter.project.theme_check import check_theme
from newsletter.project.theme_samples import samples
from newsletter.theme_files import load_theme

from tests.render.test_themes import own_theme
from tests.render.themes import THEMES
from tests.support.inside import run_inside
from tests.support.tools import ROOT

DEFAULT = ROOT / "templates" / "default"
BASE = f'name = "Ours"\nbase = "{DEFAULT}"\n'
FOOTER = "partials/footer.mjml.j2"


@pytest.mark.parametrize("name", THEMES)
def test_the_themes_of_the_program_keep_their_promises(name: str) -> None:
    tried, found = check_theme(ROOT / "templates" / name)
    assert () == found
    assert {"every part, en", "every part, ar"} <= set(tried)
    languages = {issue.language for issue in samples(THEMES[name]).values()}
    assert THEMES[name].words.keys() == languages


def added(name: str, text: str, *, before: str = "") -> str:
    """A file of the default theme with a text at its end, or before a piece of it."""
    whole = (DEFAULT / name).read_text(encoding="utf-8")
    if not before:
        return whole + text
    assert before in whole
    return whole.replace(before, text + before, 1)


def section(markup: str) -> str:
    return (
        '<mj-section background-color="#ffffff"><mj-column><mj-text color="#000000">\n'
        f"{markup}</mj-text></mj-column></mj-section>\n"
    )


def test_each_broken_promise_names_the_line_that_breaks_it(tmp_path: Path) -> None:
    """One theme with a fault of each kind: making the mails is what takes time."""
    footer = "".join(
        map(
            section,
            (
                '<p style="font-size:9px">Tiny words</p>',
                '<p style="letter-spacing:2px">Spaced words</p>',
                '<img src="https://spy.example/1.gif" alt="A spy" />',
                '<table role="presentation" width="900"><tr><td class="wide">x</td></tr></table>',
                '<p style="color:#eeeeee">Pale words</p>',
                "<table><tr><td>Cells</td></tr></table>",
                "<p>None</p>",
            ),
        )
    )
    lines = added(FOOTER, footer).split("\n")
    ours = own_theme(
        tmp_path / "ours",
        BASE,
        **{
            FOOTER: added(FOOTER, footer),
            "css/dark-rules.css": added("css/dark-rules.css", "p.after { color: #ffffff }\n"),
            "mail.txt.j2": added("mail.txt.j2", "\nA long line. {{ 'word ' * 20 }}\n"),
            "partials/source.mjml.j2": "",
            "words/xx.toml": 'source = "x"',
        },
    )
    _, found = check_theme(ours)

    def line_of(text: str) -> tuple[str, int]:
        (number,) = (n for n, line in enumerate(lines, start=1) if text in line)
        return FOOTER, number

    for check, place in (
        ("theme-text-size", line_of("Tiny")),
        ("theme-letters-apart", line_of("Spaced")),
        ("theme-picture-size", line_of("A spy")),
        ("privacy-contact", line_of("A spy")),
        ("contrast", line_of("Pale")),
        ("theme-text-width", ("mail.txt.j2", len(added("mail.txt.j2", "\n").split("\n")))),
    ):
        assert place in places(found, check, ours), check
    for check in ("theme-dark-weak", "theme-outlook-width", "table-role", "value-missing",
                  "parity-words", "theme-words"):  # fmt: skip
        assert places(found, check, ours), check
    assert all(each.mend.endswith(".") and each.where.file for each in found)


def places(found: tuple[Finding, ...], check: str, folder: Path) -> set[tuple[str, int | None]]:
    return {
        (os.path.relpath(str(each.where.file), folder), each.where.line)
        for each in found
        if each.id == check
    }


def told(*arguments: str, folder: Path) -> tuple[int, str]:
    done = run_inside(["theme", "check", *arguments], folder=folder, env=dict(os.environ))
    return done.returncode, " ".join((done.stdout + done.stderr).split())


def test_it_needs_no_project_and_ends_as_other_checks_do(tmp_path: Path) -> None:
    own_theme(tmp_path / "pale", BASE + '[colours]\ntext = "#dddddd"\n')
    code, said = told("pale", folder=tmp_path)
    assert 3 == code
    assert "pale/theme.toml:4" in said
    assert "pale: 1 error" in said or re.search(r"pale: \d+ errors", said)
    assert [tmp_path / "pale"] == list(tmp_path.iterdir())


def test_what_cannot_be_used_is_told_before_anything_is_made(tmp_path: Path) -> None:
    (tmp_path / "theme.zip").write_bytes(b"PK")
    for name in ("theme.zip", "nowhere"):
        code, said = told(name, folder=tmp_path)
        assert 2 == code
        assert "Unpack it" in said


@pytest.mark.parametrize(
    ("file", "text", "what"),
    [
        ("partials/quote.mjml.j2", "\n{% for a in range(99999) %}{% for b in range(99999) %}x"
         "{% endfor %}{% endfor %}", "partials/quote.mjml.j2:2"),
        ("partials/quote.mjml.j2", "{% include 'partials/quote.mjml.j2' %}", "quote.mjml.j2"),
        ("partials/quote.mjml.j2", "\n\n<mj-nothing />", "partials/quote.mjml.j2:3"),
        ("css/head.css", "a { b: c }\nd { e", "css/head.css:2"),
        ("css/print.css", "x" * 100_001, "css/print.css"),
    ],
    ids=["loops", "recursion", "mjml", "css", "size"],
)  # fmt: skip
def test_a_hostile_theme_is_refused_with_its_place(
    tmp_path: Path, file: str, text: str, what: str
) -> None:
    own_theme(tmp_path / "ours", BASE, **{file: text})
    code, said = told("ours", folder=tmp_path)
    assert 2 == code
    assert what in said
    assert "Traceback" not in said


def test_a_link_out_of_the_folder_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("a key", encoding="utf-8")
    ours = own_theme(tmp_path / "ours", BASE)
    (ours / "mail.txt.j2").symlink_to(tmp_path / "secret")
    code, said = told("ours", folder=tmp_path)
    assert 2 == code
    assert "a key" not in said


def test_the_guide_lists_every_promise() -> None:
    guide = (ROOT / "docs" / "theme.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| `(theme-[a-z-]+)` \|", guide, re.MULTILINE)
    assert [*(check.id for check in PROMISES), "theme-words"] == listed
    assert load_theme(DEFAULT).words
