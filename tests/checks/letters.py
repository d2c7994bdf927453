"""A clean letter written by hand, and the means to put one fault into it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from newsletter.checks.check_input import CheckInput
from newsletter.checks.finding import Finding
from newsletter.checks.run import run_checks
from newsletter.config import Settings
from newsletter.issues.loader import parse_issue
from newsletter.material import Material, PreparedPicture
from newsletter.render.edition import Edition, Enclosure
from newsletter.render.slots import Slot

from tests.support.march import THEME

NAME = "Zq0000abcdx0001qZ"
LEAVE = "Zq0000abcdx0002qZ"
LEAVE_TEXT = "Zq0000abcdx0003qZ"

ISSUE = """\
title: March 2017
date: 2017-03-31
language: en
subject: "A mock retrial, and two more stories"
preheader: "Fear in Veracruz, a year of safety, and a guard at the door"
greeting: "Dear {{ name | friend }},"
stories:
  - id: veracruz
    headline: "Fear in Veracruz"
    kicker: "Mexico"
    blurb: "The report came out on Thursday, 30 March, and [RSF](https://rsf.example/mx) asks."
    highlight: "Seventeen journalists were killed."
    image:
      file: veracruz.png
      alt: "A harbour at dusk"
      credit: "Drawing by Ana López"
    links:
      - label: "Read the report on Veracruz"
        url: https://rsf.example/veracruz
    source: "Reporters Without Borders"
  - id: hamburg
    headline: "A year of safety"
    blurb: "Hamburg welcomed a writer."
    quote:
      text: "I can *sleep* again."
      by: "Nur Nobi Dulal"
    background:
      title: "The programme in detail"
      text: "Long."
      url: https://defenders.example/hamburg
    download:
      label: "The programme as PDF"
      url: https://defenders.example/hamburg.pdf
"""

HTML = f"""<!DOCTYPE html><html lang="en" dir="ltr"><head><title>Defenders · March 2017</title>
<style>.a{{color:red}}</style></head><body>
<div style="display:none" lang="en" dir="ltr">
Fear in Veracruz, a year of safety, and a guard at the door</div>
<div role="article" lang="en" dir="ltr"><h1>March 2017</h1><p>Dear {NAME},</p>
<a href="https://rsf.example/veracruz"><img src="https://pictures.example/images/veracruz-0123abcd.jpg"
alt="A harbour at dusk"></a><p class="credit">Drawing by Ana López</p>
<p>Mexico</p><h2>Fear in Veracruz</h2>
<p>The report came out on Thursday, 30 March, and <a href="https://rsf.example/mx">RSF</a> asks.</p>
<p>Seventeen journalists were killed.</p>
<p><a href="https://rsf.example/veracruz">Read the report on Veracruz</a></p>
<p>Reporters Without Borders</p>
<h2>A year of safety</h2><p>Hamburg welcomed a writer.</p>
<blockquote>I can <em>sleep</em> again.</blockquote><p>Nur Nobi Dulal</p>
<p><a href="https://defenders.example/hamburg">The programme in detail</a></p>
<p><a href="https://defenders.example/hamburg.pdf">The programme as PDF</a></p>
<p>1 Example Street, Brussels · <a href="mailto:hello@defenders.example">Write to us</a> ·
<a href="https://www.defenders.example/">defenders.example</a></p>
<p><a href="{LEAVE}">Unsubscribe</a></p></div></body></html>"""

TEXT = f"""MARCH 2017

Dear {NAME},

MEXICO
FEAR IN VERACRUZ
The report came out on Thursday, 30 March, and
RSF (https://rsf.example/mx) asks.
  | Seventeen journalists were killed.
Drawing by Ana López
Read the report on Veracruz: https://rsf.example/veracruz
Reporters Without Borders

A YEAR OF SAFETY
Hamburg welcomed a writer.
    “I can *sleep* again.”
    — Nur Nobi Dulal
The programme in detail: https://defenders.example/hamburg
The programme as PDF: https://defenders.example/hamburg.pdf.

1 Example Street, Brussels
Write to us: hello@defenders.example
https://www.defenders.example/
Unsubscribe: {LEAVE_TEXT}
"""

SETTINGS = Settings.model_validate(
    {
        "list": {
            "id": "news.defenders.example",
            "name": "Defenders",
            "unsubscribe_url": "https://news.defenders.example/u/{token}",
        },
        "sender": {"name": "Defenders", "address": "news@defenders.example"},
        "organisation": {"name": "Defenders", "postal_address": "1 Example Street, Brussels"},
        "archive": {"url": "https://pictures.example/"},
    }
)

MATERIAL = Material(
    {
        ("stories", 0, "image"): PreparedPicture(
            "veracruz-0123abcd.jpg", "image/jpeg", 1120, 560, shown=560, content=b"a harbour"
        )
    }
)

SLOTS = (
    Slot(NAME, "name", "html", "friend"),
    Slot(LEAVE, "unsubscribe_url", "url"),
    Slot(LEAVE_TEXT, "unsubscribe_url", "text"),
)


@dataclass(frozen=True)
class Letter:
    """What the checks are given."""

    issue: str = ISSUE
    html: str = HTML
    text: str = TEXT
    subject: str = "A mock retrial, and two more stories"
    preheader: str = "Fear in Veracruz, a year of safety, and a guard at the door"
    slots: tuple[Slot, ...] = SLOTS
    settings: Settings = SETTINGS
    material: Material = MATERIAL
    enclosures: tuple[Enclosure, ...] = ()

    def seeded(self, part: str, old: str, new: str) -> Letter:
        """The letter with ``old`` replaced in one part, or ``everywhere``."""
        parts = ("issue", "html", "text", "subject", "preheader")
        changed = {p: getattr(self, p) for p in parts if part in {p, "everywhere"}}
        assert any(old in value for value in changed.values()), f"nothing to seed: {old}"
        return replace(self, **{p: value.replace(old, new) for p, value in changed.items()})

    def check_input(self, folder: Path) -> CheckInput:
        """What the checks look at; ``folder`` holds ``images/veracruz.png``."""
        loaded = parse_issue(self.issue, folder / "2017-03.yaml")
        edition = Edition(
            issue_id="2017-03",
            language=loaded.issue.language,
            subject=self.subject,
            preheader=self.preheader,
            html=self.html,
            text=self.text,
            slots=self.slots,
            enclosures=self.enclosures,
        )
        return CheckInput(loaded.issue, loaded.source, THEME, self.settings, self.material, edition)

    def findings(self, folder: Path) -> tuple[Finding, ...]:
        """What the checks find."""
        return run_checks(self.check_input(folder))
