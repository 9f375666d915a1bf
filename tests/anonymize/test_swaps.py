"""What exchanges prove of unshown cells is so: every value that they claim stands in a whole table."""

from __future__ import annotations

import ast
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import Bounds, LinearConstraint, milp

import anonymize.swaps
from anonymize.certificate import root_first
from anonymize.policy import Policy
from anonymize.protect import protect
from anonymize.swaps import cleared, units
from anonymize.tables import Cells, Dimension, Mark, Places
from anonymize.verify import ABSENT, BELOW, SHOWN, WITHHELD, Tree, sums

PATHS = [("PE", "0", "00"), ("PE", "0", "01"), ("PE", "0", "02"), ("PE", "1", "10"), ("PE", "1", "11")]
STATE = {Mark.SHOWN: SHOWN, Mark.WITHHELD: WITHHELD, Mark.BELOW: BELOW, Mark.ABSENT: ABSENT}
SEX, AGE = Dimension("sexo", ("h", "m")), Dimension("edad", ("a", "b", "c"))


NESTED = Dimension("edad", ("a", "b", "c"), ("g",), (3, 4, 3, 4))


def tree(dimension: Dimension) -> Tree:
    """The root first, then groups and lowest categories."""
    order = root_first(dimension)
    above = (*dimension.parent, -1)
    return Tree(
        tuple(dimension.nodes[i] for i in order), tuple(order.index(above[i]) if above[i] >= 0 else -1 for i in order)
    )


def flat(size: int) -> Tree:
    return Tree(("total", *"abcdef"[:size]), (-1, *[0] * size))


def protected(seed: int, mean: float, crosses: tuple[int, ...], age: Dimension = AGE):
    """Trees, state, counts and true inner counts of a small protected table."""
    rng = np.random.default_rng(seed)
    places = Places.of(PATHS, ("nacion", "departamento", "provincia"))
    counts = rng.poisson(rng.lognormal(0, 1, (len(PATHS), 1, 1)) * mean, (len(PATHS), 2, 3)).astype(np.int64)
    safe = protect(Cells(places, (SEX, age), counts), Policy(5, crosses))
    trees = (Tree(places.codes, tuple(places.parent.tolist())), tree(SEX), tree(age))
    here = np.ix_(range(len(places)), root_first(SEX), root_first(age))
    marks, values = safe.marks[here], safe.values[here]
    state = np.array([STATE[Mark(int(m))] for m in marks.reshape(-1)]).reshape(marks.shape)
    return trees, state, values, counts


def has_a_table(trees, state, count, cell, value) -> bool:
    """Whether some whole table agrees with everything published and counts so many in a cell."""
    inner = tuple(len(tree.lowest) for tree in trees)
    columns = int(np.prod(inner))
    unit = np.eye(columns, dtype=np.int64).reshape(columns, *inner)
    rows = np.stack([sums(trees, one) for one in unit], axis=-1)
    low = np.select([state == SHOWN, state == WITHHELD], [count, 1], 0).astype(float)
    high = np.where(state == SHOWN, count, np.inf)
    low[cell] = high[cell] = value
    found = milp(
        np.zeros(columns),
        integrality=np.ones(columns),
        bounds=Bounds(0, np.inf),
        constraints=LinearConstraint(rows.reshape(-1, columns), low.reshape(-1), high.reshape(-1)),
    )
    return found.status == 0


@settings(deadline=None, max_examples=10, derandomize=True)
@given(
    st.integers(0, 10_000),
    st.sampled_from([1.0, 4.0]),
    st.sampled_from([(2, 2, 1), (2, 1, 0), (1, 1, 1)]),
    st.sampled_from([AGE, NESTED]),
)
def test_every_cleared_cell_can_have_every_value(seed, mean, crosses, age):
    trees, state, count, base = protected(seed, mean, crosses, age)
    up, down = units(trees, state, base)
    values = sums(trees, base)
    unshown = (state == BELOW) | (state == ABSENT)
    clear = np.argwhere(unshown & (values - down <= 1) & (values + up >= 5))
    for cell in clear[:: max(1, len(clear) // 12)]:
        for value in range(1, 6):
            assert has_a_table(trees, state, count, tuple(cell.tolist()), value)


def test_small_unshown_cells_of_an_ordinary_table_are_cleared():
    trees, state, count, base = protected(3, 60.0, (2, 2, 1))
    unshown = (state == BELOW) | (state == ABSENT)
    assert cleared(trees, state, count, 5, base).unshown == int(unshown.sum())
    _, down = units(trees, state, base)
    small = unshown & (sums(trees, base) < 20)
    assert (down >= sums(trees, base) - 1)[small].mean() > 0.8


def table(shown: dict[tuple[int, int], int], inner: list[list[int]]):
    """Two places of one nation and two sexes; what is not shown has no row."""
    trees = (Tree(("PE", "1", "2"), (-1, 0, 0)), flat(2))
    state = np.full((3, 3), ABSENT, dtype=np.int64)
    count = np.full((3, 3), -1, dtype=np.int64)
    for cell, value in shown.items():
        state[cell], count[cell] = SHOWN, value
    return trees, state, count, np.array(inner, dtype=np.int64)


def test_what_subtraction_gives_away_is_not_cleared():
    """Everything of place 2 and of the nation is shown: place 1, which nobody shows, is a difference."""
    trees, state, count, base = table(
        {(p, s): v for (p, s), v in zip(product((0, 2), range(3)), (20, 9, 11, 14, 6, 8), strict=True)},
        [[3, 3], [6, 8]],
    )
    found = cleared(trees, state, count, 5, base)
    assert (found.unshown, found.cleared) == (3, 0)


def test_an_unshown_split_by_sex_of_shown_totals_is_cleared_as_far_as_persons_reach():
    totals = {(0, 0): 16, (1, 0): 8, (2, 0): 8, (0, 1): 8, (0, 2): 8}
    found = cleared(*table(totals, [[4, 4], [4, 4]])[:3], 5, np.array([[4, 4], [4, 4]]))
    assert (found.unshown, found.cleared) == (4, 4)
    tight = {(0, 0): 8, (1, 0): 4, (2, 0): 4, (0, 1): 4, (0, 2): 4}
    assert cleared(*table(tight, [[2, 2], [2, 2]])[:3], 5, np.array([[2, 2], [2, 2]])).cleared == 0


def test_cells_below_a_shown_zero_are_not_counted():
    trees, state, count, base = table({(0, 0): 10, (1, 0): 0, (2, 0): 10}, [[0, 0], [5, 5]])
    assert cleared(trees, state, count, 5, base).unshown == 4


@pytest.mark.parametrize("module", [anonymize.swaps])
def test_who_checks_needs_numpy_and_verify_alone(module):
    tree = ast.parse(Path(module.__file__).read_text("utf-8"))
    imported = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    imported |= {name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names}
    allowed = {"__future__", "collections.abc", "dataclasses", "itertools", "numpy", "numpy.typing"}
    assert imported == {*allowed, "anonymize.verify"}
