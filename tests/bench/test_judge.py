"""The measurements' own instruments: a judge that agrees with enumeration, a naive rule that is what it says."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from anonymize.attack import at_risk
from anonymize.policy import Policy
from anonymize.protect import protect
from anonymize.tables import Cells, Dimension, Mark, Places, SafeCells, add_margins, indices_of
from bench import regions
from bench.judge import judge
from bench.line_rule import line_rule
from bench.replay import DIMENSIONS, agreeing, as_cells
from tests.anonymize.test_protect import every_table

THRESHOLD = 4
SEX = Dimension("sexo", ("hombre", "mujer"))


def districts(counts: np.ndarray) -> Cells:
    """Two provinces with the first two and the other districts."""
    paths = [("R", f"P{int(i > 1)}", f"D{i}") for i in range(len(counts))]
    return Cells(Places.of(paths, regions.LEVELS), (SEX,), counts)


def publish(cells: Cells, withheld: list[tuple[int, int]]) -> SafeCells:
    values = cells.with_margins()
    marks = np.zeros(values.shape, dtype=np.uint8)
    for at in withheld:
        marks[at] = Mark.WITHHELD
    return SafeCells(cells.places, cells.dimensions, np.where(marks == 0, values, -1), marks, THRESHOLD)


small = arrays(np.int64, (4, 2), elements=st.integers(0, 6)).filter(lambda counts: counts.sum() >= THRESHOLD)


@settings(deadline=None, max_examples=40, derandomize=True)
@given(small, st.sampled_from([(1, 1, 1), (1, 1, 0)]))
def test_the_judge_finds_what_enumeration_finds(counts, crosses):
    cells = districts(counts)
    safe = line_rule(cells, THRESHOLD, crosses)
    asked = at_risk(cells, THRESHOLD)
    tables = np.stack(list(every_table(safe, int(counts.sum()))))
    values = cells.with_margins()
    possible = [
        (set(tables[(slice(None), *at)].tolist()), int(values[at]))
        for at in indices_of(cells.places, cells.dimensions, asked)
    ]
    found = judge(safe, cells, asked)
    assert found.undecided == 0
    assert found.protected == sum(set(range(1, THRESHOLD + 1)) <= open_ for open_, _ in possible)
    neighbours = [({own - 1, own + 1} - {0}) & open_ for open_, own in possible]
    assert found.exact == sum(not near for near in neighbours)


def test_a_lone_withheld_cell_is_known_exactly():
    cells = districts(np.array([[2, 9], [8, 7], [6, 5], [9, 9]]))
    lone = next(i for i, code in enumerate(cells.places.codes) if code == "D0")
    found = judge(publish(cells, [(lone, 0)]), cells, at_risk(cells, THRESHOLD))
    assert (found.asked, found.protected, found.exact) == (1, 0, 1)


def test_the_line_rule_leaves_no_withheld_cell_alone_in_a_line_and_withholds_no_zero():
    cells = districts(np.array([[2, 9], [0, 7], [6, 5], [9, 9]]))
    safe = line_rule(cells, THRESHOLD, (1, 1, 1))
    withheld = safe.marks == Mark.WITHHELD
    assert withheld.any()
    assert not withheld[cells.with_margins() == 0].any()
    assert (withheld.sum(axis=1) != 1).all()  # sexes and their total
    for place in range(len(cells.places)):
        below = cells.places.parent == place
        if below.any():
            assert ((withheld[below].sum(axis=0) + withheld[place]) != 1).all()


def test_a_region_is_made_by_its_seed_as_large_as_is_said():
    made = [regions.region(seed, 3.0) for seed in (1, 1, 2)]
    assert (made[0].counts == made[1].counts).all()
    assert made[0].counts.shape != made[2].counts.shape or (made[0].counts != made[2].counts).any()
    for cells in made:
        assert regions.DISTRICTS[0] <= len(cells.counts) <= regions.DISTRICTS[1]
        assert regions.PROVINCES[0] <= int((cells.places.level == 1).sum()) <= regions.PROVINCES[1]
        assert 2.5 < cells.counts.mean() < 3.5
        sizes = cells.counts.reshape(len(cells.counts), -1).sum(axis=1)
        assert sizes.max() > 8 * np.median(sizes)


@settings(deadline=None, max_examples=15, derandomize=True)
@given(arrays(np.int64, (3, 2, 2), elements=st.integers(0, 6)).filter(lambda counts: counts.sum() >= THRESHOLD))
def test_the_tables_that_are_replayed_are_all_that_agree(counts):
    cells = as_cells(counts)
    safe = protect(cells, Policy(THRESHOLD, (2, 2), dominance=2.0))
    found = agreeing(safe, most=300)
    if found is not None:
        assert {add_margins(t, cells.places, cells.dimensions).tobytes() for t in found} == {
            t.tobytes() for t in every_table(safe, int(counts.sum()))
        }
        assert any((t == counts).all() for t in found)
    assert len(DIMENSIONS) == counts.ndim - 1
