"""The configuration as frozen types: what each file holds, and how names in it are found."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Literal, TypeVar

from pydantic import ConfigDict

from rnu.errors import SettingsError
from rnu.settings.suggestion import did_you_mean

STRICT = ConfigDict(extra="forbid", strict=False)
YEARS = (1900, 9998)
EVERY_PROGRAMME = "todos"  # stands in place of a programme where a table tells of all at once


class Unit(StrEnum):
    """What one row of a roster stands for."""

    PERSON = "person"
    HOUSEHOLD = "household"
    INSTITUTION = "institution"


class Kind(StrEnum):
    """What a source is to the register."""

    ROSTER = "roster"  # users of one programme
    REGISTER = "register"  # the household register (PGH): gives the CSE, is no programme
    OPEN = "open"  # already aggregated public figures: checked, never linked


# --- programmes.toml ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Name:
    """A name with the day from which it is in force."""

    text: str
    since: date
    __pydantic_config__ = STRICT


@dataclass(frozen=True, slots=True)
class Ages:
    """Ages in whole years, both ends included; one that is not given is open."""

    low: int | None = None
    high: int | None = None
    __pydantic_config__ = STRICT


@dataclass(frozen=True, slots=True)
class Rule:
    """Who a programme is for by its law, as far as the household register can tell; in force from `since` to `until`.

    Of a programme of households, a household meets a condition if one of its members does.
    """

    since: date
    norm: str  # the law, for people
    text: str  # the rule in words, for people
    until: date | None = None
    cse: tuple[str, ...] = ()  # the register's CSE, valid on the cut date, is one of these
    age: Ages | None = None
    member: Ages | None = None  # somebody of this age lives in the household
    note: str = ""  # what the register cannot tell
    __pydantic_config__ = STRICT


@dataclass(frozen=True, slots=True)
class Programme:
    """A social programme: what it is called when, what one user is, and who it is for."""

    id: str
    unit: Unit
    names: tuple[Name, ...]
    sector: str = ""
    note: str = ""
    rule: tuple[Rule, ...] = ()
    why_not: str = ""  # why no rule that the register could tell is in force
    __pydantic_config__ = STRICT

    def rule_on(self, day: date) -> Rule | None:
        """The rule in force on a day, its first and last day included; None where there is none."""
        known = [r for r in self.rule if r.since <= day and (r.until is None or day <= r.until)]
        return max(known, key=lambda r: r.since, default=None)

    def name(self, on: date) -> str:
        """The name in force on a day; the first name before any came into force."""
        known = [n for n in sorted(self.names, key=lambda n: n.since) if n.since <= on]
        return (known or sorted(self.names, key=lambda n: n.since))[-1 if known else 0].text


@dataclass(frozen=True, slots=True)
class ProgrammesFile:
    """`programmes.toml`."""

    programme: tuple[Programme, ...]
    __pydantic_config__ = STRICT


# --- sources.toml ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Calendar:
    """How often a source cuts its roster: every `every` months, counted from month `anchor` (1-12)."""

    every: int = 1
    anchor: int = 1
    __pydantic_config__ = STRICT


@dataclass(frozen=True, slots=True)
class Fetch:
    """Where a delivery lies and how to bring it home.

    `where` is a path or glob below `root` (folder), or an address (http). `{cut}` stands for the source's cut
    (YYYY-MM) and `{cut_compact}` for the same without the hyphen.
    """

    how: Literal["folder", "http"]
    where: str
    user_agent: str = "rnu/1 (registro nacional de usuarios)"
    timeout: float = 60.0
    retries: int = 4
    max_bytes: int = 20_000_000_000
    __pydantic_config__ = STRICT


@dataclass(frozen=True, slots=True)
class Format:
    """How the bytes of a delivery are laid out."""

    type: Literal["delimited", "xlsx"]
    encoding: str = "utf-8"
    delimiter: str = ","  # one character, or several
    quote: str = '"'
    zip: bool = False
    members: str = "*"  # which members of a ZIP (glob)
    sheet: str | int = 0
    skip_rows: int = 0  # junk rows above the header
    max_rows: int = 1_048_576  # XLSX only: more is refused
    __pydantic_config__ = STRICT


@dataclass(frozen=True, slots=True)
class Fields:
    """Which delivered columns carry what the register needs. Several columns are joined as text, in order."""

    document_type: str = ""  # empty: every document is of `document_default`
    document_number: str = ""
    document_default: str = ""
    sex: str = ""
    birth_date: str = ""
    place: tuple[str, ...] = ()
    place_name: str = ""  # district's name, to tell INEI codes from RENIEC codes
    household: str = ""  # register only: code that a household's members share
    cse: str = ""
    cse_from: str = ""  # register only: validity of the CSE
    cse_until: str = ""
    weight: str = ""  # empty: each row weighs 1
    active: str = ""  # rows whose code maps to "no" are not users of this cut
    __pydantic_config__ = STRICT


@dataclass(frozen=True, slots=True)
class Codes:
    """Delivered code -> the register's code. A code that is not listed is a broken rule only if the schema says so."""

    document_type: dict[str, str] = field(default_factory=dict)  # -> dni | ce | ...
    sex: dict[str, str] = field(default_factory=dict)  # -> hombre | mujer
    cse: dict[str, str] = field(default_factory=dict)  # -> pobre_extremo | pobre_no_extremo | no_pobre | no_clasificado
    active: dict[str, str] = field(default_factory=dict)  # -> si | no
    __pydantic_config__ = STRICT


