"""How fast a portal is, each thing beside a bare reference on the same services in the same run.

    python -m bench.portal [--only pages|table|publication] [--rounds 3]

Needs the portal that `make portal` brought up (RNU_PORTAL_HOME, RNU_PORTAL_PORT), with the demo's releases on it, and
the right to start programs as its users. Leaves nothing on it. Adds a line to bench/results.jsonl.

pages        home, dataset and search page under concurrent readers; beside the same CKAN and plugins without ours
table        all rows of a district, of a DataStore table of two million; beside the same SQL in psql
publication  a made-up national release at district level, by the line's own way, with the time of each action
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date
from itertools import cycle, islice
from math import ceil
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import urllib3
from ckanapi import NotFound, RemoteCKAN

from anonymize.certificate import Certificate
from anonymize.tables import Dimension, Mark, SafeCells, add_margins
from deploy.native import postgres
from deploy.native.ckan import administrator, make_organisation, new_token
from deploy.native.home import CHECKOUT, Home
from deploy.native.institution import PUBLISHER
from deploy.native.machine import Failed, as_user, folder
from deploy.native.processes import UP_WITHIN, http_answers, processes
from rnu.publish.ckan import CkanPortal, remote
from rnu.publish.portal import Publication
from rnu.release.build import build
from rnu.release.columns import Columns
from rnu.release.model import Contents, ProgrammeTable, Provenance, SourceQuality
from rnu.settings import Period, Portal, load
from rnu.ubigeo import Gazetteer

HERE = Path(__file__).parent
ORGANISATION, PREFIX = "mediciones", "medicion"
SEED = 19360584

OURS = re.compile(r"\brnu\w*\s*")
# What of ours other settings name, and what CKAN's own plugins come with in its place.
REFERENCE = {
    "scheming.dataset_schemas": "ckanext.dcat.schemas:dcat_ap_recommended.yaml",
    "ckanext.dcat.rdf.profiles": "euro_dcat_ap_3",
}
BARE = """import os
from ckan.cli import CKANConfigLoader
from ckan.config.middleware import make_app
application = make_app(CKANConfigLoader(os.environ["CKAN_INI"]).get_config())
"""
DATASET = "rnu-usuarios"
PAGES = {
    "home": ("/",),
    "dataset": (f"/dataset/{DATASET}",),
    "search": tuple(f"/dataset/?q={quote(q)}" for q in ("pensión", "alumnos", "hogares", "Qali Warma", "distrito", "")),
}


# --- pages -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Served:
    """What readers got of one page in one round."""

    p50: float
    p95: float
    per_second: float


def measure_pages(home: Home, readers: int, requests: int, rounds: int) -> dict[str, Any]:
    """Each page's p95 with our plugins and without them, by turns."""
    found: dict[tuple[str, str], list[Served]] = {}
    with serving(home, "ours") as ours, serving(home, "reference") as reference:
        sides = {"ours": ours, "reference": reference}
        for address in sides.values():
            for paths in PAGES.values():
                read(address, paths, readers, 3)  # each worker has compiled its templates
        for turn in range(rounds):
            for page, paths in PAGES.items():
                for side in sorted(sides, reverse=bool(turn % 2)):
                    served = read(sides[side], paths, readers, requests)
                    found.setdefault((page, side), []).append(served)
                    say(f"{page} {side}: p95 {served.p95 * 1000:.0f} ms, {served.per_second:.1f} pages a second")
    return {page: compared(found[page, "ours"], found[page, "reference"]) for page in PAGES}


def compared(ours: Sequence[Served], reference: Sequence[Served]) -> dict[str, float]:
    """Medians over the rounds, and the ratio of the two p95."""
    sides = {"ours": ours, "reference": reference}
    medians = {
        f"{side}_{name}_ms": round(1000 * statistics.median(getattr(one, name) for one in rounds), 1)
        for side, rounds in sides.items()
        for name in ("p50", "p95")
    }
    return {**medians, "p95_ratio": round(medians["ours_p95_ms"] / medians["reference_p95_ms"], 3)}


