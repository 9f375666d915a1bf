"""Check a release's certificate: by whole numbers alone, from what is published alone, without trusting who made it.

Everything needed is in this file: no solver, no engine, nothing of the rest of the project. It is meant to be read in
one sitting by somebody who wants to know whether to believe us.

**What is published.** A table of counts. Every *dimension* is a tree of codes: places (nation, departments, provinces,
districts), or a total with its categories. A *cell* is one code on every dimension, and counts what is below all of
them. Inner cells are those of lowest codes; every other cell is a sum of inner cells. A cell is shown (a number), or
withheld (mark c: it counts somebody), or below a withheld one (mark d), or has no row.

**What the certificate claims.** Every withheld cell that is not on its list can be 1, 2, … up to the threshold, each in
a table of whole counts that agrees with all that is published; and those on the list count the threshold or more in all
these tables, so that knowing the list helps nobody. On it are withheld cells, and all those cells that nobody shows and
that must be 2 or more by what is shown: who believes that all cells at risk can be 1, knows that these are not at risk.

**What must be 2 or more** is found by single sums: a whole is at least the sum of what its parts are at least, a part
at least the whole less what the others are at most, and so by turns; a cell that must be 2 or more is then taken to be
the threshold or more, and the bounds are drawn anew.

**How it is checked.** No shown number is 1, 2, … up to one less than the threshold, and none stands below a withheld
cell. A *possible* table has no count below zero, equals every shown number, counts at least 1 in every
withheld cell and at least the threshold in every cell on the list. The base is possible; each other table is the base
with a few persons more or fewer here and there, and is possible; together they give every withheld cell that is not on
the list each value. That is all: whoever holds the published numbers cannot rule any of these tables out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import SupportsIndex

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]

PLENTY = 1 << 40  # more persons than there are

ABSENT, SHOWN, WITHHELD, BELOW = range(4)


@dataclass(frozen=True, slots=True)
class Tree:
    """The codes of a dimension: the root first, every other after its parent."""

    codes: tuple[str, ...]
    parent: tuple[int, ...]  # -1 for the root

    @property
    def lowest(self) -> Ints:
        """Numbers of the codes that have nothing below them, in order."""
        return np.setdiff1d(np.arange(len(self.codes)), np.array(self.parent))

    def above(self) -> Ints:
        """(codes, depth) every code, the one above it, and so on to the root; then -1."""
        paths = [[number] for number in range(len(self.codes))]
        for path in paths:
            while (up := self.parent[path[-1]]) >= 0:
                path.append(up)
        depth = max(len(path) for path in paths)
        return np.array([path + [-1] * (depth - len(path)) for path in paths])


@dataclass(frozen=True, slots=True, eq=False)
class Verdict:
    """What the check found. `problems` is empty if, and only if, the certificate holds."""

    shown: int
    withheld: int
    proven: int  # withheld cells that can be 1 … threshold
    large: int  # withheld cells known to be the threshold or more
    concluded: int  # cells that are neither shown nor withheld, and known to be the threshold or more
    tables: int
    problems: tuple[str, ...]

    @classmethod
    def of(cls, state: Ints, proven: Flags, listed: Flags, tables: int, problems: Iterable[str]) -> Verdict:
        """Counted, of cells by what is published of them, those that are proven, and those on the list."""
        shown, withheld = state == SHOWN, state == WITHHELD
        large, concluded = int((listed & withheld).sum()), int((listed & ~withheld & ~shown).sum())
        return cls(int(shown.sum()), int(withheld.sum()), int(proven.sum()), large, concluded, tables, tuple(problems))


def verify(
    trees: Sequence[Tree],
    state: Ints,
    count: Ints,
    threshold: int,
    base: Ints,
    tables: Sequence[tuple[Ints, Ints]],
    large: Sequence[tuple[int, ...]],
) -> Verdict:
    """Check a certificate.

    Args:
        trees: the dimensions.
        state: (codes of each dimension …) SHOWN, WITHHELD, BELOW or ABSENT.
        count: same shape, the number of each shown cell.
        threshold: the certificate says that cells can be 1 … threshold.
        base: (lowest codes of each dimension …) counts.
        tables: for each, (entries, dimensions) where it differs from the base, and (entries,) by how much.
        large: the list, each cell as one number of a code for each dimension.
    """
    problems = [*_small(trees, state, count, threshold), *_below(trees, state)]
    least = np.where(state == WITHHELD, 1, 0)
    for listed in large:
        if state[listed] == SHOWN:
            problems.append(f"{_name(trees, listed)} is on the list and is shown")
        least[listed] = threshold
    problems += _unlisted(trees, state, count, threshold, least == threshold)
    values = sums(trees, base)
    problems += _impossible(trees, values, state, count, least)
    table, cell, after = _other_tables(trees, tables, values)
    wrong = (after < least.reshape(-1)[cell]) | (
        (state.reshape(-1)[cell] == SHOWN) & (after != values.reshape(-1)[cell])
    )
    problems += _impossible_tables(trees, table[wrong], cell[wrong], after[wrong])
    met = _bits(values, threshold).reshape(-1)  # for every cell, bit v: it counts v in some possible table
    right = ~np.isin(table, table[wrong])
    np.bitwise_or.at(met, cell[right], _bits(after[right], threshold))
    sought = (state == WITHHELD) & (least == 1)
    every = (2 << threshold) - 2
    proven = sought & (met.reshape(state.shape) == every)
    for one in np.argwhere(sought & ~proven):
        bits = int(met.reshape(state.shape)[tuple(one)])
        possible = [value for value in range(1, threshold + 1) if bits >> value & 1]
        problems.append(f"{_name(trees, one)} is withheld, and is shown to be possible only as {possible}")
    return Verdict.of(state, proven, least == threshold, len(tables), problems)


def _bits(values: Ints, threshold: int) -> Ints:
    """Bit v for a value v from 1 to the threshold, no bit for any other."""
    return np.where((values >= 1) & (values <= threshold), np.int64(1) << np.clip(values, 0, threshold), 0)


def _small(trees: Sequence[Tree], state: Ints, count: Ints, threshold: int) -> list[str]:
    """Cells that are shown although they are at risk."""
    small = np.argwhere((state == SHOWN) & (count > 0) & (count < threshold))
    return [f"{_name(trees, cell)} is shown and below the threshold" for cell in small]


def _below(trees: Sequence[Tree], state: Ints) -> list[str]:
    """Cells that are shown although something that sums them up is withheld."""
    hidden = state == WITHHELD
    for axis, tree in enumerate(trees):
        along = np.moveaxis(hidden, axis, 0)
        for number, up in enumerate(tree.parent):
            if up >= 0:
                along[number] |= along[up]
    return [f"{_name(trees, cell)} is shown below a withheld cell" for cell in np.argwhere(hidden & (state == SHOWN))]


def _unlisted(trees: Sequence[Tree], state: Ints, count: Ints, threshold: int, listed: Flags) -> list[str]:
    """Cells that nobody shows, of which the list says that they are large and no sum does, or the other way round."""
    seen = (state == SHOWN) | (state == WITHHELD)
    known = listed & (state == WITHHELD)
    while True:
        low = np.where(state == SHOWN, count, np.where(known, threshold, np.where(state == WITHHELD, 1, 0)))
        high = np.where(state == SHOWN, count, PLENTY)
        draw(trees, low, high)
        more = ~seen & ~known & (low > 1) & (low < threshold)
        if not more.any():
            break
        known |= more
    wrong, lacking = np.argwhere(listed & ~seen & (low <= 1)), np.argwhere(known & ~listed)
    return [
        *(f"{_name(trees, cell)} is on the list, and what is shown does not say why" for cell in wrong),
        *(f"{_name(trees, cell)} must be 2 or more, and is not on the list" for cell in lacking),
    ]


def draw(trees: Sequence[Tree], low: Ints, high: Ints) -> None:
    """Draw bounds of all cells together, in place, until none comes nearer, or until they contradict each other."""
    nearer = True
    while nearer and (low <= high).all():
        before = low.copy(), high.copy()
        for axis, tree in enumerate(trees):
            up = np.array(tree.parent[1:], dtype=np.int64)
            whole = np.unique(up)
            least, most = np.moveaxis(low, axis, 0), np.moveaxis(high, axis, 0)
            fewest, largest = np.zeros_like(least), np.zeros_like(most)
            np.add.at(fewest, up, least[1:])
            np.add.at(largest, up, most[1:])
            least[whole] = np.maximum(least[whole], fewest[whole])
            most[whole] = np.minimum(most[whole], largest[whole])
            others_least, others_most = fewest[up] - least[1:], largest[up] - most[1:]
            least[1:] = np.maximum(least[1:], least[up] - others_most)
            most[1:] = np.minimum(most[1:], most[up] - others_least)
        nearer = bool((low != before[0]).any() or (high != before[1]).any())


def sums(trees: Sequence[Tree], base: Ints) -> Ints:
    """Every cell of a table of inner counts."""
    for axis, tree in enumerate(trees):
        inner = np.moveaxis(base, axis, 0)
        out = np.zeros((len(tree.codes), *inner.shape[1:]), dtype=np.int64)
        out[tree.lowest] = inner
        for number in range(len(tree.codes) - 1, 0, -1):
            out[tree.parent[number]] += out[number]
        base = np.moveaxis(out, 0, axis)
    return base


def _impossible(trees: Sequence[Tree], values: Ints, state: Ints, count: Ints, least: Ints) -> list[str]:
    """Where the base does not agree with what is published."""
    wrong: Flags = (values < least) | ((state == SHOWN) & (values != count))
    return [
        f"the base is not possible: {_name(trees, cell)} would count {values[tuple(cell)]}"
        for cell in np.argwhere(wrong)
    ]


def _impossible_tables(trees: Sequence[Tree], table: Ints, cell: Ints, after: Ints) -> list[str]:
    """The tables that do not agree with what is published, each by one cell of those in which it does not."""
    numbers, first = np.unique(table, return_index=True)
    shape = tuple(len(tree.codes) for tree in trees)
    return [
        f"table {number} is not possible: {_name(trees, np.unravel_index(cell[i], shape))} would count {after[i]}"
        for number, i in zip(numbers.tolist(), first.tolist(), strict=True)
    ]


def _other_tables(trees: Sequence[Tree], tables: Sequence[tuple[Ints, Ints]], values: Ints) -> tuple[Ints, Ints, Ints]:
    """Which table changes which cell, and what it counts then: an inner cell's change is one of all that sum it up."""
    shape = tuple(len(tree.codes) for tree in trees)
    number = np.repeat(np.arange(len(tables)), [len(by) for _, by in tables])
    where = np.concatenate([np.empty((0, len(trees)), dtype=np.int64), *(at for at, _ in tables)])
    by = np.concatenate([np.empty(0, dtype=np.int64), *(change for _, change in tables)])
    cell = np.zeros(len(by), dtype=np.int64)
    for axis, tree in enumerate(trees):
        above = tree.above()[tree.lowest][where[:, axis]]
        entry, step = np.nonzero(above >= 0)
        number, by, where = number[entry], by[entry], where[entry]
        cell = cell[entry] * shape[axis] + above[entry, step]
    size = int(np.prod(shape))
    key, which = np.unique(number * size + cell, return_inverse=True)
    change = np.zeros(len(key), dtype=np.int64)
    np.add.at(change, which.reshape(-1), by)
    return key // size, key % size, values.reshape(-1)[key % size] + change


def _name(trees: Sequence[Tree], cell: Iterable[SupportsIndex]) -> str:
    return " × ".join(tree.codes[number] for tree, number in zip(trees, cell, strict=True))
