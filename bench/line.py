"""How fast the line is, from delivered rosters to safe cells, beside bare DuckDB on the same rows.

    python -m bench.line --rows 1000000 [--repeat 3] [--keep]

Every step runs in a process of its own, so that its peak memory is its own. Times are medians over `--repeat` runs,
the two sides of a ratio by turns. Prints a table and adds a line to bench/results.jsonl.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import duckdb

from anonymize.attack import Published, attack
from anonymize.certificate import certify, check
from anonymize.protect import protect as protect_table
from anonymize.tables import SafeCells
from harvesters.delivery import Fetched
from harvesters.read import Layout, read
from rnu import defaults, secrets
from rnu.demo import make_up
from rnu.institution import Institution
from rnu.intake import load_schema, take_in
from rnu.pipeline import take_in_sources
from rnu.settings import Kind, Period, Source
from rnu.tabulate import Task, count, tasks

HERE = Path(__file__).parent
PERIOD = Period(2026, 1)
SEED = 19360584
STEPS = {}


def step(function):
    """A step runs alone in a process: `python -m bench.line --step NAME --home DIR`."""
    STEPS[function.__name__] = function
    return function


def timed(work) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


# --- the steps ---------------------------------------------------------------------------------------------------


@step
def generate(home: Path, rows: int) -> dict:
    defaults.copy(home)
    secrets.new_pseudonym_key(home)
    return {"seconds": timed(lambda: make_up(home, home / "entregas", (), None, rows, SEED, [PERIOD]))}


@step
def harvest(home: Path, rows: int) -> dict:
    """Take everything in once, so that rosters stand for the steps that follow; its time is the whole intake's."""
    del rows
    institution, steps = Institution.open(home), []
    with institution.store.locked():
        problems = take_in_sources(institution, PERIOD, secrets.pseudonym_key(home, {}), steps.append)
    assert not problems, problems
    done = [s for s in steps if not s.began]
    return {"seconds": sum(s.seconds for s in done if s.name == "harvest")}


@step
def plain_text(home: Path, rows: int) -> dict:
    """Write every roster as one UTF-8 CSV per member, for the reference to read. Not part of any time."""
    del rows
    institution = Institution.open(home)
    for source in rosters(institution):
        target = home / "plain" / source.id
        target.mkdir(parents=True)
        work = home / "plain" / "work"
        work.mkdir()
        for member in read(files(institution, source), layout(source), work):
            columns = ", ".join(f'c{i} as "{label}"' for i, label in enumerate(member.labels))
            path = target / f"{member.path.stem}.csv"
            duckdb.execute(f"copy (select {columns} from '{member.path}') to '{path}' (header, delimiter ',')")
        shutil.rmtree(work)
    return {"bytes": sum(p.stat().st_size for p in (home / "plain").rglob("*.csv"))}


@step
def reference_copy(home: Path, rows: int) -> dict:
    """Bare DuckDB: CSV to Parquet, as it comes."""
    del rows
    out, seconds, counted = home / "reference", {}, {}
    out.mkdir(exist_ok=True)
    for folder in sorted(p for p in (home / "plain").iterdir() if p.is_dir()):
        target = out / f"{folder.name}.parquet"
        seconds[folder.name] = timed(
            lambda f=folder, t=target: duckdb.execute(f"copy (from read_csv('{f}/*.csv', all_varchar = true)) to '{t}'")
        )
        counted[folder.name] = duckdb.sql(f"select count(*) from '{target}'").fetchall()[0][0]
    shutil.rmtree(out)
    return {"by_source": seconds, "rows": counted}


@step
def intake(home: Path, rows: int) -> dict:
    """Ours: read, check, pseudonymise, write, of what the store holds."""
    del rows
    institution, seconds = Institution.open(home), {}
    key = secrets.pseudonym_key(home, {})
    load_schema(institution.settings.schema_path(rosters(institution)[0]))  # loads frictionless, once in a process
    for source in rosters(institution):
        with institution.store.work("bench") as work:
            seconds[source.id] = timed(
                lambda s=source, w=work: take_in(
                    s,
                    files(institution, s),
                    schema_path=institution.settings.schema_path(s),
                    gazetteer=institution.gazetteer,
                    references=institution.references,
                    cut=PERIOD.last_day(),
                    key=key,
                    work=w,
                    roster=w / "roster.parquet",
                )
            )
    return {"by_source": seconds}


@step
def aggregate(home: Path, rows: int) -> dict:
    """Ours: every cube, by its ibis expression."""
    del rows
    institution = Institution.open(home)
    intakes = institution.ledger.intakes(str(PERIOD))
    return {
        "seconds": timed(
            lambda: [
                count(c, institution.settings, intakes, PERIOD, institution.store) for c in institution.settings.cubes
            ]
        )
    }


