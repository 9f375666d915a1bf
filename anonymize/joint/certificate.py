"""A public certificate for overlaps and flows: whole tables which show that every withheld cell can be small and large.

Made by a process whose only inputs are the published cells, the programmes' own published users and the thresholds
(`anonymize.joint.verify.Linked`), so that it tells nothing that was not published. It holds

- a **base**: whole counts of persons by department and kind that agree with all that is published;
- **tables**, each by what it changes of the base, which agree with it too. For every withheld cell and every value from
  1 to its threshold there is one in which the cell has it;
- the **list** of withheld cells that are known to count the threshold or more. All tables respect it.

The base is an interior point, far from all bounds and with withheld cells near the middle of 1 … threshold where they
can be, rounded. The tables are looked for as `protect` looks for its own, around the base instead of the true counts:
most exchange persons between a few departments. A cell for which one is not found goes on the list, and all begins anew
until nothing is added to it. Nothing hangs on time or chance.

Whole numbers can leave gaps: where persons in 1 and 2 programmes are shown, those in 3, 4, 5 and 6 can only change
together, some of them by three at a time. A cell with such a gap stands on the list as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import highspy
import numpy as np
from scipy import sparse

from anonymize.attack.program import solver_of
from anonymize.certificate import ROUNDS, WIDTHS, whole_near
from anonymize.errors import Unprotectable
from anonymize.joint.published import STATES
from anonymize.joint.search import Answer, Search
from anonymize.joint.system import Cell, Flags, Floats, Ints, Joint, Marks
from anonymize.joint.verify import ANY, Change, JointCertificate, Linked, verify
from anonymize.verify import WITHHELD

CLOSE = 1e-6


def certify(linked: Linked) -> JointCertificate:
    """Find a certificate for the published cells. Deterministic; Unprotectable if none is found."""
    system = System.of(linked)
    large = np.zeros(linked.cells.state.shape, dtype=np.bool_)
    base: Ints | None = None
    earlier: list[Ints] = []
    for _ in range(ROUNDS):
        if base is None or _too_small(linked, base, large):
            interior = Interior(system, large)
            while len(far := interior.unreachable()):
                large.reshape(-1)[far] = True
                interior = Interior(system, large)
            base, earlier = interior.rounded().reshape(len(linked.places) - 1, -1), []
        witnesses = Witnesses(linked, system, base, large, earlier)
        unproven = witnesses.search()
        if not unproven.any():
            listed = tuple((int(place), int(row)) for place, row in np.argwhere(large))
            return JointCertificate(linked, base, tuple(map(witnesses.change, witnesses.tables)), listed)
        large |= unproven
        earlier = witnesses.tables
    raise Unprotectable(f"no certificate was found in {ROUNDS} rounds")


def _too_small(linked: Linked, base: Ints, large: Flags) -> bool:
    """Whether the base has a cell of the list below its threshold."""
    cells = linked.sums(base)[:, : large.shape[1]]
    return bool((cells < linked.threshold)[large].any())


def whole(certificate: JointCertificate) -> JointCertificate:
    """The certificate, after checking it as anybody can; Unprotectable if it does not hold."""
    problems = verify(certificate.linked, certificate.base, certificate.tables, certificate.large).problems
    if problems:
        raise Unprotectable(f"the certificate does not hold: {problems[0]}")
    return certificate


# --- the base --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class System:
    """All rows of all places over persons of all departments and kinds, flat."""

    linked: Linked
    matrix: sparse.csr_array  # (places * rows, departments * kinds)

    @classmethod
    def of(cls, linked: Linked) -> System:
        """The nation's rows, then those of each department."""
        departments = len(linked.places) - 1
        every, each = np.ones((1, departments), dtype=np.int64), sparse.eye_array(departments, dtype=np.int64)
        anywhere = sparse.kron(np.ones((departments, departments), dtype=np.int64), sparse.csr_array(linked.anywhere))
        parts = [sparse.kron(every, linked.nation), sparse.kron(each, linked.here) + anywhere]
        return cls(linked, sparse.csr_array(sparse.vstack(parts)).astype(np.int64))

    @property
    def cells(self) -> Flags:
        """Which rows are cells."""
        return np.tile(np.arange(len(self.linked.rows)) < len(self.linked.threshold), len(self.linked.places))


