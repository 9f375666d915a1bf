"""Exact recovery, by linear algebra alone: which unshown cells do the published rows determine?

A sum of unknowns is determined by equations if and only if it vanishes on their null space. A random vector is
projected onto it (LSMR); every unshown cell that the projection misses is checked by writing it as a combination of
equations, which also gives its value.

Source: Hundepool et al., Statistical Disclosure Control (2012), audit of tables.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
from scipy import sparse
from scipy.sparse.linalg import lsmr

from anonymize.attack.system import CLOSE, Finding, Floats, Ints, System, depths_of, keys, patterns, steps
from anonymize.tables import TOTAL, CellRef


def recover(system: System, threshold: int) -> tuple[Finding, ...]:
    """Unshown cells of 1 … threshold - 1 that the equations determine, zeros found on the way included."""
    while True:
        determined = list(_determined(system, threshold))
        empty = [members for _, members, value in determined if round(value) == 0]
        if not empty:
            break
        free = system.free.copy()
        free[np.concatenate(empty)] = False
        system = System(system.published, system.labels, system.matrix, system.low, system.high, free)
    return tuple(
        Finding(ref, "exact", float(round(value)), float(round(value)))
        for ref, _, value in determined
        if 0 < round(value) < threshold
    )


def _determined(system: System, threshold: int) -> Iterator[tuple[CellRef, Ints, float]]:
    """Unshown cells under a threshold that the equations determine: name, open unknowns, value."""
    if not len(system.columns):
        return
    noise = np.random.default_rng(0).standard_normal(len(system.columns))
    across = sparse.csr_array(system.equations.T)
    hidden = missed(across, noise)
    some = least_squares(system.equations, system.low[system.exact])
    for level, pattern, members, group, names in _margins(system):
        drift = np.bincount(group, hidden[members])
        value = np.bincount(group, some[members])
        for one in np.flatnonzero(np.abs(drift) < CLOSE):
            inside = members[group == one]
            wanted = np.zeros(len(system.columns))
            wanted[inside] = 1
            if round(value[one]) >= threshold or not is_combination(across, wanted):
                continue
            yield _ref(level, pattern, names[one]), system.columns[inside], float(value[one])


def _margins(system: System) -> Iterator[tuple[str, tuple[int, ...], Ints, Ints, list[tuple[str, ...]]]]:
    """Unshown cells of every level and cross: columns, the cell each belongs to, and the cells' names."""
    dimensions = system.published.dimensions
    deepest = depths_of(dimensions, _categories(system))
    for level, frame in zip(system.published.places.levels, system.published.frames, strict=True):
        shown = frame[frame["n"].notna()]
        broken_down = depths_of(dimensions, shown)
        for pattern in patterns(dimensions):
            rows = shown[(broken_down == pattern).all(axis=1)]
            key = keys(system.labels.loc[system.free], level, steps(dimensions, pattern))
            columns = ["place", *(d.id for d, down in zip(dimensions, pattern, strict=True) if down)]
            known = pd.MultiIndex.from_frame(rows[columns]).get_indexer(key) >= 0 if len(rows) else False
            members = np.flatnonzero(~np.broadcast_to(known, len(key)) & (deepest >= pattern).all(axis=1))
            if len(members):
                group, names = pd.factorize(key[members])
                yield level, pattern, members, group.astype(np.int64), list(names)


def _categories(system: System) -> pd.DataFrame:
    """The lowest category of every open unknown, by dimension."""
    labels = system.labels.loc[system.free]
    return pd.DataFrame({d.id: labels[d.steps[-1]] for d in system.published.dimensions}, index=labels.index)


def _ref(level: str, pattern: tuple[int, ...], name: tuple[str, ...]) -> CellRef:
    nodes = iter(name[1:])
    return CellRef(level, name[0], tuple(next(nodes) if down else TOTAL for down in pattern))


def is_combination(across: sparse.csr_array, wanted: Floats) -> bool:
    """Whether a weighted sum of unknowns is a combination of equations, (unknowns, equations)."""
    return bool(np.abs(missed(across, wanted)).max() < CLOSE)


def missed(across: sparse.csr_array, vector: Floats) -> Floats:
    """What no combination of equations (unknowns, equations) gives of a vector: its part on their null space."""
    left: Floats = vector - across @ least_squares(across, vector)
    return left


def least_squares(matrix: sparse.csr_array, right: Floats) -> Floats:
    """Least squares to machine precision."""
    found: Floats = lsmr(matrix, right, atol=1e-15, btol=1e-15, conlim=0, maxiter=20 * max(matrix.shape))[0]
    return found
