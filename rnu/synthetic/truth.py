"""What a right run must find, worked out from the people drawn and the rows made of them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from rnu.settings import Kind, Period, Source, Unit
from rnu.synthetic.country import Country
from rnu.synthetic.people import Bool, Cse, Int8, Int32, Int64, People
from rnu.synthetic.render import ages, day_number
from rnu.synthetic.rosters import UNBROKEN, Habits, Rows, documented
from rnu.synthetic.schools import Level, Schools

SEXES = ("hombre", "mujer")
BANDS = ("0_5", "6_17", "18_29", "30_44", "45_64", "65_mas")
BAND_STARTS = (6, 18, 30, 45, 65)
CLASSES = tuple(c.name.lower() for c in Cse if c is not Cse.BLANK)
LEVELS = tuple(level.name for level in Level)
DIMENSIONS: Mapping[Unit, Mapping[str, tuple[str, ...]]] = {
    Unit.PERSON: {"sexo": SEXES, "grupo_edad": BANDS, "cse": CLASSES},
    Unit.HOUSEHOLD: {"cse": CLASSES},
    Unit.INSTITUTION: {"nivel": LEVELS},
}
RULED = ("pension65", "juntos")  # programmes with a rule that the register can tell
SITUATIONS = ("cumple", "no_cumple", "sin_cse", "no_encontrado")
COLUMNS = ("sexo", "grupo_edad", "cse", "nivel", "situacion")


def dimensions(programme: str, unit: Unit) -> Mapping[str, tuple[str, ...]]:
    """What a programme's users are told apart by: by their situation only where the register can tell."""
    return {**DIMENSIONS[unit], "situacion": SITUATIONS} if programme in RULED else DIMENSIONS[unit]


@dataclass(slots=True)
class SourceTruth:
    """What a right run finds of one source in one period. Grows block by block."""

    source: str
    programme: str
    cut: str
    rows: int = 0
    set_aside: dict[tuple[str, str], int] = field(default_factory=dict)  # (field, rule) -> rows
    inactive: int = 0
    duplicates: int = 0
    duplicates_disagreeing: int = 0
    without_document: int = 0
    roster_rows: int = 0
    weight: int = 0
    matched: int = 0

    def as_json(self) -> dict[str, object]:
        """For `truth.json`."""
        broken = [{"field": f, "rule": r, "rows": n} for (f, r), n in sorted(self.set_aside.items())]
        return {**asdict(self), "set_aside": broken}


@dataclass(frozen=True, slots=True)
class Truth:
    """What a right run finds: per period and source, and every inner cell."""

    sources: Mapping[tuple[str, str], SourceTruth]  # (period, source)
    cells: pa.Table  # period, programme, ubigeo, the dimensions' columns (null where not of the cube), n
    eligible: pa.Table  # period, programme, ubigeo, n: who meets the rule by the register, and is no user
    links: Links

    def totals(self) -> dict[str, dict[str, int]]:
        """Users (persons, households, pupils) by period and programme."""
        out: dict[str, dict[str, int]] = {}
        for (period, _), truth in sorted(self.sources.items()):
            if truth.programme:
                out.setdefault(period, {})[truth.programme] = truth.weight
        return out

    def write(self, out: Path) -> None:
        """Write the tables, then `truth.json`: where that stands, all of it was written."""
        pq.write_table(self.cells, out / "truth_cells.parquet")
        pq.write_table(self.eligible, out / "truth_eligible.parquet")
        document = {"sources": _by_period(self.sources), "totals": self.totals(), **self.links.as_json()}
        text = json.dumps(document, ensure_ascii=False, indent=1, sort_keys=True)
        (out / "truth.json").write_text(text + "\n", encoding="utf-8")


def _by_period(sources: Mapping[tuple[str, str], SourceTruth]) -> dict[str, dict[str, object]]:
    out: dict[str, dict[str, object]] = {}
    for (period, source), truth in sources.items():
        out.setdefault(period, {})[source] = truth.as_json()
    return out


@dataclass(frozen=True, slots=True, repr=False)
class Judged:
    """Where a block's people stand to one programme's rule, by the register alone."""

    told: Bool  # of persons: the register has a valid CSE (of the household's, where the household is judged)
    meets: Bool
    place: Int64  # of whoever is counted: a person's row, a household's first place; -1 where nobody is