class Interior:
    """Counts far from all bounds that agree with what is published, and with the list."""

    def __init__(self, system: System, large: Flags) -> None:
        linked = system.linked
        low, high = (bounds.reshape(-1) for bounds in linked.bounds(large))
        tells = (low > 0) | (high < ANY) | (system.matrix.min(axis=1).toarray().reshape(-1) < 0)
        self.matrix = system.matrix[tells].astype(np.float64)
        self.low, self.high = low[tells].astype(float), np.where(high[tells] < ANY, high[tells], np.inf)
        self.sums = system.matrix[system.cells].astype(np.float64)
        threshold = np.tile(linked.threshold, len(linked.places))
        self.sought = np.flatnonzero((linked.cells.state == WITHHELD) & ~large)
        self.middle = (1 + threshold[self.sought]) / 2
        self.table = self._table()

    def unreachable(self) -> Ints:
        """The cells, flat, that no counts, whole or not, agree with being 1."""
        solver = solver_of(self.matrix, self.low, self.high, self._free, np.zeros(self.matrix.shape[1]))
        far = self.sought[(self.sums @ self.table)[self.sought] > 2 * self.middle]
        found = []
        for cell in far.tolist():
            cost = self.sums[[cell]].toarray()[0]
            solver.changeColsCost(len(cost), np.arange(len(cost), dtype=np.int32), cost)
            solver.run()
            if solver.getInfo().objective_function_value > 1 + CLOSE:
                found.append(cell)
        return np.array(found, dtype=np.int64)

    def rounded(self) -> Ints:
        """Whole counts near it."""
        for width in WIDTHS:
            found = whole_near(self.matrix, self.low, self.high, self.table, width)
            if found is not None:
                return found
        raise Unprotectable("no whole counts were found near the interior of what is published")

    @property
    def _free(self) -> Floats:
        return np.full(self.matrix.shape[1], np.inf)

    def _table(self) -> Floats:
        """Near the middle of 1 … threshold, where cells can be: what then changes to reach each value is little."""
        many, columns = len(self.sought), self.matrix.shape[1]
        beyond = sparse.hstack([self.sums[self.sought], -sparse.eye_array(many)])
        nothing = sparse.csr_array((len(self.low), many))
        matrix = sparse.csr_array(sparse.vstack([sparse.hstack([self.matrix, nothing]), beyond]))
        low, high = np.concatenate([self.low, np.full(many, -np.inf)]), np.concatenate([self.high, self.middle])
        cost = np.concatenate([np.zeros(columns), np.ones(many)])
        for how in ("ipm", "simplex"):  # the interior, or a corner where numbers are too far apart to reach it
            solver = solver_of(matrix, low, high, np.full(columns + many, np.inf), cost)
            solver.setOptionValue("solver", how)
            solver.setOptionValue("run_crossover", "off")
            solver.run()
            if solver.getModelStatus() == highspy.HighsModelStatus.kOptimal:
                table: Floats = np.maximum(np.array(solver.getSolution().col_value)[:columns], 0.0)
                return table
        raise Unprotectable("no counts agree with what is published")


# --- the tables ------------------------------------------------------------------------------------------------------


class Witnesses:
    """Looks for the tables around a base; those found with a shorter list go on where they respect the longer one."""

    def __init__(self, linked: Linked, system: System, base: Ints, large: Flags, earlier: Sequence[Ints]) -> None:
        self.linked, self.base, self.large = linked, base, large
        self.joint, self.marks = _joint(linked, system, base, large), _marks(linked)
        self.open = linked.asked(large).reshape(-1)  # bit v: no table yet in which the cell counts v
        self._note(base.reshape(-1))
        self.tables = [table for table in earlier if self.joint.agrees(self.marks, table)]
        for table in self.tables:
            self._note(table)

    def search(self) -> Flags:
        """Look for tables for all cells that need them; the cells of which some were not found, (places, cells).

        The nation's cells come first: where one fails, all others would be looked for in vain.
        """
        search = Search(self.joint, self.marks, np.ones(len(self.joint.cells)))
        of_nation = np.arange(len(self.open)) < self.large.shape[1]
        unproven = np.zeros(len(self.open), dtype=np.bool_)
        for part in (of_nation, ~of_nation):
            for cell in np.flatnonzero(part & (self.open != 0)).tolist():
                own = int(self.joint.values[cell])
                while self.open[cell] and not unproven[cell]:
                    found = search.find(cell, _farthest(int(self.open[cell]), own))
                    if isinstance(found, Answer):
                        unproven[cell] = True
                    else:
                        self._note(found)
                        self.tables.append(found)
            if unproven.any():
                break
        return unproven.reshape(self.large.shape)

    def _note(self, counts: Ints) -> None:
        """Strike off whatever a possible table proves, of whatever cell."""
        values = np.asarray(self.joint.sums @ counts)
        inside = (values >= 1) & (values <= self.joint.threshold)
        self.open &= ~np.where(inside, np.int64(1) << np.where(inside, values, 0), 0)

    def change(self, counts: Ints) -> Change:
        """What a table has more than the base."""
        more = counts.reshape(self.base.shape) - self.base
        at = np.argwhere(more)
        return at, more[at[:, 0], at[:, 1]]


def _farthest(bits: int, own: int) -> int:
    """Of the values that are wanted, the one farthest from the base's: it fails soonest."""
    values = [value for value in range(bits.bit_length()) if bits >> value & 1]
    return max(values, key=lambda value: abs(value - own))


def _joint(linked: Linked, system: System, base: Ints, large: Flags) -> Joint:
    """What is published, in the terms of `protect`, around a base."""
    departments, cells = len(linked.places) - 1, linked.cells.state.shape[1]
    names = [
        Cell(what, "nacion" if place == 0 else "departamento", code, what)
        for place, code in enumerate(linked.places)
        for what in linked.rows[:cells]
    ]
    nothing = np.zeros(len(names), dtype=np.bool_)
    return Joint(
        counts=base.reshape(-1),
        place=np.repeat(np.arange(departments), base.shape[1]),
        floor=np.zeros(base.size, dtype=np.int64),
        cells=tuple(names),
        sums=sparse.csr_array(system.matrix[system.cells]),
        threshold=np.tile(linked.threshold, len(linked.places)),
        given=sparse.csr_array(system.matrix[~system.cells]),
        low=linked.low.reshape(-1),
        high=linked.high.reshape(-1),
        above=((),) * len(names),
        free=nothing,
        hidden=nothing,
        ladder=((),) * len(names),
        large=large.reshape(-1),
    )


def _marks(linked: Linked) -> Marks:
    """The state of every cell, flat, as a mark."""
    states = linked.cells.state.reshape(-1)
    marks = np.select([states == state for state in STATES.values()], [int(mark) for mark in STATES])
    return marks.astype(np.uint8)