@step
def by_hand(home: Path, rows: int) -> dict:
    """The same group-bys written by hand in DuckDB on the same Parquet."""
    del rows
    institution = Institution.open(home)
    rosters_of = {s: i.roster for s, i in institution.ledger.intakes(str(PERIOD)).items()}
    folder = home / "store" / "rosters" / str(PERIOD)

    def paths(*sources: str) -> str:
        return "[" + ", ".join(f"'{folder / rosters_of[s]}.parquet'" for s in sources) + "]"

    def query(dimensions: str, *sources: str) -> str:
        return f"""
            select r.programme, r.place, {dimensions}, sum(r.weight), count(*), count(g.pseudonym)
            from read_parquet({paths(*sources)}, union_by_name = true) r
            left join read_parquet({paths("pgh")}) g on g.pseudonym = r.pseudonym group by all"""

    cut = PERIOD.last_day()
    cse = f"""coalesce(case when g.cse_from <= date '{cut}' and (g.cse_until is null or g.cse_until >= date '{cut}')
              then g.cse end, r.cse, 'no_clasificado')"""
    age = """case when r.age <= 5 then '0_5' when r.age <= 17 then '6_17' when r.age <= 29 then '18_29'
             when r.age <= 44 then '30_44' when r.age <= 64 then '45_64' else '65_mas' end"""
    queries = [
        query(f"r.sex, {age}, {cse}", "sis", "pension65", "cunamas", "contigo", "pca", "vasoleche"),
        query(cse, "juntos", "foncodes"),
        query('r."NivelEducativo"', "qaliwarma"),
    ]
    duckdb.execute("set memory_limit = '4GB'")
    return {"seconds": timed(lambda: [duckdb.sql(q).df() for q in queries])}


@step
def protect(home: Path, rows: int) -> dict:
    """Protect, attack, certify and verify, programme by programme, on one core."""
    del rows
    institution = Institution.open(home)
    intakes = institution.ledger.intakes(str(PERIOD))
    counts = {
        c.id: count(c, institution.settings, intakes, PERIOD, institution.store) for c in institution.settings.cubes
    }
    seconds: dict[str, dict[str, float]] = {}
    key = secrets.pseudonym_key(home, {})
    for task in tasks(institution.settings, counts, intakes, PERIOD, institution.gazetteer, key):
        found = dict(protected(task))
        for part, took in found.items():
            seconds.setdefault(part, {})[f"{task.cube}/{task.programme}"] = took
        told = ", ".join(f"{part} {took:.1f} s" for part, took in found.items())
        print(f"  {task.cube}/{task.programme}: {told}", file=sys.stderr, flush=True)
    return {"by_source": seconds["protect"], "parts": seconds}


def protected(task: Task) -> Iterator[tuple[str, float]]:
    """How long each part of protecting a programme's table takes; each is held against what it promises."""
    made: dict[str, Any] = {}
    yield "protect", timed(lambda: made.update(safe=protect_table(task.table, task.policy, key=task.key)))
    safe: SafeCells = made["safe"]
    yield "attack", timed(lambda: made.update(found=attack(Published.of(safe), task.table, task.policy.threshold)))
    assert not made["found"], f"{task.programme}: {len(made['found'])} cells found"
    yield "certificate", timed(lambda: made.update(certificate=certify(safe)))
    yield "verify", timed(lambda: made.update(verdict=check(safe, made["certificate"])))
    assert not made["verdict"].problems, f"{task.programme}: {made['verdict'].problems[0]}"


def rosters(institution: Institution) -> list[Source]:
    return [s for s in institution.settings.sources if s.kind is not Kind.OPEN]


def files(institution: Institution, source: Source) -> list[Fetched]:
    delivery = institution.ledger.delivery(source.id, str(source.cut(PERIOD)))
    return [Fetched(n, institution.store.delivery(h), h, s) for n, h, s in delivery.files]


def layout(source: Source) -> Layout:
    f = source.format
    return Layout(f.type, f.encoding, f.delimiter, f.quote, f.zip, f.members, f.sheet, f.skip_rows, f.max_rows)


# --- running them ------------------------------------------------------------------------------------------------


def alone(name: str, home: Path, rows: int) -> dict:
    """Run a step in a process of its own; its result with its peak memory."""
    command = [sys.executable, "-m", "bench.line", "--step", name, "--home", str(home), "--rows", str(rows)]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, cwd=HERE.parent)
    found = json.loads(done.stdout)
    print(
        f"{name}: {sum(found.get('by_source', {'': found.get('seconds', 0)}).values()):.1f} s, "
        f"{found['peak_gb']:.2f} GB",
        file=sys.stderr,
        flush=True,
    )
    return found


