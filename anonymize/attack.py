"""Attacks on what is published: can an outsider work out a cell that is not shown?

Built apart from `anonymize.protect`: it reads the rows that a visitor downloads, finds by their labels which unknown
counts each of them sums up, and solves. Unknown are the inner counts (lowest place × every category), all >= 0. A row
with a number is an equation, a row marked c says «at least 1», a row marked d and a row that is missing say nothing.

- **Exact recovery**, by linear algebra alone: a sum of unknowns is determined by the equations if and only if it
  vanishes on their null space. A random vector is projected onto it (LSMR); every unshown margin that the projection
  misses is checked by writing it as a combination of equations, which also gives its value.
- **Intervals**, by linear programming: the least and the largest value of a cell. Cells the owner knows to be at risk
  must reach 1 and the threshold. Many are settled by one program (the sum of all, each counted up to the threshold);
  the rest one by one. Programs stop by iterations, never by the clock; one that is cut off settles nothing.

Source: Hundepool et al., Statistical Disclosure Control (2012), audit of tables; HiGHS solves.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import Literal

import highspy
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.linalg import lsmr

from anonymize.tables import LETTERS, TOTAL, CellRef, Cells, Dimension, Mark, Places, SafeCells

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

CLOSE = 1e-5  # counts are whole: nearer than this to a bound is at the bound
ITERATIONS = 2_000_000  # simplex iterations of one program, before it counts as cut off
MANY = 10_000  # unknowns, from which a corner takes too long; an interior point settles fewer at a time
BULK_ROUNDS = 60  # of programs for many cells; about 20 are needed, the last one settles none


@dataclass(frozen=True, slots=True)
class Finding:
    """A cell that an attack brought to light. Private: it holds what an outsider could know."""

    cell: CellRef
    kind: Literal["exact", "interval"]
    low: float
    high: float


@dataclass(frozen=True)
class Published:
    """What anybody can download: the rows of every level, root first, and the public lists of places and categories."""

    places: Places
    dimensions: tuple[Dimension, ...]
    frames: tuple[pd.DataFrame, ...]

    @classmethod
    def of(cls, safe: SafeCells) -> Published:
        """The rows that safe cells give."""
        return cls(safe.places, safe.dimensions, tuple(safe.frame(level) for level in safe.places.levels))


def at_risk(cells: Cells, threshold: int) -> tuple[CellRef, ...]:
    """All cells, of every place and cross, with fewer than a threshold of persons. The owner's knowledge."""
    values = cells.with_margins()
    names = [(*dimension.categories, TOTAL) for dimension in cells.dimensions]
    found = np.argwhere((values > 0) & (values < threshold)).tolist()
    levels, codes = cells.places.levels, cells.places.codes
    return tuple(
        CellRef(levels[int(cells.places.level[g])], codes[g], tuple(n[c] for n, c in zip(names, at, strict=True)))
        for g, *at in found
    )


def attack(published: Published, targets: Collection[CellRef], threshold: int) -> tuple[Finding, ...]:
    """Every cell that can be recovered, and every target whose values 1 … threshold are not all open.

    Empty if the published rows stand. Deterministic.
    """
    system = System.of(published)
    exact = recover(system, threshold)
    known = {finding.cell for finding in exact}
    return (*exact, *intervals(system, [ref for ref in targets if ref not in known], threshold))


