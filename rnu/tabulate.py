"""From a period's rosters to protected tables: count with one expression per cube, protect, attack what is shown."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from typing import TypeVar

import ibis
import ibis.expr.types as ir
import pandas as pd

from anonymize.aggregate import aggregate, cells, cse
from anonymize.eligibility import Rule, eligible
from anonymize.errors import BadCells, Unprotectable
from anonymize.policy import Policy
from anonymize.pseudonym import Key
from anonymize.secure import Protected, secure
from anonymize.tables import Cells, Mark
from anonymize.workers import pool
from rnu import cubes
from rnu.errors import DisclosureRisk, SettingsError, StoreError
from rnu.ledger import Intake
from rnu.rosters import as_one_table, engine_in
from rnu.secrets import protection_key
from rnu.settings import Cube, Kind, Period, Settings
from rnu.store import Store
from rnu.ubigeo import Gazetteer

EMPTY_REGISTER = {
    **{"pseudonym": "binary", "household": "binary", "place": "string", "age": "int16"},
    **{"cse": "string", "cse_from": "date", "cse_until": "date"},
}
EMPTY_COUNTS = ("programme", "place", "n", "rows", "matched")


# --- counting ----------------------------------------------------------------------------------------------------


def count(cube: Cube, settings: Settings, intakes: Mapping[str, Intake], period: Period, store: Store) -> pd.DataFrame:
    """The cube's cells for all its programmes: programme, place, one column per dimension, n, rows, matched."""
    counting = {
        source.id: store.roster(str(period), intakes[source.id].roster)
        for source in settings.rosters()
        if source.programme in cube.programmes and source.id in intakes
    }
    rules = _rules(cube, settings, intakes, period)
    if not counting or (cube.counts == "eligible" and not rules):
        return pd.DataFrame(columns=[*EMPTY_COUNTS, *(d.id for d in cube.dimension)])
    with store.work(f"aggregate-{cube.id}") as work, engine_in(work) as engine:
        rosters = as_one_table(engine, work / "rosters", counting)
        register = next((s for s in settings.rosters() if s.kind is Kind.REGISTER and s.id in intakes), None)
        known = (
            engine.read_parquet(store.roster(str(period), intakes[register.id].roster))
            if register
            else engine.create_table("register", schema=ibis.schema(EMPTY_REGISTER))
        )
        return _counted(cube, rosters, known, rules, period)


def _counted(cube: Cube, rosters: ir.Table, register: ir.Table, rules: Sequence[Rule], period: Period) -> pd.DataFrame:
    cut = period.last_day()
    rows = eligible(rosters, register, rules, cut) if cube.counts == "eligible" else cse(rosters, register, cut, rules)
    named = [d for d in cube.dimension if d.column != "situation" or rules]
    found: pd.DataFrame = aggregate(rows, cubes.breakdowns(named)).to_pandas()
    return found


def _rules(cube: Cube, settings: Settings, intakes: Mapping[str, Intake], period: Period) -> tuple[Rule, ...]:
    """The rules by which a cube's programmes are judged: in force, and the register is in to tell."""
    if not any(s.kind is Kind.REGISTER and s.id in intakes for s in settings.rosters()):
        return ()
    asked = cube.counts == "eligible" or any(d.column == "situation" for d in cube.dimension)
    named = {p for d in cube.dimension if d.column == "situation" for p in d.programmes} or set(cube.programmes)
    return cubes.rules([settings.programme(p) for p in cube.programmes if p in named], period) if asked else ()


# --- protecting --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Task:
    """One programme's table, with the design that protects it."""

    cube: str
    programme: str
    table: Cells
    policy: Policy
    key: bytes = field(repr=False)  # secret, see `protect`


def tasks(
    settings: Settings,
    counts: Mapping[str, pd.DataFrame],
    intakes: Mapping[str, Intake],
    period: Period,
    gazetteer: Gazetteer,
    key: Key,
) -> tuple[Task, ...]:
    """The tables of every programme whose roster came. Raises SettingsError where users fit no category."""
    delivered = {settings.source(id).programme for id in intakes}
    places, population = gazetteer.tree(), settings.inhabitants()
    out = []
    for cube in settings.cubes:
        judged = {rule.programme for rule in _rules(cube, settings, intakes, period)}
        for programme in (p for p in cube.programmes if p in delivered):
            if cube.counts == "eligible" and programme not in judged:
                continue
            own = cubes.breakdowns(cubes.dimensions(cube, programme, judged))
            try:
                table = cells(counts[cube.id], programme, places, own)
            except BadCells as error:
                raise SettingsError(
                    str(error), where=f"config/cubes.toml: {cube.id}.dimension", remedy="add a category, or `sin_dato`"
                ) from error
            policy = cubes.policy(cube, programme, period, population, gazetteer, judged)
            secret = protection_key(key, cube.id, programme)
            out.append(Task(cube.id, programme, table, policy, secret))
    return tuple(out)


def protect_all(todo: Sequence[Task]) -> Iterator[tuple[Task, Protected]]:
    """Protect every table on all cores, in order; DisclosureRisk where nothing of a programme can be shown."""
    for task, made in side_by_side(_secured, todo):
        if isinstance(made, Unprotectable):
            raise DisclosureRisk(
                f"{task.programme} cannot be protected: {made}",
                where=f"config/cubes.toml: {task.cube}.programmes",
                remedy="take the programme out of the cube until it has more users",
            ) from made
        yield task, made


def _secured(task: Task) -> Protected | Unprotectable:
    try:
        return secure(task.table, task.policy, key=task.key, cores=os.cpu_count() or 1)
    except Unprotectable as error:
        return error


def effort(task: Task) -> int:
    """About how long a table takes: proofs to be found, one for each value of an inner cell at risk."""
    counts, threshold = task.table.counts, task.policy.threshold
    return threshold * int(((counts > 0) & (counts < threshold)).sum())


Made = TypeVar("Made")


def side_by_side(work: Callable[[Task], Made], todo: Sequence[Task]) -> Iterator[tuple[Task, Made]]:
    """Do something with every table on all cores, what takes longest first; yielded in the order they came in.

    StoreError if the machine ended a worker.
    """
    with pool() as workers:
        dearest_first = sorted(range(len(todo)), key=lambda i: effort(todo[i]), reverse=True)
        futures = {i: workers.submit(work, todo[i]) for i in dearest_first}
        for i, task in enumerate(todo):
            try:
                yield task, futures[i].result()
            except BrokenProcessPool as error:
                raise StoreError(
                    "a worker was ended from outside",
                    where=f"protect {task.programme}",
                    remedy="memory ran out, most likely; run the same command again: nothing is half-written",
                ) from error


def told(made: Protected) -> dict[str, int | float | str]:
    """What protecting found, for the screen: nothing that the files do not show."""
    marks = made.safe.marks
    return {
        "shown": int((marks == Mark.SHOWN).sum()),
        "withheld": int((marks == Mark.WITHHELD).sum()),
        "not_broken_down": int((marks == Mark.BELOW).sum()),
        "crosses_dropped": len(made.safe.drops),
    }
