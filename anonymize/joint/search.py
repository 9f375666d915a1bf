"""Tables of whole counts that agree with what is published of a joint system, found by linear programming.

A program stands for the whole system or for a few places of it: how many persons more (or fewer) of each kind there. A
cell that is shown does not change, a withheld one stays what it is known to be. The corner where the program ends is
whole more often than not; where it is not, other costs are drawn, then an integer program is asked. Most tables
exchange persons between a few places, which are tried before the whole. Whatever comes out is reckoned again in whole
numbers over the whole system: an error of the solver can cost a cell its proof, but never its safety. Solvers stop by
iterations and nodes, never by the clock, and costs come from fixed seeds.

The same program with *prices* tells which shown cells must give way: each may change then, for its price a person.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum

import highspy
import numpy as np
from scipy import sparse

from anonymize.joint.system import Floats, Ints, Joint, Marks
from anonymize.linear import prepared
from anonymize.tables import Mark

DRAWS = 3  # costs tried until a corner is whole
PARTNERS = (1, 3, 7)  # places that are tried together with a cell's own, one number after the other
NODES = 300  # of branch and bound, before a search counts as cut off
ITERATIONS = 200_000
WHOLE = 1e-6
OWN = 0.001  # cost of a person more or fewer, beside the price of a cell


class Answer(Enum):
    """Why a search has no table to show."""

    IMPOSSIBLE = "impossible"
    CUT_OFF = "cut off"


class Search:
    """Looks for tables that agree with the marks it is told."""

    def __init__(self, joint: Joint, marks: Marks, price: Floats) -> None:
        self.joint, self.price = joint, price
        self.values = joint.values
        self.programs: dict[tuple[int, ...], Program] = {}
        self.tell(marks)

    def tell(self, marks: Marks) -> None:
        """From now on, look for tables that agree with these marks."""
        self.marks = marks
        low, high = self.joint.bounds(marks)
        self._bounds = low - self.values, high - self.values
        self._withheld = np.bincount(self.joint.place, (marks == Mark.WITHHELD).astype(float) @ self.joint.sums)

    def find(self, cell: int, value: int, *, corners: bool = False) -> Ints | Answer:
        """A possible table of counts in which a cell has a value; of `corners` alone, where that is enough.

        IMPOSSIBLE only if there is none, in whole numbers or others.
        """
        by = int(value - self.values[cell])
        if not self._bounds[0][cell] <= by <= self._bounds[1][cell]:
            return Answer.IMPOSSIBLE
        fractional = []
        for places in self._near(cell):
            answer = self._program(places).corner(cell, by)
            if answer is Answer.CUT_OFF:
                fractional.append(places)
            if (found := self._fitting(answer, cell, value)) is not None:
                return found
        for places in [] if corners else fractional:
            if (found := self._fitting(self._program(places).branch(cell, by), cell, value)) is not None:
                return found
        whole = self._program(())
        answer = whole.corner(cell, by)
        if answer is Answer.CUT_OFF and not corners:
            answer = whole.branch(cell, by)
        found = self._fitting(answer, cell, value)
        return found if found is not None else Answer.IMPOSSIBLE if answer is Answer.IMPOSSIBLE else Answer.CUT_OFF

    def cheapest(self, cell: int, value: int) -> tuple[int, ...]:
        """The shown cells that must change so that a cell can have a value, and cost least; empty if none would do.

        Where fractions would do without any cell, but whole numbers would not, near places are asked in whole numbers.
        """
        by = int(value - self.values[cell])
        changed = self._program(()).cheapest(cell, by)
        for places in self._near(cell):
            if changed or changed is None:
                break
            changed = self._program(places).cheapest(cell, by, integer=True) or ()
        return changed or ()

    def _near(self, cell: int) -> list[tuple[int, ...]]:
        """A cell's own place with some others, first those where the same is withheld, then where most is.

        A cell of many places has its home where most is withheld.
        """
        joint = self.joint
        own = np.unique(joint.place[joint.sums[[cell]].indices]).tolist()
        order = np.argsort(-self._withheld - self._of_the_same(cell), kind="stable").tolist()
        home = order[0] if len(own) > 1 else own[0]
        others = [other for other in order if other != home]
        return [tuple(sorted((home, *others[:size]))) for size in PARTNERS if size < len(others)]

    def _of_the_same(self, cell: int) -> Floats:
        """(places,) more than any place can have withheld, where the cell of the same name is."""
        joint, name = self.joint, (self.joint.cells[cell].table, self.joint.cells[cell].what)
        same = np.array([(c.table, c.what) == name for c in joint.cells]) & (self.marks == Mark.WITHHELD)
        lone = np.asarray(joint.sums.sum(axis=1)) < len(joint.counts) / 2 if len(self._withheld) > 2 else same
        found: Floats = np.bincount(joint.place, (same & lone).astype(float) @ joint.sums) * (1 + self._withheld.max())
        return found

    def _program(self, places: tuple[int, ...]) -> Program:
        """The program of some places, or of all, as the marks are."""
        if places not in self.programs:
            kinds = np.isin(self.joint.place, places) if places else np.ones(len(self.joint.counts), dtype=np.bool_)
            self.programs[places] = Program(self.joint, np.flatnonzero(kinds), self.price)
        program = self.programs[places]
        program.tell(self.marks, *self._bounds)
        return program

    def _fitting(self, change: Ints | Answer, cell: int, value: int) -> Ints | None:
        """The counts after a change, if they are what was looked for."""
        if isinstance(change, Answer):
            return None
        counts = self.joint.counts + change
        reached = int((self.joint.sums[[cell]] @ counts)[0])
        return counts if reached == value and self.joint.agrees(self.marks, counts) else None


class Program:
    """Changes of some kinds, all others staying as they are.

    Columns: persons more, fewer (kinds); cells that rise, fall. Rows: the cells that these kinds are part of, givens.
    """

    def __init__(self, joint: Joint, kinds: Ints, price: Floats) -> None:
        self.joint, self.kinds = joint, kinds
        sums, given = joint.sums[:, kinds], joint.given[:, kinds]
        self.rows = np.flatnonzero(np.diff(sparse.csr_array(sums).indptr))
        self.row = {cell: row for row, cell in enumerate(self.rows.tolist())}
        self.price = price[self.rows]
        self.values, self.least = joint.values[self.rows], joint.least[self.rows]
        self.upper = np.concatenate(
            [np.full(len(kinds), float(joint.most)), (joint.counts - joint.floor)[kinds].astype(float)]
        )
        bound = np.flatnonzero(np.diff(sparse.csr_array(given).indptr))
        stated = (joint.given @ joint.counts)[bound]
        self.solver = self._solver(
            sums[self.rows], given[bound], (joint.low[bound] - stated, joint.high[bound] - stated)
        )
        self.marks: Marks | None = None

    def tell(self, marks: Marks, low: Ints, high: Ints) -> None:
        """From now on, cells change within these bounds; nothing is done if they are those of before."""
        if self.marks is marks:
            return
        self.marks = marks
        self.low, self.high = low[self.rows].astype(float), high[self.rows].astype(float)
        for row, (least, most) in enumerate(zip(self.low.tolist(), self.high.tolist(), strict=True)):
            self.solver.changeRowBounds(row, least, most)

    def corner(self, cell: int, by: int) -> Ints | Answer:
        """The change, (all kinds), where the linear program ends, if that is whole."""
        with self._aim(cell, by):
            for draw in range(DRAWS):
                self._draw(draw)
                if not self._run():
                    return self._why()
                if (found := self._change()) is not None:
                    return found
        return Answer.CUT_OFF

    def branch(self, cell: int, by: int) -> Ints | Answer:
        """The same in whole numbers outright."""
        columns = 2 * len(self.kinds)
        # without costs, whatever is found first will do: 100 times faster than looking for the smallest change
        self.solver.changeColsCost(columns, np.arange(columns, dtype=np.int32), np.zeros(columns))
        with self._aim(cell, by), self._integer():
            self.solver.run()
            found = self._change() if self.solver.getSolution().value_valid else None
            return self._why() if found is None else found

    def cheapest(self, cell: int, by: int, *, integer: bool = False) -> tuple[int, ...] | None:
        """The shown cells that change where a cell changes so much and the least is paid; None if nothing does.

        A shown cell may change if it is above zero (a zero is never withheld) and stays what it would be known to be.
        """
        if self.marks is None:
            return None
        may = (self.marks[self.rows] == Mark.SHOWN) & (self.values > 0)
        fall = np.where(may, np.maximum(self.values - self.least, 0), 0).astype(float)
        with self._aim(cell, by), self._paid(np.where(may, float(self.joint.most), 0.0), fall):
            if not integer:
                return self._paid_for() if self._run() else None
            with self._integer(improve=True):
                self.solver.run()
                return self._paid_for() if self.solver.getSolution().value_valid else None

    def _paid_for(self) -> tuple[int, ...]:
        found = np.array(self.solver.getSolution().col_value)[2 * len(self.kinds) :].reshape(2, len(self.rows))
        return tuple(self.rows[found.max(axis=0) > WHOLE].tolist())

    def _change(self) -> Ints | None:
        """The change of all kinds where the program ended; None if it is not whole."""
        found = np.array(self.solver.getSolution().col_value)[: 2 * len(self.kinds)]
        whole = np.round(found)
        if np.abs(found - whole).max(initial=0.0) > WHOLE:
            return None
        more, fewer = whole.astype(np.int64).reshape(2, -1)
        change = np.zeros(len(self.joint.counts), dtype=np.int64)
        change[self.kinds] = more - fewer
        return change

    def _run(self) -> bool:
        self.solver.run()
        return bool(self.solver.getModelStatus() == highspy.HighsModelStatus.kOptimal)

    def _why(self) -> Answer:
        infeasible = self.solver.getModelStatus() == highspy.HighsModelStatus.kInfeasible
        return Answer.IMPOSSIBLE if infeasible else Answer.CUT_OFF

    @contextmanager
    def _aim(self, cell: int, by: int) -> Iterator[None]:
        """Make a cell change by so much, for a while."""
        row = self.row[cell]
        self.solver.changeRowBounds(row, float(by), float(by))
        try:
            yield
        finally:
            self.solver.changeRowBounds(row, self.low[row], self.high[row])

    def _draw(self, draw: int) -> None:
        """Costs spread widely, so that the cheapest table is one chain of exchanges and not a mean of several."""
        columns = 2 * len(self.kinds)
        cost = OWN * (1 + 10 * np.random.default_rng(draw).random(columns) ** 4)
        self.solver.changeColsCost(columns, np.arange(columns, dtype=np.int32), cost)

    @contextmanager
    def _paid(self, rise: Floats, fall: Floats) -> Iterator[None]:
        """Let shown cells change so far, for a price a person, for a while."""
        many = 2 * len(self.rows)
        columns = np.arange(2 * len(self.kinds), 2 * len(self.kinds) + many, dtype=np.int32)
        self.solver.changeColsBounds(many, columns, np.zeros(many), np.concatenate([rise, fall]))
        try:
            yield
        finally:
            self.solver.changeColsBounds(many, columns, np.zeros(many), np.zeros(many))

    @contextmanager
    def _integer(self, *, improve: bool = False) -> Iterator[None]:
        """Whole numbers alone, for a while; the first that are found, or better ones."""
        columns, kind = 2 * len(self.kinds), highspy.HighsVarType
        numbers = np.arange(columns, dtype=np.int32)
        self.solver.changeColsIntegrality(columns, numbers, np.full(columns, int(kind.kInteger), np.uint8))
        self.solver.setOptionValue("presolve", "on")
        self.solver.setOptionValue("mip_max_improving_sols", 2**31 - 1 if improve else 1)
        try:
            yield
        finally:
            self.solver.changeColsIntegrality(columns, numbers, np.full(columns, int(kind.kContinuous), np.uint8))
            self.solver.setOptionValue("presolve", "off")  # many programs, each from the last one's corner
            self.solver.clearSolver()

    def _solver(self, sums: sparse.csr_array, given: sparse.csr_array, stated: tuple[Ints, Ints]) -> highspy.Highs:
        cells = len(self.rows)
        identity, nothing = sparse.eye_array(cells), sparse.csr_array((given.shape[0], 2 * cells))
        matrix = sparse.csc_array(
            sparse.vstack([sparse.hstack([sums, -sums, -identity, identity]), sparse.hstack([given, -given, nothing])]),
            dtype=np.float64,
        )
        zeros = np.zeros(cells)
        low, high = (np.concatenate([zeros, bound]) for bound in stated)
        upper = np.concatenate([self.upper, zeros, zeros])
        cost = np.concatenate([np.zeros(len(self.upper)), self.price, self.price])
        solver = prepared(matrix, low, high, upper, cost, ITERATIONS)
        solver.setOptionValue("mip_max_nodes", NODES)
        return solver
