"""Many long photographs on one sheet, to be taken in at a glance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont

_SCALE = 0.4
_HEAD, _FOOT = 2200, 900
"""Pixels of a photograph that are shown of its top and of its bottom."""
_GAP, _LABEL = 24, 28
_GROUND, _INK = "#8a8f98", "#ffffff"


@dataclass(frozen=True)
class Photograph:
    """A picture of a whole mail, and what it shows."""

    label: str
    image: Image.Image


def contact_sheet(photographs: Sequence[Photograph], *, columns: int) -> Image.Image:
    """A sheet with ``columns`` in a row; of each the top and the bottom, smaller."""
    cells = [(each.label, _ends(each.image)) for each in photographs]
    rows = [cells[start : start + columns] for start in range(0, len(cells), columns)]
    width = max(sum(cell.width + _GAP for _, cell in row) for row in rows) + _GAP
    height = sum(_row_height(row) for row in rows) + _GAP
    sheet = Image.new("RGB", (width, height), _GROUND)
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(15)
    top = 0
    for row in rows:
        left = _GAP
        for label, cell in row:
            pen.text((left, top + _GAP), label, fill=_INK, font=font)
            sheet.paste(cell, (left, top + _GAP + _LABEL))
            left += cell.width + _GAP
        top += _row_height(row)
    return sheet


def _row_height(row: Sequence[tuple[str, Image.Image]]) -> int:
    return _GAP + _LABEL + max(cell.height for _, cell in row)


def _ends(image: Image.Image) -> Image.Image:
    """The top and the bottom of a picture, with a gap between where something is left out."""
    if image.height <= _HEAD + _FOOT:
        return _smaller(image)
    head = _smaller(image.crop((0, 0, image.width, _HEAD)))
    foot = _smaller(image.crop((0, image.height - _FOOT, image.width, image.height)))
    both = Image.new("RGB", (head.width, head.height + _GAP + foot.height), _GROUND)
    both.paste(head, (0, 0))
    both.paste(foot, (0, head.height + _GAP))
    return both


def _smaller(image: Image.Image) -> Image.Image:
    size = (round(image.width * _SCALE), round(image.height * _SCALE))
    return image.resize(size, Image.Resampling.LANCZOS)
