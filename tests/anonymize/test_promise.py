"""What follows from the promise that every cell at risk can be 1, and that protection holds in spite of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import Bounds, LinearConstraint, milp

from anonymize import protect as protection
from anonymize.attack import Published, at_risk, attack
from anonymize.attack.intervals import intervals
from anonymize.attack.program import Program
from anonymize.attack.promise import believing
from anonymize.attack.system import CLOSE, System
from anonymize.certificate import certify, check
from anonymize.policy import Policy
from anonymize.protect import protect
from anonymize.protection.lattice import Lattice
from anonymize.protection.promise import bounds, large
from anonymize.replay import sums_of
from anonymize.tables import Cells, Dimension, Mark, Places, SafeCells, indices_of, names_of
from tests.anonymize.test_walks import TREES

SEX = Dimension("sexo", ("hombre", "mujer"))
AGE = Dimension("edad", ("joven", "mayor"))
LEVELS = ("nacion", "departamento", "provincia")


def region(seed: int, mean: float, dimensions: tuple[Dimension, ...] = (SEX, AGE)) -> Cells:
    """Two departments of three or four provinces each."""
    paths = [("PE", f"{d}", f"{d}{p}") for d in range(2) for p in range(3 + d)]
    shape = (len(paths), *(len(d.categories) for d in dimensions))
    return Cells(Places.of(paths, LEVELS), dimensions, np.random.default_rng(seed).poisson(mean, shape))


def unbelieving(monkeypatch: pytest.MonkeyPatch) -> None:
    """Protect as if nobody drew conclusions."""
    monkeypatch.setattr(protection, "large", lambda lattice, *_: lattice.large)


class Outsider:
    """Knows which cells are zero and which withheld ones are large, believes the promise, and solves whole programs."""

    def __init__(self, cells: Cells, safe: SafeCells) -> None:
        self.sums, self.k = sums_of(safe, cells.counts.shape), safe.threshold
        self.truth, marks = self.sums @ cells.counts.reshape(-1), safe.marks.reshape(-1)
        self.hidden = marks >= Mark.BELOW
        self.most = np.where(cells.counts.reshape(-1) > 0, np.inf, 0)
        withheld = np.where(self.truth >= self.k, self.k, 1)
        self.low = np.where(marks == Mark.SHOWN, self.truth, np.where(marks == Mark.WITHHELD, withheld, 0))
        self.high = np.where(marks == Mark.SHOWN, self.truth, np.inf)

    def conclude(self) -> int:
        """Conclude until nothing more follows; how many cells are known to be large by that."""
        concluded = np.zeros(len(self.low), dtype=np.bool_)
        while True:
            tried = self.hidden & (self.truth >= self.k) & ~concluded
            least = np.array([self.extreme(cell, 1) if tried[cell] else 0 for cell in range(len(tried))])
            found = tried & (least > 1) & (least < self.k)
            if not found.any():
                return int(concluded.sum())
            concluded |= found
            self.low[found] = self.k

    def extreme(self, cell: int, sign: int) -> int:
        """The least (1) or the largest (-1) that a cell can be."""
        rows = LinearConstraint(self.sums, self.low, self.high)
        found = milp(sign * self.sums[cell], integrality=1, bounds=Bounds(0, self.most), constraints=rows)
        assert found.x is not None
        return int(np.round(found.x).astype(np.int64) @ self.sums[cell])

    def narrowed(self) -> list[int]:
        """Cells at risk that cannot be 1, or not the threshold."""
        risky = np.flatnonzero((self.truth > 0) & (self.truth < self.k)).tolist()
        return [one for one in risky if self.extreme(one, 1) > 1 or self.extreme(one, -1) < self.k]


def test_bounds_are_drawn_by_turns_along_places_and_dimensions():
    # women 7, old 9, all 14
    cells = Cells(Places.of([("PE", "0"), ("PE", "1")], LEVELS[:2]), (SEX, AGE), np.array([[[2, 5], [3, 4]]] * 2))
    lattice = Lattice.of(cells)
    marks = np.zeros(lattice.values.shape, dtype=np.uint8)
    marks[:, lattice.inner_cells] = Mark.ABSENT
    low, high = bounds(lattice, marks)
    at = lattice.inner_cells
    assert low[1, at].tolist() == [0, 2, 0, 2]
    assert high[1, at].tolist() == [5, 7, 5, 7]


def test_what_cannot_be_1_and_is_large_is_known_to_be_and_so_is_what_follows():
    # old men and old women are 2 at least: the 5 must be 5 or more, and then young men are no more than 2
    cells = Cells(Places.of([("PE", "0"), ("PE", "1")], LEVELS[:2]), (SEX, AGE), np.array([[[2, 5], [3, 4]]] * 2))
    lattice = Lattice.of(cells, 5)
    marks = np.zeros(lattice.values.shape, dtype=np.uint8)
    marks[:, lattice.inner_cells] = Mark.ABSENT
    known = large(lattice, marks, 5, lattice.values >= 5)
    assert known[1, lattice.inner_cells].tolist() == [False, True, False, False]
    low, high = bounds(replace(lattice, large=known), marks)
    assert (low[1, lattice.inner_cells].tolist(), high[1, lattice.inner_cells].tolist()) == ([0, 5, 3, 2], [2, 7, 5, 4])


@pytest.mark.parametrize("dimensions", [(SEX, AGE), TREES], ids=["flat", "trees"])
@pytest.mark.parametrize("seed", range(6))
def test_the_protector_and_the_attack_conclude_the_same(seed: int, dimensions: tuple[Dimension, ...]):
    cells = region(seed, 3.0, dimensions)
    safe = protect(cells, Policy(5, (2, 1, 1), dominance=2.0))
    lattice = Lattice.of(cells, 5)
    ours = np.empty(lattice.values.shape, dtype=np.bool_)
    ours[lattice.order] = large(lattice, lattice.laid(safe.marks), 5, lattice.values >= 5)
    table = cells.counts.reshape(-1).astype(float)
    theirs = believing(System.of(Published.of(safe)).knowing(table, 5), table, 5)
    program = Program.of(theirs)
    sums = theirs.sums(names_of(cells.places, dimensions, ours.reshape(safe.marks.shape)))
    assert all(program.least(sums[[one]]) > 5 - CLOSE for one in range(sums.shape[0]))


@pytest.mark.parametrize("seed", range(12))
def test_who_concludes_all_that_follows_in_whole_numbers_finds_nothing(seed: int):
    cells = region(seed, 3.0)
    outsider = Outsider(cells, protect(cells, Policy(5, (2, 1, 1), dominance=2.0)))
    outsider.conclude()
    assert outsider.narrowed() == []


def test_protection_that_forgets_the_promise_is_found_out(monkeypatch: pytest.MonkeyPatch):
    policy, concluded, narrow, attacked = Policy(5, (2, 1, 1), dominance=2.0), 0, 0, 0
    with monkeypatch.context() as patch:
        unbelieving(patch)
        for seed in range(10):
            cells = region(seed, 3.0)
            safe = protect(cells, policy)
            found = attack(Published.of(safe), cells, 5)
            attacked += len(found)
            outsider = Outsider(cells, safe)
            concluded += outsider.conclude()
            narrow += len(outsider.narrowed())
            table = cells.counts.reshape(-1).astype(float)
            system = System.of(Published.of(safe)).knowing(table, 5)
            assert not intervals(system, at_risk(cells, 5), 5, table), "without the promise nothing is found"
    assert concluded > 0
    assert attacked > 0
    assert narrow >= attacked  # in whole numbers more follows


@pytest.mark.parametrize("seed", range(8))
def test_a_certificate_lists_what_anybody_concludes_and_its_tables_keep_it(seed: int):
    cells = region(seed, 4.0)
    safe = protect(cells, Policy(5, (2, 1, 1), dominance=2.0))
    certificate = certify(safe)
    verdict = check(safe, certificate)
    assert not verdict.problems
    values = cells.with_margins()
    listed = np.zeros(safe.marks.shape, dtype=np.bool_)
    for at in indices_of(safe.places, safe.dimensions, certificate.large):
        listed[at] = True
    assert (values[listed] >= 5).all()
    assert verdict.concluded == int((listed & (safe.marks >= Mark.BELOW)).sum())


def test_a_certificate_must_list_what_anybody_concludes_and_nothing_else():
    for seed in range(40):
        cells = region(seed, 4.0)
        safe = protect(cells, Policy(5, (2, 1, 1), dominance=2.0))
        certificate = certify(safe)
        if check(safe, certificate).concluded:
            break
    at = dict(zip(certificate.large, indices_of(safe.places, safe.dimensions, certificate.large), strict=True))
    hidden = [ref for ref in certificate.large if safe.marks[at[ref]] >= Mark.BELOW]
    less = check(safe, replace(certificate, large=tuple(ref for ref in certificate.large if ref != hidden[0])))
    assert any(problem.endswith("must be 2 or more, and is not on the list") for problem in less.problems)
    every = names_of(safe.places, safe.dimensions, (safe.marks >= Mark.BELOW) & (cells.with_margins() >= 5))
    other = next(ref for ref in every if ref not in at)
    more = check(safe, replace(certificate, large=(*certificate.large, other)))
    assert any(problem.endswith("what is shown does not say why") for problem in more.problems)


def test_a_certificate_whose_tables_forget_the_list_does_not_hold():
    for seed in range(40):
        cells = region(seed, 4.0)
        safe = protect(cells, Policy(5, (2, 1, 1), dominance=2.0))
        certificate = certify(safe)
        small = cells.with_margins() < 5
        wrong = names_of(safe.places, safe.dimensions, small & (safe.marks >= Mark.BELOW))
        if wrong:
            problems = check(safe, replace(certificate, large=(*certificate.large, wrong[0]))).problems
            if any("is not possible" in problem for problem in problems):
                return
    raise AssertionError("no certificate was put to the test")
