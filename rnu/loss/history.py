"""Loss from release to release, as each of them says it itself: beside the thresholds that it was protected with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rnu.loss.chart import STEWARDS, drawing
from rnu.ubigeo import LEVELS

DRAWING = "perdida.svg"  # in the steward's own folder of a release
MOST = 13  # releases that are drawn, the latest: a year and the month it is compared with


@dataclass(frozen=True, slots=True)
class Loss:
    """What is not shown of one programme's table."""

    threshold: int
    shares: Mapping[str, float]  # by level


@dataclass(frozen=True, slots=True)
class Past:
    """A release, and what is not shown of each table, which is called by its cube and programme."""

    name: str
    tables: Mapping[str, Loss]


def as_the_steward_knows(name: str, protection: Mapping[str, Any]) -> Past:
    """By the steward's own report: the share of users in what is not shown, each counted in every cell they are in."""
    return Past(
        name,
        {
            table: Loss(told["threshold"], {level["level"]: level["share_unshown"] for level in told["levels"]})
            for table, told in protection.items()
        },
    )


def as_anybody_counts(name: str, protection: Mapping[str, Any]) -> Past:
    """By a release's own `proteccion.json`: the share of its rows that show no number. What did not come has none.

    Tables made by linking, which stop at the departments, are left out.
    """
    shares: dict[str, dict[str, float]] = {}
    thresholds: dict[str, int] = {}
    for cube in (one for one in protection["tablas"] if len(one["niveles"]) == len(LEVELS)):
        for level in cube["niveles"]:
            for told in level["programas"]:
                if told["celdas"] > told["no_entregadas"]:
                    table = f"{cube['tabla']}/{told['programa']}"
                    shares.setdefault(table, {})[level["nivel"]] = 1 - told["mostradas"] / told["celdas"]
                    thresholds[table] = cube["umbrales"][told["programa"]]
    return Past(name, {table: Loss(thresholds[table], own) for table, own in shares.items()})


def history(releases: Sequence[Past], title: str) -> str:
    """An SVG of releases in their order, the one that is looked at last."""
    releases = releases[-MOST:]
    tables = sorted({table for one in releases for table in one.tables})
    labels = _labels(tables)
    curves = {
        level: {
            f"{labels[table]} ({_thresholds(releases, table)})": tuple(
                one.tables[table].shares.get(level) if table in one.tables else None for one in releases
            )
            for table in tables
        }
        for level in LEVELS
    }
    note = f"Cada línea es un programa, con su umbral; a la derecha, la publicación que se revisa. {STEWARDS}"
    return drawing(title, note, [one.name for one in releases], curves)


def _labels(tables: Sequence[str]) -> dict[str, str]:
    """Tables by their programmes' names; with the cube where a programme stands in several.

    >>> _labels(["alumnos/qw", "elegibles/sis", "usuarios/sis"])
    {'alumnos/qw': 'qw', 'elegibles/sis': 'elegibles/sis', 'usuarios/sis': 'usuarios/sis'}
    """
    programmes = [table.partition("/")[2] for table in tables]
    return {
        table: programme if programmes.count(programme) == 1 else table
        for table, programme in zip(tables, programmes, strict=True)
    }


def _thresholds(releases: Sequence[Past], table: str) -> str:
    """A table's threshold, or all that it had, one after the other."""
    had = (str(one.tables[table].threshold) for one in releases if table in one.tables)
    return " → ".join(dict.fromkeys(had))
