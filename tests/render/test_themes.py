"""theme.toml: what it may say, what it takes from another theme, what is told of mistakes."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from newsletter.errors import TemplateError
from newsletter.issues.loader import load_issue
from newsletter.issues.material import load_material
from newsletter.issues.scaffold import init_project
from newsletter.preview.build import Sources, watched
from newsletter.render.edition import CompileInput
from newsletter.render.pipeline import compile_edition
from newsletter.theme import Palette
from newsletter.theme_files import load_theme, theme_folders
from PIL import Image

from tests.render.samples import THEME as SMALL
from tests.render.samples import compiled, material_of, theme_with
from tests.render.themes import (
    LOGO,
    SETTINGS,
    SOURCE,
    THEMES,
    bound_html,
    compiled_with,
    everything,
    page_of,
    with_logo,
)
from tests.support.tools import ROOT

DEFAULT = ROOT / "templates" / "default"
INLINE = SETTINGS.mail.model_copy(update={"pictures": "inline"})


def own_theme(folder: Path, text: str, **files: str) -> Path:
    """A theme's folder with a theme.toml and other files."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in {"theme.toml": text, **files}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content, encoding="utf-8")
    return folder


def refused(folder: Path) -> TemplateError:
    with pytest.raises(TemplateError) as caught:
        load_theme(folder)
    assert caught.value.what.endswith(".")
    return caught.value


# What a theme takes from another


def test_a_theme_can_be_a_theme_toml_alone(tmp_path: Path) -> None:
    ours = own_theme(tmp_path / "ours", f'base = "{DEFAULT}"\n[colours]\nlink = "#0000aa"\n')
    mine = load_theme(ours)
    html = bound_html(compiled_with(mine, everything("en")))
    theirs = bound_html(compiled_with(THEMES["default"], everything("en")))
    assert "#0000aa" in html.replace("#00a", "#0000aa")
    unchanged = THEMES["default"].settings.colours.link

    def without_links(text: str) -> str:
        return re.sub(r"Zq\w+qZ", "", text).replace("#00a", unchanged)

    # The accent has the same colour as links have in the default theme, and stays.
    assert without_links(theirs) == without_links(html)


def test_values_files_and_phrases_come_from_the_base_one_by_one(tmp_path: Path) -> None:
    grandparent = own_theme(
        tmp_path / "one",
        f'base = "{DEFAULT}"\nname = "One"\n[colours.dark]\nink = "#fafafa"\n[type]\nsize = 18\n',
        **{
            "partials/quote.mjml.j2": "one",
            "words/en.toml": 'phone = "Call"\nsource = "By {source}"',
        },
    )
    parent = own_theme(tmp_path / "two", 'base = "../one"\n[type]\nsize = 19\n')
    child = own_theme(
        tmp_path / "three",
        'base = "../two"\nname = "Three"\n',
        **{"words/en.toml": 'phone = "Ring"'},
    )
    theme = load_theme(child)
    assert "Three" == theme.settings.name
    assert ("#fafafa", 19) == (theme.settings.colours.dark.ink, theme.settings.type.size)
    assert THEMES["default"].settings.colours.ink == theme.settings.colours.ink
    assert "one" == theme.files["partials/quote.mjml.j2"]
    assert THEMES["default"].files["mail.txt.j2"] == theme.files["mail.txt.j2"]
    words = theme.words["en"]
    assert ("Ring", "By {source}", "Contact us") == (
        words["phone"],
        words["source"],
        words["contact_us"],
    )
    assert grandparent.resolve() == theme.path("partials/quote.mjml.j2").parents[1].resolve()
    assert child / "words/en.toml" == theme.path("words/en.toml")
    folders = [folder.resolve() for folder in theme_folders(child)]
    assert [child, parent, grandparent, DEFAULT] == folders


def test_a_mistake_in_a_file_of_the_base_names_that_file(tmp_path: Path) -> None:
    base = own_theme(
        tmp_path / "base", f'base = "{DEFAULT}"', **{"partials/quote.mjml.j2": "{{ x }}"}
    )
    theme = load_theme(own_theme(tmp_path / "ours", 'base = "../base"'))
    with pytest.raises(TemplateError) as caught:
        compiled_with(theme, everything("en"))
    assert (base / "partials/quote.mjml.j2").samefile(str(caught.value.where.file))
    assert 1 == caught.value.where.line


