"""A table and all its margins laid flat: one row per place, one column per cell, so that protection can reckon fast.

Places stand depth first, so that what lies under a place is one slice of rows, and the lowest places under it one
slice of inner rows. A *cross* says how far down each dimension is broken down: not at all, to the nodes right below its
total, to those below them. It is written as a bit mask, one bit for each level of a dimension (bit 0: the first level
of the first), a deeper one never without those above it. So a flat dimension has one bit, and of two crosses one is as
fine as the other where it has all of its bits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anonymize.errors import BadCells
from anonymize.tables import CellRef, Cells, Mark, Places

Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]

PLENTY = 1 << 40  # more persons than there are; no limit


def members(axes: int) -> tuple[int, ...]:
    """The dimensions in a bit mask of dimensions.

    >>> members(0b101)
    (0, 2)
    """
    return tuple(axis for axis in range(axes.bit_length()) if axes >> axis & 1)


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
    least: Ints  # (places, cells) what is known of a cell that is bound: that it is at least so many
    inner: Ints  # (lowest places, inner cells)
    open: Flags  # (lowest places, inner cells) what nobody knows to be zero: persons may come there
    large: Flags  # (places, cells) what is known to be at least `least` even where it is not marked c (see `promise`)

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
            np.zeros(values.shape, dtype=np.bool_),
        )

    @cached_property
    def children(self) -> tuple[Ints, ...]:
        """Rows of the places right under each place."""
        return tuple(np.flatnonzero(self.parent == g) for g in range(len(self.parent)))

    @cached_property
    def sizes(self) -> tuple[int, ...]:
        """How many lowest categories each dimension has."""
        return tuple(len(d.categories) for d in self.cells.dimensions)

    @cached_property
    def widths(self) -> tuple[int, ...]:
        """How many nodes each dimension has."""
        return tuple(len(d.nodes) for d in self.cells.dimensions)

    @cached_property
    def totals(self) -> tuple[int, ...]:
        """The node of each dimension that stands for all of it."""
        return tuple(width - 1 for width in self.widths)

    @cached_property
    def depths(self) -> tuple[Ints, ...]:
        """By dimension: (nodes,) how far below the total each node stands."""
        return tuple(np.array(d.depth, dtype=np.int64) for d in self.cells.dimensions)

    @cached_property
    def _first_bit(self) -> tuple[int, ...]:
        deepest = [int(depth.max()) for depth in self.depths]
        return tuple(sum(deepest[:axis]) for axis in range(len(deepest)))

    @cached_property
    def coordinates(self) -> Ints:
        """(cells, dimensions) node of each cell, the dimension's total where it is not broken down."""
        every = list(product(*(range(width) for width in self.widths)))
        return np.array(every, dtype=np.int64).reshape(len(every), len(self.widths))

    @cached_property
    def cross(self) -> Ints:
        """(cells,) the cross each cell belongs to."""
        broken_down = np.zeros(len(self.coordinates), dtype=np.int64)
        for axis, (depth, bit) in enumerate(zip(self.depths, self._first_bit, strict=True)):
            broken_down |= ((1 << depth) - 1 << bit)[self.coordinates[:, axis]]
        return broken_down

    @cached_property
    def crosses(self) -> tuple[int, ...]:
        """Every cross, each after all that are coarser."""
        return tuple(sorted(self._cross_of(depths) for depths in product(*(range(d.max() + 1) for d in self.depths))))

    def _cross_of(self, depths: Sequence[int]) -> int:
        return sum((1 << depth) - 1 << bit for depth, bit in zip(depths, self._first_bit, strict=True))

    def step(self, axis: int, depth: int = 1) -> int:
        """The cross of one dimension alone, down to a depth."""
        return (1 << depth) - 1 << self._first_bit[axis]

    @cached_property
    def steps(self) -> tuple[tuple[int, int], ...]:
        """Dimension and depth of every cross of one dimension alone, coarse ones first."""
        return tuple((axis, depth) for axis, d in enumerate(self.depths) for depth in range(1, int(d.max()) + 1))

    def dimensions_of(self, cross: int) -> tuple[int, ...]:
        """The dimensions that a cross breaks down."""
        return tuple(axis for axis, bit in enumerate(self._first_bit) if cross >> bit & 1)

    def depth_in(self, cross: int, axis: int) -> int:
        """How far down a cross breaks a dimension down."""
        return (cross >> self._first_bit[axis] & (1 << int(self.depths[axis].max())) - 1).bit_count()

    def subcrosses(self, cross: int) -> tuple[int, ...]:
        """Every cross within a cross, the finest first."""
        return self._within[cross]

    @cached_property
    def _within(self) -> dict[int, tuple[int, ...]]:
        return {
            cross: tuple(
                sorted((m for m in self.crosses if m & cross == m), key=lambda mask: (-mask.bit_count(), mask))
            )
            for cross in self.crosses
        }

    def names_in(self, cross: int) -> tuple[str, ...]:
        """What a cross crosses, in the words of `Drop`."""
        dimensions = self.cells.dimensions
        return tuple(dimensions[t].steps[self.depth_in(cross, t) - 1] for t in self.dimensions_of(cross))

    def crossing(self, names: Sequence[str]) -> int:
        """The cross of these names."""
        at = {name: (t, i) for t, d in enumerate(self.cells.dimensions) for i, name in enumerate(d.steps, start=1)}
        return sum(self.step(*at[name]) for name in names)

    @cached_property
    def axes(self) -> Ints:
        """(cells,) the dimensions that each cell breaks down, at whatever depth, as a bit mask of dimensions."""
        bits = 1 << np.arange(len(self.widths), dtype=np.int64)
        broken_down: Ints = (self.coordinates < np.array(self.totals, dtype=np.int64)) @ bits
        return broken_down

    @cached_property
    def above(self) -> tuple[Ints, ...]:
        """By dimension: (nodes, depths) the node at each depth that a node is below, or is; -1 deeper than itself."""
        out = []
        for dimension, depth in zip(self.cells.dimensions, self.depths, strict=True):
            at = np.full((len(depth), int(depth.max()) + 1), -1, dtype=np.int64)
            for node in range(len(depth)):
                path = dimension.path(node)
                at[node, depth[list(path)]] = path
            out.append(at)
        return tuple(out)

    @cached_property
    def leaves(self) -> tuple[tuple[tuple[int, ...], ...], ...]:
        """By dimension and node: the lowest categories below it, or itself."""
        return tuple(
            tuple(tuple(np.flatnonzero((above[:size] == node).any(axis=1)).tolist()) for node in range(len(above)))
            for above, size in zip(self.above, self.sizes, strict=True)
        )

    def beside(self, axis: int, node: int) -> tuple[int, ...]:
        """The other nodes right below the one that a node is right below."""
        parent = self.cells.dimensions[axis].parent
        return tuple(other for other, above in enumerate(parent) if above == parent[node] and other != node)

    @cached_property
    def _below(self) -> Flags:
        """(cells, cells) whether the second breaks the first down, or is the same."""
        flags = np.ones((len(self.coordinates),) * 2, dtype=np.bool_)
        for axis, (above, depth) in enumerate(zip(self.above, self.depths, strict=True)):
            nodes = np.arange(len(depth))
            under = above[nodes[None, :], depth[:, None]] == nodes[:, None]
            here = self.coordinates[:, axis]
            flags &= under[np.ix_(here, here)]
        return flags

    @cached_property
    def finer(self) -> tuple[Ints, ...]:
        """For each cell, itself and all cells that break it down further."""
        return tuple(np.flatnonzero(below) for below in self._below)

    @cached_property
    def inner_cells(self) -> Ints:
        """(inner cells,) the flat cell of each inner cell: lowest categories of all dimensions."""
        return np.flatnonzero((self.coordinates < np.array(self.sizes, dtype=np.int64)).all(axis=1))

    @cached_property
    def lowest(self) -> Ints:
        """(lowest places,) the row of the place of each inner row."""
        return np.flatnonzero(self.level == len(self.cells.places.levels) - 1)

    @cached_property
    def membership(self) -> Flags:
        """(cells, inner cells) which inner cells each cell sums up."""
        return np.ascontiguousarray(self._below[:, self.inner_cells])

    @cached_property
    def parts(self) -> tuple[tuple[Ints, Ints], ...]:
        """For every node that is no lowest category, its cells and (cells, nodes) their parts right below it."""
        out = []
        for axis, dimension in enumerate(self.cells.dimensions):
            stride = int(np.prod(self.widths[axis + 1 :]))
            parent = np.array(dimension.parent, dtype=np.int64)
            for node in range(self.sizes[axis], self.widths[axis]):
                whole = np.flatnonzero(self.coordinates[:, axis] == node)
                out.append((whole, whole[:, None] + stride * (np.flatnonzero(parent == node) - node)[None, :]))
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
        """The flat cell with these nodes."""
        flat = 0
        for width, node in zip(self.widths, coordinates, strict=True):
            flat = flat * width + node
        return flat

    def single(self, axis: int, node: int) -> int:
        """The flat cell of a node alone, everything else not broken down."""
        return self.cell([node if t == axis else total for t, total in enumerate(self.totals)])

    def inner_cell(self, coordinates: Sequence[int]) -> int:
        """The inner cell with these categories."""
        flat = 0
        for size, category in zip(self.sizes, coordinates, strict=True):
            flat = flat * size + category
        return flat

    def laid(self, array: NDArray[Any]) -> NDArray[Any]:
        """An array in the shape of the table (places, nodes of each dimension …), as (places, cells) in our order."""
        return array.reshape(self.values.shape)[self.order]

    def bound(self, marks: NDArray[np.uint8], places: Ints | slice = slice(None)) -> Flags:
        """(places, cells) which cells of some places are not shown and known to be at least `least`."""
        mark = marks[places]
        flags: Flags = (mark == Mark.WITHHELD) | ((mark >= Mark.BELOW) & self.large[places])
        return flags

    def staying(self, level: int, all_of_them: bool = False) -> Ints:
        """(lowest places, inner cells) how many persons a search among places of a level leaves where they are.

        So many of each large cell's, of such a place or of one below it, as it is known to be: so none shrinks further.
        Those further up stay as they are. A search that begins at another table than the true one, where others may
        have gone, leaves all of them. Linear programs know better: there only the sum counts.
        """
        staying, every = self._staying[level]
        return every if all_of_them else staying

    @cached_property
    def _staying(self) -> list[tuple[Ints, Ints]]:
        found = []
        for top in range(int(self.level.max()) + 1):
            staying = np.zeros_like(self.inner)
            every = np.zeros_like(self.inner)
            for place, cell in np.argwhere(self.large & (self.level >= top)[:, None]).tolist():
                under = slice(int(self.leaf_start[place]), int(self.leaf_end[place]))
                mine = self.membership[cell]
                every[under, mine] = PLENTY
                free = np.where(mine, self.inner[under] - staying[under], 0).reshape(-1)
                order = np.argsort(-free, kind="stable")
                wanted = int(self.least[place, cell] - staying[under][:, mine].sum())
                more = np.empty_like(free)
                more[order] = np.clip(wanted - (np.cumsum(free[order]) - free[order]), 0, free[order])
                staying[under] += more.reshape(-1, staying.shape[1])
            found.append((staying, every))
        return found

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
        out = weights.reshape(len(self.parent), *self.widths).copy()
        for axis, dimension in enumerate(self.cells.dimensions, start=1):
            by_axis = np.moveaxis(out, axis, 0)
            for node, above in enumerate(dimension.parent):
                by_axis[above] += by_axis[node]
        flat = out.reshape(weights.shape)
        for depth in range(int(self.level.max()), 0, -1):
            here = np.flatnonzero(self.level == depth)
            np.add.at(flat, self.parent[here], flat[here])
        return flat

    def ref(self, place: int, cell: int) -> CellRef:
        """The name of a cell."""
        places = self.cells.places
        names = tuple(d.nodes[node] for d, node in zip(self.cells.dimensions, self.coordinates[cell], strict=True))
        return CellRef(places.levels[int(self.level[place])], places.codes[int(self.order[place])], names)

    def find(self, ref: CellRef) -> tuple[int, int]:
        """Row and flat cell of a name; BadCells if the table has none such."""
        places = self.cells.places
        try:
            depth = places.levels.index(ref.level)
            nodes = [d.nodes.index(name) for d, name in zip(self.cells.dimensions, ref.categories, strict=True)]
            place = next(i for i, code in enumerate(places.codes) if code == ref.place and places.level[i] == depth)
        except (ValueError, StopIteration) as error:
            raise BadCells(f"the table has no cell {ref}") from error
        return int(np.flatnonzero(self.order == place)[0]), self.cell(nodes)


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
