"""Check the certificate of linked tables: by whole numbers alone, from what is published, trusting nobody who made it.

Everything needed is in this file, which is meant to be read in one sitting beside `anonymize.verify`.

**What is published.** Of the nation and of each department, some *cells*: how many persons are in 1, 2, 3 …
programmes, how many in two given ones (`overlaps`); or how many arrive at a programme, leave it, change department
(`flows`). A cell is shown (a number), or withheld (mark c: it counts somebody), or not told (mark d), or has no row.
They are no breakdown of one another. But all of them count the same persons, each of some *kind*: somebody at a
department who is in these programmes and no others; somebody whom a programme has there and had there before. So every
cell is a sum of counts of persons by department and kind, and so is what the programmes' own tables say of their users.

**What the certificate claims.** Every withheld cell that is not on its list can be 1, 2, … up to its threshold, each in
a table of whole counts of persons by department and kind that agrees with all that is published; and those on the list
count the threshold or more in all these tables, so that knowing the list helps nobody. A value that the programmes'
users alone rule out (a pair has no more persons than either of its programmes) is not asked for.

**How it is checked.** No shown number is 1, 2, … up to one less than the threshold, and none stands at a department
where the nation's own is not shown. A *possible* table has no count below zero, equals every shown number, counts at
least 1 in every withheld cell and at least the threshold in every cell on the list, and has the users that the
programmes' own tables show. The base is possible; each other table is the base with a few persons more or fewer here
and there, and is possible; together they give every withheld cell that is not on the list each value asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from anonymize.verify import BELOW, SHOWN, WITHHELD, Verdict

Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]
Change = tuple[Ints, Ints]  # (entries, 2) department and kind, (entries,) persons more

# the breakdowns of linked tables, and what the last one's categories are
NUMBER, OTHER, MOVEMENT = "programas", "otro_programa", "movimiento"
ARRIVED, DEPARTED, MOVED = "altas", "bajas", "traslados"

ANY = 1 << 50  # no count is larger, and sums of so many stay exact


@dataclass(frozen=True, slots=True, eq=False)
class Told:
    """Cells as they are published: (places, cells), the nation first."""

    state: Ints
    count: Ints  # of those that are shown

    def between(self, least: Ints) -> tuple[Ints, Ints]:
        """The least and the most that each can be; `least` (places, cells) is known of those that are withheld."""
        shown = self.state == SHOWN
        low = np.where(shown, self.count, np.where(self.state == WITHHELD, least, 0))
        return low, np.where(shown, self.count, ANY)


@dataclass(frozen=True, slots=True, eq=False)
class Linked:
    """What is published of linked tables: rows, each a sum of persons by department and kind.

    The first rows are the cells; what follows them is what else holds of the same persons.
    """

    places: tuple[str, ...]  # the nation, then the departments
    rows: tuple[str, ...]
    kinds: tuple[str, ...]
    cells: Told
    threshold: Ints  # (cells,)
    nation: Ints  # (rows, kinds) how often a row of the nation counts a person of each kind
    here: Ints  # (rows, kinds) how often a row of a department counts a person of that department
    anywhere: Ints  # (rows, kinds) how often it counts a person of whatever department
    low: Ints  # (places, rows that are no cells) the least that the others can be …
    high: Ints  # … and the most
    least: Ints  # (places, cells) what the programmes' users alone leave possible, from …
    most: Ints  # … to

    def sums(self, counts: Ints) -> Ints:
        """(places, rows) every row, of counts of persons (departments, kinds)."""
        everybody = counts.sum(axis=0)
        departments = counts @ self.here.T + self.anywhere @ everybody
        return np.vstack([self.nation @ everybody, departments])

    def bounds(self, large: Flags) -> tuple[Ints, Ints]:
        """(places, rows) between what each row is in every possible table, `large` being the cells on the list."""
        low, high = self.cells.between(np.where(large, self.threshold, 1))
        return np.hstack([low, self.low]), np.hstack([high, self.high])

    def asked(self, large: Flags) -> Ints:
        """(places, cells) bit v where a cell must be shown to be possible as v."""
        low, high = np.maximum(self.least, 1), np.minimum(self.most, self.threshold)
        bits = (np.int64(2) << np.maximum(high, 0)) - (np.int64(1) << np.minimum(low, 62))
        return np.where((self.cells.state == WITHHELD) & ~large & (low <= high), bits, 0)

    def name(self, place: int, row: int) -> str:
        """A row of a place, in words."""
        return f"{self.rows[row]} × {self.places[place]}"


@dataclass(frozen=True, slots=True, eq=False)
class JointCertificate:
    """What anybody can check with whole numbers alone."""

    linked: Linked  # what it was made of
    base: Ints  # (departments, kinds)
    tables: tuple[Change, ...]
    large: tuple[tuple[int, int], ...]  # cells known to count their threshold or more, by place and row


def verify(linked: Linked, base: Ints, tables: Sequence[Change], large: Sequence[tuple[int, int]]) -> Verdict:
    """Check a certificate.

    Args:
        linked: what is published.
        base: (departments, kinds) persons.
        tables: what each other table has more than the base.
        large: the list, each cell by the numbers of its place and row.
    """
    state = linked.cells.state
    listed = np.zeros(state.shape, dtype=np.bool_)
    for one in large:
        listed[one] = True
    problems = [*_small(linked), *_below(linked)]
    problems += [
        f"{linked.name(*at)} is on the list and is not withheld" for at in _where(listed & (state != WITHHELD))
    ]
    low, high = linked.bounds(listed)
    own = linked.sums(base)
    problems += [
        f"the base is not possible: {linked.name(*at)} would be {own[at]}" for at in _where((own < low) | (own > high))
    ]
    if (base < 0).any():
        problems.append("the base is not possible: a count is below zero")
    met = _bits(own, linked)
    for number, (at, by) in enumerate(tables):
        more = np.zeros_like(base)
        np.add.at(more, (at[:, 0], at[:, 1]), by)
        values = own + linked.sums(more)
        wrong = next(_where((values < low) | (values > high)), None)
        if wrong is not None:
            problems.append(f"table {number} is not possible: {linked.name(*wrong)} would be {values[wrong]}")
        elif (base + more < 0).any():
            problems.append(f"table {number} is not possible: a count is below zero")
        else:
            met |= _bits(values, linked)
    asked = linked.asked(listed)
    proven = (state == WITHHELD) & ~listed & (asked & ~met == 0)
    for cell in _where((state == WITHHELD) & ~listed & ~proven):
        possible = [v for v in range(1, int(linked.threshold[cell[1]]) + 1) if met[cell] >> v & 1]
        problems.append(f"{linked.name(*cell)} is withheld, and is shown to be possible only as {possible}")
    return Verdict.of(state, proven, listed, len(tables), problems)


def _where(flags: Flags) -> Iterator[tuple[int, int]]:
    return ((int(place), int(row)) for place, row in np.argwhere(flags))


def _bits(values: Ints, linked: Linked) -> Ints:
    """(places, cells) bit v for a value v from 1 to the threshold, no bit for any other."""
    own = values[:, : len(linked.threshold)]
    inside = (own >= 1) & (own <= linked.threshold)
    return np.where(inside, np.int64(1) << np.where(inside, own, 0), 0)


def _small(linked: Linked) -> list[str]:
    """Cells that are shown although they are at risk."""
    count = linked.cells.count
    small = (linked.cells.state == SHOWN) & (count > 0) & (count < linked.threshold)
    return [f"{linked.name(*at)} is shown and below the threshold" for at in _where(small)]


def _below(linked: Linked) -> list[str]:
    """Cells that are shown at a department although the nation's are not."""
    state = linked.cells.state
    below = (state == SHOWN) & np.isin(state[0], (WITHHELD, BELOW))
    return [f"{linked.name(*at)} is shown, and the nation's is not" for at in _where(below)]


