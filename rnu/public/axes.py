"""The dimensions of a table: trees of codes, and the same in the terms of `anonymize`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anonymize.tables import Dimension, Places


@dataclass(frozen=True, slots=True)
class Hierarchy:
    """A tree of codes, the root first and every other code after its parent."""

    codes: tuple[str, ...]
    parent: tuple[int, ...]  # -1 for the root
    level: tuple[str, ...]  # name of each code's level

    @property
    def depth(self) -> tuple[int, ...]:
        """How far below the root each code stands."""
        found: list[int] = []
        for up in self.parent:
            found.append(0 if up < 0 else found[up] + 1)
        return tuple(found)

    @property
    def lowest(self) -> tuple[int, ...]:
        """Codes that have nothing below them."""
        inner = set(self.parent)
        return tuple(i for i in range(len(self.codes)) if i not in inner)

    @property
    def levels(self) -> tuple[str, ...]:
        """Names of the levels, root first."""
        names: dict[int, str] = {}
        for depth, name in zip(self.depth, self.level, strict=True):
            names.setdefault(depth, name)
        return tuple(names[depth] for depth in sorted(names))


@dataclass(frozen=True, slots=True)
class Axis:
    """A dimension of the table in the order in which it is worked on: the places, or what stands for them, first."""

    column: str
    tree: Hierarchy


def flat(total: str, categories: Sequence[str], column: str) -> Hierarchy:
    """Categories and their total, as a tree of two levels."""
    return Hierarchy((total, *categories), (-1, *([0] * len(categories))), ("total", *([column] * len(categories))))


def tree_of(there: Places) -> Hierarchy:
    """Places of `anonymize`, no two of the same code, as a tree."""
    return Hierarchy(there.codes, tuple(there.parent.tolist()), tuple(there.levels[i] for i in there.level.tolist()))


def places(tree: Hierarchy) -> Places:
    """A tree of one depth: a branch that ends early goes on as its own only child."""
    deepest = max(tree.depth)
    paths = []
    for number in tree.lowest:
        path = [number]
        while tree.parent[path[0]] >= 0:
            path.insert(0, tree.parent[path[0]])
        codes = [tree.codes[i] for i in path]
        paths.append(codes + codes[-1:] * (deepest + 1 - len(codes)))
    return Places.of(paths, tree.levels)


def lowest(tree: Hierarchy) -> NDArray[np.int64]:
    """For every lowest place of `places`, its number among the lowest codes of the tree."""
    number = {tree.codes[code]: i for i, code in enumerate(tree.lowest)}
    there = places(tree)
    return np.array([number[there.codes[place]] for place in there.leaves.tolist()], dtype=np.int64)


def dimensions(axes: Sequence[Axis]) -> tuple[Dimension, ...]:
    """All dimensions but the first, which is that of the places."""
    return tuple(_dimension(axis) for axis in axes[1:])


def nodes(tree: Hierarchy) -> tuple[int, ...]:
    """The codes of a tree in the order of a dimension's nodes: the lowest, then what is above them, the root last."""
    lowest = tree.lowest
    return (*lowest, *(i for i in range(len(tree.codes) - 1, 0, -1) if i not in set(lowest)), 0)


def _dimension(axis: Axis) -> Dimension:
    tree, order = axis.tree, nodes(axis.tree)
    node = {code: i for i, code in enumerate(order)}
    above = tuple(node.get(tree.parent[code], len(order) - 1) for code in order[:-1])
    codes, lowest = tuple(tree.codes[code] for code in order[:-1]), len(tree.lowest)
    return Dimension(axis.column, codes[:lowest], codes[lowest:], above, tree.levels[1:])
