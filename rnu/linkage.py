"""What rosters say together: persons in several programmes, arrivals and departures; counted, protected, made tables.

Rosters are linked by pseudonym, inside the owner's store: of one period with each other, and with the same programme's
of the period before. Two rosters whose pseudonyms were made with different keys do not link.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from anonymize.aggregate import moves, programme_sets
from anonymize.errors import Unprotectable
from anonymize.joint.flows import MOVEMENT, Flows
from anonymize.joint.overlaps import Overlaps, Users, overlaps_of
from anonymize.joint.secure import JointFacts, secure_flows, secure_overlaps
from anonymize.joint.verify import NUMBER, OTHER
from anonymize.pseudonym import Key
from anonymize.secure import Protected
from anonymize.tables import TOTAL, Mark, Places
from rnu.errors import DisclosureRisk, SettingsError
from rnu.ledger import Intake
from rnu.release.model import ProgrammeTable
from rnu.rosters import as_one_table, engine_in
from rnu.secrets import protection_key
from rnu.settings import (
    EVERY_PROGRAMME,
    Category,
    Cube,
    CubeDimension,
    CubeLevel,
    FlowTables,
    LinkedCube,
    LinkedTable,
    Name,
    OverlapTables,
    Period,
    Programme,
    Settings,
    Unit,
)
from rnu.store import Store
from rnu.ubigeo import LEVELS, NATION, Gazetteer

SHOWN_AT = LEVELS[:2]
EVERYBODY = Programme(EVERY_PROGRAMME, Unit.PERSON, (Name("Todos los programas enlazados", date(1900, 1, 1)),))
TOLD = {"shown": Mark.SHOWN, "withheld": Mark.WITHHELD, "not_broken_down": Mark.BELOW}
MOVEMENTS = {
    "altas": "Altas: personas que son usuarias en el lugar y no lo eran el periodo anterior",
    "bajas": "Bajas: personas que eran usuarias en el lugar el periodo anterior y ya no lo son",
    "traslados": "Traslados: personas usuarias en ambos periodos, en otro departamento",
}


@dataclass(frozen=True, slots=True)
class Linked:
    """Tables made by linking, and what protecting each cost, for the steward alone."""

    tables: tuple[ProgrammeTable, ...] = ()
    facts: tuple[tuple[str, JointFacts], ...] = ()
    notes: tuple[str, ...] = ()

    def told(self) -> dict[str, int | float | str]:
        """What it came to, for the screen: nothing that the files do not show."""
        marks = [t.safe.marks for t in self.tables if t.safe is not None]
        counted = {word: sum(int((m == mark).sum()) for m in marks) for word, mark in TOLD.items()}
        return {**counted, "tables_not_delivered": sum(t.safe is None for t in self.tables)}


@dataclass(frozen=True, slots=True)
class Shown:
    """What the programmes' own tables say of users by programme and place, nation and departments."""

    counts: Mapping[tuple[str, str], int]
    marks: Mapping[tuple[str, str], Mark]
    large: frozenset[tuple[str, str]] = frozenset()  # withheld, and everybody can know that the threshold is reached

    @classmethod
    def of(
        cls, settings: Settings, counts: Mapping[str, pd.DataFrame], made: Mapping[tuple[str, str], Protected]
    ) -> Shown:
        """From what was counted and protected, by cube (and programme), of those that count users."""
        of_users = {cube.id for cube in settings.cubes if cube.counts == "users"}
        users: dict[tuple[str, str], int] = {}
        marks: dict[tuple[str, str], Mark] = {}
        large = set[tuple[str, str]]()
        for (cube, programme), protected in made.items():
            if cube not in of_users:
                continue
            own = counts[cube][counts[cube]["programme"] == programme]
            users[programme, NATION] = int(own["n"].sum())
            for department, n in own.groupby(own["place"].str[:2])["n"].sum().items():
                users[programme, str(department)] = int(n)
            safe = protected.safe
            total = (-1,) * len(safe.dimensions)
            for place in np.flatnonzero(safe.places.level < len(SHOWN_AT)).tolist():
                marks[programme, safe.places.codes[place]] = Mark(int(safe.marks[(place, *total)]))
            listed = (one for one in protected.certificate.large if one.level in SHOWN_AT)
            large |= {(programme, one.place) for one in listed if set(one.categories) <= {TOTAL}}
        return cls(users, marks, frozenset(large))

    def where(self, programmes: Sequence[str], places: Places, mark: Mark) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """(places, programmes) where a programme's total has a mark."""
        return np.array([[self.marks.get((p, code)) is mark for p in programmes] for code in places.codes])

    def where_large(self, programmes: Sequence[str], places: Places) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """(places, programmes) where everybody can know that a withheld total reaches its threshold."""
        return np.array([[(p, code) in self.large for p in programmes] for code in places.codes])


def departments(gazetteer: Gazetteer) -> Places:
    """The nation and its departments."""
    return Places.of([(NATION, code) for code in sorted({d.code[:2] for d in gazetteer.districts})], SHOWN_AT)


# --- overlaps --------------------------------------------------------------------------------------------------------