def test_two_themes_that_are_based_on_each_other_are_refused(tmp_path: Path) -> None:
    own_theme(tmp_path / "a", 'base = "../b"')
    own_theme(tmp_path / "b", '\nbase = "../a"')
    error = refused(tmp_path / "a")
    assert "The theme is based on itself." == error.what
    assert ("b", 2) == (Path(str(error.where.file)).parent.name, error.where.line)
    assert (tmp_path / "a",) == theme_folders(tmp_path / "a")


def test_a_theme_based_on_its_own_folder_is_refused(tmp_path: Path) -> None:
    assert "based on itself" in refused(own_theme(tmp_path / "a", 'base = "."')).what


# What is told when it is wrong


@pytest.mark.parametrize(
    ("line", "what", "item"),
    [
        ('[colours]\npaper = "white"', "cannot be used.", "[colours] paper"),
        ('[colours]\npaper = "#fff"', "cannot be used.", "[colours] paper"),
        ('[colours]\npaper = "#FFFFFF"', "cannot be used.", "[colours] paper"),
        ("[colours]\npaper = 7", "is no text; put it in double quotes.", "[colours] paper"),
        ('[colours.dark]\nlink = "red"', "cannot be used.", "[colours.dark] link"),
        ('[colours]\nlinks = "#ffffff"', "mind the spelling.", "[colours] links"),
        ('[type]\nbody = "Georgia"', "cannot be used.", "[type] body"),
        ("[type]\nbody = '\"Segoe UI\",serif'", "cannot be used.", "[type] body"),
        ('[type]\nbody = "Georgia}p{color:red,serif"', "cannot be used.", "[type] body"),
        ('[type]\nbody = "url(https://a.example/x),serif"', "cannot be used.", "[type] body"),
        ("[type]\nsize = 9", "is less than 14.", "[type] size"),
        ("[pictures]\nlead = 900", "is more than 640.", "[pictures] lead"),
        ('[logo]\nfile = "x.png"\nalt = "A"', "is missing.", "[logo] width"),
        ('[logo]\nfile = "x"\nalt = " "\nwidth = 50', "is empty.", "[logo] alt"),
        ("fonts = 1", "is no value of a theme; mind the spelling.", "fonts"),
        ("logo = 1", "is no table;", "logo"),
        ('[type]\nsize = "large"', "is no whole number;", "[type] size"),
    ],
)  # fmt: skip
def test_a_wrong_value_is_told_with_its_line(
    tmp_path: Path, line: str, what: str, item: str
) -> None:
    error = refused(own_theme(tmp_path, f'base = "{DEFAULT}"\n{line}\n'))
    (problem,) = error.problems
    assert what in problem.what
    assert (tmp_path / "theme.toml", item) == (problem.where.file, problem.where.item)
    places = {text.split(" ")[0]: number for number, text in enumerate(line.split("\n"), start=2)}
    assert places.get(item.rsplit(maxsplit=1)[-1]) == problem.where.line
    assert "newsletter docs theme" in error.next


def test_who_writes_a_wrong_colour_or_font_is_shown_a_right_one(tmp_path: Path) -> None:
    text = f'base = "{DEFAULT}"\n[colours]\npaper = "white"\n[type]\nbody = "Georgia"'
    colour, font = refused(own_theme(tmp_path, text)).problems
    assert "such as #14224a" in colour.next
    assert "sans-serif" in font.next


def test_a_theme_without_base_must_say_everything(tmp_path: Path) -> None:
    lone = own_theme(tmp_path, 'name = "Lone"', **dict(SMALL.files))
    missing = {problem.where.item for problem in refused(lone).problems}
    assert {"colours", "type", "pictures"} == missing


