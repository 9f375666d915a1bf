"""Files that nobody speaks of, and what the data package says of those that are there."""

from __future__ import annotations

from pathlib import Path

from rnu.provenance import file_digest
from rnu.release.inspection.risk import risk
from rnu.release.manifest import MANIFEST
from rnu.release.read import read_json

BESIDE = (
    *("datapackage.json", "diccionario.csv", "diccionario.json", "calidad.json", "proteccion.json", "procedencia.json"),
    *("LEEME.md", MANIFEST),
)


def inspect_package(folder: Path) -> None:
    """Every file is one that a release has, and of the size, digest and number of rows that the data package tells."""
    resources = {r["path"]: r for r in read_json(folder, "datapackage.json")["resources"]}
    there = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_symlink() or not p.is_dir()}
    strange = sorted(there - resources.keys() - set(BESIDE))
    if strange:
        raise risk("a file that the data package does not tell of", strange[0])
    missing = sorted((resources.keys() | set(BESIDE) - {MANIFEST}) - there)
    if missing:
        raise risk("a file that the data package tells of is missing", missing[0])
    for path, told in resources.items():
        file = folder / path
        if (told["bytes"], told["hash"]) != (file.stat().st_size, f"sha256:{file_digest(file)}"):
            raise risk("its size or digest is not what the data package tells", path)
