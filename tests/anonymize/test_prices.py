"""What withholding costs: public figures and a secret, and of the counts no more than their order of magnitude."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anonymize.errors import BadCells
from anonymize.policy import Policy
from anonymize.protect import protect
from anonymize.protection.lattice import Lattice
from anonymize.protection.moves import PLENTY
from anonymize.protection.prices import SMALL, UNIT, prices
from anonymize.tables import Cells, Dimension, Places

SHAPE = (3, 2, 2)
counts = st.lists(st.integers(0, 10_000), min_size=12, max_size=12).map(lambda n: np.array(n).reshape(SHAPE))


def lattice(inner: np.ndarray) -> Lattice:
    tree = Places.of([("PE", "01"), ("PE", "02"), ("PE", "03")], ("nacion", "departamento"))
    return Lattice.of(Cells(tree, (Dimension("sexo", ("h", "m")), Dimension("edad", ("j", "v"))), inner), 5)


@given(counts, counts, counts, st.binary(max_size=4))
def test_with_public_weights_no_price_hangs_on_a_count(one, other, weights, key):
    policy = Policy(5, (2, 2), weights=weights)
    first, second = lattice(one), lattice(other)
    both = (first.values > 0) & (second.values > 0)  # who is nowhere is known, and costs nothing
    assert (prices(first, policy, key)[both] == prices(second, policy, key)[both]).all()


@given(counts, st.binary(max_size=4))
def test_without_weights_counts_of_one_magnitude_cost_the_same(inner, key):
    least = np.where(inner < SMALL, np.minimum(inner, 1), 1 << np.log2(np.maximum(inner, 1)).astype(np.int64))
    policy = Policy(5, (2, 2))
    first, second = (prices(lattice(one), policy, key) for one in (inner, least))
    at = lattice(inner).inner_cells
    assert (first[1:, at] == second[1:, at]).all()
    assert set(prices(lattice(inner), policy, b"")[1:, at][lattice(inner).values[1:, at] == 0].tolist()) <= {UNIT}


def test_a_weight_of_nothing_has_a_price():
    assert (
        prices(lattice(np.ones(SHAPE, np.int64)), Policy(5, (2, 2), weights=np.zeros(SHAPE, np.int64)), b"").min() > 0
    )


def test_weights_however_large_leave_what_is_impossible_dearer():
    table = lattice(np.ones(SHAPE, np.int64))
    made = prices(table, Policy(5, (2, 2), weights=np.full(SHAPE, 1 << 58)), b"key")
    assert table.sum_finer(made).max() < PLENTY


@pytest.mark.parametrize("weights", [np.ones((2, 2, 2), np.int64), np.full(SHAPE, -1)])
def test_weights_of_another_shape_or_negative_ones_are_refused(weights):
    table = lattice(np.full(SHAPE, 9)).cells
    with pytest.raises(BadCells):
        protect(table, Policy(5, (2, 2), weights=weights))