@dataclass(frozen=True, slots=True)
class Source:
    """One roster (or the register, or a public table) as its owner delivers it."""

    id: str
    title: str
    kind: Kind
    owner: str
    schema: str  # path below schemas/
    fetch: Fetch
    format: Format
    programme: str = ""  # roster only
    calendar: Calendar = Calendar()
    tolerance: float = 0.02  # share of rows that may be set aside before the delivery is returned
    place_coding: Literal["inei", "reniec"] = "inei"
    fields: Fields = Fields()
    codes: Codes = Codes()
    keep: tuple[str, ...] = ()  # allow-list: further columns the roster keeps, as text
    __pydantic_config__ = STRICT

    def cut(self, period: Period) -> Period:
        """The source's cut that stands for a period: the latest one not after it."""
        back = (period.month - self.calendar.anchor) % self.calendar.every
        return period.minus(back)


@dataclass(frozen=True, slots=True)
class SourcesFile:
    """`sources.toml`."""

    source: tuple[Source, ...]
    root: str = "entregas"  # folder sources' paths start here, relative to the institution's folder
    quorum: tuple[str, ...] = ()  # sources without which a period is not built; empty: all rosters and registers
    __pydantic_config__ = STRICT


# --- cubes.toml --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Category:
    """One value of a dimension: `id` in files, `label` for people; `low`..`high` (inclusive years) for bands."""

    id: str
    label: str
    low: int | None = None
    high: int | None = None
    __pydantic_config__ = STRICT


@dataclass(frozen=True, slots=True)
class CubeDimension:
    """A breakdown: a roster's column and its categories.

    A category `sin_dato` takes what no other does; without one, a row that fits no category stops the build.
    """

    id: str
    label: str
    column: str  # sex | age | cse | situation | or a kept column
    category: tuple[Category, ...]
    programmes: tuple[str, ...] = ()  # those that are broken down by it; none named: all of the cube
    __pydantic_config__ = STRICT


@dataclass(frozen=True, slots=True)
class Shown:
    """What a level shows of one programme: which breakdowns, and how many of them at once."""

    by: tuple[str, ...]
    crosses: int
    __pydantic_config__ = STRICT


