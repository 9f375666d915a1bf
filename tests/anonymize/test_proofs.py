"""What is proven stays so while it holds: when more becomes known, what hangs on it is to be proven anew."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from anonymize.policy import Policy
from anonymize.protect import protect
from anonymize.protection import branches
from anonymize.protection.blocks import Change
from anonymize.protection.lattice import Lattice
from anonymize.protection.proofs import Needs, Proofs, Start
from anonymize.tables import Dimension, Mark
from tests.anonymize.test_moves import can_be
from tests.anonymize.test_walks import country

SEX, AGE = Dimension("sexo", ("hombre", "mujer", "otro")), Dimension("edad", ("joven", "mayor"))
THRESHOLD = 5
NOTHING = Change(np.empty(0, dtype=np.int64), np.empty((0, 6), dtype=np.int64))


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


def test_what_is_found_from_another_table_on_lies_within_what_that_does():
    lattice, proofs, _ = proven(2)
    place, cell = np.argwhere(proofs.needed & (lattice.level == 3)[:, None])[0].tolist()
    for start, within in ((Start(NOTHING, 0), 0), (Start(NOTHING, 3), 2)):
        proofs.within[place, cell] = 4
        proofs.proven[place, cell] = False
        proofs.open_values[place, cell] = (2 << THRESHOLD) - 2
        proofs._note_walk(place, Met(lattice.values[place] * 0, lattice.values[place] + THRESHOLD), start)
        assert proofs.proven[place, cell] and proofs.within[place, cell] == within


@pytest.mark.parametrize("seed", [0, 3])
def test_whatever_core_takes_a_branch_finds_the_same(seed: int, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(branches, "WORTH", 0)
    found = []
    for cores in (1, 2):
        lattice, marks = protected(seed)
        proofs = Proofs.of(lattice, Needs.of_risk(lattice, THRESHOLD), [])
        for place, cell in np.argwhere(proofs.needed & (marks == Mark.WITHHELD)).tolist():
            proofs.prove(place, cell, marks)
        assert proofs.provers  # what is left of proving these must not matter
        branches.prove_unseen(proofs, marks, cores)
        tables = [(table.leaves.tolist(), table.counts.tolist()) for table in proofs.tables]
        found.append((proofs.proven.tolist(), proofs.open_values.tolist(), proofs.within.tolist(), tables))
    assert found[0] == found[1]


def test_a_program_is_left_as_it_was_set_up():
    """However many counts were held at whole numbers on the way to a table."""
    _, proofs, _ = proven(0)
    assert proofs.provers
    for prover in proofs.provers.values():
        program = prover.highs.getLp()
        assert program.col_lower_ == [0.0] * prover.columns
        assert program.col_upper_ == prover.upper.tolist()


@dataclass(frozen=True)
class Met:
    """What a walk met."""

    low: np.ndarray
    high: np.ndarray


def protected(seed: int) -> tuple[Lattice, np.ndarray]:
    """A country of 24 districts, with its marks after protection."""
    cells = country(seed, 6.0, (SEX, AGE, Dimension("todos", ("uno",))))
    lattice = Lattice.of(cells, THRESHOLD)
    return lattice, lattice.laid(protect(cells, Policy(THRESHOLD, (3, 2, 1, 1))).marks)


def proven(seed: int) -> tuple[Lattice, Proofs, np.ndarray]:
    """It protected, and all cells at risk proven as a protector does it."""
    lattice, marks = protected(seed)
    proofs = Proofs.of(lattice, Needs.of_risk(lattice, THRESHOLD), [])
    proofs.look_around(marks)
    for place, cell in np.argwhere(proofs.needed & (marks != Mark.SHOWN)).tolist():
        proofs.prove(place, cell, marks)
    return lattice, proofs, marks