# --- overlaps --------------------------------------------------------------------------------------------------------


def overlaps(
    places: Sequence[str],
    programmes: Sequence[str],
    thresholds: Sequence[int],
    cells: Told,
    users: Told,
    known: Ints,
) -> Linked:
    """Distinct persons, those in 1, 2, 3 … programmes, and those in each pair of programmes.

    Everybody counts once, at the department of the first of their programmes, in the order given. So somebody is there
    a user of that programme; of their others they may be users elsewhere. The kinds are sets of programmes (kind i is
    the set whose bits are those of i + 1), and after them the users that each programme's own table has there.

    Args:
        places: the nation, then the departments.
        programmes: in the order that says where a person counts.
        thresholds: of each programme.
        cells: (places, 1 + programmes + pairs).
        users: (places, programmes) as the programmes' own tables have them.
        known: (places, programmes) the least that is known of users that are withheld.
    """
    many, pairs = len(programmes), list(combinations(range(len(programmes)), 2))
    bits = np.arange(1, 1 << many)[:, None] >> np.arange(many) & 1  # (sets, programmes)
    size, own = bits.sum(axis=1), np.eye(many, dtype=np.int64)
    of_sets = [
        np.ones(len(bits), dtype=np.int64),
        *(size == number for number in range(1, many + 1)),
        *(bits[:, p] * bits[:, q] for p, q in pairs),
    ]
    of_nobody = np.zeros((len(of_sets), many), dtype=np.int64)
    counted = np.hstack([np.array(of_sets, dtype=np.int64), of_nobody])
    has_users = np.hstack([np.zeros_like(bits.T), own])
    first = bits * (np.cumsum(bits, axis=1) == 1)
    # of the nation as many users as in the programme's own table; in a department no fewer than count there for it
    same, at_least = np.hstack([bits.T, -own]), np.hstack([-first.T, own])
    low, high = users.between(known)
    none = np.zeros((1, many), dtype=np.int64)
    beyond = np.vstack([none, np.full((len(places) - 1, many), ANY)])
    least, most = _of_users(low, high, pairs)
    return Linked(
        places=tuple(places),
        rows=(
            "distinct persons",
            *(f"in {number} programmes" for number in range(1, many + 1)),
            *(f"{programmes[p]} and {programmes[q]}" for p, q in pairs),
            *(f"users of {p}" for p in programmes),
            *(f"users of {p} in linked and own tables" for p in programmes),
        ),
        kinds=(
            *("+".join(p for p, within in zip(programmes, one, strict=True) if within) for one in bits.tolist()),
            *(f"users of {p}" for p in programmes),
        ),
        cells=cells,
        threshold=np.array(
            [max(thresholds)] * (1 + many) + [max(thresholds[p], thresholds[q]) for p, q in pairs], dtype=np.int64
        ),
        nation=np.vstack([counted, has_users, same]),
        here=np.vstack([counted, has_users, at_least]),
        anywhere=np.zeros((len(of_sets) + 2 * many, len(bits) + many), dtype=np.int64),
        low=np.hstack([low, np.zeros_like(beyond)]),
        high=np.hstack([high, beyond]),
        least=least,
        most=most,
    )


