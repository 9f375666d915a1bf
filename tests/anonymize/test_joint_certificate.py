"""Certificates of overlaps and flows: made of what is published alone, and checked by whole numbers alone."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anonymize.errors import Unprotectable
from anonymize.joint.attack import attack_overlaps
from anonymize.joint.certificate import certify
from anonymize.joint.flows import Flows
from anonymize.joint.secure import secure_flows, secure_overlaps
from anonymize.joint.verify import Told, overlaps, verify
from anonymize.tables import Dimension, Mark, SafeCells
from anonymize.verify import SHOWN, WITHHELD
from tests.anonymize import test_joint as joint

PE, ONE, TWO = range(3)  # places
TOTAL, IN_ONE, IN_TWO, PAIR = range(4)  # cells of two programmes, a and b


def checked(certificate, **changes):
    parts = {name: getattr(certificate, name) for name in ("linked", "base", "tables", "large")}
    return verify(**(parts | changes))


def published(number, pairs, users, thresholds=(5, 5)):
    """Two departments, two programmes: cells (total, in 1, in 2), the pair, users of both; None is withheld."""

    def told(rows) -> Told:
        state = [[WITHHELD if n is None else SHOWN for n in row] for row in rows]
        return Told(np.array(state), np.array([[-1 if n is None else n for n in row] for row in rows]))

    cells = told([[*row, pair] for row, pair in zip(number, pairs, strict=True)])
    return overlaps(("PE", "01", "02"), ("a", "b"), thresholds, cells, told(users), np.ones((3, 2), dtype=np.int64))


# a has 40 + 30 users, b 50 + 60; 2 + 20 of them are in both
WHOLE = published(
    [[None, None, None]] * 3,
    [22, None, None],
    [[72, 132], [42, 52], [30, 80]],
)


@pytest.fixture(scope="module")
def certificate():
    return certify(WHOLE)


def test_every_withheld_cell_is_proven_or_known_to_be_large(certificate):
    found = checked(certificate)
    assert found.problems == ()
    assert found.withheld == found.proven + found.large == 11
    assert {cell for cell in certificate.large if cell[0] == PE} == {(PE, TOTAL), (PE, IN_ONE), (PE, IN_TWO)}


def test_both_withheld_pairs_can_be_small_each_while_their_sum_is_shown(certificate):
    assert (ONE, PAIR) not in certificate.large
    pairs = {int(WHOLE.sums(certificate.base)[ONE, PAIR])}
    for at, by in certificate.tables:
        counts = certificate.base.copy()
        np.add.at(counts, (at[:, 0], at[:, 1]), by)
        values = WHOLE.sums(counts)
        assert values[PE, PAIR] == values[ONE, PAIR] + values[TWO, PAIR] == 22
        pairs.add(int(values[ONE, PAIR]))
    assert pairs >= {1, 2, 3, 4, 5}


def test_it_is_the_same_whenever_it_is_made(certificate):
    again = certify(WHOLE)
    assert (again.base == certificate.base).all()
    assert [(a.tolist(), b.tolist()) for a, b in again.tables] == [
        (a.tolist(), b.tolist()) for a, b in certificate.tables
    ]


def test_a_table_left_out_is_missed(certificate):
    problems = checked(certificate, tables=()).problems
    assert any("is shown to be possible only as" in problem for problem in problems)


def test_a_base_that_does_not_say_what_is_shown_is_found(certificate):
    base = certificate.base.copy()
    base[0, 2] += 1  # one person more in both programmes
    problems = checked(certificate, base=base).problems
    assert any(problem.startswith("the base is not possible: a and b × PE") for problem in problems)


def test_a_base_below_zero_is_found(certificate):
    base = certificate.base.copy()
    base[0, 0], base[0, 1] = -1, base[0, 1] + base[0, 0] + 1
    assert "the base is not possible: a count is below zero" in checked(certificate, base=base).problems


def test_a_table_that_is_not_possible_is_found_and_proves_nothing(certificate):
    at, by = certificate.tables[0]
    problems = checked(certificate, tables=((at, by + 1), *certificate.tables[1:])).problems
    assert any(problem.startswith("table 0 is not possible") for problem in problems)


def test_a_list_that_spares_a_proof_is_found_by_its_own_tables(certificate):
    """Who lists a cell to spare its proof must show tables in which it is large, every one of them."""
    problems = checked(certificate, large=(*certificate.large, (ONE, PAIR))).problems
    assert any("a and b × 01" in problem for problem in problems)


def test_a_shown_cell_cannot_be_on_the_list(certificate):
    problems = checked(certificate, large=(*certificate.large, (PE, PAIR))).problems
    assert "a and b × PE is on the list and is not withheld" in problems


def test_a_small_number_that_is_shown_is_found():
    small = published([[None] * 3] * 3, [22, 2, 20], [[72, 132], [42, 52], [30, 80]])
    nothing = np.zeros((2, 5), dtype=np.int64)
    assert "a and b × 01 is shown and below the threshold" in verify(small, nothing, (), ()).problems


def test_a_department_s_number_below_a_nation_that_is_withheld_is_found():
    shown = published([[None] * 3] * 3, [None, 12, 20], [[72, 132], [42, 52], [30, 80]])
    nothing = np.zeros((2, 5), dtype=np.int64)
    assert "a and b × 01 is shown, and the nation's is not" in verify(shown, nothing, (), ()).problems


def test_a_single_withheld_pair_has_no_proof_and_stands_on_the_list():
    """The nation's less the other department's is 2: no table has any other value, nor any that is large."""
    with pytest.raises(Unprotectable):
        certify(published([[None] * 3] * 3, [22, None, 20], [[72, 132], [42, 52], [30, 80]]))


def test_a_value_that_users_alone_rule_out_is_not_asked_for():
    """Seven users cannot be ten persons in both, whatever the linked tables say."""
    few = published([[None] * 3] * 3, [None] * 3, [[60, 7], [30, 7], [30, 0]], thresholds=(10, 5))
    asked = few.asked(np.zeros((3, 4), dtype=np.bool_))
    assert asked[PE, PAIR] == sum(1 << value for value in range(1, 8))
    assert asked[PE, IN_TWO] == sum(1 << value for value in range(1, 8))


def test_who_counts_at_a_department_is_a_user_there_of_their_first_programme():
    counts = np.array([[40, 0, 0, 40, 0], [0, 10, 0, 0, 10]])  # a alone, b alone, both; users of a, of b
    linked = published([[50, 50, 0], [40, 40, 0], [10, 10, 0]], [0, 0, 0], [[40, 10], [40, 0], [0, 10]])
    assert verify(linked, counts, (), ()).problems == ()
    moved = published([[50, 50, 0], [40, 40, 0], [10, 10, 0]], [0, 0, 0], [[40, 10], [39, 1], [1, 9]])
    counts[:, 3:] = [[39, 1], [1, 9]]
    problems = verify(moved, counts, (), ()).problems
    assert "the base is not possible: users of a in linked and own tables × 01 would be -1" in problems


def test_an_outsider_finds_the_pair_that_a_subtraction_gives_back():
    """The attack that anybody can make, from the programmes' own users, against a pair withheld alone."""
    places, nothing = joint.TWO, np.full((3, 3), -1)
    marks = np.full((3, 3), Mark.ABSENT, dtype=np.uint8)
    number = SafeCells(places, (Dimension("programas", ("1", "2")),), nothing, marks, 5)
    values, seen = nothing.copy(), marks.copy()
    values[:, 1], seen[:, 1] = (22, -1, 20), (Mark.SHOWN, Mark.WITHHELD, Mark.SHOWN)
    pairs = SafeCells(places, (Dimension("otro_programa", ("a", "b")),), values, seen, 5)
    users = {("a", "PE"): 72, ("b", "PE"): 132, ("a", "01"): 42, ("a", "02"): 30}
    target = ("a", "b", "01")
    found = attack_overlaps(
        ("a", "b"), number, {"a": pairs}, users, {target: 5}, {}, {("b", "01"): 52, ("b", "02"): 80}
    )
    assert [(one.name, round(one.low), round(one.high)) for one in found] == [(target, 2, 2)]


