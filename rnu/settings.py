"""The institution's configuration, read once into frozen types.

`load(home)` reads `config/*.toml` of an institution's folder. An unknown or wrong key is refused with file, key and a
suggestion; nothing is guessed. Secrets never stand here: see `rnu.secrets`.
"""

from __future__ import annotations

import codecs
import csv
import difflib
import json
import re
import tomllib
from base64 import b64decode, b64encode
from collections.abc import Iterable
from dataclasses import dataclass, field, fields, is_dataclass
from datetime import date
from enum import StrEnum
from pathlib import Path
from string import Formatter
from typing import Any, Literal, TypeVar, get_args, get_type_hints

from pydantic import ConfigDict, TypeAdapter, ValidationError

from anonymize.policy import MOST
from rnu.errors import SettingsError

STRICT = ConfigDict(extra="forbid", strict=False)
ID = r"[a-z][a-z0-9_]*"  # becomes part of file names, columns and addresses
OWN = ("programme", "row", "pseudonym", "place", "sex", "age", "cse", "cse_from", "cse_until", "weight")  # a roster's
COUNTED = ("sex", "age", "cse")  # of these, what a cube may count by
PLACEHOLDERS = ("cut", "cut_compact")
IDENTIFIER = "rnu:identificador"  # marks a schema's column that names somebody, or leads to them
YEARS = (1900, 9998)
ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "latin-1", "cp1252", "cp850")  # what sectors send; others are taken, too


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
class Programme:
    """A social programme: what it is called when, and what one user is."""

    id: str
    unit: Unit
    names: tuple[Name, ...]
    sector: str = ""
    note: str = ""
    __pydantic_config__ = STRICT

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
    column: str  # sex | age | cse | or a kept column
    category: tuple[Category, ...]
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
    year_month: int = 1  # month whose period shows what is shown once a year
    population_floor: int = 0  # districts with fewer inhabitants show totals only
    dominance: float = 0.9  # a cross in which one category holds this share of a place's users is dropped there
    structural: dict[str, dict[str, tuple[str, ...]]] = field(
        default_factory=dict
    )  # programme -> dimension -> categories
    keywords: tuple[str, ...] = ()
    __pydantic_config__ = STRICT


@dataclass(frozen=True, slots=True)
class CubesFile:
    """`cubes.toml`."""

    cube: tuple[Cube, ...]
    population: str = ""  # file below config/ with columns ubigeo, poblacion; needed where a cube sets a floor
    departments: tuple[str, ...] = ()  # codes of the departments covered; empty: all
    notices: tuple[str, ...] = ()  # what every reader must know, on every page and in every release
    __pydantic_config__ = STRICT


# --- portals.toml, stewards.toml ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Portal:
    """A place where releases are published."""

    id: str
    how: Literal["folder", "ckan"]
    url: str  # address under which visitors reach it, without a slash at the end
    title: str
    where: str = ""  # of a folder portal: the folder, relative to the institution's
    organization: str = ""  # of a CKAN portal: name of the organisation that its datasets belong to
    license_id: str = "odc-by"  # of a CKAN portal: the licence's id there
    prefix: str = "rnu"  # of a CKAN portal: begins the name of each dataset and table
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
    """A person who may sign: the key is the identity."""

    name: str
    public_key: str  # Ed25519, base64 of 32 bytes
    since: date
    until: date | None = None
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

    def last_day(self) -> date:
        """The cut date: the month's last day."""
        following = self.minus(-1)
        return date.fromordinal(date(following.year, following.month, 1).toordinal() - 1)

    def __str__(self) -> str:
        return f"{self.year:04d}-{self.month:02d}"


# --- reading -----------------------------------------------------------------------------------------------------


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

    def programme(self, id: str) -> Programme:
        """The programme with an id; load() has made sure that it exists wherever it is named."""
        return next(p for p in self.programmes if p.id == id)

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
                return {row["ubigeo"]: int(row["poblacion"]) for row in csv.DictReader(file)}
        except (OSError, KeyError, ValueError, TypeError) as error:
            raise SettingsError(
                "the population file cannot be read",
                where=f"config/cubes.toml: population = {self.population.name}",
                remedy="a CSV with columns ubigeo and poblacion (whole numbers), both in every row",
            ) from error

    @property
    def gazetteer_path(self) -> Path:
        """Where the reference list of places lies."""
        return self.home / "config" / "reference" / "ubigeo.csv"


