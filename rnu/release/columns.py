"""The columns of published tables: the fixed ones from `schemas/tables/conteos.json`, the others from the cube."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from anonymize.tables import TOTAL
from rnu.errors import SettingsError
from rnu.settings import Cube, LinkedCube
from rnu.ubigeo import LEVELS

BEFORE = ("periodo", "programa", "nombre_programa", "ubigeo")
NAMES = LEVELS[1:]  # columns of places' names: a level has its own and those above it
MARK = "marca"
RATES = ("tasa", "numerador", "denominador", "porcentaje")  # what tables of rates have instead of breakdowns and count
RATE_VALUES = ("filtracion", "subcobertura", "encontrados", "sin_cse")
NOT_DELIVERED = "n"
NO_TOTAL = "Padrón no entregado"  # what `total` means in a table whose rows all are broken down
LEVEL_TITLES = {
    "nacion": "Todo el país",
    "departamento": "Departamentos",
    "provincia": "Provincias",
    "distrito": "Distritos",
}

# What a spreadsheet takes for a formula at the start of a cell (OWASP, CSV Injection), and what would break a line.
_FORMULA = re.compile(r"[=+\-@＝＋－＠\t\r]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f\u2028\u2029]")
_NAME = re.compile(r"[a-z][a-z0-9_]*")


@dataclass(frozen=True, slots=True)
class Value:
    """One value that a column can take, as people read it."""

    value: str
    label: str
    description: str = ""


@dataclass(frozen=True, slots=True)
class Column:
    """A published column: its name and type in files, its title and description for people."""

    name: str
    type: str  # of Table Schema
    title: str
    description: str
    values: tuple[Value, ...] = ()

    def field(self) -> dict[str, Any]:
        """The column as a field of Table Schema."""
        out: dict[str, Any] = {
            "name": self.name,
            "type": self.type,
            "title": self.title,
            "description": self.description,
        }
        written = [v.value for v in self.values if v.value]
        if written:
            out["constraints"] = {"enum": written}
            out["categories"] = [{"value": v.value, "label": v.label} for v in self.values if v.value]
        elif self.type == "integer":
            out["constraints"] = {"minimum": 0}
        elif self.type == "number":
            out["constraints"] = {"minimum": 0, "maximum": 100}
        if self.name in BEFORE:
            out["constraints"] = {**out.get("constraints", {}), "required": True}
        return out


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns that every published table has, with the words an institution gives them."""

    fixed: tuple[Column, ...]
    rates: tuple[Column, ...] = ()  # those that tables of rates have besides

    @classmethod
    def load(cls, path: Path, rates: Path | None = None) -> Columns:
        """Read the fixed columns, and those of rates; SettingsError if one is missing or of another type."""
        where, fixed = f"schemas/tables/{path.name}", _columns(path)
        expected = (*BEFORE, *NAMES, MARK)
        if tuple(c.name for c in fixed) != expected:
            raise SettingsError(f"columns must be, in this order: {', '.join(expected)}", where=where)
        if [c.type for c in fixed] != ["yearmonth", *["string"] * (len(expected) - 1)]:
            raise SettingsError("a column's type cannot be changed", where=where)
        if tuple(v.value for v in fixed[-1].values) != ("", "c", "d", NOT_DELIVERED):
            raise SettingsError("marks are '', c, d, n, in this order", where=f"{where}: {MARK}")
        return cls(fixed, _rate_columns(rates) if rates else ())

    @property
    def marks(self) -> tuple[Value, ...]:
        """What each mark means."""
        return self.fixed[-1].values

    def of_rates(self, level: str) -> tuple[Column, ...]:
        """The columns of the table of rates at one level, in order."""
        by_name = {column.name: column for column in self.fixed}
        names = (*BEFORE, *NAMES[: LEVELS.index(level)])
        return (*(by_name[name] for name in names), *self.rates, by_name[MARK])

    def of(self, cube: Cube, level: str) -> tuple[Column, ...]:
        """The columns of one cube's table at one level, in order."""
        by_name = {column.name: column for column in self.fixed}
        names = NAMES[: LEVELS.index(level)]
        columns = (
            *(by_name[name] for name in (*BEFORE, *names)),
            *(_breakdown(cube, axis) for axis in range(len(cube.dimension))),
            Column(
                cube.measure,
                "integer",
                cube.measure_label,
                "Número contado, sin redondear. Vacío donde hay una marca; nunca se rellena con cero.",
            ),
            by_name[MARK],
        )
        _check_names(cube, columns)
        return columns


def _columns(path: Path) -> tuple[Column, ...]:
    try:
        return tuple(_column(field) for field in json.loads(path.read_text(encoding="utf-8"))["fields"])
    except OSError as error:
        raise SettingsError(
            "the schema of published tables cannot be read",
            where=str(path),
            remedy="`rnu init` copies one; put it back",
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise SettingsError(
            f"not a Table Schema with titles and descriptions: {error}", where=f"schemas/tables/{path.name}"
        ) from error


def _rate_columns(path: Path) -> tuple[Column, ...]:
    where, columns = f"schemas/tables/{path.name}", _columns(path)
    if tuple(c.name for c in columns) != RATES:
        raise SettingsError(f"columns must be, in this order: {', '.join(RATES)}", where=where)
    if [c.type for c in columns] != ["string", "integer", "integer", "number"]:
        raise SettingsError("a column's type cannot be changed", where=where)
    if tuple(v.value for v in columns[0].values) != RATE_VALUES:
        raise SettingsError(f"rates are {', '.join(RATE_VALUES)}, in this order", where=f"{where}: {RATES[0]}")
    return columns


def _column(field: dict[str, Any]) -> Column:
    values = tuple(Value(v["value"], v["label"], v["description"]) for v in field.get("categories", ()))
    return Column(field["name"], field["type"], field["title"], field["description"], values)


def _breakdown(cube: Cube, axis: int) -> Column:
    dimension = cube.dimension[axis]
    total, text = "Total, sin desglosar", f"Desglose por {dimension.label.lower()}; «{TOTAL}» significa sin desglosar."
    if isinstance(cube, LinkedCube) and not cube.totals:
        total, text = NO_TOTAL, f"{dimension.label}; «{TOTAL}» solo donde no se entregó el padrón."
    values = tuple(Value(c.id, c.label) for c in dimension.category)
    return Column(dimension.id, "string", dimension.label, text, (*values, Value(TOTAL, total)))


def _check_names(cube: Cube, columns: tuple[Column, ...]) -> None:
    """Names that become a file's or a column's must be plain and stand once."""
    where = f"config/cubes.toml: {cube.id}"
    names = [column.name for column in columns]
    for name in (cube.id, *names):
        if not _NAME.fullmatch(name):
            raise SettingsError(f"'{name}' cannot name a file or column", where=where, remedy="use a-z, 0-9 and _")
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise SettingsError(f"two columns are called '{min(twice)}'", where=where)


def plain(text: str, where: str) -> str:
    """The text, if no spreadsheet can take it for a formula and no reader for two lines; SettingsError otherwise.

    Published text comes from configuration and the reference list, so that a name which starts like a formula is
    somebody's mistake or attack. It is refused rather than escaped: an escape would differ between CSV and XLSX.

    >>> plain("Alto Selva Alegre", "ubigeo.csv: 040102")
    'Alto Selva Alegre'
    """
    if _FORMULA.match(text):
        raise SettingsError(
            "a text starts like a spreadsheet formula", where=where, remedy="change its first character"
        )
    if _CONTROL.search(text):
        raise SettingsError("a text holds a line break or control character", where=where, remedy="remove it")
    return text
