"""What is proven stays so while it holds: when more becomes known, what hangs on it is to be proven anew."""

from __future__ import annotations

import numpy as np
import pytest

from anonymize.policy import Policy
from anonymize.protect import protect
from anonymize.protection.lattice import Lattice
from anonymize.protection.proofs import Needs, Proofs
from anonymize.tables import Dimension, Mark
from tests.anonymize.test_moves import can_be
from tests.anonymize.test_walks import country

SEX, AGE = Dimension("sexo", ("hombre", "mujer", "otro")), Dimension("edad", ("joven", "mayor"))
THRESHOLD = 5


@pytest.mark.parametrize("seed", range(4))
def test_what_stays_proven_when_more_is_known_to_be_large_is_possible_still(seed: int):
    lattice, proofs, marks = proven(seed)
    before = proofs.proven.copy()
    draw = np.random.default_rng(seed)
    unseen = np.argwhere((marks >= Mark.BELOW) & (lattice.values >= THRESHOLD) & (lattice.level > 0)[:, None])
    large = np.zeros_like(before)
    large[tuple(draw.permutation(unseen)[:2].T)] = True
    proofs.learn(large, marks)
    assert proofs.proven.any() and (before & ~proofs.proven).any()  # much stays, and something is lost
    assert not (proofs.proven & ~before).any()
    kept = np.argwhere(proofs.proven & (proofs.needs.up > 0))
    for place, cell in draw.permutation(kept)[:60].tolist():
        for value in (1, THRESHOLD):
            assert can_be(proofs.lattice, marks, place, cell, value), (place, cell, value)


def test_what_is_lost_is_proven_anew_with_what_is_known():
    lattice, proofs, marks = proven(1)
    large = (marks >= Mark.BELOW) & (lattice.values >= THRESHOLD) & (lattice.level == 2)[:, None]
    proofs.learn(large, marks)
    lost = proofs.needed & ~proofs.proven & (marks != Mark.SHOWN)
    for place, cell in np.argwhere(lost).tolist():
        proofs.prove(place, cell, marks)
    again = np.argwhere(lost & proofs.proven & (proofs.needs.up > 0)).tolist()
    assert len(again) > 5
    for place, cell in again[:: len(again) // 5]:
        assert all(can_be(proofs.lattice, marks, place, cell, value) for value in (1, THRESHOLD))


def proven(seed: int) -> tuple[Lattice, Proofs, np.ndarray]:
    """A country of 24 districts protected, and all cells at risk proven as a protector does it."""
    cells = country(seed, 6.0, (SEX, AGE, Dimension("todos", ("uno",))))
    lattice = Lattice.of(cells, THRESHOLD)
    marks = lattice.laid(protect(cells, Policy(THRESHOLD, (3, 2, 1, 1))).marks)
    marks = marks.reshape(lattice.values.shape)
    proofs = Proofs.of(lattice, Needs.of_risk(lattice, THRESHOLD), [])
    proofs.look_around(marks)
    for place, cell in np.argwhere(proofs.needed & (marks != Mark.SHOWN)).tolist():
        proofs.prove(place, cell, marks)
    return lattice, proofs, marks