@dataclass(frozen=True, slots=True)
class CubeLevel:
    """What a level of the tree of places shows.

    `crosses` is the most dimensions crossed with place (0: totals only); `every` says how often, and on other
    periods only totals are shown.
    """

    id: Literal["nacion", "departamento", "provincia", "distrito"]
    crosses: int
    every: Literal["period", "year"] = "period"
    __pydantic_config__ = STRICT


@dataclass(frozen=True, slots=True)
class Cube:
    """A published table: what it counts, how it is broken down, and what protects it."""

    id: str
    title: str
    description: str
    unit: Unit
    measure: str  # name of the count's column in published files
    measure_label: str
    programmes: tuple[str, ...]
    dimension: tuple[CubeDimension, ...]
    level: tuple[CubeLevel, ...]
    threshold: int = 5
    thresholds: dict[str, int] = field(default_factory=dict)  # programme -> higher threshold
    counts: Literal["users", "eligible"] = "users"  # eligible: who meets a rule and is no user, by the register
    coarser: dict[str, dict[str, int | tuple[str, ...] | Shown]] = field(
        default_factory=dict
    )  # programme -> level -> fewer crosses than others, or the dimensions broken down there, or both
    year_month: int = 1  # month whose period shows what is shown once a year
    population_floor: int = 0  # districts with fewer inhabitants show totals only
    dominance: float = 0.9  # a cross in which one category holds this share of a place's users is dropped there
    structural: dict[str, dict[str, tuple[str, ...]]] = field(
        default_factory=dict
    )  # programme -> dimension -> categories
    keywords: tuple[str, ...] = ()
    __pydantic_config__ = STRICT

    def dimensions(self, programme: str) -> tuple[CubeDimension, ...]:
        """The breakdowns that a programme has: by situation to its rule, or by CSE and age.

        Never by both: an extreme poor user of 65 is one who meets the rule of Pensión 65, so that what is withheld of
        the one would be read off the other.
        """
        own = [d for d in self.dimension if not d.programmes or programme in d.programmes]
        judged = any(d.column == "situation" for d in own)
        return tuple(d for d in own if not (judged and d.column in ("cse", "age")))

    def crosses(self, programme: str) -> tuple[int, ...]:
        """The most dimensions that each level shows of a programme at once, root first."""
        fewer, shown = self.coarser.get(programme, {}), []
        for level, names in zip(self.level, self.broken_down(programme), strict=True):
            own = fewer.get(level.id, level.crosses)
            most = own if isinstance(own, int) else own.crosses if isinstance(own, Shown) else len(names)
            shown.append(min(level.crosses, len(names), most))
        return tuple(shown)

    def broken_down(self, programme: str) -> tuple[tuple[str, ...], ...]:
        """The dimensions that each level may break a programme down by, root first; unsaid, those of the one above."""
        fewer, names = self.coarser.get(programme, {}), tuple(d.id for d in self.dimensions(programme))
        shown = []
        for level in self.level:
            own = fewer.get(level.id, 0)
            names = names if isinstance(own, int) else own.by if isinstance(own, Shown) else own
            shown.append(names)
        return tuple(shown)


@dataclass(frozen=True, slots=True)
class Rates:
    """The table of rates: what it is called, and how it is described."""

    id: str
    title: str
    description: str
    keywords: tuple[str, ...] = ()
    __pydantic_config__ = STRICT


@dataclass(frozen=True, slots=True)
class LinkedCube(Cube):
    """A table made by linking rosters, in the words of a cube; `cubes.toml` names it in a section of its own."""

    totals: bool = True  # whether it has rows that are not broken down
    proven_with: str = ""  # the table whose certificate speaks of this one too; empty: it has its own


@dataclass(frozen=True, slots=True)
class LinkedTable:
    """The words of a table that is made by linking rosters: what it is called, and what its breakdown is."""

    id: str
    title: str
    description: str
    measure: str
    measure_label: str
    label: str  # of the breakdown
    keywords: tuple[str, ...] = ()
    __pydantic_config__ = STRICT


