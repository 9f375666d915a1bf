"""Each attack is shown to work: a flaw is planted in what is published, and found."""

from __future__ import annotations

import ast
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

import anonymize.attack
from anonymize.attack import Published, at_risk, attack, program
from anonymize.attack.intervals import intervals
from anonymize.attack.recovery import recover
from anonymize.attack.singletons import learned
from anonymize.attack.system import System
from anonymize.errors import BadCells
from anonymize.tables import TOTAL, CellRef, Cells, Dimension, Mark, Places, SafeCells, add_margins
from tests.anonymize import trees

TWO = ("nacion", "departamento")
SEX = Dimension("sexo", ("hombre", "mujer"))
AGE = Dimension("edad", ("joven", "mayor"))


def table(counts: list, dimensions: tuple[Dimension, ...]) -> Cells:
    array = np.array(counts, dtype=np.int64)
    return Cells(Places.of([("PE", f"{i:02d}") for i in range(len(array))], TWO), dimensions, array)


def careless(cells: Cells, withheld: list[tuple[int, ...]], absent: list[tuple] = ()) -> SafeCells:
    """Publish all but a few cells, as somebody would who does not think of sums."""
    values = cells.with_margins()
    marks = np.full(values.shape, Mark.SHOWN, dtype=np.uint8)
    for at in absent:
        marks[at] = Mark.ABSENT
    for at in withheld:
        marks[at] = Mark.WITHHELD
    return SafeCells(cells.places, cells.dimensions, np.where(marks == Mark.SHOWN, values, -1), marks, 5)


def inner(cells: Cells) -> np.ndarray:
    return cells.counts.reshape(-1).astype(float)


def found(cells: Cells, safe: SafeCells) -> dict[CellRef, tuple[str, float, float]]:
    return {f.cell: (f.kind, f.low, f.high) for f in attack(Published.of(safe), cells, 5)}


# --- exact recovery ------------------------------------------------------------------------------------------------


def test_a_lone_withheld_cell_is_its_line_less_what_is_shown():
    cells = table([[2, 9], [8, 7]], (SEX,))
    hit = CellRef("departamento", "00", ("hombre",))
    assert found(cells, careless(cells, [(1, 0)])) == {hit: ("exact", 2, 2)}


def test_two_withheld_cells_in_one_line_do_not_help_if_their_columns_are_shown():
    cells = table([[2, 9], [8, 7]], (SEX,))
    assert CellRef("departamento", "00", ("hombre",)) in found(cells, careless(cells, [(1, 0), (1, 1)]))


def test_a_cell_that_several_equations_give_together_is_recovered():
    # withheld cells form no line of one, yet (place 02, mayor) is what all others leave
    cells = table([[9, 8, 7], [6, 5, 9], [8, 2, 7]], (Dimension("edad", ("a", "b", "c")),))
    safe = careless(cells, [(1, 0), (1, 1), (2, 0), (2, 1), (3, 1)])
    assert found(cells, safe)[CellRef("departamento", "02", ("b",))] == ("exact", 2, 2)


def test_a_withheld_category_is_its_group_less_its_siblings():
    age = Dimension("edad", ("0_5", "6_17", "18_mas"), ("menor",), (3, 3, 4, 4))
    cells = table([[2, 9, 8], [8, 7, 9]], (age,))
    hit = CellRef("departamento", "00", ("0_5",))
    assert found(cells, careless(cells, [(1, 0), (2, 0)])) == {hit: ("exact", 2, 2)}
    assert found(cells, careless(cells, [(1, 0), (1, 3), (1, 2)], absent=[(2, slice(None))])) == {}


def test_a_zero_found_on_the_way_empties_what_it_sums_up():
    # no number is shown for place 00's men, but the nation less place 01 leaves none, so all its young are women
    cells = table([[[0, 0], [3, 9]], [[6, 7], [8, 9]]], (SEX, AGE))
    safe = careless(cells, [], absent=[(1, 0), (1, slice(None), 0), (1, 1, slice(None))])
    assert found(cells, safe)[CellRef("departamento", "00", ("mujer", "joven"))][0] == "exact"


def test_a_missing_row_is_recovered_like_a_withheld_one():
    cells = table([[2, 9], [8, 7]], (SEX,))
    safe = careless(cells, [], absent=[(1, 0)])
    assert found(cells, safe) == {CellRef("departamento", "00", ("hombre",)): ("exact", 2, 2)}


def test_a_large_cell_that_can_be_recovered_is_no_finding():
    cells = table([[20, 9], [8, 7]], (SEX,))
    assert found(cells, careless(cells, [(1, 0)])) == {}