Named = TypeVar("Named", Source, Portal)


def _pick(known: Iterable[Named], id: str, what: str, file: str) -> Named:
    by_id = {item.id: item for item in known}
    if id not in by_id:
        raise SettingsError(f"there is no {what} '{id}'", where=f"config/{file}", remedy=_did_you_mean(id, by_id))
    return by_id[id]


def _did_you_mean(word: str, known: Iterable[str]) -> str:
    names = sorted(known)
    near = difflib.get_close_matches(word, names, n=1)
    return f"did you mean '{near[0]}'?" if near else f"known are: {', '.join(names) or 'none'}"


File = TypeVar("File")


def _read(path: Path, shape: type[File]) -> File:
    """Parse one TOML file into its frozen type; SettingsError with file, key and a suggestion."""
    where = f"config/{path.name}"
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(
            f"{path.name} cannot be read ({error.strerror})",
            where=str(path),
            remedy="`rnu init DIR` makes a whole folder; point --home at it",
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"not valid TOML: {error}", where=where, remedy="mend the line it names") from error
    try:
        return TypeAdapter(shape).validate_python(raw)
    except ValidationError as error:
        # a misspelt key is also a missing one: the misspelling is what helps
        first = min(error.errors(), key=lambda e: e["type"] != "unexpected_keyword_argument")
        key = _key(raw, first["loc"])
        if first["type"] == "unexpected_keyword_argument":
            known = _keys_beside(shape, first["loc"])
            word = str(first["loc"][-1])
            raise SettingsError(f"unknown key '{key}'", where=where, remedy=_did_you_mean(word, known)) from error
        missing = first["type"] in {"missing", "missing_argument"}
        problem = f"key '{key}' is missing" if missing else f"key '{key}': {first['msg'][0].lower()}{first['msg'][1:]}"
        more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
        raise SettingsError(problem + more, where=where, remedy="the comments in the file say what it takes") from error


def _key(raw: object, loc: tuple[int | str, ...]) -> str:
    """Write a location as a person would look for it: source 'sis' fetch.how, not source.0.fetch.how."""
    words: list[str] = []
    for step in loc:
        raw = raw[step] if (isinstance(raw, dict) and step in raw) or isinstance(raw, list) else None  # type: ignore[index]
        if isinstance(step, int) and words:
            name = raw.get("id") or raw.get("name") if isinstance(raw, dict) else None
            words[-1] += f"[{name or step + 1}]"
        else:
            words.append(str(step))
    return ".".join(words)


def _keys_beside(shape: Any, loc: tuple[int | str, ...]) -> list[str]:
    """The keys that are known where an unknown one stands."""
    for step in loc[:-1]:
        if isinstance(step, int):
            shape = get_args(shape)[0]
        elif is_dataclass(shape):
            found = next((f for f in fields(shape) if f.name == step), None)
            if found is None:
                return []
            shape = get_type_hints(shape)[found.name]
    return [f.name for f in fields(shape)] if is_dataclass(shape) else []


def load(home: Path) -> Settings:
    """Read and cross-check an institution's configuration. Raises SettingsError, never anything else."""
    config = home / "config"
    programmes = _read(config / "programmes.toml", ProgrammesFile)
    sources = _read(config / "sources.toml", SourcesFile)
    cubes = _read(config / "cubes.toml", CubesFile)
    portals = _read(config / "portals.toml", PortalsFile)
    stewards = _read(config / "stewards.toml", StewardsFile)
    settings = Settings(
        home=home,
        programmes=programmes.programme,
        sources=sources.source,
        root=home / sources.root,
        quorum=sources.quorum or tuple(s.id for s in sources.source if s.kind is not Kind.OPEN),
        cubes=cubes.cube,
        population=config / cubes.population if cubes.population else None,
        departments=cubes.departments,
        notices=cubes.notices,
        institution=portals.institution,
        portals=portals.portal,
        stewards=stewards.steward,
    )
    _cross_check(settings)
    return settings


