"""What is published, as an outsider reads it: unknown inner counts, and what each downloaded row says of their sums.

Built apart from the protector: it reads the rows, and finds by their labels which unknown counts each of them sums up.
Unknown are the inner counts (lowest place × every category), all >= 0. A row with a number is an equation, a row marked
c says «at least 1», a row marked d and a row that is missing say nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import product
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

from anonymize.tables import LETTERS, TOTAL, CellRef, Cells, Dimension, Mark, Places, SafeCells, names_of

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

CLOSE = 1e-5  # counts are whole: nearer than this to a bound is at the bound


@dataclass(frozen=True, slots=True)
class Finding:
    """A cell that an attack brought to light. Private: it holds what an outsider could know."""

    cell: CellRef
    kind: Literal["exact", "interval"]
    low: float
    high: float


@dataclass(frozen=True)
class Published:
    """What anybody can download: the rows of every level, root first, and the public lists of places and categories."""

    places: Places
    dimensions: tuple[Dimension, ...]
    frames: tuple[pd.DataFrame, ...]

    @classmethod
    def of(cls, safe: SafeCells) -> Published:
        """The rows that safe cells give."""
        return cls(safe.places, safe.dimensions, tuple(safe.frame(level) for level in safe.places.levels))


def at_risk(cells: Cells, threshold: int) -> tuple[CellRef, ...]:
    """All cells, of every place and cross, with fewer than a threshold of persons. The owner's knowledge."""
    values = cells.with_margins()
    return names_of(cells.places, cells.dimensions, (values > 0) & (values < threshold))


@dataclass(frozen=True)
class System:
    """Unknown counts, and what published rows say of them."""

    published: Published
    labels: pd.DataFrame  # one row per unknown: the place at every level, the node of every step of a dimension
    matrix: sparse.csr_array  # (statements, unknowns)
    low: Floats
    high: Floats
    free: NDArray[np.bool_]  # unknowns that no shown zero settles

    @classmethod
    def of(cls, published: Published) -> System:
        """Read the rows; those that are sums of other shown rows are left out."""
        labels = unknowns(published)
        blocks, low, high = [], [], []
        free = np.ones(len(labels), dtype=np.bool_)
        for rows, summed in statements(published, labels):
            shown = rows["n"].notna().to_numpy()
            value = rows["n"].fillna(1).to_numpy(dtype=np.float64)
            zero = shown & (value == 0)
            free[summed >= 0] &= ~zero[summed[summed >= 0]]
            kept = np.flatnonzero(~zero & ~(shown & rows["implied"].to_numpy()))
            inside = np.flatnonzero(np.isin(summed, kept))
            at = np.searchsorted(kept, summed[inside])
            blocks.append(sparse.csr_array((np.ones(len(at)), (at, inside)), shape=(len(kept), len(labels))))
            low.append(value[kept])
            high.append(np.where(shown, value, np.inf)[kept])
        matrix = sparse.csr_array(sparse.vstack(blocks))
        return cls(published, labels, matrix, np.concatenate(low), np.concatenate(high), free)

    @cached_property
    def columns(self) -> Ints:
        """The unknowns that are open."""
        return np.flatnonzero(self.free)

    @cached_property
    def equations(self) -> sparse.csr_array:
        """(equations, open unknowns) the statements that say a number."""
        return sparse.csr_array(self.matrix[self.exact][:, self.columns])

    @cached_property
    def exact(self) -> Ints:
        """The statements that say a number."""
        return np.flatnonzero(self.low == self.high)

    def agrees(self, table: Floats) -> bool:
        """Whether a table of all unknowns is one of which every row would say what it says."""
        said = self.matrix @ table
        within = (said > self.low - CLOSE) & (said < self.high + CLOSE)
        return bool(within.all() and not table[~self.free].any())

    def knowing(self, table: Floats, threshold: int) -> System:
        """What somebody makes of the rows who knows more of a table.

        Which withheld cells count a threshold or more, and which counts that are not shown are zero.
        """
        large = (self.high == np.inf) & (self.matrix @ table > threshold - CLOSE)
        return replace(self, low=np.where(large, float(threshold), self.low), free=self.free & (table > 0))

    def stating(self, sums: sparse.csr_array, low: Floats, high: Floats) -> System:
        """With further statements about sums (statements, open unknowns)."""
        sums = sparse.csr_array(sums)
        wide = sparse.csr_array((sums.data, self.columns[sums.indices], sums.indptr), (sums.shape[0], len(self.free)))
        return replace(
            self,
            matrix=sparse.csr_array(sparse.vstack([self.matrix, wide])),
            low=np.concatenate([self.low, low]),
            high=np.concatenate([self.high, high]),
        )

    def at_least(self, sums: sparse.csr_array, least: float) -> System:
        """With the statement that sums (statements, open unknowns) are so many or more."""
        many = sums.shape[0]
        return self.stating(sums, np.full(many, float(least)), np.full(many, np.inf))

    def sums(self, refs: Sequence[CellRef]) -> sparse.csr_array:
        """(cells, open unknowns) what each cell sums up."""
        depth_of = [dict(zip(d.nodes, d.depth, strict=True)) for d in self.published.dimensions]
        row, column = [np.empty(0, dtype=np.int64)], [np.empty(0, dtype=np.int64)]
        by_kind: dict[tuple[str, tuple[int, ...]], list[int]] = {}
        for i, ref in enumerate(refs):
            depths = tuple(of[c] for of, c in zip(depth_of, ref.categories, strict=True))
            by_kind.setdefault((ref.level, depths), []).append(i)
        for (level, depths), indices in by_kind.items():
            wanted = pd.MultiIndex.from_tuples(
                [(refs[i].place, *(c for c in refs[i].categories if c != TOTAL)) for i in indices]
            )
            of = wanted.get_indexer(keys(self.labels, level, steps(self.published.dimensions, depths)))
            inside = np.flatnonzero((of >= 0) & self.free)
            row.append(np.array(indices, dtype=np.int64)[of[inside]])
            column.append(np.searchsorted(self.columns, inside))
        at = (np.concatenate(row), np.concatenate(column))
        return sparse.csr_array((np.ones(len(at[0])), at), shape=(len(refs), len(self.columns)))


