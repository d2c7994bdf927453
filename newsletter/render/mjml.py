r"""The MJML engine behind one function, with its faults mended. No I/O.

mjml-python (the Rust library mrml) prints attribute values as Rust would debug
them: a no-break space becomes ``\u{a0}``, a line break ``\n``, a quotation
mark ``\"``. Values of nothing but ASCII and numeric references come through.
It takes a padding with a ``0`` without unit in it for none on any side, so that
tables for Outlook come out wider than what they stand in. :func:`prepare_mjml`
mends both. The engine checks little; see lint.py.
"""

from __future__ import annotations

import re

from newsletter.render.markup import Piece, pieces
from newsletter.render.urls import ascii_url

_URL_ATTRIBUTES = frozenset({"href", "src", "background", "background-url"})
_SPACE = re.compile(r"(?<! ) *+[\t\r\n][ \t\r\n]*+")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_UNSAFE = re.compile(r'["\\]|[^\x20-\x7e]')
_PADDING = re.compile(r"padding(?:-(?:top|right|bottom|left))?|inner-padding")
_TO_MEND = re.compile(r"['\\]|padding|[\x00-\x1f\x7f-\x9f]")
_BARE_ZERO = re.compile(r"(?<!\S)0(?!\S)")
_POSITION = re.compile(r"position (\d+):(\d+)")


class EngineError(Exception):
    """The engine refused the MJML. ``offset`` is where, if it told, in characters."""

    def __init__(self, message: str, offset: int | None) -> None:
        super().__init__(message)
        self.offset = offset


def to_html(prepared: str) -> str:
    """Turn MJML that :func:`prepare_mjml` prepared into HTML.

    Without ``fonts={}`` the engine would link fonts from a server abroad, and
    authors' comments must not reach readers.

    Raises:
        EngineError: the engine cannot read it, or broke down over it.
    """
    from mjml import mjml2html

    try:
        html: str = mjml2html(prepared, disable_comments=True, fonts={}, include_loader=None)
    except ValueError as error:
        raise EngineError(str(error), _offset(str(error), prepared)) from None
    except BaseException as error:
        # A panic in Rust is no Exception, so that nobody catches it by accident.
        if type(error).__name__ != "PanicException":
            raise
        raise EngineError("the engine broke down over it", None) from None
    return html


def prepare_mjml(mjml: str) -> str:
    """Rewrite attribute values, and the title, so that the engine reads and prints them right.

    They become ASCII with numeric references, and a ``0`` in a padding becomes ``0px``.
    """
    prepared: list[str] = []
    inside = ""
    for piece in pieces(mjml):
        if piece.kind == "open":
            inside = piece.name
            prepared.append(_prepared_tag(piece))
        # The engine repeats the title in the attribute aria-label.
        elif piece.kind == "text" and inside == "mj-title":
            prepared.append(_ascii(piece.text))
        else:
            inside = "" if piece.kind == "close" else inside
            prepared.append(piece.text)
    return "".join(prepared)


def _prepared_tag(piece: Piece) -> str:
    if not piece.rest or (piece.rest.isascii() and not _needs_work(piece.rest)):
        return piece.text
    parts = [f"<{piece.name}"]
    for attribute in piece.attributes:
        if attribute.value is None:
            parts.append(f" {attribute.name}")
            continue
        value = attribute.value
        if attribute.name in _URL_ATTRIBUTES:
            value = ascii_url(value)
        elif piece.name.startswith("mj-") and _PADDING.fullmatch(attribute.name):
            value = _BARE_ZERO.sub("0px", " ".join(value.split()))
        parts.append(f' {attribute.name}="{_ascii(value)}"')
    return "".join(parts) + ("/>" if piece.self_closing else ">")


def _needs_work(rest: str) -> bool:
    return _TO_MEND.search(rest) is not None


def _ascii(value: str) -> str:
    cleaned = _CONTROL.sub("", _SPACE.sub(" ", value))
    return _UNSAFE.sub(lambda found: f"&#{ord(found.group())};", cleaned)


def _offset(message: str, mjml: str) -> int | None:
    """The place that an error of the engine names; it counts in bytes of UTF-8."""
    found = _POSITION.search(message)
    if not found:
        return None
    return len(mjml.encode()[: int(found[1])].decode(errors="ignore"))
