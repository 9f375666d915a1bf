r"""Moves: exchanges of whole persons that change a wanted cell and no shown one.

**A move.** Every dimension is a tree of nodes, its total at the root; so are the places. Take a cell: a place g and a
node x_t on each dimension t. Choose dimensions S that it breaks down. On each t in S choose a *pivot* p_t, which is x_t
or a node above it, and a *sibling* q_t of the pivot; for the place a pivot a (g itself or a place above it) and a
*partner* h, a sibling of a. One unit of the move picks a lowest place d under g and e under h, on each t in S a lowest
category c_t under x_t and c'_t under q_t, and one category r_t under x_t for every other dimension. It adds, with
sign(y) = +1 for an even and -1 for an odd number of primed categories,

    sign(y) persons of type (y, r) at d and -sign(y) at e, for all y in the product of the {c_t, c'_t}.

**What it changes.** A node that is above both c_t and c'_t counts them together, and their signs are opposite, so a
cell with such a node on some t in S stays. A place over both d and e gets and loses the same types, so all its cells
stay. What changes are cells at places from d up to a and from e up to h, with a node from c_t up to p_t or from c'_t up
to q_t on every t in S. All of them are the *corners*, which have p_t or q_t on each t in S and the total elsewhere, at
a and at h, or break a corner down. The cell itself changes by +1 (by -1 in the opposite direction).

**Why it is enough to look at the corners.** The design shows at most what it shows further up and in coarser crosses,
and nothing is shown below a withheld cell, down the places and down every dimension. So once a corner is not shown,
nothing that breaks it down is, and none of it bears the mark c. A table is therefore possible after the move if no
inner count is negative, no corner is shown, and every corner marked c keeps at least what an outsider knows it to have:
1, or the threshold k where it is as large (`Lattice.least`). Other cells marked c do not change.

**Many units at once.** Units of different types do not stand in each other's way. So they are laid for all r together,
and for categories under x_t and q_t that are *paired*, each standing in one pair at most: no person is counted twice.
Of several pairings the one counts that goes furthest.

**Whole values.** Along one direction every unit takes from the same corners and inner cells and gives to the same
others, so if u units fit, so do 1, 2, … u - 1. A cell of value v for which v - 1 units fit downwards and k - v upwards
can therefore have every whole value 1 … k, each in a table of whole non-negative counts that agrees with all that is
published.

**Later changes do no harm.** A cell withheld later had its own value in all these tables; a cell that becomes
d, or is dropped, is bound by less than before.

Without a sibling (the root) a move needs no partner: persons change category, and the root's corners are not shown.
With S empty persons leave h and come to g.

Source: the hypercube method (Repsilber 1994; Giessing and Repsilber 2002), with trees for axes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import product

import numpy as np
from numpy.typing import NDArray

from anonymize.protection.lattice import PLENTY, Flags, Ints, Lattice
from anonymize.tables import Mark

MOST_PAIRINGS = 6  # of two nodes' categories
# by axis, the two faces of an exchange over three dimensions: its corners that leave, and its corners that come
FACES = (
    (([0, 1], [0, 1]), ([2, 3], [2, 3])),
    (([0, 2], [0, 2]), ([1, 3], [1, 3])),
    (([0, 3], [1, 2]), ([1, 2], [0, 3])),
)


@dataclass(frozen=True, slots=True, eq=False)
class Swap:
    """A cell's exchanges over one cross, which says where the pivots are: an alternative is one choice of siblings."""

    corners: Ints  # (alternatives, 2^|S|) flat cells of the cross; the first is the cell's own, or above it
    even: Flags  # (2^|S|,) corners that change as the cell does
    inner_even: Ints  # (alternatives × pairings, half of the corners, rests) inner cells
    inner_odd: Ints
    distinct: Flags  # (alternatives × pairings, rests) false for a rest that stands there only to fill up

    @property
    def pairings(self) -> int:
        """How many pairings each alternative has."""
        return len(self.inner_even) // max(len(self.corners), 1)


@dataclass(frozen=True, slots=True)
class Move:
    """One alternative of a swap between two places; `partner` is -1 at the root."""

    place: int
    pivot: int
    partner: int
    cell: int
    cross: int
    alternative: int


@dataclass(frozen=True, slots=True, eq=False)
class Offers:
    """All moves of a cell over one cross and pivot, (partners, alternatives): what each costs and how far it goes."""

    partners: Ints
    price: Ints  # of the shown cells to be withheld; PLENTY where impossible
    up: Ints  # units
    down: Ints


