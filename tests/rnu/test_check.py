"""The compiled pass gives frictionless' own verdict, row by row and field by field."""

import csv
import io
from collections import Counter
from pathlib import Path

import duckdb
import pytest
from frictionless import Dialect, Package, Resource, Schema, system
from frictionless.formats import CsvControl
from hypothesis import given, settings
from hypothesis import strategies as st

from harvesters.delivery import Fetched
from harvesters.read import Layout, read
from rnu.check.compile import compile_field, compile_schema
from rnu.check.run import BROKEN, check
from rnu.errors import SettingsError

PLACES = "ubigeo,dep,prov\n010101,01,01\n150101,15,01\n"

SCHEMA = {
    "missingValues": ["", "NULL"],
    "fields": [
        {"name": "tipo", "type": "string", "constraints": {"required": True, "enum": ["1", "2"]}},
        {"name": "dni", "type": "string", "constraints": {"pattern": "[0-9]{8}", "maxLength": 8}},
        {"name": "nombre", "type": "string", "constraints": {"minLength": 2}},
        {
            "name": "nacido",
            "type": "date",
            "format": "%d/%m/%Y",
            "constraints": {"required": True, "minimum": "01/01/1900"},
        },
        {"name": "corte", "type": "date", "constraints": {"maximum": "2026-12-31"}},
        {"name": "n", "type": "integer", "constraints": {"minimum": 1, "maximum": 500}},
        {"name": "suelto", "type": "integer", "bareNumber": False},
        {"name": "monto", "type": "number", "decimalChar": ",", "groupChar": "."},
        {"name": "activo", "type": "boolean", "trueValues": ["S"], "falseValues": ["N"]},
        {"name": "correo", "type": "string", "format": "email"},
        {"name": "codigo", "type": "string", "constraints": {"pattern": r"\w\d+"}},
        {"name": "ubigeo", "type": "string"},
    ],
    "foreignKeys": [{"fields": "ubigeo", "reference": {"resource": "ubigeo", "fields": "ubigeo"}}],
}

CELLS = {
    "tipo": ["1", "2", "3", "", "NULL", " 1"],
    "dni": ["12345678", "1234567", "123456789", "1234567a", "", "12345678\n", "１２３４５６７８"],
    "nombre": ["Ana", "A", "", "Ñ", "日本", "NULL"],
    "nacido": [
        "31/12/1980",
        "31/02/1980",
        "1/1/1980",
        " 1/02/1980",
        "1980-01-01",
        "",
        "31/12/1880",
        "abc",
        "01/01/0000",
    ],
    "corte": ["2026-01-31", "2026-1-3", "2027-01-01", "20260131", "", "2026-13-01", "٢٠٢٦-01-01"],
    "n": ["1", "500", "501", "0", "-1", "+3", " 4 ", "1_0", "5.0", "", "x", "٣", "9" * 30],
    "suelto": ["3", "S/ 3", "3 años", "abc", "-3", "", "3a3"],
    "monto": ["1.234,5", "1,5", "1.5", "1,2,3", "abc", "", "-3", "1e3", " 7 "],
    "activo": ["S", "N", "s", "", "true"],
    "correo": ["a@b.pe", "a@", "", "ñandú@b.pe"],
    "codigo": ["a12", "12", "a", "ñ٣", "", "a1\n"],
    "ubigeo": ["010101", "150101", "999999", "", "NULL"],
}

rows = st.lists(
    st.one_of(
        st.tuples(*(st.sampled_from(CELLS[f["name"]]) for f in SCHEMA["fields"])).map(list),
        st.tuples(st.just(["1", "12345678"]), st.integers(0, 13)).map(lambda t: (t[0] * 8)[: t[1] + 1]),
        st.just([""] * 12),
    ),
    min_size=1,
    max_size=12,
)


def delivered(tmp_path: Path, table: list[list[str]], labels: list[str]) -> tuple[Path, str]:
    out = io.StringIO()
    csv.writer(out).writerows([labels, *table])
    path = tmp_path / "padron.csv"
    path.write_text(out.getvalue(), encoding="utf-8", newline="")
    return path, out.getvalue()


def run_check(tmp_path: Path, path: Path, schema: Schema, tolerance: float = 1.0):
    work = tmp_path / "work"
    work.mkdir(exist_ok=True)
    reference = tmp_path / "ubigeo.csv"
    reference.write_text(PLACES)
    members = read([Fetched(path.name, path, "", 0)], Layout("delimited"), work)
    engine = duckdb.connect()
    compiled = compile_schema(schema, "test")
    return engine, check(engine, members, schema, compiled, {"ubigeo": reference}, source="prueba", tolerance=tolerance)