@dataclass(frozen=True, slots=True, repr=False)
class Register:
    """What the household register says of a block's people, once its bad and doubled rows are gone."""

    people: People
    who: Int64  # of rows
    cse: Int8
    place: Int64
    named: Bool  # whether a document stands there
    valid: Bool  # the CSE, on the period's last day
    age: Int64

    @classmethod
    def of(cls, people: People, rows: Rows, kept: Kept, period: Period) -> Register:
        """The rows that count, on a period's last day."""
        who, today = rows.who[kept.rows], day_number(period.last_day())
        valid = (people.valid_from <= today) & ((people.valid_until < 0) | (people.valid_until >= today))
        return cls(
            people,
            who,
            rows.cse[kept.rows],
            rows.place[kept.rows].astype(np.int64),
            kept.documented,
            valid[people.household][who],
            ages(people.birth[who], period.last_day()),
        )

    @property
    def found(self) -> Bool:
        """Of persons: whether a document is in the register."""
        found = np.zeros(len(self.people), dtype=bool)
        found[self.who[self.named]] = True
        return found

    def official(self) -> tuple[Int8, Bool]:
        """Of persons: the register's CSE, and whether it is valid."""
        cse = np.full(len(self.people), Cse.BLANK, dtype=np.int8)
        valid = np.zeros(len(self.people), dtype=bool)
        cse[self.who[self.named]], valid[self.who[self.named]] = self.cse[self.named], self.valid[self.named]
        return cse, valid

    def judged(self, programme: str) -> Judged:
        """Where everybody stands to a programme's rule."""
        match programme:
            case "pension65":
                return self._persons((self.cse == Cse.POBRE_EXTREMO) & (self.age >= 65))
            case "juntos":
                return self._homes(self.cse <= Cse.POBRE_NO_EXTREMO, self.age < 19)
            case _:
                raise ValueError(f"the register cannot tell the rule of '{programme}'")

    def _persons(self, test: Bool) -> Judged:
        told, meets = np.zeros((2, len(self.people)), dtype=bool)
        place = np.full(len(self.people), -1, dtype=np.int64)
        own = self.who[self.named]
        told[own], meets[own] = self.valid[self.named], (self.valid & test)[self.named]
        place[own] = self.place[self.named]
        return Judged(told, meets, place)

    def _homes(self, poor: Bool, young: Bool) -> Judged:
        """A household meets a condition if one of its rows does; who is in the same household stands alike."""
        home, homes = self.people.household[self.who], len(self.people.head)
        some = [np.bincount(home, test, homes) > 0 for test in (self.valid, self.valid & poor, young, self.named)]
        told, any_poor, any_young, named = some
        first = np.full(homes, np.iinfo(np.int64).max)
        np.minimum.at(first, home, self.place)
        of = self.people.household
        place = np.where(named, first, -1)
        head = np.zeros(len(self.people), dtype=bool)
        head[self.people.head] = True  # a household is counted once, at its head
        return Judged(told[of], (any_poor & any_young)[of], np.where(head, place[of], -1))


@dataclass(frozen=True, slots=True, repr=False)
class Kept:
    """The rows of a roster that stand for users: neither broken, nor retired, nor doubled."""

    rows: Int64  # positions of the delivered rows
    documented: Bool


def _left(truth: SourceTruth, rows: Rows, habits: Habits) -> Int64:
    """Positions of the rows that are neither broken nor retired; the others are counted."""
    truth.rows += len(rows)
    for index, defect in enumerate(habits.defects):
        if n := int((rows.defect == index).sum()):
            truth.set_aside[defect.reported] = truth.set_aside.get(defect.reported, 0) + n
    good = rows.defect == UNBROKEN
    truth.inactive += int((good & ~rows.active).sum())
    return np.flatnonzero(good & rows.active)


def _keep(truth: SourceTruth, people: People, rows: Rows, habits: Habits) -> Kept:
    """The rows that stand for users: of those left, the first of each document; the later ones are counted."""
    left = _left(truth, rows, habits)
    known = documented(people, rows.who[left], habits)
    with_document = left[known]
    _, first, which = np.unique(rows.who[with_document], return_index=True, return_inverse=True)
    original = with_document[first][which]
    later = original != with_document
    differs = (rows.place[with_document] != rows.place[original]) | (rows.cse[with_document] != rows.cse[original])
    truth.duplicates += int(later.sum())
    truth.duplicates_disagreeing += int((later & differs).sum())
    truth.without_document += int((~known).sum())
    keep = np.ones(len(left), dtype=bool)
    keep[np.flatnonzero(known)[later]] = False
    return Kept(left[keep], known[keep])