# --- what the rows say ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class System:
    """Unknown counts, and what published rows say of them."""

    published: Published
    labels: pd.DataFrame  # one row per unknown: the place at every level, the category on every dimension
    matrix: sparse.csr_array  # (statements, unknowns)
    low: Floats
    high: Floats
    free: NDArray[np.bool_]  # unknowns that no shown zero settles

    @classmethod
    def of(cls, published: Published) -> System:
        """Read the rows; those that are sums of other shown rows are left out."""
        labels = unknowns(published)
        blocks, low, high = [], [], []
        free = np.ones(len(labels), dtype=np.bool_)
        for rows, summed in statements(published, labels):
            shown = rows["n"].notna().to_numpy()
            value = rows["n"].fillna(1).to_numpy(dtype=np.float64)
            zero = shown & (value == 0)
            free[summed >= 0] &= ~zero[summed[summed >= 0]]
            kept = np.flatnonzero(~zero & ~(shown & rows["implied"].to_numpy()))
            inside = np.flatnonzero(np.isin(summed, kept))
            at = np.searchsorted(kept, summed[inside])
            blocks.append(sparse.csr_array((np.ones(len(at)), (at, inside)), shape=(len(kept), len(labels))))
            low.append(value[kept])
            high.append(np.where(shown, value, np.inf)[kept])
        matrix = sparse.csr_array(sparse.vstack(blocks))
        return cls(published, labels, matrix, np.concatenate(low), np.concatenate(high), free)

    @cached_property
    def columns(self) -> Ints:
        """The unknowns that are open."""
        return np.flatnonzero(self.free)

    def sums(self, refs: Sequence[CellRef]) -> sparse.csr_array:
        """(cells, open unknowns) what each cell sums up."""
        dimensions = [d.id for d in self.published.dimensions]
        row, column = [np.empty(0, dtype=np.int64)], [np.empty(0, dtype=np.int64)]
        by_kind: dict[tuple[str, tuple[str, ...]], list[int]] = {}
        for i, ref in enumerate(refs):
            broken = tuple(d for d, c in zip(dimensions, ref.categories, strict=True) if c != TOTAL)
            by_kind.setdefault((ref.level, broken), []).append(i)
        for (level, broken), indices in by_kind.items():
            wanted = pd.MultiIndex.from_tuples(
                [(refs[i].place, *(c for c in refs[i].categories if c != TOTAL)) for i in indices]
            )
            of = wanted.get_indexer(keys(self.labels, level, broken))
            inside = np.flatnonzero((of >= 0) & self.free)
            row.append(np.array(indices, dtype=np.int64)[of[inside]])
            column.append(np.searchsorted(self.columns, inside))
        at = (np.concatenate(row), np.concatenate(column))
        return sparse.csr_array((np.ones(len(at[0])), at), shape=(len(refs), len(self.columns)))


def unknowns(published: Published) -> pd.DataFrame:
    """One row per lowest place and combination of categories, with the codes of the places above."""
    places = published.places
    path = [places.leaves]
    while (places.parent[path[0]] >= 0).all():
        path.insert(0, places.parent[path[0]])
    codes = np.array(places.codes, dtype=object)
    of_place = {f"at {level}": codes[at] for level, at in zip(places.levels, path, strict=True)}
    combinations = list(product(*(d.categories for d in published.dimensions)))
    frame = pd.DataFrame(of_place).loc[lambda f: f.index.repeat(len(combinations))].reset_index(drop=True)
    for i, dimension in enumerate(published.dimensions):
        frame[dimension.id] = np.tile(np.array([c[i] for c in combinations], dtype=object), len(places.leaves))
    return frame


def keys(labels: pd.DataFrame, level: str, broken: Sequence[str]) -> pd.MultiIndex:
    """For every unknown, the place and categories of the cell of a level and cross that it belongs to."""
    return pd.MultiIndex.from_frame(labels[[f"at {level}", *broken]])


def statements(published: Published, labels: pd.DataFrame) -> Iterator[tuple[pd.DataFrame, Ints]]:
    """For every level and cross, its rows (n, implied) and for every unknown the row that sums it up, or -1.

    A shown row is implied if the rows of one more dimension, or of all places right below, are shown and sum to it.
    """
    dimensions = [d.id for d in published.dimensions]
    shown: dict[tuple[int, frozenset[str]], NDArray[np.bool_]] = {}  # for every unknown: its row is shown
    out: list[tuple[pd.DataFrame, Ints]] = []
    levels = published.places.levels
    for depth in range(len(levels) - 1, -1, -1):
        frame = published.frames[depth]
        broken_down = (frame[dimensions] != TOTAL).to_numpy()
        for pattern in sorted(product((True, False), repeat=len(dimensions)), reverse=True):
            rows = frame[(broken_down == pattern).all(axis=1)]
            broken = [d for d, is_broken in zip(dimensions, pattern, strict=True) if is_broken]
            of = pd.MultiIndex.from_frame(rows[["place", *broken]]).get_indexer(keys(labels, levels[depth], broken))
            has_value = rows["n"].notna().to_numpy()
            here = np.zeros(len(labels), dtype=np.bool_)
            here[of >= 0] = has_value[of[of >= 0]]
            cross = frozenset(broken)
            shown[(depth, cross)] = here
            finer = [shown[(depth, cross | {d})] for d in dimensions if d not in cross]
            if depth + 1 < len(levels):
                finer.append(shown[(depth + 1, cross)])
            says = has_value | (rows["mark"] == LETTERS[Mark.WITHHELD]).to_numpy()
            implied = np.zeros(len(rows), dtype=np.bool_)
            for parts in finer:
                complete = np.ones(len(rows), dtype=np.bool_)
                complete[of[(of >= 0) & ~parts]] = False
                implied |= complete
            number = np.where(says, np.cumsum(says) - 1, -1)
            of = np.where(of >= 0, number[of], -1) if len(rows) else np.full(len(labels), -1)
            kept = pd.DataFrame({"n": rows["n"].to_numpy()[says], "implied": implied[says]})
            out.append((kept, of.astype(np.int64)))
    yield from out


