"""Published rows: one cube at one level, all its programmes in one table."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from anonymize.tables import TOTAL, Mark, SafeCells
from rnu.errors import DisclosureRisk, SettingsError
from rnu.release.columns import MARK, NAMES, NOT_DELIVERED, Column, plain
from rnu.release.model import ProgrammeTable
from rnu.settings import Cube, Period
from rnu.ubigeo import LEVELS, Gazetteer


def published(
    tables: Sequence[ProgrammeTable], level: str, period: Period, gazetteer: Gazetteer, columns: Sequence[Column]
) -> pd.DataFrame:
    """The rows of one cube at one level: programmes in the order given, then places by code, then categories.

    Text columns hold text and no null; the measure is a nullable integer, null exactly where there is a mark.
    Raises DisclosureRisk for cells that hold a value they must not show, SettingsError for text that is no plain text.
    """
    parts = [_programme_rows(table, level, period, gazetteer) for table in tables]
    frame = pd.concat(parts, ignore_index=True)
    names = gazetteer.names()
    places = pd.unique(frame["ubigeo"])
    unknown = sorted(set(places) - set(names))
    if unknown:
        raise SettingsError(f"place {unknown[0]} is not in the reference list", where="config/reference/ubigeo.csv")
    for depth, column in enumerate(NAMES[: LEVELS.index(level)]):
        known = {code: plain(names[code][depth], f"config/reference/ubigeo.csv: {code}") for code in places}
        frame[column] = frame["ubigeo"].map(known)
    return frame[[column.name for column in columns]]


def _programme_rows(table: ProgrammeTable, level: str, period: Period, gazetteer: Gazetteer) -> pd.DataFrame:
    cube, programme = table.cube, table.programme
    if table.safe is None:
        rows = _not_delivered(cube, level, gazetteer)
    else:
        _check_safe(table.safe, cube, programme.id)
        rows = table.safe.frame(level).rename(columns={"place": "ubigeo", "n": cube.measure, "mark": MARK})
        others = {d.id for d in cube.dimension} - {d.id for d in table.safe.dimensions}
        rows = rows.assign(**dict.fromkeys(sorted(others), TOTAL))
    name = plain(programme.name(period.last_day()), f"config/programmes.toml: {programme.id}.names")
    return rows.assign(
        periodo=str(period), programa=plain(programme.id, "config/programmes.toml"), nombre_programa=name
    )


def _not_delivered(cube: Cube, level: str, gazetteer: Gazetteer) -> pd.DataFrame:
    """One row for each place, no number: an absent roster is neither zero nor last month's."""
    tree = gazetteer.tree()
    here = np.flatnonzero(tree.level == LEVELS.index(level))
    places = [tree.codes[i] for i in here]
    return pd.DataFrame(
        {
            "ubigeo": pd.array(places, dtype="str"),
            **{dimension.id: TOTAL for dimension in cube.dimension},
            cube.measure: pd.array([pd.NA] * len(places), dtype="Int64"),
            MARK: NOT_DELIVERED,
        }
    )


def _check_safe(safe: SafeCells, cube: Cube, programme: str) -> None:
    where = f"{cube.id}, {programme}"
    own = {d.id: d for d in cube.dimensions(programme)}
    known = [d.id for d in safe.dimensions]
    optional = {d.id for d in own.values() if d.column == "situation"}  # where no rule is in force
    if known != [id for id in own if id in known or id not in optional]:
        raise SettingsError("the cells are broken down otherwise than the cube", where=where)
    for dimension in safe.dimensions:
        designed = own[dimension.id]
        if dimension.categories != tuple(c.id for c in designed.category):
            raise SettingsError("the cells have other categories than the cube", where=f"{where}, {dimension.id}")
        for category in dimension.categories:
            plain(category, f"config/cubes.toml: {cube.id}.{dimension.id}")
    shown = safe.marks == Mark.SHOWN
    if np.any(shown != (safe.values >= 0)):
        raise DisclosureRisk(
            "cells hold values they do not show", where=where, remedy="only `protect` may make safe cells"
        )
