"""Breaks in the series: where the design of a table differs from one release to another, told from their files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rnu.release.columns import LEVEL_TITLES
from rnu.release.read import read_json
from rnu.ubigeo import LEVELS


def breaks(old: Path, new: Path, cube: str) -> tuple[str, ...]:
    """What is shown otherwise in the newer release, in Spanish sentences; nothing where one of both has no such table.

    Thresholds of programmes that both have, and what each level breaks down. The counts have no part in it.
    """
    before, now = _table(old, cube), _table(new, cube)
    if before is None or now is None:
        return ()
    was = before["umbrales"]
    others = {p: threshold for p, threshold in now["umbrales"].items() if was.get(p, threshold) != threshold}
    names = _names(new) if others else {}
    thresholds = [f"El umbral de {names.get(p, p)} era {was[p]} y ahora es {others[p]}." for p in others]
    said_before, said_now = _designs(before), _designs(now)
    designs = [
        f"{LEVEL_TITLES[level]}, antes: «{said_before.get(level, 'Nada.')}» Ahora: «{said_now.get(level, 'Nada.')}»"
        for level in LEVELS
        if said_before.get(level) != said_now.get(level)
    ]
    return (*thresholds, *designs)


def _table(folder: Path, cube: str) -> dict[str, Any] | None:
    tables = read_json(folder, "proteccion.json")["tablas"]
    return next((table for table in tables if table["tabla"] == cube), None)


def _designs(table: dict[str, Any]) -> dict[str, str]:
    return {level["nivel"]: level["diseno"] for level in table["niveles"]}


def _names(folder: Path) -> dict[str, str]:
    rows: Any = read_json(folder, "diccionario.json")
    return {row["valor"]: row["titulo"] for row in rows if row["columna"] == "programa" and row["valor"]}