@settings(max_examples=25, deadline=None)
@given(st.lists(st.lists(st.integers(0, 40), min_size=3, max_size=3), min_size=2, max_size=3))
def test_what_is_secured_has_its_certificate_and_no_cell_at_risk_on_the_list(rows):
    places = joint.TWO if len(rows) == 2 else joint.THREE
    one = joint.overlaps(places, [[0, *row] for row in rows], (5, 5))
    try:
        safe = secure_overlaps(one, joint.users(one))
    except Unprotectable:
        return
    found = checked(safe.certificate)
    assert found.problems == ()
    assert found.withheld == found.proven + found.large
    true = np.hstack([one.persons[:, 1:], one.users[1:]])
    values = safe.certificate.linked.sums(true)
    thresholds = safe.certificate.linked.threshold
    assert all(values[cell] >= thresholds[cell[1]] for cell in safe.certificate.large)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.integers(20, 90), *[st.integers(0, 12)] * 4), min_size=2, max_size=3))
def test_flows_have_theirs(rows):
    places = joint.TWO if len(rows) == 2 else joint.THREE
    persons = np.array(rows)
    persons[:, 4] = np.roll(persons[:, 2], 1)  # who comes from one department goes from the next
    every = np.ones(len(places), dtype=np.bool_)
    try:
        safe = secure_flows(Flows(places, 5, persons, every, ~every))
    except Unprotectable:
        return
    found = checked(safe.certificate)
    assert found.problems == ()
    assert found.withheld == int((safe.movements.marks == Mark.WITHHELD).sum())
