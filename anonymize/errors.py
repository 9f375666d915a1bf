"""What this package refuses. `rnu` translates these for people."""

from __future__ import annotations


class AnonymizeError(Exception):
    """Base of this package's errors."""


class BadCells(AnonymizeError):
    """Cells, places or a policy contradict themselves (a programmer's or a configuration's mistake)."""


class Unprotectable(AnonymizeError):
    """Not even the total of the nation can stand: nothing of this table may be shown."""
