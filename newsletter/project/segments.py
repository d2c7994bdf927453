"""The segments of newsletter.toml: a list narrowed to one, and whether it is still the same."""

from __future__ import annotations

from newsletter.audience.model import Roster
from newsletter.audience.segments import Membership, narrowed
from newsletter.config import FILE_NAME, Condition, load_settings
from newsletter.errors import InputError, Where
from newsletter.phrases import did_you_mean
from newsletter.project.project import Project


def segment_of(project: Project, name: str) -> Condition:
    """What newsletter.toml says of a segment.

    Raises:
        InputError: it has none of that name.
    """
    segments = project.settings.segments
    if name in segments:
        return segments[name]
    raise InputError(
        f"There is no segment “{name}”.",
        where=Where(project.folder / FILE_NAME, item="[segments]"),
        next=did_you_mean(name, segments)
        or "Write one, as “newsletter docs segments” shows, or leave --segment out.",
    )


def in_segment(project: Project, roster: Roster, name: str) -> tuple[Roster, Membership]:
    """The list, with what readers chose, narrowed to a segment.

    Raises:
        InputError: there is no segment of that name.
    """
    condition = segment_of(project, name)
    return narrowed(roster, name, condition, language=project.settings.language)


def refuse_changed(project: Project, membership: Membership) -> None:
    """Make sure that a segment still says what it said when its readers were counted.

    Raises:
        InputError: it does not.
        ConfigError: newsletter.toml cannot be read any more.
    """
    now = load_settings(project.folder / FILE_NAME).segments
    if now.get(membership.segment) != membership.condition:
        raise InputError(
            f"The segment “{membership.segment}” was changed after the plan was shown, so nothing "
            "was sent.",
            where=Where(project.folder / FILE_NAME, item=f"[segments.{membership.segment}]"),
            next="Run the command again, and look at the plan.",
        )
