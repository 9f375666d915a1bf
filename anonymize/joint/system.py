"""A joint system: counts of persons by kind, and the cells that are sums of them.

A *kind* is what nobody publishes: a place with a set of programmes, say. A *cell* is what may be published, or asked
about: a sum of kinds. What is published elsewhere of the same persons (a programme's users) is *given*: whatever an
outsider holds for possible fulfils it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from anonymize.errors import BadCells
from anonymize.tables import Dimension, Drop, Mark, Places

Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]
Marks = NDArray[np.uint8]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Cell:
    """The name of a cell: the table that it stands in, the place, and what it counts there."""

    table: str
    level: str
    place: str
    what: str


@dataclass(frozen=True, slots=True, eq=False)
class Joint:
    """True counts, unprotected: never leaves the owner's side."""

    counts: Ints  # (kinds,) persons
    place: Ints  # (kinds,) number of the place that each kind lives in
    floor: Ints  # (kinds,) the least that a proof takes each for: persons whose other facts it leaves as they are
    cells: tuple[Cell, ...]
    sums: sparse.csr_array  # (cells, kinds) 1 where a cell counts a kind
    threshold: Ints  # (cells,) a cell of 1 … threshold - 1 is at risk
    given: sparse.csr_array  # (givens, kinds) what is published elsewhere …
    low: Ints  # (givens,) … and between which counts that is
    high: Ints
    above: tuple[tuple[int, ...], ...]  # per cell: cells below which it is not shown when they are withheld
    free: Flags  # (cells,) not shown, whatever it counts: something elsewhere that it is part of is withheld
    hidden: Flags  # (cells,) no table has it, but it can be asked about
    ladder: tuple[tuple[tuple[int, ...], ...], ...]  # per cell: sets of cells to drop for it, one after the other
    large: Flags | None = None  # (cells,) known to reach their threshold; where it is left out, those that do

    def __post_init__(self) -> None:
        kinds, cells = len(self.counts), len(self.cells)
        if self.sums.shape != (cells, kinds) or self.given.shape != (len(self.low), kinds):
            raise BadCells(f"{cells} cells of {kinds} kinds have sums {self.sums.shape}, givens {self.given.shape}")
        if (self.counts < self.floor).any() or (self.floor < 0).any():
            raise BadCells("a count is below its floor, or below zero")
        stated = self.given @ self.counts
        if (stated < self.low).any() or (stated > self.high).any():
            raise BadCells("what is given does not hold of the counts")

    @property
    def values(self) -> Ints:
        """What every cell truly counts."""
        return np.asarray(self.sums @ self.counts)

    @property
    def at_risk(self) -> Flags:
        """Cells of 1 … threshold - 1, shown or not."""
        values = self.values
        return (values > 0) & (values < self.threshold)

    @property
    def least(self) -> Ints:
        """What is known of a cell once it is withheld: somebody, and at least the threshold where it is not at risk."""
        return np.where(~self.at_risk if self.large is None else self.large, self.threshold, 1)

    def marks(self, withheld: Flags, dropped: Flags) -> Marks:
        """What is published of every cell if some are withheld and some dropped.

        Cells at risk are withheld in any case; a cell below a withheld one is not shown.
        """
        marks = np.where(withheld | self.at_risk, Mark.WITHHELD, Mark.SHOWN).astype(np.uint8)
        marks[self.values == 0] = Mark.SHOWN
        marks[self.free] = Mark.BELOW
        marks[self.hidden | dropped] = Mark.ABSENT
        for cell, above in enumerate(self.above):
            if marks[cell] <= Mark.WITHHELD and any(marks[a] in (Mark.WITHHELD, Mark.BELOW) for a in above):
                marks[cell] = Mark.BELOW
        return marks

    def bounds(self, marks: Marks) -> tuple[Ints, Ints]:
        """Between which counts every cell is, for who sees the marks: (cells,), (cells,)."""
        low = np.where(marks == Mark.SHOWN, self.values, np.where(marks == Mark.WITHHELD, self.least, 0))
        return low, np.where(marks == Mark.SHOWN, self.values, self.most)

    @property
    def most(self) -> int:
        """No cell counts more, in any table."""
        return int(self.counts.sum()) + int(self.threshold.max(initial=0))

    def agrees(self, marks: Marks, counts: Ints) -> bool:
        """Whether somebody who sees the marks and what is given must hold other counts for possible."""
        low, high = self.bounds(marks)
        values, stated = self.sums @ counts, self.given @ counts
        return bool(
            (counts >= self.floor).all()
            and (values >= low).all()
            and (values <= high).all()
            and (stated >= self.low).all()
            and (stated <= self.high).all()
        )


def sparse_drops(places: Places, dimension: Dimension, gone: Flags) -> tuple[Drop, ...]:
    """The levels at which a table (places, cells) lost cells that were to be shown."""
    return tuple(
        Drop(places.codes[0], name, (dimension.id,), "sparse")
        for depth, name in enumerate(places.levels)
        if gone[places.level == depth].any()
    )


@dataclass(frozen=True, slots=True, eq=False)
class SafeJoint:
    """What may be published of a joint system: holds no value that is not shown."""

    cells: tuple[Cell, ...]
    values: Ints  # (cells,) -1 where not shown
    marks: Marks
    threshold: Ints