@dataclass(frozen=True, slots=True)
class OverlapTables:
    """Persons by number of programmes and by pair of programmes, of the nation and the departments."""

    programmes: tuple[str, ...]
    number: LinkedTable
    pairs: LinkedTable
    __pydantic_config__ = STRICT


@dataclass(frozen=True, slots=True)
class FlowTables:
    """Arrivals and departures of programmes since the period before, of the nation and the departments."""

    programmes: tuple[str, ...]
    table: LinkedTable
    __pydantic_config__ = STRICT


@dataclass(frozen=True, slots=True)
class CubesFile:
    """`cubes.toml`."""

    cube: tuple[Cube, ...]
    rates: Rates | None = None  # none: no rates are published
    overlaps: OverlapTables | None = None
    flows: FlowTables | None = None
    population: str = ""  # file below config/ with columns ubigeo, poblacion; needed where a cube sets a floor
    departments: tuple[str, ...] = ()  # codes of the departments covered; empty: all
    notices: tuple[str, ...] = ()  # what every reader must know, on every page and in every release
    __pydantic_config__ = STRICT


# --- portals.toml, stewards.toml ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Portal:
    """A place where releases are published."""

    id: str
    how: Literal["folder", "ckan", "dkan"]
    url: str  # address under which visitors reach it, without a slash at the end
    title: str
    where: str = ""  # of a folder portal: the folder, relative to the institution's
    organization: str = ""  # of a CKAN portal: name of the organisation that its datasets belong to
    license_id: str = "odc-by"  # of a CKAN portal: the licence's id there
    prefix: str = "rnu"  # of a CKAN portal: begins the name of each dataset and table; of a DKAN: tells ours apart
    files: str = ""  # of a DKAN portal: id of the folder portal at whose address the files lie
    desk: str = ""  # of a CKAN portal: address at which stewards open its desk; passkeys are bound to it
    __pydantic_config__ = STRICT


@dataclass(frozen=True, slots=True)
class Institution:
    """Who publishes: stands on every page and in every catalogue."""

    name: str
    acronym: str
    contact: str
    email: str
    licence: str
    licence_url: str
    register_name: str
    __pydantic_config__ = STRICT


@dataclass(frozen=True, slots=True)
class PortalsFile:
    """`portals.toml`."""

    institution: Institution
    portal: tuple[Portal, ...]
    __pydantic_config__ = STRICT


@dataclass(frozen=True, slots=True)
class Steward:
    """A key with which somebody may sign; whoever has several has one entry for each, under the same name."""

    name: str
    public_key: str  # Ed25519, base64 of 32 bytes; a passkey's COSE key, base64
    since: date
    until: date | None = None
    passkey: str = ""  # a passkey's id, base64url; empty: a key in a file
    origin: str = ""  # of a passkey: address of the desk that it was made for
    __pydantic_config__ = STRICT


@dataclass(frozen=True, slots=True)
class StewardsFile:
    """`stewards.toml`."""

    steward: tuple[Steward, ...] = ()
    __pydantic_config__ = STRICT


