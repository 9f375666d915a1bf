"""What no single key can tell: names must exist where they are used, and everything must fit together."""

from __future__ import annotations

import codecs
import csv
import json
import re
from base64 import b64decode, b64encode
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from string import Formatter

from anonymize.policy import MOST, MOST_LINKED
from anonymize.situations import SITUATIONS
from rnu.errors import SettingsError
from rnu.settings.suggestion import did_you_mean
from rnu.settings.types import (
    EVERY_PROGRAMME,
    Cube,
    CubeDimension,
    Fetch,
    Format,
    Kind,
    Portal,
    Programme,
    Settings,
    Shown,
    Source,
    Steward,
    Unit,
)

MOST_YEARS = 200  # no age is above
ID = r"[a-z][a-z0-9_]*"  # becomes part of file names, columns and addresses
OWN = (  # a roster's
    *("programme", "row", "pseudonym", "place", "sex", "age", "household"),
    *("cse", "cse_from", "cse_until", "weight"),
)
COUNTED = (
    "sex",
    "age",
    "cse",
    "situation",
)  # what a cube may count by: of a roster, and where a user stands to the rule
CLASSES = ("pobre_extremo", "pobre_no_extremo", "no_pobre", "no_clasificado")
PLACEHOLDERS = ("cut", "cut_compact")
IDENTIFIER = "rnu:identificador"  # marks a schema's column that names somebody, or leads to them
ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "latin-1", "cp1252", "cp850")  # what sectors send; others are taken, too


def cross_check(settings: Settings) -> None:
    """Names must exist where they are used, and stand once where they are made."""
    _ids("programmes.toml", "programme", [p.id for p in settings.programmes])
    if EVERY_PROGRAMME in {p.id for p in settings.programmes}:
        raise SettingsError(f"'{EVERY_PROGRAMME}' stands for all programmes", where="config/programmes.toml: programme")
    _ids("sources.toml", "source", [s.id for s in settings.sources])
    _ids("cubes.toml", "cube", [c.id for c in settings.cubes])
    _ids("portals.toml", "portal", [p.id for p in settings.portals])
    for portal in settings.portals:
        _check_portal(portal)
        if portal.how == "dkan":
            folders = {p.id for p in settings.portals if p.how == "folder"}
            _known(portal.files, folders, f"config/portals.toml: {portal.id}.files")
    if not settings.portals:
        raise SettingsError("no portal is configured", where="config/portals.toml: portal", remedy="add a [[portal]]")
    _unique("stewards.toml", "public_key", [s.public_key for s in settings.stewards])
    _unique("stewards.toml", "passkey", [s.passkey for s in settings.stewards if s.passkey])
    for steward in settings.stewards:
        _check_public_key(steward)
    programmes = {p.id for p in settings.programmes}
    for programme in settings.programmes:
        if not programme.names:
            raise SettingsError(f"programme '{programme.id}' has no name", where="config/programmes.toml: names")
        _check_rules(programme, needed=settings.rates is not None)
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
    _check_linked(settings)


def _check_rules(programme: Programme, *, needed: bool) -> None:
    """A rule asks for something, its days are in order, and no day has two; without one, readers of rates learn why."""
    where = f"config/programmes.toml: {programme.id}.rule"
    for rule in programme.rule:
        for one in rule.cse:
            _known(one, CLASSES[:-1], f"{where}.cse")
        if not (rule.cse or rule.age or rule.member):
            raise SettingsError("a rule asks for nothing", where=where, remedy="give `cse`, `age` or `member`")
        for ages in (rule.age, rule.member):
            if ages and (ages.low or 0) > (ages.high if ages.high is not None else MOST_YEARS):
                raise SettingsError("ages from high to low fit nobody", where=where, remedy="swap `low` and `high`")
        if rule.until and rule.until < rule.since:
            raise SettingsError("a rule ends before it begins", where=f"{where}.until")
    in_order = sorted(programme.rule, key=lambda rule: rule.since)
    for earlier, later in pairwise(in_order):
        if earlier.until is None or earlier.until >= later.since:
            raise SettingsError(
                f"two rules are in force on {later.since.isoformat()}",
                where=where,
                remedy="give the earlier one `until`, the day before the later one begins",
            )
    if needed and not programme.why_not and (not in_order or in_order[-1].until):
        raise SettingsError(
            "no rule is in force, and nothing tells readers why",
            where=f"config/programmes.toml: {programme.id}.why_not",
            remedy="say in a sentence what the household register cannot tell",
        )


