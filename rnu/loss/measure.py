"""What today's design and tried ones withhold, from the same counts."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from anonymize.errors import Unprotectable
from anonymize.protect import LevelFacts, facts, protect
from anonymize.pseudonym import Key
from rnu.errors import SourceUnavailable
from rnu.institution import Institution
from rnu.loss.trial import Trial
from rnu.settings import Period
from rnu.tabulate import Task, count, side_by_side, tasks
from rnu.ubigeo import LEVELS

TODAY = "today"


@dataclass(frozen=True, slots=True)
class Measured:
    """What protection costs one programme: by level, root first; None if nothing of it could be shown."""

    cube: str
    programme: str
    levels: tuple[LevelFacts, ...] | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """Today's design and the tried ones: for each, what it costs every programme, in the same order."""

    period: str
    names: tuple[str, ...]  # `today` first
    measured: tuple[tuple[Measured, ...], ...]

    @property
    def labels(self) -> tuple[str, ...]:
        """What each programme's table is called: by its programme, and by its cube where a programme stands in two."""
        tables = self.measured[0]
        twice = {t.programme for t in tables if sum(t.programme == other.programme for other in tables) > 1}
        return tuple(f"{t.cube}/{t.programme}" if t.programme in twice else t.programme for t in tables)

    def as_json(self) -> dict[str, Any]:
        """For a machine."""
        designs = [
            {"design": name, "programmes": [_as_json(one) for one in design]}
            for name, design in zip(self.names, self.measured, strict=True)
        ]
        return {"period": self.period, "designs": designs}

    def lines(self) -> list[str]:
        """For a person: of each programme and level, the cells and the share of its users that are not shown."""
        width = [max(len(name), 18) for name in self.names]
        head = "".join(f"   {name:>{w}}" for name, w in zip(self.names, width, strict=True))
        out = [f"Tried on {self.period}; nothing was kept. Cells not shown, and the share of all users in them:"]
        out.append(f"  {'':24} {'':12}{head}")
        for label, same in zip(self.labels, zip(*self.measured, strict=True), strict=True):
            for depth, level in enumerate(LEVELS):
                cells = "".join(f"   {_cell(one, depth):>{w}}" for one, w in zip(same, width, strict=True))
                out.append(f"  {'' if depth else label:24} {level:12}{cells}")
        return out


def compare(institution: Institution, period: Period, trials: Sequence[Trial], key: Key) -> Comparison:
    """Count a period's rosters, and protect the counts by today's configuration and by every trial's.

    Nothing is kept, and nothing is attacked: an attack that finds something coarsens a little more. Raises
    SettingsError for a trial that is no design, SourceUnavailable if no roster of the period is in.
    """
    designs = [institution.settings, *(trial.settings(institution.settings) for trial in trials)]
    intakes = {s: i for s, i in institution.ledger.intakes(str(period)).items() if i.roster}
    if not intakes:
        raise SourceUnavailable(
            f"no roster of {period} is in", where="rnu build --try", remedy=f"rnu run --period {period}"
        )
    with institution.store.locked():
        today = institution.settings
        counts = {cube.id: count(cube, today, intakes, period, institution.store) for cube in today.cubes}
    todo = [tasks(design, counts, intakes, period, institution.gazetteer, key) for design in designs]
    found = iter([Measured(t.cube, t.programme, levels) for t, levels in side_by_side(_cost, sum(todo, ()))])
    measured = tuple(tuple(next(found) for _ in design) for design in todo)
    return Comparison(str(period), (TODAY, *(str(trial) for trial in trials)), measured)


def _as_json(one: Measured) -> dict[str, Any]:
    levels = [dataclasses.asdict(level) | {"share_unshown": level.share_unshown} for level in one.levels or ()]
    return {"cube": one.cube, "programme": one.programme, "protected": one.levels is not None, "levels": levels}


def _cell(one: Measured, depth: int) -> str:
    if one.levels is None:
        return "cannot be shown"
    level = one.levels[depth]
    return f"{level.primary + level.secondary + level.below + level.dropped:,} {level.share_unshown:8.2%}"


def _cost(task: Task) -> tuple[LevelFacts, ...] | None:
    try:
        safe = protect(task.table, task.policy, key=task.key, cores=os.cpu_count() or 1)
        return facts(task.table, task.policy, safe).levels
    except Unprotectable:
        return None