# --- periods -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, order=True)
class Period:
    """A month, written YYYY-MM.

    >>> Period.parse("2026-01").minus(1)
    Period(year=2025, month=12)
    >>> str(Period(2026, 2)), Period(2026, 2).last_day().isoformat()
    ('2026-02', '2026-02-28')
    """

    year: int
    month: int

    @classmethod
    def parse(cls, text: str) -> Period:
        """Read YYYY-MM; SettingsError otherwise."""
        found = re.fullmatch(r"(\d{4})-(0[1-9]|1[0-2])", text, re.ASCII)
        if not found or not YEARS[0] <= int(found[1]) <= YEARS[1]:
            years = f"from {YEARS[0]} to {YEARS[1]}"
            raise SettingsError(f"'{text}' is no period", remedy=f"write it as YYYY-MM, {years}, for example 2026-01")
        return cls(int(found[1]), int(found[2]))

    def minus(self, months: int) -> Period:
        """The period so many months before."""
        index = self.year * 12 + self.month - 1 - months
        return Period(index // 12, index % 12 + 1)

    def near(self, other: Period) -> bool:
        """Whether they are nearer than a year: the calendar keeps breakdowns below the departments so far apart.

        >>> Period(2026, 1).near(Period(2025, 2)), Period(2025, 1).near(Period(2026, 1))
        (True, False)
        """
        return abs((self.year - other.year) * 12 + self.month - other.month) < 12

    def last_day(self) -> date:
        """The cut date: the month's last day."""
        following = self.minus(-1)
        return date.fromordinal(date(following.year, following.month, 1).toordinal() - 1)

    def __str__(self) -> str:
        return f"{self.year:04d}-{self.month:02d}"


# --- all of it ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Settings:
    """The whole configuration of an institution."""

    home: Path
    programmes: tuple[Programme, ...]
    sources: tuple[Source, ...]
    root: Path  # where folder sources' paths start
    quorum: tuple[str, ...]  # sources without which a period is not built
    cubes: tuple[Cube, ...]
    population: Path | None
    departments: tuple[str, ...]
    notices: tuple[str, ...]
    institution: Institution
    portals: tuple[Portal, ...]
    stewards: tuple[Steward, ...]
    rates: Rates | None = None
    overlaps: OverlapTables | None = None
    flows: FlowTables | None = None

    def programme(self, id: str) -> Programme:
        """The programme with an id; load() has made sure that it exists wherever it is named."""
        return next(p for p in self.programmes if p.id == id)

    def threshold(self, programme: str) -> int:
        """The threshold of a programme in the cube that counts it."""
        cube = next(c for c in self.cubes if c.counts == "users" and programme in c.programmes)
        return cube.thresholds.get(programme, cube.threshold)

    def source(self, id: str) -> Source:
        """The source with an id; SettingsError naming the nearest one."""
        return _pick(self.sources, id, "source", "sources.toml")

    def portal(self, id: str) -> Portal:
        """The portal with an id; SettingsError naming the nearest one."""
        return _pick(self.portals, id, "portal", "portals.toml")

    def rosters(self) -> tuple[Source, ...]:
        """The sources whose rows become rosters: programmes' and the register's."""
        return tuple(s for s in self.sources if s.kind is not Kind.OPEN)

    def schema_path(self, source: Source) -> Path:
        """Where a source's Table Schema lies."""
        return self.home / "schemas" / source.schema

    def inhabitants(self) -> dict[str, int]:
        """Inhabitants by district, of the population file; SettingsError if it cannot be read."""
        if self.population is None:
            return {}
        try:
            with self.population.open(encoding="utf-8-sig", newline="") as file:
                found = {row["ubigeo"]: int(row["poblacion"]) for row in csv.DictReader(file)}
            if min(found.values(), default=0) < 0:
                raise ValueError
            return found
        except (OSError, KeyError, ValueError, TypeError) as error:
            raise SettingsError(
                "the population file cannot be read",
                where=f"config/cubes.toml: population = {self.population.name}",
                remedy="a CSV with columns ubigeo and poblacion (whole numbers, 0 or more), both in every row",
            ) from error

    @property
    def gazetteer_path(self) -> Path:
        """Where the reference list of places lies."""
        return self.home / "config" / "reference" / "ubigeo.csv"


Named = TypeVar("Named", Source, Portal)


def _pick(known: Iterable[Named], id: str, what: str, file: str) -> Named:
    by_id = {item.id: item for item in known}
    if id not in by_id:
        raise SettingsError(f"there is no {what} '{id}'", where=f"config/{file}", remedy=did_you_mean(id, by_id))
    return by_id[id]
