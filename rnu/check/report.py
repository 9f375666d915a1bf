"""What a check found: counts and row numbers, never a value."""

from __future__ import annotations

from dataclasses import dataclass

FIRST_ROWS = 20


@dataclass(frozen=True, slots=True)
class Broken:
    """A rule that rows broke. `rule` is frictionless' name of the error, `detail` the constraint."""

    field: str
    rule: str
    detail: str
    rows: int
    first: tuple[tuple[str, int], ...] = ()  # (member, data row from 1) of the first few


@dataclass(frozen=True, slots=True)
class CheckReport:
    """The verdict on one delivery."""

    source: str
    rows: int
    set_aside: int  # rows that broke at least one rule
    tolerance: float
    header: tuple[Broken, ...] = ()  # labels missing, unknown or doubled: the delivery is returned
    broken: tuple[Broken, ...] = ()
    uncompiled: tuple[str, ...] = ()  # "field: rule" that frictionless itself had to run
    by_frictionless: int = 0  # distinct cells that frictionless itself had to read

    @property
    def accepted(self) -> bool:
        """Whether the delivery may go on, without the rows set aside."""
        return not self.header and self.rows > 0 and self.set_aside <= self.tolerance * self.rows
