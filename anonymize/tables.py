"""Count tables on a tree of places: the values that aggregate, protect and attack hand to each other.

A table is one full cross: inner cells for every lowest place and every combination of categories. Everything that is
ever shown of it is one of its margins, so that one additive system describes all that an outsider can know.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from anonymize.errors import BadCells

TOTAL = "total"


class Mark(IntEnum):
    """What is published of a cell."""

    SHOWN = 0
    WITHHELD = 1  # letter c: at risk, or withheld for the sake of one that is; the two look the same
    BELOW = 2  # letter d: a breakdown of a withheld cell; zeros are not shown either
    ABSENT = 3  # the design does not show this cross here: no row at all


LETTERS = {Mark.WITHHELD: "c", Mark.BELOW: "d"}


@dataclass(frozen=True, slots=True)
class Places:
    """A tree of places of one depth; parents stand before children, level by level, each level in order of code."""

    codes: tuple[str, ...]
    parent: NDArray[np.int64]  # (places,) index of the parent, -1 for the root
    level: NDArray[np.int64]  # (places,) 0 for the root
    levels: tuple[str, ...]  # name of each level, root first

    @classmethod
    def of(cls, paths: Sequence[Sequence[str]], levels: Sequence[str]) -> Places:
        """The tree in which every path (root's code … lowest code) stands.

        >>> tree = Places.of([("PE", "18", "1801", "180101")], ("nacion", "departamento", "provincia", "distrito"))
        >>> tree.codes, tree.parent.tolist()
        (('PE', '18', '1801', '180101'), [-1, 0, 1, 2])
        """
        if any(len(path) != len(levels) for path in paths):
            raise BadCells(f"a path does not have {len(levels)} places")
        nodes: dict[tuple[int, str], str | None] = {}
        for path in paths:
            for depth, code in enumerate(path):
                above = path[depth - 1] if depth else None
                if nodes.setdefault((depth, code), above) != above:
                    raise BadCells(f"place {code} has two parents")
        ordered = sorted(nodes)
        index = {node: i for i, node in enumerate(ordered)}
        if sum(depth == 0 for depth, _ in ordered) != 1:
            raise BadCells("a tree has one root")
        parent = [index[(depth - 1, str(nodes[(depth, code)]))] if depth else -1 for depth, code in ordered]
        return cls(
            tuple(code for _, code in ordered),
            np.array(parent, dtype=np.int64),
            np.array([depth for depth, _ in ordered], dtype=np.int64),
            tuple(levels),
        )

    @property
    def leaves(self) -> NDArray[np.int64]:
        """Indices of the lowest places, in order."""
        return np.flatnonzero(self.level == len(self.levels) - 1)

    def __len__(self) -> int:
        return len(self.codes)


@dataclass(frozen=True, slots=True)
class Dimension:
    """A breakdown and its categories, in the order they are shown."""

    id: str
    categories: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Cells:
    """True counts, unprotected: never leaves the owner's side."""

    places: Places
    dimensions: tuple[Dimension, ...]
    counts: NDArray[np.int64]  # (lowest places, categories of each dimension …), persons or households or pupils

    def __post_init__(self) -> None:
        shape = (len(self.places.leaves), *(len(d.categories) for d in self.dimensions))
        if self.counts.shape != shape:
            raise BadCells(f"counts have shape {self.counts.shape}, the table has {shape}")
        if self.counts.size and self.counts.min() < 0:
            raise BadCells("a count is negative")

    def with_margins(self) -> NDArray[np.int64]:
        """All cells: (places, categories + 1 …), a total last on each dimension."""
        return add_margins(self.counts, self.places)


def add_margins(inner: NDArray[np.int64], places: Places) -> NDArray[np.int64]:
    """Totals over every dimension (last index) and over places (upwards).

    >>> tree = Places.of([("PE", "01"), ("PE", "02")], ("nacion", "departamento"))
    >>> add_margins(np.array([[1, 2], [3, 4]]), tree).tolist()
    [[4, 6, 10], [1, 2, 3], [3, 4, 7]]
    """
    for axis in range(1, inner.ndim):
        inner = np.concatenate([inner, inner.sum(axis, keepdims=True)], axis)
    out = np.zeros((len(places), *inner.shape[1:]), dtype=np.int64)
    out[places.leaves] = inner
    for depth in range(len(places.levels) - 1, 0, -1):
        here = np.flatnonzero(places.level == depth)
        np.add.at(out, places.parent[here], out[here])
    return out


@dataclass(frozen=True, slots=True, order=True)
class CellRef:
    """The name of a cell: a place and one category, or `total`, on every dimension. Says where, never how much."""

    level: str
    place: str
    categories: tuple[str, ...]

    @property
    def in_words(self) -> str:
        """For a message.

        >>> CellRef("distrito", "180101", ("hombre", "total")).in_words
        '180101 × hombre × total'
        """
        return " × ".join((self.place, *self.categories))


def names_of(places: Places, dimensions: Sequence[Dimension], which: NDArray[np.bool_]) -> tuple[CellRef, ...]:
    """The names of cells (places, categories + 1 …), place by place."""
    categories = [(*dimension.categories, TOTAL) for dimension in dimensions]
    return tuple(
        CellRef(
            places.levels[int(places.level[place])],
            places.codes[place],
            tuple(names[c] for names, c in zip(categories, at, strict=True)),
        )
        for place, *at in np.argwhere(which).tolist()
    )


def indices_of(places: Places, dimensions: Sequence[Dimension], refs: Sequence[CellRef]) -> tuple[tuple[int, ...], ...]:
    """Where cells of these names stand in an array (places, categories + 1 …)."""
    number = {
        (places.levels[int(level)], code): place
        for place, (level, code) in enumerate(zip(places.level, places.codes, strict=True))
    }
    categories = [(*dimension.categories, TOTAL) for dimension in dimensions]
    return tuple(
        (number[r.level, r.place], *(n.index(c) for n, c in zip(categories, r.categories, strict=True))) for r in refs
    )


@dataclass(frozen=True, slots=True)
class Drop:
    """A cross that is not shown below a place, though the design would: public, because its rows are missing."""

    place: str  # code of the place below which (or at which) nothing of the cross is shown
    level: str  # level of the places that lose it
    cross: tuple[str, ...]  # dimensions crossed; finer crosses go with it
    reason: str  # "floor" | "dominance" | "sparse"


@dataclass(frozen=True, slots=True)
class SafeCells:
    """What may be published: only `anonymize.protect.protect` makes one. Holds no value that is not shown."""

    places: Places
    dimensions: tuple[Dimension, ...]
    values: NDArray[np.int64]  # (places, categories + 1 …); -1 where not shown
    marks: NDArray[np.uint8]  # same shape, of Mark
    threshold: int
    drops: tuple[Drop, ...] = ()

    def frame(self, level: str) -> pd.DataFrame:
        """Published rows of one level, in a fixed order: place, one column per dimension, n (nullable), mark.

        `total` stands for a dimension that is not broken down. Rows of absent crosses are left out.
        """
        depth = self.places.levels.index(level)
        here = np.flatnonzero(self.places.level == depth)
        marks = self.marks[here]
        at = np.nonzero(marks != Mark.ABSENT)
        columns: dict[str, object] = {"place": np.array(self.places.codes, dtype=object)[here][at[0]]}
        for axis, dimension in enumerate(self.dimensions, start=1):
            names = np.array([*dimension.categories, TOTAL], dtype=object)
            columns[dimension.id] = names[at[axis]]
        shown = marks[at] == Mark.SHOWN
        columns["n"] = pd.array(np.where(shown, self.values[here][at], 0), dtype="Int64")
        columns["mark"] = pd.array([LETTERS.get(Mark(int(m)), "") for m in marks[at]], dtype="str")
        frame = pd.DataFrame(columns)
        frame.loc[~shown, "n"] = pd.NA
        return frame
