"""premailer behind one function: style sheet rules into style attributes. No I/O.

Its defaults break a mail: they delete the doctype, strip ``!important`` from
media queries, rewrite the width of pictures, inline MJML's own reset and fetch
linked style sheets from the network. Only ``css/inline.css`` is inlined here;
every ``<style>`` that MJML made is shielded and comes out as it went in.
"""

from __future__ import annotations

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


class InlineError(Exception):
    """The style sheet or a style attribute cannot be worked with."""


def inline_css(html: str, css: str) -> str:
    """Write the rules of ``css`` into the elements they match.

    Raises:
        InlineError: premailer gave up; the message says over what.
    """
    from premailer import Premailer

    html = _DOCTYPE.sub("<!DOCTYPE html>", html, count=1)
    shielded = _STYLE.sub(lambda found: found[1] or f"<style{_SHIELD}", html)
    try:
        inlined: str = Premailer(shielded, css_text=[css], **_OPTIONS).transform(pretty_print=False)
    except Exception as error:  # cssutils and lxml raise what they like over bad CSS
        raise InlineError(str(error) or type(error).__name__) from error
    if not inlined.startswith("<!DOCTYPE html>") or "data-premailer" in inlined:
        raise InlineError("the mail came back without its doctype or with marks in it")
    return inlined
