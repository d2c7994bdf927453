"""The default theme with four spies in it, as somebody might slip them in unseen."""

from dataclasses import replace

from newsletter.render.edition import CompileInput
from newsletter.render.pipeline import compile_edition

from tests.support.march import SETTINGS, THEME, March, march

SEEN_BY_BROWSERS = {"pixel.example", "font.example", "style.example"}
SEEN_BY_OUTLOOK = {"vml.example"}

_PIXEL = '<img src="https://pixel.example/open.gif" alt="" width="1" height="1" />'
_VML = '<!--[if mso]><v:rect><v:fill src="https://vml.example/a.png" /></v:rect><![endif]-->'
_SECTION = "<mj-section><mj-column><mj-text>{}</mj-text></mj-column></mj-section>"
_FONT = (
    "@font-face { font-family: Spy; src: url(https://font.example/spy.woff2); }\n"
    "h1 { font-family: Spy !important; }\n"
)
_STYLE = "p { background-image: url(https://style.example/a.png); }\n"


def spying_march(language: str) -> March:
    """March 2017 as that theme renders it."""
    files = dict(THEME.files)
    files["partials/footer.mjml.j2"] += _SECTION.format(_PIXEL + _VML)
    files["css/head.css"] += _FONT
    files["css/inline.css"] += _STYLE
    honest = march(language)
    edition = compile_edition(
        CompileInput(
            honest.loaded.issue,
            honest.loaded.source,
            replace(THEME, files=files),
            SETTINGS,
            honest.material,
        )
    )
    return replace(honest, edition=edition)
