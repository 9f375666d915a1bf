"""Overlaps and flows: every cell at risk keeps its values, tried on all tables that an outsider must hold possible."""

from collections import defaultdict
from itertools import product

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from anonymize.errors import BadCells, Unprotectable
from anonymize.joint.attack import attack_flows, attack_overlaps
from anonymize.joint.flows import Flows, flows_joint, movements
from anonymize.joint.overlaps import Overlaps, Users, by_number, by_pair, joint_of, overlaps_of
from anonymize.joint.protect import protect
from anonymize.joint.secure import _at_risk, _large, secure_flows, secure_overlaps
from anonymize.joint.system import SafeJoint
from anonymize.tables import Mark, Places

LEVELS = ("nacion", "departamento")
TWO = Places.of([("PE", "01"), ("PE", "02")], LEVELS)
THREE = Places.of([("PE", "01"), ("PE", "02"), ("PE", "03")], LEVELS)


def overlaps(places, persons, thresholds, elsewhere=None) -> Overlaps:
    persons = np.array(persons, dtype=np.int64)
    away = np.zeros_like(persons) if elsewhere is None else np.array(elsewhere)
    return Overlaps(places, tuple("abcdef"[: len(thresholds)]), tuple(thresholds), persons, away)


def users(one: Overlaps) -> Users:
    """The programmes' own tables, where nothing is withheld but what is at risk."""
    counts, k = one.users, np.array(one.thresholds)
    at_risk = (counts > 0) & (counts < k)
    return Users(counts, ~at_risk, at_risk)


def cell(joint, what, place, table=None) -> int:
    return next(
        i
        for i, c in enumerate(joint.cells)
        if (c.what, c.place) == (what, place) and (table is None or c.table == table)
    )


def possible(joint, marks) -> dict[int, set[int]]:
    """What every cell at risk can be, by trying all tables: department by department, joined by the nation's cells."""
    low, high = joint.bounds(marks)
    sums, given_ = joint.sums.toarray(), joint.given.toarray()
    departments = int(joint.place.max()) + 1
    wide = len(joint.cells) // (departments + 1)
    of_nation = np.arange(wide)
    parts = []
    for d in range(departments):
        kinds = np.flatnonzero(joint.place == d)
        rows = np.arange((d + 1) * wide, (d + 2) * wide)
        bound = [g for g in range(len(given_)) if given_[g].any() and not np.delete(given_[g], kinds).any()]
        options = []
        for counts in vectors(given_[np.ix_(bound, kinds)], joint.low[bound], joint.high[bound]):
            values = sums[np.ix_(rows, kinds)] @ counts
            if (values >= low[rows]).all() and (values <= high[rows]).all():
                options.append((counts, values))
        parts.append((kinds, rows, options))
    reached = defaultdict(set)
    nation = [defaultdict(list) for _ in parts]
    for sort, (kinds, _, options) in zip(nation, parts, strict=True):
        for counts, values in options:
            sort[tuple(sums[np.ix_(of_nation, kinds)] @ counts)].append(values)
    for combined in product(*nation):
        total = np.sum(combined, axis=0)
        if (total >= low[of_nation]).all() and (total <= high[of_nation]).all():
            for i, value in enumerate(total.tolist()):
                reached[i].add(value)
            for (_, rows, _), sort, key in zip(parts, nation, combined, strict=True):
                for values in sort[key]:
                    for i, value in zip(rows.tolist(), values.tolist(), strict=True):
                        reached[i].add(value)
    return {i: reached[i] for i in np.flatnonzero(joint.at_risk).tolist()}


def vectors(matrix, low, high):
    """All whole vectors >= 0 whose sums are as given; every kind is in some sum."""
    assert (low == high).all() and (matrix >= 0).all() and matrix.any(axis=0).all()
    size = matrix.shape[1]

    def extend(prefix, left):
        at = len(prefix)
        if at == size:
            if not left.any():
                yield np.array(prefix)
            return
        column = matrix[:, at]
        for n in range(int(left[column > 0].min()) + 1):
            yield from extend([*prefix, n], left - n * column)

    yield from extend([], np.array(low))


