"""The reports of a release: quality, protection, provenance. Each tells only what may be known outside.

Quality holds national figures. Even there a small count could concern somebody («one person in this programme's roster
has no document»), so that counts from 1 to below the threshold become "<5"; a sum that would give one of them back
is told as a lower bound. Protection holds nothing but what a reader could count from the tables.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import pandas as pd

from anonymize.situations import NOT_FOUND
from anonymize.tables import TOTAL, Drop, Mark
from rnu.release.columns import MARK, NOT_DELIVERED
from rnu.release.describe import cubes_of
from rnu.release.model import Contents, ProgrammeTable, SourceQuality
from rnu.settings import Cube, CubeLevel, LinkedCube

Figure = int | str | None
Rule = tuple[str, str, int]  # column, rule, rows that break it
HIDDEN = "no se muestra"
MONTHS = (
    *("enero", "febrero", "marzo", "abril", "mayo", "junio"),
    *("julio", "agosto", "setiembre", "octubre", "noviembre", "diciembre"),
)
REASONS = {"floor": "población bajo el mínimo del diseño"}
OF_RATES = (
    "Una tasa se calcula solo con cifras que las demás tablas muestran: el numerador y el denominador están al lado, y "
    "los decimales no dicen nada que ellos no digan.",
    "Donde una de esas cifras está reservada, la tasa tampoco se muestra y lleva la misma marca.",
    "Donde el diseño no muestra una de esas cifras, o el denominador es cero, no hay fila.",
)
PROTECTED = "protección de las personas"


# --- quality -----------------------------------------------------------------------------------------------------


def quality(contents: Contents) -> dict[str, Any]:
    """National figures of every source, small ones coarsened."""
    return {
        "periodo": str(contents.period),
        "revision": contents.revision,
        "como_leer": (
            "Cifras nacionales por fuente. Una cifra pequeña puede referirse a personas: se escribe «<umbral» en su "
            "lugar, y la suma que permitiría deducirla se da como «al menos». Las reglas con pocas filas no se listan."
        ),
        "fuentes": [_source(source, contents) for source in contents.quality],
    }


def _source(source: SourceQuality, contents: Contents) -> dict[str, Any]:
    head = {"fuente": source.source, "titulo": source.title, "programa": source.programme}
    if not source.delivered:
        return {**head, "entregado": False}
    threshold = _threshold(source, contents)
    total_shown = _national_total_shown(source.programme, contents)
    found_shown = total_shown and _national_unfound_shown(source.programme, contents)
    parts = {
        "apartadas": coarse(source.set_aside, threshold),
        "inactivas": coarse(source.inactive, threshold),
        "duplicadas": coarse(source.duplicates, threshold),
        "filas_del_padron": coarse(source.roster_rows, threshold) if total_shown else HIDDEN,
    }
    listed = told_rules(source.rules, source.set_aside, threshold)
    return {
        **head,
        "entregado": True,
        "corte": source.cut,
        "filas": _sum(source.rows, list(parts.values())),
        **parts,
        "duplicadas_que_discrepan": split(source.duplicates_disagreeing, source.duplicates, threshold),
        "sin_documento": _without_document(source, threshold) if found_shown else HIDDEN,
        "peso": coarse(source.weight, threshold) if total_shown else HIDDEN,
        **_matched(source, threshold, found_shown),
        "reglas": [{"columna": column, "regla": rule, "filas": rows} for column, rule, rows in listed],
        "otras_reglas_con_pocas_filas": len(listed) < sum(rows > 0 for _, _, rows in source.rules),
    }


def told_rules(rules: Sequence[Rule], set_aside: int, threshold: int) -> list[Rule]:
    """The rules that are listed: those of few rows are not, nor what would tell by subtraction that these are few.

    >>> told_rules([("dni", "forma", 40), ("sexo", "lista", 9), ("edad", "rango", 3)], 52, 5)
    [('dni', 'forma', 40)]
    >>> told_rules([("dni", "forma", 40), ("sexo", "lista", 9)], 49, 5)
    [('dni', 'forma', 40), ('sexo', 'lista', 9)]
    """
    listed = [one for one in rules if one[2] >= threshold]
    while listed and 0 < set_aside - sum(rows for _, _, rows in listed) < threshold:
        listed.remove(min(listed, key=lambda one: one[2]))
    return listed


def coarse(count: int, threshold: int) -> Figure:
    """A count that may be told: itself if it is 0 or large enough.

    >>> coarse(0, 5), coarse(3, 5), coarse(5, 5)
    (0, '<5', 5)
    """
    return f"<{threshold}" if 0 < count < threshold else count


def split(part: int, whole: int, threshold: int) -> Figure:
    """A part of a known whole: hidden if it is small, or if what is left of the whole is.

    Hidden either way, so that nobody can tell which of the two it is.

    >>> split(97, 100, 5), split(3, 100, 5), split(90, 100, 5), split(100, 100, 5), split(0, 100, 5)
    ('no se muestra', 'no se muestra', 90, 100, 0)
    """
    small = 0 < part < threshold or 0 < whole - part < threshold
    return HIDDEN if small else part


def _sum(total: int, parts: Sequence[Figure]) -> Figure:
    """A sum of parts: itself if every part is told, else what can be worked out from those that are."""
    told = [part for part in parts if isinstance(part, int)]
    if len(told) == len(parts):
        return total
    bound = sum(told) + len(parts) - len(told)
    return f"al menos {bound}" if HIDDEN not in parts and bound <= total else HIDDEN


def _without_document(source: SourceQuality, threshold: int) -> Figure:
    """Rows without a document are part of those not found in the register; what is left of these must not be small."""
    told = split(source.without_document, source.roster_rows, threshold)
    if not source.programme:
        return told
    return HIDDEN if 0 < source.roster_rows - source.matched - source.without_document < threshold else told


def _matched(source: SourceQuality, threshold: int, shown: bool) -> dict[str, Figure | float]:
    if not source.programme:
        return {}
    told = split(source.matched, source.roster_rows, threshold) if shown else HIDDEN
    share = round(100 * told / source.roster_rows, 1) if isinstance(told, int) and source.roster_rows else None
    return {"en_padron_general": told, "porcentaje_en_padron_general": share}


def _threshold(source: SourceQuality, contents: Contents) -> int:
    """The highest threshold of any table that the source feeds; of all tables for the register."""
    fed = [t for t in contents.tables if source.programme in ("", t.programme.id)] or list(contents.tables)
    return max((threshold_of(table) for table in fed), default=5)


def threshold_of(table: ProgrammeTable) -> int:
    """The threshold that protects one programme in one cube."""
    if table.safe is not None:
        return table.safe.threshold
    return table.cube.thresholds.get(table.programme.id, table.cube.threshold)


def _national_total_shown(programme: str, contents: Contents) -> bool:
    """Whether the programme's national total stands in every table: a report must not give away what a table hides."""
    safes = [t.safe for t in contents.tables if t.programme.id == programme and t.safe is not None]
    totals = [Mark(int(safe.marks[(0,) + (-1,) * len(safe.dimensions)])) for safe in safes]
    return all(mark in (Mark.SHOWN, Mark.ABSENT) for mark in totals)  # a table of pairs has no totals at all