def read(address: str, paths: Sequence[str], readers: int, requests: int) -> Served:
    """Let readers ask for pages, each one after the other; Failed unless every page comes."""
    pool = urllib3.PoolManager(maxsize=readers, retries=False, timeout=120)

    def one_reader(number: int) -> list[float]:
        return [seconds(pool, f"{address}{path}") for path in islice(cycle(paths), number, number + requests)]

    began = time.perf_counter()
    with ThreadPoolExecutor(readers) as threads:
        times = [t for reader in threads.map(one_reader, range(readers)) for t in reader]
    lasted = time.perf_counter() - began
    cuts = statistics.quantiles(times, n=20, method="inclusive")
    return Served(cuts[9], cuts[18], len(times) / lasted)


def seconds(pool: urllib3.PoolManager, url: str) -> float:
    """Time until a page has come whole."""
    began = time.perf_counter()
    answer = pool.request("GET", url)
    if answer.status != 200:
        raise Failed(f"{url} answered {answer.status}")
    return time.perf_counter() - began


@contextmanager
def serving(home: Home, side: str) -> Iterator[str]:
    """A web server of this run's own on the portal's services, with our plugins or without; its address."""
    root = folder(home.root / "ckan" / f"bench-{side}", home.users.web, 0o700)
    ini = root / "ckan.ini"
    words = home.ini.read_text(encoding="utf-8")
    ini.write_text(words if side == "ours" else without_ours(words), encoding="utf-8")
    (root / "bare.py").write_text(BARE, encoding="utf-8")
    for path in (ini, root / "bare.py"):
        path.chmod(0o600)
        shutil.chown(path, home.users.web) if home.users.apart else None
    port = home.port("web") + (7 if side == "ours" else 8)  # beyond the portal's own
    # what serves visitors, but for its address
    (web,) = (process for process in processes(home) if process.name == "web")
    command = [f"127.0.0.1:{port}" if word == f"127.0.0.1:{home.port('web')}" else word for word in web.command]
    environment = {**web.environment, "CKAN_INI": str(ini), "PATH": f"{home.venv}/bin:/usr/bin:/bin", "LANG": "C.UTF-8"}
    if side == "reference":
        command[-1], environment["PYTHONPATH"] = "bare:application", str(root)
    log = root / "log"
    with log.open("wb") as out:
        asked = [*as_user(home.users.web), *command]
        process = subprocess.Popen(asked, env=environment, cwd="/", stdout=out, stderr=out, start_new_session=True)
    try:
        address = f"http://127.0.0.1:{port}"
        wait_for(http_answers(f"{address}/api/3/action/status_show"), process, log)
        yield address
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait()
        shutil.rmtree(root)


def without_ours(ini: str) -> str:
    """CKAN's settings without our plugins, and without what names them.

    >>> without_ours("ckan.plugins = rnu rnu_standards datastore dcat")
    'ckan.plugins = datastore dcat'
    >>> without_ours("ckanext.dcat.rdf.profiles = rnu_dcat_ap")
    'ckanext.dcat.rdf.profiles = euro_dcat_ap_3'
    """
    ini = re.sub(r"^(ckan\.plugins *= *)(.*)$", lambda m: m[1] + OURS.sub("", m[2]), ini, flags=re.MULTILINE)
    for name, value in REFERENCE.items():
        ini = re.sub(rf"^{re.escape(name)} *=.*$", f"{name} = {value}", ini, flags=re.MULTILINE)
    return ini


def wait_for(answers: Callable[[], bool], process: subprocess.Popen, log: Path) -> None:
    deadline = time.monotonic() + UP_WITHIN
    while not answers():
        if process.poll() is not None or time.monotonic() > deadline:
            raise Failed(f"a web server did not begin; its log ends with:\n{log.read_text()[-2000:]}")
        time.sleep(0.5)


# --- a large table -----------------------------------------------------------------------------------------------

COLUMNS = ("periodo", "programa", "ubigeo", "departamento", "provincia", "distrito", "sexo", "cse", "usuarios", "marca")
KEY = ("periodo", "programa", "ubigeo", "sexo", "cse")
INDEXED = ("periodo", "programa", "ubigeo")  # as a published table's