def test_a_small_pair_takes_the_numbers_with_it_and_a_partner_elsewhere():
    one = overlaps(TWO, [[0, 40, 50, 2], [0, 30, 60, 20]], (5, 5))
    joint = joint_of(one, users(one))
    safe, proof = protect(joint)
    assert safe.marks[cell(joint, "b", "01")] == safe.marks[cell(joint, "b", "02")] == Mark.WITHHELD
    assert safe.marks[cell(joint, "2", "01")] != Mark.SHOWN, "two programmes: who is in two is in the pair"
    assert safe.marks[cell(joint, "total", "01")] == Mark.WITHHELD, "users of both are known: they count the pair twice"
    assert proof.beyond == 0


def test_two_small_pairs_leave_no_room_for_each_other_below_a_nation_that_is_shown():
    one = overlaps(TWO, [[0, 40, 50, 2], [0, 30, 60, 3]], (5, 5))  # 5 of one would leave 0 of the other
    joint = joint_of(one, users(one))
    safe, _ = protect(joint)
    assert safe.marks[cell(joint, "b", "PE")] == Mark.WITHHELD
    assert safe.marks[cell(joint, "b", "01")] == safe.marks[cell(joint, "b", "02")] == Mark.BELOW


def test_the_pairs_threshold_is_the_stricter_programme_s():
    one = overlaps(TWO, [[0, 40, 50, 7], [0, 30, 60, 40]], (10, 5))
    joint = joint_of(one, users(one))
    safe, _ = protect(joint)
    assert safe.marks[cell(joint, "b", "01")] != Mark.SHOWN


def test_every_table_that_proves_agrees_with_what_is_shown_and_together_they_have_every_value():
    one = overlaps(THREE, np.arange(24).reshape(3, 8) * [[0, 9, 8, 1, 7, 1, 0, 1]] % 40, (5, 5, 5))
    joint = joint_of(one, users(one))
    safe, proof = protect(joint)
    tables = [joint.counts, *proof.tables]
    assert all(joint.agrees(safe.marks, table) for table in tables)
    met = {i: {int((joint.sums[[i]] @ t)[0]) for t in tables} for i in np.flatnonzero(joint.at_risk).tolist()}
    asked = sum(len(values & set(range(1, int(joint.threshold[i]) + 1))) for i, values in met.items())
    assert asked == proof.values
    assert proof.values + proof.beyond == sum(int(joint.threshold[i]) for i in met)


def test_nothing_is_shown_below_what_is_withheld_and_no_value_stands_where_there_is_a_mark():
    one = overlaps(TWO, [[0, 3, 50, 1], [0, 0, 60, 0]], (5, 5))
    joint = joint_of(one, users(one))
    safe, _ = protect(joint)
    assert ((safe.values == -1) == (safe.marks != Mark.SHOWN)).all()
    assert safe.marks[cell(joint, "b", "01")] == Mark.BELOW, "the programme's own users are withheld there"


def test_persons_whom_rosters_have_in_two_places_stay_as_they_are_in_every_proof():
    away = [[0, 0, 0, 2], [0, 0, 0, 0], [0, 0, 0, 3]]
    one = overlaps(THREE, [[0, 40, 50, 4], [0, 30, 60, 3], [0, 20, 70, 9]], (5, 5), away)
    _, proof = protect(joint_of(one, users(one)))
    assert all((table >= np.array(away)[:, 1:].reshape(-1)).all() for table in proof.tables)


def test_what_the_programmes_own_tables_rule_out_is_not_asked_for():
    one = overlaps(TWO, [[0, 48, 4, 2], [0, 30, 60, 7]], (10, 5))  # b has 6 users in 01: the pair cannot be 7 … 10
    joint = joint_of(one, users(one))
    _, proof = protect(joint)
    assert proof.beyond >= 4


def test_the_same_key_withholds_the_same_and_the_choice_hangs_on_it():
    rows = [[0, 400, 500, 2], *([[0, 300 + i, 600 - i, 40 + i] for i in range(6)])]
    places = Places.of([("PE", f"{i:02d}") for i in range(7)], LEVELS)
    one = overlaps(places, rows, (5, 5))
    joint = joint_of(one, users(one))
    chosen = [tuple(protect(joint, key=bytes([i]))[0].marks) for i in range(12)]
    assert chosen[0] == tuple(protect(joint, key=bytes([0]))[0].marks)
    assert len(set(chosen)) > 1


COUNTS = st.lists(st.integers(0, 3), min_size=14, max_size=14)


