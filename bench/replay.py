"""What somebody learns who knows the published cells, the method and the code: replay it on every table that agrees.

    python -m bench.replay --tables 80 --keys 4

Each table of a seeded family (3 to 5 places × 2 × 2, small counts) is protected; every table of whole counts that
agrees with what was published is written down, and protected in its turn. Those that come out as the very same bytes
*survive*: the values that a cell at risk has in them are what somebody must hold for possible who replays the method.
A publication with which more than `--most` tables agree is left out: the tight ones are looked at.

Without a key one replay decides. With a secret key nobody knows which one to replay: a table survives if some key
gives the published bytes. `--keys` of them are drawn, so that at least as many values survive as are printed. How many
of the drawn keys give the bytes weighs a table: that is what the bytes say for it, all tables being held for equally
likely beforehand. From the weights comes how sure somebody may be of a cell's likeliest value. Adds a line to
bench/results.jsonl.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from anonymize.policy import Policy
from anonymize.protect import protect
from anonymize.tables import Cells, Dimension, Mark, Places, SafeCells, add_margins

HERE = Path(__file__).parent
DIMENSIONS = (Dimension("sexo", ("hombre", "mujer")), Dimension("edad", ("joven", "mayor")))
PLACES = (3, 4, 5)
MEANS = (1.0, 3.0, 6.0)  # persons in an inner cell; each place has one of them
THRESHOLDS = (3, 5)
DESIGNS = ((2, 2), (2, 1))
MOST = 400  # tables that agree with one publication; where there are more, it is left out, and counted
STEPS = 2_000_000  # of writing tables down, before there count as being too many
ENOUGH = 3  # values, as the aim is

Ints = NDArray[np.int64]


@dataclass(slots=True)
class Found:
    """What was found of the cells at risk, over all tables."""

    tables: int = 0
    left_out: int = 0  # too many tables agree
    values: Counter[int] = field(default_factory=Counter)  # how many values survive -> cells
    small: Counter[int] = field(default_factory=Counter)  # how many values from 1 to the threshold survive -> cells
    agreeing: Counter[int] = field(default_factory=Counter)  # how many values agree with what is published -> cells
    surest: list[float] = field(default_factory=list)  # weight of each cell's likeliest value

    def told(self) -> dict[str, object]:
        """For the results."""
        cells = max(sum(self.values.values()), 1)
        return {
            "tables": self.tables,
            "left_out": self.left_out,
            "cells_at_risk": sum(self.values.values()),
            "enough_values": round(sum(n for v, n in self.values.items() if v >= ENOUGH) / cells, 4),
            "enough_small": round(sum(n for v, n in self.small.items() if v >= ENOUGH) / cells, 4),
            "enough_agree": round(sum(n for v, n in self.agreeing.items() if v >= ENOUGH) / cells, 4),
            "one_value": round(self.values[1] / cells, 4),
            "values": {str(v): n for v, n in sorted(self.values.items())},
            "surest_median": round(float(np.median(self.surest)), 3) if self.surest else None,
            "surest_over_90": round(float(np.mean(np.array(self.surest) > 0.9)), 4) if self.surest else None,
        }


# --- the family ------------------------------------------------------------------------------------------------------


def family(seed: int, tables: int) -> Iterator[tuple[Cells, Policy]]:
    """Small tables with somebody at risk, each with its design."""
    rng = np.random.default_rng(seed)
    while tables:
        policy = Policy(int(rng.choice(THRESHOLDS)), DESIGNS[rng.integers(len(DESIGNS))], dominance=2.0)
        places = int(rng.choice(PLACES))
        counts = rng.poisson(policy.threshold * rng.choice(MEANS, (places, 1, 1)), (places, 2, 2))
        if counts.sum() >= policy.threshold and ((counts > 0) & (counts < policy.threshold)).any():
            tables -= 1
            yield as_cells(counts), policy


def as_cells(counts: Ints) -> Cells:
    """Places right under the root."""
    tree = Places.of([("PE", f"{i:02d}") for i in range(len(counts))], ("nacion", "departamento"))
    return Cells(tree, DIMENSIONS, counts)


# --- every table that agrees -----------------------------------------------------------------------------------------


def agreeing(safe: SafeCells, most: int) -> list[Ints] | None:
    """Every table of whole counts that agrees with what is published; None if there are too many."""
    shape = (len(safe.places.leaves), *(len(d.categories) for d in safe.dimensions))
    sums, marks = sums_of(safe.places, safe.dimensions), safe.marks.reshape(-1)
    shown, withheld = sums[marks == Mark.SHOWN], sums[marks == Mark.WITHHELD]
    found: list[Ints] = []
    for number, table in enumerate(_tables(shown, withheld, safe.values.reshape(-1)[marks == Mark.SHOWN])):
        if number >= most or table is None:
            return None
        found.append(table.reshape(shape))
    return found


def sums_of(places: Places, dimensions: Sequence[Dimension]) -> Ints:
    """(cells, unknowns) which inner counts each cell sums up."""
    shape = (len(places.leaves), *(len(d.categories) for d in dimensions))
    unit = np.eye(int(np.prod(shape)), dtype=np.int64).reshape(-1, *shape)
    return np.stack([add_margins(one, places, dimensions).reshape(-1) for one in unit]).T


def _tables(shown: Ints, withheld: Ints, total: Ints) -> Iterator[Ints | None]:
    """Tables that agree, count by count: no more than any sum leaves, all that it leaves where it ends.

    The last one is None if it took too many steps.
    """
    unknowns = shown.shape[1]
    inside = [np.flatnonzero(shown[:, at]).tolist() for at in range(unknowns)]
    last = [int(np.flatnonzero(row)[-1]) for row in shown]
    ending = [[row for row in inside[at] if last[row] == at] for at in range(unknowns)]
    least = [int((withheld[withheld.sum(axis=1) == 1][:, at] == 1).any()) for at in range(unknowns)]
    need = [[sum(least[j] for j in range(at + 1, unknowns) if row[j]) for row in shown] for at in range(unknowns)]
    left, table, steps = total.tolist(), [0] * unknowns, 0

    def fill(at: int) -> Iterator[Ints | None]:
        nonlocal steps
        if at == unknowns:
            made = np.array(table, dtype=np.int64)
            if (withheld @ made >= 1).all():
                yield made
            return
        most = min(left[row] - need[at][row] for row in inside[at])
        exact = {left[row] for row in ending[at]}
        counts = range(least[at], most + 1) if not exact else [c for c in exact if least[at] <= c <= most]
        for count in counts if len(exact) < 2 else ():
            steps += 1
            if steps > STEPS:
                yield None
                return
            table[at] = count
            for row in inside[at]:
                left[row] -= count
            yield from fill(at + 1)
            for row in inside[at]:
                left[row] += count

    return fill(0)


# --- the replay ------------------------------------------------------------------------------------------------------


def replay(cells: Cells, policy: Policy, secret: bytes, tried: tuple[bytes, ...], most: int, found: Found) -> None:
    """Protect a table, protect every table that agrees, and take down which values survive."""
    safe = protect(cells, policy, key=secret)
    tables = agreeing(safe, most)
    if tables is None:
        found.left_out += 1
        return
    found.tables += 1
    every = np.stack([add_margins(table, cells.places, cells.dimensions) for table in tables])
    weight = np.array([_same(table, policy, safe, tried) for table in tables])
    values = cells.with_margins()
    for at in np.argwhere((values > 0) & (values < policy.threshold)).tolist():
        of = every[(slice(None), *at)]
        own = int(values[tuple(at)])
        by_value = {int(v): float(weight[of == v].sum()) for v in np.unique(of)}
        found.agreeing[len(by_value)] += 1
        alive = {v for v, w in by_value.items() if w} | {own}
        found.values[len(alive)] += 1
        found.small[sum(1 <= v <= policy.threshold for v in alive)] += 1
        if weight.any():
            found.surest.append(max(by_value.values()) / float(weight.sum()))


def _same(table: Ints, policy: Policy, safe: SafeCells, tried: tuple[bytes, ...]) -> int:
    """How many of some keys give the published bytes for a table."""
    made = (protect(as_cells(table), policy, key=key) for key in tried)
    return sum(bool((m.marks == safe.marks).all() and (m.values == safe.values).all()) for m in made)


def main() -> None:
    """Replay a family without and with a secret key, and print how many values survive for each cell at risk."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", type=int, default=80)
    parser.add_argument("--keys", type=int, default=4, help="keys that are drawn for each table")
    parser.add_argument("--most", type=int, default=400, help="tables that may agree with a publication")
    parser.add_argument("--seed", type=int, default=5)
    given = parser.parse_args()
    result: dict[str, object] = {"on": date.today().isoformat(), "replay": vars(given)}
    for name in ("without_key", "with_key"):
        began, found = time.perf_counter(), Found()
        for number, (cells, policy) in enumerate(family(given.seed, given.tables)):
            keyed = name == "with_key"
            secret = b"secret %d" % number if keyed else b""
            tried = tuple(b"tried %d %d" % (number, i) for i in range(given.keys)) if keyed else (b"",)
            replay(cells, policy, secret, tried, given.most, found)
        result[name] = found.told() | {"seconds": round(time.perf_counter() - began, 1)}
        print(name, json.dumps(result[name]), flush=True)
    with (HERE / "results.jsonl").open("a", encoding="utf-8") as out:
        out.write(json.dumps(result) + "\n")


if __name__ == "__main__":
    main()
