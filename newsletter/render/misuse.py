"""What a template did that cannot be done. No I/O."""

from __future__ import annotations


class Misuse(Exception):
    """A template did what cannot be done; ``advice`` is what to do instead."""

    def __init__(self, what: str, advice: str) -> None:
        super().__init__(what)
        self.advice = advice