@settings(max_examples=15, deadline=None)
@given(COUNTS, st.sampled_from([(3, 3, 3), (4, 3, 3)]))
def test_every_value_of_every_cell_at_risk_stays_possible(drawn, thresholds):
    persons = np.array(drawn).reshape(2, 7)
    persons[:, [2, 4, 5]] //= 2
    persons[:, 6] //= 4
    one = overlaps(TWO, np.hstack([np.zeros((2, 1), dtype=int), persons]), thresholds)
    known = np.ones(one.users.shape, dtype=np.bool_)  # small ones too: then their own tables rule values out
    joint = joint_of(one, Users(one.users, known, ~known))
    safe, proof = protect(joint)
    alone = possible(joint, np.full(len(joint.cells), Mark.ABSENT, dtype=np.uint8))
    beyond = 0
    for i, values in possible(joint, safe.marks).items():
        wanted = set(range(1, int(joint.threshold[i]) + 1))
        beyond += len(wanted - alone[i])
        assert wanted & alone[i] <= values, joint.cells[i]
    assert beyond == proof.beyond


@settings(max_examples=25, deadline=None)
@example([0, 0, 0, 0, 0, 2, 3, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0], (5, 5, 5))
@given(st.lists(st.integers(0, 12), min_size=21, max_size=21), st.sampled_from([(5, 5, 5), (10, 5, 5)]))
def test_the_attack_finds_nothing_after_protection(drawn, thresholds):
    one = overlaps(THREE, np.hstack([np.zeros((3, 1), dtype=int), np.array(drawn).reshape(3, 7)]), thresholds)
    _, proof = protect(joint_of(one, users(one)))
    made = secure_overlaps(one, users(one))
    if not proof.beyond:  # where the programmes' own tables give values away, it may take a second round
        assert made.facts.rounds == 1, "what protection has proven, no attack should find"


def attacked(one: Overlaps, marks) -> tuple:
    joint = joint_of(one, users(one))
    safe = SafeJoint(joint.cells, np.where(marks == Mark.SHOWN, joint.values, -1), marks, joint.threshold)
    at = enumerate(one.places.codes)
    known = {(p, c): int(one.users[i, j]) for i, c in at for j, p in enumerate(one.programmes)}
    pairs = {p: by_pair(one, safe, p) for p in one.programmes[:-1]}
    return attack_overlaps(one.programmes, by_number(one, safe), pairs, known, _at_risk(joint), _large(joint))


def test_the_attack_finds_small_cells_that_are_withheld_alone():
    one = overlaps(THREE, [[0, 40, 50, 2], [0, 30, 60, 20], [0, 90, 80, 30]], (5, 5))
    joint = joint_of(one, users(one))
    marks = joint.marks(joint.at_risk, np.zeros(len(joint.cells), dtype=np.bool_))
    found = {(f.name[:2], f.low, f.high) for f in attacked(one, marks)}
    assert (("a", "b"), 2.0, 2.0) in found, "the nation less the other departments"


def test_the_attack_finds_a_pair_that_numbers_give_away():
    one = overlaps(TWO, [[0, 40, 50, 2], [0, 30, 60, 3]], (5, 5))
    joint = joint_of(one, users(one))
    marks = protect(joint)[0].marks.copy()
    marks[cell(joint, "total", "01")] = Mark.SHOWN  # users of a and of b are known: they count the pair twice
    assert attacked(one, marks)


def test_the_attack_finds_a_bound_that_no_equation_tells():
    one = overlaps(TWO, [[0, 40, 6, 3, 60, 0, 0, 0], [0, 30, 60, 30, 50, 20, 10, 9]], (5, 5, 5))
    joint = joint_of(one, users(one))
    marks = protect(joint)[0].marks.copy()
    marks[cell(joint, "2", "01")] = marks[cell(joint, "3", "01")] = (
        Mark.SHOWN
    )  # a zero: whoever is in two is in no third
    for what, table in (("c", "pares:a"), ("c", "pares:b")):
        marks[cell(joint, what, "01", table)] = Mark.SHOWN
    assert attacked(one, marks)


def test_counts_that_contradict_what_is_given_are_refused():
    one = overlaps(TWO, [[0, 40, 50, 2], [0, 30, 60, 3]], (5, 5), [[0, 0, 0, 9], [0, 0, 0, 0]])
    with pytest.raises(BadCells):
        joint_of(one, users(one))


def test_rows_that_were_counted_make_sets_by_department():
    one = overlaps_of([("01", 1, 7, 0), ("02", 3, 2, 1), ("02", 3, 1, 0)], TWO, {"a": 5, "b": 5})
    assert one.persons.tolist() == [[0, 7, 0, 0], [0, 0, 0, 3]]
    assert one.elsewhere.tolist() == [[0, 0, 0, 0], [0, 0, 0, 1]]


