"""No person's row ever enters CKAN: nobody of the made-up people is in PostgreSQL, Solr, Redis, files or logs.

Looked for are all people of the demo's deliveries, by document, name and pseudonym; and, so that finding nobody means
something, people of the test's own are put into each of the stores and found there.
"""

import gzip
import json
import pickle
import re
import subprocess
import zlib
from base64 import b64decode
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import requests

from deploy.native import postgres, solr
from deploy.native.home import Home
from deploy.native.machine import postgres_program, run
from tests.line.leaks import Leak, scan
from tests.line.persons import Persons, delivered_persons, pseudonyms

pytestmark = [pytest.mark.portal, pytest.mark.slow]

PIECE = 1 << 21  # bytes that are read as one text
UUID = re.compile(rb"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")  # one in forty begins with eight decimals
TOKEN = bytes(range(161, 177))
PLANTED = Persons(frozenset({"99887766"}), frozenset({"ZZQUISPE ZZMAMANI"}), frozenset({TOKEN}))
TEXT = f"nota: 99887766, Zzquispe  Zzmamaní, {TOKEN.hex()}"
TERMS = (".tim", ".tip")  # Lucene's dictionaries of terms
KINDS = {"document", "name", "pseudonym"}

Content = tuple[str, bytes]


@pytest.fixture(scope="module")
def persons(portal) -> Persons:
    """Everybody in the deliveries of the institution that publishes here."""
    try:
        found = replace(delivered_persons(portal.institution), pseudonyms=pseudonyms(portal.institution))
    except PermissionError:
        pytest.skip("only root, or the worker's user, can read who the people are")
    assert min(len(found.documents), len(found.names), len(found.pseudonyms)) > 100_000
    return found


# --- what each store holds -----------------------------------------------------------------------------------------


def in_postgres(portal: Home) -> Iterator[Content]:
    """Every database, roles too, as its owner dumps it."""
    socket = str(portal.root / "run" / "postgres")
    dump = [postgres_program("pg_dumpall"), "-h", socket, "-p", str(portal.port("postgres"))]
    text = run([*dump, "-U", portal.users.postgres], user=portal.users.postgres, cwd=Path("/"))
    yield "pg_dumpall", text.encode()


def in_solr(portal: Home) -> Iterator[Content]:
    """Every document, and the index's own files."""
    asked = {"q": "*:*", "fl": "*", "rows": 100_000}
    found = requests.get(f"{solr.address(portal)}/select", params=asked, timeout=60).json()["response"]
    assert found["numFound"] == len(found["docs"]) > 0
    yield "documents", json.dumps(found["docs"], ensure_ascii=False).encode()
    yield from in_folder(portal.root / "solr" / "home")


def in_redis(portal: Home) -> Iterator[Content]:
    """Every key and value of every database; what is compressed, as jobs are, also as it was before."""
    program = [portal.program("python"), str(Path(__file__).with_name("redis_contents.py"))]
    said = subprocess.run([*program, str(portal.port("redis"))], capture_output=True, text=True, check=True).stdout
    for line in said.splitlines():
        where, packed = json.loads(line)
        value = b64decode(packed)
        yield where, value
        try:
            yield f"{where}, unpacked", zlib.decompress(value)
        except zlib.error:
            continue


def in_folder(folder: Path) -> Iterator[Content]:
    """Every file's name and bytes."""
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        yield str(path), path.name.encode()
        yield str(path), path.read_bytes()


def in_files(portal: Home) -> Iterator[Content]:
    """CKAN's own folder: uploads, settings, sessions."""
    yield from in_folder(portal.root / "ckan")


def in_logs(portal: Home) -> Iterator[Content]:
    """What all programs wrote down."""
    yield from in_folder(portal.root / "log")


STORES = {"postgres": in_postgres, "solr": in_solr, "redis": in_redis, "files": in_files, "logs": in_logs}


def found_in(contents: Iterator[Content], persons: Persons) -> set[Leak]:
    """Who is in it."""
    apart = without_twins(persons)
    return {
        leak
        for where, data in contents
        for read in readings(data)
        for leak in scan(read, where, apart if where.endswith(TERMS) else persons)
    }