def median_by_source(runs: list[dict]) -> dict[str, float]:
    return {s: statistics.median(r["by_source"][s] for r in runs) for s in runs[0]["by_source"]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=19_360_584, help="user rows over the nine programmes")
    parser.add_argument("--repeat", type=int, default=3, help="runs of each side of a ratio")
    parser.add_argument("--keep", action="store_true", help="keep bench/data/ for another run")
    parser.add_argument("--only-protection", action="store_true", help="make rosters, and measure protection alone")
    parser.add_argument("--without-protection", action="store_true", help="leave protection out")
    parser.add_argument("--step", choices=STEPS, help=argparse.SUPPRESS)
    parser.add_argument("--home", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.step:
        result = STEPS[given.step](given.home, given.rows)
        used = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
        print(json.dumps(result | {"peak_gb": used / 2**20}))
        return
    home = HERE / "data" / str(given.rows)
    if given.only_protection:
        keep(surroundings() | {"rows": given.rows} | protection_alone(home, given.rows))
        if not given.keep:
            shutil.rmtree(home)
        return
    once = {}
    if not (home / "ready").exists():
        shutil.rmtree(home, ignore_errors=True)
        once = {name: alone(name, home, given.rows) for name in ("generate", "harvest", "plain_text")}
        (home / "ready").touch()
    runs: dict[str, list[dict]] = {n: [] for n in ("intake", "reference_copy", "aggregate", "by_hand")}
    for _ in range(given.repeat):
        for name, found in runs.items():
            found.append(alone(name, home, given.rows))
    protection = {} if given.without_protection else alone("protect", home, given.rows)
    report(once, runs, protection)
    if not given.keep:
        shutil.rmtree(home)


def protection_alone(home: Path, rows: int) -> dict:
    """Make rosters, if they are not there yet, and measure protection on them."""
    if not (home / "store").exists():
        for name in ("generate", "harvest"):
            alone(name, home, rows)
    found = alone("protect", home, rows)
    return {f"{part}_s": by for part, by in found["parts"].items()} | {"peak_gb": {"protect": found["peak_gb"]}}


def surroundings() -> dict:
    """When and on what it ran."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "on": date.today().isoformat(),
        "machine": f"{os.cpu_count()} cores, {memory:.0f} GiB, {platform.machine()}",
        "software": f"Python {platform.python_version()}, DuckDB {duckdb.__version__}",
    }


def keep(result: dict) -> None:
    """Add a line to the results, and print it."""
    with (HERE / "results.jsonl").open("a", encoding="utf-8") as out:
        out.write(json.dumps(result) + "\n")
    print(json.dumps(result, indent=1))


def report(once: dict, runs: dict[str, list[dict]], protection: dict) -> None:
    ours, theirs = median_by_source(runs["intake"]), median_by_source(runs["reference_copy"])
    counted = runs["reference_copy"][0]["rows"]
    programmes = [s for s in ours if s != "pgh"]
    aggregated, hand = (statistics.median(r["seconds"] for r in runs[n]) for n in ("aggregate", "by_hand"))
    result = surroundings() | {
        "rows": {"programmes": sum(counted[s] for s in programmes), "register": counted["pgh"]},
        "generate_s": once.get("generate", {}).get("seconds"),
        "harvest_s": once.get("harvest", {}).get("seconds"),
        "intake_s": sum(ours[s] for s in programmes),
        "intake_reference_s": sum(theirs[s] for s in programmes),
        "register_intake_s": ours["pgh"],
        "register_reference_s": theirs["pgh"],
        "by_source": {s: {"rows": counted[s], "ours_s": ours[s], "reference_s": theirs[s]} for s in ours},
        "aggregate_s": aggregated,
        "aggregate_by_hand_s": hand,
        **{f"{part}_s": by for part, by in protection.get("parts", {}).items()},
        "peak_gb": {n: max(r["peak_gb"] for r in found) for n, found in runs.items()}
        | ({"protect": protection["peak_gb"]} if protection else {}),
    }
    result["intake_ratio"] = (result["intake_s"] + ours["pgh"]) / (result["intake_reference_s"] + theirs["pgh"])
    result["intake_ratio_programmes"] = result["intake_s"] / result["intake_reference_s"]
    result["aggregate_ratio"] = aggregated / hand
    keep(result)


if __name__ == "__main__":
    main()
