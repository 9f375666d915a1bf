"""Which unshown cells are safe as they stand: moves through unshown corners only, for all places at once.

Most cells that nobody shows are cleared by exchanges that change nothing shown (see `anonymize.moves`). Searching them
one by one would take longer than all the rest, so here every exchange (a *box*: two categories on each dimension of a
cross) is reckoned at every place in a few array operations. A corner marked c would need care with its last person;
moves through one are left to the search.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations, product

import numpy as np
from numpy.typing import NDArray

from anonymize.lattice import Flags, Ints, Lattice, members
from anonymize.moves import PLENTY
from anonymize.tables import Mark


@dataclass(frozen=True, slots=True, eq=False)
class Boxes:
    """All exchanges over one cross."""

    cross: int
    corners: Ints  # (boxes, 2^|S|) flat cells
    even: Flags  # (2^|S|,)
    inner: Ints  # (boxes, 2^|S|, rests) inner cells, one per combination of the other dimensions' categories


@dataclass(frozen=True, slots=True, eq=False)
class Room:
    """Units a box has at every place: `even` persons of its even corners' types, `odd` of the odd ones'."""

    even: Ints  # (places, boxes, rests)
    odd: Ints
    free: Flags  # (places, boxes) all corners unshown and none marked c


def boxes(lattice: Lattice, cross: int) -> Boxes:
    """All exchanges over a cross."""
    axes = members(cross)
    signs = list(product((0, 1), repeat=len(axes)))
    rests = list(product(*([-1] if t in axes else range(size) for t, size in enumerate(lattice.sizes))))
    corners: list[list[int]] = []
    inner: list[list[list[int]]] = []
    for pairs in product(*(combinations(range(lattice.sizes[t]), 2) for t in axes)):
        choice = [{t: pair[s] for t, pair, s in zip(axes, pairs, sign, strict=True)} for sign in signs]
        corners.append([lattice.cell([y.get(t, size) for t, size in enumerate(lattice.sizes)]) for y in choice])
        inner.append(
            [[lattice.inner_cell([y.get(t, r) for t, r in enumerate(rest)]) for rest in rests] for y in choice]
        )
    return Boxes(
        cross,
        np.array(corners, dtype=np.int64).reshape(len(corners), len(signs)),
        np.array([sum(sign) % 2 == 0 for sign in signs]),
        np.array(inner, dtype=np.int64).reshape(len(corners), len(signs), len(rests)),
    )


def room(lattice: Lattice, box: Boxes, marks: NDArray[np.uint8]) -> Room:
    """What every place can give to every box."""
    free: Flags = np.all(marks[:, box.corners] >= Mark.BELOW, axis=2)
    return Room(_units(lattice, box.inner[:, box.even]), _units(lattice, box.inner[:, ~box.even]), free)


def _units(lattice: Lattice, types: Ints) -> Ints:
    """Units at every place that take one person of each of the second axis' types, all at one lowest place."""
    many, half, rests = types.shape
    if half == 0:
        return np.full((len(lattice.parent), many, rests), PLENTY, dtype=np.int64)
    least = lattice.inner[:, types[:, 0]]
    for corner in range(1, half):
        np.minimum(least, lattice.inner[:, types[:, corner]], out=least)
    up_to = np.zeros((len(least) + 1, many, rests), dtype=np.int64)
    np.cumsum(least, axis=0, out=up_to[1:])
    return up_to[lattice.leaf_end] - up_to[lattice.leaf_start]


def others(lattice: Lattice, units: Ints, free: Flags) -> Ints:
    """For every place, what its siblings can give together; the root, which has none, needs nothing."""
    usable = np.where(free[:, :, None], units, 0)
    together = np.zeros_like(usable)
    np.add.at(together, lattice.parent[1:], usable[1:])
    out = together[lattice.parent] - usable
    out[0] = PLENTY
    return out


def screen(lattice: Lattice, marks: NDArray[np.uint8], need_up: Ints, need_down: Ints) -> Flags:
    """Which of the unshown cells with a need (places, cells) are cleared by moves that change nothing shown."""
    wanted = (marks >= Mark.BELOW) & ((need_up > 0) | (need_down > 0))
    up, down = np.zeros_like(need_up), np.zeros_like(need_down)
    for cross in range(1 << len(lattice.sizes)):
        box = boxes(lattice, cross)
        finer = [mask for mask in np.unique(lattice.cross).tolist() if mask & cross == cross]
        if not len(box.corners) or not wanted[:, np.isin(lattice.cross, finer)].any():
            continue
        have = room(lattice, box, marks)
        if not have.free.any():
            continue
        far_even, far_odd = others(lattice, have.even, have.free), others(lattice, have.odd, have.free)
        for height in range(int(lattice.level.max()) + 1):
            still: Flags = np.any(wanted & ((up < need_up) | (down < need_down)), axis=1)
            places, pivots = _with_pivots(lattice, height, still)
            open_here = have.free[pivots].any(axis=1)
            places, pivots = places[open_here], pivots[open_here]
            if not len(places):
                continue
            free = have.free[pivots][:, :, None]
            gain = np.where(free, np.minimum(have.odd[places], far_even[pivots]), 0)
            loss = np.where(free, np.minimum(have.even[places], far_odd[pivots]), 0)
            for mask in finer:
                _best(lattice, box, mask, places, gain, loss, up, down)
    return wanted & (up >= need_up) & (down >= need_down)


def _with_pivots(lattice: Lattice, height: int, wanted: Flags) -> tuple[Ints, Ints]:
    """Places with open needs, each with the place so many levels above it."""
    places = np.flatnonzero(wanted & (lattice.level >= height))
    pivots = places
    for _ in range(height):
        pivots = lattice.parent[pivots]
    return places, pivots


def _best(lattice: Lattice, box: Boxes, cross: int, places: Ints, gain: Ints, loss: Ints, up: Ints, down: Ints) -> None:
    """Raise `up` and `down` of a cross' cells to what a box gives them: at even corners gain adds, at odd ones loss."""
    outside = [t for t in range(len(lattice.sizes)) if not box.cross >> t & 1]
    summed = tuple(2 + i for i, t in enumerate(outside) if not cross >> t & 1)
    shape = (*gain.shape[:2], *(lattice.sizes[t] for t in outside))
    gains = gain.reshape(shape).sum(axis=summed).reshape(*gain.shape[:2], -1)
    losses = loss.reshape(shape).sum(axis=summed).reshape(*loss.shape[:2], -1)
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
    rests = list(product(*(range(lattice.sizes[t]) if cross >> t & 1 else (lattice.sizes[t],) for t in outside)))
    at = np.empty((*box.corners.shape, len(rests)), dtype=np.int64)
    for (one, corner), cell in np.ndenumerate(box.corners):
        for rest, categories in enumerate(rests):
            here = lattice.coordinates[cell].tolist()
            for t, category in zip(outside, categories, strict=True):
                here[t] = category
            at[one, corner, rest] = lattice.cell(here)
    return at