def without_twins(persons: Persons) -> Persons:
    """Without phrases that are one word twice, as two equal surnames are: where an index lists its terms by the
    alphabet, the end of «usuarias» stands twice in a row, once for each of two fields. A person's other phrases stay.

    >>> sorted(without_twins(Persons(frozenset(), frozenset({"ARIAS ARIAS", "ARIAS ARIAS ROSA"}), frozenset())).names)
    ['ARIAS ARIAS ROSA']
    """
    return replace(persons, names=frozenset(name for name in persons.names if len(set(name.split())) > 1))


def readings(data: bytes) -> Iterator[bytes]:
    """How it may be read: a packed file as a whole; all else line by line, digits of UUIDs left out, as bytes and as
    text between bytes, so that letters with accents are seen in what is no text."""
    if data.startswith((b"PK\x03\x04", b"PAR1", b"\x1f\x8b")):
        yield data
        return
    start = 0
    while start < len(data):
        end = data.find(b"\n", start + PIECE) + 1 or len(data)
        piece = UUID.sub(b"-", data[start:end])
        yield from {piece, piece.decode("utf-8", "replace").encode()}
        start = end


# --- nobody --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("store", STORES)
def test_nobody_is_in_what_ckan_keeps(portal, persons, store):
    assert found_in(STORES[store](portal), persons) == set()


def test_what_is_looked_through_is_the_whole_portal(portal):
    """So that an empty dump does not pass."""
    (dump,) = (data.decode() for _, data in in_postgres(portal))
    assert all(f"\\connect {database}" in dump for database in postgres.DATABASES)
    assert all(f"COPY {table} " in dump for table in ("public.package", "public.activity", "public.decision"))
    assert any("usuarios" in data.decode() for where, data in in_solr(portal) if where == "documents")
    assert {"web.log", "jobs.log", "worker.log"} <= {Path(where).name for where, _ in in_logs(portal)}
    assert any(where.endswith(".ini") for where, _ in in_files(portal))


# --- somebody ------------------------------------------------------------------------------------------------------


def kinds(contents: Iterator[Content]) -> set[str]:
    return {leak.kind for leak in found_in(contents, PLANTED)}


@pytest.mark.parametrize("database", postgres.DATABASES)
def test_somebody_in_a_database_is_found(portal, database):
    statements = "create table planted_by_a_test (said text, seen bytea);"
    values = f"insert into planted_by_a_test values ('{TEXT[:40]}', '\\x{TOKEN.hex()}');"
    postgres.sql(portal, statements + values, database)
    try:
        assert kinds(in_postgres(portal)) == KINDS
    finally:
        postgres.sql(portal, "drop table planted_by_a_test", database)


def test_somebody_in_a_document_of_solr_is_found(portal):
    address = f"{solr.address(portal)}/update?commit=true"
    planted = {"index_id": "planted", "site_id": "planted", "id": "planted", "notes": TEXT}
    requests.post(address, json=[planted], timeout=60).raise_for_status()
    try:
        assert {leak.kind for leak in found_in(in_solr(portal), PLANTED) if leak.where == "documents"} == KINDS
    finally:
        requests.post(address, json={"delete": {"id": "planted"}}, timeout=60).raise_for_status()


@pytest.mark.parametrize("packed", [False, True])
def test_somebody_in_a_queue_is_found(portal, packed):
    """As rq keeps a job: a pickle, compressed."""
    data = zlib.compress(pickle.dumps(("rnu.job", None, (TEXT,), {}))) if packed else TEXT.encode()
    command = ["redis-cli", "-p", str(portal.port("redis")), "-x"]
    subprocess.run([*command, "hset", "planted-by-a-test", "data"], input=data, check=True, capture_output=True)
    try:
        assert kinds(in_redis(portal)) == KINDS
    finally:
        subprocess.run(["redis-cli", "-p", str(portal.port("redis")), "del", "planted-by-a-test"], check=True)


@pytest.mark.parametrize(
    ("store", "folder", "name", "data"),
    [
        ("files", "ckan/storage", "planted.csv.gz", gzip.compress(TEXT.encode())),
        ("logs", "log", "planted.log", TEXT.encode()),
    ],
    ids=["files", "logs"],
)
def test_somebody_in_a_file_is_found(portal, store, folder, name, data):
    planted = portal.root / folder / name
    planted.write_bytes(data)
    try:
        assert kinds(STORES[store](portal)) == KINDS
    finally:
        planted.unlink()
