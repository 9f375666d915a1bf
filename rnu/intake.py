"""One delivery's way: read, check, pseudonymise. It ends as a roster, or goes back to its owner.

All of it happens in a folder of its own, which is gone afterwards: only the roster stays, and the report, which holds
counts and row numbers.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path

import duckdb
import pyarrow as pa
from frictionless import FrictionlessException, Schema

from anonymize import pseudonym
from anonymize.pseudonym import KEY_TABLE, Columns, Key
from harvesters.delivery import Fetched
from harvesters.errors import Unreadable
from harvesters.read import Layout, Member, read
from rnu.check.compile import CompiledSchema, compile_schema, name, text
from rnu.check.report import Broken
from rnu.check.run import Checked, check
from rnu.errors import RosterRejected, SettingsError
from rnu.report import IntakeReport
from rnu.rosters import MEMORY
from rnu.settings import Kind, Source
from rnu.ubigeo import Gazetteer

PLACES = "rnu_places"
PLACE, PLACE_LABEL, PLACE_OTHER = '"place:code"', '"place:label"', '"place:other"'
DOCUMENT_COLUMNS = ("dni", "documento", "nro_doc", "nu_doc", "x_dni")  # refused in public figures


def load_schema(path: Path) -> Schema:
    """A Table Schema from a file; SettingsError if it is none."""
    try:
        return Schema.from_descriptor(str(path))
    except FrictionlessException as error:
        reason = error.reasons[0].note if error.reasons else error.error.note
        raise SettingsError(f"not a valid Table Schema: {reason}", where=str(path)) from error


def take_in(
    source: Source,
    files: Sequence[Fetched],
    *,
    schema_path: Path,
    gazetteer: Gazetteer,
    references: dict[str, Path],
    cut: date,
    key: Key | None,
    work: Path,
    roster: Path,
) -> IntakeReport:
    """Read, check and pseudonymise a delivery; write the roster to `roster` if it is accepted.

    `cut` is the day on which ages are counted. Without a key the delivery is only checked. Raises RosterRejected when
    the bytes are not what the source says; a delivery that breaks too many rules is no exception but a report.
    """
    schema = load_schema(schema_path)
    compiled = compile_schema(schema, str(schema_path))
    columns = _columns(source, schema, compiled)
    members = _read(source, files, work)
    if source.kind is Kind.OPEN:
        _refuse_documents(source, members)
    # rows are numbered, so their order need not cost anything
    config: dict[str, str | bool | int | float | list[str]] = {
        "memory_limit": MEMORY,
        "temp_directory": str(work / "spill"),
        "preserve_insertion_order": "false",
    }
    with duckdb.connect(config=config) as engine:
        checked = check(engine, members, schema, compiled, references, source=source.id, tolerance=source.tolerance)
        if not checked.report.accepted or source.kind is Kind.OPEN or key is None:
            return IntakeReport(checked.report)
        return _pseudonymise(engine, source, checked, columns, _places(source, gazetteer), cut, key, roster)


def _read(source: Source, files: Sequence[Fetched], work: Path) -> tuple[Member, ...]:
    form = source.format
    layout = Layout(
        form.type, form.encoding, form.delimiter, form.quote, form.zip, form.members, form.sheet, form.skip_rows,
        form.max_rows, source.fetch.max_bytes,
    )  # fmt: skip
    try:
        return read(files, layout, work)
    except Unreadable as error:
        raise RosterRejected(
            f"{source.title}: {error.what}", where=error.where, remedy=f"its owner ({source.owner}) delivers it again"
        ) from error


def _refuse_documents(source: Source, members: Sequence[Member]) -> None:
    """Public figures have no column for a person's document."""
    for member in members:
        for position, label in enumerate(member.labels, start=1):
            if any(word in label.lower() for word in DOCUMENT_COLUMNS):
                raise RosterRejected(
                    f"{source.title}: column {position} looks like a document number",
                    where=member.name,
                    remedy='persons come in as a roster (kind = "roster"), never as public figures',
                )


# --- what the delivered columns mean -----------------------------------------------------------------------------


