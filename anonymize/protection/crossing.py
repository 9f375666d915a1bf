"""Crossings: walks of places that have others below them (see `walk`).

A place whose single categories are shown, and most crosses of two dimensions with them, is changed by the boxes of
`moves` alone. Here they are laid one after the other, at the lowest places, where persons are: each time the
box of which most units fit, with all siblings together in reverse. What is found is a table to begin at for walks
further down: where a province can count more persons of a type, so can its districts.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from anonymize.protection.blocks import Change
from anonymize.protection.lattice import Flags, Ints, subcrosses
from anonymize.protection.moves import FACES, PLENTY, Swaps, dealt, fewest, splittable
from anonymize.tables import Mark


@dataclass(frozen=True, slots=True, eq=False)
class Region:
    """A place's children where these show crosses further down: persons are found at the lowest places.

    A *zone* is a lowest place, or a place under which no cross of two dimensions is shown: the two faces of an exchange
    over three dimensions (see `screen`) may lie in different lowest places of one zone.
    """

    swaps: Swaps
    places: Ints
    open: Flags  # (places, cells) not shown
    floor: Ints  # (places, cells) as in a Ground
    first: int  # inner rows first … last - 1 are the lowest places under all of them
    last: int
    zones: Ints  # (zones,) the first inner row of each, from `first`
    owner: Ints  # (zones,) index of the place that each lies in

    @classmethod
    def of(cls, swaps: Swaps, marks: NDArray[np.uint8], places: Ints) -> Region:
        """The children of one place."""
        lattice = swaps.lattice
        split = splittable(lattice, marks)
        zones, owner = [], []
        for index, place in enumerate(places.tolist()):
            row = place
            while row < lattice.end[place]:
                if split[row]:
                    zones.append(int(lattice.leaf_start[row]))
                    owner.append(index)
                    row = int(lattice.end[row])
                else:
                    row += 1
        first, last = int(lattice.leaf_start[places[0]]), int(lattice.leaf_end[places[-1]])
        return cls(
            swaps,
            places,
            marks[places] != Mark.SHOWN,
            np.where(marks[places] == Mark.WITHHELD, lattice.least[places], -PLENTY),
            first,
            last,
            np.array(zones, dtype=np.int64) - first,
            np.array(owner, dtype=np.int64),
        )


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """The exchange of which most units fit, and how many."""

    units: int
    leaving: Ints  # types at the place itself; the siblings do the reverse
    coming: Ints
    shares: Ints  # (places,) units that each sibling can give


@dataclass(slots=True, eq=False)
class Crossing:
    """A walk of a place that has others below it: exchanges over crosses that it and its siblings do not show."""

    region: Region
    here: int
    counts: Ints  # (lowest places, types)
    values: Ints = field(init=False)  # (places, cells)
    low: Ints = field(init=False)
    high: Ints = field(init=False)

    def __post_init__(self) -> None:
        region = self.region
        lattice = region.swaps.lattice
        starts = lattice.leaf_start[region.places] - region.first
        self.values = np.add.reduceat(self.counts, starts, axis=0) @ lattice.membership.T
        self.low = self.values[self.here].copy()
        self.high = self.low.copy()

    @classmethod
    def begin(cls, region: Region, place: int, table: Change | None = None) -> Crossing:
        """At the true table, or at another possible one."""
        counts = region.swaps.lattice.inner[region.first : region.last].copy()
        if table is not None:
            inside = (table.leaves >= region.first) & (table.leaves < region.last)
            np.add.at(counts, table.leaves[inside] - region.first, table.counts[inside])
        return cls(region, int(np.searchsorted(region.places, place)), counts)

    def seek(self, cell: int, value: int) -> bool:
        """Walk until a cell of the place has a value; False if it was not reached."""
        crosses = [c for c in subcrosses(int(self.region.swaps.lattice.cross[cell])) if c]
        while (left := value - int(self.values[self.here, cell])) != 0:
            found = max(
                (f for f in (self._best(cell, cross, left > 0) for cross in crosses) if f),
                key=lambda f: f.units,
                default=None,
            )
            if found is None:
                return False
            self._lay(found, min(found.units, abs(left)))
        return True

    def table(self) -> Change:
        """Where the walk stands, as a table of the lowest places."""
        differ = self.counts - self.region.swaps.lattice.inner[self.region.first : self.region.last]
        leaves = np.flatnonzero(differ.any(axis=1))
        return Change(leaves + self.region.first, differ[leaves])

    def _best(self, cell: int, cross: int, up: bool) -> Found | None:
        region = self.region
        swap = region.swaps.of(cell, cross)
        if not len(swap.corners):
            return None
        allowed: Flags = np.all(region.open[:, swap.corners], axis=2)  # (places, alternatives)
        mates = np.arange(len(region.places)) != self.here
        alternatives = np.flatnonzero(allowed[self.here] & allowed[mates].any(axis=0))
        if not len(alternatives):
            return None
        losing, winning = (~swap.even, swap.even) if up else (swap.even, ~swap.even)
        leaving, coming = (swap.inner_odd, swap.inner_even) if up else (swap.inner_even, swap.inner_odd)
        leaving, coming, corners = leaving[alternatives], coming[alternatives], swap.corners[alternatives]
        spare = self.values - region.floor
        own = self._units(leaving)[self.here]  # (alternatives, rests)
        own = np.minimum(own, spare[self.here][corners[:, losing]].min(axis=1)[:, None])
        far = np.minimum(self._units(coming), spare[:, corners[:, winning]].min(axis=2)[:, :, None])
        far = np.where((allowed[:, alternatives] & mates[:, None])[:, :, None], far, 0)
        units = np.minimum(own, far.sum(axis=0))
        a, r = divmod(int(units.argmax()), units.shape[1])
        if units[a, r] <= 0:
            return None
        return Found(
            int(units[a, r]),
            leaving[a, :, r],
            coming[a, :, r],
            far[:, a, r],
        )

    def _units(self, types: Ints) -> Ints:
        """(places, alternatives, rests) units that each place can give of (alternatives, half, rests) types."""
        by_zone = self._by_zone(types)
        out = np.zeros((len(self.region.places), *by_zone.shape[1:]), dtype=np.int64)
        np.add.at(out, self.region.owner, by_zone)
        return out

    def _by_zone(self, types: Ints) -> Ints:
        units: Ints = np.maximum.reduce(
            [
                np.minimum.reduce(
                    [np.add.reduceat(fewest(self.counts, types[:, part]), self.region.zones, axis=0) for part in parts]
                )
                for parts in _ways(types.shape[1])
            ]
        )
        return units

    def _lay(self, found: Found, units: int) -> None:
        region = self.region
        shares = dealt(units, found.shares)
        self._lay_at(self.here, found.leaving, found.coming, units)
        for place in np.flatnonzero(shares).tolist():
            self._lay_at(place, found.coming, found.leaving, int(shares[place]))
        lattice = region.swaps.lattice
        change = lattice.membership[:, found.coming].sum(axis=1) - lattice.membership[:, found.leaving].sum(axis=1)
        self.values[self.here] += units * change
        self.values -= shares[:, None] * change[None, :]
        np.minimum(self.low, self.values[self.here], out=self.low)
        np.maximum(self.high, self.values[self.here], out=self.high)

    def _lay_at(self, place: int, leaving: Ints, coming: Ints, units: int) -> None:
        """Exchange persons at the lowest places of one place, zone after zone."""
        region = self.region
        ends = np.append(region.zones[1:], len(self.counts))
        room = self._by_zone(leaving[None, :, None])[:, 0, 0]
        for zone in np.flatnonzero((region.owner == place) & (room > 0)).tolist():
            now = min(units, int(room[zone]))
            if not now:
                return
            units -= now
            at = slice(int(region.zones[zone]), int(ends[zone]))
            here = self.counts[at]
            for losing, winning in _split_by(here, leaving, coming, now):
                share = dealt(now, here[:, losing].min(axis=1))
                here[:, losing] -= share[:, None]
                here[:, winning] += share[:, None]


def _ways(half: int) -> tuple[tuple[list[int], ...], ...]:
    """How the even, or the odd, corners of an exchange may be parted: whole, or a cube's by its faces on each axis."""
    if half != 4:
        return ((list(range(half)),),)
    return FACES


def _split_by(counts: Ints, leaving: Ints, coming: Ints, units: int) -> list[tuple[Ints, Ints]]:
    """The parts of an exchange that a zone can lay so many units of, each as types that leave and types that come."""
    for number, parts in enumerate(_ways(len(leaving))):
        if all(counts[:, leaving[part]].min(axis=1).sum() >= units for part in parts):
            return [(leaving[part], coming[part if number < 2 else _rest(part)]) for part in parts]
    raise AssertionError("a zone gives fewer units than it was counted to have")


def _rest(part: list[int]) -> list[int]:
    """On the last axis the even corners of one face stand where the odd ones of the other do."""
    return [corner for corner in range(4) if corner not in part]
