"""What an outsider concludes from the promise that every cell at risk can be 1.

A cell that nobody shows, and that cannot be 1 by what is known, cannot be at risk: it counts the threshold or more.
With that more is known, and so on. Bounds are drawn from the published rows by single sums, along each dimension and
along the places, by turns (see `System` for what a row says); in tables that are not too large, by linear programs too,
which find a few cells more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

from anonymize.attack.intervals import Near, Task
from anonymize.attack.program import Program
from anonymize.attack.system import CLOSE, Floats, Ints, Published, System, depths_of, keys, patterns, steps
from anonymize.tables import LETTERS, Mark

MOST_UNKNOWNS = 500  # of a table for which every cell is tried by linear programs as well
FAR = float(1 << 40)  # more persons than there are


Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Sheet:
    """All cells of one level and cross, and what is known of them: (cells,) each."""

    of: Ints  # (unknowns,) the cell that sums each up
    large: Flags  # neither shown nor withheld, and the threshold or more: what could yet be concluded of
    low: Floats
    high: Floats


def believing(system: System, table: Floats, threshold: int) -> System:
    """What somebody makes of the rows who knows of a table what `System.knowing` says, and believes the promise."""
    sheets = _sheets(system, table, threshold)
    steps_down = _steps_down(system.published, sheets)
    while True:
        _draw(sheets, steps_down)
        by_bounds = [sheet.large & (sheet.low > 1) & (sheet.low < threshold) for sheet in sheets]
        found = by_bounds if any(one.any() for one in by_bounds) else _by_programs(system, sheets, table, threshold)
        for sheet, more in zip(sheets, found, strict=True):
            sheet.low[more] = threshold
            sheet.large[more] = False
        if not any(one.any() for one in found):
            return system
        system = system.at_least(_sums(system, sheets, found), threshold)


def _by_programs(system: System, sheets: Sequence[Sheet], table: Floats, threshold: int) -> list[Flags]:
    """Which large cells (cells,) of each sheet cannot be 1, by linear programs; none in tables of too many counts."""
    tried = [sheet.large & (sheet.low < threshold) for sheet in sheets]
    found = [np.zeros(len(sheet.low), dtype=np.bool_) for sheet in sheets]
    if len(system.columns) > MOST_UNKNOWNS or not any(one.any() for one in tried):
        return found
    whole, own = Program.of(system), table[system.columns]
    sums = _sums(system, sheets, tried)
    task = Task.of(sums, threshold, own)
    everything = Near.of(whole, sums, np.arange(sums.shape[0]), np.arange(len(own)), own)
    task.settle(everything, one_by_one=False)
    least = np.array([whole.least(sums[[one]]) if task.down[one] else 1.0 for one in range(sums.shape[0])])
    told = (least > 1 + CLOSE) & (least < threshold - CLOSE)
    first = 0
    for one, flags in zip(tried, found, strict=True):
        many = int(one.sum())
        flags[one] = told[first : first + many]
        first += many
    return found


def _sheets(system: System, table: Floats, threshold: int) -> list[Sheet]:
    published, labels = system.published, system.labels
    dimensions = published.dimensions
    found = []
    for level, frame in zip(published.places.levels, published.frames, strict=True):
        broken_down = depths_of(dimensions, frame)
        for pattern in patterns(dimensions):
            own = keys(labels, level, steps(dimensions, pattern))
            cells = own.unique()
            of = cells.get_indexer(own)
            rows = frame[(broken_down == pattern).all(axis=1)]
            columns = ["place", *(d.id for d, down in zip(dimensions, pattern, strict=True) if down)]
            at = cells.get_indexer(pd.MultiIndex.from_frame(rows[columns]))
            shown = rows["n"].notna().to_numpy()
            withheld = (rows["mark"] == LETTERS[Mark.WITHHELD]).to_numpy()
            low = np.zeros(len(cells))
            high = np.where(np.bincount(of, system.free, len(cells)) > 0, FAR, 0.0)
            large = np.bincount(of, table, len(cells)) >= threshold
            low[at[withheld]] = np.where(large[at[withheld]], threshold, 1)
            low[at[shown]] = high[at[shown]] = rows["n"][shown].to_numpy(dtype=np.float64)
            large[at[shown | withheld]] = False
            found.append(Sheet(of.astype(np.int64), large, low, high))
    return found


def _steps_down(published: Published, sheets: Sequence[Sheet]) -> list[tuple[Sheet, Sheet, Ints]]:
    """Each sheet with one that breaks it down by one step, of a dimension or of the places: whose part each cell is."""
    crosses = patterns(published.dimensions)
    many = len(crosses)
    found = []
    for level in range(len(published.places.levels)):
        for number, pattern in enumerate(crosses):
            deeper = [(*pattern[:i], down + 1, *pattern[i + 1 :]) for i, down in enumerate(pattern)]
            found += [(level * many + number, level * many + crosses.index(one)) for one in deeper if one in crosses]
            if level + 1 < len(published.places.levels):
                found.append((level * many + number, (level + 1) * many + number))
    steps_down = []
    for one, other in found:
        whole, parts = sheets[one], sheets[other]
        of = np.empty(len(parts.low), dtype=np.int64)
        of[parts.of] = whole.of
        steps_down.append((whole, parts, of))
    return steps_down


def _draw(sheets: Sequence[Sheet], steps_down: Sequence[tuple[Sheet, Sheet, Ints]]) -> None:
    """Draw the bounds of all cells until none comes nearer."""
    while True:
        before = sum(float(sheet.low.sum() - sheet.high.sum()) for sheet in sheets)
        for whole, parts, of in steps_down:
            least, most = (np.bincount(of, bound, len(whole.low)) for bound in (parts.low, parts.high))
            np.maximum(whole.low, least, out=whole.low)
            np.minimum(whole.high, most, out=whole.high)
            np.maximum(parts.low, whole.low[of] - (most[of] - parts.high), out=parts.low)
            np.minimum(parts.high, whole.high[of] - (least[of] - parts.low), out=parts.high)
        if sum(float(sheet.low.sum() - sheet.high.sum()) for sheet in sheets) == before:
            return


def _sums(system: System, sheets: Sequence[Sheet], which: Sequence[Flags]) -> sparse.csr_array:
    """(cells, open unknowns) what cells (cells,) of each sheet sum up."""
    rows = []
    for sheet, flags in zip(sheets, which, strict=True):
        number = np.where(flags, np.cumsum(flags) - 1, -1)[sheet.of]
        inside = np.flatnonzero(number >= 0)
        shape = (int(flags.sum()), len(sheet.of))
        rows.append(sparse.csr_array((np.ones(len(inside)), (number[inside], inside)), shape=shape))
    return sparse.csr_array(sparse.vstack(rows))[:, system.columns]
