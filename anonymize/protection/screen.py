"""Which unshown cells are safe as they stand: moves through unshown corners only, for all places at once.

Most cells that nobody shows are cleared by exchanges that change nothing shown (see `moves`). Searching them
one by one would take longer than all the rest, so here every exchange (a *box*: two categories on each dimension of a
cross) is reckoned at every place in a few array operations. Of a tree's categories only those right below the same node
are exchanged, and only cells of lowest categories are cleared: what is left of such tables is for walks and blocks.

An exchange over three dimensions is two exchanges over two of them, its *faces*, in opposite directions. Where the
places below show no cross of two dimensions, the two faces may lie in different ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations, product

import numpy as np
from numpy.typing import NDArray

from anonymize.protection.lattice import PLENTY, Flags, Ints, Lattice, members
from anonymize.protection.moves import FACES, exchanged, splittable
from anonymize.tables import Mark


@dataclass(frozen=True, slots=True, eq=False)
class Boxes:
    """All exchanges over one cross."""

    cross: int  # the dimensions on which lowest categories are exchanged, as a bit mask
    corners: Ints  # (boxes, 2^|S|) flat cells
    even: Flags  # (2^|S|,)
    inner: Ints  # (boxes, 2^|S|, rests) inner cells, one per combination of the other dimensions' categories


@dataclass(frozen=True, slots=True, eq=False)
class Room:
    """Units a box has at every place: `even` persons of its even corners' types, `odd` of the odd ones'."""

    even: Ints  # (places, boxes, rests)
    odd: Ints
    free: Flags  # (places, boxes) no corner is shown
    give_even: (
        Ints  # (places, boxes) persons that the even corners can lose: one marked c keeps what it is known to have
    )
    give_odd: Ints


def boxes(lattice: Lattice, cross: int) -> Boxes:
    """All exchanges over a cross."""
    axes = members(cross)
    signs = list(product((0, 1), repeat=len(axes)))
    rests = list(product(*([-1] if t in axes else range(size) for t, size in enumerate(lattice.sizes))))
    siblings = [[p for p in combinations(range(lattice.sizes[t]), 2) if p[1] in lattice.beside(t, p[0])] for t in axes]
    corners: list[list[int]] = []
    inner: list[list[list[int]]] = []
    for pairs in product(*siblings):
        choice = [{t: pair[s] for t, pair, s in zip(axes, pairs, sign, strict=True)} for sign in signs]
        corners.append([lattice.cell([y.get(t, total) for t, total in enumerate(lattice.totals)]) for y in choice])
        inner.append(
            [[lattice.inner_cell([y.get(t, r) for t, r in enumerate(rest)]) for rest in rests] for y in choice]
        )
    return Boxes(
        cross,
        np.array(corners, dtype=np.int64).reshape(len(corners), len(signs)),
        np.array([sum(sign) % 2 == 0 for sign in signs]),
        np.array(inner, dtype=np.int64).reshape(len(corners), len(signs), len(rests)),
    )


def room(lattice: Lattice, box: Boxes, marks: NDArray[np.uint8], level: int) -> Room:
    """What every place can give to every box, in exchanges among places of a level."""
    mark = marks[:, box.corners]
    free: Flags = (mark != Mark.SHOWN).all(axis=2)
    give = np.where(mark == Mark.WITHHELD, (lattice.values - lattice.least)[:, box.corners], PLENTY)
    split = splittable(lattice, marks)
    of_even, of_odd = box.inner[:, box.even], box.inner[:, ~box.even]
    persons = lattice.inner - lattice.staying(level)
    even = _units(lattice, persons, of_even, of_odd, split)
    odd = _units(lattice, persons, of_odd, of_even, split)
    give_even, give_odd = (give[:, :, side].min(axis=2, initial=PLENTY) for side in (box.even, ~box.even))
    return Room(even, odd, free, give_even, give_odd)


def _units(lattice: Lattice, persons: Ints, leaving: Ints, coming: Ints, split: Flags) -> Ints:
    """Units at every place that take a person of each type leaving and add one of each coming, at one lowest place.

    Four types are the even or the odd corners of a cube: any two of them are corners of one face.
    """
    whole = _at_one_place(lattice, persons, leaving, coming)
    if leaving.shape[1] != 4:
        return whole
    parted = [
        np.minimum.reduce([_at_one_place(lattice, persons, leaving[:, out], coming[:, into]) for out, into in faces])
        for faces in FACES
    ]
    best = np.where((split & (lattice.leaf_end > lattice.leaf_start))[:, None, None], np.maximum.reduce(parted), whole)
    return _together(lattice, best)


def _at_one_place(lattice: Lattice, persons: Ints, leaving: Ints, coming: Ints) -> Ints:
    """(places, boxes, rests) units of which each exchanges its persons at one lowest place."""
    units = exchanged(persons, lattice.open, leaving, coming)
    up_to = np.zeros((len(units) + 1, *units.shape[1:]), dtype=np.int64)
    np.cumsum(units, axis=0, out=up_to[1:])
    by_place: Ints = np.minimum(up_to[lattice.leaf_end] - up_to[lattice.leaf_start], PLENTY)
    return by_place


def _together(lattice: Lattice, units: Ints) -> Ints:
    """Units of a place: its own, or those of the places right below together where these are more."""
    best = units.copy()
    for depth in range(int(lattice.level.max()), 0, -1):
        here = np.flatnonzero(lattice.level == depth)
        below = np.zeros_like(best)
        np.add.at(below, lattice.parent[here], best[here])
        np.maximum(best, below, out=best)
    return best


def others(lattice: Lattice, units: Ints, usable: Flags) -> Ints:
    """For every place, what its siblings can give together; the root, which has none, needs nothing."""
    given = np.where(usable[:, :, None], units, 0)
    together = np.zeros_like(given)
    np.add.at(together, lattice.parent[1:], given[1:])
    out = together[lattice.parent] - given
    out[0] = PLENTY
    return out


def screen(lattice: Lattice, marks: NDArray[np.uint8], need_up: Ints, need_down: Ints) -> tuple[Flags, Ints]:
    """Which of the unshown cells with a need (places, cells) are cleared by moves that change nothing shown.

    And within what: the level of the place under which all of these moves lie, -1 for the root's own.
    """
    wanted = (marks >= Mark.BELOW) & ((need_up > 0) | (need_down > 0))
    up, down = np.zeros_like(need_up), np.zeros_like(need_down)
    within = np.full(wanted.shape, int(lattice.level.max()))
    for cross in range(1 << len(lattice.sizes)):
        box = boxes(lattice, cross)
        finer = [mask for mask in np.unique(lattice.axes).tolist() if mask & cross == cross]
        if not len(box.corners) or not wanted[:, np.isin(lattice.axes, finer)].any():
            continue
        have: Room | None = None
        for level in range(int(lattice.level.max()), -1, -1):
            still: Flags = np.any(wanted & ((up < need_up) | (down < need_down)), axis=1)
            places, pivots = _with_pivots(lattice, level, still)
            if not len(places):
                continue
            if have is None or lattice.large.any():  # who may be taken away hangs on the level only then
                have = room(lattice, box, marks, level)
                far = _Far.of(lattice, have)
            if not have.free.any():
                break
            open_here = have.free[pivots].any(axis=1)
            places, pivots = places[open_here], pivots[open_here]
            if not len(places):
                continue
            gain = _Way.of(
                have.odd[places], far.even[pivots], far.even_many[pivots], have.free[pivots], have.give_odd[pivots]
            )
            loss = _Way.of(
                have.even[places], far.odd[pivots], far.odd_many[pivots], have.free[pivots], have.give_even[pivots]
            )
            before = up[places], down[places]
            for mask in finer:
                _best(lattice, box, mask, places, gain, loss, up, down)
            helped = (before[0] < np.minimum(up[places], need_up[places])) | (
                before[1] < np.minimum(down[places], need_down[places])
            )
            within[places] = np.where(helped, np.minimum(within[places], level - 1), within[places])
    return wanted & (up >= need_up) & (down >= need_down), within


@dataclass(frozen=True, slots=True, eq=False)
class _Far:
    """What the siblings of every place give together: for one rest alone, and for several rests at once."""

    even: Ints  # (places, boxes, rests)
    odd: Ints
    even_many: Ints
    odd_many: Ints

    @classmethod
    def of(cls, lattice: Lattice, have: Room) -> _Far:
        """A corner marked c has its persons once: siblings with one count for one rest, not for several together."""
        even = np.minimum(have.even, have.give_even[:, :, None])
        odd = np.minimum(have.odd, have.give_odd[:, :, None])
        plain = have.free & (have.give_even == PLENTY) & (have.give_odd == PLENTY)
        return cls(
            others(lattice, even, have.free),
            others(lattice, odd, have.free),
            others(lattice, have.even, plain),
            others(lattice, have.odd, plain),
        )


@dataclass(frozen=True, slots=True, eq=False)
class _Way:
    """Units of every box in one direction, (places, boxes, rests): for a rest alone, and for rests to be summed."""

    alone: Ints
    many: Ints
    most: Ints  # (places, boxes) of all rests together

    @classmethod
    def of(cls, own: Ints, far: Ints, far_many: Ints, free: Flags, give: Ints) -> _Way:
        """From what a place and its siblings have."""
        alone = np.where(free[:, :, None], np.minimum(np.minimum(own, far), give[:, :, None]), 0)
        many = np.where(free[:, :, None], np.minimum(own, far_many), 0)
        return cls(alone, many, give)

    def over(self, shape: tuple[int, ...], summed: tuple[int, ...]) -> Ints:
        """Units for cells that sum over some axes of the rests, reshaped to `shape`: (places, boxes, other rests)."""
        together = np.minimum(self.many.reshape(shape).sum(axis=summed).reshape(*shape[:2], -1), self.most[:, :, None])
        best: Ints = np.maximum(together, self.alone.reshape(shape).max(axis=summed).reshape(*shape[:2], -1))
        return best


def _with_pivots(lattice: Lattice, level: int, wanted: Flags) -> tuple[Ints, Ints]:
    """Places with open needs, each with the place of a level that it lies in, or is."""
    places = np.flatnonzero(wanted & (lattice.level >= level))
    pivots = places.copy()
    while (deeper := lattice.level[pivots] > level).any():
        pivots[deeper] = lattice.parent[pivots[deeper]]
    return places, pivots


def _best(lattice: Lattice, box: Boxes, cross: int, places: Ints, gain: _Way, loss: _Way, up: Ints, down: Ints) -> None:
    """Raise `up` and `down` of a cross' cells to what a box gives them: at even corners gain adds, at odd ones loss."""
    outside = [t for t in range(len(lattice.sizes)) if not box.cross >> t & 1]
    summed = tuple(2 + i for i, t in enumerate(outside) if not cross >> t & 1)
    shape = (*gain.alone.shape[:2], *(lattice.sizes[t] for t in outside))
    gains, losses = gain.over(shape, summed), loss.over(shape, summed)
    cells = _cells(lattice, box, cross)
    for corner, is_even in enumerate(box.even.tolist()):
        more, fewer = (gains, losses) if is_even else (losses, gains)
        for one in range(len(box.corners)):
            at = np.ix_(places, cells[one, corner])
            up[at] = np.maximum(up[at], more[:, one])
            down[at] = np.maximum(down[at], fewer[:, one])


def _cells(lattice: Lattice, box: Boxes, cross: int) -> Ints:
    """(boxes, corners, rests within the cross) flat cells of a cross that each corner has."""
    outside = [t for t in range(len(lattice.sizes)) if not box.cross >> t & 1]
    rests = list(product(*(range(lattice.sizes[t]) if cross >> t & 1 else (lattice.totals[t],) for t in outside)))
    at = np.empty((*box.corners.shape, len(rests)), dtype=np.int64)
    for (one, corner), cell in np.ndenumerate(box.corners):
        for rest, categories in enumerate(rests):
            here = lattice.coordinates[cell].tolist()
            for t, category in zip(outside, categories, strict=True):
                here[t] = category
            at[one, corner, rest] = lattice.cell(here)
    return at