@dataclass(frozen=True, slots=True, repr=False)
class Links:
    """What rosters of persons say together, as counts of persons by the departments that rosters have them in."""

    together: Counter[tuple[str, ...]]  # (period, "contigo:24 sis:18") of who has a document
    unlinked: Counter[tuple[str, ...]]  # (period, programme, department) of who has none
    moves: Counter[tuple[str, ...]]  # (period, programme, "18>24"), an end empty for who was, or is, no user

    def add(self, users: Mapping[tuple[str, str], Int64]) -> None:
        """Count the persons of one block: by (period, programme) each person's department, 0 where they are no user."""
        periods = sorted({period for period, _ in users})
        for period in periods:
            own = {programme: at for (one, programme), at in sorted(users.items()) if one == period}
            rows, n = np.unique(np.stack(list(own.values()), axis=1), axis=0, return_counts=True)
            for row, count in zip(rows.tolist(), n.tolist(), strict=True):
                words = [f"{programme}:{at:02d}" for programme, at in zip(own, row, strict=True) if at]
                if words:
                    self.together[period, " ".join(words)] += count
        for before, period in pairwise(periods):
            for programme in (p for one, p in users if one == period):
                pairs = np.stack([users[before, programme], users[period, programme]], axis=1)
                for (was, now), count in zip(
                    *(a.tolist() for a in np.unique(pairs, axis=0, return_counts=True)), strict=True
                ):
                    if was or now:
                        self.moves[period, programme, f"{_code(was)}>{_code(now)}"] += count

    def as_json(self) -> dict[str, object]:
        """For `truth.json`."""
        return {"together": _nested(self.together), "unlinked": _nested(self.unlinked), "moves": _nested(self.moves)}


def _code(department: int) -> str:
    return f"{department:02d}" if department else ""


def _nested(counts: Mapping[tuple[str, ...], int]) -> dict[str, object]:
    """Counts by their keys, one within the other."""
    out: dict[str, Any] = {}
    for key, n in counts.items():
        at = out
        for part in key[:-1]:
            at = at.setdefault(part, {})
        at[key[-1]] = n
    return out


