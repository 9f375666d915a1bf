"""What this package refuses. `rnu` translates these for people; none of them holds a cell's value."""

from __future__ import annotations


class HarvestError(Exception):
    """Base of this package's errors: what happened, and where."""

    def __init__(self, what: str, where: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.where = where


class Unavailable(HarvestError):
    """The source did not answer, or has nothing yet: try again later."""


class Unreadable(HarvestError):
    """The bytes came, but are not what the source's format says: its owner mends them."""