def _check_portal(portal: Portal) -> None:
    for how, key in (("folder", "where"), ("ckan", "organization"), ("dkan", "files")):
        if portal.how == how and not getattr(portal, key):
            where = f"config/portals.toml: {portal.id}.{key}"
            raise SettingsError(f"a portal of kind '{how}' needs '{key}'", where=where)
    if portal.desk:
        check_origin(portal.desk, f"config/portals.toml: {portal.id}.desk")


def check_origin(origin: str, where: str) -> None:
    """What browsers bind passkeys to: https (or this machine itself), a name, perhaps a port, and nothing else."""
    found = re.fullmatch(r"(https?)://([a-z0-9.-]+)(:\d+)?", origin)
    name = found[2] if found else ""
    if not found or (found[1] == "http" and name != "localhost") or re.fullmatch(r"[\d.]+", name):
        raise SettingsError(
            f"passkeys cannot be bound to '{origin}'",
            where=where,
            remedy="https:// and a name, no path: https://datos.ejemplo.gob.pe; for a trial http://localhost:8810",
        )


def _check_public_key(steward: Steward) -> None:
    """A key is compared as it is written: another spelling of the same bytes would pass for another key."""
    where = f"config/stewards.toml: {steward.name}"
    try:
        key = b64decode(steward.public_key, validate=True)
    except ValueError:
        key = b""
    if bool(steward.passkey) != bool(steward.origin):
        raise SettingsError(
            "a passkey has both 'passkey' and 'origin'", where=where, remedy="`rnu passkey confirm` writes both"
        )
    if steward.passkey:
        check_origin(steward.origin, f"{where}.origin")
    elif len(key) != 32:
        key = b""
    if not key or b64encode(key).decode() != steward.public_key:
        raise SettingsError(
            "not the base64 of an Ed25519 key's 32 bytes" if not steward.passkey else "not the base64 of a passkey",
            where=f"{where}.public_key",
            remedy="copy the line that `rnu key signing` prints, or let `rnu passkey confirm` write it",
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
    if source.kind is not Kind.REGISTER and source.fields.household:
        raise SettingsError(
            "only the register says who lives together", where=f"{where}.fields.household", remedy="leave it out"
        )
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
            near = did_you_mean(name, PLACEHOLDERS)
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
        near = did_you_mean(form.encoding, ENCODINGS)
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
    """Each cube is protected alone: two tables of the same people tell by their difference what both withhold.

    Who meets a rule and is no user stands in no table of users.
    """
    first: dict[tuple[str, str], str] = {}
    for cube in cubes:
        for id in cube.programmes:
            if (cube.counts, id) in first:
                raise SettingsError(
                    f"programme '{id}' stands in cube '{first[cube.counts, id]}' already",
                    where=f"config/cubes.toml: {cube.id}.programmes",
                    remedy="count it in one cube: small counts would show in the difference between two",
                )
            first[cube.counts, id] = cube.id


def _check_cube(cube: Cube, programmes: set[str], settings: Settings) -> None:
    where = f"config/cubes.toml: {cube.id}"
    for id in (*cube.programmes, *cube.thresholds, *cube.structural, *cube.coarser):
        _known(id, programmes, where)
    for id in cube.programmes:
        if settings.programme(id).unit is not cube.unit:
            raise SettingsError(f"programme '{id}' counts another unit than the cube", where=f"{where}.unit")
    kept = {c for s in settings.sources if s.programme in cube.programmes for c in s.keep}
    for dimension in cube.dimension:
        _known(dimension.column, (*COUNTED, *kept), f"{where}.dimension.{dimension.id}.column")
    _check_dimensions(cube, where)
    _check_situation(cube, settings, where)
    _check_design(cube, where)
    if cube.population_floor and settings.population is None:
        raise SettingsError(
            "a population floor needs a population file", where=f"{where}.population_floor", remedy="set `population`"
        )


def _check_linked(settings: Settings) -> None:
    """Rosters are linked by persons, each of whom is one row; what comes of it are tables beside the cubes."""
    tables = []
    if settings.overlaps:
        tables += [settings.overlaps.number, settings.overlaps.pairs]
        _check_linked_programmes(settings.overlaps.programmes, settings, "config/cubes.toml: overlaps.programmes")
        if not 2 <= len(settings.overlaps.programmes) <= MOST_LINKED:
            raise SettingsError(
                f"overlaps are of 2 to {MOST_LINKED} programmes", where="config/cubes.toml: overlaps.programmes"
            )
    if settings.flows:
        tables.append(settings.flows.table)
        _check_linked_programmes(settings.flows.programmes, settings, "config/cubes.toml: flows.programmes")
    _ids("cubes.toml", "cube", [*(c.id for c in settings.cubes), *(t.id for t in tables)])


def _check_linked_programmes(ids: tuple[str, ...], settings: Settings, where: str) -> None:
    _unique("cubes.toml", "linked programme", list(ids))
    counted = {p: cube for cube in settings.cubes if cube.counts == "users" for p in cube.programmes}
    for id in ids:
        _known(id, counted, where)
        if counted[id].unit is not Unit.PERSON:
            raise SettingsError(
                f"programme '{id}' does not count persons", where=where, remedy="leave it out: only persons are linked"
            )
        source = next((s for s in settings.sources if s.programme == id), None)
        if source and (source.fields.weight or not source.fields.document_number):
            raise SettingsError(
                f"the rows of '{source.id}' are no persons with a document",
                where=where,
                remedy="leave it out: only rows that are one person each, with a document, can be linked",
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


def _check_situation(cube: Cube, settings: Settings, where: str) -> None:
    """What says where a user stands to the rule stands alone, and only where there is a rule."""
    ruled = {p.id for p in settings.programmes if p.rule}
    if cube.counts == "eligible":
        if cube.dimension:
            raise SettingsError("who is eligible is counted by place alone", where=f"{where}.dimension")
        for id in cube.programmes:
            _known(id, ruled, f"{where}.programmes")
    for dimension in cube.dimension:
        here = f"{where}.dimension.{dimension.id}"
        for id in dimension.programmes:
            _known(id, {p.id for p in settings.programmes}, f"{here}.programmes")
        if dimension.column == "situation":
            _check_ruled(dimension, dimension.programmes or cube.programmes, ruled, here)


def _check_ruled(dimension: CubeDimension, programmes: Iterable[str], ruled: set[str], where: str) -> None:
    if {c.id for c in dimension.category} != set(SITUATIONS):
        raise SettingsError(f"categories are {', '.join(SITUATIONS)}", where=f"{where}.category")
    for id in programmes:
        _known(id, ruled, f"{where}.programmes")


def _check_design(cube: Cube, where: str) -> None:
    if [level.id for level in cube.level] != ["nacion", "departamento", "provincia", "distrito"]:
        raise SettingsError(
            "levels are nacion, departamento, provincia, distrito, in this order", where=f"{where}.level"
        )
    crosses = [level.crosses for level in cube.level]
    if crosses != sorted(crosses, reverse=True) or crosses[0] > len(cube.dimension) or crosses[-1] < 0:
        raise SettingsError("a level shows at most the crosses of the level above", where=f"{where}.level.crosses")
    _check_coarser(cube, where)
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


def _check_coarser(cube: Cube, where: str) -> None:
    levels = {level.id for level in cube.level}
    for programme, fewer in cube.coarser.items():
        for level, shown_there in fewer.items():
            _known(level, levels, f"{where}.coarser.{programme}")
            here, ids = f"{where}.coarser.{programme}.{level}", _named(shown_there)
            for id in ids:
                _known(id, {d.id for d in cube.dimensions(programme)}, here)
            if len(set(ids)) < len(ids):
                raise SettingsError("a breakdown stands twice", where=here, remedy="name each once")
        shown = cube.crosses(programme)
        if list(shown) != sorted(shown, reverse=True) or shown[-1] < 0:
            raise SettingsError(
                "a level shows at most the crosses of the level above", where=f"{where}.coarser.{programme}"
            )
        for above, below in pairwise(cube.broken_down(programme)):
            if extra := sorted(set(below) - set(above)):
                raise SettingsError(
                    f"a level breaks down by '{extra[0]}', and the level above does not",
                    where=f"{where}.coarser.{programme}",
                    remedy="name it at every level above too, or at none below",
                )


def _named(shown: int | tuple[str, ...] | Shown) -> tuple[str, ...]:
    """The breakdowns that a level names."""
    if isinstance(shown, Shown):
        return shown.by
    return () if isinstance(shown, int) else shown


def _known(id: str, known: Iterable[str], where: str) -> None:
    if id not in set(known):
        raise SettingsError(f"'{id}' is not known", where=where, remedy=did_you_mean(id, known))


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
