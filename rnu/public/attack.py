"""What an outsider works out of a published table, by linear algebra and linear programs."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass

from anonymize.attack import Finding, Published
from anonymize.attack.intervals import intervals
from anonymize.attack.recovery import recover
from anonymize.attack.system import System
from anonymize.tables import TOTAL, CellRef, Mark, SafeCells, names_of
from anonymize.verify import SHOWN
from rnu.public.axes import lowest
from rnu.public.table import Public

Known = tuple[tuple[int, ...], int]  # a cell, as one number of a code for each dimension, and its count


@dataclass(frozen=True, slots=True)
class Attacked:
    """What an outsider works out of a table."""

    tried: int  # withheld cells
    found: tuple[Finding, ...]


def attack(public: Public, known: Iterable[Known] = ()) -> Attacked:
    """Attack a table by what is public of it, with other known counts of its cells if any."""
    public = with_known(public, known)
    safe = public.safe()
    system = System.of(Published.of(safe))
    recovered = recover(system, safe.threshold)
    withheld = _own(safe, names_of(safe.places, safe.dimensions, safe.marks == Mark.WITHHELD))
    table = public.claim.base[lowest(public.claim.axes[0].tree)].reshape(-1).astype(float)
    if not system.agrees(table):
        return Attacked(len(withheld), recovered)  # the base does not know what is known from elsewhere
    settled = {*_listed(public), *(finding.cell for finding in recovered)}
    narrow = intervals(system, [ref for ref in withheld if ref not in settled], safe.threshold, table)
    return Attacked(len(withheld), (*recovered, *narrow))


def with_known(public: Public, known: Iterable[Known]) -> Public:
    """The table with further cells shown."""
    state, values = public.state.copy(), public.values.copy()
    for at, count in known:
        state[at], values[at] = SHOWN, count
    return dataclasses.replace(public, state=state, values=values)


def _own(safe: SafeCells, refs: tuple[CellRef, ...]) -> list[CellRef]:
    """Cells of places that are not a branch that ended, going on."""
    places = safe.places
    again = {
        (places.levels[int(places.level[i])], code)
        for i, code in enumerate(places.codes)
        if places.parent[i] >= 0 and places.codes[int(places.parent[i])] == code
    }
    return [ref for ref in refs if (ref.level, ref.place) not in again]


def _listed(public: Public) -> list[CellRef]:
    """Cells of the certificate's list."""
    first, *others = (axis.tree for axis in public.claim.axes)
    levels, depth = first.levels, first.depth
    return [
        CellRef(
            levels[depth[place]],
            first.codes[place],
            tuple(TOTAL if i == 0 else tree.codes[i] for i, tree in zip(at, others, strict=True)),
        )
        for place, *at in public.claim.large
    ]
