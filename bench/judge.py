"""The judge of a pattern: which cells at risk it really protects, decided by integer programs.

Knows nothing of how a pattern was made: it reads the published rows as an outsider does (`anonymize.attack.system`),
and asks for cells at risk, shown or not, and every whole value from 1 to the threshold, whether a table of whole counts
that agrees with the rows has it. A shown number is an equation, a withheld cell counts at least 1. The true table is
one that agrees; what is looked for is the smallest change of it. Where a linear program says that there is none, there
is none in whole numbers; where it gives whole numbers, these are held against every row in integers; what is left an
integer program decides. A table that is found answers for all cells that have a value in it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum
from itertools import pairwise

import highspy
import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from anonymize.attack import Published
from anonymize.attack.program import solver_of
from anonymize.attack.system import CLOSE, System
from anonymize.tables import CellRef, Cells, SafeCells

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

NODES = 2_000  # of branch and bound for one question, before it counts as not decided
FREE = np.inf


class Answer(Enum):
    """Whether a cell can have a value."""

    YES = "yes"
    NO = "no"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True)
class Judgement:
    """What an outsider can make of a pattern: numbers of the cells that were asked for."""

    asked: int
    protected: int  # every whole value from 1 to the threshold is possible
    exact: int  # only the true value is possible
    undecided: int  # a question was not decided; counted neither as protected nor as exact


def judge(safe: SafeCells, cells: Cells, asked: Sequence[CellRef]) -> Judgement:
    """Decide for cells at risk, also such as the pattern does not show, what is possible."""
    court = Court.of(safe, cells, asked)
    ruled = [court.rule(cell) for cell in range(len(asked))]
    protected, exact, undecided = (sum(r == verdict for r in ruled) for verdict in ("protected", "exact", "undecided"))
    return Judgement(len(ruled), protected, exact, undecided)


@dataclass(frozen=True, slots=True, eq=False)
class Conditions:
    """low <= sums of a change <= high, each sum once; the first are the unknowns themselves."""

    sums: sparse.csr_array  # (conditions, unknowns)
    low: Floats
    high: Floats

    @classmethod
    def of(cls, matrix: sparse.csr_array, low: Floats, high: Floats, truth: Floats) -> tuple[Conditions, Ints]:
        """Conditions on changes of the true counts, and for every row of the matrix which of them it became."""
        unknowns = matrix.shape[1]
        number = {np.int64([i]).tobytes(): i for i in range(unknowns)}
        columns = [np.sort(matrix.indices[a:b]).astype(np.int64) for a, b in pairwise(matrix.indptr.tolist())]
        of = np.array([number.setdefault(c.tobytes(), len(number)) for c in columns], dtype=np.int64)
        first = np.unique(of[of >= unknowns], return_index=True)[1]
        sums = sparse.csr_array(
            sparse.vstack([sparse.eye_array(unknowns), matrix[np.flatnonzero(of >= unknowns)[first]]])
        )
        lowest, highest = np.full(len(number), -FREE), np.full(len(number), FREE)
        lowest[:unknowns] = 0
        np.maximum.at(lowest, of, low)
        np.minimum.at(highest, of, high)
        now = sums @ truth
        return cls(sums, lowest - now, highest - now), of

    def within(self, inside: Ints) -> tuple[Conditions, dict[int, int]]:
        """The same for changes of some unknowns alone, and the new number of each condition that is left."""
        sums = sparse.csr_array(self.sums[:, inside])
        rows = np.flatnonzero(np.diff(sums.indptr))  # unknowns come first, in order
        return Conditions(sparse.csr_array(sums[rows]), self.low[rows], self.high[rows]), {
            int(row): number for number, row in enumerate(rows.tolist())
        }

    def solver(self, whole: bool) -> highspy.Highs:
        """The program of the smallest change: how much each unknown goes up, and how much down."""
        unknowns = self.sums.shape[1]
        rows = sparse.csr_array(self.sums[unknowns:])
        solver = solver_of(
            sparse.csr_array(sparse.hstack([rows, -rows])),
            self.low[unknowns:],
            self.high[unknowns:],
            np.append(self.high[:unknowns], -self.low[:unknowns]),
            np.ones(2 * unknowns),
        )
        if whole:
            every = np.full(2 * unknowns, int(highspy.HighsVarType.kInteger), dtype=np.uint8)
            solver.changeColsIntegrality(2 * unknowns, np.arange(2 * unknowns, dtype=np.int32), every)
            solver.setOptionValue("mip_max_nodes", NODES)
            solver.setOptionValue("mip_max_improving_sols", 1)
        else:
            solver.setOptionValue("presolve", "off")  # many small questions, each from the last one's corner
        return solver

    def demand(self, solver: highspy.Highs, condition: int, change: int | None) -> None:
        """Let one sum change by so much in a program; None: by as much as it may."""
        unknowns = self.sums.shape[1]
        low, high = (self.low[condition], self.high[condition]) if change is None else (change, change)
        if condition >= unknowns:
            solver.changeRowBounds(condition - unknowns, low, high)
            return
        solver.changeColBounds(condition, max(low, 0.0) if change is not None else 0.0, max(high, 0.0))
        solver.changeColBounds(condition + unknowns, max(-high, 0.0) if change is not None else 0.0, max(-low, 0.0))


@dataclass(slots=True, eq=False)
class Program:
    """Questions about changes of some unknowns, all others as they truly are."""

    inside: Ints  # numbers of the unknowns
    conditions: Conditions
    number: dict[int, int]  # condition of all unknowns -> condition here
    linear: highspy.Highs

    @classmethod
    def of(cls, conditions: Conditions, inside: Ints) -> Program:
        """For some unknowns."""
        near, number = conditions.within(inside)
        return cls(inside, near, number, near.solver(whole=False))

    def changes(self, condition: int, by: int) -> Iterator[Floats | None]:
        """A change of all unknowns by which a sum changes so: by a linear program, then in whole numbers.

        None, and no more, if there is none.
        """
        if condition not in self.number:
            yield None
            return
        at = self.number[condition]
        self.conditions.demand(self.linear, at, by)
        self.linear.run()
        found = self._found(self.linear)
        self.conditions.demand(self.linear, at, None)
        yield found
        if found is None:
            return
        whole = self.conditions.solver(whole=True)
        self.conditions.demand(whole, at, by)
        whole.run()
        yield self._found(whole)

    def _found(self, solver: highspy.Highs) -> Floats | None:
        if solver.getModelStatus() == highspy.HighsModelStatus.kInfeasible:
            return None
        if not solver.getSolution().value_valid:
            return np.full(len(self.inside), np.nan)  # cut off
        up, down = np.split(np.array(solver.getSolution().col_value), 2)
        return up - down


@dataclass(slots=True, eq=False)
class Court:
    """What is published as conditions, the cells that are asked for, and what was found possible so far."""

    conditions: Conditions
    cells: Ints  # (asked,) the condition that sums up each
    own: Ints  # (asked,) true values
    around: Ints  # (asked,) the place beside the lowest ones that each lies in, -1 for one above
    beside: Ints  # (unknowns,) the same
    threshold: int
    met: NDArray[np.bool_] = field(init=False)  # (asked, values) the cell has the value in a table that was found
    programs: dict[int, Program] = field(init=False)  # by place; -1 for all

    @classmethod
    def of(cls, safe: SafeCells, cells: Cells, asked: Sequence[CellRef]) -> Court:
        """The rows that a pattern publishes, and the cells that are asked for."""
        system = System.of(Published.of(safe))
        truth = cells.counts.reshape(-1)[system.columns].astype(np.float64)
        sums = system.sums(asked)
        matrix = sparse.csr_array(sparse.vstack([system.matrix[:, system.columns], sums]))
        low = np.append(system.low, np.full(len(asked), -FREE))
        high = np.append(system.high, np.full(len(asked), FREE))
        single = np.flatnonzero((np.diff(matrix.indptr) == 1) & (low == high))
        shown = np.isin(np.arange(len(truth)), matrix[single].indices)  # inner cells of which nothing is unknown
        given = matrix @ np.where(shown, truth, 0)
        conditions, of = Conditions.of(sparse.csr_array(matrix[:, ~shown]), low - given, high - given, truth[~shown])
        level = cells.places.levels[-2]
        codes = system.labels[f"at {level}"].to_numpy()[system.columns]
        names = {code: number for number, code in enumerate(dict.fromkeys(codes))}
        where = np.array([names[code] for code in codes], dtype=np.int64)
        first = sums.indices[sums.indptr[:-1]]
        low_enough = np.array([ref.level in cells.places.levels[-2:] for ref in asked])
        around = np.where(low_enough, where[first], -1)
        own = (sums @ truth).astype(np.int64)
        return cls(conditions, of[len(system.low) :], own, around, where[~shown], safe.threshold)

    def __post_init__(self) -> None:
        self.met = np.zeros((len(self.own), self.threshold + 1), dtype=np.bool_)
        self.met[np.arange(len(self.own)), self.own] = True
        self.programs = {}

    def rule(self, cell: int) -> str:
        """What is possible for one cell: from its own value up to the threshold, and down to 1."""
        own = int(self.own[cell])
        (above, up), (below, down) = (
            self._first_not_yes(cell, values) for values in (range(own + 1, self.threshold + 1), range(own - 1, 0, -1))
        )
        if up is down is Answer.YES:
            return "protected"
        if Answer.UNDECIDED in (up, down):
            return "undecided"
        return "exact" if above == own + 1 and (own == 1 or below == own - 1) else "narrowed"

    def _first_not_yes(self, cell: int, values: range) -> tuple[int, Answer]:
        for value in values:
            answer = Answer.YES if self.met[cell, value] else self._ask(cell, value)
            if answer is not Answer.YES:
                return value, answer
        return 0, Answer.YES

    def _ask(self, cell: int, value: int) -> Answer:
        """Near the cell first, where only a yes counts; then everywhere."""
        condition, by = int(self.cells[cell]), int(value - self.own[cell])
        if not self.conditions.low[condition] <= by <= self.conditions.high[condition]:
            return Answer.NO
        for place in dict.fromkeys((int(self.around[cell]), -1)):
            program = self._program(place)
            for change in program.changes(condition, by):
                if change is None:
                    if place < 0:
                        return Answer.NO
                    break
                self._note(program.inside, change)
                if self.met[cell, value]:
                    return Answer.YES
        return Answer.UNDECIDED

    def _program(self, place: int) -> Program:
        if place not in self.programs:
            inside = np.flatnonzero((self.beside == place) | (place < 0))
            self.programs[place] = Program.of(self.conditions, inside)
        return self.programs[place]

    def _note(self, inside: Ints, change: Floats) -> None:
        """Take down what all cells have after a change, if it is one of whole counts that agrees with every row."""
        if not np.isfinite(change).all() or np.abs(change - np.round(change)).max(initial=0) > CLOSE:
            return
        by = self.conditions.sums[:, inside] @ np.round(change).astype(np.int64)
        if (by < self.conditions.low).any() or (by > self.conditions.high).any():
            return
        values = self.own + by[self.cells].astype(np.int64)
        here = np.flatnonzero((values >= 0) & (values <= self.threshold))
        self.met[here, values[here]] = True
