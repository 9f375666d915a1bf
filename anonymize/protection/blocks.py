"""Whole tables for single cells: every exchange among the places around one, found by linear programming.

What one move of `moves` cannot do, several together often can. Around a place stands a *block* of lowest places: those
under it, or beside it, and the largest ones of every place further off. Let their counts vary, all others stay true. A
table of whole counts in which every shown cell is as shown, every cell marked c at least what it is known to be, and
the wanted cell w, proves that w stays possible. The program looks for the smallest change that makes the cell w. A
corner of it is whole more often than not, and drawing the costs anew soon gives one that is. Only a table that is whole
and agrees with all marks, reckoned again in integers over every margin, counts as proof: an error of the solver can
cost a cell its proof, but never its safety. Solvers stop by iterations, costs come from fixed seeds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import highspy
import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from anonymize.linear import prepared
from anonymize.protection.lattice import Flags, Ints, Lattice
from anonymize.tables import Mark

Floats = NDArray[np.float64]

DRAWS = 24  # costs tried until a corner is whole; more than 6 were needed by 1 in 1000 programs
DIVES = 4  # counts held at whole numbers, one after the other, before the costs are drawn anew
ITERATIONS = 20_000
WHOLE = 1e-6
NEAR = 2  # lowest places that the narrowest block takes from each place further off
BESIDE = 3  # lowest places taken from beside one that is further off
MOST_LEAVES = 60  # from under one place, or by the narrowest block from one step further off; Peru's largest province
# has 43 districts


@dataclass(frozen=True, eq=False)
class Block:
    """Lowest places whose counts may vary below one place, and what every change of them must fulfil.

    Unknown is the change of each inner count: low <= matrix @ change <= high, and no count below zero.
    """

    lattice: Lattice
    leaves: Ints  # inner rows
    matrix: sparse.csr_array
    low: Ints
    high: Ints

    @cached_property
    def counts(self) -> Ints:
        """The true inner counts, (unknowns,)."""
        return self.lattice.inner[self.leaves].reshape(-1)

    @cached_property
    def open(self) -> Flags:
        """Where persons may come, (unknowns,)."""
        return self.lattice.open[self.leaves].reshape(-1)


@dataclass(frozen=True, slots=True, eq=False)
class Change:
    """A table of whole counts that differs from the true one at some lowest places."""

    leaves: Ints  # inner rows
    counts: Ints  # (leaves, inner cells) persons more or fewer

    def margins(self, lattice: Lattice) -> tuple[Ints, Ints]:
        """Places at which cells differ, and the values of all their cells: (places,), (places, cells)."""
        by_leaf = self.counts @ lattice.membership.T
        paths = [lattice.path(leaf) for leaf in lattice.lowest[self.leaves].tolist()]
        places = np.unique(np.concatenate([np.empty(0, dtype=np.int64), *paths]))
        differ = np.zeros((len(places), lattice.values.shape[1]), dtype=np.int64)
        for path, counts in zip(paths, by_leaf, strict=True):
            differ[np.searchsorted(places, path)] += counts
        return places, lattice.values[places] + differ


def agrees(lattice: Lattice, marks: NDArray[np.uint8], places: Ints, values: Ints) -> bool:
    """Whether somebody who sees the marks must hold other values of all cells of some places for possible."""
    if (values < 0).any():
        return False
    lowest = lattice.level[places] == lattice.level.max()
    inner = values[np.ix_(lowest, lattice.inner_cells)]
    if inner[~lattice.open[lattice.leaf_start[places[lowest]]]].any():
        return False
    as_shown = (values == lattice.values[places]) | (marks[places] != Mark.SHOWN)
    enough = (values >= lattice.least[places]) | ~lattice.bound(marks, places)
    return bool(as_shown.all() and enough.all())


def holders(lattice: Lattice, place: int, cell: int) -> Ints:
    """Lowest places under a place that count somebody in a cell, inner rows, the most first."""
    first, last = int(lattice.leaf_start[place]), int(lattice.leaf_end[place])
    persons = lattice.inner[first:last][:, lattice.membership[cell]].sum(axis=1)
    return first + np.argsort(-persons, kind="stable")[: int((persons > 0).sum())]


def leaves_around(lattice: Lattice, place: int, top: int, far: int, also: Sequence[int] = ()) -> Ints:
    """Lowest places of a block: all under `place`, and the `far` largest of each other place on the way up to `top`.

    `also` are lowest places further off, each with the largest beside it.
    """
    chosen = [_largest(lattice, place, max(MOST_LEAVES, far))]
    path = lattice.path(place)
    for here, above in pairwise(path[: path.index(top) + 1]):
        others = [other for other in lattice.children[above].tolist() if other != here]
        each = min(far, max(MOST_LEAVES * far // NEAR // max(len(others), 1), 1))
        chosen += [_largest(lattice, other, each) for other in others]
    for leaf in also:
        chosen += [np.array([leaf]), _largest(lattice, int(lattice.parent[lattice.lowest[leaf]]), BESIDE)]
    return np.unique(np.concatenate(chosen))


def _largest(lattice: Lattice, place: int, most: int) -> Ints:
    """The lowest places under a place that count most persons."""
    first, last = int(lattice.leaf_start[place]), int(lattice.leaf_end[place])
    return first + np.argsort(-lattice.inner[first:last].sum(axis=1), kind="stable")[:most]


def block(
    lattice: Lattice, place: int, top: int, far: int, marks: NDArray[np.uint8], also: Sequence[int] = ()
) -> Block:
    """The block around a place (see `leaves_around`). Shown cells that follow from other shown ones are left out."""
    leaves = leaves_around(lattice, place, top, far, also)
    inside = np.arange(top + 1, int(lattice.end[top]))
    first = np.searchsorted(leaves, lattice.leaf_start[inside])
    last = np.searchsorted(leaves, lattice.leaf_end[inside])
    varying = inside[first < last]
    above = lattice.path(top)
    # what every place of the path above shows binds all varying places together, so it is said once, of the top
    mark = np.vstack([marks[varying], together(marks[above])[None, :], marks[above]])
    places = np.concatenate([varying, [top], above])
    bound = lattice.bound(marks, places)
    bound[len(varying)] = False
    says = _shown(lattice, mark) | bound
    says[len(varying) + 1 :] = bound[len(varying) + 1 :]
    row, cells = np.nonzero(says)
    at, within = places[row], bound[row, cells]
    low = np.where(within, lattice.least[at, cells] - lattice.values[at, cells], 0)
    high = np.where(within, lattice.values[0, -1], 0)
    return Block(lattice, leaves, sum_rows(lattice, leaves, at, cells), low, high)


def together(marks: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """What several places of one path show together: nothing changes in one of them alone."""
    return np.where((marks == Mark.SHOWN).any(axis=0), Mark.SHOWN, Mark.ABSENT).astype(np.uint8)


def _shown(lattice: Lattice, mark: NDArray[np.uint8]) -> Flags:
    """Cells (places, cells) that are shown, and no sum of shown ones on one more dimension."""
    shown = mark == Mark.SHOWN
    implied = np.zeros_like(shown)
    for total, parts in lattice.parts:
        implied[:, total] |= shown[:, parts].all(axis=2)
    flags: Flags = shown & ~implied
    return flags


def sum_rows(lattice: Lattice, leaves: Ints, places: Ints, cells: Ints) -> sparse.csr_array:
    """(sums, unknowns) which inner counts of a block each cell sums up; one row for each place and cell."""
    width = lattice.inner.shape[1]
    first = np.searchsorted(leaves, lattice.leaf_start[places])
    under = np.searchsorted(leaves, lattice.leaf_end[places]) - first
    kinds = lattice.membership.sum(axis=1)
    kind = np.nonzero(lattice.membership)[1]
    begin = np.cumsum(kinds) - kinds
    length = under * kinds[cells]
    end = np.cumsum(length)
    step = np.arange(end[-1] if len(end) else 0) - np.repeat(end - length, length)
    each = np.repeat(kinds[cells], length)
    column = (np.repeat(first, length) + step // each) * width + kind[np.repeat(begin[cells], length) + step % each]
    shape = (len(cells), len(leaves) * width)
    return sparse.csr_array((np.ones(len(column), dtype=np.int64), column, np.concatenate([[0], end])), shape=shape)


class Prover:
    """Looks for whole tables of one block."""

    def __init__(self, here: Block, marks: NDArray[np.uint8]) -> None:
        self.here, self.lattice, self.marks = here, here.lattice, marks
        empty = here.matrix[(here.high == 0) & (here.matrix @ here.counts == 0)]
        can_rise = (np.asarray(empty.sum(axis=0)).reshape(-1) == 0) & here.open
        self.rising, self.falling = np.flatnonzero(can_rise), np.flatnonzero(here.counts > 0)
        self.columns = len(self.rising) + len(self.falling)
        self.upper = np.append(np.full(len(self.rising), highspy.kHighsInf), here.counts[self.falling])
        self.row = here.matrix.shape[0]
        self._last = np.zeros(self.columns, dtype=np.int64)
        self._wished = (-1, -1)
        self._drawn = -1
        self.highs = self._program()

    def table(self, place: int, cell: int, wanted: int) -> Change | None:
        """A possible table in which a cell has the wanted value; None if none was found."""
        if self._wished != (place, cell):
            self._wish(place, cell)
        by = wanted - int(self.lattice.values[place, cell])
        self.highs.changeRowBounds(self.row, float(by), float(by))
        first = max(self._drawn, 0)  # what led to a whole corner last is at hand, and may again
        for draw in range(first, first + DRAWS):
            self._draw(draw % DRAWS)
            found = self._solved()
            if found is None:
                return None
            whole = self._dive(found)
            if whole is None:
                continue
            change = self._change(whole)
            places, values = change.margins(self.lattice)
            reached = values[places == place, cell].tolist()
            if reached == [wanted] and agrees(self.lattice, self.marks, places, values):
                return change
        return None

    def _solved(self) -> Floats | None:
        self.highs.run()
        if self.highs.getModelStatus() != highspy.HighsModelStatus.kOptimal:
            return None
        return np.array(self.highs.getSolution().col_value)

    def _dive(self, found: Floats) -> Ints | None:
        """A whole corner near one that is not: one count after the other is held at a whole number; None if none is."""
        held: list[int] = []
        at: Floats | None = found
        while at is not None and (apart := np.abs(at - np.round(at))).max(initial=0.0) > WHOLE:
            if len(held) == DIVES:
                at = None
                break
            column = int(apart.argmax())
            value = float(np.ceil(at[column]))
            self.highs.changeColBounds(column, value, value)
            held.append(column)
            at = self._solved()
        for column in held:
            self.highs.changeColBounds(column, 0.0, float(self.upper[column]))
        return None if at is None else np.round(at).astype(np.int64)

    def _change(self, found: Ints) -> Change:
        flat = np.zeros(len(self.here.counts), dtype=np.int64)
        flat[self.rising] += found[: len(self.rising)]
        flat[self.falling] -= found[len(self.rising) :]
        counts = flat.reshape(len(self.here.leaves), -1)
        touched = np.flatnonzero(counts.any(axis=1))
        return Change(self.here.leaves[touched], counts[touched])

    def _draw(self, draw: int) -> None:
        """Costs spread widely, so that the cheapest change is one chain of exchanges and not a mean of several."""
        if draw != self._drawn:
            cost = 1 + 1000 * np.random.default_rng(draw).random(self.columns) ** 16
            self.highs.changeColsCost(self.columns, np.arange(self.columns, dtype=np.int32), cost)
            self.highs.clearSolver()
            self._drawn = draw

    def _wish(self, place: int, cell: int) -> None:
        """Make the last row say how much a cell changes."""
        sums = sum_rows(self.lattice, self.here.leaves, np.array([place]), np.array([cell])).toarray()[0]
        wish = np.concatenate([sums[self.rising], -sums[self.falling]])
        for column in np.flatnonzero(wish != self._last).tolist():
            self.highs.changeCoeff(self.row, column, float(wish[column]))
        self._last, self._wished = wish, (place, cell)
        self.highs.clearSolver()

    def _program(self) -> highspy.Highs:
        inf = highspy.kHighsInf
        sides = sparse.hstack([self.here.matrix[:, self.rising], -self.here.matrix[:, self.falling]])
        wish = sparse.csr_array((1, self.columns), dtype=np.int64)
        matrix = sparse.csc_array(sparse.vstack([sides, wish]), dtype=np.float64)
        low, high = (self.here.low.astype(np.float64), self.here.high.astype(np.float64))
        highs = solver(matrix, np.append(low, -inf), np.append(high, inf), self.upper)
        highs.setOptionValue("simplex_scale_strategy", 0)  # whole numbers, nearly all of them one
        highs.setOptionValue("dual_simplex_cost_perturbation_multiplier", 0.0)  # the costs are drawn already
        return highs


def solver(matrix: sparse.csc_array, low: Floats, high: Floats, upper: Floats) -> highspy.Highs:
    """A program of a block, see `anonymize.linear`; its costs are set before it is solved."""
    return prepared(matrix, low, high, upper, np.ones(matrix.shape[1]), ITERATIONS)
