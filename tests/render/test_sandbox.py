"""A theme is data that one may take from a stranger: its templates get out of nothing."""

import datetime as dt
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from jinja2 import Environment, nodes
from markupsafe import Markup
from newsletter.config import Archive
from newsletter.errors import TemplateError
from newsletter.render import sandbox
from newsletter.render import template_limits as limits
from newsletter.render.edition import CompileInput
from newsletter.render.filters import JINJA_FILTERS
from newsletter.render.mail_vocabulary import MailVocabulary
from newsletter.render.pipeline import compile_edition
from newsletter.render.slots import SlotContext, SlotRegistry
from newsletter.render.template import Vocabulary, render_template
from newsletter.render.template_limits import NAMED, WEIGH, Budget, metered
from newsletter.render.template_values import METHODS, Function, IndexEntry, View, for_template
from newsletter.render.web import INDEX_PAGE, PAGE, Site
from newsletter.render.web_urls import WebIssue
from newsletter.render.web_vocabulary import IndexVocabulary, PageVocabulary, SheetVocabulary
from newsletter.theme import INLINE_CSS, MAIL, TEXT, Theme, Words

from tests.render.escapes import BOMBS, ESCAPES, OF_HTML, OF_MAILS, OF_TEXT
from tests.render.samples import SOURCE, material_of
from tests.render.themes import (
    LOGO,
    MARCH_LANGUAGES,
    SETTINGS,
    THEMES,
    everything,
    march_of,
    with_logo,
)
from tests.support.project import Project
from tests.support.tools import PROVE, ROOT

ISSUE = everything("en")
MATERIAL = replace(material_of(ISSUE), logo=LOGO)
ARCHIVE = Archive(url="https://news.example.org/")
KINDS: dict[str, tuple[str, SlotContext]] = {
    "mail": (MAIL, "html"),
    "text": (TEXT, "text"),
    "style sheet": (INLINE_CSS, "html"),
    "page": (PAGE, "html"),
    "index": (INDEX_PAGE, "html"),
    "sheet of pages": ("web/web.css", "text"),
}
ANY_VALUE = {"index": "organisation", "sheet of pages": "theme"}


def vocabulary_of(kind: str, theme: Theme) -> Vocabulary:
    theme = with_logo(theme)
    web = WebIssue(ISSUE, MATERIAL)
    page = (theme, SETTINGS, ARCHIVE, "en", {"web.css": "a.css", "print.js": "a.js"}, ("en",))
    if kind == "page":
        return PageVocabulary(*page, web, ("en", "fr"), has_pdf=True)
    if kind == "index":
        return IndexVocabulary(
            *page, ("en", "fr"), [IndexEntry(ISSUE, [("en", "a.html")], [], None)]
        )
    if kind == "sheet of pages":
        return SheetVocabulary(theme)
    given = CompileInput(ISSUE, SOURCE, theme, SETTINGS, MATERIAL)
    return MailVocabulary(given, SlotRegistry("0123abcd"))


def refused(kind: str, template: str) -> TemplateError:
    """The error over a template with something hostile in its third line."""
    name, context = KINDS[kind]
    written = "\n\n" + template.replace("{file}", name)
    theme = THEMES["default"]
    theme = replace(theme, files={**theme.files, name: written})
    with pytest.raises(TemplateError) as caught:
        render_template(name, vocabulary_of(kind, theme), context=context)
    assert (str(theme.folder / name), 3) == (str(caught.value.where.file), caught.value.where.line)
    return caught.value


def is_a_sentence(error: TemplateError) -> None:
    assert error.what[0].isupper() or error.what[0] in "'“"
    assert error.what.endswith(".")
    assert error.next
    assert len(str(error)) < 1000
    assert not re.search(r"pydantic|newsletter\.render|0x[0-9a-f]{6}|Traceback", error.what)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("escape", ESCAPES)
@pytest.mark.fault("Input", "a theme whose templates reach for more than data", state="refused")
def test_no_template_gets_out(kind: str, escape: str) -> None:
    value = ANY_VALUE.get(kind, "issue")
    is_a_sentence(refused(kind, ESCAPES[escape].replace("VALUE", value)))


@pytest.mark.parametrize("value", ["organisation", "sender", "theme", "theme.colours", "w"])
@pytest.mark.parametrize("kind", ["mail", "text"])
def test_no_value_is_a_way_out(kind: str, value: str) -> None:
    for name in ("pickle by parse_raw", "file by parse_file", "class", "pydantic copy"):
        if value != "w" or name == "class":
            is_a_sentence(refused(kind, ESCAPES[name].replace("VALUE", value)))


