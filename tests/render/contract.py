"""docs/theme-names.md, made from what the code declares; ``python -m tests.render.contract``."""

from __future__ import annotations

import dataclasses
import datetime as dt
import inspect
import re
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from markupsafe import Markup
from newsletter import model, theme
from newsletter.config import identity
from newsletter.render import template_values
from newsletter.render.contract import FILTERS, NAMES, SET, SET_IN_TEXT, Name
from newsletter.render.edition import CompileInput
from newsletter.render.mail_vocabulary import MailVocabulary
from newsletter.render.slots import SlotContext, SlotRegistry
from newsletter.render.template import render_template
from newsletter.render.template_values import names_of
from newsletter.theme_files import REQUIRED
from pydantic import BaseModel

from tests.render.samples import material_of
from tests.render.themes import SETTINGS, SOURCE, THEMES, everything
from tests.support.tools import ROOT

_LONGEST = 70
PAGE = ROOT / "docs" / "theme-names.md"

TYPES: Mapping[str, type] = {
    "Issue": model.Issue,
    "Section": model.Section,
    "Story": model.Story,
    "Part": model.BodyPart,
    "Quote": model.Quote,
    "Picture of an issue": model.Picture,
    "Fact": model.Fact,
    "Link of an issue": model.Link,
    "Background": model.Background,
    "Download": model.Download,
    "Post": model.Post,
    "Picture in the mail": template_values.MailPicture,
    "Theme": template_values.ThemeValues,
    "Fonts": template_values.Fonts,
    "Colours": theme.Colours,
    "Palette": theme.Palette,
    "Organisation": identity.Organisation,
    "Link of the organisation": identity.Link,
    "Sender": identity.Sender,
}
_PLAIN: Mapping[object, str] = {
    str: "text",
    int: "number",
    bool: "true or false",
    dt.date: "date",
    Markup: "text",
}

_HEAD = """\
# The names in a theme

Every name that a template or a partial of a mail can use. [The theme](theme.md) tells how a
theme is made; this page is for looking up. It is written by `python -m tests.render.contract`
from what the program declares, and the examples show what the program made of them, for a
sample issue in English. Nobody edits it.

“When absent” says what a name is where there is no such thing. A dash: it is always there. A
name that is not on this page is an error that names file and line.
"""
_FILES = """\
## The files

A theme, or a theme below it by `base`, must have these:

{required}

and `words/` with one file for each language it is used in. Files that are missing are told all
at once. All others are yours to name: `mail.mjml.j2` and `mail.txt.j2` are where a mail begins,
and include what they want. If you keep those of the default theme, they include the partials in
[the table of the theme](theme.md#the-files).
"""
_SKELETON = """\
## The least that a mail needs

- `<mjml lang="{{ lang }}" dir="{{ dir }}">`, so that screen readers and mail programs know.
- `<mj-title>` and `<mj-preview>{{ merge(issue.preheader) }}</mj-preview>`.
- Each style sheet in an `<mj-style>` of its own: `{% include 'css/head.css' %}`.
  `css/inline.css` is written into the elements and not included.
- One `h1`; headlines by level below it.
- Every story of `issue.lead_story` and `issue.grouped`, each part of `story.rest`,
  `story.opening`, `issue.posts`, `issue.closing_words`, in HTML and text alike, in the same
  order.
- `{{ src('stories', story_index(story)) }}` before each story, so that errors name it.
- `slot_url('unsubscribe_url')` as a link in the HTML and on a line of the text;
  `organisation.postal_address`.
- Layout tables with `role="presentation"`; each `img` with `alt`, `width` and `height`.
- In a story in another language, `own.opening` and `own.closing` around all of it, once; a picture
  that stands outside them has `lang` and `dir` of its own.
- Widths that add up: columns, their paddings and pictures to the 640 px of the mail. The width of
  pictures is set under `[pictures]` in theme.toml, so set it to that of your columns.
- Selectors for dark colours without `tbody`: what is sent has none. A class that no style sheet of
  the head names is taken out of the mail.
- A dark rule for each background and colour that `css/inline.css` or an attribute sets.

`newsletter theme check FOLDER` tells what is missing.
"""


def page() -> str:
    """The whole page."""
    examples = Examples()
    _page(examples)  # which asks for them
    examples.work_out()
    return _page(examples)


def _page(examples: Examples) -> str:
    return "\n".join(
        [
            _HEAD,
            _FILES.format(required="\n".join(f"- `{n}`" for n in ("theme.toml", *REQUIRED))),
            _SKELETON,
            "## In every template\n",
            _names(NAMES, examples, files=False),
            "## Filters\n",
            "Besides those of Jinja2, which [the theme](theme.md#what-templates-can-do) lists.\n",
            _names(FILTERS, examples),
            "## Handed to the partials of the mail\n",
            "`mail.mjml.j2` of the default theme and its partials set these. They are there if "
            "yours is based on it, or sets them.\n",
            _names(SET, examples),
            "## Handed to the partials of the text\n",
            "The same for `mail.txt.j2`.\n",
            _names(SET_IN_TEXT, examples),
            "## Classes\n",
            "The default theme's partials print these. A theme that keeps a partial gives its "
            "classes their form in `css/inline.css`, `css/head.css` and `css/dark-rules.css`.\n",
            _classes(),
            "## Phrases\n",
            "The keys of `w` that the mail uses, here in English. `look_` and the name of a look "
            "is the label of that look.\n",
            _phrases(),
            "## The values\n",
            *(_type(name, kind, examples) for name, kind in TYPES.items()),
        ]
    )


