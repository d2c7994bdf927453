"""Segments: which readers of the list are meant, as data. No I/O."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import date
from typing import Annotated

from pydantic import BeforeValidator, Field, model_validator

from newsletter.config.table import Table
from newsletter.model import Language
from newsletter.phrases import did_you_mean

MOST_NESTED = 20
"""So deep may conditions stand within conditions."""


def _usual_case(value: object) -> object:
    """``pt-BR`` for ``PT-br``: a tag means the same in any case (RFC 5646 2.1.1)."""
    if not isinstance(value, str):
        return value
    first, *rest = value.split("-")
    cased = (each.upper() if len(each) == 2 else each.title() if len(each) == 4 else each.lower()
             for each in rest)  # fmt: skip
    return "-".join((first.lower(), *cased))


AnyCase = Annotated[Language, BeforeValidator(_usual_case)]
Values = Annotated[list[str], Field(min_length=1)]


class Condition(Table):
    """What must hold of a reader: everything that is said here."""

    languages: Annotated[list[AnyCase], Field(min_length=1)] | None = Field(
        default=None, description="They read one of these languages."
    )
    topics: Values | None = Field(default=None, description="They want one of these topics.")
    fields: Annotated[dict[str, Values], Field(min_length=1)] | None = Field(
        default=None, description="Each column has one of its values; “” is an empty cell."
    )
    joined_since: date | None = Field(
        default=None, description="They are on the list since that day or a later one."
    )
    joined_before: date | None = Field(
        default=None, description="They were on the list before that day."
    )
    any: Annotated[list[Condition], Field(min_length=1)] | None = Field(
        default=None, description="At least one of these conditions holds."
    )
    all: Annotated[list[Condition], Field(min_length=1)] | None = Field(
        default=None, description="Each of these conditions holds."
    )
    not_: Condition | None = Field(
        default=None, alias="not", description="This condition does not hold."
    )

    @model_validator(mode="after")
    def _says_something(self) -> Condition:
        if all(value is None for _, value in self):
            raise ValueError(
                "says nothing; write languages, topics, fields, joined_since, joined_before, any, "
                "all or not"
            )
        return self


Place = tuple[int | str, ...]


def unknown_names(
    segments: Mapping[str, Condition], *, fields: Collection[str], topics: Collection[str]
) -> Iterator[tuple[Place, str]]:
    """The columns and topics that segments name and that there are not, and what to say of each.

    Args:
        segments: all, by name.
        fields: [audience] fields.
        topics: the ids of [public] topics.
    """
    for name, condition in segments.items():
        yield from _unknown(condition, ("segments", name), fields, topics)


def _unknown(
    condition: Condition, place: Place, fields: Collection[str], topics: Collection[str]
) -> Iterator[tuple[Place, str]]:
    for field in condition.fields or ():
        if field not in fields:
            meant = did_you_mean(field, fields) or "Name the column there first."
            yield (*place, "fields", field), f"is not in “fields” under [audience]. {meant}"
    for number, topic in enumerate(condition.topics or ()):
        if topic not in topics:
            meant = did_you_mean(topic, topics) or "Name the topic there first."
            words = f"names “{topic}”, which is not in “topics” under [public]. {meant}"
            yield (*place, "topics", number), words
    for key, several in (("any", condition.any), ("all", condition.all)):
        for number, each in enumerate(several or ()):
            yield from _unknown(each, (*place, key, number), fields, topics)
    if condition.not_ is not None:
        yield from _unknown(condition.not_, (*place, "not"), fields, topics)