class Swaps:
    """Makes and keeps the swaps of every cell and cross of one lattice."""

    def __init__(self, lattice: Lattice) -> None:
        self.lattice = lattice
        self.of = lru_cache(maxsize=None)(self._of)

    def _of(self, cell: int, cross: int) -> Swap:
        lattice = self.lattice
        here = lattice.coordinates[cell].tolist()
        axes = lattice.dimensions_of(cross)
        pivots = [int(lattice.above[t][here[t], lattice.depth_in(cross, t)]) for t in axes]
        rests = [(-1,) if t in axes else lattice.leaves[t][node] for t, node in enumerate(here)]
        signs = list(product((0, 1), repeat=len(axes)))
        corners: list[list[int]] = []
        inner: list[list[Ints]] = []
        for siblings in product(*(lattice.beside(t, pivot) for t, pivot in zip(axes, pivots, strict=True))):
            sides = list(zip(pivots, siblings, strict=True))
            corners.append([lattice.cell(_with(lattice.totals, axes, sides, sign)) for sign in signs])
            paired = [
                pairings(lattice.leaves[t][here[t]], lattice.leaves[t][sibling])
                for t, sibling in zip(axes, siblings, strict=True)
            ]
            inner.append([self._types(axes, pairing, rests, signs) for pairing in product(*paired)])
        types, distinct = _side_by_side(inner, len(signs))
        even = np.array([sum(sign) % 2 == 0 for sign in signs])
        cells = np.array(corners, dtype=np.int64).reshape(len(corners), len(signs))
        return Swap(cells, even, types[:, even], types[:, ~even], distinct)

    def _types(
        self,
        axes: Sequence[int],
        paired: Sequence[Sequence[tuple[int, int]]],
        rests: Sequence[Sequence[int]],
        signs: Sequence[Sequence[int]],
    ) -> Ints:
        """(corners, rests) inner cells: a rest is one pair on each dimension of the exchange, a category elsewhere."""
        every = list(product(product(*paired), product(*rests)))
        inner = [[self.lattice.inner_cell(_with(rest, axes, pairs, sign)) for pairs, rest in every] for sign in signs]
        return np.array(inner, dtype=np.int64)


def _with(at: Sequence[int], axes: Sequence[int], sides: Sequence[tuple[int, int]], sign: Sequence[int]) -> list[int]:
    """Coordinates with one of two sides on some axes: that of a corner's sign."""
    of = {t: side[s] for t, side, s in zip(axes, sides, sign, strict=True)}
    return [of.get(t, node) for t, node in enumerate(at)]


def _side_by_side(inner: Sequence[Sequence[Ints]], corners: int) -> tuple[Ints, Flags]:
    """Types of alternatives and their pairings in one array (alternatives × pairings, corners, rests), filled up.

    And which rests are distinct; the others repeat one of their own.
    """
    many = max((len(one) for one in inner), default=1)
    width = max((types.shape[1] for one in inner for types in one), default=1)
    every = [one[number % len(one)] for one in inner for number in range(many)]
    filled = [types[:, np.arange(width) % types.shape[1]] for types in every]
    distinct = [np.arange(width) < types.shape[1] for types in every]
    shape = (len(every), corners, width)
    return np.array(filled, dtype=np.int64).reshape(shape), np.array(distinct, dtype=np.bool_).reshape(
        len(every), width
    )


def pairings(own: Sequence[int], other: Sequence[int]) -> list[list[tuple[int, int]]]:
    """Ways to pair categories of two nodes, each standing in one pair at most: side by side, then shifted.

    >>> pairings((0, 1), (2, 3, 4))
    [[(0, 2), (1, 3)], [(0, 3), (1, 4)], [(0, 4), (1, 2)]]
    """
    if len(own) > len(other):
        return [[(a, b) for b, a in pairs] for pairs in pairings(other, own)]
    shifts = range(min(len(other), MOST_PAIRINGS))
    return [[(a, other[(i + shift) % len(other)]) for i, a in enumerate(own)] for shift in shifts]


def persons(lattice: Lattice, places: Ints, leaving: Ints, coming: Ints, movable: Ints) -> Ints:
    """How many units the places can give: (places, alternatives, rests).

    A unit takes one person of each type that leaves and adds one of each that comes (alternatives, half of the corners,
    rests), all at one lowest place. `places` are all children of one place, or one place alone; `movable` (lowest
    places, inner cells) are the persons that may be taken away.
    """
    start = lattice.leaf_start[places]
    here = slice(start[0], lattice.leaf_end[places[-1]])
    units = exchanged(movable[here], lattice.open[here], leaving, coming)
    if len(units) == len(places):
        return units
    sums: Ints = np.add.reduceat(units, start - start[0], axis=0)
    return np.minimum(sums, PLENTY)


def splittable(lattice: Lattice, marks: NDArray[np.uint8]) -> Flags:
    """Places below which no cross of two or more dimensions is shown, marked c, or has a large cell."""
    speaks = (marks < Mark.BELOW) | lattice.large
    coupled: Flags = np.any(speaks[:, np.bitwise_count(lattice.axes) > 1], axis=1)
    return lattice.none_below(coupled)


