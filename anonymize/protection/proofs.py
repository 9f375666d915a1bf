"""What is proven of which cell: every value it must be able to have, by exchanges or whole tables.

Proofs only add up: a table that agrees with the marks agrees with any marks that hide more. So a table found for one
cell is noted for all cells whose values it shows to be possible, and kept for the next attempt at a smaller design.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from anonymize.policy import Policy
from anonymize.protection.blocks import MOST_LEAVES, Change, Prover, agrees, block, holders
from anonymize.protection.crossing import Crossing, Region
from anonymize.protection.design import Design, dominance
from anonymize.protection.lattice import Flags, Ints, Lattice
from anonymize.protection.moves import Swaps
from anonymize.protection.screen import screen
from anonymize.protection.siblings import bare, reach
from anonymize.protection.walk import Ground, Types, Walk
from anonymize.tables import Mark

FAR = (2, 8)  # lowest places that a block takes from each place further off; more only if these do not do
MOST_HOLDERS = 12  # lowest places of a cell's persons that a block is laid around
MOST_STARTS = 3  # tables that a walk may begin at, besides the true one
MOST_VALUES = 60  # what is open of a cell is one bit per value; above any threshold


Saved = tuple[Flags, Ints, dict[int, list[tuple[Ints, Change]]]]  # what was proven at some moment


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
    provers: dict[tuple[int, int, int, tuple[int, ...]], Prover] = field(
        default_factory=dict
    )  # by block; of the marks as they are
    grounds: dict[int, Ground] = field(default_factory=dict)  # by parent; of the marks as they are
    regions: dict[int, Region] = field(default_factory=dict)
    lifted: set[tuple[int, int]] = field(default_factory=set)  # cells for which a walk was kept, or tried in vain
    spread: set[tuple[int, int]] = field(default_factory=set)  # tables in `raised`, by place and number, that were
    filled: set[int] = field(default_factory=set)  # lowest places that were let grow, or tried in vain
    raised: dict[int, list[tuple[Ints, Change]]] = field(
        default_factory=dict
    )  # by place: its cells in a possible table

    def __post_init__(self) -> None:
        up, down = self.needs.up, self.needs.down
        value = np.minimum(self.lattice.values, MOST_VALUES)
        self.needed = (up > 0) | (down > 0)
        self.proven = np.zeros(up.shape, dtype=np.bool_)
        reach = (np.int64(2) << np.minimum(value + up, MOST_VALUES)) - (np.int64(1) << np.maximum(value - down, 0))
        self.open_values = np.where(up > 0, reach & ~(np.int64(1) << value), 0)

    @classmethod
    def of(cls, lattice: Lattice, needs: Needs, tables: list[Change]) -> Proofs:
        """Nothing proven yet."""
        return cls(lattice, needs, Types(lattice), Swaps(lattice), tables)

    def saved(self) -> Saved:
        """What is proven so far, to come back to."""
        raised = {place: list(tables) for place, tables in self.raised.items()}
        return self.proven.copy(), self.open_values.copy(), raised

    def come_back(self, saved: Saved) -> None:
        """Take back what was proven since."""
        self.proven, self.open_values, self.raised = saved
        self.spread.clear()
        self.forget()

    def look_around(self, marks: NDArray[np.uint8]) -> None:
        """Prove what can be proven for all cells at once: by tables of earlier attempts, and by exchanges."""
        for table in self.tables:
            if agrees(self.lattice, marks, *table.margins(self.lattice)):
                self._note(table)
        self.proven |= screen(self.lattice, marks, self.needs.up, self.needs.down)
        for place in np.flatnonzero(bare(self.lattice, marks)).tolist():
            self._note_reach(place, self._counts(place, None), true=True)

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
        found = Found(self.proven, self.open_values, self.tables[many:])
        self.come_back(before)
        del self.tables[many:]
        return found

    def take(self, found: Found) -> None:
        """Add what was proven in a branch."""
        self.proven |= found.proven
        self.open_values &= found.open_values
        self.tables += found.tables
        for table in found.tables:
            self._keep(table)

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
                self._note(table)
                self._walk_back(place, cell, marks, table)
        return bool(self.proven[place, cell])

    def _walk_back(self, place: int, cell: int, marks: NDArray[np.uint8], table: Change) -> None:
        """Meet the values between a table's and the true one, by a walk from there: sooner than a table for each."""
        if place and not self.proven[place, cell]:
            walk = self._begin(place, marks, table)
            walk.seek(cell, int(self.lattice.values[place, cell]))
            self._note_walk(place, walk)

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
        self._note_reach(int(self.lattice.parent[place]), walk.counts, true=True)  # it left them where they are

    def _spread(self, place: int, cell: int) -> None:
        """Note what possible tables in which a place counts more in a cell allow its children, by exchanges."""
        for number in self._fuller(place, cell):
            if (place, number) not in self.spread:
                self.spread.add((place, number))
                self._note_reach(place, self._counts(place, self.raised[place][number][1]), true=False)

    def _counts(self, place: int, table: Change | None) -> Ints:
        """Counts (lowest places under a place, types), true or of another possible table."""
        first, last = int(self.lattice.leaf_start[place]), int(self.lattice.leaf_end[place])
        counts = self.lattice.inner[first:last].copy()
        if table is not None:
            inside = (table.leaves >= first) & (table.leaves < last)
            counts[table.leaves[inside] - first] += table.counts[inside]
        return counts

    def _note_reach(self, place: int, counts: Ints, true: bool) -> None:
        """Note what cells of a place's children can be by exchanges from possible counts of theirs, true or others."""
        lattice = self.lattice
        children = lattice.children[place]
        wanted = (self.needed[children] & ~self.proven[children]).any(axis=0)
        parts = np.flatnonzero(wanted & ~lattice.membership.all(axis=1))
        if not len(parts):
            return
        here = slice(int(lattice.leaf_start[place]), int(lattice.leaf_end[place]))
        staying = lattice.staying(int(lattice.level.max()), all_of_them=not true)[here]
        low, high = reach(counts, staying, lattice.open[here], lattice.membership[parts])
        self.open_values[np.ix_(children, parts)] &= ~_whole(low, high)
        least = lattice.values[children].copy()
        least[:, parts] = low
        self._settle(children, least)

    def _walk_from(
        self, place: int, cell: int, goals: tuple[int, ...], marks: NDArray[np.uint8], start: Change | None
    ) -> None:
        for goal in goals:
            if goal != self.lattice.values[place, cell] and not self.proven[place, cell]:
                walk = self._begin(place, marks, start)
                walk.seek(cell, goal)
                self._note_walk(place, walk)

    def _begin(self, place: int, marks: NDArray[np.uint8], start: Change | None) -> Walk | Crossing:
        ground = self._ground(place, marks)
        if ground.able[np.searchsorted(ground.places, place)]:
            return Walk.begin(ground, place, start)
        return Crossing.begin(self._region(place, marks), place, start)

    def _lift(self, place: int, cell: int, value: int, marks: NDArray[np.uint8]) -> None:
        """Keep a possible table in which a place counts at least a value in a cell, if a walk finds one."""
        if place <= 0 or self.lattice.values[place, cell] >= value or (place, cell) in self.lifted:
            return
        self.lifted.add((place, cell))
        walk = self._begin(place, marks, None)
        walk.seek(cell, value)
        self._note_walk(place, walk)
        self._keep(walk.table())

    def _note_walk(self, place: int, walk: Walk | Crossing) -> None:
        """Note what a walk proves of the cells of its place: every whole value that each of them met."""
        self.open_values[place] &= ~_whole(walk.low, walk.high)
        self._settle(np.array([place]), walk.low[None])

    def _starts(self, place: int, cell: int) -> list[Change]:
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
            return
        last = int(self.lattice.end[place])
        above = {int(self.lattice.parent[one]) for one in self.lattice.path(place)}
        self.lifted.clear()
        for made in (self.grounds, self.regions):
            for parent in [g for g in made if g in above or place <= g < last]:
                del made[parent]

    def _prover(self, of: tuple[int, int, int, tuple[int, ...]], marks: NDArray[np.uint8]) -> Prover:
        if of not in self.provers:
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

    def _note(self, table: Change) -> None:
        """Note what a possible table proves, of whatever cell."""
        places, values = self._keep(table)
        still = self.open_values[places]
        seen = (still > 0) & (values < MOST_VALUES)
        still[seen] &= ~(np.int64(1) << values[seen])
        self.open_values[places] = still
        self._settle(places, values)

    def _settle(self, places: Ints, least: Ints) -> None:
        """Strike off cells (places, cells) of which no value is left to prove; `least` is what they have just met."""
        low_enough = least <= self.lattice.values[places] - self.needs.down[places]
        settled = np.where(self.needs.up[places] > 0, self.open_values[places] == 0, low_enough)
        self.proven[places] |= settled & self.needed[places]

    def _keep(self, table: Change) -> tuple[Ints, Ints]:
        """Keep a possible table for walks to begin at; its margins."""
        places, values = table.margins(self.lattice)
        for place, here in zip(places.tolist(), values, strict=True):
            if not self.lattice.is_lowest(place):
                self.raised.setdefault(place, []).append((here, table))
        return places, values


def _whole(low: Ints, high: Ints) -> Ints:
    """Bits of all whole values from low to high."""
    low, high = np.maximum(low, 0), np.minimum(high, MOST_VALUES - 1)
    bits: Ints = np.where(high >= low, (np.int64(2) << high) - (np.int64(1) << np.minimum(low, MOST_VALUES)), 0)
    return bits