def measure_table(home: Home, api: RemoteCKAN, rows: int, places: int, rounds: int) -> dict[str, Any]:
    """All rows of a district: by the action API, by SQL through the API, and by the same SQL in psql."""
    gazetteer = Gazetteer.load(CHECKOUT / "config" / "reference" / "ubigeo.csv")
    codes = [d.code for d in gazetteer.districts]
    table = make_table(home, api, gazetteer, ceil(rows / len(codes)))
    asked = [codes[i] for i in np.random.default_rng(SEED).choice(len(codes), places, replace=False)]
    visitor = RemoteCKAN(home.url)
    sql = {code: f"select * from \"{table}\" where ubigeo = '{code}' order by _id limit 32000" for code in asked}

    def by_search(code: str) -> int:
        data = {"resource_id": table, "filters": {"ubigeo": code}, "limit": 32_000}
        return len(visitor.call_action("datastore_search", data)["records"])

    def by_sql(code: str) -> int:
        return len(visitor.call_action("datastore_search_sql", {"sql": sql[code]})["records"])

    found: dict[str, list[float]] = {"psql": [], "datastore_search": [], "datastore_search_sql": []}
    counted = {by_search(code) for code in asked} | {by_sql(code) for code in asked}  # everything is warm now
    for _ in range(rounds):
        found["psql"] += psql_seconds(home, [sql[code] for code in asked])
        for name, way in (("datastore_search", by_search), ("datastore_search_sql", by_sql)):
            for code in asked:
                began = time.perf_counter()
                way(code)
                found[name].append(time.perf_counter() - began)
    medians = {name: round(1000 * statistics.median(times), 2) for name, times in found.items()}
    ratios = {f"{name}_ratio": round(medians[name] / medians["psql"], 1) for name in list(medians)[1:]}
    p95 = round(1000 * statistics.quantiles(found["datastore_search"], n=20, method="inclusive")[18], 2)
    return {
        "rows": int(postgres.sql(home, f'select count(*) from "{table}"', "datastore")),
        "rows_of_a_district": max(counted),
        **{f"{name}_ms": value for name, value in medians.items()},
        "datastore_search_p95_ms": p95,
        **ratios,
    }


def make_table(home: Home, api: RemoteCKAN, gazetteer: Gazetteer, each: int) -> str:
    """A public DataStore table with `each` made-up rows for every district; its id."""
    words = {"name": f"{PREFIX}-tabla", "title": "Medición", "notes": "Medición.", "owner_org": ORGANISATION}
    package = api.call_action("package_create", words)
    created = api.call_action(
        "datastore_create",
        {
            "resource": {"package_id": package["id"], "name": "tabla"},
            "fields": [{"id": name, "type": "int8" if name == "usuarios" else "text"} for name in COLUMNS],
            "primary_key": list(KEY),
            "indexes": list(INDEXED),
        },
    )
    table: str = created["resource_id"]
    places = ",".join(f"('{d.code}', '{quoted(d.department)}', '{quoted(d.province)}', '{quoted(d.name)}')"
                      for d in gazetteer.districts)  # fmt: skip
    # 8 programmes and 12 crosses make a period
    say(f"table: loading {each * len(gazetteer.districts):,} rows")
    postgres.sql(
        home,
        f"""
        select setseed(0.5);
        insert into "{table}" ({", ".join(COLUMNS)})
        select to_char(date '2020-01-01' + make_interval(months => n / 96), 'YYYY-MM'), 'programa' || n / 12 % 8,
               place.*, (array['hombre', 'mujer', 'total'])[n % 3 + 1],
               (array['no_pobre', 'pobre', 'pobre_extremo', 'total'])[n / 3 % 4 + 1], (random() * 5000)::int, ''
        from (values {places}) as place cross join generate_series(0, {each - 1}) as n;
        vacuum analyze "{table}";
        """,
        "datastore",
    )
    return table


def quoted(name: str) -> str:
    return name.replace("'", "''")


