"""Who replays the method on every table that agrees keeps three values for each cell at risk."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from anonymize.policy import Policy
from anonymize.protect import protect
from anonymize.replay import (
    LARGEST,
    agreeing,
    comes_out,
    narrow,
    narrowed,
    protect_unreplayed,
    same,
    with_margins,
)
from anonymize.secure import secure
from anonymize.tables import CellRef, Cells, Dimension, Mark, Places, SafeCells

SEX = Dimension("sexo", ("h", "m"))
AGE = Dimension("edad", ("j", "v"))
POLICY = Policy(5, (2, 2), dominance=2.0)
# Two cells of 4 share a shown total of 8. Were one of them less, the other would be no small one, and other partners
# would be cheaper: so the choice tells of both.
TOLD = [[[22, 26], [25, 24]], [[4, 11], [4, 9]], [[18, 14], [12, 18]], [[5, 7], [9, 8]]]


def table(counts: list[list[list[int]]] | np.ndarray) -> Cells:
    tree = Places.of([("PE", f"{i:02d}") for i in range(len(counts))], ("nacion", "departamento"))
    return Cells(tree, (SEX, AGE), np.array(counts))


def test_every_table_that_agrees_is_written_down_and_no_other():
    safe = protect(table([[[2, 9], [8, 7]], [[9, 3], [1, 8]], [[9, 9], [9, 9]]]), Policy(3, (2, 1), dominance=2.0))
    found = {one.tobytes() for one in agreeing(safe) or []}
    shown, withheld = safe.marks == Mark.SHOWN, safe.marks == Mark.WITHHELD
    tried = 0
    for inner in product(range(safe.values[0, -1, -1] + 1), repeat=3):  # in each place, one count fixes the others
        counts = _with_first(safe, inner)
        if counts is None:
            continue
        tried += 1
        every = table(counts).with_margins()
        agrees = bool((every[shown] == safe.values[shown]).all() and (every[withheld] >= 1).all())
        assert agrees == (counts.tobytes() in found)
    assert tried > len(found) > 1


def _with_first(safe: SafeCells, first: tuple[int, ...]) -> np.ndarray | None:
    """The counts that the places' single categories leave when the first one is given; None if one is negative."""
    places = []
    for place, one in zip(safe.values[1:], first, strict=True):
        row, column, total = place[0, 2], place[2, 0], place[2, 2]
        places.append([[one, row - one], [column - one, total - row - column + one]])
    counts = np.array(places)
    return counts if counts.min() >= 0 else None


def test_a_large_table_is_not_replayed():
    tree = Places.of([("PE", f"{i:03d}") for i in range(LARGEST // 4 + 1)], ("nacion", "departamento"))
    cells = Cells(tree, (SEX, AGE), np.full((LARGEST // 4 + 1, 2, 2), 9))
    assert agreeing(protect(cells, POLICY)) is None


def test_more_tables_than_are_replayed_are_too_many():
    safe = protect(table(TOLD), POLICY)
    assert len(agreeing(safe) or []) == 7
    assert agreeing(safe, most=6) is None
    assert agreeing(safe, steps=20) is None


def test_a_choice_of_partners_that_tells_a_value_is_coarsened():
    cells = table(TOLD)
    alone = protect(cells, POLICY)
    survive = [one for one in agreeing(alone) or [] if comes_out(one, alone, POLICY, (), b"")]
    assert len(survive) == 1, "who replays protect alone knows the table"
    told = narrowed(alone, POLICY, (), b"")
    assert [ref.in_words for ref in told] == ["01 × h × j", "01 × m × j"]
    safe, exposed = protect_unreplayed(cells, POLICY)
    assert exposed == told[:1]
    assert agreeing(safe) is None
    assert same(secure(cells, POLICY).safe, safe)


def test_what_must_be_shown_is_not_coarsened_away():
    must = CellRef("departamento", "00", ("h", "j"))
    policy = replace(POLICY, must_show=(must,))
    safe, exposed = protect_unreplayed(table(TOLD), policy)
    assert exposed == ()
    assert same(safe, protect(table(TOLD), policy))
    assert safe.values[1, 0, 0] == 22


@settings(deadline=None, max_examples=25, derandomize=True)
@given(st.integers(0, 10_000), st.sampled_from([3, 5]), st.sampled_from([b"", b"secret"]))
def test_tables_that_come_out_the_same_stand_together(seed: int, threshold: int, key: bytes):
    """Where nothing was coarsened, nothing is for any other table of the class either."""
    rng = np.random.default_rng(seed)
    cells = table(rng.poisson(threshold * rng.choice([1.0, 3.0], (3, 1, 1)), (3, 2, 2)))
    policy = Policy(threshold, (2, 2), dominance=2.0)
    assume(cells.counts.sum() >= threshold)
    safe, exposed = protect_unreplayed(cells, policy, key=key)
    listed = agreeing(safe, most=60)
    if exposed or not listed:
        return
    survive = [one for one in listed or [] if comes_out(one, safe, policy, (), key)]
    assert not narrow(with_margins(safe, survive), threshold).any()
    for one in survive[:: max(len(survive) // 3, 1)]:
        again, also_exposed = protect_unreplayed(table(one), policy, key=key)
        assert also_exposed == ()
        assert same(again, safe)


@pytest.mark.parametrize("key", [b"", b"secret"])
def test_the_same_table_and_key_give_the_same_bytes(key: bytes):
    one, other = (protect_unreplayed(table(TOLD), POLICY, key=key) for _ in range(2))
    assert same(one[0], other[0])
    assert one[1] == other[1]
