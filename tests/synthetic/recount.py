"""A small reader of its own: delivered files back into rows, and the counts anybody could make of them.

It shares no code with what wrote the files or with the line that reads them: csv, openpyxl, frictionless, plain loops.
"""

import csv
import fnmatch
import io
import json
import zipfile
from collections import Counter
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

import openpyxl
from frictionless import Dialect, Package, Resource, Schema
from frictionless.formats import CsvControl

from rnu.settings import Kind, Period, Settings, Source, Unit

BANDS = ((0, 5, "0_5"), (6, 17, "6_17"), (18, 29, "18_29"), (30, 44, "30_44"), (45, 64, "45_64"), (65, 999, "65_mas"))


@dataclass(frozen=True)
class Row:
    """A delivered row: its cells, and the (field, rule) pairs that frictionless says it breaks."""

    cells: dict
    broken: tuple


def where(source: Source, period: Period) -> str:
    cut = source.cut(period)
    return source.fetch.where.format(cut=cut, cut_compact=str(cut).replace("-", ""))


def tables(out: Path, source: Source, period: Period) -> list[list[list[str]]]:
    """The members of a delivery in order of name, each a list of rows of text, header first."""
    return [_cells(source, data) for _, data in sorted(_members(out, source, period))]


def _members(out, source, period):
    for path in out.glob(where(source, period)):
        if not source.format.zip:
            yield path.name, path.read_bytes()
            continue
        with zipfile.ZipFile(path) as packed:
            for name in packed.namelist():
                if fnmatch.fnmatch(name, source.format.members):
                    yield name, packed.read(name)


def _cells(source, data):
    form = source.format
    if form.type == "xlsx":
        sheet = openpyxl.load_workbook(io.BytesIO(data), read_only=True).worksheets[form.sheet]
        rows = [[_text(cell) for cell in row] for row in sheet.iter_rows(values_only=True)]
        return rows[form.skip_rows :]
    text = io.StringIO(data.decode(form.encoding), newline="")
    return list(csv.reader(text, delimiter=form.delimiter, quotechar=form.quote))


def _text(cell):
    if cell is None:
        return ""
    return cell.date().isoformat() if isinstance(cell, datetime) else str(cell)


