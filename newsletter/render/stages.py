"""What each step of rendering made, for those who look closely: golden files, preview. No I/O."""

from __future__ import annotations

from dataclasses import dataclass

from newsletter.render.slots import Slot


@dataclass(frozen=True, slots=True)
class Stages:
    """What each step made of an issue, slots open."""

    subject: str
    preheader: str
    mjml: str
    raw_html: str
    """What the MJML engine made."""
    inlined_html: str
    """What premailer made of it."""
    html: str
    """What is sent."""
    text: str
    slots: tuple[Slot, ...]
