"""Issue to Edition: Jinja2, MJML, premailer, last pass. No I/O, no clock, no randomness.

The same issue, theme and settings give the same bytes, in any process.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from newsletter.config import Settings
from newsletter.errors import TemplateError, Where
from newsletter.material import Material
from newsletter.model import Issue
from newsletter.render.blame import Blame
from newsletter.render.context import Vocabulary
from newsletter.render.edition import Edition
from newsletter.render.inline import InlineError, inline_css
from newsletter.render.lint import lint_mjml
from newsletter.render.mjml import EngineError, prepare_mjml, to_html
from newsletter.render.open_places import check_slots
from newsletter.render.places import MailPlaces
from newsletter.render.post import finish, losses
from newsletter.render.refused import refuse_bad_markdown
from newsletter.render.slots import TOKEN, SlotRegistry, bind, nonce_for
from newsletter.render.stages import Stages
from newsletter.render.template import MAIL, TEXT, render_template
from newsletter.source import Source
from newsletter.theme import Theme

INLINE_CSS = "css/inline.css"
_MOST_MJML = 500_000
_MOST_CSS = 50_000
"""Characters; the engines behind the templates take long over more."""


@dataclass(frozen=True, slots=True)
class Bound:
    """An edition with one reader's values in it."""

    subject: str
    preheader: str
    html: str
    text: str


@dataclass(frozen=True, slots=True)
class _Filled:
    """What the templates made, before any engine saw it."""

    subject: str
    preheader: str
    mjml: str
    inline_css: str
    text: str
    registry: SlotRegistry


def compile_edition(
    issue: Issue, source: Source, theme: Theme, settings: Settings, material: Material
) -> Edition:
    """Compile an issue in its language.

    Args:
        issue: what the editor wrote.
        source: where each value of it stands in its file.
        theme: templates, style sheets and words.
        settings: of which rendering uses the list, the sender, the organisation,
            the archive, where pictures and downloads go, and the readers' fields.
        material: the issue's pictures and documents.

    Raises:
        TemplateError: something in the theme is wrong; names its file and line.
        IssueError: the issue holds what a mail cannot.
    """
    stages = compile_stages(issue, source, theme, settings, material)
    return Edition(
        issue_id=issue.id,
        language=issue.language,
        subject=stages.subject,
        preheader=stages.preheader,
        html=stages.html,
        text=stages.text,
        slots=stages.slots,
        enclosures=MailPlaces(issue, source, material, settings).enclosures(),
    )


def compile_stages(
    issue: Issue, source: Source, theme: Theme, settings: Settings, material: Material
) -> Stages:
    """Like :func:`compile_edition`, with what each step made on the way."""
    filled = _fill(issue, source, theme, settings, material)
    stages = _convert(filled, Blame(issue, source, theme))
    check_slots(stages, filled.registry, theme)
    return stages


def render_bound(
    issue: Issue,
    source: Source,
    theme: Theme,
    settings: Settings,
    material: Material,
    values: Mapping[str, str],
) -> Bound:
    """The slow road: a reader's values go in before MJML and premailer, not after.

    Binding the compiled edition gives the same bytes, thousands of times
    faster; this is what it is measured against.
    """
    filled = _fill(issue, source, theme, settings, material)
    slots = {slot.token: slot for slot in filled.registry.slots}
    of_reader = replace(
        filled,
        subject=bind(filled.subject, slots, values),
        preheader=bind(filled.preheader, slots, values),
        # Prepared once before, so that values meet double quotes wherever they stand.
        mjml=bind(prepare_mjml(filled.mjml), slots, values),
        text=bind(filled.text, slots, values),
    )
    stages = _convert(of_reader, Blame(issue, source, theme))
    return Bound(stages.subject, stages.preheader, stages.html, stages.text)


def _fill(
    issue: Issue, source: Source, theme: Theme, settings: Settings, material: Material
) -> _Filled:
    registry = SlotRegistry(nonce_for(_sources(issue, theme, settings, material)))
    vocabulary = Vocabulary(issue, source, theme, settings, material, registry)
    refuse_bad_markdown(vocabulary, source)
    css = render_template(INLINE_CSS, vocabulary, context="html")
    if TOKEN.search(css):
        raise TemplateError(
            "A reader's field stands in a style sheet, which is the same for all.",
            where=Where(theme.path(INLINE_CSS)),
            next="Print it in a template.",
        )
    subject = vocabulary.merge(issue.subject, "header")
    preheader = vocabulary.merge(issue.preheader, "header")
    mjml = render_template(MAIL, vocabulary, context="html")
    for name, made, most in ((INLINE_CSS, css, _MOST_CSS), (MAIL, mjml, _MOST_MJML)):
        if len(made) > most:
            raise TemplateError(
                f"The template makes more than {most:,} characters.",
                where=Where(theme.path(name)),
                next="Gmail shows 102 KB of a mail; look for what is repeated.",
            )
    return _Filled(
        subject=subject,
        preheader=preheader,
        mjml=mjml,
        inline_css=css,
        text=_tidy(render_template(TEXT, vocabulary, context="text")),
        registry=registry,
    )


def _sources(issue: Issue, theme: Theme, settings: Settings, material: Material) -> list[str]:
    """All that rendering depends on, and so all that a token must not occur in."""
    organisation, _ = settings.organisation_in(issue.language)
    used = settings.model_copy(update={"organisation": organisation}).model_dump_json(
        include={
            "list": {"name", "id"},
            "sender": True,
            "organisation": True,
            "archive": {"url"},
            "mail": True,
        },
        exclude={"organisation": {"translations"}},
    )
    return [
        issue.id,
        issue.model_dump_json(),
        json.dumps(_of_mail(theme), ensure_ascii=False, sort_keys=True),
        theme.look.model_dump_json(),
        json.dumps(
            {k: dict(v) for k, v in theme.words.items()}, ensure_ascii=False, sort_keys=True
        ),
        used,
        *(f"{each.name} {each.width} {each.height}" for each in material.shown),
        *(f"{each.digest} {each.name}" for each in material.documents.values()),
    ]


def _of_mail(theme: Theme) -> dict[str, str]:
    """The files that a mail is made from; the web pages are none of its business."""
    return {name: text for name, text in theme.files.items() if not name.startswith("web/")}


def _convert(filled: _Filled, blame: Blame) -> Stages:
    problems = lint_mjml(filled.mjml)
    if problems:
        raise blame.of_problems(problems, filled.mjml)
    prepared = prepare_mjml(filled.mjml)
    try:
        raw = to_html(prepared)
    except EngineError as error:
        raise blame.of_engine(error, prepared) from None
    try:
        inlined = inline_css(raw, filled.inline_css)
    except InlineError as error:
        raise TemplateError(
            f"The style sheet cannot be inlined: {error}.",
            where=Where(blame.theme.path(INLINE_CSS)),
            next="Keep to simple rules for elements and classes there.",
        ) from None
    html = finish(inlined)
    for lost in losses(raw, html):
        raise TemplateError(
            f"Rendering damaged the mail: {lost}",
            where=Where(blame.theme.path(MAIL)),
            next="Look for unusual CSS or comments in the theme.",
        )
    return Stages(
        filled.subject,
        filled.preheader,
        filled.mjml,
        raw,
        inlined,
        html,
        filled.text,
        filled.registry.slots,
    )


def _tidy(text: str) -> str:
    """No space at line ends, one blank line in a row at most, one line break at the end."""
    lines = "\n".join(line.rstrip(" \t") for line in text.split("\n"))
    return re.sub(r"\n{3,}", "\n\n", lines).strip("\n") + "\n"
