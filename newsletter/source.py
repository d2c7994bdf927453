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
    """A file and the line and column (from 1) at which each of its values starts."""

    file: Path
    positions: Mapping[Path_, tuple[int, int]] = field(default_factory=dict)

    def where(self, *path: str | int, item: str | None = None) -> Where:
        """The place of a value, or of the nearest thing around it that has one."""
        for length in range(len(path), -1, -1):
            position = self.positions.get(path[:length])
            if position is not None:
                return Where(self.file, position[0], position[1], item=item)
        return Where(self.file, item=item)