def overlaps(
    settings: Settings,
    intakes: Mapping[str, Intake],
    period: Period,
    store: Store,
    gazetteer: Gazetteer,
    shown: Shown,
    key: Key,
) -> Linked:
    """The tables of overlaps of a period; none if they are not configured. Raises DisclosureRisk, SettingsError."""
    if settings.overlaps is None:
        return Linked()
    ordered = sorted(settings.overlaps.programmes, key=lambda p: -settings.threshold(p))
    delivered = [p for p in ordered if _intake(settings, intakes, p)]
    number, pairs = _overlap_cubes(settings, settings.overlaps, delivered, period)
    missing = [ProgrammeTable(pairs, settings.programme(p), None) for p in ordered if p not in delivered]
    if len(delivered) < 2:
        return Linked((ProgrammeTable(number, EVERYBODY, None), *missing))
    counted = _count_overlaps(settings, intakes, period, store, departments(gazetteer), delivered)
    told = [shown.where(delivered, counted.places, mark) for mark in (Mark.SHOWN, Mark.WITHHELD)]
    told.append(shown.where_large(delivered, counted.places))
    users = np.array([[shown.counts.get((p, code), 0) for p in delivered] for code in counted.places.codes])
    try:
        safe = secure_overlaps(counted, Users(users, *told), protection_key(key, number.id, EVERY_PROGRAMME))
    except Unprotectable as error:
        raise DisclosureRisk(
            f"overlaps cannot be protected: {error}",
            where="config/cubes.toml: overlaps.programmes",
            remedy="leave out the programme with the fewest users",
        ) from error
    tables = [ProgrammeTable(pairs, settings.programme(p), safe.pairs[p]) for p in delivered[:-1]]
    names = ", ".join(settings.programme(p).name(period.last_day()) for p in ordered if p not in delivered)
    notes = (f"Los cruces entre programas no incluyen los padrones no entregados: {names}.",) if names else ()
    return Linked(
        (ProgrammeTable(number, EVERYBODY, safe.number, safe.certificate), *tables, *missing),
        ((number.id, safe.facts),),
        notes,
    )


def _overlap_cubes(
    settings: Settings, tables: OverlapTables, programmes: Sequence[str], period: Period
) -> tuple[Cube, Cube]:
    """Both tables as cubes: by number of programmes, and by pair."""
    names = {p: settings.programme(p).name(period.last_day()) for p in programmes}
    thresholds = {p: settings.threshold(p) for p in programmes}
    order = (
        "Cada persona cuenta una sola vez, en el departamento donde figura el primero de sus programas en este orden: "
        f"{', '.join(names.values())}. Quien figura sin documento no se puede enlazar: cuenta como persona de un solo "
        "programa."
    )
    numbers = tuple(Category(str(j), f"En {j} programa{'s' if j > 1 else ''}") for j in range(1, len(programmes) + 1))
    number = _cube(tables.number, NUMBER, numbers, (EVERYBODY.id,), {EVERYBODY.id: max(thresholds.values(), default=5)})
    others = tuple(Category(p, name) for p, name in names.items())
    pairs = _cube(tables.pairs, OTHER, others, tuple(programmes[:-1]), thresholds, proven_with=number.id)
    return _described(number, order), _described(pairs, order)


def _count_overlaps(
    settings: Settings,
    intakes: Mapping[str, Intake],
    period: Period,
    store: Store,
    places: Places,
    programmes: Sequence[str],
) -> Overlaps:
    rosters = {p: _roster(settings, intakes, p, period, store) for p in programmes}
    if len(set(map(key_of, rosters.values()))) > 1:
        raise SettingsError(
            "the period's rosters have pseudonyms of different keys: they do not link",
            where="store/rosters",
            remedy="`rnu run` with the key takes all of them in anew",
        )
    with store.work("overlaps") as work, engine_in(work) as engine:
        found = programme_sets(as_one_table(engine, work / "now", rosters), programmes).to_pandas()
    rows = [
        (str(home), int(which), int(n), int(away))
        for home, which, n, away in found[["home", "programmes", "n", "elsewhere"]].itertuples(index=False)
    ]
    return overlaps_of(rows, places, {p: settings.threshold(p) for p in programmes})


# --- flows -----------------------------------------------------------------------------------------------------------


