"""Overlaps between programmes: distinct persons by number of programmes, and by pair of programmes.

Who counts where: every person counts once, in one department: that of the programme that comes first in the order
given among those that they are in. So departments add up to the nation, and the persons of all numbers of programmes
to the distinct persons. A programme's own table counts its users where its own roster has them. The two differ by
those whom several rosters have in several departments: for the nation they agree.

The kinds of the joint system are (department, set of programmes). Given are the users of each programme, where its own
table shows them: nothing that proofs try changes a programme's users anywhere, for they leave everybody as they are
whom rosters have in several departments.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy import sparse

from anonymize.joint.system import Cell, Flags, Ints, Joint, SafeJoint, sparse_drops
from anonymize.joint.verify import NUMBER, OTHER
from anonymize.tables import Dimension, Mark, Places, SafeCells

DISTINCT, PAIRS = "distintas", "pares"


@dataclass(frozen=True, slots=True, eq=False)
class Overlaps:
    """Persons by department and set of programmes; bit i of a set stands for programme i."""

    places: Places  # the nation, then the departments
    programmes: tuple[str, ...]  # those with the highest threshold first
    thresholds: tuple[int, ...]
    persons: Ints  # (departments, sets)
    elsewhere: Ints  # (departments, sets) of them, whom some roster has in another department

    @property
    def bits(self) -> Ints:
        """(sets, programmes) 1 where a set has a programme."""
        return np.arange(self.persons.shape[1])[:, None] >> np.arange(len(self.programmes)) & 1

    @property
    def users(self) -> Ints:
        """(places, programmes) each programme's users, counted where overlaps count them."""
        return np.asarray(within(self.places) @ self.persons @ self.bits)

    @property
    def pairs(self) -> tuple[tuple[int, int], ...]:
        """Pairs of programmes, by number."""
        return tuple(combinations(range(len(self.programmes)), 2))


@dataclass(frozen=True, slots=True, eq=False)
class Users:
    """What the programmes' own tables have: (places, programmes)."""

    counts: Ints  # true
    shown: Flags
    withheld: Flags  # mark c; neither: not published
    large: Flags | None = None  # of those withheld, which everybody can know to reach their threshold; else none


def joint_of(overlaps: Overlaps, users: Users) -> Joint:
    """The joint system: cells place by place, of each the distinct persons, those by number, those by pair."""
    places, pairs, bits = overlaps.places, overlaps.pairs, overlaps.bits[1:]  # without the empty set
    many = bits.sum(axis=1)
    number = np.arange(1, len(overlaps.programmes) + 1)
    kinds = np.vstack(
        [many > 0, many == number[:, None], *([bits[:, p] & bits[:, q] for p, q in pairs] if pairs else [])]
    ).astype(np.int64)
    inside = within(places)
    strictest = max(overlaps.thresholds)
    thresholds = [strictest] * (1 + len(number)) + [
        max(overlaps.thresholds[p], overlaps.thresholds[q]) for p, q in pairs
    ]
    wide = kinds.shape[0]
    stated = overlaps.users
    k = np.array(overlaps.thresholds)
    known = np.where(users.counts >= k, k, 1)
    low = np.where(users.shown, stated, np.where(users.withheld, np.maximum(stated - users.counts + known, 0), 0))
    high = np.where(users.shown, stated, int(overlaps.persons.sum()) + strictest)
    unsettled = ~users.shown
    free = np.hstack(
        [
            np.zeros((len(places), 1 + len(number)), dtype=np.bool_),
            *([unsettled[:, [p]] | unsettled[:, [q]] for p, q in pairs]),
        ]
    )
    return Joint(
        counts=overlaps.persons[:, 1:].reshape(-1),
        place=np.repeat(np.arange(len(places) - 1), len(bits)),
        floor=overlaps.elsewhere[:, 1:].reshape(-1),
        cells=tuple(_cells(overlaps)),
        sums=sparse.csr_array(sparse.kron(inside, kinds)),
        threshold=np.tile(thresholds, len(places)),
        given=sparse.csr_array(sparse.kron(inside, bits.T)),
        low=low.reshape(-1),
        high=high.reshape(-1),
        above=_above(len(places), len(number), wide),
        free=free.reshape(-1),
        hidden=np.zeros(len(places) * wide, dtype=np.bool_),
        ladder=_ladder(len(places), len(number), wide),
    )


