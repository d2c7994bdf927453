"""Whether every slot of an edition stands where a reader's value can stand safely. No I/O."""

from __future__ import annotations

from collections.abc import Iterator

from newsletter.errors import Problem, TemplateError, Where
from newsletter.render.edition import Stages
from newsletter.render.markup import Piece, pieces
from newsletter.render.slots import TOKEN, Slot, SlotRegistry
from newsletter.theme import MAIL, TEXT, Theme

UNSUBSCRIBE = "unsubscribe_url"
_URL_ATTRIBUTES = frozenset({"href", "src", "action", "background"})


def refuse_slot_faults(stages: Stages, registry: SlotRegistry, theme: Theme) -> None:
    """Check that no slot was lost or broken, that none is unsafe, that readers can leave.

    Raises:
        TemplateError: names each fault.
    """
    problems = [
        *_unsubscribe(stages, theme),
        *_lost(stages, theme),
        *_broken(stages, registry, theme),
        *_unsafe(stages, theme),
    ]
    if problems:
        raise TemplateError(
            "The theme does with readers' fields what a mail cannot have.",
            where=problems[0].where,
            next="“newsletter docs rendering” tells how slots are used.",
            problems=problems,
        )


def _unsubscribe(stages: Stages, theme: Theme) -> Iterator[Problem]:
    tokens = [slot.token for slot in stages.slots if slot.field == UNSUBSCRIBE]
    for part, name, call in (
        (stages.html, MAIL, f"slot_url('{UNSUBSCRIBE}')"),
        (stages.text, TEXT, f"slot('{UNSUBSCRIBE}')"),
    ):
        if not any(token in part for token in tokens):
            yield Problem(
                "Readers find no link to unsubscribe.",
                Where(theme.path(name)),
                f"Write {{{{ {call} }}}} in the footer.",
            )


def _lost(stages: Stages, theme: Theme) -> Iterator[Problem]:
    parts = (stages.subject, stages.preheader, stages.html, stages.text)
    for slot in stages.slots:
        if not any(slot.token in part for part in parts):
            part = TEXT if slot.context == "text" else MAIL
            yield Problem(
                f"The field “{slot.field}” is printed, but does not arrive in the mail.",
                Where(theme.path(part)),
                "Print it by itself, without filters, in text, in an attribute or as an address.",
            )


def _broken(stages: Stages, registry: SlotRegistry, theme: Theme) -> Iterator[Problem]:
    for part, name in ((stages.html, MAIL), (stages.text, TEXT)):
        for rest in registry.faults(part):
            yield Problem(
                f"“{rest}” is what is left of a reader's field that something changed.",
                Where(theme.path(name)),
                "Print fields by themselves, without filters.",
            )


def _unsafe(stages: Stages, theme: Theme) -> Iterator[Problem]:
    slots = {slot.token: slot for slot in stages.slots}
    for piece in pieces(stages.html):
        for what, advice, field in _unsafe_in(piece, slots):
            yield Problem(f"The field “{field}” {what}", Where(theme.path(MAIL)), advice)


def _unsafe_in(piece: Piece, slots: dict[str, Slot]) -> Iterator[tuple[str, str, str]]:
    if piece.kind in ("comment", "raw"):
        place = "a comment for Outlook" if piece.kind == "comment" else "a style sheet"
        for slot in _slots_in(piece.text, slots):
            yield f"stands in {place}.", "Print it somewhere else.", slot.field
    if piece.kind != "open" or not TOKEN.search(piece.rest):
        return
    for attribute in piece.attributes:
        for slot in _slots_in(attribute.value or "", slots):
            if attribute.name == "style":
                yield "stands in a style attribute.", "Print it somewhere else.", slot.field
            elif attribute.name in _URL_ATTRIBUTES and slot.context != "url":
                yield "stands in an address.", f"Write slot_url('{slot.field}').", slot.field


def _slots_in(text: str, slots: dict[str, Slot]) -> list[Slot]:
    return [slots[token] for token in TOKEN.findall(text) if token in slots]
