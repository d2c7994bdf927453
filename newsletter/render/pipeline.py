"""Issue to Edition: Jinja2, MJML, premailer, last pass. No I/O, no clock, no randomness.

The same issue, theme and settings give the same bytes, in any process.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import islice

from newsletter.errors import Problem, TemplateError, Where
from newsletter.phrases import count
from newsletter.render.css_lint import lint_css
from newsletter.render.edition import CompileInput, Edition, Stages
from newsletter.render.html_finish import finish, losses
from newsletter.render.inline import InlineError, inline_css
from newsletter.render.lint import lint_mjml
from newsletter.render.mail_urls import MailUrls
from newsletter.render.mail_vocabulary import MailVocabulary
from newsletter.render.markdown_faults import refuse_bad_markdown
from newsletter.render.mjml import EngineError, prepare_mjml, to_html
from newsletter.render.mjml_errors import MjmlErrors
from newsletter.render.slot_faults import refuse_slot_faults
from newsletter.render.slots import TOKEN, SlotContext, SlotRegistry, bind, nonce_for
from newsletter.render.template import render_template
from newsletter.render.template_lines import Origins
from newsletter.theme import INLINE_CSS, MAIL, TEXT, Theme

_MOST_PROBLEMS = 20
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


def compile_edition(given: CompileInput) -> Edition:
    """Compile an issue in its language.

    Raises:
        TemplateError: something in the theme is wrong; names its file and line.
        IssueError: the issue holds what a mail cannot.
    """
    stages = compile_stages(given)
    return Edition(
        issue_id=given.issue.id,
        language=given.issue.language,
        subject=stages.subject,
        preheader=stages.preheader,
        html=stages.html,
        text=stages.text,
        slots=stages.slots,
        enclosures=MailUrls(given).enclosures(),
    )


def compile_stages(given: CompileInput) -> Stages:
    """Like :func:`compile_edition`, with what each step made on the way."""
    filled = _fill(given)
    stages = _convert(filled, given)
    refuse_slot_faults(stages, filled.registry, given.theme)
    return stages


def render_bound(given: CompileInput, values: Mapping[str, str]) -> Bound:
    """The slow way: a reader's values go in before MJML and premailer, not after.

    Binding the compiled edition gives the same bytes, thousands of times
    faster; this is what it is measured against.
    """
    filled = _fill(given)
    slots = {slot.token: slot for slot in filled.registry.slots}
    of_reader = replace(
        filled,
        subject=bind(filled.subject, slots, values),
        preheader=bind(filled.preheader, slots, values),
        # Prepared once before, so that values meet double quotes wherever they stand.
        mjml=bind(prepare_mjml(filled.mjml), slots, values),
        text=bind(filled.text, slots, values),
    )
    stages = _convert(of_reader, given)
    return Bound(stages.subject, stages.preheader, stages.html, stages.text)


def _fill(given: CompileInput) -> _Filled:
    registry = SlotRegistry(nonce_for(_sources(given)))
    vocabulary = MailVocabulary(given, registry)
    refuse_bad_markdown(vocabulary)
    css = render_template(INLINE_CSS, vocabulary, context="html")
    if TOKEN.search(css):
        raise TemplateError(
            "A reader's field stands in a style sheet, which is the same for all.",
            where=Where(given.theme.path(INLINE_CSS)),
            next="Print it in a template.",
        )
    subject = vocabulary.merge(given.issue.subject, "header")
    preheader = vocabulary.merge(given.issue.preheader, "header")
    problems = [
        Problem(bad.what, _rule_at(bad.offset, given), bad.next)
        for bad in islice(lint_css(css), _MOST_PROBLEMS)
    ]
    if problems:
        raise TemplateError(
            f"The style sheet has {count(len(problems), 'mistake')}.",
            where=problems[0].where,
            next="Mend the style sheet; mail programs drop what they cannot read.",
            problems=problems,
        )
    mjml = render_template(MAIL, vocabulary, context="html")
    for name, made, most in ((INLINE_CSS, css, _MOST_CSS), (MAIL, mjml, _MOST_MJML)):
        if len(made) > most:
            raise TemplateError(
                f"The template makes more than {most:,} characters.",
                where=Where(given.theme.path(name)),
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


def _sources(given: CompileInput) -> list[str]:
    """All that rendering depends on, and so all that a token must not occur in."""
    issue, theme, settings = given.issue, given.theme, given.settings
    organisation, _ = settings.organisation_in(issue.language)
    list_name, _ = settings.list_name_in(issue.language)
    shown = {
        "organisation": organisation,
        "list": settings.list.model_copy(update={"name": list_name}),
        "sender": settings.sender_in(issue.language),
    }
    used = settings.model_copy(update=shown).model_dump_json(
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
        # The day of a correction stands on the page alone: the mail stays as it was approved.
        issue.model_dump_json(exclude={"corrected"}),
        json.dumps(_of_mail(theme), ensure_ascii=False, sort_keys=True),
        theme.settings.model_dump_json(),
        json.dumps(
            {k: dict(v) for k, v in theme.words.items()}, ensure_ascii=False, sort_keys=True
        ),
        used,
        *(f"{each.name} {each.width} {each.height}" for each in given.material.shown),
        *(f"{each.digest} {each.name}" for each in given.material.documents.values()),
    ]


def _of_mail(theme: Theme) -> dict[str, str]:
    """The files that a mail is made from; the web pages are none of its business."""
    return {name: text for name, text in theme.files.items() if not name.startswith("web/")}


def _convert(filled: _Filled, given: CompileInput) -> Stages:
    problems = lint_mjml(filled.mjml)
    if problems:
        raise MjmlErrors(given, origins(MAIL, given)).of_problems(problems, filled.mjml)
    prepared = prepare_mjml(filled.mjml)
    try:
        raw = to_html(prepared)
    except EngineError as error:
        raise MjmlErrors(given, origins(MAIL, given)).of_engine(error, prepared) from None
    try:
        inlined = inline_css(raw, filled.inline_css)
    except InlineError as error:
        raise TemplateError(
            f"The style sheet cannot be inlined: {error}.",
            where=_rule_at(filled.inline_css.find(error.rule) if error.rule else None, given),
            next="Keep to simple rules for elements and classes there.",
        ) from None
    html = finish(inlined)
    for lost in losses(raw, html):
        raise TemplateError(
            f"Rendering damaged the mail: {lost}",
            where=Where(given.theme.path(MAIL)),
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


def origins(name: str, given: CompileInput) -> Origins | None:
    """Where what a template makes was written; None if a second rendering does too much."""
    vocabulary = MailVocabulary(given, SlotRegistry(nonce_for(_sources(given))))
    context: SlotContext = "text" if name == TEXT else "html"
    try:
        return Origins(render_template(name, vocabulary, context=context, marks=True))
    except TemplateError:
        return None


def _rule_at(offset: int | None, given: CompileInput) -> Where:
    """The line of css/inline.css that wrote a place of it."""
    made = origins(INLINE_CSS, given) if offset is not None else None
    origin = made.at(offset) if made and offset is not None else None
    if origin is None:
        return Where(given.theme.path(INLINE_CSS))
    return Where(given.theme.path(origin.file), origin.line)


def _tidy(text: str) -> str:
    """No space at line ends, one blank line in a row at most, one line break at the end."""
    lines = "\n".join(line.rstrip(" \t") for line in text.split("\n"))
    return re.sub(r"\n{3,}", "\n\n", lines).strip("\n") + "\n"