# --- exact recovery ------------------------------------------------------------------------------------------------


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
    equations = np.flatnonzero(system.low == system.high)
    matrix = system.matrix[equations][:, system.columns]
    if not len(system.columns):
        return
    noise = np.random.default_rng(0).standard_normal(len(system.columns))
    across = sparse.csr_array(matrix.T)
    hidden = noise - across @ _solve(across, noise)
    some = _solve(matrix, system.low[equations])
    for level, broken, members, group, names in _margins(system):
        drift = np.bincount(group, hidden[members])
        value = np.bincount(group, some[members])
        for one in np.flatnonzero(np.abs(drift) < CLOSE):
            inside = members[group == one]
            if round(value[one]) >= threshold or not _is_combination(across, inside):
                continue
            yield _ref(system, level, broken, names[one]), system.columns[inside], float(value[one])


def _margins(system: System) -> Iterator[tuple[str, tuple[str, ...], Ints, Ints, list[tuple[str, ...]]]]:
    """Unshown cells of every level and cross: columns, the cell each belongs to, and the cells' names."""
    dimensions = [d.id for d in system.published.dimensions]
    for level, frame in zip(system.published.places.levels, system.published.frames, strict=True):
        shown = frame[frame["n"].notna()]
        broken_down = (shown[dimensions] != TOTAL).to_numpy()
        for pattern in product((True, False), repeat=len(dimensions)):
            broken = tuple(d for d, is_broken in zip(dimensions, pattern, strict=True) if is_broken)
            rows = shown[(broken_down == pattern).all(axis=1)]
            key = keys(system.labels.loc[system.free], level, broken)
            known = pd.MultiIndex.from_frame(rows[["place", *broken]]).get_indexer(key) >= 0 if len(rows) else False
            members = np.flatnonzero(~np.broadcast_to(known, len(key)))
            if len(members):
                group, names = pd.factorize(key[members])
                yield level, broken, members, group.astype(np.int64), list(names)


def _ref(system: System, level: str, broken: tuple[str, ...], name: tuple[str, ...]) -> CellRef:
    of = dict(zip(broken, name[1:], strict=True))
    return CellRef(level, name[0], tuple(of.get(d.id, TOTAL) for d in system.published.dimensions))


def _is_combination(across: sparse.csr_array, inside: Ints) -> bool:
    """Whether the sum of some unknowns is a combination of equations, (unknowns, equations)."""
    wanted = np.zeros(across.shape[0])
    wanted[inside] = 1
    return bool(np.abs(across @ _solve(across, wanted) - wanted).max() < CLOSE)


def _solve(matrix: sparse.csr_array, right: Floats) -> Floats:
    """Least squares to machine precision."""
    found: Floats = lsmr(matrix, right, atol=1e-15, btol=1e-15, conlim=0, maxiter=20 * max(matrix.shape))[0]
    return found


# --- intervals -----------------------------------------------------------------------------------------------------


def intervals(system: System, targets: Sequence[CellRef], threshold: int) -> tuple[Finding, ...]:
    """Targets that cannot be 1, or cannot be the threshold, in any table of counts >= 0 that agrees with the rows.

    First among the places under one place, all else as in one possible table (what is possible there is possible);
    what that leaves open, among all. Only the latter convicts.
    """
    targets = sorted(targets)
    if not targets:
        return ()
    sums, whole = system.sums(targets), Program.of(system)
    task = Task(sums, threshold, np.ones(len(targets), dtype=np.bool_), np.ones(len(targets), dtype=np.bool_))
    middle = whole.middle()
    if middle is not None:
        for inside in blocks(system):
            task.settle(whole.within(inside, middle), inside)
    task.settle(whole, np.arange(len(system.columns)))
    task.settle_apart(whole, _part_of_the_country(system, sums))
    found = []
    for one in np.flatnonzero(task.open_up | task.open_down).tolist():
        cleared_up = not task.open_up[one] or whole.most(sums[[one]]) >= threshold - CLOSE
        cleared_down = not task.open_down[one] or whole.least(sums[[one]]) <= 1 + CLOSE
        if not (cleared_up and cleared_down):
            found.append(Finding(targets[one], "interval", whole.least(sums[[one]]), whole.most(sums[[one]])))
    return tuple(found)


def blocks(system: System) -> Iterator[Ints]:
    """Open unknowns of each place, from the level above the lowest places up to the one below the root."""
    labels = system.labels.loc[system.free]
    for level in reversed(system.published.places.levels[1:-1]):
        place = labels[f"at {level}"].to_numpy()
        order = np.argsort(place, kind="stable")
        yield from np.split(order, np.flatnonzero(place[order][1:] != place[order][:-1]) + 1)