def _of_users(low: Ints, high: Ints, pairs: Sequence[tuple[int, int]]) -> tuple[Ints, Ints]:
    """(places, cells) what users, (places, programmes) between these counts, leave possible of each cell.

    Nobody counts at a department who is not a user there of the first of their programmes.
    """
    many = low.shape[1]
    first = np.minimum(np.cumsum(high, axis=1), ANY)  # users of a programme or of any before it
    most = np.empty((len(high), 1 + many + len(pairs)), dtype=np.int64)
    most[:, 0] = first[:, -1]
    for number in range(1, many + 1):  # so many are the first and others after it
        most[:, number] = np.minimum(first[:, many - number], _in_so_many(high[0], number))
    for cell, (p, q) in enumerate(pairs, start=1 + many):
        most[:, cell] = np.minimum(first[:, p], np.minimum(high[0, p], high[0, q]))
    least = np.zeros_like(most)
    least[:, 0] = low[:, 0]  # who is in the first programme counts where it has them
    least[0, 0] = low[0].max()
    return least, most


def _in_so_many(users: Ints, number: int) -> int:
    """How many persons can be in so many programmes: as many at most as `users` of each allow."""
    enough, too_many = 0, int(users.sum()) // number + 1
    while enough + 1 < too_many:
        tried = (enough + too_many) // 2
        fits = int(np.minimum(users, tried).sum()) >= number * tried
        enough, too_many = (tried, too_many) if fits else (enough, tried)
    return enough


# --- flows -----------------------------------------------------------------------------------------------------------


def flows(places: Sequence[str], threshold: int, cells: Told, users: Told, known: Ints) -> Linked:
    """Arrivals at a programme, departures, and those who changed department, since the period before.

    The kinds are what becomes of somebody at a department: stays, is new, comes from another one, ends, goes to another
    one. For the nation nobody arrives who comes from elsewhere in it.

    Args:
        places: the nation, then the departments.
        threshold: of the programme.
        cells: (places, 3) arrivals, departures, changes of department.
        users: (places, 1) as the programme's own table has them now.
        known: (places, 1) the least that is known of users that are withheld.
    """
    stays, new, comes, ends, goes = np.eye(5, dtype=np.int64)
    low, high = users.between(known)
    none = np.zeros((1, 1), dtype=np.int64)
    beyond = np.vstack([none, np.full((len(places) - 1, 1), ANY)])
    return Linked(
        places=tuple(places),
        rows=("arrivals", "departures", "changes of department", "users", "those who go elsewhere and come"),
        kinds=("stays", "new", "comes", "ends", "goes"),
        cells=cells,
        threshold=np.full(3, threshold, dtype=np.int64),
        nation=np.vstack([new, ends, comes, stays + new + comes, comes - goes]),
        # whoever goes from a department comes to another one: all who come, less those who come there, are enough
        here=np.vstack([new + comes, ends + goes, comes, stays + new + comes, -comes - goes]),
        anywhere=np.vstack([np.zeros((4, 5), dtype=np.int64), comes]),
        low=np.hstack([low, np.zeros_like(beyond)]),
        high=np.hstack([high, beyond]),
        least=np.zeros((len(places), 3), dtype=np.int64),
        most=np.hstack([high, np.full((len(places), 1), ANY), high]),
    )