def places(home: Path) -> list[dict]:
    with (home / "config/reference/ubigeo.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def rows(home: Path, out: Path, source: Source, period: Period) -> list[Row]:
    """A delivery's rows with frictionless' own verdict on each."""
    schema = json.loads((home / "schemas" / source.schema).read_text(encoding="utf-8"))
    reference = places(home)
    text = Schema.from_descriptor({"fields": [{"name": n, "type": "string"} for n in reference[0]]})
    found = []
    for header, *cells in tables(out, source, period):
        delivered = Resource(name="delivered", data=[header, *cells], schema=Schema.from_descriptor(schema))
        lookup = Resource(name="ubigeo", data=reference, schema=text)
        package = Package(resources=[delivered, lookup])
        broken = {}
        with package.get_resource("delivered") as open_table:
            assert not open_table.header.errors
            for row in open_table.row_stream:
                if row.errors:
                    broken[row.row_number] = tuple((_field(e), e.type) for e in row.errors)
        named = (dict(zip(header, row, strict=False)) for row in cells)
        found += [Row(row, broken.get(number, ())) for number, row in enumerate(named, start=2)]
    return found


def unpacked(out: Path, source: Source, period: Period, into: Path) -> list[Path]:
    """The members of a delivery as files, byte by byte."""
    paths = []
    for name, data in _members(out, source, period):
        paths.append(into / f"{name}.csv")
        paths[-1].write_bytes(data)
    return paths


def validated(home: Path, source: Source, path: Path) -> Counter:
    """frictionless' whole validation of one file: (field, rule) -> rows."""
    reference = places(home)
    text = Schema.from_descriptor({"fields": [{"name": n, "type": "string"} for n in reference[0]]})
    delivered = Resource(
        name="delivered",
        path=path.name,
        basepath=str(path.parent),
        format="csv",
        encoding=source.format.encoding,
        dialect=Dialect(controls=[CsvControl(delimiter=source.format.delimiter, quote_char=source.format.quote)]),
        schema=Schema.from_descriptor(json.loads((home / "schemas" / source.schema).read_text(encoding="utf-8"))),
    )
    package = Package(resources=[delivered, Resource(name="ubigeo", data=reference, schema=text)])
    found = package.get_resource("delivered").validate(limit_errors=1_000_000).tasks[0].errors
    return Counter((_field(error), error.type) for error in found)


def _field(error):
    return " + ".join(error.field_names) if error.type == "foreign-key" else error.field_name


@dataclass(frozen=True)
class Counted:
    """What the small reader counts of one source in one period."""

    facts: dict
    kept: list  # (row, document or None) that stand for users


def count(source: Source, delivered: list[Row]) -> Counted:
    fields, codes = source.fields, source.codes
    facts = Counter(rows=len(delivered), inactive=0, duplicates=0, duplicates_disagreeing=0)
    broken, seen, kept = Counter(), {}, []
    for row in delivered:
        if row.broken:
            broken.update(row.broken)
        elif fields.active and codes.active[row.cells[fields.active]] == "no":
            facts["inactive"] += 1
        else:
            document = _document(source, row.cells)
            details = (_place(source, row.cells), row.cells.get(fields.cse))
            if document is not None and document in seen:
                facts["duplicates"] += 1
                facts["duplicates_disagreeing"] += details != seen[document]
            else:
                seen[document] = details
                kept.append((row.cells, document))
    nameless = sum(document is None for _, document in kept) if fields.document_number else 0
    weight = sum(int(cells[fields.weight]) if fields.weight else 1 for cells, _ in kept)
    counted = {
        **facts,
        "without_document": nameless,
        "roster_rows": len(kept),
        "weight": weight,
        "set_aside": dict(broken),
    }
    return Counted(counted, kept)


def _document(source, cells):
    fields = source.fields
    if not fields.document_number or not (number := cells[fields.document_number].strip().upper()):
        return None
    kind = source.codes.document_type[cells[fields.document_type]] if fields.document_type else fields.document_default
    return kind, number.zfill(8) if kind == "dni" else number


def _place(source, cells):
    return "".join(cells[column] for column in source.fields.place)


def inner_cells(
    settings: Settings, source: Source, counted: Counted, register: Counted, period: Period, inei: dict
) -> tuple[Counter, int]:
    """(ubigeo, categories …) -> users, and how many of them stand in the register.

    Where the register can tell the programme's rule, the last category is a user's situation.
    """
    pgh = settings.source("pgh")
    facts = by_home(settings, register, period)
    known = {document: cells for cells, document in register.kept if document is not None}
    unit = settings.programme(source.programme).unit
    out, matched = Counter(), 0
    for cells, document in counted.kept:
        place = _place(source, cells)
        place = inei[place] if source.place_coding == "reniec" else place
        if unit is Unit.INSTITUTION:
            out[place, cells["NivelEducativo"]] += int(cells[source.fields.weight])
            continue
        official = known.get(document) if document else None
        matched += official is not None
        cse = source.codes.cse.get(cells.get(source.fields.cse, ""), "no_clasificado")
        if official and _valid(pgh, official, period.last_day()):
            cse = pgh.codes.cse[official[pgh.fields.cse]]
        who = () if unit is Unit.HOUSEHOLD else _who(settings, source, cells, period.last_day())
        situation = (_situation(source.programme, official, pgh, facts),) if source.programme in RULED else ()
        out[(place, *who, cse, *situation)] += 1
    return out, matched


RULED = ("pension65", "juntos")


def by_home(settings: Settings, register: Counted, period: Period) -> dict:
    """Household -> its members as the register has them: (age, CSE or None if it is not valid, place, document)."""
    pgh, homes = settings.source("pgh"), {}
    today = period.last_day()
    for cells, document in register.kept:
        cse = pgh.codes.cse[cells[pgh.fields.cse]] if _valid(pgh, cells, today) else None
        member = (_age(settings, pgh, cells, today), cse, _place(pgh, cells), document)
        homes.setdefault(cells["co_hogar"], []).append(member)
    return homes


def _situation(programme, official, pgh, homes):
    if official is None:
        return "no_encontrado"
    members = homes[official["co_hogar"]]
    if programme == "pension65":
        number = (pgh.codes.document_type[official["in_doc_nacimiento"]], official["nu_doc_nacimiento"].strip().upper())
        own = number[0], number[1].zfill(8) if number[0] == "dni" else number[1]
        members = [m for m in members if m[3] == own]
    if not any(cse for _, cse, *_ in members):
        return "sin_cse"
    return "cumple" if meets(programme, members) else "no_cumple"


def meets(programme: str, members: list) -> bool:
    """Whether a person (one member) or a household meets the rule, by the register's rows."""
    if programme == "pension65":
        return any(age >= 65 and cse == "pobre_extremo" for age, cse, *_ in members)
    poor = any(cse in ("pobre_extremo", "pobre_no_extremo") for _, cse, *_ in members)
    return poor and any(age < 19 for age, *_ in members)


def eligible(settings: Settings, programme: str, users: Counted, register: Counted, period: Period) -> Counter:
    """Place -> who meets a programme's rule by the register and is none of its users."""
    ours = {document for _, document in users.kept if document is not None}
    homes, found = by_home(settings, register, period), Counter()
    units = [[m] for members in homes.values() for m in members] if programme == "pension65" else list(homes.values())
    for members in units:
        documents = {document for *_, document in members if document is not None}
        if documents and not documents & ours and meets(programme, members):
            found[min(place for _, _, place, _ in members)] += 1
    return found


def _who(settings, source, cells, today):
    age = _age(settings, source, cells, today)
    band = next(name for low, high, name in BANDS if low <= age <= high)
    return source.codes.sex[cells[source.fields.sex]], band


def _age(settings, source, cells, today):
    schema = json.loads((settings.home / "schemas" / source.schema).read_text(encoding="utf-8"))
    pattern = next(f["format"] for f in schema["fields"] if f["name"] == source.fields.birth_date)
    born = datetime.strptime(cells[source.fields.birth_date], pattern).date()
    return today.year - born.year - ((today.month, today.day) < (born.month, born.day))


def _valid(pgh: Source, cells: dict, today: date) -> bool:
    def day(column):
        return datetime.strptime(cells[column], "%Y%m%d").date() if cells[column] else None

    since, until = day(pgh.fields.cse_from), day(pgh.fields.cse_until)
    return since <= today and (until is None or today <= until)


def rosters(settings: Settings) -> list[Source]:
    return [s for s in settings.sources if s.kind is Kind.ROSTER]
