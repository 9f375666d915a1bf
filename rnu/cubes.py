"""A cube of `cubes.toml` in the words of `anonymize`: its breakdowns, and its design for one programme and period."""

from __future__ import annotations

from collections.abc import Mapping

from anonymize.aggregate import Band, Breakdown
from anonymize.policy import Policy
from rnu.settings import Cube, Period
from rnu.ubigeo import Gazetteer


def breakdowns(cube: Cube) -> tuple[Breakdown, ...]:
    """The cube's dimensions as columns of rosters."""
    return tuple(
        Breakdown(d.id, d.column, tuple(Band(c.id, c.low, c.high) for c in d.category)) for d in cube.dimension
    )


def crosses(cube: Cube, programme: str, period: Period) -> tuple[int, ...]:
    """The most dimensions that each level shows in a period, root first: once a year, or totals only."""
    yearly = period.month == cube.year_month
    shown = zip(cube.level, cube.crosses(programme), strict=True)
    return tuple(most if level.every == "period" or yearly else 0 for level, most in shown)


def policy(cube: Cube, programme: str, period: Period, population: Mapping[str, int], gazetteer: Gazetteer) -> Policy:
    """The design of one programme's table in one period, from configuration and public figures alone."""
    small = {d.code for d in gazetteer.districts if population.get(d.code, 0) < cube.population_floor}
    return Policy(
        threshold=cube.thresholds.get(programme, cube.threshold),
        crosses=crosses(cube, programme, period),
        broken_down=tuple(frozenset(names) for names in cube.broken_down(programme)),
        totals_only=frozenset(small),
        dominance=cube.dominance,
        structural={name: frozenset(c) for name, c in cube.structural.get(programme, {}).items()},
    )
