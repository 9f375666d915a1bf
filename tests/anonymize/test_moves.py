"""Moves go as far as they say, and what is cleared by them is safe: judged by integer programs, whatever the trees."""

from __future__ import annotations

import numpy as np
from hypothesis import HealthCheck, given, reject, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.optimize import Bounds, LinearConstraint, milp

from anonymize.errors import Unprotectable
from anonymize.policy import Policy
from anonymize.protect import protect
from anonymize.protection.design import planned
from anonymize.protection.lattice import Lattice
from anonymize.protection.moves import Swaps, offers, pairings
from anonymize.protection.screen import screen
from anonymize.tables import Cells, Dimension, Mark, Places, add_margins
from tests.anonymize import trees

LEVELS = ("nacion", "departamento", "provincia")
PATHS = [("PE", "0", "00"), ("PE", "0", "01"), ("PE", "1", "10"), ("PE", "1", "11")]


@st.composite
def tables(draw: st.DrawFn) -> Cells:
    """Four provinces, by one or two trees."""
    sizes = draw(st.sampled_from([(4,), (5,), (2, 3), (3, 3)]))
    counts = draw(arrays(np.int64, (len(PATHS), *sizes), elements=st.integers(0, 6)))
    return Cells(Places.of(PATHS, LEVELS), draw(trees.dimensions(sizes)), counts)


def can_be(lattice: Lattice, marks: np.ndarray, place: int, cell: int, value: int) -> bool:
    """Whether a table of whole counts that says what is told of all cells counts so many in one."""
    cells = lattice.cells
    unit = np.eye(cells.counts.size, dtype=np.int64).reshape(-1, *cells.counts.shape)
    margins = np.stack([add_margins(one, cells.places, cells.dimensions) for one in unit])
    sums = margins[:, lattice.order].reshape(len(unit), *lattice.values.shape).transpose(1, 2, 0)
    told = (marks == Mark.SHOWN) | lattice.bound(marks)
    low = np.where(marks == Mark.SHOWN, lattice.values, lattice.least)[told]
    high = np.where(marks == Mark.SHOWN, lattice.values, np.inf)[told]
    rows = LinearConstraint(np.vstack([sums[told], sums[place, cell]]), np.append(low, value), np.append(high, value))
    bounds = Bounds(0, np.where(open_counts(lattice), np.inf, 0))
    return milp(np.zeros(len(unit)), integrality=np.ones(len(unit)), bounds=bounds, constraints=rows).x is not None


def open_counts(lattice: Lattice) -> np.ndarray:
    """Where persons may come, in the order of the table."""
    places = lattice.cells.places
    leaf = np.searchsorted(places.leaves, lattice.order[lattice.lowest])
    found = np.empty_like(lattice.open)
    found[leaf] = lattice.open
    return found.reshape(-1)


@st.composite
def marked(draw: st.DrawFn) -> tuple[Lattice, np.ndarray]:
    """A table laid flat, as somebody sees it who knows of zeros or does not, and its marks: protected, or careless."""
    cells, crosses = draw(tables()), draw(st.sampled_from([(2, 2, 1), (2, 1, 1), (1, 1, 0)]))
    lattice, policy = Lattice.of(cells, draw(st.sampled_from([None, 4]))), Policy(4, crosses, dominance=2.0)
    if draw(st.booleans()):
        return lattice, careless(lattice, policy, shallow=draw(st.booleans()))
    try:
        return lattice, lattice.laid(protect(cells, policy).marks)
    except Unprotectable:
        reject()


def careless(lattice: Lattice, policy: Policy, shallow: bool) -> np.ndarray:
    """Marks that hide cells at risk and what is below them, and nothing for their sake: little else is possible.

    Shallow ones show only what is right below the totals, but for the root.
    """
    marks = planned(lattice, policy).marks(lattice)
    if shallow:
        deep = [any(lattice.depth_in(cross, t) > 1 for t in range(len(lattice.sizes))) for cross in lattice.cross]
        marks[1:, deep] = Mark.ABSENT
    at_risk = np.argwhere((lattice.values > 0) & (lattice.values < policy.threshold)).tolist()
    for place, cell in sorted(at_risk, key=lambda at: (lattice.level[at[0]], int(lattice.cross[at[1]]).bit_count())):
        if marks[place, cell] == Mark.SHOWN:
            below = np.ix_(np.arange(place, lattice.end[place]), lattice.finer[cell])
            marks[below] = np.maximum(marks[below], Mark.BELOW)
            marks[place, cell] = Mark.WITHHELD
    return marks