def _part_of_the_country(system: System, sums: sparse.csr_array) -> Ints:
    """For every cell, a number of the place right below the root that it, or its first unknown, lies in."""
    level = system.published.places.levels[min(1, len(system.published.places.levels) - 1)]
    place = np.unique(system.labels.loc[system.free, f"at {level}"].to_numpy(dtype=str), return_inverse=True)[1]
    return place[sums.indices[sums.indptr[:-1]]].astype(np.int64)


@dataclass(frozen=True)
class Task:
    """Targets, and which of them have yet to reach the threshold, or 1."""

    sums: sparse.csr_array  # (targets, open unknowns)
    threshold: int
    open_up: NDArray[np.bool_]
    open_down: NDArray[np.bool_]

    def settle(self, program: Program, inside: Ints) -> None:
        """Strike off all targets that some possible table of a program settles; the program holds unknowns `inside`."""
        here = self.sums[:, inside]
        mine = np.flatnonzero(np.diff(here.indptr) == np.diff(self.sums.indptr))
        here = here[mine]
        for still_open, most in ((self.open_up, True), (self.open_down, False)):
            for _ in range(BULK_ROUNDS):
                wanted = np.flatnonzero(still_open[mine])
                bound = self.threshold if most else 1
                point = program.together(here[wanted], bound, most) if len(wanted) else None
                if point is None:
                    break
                self._strike(mine, here @ point)
                if still_open[mine[wanted]].all():
                    break

    def settle_apart(self, program: Program, groups: Ints) -> None:
        """Strike off targets that stood in each other's way: one of each group at a time, each tried once."""
        every = np.arange(len(groups))
        for still_open, most in ((self.open_up, True), (self.open_down, False)):
            tried = np.zeros(len(groups), dtype=np.bool_)
            while len(left := np.flatnonzero(still_open & ~tried)):
                wanted = left[np.unique(groups[left], return_index=True)[1]]
                tried[wanted] = True
                point = program.together(self.sums[wanted], self.threshold if most else 1, most)
                if point is not None:
                    self._strike(every, self.sums @ point)

    def _strike(self, targets: Ints, reached: Floats) -> None:
        self.open_up[targets] &= reached < self.threshold - CLOSE
        self.open_down[targets] &= reached > 1 + CLOSE


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

    def middle(self) -> Floats | None:
        """A possible table far from all bounds; None if cut off."""
        columns = self.matrix.shape[1]
        solver = _solver(self.matrix, self.low, self.high, np.full(columns, np.inf), np.zeros(columns))
        _by_interior_point(solver)
        return _point(solver, columns)

    @cached_property
    def _single(self) -> highspy.Highs:
        columns = self.matrix.shape[1]
        solver = _solver(self.matrix, self.low, self.high, np.full(columns, np.inf), np.zeros(columns))
        solver.setOptionValue("presolve", "off")  # many small programs, each from the last one's corner
        return solver

    def together(self, sums: sparse.csr_array, bound: int, most: bool) -> Floats | None:
        """A possible table in which as many cells as possible reach a bound; None if cut off.

        Each cell counts up to the bound (`most`), or by how much it is above it.
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
        high = np.concatenate([self.high, np.full(many, np.inf if most else float(bound))])
        upper = np.concatenate([np.full(columns, np.inf), np.full(many, float(bound) if most else np.inf)])
        cost = np.concatenate([np.zeros(columns), np.full(many, -1.0 if most else 1.0)])
        solver = _solver(sparse.csr_array(matrix), low, high, upper, cost)
        if columns > MANY:
            _by_interior_point(solver)
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


def _by_interior_point(solver: highspy.Highs) -> None:
    """Any point will do, no corner is asked for."""
    solver.setOptionValue("solver", "ipm")
    solver.setOptionValue("run_crossover", "off")


def _point(solver: highspy.Highs, columns: int) -> Floats | None:
    """Where a program ends, of its first columns; None if it does not."""
    solver.run()
    if solver.getModelStatus() != highspy.HighsModelStatus.kOptimal:
        return None
    return np.array(solver.getSolution().col_value)[:columns]


def _solver(matrix: sparse.csr_array, low: Floats, high: Floats, upper: Floats, cost: Floats) -> highspy.Highs:
    """A program min cost x, low <= matrix x <= high, 0 <= x <= upper, stopped by iterations alone."""
    by_column = sparse.csc_array(matrix)
    lp = highspy.HighsLp()
    lp.num_row_, lp.num_col_ = matrix.shape
    lp.col_cost_, lp.col_lower_, lp.col_upper_ = cost, np.zeros(len(cost)), upper
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
