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
from anonymize.protection.lattice import PLENTY, Flags, Ints
from anonymize.protection.moves import FACES, Swaps, dealt, exchanged, splittable
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
    may_come: Flags  # (lowest places, types) what nobody knows to be zero
    staying: tuple[Ints, Ints]  # (lowest places, types) persons that stay, from the true table on and from another one
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
        level = int(lattice.level[places[0]])
        return cls(
            swaps,
            places,
            marks[places] != Mark.SHOWN,
            np.where(marks[places] == Mark.WITHHELD, lattice.least[places], -PLENTY),
            lattice.open[first:last],
            (lattice.staying(level)[first:last], lattice.staying(level, all_of_them=True)[first:last]),
            first,
            last,
            np.array(zones, dtype=np.int64) - first,
            np.array(owner, dtype=np.int64),
        )

    def under(self, place: int) -> tuple[slice, Ints]:
        """The lowest places under one of the places, and where among them its zones begin."""
        lattice = self.swaps.lattice
        begins, ends = (int(at[self.places[place]]) - self.first for at in (lattice.leaf_start, lattice.leaf_end))
        return slice(begins, ends), self.zones[self.owner == place] - begins


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
    staying: Ints  # (lowest places, types) persons that are not taken away
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
        staying = region.staying[table is not None]
        if table is not None:
            inside = (table.leaves >= region.first) & (table.leaves < region.last)
            np.add.at(counts, table.leaves[inside] - region.first, table.counts[inside])
        return cls(region, int(np.searchsorted(region.places, place)), counts, staying)

    def seek(self, cell: int, value: int) -> bool:
        """Walk until a cell of the place has a value; False if it was not reached."""
        lattice = self.region.swaps.lattice
        crosses = [c for c in lattice.subcrosses(int(lattice.cross[cell])) if c]
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
        pairings = (alternatives[:, None] * swap.pairings + np.arange(swap.pairings)).reshape(-1)
        alternatives = np.repeat(alternatives, swap.pairings)
        leaving, coming, corners = leaving[pairings], coming[pairings], swap.corners[alternatives]
        spare = self.values - region.floor
        own = self._by_zone(leaving, coming, self.here).sum(axis=0)  # (alternatives, rests)
        own = np.minimum(own, spare[self.here][corners[:, losing]].min(axis=1)[:, None])
        some = np.any(own > 0, axis=1)  # the siblings are not asked for what the place itself can't give
        if not some.any():
            return None
        own, leaving, coming = own[some], leaving[some], coming[some]
        alternatives, corners = alternatives[some], corners[some]
        far = np.minimum(self._by_place(coming, leaving), spare[:, corners[:, winning]].min(axis=2)[:, :, None])
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

    def _movable(self, rows: slice) -> Ints:
        """(lowest places, types) persons of some lowest places that may be taken away."""
        movable: Ints = np.maximum(self.counts[rows] - self.staying[rows], 0)
        return movable

    def _by_place(self, leaving: Ints, coming: Ints) -> Ints:
        """(places, alternatives, rests) units that each place can lay of (alternatives, half, rests) types."""
        by_zone = self._by_zone(leaving, coming)
        out = np.zeros((len(self.region.places), *by_zone.shape[1:]), dtype=np.int64)
        np.add.at(out, self.region.owner, by_zone)
        return out

    def _by_zone(self, leaving: Ints, coming: Ints, place: int | None = None) -> Ints:
        """(zones, alternatives, rests) the same by zone, of one place or of all."""
        region = self.region
        rows, zones = (slice(None), region.zones) if place is None else region.under(place)
        counts, may_come = self._movable(rows), region.may_come[rows]

        def laid(out: list[int], into: list[int]) -> Ints:
            units: Ints = exchanged(counts, may_come, leaving[:, out], coming[:, into])
            return units if len(zones) == len(counts) else np.add.reduceat(units, zones, axis=0)

        ways = [
            np.minimum.reduce([laid(out, into) for out, into in parts])
            for parts in _ways(leaving.shape[1], coming.shape[1])
        ]
        units: Ints = np.maximum.reduce(ways)
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
        room = self._by_zone(leaving[None, :, None], coming[None, :, None], place)[:, 0, 0]
        rows, zones = self.region.under(place)
        ends = np.append(zones[1:], rows.stop - rows.start)
        for zone in np.flatnonzero(room > 0).tolist():
            now = min(units, int(room[zone]))
            if not now:
                return
            units -= now
            at = slice(rows.start + int(zones[zone]), rows.start + int(ends[zone]))
            here = self.counts[at]
            for losing, winning, fit in self._parted(at, leaving, coming, now):
                share = dealt(now, fit)
                here[:, losing] -= share[:, None]
                here[:, winning] += share[:, None]

    def _parted(self, at: slice, leaving: Ints, coming: Ints, units: int) -> list[tuple[Ints, Ints, Ints]]:
        """The parts of an exchange that a zone can lay so many units of: what leaves, what comes, units by place."""
        counts, may_come = self._movable(at), self.region.may_come[at]
        for parts in _ways(len(leaving), len(coming)):
            laid = [(leaving[out], coming[into]) for out, into in parts]
            fit = [
                exchanged(counts, may_come, losing[None, :, None], winning[None, :, None])[:, 0, 0]
                for losing, winning in laid
            ]
            if all(one.sum() >= units for one in fit):
                return [(losing, winning, one) for (losing, winning), one in zip(laid, fit, strict=True)]
        raise AssertionError("a zone gives fewer units than it was counted to have")


def _ways(leaving: int, coming: int) -> tuple[tuple[tuple[list[int], list[int]], ...], ...]:
    """How the corners of an exchange may be parted: whole, or a cube's by its faces on each axis."""
    if leaving != 4:
        return (((list(range(leaving)), list(range(coming))),),)
    return FACES