# --- intervals -----------------------------------------------------------------------------------------------------


def test_two_small_cells_that_are_at_least_one_leave_too_little_room():
    # 1 + 1 in a column: neither can be 5
    cells = table([[1, 9], [1, 7], [30, 40]], (SEX,))
    hits = found(cells, careless(cells, [(1, 0), (1, 1), (2, 0), (2, 1)]))
    assert {ref.place: (low, high) for ref, (_, low, high) in hits.items()} == {"00": (1, 1), "01": (1, 1)}


def test_an_unshown_cell_is_forced_by_the_margins_around_it():
    # women 7, men 5, old 7, young 5, and the place above has no young men: the old women are exactly 2
    cells = table([[[0, 5], [5, 2]], [[0, 30], [25, 40]]], (SEX, AGE))
    safe = careless(cells, [], absent=[(slice(1, None), slice(0, 2), slice(0, 2))])
    hits = found(cells, safe)
    assert hits[CellRef("departamento", "00", ("mujer", "mayor"))][1:] == (2, 2)


def test_an_interval_that_is_narrow_but_not_a_point_is_found():
    # women 7, old 33, all 38: the old women are at least 2, and may be 7
    cells = table([[[1, 30], [4, 3]], [[20, 30], [25, 40]]], (SEX, AGE))
    safe = careless(cells, [], absent=[(slice(1, None), slice(0, 2), slice(0, 2))])
    assert found(cells, safe) == {CellRef("departamento", "00", ("mujer", "mayor")): ("interval", 2, 7)}


def test_a_small_cell_that_is_shown_is_found():
    cells = table([[2, 9], [8, 7]], (SEX,))
    assert found(cells, careless(cells, [])) == {CellRef("departamento", "00", ("hombre",)): ("interval", 2, 2)}


def test_cells_with_room_are_no_finding():
    cells = table([[2, 9], [8, 7], [30, 40]], (SEX,))
    assert found(cells, careless(cells, [(1, 0), (1, 1), (2, 0), (2, 1)])) == {}


def test_who_knows_which_withheld_cells_are_large_sees_more():
    # the 2 could be 5 only if one of the sixes were 3: nobody would have withheld it for being small
    cells = table([[2, 6], [6, 30], [40, 50]], (SEX,))
    hits = found(cells, careless(cells, [(1, 0), (1, 1), (2, 0), (2, 1)]))
    assert hits == {CellRef("departamento", "00", ("hombre",)): ("interval", 1, 3)}


def test_who_believes_that_small_cells_can_be_1_sees_more():
    # women 7, old 9, all 14: the old men are at least 2 by that, so they are 5 or more; nobody shows them
    cells = table([[[2, 5], [3, 4]], [[20, 30], [25, 40]]], (SEX, AGE))
    hits = found(cells, careless(cells, [], absent=[(slice(1, None), slice(0, 2), slice(0, 2))]))
    assert hits == {
        CellRef("departamento", "00", ("hombre", "joven")): ("interval", 0, 2),
        CellRef("departamento", "00", ("mujer", "joven")): ("interval", 3, 5),
        CellRef("departamento", "00", ("mujer", "mayor")): ("interval", 2, 4),
    }


def test_a_mark_d_says_nothing():
    cells = table([[3, 1], [8, 7], [30, 40]], (SEX,))
    values = cells.with_margins()
    marks = np.zeros(values.shape, dtype=np.uint8)
    marks[1:3, 2] = Mark.WITHHELD
    marks[1:3, :2] = Mark.BELOW
    safe = SafeCells(cells.places, cells.dimensions, np.where(marks == 0, values, -1), marks, 5)
    assert found(cells, safe) == {}


# --- against plain reckoning ---------------------------------------------------------------------------------------


@st.composite
def published(draw: st.DrawFn) -> tuple[Cells, SafeCells]:
    """Small tables on two or three levels, by trees, of which random cells are left out, protected or not."""
    sizes = draw(st.sampled_from([(2,), (3,), (4,), (2, 2)]))
    paths = draw(
        st.sampled_from(
            [[("PE", "0"), ("PE", "1")], [("PE", "0", "00"), ("PE", "0", "01"), ("PE", "1", "10"), ("PE", "1", "11")]]
        )
    )
    levels = (*TWO, "provincia")[: len(paths[0])]
    shape = (len(paths), *sizes)
    counts = draw(st.lists(st.integers(0, 7), min_size=int(np.prod(shape)), max_size=int(np.prod(shape))))
    names = draw(trees.dimensions(sizes))
    cells = Cells(Places.of(paths, levels), names, np.array(counts).reshape(shape))
    values = cells.with_margins()
    marks = np.array(draw(st.lists(st.sampled_from([0, 0, 1, 2, 3]), min_size=values.size, max_size=values.size)))
    marks = marks.reshape(values.shape).astype(np.uint8)
    marks[(marks == Mark.WITHHELD) & (values == 0)] = Mark.SHOWN
    return cells, SafeCells(cells.places, names, np.where(marks == 0, values, -1), marks, 5)


