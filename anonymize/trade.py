"""Trades: two persons of a lowest place trade some of their categories, and two persons of a sibling trade them back.

Where no cross is shown that couples the dimensions in U with the others, single persons can be exchanged, not whole
boxes as in `anonymize.moves`. Write the types of a place as a matrix, rows by the categories on U, columns by those on
the other dimensions. Persons (u, w) and (u', w') that become (u, w') and (u', w) leave all sums of rows and of columns,
and so every cross within U and every cross without, as they are. Two persons (u, w') and (u', w) of a sibling that
become (u, w) and (u', w') make good for it in all places above both. So nothing shown changes if at both places no
cross with dimensions both in U and outside it is shown or marked c; and no count may fall below 0. Trades are laid one
after the other, each on what the last one left, so every whole value on the way is possible too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from anonymize.lattice import Flags, Ints, Lattice, members
from anonymize.tables import Mark


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """Inner cells as a matrix: rows by the categories on some dimensions, columns by those on the others."""

    row: Ints  # (inner cells,)
    column: Ints
    at: Ints  # (rows, columns) inner cell
    coupling: Ints  # flat cells of the crosses with dimensions on both sides


class Splits:
    """Makes and keeps the splits of one lattice."""

    def __init__(self, lattice: Lattice) -> None:
        self.lattice = lattice
        self.of: Callable[[int], Split] = lru_cache(maxsize=None)(self._of)

    def _of(self, cross: int) -> Split:
        lattice = self.lattice
        rest = (1 << len(lattice.sizes)) - 1 - cross
        coordinates = lattice.coordinates[lattice.inner_cells]
        row, rows = _rank(coordinates[:, list(members(cross))])
        column, columns = _rank(coordinates[:, list(members(rest))])
        at = np.empty((rows, columns), dtype=np.int64)
        at[row, column] = np.arange(len(row))
        return Split(row, column, at, np.flatnonzero(((lattice.cross & cross) > 0) & ((lattice.cross & rest) > 0)))


def _rank(coordinates: Ints) -> tuple[Ints, int]:
    distinct, rank = np.unique(coordinates, axis=0, return_inverse=True)
    return rank.reshape(-1).astype(np.int64), len(distinct)


def partners(lattice: Lattice, split: Split, place: int, marks: NDArray[np.uint8]) -> Ints:
    """Siblings that a lowest place can trade with; none if it cannot trade itself."""
    group = lattice.group(place)
    free: Flags = np.all(marks[group][:, split.coupling] >= Mark.BELOW, axis=1)
    if not free[group == place].any():
        return np.empty(0, dtype=np.int64)
    siblings: Ints = group[free & (group != place)]
    return siblings


def trades(lattice: Lattice, splits: Splits, place: int, cell: int, marks: NDArray[np.uint8], by: int) -> bool:
    """Whether trades can raise a cell of a lowest place by so many persons (lower it, if negative)."""
    whole = int(lattice.cross[cell])
    here = lattice.membership[cell]
    leaf = int(lattice.leaf_start[place])
    left = abs(by)
    counts: dict[int, Ints] = {}
    for cross in range(1, 1 << (len(lattice.sizes) - 1)):
        if left == 0 or not whole & cross or not whole & ~cross:
            continue
        split = splits.of(cross)
        others = lattice.leaf_start[partners(lattice, split, place, marks)]
        for other in (leaf, *others.tolist()):
            counts.setdefault(other, lattice.inner[other].copy())
        if len(others):
            in_rows = _has(split.row, here, split.at.shape[0])
            in_columns = _has(split.column, here, split.at.shape[1])
            first = np.flatnonzero(in_columns & (in_rows != (by > 0)))
            second = np.flatnonzero(~in_columns & (in_rows == (by > 0)))
            away = np.stack([counts[other] for other in others.tolist()])
            left -= _lay(split, counts[leaf], away, first, second, left)
            counts.update(zip(others.tolist(), away, strict=True))
    return left == 0


def _has(index: Ints, cells: Flags, size: int) -> Flags:
    """For every inner cell, whether its row (or column) is one of those of some cells."""
    flags = np.zeros(size, dtype=np.bool_)
    flags[index[cells]] = True
    has: Flags = flags[index]
    return has


def _lay(split: Split, here: Ints, away: Ints, first: Ints, second: Ints, wanted: int) -> int:
    """Trade persons of the first types with persons of the second, most at a time first; changes the counts."""
    first, second = first[here[first] > 0], second[here[second] > 0]
    if not len(first) or not len(second):
        return 0
    one = split.at[split.row[second][None, :], split.column[first][:, None]]
    two = split.at[split.row[first][:, None], split.column[second][None, :]]
    laid = 0
    while laid < wanted:
        back = np.minimum(away[:, one], away[:, two]).sum(axis=0)
        units = np.minimum(np.minimum(here[first][:, None], here[second][None, :]), back)
        p, q = divmod(int(units.argmax()), units.shape[1])
        now = min(int(units[p, q]), wanted - laid)
        if now == 0:
            break
        room = np.minimum(away[:, one[p, q]], away[:, two[p, q]])
        share = np.clip(now - (np.cumsum(room) - room), 0, room)
        gone, come = [first[p], second[q]], [one[p, q], two[p, q]]
        here[gone] -= now
        here[come] += now
        away[:, gone] += share[:, None]
        away[:, come] -= share[:, None]
        laid += now
    return laid
