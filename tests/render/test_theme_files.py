"""A theme's folder may be a stranger's: whatever lies in it, reading it ends soon and says why."""

import os
from pathlib import Path

import pytest
from newsletter.errors import TemplateError
from newsletter.theme_files import load_theme

from tests.render.test_themes import own_theme
from tests.support.project import Project
from tests.support.tools import ROOT

BASE = f'base = "{ROOT / "templates" / "default"}"\n'


def test_too_many_files(tmp_path: Path) -> None:
    ours = own_theme(tmp_path / "ours", BASE)
    (ours / "many").mkdir()
    for number in range(2001):
        (ours / "many" / f"{number}.j2").touch()
    refused(ours, "more than 2,000 files", ours)


def test_too_large_a_file(tmp_path: Path) -> None:
    ours = own_theme(tmp_path / "ours", BASE, **{"partials/a.j2": "x" * 100_001})
    refused(ours, "more than 100,000 bytes", ours / "partials/a.j2")


def test_too_large_a_theme(tmp_path: Path) -> None:
    ours = own_theme(tmp_path / "ours", BASE, **{f"{n}.j2": "x" * 99_999 for n in range(11)})
    refused(ours, "more than 1,000,000 bytes together", ours)


@pytest.mark.parametrize("name", ["mail.txt.j2", "css/inline.css", "words/en.toml"])
@pytest.mark.fault("Input", "a theme with a link that leads out of its folder", state="refused")
def test_a_link_that_leads_out(tmp_path: Path, name: str) -> None:
    secret = tmp_path / "secret"
    secret.write_text("key", encoding="utf-8")
    ours = own_theme(tmp_path / "ours", BASE)
    (ours / name).parent.mkdir(exist_ok=True)
    (ours / name).symlink_to(secret)
    refused(ours, "no file in the theme's folder", ours / name)


@pytest.mark.parametrize("name", ["mail.txt.j2", "words/en.toml", "theme.toml"])
def test_a_pipe_is_not_waited_for(tmp_path: Path, name: str) -> None:
    ours = own_theme(tmp_path / "ours", BASE)
    (ours / name).unlink(missing_ok=True)
    (ours / name).parent.mkdir(exist_ok=True)
    os.mkfifo(ours / name)
    refused(ours, "no file in the theme's folder", ours / name)


def test_a_logo_from_elsewhere_is_not_published(tmp_path: Path) -> None:
    (tmp_path / "private.png").write_bytes(b"a picture")
    for file in ("../private.png", str(tmp_path / "private.png")):
        text = f'{BASE}[logo]\nfile = "{file}"\nalt = "x"\nwidth = 99\n'
        refused(own_theme(tmp_path / "ours", text), "no file in the theme's folder", None)


@pytest.mark.parametrize(
    "text",
    [
        "x = " + "[" * 40_000,
        "x = " + "[" * 200 + "]" * 200,
        "a" + ".a" * 5_000 + " = 1",
        "x = " + "{a = " * 5_000,
        "x = " + "9" * 5_000,
        "x = " + "1" * 200_000,
    ],
    ids=["open lists", "lists", "keys", "tables", "number", "size"],
)
def test_toml_bombs(tmp_path: Path, text: str) -> None:
    ours = own_theme(tmp_path / "ours", BASE + text)
    refused(ours, "", ours / "theme.toml")
    words = own_theme(tmp_path / "words", BASE, **{"words/en.toml": text})
    refused(words, "", words / "words/en.toml")


def test_too_many_bases(tmp_path: Path) -> None:
    for number in range(12):
        own_theme(tmp_path / str(number), f'base = "../{number + 1}"\n')
    refused(tmp_path / "0", "more than 10 bases", tmp_path / "9" / "theme.toml")


def test_too_many_languages(tmp_path: Path) -> None:
    words = {f"words/{number}.toml": 'a = "b"' for number in range(51)}
    ours = own_theme(tmp_path / "ours", BASE, **words)
    refused(ours, "more than 50 languages", ours / "words")


@pytest.mark.parametrize(
    ("file", "content", "what"),
    [
        ("css/inline.css", "p { color: red }\n" * 2900, "too many rules"),
        ("css/inline.css", "* * * * * { color: red }", "more than 4 steps"),
        ("css/inline.css", "p ~ p { color: red }", "by what stands before it"),
        ("css/inline.css", "p { color: red }\n" * 3500, "more than 50,000 characters"),
        ("partials/contents.mjml.j2", "{% for a in range(9999) %}" + "x" * 99 + "{% endfor %}",
         "more than 500,000 characters"),
        ("partials/contents.mjml.j2", "<mj-section><mj-column><mj-text>" + "<p>" * 60,
         "within one another"),
        ("partials/contents.mjml.j2", "<mj-foo />" * 9000, "100 mistakes"),
    ],
)  # fmt: skip
@pytest.mark.fault("Input", "a theme that would keep the engines busy", state="refused")
def test_the_engines_are_fed_no_more_than_they_can_take(
    tmp_path: Path, file: str, content: str, what: str
) -> None:
    project = Project(tmp_path / "project")
    project.use_march()
    (project.folder / "templates" / "default" / file).write_text(content, encoding="utf-8")
    done = project.run("check", "2017-03")
    assert 2 == done.returncode
    assert what in " ".join((done.stdout + done.stderr).split())


def refused(folder: Path, what: str, where: Path | None) -> None:
    with pytest.raises(TemplateError) as caught:
        load_theme(folder)
    assert what in caught.value.what
    assert caught.value.what.endswith(".")
    assert where is None or str(where) == os.path.normpath(str(caught.value.where.file))
