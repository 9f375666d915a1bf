"""Texts that could stand for a person: what looks like a hash, or like the number of a document."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from python_calamine import CalamineWorkbook

from rnu.release.formats import NOTES_SHEET
from rnu.release.inspection.kinds import texts_of
from rnu.release.inspection.risk import risk

HASH = re.compile(r"(?<![0-9A-Za-z])(?=[0-9a-fA-F]*[0-9])[0-9a-fA-F]{16,}(?![0-9A-Za-z])")
DOCUMENT = re.compile(r"(?<![0-9A-Za-z])[0-9]{8,15}(?![0-9A-Za-z])")
# where a release names bytes, not persons: in each of these a digest of a whole file or of a configuration stands
DIGESTS = {
    "datapackage.json": ("hash",),
    "procedencia.json": (
        *("entregas_sha256", "esquemas_sha256", "configuracion_sha256", "codigo_sha256", "dependencias_sha256"),
        "clave_de_seudonimos",
    ),
}


def looks_like_a_person(text: str) -> bool:
    """Whether a text could be a pseudonym, a hash or a document's number.

    >>> looks_like_a_person("Moquegua"), looks_like_a_person("DNI 40506070"), looks_like_a_person("0af3" * 8)
    (False, True, True)
    """
    return bool(HASH.search(text) or DOCUMENT.search(text))


def inspect_columns(file: str, frame: pd.DataFrame) -> None:
    """No text column of a table has such a text."""
    for column in texts_of(frame):
        for text in frame[column].unique():
            if looks_like_a_person(text):
                row = int((frame[column] == text).to_numpy().argmax()) + 2
                raise risk(f"column {column}: what could be a hash or a document number", file, row)


def inspect_notes(path: Path, file: str) -> None:
    """Nor has a workbook's sheet of notes."""
    for number, row in enumerate(CalamineWorkbook.from_path(str(path)).get_sheet_by_name(NOTES_SHEET).to_python(), 1):
        if any(looks_like_a_person(str(cell)) for cell in row):
            raise risk(f"sheet {NOTES_SHEET}: what could be a hash or a document number", file, number)


def inspect_texts(folder: Path) -> None:
    """Nor has any other file, but for digests where they belong."""
    for path in sorted(p for p in folder.rglob("*") if p.suffix in (".json", ".md", ".csv", ".txt") and p.is_file()):
        name = path.relative_to(folder).as_posix()
        if path.parent.name == "datos" and path.suffix == ".csv":
            continue  # read cell by cell
        try:
            text = path.read_text(encoding="utf-8")
            lines = _strings(json.loads(text), DIGESTS.get(name, ())) if path.suffix == ".json" else text.splitlines()
            if any(looks_like_a_person(line) for line in lines):
                raise risk("what could be a hash or a document number", name)
        except ValueError as error:
            raise risk(f"the file cannot be read ({type(error).__name__})", name) from error


def _strings(value: Any, digests: tuple[str, ...]) -> Iterator[str]:
    """Every string in a JSON value, names included, but for those below some names."""
    if isinstance(value, Mapping):
        for key, below in value.items():
            yield key
            if key not in digests:
                yield from _strings(below, digests)
    elif isinstance(value, list):
        for below in value:
            yield from _strings(below, digests)
    elif isinstance(value, str):
        yield value