def _names(names: Mapping[str, Name], examples: Examples, *, files: bool = True) -> str:
    heads = ("name", "is", "meaning", "when absent", "example", *(["in"] if files else []))
    rows = []
    for name, of in names.items():
        in_text = names is SET_IN_TEXT or ".txt" in of.files
        made = examples.of(of.example, "text" if in_text else "html")
        example = f"`{_cell(of.example)}`" + (f" → {made}" if made not in ("", "``") else "")
        row = [f"`{name}`", _code(of.kind), of.meaning, _cell(of.absent) or "–", example]
        rows.append([*row, of.files or "all"] if files else row)
    return _table(heads, rows)


def _code(kind: str) -> str:
    call, arrow, result = kind.partition(" → ")
    return f"`{call}` → {_linked(result)}" if arrow else _linked(kind)


def _linked(kind: str) -> str:
    return f"[{kind}](#{kind.lower().replace(' ', '-')})" if kind in TYPES else kind


class Examples:
    """What the sample issue makes of expressions, all of them in one rendering."""

    def __init__(self) -> None:
        self._made: dict[tuple[str, SlotContext], str] = {}

    def of(self, expression: str, context: SlotContext) -> str:
        """What was made of one; at first nothing yet."""
        return self._made.setdefault((expression, context), "")

    def work_out(self) -> None:
        """Render all that was asked for."""
        for context in ("html", "text"):
            wanted = [expression for expression, of in self._made if of == context]
            for expression, made in zip(wanted, worked_out(wanted, context), strict=True):
                self._made[expression, context] = made


def worked_out(expressions: list[str], context: SlotContext) -> list[str]:
    """What a template of the sample issue makes of expressions."""
    kind = "mjml" if context == "html" else "txt"
    before = {
        "html": THEMES["default"].files["mail.mjml.j2"].partition("<mjml")[0]
        + "{% set level, between = 3, true %}",
        "text": THEMES["default"].files["mail.txt.j2"].partition("{{ double }}")[0],
    }[context]
    set_up = (
        "{% set story, section = issue.stories[1], issue.sections[0] %}"
        "{% set part, image, first = story.rest[0], story.image, story.button %}"
        "{% set each = first %}"
    )
    own = (
        "{% import 'partials/voice.mjml.j2' as own with context %}"
        if context == "html"
        else "{% set own = words_for(story) %}"
    )
    text = before + set_up + own + "".join(f"\x02{{{{ {each} }}}}" for each in expressions)
    made = render_template(f"x.{kind}.j2", vocabulary({f"x.{kind}.j2": text}), context=context)
    return [_shown(each) for each in made.split("\x02")[1:]]


def _shown(made: str) -> str:
    shown = re.sub(r"Zq\w+?qZ", "*a slot*", made.strip().replace("\n", " ⏎ "))
    shown = shown if len(shown) <= _LONGEST else f"{shown[:_LONGEST].rstrip()} …"
    shown = shown.replace("|", "\\|")
    return f"`{shown}`" if "a slot" not in shown else shown


def vocabulary(files: Mapping[str, str]) -> MailVocabulary:
    """That of the sample issue, with more files in the default theme."""
    issue = everything("en")
    own = replace(THEMES["default"], files={**THEMES["default"].files, **files})
    given = CompileInput(issue, SOURCE, own, SETTINGS, material_of(issue))
    return MailVocabulary(given, SlotRegistry("00000000"))


def _classes() -> str:
    rows = []
    for name, text in THEMES["default"].files.items():
        if not name.endswith(".mjml.j2"):
            continue
        found = re.findall(r"""(?:css-)?class="([^"]*)"|set box, label = '([^']*)'""", text)
        plain = " ".join(
            re.sub(r"\{\{.*?'([\w ]*)'.*?\}\}|\{.*?\}+", r" \1 ", a or b) for a, b in found
        )
        classes = sorted({each for each in plain.split() if re.fullmatch(r"[a-z]+", each)})
        if classes:
            rows.append([f"`{name}`", " ".join(f"`{each}`" for each in classes)])
    return _table(("file", "classes"), rows)


def _phrases() -> str:
    files = THEMES["default"].files
    mail = "".join(text for name, text in files.items() if not name.startswith("web/"))
    used = set(re.findall(r"\b(?:w|own)\.([a-z_]+)", mail))
    words = THEMES["default"].words["en"]
    keys = sorted(key for key in words if key in used or key.startswith("look_"))
    return _table(("key", "English"), [[f"`{key}`", _cell(words[key])] for key in keys])


