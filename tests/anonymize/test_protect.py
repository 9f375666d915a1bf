"""Protection, judged by an outsider who writes down every table of whole counts that the published rows allow."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.optimize import Bounds, LinearConstraint, milp

from anonymize import workers
from anonymize.attack import Published, attack
from anonymize.errors import BadCells, Unprotectable
from anonymize.policy import Policy
from anonymize.protect import facts, protect
from anonymize.protection import branches
from anonymize.protection.blocks import Change, agrees
from anonymize.protection.design import planned
from anonymize.protection.lattice import Lattice
from anonymize.tables import CellRef, Cells, Dimension, Drop, Mark, Places, SafeCells, add_margins
from tests.anonymize import trees

NAMES = ("nacion", "departamento", "provincia")
SEX = Dimension("sexo", ("hombre", "mujer"))
AGE = Dimension("edad", ("joven", "mayor"))


PLAIN = Policy(5, (1, 1), dominance=2.0)  # no share is too large


def two_levels(counts: list) -> Cells:
    """Lowest places right under the root; dimensions named by their number."""
    array = np.array(counts, dtype=np.int64)
    tree = Places.of([("PE", f"{i:02d}") for i in range(len(array))], NAMES[:2])
    return Cells(tree, dimensions(array.shape[1:]), array)


def dimensions(sizes: tuple[int, ...]) -> tuple[Dimension, ...]:
    return tuple(Dimension(f"d{t}", tuple(f"c{i}" for i in range(size))) for t, size in enumerate(sizes))


# --- the outsider ------------------------------------------------------------------------------------------------


def every_table(safe: SafeCells, limit: int) -> Iterator[np.ndarray]:
    """Every table of inner counts up to a limit that agrees with safe cells; brute force, cell by cell."""
    shape = (len(safe.places.leaves), *(len(d.categories) for d in safe.dimensions))
    size = int(np.prod(shape))
    unit = np.eye(size, dtype=np.int64).reshape(size, *shape)
    sums = (
        np.stack([add_margins(one, safe.places, safe.dimensions) for one in unit]).reshape(size, -1).T
    )  # (cells, unknowns)
    marks, value = safe.marks.reshape(-1), safe.values.reshape(-1)
    shown, withheld = sums[marks == Mark.SHOWN], sums[marks == Mark.WITHHELD]
    total = value[marks == Mark.SHOWN]
    last = np.array([np.flatnonzero(row)[-1] for row in shown])
    table = np.zeros(size, dtype=np.int64)

    def place(at: int, left: np.ndarray) -> Iterator[np.ndarray]:
        if at == size:
            if (withheld @ table >= 1).all():
                yield add_margins(table.reshape(shape), safe.places, safe.dimensions)
            return
        inside = shown[:, at] == 1
        most = min([limit, *left[inside].tolist()])
        ends = left[inside & (last == at)]
        for count in range(int(most) + 1):
            if (ends == count).all():
                table[at] = count
                yield from place(at + 1, left - count * shown[:, at])
        table[at] = 0

    yield from place(0, total)


def narrowed(cells: Cells, safe: SafeCells) -> list[tuple[int, ...]]:
    """Cells at risk for which some whole value from 1 to the threshold is not open in any possible table."""
    values = cells.with_margins()
    risky = [tuple(at) for at in np.argwhere((values > 0) & (values < safe.threshold)).tolist()]
    missing = {at: set(range(1, safe.threshold + 1)) for at in risky}
    for table in every_table(safe, int(cells.counts.sum())):
        missing = {at: left for at, wanted in missing.items() if (left := wanted - {int(table[at])})}
        if not missing:
            break
    return sorted(missing)


def closed(cells: Cells, safe: SafeCells) -> list[tuple[tuple[int, ...], int]]:
    """Cells at risk and whole values up to the threshold that they have in no possible table.

    For who knows of each withheld cell whether it is at the threshold or above, and of each other one whether it is
    zero. Tables may be larger than `narrowed` can write down: an integer program looks for one for each value, and each
    is held against all that is shown.
    """
    size = cells.counts.size
    unit = np.eye(size, dtype=np.int64).reshape(size, *cells.counts.shape)
    sums = np.stack([add_margins(one, safe.places, safe.dimensions).reshape(-1) for one in unit]).T  # (cells, unknowns)
    truth, marks, k = sums @ cells.counts.reshape(-1), safe.marks.reshape(-1), safe.threshold
    told = marks <= Mark.WITHHELD
    most = np.where(cells.counts.reshape(-1) > 0, np.inf, 0)
    low = np.where(marks == Mark.SHOWN, truth, np.where(truth >= k, k, 1))[told]
    high = np.where(marks == Mark.SHOWN, truth, truth.sum())[told]
    tables, missing = [truth], []
    for cell, value in product(np.flatnonzero((truth > 0) & (truth < k)).tolist(), range(1, k + 1)):
        if any(table[cell] == value for table in tables):
            continue
        rows = LinearConstraint(np.vstack([sums[told], sums[cell]]), np.append(low, value), np.append(high, value))
        found = milp(np.zeros(size), integrality=np.ones(size), bounds=Bounds(0, most), constraints=rows)
        if found.x is None:
            missing.append((tuple(int(i) for i in np.unravel_index(cell, safe.marks.shape)), value))
            continue
        inner = np.round(found.x).astype(np.int64)
        tables.append(sums @ inner)
        assert tables[-1][cell] == value
        assert inner.min() >= 0
        assert (low <= tables[-1][told]).all()
        assert (tables[-1][told] <= high).all()
    return missing


# --- by hand -------------------------------------------------------------------------------------------------------


def test_a_table_without_small_cells_is_shown_whole():
    cells = two_levels([[20, 30], [40, 50]])
    safe = protect(cells, Policy(5, (1, 1)))
    assert (safe.marks == Mark.SHOWN).all()
    assert (safe.values == cells.with_margins()).all()


def test_a_lone_small_cell_gets_partners_in_its_row_and_column():
    safe = protect(two_levels([[2, 9], [8, 7], [30, 40]]), Policy(5, (1, 1)))
    assert safe.marks.tolist() == [[0, 0, 0], [1, 1, 0], [1, 1, 0], [0, 0, 0]]


def test_partners_are_the_cheapest_that_go_far_enough():
    near, dear = [8, 7], [30, 40]
    assert protect(two_levels([[2, 9], near, dear]), PLAIN).marks[1:, 0].tolist() == [1, 1, 0]


def test_two_small_cells_do_not_protect_each_other_by_being_withheld():
    # 2 and 1 in one column: knowing that both are at least 1, neither could be 5
    safe = protect(two_levels([[2, 19], [1, 17], [30, 40], [300, 400]]), PLAIN)
    assert safe.marks[1:, 0].tolist() == [1, 1, 1, 0]


def test_a_partner_that_is_no_small_cell_itself_stays_as_large_as_the_threshold():
    # 8 could give the 3 that the 2 needs, and 6 could not without being known to be one of the small
    assert protect(two_levels([[2, 9], [8, 9], [30, 40]]), PLAIN).marks[1:, 0].tolist() == [1, 1, 0]
    assert protect(two_levels([[2, 9], [6, 9], [30, 40]]), PLAIN).marks[1:, 0].tolist() == [1, 0, 1]


def test_a_level_is_broken_down_by_no_other_dimensions_than_its_own():
    cells = Cells(Places.of([("PE", "01"), ("PE", "02")], NAMES[:2]), (SEX, AGE), np.full((2, 2, 2), 50))
    only = (frozenset({SEX.id, AGE.id}), frozenset({AGE.id}))
    safe = protect(cells, Policy(5, (2, 2), broken_down=only))
    assert (safe.marks[1:, :2] == Mark.ABSENT).all()
    assert (safe.marks[1:, 2] == Mark.SHOWN).all()


def test_a_level_that_breaks_down_further_than_the_one_above_is_no_design():
    cells = Cells(Places.of([("PE", "01"), ("PE", "02")], NAMES[:2]), (SEX, AGE), np.full((2, 2, 2), 50))
    with pytest.raises(BadCells, match="level above is not"):
        protect(cells, Policy(5, (2, 2), broken_down=(frozenset({SEX.id}), frozenset({AGE.id}))))


def test_nothing_is_shown_below_a_withheld_total_zeros_included():
    safe = protect(two_levels([[2, 0], [30, 0], [40, 50]]), PLAIN)
    below = safe.marks[:, 2] == Mark.WITHHELD
    assert below.any()
    assert (safe.marks[below, :2] == Mark.BELOW).all()
    assert (safe.values[below] == -1).all()


def test_a_zero_elsewhere_is_shown():
    safe = protect(two_levels([[0, 9], [8, 7], [30, 40]]), PLAIN)
    assert safe.values[1, 0] == 0


def test_the_design_shows_no_more_crosses_than_its_level():
    cells = Cells(Places.of([("PE", "01"), ("PE", "02")], NAMES[:2]), (SEX, AGE), np.full((2, 2, 2), 50))
    marks = protect(cells, Policy(5, (2, 1))).marks
    assert (marks[0] == Mark.SHOWN).all()
    assert (marks[1:, :2, :2] == Mark.ABSENT).all()
    assert (marks[1:, 2, :] == Mark.SHOWN).all()


def test_a_lowest_place_under_the_floor_shows_its_total_only():
    safe = protect(two_levels([[20, 30], [40, 50], [60, 70]]), Policy(5, (1, 1), totals_only=frozenset({"01"})))
    assert safe.marks[2].tolist() == [Mark.ABSENT, Mark.ABSENT, Mark.SHOWN]
    assert [(d.place, d.level, d.cross, d.reason) for d in safe.drops] == [("01", "departamento", ("d0",), "floor")]


def test_a_breakdown_is_dropped_where_one_category_holds_nearly_all():
    safe = protect(two_levels([[57, 3], [40, 50], [60, 70]]), Policy(5, (1, 1)))
    assert (safe.marks[1:, :2] == Mark.ABSENT).all()  # at its siblings too: gone at one alone, it would speak
    assert safe.drops == (Drop("PE", "departamento", ("d0",), "dominance"),)


def test_a_dropped_breakdown_cannot_be_had_by_subtraction():
    # 9 of 10 in one category; an outsider must hold a table for possible in which it is fewer
    safe = protect(two_levels([[9, 1], [5, 5], [5, 6]]), Policy(3, (1, 1)))
    assert (safe.marks[1, :2] == Mark.ABSENT).all()
    assert min(int(table[1, 0]) for table in every_table(safe, 31)) < 9


def test_a_breakdown_that_the_floor_hides_cannot_be_had_by_subtraction_where_one_category_holds_nearly_all():
    # all 7 of the first place in one category: the place above and the siblings must not say so
    policy = Policy(3, (1, 1), totals_only=frozenset({"01"}))
    safe = protect(two_levels([[7, 0], [5, 5], [5, 6]]), policy)
    assert safe.marks[1, 2] == Mark.SHOWN
    assert min(int(table[1, 0]) for table in every_table(safe, 28)) < 7


def test_a_category_imposed_by_a_rule_is_no_disclosure():
    policy = Policy(5, (1, 1), structural={"d0": frozenset({"c0"})})
    safe = protect(two_levels([[57, 0], [40, 0], [60, 0]]), policy)
    assert (safe.marks == Mark.SHOWN).all()
    assert not safe.drops


def test_a_cross_without_any_room_is_dropped_for_all_children_of_a_place():
    # 4 users here, 1 there: for the 4 to be 5 the other place would have to be empty, and c says that it is not
    safe = protect(two_levels([[2, 2], [0, 1]]), Policy(5, (0, 0)))
    assert safe.drops == (Drop("PE", "departamento", (), "sparse"),)
    assert (safe.marks[1:] == Mark.ABSENT).all()
    assert safe.values[0, -1] == 5


def test_a_table_smaller_than_the_threshold_cannot_stand():
    with pytest.raises(Unprotectable):
        protect(two_levels([[1, 0], [2, 1]]), Policy(5, (1, 1)))


def test_an_empty_table_is_shown_as_zeros():
    assert (protect(two_levels([[0, 0], [0, 0]]), Policy(5, (1, 1))).values == 0).all()


def test_an_unshown_cell_is_protected_too():
    # F 7, M 5, old 7, young 5, and no young men in the place above: the unshown old women would be exactly 2
    first = [[0, 5], [5, 2]]  # men: 0 young, 5 old; women: 5 young, 2 old
    cells = two_levels([first, [[0, 30], [25, 40]], [[0, 35], [20, 30]]])
    safe = protect(cells, Policy(5, (2, 1), dominance=2.0))
    assert not attack(Published.of(safe), cells, 5)


def test_a_cell_that_an_attack_found_loses_the_cross_in_its_way():
    cells = two_levels([[20, 30], [40, 50], [60, 70]])
    ref = CellRef("departamento", "00", ("c0",))
    safe = protect(cells, Policy(5, (1, 1)), exposed=[ref])
    assert (safe.marks[1:, :2] == Mark.ABSENT).all()
    again = protect(cells, Policy(5, (1, 1)), exposed=[ref, ref])
    assert (again.marks[1:] == Mark.ABSENT).all()
    assert (again.marks[0] == Mark.SHOWN).all()


def test_a_cell_that_does_not_exist_cannot_be_exposed():
    with pytest.raises(BadCells):
        protect(two_levels([[20, 30]]), Policy(5, (1, 1)), exposed=[CellRef("departamento", "99", ("c0",))])


@pytest.mark.parametrize(
    "policy", [Policy(5, (1,)), Policy(5, (1, 2)), Policy(5, (1, -1)), Policy(1, (1, 1)), Policy(500, (1, 1))]
)
def test_a_policy_that_is_no_design_is_refused(policy):
    with pytest.raises(BadCells):
        protect(two_levels([[20, 30]]), policy)


def test_facts_count_what_was_withheld_and_why():
    cells = two_levels([[2, 9], [8, 7], [30, 40]])
    policy = Policy(5, (1, 1))
    nation, below = facts(cells, policy, protect(cells, policy)).levels
    assert (nation.primary, nation.secondary, nation.value_unshown) == (0, 0, 0)
    assert (below.primary, below.secondary, below.below, below.dropped) == (1, 3, 0, 0)
    assert below.value_unshown == 2 + 9 + 8 + 7
    assert below.share_unshown == (2 + 9 + 8 + 7) / (2 * 96)


def test_facts_name_the_dearest_cells_with_what_is_gone_below_them():
    # a total of 2 withheld, and another of 9 for its sake, with their breakdowns below; the third place's 4 costs least
    cells = two_levels([[2, 0], [6, 3], [4, 40]])
    values, marks = cells.with_margins(), np.zeros((4, 3), dtype=np.uint8)
    marks[1:3] = [Mark.BELOW, Mark.BELOW, Mark.WITHHELD]
    marks[3, 0] = Mark.WITHHELD
    safe = SafeCells(cells.places, cells.dimensions, np.where(marks == 0, values, -1), marks, 5)
    (only,) = facts(cells, PLAIN, safe).dearest  # what takes fewer than the threshold with it is not worth a look
    assert (only.cell, only.persons, only.at_risk) == (CellRef("departamento", "01", ("total",)), 9, False)
    assert (only.cells_below, only.value_unshown) == (2, 18)


def test_facts_count_dropped_cells():
    cells = two_levels([[57, 3], [40, 50], [60, 70]])
    policy = Policy(5, (1, 1))
    assert facts(cells, policy, protect(cells, policy)).levels[1].dropped == 6


# --- whatever the table --------------------------------------------------------------------------------------------


@st.composite
def tables(draw: st.DrawFn, most_inner: int, largest: int) -> tuple[Cells, Policy]:
    """Small sparse tables on trees of two or three levels, by dimensions that are trees too, with a design for each."""
    sizes = draw(st.sampled_from([(2,), (3,), (4,), (2, 2), (2, 3), (2, 2, 2)]))
    depth = draw(st.sampled_from([2, 3]))
    most = max(2, most_inner // int(np.prod(sizes)))
    branches = [draw(st.integers(1, 3)) for _ in range(draw(st.integers(1, 3)))] if depth == 3 else []
    paths = (
        [("PE", f"{i}", f"{i}{j}") for i, many in enumerate(branches) for j in range(many)][:most]
        if depth == 3
        else [("PE", f"{i}") for i in range(draw(st.integers(2, 4)))][:most]
    )
    count = st.one_of(st.just(0), st.integers(0, 3), st.integers(0, largest))
    inner = draw(st.lists(count, min_size=len(paths) * int(np.prod(sizes)), max_size=len(paths) * int(np.prod(sizes))))
    crosses = tuple(sorted((draw(st.integers(0, len(sizes))) for _ in range(depth)), reverse=True))
    counts = np.array(inner).reshape(len(paths), *sizes)
    cells = Cells(Places.of(paths, NAMES[:depth]), draw(trees.dimensions(sizes)), counts)
    floor = frozenset(draw(st.sets(st.sampled_from([path[-1] for path in paths]), max_size=1)))
    return cells, Policy(draw(st.sampled_from([3, 4])), crosses, floor, dominance=draw(st.sampled_from([0.9, 2.0])))


def protected(cells: Cells, policy: Policy) -> SafeCells | None:
    try:
        return protect(cells, policy)
    except Unprotectable:
        assert 0 < cells.counts.sum() < policy.threshold
        return None


QUIET = settings(deadline=None, max_examples=80, suppress_health_check=[HealthCheck.too_slow], derandomize=True)


@QUIET
@given(tables(most_inner=8, largest=5))
def test_every_whole_value_stays_possible_for_every_cell_at_risk(made: tuple[Cells, Policy]):
    cells, policy = made
    safe = protected(cells, policy)
    if safe is not None and cells.counts.sum() <= 12:
        assert narrowed(cells, safe) == []


@st.composite
def by_trees(draw: st.DrawFn) -> Cells:
    """Three places right under the root, by one or two dimensions that are trees."""
    shape = draw(st.sampled_from([(3, 2, 2), (3, 2, 3), (3, 5), (3, 4, 2)]))
    places = two_levels(np.zeros(shape).tolist()).places
    counts = draw(arrays(np.int64, shape, elements=st.integers(0, 9)))
    return Cells(places, draw(trees.dimensions(shape[1:])), counts)


@settings(QUIET, max_examples=100)
@given(by_trees(), st.sampled_from([4, 5]), st.sampled_from([(2, 2), (2, 1), (1, 1)]))
def test_who_knows_which_withheld_cells_are_large_must_hold_every_value_for_possible(
    cells: Cells, threshold: int, crosses: tuple[int, ...]
):
    safe = protected(cells, Policy(threshold, crosses, dominance=2.0))
    assert safe is None or closed(cells, safe) == []


@QUIET
@given(tables(most_inner=24, largest=20))
def test_what_is_shown_is_true_and_nothing_else_is_told(made: tuple[Cells, Policy]):
    cells, policy = made
    safe = protected(cells, policy)
    if safe is None:
        return
    truth, shown = cells.with_margins(), safe.marks == Mark.SHOWN
    assert (safe.values[shown] == truth[shown]).all()
    assert (safe.values[~shown] == -1).all()
    assert not ((truth[shown] > 0) & (truth[shown] < policy.threshold)).any()
    assert (truth[safe.marks == Mark.WITHHELD] >= 1).all()


@QUIET
@given(tables(most_inner=24, largest=20))
def test_nothing_is_shown_below_what_is_not(made: tuple[Cells, Policy]):
    cells, policy = made
    safe = protected(cells, policy)
    if safe is None:
        return
    hidden = safe.marks != Mark.SHOWN
    below = safe.places.parent >= 0
    assert (safe.marks[below][hidden[safe.places.parent[below]]] >= Mark.BELOW).all()
    for axis, dimension in enumerate(cells.dimensions, start=1):
        for node, above in enumerate(dimension.parent):
            assert (np.take(safe.marks, node, axis)[np.take(hidden, above, axis)] >= Mark.BELOW).all()


@QUIET
@given(tables(most_inner=24, largest=20))
def test_absent_crosses_are_those_of_the_design_and_the_drops(made: tuple[Cells, Policy]):
    cells, policy = made
    safe = protected(cells, policy)
    if safe is None:
        return
    lattice = Lattice.of(cells)
    absent = (safe.marks[lattice.order] == Mark.ABSENT).reshape(lattice.values.shape)
    gone = ~planned(lattice, Policy(policy.threshold, policy.crosses)).shows[:, lattice.cross]
    for drop in safe.drops:
        depth = safe.places.levels.index(drop.level)
        for row, place in enumerate(lattice.order.tolist()):
            starts = safe.places.codes[place] == drop.place and safe.places.level[place] == depth
            parent = safe.places.parent[place]
            of_parent = parent >= 0 and safe.places.codes[parent] == drop.place and safe.places.level[place] == depth
            if starts if drop.reason == "floor" or depth == 0 else of_parent:
                mask = lattice.crossing(drop.cross)
                gone[row : lattice.end[row], (lattice.cross & mask) == mask] = True
    assert (absent == gone).all()


@settings(QUIET, max_examples=60)
@given(tables(most_inner=24, largest=20))
def test_an_attack_on_the_published_rows_finds_nothing(made: tuple[Cells, Policy]):
    cells, policy = made
    safe = protected(cells, policy)
    if safe is not None:
        assert attack(Published.of(safe), cells, policy.threshold) == ()


@settings(QUIET, max_examples=30)
@given(tables(most_inner=24, largest=20))
def test_the_same_cells_give_the_same_answer(made: tuple[Cells, Policy]):
    first, second = protected(*made), protected(*made)
    if first is not None and second is not None:
        assert (first.marks == second.marks).all()
        assert first.drops == second.drops


def test_several_cores_give_the_same_answer_as_one(monkeypatch: pytest.MonkeyPatch):
    rng = np.random.default_rng(3)
    tree = Places.of([("PE", f"{d:02d}", f"{d:02d}{p:02d}") for d in range(3) for p in range(6)], NAMES)
    cells = Cells(tree, dimensions((2, 4, 3)), rng.poisson(rng.gamma(0.6, 3.0, (18, 2, 4, 3))))
    policy, began = Policy(5, (3, 2, 1), dominance=2.0), []

    def noted(*given):
        began.append(given)
        return workers.pool(*given)

    alone = protect(cells, policy, key=b"a key")
    monkeypatch.setattr(branches, "WORTH", 1)
    monkeypatch.setattr(branches, "pool", noted)
    together = protect(cells, policy, key=b"a key", cores=2)
    assert began
    assert (alone.marks == together.marks).all()
    assert (alone.values == together.values).all()
    assert alone.drops == together.drops


# --- the judge of whole tables -------------------------------------------------------------------------------------


def test_a_table_that_changes_a_shown_cell_does_not_agree():
    cells = two_levels([[2, 9], [8, 7], [30, 40]])
    lattice, marks = Lattice.of(cells), protect(cells, Policy(5, (1, 1))).marks
    swap = Change(np.array([0, 1]), np.array([[1, -1], [-1, 1]]))
    assert agrees(lattice, marks, *swap.margins(lattice))
    for wrong in (
        Change(np.array([0]), np.array([[1, -1]])),  # the place above changes
        Change(np.array([0, 2]), np.array([[1, -1], [-1, 1]])),  # the third place is shown
        Change(np.array([0, 1]), np.array([[-2, 2], [2, -2]])),  # a withheld cell is at least 1
        Change(np.array([0, 1]), np.array([[9, -9], [-9, 9]])),  # nobody can be fewer than none
    ):
        assert not agrees(lattice, marks, *wrong.margins(lattice))


def test_the_outsider_of_these_tests_finds_what_is_too_narrow():
    # the lone cell of a line is the line's total less what is shown
    cells = two_levels([[2, 9], [8, 7], [30, 40]])
    truth = cells.with_margins()
    marks = np.zeros(truth.shape, dtype=np.uint8)
    marks[1, 0] = Mark.WITHHELD
    careless = SafeCells(cells.places, cells.dimensions, np.where(marks == 0, truth, -1), marks, 5)
    assert narrowed(cells, careless) == [(1, 0)]


def test_the_outsider_of_these_tests_who_knows_which_cells_are_large_sees_more():
    # the 2 could be 4 or 5 only if one of the sixes were less than 5
    cells = two_levels([[2, 6], [6, 30], [40, 50]])
    truth = cells.with_margins()
    marks = np.zeros(truth.shape, dtype=np.uint8)
    marks[1:3, :2] = Mark.WITHHELD
    careless = SafeCells(cells.places, cells.dimensions, np.where(marks == 0, truth, -1), marks, 5)
    assert closed(cells, careless) == [((1, 0), 4), ((1, 0), 5)]


def test_product_of_margins_is_the_layout_the_outsider_assumes():
    cells = two_levels([[1, 2], [3, 4]])
    assert cells.with_margins()[0].tolist() == [4, 6, 10]
    assert [tuple(at) for at in product(range(2), range(3))][-1] == (1, 2)
