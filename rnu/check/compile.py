"""Compile a Table Schema to SQL that gives frictionless' own verdict on columns of text.

A field becomes three expressions over its cell: whether it is missing, its typed value, and one test per rule that
is true where the rule is broken. Where a cell is written in a way on which the engine and frictionless might differ
(digits of other scripts, one-digit months, …) or a rule has no counterpart in SQL, the field says so: its `sure`
expression is false there, and frictionless itself reads those cells, each distinct one once (see `run.py`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from frictionless import Schema, fields

from rnu.errors import SettingsError

# Regular expressions that Python and RE2 read alike: literals, ASCII classes, groups, alternatives, repetition.
SAFE_PATTERN = re.compile(
    r"(?:[A-Za-z0-9 _/,:;=%&#@<>~'\"!-]|\\[.\-/()+*?]|\[[A-Za-z0-9 _.-]+\]|\((?!\?)|[.^$|)*+?]|\{\d+(?:,\d*)?\})*"
)
DATE_PARTS = {"%Y": "[1-9][0-9]{3}", "%m": "[0-9]{2}", "%d": "[0-9]{2}"}
TYPE, CONSTRAINT, UNIQUE, PRIMARY = "type-error", "constraint-error", "unique-error", "primary-key"
COMPARABLE = ("string", "integer", "date", "boolean")  # types whose values SQL finds equal just where frictionless does


def name(identifier: str) -> str:
    """Quote an identifier.

    >>> print(name('un "campo" más'))
    "un ""campo"" más"
    """
    return '"' + identifier.replace('"', '""') + '"'


def text(literal: str) -> str:
    """Quote a literal.

    >>> text("O'Higgins")
    "'O''Higgins'"
    """
    return "'" + literal.replace("'", "''") + "'"


@dataclass(frozen=True, slots=True)
class Test:
    """One rule: `broken` is an SQL condition, never null."""

    field: str
    rule: str
    detail: str
    broken: str


@dataclass(frozen=True, slots=True)
class CompiledField:
    """A field as SQL over its own column of text."""

    name: str
    missing: str
    value: str  # typed; null where missing or not of the type
    sure: str  # true where value and tests are frictionless' own
    tests: tuple[Test, ...]
    uncompiled: tuple[str, ...] = ()  # rules for which frictionless reads every cell


@dataclass(frozen=True, slots=True)
class CompiledKey:
    """A foreign key: the delivered columns must stand together in the reference."""

    fields: tuple[str, ...]
    resource: str
    reference: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CompiledUnique:
    """A rule by which no two rows of a delivery have the same values: `unique` or `primaryKey`, told by `rule`."""

    fields: tuple[str, ...]
    rule: str


@dataclass(frozen=True, slots=True)
class CompiledSchema:
    """A whole Table Schema as SQL."""

    fields: tuple[CompiledField, ...]
    keys: tuple[CompiledKey, ...]
    uniques: tuple[CompiledUnique, ...] = ()

    @property
    def labels(self) -> tuple[str, ...]:
        """The columns that a delivery must have."""
        return tuple(f.name for f in self.fields)


class _Typed(Protocol):
    def __call__(self, field: Any, cell: str) -> tuple[str, str, str | None]:
        """SQL for value, for `sure`, and the rule that is not compiled, if any."""


def compile_schema(schema: Schema, where: str) -> CompiledSchema:
    """Compile a schema. Raises SettingsError for keys over fields that cannot be compared as frictionless does."""
    keys = tuple(
        CompiledKey(tuple(k["fields"]), k["reference"]["resource"], tuple(k["reference"]["fields"]))
        for k in schema.foreign_keys
    )
    strings = {f.name for f in schema.fields if isinstance(f, fields.StringField)}
    for key in keys:
        if not set(key.fields) <= strings:
            raise SettingsError(f"foreign key {key.fields} is not over string fields", where=where)
    uniques = [CompiledUnique((f.name,), UNIQUE) for f in schema.fields if f.constraints.get("unique")]
    uniques += [CompiledUnique(tuple(schema.primary_key), PRIMARY)] if schema.primary_key else []
    comparable = {f.name for f in schema.fields if f.type in COMPARABLE}
    for unique in uniques:
        if not set(unique.fields) <= comparable:
            raise SettingsError(
                f"{unique.rule} over {' + '.join(unique.fields)}: not all are fields of type {', '.join(COMPARABLE)}",
                where=where,
                remedy="deliver what identifies a row as a string",
            )
    compiled = tuple(compile_field(f, schema.missing_values) for f in schema.fields)
    return CompiledSchema(compiled, keys, tuple(uniques))


def compile_field(field: Any, schema_missing: list[str]) -> CompiledField:
    """Compile one field; `schema_missing` holds where the field has no missing values of its own."""
    cell = name(field.name)
    gaps = field.missing_values if field.has_defined("missing_values") else schema_missing
    listed = ", ".join(text(g) for g in gaps)
    missing = f"({cell} is null or {cell} in ({listed}))" if gaps else f"({cell} is null)"
    typed = _TYPES.get(type(field), _no_counterpart)
    value, sure, gap = typed(field, cell)
    uncompiled = [gap] if gap else []
    tests = [Test(field.name, TYPE, field.type, f"(not {missing} and {value} is null)")]
    value = f"(case when not {missing} then {value} end)"
    for constraint in field.supported_constraints:
        wanted = field.constraints.get(constraint)
        if wanted is None or (constraint == "required" and not wanted):
            continue
        broken = f"{missing}" if constraint == "required" else _constraint(field, constraint, wanted, value)
        if broken is None:
            uncompiled.append(constraint)
        else:
            tests.append(Test(field.name, CONSTRAINT, constraint, f"coalesce({broken}, false)"))
    return CompiledField(field.name, missing, value, "false" if uncompiled else sure, tuple(tests), tuple(uncompiled))


# --- types -------------------------------------------------------------------------------------------------------


def _string(field: Any, cell: str) -> tuple[str, str, str | None]:
    if field.format != "default":
        return cell, "false", f"format {field.format}"
    # `$` also stands before a line break at the end in Python, not in RE2
    return cell, f"not contains({cell}, chr(10))" if field.constraints.get("pattern") else "true", None


def _integer(field: Any, cell: str) -> tuple[str, str, str | None]:
    plain = f"regexp_full_match({cell}, '[+-]?[0-9]{{1,18}}')"
    sure = plain if not field.bare_number else f"({plain} or regexp_full_match({cell}, '[A-Za-z]+'))"
    return f"(case when {plain} then try_cast({cell} as bigint) end)", sure, None


def _number(field: Any, cell: str) -> tuple[str, str, str | None]:
    group, point = field.group_char, field.decimal_char
    if field.float_number or len(group) > 1 or len(point) != 1 or group == point:
        return cell, "false", "number"
    inside = re.escape(group)
    shape = text(f"-?[0-9][0-9{inside}]{{0,14}}({re.escape(point)}[0-9]{{1,9}})?")
    plain = f"regexp_full_match({cell}, {shape})"
    bare = f"replace({cell}, {text(group)}, '')" if group else cell
    value = f"try_cast(replace({bare}, {text(point)}, '.') as decimal(38, 9))"
    sure = plain if not field.bare_number else f"({plain} or regexp_full_match({cell}, '[B-DF-Z]+'))"
    return f"(case when {plain} then {value} end)", sure, None


def _date(field: Any, cell: str) -> tuple[str, str, str | None]:
    pattern = "%Y-%m-%d" if field.format == "default" else field.format
    shape = re.escape(pattern)
    for part, digits in DATE_PARTS.items():
        shape = shape.replace(re.escape(part), digits)
    if field.format == "any" or "%" in shape or any(pattern.count(p) != 1 for p in DATE_PARTS):
        return cell, "false", f"format {field.format}"
    plain = f"regexp_full_match({cell}, {text(shape)})"
    value = f"cast(try_strptime({cell}, {text(pattern)}) as date)"
    # a numeric format never fits a cell of letters only; everything else unusual is for frictionless to judge
    return f"(case when {plain} then {value} end)", f"({plain} or regexp_full_match({cell}, '[A-Za-z]+'))", None


def _boolean(field: Any, cell: str) -> tuple[str, str, str | None]:
    yes = ", ".join(text(v) for v in field.true_values if v not in field.false_values)
    no = ", ".join(text(v) for v in field.false_values)
    value = f"(case when {cell} in ({no or 'null'}) then false when {cell} in ({yes or 'null'}) then true end)"
    return value, "true", None


def _no_counterpart(field: Any, cell: str) -> tuple[str, str, str | None]:
    return cell, "false", f"type {field.type}"


_TYPES: Mapping[type, _Typed] = {
    fields.StringField: _string,
    fields.IntegerField: _integer,
    fields.NumberField: _number,
    fields.DateField: _date,
    fields.BooleanField: _boolean,
}


# --- constraints -------------------------------------------------------------------------------------------------


def _constraint(field: Any, constraint: str, wanted: Any, value: str) -> str | None:
    """SQL that is true where a constraint is broken; None where SQL has no counterpart."""
    match constraint:
        case "enum":
            literals = [_literal(field, w) for w in wanted]
            return None if None in literals else f"{value} not in ({', '.join(map(str, literals))})"
        case "minimum" | "maximum" | "exclusiveMinimum" | "exclusiveMaximum":
            literal = _literal(field, wanted)
            broken = {"minimum": "<", "maximum": ">", "exclusiveMinimum": "<=", "exclusiveMaximum": ">="}[constraint]
            return None if literal is None else f"{value} {broken} {literal}"
        case "minLength":
            return f"length({value}) < {int(wanted)}"
        case "maxLength":
            return f"length({value}) > {int(wanted)}"
        case "pattern" if SAFE_PATTERN.fullmatch(wanted) and wanted.isascii():
            return f"not regexp_matches({value}, {text(f'^{wanted}$')})"
        case _:
            return None


def _literal(field: Any, wanted: Any) -> str | None:
    """A constraint's value as SQL, read the way frictionless reads it; None if it cannot be read."""
    read = field.create_value_reader()(wanted)
    if read is None:
        return None
    match field.type:
        case "string":
            return text(read)
        case "integer" | "number":
            return str(read)
        case "date":
            return f"date {text(read.isoformat())}"
        case "boolean":
            return str(read).lower()
        case _:
            return None