def _cross_check(settings: Settings) -> None:
    """Names must exist where they are used, and stand once where they are made."""
    _ids("programmes.toml", "programme", [p.id for p in settings.programmes])
    _ids("sources.toml", "source", [s.id for s in settings.sources])
    _ids("cubes.toml", "cube", [c.id for c in settings.cubes])
    _ids("portals.toml", "portal", [p.id for p in settings.portals])
    for portal in settings.portals:
        _check_portal(portal)
    if not settings.portals:
        raise SettingsError("no portal is configured", where="config/portals.toml: portal", remedy="add a [[portal]]")
    _unique("stewards.toml", "public_key", [s.public_key for s in settings.stewards])
    for steward in settings.stewards:
        _check_public_key(steward)
    programmes = {p.id for p in settings.programmes}
    for programme in settings.programmes:
        if not programme.names:
            raise SettingsError(f"programme '{programme.id}' has no name", where="config/programmes.toml: names")
    for source in settings.sources:
        _check_source(source, programmes, settings)
    served = [s.programme for s in settings.sources if s.kind is Kind.ROSTER]
    _unique("sources.toml", "source of programme", served)
    for id in settings.quorum:
        _known(id, {s.id for s in settings.rosters()}, "config/sources.toml: quorum")
    settings.inhabitants()
    _check_in_one_cube(settings.cubes)
    for cube in settings.cubes:
        _check_cube(cube, programmes, settings)


def _check_portal(portal: Portal) -> None:
    for how, key in (("folder", "where"), ("ckan", "organization")):
        if portal.how == how and not getattr(portal, key):
            where = f"config/portals.toml: {portal.id}.{key}"
            raise SettingsError(f"a portal of kind '{how}' needs '{key}'", where=where)


def _check_public_key(steward: Steward) -> None:
    """A key is compared as it is written: another spelling of the same 32 bytes would pass for another person."""
    try:
        key = b64decode(steward.public_key, validate=True)
    except ValueError:
        key = b""
    if len(key) != 32 or b64encode(key).decode() != steward.public_key:
        raise SettingsError(
            "not the base64 of an Ed25519 key's 32 bytes",
            where=f"config/stewards.toml: {steward.name}.public_key",
            remedy="copy the line that `rnu key signing` prints",
        )


def _check_source(source: Source, programmes: set[str], settings: Settings) -> None:
    where = f"config/sources.toml: {source.id}"
    if source.kind is Kind.ROSTER:
        _known(source.programme, programmes, f"{where}.programme")
    elif source.programme:
        raise SettingsError(f"a source of kind '{source.kind}' has no programme", where=f"{where}.programme")
    if not settings.schema_path(source).is_file():
        raise SettingsError(f"schema '{source.schema}' is not in schemas/", where=f"{where}.schema")
    if not 0 <= source.tolerance < 1:
        raise SettingsError("a tolerance is a share from 0 to less than 1", where=f"{where}.tolerance")
    if source.calendar.every < 1 or not 1 <= source.calendar.anchor <= 12:
        raise SettingsError("a calendar has every >= 1 and anchor 1-12", where=f"{where}.calendar")
    if source.kind is not Kind.OPEN and not source.fields.place:
        raise SettingsError(
            "no column says the place", where=f"{where}.fields.place", remedy='for example place = ["UBIGEO"]'
        )
    _check_where(source.fetch, f"{where}.fetch.where")
    _check_format(source.format, f"{where}.format")
    _check_schema(source, settings, where)