def plain_system(safe: SafeCells) -> tuple[np.ndarray, np.ndarray]:
    """(cells, unknowns) all sums, and the marks, flat: the table itself, no labels."""
    shape = (len(safe.places.leaves), *(len(d.categories) for d in safe.dimensions))
    unit = np.eye(int(np.prod(shape)), dtype=np.int64).reshape(-1, *shape)
    return np.stack([add_margins(one, safe.places, safe.dimensions).reshape(-1) for one in unit]).T, safe.marks.reshape(
        -1
    )


def flat(safe: SafeCells, ref: CellRef) -> int:
    place = next(
        i
        for i, code in enumerate(safe.places.codes)
        if code == ref.place and safe.places.levels[int(safe.places.level[i])] == ref.level
    )
    at = [d.nodes.index(c) for d, c in zip(safe.dimensions, ref.categories, strict=True)]
    return int(np.ravel_multi_index((place, *at), safe.marks.shape))


@settings(deadline=None, max_examples=40, derandomize=True)
@given(published())
def test_intervals_are_those_of_the_plain_linear_programs(made: tuple[Cells, SafeCells]):
    cells, safe = made
    sums, marks = plain_system(safe)
    shown, withheld = marks == Mark.SHOWN, marks == Mark.WITHHELD
    targets = at_risk(cells, 5)
    hits = {f.cell: f for f in intervals(System.of(Published.of(safe)), targets, 5, inner(cells))}
    for ref in targets:
        bounds = [
            linprog(
                sign * sums[flat(safe, ref)],
                A_eq=sums[shown] if shown.any() else None,
                b_eq=safe.values.reshape(-1)[shown] if shown.any() else None,
                A_ub=-sums[withheld] if withheld.any() else None,
                b_ub=-np.ones(withheld.sum()) if withheld.any() else None,
            )
            for sign in (1, -1)
        ]
        low = bounds[0].fun
        high = np.inf if bounds[1].status == 3 else -bounds[1].fun
        assert (ref in hits) == (low > 1 + 1e-6 or high < 5 - 1e-6)
        if ref in hits:
            assert hits[ref].low == pytest.approx(low, abs=1e-6)
            assert hits[ref].high == pytest.approx(high, abs=1e-6)


@settings(deadline=None, max_examples=40, derandomize=True)
@given(published())
def test_recovery_finds_what_dense_algebra_finds(made: tuple[Cells, SafeCells]):
    cells, safe = made
    sums, marks = plain_system(safe)
    truth = cells.with_margins().reshape(-1)
    shown = marks == Mark.SHOWN
    open_columns = np.ones(sums.shape[1], dtype=bool)
    while True:
        equations = sums[shown][:, open_columns]
        rank = np.linalg.matrix_rank(equations) if equations.size else 0
        given_ = [
            i for i in range(len(sums)) if np.linalg.matrix_rank(np.vstack([equations, sums[i, open_columns]])) == rank
        ]
        empty = (sums[[i for i in given_ if truth[i] == 0]] > 0).any(axis=0)
        if not (open_columns & empty).any():
            break
        open_columns &= ~empty
    wanted = {i for i in given_ if not shown[i] and 0 < truth[i] < 5}
    hits = recover(System.of(Published.of(safe)), 5)
    assert {flat(safe, f.cell) for f in hits} == wanted
    assert all(f.low == f.high == truth[flat(safe, f.cell)] for f in hits)


# --- the promises around it ----------------------------------------------------------------------------------------


def test_the_attack_does_not_know_how_protection_works():
    rooms = Path(anonymize.attack.__file__).parent.glob("*.py")
    imported = {
        node.module
        for room in rooms
        for node in ast.walk(ast.parse(room.read_text("utf-8")))
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("anonymize")
    }
    assert {name for name in imported if not name.startswith("anonymize.attack")} == {
        "anonymize.errors",
        "anonymize.tables",
    }


