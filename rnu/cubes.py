"""A cube of `cubes.toml` in the words of `anonymize`: breakdowns, rules, and a programme's design for one period."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from anonymize import eligibility
from anonymize.aggregate import Band, Breakdown
from anonymize.policy import Policy
from rnu.settings import Ages, Cube, CubeDimension, Period, Programme, Unit
from rnu.ubigeo import Gazetteer


def breakdowns(dimensions: Sequence[CubeDimension]) -> tuple[Breakdown, ...]:
    """Dimensions as columns of rosters."""
    return tuple(Breakdown(d.id, d.column, tuple(Band(c.id, c.low, c.high) for c in d.category)) for d in dimensions)


def rules(programmes: Sequence[Programme], period: Period) -> tuple[eligibility.Rule, ...]:
    """The rules in force on a period's cut date."""
    day = period.last_day()
    return tuple(
        eligibility.Rule(p.id, p.unit is Unit.HOUSEHOLD, rule.cse, _years(rule.age), _years(rule.member))
        for p in programmes
        if (rule := p.rule_on(day))
    )


def _years(ages: Ages | None) -> eligibility.Years | None:
    return eligibility.Years(ages.low, ages.high) if ages else None


def dimensions(cube: Cube, programme: str, judged: Collection[str]) -> tuple[CubeDimension, ...]:
    """What a programme is broken down by; by its users' situation only if it is one of those judged by a rule."""
    return tuple(d for d in cube.dimensions(programme) if d.column != "situation" or programme in judged)


def crosses(cube: Cube, programme: str, period: Period) -> tuple[int, ...]:
    """The most dimensions that each level shows in a period, root first: once a year, or totals only."""
    yearly = period.month == cube.year_month
    shown = zip(cube.level, cube.crosses(programme), strict=True)
    return tuple(most if level.every == "period" or yearly else 0 for level, most in shown)


def policy(
    cube: Cube,
    programme: str,
    period: Period,
    population: Mapping[str, int],
    gazetteer: Gazetteer,
    judged: Collection[str] = (),
) -> Policy:
    """The design of one programme's table in one period, from configuration and public figures alone."""
    known = {d.id for d in dimensions(cube, programme, judged)}
    small = {d.code for d in gazetteer.districts if population.get(d.code, 0) < cube.population_floor}
    return Policy(
        threshold=cube.thresholds.get(programme, cube.threshold),
        crosses=crosses(cube, programme, period),
        broken_down=tuple(frozenset(known.intersection(names)) for names in cube.broken_down(programme)),
        totals_only=frozenset(small),
        dominance=cube.dominance,
        structural={name: frozenset(c) for name, c in cube.structural.get(programme, {}).items()},
    )
