"""Walks: single persons are exchanged between a place and its siblings, one exchange after the other.

What one box of `moves` cannot give, several exchanges of different kinds often can. Persons have a *type*:
the inner cell they count in. At a place and one of its siblings, the latter always in reverse, so that everything above
both stays as it is:

- **trade**: two persons swap their categories on some dimensions U. Every cross within U and every cross without keeps
  its counts, so nothing shown changes where no cross with dimensions on both sides of U is shown or marked c.
- **change**: one person becomes another type. On a dimension on which the two differ, their nodes part right below the
  lowest one that counts both. Where a place shows neither of these two, it shows nothing that breaks them down either,
  no node below them and no cross, and none such is marked c (see `moves`); one that is itself marked c keeps as many
  persons as it is known to have.
- **transfer**: one person leaves, where the totals of both places are not shown.

**Whole values.** An exchange adds or takes at most one person to or from any cell, and every table on the way is
possible. So a cell can have every whole value between the least and the greatest that it meets on a walk. A walk may
begin at any possible table, not only at the true one.

Walks go greedily: the exchange of which most units fit comes first. Where a cell cannot rise because the place has too
few persons of one of its categories, and that category is not shown, the category is raised first.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from anonymize.protection.blocks import Change
from anonymize.protection.lattice import PLENTY, Flags, Ints, Lattice, members
from anonymize.protection.moves import dealt
from anonymize.tables import Mark

ROUNDS = 2  # of raising the cells above a cell and then the cell itself; a third brings next to nothing


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """Types as a matrix: rows by the categories on some dimensions, columns by those on the others."""

    axes: int  # the dimensions of the rows, as a bit mask
    row: Ints  # (types,)
    column: Ints
    at: Ints  # (rows, columns) type
    coupling: Ints  # flat cells of the crosses with dimensions on both sides


@dataclass(frozen=True)
class Types:
    """The types of persons of a lattice, and how they can be exchanged whatever is shown."""

    lattice: Lattice

    @cached_property
    def categories(self) -> Ints:
        """(types, dimensions)."""
        return self.lattice.coordinates[self.lattice.inner_cells]

    @cached_property
    def parting(self) -> Ints:
        """(dimensions, types, types) the flat cell that counts the first of two types and not the second, on one alone.

        Of a tree it is that of the highest such node; where the two do not differ, it is everybody's.
        """
        lattice = self.lattice
        flat = np.empty((len(lattice.widths), *self.differ.shape[:2]), dtype=np.int64)
        for axis, above in enumerate(lattice.above):
            of = above[self.categories[:, axis]]  # (types, depths)
            apart = (of[:, None] != of[None, :]) & (of[:, None] >= 0)
            first = np.where(apart.any(axis=2), apart.argmax(axis=2), 0)
            single = np.array([lattice.single(axis, node) for node in range(len(above))], dtype=np.int64)
            flat[axis] = single[np.take_along_axis(of, first, axis=1)]
        return flat

    @cached_property
    def differ(self) -> Flags:
        """(types, types, dimensions) whether two types differ on a dimension."""
        flags: Flags = self.categories[:, None, :] != self.categories[None, :, :]
        return flags

    @cached_property
    def splits(self) -> tuple[Split, ...]:
        """All splits of the dimensions into two sides."""
        return tuple(self._split(axes) for axes in range(1, 1 << max(len(self.lattice.sizes) - 1, 0)))

    def _split(self, axes: int) -> Split:
        rest = (1 << len(self.lattice.sizes)) - 1 - axes
        row, rows = _rank(self.categories[:, list(members(axes))])
        column, columns = _rank(self.categories[:, list(members(rest))])
        at = np.empty((rows, columns), dtype=np.int64)
        at[row, column] = np.arange(len(row))
        of = self.lattice.axes
        return Split(axes, row, column, at, np.flatnonzero(((of & axes) > 0) & ((of & rest) > 0)))


def _rank(categories: Ints) -> tuple[Ints, int]:
    distinct, rank = np.unique(categories, axis=0, return_inverse=True)
    return rank.reshape(-1).astype(np.int64), len(distinct)


@dataclass(frozen=True, slots=True, eq=False)
class Ground:
    """A place's children, and which exchanges each of them allows with the marks as they are."""

    types: Types
    places: Ints
    bare: bool  # no child shows anything but its total
    able: Flags  # (places,) nothing but totals is shown below, and anybody may come there; or nothing is below
    open: Flags  # (places, cells) not shown
    may_come: Flags  # (places, types) what nobody knows to be zero
    staying: tuple[Ints, Ints]  # (places, types) persons that stay, from the true table on and from another one
    floor: Ints  # (places, cells) the least that an outsider knows a cell to be where it is marked c, else no limit
    changes: Flags  # (places, types, types) a person of one type may become another
    trades: Flags  # (splits, places)
    transfers: Flags  # (places,)

    @classmethod
    def of(cls, types: Types, marks: NDArray[np.uint8], places: Ints) -> Ground:
        """What siblings allow. A place with others below it takes part if these show nothing but totals.

        Where an outsider knows of zeros further down, that is left to `crossing`.
        """
        lattice = types.lattice
        mark = marks[places]
        lowest = np.array([lattice.is_lowest(place) for place in places.tolist()])
        under = [slice(lattice.leaf_start[place], lattice.leaf_end[place]) for place in places.tolist()]
        may_come = np.array([lattice.open[leaves].all(axis=0) for leaves in under])
        level = int(lattice.level[places[0]])
        every = np.array([lattice.staying(level, all_of_them=True)[leaves].max(axis=0) for leaves in under])
        some = np.array([lattice.staying(level)[leaves].sum(axis=0) for leaves in under])
        some = np.where(lowest[:, None], some, every)  # which of those below go is left to the end of a walk
        able = only_totals(lattice, marks)[places] & (lowest | may_come.all(axis=1))
        free = mark != Mark.SHOWN
        changes = np.repeat(able, types.differ.shape[0] ** 2).reshape(len(places), *types.differ.shape[:2])
        for axis, parting in enumerate(types.parting):
            hidden = free[:, parting]
            changes &= ~types.differ[None, :, :, axis] | (hidden & hidden.transpose(0, 2, 1))
        changes &= may_come[:, None, :]
        trades = [able & (mark[:, split.coupling] >= Mark.BELOW).all(axis=1) for split in types.splits]
        return cls(
            types,
            places,
            not (marks[places, :-1] < Mark.BELOW).any(),
            able,
            free,
            may_come,
            (some, every),
            np.where(mark == Mark.WITHHELD, lattice.least[places], -PLENTY),
            changes,
            np.array(trades, dtype=np.bool_).reshape(len(trades), len(places)),
            free[:, -1] & lowest,
        )