def within(places: Places) -> Ints:
    """(places, departments) 1 where a department is the place, or in it."""
    departments = np.arange(1, len(places))
    return np.vstack([np.ones(len(departments), dtype=np.int64), np.eye(len(departments), dtype=np.int64)])


def _cells(overlaps: Overlaps) -> list[Cell]:
    names = overlaps.programmes
    whats = [
        (DISTINCT, "total"),
        *((DISTINCT, str(j + 1)) for j in range(len(names))),
        *((f"{PAIRS}:{names[p]}", names[q]) for p, q in overlaps.pairs),
    ]
    return [
        Cell(table, overlaps.places.levels[int(level)], code, what)
        for code, level in zip(overlaps.places.codes, overlaps.places.level, strict=True)
        for table, what in whats
    ]


def _above(places: int, numbers: int, wide: int) -> tuple[tuple[int, ...], ...]:
    """The nation's own cell is above a department's, and the distinct persons above those by number."""
    return tuple(
        (*((kind,) if place else ()), *((place * wide,) if 1 <= kind <= numbers else ()))
        for place in range(places)
        for kind in range(wide)
    )


def _ladder(places: int, numbers: int, wide: int) -> tuple[tuple[tuple[int, ...], ...], ...]:
    """A pair goes at the departments, then everywhere; the numbers likewise; then all departments, then all."""
    out = []
    for place in range(places):
        for kind in range(wide):
            own = range(numbers + 1) if kind <= numbers else (kind,)
            steps = [
                tuple(p * wide + o for p in range(1, places) for o in own),
                tuple(p * wide + o for p in range(places) for o in own),
                tuple(range(wide, places * wide)),
                tuple(range(places * wide)),
            ]
            out.append(tuple(steps[0 if place else 1 :]))
    return tuple(out)


# --- published tables ------------------------------------------------------------------------------------------------


def by_number(overlaps: Overlaps, safe: SafeJoint) -> SafeCells:
    """Distinct persons, and those by how many programmes they are in."""
    numbers = len(overlaps.programmes)
    wide = 1 + numbers + len(overlaps.pairs)
    order = [*range(1, numbers + 1), 0]  # the total last
    at = np.arange(len(overlaps.places))[:, None] * wide + np.array(order)
    dimension = Dimension(NUMBER, tuple(str(j + 1) for j in range(numbers)))
    return _table(overlaps.places, dimension, safe, at, np.zeros(at.shape, dtype=np.bool_))


def by_pair(overlaps: Overlaps, safe: SafeJoint, programme: str) -> SafeCells:
    """Persons who are in one programme and in another that comes after it: each pair stands once, and no total."""
    numbers, own = len(overlaps.programmes), overlaps.programmes.index(programme)
    wide = 1 + numbers + len(overlaps.pairs)
    of = {pair: 1 + numbers + i for i, pair in enumerate(overlaps.pairs)}
    columns = [of.get((own, other), 0) for other in range(numbers)] + [0]
    at = np.arange(len(overlaps.places))[:, None] * wide + np.array(columns)
    absent = np.broadcast_to(np.array(columns) == 0, at.shape)
    return _table(overlaps.places, Dimension(OTHER, overlaps.programmes), safe, at, absent)


def _table(places: Places, dimension: Dimension, safe: SafeJoint, at: Ints, absent: Flags) -> SafeCells:
    """Cells of a joint system, (places, categories and total), as a published table."""
    marks = np.where(absent, Mark.ABSENT, safe.marks[at]).astype(np.uint8)
    values = np.where(marks == Mark.SHOWN, safe.values[at], -1)
    drops = sparse_drops(places, dimension, (marks == Mark.ABSENT) & ~absent)
    return SafeCells(places, (dimension,), values, marks, int(safe.threshold[at][~absent].min(initial=99)), drops)


# --- from what was counted -------------------------------------------------------------------------------------------


def overlaps_of(rows: Sequence[tuple[str, int, int, int]], places: Places, thresholds: Mapping[str, int]) -> Overlaps:
    """From rows of (department, set, persons, of them elsewhere); bits of sets go by the order of `thresholds`."""
    departments = {code: i for i, code in enumerate(places.codes[1:])}
    persons = np.zeros((len(departments), 1 << len(thresholds)), dtype=np.int64)
    elsewhere = np.zeros_like(persons)
    for department, programmes, n, away in rows:
        persons[departments[department], programmes] += n
        elsewhere[departments[department], programmes] += away
    return Overlaps(places, tuple(thresholds), tuple(thresholds.values()), persons, elsewhere)
