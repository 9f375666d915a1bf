"""A table and all its margins laid flat: one row per place, one column per cell, so that protection can reckon fast.

Places stand depth first, so that what lies under a place is one slice of rows, and the lowest places under it one
slice of inner rows. A *cross* is a set of dimensions broken down, written as a bit mask (bit 0: the first dimension).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product

import numpy as np
from numpy.typing import NDArray

from anonymize.errors import BadCells
from anonymize.tables import TOTAL, CellRef, Cells, Places

Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]


def members(cross: int) -> tuple[int, ...]:
    """The dimensions of a cross.

    >>> members(0b101)
    (0, 2)
    """
    return tuple(axis for axis in range(cross.bit_length()) if cross >> axis & 1)


def subcrosses(cross: int) -> tuple[int, ...]:
    """Every cross within a cross, the finest first.

    >>> subcrosses(0b101)
    (5, 1, 4, 0)
    """
    within = [mask for mask in range(cross + 1) if mask & cross == mask]
    return tuple(sorted(within, key=lambda mask: (-mask.bit_count(), mask)))


@dataclass(frozen=True)
class Lattice:
    """True counts and all their margins, flat. Never leaves the owner's side."""

    cells: Cells
    order: Ints  # (places,) index in `cells.places` of the place at each row: depth first
    parent: Ints  # (places,) row of the parent, -1 for the root
    level: Ints  # (places,)
    end: Ints  # (places,) rows g … end[g] - 1 are g and all places under it
    leaf_start: Ints  # (places,) inner rows leaf_start … leaf_end - 1 are the lowest places under it
    leaf_end: Ints
    values: Ints  # (places, cells) every margin
    least: Ints  # (places, cells) what is known of a cell that is marked c: that it is at least so many
    inner: Ints  # (lowest places, inner cells)
    open: Flags  # (lowest places, inner cells) what nobody knows to be zero: persons may come there

    @classmethod
    def of(cls, cells: Cells, threshold: int | None = None) -> Lattice:
        """Lay a table flat.

        A cell marked c is known to be at least 1; with a threshold, to be at least that where it is, and every count of
        zero is known, shown or not.
        """
        places = cells.places
        order = depth_first(places)
        row = np.empty(len(places), dtype=np.int64)
        row[order] = np.arange(len(places))
        level = places.level[order]
        above = places.parent[order]
        parent = np.where(above < 0, -1, row[above])
        is_leaf = level == len(places.levels) - 1
        ends = np.arange(1, len(places) + 1)
        for g in range(len(places) - 1, 0, -1):
            ends[parent[g]] = max(ends[parent[g]], ends[g])
        before = np.concatenate([[0], np.cumsum(is_leaf)])
        inner_row = np.searchsorted(places.leaves, order[is_leaf])
        values = np.ascontiguousarray(cells.with_margins()[order].reshape(len(places), -1))
        inner = np.ascontiguousarray(cells.counts[inner_row].reshape(int(is_leaf.sum()), -1))
        return cls(
            cells,
            order,
            parent,
            level,
            ends,
            before[:-1],
            before[ends],
            values,
            np.where(values >= threshold, threshold, 1) if threshold else np.ones_like(values),
            inner,
            inner > 0 if threshold else np.ones_like(inner, dtype=np.bool_),
        )

    @cached_property
    def children(self) -> tuple[Ints, ...]:
        """Rows of the places right under each place."""
        return tuple(np.flatnonzero(self.parent == g) for g in range(len(self.parent)))

    @cached_property
    def sizes(self) -> tuple[int, ...]:
        """How many categories each dimension has."""
        return tuple(len(d.categories) for d in self.cells.dimensions)

    @cached_property
    def coordinates(self) -> Ints:
        """(cells, dimensions) category of each cell, the dimension's size where it is not broken down."""
        every = list(product(*(range(size + 1) for size in self.sizes)))
        return np.array(every, dtype=np.int64).reshape(len(every), len(self.sizes))

    @cached_property
    def cross(self) -> Ints:
        """(cells,) the cross each cell belongs to."""
        bits = 1 << np.arange(len(self.sizes), dtype=np.int64)
        broken_down: Ints = (self.coordinates < np.array(self.sizes, dtype=np.int64)) @ bits
        return broken_down

    @cached_property
    def finer(self) -> tuple[Ints, ...]:
        """For each cell, itself and all cells that break it down further."""
        total = np.array(self.sizes, dtype=np.int64)
        return tuple(
            np.flatnonzero(((self.coordinates == here) | (here == total)).all(axis=1)) for here in self.coordinates
        )

    @cached_property
    def inner_cells(self) -> Ints:
        """(inner cells,) the flat cell of each inner cell: all dimensions broken down."""
        return np.flatnonzero(self.cross == (1 << len(self.sizes)) - 1)

    @cached_property
    def lowest(self) -> Ints:
        """(lowest places,) the row of the place of each inner row."""
        return np.flatnonzero(self.level == len(self.cells.places.levels) - 1)

    @cached_property
    def membership(self) -> Flags:
        """(cells, inner cells) which inner cells each cell sums up."""
        here, inner = self.coordinates[:, None, :], self.coordinates[self.inner_cells][None, :, :]
        sums: Flags = ((here == inner) | (here == np.array(self.sizes, dtype=np.int64))).all(axis=2)
        return sums

    @cached_property
    def parts(self) -> tuple[tuple[Ints, Ints], ...]:
        """For every dimension, cells that do not break it down and (cells, categories) their parts that do."""
        out = []
        for axis, size in enumerate(self.sizes):
            total = np.flatnonzero(self.coordinates[:, axis] == size)
            stride = int(np.prod([other + 1 for other in self.sizes[axis + 1 :]]))
            out.append((total, total[:, None] - stride * np.arange(size, 0, -1)[None, :]))
        return tuple(out)

    def is_lowest(self, place: int) -> bool:
        """Whether nothing is below a place."""
        return bool(self.level[place] == len(self.cells.places.levels) - 1)

    def none_below(self, flags: Flags) -> Flags:
        """Places under which no place bears a flag (places,); a place's own does not count."""
        up_to = np.concatenate([[0], np.cumsum(flags)])
        none: Flags = up_to[self.end] == up_to[np.arange(len(flags)) + 1]
        return none

    def cell(self, coordinates: Sequence[int]) -> int:
        """The flat cell with these categories (a dimension's size: not broken down)."""
        flat = 0
        for size, category in zip(self.sizes, coordinates, strict=True):
            flat = flat * (size + 1) + category
        return flat

    def inner_cell(self, coordinates: Sequence[int]) -> int:
        """The inner cell with these categories."""
        flat = 0
        for size, category in zip(self.sizes, coordinates, strict=True):
            flat = flat * size + category
        return flat

    def path(self, place: int) -> list[int]:
        """A place and those above it, up to the root."""
        rows = [place]
        while self.parent[rows[-1]] >= 0:
            rows.append(int(self.parent[rows[-1]]))
        return rows

    def group(self, place: int) -> Ints:
        """A place and its siblings; the root is alone."""
        above = int(self.parent[place])
        return self.children[above] if above >= 0 else np.array([place], dtype=np.int64)

    def sum_finer(self, weights: Ints) -> Ints:
        """For each cell, the sum of weights over itself, all that break it down, and all of these in places below."""
        out = weights.reshape(len(self.parent), *(size + 1 for size in self.sizes)).copy()
        for axis in range(1, out.ndim):
            by_axis = np.moveaxis(out, axis, 0)
            by_axis[-1] += by_axis[:-1].sum(axis=0)
        flat = out.reshape(weights.shape)
        for depth in range(int(self.level.max()), 0, -1):
            here = np.flatnonzero(self.level == depth)
            np.add.at(flat, self.parent[here], flat[here])
        return flat

    def ref(self, place: int, cell: int) -> CellRef:
        """The name of a cell."""
        places = self.cells.places
        names = tuple(
            (*dimension.categories, TOTAL)[category]
            for dimension, category in zip(self.cells.dimensions, self.coordinates[cell], strict=True)
        )
        return CellRef(places.levels[int(self.level[place])], places.codes[int(self.order[place])], names)

    def find(self, ref: CellRef) -> tuple[int, int]:
        """Row and flat cell of a name; BadCells if the table has none such."""
        places = self.cells.places
        try:
            depth = places.levels.index(ref.level)
            category = [
                (*dimension.categories, TOTAL).index(name)
                for dimension, name in zip(self.cells.dimensions, ref.categories, strict=True)
            ]
            place = next(i for i, code in enumerate(places.codes) if code == ref.place and places.level[i] == depth)
        except (ValueError, StopIteration) as error:
            raise BadCells(f"the table has no cell {ref}") from error
        return int(np.flatnonzero(self.order == place)[0]), self.cell(category)


def depth_first(places: Places) -> Ints:
    """Indices of all places, each followed by everything under it, children in order of code."""
    below: list[list[int]] = [[] for _ in range(len(places))]
    root = 0
    for place, above in enumerate(places.parent.tolist()):
        if above < 0:
            root = place
        else:
            below[above].append(place)
    order: list[int] = []
    waiting = [root]
    while waiting:
        place = waiting.pop()
        order.append(place)
        waiting.extend(reversed(below[place]))
    return np.array(order, dtype=np.int64)
