"""Withhold cells of a joint system until nobody can be singled out, each cell at risk with its proof in whole numbers.

The requirement is that of `anonymize.protect`: for every cell at risk (1 … k - 1 persons), shown or not, every whole
value from 1 to k stays possible to somebody who knows all that is published, and knows of every withheld cell whether
it is k or more. A value that what is published elsewhere rules out by itself is not asked for: nothing that is
withheld here could bring it back.

The way: cells at risk are withheld. For each of them and each value a table of whole counts is looked for that agrees
with all that is shown. Where there is none, the cheapest shown cells that would have to change are withheld as well.
Where that does not help either, what stands in the way is dropped, step by step of the cell's ladder: its own table at
its level, then more; with everything dropped only what is published elsewhere binds, so it ends. At last every cell
that was withheld for others is given back if all proofs can be had without it, the dearest first.

Nothing hangs on time or chance; with a secret key the choice of what is withheld hangs on it as well.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

import numpy as np

from anonymize.errors import Unprotectable
from anonymize.joint.search import Answer, Search
from anonymize.joint.system import Flags, Floats, Ints, Joint, Marks, SafeJoint
from anonymize.protection.prices import factors
from anonymize.tables import Mark


@dataclass(frozen=True, slots=True, eq=False)
class JointProof:
    """What protection found, for the owner alone: it tells which cells are at risk."""

    tables: tuple[Ints, ...]  # counts by kind, each agreeing with all that is shown
    at_risk: int
    for_others: int  # withheld for their sake
    below: int
    values: int  # proven: cells at risk times values
    beyond: int  # values that what is published elsewhere rules out by itself
    dropped: int  # cells


def protect(joint: Joint, exposed: Collection[int] = (), key: bytes = b"") -> tuple[SafeJoint, JointProof]:
    """Withhold until every cell at risk keeps all whole values from 1 to its threshold open.

    `exposed` are numbers of cells that an attack brought to light in spite of it: for each, as often as it is named,
    the next step of its ladder is dropped beforehand. Raises Unprotectable if a search for a proof was cut off with
    nothing left to drop.
    """
    board = Board(joint, prices(joint, key))
    for cell in exposed:
        board.coarsen(cell)
    board.cover()
    board.give_back()
    return board.safe(), board.proof()


def prices(joint: Joint, key: bytes) -> Floats:
    """(cells,) what withholding each costs: its persons and one more, times a factor of the key's, and all below it."""
    persons = (joint.values + 1) * factors(b"rnu joint prices", key, len(joint.values))
    out = persons.astype(float)
    for cell, above in enumerate(joint.above):
        for one in above:
            out[one] += persons[cell]
    return out


