"""What a mail program computes from a mail's styles, as far as colours and sizes go."""

from __future__ import annotations

import re
from collections.abc import Iterator

import cssselect
from lxml.html import HtmlElement

Styles = dict[HtmlElement, dict[str, str]]
"""Each element's own declarations."""

_RULE = re.compile(r"([^{}]+)\{([^{}]*)\}")
_SILENT = ("head", "title", "style", "meta")


def rules(css: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Each selector of a style sheet with its declarations; media queries are entered."""
    plain = re.sub(r"/\*.*?\*/", "", css, flags=re.DOTALL)
    inner = re.sub(r"@media[^{]*\{((?:[^{}]*\{[^{}]*\})*)\s*\}", r"\1", plain)
    for selectors, block in _RULE.findall(inner):
        for selector in selectors.split(","):
            yield selector.strip(), declarations(block)


def declarations(block: str) -> dict[str, str]:
    pairs = (item.split(":", maxsplit=1) for item in block.split(";") if ":" in item)
    return {name.strip().lower(): value.strip() for name, value in pairs}


def inline_styles(page: HtmlElement) -> Styles:
    return {
        element: declarations(element.get("style", ""))
        for element in page.iter()
        if isinstance(element.tag, str)
    }


def with_sheet(page: HtmlElement, styles: Styles, css: str) -> Styles:
    """``styles`` overruled by a style sheet whose rules are all !important."""
    ranked: list[tuple[tuple[int, int, int], int, str, dict[str, str]]] = []
    for order, (selector, declared) in enumerate(rules(css)):
        if not selector.startswith(":root"):
            specificity = cssselect.parse(selector)[0].specificity()
            ranked.append((specificity, order, selector, declared))
    laid_over = {element: dict(own) for element, own in styles.items()}
    for _, _, selector, declared in sorted(ranked, key=lambda each: each[:2]):
        for element in page.cssselect(selector):
            for name, value in declared.items():
                laid_over[element][name] = value.removesuffix("!important").strip()
    return laid_over


def texts(page: HtmlElement, styles: Styles) -> Iterator[tuple[HtmlElement, str]]:
    """Each element that shows text of its own, or stands for a picture, with that text."""
    for element in page.find("body").iter():
        if not isinstance(element.tag, str) or element.tag in _SILENT:
            continue
        around = (element, *element.iterancestors())
        if any(styles[each].get("display") == "none" for each in around):
            continue
        own = (element.get("alt") or "") + (element.text or "")
        own += "".join(child.tail or "" for child in element)
        if own.strip():
            yield element, own.strip()


def inherited(element: HtmlElement, styles: Styles, *names: str) -> str:
    """The value that holds for an element: its own or the nearest ancestor's."""
    for each in (element, *element.iterancestors()):
        for name in names:
            if name in styles[each]:
                return styles[each][name]
    raise AssertionError(f"nothing says {names[0]} for <{element.tag}>")


def contrast(one: str, other: str) -> float:
    """The contrast ratio of two colours (WCAG 2.2, 1.4.3)."""
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: str) -> float:
    digits = colour.removeprefix("#")
    if len(digits) == 3:
        digits = "".join(digit * 2 for digit in digits)
    channels = [int(digits[place : place + 2], 16) / 255 for place in (0, 2, 4)]
    red, green, blue = (
        each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in channels
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