def test_rows_read_back_from_a_file_attack_alike(tmp_path):
    cells = table([[2, 9], [8, 7]], (SEX,))
    made = Published.of(careless(cells, [(1, 0)]))
    frames = []
    for i, frame in enumerate(made.frames):
        frame.to_csv(tmp_path / f"{i}.csv", index=False)
        frames.append(pd.read_csv(tmp_path / f"{i}.csv", dtype={"place": str, "n": "Int64"}))
    read = Published(made.places, made.dimensions, tuple(frames))
    assert attack(read, cells, 5) == attack(made, cells, 5)


def test_cells_at_risk_are_those_of_one_up_to_the_threshold():
    assert at_risk(table([[0, 4], [5, 1]], (SEX,)), 5) == (
        CellRef("departamento", "00", ("mujer",)),
        CellRef("departamento", "00", (TOTAL,)),
        CellRef("departamento", "01", ("mujer",)),
    )


def test_a_program_that_is_cut_off_settles_nothing(monkeypatch):
    monkeypatch.setattr(program, "ITERATIONS", 0)
    counts = np.random.default_rng(0).integers(1, 30, (8, 2, 5))
    counts[0, 0, 0] = 2
    cells = table(counts.tolist(), (SEX, Dimension("edad", ("a", "b", "c", "d", "e"))))
    safe = careless(cells, [], absent=[(slice(1, None), slice(0, 2), slice(0, 5))])
    ref = CellRef("departamento", "00", ("hombre", "a"))
    assert [f.cell for f in intervals(System.of(Published.of(safe)), [ref], 5, inner(cells))] == [ref]


def test_nothing_to_look_for_finds_nothing():
    cells = table([[20, 9], [8, 7]], (SEX,))
    assert attack(Published.of(careless(cells, [])), cells, 5) == ()


def test_rows_that_are_not_those_of_the_counts_are_refused():
    cells, others = table([[20, 9], [8, 7]], (SEX,)), table([[20, 9], [8, 6]], (SEX,))
    with pytest.raises(BadCells, match="not those of the counts"):
        attack(Published.of(careless(cells, [])), others, 5)


# --- who is alone in a cell ------------------------------------------------------------------------------------------


def test_who_is_alone_in_a_corner_of_a_box_learns_the_others():
    cells = table([[1, 3, 9], [4, 20, 9], [9, 9, 9]], (Dimension("grupo", ("a", "b", "c")),))
    safe = careless(cells, [(1, 0), (1, 1), (2, 0), (2, 1)])
    one = CellRef("departamento", "00", ("a",))
    assert not recover(System.of(Published.of(safe)), 5), "nobody else does"
    assert {(f.cell.place, f.cell.categories[0], f.alone) for f in learned(Published.of(safe), cells, 5)} == {
        ("00", "b", one),
        ("01", "a", one),
    }


def test_nobody_learns_of_themselves_alone():
    cells = table([[1, 0], [30, 20], [30, 20]], (SEX,))
    safe = careless(cells, [(1, 0), (1, 2), (2, 0), (2, 2), (3, 0), (3, 2)])
    assert learned(Published.of(safe), cells, 5) == ()


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_what_one_person_learns_is_what_one_more_equation_gives(data):
    """By ranks of small matrices, in which nothing is random."""
    counts = data.draw(st.lists(st.integers(0, 7), min_size=12, max_size=12))
    cells = table(np.array(counts).reshape(3, 2, 2).tolist(), (SEX, AGE))
    every = [tuple(int(i) for i in at) for at in np.argwhere(cells.with_margins() > 0)]
    withheld = data.draw(st.sets(st.sampled_from(every), max_size=14)) if every else set()
    safe = careless(cells, sorted(withheld))
    system = System.of(Published.of(safe)).knowing(inner(cells), 5)
    known = system.matrix[system.low == system.high][:, system.columns].toarray()
    refs = at_risk(cells, 5)
    sums = system.sums(refs).toarray()
    values = sums @ inner(cells)[system.columns]
    expected = set()
    for t, ref in enumerate(refs):
        if rank(known, sums[t]) == rank(known):
            continue
        for s in range(len(refs)):
            own = values[t] == 1 and (sums[t] * sums[s]).any()
            tells = rank(known) < rank(known, sums[s]) == rank(known, sums[s], sums[t])
            if values[s] == 1 and s != t and not own and tells:
                expected.add(ref)
    assert {f.cell for f in learned(Published.of(safe), cells, 5)} == expected


def rank(*rows: np.ndarray) -> int:
    stacked = np.vstack([np.atleast_2d(row) for row in rows])
    return int(np.linalg.matrix_rank(stacked)) if stacked.size else 0