def psql_seconds(home: Home, queries: Sequence[str]) -> list[float]:
    """How long each query takes in one psql, as psql itself says, rows written out."""
    said = postgres.sql(home, "\\timing on\n\\o /dev/null\n" + ";\n".join(queries) + ";\n", "datastore")
    times = [float(ms) / 1000 for ms in re.findall(r"^Time: ([\d.]+) ms", said, re.MULTILINE)]
    if len(times) != len(queries):
        raise Failed(f"psql told {len(times)} times for {len(queries)} queries")
    return times


# --- a publication -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Timed:
    """CKAN's actions, with the time that each one took."""

    actions: RemoteCKAN
    seconds: Counter[str] = field(default_factory=Counter)

    def call_action(self, action: str, data_dict: dict[str, Any] | None = None, **options: Any) -> Any:
        """Call an action."""
        began = time.perf_counter()
        try:
            return self.actions.call_action(action, data_dict, **options)
        finally:
            self.seconds[action] += time.perf_counter() - began


def measure_publication(home: Home, api: RemoteCKAN, rows: int) -> dict[str, Any]:
    """Build a made-up release, publish it, publish it again, and compare what the portal serves."""
    settings = load(home.institution)
    portal = Portal(
        id="medicion", how="ckan", url=home.url, title="Mediciones", organization=ORGANISATION, prefix=PREFIX
    )
    token = new_token(home, PUBLISHER, "medicion")
    with tempfile.TemporaryDirectory(prefix="rnu-bench-") as work:
        release = Path(work) / "release"
        release.mkdir()
        digest, counted = make_release(release, rows)
        actions = Timed(remote(home.url, token))
        writer = CkanPortal(actions, remote(home.url, ""), portal, settings.institution)
        publication = Publication(Period(2026, 1), 1, digest, release, ())
        took = timed(lambda: writer.publish([publication]))
        steps = {name: round(s, 2) for name, s in actions.seconds.most_common() if s > 0.05}
        again = timed(lambda: writer.publish([publication]))
        differences = writer.compare([publication]).differences
        api.call_action("api_token_revoke", {"token": token})
    if differences:
        raise Failed(f"the portal serves other than was published: {differences[0]}")
    return {
        "rows": counted,
        "seconds": round(took, 1),
        "steps": {**steps, "our own work": round(took - sum(steps.values()), 2)},
        "again_s": round(again, 2),
    }


def timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def make_release(target: Path, rows: int) -> tuple[str, dict[str, int]]:
    """A release of every district by the configuration's own first cube, with made-up numbers; digest and rows."""
    settings = load(CHECKOUT)
    gazetteer = Gazetteer.load(CHECKOUT / "config" / "reference" / "ubigeo.csv")
    cube = settings.cubes[0]
    each = 1 + sum(len(dimension.category) for dimension in cube.dimension)  # of a district and programme
    wanted = ceil(rows / (each * len(gazetteer.districts)))
    programmes = list(islice(cycle(settings.programmes), wanted))
    names = [replace(p, id=f"{p.id}{number}") for number, p in enumerate(programmes)]
    cube = replace(cube, programmes=tuple(p.id for p in names))
    random = np.random.default_rng(SEED)
    tables = tuple(made_up(cube, p, make_cells(cube, gazetteer, random)) for p in names)
    quality = tuple(SourceQuality(p.id, p.id, p.id, True, cut="2026-01") for p in names)
    nothing = "0" * 64
    provenance = Provenance({}, {}, nothing, "0", nothing, nothing, "medicion")
    contents = Contents(Period(2026, 1), 1, tables=tables, quality=quality, provenance=provenance)
    columns = Columns.load(CHECKOUT / "schemas" / "tables" / "conteos.json")
    digest = build(contents, target, institution=settings.institution, gazetteer=gazetteer, columns=columns)
    files = sorted((target / "datos").glob("*.csv"))
    return digest, {p.stem.rpartition("_")[2]: sum(1 for _ in p.open(encoding="utf-8")) - 1 for p in files}


def made_up(cube: Any, programme: Any, safe: SafeCells) -> ProgrammeTable:
    """A table whose certificate has the size of one and proves nothing: marks drawn by lot have no proof."""
    shape = (len(safe.places.leaves), *(len(d.categories) for d in safe.dimensions))
    return ProgrammeTable(cube, programme, safe, Certificate(np.zeros(shape, dtype=np.int64), (), ()))


