"""The example newsletter with older issues beside it, and its archive, built by the program."""

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lxml import html as lxml_html

from tests.support.project import Project
from tests.support.tools import ROOT

URL = "https://news.defenders.example/archive/"
MARCH = [f"2017-03.{language}.html" for language in ("ar", "en", "es", "fr")]
DOCUMENT = "guide d’accueil & plan.pdf"

# All that an issue may hold and that could go wrong on a page.
DECEMBER = """\
title: 'Décembre "2016" \\ </style> & suite'
date: 2016-12-30
language: fr
subject: Un numéro difficile
preheader: Pour {{ name | une *amie* }}, un tableau et un document
greeting: "Chère {{ name | amie }},"
introduction: "Bonjour {{ name | *amie* & co }}, voici le numéro."
sections:
  - id: suite
    title: La suite
stories:
  - id: tableau
    headline: Un tableau <b>large</b> & un titre
    blurb: |-
      Des chiffres, ligne\\
      après ligne.

      | Pays | Cas |
      |:-----|----:|
      | Pérou | 12 |

      ---

      ## Un intertitre

      Un [lien](https://exemple.example/?a=1&b=ü) et "des guillemets".
    background:
      title: Le fond
      text: |-
        # Le titre du fond

        Le texte du fond.

        | Pays | Organisation | Emprisonnements | Libérations | Investigations |
        |---|---|---|---|---|
        | Kirghizstan | Observatoire | douze | quatre | internationales |
    highlight: 3 raisons d’espérer
    download:
      label: Guide (PDF)
      file: guide d’accueil & plan.pdf
  - id: arabic
    headline: رسالة من القاهرة
    section: suite
    language: ar
    blurb: نص قصير من القاهرة.
    source: مراسلتنا
  - id: 2017-plan
    headline: Le plan de l’année
    section: suite
    blurb: Un texte.
    quote:
      text: Nous restons.
      by: Une militante
    links:
      - label: Le plan
        url: https://exemple.example/plan
"""

OLDER = """\
title: June 2015
date: 2015-06-30
language: en
subject: An old issue
preheader: One story and no picture
stories:
  - id: only
    headline: The only story of June
    blurb: It is short.
"""

HALF_WRITTEN = """\
title: The issue that is being written
date: 2999-01-31
language: en
stories:
  - headline: Nobody must see this yet
"""


def html_of(text: str | bytes) -> Any:
    """A page or a part of one, parsed by lxml, whose types know no xpath that gives strings."""
    return lxml_html.fromstring(text)


@dataclass(frozen=True)
class Archive:
    """A built archive and the project it was built from."""

    project: Project
    folder: Path
    said: str = ""
    """What the program said of it."""

    def text(self, name: str) -> str:
        return (self.folder / name).read_text(encoding="utf-8")

    def page(self, name: str) -> Any:
        return html_of((self.folder / name).read_bytes())

    def names(self, *kinds: str) -> list[str]:
        """The paths of all files, or of those that end so."""
        found = [path for path in self.folder.rglob("*") if path.is_file()]
        return sorted(
            path.relative_to(self.folder).as_posix()
            for path in found
            if not kinds or path.name.endswith(kinds)
        )


def example(folder: Path, *, older: bool = True, translated: bool = True) -> Project:
    """A copy of this repository's newsletter that a test may change."""
    project = Project(folder)
    shutil.rmtree(folder / "issues")
    shutil.copytree(ROOT / "issues", folder / "issues")
    for name in ("newsletter.toml", "subscribers.example.csv"):
        shutil.copy(ROOT / name, folder)
    if not translated:
        for translation in (folder / "issues").glob("2017-03.*.yaml"):
            translation.unlink()
    if older:
        project.issue(DECEMBER, "2016-12")
        project.issue(OLDER, "2015-06")
        project.issue(HALF_WRITTEN, "2999-01")
        (folder / "issues" / "files").mkdir(exist_ok=True)
        (folder / "issues" / "files" / DOCUMENT).write_bytes(b"%PDF-1.4 a guide")
    return project


def build(project: Project, *more: str) -> subprocess.CompletedProcess[str]:
    """Publish each issue but those of the far future, as if all had been sent."""
    files = (project.folder / "issues").glob("[0-9]*-[0-9][0-9].yaml")
    finished = [path.stem for path in sorted(files) if "2999-" not in path.read_text("utf-8")]
    return project.run("archive", "build", *finished, *more)


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
