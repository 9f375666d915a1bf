"""Walks: every table on the way agrees with all that is shown, and no step changes a cell by more than one person."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from anonymize.attack import Published, attack
from anonymize.policy import Policy
from anonymize.protect import protect
from anonymize.protection.blocks import agrees
from anonymize.protection.crossing import Crossing, Region
from anonymize.protection.lattice import Lattice
from anonymize.protection.moves import Swaps
from anonymize.protection.walk import Ground, Types, Walk, only_totals, spread
from anonymize.tables import Cells, Dimension, Places

LEVELS = ("nacion", "departamento", "provincia", "distrito")
DIMENSIONS = tuple(Dimension(f"d{t}", tuple(f"c{i}" for i in range(size))) for t, size in enumerate((2, 3, 2)))
NESTED = Dimension("d1", ("c0", "c1", "c2", "c3", "c4"), ("g0", "g1"), (5, 5, 6, 6, 7, 7, 7))
TREES = (DIMENSIONS[0], NESTED, DIMENSIONS[2])


def country(seed: int, mean: float, dimensions: tuple[Dimension, ...] = DIMENSIONS) -> Cells:
    """A made-up country of few persons for each district and type."""
    departments, provinces, districts = 2, 3, 4
    codes = [
        ("PE", f"{a}", f"{a}{b}", f"{a}{b}{c}")
        for a in range(departments)
        for b in range(provinces)
        for c in range(districts)
    ]
    draw = np.random.default_rng(seed)
    sizes = tuple(len(d.categories) for d in dimensions)
    size = draw.gamma(0.8, 1.25, (len(codes), 1, 1, 1)) * draw.gamma(0.5, 2.0, (1, *sizes))
    return Cells(Places.of(codes, LEVELS), dimensions, draw.poisson(mean * size))


def laid(cells: Cells, policy: Policy) -> tuple[Lattice, np.ndarray]:
    """A table laid flat, with its marks after protection."""
    lattice = Lattice.of(cells)
    return lattice, lattice.laid(protect(cells, policy).marks)


def begin(lattice: Lattice, marks: np.ndarray, place: int) -> Walk | Crossing:
    group = lattice.group(place)
    if only_totals(lattice, marks)[place]:
        return Walk.begin(Ground.of(Types(lattice), marks, group), place)
    return Crossing.begin(Region.of(Swaps(lattice), marks, group), place)


@pytest.mark.parametrize("dimensions", [DIMENSIONS, TREES], ids=["flat", "trees"])
@pytest.mark.parametrize("crosses", [(3, 3, 2, 1), (3, 2, 1, 0), (2, 1, 1, 1)])
@pytest.mark.parametrize("seed", range(4))
def test_every_table_on_a_walk_is_possible_and_every_step_is_small(
    seed: int, crosses: tuple[int, ...], dimensions: tuple[Dimension, ...]
):
    lattice, marks = laid(country(seed, 3.0, dimensions), Policy(5, crosses, dominance=2.0))
    draw = np.random.default_rng(seed)
    unshown = [(g, c) for g, c in np.argwhere(marks > 0).tolist() if g]
    moved = 0
    for pick in draw.permutation(len(unshown))[:60].tolist():
        place, cell = unshown[pick]
        walk, value, direction = begin(lattice, marks, place), int(lattice.values[place, cell]), pick % 2 * 2 - 1
        met = [lattice.values]
        for step in range(1, 5):
            if value + direction * step < 0 or not walk.seek(cell, value + direction * step):
                break
            places, values = walk.table().margins(lattice)
            assert agrees(lattice, marks, places, values)
            here = lattice.values.copy()
            here[places] = values
            assert here[place, cell] == value + direction * step
            assert walk.low[cell] <= here[place, cell] <= walk.high[cell]
            met.append(here)
        moved += len(met) - 1
        if len(met) > 1:
            assert met[1].shape == met[0].shape
            assert all((one[place, cell] - other[place, cell]) * direction == -1 for one, other in pairwise(met))
    assert moved > 20  # walks do go somewhere


@pytest.mark.parametrize("dimensions", [DIMENSIONS, TREES], ids=["flat", "trees"])
@pytest.mark.parametrize("seed", range(3))
def test_a_single_exchange_changes_no_cell_by_more_than_one(
    seed: int, dimensions: tuple[Dimension, ...], monkeypatch: pytest.MonkeyPatch
):
    """The whole values between a walk's ends are possible because of this, so each unit is laid alone and looked at."""
    lattice, marks = laid(country(seed, 3.0, dimensions), Policy(5, (3, 3, 2, 1), dominance=2.0))
    seen = []
    whole = Walk._exchange

    def one_by_one(self: Walk, leaving, coming, mates, room, units):
        before = self.table().margins(lattice)
        done = whole(self, leaving, coming, mates, room, min(units, 1))
        after = self.table().margins(lattice)
        tables = []
        for places, values in (before, after):
            table = lattice.values.copy()
            table[places] = values
            tables.append(table)
        if done:
            # of the place and its siblings; who of those below has become what is told only where a walk ends
            seen.append(int(np.abs(tables[1] - tables[0])[self.ground.places].max()))
        return done

    monkeypatch.setattr(Walk, "_exchange", one_by_one)
    for place, cell in np.argwhere(marks > 0).tolist()[::7]:
        if place and only_totals(lattice, marks)[place]:
            begin(lattice, marks, place).seek(cell, int(lattice.values[place, cell]) + 3)
    assert seen
    assert set(seen) == {1}


@pytest.mark.parametrize("seed", range(3))
def test_where_only_totals_are_shown_below_shares_of_the_place_above_prove_cells(seed: int):
    cells, policy = country(seed, 2.0), Policy(6, (2, 2, 1, 0), dominance=2.0)
    safe = protect(cells, policy)
    assert attack(Published.of(safe), cells, policy.threshold) == ()


@pytest.mark.parametrize("dimensions", [DIMENSIONS, TREES], ids=["flat", "trees"])
@pytest.mark.parametrize("mean", [1.0, 6.0])
def test_an_attack_finds_nothing_where_a_district_shows_one_cross(mean: float, dimensions: tuple[Dimension, ...]):
    cells, policy = country(11, mean, dimensions), Policy(5, (3, 3, 2, 1), dominance=2.0)
    safe = protect(cells, policy)
    assert attack(Published.of(safe), cells, policy.threshold) == ()


def test_a_walk_that_brings_or_takes_persons_ends_in_a_table_that_does():
    """As one does that begins at a table in which a place counts more, or fewer, altogether."""
    counts = np.array([[3, 0, 4], [1, 2, 0], [6, 1, 1]])
    for differ in ([2, -1, 0], [-3, 1, 0], [0, 0, 2], [-4, 0, -5], [1, -2, 1]):
        change = spread(counts, np.array(differ))
        assert change.sum(axis=0).tolist() == differ
        assert (counts + change >= 0).all()
        if not sum(differ):
            assert (change.sum(axis=1) == 0).all()