def make_cells(cube: Any, gazetteer: Gazetteer, random: np.random.Generator) -> SafeCells:
    """Totals and single breakdowns of every place, one in twenty withheld."""
    places = gazetteer.tree()
    dimensions = tuple(Dimension(d.id, tuple(c.id for c in d.category)) for d in cube.dimension)
    shape = (len(places.leaves), *(len(d.categories) for d in dimensions))
    values = add_margins(random.integers(0, 500, shape, dtype=np.int64), places, dimensions)
    totals = sum(
        (np.arange(n) == n - 1).astype(int).reshape([-1 if a == axis else 1 for a in range(1, values.ndim)])
        for axis, n in enumerate(values.shape[1:], start=1)
    )
    crosses = len(dimensions) - np.broadcast_to(totals, values.shape)
    marks = np.where(random.random(values.shape) < 0.05, Mark.WITHHELD, Mark.SHOWN).astype(np.uint8)
    marks[crosses > 1] = Mark.ABSENT
    return SafeCells(places, dimensions, np.where(marks == Mark.SHOWN, values, -1), marks, cube.threshold)


# --- running them ------------------------------------------------------------------------------------------------


@contextmanager
def guest(home: Home) -> Iterator[RemoteCKAN]:
    """CKAN's administrator, and an organisation of this run's own, gone afterwards with all that it has."""
    make_organisation(home, ORGANISATION, "Mediciones", PUBLISHER)
    with administrator(home) as api:
        clear(api)
        try:
            yield api
        finally:
            clear(api)
            api.call_action("organization_purge", {"id": ORGANISATION})


def clear(api: RemoteCKAN) -> None:
    asked = {"fq": f"organization:{ORGANISATION}", "include_private": True, "rows": 1000}
    for found in api.call_action("package_search", asked)["results"]:
        for resource in found["resources"]:
            if resource.get("datastore_active"):
                api.call_action("datastore_delete", {"resource_id": resource["id"], "force": True})
        api.call_action("dataset_purge", {"id": found["id"]})


def say(words: str) -> None:
    print(words, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=("pages", "table", "publication"), help="leave the others out")
    parser.add_argument("--rounds", type=int, default=3, help="of each side of a ratio")
    parser.add_argument("--readers", type=int, default=20, help="concurrent readers of pages")
    parser.add_argument("--requests", type=int, default=25, help="pages of each reader in a round")
    parser.add_argument("--rows", type=int, default=2_000_000, help="of the DataStore table")
    parser.add_argument("--places", type=int, default=50, help="districts asked for in a round")
    parser.add_argument("--release-rows", type=int, default=200_000, help="of the release at district level, at least")
    given = parser.parse_args()
    home = Home.of_machine()
    wanted = [given.only] if given.only else ["pages", "table", "publication"]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    result: dict[str, Any] = {
        "bench": "portal",
        "on": date.today().isoformat(),
        "machine": f"{os.cpu_count()} cores, {memory:.0f} GiB",
        "load_before": round(os.getloadavg()[0], 2),  # others at work on the machine make all of it slower
    }
    if "pages" in wanted:
        need_dataset(home)
        result["readers"] = given.readers
        result["pages"] = measure_pages(home, given.readers, given.requests, given.rounds)
    if {"table", "publication"} & set(wanted):
        with guest(home) as api:
            if "table" in wanted:
                result["table"] = measure_table(home, api, given.rows, given.places, given.rounds)
            if "publication" in wanted:
                result["publication"] = measure_publication(home, api, given.release_rows)
    with (HERE / "results.jsonl").open("a", encoding="utf-8") as out:
        out.write(json.dumps(result) + "\n")
    print(json.dumps(result, indent=1))


def need_dataset(home: Home) -> None:
    try:
        RemoteCKAN(home.url).call_action("package_show", {"id": DATASET})
    except NotFound as error:
        raise Failed(f"the portal at {home.url} has no dataset {DATASET}\n  -> make portal") from error


if __name__ == "__main__":
    try:
        main()
    except Failed as error:
        sys.exit(f"Failed: {error}")
