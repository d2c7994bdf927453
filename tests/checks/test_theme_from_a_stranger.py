"""What docs/theme.md says a check refuses in a theme that somebody else wrote."""

from pathlib import Path

import pytest
from newsletter.checks.check_input import CheckInput
from newsletter.checks.finding import Severity
from newsletter.checks.run import run_checks
from newsletter.errors import TemplateError
from newsletter.render.edition import CompileInput
from newsletter.render.pipeline import compile_edition
from newsletter.theme_files import load_theme

from tests.support.march import SETTINGS, march
from tests.support.tools import ROOT

DEFAULT = ROOT / "templates" / "default"
FOOTER = "partials/footer.mjml.j2"
HEAD = "css/head.css"


def said_of(folder: Path, file: str, text: str) -> set[str]:
    """The errors in the March issue with a theme that adds ``text`` to a file of the default."""
    (folder / file).parent.mkdir(parents=True)
    (folder / "theme.toml").write_text(f'name = "Gift"\nbase = "{DEFAULT}"\n', encoding="utf-8")
    written = (DEFAULT / file).read_text(encoding="utf-8")
    (folder / file).write_text(written + text, encoding="utf-8")
    theme = load_theme(folder)
    issue, source, material = march().loaded.issue, march().loaded.source, march().material
    edition = compile_edition(CompileInput(issue, source, theme, SETTINGS, material))
    findings = run_checks(CheckInput(issue, source, theme, SETTINGS, material, edition))
    return {each.id for each in findings if each.severity is Severity.ERROR}


def section(markup: str) -> str:
    return (
        '<mj-section background-color="#ffffff"><mj-column><mj-text color="#000000">'
        f"{markup}</mj-text></mj-column></mj-section>"
    )


@pytest.mark.parametrize(
    ("file", "text", "check"),
    [
        (FOOTER, section('<img src="https://spy.example/1.gif" alt="">'), "privacy-contact"),
        (HEAD, "@import url(https://spy.example/a.css);", "privacy-contact"),
        (HEAD, "p{background:url(//spy.example/a.png)}", "privacy-contact"),
        (
            HEAD,
            "@font-face{font-family:x;src:url(https://spy.example/x.woff2)}",
            "privacy-contact",
        ),
        (
            FOOTER,
            section(
                "{% for story in issue.stories if story.image %}"
                '<img src="{{ picture(story).src }}" width="1" height="1" alt="">{% endfor %}'
            ),
            "privacy-pixel",
        ),
        (
            FOOTER,
            section('<form action="https://spy.example"><input name="a"></form>'),
            "privacy-active",
        ),
        (
            FOOTER,
            section("<a href=\"https://spy.example/{{ slot_url('email') }}\">Read</a>"),
            "privacy-personal",
        ),
        (FOOTER, section('<a href="https://a.example/?mc_eid=1">Read</a>'), "privacy-tracking"),
    ],
)
def test_a_theme_that_spies_is_refused(tmp_path: Path, file: str, text: str, check: str) -> None:
    assert check in said_of(tmp_path / "gift", file, text)


@pytest.mark.parametrize(
    ("markup", "words"),
    [
        ("<script>fetch('https://spy.example')</script>", "Mail programs run no scripts"),
        ("<a href=\"https://spy.example/?of={{ slot('email') }}\">Read</a>", "“email” stands in"),
    ],
)
def test_what_no_mail_can_have_is_not_even_rendered(
    tmp_path: Path, markup: str, words: str
) -> None:
    with pytest.raises(TemplateError, match=words):
        said_of(tmp_path / "gift", FOOTER, section(markup))


def test_a_theme_that_does_not_spy_is_not(tmp_path: Path) -> None:
    assert set() == said_of(tmp_path / "gift", FOOTER, section("<p>{{ w.no_tracking }}</p>"))
