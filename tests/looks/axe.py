"""What axe-core finds in a page that a browser shows."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Page

from tests.support.tools import ROOT, missing

_AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"


def violations(page: Page, *, without: tuple[str, ...] = ()) -> list[str]:
    """Each violation of axe's rules, the good practices among them, with where it is.

    Args:
        page: what to look at.
        without: rules that do not fit what is looked at.
    """
    if not _AXE.exists():
        missing("axe-core (npm install)")
    if not page.evaluate("'axe' in window"):  # it outlives set_content
        page.evaluate(_AXE.read_text(encoding="utf-8"))
    options = {
        "resultTypes": ["violations"],
        "rules": {rule: {"enabled": False} for rule in without},
    }
    # All else that axe tells stays in the page: to bring it here takes as long as to find it out.
    found: list[dict[str, Any]] = page.evaluate(
        "async options => (await axe.run(document, options)).violations", options
    )
    return [
        f"{violation['id']} ({violation['impact']}): {violation['help']}: {node['html'][:200]}"
        for violation in found
        for node in violation["nodes"]
    ]
