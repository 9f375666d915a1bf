"""Run a compiled schema over a delivery: one vectorised pass finds the broken rows, and only those are counted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
from frictionless import Schema

from harvesters.read import EXTRA, Member
from rnu.check.compile import CONSTRAINT, PRIMARY, TYPE, CompiledField, CompiledSchema, Test, name, text
from rnu.check.report import FIRST_ROWS, Broken, CheckReport

ORACLE_BATCH = 100_000  # distinct cells handed to frictionless at a time
BROKEN = "rnu_broken"
ROW = "(member::bigint << 40) + number"  # rows in the order in which they were delivered
OUT_OF_RANGE = "out-of-range"  # ours: frictionless takes the value, but it is more than the engine can hold


@dataclass(frozen=True, slots=True)
class Checked:
    """A delivery with its verdict: `rows` is SQL for all rows, typed; `good` for those that broke no rule."""

    report: CheckReport
    rows: str
    good: str


def check(
    engine: duckdb.DuckDBPyConnection,
    members: Sequence[Member],
    schema: Schema,
    compiled: CompiledSchema,
    references: Mapping[str, Path],
    *,
    source: str,
    tolerance: float,
) -> Checked:
    """Check a delivery's members. Makes tables in `engine`, an in-memory database of this delivery alone.

    `Checked.good` has columns member, number (data row from 1), the delivered columns as text, and `value:<field>`
    with the typed value of each field that is not a string.
    """
    rows = sum(m.rows for m in members)
    header = tuple(fault for m in members for fault in _header(m, compiled.labels))
    if header or not rows:
        return Checked(CheckReport(source, rows, rows if header else 0, tolerance, header=header), "", "")
    delivered = _delivered(members, compiled.labels)
    oracles = [
        (field, f"rnu_oracle_{i}", _ask_frictionless(engine, delivered, field, schema.get_field(field.name), i))
        for i, field in enumerate(compiled.fields)
        if field.sure != "true"
    ]
    judged = {f.name: table for f, table, asked in oracles if asked}
    typed, tests = _with_values(delivered, compiled, judged)
    tests += _keys(engine, compiled, references)
    tests += _uniques(engine, compiled, typed, judged)
    blank = " and ".join(f.missing for f in compiled.fields)
    columns = ", ".join(f"{t.broken} as t{i}" for i, t in enumerate(tests))
    any_broken = " or ".join(t.broken for t in tests)
    engine.execute(
        f"create table {BROKEN} as select member, number, ({blank}) as blank, {columns} "
        f"from ({typed}) where ({blank}) or {any_broken}"
    )
    report = CheckReport(
        source,
        rows,
        _count(engine, f"select count(*) from {BROKEN}"),
        tolerance,
        broken=_findings(engine, tests, members),
        uncompiled=tuple(f"{f.name}: {rule}" for f in compiled.fields for rule in f.uncompiled),
        by_frictionless=sum(asked for _, _, asked in oracles),
    )
    good = f"select * from ({typed}) rows anti join {BROKEN} using (member, number)"
    return Checked(report, typed, good)


def _count(engine: duckdb.DuckDBPyConnection, query: str) -> int:
    return int(engine.execute(query).fetchall()[0][0])


# --- header ------------------------------------------------------------------------------------------------------


def _header(member: Member, wanted: Sequence[str]) -> list[Broken]:
    """Labels that are missing, unknown, blank or doubled. Order is free.

    An unknown label is named by its position: a file without a header shows a person's row there.
    """
    out = [Broken(label, "missing-label", "", 1, ((member.name, 0),)) for label in wanted if label not in member.labels]
    for position, label in enumerate(member.labels, start=1):
        if label in member.labels[: position - 1]:
            out.append(Broken(f"column {position}", "duplicate-label", "", 1, ((member.name, 0),)))
        elif label not in wanted:
            rule = "extra-label" if label.strip() else "blank-label"
            out.append(Broken(f"column {position}", rule, "", 1, ((member.name, 0),)))
    return out


# --- rows --------------------------------------------------------------------------------------------------------


def _delivered(members: Sequence[Member], labels: Sequence[str]) -> str:
    """All members' rows under the schema's names; members whose columns stand in the same order are read together."""
    orders: dict[tuple[str, ...], list[int]] = {}
    for index, member in enumerate(members):
        orders.setdefault(member.labels, []).append(index)
    parts = []
    for order, indices in orders.items():
        columns = ", ".join(f"c{order.index(label)} as {name(label)}" for label in labels)
        paths = ", ".join(text(str(members[i].path)) for i in indices)
        parts.append(
            f"select {indices}[file_index::bigint + 1]::smallint as member, file_row_number + 1 as number, "
            f"{EXTRA} as {EXTRA}_cell, {columns} from read_parquet([{paths}])"
        )
    return " union all ".join(parts)


def _with_values(delivered: str, compiled: CompiledSchema, oracles: Mapping[str, str]) -> tuple[str, list[Test]]:
    """The rows with typed values, and the tests over them; unsure cells take what frictionless said."""
    tests = [Test("", "extra-cell", "", f"{EXTRA}_cell")]
    values: list[str] = []
    joins: list[str] = []
    verdicts: list[str] = []
    for field in compiled.fields:
        cell, value, oracle = name(field.name), field.value, oracles.get(field.name)
        tests.append(Test(field.name, "missing-cell", "", f"({cell} is null)"))
        if oracle is None:
            tests.extend(field.tests)
        else:
            joins.append(f"left join {oracle} on {oracle}.cell = rows.{cell} and not ({field.sure})")
            value = f"case when {oracle}.cell is null then {value} else {oracle}.value end"
            verdicts.append(f"{oracle}.cell is not null as {name('asked:' + field.name)}")
            verdicts.append(f"{oracle}.rules as {name('rules:' + field.name)}")
            tests.extend(_judged(field))
        if not _is_text(field) or oracle:
            values.append(f"{value} as {name('value:' + field.name)}")
    extra = ", ".join(["", *values, *verdicts])
    return f"select rows.*{extra} from ({delivered}) rows {' '.join(joins)}", tests


def _is_text(field: CompiledField) -> bool:
    """Whether the field's value is its cell."""
    return field.value == f"(case when not {field.missing} then {name(field.name)} end)"


