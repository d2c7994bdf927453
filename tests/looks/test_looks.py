"""The photographs show what readers see, from top to bottom, and ask nobody for anything."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from PIL import Image

from tests.looks.__main__ import photographs
from tests.looks.browser import View, opened
from tests.looks.contact_sheet import contact_sheet
from tests.looks.mails import Mail
from tests.looks.photograph import photograph
from tests.support.browser import chromium

pytestmark = pytest.mark.needs_chromium

RED, BLUE, LIGHT, DARK = (255, 0, 0), (0, 0, 255), (0xEE,) * 3, (0x11,) * 3
HTML = """<!doctype html><style>
body {{ margin: 0; background: #eee }}
@media (prefers-color-scheme: dark) {{ body {{ background: #111 }} }}
div {{ height: {height}px }}
p {{ margin: 0; height: 50px; background: #00f }}
</style>
<img src="https://pictures.example/red.png" alt="" width="100" height="100"><div></div><p></p>
"""


def red() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (2, 2), RED).save(file, "PNG")
    return file.getvalue()


def mail(height: int) -> Mail:
    return Mail("en", HTML.format(height=height), {"red.png": red()})


def test_a_mail_is_photographed_in_eight_views_and_put_on_one_sheet(tmp_path: Path) -> None:
    made = photographs([mail(4000)], tmp_path)
    names = [
        f"{scheme}-{width}{pictures}"
        for pictures in ("", "-no-pictures")
        for scheme in ("light", "dark")
        for width in (640, 375)
    ]
    assert [f"en {name}" for name in names] == [each.label for each in made]
    for name in names:
        with Image.open(tmp_path / f"en-{name}.png") as image:
            ground = DARK if "dark" in name else LIGHT
            assert ground == image.getpixel((50, 200))
            assert (ground if "no" in name else RED) == image.getpixel((50, 50))
            assert f"{image.width}" == name.split("-")[1]
    sheet = contact_sheet(made, columns=4)
    assert 2 * 3000 * 0.4 < sheet.height < 2 * 3500 * 0.4
    assert 2 * (640 + 375) * 0.4 < sheet.width


def test_a_mail_is_photographed_from_top_to_bottom() -> None:
    with chromium() as browser, opened(browser, mail(17000), View(375)) as page:
        image = photograph(page)
    # Chromium begins anew with the top of a page where it is longer than it can paint.
    for height in (200, 8100, 16400, image.height - 60):
        assert LIGHT == image.getpixel((50, height)), height
    assert RED == image.getpixel((50, 50))
    assert BLUE == image.getpixel((50, image.height - 10))


def test_a_mail_that_asks_for_more_than_its_pictures_is_an_error() -> None:
    spying = Mail("en", '<img src="https://elsewhere.example/pixel.gif" alt="">', {})
    with (
        chromium() as browser,
        pytest.raises(AssertionError, match=r"elsewhere\.example/pixel\.gif"),
        opened(browser, spying, View(375)),
    ):
        pass