def _check_where(fetch: Fetch, where: str) -> None:
    try:
        parts = [(name, spec, how) for _, name, spec, how in Formatter().parse(fetch.where) if name is not None]
    except ValueError as error:
        raise SettingsError(f"not an address: {error}", where=where, remedy="close every { with a }") from error
    for name, spec, how in parts:
        if name not in PLACEHOLDERS or spec or how:
            near = _did_you_mean(name, PLACEHOLDERS)
            raise SettingsError(f"'{{{name}}}' stands for nothing", where=where, remedy=near)
    path = Path(fetch.where)
    if fetch.how == "folder" and (path.is_absolute() or not path.parts):
        raise SettingsError(
            "not a path below `root`", where=where, remedy="set `root`, which may be absolute, and go on from there"
        )
    if fetch.how == "folder" and any("**" in part and part != "**" for part in path.parts):
        raise SettingsError("`**` stands for whole folders", where=where, remedy="write * inside a name")


def _check_format(form: Format, where: str) -> None:
    """A layout that nothing could be read by is the institution's mistake, not the owner's."""
    try:
        "".encode(form.encoding)  # of text: `codecs` knows others
        codecs.getincrementaldecoder(form.encoding)
    except (LookupError, ValueError) as error:
        near = _did_you_mean(form.encoding, ENCODINGS)
        raise SettingsError(f"no encoding '{form.encoding}'", where=f"{where}.encoding", remedy=near) from error
    if len(form.quote) > 1 or form.quote in ("\r", "\n", "\0"):
        raise SettingsError(
            "a quote is one character", where=f"{where}.quote", remedy='for example "\'"; "" where nothing is quoted'
        )
    if not form.delimiter or set(form.delimiter) & {"\r", "\n", "\0", form.quote}:
        raise SettingsError(
            "a delimiter is one or more characters, no line end and no quote",
            where=f"{where}.delimiter",
            remedy='for example ";", "\\t" or "; "',
        )
    for key, number, least in (
        ("skip_rows", form.skip_rows, 0),
        ("max_rows", form.max_rows, 1),
        ("sheet", form.sheet, 0),
    ):
        if isinstance(number, int) and number < least:
            raise SettingsError(f"{key} is {least} or more", where=f"{where}.{key}")


def _check_schema(source: Source, settings: Settings, where: str) -> None:
    """What a source and its schema must agree on before any row is read."""
    file = f"schemas/{source.schema}"
    try:
        schema = json.loads(settings.schema_path(source).read_text(encoding="utf-8"))
        marked = {field["name"] for field in schema["fields"] if field.get(IDENTIFIER)}
        keys = [
            (k["fields"], k["reference"]["resource"], k["reference"]["fields"]) for k in schema.get("foreignKeys", ())
        ]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise SettingsError("not a Table Schema in JSON", where=file, remedy="mend it, or copy one of ours") from error
    _check_keep(source, marked, f"{where}.keep")
    places = _header(settings.gazetteer_path)
    for own, resource, reference in keys:
        here, there = ([columns] if isinstance(columns, str) else columns for columns in (own, reference))
        _known(resource, ["ubigeo"], f"{file}: foreignKeys.reference.resource")
        for column in there:
            _known(column, places, f"{file}: foreignKeys.reference.fields")
        if len(here) != len(there):
            raise SettingsError("a foreign key has as many fields here as there", where=f"{file}: foreignKeys")


def _check_keep(source: Source, marked: set[str], where: str) -> None:
    """No column that tells who somebody is, and none that takes the name of one that every roster has."""
    marked = {source.fields.document_type, source.fields.document_number, source.fields.birth_date, *marked}
    for column in source.keep:
        if column in marked:
            raise SettingsError(
                f"column '{column}' tells who somebody is", where=where, remedy="leave it out: no roster keeps it"
            )
        if column.lower() in OWN:
            raise SettingsError(
                f"every roster has its own '{column.lower()}'",
                where=where,
                remedy="leave it out, or have the column delivered under another name",
            )


def _header(path: Path) -> list[str]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return next(csv.reader(file), [])
    except OSError as error:
        raise SettingsError(
            "the reference list of places cannot be read", where=str(path), remedy="`rnu init` copies one; put it back"
        ) from error


