"""What simple swaps prove of the cells that nobody shows: by whole numbers alone, from what is published alone.

A certificate proves the cells that are withheld. Many more cells have no row at all, or bear the mark d: crosses that
the design leaves out, and what lies below a withheld cell. A table with a proof for each would be larger than the
tables themselves; for nearly all of them a few array operations on the certificate's base do.

**An exchange.** Choose some dimensions, none or all, and two categories on each: the *corners* are all 2, 4, 8 …
choices of one of the two on each. Choose two places a and h right below the same place. One unit takes, at a lowest
place below a, one person of each odd corner (an odd number of second categories) and gives one to each even corner;
below h it does the opposite. On the dimensions not chosen all persons are of one category each, the same at both.

**What it changes.** Nothing above a and h, where both come together. Nothing that sums over a chosen dimension, where
what one corner gets the next one gives. So only cells in or below a corner at a or h change, and where no such cell is
shown or withheld (the corner is *open*), the table after the exchange says all that is published, as long as nobody is
below zero. The root has no neighbour and needs none.

**What it proves.** If a cell counts v in the base, and d units fit in one direction and u in the other, the cell can
have every value from v - d to v + u. It is cleared if these are all of 1 … threshold. Only one kind of exchange is
taken at a time, so a cell that is not cleared here may still be safe: its owner proves all cells at risk in private.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, product

import numpy as np
from numpy.typing import NDArray

from anonymize.verify import SHOWN, WITHHELD, Tree, sums

Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]

PLENTY = 1 << 40  # more persons than there are


@dataclass(frozen=True, slots=True)
class Cleared:
    """Cells that nobody shows, counted."""

    unshown: int  # not shown and not withheld, less those below a shown zero, which are 0
    cleared: int  # of these, cells that can be 1 … threshold


@dataclass(frozen=True, slots=True, eq=False)
class Places:
    """The tree of places, as arrays."""

    parent: Ints
    lowest: Ints
    layers: tuple[Ints, ...]  # numbers of the places of every level below the root, downwards

    @classmethod
    def of(cls, tree: Tree) -> Places:
        """Read a tree once for all exchanges."""
        depth = [0]
        for up in tree.parent[1:]:
            depth.append(depth[up] + 1)
        layers = tuple(np.flatnonzero(np.array(depth) == level) for level in range(1, max(depth) + 1))
        return cls(np.array(tree.parent), tree.lowest, layers)


def cleared(trees: Sequence[Tree], state: Ints, count: Ints, threshold: int, base: Ints) -> Cleared:
    """Count the unshown cells for which exchanges in a possible table prove every value from 1 to the threshold.

    The first dimension is a tree, the others are categories and their total. `state`, `count` and `base` are as in
    `anonymize.verify.verify`.
    """
    unshown = (state != SHOWN) & (state != WITHHELD) & ~below(trees, (state == SHOWN) & (count == 0))
    values = sums(trees, base)
    up, down = units(trees, state, base)
    return Cleared(int(unshown.sum()), int((unshown & (values - down <= 1) & (values + up >= threshold)).sum()))


def units(trees: Sequence[Tree], state: Ints, base: Ints) -> tuple[Ints, Ints]:
    """How many persons more, and fewer, every cell can have by one kind of exchange."""
    opened = ~above(trees, (state == SHOWN) | (state == WITHHELD))
    up, down = np.zeros(state.shape, dtype=np.int64), np.zeros(state.shape, dtype=np.int64)
    places, sizes = Places.of(trees[0]), base.shape[1:]
    for many in range(len(sizes) + 1):
        for axes in combinations(range(len(sizes)), many):
            for pairs in product(*(combinations(range(sizes[axis]), 2) for axis in axes)):
                _exchange(places, opened, base, dict(zip(axes, pairs, strict=True)), up, down)
    return up, down


def _exchange(
    places: Places, opened: Flags, base: Ints, chosen: dict[int, tuple[int, int]], up: Ints, down: Ints
) -> None:
    """Raise `up` and `down` to what one choice of corners gives: {dimension: its two categories}."""
    corners = [dict(zip(chosen, one, strict=True)) for one in product(*chosen.values())]
    is_even = [sum(c == chosen[t][1] for t, c in corner.items()) % 2 == 0 for corner in corners]
    dimensions = base.ndim - 1
    usable = np.logical_and.reduce([opened[_corner(corner, dimensions)] for corner in corners])
    even, odd = (
        _up_the_tree(places, _fewest(base, [c for c, e in zip(corners, is_even, strict=True) if e is side]))
        for side in (True, False)
    )
    gain, loss = _with_totals(_reach(places, usable, odd, even)), _with_totals(_reach(places, usable, even, odd))
    for corner, same in zip(corners, is_even, strict=True):
        cells = _within(corner, dimensions, 1)
        np.maximum(up[cells], gain if same else loss, out=up[cells])
        np.maximum(down[cells], loss if same else gain, out=down[cells])


def _corner(corner: dict[int, int], dimensions: int) -> tuple[slice | int, ...]:
    """Where a corner's own cell stands, with totals first."""
    return (slice(None), *(corner[t] + 1 if t in corner else 0 for t in range(dimensions)))