@dataclass(slots=True, eq=False)
class Board:
    """The marks so far, and what is proven of them. Changes, and lives inside `protect`."""

    joint: Joint
    price: Floats
    withheld: Flags = field(init=False)
    dropped: Flags = field(init=False)
    marks: Marks = field(init=False)
    open: Flags = field(init=False)  # (cells, values) still to be proven
    wanted: Flags = field(init=False)  # (cells, values) to be proven at all
    tables: list[Ints] = field(default_factory=list)
    search: Search = field(init=False)
    _unbound: Search | None = None

    def __post_init__(self) -> None:
        joint = self.joint
        self.withheld = joint.at_risk
        self.dropped = np.zeros(len(joint.cells), dtype=np.bool_)
        self.marks = joint.marks(self.withheld, self.dropped)
        value = np.arange(int(joint.threshold.max(initial=0)) + 1)
        self.wanted = joint.at_risk[:, None] & (value >= 1) & (value <= joint.threshold[:, None])
        self.open = self.wanted.copy()
        self.search = Search(joint, self.marks, self.price)
        self._note(joint.counts)

    def cover(self) -> None:
        """Give every cell at risk a table for each of its values."""
        while (task := self._next()) is not None:
            if not self._prove(*task) and not self._withhold_for(*task) and not self._beyond(*task):
                self.coarsen(task[0])

    def give_back(self) -> None:
        """Show again what need not be withheld, the dearest first."""
        for cell in np.argsort(-self.price, kind="stable").tolist():
            if self.withheld[cell] and not self.joint.at_risk[cell] and self.marks[cell] == Mark.WITHHELD:
                self._try_without(cell)

    def coarsen(self, cell: int) -> None:
        """Drop what stands in a cell's way: the next step of its ladder that drops anything."""
        for step in self.joint.ladder[cell]:
            if not self.dropped[list(step)].all():
                self.dropped[list(step)] = True
                self._tell()
                return
        raise Unprotectable("a cell has no proof, and nothing is left to drop")

    def safe(self) -> SafeJoint:
        """Leave the owner's side."""
        joint = self.joint
        values = np.where(self.marks == Mark.SHOWN, joint.values, -1)
        return SafeJoint(joint.cells, values, self.marks.copy(), joint.threshold)

    def proof(self) -> JointProof:
        """What was found."""
        value = np.arange(self.wanted.shape[1])
        asked = self.joint.at_risk[:, None] & (value >= 1) & (value <= self.joint.threshold[:, None])
        return JointProof(
            tuple(self.tables),
            int(self.joint.at_risk.sum()),
            int(((self.marks == Mark.WITHHELD) & ~self.joint.at_risk).sum()),
            int((self.marks == Mark.BELOW).sum()),
            int(self.wanted.sum()),
            int((asked & ~self.wanted).sum()),
            int((self.dropped & ~self.joint.hidden).sum()),
        )

    def _next(self) -> tuple[int, int] | None:
        """The cell and value to prove next: the largest cell, the value farthest from its own, which fails soonest."""
        cells = np.flatnonzero(self.open.any(axis=1))
        if not len(cells):
            return None
        own = self.joint.values[cells]
        cell = int(cells[np.argmax(own)])
        values = np.flatnonzero(self.open[cell])
        return cell, int(values[np.argmax(np.abs(values - self.joint.values[cell]))])

    def _prove(self, cell: int, value: int, *, corners: bool = False) -> bool:
        found = self.search.find(cell, value, corners=corners)
        if isinstance(found, Answer):
            return False
        self.tables.append(found)
        self._note(found)
        return True

    def _note(self, counts: Ints) -> None:
        """Strike off whatever a possible table proves, of whatever cell."""
        values = np.asarray(self.joint.sums @ counts)
        seen = np.flatnonzero(values < self.open.shape[1])
        self.open[seen, values[seen]] = False

    def _withhold_for(self, cell: int, value: int) -> bool:
        """Withhold the cheapest shown cells that stand in a value's way; False if there are none."""
        found = self.search.cheapest(cell, value)
        if not found:
            return False
        self.withheld[list(found)] = True
        self._tell()
        return True

    def _beyond(self, cell: int, value: int) -> bool:
        """Whether what is published elsewhere rules a value out by itself; then it is not asked for."""
        if self._unbound is None:
            nothing = np.full(len(self.marks), Mark.ABSENT, dtype=np.uint8)
            self._unbound = Search(self.joint, nothing, self.price)
        if self._unbound.find(cell, value) is not Answer.IMPOSSIBLE:
            return False
        self.wanted[cell, value] = self.open[cell, value] = False
        return True

    def _tell(self) -> None:
        self.marks = self.joint.marks(self.withheld, self.dropped)
        self.search.tell(self.marks)

    def _try_without(self, cell: int) -> None:
        """Show a cell again if all proofs can be had without it."""
        before = (self.marks, self.tables, self.open)
        self.withheld[cell] = False
        self._tell()
        self.tables = [table for table in self.tables if self.joint.agrees(self.marks, table)]
        self.open = self.wanted.copy()
        for table in (self.joint.counts, *self.tables):
            self._note(table)
        while (task := self._next()) is not None:
            if not self._prove(*task, corners=True):
                self.withheld[cell] = True
                self.marks, self.tables, self.open = before
                self.search.tell(self.marks)
                return
