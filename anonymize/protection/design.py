"""The design as flags: which cross is shown at which place, and what falls away from it.

Two rules hold for every design here and are what the proof in `moves` rests on: a place shows no cross that
the place above it does not show, and with a cross it shows every coarser one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from anonymize.errors import BadCells
from anonymize.policy import MOST, Policy
from anonymize.protection.lattice import Flags, Ints, Lattice
from anonymize.tables import Drop, Mark


@dataclass(frozen=True, slots=True, eq=False)
class Design:
    """Which crosses are shown where, and why some are not."""

    shows: Flags  # (places, crosses)
    drops: tuple[Drop, ...] = ()

    def without(self, lattice: Lattice, places: Ints, cross: int, drop: Drop) -> Design:
        """The design without a cross, and what is finer, at some places and everything under them."""
        shows = self.shows.copy()
        finer = [mask for mask in range(shows.shape[1]) if mask & cross == cross]
        for place in places.tolist():
            shows[place : lattice.end[place], finer] = False
        return Design(shows, (*self.drops, drop))

    def marks(self, lattice: Lattice) -> NDArray[np.uint8]:
        """Marks before anything is withheld."""
        return np.where(self.shows[:, lattice.cross], Mark.SHOWN, Mark.ABSENT).astype(np.uint8)


def planned(lattice: Lattice, policy: Policy) -> Design:
    """The design as the policy has it: crosses by level, totals only under the floor. BadCells if it is no design."""
    return _under_floor(lattice, by_level(lattice, policy), policy.totals_only)


def by_level(lattice: Lattice, policy: Policy) -> Design:
    """The crosses that the policy has for each level, before the floor. BadCells if it is no design."""
    levels = lattice.cells.places.levels
    crosses = np.array(policy.crosses, dtype=np.int64)
    if len(crosses) != len(levels):
        raise BadCells(f"the policy has {len(crosses)} levels, the places have {len(levels)}")
    if crosses.min() < 0 or (np.diff(crosses) > 0).any():
        raise BadCells("a level shows more crosses than the level above it")
    if not 2 <= policy.threshold <= MOST:
        raise BadCells(f"a threshold of {policy.threshold} is not between 2 and {MOST}")
    shows = np.zeros((len(lattice.level), lattice.crosses[-1] + 1), dtype=np.bool_)
    size = np.array([len(lattice.dimensions_of(cross)) for cross in lattice.crosses])
    few = size[None, :] <= crosses[lattice.level][:, None]
    shows[:, lattice.crosses] = few & _within(lattice, policy)[lattice.level]
    return Design(shows)


def _within(lattice: Lattice, policy: Policy) -> Flags:
    """(levels, crosses) crosses of dimensions that the policy breaks down at a level. BadCells if it is no design."""
    names = [d.id for d in lattice.cells.dimensions]
    allowed = policy.broken_down or (frozenset(names),) * len(policy.crosses)
    if len(allowed) != len(policy.crosses):
        raise BadCells(f"the policy names breakdowns of {len(allowed)} levels, the places have {len(policy.crosses)}")
    if any(below - above for above, below in pairwise(allowed)):
        raise BadCells("a level is broken down by a dimension that the level above is not")
    crossed = [{names[axis] for axis in lattice.dimensions_of(cross)} for cross in lattice.crosses]
    return np.array([[cross <= here for cross in crossed] for here in allowed])


def _under_floor(lattice: Lattice, design: Design, totals_only: frozenset[str]) -> Design:
    places = lattice.cells.places
    for row, place in enumerate(lattice.order.tolist()):
        if lattice.level[row] < len(places.levels) - 1 or places.codes[place] not in totals_only:
            continue
        for axis in range(len(lattice.sizes)):
            if design.shows[row, lattice.step(axis)]:
                drop = drop_at(lattice, row, lattice.step(axis), "floor")
                design = design.without(lattice, np.array([row]), lattice.step(axis), drop)
    return design


def dominance(lattice: Lattice, policy: Policy, place: int, axis: int, depth: int) -> tuple[int, int] | None:
    """The cell in which a node of a depth holds too large a share of a place's users, and by how many; else None.

    A share says something of everybody only where there are enough users to be shown at all, and a node's own only
    where there are others: one that all categories are below holds everybody anywhere.
    """
    total = int(lattice.values[place, -1])
    if total < policy.threshold or lattice.sizes[axis] < 2:
        return None
    dimension = lattice.cells.dimensions[axis]
    exempt = policy.structural.get(dimension.id, frozenset())
    bound = int(np.ceil(policy.dominance * total - 1e-9))
    for node in np.flatnonzero(lattice.depths[axis] == depth).tolist():
        cell = lattice.single(axis, node)
        excess = int(lattice.values[place, cell]) - bound
        if dimension.nodes[node] not in exempt and excess >= 0 and not lattice.membership[cell].all():
            return cell, excess + 1
    return None


def without_dominated(lattice: Lattice, design: Design, policy: Policy) -> Design:
    """The design without breakdowns of places whose users nearly all fall into one category, or one group of them.

    A breakdown goes for all children of one place: gone at one of them alone, its absence would tell what it hides.
    """
    for place in range(len(lattice.parent)):
        for axis, depth in lattice.steps:
            step = lattice.step(axis, depth)
            if design.shows[place, step] and dominance(lattice, policy, place, axis, depth):
                design = _without_group(lattice, design, lattice.group(place), step, "dominance")
    return design


def drop_at(lattice: Lattice, place: int, cross: int, reason: str) -> Drop:
    """The record of a cross dropped at one place."""
    places = lattice.cells.places
    names, level = lattice.names_in(cross), places.levels[int(lattice.level[place])]
    return Drop(places.codes[int(lattice.order[place])], level, names, reason)


def coarsened(lattice: Lattice, design: Design, place: int, cross: int) -> Design | None:
    """The design without the finest cross that stands in a cell's way, nearest place first; None if nothing is left.

    A cross goes for all children of one place: dropped at one of them alone it could be had by subtraction.
    """
    for pivot in lattice.path(place):
        is_root = lattice.parent[pivot] < 0
        group = lattice.group(pivot)
        if len(group) == 1 and not is_root:
            continue
        for mask in lattice.subcrosses(cross):
            if design.shows[group, mask].any() and (mask or not is_root):
                return _without_group(lattice, design, group, mask, "sparse")
    left = [mask for mask in reversed(lattice.crosses) if mask and design.shows[0, mask]]
    return _without_group(lattice, design, np.array([0]), left[0], "sparse") if left else None


def _without_group(lattice: Lattice, design: Design, group: Ints, cross: int, reason: str) -> Design:
    places = lattice.cells.places
    first = int(group[0])
    above = int(lattice.parent[first])
    owner = places.codes[int(lattice.order[max(above, 0)])]
    drop = Drop(owner, places.levels[int(lattice.level[first])], lattice.names_in(cross), reason)
    return design.without(lattice, group, cross, drop)


def standing(lattice: Lattice, drops: Iterable[Drop]) -> tuple[Drop, ...]:
    """Drops in a fixed order, without those that another one implies."""
    places = lattice.cells.places
    reach = [
        (lattice.crossing(drop.cross), set(_with_below(lattice, _losing(lattice, drop)).tolist()), drop)
        for drop in dict.fromkeys(drops)
    ]
    reach.sort(
        key=lambda one: (
            one[0].bit_count(), -len(one[1]), one[2].level, one[2].place, one[2].cross, one[2].reason
        )
    )  # fmt: skip
    kept: list[tuple[int, set[int], Drop]] = []
    for cross, rows, drop in reach:
        if not any(wider & cross == wider and rows <= more for wider, more, _ in kept):
            kept.append((cross, rows, drop))
    return tuple(
        sorted((d for _, _, d in kept), key=lambda d: (places.levels.index(d.level), d.place, d.cross, d.reason))
    )


def _losing(lattice: Lattice, drop: Drop) -> Ints:
    """Rows of the places at which a drop begins."""
    places = lattice.cells.places
    depth = places.levels.index(drop.level)
    names = np.array([places.codes[int(i)] for i in lattice.order], dtype=object)
    if drop.reason != "floor" and depth:
        owner = np.flatnonzero((names == drop.place) & (lattice.level == depth - 1))[0]
        return lattice.children[int(owner)]
    return np.flatnonzero((names == drop.place) & (lattice.level == depth))


def _with_below(lattice: Lattice, places: Ints) -> Ints:
    return np.concatenate([np.arange(place, lattice.end[place]) for place in places.tolist()])
