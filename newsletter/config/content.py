"""What goes out, to whom, and what it leads to: [theme], [mail], [archive], [audience]. No I/O."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from newsletter.config.table import Table
from newsletter.model import WebAddress
from newsletter.phrases import did_you_mean
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
    noindex: bool = Field(
        default=False, description="Whether search engines are asked to leave the archive out."
    )


MOST_FILES = 100
HeaderRow = Annotated[int, Field(ge=0, le=1_000)]
AddressColumn = Annotated[str, Field(min_length=1)]


class Layout(Table):
    """How one of several files differs from what [audience] says for all."""

    header_row: HeaderRow | None = Field(
        default=None, description="Row of this file that names its columns; 0: none does."
    )
    address_column: AddressColumn | None = Field(
        default=None, description="Name of this file's column of addresses."
    )


def _file_names(value: Any) -> Any:
    names = value if isinstance(value, list | tuple) else [value]
    if not all(isinstance(name, str | Path) for name in names):
        raise ValueError("must be the name of a file, or several names in square brackets")
    paths = [Path(name) for name in names]
    if len(paths) > MOST_FILES:
        raise ValueError(f"names more than {MOST_FILES} files; put some together")
    if twice := next((name for name in paths if paths.count(name) > 1), None):
        raise ValueError(f"names “{twice}” twice; name each file once")
    return value


class Audience(Table):
    """The list of subscribers."""

    file: Annotated[Path | tuple[Path, ...], BeforeValidator(_file_names)] = Field(
        default=Path("subscribers.csv"),
        description="The list, CSV; several files, or [] for none.",
    )
    fields: list[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]] = Field(
        default=[], description="Further columns that merge fields and segments may use."
    )
    mail: list[Annotated[str, Field(pattern="=")]] = Field(
        default=[],
        description="Values of the list that let a row be mailed, each “Column=value”; * is any.",
    )
    no_mail: list[Annotated[str, Field(pattern="=")]] = Field(
        default=[],
        description="Values of the list that stop a row from being mailed, as in mail.",
    )
    header_row: HeaderRow | None = Field(
        default=None,
        description="Row of the list that names its columns; 0: none does. Default: the first.",
    )
    address_column: AddressColumn | None = Field(
        default=None, description="Name of the list's column of addresses."
    )
    layout: dict[str, Layout] = Field(
        default={}, description="header_row and address_column of one of several files."
    )

    @property
    def files(self) -> tuple[Path, ...]:
        """The files of the list, in the order named."""
        return (self.file,) if isinstance(self.file, Path) else self.file

    def of(self, file: Path) -> Audience:
        """These settings as they hold for one of :attr:`files`."""
        own = {name: one for name, one in self.layout.items() if Path(name) == file}
        return self.model_copy(
            update={
                key: value
                for layout in own.values()
                for key, value in layout.model_dump(exclude_none=True).items()
            }
        )

    @model_validator(mode="after")
    def _layouts_are_of_files(self) -> Audience:
        names = [str(file) for file in self.files]
        for name in self.layout:
            if Path(name) not in self.files:
                meant = did_you_mean(name, names)
                raise ValueError(f"layout names “{name}”, which is not in “file”. {meant}")
        return self