@pytest.mark.parametrize(
    ("text", "what", "file"),
    [
        ('base = "../nowhere"', "There is no theme here.", "nowhere"),
        ("base = 7", "The base is no folder.", "theme.toml"),
        ("name = ", "The file cannot be read", "theme.toml"),
        ('name = "x"\nname = "y"', "The file cannot be read", "theme.toml"),
    ],
)
def test_a_theme_toml_that_cannot_be_read_is_told(
    tmp_path: Path, text: str, what: str, file: str
) -> None:
    error = refused(own_theme(tmp_path / "ours", text))
    assert what in error.what
    assert file == Path(str(error.where.file)).name
    assert error.next


def test_a_folder_without_theme_toml_is_no_theme(tmp_path: Path) -> None:
    error = refused(tmp_path)
    assert (tmp_path / "theme.toml", "The theme lacks a file it needs.") == (
        error.where.file,
        error.what,
    )


# What templates and style sheets see


def test_style_sheets_are_templates_and_know_the_values() -> None:
    css = "p{color:{{ theme.colours.ink }};font-family:{{ theme.type.body }};text-align:{{ end }}}"
    html = compiled(theme=theme_with(inline_css=css)).html
    ink, body = SMALL.settings.colours.ink, SMALL.settings.type.body
    assert f"color:{ink};font-family:{body};text-align:right" in html


def test_a_mistake_in_the_inlined_style_sheet_names_its_line() -> None:
    with pytest.raises(TemplateError, match="has no attribute 'inkk'") as caught:
        compiled(theme=theme_with(inline_css="p{margin:0}\np{color:{{ theme.colours.inkk }}}"))
    assert (SMALL.folder / "css/inline.css", 2) == (
        Path(str(caught.value.where.file)),
        caught.value.where.line,
    )


def test_a_readers_field_in_a_style_sheet_is_an_error() -> None:
    with pytest.raises(TemplateError, match="stands in a style sheet") as caught:
        compiled(theme=theme_with(inline_css="p{color:{{ slot('city') }}}"))
    assert SMALL.folder / "css/inline.css" == caught.value.where.file


def test_fonts_reach_attributes_and_style_sheets_alike() -> None:
    stack = "'Iowan Old Style',Georgia,serif"
    look = SMALL.settings.model_copy(
        update={"type": SMALL.settings.type.model_copy(update={"body": stack})}
    )
    mail = SMALL.files["mail.mjml.j2"].replace(
        "<mj-attributes>",
        "<mj-style>.x{font-family:{{ theme.type.body }}}</mj-style><mj-attributes>",
    )
    mail = mail.replace("Georgia, 'Times New Roman', serif", "{{ theme.type.body }}")
    html = compiled(theme=replace(theme_with(mail_mjml=mail), settings=look)).html
    assert f".x{{font-family:{stack}}}" in html
    assert f";font-family:{stack}" in html or f'"font-family:{stack}' in html
    assert "&#39;" not in html


def test_every_colour_of_the_vocabulary_is_used_by_the_default_theme() -> None:
    text = "\n".join(
        text for name, text in THEMES["default"].files.items() if not name.startswith("web/")
    )
    for part in Palette.model_fields:
        assert re.search(rf"\b(?:light|c)\.{part}\b", text), part
        # Hairlines in the head and on buttons need no dark twin.
        assert re.search(rf"\bdark\.{part}\b", text), part


def test_colours_stand_in_theme_toml_alone() -> None:
    for theme in THEMES.values():
        for name, text in theme.files.items():
            if name.startswith(("web/", "css/print.css")):
                continue
            found = set(re.findall(r"#[0-9a-fA-F]{6}\b", text))
            assert set() == found, name


def test_the_guide_gives_each_value_of_the_default_theme() -> None:
    guide = (ROOT / "docs" / "theme.md").read_text(encoding="utf-8")
    look = THEMES["default"].settings
    for part in Palette.model_fields:
        light, dark = getattr(look.colours, part), getattr(look.colours.dark, part)
        assert f"| `{part}` | `{light}` | `{dark}` |" in guide
    assert f'`"{look.type.body}"`' in guide
    assert f'`"{look.type.display}"`' in guide
    for number in (look.type.size, look.pictures.lead, look.pictures.story):
        assert f"| `{number}` |" in guide