def _national_unfound_shown(programme: str, contents: Contents) -> bool:
    """Whether the nation's users who are not in the register stand in the table, if it counts them apart."""
    for table in contents.tables:
        if table.programme.id != programme or table.safe is None:
            continue
        for axis, dimension in enumerate(table.safe.dimensions):
            if NOT_FOUND in dimension.categories:
                at = [-1] * len(table.safe.dimensions)
                at[axis] = dimension.categories.index(NOT_FOUND)
                if table.safe.marks[(0, *at)] != Mark.SHOWN:
                    return False
    return True


# --- protection --------------------------------------------------------------------------------------------------


def protection(contents: Contents, frames: Mapping[tuple[str, str], pd.DataFrame]) -> dict[str, Any]:
    """What is shown and what is not, by cube, level and programme, counted from the published rows."""
    return {
        "periodo": str(contents.period),
        "revision": contents.revision,
        "como_se_protege": [
            "Una cifra de 1 hasta uno menos que el umbral no se muestra (marca c).",
            "También se reservan otras cifras para que ninguna de esas se pueda deducir restando o comparando tablas. "
            "Todas llevan la misma marca.",
            "Debajo de un total reservado no se muestra ningún desglose, tampoco los ceros (marca d).",
            "Donde un desglose no se puede proteger, no se publica para ese lugar: sus filas no están.",
            "Las cifras mostradas son exactas.",
        ],
        "tablas": [_cube(cube, contents, frames) for cube in cubes_of(contents)],
        **({"tasas": {"tabla": contents.rates.id, "como_se_protege": list(OF_RATES)}} if contents.rates else {}),
    }


