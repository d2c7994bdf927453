"""``python -m tests.looks ISSUE``: photographs an issue's mails, each in eight views.

Four languages in light and dark, 640 and 375 pixels wide, with pictures and
without, are 32 photographs of the whole mail and one sheet of them all. Like
``newsletter`` itself, it works in the folder that holds newsletter.toml.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Sequence
from pathlib import Path

from newsletter.project import Project
from PIL import Image

from tests.looks.browser import View, opened
from tests.looks.contact_sheet import Photograph, contact_sheet
from tests.looks.mails import Mail, mails
from tests.looks.photograph import photograph
from tests.support.browser import chromium

VIEWS = tuple(
    View(width, dark, pictures)
    for pictures, dark, width in itertools.product((True, False), (False, True), (640, 375))
)


def photographs(shown: Sequence[Mail], folder: Path) -> list[Photograph]:
    """Photograph each mail in each view; the files are named ``en-dark-375.png`` and so on."""
    folder.mkdir(parents=True, exist_ok=True)
    made = []
    with chromium() as browser:
        for mail, view in itertools.product(shown, VIEWS):
            with opened(browser, mail, view) as page:
                image = photograph(page)
            image.save(folder / f"{mail.language}-{view.name}.png")
            made.append(Photograph(f"{mail.language} {view.name}", image))
    return made


def main() -> None:
    """Read the command line and do it."""
    parser = argparse.ArgumentParser(prog="python -m tests.looks", description=__doc__)
    parser.add_argument("issue", metavar="ISSUE", help="such as 2017-03")
    parser.add_argument("--out", type=Path, default=Path("build/looks"), metavar="FOLDER")
    given = parser.parse_args()
    made = photographs(mails(Project.here(), given.issue), given.out)
    sheet: Image.Image = contact_sheet(made, columns=len(VIEWS))
    sheet.save(given.out / "contact-sheet.png")
    print(f"{len(made)} photographs and contact-sheet.png are in {given.out}.")


if __name__ == "__main__":
    main()