def exchanged(counts: Ints, may_come: Flags, leaving: Ints, coming: Ints) -> Ints:
    """(places, alternatives, rests) units that take a person of each type leaving and add one of each type coming.

    Types are (alternatives, corners, rests); one of the two may have no corners. Nobody comes where all know of a zero.
    """
    if leaving.shape[1]:
        units: Ints = counts[:, leaving[:, 0]]
    else:
        units = np.full((len(counts), coming.shape[0], coming.shape[2]), PLENTY, dtype=np.int64)
    for corner in range(1, leaving.shape[1]):
        np.minimum(units, counts[:, leaving[:, corner]], out=units)
    if not may_come.all():
        for corner in range(coming.shape[1]):
            units *= may_come[:, coming[:, corner]]
    return units


def dealt(units: int, room: Ints) -> Ints:
    """Units dealt out to places in turn, to each as far as it has room."""
    share: Ints = np.clip(units - (np.cumsum(room) - room), 0, room)
    return share


def offers(lattice: Lattice, swap: Swap, place: int, pivot: int, marks: NDArray[np.uint8], prices: Ints) -> Offers:
    """What every partner and alternative of a swap would cost and bring."""
    group = lattice.group(pivot)
    others = group != pivot
    partners = group[others] if lattice.parent[pivot] >= 0 else np.array([-1], dtype=np.int64)
    movable = lattice.inner - lattice.staying(int(lattice.level[pivot]))
    even, odd = _both(lattice, group, swap, movable)
    if place == pivot:
        here = int(np.searchsorted(group, pivot))
        own_even, own_odd = even[here], odd[here]
    else:
        own_even, own_odd = (units[0] for units in _both(lattice, np.array([place], dtype=np.int64), swap, movable))
    own_even, own_odd = own_even * swap.distinct, own_odd * swap.distinct
    mark, value = marks[pivot][swap.corners], lattice.values[pivot][swap.corners]
    spare = lattice.values - lattice.least
    price = _price(mark, value, prices[pivot][swap.corners])
    give = _give(mark, spare[pivot][swap.corners])
    if lattice.parent[pivot] < 0:
        up = np.minimum(_furthest(own_odd, swap), _least_of(give, ~swap.even))[None]
        down = np.minimum(_furthest(own_even, swap), _least_of(give, swap.even))[None]
        return Offers(partners, price[None], up, down)
    up = _furthest(np.minimum(own_odd, even[others]), swap)
    down = _furthest(np.minimum(own_even, odd[others]), swap)
    far_mark, far_value = marks[partners][:, swap.corners], lattice.values[partners][:, swap.corners]
    far_give = _give(far_mark, spare[partners][:, swap.corners])
    up = np.minimum(up, np.minimum(_least_of(give, ~swap.even), _least_of(far_give, swap.even)))
    down = np.minimum(down, np.minimum(_least_of(give, swap.even), _least_of(far_give, ~swap.even)))
    price = np.minimum(price + _price(far_mark, far_value, prices[partners][:, swap.corners]), PLENTY)
    return Offers(partners, price, up, down)


def _furthest(units: Ints, swap: Swap) -> Ints:
    """(…, alternatives) units over all rests (last axis), of the pairing that goes furthest."""
    together = units.sum(axis=-1)
    furthest: Ints = together.reshape(*together.shape[:-1], len(swap.corners), swap.pairings).max(axis=-1)
    return furthest


def _both(lattice: Lattice, places: Ints, swap: Swap, movable: Ints) -> tuple[Ints, Ints]:
    """Units in which the even types leave, and in which the odd ones do."""
    even = persons(lattice, places, swap.inner_even, swap.inner_odd, movable)
    return even, persons(lattice, places, swap.inner_odd, swap.inner_even, movable)


def _price(mark: NDArray[np.uint8], value: Ints, prices: Ints) -> Ints:
    """Sum over the corners (last axis) of what withholding the shown ones costs; a shown zero can't be withheld."""
    shown = mark == Mark.SHOWN
    cost: Ints = np.where(shown, np.where(value > 0, prices, PLENTY), 0).sum(axis=-1)
    return np.minimum(cost, PLENTY)


def _give(mark: NDArray[np.uint8], spare: Ints) -> Ints:
    """How many persons each corner can lose: one marked c, by now or soon, keeps what it is known to have."""
    return np.where(mark <= Mark.WITHHELD, spare, PLENTY)


def _least_of(give: Ints, which: Flags) -> Ints:
    """The least over some of the corners (last axis)."""
    least: Ints = give[..., which].min(axis=-1, initial=PLENTY)
    return least
