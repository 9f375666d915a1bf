"""Write a whole release into a folder and seal it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from rnu.errors import StoreError
from rnu.release import describe, formats, rates, reports
from rnu.release.certificates import write_certificates
from rnu.release.columns import Columns
from rnu.release.describe import DATA, TableFiles, cubes_of, levels_of, to_json
from rnu.release.manifest import seal
from rnu.release.model import Contents
from rnu.release.table import published
from rnu.settings import Institution
from rnu.ubigeo import LEVELS, Gazetteer


def build(contents: Contents, folder: Path, *, institution: Institution, gazetteer: Gazetteer, columns: Columns) -> str:
    """Write every file of a release into an empty folder; give the release's digest.

    The bytes depend on the arguments alone: no clock, no machine, no order of hashing. The caller writes into a
    folder of its own and moves it to its name when `inspect` has found nothing.
    Raises SettingsError for a name that a spreadsheet could take for a formula, DisclosureRisk for cells that hold
    what they must not show or have no certificate, StoreError if the folder is not empty.
    """
    if any(folder.iterdir()):
        raise StoreError("a release is built in an empty folder", where=str(folder), remedy="remove it and build again")
    (folder / DATA).mkdir()
    frames = _frames(contents, gazetteer, columns)
    files = [
        TableFiles(cube, level, columns.of(cube, level), len(frames[cube.id, level]))
        for cube in cubes_of(contents)
        for level in levels_of(cube)
    ]
    if table := rates.described(contents, columns):
        for level in LEVELS:
            own = columns.of_rates(level)
            frames[table.id, level] = rates.rates(contents, frames, level, own)
            files.append(TableFiles(table, level, own, len(frames[table.id, level])))
    for file in files:
        notes = describe.notes(file.cube, file.level, contents, institution, columns)
        _write_table(file, frames[file.cube.id, file.level], notes, folder)
    write_certificates(contents, folder)
    words = describe.dictionary(contents, files)
    texts = {
        "datapackage.json": to_json(describe.datapackage(contents, institution, files, folder)),
        "diccionario.csv": describe.to_csv(words),
        "diccionario.json": to_json(words),
        "calidad.json": to_json(reports.quality(contents)),
        "proteccion.json": to_json(reports.protection(contents, frames)),
        "procedencia.json": to_json(reports.provenance(contents)),
        "LEEME.md": describe.readme(contents, institution, files, columns),
    }
    for name, text in texts.items():
        (folder / name).write_bytes(text.encode())
    return seal(folder)


def _frames(contents: Contents, gazetteer: Gazetteer, columns: Columns) -> dict[tuple[str, str], pd.DataFrame]:
    """Published rows by cube and level."""
    return {
        (cube.id, level): published(
            [table for table in contents.tables if table.cube.id == cube.id],
            level,
            contents.period,
            gazetteer,
            columns.of(cube, level),
        )
        for cube in cubes_of(contents)
        for level in levels_of(cube)
    }


def _write_table(file: TableFiles, frame: pd.DataFrame, notes: Sequence[tuple[str, str]], folder: Path) -> None:
    formats.write_csv(frame, folder / file.path("csv"))
    formats.write_parquet(frame, file.columns, folder / file.path("parquet"))
    formats.write_xlsx(frame, file.columns, notes, folder / file.path("xlsx"))
