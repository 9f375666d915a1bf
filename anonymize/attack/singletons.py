"""What a person learns who is alone in a cell, and knows it: the cells at risk that this one count gives away.

Whoever knows that a cell which nobody shows counts one person, themselves, has one equation more than everybody else. A
sum t of unknowns that the published rows leave open is determined by them and another sum s if and only if it is a
multiple of s on the null space of the rows' equations, up to what they determine. So a few random vectors are projected
onto the null space (LSMR), and of each cell its value in them is looked at: cells that are multiples of each other lie
in one direction. Zeros are taken to be known, as everywhere.

Source: Hundepool et al., Statistical Disclosure Control (2012), singletons in suppression patterns; one direction for
each cell instead of a program for each pair is this project's.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.spatial import KDTree

from anonymize.attack.recovery import is_combination, missed
from anonymize.attack.system import CLOSE, Floats, Published, System, at_risk
from anonymize.tables import CellRef, Cells

VECTORS = 3  # random ones; sums that are no multiples of each other hardly ever agree in so many
NEAR = 1e-4  # of directions on the sphere: candidates, of which each is checked


@dataclass(frozen=True, slots=True)
class Learned:
    """A cell at risk that somebody alone in another can work out. Private."""

    cell: CellRef
    alone: CellRef  # the cell of one person who learns it


def learned(published: Published, cells: Cells, threshold: int) -> tuple[Learned, ...]:
    """Every cell at risk that one person, alone in some unshown cell, can work out, each with one such cell.

    What tells of nobody but that person is left out. Deterministic.
    """
    table = cells.counts.reshape(-1).astype(float)
    system = System.of(published).knowing(table, threshold)
    refs = at_risk(cells, threshold)
    if not refs or not len(system.columns):
        return ()
    sums, across = system.sums(refs), sparse.csr_array(system.equations.T)
    counts = np.asarray(sums @ table[system.columns])
    values = np.asarray(sums @ _null_vectors(across))
    found: dict[int, Learned] = {}
    for target, alone in _multiples(values, counts == 1):
        if target in found or target == alone or _same_person(sums, counts, target, alone):
            continue
        times = float(values[target] @ values[alone] / (values[alone] @ values[alone]))
        if is_combination(across, (sums[[target]] - times * sums[[alone]]).toarray()[0]):
            found[target] = Learned(refs[target], refs[alone])
    return tuple(found[target] for target in sorted(found))


def _null_vectors(across: sparse.csr_array) -> Floats:
    """(open unknowns, vectors) random tables that change nothing which is shown."""
    noise = np.random.default_rng(0).standard_normal((VECTORS, across.shape[0]))
    return np.stack([missed(across, vector) for vector in noise], axis=1)


def _multiples(values: Floats, alone: NDArray[np.bool_]) -> Iterator[tuple[int, int]]:
    """Pairs (cell, single) of cells (cells, vectors) that lie in one direction; what is determined has none."""
    length = np.linalg.norm(values, axis=1)
    open_ = np.flatnonzero(length > CLOSE)
    direction = values[open_] / length[open_, None]
    direction *= np.where(direction[:, :1] < 0, -1, 1)
    singles = np.flatnonzero(alone[open_])
    if not len(singles):
        return
    near = KDTree(direction[singles]).query_ball_point(direction, NEAR)
    for cell, others in enumerate(near):
        for single in sorted(others):
            yield int(open_[cell]), int(open_[singles[single]])


def _same_person(sums: sparse.csr_array, counts: Floats, target: int, alone: int) -> bool:
    """Whether two cells of one person each count the same one."""
    if counts[target] != 1:
        return False
    overlap = sums[[target]].multiply(sums[[alone]])
    return bool(overlap.sum())
