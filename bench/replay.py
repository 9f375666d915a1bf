"""What somebody learns who knows the published cells, the method and the code: replay it on every table that agrees.

    python -m bench.replay --tables 80 --keys 4

Each table of a seeded family (3 to 5 places × 2 × 2, small counts) is protected; every table of whole counts that
agrees with what was published is written down, and protected in its turn. Those that come out as the very same bytes
*survive*: the values that a cell at risk has in them are what somebody must hold for possible who replays the method.
A publication with which more than `--most` tables agree is left out: the tight ones are looked at.

Protected is in two ways: by `anonymize.protect` alone, and as a release is (`anonymize.replay`), with a replay of its
own and coarsening where that leaves too few values. The second replays more tables than it coarsens: a table that comes
out otherwise at the first try is struck out, though coarsening might bring it back, so that at least as many values
survive as are printed.

Without a key one replay decides. With a secret key nobody knows which one to replay: a table survives if some key
gives the published bytes, the true one or one of `--keys` drawn ones, so that again at least as many values survive as
are printed. How many of the drawn keys give the bytes weighs a table: that is what the bytes say for it, all tables
being held for equally likely beforehand. From the weights comes how sure somebody may be of a cell's likeliest value.
Adds a line to bench/results.jsonl.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from anonymize.errors import Unprotectable
from anonymize.policy import Policy
from anonymize.protect import facts, protect
from anonymize.replay import ENOUGH, agreeing, comes_out, narrow, protect_unreplayed, same, with_margins
from anonymize.tables import CellRef, Cells, Dimension, Places, SafeCells

HERE = Path(__file__).parent
DIMENSIONS = (Dimension("sexo", ("hombre", "mujer")), Dimension("edad", ("joven", "mayor")))
PLACES = (3, 4, 5)
MEANS = (1.0, 3.0, 6.0)  # persons in an inner cell; each place has one of them
THRESHOLDS = (3, 5)
DESIGNS = ((2, 2), (2, 1))
MOST = 400  # tables that agree with one publication; where there are more, it is left out, and counted
STEPS = 1_000_000  # of writing tables down, before there count as being too many: five times what protection tries

Ints = NDArray[np.int64]


@dataclass(slots=True)
class Found:
    """What was found of the cells at risk, over all tables."""

    tables: int = 0
    left_out: int = 0  # too many tables agree
    coarsened: int = 0  # tables, for what a replay told; of all
    value: int = 0  # persons in the cells of the design, of all tables
    unshown: int = 0
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
            "coarsened": self.coarsened,
            "value_unshown": round(self.unshown / max(self.value, 1), 4),
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


# --- the replay ------------------------------------------------------------------------------------------------------


def replay(
    cells: Cells, policy: Policy, secret: bytes, tried: tuple[bytes, ...], as_released: bool, most: int, found: Found
) -> None:
    """Protect a table, protect every table that agrees, and take down which values survive."""
    safe, exposed = (
        protect_unreplayed(cells, policy, key=secret) if as_released else (protect(cells, policy, key=secret), ())
    )
    levels = facts(cells, policy, safe).levels
    found.coarsened += bool(exposed)
    found.value += sum(level.value for level in levels)
    found.unshown += sum(level.value_unshown for level in levels)
    tables = agreeing(safe, most, STEPS)
    if tables is None:
        found.left_out += 1
        return
    found.tables += 1
    every = with_margins(safe, tables)
    drawn = sum(_come_out(tables, every, policy, safe, exposed, key, as_released) for key in tried)
    alive = drawn + _come_out(tables, every, policy, safe, exposed, secret, as_released) > 0
    weight = drawn.astype(np.float64)
    values = cells.with_margins()
    for at in np.argwhere((values > 0) & (values < policy.threshold)).tolist():
        of = every[(slice(None), *at)]
        left = {*of[alive].tolist(), int(values[tuple(at)])}
        found.agreeing[len(np.unique(of))] += 1
        found.values[len(left)] += 1
        found.small[sum(1 <= v <= policy.threshold for v in left)] += 1
        if weight.any():
            likely = max(float(weight[of == v].sum()) for v in np.unique(of))
            found.surest.append(likely / float(weight.sum()))


def _come_out(
    tables: list[Ints],
    every: Ints,
    policy: Policy,
    safe: SafeCells,
    exposed: tuple[CellRef, ...],
    key: bytes,
    as_released: bool,
) -> Ints:
    """For each table, 1 if a key gives the published bytes for it, else 0."""
    if exposed:
        made = (_again(table, policy, safe, key) for table in tables)
        return np.array([one is not None and same(one, safe) for one in made], dtype=np.int64)
    out = np.array([comes_out(table, safe, policy, (), key) for table in tables], dtype=np.int64)
    if as_released and out.any() and agreeing(safe) is not None and narrow(every[out > 0], policy.threshold).any():
        return np.zeros_like(out)  # with this key all of them would have been coarsened
    return out


def _again(table: Ints, policy: Policy, safe: SafeCells, key: bytes) -> SafeCells | None:
    """What becomes of a table as a release is protected; None if nothing."""
    try:
        return protect_unreplayed(Cells(safe.places, safe.dimensions, table), policy, key=key)[0]
    except Unprotectable:
        return None


def main() -> None:
    """Replay a family in three ways, and print how many values survive for each cell at risk."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", type=int, default=80)
    parser.add_argument("--keys", type=int, default=4, help="keys that are drawn for each table")
    parser.add_argument("--most", type=int, default=400, help="tables that may agree with a publication")
    parser.add_argument("--seed", type=int, default=5)
    given = parser.parse_args()
    result: dict[str, object] = {"on": date.today().isoformat(), "replay": vars(given)}
    for name in ("protect_without_key", "release_without_key", "release_with_key"):
        began, found = time.perf_counter(), Found()
        for number, (cells, policy) in enumerate(family(given.seed, given.tables)):
            keyed = name == "release_with_key"
            secret = b"secret %d" % number if keyed else b""
            tried = tuple(b"tried %d %d" % (number, i) for i in range(given.keys)) if keyed else (b"",)
            replay(cells, policy, secret, tried, name.startswith("release"), given.most, found)
        result[name] = found.told() | {"seconds": round(time.perf_counter() - began, 1)}
        print(name, json.dumps(result[name]), flush=True)
    with (HERE / "results.jsonl").open("a", encoding="utf-8") as out:
        out.write(json.dumps(result) + "\n")


if __name__ == "__main__":
    main()
