"""How fast the country's tables are protected, attacked, proven and verified, on all cores as `rnu build` does it.

    python -m bench.protection                           # national rosters, as bench.line makes them
    python -m bench.protection --rows 1000000 --keep     # fewer, and keep bench/data/ for another run
    python -m bench.protection --regions 3 6 12          # and for some regions alone

Each part is done for all tables before the next begins, by workers side by side, so that a part has a time on the
clock; the CPU seconds of each table are kept beside it. `release` is all of it as a build does it, the parts by turns
and the audits with them. What a part promises is held against it. Adds a line to bench/results.jsonl.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np

from anonymize.attack import Published, attack
from anonymize.certificate import Certificate, certify, check
from anonymize.protect import facts, protect
from anonymize.secure import secure, unproven
from anonymize.tables import Cells, Places, SafeCells
from anonymize.workers import pool
from bench.line import HERE, PERIOD, alone, keep, surroundings
from rnu import linkage, secrets
from rnu.institution import Institution
from rnu.tabulate import Task, count, effort, tasks

CORES = os.cpu_count() or 1
REGIONS = (3, 6, 12)  # of 25


@dataclass(frozen=True, slots=True)
class Table:
    """A programme's table on its way through the parts."""

    task: Task
    safe: SafeCells | None = None
    certificate: Certificate | None = None

    @property
    def name(self) -> str:
        """Cube and programme."""
        return f"{self.task.cube}/{self.task.programme}"


# --- the parts -------------------------------------------------------------------------------------------------------


def protected(table: Table) -> Table:
    task = table.task
    return replace(table, safe=protect(task.table, task.policy, key=task.key, cores=CORES))


def attacked(table: Table) -> Table:
    """Every cell at risk, shown or not."""
    assert table.safe is not None
    found = attack(Published.of(table.safe), table.task.table, table.task.policy.threshold)
    assert not found, f"{table.name}: {len(found)} cells found"
    return table


def certified(table: Table) -> Table:
    assert table.safe is not None
    return replace(table, certificate=certify(table.safe))


def verified(table: Table) -> Table:
    assert table.safe is not None and table.certificate is not None
    problems = check(table.safe, table.certificate).problems
    assert not problems, f"{table.name}: {problems[0]}"
    assert not unproven(table.task.table, table.safe, table.certificate), f"{table.name}: a cell at risk is on the list"
    return table


def released(table: Table) -> Table:
    secure(table.task.table, table.task.policy, key=table.task.key, cores=CORES)
    return table


PARTS = {"protect": protected, "attack": attacked, "certificates": certified, "verify": verified}


@dataclass(frozen=True, slots=True)
class Done:
    """What a part made of a table, and in how many CPU seconds, those of its own workers too."""

    table: Table
    cpu: float


def timed(work: Callable[[Table], Table], table: Table) -> Done:
    began = cpu()
    made = work(table)
    return Done(made, cpu() - began)


def cpu() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


