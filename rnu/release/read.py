"""Read a finished release back: for comparing, for attacking, for portals."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd

from anonymize.tables import TOTAL
from rnu.errors import StoreError
from rnu.release.columns import BEFORE, NAMES, RATES
from rnu.release.describe import CLASS_RATES, DATA
from rnu.ubigeo import LEVELS


def read_json(folder: Path, name: str) -> dict[str, Any]:
    """One of the release's JSON files; StoreError if it cannot be read."""
    try:
        found: dict[str, Any] = json.loads((folder / name).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise StoreError(
            f"{name} of the release cannot be read", where=str(folder), remedy="verify the release, or build it again"
        ) from error
    return found


def read_text_table(path: Path) -> pd.DataFrame:
    """A published CSV with every cell as the text that stands there."""
    return pd.read_csv(path, dtype="str", keep_default_na=False, encoding="utf-8")


def table_path(folder: Path, cube: str, level: str, format: str = "csv") -> Path:
    """Where a table lies in a release."""
    return folder / DATA / f"{cube}_{level}.{format}"


def read_table(folder: Path, cube: str, level: str) -> pd.DataFrame:
    """The published rows of one cube and level; the measure is nullable, null where there is a mark."""
    path = table_path(folder, cube, level)
    if not path.is_file():
        raise StoreError(f"the release has no table {cube}_{level}", where=str(folder), remedy="build the period again")
    frame = read_text_table(path)
    measure = frame.columns[-2]
    frame[measure] = pd.to_numeric(frame[measure].replace("", pd.NA)).astype("Float64" if _is_rates(frame) else "Int64")
    return frame


def _is_rates(frame: pd.DataFrame) -> bool:
    return RATES[0] in frame.columns


def cubes(folder: Path) -> tuple[str, ...]:
    """The ids of a release's cubes, in order."""
    return tuple(
        one["id"] for one in read_json(folder, "datapackage.json")["tablas"] if one.get("clase") != CLASS_RATES
    )


def own_cubes(folder: Path) -> tuple[str, ...]:
    """The ids of a release's cubes of programmes' own rosters: those that are not made by linking."""
    apart = linked(folder)
    return tuple(cube for cube in cubes(folder) if cube not in apart)


def rates_of(folder: Path) -> str:
    """The id of a release's table of rates; empty where it has none."""
    tables = read_json(folder, "datapackage.json")["tablas"]
    return next((str(one["id"]) for one in tables if one.get("clase") == CLASS_RATES), "")


def levels(folder: Path, cube: str) -> tuple[str, ...]:
    """The levels at which a release has a table of a cube, the nation first, as its data package tells."""
    resources = read_json(folder, "datapackage.json")["resources"]
    told = {r["nivel"] for r in resources if r.get("tabla") == cube and "nivel" in r}  # certificates have no level
    return tuple(level for level in LEVELS if level in told)


def linked(folder: Path) -> frozenset[str]:
    """The tables of a release that are made by linking rosters; their cells are no cross of one programme's users."""
    told = read_json(folder, "datapackage.json")["tablas"]
    return frozenset(table["id"] for table in told if table.get("enlazada", False))


def dimensions(frame: pd.DataFrame) -> list[str]:
    """The columns of a published table that break it down."""
    return [name for name in frame.columns[:-2] if name not in (*BEFORE, *NAMES, *RATES[1:])]


def totals(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows that are broken down by nothing: one for each programme and place."""
    broken_down = (frame[dimensions(frame)] != TOTAL).any(axis=1)
    return frame[~broken_down]
