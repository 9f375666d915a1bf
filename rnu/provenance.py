"""What a roster's and a release's bytes depend on, as digests."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from datetime import date
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import anonymize
import harvesters
import rnu
from rnu import defaults
from rnu.settings import Settings, Source

LOCK = "requirements.lock"
NOT_CODE = {"__pycache__", "_defaults"}  # the defaults count as configuration, which each institution has as its own


def file_digest(path: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal; read in constant memory."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest_of(value: object) -> str:
    """sha256 of a value's canonical JSON.

    >>> digest_of({"b": 1, "a": 2}) == digest_of({"a": 2, "b": 1})
    True
    """
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=_plain).encode()).hexdigest()


def _plain(value: object) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(type(value).__name__)


@cache
def code_digest() -> str:
    """sha256 over the packages' files: name and content of each, in order; the same in a checkout and installed."""
    hasher = hashlib.sha256()
    for package in (rnu, harvesters, anonymize):
        root = Path(next(iter(package.__path__)))
        for path in sorted(root.rglob("*")):
            if path.is_file() and NOT_CODE.isdisjoint(path.relative_to(root).parts):
                hasher.update(f"{package.__name__}/{path.relative_to(root).as_posix()}\n".encode())
                hasher.update(hashlib.sha256(path.read_bytes()).digest())
    return hasher.hexdigest()


@cache
def lock_digest() -> str:
    """sha256 of the project's lock file; empty where something that it names is installed in another version."""
    path = defaults.folder() / LOCK
    words = path.read_text(encoding="utf-8") if path.is_file() else ""
    return file_digest(path) if words and not other_versions(words) else ""


def other_versions(lock: str) -> dict[str, str]:
    r"""What is installed in another version than a lock file's text names; what is not installed shapes no bytes.

    >>> list(other_versions("numpy==0.0.1\nnot-installed==1.0"))
    ['numpy']
    """
    named = dict(re.findall(r"^([A-Za-z0-9_.-]+)(?:\[[^]]*\])?==(\S+)", lock, re.M))
    found = {name: _installed(name) for name in named}
    return {name: version for name, version in found.items() if version not in ("", named[name])}


def _installed(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""


def roster_fingerprint(
    source: Source,
    delivery: str,
    schema: Path,
    gazetteer: Path,
    cut: date,
    key_id: str,
    departments: tuple[str, ...],
) -> str:
    """Of everything a roster depends on: with the same fingerprint its intake need not be done again."""
    layout = {
        "programme": source.programme,
        "kind": source.kind,
        "format": source.format,
        "fields": source.fields,
        "codes": source.codes,
        "keep": source.keep,
        "tolerance": source.tolerance,
        "place_coding": source.place_coding,
    }
    files = [file_digest(schema), file_digest(gazetteer)]
    return digest_of([layout, delivery, files, cut.isoformat(), key_id, departments, code_digest()])


def configuration_digest(settings: Settings) -> str:
    """Of what in `config/` shapes a release's bytes: neither where rosters lie nor which portals there are."""
    population = file_digest(settings.population) if settings.population else ""
    return digest_of(
        [
            settings.programmes,
            [dataclasses.replace(s, fetch=dataclasses.replace(s.fetch, where="")) for s in settings.sources],
            settings.cubes,
            settings.overlaps,
            settings.flows,
            settings.rates,
            settings.departments,
            settings.notices,
            settings.institution,
            population,
            file_digest(settings.gazetteer_path),
        ]
    )


def release_fingerprint(rosters: Mapping[str, str], configuration: str, missing: Iterable[str]) -> str:
    """Of everything a release depends on, to know without building whether anything changed."""
    return digest_of([sorted(rosters.items()), configuration, sorted(missing), code_digest(), lock_digest()])