def _cube(cube: Cube, contents: Contents, frames: Mapping[tuple[str, str], pd.DataFrame]) -> dict[str, Any]:
    tables = [table for table in contents.tables if table.cube.id == cube.id]
    names = {table.programme.id: table.programme.name(contents.period.last_day()) for table in tables}
    return {
        "tabla": cube.id,
        "umbrales": {table.programme.id: threshold_of(table) for table in tables},
        "niveles": [
            {
                "nivel": level.id,
                "diseno": linked_design(cube) if isinstance(cube, LinkedCube) else design(cube, level, names),
                "programas": counted(frames[cube.id, level.id]),
            }
            for level in cube.level
        ],
        "desgloses_retirados": [
            {"programa": table.programme.id, **row}
            for table in tables
            if table.safe
            for row in _drops(table.safe.drops)
        ],
    }


def design(cube: Cube, level: CubeLevel, titles: Mapping[str, str]) -> str:
    """What the design shows at one level, in words; programmes that show less of it are called by their names."""
    depth = [one.id for one in cube.level].index(level.id)
    usual = next((p for p in cube.programmes if p not in cube.coarser), "")
    every = tuple(d.id for d in (cube.dimensions(usual) if usual else cube.dimension))
    most, others = min(level.crosses, len(every)), {}
    apart = {p for p in cube.programmes if tuple(d.id for d in cube.dimensions(p)) != every}
    for programme in sorted({*apart, *cube.coarser}):
        crosses, names = cube.crosses(programme)[depth], cube.broken_down(programme)[depth]
        if (crosses, names) != (most, every):
            others[programme] = _shown(cube, level, crosses, names)
    return " ".join([_shown(cube, level, most, every), *(f"{titles.get(p, p)}: {text}" for p, text in others.items())])


def linked_design(cube: LinkedCube) -> str:
    """What a table made by linking shows, in words."""
    return f"Por {' y '.join(d.label.lower() for d in cube.dimension)}, cada periodo."


def _shown(cube: Cube, level: CubeLevel, crosses: int, names: Collection[str]) -> str:
    labels = [d.label.lower() for d in cube.dimension if d.id in names]
    if crosses == 0:
        return "Solo totales por programa, cada periodo."
    if crosses == 1:
        text = f"Totales por programa, desglosados por {' o por '.join(labels)}"
    elif crosses == len(labels):
        text = f"Totales por programa y todos los cruces de {_and(labels)}"
    else:
        text = f"Totales por programa y cruces de hasta {crosses} variables a la vez"
    if level.every == "period":
        return text + ", cada periodo."
    return f"{text}, una vez al año ({MONTHS[cube.year_month - 1]}); los demás periodos, solo totales."


def _and(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} y {words[-1]}"


def counted(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows with and without each mark, by programme, as anybody can count them."""
    marks = frame.groupby("programa", sort=False)[MARK]
    return [
        {
            "programa": programme,
            "celdas": len(own),
            "mostradas": int((own == "").sum()),
            "reservadas": int((own == "c").sum()),
            "no_desagregadas": int((own == "d").sum()),
            "no_entregadas": int((own == NOT_DELIVERED).sum()),
        }
        for programme, own in marks
    ]


def _drops(drops: Sequence[Drop]) -> list[dict[str, Any]]:
    """Crosses left out, grouped. Why is told only where public figures decide: the rest would talk about persons."""
    groups: dict[tuple[str, tuple[str, ...], str], set[str]] = {}
    for drop in drops:
        groups.setdefault((drop.level, drop.cross, REASONS.get(drop.reason, PROTECTED)), set()).add(drop.place)
    return [
        {"nivel": level, "cruce": list(cross) or [TOTAL], "motivo": reason, "lugares": sorted(places)}
        for (level, cross, reason), places in sorted(groups.items())
    ]


# --- provenance --------------------------------------------------------------------------------------------------


def provenance(contents: Contents) -> dict[str, Any]:
    """What the bytes depend on."""
    source = contents.provenance
    return {
        "periodo": str(contents.period),
        "revision": contents.revision,
        "entregas_sha256": dict(sorted(source.deliveries.items())),
        "esquemas_sha256": dict(sorted(source.schemas.items())),
        "configuracion_sha256": source.configuration,
        "programa": {"nombre": "rnu", "version": source.version, "codigo_sha256": source.code},
        "dependencias_sha256": source.lock,
        "clave_de_seudonimos": source.key_id,
    }
