"""Renders a theme's templates with Jinja2, sandboxed; mistakes in them become sentences. No I/O.

Autoescape is on for MJML and off for text, undefined names are errors, and
nothing random or mutable is within reach of a template.
"""

from __future__ import annotations

import difflib
import re
import traceback
from collections import OrderedDict
from collections.abc import Mapping
from types import CodeType
from typing import Protocol

from jinja2 import (
    BaseLoader,
    BytecodeCache,
    Environment,
    TemplateNotFound,
    TemplateSyntaxError,
    UndefinedError,
)
from jinja2 import (
    TemplateError as JinjaError,
)
from jinja2.bccache import Bucket

from newsletter.errors import IssueError, TemplateError, Where
from newsletter.render.contract import as_in
from newsletter.render.filters import Filter
from newsletter.render.sandbox import Sandbox
from newsletter.render.slots import SlotContext
from newsletter.render.template_values import NotAllowed
from newsletter.theme import Theme

_MOST_COMPILED = 128
_MOST_LOADED = 300_000
"""Characters of all templates that one render includes; compiling them takes time."""
_LEAST_LOADED = 1_000
"""What a file counts at least, be it empty."""
_LONGEST = 300
"""Characters of what a message quotes."""


class Vocabulary(Protocol):
    """What a template can use: that of a mail, of a web page, or of a style sheet."""

    @property
    def theme(self) -> Theme:
        """The theme that holds the template."""

    def names(self, context: SlotContext) -> Mapping[str, object]:
        """Values and functions."""

    def filters(self, context: SlotContext) -> Mapping[str, Filter]:
        """Filters, besides Jinja's own."""


class _CodeCache(BytecodeCache):
    """Compiled templates by the digest of their source; holds nothing of an issue."""

    def __init__(self) -> None:
        self._codes: OrderedDict[tuple[str, str], CodeType] = OrderedDict()

    def load_bytecode(self, bucket: Bucket) -> None:
        bucket.code = self._codes.get((bucket.key, bucket.checksum))

    def dump_bytecode(self, bucket: Bucket) -> None:
        if bucket.code is not None:
            self._codes[bucket.key, bucket.checksum] = bucket.code
        while len(self._codes) > _MOST_COMPILED:
            self._codes.popitem(last=False)


_CACHES: Mapping[SlotContext, _CodeCache] = {"html": _CodeCache(), "text": _CodeCache()}


class _ThemeLoader(BaseLoader):
    """Templates from a theme in memory, under the names of their files."""

    def __init__(self, theme: Theme) -> None:
        self._theme = theme
        self._loaded = 0

    def get_source(self, environment: Environment, template: str) -> tuple[str, str, None]:
        del environment
        if template not in self._theme.files:
            raise TemplateNotFound(template)
        self._loaded += max(len(self._theme.files[template]), _LEAST_LOADED)
        if self._loaded > _MOST_LOADED:
            raise NotAllowed(
                f"The templates have more than {_MOST_LOADED:,} characters together.",
                "Include less.",
            )
        return self._theme.files[template], str(self._theme.path(template)), None


def render_template(
    name: str, vocabulary: Vocabulary, *, context: SlotContext, marks: bool = False
) -> str:
    """Render one template of the theme.

    Args:
        name: its path within the theme.
        vocabulary: what it can use.
        context: ``html`` for MJML and web pages, ``text`` for the text part and style sheets.
        marks: whether what is printed tells its line, for :class:`template_lines.Origins`.

    Raises:
        TemplateError: something in a template is wrong; names its file and line.
        IssueError: the issue leads to what is nowhere.
    """
    environment = _environment(vocabulary, context, marks=marks)
    try:
        return environment.get_template(name).render()
    except IssueError:
        raise
    except TemplateError as error:
        place = _place(error, vocabulary.theme)
        raise TemplateError(
            f"{error.what} It is used in {place}." if place.line else error.what,
            where=error.where if error.where.file else place,
            next=error.next,
        ) from None
    except TemplateSyntaxError as error:
        file = error.filename or str(vocabulary.theme.path(error.name or name))
        raise TemplateError(
            f"The template cannot be read: {_sentence(error.message)}",
            where=Where(file, error.lineno),
            next=_syntax_hint(error.message or "", environment),
        ) from None
    except Exception as error:  # noqa: BLE001 - an expression of a theme may raise anything
        where = _place(error, vocabulary.theme)
        raise TemplateError(
            *_explained(error), where=where, next=_hint(error, environment)
        ) from None


def _environment(vocabulary: Vocabulary, context: SlotContext, *, marks: bool) -> Environment:
    return Sandbox(
        _ThemeLoader(vocabulary.theme),
        _CodeCache() if marks else _CACHES[context],
        autoescape=context == "html",
        names=vocabulary.names(context),
        filters=vocabulary.filters(context),
        marks=marks,
    )


def _place(error: BaseException, theme: Theme) -> Where:
    """The innermost line of a template on the way to an error."""
    known = {str(theme.path(name)) for name in theme.files}
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if frame.filename in known:
            return Where(frame.filename, frame.lineno)
    return Where(theme.folder)


def _explained(error: Exception) -> tuple[str]:
    if isinstance(error, NotAllowed):
        return (str(error),)
    if isinstance(error, TemplateNotFound):
        return (f"The theme has no file “{_name_in(error)}”.",)
    if isinstance(error, RecursionError):
        return ("The template includes itself without end.",)
    if isinstance(error, JinjaError):
        return (f"The template uses what is not there: {_sentence(error.message)}",)
    return (f"The template cannot be worked out: {_sentence(str(error))}",)


def _name_in(error: TemplateNotFound) -> str:
    """What was looked for, which an expression may have made."""
    return error.name[:_LONGEST] if isinstance(error.name, str) else repr(error.name)


def _sentence(message: str | None) -> str:
    return (message or "it says no more")[:_LONGEST].rstrip(".") + "."


def _hint(error: Exception, environment: Environment) -> str:
    if isinstance(error, NotAllowed):
        return error.advice
    if isinstance(error, UndefinedError):
        found = re.match(r"'(\w+)' is undefined", str(error.message))
        return _did_you_mean(str(found[1]) if found else "", environment.globals)
    if isinstance(error, TemplateNotFound):
        return _did_you_mean(_name_in(error), ())
    return "“newsletter docs theme-names” lists what templates can use."


def _syntax_hint(message: str, environment: Environment) -> str:
    found = re.match(r"No (filter|test) named '(\w+)'", message)
    if found:
        return _did_you_mean(
            found[2], environment.filters if found[1] == "filter" else environment.tests
        )
    return "Look at that line and the ones above it: a block may not be closed."


def _did_you_mean(word: str, known: Mapping[str, object] | tuple[()]) -> str:
    close = difflib.get_close_matches(word, list(known), n=1)
    mean = f"Did you mean “{close[0]}”? {as_in(close[0])}" if close else ""
    return f"{mean}“newsletter docs theme-names” lists what templates can use."
