"""What an outsider works out of a published table, by linear algebra and linear programs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import highspy
import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from anonymize.attack import Finding, Published
from anonymize.attack.intervals import intervals
from anonymize.attack.program import Program, solver_of
from anonymize.attack.recovery import recover
from anonymize.attack.system import System
from anonymize.tables import TOTAL, CellRef, Mark, SafeCells, names_of
from rnu.public.axes import lowest
from rnu.public.table import Public

Cell = tuple[int, ...]  # one number of a code for each dimension


@dataclass(frozen=True, slots=True)
class Known:
    """A count known from elsewhere: how many some cells, mostly one, sum up to."""

    cells: tuple[Cell, ...]
    count: int


@dataclass(frozen=True, slots=True)
class Attacked:
    """What an outsider works out of a table."""

    tried: int  # withheld cells
    found: tuple[Finding, ...]
    agrees: bool = True  # whether any table agrees with what is published and known; if none does, nothing was tried


def attack(public: Public, known: Iterable[Known] = ()) -> Attacked:
    """Attack a table by what is public of it, its certificate's list too, with other known counts if any."""
    safe = public.safe()
    listed = [_ref(public, cell) for cell in public.claim.large]
    withheld = _own(safe, names_of(safe.places, safe.dimensions, safe.marks == Mark.WITHHELD))
    targets = [ref for ref in withheld if ref not in set(listed)]
    system = System.of(Published.of(safe))
    system = system.at_least(system.sums(listed), safe.threshold)
    known = tuple(known)
    table: NDArray[np.float64] | None
    if known:
        system = _knowing(system, [[_ref(public, cell) for cell in one.cells] for one in known], known)
        table = _some_table(system)
        if table is None:
            return Attacked(len(withheld), (), agrees=False)
    else:
        table = public.claim.base[lowest(public.claim.axes[0].tree)].reshape(-1).astype(float)
    recovered = recover(system, safe.threshold)
    settled = {finding.cell for finding in recovered}
    narrow = intervals(system, [ref for ref in targets if ref not in settled], safe.threshold, table)
    at_risk = (finding for finding in narrow if finding.low < safe.threshold)  # what is larger is nobody's risk
    return Attacked(len(withheld), (*recovered, *at_risk))


def _ref(public: Public, at: Cell) -> CellRef:
    """A cell's name in the terms of `anonymize`."""
    first, *others = (axis.tree for axis in public.claim.axes)
    place, *rest = at
    categories = tuple(TOTAL if i == 0 else tree.codes[i] for i, tree in zip(rest, others, strict=True))
    return CellRef(first.level[place], first.codes[place], categories)


def _own(safe: SafeCells, refs: Iterable[CellRef]) -> list[CellRef]:
    """Cells of places that are not a branch that ended, going on."""
    places = safe.places
    again = {
        (places.levels[int(places.level[i])], code)
        for i, code in enumerate(places.codes)
        if places.parent[i] >= 0 and places.codes[int(places.parent[i])] == code
    }
    return [ref for ref in refs if (ref.level, ref.place) not in again]


# --- what is known beside the rows -----------------------------------------------------------------------------------


def _knowing(system: System, refs: Sequence[Sequence[CellRef]], known: Sequence[Known]) -> System:
    """With sums of cells of which the counts are known; where a sum is 0 nobody is in any of its cells."""
    empty = [ref for own, one in zip(refs, known, strict=True) if one.count == 0 for ref in own]
    free = system.free.copy()
    free[system.columns[np.unique(system.sums(empty).indices)]] = False
    system = replace(system, free=free)
    flat = [ref for own in refs for ref in own]
    of = np.repeat(np.arange(len(refs)), [len(own) for own in refs])
    together = sparse.csr_array((np.ones(len(flat)), (of, np.arange(len(flat)))), shape=(len(refs), len(flat)))
    counts = np.array([float(one.count) for one in known])
    return system.stating(sparse.csr_array(together @ system.sums(flat)), counts, counts)


def _some_table(system: System) -> NDArray[np.float64] | None:
    """Any table that agrees with every statement, (unknowns,); None if there is none."""
    program = Program.of(system)
    columns = len(system.columns)
    solver = solver_of(program.matrix, program.low, program.high, np.full(columns, np.inf), np.zeros(columns))
    solver.run()
    if solver.getModelStatus() != highspy.HighsModelStatus.kOptimal:
        return None
    table = np.zeros(len(system.free))
    table[system.columns] = np.maximum(np.array(solver.getSolution().col_value), 0)
    return table
