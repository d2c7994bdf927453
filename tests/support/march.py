"""The March 2017 newsletter of this repository, compiled as the program does it."""

import functools
from dataclasses import dataclass

from newsletter.checks.check_input import CheckInput
from newsletter.checks.finding import Finding
from newsletter.checks.run import run_checks
from newsletter.config import Mail, load_settings
from newsletter.issues.languages import load_languages
from newsletter.issues.loader import LoadedIssue
from newsletter.issues.material import load_material
from newsletter.material import Material
from newsletter.render.edition import CompileInput, Edition
from newsletter.render.pipeline import compile_edition
from newsletter.theme_files import load_theme

from tests.support.tools import ROOT

LANGUAGES = ("en", "fr", "es", "ar")
SETTINGS = load_settings(ROOT / "newsletter.toml")
THEME = load_theme(ROOT / SETTINGS.theme.folder)


@dataclass(frozen=True)
class March:
    """One language of it."""

    loaded: LoadedIssue
    material: Material
    edition: Edition

    def check_input(self, edition: Edition | None = None) -> CheckInput:
        """What the checks look at: this edition, or another one of it."""
        issue, source = self.loaded.issue, self.loaded.source
        return CheckInput(issue, source, THEME, SETTINGS, self.material, edition or self.edition)

    def findings(self, edition: Edition | None = None) -> tuple[Finding, ...]:
        """What the checks find, in another edition of it if one is given."""
        return run_checks(self.check_input(edition))


@functools.cache
def _loaded() -> dict[str, LoadedIssue]:
    return load_languages(ROOT / "issues" / "2017-03.yaml", fields=SETTINGS.audience.fields)


@functools.cache
def march(language: str = "en") -> March:
    """The issue in one language."""
    loaded = _loaded()[language]
    material = load_material(loaded, ROOT / "issues", shown=THEME.shown)
    edition = compile_edition(CompileInput(loaded.issue, loaded.source, THEME, SETTINGS, material))
    return March(loaded, material, edition)


@functools.cache
def with_pictures_inside(language: str) -> March:
    """The issue as readers get it who contact nobody by opening it."""
    inside = SETTINGS.model_copy(update={"mail": Mail(pictures="inline")})
    honest = march(language)
    loaded, material = honest.loaded, honest.material
    edition = compile_edition(CompileInput(loaded.issue, loaded.source, THEME, inside, material))
    return March(loaded, material, edition)