# The values


def _type(name: str, kind: Any, examples: Examples) -> str:
    rows = [
        [f"`{field}`", *_field(kind, field), _example(name, field, examples)]
        for field in sorted(names_of(kind), key=_order(kind))
    ]
    said = _cell(_first(inspect.getdoc(kind) or ""))
    table = _table(("name", "is", "meaning", "when absent", "example"), rows)
    return f"### {name}\n\n{said}\n\n{table}"


def _order(kind: Any) -> Callable[[str], tuple[int, str]]:
    own = list(kind.model_fields if issubclass(kind, BaseModel) else kind.__dataclass_fields__)
    return lambda name: (own.index(name) if name in own else len(own), name)


def _field(kind: Any, name: str) -> tuple[str, str, str]:
    """What a field is, what it means, and what stands for it where there is none."""
    if issubclass(kind, BaseModel) and name in kind.model_fields:
        field = kind.model_fields[name]
        text = field.description or _first(inspect.getdoc(field.annotation) or "")
        return _kind_of(field.annotation), _cell(text), _absent(field)
    if dataclasses.is_dataclass(kind) and name in kind.__dataclass_fields__:
        of = typing.get_type_hints(kind, vars(template_values))[name]
        said = re.search(rf"^    {name}: (.*)$", inspect.getdoc(kind) or "", re.MULTILINE)
        assert said, f"{kind} does not say what {name} is"
        text = said[1][0].upper() + said[1][1:]
        return _kind_of(of), _cell(text), "`none`" if _may_be_none(of) else "–"
    member = getattr(kind, name)
    function = member.fget if isinstance(member, property) else member
    of = typing.get_type_hints(function, vars(model))["return"]
    shown = _kind_of(of)
    if not isinstance(member, property):
        shown = f"`{name}(story)` → {shown}"
    empty = "an empty list" if typing.get_origin(of) is tuple else "–"
    return (
        shown,
        _cell(_first(inspect.getdoc(function) or "")),
        ("`none`" if _may_be_none(of) else empty),
    )


def _absent(field: Any) -> str:
    if field.is_required():
        return "–"
    if field.default is None:
        return "`none`"
    return "an empty list" if field.default in ((), []) else f"`{str(field.default).lower()}`"


def _may_be_none(of: Any) -> bool:
    return type(None) in typing.get_args(of)


def _kind_of(of: Any) -> str:
    """What an annotation means to somebody who writes templates."""
    origin, args = typing.get_origin(of), typing.get_args(of)
    if origin is typing.Annotated:
        return _kind_of(args[0])
    if origin in (typing.Union, types.UnionType):
        return " or ".join(_kind_of(each) for each in args if each is not type(None))
    if origin is typing.Literal:
        return " or ".join(f"`{each}`" for each in args)
    if origin in (tuple, list):
        inner = [each for each in args if each is not Ellipsis]
        if len(inner) == 1:
            return f"list of {_kind_of(inner[0])}"
        return f"pair of {' and '.join(map(_kind_of, inner))}"
    if of in _PLAIN:
        return _PLAIN[of]
    return _linked(next(name for name, kind in TYPES.items() if kind is of))


def _first(text: str) -> str:
    """The first sentence or paragraph of a docstring."""
    return " ".join(text.partition("\n\n")[0].split())


def _cell(text: str) -> str:
    return text.replace("``", "`").replace("|", "\\|")


HOLDERS: Mapping[str, str] = {
    "Issue": "issue",
    "Section": "section",
    "Story": "story",
    "Part": "part",
    "Quote": "story.quote",
    "Picture of an issue": "story.image",
    "Fact": "issue.stories[-1].content[1].facts[0]",
    "Link of an issue": "story.links[1]",
    "Background": "story.background",
    "Download": "story.download",
    "Post": "issue.posts[0]",
    "Picture in the mail": "picture(story)",
    "Theme": "theme",
    "Fonts": "theme.type",
    "Colours": "theme.colours",
    "Palette": "theme.colours.dark",
    "Organisation": "organisation",
    "Link of the organisation": "organisation.follow[0]",
    "Sender": "sender",
}
"""Where a template finds one of each."""


def _example(name: str, field: str, examples: Examples) -> str:
    """How a template writes it, and what comes of it if that can be printed."""
    holder = HOLDERS[name]
    call = "(story)" if callable(getattr(TYPES[name], field, None)) else ""
    written = f"{holder}.{field}{call}"
    printable = f"{written} is string or {written} is number or {written} is boolean"
    made = examples.of(f"{written} if {printable} else ''", "text")
    return f"`{written}`" + (f" → {made}" if made not in ("", "``") else "")


def _table(heads: tuple[str, ...], rows: list[list[str]]) -> str:
    lines = [heads, tuple("---" for _ in heads), *map(tuple, rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    print(PAGE)
