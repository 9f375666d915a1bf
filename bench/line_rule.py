"""The plain line rule, the naive reference: in no line of a table is one withheld cell alone.

A line is a total and its parts: along each dimension its categories, along the tree the places right below one. Cells
at risk are withheld; then, line by line until nothing changes, the cheapest other cells, so that a line withholds none,
or two or more whose persons are the threshold or more. What several lines tell together is not looked at.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from anonymize.tables import Cells, Mark, Places, SafeCells

Ints = NDArray[np.int64]


def line_rule(cells: Cells, threshold: int, crosses: Sequence[int]) -> SafeCells:
    """Withhold by the line rule; each level shows so many dimensions crossed, at most."""
    values = cells.with_margins()
    marks = np.where(shown_by(cells, crosses), Mark.SHOWN, Mark.ABSENT).astype(np.uint8)
    marks[(marks == Mark.SHOWN) & (values > 0) & (values < threshold)] = Mark.WITHHELD
    flat, flags = values.reshape(-1), marks.reshape(-1)
    todo = [line for line in lines(cells.places, values.shape) if (flags[line] != Mark.ABSENT).all()]
    while True:
        before = int((flags == Mark.WITHHELD).sum())
        for line in todo:
            _mend(flat, flags, line, threshold)
        if int((flags == Mark.WITHHELD).sum()) == before:
            break
    shown = np.where(marks == Mark.SHOWN, values, -1)
    return SafeCells(cells.places, cells.dimensions, shown, marks, threshold)


def shown_by(cells: Cells, crosses: Sequence[int]) -> NDArray[np.bool_]:
    """(places, categories + 1 …) the cells that a design shows."""
    shape = (len(cells.places), *(len(d.categories) + 1 for d in cells.dimensions))
    at = np.indices(shape)
    broken = sum(at[axis] < shape[axis] - 1 for axis in range(1, len(shape)))
    return np.asarray(broken) <= np.array(crosses)[cells.places.level][at[0]]


def lines(places: Places, shape: tuple[int, ...]) -> Iterator[Ints]:
    """Every line: numbers of its cells in a flat table."""
    number = np.arange(int(np.prod(shape)), dtype=np.int64).reshape(shape)
    for axis in range(1, len(shape)):
        yield from np.moveaxis(number, axis, -1).reshape(-1, shape[axis])
    for place in range(len(places)):
        below = np.flatnonzero(places.parent == place)
        if len(below):
            yield from number[[*below.tolist(), place]].reshape(len(below) + 1, -1).T


def _mend(values: Ints, marks: NDArray[np.uint8], line: Ints, threshold: int) -> None:
    while True:
        withheld = marks[line] == Mark.WITHHELD
        if not withheld.any() or (withheld.sum() > 1 and values[line][withheld].sum() >= threshold):
            return
        others = line[~withheld & (values[line] > 0)]  # a zero is never withheld
        if not len(others):
            return
        marks[others[values[others].argmin()]] = Mark.WITHHELD
