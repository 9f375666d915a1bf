"""Count tables, their margins, and the rows that are published of them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anonymize.errors import BadCells
from anonymize.protection.lattice import Lattice
from anonymize.tables import TOTAL, CellRef, Cells, Dimension, Mark, Places, SafeCells, add_margins

LEVELS = ("nacion", "departamento", "provincia")
PATHS = [("PE", "02", "0201"), ("PE", "01", "0102"), ("PE", "01", "0101")]
SEX = Dimension("sexo", ("hombre", "mujer"))


def cells() -> Cells:
    return Cells(Places.of(PATHS, LEVELS), (SEX,), np.array([[1, 2], [3, 4], [5, 6]]))


# --- places --------------------------------------------------------------------------------------------------------


def test_places_stand_level_by_level_in_order_of_code():
    places = Places.of(PATHS, LEVELS)
    assert places.codes == ("PE", "01", "02", "0101", "0102", "0201")
    assert places.parent.tolist() == [-1, 0, 0, 1, 1, 2]
    assert places.leaves.tolist() == [3, 4, 5]


@pytest.mark.parametrize(
    "paths",
    [
        [("PE", "01")],  # not as deep as the levels
        [("PE", "01", "0101"), ("PE", "02", "0101")],  # two parents
        [("PE", "01", "0101"), ("BO", "02", "0201")],  # two roots
        [],
    ],
)
def test_paths_that_are_no_tree_are_refused(paths):
    with pytest.raises(BadCells):
        Places.of(paths, LEVELS)


def test_the_same_code_may_stand_on_two_levels():
    places = Places.of([("07", "07", "0701")], LEVELS)
    assert places.codes == ("07", "07", "0701")


# --- cells and margins ---------------------------------------------------------------------------------------------


def test_counts_of_another_shape_are_refused():
    with pytest.raises(BadCells):
        Cells(Places.of(PATHS, LEVELS), (SEX,), np.zeros((2, 2), dtype=np.int64))


def test_negative_counts_are_refused():
    with pytest.raises(BadCells):
        Cells(Places.of(PATHS, LEVELS), (SEX,), np.array([[1, 2], [3, -4], [5, 6]]))


def test_margins_sum_categories_and_places():
    assert cells().with_margins().tolist() == [[9, 12, 21], [4, 6, 10], [5, 6, 11], [1, 2, 3], [3, 4, 7], [5, 6, 11]]


@settings(deadline=None, max_examples=40)
@given(st.lists(st.integers(0, 9), min_size=18, max_size=18))
def test_every_margin_is_the_sum_of_its_parts(counts: list[int]):
    places = Places.of(PATHS, LEVELS)
    table = add_margins(np.array(counts).reshape(3, 2, 3), places, (SEX, Dimension("edad", ("a", "b", "c"))))
    assert (table[:, -1] == table[:, :-1].sum(axis=1)).all()
    assert (table[:, :, -1] == table[:, :, :-1].sum(axis=2)).all()
    for place in range(3):
        assert (table[place] == table[places.parent == place].sum(axis=0)).all()


# --- the flat layout -----------------------------------------------------------------------------------------------


def test_what_lies_under_a_place_is_one_slice_of_rows():
    lattice = Lattice.of(cells())
    codes = [lattice.cells.places.codes[i] for i in lattice.order]
    assert codes == ["PE", "01", "0101", "0102", "02", "0201"]
    assert lattice.end.tolist() == [6, 4, 3, 4, 6, 6]
    assert lattice.leaf_start.tolist() == [0, 0, 0, 1, 2, 2]
    assert lattice.leaf_end.tolist() == [3, 2, 1, 2, 3, 3]
    assert lattice.values[:, -1].tolist() == [21, 10, 3, 7, 11, 11]


def test_places_whose_codes_do_not_nest_are_laid_flat_alike():
    tree = Places.of([("PE", "b", "1"), ("PE", "a", "3"), ("PE", "b", "2")], LEVELS)
    lattice = Lattice.of(Cells(tree, (SEX,), np.array([[1, 0], [2, 0], [4, 0]])))
    assert [tree.codes[i] for i in lattice.order] == ["PE", "a", "3", "b", "1", "2"]
    assert lattice.inner[:, 0].tolist() == [4, 1, 2]


def test_a_cell_and_its_name_belong_to_each_other():
    lattice = Lattice.of(cells())
    for place in range(len(lattice.parent)):
        for cell in range(lattice.values.shape[1]):
            assert lattice.find(lattice.ref(place, cell)) == (place, cell)
    with pytest.raises(BadCells):
        lattice.find(CellRef("provincia", "0101", ("nadie",)))


def test_what_breaks_a_cell_down_is_summed_with_it():
    lattice = Lattice.of(cells())
    ones = lattice.sum_finer(np.ones_like(lattice.values))
    assert ones[0, -1] == 6 * 3
    assert ones[1].tolist() == [3, 3, 9]


# --- trees of categories ---------------------------------------------------------------------------------------------

AGE = Dimension("edad", ("0_5", "6_17", "18_59", "60_mas"), ("menor",), (4, 4, 5, 5, 5), ("grupo", "banda"))


def by_age() -> Cells:
    return Cells(Places.of(PATHS, LEVELS), (AGE,), np.array([[1, 2, 3, 4], [5, 6, 7, 8], [0, 0, 9, 1]]))


def test_groups_count_what_is_below_them():
    assert by_age().with_margins()[0].tolist() == [6, 8, 19, 13, 14, 46]
    assert AGE.nodes == ("0_5", "6_17", "18_59", "60_mas", "menor", TOTAL)


@pytest.mark.parametrize(
    ("groups", "parent"),
    [
        (("g",), ()),  # nothing says what is below it
        (("g",), (3, 3, 3)),  # too short
        (("g",), (2, 3, 4, 4)),  # below a category
        (("g", "h"), (3, 3, 5, 5, 3)),  # above itself
        (("g", "h"), (3, 3, 3, 5, 5)),  # nothing is below one
        (("a",), (3, 3, 4, 4)),  # a code twice
        ((TOTAL,), (3, 3, 4, 4)),
    ],
)
def test_what_is_no_tree_is_no_dimension(groups, parent):
    with pytest.raises(BadCells):
        Dimension("d", ("a", "b", "c"), groups, parent)


def test_a_cross_goes_down_a_tree_level_by_level():
    lattice = Lattice.of(by_age())
    assert lattice.crosses == (0b00, 0b01, 0b11)
    assert lattice.cross.tolist() == [0b11, 0b11, 0b01, 0b01, 0b01, 0]  # two categories stand right below the total
    assert lattice.subcrosses(0b11) == (0b11, 0b01, 0b00)
    assert [lattice.names_in(cross) for cross in lattice.crosses] == [(), ("edad",), ("edad: banda",)]
    assert all(lattice.crossing(lattice.names_in(cross)) == cross for cross in lattice.crosses)


def test_what_breaks_a_group_down_is_summed_with_it():
    lattice = Lattice.of(by_age())
    ones = lattice.sum_finer(np.ones_like(lattice.values))
    assert ones[2].tolist() == [1, 1, 1, 1, 3, 6]
    assert [lattice.coordinates[cell, 0].tolist() for cell in (lattice.finer[4], lattice.finer[2])] == [[0, 1, 4], [2]]
    assert lattice.membership[4].tolist() == [True, True, False, False]


def test_published_rows_have_every_node_in_its_column():
    table = by_age()
    values = table.with_margins()
    safe = SafeCells(table.places, (AGE,), values, np.zeros(values.shape, dtype=np.uint8), 5)
    assert safe.frame("nacion")["edad"].tolist() == list(AGE.nodes)


def test_crosses_within_a_cross_come_finest_first():
    sizes = (SEX, Dimension("edad", ("a", "b")), Dimension("cse", ("x", "y")))
    lattice = Lattice.of(Cells(Places.of(PATHS, LEVELS), sizes, np.zeros((3, 2, 2, 2), dtype=np.int64)))
    assert lattice.subcrosses(0b111) == (7, 3, 5, 6, 1, 2, 4, 0)


def test_a_table_without_dimensions_has_totals_only():
    lattice = Lattice.of(Cells(Places.of(PATHS, LEVELS), (), np.array([3, 4, 5])))
    assert lattice.values.tolist() == [[12], [7], [3], [4], [5], [5]]


# --- published rows ------------------------------------------------------------------------------------------------


def test_published_rows_hold_no_value_that_is_not_shown():
    table = cells()
    values = table.with_margins()
    marks = np.zeros(values.shape, dtype=np.uint8)
    marks[1] = [Mark.WITHHELD, Mark.SHOWN, Mark.SHOWN]
    marks[2] = [Mark.BELOW, Mark.ABSENT, Mark.SHOWN]
    safe = SafeCells(table.places, table.dimensions, np.where(marks == Mark.SHOWN, values, -1), marks, 5)
    rows = safe.frame("departamento")
    assert list(rows.columns) == ["place", "sexo", "n", "mark"]
    assert rows["place"].tolist() == ["01", "01", "01", "02", "02"]
    assert rows["sexo"].tolist() == ["hombre", "mujer", TOTAL, "hombre", TOTAL]
    assert rows["mark"].tolist() == ["c", "", "", "d", ""]
    assert [None if n is pd.NA else n for n in rows["n"]] == [None, 6, 10, None, 11]
