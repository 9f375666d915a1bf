"""Our protection beside others on the same regional tables, made up by seed, in the same run.

    pip install pytauargus                   # τ-ARGUS; without it its rows are left out, and it is said
    python -m bench.peers                    # four tables, means of 0.5 to 12 persons in an inner cell
    python -m bench.peers --mean 3 --seed 9  # another
    python -m bench.peers --json             # the line that is added to bench/results.jsonl, alone

ours         `anonymize.secure` and a public certificate, as `rnu protect` makes them; with the crosses of the house
             (all in the region, two in a province, one in a district) and with all crosses at all levels
τ-ARGUS MOD  all crosses; asked that each cell at risk can be 1 and can be the threshold, and with a margin of 30 %
line rule    two withheld cells in a line, with the threshold's persons together (bench/line_rule.py)

How many cells at risk a pattern protects is decided by bench/judge.py: every whole value from 1 to the threshold must
be possible for somebody who knows what is shown, and that withheld cells are at least 1. `--judged` cells at risk are
drawn from each table, the same for every pattern.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import platform
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TypeVar

import numpy as np

from anonymize.attack import at_risk
from anonymize.certificate import certify
from anonymize.policy import Policy
from anonymize.protect import protect
from anonymize.secure import secure
from anonymize.tables import CellRef, Cells, Mark, SafeCells
from bench import tau_argus
from bench.judge import judge
from bench.line_rule import line_rule, shown_by
from bench.regions import region

HERE = Path(__file__).parent
THRESHOLD = 5
HOUSE, ALL = (3, 2, 1), (3, 3, 3)
MEANS = (0.5, 2.0, 5.0, 12.0)
NEVER = 2.0  # a share that no category can have: what dominates a place is no question of this comparison
MARGIN = 30  # per cent

T = TypeVar("T")
Way = Callable[[Cells], tuple[SafeCells, dict[str, float]]]


@dataclass(frozen=True, slots=True)
class Row:
    """One way on one table."""

    way: str
    mean: float
    seconds: dict[str, float]  # of each part
    cells: int  # that the design shows
    withheld: int
    below: int  # not broken down
    dropped: int  # their cross is not shown there after all
    value_unshown: float  # share of the persons in the design's cells
    value_unshown_district: float
    judged: int
    protected: int
    exact: int  # an outsider knows their value
    undecided: int


def ours(crosses: tuple[int, ...]) -> Way:
    """Protect; then all that `rnu protect` does: attack, and make the certificate."""
    policy = Policy(THRESHOLD, crosses, dominance=NEVER)

    def way(cells: Cells) -> tuple[SafeCells, dict[str, float]]:
        seconds = {"protect": timed(lambda: protect(cells, policy))[0]}
        secured, made = timed(lambda: secure(cells, policy))
        seconds["attack"] = secured - seconds["protect"]
        seconds["certificate"] = timed(lambda: certify(made.safe))[0]
        return made.safe, seconds

    return way


def theirs(margin: int | None) -> Way:
    """τ-ARGUS' modular approach, in a process of its own."""

    def way(cells: Cells) -> tuple[SafeCells, dict[str, float]]:
        seconds, safe = timed(lambda: tau_argus.mod(cells, THRESHOLD, margin))
        return safe, {"protect": seconds}

    return way


def plain(crosses: tuple[int, ...]) -> Way:
    """The line rule."""

    def way(cells: Cells) -> tuple[SafeCells, dict[str, float]]:
        seconds, safe = timed(lambda: line_rule(cells, THRESHOLD, crosses))
        return safe, {"protect": seconds}

    return way


WAYS: dict[str, tuple[tuple[int, ...], Way]] = {
    "ours, crosses of the house": (HOUSE, ours(HOUSE)),
    "ours, all crosses": (ALL, ours(ALL)),
    "τ-ARGUS MOD, 1 … threshold, all crosses": (ALL, theirs(None)),
    f"τ-ARGUS MOD, margin {MARGIN} %, all crosses": (ALL, theirs(MARGIN)),
    "line rule, crosses of the house": (HOUSE, plain(HOUSE)),
    "line rule, all crosses": (ALL, plain(ALL)),
}


def timed(work: Callable[[], T]) -> tuple[float, T]:
    """How long something took, and what it gave."""
    began = time.perf_counter()
    made = work()
    return time.perf_counter() - began, made


