"""Count tables on a tree of places: the values that aggregate, protect and attack hand to each other.

A table is one full cross: inner cells for every lowest place and every combination of lowest categories. Places are a
tree, and so is every dimension. Everything that is ever shown of a table is one of its margins, so that one additive
system describes all that an outsider can know.
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
    """A breakdown: a tree of *nodes* with the total over everything at its root.

    Its lowest categories come first, in the order they are shown, then the groups that sum some of them up, each after
    what is below it, and last the total. One without groups is flat: nothing is between its categories and the total.

    >>> age = Dimension("edad", ("0_5", "6_17", "18_mas"), ("menor",), (3, 3, 4, 4))
    >>> age.nodes, age.depth
    (('0_5', '6_17', '18_mas', 'menor', 'total'), (2, 2, 1, 1, 0))
    """

    id: str
    categories: tuple[str, ...]
    groups: tuple[str, ...] = ()
    parent: tuple[int, ...] = ()  # number of the node above each category and group; of a flat one left out
    levels: tuple[str, ...] = ()  # names of the levels below the total, downwards; else they go by number

    def __post_init__(self) -> None:
        total = len(self.categories) + len(self.groups)
        if not self.groups and not self.parent:
            object.__setattr__(self, "parent", (total,) * total)
        if len(set(self.nodes)) <= total:
            raise BadCells(f"two nodes of {self.id} have the same code")
        if len(self.parent) != total or any(not i < up <= total for i, up in enumerate(self.parent)):
            raise BadCells(f"the nodes of {self.id} are no tree: what is above a node comes after it")
        if set(self.parent) - {total} != set(range(len(self.categories), total)):
            raise BadCells(f"in {self.id} a group has nothing below it, or a category has")

    @property
    def nodes(self) -> tuple[str, ...]:
        """Codes of the categories, the groups and the total."""
        return (*self.categories, *self.groups, TOTAL)

    @property
    def depth(self) -> tuple[int, ...]:
        """How far below the total each node stands."""
        found = [0] * (len(self.parent) + 1)
        for node in range(len(self.parent) - 1, -1, -1):
            found[node] = found[self.parent[node]] + 1
        return tuple(found)

    @property
    def steps(self) -> tuple[str, ...]:
        """Names of the breakdowns by its levels: the first is the dimension's own."""
        deeper = range(1, max(self.depth))
        return (self.id, *(f"{self.id}: {self.levels[i] if self.levels else i + 1}" for i in deeper))

    def path(self, node: int) -> tuple[int, ...]:
        """A node and those above it, up to the total."""
        found = [node]
        while found[-1] < len(self.parent):
            found.append(self.parent[found[-1]])
        return tuple(found)


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
        """All cells: (places, nodes of each dimension …), a total last."""
        return add_margins(self.counts, self.places, self.dimensions)


def add_margins(inner: NDArray[np.int64], places: Places, dimensions: Sequence[Dimension]) -> NDArray[np.int64]:
    """Sums over the nodes of every dimension (a total last) and over places (upwards).

    >>> tree = Places.of([("PE", "01"), ("PE", "02")], ("nacion", "departamento"))
    >>> add_margins(np.array([[1, 2], [3, 4]]), tree, [Dimension("sexo", ("hombre", "mujer"))]).tolist()
    [[4, 6, 10], [1, 2, 3], [3, 4, 7]]
    """
    for axis, dimension in enumerate(dimensions, start=1):
        every = np.zeros((*inner.shape[:axis], len(dimension.nodes), *inner.shape[axis + 1 :]), dtype=np.int64)
        along = np.moveaxis(every, axis, 0)
        along[: inner.shape[axis]] = np.moveaxis(inner, axis, 0)
        for node, above in enumerate(dimension.parent):
            along[above] += along[node]
        inner = every
    out = np.zeros((len(places), *inner.shape[1:]), dtype=np.int64)
    out[places.leaves] = inner
    for depth in range(len(places.levels) - 1, 0, -1):
        here = np.flatnonzero(places.level == depth)
        np.add.at(out, places.parent[here], out[here])
    return out


@dataclass(frozen=True, slots=True, order=True)
class CellRef:
    """The name of a cell: a place and one node, `total` or another, on every dimension. Says where, never how much."""

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
    """The names of cells (places, nodes of each dimension …), place by place."""
    nodes = [dimension.nodes for dimension in dimensions]
    return tuple(
        CellRef(
            places.levels[int(places.level[place])],
            places.codes[place],
            tuple(names[node] for names, node in zip(nodes, at, strict=True)),
        )
        for place, *at in np.argwhere(which).tolist()
    )


def indices_of(places: Places, dimensions: Sequence[Dimension], refs: Sequence[CellRef]) -> tuple[tuple[int, ...], ...]:
    """Where cells of these names stand in an array (places, nodes of each dimension …)."""
    number = {
        (places.levels[int(level)], code): place
        for place, (level, code) in enumerate(zip(places.level, places.codes, strict=True))
    }
    nodes = [dimension.nodes for dimension in dimensions]
    return tuple(
        (number[r.level, r.place], *(n.index(c) for n, c in zip(nodes, r.categories, strict=True))) for r in refs
    )


@dataclass(frozen=True, slots=True)
class Drop:
    """A cross that is not shown below a place, though the design would: public, because its rows are missing."""

    place: str  # code of the place below which (or at which) nothing of the cross is shown
    level: str  # level of the places that lose it
    cross: tuple[str, ...]  # what is crossed, by the names of `Dimension.steps`; finer crosses go with it
    reason: str  # "floor" | "dominance" | "sparse"


@dataclass(frozen=True, slots=True)
class SafeCells:
    """What may be published: only `anonymize.protect.protect` makes one. Holds no value that is not shown."""

    places: Places
    dimensions: tuple[Dimension, ...]
    values: NDArray[np.int64]  # (places, nodes of each dimension …); -1 where not shown
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
            names = np.array(dimension.nodes, dtype=object)
            columns[dimension.id] = names[at[axis]]
        shown = marks[at] == Mark.SHOWN
        columns["n"] = pd.array(np.where(shown, self.values[here][at], 0), dtype="Int64")
        columns["mark"] = pd.array([LETTERS.get(Mark(int(m)), "") for m in marks[at]], dtype="str")
        frame = pd.DataFrame(columns)
        frame.loc[~shown, "n"] = pd.NA
        return frame
