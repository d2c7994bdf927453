"""Where each value of a file stands, so that an error can point at it. No I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from newsletter.errors import Where

Path_ = tuple[str | int, ...]
"""A way into a file's data: ``("stories", 3, "image", "alt")``."""


@dataclass(frozen=True, slots=True)
class Source:
    """A file and the line and column (from 1) at which each of its values starts.

    ``taken`` tells of values that were put together from elsewhere: in which
    source each stands, and where there.
    """

    file: Path
    positions: Mapping[Path_, tuple[int, int]] = field(default_factory=dict)
    taken: Mapping[Path_, tuple[Source, Path_]] = field(default_factory=dict)

    def where(self, *path: str | int, item: str | None = None) -> Where:
        """The place of a value, or of the nearest thing around it that has one."""
        for length in range(len(path), -1, -1):
            if path[:length] in self.taken:
                source, there = self.taken[path[:length]]
                return source.where(*there, *path[length:], item=item)
            position = self.positions.get(path[:length])
            if position is not None:
                return Where(self.file, position[0], position[1], item=item)
        return Where(self.file, item=item)