def _judged(field: CompiledField) -> list[Test]:
    """The field's tests with frictionless' word where it was asked, and one for a value that was lost on the way."""
    asked, rules = name("asked:" + field.name), name("rules:" + field.name)
    compiled = {(t.rule, t.detail): t.broken for t in field.tests}
    lost = f"(case when {asked} then list_contains({rules}, {text(OUT_OF_RANGE)}) else false end)"
    named = [*compiled, *((CONSTRAINT, gap) for gap in field.uncompiled if (CONSTRAINT, gap) not in compiled)]
    judged = [
        Test(
            field.name,
            rule,
            detail,
            f"(case when {asked} then list_contains({rules}, {text('type' if rule == TYPE else detail)}) "
            f"else {compiled.get((rule, detail), 'false')} end)",
        )
        for rule, detail in named
    ]
    return [*judged, Test(field.name, OUT_OF_RANGE, "", lost)]


def _ask_frictionless(
    engine: duckdb.DuckDBPyConnection, delivered: str, compiled: CompiledField, field: Any, index: int
) -> int:
    """Let frictionless read each distinct unsure cell once; gives how many it read, and leaves a table of verdicts."""
    table, kind = f"rnu_oracle_{index}", _SQL_TYPES.get(field.type, "varchar")
    cell = name(compiled.name)
    # The cells are set down first: an open result would be lost to the inserts that follow.
    engine.execute(
        f"create table {table}_cells as select distinct {cell} as cell from ({delivered}) "
        f"where {cell} is not null and not {compiled.missing} and not ({compiled.sure})"
    )
    asked = _count(engine, f"select count(*) from {table}_cells")
    if asked:
        engine.execute(f"create table {table} (cell varchar, value {kind}, rules varchar[])")
        read = field.create_cell_reader()
        cells = engine.sql(f"select cell from {table}_cells").to_arrow_reader(ORACLE_BATCH)
        with engine.cursor() as writer:
            for batch in cells:
                texts = batch.column(0).to_pylist()
                verdicts = [read(t) for t in texts]
                judged = pa.table(
                    {
                        "cell": pa.array(texts, pa.string()),
                        "value": pa.array([None if v is None else str(v) for v, _ in verdicts], pa.string()),
                        "rules": pa.array([list(notes or ()) for _, notes in verdicts], pa.list_(pa.string())),
                    }
                )
                writer.register("judged", judged)
                lost = f"value is not null and try_cast(value as {kind}) is null and len(rules) = 0"
                writer.execute(
                    f"insert into {table} select cell, try_cast(value as {kind}), "
                    f"case when {lost} then [{text(OUT_OF_RANGE)}] else rules end from judged"
                )
                writer.unregister("judged")
    return asked