def test_a_new_project_has_both_themes_and_can_base_its_own_on_them(tmp_path: Path) -> None:
    init_project(tmp_path, scaffold=ROOT)
    for name, theme in THEMES.items():
        copied = load_theme(tmp_path / "templates" / name)
        assert (theme.files, theme.words, theme.settings) == (
            copied.files,
            copied.words,
            copied.settings,
        )
    ours = load_theme(own_theme(tmp_path / "templates" / "ours", 'base = "../letter"'))
    assert THEMES["letter"].settings == ours.settings


def test_the_preview_follows_changes_of_the_base(tmp_path: Path) -> None:
    init_project(tmp_path, scaffold=ROOT)
    (issue,) = (tmp_path / "issues").glob("*.yaml")
    settings = tmp_path / "newsletter.toml"
    text = settings.read_text(encoding="utf-8")
    settings.write_text(text.replace("templates/default", "templates/letter", 1), encoding="utf-8")
    files = {file for file, _, _ in watched(Sources(tmp_path, issue))}
    for name in ("templates/letter/theme.toml", "templates/default/words/en.toml"):
        assert any(Path(file).resolve() == (tmp_path / name).resolve() for file in files)


def test_what_a_theme_says_is_part_of_what_a_token_depends_on() -> None:
    other = SMALL.settings.model_copy(update={"name": "Other"})
    tokens = {
        compiled(theme=replace(SMALL, settings=look)).slots[0].token
        for look in (SMALL.settings, other)
    }
    assert 2 == len(tokens)


# The logo


@pytest.mark.parametrize("theme", THEMES)
def test_a_logo_stands_in_the_head_with_its_words_and_size(theme: str) -> None:
    issue = everything("en")
    material = replace(material_of(issue), logo=LOGO)
    page = page_of(compiled_with(with_logo(THEMES[theme]), issue, material))
    logo = page.cssselect("img")[0]
    assert (f"{SETTINGS.archive_url}images/{LOGO.name}", "Two hands", "160", "40") == tuple(
        logo.get(name) for name in ("src", "alt", "width", "height")
    )


def test_a_logo_travels_inside_the_mail_where_pictures_do() -> None:
    issue = everything("en")
    settings = SETTINGS.model_copy(update={"mail": INLINE})
    edition = compile_edition(
        CompileInput(
            issue,
            SOURCE,
            with_logo(THEMES["default"]),
            settings,
            replace(material_of(issue), logo=LOGO),
        )
    )
    first = edition.enclosures[0]
    assert (LOGO.name, b"a logo") == (first.name, first.content)
    assert f'src="cid:{first.content_id}"' in edition.html


def test_a_logo_is_prepared_like_a_picture_wherever_its_theme_is(tmp_path: Path) -> None:
    values = f'base = "{DEFAULT}"\n[logo]\nfile = "our.png"\nalt = "We"\nwidth = 160\n'
    base = own_theme(tmp_path / "base", values)
    Image.new("RGB", (800, 200), "navy").save(base / "our.png")
    theme = load_theme(own_theme(tmp_path / "ours", 'base = "../base"'))
    loaded = load_issue(ROOT / "issues" / "2017-03.yaml", fields=SETTINGS.audience.fields)
    logo = load_material(loaded, ROOT / "issues", shown=theme.shown).logo
    assert logo is not None
    assert (160, 40, 320) == (logo.shown, logo.shown_height, logo.width)
    assert re.fullmatch(r"[0-9a-f]{16}\.(jpg|png)", logo.name)


def test_a_logo_that_is_missing_is_told(tmp_path: Path) -> None:
    values = f'base = "{DEFAULT}"\n[logo]\nfile = "our.png"\nalt = "We"\nwidth = 160\n'
    theme = load_theme(own_theme(tmp_path, values))
    loaded = load_issue(ROOT / "issues" / "2017-03.yaml", fields=SETTINGS.audience.fields)
    with pytest.raises(Exception, match=r"our\.png") as caught:
        load_material(loaded, ROOT / "issues", shown=theme.shown)
    assert str(tmp_path / "our.png") in str(caught.value)
