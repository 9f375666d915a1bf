"""Documents become pseudonyms that nobody can compute without the key."""

import hashlib
import hmac
from dataclasses import replace
from datetime import date

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anonymize import pseudonym
from anonymize.pseudonym import BYTES, KEY_TABLE, MOST_WEIGHT, Columns, Key

KEY = Key(b"una llave de prueba, de 32 bytes")


def pseudonyms(texts: list[str | None], key: Key = KEY) -> list[bytes | None]:
    with duckdb.connect() as engine:
        engine.register(KEY_TABLE, key.table())
        engine.register("given", pa.table({"i": range(len(texts)), "t": pa.array(texts, pa.string())}))
        rows = engine.execute(f"select {pseudonym.pseudonym('t')} from given, {KEY_TABLE} order by i").fetchall()
    return [row[0] for row in rows]


@settings(max_examples=25, deadline=None)
@given(st.lists(st.text(max_size=80), min_size=1, max_size=20), st.binary(min_size=32, max_size=100))
def test_a_pseudonym_is_hmac_sha_256_cut_to_16_bytes(texts, secret):
    texts = [t.replace("\0", "") for t in texts]
    expected = [hmac.new(secret, t.encode(), hashlib.sha256).digest()[:BYTES] for t in texts]
    assert pseudonyms(texts, Key(secret)) == expected


def test_no_document_gives_no_pseudonym():
    assert pseudonyms([None]) == [None]


def test_another_key_gives_other_pseudonyms_and_another_id():
    other = Key(b"otra llave de prueba, de 32 byte")
    assert pseudonyms(["dni:00000001"]) != pseudonyms(["dni:00000001"], other)
    assert KEY.id != other.id


def test_the_key_shows_in_no_plan_and_no_repr():
    with duckdb.connect() as engine:
        engine.register(KEY_TABLE, KEY.table())
        query = f"select {pseudonym.pseudonym('t')} from (select 'dni:1' as t), {KEY_TABLE}"
        plans = "".join(str(engine.execute(f"explain {kind} {query}").fetchall()) for kind in ("", "analyze"))
    pads = [value for row in KEY.table().to_pylist() for value in row.values()]
    for secret in (KEY.secret, *pads):
        assert secret.hex() not in plans.lower()
        assert repr(secret)[2:10] not in plans
    assert "llave" not in plans + repr(KEY)


@pytest.mark.parametrize(
    ("kind", "number", "document"),
    [
        ("dni", "01234567", "dni:01234567"),
        ("dni", "1234567", "dni:01234567"),
        ("dni", " 12.345.678 ", "dni:12345678"),
        ("ce", "x00-123", "ce:X00123"),
        ("ce", "1234567", "ce:1234567"),
        ("dni", "", None),
        ("dni", None, None),
        (None, "12345678", None),
    ],
)
def test_documents_are_written_in_one_way(kind, number, document):
    found = duckdb.execute(
        f"select {pseudonym.document('k', 'n')} from (select ?::varchar as k, ?::varchar as n)", [kind, number]
    ).fetchall()
    assert found == [(document,)]


def roster(rows: list[dict], columns: Columns, cut: date = date(2026, 1, 31)) -> list[dict]:
    with duckdb.connect() as engine:
        engine.register(KEY_TABLE, KEY.table())
        engine.register("delivered", pa.Table.from_pylist(rows))
        sql = pseudonym.pseudonymise("select * from delivered", columns, "prueba", cut)
        return engine.execute(f"{sql} order by row").to_arrow_table().to_pylist()


COLUMNS = Columns(document="doc", place="lugar", birth_date="nacido::date", active="activo", kept={"nivel": "nivel"})


def person(number: int, **changed) -> dict:
    return {
        "member": 0,
        "number": number,
        "doc": f"dni:{number:08}",
        "lugar": "010101",
        "nacido": "2000-06-15",
        "activo": "si",
        "nivel": "A",
        "apellido": "QUISPE",
    } | changed


def test_a_roster_holds_its_columns_and_nothing_else():
    (row,) = roster([person(1)], COLUMNS)
    assert set(row) == {
        *("programme", "row", "pseudonym", "place", "sex", "age", "household"),
        *("cse", "cse_from", "cse_until", "weight", "nivel"),
    }
    assert (row["age"], row["weight"], row["nivel"]) == (25, 1, "A")
    assert "QUISPE" not in str(row)
    assert "00000001" not in str(row["pseudonym"])


@pytest.mark.parametrize(
    ("born", "cut", "age"),
    [
        ("2000-01-31", date(2026, 1, 31), 26),
        ("2000-02-01", date(2026, 1, 31), 25),
        ("2000-02-29", date(2026, 2, 28), 25),
        ("2000-02-29", date(2024, 2, 29), 24),
        ("2026-01-31", date(2026, 1, 31), 0),
    ],
)
def test_age_is_in_whole_years_at_the_cut(born, cut, age):
    assert [r["age"] for r in roster([person(1, nacido=born)], COLUMNS, cut)] == [age]


def test_the_inactive_and_the_unborn_are_no_users():
    rows = [person(1), person(2, activo="no"), person(3, nacido="2026-02-01")]
    assert [r["row"] for r in roster(rows, COLUMNS)] == [1]


@pytest.mark.parametrize(("weight", "rows"), [(0, 1), (MOST_WEIGHT, 1), (MOST_WEIGHT + 1, 0), (-1, 0), (None, 0)])
def test_a_row_that_stands_for_no_sane_number_of_persons_is_in_no_roster(weight, rows):
    columns = replace(COLUMNS, weight="peso::bigint")
    assert [r["weight"] for r in roster([person(1, peso=weight)], columns)] == [weight] * rows


def test_names_are_quoted_whatever_they_hold():
    columns = replace(COLUMNS, kept={'un "nivel"': "nivel"})
    with duckdb.connect() as engine:
        engine.register(KEY_TABLE, KEY.table())
        engine.register("delivered", pa.Table.from_pylist([person(1)]))
        sql = pseudonym.pseudonymise("select * from delivered", columns, "o'higgins", date(2026, 1, 31))
        (row,) = engine.execute(sql).to_arrow_table().to_pylist()
    assert (row["programme"], row['un "nivel"']) == ("o'higgins", "A")


def test_the_first_row_of_a_document_stays_and_later_ones_may_disagree():
    rows = pa.table(
        {
            "row": [5, 1, 3, 2, 4],
            "pseudonym": pa.array([b"a", b"a", b"a", b"b", None], pa.binary()),
            "place": ["x", "x", "y", "x", "x"],
            "cse": pa.array([None, None, None, "np", None], pa.string()),
        }
    )
    with duckdb.connect() as engine:
        engine.register("rows", rows)
        found = engine.execute(f"{pseudonym.later_rows('from rows')} order by all").fetchall()
    assert found == [(3, True), (5, False)]
