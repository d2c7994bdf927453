"""HTTP providers: what the tables of all have in common, and where each one's is. No I/O."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field, PlainValidator, SerializeAsAny, create_model

from newsletter.config.table import Table

_PACKAGE = "newsletter.transports.providers"
_FOLDER = Path(__file__).parents[1] / "transports" / "providers"


class ProviderSettings(Table):
    """What all providers have in common; each one's own stands in its file.

    Fields of the type Secret are read when a transport is opened; those called
    ``sandbox_…`` only for a proof in the provider's sandbox.
    """

    title: ClassVar[str]
    takes_pictures: ClassVar[bool] = True
    """Whether pictures inside a mail arrive, and are shown where they belong."""
    takes_documents: ClassVar[bool] = True
    """Whether attached documents arrive."""
    caveat: ClassVar[str] = ""
    """What whoever sends must know and do because of it, each time."""

    timeout_s: float = Field(default=30, gt=0, le=600, description="For each answer, in seconds.")
    base_url: str | None = Field(
        default=None, description="The API's address, in place of the provider's own."
    )


class _Providers(Mapping[str, type[ProviderSettings]]):
    """The files of :mod:`newsletter.transports.providers`; each is loaded when it is asked for."""

    def __init__(self) -> None:
        self._names = [module.name for module in iter_modules([str(_FOLDER)])]

    def __getitem__(self, name: str) -> type[ProviderSettings]:
        if name not in self._names:
            raise KeyError(name)
        table: type[ProviderSettings] = import_module(f"{_PACKAGE}.{name}").PROVIDER.table
        return table

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


PROVIDERS: Mapping[str, type[ProviderSettings]] = _Providers()
"""Each provider's table by its name in newsletter.toml."""


def _table(name: str) -> Any:
    """The field for a provider's table, whose class is known once its file is loaded."""
    validator = PlainValidator(lambda value: PROVIDERS[name].model_validate(value))  # noqa: PLW0108 - loads it late
    return Annotated[SerializeAsAny[ProviderSettings] | None, validator]


if TYPE_CHECKING:
    ProviderTables = Table
else:
    ProviderTables = create_model(
        "ProviderTables", __base__=Table, **{name: (_table(name), None) for name in PROVIDERS}
    )
    """A field for each provider."""