def measure(name: str, cells: Cells, mean: float, asked: list[CellRef]) -> Row:
    """Protect a table in one way, and judge what came out."""
    crosses, way = WAYS[name]
    safe, seconds = way(cells)
    values, planned = cells.with_margins(), shown_by(cells, crosses)
    hidden = planned & (safe.marks != Mark.SHOWN)
    district = planned & (cells.places.level == len(cells.places.levels) - 1)[:, None, None, None]
    judging, found = timed(lambda: judge(safe, cells, asked))
    return Row(
        name,
        mean,
        {part: round(s, 2) for part, s in (seconds | {"judge": judging}).items()},
        cells=int(planned.sum()),
        withheld=int((planned & (safe.marks == Mark.WITHHELD)).sum()),
        below=int((planned & (safe.marks == Mark.BELOW)).sum()),
        dropped=int((planned & (safe.marks == Mark.ABSENT)).sum()),
        value_unshown=round(float(values[hidden].sum() / values[planned].sum()), 4),
        value_unshown_district=round(float(values[hidden & district].sum() / values[district].sum()), 4),
        judged=found.asked,
        protected=found.protected,
        exact=found.exact,
        undecided=found.undecided,
    )


def drawn(cells: Cells, most: int, seed: int) -> list[CellRef]:
    """Cells at risk that are asked for: some, drawn, or all of them with 0."""
    every = at_risk(cells, THRESHOLD)
    if not most or len(every) <= most:
        return list(every)
    return [every[i] for i in sorted(np.random.default_rng(seed).permutation(len(every))[:most].tolist())]


def line(row: Row) -> str:
    """A row for a person."""
    parts = " + ".join(f"{part} {s:.1f}" for part, s in row.seconds.items() if part != "judge")
    undecided = f", {row.undecided} undecided" if row.undecided else ""
    return (
        f"  {row.way:42} {row.value_unshown:7.1%} {row.value_unshown_district:9.1%} {row.withheld:9,}"
        f" {row.below + row.dropped:9,} {row.protected / row.judged:10.1%} {row.exact / row.judged:8.1%}"
        f"   {parts}{undecided}"
    )


def main() -> None:
    """Compare on every table, and add a line to the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mean", type=float, action="append", help="persons in an inner cell; can be given again")
    parser.add_argument("--seed", type=int, default=5, help="of the tables and of the cells drawn")
    parser.add_argument("--judged", type=int, default=100, help="cells at risk that are judged; 0 for all (hours)")
    parser.add_argument("--way", action="append", choices=list(WAYS), help="only this; can be given again")
    parser.add_argument("--json", action="store_true", help="print the result as one line of JSON")
    given = parser.parse_args()
    say = (lambda *_: None) if given.json else print
    why, rows, skipped = tau_argus.missing(), [], {}
    for mean in given.mean or MEANS:
        cells = region(given.seed, mean)
        asked = drawn(cells, given.judged, given.seed)
        say(f"mean {mean:g}: {len(cells.counts)} districts, {cells.counts.sum():,} persons, {len(asked)} cells judged")
        say(f"  {'':42} {'value':>7} {'district':>9} {'withheld':>9} {'not shown':>9} {'protected':>10} {'exact':>8}")
        for name in given.way or WAYS:
            try:
                if why and "ARGUS" in name:
                    raise tau_argus.TauArgusFailed(why)
                rows.append(measure(name, cells, mean, asked))
                say(line(rows[-1]))
            except tau_argus.TauArgusFailed as error:
                skipped[f"{name}, mean {mean:g}"] = str(error)
                say(f"  {name:42} left out: {error}")
            sys.stdout.flush()
    result = {
        "on": date.today().isoformat(),
        "peers": {"seed": given.seed, "threshold": THRESHOLD, "judged": given.judged},
        "software": f"Python {platform.python_version()}",
        "rows": [dataclasses.asdict(row) for row in rows],
        "left_out": skipped,
    }
    with (HERE / "results.jsonl").open("a", encoding="utf-8") as out:
        out.write(json.dumps(result, ensure_ascii=False) + "\n")
    if given.json:
        print(json.dumps(result, ensure_ascii=False))


if __name__ == "__main__":
    main()