def _within(corner: dict[int, int], dimensions: int, totals: int) -> tuple[slice | int, ...]:
    """Where all cells of a corner stand, after so many totals."""
    return (slice(None), *(corner[t] + totals if t in corner else slice(None) for t in range(dimensions)))


def _fewest(base: Ints, corners: Sequence[dict[int, int]]) -> Ints:
    """(lowest places, categories not chosen …) units that take one person of each corner; no corner, no limit."""
    if not corners:
        return np.full(base.shape, PLENTY, dtype=np.int64)
    fewest: Ints = np.minimum.reduce([base[_within(corner, base.ndim - 1, 0)] for corner in corners])
    return fewest


def _reach(places: Places, usable: Flags, own: Ints, theirs: Ints) -> Ints:
    """Units at every place: what it has itself, and what the neighbours of it or of a place above it have."""
    parent = places.parent
    wide = usable.reshape(-1, *([1] * (own.ndim - 1)))
    given = np.where(wide, theirs, 0)
    together = np.zeros_like(given)
    np.add.at(together, parent[1:], given[1:])
    far = np.where(wide, together[parent] - given, 0)
    far[0] = PLENTY if usable[0] else 0
    best = far.copy()
    for here in places.layers:
        best[here] = np.maximum(best[here], best[parent[here]])
    reached: Ints = np.minimum(own, best)
    return reached


def _up_the_tree(places: Places, lowest: Ints) -> Ints:
    """Sums of the lowest places' numbers at every place."""
    out = np.zeros((len(places.parent), *lowest.shape[1:]), dtype=np.int64)
    out[places.lowest] = lowest
    for here in reversed(places.layers):
        np.add.at(out, places.parent[here], out[here])
    return out


def _with_totals(numbers: Ints) -> Ints:
    """With the sum over every further axis in front of it."""
    for axis in range(1, numbers.ndim):
        numbers = np.concatenate([numbers.sum(axis, keepdims=True), numbers], axis)
    return np.minimum(numbers, PLENTY)


def above(trees: Sequence[Tree], which: Flags) -> Flags:
    """Cells that are marked, or have a marked one in or below them."""
    found = which.copy()
    for axis, tree in enumerate(trees):
        along = np.moveaxis(found, axis, 0)
        for number in range(len(tree.codes) - 1, 0, -1):
            along[tree.parent[number]] |= along[number]
    return found


def below(trees: Sequence[Tree], which: Flags) -> Flags:
    """Cells that are marked, or have a marked one above them."""
    found = which.copy()
    for axis, tree in enumerate(trees):
        along = np.moveaxis(found, axis, 0)
        for number in range(1, len(tree.codes)):
            along[number] |= along[tree.parent[number]]
    return found
