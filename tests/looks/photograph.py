"""A photograph of a whole page, however long it is."""

from __future__ import annotations

import io

from PIL import Image
from playwright.sync_api import Page

_STRIP = 8000
"""Pixels photographed at once: beyond 16,384 Chromium repeats what it has painted already."""


def photograph(page: Page) -> Image.Image:
    """The page from its top to its bottom, put together from strips."""
    width, height = page.evaluate(
        "[document.documentElement.scrollWidth, document.documentElement.scrollHeight]"
    )
    whole = Image.new("RGB", (width, height))
    for top in range(0, height, _STRIP):
        part = min(_STRIP, height - top)
        strip = page.screenshot(
            full_page=True, clip={"x": 0, "y": top, "width": width, "height": part}
        )
        with Image.open(io.BytesIO(strip)) as image:
            whole.paste(image, (0, top))
    return whole
