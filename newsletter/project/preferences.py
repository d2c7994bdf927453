"""What readers chose to get, over what the list says of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from newsletter.audience.model import Roster, Subscriber
from newsletter.ledger.preferences import Preferences
from newsletter.project.project import Project


def with_preferences(
    roster: Roster, wanted: Mapping[bytes, Preferences], project: Project
) -> Roster:
    """The list, each reader with the language and topics that they chose themselves.

    Args:
        roster: as read.
        wanted: by tag, as the ledger has it.
        project: whose keys make the tags.
    """
    if not wanted:
        return roster
    keys = project.keys

    def chosen(subscriber: Subscriber) -> Subscriber:
        tags = keys.tags(subscriber.address)
        said = next((wanted[tag] for tag in tags if tag in wanted), None)
        if said is None:
            return subscriber
        return replace(
            subscriber,
            language=said.language or subscriber.language,
            topics={**subscriber.topics, **said.topics},
        )

    return replace(roster, subscribers=tuple(map(chosen, roster.subscribers)))
