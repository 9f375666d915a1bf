"""Order and absence of rows: both could tell of what is not shown.

Rows stand in an order that hangs on codes alone, so that none is sorted by what it hides. And of a breakdown of a place
all rows are there or none, zeros included, and none only where the design or the protection report says so for
everybody: a row that is missing alone would be one more mark.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from anonymize.tables import TOTAL
from rnu.release.columns import MARK, NOT_DELIVERED
from rnu.release.inspection.risk import first_row, risk
from rnu.release.read import dimensions, read_json
from rnu.ubigeo import LEVELS, NATION


@dataclass(frozen=True, slots=True)
class Words:
    """What a cube's rows may say, in the order in which they say it."""

    programmes: tuple[str, ...]
    categories: Mapping[str, tuple[str, ...]]  # dimension -> categories and their total
    removed: tuple[tuple[str, str, frozenset[str], frozenset[str]], ...]  # programme, level, cross, places
    linked: bool = False  # made by linking rosters: not every programme has every category

    @classmethod
    def of(cls, folder: Path, cube: str) -> Words:
        """As the data package and the protection report tell them."""
        package = read_json(folder, "datapackage.json")
        table = next(t for t in package["tablas"] if t["id"] == cube)
        resource = next(r for r in package["resources"] if r["name"] == f"{cube}_{LEVELS[0]}")
        fields = {f["name"]: f for f in resource["schema"]["fields"]}
        report = next(t for t in read_json(folder, "proteccion.json")["tablas"] if t["tabla"] == cube)
        return cls(
            tuple(p["id"] for p in table["programas"]),
            {name: tuple(fields[name]["constraints"]["enum"]) for name in table["desgloses"]},
            tuple(_removed(row) for row in report["desgloses_retirados"]),
            table.get("enlazada", False),
        )


def _removed(row: Mapping[str, Any]) -> tuple[str, str, frozenset[str], frozenset[str]]:
    return row["programa"], row["nivel"], frozenset(row["cruce"]) - {TOTAL}, frozenset(row["lugares"])


def inspect_order(file: str, frame: pd.DataFrame, words: Words) -> None:
    """Programmes as the data package lists them, then places by code, then categories as it lists them."""
    programme = frame["programa"].map({p: i for i, p in enumerate(words.programmes)})
    keys = [programme, frame["ubigeo"], *(_numbers(frame[d], words.categories[d]) for d in dimensions(frame))]
    if any(key.isna().any() for key in keys):
        unknown = np.logical_or.reduce([key.isna().to_numpy() for key in keys])
        raise risk("a programme or category that the data package does not list", file, first_row(unknown))
    codes = [pd.factorize(key, sort=True)[0] for key in keys]
    wanted = np.lexsort(codes[::-1])
    row = first_row(wanted != np.arange(len(frame)))
    if row is not None:
        raise risk("rows do not stand in the order of their codes", file, row)


def _numbers(values: pd.Series[str], listed: Sequence[str]) -> pd.Series[float]:
    return values.map({value: float(i) for i, value in enumerate(listed)})


def inspect_missing(file: str, level: str, frame: pd.DataFrame, words: Words) -> None:
    """Of a breakdown of a place all rows or none; none at all places, or where the report says so."""
    delivered = frame[frame[MARK] != NOT_DELIVERED]
    names = dimensions(frame)
    if words.linked:
        _inspect_alike(file, delivered, names)
        return
    broken = delivered[names] != TOTAL
    keys = [delivered["programa"], delivered["ubigeo"], *(broken[name] for name in names)]
    size = delivered.groupby(keys, sort=False)[MARK].transform("size").to_numpy()
    whole = broken.to_numpy() * (np.array([len(words.categories[n]) - 1 for n in names]) - 1) + 1
    row = first_row(size != whole.prod(axis=1))
    if row is not None:
        raise risk("a row of a breakdown is missing", file, int(delivered.index[row - 2]) + 2)
    for programme, own in delivered.groupby("programa", sort=False):
        for place, cross in _gaps(own, names):
            if not any(_explains(one, str(programme), level, place, cross) for one in words.removed):
                raise risk(
                    f"{programme}: {place} has no rows of {' × '.join(sorted(cross)) or TOTAL}, and no report says so",
                    file,
                )


def _inspect_alike(file: str, delivered: pd.DataFrame, names: Sequence[str]) -> None:
    """Every place has the same rows of a programme."""
    places = delivered.groupby("programa")["ubigeo"].transform("nunique")
    having = delivered.groupby(["programa", *names])["ubigeo"].transform("nunique")
    row = first_row((places != having).to_numpy())
    if row is not None:
        raise risk("a row that other places have is missing", file, int(delivered.index[row - 2]) + 2)


def _gaps(own: pd.DataFrame, names: Sequence[str]) -> Iterator[tuple[str, frozenset[str]]]:
    """Places that lack a breakdown which other places of the same table have."""
    places = set(own["ubigeo"])
    broken = (own[list(names)] != TOTAL).drop_duplicates()
    for pattern in broken.itertuples(index=False):
        cross = frozenset(n for n, is_broken in zip(names, pattern, strict=True) if is_broken)
        here = own[((own[list(names)] != TOTAL) == list(pattern)).all(axis=1)]
        for place in sorted(places - set(here["ubigeo"])):
            yield place, cross


def _explains(
    removed: tuple[str, str, frozenset[str], frozenset[str]],
    programme: str,
    level: str,
    place: str,
    cross: frozenset[str],
) -> bool:
    """Whether a line of the protection report says that a place does not show a cross; finer crosses go with it."""
    of, at, less, owners = removed
    within = any(owner == NATION or place.startswith(owner) for owner in owners)
    return of == programme and LEVELS.index(at) <= LEVELS.index(level) and less <= cross and within