def by_frictionless(path: Path, schema: dict, tmp_path: Path) -> Counter:
    """(data row, field, error type) -> how often, as frictionless says it."""
    system.trusted = True
    package = Package(
        resources=[
            Resource(
                name="padron",
                path=str(path),
                schema=Schema.from_descriptor(schema),
                encoding="utf-8",
                dialect=Dialect(header_rows=[1], controls=[CsvControl(delimiter=",")]),
            ),
            Resource(
                name="ubigeo",
                path=str(tmp_path / "ubigeo.csv"),
                schema=Schema.from_descriptor(
                    {"fields": [{"name": n, "type": "string"} for n in ("ubigeo", "dep", "prov")]}
                ),
            ),
        ]
    )
    report = package.get_resource("padron").validate(limit_errors=100_000)
    lines = list(csv.reader(path.open(encoding="utf-8", newline="")))
    number = {i: n for n, i in enumerate((i for i, row in enumerate(lines, 1) if row and i > 1), 1)}
    found: Counter = Counter()
    for error in report.tasks[0].errors:
        if error.type == "foreign-key":
            field = " + ".join(error.field_names)
        else:
            field = getattr(error, "field_name", "") if error.type != "blank-row" else ""
        found[number[error.row_number], field, error.type] += 1
    return found


def by_us(checked) -> Counter:
    found: Counter = Counter()
    for broken in checked.report.broken:
        assert broken.rows == len(broken.first), "the tables of this test are smaller than what a report lists"
        for _, row in broken.first:
            found[row, broken.field, broken.rule] += 1
    return found


@settings(max_examples=60, deadline=None)
@given(rows)
def test_the_verdict_is_frictionless_own(tmp_path_factory, table):
    tmp_path = tmp_path_factory.mktemp("check")
    labels = [f["name"] for f in SCHEMA["fields"]]
    path, _ = delivered(tmp_path, table, labels)
    _, checked = run_check(tmp_path, path, Schema.from_descriptor(SCHEMA))
    theirs = by_frictionless(path, SCHEMA, tmp_path)
    # frictionless names every surplus cell, we the row once
    theirs = Counter({k: 1 if k[2] == "extra-cell" else n for k, n in theirs.items()})
    assert by_us(checked) == theirs
    assert checked.report.set_aside == len({row for row, _, _ in theirs})


def test_good_rows_carry_typed_values(tmp_path):
    labels = [f["name"] for f in SCHEMA["fields"]]
    good = ["1", "12345678", "Ana", "1/2/1980", "2026-01-31", " 4 ", "S/ 3", "1.234,5", "S", "a@b.pe", "a12", "150101"]
    path, _ = delivered(tmp_path, [good, ["3", *good[1:]]], labels)
    engine, checked = run_check(tmp_path, path, Schema.from_descriptor(SCHEMA))
    row = engine.sql(checked.good).df().iloc[0]
    assert (row["number"], str(row["value:nacido"])[:10], row["value:n"]) == (1, "1980-02-01", 4)
    assert (row["value:suelto"], float(row["value:monto"]), bool(row["value:activo"])) == (3, 1234.5, True)
    assert len(engine.sql(checked.good)) == 1
    assert checked.report.uncompiled == ("correo: format email", "codigo: pattern")
    assert checked.report.by_frictionless > 0


def test_a_delivery_over_its_tolerance_is_not_accepted(tmp_path):
    schema = {"fields": [{"name": "n", "type": "integer"}, {"name": "m", "type": "string"}]}
    path, _ = delivered(tmp_path, [["1", "a"]] * 9 + [["x", "a"]], ["n", "m"])
    assert run_check(tmp_path, path, Schema.from_descriptor(schema), 0.1)[1].report.accepted
    assert not run_check(tmp_path, path, Schema.from_descriptor(schema), 0.09)[1].report.accepted


def test_columns_in_another_order_are_found_by_their_label(tmp_path):
    schema = {"fields": [{"name": "n", "type": "integer"}, {"name": "m", "type": "string"}]}
    path, _ = delivered(tmp_path, [["a", "1"]], ["m", "n"])
    engine, checked = run_check(tmp_path, path, Schema.from_descriptor(schema))
    assert checked.report.accepted
    assert engine.sql(checked.good).df()["value:n"].tolist() == [1]


def test_an_unknown_label_returns_the_delivery_and_is_not_repeated(tmp_path):
    schema = {"fields": [{"name": "n", "type": "integer"}, {"name": "m", "type": "string"}]}
    path, _ = delivered(tmp_path, [["1", "a"]], ["n", "QUISPE MAMANI"])
    report = run_check(tmp_path, path, Schema.from_descriptor(schema))[1].report
    assert not report.accepted
    assert {(b.field, b.rule) for b in report.header} == {("m", "missing-label"), ("column 2", "extra-label")}
    assert "QUISPE" not in repr(report)


def test_no_value_of_a_broken_cell_is_in_the_report(tmp_path):
    labels = [f["name"] for f in SCHEMA["fields"]]
    path, _ = delivered(tmp_path, [["9", "SECRETO1", *["SECRETO1"] * 10]], labels)
    report = run_check(tmp_path, path, Schema.from_descriptor(SCHEMA))[1].report
    assert report.set_aside == 1
    assert "SECRETO1" not in repr(report)


