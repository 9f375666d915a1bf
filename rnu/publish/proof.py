"""What anybody needs to check how a dataset is protected: its figures and certificates as they were signed, in a ZIP.

A release's folder is whole on a folder portal alone; other portals have files by dataset. Unpacked, this is a part of
the folder: `rnu verify --part` checks the certificates, and every file against the manifest that was signed.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path

from rnu.release.describe import CERTIFICATES
from rnu.release.manifest import MANIFEST
from rnu.release.read import cubes, levels, linked, read_json, table_path

SAID = ("datapackage.json", "proteccion.json")  # what places, categories and thresholds are held against


def is_proven(folder: Path, cube: str) -> bool:
    """Whether a release has a certificate that speaks of a cube: its own, or that of a table it is proven with."""
    told = next(one for one in read_json(folder, "datapackage.json")["tablas"] if one["id"] == cube)
    return any(_certificates(folder, id) for id in (cube, told.get("probada_con", "")))


def write_proof(folder: Path, cube: str, target: Path) -> None:
    """Write the part of a release that proves a cube; the same release gives the same bytes.

    Tables made by linking hang together with every programme's users: their part holds all that is proven.
    """
    together = cubes(folder) if cube in linked(folder) else (cube,)
    with zipfile.ZipFile(target, "w") as packed:
        for name in (MANIFEST, *SAID, *(name for one in together for name in _files(folder, one))):
            # without a day given, the clock's would be written
            packed.writestr(zipfile.ZipInfo(name), (folder / name).read_bytes(), zipfile.ZIP_DEFLATED)


def _files(folder: Path, cube: str) -> Iterator[str]:
    for level in levels(folder, cube):
        yield table_path(folder, cube, level).relative_to(folder).as_posix()
    yield from _certificates(folder, cube)


def _certificates(folder: Path, cube: str) -> list[str]:
    """Where a release has certificates of a cube, as its data package tells."""
    resources = read_json(folder, "datapackage.json")["resources"]
    paths = (str(one["path"]) for one in resources if one.get("tabla") == cube)
    return [path for path in paths if path.startswith(f"{CERTIFICATES}/")]
