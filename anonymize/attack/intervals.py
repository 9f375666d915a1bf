"""Intervals, by linear programming: the least and the largest value that a cell at risk can have.

A cell must be able to be 1 and to be the threshold in tables of counts >= 0 that agree with the published rows. Such a
table is looked for near the cell first: some unknowns are open, all others are as in a table known to be possible, so
what is possible there is possible. Neighbourhoods grow from the places beside a cell to the heaviest places of the
whole country. Many cells are settled by one program (the sum of all, each counted up to the threshold), the rest one by
one. Only the program over everything convicts.

Source: Hundepool et al., Statistical Disclosure Control (2012), audit of tables.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

from anonymize.attack.program import Program
from anonymize.attack.system import CLOSE, Finding, Floats, Ints, System
from anonymize.tables import CellRef

REACHES = (1, 4, 16)  # lowest places, the heaviest, that a neighbourhood takes from each place further off
BULK_ROUNDS = 60  # of programs for many cells; about 20 are needed, the last one settles none


def intervals(system: System, targets: Sequence[CellRef], threshold: int, table: Floats) -> tuple[Finding, ...]:
    """Targets that cannot be 1, or cannot be the threshold, in any table of counts >= 0 that agrees with the rows.

    `table` (unknowns,) agrees with them.
    """
    if not targets:
        return ()
    targets, table = sorted(targets), table[system.columns]
    whole, country = Program.of(system), Country.of(system, table)
    task = Task.of(system.sums(targets), threshold, table)
    first = task.sums.indices[task.sums.indptr[:-1]].astype(np.int64)
    level = np.array([system.published.places.levels.index(ref.level) for ref in targets], dtype=np.int64)
    for within, reach in country.stages():
        cells = np.flatnonzero((task.up | task.down) & (level > within))  # exchanges in there change no other
        for group, inside in country.around(level[cells], first[cells], within, reach):
            task.settle(Near.of(whole, task.sums, cells[group], inside, table), one_by_one=reach > 0)
    found = []
    for one in np.flatnonzero(task.up | task.down).tolist():
        low, high = whole.least(task.sums[[one]]), whole.most(task.sums[[one]])
        if not (low <= 1 + CLOSE and high >= threshold - CLOSE):
            found.append(Finding(targets[one], "interval", low, high))
    return tuple(found)


@dataclass(frozen=True)
class Country:
    """Where every open unknown lies."""

    at: tuple[Ints, ...]  # by level, root first: (unknowns,) number of its place
    rank: tuple[Ints, ...]  # by level: (unknowns,) how many lowest places of the same place count more persons

    @classmethod
    def of(cls, system: System, table: Floats) -> Country:
        """The places of a system's open unknowns, with the persons of a table (unknowns,)."""
        labels = system.labels.loc[system.free]
        at = tuple(
            pd.factorize(labels[f"at {level}"], sort=True)[0].astype(np.int64)
            for level in system.published.places.levels
        )
        lowest, one = np.unique(at[-1], return_index=True)
        persons = np.bincount(at[-1], table)
        rank = []
        for place in at:
            order = np.lexsort((lowest, -persons, place[one]))
            start = np.searchsorted(place[one][order], place[one][order])
            ranks = np.empty(len(lowest), dtype=np.int64)
            ranks[order] = np.arange(len(lowest)) - start
            rank.append(ranks[at[-1]])
        return cls(at, tuple(rank))

    @property
    def beside(self) -> int:
        """The level right above the lowest places."""
        return max(len(self.at) - 2, 0)

    def stages(self) -> Iterator[tuple[int, int]]:
        """Level within which a neighbourhood lies, and how many lowest places it takes from each place below that."""
        yield self.beside, 0
        for within in range(self.beside - 1, -1, -1):
            for reach in REACHES:
                yield within, reach

    def around(self, level: Ints, first: Ints, within: int, reach: int) -> Iterator[tuple[Ints, Ints]]:
        """Cells that share a neighbourhood, and its unknowns.

        A cell's own place is that of its level, or the one beside the lowest places; `first` is one of its unknowns.
        Around it lie the heaviest `reach` lowest places of each place that shares the place `within` with it.
        """
        own = np.minimum(level, self.beside)
        place = np.select([own == depth for depth in range(len(self.at))], [at[first] for at in self.at])
        for depth, number in sorted(set(zip(own.tolist(), place.tolist(), strict=True))):
            mine = self.at[depth] == number
            shared = self.at[within] == self.at[within][np.flatnonzero(mine)[0]]
            far = shared & (self.rank[within + 1] < reach) if reach else mine
            yield np.flatnonzero((own == depth) & (place == number)), np.flatnonzero(mine | far)


@dataclass(frozen=True)
class Near:
    """Some cells, and the tables that differ from a possible one in some unknowns alone."""

    cells: Ints  # their numbers among the targets
    program: Program
    sums: sparse.csr_array  # (cells, unknowns inside)
    outside: Floats  # (cells,) what the unknowns outside add to each

    @classmethod
    def of(cls, whole: Program, sums: sparse.csr_array, cells: Ints, inside: Ints, table: Floats) -> Near:
        """Cells of (targets, unknowns) sums, with unknowns inside open."""
        mine = sparse.csr_array(sums[cells])
        here = sparse.csr_array(mine[:, inside])
        return cls(cells, whole.within(inside, table), here, mine @ table - here @ table[inside])


@dataclass(frozen=True)
class Task:
    """Targets, and which of them have yet to reach the threshold, or 1."""

    sums: sparse.csr_array  # (targets, open unknowns)
    threshold: int
    up: NDArray[np.bool_]
    down: NDArray[np.bool_]

    @classmethod
    def of(cls, sums: sparse.csr_array, threshold: int, table: Floats) -> Task:
        """What a possible table leaves to do."""
        reached = sums @ table
        return cls(sums, threshold, reached < threshold - CLOSE, reached > 1 + CLOSE)

    def settle(self, near: Near, *, one_by_one: bool) -> None:
        """Strike off all cells that some table near by settles."""
        for still_open, most in ((self.up, True), (self.down, False)):
            self._together(near, still_open, most)
            for i in np.flatnonzero(still_open[near.cells]) if one_by_one else ():
                extreme = near.program.most if most else near.program.least
                self._strike(near.cells[[i]], extreme(near.sums[[i]]) + near.outside[[i]])

    def _together(self, near: Near, still_open: NDArray[np.bool_], most: bool) -> None:
        bound = (self.threshold if most else 1) - near.outside
        for _ in range(BULK_ROUNDS):
            wanted = np.flatnonzero(still_open[near.cells])
            point = near.program.together(near.sums[wanted], bound[wanted], most) if len(wanted) else None
            if point is None:
                return
            self._strike(near.cells, near.sums @ point + near.outside)
            if still_open[near.cells[wanted]].all():
                return

    def _strike(self, targets: Ints, reached: Floats) -> None:
        self.up[targets] &= ~(reached >= self.threshold - CLOSE)
        self.down[targets] &= ~(reached <= 1 + CLOSE)