@pytest.fixture
def tenth_of_the_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each bomb burns as long as it is let; the whole budget is for ``make prove``."""
    if not PROVE:
        for name in ("MOST_STEPS", "MOST_TEXT", "MOST_MARKDOWN"):
            monkeypatch.setattr(limits, name, getattr(limits, name) // 10)


@pytest.mark.usefixtures("tenth_of_the_budget")
@pytest.mark.parametrize(
    ("kind", "bomb"),
    [
        *((kind, name) for kind in ("mail", "text") for name in BOMBS | OF_MAILS),
        *(("mail", name) for name in OF_HTML),
        *(("text", name) for name in OF_TEXT),
    ],
)
@pytest.mark.fault("Input", "a theme whose templates would never end", state="refused")
def test_no_template_goes_on_for_ever(kind: str, bomb: str) -> None:
    own = OF_HTML if kind == "mail" else OF_TEXT
    is_a_sentence(refused(kind, (BOMBS | OF_MAILS | own)[bomb]))


PAID_AS_PARTS: dict[type[nodes.Node], str] = {
    nodes.Output: "printing counts", nodes.If: "asks whether something is there",
    nodes.CondExpr: "the same", nodes.And: "the same", nodes.Or: "the same", nodes.Not: "the same",
    nodes.Assign: "names a value", nodes.With: "the same", nodes.Macro: "the same",
    nodes.AssignBlock: "its parts count", nodes.FilterBlock: "the filter counts",
    nodes.CallBlock: "the call counts", nodes.ExprStmt: "no template can write it",
    nodes.Call: "Sandbox.call", nodes.Filter: "counts its values", nodes.Test: "the same",
    nodes.Getattr: "Sandbox.getattr", nodes.Keyword: "belongs to a call",
    nodes.Operand: "weighed by Compare", nodes.Slice: "numbers", nodes.Neg: "a number",
    nodes.Pos: "a number",
    nodes.Add: "Sandbox.call_binop", nodes.Sub: "the same", nodes.Mul: "the same",
    nodes.Div: "the same", nodes.FloorDiv: "the same", nodes.Mod: "the same",
    nodes.Pow: "the same",
}  # fmt: skip
"""What holds expressions and needs no weighing of its own, and why."""
WEIGHED: dict[str, type[nodes.Node]] = {
    "{% for a in x %}{% endfor %}": nodes.For, "{% include x %}": nodes.Include,
    "{% import x as y %}": nodes.Import, "{% from x import y %}": nodes.FromImport,
    "{% extends x %}": nodes.Extends, "{{ x == 1 }}": nodes.Compare, "{{ x ~ 1 }}": nodes.Concat,
    "{{ x[1:2] }}": nodes.Getitem, "{{ [x] }}": nodes.List, "{{ (x, 1) }}": nodes.Tuple,
    "{{ {x: 1} }}": nodes.Pair, "{{ {1: x} }}": nodes.Dict,
}  # fmt: skip
NEVER_PARSED: set[type[nodes.Node]] = {
    nodes.MarkSafe, nodes.MarkSafeIfAutoescape, nodes.EnvironmentAttribute,
    nodes.ExtensionAttribute, nodes.ImportedName, nodes.InternalName, nodes.ContextReference,
    nodes.DerivedContextReference, nodes.Scope, nodes.OverlayScope, nodes.Continue, nodes.Break,
    nodes.EvalContextModifier, nodes.ScopedEvalContextModifier,
}  # fmt: skip
"""What only extensions make; the last two are refused."""
LEAVES: set[type[nodes.Node]] = {
    nodes.Template, nodes.Block, nodes.Name, nodes.NSRef, nodes.Const, nodes.TemplateData,
}  # fmt: skip


def test_every_part_of_a_template_counts_what_it_reads() -> None:
    """Whatever part Jinja gets later is missing here."""

    def below(kind: type[nodes.Node]) -> Iterator[type[nodes.Node]]:
        for each in kind.__subclasses__():
            yield each
            yield from below(each)

    every = {kind for kind in below(nodes.Node) if not kind.abstract}
    assert every == {*PAID_AS_PARTS, *WEIGHED.values(), *NEVER_PARSED, *LEAVES}


@pytest.mark.parametrize("template", WEIGHED)
def test_what_reads_a_value_weighs_it(template: str) -> None:
    tree = metered(Environment().parse(template), None, None)
    filters = [each for each in tree.find_all(nodes.Filter) if each.name in (WEIGH, NAMED)]
    assert any(name.name == "x" for each in filters for name in each.find_all(nodes.Name))


@pytest.mark.fault("Input", "a theme that tries to run a command", state="refused")
def test_the_program_runs_no_command_of_a_theme(tmp_path: Path) -> None:
    """A template has a pickle read, which would create a file."""
    project = Project(tmp_path / "project")
    template = project.folder / "templates/default/mail.txt.j2"
    escape = ESCAPES["pickle by parse_raw"].replace("VALUE", "issue")
    template.write_text(template.read_text(encoding="utf-8") + escape, encoding="utf-8")
    before = {path for path in project.folder.iterdir() if path.name != "__pycache__"}
    done = project.run("check", "2017-04")
    assert 2 == done.returncode
    assert not (project.folder / "pwned").exists()
    assert before == {path for path in project.folder.iterdir() if path.name != "__pycache__"}
    said = " ".join((done.stdout + done.stderr).split())
    assert "mail.txt.j2" in said
    assert "“issue” has no attribute 'parse_raw'" in said
    assert "Traceback" not in said


def reachable(value: object, path: str) -> Iterator[tuple[str, object]]:
    """All that a template gets at from a value, by every name that it offers."""
    yield path, value
    if isinstance(value, View):
        for name in sorted(value.names()):
            yield from reachable(value.named(name), f"{path}.{name}")
    elif isinstance(value, tuple | list):
        for number, each in enumerate(value):
            yield from reachable(each, f"{path}[{number}]")
    elif isinstance(value, dict):
        for key, each in value.items():
            yield from reachable(key, f"{path}’s key")
            yield from reachable(each, f"{path}[{key}]")


@pytest.mark.parametrize("kind", KINDS)
def test_all_that_a_template_reaches_is_plain(kind: str) -> None:
    """Whatever is added to a model or a vocabulary later."""
    vocabulary = vocabulary_of(kind, THEMES["default"])
    names = vocabulary.names(KINDS[kind][1])
    found = [each for name in names for each in reachable(for_template(names[name]), name)]
    assert {type(value) for _, value in found} <= {
        str, Markup, int, float, bool, type(None), dt.date, tuple, list, dict, View, Function,
        Words,
    }  # fmt: skip
    stories = ("picture", "words_for", "download_url", "background_url", "story_index",
               "background_anchor")  # fmt: skip
    for name in set(names) & set(stories):
        function = for_template(names[name])
        assert isinstance(function, Function)
        for story in ISSUE.stories:
            if name == "background_url" and story.background is None:
                continue
            for path, value in reachable(function.called_with([View(story)], {}), name):
                assert isinstance(value, str | int | View | Words | None), path


def test_a_view_offers_no_function_but_the_declared_one() -> None:
    """No method of a model gets in by its name."""
    seen = {
        f"{view.called}.{name}"
        for kind in KINDS
        for name, value in vocabulary_of(kind, THEMES["default"]).names(KINDS[kind][1]).items()
        for _, view in reachable(for_template(value), name)
        if isinstance(view, View)
        for name in view.names()
        if isinstance(view.named(name), Function)
    }
    assert {"“issue”.language_of", "“issue”.kicker_of", "“issue”.look_of"} == seen


def test_what_is_no_plain_data_is_refused_at_the_door() -> None:
    for value in (SETTINGS, THEMES["default"], SOURCE, object(), re.compile(""), str, iter(())):
        with pytest.raises(TypeError, match="nothing for templates"):
            for_template(value)


def test_methods_of_plain_data_give_plain_data() -> None:
    """Nothing that writes, encodes or reads formats is among them."""
    for kind, names in METHODS.items():
        for name in names:
            assert isinstance(getattr(kind, name), object)
            assert not name.startswith("_")
    assert not METHODS[str] & {"encode", "format_map", "maketrans", "translate", "expandtabs"}
    assert {"get", "items", "keys", "values"} == METHODS[dict]


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("language", MARCH_LANGUAGES)
def test_an_honest_theme_stays_far_below_every_limit(
    theme: str, language: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded, material, _ = march_of(theme, language)
    used: list[Budget] = []

    class Kept(Budget):
        def __init__(self, **types: tuple[type, ...]) -> None:
            super().__init__(**types)
            used.append(self)

    monkeypatch.setattr(sandbox, "Budget", Kept)
    compile_edition(CompileInput(loaded.issue, loaded.source, THEMES[theme], SETTINGS, material))
    site = Site(THEMES[theme], SETTINGS, ARCHIVE, ("en",))
    web = WebIssue(loaded.issue, material)
    site.page(web, languages=MARCH_LANGUAGES, has_pdf=True)
    site.index([{language: web}], language=language, pdfs=())
    assert 8 == len(used)
    for each in used:
        assert each.steps * 50 < limits.MOST_STEPS
        assert each.text * 50 < limits.MOST_TEXT
        assert each.markdown * 20 < limits.MOST_MARKDOWN


def test_a_refusal_does_not_depend_on_what_was_compiled_before() -> None:
    first, second = (refused("mail", BOMBS["loops in loops"]) for _ in range(2))
    assert str(first) == str(second)


def test_the_documentation_tells_which_filters_and_methods_there_are() -> None:
    page = (ROOT / "docs" / "theme.md").read_text(encoding="utf-8")
    part = page.partition("## What templates can do")[2].partition("\n## ")[0]
    words = set(re.findall(r"`(\w+)`", part))
    for names in (JINJA_FILTERS, *METHODS.values()):
        assert set(names) <= words
    for limit in (limits.MOST_STEPS, limits.MOST_TEXT, limits.MOST_MARKDOWN, limits.MOST_ITEMS,
                  limits.MOST_CHARACTERS):  # fmt: skip
        assert f"{limit:,}" in part