# --- flows -----------------------------------------------------------------------------------------------------------


def flows(persons, threshold=3, places=TWO) -> Flows:
    persons = np.array(persons, dtype=np.int64)
    made = Flows(places, threshold, persons, np.ones(len(places), bool), np.zeros(len(places), bool))
    risk = (made.now > 0) & (made.now < threshold)
    return Flows(places, threshold, persons, ~risk, risk)


def possible_flows(one: Flows, marks) -> dict[int, set[int]]:
    """What every cell at risk can be, by trying every table."""
    joint = flows_joint(one)
    low, high = joint.bounds(marks)
    reached = defaultdict(set)
    ranges = []
    for d in range(len(one.places) - 1):
        now, before = int(one.now[d + 1]), int(one.before[d + 1])
        ranges.append(
            [
                (s, n, now - s - n, e, before - s - e)
                for s in range(min(now, before) + 1)
                for n in range(now - s + 1)
                for e in range(before - s + 1)
            ]
        )
    for table in product(*ranges):
        counts = np.array(table).reshape(-1)
        stated = joint.given @ counts
        values = joint.sums @ counts
        if (
            (stated >= joint.low).all()
            and (stated <= joint.high).all()
            and (values >= low).all()
            and (values <= high).all()
        ):
            for i, value in enumerate(values.tolist()):
                reached[i].add(value)
    return {i: reached[i] for i in np.flatnonzero(joint.at_risk).tolist()}


@settings(max_examples=8, deadline=None)
@given(st.lists(st.integers(0, 3), min_size=8, max_size=8), st.integers(0, 2))
def test_every_arrival_at_risk_keeps_its_values(drawn, moved):
    (s, n, e, _), (s2, n2, e2, _) = np.array(drawn).reshape(2, 4).tolist()
    one = flows([[s + 3, n, moved, e, 0], [s2 + 3, n2, 0, e2, moved]])
    joint = flows_joint(one)
    made = secure_flows(one)
    assert made.facts.rounds == 1
    marks = protect(joint)[0].marks
    alone = possible_flows(one, np.full(len(joint.cells), Mark.ABSENT, dtype=np.uint8))
    for i, values in possible_flows(one, marks).items():
        assert set(range(1, 4)) & alone[i] <= values, joint.cells[i]


def test_a_small_arrival_takes_the_departure_with_it():
    one = flows([[90, 2, 0, 9, 0], [80, 30, 0, 20, 0], [70, 25, 0, 30, 0]], 5, THREE)
    table = secure_flows(one).movements.frame("departamento").set_index(["place", "movimiento"])
    assert table.loc[("01", "altas"), "mark"] == table.loc[("01", "bajas"), "mark"] == "c", (
        "users of both periods are known"
    )


def test_the_attack_finds_an_arrival_whose_departure_is_shown():
    one = flows([[90, 2, 0, 9, 0], [80, 30, 0, 20, 0], [70, 25, 0, 30, 0]], 5, THREE)
    joint = flows_joint(one)
    marks = joint.marks(joint.at_risk, np.zeros(len(joint.cells), dtype=np.bool_))
    safe = SafeJoint(joint.cells, np.where(marks == Mark.SHOWN, joint.values, -1), marks, joint.threshold)
    seen = [dict(zip(one.places.codes, side.tolist(), strict=True)) for side in (one.now, one.before)]
    found = attack_flows(movements(one, safe), *seen, _at_risk(joint), _large(joint))
    assert {(f.name[1:], f.low) for f in found} >= {(("altas", "01"), 2.0)}


def test_who_changes_department_arrives_there_and_not_in_the_nation():
    one = flows([[900, 20, 30, 40, 0], [800, 50, 0, 60, 30]], 5)
    made = secure_flows(one).movements
    nation = made.frame("nacion").set_index("movimiento")["n"]
    assert nation.to_dict() == {"altas": 70, "bajas": 100, "traslados": 30}
    departments = made.frame("departamento").set_index(["place", "movimiento"])["n"]
    assert departments[("01", "altas")] == 50 and departments[("02", "bajas")] == 90
    assert ("01", "traslados") not in departments


def test_what_cannot_be_protected_is_refused_and_says_so():
    with pytest.raises(Unprotectable):
        joint = flows_joint(flows([[90, 2, 0, 9, 0], [80, 30, 0, 20, 0]], 5))
        protect(joint, exposed=[0, 0, 0])
