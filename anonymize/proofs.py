"""What is proven of which cell: every value it must be able to have, by exchanges or whole tables.

Proofs only add up: a table that agrees with the marks agrees with any marks that hide more. So a table found for one
cell is noted for all cells whose values it shows to be possible, and kept for the next attempt at a smaller design.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from anonymize.blocks import Change, Prover, agrees, block
from anonymize.design import Design, dominance
from anonymize.lattice import Flags, Ints, Lattice
from anonymize.policy import Policy
from anonymize.screen import screen
from anonymize.trade import Splits, trades

FAR = (2, 8)  # lowest places that a block takes from each place further off; more only if these do not do
MOST_VALUES = 60  # what is open of a cell is one bit per value; above any threshold


def at_risk(values: Ints, threshold: int) -> Flags:
    """Cells that count somebody, and fewer than the threshold."""
    flags: Flags = (values > 0) & (values < threshold)
    return flags


@dataclass(frozen=True, slots=True, eq=False)
class Needs:
    """How far every cell must be able to go, up and down: (places, cells) units, 0 where nothing is needed.

    A cell that must go up must be able to have every whole value on the way; one that must only go down, the lowest.
    """

    up: Ints
    down: Ints

    @classmethod
    def of(cls, lattice: Lattice, plan: Design, design: Design, policy: Policy) -> Needs:
        """Cells at risk must reach 1 and the threshold; a dominating category not shown must reach a lesser share.

        Without the latter a breakdown that was dropped, or that the floor hides, could be had from the place above
        and its other places. `plan` is the design before both.
        """
        risk = at_risk(lattice.values, policy.threshold)
        up = np.where(risk, policy.threshold - lattice.values, 0)
        down = np.where(risk, lattice.values - 1, 0)
        for axis in range(len(lattice.sizes)):
            for place in np.flatnonzero(plan.shows[:, 1 << axis] & ~design.shows[:, 1 << axis]).tolist():
                found = dominance(lattice, policy, place, axis)
                if found:
                    cell, excess = found
                    down[place, cell] = max(down[place, cell], excess)
        return cls(up, down)


@dataclass(slots=True, eq=False)
class Proofs:
    """The proofs of one attempt. `tables` are those found so far, in earlier attempts too."""

    lattice: Lattice
    needs: Needs
    splits: Splits
    tables: list[Change]
    needed: Flags = field(init=False)
    proven: Flags = field(init=False)
    open_values: Ints = field(init=False)  # (places, cells) bit n: that the cell may be n is still to be proven
    provers: dict[tuple[int, int, int], Prover] = field(default_factory=dict)  # of the marks as they are

    def __post_init__(self) -> None:
        up, down = self.needs.up, self.needs.down
        value = np.minimum(self.lattice.values, MOST_VALUES)
        self.needed = (up > 0) | (down > 0)
        self.proven = np.zeros(up.shape, dtype=np.bool_)
        reach = (np.int64(2) << np.minimum(value + up, MOST_VALUES)) - (np.int64(1) << np.maximum(value - down, 0))
        self.open_values = np.where(up > 0, reach & ~(np.int64(1) << value), 0)

    def copy(self) -> Proofs:
        """The proofs as they are, to come back to; without provers, which belong to the marks of the moment."""
        other = Proofs(self.lattice, self.needs, self.splits, self.tables)
        other.proven, other.open_values = self.proven.copy(), self.open_values.copy()
        return other

    def look_around(self, marks: NDArray[np.uint8]) -> None:
        """Prove what can be proven for all cells at once: by tables of earlier attempts, and by the screen."""
        for table in self.tables:
            if agrees(self.lattice, marks, *table.margins(self.lattice)):
                self._note(table)
        self.proven |= screen(self.lattice, marks, self.needs.up, self.needs.down)

    def prove(self, place: int, cell: int, marks: NDArray[np.uint8], near: bool = False) -> bool:
        """Whether a cell is proven with the marks as they are: already, by trades, or by tables of wider blocks.

        `near` looks at the narrowest block only.
        """
        if self.proven[place, cell] or self._trades(place, cell, marks):
            self.proven[place, cell] = True
            return True
        path = self.lattice.path(place)
        centre = path[1] if self.lattice.is_lowest(place) and len(path) > 1 else place
        tops = path[1:] or path
        wider = [*((top, FAR[0]) for top in tops), *((tops[-1], far) for far in FAR[1:])]
        for top, far in wider[: 1 if near else None]:
            prover = self._prover(centre, top, far, marks)
            while not self.proven[place, cell]:
                table = prover.table(place, cell, self._missing(place, cell))
                if table is None:
                    break
                self.tables.append(table)
                self._note(table)
        return bool(self.proven[place, cell])

    def _trades(self, place: int, cell: int, marks: NDArray[np.uint8]) -> bool:
        if not self.lattice.is_lowest(place):
            return False
        up, down = int(self.needs.up[place, cell]), int(self.needs.down[place, cell])
        return all(trades(self.lattice, self.splits, place, cell, marks, by) for by in (up, -down))

    def _prover(self, centre: int, top: int, far: int, marks: NDArray[np.uint8]) -> Prover:
        if (centre, top, far) not in self.provers:
            self.provers[(centre, top, far)] = Prover(block(self.lattice, centre, top, far, marks), marks)
        return self.provers[(centre, top, far)]

    def _missing(self, place: int, cell: int) -> int:
        """A value that a cell must still be able to have: the furthest first, they fail soonest."""
        value = int(self.lattice.values[place, cell])
        low, high = value - int(self.needs.down[place, cell]), value + int(self.needs.up[place, cell])
        if high == value:
            return low
        values = [one for one in range(low, high + 1) if self.open_values[place, cell] >> one & 1]
        return values[-1] if values[-1] > value else values[0]

    def _note(self, table: Change) -> None:
        """Note what a possible table proves, of whatever cell."""
        places, values = table.margins(self.lattice)
        still = self.open_values[places]
        seen = (still > 0) & (values < MOST_VALUES)
        still[seen] &= ~(np.int64(1) << values[seen])
        self.open_values[places] = still
        low_enough = values <= self.lattice.values[places] - self.needs.down[places]
        settled = np.where(self.needs.up[places] > 0, still == 0, low_enough)
        self.proven[places] |= settled & self.needed[places]