class Tally:
    """Takes in the rows of block after block."""

    def __init__(
        self, country: Country, periods: Sequence[Period], sources: Sequence[Source], units: Mapping[str, Unit]
    ) -> None:
        """`units` says what a row of each source is."""
        self._country = country
        self._units = units
        self.sources = {
            (str(p), s.id): SourceTruth(s.id, s.programme, str(s.cut(p)))
            for p in periods
            for s in sources
            if s.kind is not Kind.OPEN
        }
        self.links = Links(Counter(), Counter(), Counter())
        self._users: dict[tuple[str, str], Int64] = {}  # of the block at hand
        self._counts = {
            (str(p), s.id): np.zeros((len(country.districts), *_shape(s.programme, units[s.id])), dtype=np.int64)
            for p in periods
            for s in sources
            if s.kind is Kind.ROSTER
        }

        self._programmes = {s.id: s.programme for s in sources}
        self._eligible = {
            (str(p), s.id): np.zeros(len(country.districts), dtype=np.int64)
            for p in periods
            for s in sources
            if s.programme in RULED
        }

    def counts(self, period: Period, source: str) -> NDArray[np.int64]:
        """A programme's inner cells, districts first."""
        return self._counts[str(period), source]

    def register(self, period: Period, source: Source, people: People, rows: Rows, habits: Habits) -> Register:
        """Count the household register's rows; give what it says of everybody."""
        truth = self.sources[str(period), source.id]
        kept = _keep(truth, people, rows, habits)
        truth.roster_rows += len(kept.rows)
        truth.weight += len(kept.rows)
        return Register.of(people, rows, kept, period)

    def people(
        self, period: Period, source: Source, people: People, rows: Rows, habits: Habits, register: Register
    ) -> None:
        """Count a roster of persons or households."""
        truth, unit = self.sources[str(period), source.id], self._units[source.id]
        kept = _keep(truth, people, rows, habits)
        who = rows.who[kept.rows]
        matched = kept.documented & register.found[who]
        truth.roster_rows += len(who)
        truth.weight += len(who)
        truth.matched += int(matched.sum())
        if unit is Unit.PERSON:
            self._link(period, truth.programme, len(people), who, rows.place[kept.rows], kept.documented)
        own = np.where(rows.cse[kept.rows] == Cse.BLANK, Cse.NO_CLASIFICADO, rows.cse[kept.rows])
        official, valid = register.official()
        cse = np.where(matched & valid[who], official[who], own)
        at: tuple[NDArray[np.signedinteger], ...] = (cse,)
        if unit is Unit.PERSON:
            age = ages(people.birth[who], period.last_day())
            at = (people.female[who].astype(np.int8), np.searchsorted(BAND_STARTS, age, side="right"), cse)
        if source.programme in RULED:
            judged = register.judged(source.programme)
            at = (*at, np.where(matched, np.where(judged.told, np.where(judged.meets, 0, 1), 2)[who], 3))
            self._count_eligible(period, source, people, judged, who[matched])
        np.add.at(self.counts(period, source.id), (rows.place[kept.rows], *at), 1)

    def _link(self, period: Period, programme: str, people: int, who: Int64, place: Int32, documented: Bool) -> None:
        """Note in which department a roster has each person of the block at hand."""
        departments = np.array([int(d.code[:2]) for d in self._country.districts])[place]
        at = np.zeros(people, dtype=np.int64)
        at[who[documented]] = departments[documented]
        self._users[str(period), programme] = at
        for department, n in zip(
            *(a.tolist() for a in np.unique(departments[~documented], return_counts=True)), strict=True
        ):
            self.links.unlinked[str(period), programme, _code(department)] += n

    def block_done(self) -> None:
        """Count what the rosters say together of a block's persons, once all of them are in."""
        self.links.add(self._users)
        self._users.clear()

    def _count_eligible(self, period: Period, source: Source, people: People, judged: Judged, users: Int64) -> None:
        """Who meets the rule, and is not among the users that were found; of a household, nobody is."""
        used = np.zeros(len(people), dtype=bool)
        used[users] = True
        if self._units[source.id] is Unit.HOUSEHOLD:
            used = (np.bincount(people.household, used) > 0)[people.household]
        left = judged.meets & (judged.place >= 0) & ~used
        np.add.at(self._eligible[str(period), source.id], judged.place[left], 1)

    def schools(self, period: Period, source: Source, schools: Schools, rows: Rows, habits: Habits) -> None:
        """Count a roster of schools: it stands for their pupils."""
        truth = self.sources[str(period), source.id]
        left = _left(truth, rows, habits)
        which = rows.who[left]
        truth.roster_rows += len(which)
        truth.weight += int(schools.pupils[which].sum())
        at = (rows.place[left], schools.level[which])
        np.add.at(self.counts(period, source.id), at, schools.pupils[which])

    def truth(self) -> Truth:
        """All of it, once the last block is in."""
        tables = [
            self._cells(period, self.sources[period, source].programme, self._units[source], counts)
            for (period, source), counts in self._counts.items()
        ]
        eligible = [self._places(period, source, counts) for (period, source), counts in self._eligible.items()]
        return Truth(self.sources, pa.concat_tables(tables), pa.concat_tables(eligible), self.links)

    def _places(self, period: str, source: str, counts: Int64) -> pa.Table:
        """One programme's eligible people by district, where there are any."""
        place = np.flatnonzero(counts)
        codes = np.array([d.code for d in self._country.districts])
        n = len(place)
        return pa.table(
            {
                "period": pa.array([period] * n, pa.string()),
                "programme": pa.array([self._programmes[source]] * n, pa.string()),
                "ubigeo": pa.array(codes[place], pa.string()),
                "n": pa.array(counts[place], pa.int64()),
            }
        )

    def _cells(self, period: str, programme: str, unit: Unit, counts: NDArray[np.int64]) -> pa.Table:
        """One programme's cells that are not zero."""
        place, *at = np.nonzero(counts)
        codes = np.array([d.code for d in self._country.districts])
        words = {name: np.array(w)[i] for (name, w), i in zip(dimensions(programme, unit).items(), at, strict=True)}
        n = len(place)
        return pa.table(
            {
                "period": pa.array([period] * n, pa.string()),
                "programme": pa.array([programme] * n, pa.string()),
                "ubigeo": pa.array(codes[place], pa.string()),
                **{c: pa.array(words[c] if c in words else [None] * n, pa.string()) for c in COLUMNS},
                "n": pa.array(counts[(place, *at)], pa.int64()),
            }
        )


def _shape(programme: str, unit: Unit) -> tuple[int, ...]:
    return tuple(len(words) for words in dimensions(programme, unit).values())
