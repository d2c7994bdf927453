"""How a theme looks: its theme.toml as typed values. No I/O.

Colours are named by the part they play, so that a theme changes one line and
both style sheets, light and dark, follow.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from newsletter.errors import Problem, TemplateError, Where
from newsletter.model import Line
from newsletter.wrong_value import wrong_value

THEME_FILE = "theme.toml"

_FAMILY = r"(?:'[A-Za-z0-9 -]+'|-?[A-Za-z][A-Za-z0-9-]*)"
Colour = Annotated[str, StringConstraints(pattern=r"^#[0-9a-f]{6}$")]
"""Six hex digits in small letters, as ``#14224a``."""
FontStack = Annotated[
    str, StringConstraints(pattern=rf"^(?:{_FAMILY}, ?)*(?:serif|sans-serif|monospace)$")
]
"""Fonts that readers' machines may have, best first; the last is one that each has."""

Path_ = tuple[str, ...]
"""The tables and the key that lead to a value: ``("colours", "dark", "ink")``."""


class _Table(BaseModel):
    """The base of all tables: unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Palette(_Table):
    """A colour for each part."""

    page: Colour = Field(description="Around the mail.")
    paper: Colour = Field(description="Under the stories.")
    tint: Colour = Field(description="Under what stands apart: contents, cards, posts, pictures.")
    band: Colour = Field(description="Under the head and the foot.")
    on_band: Colour = Field(description="Text on the band.")
    bright: Colour = Field(description="What shines on the band: headings, bars.")
    ink: Colour = Field(description="Headlines, highlights, quotations.")
    text: Colour = Field(description="Text.")
    muted: Colour = Field(description="Credits, sources, the small print.")
    accent: Colour = Field(description="Kickers, figures, quotation marks.")
    rule: Colour = Field(description="Lines between things.")
    link: Colour = Field(description="Links.")
    button: Colour = Field(description="The ground of buttons.")
    on_button: Colour = Field(description="The words on buttons.")


class Colours(Palette):
    """The light colours, and the dark ones below them."""

    dark: Palette = Field(description="The colours for who reads in the dark.")


class Type(_Table):
    """What the words are set in."""

    body: FontStack = Field(description="Fonts of the text.")
    display: FontStack = Field(description="Fonts of headlines, highlights and quotations.")
    size: int = Field(ge=14, le=22, description="Size of the text, in CSS pixels.")


class Logo(_Table):
    """A picture in the head of the mail."""

    file: Line = Field(description="A picture, JPEG or PNG, named from the theme's folder.")
    alt: Line = Field(description="What stands there for readers who do not see it.")
    width: int = Field(ge=16, le=560, description="How wide it is shown, in CSS pixels.")


class Pictures(_Table):
    """How wide the mail shows pictures, in CSS pixels."""

    lead: int = Field(ge=100, le=640, description="The picture of the lead story.")
    story: int = Field(ge=100, le=640, description="The pictures of other stories.")


class Look(_Table):
    """All of theme.toml but ``base``."""

    name: Line = Field(description="What the theme is called.")
    colours: Colours
    type: Type
    logo: Logo | None = None
    pictures: Pictures


def read_look(data: dict[str, Any], places: dict[Path_, Where], file: Where) -> Look:
    """Check the values of a theme.

    Args:
        data: theme.toml as it was read, laid over those of its bases.
        places: where each value was written.
        file: the theme's own theme.toml, for what is written nowhere.

    Raises:
        TemplateError: names each wrong value, its file and line, and what to write.
    """
    try:
        return Look.model_validate(data)
    except ValidationError as error:
        problems = []
        for item in error.errors():
            path = tuple(map(str, item["loc"]))
            known = places.get(path, file)
            problems.append(
                Problem(
                    wrong_value(item, noun="value of a theme"),
                    Where(known.file, known.line, item=named(path)),
                    _advice(path) if item["type"] == "string_pattern_mismatch" else "",
                )
            )
        raise TemplateError(
            "Some values of the theme cannot be used.",
            where=problems[0].where,
            next="“newsletter docs theme” tells every value of theme.toml.",
            problems=problems,
        ) from None


def _advice(path: Path_) -> str:
    if path[0] == "colours":
        return "Write a colour as # and six digits or small letters a to f, such as #14224a."
    return (
        "Write fonts with commas between them, names of several words in single quotes, and "
        "serif, sans-serif or monospace at the end."
    )


def named(path: Path_) -> str:
    """``[colours.dark] ink``; a value above all tables stands alone."""
    *tables, key = path
    return f"[{'.'.join(tables)}] {key}" if tables else key
