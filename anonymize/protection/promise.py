"""What the promise itself tells: cells that nobody shows and that cannot be at risk, as anybody can work out.

That every cell at risk can be 1 is known: it is promised. So of a cell that nobody shows, and that what is shown does
not let be 1, everybody knows that it is not at risk, and as it counts somebody, that it is the threshold or more. That
narrows others down, and so on. Proofs must therefore hold against somebody who knows all of these cells too: they are
bound like withheld cells that are known to be large (`Lattice.large`).

**How they are found.** Every cell has bounds: a shown one its count, a withheld one at least what it is known to be,
one that is known to be zero nothing, any other 0 and more. By turns every cell that sums others up bounds them, and
they bound it, along every dimension and along the places, until nothing changes. A cell that nobody shows, and that is
2 at least and not the threshold already, is one of them; with it the bounds are drawn anew, until there is no other.

Bounds are the quick part of what linear programs tell, and nearly all of it (docs/protection.md, "What is not covered
yet"). The attack draws the same conclusions by itself (`anonymize.attack.promise`).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from anonymize.protection.lattice import PLENTY, Flags, Ints, Lattice
from anonymize.tables import Mark


def large(lattice: Lattice, marks: NDArray[np.uint8], threshold: int, which: Flags) -> Flags:
    """(places, cells) what is known to be the threshold or more: already (`lattice.large`), or by bounds of `which`.

    Of those that are not even withheld. Who holds the true table looks at cells that count the threshold or more alone;
    to anybody else every cell is one that cannot be at risk if it cannot be 1. Of the lattice's values only those that
    are shown are used. Nothing follows from what contradicts itself, as a wrong list of large cells may.
    """
    which = which & (marks >= Mark.BELOW)
    while True:
        low, high = bounds(lattice, marks)
        if (low > high).any():
            return lattice.large
        found = lattice.large | (which & (low > 1) & (low < threshold))
        if (found == lattice.large).all():
            return found
        lattice = replace(lattice, large=found, least=np.where(found, threshold, lattice.least))


def bounds(lattice: Lattice, marks: NDArray[np.uint8]) -> tuple[Ints, Ints]:
    """The least and the most that each cell can be (places, cells), as single sums tell by turns."""
    values, shown = lattice.values, marks == Mark.SHOWN
    empty = ~_may_count(lattice)
    low = np.where(shown, values, np.where(lattice.bound(marks), lattice.least, 0))
    high = np.where(shown, values, np.where(empty, 0, PLENTY))
    while True:
        before = low.sum(), high.sum()
        for whole, parts in lattice.parts:
            at = (slice(None), parts)
            low[:, whole], high[:, whole], low[at], high[at] = _by_turns(
                low[:, whole], high[:, whole], low[at], high[at]
            )
        for place, below in enumerate(lattice.children):
            if len(below):
                low[place], high[place], least, most = _by_turns(low[place], high[place], low[below].T, high[below].T)
                low[below], high[below] = least.T, most.T
        if (low.sum(), high.sum()) == before or (low > high).any():  # bounds that contradict each other would go on
            return low, high


def _may_count(lattice: Lattice) -> Flags:
    """(places, cells) cells in which nobody is known to be missing somewhere."""
    open_ = (lattice.open @ lattice.membership.T.astype(np.int64)) > 0
    up_to = np.zeros((len(open_) + 1, open_.shape[1]), dtype=np.int64)
    np.cumsum(open_, axis=0, out=up_to[1:])
    flags: Flags = up_to[lattice.leaf_end] > up_to[lattice.leaf_start]
    return flags


def _by_turns(low: Ints, high: Ints, least: Ints, most: Ints) -> tuple[Ints, Ints, Ints, Ints]:
    """Bounds of sums (…) by those of their parts (…, parts), and then of the parts by those of their sum."""
    together, at_most = least.sum(axis=-1), most.sum(axis=-1)
    low, high = np.maximum(low, together), np.minimum(high, at_most)
    others_least, others_most = together[..., None] - least, at_most[..., None] - most
    return (
        low,
        high,
        np.maximum(least, low[..., None] - others_most),
        np.minimum(most, np.maximum(high[..., None] - others_least, 0)),
    )
