"""What simple swaps prove of the cells that nobody shows: by whole numbers alone, from what is published alone.

A certificate proves the cells that are withheld. Many more cells have no row at all, or bear the mark d: crosses that
the design leaves out, and what lies below a withheld cell. A table with a proof for each would be larger than the
tables themselves; for nearly all of them a few array operations on the certificate's base do.

**An exchange.** Choose some dimensions beside the places, none or all, and two lowest codes on each: going up the tree
they part right below the first code that is above both. The *corners* are all 2, 4, 8 … choices of one of the two
sides on each. Choose two places a and h right below the same place. One unit takes, at a lowest place below a, one
person of each odd corner (an odd number of second sides) and gives one to each even corner; below h it does the
opposite. On the dimensions not chosen all persons are of one lowest code each, the same at both.

**What it changes.** Nothing above a and h, where both come together. Nothing that sums over both sides of a chosen
dimension, where what one corner gets the next one gives. So only cells in or below a corner at a or h change, a corner
taken as wide as its side: from the lowest code up to where the two part. Where no such cell is shown or withheld (the
corner is *open*), the table after the exchange says all that is published, as long as nobody is below zero. The root
has no neighbour and needs none.

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

from anonymize.verify import PLENTY, SHOWN, WITHHELD, Tree, sums

Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Cleared:
    """Cells that nobody shows, counted."""

    unshown: int  # not shown, not withheld and not on the list, less those below a shown zero, which are 0
    cleared: int  # of these, cells that can be 1 … threshold


@dataclass(frozen=True, slots=True, eq=False)
class Layers:
    """A tree, as arrays."""

    parent: Ints
    lowest: Ints
    downwards: tuple[Ints, ...]  # numbers of the codes of every level below the root

    @classmethod
    def of(cls, tree: Tree) -> Layers:
        """Read a tree once for all exchanges."""
        depth = [0]
        for up in tree.parent[1:]:
            depth.append(depth[up] + 1)
        layers = tuple(np.flatnonzero(np.array(depth) == level) for level in range(1, max(depth) + 1))
        return cls(np.array(tree.parent), tree.lowest, layers)

    def path(self, code: int) -> list[int]:
        """A code and those above it, up to the root."""
        found = [code]
        while self.parent[found[-1]] >= 0:
            found.append(int(self.parent[found[-1]]))
        return found


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two lowest codes of an exchange on one dimension."""

    position: int  # among the lowest codes
    codes: tuple[int, ...]  # the lowest code and those above it, up to where the two part


Corner = dict[int, Side]  # on each chosen dimension one of its sides


def cleared(
    trees: Sequence[Tree], state: Ints, count: Ints, threshold: int, base: Ints, large: Sequence[tuple[int, ...]] = ()
) -> Cleared:
    """Count the unshown cells for which exchanges in a possible table prove every value from 1 to the threshold.

    The first dimension is that of the places. All else is as in `anonymize.verify.verify`; cells on the list are left
    as they are, as withheld ones are.
    """
    state = state.copy()
    for listed in large:
        state[listed] = WITHHELD
    unshown = (state != SHOWN) & (state != WITHHELD) & ~below(trees, (state == SHOWN) & (count == 0))
    values = sums(trees, base)
    up, down = units(trees, state, base)
    return Cleared(int(unshown.sum()), int((unshown & (values - down <= 1) & (values + up >= threshold)).sum()))


def units(trees: Sequence[Tree], state: Ints, base: Ints) -> tuple[Ints, Ints]:
    """How many persons more, and fewer, every cell can have by one kind of exchange."""
    opened = ~above(trees, (state == SHOWN) | (state == WITHHELD))
    up, down = np.zeros(state.shape, dtype=np.int64), np.zeros(state.shape, dtype=np.int64)
    places, *others = (Layers.of(tree) for tree in trees)
    for many in range(len(others) + 1):
        for axes in combinations(range(len(others)), many):
            for sides in product(*(_sides(others[axis]) for axis in axes)):
                _exchange(places, others, opened, base, dict(zip(axes, sides, strict=True)), up, down)
    return up, down


