"""A public certificate: whole tables which show, to anybody, that every withheld cell can be small and can be large.

Made by a process whose only inputs are the published cells and the threshold, so that it tells nothing that was not
published. It holds

- a **base**, one table of whole counts that agrees with all that is published;
- **tables**, each by what it changes of the base, which agree with it too. For every withheld cell and every value from
  1 to the threshold there is one in which the cell has that value;
- the **list** of cells that cannot be at risk: withheld cells for which there are none, and cells that nobody shows and
  that cannot be 1 by what is shown (see `protection.promise`). Who reads the list, or draws these conclusions, knows
  that they count the threshold or more: so they do in the base and in every table.

The base lies inside, far from all bounds (an interior point of the linear program over everything published), rounded
to whole counts from the root of the tree down. Around it the searches of protection itself find the tables: walks, and
linear programs of a few lowest places.

Source of the idea that a table of others, all possible, is the proof of safety: Fischetti and Salazar-González (2000),
attacker subproblems; whole numbers and a list that everybody may read are this project's.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import highspy
import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from anonymize.attack.program import solver_of
from anonymize.attack.system import Published, System
from anonymize.errors import Unprotectable
from anonymize.protection import promise
from anonymize.protection.blocks import Change, agrees
from anonymize.protection.crossing import Crossing
from anonymize.protection.lattice import Flags, Ints, Lattice
from anonymize.protection.moves import Swaps
from anonymize.protection.proofs import Needs, Proofs, Start
from anonymize.protection.walk import Types, Walk
from anonymize.tables import CellRef, Cells, Dimension, Mark, SafeCells, indices_of, names_of
from anonymize.verify import ABSENT, BELOW, SHOWN, WITHHELD, Tree, Verdict, verify

Floats = NDArray[np.float64]

WIDTHS = (0, 1, 3, 10)  # how far from the interior point whole counts may lie: the least that does
NODES = 2_000  # of branch and bound for one rounding, before it counts as failed
ROUNDS = 12  # of lengthening the list, before the table counts as not provable


@dataclass(frozen=True, slots=True, eq=False)
class Certificate:
    """What anybody can check with whole numbers alone."""

    base: Ints  # (lowest places, categories of each dimension …)
    tables: tuple[tuple[Ints, Ints], ...]  # (entries, 1 + dimensions) indices into the base, (entries,) persons more
    large: tuple[CellRef, ...]  # cells that are not shown, and known to count the threshold or more


def certify(safe: SafeCells) -> Certificate:
    """Find a certificate for the published cells. Deterministic; Unprotectable if none is found."""
    system = System.of(Published.of(safe))
    withheld = safe.marks == Mark.WITHHELD
    large = concluded(safe, np.zeros(safe.marks.shape, dtype=np.bool_))
    base: Ints | None = None
    last: tuple[Witnesses, Flags, Flags] | None = None  # of the round before, with its list and what it lacked
    wide = False
    for _ in range(ROUNDS):
        try:
            if base is None or _too_small(base, safe, large):
                base = round_down(safe, _interior(system, safe, large), large)
        except Unprotectable:
            if base is None:
                raise
            shorter = _shorter(safe, *last) if last else None
            if shorter is None:  # its owner, who knows the counts, sees which cells of the list are at risk
                return Certificate(base, (), names_of(safe.places, safe.dimensions, large))
            large, last, wide = shorter, None, True
            continue
        witnesses = Witnesses.of_base(safe, base, large, wide)
        unproven = witnesses.search(withheld & ~large)
        if not unproven.any():
            return Certificate(base, tuple(witnesses.sparse()), names_of(safe.places, safe.dimensions, large))
        last = witnesses, large, unproven
        large = concluded(safe, large | unproven)
    raise Unprotectable(f"no certificate was found in {ROUNDS} rounds")


def _shorter(safe: SafeCells, witnesses: Witnesses, before: Flags, lacking: Flags) -> Flags | None:
    """The list where it is wrong, as a search failed: without what is found far and wide; None if nothing is.

    `before` is the list that stood, `lacking` what was put on it since, for want of tables.
    """
    witnesses.wide = True
    still = witnesses.search(lacking)
    return None if (still == lacking).all() else concluded(safe, before | still)


def concluded(safe: SafeCells, large: Flags) -> Flags:
    """The list with what follows from it for cells that nobody shows, in the shape of the published marks."""
    lattice = _empty(safe)
    marks, listed = lattice.laid(safe.marks), lattice.laid(large)
    least = np.where(listed, safe.threshold, 1)
    lattice = replace(lattice, values=lattice.laid(safe.values), least=least, large=listed)
    found = np.empty_like(listed)
    found[lattice.order] = promise.large(lattice, marks, safe.threshold, np.ones_like(listed))
    return found.reshape(large.shape)


def _empty(safe: SafeCells) -> Lattice:
    """A table of the same shape without anybody in it."""
    shape = (len(safe.places.leaves), *(len(d.categories) for d in safe.dimensions))
    return Lattice.of(Cells(safe.places, safe.dimensions, np.zeros(shape, dtype=np.int64)))


STATES = {Mark.SHOWN: SHOWN, Mark.WITHHELD: WITHHELD, Mark.BELOW: BELOW, Mark.ABSENT: ABSENT}


def check(safe: SafeCells, certificate: Certificate) -> Verdict:
    """Check a certificate as anybody can: published cells in the terms of `verify`, where a root comes first."""
    order = [root_first(dimension) for dimension in safe.dimensions]
    trees = (
        Tree(safe.places.codes, tuple(safe.places.parent.tolist())),
        *(_tree(dimension, nodes) for dimension, nodes in zip(safe.dimensions, order, strict=True)),
    )
    marks, values = safe.marks.astype(np.int64), safe.values
    for axis, nodes in enumerate(order, start=1):
        marks, values = np.take(marks, nodes, axis), np.take(values, nodes, axis)
    state = np.select([marks == int(mark) for mark in STATES], list(STATES.values()))
    listed = [
        (place, *(nodes.index(node) for nodes, node in zip(order, at, strict=True)))
        for place, *at in indices_of(safe.places, safe.dimensions, certificate.large)
    ]
    return verify(trees, state, values, safe.threshold, certificate.base, certificate.tables, listed)


def root_first(dimension: Dimension) -> list[int]:
    """The nodes of a dimension, each after what is above it, the lowest categories in their order."""
    lowest, total = len(dimension.categories), len(dimension.nodes) - 1
    return [*range(total, lowest - 1, -1), *range(lowest)]


def _tree(dimension: Dimension, nodes: list[int]) -> Tree:
    above = (*dimension.parent, -1)
    codes = tuple(dimension.nodes[node] for node in nodes)
    return Tree(codes, tuple(nodes.index(above[node]) if above[node] >= 0 else -1 for node in nodes))


# --- the base --------------------------------------------------------------------------------------------------------


def _too_small(base: Ints, safe: SafeCells, large: Flags) -> bool:
    """Whether the base has a cell of the list below the threshold."""
    values = Cells(safe.places, safe.dimensions, base).with_margins()
    return bool((values[large] < safe.threshold).any())


def _interior(system: System, safe: SafeCells, large: Flags) -> Floats:
    """A table far from all bounds that agrees with what is published and with the list: (unknowns,)."""
    listed = system.sums(names_of(safe.places, safe.dimensions, large))
    matrix = sparse.csr_array(sparse.vstack([system.matrix[:, system.columns], listed]))
    low = np.concatenate([system.low, np.full(listed.shape[0], float(safe.threshold))])
    high = np.concatenate([system.high, np.full(listed.shape[0], np.inf)])
    columns = matrix.shape[1]
    solver = solver_of(matrix, low, high, np.full(columns, np.inf), np.zeros(columns))
    solver.setOptionValue("solver", "ipm")
    solver.setOptionValue("run_crossover", "off")
    solver.run()
    if solver.getModelStatus() != highspy.HighsModelStatus.kOptimal:
        raise Unprotectable("no table agrees with what is published")
    table = np.zeros(len(system.free))
    table[system.columns] = np.maximum(np.array(solver.getSolution().col_value), 0)
    return table


def round_down(safe: SafeCells, interior: Floats, large: Flags) -> Ints:
    """Whole counts near an interior table that agree with what is published, from the root of the tree down."""
    lattice = _empty(safe)
    leaf = np.searchsorted(safe.places.leaves, lattice.order[lattice.lowest])
    marks, listed = lattice.laid(safe.marks), lattice.laid(large)
    floor = np.where(listed, safe.threshold, np.where(marks == Mark.WITHHELD, 1, 0))
    near = interior.reshape(len(leaf), -1)[leaf]
    found = Rounding(lattice, marks, lattice.laid(safe.values), floor, near).fill(0, None)
    if found is None:
        raise Unprotectable("no table of whole counts was found near the interior of what is published")
    base = np.empty_like(found)
    base[leaf] = found
    return base.reshape(lattice.cells.counts.shape)


@dataclass(frozen=True, slots=True, eq=False)
class Rounding:
    """What is published, flat, and the interior table to stay near to."""

    lattice: Lattice
    marks: NDArray[np.uint8]  # (places, cells)
    values: Ints  # (places, cells) where shown
    floor: Ints  # (places, cells) the least that a cell is known to count, if it is not shown
    near: Floats  # (lowest places, types)

    def fill(self, place: int, total: Ints | None) -> Ints | None:
        """Counts of the lowest places under a place, (lowest places, types), that sum to its total; None if not found.

        First from the places right below it, each then filled alone; where that fails, all lowest places at once.
        """
        if total is None:
            total = self._near_by(np.array([place]), None)
        if total is None:
            return None
        if self.lattice.is_lowest(place):
            return total[None, :] if total.ndim == 1 else total
        counts = total.reshape(-1)
        below = self.lattice.children[place]
        split = self._near_by(below, counts)
        if split is not None:
            parts = [self.fill(child, split[i]) for i, child in enumerate(below.tolist())]
            if all(part is not None for part in parts):
                return np.concatenate([part for part in parts if part is not None])
        return self._near_by(np.arange(place + 1, self.lattice.end[place]), counts)

    def _near_by(self, places: Ints, total: Ints | None) -> Ints | None:
        """Whole counts of places, or of the lowest places among them, that say what is published of all of them."""
        lowest = np.array([self.lattice.is_lowest(place) for place in places.tolist()])
        units = places[lowest] if lowest.any() else places
        for width in WIDTHS:
            found = self._round(places, units, total, width)
            if found is not None:
                return found
        return None

    def _round(self, places: Ints, units: Ints, total: Ints | None, width: int) -> Ints | None:
        lattice, types = self.lattice, self.near.shape[1]
        start, end = lattice.leaf_start, lattice.leaf_end
        target = np.stack([self.near[start[u] : end[u]].sum(axis=0) for u in units.tolist()])
        row, cell = np.nonzero((self.marks[places] <= Mark.WITHHELD) | (self.floor[places] > 0))
        at = places[row]
        shown = self.marks[at, cell] == Mark.SHOWN
        low = np.where(shown, self.values[at, cell], self.floor[at, cell]).astype(np.float64)
        high = np.where(shown, self.values[at, cell], np.inf)
        under = (start[units][None, :] >= start[at][:, None]) & (end[units][None, :] <= end[at][:, None])
        matrix = sparse.csr_array(
            sparse.vstack(
                [sparse.kron(u[None, :], m[None, :]) for u, m in zip(under, lattice.membership[cell], strict=True)]
            )
            if len(row)
            else sparse.csr_array((0, len(units) * types))
        )
        if total is not None:
            whole = sparse.kron(np.ones((1, len(units))), sparse.eye_array(types))
            matrix = sparse.csr_array(sparse.vstack([matrix, whole]))
            low, high = np.concatenate([low, total]), np.concatenate([high, total])
        found = whole_near(matrix, low, high, target.reshape(-1), width)
        return None if found is None else found.reshape(len(units), types)


def whole_near(matrix: sparse.csr_array, low: Floats, high: Floats, target: Floats, width: int) -> Ints | None:
    """The nearest whole numbers with low <= matrix x <= high, within floor and ceiling widened so far; None if none."""
    floor = np.floor(target + 1e-9)
    columns = matrix.shape[1]
    upper, lower = np.ceil(target - 1e-9) + width, np.maximum(floor - width, 0)
    solver = solver_of(matrix, low, high, upper, 1 - 2 * (target - floor), lower)
    whole = np.full(columns, int(highspy.HighsVarType.kInteger), dtype=np.uint8)
    solver.changeColsIntegrality(columns, np.arange(columns, dtype=np.int32), whole)
    solver.setOptionValue("mip_max_nodes", NODES)
    solver.setOptionValue("mip_max_improving_sols", 1)
    solver.run()
    solution = solver.getSolution()
    if not solution.value_valid:
        return None
    found = np.round(np.array(solution.col_value)).astype(np.int64)
    said = matrix @ found
    return found if (found >= 0).all() and (said >= low).all() and (said <= high).all() else None


# --- the tables ------------------------------------------------------------------------------------------------------


@dataclass(slots=True, eq=False)
class Witnesses(Proofs):
    """Proofs of the base instead of the true table, that keep every table they need."""

    marks: NDArray[np.uint8] = field(kw_only=True)
    threshold: int = field(kw_only=True)
    wide: bool = field(kw_only=True, default=False)  # whether a search ends only with all lowest places

    @classmethod
    def of_base(cls, safe: SafeCells, base: Ints, large: Flags, wide: bool = False) -> Witnesses:
        """With what an outsider knows: a cell of the list counts the threshold or more, others withheld somebody."""
        lattice = Lattice.of(Cells(safe.places, safe.dimensions, base))
        marks, listed = lattice.laid(safe.marks), lattice.laid(large)
        least = np.where(listed, safe.threshold, 1)
        lattice = replace(lattice, least=least, large=listed & (marks >= Mark.BELOW))
        values = lattice.values
        sought = (marks == Mark.WITHHELD) & (least == 1)
        needs = Needs(
            np.where(sought, np.maximum(safe.threshold - values, 0), 0), np.where(sought, np.maximum(values - 1, 0), 0)
        )
        swaps = Swaps(lattice)
        return cls(lattice, needs, Types(lattice), swaps, [], marks=marks, threshold=safe.threshold, wide=wide)

    def __post_init__(self) -> None:
        Proofs.__post_init__(self)
        every = (np.int64(2) << self.threshold) - 2  # the values 1 … threshold
        met = np.where(self.lattice.values <= self.threshold, np.int64(1) << np.minimum(self.lattice.values, 62), 0)
        self.open_values = np.where(self.needed, every & ~met, 0)
        self.proven = self.needed & (self.open_values == 0)

    def search(self, which: Flags) -> Flags:
        """Look for tables for some cells, in the shape of the published marks; those for which they were not found."""
        flat = self.lattice.values.shape
        wanted = which.reshape(flat)[self.lattice.order] & self.needed
        for place, cell in np.argwhere(wanted).tolist():
            self.prove(place, cell, self.marks)
        missing = np.zeros(flat, dtype=np.bool_)
        missing[self.lattice.order] = wanted & ~self.proven
        return missing.reshape(which.shape)

    def sparse(self) -> Iterator[tuple[Ints, Ints]]:
        """Every table as indices into the base and the persons more there."""
        places, sizes = self.lattice.cells.places, self.lattice.sizes
        leaf = np.searchsorted(places.leaves, self.lattice.order[self.lattice.lowest])
        for table in self.tables:
            row, kind = np.nonzero(table.counts)
            at = np.unravel_index(kind, sizes) if sizes else ()
            yield np.stack([leaf[table.leaves[row]], *at], axis=1), table.counts[row, kind]

    def around(self, place: int, cell: int) -> Iterator[tuple[int, int, int, tuple[int, ...]]]:
        """As `Proofs` do, and after these all lowest places."""
        yield from Proofs.around(self, place, cell)
        if self.wide:
            above = max(int(self.lattice.parent[place]), 0)
            yield above if self.lattice.is_lowest(place) else place, 0, len(self.lattice.level), ()

    def _walk_from(
        self, place: int, cell: int, goals: tuple[int, ...], marks: NDArray[np.uint8], start: Start | None
    ) -> None:
        """As `Proofs` do, one person at a time: a table for each value."""
        for goal in goals:
            walk = self._begin(place, marks, start)
            value = int(walk.values[walk.here, cell])
            step = 1 if goal > value else -1
            for wanted in range(value, goal + step, step):
                if not self.open_values[place, cell] or not walk.seek(cell, wanted):
                    break
                if wanted <= self.threshold and self.open_values[place, cell] >> wanted & 1:
                    self._use(walk.table())

    def _walk_back(self, place: int, cell: int, marks: NDArray[np.uint8], start: Start) -> None:
        if place and not self.proven[place, cell]:
            self._walk_from(place, cell, (int(self.lattice.values[place, cell]),), marks, start)

    def _at_once(self, place: int, cell: int, marks: NDArray[np.uint8]) -> None:
        """Nothing: what is noted here must come with its table."""

    def _note_walk(self, place: int, walk: Walk | Crossing, start: Start | None = None) -> None:
        """Nothing, as well."""

    def _use(self, table: Change) -> None:
        margins = table.margins(self.lattice)
        if agrees(self.lattice, self.marks, *margins):
            self.tables.append(table)
            self._note(table, margins)

    def _missing(self, place: int, cell: int) -> int:
        """The value farthest from the base's that a table is still wanted for."""
        here, own = int(self.open_values[place, cell]), int(self.lattice.values[place, cell])
        values = [value for value in range(1, self.threshold + 1) if here >> value & 1]
        return values[-1] if values[-1] > own else values[0]

    def _settled(self, places: Ints, still: Ints, least: Ints) -> Flags:
        del places, least
        flags: Flags = still == 0
        return flags
