"""What the preview shows now: the last good build, and the error since, if any.

Reads the project through :mod:`newsletter.preview.build`; starts nothing and
waits for nothing. The server asks it whether a file changed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from newsletter.errors import NewsletterError
from newsletter.preview.build import Preview


@dataclass(frozen=True, slots=True)
class Shown:
    """One state of the page.

    ``preview`` is the last good build, None if there never was one; ``error`` is
    why the files as they are now give none.
    """

    version: int
    preview: Preview | None
    error: NewsletterError | None


class Studio:
    """Builds when a file changed, and keeps the last good build when that fails.

    Args:
        build: makes the preview from the files.
        state: what the files are like; when it differs from the last time,
            something changed.
    """

    def __init__(self, build: Callable[[], Preview], state: Callable[[], object]) -> None:
        self._build = build
        self._state = state
        self._seen: object = None
        self.shown: Shown = Shown(0, None, None)
        self.refresh()

    def refresh(self) -> bool:
        """Build again if a file changed; returns whether one did."""
        state = self._state()
        if self.shown.version and state == self._seen:
            return False
        # Noted before building: what changes meanwhile is seen the next time.
        self._seen = state
        version = self.shown.version + 1
        try:
            self.shown = Shown(version, self._build(), None)
        except NewsletterError as error:
            self.shown = Shown(version, self.shown.preview, error)
        except Exception as error:  # noqa: BLE001 - else a fault of ours would end the watching
            self.shown = Shown(version, self.shown.preview, _fault(error))
        return True


def _fault(error: Exception) -> NewsletterError:
    return NewsletterError(
        f"The newsletter tool itself failed: {type(error).__name__}: {error}.",
        next="Undo your last change, and report this with the file as it was.",
    )