def unknowns(published: Published) -> pd.DataFrame:
    """One row per lowest place and combination of categories, with the codes of the places and groups above.

    A step that goes deeper than a category has the category's own code.
    """
    places = published.places
    path = [places.leaves]
    while (places.parent[path[0]] >= 0).all():
        path.insert(0, places.parent[path[0]])
    codes = np.array(places.codes, dtype=object)
    of_place = {f"at {level}": codes[at] for level, at in zip(places.levels, path, strict=True)}
    combinations = list(product(*(d.categories for d in published.dimensions)))
    frame = pd.DataFrame(of_place).loc[lambda f: f.index.repeat(len(combinations))].reset_index(drop=True)
    for i, dimension in enumerate(published.dimensions):
        for depth, step in enumerate(dimension.steps, start=1):
            node = {c: _at_depth(dimension, number, depth) for number, c in enumerate(dimension.categories)}
            frame[step] = np.tile(np.array([node[c[i]] for c in combinations], dtype=object), len(places.leaves))
    return frame


def _at_depth(dimension: Dimension, category: int, depth: int) -> str:
    """The node of a depth that a category is below, or the category where it stands no deeper."""
    path = dimension.path(category)[::-1]
    return dimension.nodes[path[min(depth, len(path) - 1)]]


def steps(dimensions: Sequence[Dimension], depths: Sequence[int]) -> list[str]:
    """The steps that break dimensions down to these depths, those left out that are not broken down."""
    return [d.steps[depth - 1] for d, depth in zip(dimensions, depths, strict=True) if depth]


def patterns(dimensions: Sequence[Dimension]) -> list[tuple[int, ...]]:
    """How far down all dimensions can be broken down together, the furthest first."""
    return list(product(*(range(max(d.depth), -1, -1) for d in dimensions)))


def depths_of(dimensions: Sequence[Dimension], frame: pd.DataFrame) -> Ints:
    """(rows, dimensions) how far below the total each row's node stands."""
    columns = [frame[d.id].map(dict(zip(d.nodes, d.depth, strict=True))).to_numpy(dtype=np.int64) for d in dimensions]
    return np.array(columns, dtype=np.int64).reshape(len(dimensions), len(frame)).T


def keys(labels: pd.DataFrame, level: str, broken: Sequence[str]) -> pd.MultiIndex:
    """For every unknown, the place and nodes of the cell of a level and cross (by its steps) that it belongs to."""
    return pd.MultiIndex.from_frame(labels[[f"at {level}", *broken]])


def statements(published: Published, labels: pd.DataFrame) -> Iterator[tuple[pd.DataFrame, Ints]]:
    """For every level and cross, its rows (n, implied) and for every unknown the row that sums it up, or -1.

    A shown row is implied if the rows right below it on one dimension, or of all places right below, are shown and sum
    to it.
    """
    dimensions = published.dimensions
    shown: dict[tuple[int, tuple[int, ...]], NDArray[np.bool_]] = {}  # for every unknown: its row is shown
    out: list[tuple[pd.DataFrame, Ints]] = []
    levels = published.places.levels
    for depth in range(len(levels) - 1, -1, -1):
        frame = published.frames[depth]
        broken_down = depths_of(dimensions, frame)
        for pattern in patterns(dimensions):
            rows = frame[(broken_down == pattern).all(axis=1)]
            broken = steps(dimensions, pattern)
            columns = ["place", *(d.id for d, down in zip(dimensions, pattern, strict=True) if down)]
            of = pd.MultiIndex.from_frame(rows[columns]).get_indexer(keys(labels, levels[depth], broken))
            has_value = rows["n"].notna().to_numpy()
            here = np.zeros(len(labels), dtype=np.bool_)
            here[of >= 0] = has_value[of[of >= 0]]
            shown[(depth, pattern)] = here
            deeper = [(*pattern[:i], down + 1, *pattern[i + 1 :]) for i, down in enumerate(pattern)]
            finer = [shown[(depth, one)] for one in deeper if (depth, one) in shown]
            if depth + 1 < len(levels):
                finer.append(shown[(depth + 1, pattern)])
            says = has_value | (rows["mark"] == LETTERS[Mark.WITHHELD]).to_numpy()
            implied = np.zeros(len(rows), dtype=np.bool_)
            for parts in finer:
                complete = np.ones(len(rows), dtype=np.bool_)
                complete[of[(of >= 0) & ~parts]] = False
                implied |= complete
            number = np.where(says, np.cumsum(says) - 1, -1)
            of = np.where(of >= 0, number[of], -1) if len(rows) else np.full(len(labels), -1)
            kept = pd.DataFrame({"n": rows["n"].to_numpy()[says], "implied": implied[says]})
            out.append((kept, of.astype(np.int64)))
    yield from out
