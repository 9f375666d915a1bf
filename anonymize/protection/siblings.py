"""Lowest places that show nothing but totals: which of their cells are safe by exchanges with their siblings alone.

Where no breakdown is shown, or marked c, at any child of a place, a person of one of them may become another type if a
person of that type, at a sibling, becomes the first: all totals stay, and so does every cell of the place above. Many
kinds of such exchanges together can change a cell far enough where one kind can't, and here they are reckoned for all
places at once. A cell with types X inside, at place d, gains a person by

    s -> t at d and t -> s at a sibling e,      t in X, s not in X,

where d has a person of s, e has one of t, and nobody is known to be missing of t at d or of s at e.

**How many.** Taken one s after the other, u exchanges so far have used at most u of the siblings' persons of t, so that
of q persons that could be taken for the next s at least q - u are left. The sum over s of min(persons of s at d,
q - u) is therefore laid whole, person by person, and every whole value on the way is met in a possible table.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from anonymize.protection.lattice import Flags, Ints, Lattice
from anonymize.protection.walk import only_totals


def bare(lattice: Lattice, marks: NDArray[np.uint8]) -> Flags:
    """Places right above the lowest whose children show nothing but totals."""
    above: Flags = only_totals(lattice, marks) & (lattice.level == lattice.level.max() - 1)
    return above


def reach(counts: Ints, staying: Ints, may_come: Flags, inside: Flags) -> tuple[Ints, Ints]:
    """The least and the greatest value (places, cells) that each cell meets by exchanges from counts (places, types).

    `staying` (places, types) are persons that are not taken away, `may_come` says where nobody is known to be missing;
    `inside` (cells, types) what each cell counts; none counts everybody.
    """
    here, movable, room = counts @ inside.T, np.maximum(counts - staying, 0), may_come.astype(np.int64)
    return here - lost(movable, room, inside), here + gained(movable, room, inside)


def gained(counts: Ints, may_come: Ints, inside: Flags) -> Ints:
    """How many persons each cell can gain, (places, cells); see `reach`."""
    cell, coming = np.nonzero(inside)
    both = may_come.T @ counts  # (s, t) persons of t at places where s may come
    units = np.zeros((len(counts), len(cell)), dtype=np.int64)
    for leaving in np.flatnonzero(counts.any(axis=0)).tolist():
        back = both[leaving, coming] - may_come[:, leaving, None] * counts[:, coming]
        more = np.minimum(counts[:, leaving, None], np.maximum(back - units, 0))
        units += more * ~inside[cell, leaving]
    units *= may_come[:, coming]
    most: Ints = np.maximum.reduceat(units, np.searchsorted(cell, np.arange(len(inside))), axis=1)
    return most


def lost(counts: Ints, may_come: Ints, inside: Flags) -> Ints:
    """How many persons each cell can lose, (places, cells); see `reach`."""
    cell, leaving = np.nonzero(inside)
    both = may_come.T @ counts  # (t, s) persons of s at places where t may come
    back = may_come @ (both[leaving] * ~inside[cell]).T - may_come[:, leaving] * (counts @ ~inside.T)[:, cell]
    units = np.zeros((len(counts), len(inside)), dtype=np.int64)
    for kind in np.flatnonzero(counts.any(axis=0)).tolist():
        here = leaving == kind
        at = cell[here]
        units[:, at] += np.minimum(counts[:, kind, None], np.maximum(back[:, here] - units[:, at], 0))
    return units