def _sides(tree: Layers) -> list[tuple[Side, Side]]:
    """Every two lowest codes of a tree."""
    found = []
    for one, other in combinations(range(len(tree.lowest)), 2):
        first, second = (tree.path(int(tree.lowest[position])) for position in (one, other))
        shared = set(first) & set(second)
        found.append(
            (
                Side(one, tuple(code for code in first if code not in shared)),
                Side(other, tuple(code for code in second if code not in shared)),
            )
        )
    return found


def _exchange(
    places: Layers,
    others: Sequence[Layers],
    opened: Flags,
    base: Ints,
    chosen: dict[int, tuple[Side, Side]],
    up: Ints,
    down: Ints,
) -> None:
    """Raise `up` and `down` to what one choice of corners gives: {dimension: its two sides}."""
    corners: list[Corner] = [dict(zip(chosen, one, strict=True)) for one in product(*chosen.values())]
    is_even = [sum(side is chosen[t][1] for t, side in corner.items()) % 2 == 0 for corner in corners]
    usable = np.logical_and.reduce([opened[_widest(corner, len(others))] for corner in corners])
    even, odd = (
        _up_the_tree(places, _fewest(base, [c for c, e in zip(corners, is_even, strict=True) if e is side]))
        for side in (True, False)
    )
    left = [tree for axis, tree in enumerate(others) if axis not in chosen]
    gain = _with_sums(left, _reach(places, usable, odd, even))
    loss = _with_sums(left, _reach(places, usable, even, odd))
    for corner, same in zip(corners, is_even, strict=True):
        for codes in product(*(side.codes for side in corner.values())):
            cells = _at(dict(zip(corner, codes, strict=True)), len(others))
            np.maximum(up[cells], gain if same else loss, out=up[cells])
            np.maximum(down[cells], loss if same else gain, out=down[cells])


def _widest(corner: Corner, dimensions: int) -> tuple[slice | int, ...]:
    """Where the cell stands that a whole corner is in or below; roots come first."""
    return (slice(None), *(corner[t].codes[-1] if t in corner else 0 for t in range(dimensions)))


def _at(numbers: dict[int, int], dimensions: int) -> tuple[slice | int, ...]:
    """Where all cells with these numbers on some dimensions stand."""
    return (slice(None), *(numbers.get(t, slice(None)) for t in range(dimensions)))


def _fewest(base: Ints, corners: Sequence[Corner]) -> Ints:
    """(lowest places, lowest codes not chosen …) units that take one person of each corner; no corner, no limit."""
    if not corners:
        return np.full(base.shape, PLENTY, dtype=np.int64)
    lowest = [{t: side.position for t, side in corner.items()} for corner in corners]
    fewest: Ints = np.minimum.reduce([base[_at(one, base.ndim - 1)] for one in lowest])
    return fewest


def _reach(places: Layers, usable: Flags, own: Ints, theirs: Ints) -> Ints:
    """Units at every place: what it has itself, and what the neighbours of it or of a place above it have."""
    parent = places.parent
    wide = usable.reshape(-1, *([1] * (own.ndim - 1)))
    given = np.where(wide, theirs, 0)
    together = np.zeros_like(given)
    np.add.at(together, parent[1:], given[1:])
    far = np.where(wide, together[parent] - given, 0)
    far[0] = PLENTY if usable[0] else 0
    best = far.copy()
    for here in places.downwards:
        best[here] = np.maximum(best[here], best[parent[here]])
    reached: Ints = np.minimum(own, best)
    return reached


def _up_the_tree(tree: Layers, lowest: Ints) -> Ints:
    """Sums of the lowest codes' numbers at every code."""
    out = np.zeros((len(tree.parent), *lowest.shape[1:]), dtype=np.int64)
    out[tree.lowest] = lowest
    for here in reversed(tree.downwards):
        np.add.at(out, tree.parent[here], out[here])
    return out


def _with_sums(trees: Sequence[Layers], numbers: Ints) -> Ints:
    """With the sums of every further axis."""
    for axis, tree in enumerate(trees, start=1):
        numbers = np.moveaxis(_up_the_tree(tree, np.moveaxis(numbers, axis, 0)), 0, axis)
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