QUIET = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow], derandomize=True)


@QUIET
@given(marked(), st.randoms())
def test_as_many_units_fit_as_a_move_without_a_price_says(made, draw):
    lattice, marks = made
    swaps = Swaps(lattice)
    unshown = np.argwhere(marks != Mark.SHOWN).tolist()
    for place, cell in draw.sample(unshown, min(4, len(unshown))):
        best = {1: 0, -1: 0}
        for pivot in lattice.path(place):
            for cross in lattice.subcrosses(int(lattice.cross[cell])):
                swap = swaps.of(cell, cross)
                if len(swap.corners):
                    offer = offers(lattice, swap, place, pivot, marks, np.ones_like(lattice.values))
                    for direction, units in ((1, offer.up), (-1, offer.down)):
                        best[direction] = max(best[direction], int(units[offer.price == 0].max(initial=0)))
        for direction, units in best.items():
            for by in {1, units} if units else ():
                if by <= 50:
                    assert can_be(lattice, marks, place, cell, int(lattice.values[place, cell]) + direction * by)


@QUIET
@given(marked(), st.sampled_from([1, -1, 2, -2]), st.randoms())
def test_what_is_cleared_at_once_can_go_as_far_as_it_has_to(made, by, draw):
    lattice, marks = made
    far = np.full_like(lattice.values, abs(by))
    needs = (far, 0 * far) if by > 0 else (0 * far, np.where(lattice.values >= -by, far, 0))
    cleared = np.argwhere(screen(lattice, marks, *needs)[0]).tolist()
    for place, cell in draw.sample(cleared, min(6, len(cleared))):
        assert can_be(lattice, marks, place, cell, int(lattice.values[place, cell]) + by)


def test_nothing_is_cleared_by_an_exchange_with_another_group_that_is_shown():
    # everybody of the first group is 0_5, so who sees the groups knows how many are
    age = Dimension("edad", ("0_5", "6_17", "18_mas"), ("primera", "otra"), (3, 4, 4, 5, 5))
    lattice = Lattice.of(Cells(Places.of(PATHS, LEVELS), (age,), np.arange(5, 17).reshape(4, 3)))
    marks = careless(lattice, Policy(4, (1, 1, 1)), shallow=True)
    cleared, _ = screen(lattice, marks, np.ones_like(lattice.values), np.zeros_like(lattice.values))
    assert cleared[1:, :3].tolist() == [[False, True, True]] * 6


def test_nobody_stands_in_two_pairs():
    for own, other in (((0,), (1, 2)), ((0, 1, 2), (3,)), ((0, 1), (2, 3, 4)), ((0, 1, 2), (3, 4))):
        for pairs in pairings(own, other):
            assert len({a for a, _ in pairs}) == len({b for _, b in pairs}) == len(pairs) == min(len(own), len(other))


def test_a_group_is_a_pivot_and_any_of_its_siblings_categories_come():
    # who is 0_5 in one department could be of either group beside theirs, if somebody elsewhere is the reverse
    age = Dimension("edad", ("0_5", "6_17", "18_59", "60_mas"), ("menor", "mayor"), (4, 4, 5, 5, 6, 6))
    tree = Places.of([("PE", "0"), ("PE", "1")], LEVELS[:2])
    lattice = Lattice.of(Cells(tree, (age,), np.array([[2, 9, 0, 7], [8, 9, 6, 9]])))
    cell = lattice.single(0, 0)
    swap = Swaps(lattice).of(cell, lattice.step(0, 1))
    assert swap.corners.tolist() == [[lattice.single(0, 4), lattice.single(0, 5)]]
    marks = np.zeros(lattice.values.shape, dtype=np.uint8)
    marks[1:, 4:6] = Mark.WITHHELD
    marks[1:, :4] = Mark.BELOW
    offer = offers(lattice, swap, 1, 1, marks, np.ones_like(lattice.values))
    assert (offer.up.tolist(), offer.down.tolist()) == ([[6]], [[2]])  # a 60_mas must stay, and the 0_5 are two