class Memory(Thread):
    """The most that this process's workers, and theirs, hold together, in GB: looked at several times a second."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.most, self.going = 0.0, True

    def __enter__(self) -> Memory:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.going = False
        self.join()

    def run(self) -> None:
        """Look, until the end."""
        while self.going:
            self.most = max(self.most, sum(held(one) for one in below(os.getpid())))
            time.sleep(0.2)


def below(process: int) -> list[int]:
    """The processes that a process began, and those that they did."""
    try:
        tasks_of = list(Path(f"/proc/{process}/task").iterdir())
        own = [int(child) for task in tasks_of for child in (task / "children").read_text().split()]
    except OSError:  # it has just ended
        return []
    return [*own, *(further for child in own for further in below(child))]


def held(process: int) -> float:
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 2**20


def on_all_cores(name: str, work: Callable[[Table], Table], tables: Sequence[Table]) -> tuple[list[Table], dict]:
    """A part for all tables: what it makes, the seconds on the clock, CPU seconds by table, memory of all workers."""
    began = time.perf_counter()
    with Memory() as memory, pool() as workers:
        futures = [workers.submit(timed, work, table) for table in tables]
        found = [future.result() for future in futures]
    result = {
        "seconds": time.perf_counter() - began,
        "cpu": {done.table.name: done.cpu for done in found},
        "peak_gb": memory.most,
    }
    told = f"{name}: {result['seconds']:.1f} s, {sum(result['cpu'].values()):.1f} s of CPU, {result['peak_gb']:.2f} GB"
    print(told, file=sys.stderr, flush=True)
    return [done.table for done in found], result


def each_part(tables: Sequence[Table]) -> tuple[list[Table], dict]:
    results, made = {}, list(tables)
    for name, work in PARTS.items():
        made, results[name] = on_all_cores(name, work, made)
    return made, results


# --- what is protected -----------------------------------------------------------------------------------------------


def national(home: Path) -> tuple[list[Table], Callable[[Iterable[Table]], dict]]:
    """The tables of every programme, in the order of a build's workers, and how to time the linked ones.

    These hang on what the programmes' own tables show.
    """
    institution = Institution.open(home)
    settings, store = institution.settings, institution.store
    intakes = institution.ledger.intakes(str(PERIOD))
    key = secrets.pseudonym_key(home, {})
    counts = {c.id: count(c, settings, intakes, PERIOD, store) for c in settings.cubes}
    todo = tasks(settings, counts, intakes, PERIOD, institution.gazetteer, key)

    def linked(tables: Iterable[Table]) -> dict:
        made: dict[tuple[str, str], Any] = {(t.task.cube, t.task.programme): t for t in tables}
        shown = linkage.Shown.of(settings, counts, made)
        began, cpu = time.perf_counter(), time.process_time()
        linkage.overlaps(settings, intakes, PERIOD, store, institution.gazetteer, shown, key)
        return {"seconds": time.perf_counter() - began, "cpu": time.process_time() - cpu}

    return [Table(task) for task in sorted(todo, key=effort, reverse=True)], linked


def of_regions(table: Table, many: int) -> Table:
    """A table of the first regions alone."""
    task, places = table.task, table.task.table.places
    paths = [path_of(places, leaf) for leaf in places.leaves.tolist()]
    named = sorted({path[1] for path in paths})[:many]
    kept = [i for i, path in enumerate(paths) if path[1] in named]
    tree = Places.of([paths[i] for i in kept], places.levels)
    at = {code: i for i, code in enumerate(tree.codes[i] for i in tree.leaves.tolist())}
    order = np.argsort([at[paths[i][-1]] for i in kept])
    counts = task.table.counts[np.array(kept)[order]]
    return Table(replace(task, table=Cells(tree, task.table.dimensions, counts)))


def path_of(places: Places, leaf: int) -> tuple[str, ...]:
    path = [leaf]
    while places.parent[path[-1]] >= 0:
        path.append(int(places.parent[path[-1]]))
    return tuple(places.codes[i] for i in reversed(path))


def losses(tables: Sequence[Table]) -> dict[str, dict[str, float]]:
    """Share of the persons in the design's cells that is not shown, by table and level."""
    return {
        t.name: {level.level: level.share_unshown for level in facts(t.task.table, t.task.policy, t.safe).levels}
        for t in tables
        if t.safe is not None
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=19_360_584, help="user rows over the nine programmes")
    parser.add_argument("--repeat", type=int, default=3, help="runs, of which the median counts")
    parser.add_argument("--regions", type=int, nargs="*", default=REGIONS, help="how many regions, one run for each")
    parser.add_argument("--keep", action="store_true", help="keep bench/data/ for another run")
    given = parser.parse_args()
    home = HERE / "data" / str(given.rows)
    if not (home / "store").exists():
        for name in ("generate", "harvest"):
            alone(name, home, given.rows)
    tables, linked = national(home)
    runs, made = [], list[Table]()
    for _ in range(given.repeat):
        made, results = each_part(tables)
        runs.append(results)
    result: dict[str, Any] = {"parts": {part: median([run[part] for run in runs]) for part in PARTS}}
    result["release"] = on_all_cores("release", released, tables)[1]
    result["overlaps"] = linked(made)
    print(f"overlaps: {result['overlaps']['seconds']:.1f} s", file=sys.stderr, flush=True)
    result["unshown"] = losses(made)
    result["regions"] = {}
    for many in given.regions:
        print(f"{many} regions", file=sys.stderr, flush=True)
        results = each_part([of_regions(table, many) for table in tables])[1]
        result["regions"][many] = {part: one["seconds"] for part, one in results.items()}
    keep(surroundings() | {"protection": {"rows": given.rows, "runs": given.repeat}} | result)
    if not given.keep:
        shutil.rmtree(home)


def median(runs: Sequence[dict]) -> dict:
    """Of the same part, several times."""
    return {
        "seconds": statistics.median(run["seconds"] for run in runs),
        "cpu": {name: statistics.median(run["cpu"][name] for run in runs) for name in runs[0]["cpu"]},
        "peak_gb": max(run["peak_gb"] for run in runs),
    }


if __name__ == "__main__":
    main()
