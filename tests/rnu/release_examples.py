"""A made-up release, small enough to check by hand: two provinces, three districts, two cubes, three programmes."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np

from anonymize.certificate import certify
from anonymize.tables import Dimension, Mark, SafeCells, add_margins
from rnu.release.build import build
from rnu.release.columns import Columns
from rnu.release.model import Contents, ProgrammeTable, Provenance, SourceQuality
from rnu.settings import (
    Category,
    Cube,
    CubeDimension,
    CubeLevel,
    Institution,
    Name,
    Period,
    Programme,
    Unit,
)
from rnu.ubigeo import District, Gazetteer

ROOT = Path(__file__).parents[2]
COLUMNS = Columns.load(ROOT / "schemas" / "tables" / "conteos.json")

GAZETTEER = Gazetteer(
    (
        District("180101", "170101", "Moquegua", "Mariscal Nieto", "Moquegua"),
        District("180102", "170102", "Moquegua", "Mariscal Nieto", "Carumas"),
        District("180201", "170201", "Moquegua", "General Sánchez Cerro", "Omate, «la Villa»"),
    )
)
INSTITUTION = Institution(
    name="Ministerio de Prueba",
    acronym="MP",
    contact="Mesa de datos",
    email="datos@prueba.invalid",
    licence="ODC-BY 1.0",
    licence_url="https://opendatacommons.org/licenses/by/1-0/",
    register_name="Registro de Prueba",
)
SEXES = (Category("hombre", "Hombre"), Category("mujer", "Mujer"))


def cube(id="usuarios", unit=Unit.PERSON, programmes=("sis", "contigo"), **changes) -> Cube:
    """A cube by sex whose crosses are shown everywhere."""
    levels = tuple(CubeLevel(level, 1) for level in ("nacion", "departamento", "provincia", "distrito"))
    fields = {
        "title": f"{id.capitalize()} de los programas sociales",
        "description": f"{id.capitalize()} por lugar y sexo. Hecho a mano: «a» < b & c.",
        "measure": id,
        "measure_label": f"Número de {id}",
        "keywords": ("programas sociales", id),
        "dimension": (CubeDimension("sexo", "Sexo", "sex", SEXES),),
        "level": levels,
        **changes,
    }
    return Cube(id=id, unit=unit, programmes=programmes, **fields)


def programme(id: str, name: str, unit: Unit = Unit.PERSON) -> Programme:
    return Programme(id, unit, (Name(name, date(2000, 1, 1)),), sector="Salud", note=f"Nota de {name}")


def safe(
    counts, marks: dict[tuple[int, int], Mark] | None = None, threshold: int = 5, gazetteer: Gazetteer = GAZETTEER
) -> SafeCells:
    """Safe cells of districts × (hombre, mujer); `marks` by (row in the tree of places, column)."""
    places = gazetteer.tree()
    sexes = (Dimension("sexo", ("hombre", "mujer")),)
    values = add_margins(np.array(counts, dtype=np.int64), places, sexes)
    held = np.zeros(values.shape, dtype=np.uint8)
    for cell, mark in (marks or {}).items():
        held[cell] = mark
    values = np.where(held == Mark.SHOWN, values, -1)
    return SafeCells(places, sexes, values, held, threshold)


def delivered(cube: Cube, programme: Programme, cells: SafeCells) -> ProgrammeTable:
    """A table with its certificate."""
    return ProgrammeTable(cube, programme, cells, certify(cells))


def with_cells(table: ProgrammeTable, cells: SafeCells, **changes) -> ProgrammeTable:
    """The same table of other cells."""
    return replace(table, safe=cells, certificate=certify(cells), **changes)


# Rows of the tree: 0 PE, 1 18, 2 1801, 3 1802, 4 180101, 5 180102, 6 180201. Columns: hombre, mujer, total.
WITHHELD = {
    (2, 0): Mark.WITHHELD,
    (2, 1): Mark.WITHHELD,
    (3, 0): Mark.WITHHELD,
    (3, 1): Mark.WITHHELD,
    (4, 2): Mark.WITHHELD,
    (4, 0): Mark.BELOW,
    (4, 1): Mark.BELOW,
    (5, 2): Mark.WITHHELD,
    (5, 0): Mark.BELOW,
    (5, 1): Mark.BELOW,
    (6, 0): Mark.WITHHELD,
    (6, 1): Mark.WITHHELD,
}


def contents(period="2026-01", revision=1, sis=((20, 31), (0, 12), (15, 8)), **changes) -> Contents:
    """SIS delivered whole, Contigo with withheld cells, Juntos («no entregado»)."""
    users, homes = cube(), cube("hogares", Unit.HOUSEHOLD, ("juntos",))
    tables = (
        delivered(users, programme("sis", "Seguro Integral de Salud (SIS)"), safe(sis)),
        delivered(users, programme("contigo", "Contigo"), safe([[2, 30], [1, 9], [3, 40]], WITHHELD)),
        ProgrammeTable(homes, programme("juntos", "Juntos", Unit.HOUSEHOLD), None),
    )
    quality = (
        SourceQuality(
            "sis_padron",
            "Padrón del SIS",
            "sis",
            True,
            cut=period,
            rows=100,
            set_aside=8,
            rules=(("sexo", "enum", 6), ("fecha", "required", 2)),
            duplicates=3,
            without_document=7,
            roster_rows=89,
            weight=89,
            matched=80,
        ),
        SourceQuality("juntos_padron", "Padrón de Juntos", "juntos", False),
    )
    provenance = Provenance(
        {"sis_padron": "a" * 64}, {"rosters/sis.json": "b" * 64}, "c" * 64, "0.1.0", "d" * 64, "e" * 64, "clave-1"
    )
    fields = {"tables": tables, "quality": quality, "provenance": provenance, **changes}
    return Contents(Period.parse(period), revision, **fields)


def build_in(folder: Path, what: Contents | None = None, gazetteer: Gazetteer = GAZETTEER) -> str:
    folder.mkdir(parents=True)
    return build(what or contents(), folder, institution=INSTITUTION, gazetteer=gazetteer, columns=COLUMNS)
