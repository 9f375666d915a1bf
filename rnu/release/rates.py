"""Rates: arithmetic on the published rows, and on nothing else.

A rate stands where every cell that it is made of is shown; then numerator and denominator stand beside it, and the
rounded percentage tells nothing that they do not. It is worked out here from the frames that become files, after
protection: nothing in this module has seen a count that is withheld.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce

import pandas as pd

from anonymize.situations import FAILS, MEETS, NOT_FOUND, UNCLASSIFIED
from anonymize.tables import TOTAL
from rnu.release.columns import MARK, Column, Columns
from rnu.release.model import Contents, ProgrammeTable
from rnu.settings import Category, Cube, CubeDimension, Programme

ELIGIBLE = "elegibles"
NUMBERS = {"numerador": "Int64", "denominador": "Int64", "porcentaje": "Float64"}
Frames = Mapping[tuple[str, str], pd.DataFrame]  # published rows by cube and level
Counts = Mapping[str, pd.Series]


@dataclass(frozen=True, slots=True)
class Rate:
    """A part of a whole, each from the published cells named; the same for whoever does it by hand."""

    id: str
    cells: tuple[str, ...]
    numerator: Callable[[Counts], pd.Series]
    denominator: Callable[[Counts], pd.Series]


LEAKAGE = Rate("filtracion", (MEETS, FAILS), lambda n: n[FAILS], lambda n: n[MEETS] + n[FAILS])
UNDERCOVERAGE = Rate("subcobertura", (MEETS, ELIGIBLE), lambda n: n[ELIGIBLE], lambda n: n[MEETS] + n[ELIGIBLE])
MATCHED = Rate("encontrados", (TOTAL, NOT_FOUND), lambda n: n[TOTAL] - n[NOT_FOUND], lambda n: n[TOTAL])
WITHOUT_CSE = Rate(
    "sin_cse", (TOTAL, NOT_FOUND, UNCLASSIFIED), lambda n: n[UNCLASSIFIED], lambda n: n[TOTAL] - n[NOT_FOUND]
)
ALL = (LEAKAGE, UNDERCOVERAGE, MATCHED, WITHOUT_CSE)


def ruled(contents: Contents) -> tuple[Programme, ...]:
    """The programmes of which there are rates: a rule is in force on the cut date, and their users are judged by it."""
    day = contents.period.last_day()
    judged = [t.programme for t in contents.tables if _axis(t) and t.programme.rule_on(day)]
    return tuple({p.id: p for p in judged}.values())


def described(contents: Contents, columns: Columns) -> Cube | None:
    """The table of rates in the words in which cubes are described: by rate, in per cent. None where there is none."""
    programmes, words = ruled(contents), contents.rates
    if not words or not programmes:
        return None
    by, *_, percentage = columns.rates
    unit, levels = contents.tables[0].cube.unit, contents.tables[0].cube.level
    return Cube(
        id=words.id,
        title=words.title,
        description=words.description,
        unit=unit,
        measure=percentage.name,
        measure_label=percentage.title,
        programmes=tuple(p.id for p in programmes),
        dimension=(CubeDimension(by.name, by.title, "", tuple(Category(v.value, v.label) for v in by.values)),),
        level=levels,
        keywords=words.keywords,
    )


def rates(contents: Contents, frames: Frames, level: str, columns: Sequence[Column]) -> pd.DataFrame:
    """The rows of one level: programmes in order, then places by code, then rates.

    No row stands where the design does not show a cell that it is made of, or where the denominator is zero.
    """
    names = [column.name for column in columns]
    empty = pd.DataFrame({name: pd.Series(dtype=NUMBERS.get(name, "str")) for name in names})
    parts = [_of_programme(programme, contents, frames, level) for programme in ruled(contents)]
    return pd.concat([empty, *(part[names] for part in parts if len(part))], ignore_index=True)


def _of_programme(programme: Programme, contents: Contents, frames: Frames, level: str) -> pd.DataFrame:
    cells = _cells(programme, contents, frames, level)
    parts = [_rows(rate, cells) for rate in ALL if all(cell in cells for cell in rate.cells)]
    return pd.concat(parts).sort_values("ubigeo", kind="stable") if parts else pd.DataFrame()


def percentage(numerator: pd.Series, denominator: pd.Series) -> pd.Series:
    """Per cent with one decimal, halves upwards, reckoned in whole numbers so that it is the same everywhere."""
    return ((2000 * numerator + denominator) // (2 * denominator)).astype("Float64") / 10


def _axis(table: ProgrammeTable) -> str:
    """The breakdown that says where a programme's users stand to its rule; empty where there is none."""
    return next((d.id for d in table.cube.dimensions(table.programme.id) if d.column == "situation"), "")


def _cells(programme: Programme, contents: Contents, frames: Frames, level: str) -> dict[str, pd.DataFrame]:
    """A programme's published rows by what they count, each by place."""
    mine = [t for t in contents.tables if t.programme.id == programme.id and not t.linked]
    found: dict[str, pd.DataFrame] = {}
    for table in mine:
        rows = frames[table.cube.id, level]
        found |= _by_situation(table, rows[rows["programa"] == programme.id])
    return found


def _by_situation(table: ProgrammeTable, rows: pd.DataFrame) -> dict[str, pd.DataFrame]:
    cube, axis = table.cube, _axis(table)
    others = [d.id for d in cube.dimension if d.id != axis]
    alone = rows[(rows[others] == TOTAL).all(axis=1)].rename(columns={cube.measure: "n"})
    if cube.counts == "eligible":
        return {ELIGIBLE: alone.set_index("ubigeo")}
    if not axis:
        return {}
    return {str(category): own.set_index("ubigeo") for category, own in alone.groupby(axis)}


def _rows(rate: Rate, cells: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    made_of = [cells[cell] for cell in rate.cells]
    places = reduce(lambda a, b: a.intersection(b), (one.index for one in made_of)).sort_values()
    counts = {name: cells[name]["n"].reindex(places) for name in rate.cells}
    marks = pd.concat([one[MARK].reindex(places) for one in made_of], axis=1)
    numerator, denominator = rate.numerator(counts), rate.denominator(counts)
    unknown = numerator.isna() | denominator.isna()
    numerator, denominator = (number.mask(unknown) for number in (numerator, denominator))
    rows = made_of[0].reindex(places)
    rows["tasa"], rows["numerador"], rows["denominador"] = rate.id, numerator, denominator
    rows["porcentaje"] = percentage(numerator, denominator.mask(denominator == 0))
    rows[MARK] = _marks(marks)
    return rows[~(denominator == 0).fillna(False).astype(bool)].reset_index()


def _marks(marks: pd.DataFrame) -> pd.Series:
    """Why a rate is not shown: one of its cells is withheld, else one is not broken down, else one did not come."""
    found = pd.Series("", index=marks.index, dtype="str")
    for letter in ("n", "d", "c"):
        found = found.mask((marks == letter).any(axis=1), letter)
    return found