def _columns(source: Source, schema: Schema, compiled: CompiledSchema) -> Columns:
    """The source's `fields` and `codes` as SQL over checked rows."""
    labels = set(compiled.labels)
    fields = source.fields
    for key in dataclasses.fields(fields):
        wanted = getattr(fields, key.name)
        for column in (wanted,) if isinstance(wanted, str) else wanted:
            if column and key.name != "document_default" and column not in labels:
                raise SettingsError(
                    f"column '{column}' is not in the schema",
                    where=f"config/sources.toml: {source.id}.fields.{key.name}",
                )
    if unknown := set(source.keep) - labels:
        raise SettingsError(
            f"column '{min(unknown)}' is not in the schema", where=f"config/sources.toml: {source.id}.keep"
        )

    def typed(column: str, kind: str) -> str:
        if column and schema.get_field(column).type != kind:
            raise SettingsError(f"column '{column}' is not of type {kind}", where=f"schemas/{source.schema}")
        return name(f"value:{column}") if column else ""

    def coded(column: str, codes: dict[str, str], key: str) -> str:
        if not column:
            return ""
        known = schema.get_field(column).constraints.get("enum", ())
        if gap := [c for c in known if c not in codes and c != ""]:
            raise SettingsError(
                f"code '{gap[0]}' of the schema has no meaning", where=f"config/sources.toml: {source.id}.codes.{key}"
            )
        cases = " ".join(f"when {text(code)} then {text(meaning)}" for code, meaning in codes.items())
        return f"(case {name(column)} {cases} end)" if cases else name(column)

    kind = coded(fields.document_type, source.codes.document_type, "document_type")
    kind = kind or text(fields.document_default or "dni")
    return Columns(
        document=pseudonym.document(kind, name(fields.document_number)) if fields.document_number else "",
        place=PLACE,
        sex=coded(fields.sex, source.codes.sex, "sex"),
        birth_date=typed(fields.birth_date, "date"),
        household=name(fields.household) if fields.household else "",
        cse=coded(fields.cse, source.codes.cse, "cse"),
        cse_from=typed(fields.cse_from, "date"),
        cse_until=typed(fields.cse_until, "date"),
        weight=typed(fields.weight, "integer"),
        active=coded(fields.active, source.codes.active, "active"),
        kept={column: name(column) for column in source.keep},
    )


def _places(source: Source, gazetteer: Gazetteer) -> list[tuple[str, str, str, str]]:
    """(delivered code, INEI code, name of that district, name of the district with that code in the other coding)."""
    by_inei = {d.code: d.name for d in gazetteer.districts}
    by_reniec = {d.reniec: d.name for d in gazetteer.districts if d.reniec}
    if source.place_coding == "inei":
        return [(code, code, label, by_reniec.get(code, "")) for code, label in by_inei.items()]
    return [(d.reniec, d.code, d.name, by_inei.get(d.reniec, "")) for d in gazetteer.districts if d.reniec]


# --- to a roster -------------------------------------------------------------------------------------------------


def _pseudonymise(
    engine: duckdb.DuckDBPyConnection,
    source: Source,
    checked: Checked,
    columns: Columns,
    places: list[tuple[str, str, str, str]],
    cut: date,
    key: Key,
    roster: Path,
) -> IntakeReport:
    rows = _placed(engine, source, checked.good, places)
    if source.fields.place_name:
        _refuse_other_coding(engine, source, rows)
    place_columns = " + ".join(source.fields.place)
    impossible = (
        Broken(place_columns, "outside-coverage", "", 0),
        Broken(source.fields.birth_date, "after-cut", cut.isoformat(), 0),
        Broken(source.fields.weight, "weight-out-of-bounds", f"0 to {pseudonym.MOST_WEIGHT}", 0),
    )
    wrong = [f"{PLACE} is null", pseudonym.future(columns, cut), pseudonym.weightless(columns)]
    *found, inactive = _first_that_holds(engine, rows, [*wrong, pseudonym.inactive(columns)])
    broken = tuple(replace(b, rows=n) for b, n in zip(impossible, found, strict=True) if n)
    report = replace(
        checked.report,
        set_aside=checked.report.set_aside + sum(found),
        broken=checked.report.broken + broken,
    )
    if not report.accepted:
        return IntakeReport(report)
    engine.register(KEY_TABLE, key.table())
    staged = roster.with_suffix(".staged")
    placed = f"select * from ({rows}) where {PLACE} is not null"
    _write(engine, pseudonym.pseudonymise(placed, columns, source.programme or source.id, cut), staged)
    duplicates, disagreeing = _without_later_rows(engine, staged, roster, {"key_id": key.id, "cut": cut.isoformat()})
    kept, weight, nameless = _row(
        engine,
        "select count(*), coalesce(sum(weight), 0), count(*) filter (pseudonym is null) "
        f"from read_parquet({text(str(roster))})",
    )
    _refuse_uncounted(source, report.rows, report.set_aside + inactive + duplicates + kept)
    return IntakeReport(
        report,
        inactive=inactive,
        duplicates=duplicates,
        duplicates_disagreeing=disagreeing,
        without_document=nameless if columns.document else 0,
        roster_rows=kept,
        weight=weight,
    )


