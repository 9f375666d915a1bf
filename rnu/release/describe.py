"""What stands beside the tables so that anybody can use them: data package, dictionary, notes, read-me."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from rnu.provenance import file_digest
from rnu.release.columns import LEVEL_TITLES, MARK, Column, Columns, plain
from rnu.release.formats import FORMATS
from rnu.release.model import Contents, ProgrammeTable
from rnu.settings import Cube, Institution, LinkedCube, Programme

DATA = "datos"
CERTIFICATES = "certificados"
CLASS_RATES = "tasas"  # `clase` of a table of rates, among the tables of `datapackage.json`
MEDIA_TYPES = {
    "csv": "text/csv",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "parquet": "application/vnd.apache.parquet",
    "zip": "application/zip",
}


@dataclass(frozen=True, slots=True)
class TableFiles:
    """One table as it was written: in three formats, under one name."""

    cube: Cube
    level: str
    columns: tuple[Column, ...]
    rows: int

    @property
    def name(self) -> str:
        """Name of the table, and of its files without their ending."""
        return f"{self.cube.id}_{self.level}"

    def path(self, format: str) -> str:
        """Path of the table in one format, inside the release."""
        return f"{DATA}/{self.name}.{format}"

    @property
    def title(self) -> str:
        """What the table is, for people."""
        return f"{self.cube.title}: {LEVEL_TITLES[self.level].lower()}"


def certificate_path(cube: str, programme: str) -> str:
    """Path of a table's certificate, inside the release."""
    return f"{CERTIFICATES}/{cube}_{programme}.json"


def to_json(value: object) -> str:
    """JSON as every file of a release writes it: readable, in the order given, accents as they are."""
    return json.dumps(value, ensure_ascii=False, indent=2) + "\n"


def citation(institution: Institution, title: str, contents: Contents) -> str:
    """How to cite a table of a release, without its digest (which no file inside the release can know)."""
    return (
        f"{institution.name} ({contents.period.year}). {institution.register_name}: {title}. "
        f"Periodo {contents.period}, revisión {contents.revision} [conjunto de datos]."
    )


def notes(
    cube: Cube, level: str, contents: Contents, institution: Institution, columns: Columns
) -> tuple[tuple[str, str], ...]:
    """The sheet of notes of a workbook, as headings and texts."""
    return (
        ("Nota", "Explicación"),
        ("Tabla", f"{cube.title}: {LEVEL_TITLES[level].lower()}"),
        ("Descripción", cube.description),
        ("Periodo", f"{contents.period}, revisión {contents.revision}"),
        ("Cifra", f"Columna «{cube.measure}»: {cube.measure_label}"),
        ("Sumas", "Una persona puede estar en varios programas: no sume programas para contar personas."),
        *((f"Marca {mark.value or '(vacía)'}", f"{mark.label}. {mark.description}") for mark in columns.marks),
        ("Fuente", f"{institution.name}, {institution.register_name}"),
        ("Licencia", f"{institution.licence} ({institution.licence_url})"),
        ("Cómo citar", citation(institution, cube.title, contents)),
        ("Contacto", f"{institution.contact}, {institution.email}"),
        *(("Aviso", note) for note in contents.notes),
    )


def programmes_of(contents: Contents, cube: Cube) -> tuple[Programme, ...]:
    """The programmes of a cube's tables, in order."""
    own = [table.programme for table in contents.tables if table.cube.id == cube.id]
    known = {table.programme.id: table.programme for table in contents.tables}
    return tuple(own or [known[id] for id in cube.programmes])


def cubes_in(files: Sequence[TableFiles]) -> tuple[Cube, ...]:
    """What a release's tables are described as, in order of first appearance."""
    return tuple({file.cube.id: file.cube for file in files}.values())


def dictionary(contents: Contents, files: Sequence[TableFiles]) -> list[dict[str, str]]:
    """Every column of every cube and every value it can take, in words; `valor` is empty for a column itself."""
    rows: list[dict[str, str]] = []
    for cube in cubes_in(files):
        for column in _widest(files, cube):
            values = [(v.value, v.label, v.description) for v in column.values]
            if column.name == MARK:
                values = [(value or "(vacía)", label, description) for value, label, description in values]
            if column.name == "programa":
                on = contents.period.last_day()
                values = [(p.id, p.name(on), p.note) for p in programmes_of(contents, cube)]
            entries = [("", column.title, column.description), *values]
            rows += [_entry(cube.id, column, *entry) for entry in entries]
    return rows


