"""What goes out, to whom, and what it leads to: [theme], [mail], [archive], [audience]. No I/O."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from newsletter.config.table import Table
from newsletter.model import WebAddress
from newsletter.web_addresses import with_ascii_host


class ThemeLocation(Table):
    """How the mail looks."""

    folder: Path = Field(default=Path("templates/default"), description="The theme's folder.")


class Mail(Table):
    """What travels inside the mail, and what it leads to."""

    pictures: Literal["hosted", "inline"] = Field(
        default="hosted",
        description="hosted: loaded from the archive; inline: inside each mail (cid:).",
    )
    downloads: Literal["link", "attach"] = Field(
        default="link",
        description="link: documents lie in the archive; attach: they travel with each mail.",
    )


def _folder_address(url: str) -> str:
    if not re.fullmatch(r"https?://[^?#]+/", url):
        raise ValueError("must be an address with https:// in front and a slash at its end")
    return with_ascii_host(url)


class Archive(Table):
    """The past issues on the web, as “newsletter archive build” writes them."""

    url: Annotated[WebAddress, AfterValidator(_folder_address)] = Field(
        description="Public address of the archive, ending with a slash."
    )
    folder: Path = Field(
        default=Path("archive"), description="Where the archive is written, to be published."
    )


class Audience(Table):
    """The list of subscribers."""

    file: Path = Field(default=Path("subscribers.csv"), description="The list, CSV.")
    fields: list[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]] = Field(
        default=[], description="Further columns that merge fields may use."
    )
    mail: list[Annotated[str, Field(pattern="=")]] = Field(
        default=[],
        description="Values of the list that let a row be mailed, each “Column=value”; * is any.",
    )
    no_mail: list[Annotated[str, Field(pattern="=")]] = Field(
        default=[],
        description="Values of the list that stop a row from being mailed, as in mail.",
    )
    header_row: int | None = Field(
        default=None,
        ge=0,
        le=1_000,
        description="Row of the list that names its columns; 0: none does. Default: the first.",
    )
    address_column: str | None = Field(
        default=None, min_length=1, description="Name of the list's column of addresses."
    )
