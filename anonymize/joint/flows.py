"""Arrivals and departures of one programme, between a period and the one before.

Who counts where: arrivals of a department are those who are its users now and were not before, also if they come from
another department; departures those who were and are not any more. So in every department users now = stayed + arrived,
users before = stayed + departed. For the nation nobody arrives who comes from another department: those who changed it
stand in a row of their own.

The kinds of the joint system are what becomes of a user at a department: stays, is new, comes from elsewhere, ends,
goes elsewhere. Given are the programme's users of both periods.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from anonymize.joint.overlaps import within
from anonymize.joint.system import Cell, Flags, Ints, Joint, SafeJoint, sparse_drops
from anonymize.joint.verify import ARRIVED, DEPARTED, MOVED
from anonymize.joint.verify import MOVEMENT as OF_MOVEMENTS
from anonymize.tables import Dimension, Mark, Places, SafeCells

STAYED = "permanecen"
MOVEMENT = Dimension(OF_MOVEMENTS, (ARRIVED, DEPARTED, MOVED))
STAYS, NEW, COMES, ENDS, GOES = range(5)


@dataclass(frozen=True, slots=True, eq=False)
class Flows:
    """What became of a programme's users, by department."""

    places: Places  # the nation, then the departments
    threshold: int
    persons: Ints  # (departments, 5) stays, new, comes from elsewhere, ends, goes elsewhere
    shown: Flags  # (places,) whether the programme's own table shows how many users there are now
    withheld: Flags  # (places,) or withholds it (mark c)
    large: Flags | None = None  # (places,) where everybody can know that what is withheld reaches the threshold

    @property
    def before(self) -> Ints:
        """(places,) users before."""
        return np.asarray(within(self.places) @ self.persons[:, [STAYS, ENDS, GOES]].sum(axis=1))

    @property
    def now(self) -> Ints:
        """(places,) users now."""
        return np.asarray(within(self.places) @ self.persons[:, [STAYS, NEW, COMES]].sum(axis=1))

    @property
    def shown_before(self) -> Flags:
        """(places,) whether users before were many enough to be shown, or none."""
        return np.asarray((self.before == 0) | (self.before >= self.threshold))


def flows_joint(flows: Flows) -> Joint:
    """The joint system: arrivals, departures, those who changed department, those who stay; place by place."""
    places, departments = flows.places, len(flows.places) - 1
    of = np.eye(5, dtype=np.int64)
    nation = [of[NEW], of[ENDS], of[COMES], of[STAYS] + of[COMES]]
    department = [of[NEW] + of[COMES], of[ENDS] + of[GOES], of[COMES], of[STAYS]]
    everywhere, each = np.ones((1, departments), dtype=np.int64), np.eye(departments, dtype=np.int64)
    sums = sparse.vstack([sparse.kron(everywhere, np.vstack(nation)), sparse.kron(each, np.vstack(department))])
    whats = (ARRIVED, DEPARTED, MOVED, STAYED)
    cells = tuple(
        Cell("movimientos", places.levels[int(level)], code, what)
        for code, level in zip(places.codes, places.level, strict=True)
        for what in whats
    )
    hidden = np.array([c.what == STAYED or (c.what == MOVED and c.level != places.levels[0]) for c in cells])
    unsettled = ~flows.shown | ~flows.shown_before
    free = np.repeat(unsettled, len(whats)) & ~hidden
    given, low, high = _given(flows)
    return Joint(
        counts=flows.persons.reshape(-1),
        place=np.repeat(np.arange(departments), 5),
        floor=np.zeros(flows.persons.size, dtype=np.int64),
        cells=cells,
        sums=sparse.csr_array(sums),
        threshold=np.full(len(cells), flows.threshold),
        given=given,
        low=low,
        high=high,
        above=tuple(
            ((i % len(whats),) if i >= len(whats) and c.what in (ARRIVED, DEPARTED) else ())
            for i, c in enumerate(cells)
        ),
        free=free,
        hidden=hidden,
        ladder=tuple(_ladder(len(cells), len(whats)) for _ in cells),
    )


def _ladder(cells: int, wide: int) -> tuple[tuple[int, ...], ...]:
    """Departments go first, then all."""
    return (tuple(range(wide, cells)), tuple(range(cells)))


def _given(flows: Flows) -> tuple[sparse.csr_array, Ints, Ints]:
    """Users now and before at every place; who comes from elsewhere went from elsewhere."""
    of, up = np.eye(5, dtype=np.int64), within(flows.places)
    departments, most = up.shape[1], int(flows.persons.sum()) + flows.threshold
    known = np.where(flows.now >= flows.threshold, flows.threshold, 1)
    moved = sparse.kron(np.ones((1, departments), dtype=np.int64), (of[COMES] - of[GOES])[None])
    # whoever goes from a department comes to another one
    apart = sparse.kron(1 - np.eye(departments, dtype=np.int64), of[COMES][None]) - sparse.kron(
        np.eye(departments, dtype=np.int64), of[GOES][None]
    )
    matrix = sparse.vstack(
        [
            sparse.kron(up, (of[STAYS] + of[NEW] + of[COMES])[None]),
            sparse.kron(up, (of[STAYS] + of[ENDS] + of[GOES])[None]),
            moved,
            apart,
        ]
    )
    now, before, none = flows.now, flows.before, np.zeros(departments, dtype=np.int64)
    low = [np.where(flows.shown, now, np.where(flows.withheld, known, 0)), np.where(flows.shown_before, before, 1)]
    high = [np.where(flows.shown, now, most), np.where(flows.shown_before, before, most)]
    return (
        sparse.csr_array(matrix),
        np.concatenate([*low, [0], none]),
        np.concatenate([*high, [0], none + most]),
    )


def movements(flows: Flows, safe: SafeJoint) -> SafeCells:
    """Arrivals, departures and changes of department as a published table; it has no total."""
    shape = (len(flows.places), 4)
    marks, values = safe.marks.reshape(shape).copy(), safe.values.reshape(shape).copy()
    hidden = np.array([[False, False, place > 0, True] for place in range(shape[0])])
    gone = (marks == Mark.ABSENT) & ~hidden
    drops = sparse_drops(flows.places, MOVEMENT, gone)
    return SafeCells(flows.places, (MOVEMENT,), values, marks, flows.threshold, drops)
