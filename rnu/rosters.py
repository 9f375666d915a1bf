"""Rosters of the store as tables of one engine."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import ibis
import ibis.expr.types as ir
from ibis.backends.duckdb import Backend

MEMORY = "4GB"  # for the engine; what does not fit goes to the work folder


@contextmanager
def engine_in(work: Path) -> Iterator[Backend]:
    """An engine that spills into a work folder."""
    engine = ibis.duckdb.connect(memory_limit=MEMORY, temp_directory=str(work / "spill"))
    try:
        yield engine
    finally:
        engine.disconnect()


def as_one_table(engine: Backend, folder: Path, rosters: Mapping[str, Path]) -> ir.Table:
    """Rosters by name as one table: linked into a new folder, so that one glob names them, on any engine."""
    folder.mkdir()
    for name, path in rosters.items():
        os.link(path, folder / f"{name}.parquet")
    return engine.read_parquet(folder / "*.parquet", union_by_name=True)
