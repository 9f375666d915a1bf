"""What is proven of which cell: every value it must be able to have, by exchanges or whole tables.

While nothing more becomes known, proofs only add up: a table that agrees with the marks agrees with any marks that hide
more. So a table found for one cell is noted for all cells whose values it shows to be possible, and kept for the next
attempt at a smaller design.

When more becomes known (`Proofs.learn`), a proof can fail only where it changes something below a place at which that
is known. What exchanges among the places under one place find leaves all of its own cells as they are, and everything
outside of it, so that a table may be cut down to what is under it: of each cell the level of that place is kept, and
what lies elsewhere stays proven.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from anonymize.policy import Policy
from anonymize.protection.blocks import MOST_LEAVES, NEAR, Change, Prover, agrees, block, holders
from anonymize.protection.crossing import Crossing, Region
from anonymize.protection.design import Design, dominance
from anonymize.protection.lattice import Flags, Ints, Lattice
from anonymize.protection.moves import Move, Swaps
from anonymize.protection.screen import screen
from anonymize.protection.siblings import bare, reach
from anonymize.protection.walk import Ground, Types, Walk
from anonymize.tables import Mark

FAR = (NEAR, 8)  # lowest places that a block takes from each place further off; more only if these do not do
MOST_HOLDERS = 12  # lowest places of a cell's persons that a block is laid around
MOST_PROVERS = 100  # programs of blocks that are kept at a time, of a megabyte or more
MOST_STARTS = 3  # tables that a walk may begin at, besides the true one
MOST_VALUES = 60  # what is open of a cell is one bit per value; above any threshold


@dataclass(frozen=True, slots=True, eq=False)
class Start:
    """A possible table, for walks to begin at."""

    table: Change
    within: int  # see `Proofs.within`


Margins = tuple[Ints, Ints]  # of a table, see `Change.margins`
Saved = tuple[Flags, Ints, Ints, dict[int, list[tuple[Ints, Start]]]]  # what was proven at some moment


def at_risk(values: Ints, threshold: int) -> Flags:
    """Cells that count somebody, and fewer than the threshold."""
    flags: Flags = (values > 0) & (values < threshold)
    return flags


@dataclass(frozen=True, slots=True, eq=False)
class Needs:
    """How far every cell must be able to go, up and down: (places, cells) units, 0 where nothing is needed.

    A cell that must go up must be able to have every whole value on the way; one that must only go down, the lowest.
    """

    up: Ints
    down: Ints

    @classmethod
    def of_risk(cls, lattice: Lattice, threshold: int) -> Needs:
        """Cells at risk must reach 1 and the threshold."""
        risk = at_risk(lattice.values, threshold)
        return cls(np.where(risk, threshold - lattice.values, 0), np.where(risk, lattice.values - 1, 0))

    @classmethod
    def of_shares(cls, lattice: Lattice, plan: Design, design: Design, policy: Policy) -> Needs:
        """A dominating category that is not shown must reach a lesser share.

        Else a breakdown that was dropped, or that the floor hides, could be had from the place above and its other
        places. `plan` is the design before both.
        """
        up, down = np.zeros_like(lattice.values), np.zeros_like(lattice.values)
        for axis, depth in lattice.steps:
            step = lattice.step(axis, depth)
            for place in np.flatnonzero(plan.shows[:, step] & ~design.shows[:, step]).tolist():
                found = dominance(lattice, policy, place, axis, depth)
                if found:
                    cell, excess = found
                    down[place, cell] = max(down[place, cell], excess)
        return cls(up, down)


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """What was proven in one branch of the places."""

    proven: Flags
    open_values: Ints
    within: Ints
    tables: list[Change]


@dataclass(slots=True, eq=False)
class Proofs:
    """The proofs of one attempt. `tables` are those found so far, in earlier attempts too."""

    lattice: Lattice
    needs: Needs
    types: Types
    swaps: Swaps
    tables: list[Change]
    needed: Flags = field(init=False)
    proven: Flags = field(init=False)
    open_values: Ints = field(init=False)  # (places, cells) bit n: that the cell may be n is still to be proven
    within: Ints = field(init=False)  # (places, cells) level of the place above a cell under which all lies that its
    # proof changes, -1 where it changes even the root; deeper than all places where nothing is proven yet
    provers: dict[tuple[int, int, int, tuple[int, ...]], Prover] = field(
        default_factory=dict
    )  # by block; of the marks as they are
    grounds: dict[int, Ground] = field(default_factory=dict)  # by parent; of the marks as they are
    regions: dict[int, Region] = field(default_factory=dict)
    lifted: set[tuple[int, int]] = field(default_factory=set)  # cells for which a walk was kept, or tried in vain
    tried: set[tuple[int, int]] = field(default_factory=set)  # tables in `raised`, by place and number, that were
    filled: set[int] = field(default_factory=set)  # lowest places that were let grow, or tried in vain
    raised: dict[int, list[tuple[Ints, Start]]] = field(default_factory=dict)  # by place: its cells in a possible table
    looked: bool = False  # whether the tables of earlier attempts were noted

    def __post_init__(self) -> None:
        self.needed = (self.needs.up > 0) | (self.needs.down > 0)
        self.proven = np.zeros(self.needed.shape, dtype=np.bool_)
        self.open_values = self._all_open()
        self.within = np.full(self.needed.shape, self._levels)

    @classmethod
    def of(cls, lattice: Lattice, needs: Needs, tables: list[Change]) -> Proofs:
        """Nothing proven yet."""
        return cls(lattice, needs, Types(lattice), Swaps(lattice), tables)

    def saved(self) -> Saved:
        """What is proven so far, to come back to."""
        raised = {place: list(tables) for place, tables in self.raised.items()}
        return self.proven.copy(), self.open_values.copy(), self.within.copy(), raised

    def come_back(self, saved: Saved) -> None:
        """Take back what was proven since."""
        self.proven, self.open_values, self.within, self.raised = saved
        self.forget()

    def look_around(self, marks: NDArray[np.uint8]) -> None:
        """Prove what can be proven for all cells at once: by tables of earlier attempts, and by exchanges."""
        if not self.looked:
            self._note_again(marks)
        left = self.unproven(marks)
        cleared, within = screen(
            self.lattice, marks, np.where(left, self.needs.up, 0), np.where(left, self.needs.down, 0)
        )
        self.proven |= cleared
        np.minimum(self.within, within, out=self.within, where=cleared)
        for place in np.flatnonzero(bare(self.lattice, marks)).tolist():
            self._note_reach(place, self._counts(place, None))

    def learn(self, large: Flags, marks: NDArray[np.uint8]) -> None:
        """Let everybody know of more cells that they are large: what hangs on these is to be proven anew."""
        new: Flags = np.any(large & ~self.lattice.large, axis=1)
        above: Flags = ~self.lattice.none_below(new)
        lost = self._touched(above)
        self.lattice = replace(self.lattice, large=large)
        self.types, self.swaps = Types(self.lattice), Swaps(self.lattice)
        self.proven &= ~lost
        self.open_values = np.where(lost, self._all_open(), self.open_values)
        self.within[lost] = self._levels
        self.raised.clear()
        self.forget()
        self._note_again(marks)

    def _touched(self, above: Flags) -> Flags:
        """(places, cells) whether what a cell's proof changes lies below one of some places (places,), or at the root.

        Asked is the place that all of it lies under: whether it is one of those.
        """
        lattice = self.lattice
        touched = np.zeros((len(above), self._levels + 2), dtype=np.bool_)  # by level; none; the root itself, at -1
        touched[:, -1] = True
        here = np.arange(len(above))
        for level in range(self._levels - 1, -1, -1):
            deeper = lattice.level[here] > level
            here[deeper] = lattice.parent[here[deeper]]
            there = lattice.level[here] == level
            touched[there, level] = above[here[there]]
        return np.take_along_axis(touched, self.within, axis=1)

    @property
    def _levels(self) -> int:
        return int(self.lattice.level.max()) + 1

    def _all_open(self) -> Ints:
        """What is open of each cell while nothing is proven, see `open_values`."""
        up, down = self.needs.up, self.needs.down
        value = np.minimum(self.lattice.values, MOST_VALUES)
        reach = (np.int64(2) << np.minimum(value + up, MOST_VALUES)) - (np.int64(1) << np.maximum(value - down, 0))
        open_values: Ints = np.where(up > 0, reach & ~(np.int64(1) << value), 0)
        return open_values

    def unproven(self, marks: NDArray[np.uint8]) -> Flags:
        """Cells that nobody sees, and that have a need without a proof."""
        flags: Flags = self.needed & ~self.proven & (marks >= Mark.BELOW)
        return flags

    def prove_all(self, marks: NDArray[np.uint8], places: Flags) -> None:
        """Prove what can be proven of the cells at some places that nobody sees, with the marks as they are."""
        for place, cell in np.argwhere(self.unproven(marks) & places[:, None]).tolist():
            self.prove(place, cell, marks)

    def of_branch(self, top: int, marks: NDArray[np.uint8]) -> Found:
        """What can be proven of cells under a place that nobody sees; nothing of it is kept here."""
        lattice, before, many = self.lattice, self.saved(), len(self.tables)
        inside = np.zeros(len(lattice.level), dtype=np.bool_)
        inside[top + 1 : lattice.end[top]] = True
        for level in np.unique(lattice.level[inside]).tolist():
            self.prove_all(marks, inside & (lattice.level == level))
        found = Found(self.proven, self.open_values, self.within, self.tables[many:])
        self.come_back(before)
        del self.tables[many:]
        return found

    def take(self, found: Found) -> None:
        """Add what was proven in a branch."""
        self.proven |= found.proven
        self.open_values &= found.open_values
        np.minimum(self.within, found.within, out=self.within)
        self.tables += found.tables
        for table in found.tables:
            self._keep(table, table.margins(self.lattice))

    def prove(self, place: int, cell: int, marks: NDArray[np.uint8], near: bool = False) -> bool:
        """Whether a cell is proven with the marks as they are: already, by walks, or by tables of wider blocks.

        `near` looks at the narrowest block only.
        """
        if self.proven[place, cell] or self._walk(place, cell, marks):
            return True
        for block_of in list(self.around(place, cell))[: 1 if near else None]:
            prover = self._prover(block_of, marks)
            while not self.proven[place, cell]:
                table = prover.table(place, cell, self._missing(place, cell))
                if table is None:
                    break
                self.tables.append(table)
                self._walk_back(place, cell, marks, self._note(table, table.margins(self.lattice)))
        return bool(self.proven[place, cell])

    def prove_by(self, move: Move) -> None:
        """Note what a move proves that changes nothing shown, and is enough for its cell."""
        self.proven[move.place, move.cell] = True
        self.within[move.place, move.cell] = self.lattice.level[move.pivot] - 1

    def _walk_back(self, place: int, cell: int, marks: NDArray[np.uint8], start: Start) -> None:
        """Meet the values between a table's and the true one, by a walk from there: sooner than a table for each."""
        if place and not self.proven[place, cell]:
            walk = self._begin(place, marks, start)
            walk.seek(cell, int(self.lattice.values[place, cell]))
            self._note_walk(place, walk, start)

    def around(self, place: int, cell: int) -> Iterator[tuple[int, int, int, tuple[int, ...]]]:
        """Blocks for a cell, as centre, top, how far, and lowest places further off; the narrowest first.

        Where zeros are known, persons come into a cell only where some are: a cell of few lies around them.
        """
        lattice = self.lattice
        also: tuple[int, ...] = ()
        here = place
        if not lattice.is_lowest(place) and not lattice.open.all():
            few = holders(lattice, place, cell)
            if len(few) <= MOST_HOLDERS:
                here, also = int(lattice.lowest[few[0]]), tuple(few[1:].tolist())
        path = lattice.path(here)
        centre = path[1] if lattice.is_lowest(here) and len(path) > 1 else here
        inside = range(int(lattice.leaf_start[centre]), int(lattice.leaf_end[centre]))
        if len(inside) <= MOST_LEAVES:  # a block takes these anyway
            also = tuple(leaf for leaf in also if leaf not in inside)
        tops = path[path.index(place) + 1 :] or path[-1:]  # within a place alone none of its cells changes
        for top in tops:
            yield centre, top, FAR[0], also
        for far in FAR[1:]:
            yield centre, tops[-1], far, also

    def _walk(self, place: int, cell: int, marks: NDArray[np.uint8]) -> bool:
        """Walks from the true table, and from those in which the place above counts more in the cell."""
        if place == 0:
            return False
        above = int(self.lattice.parent[place])
        if self.lattice.is_lowest(place) and self._ground(place, marks).bare:
            self._at_once(place, cell, marks)
        if self.proven[place, cell]:
            return True
        value = int(self.lattice.values[place, cell])
        goals = (value + int(self.needs.up[place, cell]), value - int(self.needs.down[place, cell]))
        self._walk_from(place, cell, goals, marks, None)
        if not self.proven[place, cell]:
            self._lift(above, cell, goals[0], marks)
        for start in self._starts(place, cell):
            if self.proven[place, cell]:
                break
            self._walk_from(place, cell, goals, marks, start)
        return bool(self.proven[place, cell])

    def _at_once(self, place: int, cell: int, marks: NDArray[np.uint8]) -> None:
        """For a lowest place that shows no more than its total, as its siblings do: what exchanges among them allow."""
        self._fill(place, marks)
        if not self.proven[place, cell]:
            above = int(self.lattice.parent[place])
            self._lift(above, cell, int(self.lattice.values[place, cell] + self.needs.up[place, cell]), marks)
            self._spread(above, cell)

    def _fill(self, place: int, marks: NDArray[np.uint8]) -> None:
        """Where a lowest place's total is withheld as too small: let it grow, and its cells by exchanges from there.

        A cell meets every whole value on the way from the true table to the fuller one, and on from there.
        """
        if place in self.filled or not self.needs.up[place, -1]:
            return
        self.filled.add(place)
        walk = Walk.begin(self._ground(place, marks), place)
        walk.seek(self.lattice.values.shape[1] - 1, int(self.lattice.values[place, -1] + self.needs.up[place, -1]))
        self._note_walk(place, walk)
        self._note_reach(int(self.lattice.parent[place]), walk.counts)  # it left them where they are

    def _spread(self, place: int, cell: int) -> None:
        """Note what possible tables in which a place counts more in a cell allow its children, by exchanges."""
        for number in self._fuller(place, cell):
            if (place, number) not in self.tried:
                self.tried.add((place, number))
                start = self.raised[place][number][1]
                self._note_reach(place, self._counts(place, start), start)

    def _counts(self, place: int, start: Start | None) -> Ints:
        """Counts (lowest places under a place, types), true or of another possible table."""
        first, last = int(self.lattice.leaf_start[place]), int(self.lattice.leaf_end[place])
        counts = self.lattice.inner[first:last].copy()
        if start is not None:
            inside = (start.table.leaves >= first) & (start.table.leaves < last)
            counts[start.table.leaves[inside] - first] += start.table.counts[inside]
        return counts

    def _note_reach(self, place: int, counts: Ints, start: Start | None = None) -> None:
        """Note what cells of a place's children can be by exchanges from possible counts of theirs.

        From the true ones on, or from those of another table.
        """
        lattice = self.lattice
        children = lattice.children[place]
        wanted = (self.needed[children] & ~self.proven[children]).any(axis=0)
        parts = np.flatnonzero(wanted & ~lattice.membership.all(axis=1))
        if not len(parts):
            return
        here = slice(int(lattice.leaf_start[place]), int(lattice.leaf_end[place]))
        staying = lattice.staying(self._levels - 1, all_of_them=start is not None)[here]
        low, high = lattice.values[children].copy(), lattice.values[children].copy()
        low[:, parts], high[:, parts] = reach(counts, staying, lattice.open[here], lattice.membership[parts])
        self._met(children, _whole(low, high), low, _within(int(lattice.level[place]), start))

    def _walk_from(
        self, place: int, cell: int, goals: tuple[int, ...], marks: NDArray[np.uint8], start: Start | None
    ) -> None:
        for goal in goals:
            if goal != self.lattice.values[place, cell] and not self.proven[place, cell]:
                walk = self._begin(place, marks, start)
                walk.seek(cell, goal)
                self._note_walk(place, walk, start)

    def _begin(self, place: int, marks: NDArray[np.uint8], start: Start | None) -> Walk | Crossing:
        table = start.table if start else None
        ground = self._ground(place, marks)
        if ground.able[np.searchsorted(ground.places, place)]:
            return Walk.begin(ground, place, table)
        return Crossing.begin(self._region(place, marks), place, table)

    def _lift(self, place: int, cell: int, value: int, marks: NDArray[np.uint8]) -> None:
        """Keep a possible table in which a place counts at least a value in a cell, if a walk finds one."""
        if place <= 0 or self.lattice.values[place, cell] >= value or (place, cell) in self.lifted:
            return
        self.lifted.add((place, cell))
        walk = self._begin(place, marks, None)
        walk.seek(cell, value)
        self._note_walk(place, walk)
        table = walk.table()
        self._keep(table, table.margins(self.lattice))

    def _note_walk(self, place: int, walk: Walk | Crossing, start: Start | None = None) -> None:
        """Note what a walk proves of the cells of its place: every whole value that each of them met.

        From the true table on, or from another one.
        """
        within = _within(int(self.lattice.level[place]) - 1, start)
        self._met(np.array([place]), _whole(walk.low, walk.high)[None], walk.low[None], within)

    def _starts(self, place: int, cell: int) -> list[Start]:
        """Possible tables in which the place above counts more in a cell, the most first."""
        above = int(self.lattice.parent[place])
        return [self.raised[above][number][1] for number in self._fuller(above, cell)]

    def _fuller(self, place: int, cell: int) -> list[int]:
        """Numbers of the tables kept for a place in which it counts more in a cell, the most first."""
        true = int(self.lattice.values[place, cell])
        kept = enumerate(self.raised.get(place, []))
        more = [(int(values[cell]), number) for number, (values, _) in kept if values[cell] > true]
        return [number for _, number in sorted(more, reverse=True)[:MOST_STARTS]]

    def _region(self, place: int, marks: NDArray[np.uint8]) -> Region:
        above = int(self.lattice.parent[place])
        if above not in self.regions:
            self.regions[above] = Region.of(self.swaps, marks, self.lattice.group(place))
        return self.regions[above]

    def _ground(self, place: int, marks: NDArray[np.uint8]) -> Ground:
        above = int(self.lattice.parent[place])
        if above not in self.grounds:
            self.grounds[above] = Ground.of(self.types, marks, self.lattice.group(place))
        return self.grounds[above]

    def forget(self, place: int | None = None) -> None:
        """Marks have changed at a place and below, or anywhere: what was made of them is made anew."""
        self.provers.clear()
        self.filled.clear()
        if place is None:
            self.grounds.clear()
            self.regions.clear()
            self.lifted.clear()
            self.tried.clear()
            return
        last = int(self.lattice.end[place])
        above = {int(self.lattice.parent[one]) for one in self.lattice.path(place)}
        self.lifted.clear()
        for made in (self.grounds, self.regions):
            for parent in [g for g in made if g in above or place <= g < last]:
                del made[parent]

    def _prover(self, of: tuple[int, int, int, tuple[int, ...]], marks: NDArray[np.uint8]) -> Prover:
        if of not in self.provers:
            if len(self.provers) == MOST_PROVERS:
                self.provers.clear()  # cells of one place come one after the other
            centre, top, far, also = of
            self.provers[of] = Prover(block(self.lattice, centre, top, far, marks, also), marks)
        return self.provers[of]

    def _missing(self, place: int, cell: int) -> int:
        """A value that a cell must still be able to have: the furthest first, they fail soonest."""
        value = int(self.lattice.values[place, cell])
        low, high = value - int(self.needs.down[place, cell]), value + int(self.needs.up[place, cell])
        if high == value:
            return low
        values = [one for one in range(low, high + 1) if self.open_values[place, cell] >> one & 1]
        return values[-1] if values[-1] > value else values[0]

    def _note_again(self, marks: NDArray[np.uint8]) -> None:
        """Note what the tables so far prove, those of them that agree with what is known."""
        self.looked = True
        for table in self.tables:
            margins = table.margins(self.lattice)
            if agrees(self.lattice, marks, *margins):
                self._note(table, margins)

    def _note(self, table: Change, margins: Margins) -> Start:
        """Note what a possible table, of these margins, proves of whatever cell."""
        (places, values), start = margins, self._keep(table, margins)
        bits = np.where(values < MOST_VALUES, np.int64(1) << np.minimum(values, MOST_VALUES), 0)
        self._met(places, bits, values, start.within)
        return start

    def _met(self, places: Ints, bits: Ints, least: Ints, within: int) -> None:
        """Strike off values that cells (places, cells) have met, and cells of which no value is left to prove.

        `bits` are those values, `least` the lowest; `within` is the level of the place under which the changes lie.
        """
        before, needed = self.open_values[places], self.needed[places] & ~self.proven[places]
        still = before & ~bits
        settled = needed & self._settled(places, still, least)
        helped = settled | (needed & (still != before))
        self.within[places] = np.where(helped, np.minimum(self.within[places], within), self.within[places])
        self.open_values[places] = still
        self.proven[places] |= settled

    def _settled(self, places: Ints, still: Ints, least: Ints) -> Flags:
        """(places, cells) whether nothing is left to prove where `still` values are open and `least` was met."""
        low_enough = least <= self.lattice.values[places] - self.needs.down[places]
        flags: Flags = np.where(self.needs.up[places] > 0, still == 0, low_enough)
        return flags

    def _keep(self, table: Change, margins: Margins) -> Start:
        """Keep a possible table, of these margins, for walks to begin at."""
        lattice, (places, values) = self.lattice, margins
        differ = places[(values != lattice.values[places]).any(axis=1)]
        start = Start(table, int(lattice.level[differ].min(initial=self._levels)) - 1)
        for place, here in zip(places.tolist(), values, strict=True):
            if not lattice.is_lowest(place):
                self.raised.setdefault(place, []).append((here, start))
        return start


def _within(level: int, start: Start | None) -> int:
    """The level of the place under which exchanges lie, and the table they begin at."""
    return level if start is None else min(level, start.within)


def _whole(low: Ints, high: Ints) -> Ints:
    """Bits of all whole values from low to high."""
    low, high = np.maximum(low, 0), np.minimum(high, MOST_VALUES - 1)
    bits: Ints = np.where(high >= low, (np.int64(2) << high) - (np.int64(1) << np.minimum(low, MOST_VALUES)), 0)
    return bits
