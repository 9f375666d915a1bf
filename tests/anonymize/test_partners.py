"""The cheapest way round, on tables small enough to see it."""

from __future__ import annotations

import numpy as np
import pytest

from anonymize.policy import Policy
from anonymize.protect import protect
from anonymize.protection.lattice import Lattice
from anonymize.protection.partners import partners
from anonymize.tables import Cells, Dimension, Mark, Places

PLACES = Places.of([("PE", f"{i:02d}") for i in range(3)], ("nacion", "departamento"))
KIND = Dimension("clase", ("a", "b", "c"))
# withheld: 00-a (at risk), 00-b, 01-b, 01-c, 02-c; the ring is closed by 02-a, a shorter one by 01-a
WITHHELD = ((0, 0), (0, 1), (1, 1), (1, 2), (2, 2))


def asked(counts: list[list[int]], by: tuple[int, ...] = (1,)) -> list[tuple[int, int]]:
    """Which cells (place, category) are proposed so that 00-a may change."""
    lattice = Lattice.of(Cells(PLACES, (KIND,), np.array(counts)), 5)
    marks = np.zeros(lattice.values.shape, dtype=np.uint8)
    for place, cell in WITHHELD:
        marks[place + 1, cell] = Mark.WITHHELD
    found = partners(lattice, marks, lattice.values, (1, 0), by, (0, 0, 2))
    return sorted((place - 1, cell) for place, cell in found)


def test_a_longer_way_round_is_taken_where_it_costs_less():
    assert asked([[3, 20, 50], [400, 20, 20], [10, 60, 20]]) == [(2, 0)]


def test_the_shorter_one_where_that_costs_less():
    assert asked([[3, 20, 50], [10, 20, 20], [400, 60, 20]]) == [(1, 0)]


def test_a_zero_is_no_partner():
    assert asked([[3, 20, 50], [400, 20, 20], [0, 60, 20]]) == [(1, 0)]


def test_a_partner_keeps_what_an_outsider_knows_it_to_have():
    """A cell of 6 can lose one person and no more: it is not at risk, and that may be known."""
    assert asked([[1, 20, 50], [400, 20, 20], [6, 60, 20]], by=(1,)) == [(2, 0)]
    assert (1, 0) in asked([[1, 20, 50], [400, 20, 20], [6, 60, 20]], by=(4,))


def test_no_way_is_found_where_nothing_may_change():
    assert asked([[3, 20, 0], [0, 20, 20], [0, 60, 20]]) == []


@pytest.mark.parametrize("seed", range(3))
def test_what_is_withheld_for_it_is_less_than_by_boxes_alone(seed: int, monkeypatch: pytest.MonkeyPatch):
    """On the whole, over some sparse tables: a single one can come out worse, since the choice is greedy."""
    rng = np.random.default_rng(seed)
    tree = Places.of([("PE", f"{d:02d}", f"{d:02d}{p:02d}") for d in range(2) for p in range(8)], ("n", "d", "p"))
    five = Dimension("clase", tuple("abcde"))
    cells = Cells(tree, (five,), rng.poisson(rng.gamma(0.8, 25.0, (16, 5))))

    def unshown() -> int:
        return int(cells.with_margins()[protect(cells, Policy(5, (1, 1, 1), dominance=2.0)).marks != Mark.SHOWN].sum())

    with_them = unshown()
    monkeypatch.setattr("anonymize.protect.partners", lambda *_: [])
    assert with_them <= unshown()
