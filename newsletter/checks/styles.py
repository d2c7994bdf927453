"""What a mail program computes from a mail's styles, as far as reading goes. No I/O.

Light is what is written into the elements, which every program honours. Dark
is that, overruled by the style sheets for dark colours.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lxml.html import HtmlElement

Declared = Mapping[str, str]
"""Properties and their values."""

_COMMENT = re.compile(r"/\*.*?(?:\*/|\Z)", re.DOTALL)
_MEDIA = re.compile(r"@media([^{}@]*+)\{((?:[^{}]*+\{[^{}]*+\})*+)\s*+\}")
_RULE = re.compile(r"(?<![^{}])([^{}]++)\{([^{}]*+)\}")
_COLOUR = re.compile(r"#[0-9a-f]{3}(?:[0-9a-f]{3})?\b", re.IGNORECASE)
_GROUND = {"background-color": "background"}
"""A ground is a ground, whichever of the two properties says it."""
_NAMED = {"white": "#ffffff", "black": "#000000"}
_LENGTH = re.compile(r"([0-9.]+)(px|pt|em|rem|%)?")
_BOLD = frozenset({"b", "strong", "th", "h1", "h2", "h3", "h4", "h5", "h6"})
_SILENT = frozenset({"head", "title", "style", "script"})


@dataclass(frozen=True, slots=True)
class StyleRule:
    """One selector of a style sheet with its declarations, and the media query around it."""

    selector: str
    declared: Declared
    media: str


@dataclass(frozen=True, slots=True)
class Manner:
    """How an element shows text; colours as ``#rrggbb``, None where that cannot be told."""

    colour: str | None = "#000000"
    ground: str | None = "#ffffff"
    size: float = 16
    bold: bool = False
    decoration: bool = False


@dataclass(frozen=True, slots=True)
class ShownText:
    """A text that readers see, and how."""

    text: str
    manner: Manner


def rules(css: str) -> Iterator[StyleRule]:
    """Each selector of a style sheet, those in media queries included."""
    plain = _COMMENT.sub("", css)
    for query, block in _MEDIA.findall(plain):
        yield from _rules(block, query.strip())
    yield from _rules(_MEDIA.sub("", plain), "")


def _rules(css: str, media: str) -> Iterator[StyleRule]:
    for selectors, block in _RULE.findall(css):
        for selector in selectors.split(","):
            yield StyleRule(selector.strip(), declarations(block), media)


def declarations(block: str) -> dict[str, str]:
    """The declarations of a style attribute or of one rule."""
    said: dict[str, str] = {}
    for item in block.split(";"):
        name, colon, value = item.partition(":")
        if colon:
            said[_GROUND.get(name.strip().lower(), name.strip().lower())] = value.strip()
    return said


def dark_rules(page: HtmlElement) -> list[StyleRule]:
    """The rules of the mail's own style sheets for who reads in the dark."""
    return [
        rule
        for style in page.iter("style")
        for rule in rules(style.text or "")
        if re.search(r"prefers-color-scheme\s*:\s*dark", rule.media)
    ]


def shown_texts(page: HtmlElement, over: Sequence[StyleRule] = ()) -> Iterator[ShownText]:
    """Every text that a reader sees, and every picture's description, in order.

    Args:
        page: the mail.
        over: rules of style sheets; they overrule what is written into the
            elements where they are ``!important``.
    """
    body = page.find("body")
    if body is not None:
        yield from _texts(body, Manner(), _overruled(page, over))


def _overruled(page: HtmlElement, over: Sequence[StyleRule]) -> dict[HtmlElement, dict[str, str]]:
    """For each element what the rules say of it, the most specific last word."""
    import cssselect

    ranked = []
    for order, rule in enumerate(over):
        try:
            specificity = cssselect.parse(rule.selector)[0].specificity()
            ranked.append((specificity, order, rule))
        except cssselect.SelectorError:  # ::after and the like select no text of the mail
            continue
    found: dict[HtmlElement, dict[str, str]] = {}
    for _, _, rule in sorted(ranked, key=lambda each: each[:2]):
        for element in _selector(rule.selector)(page):
            known = found.setdefault(element, {})
            for name, value in rule.declared.items():
                if _weighs(value) or not _weighs(known.get(name, "")):
                    known[name] = value
    return found


@functools.lru_cache(maxsize=256)
def _selector(selector: str) -> Any:
    """What finds the elements that a selector selects."""
    from lxml.cssselect import CSSSelector

    return CSSSelector(selector, translator="html")


def _weighs(value: str) -> bool:
    return value.endswith("!important")


def _texts(
    element: HtmlElement, around: Manner, over: dict[HtmlElement, dict[str, str]]
) -> Iterator[ShownText]:
    if not isinstance(element.tag, str) or element.tag in _SILENT:
        return
    declared = declarations(element.get("style") or "")
    if declared.get("display") == "none":
        return
    declared |= {
        name: value
        for name, value in over.get(element, {}).items()
        if name not in declared or _weighs(value)
    }
    manner = _manner(element, declared, around)
    own = (element.text or "") + "".join(child.tail or "" for child in element)
    said = own.strip() or (element.get("alt") or "").strip()
    if said and not manner.decoration:
        yield ShownText(" ".join(said.split()), manner)
    for child in element:
        yield from _texts(child, manner, over)


def _manner(element: HtmlElement, declared: Declared, around: Manner) -> Manner:
    ground = declared.get("background") or element.get("bgcolor")
    return Manner(
        colour=_colour(declared["color"], around.colour) if "color" in declared else around.colour,
        ground=_colour(ground, around.ground) if ground else around.ground,
        size=_size(declared.get("font-size", ""), around.size),
        bold=_bold(declared.get("font-weight", ""), around.bold or element.tag in _BOLD),
        decoration=around.decoration or element.get("aria-hidden") == "true",
    )


def _bold(value: str, inherited: bool) -> bool:
    weight = value.removesuffix("!important").strip()
    if weight.isdigit():
        return int(weight) >= 700
    return weight.startswith("bold") if weight else inherited


def _colour(value: str, inherited: str | None) -> str | None:
    plain = value.removesuffix("!important").strip().lower()
    if plain in {"inherit", "transparent", "none", "currentcolor"}:
        return inherited
    if plain in _NAMED:
        return _NAMED[plain]
    if "url(" in plain or "gradient(" in plain:
        return None
    found = _COLOUR.match(plain)
    if not found:
        return None
    digits = found.group()[1:]
    return "#" + (digits if len(digits) == 6 else "".join(digit * 2 for digit in digits))


def _size(value: str, inherited: float) -> float:
    found = _LENGTH.match(value)
    if not found:
        return inherited
    number = float(found[1])
    scale = {"pt": 4 / 3, "em": inherited, "rem": 16, "%": inherited / 100}.get(found[2] or "px", 1)
    return number * scale


def contrast(one: str, other: str) -> float:
    """The contrast ratio of two colours, from 1 to 21 (WCAG 2.2, 1.4.3)."""
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def luminance(colour: str) -> float:
    """The relative luminance of ``#rrggbb``, from 0 to 1 (WCAG 2.2)."""
    channels = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (
        each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in channels
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
