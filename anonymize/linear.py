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
    solver = highspy.Highs()  # type: ignore[no-untyped-call]
    solver.silent()
    solver.setOptionValue("threads", 1)
    solver.setOptionValue("presolve", "off")
    solver.setOptionValue("simplex_iteration_limit", iterations)
    rows, columns = matrix.shape
    bounds = (np.zeros(columns), upper, low, high)
    whole = np.zeros(columns, dtype=np.int32)  # none has to be
    # as arrays: a HighsLp's fields are copied number by number, which takes longer than many a program
    by_column, least = int(highspy.MatrixFormat.kColwise), int(highspy.ObjSense.kMinimize)
    sizes = (columns, rows, matrix.nnz, by_column, least, 0.0)
    solver.passModel(*sizes, cost, *bounds, matrix.indptr, matrix.indices, matrix.data, whole)
    return solver
