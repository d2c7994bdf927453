"""premailer behind one function: style sheet rules into style attributes. No I/O.

Its defaults break a mail: they delete the doctype, strip ``!important`` from
media queries, rewrite the width of pictures, inline MJML's own reset and fetch
linked style sheets from the network. Only ``css/inline.css`` is inlined here;
every ``<style>`` that MJML made is shielded and comes out as it went in.
"""

from __future__ import annotations

import functools
import logging
import re
from typing import Any

_OPTIONS: dict[str, Any] = {
    "allow_network": False,
    "allow_loading_external_files": False,
    # Would be joined to tokens of slots.
    "base_url": None,
    "keep_style_tags": False,
    "strip_important": False,
    # Media queries hang on the classes.
    "remove_classes": False,
    "disable_basic_attributes": ["width", "height", "align", "valign", "bgcolor"],
    "disable_validation": True,
    "align_floating_images": False,
    "exclude_pseudoclasses": True,
    "cssutils_logging_level": logging.CRITICAL,
}
_SHIELD = ' data-premailer="ignore"'
# The first alternative steps over comments: a mark inside a conditional comment
# would stay in the mail. premailer itself leaves <style media=…> alone.
_STYLE = re.compile(r"(<!--.*?(?:-->|\Z))|<style\b(?![^>]*\bmedia=)", re.DOTALL)
# premailer compares with the doctype in capitals and deletes any other.
_DOCTYPE = re.compile(r"^\s*<!doctype html>", re.IGNORECASE)


_MOST_MATCHES = 2_000_000
"""Selectors times tags; 25 times what the March 2017 issue takes."""
_MOST_WRITTEN = 100_000_000
"""Characters that rules could write into tags."""
_MOST_STEPS = 4
"""``.a .b .c .d``: each step down multiplies what is looked at."""
_STEP_DOWN = re.compile(r"[\s>+]+")


class InlineError(Exception):
    """The style sheet or a style attribute cannot be worked with; ``rule`` is the selector."""

    def __init__(self, message: str, rule: str = "") -> None:
        super().__init__(message)
        self.rule = rule


def _refuse_slow(css: str, html: str) -> None:
    selectors = [
        selector.strip()
        for prelude in css.split("{")[:-1]
        for selector in prelude.rpartition("}")[2].rpartition("*/")[2].split(",")
    ]
    for selector in selectors:
        if "~" in selector.replace("~=", ""):
            raise InlineError(f"“{selector[:60]}” selects by what stands before it", selector)
        if len(_STEP_DOWN.split(selector)) > _MOST_STEPS:
            raise InlineError(f"“{selector[:60]}” has more than {_MOST_STEPS} steps", selector)
    tags = html.count("<")
    if len(selectors) * tags > _MOST_MATCHES or len(css) * tags > _MOST_WRITTEN:
        raise InlineError("it has too many rules for a mail of that size")


@functools.cache
def _inliner() -> Any:
    """A Premailer, imported when first needed, that works a style sheet out once.

    It writes each value of each rule anew for every mail, which takes half of its time;
    the languages of an issue share their style sheet.
    """
    from premailer import Premailer

    class Inliner(Premailer):  # type: ignore[misc] # it ships no types
        def _parse_style_rules(self, css_body: str, ruleset_index: int) -> Any:
            return rules(css_body, ruleset_index)

    @functools.lru_cache(maxsize=4)
    def rules(css: str, index: int) -> Any:
        return Premailer(**_OPTIONS)._parse_style_rules(css, index)  # noqa: SLF001 - the overridden

    return Inliner


def inline_css(html: str, css: str) -> str:
    """Write the rules of ``css`` into the elements they match.

    Raises:
        InlineError: premailer gave up; the message says over what.
    """
    _refuse_slow(css, html)
    html = _DOCTYPE.sub("<!DOCTYPE html>", html, count=1)
    shielded = _STYLE.sub(lambda found: found[1] or f"<style{_SHIELD}", html)
    try:
        inliner = _inliner()(shielded, css_text=[css], **_OPTIONS)
        inlined: str = inliner.transform(pretty_print=False)
    except Exception as error:  # cssutils and lxml raise what they like over bad CSS
        raise InlineError(str(error) or type(error).__name__) from error
    if not inlined.startswith("<!DOCTYPE html>") or "data-premailer" in inlined:
        raise InlineError("the mail came back without its doctype or with marks in it")
    return inlined
