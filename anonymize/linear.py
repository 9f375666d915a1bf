"""Linear programs to be solved often with other costs and bounds, each from the last one's corner; HiGHS solves.

The attack sets up its own (`anonymize.attack.program`): it shares nothing with what it is to judge.
"""

from __future__ import annotations

import highspy
import numpy as np
from numpy.typing import NDArray
from scipy import sparse

Floats = NDArray[np.float64]


def prepared(
    matrix: sparse.csc_array, low: Floats, high: Floats, upper: Floats, cost: Floats, iterations: int
) -> highspy.Highs:
    """A program min cost x, low <= matrix x <= high, 0 <= x <= upper, stopped by iterations and never by the clock."""
    lp = highspy.HighsLp()
    lp.num_row_, lp.num_col_ = matrix.shape
    lp.col_cost_, lp.col_lower_, lp.col_upper_ = cost, np.zeros(matrix.shape[1]), upper
    lp.row_lower_, lp.row_upper_ = low, high
    lp.a_matrix_.format_ = highspy.MatrixFormat.kColwise
    lp.a_matrix_.start_, lp.a_matrix_.index_, lp.a_matrix_.value_ = matrix.indptr, matrix.indices, matrix.data
    solver = highspy.Highs()  # type: ignore[no-untyped-call]
    solver.silent()
    solver.setOptionValue("threads", 1)
    solver.setOptionValue("presolve", "off")
    solver.setOptionValue("simplex_iteration_limit", iterations)
    solver.passModel(lp)
    return solver