def flows(
    settings: Settings,
    intakes: Mapping[str, Intake],
    earlier: Mapping[str, Intake],
    period: Period,
    store: Store,
    gazetteer: Gazetteer,
    shown: Shown,
    key: Key,
) -> Linked:
    """Arrivals and departures since the period before; none if not configured, or if that period has no rosters."""
    if settings.flows is None or not any(_intake(settings, earlier, p) for p in settings.flows.programmes):
        return Linked()
    cube = _flow_cube(settings, settings.flows, period)
    now: dict[str, Path] = {}  # of the programmes whose rosters link
    before: dict[str, Path] = {}
    places = departments(gazetteer)
    for p in settings.flows.programmes:
        if _intake(settings, intakes, p) and _intake(settings, earlier, p):
            here = _roster(settings, intakes, p, period, store)
            there = _roster(settings, earlier, p, period.minus(1), store)
            if key_of(here) == key_of(there):
                now[p], before[p] = here, there
    counted = _count_flows(store, now, before) if now else pd.DataFrame()
    tables, facts = [], []
    for p in settings.flows.programmes:
        if p not in now:
            tables.append(ProgrammeTable(cube, settings.programme(p), None))
            continue
        told = [shown.where([p], places, mark)[:, 0] for mark in (Mark.SHOWN, Mark.WITHHELD)]
        told.append(shown.where_large([p], places)[:, 0])
        own = Flows(places, settings.threshold(p), _by_department(counted[counted["programme"] == p], places), *told)
        try:
            safe = secure_flows(own, protection_key(key, cube.id, p))
        except Unprotectable as error:
            raise DisclosureRisk(
                f"arrivals and departures of {p} cannot be protected: {error}",
                where="config/cubes.toml: flows.programmes",
                remedy="leave the programme out there",
            ) from error
        tables.append(ProgrammeTable(cube, settings.programme(p), safe.movements, safe.certificate))
        facts.append((f"{cube.id}/{p}", safe.facts))
    return Linked(tuple(tables), tuple(facts))


def _flow_cube(settings: Settings, tables: FlowTables, period: Period) -> Cube:
    how = (
        f"Se comparan los padrones de {period} con los de {period.minus(1)}. En un departamento son altas y bajas "
        "también quienes vienen de otro departamento o se van a otro; en todo el país no, y se cuentan como traslados. "
        "Quien figura sin documento no se puede seguir: se supone que permanece, y solo la diferencia cuenta."
    )
    categories = tuple(Category(id, MOVEMENTS[id]) for id in MOVEMENT.categories)
    thresholds = {p: settings.threshold(p) for p in tables.programmes}
    return _described(_cube(tables.table, MOVEMENT.id, categories, tables.programmes, thresholds), how)


def _count_flows(store: Store, now: Mapping[str, Path], before: Mapping[str, Path]) -> pd.DataFrame:
    with store.work("flows") as work, engine_in(work) as engine:
        tables = (as_one_table(engine, work / "now", now), as_one_table(engine, work / "before", before))
        found: pd.DataFrame = moves(*tables).to_pandas()
    return found


def _by_department(rows: pd.DataFrame, places: Places) -> np.ndarray[Any, np.dtype[np.int64]]:
    """(departments, 5) who stays, is new, comes from elsewhere, ends, goes elsewhere; who has no document stays."""
    index = {code: i for i, code in enumerate(places.codes[1:])}
    out = np.zeros((len(index), 5), dtype=np.int64)
    nameless = np.zeros((len(index), 2), dtype=np.int64)  # now, before
    for was, here, linked, n in rows[["was", "is", "linked", "n"]].itertuples(index=False):
        now, before = index.get(here, -1), index.get(was, -1)
        if not linked:
            nameless[max(now, before), 0 if now >= 0 else 1] += n
        elif now == before:
            out[now, 0] += n
        else:
            if now >= 0:
                out[now, 2 if before >= 0 else 1] += n
            if before >= 0:
                out[before, 4 if now >= 0 else 3] += n
    stay = nameless.min(axis=1)
    out[:, 0] += stay
    out[:, [1, 3]] += nameless - stay[:, None]
    return out


# --- rosters ---------------------------------------------------------------------------------------------------------


def _intake(settings: Settings, intakes: Mapping[str, Intake], programme: str) -> Intake | None:
    """The intake of a programme's roster, if it came."""
    return next((intakes[s.id] for s in settings.rosters() if s.programme == programme and s.id in intakes), None)


def _roster(settings: Settings, intakes: Mapping[str, Intake], programme: str, period: Period, store: Store) -> Path:
    intake = _intake(settings, intakes, programme)
    if intake is None:
        raise LookupError(programme)
    return store.roster(str(period), intake.roster)


def key_of(roster: Path) -> str:
    """The id of the key that a roster's pseudonyms were made with."""
    return (pq.read_metadata(roster).metadata or {}).get(b"key_id", b"").decode()


# --- words -----------------------------------------------------------------------------------------------------------


def _cube(
    table: LinkedTable,
    dimension: str,
    categories: tuple[Category, ...],
    programmes: tuple[str, ...],
    thresholds: Mapping[str, int],
    proven_with: str = "",
) -> Cube:
    return LinkedCube(
        id=table.id,
        title=table.title,
        description=table.description,
        unit=Unit.PERSON,
        measure=table.measure,
        measure_label=table.measure_label,
        programmes=programmes,
        dimension=(CubeDimension(dimension, table.label, "", categories),),
        level=(CubeLevel("nacion", 1), CubeLevel("departamento", 1)),
        threshold=min(thresholds.values(), default=5),
        thresholds=dict(thresholds),
        keywords=table.keywords,
        totals=dimension == NUMBER,
        proven_with=proven_with,
    )


def _described(cube: Cube, more: str) -> Cube:
    return replace(cube, description=f"{cube.description} {more}")