_SQL_TYPES = {"integer": "bigint", "number": "decimal(38, 9)", "date": "date", "boolean": "boolean"}


def _keys(engine: duckdb.DuckDBPyConnection, compiled: CompiledSchema, references: Mapping[str, Path]) -> list[Test]:
    """Foreign keys: broken where any part is there and the whole stands not in the reference."""
    tests = []
    missing = {f.name: f.missing for f in compiled.fields}
    for index, key in enumerate(compiled.keys):
        table = f"rnu_reference_{index}"
        columns = ", ".join(name(c) for c in key.reference)
        engine.execute(
            f"create table {table} as select distinct {columns} "
            f"from read_csv({text(str(references[key.resource]))}, all_varchar = true, header = true)"
        )
        some = " or ".join(f"not {missing[f]}" for f in key.fields)
        cells = ", ".join(name(f) for f in key.fields)
        known = (
            f"({cells}) in (select ({columns}) from {table})"
            if len(key.fields) > 1
            else (f"{cells} in (select {columns} from {table})")
        )
        tests.append(
            Test(" + ".join(key.fields), "foreign-key", key.resource, f"(({some}) and not coalesce({known}, false))")
        )
    return tests


def _uniques(
    engine: duckdb.DuckDBPyConnection, compiled: CompiledSchema, typed: str, oracles: Mapping[str, str]
) -> list[Test]:
    """Rows whose values an earlier row of the delivery has already, whatever else is wrong with either.

    As frictionless has it, an empty cell repeats nothing, unless a primary key has others; one that is all empty is
    broken itself. Only doubled values are joined, so that no window goes over all rows.
    """
    tests = []
    of_text = {f.name: f for f in compiled.fields if _is_text(f) and f.name not in oracles}
    for index, unique in enumerate(compiled.uniques):
        values = [of_text[f].value if f in of_text else name("value:" + f) for f in unique.fields]
        columns = ", ".join(f"{value} as k{i}" for i, value in enumerate(values))
        empty = " and ".join(f"k{i} is null" for i in range(len(values)))
        same = " and ".join(f"r.k{i} is not distinct from d.k{i}" for i in range(len(values)))
        engine.execute(
            f"create table rnu_repeated_{index} as "
            f"with keyed as (select {ROW} as row, {columns} from ({typed})), "
            f"doubled as (select * exclude (row), min(row) as first from keyed "
            f"where not ({empty}) group by all having count(*) > 1) "
            f"select row from keyed r join doubled d on {same} where row > first"
            + (f" union all select row from keyed where {empty}" if unique.rule == PRIMARY else "")
        )
        repeated = f"({ROW} in (from rnu_repeated_{index}))"
        tests.append(Test(" + ".join(unique.fields), unique.rule, "", repeated))
    return tests


# --- findings ----------------------------------------------------------------------------------------------------


def _findings(
    engine: duckdb.DuckDBPyConnection, tests: Sequence[Test], members: Sequence[Member]
) -> tuple[Broken, ...]:
    """Count each broken rule. A blank row is only that, and an empty primary key, as frictionless says."""
    where = [f"t{i}" if t.rule == PRIMARY else f"t{i} and not blank" for i, t in enumerate(tests)]
    sums = ", ".join(f"count(*) filter ({broken})" for broken in where)
    blank, *counts = engine.execute(f"select count(*) filter (blank), {sums} from {BROKEN}").fetchall()[0]
    found = [(Test("", "blank-row", "", "blank"), "blank", blank)]
    found += list(zip(tests, where, counts, strict=True))
    return tuple(Broken(t.field, t.rule, t.detail, n, _first(engine, rows, members)) for t, rows, n in found if n)


def _first(engine: duckdb.DuckDBPyConnection, where: str, members: Sequence[Member]) -> tuple[tuple[str, int], ...]:
    rows = engine.execute(
        f"select member, number from {BROKEN} where {where} order by member, number limit {FIRST_ROWS}"
    ).fetchall()
    return tuple((members[m].name, n) for m, n in rows)