def only_totals(lattice: Lattice, marks: NDArray[np.uint8]) -> Flags:
    """Places below which nothing but totals is shown."""
    broken_down: Flags = np.any(marks[:, :-1] < Mark.BELOW, axis=1)
    return lattice.none_below(broken_down)


@dataclass(slots=True, eq=False)
class Walk:
    """A walk of one place among its siblings: the counts as they are by now, and what its cells met."""

    ground: Ground
    here: int  # index of the place among its siblings
    counts: Ints  # (places, types)
    values: Ints  # (places, cells) all margins of the counts
    staying: Ints  # (places, types) persons that are not taken away
    low: Ints = field(init=False)  # (cells,) least and greatest value that each cell of the place met
    high: Ints = field(init=False)

    def __post_init__(self) -> None:
        self.low = self.values[self.here].copy()
        self.high = self.low.copy()

    @classmethod
    def begin(cls, ground: Ground, place: int, table: Change | None = None) -> Walk:
        """At the true table, or at another possible one."""
        lattice = ground.types.lattice
        values = lattice.values[ground.places]
        counts = values[:, lattice.inner_cells]
        if table is not None:
            owner = np.searchsorted(lattice.leaf_start[ground.places], table.leaves, side="right") - 1
            inside = (owner >= 0) & (table.leaves < lattice.leaf_end[ground.places[owner]])
            np.add.at(counts, owner[inside], table.counts[inside])
            np.add.at(values, owner[inside], table.counts[inside] @ lattice.membership.T)
        staying = ground.staying[table is not None]
        return cls(ground, int(np.searchsorted(ground.places, place)), counts, values, staying)

    def seek(self, cell: int, value: int) -> bool:
        """Walk until a cell of the place has a value; False if it was not reached."""
        if self._go(cell, value):
            return True
        if value < self._value(cell):
            return False
        for _ in range(ROUNDS):
            for wider in self._wider(cell):
                if self._value(wider) < value:
                    self._go(wider, value)
            if self._go(cell, value):
                return True
        return False

    def table(self) -> Change:
        """Where the walk stands, as a table of the lowest places: within a place, who becomes what is all the same."""
        lattice = self.ground.types.lattice
        leaves, counts = [], []
        true = lattice.values[np.ix_(self.ground.places, lattice.inner_cells)]
        for place, differ in zip(self.ground.places.tolist(), self.counts - true, strict=True):
            first, last = int(lattice.leaf_start[place]), int(lattice.leaf_end[place])
            if differ.any():
                leaves.append(np.arange(first, last))
                counts.append(spread(lattice.inner[first:last], differ))
        if not leaves:
            return Change(np.empty(0, dtype=np.int64), np.empty((0, true.shape[1]), dtype=np.int64))
        return Change(np.concatenate(leaves), np.concatenate(counts))

    @property
    def _movable(self) -> Ints:
        """(places, types) persons that may be taken away."""
        movable: Ints = np.maximum(self.counts - self.staying, 0)
        return movable

    def _value(self, cell: int) -> int:
        return int(self.values[self.here, cell])

    def _wider(self, cell: int) -> Iterator[int]:
        """The place's total and the single categories that count a cell's persons among others, where not shown."""
        lattice = self.ground.types.lattice
        here = lattice.coordinates[cell].tolist()
        nodes = [(t, node) for t, d in enumerate(lattice.cells.dimensions) for node in d.path(here[t])[:-1]]
        singles = [lattice.single(*node) for node in nodes]
        for wider in (lattice.values.shape[1] - 1, *singles):
            if wider != cell and self.ground.open[self.here, wider]:
                yield wider

    def _go(self, cell: int, value: int) -> bool:
        """Exchange persons while a cell comes nearer to a value; whether it got there."""
        membership = self.ground.types.lattice.membership[cell]
        left = value - self._value(cell)
        up = left > 0
        left = abs(left)
        inside, outside = np.flatnonzero(membership), np.flatnonzero(~membership)
        leaving, coming = (outside, inside) if up else (inside, outside)
        while left > 0:
            before = left
            left -= self._trade(cell, membership, up, left)
            if left:
                left -= self._change(leaving, coming, left)
            if left:
                left -= self._transfer(inside, up, left)
            if left == before:
                return False
        return True

    def _trade(self, cell: int, membership: Flags, up: bool, wanted: int) -> int:
        """Trades by which a cell gains, or loses, a person each."""
        whole = int(self.ground.types.lattice.axes[cell])
        done = 0
        for number, split in enumerate(self.ground.types.splits):
            if done == wanted or not whole & split.axes or not whole & ~split.axes:
                continue
            if not self.ground.trades[number, self.here]:
                continue
            mates = np.flatnonzero(self.ground.trades[number])
            mates = mates[mates != self.here]
            in_row, in_column = _has(split.row, membership), _has(split.column, membership)
            first = np.flatnonzero(in_column & (in_row != up))
            second = np.flatnonzero(~in_column & (in_row == up))
            while done < wanted and (now := self._trade_once(split, mates, first, second, wanted - done)):
                done += now
        return done

    def _trade_once(self, split: Split, mates: Ints, first: Ints, second: Ints, wanted: int) -> int:
        """The trade of which most units fit."""
        movable = self._movable
        own = movable[self.here]
        first, second = first[own[first] > 0], second[own[second] > 0]
        if not len(first) or not len(second) or not len(mates):
            return 0
        may_come = self.ground.may_come
        one = split.at[split.row[second][None, :], split.column[first][:, None]]
        two = split.at[split.row[first][:, None], split.column[second][None, :]]
        away = movable[mates]
        room = np.minimum(away[:, one], away[:, two])
        room *= may_come[mates][:, first][:, :, None] & may_come[mates][:, second][:, None, :]
        here = may_come[self.here]
        units = np.minimum(np.minimum(own[first][:, None], own[second][None, :]), room.sum(axis=0))
        units *= here[one] & here[two]
        p, q = divmod(int(units.argmax()), units.shape[1])
        leaving, coming = np.array([first[p], second[q]]), np.array([one[p, q], two[p, q]])
        return self._exchange(leaving, coming, mates, room[:, p, q], min(int(units[p, q]), wanted))

    def _change(self, leaving: Ints, coming: Ints, wanted: int) -> int:
        """Persons of one type become another, as many as fit of the pair of types of which most fit."""
        ground = self.ground
        old, new = np.nonzero(ground.changes[self.here][leaving[:, None], coming])
        old, new = leaving[old], coming[new]
        there = self._movable[self.here, old] > 0
        old, new = old[there], new[there]
        if not len(old):
            return 0
        mates = np.flatnonzero(np.arange(len(ground.places)) != self.here)
        back = np.where(ground.changes[mates][:, new, old], self._spare(mates, new, old), 0)
        units = np.minimum(self._spare(np.array([self.here]), old, new)[0], back.sum(axis=0))
        best = int(units.argmax())
        pair = old[best : best + 1], new[best : best + 1]
        return self._exchange(*pair, mates, back[:, best], min(int(units[best]), wanted))

    def _spare(self, places: Ints, old: Ints, new: Ints) -> Ints:
        """(places, pairs) how many persons of an old type can become a new one before a cell marked c is empty."""
        spare = self._movable[places[:, None], old]
        for axis, parting in enumerate(self.ground.types.parting):
            at = places[:, None], parting[old, new]
            room = self.values[at] - self.ground.floor[at]
            spare = np.minimum(spare, np.where(self.ground.types.differ[old, new, axis], room, PLENTY))
        return spare

    def _transfer(self, inside: Ints, up: bool, wanted: int) -> int:
        """Persons come from siblings, or go there, where the totals of both are not shown."""
        ground = self.ground
        if not ground.transfers[self.here]:
            return 0
        mates = np.flatnonzero(ground.transfers & (np.arange(len(ground.places)) != self.here))
        if not len(mates):
            return 0
        if up:
            room = np.minimum(self._movable[mates[:, None], inside], (self.values - ground.floor)[mates, -1:])
            room *= ground.may_come[self.here, inside]
            best = int(room.sum(axis=0).argmax())
            return self._exchange(
                inside[:0], inside[best : best + 1], mates, room[:, best], min(int(room[:, best].sum()), wanted)
            )
        takes = ground.may_come[mates[:, None], inside]
        spare = int((self.values - ground.floor)[self.here, -1])
        room = np.minimum(self._movable[self.here, inside], spare) * takes.any(axis=0)
        best = int(room.argmax())
        units = min(int(room[best]), wanted)
        taker = mates[takes[:, best].argmax()]
        return self._exchange(inside[best : best + 1], inside[:0], np.array([taker]), np.array([units]), units)

    def _exchange(self, leaving: Ints, coming: Ints, mates: Ints, room: Ints, units: int) -> int:
        """Lay an exchange so many times, the siblings in turn as far as each has room; the units laid."""
        if units <= 0:
            return 0
        share = dealt(units, room)
        membership = self.ground.types.lattice.membership
        self.counts[self.here, leaving] -= units
        self.counts[self.here, coming] += units
        self.counts[mates[:, None], leaving] += share[:, None]
        self.counts[mates[:, None], coming] -= share[:, None]
        change = membership[:, coming].sum(axis=1) - membership[:, leaving].sum(axis=1)
        self.values[self.here] += units * change
        self.values[mates] -= share[:, None] * change[None, :]
        np.minimum(self.low, self.values[self.here], out=self.low)
        np.maximum(self.high, self.values[self.here], out=self.high)
        return units


def _has(index: Ints, types: Flags) -> Flags:
    """For every type, whether its row (or column) is one of those of some types."""
    flags = np.zeros(int(index.max()) + 1, dtype=np.bool_)
    flags[index[types]] = True
    has: Flags = flags[index]
    return has


def spread(counts: Ints, differ: Ints) -> Ints:
    """Changes (lowest places, types) that sum to a place's; each lowest place keeps its total where the place does.

    Who comes without anybody's leaving comes to the largest of them.
    """
    if len(counts) == 1:
        return differ[None, :]
    change = np.zeros_like(counts)
    coming = np.repeat(np.flatnonzero(differ > 0), differ[differ > 0])
    for kind in np.flatnonzero(differ < 0).tolist():
        share = dealt(int(-differ[kind]), counts[:, kind])
        change[:, kind] -= share
        seats = np.repeat(np.arange(len(counts)), share)
        filled = min(len(seats), len(coming))
        np.add.at(change, (seats[:filled], coming[:filled]), 1)
        coming = coming[filled:]
    change[counts.sum(axis=1).argmax()] += np.bincount(coming, minlength=counts.shape[1])
    return change