def _entry(cube: str, column: Column, value: str, label: str, description: str) -> dict[str, str]:
    entry = {
        "tabla": cube,
        "columna": column.name,
        "tipo": column.type,
        "valor": value,
        "titulo": label,
        "descripcion": description,
    }
    return {key: plain(text, f"dictionary of {cube}, column {column.name}") for key, text in entry.items()}


def cubes_of(contents: Contents) -> tuple[Cube, ...]:
    """The cubes of a release, in order of first appearance."""
    return tuple({table.cube.id: table.cube for table in contents.tables}.values())


def levels_of(cube: Cube) -> tuple[str, ...]:
    """The levels at which a cube has a table, the nation first."""
    return tuple(level.id for level in cube.level)


def _widest(files: Sequence[TableFiles], cube: Cube) -> tuple[Column, ...]:
    """The columns of the lowest level's table, which has all that any level has."""
    return max((file.columns for file in files if file.cube.id == cube.id), key=len)


def to_csv(rows: Iterable[dict[str, str]]) -> str:
    """Rows with the same keys as CSV, in the dialect of the tables."""
    rows = list(rows)
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]) if rows else [], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def readme(contents: Contents, institution: Institution, files: Sequence[TableFiles], columns: Columns) -> str:
    """LEEME.md: what this is, how to use, cite and verify it."""
    pages = Environment(  # noqa: S701 - Markdown, not HTML
        loader=PackageLoader("rnu.release"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    absent = sorted({t.programme.name(contents.period.last_day()) for t in contents.tables if t.safe is None})
    return pages.get_template("LEEME.md.j2").render(
        contents=contents,
        institution=institution,
        cubes=[(cube, [file for file in files if file.cube.id == cube.id]) for cube in cubes_in(files)],
        rules=rules(contents),
        marks=columns.marks,
        absent=absent,
        linked=[cube.id for cube in cubes_of(contents) if isinstance(cube, LinkedCube)],
        citation=citation(institution, "usuarios de programas sociales", contents),
    )


def datapackage(
    contents: Contents, institution: Institution, files: Sequence[TableFiles], folder: Path
) -> dict[str, Any]:
    """The Data Package over every table of the release, with sizes and digests."""
    keywords = sorted({word for cube in cubes_in(files) for word in cube.keywords})
    return {
        "profile": "data-package",
        "name": f"rnu-{contents.period}-r{contents.revision}",
        "title": f"{institution.register_name}: {contents.period}",
        "description": "Usuarios de programas sociales por lugar. Cifras protegidas: vea LEEME.md y proteccion.json.",
        "version": f"{contents.period}-r{contents.revision}",
        "periodo": str(contents.period),
        "revision": contents.revision,
        "keywords": keywords,
        "licenses": [{"title": institution.licence, "path": institution.licence_url}],
        "contributors": [{"title": institution.name, "role": "publisher", "email": institution.email}],
        "notas": list(contents.notes),
        "tablas": [_cube(contents, cube) for cube in cubes_in(files)],
        "resources": [
            *(_resource(file, format, folder) for file in files for format in FORMATS),
            *(
                _certificate(table, contents, folder)
                for table in contents.tables
                if table.safe is not None and table.certified
            ),
        ],
    }


def _cube(contents: Contents, cube: Cube) -> dict[str, Any]:
    """A cube in words: what a portal needs to make its page without this institution's configuration."""
    on = contents.period.last_day()
    is_rates = contents.rates is not None and cube.id == contents.rates.id
    return {
        "id": cube.id,
        **({"clase": CLASS_RATES, "reglas": rules(contents)} if is_rates else {}),
        "titulo": cube.title,
        "descripcion": cube.description,
        "unidad": "rate" if is_rates else str(cube.unit),
        "medida": cube.measure,
        "titulo_medida": cube.measure_label,
        "palabras_clave": list(cube.keywords),
        "programas": [
            {"id": p.id, "nombre": p.name(on), "sector": p.sector, "desgloses": _broken_down(contents, cube, p)}
            for p in programmes_of(contents, cube)
        ],
        "desgloses": [d.id for d in cube.dimension],
        **({"enlazada": True} if isinstance(cube, LinkedCube) else {}),
        **({"probada_con": cube.proven_with} if isinstance(cube, LinkedCube) and cube.proven_with else {}),
    }


def _certificate(table: ProgrammeTable, contents: Contents, folder: Path) -> dict[str, Any]:
    name = table.programme.name(contents.period.last_day())
    path = certificate_path(table.cube.id, table.programme.id)
    return {
        "name": f"certificado_{table.cube.id}_{table.programme.id}",
        "type": "file",
        "path": path,
        "title": f"Certificado de protección: {table.cube.title}, {name}",
        "description": _linked_proof(table.cube, contents)
        if table.linked
        else (
            "Tablas de números enteros que concuerdan con todo lo publicado. Prueban que cada cifra reservada puede "
            "tener cualquier valor desde 1 hasta el umbral, salvo las que se sabe que lo alcanzan. Lo comprueba "
            "`rnu verify`, sin los datos."
        ),
        "format": "json",
        "mediatype": "application/json",
        "bytes": (folder / path).stat().st_size,
        "hash": f"sha256:{file_digest(folder / path)}",
        "tabla": table.cube.id,
        "programa": table.programme.id,
    }


def _linked_proof(cube: Cube, contents: Contents) -> str:
    """What the certificate of linked tables is."""
    others = [one.id for one in cubes_of(contents) if isinstance(one, LinkedCube) and one.proven_with == cube.id]
    also = f" Vale también para el cuadro {', '.join(others)}." if others else ""
    return (
        "Repartos de personas por departamento, en números enteros, que concuerdan con todo lo publicado. Prueban que "
        "cada cifra reservada puede tener cualquier valor desde 1 hasta el umbral, salvo las que se sabe que lo "
        f"alcanzan. Lo comprueba `rnu verify`, sin los datos.{also}"
    )


def _broken_down(contents: Contents, cube: Cube, programme: Programme) -> list[str]:
    """What a programme's table is broken down by: the cube's breakdowns, or fewer of them."""
    safe = next((t.safe for t in contents.tables if (t.cube.id, t.programme.id) == (cube.id, programme.id)), None)
    return [d.id for d in (safe.dimensions if safe else cube.dimension)]


def rules(contents: Contents) -> list[dict[str, str]]:
    """The rule that each programme is judged by, or why it is by none; nothing where no rates are published."""
    if contents.rates is None:
        return []
    on = contents.period.last_day()
    programmes = {table.programme.id: table.programme for table in contents.tables}
    return [_rule(programme, on) for programme in programmes.values()]


def _rule(programme: Programme, on: date) -> dict[str, str]:
    head, rule = {"programa": programme.id, "nombre": programme.name(on)}, programme.rule_on(on)
    if rule is None:
        return {**head, "sin_regla": programme.why_not}
    return {
        **head,
        "regla": rule.text,
        "norma": rule.norm,
        "desde": rule.since.isoformat(),
        **({"nota": rule.note} if rule.note else {}),
    }


def _resource(file: TableFiles, format: str, folder: Path) -> dict[str, Any]:
    path = folder / file.path(format)
    common = {
        "path": file.path(format),
        "title": f"{file.title} ({format.upper()})",
        "format": format,
        "mediatype": MEDIA_TYPES[format],
        "bytes": path.stat().st_size,
        "hash": f"sha256:{file_digest(path)}",
        "tabla": file.cube.id,
        "nivel": file.level,
        "filas": file.rows,
    }
    if format != "csv":
        return {"name": f"{file.name}_{format}", "type": "file", **common}
    keys = [c.name for c in file.columns if c.name in ("periodo", "programa", "ubigeo")]
    return {
        "name": file.name,
        "profile": "tabular-data-resource",
        "type": "table",
        "description": file.cube.description,
        **common,
        "encoding": "utf-8",
        "dialect": {"delimiter": ",", "lineTerminator": "\n", "quoteChar": '"', "doubleQuote": True, "header": True},
        "schema": {
            "fields": [column.field() for column in file.columns],
            "missingValues": [""],
            "primaryKey": [*keys, *(d.id for d in file.cube.dimension)],
        },
    }