def _check_in_one_cube(cubes: tuple[Cube, ...]) -> None:
    """Each cube is protected alone: two tables of the same people tell by their difference what both withhold."""
    first: dict[str, str] = {}
    for cube in cubes:
        for id in cube.programmes:
            if id in first:
                raise SettingsError(
                    f"programme '{id}' stands in cube '{first[id]}' already",
                    where=f"config/cubes.toml: {cube.id}.programmes",
                    remedy="count it in one cube: small counts would show in the difference between two",
                )
            first[id] = cube.id


def _check_cube(cube: Cube, programmes: set[str], settings: Settings) -> None:
    where = f"config/cubes.toml: {cube.id}"
    for id in (*cube.programmes, *cube.thresholds, *cube.structural):
        _known(id, programmes, where)
    for id in cube.programmes:
        if settings.programme(id).unit is not cube.unit:
            raise SettingsError(f"programme '{id}' counts another unit than the cube", where=f"{where}.unit")
    kept = {c for s in settings.sources if s.programme in cube.programmes for c in s.keep}
    for dimension in cube.dimension:
        _known(dimension.column, (*COUNTED, *kept), f"{where}.dimension.{dimension.id}.column")
    _check_dimensions(cube, where)
    _check_design(cube, where)
    if cube.population_floor and settings.population is None:
        raise SettingsError(
            "a population floor needs a population file", where=f"{where}.population_floor", remedy="set `population`"
        )


def _check_dimensions(cube: Cube, where: str) -> None:
    _ids("cubes.toml", f"{cube.id}.dimension", [d.id for d in cube.dimension])
    known = {d.id: {c.id for c in d.category} for d in cube.dimension}
    for dimension in cube.dimension:
        _unique("cubes.toml", f"{cube.id}.{dimension.id}.category", [c.id for c in dimension.category])
        if "total" in known[dimension.id]:
            raise SettingsError("'total' is kept for totals", where=f"{where}.dimension.{dimension.id}")
    for exempt in cube.structural.values():
        for name, categories in exempt.items():
            _known(name, known, f"{where}.structural")
            for category in categories:
                _known(category, known[name], f"{where}.structural.{name}")


def _check_design(cube: Cube, where: str) -> None:
    if [level.id for level in cube.level] != ["nacion", "departamento", "provincia", "distrito"]:
        raise SettingsError(
            "levels are nacion, departamento, provincia, distrito, in this order", where=f"{where}.level"
        )
    crosses = [level.crosses for level in cube.level]
    if crosses != sorted(crosses, reverse=True) or crosses[0] > len(cube.dimension) or crosses[-1] < 0:
        raise SettingsError("a level shows at most the crosses of the level above", where=f"{where}.level.crosses")
    if min((cube.threshold, *cube.thresholds.values())) < 3:
        raise SettingsError("a threshold below 3 protects nobody", where=f"{where}.threshold")
    if max((cube.threshold, *cube.thresholds.values())) > MOST:
        raise SettingsError(f"a threshold is at most {MOST}", where=f"{where}.threshold")
    if not 0 < cube.dominance <= 1:
        raise SettingsError(
            "a dominance is a share above 0, to 1 at most", where=f"{where}.dominance", remedy="for example 0.9"
        )
    if any(k < cube.threshold for k in cube.thresholds.values()):
        raise SettingsError("a programme's threshold can only be higher than the cube's", where=f"{where}.thresholds")
    if not 1 <= cube.year_month <= 12:
        raise SettingsError("a month is 1-12", where=f"{where}.year_month")


def _known(id: str, known: Iterable[str], where: str) -> None:
    if id not in set(known):
        raise SettingsError(f"'{id}' is not known", where=where, remedy=_did_you_mean(id, known))


def _ids(file: str, what: str, ids: list[str]) -> None:
    _unique(file, what, ids)
    for id in ids:
        if not re.fullmatch(ID, id):
            raise SettingsError(
                f"{what} '{id}' is no id",
                where=f"config/{file}",
                remedy="small letters without accents, digits and _, a letter first",
            )


def _unique(file: str, what: str, ids: list[str]) -> None:
    twice = sorted({id for id in ids if ids.count(id) > 1})
    if twice:
        raise SettingsError(f"{what} '{twice[0]}' stands twice", where=f"config/{file}")
