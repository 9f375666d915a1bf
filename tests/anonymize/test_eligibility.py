"""Who meets a rule is told by the register alone, to the day and to the year."""

from datetime import date

import ibis
import pandas as pd
import pytest

from anonymize.aggregate import aggregate, cse
from anonymize.eligibility import Rule, Years, eligible
from anonymize.situations import FAILS, MEETS, NOT_FOUND, UNCLASSIFIED

CUT = date(2026, 1, 31)
OLD_AND_POOR = Rule("p", cse=("extreme",), age=Years(low=65))
POOR_WITH_CHILD = Rule("p", household=True, cse=("extreme", "poor"), member=Years(high=18))
REGISTER = {
    **{"pseudonym": "binary", "household": "binary", "place": "string", "age": "int16"},
    **{"cse": "string", "cse_from": "date", "cse_until": "date"},
}
ROSTER = {"programme": "string", "pseudonym": "binary", "place": "string", "cse": "string", "weight": "int64"}


def registered(pseudonym: bytes | None = b"a", **changed) -> dict:
    row = {"pseudonym": pseudonym, "household": b"h", "place": "010101", "age": 70, "cse": "extreme"}
    return {**row, "cse_from": date(2025, 1, 1), "cse_until": None} | changed


def register(*rows: dict) -> ibis.Table:
    return ibis.memtable(pd.DataFrame(list(rows), columns=list(REGISTER)), schema=ibis.schema(REGISTER))


def users(*pseudonyms: bytes | None, programme: str = "p") -> ibis.Table:
    rows = [{"programme": programme, "pseudonym": p, "place": "010102", "cse": None, "weight": 1} for p in pseudonyms]
    return ibis.memtable(pd.DataFrame(rows, columns=list(ROSTER)), schema=ibis.schema(ROSTER))


def situation(rule: Rule, *rows: dict, user: bytes | None = b"a", programme: str = "p") -> str | None:
    (found,) = cse(users(user, programme=programme), register(*rows), CUT, [rule]).to_pandas()["situation"]
    return None if pd.isna(found) else found


def left(rule: Rule, *rows: dict, used: tuple[bytes, ...] = ()) -> list[str]:
    return eligible(users(*used), register(*rows), [rule], CUT).to_pandas()["place"].tolist()


@pytest.mark.parametrize(
    ("facts", "stands"),
    [
        ({}, MEETS),
        ({"age": 65}, MEETS),
        ({"age": 64}, FAILS),
        ({"age": None}, FAILS),
        ({"cse": "poor"}, FAILS),
        ({"cse": None}, UNCLASSIFIED),
        ({"cse_from": CUT, "cse_until": CUT}, MEETS),
        ({"cse_until": date(2026, 1, 30)}, UNCLASSIFIED),
        ({"cse_from": date(2026, 2, 1)}, UNCLASSIFIED),
        ({"cse_from": None}, UNCLASSIFIED),
        ({"cse_until": date(2026, 1, 30), "age": 20}, UNCLASSIFIED),
        ({"pseudonym": b"z"}, NOT_FOUND),
        ({"household": None}, MEETS),
    ],
)
def test_a_user_stands_to_a_rule_as_the_register_says(facts, stands):
    assert situation(OLD_AND_POOR, registered(**facts)) == stands


def test_a_user_without_a_document_is_not_found():
    assert situation(OLD_AND_POOR, registered(None), user=None) == NOT_FOUND


def test_users_of_a_programme_without_a_rule_have_no_situation():
    assert situation(OLD_AND_POOR, registered(), programme="q") is None


def test_a_person_is_judged_alone_whoever_they_live_with():
    assert situation(OLD_AND_POOR, registered(age=20), registered(b"b", age=80)) == FAILS


@pytest.mark.parametrize(
    ("other", "stands"),
    [
        ({"age": 18}, MEETS),
        ({"age": 19}, FAILS),
        ({"age": 3, "household": b"other"}, FAILS),
        ({"age": 3, "cse": "none"}, MEETS),  # the household is poor by its other member
    ],
)
def test_a_household_meets_what_one_of_its_members_does(other, stands):
    assert situation(POOR_WITH_CHILD, registered(age=40), registered(None, **other)) == stands


def test_a_household_without_any_valid_cse_cannot_be_told():
    lapsed = {"cse_until": date(2026, 1, 1)}
    assert situation(POOR_WITH_CHILD, registered(**lapsed), registered(b"b", age=3, **lapsed)) == UNCLASSIFIED
    assert situation(POOR_WITH_CHILD, registered(**lapsed), registered(b"b", age=3)) == MEETS


def test_rules_of_several_programmes_are_kept_apart():
    rules = [OLD_AND_POOR, Rule("q", age=Years(high=2))]
    both = ibis.union(users(b"a"), users(b"a", programme="q"))
    found = cse(both, register(registered()), CUT, rules).to_pandas().set_index("programme")["situation"]
    assert found.to_dict() == {"p": MEETS, "q": FAILS}


def test_who_meets_the_rule_and_is_no_user_is_counted_where_the_register_has_them():
    rows = [registered(bytes([i]), household=bytes([i]), place=f"01010{i}") for i in (1, 2, 3)]
    assert left(OLD_AND_POOR, *rows, used=(b"\2",)) == ["010101", "010103"]
    assert left(OLD_AND_POOR, *rows, registered(b"y", age=30), used=(b"\2",)) == ["010101", "010103"]


def test_who_has_no_document_cannot_be_looked_for():
    assert left(OLD_AND_POOR, registered(None)) == []
    assert left(POOR_WITH_CHILD, registered(None, age=3), registered(None)) == []


def test_a_household_of_which_one_member_is_a_user_is_none_that_is_left_out():
    home = [registered(place="010103"), registered(b"b", age=3, place="010102"), registered(None, place="010104")]
    assert left(POOR_WITH_CHILD, *home) == ["010102"]
    assert left(POOR_WITH_CHILD, *home, used=(b"b",)) == []
    assert left(POOR_WITH_CHILD, *home, used=(b"z",)) == ["010102"]


def test_users_and_those_left_out_are_all_who_meet_the_rule():
    rows = [registered(bytes([i]), household=bytes([i]), age=60 + i) for i in range(10)]
    used = (b"\0", b"\5", b"\6")
    stand = cse(users(*used), register(*rows), CUT, [OLD_AND_POOR]).to_pandas()["situation"]
    assert ((stand == MEETS).sum(), (stand == FAILS).sum()) == (2, 1)
    assert len(left(OLD_AND_POOR, *rows, used=used)) == 3


def test_they_are_counted_by_place_and_add_to_nobody_matched():
    rows = [registered(bytes([i]), household=bytes([i])) for i in range(7)]
    found = aggregate(eligible(users(), register(*rows), [OLD_AND_POOR], CUT), []).to_pandas()
    assert found[["programme", "place", "n", "matched"]].to_numpy().tolist() == [["p", "010101", 7, 0]]
