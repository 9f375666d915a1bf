"""The cheapest partners of a cell: what to withhold so that it can have another value, by linear programming.

A move of `moves` withholds the corners of one box. Often a longer way round costs less, by cells that are withheld
already. So around a cell stands a block of lowest places, as in `blocks`, but here shown cells may change as well, each
person more or fewer at the price of withholding the cell. What the cheapest change of all alters is what to withhold.
It is a proposal and no proof: that is asked for anew with the cells withheld, in whole numbers.

Source: the attacker's problem of Fischetti and Salazar-González (2000), and the heuristics on alternate tables that
come before it; prices by the unit changed are lowered once for cells that change by many, since a cell is withheld
only once.
"""

from __future__ import annotations

from dataclasses import dataclass

import highspy
import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from anonymize.protection.blocks import WHOLE, leaves_around, solver, sum_rows, together
from anonymize.protection.lattice import Flags, Ints, Lattice
from anonymize.tables import Mark

Floats = NDArray[np.float64]

DEAREST = 1e6  # of the cheapest price: a program with wider costs is not solved well
LOOKS = 2  # more found nothing cheaper
PERSON = 1e-3  # of the cheapest price: what an exchange costs beside what it changes of shown cells


@dataclass(frozen=True, slots=True, eq=False)
class Told:
    """What is published of the cells that a block's counts can change."""

    places: Ints  # (cells,)
    cells: Ints
    low: Floats  # (cells,) by how much it may change at least and at most; 0 and 0: not at all, or for its price
    high: Floats
    price: Floats  # (cells,) of withholding it: 0 where it is not shown; infinite: it may not be
    spare: Floats  # (cells,) persons that it can lose if it is withheld


def partners(
    lattice: Lattice,
    marks: NDArray[np.uint8],
    prices: Ints,
    at: tuple[int, int],
    by: tuple[int, ...],
    around: tuple[int, int, int],
) -> list[tuple[int, int]]:
    """Shown cells to withhold so that a cell may change by each of some numbers; none if no way was found.

    `at` is the cell's place and number, `around` the block's centre, top and how far it goes (see `blocks`).
    """
    centre, top, far = around
    leaves = leaves_around(lattice, centre, top, far)
    told = _told(lattice, marks, prices, leaves, top)
    program = Program(lattice, leaves, told, at)
    price = told.price.copy()
    for change in by:
        altered = program.cheapest(change, price)
        if altered is None:
            return []
        price[altered] = 0.0
    chosen = (price == 0) & (told.price > 0)
    return list(zip(told.places[chosen].tolist(), told.cells[chosen].tolist(), strict=True))


def _told(lattice: Lattice, marks: NDArray[np.uint8], prices: Ints, leaves: Ints, top: int) -> Told:
    """Below the top what is shown has its price; at the top, and above, it stays as it is."""
    inside = np.arange(top + 1, int(lattice.end[top]))
    under = np.searchsorted(leaves, lattice.leaf_end[inside]) > np.searchsorted(leaves, lattice.leaf_start[inside])
    varying, above = inside[under], np.array(lattice.path(top))
    shown = marks[varying] == Mark.SHOWN
    row, cells = np.nonzero(shown | lattice.bound(marks, varying))
    fixed = np.flatnonzero(together(marks[above]) == Mark.SHOWN)
    far, beyond = np.nonzero(lattice.bound(marks, above))
    places = np.concatenate([varying[row], np.full(len(fixed), top), above[far]])
    bound = np.concatenate([~shown[row, cells], np.zeros(len(fixed), np.bool_), np.ones(len(far), np.bool_)])
    cells = np.concatenate([cells, fixed, beyond])
    value, least = lattice.values[places, cells], lattice.least[places, cells]
    price = prices[places, cells].astype(np.float64)
    price[len(row) :] = np.inf
    price[value == 0] = np.inf  # a zero is never withheld
    price[bound] = 0.0
    low, high = np.where(bound, least - value, 0), np.where(bound, np.inf, 0.0)
    return Told(places, cells, low.astype(np.float64), high, price, (value - least).astype(np.float64))


class Program:
    """The changes of a block's inner counts, and of shown cells, that change one cell by a number."""

    def __init__(self, lattice: Lattice, leaves: Ints, told: Told, at: tuple[int, int]) -> None:
        self.told = told
        self.bought = np.flatnonzero(np.isfinite(told.price) & (told.high == 0))
        inner, open_ = lattice.inner[leaves].reshape(-1), lattice.open[leaves].reshape(-1)
        rising, falling = np.flatnonzero(open_), np.flatnonzero(inner > 0)
        self.persons, many = len(rising) + len(falling), len(self.bought)
        shape = (len(told.price) + 1, many)
        slack = sparse.csr_array((np.ones(many), (self.bought, np.arange(many))), shape)
        places, cells = np.append(told.places, at[0]), np.append(told.cells, at[1])
        sums = sum_rows(lattice, leaves, places, cells)
        sides = [sums[:, rising], -sums[:, falling], -slack, slack]
        matrix = sparse.csc_array(sparse.hstack(sides), dtype=np.float64)
        free = np.full(max(len(rising), many), np.inf)
        upper = np.concatenate([free[: len(rising)], inner[falling], free[:many], told.spare[self.bought]])
        self.highs = solver(matrix, np.append(told.low, 0.0), np.append(told.high, 0.0), upper)

    def cheapest(self, change: int, price: Floats) -> Flags | None:
        """(cells,) which are altered where withholding those costs least, of what was found; None if nothing was.

        A cell is withheld once, however much it changes, but a linear program pays for each person. So it looks twice:
        by prices for a person, and by what the cells that were altered came to altogether.
        """
        self.highs.changeRowBounds(len(price), float(change), float(change))
        by_person, best = price, None
        for _ in range(LOOKS):
            moved = self._moved(by_person)
            if moved is None:
                break
            altered: Flags = moved > WHOLE
            if best is None or price[altered].sum() < price[best].sum():
                best = altered
            by_person = np.where(altered, price / np.maximum(moved, 1), price)
        return best

    def _moved(self, by_person: Floats) -> Floats | None:
        """(cells,) by how much each shown cell changes where that costs least."""
        price = by_person[self.bought]
        unit = float(price[price > 0].min(initial=np.inf))
        cost = np.minimum(price / unit, DEAREST)
        costs = np.concatenate([np.full(self.persons, PERSON), cost, cost])
        self.highs.changeColsCost(len(costs), np.arange(len(costs), dtype=np.int32), costs)
        self.highs.clearSolver()
        self.highs.run()
        if self.highs.getModelStatus() != highspy.HighsModelStatus.kOptimal:
            return None
        found = np.array(self.highs.getSolution().col_value)[self.persons :]
        moved = np.zeros(len(by_person))
        moved[self.bought] = np.abs(found[: len(self.bought)] - found[len(self.bought) :])
        return moved
