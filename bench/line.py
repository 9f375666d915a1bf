"""How fast rosters are taken in and counted, beside bare DuckDB on the same rows. For protection: bench.protection.

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
from datetime import date
from pathlib import Path

import duckdb

from harvesters.delivery import Fetched
from harvesters.read import Layout, read
from rnu import defaults, secrets
from rnu.demo import make_up
from rnu.institution import Institution
from rnu.intake import load_schema, take_in
from rnu.pipeline import take_in_sources
from rnu.settings import Kind, Period, Source
from rnu.tabulate import count

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
    """The same joins and group-bys written by hand in DuckDB on the same Parquet, rules and eligible ones too."""
    del rows
    institution = Institution.open(home)
    rosters_of = {s: i.roster for s, i in institution.ledger.intakes(str(PERIOD)).items()}
    folder = home / "store" / "rosters" / str(PERIOD)

    def paths(*sources: str) -> str:
        return "[" + ", ".join(f"'{folder / rosters_of[s]}.parquet'" for s in sources) + "]"

    cut = PERIOD.last_day()
    valid = f"""case when g.cse_from <= date '{cut}' and (g.cse_until is null or g.cse_until >= date '{cut}')
                then g.cse end"""
    age = """case when r.age <= 5 then '0_5' when r.age <= 17 then '6_17' when r.age <= 29 then '18_29'
             when r.age <= 44 then '30_44' when r.age <= 64 then '45_64' else '65_mas' end"""
    register = (
        f"select g.*, {valid} as valid, coalesce(g.household, g.pseudonym) as home from read_parquet({paths('pgh')}) g"
    )
    homes = """select home, bool_or(valid is not null) as told,
               bool_or(coalesce(valid in ('pobre_extremo', 'pobre_no_extremo'), false))
               and bool_or(coalesce(age <= 18, false)) as meets from register group by home"""

    def query(dimensions: str, joined: str, *sources: str) -> str:
        return f"""
            with register as ({register}), homes as ({homes})
            select r.programme, r.place, {dimensions}, sum(r.weight), count(*), count(g.pseudonym)
            from read_parquet({paths(*sources)}, union_by_name = true) r {joined} group by all"""

    cse = "coalesce(g.valid, r.cse, 'no_clasificado')"
    person = """case when r.programme <> 'pension65' then null when g.pseudonym is null then 'no_encontrado'
                when g.valid is null then 'sin_cse'
                when g.valid = 'pobre_extremo' and g.age >= 65 then 'cumple' else 'no_cumple' end"""
    household = """case when r.programme <> 'juntos' then null when g.pseudonym is null then 'no_encontrado'
                   when not h.told then 'sin_cse' when h.meets then 'cumple' else 'no_cumple' end"""
    one, both = (
        "left join register g using (pseudonym)",
        "left join register g using (pseudonym) left join homes h using (home)",
    )
    queries = [
        query(f"r.sex, {age}, {cse}, {person}", one, "sis", "pension65", "cunamas", "contigo", "pca", "vasoleche"),
        query(f"{cse}, {household}", both, "juntos", "foncodes"),
        query('r."NivelEducativo"', one, "qaliwarma"),
        f"""with register as ({register})
            select place, count(*) from register where valid = 'pobre_extremo' and age >= 65 and pseudonym is not null
            and pseudonym not in (select pseudonym from read_parquet({paths("pension65")}) where pseudonym is not null)
            group by place""",
        f"""with register as ({register}), homes as ({homes}),
            used as (select distinct pseudonym as used from read_parquet({paths("juntos")}) where pseudonym is not null)
            select place, count(*) from (
                select home, min(place) as place from register join homes using (home)
                left join used on pseudonym = used
                where meets group by home having count(used) = 0 and count(pseudonym) > 0) group by place""",
    ]
    duckdb.execute("set memory_limit = '4GB'")
    return {"seconds": timed(lambda: [duckdb.sql(q).df() for q in queries])}


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
    parser.add_argument("--step", choices=STEPS, help=argparse.SUPPRESS)
    parser.add_argument("--home", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.step:
        result = STEPS[given.step](given.home, given.rows)
        used = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
        print(json.dumps(result | {"peak_gb": used / 2**20}))
        return
    home = HERE / "data" / str(given.rows)
    once = {}
    if not (home / "ready").exists():
        shutil.rmtree(home, ignore_errors=True)
        once = {name: alone(name, home, given.rows) for name in ("generate", "harvest", "plain_text")}
        (home / "ready").touch()
    runs: dict[str, list[dict]] = {n: [] for n in ("intake", "reference_copy", "aggregate", "by_hand")}
    for _ in range(given.repeat):
        for name, found in runs.items():
            found.append(alone(name, home, given.rows))
    report(once, runs)
    if not given.keep:
        shutil.rmtree(home)


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


def report(once: dict, runs: dict[str, list[dict]]) -> None:
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
        "peak_gb": {n: max(r["peak_gb"] for r in found) for n, found in runs.items()},
    }
    result["intake_ratio"] = (result["intake_s"] + ours["pgh"]) / (result["intake_reference_s"] + theirs["pgh"])
    result["intake_ratio_programmes"] = result["intake_s"] / result["intake_reference_s"]
    result["aggregate_ratio"] = aggregated / hand
    keep(result)


if __name__ == "__main__":
    main()
