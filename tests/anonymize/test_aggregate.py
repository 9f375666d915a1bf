"""A cube is one expression with exact counts; nobody is dropped in silence."""

from datetime import date

import ibis
import pandas as pd
import pytest

from anonymize.aggregate import Band, Breakdown, aggregate, cells, cse
from anonymize.errors import BadCells
from anonymize.tables import Places

CUT = date(2026, 1, 31)
PLACES = Places.of([("PE", "010101"), ("PE", "010102")], ("nacion", "distrito"))
SEX = Breakdown("sexo", "sex", (Band("hombre"), Band("mujer")))
AGE = Breakdown("edad", "age", (Band("0_17", 0, 17), Band("18_mas", 18, None)))


def person(**changed) -> dict:
    row = {"programme": "p", "pseudonym": b"a", "place": "010101", "sex": "mujer", "age": 20, "cse": None, "weight": 1}
    return row | changed


def registered(pseudonym: bytes, cse: str | None, since: date | None, until: date | None) -> dict:
    return {"pseudonym": pseudonym, "cse": cse, "cse_from": since, "cse_until": until}


REGISTER = {"pseudonym": "binary", "cse": "string", "cse_from": "date", "cse_until": "date"}
ROSTER = {
    **{"programme": "string", "pseudonym": "binary", "place": "string", "sex": "string"},
    **{"age": "int16", "cse": "string", "weight": "int64"},
}


def joined(people: list[dict], register: list[dict]) -> ibis.Table:
    rosters = ibis.memtable(pd.DataFrame(people), schema=ibis.schema(ROSTER))
    known = ibis.memtable(pd.DataFrame(register, columns=list(REGISTER)), schema=ibis.schema(REGISTER))
    return cse(rosters, known, CUT)


@pytest.mark.parametrize(
    ("register", "own", "counts"),
    [
        (registered(b"a", "pobre", date(2025, 1, 1), date(2027, 1, 1)), "no_pobre", "pobre"),
        (registered(b"a", "pobre", date(2025, 1, 1), None), "no_pobre", "pobre"),
        (registered(b"a", "pobre", CUT, CUT), "no_pobre", "pobre"),
        (registered(b"a", "pobre", date(2025, 1, 1), date(2026, 1, 30)), "no_pobre", "no_pobre"),
        (registered(b"a", "pobre", date(2026, 2, 1), None), "no_pobre", "no_pobre"),
        (registered(b"a", None, date(2025, 1, 1), None), "no_pobre", "no_pobre"),
        (registered(b"a", "pobre", None, None), None, "no_clasificado"),
        (registered(b"z", "pobre", date(2025, 1, 1), None), None, "no_clasificado"),
    ],
)
def test_the_register_counts_if_it_is_valid_else_the_roster_else_nothing(register, own, counts):
    found = joined([person(cse=own)], [register]).to_pandas()
    assert found["cse"].tolist() == [counts]
    assert found["matched"].tolist() == [register["pseudonym"] == b"a"]


def test_somebody_without_a_document_counts_and_matches_nobody():
    found = joined([person(pseudonym=None)], [registered(None, "pobre", date(2025, 1, 1), None)]).to_pandas()
    assert (len(found), found["matched"].tolist()) == (1, [False])


def test_weights_are_summed_and_rows_counted():
    people = [person(weight=7), person(weight=3, pseudonym=b"b"), person(sex="hombre", age=17)]
    found = aggregate(joined(people, []), [SEX, AGE]).order_by("sexo").to_pandas()
    assert found[["sexo", "edad", "n", "rows"]].to_numpy().tolist() == [
        ["hombre", "0_17", 1, 1],
        ["mujer", "18_mas", 10, 2],
    ]


def test_cells_are_complete_with_zeros():
    found = aggregate(joined([person(), person(place="010102", sex="hombre")], []), [SEX]).to_pandas()
    assert cells(found, "p", PLACES, [SEX]).counts.tolist() == [[0, 1], [1, 0]]


@pytest.mark.parametrize("wrong", [{"sex": "otro"}, {"sex": None}, {"place": "999999"}])
def test_whoever_fits_no_category_stops_the_build(wrong):
    found = aggregate(joined([person(**wrong)], []), [SEX]).to_pandas()
    with pytest.raises(BadCells, match="1 users of p fit no category"):
        cells(found, "p", PLACES, [SEX])


def test_a_category_for_the_unknown_takes_the_rest():
    sex = Breakdown("sexo", "sex", (*SEX.bands, Band("sin_dato")))
    found = aggregate(joined([person(sex=None), person(sex="otro")], []), [sex]).to_pandas()
    assert cells(found, "p", PLACES, [sex]).counts.tolist() == [[0, 0, 2], [0, 0, 0]]


@pytest.mark.parametrize("weight", [None, -1])
def test_a_row_without_a_weight_stops_the_build(weight):
    found = aggregate(joined([person(weight=weight), person(pseudonym=b"b")], []), [SEX]).to_pandas()
    with pytest.raises(BadCells, match="how many users"):
        cells(found, "p", PLACES, [SEX])


def test_a_sum_that_leaves_64_bits_stops_the_build_and_never_wraps():
    people = [person(weight=10**18, pseudonym=bytes([i]), sex=("mujer", "hombre")[i % 2]) for i in range(10)]
    found = aggregate(joined(people, []), [SEX]).to_pandas()
    with pytest.raises(BadCells, match="10000000000000000000 users of p are more"):
        cells(found, "p", PLACES, [SEX])
    assert cells(found.assign(n=found["n"] // 2), "p", PLACES, [SEX]).counts.sum() == 5 * 10**18


def test_another_programme_without_weights_is_no_trouble_of_this_one():
    people = [person(), person(programme="q", weight=None)]
    found = aggregate(joined(people, []), [SEX]).to_pandas()
    assert cells(found, "p", PLACES, [SEX]).counts.sum() == 1
