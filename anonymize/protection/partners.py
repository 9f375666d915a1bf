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

from anonymize.protection.blocks import ITERATIONS, WHOLE, leaves_around, sum_rows, together
from anonymize.protection.lattice import Ints, Lattice
from anonymize.tables import Mark

Floats = NDArray[np.float64]

DEAREST = 1e6  # of the cheapest price: a program with wider costs is not solved well
LOOKS = 2  # at the cheapest change: by prices of a person, then as these were
PERSON = 1e-3  # of the cheapest price: what an exchange costs beside what it changes of shown cells


@dataclass(frozen=True, slots=True, eq=False)
class Program:
    """Changes of the inner counts of a block, and of the shown cells there, each with its price."""

    places: Ints  # (rows,) of the cells that are shown or marked c
    cells: Ints
    matrix: sparse.csr_array  # (rows, unknowns) which inner counts each of them sums up
    low: Floats  # (rows,) by how much it may change at least and at most; 0 and 0: it may not, or for its price
    high: Floats
    price: Floats  # (rows,) for each person more or fewer; infinite: not at any price
    most: Floats  # (rows,) persons that it can lose


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
    program = _program(lattice, marks, prices, leaves, top)
    wish = sum_rows(lattice, leaves, np.array([at[0]]), np.array([at[1]]))
    price = program.price.copy()
    chosen = np.zeros(len(price), dtype=np.bool_)
    for change in by:
        moved = _least(lattice, leaves, program, price, wish, change)
        if moved is None:
            return []
        chosen |= (moved > WHOLE) & (price > 0)
        price[chosen] = 0.0
    return list(zip(program.places[chosen].tolist(), program.cells[chosen].tolist(), strict=True))


def _least(
    lattice: Lattice, leaves: Ints, program: Program, price: Floats, wish: sparse.csr_array, change: int
) -> Floats | None:
    """The change of which the cells altered cost least, of those found; None if there is none at all."""
    by_person, least, best = price, np.inf, None
    for _ in range(LOOKS):
        moved = _cheapest(lattice, leaves, program, by_person, wish, change)
        if moved is None:
            break
        altered = moved > WHOLE
        cost = float(price[altered].sum())
        if cost < least:
            least, best = cost, moved
        # a cell is withheld once, however much it changes: what it cost altogether is its price for another look
        by_person = np.where(altered, price / np.maximum(moved, 1), price)
    return best


def _program(lattice: Lattice, marks: NDArray[np.uint8], prices: Ints, leaves: Ints, top: int) -> Program:
    inside = np.arange(top + 1, int(lattice.end[top]))
    under = np.searchsorted(leaves, lattice.leaf_end[inside]) > np.searchsorted(leaves, lattice.leaf_start[inside])
    varying, above = inside[under], np.array(lattice.path(top))
    row, cells = np.nonzero(marks[varying] <= Mark.WITHHELD)
    places = varying[row]
    fixed = np.flatnonzero(together(marks[above]) == Mark.SHOWN)
    far, bound = np.nonzero(marks[above] == Mark.WITHHELD)
    places = np.concatenate([places, np.full(len(fixed), top), above[far]])
    cells = np.concatenate([cells, fixed, bound])
    value, least = lattice.values[places, cells], lattice.least[places, cells]
    withheld = marks[places, cells] == Mark.WITHHELD
    withheld[len(row) : len(row) + len(fixed)] = False
    price = prices[places, cells].astype(np.float64)
    price[len(row) :] = np.inf
    price[value == 0] = np.inf  # a zero is never withheld
    price[withheld] = 0.0
    return Program(
        places,
        cells,
        sum_rows(lattice, leaves, places, cells),
        np.where(withheld, least - value, 0).astype(np.float64),
        np.where(withheld, np.inf, 0.0),
        price,
        (value - least).astype(np.float64),
    )


def _cheapest(
    lattice: Lattice, leaves: Ints, program: Program, price: Floats, wish: sparse.csr_array, change: int
) -> Floats | None:
    """(rows,) by how much each cell changes where the wished one changes by so many for the least price."""
    inner, open_ = lattice.inner[leaves].reshape(-1), lattice.open[leaves].reshape(-1)
    rising, falling = np.flatnonzero(open_), np.flatnonzero(inner > 0)
    bought = np.flatnonzero(np.isfinite(price) & (program.high == 0))
    unit = float(price[bought][price[bought] > 0].min(initial=np.inf))
    unit = unit if np.isfinite(unit) else 1.0
    cost = np.minimum(price[bought] / unit, DEAREST)
    slack = sparse.csr_array((np.ones(len(bought)), (bought, np.arange(len(bought)))), (len(price), len(bought)))
    nothing = sparse.csr_array((1, len(bought)))
    matrix = sparse.csc_array(
        sparse.vstack(
            [
                sparse.hstack([program.matrix[:, rising], -program.matrix[:, falling], -slack, slack]),
                sparse.hstack([wish[:, rising], -wish[:, falling], nothing, nothing]),
            ]
        ),
        dtype=np.float64,
    )
    persons = len(rising) + len(falling)
    lp = highspy.HighsLp()
    lp.num_row_, lp.num_col_ = matrix.shape
    lp.col_cost_ = np.concatenate([np.full(persons, PERSON), cost, cost])
    lp.col_lower_ = np.zeros(matrix.shape[1])
    lp.col_upper_ = np.concatenate(
        [np.full(len(rising), np.inf), inner[falling], np.full(len(bought), np.inf), program.most[bought]]
    )
    lp.row_lower_ = np.append(program.low, change)
    lp.row_upper_ = np.append(program.high, change)
    lp.a_matrix_.format_ = highspy.MatrixFormat.kColwise
    lp.a_matrix_.start_, lp.a_matrix_.index_, lp.a_matrix_.value_ = matrix.indptr, matrix.indices, matrix.data
    highs = highspy.Highs()  # type: ignore[no-untyped-call]
    highs.silent()
    highs.setOptionValue("threads", 1)
    highs.setOptionValue("presolve", "off")
    highs.setOptionValue("simplex_iteration_limit", ITERATIONS)
    highs.passModel(lp)
    highs.run()
    if highs.getModelStatus() != highspy.HighsModelStatus.kOptimal:
        return None
    found = np.array(highs.getSolution().col_value)[persons:]
    moved = np.zeros(len(price))
    moved[bought] = np.abs(found[: len(bought)] - found[len(bought) :])
    return moved
