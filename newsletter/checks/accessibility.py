"""What keeps readers with assistive technology out, in the markup itself. No I/O.

With the checks of language, headings, colours, pictures and links these are the criteria of
the Email Markup Consortium's accessibility reports of 2025 and 2026.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from newsletter.checks.check_input import CheckInput
from newsletter.checks.finding import Flaw, Severity, check
from newsletter.checks.page import INLINE, is_hidden, visible_text
from newsletter.checks.styles import declarations

if TYPE_CHECKING:
    from lxml.html import HtmlElement

_LEAST_ZOOM = 2
"""A page may forbid to enlarge it further than this (WCAG 2.2, 1.4.4: 200 %)."""
# The roles and attributes of WAI-ARIA 1.2 and 1.3, the attributes without “aria-”.
_ROLES = """
    alert alertdialog application article banner blockquote button caption cell checkbox code
    columnheader combobox complementary contentinfo definition deletion dialog document emphasis
    feed figure form generic grid gridcell group heading img insertion link list listbox listitem
    log main marquee math menu menubar menuitem menuitemcheckbox menuitemradio meter navigation
    none note option paragraph presentation progressbar radio radiogroup region row rowgroup
    rowheader scrollbar search searchbox separator slider spinbutton status strong subscript
    superscript switch tab table tablist tabpanel term textbox time timer toolbar tooltip tree
    treegrid treeitem
"""
_ATTRIBUTES = """
    activedescendant atomic autocomplete braillelabel brailleroledescription busy checked
    colcount colindex colindextext colspan controls current describedby description details
    disabled errormessage expanded flowto haspopup hidden invalid keyshortcuts label labelledby
    level live modal multiline multiselectable orientation owns placeholder posinset pressed
    readonly relevant required roledescription rowcount rowindex rowindextext rowspan selected
    setsize sort valuemax valuemin valuenow valuetext
"""
_YES_OR_NO = "atomic busy disabled hidden modal multiline readonly required"
_TO_IDS = "activedescendant controls describedby details flowto labelledby owns"


@check("table-role", why="Screen readers announce rows and columns of a table without a role.")
def table_role(given: CheckInput) -> Iterator[Flaw]:
    """A table without headings of rows or columns that is not marked as layout."""
    bare = sum(
        table.get("role") not in {"presentation", "none"} and next(table.iter("th"), None) is None
        for table in given.page.iter("table")
    )
    if bare:
        yield Flaw(
            Severity.ERROR,
            f"{bare} tables are neither marked as layout nor have headings.",
            'Write role="presentation" in a table for layout, and <th> in a table of data.',
            given.theme_place,
        )


@check("duplicate-id", why="Links and screen readers find only the first of two equal ids.")
def duplicate_id(given: CheckInput) -> Iterator[Flaw]:
    """An id that two elements have."""
    ids = Counter(element.get("id") for element in given.page.iter() if element.get("id"))
    for name, times in ids.items():
        if times > 1:
            yield Flaw(
                Severity.ERROR,
                f"{times} elements have the id “{name}”.",
                "Give each element an id of its own, or none.",
                given.theme_place,
            )


@check("zoom-disabled", why="Readers with low vision enlarge mails with two fingers.")
def zoom_disabled(given: CheckInput) -> Iterator[Flaw]:
    """A viewport that does not let readers enlarge the mail."""
    for meta in given.page.iter("meta"):
        if (meta.get("name") or "").lower() != "viewport":
            continue
        said = dict(_VIEWPORT.findall((meta.get("content") or "").lower()))
        most = said.get("maximum-scale", "")
        if said.get("user-scalable") in {"no", "0"} or (
            _NUMBER.fullmatch(most) and float(most) < _LEAST_ZOOM
        ):
            yield Flaw(
                Severity.ERROR,
                "The mail does not let readers enlarge it.",
                "Remove user-scalable and maximum-scale from the viewport.",
                given.theme_place,
            )


_VIEWPORT = re.compile(r"([a-z-]+)\s*=\s*([^\s,;]+)")
_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]+)?")


@check("link-colour-only", why="Readers who see no colours cannot tell such a link from the text.")
def link_colour_only(given: CheckInput) -> Iterator[Flaw]:
    """A link within text that only its colour tells apart."""
    for link in given.page.iter("a"):
        around = next((e for e in link.iterancestors() if e.tag not in INLINE), None)
        if around is None or not link.get("href") or _stands_out(link) or _is_unseen(link):
            continue
        text = visible_text(around)
        linked = [visible_text(each) for each in around.iter("a")]
        if len("".join(text.split())) > len("".join("".join(linked).split())):
            place = given.place_of(visible_text(link))
            yield Flaw(
                Severity.WARNING,
                f"The link “{visible_text(link)}” differs from the text around it by colour alone.",
                "Underline it.",
                place,
            )


def _stands_out(link: HtmlElement) -> bool:
    declared = declarations(link.get("style") or "")
    decoration = declared.get("text-decoration", "") + declared.get("text-decoration-line", "")
    return (
        "none" not in decoration
        or "background" in declared
        or any(name.startswith("border") for name in declared)
        or declared.get("font-weight", "400") not in {"400", "normal"}
    )


def _is_unseen(link: HtmlElement) -> bool:
    return any(is_hidden(each) for each in (link, *link.iterancestors()))


@check("aria-valid", why="Screen readers ignore what they do not know, or read out nonsense.")
def aria_valid(given: CheckInput) -> Iterator[Flaw]:
    """A role or an ARIA attribute that does not exist, or a value that it cannot have."""
    ids = {element.get("id") for element in given.page.iter()}
    wrong: dict[str, None] = {}
    for element in given.page.iter():
        for name, value in element.attrib.items():
            if _is_wrong(name, value, ids):
                wrong[f'{name}="{value}"'] = None
    for said in wrong:
        yield Flaw(
            Severity.ERROR,
            f"{said[:80]} says nothing in WAI-ARIA 1.2.",
            "Correct it, or take it out.",
            given.theme_place,
        )


def _is_wrong(name: str, value: str, ids: set[str | None]) -> bool:
    if name == "role":
        return not value.split() or not set(value.split()).issubset(_ROLES.split())
    kind, _, word = name.partition("-")
    if kind != "aria":
        return False
    if word in _YES_OR_NO.split():
        return value not in {"true", "false"}
    if word in _TO_IDS.split():
        return not ids.issuperset(value.split())
    return word not in _ATTRIBUTES.split() or not value.strip()