def _placed(
    engine: duckdb.DuckDBPyConnection, source: Source, good: str, places: list[tuple[str, str, str, str]]
) -> str:
    """SQL for the good rows with the INEI code of their district, null outside the departments covered."""
    columns = zip(("delivered", "code", "label", "other"), zip(*places, strict=True), strict=True)
    engine.register(PLACES, pa.table({column: pa.array(values, pa.string()) for column, values in columns}))
    delivered = " || ".join(name(column) for column in source.fields.place)
    return (
        f"select good.*, {PLACES}.code as {PLACE}, {PLACES}.label as {PLACE_LABEL}, {PLACES}.other as {PLACE_OTHER} "
        f"from ({good}) good left join {PLACES} on {PLACES}.delivered = {delivered}"
    )


def _without_later_rows(
    engine: duckdb.DuckDBPyConnection, staged: Path, roster: Path, metadata: dict[str, str]
) -> tuple[int, int]:
    """Leave out the later rows of a document; how many there were, and how many disagreed with the first."""
    rows = f"read_parquet({text(str(staged))})"
    engine.execute(f"create table rnu_later as {pseudonym.later_rows(f'from {rows}')}")
    _write(engine, f"select * exclude (row) from {rows} anti join rnu_later using (row)", roster, metadata)
    staged.unlink()
    later, disagreeing = _row(engine, "select count(*), count(*) filter (disagrees) from rnu_later")
    return later, disagreeing


def _refuse_uncounted(source: Source, rows: int, counted: int) -> None:
    """Every row is set aside, inactive, a duplicate or in the roster, and only one of these."""
    if rows != counted:
        raise SettingsError(
            f"{source.title}: {rows} rows came, {counted} are accounted for",
            where="config/reference/ubigeo.csv",
            remedy="look for a code that stands twice there: its rows would be counted twice",
        )


def _first_that_holds(engine: duckdb.DuckDBPyConnection, rows: str, tests: Sequence[str]) -> list[int]:
    """How many rows each test holds for, a row being counted by the first that holds."""
    sums, before = [], "false"
    for sql in tests:
        sums.append(f"count(*) filter (({sql}) and not ({before}))")
        before = f"{before} or ({sql})"
    return _row(engine, f"select {', '.join(sums)} from ({rows})")


def _refuse_other_coding(engine: duckdb.DuckDBPyConnection, source: Source, rows: str) -> None:
    """INEI and RENIEC number districts differently with the same digits: only the names tell which one came."""
    spelt = "upper(strip_accents(trim({})))"
    delivered = spelt.format(name(source.fields.place_name))
    fits = ", ".join(f"count(*) filter ({delivered} = {spelt.format(c)})" for c in (PLACE_LABEL, PLACE_OTHER))
    own, other = _row(engine, f"select {fits} from ({rows})")
    if other > own:
        coding = "RENIEC" if source.place_coding == "inei" else "INEI"
        raise RosterRejected(
            f"{source.title}: the districts' names fit {coding} codes, not {source.place_coding.upper()}",
            where=f"column {source.fields.place_name}",
            remedy=f'set place_coding = "{coding.lower()}" if the owner changed it, else return the delivery',
        )


def _row(engine: duckdb.DuckDBPyConnection, query: str) -> list[int]:
    return [int(n) for n in engine.execute(query).fetchall()[0]]


def _write(engine: duckdb.DuckDBPyConnection, query: str, path: Path, metadata: dict[str, str] | None = None) -> None:
    pairs = ", ".join(f"{key}: {text(value)}" for key, value in (metadata or {}).items())
    options = f"format parquet, kv_metadata {{{pairs}}}" if pairs else "format parquet"
    engine.execute(f"copy ({query}) to {text(str(path))} ({options})")
