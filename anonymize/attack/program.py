"""Linear programs over tables that agree with what is published; HiGHS solves.

Programs stop by iterations, never by the clock, so that an attack ends alike on any machine; one that is cut off says
nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import highspy
import numpy as np
from scipy import sparse

from anonymize.attack.system import Floats, Ints, System

ITERATIONS = 2_000_000  # simplex iterations of one program, before it counts as cut off


@dataclass(frozen=True)
class Program:
    """Published rows as conditions on unknowns x >= 0: low <= matrix x <= high."""

    matrix: sparse.csr_array
    low: Floats
    high: Floats

    @classmethod
    def of(cls, system: System) -> Program:
        """All rows, all open unknowns."""
        return cls(sparse.csr_array(system.matrix[:, system.columns]), system.low, system.high)

    def within(self, inside: Ints, table: Floats) -> Program:
        """The same for some unknowns alone, all others as in a table."""
        matrix = sparse.csr_array(self.matrix[:, inside])
        rows = np.flatnonzero(np.diff(matrix.indptr))
        outside = (self.matrix @ table - matrix @ table[inside])[rows]
        return Program(sparse.csr_array(matrix[rows]), self.low[rows] - outside, self.high[rows] - outside)

    @cached_property
    def _single(self) -> highspy.Highs:
        columns = self.matrix.shape[1]
        solver = solver_of(self.matrix, self.low, self.high, np.full(columns, np.inf), np.zeros(columns))
        solver.setOptionValue("presolve", "off")  # many small programs, each from the last one's corner
        return solver

    def together(self, sums: sparse.csr_array, bound: Floats, most: bool) -> Floats | None:
        """A possible table in which as many cells as possible reach their bounds (cells,); None if cut off.

        Each cell counts up to its bound (`most`), or by how much it is above it.
        """
        many, columns = sums.shape
        identity = sparse.eye_array(many)
        matrix = sparse.vstack(
            [
                sparse.hstack([self.matrix, sparse.csr_array((len(self.low), many))]),
                sparse.hstack([sums, -identity]),
            ]
        )
        low = np.concatenate([self.low, np.full(many, 0.0 if most else -np.inf)])
        high = np.concatenate([self.high, np.full(many, np.inf) if most else bound])
        upper = np.concatenate([np.full(columns, np.inf), bound if most else np.full(many, np.inf)])
        cost = np.concatenate([np.zeros(columns), np.full(many, -1.0 if most else 1.0)])
        solver = solver_of(sparse.csr_array(matrix), low, high, upper, cost)
        return _point(solver, columns)

    def least(self, sums: sparse.csr_array) -> float:
        """The least value of one cell; not a number, if cut off."""
        return self._extreme(self._cost(sums))

    def most(self, sums: sparse.csr_array) -> float:
        """The largest value of one cell; not a number, if cut off."""
        return -self._extreme(-self._cost(sums))

    def _cost(self, sums: sparse.csr_array) -> Floats:
        cost: Floats = sums.toarray()[0]
        return cost

    def _extreme(self, cost: Floats) -> float:
        solver = self._single
        solver.changeColsCost(len(cost), np.arange(len(cost), dtype=np.int32), cost)
        solver.run()
        status = solver.getModelStatus()
        if status == highspy.HighsModelStatus.kOptimal:
            return float(solver.getInfo().objective_function_value)
        if status in (highspy.HighsModelStatus.kUnbounded, highspy.HighsModelStatus.kUnboundedOrInfeasible):
            return -np.inf
        return float(np.nan)


def _point(solver: highspy.Highs, columns: int) -> Floats | None:
    """Where a program ends, of its first columns; None if it does not."""
    solver.run()
    if solver.getModelStatus() != highspy.HighsModelStatus.kOptimal:
        return None
    return np.array(solver.getSolution().col_value)[:columns]


def solver_of(
    matrix: sparse.csr_array, low: Floats, high: Floats, upper: Floats, cost: Floats, lower: Floats | None = None
) -> highspy.Highs:
    """A program min cost x, low <= matrix x <= high, lower (else 0) <= x <= upper, stopped by iterations alone."""
    by_column = sparse.csc_array(matrix)
    lp = highspy.HighsLp()
    lp.num_row_, lp.num_col_ = matrix.shape
    lp.col_cost_, lp.col_upper_ = cost, upper
    lp.col_lower_ = np.zeros(len(cost)) if lower is None else lower
    lp.row_lower_, lp.row_upper_ = low, high
    lp.a_matrix_.format_ = highspy.MatrixFormat.kColwise
    lp.a_matrix_.start_, lp.a_matrix_.index_ = by_column.indptr, by_column.indices
    lp.a_matrix_.value_ = by_column.data
    solver = highspy.Highs()  # type: ignore[no-untyped-call]
    solver.silent()
    solver.setOptionValue("threads", 1)
    solver.setOptionValue("simplex_iteration_limit", ITERATIONS)
    solver.passModel(lp)
    return solver
