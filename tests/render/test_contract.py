"""docs/theme-names.md says all that templates can use, and nothing else."""

from __future__ import annotations

import os
from typing import Any

import pytest
from jinja2 import Environment, meta, nodes
from markupsafe import Markup
from newsletter.render.contract import FILTERS, NAMES, SET, SET_IN_TEXT
from newsletter.render.slots import SlotContext
from newsletter.render.template import render_template
from newsletter.render.template_values import VALUES, Function, View, for_template
from newsletter.theme import Words

from tests.render.conftest import UPDATE
from tests.render.contract import PAGE, TYPES, page, vocabulary, worked_out
from tests.render.themes import THEMES

CONTEXTS: tuple[SlotContext, ...] = ("html", "text")
OF_JINJA = {"range", "namespace"}
WEB_ALONE = {"WebPicture", "IndexEntry", "RunningHead"}
"""Values of pages, not of mails."""


def test_the_page_is_what_the_code_declares() -> None:
    made = page()
    if os.environ.get(UPDATE) == "1":
        PAGE.write_text(made, encoding="utf-8")
    assert made == PAGE.read_text("utf-8"), f"run {UPDATE}=1 pytest tests/render/test_contract.py"


@pytest.mark.parametrize("context", CONTEXTS)
def test_every_name_and_filter_is_declared_and_no_other(context: SlotContext) -> None:
    given = vocabulary({})
    assert given.names(context).keys() | OF_JINJA == NAMES.keys()
    other = ".txt" if context == "html" else ".mjml"
    assert given.filters(context).keys() == {n for n, f in FILTERS.items() if other not in f.files}


@pytest.mark.parametrize("name", sorted(NAMES.keys() - OF_JINJA))
def test_a_name_is_what_it_is_said_to_be(name: str) -> None:
    value: Any = for_template(vocabulary({}).names("html")[name])
    kind = NAMES[name].kind
    if isinstance(value, View):
        assert TYPES[kind].__name__.lower() == value.called.strip("“”").replace(" ", "")
    elif isinstance(value, Function):
        assert kind.startswith(f"{name}(")
    else:
        told = {str: "text", Markup: "text", bool: "true or false", Words: "words"}
        assert told[type(value)] == kind


@pytest.mark.parametrize("theme", THEMES)
def test_the_partials_of_a_theme_use_no_name_that_is_not_declared(theme: str) -> None:
    known = Environment(autoescape=True)
    known.filters |= dict.fromkeys(FILTERS, str)
    mail = {n: text for n, text in THEMES[theme].files.items() if not n.startswith("web/")}
    trees = {name: known.parse(text) for name, text in mail.items()}
    default = THEMES["default"].files
    # What its own templates set for its own partials.
    own = {
        each
        for name, tree in trees.items()
        if mail[name] != default.get(name)
        for each in set_in(tree)
    }
    for name, tree in trees.items():
        handed = SET_IN_TEXT if ".txt" in name else SET
        loose = meta.find_undeclared_variables(tree) - NAMES.keys() - handed.keys()
        # What a loop or a branch of the same file sets.
        assert loose <= set_in(tree) | own, name


def set_in(tree: Any) -> set[str]:
    return {each.name for each in tree.find_all(nodes.Name) if each.ctx == "store"}


@pytest.mark.parametrize("name", SET)
def test_what_the_mail_hands_on_arrives_where_it_is_said(name: str) -> None:
    # Worked out in a file that stands where the partials stand.
    where = {
        "section": "section", "between": "story", "level": "text", "part": "text", "story": "text",
        "own": "text", "image": "image", "first": "button", "each": "note", "box": "text",
        "label": "parts",
    }.get(name, "header")  # fmt: skip
    file = f"partials/{where}.mjml.j2"
    probe = f"{{{{ {name} is defined }}}}\x02" + THEMES["default"].files[file]
    given = vocabulary({file: probe})
    made = render_template("mail.mjml.j2", given, context="html")
    assert "True\x02" in made
    assert ("False\x02" in made) is ("not defined" in SET[name].absent)


@pytest.mark.parametrize("kind", VALUES)
def test_every_value_that_a_mail_shows_is_described(kind: type) -> None:
    of_theme = {"ThemeSettings", "Typography", "Logo", "Pictures"}
    assert kind in TYPES.values() or kind.__name__ in WEB_ALONE | of_theme


def test_an_example_that_is_wrong_is_no_example() -> None:
    with pytest.raises(Exception, match="inkk"):
        worked_out(["light.inkk"], "html")