KEYED = {
    "missingValues": ["", "-"],
    "fields": [
        {"name": "codigo", "type": "string", "constraints": {"unique": True, "pattern": "[a-z]+"}},
        {"name": "n", "type": "integer", "constraints": {"unique": True, "maximum": 9}},
        {"name": "dia", "type": "date", "format": "%d/%m/%Y", "constraints": {"unique": True}},
        {"name": "si", "type": "boolean", "trueValues": ["S", "s"], "falseValues": ["N"]},
        {"name": "correo", "type": "string", "format": "email", "constraints": {"unique": True}},
    ],
}
KEYED_CELLS = [
    ["a", "b", "A", "", "-"],
    ["1", "+1", "01", " 1", "2", "10", "x", ""],
    ["1/2/2026", "01/02/2026", "02/02/2026", "31/02/2026", ""],
    ["S", "s", "N", "", "x"],
    ["", "a@b.pe", "c@d.pe", "a@"],
]
KEYED_ROWS = st.one_of(st.tuples(*map(st.sampled_from, KEYED_CELLS)), st.just(("a", "1")), st.just(("",) * 5))


@pytest.mark.parametrize("key", [None, "codigo", ["n"], ["codigo", "n", "si"], ["dia", "correo"]])
@settings(max_examples=30, deadline=None)
@given(table=st.lists(KEYED_ROWS, min_size=1, max_size=12))
def test_what_must_not_stand_twice_is_judged_as_frictionless_does(tmp_path_factory, key, table):
    tmp_path = tmp_path_factory.mktemp("keyed")
    schema = KEYED | ({"primaryKey": key} if key else {})
    path, _ = delivered(tmp_path, table, [f["name"] for f in KEYED["fields"]])
    _, checked = run_check(tmp_path, path, Schema.from_descriptor(schema))
    named = " + ".join([key] if isinstance(key, str) else key or ())
    theirs = by_frictionless(path, schema, tmp_path)
    theirs = Counter({(row, named if t == "primary-key" else f, t): n for (row, f, t), n in theirs.items()})
    assert by_us(checked) == theirs
    assert checked.report.set_aside == len({row for row, _, _ in theirs})


def test_a_value_may_not_stand_twice_in_two_files_of_a_delivery(tmp_path):
    schema = {"fields": [{"name": "a", "type": "string", "constraints": {"unique": True}}]}
    (tmp_path / "work").mkdir()
    files = []
    for file in ("1.csv", "2.csv"):
        (tmp_path / file).write_text("a\nx\n")
        files.append(Fetched(file, tmp_path / file, "", 0))
    members = read(files, Layout("delimited"), tmp_path / "work")
    found = Schema.from_descriptor(schema)
    compiled = compile_schema(found, "test")
    report = check(duckdb.connect(), members, found, compiled, {}, source="x", tolerance=1.0).report
    assert [(b.rule, b.first) for b in report.broken] == [("unique-error", (("2.csv", 1),))]


def test_a_key_that_cannot_be_compared_is_refused_not_ignored():
    schema = {"fields": [{"name": "a", "type": "string"}, {"name": "b", "type": "number"}], "primaryKey": ["a", "b"]}
    with pytest.raises(SettingsError, match="primary-key over a"):
        compile_schema(Schema.from_descriptor(schema), "x.json")


@pytest.mark.parametrize(
    ("kind", "cell"),
    [("integer", "99999999999999999999"), ("integer", "-9223372036854775809"), ("number", "NaN"), ("number", "1e40")],
)
def test_a_value_that_the_engine_cannot_hold_is_a_broken_rule(tmp_path, kind, cell):
    schema = {"fields": [{"name": "n", "type": kind}]}
    path, _ = delivered(tmp_path, [["5"], [cell]], ["n"])
    engine, checked = run_check(tmp_path, path, Schema.from_descriptor(schema))
    assert by_us(checked) == Counter({(2, "n", "out-of-range"): 1})
    assert (checked.report.set_aside, len(engine.sql(checked.good))) == (1, 1)
    assert by_frictionless(path, schema, tmp_path) == Counter()


def test_a_pattern_that_two_engines_read_differently_is_left_to_frictionless():
    for pattern in (r"\d{8}", "(?i)a", r"\bx", "[[:alpha:]]", "(a)\\1", "[^a]", "ñ"):
        constraints = {"pattern": pattern}
        schema = Schema.from_descriptor({"fields": [{"name": "a", "type": "string", "constraints": constraints}]})
        assert compile_field(schema.fields[0], [""]).sure == "false", pattern


def test_the_engine_keeps_only_row_numbers_of_broken_rows(tmp_path):
    labels = [f["name"] for f in SCHEMA["fields"]]
    path, _ = delivered(tmp_path, [["9"] * 12], labels)
    engine, _ = run_check(tmp_path, path, Schema.from_descriptor(SCHEMA))
    types = {row[1] for row in engine.sql(f"describe {BROKEN}").fetchall()}
    assert types <= {"SMALLINT", "BIGINT", "BOOLEAN"}
