"""A portal in a folder, and back: databases by pg_dump and pg_restore, files by tar.

What can be made again stays out: the environment, Solr's index, Redis with its queues and sessions.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from deploy.native import postgres
from deploy.native.home import Home
from deploy.native.machine import Failed, run
from deploy.native.processes import Supervisor
from rnu import __version__
from rnu.errors import Busy
from rnu.provenance import file_digest
from rnu.store import Store

RECORD = "respaldo.json"
# archive -> what of the portal's folder is in it
ARCHIVES = {
    "portal.tar.gz": ("secrets", "ckan/ckan.ini", "ckan/storage"),
    "institution.tar.gz": ("institution", "releases"),  # rosters and keys
}


@dataclass(frozen=True, slots=True)
class Record:
    """What a backup is of, and what its files must be."""

    made: str
    version: str
    url: str  # of the portal, as visitors had it
    ledger: str  # host and port in the ledger's address
    files: dict[str, str]  # name -> sha256


def backup(home: Home, target: Path) -> Record:
    """Write everything that cannot be made again into a new folder, for root's or the one user's eyes alone.

    The portal goes on answering visitors. The worker is stopped meanwhile, and whatever else wants to write the
    institution is kept waiting, so that databases and files are of one moment.
    """
    if target.exists():
        raise Failed(f"{target} is there already\n  -> name a new folder, such as one of today's date")
    if not home.institution.exists() or not postgres.answers(home):
        raise Failed(f"there is no portal at work in {home.root}\n  -> python -m deploy.native up")
    half = target.with_name(f"{target.name}.half")
    shutil.rmtree(half, ignore_errors=True)
    half.mkdir(mode=0o700, parents=True)
    with _at_rest(home):
        for database in postgres.DATABASES:
            postgres.dump(home, database, half / f"{database}.dump")
        for archive, names in ARCHIVES.items():
            run(["tar", "--create", "--gzip", "--file", str(half / archive), "--directory", str(home.root), *names])
    files = {path.name: file_digest(path) for path in sorted(half.iterdir())}
    made = datetime.now(UTC).isoformat(timespec="seconds")
    record = Record(made, __version__, home.address, _ledger(home), files)
    (half / RECORD).write_text(json.dumps(asdict(record), indent=1) + "\n", encoding="utf-8")
    for path in half.iterdir():
        path.chmod(0o600)
    half.rename(target)  # whole, or not there
    return record


def read(source: Path) -> Record:
    """What a backup says of itself; Failed unless every file is what was written."""
    try:
        record = Record(**json.loads((source / RECORD).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise Failed(f"{source} is no backup of a portal\n  -> name the folder in which {RECORD} lies") from error
    for name, digest in record.files.items():
        if not (source / name).exists() or file_digest(source / name) != digest:
            raise Failed(f"{source / name} is damaged or missing\n  -> take another backup; nothing was changed")
    return record


def place_files(home: Home, source: Path, record: Record) -> None:
    """Bring a backup's files into a folder that holds no portal yet, and let them speak of where they are now."""
    for name in ("institution", "releases", "postgres", "ckan", "secrets"):
        if (home.root / name).exists():
            raise Failed(
                f"{home.root} holds a portal already, or half of one: {name}/\n"
                "  -> stop it and move its folder away, or set RNU_PORTAL_HOME to another one"
            )
    for archive in ARCHIVES:
        run(["tar", "--extract", "--preserve-permissions", "--file", str(source / archive), "--directory",
             str(home.root)])  # fmt: skip
    inside = home.institution / "store" / "releases"
    if inside.is_symlink():
        inside.unlink()
        inside.symlink_to(home.releases)
    _replace(home.institution / "secrets" / "ledger.address", record.ledger, _ledger(home))
    _replace(home.institution / "config" / "portals.toml", f'"{record.url}"', f'"{home.address}"')


def fill_databases(home: Home, source: Path) -> None:
    """Bring a backup's databases back into empty ones."""
    for database in postgres.DATABASES:
        postgres.load(home, database, source / f"{database}.dump")


@contextmanager
def _at_rest(home: Home) -> Iterator[None]:
    """Nothing writes the institution or publishes."""
    supervisor = Supervisor(home)
    worked = supervisor.runs() and "RUNNING" in supervisor.states().get("worker", "")
    supervisor.stop("worker")
    try:
        with Store(home.institution / "store").locked():
            yield
    except Busy as error:
        raise Failed("a run or a publication is at work on the institution\n  -> back up when it has ended") from error
    finally:
        if worked:
            supervisor.start("worker", lambda: True)


def _ledger(home: Home) -> str:
    return f"@127.0.0.1:{home.port('postgres')}/"


def _replace(path: Path, old: str, new: str) -> None:
    """Change a word of a file that keeps its owner and mode."""
    words = path.read_text(encoding="utf-8").replace(old, new)
    with path.open("r+", encoding="utf-8") as file:
        file.write(words)
        file.truncate()
        os.fsync(file.fileno())
