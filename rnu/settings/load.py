"""Read `config/*.toml`, each file once; a wrong key is refused with file, key and a suggestion."""

from __future__ import annotations

import tomllib
from dataclasses import fields, is_dataclass
from pathlib import Path
from types import UnionType
from typing import Any, TypeVar, get_args, get_type_hints

from pydantic import TypeAdapter, ValidationError

from rnu.errors import SettingsError
from rnu.settings.checks import cross_check
from rnu.settings.suggestion import did_you_mean
from rnu.settings.types import CubesFile, Kind, PortalsFile, ProgrammesFile, Settings, SourcesFile, StewardsFile

File = TypeVar("File")


def read_toml(path: Path, shape: type[File], where: str = "") -> File:
    """Parse one TOML file into its frozen type; SettingsError with file, key and a suggestion."""
    remedy = "" if where else "`rnu init DIR` makes a whole folder; point --home at it"
    where = where or f"config/{path.name}"
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(
            f"{path.name} cannot be read ({error.strerror})",
            where=str(path),
            remedy=remedy,
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
            raise SettingsError(f"unknown key '{key}'", where=where, remedy=did_you_mean(word, known)) from error
        missing = first["type"] in {"missing", "missing_argument"}
        problem = f"key '{key}' is missing" if missing else f"key '{key}': {first['msg'][0].lower()}{first['msg'][1:]}"
        more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
        raise SettingsError(problem + more, where=where, remedy="the comments in the file say what it takes") from error


def _key(raw: object, loc: tuple[int | str, ...]) -> str:
    """Write a location as a person would look for it: source 'sis' fetch.how, not source.0.fetch.how."""
    words: list[str] = []
    for step in loc:
        if isinstance(step, str) and isinstance(raw, dict):
            raw = raw.get(step)
            words.append(step)
        elif isinstance(step, int) and isinstance(raw, list) and words:
            raw = raw[step]
            name = raw.get("id") or raw.get("name") if isinstance(raw, dict) else None
            words[-1] += f"[{name or step + 1}]"
        else:
            break  # what follows names a type that the value could have had
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
            if isinstance(shape, UnionType):  # a key that may be left out, or hold a number instead
                shape = next((one for one in get_args(shape) if is_dataclass(one)), shape)
    return [f.name for f in fields(shape)] if is_dataclass(shape) else []


def load(home: Path) -> Settings:
    """Read and cross-check an institution's configuration. Raises SettingsError, never anything else."""
    config = home / "config"
    programmes = read_toml(config / "programmes.toml", ProgrammesFile)
    sources = read_toml(config / "sources.toml", SourcesFile)
    cubes = read_toml(config / "cubes.toml", CubesFile)
    portals = read_toml(config / "portals.toml", PortalsFile)
    stewards = read_toml(config / "stewards.toml", StewardsFile)
    settings = Settings(
        home=home,
        programmes=programmes.programme,
        sources=sources.source,
        root=home / sources.root,
        quorum=sources.quorum or tuple(s.id for s in sources.source if s.kind is not Kind.OPEN),
        cubes=cubes.cube,
        overlaps=cubes.overlaps,
        flows=cubes.flows,
        rates=cubes.rates,
        population=config / cubes.population if cubes.population else None,
        departments=cubes.departments,
        notices=cubes.notices,
        institution=portals.institution,
        portals=portals.portal,
        stewards=stewards.steward,
    )
    cross_check(settings)
    return settings
